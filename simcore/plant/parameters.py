"""Parameters of the physical truth: caliper, tyre, vehicle, with the reference presets.

Parameters never change during a run, so a copy of a simulated object shares them. What an ECU
believes about the hardware is no part of this: it has nominal parameters of its own.

The presets are design assumptions tuned to published brake-by-wire and tyre behaviour; the tests
in tests/plant hold the resulting step responses and stopping distances.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Self

from simcore.errors import UsageError


class SharedParameters:
    """What a frozen parameter set has: one object, shared by every copy."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def _require_positive(parameters: Any, *, may_be_zero: frozenset[str] = frozenset()) -> None:
    """Refuse a set with a value that is not finite, negative, or zero where zero means nothing."""
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        zero_allowed = field.name in may_be_zero
        if not isfinite(value) or value < 0.0 or (value == 0.0 and not zero_allowed):
            raise UsageError(
                f"{type(parameters).__name__}.{field.name}",
                expected="a finite number >= 0" if zero_allowed else "a finite number > 0",
                got=value,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaliperParameters(SharedParameters):
    """One electro-mechanical caliper: motor, gear and screw, stiffness, disc and pad."""

    motor_constant_nm_per_a: float
    winding_resistance_ohm: float
    current_max_a: float
    motor_inertia_kgm2: float
    gear_m_per_rad: float
    """Screw travel per motor angle: screw lead / (2 pi x gear ratio)."""
    friction_constant_nm: float
    friction_load_nm_per_n: float
    damping_nms: float
    stiffness_n_per_m: float
    stiffening_n_per_m2: float
    effective_radius_m: float
    disc_heat_capacity_j_per_k: float
    pad_friction_ratio: float
    clearance_m: float
    retracted_stop_m: float = 0.003
    """Screw travel from pad contact back to the end stop."""
    current_time_constant_s: float = 0.0008
    usable_voltage_ratio: float = 0.95
    heat_share_ratio: float = 0.95
    cooling_w_per_k: float = 5.0
    cooling_speed_w_per_k_per_mps: float = 0.55
    ambient_temperature_c: float = 20.0
    fade_onset_c: float = 300.0
    fade_span_k: float = 250.0
    fade_per_k2: float = 7.5e-6
    wear_m_per_j: float = 1.0e-11
    motor_heat_capacity_j_per_k: float = 150.0
    motor_cooling_w_per_k: float = 1.2

    def __post_init__(self) -> None:
        _require_positive(
            self,
            may_be_zero=frozenset(
                [
                    "friction_constant_nm",
                    "friction_load_nm_per_n",
                    "damping_nms",
                    "stiffening_n_per_m2",
                    "clearance_m",
                    "wear_m_per_j",
                    "fade_per_k2",
                    "ambient_temperature_c",
                ]
            ),
        )


FRONT_CALIPER = CaliperParameters(
    motor_constant_nm_per_a=0.11,
    winding_resistance_ohm=0.12,
    current_max_a=40.0,
    motor_inertia_kgm2=1.2e-4,
    gear_m_per_rad=4.97e-5,
    friction_constant_nm=0.04,
    friction_load_nm_per_n=7e-6,
    damping_nms=2e-4,
    stiffness_n_per_m=10.0e6,
    stiffening_n_per_m2=20.0e9,
    effective_radius_m=0.14,
    disc_heat_capacity_j_per_k=5200.0,
    pad_friction_ratio=0.40,
    clearance_m=0.25e-3,
)
"""48 V, 40 kN: the caliper of the front axle."""

REAR_CALIPER = CaliperParameters(
    motor_constant_nm_per_a=0.08,
    winding_resistance_ohm=0.15,
    current_max_a=32.0,
    motor_inertia_kgm2=8e-5,
    gear_m_per_rad=4.4e-5,
    friction_constant_nm=0.035,
    friction_load_nm_per_n=6.5e-6,
    damping_nms=1.6e-4,
    stiffness_n_per_m=9.0e6,
    stiffening_n_per_m2=22.0e9,
    effective_radius_m=0.135,
    disc_heat_capacity_j_per_k=3800.0,
    pad_friction_ratio=0.40,
    clearance_m=0.25e-3,
)
"""48 V, 27 kN: the caliper of the rear axle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TyreParameters(SharedParameters):
    """Similarity tyre: one curve sin(C atan(B q)) over the combined slip, with relaxation."""

    shape_ratio: float = 1.45
    """C of the magic formula; B follows so that the peak is at the peak slip."""
    peak_slip_ratio: float = 0.11
    peak_slip_angle_ratio: float
    """Lateral peak slip (tan of the slip angle)."""
    relaxation_x_m: float = 0.15
    relaxation_y_m: float = 0.45
    low_speed_damping_ratio: float = 0.03
    low_speed_mps: float = 0.3

    def __post_init__(self) -> None:
        _require_positive(self, may_be_zero=frozenset(["low_speed_damping_ratio"]))
        if not 1.0 < self.shape_ratio < 2.0:
            raise UsageError(
                "TyreParameters.shape_ratio",
                expected="above 1 and below 2, so that the curve has a peak and keeps its sign",
                got=self.shape_ratio,
            )


# Equal lateral peaks front and rear would steer neutrally; these give a mild understeer.
FRONT_TYRE = TyreParameters(peak_slip_angle_ratio=0.15)
REAR_TYRE = TyreParameters(peak_slip_angle_ratio=0.115)


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleParameters(SharedParameters):
    """Body, axles and wheels. Axle distances are measured from the centre of gravity."""

    mass_kg: float
    yaw_inertia_kgm2: float
    cg_to_front_m: float
    cg_to_rear_m: float
    cg_height_m: float
    track_m: float
    wheel_radius_m: float
    wheel_inertia_kgm2: float
    drag_area_m2: float
    air_density_kgpm3: float = 1.2
    rolling_ratio: float = 0.009
    front_roll_share_ratio: float = 0.5
    """Part of the lateral load transfer that the front axle carries."""
    load_transfer_time_constant_s: float = 0.06
    gravity_mps2: float = 9.81

    def __post_init__(self) -> None:
        _require_positive(
            self,
            may_be_zero=frozenset(["drag_area_m2", "rolling_ratio", "front_roll_share_ratio"]),
        )
        if self.front_roll_share_ratio > 1.0:
            raise UsageError(
                "VehicleParameters.front_roll_share_ratio",
                expected="0..1",
                got=self.front_roll_share_ratio,
            )


REFERENCE_VEHICLE = VehicleParameters(
    mass_kg=2200.0,
    yaw_inertia_kgm2=3700.0,
    cg_to_front_m=1.5,
    cg_to_rear_m=1.5,
    cg_height_m=0.5,
    track_m=1.69,
    wheel_radius_m=0.345,
    wheel_inertia_kgm2=1.35,
    drag_area_m2=0.458,
)
"""Battery-electric saloon, 2200 kg in test condition, driveline disconnected from the wheels."""
