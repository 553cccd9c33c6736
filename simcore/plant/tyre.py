"""A braked wheel on its tyre: friction curve, relaxation, rotation, exact locking.

The tyre is a similarity model: longitudinal and lateral slip, each divided by its peak slip, make
one combined slip q; the force is friction x load x sin(C atan(B q)) along the slip. Slip builds up
over a relaxation length, which also makes standstill a spring instead of a division by zero.
Camber, aligning torque and the load dependence of friction are not modelled.

Source: Pacejka, Tyre and Vehicle Dynamics, similarity method and single-contact-point relaxation.
"""

from __future__ import annotations

from functools import cache
from math import pi, sqrt
from typing import Any, Self

from simcore.arith import arctangent, cosine, sine
from simcore.plant.parameters import TyreParameters

_STEPS_PER_SLIP = 256
_TABLE_END = 16
_TABLE_END_PLACE = _TABLE_END * _STEPS_PER_SLIP


class FrictionCurve:
    """sin(C atan(B q)) / q over the combined slip q, with its peak of 1 at q = 1.

    Tabulated, because the wheels ask four times per millisecond; linear between points, within
    2e-5 of the formula. Beyond the table the formula itself answers.
    """

    __slots__ = ("_shape_ratio", "_stiffness_ratio", "table_ratio")

    def __init__(self, shape_ratio: float) -> None:
        self._shape_ratio = shape_ratio
        half_rad = pi / (2.0 * shape_ratio)
        self._stiffness_ratio = sine(half_rad) / cosine(half_rad)
        self.table_ratio = tuple(
            self.exact_per_slip(k / _STEPS_PER_SLIP)
            for k in range(_TABLE_END * _STEPS_PER_SLIP + 2)
        )

    def exact_per_slip(self, slip_ratio: float) -> float:
        """Force ratio per combined slip by the formula."""
        if slip_ratio == 0.0:
            return self._shape_ratio * self._stiffness_ratio
        angle_rad = self._shape_ratio * arctangent(self._stiffness_ratio * slip_ratio)
        return sine(angle_rad) / slip_ratio

    def per_slip(self, slip_ratio: float) -> float:
        """Force ratio per combined slip (>= 0), from the table where it reaches."""
        place = slip_ratio * _STEPS_PER_SLIP
        index = int(place) if place < _TABLE_END * _STEPS_PER_SLIP else -1
        if index < 0:
            return self.exact_per_slip(slip_ratio)
        low = self.table_ratio[index]
        return low + (place - index) * (self.table_ratio[index + 1] - low)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, tuple[float]]:
        return friction_curve, (self._shape_ratio,)


@cache
def friction_curve(shape_ratio: float) -> FrictionCurve:
    """The one curve of this shape: every wheel shares it."""
    return FrictionCurve(shape_ratio)


class Wheel:
    """One wheel: rotation, tyre slip and the forces in the wheel's own axes."""

    __slots__ = (
        "_curve",
        "_dt_s",
        "_lengths",
        "_rates",
        "_table",
        "_tyre",
        "_wheel",
        "force_x_n",
        "force_y_n",
        "slip_x_ratio",
        "slip_y_ratio",
        "speed_radps",
        "vx_mps",
    )

    def __init__(
        self, tyre: TyreParameters, *, radius_m: float, inertia_kgm2: float, rolling_ratio: float
    ) -> None:
        self._curve = friction_curve(tyre.shape_ratio)
        self._table = self._curve.table_ratio
        self.speed_radps = 0.0
        self.slip_x_ratio = 0.0
        self.slip_y_ratio = 0.0
        self.force_x_n = 0.0
        self.force_y_n = 0.0
        self.vx_mps = 0.0
        self._wheel = (radius_m, rolling_ratio * radius_m)
        self._lengths = (tyre.relaxation_x_m, tyre.relaxation_y_m, inertia_kgm2)
        self._dt_s = 0.0
        self._rates = (0.0, 0.0, 0.0)
        self._tyre = (
            1.0 / tyre.peak_slip_ratio,
            1.0 / tyre.peak_slip_angle_ratio,
            tyre.low_speed_damping_ratio,
            tyre.low_speed_mps,
        )

    def _set_dt(self, dt_s: float) -> None:
        """What depends on the step only is worked out once."""
        relax_x_m, relax_y_m, inertia_kgm2 = self._lengths
        self._dt_s = dt_s
        self._rates = (dt_s / relax_x_m, dt_s / relax_y_m, dt_s / inertia_kgm2)

    def step(
        self,
        dt_s: float,
        vx_mps: float,
        vy_mps: float,
        load_n: float,
        friction_ratio: float,
        brake_torque_nm: float,
        drive_torque_nm: float,
    ) -> None:
        """Advance by `dt_s`; `vx_mps, vy_mps` is the wheel centre's velocity in wheel axes."""
        radius_m, rolling_nm_per_n = self._wheel
        per_peak_x, per_peak_y, damping_ratio, low_speed_mps = self._tyre
        if dt_s != self._dt_s:
            self._set_dt(dt_s)
        relax_x_s_per_m, relax_y_s_per_m, spin_radps_per_nm = self._rates
        self.vx_mps = vx_mps
        speed_radps = self.speed_radps
        over_mps = radius_m * speed_radps - vx_mps
        rolling_mps = vx_mps if vx_mps >= 0.0 else -vx_mps

        # Exact solution of the relaxation over one step, exp(-z) as its (2,2) Pade quotient.
        # Written this way nothing is divided by the speed, and standstill does not creep.
        z = rolling_mps * relax_x_s_per_m
        gain_s_per_m = relax_x_s_per_m / (1.0 + z * (0.5 + z * 0.08333333333333333))
        slip_x = self.slip_x_ratio
        slip_x += gain_s_per_m * (over_mps - rolling_mps * slip_x)
        self.slip_x_ratio = slip_x
        z = rolling_mps * relax_y_s_per_m
        gain_s_per_m = relax_y_s_per_m / (1.0 + z * (0.5 + z * 0.08333333333333333))
        slip_y = self.slip_y_ratio
        slip_y -= gain_s_per_m * (vy_mps + rolling_mps * slip_y)
        self.slip_y_ratio = slip_y

        damping_s_per_m = damping_ratio / (low_speed_mps + rolling_mps)
        q_x = (slip_x + damping_s_per_m * over_mps) * per_peak_x
        q_y = (slip_y - damping_s_per_m * vy_mps) * per_peak_y
        place = _STEPS_PER_SLIP * sqrt(q_x * q_x + q_y * q_y)
        if place < _TABLE_END_PLACE:
            index = int(place)
            table = self._table
            low = table[index]
            per_slip = low + (place - index) * (table[index + 1] - low)
        else:
            per_slip = self._curve.exact_per_slip(place / _STEPS_PER_SLIP)
        scale_n = friction_ratio * load_n * per_slip
        force_x_n = scale_n * q_x
        self.force_x_n = force_x_n
        self.force_y_n = scale_n * q_y

        speed_radps += spin_radps_per_nm * (drive_torque_nm - radius_m * force_x_n)
        # Brake and rolling resistance take speed off and stop there: locks and holds exactly.
        loss_radps = spin_radps_per_nm * (brake_torque_nm + rolling_nm_per_n * load_n)
        if speed_radps > loss_radps:
            speed_radps -= loss_radps
        elif speed_radps < -loss_radps:
            speed_radps += loss_radps
        else:
            speed_radps = 0.0
        self.speed_radps = speed_radps

    def follow(self, other: Wheel) -> None:
        """Take over what a step has made of a wheel in the same state under the same inputs."""
        self.vx_mps = other.vx_mps
        self.slip_x_ratio = other.slip_x_ratio
        self.slip_y_ratio = other.slip_y_ratio
        self.force_x_n = other.force_x_n
        self.force_y_n = other.force_y_n
        self.speed_radps = other.speed_radps

    def roll(self, speed_mps: float) -> None:
        """Put the wheel into slip-free rolling straight ahead."""
        self.speed_radps = speed_mps / self._wheel[0]
        self.vx_mps = speed_mps
        self.slip_x_ratio = 0.0
        self.slip_y_ratio = 0.0
        self.force_x_n = 0.0
        self.force_y_n = 0.0
