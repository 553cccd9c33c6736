"""The requirement list: what is shipped, and what a broken one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.errors import InputError
from simcore.resources import scenario_path
from simcore.rig import load_scenarios
from simcore.rig.requirements import Requirement, load_requirement_file, load_requirements


def test_every_requirement_of_the_shipped_scenarios_is_in_the_list() -> None:
    known = load_requirements()
    folder = scenario_path("panic_stop.py").parent
    named = {
        name
        for path in folder.glob("*.py")
        for item in load_scenarios(path)
        for name in item.requirements
    }
    assert named <= set(known)
    assert {"BRK-003", "COM-001", "COM-LOAD"} <= set(known)


def test_each_has_an_id_a_text_and_a_source() -> None:
    for identifier, requirement in load_requirements().items():
        assert requirement.id == identifier
        assert len(requirement.text) > 20
        assert requirement.source


def written(folder: Path, text: str) -> Path:
    path = folder / "requirements.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_ones_own_is_read_in_its_order(tmp_path: Path) -> None:
    path = written(
        tmp_path, '[Z-1]\ntext = "z"\nsource = "me"\n["A.1"]\ntext = "a"\nsource = "you"\n'
    )
    assert list(load_requirements(path)) == ["Z-1", "A.1"]


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"none\.toml: requirement list: expected a readable file, got No such file",
    ):
        load_requirements(tmp_path / "none.toml")


def test_bad_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"requirements\.toml: requirement list: expected valid TOML, got .*line 1"
    ):
        load_requirements(written(tmp_path, "[X-1\n"))


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "requirements.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="requirement list: expected valid TOML"):
        load_requirements(path)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ('[X-1]\ntext = "t"\n', r"\['text'\]"),
        ("X-1 = 5\n", "5"),
    ],
)
def test_an_entry_has_text_and_source(tmp_path: Path, text: str, got: str) -> None:
    with pytest.raises(InputError, match=rf"requirement X-1: expected text and source, got {got}$"):
        load_requirements(written(tmp_path, text))


FULL = """
[interface.roles]
actuator = ["BRAKE_?"]

[interface.node]
lamp = "{node}_Lamp"

[R-1]
text = "t"
source = "s"
asil = "B"
nodes = ["BRAKE_*"]
parameters = { force_n = 500, tries_count = 3 }
cases = ["control.*", "start.own"]
"""


def test_a_requirement_names_nodes_parameters_and_cases(tmp_path: Path) -> None:
    found = load_requirement_file(written(tmp_path, FULL))
    assert found.requirements == {
        "R-1": Requirement(
            id="R-1",
            text="t",
            source="s",
            asil="B",
            nodes=("BRAKE_*",),
            parameters={"force_n": 500, "tries_count": 3},
            cases=("control.*", "start.own"),
        )
    }
    assert found.interface["node"] == {"lamp": "{node}_Lamp"}
    assert found.roles == {"actuator": ("BRAKE_?",)}
    requirement = found.requirements["R-1"]
    assert requirement.concerns("BRAKE_1") and not requirement.concerns("HORN")
    assert requirement.verified_by("control.step") and not requirement.verified_by("start.first")


def test_the_table_interface_is_no_requirement(tmp_path: Path) -> None:
    assert list(load_requirements(written(tmp_path, FULL))) == ["R-1"]
    assert "interface" not in load_requirements()


def test_a_requirement_without_nodes_concerns_all() -> None:
    assert Requirement(id="A", text="t", source="s").concerns("ANY")


BROKEN = {
    "more = 1": r":4: requirement X-1: expected no fields but text, .*cases, got more$",
    'asil = "E"': r":4: requirement X-1, asil: expected one of QM, A, B, C, D, got 'E'$",
    "asil = 3": r":4: requirement X-1, asil: expected a text, got 3$",
    'nodes = "EMB"': r":4: requirement X-1, nodes: expected a list of patterns, got 'EMB'$",
    "cases = [1]": r":4: requirement X-1, cases: expected a list of patterns, got \[1\]$",
    'cases = [""]': r":4: requirement X-1, cases: expected a list of patterns, got \[''\]$",
    "parameters = 3": r":4: requirement X-1, parameters: expected a table, got 3$",
    'parameters = {a_n = "1"}': r":4: requirement X-1, parameters.a_n: expected a number, got '1'$",
    "parameters = {a_n = true}": r"parameters.a_n: expected a number, got True$",
    "parameters = {a_n = nan}": r"parameters.a_n: expected a number, got nan$",
    "parameters = {force = 1}": r"parameters.force: expected a name that ends in a unit, .* got fo",
    "[interface]\nhorn = 1": r":5: interface: expected no tables but roles, .*, got horn$",
    "[interface]\nnode = 1": r":5: interface.node: expected a table, got 1$",
    "[interface.roles]\nhorn = []": r":5: interface.roles.horn: expected one of actuator, .* got",
    '[interface.roles]\nnode = "A"': r":5: interface.roles.node: expected a list of node names",
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, f'[X-1]\ntext = "t"\nsource = "s"\n{text}\n')
    with pytest.raises(InputError, match=BROKEN[text]):
        load_requirements(path)


def test_an_interface_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r":1: interface: expected a table, got 3$"):
        load_requirements(written(tmp_path, "interface = 3\n"))
