"""Error counters +2/-1 and +1/-1: the published consequences, and the settings' limits."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.watchdog.error_counter import ErrorCounter, ErrorCounterSettings


def trips_at(settings: ErrorCounterSettings, services: list[bool]) -> int | None:
    """Number, from 1, of the service that trips the counter."""
    counter = ErrorCounter(settings)
    for number, good in enumerate(services, start=1):
        if good:
            counter.good()
        elif counter.bad():
            return number
    return None


@pytest.mark.parametrize(("threshold", "bad_count"), [(9, 5), (14, 7), (6, 3), (7, 4)])
def test_two_up_one_down_trips_after_half_the_threshold(threshold: int, bad_count: int) -> None:
    assert trips_at(ErrorCounterSettings(threshold=threshold), [False] * 20) == bad_count


def test_two_up_one_down_trips_at_the_fifteenth_of_alternating_services() -> None:
    assert trips_at(ErrorCounterSettings(threshold=9), [False, True] * 20) == 15


def test_two_up_one_down_never_trips_with_one_bad_in_three() -> None:
    assert trips_at(ErrorCounterSettings(threshold=9), [False, True, True] * 1000) is None


def test_one_up_one_down_of_three_bits_trips_at_seven_plus_one() -> None:
    settings = ErrorCounterSettings(threshold=8, bad=1, maximum=7)
    counter = ErrorCounter(settings)
    counts = []
    for _ in range(7):
        assert not counter.bad()
        counts.append(counter.count)
    assert counts == [1, 2, 3, 4, 5, 6, 7]
    assert counter.bad()
    assert counter.count == 7
    assert trips_at(settings, [False, True] * 1000) is None


@given(
    threshold=st.integers(1, 20),
    bad=st.integers(1, 4),
    good=st.integers(0, 3),
    services=st.lists(st.booleans(), max_size=60),
)
def test_it_counts_as_plain_clamped_arithmetic_does(
    threshold: int, bad: int, good: int, services: list[bool]
) -> None:
    counter = ErrorCounter(ErrorCounterSettings(threshold=threshold, bad=bad, good=good))
    count = 0
    for service in services:
        if service:
            counter.good()
            count = max(0, count - good)
        else:
            assert counter.bad() is (count + bad >= threshold)
            count = min(threshold, count + bad)
        assert counter.count == count
    counter.clear()
    assert counter.count == 0


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"threshold": 0}, r"threshold: expected a whole number >= 1, got 0"),
        ({"threshold": 9, "bad": 0}, r"bad: expected a whole number >= 1, got 0"),
        ({"threshold": 9, "good": -1}, r"good: expected a whole number >= 0, got -1"),
        ({"threshold": 9, "good": 1.0}, r"good: expected a whole number >= 0, got 1.0"),
        ({"threshold": 9, "maximum": 0}, r"maximum: expected a whole number >= 1, got 0"),
        ({"threshold": 9, "maximum": 6}, r"maximum: expected at least threshold - bad, 7, got 6"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int], text: str) -> None:
    with pytest.raises(UsageError, match=rf"^ErrorCounterSettings, {text}$"):
        ErrorCounterSettings(**wrong)


def test_a_copy_shares_its_settings() -> None:
    counter = ErrorCounter(ErrorCounterSettings(threshold=9))
    counter.bad()
    twin = copy.deepcopy(counter)
    assert twin.settings is counter.settings
    twin.bad()
    assert (counter.count, twin.count) == (2, 4)
