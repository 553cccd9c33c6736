"""Faults of one message on its way: frames lost, late, repeated, swapped, or kept off the channel.

Content and protection of every frame stay as its sender made them. ISO 26262-5 annex D calls them
loss, delay, repetition, incorrect sequence, and blocking access to a communication channel.

A sender with one transmit buffer per message replaces a frame that still waits for the bus by the
next one. So that both get through, what follows a frame of the same message does so `gap_ns` later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.faults.corners import require_between
from simcore.faults.installed import require_count
from simcore.faults.message import MessageFault
from simcore.faults.message_path import LateFilter, MessageFilter, MessagePath
from simcore.kernel import Priority
from simcore.units import NS_PER_S, NS_PER_US, format_ns

GAP_NS = 500 * NS_PER_US
"""Longer than the longest frame of the reference network, with room for one of another node."""
_ECU = int(Priority.ECU)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDropped(MessageFault):
    """Frames are lost: a share of them at random, seeded, or every nth."""

    share_ratio: float | None = None
    """Probability of a loss, 0 and 1 excluded."""
    every: int | None = None
    """The first of so many frames is lost, >= 2; instead of `share_ratio`."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        if (self.share_ratio is None) == (self.every is None):
            got = "neither" if self.every is None else "both"
            raise UsageError("MessageDropped", expected="share_ratio or every", got=got)
        if self.share_ratio is not None:
            require_between(self, "share_ratio", 0.0, 1.0, above=True)
            if self.share_ratio == 1.0:
                raise UsageError(
                    "MessageDropped.share_ratio", expected="below 1, else MessageStopped", got="1"
                )
        elif self.every == 1:
            raise UsageError("MessageDropped.every", expected=">= 2, else MessageStopped", got="1")
        else:
            assert self.every is not None
            require_count("MessageDropped.every", self.every)

    @property
    def _what(self) -> str:
        if self.share_ratio is not None:
            return f"{100.0 * self.share_ratio:g} % of the frames lost, at random"
        return f"one frame in {self.every} lost"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return DropFilter(path, self.frames, self.share_ratio, self.every)


class DropFilter(MessageFilter):
    """Some frames are not passed on."""

    __slots__ = ("_every", "_place", "_share_ratio")

    def __init__(
        self, path: MessagePath, frames: int | None, share_ratio: float | None, every: int | None
    ) -> None:
        super().__init__(path, frames)
        self._share_ratio = share_ratio
        self._every = every or 1
        self._place = 0

    def _pass(self, frame: Frame, channel: str | None) -> None:
        if self._share_ratio is not None:
            is_lost = self.path.random.chance(self._share_ratio)
        else:
            is_lost = self._place == 0
            self._place = (self._place + 1) % self._every
        if is_lost:
            self._counted()
        else:
            self.path.emit(frame, channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDelayed(MessageFault):
    """Each frame is late by the same time; cycle and counter stay right.

    E2E protection does not see it, and once it lasts neither does a deadline. With a ramp it does
    not even begin with a gap. When the fault is over, what is still under way comes out at once.
    """

    delay_ns: int
    """How late."""
    ramp_ns_per_s: int | None = None
    """How fast the delay grows to `delay_ns`; `None`: it is there at once, behind a gap."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        require_count("MessageDelayed.delay_ns", self.delay_ns)
        if self.ramp_ns_per_s is not None:
            require_count("MessageDelayed.ramp_ns_per_s", self.ramp_ns_per_s)

    @property
    def _what(self) -> str:
        ramp_ns_per_s = self.ramp_ns_per_s
        creeping = "" if ramp_ns_per_s is None else f", growing by {format_ns(ramp_ns_per_s)} per s"
        return f"late by {format_ns(self.delay_ns)}{creeping}"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return DelayFilter(path, self.frames, self.delay_ns, self.ramp_ns_per_s)


class DelayFilter(LateFilter):
    """Frames are passed on late, all by the same time or by a growing one."""

    __slots__ = ("_begin_ns", "_delay_ns", "_ramp_ns_per_s")

    def __init__(
        self, path: MessagePath, frames: int | None, delay_ns: int, ramp_ns_per_s: int | None
    ) -> None:
        super().__init__(path, frames)
        self._begin_ns = path.scheduler.now_ns
        self._delay_ns = delay_ns
        self._ramp_ns_per_s = ramp_ns_per_s

    def _pass(self, frame: Frame, channel: str | None) -> None:
        delay_ns = self._delay_ns
        if self._ramp_ns_per_s is not None:
            since_ns = self.path.scheduler.now_ns - self._begin_ns
            delay_ns = min(delay_ns, self._ramp_ns_per_s * since_ns // NS_PER_S)
        self._late(frame, channel, delay_ns)
        self._counted()

    def end(self) -> None:
        super().end()
        self._flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRepeated(MessageFault):
    """Each frame is sent again, unchanged: the receiver sees its counter once more."""

    copies: int = 1
    """How often."""
    gap_ns: int = GAP_NS
    """From a frame to its first copy, and to the next."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        require_count("MessageRepeated.copies", self.copies)
        require_count("MessageRepeated.gap_ns", self.gap_ns)

    @property
    def _what(self) -> str:
        times = "once more" if self.copies == 1 else f"{self.copies} times more"
        return f"each frame sent {times}"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return RepeatFilter(path, self.frames, self.copies, self.gap_ns)


class FollowingFilter(MessageFilter):
    """Frames are followed by others. What a node that goes off had yet to send is gone."""

    __slots__ = ("_epoch", "_pending_count")

    def __init__(self, path: MessagePath, frames: int | None) -> None:
        super().__init__(path, frames)
        self._epoch = 0
        """Timers of an earlier one are void."""
        self._pending_count = 0

    def _follow(self, frame: Frame, channel: str | None, delay_ns: int) -> None:
        """Pass a frame on later, whatever goes before it."""
        scheduler = self.path.scheduler
        self._pending_count += 1
        send = partial(self._send, self._epoch, frame, channel)
        scheduler.post(scheduler.now_ns + delay_ns, _ECU, send)

    def _send(self, epoch: int, frame: Frame, channel: str | None) -> None:
        if epoch == self._epoch:
            self._pending_count -= 1
            self.path.emit(frame, channel)

    def node_started(self) -> None:
        self._epoch += 1
        self._pending_count = 0

    @property
    def is_spent(self) -> bool:
        return self.ended and not self._pending_count


class RepeatFilter(FollowingFilter):
    """Frames are passed on several times."""

    __slots__ = ("_copies", "_gap_ns")

    def __init__(self, path: MessagePath, frames: int | None, copies: int, gap_ns: int) -> None:
        super().__init__(path, frames)
        self._copies = copies
        self._gap_ns = gap_ns

    def _pass(self, frame: Frame, channel: str | None) -> None:
        self.path.emit(frame, channel)
        for copy in range(1, self._copies + 1):
            self._follow(frame, channel, copy * self._gap_ns)
        self._counted()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReordered(MessageFault):
    """Frames are swapped in pairs: the second goes out in its time, the first behind it."""

    gap_ns: int = GAP_NS
    """From the second frame to the first."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        require_count("MessageReordered.gap_ns", self.gap_ns)

    @property
    def _what(self) -> str:
        return "frames swapped in pairs"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return SwapFilter(path, self.frames, self.gap_ns)


class SwapFilter(FollowingFilter):
    """Each first frame waits for the second. One that waits when the fault ends goes on at once."""

    __slots__ = ("_first", "_gap_ns")

    def __init__(self, path: MessagePath, frames: int | None, gap_ns: int) -> None:
        super().__init__(path, frames)
        self._first: tuple[Frame, str | None] | None = None
        self._gap_ns = gap_ns

    def _pass(self, frame: Frame, channel: str | None) -> None:
        first, self._first = self._first, None
        if first is None:
            self._first = frame, channel
        else:
            self.path.emit(frame, channel)
            self._follow(*first, self._gap_ns)
        self._counted()

    def end(self) -> None:
        super().end()
        first, self._first = self._first, None
        if first is not None:
            self.path.emit(*first)

    def node_started(self) -> None:
        super().node_started()
        self._first = None


LOST, LATE = "lost", "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBlocked(MessageFault):
    """The sender does not get onto the channel with the message, for as long as the fault lasts.

    Its frames are lost, or wait and come in a burst afterwards: then the sender's queue keeps the
    last `queue_frames` of them, and what it sends meanwhile goes behind the burst.
    """

    then: str = LOST
    """What becomes of the frames: `lost` or `late`."""
    queue_frames: int = 16
    """How many of them the sender keeps."""
    gap_ns: int = GAP_NS
    """Between the frames of the burst."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        if self.then not in (LOST, LATE):
            raise UsageError(
                "MessageBlocked.then", expected=f"{LOST} or {LATE}", got=repr(self.then)
            )
        require_count("MessageBlocked.queue_frames", self.queue_frames)
        require_count("MessageBlocked.gap_ns", self.gap_ns)

    @property
    def _what(self) -> str:
        return f"kept off the channel, frames {self.then}"

    def _filter(self, path: MessagePath) -> MessageFilter:
        kept_count = self.queue_frames if self.then == LATE else 0
        return BlockFilter(path, self.frames, kept_count, self.gap_ns)


class BlockFilter(LateFilter):
    """Nothing is passed on; afterwards what was kept, in a burst."""

    __slots__ = ("_gap_ns", "_kept", "_kept_count")

    def __init__(self, path: MessagePath, frames: int | None, kept_count: int, gap_ns: int) -> None:
        super().__init__(path, frames)
        self._kept: list[tuple[Frame, str | None]] = []
        self._kept_count = kept_count
        self._gap_ns = gap_ns

    def _pass(self, frame: Frame, channel: str | None) -> None:
        if self._kept_count:
            self._kept = [*self._kept, (frame, channel)][-self._kept_count :]
        self._counted()

    def end(self) -> None:
        super().end()
        kept, self._kept = self._kept, []
        for place, (frame, channel) in enumerate(kept):
            self._late(frame, channel, place * self._gap_ns)

    def _pass_after(self, frame: Frame, channel: str | None) -> None:
        if self._waiting:
            behind_ns = self._latest_ns + self._gap_ns - self.path.scheduler.now_ns
            self._late(frame, channel, behind_ns)
        else:
            self.path.emit(frame, channel)

    def node_started(self) -> None:
        super().node_started()
        self._kept = []
