"""Steps of a sequence: one call each, carried out on a rig and written down as a line of source.

The same object is both, so what is written is what ran.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import reduce
from typing import Any

from simcore.attach.dut import Dut
from simcore.errors import UsageError
from simcore.rig import Backend, Campaign
from simcore.testing.machine_source import Kept, Source
from simcore.testing.sequence_bench import NodeBench
from simcore.testing.strategies.updates import UpdateAction

_MAKERS: dict[str, Any] = {
    each.__name__: each for each in (Backend, Campaign, UpdateAction, NodeBench)
}
"""What a step may make; everything else is a method of something that is there."""
_TIMES = frozenset({"rig.run_for", "bench.run_for"})
"""Calls whose first argument is a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleInPlace:
    """A module under test, as an argument of a step: made anew for each rig."""

    dut: Dut
    node: str
    source: str
    """How a scenario file loads it: `load_dut("brake.py::Brake")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call: `rig.press_pedal(30.0)`, `fault_1 = rig.inject(...)`."""

    call: str
    """Path from a variable of the scenario: `rig.vehicle.set_friction`; or what makes something."""
    args: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()
    keep: str = ""
    """Variable that keeps what is returned."""

    def carry_out(self, names: dict[str, Any]) -> Any:
        """Make the call; `names` are the variables, `rig` among them."""
        first, *path = self.call.split(".")
        target = names[first] if first in names else _MAKERS.get(first)
        if target is None:
            known = ", ".join((*names, *_MAKERS))
            raise UsageError(f"step {self.call}", expected=f"one of {known}", got=first)
        for name in path:
            target = getattr(target, name)
        args = [_given(each, names) for each in self.args]
        named = {name: _given(value, names) for name, value in self.named}
        returned = target(*args, **named)
        if self.keep:
            names[self.keep] = returned
        return returned

    def line(self, source: Source) -> str:
        """The line of a scenario file."""
        first, _, rest = self.call.partition(".")
        if first in _MAKERS:
            first = source.public(_MAKERS[first])
        call = f"{first}.{rest}" if rest else first
        parts = [_written(each, source) for each in self.args]
        if self.call in _TIMES and self.args and type(self.args[0]) is int:
            parts[0] = source.time(self.args[0])
        parts += [source.named(name, value) for name, value in self.named]
        kept = f"{self.keep} = " if self.keep else ""
        return f"{kept}{call}({', '.join(parts)})"


def step(call: str, /, *args: Any, keep: str = "", **named: Any) -> Step:
    """A step: `step("rig.vehicle.set_friction", 0.3)`."""
    return Step(call=call, args=args, named=tuple(named.items()), keep=keep)


def _given(value: Any, names: dict[str, Any]) -> Any:
    if isinstance(value, Kept):
        first, *path = value.name.split(".")
        return reduce(getattr, path, names[first])
    if isinstance(value, ModuleInPlace):
        return value.dut.build(value.node, names["rig"].database)
    return value


def _written(value: Any, source: Source) -> str:
    if isinstance(value, ModuleInPlace):
        source.needs("simcore.attach.dut", "load_dut")
        return f"{value.source}.build({value.node!r}, rig.database)"
    return source.value(value)


class World:
    """The variables of a scenario, `rig` or `bench` among them: copied together, they stay one."""

    def __init__(self, **names: Any) -> None:
        self.names: dict[str, Any] = names

    @property
    def rig(self) -> Any:
        """The bench everything happens on."""
        return self.names["rig"]

    def path_of(self, call: str) -> str:
        """A call by its full path: what is no variable and makes nothing is the rig's."""
        first = call.partition(".")[0]
        return call if first in self.names or first in _MAKERS else f"rig.{call}"

    def take(self, step: Step) -> Any:
        """Carry a step out."""
        return step.carry_out(self.names)

    def fork(self) -> World:
        """An independent copy that goes on from this instant."""
        return copy.deepcopy(self)
