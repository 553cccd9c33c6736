"""Debouncing by counter and by time, against what the sequence of reports says."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.diag.dtc_debounce import (
    NO_DEBOUNCE,
    CounterDebounce,
    DebounceState,
    TimeDebounce,
)
from simcore.diag.dtc_status import EventStatus
from simcore.errors import UsageError
from simcore.units import ms

PASSED, FAILED, PREPASSED, PREFAILED = EventStatus


def run(debounce: CounterDebounce, *reports: EventStatus) -> tuple[int, EventStatus | None]:
    state, last = DebounceState(), None
    for report in reports:
        last = debounce.report(state, report, 0)
    return state.counter, last


def test_prefailed_counts_up_to_failed_and_prepassed_down_to_passed() -> None:
    counter = CounterDebounce(increment=50, decrement=64)
    assert run(counter, PREFAILED) == (50, None)
    assert run(counter, PREFAILED, PREFAILED) == (100, None)
    assert run(counter, PREFAILED, PREFAILED, PREFAILED) == (127, FAILED)
    assert run(counter, PREPASSED) == (-64, None)
    assert run(counter, PREPASSED, PREPASSED) == (-128, PASSED)


def test_failed_and_passed_set_the_threshold_at_once() -> None:
    counter = CounterDebounce(failed_threshold=10, passed_threshold=-5)
    assert run(counter, FAILED) == (10, FAILED)
    assert run(counter, FAILED, PASSED) == (-5, PASSED)


def test_jumping_up_and_down_forgets_the_way_the_counter_came() -> None:
    plain = CounterDebounce(increment=10, decrement=10)
    jumps = CounterDebounce(increment=10, decrement=10, jump_up=0, jump_down=20)
    assert run(plain, PASSED, PREFAILED) == (-118, None)
    assert run(jumps, PASSED, PREFAILED) == (10, None)
    assert run(jumps, PREPASSED, PREFAILED) == (10, None)
    assert run(plain, FAILED, PREPASSED) == (117, None)
    assert run(jumps, FAILED, PREPASSED) == (10, None)
    assert run(jumps, PREFAILED, PREFAILED, PREPASSED) == (10, None)  # 20 is not above 20


def test_the_fault_detection_counter_is_scaled_to_eight_bits() -> None:
    counter = CounterDebounce(failed_threshold=1000, passed_threshold=-10)
    state = DebounceState()
    seen = {}
    for value in (-10, -9, -1, 0, 1, 500, 999, 1000):
        state.counter = value
        seen[value] = counter.fault_detection_counter(state, 0)
    assert seen == {-10: -128, -9: -115, -1: -12, 0: 0, 1: 1, 500: 63, 999: 126, 1000: 127}


@given(
    st.integers(1, 40000 // 2),
    st.integers(1, 40000 // 2),
    st.integers(1, 0x7FFF),
    st.integers(-0x8000, -1),
    st.lists(st.sampled_from([PREFAILED, PREPASSED, FAILED, PASSED]), max_size=40),
)
def test_counter_stays_between_its_thresholds_and_127_means_failed(
    up: int, down: int, high: int, low: int, reports: list[EventStatus]
) -> None:
    debounce = CounterDebounce(
        increment=up, decrement=down, failed_threshold=high, passed_threshold=low
    )
    state, model = DebounceState(), 0
    for report in reports:
        change = {PREFAILED: up, PREPASSED: -down, FAILED: high - model, PASSED: low - model}
        model = max(low, min(high, model + change[report]))
        result = debounce.report(state, report, 0)
        assert state.counter == model
        assert (result is FAILED) == (model == high) and (result is PASSED) == (model == low)
        fdc = debounce.fault_detection_counter(state, 0)
        assert -128 <= fdc <= 127
        assert (fdc == 127) == (model == high) and (fdc == -128) == (model == low)
        assert (fdc > 0) == (model > 0) and (fdc < 0) == (model < 0)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"increment": 0}, r"debounce: increment: expected 1\.\.32767, got 0"),
        ({"decrement": 40000}, r"debounce: decrement: expected 1\.\.32768, got 40000"),
        ({"failed_threshold": 0}, r"debounce: failed_threshold: expected 1\.\.32767, got 0"),
        ({"passed_threshold": 1}, r"debounce: passed_threshold: expected -32768\.\.-1, got 1"),
        ({"jump_up": 127}, r"debounce: jump_up: expected -128\.\.126, got 127"),
        ({"jump_down": -128}, r"debounce: jump_down: expected -127\.\.127, got -128"),
        ({"increment": 1.5}, r"debounce: increment: expected 1\.\.32767, got 1\.5"),
    ],
)
def test_counter_settings_out_of_range_are_refused(values: dict[str, int], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        CounterDebounce(**values)


def test_time_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match=r"debounce: failed_ns: expected 1\.\..*, got 0"):
        TimeDebounce(failed_ns=0)
    with pytest.raises(UsageError, match=r"debounce: passed_ns: expected 1\.\..*, got -1"):
        TimeDebounce(passed_ns=-1)


def test_prefailed_must_stand_for_the_time_and_repeating_it_does_not_restart_it() -> None:
    debounce, state = TimeDebounce(failed_ns=ms(100), passed_ns=ms(50)), DebounceState()
    assert debounce.report(state, PREFAILED, ms(10)) is None
    assert debounce.due_ns(state) == ms(110)
    assert debounce.report(state, PREFAILED, ms(60)) is None
    assert debounce.fault_detection_counter(state, ms(60)) == 63
    assert debounce.report(state, PREFAILED, ms(110)) is FAILED
    assert debounce.due_ns(state) is None
    assert debounce.fault_detection_counter(state, ms(500)) == 127
    assert debounce.report(state, PREFAILED, ms(600)) is FAILED


def test_the_other_direction_restarts_the_time() -> None:
    debounce, state = TimeDebounce(failed_ns=ms(100), passed_ns=ms(50)), DebounceState()
    debounce.report(state, PREFAILED, 0)
    assert debounce.report(state, PREPASSED, ms(99)) is None
    assert debounce.fault_detection_counter(state, ms(124)) == -64
    assert debounce.report(state, PREFAILED, ms(148)) is None
    assert debounce.due_ns(state) == ms(248)
    assert debounce.report(state, PREPASSED, ms(200)) is None
    assert debounce.report(state, PREPASSED, ms(250)) is PASSED
    assert debounce.fault_detection_counter(state, ms(250)) == -128


def test_failed_and_passed_qualify_at_once() -> None:
    debounce, state = TimeDebounce(), DebounceState()
    debounce.report(state, PREFAILED, 0)
    assert debounce.report(state, PASSED, ms(1)) is PASSED
    assert debounce.due_ns(state) is None
    assert debounce.report(state, FAILED, ms(2)) is FAILED


def test_a_time_that_was_stopped_goes_on_where_it_was() -> None:
    debounce, state = TimeDebounce(failed_ns=ms(100)), DebounceState()
    debounce.report(state, PREFAILED, 0)
    debounce.pause(state, ms(40))
    assert debounce.due_ns(state) is None
    assert debounce.fault_detection_counter(state, ms(1000)) == 50
    debounce.resume(state, ms(1000))
    assert debounce.due_ns(state) == ms(1060)


def test_without_debouncing_the_first_report_qualifies() -> None:
    state = DebounceState()
    assert NO_DEBOUNCE.report(state, PREFAILED, 0) is FAILED
    assert NO_DEBOUNCE.fault_detection_counter(state, 0) == 127
    assert NO_DEBOUNCE.report(state, PREPASSED, 0) is PASSED
    assert NO_DEBOUNCE.fault_detection_counter(state, 0) == -128


@pytest.mark.parametrize("debounce", [NO_DEBOUNCE, CounterDebounce(), TimeDebounce()])
def test_settings_are_shared_by_copies(debounce: object) -> None:
    assert deepcopy(debounce) is debounce
