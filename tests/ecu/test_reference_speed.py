"""The reference speed: believes rolling wheels, survives slipping ones, calibrates its sensor."""

import pytest

from simcore.ecu.cdc.reference_speed import ReferenceSpeed

VALID = (True,) * 4
DT_S = 0.005


def test_rolling_wheels_are_believed() -> None:
    estimate = ReferenceSpeed()
    assert estimate.step((20.0, 20.2, 19.8, 20.0), VALID, 0.0, braking=False) == 20.0


def test_an_invalid_wheel_is_left_out() -> None:
    estimate = ReferenceSpeed()
    valid = (True, True, False, True)
    assert estimate.step((20.0, 20.0, 99.0, 20.0), valid, 0.0, braking=False) == 20.0


def test_locked_wheels_leave_the_estimate_to_the_accelerometer() -> None:
    """1 s at -4 m/s2 with all wheels locked: 25 to 21 m/s, +-0.1."""
    estimate = ReferenceSpeed()
    estimate.start_at(25.0)
    for _ in range(200):
        estimate.step((0.0,) * 4, VALID, -4.0, braking=True)
    assert estimate.speed_mps == pytest.approx(21.0, abs=0.1)


def test_without_any_valid_wheel_the_accelerometer_carries_on_and_ends_at_zero() -> None:
    estimate = ReferenceSpeed()
    estimate.start_at(5.0)
    for _ in range(100):
        estimate.step((0.0,) * 4, (False,) * 4, -4.0, braking=True)
    assert estimate.speed_mps == pytest.approx(3.0)
    for _ in range(400):
        estimate.step((0.0,) * 4, (False,) * 4, -4.0, braking=True)
    assert estimate.speed_mps == 0.0


def test_slope_and_zero_error_are_learnt_while_rolling() -> None:
    estimate = ReferenceSpeed()
    for _ in range(1000):
        estimate.step((20.0,) * 4, VALID, 1.5, braking=False)
    assert estimate.offset_mps2 == pytest.approx(1.5, abs=0.02)
    for _ in range(200):
        estimate.step((0.0,) * 4, VALID, 1.5 - 4.0, braking=True)
    assert estimate.speed_mps == pytest.approx(16.0, abs=0.3)


def test_a_wheel_that_turns_faster_pulls_the_estimate_up() -> None:
    estimate = ReferenceSpeed()
    estimate.start_at(10.0)
    for _ in range(100):
        estimate.step((0.0, 12.0, 0.0, 0.0), VALID, 0.0, braking=True)
    assert estimate.speed_mps == pytest.approx(12.0, abs=0.1)


def test_a_wheel_in_step_with_the_vehicle_ends_an_estimate_too_fast() -> None:
    """Rolling at 10 m/s believed to be 14: within 8 % after 1 s."""
    estimate = ReferenceSpeed()
    estimate.start_at(14.0)
    for _ in range(200):
        estimate.step((10.0,) * 4, VALID, 0.0, braking=True)
    assert 10.0 <= estimate.speed_mps <= 10.9


def test_standstill_is_standstill_even_on_a_slope() -> None:
    estimate = ReferenceSpeed()
    estimate.start_at(0.2)
    for _ in range(200):
        estimate.step((0.0,) * 4, VALID, 1.9, braking=True)
    assert estimate.speed_mps == 0.0


def test_waking_in_a_moving_vehicle_calibrates_nothing() -> None:
    estimate = ReferenceSpeed()
    estimate.step((27.0,) * 4, VALID, 0.0, braking=False)
    assert estimate.speed_mps == 27.0
    assert estimate.offset_mps2 == 0.0


def test_an_estimate_in_place_of_the_accelerometer_is_free_of_its_offset() -> None:
    """1 s at -4 m/s2 with all wheels locked, after an offset of 1 m/s2 has been learnt."""
    estimate = ReferenceSpeed()
    for _ in range(2000):
        estimate.step((25.0,) * 4, VALID, 1.0, braking=False)
    assert estimate.offset_mps2 == pytest.approx(1.0, abs=0.01)
    for _ in range(200):
        estimate.step((0.0,) * 4, VALID, -4.0, braking=True, measured=False)
    assert estimate.speed_mps == pytest.approx(21.0, abs=0.1)


def test_an_estimate_teaches_no_offset() -> None:
    estimate = ReferenceSpeed()
    for _ in range(400):
        estimate.step((25.0,) * 4, VALID, -3.0, braking=False, measured=False)
    assert (estimate.offset_mps2, estimate.speed_mps) == (0.0, 25.0)
