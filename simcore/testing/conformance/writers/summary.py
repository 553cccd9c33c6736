"""What several writers say of a result: rows per requirement and group, and what was not tested."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from simcore.rig.requirements import Requirement
from simcore.testing.conformance.case import Group
from simcore.testing.conformance.result import (
    CaseResult,
    CaseVerdict,
    ConformanceResult,
    Judgement,
)

MARKS = {
    CaseVerdict.PASSED: "passed",
    CaseVerdict.FAILED: "failed",
    CaseVerdict.NOT_TESTED: "none",
    CaseVerdict.ERROR: "error",
    CaseVerdict.PARTLY: "none",
}
"""Names of the styles of the report page."""
NOT_CHOSEN = "none of its cases ran"
"""Of a requirement that has cases, where others were chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementRow:
    """One requirement that concerns the node."""

    requirement: Requirement
    verdict: CaseVerdict
    cases: tuple[CaseResult, ...]
    counts: Counter[CaseVerdict]

    @property
    def why_not_tested(self) -> str:
        """Why nothing is known of it; empty where something is."""
        if self.verdict is not CaseVerdict.NOT_TESTED:
            return ""
        reasons = list(dict.fromkeys(case.reason for case in self.cases if case.reason))
        if reasons:
            return "; ".join(reasons)
        return NOT_CHOSEN if self.requirement.cases else "no case verifies it"


def requirement_rows(result: ConformanceResult) -> list[RequirementRow]:
    """In the order of the requirement list."""
    rows = []
    for name, requirement in result.requirements.items():
        cases = result.cases_of(name)
        rows.append(
            RequirementRow(
                requirement=requirement,
                verdict=result.requirement_verdict(name),
                cases=cases,
                counts=Counter(result.verdict_in(case, name) for case in cases),
            )
        )
    return rows


def groups_of(result: ConformanceResult) -> list[tuple[Group, list[CaseResult]]]:
    """Cases by group, in the order of the groups; groups without cases are left out."""
    found = [(group, [case for case in result.cases if case.group is group]) for group in Group]
    return [(group, cases) for group, cases in found if cases]


def untested(result: ConformanceResult) -> list[tuple[str, list[str]]]:
    """Reasons why cases were not tested, with their ids."""
    found: dict[str, list[str]] = {}
    for case in result.cases:
        if case.verdict is CaseVerdict.NOT_TESTED:
            found.setdefault(case.reason or "no reason given", []).append(case.id)
    return list(found.items())


def first_wrong(case: CaseResult) -> Judgement | None:
    """The judgement to show of a case: the first one that failed, else the last one."""
    for judgement in case.judgements:
        if not judgement.passed:
            return judgement
    return case.judgements[-1] if case.judgements else None


def what_happened(case: CaseResult) -> str:
    """A case in a line: what was measured against what, or why nothing was."""
    if case.findings:
        return case.findings[0].splitlines()[0]
    if case.reason:
        return case.reason.strip().splitlines()[-1]
    judgement = first_wrong(case)
    if judgement is None:
        return ""
    limit = f", limit {judgement.limit}" if judgement.limit else ""
    return f"{judgement.text}: {judgement.measured}{limit}"


def headline(result: ConformanceResult) -> str:
    """`FAILED: 145 cases, 140 passed, 3 failed, 2 not tested; 17 of 20 requirements passed`."""
    counts = result.counts
    rows = requirement_rows(result)
    passed = sum(row.verdict is CaseVerdict.PASSED for row in rows)
    parts = [f"{counts[verdict]} {verdict}" for verdict in CaseVerdict if counts[verdict]]
    partly = sum(row.verdict is CaseVerdict.PARTLY for row in rows)
    word = str(result.verdict).upper()
    if result.verdict is CaseVerdict.PASSED and counts[CaseVerdict.NOT_TESTED]:
        word += " AS FAR AS TESTED"
    return (
        f"{word}: {len(result.cases)} cases, {', '.join(parts)}; "
        f"{passed} of {len(rows)} requirements passed" + (f", {partly} partly" if partly else "")
    )
