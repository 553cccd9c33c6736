"""The window watchdog: its total table, its borders to the nanosecond, an independent model."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.watchdog.device import NEVER_NS, Verdict
from simcore.watchdog.window import (
    IGNORED,
    TRANSITIONS,
    VERDICTS,
    WindowEvent,
    WindowSettings,
    WindowState,
    WindowWatchdog,
    next_state,
)

SETTINGS = WindowSettings(closed_ns=50, open_ns=100, first_ns=600)


def test_the_table_is_total() -> None:
    pairs = {(state, event) for state in WindowState for event in WindowEvent}
    assert TRANSITIONS.keys() | IGNORED == pairs
    assert not TRANSITIONS.keys() & IGNORED
    assert TRANSITIONS.keys() >= VERDICTS.keys()
    for state, event in pairs:
        expected = state if (state, event) in IGNORED else TRANSITIONS[state, event]
        assert next_state(state, event) is expected


def started() -> WindowWatchdog:
    watchdog = WindowWatchdog(SETTINGS)
    watchdog.start(1000)
    return watchdog


@pytest.mark.parametrize("at_ns", [1000, 1001, 1599])
def test_any_trigger_in_the_long_first_window_is_good(at_ns: int) -> None:
    watchdog = started()
    assert (watchdog.state, watchdog.deadline_ns) == (WindowState.FIRST, 1600)
    assert watchdog.trigger(at_ns) is Verdict.GOOD
    assert (watchdog.state, watchdog.deadline_ns) == (WindowState.CLOSED, at_ns + 150)


def test_a_first_window_that_passes_unused_is_bad_and_a_new_open_window_begins() -> None:
    watchdog = started()
    assert watchdog.expire() is Verdict.TRIGGER_MISSING
    assert (watchdog.state, watchdog.deadline_ns) == (WindowState.OPEN, 1700)


@pytest.mark.parametrize(
    ("after_ns", "verdict", "state", "next_ns"),
    [
        (0, Verdict.TRIGGER_EARLY, WindowState.OPEN, 100),
        (49, Verdict.TRIGGER_EARLY, WindowState.OPEN, 149),
        (50, Verdict.GOOD, WindowState.CLOSED, 200),
        (149, Verdict.GOOD, WindowState.CLOSED, 299),
    ],
)
def test_the_open_window_begins_to_the_nanosecond(
    after_ns: int, verdict: Verdict, state: WindowState, next_ns: int
) -> None:
    watchdog = started()
    watchdog.trigger(1000)
    assert watchdog.deadline_ns == 1150
    assert watchdog.trigger(1000 + after_ns) is verdict
    assert (watchdog.state, watchdog.deadline_ns) == (state, 1000 + next_ns)


def test_the_open_window_is_over_at_its_end() -> None:
    watchdog = started()
    watchdog.trigger(1000)
    assert watchdog.expire() is Verdict.TRIGGER_MISSING  # at 1150
    assert (watchdog.state, watchdog.deadline_ns) == (WindowState.OPEN, 1250)
    assert watchdog.trigger(1150) is Verdict.GOOD  # at once, in the new one


def test_a_halted_watchdog_judges_nothing() -> None:
    watchdog = WindowWatchdog(SETTINGS)
    assert (watchdog.trigger(5), watchdog.expire()) == (None, None)
    assert watchdog.deadline_ns == NEVER_NS
    watchdog.start(10)
    watchdog.halt()
    assert (watchdog.trigger(5), watchdog.deadline_ns) == (None, NEVER_NS)


class Model:
    """The windows as a list of intervals, worked out anew for every question."""

    def __init__(self, settings: WindowSettings, start_ns: int) -> None:
        self.settings = settings
        self.opened_ns, self.closes_ns = start_ns, start_ns + settings.first_ns
        """The open window that is there, or is coming."""

    def missed(self, now_ns: int) -> list[int]:
        times = []
        while self.closes_ns <= now_ns:
            times.append(self.closes_ns)
            self.opened_ns, self.closes_ns = self.closes_ns, self.closes_ns + self.settings.open_ns
        return times

    def trigger(self, now_ns: int) -> Verdict:
        if now_ns < self.opened_ns:
            self.opened_ns, self.closes_ns = now_ns, now_ns + self.settings.open_ns
            return Verdict.TRIGGER_EARLY
        self.opened_ns = now_ns + self.settings.closed_ns
        self.closes_ns = self.opened_ns + self.settings.open_ns
        return Verdict.GOOD


@given(
    closed_ns=st.integers(0, 30),
    open_ns=st.integers(1, 30),
    first_ns=st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(0, 70), st.booleans()), max_size=60),
)
def test_it_walks_as_a_model_of_intervals_does(
    closed_ns: int, open_ns: int, first_ns: int, steps: list[tuple[int, bool]]
) -> None:
    settings = WindowSettings(closed_ns=closed_ns, open_ns=open_ns, first_ns=first_ns)
    watchdog, model, now_ns = WindowWatchdog(settings), Model(settings, 0), 0
    watchdog.start(0)
    for wait_ns, triggers in steps:
        now_ns += wait_ns
        missed = []
        while watchdog.deadline_ns <= now_ns:
            missed.append(watchdog.deadline_ns)
            assert watchdog.expire() is Verdict.TRIGGER_MISSING
        assert missed == model.missed(now_ns)
        if triggers:
            assert watchdog.trigger(now_ns) is model.trigger(now_ns)
        assert watchdog.deadline_ns == model.closes_ns


def test_a_copy_and_a_pickle_go_on_alike() -> None:
    watchdog = started()
    watchdog.trigger(1000)
    for twin in (copy.deepcopy(watchdog), pickle.loads(pickle.dumps(watchdog))):
        assert twin.trigger(1050) is Verdict.GOOD
        assert twin.deadline_ns == 1200
    assert watchdog.deadline_ns == 1150


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"closed_ns": -1}, "closed_ns: expected a whole number >= 0, got -1"),
        ({"open_ns": 0}, "open_ns: expected a whole number >= 1, got 0"),
        ({"first_ns": 0}, "first_ns: expected a whole number >= 1, got 0"),
        ({"first_ns": 1.5}, "first_ns: expected a whole number >= 1, got 1.5"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int], text: str) -> None:
    right = {"closed_ns": 0, "open_ns": 1, "first_ns": 1}
    with pytest.raises(UsageError, match=rf"^WindowSettings, {text}$"):
        WindowSettings(**{**right, **wrong})
