"""What several results say together: totals, verdict per requirement, one digest for the run.

The console, JUnit and HTML reports all read these figures from here, so they cannot disagree.
Not here: the verdict of one scenario (`simcore.rig.result`), and any layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simcore.rig.result import ScenarioResult, Verdict
from simcore.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over all scenarios of a run."""

    scenarios: int
    passed: int
    failed: int
    errors: int
    checks: int
    checks_failed: int
    findings: int
    duration_ns: int


def total(results: Sequence[ScenarioResult]) -> Totals:
    """Counts over `results`."""
    verdicts = [result.verdict for result in results]
    checks = [check for result in results for check in result.checks]
    return Totals(
        scenarios=len(results),
        passed=verdicts.count(Verdict.PASSED),
        failed=verdicts.count(Verdict.FAILED),
        errors=verdicts.count(Verdict.ERROR),
        checks=len(checks),
        checks_failed=sum(not check.passed for check in checks),
        findings=sum(len(result.findings) for result in results),
        duration_ns=sum(result.duration_ns for result in results),
    )


def overall_verdict(results: Iterable[ScenarioResult]) -> Verdict | None:
    """The worst verdict of `results`; `None` where nothing was run."""
    return _worst(result.verdict for result in results)


def judged_requirements(
    results: Sequence[ScenarioResult], requirement_texts: Mapping[str, str]
) -> list[str]:
    """Requirements named or checked by a result: in the order of the texts, then by name."""
    seen = {name for result in results for name in result.requirements}
    seen |= {check.requirement for result in results for check in result.checks}
    listed = [name for name in requirement_texts if name in seen]
    return listed + sorted(seen - set(listed))


def scenario_requirement_verdict(result: ScenarioResult, requirement: str) -> Verdict | None:
    """What one run says about one requirement, `None` where it says nothing.

    A run that broke off can convict but not acquit: without a failed check it is an error.
    """
    verdict = result.requirement_verdict(requirement)
    if verdict is None or result.error is None:
        return verdict
    convicted = any(c.requirement == requirement and not c.passed for c in result.checks)
    return Verdict.FAILED if convicted else Verdict.ERROR


def requirement_verdict(results: Iterable[ScenarioResult], requirement: str) -> Verdict | None:
    """The worst any run says about one requirement, `None` where none says anything."""
    verdicts = (scenario_requirement_verdict(result, requirement) for result in results)
    return _worst(verdict for verdict in verdicts if verdict is not None)


def run_digest(results: Sequence[ScenarioResult]) -> str:
    """One digest for the run: the scenario's own, or BLAKE2b over names and digests in order."""
    if len(results) == 1 and results[0].digest:
        return results[0].digest
    digest = hashlib.blake2b(digest_size=16)
    for result in results:
        for text in (result.name, result.digest):
            data = text.encode("utf-8", "backslashreplace")
            digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()


def format_seconds(duration_ns: int) -> str:
    """Nanoseconds as seconds with three decimals, rounded half up: `4.250`."""
    whole_ms = (duration_ns + NS_PER_MS // 2) // NS_PER_MS
    seconds, rest_ms = divmod(whole_ms, NS_PER_S // NS_PER_MS)
    return f"{seconds}.{rest_ms:03d}"


def _worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    order = (Verdict.PASSED, Verdict.FAILED, Verdict.ERROR)
    return max(verdicts, key=order.index, default=None)
