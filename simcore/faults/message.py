"""Faults of one message, where its sender hands it to the controller.

What a test system's interaction layer can break: the message stops, changes its cycle or jitters;
its counter stands still, jumps or is random; checksum, data id or length are wrong. They act on
whatever sends the message: a node of the restbus, a simulated ECU, a supplier's module. Faults of
transmission are in `message_timing`, those of its content in `message_content`; together they are
the fault models of ISO 26262-5 annex D, communication bus.

Each lasts for `frames` frames of the message, or as long as `Rig.inject` says. `resume` tells how
the counter goes on afterwards, where the fault has touched it:

- `jump back`: with the sender's own, as if nothing had happened (a receiver may see a jump);
- `continue`: behind the last frame that was sent (no jump, a shift against the sender's own);
- `restart`: at the profile's first counter.

Counter, checksum and data id are those of E2E. A message under SecOC is changed behind its
authenticator: its receiver refuses it there. How it is done is in `message_path`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simcore.bus import DLC_TO_LENGTH
from simcore.errors import UsageError
from simcore.faults.fault import Fault
from simcore.faults.installed import require_count
from simcore.faults.message_path import (
    ChecksumFilter,
    CounterFilter,
    CycleFilter,
    DataIdFilter,
    JitterFilter,
    LengthFilter,
    MessageFilter,
    MessagePath,
    StopFilter,
)
from simcore.units import format_ns

JUMP_BACK, CONTINUE, RESTART = "jump back", "continue", "restart"
RESUMES = (JUMP_BACK, CONTINUE, RESTART)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFault(Fault):
    """Base of all: which message, of which sender, for how many frames."""

    message: str
    """Name in the network file."""
    node: str | None = None
    """The sender; needed where the message has several."""
    frames: int | None = None
    """Frames it lasts; `None` until it is cleared."""

    layer: ClassVar[str] = "message"
    needs_e2e: ClassVar[bool] = False
    needs_counter: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.frames is not None:
            require_count(f"{type(self).__name__}.frames", self.frames)

    @property
    def sentence(self) -> str:
        """For the report."""
        lasting = "" if self.frames is None else f", for {self.frames} frames"
        return f"{self.message}: {self._what}{lasting}"

    @property
    def _what(self) -> str:
        raise NotImplementedError

    def begin(self, path: MessagePath) -> MessageFilter:
        """The filter that carries it out on a sender's path, not yet in place."""
        if self.needs_e2e and path.message.e2e is None:
            raise UsageError(
                f"{type(self).__name__}, message {path.message.label}",
                expected="a message with E2E protection",
                got="one without",
            )
        if self.needs_counter:
            require_counter(f"{type(self).__name__}, message {path.message.label}", path)
        self._check(path)
        return self._filter(path)

    def _check(self, path: MessagePath) -> None:
        """Raises `UsageError` for a value that the message does not allow."""

    def _filter(self, path: MessagePath) -> MessageFilter:
        raise NotImplementedError


def require_counter(where: str, path: MessagePath) -> None:
    """Refuse a message whose counter nothing could break or shift."""
    if path.counter_modulo < 2:
        got = "without E2E protection" if path.header is None else "with a checksum only"
        raise UsageError(where, expected="a message with a counter", got=f"one {got}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resuming(MessageFault):
    resume: str = JUMP_BACK
    """How the counter goes on afterwards: jump back, continue or restart."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        if self.resume not in RESUMES:
            where = f"{type(self).__name__}.resume"
            raise UsageError(where, expected=f"one of {', '.join(RESUMES)}", got=repr(self.resume))

    def _check(self, path: MessagePath) -> None:
        if self.resume != JUMP_BACK:
            where = f"{type(self).__name__}, message {path.message.label}"
            require_counter(f"{where}: resume {self.resume!r}", path)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStopped(_Resuming):
    """The message is not sent; its sender does not notice."""

    @property
    def _what(self) -> str:
        return "not sent"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return StopFilter(path, self.frames, self.resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCycle(_Resuming):
    """The message is sent every `cycle_ns`, with the values its sender gave last."""

    cycle_ns: int
    """From one frame to the next."""

    def __post_init__(self) -> None:
        _Resuming.__post_init__(self)
        require_count("MessageCycle.cycle_ns", self.cycle_ns)

    @property
    def _what(self) -> str:
        return f"sent every {format_ns(self.cycle_ns)}"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return CycleFilter(path, self.frames, self.resume, self.cycle_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageJitter(MessageFault):
    """Each frame is late by a random time of 0..`jitter_ns`; frames keep their order.

    One that catches up with the frame before takes its place where the sender has one transmit
    buffer per message.
    """

    jitter_ns: int
    """The most a frame is late."""

    def __post_init__(self) -> None:
        MessageFault.__post_init__(self)
        require_count("MessageJitter.jitter_ns", self.jitter_ns)

    @property
    def _what(self) -> str:
        return f"late by up to {format_ns(self.jitter_ns)}, at random"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return JitterFilter(path, self.frames, self.jitter_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterFrozen(_Resuming):
    """The counter stays at that of the first frame concerned; the checksum is right."""

    needs_e2e: ClassVar[bool] = True
    needs_counter: ClassVar[bool] = True

    @property
    def _what(self) -> str:
        return "counter stands still"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return CounterFilter(path, self.frames, self.resume, "frozen", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterOffset(_Resuming):
    """The counter is ahead of its own by `offset`, which may be negative; the checksum is right."""

    offset: int
    """Frames ahead; negative: behind."""

    needs_e2e: ClassVar[bool] = True
    needs_counter: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _Resuming.__post_init__(self)
        if isinstance(self.offset, bool) or not isinstance(self.offset, int) or not self.offset:
            raise UsageError(
                "CounterOffset.offset", expected="an integer other than 0", got=repr(self.offset)
            )

    @property
    def _what(self) -> str:
        return f"counter off by {self.offset:+d}"

    def _check(self, path: MessagePath) -> None:
        _Resuming._check(self, path)
        if self.offset % path.counter_modulo == 0:
            raise UsageError(
                f"CounterOffset, message {path.message.label}: offset",
                expected=f"no multiple of {path.counter_modulo}, after which its counter is back",
                got=str(self.offset),
            )

    def _filter(self, path: MessagePath) -> MessageFilter:
        return CounterFilter(path, self.frames, self.resume, "offset", self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRandom(_Resuming):
    """The counter is random and never the right one; the checksum is right."""

    needs_e2e: ClassVar[bool] = True
    needs_counter: ClassVar[bool] = True

    @property
    def _what(self) -> str:
        return "counter at random"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return CounterFilter(path, self.frames, self.resume, "random", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumWrong(MessageFault):
    """All bits of the checksum are inverted."""

    needs_e2e: ClassVar[bool] = True

    @property
    def _what(self) -> str:
        return "checksum inverted"

    def _check(self, path: MessagePath) -> None:
        if path.message.e2e is not None and path.message.e2e.profile == "COUNTER":
            raise UsageError(
                f"ChecksumWrong, message {path.message.label}",
                expected="a message with a checksum",
                got="one with a counter only",
            )

    def _filter(self, path: MessagePath) -> MessageFilter:
        return ChecksumFilter(path, self.frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataIdWrong(MessageFault):
    """The checksum is made with another data id, as of a masqueraded message."""

    data_id: int
    """Another one than the message's own."""

    needs_e2e: ClassVar[bool] = True

    @property
    def _what(self) -> str:
        return f"protected with data id 0x{self.data_id:04X}"

    def _filter(self, path: MessagePath) -> MessageFilter:
        return DataIdFilter(path, self.frames, self.data_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthWrong(MessageFault):
    """The payload is cut, or filled up with zeros, to `length` bytes."""

    length: int
    """In bytes, as a frame can have it."""

    @property
    def _what(self) -> str:
        return f"{self.length} bytes long"

    def _check(self, path: MessagePath) -> None:
        message = path.message
        lengths = DLC_TO_LENGTH if message.is_fd else DLC_TO_LENGTH[:9]
        if self.length not in lengths or self.length == message.length:
            raise UsageError(
                f"LengthWrong, message {message.label} of {message.length} bytes",
                expected=f"another length of {', '.join(map(str, lengths))}",
                got=repr(self.length),
            )

    def _filter(self, path: MessagePath) -> MessageFilter:
        return LengthFilter(path, self.frames, self.length)
