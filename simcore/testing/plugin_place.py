"""What the pytest plugin does once simcore is needed: rigs, the module under test, faults.

Apart from `plugin`, which every pytest run imports, used or not.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.attach.dut_places import Places
from simcore.errors import UsageError
from simcore.faults.fault import FaultSequence, TimedFault
from simcore.network import Database
from simcore.resources import dbc_path
from simcore.rig import Rig, Scenario, ScenarioResult, run_scenario
from simcore.rig.ending import end_nodes
from simcore.rig.outcome import all_checks, bus_statistics, report_collisions
from simcore.testing.plugin import AS, DUT, ISOLATED, SEED

if TYPE_CHECKING:
    from simcore.ecu import Node

REFERENCE_PLACE = "EMB_FL"
"""Whose simulated ECU the fixture `dut` gives where there is no module under test."""
RIG_OPTIONS = ("seed", "without", "database")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleInPlace:
    """The module under test on a rig."""

    rig: Rig
    node: str

    @property
    def module(self) -> Node:
        """The object behind the node name."""
        return self.rig.node(self.node)

    def pin(self, name: str) -> float:
        """Present value of one of its pins."""
        return self.rig.pin(self.node, name)


def place_of(given: object, *, isolated: bool) -> Places | None:
    """What the fixture `simcore_dut` or the command line names; `None` for no module.

    Raises `UsageError` for anything but a pair of node name and module.
    """
    if given is None:
        return None
    if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[0], str):
        raise UsageError(
            "fixture simcore_dut",
            expected='a node name and a module, as ("EMB_FL", MyActuator)',
            got=repr(given),
        )
    node, module = given
    if isinstance(module, Dut):
        return Places.of(module, node)
    if isinstance(module, str):
        return Places.of(load_dut(module, isolated=isolated), node)
    if callable(module):
        return Places.of(dut_of(module), node)
    raise UsageError(
        "fixture simcore_dut",
        expected="a class, a function of name and database, a Dut or a path as module",
        got=repr(module),
    )


def built_rig(item: pytest.Item, seed: int, place: Places | None) -> Rig:
    """A rig as the markers of a test want it."""
    options: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("rig"))):
        unknown = sorted(set(marker.kwargs) - set(RIG_OPTIONS))
        if marker.args or unknown:
            raise UsageError(
                f"{item.nodeid}: marker rig",
                expected=f"any of {', '.join(RIG_OPTIONS)}, by name",
                got=", ".join(unknown) or repr(marker.args[0]),
            )
        options |= marker.kwargs
    name = options.get("database", "")
    rig = Rig(
        seed=options.get("seed", seed),
        without=options.get("without", ()),
        database=_database(name) if name else None,
    )
    if place is not None:
        place.mount(rig)
    return rig


def _database(name: object) -> Database:
    """A database, one of a path, or a shipped one by name."""
    if isinstance(name, Database):
        return name
    shipped = dbc_path(str(name)) if str(name) == str(name).rpartition("/")[2] else None
    return Database.load(shipped if shipped is not None and shipped.exists() else str(name))


def problems_of(rig: Rig) -> list[str]:
    """Failed checks, broken invariants and findings, a line each; the run is over."""
    end_nodes(rig)
    report_collisions(rig)
    problems = [
        f"{check.requirement}: {check.text} {check.measured}, limit {check.limit}"
        for check in all_checks(rig, bus_statistics(rig))
        if not check.passed
    ]
    return problems + [f"{finding.source}: {finding.text}" for finding in rig.log.findings]


def module_in_place(rig: Rig, place: Places | None) -> ModuleInPlace:
    """The module under test on this rig."""
    return ModuleInPlace(rig=rig, node=REFERENCE_PLACE if place is None else place.nodes[0])


def require_fault(where: str, fault: object) -> None:
    """Raises `UsageError` for what no rig can be given as a fault."""
    if isinstance(fault, (TimedFault, FaultSequence)) or callable(getattr(fault, "at", None)):
        return
    raise UsageError(
        f"{where}: marker faults",
        expected='faults, as EcuSilent(node="EMB_FL")',
        got=repr(fault),
    )


def fault_name(fault: Any) -> str:
    """A short name of a fault for the id of a test: `EcuSilent-EMB_FL`."""
    if isinstance(fault, FaultSequence):
        return "+".join(fault_name(each) for each in fault.faults)
    inner = fault.fault if isinstance(fault, TimedFault) else fault
    words = [type(inner).__name__]
    for name in ("node", "corner", "message", "bus", "task", "channel"):
        value = getattr(inner, name, None)
        if isinstance(value, str) and value:
            words.append(value)
    return "-".join(words)


def run_as_test(item: pytest.Item, scenario: Scenario) -> ScenarioResult:
    """Run a scenario with the seed and the module of the command line."""
    config = item.config
    seed = int(config.getoption(SEED))
    words = ["simcore", "run", f"{scenario.file}::{scenario.name}", "--seed", str(seed)]
    place = None
    if config.getoption(DUT) is not None:
        path, node = str(config.getoption(DUT)), str(config.getoption(AS))
        isolated = bool(config.getoption(ISOLATED))
        place = place_of((node, path), isolated=isolated)
        words += ["--dut", path, "--as", node, *(["--isolated"] if isolated else [])]
    return run_scenario(
        scenario,
        seed=seed,
        replay_command=shlex.join(words),
        on_rig=None if place is None else place.mount,
    )
