"""A schedule that can be disturbed: as its table while nothing is wrong, and by priority."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.runtime.schedule import ScheduleTable, Task
from simcore.ecu.runtime.schedule_disturbed import (
    DisturbedSchedule,
    Double,
    Hang,
    Skip,
    Slowdown,
    TaskDisturbance,
)
from simcore.errors import UsageError

END_NS = 120
timings = st.lists(
    st.tuples(st.sampled_from([2, 3, 4, 6, 12]), st.integers(0, 15)), min_size=1, max_size=5
)


class Noted:
    """Remembers when it ran."""

    def __init__(self, index: int, ran: list[tuple[int, int]]) -> None:
        self.index, self.ran = index, ran

    def __call__(self, now_ns: int) -> None:
        self.ran.append((now_ns, self.index))


def schedule_of(timing: list[tuple[int, int]]) -> tuple[list[Task], list[tuple[int, int]]]:
    ran: list[tuple[int, int]] = []
    tasks = [
        Task(name=f"t{i}", period_ns=period_ns, offset_ns=offset_ns, action=Noted(i, ran))
        for i, (period_ns, offset_ns) in enumerate(timing)
    ]
    return tasks, ran


def healthy(timing: list[tuple[int, int]]) -> list[tuple[int, int]]:
    tasks, ran = schedule_of(timing)
    table = ScheduleTable(tasks, 0)
    while table.deadline_ns is not None and table.deadline_ns <= END_NS:
        table.run_due(table.deadline_ns)
    return ran


def disturbed(
    timing: list[tuple[int, int]], *disturbances: TaskDisturbance
) -> list[tuple[int, int]]:
    tasks, ran = schedule_of(timing)
    schedule = DisturbedSchedule(ScheduleTable(tasks, 0), tasks)
    for disturbance in disturbances:
        schedule.add(disturbance)
    while (due_ns := schedule.deadline_ns) is not None and due_ns <= END_NS:
        following_ns = schedule.run_due(due_ns)
        assert following_ns is not None and following_ns > due_ns
    return ran


@given(timings)
def test_without_a_disturbance_it_does_what_its_table_does(timing: list[tuple[int, int]]) -> None:
    assert disturbed(timing) == healthy(timing)


@given(timings, st.data())
def test_what_has_a_higher_priority_than_a_hung_task_does_not_notice(
    timing: list[tuple[int, int]], data: st.DataObject
) -> None:
    hung = data.draw(st.integers(0, len(timing) - 1))
    ranks = [(period_ns, index) for index, (period_ns, _) in enumerate(timing)]
    ran = disturbed(timing, Hang(hung))
    expected = healthy(timing)
    first_ns = min((when_ns for when_ns, task in expected if task == hung), default=END_NS + 1)
    for task in range(len(timing)):
        mine = [each for each in ran if each[1] == task]
        before = [each for each in expected if each[1] == task]
        if ranks[task] < ranks[hung]:
            assert mine == before
        else:
            assert mine == [each for each in before if each[0] < first_ns]


@given(timings, st.data(), st.integers(1, 30))
def test_a_slow_task_delays_nothing_of_higher_priority_and_loses_what_it_cannot_do(
    timing: list[tuple[int, int]], data: st.DataObject, extra_ns: int
) -> None:
    slow = data.draw(st.integers(0, len(timing) - 1))
    ranks = [(period_ns, index) for index, (period_ns, _) in enumerate(timing)]
    ran = disturbed(timing, Slowdown(slow, extra_ns))
    expected = healthy(timing)
    for task in range(len(timing)):
        mine = [when_ns for when_ns, each in ran if each == task]
        before = [when_ns for when_ns, each in expected if each == task]
        if ranks[task] < ranks[slow]:
            assert mine == before
        assert len(mine) <= len(before)
    own = [when_ns for when_ns, each in ran if each == slow]
    assert all(later - sooner >= extra_ns for sooner, later in pairwise(own))


@given(timings, st.data(), st.integers(1, 4))
def test_left_out_and_doubled_activations_are_counted_exactly(
    timing: list[tuple[int, int]], data: st.DataObject, every: int
) -> None:
    task = data.draw(st.integers(0, len(timing) - 1))
    count = sum(each == task for _, each in healthy(timing))
    skip, double = Skip(task, every), Double(task)
    left = sum(each == task for _, each in disturbed(timing, skip))
    assert (left + skip.count, skip.count) == (count, -(-count // every))
    twice = sum(each == task for _, each in disturbed(timing, double))
    assert (twice, double.count) == (2 * count, count)


def test_the_healthy_table_comes_back_only_when_nothing_is_left_to_do() -> None:
    tasks, _ = schedule_of([(4, 0)])
    table = ScheduleTable(tasks, 0)
    schedule = DisturbedSchedule(table, tasks)
    slow = Slowdown(0, 3)
    assert schedule.healthy_table is table
    schedule.add(slow)
    assert schedule.healthy_table is None
    schedule.run_due(0)
    schedule.remove(slow)
    assert schedule.healthy_table is None  # its body is still to come
    schedule.run_due(3)
    assert schedule.healthy_table is table


def test_a_task_is_found_by_its_name() -> None:
    tasks, _ = schedule_of([(4, 0), (2, 0)])
    schedule = DisturbedSchedule(ScheduleTable(tasks, 0), tasks)
    assert schedule.task_named("t1", "here") == 1
    with pytest.raises(UsageError, match=r"^here: expected a task of t0, t1, got 't2'$"):
        schedule.task_named("t2", "here")
