"""From an interface to its cases, and what the requirement file may say about them."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.rig.requirements import Requirement, RequirementFile, load_requirement_file
from simcore.testing.conformance import groups
from simcore.testing.conformance import plan as planning
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.plan import plan

REFERENCE = Database.reference()


def listed(case: str, **more: object) -> RequirementFile:
    found = Requirement(id="R", text="t", source="s", cases=(case,), **more)  # type: ignore[arg-type]
    return RequirementFile(requirements={"R": found}, file="own.toml")


@pytest.mark.parametrize(("node", "least"), [("EMB_FL", 120), ("CDC", 60), ("EPS", 50)])
def test_there_are_enough_cases_for_every_role(node: str, least: int) -> None:
    cases = plan(Interface.of(REFERENCE, node))
    assert len(cases) >= least
    assert len({case.id for case in cases}) == len(cases)
    orders = [list(Group).index(case.group) for case in cases]
    assert orders == sorted(orders)
    assert not [case.id for case in cases if not case.requirements]
    assert not [case.id for case in cases if not case.title]
    pickle.dumps(cases)


def test_every_module_of_the_groups_is_planned() -> None:
    folder = Path(groups.__file__ or "").parent
    with_cases = {
        path.stem
        for path in folder.glob("*.py")
        if "\ndef cases(" in path.read_text(encoding="utf-8")
    }
    assert {name for name, _ in planning.MODULES} == with_cases - {"layout_received"}


def test_the_same_plan_every_time() -> None:
    interface = Interface.of(REFERENCE, "EMB_FL")
    assert [case.id for case in plan(interface)] == [case.id for case in plan(interface)]


def test_every_group_for_any_node_has_cases() -> None:
    groups = Counter(case.group for case in plan(Interface.of(REFERENCE, "EPS")))
    missing = {
        *(Group.START_UP, Group.CYCLES, Group.LAYOUT, Group.E2E_TRANSMIT, Group.TIMEOUTS),
        *(Group.BUS_ERRORS, Group.POWER, Group.ROBUSTNESS, Group.LONG_RUN),
    } - set(groups)
    assert not missing


def test_a_pattern_that_names_no_case_is_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"own.toml: requirement R, cases: expected patterns of ids of .*, got 'cycel.\*'",
    ):
        plan(Interface.of(REFERENCE, "EPS", listed("cycel.*")))


def test_a_pattern_may_name_a_case_of_another_node() -> None:
    source = listed("cycle.reference.IMU_Data")
    cases = plan(Interface.of(REFERENCE, "EPS", source))
    assert not any(case.requirements for case in cases)
    with pytest.raises(InputError, match="requirement R, cases"):
        plan(Interface.of(REFERENCE, "EPS", listed("cycle.reference.IMU_Data", nodes=("EPS",))))


def test_a_list_for_another_network_is_not_held_against_this_one() -> None:
    text = 'BU_: A B\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|255] "" B\n'
    interface = Interface.of(Database.from_text(text), "A", load_requirement_file())
    assert "start.own" in {case.id for case in plan(interface)}


def test_two_cases_of_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MODULES", planning.MODULES * 2)
    with pytest.raises(UsageError, match=r"case .*: expected an id of its own, got two of them"):
        plan(Interface.of(REFERENCE, "EPS"))


def test_requirements_are_attached_by_pattern() -> None:
    cases = {case.id: case for case in plan(Interface.of(REFERENCE, "EPS", listed("start.*")))}
    assert cases["start.own"].requirements == ("R",)
    assert cases["power.cycle"].requirements == ()
    assert isinstance(replace(cases["start.own"], title="x"), Case)
