"""Validation of plant and control together: the manoeuvres of UN R13-H and what they must give.

Expected figures come from a reference computation of the same equations with another slip
controller, so they are bounds and neighbourhoods, not exact values. Tolerances stand in each test.
Adhesion utilisation is MFDD / (mu g), on roads whose peak friction is known exactly here.
"""

from collections.abc import Callable
from math import degrees

import pytest

from simcore.plant.environment import Surface

G_MPS2 = 9.81
LANE_ROOM_M = (3.5 - 1.963) / 2.0
"""What a 1.963 m wide vehicle in the middle of a 3.5 m lane has on each side."""


@pytest.mark.parametrize(
    ("friction_ratio", "distance_m"),
    [(1.05, 40.2), (0.9, 46.5), (1.2, 36.4), (0.6, 68.0)],
)
def test_a_full_stop_from_100_kmh_is_as_short_as_the_reference(
    closed_loop: Callable, friction_ratio: float, distance_m: float
) -> None:
    """Distance +-2.5 %, utilisation >= 0.95 (also BRK-001: <= 70 m, MFDD >= 6.43 on 1.05)."""
    stop = closed_loop(Surface.uniform(friction_ratio), kmh=100.0).stop()
    assert stop.distance_m == pytest.approx(distance_m, rel=0.025)
    assert stop.mfdd_mps2() >= 0.95 * friction_ratio * G_MPS2
    assert max(stop.longest_lock_s) <= 0.150
    assert 5.0 <= stop.cycles / stop.time_s <= 12.0


@pytest.mark.parametrize(
    ("friction_ratio", "utilisation"), [(0.8, 0.95), (0.3, 0.95), (0.25, 0.95), (0.1, 0.93)]
)
def test_adhesion_is_used_from_50_kmh_and_no_wheel_stays_locked(
    closed_loop: Callable, friction_ratio: float, utilisation: float
) -> None:
    """BRK-006 asks for 0.75 and at most 150 ms of lock above 15 km/h; the reference does better."""
    stop = closed_loop(Surface.uniform(friction_ratio), kmh=50.0).stop()
    assert stop.mfdd_mps2() >= utilisation * friction_ratio * G_MPS2
    assert max(stop.longest_lock_s) <= 0.150


def test_without_slip_control_the_wheels_lock_and_the_stop_gets_longer(
    closed_loop: Callable,
) -> None:
    """45.9 m +-1 % with the wheels locked, more than 10 % above the stop with slip control."""
    locked = closed_loop(Surface.uniform(1.05), kmh=100.0, abs_on=False).stop()
    controlled = closed_loop(Surface.uniform(1.05), kmh=100.0).stop()
    assert max(locked.longest_lock_s) > 2.0
    assert locked.distance_m == pytest.approx(45.9, rel=0.01)
    assert locked.distance_m > 1.1 * controlled.distance_m


@pytest.mark.parametrize(("ramp_s", "distance_m"), [(0.02, 39.9), (0.12, 40.2), (0.3, 41.9)])
def test_a_slower_foot_costs_distance(
    closed_loop: Callable, ramp_s: float, distance_m: float
) -> None:
    """Tolerance +-2 %."""
    stop = closed_loop(Surface.uniform(1.05), kmh=100.0).stop(ramp_s=ramp_s)
    assert stop.distance_m == pytest.approx(distance_m, rel=0.02)


def test_a_laden_vehicle_stops_as_short_on_the_same_adhesion(closed_loop: Callable) -> None:
    """2700 kg: within 3 % of the 2200 kg stop, for the forces suffice."""
    light = closed_loop(Surface.uniform(1.05), kmh=100.0).stop()
    laden = closed_loop(Surface.uniform(1.05), kmh=100.0, mass_kg=2700.0).stop()
    assert laden.distance_m == pytest.approx(light.distance_m, rel=0.03)


def test_a_moderate_demand_gives_the_demanded_deceleration_without_slip_control(
    closed_loop: Callable,
) -> None:
    """6 m/s2 demanded: MFDD within 3 %, no wheel ever relieved."""
    stop = closed_loop(Surface.uniform(1.05), kmh=100.0).stop(6.0)
    assert stop.mfdd_mps2() == pytest.approx(6.0, rel=0.03)
    assert stop.cycles == 0


@pytest.mark.parametrize("abs_on", [True, False])
def test_a_ten_times_finer_plant_step_gives_the_same_stop(
    closed_loop: Callable, abs_on: bool
) -> None:
    """1 ms against 0.1 ms: stopping distance within 0.5 %."""
    coarse = closed_loop(Surface.uniform(1.05), kmh=100.0, abs_on=abs_on).stop()
    fine = closed_loop(Surface.uniform(1.05), kmh=100.0, abs_on=abs_on, sub_steps=10).stop()
    assert coarse.distance_m == pytest.approx(fine.distance_m, rel=0.005)


def test_a_split_road_is_braked_hard_and_kept_by_the_driver(closed_loop: Callable) -> None:
    """BRK-007: z >= 0.75 (4 k_L + k_H) / 5 = 0.27 from 50 km/h, lane kept; reference z 0.392.

    Steering <= 120 deg at the hand wheel (8.6 deg at the road wheels).
    """
    stop = closed_loop(Surface.split(0.8, 0.25), kmh=50.0, steering=True).stop()
    rate = stop.mfdd_mps2() / G_MPS2
    assert rate >= 0.75 * (4 * 0.25 + 0.8) / 5
    assert rate == pytest.approx(0.392, rel=0.05)
    assert stop.y_max_m < LANE_ROOM_M
    assert degrees(stop.yaw_max_rad) < 15.0
    assert degrees(stop.steer_max_rad) < 8.6
    assert max(stop.longest_lock_s) <= 0.150


def test_on_a_split_road_hands_off_the_vehicle_pulls_to_the_gripping_side(
    closed_loop: Callable,
) -> None:
    """Reference 2.0 m and 12 deg; tolerance +-25 %."""
    loop = closed_loop(Surface.split(0.8, 0.25), kmh=50.0)
    stop = loop.stop()
    assert loop.plant.vehicle.y_m > 0.0
    assert stop.y_max_m == pytest.approx(2.0, rel=0.25)
    assert degrees(stop.yaw_max_rad) == pytest.approx(12.0, rel=0.25)


def test_a_jump_to_low_friction_locks_no_wheel(closed_loop: Callable) -> None:
    """0.9 to 0.25 at about 80 km/h: deep slip (< 20 % wheel speed) <= 122 ms, lock <= 150 ms."""
    stop = closed_loop(Surface.jump(0.9, 0.25, at_x_m=15.0), kmh=90.0).stop()
    assert max(stop.longest_deep_s) <= 0.122
    assert max(stop.longest_lock_s) <= 0.150


def test_a_jump_to_high_friction_is_used_soon(closed_loop: Callable) -> None:
    """0.25 to 0.9 at about 63 km/h: 85 % of the new adhesion within 0.8 s (reference 1.3 s)."""
    loop = closed_loop(Surface.jump(0.25, 0.9, at_x_m=15.0), kmh=70.0)
    vehicle = loop.plant.vehicle
    since_jump_ms = 0
    for k in range(5000):
        loop.step(12.0 * min(1.0, k / 120.0))
        since_jump_ms += vehicle.friction_ratio[2] == 0.9
        if since_jump_ms > 20 and vehicle.ax_mps2 < -0.85 * 0.9 * G_MPS2:
            break
    assert 20 < since_jump_ms <= 800


@pytest.mark.parametrize(
    ("name", "lost", "mfdd_mps2", "distance_m"),
    [
        ("one rear", (2,), 8.15, 48.9),
        ("one front", (0,), 6.84, 58.3),
        ("other front", (1,), 6.84, 58.3),
        ("rear axle", (2, 3), 6.02, 65.6),
        ("left side", (0, 2), 5.05, 78.9),
        ("diagonal", (0, 3), 5.02, 78.0),
        ("front axle", (0, 1), 4.32, 90.5),
        ("all but FL", (1, 2, 3), 2.79, 138.8),
    ],
)
def test_what_is_left_of_the_brakes_stops_the_vehicle(
    closed_loop: Callable, name: str, lost: tuple[int, ...], mfdd_mps2: float, distance_m: float
) -> None:
    """DEG-001: >= 2.44 m/s2 and >= 95 % of the reference, distance +6 % at most, lane kept +0.3 m.

    The lane: a human catches the pull late, so 0.3 m more than the room in a 3.5 m lane is allowed
    here, where the yaw moment after the loss is not limited.
    """
    stop = closed_loop(Surface.uniform(1.05), kmh=100.0, lost=lost, steering=True).stop()
    assert stop.mfdd_mps2() >= 2.44
    assert stop.mfdd_mps2() >= 0.95 * mfdd_mps2
    assert stop.distance_m <= 1.06 * distance_m
    assert stop.y_max_m <= LANE_ROOM_M + 0.3
    assert max(stop.longest_lock_s) <= 0.150


def test_hot_discs_lengthen_the_same_stop(closed_loop: Callable) -> None:
    """Command of a cold 7.5 m/s2 stop: 52.6 m cold, 81.4 m from 500 C; tolerance +-2 %."""
    distances_m = []
    for disc_c in (20.0, 500.0):
        loop = closed_loop(Surface.uniform(1.05), kmh=100.0)
        for caliper in loop.plant.calipers:
            caliper.disc_temperature_c = disc_c
        distances_m.append(loop.stop(7.6).distance_m)
    assert distances_m == [pytest.approx(52.6, rel=0.02), pytest.approx(81.4, rel=0.02)]


@pytest.mark.parametrize("ax_offset_mps2", [-0.1, 0.1])
@pytest.mark.parametrize(("friction_ratio", "kmh"), [(1.05, 100.0), (0.3, 50.0)])
def test_an_accelerometer_that_is_a_little_off_does_little_harm(
    closed_loop: Callable, ax_offset_mps2: float, friction_ratio: float, kmh: float
) -> None:
    """0.1 m/s2 not calibrated away: utilisation still >= 0.93."""
    loop = closed_loop(Surface.uniform(friction_ratio), kmh=kmh, ax_offset_mps2=ax_offset_mps2)
    stop = loop.stop()
    assert stop.mfdd_mps2() >= 0.93 * friction_ratio * G_MPS2
    assert max(stop.longest_lock_s) <= 0.150


def test_the_stopped_vehicle_is_held_on_the_slope_by_its_brakes(closed_loop: Callable) -> None:
    """BRK-008: stop on 20 %, 2700 kg, then a lasting 3 m/s2 demand: roll-back < 5 cm in 10 s."""
    loop = closed_loop(Surface.uniform(1.05, grade_ratio=0.2), kmh=30.0, mass_kg=2700.0)
    loop.stop(6.0)
    stood_m = loop.plant.vehicle.x_m
    for _ in range(10_000):
        loop.step(3.0)
    assert abs(loop.plant.vehicle.x_m - stood_m) < 0.05
    assert abs(loop.plant.vehicle.speed_mps) < 1e-3


def test_the_same_stop_twice_is_the_same_to_the_last_bit(closed_loop: Callable) -> None:
    stops = [
        closed_loop(Surface.split(0.8, 0.25), kmh=50.0, steering=True).stop() for _ in range(2)
    ]
    assert stops[0] == stops[1]
