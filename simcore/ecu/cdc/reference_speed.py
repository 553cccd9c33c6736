"""Reference speed: how fast the vehicle moves, from wheels that may slip and an accelerometer.

While nobody brakes the wheels are believed and the accelerometer is calibrated against them,
which takes out its offset and the gravity of a slope. While braking the estimate integrates the
calibrated acceleration; a faster wheel pulls it up, a barely slower one pulls it down gently, and
so does a slower one that keeps step with the vehicle, for beyond the peak no wheel does.

One wheel alone may be wrong: it raises the estimate up to `ceiling_mps` at most, which two wheels
raise, or the acceleration with a margin. Rolling wheels that are not alike count by the middle two.
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
CEILING_MARGIN_MPS2: Final = 1.0
"""By so much the vehicle may decelerate less than the acceleration says: error, slope."""
CEILING_FALL_RATIO: Final = 0.02
"""Part of its distance to the estimate that the ceiling loses per step while wheels confirm it."""
CONFIRMED_SLIP_RATIO: Final = 0.03
CONFIRMED_MPS2: Final = 6.0
"""A wheel that changes speed otherwise than the vehicle by more than this is spinning up."""
CONFIRMED_AFTER_S: Final = 0.2
"""Just released wheels that were locked may stay so for as long as brakes need to open."""
ALIKE_MPS: Final = 1.0
_ALL_FOUR: Final = [True, True, True, True]


class ReferenceSpeed:
    """Estimates `speed_mps` (never negative) at a fixed period.

    `offset_mps2` is what the accelerometer shows beyond the change of speed: its zero error plus
    gravity along the slope.
    """

    __slots__ = (
        "_confirmed_s",
        "_dt_s",
        "_fastest_mps",
        "_fastest_mps2",
        "_mean_mps",
        "_second_mps",
        "_second_mps2",
        "_steady_s",
        "ceiling_mps",
        "offset_mps2",
        "speed_mps",
    )

    def __init__(self, *, dt_s: float = 0.005) -> None:
        self._dt_s = dt_s
        self._mean_mps = 0.0
        self._fastest_mps = 0.0
        self._fastest_mps2 = 0.0
        self._steady_s = 0.0
        self._confirmed_s = 0.0
        self._second_mps = 0.0
        self._second_mps2 = 0.0
        self.ceiling_mps = 0.0
        """The vehicle is not faster than this."""
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
        if wheel_valid == _ALL_FOUR:
            a_mps, b_mps, c_mps, d_mps = wheel_speed_mps
            mean_mps = (a_mps + b_mps + c_mps + d_mps) / 4
            alike = (
                -ALIKE_MPS < a_mps - b_mps < ALIKE_MPS
                and -ALIKE_MPS < c_mps - d_mps < ALIKE_MPS
                and -ALIKE_MPS < a_mps - c_mps < ALIKE_MPS
            )
        else:
            wheel_speed_mps = [
                wheel_mps
                for wheel_mps, valid in zip(wheel_speed_mps, wheel_valid, strict=True)
                if valid
            ]
            if not wheel_speed_mps:
                self.speed_mps = max(0.0, self.speed_mps + self._dt_s * vehicle_mps2)
                return self.speed_mps
            alike, mean_mps = False, _middle_mps(wheel_speed_mps)
        if braking:
            fastest_mps = self._usable_mps(
                wheel_speed_mps, vehicle_mps2, measured=measured, braking=True
            )
            self._follow(fastest_mps, vehicle_mps2)
            self._mean_mps = mean_mps
            return self.speed_mps
        if not alike:
            mean_mps = _middle_mps(wheel_speed_mps)
        if alike and self.ceiling_mps - mean_mps < ALIKE_MPS:
            self.ceiling_mps = mean_mps
        else:
            self._usable_mps(wheel_speed_mps, vehicle_mps2, measured=measured, braking=False)
        if not measured:
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
        # All wheels may have been in slip: the first to recover shall be believed.
        self.ceiling_mps = 1.5 * speed_mps

    def _usable_mps(
        self,
        wheel_speed_mps: Sequence[float],
        vehicle_mps2: float,
        *,
        measured: bool,
        braking: bool,
    ) -> float:
        """Raise or lower the ceiling; the fastest wheel speed below it."""
        fastest_mps = max(wheel_speed_mps)
        second_mps = fastest_mps if len(wheel_speed_mps) < 2 else sorted(wheel_speed_mps)[-2]
        raw_mps2 = (second_mps - self._second_mps) / self._dt_s
        self._second_mps2 += 0.3 * (raw_mps2 - self._second_mps2)
        self._second_mps = second_mps
        # What brake forces amount to may be far from true on ice.
        decel_mps2 = vehicle_mps2 if measured or vehicle_mps2 > 0.0 else 0.0
        ceiling_mps = self.ceiling_mps + self._dt_s * (decel_mps2 + CEILING_MARGIN_MPS2)
        speed_mps = self.speed_mps
        if second_mps > ceiling_mps:
            ceiling_mps = second_mps
        elif (
            ceiling_mps > speed_mps
            and second_mps >= (1.0 - CONFIRMED_SLIP_RATIO) * speed_mps
            and -CONFIRMED_MPS2 < self._second_mps2 - vehicle_mps2 < CONFIRMED_MPS2
        ):
            self._confirmed_s += self._dt_s
            if braking or self._confirmed_s > CONFIRMED_AFTER_S:
                ceiling_mps -= CEILING_FALL_RATIO * (ceiling_mps - speed_mps)
        else:
            self._confirmed_s = 0.0
        if braking:
            self._confirmed_s = 0.0
        self.ceiling_mps = ceiling_mps = max(ceiling_mps, 0.0)
        return min(fastest_mps, ceiling_mps)

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


def _middle_mps(wheel_speed_mps: Sequence[float]) -> float:
    """Mean of the wheels; of three or more without the fastest and the slowest."""
    ordered_mps = sorted(wheel_speed_mps)
    count = len(ordered_mps)
    if count > 2:
        ordered_mps = ordered_mps[1 : count - 1]
    total_mps = 0.0
    for wheel_mps in ordered_mps:
        total_mps += wheel_mps
    return total_mps / len(ordered_mps)
