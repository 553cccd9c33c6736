"""Fault schedules: which faults of the catalogue happen when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from simcore.errors import UsageError
from simcore.faults import Fault, TimedFault
from simcore.faults.attacks import ATTACKER
from simcore.faults.fault import LAYERS
from simcore.network import Database
from simcore.rig import Bench
from simcore.testing.strategies.arguments import chosen_from, require_database, require_whole
from simcore.testing.strategies.faults_ecu import ECU
from simcore.testing.strategies.faults_message import MESSAGE
from simcore.testing.strategies.faults_vehicle import ACTUATOR, PIN, PLANT, POWER
from simcore.testing.strategies.faults_wire import WIRE
from simcore.testing.strategies.inventory import Inventory, inventory, inventory_of
from simcore.testing.strategies.shown import shown_as
from simcore.units import NS_PER_MS, NS_PER_S

BY_LAYER: dict[str, dict[str, Callable[[Inventory], SearchStrategy[Fault]]]] = {
    "plant": PLANT,
    "power": POWER,
    "pin": PIN,
    "actuator": ACTUATOR,
    "message": MESSAGE,
    "ecu": ECU,
    "wire": WIRE,
}
"""Every fault of the catalogue, from the road to the cable: the mildest first."""


def faults(
    database: Database,
    *,
    layers: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    nodes: Iterable[str] | None = None,
    sound_sensors_of: Iterable[str] = (),
    on: Bench | None = None,
) -> SearchStrategy[Fault]:
    """Faults that can be injected on a bench of `database`, without a time; see `fault_schedules`.

    `layers` are those of `simcore faults` (wire, message, ecu, pin, actuator, power, plant),
    `kinds` and `exclude` names of faults, `nodes` keeps to faults of these nodes and their
    messages, the sensors of the nodes in `sound_sensors_of` stay whole. `on` is the bench
    (default: the reference chassis on the database). They shrink towards the road and the first
    node. Raises `UsageError` for unknown names, and where the bench has nothing of what is asked
    for.
    """
    return _chosen("faults", database, layers, kinds, exclude, nodes, sound_sensors_of, on)


def fault_schedules(
    database: Database,
    *,
    min_size: int = 0,
    max_size: int = 3,
    layers: Iterable[str] | None = None,
    kinds: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    nodes: Iterable[str] | None = None,
    sound_sensors_of: Iterable[str] = (),
    on: Bench | None = None,
    min_start_ns: int = 0,
    max_start_ns: int = 2 * NS_PER_S,
    min_duration_ns: int = NS_PER_MS,
    max_duration_ns: int | None = NS_PER_S,
) -> SearchStrategy[list[TimedFault]]:
    """Lists of `min_size`..`max_size` faults with their times, in the order they happen.

    Each can be injected: `for fault in schedule: rig.inject(fault)`. What is drawn from is said in
    `faults`. Times are virtual, in whole milliseconds: starts from `min_start_ns` to
    `max_start_ns`, durations from `min_duration_ns` to `max_duration_ns` (`None`: for good, as
    well). Shrinks towards no fault, early and short. No two faults of one schedule concern the
    same node, or the supply it hangs on: one that is off cannot be broken.
    """
    where = "fault_schedules"
    require_whole(where, 0, min_size=min_size, max_size=max_size)
    require_whole(where, 0, min_start_ns=min_start_ns, max_start_ns=max_start_ns)
    require_whole(where, 1, min_duration_ns=min_duration_ns, max_duration_ns=max_duration_ns)
    drawn = _chosen(where, database, layers, kinds, exclude, nodes, sound_sensors_of, on)
    starts = _whole_ms(min_start_ns, max_start_ns)
    most_ns = NS_PER_S if max_duration_ns is None else max_duration_ns
    durations: SearchStrategy[int | None] = _whole_ms(
        min_duration_ns, max(min_duration_ns, most_ns)
    )
    if max_duration_ns is None:
        durations = st.one_of(durations, st.none())
    return _schedules(drawn, starts, durations, min_size, max_size)


@st.composite
def _schedules(
    draw: DrawFn,
    drawn: SearchStrategy[Fault],
    starts: SearchStrategy[int],
    durations: SearchStrategy[int | None],
    min_size: int,
    max_size: int,
) -> list[TimedFault]:
    timed = st.builds(_timed, drawn, starts, durations)
    found = draw(st.lists(timed, unique_by=(_place,), min_size=min_size, max_size=max_size))
    found.sort(key=_start)
    return [_renamed(each, index) for index, each in enumerate(found)]


def _timed(fault: Fault, start_ns: int, duration_ns: int | None) -> TimedFault:
    return TimedFault(fault=fault, start_ns=start_ns, duration_ns=duration_ns)


def _start(timed: TimedFault) -> int:
    assert timed.start_ns is not None
    return timed.start_ns


def _place(timed: TimedFault) -> str:
    """What a fault concerns: two of one place could stand in each other's way."""
    fault: Any = timed.fault
    layer: str = fault.layer
    if layer in ("ecu", "power"):
        return "supply"
    if layer == "message":
        return f"message {fault.message}"
    if layer in ("wire", "plant"):
        return f"{type(fault).__name__}"
    return str(fault.node)


def _renamed(timed: TimedFault, index: int) -> TimedFault:
    """Two attackers of one name cannot be on a bus."""
    if not hasattr(timed.fault, "attacker"):
        return timed
    named: Fault = replace(timed.fault, attacker=f"{ATTACKER}_{index}")  # type: ignore[type-var]
    return replace(timed, fault=named)


def _whole_ms(min_ns: int, max_ns: int) -> SearchStrategy[int]:
    """Whole milliseconds within the limits; the least limit itself where there are none."""
    low, high = -(-min_ns // NS_PER_MS), max_ns // NS_PER_MS
    if low > high:
        return st.integers(min_ns, max_ns)
    return st.integers(low, high).map(_to_ns)


def _to_ns(duration_ms: int) -> int:
    return duration_ms * NS_PER_MS


def _chosen(
    where: str,
    database: Database,
    layers: Iterable[str] | None,
    kinds: Iterable[str] | None,
    exclude: Iterable[str],
    nodes: Iterable[str] | None,
    sound_sensors_of: Iterable[str],
    on: Bench | None,
) -> SearchStrategy[Fault]:
    require_database(where, database)
    of_layers = chosen_from(f"{where}, layers", layers, LAYERS)
    known = [name for table in BY_LAYER.values() for name in table]
    of_kinds = chosen_from(f"{where}, kinds", kinds, known)
    left_out = [] if not (exclude := list(exclude)) else chosen_from(where, exclude, known)
    have = inventory_of(database) if on is None else inventory(on)
    of_nodes = (
        None if nodes is None else frozenset(chosen_from(f"{where}, nodes", nodes, have.nodes))
    )
    if of_nodes is not None:
        have = narrowed(have, of_nodes)
    sound = frozenset(sound_sensors_of)
    have = replace(have, inputs={n: each for n, each in have.inputs.items() if n not in sound})
    drawn: list[SearchStrategy[Fault]] = []
    for layer, table in BY_LAYER.items():
        if layer not in of_layers:
            continue
        for name, built in table.items():
            if name in of_kinds and name not in left_out and is_there(have, layer, of_nodes):
                strategy = built(have)
                if not strategy.is_empty:
                    drawn.append(strategy)
    if not drawn:
        raise UsageError(
            where,
            expected="a fault that the bench has a place for",
            got=f"none of {', '.join(of_kinds[:4])} in {', '.join(of_layers)}",
        )
    return shown_as(f"{len(drawn)} kinds of faults", st.one_of(drawn))


def is_there(have: Inventory, layer: str, nodes: frozenset[str] | None) -> bool:
    """Whether a layer has any place; faults of no node in particular are out where nodes count."""
    if layer in ("plant", "power"):
        return nodes is None and bool(have.corners)
    places = {
        "wire": any(have.wired.values()),
        "message": bool(have.messages),
        "ecu": bool(have.nodes),
        "pin": bool(have.inputs),
        "actuator": bool(have.corners),
    }
    return places[layer]


def narrowed(have: Inventory, nodes: frozenset[str]) -> Inventory:
    """What of an inventory belongs to some nodes."""

    def kept(table: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in table.items() if name in nodes}

    wired = {bus: tuple(n for n in names if n in nodes) for bus, names in have.wired.items()}
    return replace(
        have,
        buses=tuple(bus for bus in have.buses if wired[bus]),
        wired={bus: names for bus, names in wired.items() if names},
        nodes=tuple(name for name in have.nodes if name in nodes),
        messages=tuple(each for each in have.messages if each.senders[0] in nodes),
        tasks=kept(have.tasks),
        swaps=kept(have.swaps),
        variables=kept(have.variables),
        inputs=kept(have.inputs),
        outputs=kept(have.outputs),
        watchdogs=tuple(name for name in have.watchdogs if name in nodes),
        flashes=tuple(name for name in have.flashes if name in nodes),
        corners=tuple(corner for corner in have.corners if f"EMB_{corner}" in nodes),
    )
