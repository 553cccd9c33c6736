"""Brake force distribution: a deceleration demand becomes four clamp forces.

The front share follows the ideal curve of the demanded deceleration (EBD) plus a margin, so that
the rear axle never reaches its limit first. When wheels are lost the rest takes over: first the
wheel behind or before the lost one, which keeps left and right balanced, then all that have force
left. Right after a loss the yaw moment of an uneven left and right is limited, until the driver
has had time to steer. Pure functions with nominal parameters of the ECU; slip control follows.

Source: I-curve of the two-axle vehicle, front share = (b + z h) / L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf, isfinite
from typing import Any, Self

from simcore.errors import UsageError

GRAVITY_MPS2 = 9.81


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionParameters:
    """What the ECU believes about axles and brakes, and its limits."""

    cg_to_front_m: float = 1.5
    cg_to_rear_m: float = 1.5
    cg_height_m: float = 0.5
    track_m: float = 1.69
    wheel_radius_m: float = 0.345
    front_effective_radius_m: float = 0.14
    rear_effective_radius_m: float = 0.135
    pad_friction_ratio: float = 0.40
    front_margin_ratio: float = 0.02
    front_share_max_ratio: float = 0.9
    yaw_friction_ratio: float = 0.8
    """Friction assumed for the yaw moment that steering can hold."""
    yaw_share_ratio: float = 0.5
    """Part of that moment that uneven braking may use right after a loss."""
    yaw_hold_s: float = 0.3
    yaw_ramp_s: float = 0.5
    yaw_above_mps: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isfinite(value) and value > 0.0):
                raise UsageError(
                    f"DistributionParameters.{field.name}",
                    expected="a finite number > 0",
                    got=value,
                )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


DEFAULT = DistributionParameters()


def front_share_ratio(decel_mps2: float, parameters: DistributionParameters = DEFAULT) -> float:
    """Part of the braking force that the front axle carries at this deceleration."""
    p = parameters
    z = decel_mps2 / GRAVITY_MPS2
    ideal = (p.cg_to_rear_m + z * p.cg_height_m) / (p.cg_to_front_m + p.cg_to_rear_m)
    return min(p.front_share_max_ratio, ideal + p.front_margin_ratio)


def tyre_force_per_clamp_ratio(corner: int, parameters: DistributionParameters = DEFAULT) -> float:
    """Longitudinal tyre force per clamp force at wheel `corner`: 2 mu r / R."""
    p = parameters
    radius_m = p.front_effective_radius_m if corner < 2 else p.rear_effective_radius_m
    return 2.0 * p.pad_friction_ratio * radius_m / p.wheel_radius_m


def distribute(
    decel_mps2: float,
    *,
    mass_kg: float,
    available: Sequence[bool],
    force_max_n: Sequence[float],
    speed_mps: float,
    since_loss_s: float = inf,
    redistribute: bool = True,
    parameters: DistributionParameters = DEFAULT,
) -> list[float]:
    """Clamp forces FL FR RL RR in N for a deceleration demand.

    `available` and `force_max_n` describe the four brakes; a brake that is not available gets 0.
    `since_loss_s` is the time since uneven braking surprised the driver: since the last brake was
    lost or, with one lost before, since the demand began. Where the brakes that are left cannot
    give the demand, they give what they have; without `redistribute` they give no more than they
    would have given with all four.
    """
    _check(decel_mps2, mass_kg, available, force_max_n)
    p = parameters
    per_clamp = [tyre_force_per_clamp_ratio(i, p) for i in range(4)]
    limit_n = [force_max_n[i] * per_clamp[i] if available[i] else 0.0 for i in range(4)]
    total_n = mass_kg * decel_mps2
    front = front_share_ratio(decel_mps2, p)
    share = (0.5 * front, 0.5 * front, 0.5 - 0.5 * front, 0.5 - 0.5 * front)
    wanted_n = [total_n * part for part in share]
    tyre_n = [min(wanted_n[i], limit_n[i]) for i in range(4)]
    if not redistribute:
        return [tyre_n[i] / per_clamp[i] for i in range(4)]
    for i in range(4):
        # The wheel of the other axle on the same side: i ^ 2 swaps front and rear.
        _raise(tyre_n, limit_n, i ^ 2, wanted_n[i] - tyre_n[i] if not available[i] else 0.0)
    _spread(tyre_n, limit_n, total_n - (tyre_n[0] + tyre_n[1] + tyre_n[2] + tyre_n[3]))
    if not all(available) and speed_mps > p.yaw_above_mps:
        _limit_yaw(tyre_n, mass_kg, since_loss_s, p)
    return [min(tyre_n[i] / per_clamp[i], force_max_n[i]) for i in range(4)]


def _raise(tyre_n: list[float], limit_n: list[float], corner: int, by_n: float) -> None:
    if by_n > 0.0:
        tyre_n[corner] = min(limit_n[corner], tyre_n[corner] + by_n)


def _spread(tyre_n: list[float], limit_n: list[float], missing_n: float) -> None:
    """Put what is missing on all wheels in proportion to the force each has left."""
    left_n = [limit_n[i] - tyre_n[i] for i in range(4)]
    room_n = left_n[0] + left_n[1] + left_n[2] + left_n[3]
    if missing_n <= 0.0 or room_n <= 0.0:
        return
    part = min(1.0, missing_n / room_n)
    for i in range(4):
        tyre_n[i] += part * left_n[i]


def _limit_yaw(
    tyre_n: list[float], mass_kg: float, since_loss_s: float, p: DistributionParameters
) -> None:
    """Scale the stronger side down until steering can hold the yaw moment."""
    released = (since_loss_s - p.yaw_hold_s) / p.yaw_ramp_s
    if released >= 1.0:
        return
    wheelbase_m = p.cg_to_front_m + p.cg_to_rear_m
    front_load_n = mass_kg * GRAVITY_MPS2 * p.cg_to_rear_m / wheelbase_m
    authority_nm = p.yaw_friction_ratio * front_load_n * p.cg_to_front_m
    allowed = p.yaw_share_ratio + (1.0 - p.yaw_share_ratio) * max(0.0, released)
    difference_max_n = allowed * authority_nm / (0.5 * p.track_m)
    left_n = tyre_n[0] + tyre_n[2]
    right_n = tyre_n[1] + tyre_n[3]
    strong_n, weak_n, first = (left_n, right_n, 0) if left_n > right_n else (right_n, left_n, 1)
    if strong_n - weak_n > difference_max_n:
        part = (weak_n + difference_max_n) / strong_n
        tyre_n[first] *= part
        tyre_n[first + 2] *= part


def _check(
    decel_mps2: float, mass_kg: float, available: Sequence[bool], force_max_n: Sequence[float]
) -> None:
    if not (isfinite(decel_mps2) and decel_mps2 >= 0.0):
        raise UsageError("distribute, decel_mps2", expected=">= 0 m/s2", got=decel_mps2)
    if not (isfinite(mass_kg) and mass_kg > 0.0):
        raise UsageError("distribute, mass_kg", expected="> 0 kg", got=mass_kg)
    if len(available) != 4:
        raise UsageError("distribute, available", expected="4 values", got=len(available))
    if len(force_max_n) != 4 or not all(force >= 0.0 for force in force_max_n):
        raise UsageError(
            "distribute, force_max_n", expected="4 forces >= 0 N", got=list(force_max_n)
        )
