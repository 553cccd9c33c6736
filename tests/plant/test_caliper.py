"""The caliper alone: statics, friction, lock, jam, heat."""

import copy
import pickle

import pytest

from simcore.plant.caliper import Caliper
from simcore.plant.parameters import FRONT_CALIPER, REAR_CALIPER, CaliperParameters

DT_S = 0.001


def run(caliper: Caliper, steps: int, current_a: float, supply_v: float = 48.0) -> None:
    for _ in range(steps):
        caliper.step(DT_S, current_a, supply_v, 0.0, 0.0)


def test_a_new_caliper_rests_in_its_clearance_without_torque() -> None:
    caliper = Caliper(FRONT_CALIPER)
    run(caliper, 100, 0.0)
    assert caliper.screw_travel_m == -FRONT_CALIPER.clearance_m
    assert caliper.clamp_force_n == caliper.brake_torque_nm == caliper.battery_current_a == 0.0


@pytest.mark.parametrize("parameters", [FRONT_CALIPER, REAR_CALIPER])
@pytest.mark.parametrize("force_n", [1.0, 5e3, 27e3])
def test_travel_and_force_are_inverse_to_each_other(
    parameters: CaliperParameters, force_n: float
) -> None:
    caliper = Caliper(parameters)
    caliper.place_at(force_n)
    assert caliper.clamp_force_n == pytest.approx(force_n, rel=1e-9)


def test_torque_is_two_pads_times_friction_times_radius() -> None:
    caliper = Caliper(FRONT_CALIPER)
    caliper.place_at(20e3)
    assert caliper.brake_torque_nm == pytest.approx(2 * 0.40 * 0.14 * 20e3, rel=1e-9)


@pytest.mark.parametrize(
    ("force_n", "apply_a", "release_a"), [(10e3, 5.5, 3.5), (20e3, 10.7, 7.4), (30e3, 15.8, 11.3)]
)
def test_current_hysteresis_between_applying_and_releasing(
    force_n: float, apply_a: float, release_a: float
) -> None:
    """The current that just moves the screw, up and down. Tolerance: 0.3 A."""

    def moves(current_a: float) -> float:
        caliper = Caliper(FRONT_CALIPER)
        caliper.place_at(force_n)
        caliper.phase_current_a = current_a
        caliper.step(DT_S, current_a, 48.0, 0.0, 0.0)
        return caliper.motor_speed_radps

    currents_a = [k * 0.02 for k in range(1000)]
    least_up_a = next(a for a in currents_a if moves(a) > 0.0)
    least_hold_a = next(a for a in currents_a if moves(a) == 0.0)
    assert least_up_a == pytest.approx(apply_a, abs=0.3)
    assert least_hold_a == pytest.approx(release_a, abs=0.3)


def test_power_loss_releases_the_brake_by_itself() -> None:
    """From 30 kN: below 3 kN within 65 ms (+-10 ms), and nothing left."""
    caliper = Caliper(FRONT_CALIPER)
    caliper.place_at(30e3)
    released_ms = 0
    while caliper.clamp_force_n > 3e3:
        run(caliper, 1, 0.0, supply_v=0.0)
        released_ms += 1
    assert released_ms == pytest.approx(65, abs=10)
    run(caliper, 200, 0.0, supply_v=0.0)
    assert caliper.clamp_force_n == 0.0


def test_without_supply_a_current_request_does_nothing() -> None:
    caliper = Caliper(FRONT_CALIPER)
    run(caliper, 100, 40.0, supply_v=0.0)
    assert caliper.phase_current_a == 0.0
    assert caliper.screw_travel_m == -FRONT_CALIPER.clearance_m


def test_the_parking_lock_holds_against_release_but_lets_the_brake_tighten() -> None:
    caliper = Caliper(REAR_CALIPER)
    caliper.place_at(10e3)
    caliper.park_locked = True
    run(caliper, 1000, 0.0, supply_v=0.0)
    assert caliper.clamp_force_n == pytest.approx(10e3)
    run(caliper, 100, -20.0)
    assert caliper.clamp_force_n == pytest.approx(10e3)
    run(caliper, 30, 30.0)
    assert caliper.clamp_force_n > 11e3


def test_a_jammed_screw_moves_neither_way() -> None:
    caliper = Caliper(FRONT_CALIPER)
    caliper.place_at(10e3)
    caliper.jammed = True
    for current_a in (40.0, -40.0, 0.0):
        run(caliper, 200, current_a)
        assert caliper.clamp_force_n == pytest.approx(10e3)


def test_the_screw_stops_at_its_end_stop() -> None:
    caliper = Caliper(FRONT_CALIPER)
    run(caliper, 1000, -10.0)
    assert caliper.screw_travel_m == -FRONT_CALIPER.retracted_stop_m
    assert caliper.motor_speed_radps == 0.0


def test_back_emf_limits_the_current_of_a_fast_motor_at_low_supply() -> None:
    fast, slow = Caliper(FRONT_CALIPER), Caliper(FRONT_CALIPER)
    run(fast, 15, 40.0, supply_v=48.0)
    run(slow, 15, 40.0, supply_v=12.0)
    # 10 % above the voltage limit: the current loop needs a moment to follow it down.
    assert slow.motor_speed_radps < 1.1 * 0.95 * 12.0 / FRONT_CALIPER.motor_constant_nm_per_a
    assert fast.motor_speed_radps > 2.0 * slow.motor_speed_radps


def test_battery_power_is_mechanical_power_plus_copper_loss() -> None:
    caliper = Caliper(FRONT_CALIPER)
    run(caliper, 8, 40.0)
    copper_w = 0.12 * caliper.phase_current_a**2
    shaft_w = 0.11 * caliper.phase_current_a * caliper.motor_speed_radps
    assert caliper.battery_current_a * 48.0 == pytest.approx(copper_w + shaft_w)


def test_braking_heats_the_disc_and_air_cools_it() -> None:
    """10 kN at 80 rad/s for 1 s: 0.95 of the work into 5200 J/K, less little cooling. +-2 %."""
    caliper = Caliper(FRONT_CALIPER)
    caliper.place_at(10e3)
    caliper.jammed = True
    work_j = caliper.brake_torque_nm * 80.0
    for _ in range(1000):
        caliper.step(DT_S, 1.0, 48.0, 80.0, 25.0)
    hot_c = caliper.disc_temperature_c
    assert hot_c - 20.0 == pytest.approx(0.95 * work_j / 5200.0, rel=0.02)
    assert caliper.pad_wear_m == pytest.approx(1e-11 * work_j, rel=0.002)
    caliper.jammed = False
    caliper.place_at(0.0)
    for _ in range(10_000):
        caliper.step(DT_S, 0.0, 48.0, 80.0, 25.0)
    assert 20.0 < caliper.disc_temperature_c < hot_c


@pytest.mark.parametrize(
    ("disc_c", "ratio"), [(20.0, 1.0), (300.0, 1.0), (500.0, 0.70), (550.0, 0.53), (800.0, 0.53)]
)
def test_a_hot_disc_fades(disc_c: float, ratio: float) -> None:
    caliper = Caliper(FRONT_CALIPER)
    caliper.place_at(10e3)
    caliper.jammed = True
    cold_nm = caliper.brake_torque_nm
    caliper.disc_temperature_c = disc_c
    caliper.step(DT_S, 1.0, 48.0, 0.0, 0.0)
    assert caliper.brake_torque_nm == pytest.approx(ratio * cold_nm, abs=0.005 * cold_nm)


def test_worn_pads_touch_later() -> None:
    caliper = Caliper(FRONT_CALIPER)
    caliper.pad_wear_m = 1e-3
    caliper.screw_travel_m = 0.9e-3
    run(caliper, 1, 1.0)
    assert caliper.clamp_force_n == 0.0


def test_a_copy_and_a_pickle_go_on_to_the_last_bit() -> None:
    caliper = Caliper(FRONT_CALIPER)
    run(caliper, 30, 25.0)
    twins = [copy.deepcopy(caliper), pickle.loads(pickle.dumps(caliper))]
    run(caliper, 30, 25.0)
    for twin in twins:
        assert twin.screw_travel_m != caliper.screw_travel_m
        run(twin, 30, 25.0)
        assert twin.screw_travel_m == caliper.screw_travel_m
        assert twin.clamp_force_n == caliper.clamp_force_n
