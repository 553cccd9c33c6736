"""The requirement list: what is shipped, and what a broken one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.errors import InputError
from simcore.resources import scenario_path
from simcore.rig import load_scenarios
from simcore.rig.requirements import load_requirements


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
        ('[X-1]\ntext = "t"\nsource = "s"\nmore = 1\n', r"\['more', 'source', 'text'\]"),
        ("X-1 = 5\n", "5"),
    ],
)
def test_an_entry_has_text_and_source_and_nothing_else(tmp_path: Path, text: str, got: str) -> None:
    with pytest.raises(InputError, match=rf"requirement X-1: expected text and source, got {got}$"):
        load_requirements(written(tmp_path, text))
