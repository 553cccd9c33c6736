"""`simcore conformance`: a module is judged, and the exit code says how."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Simcore = Callable[..., Any]

DEAF = """
class Deaf:
    def start(self, port, now_ns): ...
    def receive(self, frame, now_ns): ...
    def on_timer(self, now_ns): ...
    def next_deadline_ns(self): return None
"""


@pytest.fixture
def deaf(tmp_path: Path) -> Path:
    """A module that does nothing at all."""
    file = tmp_path / "deaf.py"
    file.write_text(DEAF, encoding="utf-8")
    return file


def test_the_simulated_ecu_passes_what_is_chosen(simcore: Simcore, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    ended = simcore(
        *("conformance", "--as", "EMB_RR", "--only", "start.own", "--only", "cycle.reference.*"),
        *("--workers", "1", "--report", folder, "--seed", "5"),
    )
    assert ended.code == 0, ended.out + ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("seed 5, reference in the place of EMB_RR (actuator), digest ")
    assert lines[-2].startswith("PASSED: 3 cases, 3 passed; ")
    assert re.fullmatch("digest [0-9a-f]{32}", lines[-1])
    assert "note: only start.own, cycle.reference.*: the other cases were not run" in lines
    written = {path.name for path in folder.iterdir()}
    stem = "conformance"
    suffixes = ("html", "junit.xml", "json", "csv", "reqif")
    assert written == {f"{stem}.{suffix}" for suffix in suffixes}
    content = json.loads((folder / "conformance.json").read_text(encoding="utf-8"))
    assert content["digest"] == lines[-1].removeprefix("digest ")


def test_a_module_that_does_nothing_fails_and_the_replay_command_fails_too(
    simcore: Simcore, deaf: Path
) -> None:
    ended = simcore("conformance", "--as", "EMB_FL", "--dut", deaf, "--only", "cycle.reference.*")
    assert ended.code == 1, ended.out + ended.err
    lines = ended.out.splitlines()
    assert "FAILED cycle.reference.EMB_FL_St1" in ended.out
    replay = next(line for line in lines if line.startswith("  replay: simcore "))
    again = simcore(*replay.removeprefix("  replay: simcore ").split())
    assert again.code == 1 and "FAILED cycle.reference.EMB_FL_St" in again.out


def test_a_requirement_stands_for_its_cases(simcore: Simcore) -> None:
    every = simcore("conformance", "--as", "EMB_FL", "--list").out.splitlines()
    some = simcore("conformance", "--as", "EMB_FL", "--list", "--only", "BRK-004").out.splitlines()
    assert int(every[-1].split()[0]) >= 120
    assert 0 < len(some) < len(every)
    assert all("BRK-004" in line for line in some[:-1])
    controller = simcore("conformance", "--as", "CDC", "--list").out.splitlines()
    assert int(controller[-1].split()[0]) >= 60


def test_what_is_omitted_is_not_tested_and_strict_says_so(simcore: Simcore) -> None:
    words = ["conformance", "--as", "EMB_FL", "--only", "start.own", "--workers", "1"]
    ended = simcore(*words, "--omit", "start.*=later")
    assert ended.code == 1  # nothing was tested
    assert "not tested: start.own: later" in ended.out
    words += ["--only", "cycle.reference.*"]
    assert simcore(*words, "--omit", "start.*=later").code == 0
    assert simcore(*words, "--omit", "start.*=later", "--strict").code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--as: expected one node: the place of the module, got none"),
        (["--as", "EMB_FL,EMB_FR"], 2, "--as: expected one node"),
        (["--as", "EMB_XX"], 2, "node 'EMB_XX': expected one of"),
        (["--as", "EMB_FL", "--isolated"], 2, "--isolated: expected --dut MODULE with it"),
        (["--as", "EMB_FL", "--omit", "x"], 2, "--omit 'x': expected PATTERN=REASON"),
        (["--as", "EMB_FL", "--only", "nothing.*"], 2, "expected a pattern of case ids"),
        (["--as", "EMB_FL", "--dut", "none.py"], 3, "none.py"),
        (["--as", "EMB_FL", "--dbc", "none.dbc"], 3, "none.dbc"),
        (["--as", "EMB_FL", "--requirements", "none.toml"], 3, "none.toml"),
        (
            ["--as", "EMB_FL", "--only", "BRK-006"],
            2,
            "expected a requirement that cases of EMB_FL verify, got one without",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    simcore: Simcore, arguments: list[str], code: int, message: str
) -> None:
    ended = simcore("conformance", *arguments)
    assert ended.code == code and message in ended.err, ended.out + ended.err


def test_what_is_no_library_is_refused_once_before_any_case(
    simcore: Simcore, tmp_path: Path
) -> None:
    (tmp_path / "no.so").write_bytes(b"\x7fELF")
    ended = simcore("conformance", "--as", "EMB_FL", "--dut", tmp_path / "no.so")
    assert ended.code == 3 and "no.so" in ended.err
