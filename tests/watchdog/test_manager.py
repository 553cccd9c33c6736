"""The Watchdog Manager: the executed trace, deadlines, order, statuses, copies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from simcore.errors import UsageError
from simcore.units import ms, us
from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    GlobalStatus,
    LocalStatus,
    LogicalSupervision,
    StatusChange,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
    WatchdogManager,
)

CYCLE_NS = ms(5)
ORDER = LogicalSupervision(("start",), ("end",), (("start", "work"), ("work", "end")))
CONTROL = SupervisedEntity("control", ("start", "work", "end"))
ORDERED = SupervisedEntity("control", ("start", "work", "end"), ORDER)
COMM = SupervisedEntity("comm", ("start", "end"))
ALIVE = AliveSupervision("start", 1)
DEADLINE = DeadlineSupervision("start", "end", us(100), ms(2))


def started(
    *modes: EntityMode,
    entities: tuple[SupervisedEntity, ...] = (CONTROL, COMM),
    external: tuple[ExternalGraph, ...] = (),
    expired_tolerance: int = 0,
) -> WatchdogManager:
    """A manager of one mode, started at 0, its first supervision cycle begun."""
    mode = SupervisionMode("run", modes, external, expired_tolerance)
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, entities, (mode,)))
    manager.start(0)
    assert manager.main_function(0) == ()
    return manager


def reach(manager: WatchdogManager, name: str, now_ns: int) -> None:
    manager.reached(manager.checkpoint(name), now_ns)


def reasons(changes: tuple[StatusChange, ...]) -> list[str]:
    """Of the local changes."""
    return [change.reason for change in changes if change.entity]


def control(manager: WatchdogManager) -> str:
    return manager.local_status("control").name


# ---- alive ----


def test_statuses_follow_the_executed_trace() -> None:
    """Tolerance 2, expired tolerance 3."""
    manager = started(
        EntityMode("control", (ALIVE,), failed_alive_tolerance=2), expired_tolerance=3
    )
    local, overall, may_trigger = [], [], []
    for cycle, alive in enumerate((1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1), start=1):
        if alive:
            reach(manager, "control.start", cycle * CYCLE_NS - 1)
        manager.main_function(cycle * CYCLE_NS)
        local.append(control(manager))
        overall.append(manager.global_status.name)
        may_trigger.append(manager.may_trigger)
    failed_then_expired = "OK FAILED OK FAILED FAILED FAILED OK FAILED FAILED EXPIRED"
    assert local == failed_then_expired.split() + ["EXPIRED"] * 4
    assert overall == failed_then_expired.split() + ["EXPIRED"] * 2 + ["STOPPED"] * 2
    assert may_trigger == [True] * 12 + [False] * 2
    assert manager.first_expired == "control"


def test_alive_is_judged_at_the_reference_cycle_only() -> None:
    manager = started(
        EntityMode("control", (AliveSupervision("start", 1, 3),), failed_alive_tolerance=1)
    )
    statuses = []
    for cycle in range(1, 7):
        manager.main_function(cycle * CYCLE_NS)
        statuses.append(control(manager))
    assert statuses == ["OK", "OK", "FAILED", "FAILED", "FAILED", "EXPIRED"]


def test_without_tolerance_a_missing_indication_expires_at_once() -> None:
    manager = started(EntityMode("control", (AliveSupervision("start", 1, 2),)))
    manager.main_function(CYCLE_NS)
    changes = manager.main_function(2 * CYCLE_NS)
    assert changes == (
        StatusChange(
            time_ns=2 * CYCLE_NS,
            entity="control",
            before=LocalStatus.OK,
            after=LocalStatus.EXPIRED,
            reason="alive 0 of 1 in 2 cycles at start",
        ),
        StatusChange(
            time_ns=2 * CYCLE_NS,
            entity="",
            before=GlobalStatus.OK,
            after=GlobalStatus.STOPPED,
            reason="control EXPIRED in 1 cycle, tolerated 0",
        ),
    )


def test_too_many_indications_are_incorrect_too() -> None:
    manager = started(EntityMode("control", (ALIVE,)))
    for _ in range(2):
        reach(manager, "control.start", 1)
    assert reasons(manager.main_function(CYCLE_NS)) == ["alive 2 of 1 in 1 cycle at start"]


def test_the_fraction_of_a_cycle_after_the_start_is_not_judged() -> None:
    mode = SupervisionMode("run", (EntityMode("control", (AliveSupervision("start", 5),)),))
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, (CONTROL,), (mode,)))
    manager.start(0)
    reach(manager, "control.start", 0)
    assert manager.main_function(0) == ()
    for count in range(1, 6):
        reach(manager, "control.start", count * ms(1))
    assert manager.main_function(CYCLE_NS) == ()
    assert manager.main_function(2 * CYCLE_NS) != ()


def test_a_failed_entity_recovers_as_slowly_as_it_failed() -> None:
    manager = started(EntityMode("control", (ALIVE,), failed_alive_tolerance=3))
    statuses = []
    for cycle, alive in enumerate((0, 0, 0, 1, 1, 1, 1), start=1):
        if alive:
            reach(manager, "control.start", cycle * CYCLE_NS - 1)
        manager.main_function(cycle * CYCLE_NS)
        statuses.append(control(manager))
    assert statuses == ["FAILED"] * 5 + ["OK"] * 2


def test_a_fast_healthy_checkpoint_does_not_heal_a_slow_dead_one() -> None:
    manager = started(
        EntityMode(
            "control",
            (ALIVE, AliveSupervision("end", 1, 3)),
            failed_alive_tolerance=1,
        )
    )
    statuses = []
    for cycle in range(1, 7):
        reach(manager, "control.start", cycle * CYCLE_NS - 1)
        manager.main_function(cycle * CYCLE_NS)
        statuses.append(control(manager))
    assert statuses == ["OK", "OK", "FAILED", "FAILED", "FAILED", "EXPIRED"]


def test_all_that_was_wrong_in_a_cycle_is_told() -> None:
    manager = started(EntityMode("control", (ALIVE, AliveSupervision("end", 2))))
    assert reasons(manager.main_function(CYCLE_NS)) == [
        "alive 0 of 1 in 1 cycle at start; alive 0 of 2 in 1 cycle at end"
    ]


def test_a_recovered_entity_says_so() -> None:
    manager = started(EntityMode("control", (ALIVE,), failed_alive_tolerance=1))
    manager.main_function(CYCLE_NS)
    reach(manager, "control.start", CYCLE_NS + 1)
    changes = manager.main_function(2 * CYCLE_NS)
    assert [change.reason for change in changes] == ["alive as expected", "no entity FAILED"]


# ---- deadline ----


@pytest.mark.parametrize(
    ("took_ns", "status"),
    [
        (us(100) - 1, "EXPIRED"),
        (us(100), "OK"),
        (ms(2), "OK"),
        (ms(2) + 1, "EXPIRED"),
    ],
)
def test_both_bounds_of_a_deadline_are_allowed(took_ns: int, status: str) -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.start", ms(1))
    reach(manager, "control.end", ms(1) + took_ns)
    manager.main_function(CYCLE_NS)
    assert control(manager) == status


def test_a_late_stop_is_told_with_its_bounds() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.start", 0)
    reach(manager, "control.end", ms(6.2))
    assert reasons(manager.main_function(ms(7))) == [
        "deadline control.start..control.end 6.2 ms, allowed 0.1..2.0 ms"
    ]


def test_a_stop_without_a_start_is_ignored() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.end", 0)
    assert manager.main_function(CYCLE_NS) == ()


def test_a_second_stop_is_ignored() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.start", 0)
    reach(manager, "control.end", ms(1))
    reach(manager, "control.end", ms(4))
    assert manager.main_function(CYCLE_NS) == ()


def test_the_main_function_finds_a_stop_that_never_comes() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.start", ms(3))
    assert manager.main_function(CYCLE_NS) == ()  # 2 ms: still allowed
    assert reasons(manager.main_function(2 * CYCLE_NS)) == [
        "deadline control.start..control.end not over after 7.0 ms, allowed 0.1..2.0 ms"
    ]


def test_a_start_that_comes_again_begins_the_measurement_anew() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.start", 0)
    reach(manager, "control.start", ms(1.5))
    reach(manager, "control.end", ms(3))
    assert manager.main_function(CYCLE_NS) == ()


def test_a_missing_stop_is_found_although_the_start_comes_again_in_time_for_the_cycle() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)))
    reach(manager, "control.start", 0)
    reach(manager, "control.start", CYCLE_NS)
    assert reasons(manager.main_function(CYCLE_NS)) == [
        "deadline control.start..control.end not over after 5.0 ms, allowed 0.1..2.0 ms"
    ]


@pytest.mark.parametrize(
    ("work_ns", "end_ns", "found"),
    [
        (ms(0.8), ms(1.4), []),
        (ms(0.8), ms(1.6), ["deadline control.start..control.end 1.6 ms, allowed 0.0..1.5 ms"]),
        (ms(0.2), ms(1.3), ["deadline control.work..control.end 1.1 ms, allowed 0.0..1.0 ms"]),
        (ms(1.1), ms(1.4), ["deadline control.start..control.work 1.1 ms, allowed 0.0..1.0 ms"]),
    ],
)
def test_a_checkpoint_ends_one_deadline_and_begins_another(
    work_ns: int, end_ns: int, found: list[str]
) -> None:
    deadlines = (
        DeadlineSupervision("start", "work", 0, ms(1)),
        DeadlineSupervision("work", "end", 0, ms(1)),
        DeadlineSupervision("start", "end", 0, ms(1.5)),
    )
    manager = started(EntityMode("control", (), deadlines))
    reach(manager, "control.start", 0)
    reach(manager, "control.work", work_ns)
    reach(manager, "control.end", end_ns)
    assert reasons(manager.main_function(CYCLE_NS)) == found


# ---- logical ----


def test_the_right_order_repeats_for_ever() -> None:
    manager = started(EntityMode("control"), entities=(ORDERED,))
    for cycle in range(3):
        for point in ("start", "work", "end"):
            reach(manager, f"control.{point}", cycle * CYCLE_NS)
        assert manager.main_function(cycle * CYCLE_NS) == ()


def test_a_missed_checkpoint_expires_the_entity_whatever_the_tolerance() -> None:
    manager = started(EntityMode("control", failed_alive_tolerance=9), entities=(ORDERED,))
    reach(manager, "control.start", 0)
    reach(manager, "control.end", 1)
    assert reasons(manager.main_function(CYCLE_NS)) == ["order: control.end after control.start"]
    assert control(manager) == "EXPIRED"


def test_a_graph_begins_with_an_initial_checkpoint() -> None:
    manager = started(EntityMode("control"), entities=(ORDERED,))
    reach(manager, "control.work", 0)
    assert reasons(manager.main_function(CYCLE_NS)) == ["order: control.work before control.start"]


def test_checkpoints_outside_the_graph_may_come_at_any_time() -> None:
    graph = LogicalSupervision(("start",), ("end",), (("start", "end"),))
    manager = started(
        EntityMode("control"), entities=(SupervisedEntity("control", CONTROL.checkpoints, graph),)
    )
    for point in ("work", "start", "work", "work", "end", "work"):
        reach(manager, f"control.{point}", 0)
    assert manager.main_function(CYCLE_NS) == ()


CHAIN = ExternalGraph(
    ("control.start",),
    ("comm.end",),
    (("control.start", "control.end"), ("control.end", "comm.start"), ("comm.start", "comm.end")),
)


def test_an_order_across_entities_is_kept() -> None:
    manager = started(EntityMode("control"), EntityMode("comm"), external=(CHAIN,))
    for cycle in range(3):
        for name in ("control.start", "control.end", "comm.start", "comm.end"):
            reach(manager, name, cycle * CYCLE_NS)
        assert manager.main_function(cycle * CYCLE_NS) == ()


def test_who_comes_out_of_an_order_across_entities_is_to_blame_and_nobody_later() -> None:
    manager = started(
        EntityMode("control"), EntityMode("comm"), external=(CHAIN,), expired_tolerance=5
    )
    reach(manager, "control.start", 0)
    reach(manager, "comm.start", 1)
    reach(manager, "control.end", 2)
    assert reasons(manager.main_function(CYCLE_NS)) == ["order: comm.start after control.start"]
    assert manager.local_status("comm") is LocalStatus.EXPIRED
    reach(manager, "control.end", CYCLE_NS)
    assert manager.main_function(2 * CYCLE_NS) == ()
    assert control(manager) == "OK"


def test_a_checkpoint_in_three_graphs_is_judged_in_each() -> None:
    ends = ExternalGraph(("control.end",), ("comm.end",), (("control.end", "comm.end"),))
    for names, text in (
        (("control.start", "control.work", "control.end", "control.start"), None),
        (("control.start", "control.end"), "order: control.end after control.start"),
        (("comm.end",), "order: comm.end before control.start"),
    ):
        chain = ExternalGraph(
            ("control.start",),
            ("comm.end", "control.end"),
            (("control.start", "control.end"), ("control.start", "comm.end")),
        )
        manager = started(
            EntityMode("control"),
            EntityMode("comm"),
            entities=(ORDERED, COMM),
            external=(chain, ends),
        )
        for name in names:
            reach(manager, name, 0)
        told = reasons(manager.main_function(CYCLE_NS))
        assert told == ([] if text is None else [text])


def test_the_last_of_three_graphs_of_a_checkpoint_counts() -> None:
    first = ExternalGraph(("comm.end",), ("comm.end",), ())
    second = ExternalGraph(("control.end",), ("comm.end",), (("control.end", "comm.end"),))
    comm = SupervisedEntity("comm", COMM.checkpoints, LogicalSupervision(("end",), ("end",), ()))
    manager = started(
        EntityMode("control"),
        EntityMode("comm"),
        entities=(CONTROL, comm),
        external=(first, second),
    )
    reach(manager, "comm.end", 0)
    assert reasons(manager.main_function(CYCLE_NS)) == ["order: comm.end before control.end"]


def test_the_first_finding_of_a_cycle_is_the_one_told() -> None:
    manager = started(EntityMode("control", (), (DEADLINE,)), entities=(ORDERED,))
    reach(manager, "control.start", 0)
    reach(manager, "control.end", ms(4))
    assert reasons(manager.main_function(CYCLE_NS)) == ["order: control.end after control.start"]


# ---- global ----


def test_tolerated_expired_cycles_pass_before_the_service_stops() -> None:
    manager = started(EntityMode("control", (ALIVE,)), expired_tolerance=2)
    statuses = []
    for cycle in range(1, 5):
        manager.main_function(cycle * CYCLE_NS)
        statuses.append(manager.global_status.name)
    assert statuses == ["EXPIRED", "EXPIRED", "STOPPED", "STOPPED"]


def test_one_failed_entity_makes_the_ecu_failed_and_both_are_named() -> None:
    manager = started(
        EntityMode("control", (ALIVE,), failed_alive_tolerance=1),
        EntityMode("comm", (ALIVE,), failed_alive_tolerance=1),
    )
    changes = manager.main_function(CYCLE_NS)
    assert [(change.entity, change.after.name) for change in changes] == [
        ("control", "FAILED"),
        ("comm", "FAILED"),
        ("", "FAILED"),
    ]
    assert changes[-1].reason == "control, comm FAILED"


def test_an_entity_out_of_the_mode_is_not_supervised() -> None:
    manager = started(EntityMode("comm"), entities=(ORDERED, COMM))
    reach(manager, "control.end", 0)
    assert manager.main_function(CYCLE_NS) == ()
    assert manager.local_status("control") is LocalStatus.DEACTIVATED


def test_before_the_start_nothing_is_supervised_and_nothing_served() -> None:
    mode = SupervisionMode("run", (EntityMode("control", (ALIVE,)),))
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, (ORDERED,), (mode,)))
    reach(manager, "control.end", 0)
    assert manager.main_function(0) == ()
    assert manager.main_function(CYCLE_NS) == ()
    assert manager.global_status is GlobalStatus.DEACTIVATED
    assert manager.local_status("control") is LocalStatus.DEACTIVATED
    assert manager.mode == ""
    assert not manager.may_trigger


def test_a_start_tells_what_it_activates() -> None:
    mode = SupervisionMode("run", (EntityMode("control"),))
    manager = WatchdogManager(SupervisionSettings(CYCLE_NS, (CONTROL, COMM), (mode,)))
    assert [(each.entity, each.after.name, each.reason) for each in manager.start(ms(1))] == [
        ("control", "OK", "mode run"),
        ("", "OK", "started"),
    ]
    assert manager.mode == "run"


def test_a_new_start_forgets_everything_that_ran() -> None:
    manager = started(EntityMode("control", (ALIVE,), (DEADLINE,)), entities=(ORDERED,))
    reach(manager, "control.start", 0)
    manager.main_function(CYCLE_NS)
    manager.main_function(2 * CYCLE_NS)
    assert manager.global_status.name == "STOPPED"
    manager.start(3 * CYCLE_NS)
    manager.main_function(3 * CYCLE_NS)
    for point in ("start", "work", "end"):
        reach(manager, f"control.{point}", 4 * CYCLE_NS + us(100 if point == "end" else 0))
    assert manager.main_function(4 * CYCLE_NS) == ()
    assert manager.global_status.name == "OK"


# ---- names ----


def test_an_unknown_checkpoint_is_refused() -> None:
    manager = started(EntityMode("comm"), entities=(COMM,))
    with pytest.raises(
        UsageError, match=r"^checkpoint: expected one of comm.start, comm.end, got 'comm.stop'$"
    ):
        manager.checkpoint("comm.stop")


def test_an_unknown_entity_is_refused() -> None:
    manager = started(EntityMode("comm"))
    with pytest.raises(
        UsageError, match=r"^supervised entity: expected one of control, comm, got 'brake'$"
    ):
        manager.local_status("brake")


# ---- copies ----


def pickled(manager: WatchdogManager) -> WatchdogManager:
    return pickle.loads(pickle.dumps(manager))  # type: ignore[no-any-return]


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_copy_in_the_middle_goes_on_alike_and_alone(
    copied: Callable[[WatchdogManager], WatchdogManager],
) -> None:
    manager = started(
        EntityMode("control", (ALIVE,), (DEADLINE,), failed_alive_tolerance=1),
        EntityMode("comm"),
        entities=(ORDERED, COMM),
        external=(CHAIN,),
    )
    manager.main_function(CYCLE_NS)
    reach(manager, "control.start", CYCLE_NS)
    twin = copied(manager)
    for each in (manager, twin):
        reach(each, "control.work", CYCLE_NS + ms(1))
        reach(each, "control.end", CYCLE_NS + ms(3))
    assert reasons(manager.main_function(2 * CYCLE_NS)) == [
        "deadline control.start..control.end 3.0 ms, allowed 0.1..2.0 ms"
    ]
    assert twin.global_status is GlobalStatus.FAILED
    assert reasons(twin.main_function(2 * CYCLE_NS)) == [
        "deadline control.start..control.end 3.0 ms, allowed 0.1..2.0 ms"
    ]


def test_a_deep_copy_shares_the_settings() -> None:
    manager = started(EntityMode("control", (ALIVE,)))
    assert copy.deepcopy(manager).settings is manager.settings
