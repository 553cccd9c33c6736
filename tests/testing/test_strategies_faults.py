"""Faults, schedules, E2E faults, requests, updates, drives: injectable, reachable, calm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simcore import Database, Restbus, Rig, UsageError, ms, s
from simcore.faults import Fault, TimedFault
from simcore.faults.catalogue import catalogue
from simcore.protection import e2e_receiver
from simcore.rig.injection import check_places
from simcore.testing.strategies import (
    E2E_KINDS,
    UPDATE_KINDS,
    Drive,
    E2eFault,
    UpdateAction,
    drives,
    e2e_faults,
    fault_schedules,
    faults,
    frames,
    uds_requests,
    update_events,
)
from simcore.testing.strategies.schedules import BY_LAYER

DATABASE = Database.reference()
FIND = settings(
    database=None, derandomize=True, max_examples=60, phases=[Phase.generate, Phase.shrink]
)
FIRST = settings(FIND, phases=[Phase.generate])
"""The first that fits, as it is drawn."""


@pytest.fixture(scope="module")
def warm() -> Rig:
    rig = Rig()
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(200))
    return rig


def test_there_is_a_strategy_for_every_fault_of_the_catalogue_in_its_layer() -> None:
    known = {name: layer for layer, table in BY_LAYER.items() for name in table}
    assert known == {entry.name: entry.layer for entry in catalogue()}


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_every_fault_of_the_catalogue_is_reached_and_begins(entry: Any, warm: Rig) -> None:
    drawn = faults(DATABASE, kinds=[entry.name], on=warm)
    found = find(drawn, lambda fault: True, settings=FIRST)
    assert (type(found).__name__, found.layer) == (entry.name, entry.layer)
    check_places(warm, found)


@settings(max_examples=8)
@given(fault=faults(DATABASE))
def test_every_fault_has_its_place_on_the_chassis(fault: Fault, warm: Rig) -> None:
    check_places(warm, fault)
    assert fault.sentence


@settings(max_examples=3)
@given(
    schedule=fault_schedules(
        DATABASE, min_size=1, min_start_ns=ms(200), max_start_ns=ms(230), max_duration_ns=ms(20)
    )
)
def test_a_schedule_is_injected_and_every_fault_of_it_begins(
    schedule: list[TimedFault], warm: Rig
) -> None:
    rig = warm.fork()
    injected = [rig.inject(each) for each in schedule]
    rig.run_for(ms(40))
    assert [each.failure for each in injected] == [""] * len(schedule)
    assert all(each.start_ns is not None for each in injected)
    assert not [each for each in rig.log.findings if "not begun" in each.text]


def test_schedules_shrink_to_nothing_and_to_early() -> None:
    strategy = fault_schedules(DATABASE, layers=["plant"], max_size=2)
    assert find(strategy, lambda schedule: True, settings=FIND) == []
    (one,) = find(strategy, lambda schedule: len(schedule) > 0, settings=FIND)
    assert (one.start_ns, one.duration_ns) == (0, ms(1))
    late = find(strategy, lambda each: any(f.start_ns >= ms(700) for f in each), settings=FIND)
    assert [each.start_ns for each in late] == [ms(700)]


@settings(max_examples=8)
@given(
    schedule=fault_schedules(
        DATABASE, layers=["message", "pin"], nodes=["BPS", "IMU"], max_duration_ns=None
    )
)
def test_layers_and_nodes_narrow_what_is_drawn(schedule: list[TimedFault]) -> None:
    starts = [each.start_ns for each in schedule]
    assert starts == sorted(starts)
    for each in schedule:
        fault: Any = each.fault
        assert fault.layer in ("message", "pin")
        if fault.layer == "pin":
            assert fault.node in ("BPS", "IMU")
        else:
            assert DATABASE.message(fault.message).senders[0] in ("BPS", "IMU")


def test_a_bench_without_vehicle_has_no_faults_of_one() -> None:
    bench = Restbus(DATABASE, play=["BPS", "IMU"])
    strategy = faults(DATABASE, layers=["message"], on=bench)
    found: Any = find(strategy, lambda fault: True, settings=FIRST)
    check_places(bench, found)
    with pytest.raises(UsageError, match=r"^faults: expected a fault that the bench has a place"):
        faults(DATABASE, layers=["plant", "power", "pin", "actuator"], on=bench)


# ---- E2E ----

PEDAL = DATABASE.message("BPS_Pedal")


def stream(length: int) -> list[Any]:
    strategies = [frames(DATABASE, message=PEDAL, signals=[], counter=n) for n in range(length)]
    return [find(each, lambda frame: True, settings=FIRST) for each in strategies]


SOUND = stream(8)


def statuses(arrived: list[Any]) -> list[str]:
    assert PEDAL.e2e is not None
    check = e2e_receiver(PEDAL.e2e, PEDAL.length)
    return [
        check.check(each.data).name if len(each.data) == PEDAL.length else "LENGTH"
        for each in arrived
    ]


@settings(max_examples=8)
@given(fault=e2e_faults(max_at=7))
def test_a_receiver_notices_every_e2e_fault(fault: E2eFault) -> None:
    before, after = statuses(SOUND), statuses(fault.apply(PEDAL, SOUND))
    assert before == ["OK"] * 8
    is_unseen = (
        # Nothing follows that could show the gap, or the first counter is as good as any.
        (fault.kind == "lost" and (fault.at == 0 or fault.at + fault.amount >= 8))
        or (fault.kind == "reordered" and fault.at == 7)
    )
    assert (after != before) != (is_unseen and set(after) == {"OK"} and after == before)
    if fault.kind in ("bit", "data_id", "length"):
        assert after[fault.at] in ("ERROR", "LENGTH")
    if fault.kind == "repeated":
        assert after[fault.at + 1 : fault.at + 1 + fault.amount] == ["REPEATED"] * fault.amount
    if fault.kind == "lost" and fault.at > 0 and fault.at + fault.amount < 8:
        wanted = "OK_SOME_LOST" if fault.amount <= 2 else "WRONG_SEQUENCE"
        assert after[fault.at] == wanted


@pytest.mark.parametrize("kind", E2E_KINDS)
def test_every_e2e_fault_is_one_of_the_catalogue_too(kind: str, warm: Rig) -> None:
    fault = find(e2e_faults(kinds=[kind]), lambda each: True, settings=FIND)
    assert fault == E2eFault(kind=kind, at=0, amount=1)
    check_places(warm, fault.as_fault(PEDAL))


# ---- requests, updates, drives ----


@settings(max_examples=8)
@given(request=uds_requests(kinds=["well_formed"], services=[0x22, 0x3E]))
def test_a_well_formed_request_has_its_service_and_whole_identifiers(request: bytes) -> None:
    assert (request[0] == 0x3E and len(request) == 2) or (
        request[0] == 0x22 and len(request) in (3, 5, 7)
    )


@settings(max_examples=8)
@given(request=uds_requests(max_length=7))
def test_requests_are_as_long_as_they_may(request: bytes) -> None:
    assert 1 <= len(request) <= 7


def test_almost_well_formed_requests_are_reached() -> None:
    strategy = uds_requests(kinds=["almost"], services=[0x22])
    assert find(strategy, lambda each: each[0] == 0x22 and len(each) == 2, settings=FIND)
    assert find(uds_requests(), lambda each: True, settings=FIND) == b"\x3e\x00"


@pytest.mark.parametrize("kind", UPDATE_KINDS)
def test_every_update_event_is_reached_and_shrinks_to_the_first_node(kind: str) -> None:
    found = find(update_events(), lambda each: each.kind == kind, settings=FIND)
    assert found == UpdateAction(kind=kind, node="EMB_FL", operation=1)


@settings(max_examples=3)
@given(drive=drives(max_size=2, max_duration_ns=ms(60)))
def test_a_drive_takes_the_time_it_says(drive: Drive, warm: Rig) -> None:
    rig = warm.fork()
    before_ns = rig.now_ns
    drive.apply(rig)
    assert rig.now_ns - before_ns == drive.duration_ns
    assert all(0.1 <= each.friction_ratio <= 1.05 for each in drive.stretches)


def test_drives_shrink_to_a_moment_at_rest_on_the_best_road() -> None:
    calm = find(drives(max_size=2), lambda drive: True, settings=FIND)
    (stretch,) = calm.stretches
    assert (calm.speed_kmh, stretch.duration_ns, stretch.pedal_pct) == (0.0, ms(1), 0.0)
    assert (stretch.friction_ratio, stretch.right_ratio) == (1.05, None)
    pedal = drives(max_size=1)
    hard = find(pedal, lambda d: any(e.pedal_pct >= 50.0 for e in d.stretches), settings=FIND)
    assert [each.pedal_pct for each in hard.stretches] == [50.0]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            lambda: faults(DATABASE, kinds=["EcuSilence"]),
            r"unknown 'EcuSilence': did you mean",
        ),
        (lambda: faults(DATABASE, layers=["wires"]), r"^faults, layers: unknown 'wires': did you"),
        (lambda: faults(DATABASE, nodes=["EMB"]), r"^faults, nodes: unknown 'EMB'"),
        (
            lambda: faults(DATABASE, kinds=[]),
            r"^faults, kinds: expected at least one of ",
        ),
        (lambda: faults(DATABASE, on=3), r"^bench: expected a Rig or another bench, got 3$"),
        (
            lambda: fault_schedules(DATABASE, min_size=3, max_size=2),
            r"^fault_schedules, max_size: expected >= min_size, 3, got 2$",
        ),
        (
            lambda: fault_schedules(DATABASE, max_start_ns=s(1) / 2),
            r"^fault_schedules, max_start_ns: expected a whole number >= 0, got 500000000.0$",
        ),
        (lambda: e2e_faults(kinds=["crc"]), r"^e2e_faults, kinds: unknown 'crc'$"),
        (lambda: E2eFault(kind="crc"), r"^E2eFault.kind: expected one of repeated, lost"),
        (
            lambda: E2eFault(kind="counter").as_fault(DATABASE.message("NM_CDC")),
            r"expected a message with an E2E profile, got one without$",
        ),
        (lambda: uds_requests(max_length=0), r"^uds_requests, max_length: expected a whole number"),
        (lambda: uds_requests(services=[0x99]), r"^uds_requests, services: unknown '0x99'"),
        (lambda: update_events(nodes=()), r"^update_events, nodes: expected at least one node"),
        (lambda: UpdateAction(kind="fly", node="CDC"), r"^UpdateAction.kind: expected one of load"),
        (
            lambda: drives(max_pedal_pct=101),
            r"^drives, max_pedal_pct: expected a number, 0..100, got 101$",
        ),
        (lambda: drives(split=1), r"^drives, split: expected True or False, got 1$"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Any, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        make()


def test_a_drive_wants_a_vehicle() -> None:
    drive = find(drives(), lambda each: True, settings=FIRST)
    with pytest.raises(UsageError, match=r"^Drive.apply: expected a Rig, which has a vehicle, got"):
        drive.apply(Restbus(DATABASE, play=["BPS"]))  # type: ignore[arg-type]


def test_data_without_meaning_is_kept_out_of_strategies() -> None:
    with pytest.raises(UsageError, match=r"^faults, database: expected a Database"):
        faults("chassis_fd.dbc")  # type: ignore[arg-type]
    assert st.one_of(faults(DATABASE)) is not None
