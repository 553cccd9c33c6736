"""Schedule tables: when tasks run, in which order, and what they refuse."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.runtime.schedule import SchedulePlan, ScheduleTable, Task
from simcore.errors import UsageError


class Notes:
    """Remembers which task ran when."""

    def __init__(self) -> None:
        self.ran: list[tuple[int, str]] = []

    def task(self, name: str, period_ns: int, offset_ns: int = 0) -> Task:
        return Task(
            name=name, period_ns=period_ns, offset_ns=offset_ns, action=Noted(self.ran, name)
        )


class Noted:
    def __init__(self, ran: list[tuple[int, str]], name: str) -> None:
        self.ran, self.name = ran, name

    def __call__(self, now_ns: int) -> None:
        self.ran.append((now_ns, self.name))


def run(table: ScheduleTable, end_ns: int) -> None:
    while table.deadline_ns is not None and table.deadline_ns <= end_ns:
        table.run_due(table.deadline_ns)


def test_tasks_run_at_start_plus_offset_plus_periods() -> None:
    notes = Notes()
    run(ScheduleTable([notes.task("a", 10, 3)], start_ns=100), 135)
    assert notes.ran == [(103, "a"), (113, "a"), (123, "a"), (133, "a")]


def test_tasks_of_one_instant_run_in_the_order_declared() -> None:
    notes = Notes()
    table = ScheduleTable([notes.task("late", 6), notes.task("a", 2), notes.task("b", 3)], 0)
    run(table, 6)
    assert notes.ran == [
        (0, "late"),
        (0, "a"),
        (0, "b"),
        (2, "a"),
        (3, "b"),
        (4, "a"),
        (6, "late"),
        (6, "a"),
        (6, "b"),
    ]


def test_the_plan_repeats_after_the_least_common_multiple() -> None:
    assert SchedulePlan(((4, 0), (6, 1), (10, 0))).hyperperiod_ns == 60


def test_an_offset_beyond_the_period_delays_the_first_run_and_keeps_the_phase() -> None:
    notes = Notes()
    run(ScheduleTable([notes.task("a", 10, 25), notes.task("b", 10, 0)], start_ns=7), 60)
    assert [time_ns for time_ns, name in notes.ran if name == "a"] == [32, 42, 52]
    assert [time_ns for time_ns, name in notes.ran if name == "b"] == [7, 17, 27, 37, 47, 57]


def test_an_offset_of_exactly_one_period_skips_the_first_run() -> None:
    notes = Notes()
    run(ScheduleTable([notes.task("a", 10, 10)], start_ns=0), 30)
    assert notes.ran == [(10, "a"), (20, "a"), (30, "a")]


def test_a_table_without_tasks_never_has_a_deadline() -> None:
    table = ScheduleTable([], 0)
    assert table.deadline_ns is None
    table.run_due(1_000)
    assert table.deadline_ns is None


def test_nothing_runs_before_its_deadline() -> None:
    notes = Notes()
    table = ScheduleTable([notes.task("a", 10, 5)], 0)
    table.run_due(4)
    assert notes.ran == []
    assert table.deadline_ns == 5


def test_a_late_call_catches_up_on_every_missed_run() -> None:
    notes = Notes()
    table = ScheduleTable([notes.task("a", 10)], 0)
    table.run_due(25)
    assert [name for _, name in notes.ran] == ["a", "a", "a"]
    assert table.deadline_ns == 30


def test_a_task_that_raises_is_not_run_again_for_the_same_instant() -> None:
    notes = Notes()

    def raises(now_ns: int) -> None:
        notes.ran.append((now_ns, "raises"))
        raise RuntimeError("broken")

    table = ScheduleTable([Task(name="r", period_ns=10, offset_ns=0, action=raises)], 0)
    with pytest.raises(RuntimeError, match="broken"):
        table.run_due(0)
    table.run_due(0)
    assert notes.ran == [(0, "raises")]
    assert table.deadline_ns == 10


@given(
    timing=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 30)), min_size=1, max_size=5),
    start_ns=st.integers(0, 1000),
)
def test_any_table_runs_exactly_what_the_formula_says(
    timing: list[tuple[int, int]], start_ns: int
) -> None:
    notes = Notes()
    tasks = [notes.task(str(i), period, offset) for i, (period, offset) in enumerate(timing)]
    end_ns = start_ns + 100
    run(ScheduleTable(tasks, start_ns), end_ns)
    expected = sorted(
        (time_ns, index)
        for index, (period, offset) in enumerate(timing)
        for time_ns in range(start_ns + offset, end_ns + 1, period)
    )
    assert notes.ran == [(time_ns, str(index)) for time_ns, index in expected]


@given(pause_at=st.integers(0, 80))
def test_copies_and_pickles_of_a_table_continue_alike(pause_at: int) -> None:
    notes = Notes()
    table = ScheduleTable([notes.task("a", 7, 2), notes.task("b", 5, 11)], 0)
    run(table, pause_at)
    twins = [copy.deepcopy(table), pickle.loads(pickle.dumps(table))]
    run(table, 120)
    for twin in twins:
        run(twin, 120)
        assert twin._actions[0].ran == notes.ran
        assert twin.deadline_ns == table.deadline_ns


def test_copies_share_the_steps_of_a_plan() -> None:
    steps = SchedulePlan(((4, 0), (6, 1))).steps
    assert copy.deepcopy(steps) is steps


@pytest.mark.parametrize("period_ns", [0, -5])
def test_a_period_must_be_positive(period_ns: int) -> None:
    with pytest.raises(UsageError, match=rf"^task t: period: expected > 0 ns, got {period_ns}$"):
        Task(name="t", period_ns=period_ns, offset_ns=0, action=print)


def test_an_offset_must_not_be_negative() -> None:
    with pytest.raises(UsageError, match=r"^task t: offset: expected >= 0 ns, got -1$"):
        Task(name="t", period_ns=1, offset_ns=-1, action=print)
