"""Waiting for frames: the predicates behind `Rig.wait_for` and `Rig.signal`."""

from __future__ import annotations

from collections.abc import Callable

from simcore.bus import BusRecord, FrameLog
from simcore.network import Message
from simcore.network.messages import Number


class FrameSeen:
    """Predicate: a frame of a message with accepted values was recorded since it was made."""

    __slots__ = ("_accept", "_frames", "_index", "_message")

    def __init__(
        self, frames: FrameLog, message: Message, accept: Callable[[dict[str, Number]], bool]
    ) -> None:
        self._frames = frames
        self._message = message
        self._accept = accept
        self._index = len(frames)

    def __call__(self) -> bool:
        frames = self._frames
        while self._index < len(frames):
            record = frames[self._index]
            self._index += 1
            if carries(record, self._message) and self._accept(
                self._message.codec.decode(record.frame.data)
            ):
                return True
        return False


def carries(record: BusRecord, message: Message) -> bool:
    """Whether a recorded frame is this message, at its full length."""
    frame = record.frame
    return (
        frame.arbitration_id == message.arbitration_id
        and frame.is_extended_id == message.is_extended_id
        and len(frame.data) == message.length
    )
