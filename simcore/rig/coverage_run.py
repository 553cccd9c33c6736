"""Counting diagnostic coverage in runs of the reference chassis.

Each run is a copy of one warm rig with one drawn fault. A mechanism has fired where the count of
the real receiver grew, or where it logged a silent bus. The data id is part of the checksum; which
of the two noticed a frame shows when the frame is read again with the ids of all other messages:
one of those fits a frame that was only meant for another, none fits one that is corrupted.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

from simcore.ecu.mechanisms import mechanisms_off
from simcore.ecu.runtime import Ecu
from simcore.errors import UsageError
from simcore.kernel.rng import RandomStream
from simcore.network import Message
from simcore.protection.e2e_factory import HEADERS
from simcore.protection.e2e_header import WRONG
from simcore.rig.coverage import Coverage, CoverageRow, FaultModel, Mechanism
from simcore.rig.coverage_faults import DRAWS, TARGETS, Drawn, Target, watched_ns
from simcore.rig.evidence import events_after
from simcore.rig.ftti import BRAKING
from simcore.rig.ftti_run import PHASE_SPAN_NS, leave_interrupts_to_caller, warm_rig
from simcore.rig.reaction import sentence_of
from simcore.rig.rig import Rig
from simcore.units import NS_PER_US

RUNS = 10
"""Per kind of fault and message."""
UNNOTICED_SHOWN = 3
_MECHANISM_OF = {
    "repeated": Mechanism.COUNTER,
    "sequence": Mechanism.COUNTER,
    "length": Mechanism.LENGTH,
    "no_new_data": Mechanism.TIMEOUT,
    "timeout": Mechanism.TIMEOUT,
    "arrival": Mechanism.ARRIVAL,
}
Progress = Callable[[int, int], object]
"""Called with how many runs are done and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What one run showed."""

    fault: str
    fired: frozenset[Mechanism]
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """All runs of one kind of fault at one target."""

    model: FaultModel
    target: int
    """Index into `TARGETS`."""
    seed: int
    runs: int


def measure_coverage(
    *,
    seed: int = 0,
    runs: int = RUNS,
    without: Iterable[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
    models: Sequence[FaultModel] = tuple(FaultModel),
) -> Coverage:
    """Count, in `workers` processes; `runs` per kind of fault and message.

    `without` leaves mechanisms out of every ECU. The result does not depend on `workers`.
    """
    for name, value in (("runs", runs), ("workers", workers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"measure_coverage, {name}", expected="an integer >= 1", got=value)
    warm = pickle.dumps(warm_rig(BRAKING, seed=seed, without=mechanisms_off(without)))
    jobs = [
        _Job(model=model, target=index, seed=seed, runs=runs)
        for model in models
        for index in range(len(TARGETS))
    ]
    if workers == 1:
        found = _collect(map(_Worker(warm).work, jobs), jobs, progress)
    else:
        with ProcessPoolExecutor(
            max_workers=min(workers, len(jobs)),
            mp_context=get_context("spawn"),
            initializer=_begin_worker,
            initargs=(warm,),
        ) as pool:
            try:
                found = _collect(_results(pool, jobs), jobs, progress)
            finally:
                pool.shutdown(cancel_futures=True)  # where it was interrupted there are some left
    return Coverage(
        seed=seed,
        messages=tuple(target.name for target in TARGETS),
        rows=tuple(_row(model, found[model]) for model in models),
        errors=tuple(
            f"{model.value}: {result.fault}: {result.error}"
            for model in models
            for result in found[model]
            if result.error
        ),
    )


def _results(pool: Executor, jobs: Sequence[_Job]) -> Iterator[list[RunResult]]:
    """In the order of the jobs; a job whose worker died is one run that could not be made."""
    for future in [pool.submit(_work, job) for job in jobs]:
        try:
            yield future.result()
        except BrokenProcessPool:
            yield [RunResult(fault="-", fired=frozenset(), error="the worker process died")]


def _collect(
    results: Iterable[list[RunResult]], jobs: Sequence[_Job], progress: Progress | None
) -> dict[FaultModel, list[RunResult]]:
    found: dict[FaultModel, list[RunResult]] = {job.model: [] for job in jobs}
    total = sum(job.runs for job in jobs)
    done = 0
    for job, each in zip(jobs, results, strict=True):
        found[job.model] += each
        done += job.runs
        if progress is not None:
            progress(done, total)
    return found


def _row(model: FaultModel, results: Sequence[RunResult]) -> CoverageRow:
    made = [result for result in results if not result.error]
    unnoticed = [result.fault for result in made if not result.fired]
    return CoverageRow(
        model=model,
        runs=len(made),
        noticed=len(made) - len(unnoticed),
        fired={each: sum(each in result.fired for result in made) for each in Mechanism},
        unnoticed=tuple(unnoticed[:UNNOTICED_SHOWN]),
    )


class _Worker:
    """Makes the runs of a job."""

    __slots__ = ("_warm",)

    def __init__(self, warm: bytes) -> None:
        self._warm = warm

    def work(self, job: _Job) -> list[RunResult]:
        target = TARGETS[job.target]
        results = []
        for number in range(job.runs):
            stream = RandomStream(job.seed, f"coverage.{job.model.name}.{target.name}.{number}")
            results.append(_made(self._warm, job.model, target, stream))
        return results


_worker: _Worker | None = None
"""Of this worker process; set once when it starts."""


def _begin_worker(warm: bytes) -> None:
    global _worker
    leave_interrupts_to_caller()
    _worker = _Worker(warm)


def _work(job: _Job) -> list[RunResult]:
    assert _worker is not None
    return _worker.work(job)


def _made(warm: bytes, model: FaultModel, target: Target, stream: RandomStream) -> RunResult:
    """One run; whatever goes wrong is its error."""
    fault: Drawn | None = None
    try:
        rig: Rig = pickle.loads(warm)
        message = rig.message_named(target.message)
        rig.run_for(stream.integer(0, PHASE_SPAN_NS // NS_PER_US - 1) * NS_PER_US)
        fault = DRAWS[model](target, message, stream)
        fired = run_one(rig, fault, target, message, watched_ns(model))
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return RunResult(fault=_sentence(fault), fired=frozenset(), error=text)
    return RunResult(fault=_sentence(fault), fired=fired)


def _sentence(fault: Drawn | None) -> str:
    return "nothing drawn" if fault is None else sentence_of(fault)


def run_one(
    rig: Rig, fault: Drawn, target: Target, message: Message, duration_ns: int
) -> frozenset[Mechanism]:
    """Inject a fault and say which mechanisms of the receiver fired."""
    node = rig.node(target.receiver)
    if not isinstance(node, Ecu):
        raise UsageError(f"coverage of {target.name}", expected="a simulated ECU", got=repr(node))
    reception = node.reception(target.message)
    before = dict(reception.counts)
    since_ns, frame_count = rig.now_ns, len(rig.recorder.frames)
    rig.inject(fault)
    rig.run_for(duration_ns)
    grown = {key for key, count in reception.counts.items() if count > before[key]}
    fired = {_MECHANISM_OF[key] for key in grown if key in _MECHANISM_OF}
    if "crc" in grown:
        fired |= _crc_or_data_id(rig, message, frame_count)
    if _bus_reported(rig, target.receiver, since_ns):
        fired.add(Mechanism.SECOND_BUS)
    return frozenset(fired)


def _crc_or_data_id(rig: Rig, message: Message, frame_count: int) -> set[Mechanism]:
    """What is wrong with the frames that the checksum refused."""
    own = message.e2e
    assert own is not None
    header = HEADERS[own.profile](own, message.length)
    foreign = [
        HEADERS[each.e2e.profile](each.e2e, each.length)
        for each in rig.database.messages
        if each is not message and each.e2e is not None and each.length == message.length
    ]
    found: set[Mechanism] = set()
    for record in rig.recorder.frames[frame_count:]:
        data = record.frame.data
        meant = record.frame.arbitration_id == message.arbitration_id
        if not meant or len(data) != message.length or header.open(data) != WRONG:
            continue
        fits = any(each.open(data) != WRONG for each in foreign)
        found.add(Mechanism.DATA_ID if fits else Mechanism.CRC)
    return found


def _bus_reported(rig: Rig, receiver: str, since_ns: int) -> bool:
    """Whether the receiver logged that a bus, or a sender on one bus, is silent."""
    names = tuple(bus.name for bus in rig.buses)
    return any(
        event.source == receiver
        and event.kind == "detection"
        and any(name in event.text for name in names)
        for event in events_after(rig.log.events, since_ns)
    )
