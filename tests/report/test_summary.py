"""Totals, verdict per requirement and the digest over several scenarios."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.report import summary
from simcore.rig.result import Finding, ScenarioResult, Verdict

Make = Callable[..., Any]


def test_totals_count_scenarios_checks_findings_and_time(mixed_run: list[ScenarioResult]) -> None:
    totals = summary.total(mixed_run)
    assert (totals.scenarios, totals.passed, totals.failed, totals.errors) == (4, 2, 1, 1)
    assert (totals.checks, totals.checks_failed, totals.findings) == (12, 1, 1)
    assert totals.duration_ns == sum(result.duration_ns for result in mixed_run)


def test_the_worst_verdict_is_the_verdict_of_the_run(
    mixed_run: list[ScenarioResult], make_result: Make
) -> None:
    assert summary.overall_verdict([make_result()]) is Verdict.PASSED
    assert summary.overall_verdict(mixed_run[:2]) is Verdict.FAILED
    assert summary.overall_verdict(mixed_run) is Verdict.ERROR


def test_nothing_run_has_no_verdict() -> None:
    assert summary.overall_verdict([]) is None
    assert summary.total([]).scenarios == 0


def test_requirements_come_in_the_order_of_the_list_and_unknown_ones_last(
    make_result: Make, make_check: Make
) -> None:
    checks = (make_check("Z-1"), make_check("B-2"), make_check("A-1"), make_check("C-9"))
    results = [make_result(requirements=("C-9",), checks=checks)]
    texts = {"C-9": "", "B-2": "", "never": ""}
    assert summary.judged_requirements(results, texts) == ["C-9", "B-2", "A-1", "Z-1"]


def test_a_requirement_failed_anywhere_is_failed(make_result: Make, make_check: Make) -> None:
    good = make_result("a")
    bad = make_result("b", checks=(make_check(), make_check(passed=False)))
    assert summary.requirement_verdict([good, bad], "BRK-001") is Verdict.FAILED
    assert summary.requirement_verdict([good], "BRK-001") is Verdict.PASSED
    assert summary.requirement_verdict([good, bad], "OTA-002") is None


@pytest.mark.parametrize(("passed", "verdict"), [(True, Verdict.ERROR), (False, Verdict.FAILED)])
def test_a_run_that_broke_off_can_convict_but_not_acquit(
    make_result: Make, make_check: Make, passed: bool, verdict: Verdict
) -> None:
    broken = make_result(checks=(make_check(passed=passed),), error="KeyError")
    assert summary.scenario_requirement_verdict(broken, "BRK-001") is verdict


def test_a_requirement_named_and_never_judged_is_failed(make_result: Make) -> None:
    assert summary.requirement_verdict([make_result(checks=())], "BRK-001") is Verdict.FAILED


def test_a_finding_fails_the_scenario_but_no_requirement(make_result: Make) -> None:
    crashed = make_result(findings=(Finding(time_ns=0, source="EMB_FL", text="raised"),))
    assert summary.overall_verdict([crashed]) is Verdict.FAILED
    assert summary.requirement_verdict([crashed], "BRK-001") is Verdict.PASSED


def test_the_digest_of_one_scenario_is_its_own(make_result: Make) -> None:
    assert summary.run_digest([make_result(digest="abc")]) == "abc"


def test_the_digest_of_several_depends_on_every_digest_name_and_their_order(
    make_result: Make,
) -> None:
    runs = [
        [make_result("a", digest="1"), make_result("b", digest="2")],
        [make_result("a", digest="1"), make_result("b", digest="3")],
        [make_result("b", digest="2"), make_result("a", digest="1")],
        [make_result("a1", digest=""), make_result("b", digest="2")],
        [],
    ]
    assert len({summary.run_digest(run) for run in runs}) == len(runs)


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [(0, "0.000"), (499_999, "0.000"), (500_000, "0.001"), (4_250_000_000, "4.250")],
)
def test_seconds_have_three_decimals_rounded_half_up(time_ns: int, text: str) -> None:
    assert summary.format_seconds(time_ns) == text
