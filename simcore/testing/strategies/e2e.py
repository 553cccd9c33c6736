"""E2E faults: what can happen to a stream of protected frames between sender and receiver.

Independent of any database: an `E2eFault` is applied to frames of a message, or made a fault of
the catalogue for a bench.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simcore.bus import DLC_TO_LENGTH, Frame
from simcore.errors import UsageError
from simcore.faults import (
    CounterOffset,
    DataIdWrong,
    LengthWrong,
    MessageReordered,
    MessageRepeated,
    MessageStopped,
    PayloadCorrupted,
)
from simcore.faults.message import MessageFault
from simcore.network import Message
from simcore.network.e2e_config import E2eConfig
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.protection.e2e_factory import HEADERS
from simcore.testing.strategies.arguments import chosen_from, require_whole
from simcore.testing.strategies.frames import authentic_length

E2E_KINDS = ("repeated", "lost", "reordered", "counter", "bit", "data_id", "length")
"""From what a network does by itself to what nobody should do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class E2eFault:
    """Something that happens to the frame `at` of a stream.

    `repeated`: it comes `amount` times more. `lost`: it and the following, `amount` in all, do not
    come. `reordered`: it changes places with its successor. `counter`: `amount` ahead, the
    checksum right. `bit`: bit `amount` (modulo its length) flips behind the protection. `data_id`:
    protected with the data id plus `amount`. `length`: cut to the `amount`th shorter length.
    """

    kind: str
    at: int = 0
    amount: int = 1

    def __post_init__(self) -> None:
        if self.kind not in E2E_KINDS:
            raise UsageError(
                "E2eFault.kind", expected=f"one of {', '.join(E2E_KINDS)}", got=repr(self.kind)
            )
        require_whole("E2eFault", 0, at=self.at)
        require_whole("E2eFault", 1, amount=self.amount)

    def apply(self, message: Message, frames: Sequence[Frame]) -> list[Frame]:
        """What arrives of `frames`, which are of `message`; they may be fewer than `at`."""
        found = list(frames)
        if self.at >= len(found):
            return found
        frame = found[self.at]
        match self.kind:
            case "repeated":
                found[self.at : self.at] = [frame] * self.amount
            case "lost":
                del found[self.at : self.at + self.amount]
            case "reordered":
                found[self.at : self.at + 2] = found[self.at : self.at + 2][::-1]
            case "bit":
                buffer = bytearray(frame.data)
                bit = self.amount % (8 * len(buffer)) if buffer else 0
                if buffer:
                    buffer[bit // 8] ^= 1 << bit % 8
                found[self.at] = frame.with_data(bytes(buffer))
            case "length":
                found[self.at] = _cut(frame, self.amount)
            case _:
                found[self.at] = self._sealed(message, frame)
        return found

    def as_fault(self, message: Message) -> MessageFault:
        """The fault of the catalogue that does the same to a message on a bench, at once."""
        name = message.name
        match self.kind:
            case "repeated":
                return MessageRepeated(message=name, frames=1, copies=self.amount)
            case "lost":
                return MessageStopped(message=name, frames=self.amount)
            case "reordered":
                return MessageReordered(message=name, frames=1)
            case "counter":
                return CounterOffset(message=name, frames=1, offset=self._ahead(message))
            case "bit":
                bit = self.amount % (8 * message.length)
                return PayloadCorrupted(message=name, frames=1, bits=(bit,))
            case "data_id":
                return DataIdWrong(message=name, frames=1, data_id=self._data_id(message))
        shorter = _shorter(message.is_fd, message.length)
        length = shorter[min(self.amount, len(shorter)) - 1]
        return LengthWrong(message=name, frames=1, length=length)

    def _ahead(self, message: Message) -> int:
        """1 .. modulo - 1: a whole turn would change nothing."""
        config = _config(self, message)
        return (self.amount - 1) % (PROFILES[config.profile].counter_modulo - 1) + 1

    def _data_id(self, message: Message) -> int:
        config = _config(self, message)
        most = PROFILES[config.profile].data_id_max
        return ((config.data_id or 0) + (self.amount - 1) % most + 1) % (most + 1)

    def _sealed(self, message: Message, frame: Frame) -> Frame:
        """With another counter or data id, and the checksum right for it."""
        config = _config(self, message)
        length = authentic_length(message)
        counter = HEADERS[config.profile](config, length).open(frame.data[:length])
        if counter < 0:
            return frame  # a frame that is wrong already
        if self.kind == "counter":
            modulo = PROFILES[config.profile].counter_modulo
            counter = (counter + self._ahead(message)) % modulo
        else:
            config = replace(config, data_id=self._data_id(message))
        buffer = bytearray(frame.data[:length])
        HEADERS[config.profile](config, length).seal(buffer, counter)
        return frame.with_data(bytes(buffer) + frame.data[length:])


def e2e_faults(
    *,
    kinds: Iterable[str] | None = None,
    max_at: int = 20,
    max_amount: int = 20,
) -> SearchStrategy[E2eFault]:
    """Faults of a stream of protected frames; shrink towards one repetition of the first frame.

    `kinds` of `E2E_KINDS`; the frame concerned is one of the first `max_at` + 1, the amount (times,
    frames, steps of the counter, bit, difference of data ids, lengths) 1..`max_amount`.
    """
    names = chosen_from("e2e_faults, kinds", kinds, E2E_KINDS)
    require_whole("e2e_faults", 0, max_at=max_at)
    require_whole("e2e_faults", 1, max_amount=max_amount)
    return st.builds(
        E2eFault,
        kind=st.sampled_from(names),
        at=st.integers(0, max_at),
        amount=st.integers(1, max_amount),
    )


def _config(fault: E2eFault, message: Message) -> E2eConfig:
    config = message.e2e
    if config is None or config.profile in PLAIN:
        raise UsageError(
            f"E2eFault {fault.kind}, message {message.label}",
            expected="a message with an E2E profile",
            got="one without",
        )
    return config


def _shorter(is_fd: bool, length: int) -> list[int]:
    """Lengths a frame can have below its own, the next one first; the next longer for an empty."""
    lengths = DLC_TO_LENGTH if is_fd else DLC_TO_LENGTH[:9]
    return [each for each in lengths[::-1] if each < length] or [lengths[1]]


def _cut(frame: Frame, amount: int) -> Frame:
    shorter = _shorter(frame.is_fd, len(frame.data))
    length = shorter[min(amount, len(shorter)) - 1]
    return Frame(
        frame.arbitration_id,
        frame.data[:length].ljust(length, b"\0"),
        is_extended_id=frame.is_extended_id,
        is_fd=frame.is_fd,
        bitrate_switch=frame.bitrate_switch,
    )
