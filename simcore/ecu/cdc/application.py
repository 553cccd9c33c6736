"""The domain controller's control task, every 5 ms.

Requests are arbitrated, distributed over the brakes that can be counted on, and reduced by slip
control; in parallel the actuators are watched. Reads receptions, leaves its results in attributes
that the node packs into messages. Without an accelerometer (its bus is lost) slip control goes by
the deceleration that the delivered forces amount to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simcore.ecu.cdc.actuators import Actuators
from simcore.ecu.cdc.arbitration import AssistanceInput, PedalInput, arbitrate
from simcore.ecu.cdc.communication import (
    QUALITY_VALID,
    accelerator_reader,
    imu_reader,
)
from simcore.ecu.cdc.distribution import distribute, tyre_force_per_clamp_ratio
from simcore.ecu.cdc.hold import StandstillHold
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.reference_speed import STEADY_SLIP_RATIO
from simcore.ecu.cdc.slip_control import SlipController
from simcore.ecu.cdc.states import Degradation, RequestSource, degradation
from simcore.ecu.runtime import NO_LANE, LaneWatch, Reception
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import KMH_PER_MPS, NS_PER_S

_NOTHING = [0.0, 0.0, 0.0, 0.0]
_AEB = RequestSource.AEB
_TYRE_PER_CLAMP = tuple(tyre_force_per_clamp_ratio(corner) for corner in range(4))


class Application:
    """Control task of the CDC."""

    __slots__ = (
        "_accelerator",
        "_braking_since_ns",
        "_healthy_decel_mps2",
        "_healthy_demand_n",
        "_imu",
        "_imu_data",
        "_lanes",
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
        "may_command",
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
        lanes: LaneWatch | None = None,
    ) -> None:
        p = self._p = parameters
        period_s = period_ns / NS_PER_S
        self._port = port
        self._started_ns = now_ns
        self._lanes = lanes
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
        self.may_command = True
        """False while it is not known yet where to go on."""
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
        self.emergency = self.source is _AEB
        demand_n = self._demand_n(now_ns)
        lost = actuators.lost
        # Redistribution makes the rear forces unequal on purpose: select-low would undo it.
        self.slip.rear_select_low = not any(lost)
        clamp_n = [actuator.clamp_force_n for actuator in actuators.corners]
        self.slip.accelerometer_valid = self.ax_valid
        ax_mps2 = self.ax_mps2 if self.ax_valid else self._estimated_mps2(clamp_n)
        self.force_request_n = self.slip.step(demand_n, wheel_mps, ax_mps2, wheel_valid, clamp_n)
        if not starting:
            actuators.watch_forces(self.force_request_n, now_ns, self._p)
        level = degradation(
            lost, pedal_degraded=self.pedal.degraded, lane=self._impaired_lane(now_ns)
        )
        if level is not self.degradation:
            self._port.log("reaction", f"degradation {self.degradation.name} -> {level.name}")
            self.degradation = level

    def resume(
        self, speed_mps: float | None, force_n: Sequence[float], active: Sequence[bool], now_ns: int
    ) -> None:
        """Go on where another controller has been: at its speed estimate and its forces.

        The speed is believed as far as the wheels allow it; without one (`None`) wheels under slip
        control are taken to be in slip. Forces at standstill without a foot on the pedal are a
        hold, which goes on.
        """
        self.actuators.update(now_ns, starting=False)
        wheel_mps = self.actuators.wheel_speeds_mps()
        fastest_mps = max(wheel_mps)
        in_slip_mps = fastest_mps / (1.0 - STEADY_SLIP_RATIO)
        if speed_mps is None:
            speed_mps = in_slip_mps if any(active) else fastest_mps
        speed_mps = min(max(speed_mps, fastest_mps), in_slip_mps)
        self.slip.resume(speed_mps, wheel_mps, force_n, active)
        driver_mps2 = self.pedal.decel_mps2(now_ns, starting=False)
        still = fastest_mps * KMH_PER_MPS <= self._p.standstill_kmh
        if still and driver_mps2 <= 0.0 and min(force_n) > self._p.contact_force_n:
            self.hold.resume(now_ns)

    def _estimated_mps2(self, clamp_n: Sequence[float]) -> float:
        """Acceleration of the vehicle that the delivered clamp forces amount to."""
        tyre_n = 0.0
        for per_clamp, force_n in zip(_TYRE_PER_CLAMP, clamp_n, strict=True):
            tyre_n += per_clamp * force_n
        return -tyre_n / self._p.mass_kg

    def _impaired_lane(self, now_ns: int) -> int:
        """The bus that is lost or silent in part, `NO_LANE` for none."""
        lanes = self._lanes
        if lanes is None:
            return NO_LANE
        if lanes.changed:
            lanes.look(now_ns)
        return lanes.impaired_lane

    @property
    def request_valid(self) -> bool:
        """Whether the commands mean anything: somebody asks, or the driver is known not to.

        Without a pedal the actuators shall not be told to open; what they do then is COM-004.
        """
        source = self.source
        if not self.may_command:
            return False
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
            slope_mps2=self.ax_mps2 if self.ax_valid else self._p.hold_blind_mps2,
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
