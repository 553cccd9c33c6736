"""`Recoveries`: who waits for recessive bits while the bus runs in whole frames.

11 of them for a node that came in the middle of a frame (integration), 128 times 11 for one that
was bus-off. ISO 11898-1:2015, clause 12.1.4. While the wire is in charge its machines count them,
bit by bit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simcore.bus.error_record import ErrorState
from simcore.kernel import Priority

if TYPE_CHECKING:
    from simcore.bus.controller import Controller
    from simcore.bus.irregular import IrregularTraffic

RECOVERY_SEQUENCES = 128
"""Times 11 recessive bits until a controller has left bus-off."""
SEQUENCE_BITS = 11
AFTER_ACK_BITS = 8
"""Recessive at the end of a frame: ACK delimiter and EOF."""

_BUS = int(Priority.BUS)


class Recoveries:
    """The waiting nodes of one bus. Frames that go well in between restart the run at hand."""

    __slots__ = ("_bus", "waiting")

    def __init__(self, bus: IrregularTraffic) -> None:
        self._bus = bus
        self.waiting: dict[Controller, list[int]] = {}
        """Sequences of 11 left, since when the bus is recessive."""

    def begin(self, controller: Controller, sequences: int, since_ns: int) -> None:
        """Wait for so many sequences on a bus that is recessive since then, or will be."""
        controller.recovering = True
        self.waiting[controller] = [sequences, since_ns]
        self._post(controller)

    def forget(self, controller: Controller) -> None:
        """A node waits no longer, if it did."""
        self.waiting.pop(controller, None)

    def taken(self, controller: Controller) -> tuple[int, int]:
        """The wire takes over: sequences left, and recessive bits of the present one."""
        entry = self.waiting.pop(controller, None)
        if entry is None:
            bus_off = controller.error_state is ErrorState.BUS_OFF
            return (RECOVERY_SEQUENCES if bus_off else 1), 0
        remaining, since_ns = entry
        bus = self._bus
        elapsed_bits = max(0, bus.scheduler.now_ns - since_ns) // bus.timing.to_ns(1)
        return remaining - elapsed_bits // SEQUENCE_BITS, elapsed_bits % SEQUENCE_BITS

    def resume(self, controller: Controller, remaining: int, count: int) -> None:
        """The wire hands back a node that has not seen all its recessive bits yet."""
        bus = self._bus
        self.begin(controller, remaining, bus.scheduler.now_ns - bus.timing.to_ns(count))

    def frame_starts(self, sof_ns: int, eof_ns: int) -> None:
        """What was recessive so far counts; it goes on with the ACK delimiter of the frame."""
        to_ns = self._bus.timing.to_ns
        for controller, entry in self.waiting.items():
            since_ns = entry[1]
            if since_ns < sof_ns:
                entry[0] -= (sof_ns - since_ns) // to_ns(SEQUENCE_BITS)
            entry[1] = max(since_ns, eof_ns - to_ns(AFTER_ACK_BITS))
            self._post(controller)

    def _due_ns(self, entry: list[int]) -> int:
        remaining, since_ns = entry
        return since_ns + self._bus.timing.to_ns(SEQUENCE_BITS * remaining)

    def _post(self, controller: Controller) -> None:
        scheduler = self._bus.scheduler
        due_ns = max(self._due_ns(self.waiting[controller]), scheduler.now_ns)
        scheduler.post(due_ns, _BUS, partial(self._due, controller))

    def _due(self, controller: Controller) -> None:
        bus = self._bus
        entry = self.waiting.get(controller)
        if entry is None or bus.wire.active:
            return
        if bus.scheduler.now_ns < self._due_ns(entry):
            return  # a frame came in between
        del self.waiting[controller]
        controller.recovered()
        bus.look_again()
        if bus.contenders and not bus.armed:
            bus.arm()
