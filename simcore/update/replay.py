"""A walk over updates as a file: what a failing test writes, and what is walked again from it.

    {"format": 1, "world": "single", "steps": [["proceed", "EMB_FL"], ["cut", "EMB_FL", 3, ...]]}

`replay` says which invariant broke at which step. Without a failure it says so too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from simcore.errors import InputError
from simcore.update.client import UpdateClient
from simcore.update.client_ecu import ClientType
from simcore.update.client_walk import WORLDS, Step, Walk

FORMAT = 1


class WalkScript(NamedTuple):
    """A walk: in which world, and its steps."""

    world: str
    steps: tuple[Step, ...]

    def to_text(self) -> str:
        """As a file: one step per line."""
        steps = ",\n".join(f"    {json.dumps(list(step))}" for step in self.steps)
        head = f'  "format": {FORMAT},\n  "world": {json.dumps(self.world)},\n'
        return f'{{\n{head}  "steps": [\n{steps}\n  ]\n}}\n'


class ReplayResult(NamedTuple):
    """What became of a walk."""

    steps: int
    """How many were taken."""
    failures: tuple[str, ...] = ()
    """What the last of them broke."""
    states: str = ""
    """Of the ECUs at the end."""

    @property
    def passed(self) -> bool:
        """Whether every invariant held."""
        return not self.failures

    def __str__(self) -> str:
        if self.passed:
            return f"{self.steps} steps, every invariant held; {self.states}"
        return f"step {self.steps}: {'; '.join(self.failures)}; {self.states}"


def read_script(file: Path) -> WalkScript:
    """The walk of a file. Raises `InputError` where it is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("walk", expected="a JSON file", got=error, file=str(file)) from error
    fields = content if isinstance(content, dict) else {}
    steps = fields.get("steps")
    if fields.get("format") != FORMAT or not isinstance(steps, list):
        raise InputError(
            "walk", expected=f"format {FORMAT} with steps", got=str(content)[:60], file=str(file)
        )
    if fields.get("world") not in WORLDS:
        expected = " or ".join(WORLDS)
        raise InputError("walk, world", expected=expected, got=fields.get("world"), file=str(file))
    if not all(isinstance(step, list) and step for step in steps):
        raise InputError("walk, steps", expected="lists that begin with a name", file=str(file))
    return WalkScript(fields["world"], tuple(tuple(step) for step in steps))


def replay(script: WalkScript, client_type: ClientType = UpdateClient) -> ReplayResult:
    """Walk it, up to the first step that breaks an invariant."""
    walk = Walk(script.world, client_type)
    for number, step in enumerate(script.steps, start=1):
        failures = walk.apply(step)
        if failures:
            return ReplayResult(number, tuple(failures), _states(walk))
    return ReplayResult(len(script.steps), (), _states(walk))


def _states(walk: Walk) -> str:
    return ", ".join(
        f"{name} {'off' if ecu.client is None else ecu.client.state.name} {ecu.version}"
        for name, ecu in walk.ecus.items()
    )
