"""`Ecu`: a node made of periodic tasks and a communication stack.

A concrete ECU says in `configure` what it receives, sends and runs; this class does the rest of the
`Node` protocol. Every start, the first or one after a reset, builds the volatile part anew; what
shall survive goes through `port.memory`.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.bus import Frame
from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.schedule import ScheduleTable, Task
from simcore.ecu.seam import Port
from simcore.network import Database


class Ecu:
    """A simulated ECU; implements `Node`."""

    __slots__ = (
        "__dict__",
        "_receptions",
        "_schedule",
        "_tasks",
        "database",
        "name",
        "port",
    )

    port: Port
    fixed_schedule = True
    """Tasks are periodic: no frame changes when the next one is due."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.database = database
        self._receptions: dict[int, Reception] = {}
        self._tasks: list[Task] = []
        self._schedule = ScheduleTable((), 0)

    # -- what a concrete ECU does in `configure` ---------------------------------------------

    def configure(self, now_ns: int) -> None:
        """Build the volatile state: receptions, transmissions, tasks. Runs at every start."""
        raise NotImplementedError

    def receives(self, message: str) -> Reception:
        """Receive a message of the database."""
        reception = Reception(self.database.message(message))
        self._receptions[reception.message.arbitration_id] = reception
        return reception

    def runs(
        self, name: str, *, period_ns: int, offset_ns: int, action: Callable[[int], object]
    ) -> None:
        """Run a task periodically. Tasks of one instant run in the order declared."""
        self._tasks.append(Task(name=name, period_ns=period_ns, offset_ns=offset_ns, action=action))

    def sends(self, message: str, pack: Callable[[int], bytes]) -> Transmission:
        """Send a message of the database with its cycle time and start delay."""
        found = self.database.message(message)
        transmission = Transmission(found, self.port, pack)
        if found.cycle_time_ns is not None:
            self.runs(
                f"send {message}",
                period_ns=found.cycle_time_ns,
                offset_ns=found.start_delay_ns,
                action=transmission.transmit,
            )
        return transmission

    # -- the Node protocol --------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: forget everything volatile and begin."""
        self.port = port
        self._receptions = {}
        self._tasks = []
        self.configure(now_ns)
        port.accept(self._receptions)
        self._schedule = ScheduleTable(self._tasks, now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Hand a frame to its reception; others were not asked for."""
        reception = self._receptions.get(frame.arbitration_id)
        if reception is not None:
            reception.receive(frame.data, now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Run the tasks that are due."""
        self._schedule.run_due(now_ns)

    @property
    def run_due(self) -> Callable[[int], int | None] | None:
        """`on_timer` and `next_deadline_ns` in one call, for a host that asks for both.

        `None` where a subclass has its own `on_timer`.
        """
        return self._schedule.run_due if type(self).on_timer is Ecu.on_timer else None

    def next_deadline_ns(self) -> int | None:
        """When the next task is due."""
        return self._schedule.deadline_ns
