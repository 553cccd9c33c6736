"""`judge`: runs every case of an interface against a module and folds what came of it.

A stand of each kind is warmed up once; every case starts from a copy of it, or from a stand of its
own where the module cannot be copied. A case depends on nothing but module, database, requirement
file, seed and budget, so the result is the same whatever the number of workers and whichever of
them ran what.
"""

from __future__ import annotations

import copy
import faulthandler
import shlex
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from multiprocessing import get_context
from signal import SIG_IGN, SIGINT, signal
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.kernel import StuckError
from simcore.rig.bench import Bench
from simcore.testing.conformance.case import Case, Need, StandKind
from simcore.testing.conformance.controller_stand import vehicle_gap
from simcore.testing.conformance.evidence import excerpt_of
from simcore.testing.conformance.interface import Interface, NoRequirementError
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import (
    CaseResult,
    CaseVerdict,
    ConformanceResult,
)
from simcore.testing.conformance.stands import build, has_flash, watchdog_of
from simcore.testing.conformance.trial import NotTestedError, Trial

if TYPE_CHECKING:
    from simcore.attach.dut import Dut

Progress = Callable[[int, int, CaseResult], object]
"""Called with how many cases are done, how many there are, and the one just done."""
DEFAULT_BUDGET = 200
_STANDARD_ERROR = 2
_CASE_LIMIT_S = 300.0
"""On the clock on the wall; a case takes a second or a few."""
_LOST_WORKER = (
    "a worker process died: a module that crashes takes its process with it, and the cases that "
    "wait; isolated (--isolated) it crashes alone, and that is a finding"
)


def judge(
    interface: Interface,
    dut: Dut,
    *,
    seed: int = 0,
    budget: int = DEFAULT_BUDGET,
    only: Sequence[str] = (),
    omit: Mapping[str, str] | None = None,
    workers: int = 1,
    on_case: Progress | None = None,
    twice: bool = False,
    replay: Sequence[str] = (),
) -> ConformanceResult:
    """Judge a module in the place of a node.

    `only` are patterns of case ids; `omit` are patterns of cases that are not to be run, with the
    reason. `budget` is how many inputs each fuzz case draws. With `twice` every case is run twice,
    and one that comes out differently is an error. `replay` are words for the commands that replay
    a case, such as the files that the caller has read. Raises `UsageError` for a pattern that
    names no case.
    """
    if workers < 1:
        raise UsageError("judge, workers", expected="at least 1", got=workers)
    cases = plan(interface)
    for pattern in only:
        if not any(fnmatchcase(case.id, pattern) for case in cases):
            raise UsageError(
                f"only {pattern!r}", expected="a pattern of case ids", got=_nearest(pattern, cases)
            )
    omitted = {**dut.omits, **(omit or {})}
    chosen = [
        case for case in cases if not only or any(fnmatchcase(case.id, each) for each in only)
    ]
    run = CaseRun(
        interface=interface, dut=dut, seed=seed, budget=budget, twice=twice, replay=tuple(replay)
    )
    results: list[CaseResult] = []
    for done, result in enumerate(_results(run, chosen, omitted, workers), start=1):
        results.append(result)
        if on_case is not None:
            on_case(done, len(chosen), result)
    return _folded(run, results, _notes(only, omitted, cases))


@dataclass(kw_only=True)
class CaseRun:
    """Runs single cases; one per process. Keeps the warmed-up stands."""

    interface: Interface
    dut: Dut
    seed: int
    budget: int
    twice: bool = False
    replay: tuple[str, ...] = ()
    _stands: dict[StandKind, Bench] = field(default_factory=dict)

    def run(self, case: Case, reason: str = "") -> CaseResult:
        """Run one case, or say why not."""
        reason = reason or self._lacking(case)
        if reason:
            return self._result(case, CaseVerdict.NOT_TESTED, reason=reason)
        result = self._once(case)
        if self.twice and result.verdict is not CaseVerdict.NOT_TESTED:
            again = self._once(case)
            if again.digest != result.digest:
                text = f"digest {result.digest} the first time, {again.digest} the second"
                return self._result(case, CaseVerdict.ERROR, reason=f"not deterministic: {text}")
        return result

    def stand(self, kind: StandKind) -> Bench:
        """A stand to run a case on: a copy of the warmed-up one where the module can be copied."""
        if not self.dut.forkable:
            return build(self.interface, kind, self.dut, self.seed)
        if kind not in self._stands:
            self._stands[kind] = build(self.interface, kind, self.dut, self.seed)
        return self._stands[kind].fork()

    def _lacking(self, case: Case) -> str:
        lacking = [each for each in Need if each in case.needs and not self._has(each)]
        return f"needs {' and '.join(lacking)}" if lacking else ""

    def _has(self, need: Need) -> bool:
        interface, dut = self.interface, self.dut
        is_simulated = dut.kind != "can"
        match need:
            case Need.PINS:
                return dut.has_pins
            case Need.SECOND_BUS:
                return interface.is_redundant
            case Need.DIAGNOSTICS:
                return interface.diag_request is not None
            case Need.VIRTUAL_TIME:
                return is_simulated
            case Need.WATCHDOG:
                return is_simulated and watchdog_of(interface) is not None
            case Need.FLASH:
                return is_simulated and has_flash(interface)
            case Need.VEHICLE:
                return is_simulated and not vehicle_gap(interface.database)

    def _once(self, case: Case) -> CaseResult:
        inside = self.dut.kind == "c" and not self.dut.isolated
        if inside:  # nothing else gets out of a loop in C, and this way a process says where it was
            faulthandler.dump_traceback_later(_CASE_LIMIT_S, exit=True, file=_STANDARD_ERROR)
        try:
            return self._run(case)
        finally:
            if inside:
                faulthandler.cancel_dump_traceback_later()

    def _run(self, case: Case) -> CaseResult:
        try:
            bench = self.stand(case.stand)
            trial = Trial(case, self.interface, bench, self.dut, seed=self.seed, budget=self.budget)
        except Exception:
            return self._result(case, CaseVerdict.ERROR, reason=_traceback())
        stuck: list[str] = []
        try:
            case.run(trial)
        except NotTestedError as why:
            return self._result(case, CaseVerdict.NOT_TESTED, trial, reason=str(why))
        except NoRequirementError as why:
            return self._result(case, CaseVerdict.NOT_TESTED, trial, reason=str(why))
        except StuckError as error:
            stuck.append(str(error))
        except Exception:
            return self._result(case, CaseVerdict.ERROR, trial, reason=_traceback())
        findings = [
            f"{each.source}: {each.text}"
            for each in bench.log.findings  # those of the warm-up, too
            if each.source == self.interface.node
        ]
        findings += stuck
        failed = bool(findings) or not all(each.passed for each in trial.judgements)
        if not trial.judgements and not findings:
            return self._result(
                case, CaseVerdict.ERROR, trial, reason="the case has judged nothing"
            )
        verdict = CaseVerdict.FAILED if failed else CaseVerdict.PASSED
        return self._result(case, verdict, trial, findings=tuple(findings))

    def _result(
        self,
        case: Case,
        verdict: CaseVerdict,
        trial: Trial | None = None,
        *,
        reason: str = "",
        findings: tuple[str, ...] = (),
    ) -> CaseResult:
        judgements = tuple(trial.judgements) if trial is not None else ()
        return CaseResult(
            id=case.id,
            group=case.group,
            title=case.title,
            requirements=case.requirements,
            verdict=verdict,
            judgements=judgements,
            findings=findings,
            excerpt=() if trial is None else excerpt_of(trial, verdict, findings),
            curves=tuple(trial.curves) if trial is not None else (),
            reason=reason,
            duration_ns=0 if trial is None else trial.now_ns - trial.start_ns,
            digest="" if trial is None else _digest_of(trial, verdict),
            replay_command=self._replay(case),
        )

    def _replay(self, case: Case) -> str:
        words = ["simcore", "conformance", "--as", self.interface.node]
        if self.dut.spec != "reference":
            words += ["--dut", self.dut.spec, *(["--isolated"] if self.dut.isolated else [])]
        words += ["--only", case.id, "--seed", str(self.seed)]
        if self.budget != DEFAULT_BUDGET:
            words += ["--budget", str(self.budget)]
        return shlex.join([*words, *self.replay])


# -- one after the other, or several at once ----------------------------------------------------


def _results(
    run: CaseRun, cases: Sequence[Case], omitted: Mapping[str, str], workers: int
) -> Iterator[CaseResult]:
    jobs = [(case, _reason_of(case, omitted)) for case in cases]
    if workers == 1 or len(jobs) < 2:
        for case, reason in jobs:
            yield run.run(case, reason)
        return
    bare = copy.copy(run)
    bare._stands = {}
    with ProcessPoolExecutor(
        max_workers=min(workers, len(jobs)),
        mp_context=get_context("spawn"),
        initializer=_begin_worker,
        initargs=(bare,),
    ) as pool:
        futures = [_submitted(pool, case, reason) for case, reason in jobs]
        for (case, _), future in zip(jobs, futures, strict=True):
            try:
                if future is None:
                    raise BrokenProcessPool
                yield future.result()
            except BrokenProcessPool:
                yield run._result(case, CaseVerdict.ERROR, reason=_LOST_WORKER)


def _submitted(pool: ProcessPoolExecutor, case: Case, reason: str) -> Future[CaseResult] | None:
    """A case on its way to a worker; `None` where one has taken the pool down with it already."""
    try:
        return pool.submit(_run_in_worker, case, reason)
    except BrokenProcessPool:
        return None


_worker: list[CaseRun] = []


def _begin_worker(run: CaseRun) -> None:
    signal(SIGINT, SIG_IGN)  # an interrupt is the parent's to handle
    _worker[:] = [run]


def _run_in_worker(case: Case, reason: str) -> CaseResult:
    return _worker[0].run(case, reason)


def _reason_of(case: Case, omitted: Mapping[str, str]) -> str:
    return next(
        (reason for pattern, reason in omitted.items() if fnmatchcase(case.id, pattern)), ""
    )


# -- folding --------------------------------------------------------------------------------------


def _folded(
    run: CaseRun, results: Sequence[CaseResult], notes: tuple[str, ...]
) -> ConformanceResult:
    interface = run.interface
    everything = interface.source.requirements
    return ConformanceResult(
        node=interface.node,
        role=interface.role,
        dut=run.dut.spec,
        dut_digest=run.dut.digest,
        database=interface.database.name,
        requirement_file=interface.file,
        seed=run.seed,
        requirements=dict(interface.requirements),
        elsewhere={
            name: f"concerns {', '.join(each.nodes)}"
            for name, each in everything.items()
            if name not in interface.requirements
        },
        cases=tuple(results),
        digest=_digest_over(results),
        notes=notes,
    )


def _notes(
    only: Sequence[str], omitted: Mapping[str, str], cases: Sequence[Case]
) -> tuple[str, ...]:
    notes = []
    if only:
        notes.append(f"only {', '.join(only)}: the other cases were not run")
    for pattern, reason in omitted.items():
        if not any(fnmatchcase(case.id, pattern) for case in cases):
            notes.append(f"omitted {pattern} ({reason}): names no case")
    return tuple(notes)


def _nearest(pattern: str, cases: Sequence[Case]) -> str:
    starts = sorted({case.id.split(".")[0] for case in cases})
    return f"{pattern!r}; ids begin with {', '.join(starts)}"


def _digest_of(trial: Trial, verdict: CaseVerdict) -> str:
    parts = [trial.case.id, str(verdict), trial.bench.digest]
    for each in trial.judgements:
        parts += [str(each.passed), each.text, each.measured, each.limit, str(each.time_ns)]
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def _digest_over(results: Sequence[CaseResult]) -> str:
    lines = sorted(f"{each.id}\x1f{each.verdict}\x1f{each.digest}" for each in results)
    return blake2b("\x1e".join(lines).encode(), digest_size=16).hexdigest()


def _traceback() -> str:
    return traceback.format_exc().strip()


__all__ = ["DEFAULT_BUDGET", "CaseRun", "Progress", "judge"]
