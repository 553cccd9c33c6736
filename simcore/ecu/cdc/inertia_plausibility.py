"""The inertial sensor against wheels and brakes: acceleration and yaw rate, stuck or offset.

Longitudinal acceleration: rolling freely, it has to change as the wheels do, but for what a change
of slope explains; braking, it cannot show more than the brakes deliver, and a real one never stays
the same to the last digit while the forces change. Without it slip control goes by the forces.
Yaw rate: speed times yaw rate is the lateral acceleration, and while the wheels roll freely left
and right differ as the car turns. Nothing is controlled by it yet: what it degrades is the warning
lamp of the stability control, which this interface has and this controller has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simcore.ecu.cdc.trouble_codes import (
    ACCELERATION_INVALID,
    ACCELERATION_WRONG,
    YAW_INVALID,
    YAW_WRONG,
)
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class InertiaPlausibilityParameters:
    """Tolerances, and how many samples of 10 ms something has to last."""

    rolling_mps2: float = 2.6
    """Acceleration beyond that of rolling wheels: more than a 25 % slope appears at once."""
    rolling_samples: int = 10
    jump_mps2: float = 15.0
    """Wheels that seem to change faster were set, or come back after a loss."""
    brakes_mps2: float = 3.5
    """Deceleration beyond what the clamp forces amount to."""
    brakes_samples: int = 10
    stuck_samples: int = 5
    stuck_change_mps2: float = 0.5
    """What the clamp forces amount to must have changed by so much meanwhile."""
    heal_samples: int = 200
    yaw_above_mps: float = 5.0
    yaw_mps2: float = 2.5
    """Lateral acceleration apart from speed times yaw rate."""
    yaw_samples: int = 20
    track_m: float = 1.69
    wheel_filter_ratio: float = 0.2

    def __deepcopy__(self, memo: dict[int, object]) -> InertiaPlausibilityParameters:
        return self


DEFAULT_INERTIA = InertiaPlausibilityParameters()


class InertiaPlausibility:
    """Judges what the inertial sensor says; `ax_suspect` and `yaw_suspect` are its verdicts."""

    __slots__ = (
        "_agreed",
        "_ax_mps2",
        "_ax_valid",
        "_brakes_at_mps2",
        "_codes",
        "_mean_mps",
        "_odd",
        "_p",
        "_period_s",
        "_port",
        "_same",
        "_trend_mps2",
        "_was_valid",
        "_yaw_agreed",
        "_yaw_odd",
        "_yaw_valid",
        "ax_suspect",
        "now_ns",
        "yaw_suspect",
    )

    def __init__(
        self,
        port: Port,
        *,
        period_s: float,
        parameters: InertiaPlausibilityParameters = DEFAULT_INERTIA,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self.now_ns = 0
        """Of the sample that is judged, written by who calls."""
        self._p = parameters
        self._period_s = period_s
        self._ax_mps2 = 0.0
        self._same = 0
        self._brakes_at_mps2 = 0.0
        """What the brakes delivered when the acceleration last changed."""
        self._mean_mps = -1.0
        self._trend_mps2 = 0.0
        """How fast rolling wheels depart from the acceleration, filtered."""
        self._odd = 0
        self._agreed = 0
        self._yaw_odd = 0
        self._yaw_agreed = 0
        self._ax_valid = self._yaw_valid = True
        self._was_valid = False
        self.ax_suspect = False
        self.yaw_suspect = False

    @property
    def suspect(self) -> bool:
        """Whether anything of it is wrong or says so itself."""
        return self.ax_suspect or self.yaw_suspect or not (self._ax_valid and self._yaw_valid)

    def judge_quality(self, ax_valid: bool, yaw_valid: bool) -> None:
        """What the sensor says of itself; starting up it is not valid yet."""
        if ax_valid and yaw_valid:
            if not (self._ax_valid and self._yaw_valid):
                self._codes.passed(ACCELERATION_INVALID, self.now_ns)
                self._codes.passed(YAW_INVALID, self.now_ns)
            self._ax_valid = self._yaw_valid = self._was_valid = True
            return
        if not self._was_valid:
            return
        if self._ax_valid and not ax_valid:
            self._port.log("detection", "acceleration not valid")
            self._codes.failed(ACCELERATION_INVALID, self.now_ns)
        if self._yaw_valid and not yaw_valid:
            self._port.log("detection", "yaw rate not valid")
            self._codes.failed(YAW_INVALID, self.now_ns)
        self._ax_valid, self._yaw_valid = ax_valid, yaw_valid

    def judge_ax(
        self,
        ax_mps2: float,
        offset_mps2: float,
        brakes_mps2: float,
        wheel_mps: Sequence[float],
        *,
        moving: bool,
        gripping: bool,
        brakes_known: bool,
    ) -> None:
        """A new acceleration, and what is learnt of its offset and the slope.

        `brakes_mps2` is what the brakes deliver, negative; `brakes_known` says that all four tell
        their forces. Wheels that are not `gripping` are in slip: they spin up without the car, and
        on ice it decelerates evenly whatever the brakes do.
        """
        p = self._p
        if not moving:
            self._same = self._odd = 0
            self._ax_mps2, self._brakes_at_mps2 = ax_mps2, brakes_mps2
            self._mean_mps = -1.0
            return
        if ax_mps2 != self._ax_mps2 or not gripping:
            self._ax_mps2 = ax_mps2
            self._same = 0
            self._brakes_at_mps2 = brakes_mps2
        else:
            self._same += 1
        reason = ""
        if self._same >= p.stuck_samples:
            changed_mps2 = brakes_mps2 - self._brakes_at_mps2
            if not -p.stuck_change_mps2 <= changed_mps2 <= p.stuck_change_mps2:
                reason = f"stuck at {ax_mps2:.2f} m/s2"
        vehicle_mps2 = ax_mps2 - offset_mps2
        if brakes_mps2 > -0.1 and gripping:
            odd, samples = self._rolls_oddly(vehicle_mps2, wheel_mps), p.rolling_samples
        else:
            self._mean_mps = -1.0
            odd = (
                brakes_known and brakes_mps2 <= -0.1 and vehicle_mps2 < brakes_mps2 - p.brakes_mps2
            )
            samples = p.brakes_samples
        self._odd = self._odd + 1 if odd else 0
        if self._odd >= samples:
            reason = f"{vehicle_mps2:.1f} m/s2 without a cause"
        if reason:
            self._agreed = 0
            if not self.ax_suspect:
                self.ax_suspect = True
                self._port.log("detection", f"acceleration wrong: {reason}")
                self._port.log("reaction", "acceleration estimated from the brake forces")
                self._codes.failed(ACCELERATION_WRONG, self.now_ns)
        elif self.ax_suspect:
            self._agreed = self._agreed + 1 if not odd and self._same < p.stuck_samples else 0
            if self._agreed >= p.heal_samples:
                self.ax_suspect = False
                self._port.log("note", "acceleration counts again")
                self._codes.passed(ACCELERATION_WRONG, self.now_ns)

    def _rolls_oddly(self, vehicle_mps2: float, wheel_mps: Sequence[float]) -> bool:
        p = self._p
        mean_mps = 0.25 * (wheel_mps[0] + wheel_mps[1] + wheel_mps[2] + wheel_mps[3])
        before_mps, self._mean_mps = self._mean_mps, mean_mps
        if before_mps < 0.0:
            self._trend_mps2 = 0.0
            return False
        apart_mps2 = vehicle_mps2 - (mean_mps - before_mps) / self._period_s
        if not -p.jump_mps2 < apart_mps2 < p.jump_mps2:
            self._trend_mps2 = 0.0
            return False
        self._trend_mps2 += p.wheel_filter_ratio * (apart_mps2 - self._trend_mps2)
        return not -p.rolling_mps2 <= self._trend_mps2 <= p.rolling_mps2

    def judge_yaw(
        self,
        yaw_radps: float,
        ay_mps2: float,
        wheel_mps: Sequence[float],
        *,
        speed_mps: float,
        rolling: bool,
        sliding: bool = False,
    ) -> None:
        """A new yaw rate and lateral acceleration; `rolling` says that no wheel is braked.

        `sliding` allows twice as much: under slip control a car turns about itself.
        """
        p = self._p
        most_mps2 = 2.0 * p.yaw_mps2 if sliding else p.yaw_mps2
        if speed_mps < p.yaw_above_mps:
            self._yaw_odd = 0
            return
        apart_mps2 = speed_mps * yaw_radps - ay_mps2
        if rolling and not -most_mps2 <= apart_mps2 <= most_mps2:
            turn_radps = (wheel_mps[3] - wheel_mps[2] + wheel_mps[1] - wheel_mps[0]) / (
                2.0 * p.track_m
            )
            # The wheels are the third witness: a wrong lateral acceleration is no wrong yaw rate.
            by_wheels_mps2 = speed_mps * (yaw_radps - turn_radps)
            if -p.yaw_mps2 <= by_wheels_mps2 <= p.yaw_mps2:
                apart_mps2 = 0.0
        if -most_mps2 <= apart_mps2 <= most_mps2:
            self._yaw_odd = 0
            if self.yaw_suspect:
                self._yaw_agreed += 1
                if self._yaw_agreed >= p.heal_samples:
                    self.yaw_suspect = False
                    self._port.log("note", "yaw rate counts again")
                    self._codes.passed(YAW_WRONG, self.now_ns)
            return
        self._yaw_agreed = 0
        self._yaw_odd += 1
        if self._yaw_odd == p.yaw_samples and not self.yaw_suspect:
            self.yaw_suspect = True
            self._port.log(
                "detection",
                f"yaw rate wrong: {yaw_radps:.3f} rad/s, {ay_mps2:.1f} m/s2 at {speed_mps:.0f} m/s",
            )
            self._port.log("reaction", "stability control not available")
            self._codes.failed(YAW_WRONG, self.now_ns)
