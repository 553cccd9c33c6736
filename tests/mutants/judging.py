"""Judges a mutant with the conformance kit, the cases of the violated requirements first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.network import Database
from simcore.testing.conformance.case import Case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import DEFAULT_BUDGET, CaseRun
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import CaseResult, CaseVerdict
from tests.mutants.catalogue import Mutant


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A case that failed a module."""

    case: str
    requirements: tuple[str, ...]
    """That it failed."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one module."""

    mutant: Mutant
    ran: int
    kills: tuple[Kill, ...]
    errors: tuple[str, ...] = ()
    """Cases that raised, with what they raised."""

    @property
    def right(self) -> tuple[Kill, ...]:
        """Kills by a case of a requirement that the mutant violates."""
        violates = set(self.mutant.violates)
        return tuple(kill for kill in self.kills if violates & set(kill.requirements))

    @property
    def is_killed(self) -> bool:
        """Whether the kit told the defect from a sound module, and by the right requirement."""
        return bool(self.right)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.kills and not self.errors


@lru_cache(maxsize=4)
def interface_of(node: str) -> Interface:
    """The shipped interface of a place."""
    return Interface.of(Database.reference(), node)


def examine(
    mutant: Mutant,
    *,
    cases: str = "*",
    complete: bool = False,
    quick: bool = False,
    budget: int = DEFAULT_BUDGET,
) -> Outcome:
    """Run the cases of the requirements a mutant violates until one fails it.

    Where none does, all the others. A module without a defect, and with `complete` every one, goes
    through all; with `quick` a mutant goes through the first ones only.
    """
    interface = interface_of(mutant.node)
    dut = _dut(mutant)
    run = CaseRun(interface=interface, dut=dut, seed=0, budget=budget)
    kills: list[Kill] = []
    errors: list[str] = []
    ran = 0
    for case in _ordered(interface, mutant, cases):
        if quick and mutant.violates and not set(mutant.violates) & set(case.requirements):
            break
        if any(fnmatchcase(case.id, pattern) for pattern in dut.omits):
            continue  # its sidecar leaves it out
        result = run.run(case)
        ran += 1
        if result.verdict is CaseVerdict.ERROR:
            errors.append(f"{case.id}: {_last_line(result.reason)}")
        elif result.verdict is CaseVerdict.FAILED:
            kill = Kill(case=case.id, requirements=_failed(result), reason=_reason(result))
            kills.append(kill)
            if not complete and set(kill.requirements) & set(mutant.violates):
                break
    return Outcome(mutant=mutant, ran=ran, kills=tuple(kills), errors=tuple(errors))


def _dut(mutant: Mutant) -> Dut:
    if mutant.path:
        return load_dut(mutant.path, isolated=mutant.is_isolated)
    return dut_of(mutant.module)


def _ordered(interface: Interface, mutant: Mutant, pattern: str) -> Iterator[Case]:
    chosen = [case for case in plan(interface) if fnmatchcase(case.id, pattern)]
    violates = set(mutant.violates)
    yield from (case for case in chosen if violates & set(case.requirements))
    yield from (case for case in chosen if not violates & set(case.requirements))


def _failed(result: CaseResult) -> tuple[str, ...]:
    """The requirements that a failed case fails: those it names, or all of them."""
    named = {each.requirement for each in result.judgements if not each.passed}
    if result.findings or not named or "" in named:
        return result.requirements
    return tuple(each for each in result.requirements if each in named)


def _reason(result: CaseResult) -> str:
    if result.findings:
        return result.findings[0]
    wrong = next((each for each in result.judgements if not each.passed), None)
    return "" if wrong is None else f"{wrong.text}: {wrong.measured}, {wrong.limit}"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
