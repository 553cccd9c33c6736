"""Brake force distribution: ideal curve, totals, lost wheels, yaw limit."""

import copy
from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.cdc.distribution import (
    DEFAULT,
    distribute,
    front_share_ratio,
    tyre_force_per_clamp_ratio,
)
from simcore.errors import UsageError

MAX_N = (40e3, 40e3, 27e3, 27e3)
ALL = (True,) * 4


def forces(
    decel_mps2: float,
    available: tuple[bool, ...] = ALL,
    *,
    speed_mps: float = 27.8,
    since_loss_s: float = inf,
) -> list[float]:
    return distribute(
        decel_mps2,
        mass_kg=2200.0,
        available=available,
        force_max_n=MAX_N,
        speed_mps=speed_mps,
        since_loss_s=since_loss_s,
    )


def tyre_total_n(clamp_n: list[float]) -> float:
    return sum(clamp_n[i] * tyre_force_per_clamp_ratio(i) for i in range(4))


def test_no_demand_is_no_force() -> None:
    assert forces(0.0) == [0.0] * 4


def test_the_front_share_is_the_ideal_curve_plus_the_margin() -> None:
    assert front_share_ratio(0.0) == pytest.approx(0.52)
    assert front_share_ratio(0.8 * 9.81) == pytest.approx(0.633 + 0.02, abs=0.001)


def test_forces_of_the_legal_minimum_are_about_the_published_ones() -> None:
    """6.43 m/s2: 13.8 kN front and 8.3 kN rear on the ideal curve; the margin moves 3 %."""
    clamp_n = forces(6.43)
    assert clamp_n[0] == clamp_n[1] == pytest.approx(13.8e3, rel=0.05)
    assert clamp_n[2] == clamp_n[3] == pytest.approx(8.3e3, rel=0.07)


@pytest.mark.parametrize("decel_mps2", [0.5, 3.0, 8.0, 12.0])
def test_the_total_is_mass_times_deceleration(decel_mps2: float) -> None:
    assert tyre_total_n(forces(decel_mps2)) == pytest.approx(2200.0 * decel_mps2)


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_the_total_is_kept_when_one_brake_is_lost(lost: int) -> None:
    available = tuple(i != lost for i in range(4))
    clamp_n = forces(5.0, available)
    assert clamp_n[lost] == 0.0
    assert tyre_total_n(clamp_n) == pytest.approx(2200.0 * 5.0)


def test_the_wheel_behind_a_lost_one_takes_over_first() -> None:
    healthy, degraded = forces(2.0), forces(2.0, (False, True, True, True))
    assert degraded[2] > 2.0 * healthy[2]
    assert degraded[1] == pytest.approx(healthy[1])
    assert degraded[3] == pytest.approx(healthy[3])


def test_a_lost_front_brake_may_drive_a_rear_one_to_its_maximum() -> None:
    assert forces(12.0, (False, True, True, True))[2] == pytest.approx(27e3)


def test_with_one_side_lost_the_yaw_moment_is_limited_first_and_released_then() -> None:
    """Half of 0.8 x front load x lever = 6.5 kNm at first; all after 0.8 s."""
    side = (False, True, False, True)

    def moment_nm(since_loss_s: float) -> float:
        return 0.845 * tyre_total_n(forces(8.0, side, since_loss_s=since_loss_s))

    assert moment_nm(0.0) == moment_nm(0.3) == pytest.approx(6.47e3, rel=0.01)
    assert moment_nm(0.3) < moment_nm(0.5) < moment_nm(0.9)
    assert moment_nm(0.9) == moment_nm(inf)


def test_at_low_speed_the_yaw_moment_is_not_limited() -> None:
    side = (False, True, False, True)
    assert forces(8.0, side, speed_mps=5.0, since_loss_s=0.0) == forces(8.0, side)


def test_without_any_brake_there_is_no_force() -> None:
    assert forces(8.0, (False,) * 4) == [0.0] * 4


@given(
    decel_mps2=st.floats(0.0, 20.0),
    available=st.tuples(*[st.booleans()] * 4),
    since_loss_s=st.floats(0.0, 5.0),
    speed_mps=st.floats(0.0, 60.0),
)
def test_no_brake_gets_more_than_it_can_and_none_more_than_demanded(
    decel_mps2: float, available: tuple[bool, ...], since_loss_s: float, speed_mps: float
) -> None:
    clamp_n = forces(decel_mps2, available, speed_mps=speed_mps, since_loss_s=since_loss_s)
    for i in range(4):
        assert 0.0 <= clamp_n[i] <= (MAX_N[i] if available[i] else 0.0)
    assert tyre_total_n(clamp_n) <= 2200.0 * decel_mps2 * (1.0 + 1e-9) + 1e-6


@pytest.mark.parametrize("decel_mps2", [-0.1, nan, inf])
def test_a_demand_that_is_none_is_refused(decel_mps2: float) -> None:
    with pytest.raises(UsageError, match=r"^distribute, decel_mps2: expected >= 0 m/s2, got"):
        forces(decel_mps2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mass_kg": 0.0}, r"^distribute, mass_kg: expected > 0 kg, got 0\.0"),
        ({"available": (True,)}, r"^distribute, available: expected 4 values, got 1"),
        ({"force_max_n": (1.0, 1.0)}, r"^distribute, force_max_n: expected 4 forces >= 0 N, got"),
        ({"force_max_n": (1.0, 1.0, 1.0, -1.0)}, r"force_max_n: expected 4 forces >= 0 N, got"),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    arguments = {"mass_kg": 2200.0, "available": ALL, "force_max_n": MAX_N, "speed_mps": 10.0}
    with pytest.raises(UsageError, match=message):
        distribute(1.0, **(arguments | change))


def test_parameters_are_checked_and_shared() -> None:
    assert copy.deepcopy(DEFAULT) is DEFAULT
    with pytest.raises(
        UsageError, match=r"^DistributionParameters\.track_m: expected a finite number > 0, got 0"
    ):
        replace(DEFAULT, track_m=0.0)
