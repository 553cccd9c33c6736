"""The domain controller's control task, every 5 ms.

Requests are arbitrated, distributed over the brakes that can be counted on, and reduced by slip
control; in parallel the actuators are watched. Reads receptions, leaves its results in attributes
that the node packs into messages. Without an accelerometer (its bus is lost) slip control goes by
the deceleration that the delivered forces amount to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from simcore.ecu.cdc.actuators import Actuators
from simcore.ecu.cdc.arbitration import AssistanceInput, arbitrate
from simcore.ecu.cdc.communication import (
    CORNERS,
    POWER_MODE_DRIVE,
    QUALITY_VALID,
    acceleration_reader,
    accelerator_reader,
    imu_reader,
)
from simcore.ecu.cdc.distribution import distribute, tyre_force_per_clamp_ratio
from simcore.ecu.cdc.hold import StandstillHold
from simcore.ecu.cdc.inertia_plausibility import InertiaPlausibility
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.park_brake import ParkBrake
from simcore.ecu.cdc.pedal import PedalInput
from simcore.ecu.cdc.reference_speed import STEADY_SLIP_RATIO
from simcore.ecu.cdc.slip_control import SlipController
from simcore.ecu.cdc.states import Degradation, HoldState, RequestSource, degradation
from simcore.ecu.cdc.supply import SupplyInput
from simcore.ecu.cdc.wheel_plausibility import WheelPlausibility
from simcore.ecu.runtime import NO_LANE, LaneWatch, Reception
from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.ecu.runtime.supervision import no_checkpoint
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.network import Database
from simcore.units import DEG_PER_RAD, KMH_PER_MPS, NS_PER_S

_NOTHING = (0.0, 0.0, 0.0, 0.0)
_AEB = RequestSource.AEB
_FULL = Degradation.FULL
_UNAVAIL = HoldState.UNAVAIL
_OF_THE_DRIVER = (RequestSource.NONE, RequestSource.DRIVER)
_MOVING_MPS = 1.5
_BRAKED_GRIP_RATIO = 0.93
_ROLLING_GRIP_RATIO = 0.97
_GRIP_MPS = 0.3
"""A wheel is in slip that is slower than this part of the car's speed less `_GRIP_MPS`."""
_TYRE_PER_CLAMP = tuple(tyre_force_per_clamp_ratio(corner) for corner in range(4))


class Application:
    """Control task of the CDC."""

    __slots__ = (
        "_accelerator",
        "_braking_since_ns",
        "_has_arbitrated",
        "_has_distributed",
        "_has_inputs",
        "_healthy_decel_mps2",
        "_healthy_demand_n",
        "_imu",
        "_imu_data",
        "_lane",
        "_lanes",
        "_p",
        "_odd_step",
        "_port",
        "_read_accelerator",
        "_read_ax",
        "_read_imu",
        "_redistributes",
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
        "park_brake",
        "power_mode",
        "pedal",
        "slip",
        "source",
        "inertia",
        "standstill",
        "supply",
        "wheels",
        "wheels_suspect",
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
        without: frozenset[str] = frozenset(),
        checkpoints: Sequence[Callable[[int], object]] = (no_checkpoint,) * 3,
        arrival_of: Callable[[Reception], ArrivalMonitor] | None = None,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        p = self._p = parameters
        period_s = period_ns / NS_PER_S
        self._port = port
        self._redistributes = "redistribution" not in without
        self._has_inputs, self._has_arbitrated, self._has_distributed = checkpoints
        self._started_ns = now_ns
        self._lanes = lanes
        self._lane = NO_LANE
        """The bus that is lost or silent in part."""
        self._imu = receptions["IMU_Data"]
        self._accelerator = receptions["VCU_Torque"]
        self._read_imu, self._read_ax = imu_reader(database), acceleration_reader(database)
        self._read_accelerator = accelerator_reader(database)
        self._imu_data: bytes | None = None
        judges = "plausibility" not in without
        self._build_inputs(database, receptions, arrival_of, codes, judges=judges)
        self.assistance = AssistanceInput(
            database, receptions["ADAS_LongReq"], p, period_s=period_s
        )
        self.inertia = None
        if judges:
            self.inertia = InertiaPlausibility(port, period_s=2.0 * period_s, codes=codes)
        self._odd_step = False
        self.hold = StandstillHold(port, p, period_s=period_s)
        self.power_mode = POWER_MODE_DRIVE
        """What the vehicle is in, as far as it is known."""
        self.park_brake = ParkBrake(
            port, database, [receptions["EMB_RL_St1"], receptions["EMB_RR_St1"]], codes
        )
        self.slip = SlipController()
        self.force_max_n = [p.front_force_max_n] * 2 + [p.rear_force_max_n] * 2
        self.ax_mps2 = self.decel_mps2 = 0.0
        self.ax_valid = False
        self.source = RequestSource.NONE
        self.emergency = False
        self.may_command = True
        """False while it is not known yet where to go on."""
        self.force_request_n: list[float] = list(_NOTHING)
        self.degradation = Degradation.FULL
        self.standstill = False
        self.wheels_suspect = False
        """Whether a wheel speed is not plausible."""
        self._braking_since_ns: int | None = None
        self._healthy_decel_mps2 = 0.0
        self._healthy_demand_n: tuple[float, ...] = _NOTHING

    def _build_inputs(
        self,
        database: Database,
        receptions: Mapping[str, Reception],
        arrival_of: Callable[[Reception], ArrivalMonitor] | None,
        codes: TroubleCodeReports,
        *,
        judges: bool,
    ) -> None:
        """What watches actuators, wheels, pedal and supply."""
        port, p = self._port, self._p
        self.actuators = Actuators(
            database, port, [receptions[f"EMB_{c}_St1"] for c in CORNERS], arrival_of, codes
        )
        self.pedal = PedalInput(
            database, receptions["BPS_Pedal"], p, port.log, checked=judges, codes=codes
        )
        if arrival_of is not None:
            self.pedal.watch_arrival(arrival_of)
            self.actuators.witness = self.pedal.arrival
        self.supply = SupplyInput(port, database, receptions["PDM_Supply"], p, codes)
        self.wheels = WheelPlausibility(port, codes=codes) if judges else None

    def step(self, now_ns: int) -> None:
        """One control period."""
        starting = now_ns - self._started_ns < self._p.start_up_ns
        actuators = self.actuators
        actuators.update(now_ns, starting=starting)
        a, b, c, d = actuators.corners
        wheel_mps = [
            a.wheel_speed_kmh / KMH_PER_MPS,
            b.wheel_speed_kmh / KMH_PER_MPS,
            c.wheel_speed_kmh / KMH_PER_MPS,
            d.wheel_speed_kmh / KMH_PER_MPS,
        ]
        clamp_n = [a.clamp_force_n, b.clamp_force_n, c.clamp_force_n, d.clamp_force_n]
        self._odd_step = not self._odd_step
        wheels = self.wheels
        # Wheels and inertia are judged by turns, every 10 ms; a wheel left out stays so each step.
        if wheels is not None and (self._odd_step or wheels.is_urgent(a, b, c, d)) and not starting:
            self._judge_wheels(wheels, now_ns)
        if not (a.wheel_valid and b.wheel_valid and c.wheel_valid and d.wheel_valid):
            self._follow_partners(wheel_mps)
        self._take_acceleration(now_ns, wheel_mps, clamp_n)
        self.assistance.update(now_ns)
        self.supply.update(now_ns)
        driver_mps2 = self.pedal.decel_mps2(now_ns, starting=starting)
        wheel_valid = [a.wheel_valid, b.wheel_valid, c.wheel_valid, d.wheel_valid]
        hold_mps2 = self._hold(now_ns, wheel_mps, wheel_valid, driver_mps2)
        self.park_brake.step(now_ns, standstill=self.standstill, starting=starting)
        self._has_inputs(now_ns)
        self._arbitrate(driver_mps2, hold_mps2)
        self._has_arbitrated(now_ns)
        demand_n = self._demand_n(now_ns)
        self._has_distributed(now_ns)
        slip = self.slip
        # Redistribution makes the rear forces unequal on purpose: select-low would undo it.
        lost = actuators.lost
        slip.rear_select_low = healthy = not any(lost)
        slip.accelerometer_valid = valid = self.ax_valid
        ax_mps2 = self.ax_mps2 if valid else self._estimated_mps2(clamp_n)
        self.force_request_n = slip.step(demand_n, wheel_mps, ax_mps2, wheel_valid, clamp_n)
        if starting or not self.request_valid:
            actuators.forget_forces()
        else:
            actuators.watch_forces(self.force_request_n, now_ns, self._p)
        lanes = self._lanes
        if lanes is not None and lanes.changed:
            lanes.look(now_ns)
            self._lane = lanes.impaired_lane
        if (
            not healthy
            or self.pedal.degraded
            or self._lane != NO_LANE
            or self.supply.lost
            or self.degradation is not _FULL
        ):
            self._judge_degradation(lost)

    def _arbitrate(self, driver_mps2: float, hold_mps2: float) -> None:
        assistance = self.assistance
        self.decel_mps2, self.source = arbitrate(
            driver_mps2=driver_mps2,
            emergency_mps2=assistance.emergency_mps2,
            cruise_mps2=assistance.cruise_mps2,
            hold_mps2=hold_mps2,
        )
        self.emergency = self.source is _AEB

    def _judge_wheels(self, wheels: WheelPlausibility, now_ns: int) -> None:
        slip = self.slip
        wheels.step(
            self.actuators.corners,
            self.force_request_n,
            now_ns,
            speed_mps=slip.reference_speed_mps,
            ceiling_mps=slip.speed_ceiling_mps,
        )
        self.wheels_suspect = wheels.impaired

    def _follow_partners(self, wheel_mps: list[float]) -> None:
        """A wheel without a valid speed turns as the other one of its axle."""
        corners = self.actuators.corners
        for i, corner in enumerate(corners):
            partner = corners[i ^ 1]
            if not corner.wheel_valid and partner.wheel_valid:
                wheel_mps[i] = partner.wheel_speed_kmh / KMH_PER_MPS

    def _judge_degradation(self, lost: tuple[bool, bool, bool, bool]) -> None:
        level = degradation(
            lost,
            pedal_degraded=self.pedal.degraded,
            lane=self._lane,
            supply=self.supply.lost,
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

    @property
    def inertia_suspect(self) -> bool:
        """Whether the acceleration or the yaw rate is not plausible or not valid."""
        return self.inertia is not None and self.inertia.suspect

    @property
    def request_valid(self) -> bool:
        """Whether the commands mean anything: somebody asks, or the driver is known not to.

        Without a pedal the actuators shall not be told to open; what they do then is COM-004.
        """
        if not self.may_command:
            return False
        return self.pedal.available or self.source not in _OF_THE_DRIVER

    def _demand_n(self, now_ns: int) -> Sequence[float]:
        """Clamp forces before slip control."""
        if self.decel_mps2 <= 0.0:
            self._braking_since_ns = None
            return _NOTHING
        if self._braking_since_ns is None:
            self._braking_since_ns = now_ns
        # The driver needs time to steer after a loss, and again at every braking without a brake.
        since_ns = self.actuators.lost_since_ns
        if since_ns is not None:
            since_ns = max(since_ns, self._braking_since_ns)
        # With none to count on it is asked of all what the driver asks: one may still hear it.
        lost = self.actuators.without
        healthy = not any(lost)
        if healthy and since_ns is None and self._healthy_decel_mps2 == self.decel_mps2:
            return self._healthy_demand_n  # with all brakes it depends on nothing else
        demand_n = distribute(
            self.decel_mps2,
            mass_kg=self._p.mass_kg,
            available=[not one for one in lost],
            force_max_n=self.force_max_n,
            speed_mps=self.slip.reference_speed_mps,
            since_loss_s=(now_ns - since_ns) / NS_PER_S if since_ns is not None else 1e9,
            redistribute=self._redistributes,
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
        hold = self.hold
        if hold.state is _UNAVAIL and not enabled:
            # Switched off and staying so, as nearly always.
            hold.watch_wheels(now_ns, wheel_mps, wheel_valid)
            self.standstill = hold.standstill(now_ns)
            return 0.0
        drive_off = assistance.releases_hold
        if now_ns <= accelerator.valid_until_ns:
            (accelerator_pct,) = self._read_accelerator.read(accelerator.data)
            # Beyond 100 % lies "not available", which is no wish to drive off.
            pressed = self._p.release_accelerator_pct < accelerator_pct <= 100.0
            drive_off = drive_off or pressed
        hold_mps2 = hold.step(
            now_ns,
            wheel_speed_mps=wheel_mps,
            wheel_valid=wheel_valid,
            enabled=enabled,
            drive_off=drive_off,
            requested_mps2=max(requested_mps2, assistance.cruise_mps2, assistance.emergency_mps2),
            slope_mps2=self.ax_mps2 if self.ax_valid else self._p.hold_blind_mps2,
            all_lost=all(self.actuators.lost),
        )
        self.standstill = hold.standstill(now_ns)
        return hold_mps2

    def _take_acceleration(
        self, now_ns: int, wheel_mps: Sequence[float], clamp_n: Sequence[float]
    ) -> None:
        imu = self._imu
        if now_ns > imu.expected_ns:
            imu.monitor(now_ns)
        if now_ns > imu.valid_until_ns:
            self.ax_valid = False
            self.ax_mps2 = 0.0
            self._imu_data = None
        elif imu.data is not self._imu_data:
            self._imu_data = imu.data
            inertia = self.inertia
            if inertia is not None:
                inertia.now_ns = now_ns
            if inertia is None or self._odd_step:
                ax_mps2, quality = self._read_ax.read(imu.data)
                valid = quality == QUALITY_VALID
            else:
                ax_mps2, valid = self._judge_inertia(inertia, imu.data, wheel_mps, clamp_n)
            if inertia is not None and inertia.ax_suspect:
                valid = False
            self.ax_valid = valid
            self.ax_mps2 = ax_mps2 if valid else 0.0

    def _judge_inertia(
        self,
        inertia: InertiaPlausibility,
        data: bytes,
        wheel_mps: Sequence[float],
        clamp_n: Sequence[float],
    ) -> tuple[float, bool]:
        """Acceleration, and whether it says that it is valid."""
        ax_mps2, quality, ay_mps2, ay_quality, yaw_degps, yaw_quality = self._read_imu.read(data)
        valid = quality == QUALITY_VALID
        yaw_valid = yaw_quality == QUALITY_VALID
        inertia.judge_quality(valid, yaw_valid)
        slip = self.slip
        speed_mps = slip.reference_speed_mps
        if valid:
            braked = max(clamp_n) > 0.0
            grip_ratio = _BRAKED_GRIP_RATIO if braked else _ROLLING_GRIP_RATIO
            inertia.judge_ax(
                ax_mps2,
                slip.acceleration_offset_mps2,
                self._estimated_mps2(clamp_n) if braked else 0.0,
                wheel_mps,
                moving=speed_mps > _MOVING_MPS,
                gripping=min(wheel_mps) > grip_ratio * slip.speed_ceiling_mps - _GRIP_MPS,
                brakes_known=self.actuators.lost_since_ns is None,
            )
        if yaw_valid and ay_quality == QUALITY_VALID:
            inertia.judge_yaw(
                yaw_degps / DEG_PER_RAD,
                ay_mps2,
                wheel_mps,
                speed_mps=speed_mps,
                rolling=self.decel_mps2 <= 0.0,
                sliding=any(slip.active),
            )
        return ax_mps2, valid
