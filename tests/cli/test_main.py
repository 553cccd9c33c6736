"""The door: help, version, what becomes of errors, pipes and Ctrl-C in a real process."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import simcore as package
from simcore.cli.main import cli
from simcore.errors import InputError, SimcoreError, UsageError

Simcore = Callable[..., Any]
Write = Callable[..., Path]

REPOSITORY = Path(__file__).resolve().parents[2]
DOOR = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
sys.path.insert(0, {repository!r})
from simcore.cli.main import main
main()
"""


def process(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """`simcore ARGUMENTS...` as a process of its own."""
    door = DOOR.format(repository=str(REPOSITORY))
    return subprocess.Popen(
        [sys.executable, "-c", door, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


# ---- help ----


def test_help_lists_every_command_with_a_whole_sentence(simcore: Simcore) -> None:
    ended = simcore("--help")
    assert ended.code == 0
    assert ended.out.startswith("Usage: simcore [OPTIONS] COMMAND [ARGS]...\n")
    commands = ended.out.partition("Commands:\n")[2].splitlines()
    names = [line.split()[0] for line in commands]
    wanted = (
        "audit bridge conformance dbc decode diag faults ftti icd list power-cut replay restbus "
        "rta run serve update"
    )
    assert names == wanted.split()
    assert all(line.endswith(".") and not line.endswith("...") for line in commands)


def test_help_of_run_names_every_option_and_exit_code(simcore: Simcore) -> None:
    text = simcore("run", "-h").out
    for option in "--seed --report --log --realtime --dbc --stuck-after".split():
        assert f"  {option} " in text
    codes = "0 passed, 1 a check failed, 2 usage, 3 invalid input or a scenario that raised,"
    assert codes in text
    assert "70 internal error, 130 interrupted." in text
    assert "[default: 30.0;" in text


@pytest.mark.parametrize("command", ["run", "list", "dbc"])
def test_every_command_has_help_in_both_spellings(command: str) -> None:
    texts = [CliRunner().invoke(cli, [command, option]).output for option in ("-h", "--help")]
    assert texts[0] == texts[1]
    assert re.match(rf"Usage: cli {command} \[OPTIONS\]", texts[0])


def test_version_is_the_version_of_the_package(simcore: Simcore) -> None:
    ended = simcore("--version")
    assert (ended.code, ended.out) == (0, f"simcore, version {package.__version__}\n")


def test_no_command_is_usage_and_shows_the_help(simcore: Simcore) -> None:
    ended = simcore()
    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


def test_an_unknown_command_is_usage(simcore: Simcore) -> None:
    ended = simcore("frobnicate")
    assert (ended.code, ended.out) == (2, "")
    assert "Error: No such command 'frobnicate'." in ended.err
    assert "Try 'simcore --help' for help." in ended.err


# ---- errors ----


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (InputError("x.dbc", expected="a"), 3, "simcore: x.dbc: expected a\n"),
        (UsageError("f", expected="a", got="b"), 2, "simcore: f: expected a, got b\n"),
        (SimcoreError("odd"), 70, "simcore: odd\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    simcore: Simcore,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    text: str,
) -> None:
    def select(_: object) -> None:
        raise error

    monkeypatch.setattr("simcore.cli.list.select", select)
    ended = simcore("list")
    assert (ended.code, ended.out, ended.err.lstrip("\n")) == (code, "", text)


def test_a_defect_shows_its_traceback_and_is_exit_70(
    simcore: Simcore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def select(_: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("simcore.cli.list.select", select)
    ended = simcore("list")
    assert ended.code == 70
    assert ended.err.startswith("Traceback (most recent call last):")
    assert ended.err.endswith("simcore: internal error, KeyError: 'planted'\n")


# ---- real processes ----


def test_a_process_prints_what_a_call_prints(simcore: Simcore, quick: Path) -> None:
    out, err = process("run", quick, "--seed", 4).communicate(timeout=60)
    assert out == simcore("run", quick, "--seed", 4).out
    assert err == ""


@pytest.mark.parametrize("report", [["--report", "out"], []])
def test_a_reader_that_leaves_costs_neither_report_nor_verdict(
    fails: Path, report: list[str]
) -> None:
    running = process("run", fails, *report)
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.readline().startswith("seed 0")
    running.stdout.close()
    errors = running.stderr.read()
    running.stderr.close()
    assert (running.wait(timeout=60), errors) == (1, "")
    assert [Path("out", name).exists() for name in ("report.html", "junit.xml")] == [
        bool(report),
        bool(report),
    ]


@pytest.mark.parametrize(("arguments", "code"), [(["list"], 0), (["run", "fails.py"], 1)])
def test_a_reader_that_was_never_there_is_no_error(
    fails: Path, arguments: list[str], code: int
) -> None:
    running = process(*arguments)
    assert running.stdout is not None and running.stderr is not None
    running.stdout.close()
    errors = running.stderr.read()
    running.stderr.close()
    assert (running.wait(timeout=60), errors) == (code, "")


def test_ctrl_c_ends_a_long_run_with_a_report(write: Write) -> None:
    path = write(
        "long.py",
        """
        @scenario
        def long(rig: Rig) -> None:
            rig.run_for(ms(5))
            open("ready", "w").close()
            print("running", flush=True)
            rig.run_for(s(100_000))
        """,
    )
    running = process("run", path, "--report", "out")
    assert running.stdout is not None
    while running.stdout.readline() != "running\n":
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, "")
    assert "UserInterruptError: the run was stopped at " in out
    assert re.search(r"\ndigest [0-9a-f]{32}\n$", out)
    assert 'name="long"' in Path("out/junit.xml").read_text(encoding="utf-8")


def test_a_terminal_that_cannot_show_a_character_shows_its_code(write: Write) -> None:
    path = write(
        "greek.py", '@scenario\ndef greek(rig: Rig) -> None:\n    """µ ≤ 1"""\n    rig.run_for(1)\n'
    )
    door = DOOR.format(repository=str(REPOSITORY))
    ran = subprocess.run(
        [sys.executable, "-c", door, "list", str(path)],
        env={"PYTHONIOENCODING": "latin-1", "PATH": ""},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\xb5 \\u2264 1" in ran.stdout
