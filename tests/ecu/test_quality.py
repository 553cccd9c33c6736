"""The quality machine of a sensor channel: total table, debounce, last plausible value."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.bps import states as bps_states
from simcore.ecu.imu import states as imu_states
from simcore.ecu.quality import (
    IGNORED,
    TRANSITIONS,
    MonitoredSensor,
    Quality,
    QualityEvent,
    next_quality,
)
from simcore.network import Database

ALL_PAIRS = set(itertools.product(Quality, QualityEvent))


def running(low: float = 0.0, high: float = 10.0) -> MonitoredSensor:
    sensor = MonitoredSensor(low, high)
    sensor.sample(5.0, starting=False)
    assert sensor.quality is Quality.VALID
    return sensor


def test_the_table_says_something_about_every_pair_and_never_twice() -> None:
    assert TRANSITIONS.keys() | IGNORED == ALL_PAIRS
    assert TRANSITIONS.keys() & IGNORED == set()


def test_next_quality_follows_the_table_and_stays_for_what_is_ignored() -> None:
    for quality, event in ALL_PAIRS:
        assert next_quality(quality, event) is TRANSITIONS.get((quality, event), quality)


def test_both_sensor_ecus_use_this_table() -> None:
    assert bps_states.TRANSITIONS is imu_states.TRANSITIONS is TRANSITIONS
    assert bps_states.next_quality is imu_states.next_quality is next_quality


@pytest.mark.parametrize(
    ("message", "signal"), [("BPS_Pedal", "BPS_Qf1"), ("IMU_Data", "IMU_YawQf")]
)
def test_quality_values_are_those_of_the_database(message: str, signal: str) -> None:
    choices = Database.reference().message(message).signal(signal).choices
    named = {value: text.upper() for value, text in choices.items()}
    assert {quality.value: quality.name for quality in Quality} == named


def test_a_sensor_is_in_init_while_starting_and_valid_at_the_first_sample_after() -> None:
    sensor = MonitoredSensor(0.0, 10.0)
    for measured in (3.0, 99.0, 99.0, 99.0, 99.0, 4.0):
        sensor.sample(measured, starting=True)
        assert sensor.quality is Quality.INIT
    sensor.sample(4.5, starting=False)
    assert (sensor.quality, sensor.value_ratio) == (Quality.VALID, 4.5)


def test_the_third_implausible_sample_in_a_row_confirms_the_fault() -> None:
    """SAF-003: degraded value within 3 samples."""
    sensor = running()
    found = []
    for _ in range(4):
        sensor.sample(11.0, starting=False)
        found.append((sensor.quality, sensor.value_ratio))
    assert found == [
        (Quality.DEGRADED, 5.0),
        (Quality.DEGRADED, 5.0),
        (Quality.INVALID, 5.0),
        (Quality.INVALID, 5.0),
    ]


def test_a_plausible_sample_in_time_heals_and_starts_the_debounce_anew() -> None:
    sensor = running()
    for _ in range(3):
        sensor.sample(11.0, starting=False)
        sensor.sample(11.0, starting=False)
        sensor.sample(6.0, starting=False)
        assert (sensor.quality, sensor.value_ratio) == (Quality.VALID, 6.0)


def test_a_confirmed_fault_stays_and_its_value_is_frozen() -> None:
    sensor = running()
    for _ in range(3):
        sensor.sample(-1.0, starting=False)
    for _ in range(10):
        sensor.sample(7.0, starting=False)
    assert (sensor.quality, sensor.value_ratio) == (Quality.INVALID, 5.0)


@pytest.mark.parametrize("measured", [-0.001, 10.001, float("nan"), float("inf"), -float("inf")])
def test_what_is_out_of_range_or_no_number_is_implausible(measured: float) -> None:
    sensor = running()
    sensor.sample(measured, starting=False)
    assert (sensor.quality, sensor.value_ratio) == (Quality.DEGRADED, 5.0)


@pytest.mark.parametrize("measured", [0.0, 10.0])
def test_the_limits_themselves_are_plausible(measured: float) -> None:
    sensor = running()
    sensor.sample(measured, starting=False)
    assert (sensor.quality, sensor.value_ratio) == (Quality.VALID, measured)


def test_a_sensor_that_is_broken_from_the_start_is_never_valid() -> None:
    sensor = MonitoredSensor(0.0, 10.0)
    for starting in (True, True, False, False, False):
        sensor.sample(99.0, starting=starting)
        assert sensor.quality is not Quality.VALID
    assert sensor.quality is Quality.INVALID
    assert sensor.value_ratio == 0.0


@given(samples=st.lists(st.one_of(st.floats(0.0, 10.0), st.floats(10.5, 1e9)), max_size=40))
def test_whatever_is_measured_the_value_stays_plausible(samples: list[float]) -> None:
    sensor = MonitoredSensor(0.0, 10.0)
    bad_in_a_row = 0
    was_invalid = False
    for index, measured in enumerate(samples):
        sensor.sample(measured, starting=index < 4)
        bad_in_a_row = bad_in_a_row + 1 if measured > 10.0 else 0
        assert 0.0 <= sensor.value_ratio <= 10.0
        if was_invalid or (bad_in_a_row >= 3 and index >= 4):
            assert sensor.quality is Quality.INVALID
            was_invalid = True
        elif sensor.quality is Quality.VALID:
            assert sensor.value_ratio == measured
        was_invalid = was_invalid or sensor.quality is Quality.INVALID
