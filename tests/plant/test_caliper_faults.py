"""What faults do to a caliper: jam, uncouple, scale, heat; alone, several at a time, and over."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.plant.caliper import Caliper
from simcore.plant.chassis import ChassisPlant
from simcore.plant.parameters import FRONT_CALIPER, REAR_CALIPER, CaliperParameters

DT_S = 0.001


def run(caliper: Caliper, steps: int, current_a: float, supply_v: float = 48.0) -> None:
    for _ in range(steps):
        caliper.step(DT_S, current_a, supply_v, 0.0, 0.0)


def uncoupled(force_n: float, parameters: CaliperParameters = FRONT_CALIPER) -> Caliper:
    caliper = Caliper(parameters)
    caliper.place_at(force_n)
    caliper.uncouple()
    return caliper


@pytest.mark.parametrize("parameters", [FRONT_CALIPER, REAR_CALIPER])
@pytest.mark.parametrize("force_n", [2e3, 10e3, 20e3, 40e3])
def test_a_screw_without_its_motor_opens_steadily_and_in_the_end_for_good(
    parameters: CaliperParameters, force_n: float
) -> None:
    caliper = uncoupled(force_n, parameters)
    before_n = caliper.clamp_force_n
    for _ in range(25):
        run(caliper, 1, 0.0)
        assert 0.0 < caliper.clamp_force_n < before_n
        before_n = caliper.clamp_force_n
    assert before_n < 500.0
    run(caliper, 200, 0.0)
    assert caliper.clamp_force_n == 0.0
    assert caliper.screw_travel_m == caliper.pad_wear_m


def test_a_motor_without_its_screw_reaches_its_no_load_speed_and_builds_no_force() -> None:
    caliper = uncoupled(0.0)
    run(caliper, 300, 40.0)
    no_load_radps = 0.95 * 48.0 / FRONT_CALIPER.motor_constant_nm_per_a
    assert caliper.motor_speed_radps == pytest.approx(no_load_radps, rel=0.03)
    assert caliper.clamp_force_n == 0.0
    assert caliper.screw_travel_m == -FRONT_CALIPER.clearance_m
    run(caliper, 3000, -40.0)
    assert caliper.motor_travel_m < -FRONT_CALIPER.retracted_stop_m  # nothing stops it


@pytest.mark.parametrize("held_by", ["lock", "jam"])
def test_lock_and_jam_hold_a_screw_without_its_motor(held_by: str) -> None:
    caliper = uncoupled(10e3)
    if held_by == "lock":
        caliper.park_locked = True
    else:
        caliper.jam()
    force_n = caliper.clamp_force_n
    run(caliper, 100, 10.0)
    assert caliper.clamp_force_n == force_n
    assert caliper.motor_speed_radps > 0.0
    assert caliper.park_locked == (held_by == "lock") and caliper.jammed == (held_by == "jam")


def test_a_mended_shaft_takes_the_screw_up_where_it_is() -> None:
    caliper = uncoupled(10e3)
    run(caliper, 5, 40.0)
    travel_m = caliper.screw_travel_m
    caliper.recouple()
    assert (caliper.motor_speed_radps, caliper.screw_travel_m) == (0.0, travel_m)
    run(caliper, 50, 20.0)
    assert caliper.clamp_force_n > 10e3
    assert caliper.parameters is FRONT_CALIPER


def test_a_shaft_that_broke_twice_is_mended_twice() -> None:
    caliper = uncoupled(10e3)
    caliper.uncouple()
    caliper.recouple()
    run(caliper, 200, 20.0)
    assert caliper.clamp_force_n == 0.0
    caliper.recouple()
    run(caliper, 200, 20.0)
    assert caliper.clamp_force_n > 10e3


def test_scalings_multiply_and_the_last_leaves_the_very_parameters_of_before() -> None:
    caliper = Caliper(FRONT_CALIPER)
    half, third = {"pad_friction_ratio": 0.5}, {"pad_friction_ratio": 0.3}
    caliper.scale(half)
    caliper.scale(third)
    caliper.place_at(10e3)
    assert caliper.brake_torque_nm == pytest.approx(0.15 * 2 * 0.40 * 0.14 * 10e3)
    caliper.unscale(half)
    assert caliper.parameters.pad_friction_ratio == 0.40 * 0.3
    caliper.unscale(third)
    assert caliper.parameters is FRONT_CALIPER


@pytest.mark.parametrize("faulty", range(4))
def test_a_faded_brake_is_not_taken_for_its_neighbour(faulty: int) -> None:
    """The two of an axle share a step only while they are alike."""
    plant = ChassisPlant()
    plant.vehicle.set_speed(20.0)
    for caliper in plant.calipers:
        caliper.place_at(5e3)
    plant.calipers[faulty].scale({"pad_friction_ratio": 0.5})
    plant.motor_current_a[:] = [6.0, 6.0, 8.0, 8.0]
    plant.step(DT_S)
    torque_nm = [caliper.brake_torque_nm for caliper in plant.calipers]
    assert torque_nm[faulty] == pytest.approx(0.5 * torque_nm[faulty ^ 1])


@pytest.mark.parametrize("faulty", range(4))
def test_an_uncoupled_brake_is_not_taken_for_its_neighbour(faulty: int) -> None:
    plant = ChassisPlant()
    for caliper in plant.calipers:
        caliper.place_at(5e3)
    plant.calipers[faulty].uncouple()
    plant.motor_current_a[:] = [3.0, 3.0, 4.0, 4.0]
    for _ in range(10):
        plant.step(DT_S)
    forces_n = [caliper.clamp_force_n for caliper in plant.calipers]
    assert [force_n > 3e3 for force_n in forces_n] == [place != faulty for place in range(4)]


def test_current_warms_the_winding_and_rest_cools_it() -> None:
    caliper = Caliper(FRONT_CALIPER)
    caliper.jam()
    for _ in range(100):
        run(caliper, 10, 40.0)
        caliper.warm_motor(0.01)
    # 0.12 ohm, 40 A: 192 W into 150 J/K for 1 s
    assert caliper.motor_temperature_c == pytest.approx(20.0 + 192.0 / 150.0, rel=0.02)
    hot_c = caliper.motor_temperature_c
    run(caliper, 20, 0.0)
    for _ in range(1000):
        caliper.warm_motor(0.01)
    assert 20.0 < caliper.motor_temperature_c < hot_c


def test_a_held_temperature_stays_and_the_own_one_comes_back() -> None:
    caliper = Caliper(FRONT_CALIPER)
    first = caliper.hold_motor_temperature(150.0)
    second = caliper.hold_motor_temperature(180.0)
    caliper.warm_motor(10.0)
    assert caliper.motor_temperature_c == 180.0
    caliper.release_motor_temperature(first)
    assert caliper.motor_temperature_c == 180.0
    caliper.release_motor_temperature(second)
    assert caliper.motor_temperature_c == 20.0


def test_a_copy_and_a_pickle_of_a_faulty_caliper_go_on_to_the_last_bit() -> None:
    caliper = uncoupled(10e3)
    caliper.scale({"usable_voltage_ratio": 0.5})
    run(caliper, 3, 25.0)
    twins = [copy.deepcopy(caliper), pickle.loads(pickle.dumps(caliper))]
    for each in (caliper, *twins):
        run(each, 3, 25.0)
        each.recouple()
        each.unscale({"usable_voltage_ratio": 0.5})
        run(each, 30, 25.0)
    for twin in twins:
        assert twin.screw_travel_m == caliper.screw_travel_m
        assert twin.motor_travel_m == caliper.motor_travel_m
        assert twin.clamp_force_n == caliper.clamp_force_n
        assert twin.parameters is FRONT_CALIPER or twin.parameters == FRONT_CALIPER
