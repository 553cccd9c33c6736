"""Strategies of the faults of sensors, actuators, supplies and road, by their catalogue names."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.faults import (
    BrakeFaded,
    CaliperJammed,
    ChannelDisagreement,
    DiscHot,
    Fault,
    FrictionChanged,
    MotorFree,
    MotorSlow,
    OverTemperature,
    ParkLatchUnlocked,
    SensorDrift,
    SensorNoise,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
    SlopeChanged,
    SupplyLost,
    SupplyLow,
    UnintendedClamp,
)
from simcore.faults.pins import _RANGE_FAULTS as READINGS
from simcore.testing.strategies.inventory import Inventory
from simcore.units import NS_PER_MS

Faults = SearchStrategy[Fault]
_CHANNELS = ("pedal_travel_2_mm", "pedal_travel_1_mm", "pedal_force_n")
_SHARES = st.integers(-100, 100).map(lambda pct: pct / 100)
_TENTHS = st.integers(1, 10).map(lambda tenths: tenths / 10)


@st.composite
def _pin(draw: DrawFn, have: Inventory) -> tuple[str, str, float]:
    """Node, pin, and the width of what it reads."""
    node = draw(st.sampled_from(tuple(have.inputs)))
    pin = draw(st.sampled_from(have.inputs[node]))
    low, high = READINGS.get(pin, (0.0, 1.0))
    return node, pin, high - low


@st.composite
def _stuck(draw: DrawFn, have: Inventory) -> Fault:
    node, pin, width = draw(_pin(have))
    values = st.none() | _SHARES.map(lambda share: share * width)
    return SensorStuck(node=node, pin=pin, value=draw(values))


@st.composite
def _offset(draw: DrawFn, have: Inventory) -> Fault:
    node, pin, width = draw(_pin(have))
    return SensorOffset(node=node, pin=pin, value=draw(_SHARES) * width)


@st.composite
def _drift(draw: DrawFn, have: Inventory) -> Fault:
    node, pin, width = draw(_pin(have))
    return SensorDrift(node=node, pin=pin, value_per_s=draw(_SHARES) * width)


@st.composite
def _noise(draw: DrawFn, have: Inventory) -> Fault:
    node, pin, width = draw(_pin(have))
    return SensorNoise(node=node, pin=pin, sigma=draw(_TENTHS) / 10 * width)


@st.composite
def _range(draw: DrawFn, have: Inventory) -> Fault:
    node = draw(st.sampled_from([each for each, pins in have.inputs.items() if _known(pins)]))
    pin = draw(st.sampled_from(_known(have.inputs[node])))
    return SensorRangeFault(
        node=node, pin=pin, to=draw(st.sampled_from(("open", "ground", "supply")))
    )


def _known(pins: tuple[str, ...]) -> list[str]:
    return [pin for pin in pins if pin in READINGS]


@st.composite
def _disagreeing(draw: DrawFn, have: Inventory) -> Fault:
    nodes = {pin: node for node, pins in have.inputs.items() for pin in pins}
    pin = draw(st.sampled_from([each for each in _CHANNELS if each in nodes]))
    low, high = READINGS[pin]
    return ChannelDisagreement(node=nodes[pin], pin=pin, value=draw(_SHARES) * (high - low))


@st.composite
def _friction(draw: DrawFn, have: Inventory) -> Fault:
    ratios = st.integers(1, 12).map(lambda tenths: (13 - tenths) / 10)
    if draw(st.booleans()):
        return FrictionChanged(left_ratio=draw(ratios), right_ratio=draw(ratios))
    return FrictionChanged(ratio=draw(ratios))


def _at(have: Inventory, kind: Callable[..., Fault], **more: SearchStrategy[float]) -> Faults:
    if not have.corners:
        return st.nothing()
    return st.builds(kind, corner=st.sampled_from(have.corners), **more)


def _pins(have: Inventory, found: Callable[[Inventory], Faults]) -> Faults:
    return found(have) if have.inputs else st.nothing()


def _vehicle(have: Inventory, found: Faults) -> Faults:
    return found if have.corners else st.nothing()


_SUPPLIES = st.sampled_from(("A", "B"))
PIN: dict[str, Callable[[Inventory], Faults]] = {
    "ChannelDisagreement": lambda have: _pins(have, _disagreeing),
    "SensorDrift": lambda have: _pins(have, _drift),
    "SensorNoise": lambda have: _pins(have, _noise),
    "SensorOffset": lambda have: _pins(have, _offset),
    "SensorRangeFault": lambda have: _pins(have, _range),
    "SensorStuck": lambda have: _pins(have, _stuck),
}
ACTUATOR: dict[str, Callable[[Inventory], Faults]] = {
    "CaliperJammed": lambda have: _at(have, CaliperJammed),
    "MotorFree": lambda have: _at(have, MotorFree),
    "MotorSlow": lambda have: _at(have, MotorSlow, ratio=_TENTHS),
    "OverTemperature": lambda have: _at(
        have, OverTemperature, temperature_c=st.integers(100, 200).map(float)
    ),
    "ParkLatchUnlocked": lambda have: _at(have, ParkLatchUnlocked),
    "UnintendedClamp": lambda have: _at(have, UnintendedClamp, current_ratio=_TENTHS),
}
POWER: dict[str, Callable[[Inventory], Faults]] = {
    "SupplyLost": lambda have: _vehicle(
        have,
        st.builds(
            SupplyLost,
            supply=_SUPPLIES,
            hold_up_ns=st.integers(1, 50).map(lambda n: n * NS_PER_MS),
        ),
    ),
    "SupplyLow": lambda have: _vehicle(
        have,
        st.builds(
            SupplyLow, supply=_SUPPLIES, voltage_v=st.integers(1, 45).map(lambda n: 46.0 - n)
        ),
    ),
}
PLANT: dict[str, Callable[[Inventory], Faults]] = {
    "BrakeFaded": lambda have: _vehicle(
        have,
        st.builds(
            BrakeFaded, ratio=_TENTHS, corner=st.none() | st.sampled_from(have.corners or ("",))
        ),
    ),
    "DiscHot": lambda have: _at(have, DiscHot, temperature_c=st.integers(500, 900).map(float)),
    "FrictionChanged": lambda have: _vehicle(have, _friction(have)),
    "SlopeChanged": lambda have: _vehicle(
        have, st.builds(SlopeChanged, pct=st.integers(-30, 30).map(float))
    ),
}
