"""Measuring the reaction-time table: forks of warmed-up rigs, over several processes.

One rig per operating point is warmed up once and pickled; every measurement starts from a copy of
it, so it depends on nothing but the table, the seed and the cell: the result is the same whatever
the number of workers and whichever of them measured what. Worker processes are started afresh
(spawn), so a script that asks for several needs the usual `if __name__ == "__main__"`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import pairwise
from multiprocessing import get_context
from signal import SIG_IGN, SIGINT, signal

from simcore.ecu import RestbusNode
from simcore.ecu.mechanisms import mechanisms_off
from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.kernel.rng import RandomStream
from simcore.rig.ftti import Cell, OperatingPoint
from simcore.rig.ftti_result import CellResult, FttiResult, Sample
from simcore.rig.reference import CORNERS
from simcore.rig.rig import Rig
from simcore.units import NS_PER_MS, NS_PER_S, NS_PER_US

Progress = Callable[[int, int, CellResult], object]
"""Called with how many cells are done, how many there are, and the one just done."""

PHASE_SPAN_NS = 20 * NS_PER_MS
"""Faults strike somewhere in this: it holds whole cycles of all tasks and messages of braking."""
_START_UP_NS = 300 * NS_PER_MS
_ROLLING_NS = 100 * NS_PER_MS
_PEDAL_NS = 600 * NS_PER_MS
"""Long enough for clamp forces, or slip control, to settle."""
_SILENT_NS = 500 * NS_PER_MS
"""Of this the last part: with nodes silent, or parking."""
_STOP_TIMEOUT_NS = 20 * NS_PER_S
_MISSED_FRAMES = 3
_LOST_WORKER = "the worker process died"


def warm_rig(point: OperatingPoint, *, seed: int, without: Iterable[str] = ()) -> Rig:
    """A rig that has settled at an operating point."""
    rig = Rig(seed=seed, without=without)
    rig.run_for(_START_UP_NS)
    rig.vehicle.set_friction(point.friction_ratio)
    rig.vehicle.set_speed(kmh=point.speed_kmh)
    rig.run_for(_ROLLING_NS)
    rig.press_pedal(point.pedal_pct)
    rig.run_for(_PEDAL_NS - _SILENT_NS)
    for node in point.silent:
        rig.inject(EcuSilent(node=node))
    if point.is_parked:
        _park(rig)
    rig.run_for(_SILENT_NS)
    _refuse_findings(rig)
    return rig


def _park(rig: Rig) -> None:
    """No controller of the reference parks: a restbus node in the secondary's place orders it."""
    rig.inject(EcuSilent(node="CDC"))
    rig.replace("CDC2", RestbusNode("CDC2", rig.database))
    order = {
        f"CDC2_{corner}_{signal}": value
        for corner in CORNERS
        for signal, value in (("Mode", "ParkApply"), ("ReqVld", 1), ("FSlope", 1000))
    }
    rig.restbus("CDC2").set("CDC2_EmbCmd", **order)


def _refuse_findings(rig: Rig) -> None:
    """A node that raised is a defect of its software: what follows is no reaction to a fault."""
    for finding in rig.log.findings:
        raise UsageError(f"{finding.source}: {finding.text}")


def measure_cell(warm: bytes, cell: Cell, *, seed: int, phases: int) -> CellResult:
    """Measure a cell; `warm` is the pickled rig of its operating point.

    Whatever goes wrong becomes the cell's error: one broken row is no broken table.
    """
    stream = RandomStream(seed, f"ftti.{cell.id}")
    samples = []
    try:
        for index in range(phases):
            phase_ns = _phase_ns(stream, index, phases)
            samples.append(_sample(pickle.loads(warm), cell, phase_ns))
    except Exception as error:
        return CellResult.of(cell, samples, error=_described(error))
    return CellResult.of(cell, samples)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _phase_ns(stream: RandomStream, index: int, phases: int) -> int:
    """One phase out of each of `phases` equal parts of the span, in whole microseconds."""
    part_us = PHASE_SPAN_NS // NS_PER_US // phases
    return (index * part_us + stream.integer(0, part_us - 1)) * NS_PER_US


def _sample(rig: Rig, cell: Cell, phase_ns: int) -> Sample:
    row, place = cell.row, cell.place
    rig.run_for(phase_ns)
    within_ns = row.ftti_ns if row.hazard_within_ns is None else row.hazard_within_ns
    hazard = cell.hazardous
    reaction = rig.measure_reaction(
        row.fault(place),
        detection=row.detection(place),
        safe_state=cell.safe_state,
        timeout=row.observed_ns,
        hazard=hazard,
        hazard_within=None if hazard is None else within_ns,
        settle=row.settle_ns,
    )
    counted_from_ns = 0
    if row.counted_from and reaction.fault_ns is not None:
        counted_from_ns = third_missed_ns(rig, row.counted_from, reaction.fault_ns)
    mfdd_mps2 = None if row.stop_min_mps2 is None else _mfdd_mps2(rig)
    _refuse_findings(rig)
    return Sample.of(
        reaction, phase_ns, within_ns, counted_from_ns=counted_from_ns, mfdd_mps2=mfdd_mps2
    )


def third_missed_ns(rig: Rig, name: str, fault_ns: int) -> int:
    """When the third frame in a row of a message was missed, after the fault.

    That is three cycles after the last start of a frame on any bus before the gap; where frames
    come again sooner, that are not valid yet, three cycles after the last one before the fault.
    """
    message = rig.message_named(name)
    gap_ns = _MISSED_FRAMES * (message.cycle_time_ns or 0)
    starts = [
        record.sof_ns
        for record in rig.recorder.frames
        if record.frame.arbitration_id == message.arbitration_id
    ]
    last_ns = max((start_ns for start_ns in starts if start_ns <= fault_ns), default=fault_ns)
    for start_ns, next_ns in pairwise([*starts, rig.now_ns]):
        if start_ns >= last_ns and next_ns - start_ns > gap_ns:
            return max(0, start_ns + gap_ns - fault_ns)
    return max(0, last_ns + gap_ns - fault_ns)


def _mfdd_mps2(rig: Rig) -> float:
    """Of a full stop from here; 0 where the vehicle does not stop."""
    stop = rig.measure_stop(pedal_pct=100, timeout=_STOP_TIMEOUT_NS, ramp_ns=0)
    return stop.mfdd_mps2 if stop.stopped else 0.0


def measure_table(
    cells: Sequence[Cell],
    *,
    seed: int = 0,
    phases: int = 3,
    without: Iterable[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> FttiResult:
    """Measure cells, in `workers` processes where that is more than one.

    `without` leaves mechanisms out of every ECU. Results come in the order of `cells`.
    """
    for name, value in (("phases", phases), ("workers", workers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"measure_table, {name}", expected="an integer >= 1", got=repr(value))
    off = mechanisms_off(without)
    warm, errors = _warmed(cells, seed, off)
    task = _Task(warm=warm, errors=errors, seed=seed, phases=phases)
    run = _in_processes if workers > 1 and len(cells) > 1 else _here
    results = run(task, cells, workers, progress)
    return FttiResult(seed=seed, phases=phases, without=tuple(sorted(off)), cells=tuple(results))


def _warmed(
    cells: Sequence[Cell], seed: int, without: frozenset[str]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The pickled rig of every operating point in use, or why there is none."""
    warm: dict[str, bytes] = {}
    errors: dict[str, str] = {}
    for point in {cell.point.id: cell.point for cell in cells}.values():
        try:
            warm[point.id] = pickle.dumps(warm_rig(point, seed=seed, without=without))
        except Exception as error:
            errors[point.id] = f"warming up: {_described(error)}"
    return warm, errors


class _Task:
    """What every worker knows."""

    __slots__ = ("errors", "phases", "seed", "warm")

    def __init__(
        self, *, warm: Mapping[str, bytes], errors: Mapping[str, str], seed: int, phases: int
    ) -> None:
        self.warm = warm
        self.errors = errors
        self.seed = seed
        self.phases = phases

    def measure(self, cell: Cell) -> CellResult:
        warm = self.warm.get(cell.point.id)
        if warm is None:
            return CellResult.of(cell, error=self.errors[cell.point.id])
        return measure_cell(warm, cell, seed=self.seed, phases=self.phases)


def _here(
    task: _Task, cells: Sequence[Cell], workers: int, progress: Progress | None
) -> list[CellResult]:
    results = []
    for cell in cells:
        results.append(task.measure(cell))
        if progress is not None:
            progress(len(results), len(cells), results[-1])
    return results


_worker_task: _Task | None = None
"""Of this worker process; set once when it starts."""


def _begin_worker(task: _Task) -> None:
    global _worker_task
    leave_interrupts_to_caller()
    _worker_task = task


def leave_interrupts_to_caller() -> None:
    """A Ctrl-C reaches every process of a terminal; the caller says what becomes of it."""
    signal(SIGINT, SIG_IGN)


def _measure_in_worker(cell_id: str) -> CellResult:
    from simcore.rig.ftti_table import cell_named

    assert _worker_task is not None
    return _worker_task.measure(cell_named(cell_id))


def _result_of(future: Future[CellResult], cell: Cell) -> CellResult:
    try:
        return future.result()
    except BrokenProcessPool:
        return CellResult.of(cell, error=_LOST_WORKER)
    except Exception as error:
        return CellResult.of(cell, error=_described(error))


def _in_processes(
    task: _Task, cells: Sequence[Cell], workers: int, progress: Progress | None
) -> list[CellResult]:
    """Cells travel by name: their rows hold functions, which no process can send another."""
    results: dict[str, CellResult] = {}
    with ProcessPoolExecutor(
        max_workers=min(workers, len(cells)),
        mp_context=get_context("spawn"),
        initializer=_begin_worker,
        initargs=(task,),
    ) as pool:
        cell_of: dict[Future[CellResult], Cell] = {
            pool.submit(_measure_in_worker, cell.id): cell for cell in cells
        }
        try:
            for future in as_completed(cell_of):
                cell = cell_of[future]
                result = results[cell.id] = _result_of(future, cell)
                if progress is not None:
                    progress(len(results), len(cells), result)
        finally:
            pool.shutdown(cancel_futures=True)  # where it was interrupted there are some left
    return [results[cell.id] for cell in cells]
