"""`simcore faults`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from simcore.faults.catalogue import LAYER_TEXTS, catalogue
from simcore.faults.fault import LAYERS

Simcore = Callable[..., Any]


def test_every_fault_is_listed_under_its_layer_with_a_line(simcore: Simcore) -> None:
    ended = simcore("faults")
    assert (ended.code, ended.err) == (0, "")
    blocks = ended.out.rstrip("\n").split("\n\n")
    heads = [block.splitlines()[0] for block in blocks]
    assert heads == [f"{layer}: {LAYER_TEXTS[layer]}" for layer in LAYERS]
    rows = [
        (layer, *line.split(maxsplit=1))
        for layer, block in zip(LAYERS, blocks, strict=True)
        for line in block.splitlines()[1:]
    ]
    assert rows == [(entry.layer, entry.name, entry.summary) for entry in catalogue()]


def test_one_fault_is_described_with_its_parameters(simcore: Simcore) -> None:
    ended = simcore("faults", "taskskipped")
    assert (ended.code, ended.err) == (0, "")
    assert ended.lines[:2] == ["TaskSkipped (ecu)", "Activations of a task are left out."]
    assert "  every: int = 1" in ended.lines
    assert "  node: str" in ended.lines
    assert ended.lines[ended.lines.index("  node: str") + 1].startswith("      Name on the network")


def test_a_unit_stands_behind_its_parameter(simcore: Simcore) -> None:
    assert "  off_ns [ns]: int" in simcore("faults", "BrownOut").lines


def test_json_has_all_of_it(simcore: Simcore) -> None:
    ended = simcore("faults", "--json")
    found = json.loads(ended.out)
    assert [entry["name"] for entry in found] == [entry.name for entry in catalogue()]
    (slow,) = [entry for entry in found if entry["name"] == "TaskSlow"]
    assert slow["layer"] == "ecu"
    names = [parameter["name"] for parameter in slow["parameters"]]
    assert set(names) == {"node", "task", "factor", "permanent"}
    assert json.loads(simcore("faults", "TaskSlow", "--json").out) == slow


def test_an_unknown_fault_is_usage(simcore: Simcore) -> None:
    ended = simcore("faults", "TaskHing")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "simcore: unknown fault 'TaskHing': did you mean 'TaskHung'?\n"
