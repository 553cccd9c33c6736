"""Strategies of the faults of the wire and of attacks, by the names of the catalogue."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.faults import (
    AckSuppressed,
    BabblingNode,
    BitError,
    BusOff,
    BusOpen,
    BusShorted,
    DominantPulse,
    Fault,
    GroundOffset,
    NodeUnplugged,
    OpenWire,
    ReplayAttack,
    SpoofedMessage,
    StuckDominant,
    StuckRecessive,
)
from simcore.network.messages import Message
from simcore.testing.strategies.frames import counter_modulo, frame_of, protected
from simcore.testing.strategies.inventory import Inventory
from simcore.testing.strategies.signals import raw_values, signal_values
from simcore.units import NS_PER_MS, NS_PER_US

Faults = SearchStrategy[Fault]
_LAST_BIT = 200
_LEVELS = st.sampled_from((None, "recessive", "dominant"))


@st.composite
def _on_node(draw: DrawFn, have: Inventory, kind: Callable[..., Fault]) -> Fault:
    bus = draw(st.sampled_from(have.buses))
    return kind(bus=bus, node=draw(st.sampled_from(have.wired[bus])))


@st.composite
def _bit_errors(draw: DrawFn, have: Inventory) -> Fault:
    bus = draw(st.sampled_from(have.buses))
    node = st.sampled_from((None, *have.wired[bus]))
    bits = st.lists(st.integers(0, _LAST_BIT), min_size=1, max_size=4, unique=True)
    return BitError(
        bus=bus,
        bits=tuple(draw(bits)),
        node=draw(node),
        level=draw(_LEVELS),
        sender=draw(node),
        every=draw(st.integers(1, 100)),
        limit=draw(st.integers(1, 100)),
    )


@st.composite
def _acks(draw: DrawFn, have: Inventory) -> Fault:
    bus = draw(st.sampled_from(have.buses))
    return AckSuppressed(
        bus=bus,
        sender=draw(st.sampled_from(have.wired[bus])),
        limit=draw(st.integers(1, 100)),
    )


def _shorts(have: Inventory) -> Faults:
    levels = st.sampled_from(("recessive", "dominant"))
    return st.builds(BusShorted, bus=st.sampled_from(have.buses), level=levels)


@st.composite
def _pulses(draw: DrawFn, have: Inventory) -> Fault:
    duration_ns = draw(st.integers(1, 50)) * NS_PER_US
    pauses = st.none() | st.integers(1, 100).map(lambda n: duration_ns + n * NS_PER_MS)
    return DominantPulse(
        bus=draw(st.sampled_from(have.buses)), duration_ns=duration_ns, period_ns=draw(pauses)
    )


@st.composite
def _grounds(draw: DrawFn, have: Inventory) -> Fault:
    bus = draw(st.sampled_from(have.buses))
    return GroundOffset(
        bus=bus,
        node=draw(st.sampled_from(have.wired[bus])),
        bit_error_ratio=draw(st.sampled_from((1e-7, 1e-6, 1e-5, 1e-4))),
        seed=draw(st.integers(0, 3)),
    )


@st.composite
def _babblers(draw: DrawFn, have: Inventory) -> Fault:
    bus = draw(st.sampled_from(have.buses))
    return BabblingNode(
        bus=bus,
        node=draw(st.sampled_from(have.wired[bus])),
        arbitration_id=draw(st.integers(0, 0x7FF)),
        data=draw(st.binary(max_size=8)),
        period_ns=draw(st.none() | st.integers(1, 100).map(lambda n: n * NS_PER_MS)),
    )


def _attacked(have: Inventory) -> SearchStrategy[Message]:
    return st.sampled_from([each for each in have.messages if not each.codec.is_multiplexed])


@st.composite
def _spoofs(draw: DrawFn, have: Inventory) -> Fault:
    message = draw(_attacked(have))
    values = draw(signal_values(message))
    names = st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=3, unique=True)
    return SpoofedMessage(
        bus=have.buses[0],
        message=message,
        values={name: values[name] for name in draw(names)},
        delay_ns=draw(st.integers(1, 4)) * NS_PER_MS,
    )


@st.composite
def _replays(draw: DrawFn, have: Inventory) -> Fault:
    """A recorded stretch: counters run on, contents are steady."""
    message = draw(_attacked(have))
    raws = draw(raw_values(message, None, {}, reserved=False, undefined=True))
    frame, modulo = frame_of(message, raws), counter_modulo(message)
    first, count = draw(st.integers(0, modulo - 1)), draw(st.integers(1, 6))
    sealed = [
        frame if message.e2e is None else protected(message, frame, (first + step) % modulo)
        for step in range(count)
    ]
    return ReplayAttack(
        bus=have.buses[0],
        frames=tuple(sealed),
        burst=draw(st.integers(1, 4)),
        delay_ns=draw(st.integers(1, 4)) * NS_PER_MS,
    )


WIRE: dict[str, Callable[[Inventory], Faults]] = {
    "AckSuppressed": _acks,
    "BabblingNode": _babblers,
    "BitError": _bit_errors,
    "BusOff": lambda have: _on_node(have, BusOff),
    "BusOpen": lambda have: st.builds(BusOpen, bus=st.sampled_from(have.buses)),
    "BusShorted": _shorts,
    "DominantPulse": _pulses,
    "GroundOffset": _grounds,
    "NodeUnplugged": lambda have: _on_node(have, NodeUnplugged),
    "OpenWire": lambda have: _on_node(have, OpenWire),
    "ReplayAttack": _replays,
    "SpoofedMessage": _spoofs,
    "StuckDominant": lambda have: _on_node(have, StuckDominant),
    "StuckRecessive": lambda have: _on_node(have, StuckRecessive),
}
