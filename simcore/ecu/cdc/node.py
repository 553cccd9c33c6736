"""The chassis domain controller as a node: what it receives, runs and sends."""

from __future__ import annotations

from functools import partial

from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.command import CommandWriter
from simcore.ecu.cdc.communication import (
    CHIME_CRITICAL,
    CHIME_NONE,
    CHIME_WARN,
    CORNERS,
    MESSAGE_ABS,
    MESSAGE_ESC,
    MESSAGE_NETWORK,
    MESSAGE_NONE,
    MESSAGE_ONE_BRAKE_LOST,
    MESSAGE_PEDAL,
    MESSAGE_REDUCED,
    MESSAGE_SUPPLY,
    MODE_PARK_APPLY,
    MODE_PARK_RELEASE,
    POWER_MODE_DRIVE,
    QUALITY_INVALID,
    QUALITY_VALID,
    SOURCE_PRIMARY,
    brake_status_writer,
    command_writer,
    hmi_writer,
    park_brake_writer,
    power_mode_reader,
    vehicle_dynamics_writer,
    wheel_speed_writer,
)
from simcore.ecu.cdc.diagnosis import (
    CALIBRATIONS,
    STILL_KMH,
    CdcDiagnosis,
    reference_speed_kmh,
)
from simcore.ecu.cdc.housekeeping import Housekeeping
from simcore.ecu.cdc.joining import Joining
from simcore.ecu.cdc.monitor import FunctionMonitor
from simcore.ecu.cdc.own_clock import OwnClock
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import Degradation, MonitorState
from simcore.ecu.cdc.supervision import CONTROL_BODY, supervision_settings
from simcore.ecu.cdc.trouble_codes import MESSAGES, MESSAGES_PRIMARY, SETTINGS, Snapshot
from simcore.ecu.cdc.update_conditions import UpdateConditions
from simcore.ecu.cdc.watchdog_status import WatchdogStatus
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.diagnostics_rows import calibrated
from simcore.ecu.runtime.repetition import RepeatingWriter
from simcore.ecu.runtime.software import has_active_fault
from simcore.ecu.runtime.trouble_codes import keep_trouble_codes
from simcore.ecu.saturation import saturated
from simcore.network import Database, Payload
from simcore.units import GRAVITY_MPS2, KMH_PER_MPS, NS_PER_MS

CONTROL_PERIOD_NS = 5 * NS_PER_MS
MONITOR_PERIOD_NS = 10 * NS_PER_MS
HOUSEKEEPING_PERIOD_NS = 100 * NS_PER_MS
_FULL = Degradation.FULL
_NETWORK = (Degradation.BUS_A, Degradation.BUS_B)
_SUPPLY = (Degradation.PWR_A, Degradation.PWR_B)
_WARN = (*_NETWORK, *_SUPPLY)
_FRONT_NM_PER_N, _REAR_NM_PER_N = 0.112, 0.108
"""Brake torque per clamp force, 2 mu r."""
_TORQUE_PER_FORCE_NM_PER_N = (_FRONT_NM_PER_N, _FRONT_NM_PER_N, _REAR_NM_PER_N, _REAR_NM_PER_N)


class Cdc(Ecu):
    """Chassis domain controller.

    Input pins: `auto_hold_switch_state` and `park_switch_state`, 0 or 1.
    """

    __slots__ = (
        "_clock",
        "_command",
        "_joining",
        "_mode",
        "_needed",
        "_read_mode",
        "_secondary",
        "_watchdog",
        "_write_dynamics",
        "_write_hmi",
        "_write_park_brake",
        "_write_status",
        "_write_wheels",
        "application",
        "housekeeping",
        "monitor",
        "parameters",
        "sent_command",
    )

    monitor: FunctionMonitor | None
    """Level 2; `None` where it is left out."""
    sent_command: bytes
    """Payload of the last command, as it was packed."""

    def __init__(
        self, name: str, database: Database, parameters: CdcParameters | None = None
    ) -> None:
        super().__init__(name, database)
        self.parameters = parameters or CdcParameters()

    def configure(self, now_ns: int) -> None:
        p = self.parameters = calibrated(self.parameters, CALIBRATIONS, self.port.memory)
        self.supervises(supervision_settings(p))
        self.diagnoses(CdcDiagnosis(self).table)
        readers = Snapshot(self, self._control_task).readers()
        keep_trouble_codes(self, SETTINGS, readers, now_ns)
        self._build(now_ns)
        # Declared before the messages: at a common instant the control task runs first.
        self.runs(
            "control",
            period_ns=CONTROL_PERIOD_NS,
            offset_ns=0,
            action=self._control,
            execution_ns=p.control_execution_ns,
            entity="control",
        )
        self.sends(
            "CDC_EmbCmd",
            self._pack_command,
            execution_ns=p.command_execution_ns,
            entity="command",
        )
        self.runs(
            "monitor",
            period_ns=MONITOR_PERIOD_NS,
            offset_ns=0,
            action=self._check,
            execution_ns=p.monitor_execution_ns,
            entity="monitor",
        )
        self.sends("CDC_WhlSpd", self._pack_wheels)
        self.sends("CDC_VehDyn", self._pack_dynamics)
        self.sends("CDC_BrkSt", self._pack_status)
        self.sends("CDC_Hmi", self._pack_hmi)
        self.sends("CDC_Epb", self._pack_park_brake)
        for name in ("CDC_RegenReq", "CDC_SteerReq"):
            self.sends(name, Payload(self.database.message(name)).pack)
        self.runs(
            "housekeeping",
            period_ns=HOUSEKEEPING_PERIOD_NS,
            offset_ns=HOUSEKEEPING_PERIOD_NS // 2,
            action=self._housekeep,
            execution_ns=p.housekeeping_execution_ns,
            entity="housekeeping",
        )
        self.runs_supervision()
        if self.software is not None:
            conditions = UpdateConditions(
                self.application,
                self.database,
                self.reception("PDM_Supply"),
                faulty=partial(has_active_fault, self.trouble_codes),
            )
            self.updates(conditions, self._self_test)
        for name in (*MESSAGES, *MESSAGES_PRIMARY):
            self.trouble_codes.watch(self.reception(name))

    def _control_task(self) -> Application:
        return self.application

    def _build(self, now_ns: int) -> None:
        """The volatile state."""
        database = self.database
        names = [f"EMB_{corner}_St1" for corner in CORNERS]
        names += ["BPS_Pedal", "IMU_Data", "VCU_Torque", "ADAS_LongReq", "PDM_Supply"]
        receptions = {name: self.receives(name) for name in names}
        self.application = Application(
            self.port,
            database,
            self.parameters,
            receptions,
            period_ns=CONTROL_PERIOD_NS,
            now_ns=now_ns,
            lanes=self.lanes,
            without=self.without,
            checkpoints=[self.checkpoint(f"control.{name}") for name in CONTROL_BODY],
            arrival_of=self.monitors_arrival,
            codes=self.trouble_codes,
        )
        self.monitor = None
        if "monitor" not in self.without:
            self.monitor = FunctionMonitor(
                self.port,
                database,
                self.parameters.monitor,
                receptions,
                lane="CDC",
                condemn=self.application.actuators.condemn,
                codes=self.trouble_codes,
            )
        self._needed = [receptions[f"EMB_{corner}_St1"] for corner in CORNERS]
        self._needed.append(receptions["BPS_Pedal"])
        self._secondary = self.receives("CDC2_EmbCmd")
        self._mode = self.receives("VEH_Mode")
        self._joining = self._join(now_ns)
        self._clock = OwnClock(
            self.port, self.parameters.clock_trust_ns, now_ns, self.trouble_codes
        )
        self.application.may_command = False
        self.housekeeping = Housekeeping(self.port, HOUSEKEEPING_PERIOD_NS)
        self.sent_command = b""
        self._watchdog = WatchdogStatus()
        self._command = CommandWriter(command_writer(database), self.parameters, SOURCE_PRIMARY)
        self._write_wheels = wheel_speed_writer(database)
        self._write_dynamics = vehicle_dynamics_writer(database)
        self._write_status = RepeatingWriter(brake_status_writer(database))
        self._write_hmi = hmi_writer(database)
        self._read_mode = power_mode_reader(database)
        self._write_park_brake = RepeatingWriter(park_brake_writer(database))

    def moves(self, now_ns: int) -> bool:
        """Whether the wheels say that the vehicle moves."""
        return (reference_speed_kmh(self.application) or 0.0) > STILL_KMH

    def _self_test(self, now_ns: int) -> str:
        """What is wrong with the software that runs; empty for nothing."""
        return "" if self._joining.done else "the controller has not joined"

    def _join(self, now_ns: int) -> Joining:
        return Joining(self.database, self._secondary, self._needed, now_ns)

    def _control(self, now_ns: int) -> None:
        application = self.application
        clock = self._clock
        if not self._joining.done and not clock.suspect:
            self._joining.step(application, now_ns)
        application.step(now_ns)
        if application.actuators.clock_suspect or clock.suspect:
            self._judge_clock(now_ns)

    def _judge_clock(self, now_ns: int) -> None:
        """Everybody is late, or was a while ago."""
        application, clock = self.application, self._clock
        if clock.judge(application.actuators.clock_suspect, now_ns):
            self.supervision.demand_safe_state("own clock suspect")
        if clock.suspect:
            application.may_command = False
        else:
            self._joining = self._join(now_ns)

    def _housekeep(self, now_ns: int) -> None:
        self.housekeeping.step(now_ns)
        self.trouble_codes.look(now_ns)
        mode = self._mode
        if now_ns > mode.expected_ns:
            mode.monitor(now_ns)
        known = now_ns <= mode.valid_until_ns
        self.application.power_mode = (
            int(self._read_mode.read(mode.data)[0]) if known else POWER_MODE_DRIVE
        )

    def _check(self, now_ns: int) -> None:
        """Level 2, once the command of this instant is packed."""
        monitor = self.monitor
        if monitor is not None and monitor.check(
            self.sent_command, self.application.force_request_n, now_ns
        ):
            self.supervision.demand_safe_state(f"monitor, {monitor.reason}")

    def _pack_command(self, now_ns: int) -> bytes:
        data = self.sent_command = self._command.write(self.application, self.monitor)
        return data

    def _pack_wheels(self, now_ns: int) -> bytes:
        values: list[float] = []
        for actuator in self.application.actuators.corners:
            values += (
                actuator.wheel_speed_kmh,
                actuator.direction,
                QUALITY_VALID if actuator.wheel_valid else QUALITY_INVALID,
            )
        return self._write_wheels.write(*values)

    def _pack_dynamics(self, now_ns: int) -> bytes:
        application = self.application
        valid = any(actuator.wheel_valid for actuator in application.actuators.corners)
        slope_pct = 0.0
        if application.standstill:
            slope_pct = 100.0 * application.ax_mps2 / GRAVITY_MPS2
        return self._write_dynamics.write(
            saturated(application.slip.reference_speed_mps * KMH_PER_MPS, 0.0, 655.34),
            QUALITY_VALID if valid else QUALITY_INVALID,
            application.standstill,
            saturated(application.ax_mps2, -40.96, 40.955),
            saturated(slope_pct, -51.2, 51.1),
            self.parameters.mass_kg,
        )

    def _pack_status(self, now_ns: int) -> bytes:
        application = self.application
        fl, fr, rl, rr = application.force_request_n
        target_nm = fl * _FRONT_NM_PER_N + fr * _FRONT_NM_PER_N + rl * _REAR_NM_PER_N
        target_nm += rr * _REAR_NM_PER_N
        actual_nm = 0.0
        for actuator, per_force_nm in zip(
            application.actuators.corners, _TORQUE_PER_FORCE_NM_PER_N, strict=True
        ):
            if not actuator.lost:
                actual_nm += actuator.clamp_force_n * per_force_nm
        abs_bits = 0
        active = application.slip.active
        if any(active):
            for i in range(4):
                abs_bits |= active[i] << i
        level = application.degradation
        return self._write_status.write(
            saturated(target_nm, 0.0, 32760.0),
            saturated(actual_nm, 0.0, 32760.0),
            application.source,
            abs_bits,
            application.hold.state,
            level,
            application.decel_mps2 > 0.0,
            level is not _FULL,
            level is not _FULL or application.wheels_suspect,
            application.inertia_suspect,
            *self._watchdog.values(self.supervision),
            MonitorState.OK if self.monitor is None else self.monitor.state,
        )

    def _pack_park_brake(self, now_ns: int) -> bytes:
        park = self.application.park_brake
        command = {MODE_PARK_APPLY: 1, MODE_PARK_RELEASE: 2}.get(park.mode, 0)
        return self._write_park_brake.write(int(park.switch_up), command, command, *park.locks)

    def _pack_hmi(self, now_ns: int) -> bytes:
        application = self.application
        level = application.degradation
        message = MESSAGE_NONE
        if level in (Degradation.ONE_FRONT, Degradation.ONE_REAR):
            message = MESSAGE_ONE_BRAKE_LOST
        elif level is Degradation.PEDAL_DEGRADED:
            message = MESSAGE_PEDAL
        elif level in _NETWORK:
            message = MESSAGE_NETWORK
        elif level in _SUPPLY:
            message = MESSAGE_SUPPLY
        elif level is not Degradation.FULL or self._clock.suspect:
            message = MESSAGE_REDUCED
        elif application.wheels_suspect:
            message = MESSAGE_ABS
        elif application.inertia_suspect:
            message = MESSAGE_ESC
        switch = int(self.port.inputs["auto_hold_switch_state"] > 0.0)
        chime = CHIME_NONE if level is Degradation.FULL else CHIME_CRITICAL
        if level in _WARN or (level is _FULL and message != MESSAGE_NONE):
            chime = CHIME_WARN  # braking is all there
        return self._write_hmi.write(message, chime, switch)
