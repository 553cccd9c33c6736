"""Reference speed: how fast the vehicle moves, from wheels that may slip and an accelerometer.

While nobody brakes the wheels are believed and the accelerometer is calibrated against them,
which takes out its offset and the gravity of a slope. While braking the estimate integrates the
calibrated acceleration; a faster wheel pulls it up, a barely slower one pulls it down gently, and
so does a slower one that keeps step with the vehicle, for beyond the peak no wheel does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PULL_UP_RATIO: Final = 0.1
"""Part of the distance to a faster wheel that one step makes good."""
PULL_DOWN_RATIO: Final = 0.02
PULL_DOWN_SLIP_RATIO: Final = 0.03
"""A wheel slower by less than this slip is taken as rolling, not as braked into slip."""
STEADY_PULL_RATIO: Final = 0.1
STEADY_SLIP_RATIO: Final = 0.08
"""Most slip a wheel can keep up in step with the vehicle; more means the estimate is too fast."""
STEADY_AFTER_S: Final = 0.05
STEADY_MPS2: Final = 2.2
RECOVERING_MPS2: Final = 4.0
STEADY_SHARE_RATIO: Final = 0.3
"""A wheel keeps step if it loses no more than `STEADY_MPS2` plus this part of the vehicle's own
deceleration on it: on ice even a wheel on its way to locking changes speed slowly."""
SENSOR_AGE_S: Final = 0.006
"""Age of a wheel speed when it arrives here: measurement, message, bus, task."""
OFFSET_TIME_CONSTANT_S: Final = 1.0
OFFSET_JUMP_MPS2: Final = 15.0
STANDSTILL_MPS: Final = 0.3


class ReferenceSpeed:
    """Estimates `speed_mps` (never negative) at a fixed period.

    `offset_mps2` is what the accelerometer shows beyond the change of speed: its zero error plus
    gravity along the slope.
    """

    __slots__ = (
        "_dt_s",
        "_fastest_mps",
        "_fastest_mps2",
        "_mean_mps",
        "_steady_s",
        "offset_mps2",
        "speed_mps",
    )

    def __init__(self, *, dt_s: float = 0.005) -> None:
        self._dt_s = dt_s
        self._mean_mps = 0.0
        self._fastest_mps = 0.0
        self._fastest_mps2 = 0.0
        self._steady_s = 0.0
        self.offset_mps2 = 0.0
        self.speed_mps = 0.0

    def step(
        self,
        wheel_speed_mps: Sequence[float],
        wheel_valid: Sequence[bool],
        ax_mps2: float,
        *,
        braking: bool,
        measured: bool = True,
    ) -> float:
        """Advance one period; wheel speeds are magnitudes. Returns the new `speed_mps`.

        With `measured` false `ax_mps2` is no reading but an estimate: free of offset, and no
        reason to learn one.
        """
        vehicle_mps2 = ax_mps2 - self.offset_mps2 if measured else ax_mps2
        count = 0
        total_mps = 0.0
        fastest_mps = 0.0
        for wheel_mps, valid in zip(wheel_speed_mps, wheel_valid, strict=True):
            if valid:
                count += 1
                total_mps += wheel_mps
                fastest_mps = max(fastest_mps, wheel_mps)
        if count == 0:
            self.speed_mps = max(0.0, self.speed_mps + self._dt_s * vehicle_mps2)
            return self.speed_mps
        mean_mps = total_mps / count
        if braking:
            self._follow(fastest_mps, vehicle_mps2)
        elif not measured:
            self.speed_mps = mean_mps
        else:
            change_mps2 = (mean_mps - self._mean_mps) / self._dt_s
            apart_mps2 = vehicle_mps2 - change_mps2
            # A jump (waking in a moving vehicle, a wheel that comes back) calibrates nothing.
            if -OFFSET_JUMP_MPS2 < apart_mps2 < OFFSET_JUMP_MPS2:
                self.offset_mps2 += (self._dt_s / OFFSET_TIME_CONSTANT_S) * apart_mps2
            self.speed_mps = mean_mps
        self._mean_mps = mean_mps
        return self.speed_mps

    def start_at(self, speed_mps: float) -> None:
        """Take `speed_mps` as known, for instance when the ECU wakes in a moving vehicle."""
        self.speed_mps = speed_mps
        self._mean_mps = speed_mps

    def _follow(self, fastest_mps: float, vehicle_mps2: float) -> None:
        predicted_mps = self.speed_mps + self._dt_s * vehicle_mps2
        self._watch_steadiness(fastest_mps, vehicle_mps2)
        now_mps = fastest_mps + SENSOR_AGE_S * vehicle_mps2 if fastest_mps > 0.0 else 0.0
        behind_mps = predicted_mps - now_mps
        excess_mps = predicted_mps - now_mps / (1.0 - STEADY_SLIP_RATIO)
        if behind_mps < 0.0:
            predicted_mps -= PULL_UP_RATIO * behind_mps
        elif self._steady_s > STEADY_AFTER_S and excess_mps > 0.0:
            predicted_mps -= STEADY_PULL_RATIO * excess_mps
        elif behind_mps < PULL_DOWN_SLIP_RATIO * predicted_mps:
            predicted_mps -= PULL_DOWN_RATIO * behind_mps
        if fastest_mps < STANDSTILL_MPS and predicted_mps < STANDSTILL_MPS:
            predicted_mps = fastest_mps
        self.speed_mps = max(0.0, predicted_mps)

    def _watch_steadiness(self, fastest_mps: float, vehicle_mps2: float) -> None:
        """How long the fastest wheel has been keeping step with the vehicle."""
        raw_mps2 = (fastest_mps - self._fastest_mps) / self._dt_s
        self._fastest_mps2 += 0.5 * (raw_mps2 - self._fastest_mps2)
        self._fastest_mps = fastest_mps
        apart_mps2 = self._fastest_mps2 - vehicle_mps2
        room_mps2 = STEADY_MPS2 + STEADY_SHARE_RATIO * abs(vehicle_mps2)
        in_step = -room_mps2 < apart_mps2 < RECOVERING_MPS2 and fastest_mps > 0.0
        self._steady_s = self._steady_s + self._dt_s if in_step else 0.0
