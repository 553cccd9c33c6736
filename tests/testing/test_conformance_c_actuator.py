"""The kit judges the shipped C brake actuator: a sample of its cases here, all of them by hand."""

from __future__ import annotations

import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from simcore.attach.c_module import header_path
from simcore.attach.dut import load_dut
from simcore.network import Database
from simcore.resources import scenario_path
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import judge
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import CaseVerdict, ConformanceResult

SAMPLE = (
    "start.own",
    "cycle.reference.*",
    "layout.received.CDC_EmbCmd*",
    "e2e.receive.CDC_EmbCmd.[cis]*",
    "timeout.command.kept",
    "redundancy.lane.primary_silent",
    "control.step.up_050",
    "control.release.from_100",
    "fault.power_stage.at_rest",
    "watchdog.one_*",
    "watchdog.all_missing",
    "bus.off.first",
    "diag.session.0*",
    "diag.isotp.re*",
    "diag.isotp.pace",
    "diag.security.seed",
    "power.memory",
)
"""One or a few of most groups, and what the sidecar omits."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    source = scenario_path("modules/brake_actuator.c")
    folder = tmp_path_factory.mktemp("dut")
    built = folder / "brake_actuator.so"
    command = [compiler, "-std=c99", "-O2", "-shared", "-fPIC", f"-I{header_path().parent}"]
    subprocess.run([*command, "-o", str(built), str(source)], check=True, capture_output=True)
    shutil.copy(source.with_suffix(".toml"), folder)
    return built


@pytest.fixture(scope="module")
def interface() -> Interface:
    return Interface.of(Database.reference(), "EMB_FL")


@pytest.fixture(scope="module")
def result(library: Path, interface: Interface) -> ConformanceResult:
    return judge(interface, load_dut(str(library)), only=SAMPLE)


def test_the_actuator_passes_whatever_it_does_not_omit(result: ConformanceResult) -> None:
    wrong = {
        case.id: (
            case.verdict.value,
            case.reason,
            [j.text for j in case.judgements if not j.passed],
        )
        for case in result.cases
        if case.verdict in (CaseVerdict.FAILED, CaseVerdict.ERROR)
    }
    assert wrong == {}
    assert result.counts[CaseVerdict.PASSED] >= 15


def test_what_its_sidecar_omits_is_not_tested_and_says_why(result: ConformanceResult) -> None:
    case = next(case for case in result.cases if case.id == "diag.security.seed")
    assert case.verdict is CaseVerdict.NOT_TESTED
    assert "SecurityAccess" in case.reason


def test_its_sidecar_omits_only_cases_that_there_are(library: Path, interface: Interface) -> None:
    """And no more than the module says in its README: the rest of the groups is judged whole."""
    ids = [case.id for case in plan(interface)]
    omits = load_dut(str(library)).omits
    for pattern in omits:
        assert any(fnmatchcase(each, pattern) for each in ids), f"{pattern} names no case"
    omitted = [each for each in ids if any(fnmatchcase(each, pattern) for pattern in omits)]
    assert {each.partition(".")[0] for each in omitted} <= {"diag", "update", "power"}
    assert len(omitted) < len(ids) / 5
