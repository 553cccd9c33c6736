"""`pytest --simcore-conformance`: the cases of the kit as tests."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

DEAF = """
class Deaf:
    def start(self, port, now_ns): ...
    def receive(self, frame, now_ns): ...
    def on_timer(self, now_ns): ...
    def next_deadline_ns(self): return None
"""
WHOLE = ("--simcore-conformance", "--simcore-as", "EMB_FL", "--simcore-dut")


def test_a_case_is_a_test_with_its_requirements(run: Run, tmp_path: Path) -> None:
    words = [*WHOLE, "reference", "-k", "start and own", "--junitxml", "out.xml"]
    ran = run(*words, test_other="def test_other(): ...")
    assert ran.code == 0 and ran.outcomes["passed"] == 1, ran.out
    (case,) = ET.parse(tmp_path / "out.xml").getroot().iter("testcase")
    named = [each.get("value") for each in case.iter("property")]
    assert any(re.fullmatch(r"[A-Z]+-\d+", str(value)) for value in named), named


def test_a_module_that_does_nothing_fails_and_says_how_to_run_the_case_again(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "deaf.toml").write_text('[omits]\n"start.*" = "later"\n', encoding="utf-8")
    words = [*WHOLE, "deaf.py", "-k", "start or cycle.reference.EMB_FL_St1", "-rs"]
    ran = run(*words, deaf=DEAF)
    assert ran.code == 1, ran.out
    assert any(line.startswith("cycle.reference.EMB_FL_St1: failed: ") for line in ran.lines)
    replay = [line for line in ran.lines if line.startswith("replay: simcore conformance ")]
    assert any("--dut deaf.py --only cycle.reference.EMB_FL_St1" in line for line in replay)
    assert any(line.startswith("SKIPPED") and "later" in line for line in ran.lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--simcore-conformance"], "--simcore-conformance: expected --simcore-dut and"),
        (["--simcore-dbc", "x.dbc"], "--simcore-dbc: expected --simcore-conformance with it"),
        ([*WHOLE, "none.py"], "none.py"),
        ([*WHOLE, "reference", "--simcore-requirements", "none.toml"], "none.toml"),
        (
            [
                "--simcore-conformance",
                "--simcore-as",
                "EMB_FL,EMB_FR",
                "--simcore-dut",
                "reference",
            ],
            "expected one node, got EMB_FL,EMB_FR",
        ),
    ],
)
def test_what_cannot_be_done_is_usage(run: Run, arguments: list[str], message: str) -> None:
    ran = run(*arguments, test_other="def test_other(): ...")
    assert ran.code == 4 and message in ran.out, ran.out
