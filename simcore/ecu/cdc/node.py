"""The chassis domain controller as a node: what it receives, runs and sends."""

from __future__ import annotations

from simcore.ecu.cdc.application import Application
from simcore.ecu.cdc.command import command_values
from simcore.ecu.cdc.communication import (
    CHIME_CRITICAL,
    CHIME_NONE,
    CHIME_WARN,
    CORNERS,
    MESSAGE_NETWORK,
    MESSAGE_NONE,
    MESSAGE_ONE_BRAKE_LOST,
    MESSAGE_PEDAL,
    MESSAGE_REDUCED,
    QUALITY_INVALID,
    QUALITY_VALID,
    SOURCE_PRIMARY,
    brake_status_writer,
    command_writer,
    hmi_writer,
    vehicle_dynamics_writer,
    wheel_speed_writer,
)
from simcore.ecu.cdc.joining import Joining
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.states import Degradation
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.repetition import RepeatingWriter
from simcore.ecu.saturation import saturated
from simcore.network import Database, Payload
from simcore.units import GRAVITY_MPS2, KMH_PER_MPS, NS_PER_MS

CONTROL_PERIOD_NS = 5 * NS_PER_MS
_FULL = Degradation.FULL
_NETWORK = (Degradation.BUS_A, Degradation.BUS_B)
_TORQUE_PER_FORCE_NM_PER_N = (0.112, 0.112, 0.108, 0.108)
"""Brake torque per clamp force, 2 mu r, FL FR RL RR."""


class Cdc(Ecu):
    """Chassis domain controller. Input pin: `auto_hold_switch_state` (0 or 1)."""

    __slots__ = (
        "_joining",
        "_write_command",
        "_write_dynamics",
        "_write_hmi",
        "_write_status",
        "_write_wheels",
        "application",
        "parameters",
    )

    def __init__(
        self, name: str, database: Database, parameters: CdcParameters | None = None
    ) -> None:
        super().__init__(name, database)
        self.parameters = parameters or CdcParameters()

    def configure(self, now_ns: int) -> None:
        database = self.database
        names = [f"EMB_{corner}_St1" for corner in CORNERS]
        names += ["BPS_Pedal", "IMU_Data", "VCU_Torque", "ADAS_LongReq"]
        receptions = {name: self.receives(name) for name in names}
        self.application = Application(
            self.port,
            database,
            self.parameters,
            receptions,
            period_ns=CONTROL_PERIOD_NS,
            now_ns=now_ns,
            lanes=self.lanes,
        )
        needed = [receptions[f"EMB_{corner}_St1"] for corner in CORNERS]
        needed.append(receptions["BPS_Pedal"])
        self._joining = Joining(database, self.receives("CDC2_EmbCmd"), needed, now_ns)
        self.application.may_command = False
        self._write_command = RepeatingWriter(command_writer(database))
        self._write_wheels = wheel_speed_writer(database)
        self._write_dynamics = vehicle_dynamics_writer(database)
        self._write_status = RepeatingWriter(brake_status_writer(database))
        self._write_hmi = hmi_writer(database)
        # Declared before the messages: at a common instant the control task runs first.
        self.runs("control", period_ns=CONTROL_PERIOD_NS, offset_ns=0, action=self._control)
        self.sends("CDC_EmbCmd", self._pack_command)
        self.sends("CDC_WhlSpd", self._pack_wheels)
        self.sends("CDC_VehDyn", self._pack_dynamics)
        self.sends("CDC_BrkSt", self._pack_status)
        self.sends("CDC_Hmi", self._pack_hmi)
        for name in ("CDC_RegenReq", "CDC_SteerReq", "CDC_Epb"):
            self.sends(name, Payload(database.message(name)).pack)

    def _control(self, now_ns: int) -> None:
        if not self._joining.done:
            self._joining.step(self.application, now_ns)
        self.application.step(now_ns)

    def _pack_command(self, now_ns: int) -> bytes:
        values = command_values(self.application, self.parameters, SOURCE_PRIMARY)
        return self._write_command.write(*values)

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
        target_nm = actual_nm = 0.0
        abs_bits = 0
        for i, actuator in enumerate(application.actuators.corners):
            target_nm += application.force_request_n[i] * _TORQUE_PER_FORCE_NM_PER_N[i]
            if not actuator.lost:
                actual_nm += actuator.clamp_force_n * _TORQUE_PER_FORCE_NM_PER_N[i]
            abs_bits |= application.slip.active[i] << i
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
            level is not _FULL,
        )

    def _pack_hmi(self, now_ns: int) -> bytes:
        level = self.application.degradation
        message = MESSAGE_NONE
        if level in (Degradation.ONE_FRONT, Degradation.ONE_REAR):
            message = MESSAGE_ONE_BRAKE_LOST
        elif level is Degradation.PEDAL_DEGRADED:
            message = MESSAGE_PEDAL
        elif level in _NETWORK:
            message = MESSAGE_NETWORK
        elif level is not Degradation.FULL:
            message = MESSAGE_REDUCED
        switch = int(self.port.inputs["auto_hold_switch_state"] > 0.0)
        chime = CHIME_NONE if level is Degradation.FULL else CHIME_CRITICAL
        if level in _NETWORK:  # braking is all there
            chime = CHIME_WARN
        return self._write_hmi.write(message, chime, switch)
