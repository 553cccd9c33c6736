"""The secondary controller's task, every 5 ms: watch the primary, and brake when it is lost.

In standby it reads the primary's command and nothing else: inputs are received and checked, so
that they can be used at once. When three commands in a row are missing or not valid, it builds the
primary's own control task and goes on from where the primary was: at the forces and with the slip
control of its last command, at its last speed. DEG-002.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from simcore.ecu.cdc.application import Application as ControlTask
from simcore.ecu.cdc.monitor import FunctionMonitor
from simcore.ecu.cdc2.communication import (
    QUALITY_VALID,
    forces_reader,
    speed_reader,
    validity_byte,
    validity_reader,
)
from simcore.ecu.cdc2.parameters import Cdc2Parameters
from simcore.ecu.cdc2.states import StandbyEvent, StandbyState, next_state
from simcore.ecu.cdc2.trouble_codes import PRIMARY_LATE, PRIMARY_LOST
from simcore.ecu.runtime import LaneWatch, Reception
from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.ecu.runtime.supervision import no_checkpoint
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import KMH_PER_MPS, format_ns

_STANDBY = StandbyState.STANDBY
_COMMANDING = StandbyState.COMMANDING


class Application:
    """Task of CDC2. `control` is the braking control while it commands, else `None`."""

    __slots__ = (
        "_arrival",
        "_arrival_of",
        "_checkpoints",
        "_codes",
        "_data",
        "_database",
        "_lanes",
        "_late",
        "_p",
        "_period_ns",
        "_port",
        "_primary",
        "_read_forces",
        "_read_speed",
        "_read_validity",
        "_receptions",
        "_seen",
        "_speed",
        "_started_ns",
        "_valid",
        "_valid_cycles",
        "_valid_end",
        "_valid_ns",
        "_validity_byte",
        "_without",
        "control",
        "monitor",
        "state",
    )

    def __init__(
        self,
        port: Port,
        database: Database,
        parameters: Cdc2Parameters,
        receptions: Mapping[str, Reception],
        *,
        period_ns: int,
        now_ns: int,
        lanes: LaneWatch | None,
        without: frozenset[str] = frozenset(),
        checkpoints: Sequence[Callable[[int], object]] = (no_checkpoint,) * 3,
        arrival_of: Callable[[Reception], ArrivalMonitor] | None = None,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._without = without
        self._checkpoints = tuple(checkpoints)
        self._arrival_of = arrival_of
        self._database = database
        self._p = parameters
        self._receptions = receptions
        self._period_ns = period_ns
        self._started_ns = now_ns
        self._lanes = lanes
        self._primary = receptions["CDC_EmbCmd"]
        self._arrival = None if arrival_of is None else arrival_of(self._primary)
        self._late = False
        """Its commands come ever later."""
        self._seen = b""
        """Its last payload, valid or not."""
        self._speed = receptions["CDC_VehDyn"]
        self._read_validity = validity_reader(database)
        self._read_forces = forces_reader(database)
        self._read_speed = speed_reader(database)
        self._validity_byte = validity_byte(database)
        self._data: bytes | None = None
        """The primary's last payload with valid requests."""
        self._valid_end: bytes | None = None
        """Its end, from the first byte that says so."""
        self._valid = False
        self._valid_ns = now_ns
        """When the primary last commanded."""
        self._valid_cycles = 0
        self.control: ControlTask | None = None
        self.monitor: FunctionMonitor | None = None
        """Level 2 of what it commands; `None` in standby or where it is left out."""
        self.state = StandbyState.START_UP

    def step(self, now_ns: int) -> None:
        """One control period."""
        valid = self._primary_commands(now_ns)
        lanes = self._lanes
        if lanes is not None and lanes.changed:
            lanes.look(now_ns)
        if self.state is _STANDBY:
            if not valid and now_ns - self._valid_ns > (self._primary.timeout_ns or 0):
                self._happens(StandbyEvent.PRIMARY_LOST)
                self._codes.failed(PRIMARY_LOST, now_ns)
                self._take_over(now_ns)
        elif self.state is _COMMANDING:
            self._valid_cycles = self._valid_cycles + 1 if valid else 0
            if self._valid_cycles >= self._p.hand_back_cycles:
                self._happens(StandbyEvent.PRIMARY_BACK)
                self._codes.passed(PRIMARY_LOST, now_ns)
                self.control = self.monitor = None
        elif valid:
            self._happens(StandbyEvent.PRIMARY_SEEN)
        elif now_ns - self._started_ns >= self._p.control.start_up_ns:
            self._happens(StandbyEvent.STARTED)
        if self.control is not None:
            self.control.step(now_ns)

    def _primary_commands(self, now_ns: int) -> bool:
        """Whether the primary's command is usable and asks something of all four."""
        primary = self._primary
        if now_ns > primary.expected_ns:
            primary.monitor(now_ns)
        if now_ns > primary.valid_until_ns:
            return False
        data = primary.data
        if data is not self._seen:
            self._seen = data
            arrival = self._arrival
            if arrival is not None:
                self._judge_arrival(arrival, now_ns)
        if self._late:
            return False
        if data is not self._data:
            # Mostly nothing has changed but the counter and the checksum.
            end = data[self._validity_byte :]
            if end != self._valid_end:
                if not all(self._read_validity.read(data)):
                    return False
                self._valid_end = end
            self._data = data
        self._valid_ns = primary.updated_ns or 0
        return True

    def _judge_arrival(self, arrival: ArrivalMonitor, now_ns: int) -> None:
        """A primary that comes too late is refused by the actuators: as good as lost."""
        late = arrival.look()
        if late and self._arrival_of is not None and not all(self._read_validity.read(self._seen)):
            # It asks for nothing, as after a restart: its next commands are judged anew.
            self._arrival = self._arrival_of(self._primary)
            late = False
        if late is self._late:
            return
        self._late = late
        text = f"late by {format_ns(arrival.lateness_ns)}" if late else "in time again"
        self._port.log("detection", f"CDC_EmbCmd {text}")
        self._codes.test(PRIMARY_LATE, late, now_ns)

    def _take_over(self, now_ns: int) -> None:
        """Build the control task and let it go on from the primary's last command."""
        p = self._p.control
        self._valid_cycles = 0
        self.control = control = ControlTask(
            self._port,
            self._database,
            p,
            self._receptions,
            period_ns=self._period_ns,
            now_ns=now_ns - p.start_up_ns,  # the actuators have been up for long
            without=self._without,
            checkpoints=self._checkpoints,
            arrival_of=self._arrival_of,
            codes=self._codes,
        )
        if "monitor" not in self._without:
            self.monitor = FunctionMonitor(
                self._port,
                self._database,
                p.monitor,
                self._receptions,
                lane="CDC2",
                condemn=control.actuators.condemn,
                codes=self._codes,
            )
        if self._data is None:
            return
        *forces_n, fl, fr, rl, rr = self._read_forces.read(self._data)
        control.resume(self.primary_mps(now_ns), forces_n, (fl, fr, rl, rr), now_ns)

    def primary_mps(self, now_ns: int) -> float:
        """The primary's last speed estimate, 0 where there is none."""
        return self.primary_speed_mps(now_ns) or 0.0

    def primary_speed_mps(self, now_ns: int) -> float | None:
        """The primary's last speed estimate, `None` where there is none."""
        if not self._speed.usable(now_ns):
            return None
        speed_kmh, quality = self._read_speed.read(self._speed.data)
        return speed_kmh / KMH_PER_MPS if quality == QUALITY_VALID else None

    def _happens(self, event: StandbyEvent) -> None:
        after = next_state(self.state, event)
        if after is not self.state:
            if event is StandbyEvent.PRIMARY_LOST:
                self._port.log("detection", "no valid CDC_EmbCmd for three cycles")
            self._port.log("state", f"{self.state.name} -> {after.name} ({event.name})")
            self.state = after
