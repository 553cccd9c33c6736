"""Faults of a brake actuator: screw, motor, winding, park latch, power stage.

They act on the physical caliper, or between the ECU's outputs and it; the ECU is told nothing. Its
sensors are in `pins`, its supply in `power`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from simcore.faults.corners import CORNERS, actuator_of, require_between, require_corner
from simcore.faults.counting import CountedSamples
from simcore.faults.fault import SiteFault
from simcore.faults.installed import Installed
from simcore.faults.pins import TRAVEL
from simcore.faults.site import PinTransform, Site
from simcore.plant.caliper import Caliper

_CURRENT, _LATCH = "motor_current_a", "park_lock_state"
_TEMPERATURE_MAX_C = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActuatorFault(SiteFault):
    """Base of all: at which corner."""

    corner: str
    """`FL`, `FR`, `RL` or `RR`."""

    layer: ClassVar[str] = "actuator"

    def __post_init__(self) -> None:
        require_corner(self, self.corner)

    @property
    def node(self) -> str:
        """The actuator's ECU."""
        return actuator_of(CORNERS.index(self.corner))

    def check(self, site: Site) -> None:
        """Refuse a rig without a vehicle."""
        _ = site.plant

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: {self._what}"

    @property
    def _what(self) -> str:
        raise NotImplementedError

    def _caliper(self, site: Site) -> Caliper:
        return site.plant.calipers[CORNERS.index(self.corner)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaliperJammed(ActuatorFault):
    """The screw does not move, neither way: the clamp force stays as it is."""

    @property
    def _what(self) -> str:
        return "caliper jammed"

    def begin(self, site: Site) -> Installed:
        """From now on."""
        caliper = self._caliper(site)
        caliper.jam()
        return Installed(caliper.unjam)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorFree(ActuatorFault):
    """The shaft between motor and screw is broken: the motor spins, no force builds up.

    A clamp force that is there drives the screw back open, from 10 kN to below 500 N within 20 ms:
    nothing but the screw's own friction is left to hold it. A locked park latch does hold it.
    `screw_travel_m` is counted at the motor and follows the motor. Mended, the motor takes the
    screw up from rest, where it is.
    """

    @property
    def _what(self) -> str:
        return "motor spins without its screw"

    def begin(self, site: Site) -> Installed:
        """From now on."""
        broken = _BrokenShaft(site, self.node, self._caliper(site))
        broken.begin()
        return Installed(broken.end)


class _BrokenShaft:
    __slots__ = ("_caliper", "_node", "_site")

    def __init__(self, site: Site, node: str, caliper: Caliper) -> None:
        self._site = site
        self._node = node
        self._caliper = caliper

    def begin(self) -> None:
        self._caliper.uncouple()
        self._site.disturb_pin(self._node, TRAVEL, self._travel_m)

    def end(self) -> None:
        self._site.undisturb_pin(self._node, TRAVEL, self._travel_m)
        self._caliper.recouple()

    def _travel_m(self, true_ratio: float, now_ns: int) -> float:
        return self._caliper.motor_travel_m


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorSlow(ActuatorFault):
    """The motor reaches only a part of its speed: the inverter has lost part of its voltage."""

    ratio: float
    """Speed that is left, 0 excluded; 1 is healthy."""

    def __post_init__(self) -> None:
        ActuatorFault.__post_init__(self)
        require_between(self, "ratio", 0.0, 1.0, above=True)

    @property
    def _what(self) -> str:
        return f"motor reaches {100.0 * self.ratio:g} % of its speed"

    def begin(self, site: Site) -> Installed:
        """From now on."""
        return scaled([self._caliper(site)], "usable_voltage_ratio", self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTemperature(ActuatorFault):
    """The winding of the motor is hot, for as long as the fault lasts.

    The ECU sees it at its pin `motor_temperature_c`; what follows from it is the ECU's matter.
    """

    temperature_c: float
    """Up to 400 degC."""

    def __post_init__(self) -> None:
        ActuatorFault.__post_init__(self)
        require_between(self, "temperature_c", -40.0, _TEMPERATURE_MAX_C)

    @property
    def _what(self) -> str:
        return f"motor winding at {self.temperature_c:g} degC"

    def begin(self, site: Site) -> Installed:
        """From now on; when it is over the foreign heat is gone at once."""
        caliper = self._caliper(site)
        holding = caliper.hold_motor_temperature(float(self.temperature_c))
        return Installed(partial(caliper.release_motor_temperature, holding))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkLatchUnlocked(ActuatorFault):
    """The park latch does not lock, or opens if it was locked; the ECU is not told by its output.

    The pin `park_lock_state` shows the latch as it is.
    """

    @property
    def _what(self) -> str:
        return "park latch open"

    def begin(self, site: Site) -> Installed:
        """From now on; when it is over the latch is as the ECU has set it."""
        return driven(site, self.node, _LATCH, Driven(0.0).value)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnintendedClamp(ActuatorFault):
    """The power stage drives the motor closed, whatever the ECU writes.

    It needs supply, and the enable line: low, that takes the current away, and so does an ECU that
    is off.
    """

    current_ratio: float = 1.0
    """Of the greatest motor current, 0 excluded."""

    def __post_init__(self) -> None:
        ActuatorFault.__post_init__(self)
        require_between(self, "current_ratio", 0.0, 1.0, above=True)

    @property
    def _what(self) -> str:
        return f"power stage drives {100.0 * self.current_ratio:g} % current by itself"

    def begin(self, site: Site) -> Installed:
        """From now on."""
        current_a = self.current_ratio * self._caliper(site).parameters.current_max_a
        return driven(site, self.node, _CURRENT, Driven(current_a).value)


class Driven:
    """An output that is the same whatever is written."""

    __slots__ = ("_value_ratio",)

    def __init__(self, value_ratio: float) -> None:
        self._value_ratio = float(value_ratio)

    def value(self, true_ratio: float, now_ns: int) -> float:
        return self._value_ratio


def driven(site: Site, node: str, pin: str, transform: PinTransform) -> Installed:
    """Put a transform on an actuator's output."""
    counted = CountedSamples(site.node(node), transform)
    site.disturb_output(node, pin, counted.value)
    return Installed(partial(site.undisturb_output, node, pin, counted.value), counted)


def scaled(calipers: list[Caliper], parameter: str, ratio: float) -> Installed:
    """Scale a parameter of calipers."""
    factors = {parameter: float(ratio)}
    for caliper in calipers:
        caliper.scale(factors)
    return Installed(partial(_unscale, tuple(calipers), factors))


def _unscale(calipers: tuple[Caliper, ...], factors: dict[str, float]) -> None:
    for caliper in calipers:
        caliper.unscale(factors)
