"""The brake actuator ECU as a node: what it receives, runs and sends."""

from __future__ import annotations

from functools import partial

from simcore.ecu.emb import trouble_codes
from simcore.ecu.emb.application import Application
from simcore.ecu.emb.command import CommandSelection
from simcore.ecu.emb.communication import (
    DIRECTION_BACKWARD,
    DIRECTION_FORWARD,
    DIRECTION_STANDSTILL,
    ECHO_REJECTED,
    MODE_PARK_APPLY,
    MODE_PARK_RELEASE,
    QUALITY_DEGRADED,
    QUALITY_INIT,
    QUALITY_INVALID,
    QUALITY_VALID,
    command_reader,
    status_1_writer,
    status_2_writer,
)
from simcore.ecu.emb.diagnosis import CALIBRATIONS, EmbDiagnosis
from simcore.ecu.emb.monitor import FunctionMonitor, MonitorState
from simcore.ecu.emb.parameters import FRONT_EMB, REAR_EMB, EmbParameters
from simcore.ecu.emb.plausibility import Plausibility
from simcore.ecu.emb.states import BRAKING, EmbState
from simcore.ecu.emb.supervision import (
    ACTIVATIONS,
    COMMUNICATION,
    COUNTED,
    EXECUTION_NS,
    FORCE_LOOP,
    LOOP_MARKS,
    MONITOR,
    SETTINGS,
    STATUS_1,
    STATUS_2,
    TRACED_CYCLES,
    ForceLoopTask,
)
from simcore.ecu.emb.trouble_codes import MESSAGES, WHEEL_SPEED_RANGE, Snapshot
from simcore.ecu.emb.update_conditions import UpdateConditions
from simcore.ecu.runtime import Ecu, Reception
from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.ecu.runtime.diagnostics_rows import calibrated
from simcore.ecu.runtime.schedule import Action
from simcore.ecu.runtime.software import has_active_fault
from simcore.ecu.runtime.supervision import WatchdogSupervision
from simcore.ecu.runtime.trouble_codes import keep_trouble_codes
from simcore.ecu.saturation import saturated
from simcore.network import Database
from simcore.units import KMH_PER_MPS, NS_PER_MS, NS_PER_S, RPM_PER_RADPS

_UM_PER_M = 1e6
_STANDSTILL_RADPS = 0.05
_FULL_TURN_RAD = 6.283185307179586
_PULSE_MODULO = 255.0
"""The pulse counter runs 0..254; 255 is its "not available"."""
_LOCK_UNLOCKED, _LOCK_LOCKED, _LOCK_MOVING, _LOCK_FAULT = range(4)
_WHEEL_SPEED_MAX_RADPS = 500.0
"""620 km/h: no wheel, a broken sensor."""
_PERIOD_NS = 5 * NS_PER_MS
_PARK_ECHO = {
    EmbState.PARK_APPLYING: MODE_PARK_APPLY,
    EmbState.PARK_APPLIED: MODE_PARK_APPLY,
    EmbState.PARK_RELEASING: MODE_PARK_RELEASE,
}
"""`EMB_xx_ReqEcho` of a park lock at work."""
_MONITOR_LEFT_OUT = 3
"""`EMB_xx_MonSt` without a monitor."""
_INIT = EmbState.INIT
_FIT = (EmbState.READY, EmbState.FORCE_CTRL, EmbState.PARK_APPLIED, EmbState.PARK_APPLYING)
"""States that a self-test of new software accepts."""


class Emb(Ecu):
    """One electro-mechanical brake actuator: `Emb("EMB_FL", database)`.

    Input pins: `clamp_force_n, screw_travel_m, motor_speed_radps, phase_current_a,
    battery_current_a, wheel_speed_radps, supply_v, disc_temperature_c, park_lock_state`, and
    `motor_temperature_c` where there is one. Output pins: `motor_current_a, park_lock_state`.
    """

    __slots__ = (
        "_arrival",
        "_activations",
        "_limit",
        "_line",
        "_loop_counted",
        "_marks",
        "_pulses",
        "_pulses_per_radps",
        "_turn",
        "_write_1",
        "_write_2",
        "application",
        "monitor",
        "parameters",
        "plausibility",
        "selection",
    )

    monitor: FunctionMonitor | None
    """Level 2; `None` where it is left out."""
    plausibility: Plausibility | None

    def __init__(
        self, name: str, database: Database, parameters: EmbParameters | None = None
    ) -> None:
        super().__init__(name, database)
        corner = name.rpartition("_")[2]
        self.parameters = parameters or (FRONT_EMB if corner.startswith("F") else REAR_EMB)

    def configure(self, now_ns: int) -> None:
        corner = self.name.rpartition("_")[2]
        self.parameters = calibrated(self.parameters, CALIBRATIONS, self.port.memory)
        self.supervises(SETTINGS)
        self.diagnoses(EmbDiagnosis(self).table)
        keep_trouble_codes(self, trouble_codes.SETTINGS, Snapshot(self).readers(), now_ns)
        codes = self.trouble_codes
        primary = self.receives("CDC_EmbCmd")
        secondary = self.receives("CDC2_EmbCmd")
        self.selection = CommandSelection(
            self.database,
            corner,
            self.parameters,
            primary=primary,
            secondary=secondary,
            pedal=self.receives("BPS_Pedal"),
            speed=self.receives("CDC_VehDyn"),
            log=self.port.log,
            limited="monitor" not in self.without,
            codes=codes,
        )
        self._limit = self.selection.limit
        self.application = Application(self.port, self.parameters, self.selection, now_ns, codes)
        self._arrival: ArrivalMonitor = self.monitors_arrival(primary)
        self.monitor = self.plausibility = None
        if "monitor" not in self.without:
            self.monitor = FunctionMonitor(
                self.port,
                self.parameters,
                self.selection,
                self.application,
                self.supervision,
                primary=(primary, command_reader(self.database, "CDC", corner)),
                secondary=(secondary, command_reader(self.database, "CDC2", corner)),
                period_ns=_PERIOD_NS,
                codes=codes,
            )
        if "plausibility" not in self.without:
            self.plausibility = Plausibility(
                self.port, self.parameters, self.application, period_ns=_PERIOD_NS, codes=codes
            )
        status = self.database.message(f"{self.name}_St1")
        cycle_s = (status.cycle_time_ns or _PERIOD_NS) / NS_PER_S
        self._pulses = 0.0
        self._pulses_per_radps = (
            cycle_s * self.parameters.wheel_pulses_per_revolution / _FULL_TURN_RAD
        )
        self._write_1 = status_1_writer(self.database, self.name)
        self._write_2 = status_2_writer(self.database, self.name)
        self._marks = tuple(self.checkpoint(f"{FORCE_LOOP}.{mark}") for mark in LOOP_MARKS)
        self._loop_counted = self.checkpoint(f"{FORCE_LOOP}.{COUNTED}")
        self._turn = 1
        self._activations = 1 - ACTIVATIONS  # the first cycle has a single one
        self._line = getattr(self.port, "watchdog", None)
        self._run_tasks()
        for name in MESSAGES:
            codes.watch(self.reception(name))
        self._can_be_updated(primary)

    def _can_be_updated(self, command: Reception) -> None:
        """Conditions and self-test of its update client, where the place has a flash."""
        if self.software is None:
            return
        conditions = UpdateConditions(
            self.port,
            command=command,
            speed=self.reception("CDC_VehDyn"),
            park=self.receives("CDC_Epb"),
            wheel_radius_m=self.parameters.wheel_radius_m,
            state=self._state,
            faulty=partial(has_active_fault, self.trouble_codes),
        )
        self.updates(conditions, self._self_test)

    def _state(self) -> EmbState:
        return self.application.state

    def moves(self, now_ns: int) -> bool:
        """Whether the own wheel turns or the vehicle is known to move."""
        return EmbDiagnosis(self).moves(now_ns)

    def _self_test(self, now_ns: int) -> str:
        """What is wrong with the software that runs; empty for nothing."""
        if self.application.state in _FIT:
            return ""
        return f"{self.name} is {self.application.state.name}"

    def _run_tasks(self) -> None:
        """Tasks in the order they run at one instant; the supervision is the last."""
        loop: Action = self.application.step
        if isinstance(self.supervision, WatchdogSupervision):
            loop = ForceLoopTask(self.supervision.manager, loop)
        self.runs(
            "force loop",
            period_ns=NS_PER_MS,
            offset_ns=0,
            action=loop,
            execution_ns=EXECUTION_NS[FORCE_LOOP],
        )
        for name, action, entity in (
            ("communication", self._communicate, COMMUNICATION),
            ("monitor", self._watch, MONITOR),
        ):
            self.runs(
                name,
                period_ns=_PERIOD_NS,
                offset_ns=0,
                action=action,
                execution_ns=EXECUTION_NS[entity],
                entity=entity,
            )
        for message, pack, entity in (
            (f"{self.name}_St1", self._pack_status_1, STATUS_1),
            (f"{self.name}_St2", self._pack_status_2, STATUS_2),
        ):
            self.sends(message, pack, execution_ns=EXECUTION_NS[entity], entity=entity)
        self.runs_supervision()

    def _communicate(self, now_ns: int) -> None:
        application = self.application
        count = application.activations
        if count - self._activations == ACTIVATIONS and application.stepped_ns == now_ns:
            self._loop_counted(now_ns)
        self._activations = count
        self._turn = turn = self._turn - 1
        if not turn:
            self._turn = TRACED_CYCLES
            application.marks = self._marks
        for reception in self._receptions.values():
            if now_ns > reception.expected_ns:
                reception.monitor(now_ns)
        if self._arrival.look() is not self.selection.primary_late:
            self._judge_arrival(now_ns)
        lanes = self.lanes
        if lanes is not None and lanes.changed:
            lanes.look(now_ns)
        codes = self.trouble_codes
        if now_ns >= codes.due_ns:
            codes.look(now_ns)
            if abs(self.port.inputs["wheel_speed_radps"]) <= _WHEEL_SPEED_MAX_RADPS:
                codes.passed(WHEEL_SPEED_RANGE, now_ns)

    def _judge_arrival(self, now_ns: int) -> None:
        """The primary lane has become late, or is in time again."""
        arrival, selection = self._arrival, self.selection
        if arrival.late and not selection.primary_commands:
            # A controller that has just begun says so, whatever counter it happens to begin with.
            self._arrival = self.monitors_arrival(selection.primary)
        else:
            selection.judge_arrival(arrival.late, arrival.lateness_ns, now_ns)

    def _watch(self, now_ns: int) -> None:
        line = self._line
        if line is not None and not line.enabled:
            self.application.lose_enable(now_ns)
        if self.plausibility is not None:
            self.plausibility.look(now_ns)
        if self.monitor is not None:
            self.monitor.look(now_ns)

    def _pack_status_1(self, now_ns: int) -> bytes:
        pins = self.port.inputs
        application = self.application
        p = self.parameters
        state = application.state
        status = self.supervision.global_status
        line, monitor = self._line, self.monitor
        monitor_state = _MONITOR_LEFT_OUT if monitor is None else monitor.state
        if self._limit.limiting and monitor_state is MonitorState.OK:
            monitor_state = MonitorState.LIMITING
        wheel_speed_radps = pins["wheel_speed_radps"]
        speed_radps = wheel_speed_radps if wheel_speed_radps >= 0.0 else -wheel_speed_radps
        wheel_quality = QUALITY_VALID
        pulses = self._pulses
        if speed_radps <= _WHEEL_SPEED_MAX_RADPS:
            pulses += speed_radps * self._pulses_per_radps
            self._pulses = pulses = pulses if pulses < _PULSE_MODULO else pulses % _PULSE_MODULO
        else:
            wheel_quality = QUALITY_INVALID  # and the pulses stand still
            self.trouble_codes.failed(WHEEL_SPEED_RANGE, now_ns)
        force_quality = QUALITY_VALID if application.force_valid else QUALITY_DEGRADED
        if state is _INIT:
            force_quality = QUALITY_INIT
        obeys = state in BRAKING
        force_n = application.clamp_force_n
        speed_kmh = speed_radps * p.wheel_radius_m * KMH_PER_MPS
        current_a = pins["phase_current_a"]
        motor_rpm = pins["motor_speed_radps"] * RPM_PER_RADPS
        travel_um = pins["screw_travel_m"] * _UM_PER_M
        if not (
            -1000.0 <= force_n <= 64000.0
            and speed_kmh <= 655.34
            and -204.8 <= current_a <= 204.7
            and -8192.0 <= motor_rpm <= 8191.0
            and -1000.0 <= travel_um <= 7191.0
        ):
            force_n = saturated(force_n, -1000.0, 64000.0)
            speed_kmh = saturated(speed_kmh, 0.0, 655.34)
            current_a = saturated(current_a, -204.8, 204.7)
            motor_rpm = saturated(motor_rpm, -8192.0, 8191.0)
            travel_um = saturated(travel_um, -1000.0, 7191.0)
        return self._write_1.write(
            force_n,
            force_quality,
            state,
            application.fault_level,
            speed_kmh,
            _direction(wheel_speed_radps),
            wheel_quality,
            int(pulses),
            current_a,
            motor_rpm,
            travel_um,
            application.force_available_n if obeys else 0.0,
            self.selection.echo if obeys else _PARK_ECHO.get(state, ECHO_REJECTED),
            self.selection.bus,
            status,
            line is None or line.enabled,
            monitor_state,
        )

    def _pack_status_2(self, now_ns: int) -> bytes:
        pins = self.port.inputs
        state = self.application.state
        locked = _LOCK_LOCKED if state is EmbState.PARK_APPLIED else _LOCK_UNLOCKED
        if state in (EmbState.PARK_APPLYING, EmbState.PARK_RELEASING):
            locked = _LOCK_MOVING
        if not self.application.lock_trusted:
            locked = _LOCK_FAULT
        supervision = self.supervision
        return self._write_2.write(
            saturated(-pins["screw_travel_m"] * _UM_PER_M, 0.0, 1022.0),
            round(saturated(pins.get("motor_temperature_c", 20.0), -40.0, 214.0)),
            saturated(pins["disc_temperature_c"], -40.0, 980.0),
            saturated(pins["supply_v"], 0.0, 102.2),
            saturated(pins["battery_current_a"], -51.2, 153.4),
            locked,
            self.application.self_test,
            0,
            supervision.error_count,
            supervision.first_expired_code,
        )


def _direction(wheel_speed_radps: float) -> int:
    if wheel_speed_radps > _STANDSTILL_RADPS:
        return DIRECTION_FORWARD
    if wheel_speed_radps < -_STANDSTILL_RADPS:
        return DIRECTION_BACKWARD
    return DIRECTION_STANDSTILL
