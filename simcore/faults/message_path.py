"""How a fault of a message is carried out: a filter on the path from its sender to the controller.

`MessagePath` is what the rig gives: the message, time, and where frames go on. A filter takes every
frame of the message and passes on what the fault makes of it. What it changes it seals again with
the message's E2E header, so that nothing but the fault is wrong.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.kernel import Priority, RandomStream, Scheduler
from simcore.network import Message
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.protection.e2e_factory import HEADERS
from simcore.protection.e2e_header import WRONG, Header

if TYPE_CHECKING:
    from collections.abc import Callable

_ECU = int(Priority.ECU)
LIST_LENGTH = 16


class Emit(Protocol):
    """Where a filter passes frames on."""

    def __call__(self, frame: Frame, channel: str | None) -> object: ...


class MessagePath:
    """The way of one message from its sender to the controller."""

    __slots__ = ("emit", "header", "length", "message", "node", "on_end", "random", "scheduler")

    def __init__(
        self, message: Message, node: str, scheduler: Scheduler, random: RandomStream
    ) -> None:
        self.message = message
        self.node = node
        self.scheduler = scheduler
        self.random = random
        secoc = message.secoc
        self.length = message.length if secoc is None else secoc.authentic_length
        """Of the part that E2E protects."""
        config = message.e2e
        self.header: Header | None = None
        if config is not None:
            self.header = HEADERS[config.profile](config, self.length)
        self.emit: Emit = _nowhere
        """Set by whoever puts the filter in place."""
        self.on_end: Callable[[], object] | None = None
        """Called when a fault for a number of frames is over by itself."""

    @property
    def counter_modulo(self) -> int:
        """How many values the counter has; 1 where there is none."""
        return 1 if self.header is None else self.header.counter_modulo


def _nowhere(frame: Frame, channel: str | None) -> None:
    raise UsageError("message fault", expected="a filter in place")


class MessageFilter:
    """Passes frames on until its fault ends; the kinds override `_pass`."""

    __slots__ = ("_left", "count", "ended", "path")

    def __init__(self, path: MessagePath, frames: int | None) -> None:
        self.path = path
        self._left = frames
        self.count = 0
        """Frames concerned so far."""
        self.ended = False

    def take(self, frame: Frame, channel: str | None) -> None:
        """A frame of the message from its sender."""
        if self.ended:
            self._pass_after(frame, channel)
            return
        self._pass(frame, channel)

    def _pass(self, frame: Frame, channel: str | None) -> None:
        """A frame while the fault lasts."""
        raise NotImplementedError

    def _pass_after(self, frame: Frame, channel: str | None) -> None:
        """A frame after its end."""
        self.path.emit(frame, channel)

    def _counted(self) -> None:
        """One more frame was concerned; after the last one the fault is over."""
        self.count += 1
        if self._left is not None:
            self._left -= 1
            if self._left == 0 and not self.ended:
                self.end()
                if self.path.on_end is not None:
                    self.path.on_end()

    def end(self) -> None:
        """The fault is over; the filter may be needed for the counters that follow."""
        self.ended = True

    @property
    def is_spent(self) -> bool:
        """Whether frames may bypass it: nothing is left to do."""
        return self.ended

    @property
    def effect(self) -> str:
        """For the report."""
        return f"{self.count or 'no'} frame{'' if self.count < 2 else 's'} concerned"

    def node_started(self) -> None:
        """The sender was switched on anew: its counter begins anew, too."""

    def _sealed(self, frame: Frame, counter: int) -> Frame:
        """A frame with another counter and the checksum right for it."""
        header, length = self.path.header, self.path.length
        assert header is not None
        buffer = bytearray(frame.data[:length])
        header.seal(buffer, counter)
        return frame.with_data(bytes(buffer) + frame.data[length:])

    def _counter_of(self, frame: Frame) -> int:
        """Counter of a right frame, else `WRONG`: such a frame is none to change."""
        header, length = self.path.header, self.path.length
        if header is None or len(frame.data) < length:
            return WRONG
        return header.open(frame.data[:length])


class CountingFilter(MessageFilter):
    """A filter that touches the counter, and knows how it goes on."""

    __slots__ = ("_last", "_resume", "_restart_at", "_shift")

    def __init__(self, path: MessagePath, frames: int | None, resume: str) -> None:
        super().__init__(path, frames)
        self._resume = resume
        self._last = WRONG
        """Counter of the last frame that was sent."""
        self._shift: int | None = None
        """Added to the sender's own counter after the fault; `None` while it is not known."""
        self._restart_at = 0
        config = path.message.e2e
        if config is not None and config.profile not in PLAIN:
            self._restart_at = PROFILES[config.profile].first_counter

    @property
    def modulo(self) -> int:
        """Of the counter."""
        return self.path.counter_modulo

    def _pass_after(self, frame: Frame, channel: str | None) -> None:
        counter = self._counter_of(frame)
        if counter == WRONG:
            self.path.emit(frame, channel)
            return
        if self._shift is None:
            self._shift = self._first_shift(counter)
        if self._shift:
            frame = self._sealed(frame, (counter + self._shift) % self.modulo)
        self.path.emit(frame, channel)

    def _first_shift(self, counter: int) -> int:
        if self._resume == "restart":
            return (self._restart_at - counter) % self.modulo
        if self._resume == "continue" and self._last != WRONG:
            return (self._last + 1 - counter) % self.modulo
        return 0

    @property
    def is_spent(self) -> bool:
        return self.ended and (self._resume == "jump back" or self._shift == 0)

    def node_started(self) -> None:
        if self.ended:
            self._shift = 0


class StopFilter(CountingFilter):
    """Nothing is passed on."""

    __slots__ = ()

    def _pass(self, frame: Frame, channel: str | None) -> None:
        if self._last == WRONG and (counter := self._counter_of(frame)) != WRONG:
            self._last = (counter - 1) % self.modulo  # of the frame before
        self._counted()


class CycleFilter(CountingFilter):
    """The last frame is passed on at a cycle of its own."""

    __slots__ = ("_channel", "_cycle_ns", "_frame", "_next", "_timer_ns")

    def __init__(self, path: MessagePath, frames: int | None, resume: str, cycle_ns: int) -> None:
        super().__init__(path, frames, resume)
        self._cycle_ns = cycle_ns
        self._frame: Frame | None = None
        self._channel: str | None = None
        self._next = WRONG
        self._timer_ns = -1

    def _pass(self, frame: Frame, channel: str | None) -> None:
        is_first = self._frame is None
        self._frame, self._channel = frame, channel
        if is_first:
            self._next = self._counter_of(frame)
            self._send(self.path.scheduler.now_ns)

    def _send(self, now_ns: int) -> None:
        frame = self._frame
        assert frame is not None
        if self._next != WRONG:
            frame = self._sealed(frame, self._next)
            self._last = self._next
            self._next = (self._next + 1) % self.modulo
        self.path.emit(frame, self._channel)
        self._timer_ns = now_ns + self._cycle_ns
        self._counted()
        if not self.ended:
            self.path.scheduler.post(self._timer_ns, _ECU, self._due)

    def _due(self) -> None:
        now_ns = self.path.scheduler.now_ns
        if not self.ended and now_ns == self._timer_ns:
            self._send(now_ns)

    def node_started(self) -> None:
        self._frame = None
        self._timer_ns = -1
        super().node_started()


class LateFilter(MessageFilter):
    """Frames may have to wait and keep their order. What waits when the node goes off is gone."""

    __slots__ = ("_epoch", "_latest_ns", "_waiting")

    def __init__(self, path: MessagePath, frames: int | None) -> None:
        super().__init__(path, frames)
        self._latest_ns = 0
        self._epoch = 0
        """Timers of an earlier one are void."""
        self._waiting: deque[tuple[Frame, str | None]] = deque()

    def _late(self, frame: Frame, channel: str | None, delay_ns: int) -> None:
        """Pass a frame on after a time, and not before those that wait."""
        scheduler = self.path.scheduler
        self._latest_ns = max(self._latest_ns, scheduler.now_ns + delay_ns)
        self._waiting.append((frame, channel))
        scheduler.post(self._latest_ns, _ECU, partial(self._go_on, self._epoch))

    def _go_on(self, epoch: int) -> None:
        if epoch == self._epoch:
            self.path.emit(*self._waiting.popleft())

    def _flush(self) -> None:
        """Pass on what waits, now."""
        self._epoch += 1
        waiting, self._waiting = self._waiting, deque()
        for frame, channel in waiting:
            self.path.emit(frame, channel)

    def _pass_after(self, frame: Frame, channel: str | None) -> None:
        if self._waiting:
            self._late(frame, channel, 0)  # not before those that still wait
        else:
            self.path.emit(frame, channel)

    def node_started(self) -> None:
        self._epoch += 1
        self._waiting.clear()
        self._latest_ns = 0

    @property
    def is_spent(self) -> bool:
        return self.ended and not self._waiting


class JitterFilter(LateFilter):
    """Frames are passed on late."""

    __slots__ = ("_jitter_ns",)

    def __init__(self, path: MessagePath, frames: int | None, jitter_ns: int) -> None:
        super().__init__(path, frames)
        self._jitter_ns = jitter_ns

    def _pass(self, frame: Frame, channel: str | None) -> None:
        self._late(frame, channel, self.path.random.integer(0, self._jitter_ns))
        self._counted()


class CounterFilter(CountingFilter):
    """Frames are passed on with another counter."""

    __slots__ = ("_kind", "_offset")

    def __init__(
        self, path: MessagePath, frames: int | None, resume: str, kind: str, offset: int
    ) -> None:
        super().__init__(path, frames, resume)
        self._kind = kind
        self._offset = offset

    def _pass(self, frame: Frame, channel: str | None) -> None:
        counter = self._counter_of(frame)
        if counter == WRONG:
            self.path.emit(frame, channel)
            return
        if self._kind == "frozen":
            wrong = counter if self._last == WRONG else self._last
        elif self._kind == "offset":
            wrong = (counter + self._offset) % self.modulo
        else:
            wrong = (counter + self.path.random.integer(1, self.modulo - 1)) % self.modulo
        self._last = wrong
        self.path.emit(self._sealed(frame, wrong), channel)
        self._counted()


class ChecksumFilter(MessageFilter):
    """Frames are passed on with the checksum inverted."""

    __slots__ = ()

    def _pass(self, frame: Frame, channel: str | None) -> None:
        config = self.path.message.e2e
        assert config is not None
        if config.profile in PLAIN:
            assert config.checksum_place is not None
            bits = config.checksum_place.bits()
        else:
            place = config.crc_place
            bits = list(range(place.offset_bits, place.offset_bits + place.length_bits))
        buffer = bytearray(frame.data)
        for bit in bits:
            if bit // 8 < len(buffer):
                buffer[bit // 8] ^= 1 << bit % 8
        self.path.emit(frame.with_data(bytes(buffer)), channel)
        self._counted()


class DataIdFilter(MessageFilter):
    """Frames are passed on with the checksum of another data id."""

    __slots__ = ("_other",)

    def __init__(self, path: MessagePath, frames: int | None, data_id: int) -> None:
        super().__init__(path, frames)
        config = path.message.e2e
        assert config is not None
        where = f"DataIdWrong, message {path.message.label}"
        if config.profile in PLAIN:
            raise UsageError(where, expected="a profile with a data id", got=config.profile)
        if PROFILES[config.profile].has_list:
            other = replace(config, data_id_list=(data_id,) * LIST_LENGTH)
        else:
            other = replace(config, data_id=data_id)
        if other == config:
            raise UsageError(where, expected="another data id", got=f"0x{data_id:04X}, its own")
        self._other = HEADERS[config.profile](other, path.length)

    def _pass(self, frame: Frame, channel: str | None) -> None:
        counter = self._counter_of(frame)
        if counter != WRONG:
            length = self.path.length
            buffer = bytearray(frame.data[:length])
            self._other.seal(buffer, counter)
            frame = frame.with_data(bytes(buffer) + frame.data[length:])
            self._counted_after(frame, channel)
        else:
            self.path.emit(frame, channel)

    def _counted_after(self, frame: Frame, channel: str | None) -> None:
        self.path.emit(frame, channel)
        self._counted()


class LengthFilter(MessageFilter):
    """Frames are passed on shorter or longer."""

    __slots__ = ("_length",)

    def __init__(self, path: MessagePath, frames: int | None, length: int) -> None:
        super().__init__(path, frames)
        self._length = length

    def _pass(self, frame: Frame, channel: str | None) -> None:
        data = frame.data[: self._length].ljust(self._length, b"\0")
        self.path.emit(carrying(frame, data), channel)
        self._counted()


def carrying(frame: Frame, data: bytes) -> Frame:
    """A frame of the same identifier and format with data of another length."""
    return Frame(
        frame.arbitration_id,
        data,
        is_extended_id=frame.is_extended_id,
        is_fd=frame.is_fd,
        bitrate_switch=frame.header.bitrate_switch,
    )
