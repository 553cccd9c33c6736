"""The reaction-time table: its rows as data, its arithmetic, its runner."""

from __future__ import annotations

import pickle
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from simcore.errors import UsageError
from simcore.faults import EcuSilent, FaultSequence, TimedFault
from simcore.faults.catalogue import catalogue
from simcore.kernel.rng import RandomStream
from simcore.network import Database
from simcore.rig import Rig, ftti_run
from simcore.rig.coverage_faults import DRAWS, TARGETS
from simcore.rig.evidence import ColumnHolds, EventSeen, Evidence, Observation
from simcore.rig.ftti import (
    BRAKING,
    CRUISE,
    LOW_FRICTION,
    NO_REQUIREMENT,
    OPERATING_POINTS,
    PARKED,
    SECONDARY,
    Cell,
    Row,
)
from simcore.rig.ftti_result import CellResult, CellVerdict, FttiResult, Sample, Spread
from simcore.rig.ftti_run import (
    PHASE_SPAN_NS,
    measure_cell,
    measure_table,
    third_missed_ns,
    warm_rig,
)
from simcore.rig.ftti_table import CELLS, IN_NO_ROW, ROWS, cell_named, requirements, select
from simcore.rig.reaction import Reaction, sentence_of
from simcore.rig.reference import EMB_NODES
from simcore.rig.requirements import load_requirements
from simcore.units import ms, s, us

JUDGED = {
    *("SAF-001", "SAF-002", "SAF-003", "SAF-004"),
    *("WDG-001", "WDG-002", "WDG-003"),
    *("DEG-001", "DEG-002", "DEG-003", "DEG-004"),
}


def row(**changes: object) -> Row:
    values: dict[str, object] = {
        "id": "planted",
        "requirement": "SAF-001",
        "broken": "{} broken",
        "hazard": "something bad",
        "places": ("EMB_FL",),
        "points": (BRAKING,),
        "fault": lambda place: EcuSilent(node=place),
        "detection": lambda place: EventSeen("detection", "CDC", place),
        "safe_state": lambda place: EventSeen("reaction", "CDC"),
        "ftti_ns": ms(200),
    }
    return Row(**values | changes)  # type: ignore[arg-type]


def sample(fdti: int | None, fhti: int | None, hazard: int | None = None) -> Sample:
    """Times in ms."""
    return Sample(
        phase_ns=0,
        fdti_ns=None if fdti is None else ms(fdti),
        frti_ns=None if fdti is None or fhti is None else ms(fhti - fdti),
        fhti_ns=None if fhti is None else ms(fhti),
        hazard_ns=None if hazard is None else ms(hazard),
        detected="",
        safe="",
    )


def result(*samples: Sample, **changes: object) -> CellResult:
    (cell,) = row(fhti_max_ns=ms(100), fdti_max_ns=ms(50)).cells
    return replace(CellResult.of(cell, samples), **changes)  # type: ignore[arg-type]


# ---- the table ----


def test_every_cell_has_an_id_of_its_own() -> None:
    assert len({each.id for each in ROWS}) == len(ROWS)
    assert len({cell.id for cell in CELLS}) == len(CELLS)


def test_the_table_has_at_least_150_cells_over_all_operating_points() -> None:
    assert len(CELLS) >= 150
    assert {cell.point for cell in CELLS} == set(OPERATING_POINTS)


def test_every_requirement_of_a_row_exists_and_all_that_are_to_be_judged_are() -> None:
    known = load_requirements()
    assert set(requirements()) - {NO_REQUIREMENT} <= set(known)
    assert set(requirements()) >= JUDGED


@pytest.mark.parametrize("each", ROWS, ids=lambda each: each.id)
def test_a_row_says_what_is_broken_and_can_be_built_at_every_place(each: Row) -> None:
    assert each.hazard
    assert "{}" in each.broken
    assert 0 < each.budget_ns <= each.ftti_ns
    for place in each.places:
        assert sentence_of(each.fault(place))
        assert str(each.detection(place))
        assert str(each.safe_state(place))


def test_cells_are_chosen_by_requirement_row_and_place() -> None:
    chosen = select(["SAF-001"], ["FL"])
    assert {cell.row.requirement for cell in chosen} == {"SAF-001"}
    assert {cell.place for cell in chosen} == {"FL"}
    assert select(["silent_*"], ["EMB_FL"]) == select(["silent_*"], ["FL"])
    assert select([chosen[0].id]) == (chosen[0],)
    assert select() == CELLS
    assert cell_named(chosen[0].id) is chosen[0]


@pytest.mark.parametrize(
    ("only", "places", "text"),
    [
        (["SAF-999"], [], r"a requirement \(SAF-001, .*or a row, got 'SAF-999'"),
        ([], ["XX"], r"expected one of FL, .*, got 'XX'"),
        (["silent_controller"], ["FL"], r"at least one cell, got silent_controller at FL"),
    ],
)
def test_a_choice_that_matches_nothing_is_refused(
    only: list[str], places: list[str], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        select(only, places)


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cell 'x': expected a cell of the reaction-time table"):
        cell_named("x")


@pytest.mark.parametrize("name", ["places", "points"])
def test_a_row_without_a_place_or_operating_point_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"row planted, {name}: expected at least one"):
        row(**{name: ()})


def test_a_budget_beyond_the_ftti_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fhti_max_ns: expected at most the FTTI, 200000000 ns"):
        row(fhti_max_ns=ms(201))


def _kinds(fault: object) -> set[str]:
    if isinstance(fault, FaultSequence):
        return {kind for each in fault.faults for kind in _kinds(each)}
    return {type(fault.fault if isinstance(fault, TimedFault) else fault).__name__}


def test_every_fault_of_the_catalogue_has_a_row_or_is_drawn_or_a_reason_says_why_not() -> None:
    in_rows = {kind for each in ROWS for place in each.places for kind in _kinds(each.fault(place))}
    database = Database.reference()
    drawn = {
        kind
        for model, draw in DRAWS.items()
        for target in TARGETS
        for number in range(12)
        for kind in _kinds(
            draw(target, database.message(target.message), RandomStream(number, model.name))
        )
    }
    known = {entry.name for entry in catalogue()}
    assert known - in_rows - drawn == set(IN_NO_ROW)
    assert all(IN_NO_ROW.values())


def test_a_controllers_commands_and_an_actuator_are_supervised_three_ways_each() -> None:
    places = {
        name: {cell.place for cell in CELLS if cell.row.id.startswith(f"{name}_supervision")}
        for name in ("alive", "deadline", "logical")
    }
    for found in places.values():
        assert {place.partition("/")[0] for place in found} == {"CDC", "CDC2", "EMB_FL"}


def test_on_low_friction_no_evidence_is_a_share_of_a_clamp_force_that_has_to_stay() -> None:
    """Slip control moves the forces by up to half: what they were says little."""
    rising = (">=", ">")
    for cell in CELLS:
        if cell.point is LOW_FRICTION:
            for column in _columns(cell.safe_state):
                is_share = bool(column.of_before) and column.value > 0.5
                on_force = "clamp" in str(column.column) and column.op in rising
                assert not (is_share and on_force), cell.id


def _columns(sought: Observation) -> list[ColumnHolds]:
    if isinstance(sought, ColumnHolds):
        return [sought]
    return [column for part in getattr(sought, "parts", ()) for column in _columns(part)]


# ---- arithmetic ----


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([3], (3, 3, 3)),
        ([9, 1, 4], (1, 4, 9)),
        ([9, 1, 4, 5], (1, 4, 9)),
    ],
)
def test_a_spread_is_smallest_middle_and_largest(
    times: list[int], expected: tuple[int, int, int]
) -> None:
    spread = Spread.of(times)
    assert spread is not None
    assert (spread.min_ns, spread.median_ns, spread.max_ns) == expected


def test_a_spread_with_a_gap_or_of_nothing_is_none() -> None:
    assert Spread.of([1, None, 3]) is None
    assert Spread.of([]) is None


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ([sample(10, 20), sample(50, 100)], CellVerdict.PASSED),
        ([sample(10, 20), sample(10, 101)], CellVerdict.LATE),
        ([sample(51, 60)], CellVerdict.LATE),
        ([sample(10, 20), sample(10, None)], CellVerdict.UNSAFE),
        ([sample(10, 300), sample(None, 20)], CellVerdict.UNDETECTED),
        ([sample(None, None), sample(10, 20, 15)], CellVerdict.HAZARD),
        ([], CellVerdict.ERROR),
    ],
)
def test_the_gravest_sample_is_the_verdict(samples: list[Sample], verdict: CellVerdict) -> None:
    assert result(*samples).verdict is verdict


def test_a_cell_that_raised_is_an_error_whatever_it_measured_before() -> None:
    assert result(sample(10, 20), error="KeyError: x").verdict is CellVerdict.ERROR


def test_margin_is_against_the_budget_and_the_largest_time() -> None:
    assert result(sample(10, 20), sample(10, 60)).margin_ns == ms(40)
    assert result(sample(10, 120)).margin_ns == -ms(20)
    assert result(sample(10, 20), sample(None, 30)).margin_ns is None


@pytest.mark.parametrize(
    ("samples", "remark"),
    [
        ([sample(10, 20)], ""),
        ([sample(None, None)], "undetected, no hazard within the FTTI"),
        ([sample(None, None, 30), sample(9, 9)], "undetected in 1 of 2, hazard after 30.0 ms"),
        ([sample(10, 20, 12)], "hazard after 12.0 ms"),
        ([sample(60, 70)], "detected too late"),
    ],
)
def test_a_remark_says_what_the_figures_do_not(samples: list[Sample], remark: str) -> None:
    assert result(*samples).remark == remark


def test_a_hazard_counts_within_its_time_only() -> None:
    reaction = Reaction(
        fault="x",
        fault_ns=ms(10),
        detected=None,
        safe=None,
        hazard=Evidence(time_ns=ms(210), text="off the lane"),
        until_ns=ms(400),
    )
    assert Sample.of(reaction, 0, ms(200)).hazard_ns == ms(200)
    assert Sample.of(reaction, 0, ms(200) - 1).hazard_ns is None


def expected(*samples: Sample) -> CellResult:
    return result(*samples, undetected_because="the latch is not used")


def test_what_cannot_show_is_undetected_as_expected_and_fails_nothing() -> None:
    cell = expected(sample(None, 20), sample(None, None))
    assert cell.verdict is CellVerdict.EXPECTED
    assert cell.remark == (
        "undetected as expected, no hazard within the FTTI; the latch is not used"
    )
    table = FttiResult(seed=0, phases=1, without=(), cells=(result(sample(10, 20)), cell))
    (requirement,) = table.requirements
    assert (requirement.passed, requirement.passed_count, requirement.expected_count) == (
        *(True, 1, 1),
    )
    assert requirement.least_margin_ns == ms(80)
    assert table.passed


def test_a_hazard_is_one_whatever_was_expected() -> None:
    assert expected(sample(None, None, 30)).verdict is CellVerdict.HAZARD


def test_a_detection_that_was_not_expected_is_told_and_judged() -> None:
    assert expected(sample(10, 20)).verdict is CellVerdict.PASSED
    assert "detected in 1 of 1, though not expected" in expected(sample(10, 20)).remark
    assert expected(sample(10, None)).verdict is CellVerdict.UNSAFE


def test_a_budget_can_begin_with_the_third_missed_frame() -> None:
    late = result(sample(20, 110))
    in_time = result(replace(sample(20, 110), counted_from_ns=ms(12)), counted_from="CDC_EmbCmd")
    assert (late.verdict, in_time.verdict) == (CellVerdict.LATE, CellVerdict.PASSED)
    assert in_time.margin_ns == ms(2)
    assert in_time.remark == "budget from the third missed CDC_EmbCmd, 12.0 ms behind the fault"


@pytest.mark.parametrize(
    ("mfdd_mps2", "verdict"),
    [(6.16, CellVerdict.PASSED), (6.15, CellVerdict.WEAK), (None, CellVerdict.WEAK)],
)
def test_a_stop_after_the_fault_that_is_too_weak_fails(
    mfdd_mps2: float | None, verdict: CellVerdict
) -> None:
    cell = result(replace(sample(10, 20), mfdd_mps2=mfdd_mps2), stop_min_mps2=6.156)
    assert cell.verdict is verdict
    if mfdd_mps2 is not None:
        assert cell.remark == f"MFDD afterwards {mfdd_mps2:.2f} m/s2, at least 6.16 wanted"


def test_a_requirement_passes_with_all_its_cells() -> None:
    cells = (result(sample(10, 20)), result(sample(10, 60)), result(sample(10, 101)))
    table = FttiResult(seed=0, phases=1, without=(), cells=cells)
    (requirement,) = table.requirements
    assert (requirement.passed, requirement.passed_count) == (False, 2)
    assert requirement.least_margin_ns == -ms(1)
    assert not table.passed
    assert replace(table, cells=cells[:2]).passed
    assert not replace(table, cells=()).passed


# ---- the runner ----

FEW = (
    "silent_actuator.FL.braking",
    "silent_actuator_unsteady.RR.cruise",
    "silent_controller.CDC.braking",
)


@pytest.fixture(scope="module")
def here() -> FttiResult:
    return measure_table([cell_named(name) for name in FEW], seed=3, phases=2)


def test_two_workers_find_what_one_does_and_survive_a_cell_they_do_not_know(
    here: FttiResult,
) -> None:
    strange = row(id="strange").cells[0]
    cells = [strange, *(cell_named(name) for name in FEW)]
    first, *others = measure_table(cells, seed=3, phases=2, workers=2).cells
    assert tuple(others) == here.cells
    assert first.verdict is CellVerdict.ERROR
    assert "strange.EMB_FL.braking" in first.error


def test_the_result_does_not_depend_on_the_other_cells(here: FttiResult) -> None:
    (alone,) = measure_table([cell_named(FEW[0])], seed=3, phases=2).cells
    assert alone == here.cells[0]


def test_measured_cells_pass_and_strike_at_different_phases(here: FttiResult) -> None:
    assert [cell.id for cell in here.cells] == list(FEW)
    for cell in here.cells:
        assert cell.verdict is CellVerdict.PASSED, cell.remark
        first, second = cell.samples
        assert 0 <= first.phase_ns < PHASE_SPAN_NS // 2 <= second.phase_ns < PHASE_SPAN_NS
        assert first.detected


def test_another_seed_strikes_at_other_phases(here: FttiResult) -> None:
    other = measure_table([cell_named(FEW[2])], seed=4, phases=2).cells[0]
    assert [each.phase_ns for each in other.samples] != [
        each.phase_ns for each in here.cells[2].samples
    ]


def test_progress_is_told_cell_by_cell() -> None:
    told: list[tuple[int, int, str]] = []
    cell = cell_named(FEW[1])
    measure_table([cell], phases=1, progress=lambda *step: told.append((*step[:2], step[2].id)))
    assert told == [(1, 1, cell.id)]


def test_a_cell_that_raises_is_an_error_row_and_no_dead_table() -> None:
    broken = row(id="broken", places=("NOBODY",)).cells[0]
    good = cell_named(FEW[0])
    table = measure_table([broken, good], phases=1)
    assert table.cells[0].verdict is CellVerdict.ERROR
    assert "NOBODY" in table.cells[0].error
    assert table.cells[1].verdict is CellVerdict.PASSED


def test_a_worker_that_died_leaves_an_error_row() -> None:
    lost: Future[CellResult] = Future()
    lost.set_exception(BrokenProcessPool("gone"))
    found = ftti_run._result_of(lost, cell_named(FEW[0]))
    assert (found.verdict, found.error) == (CellVerdict.ERROR, "the worker process died")


def test_a_node_that_raises_is_no_reaction(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(rig: Rig, *_: object, **__: object) -> None:
        rig.log.find("CDC", "on_timer raised KeyError")

    monkeypatch.setattr(Rig, "run_for", raising)
    (cell,) = measure_table([cell_named(FEW[0])], phases=1).cells
    assert cell.verdict is CellVerdict.ERROR
    assert "CDC: on_timer raised KeyError" in cell.error


def test_an_operating_point_that_cannot_be_reached_is_an_error_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_rig(*_: object, **__: object) -> None:
        raise RuntimeError("no road")

    monkeypatch.setattr(ftti_run, "warm_rig", no_rig)
    (cell,) = measure_table([cell_named(FEW[0])], phases=1).cells
    assert cell.error == "warming up: RuntimeError: no road"


def test_the_third_missed_frame_is_three_cycles_behind_the_last_one(rolling: Rig) -> None:
    rolling.run_for(us(2_345))
    fault_ns = rolling.now_ns
    command = rolling.database.message("CDC_EmbCmd")
    starts = [
        record.sof_ns
        for record in rolling.recorder.frames
        if record.frame.arbitration_id == command.arbitration_id
    ]
    assert third_missed_ns(rolling, "CDC_EmbCmd", fault_ns) == starts[-1] + ms(15) - fault_ns
    rolling.inject(EcuSilent(node="CDC"))
    rolling.run_for(ms(60))
    assert third_missed_ns(rolling, "CDC_EmbCmd", fault_ns) == starts[-1] + ms(15) - fault_ns


def test_the_observation_of_a_cell_covers_what_its_hazard_is_judged_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans: list[int] = []
    measure = Rig.measure_reaction

    def watched(rig: Rig, *arguments: object, **named: object) -> Reaction:
        reaction = measure(rig, *arguments, **named)  # type: ignore[arg-type]
        spans.append(reaction.until_ns - (reaction.fault_ns or 0))
        return reaction

    monkeypatch.setattr(Rig, "measure_reaction", watched)
    (cell,) = measure_table([cell_named("unintended_clamp.FL.cruise")], phases=1).cells
    assert cell.verdict is CellVerdict.PASSED
    assert spans[0] >= s(1)


def test_with_the_primary_lost_the_secondary_commands_and_parked_all_latches_hold() -> None:
    secondary = warm_rig(SECONDARY, seed=1)
    assert secondary.signal("CDC2_EmbCmd", "CDC2_FL_ReqVld") == 1
    assert min(secondary.vehicle.clamp_force_n) > 5_000.0
    parked = warm_rig(PARKED, seed=1)
    assert [parked.pin(node, "park_lock_state") for node in EMB_NODES] == [1.0] * 4


def test_what_is_left_of_the_brakes_is_measured_in_a_stop() -> None:
    (cell,) = measure_table([cell_named("silent_actuator_stop.RL.braking")], phases=1).cells
    assert cell.stop_min_mps2 is not None
    assert cell.least_mfdd_mps2 is not None
    assert cell.stop_min_mps2 == pytest.approx(7.335)
    assert cell.verdict is CellVerdict.PASSED
    assert cell.stop_min_mps2 <= cell.least_mfdd_mps2 < 9.5


def test_a_shorted_wheel_speed_sensor_is_seen_as_detected() -> None:
    (cell,) = measure_table([cell_named("wheel_speed_range.FL.braking")], phases=1).cells
    assert "wheel speed FL" in cell.samples[0].detected


@pytest.mark.parametrize("name", ["phases", "workers"])
def test_no_phase_or_worker_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"measure_table, {name}: expected an integer >= 1"):
        measure_table([], **{name: 0})  # type: ignore[arg-type]


def test_a_worker_measures_what_the_caller_would() -> None:
    warm = pickle.dumps(warm_rig(CRUISE, seed=3))
    cell = Cell(row=cell_named(FEW[1]).row, place="RR", point=CRUISE)
    assert measure_cell(warm, cell, seed=3, phases=1) == measure_cell(warm, cell, seed=3, phases=1)
