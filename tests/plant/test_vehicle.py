"""The vehicle alone: coasting, loads, locked stop, steering, slope, standstill."""

import copy
import math
import pickle

import pytest

from simcore.errors import UsageError
from simcore.plant.parameters import REFERENCE_VEHICLE
from simcore.plant.vehicle import Vehicle

DT_S = 0.001
NOTHING = (0.0, 0.0, 0.0, 0.0)
G_MPS2 = 9.81


def make_vehicle(kmh: float = 0.0, friction_ratio: float = 1.05) -> Vehicle:
    vehicle = Vehicle()
    vehicle.friction_ratio = [friction_ratio] * 4
    vehicle.set_speed(kmh / 3.6)
    return vehicle


def run(
    vehicle: Vehicle,
    seconds: float,
    *,
    brake_nm: tuple[float, ...] = NOTHING,
    drive_nm: tuple[float, ...] = NOTHING,
    steer_rad: float = 0.0,
) -> None:
    for _ in range(round(seconds / DT_S)):
        vehicle.step(DT_S, brake_nm, drive_nm, steer_rad)


def test_set_speed_is_steady_rolling_without_slip() -> None:
    vehicle = make_vehicle(100.0)
    assert vehicle.slip_ratio == [pytest.approx(0.0, abs=1e-12)] * 4
    assert vehicle.wheel_speed_radps == [pytest.approx(100.0 / 3.6 / 0.345)] * 4
    run(vehicle, 0.01)
    assert vehicle.speed_mps == pytest.approx(100.0 / 3.6, rel=1e-3)


def test_coasting_loses_exactly_drag_and_rolling_resistance() -> None:
    """Mean deceleration over 1 s from 100 km/h, wheels' inertia included: +-1 %."""
    vehicle = make_vehicle(100.0)
    run(vehicle, 0.5)
    before_mps = vehicle.speed_mps
    run(vehicle, 1.0)
    drag_n = 0.5 * 1.2 * 0.458 * before_mps**2 + 0.009 * 2200.0 * G_MPS2
    expected = drag_n / (2200.0 + 4 * 1.35 / 0.345**2)
    assert before_mps - vehicle.speed_mps == pytest.approx(expected, rel=0.01)


def test_static_loads_carry_the_weight_and_follow_the_mass() -> None:
    vehicle = make_vehicle()
    assert vehicle.wheel_load_n == [pytest.approx(2200.0 * G_MPS2 / 4)] * 4
    vehicle.set_mass(2700.0)
    run(vehicle, DT_S)
    assert vehicle.mass_kg == 2700.0
    assert vehicle.wheel_load_n == [pytest.approx(2700.0 * G_MPS2 / 4)] * 4


def test_braking_moves_load_to_the_front_axle() -> None:
    """Steady 5 m/s2: m h a / (2 L) per wheel, +-1 %; the sum stays the weight."""
    vehicle = make_vehicle(100.0)
    torque_nm = 2200.0 * 5.0 * 0.345 / 4
    run(vehicle, 1.0, brake_nm=(torque_nm,) * 4)
    shift_n = -2200.0 * 0.5 * vehicle.ax_mps2 / (2 * 3.0)
    front_n = 2200.0 * G_MPS2 / 4 + shift_n
    assert vehicle.ax_mps2 == pytest.approx(-5.0, abs=0.25)
    assert vehicle.wheel_load_n[0] == pytest.approx(front_n, rel=0.01)
    assert sum(vehicle.wheel_load_n) == pytest.approx(2200.0 * G_MPS2, rel=1e-9)


def test_all_wheels_locked_stop_by_sliding_friction() -> None:
    """v^2 / (2 x 0.813 x mu g), less a little drag: 45.9 m from 100 km/h on 1.05. +-1 %."""
    vehicle = make_vehicle(100.0)
    while vehicle.speed_mps > 0.01:
        vehicle.step(DT_S, (8000.0,) * 4, NOTHING, 0.0)
    assert vehicle.distance_m == pytest.approx(45.9, rel=0.01)


def test_a_ten_times_finer_step_gives_the_same_locked_stop() -> None:
    distances_m = []
    for dt_s in (DT_S, DT_S / 10):
        vehicle = make_vehicle(100.0)
        while vehicle.speed_mps > 0.01:
            vehicle.step(dt_s, (8000.0,) * 4, NOTHING, 0.0)
        distances_m.append(vehicle.distance_m)
    assert distances_m[0] == pytest.approx(distances_m[1], rel=0.001)


def test_steady_cornering_understeers_mildly() -> None:
    """Kus = (delta - L r / v) / ay = 0.0013 +-0.0003 rad/(m/s2), left turn at 80 km/h."""
    vehicle = make_vehicle(80.0)
    run(vehicle, 3.0, steer_rad=0.02)
    v, r = vehicle.speed_mps, vehicle.yaw_rate_radps
    assert r > 0.0
    assert vehicle.y_m > 0.0
    assert vehicle.wheel_load_n[1] > vehicle.wheel_load_n[0]
    assert (0.02 - 3.0 * r / v) / (v * r) == pytest.approx(0.0013, abs=0.0003)


def test_left_and_right_are_mirror_images_to_the_last_bit() -> None:
    left, right = make_vehicle(80.0), make_vehicle(80.0)
    run(left, 2.0, steer_rad=0.03, brake_nm=(300.0, 100.0, 200.0, 50.0))
    run(right, 2.0, steer_rad=-0.03, brake_nm=(100.0, 300.0, 50.0, 200.0))
    assert left.y_m == -right.y_m
    assert left.yaw_rad == -right.yaw_rad
    assert left.speed_mps == right.speed_mps


def test_the_heading_vector_and_the_yaw_angle_agree() -> None:
    vehicle = make_vehicle(50.0)
    run(vehicle, 5.0, steer_rad=0.08)
    before = (vehicle.x_m, vehicle.y_m)
    vehicle.step(DT_S, NOTHING, NOTHING, 0.08)
    moved = math.atan2(vehicle.y_m - before[1], vehicle.x_m - before[0])
    course = vehicle.yaw_rad + math.atan2(vehicle.vy_mps, vehicle.speed_mps)
    assert math.remainder(moved - course, 2 * math.pi) == pytest.approx(0.0, abs=1e-3)


def test_drive_torque_accelerates_the_vehicle() -> None:
    """1000 Nm per rear wheel: 2 x 1000 / 0.345 N on mass and wheel inertia, +-3 %."""
    vehicle = make_vehicle()
    run(vehicle, 2.0, drive_nm=(0.0, 0.0, 1000.0, 1000.0))
    force_n = 2000.0 / 0.345 - 0.009 * 2200.0 * G_MPS2
    expected = 2.0 * force_n / (2200.0 + 4 * 1.35 / 0.345**2)
    assert vehicle.speed_mps == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("mass_kg", [2200.0, 2700.0])
@pytest.mark.parametrize("grade_ratio", [0.2, -0.2, 0.3])
def test_rear_brakes_hold_on_a_slope_without_creep(mass_kg: float, grade_ratio: float) -> None:
    """BRK-008: after settling into the tyres' spring (< 5 mm) less than 0.05 mm/s over 60 s."""
    vehicle = make_vehicle()
    vehicle.set_mass(mass_kg)
    vehicle.set_grade(grade_ratio)
    vehicle.set_speed(0.0)
    run(vehicle, 2.0, brake_nm=(0.0, 0.0, 1800.0, 1800.0))
    settled_m = vehicle.x_m
    assert abs(settled_m) < 0.005
    run(vehicle, 20.0, brake_nm=(0.0, 0.0, 1800.0, 1800.0))
    assert abs(vehicle.x_m - settled_m) < 20.0 * 0.05e-3


def test_unbraked_on_a_slope_it_rolls_back() -> None:
    vehicle = make_vehicle()
    vehicle.set_grade(0.2)
    run(vehicle, 1.0)
    assert vehicle.speed_mps < -1.5


def test_the_inertial_sensor_feels_gravity_along_the_slope() -> None:
    vehicle = make_vehicle()
    vehicle.set_grade(0.2)
    run(vehicle, 3.0, brake_nm=(2000.0,) * 4)
    assert vehicle.ax_mps2 == pytest.approx(0.0, abs=1e-3)
    assert vehicle.specific_force_x_mps2 == pytest.approx(
        G_MPS2 * math.sin(math.atan(0.2)), abs=1e-3
    )


def test_after_a_stop_the_vehicle_rests() -> None:
    vehicle = make_vehicle(20.0)
    run(vehicle, 6.0, brake_nm=(1500.0,) * 4)
    assert abs(vehicle.speed_mps) < 1e-4
    assert vehicle.wheel_speed_radps == [0.0] * 4
    assert vehicle.slip_ratio == [0.0] * 4


def test_friction_may_change_under_one_wheel_at_any_time() -> None:
    vehicle = make_vehicle(80.0)
    run(vehicle, 0.5, brake_nm=(800.0,) * 4)
    vehicle.friction_ratio[0] = 0.1
    run(vehicle, 0.3, brake_nm=(800.0,) * 4)
    assert vehicle.wheel_speed_radps[0] == 0.0
    assert vehicle.slip_ratio[0] == pytest.approx(1.0)
    assert vehicle.wheel_speed_radps[1] > 0.0
    assert vehicle.yaw_rate_radps < 0.0


def test_a_copy_and_a_pickle_go_on_to_the_last_bit() -> None:
    vehicle = make_vehicle(80.0)
    run(vehicle, 0.2, steer_rad=0.05, brake_nm=(500.0,) * 4)
    twins = [copy.deepcopy(vehicle), pickle.loads(pickle.dumps(vehicle))]
    run(vehicle, 0.2, steer_rad=0.05, brake_nm=(500.0,) * 4)
    for twin in twins:
        assert twin.parameters == REFERENCE_VEHICLE
        run(twin, 0.2, steer_rad=0.05, brake_nm=(500.0,) * 4)
        assert (twin.x_m, twin.y_m, twin.yaw_rad) == (vehicle.x_m, vehicle.y_m, vehicle.yaw_rad)


@pytest.mark.parametrize("mass_kg", [0.0, -1.0, math.nan])
def test_a_mass_that_is_none_is_refused(mass_kg: float) -> None:
    with pytest.raises(UsageError, match=r"^Vehicle\.set_mass: expected > 0 kg, got"):
        Vehicle().set_mass(mass_kg)


@pytest.mark.parametrize("grade_ratio", [1.5, math.nan])
def test_a_grade_out_of_range_is_refused(grade_ratio: float) -> None:
    with pytest.raises(UsageError, match=r"^Vehicle\.set_grade: expected a ratio -1\.\.1, got"):
        Vehicle().set_grade(grade_ratio)


def test_a_speed_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^Vehicle\.set_speed: expected a finite speed, got nan"):
        Vehicle().set_speed(math.nan)
