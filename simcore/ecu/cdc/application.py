"""The domain controller's control task, every 5 ms.

Requests are arbitrated, distributed over the brakes that can be counted on, and reduced by slip
control; in parallel the actuators are watched. Reads receptions, leaves its results in attributes
that the node packs into messages.
"""

from __future__ import annotations

from collections.abc import Mapping

from simcore.ecu.cdc.actuators import Actuators
from simcore.ecu.cdc.arbitration import AssistanceInput, PedalInput, arbitrate
from simcore.ecu.cdc.communication import (
    QUALITY_VALID,
    accelerator_reader,
    imu_reader,
)
from simcore.ecu.cdc.distribution import distribute
from simcore.ecu.cdc.hold import StandstillHold
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.slip_control import SlipController
from simcore.ecu.cdc.states import Degradation, RequestSource, degradation
from simcore.ecu.runtime import Reception
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import NS_PER_S

_NOTHING = [0.0, 0.0, 0.0, 0.0]


class Application:
    """Control task of the CDC."""

    __slots__ = (
        "_accelerator",
        "_braking_since_ns",
        "_healthy_decel_mps2",
        "_healthy_demand_n",
        "_imu",
        "_imu_data",
        "_p",
        "_port",
        "_read_accelerator",
        "_read_imu",
        "_started_ns",
        "actuators",
        "assistance",
        "ax_mps2",
        "ax_valid",
        "decel_mps2",
        "degradation",
        "emergency",
        "force_max_n",
        "force_request_n",
        "hold",
        "pedal",
        "slip",
        "source",
        "standstill",
    )

    def __init__(
        self,
        port: Port,
        database: Database,
        parameters: CdcParameters,
        receptions: Mapping[str, Reception],
        *,
        period_ns: int,
        now_ns: int,
    ) -> None:
        p = self._p = parameters
        period_s = period_ns / NS_PER_S
        self._port = port
        self._started_ns = now_ns
        self._imu = receptions["IMU_Data"]
        self._accelerator = receptions["VCU_Torque"]
        self._read_imu = imu_reader(database)
        self._read_accelerator = accelerator_reader(database)
        self._imu_data: bytes | None = None
        self.actuators = Actuators(
            database, port, [receptions[f"EMB_{c}_St1"] for c in ("FL", "FR", "RL", "RR")]
        )
        self.pedal = PedalInput(database, receptions["BPS_Pedal"], p)
        self.assistance = AssistanceInput(
            database, receptions["ADAS_LongReq"], p, period_s=period_s
        )
        self.hold = StandstillHold(port, p, period_s=period_s)
        self.slip = SlipController()
        self.force_max_n = [p.front_force_max_n] * 2 + [p.rear_force_max_n] * 2
        self.ax_mps2 = 0.0
        self.ax_valid = False
        self.decel_mps2 = 0.0
        self.source = RequestSource.NONE
        self.emergency = False
        self.force_request_n: list[float] = list(_NOTHING)
        self.degradation = Degradation.FULL
        self.standstill = False
        self._braking_since_ns: int | None = None
        self._healthy_decel_mps2 = 0.0
        self._healthy_demand_n: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def step(self, now_ns: int) -> None:
        """One control period."""
        starting = now_ns - self._started_ns < self._p.start_up_ns
        actuators = self.actuators
        actuators.update(now_ns, starting=starting)
        self._take_acceleration(now_ns)
        self.assistance.update(now_ns)
        driver_mps2 = self.pedal.decel_mps2(now_ns, starting=starting)
        wheel_mps = actuators.wheel_speeds_mps()
        wheel_valid = [actuator.wheel_valid for actuator in actuators.corners]
        hold_mps2 = self._hold(now_ns, wheel_mps, wheel_valid, driver_mps2)
        self.decel_mps2, self.source = arbitrate(
            driver_mps2=driver_mps2,
            emergency_mps2=self.assistance.emergency_mps2,
            cruise_mps2=self.assistance.cruise_mps2,
            hold_mps2=hold_mps2,
        )
        self.emergency = self.source is RequestSource.AEB
        demand_n = self._demand_n(now_ns)
        lost = actuators.lost
        # Redistribution makes the rear forces unequal on purpose: select-low would undo it.
        self.slip.rear_select_low = not any(lost)
        clamp_n = [actuator.clamp_force_n for actuator in actuators.corners]
        self.force_request_n = self.slip.step(
            demand_n, wheel_mps, self.ax_mps2, wheel_valid, clamp_n
        )
        if not starting:
            actuators.watch_forces(self.force_request_n, now_ns, self._p)
        level = degradation(lost, pedal_degraded=self.pedal.degraded)
        if level is not self.degradation:
            self._port.log("reaction", f"degradation {self.degradation.name} -> {level.name}")
            self.degradation = level

    @property
    def request_valid(self) -> bool:
        """Whether the commands mean anything: somebody asks, or the driver is known not to.

        Without a pedal the actuators shall not be told to open; what they do then is COM-004.
        """
        source = self.source
        return self.pedal.available or source not in (RequestSource.NONE, RequestSource.DRIVER)

    def _demand_n(self, now_ns: int) -> list[float]:
        """Clamp forces before slip control."""
        if self.decel_mps2 <= 0.0:
            self._braking_since_ns = None
            return list(_NOTHING)
        if self._braking_since_ns is None:
            self._braking_since_ns = now_ns
        # The driver needs time to steer after a loss, and again at every braking without a brake.
        since_ns = self.actuators.lost_since_ns
        if since_ns is not None:
            since_ns = max(since_ns, self._braking_since_ns)
        lost = self.actuators.lost
        healthy = not any(lost)
        if healthy and since_ns is None and self._healthy_decel_mps2 == self.decel_mps2:
            return list(self._healthy_demand_n)  # with all brakes it depends on nothing else
        demand_n = distribute(
            self.decel_mps2,
            mass_kg=self._p.mass_kg,
            available=[not one for one in lost],
            force_max_n=self.force_max_n,
            speed_mps=self.slip.reference_speed_mps,
            since_loss_s=(now_ns - since_ns) / NS_PER_S if since_ns is not None else 1e9,
        )
        if healthy:
            self._healthy_decel_mps2 = self.decel_mps2
            self._healthy_demand_n = tuple(demand_n)
        return demand_n

    def _hold(
        self,
        now_ns: int,
        wheel_mps: list[float],
        wheel_valid: list[bool],
        requested_mps2: float,
    ) -> float:
        assistance = self.assistance
        enabled = self._port.inputs["auto_hold_switch_state"] > 0.0 or assistance.requests_hold
        accelerator = self._accelerator
        if now_ns > accelerator.expected_ns:
            accelerator.monitor(now_ns)
        drive_off = assistance.releases_hold
        if accelerator.usable(now_ns):
            (accelerator_pct,) = self._read_accelerator.read(accelerator.data)
            # Beyond 100 % lies "not available", which is no wish to drive off.
            pressed = self._p.release_accelerator_pct < accelerator_pct <= 100.0
            drive_off = drive_off or pressed
        hold_mps2 = self.hold.step(
            now_ns,
            wheel_speed_mps=wheel_mps,
            wheel_valid=wheel_valid,
            enabled=enabled,
            drive_off=drive_off,
            requested_mps2=max(requested_mps2, assistance.cruise_mps2, assistance.emergency_mps2),
            slope_mps2=self.ax_mps2,
            all_lost=all(self.actuators.lost),
        )
        self.standstill = self.hold.standstill(now_ns)
        return hold_mps2

    def _take_acceleration(self, now_ns: int) -> None:
        imu = self._imu
        if now_ns > imu.expected_ns:
            imu.monitor(now_ns)
        if not imu.usable(now_ns):
            self.ax_valid = False
            self.ax_mps2 = 0.0
        elif imu.data is not self._imu_data:
            self._imu_data = imu.data
            ax_mps2, quality = self._read_imu.read(imu.data)
            self.ax_valid = quality == QUALITY_VALID
            self.ax_mps2 = ax_mps2 if self.ax_valid else 0.0
