"""What a place in a network demands, from database and requirement file."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.rig.requirements import Requirement, RequirementFile, load_requirement_file
from simcore.testing.conformance.interface import Interface, role_of

REFERENCE = Database.reference()


def listed(*requirements: Requirement, **interface: object) -> RequirementFile:
    return RequirementFile(
        requirements={each.id: each for each in requirements}, interface=interface, file="own.toml"
    )


def requirement(name: str, **more: object) -> Requirement:
    return Requirement(id=name, text="t", source="s", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("node", "role"), [("EMB_RL", "actuator"), ("CDC", "controller"), ("EPS", "node")]
)
def test_the_shipped_list_says_who_plays_which_role(node: str, role: str) -> None:
    assert Interface.of(REFERENCE, node).role == role


def test_sent_and_received_messages_come_without_diagnostics() -> None:
    found = Interface.of(REFERENCE, "EMB_FL")
    assert [each.name for each in found.sent] == ["EMB_FL_St1", "EMB_FL_St2", "NM_EMB_FL"]
    assert [each.name for each in found.cyclic_sent] == ["EMB_FL_St1", "EMB_FL_St2"]
    assert "CDC_EmbCmd" in [each.name for each in found.cyclic_received]
    diagnostics = (found.diag_request, found.diag_response, found.diag_functional)
    names = [each.name for each in diagnostics if each is not None]
    assert names == ["DIAG_EMB_FL_Req", "DIAG_EMB_FL_Rsp", "DIAG_Func_Req"]
    assert not set(names) & {each.name for each in (*found.sent, *found.received)}
    assert found.corner == "FL" and found.is_redundant


def test_placeholders_are_filled_in_everywhere() -> None:
    source = listed(
        roles={"actuator": ["EMB_*"]},
        node={"lamp": "{node}_Lamp", "shared": 1},
        actuator={"force": ["{corner}_F"], "of": {"{node}_St1": "x{corner}"}, "shared": 2},
    )
    found = Interface.of(REFERENCE, "EMB_FL", source)
    assert found.bindings == {
        "lamp": "EMB_FL_Lamp",
        "force": ["FL_F"],
        "of": {"EMB_FL_St1": "xFL"},
        "shared": 2,
    }


def test_an_unknown_placeholder_is_refused() -> None:
    source = listed(node={"a": {"b": "{wheel}"}})
    with pytest.raises(
        InputError,
        match=r"own.toml: interface.node.a.b: expected \{node\} or \{corner\}, got \{wheel\}",
    ):
        Interface.of(REFERENCE, "EPS", source)


def test_an_unknown_node_and_role_are_refused() -> None:
    with pytest.raises(UsageError, match=r"node 'EMB_XX': expected one of CDC, .*, got EMB_XX"):
        Interface.of(REFERENCE, "EMB_XX")
    with pytest.raises(UsageError, match=r"role: expected one of actuator, .*, got 'wheel'"):
        Interface.of(REFERENCE, "EPS", role="wheel")


def test_a_binding_that_is_missing_is_named() -> None:
    found = Interface.of(REFERENCE, "EPS", listed())
    assert found.binding("lamp", None) is None
    with pytest.raises(
        InputError,
        match=r"own.toml: interface.node.lamp: expected an entry that binds .* of EPS, got none",
    ):
        found.binding("lamp")


def test_a_parameter_comes_from_the_requirements_of_the_case() -> None:
    found = Interface.of(
        REFERENCE,
        "EPS",
        listed(
            requirement("A", cases=("x.*",), parameters={"force_n": 5.0}),
            requirement("B", cases=("x.1",), parameters={"force_n": 5.0, "time_ms": 1.0}),
            requirement("C", cases=("x.2",), parameters={"force_n": 6.0}),
            requirement("D", cases=("x.3",), nodes=("EMB_*",), parameters={"time_ms": 1.0}),
        ),
    )
    assert found.parameter("x.1", "force_n") == 5.0
    assert found.requirements_of("x.1") == ("A", "B")
    with pytest.raises(
        InputError,
        match=r"parameter force_n of case x.2: expected one value among .* \(A, C\), "
        "got 5 in A, 6 in C",
    ):
        found.parameter("x.2", "force_n")
    with pytest.raises(InputError, match=r"parameter time_ms of case x.3: .* \(A\), got none"):
        found.parameter("x.3", "time_ms")
    with pytest.raises(InputError, match="no requirement names the case, so none says time_ms"):
        found.parameter("y", "time_ms")


def test_requirements_are_those_that_concern_the_node() -> None:
    source = listed(requirement("A", nodes=("EMB_*",)), requirement("B"))
    assert list(Interface.of(REFERENCE, "EMB_RR", source).requirements) == ["A", "B"]
    assert list(Interface.of(REFERENCE, "EPS", source).requirements) == ["B"]
    assert role_of(source, "EMB_RR") == "node"


def test_copies_are_itself_and_it_travels() -> None:
    found = Interface.of(REFERENCE, "EMB_FL")
    assert copy.deepcopy(found) is found and copy.copy(found) is found
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_requirement_file_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('[A]\ntext = "t"\nsource = "s"\n', encoding="utf-8")
    assert list(Interface.of(REFERENCE, "EPS", path).requirements) == ["A"]
    assert Interface.of(REFERENCE, "EPS", str(path)).file == str(path)
    assert Interface.of(REFERENCE, "EPS").file == load_requirement_file().file
