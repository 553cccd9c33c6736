"""Where the buses hand over a node's frames: its doors, and the short way behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simcore.bus import Frame

if TYPE_CHECKING:
    from simcore.rig.host import NodeHost

TakePayload = Callable[[bytes, int, int], object]
"""Called with a payload, the time, and which of the node's buses brought it."""


class Door:
    """Where a bus hands over a node's frames."""

    __slots__ = ("_host", "_lane")

    def __init__(self, host: NodeHost, lane: int) -> None:
        self._host = host
        self._lane = lane

    def __call__(self, frame: Frame) -> None:
        self._host.receiver(self._lane)(frame)

    def direct(self, frame: Frame) -> Callable[[Frame], object]:
        """A shorter way for all frames of this message, for as long as the bus's routes last."""
        return self._host.direct_receiver(frame, self._lane)


class Inlet:
    """The short way: frames of one message from one bus straight into the node's reception."""

    __slots__ = ("_clock", "_host", "_lane", "_receive")

    def __init__(self, host: NodeHost, receive: TakePayload, lane: int) -> None:
        self._host = host
        self._receive = receive
        self._lane = lane
        self._clock = host.clock

    def take(self, frame: Frame) -> None:
        try:
            self._receive(frame.data, self._clock.now_ns, self._lane)
        except (Exception, SystemExit, GeneratorExit) as error:
            self._host.crashed(f"receive of {frame!r}", error)
