"""What a machine begins with: a rig, warmed up with the module in place, and what rules draw from.

Made once per configuration and process; every sequence gets a fork. A module that cannot be copied
(`Dut.forkable`) gets a new rig each time.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.errors import UsageError
from simcore.network import Database
from simcore.rig import DRIVING, Rig
from simcore.rig.software import HARDWARE
from simcore.testing.failures import Evidence
from simcore.testing.machine_requirements import Judge
from simcore.testing.machine_steps import ModuleInPlace, Step, World, step
from simcore.testing.strategies.arguments import chosen_from
from simcore.testing.strategies.frames import frames, raw_frames
from simcore.testing.strategies.schedules import faults
from simcore.testing.strategies.uds import uds_requests
from simcore.testing.strategies.updates import UPDATE_KINDS, update_events

if TYPE_CHECKING:
    from simcore.testing.machine import ChassisMachine

ATTACKER = "stranger"
"""Variable of the scenario: a controller on the first bus that belongs to nobody."""
GROUPS = ("time", "driver", "road", "faults", "frames", "diagnostics", "update")
"""Groups of rules."""
_DIAGNOSED = frozenset({"diagnostics", "update"})


class Setup:
    """One configuration of a machine."""

    def __init__(self, machine: type[ChassisMachine]) -> None:
        self.machine = machine
        self._keeps = machine.module  # so that its id stays its own
        self.place = None if machine.module is None else place_of(machine.node, machine.module)
        groups = machine.groups()
        for name in ("only", "without"):
            chosen_from(f"{machine.__name__}, {name}", getattr(machine, name) or GROUPS, GROUPS)
        if not groups:
            raise UsageError(f"{machine.__name__}, only", expected="a group of rules", got="none")
        self.database = machine.database if machine.database is not None else Database.reference()
        self.warm_up = tuple(self._warm_up(groups))
        self.warm = self._new()
        nodes = self.warm.rig.nodes
        self.updated: list[str] = [
            name for name in tuple(HARDWARE)[::-1] if name in nodes and name != machine.node
        ]
        self.drawn = self._strategies(groups)

    def fork(self) -> World:
        """A world of its own for one sequence."""
        if self.place is not None and not self.place.dut.forkable:
            return self._new()
        return self.warm.fork()

    def evidence(self, steps: Sequence[Step], requirement: str, text: str) -> Evidence:
        """What is written of a failure."""
        machine = self.machine
        return Evidence(
            name=snake(machine.__name__),
            requirement=requirement,
            text=text,
            warm_up=self.warm_up,
            steps=tuple(steps),
            node=machine.node,
            judges={name: where_of(judge) for name, judge in machine.judges.items()},
            seed=machine.seed,
            database=machine.database,
            folder=machine.folder,
        )

    def _new(self) -> World:
        world = World(rig=Rig(seed=self.machine.seed, database=self.machine.database))
        for each in self.warm_up:
            world.take(each)
        return world

    def _warm_up(self, groups: Sequence[str]) -> list[Step]:
        machine, found = self.machine, []
        if self.place is not None:
            found.append(step("rig.replace", machine.node, self.place))
        if "frames" in groups:
            bus = "CHASSIS_A"
            found.append(step("rig.bus", bus, keep="chassis_bus"))
            found.append(step("chassis_bus.attach", "STRANGER", keep=ATTACKER))
        if _DIAGNOSED & set(groups):
            found.append(step("rig.tester.use_link", DRIVING))
        if machine.speed_kmh:
            found.append(step("rig.vehicle.set_speed", kmh=machine.speed_kmh))
            found.append(step("rig.driver.hold_speed", machine.speed_kmh))
        found.append(step("rig.run_for", machine.warm_ns))
        return found

    def _strategies(self, groups: Sequence[str]) -> dict[str, SearchStrategy[Any]]:
        machine, rig = self.machine, self.warm.rig
        drawn: dict[str, SearchStrategy[Any]] = {}
        if "faults" in groups:
            drawn["faults"] = faults(
                self.database,
                layers=machine.fault_layers,
                exclude=machine.exclude_faults,
                sound_sensors_of=machine.sound_sensors_of,
                on=rig,
            )
        if "frames" in groups:
            drawn["frames"] = st.one_of(
                frames(self.database, protect=False, reserved=True), raw_frames()
            )
        if "diagnostics" in groups:
            drawn["diagnosed"] = st.sampled_from(rig.tester.nodes)
            drawn["requests"] = uds_requests(max_length=20)
        if "update" in groups:
            drawn["updates"] = update_events(nodes=self.updated, kinds=UPDATE_KINDS)
        return drawn


_CACHE: dict[tuple[Any, ...], Setup] = {}
_OPTIONS = (
    *("node", "module", "database", "seed", "speed_kmh", "warm_ns", "only", "without"),
    *("fault_layers", "exclude_faults", "sound_sensors_of"),
)


def setup_of(machine: type[ChassisMachine]) -> Setup:
    """The setup of a machine's configuration, made when first asked for."""
    if machine.node is None and machine.module is not None:
        raise UsageError(f"{machine.__name__}, node", expected="the module's place", got="None")
    key = (machine, *(_key(getattr(machine, name)) for name in _OPTIONS))
    if key not in _CACHE:
        _CACHE[key] = Setup(machine)
    return _CACHE[key]


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else id(value) if _is_odd(value) else value


def _is_odd(value: Any) -> bool:
    return value.__hash__ is None or isinstance(value, Dut)


def place_of(node: str | None, module: Any) -> ModuleInPlace:
    """A module in its place: a `Dut`, the text of one, a class or a factory."""
    if node is None:
        raise UsageError("module under test", expected="a node with it", got="none")
    if isinstance(module, Dut):
        return ModuleInPlace(dut=module, node=node, source=f"load_dut({module.spec!r})")
    if isinstance(module, str):
        return ModuleInPlace(dut=load_dut(module), node=node, source=f"load_dut({module!r})")
    path, name = where_of(module)
    return ModuleInPlace(dut=dut_of(module), node=node, source=f"load_dut({f'{path}::{name}'!r})")


def where_of(made: Judge | Any) -> tuple[str, str]:
    """File and name of a class or function, the file as seen from here where that is shorter."""
    try:
        file = inspect.getsourcefile(made) or "?"
    except TypeError:
        file = "?"
    name = getattr(made, "__qualname__", repr(made))
    relative = os.path.relpath(file) if file != "?" else file
    path = relative if not relative.startswith("..") else file
    return Path(path).as_posix(), name


def snake(name: str) -> str:
    """`MyMachine` as `my_machine`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
