"""A supervised task that nobody disturbs takes a short way: with the same findings as the long."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.runtime.schedule import Action, ScheduleTable, Task
from simcore.ecu.runtime.supervision import SupervisedTask
from simcore.units import ms, us
from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)
from simcore.watchdog.manager import WatchdogManager
from simcore.watchdog.statuses import StatusChange

NAMES = ("first", "second", "third")
EXECUTION_NS = us(300)


def supervision(
    *,
    modes: int = 1,
    min_ns: int = 0,
    body: tuple[str, ...] = (),
    order: tuple[tuple[str, str], ...] = (
        ("first.end", "second.start"),
        ("second.start", "second.end"),
        ("second.end", "first.end"),
    ),
) -> SupervisionSettings:
    """Three tasks; the first two in an order across them, the third alone."""
    points = ("start", *body, "end")
    chain = LogicalSupervision(("start",), ("end",), tuple(pairwise(points)))
    entities = tuple(SupervisedEntity(name, points, chain) for name in NAMES)
    supervised = tuple(
        EntityMode(
            name,
            alive=(AliveSupervision(at, cycles, cycles),),
            deadline=(DeadlineSupervision("start", "end", min_ns, us(700)),),
            failed_alive_tolerance=1,
        )
        for name, at, cycles in zip(NAMES, ("end", "start", "end"), (1, 1, 2), strict=True)
    )
    graph = ExternalGraph(("first.end",), (), order)
    return SupervisionSettings(
        ms(5),
        entities,
        tuple(SupervisionMode(f"mode {n}", supervised, (graph,)) for n in range(modes)),
    )


class Tasks:
    """Tasks under supervision, called as a healthy schedule calls them, or in the exact way."""

    def __init__(self, settings: SupervisionSettings, *, short: bool) -> None:
        self.manager = WatchdogManager(settings)
        self.changes: list[StatusChange] = list(self.manager.start(0))
        self.ran: list[tuple[str, int]] = []
        self.tasks = {
            name: SupervisedTask(self.manager, name, partial(self.note, name), EXECUTION_NS)
            for name in NAMES
        }
        self.calls: dict[str, Action] = {
            name: task.undisturbed if short else task for name, task in self.tasks.items()
        }

    def note(self, name: str, now_ns: int) -> None:
        self.ran.append((name, now_ns))

    def do(self, what: str, name: str, now_ns: int) -> None:
        if what == "run":
            self.calls[name](now_ns)
        elif what == "start":
            self.tasks[name].start(now_ns)
        elif what == "end":
            self.tasks[name].end(now_ns)
        elif what == "mode":
            self.changes += self.manager.set_mode("mode 0", now_ns)
        else:
            self.changes += self.manager.main_function(now_ns)

    def state(self) -> tuple[object, ...]:
        manager = self.manager
        statuses = tuple(manager.local_status(name) for name in NAMES)
        return self.changes, manager.global_status, statuses, manager.first_expired, self.ran


ROUND = [("run", "first"), ("run", "second"), ("run", "third"), ("main", "")]
STEPS = st.one_of(
    st.just(ROUND),
    st.just(ROUND),
    st.lists(
        st.tuples(st.sampled_from(["run", "start", "end", "main", "mode"]), st.sampled_from(NAMES)),
        min_size=1,
        max_size=3,
    ),
)


@given(st.lists(STEPS, max_size=14), st.sampled_from([us(100), ms(1)]))
def test_the_short_way_finds_what_the_long_way_finds_whatever_comes_between(
    rounds: list[list[tuple[str, str]]], pause_ns: int
) -> None:
    exact = Tasks(supervision(), short=False)
    short = Tasks(supervision(), short=True)
    now_ns = 0
    for each in rounds:
        now_ns += ms(5)
        for what, name in each:
            exact.do(what, name, now_ns)
            short.do(what, name, now_ns)
            assert short.state() == exact.state()
            if each is not ROUND:
                now_ns += pause_ns


def is_short(tasks: Tasks, name: str) -> bool:
    """Whether the schedule calls something else than the task itself."""
    return getattr(tasks.calls[name], "__name__", "") == "_pass"


def test_undisturbed_tasks_of_a_single_mode_take_the_short_way() -> None:
    tasks = Tasks(supervision(), short=True)
    assert all(is_short(tasks, name) for name in NAMES)


@pytest.mark.parametrize(
    "settings",
    [
        supervision(modes=2),
        supervision(body=("middle",)),
        supervision(min_ns=us(400)),
    ],
    ids=["several modes", "a checkpoint in the body", "an execution time out of its limits"],
)
def test_a_task_whose_way_is_not_known_beforehand_reports_both_checkpoints(
    settings: SupervisionSettings,
) -> None:
    tasks = Tasks(settings, short=True)
    assert not any(is_short(tasks, name) for name in NAMES)


def test_a_graph_that_forbids_the_end_behind_the_start_is_not_cut_short() -> None:
    order = (("first.end", "second.start"), ("second.start", "first.end"))
    tasks = Tasks(supervision(order=(*order, ("first.end", "second.end"))), short=True)
    assert [is_short(tasks, name) for name in NAMES] == [True, False, True]


def test_a_graph_with_a_checkpoint_that_a_body_may_report_is_not_cut_short() -> None:
    manager = WatchdogManager(supervision())
    manager.start(0)
    assert manager.passage("first", "start", "end", EXECUTION_NS) is not None
    single = ["second.end"]
    assert manager.passage("first", "start", "end", EXECUTION_NS, without=single) is None
    assert manager.passage("third", "start", "end", EXECUTION_NS, without=single) is not None


def test_a_passage_of_an_earlier_start_leads_nowhere() -> None:
    tasks = Tasks(supervision(), short=True)
    tasks.do("run", "first", ms(5))
    tasks.changes += tasks.manager.start(ms(6))
    exact = Tasks(supervision(), short=False)
    exact.do("run", "first", ms(5))
    exact.changes += exact.manager.start(ms(6))
    for now_ns in (ms(10), ms(15), ms(20)):
        for what, name in ROUND:
            exact.do(what, name, now_ns)
            tasks.do(what, name, now_ns)
    assert tasks.state() == exact.state()


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_in_the_middle_goes_on_as_the_original(twin_of: object) -> None:
    original = Tasks(supervision(), short=True)
    now_ns = 0
    for now_ns in (ms(5), ms(10)):
        for what, name in ROUND:
            original.do(what, name, now_ns)
    original.do("start", "third", now_ns + ms(1))
    original.do("run", "first", now_ns + ms(1))
    twin = twin_of(original)  # type: ignore[operator]
    for each in (twin, original):  # one after the other: nothing is shared
        for later_ns in (ms(15), ms(20), ms(25)):
            for what, name in ROUND:
                each.do(what, name, later_ns)
    assert twin.state() == original.state()
    assert twin.manager.first_expired == "first"


def test_a_schedule_calls_the_short_way_and_others_the_task_as_it_is() -> None:
    tasks = Tasks(supervision(), short=True)
    task = Task(name="first", period_ns=ms(5), offset_ns=0, action=tasks.tasks["first"])
    table = ScheduleTable([task], 0)
    table.run_due(0)
    assert tasks.ran == [("first", 0)]
    assert isinstance(task.action, SupervisedTask)
