"""Clamp force controller of one brake actuator: force over speed over current, at 1 kHz.

Pure control law: no messages, no modes, no fault reactions; the actuator's application owns
those. Knows the hardware only through nominal parameters of its own, so a simulated caliper may
differ from them. A limit on the slope of the force request is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt
from typing import Any, Self

from simcore.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceControlParameters:
    """What the actuator's software believes about its hardware, and its gains."""

    motor_constant_nm_per_a: float
    current_max_a: float
    motor_inertia_kgm2: float
    gear_m_per_rad: float
    friction_constant_nm: float
    friction_load_nm_per_n: float
    stiffness_n_per_m: float
    stiffening_n_per_m2: float
    force_max_n: float
    clearance_m: float = 0.25e-3
    position_gain_per_s: float = 150.0
    speed_gain_per_s: float = 250.0
    trim_gain_per_s: float = 6.0
    trim_max_m: float = 50e-6
    trim_window_m: float = 30e-6
    """Distance to the target travel within which the measured force may trim it."""
    contact_shift_max_m: float = 20e-6
    """Most the learnt contact point moves at one release."""
    friction_share_ratio: float = 0.7
    friction_speed_radps: float = 20.0
    profile_share_ratio: float = 0.35
    release_below_n: float = 50.0
    rest_window_m: float = 5e-6
    """Open and at rest this close to the clearance: the motor is switched off."""
    supply_min_v: float = 6.0
    dt_s: float = 0.001

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0.0:
                raise UsageError(f"ForceControlParameters.{field.name}", expected="> 0", got=value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


FRONT = ForceControlParameters(
    motor_constant_nm_per_a=0.11,
    current_max_a=40.0,
    motor_inertia_kgm2=1.2e-4,
    gear_m_per_rad=4.97e-5,
    friction_constant_nm=0.04,
    friction_load_nm_per_n=7e-6,
    stiffness_n_per_m=10.0e6,
    stiffening_n_per_m2=20.0e9,
    force_max_n=40_000.0,
)

REAR = ForceControlParameters(
    motor_constant_nm_per_a=0.08,
    current_max_a=32.0,
    motor_inertia_kgm2=8e-5,
    gear_m_per_rad=4.4e-5,
    friction_constant_nm=0.035,
    friction_load_nm_per_n=6.5e-6,
    stiffness_n_per_m=9.0e6,
    stiffening_n_per_m2=22.0e9,
    force_max_n=27_000.0,
)


class ForceController:
    """Cascade of clamp force, motor speed and motor current; one `step` per millisecond.

    `contact_m` is the learnt screw travel at which the pads touch, `trim_m` the correction of the
    target travel from the measured force.
    """

    __slots__ = ("_cascade", "_curve", "contact_m", "parameters", "trim_m")

    def __init__(self, parameters: ForceControlParameters) -> None:
        p = parameters
        self.parameters = parameters
        self.contact_m = 0.0
        self.trim_m = 0.0
        # Deceleration of the time-optimal approach: a share of what the motor can do.
        profile_radps2 = (
            p.profile_share_ratio * p.motor_constant_nm_per_a * p.current_max_a
        ) / p.motor_inertia_kgm2
        # Unpacked once per call: cheaper than a dozen attribute look-ups a thousand times a second.
        self._curve = (
            p.stiffness_n_per_m,
            2.0 * p.stiffening_n_per_m2,
            4.0 * p.stiffening_n_per_m2,
            p.trim_window_m,
            p.dt_s * p.trim_gain_per_s,
            p.trim_max_m,
        )
        self._cascade = (
            p.gear_m_per_rad,
            2.0 * profile_radps2,
            p.position_gain_per_s,
            p.friction_constant_nm,
            p.friction_load_nm_per_n,
            p.friction_speed_radps,
            p.motor_inertia_kgm2 * p.speed_gain_per_s,
            p.friction_share_ratio,
            p.motor_constant_nm_per_a,
            p.current_max_a,
        )

    def step(
        self,
        force_ref_n: float,
        clamp_force_n: float,
        screw_travel_m: float,
        motor_speed_radps: float,
        supply_v: float,
    ) -> float:
        """Motor current in A for the next millisecond, within +-`current_max_a`.

        A request of 50 N or less opens the brake to its clearance; at rest there the motor is off.
        Without supply: 0 A. Raises `UsageError` for a request below 0 or above `force_max_n`.
        """
        p = self.parameters
        if not 0.0 <= force_ref_n <= p.force_max_n:
            raise _out_of_range(force_ref_n, p.force_max_n)
        if supply_v < p.supply_min_v:
            return 0.0
        if force_ref_n <= p.release_below_n:
            if self.trim_m != 0.0:
                self._learn_contact()
            error_m = self.contact_m - p.clearance_m - screw_travel_m
            if motor_speed_radps == 0.0 and -p.rest_window_m < error_m < p.rest_window_m:
                return 0.0
        else:
            error_m = self._error_m(force_ref_n, clamp_force_n, screw_travel_m)
        (
            gear_m_per_rad,
            two_profile_radps2,
            position_gain_per_s,
            friction_nm,
            friction_nm_per_n,
            knee_radps,
            speed_gain_nms,
            friction_share,
            constant_nm_per_a,
            current_max_a,
        ) = self._cascade
        # Position to speed along the time-optimal profile, linear near the target.
        distance_rad = (error_m if error_m >= 0.0 else -error_m) / gear_m_per_rad
        speed_ref_radps = sqrt(two_profile_radps2 * distance_rad)
        if position_gain_per_s * distance_rad < speed_ref_radps:
            speed_ref_radps = position_gain_per_s * distance_rad
        if error_m < 0.0:
            speed_ref_radps = -speed_ref_radps
        # Speed to torque. A smooth sign compensates friction: none at rest, full above 40 rad/s.
        direction = speed_ref_radps / sqrt(
            speed_ref_radps * speed_ref_radps + knee_radps * knee_radps
        )
        torque_nm = (
            speed_gain_nms * (speed_ref_radps - motor_speed_radps)
            + gear_m_per_rad * clamp_force_n
            + friction_share * (friction_nm + friction_nm_per_n * clamp_force_n) * direction
        )
        current_a = torque_nm / constant_nm_per_a
        if current_a > current_max_a:
            return current_max_a
        return current_a if current_a >= -current_max_a else -current_max_a

    def _error_m(self, force_ref_n: float, clamp_force_n: float, screw_travel_m: float) -> float:
        """Way to the travel that gives the requested force, trimmed near the target."""
        k1, two_k2, four_k2, window_m, trim_gain, trim_max_m = self._curve
        root_n_per_m = sqrt(k1 * k1 + four_k2 * force_ref_n)
        way_m = self.contact_m + (root_n_per_m - k1) / two_k2 - screw_travel_m
        trim_m = self.trim_m
        if -window_m < way_m + trim_m < window_m:
            # The slope of the curve at the target is the root itself.
            trim_m += trim_gain * ((force_ref_n - clamp_force_n) / root_n_per_m)
            if trim_m > trim_max_m:
                trim_m = trim_max_m
            elif trim_m < -trim_max_m:
                trim_m = -trim_max_m
            self.trim_m = trim_m
        return way_m + trim_m

    def _learn_contact(self) -> None:
        """At release, move part of the trim into the contact point: pads wear, discs expand."""
        limit_m = self.parameters.contact_shift_max_m
        self.contact_m += min(limit_m, max(-limit_m, self.trim_m))
        self.trim_m = 0.0


class LimitedForceController:
    """A force controller that is given no more than level 2 permits, whatever it is asked for.

    It takes the place of the controller it limits: the motor is driven back actively, which opens
    a brake in a third of the time that its clamp force alone would need.
    """

    __slots__ = ("inner", "parameters", "permitted_n")

    def __init__(self, inner: ForceController, permitted_n: float) -> None:
        self.inner = inner
        self.parameters = inner.parameters
        self.permitted_n = permitted_n

    @property
    def contact_m(self) -> float:
        """As the controller has learnt it."""
        return self.inner.contact_m

    def step(
        self,
        force_ref_n: float,
        clamp_force_n: float,
        screw_travel_m: float,
        motor_speed_radps: float,
        supply_v: float,
    ) -> float:
        """Motor current in A, see `ForceController.step`."""
        if force_ref_n > self.permitted_n:
            force_ref_n = self.permitted_n
        return self.inner.step(
            force_ref_n, clamp_force_n, screw_travel_m, motor_speed_radps, supply_v
        )


def _out_of_range(force_ref_n: float, force_max_n: float) -> UsageError:
    return UsageError(
        "ForceController.step, force_ref_n",
        expected=f"0..{force_max_n:.0f} N",
        got=f"{force_ref_n} N",
    )
