"""What a bench has that can be broken: buses, nodes, tasks, pins, variables, messages.

Read off a bench as it stands, so that a fault that is drawn can be injected there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from simcore.ecu.runtime import Ecu
from simcore.errors import UsageError
from simcore.faults import TaskOrderSwapped
from simcore.network import Database, Message
from simcore.rig import Bench, Rig
from simcore.rig.injection import check_places
from simcore.rig.recorder import CORNERS
from simcore.units import UNIT_SUFFIXES

ACTUATORS = tuple(f"EMB_{corner}" for corner in CORNERS)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Inventory:
    """What can be broken. Dictionaries are by node; a node without such things is not in them."""

    buses: tuple[str, ...]
    wired: dict[str, tuple[str, ...]]
    """Nodes by bus."""
    nodes: tuple[str, ...]
    messages: tuple[Message, ...]
    """Cyclic ones that a node of the bench sends alone."""
    tasks: dict[str, tuple[str, ...]]
    swaps: dict[str, tuple[tuple[str, str], ...]]
    """Tasks that are due at the same instant, in the order they run."""
    variables: dict[str, tuple[str, ...]]
    """State variables that are floats with a unit."""
    inputs: dict[str, tuple[str, ...]]
    outputs: dict[str, tuple[str, ...]]
    """Of actuators."""
    watchdogs: tuple[str, ...]
    flashes: tuple[str, ...]
    corners: tuple[str, ...]
    """Of the vehicle; empty where there is none."""

    def __repr__(self) -> str:  # hypothesis prints what strategies are made of
        return f"<Inventory of {len(self.nodes)} nodes>"


@lru_cache(maxsize=8)
def inventory_of(database: Database) -> Inventory:
    """What the reference chassis on a network has."""
    return inventory(Rig(database=database))


def inventory(bench: Bench) -> Inventory:
    """What a bench has at the moment. Raises `UsageError` for anything but a bench."""
    if not isinstance(bench, Bench):
        raise UsageError("bench", expected="a Rig or another bench", got=repr(bench))
    has_plant = getattr(bench, "plant", None) is not None
    ecus = {name: node for name in bench.nodes if isinstance(node := bench.node(name), Ecu)}
    tasks = {name: tuple(task.name for task in ecu._tasks) for name, ecu in ecus.items()}
    inputs = {name: tuple(bench.host(name).inputs) for name in bench.nodes} if has_plant else {}
    return Inventory(
        buses=tuple(bus.name for bus in bench.buses),
        wired={
            bus.name: tuple(each.name for each in bus.controllers if each.name in bench.nodes)
            for bus in bench.buses
        },
        nodes=bench.nodes,
        messages=tuple(each for each in bench.database.messages if _is_sent(bench, each)),
        tasks={name: names for name, names in tasks.items() if names},
        swaps={name: pairs for name in ecus if (pairs := _swaps(bench, name, ecus[name]))},
        variables={name: paths for name, ecu in ecus.items() if (paths := _floats(ecu))},
        inputs={name: pins for name, pins in inputs.items() if pins},
        outputs={
            name: pins
            for name in ACTUATORS
            if has_plant and name in bench.nodes and (pins := tuple(bench.host(name).outputs))
        },
        watchdogs=tuple(name for name in bench.nodes if bench.host(name).board is not None),
        flashes=tuple(name for name in bench.nodes if bench.host(name).flash is not None),
        corners=CORNERS if has_plant else (),
    )


def _is_sent(bench: Bench, message: Message) -> bool:
    if message.cycle_time_ns is None or message.defect or len(message.senders) != 1:
        return False
    return bench.may_send(message.senders[0], message)


def _swaps(bench: Bench, name: str, ecu: Ecu) -> tuple[tuple[str, str], ...]:
    found = []
    for first, second in pairwise(ecu._tasks):
        try:
            check_places(bench, TaskOrderSwapped(node=name, first=first.name, second=second.name))
        except UsageError:
            continue
        found.append((first.name, second.name))
    return tuple(found)


def _floats(ecu: Ecu) -> tuple[str, ...]:
    """Paths of the application's floats: a bit of the mantissa leaves each a number."""
    application = getattr(ecu, "application", None)
    if application is None:
        return ()
    names = set(getattr(application, "__dict__", {}))
    for cls in type(application).__mro__:
        slots = getattr(cls, "__slots__", ())
        names.update((slots,) if isinstance(slots, str) else slots)
    return tuple(
        f"application.{name}"
        for name in sorted(names)
        if not name.startswith("_")
        and type(getattr(application, name, None)) is float
        and any(name.endswith(f"_{unit}") for unit in UNIT_SUFFIXES)
    )
