"""Tyre curve against its formula, and a single wheel: peak, locking, relaxation, standstill."""

import copy
import math
import pickle

import pytest

from simcore.plant.parameters import FRONT_TYRE
from simcore.plant.tyre import FrictionCurve, Wheel, friction_curve

DT_S = 0.001
LOAD_N = 5000.0


def make_wheel(speed_mps: float = 0.0) -> Wheel:
    wheel = Wheel(FRONT_TYRE, radius_m=0.345, inertia_kgm2=1.35, rolling_ratio=0.009)
    wheel.roll(speed_mps)
    return wheel


def formula(slip_ratio: float, shape_ratio: float = 1.45) -> float:
    stiffness = math.tan(math.pi / (2.0 * shape_ratio))
    return math.sin(shape_ratio * math.atan(stiffness * slip_ratio))


def test_the_table_follows_the_formula_within_2e_5() -> None:
    curve = friction_curve(1.45)
    slips = [k * 0.00137 for k in range(1, 20_000)]
    assert max(abs(curve.per_slip(q) * q - formula(q)) for q in slips) < 2e-5


def test_the_peak_is_one_at_combined_slip_one() -> None:
    curve = friction_curve(1.45)
    assert curve.per_slip(1.0) == pytest.approx(1.0, abs=1e-9)
    assert all(curve.per_slip(k / 100) * k / 100 <= 1.0 + 1e-9 for k in range(1, 3000))


def test_a_locked_wheel_keeps_0_81_of_the_peak() -> None:
    assert formula(1.0 / 0.11) == pytest.approx(0.813, abs=0.001)
    assert friction_curve(1.45).per_slip(1 / 0.11) / 0.11 == pytest.approx(0.813, abs=0.001)


def test_a_copied_or_pickled_curve_is_the_same_object() -> None:
    curve = friction_curve(1.45)
    assert copy.deepcopy(curve) is curve
    assert copy.copy(curve) is curve
    assert pickle.loads(pickle.dumps(curve)) is curve
    assert len(pickle.dumps(curve)) < 200
    assert isinstance(curve, FrictionCurve)


def test_a_braked_wheel_settles_where_torque_and_tyre_force_agree() -> None:
    wheel = make_wheel(20.0)
    for _ in range(500):
        wheel.step(DT_S, 20.0, 0.0, LOAD_N, 1.0, 1200.0, 0.0)
    resisting_nm = 1200.0 + 0.009 * LOAD_N * 0.345
    assert -wheel.force_x_n * 0.345 == pytest.approx(resisting_nm, rel=1e-3)
    assert -0.11 < wheel.slip_x_ratio < 0.0


def test_too_much_torque_locks_the_wheel_exactly_and_keeps_it_locked() -> None:
    wheel = make_wheel(20.0)
    for _ in range(300):
        wheel.step(DT_S, 20.0, 0.0, LOAD_N, 0.8, 2500.0, 0.0)
    assert wheel.speed_radps == 0.0
    assert wheel.force_x_n == pytest.approx(-0.8 * LOAD_N * 0.813, rel=0.005)


def test_slip_builds_up_over_the_relaxation_length() -> None:
    """Side slip 0.05 at 20 m/s: after one relaxation length (0.45 m) 63 % of the final slip."""
    wheel = make_wheel(20.0)
    steps = round(0.45 / 20.0 / DT_S)
    for _ in range(steps):
        wheel.step(DT_S, 20.0, -1.0, LOAD_N, 1.0, 0.0, 0.0)
    assert wheel.slip_y_ratio == pytest.approx(
        0.05 * (1.0 - math.exp(-steps * 0.02 / 0.45)), rel=0.01
    )


def test_a_step_longer_than_the_relaxation_stays_stable() -> None:
    wheel = make_wheel(60.0)
    for _ in range(500):
        wheel.step(0.004, 60.0, -3.0, LOAD_N, 1.0, 1000.0, 0.0)
    assert math.isfinite(wheel.speed_radps)
    assert wheel.slip_y_ratio == pytest.approx(0.05, rel=0.05)


def test_combined_slip_never_exceeds_the_friction_circle() -> None:
    wheel = make_wheel(20.0)
    for _ in range(500):
        wheel.step(DT_S, 20.0, -2.0, LOAD_N, 0.9, 900.0, 0.0)
        total_n = math.hypot(wheel.force_x_n, wheel.force_y_n)
        assert total_n <= 0.9 * LOAD_N * (1.0 + 1e-4)


def test_a_wheel_at_rest_stays_at_rest() -> None:
    wheel = make_wheel()
    for _ in range(100):
        wheel.step(DT_S, 0.0, 0.0, LOAD_N, 1.0, 0.0, 0.0)
    assert wheel.speed_radps == wheel.force_x_n == wheel.force_y_n == 0.0


def test_drive_torque_below_rolling_resistance_does_not_turn_the_wheel() -> None:
    wheel = make_wheel()
    for _ in range(100):
        wheel.step(DT_S, 0.0, 0.0, LOAD_N, 1.0, 0.0, 15.0)
    assert wheel.speed_radps == 0.0
