"""What judging a module leaves behind: plain data, made by the kit and read by the reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique

from simcore.rig.requirements import Requirement
from simcore.testing.conformance.case import Group


@unique
class CaseVerdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not tested"
    """The place or the module lacks what the case needs; `CaseResult.reason` says what."""
    ERROR = "error"
    """The case itself raised: nothing is said about the module."""
    PARTLY = "partly"
    """Of a requirement: what was tested passed, and some of its cases were not tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One comparison with a limit."""

    passed: bool
    text: str
    measured: str
    """As printed, with unit."""
    limit: str
    time_ns: int
    requirement: str = ""
    """The one that this judges, where a case verifies several; empty: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A measured quantity over time, with the limits it was held against."""

    name: str
    """`clamp force`."""
    unit: str
    time_s: tuple[float, ...]
    values: tuple[float, ...]
    limits: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Named curves on the same time axis: `("command", ...)`, `("upper limit", ...)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case."""

    id: str
    group: Group
    title: str
    requirements: tuple[str, ...]
    verdict: CaseVerdict
    judgements: tuple[Judgement, ...] = ()
    findings: tuple[str, ...] = ()
    """What the module raised or how it crashed."""
    excerpt: tuple[str, ...] = ()
    """Log lines around the first thing that was wrong, or the last judgement."""
    curves: tuple[Curve, ...] = ()
    reason: str = ""
    """Why it was not tested, or what the case raised."""
    duration_ns: int = 0
    """Virtual time the case took."""
    digest: str = ""
    replay_command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformanceResult:
    """Everything about one module."""

    node: str
    role: str
    """`actuator`, `controller` or `node`."""
    dut: str
    """As the user named it."""
    dut_digest: str
    """BLAKE2 of the module's file; empty where it is no file."""
    database: str
    requirement_file: str
    seed: int
    requirements: Mapping[str, Requirement]
    """Those that concern the node, in the order of the file."""
    elsewhere: Mapping[str, str]
    """Requirements of the list that do not concern this node, with the reason."""
    cases: tuple[CaseResult, ...]
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> CaseVerdict:
        """Failed where any case failed, an error where one raised, else passed if any passed."""
        found = {case.verdict for case in self.cases}
        for verdict in (CaseVerdict.ERROR, CaseVerdict.FAILED, CaseVerdict.PASSED):
            if verdict in found:
                return verdict
        return CaseVerdict.NOT_TESTED

    @property
    def counts(self) -> Counter[CaseVerdict]:
        """How many cases ended how."""
        return Counter(case.verdict for case in self.cases)

    def cases_of(self, requirement: str) -> tuple[CaseResult, ...]:
        """The cases that verify a requirement; one that passed, only if it judged this one."""
        return tuple(
            case
            for case in self.cases
            if requirement in case.requirements and _judges(case, requirement)
        )

    def verdict_in(self, case: CaseResult, requirement: str) -> CaseVerdict:
        """What one case says about one of its requirements.

        A case that judged requirements apart fails only those it names; findings fail all.
        """
        if case.verdict is not CaseVerdict.FAILED or case.findings:
            return case.verdict
        wrong = {judgement.requirement for judgement in case.judgements if not judgement.passed}
        failed = "" in wrong or requirement in wrong or not case.judgements
        return CaseVerdict.FAILED if failed else CaseVerdict.PASSED

    def requirement_verdict(self, requirement: str) -> CaseVerdict:
        """Failed where one of its cases failed it; not tested where none said anything."""
        found = {self.verdict_in(case, requirement) for case in self.cases_of(requirement)}
        if found == {CaseVerdict.PASSED, CaseVerdict.NOT_TESTED}:
            return CaseVerdict.PARTLY
        for verdict in (CaseVerdict.ERROR, CaseVerdict.FAILED, CaseVerdict.PASSED):
            if verdict in found:
                return verdict
        return CaseVerdict.NOT_TESTED


def _judges(case: CaseResult, requirement: str) -> bool:
    """Whether a case has something to say about one of its requirements.

    One whose judgements name requirements says nothing about those they do not name.
    """
    if case.verdict is not CaseVerdict.PASSED:
        return True
    named = {judgement.requirement for judgement in case.judgements} - {""}
    return not named or requirement in named
