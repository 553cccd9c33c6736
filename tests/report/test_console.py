"""The console report on a terminal and in a plain log."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from simcore.report import print_console, run_digest
from simcore.report.console import DETAIL_LIMIT
from simcore.rig.result import FaultRecord, Finding, ScenarioResult
from simcore.units import ms

Make = Callable[..., Any]


def printed(results: list[ScenarioResult], *, width: int = 80, terminal: bool = False) -> str:
    output = io.StringIO()
    console = Console(
        file=output,
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        _environ={},
    )
    print_console(results, console)
    return output.getvalue()


def test_the_digest_is_the_last_line_and_whole(mixed_run: list[ScenarioResult]) -> None:
    lines = printed(mixed_run, width=40).rstrip().splitlines()
    assert lines[-1] == f"digest {run_digest(mixed_run)}"


def test_eighty_columns_show_every_column_and_cut_nothing(mixed_run: list[ScenarioResult]) -> None:
    text = printed(mixed_run)
    assert "…" not in text
    assert "FAILED   SAF-001      131 ms     <= 100 ms" in text
    assert "PASSED   BRK-001      9.61 m/s²  >= 6.43 m/s²" in text
    assert "DEG-001: named by the scenario but never judged" in text
    assert "FINDING  1540 ms  EMB_FL: the module raised ZeroDivisionError" in text
    assert "ERROR  scenarios/ota.py:41: KeyError: 'slot_b'" in text
    assert "CHASSIS_A    5320  31.0 %     35.0 %  100 ms  0.5/2 Mbit/s" in text
    assert "ERROR: 4 scenarios, 2 passed, 1 failed, 1 error, 16.500 s" in text


def test_a_log_file_gets_no_escape_sequences_and_a_terminal_does(
    mixed_run: list[ScenarioResult],
) -> None:
    assert "\x1b" not in printed(mixed_run)
    assert "\x1b[" in printed(mixed_run, terminal=True)


def test_long_texts_fold_and_keep_every_character(make_result: Make, make_check: Make) -> None:
    name = "case[" + "x" * 200 + "]"
    limit = "<= " + "7" * 90
    result = make_result(name, checks=(make_check(limit=limit),))
    text = printed([result])
    assert text.count("x") >= 200
    assert sum(line.count("7") for line in text.splitlines()) >= 90


def test_markup_and_control_characters_of_the_user_are_shown_not_obeyed(
    make_result: Make,
) -> None:
    text = printed([make_result("[red]mu=0.3[/red]\x1b[2J\x07")])
    assert "[red]mu=0.3[/red]\\x1b[2J\\x07" in text
    assert "\x1b" not in text


def test_a_console_that_cannot_print_a_character_shows_its_code(make_result: Make) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_console([make_result(title="µ ≤ 1")], Console(file=output, width=80, _environ={}))
    output.flush()
    assert b"\\xb5 \\u2264 1" in output.buffer.getvalue()


def test_many_passed_scenarios_are_one_line_each_and_failures_keep_their_detail(
    make_result: Make, make_check: Make
) -> None:
    results = [make_result(f"run{index}") for index in range(DETAIL_LIMIT)]
    failed = make_result("bad", checks=(make_check(passed=False),))
    text = printed([*results, failed])
    assert "81.7 m" in text
    assert "40.2 m" not in text
    assert all(f"run{index}" in text for index in range(DETAIL_LIMIT))


def test_the_replay_command_of_a_failure_is_one_line(make_result: Make) -> None:
    command = "simcore run " + "a" * 100
    finding = Finding(time_ns=0, source="EMB_FL", text="raised")
    text = printed([make_result(replay_command=command, findings=(finding,))])
    assert f"replay: {command}\n" in text


def test_nothing_run_says_so() -> None:
    assert printed([]) == "No scenario was run.\n"


def test_standard_output_is_the_default(
    make_result: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    print_console([make_result()])
    assert capsys.readouterr().out.rstrip().endswith(make_result().digest)


def test_faults_are_listed_with_their_times(make_result: Make) -> None:
    faults = (
        FaultRecord(sentence="CHASSIS_A shorted", where="CHASSIS_A", start_ns=ms(5), stop_ns=ms(9)),
        FaultRecord(sentence="PDM silent", where="PDM", start_ns=ms(7), stop_ns=None),
    )
    text = printed([make_result("broken", faults=faults)])
    assert "FAULT  5 ms to 9 ms  CHASSIS_A shorted" in text
    assert "FAULT  7 ms to the end  PDM silent" in text
