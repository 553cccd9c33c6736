"""Corners, their actuators and their supplies, as faults of the vehicle name them."""

from __future__ import annotations

from simcore.errors import UsageError

CORNERS = ("FL", "FR", "RL", "RR")
SUPPLIED_CORNERS = {"A": (0, 3), "B": (1, 2)}
"""The brake's two circuits are diagonal: one supply feeds FL and RR, the other FR and RL."""


def actuator_of(corner: int) -> str:
    """Name of the actuator at a corner."""
    return f"EMB_{CORNERS[corner]}"


def corner_of(node: str) -> int | None:
    """The corner of an actuator; `None` for a node that is none."""
    for corner, name in enumerate(CORNERS):
        if node == f"EMB_{name}":
            return corner
    return None


def require_corner(fault: object, corner: str) -> int:
    """The index of a corner."""
    if corner not in CORNERS:
        where = f"{type(fault).__name__}.corner"
        raise UsageError(where, expected=f"one of {', '.join(CORNERS)}", got=repr(corner))
    return CORNERS.index(corner)


def require_between(
    fault: object, name: str, low_ratio: float, high_ratio: float, *, above: bool = False
) -> None:
    """Refuse a field that is no number within its limits; with `above` the low one is no value."""
    value = getattr(fault, name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not low_ratio <= value <= high_ratio or (above and value == low_ratio):
        limits = f"{low_ratio:g}..{high_ratio:g}"
        raise UsageError(
            f"{type(fault).__name__}.{name}",
            expected=f"above {low_ratio:g}, up to {high_ratio:g}" if above else limits,
            got=repr(value),
        )
