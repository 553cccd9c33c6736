"""Faults of sensors: what the ECU reads at a pin is no longer the truth.

A fault passes the true value of an input pin through a transform, every millisecond. Several on one
pin act one behind the other, in the order they came.

`screw_travel_m` and `motor_speed_radps` of an actuator come from one sensor, the motor's angle
sensor: travel is the angle it has counted, speed its derivative. A fault of `screw_travel_m` is one
of the sensor and falsifies the speed accordingly: stuck or out of range it reads 0, a drift adds
its rate, noise its differences, an offset nothing. A fault of `motor_speed_radps` alone is one of
the differentiation and leaves the travel right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import ClassVar, TypeAlias

from simcore.errors import UsageError
from simcore.faults.corners import corner_of
from simcore.faults.counting import CountedSamples
from simcore.faults.fault import SiteFault
from simcore.faults.installed import Installed
from simcore.faults.site import PinTransform, Site
from simcore.kernel import RandomStream
from simcore.units import NS_PER_MS, NS_PER_S

PinValue: TypeAlias = float
"""A value of a pin, in the unit that the pin carries in its name."""

TRAVEL, SPEED = "screw_travel_m", "motor_speed_radps"
_SAMPLES_PER_S = NS_PER_S / NS_PER_MS

GROUND, SUPPLY, OPEN = "ground", "supply", "open"
_RANGE_FAULTS: dict[str, tuple[float, float]] = {
    "pedal_travel_1_mm": (-10.0, 150.0),
    "pedal_travel_2_mm": (-10.0, 150.0),
    "pedal_force_n": (-100.0, 2_500.0),
    "wheel_speed_radps": (-1_000.0, 1_000.0),
    "clamp_force_n": (-8_000.0, 80_000.0),
    "screw_travel_m": (-0.02, 0.02),
    "motor_speed_radps": (-2_000.0, 2_000.0),
    "phase_current_a": (-200.0, 200.0),
    "battery_current_a": (-200.0, 200.0),
    "supply_v": (0.0, 100.0),
    "disc_temperature_c": (-100.0, 1_500.0),
    "motor_temperature_c": (-100.0, 400.0),
    "yaw_rate_radps": (-10.0, 10.0),
    "roll_rate_radps": (-10.0, 10.0),
    "ax_mps2": (-100.0, 100.0),
    "ay_mps2": (-100.0, 100.0),
}
"""What a short to ground and one to the supply read: far outside what the sensor measures."""
_REDUNDANT = {
    "pedal_travel_1_mm": "pedal_travel_2_mm",
    "pedal_travel_2_mm": "pedal_travel_1_mm",
    "pedal_force_n": "pedal_travel_1_mm and pedal_travel_2_mm",
}
"""Channels that measure the same, and what they can be held against."""
_UNITS = {
    "mm": "mm",
    "m": "m",
    "n": "N",
    "v": "V",
    "a": "A",
    "c": "degC",
    "radps": "rad/s",
    "mps2": "m/s2",
}


def shown(pin: str, value: PinValue) -> str:
    """A pin's value with its unit, for people."""
    unit = _UNITS.get(pin.rpartition("_")[2], "")
    return f"{value:g} {unit}".rstrip()


class _Lie:
    """What becomes of a pin's true value, and of the speed where the pin is the motor's angle."""

    __slots__ = ()

    touches_speed = False

    def value(self, true_ratio: float, now_ns: int) -> float:
        raise NotImplementedError

    def speed(self, true_ratio: float, now_ns: int) -> float:
        return true_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFault(SiteFault):
    """Base of all: which pin of which node."""

    node: str
    """The ECU that reads the sensor: `BPS`, `EMB_FL`, `IMU`."""
    pin: str
    """Its input pin: `pedal_travel_1_mm`, `clamp_force_n`, `yaw_rate_radps`."""

    layer: ClassVar[str] = "pin"

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: {self.pin} {self._what}"

    @property
    def _what(self) -> str:
        raise NotImplementedError

    def _lie(self, site: Site) -> _Lie:
        raise NotImplementedError

    def check(self, site: Site) -> None:
        """Refuse a node or a pin that is not there."""
        site.require_input(self.node, self.pin)

    def begin(self, site: Site) -> Installed:
        """From now on. Raises `UsageError` for a node or pin that the rig has not."""
        self.check(site)
        lie = self._lie(site)
        counted = CountedSamples(site.node(self.node), lie.value)
        placed: list[tuple[str, PinTransform]] = [(self.pin, counted.value)]
        if self.pin == TRAVEL and lie.touches_speed:
            placed.append((SPEED, lie.speed))
        for pin, transform in placed:
            site.disturb_pin(self.node, pin, transform)
        return Installed(partial(_undisturb, site, self.node, tuple(placed)), counted)

    def _require_finite(self, name: str) -> None:
        value = getattr(self, name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not isfinite(value):
            where = f"{type(self).__name__}.{name}"
            raise UsageError(where, expected="a finite number", got=repr(value))


def _undisturb(site: Site, node: str, placed: tuple[tuple[str, PinTransform], ...]) -> None:
    for pin, transform in placed:
        site.undisturb_pin(node, pin, transform)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorStuck(PinFault):
    """The sensor gives the same value for ever."""

    value: PinValue | None = None
    """In the pin's unit; `None`: what it gives at the moment."""

    def __post_init__(self) -> None:
        if self.value is not None:
            self._require_finite("value")

    @property
    def _what(self) -> str:
        where = "where it is" if self.value is None else f"at {shown(self.pin, self.value)}"
        return f"stuck {where}"

    def _lie(self, site: Site) -> _Lie:
        return _Stuck(self.value)


class _Stuck(_Lie):
    __slots__ = ("_value_ratio",)

    touches_speed = True

    def __init__(self, value: PinValue | None) -> None:
        self._value_ratio: float | None = None if value is None else float(value)

    def value(self, true_ratio: float, now_ns: int) -> float:
        if self._value_ratio is None:
            self._value_ratio = true_ratio
        return self._value_ratio

    def speed(self, true_ratio: float, now_ns: int) -> float:
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorOffset(PinFault):
    """The sensor is off by a constant."""

    value: PinValue
    """Added to the truth, in the pin's unit."""

    def __post_init__(self) -> None:
        self._require_finite("value")

    @property
    def _what(self) -> str:
        return f"off by {shown(self.pin, self.value)}"

    def _lie(self, site: Site) -> _Lie:
        return _Offset(float(self.value))


class _Offset(_Lie):
    __slots__ = ("_offset_ratio",)

    def __init__(self, offset_ratio: float) -> None:
        self._offset_ratio = offset_ratio

    def value(self, true_ratio: float, now_ns: int) -> float:
        return true_ratio + self._offset_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorDrift(PinFault):
    """The sensor runs away from the truth, steadily."""

    value_per_s: float
    """In the pin's unit per second."""

    def __post_init__(self) -> None:
        self._require_finite("value_per_s")

    @property
    def _what(self) -> str:
        return f"drifts by {shown(self.pin, self.value_per_s)} per s"

    def _lie(self, site: Site) -> _Lie:
        per_rad = _gear_m_per_rad(site, self)
        return _Drift(site.scheduler.now_ns, float(self.value_per_s), self.value_per_s / per_rad)


class _Drift(_Lie):
    __slots__ = ("_speed_radps", "_start_ns", "_value_per_s")

    touches_speed = True

    def __init__(self, start_ns: int, value_per_s: float, speed_radps: float) -> None:
        self._start_ns = start_ns
        self._value_per_s = value_per_s
        self._speed_radps = speed_radps

    def value(self, true_ratio: float, now_ns: int) -> float:
        return true_ratio + self._value_per_s * (now_ns - self._start_ns) / NS_PER_S

    def speed(self, true_ratio: float, now_ns: int) -> float:
        return true_ratio + self._speed_radps


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorNoise(PinFault):
    """The sensor is noisy: each millisecond another bell-shaped error, seeded."""

    sigma: PinValue
    """Standard deviation, in the pin's unit."""

    def __post_init__(self) -> None:
        self._require_finite("sigma")
        if not self.sigma > 0.0:
            raise UsageError("SensorNoise.sigma", expected="> 0", got=repr(self.sigma))

    @property
    def _what(self) -> str:
        return f"noisy, standard deviation {shown(self.pin, self.sigma)}"

    def _lie(self, site: Site) -> _Lie:
        stream = site.stream(f"fault.{self.node}.{self.pin}")
        return _Noise(stream, float(self.sigma), _gear_m_per_rad(site, self))


class _Noise(_Lie):
    __slots__ = ("_before_ratio", "_error_ratio", "_gear_m_per_rad", "_sigma_ratio", "_stream")

    touches_speed = True

    def __init__(self, stream: RandomStream, sigma_ratio: float, gear_m_per_rad: float) -> None:
        self._stream = stream
        self._sigma_ratio = sigma_ratio
        self._gear_m_per_rad = gear_m_per_rad
        self._before_ratio = self._error_ratio = 0.0

    def value(self, true_ratio: float, now_ns: int) -> float:
        self._before_ratio = self._error_ratio
        self._error_ratio = self._stream.bell(self._sigma_ratio)
        return true_ratio + self._error_ratio

    def speed(self, true_ratio: float, now_ns: int) -> float:
        step_m = self._error_ratio - self._before_ratio
        return true_ratio + step_m * _SAMPLES_PER_S / self._gear_m_per_rad


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorRangeFault(PinFault):
    """The sensor's line is shorted or open: it reads far outside what it can measure."""

    to: str = SUPPLY
    """`supply`, `ground`, or `open`, which the input's resistor pulls to ground."""
    value: PinValue | None = None
    """What it reads then, in the pin's unit; `None`: the pin's own for such a short."""

    def __post_init__(self) -> None:
        if self.to not in (SUPPLY, GROUND, OPEN):
            raise UsageError(
                "SensorRangeFault.to",
                expected=f"one of {SUPPLY}, {GROUND}, {OPEN}",
                got=repr(self.to),
            )
        if self.value is not None:
            self._require_finite("value")

    @property
    def _what(self) -> str:
        how = "line open" if self.to == OPEN else f"shorted to {self.to}"
        return how if self.value is None else f"{how}, reads {shown(self.pin, self.value)}"

    def check(self, site: Site) -> None:
        """Refuse a node or a pin that is not there, and one of which no limits are known."""
        PinFault.check(self, site)
        if self.value is None and self.pin not in _RANGE_FAULTS:
            raise UsageError(
                f"SensorRangeFault, pin {self.pin!r}",
                expected=f"a value, or one of {', '.join(_RANGE_FAULTS)}",
                got="no value",
            )

    def _lie(self, site: Site) -> _Lie:
        if self.value is not None:
            return _Stuck(self.value)
        limits = _RANGE_FAULTS[self.pin]
        return _Stuck(limits[1] if self.to == SUPPLY else limits[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDisagreement(PinFault):
    """One of the redundant channels of the brake pedal is shifted against the others.

    The channels are `pedal_travel_1_mm` and `pedal_travel_2_mm`, one against the other, and
    `pedal_force_n`, which travel tells as well. No other sensor of the reference vehicle has a
    second channel of its own; `SensorOffset` shifts any pin.
    """

    node: str = "BPS"
    """The ECU that reads the sensor."""
    pin: str = "pedal_travel_2_mm"
    """The channel that is shifted."""
    value: PinValue = 10.0
    """By how much, in the pin's unit."""

    def __post_init__(self) -> None:
        self._require_finite("value")
        if self.pin not in _REDUNDANT:
            raise UsageError(
                "ChannelDisagreement.pin",
                expected=f"one of {', '.join(_REDUNDANT)}, which have a second channel",
                got=repr(self.pin),
            )

    @property
    def _what(self) -> str:
        return f"shifted by {shown(self.pin, self.value)} against {_REDUNDANT[self.pin]}"

    def _lie(self, site: Site) -> _Lie:
        return _Offset(float(self.value))


def _gear_m_per_rad(site: Site, fault: PinFault) -> float:
    """Screw travel per motor angle, of a fault of the motor's angle sensor; else 1."""
    corner = corner_of(fault.node)
    if fault.pin != TRAVEL or corner is None:
        return 1.0
    return site.plant.calipers[corner].parameters.gear_m_per_rad
