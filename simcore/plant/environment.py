"""The road under the wheels: friction along the way, left and right, and the slope.

Positions are along the road from where the vehicle started (x of the wheel, not of the body).
Curves, banking, puddles narrower than a wheel and roughness are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite
from typing import Self

from simcore.errors import UsageError
from simcore.plant.parameters import SharedParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment(SharedParameters):
    """A stretch of road from `from_x_m` up to the next segment."""

    from_x_m: float
    left_ratio: float
    right_ratio: float

    def __post_init__(self) -> None:
        for name in ("left_ratio", "right_ratio"):
            value = getattr(self, name)
            if not 0.0 < value <= 2.0:
                raise UsageError(f"Segment.{name}", expected="friction 0 < ratio <= 2", got=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface(SharedParameters):
    """Friction as a function of the way, in segments, and the grade (positive uphill)."""

    segments: tuple[Segment, ...]
    grade_ratio: float = 0.0

    def __post_init__(self) -> None:
        if not self.segments or self.segments[0].from_x_m != -inf:
            raise UsageError(
                "Surface.segments",
                expected="a first segment from -inf",
                got=self.segments[0].from_x_m if self.segments else "no segment",
            )
        starts = [segment.from_x_m for segment in self.segments]
        if any(not low < high for low, high in pairwise(starts)):
            raise UsageError("Surface.segments", expected="rising from_x_m", got=starts)
        if not (isfinite(self.grade_ratio) and -1.0 <= self.grade_ratio <= 1.0):
            raise UsageError("Surface.grade_ratio", expected="a ratio -1..1", got=self.grade_ratio)

    @classmethod
    def uniform(cls, friction_ratio: float, *, grade_ratio: float = 0.0) -> Self:
        """The same friction everywhere."""
        return cls.split(friction_ratio, friction_ratio, grade_ratio=grade_ratio)

    @classmethod
    def split(cls, left_ratio: float, right_ratio: float, *, grade_ratio: float = 0.0) -> Self:
        """One friction under the left wheels, another under the right ones."""
        segment = Segment(from_x_m=-inf, left_ratio=left_ratio, right_ratio=right_ratio)
        return cls(segments=(segment,), grade_ratio=grade_ratio)

    @classmethod
    def jump(
        cls, before_ratio: float, after_ratio: float, *, at_x_m: float, grade_ratio: float = 0.0
    ) -> Self:
        """Friction that changes across the whole road at `at_x_m`."""
        before = Segment(from_x_m=-inf, left_ratio=before_ratio, right_ratio=before_ratio)
        after = Segment(from_x_m=at_x_m, left_ratio=after_ratio, right_ratio=after_ratio)
        return cls(segments=(before, after), grade_ratio=grade_ratio)

    def friction_ratio(self, corner: int, x_m: float) -> float:
        """Friction under wheel `corner` (0..3: FL FR RL RR) standing at `x_m`."""
        if corner not in (0, 1, 2, 3):
            raise UsageError("Surface.friction_ratio, corner", expected="0..3", got=corner)
        found = self.segments[0]
        for segment in self.segments[1:]:
            if x_m < segment.from_x_m:
                break
            found = segment
        return found.left_ratio if corner in (0, 2) else found.right_ratio


DRY_ASPHALT = Surface.uniform(1.05)
"""The surface of the type-0 stop."""
