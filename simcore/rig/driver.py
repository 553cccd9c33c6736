"""The driver: feet and hands, in virtual time.

Presses and releases the pedals along ramps, steers to keep the lane, and can hold a speed. What
the driver does is physical: the pedal moves, the pedal sensor sees it.
"""

from __future__ import annotations

from simcore.errors import UsageError
from simcore.plant.driver import LaneKeepingDriver
from simcore.rig.events import EventLog
from simcore.units import KMH_PER_MPS, NS_PER_MS

PEDAL_FULL_TRAVEL_MM = 60.0
PEDAL_FULL_FORCE_N = 500.0
DEFAULT_RAMP_NS = 120 * NS_PER_MS
_SPEED_GAIN_N_PER_MPS = 8_000.0
_DRIVE_FORCE_MAX_N = 8_000.0
_STEERS_ABOVE_MPS = 0.5


class Driver:
    """What the human does. `pedal_pct` is the brake pedal's position, 0..100."""

    __slots__ = (
        "_cruise_mps",
        "_from_pct",
        "_has_steered",
        "_log",
        "_ramp_ns",
        "_ramp_start_ns",
        "_steering",
        "_target_pct",
        "accelerator_n",
        "hands_on",
        "pedal_pct",
    )

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._steering = LaneKeepingDriver()
        self.pedal_pct = 0.0
        self._from_pct = 0.0
        self._target_pct = 0.0
        self._ramp_start_ns = 0
        self._ramp_ns = 0
        self._cruise_mps: float | None = None
        self._has_steered = False
        self.hands_on = True
        """Steer to keep the lane; False holds the wheel straight."""
        self.accelerator_n = 0.0
        """Driving force the accelerator asks for."""

    @property
    def pressed(self) -> bool:
        """Whether the brake pedal is pressed, or on its way."""
        return self.pedal_pct > 0.0 or self._target_pct > 0.0

    def press(self, pedal_pct: float, *, now_ns: int, ramp_ns: int = DEFAULT_RAMP_NS) -> None:
        """Move the brake pedal to `pedal_pct` along a straight ramp."""
        if not isinstance(pedal_pct, (int, float)) or not 0.0 <= pedal_pct <= 100.0:
            raise UsageError("driver.press", expected="0..100 %", got=f"{pedal_pct} %")
        if isinstance(ramp_ns, bool) or not isinstance(ramp_ns, int) or ramp_ns < 0:
            raise UsageError("driver.press", expected="a ramp >= 0 ns", got=f"{ramp_ns} ns")
        self._cruise_mps = None
        self.accelerator_n = 0.0
        self._from_pct = self.pedal_pct
        self._target_pct = pedal_pct
        self._ramp_start_ns = now_ns
        self._ramp_ns = ramp_ns
        self._log.add("driver", "driver", f"brake pedal to {pedal_pct:g} %")

    def hold_speed(self, kmh: float | None) -> None:
        """Hold a speed, 0..300 km/h, with the accelerator; `None` takes the foot off."""
        if kmh is not None and not 0.0 <= kmh <= 300.0:
            raise UsageError("driver.hold_speed", expected="0..300 km/h", got=f"{kmh} km/h")
        self._cruise_mps = None if kmh is None else kmh / KMH_PER_MPS
        if kmh is None:
            self.accelerator_n = 0.0
        text = "accelerator released" if kmh is None else f"accelerator holds {kmh:g} km/h"
        self._log.add("driver", "driver", text)

    def step(
        self,
        now_ns: int,
        dt_s: float,
        y_m: float,
        yaw_rad: float,
        yaw_rate_radps: float,
        speed_mps: float,
    ) -> float:
        """One plant step; returns the road wheel angle in rad."""
        if self.pedal_pct != self._target_pct:
            elapsed_ns = now_ns - self._ramp_start_ns
            if elapsed_ns >= self._ramp_ns:
                self.pedal_pct = self._target_pct
            else:
                share = elapsed_ns / self._ramp_ns
                self.pedal_pct = self._from_pct + share * (self._target_pct - self._from_pct)
        if self._cruise_mps is not None:
            wanted_n = _SPEED_GAIN_N_PER_MPS * (self._cruise_mps - speed_mps)
            self.accelerator_n = min(_DRIVE_FORCE_MAX_N, max(0.0, wanted_n))
        if not self.hands_on or (
            # Exactly straight, hands at rest: nothing to see, nothing to correct.
            y_m == 0.0 and yaw_rad == 0.0 and yaw_rate_radps == 0.0 and not self._has_steered
        ):
            return 0.0
        self._has_steered = True
        if speed_mps < _STEERS_ABOVE_MPS:
            return self._steering.steer_rad
        return self._steering.step(
            dt_s, y_m=y_m, yaw_rad=yaw_rad, yaw_rate_radps=yaw_rate_radps, speed_mps=speed_mps
        )
