"""Sensors and motor of an actuator that do not fit together: found in time, never without cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from simcore.ecu.emb.states import EmbState
from simcore.plant.caliper import Caliper
from simcore.plant.parameters import FRONT_CALIPER

Make = Callable[..., Any]


def stuck(brake: Any, pin: str) -> None:
    """The pin shows from now on what it shows now."""
    value = brake.bench.port.inputs[pin]
    brake.lies[pin] = lambda true, value=value: value


def until(brake: Any, done: Callable[[], bool], most_ms: int) -> int:
    """Milliseconds until something is so; at most `most_ms`."""
    for count in range(1, most_ms + 1):
        brake.run(1)
        if done():
            return count
    raise AssertionError(f"not within {most_ms} ms; {brake.bench.port.events}")


def in_state(brake: Any, state: EmbState) -> Callable[[], bool]:
    return lambda: brake.application.state is state


def braking(make_brake: Make, force_n: float = 12_000.0, name: str = "EMB_FL") -> Any:
    brake = make_brake(name)
    brake.command(force_n)
    brake.run(400)
    assert brake.caliper.clamp_force_n == pytest.approx(force_n, rel=0.03)
    return brake


# -- force sensor --------------------------------------------------------------------------------


@pytest.mark.parametrize("offset_n", [350.0, -350.0, 5_000.0])
def test_with_the_pads_in_the_clearance_an_offset_is_found_in_20_ms(
    make_brake: Make, offset_n: float
) -> None:
    brake = make_brake()
    brake.lies["clamp_force_n"] = lambda true: true + offset_n
    assert until(brake, in_state(brake, EmbState.DEGRADED), 20) <= 20
    assert brake.events("detection")[-1] == f"force sensor: {offset_n:.0f} N, by the travel 0 N"
    brake.run(10)
    status = brake.bench.last("EMB_FL_St1")
    assert (status["EMB_FL_FActQf"], status["EMB_FL_FaultLvl"]) == ("Degraded", "Degraded")


def test_an_offset_of_250_n_is_tolerated(make_brake: Make) -> None:
    brake = make_brake()
    brake.lies["clamp_force_n"] = lambda true: true + 250.0
    brake.command(10_000.0)
    brake.run(300)
    brake.command(0.0)
    brake.run(300)
    assert brake.events("detection") == []


def test_a_force_sensor_stuck_at_nothing_is_found_30_ms_after_contact_and_replaced(
    make_brake: Make,
) -> None:
    brake = make_brake()
    stuck(brake, "clamp_force_n")
    brake.command(12_000.0)
    until(brake, lambda: brake.caliper.clamp_force_n > 3_000.0, 100)
    assert until(brake, in_state(brake, EmbState.DEGRADED), 30) <= 30
    brake.run(400)
    assert brake.application.state is EmbState.DEGRADED
    assert brake.caliper.clamp_force_n == pytest.approx(12_000.0, rel=0.1)


def test_a_force_sensor_stuck_while_braking_is_found_at_the_release(make_brake: Make) -> None:
    brake = braking(make_brake)
    stuck(brake, "clamp_force_n")
    brake.run(200)
    assert brake.events("detection") == []
    brake.command(0.0)
    assert until(brake, in_state(brake, EmbState.DEGRADED), 60) <= 60
    assert brake.run(200)[-1] < 500.0


def test_a_drifting_force_sensor_is_found_before_it_is_3_kn_off(make_brake: Make) -> None:
    brake = braking(make_brake, 8_000.0)
    drift = {"n": 0.0}

    def drifts(true: float) -> float:
        drift["n"] += 5.0
        return true + drift["n"]

    brake.lies["clamp_force_n"] = drifts
    until(brake, in_state(brake, EmbState.DEGRADED), 1_000)
    shown_n = brake.bench.port.inputs["clamp_force_n"]
    assert abs(shown_n - brake.caliper.clamp_force_n) < 6_000.0
    assert "force sensor" in brake.events("detection")[-1]


# -- motion sensor -------------------------------------------------------------------------------


def test_a_frozen_motion_sensor_is_found_in_20_ms_of_motion(make_brake: Make) -> None:
    brake = make_brake()
    stuck(brake, "screw_travel_m")
    stuck(brake, "motor_speed_radps")
    brake.command(12_000.0)
    assert until(brake, in_state(brake, EmbState.SAFE_RELEASED), 20) <= 20
    assert "frozen" in brake.events("detection")[0]
    assert brake.run(400)[-1] < 500.0
    assert brake.application.state is EmbState.SAFE_RELEASED


@pytest.mark.parametrize("pin", ["screw_travel_m", "motor_speed_radps"])
def test_one_of_travel_and_speed_frozen_contradicts_the_other_in_15_ms(
    make_brake: Make, pin: str
) -> None:
    brake = make_brake()
    stuck(brake, pin)
    brake.command(12_000.0)
    assert until(brake, in_state(brake, EmbState.SAFE_RELEASED), 25) <= 25
    assert "travel and motor speed differ" in brake.events("detection")[0]


def test_a_travel_that_jumps_by_100_um_is_found_in_5_ms(make_brake: Make) -> None:
    brake = make_brake()
    brake.lies["screw_travel_m"] = lambda true: true + 100e-6
    assert until(brake, in_state(brake, EmbState.SAFE_RELEASED), 5) <= 5


def test_a_motion_sensor_that_is_well_again_is_not_trusted_before_a_start(make_brake: Make) -> None:
    brake = make_brake()
    brake.lies["screw_travel_m"] = lambda true: true + 100e-6
    brake.run(10)
    brake.lies.clear()
    brake.run(500)
    assert brake.application.state is EmbState.SAFE_RELEASED


# -- the motor -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RL"])
def test_a_jammed_caliper_is_found_15_ms_after_it_should_move(make_brake: Make, name: str) -> None:
    brake = make_brake(name)
    brake.caliper.jammed = True
    brake.run(100)
    assert brake.events("detection") == []  # nothing to be seen while nothing shall move
    brake.command(12_000.0)
    assert until(brake, in_state(brake, EmbState.FAULT_LOCKED), 20) <= 20
    brake.run(10)
    status = brake.bench.last(f"{name}_St1")
    assert (status[f"{name}_FaultLvl"], status[f"{name}_FMaxAvl"]) == ("Failed", 0)
    assert brake.bench.port.outputs["motor_current_a"] == 0.0


def test_a_caliper_jammed_while_clamped_is_found_at_the_release(make_brake: Make) -> None:
    brake = braking(make_brake)
    brake.caliper.jammed = True
    brake.run(100)
    brake.command(0.0)
    assert until(brake, in_state(brake, EmbState.FAULT_LOCKED), 25) <= 25


def test_a_motor_that_turns_freely_is_degraded_at_once_and_failed_when_it_has_come_to_rest(
    make_brake: Make,
) -> None:
    brake = make_brake()
    soft = replace(FRONT_CALIPER, stiffness_n_per_m=1.0, stiffening_n_per_m2=0.0)
    brake.caliper = Caliper(soft)
    brake.command(12_000.0)
    until(brake, in_state(brake, EmbState.DEGRADED), 60)
    until(brake, in_state(brake, EmbState.SAFE_RELEASED), 120)
    assert "motor turns freely" in brake.events("detection")[-1]


def test_a_slow_motor_is_found_after_15_ms_of_full_current(make_brake: Make) -> None:
    brake = make_brake()
    brake.caliper = SlowCaliper(brake.caliper)
    brake.command(20_000.0)
    assert until(brake, in_state(brake, EmbState.DEGRADED), 30) <= 30
    assert "motor slow" in brake.events("detection")[0]


class SlowCaliper:
    """A caliper whose motor does not get beyond 60 rad/s."""

    def __init__(self, caliper: Any) -> None:
        self._caliper = caliper

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caliper, name)

    def step(self, *arguments: float) -> None:
        caliper = self._caliper
        before_m = caliper.screw_travel_m
        caliper.step(*arguments)
        if caliper.motor_speed_radps > 60.0:
            caliper.motor_speed_radps = 60.0
            caliper.screw_travel_m = before_m + 0.001 * 60.0 * caliper.parameters.gear_m_per_rad


# -- temperature and supply ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature_c", "available_n", "level"),
    [(140.0, 40_000, "None"), (155.0, 20_000, "Warn"), (169.0, 10_000, "Warn")],
)
def test_a_hot_motor_is_derated_from_140_degrees(
    make_brake: Make, temperature_c: float, available_n: int, level: str
) -> None:
    brake = make_brake()
    brake.bench.port.inputs["motor_temperature_c"] = temperature_c
    brake.command(35_000.0)
    brake.run(400)
    assert brake.caliper.clamp_force_n == pytest.approx(min(35_000.0, available_n), rel=0.03)
    status = brake.bench.last("EMB_FL_St1")
    assert (status["EMB_FL_FMaxAvl"], status["EMB_FL_FaultLvl"]) == (available_n, level)
    assert brake.bench.last("EMB_FL_St2")["EMB_FL_TempMot"] == temperature_c


def test_at_170_degrees_the_motor_stops_and_begins_again_when_it_has_cooled_down(
    make_brake: Make,
) -> None:
    brake = braking(make_brake)
    pins = brake.bench.port.inputs
    pins["motor_temperature_c"] = 170.0
    brake.run(5)
    assert brake.application.state is EmbState.SAFE_RELEASED
    pins["motor_temperature_c"] = 131.0
    brake.run(400)
    assert brake.application.state is EmbState.SAFE_RELEASED
    pins["motor_temperature_c"] = 130.0
    brake.run(500)
    assert brake.application.state is EmbState.FORCE_CTRL
    assert "SAFE_RELEASED -> INIT (COOLED_DOWN)" in brake.events("state")


def test_below_36_v_it_warns_and_clamps_in_proportion_until_38_v(make_brake: Make) -> None:
    brake = make_brake()
    for supply_v, available_n, level in (
        (36.0, 40_000, "None"),
        (35.0, 38_750, "Warn"),
        (18.0, 20_000, "Warn"),
        (37.0, 40_000, "Warn"),
        (38.0, 40_000, "None"),
    ):
        brake.supply_v = supply_v
        brake.run(20)
        status = brake.bench.last("EMB_FL_St1")
        assert (status["EMB_FL_FMaxAvl"], status["EMB_FL_FaultLvl"]) == (available_n, level)
    assert brake.events("detection") == ["supply low: 35.0 V", "supply well again: 38.0 V"]


# -- park lock -----------------------------------------------------------------------------------


def parked(make_brake: Make) -> Any:
    brake = make_brake("EMB_RL")
    brake.command(0.0, "ParkApply")
    brake.run(500)
    assert brake.application.state is EmbState.PARK_APPLIED
    return brake


def test_a_parked_brake_that_loses_its_force_is_clamped_and_locked_again(make_brake: Make) -> None:
    brake = parked(make_brake)
    brake.caliper.place_at(5_000.0)
    brake.run(300)
    assert brake.application.state is EmbState.PARK_APPLIED
    assert brake.caliper.clamp_force_n > 11_000.0
    assert brake.events("reaction") == ["park brake applied again by the motor"]


def test_a_lock_that_opens_again_and_again_is_not_trusted_and_the_motor_holds(
    make_brake: Make,
) -> None:
    brake = parked(make_brake)
    brake.lock_broken = True
    for _ in range(8):
        brake.run(100)
    assert brake.application.state is EmbState.PARK_APPLYING
    assert brake.caliper.clamp_force_n > 11_000.0
    assert brake.bench.port.outputs["motor_current_a"] > 0.0
    assert len(brake.events("reaction")) == 3
    assert brake.bench.last("EMB_RL_St2")["EMB_RL_LockSt"] == "Fault"
    assert brake.bench.last("EMB_RL_St1")["EMB_RL_FaultLvl"] == "Warn"


# -- nothing to find -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RL"])
@pytest.mark.parametrize("slope", [100, 400, 1000])
def test_a_sound_brake_gives_no_cause_whatever_is_asked_of_it(
    make_brake: Make, name: str, slope: int
) -> None:
    brake = make_brake(name)
    corner = name[-2:]
    for force_n, count_ms in (
        (500.0, 60),
        (27_000.0, 15),
        (0.0, 20),
        (27_000.0, 200),
        (1_500.0, 35),
        (20_000.0, 35),
        (0.0, 300),
        (3_000.0, 1_000),
        (0.0, 5),
        (26_000.0, 5),
        (0.0, 300),
    ):
        brake.command(force_n, **{f"CDC_{corner}_FSlope": slope})
        brake.run(count_ms)
    assert brake.events("detection") == []


def test_wear_and_learning_the_contact_point_give_no_cause(make_brake: Make) -> None:
    brake = make_brake()
    for _ in range(12):
        brake.caliper.pad_wear_m += 8e-6  # a full stop from 100 km/h
        brake.command(20_000.0)
        brake.run(300)
        brake.command(0.0)
        brake.run(300)
    assert brake.events("detection") == []


def test_without_its_plausibility_checks_a_jammed_caliper_goes_unnoticed(make_brake: Make) -> None:
    brake = make_brake(without=["plausibility"])
    brake.caliper.jammed = True
    brake.command(12_000.0)
    brake.run(300)
    assert brake.events("detection") == []
    assert brake.application.state is EmbState.FORCE_CTRL
