"""The closed loop that validates plant and control together, without messages.

Stands in for buses and ECU tasks: the distribution and the slip control run every 5 ms on wheel
speeds that are 6 ms old, their forces reach the brakes 1 ms later, the force controllers run every
millisecond on the calipers. Not a test of the rig, which does the same over the real interface.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from simcore.ecu.cdc.distribution import distribute
from simcore.ecu.cdc.slip_control import SlipController
from simcore.ecu.emb import force_control
from simcore.plant.chassis import ChassisPlant
from simcore.plant.driver import LaneKeepingDriver
from simcore.plant.environment import Surface

STEP_S = 0.001
SENSOR_AGE_STEPS = 6
COMMAND_AGE_STEPS = 1
CONTROL_STEPS = 5
RADIUS_M = 0.345
FORCE_MAX_N = (40_000.0, 40_000.0, 27_000.0, 27_000.0)


@dataclass
class Stop:
    """One braking to (near) standstill, as the regulations evaluate it."""

    start_mps: float
    distance_m: float = 0.0
    time_s: float = 0.0
    trace: list[tuple[float, float]] = field(default_factory=list)
    longest_lock_s: list[float] = field(default_factory=lambda: [0.0] * 4)
    longest_deep_s: list[float] = field(default_factory=lambda: [0.0] * 4)
    cycles: int = 0
    y_max_m: float = 0.0
    yaw_max_rad: float = 0.0
    yaw_rate_max_radps: float = 0.0
    steer_max_rad: float = 0.0

    def mfdd_mps2(self, high_ratio: float = 0.8, low_ratio: float = 0.1) -> float:
        """Mean fully developed deceleration between two parts of the start speed."""
        high, low = high_ratio * self.start_mps, low_ratio * self.start_mps
        at_high = next(s for v, s in self.trace if v <= high)
        at_low = next(s for v, s in self.trace if v <= low)
        return (high * high - low * low) / (2.0 * (at_low - at_high))


class ClosedLoop:
    """A braked vehicle; `lost` names corners whose brake does not answer."""

    def __init__(
        self,
        surface: Surface,
        *,
        kmh: float,
        abs_on: bool = True,
        lost: tuple[int, ...] = (),
        steering: bool = False,
        sub_steps: int = 1,
        mass_kg: float = 2200.0,
        ax_offset_mps2: float = 0.0,
    ) -> None:
        self.plant = ChassisPlant(surface=surface)
        self.plant.vehicle.set_mass(mass_kg)
        self.plant.vehicle.set_speed(kmh / 3.6)
        self.mass_kg = mass_kg
        self.lost = lost
        self.abs_on = abs_on
        self.ax_offset_mps2 = ax_offset_mps2
        self.driver = LaneKeepingDriver() if steering else None
        self.slip = SlipController()
        self.slip.start_at(kmh / 3.6)
        self.controllers = [
            force_control.ForceController(force_control.FRONT if i < 2 else force_control.REAR)
            for i in range(4)
        ]
        self.force_n = [0.0] * 4
        self.sub_steps = sub_steps
        self.now_steps = 0
        rolling = tuple(w * RADIUS_M for w in self.plant.vehicle.wheel_speed_radps)
        self.seen_mps = deque([rolling] * SENSOR_AGE_STEPS, maxlen=SENSOR_AGE_STEPS)
        self.sent_n = deque([(0.0,) * 4] * (COMMAND_AGE_STEPS + 1), maxlen=COMMAND_AGE_STEPS + 1)

    def step(self, decel_mps2: float) -> None:
        """One millisecond under a deceleration demand."""
        plant, vehicle = self.plant, self.plant.vehicle
        if self.now_steps % CONTROL_STEPS == 0:
            self.control(decel_mps2)
        self.now_steps += 1
        self.sent_n.append(tuple(self.force_n))
        wanted_n = self.sent_n[0]
        for i, caliper in enumerate(plant.calipers):
            if i in self.lost:
                continue
            plant.motor_current_a[i] = self.controllers[i].step(
                wanted_n[i],
                caliper.clamp_force_n,
                caliper.screw_travel_m,
                caliper.motor_speed_radps,
                plant.supply_v[i],
            )
        if self.driver is not None:
            plant.steer_rad = self.driver.step(
                STEP_S,
                y_m=vehicle.y_m,
                yaw_rad=vehicle.yaw_rad,
                yaw_rate_radps=vehicle.yaw_rate_radps,
                speed_mps=vehicle.speed_mps,
            )
        for _ in range(self.sub_steps):
            plant.step(STEP_S / self.sub_steps)
        self.seen_mps.append(tuple(w * RADIUS_M for w in vehicle.wheel_speed_radps))

    def control(self, decel_mps2: float) -> None:
        vehicle = self.plant.vehicle
        demand_n = distribute(
            decel_mps2,
            mass_kg=self.mass_kg,
            available=[i not in self.lost for i in range(4)],
            force_max_n=FORCE_MAX_N,
            speed_mps=self.slip.reference_speed_mps,
            since_loss_s=self.now_steps * STEP_S,
        )
        allowed_n = self.slip.step(
            demand_n,
            self.seen_mps[0],
            vehicle.specific_force_x_mps2 + self.ax_offset_mps2,
            [True] * 4,
            [caliper.clamp_force_n for caliper in self.plant.calipers],
        )
        self.force_n = allowed_n if self.abs_on else demand_n

    def stop(
        self,
        decel_mps2: float = 12.0,
        *,
        ramp_s: float = 0.12,
        until_mps: float = 0.05,
        timeout_s: float = 30.0,
    ) -> Stop:
        """Brake to `until_mps`; the demand rises over `ramp_s` like a foot on the pedal."""
        vehicle = self.plant.vehicle
        result = Stop(start_mps=vehicle.speed_mps)
        start_m = vehicle.distance_m
        lock_s, deep_s, was_active = [0.0] * 4, [0.0] * 4, False
        for k in range(int(timeout_s / STEP_S)):
            self.step(decel_mps2 * min(1.0, k * STEP_S / ramp_s))
            speed_mps = vehicle.speed_mps
            result.trace.append((speed_mps, vehicle.distance_m - start_m))
            for i, w_radps in enumerate(vehicle.wheel_speed_radps):
                above = speed_mps > 15.0 / 3.6
                lock_s[i] = lock_s[i] + STEP_S if above and w_radps == 0.0 else 0.0
                deep = above and w_radps * RADIUS_M < 0.2 * speed_mps
                deep_s[i] = deep_s[i] + STEP_S if deep else 0.0
                result.longest_lock_s[i] = max(result.longest_lock_s[i], lock_s[i])
                result.longest_deep_s[i] = max(result.longest_deep_s[i], deep_s[i])
            relieving = self.slip.phases[0] == 1
            result.cycles += relieving and not was_active
            was_active = relieving
            result.y_max_m = max(result.y_max_m, abs(vehicle.y_m))
            result.yaw_max_rad = max(result.yaw_max_rad, abs(vehicle.yaw_rad))
            result.yaw_rate_max_radps = max(result.yaw_rate_max_radps, abs(vehicle.yaw_rate_radps))
            result.steer_max_rad = max(result.steer_max_rad, abs(self.plant.steer_rad))
            if speed_mps < until_mps:
                break
        result.time_s = (k + 1) * STEP_S
        result.distance_m = vehicle.distance_m - start_m
        return result


@pytest.fixture
def closed_loop() -> Callable[..., ClosedLoop]:
    """`closed_loop(surface, kmh=..., ...)` builds a braked vehicle."""
    return ClosedLoop
