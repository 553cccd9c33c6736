"""The event queue: a total order, timers, complete instants, and runs that can be copied."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import SimcoreError, UsageError
from simcore.kernel import Priority, RandomStreams, Scheduler, StuckError, TraceDigest
from simcore.kernel.scheduler import SAME_INSTANT_LIMIT
from simcore.units import ms


class Recorder:
    """Notes what was called and when."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.calls: list[tuple[int, object]] = []

    def note(self, what: object) -> None:
        self.calls.append((self.scheduler.now_ns, what))

    def at(self, time_ns: int, what: object, priority: int = Priority.ECU) -> None:
        self.scheduler.post(time_ns, priority, partial(self.note, what))

    @property
    def names(self) -> list[object]:
        return [what for _, what in self.calls]


class Walker:
    """Random steps for ever: a small simulation with timers, streams and a digest."""

    def __init__(self, seed: int) -> None:
        self.scheduler = Scheduler()
        self.streams = RandomStreams(seed)
        self.digest = TraceDigest()
        self.watchdog = self.scheduler.timer(1000, Priority.OBSERVER, self.bark)
        self.barks = 0
        for name in ("left", "right"):
            self.scheduler.post(0, Priority.ECU, partial(self.step, name))

    def step(self, name: str) -> None:
        stream = self.streams.stream(name)
        now_ns = self.scheduler.now_ns
        self.digest.add(f"{now_ns} {name} {stream.integer(0, 99)};".encode())
        if stream.chance(0.7):
            self.watchdog.cancel()
            self.watchdog = self.scheduler.timer(now_ns + 1000, Priority.OBSERVER, self.bark)
        self.scheduler.post(now_ns + stream.integer(0, 700), Priority.ECU, partial(self.step, name))

    def bark(self) -> None:
        self.barks += 1
        self.digest.add(f"{self.scheduler.now_ns} bark;".encode())

    @property
    def state(self) -> tuple[str, int, int, int]:
        scheduler = self.scheduler
        return (self.digest.hexdigest(), self.barks, scheduler.event_count, scheduler.now_ns)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(Scheduler())


# ---- order ----


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Priority)), max_size=40))
def test_events_run_by_time_then_priority_then_order_of_posting(
    events: list[tuple[int, Priority]],
) -> None:
    recorder = Recorder(Scheduler())
    for number, (time_ns, priority) in enumerate(events):
        recorder.at(time_ns, number, priority)
    recorder.scheduler.run_until_ns(5)
    expected = sorted(range(len(events)), key=lambda number: (*events[number], number))
    assert recorder.calls == [(events[number][0], number) for number in expected]


@given(
    first=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(Priority)), max_size=20),
    later=st.lists(st.tuples(st.integers(10, 30), st.sampled_from(Priority)), max_size=20),
)
def test_events_posted_while_running_join_the_same_order(
    first: list[tuple[int, Priority]], later: list[tuple[int, Priority]]
) -> None:
    recorder = Recorder(Scheduler())
    for number, (time_ns, priority) in enumerate(first):
        recorder.at(time_ns, ("first", number), priority)
    recorder.scheduler.run_until_ns(9)
    before = len(recorder.calls)
    for number, (time_ns, priority) in enumerate(later):
        recorder.at(time_ns, ("later", number), priority)
    recorder.scheduler.run_until_ns(30)
    keyed = [(*event, 0, ("first", n)) for n, event in enumerate(first) if event[0] > 9]
    keyed += [(*event, 1, ("later", n)) for n, event in enumerate(later)]
    keyed.sort(key=lambda item: (item[0], item[1], item[2], item[3][1]))
    assert recorder.names[before:] == [name for *_, name in keyed]


def test_at_one_instant_the_bus_comes_first_and_the_observer_last(recorder: Recorder) -> None:
    for priority in reversed(Priority):
        recorder.at(7, priority.name, priority)
    recorder.scheduler.run_until_ns(7)
    assert recorder.names == ["BUS", "PLANT", "ECU", "ARBITRATION", "OBSERVER"]


def test_an_event_posted_for_now_runs_in_this_instant_by_its_priority(
    recorder: Recorder,
) -> None:
    recorder.scheduler.post(5, Priority.ECU, partial(recorder.at, 5, "observer", Priority.OBSERVER))
    recorder.scheduler.post(5, Priority.ECU, partial(recorder.at, 5, "bus", Priority.BUS))
    recorder.at(5, "ecu", Priority.ECU)
    recorder.scheduler.run_until_ns(5)
    assert recorder.calls == [
        (5, "bus"),
        (5, "ecu"),
        (5, "observer"),
    ]


# ---- run_until_ns ----


def test_the_end_of_a_run_is_included_and_time_stands_there(recorder: Recorder) -> None:
    for time_ns in (0, 9, 10, 11):
        recorder.at(time_ns, time_ns)
    recorder.scheduler.run_until_ns(10)
    assert recorder.names == [0, 9, 10]
    assert recorder.scheduler.now_ns == 10
    assert recorder.scheduler.next_event_ns() == 11
    recorder.scheduler.run_until_ns(50)
    assert recorder.calls[-1] == (11, 11)
    assert recorder.scheduler.now_ns == 50
    assert recorder.scheduler.next_event_ns() is None
    assert recorder.scheduler.event_count == 4


@pytest.mark.parametrize("cuts", [(), (3,), (3, 3, 4), tuple(range(31))])
def test_a_run_in_slices_calls_the_same_events_at_the_same_times(cuts: tuple[int, ...]) -> None:
    walker, sliced = Walker(5), Walker(5)
    walker.scheduler.run_until_ns(30_000)
    for cut in cuts:
        sliced.scheduler.run_until_ns(cut * 1000)
    sliced.scheduler.run_until_ns(30_000)
    assert sliced.state == walker.state
    assert walker.scheduler.event_count > 60


def test_scheduling_in_the_past_is_refused(recorder: Recorder) -> None:
    recorder.scheduler.run_until_ns(ms(3))
    expected = r"^schedule Recorder\.note: expected a time not before now, 3 ms, got 2\.999999 ms$"
    with pytest.raises(UsageError, match=expected):
        recorder.at(ms(3) - 1, "late")
    with pytest.raises(UsageError, match=expected):
        recorder.scheduler.timer(ms(3) - 1, Priority.ECU, partial(recorder.note, "late"))
    assert recorder.scheduler.next_event_ns() is None


def test_running_to_the_past_is_refused(recorder: Recorder) -> None:
    recorder.scheduler.run_until_ns(ms(3))
    with pytest.raises(
        UsageError, match=r"^run_until_ns: expected a time not before now, 3 ms, got 1 ms$"
    ):
        recorder.scheduler.run_until_ns(ms(1))
    assert recorder.scheduler.now_ns == ms(3)


class Faulty:
    def __init__(self) -> None:
        self.raised = 0

    def fail(self) -> None:
        self.raised += 1
        raise RuntimeError("broken")


def test_a_callback_that_raises_stops_the_run_at_its_instant_and_the_rest_can_go_on(
    recorder: Recorder,
) -> None:
    faulty = Faulty()
    recorder.at(1, "before")
    recorder.scheduler.post(2, Priority.ECU, faulty.fail)
    recorder.at(3, "after")
    with pytest.raises(RuntimeError, match="broken"):
        recorder.scheduler.run_until_ns(10)
    assert recorder.scheduler.now_ns == 2
    assert recorder.scheduler.event_count == 2
    recorder.scheduler.run_until_ns(10)
    assert recorder.names == ["before", "after"]
    assert faulty.raised == 1


# ---- timers ----


def test_a_timer_fires_once_at_its_deadline(recorder: Recorder) -> None:
    timer = recorder.scheduler.timer(20, Priority.ECU, partial(recorder.note, "fired"))
    assert timer.deadline_ns == 20
    recorder.scheduler.run_until_ns(19)
    assert timer.active
    recorder.scheduler.run_until_ns(100)
    assert not timer.active
    assert recorder.calls == [(20, "fired")]
    timer.cancel()  # after it fired: nothing happens


def test_a_cancelled_timer_never_fires(recorder: Recorder) -> None:
    timer = recorder.scheduler.timer(20, Priority.ECU, partial(recorder.note, "fired"))
    other = recorder.scheduler.timer(20, Priority.ECU, partial(recorder.note, "other"))
    recorder.scheduler.run_until_ns(10)
    timer.cancel()
    timer.cancel()
    assert not timer.active
    assert other.active
    recorder.scheduler.run_until_ns(100)
    assert recorder.names == ["other"]


def test_a_timer_can_be_cancelled_by_an_earlier_event_of_its_own_instant(
    recorder: Recorder,
) -> None:
    timer = recorder.scheduler.timer(20, Priority.ECU, partial(recorder.note, "fired"))
    recorder.scheduler.post(20, Priority.BUS, timer.cancel)
    recorder.scheduler.run_until_ns(20)
    assert recorder.calls == []


def test_a_timer_is_no_longer_active_while_its_own_call_runs() -> None:
    class Rearming:
        def __init__(self) -> None:
            self.scheduler = Scheduler()
            self.fired_ns: list[int] = []
            self.timer = self.scheduler.timer(10, Priority.ECU, self.fire)

        def fire(self) -> None:
            assert not self.timer.active
            self.fired_ns.append(self.scheduler.now_ns)
            self.timer = self.scheduler.timer(self.scheduler.now_ns + 10, Priority.ECU, self.fire)

    rearming = Rearming()
    rearming.scheduler.run_until_ns(35)
    assert rearming.fired_ns == [10, 20, 30]
    assert rearming.timer.active


def plain_function() -> None:
    raise AssertionError("never called")


@pytest.mark.parametrize(
    "callback", [lambda: None, plain_function, partial(plain_function), partial(partial(print), 1)]
)
def test_a_timer_takes_bound_methods_and_partials_of_them_only(
    callback: partial[None], recorder: Recorder
) -> None:
    inner = callback
    while isinstance(inner, partial):
        inner = inner.func
    if inner is print:  # a builtin: copies and pickles as itself
        assert recorder.scheduler.timer(1, Priority.ECU, callback).active
        return
    with pytest.raises(
        UsageError,
        match=r"^schedule [\w.<>]+: expected a bound method or a functools\.partial of one$",
    ):
        recorder.scheduler.timer(1, Priority.ECU, callback)
    assert recorder.scheduler.next_event_ns() is None


# ---- advance_to ----


class Advancing:
    """Advances time by itself where it may, and schedules itself where it may not."""

    def __init__(self, step_ns: int) -> None:
        self.scheduler = Scheduler()
        self.step_ns = step_ns
        self.visited_ns: list[int] = []
        self.refused = 0
        self.scheduler.post(0, Priority.ECU, self.go)

    def go(self) -> None:
        while True:
            now_ns = self.scheduler.now_ns
            self.visited_ns.append(now_ns)
            if not self.scheduler.advance_to(now_ns + self.step_ns):
                assert self.scheduler.now_ns == now_ns  # a refusal changes nothing
                self.refused += 1
                self.scheduler.post(now_ns + self.step_ns, Priority.ECU, self.go)
                return


def test_advancing_is_refused_outside_a_run() -> None:
    scheduler = Scheduler()
    assert not scheduler.advance_to(0)
    assert not scheduler.advance_to(10)
    scheduler.run_until_ns(20)
    assert not scheduler.advance_to(20)
    assert (scheduler.now_ns, scheduler.event_count) == (20, 0)


def test_advancing_goes_to_the_end_of_the_run_and_not_beyond() -> None:
    advancing = Advancing(10)
    advancing.scheduler.run_until_ns(35)
    assert advancing.visited_ns == [0, 10, 20, 30]
    assert advancing.refused == 1
    assert advancing.scheduler.now_ns == 35
    assert advancing.scheduler.event_count == 4
    advancing.scheduler.run_until_ns(40)
    assert advancing.visited_ns[4:] == [40]


@pytest.mark.parametrize(("other_ns", "passes"), [(9, False), (10, False), (11, True)])
def test_advancing_passes_no_event_that_is_due_before_or_then(
    recorder: Recorder, other_ns: int, passes: bool
) -> None:
    advancing = Advancing(10)
    recorder.scheduler = advancing.scheduler
    recorder.at(other_ns, "other", Priority.OBSERVER)
    advancing.scheduler.run_until_ns(19)
    assert advancing.visited_ns == [0, 10]
    assert recorder.calls == [(other_ns, "other")]
    assert advancing.refused == (1 if passes else 2)


@given(
    others=st.lists(st.tuples(st.integers(0, 100), st.sampled_from(Priority)), max_size=10),
    cuts=st.lists(st.integers(0, 100), max_size=5),
)
def test_advancing_visits_the_same_times_whatever_else_happens_and_however_it_is_cut(
    others: list[tuple[int, Priority]], cuts: list[int]
) -> None:
    advancing, recorder = Advancing(7), Recorder(Scheduler())
    recorder.scheduler = advancing.scheduler
    for time_ns, priority in others:
        recorder.at(time_ns, "other", priority)
    for cut in [*sorted(cuts), 100]:
        advancing.scheduler.run_until_ns(cut)
    assert advancing.visited_ns == list(range(0, 101, 7))
    assert len(recorder.calls) == len(others)
    assert advancing.scheduler.event_count == len(others) + len(range(0, 101, 7))


def test_run_until_sees_every_instant_of_a_component_that_advances_by_itself() -> None:
    advancing = Advancing(10)
    assert advancing.scheduler.run_until(lambda: len(advancing.visited_ns) >= 3, 1000)
    assert advancing.scheduler.now_ns == 20
    assert advancing.visited_ns == [0, 10, 20]


# ---- run_until ----


def test_run_until_stops_at_the_first_instant_after_which_the_predicate_holds(
    recorder: Recorder,
) -> None:
    for time_ns in (10, 20, 30):
        recorder.at(time_ns, time_ns)
    assert recorder.scheduler.run_until(lambda: 20 in recorder.names, 100)
    assert recorder.scheduler.now_ns == 20
    assert recorder.names == [10, 20]


def test_run_until_sees_complete_instants_only(recorder: Recorder) -> None:
    for number, priority in enumerate(Priority):
        recorder.at(10, number, priority)
    recorder.scheduler.post(
        10, Priority.OBSERVER, partial(recorder.at, 10, "posted last", Priority.OBSERVER)
    )
    seen: list[int] = []

    def predicate() -> bool:
        seen.append(len(recorder.calls))
        return len(recorder.calls) >= 1

    assert recorder.scheduler.run_until(predicate, 100)
    assert seen == [0, 6]
    assert recorder.names[-1] == "posted last"


def test_run_until_that_holds_at_once_lets_no_time_pass(recorder: Recorder) -> None:
    recorder.at(0, "pending")
    assert recorder.scheduler.run_until(lambda: True, 100)
    assert recorder.scheduler.now_ns == 0
    assert recorder.calls == []


def test_run_until_that_never_holds_ends_at_its_limit(recorder: Recorder) -> None:
    recorder.at(100, "at the limit")
    recorder.at(101, "behind the limit")
    assert not recorder.scheduler.run_until(lambda: False, 100)
    assert recorder.scheduler.now_ns == 100
    assert recorder.names == ["at the limit"]


def test_run_until_asks_at_the_instant_of_the_limit_too(recorder: Recorder) -> None:
    recorder.at(100, "at the limit")
    assert recorder.scheduler.run_until(lambda: bool(recorder.calls), 100)


def test_run_until_with_an_empty_queue_ends_at_its_limit(recorder: Recorder) -> None:
    assert not recorder.scheduler.run_until(lambda: False, 42)
    assert recorder.scheduler.now_ns == 42


# ---- stuck ----


class Loop:
    def __init__(self, *, steps: int | None = None) -> None:
        self.scheduler = Scheduler()
        self.left = steps
        self.scheduler.post(5, Priority.ECU, self.again)

    def again(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                return
        self.scheduler.post(self.scheduler.now_ns, Priority.ECU, self.again)


def test_events_that_schedule_each_other_at_one_instant_for_ever_are_noticed() -> None:
    loop = Loop()
    with pytest.raises(
        StuckError,
        match=r"^time stands still at 0\.000005 ms: more than 100000 events at one instant, "
        r"the last one Loop\.again$",
    ) as caught:
        loop.scheduler.run_until_ns(100)
    assert isinstance(caught.value, SimcoreError)
    assert loop.scheduler.now_ns == 5


def test_a_loop_at_the_instant_at_which_a_run_starts_is_noticed() -> None:
    loop = Loop()
    loop.scheduler = Scheduler()
    loop.scheduler.post(0, Priority.ECU, loop.again)
    with pytest.raises(StuckError, match=r"^time stands still at 0 ms"):
        loop.scheduler.run_until(lambda: False, 100)


def test_as_many_events_at_one_instant_as_allowed_are_no_loop() -> None:
    loop = Loop(steps=SAME_INSTANT_LIMIT)
    other = Loop(steps=SAME_INSTANT_LIMIT)
    other.scheduler = loop.scheduler
    loop.scheduler.post(6, Priority.ECU, other.again)
    loop.scheduler.run_until_ns(6)  # the count starts anew with every instant
    assert (loop.left, other.left) == (0, 0)
    assert loop.scheduler.event_count == 2 * SAME_INSTANT_LIMIT
    loop.left = SAME_INSTANT_LIMIT
    loop.scheduler.post(6, Priority.ECU, loop.again)
    loop.scheduler.run_until_ns(6)  # and with every run
    assert loop.left == 0


def test_a_few_more_events_at_one_instant_than_allowed_are_a_loop() -> None:
    with pytest.raises(StuckError, match=r"^time stands still at 0\.000005 ms"):
        Loop(steps=SAME_INSTANT_LIMIT + 3).scheduler.run_until_ns(5)


# ---- copies ----


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
@given(cut_ns=st.integers(0, 20_000), seed=st.integers(0, 3))
def test_a_copy_made_at_any_instant_continues_as_the_original_does(
    how: str, cut_ns: int, seed: int
) -> None:
    untouched, original = Walker(seed), Walker(seed)
    untouched.scheduler.run_until_ns(30_000)
    original.scheduler.run_until_ns(cut_ns)
    fork = copy.deepcopy(original) if how == "deep copy" else pickle.loads(pickle.dumps(original))
    frozen = original.state
    fork.scheduler.run_until_ns(30_000)
    assert original.state == frozen  # the fork left it alone
    original.scheduler.run_until_ns(30_000)
    assert fork.state == original.state == untouched.state


def test_cancelling_a_timer_of_a_copy_leaves_that_of_the_original(recorder: Recorder) -> None:
    timer = recorder.scheduler.timer(10, Priority.ECU, partial(recorder.note, "fired"))
    fork, forked_timer = copy.deepcopy((recorder, timer))
    forked_timer.cancel()
    for each in (recorder, fork):
        each.scheduler.run_until_ns(20)
    assert recorder.names == ["fired"]
    assert fork.names == []
