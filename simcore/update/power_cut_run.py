"""Runs whole sweeps, in one process or several, with the same result."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from simcore.errors import SimcoreError, UsageError
from simcore.update.power_cut import (
    Case,
    CaseResult,
    Counted,
    Outcome,
    Story,
    SweepPlan,
    SweepResult,
    count_operations,
    double_cuts,
    run_device,
    single_cuts,
)

CHUNK = 50
"""Runs per piece of work."""

Progress = Callable[[str, int, int], None]
"""Story, runs done, runs in all."""

_Job = tuple[Story, tuple[Case, ...]]


def sweep(
    stories: Sequence[Story],
    plan: SweepPlan,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[SweepResult]:
    """Cut into every story. The result does not depend on `workers`."""
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise UsageError("sweep, workers", expected="an integer >= 1", got=workers)
    counts = [count_operations(story) for story in stories]
    jobs: list[list[_Job]] = [
        list(_jobs(story, counted, plan)) for story, counted in zip(stories, counts, strict=True)
    ]
    every = [job for each in jobs for job in each]
    if workers == 1:
        return _collect(stories, counts, jobs, map(_work, every), progress)
    with ProcessPoolExecutor(
        max_workers=min(workers, max(1, len(every))), mp_context=get_context("spawn")
    ) as pool:
        try:
            return _collect(stories, counts, jobs, _results(pool, every), progress)
        finally:
            pool.shutdown(cancel_futures=True)  # where it was interrupted there are some left


def _jobs(story: Story, counted: Counted, plan: SweepPlan) -> Iterator[_Job]:
    cases = [*single_cuts(counted.operations, plan), *double_cuts(counted.operations, plan)]
    for start in range(0, len(cases), CHUNK):
        yield story, tuple(cases[start : start + CHUNK])


def _work(job: _Job) -> list[CaseResult]:
    story, cases = job
    fresh = story.device()
    return [run_device(copy.deepcopy(fresh), case) for case in cases]


def _results(pool: Executor, jobs: Iterable[_Job]) -> Iterator[list[CaseResult]]:
    """In the order of the jobs."""
    for future in [pool.submit(_work, job) for job in jobs]:
        try:
            yield future.result()
        except BrokenProcessPool:
            raise SimcoreError("power-cut sweep: a worker process died") from None


def _collect(
    stories: Sequence[Story],
    counts: Sequence[Counted],
    jobs: Sequence[Sequence[_Job]],
    results: Iterator[list[CaseResult]],
    progress: Progress | None,
) -> list[SweepResult]:
    found = []
    for story, counted, mine in zip(stories, counts, jobs, strict=True):
        result = SweepResult(
            story=story.name,
            operations=counted.operations,
            uncut_wear=counted.result.wear,
            flash_names=counted.flash_names,
        )
        if counted.result.is_bad:
            result.add(counted.result)
        total = sum(len(cases) for _, cases in mine)
        for _ in mine:
            for each in next(results):
                result.add(each)
            if progress is not None:
                progress(story.name, result.cases, total)
        found.append(result)
    return found


def as_data(results: Sequence[SweepResult], plan: SweepPlan) -> dict[str, object]:
    """For JSON."""
    return {
        "torn_seeds": plan.torn_seeds,
        "grid": plan.grid,
        "seed": plan.seed,
        "stride": plan.stride,
        "passed": all(result.passed for result in results),
        "stories": [
            {
                "story": result.story,
                "operations": list(result.operations),
                "single_cuts": result.singles,
                "double_cuts": result.doubles,
                "by_kind": _by_kind(result),
                "phases": _phases(result),
                "first_after_cut": dict(sorted(result.first.items())),
                "at_the_end": dict(sorted(result.ends.items())),
                "bricks": result.bricks,
                "wrong_tries": result.wrong_tries,
                "other": result.other,
                "wear": result.wear,
                "uncut_wear": result.uncut_wear,
                "bad": [
                    {
                        "cuts": [str(cut) for cut in each.case],
                        "first": each.verdict.first,
                        "end": each.verdict.outcome,
                        "why": each.verdict.detail,
                    }
                    for each in result.bad
                ],
            }
            for result in results
        ],
    }


def _by_kind(result: SweepResult) -> dict[str, dict[str, int]]:
    """What ran first after one cut of each kind, or after two."""
    found: dict[str, dict[str, int]] = {}
    for each in result.every:
        if each.case:
            kind = "twice" if len(each.case) > 1 else each.case[0].kind.name.lower()
            counts = found.setdefault(kind, {"runs": 0, "old": 0, "new": 0, "bad": 0})
            counts["runs"] += 1
            counts["bad"] += each.is_bad
            if each.verdict.first in (Outcome.OLD, Outcome.NEW):
                counts[each.verdict.first.value] += 1
    return found


def _phases(result: SweepResult) -> list[dict[str, object]]:
    """Phase of the update along the operations: from which operation on which, per flash."""
    found: list[dict[str, object]] = []
    for each in result.every:
        if len(each.case) == 1:
            cut = each.case[0]
            if not found or (found[-1]["flash"], found[-1]["phase"]) != (cut.flash, each.phase):
                found.append({"flash": cut.flash, "from": cut.operation, "phase": each.phase})
    return found
