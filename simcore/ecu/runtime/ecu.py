"""`Ecu`: a node made of periodic tasks, a communication stack and their supervision.

A concrete ECU says in `configure` what it supervises, receives, sends and runs; this class does the
rest of the `Node` protocol. Every start, the first or one after a reset, builds the volatile part
anew; what shall survive goes through `port.memory`.

Diagnostics and other workers have deadlines of their own. As long as there are none, `run_due` is
the schedule's own: nothing is merged, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simcore.bus import Frame
from simcore.diag.codes import ResetKind
from simcore.ecu.runtime.arrival import LATE_CYCLES, ArrivalMonitor
from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.diagnostic_addresses import DiagnosticMessages, diagnostic_messages
from simcore.ecu.runtime.diagnostics import (
    Diagnostics,
    TableBuilder,
    Worker,
    reset_of,
    sooner,
)
from simcore.ecu.runtime.diagnostics_rows import DiagnosticExtras
from simcore.ecu.runtime.freshness_source import FreshnessSource
from simcore.ecu.runtime.programming import Booting, BootStage
from simcore.ecu.runtime.redundancy import LaneWatch
from simcore.ecu.runtime.schedule import Schedule, ScheduleTable, Task
from simcore.ecu.runtime.secured import reception_of, transmission_of
from simcore.ecu.runtime.software import Software, SoftwareSettings
from simcore.ecu.runtime.software_bundle import CoordinatorRows, CoordinatorSettings, MemberRows
from simcore.ecu.runtime.software_rows import SoftwareRows
from simcore.ecu.runtime.supervision import (
    NO_SUPERVISION,
    Supervision,
    WatchdogSupervision,
    no_checkpoint,
)
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.errors import UsageError
from simcore.network import Database
from simcore.transport import LinkSettings
from simcore.units import NS_PER_MS
from simcore.update.guards import ConditionsSource
from simcore.watchdog.settings import SupervisionSettings

SHORT_RESPONSES = LinkSettings(tx_dl=24)
"""A response of 64 bytes in one frame would hold up others by 0.4 ms: too long for COM-001."""
SUPERVISION_TASK = "supervision"
"""Name of the task that judges the others and serves the external watchdog."""


class Ecu:
    """A simulated ECU; implements `Node`."""

    __slots__ = (
        "__dict__",
        "_build_table",
        "_diagnostic",
        "_lane_of",
        "_link_settings",
        "_receptions",
        "_schedule",
        "_start_ns",
        "_tasks",
        "_transmissions",
        "_workers",
        "database",
        "diagnostic_extras",
        "diagnostics",
        "freshness",
        "lanes",
        "name",
        "port",
        "software",
        "supervision",
        "trouble_codes",
    )

    port: Port
    freshness: FreshnessSource
    """Trip and reset counter, for secured messages of several counters."""
    lanes: LaneWatch | None
    """Watches both buses; `None` for a node on a single one."""
    supervision: Supervision
    """Status of the supervision; without any it is DEACTIVATED and the enable line counts as on."""
    diagnostics: Diagnostics | None
    """The diagnostic stack, from the first diagnostic frame after a start on."""
    diagnostic_extras: list[Callable[[], DiagnosticExtras]]
    """Who adds rows to the table: bound methods; before the first diagnostic frame."""
    trouble_codes: TroubleCodeReports
    """Where monitors report to; goes nowhere in an ECU without trouble codes."""
    without: frozenset[str] = frozenset()
    """Mechanisms of `simcore.ecu.mechanisms` that are left out; set before the start."""
    software_settings: SoftwareSettings | None = None
    """Of its bootloader and update client; set before the start, beside a flash of the place."""
    coordinator_settings: CoordinatorSettings | None = None
    """For the one ECU that decides for a bundle of updates."""
    software: Software | None
    """What runs; `None` for an ECU whose software cannot change."""
    flash_busy_since_ns: int | None = None
    """Since when the flash works on operations that are not over; `None` while it rests."""
    fixed_schedule = True
    """Tasks are periodic: no frame changes when the next one is due, but for diagnostic frames."""

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
        self.software = None
        self._forget_diagnostics()

    def _forget_diagnostics(self) -> None:
        self.diagnostics = None
        self.trouble_codes = NO_TROUBLE_CODES
        self._build_table: TableBuilder | None = None
        self._diagnostic: DiagnosticMessages | None = None
        self._link_settings: LinkSettings | None = None
        self._workers: list[Worker] = []
        self.diagnostic_extras = []

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

    def diagnoses(self, build_table: TableBuilder, *, link: LinkSettings = SHORT_RESPONSES) -> None:
        """Be a diagnostic server, if the database has messages for it.

        `build_table` is a bound method; it is called at the first diagnostic frame. Frame format
        and rate of the link are the database's, whatever `link` says.
        """
        self._diagnostic = diagnostic_messages(self.database, self.name)
        self._build_table = build_table
        self._link_settings = link

    def attends(self, worker: Worker) -> None:
        """Call a worker at its deadlines from now on, until the next start."""
        self._workers.append(worker)
        timer_changed = getattr(self.port, "timer_changed", None)
        if timer_changed is not None:
            timer_changed()

    @property
    def is_booting(self) -> bool:
        """Whether the application has not started yet."""
        return isinstance(self._schedule, Booting)

    @property
    def started_ns(self) -> int:
        """When the ECU was started last."""
        return self._start_ns

    def boot_stage(self, now_ns: int) -> BootStage | None:
        """What runs before the application at this start; `None` for nothing that takes time."""
        flash = getattr(self.port, "flash", None)
        if self.software_settings is None or flash is None:
            return None
        self.software = software = Software(self, self.software_settings, flash)
        return None if software.boots_at_once(now_ns) else software

    def updates(
        self, source: ConditionsSource, self_test: Callable[[int], str] | None = None
    ) -> None:
        """Let the software be updated, where the place has a flash; the last in `configure`.

        `source` gives the conditions for the guards, `self_test(now_ns)` what is wrong with an
        image on trial, empty for nothing.
        """
        if self.software is not None:
            self.software.begin(source, self_test)

    # -- what diagnostics do with it ----------------------------------------------------------

    def set_sending(self, sending: bool) -> None:
        """Let application messages go out, or not; the tasks that make them run on."""
        for transmission in self._transmissions:
            transmission.set_sending(sending)

    def set_hearing(self, hearing: bool) -> None:
        """Let application messages in, or not: then they are missing."""
        self._accept(self._receptions if hearing else ())

    def moves(self, now_ns: int) -> bool:
        """Whether the vehicle is known to move; an ECU that cannot know says no."""
        return False

    def reset(self, kind: ResetKind) -> None:
        """Ask for a reset of this ECU."""
        reset_of(self, kind)

    def require_diagnostics(self, now_ns: int) -> Diagnostics | None:
        """The diagnostic stack, built if need be; `None` for an ECU without diagnostics."""
        build_table, messages = self._build_table, self._diagnostic
        if self.diagnostics is None and build_table is not None and messages is not None:
            self.diagnostics = Diagnostics(
                self, messages, build_table(), self._link_settings, self._start_ns
            )
            self.attends(self.diagnostics)
            confirm = getattr(self.port, "confirm", None)
            if confirm is not None:
                confirm((messages.response.arbitration_id,))
        return self.diagnostics

    def _accept(self, application: Iterable[int]) -> None:
        wanted = list(application)
        messages = self._diagnostic
        if messages is not None:
            wanted.append(messages.request.arbitration_id)
            if messages.functional is not None:
                wanted.append(messages.functional.arbitration_id)
        self.port.accept(wanted)

    # -- the Node protocol --------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: forget everything volatile and begin."""
        self.port = port
        self._receptions = {}
        self._tasks = []
        self._transmissions = []
        self._forget_diagnostics()
        self.software = None
        stage = self.boot_stage(now_ns)
        if stage is None:
            self._start_application(now_ns)
        else:
            port.accept(())
            self._schedule = Booting(stage, self._application_after_boot, now_ns)

    def _application_after_boot(self, now_ns: int) -> None:
        self._start_application(now_ns)
        self._schedule.run_due(now_ns)
        timer_changed = getattr(self.port, "timer_changed", None)
        if timer_changed is not None:
            timer_changed()

    def _start_application(self, now_ns: int) -> None:
        port = self.port
        self._lane_of = {channel: lane for lane, channel in enumerate(port.channels)}
        self.lanes = LaneWatch(port) if len(port.channels) > 1 else None
        self.freshness = FreshnessSource(self.name, self.database, port)
        self.supervision = NO_SUPERVISION
        self._start_ns = now_ns
        if self.software is not None:
            self.software.start(now_ns)
        self.configure(now_ns)
        if self.software is not None:
            self._run_image(self.software, now_ns)
        sync = self.freshness.awaited
        if sync is not None and sync.arbitration_id not in self._receptions:
            self._receptions[sync.arbitration_id] = self.freshness.reception(sync)
        if self._diagnostic is None:
            port.accept(self._receptions)
        else:
            self._accept(self._receptions)
        self._schedule = ScheduleTable(self._tasks, now_ns)

    def _run_image(self, software: Software, now_ns: int) -> None:
        """What the image that runs makes of the application, and what it adds to diagnostics."""
        if software.is_silent:
            self._tasks.clear()
            self._receptions.clear()
            self._transmissions.clear()
        if not software.answers:
            self._diagnostic = None
            return
        rows = SoftwareRows(self, software)
        self.diagnostic_extras += [rows.extras, MemberRows(self, software).extras]
        if self.coordinator_settings is not None and software.has_client:
            coordinator = CoordinatorRows(self, software, self.coordinator_settings, now_ns)
            rows.installed = coordinator.installed
            self.diagnostic_extras.append(coordinator.extras)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Hand a frame to its reception or to diagnostics; others were not asked for."""
        reception = self._receptions.get(frame.arbitration_id)
        if reception is not None:
            reception.receive(frame.data, now_ns)
        elif self._diagnostic is not None:
            diagnostics = self.require_diagnostics(now_ns)
            if diagnostics is not None:
                diagnostics.receive(frame, now_ns)

    def transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        """A frame that was asked about has left its controller."""
        if self.diagnostics is not None:
            self.diagnostics.transmitted(frame, now_ns)

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
        """Run the tasks that are due, then the workers."""
        self._run_all_due(now_ns)

    def _run_all_due(self, now_ns: int) -> int | None:
        self._schedule.run_due(now_ns)
        for worker in self._workers:
            while (deadline_ns := worker.next_deadline_ns()) is not None and deadline_ns <= now_ns:
                worker.on_timer(now_ns)
        return self.next_deadline_ns()

    @property
    def run_due(self) -> Callable[[int], int | None] | None:
        """`on_timer` and `next_deadline_ns` in one call, for a host that asks for both.

        `None` where a subclass has its own `on_timer`.
        """
        if type(self).on_timer is not Ecu.on_timer:
            return None
        # Without workers there is nothing to ask beside the schedule.
        bare = not self._workers and not self.is_booting
        return self._schedule.run_due if bare else self._run_all_due

    def next_deadline_ns(self) -> int | None:
        """When the next task is due, or a worker."""
        deadline_ns = self._schedule.deadline_ns
        for worker in self._workers:
            deadline_ns = sooner(deadline_ns, worker.next_deadline_ns())
        return deadline_ns
