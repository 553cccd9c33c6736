"""The brake actuator ECU as a node: what it receives, runs and sends."""

from __future__ import annotations

from simcore.ecu.emb.application import Application
from simcore.ecu.emb.command import CommandSelection
from simcore.ecu.emb.communication import (
    DIRECTION_BACKWARD,
    DIRECTION_FORWARD,
    DIRECTION_STANDSTILL,
    ECHO_REJECTED,
    QUALITY_DEGRADED,
    QUALITY_INIT,
    QUALITY_VALID,
    status_1_writer,
    status_2_writer,
)
from simcore.ecu.emb.parameters import FRONT_EMB, REAR_EMB, EmbParameters
from simcore.ecu.emb.states import BRAKING, EmbState
from simcore.ecu.runtime import Ecu
from simcore.ecu.saturation import saturated
from simcore.network import Database
from simcore.units import KMH_PER_MPS, NS_PER_MS, NS_PER_S, RPM_PER_RADPS

_UM_PER_M = 1e6
_STANDSTILL_RADPS = 0.05
_FULL_TURN_RAD = 6.283185307179586
_PULSE_MODULO = 255.0
"""The pulse counter runs 0..254; 255 is its "not available"."""
_LOCK_UNLOCKED, _LOCK_LOCKED, _LOCK_MOVING = range(3)
_INIT = EmbState.INIT


class Emb(Ecu):
    """One electro-mechanical brake actuator: `Emb("EMB_FL", database)`.

    Input pins: `clamp_force_n, screw_travel_m, motor_speed_radps, phase_current_a,
    battery_current_a, wheel_speed_radps, supply_v, disc_temperature_c, park_lock_state`. Output
    pins: `motor_current_a, park_lock_state`.
    """

    __slots__ = (
        "_pulses",
        "_pulses_per_radps",
        "_write_1",
        "_write_2",
        "application",
        "parameters",
        "selection",
    )

    def __init__(
        self, name: str, database: Database, parameters: EmbParameters | None = None
    ) -> None:
        super().__init__(name, database)
        corner = name.rpartition("_")[2]
        self.parameters = parameters or (FRONT_EMB if corner.startswith("F") else REAR_EMB)

    def configure(self, now_ns: int) -> None:
        corner = self.name.rpartition("_")[2]
        self.selection = CommandSelection(
            self.database,
            corner,
            self.parameters,
            primary=self.receives("CDC_EmbCmd"),
            secondary=self.receives("CDC2_EmbCmd"),
            pedal=self.receives("BPS_Pedal"),
            speed=self.receives("CDC_VehDyn"),
            log=self.port.log,
        )
        self.application = Application(self.port, self.parameters, self.selection, now_ns)
        status = self.database.message(f"{self.name}_St1")
        cycle_s = (status.cycle_time_ns or 5 * NS_PER_MS) / NS_PER_S
        self._pulses = 0.0
        self._pulses_per_radps = (
            cycle_s * self.parameters.wheel_pulses_per_revolution / _FULL_TURN_RAD
        )
        self._write_1 = status_1_writer(self.database, self.name)
        self._write_2 = status_2_writer(self.database, self.name)
        self.runs("force loop", period_ns=NS_PER_MS, offset_ns=0, action=self.application.step)
        self.runs("communication", period_ns=5 * NS_PER_MS, offset_ns=0, action=self._monitor)
        self.sends(f"{self.name}_St1", self._pack_status_1)
        self.sends(f"{self.name}_St2", self._pack_status_2)

    def _monitor(self, now_ns: int) -> None:
        for reception in self._receptions.values():
            if now_ns > reception.expected_ns:
                reception.monitor(now_ns)
        lanes = self.lanes
        if lanes is not None and lanes.changed:
            lanes.look(now_ns)

    def _pack_status_1(self, now_ns: int) -> bytes:
        pins = self.port.inputs
        application = self.application
        p = self.parameters
        state = application.state
        wheel_speed_radps = pins["wheel_speed_radps"]
        speed_radps = wheel_speed_radps if wheel_speed_radps >= 0.0 else -wheel_speed_radps
        pulses = self._pulses + speed_radps * self._pulses_per_radps
        self._pulses = pulses = pulses if pulses < _PULSE_MODULO else pulses % _PULSE_MODULO
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
            QUALITY_VALID,
            int(pulses),
            current_a,
            motor_rpm,
            travel_um,
            p.force_control.force_max_n if obeys else 0.0,
            self.selection.echo if obeys else ECHO_REJECTED,
            self.selection.bus,
        )

    def _pack_status_2(self, now_ns: int) -> bytes:
        pins = self.port.inputs
        state = self.application.state
        locked = _LOCK_LOCKED if state is EmbState.PARK_APPLIED else _LOCK_UNLOCKED
        if state in (EmbState.PARK_APPLYING, EmbState.PARK_RELEASING):
            locked = _LOCK_MOVING
        return self._write_2.write(
            saturated(-pins["screw_travel_m"] * _UM_PER_M, 0.0, 1022.0),
            saturated(pins["disc_temperature_c"], -40.0, 980.0),
            saturated(pins["supply_v"], 0.0, 102.2),
            saturated(pins["battery_current_a"], -51.2, 153.4),
            locked,
            self.application.self_test,
            0,
        )


def _direction(wheel_speed_radps: float) -> int:
    if wheel_speed_radps > _STANDSTILL_RADPS:
        return DIRECTION_FORWARD
    if wheel_speed_radps < -_STANDSTILL_RADPS:
        return DIRECTION_BACKWARD
    return DIRECTION_STANDSTILL
