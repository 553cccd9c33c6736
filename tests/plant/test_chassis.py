"""Calipers, vehicle and road together."""

import copy
import pickle

import pytest

from simcore.plant.chassis import ChassisPlant
from simcore.plant.environment import Surface

DT_S = 0.001


def test_at_rest_nothing_moves() -> None:
    plant = ChassisPlant()
    for _ in range(1000):
        plant.step(DT_S)
    assert plant.vehicle.speed_mps == plant.vehicle.x_m == 0.0
    assert [c.clamp_force_n for c in plant.calipers] == [0.0] * 4


def test_motor_current_at_one_corner_brakes_that_corner_only() -> None:
    plant = ChassisPlant()
    plant.vehicle.set_speed(20.0)
    plant.motor_current_a[2] = 20.0
    for _ in range(200):
        plant.step(DT_S)
    assert [c.clamp_force_n > 1000.0 for c in plant.calipers] == [False, False, True, False]
    assert plant.vehicle.slip_ratio[2] > 0.02
    assert plant.vehicle.yaw_rate_radps > 0.0


def test_without_supply_a_corner_does_not_answer() -> None:
    plant = ChassisPlant()
    plant.supply_v[0] = 0.0
    plant.motor_current_a[:] = [20.0] * 4
    for _ in range(200):
        plant.step(DT_S)
    assert [c.clamp_force_n > 1000.0 for c in plant.calipers] == [False, True, True, True]


def test_the_front_axle_reaches_a_friction_jump_first() -> None:
    plant = ChassisPlant(surface=Surface.jump(0.9, 0.3, at_x_m=5.0))
    plant.vehicle.set_speed(10.0)
    seen = set()
    for _ in range(1000):
        plant.step(DT_S)
        seen.add(tuple(plant.vehicle.friction_ratio))
        if plant.vehicle.friction_ratio[2] == 0.3:
            break
    assert seen == {(0.9,) * 4, (0.3, 0.3, 0.9, 0.9), (0.3,) * 4}
    assert plant.vehicle.x_m - 1.5 == pytest.approx(5.0, abs=0.03)


def test_a_new_surface_brings_its_friction_and_slope_at_once() -> None:
    plant = ChassisPlant()
    plant.set_surface(Surface.split(0.8, 0.25, grade_ratio=0.1))
    assert plant.vehicle.friction_ratio == [0.8, 0.25, 0.8, 0.25]
    assert plant.vehicle.grade_ratio == 0.1
    assert plant.surface.grade_ratio == 0.1


def test_friction_set_by_hand_stays_on_a_uniform_surface() -> None:
    plant = ChassisPlant()
    plant.vehicle.friction_ratio[1] = 0.2
    plant.step(DT_S)
    assert plant.vehicle.friction_ratio[1] == 0.2


def test_park_locked_rear_brakes_hold_the_laden_vehicle_after_the_supply_is_gone() -> None:
    """BRK-008: 2700 kg on 20 %, 8.3 kN per rear wheel, no supply: < 5 cm over 60 s."""
    plant = ChassisPlant(surface=Surface.uniform(1.05, grade_ratio=0.2), supply_v=0.0)
    plant.vehicle.set_mass(2700.0)
    for corner in (2, 3):
        plant.calipers[corner].place_at(8300.0)
        plant.calipers[corner].park_locked = True
    for _ in range(60_000):
        plant.step(DT_S)
    assert abs(plant.vehicle.x_m) < 0.05
    assert abs(plant.vehicle.speed_mps) < 0.05e-3


def test_seven_kn_is_too_little_for_that() -> None:
    plant = ChassisPlant(surface=Surface.uniform(1.05, grade_ratio=0.2), supply_v=0.0)
    plant.vehicle.set_mass(2700.0)
    for corner in (2, 3):
        plant.calipers[corner].place_at(7000.0)
        plant.calipers[corner].park_locked = True
    for _ in range(3000):
        plant.step(DT_S)
    assert plant.vehicle.x_m < -0.05


def test_a_copy_and_a_pickle_go_on_to_the_last_bit() -> None:
    plant = ChassisPlant(surface=Surface.split(0.8, 0.3))
    plant.vehicle.set_speed(30.0)
    plant.motor_current_a[:] = [15.0, 15.0, 10.0, 10.0]
    for _ in range(100):
        plant.step(DT_S)
    twins = [copy.deepcopy(plant), pickle.loads(pickle.dumps(plant))]
    for _ in range(200):
        plant.step(DT_S)
    for twin in twins:
        assert twin.vehicle.x_m < plant.vehicle.x_m
        for _ in range(200):
            twin.step(DT_S)
        assert twin.vehicle.x_m == plant.vehicle.x_m
        assert twin.vehicle.yaw_rad == plant.vehicle.yaw_rad


def test_a_held_road_is_the_wheels_and_the_surface_stays_the_scripts() -> None:
    plant = ChassisPlant(surface=Surface.uniform(0.9, grade_ratio=0.1))
    road = plant.surface
    friction = plant.hold_friction(Surface.split(0.8, 0.3).segments)
    grade = plant.hold_grade(-0.05)
    assert plant.vehicle.friction_ratio == [0.8, 0.3, 0.8, 0.3]
    assert plant.vehicle.grade_ratio == -0.05
    assert plant.surface is road
    plant.release_friction(friction)
    assert plant.vehicle.friction_ratio == [0.9] * 4
    assert plant.vehicle.grade_ratio == -0.05
    plant.release_grade(grade)
    assert plant.vehicle.grade_ratio == 0.1


def test_a_held_supply_is_the_inverters_until_it_is_released() -> None:
    plant = ChassisPlant()
    twice = [plant.hold_supply(2, 0.0), plant.hold_supply(2, 12.0)]
    assert plant.supply_v == [48.0, 48.0, 12.0, 48.0]
    plant.release_supply(2, twice[0])
    assert plant.supply_v[2] == 12.0
    plant.release_supply(2, twice[1])
    assert plant.supply_v == [48.0] * 4
