"""`simcore ftti`: choice of cells, table, files, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simcore.cli import ftti as command
from simcore.rig import coverage_run
from simcore.rig.coverage import Coverage, CoverageRow, FaultModel
from simcore.rig.ftti_result import CellResult, FttiResult
from simcore.rig.ftti_table import CELLS

Simcore = Callable[..., Any]
ONE = "silent_actuator.FL.braking"
FAST = ("--workers", "1", "--phases", "1")


def test_a_cell_is_measured_and_printed_with_budget_margin_and_verdict(simcore: Simcore) -> None:
    ended = simcore("ftti", "--only", ONE, *FAST, "--seed", 5)
    assert ended.code == 0
    assert ended.lines[0] == "seed 5, phases 1, without nothing: 1 cells"
    (line,) = [line for line in ended.lines if line.startswith("SAF-001  silent")]
    requirement, cell, budget, fdti, low, middle, high, margin, verdict = line.split()
    assert (requirement, cell, budget, verdict) == ("SAF-001", ONE, "100.0", "passed")
    assert 10.0 <= float(fdti) <= float(low) == float(middle) == float(high)
    assert abs(float(margin) + float(high) - 100.0) < 0.11
    assert ended.lines[-1] == "1 of 1 cells passed"
    assert ended.err == ""  # no progress line where nobody watches


def test_without_redistribution_the_cell_is_red_and_the_exit_code_1(simcore: Simcore) -> None:
    ended = simcore("ftti", "--only", ONE, *FAST, "--without", "redistribution")
    assert ended.code == 1
    assert "without redistribution" in ended.lines[0]
    assert "SAF-001 FAILED: 0 of 1 cells" in ended.out


def test_the_list_names_every_cell_and_measures_nothing(simcore: Simcore) -> None:
    ended = simcore("ftti", "--list")
    assert ended.code == 0
    assert len(ended.lines) == len(CELLS) + 1
    assert ended.lines[-1] == f"{len(CELLS)} cells"
    few = simcore("ftti", "--list", "--only", "SAF-001", "--wheel", "FL", "--node", "EMB_RR")
    assert {line.split()[1].split(".")[1] for line in few.lines[:-1]} == {"FL", "RR"}


def test_files_are_written_where_asked_for(simcore: Simcore, folder: Path) -> None:
    ended = simcore(
        *("ftti", "--only", ONE, *FAST),
        *("--report", "out", "--csv", "x.csv", "--junit", "x.xml"),
    )
    assert ended.code == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        *("ftti.csv", "ftti.html", "ftti.junit.xml"),
    ]
    assert (folder / "x.csv").read_bytes() == (folder / "out" / "ftti.csv").read_bytes()
    assert (folder / "x.xml").read_bytes() == (folder / "out" / "ftti.junit.xml").read_bytes()
    assert "redistributed" in (folder / "out" / "ftti.html").read_text(encoding="utf-8")


def test_a_coverage_run_that_fails_is_told_on_stdout_and_fails_the_command(
    simcore: Simcore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> Coverage:
        row = CoverageRow(model=FaultModel.LOSS, runs=0, noticed=0, fired={})
        return Coverage(seed=0, messages=(), rows=(row,), errors=("loss of information: gone",))

    monkeypatch.setattr(coverage_run, "measure_coverage", broken)
    ended = simcore("ftti", "--only", ONE, *FAST, "--coverage", "--junit", "x.xml")
    assert ended.code == 1
    assert "coverage, run not made: loss of information: gone" in ended.lines
    assert "1 of 1 cells passed" in ended.lines[-1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--only", "SAF-999"], "a requirement (SAF-001, "),
        (["--wheel", "XX"], "reaction-time table: expected one of FL,"),
        (["--without", "brakes"], "without: expected mechanisms of e2e, deadline"),
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--phases", "0"], "Invalid value for '--phases'"),
    ],
)
def test_a_choice_that_is_none_is_a_usage_error(
    simcore: Simcore, arguments: list[str], text: str
) -> None:
    ended = simcore("ftti", *arguments)
    assert ended.code == 2
    assert text in ended.err


def test_a_report_folder_that_cannot_be_is_found_before_the_measurement(
    simcore: Simcore, folder: Path
) -> None:
    (folder / "file").write_text("")
    ended = simcore("ftti", "--only", ONE, "--report", "file/out")
    assert ended.code == 3
    assert "report folder" in ended.err


def test_on_a_terminal_one_line_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    line = command._ProgressLine()
    cell = CellResult.of(CELLS[0], error="x")
    line.cell_done(1, 2, cell)
    line.runs_done(10, 330)
    line.end()
    shown = capsys.readouterr().err.split("\r")
    assert shown[1] == f"1/2 cells, 1 not passed  {cell.id}"
    assert shown[2].rstrip() == "coverage: 10/330 runs"
    assert shown[3].strip() == ""


def test_help_names_options_and_exit_codes(simcore: Simcore) -> None:
    text = simcore("ftti", "-h").out
    for option in "--only --wheel --node --without --workers --phases --seed --report".split():
        assert f"{option} " in text
    assert "0 every cell passed or was undetected as expected, 1 one did not" in text


def test_a_table_without_a_judged_cell_has_not_passed() -> None:
    assert not FttiResult(seed=0, phases=1, without=(), cells=()).passed
