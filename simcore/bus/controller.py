"""One CAN controller: transmit queue, acceptance, counters.

The transmit queue is ordered by arbitration priority, equal identifiers by order of request (a
"Tx queue" in controller manuals). Error counters and fault confinement will live here too; today
`transmit_error_count` and `receive_error_count` stay 0 because nothing disturbs the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from simcore.bus.frame import Frame
from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.bus.bus import Bus

Receive = Callable[[Frame], object]
"""Called with a frame at the instant it is valid for receivers."""


class Controller:
    """A node's connection to one bus. Made by `Bus.attach`."""

    __slots__ = (
        "_accepted",
        "_receive",
        "_received_count",
        "_sequence",
        "arbitration_lost_count",
        "bus",
        "enabled",
        "name",
        "queue",
        "receive_error_count",
        "transmit_error_count",
        "transmitted_count",
    )

    def __init__(self, bus: Bus, name: str, receive: Receive | None) -> None:
        self.bus = bus
        self.name = name
        self.enabled = True
        self._receive = receive
        self._accepted: frozenset[tuple[int, bool]] | None = None
        self._sequence = 0
        self.queue: list[tuple[int, int, int, Frame]] = []
        """Heap of (arbitration key, request number, request time, frame)."""
        self.transmitted_count = 0
        self._received_count = 0
        self.arbitration_lost_count = 0
        self.transmit_error_count = 0
        self.receive_error_count = 0

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Request transmission. A disabled controller (node off) takes nothing and sends nothing.

        `channel`, where given, must be this bus: a controller can stand where a port is expected.
        Raises `UsageError` for a frame the bus cannot carry.
        """
        if channel is not None and channel != self.bus.name:
            raise UsageError(f"{self.name}: send on {channel}", expected=self.bus.name)
        if not self.enabled:
            return
        bus = self.bus
        header = frame.header
        if header.is_fd and not bus.carries_fd:
            raise UsageError(
                f"{bus.name}: {frame!r} from {self.name}", expected="no CAN FD frames on this bus"
            )
        queue = self.queue
        if not queue:
            bus.contenders.append(self)
        self._sequence = sequence = self._sequence + 1
        heappush(queue, (header.arbitration_key, sequence, bus.scheduler.now_ns, frame))
        if not bus.armed:
            bus.arm()

    def accept(self, identifiers: Iterable[tuple[int, bool]] | None) -> None:
        """Set the acceptance filter: (arbitration_id, is_extended_id) pairs, `None` for all."""
        self._accepted = None if identifiers is None else frozenset(identifiers)
        self.bus.forget_routes()

    def accepts(self, frame: Frame) -> bool:
        """Whether a frame passes the acceptance filter and somebody listens."""
        if self._receive is None or not self.enabled:
            return False
        accepted = self._accepted
        return accepted is None or (frame.arbitration_id, frame.header.is_extended_id) in accepted

    def set_enabled(self, enabled: bool) -> None:
        """Switch the node's connection on or off; off empties the transmit queue."""
        self.enabled = enabled
        if not enabled:
            self.abort()
        self.bus.forget_routes()

    def listen(self, receive: Receive | None) -> None:
        """Set who is called with received frames."""
        self._receive = receive
        self.bus.forget_routes()

    def abort(self) -> None:
        """Drop every frame that waits. A frame on the wire is not affected."""
        if self.queue:
            self.queue.clear()
            self.bus.contenders.remove(self)

    def take(self) -> tuple[int, int, int, Frame]:
        """Remove the head of the queue: it won arbitration."""
        entry = heappop(self.queue)
        if not self.queue:
            self.bus.contenders.remove(self)
        self.transmitted_count += 1
        return entry

    @property
    def receive(self) -> Receive | None:
        """Who is called with received frames."""
        return self._receive

    @property
    def received_count(self) -> int:
        """Frames handed to the node so far."""
        self.bus.forget_routes()
        return self._received_count

    def count_received(self, count: int) -> None:
        """The bus's account of frames handed over, settled when it is asked for."""
        self._received_count += count
