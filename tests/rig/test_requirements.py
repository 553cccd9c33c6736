"""The requirement list: what is shipped, and what a bad list is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simcore import load_scenarios
from simcore.errors import InputError
from simcore.resources import dbc_path
from simcore.rig.requirements import Requirement, load_requirements

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
ID = re.compile("[A-Z]{3}-([0-9]{3}|LOAD)")


def test_the_shipped_list_has_every_area_once_in_the_order_of_the_file() -> None:
    shipped = load_requirements()
    assert all(ID.fullmatch(name) for name in shipped)
    assert all(requirement.id == name for name, requirement in shipped.items())
    areas = [name.partition("-")[0] for name in shipped]
    assert list(dict.fromkeys(areas)) == "BRK DEG COM SAF WDG DIA OTA SEC ROB".split()
    lines = dbc_path("requirements.toml").read_text(encoding="utf-8").splitlines()
    assert [f"[{name}]" for name in shipped] == [line for line in lines if line.startswith("[")]


def test_every_requirement_says_what_is_demanded_and_by_whom() -> None:
    for requirement in load_requirements().values():
        assert len(requirement.text.split()) >= 4, requirement.id
        assert requirement.source.strip() == requirement.source != ""
    texts = [requirement.text for requirement in load_requirements().values()]
    assert len(set(texts)) == len(texts)


def test_numbers_of_the_main_job_are_those_of_the_interface() -> None:
    shipped = load_requirements()
    assert "distance <= 70 m and MFDD >= 6.43 m/s2" in shipped["BRK-001"].text
    assert "no wheel sees more than 500 N" in shipped["BRK-003"].text
    assert "within 150 ms" in shipped["BRK-004"].text
    assert "max(3 %, 300 N)" in shipped["BRK-005"].text
    assert "<= 50 ms, redistributed <= 100 ms, FTTI 200 ms" in shipped["SAF-001"].text
    assert "<= 50 % in any 100 ms" in shipped["COM-LOAD"].text
    assert shipped["BRK-001"].source == "UN R13-H type 0"


def test_what_shipped_scenarios_verify_is_on_the_list() -> None:
    named = {
        requirement
        for path in sorted(SCENARIOS.glob("*.py"))
        for item in load_scenarios(path)
        for requirement in item.requirements
    }
    assert named
    assert named <= set(load_requirements())


def test_a_list_of_ones_own_is_read_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[Z-1]\ntext = "µ"\nsource = "us"\n[A-1]\ntext = "b"\nsource = "them"\n', "utf-8"
    )
    own = load_requirements(file)
    assert list(own.values()) == [
        Requirement(id="Z-1", text="µ", source="us"),
        Requirement(id="A-1", text="b", source="them"),
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "requirement list: expected a readable file, got No such file or directory"),
        (b'[A-1]\ntext = "x\n', "requirement list: expected valid TOML, got .*line 2"),
        (b'[A-1]\ntext = "\xff"\n', "requirement list: expected valid TOML, got .*utf-8"),
        (b'[A-1]\ntext = "x"\n', r"requirement A-1: expected text and source, got \['text'\]"),
        (
            b'[A-1]\ntext = "x"\nsource = "y"\nnote = "z"\n',
            r"requirement A-1: expected text and source, got \['note', 'source', 'text'\]",
        ),
        (b'A-1 = "x"\n', "requirement A-1: expected text and source, got 'x'"),
        (b"[A-1]\n[A-1]\n", "requirement list: expected valid TOML, got "),
    ],
    ids=["missing", "syntax", "encoding", "no-source", "too-much", "no-table", "twice"],
)
def test_a_bad_list_is_refused_with_its_file(
    tmp_path: Path, content: bytes | None, text: str
) -> None:
    file = tmp_path / "bad.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(file))}: {text}") as caught:
        load_requirements(file)
    assert caught.value.file == str(file)


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="requirement list: expected a readable file, got Is a "):
        load_requirements(tmp_path)
