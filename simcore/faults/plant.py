"""Faults of the world around the ECUs: road and friction of the brakes.

No ECU and no sensor is broken. When one is over, what was before is back: the friction of the road
that the script has set, the pads, the slope.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf
from typing import ClassVar

from simcore.errors import UsageError
from simcore.faults.actuator import scaled
from simcore.faults.corners import CORNERS, actuator_of, require_between, require_corner
from simcore.faults.fault import SiteFault
from simcore.faults.installed import Installed
from simcore.faults.site import Site
from simcore.plant.caliper import Caliper
from simcore.plant.environment import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantFault(SiteFault):
    """Base of all."""

    layer: ClassVar[str] = "plant"

    def check(self, site: Site) -> None:
        """Refuse a rig without a vehicle."""
        _ = site.plant


@dataclass(frozen=True, slots=True, kw_only=True)
class FrictionChanged(PlantFault):
    """The road has another friction, under all wheels or left and right."""

    ratio: float | None = None
    """Under all wheels, up to 2."""
    left_ratio: float | None = None
    """Under the left ones; with `right_ratio`, and without `ratio`."""
    right_ratio: float | None = None
    """Under the right ones."""

    def __post_init__(self) -> None:
        given = [self.ratio is not None, self.left_ratio is not None, self.right_ratio is not None]
        if given not in ([True, False, False], [False, True, True]):
            names = ("ratio", "left_ratio", "right_ratio")
            got = ", ".join(name for name, there in zip(names, given, strict=True) if there)
            raise UsageError(
                "FrictionChanged", expected="ratio, or left_ratio and right_ratio", got=got or None
            )
        for name in ("ratio", "left_ratio", "right_ratio"):
            if getattr(self, name) is not None:
                require_between(self, name, 0.0, 2.0, above=True)

    @property
    def sentence(self) -> str:
        """For the report."""
        if self.ratio is not None:
            return f"road: mu {self.ratio:g}"
        return f"road: mu {self.left_ratio:g} left, {self.right_ratio:g} right"

    def begin(self, site: Site) -> Installed:
        """From now on. A road that the script sets meanwhile counts once the fault is over."""
        left_ratio = self.ratio if self.left_ratio is None else self.left_ratio
        right_ratio = self.ratio if self.right_ratio is None else self.right_ratio
        assert left_ratio is not None
        assert right_ratio is not None
        road = Segment(from_x_m=-inf, left_ratio=left_ratio, right_ratio=right_ratio)
        holding = site.plant.hold_friction((road,))
        return Installed(partial(site.plant.release_friction, holding))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeFaded(PlantFault):
    """The pads have lost friction: the same clamp force gives less brake torque."""

    ratio: float
    """Friction that is left, 0 excluded; 1 is healthy."""
    corner: str | None = None
    """`FL`, `FR`, `RL` or `RR`; `None`: all four."""

    def __post_init__(self) -> None:
        require_between(self, "ratio", 0.0, 1.0, above=True)
        if self.corner is not None:
            require_corner(self, self.corner)

    @property
    def sentence(self) -> str:
        """For the report."""
        where = "all brakes" if self.corner is None else f"brake {self.corner}"
        return f"{where} faded: {100.0 * self.ratio:g} % of the pads' friction left"

    def begin(self, site: Site) -> Installed:
        """From now on; several fades of one brake multiply."""
        calipers = site.plant.calipers
        if self.corner is None:
            return scaled(list(calipers), "pad_friction_ratio", self.ratio)
        return scaled([calipers[CORNERS.index(self.corner)]], "pad_friction_ratio", self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscHot(PlantFault):
    """A brake disc is hot from now on, and cools in the wind; above 300 degC it fades."""

    corner: str
    """`FL`, `FR`, `RL` or `RR`."""
    temperature_c: float
    """At the beginning, up to 900 degC."""

    def __post_init__(self) -> None:
        require_corner(self, self.corner)
        require_between(self, "temperature_c", -40.0, 900.0)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"brake disc {self.corner} at {self.temperature_c:g} degC"

    def begin(self, site: Site) -> Installed:
        """From now on; when it is over the foreign heat is gone at once.

        Of two the later one says how hot the disc is, and takes over the heat of the earlier one
        when that is over first. Raises `UsageError` for a disc that is hotter already.
        """
        caliper = site.plant.calipers[CORNERS.index(self.corner)]
        excess_k = self.temperature_c - caliper.disc_temperature_c
        if not excess_k > 0.0:
            raise UsageError(
                f"DiscHot, {self.corner}, temperature_c",
                expected=f"above {caliper.disc_temperature_c:.0f} degC, which the disc has",
                got=f"{self.temperature_c:g} degC",
            )
        caliper.disc_temperature_c = float(self.temperature_c)
        holders = site.node(actuator_of(CORNERS.index(self.corner))).holders("disc heat")
        heat = _Heat(caliper, excess_k, holders)
        holders.append(heat)
        return Installed(heat.end)


class _Heat:
    """Foreign heat in a disc."""

    __slots__ = ("_caliper", "_holders", "excess_k")

    def __init__(self, caliper: Caliper, excess_k: float, holders: list[_Heat]) -> None:
        self._caliper = caliper
        self._holders = holders
        self.excess_k = excess_k

    def end(self) -> None:
        """Take it away; where the wind has done that already nothing is left to take."""
        place = self._holders.index(self)
        del self._holders[place]
        if place < len(self._holders):
            self._holders[place].excess_k += self.excess_k
            return
        caliper = self._caliper
        cooled_c = caliper.disc_temperature_c - self.excess_k
        ambient_c = caliper.parameters.ambient_temperature_c
        caliper.disc_temperature_c = cooled_c if cooled_c > ambient_c else ambient_c


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopeChanged(PlantFault):
    """The road has another slope."""

    pct: float
    """Positive uphill, -100..100."""

    def __post_init__(self) -> None:
        require_between(self, "pct", -100.0, 100.0)

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"road: slope {self.pct:g} %"

    def begin(self, site: Site) -> Installed:
        """From now on. A slope that the script sets meanwhile counts once the fault is over."""
        holding = site.plant.hold_grade(self.pct / 100.0)
        return Installed(partial(site.plant.release_grade, holding))
