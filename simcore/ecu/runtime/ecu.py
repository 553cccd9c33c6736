"""`Ecu`: a node made of periodic tasks, a communication stack and their supervision.

A concrete ECU says in `configure` what it supervises, receives, sends and runs; this class does the
rest of the `Node` protocol. Every start, the first or one after a reset, builds the volatile part
anew; what shall survive goes through `port.memory`.
"""

from __future__ import annotations

from collections.abc import Callable

from simcore.bus import Frame
from simcore.ecu.runtime.arrival import LATE_CYCLES, ArrivalMonitor
from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.freshness_source import FreshnessSource
from simcore.ecu.runtime.redundancy import LaneWatch
from simcore.ecu.runtime.schedule import Schedule, ScheduleTable, Task
from simcore.ecu.runtime.secured import reception_of, transmission_of
from simcore.ecu.runtime.supervision import (
    NO_SUPERVISION,
    Supervision,
    WatchdogSupervision,
    no_checkpoint,
)
from simcore.ecu.seam import Port
from simcore.errors import UsageError
from simcore.network import Database
from simcore.units import NS_PER_MS
from simcore.watchdog.settings import SupervisionSettings

SUPERVISION_TASK = "supervision"
"""Name of the task that judges the others and serves the external watchdog."""


class Ecu:
    """A simulated ECU; implements `Node`."""

    __slots__ = (
        "__dict__",
        "_lane_of",
        "_receptions",
        "_schedule",
        "_start_ns",
        "_tasks",
        "_transmissions",
        "database",
        "freshness",
        "lanes",
        "name",
        "port",
        "supervision",
    )

    port: Port
    freshness: FreshnessSource
    """Trip and reset counter, for secured messages of several counters."""
    lanes: LaneWatch | None
    """Watches both buses; `None` for a node on a single one."""
    supervision: Supervision
    """Status of the supervision; without any it is DEACTIVATED and the enable line counts as on."""
    without: frozenset[str] = frozenset()
    """Mechanisms of `simcore.ecu.mechanisms` that are left out; set before the start."""
    fixed_schedule = True
    """Tasks are periodic: no frame changes when the next one is due."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.database = database
        self._receptions: dict[int, Reception] = {}
        self._tasks: list[Task] = []
        self._transmissions: list[Transmission] = []
        self._schedule: Schedule = ScheduleTable((), 0)
        self._lane_of: dict[str, int] = {}
        self._start_ns = 0
        self.lanes = None
        self.supervision = NO_SUPERVISION

    # -- what a concrete ECU does in `configure` ---------------------------------------------

    def configure(self, now_ns: int) -> None:
        """Build the volatile state: receptions, transmissions, tasks. Runs at every start."""
        raise NotImplementedError

    def supervises(self, settings: SupervisionSettings) -> None:
        """Supervise from now on; before any task. `runs_supervision` belongs to it, as the last."""
        if self._tasks:
            raise UsageError(
                f"{self.name}: supervises", expected="before any task", got=self._tasks[-1].name
            )
        if "watchdog" not in self.without:
            self.supervision = WatchdogSupervision(settings, self.port, self._start_ns)

    def receives(self, message: str) -> Reception:
        """Receive a message of the database, on both buses where it is sent on both."""
        found = self.database.message(message)
        reception = reception_of(found, self.port, self.lanes, self.freshness, self.without)
        self._receptions[found.arbitration_id] = reception
        return reception

    def reception(self, message: str) -> Reception:
        """The reception of a message, to look at its counts. Raises `UsageError` for none."""
        found = self._receptions.get(self.database.message(message).arbitration_id)
        if found is None:
            raise UsageError(f"{self.name}: reception of {message}", expected="a received message")
        return found

    def monitors_arrival(
        self, reception: Reception, *, limit_cycles: int = LATE_CYCLES
    ) -> ArrivalMonitor:
        """Watch whether the frames of a reception come later and later; `look` from a task."""
        enabled = "arrival" not in self.without
        return ArrivalMonitor(reception, limit_cycles=limit_cycles, enabled=enabled)

    def runs(
        self,
        name: str,
        *,
        period_ns: int,
        offset_ns: int,
        action: Callable[[int], object],
        execution_ns: int = 0,
        entity: str | None = None,
    ) -> None:
        """Run a task periodically. Tasks of one instant run in the order declared.

        With `entity` the task is supervised: it reports the checkpoints `<entity>.start` when it
        starts and `<entity>.end` `execution_ns` later, the execution time it is modelled with.
        """
        if self._tasks and self._tasks[-1].name == SUPERVISION_TASK:
            raise UsageError(f"{self.name}: task {name}", expected="runs_supervision as the last")
        if execution_ns < 0:
            raise UsageError(
                f"{self.name}: task {name}, execution_ns", expected=">= 0", got=execution_ns
            )
        supervision = None if entity is None else self._supervised(f"task {name}")
        if supervision is not None and entity is not None:
            action = supervision.supervised(action, entity, execution_ns)
        self._tasks.append(
            Task(
                name=name,
                period_ns=period_ns,
                offset_ns=offset_ns,
                action=action,
                execution_ns=execution_ns,
            )
        )

    def checkpoint(self, name: str) -> Callable[[int], object]:
        """What a task calls with `now_ns` when it gets to this `entity.checkpoint`."""
        supervision = self._supervised(f"checkpoint {name}")
        return no_checkpoint if supervision is None else supervision.checkpoint(name)

    def runs_supervision(self, period_ns: int = 5 * NS_PER_MS, offset_ns: int = 0) -> None:
        """Run the task that judges the others and serves the external watchdog; the last of all.

        Nothing runs where the watchdog is left out.
        """
        supervision = self._supervised("runs_supervision")
        if supervision is None:
            return
        supervision.steps_every(period_ns)
        self.runs(
            SUPERVISION_TASK, period_ns=period_ns, offset_ns=offset_ns, action=supervision.task
        )

    def _supervised(self, what: str) -> WatchdogSupervision | None:
        """The supervision; `None` where it is left out, `UsageError` where it is forgotten."""
        if isinstance(self.supervision, WatchdogSupervision):
            return self.supervision
        if "watchdog" not in self.without:
            raise UsageError(f"{self.name}: {what}", expected="self.supervises(settings) first")
        return None

    def sends(
        self,
        message: str,
        pack: Callable[[int], bytes],
        *,
        execution_ns: int = 0,
        entity: str | None = None,
    ) -> Transmission:
        """Send a message of the database with its cycle time and start delay.

        `entity` and `execution_ns` as in `runs`.
        """
        found = self.database.message(message)
        transmission = transmission_of(found, self.port, pack, self.freshness)
        self._transmissions.append(transmission)
        if found.cycle_time_ns is not None:
            self.runs(
                f"send {message}",
                period_ns=found.cycle_time_ns,
                offset_ns=found.start_delay_ns,
                action=transmission.transmit,
                execution_ns=execution_ns,
                entity=entity,
            )
        return transmission

    # -- the Node protocol --------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: forget everything volatile and begin."""
        self.port = port
        self._receptions = {}
        self._tasks = []
        self._transmissions = []
        self._lane_of = {channel: lane for lane, channel in enumerate(port.channels)}
        self.lanes = LaneWatch(port) if len(port.channels) > 1 else None
        self.freshness = FreshnessSource(self.name, self.database, port)
        self.supervision = NO_SUPERVISION
        self._start_ns = now_ns
        self.configure(now_ns)
        sync = self.freshness.awaited
        if sync is not None and sync.arbitration_id not in self._receptions:
            self._receptions[sync.arbitration_id] = self.freshness.reception(sync)
        port.accept(self._receptions)
        self._schedule = ScheduleTable(self._tasks, now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Hand a frame to its reception; others were not asked for."""
        reception = self._receptions.get(frame.arbitration_id)
        if reception is not None:
            reception.receive(frame.data, now_ns)

    def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        """Hand a frame from another bus than the first to its reception."""
        reception = self._receptions.get(frame.arbitration_id)
        if reception is not None:
            reception.receive(frame.data, now_ns, self._lane_of[channel])

    def direct_reception(self, frame: Frame) -> Callable[[bytes, int, int], object] | None:
        """Where `receive` and `receive_on` end for frames like this one, for a host in a hurry.

        Called with payload, time and lane. `None` where a subclass has its own way of receiving.
        """
        cls = type(self)
        if cls.receive is not Ecu.receive or cls.receive_on is not Ecu.receive_on:
            return None
        reception = self._receptions.get(frame.arbitration_id)
        return None if reception is None else reception.receive

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
