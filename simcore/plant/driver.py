"""A human at the steering wheel who keeps the lane while the vehicle brakes.

Looks some time ahead, sees where the vehicle will be, and steers against it with a reaction delay
and a limited rate. Validation needs it: legal braking tests on uneven grip allow, and expect, a
driver who corrects. It is no lane keeping function of an ECU.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.plant.parameters import SharedParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverParameters(SharedParameters):
    """Angles are at the road wheels; a steering ratio of 14 makes 0.14 rad one 112 deg hand."""

    preview_s: float = 0.7
    correction_ratio: float = 1.0
    """1 steers the circle that meets the lane again at the end of the preview."""
    settling_per_s: float = 0.8
    """How fast a lasting correction turns into the new straight ahead."""
    preview_min_m: float = 7.0
    wheelbase_m: float = 3.0
    delay_s: float = 0.2
    steer_max_rad: float = 0.17
    steer_rate_max_radps: float = 0.75
    sample_s: float = 0.01

    def __post_init__(self) -> None:
        for name in ("sample_s", "steer_max_rad", "steer_rate_max_radps"):
            value = getattr(self, name)
            if not value > 0.0:
                raise UsageError(f"DriverParameters.{name}", expected="> 0", got=value)


DEFAULT_DRIVER = DriverParameters()


class LaneKeepingDriver:
    """Steers back to the line y = `lane_y_m` along the x axis."""

    __slots__ = (
        "_settled_rad",
        "_since_sample_s",
        "_wanted_rad",
        "lane_y_m",
        "parameters",
        "steer_rad",
    )

    def __init__(self, parameters: DriverParameters = DEFAULT_DRIVER) -> None:
        self.parameters = parameters
        self.lane_y_m = 0.0
        self.steer_rad = 0.0
        self._since_sample_s = 0.0
        self._settled_rad = 0.0
        samples = max(1, round(parameters.delay_s / parameters.sample_s))
        self._wanted_rad: deque[float] = deque([0.0] * samples, maxlen=samples)

    def step(
        self, dt_s: float, *, y_m: float, yaw_rad: float, yaw_rate_radps: float, speed_mps: float
    ) -> float:
        """Road wheel angle in rad for this instant, left > 0."""
        p = self.parameters
        self._since_sample_s += dt_s
        if self._since_sample_s >= p.sample_s:
            self._since_sample_s -= p.sample_s
            self._wanted_rad.append(self._decide(y_m, yaw_rad, yaw_rate_radps, speed_mps))
        step_max_rad = p.steer_rate_max_radps * dt_s
        change_rad = self._wanted_rad[0] - self.steer_rad
        self.steer_rad += min(step_max_rad, max(-step_max_rad, change_rad))
        return self.steer_rad

    def _decide(self, y_m: float, yaw_rad: float, yaw_rate_radps: float, speed_mps: float) -> float:
        p = self.parameters
        preview_m = p.preview_s * speed_mps
        heading_rad = yaw_rad + 0.5 * p.preview_s * yaw_rate_radps
        ahead_m = y_m - self.lane_y_m + preview_m * heading_rad
        preview_m = max(preview_m, p.preview_min_m)
        correction_rad = (
            -2.0 * p.correction_ratio * p.wheelbase_m * ahead_m / (preview_m * preview_m)
        )
        limit_rad = p.steer_max_rad
        settled_rad = self._settled_rad + p.settling_per_s * p.sample_s * correction_rad
        self._settled_rad = min(limit_rad, max(-limit_rad, settled_rad))
        return min(limit_rad, max(-limit_rad, correction_rad + self._settled_rad))
