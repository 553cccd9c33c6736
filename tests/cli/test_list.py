"""`simcore list`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Simcore = Callable[..., Any]
Write = Callable[..., Path]


def test_the_shipped_scenarios_are_listed_with_requirements_and_title(simcore: Simcore) -> None:
    ended = simcore("list")
    assert (ended.code, ended.err) == (0, "")
    rows = [line.split("  ") for line in ended.lines]
    table = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert len(table) == len(rows) == 70
    assert table["panic_stop"] == [
        "BRK-001, BRK-002, BRK-004, BRK-005",
        "Full pedal at 100 km/h on dry asphalt, then release.",
    ]
    assert table["silent_actuator[corner=RR]"][0] == "SAF-001, DEG-001, DIA-002"


def test_listing_runs_nothing(simcore: Simcore, raises: Path) -> None:
    ended = simcore("list", raises)
    assert ended.code == 0
    assert ended.lines == ["raises  -"]


def test_one_case_is_listed_alone(simcore: Simcore, slippery: Path) -> None:
    (line,) = simcore("list", f"{slippery}::slippery[mu=0.8]").lines
    assert line.startswith("slippery[mu=0.8]  BRK-006 ")
    assert line.endswith(" A road in two states.")


def test_every_unreadable_file_is_named_after_what_could_be_read(
    simcore: Simcore, write: Write, quick: Path
) -> None:
    bad = write("bad.py", "def f(:\n")
    ended = simcore("list", bad, quick, "missing.py")
    assert ended.code == 3
    assert [line.split()[0] for line in ended.lines] == ["quick"]
    assert ended.err.splitlines() == [
        "simcore: bad.py:2: scenario file: expected valid Python, got invalid syntax",
        "simcore: missing.py: scenario file: expected a Python file, got no such file",
    ]


def test_an_unknown_name_is_exit_3(simcore: Simcore) -> None:
    ended = simcore("list", "panic_stopp")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("simcore: scenario 'panic_stopp': expected a file, a folder, or ")
