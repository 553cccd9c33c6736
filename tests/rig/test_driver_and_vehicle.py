"""The driver's feet and hands, and what a script says to the vehicle."""

from __future__ import annotations

from typing import Any

import pytest

from simcore.errors import UsageError
from simcore.plant.environment import Surface
from simcore.rig import Rig
from simcore.units import ms, s

# -- pedal ---------------------------------------------------------------------------------------


def test_the_pedal_moves_along_a_straight_ramp(standing: Rig) -> None:
    standing.press_pedal(80, ramp_ns=ms(8))
    found = []
    for _ in range(10):
        standing.run_for(ms(1))
        found.append(standing.driver.pedal_pct)
    assert found == pytest.approx([10, 20, 30, 40, 50, 60, 70, 80, 80, 80])
    standing.release_pedal(ramp_ns=ms(4))
    standing.run_for(ms(1))
    assert standing.driver.pedal_pct == pytest.approx(60.0)
    assert standing.driver.pressed
    standing.run_for(ms(3))
    assert standing.driver.pedal_pct == 0.0
    assert not standing.driver.pressed


def test_the_default_ramp_takes_120_ms_and_the_default_release_is_at_once(standing: Rig) -> None:
    standing.press_pedal(100)
    standing.run_for(ms(60))
    assert standing.driver.pedal_pct == pytest.approx(50.0)
    standing.run_for(ms(60))
    assert standing.driver.pedal_pct == 100.0
    standing.release_pedal()
    standing.run_for(ms(1))
    assert standing.driver.pedal_pct == 0.0


def test_a_new_target_starts_from_where_the_pedal_is(standing: Rig) -> None:
    standing.press_pedal(100, ramp_ns=ms(10))
    standing.run_for(ms(5))
    standing.press_pedal(0, ramp_ns=ms(10))
    standing.run_for(ms(5))
    assert standing.driver.pedal_pct == pytest.approx(25.0)


@pytest.mark.parametrize("pedal_pct", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_pedal_position_is_0_to_100_percent(standing: Rig, pedal_pct: float) -> None:
    with pytest.raises(UsageError, match=r"^driver\.press: expected 0\.\.100 %, got .* %$"):
        standing.press_pedal(pedal_pct)
    assert not standing.driver.pressed


def test_a_ramp_does_not_go_back_in_time(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"^driver\.press: expected a ramp >= 0 ns, got -1 ns$"):
        standing.press_pedal(50, ramp_ns=-1)


def test_what_the_driver_does_is_in_the_events(standing: Rig) -> None:
    standing.press_pedal(35)
    standing.driver.hold_speed(50)
    standing.driver.hold_speed(None)
    standing.set_auto_hold(True)
    assert [event.text for event in standing.log.of_kind("driver")] == [
        "brake pedal to 35 %",
        "accelerator holds 50 km/h",
        "accelerator released",
        "auto hold switched on",
    ]


# -- accelerator and steering --------------------------------------------------------------------


def test_the_accelerator_holds_a_speed(rolling: Rig) -> None:
    rolling.driver.hold_speed(100)
    rolling.run_for(s(3))
    assert rolling.vehicle.speed_kmh == pytest.approx(100.0, abs=1.0)


def test_a_foot_off_the_accelerator_drives_no_more(rolling: Rig) -> None:
    rolling.driver.hold_speed(120)
    rolling.run_for(ms(100))
    assert rolling.driver.accelerator_n > 0.0
    rolling.driver.hold_speed(None)
    before_kmh = rolling.vehicle.speed_kmh
    rolling.run_for(s(1))
    assert rolling.driver.accelerator_n == 0.0
    assert rolling.vehicle.speed_kmh < before_kmh


def test_without_accelerator_the_vehicle_slows_down(rolling: Rig) -> None:
    kept = rolling.fork()
    kept.driver.hold_speed(100)
    for rig in (rolling, kept):
        rig.run_for(s(2))
    assert rolling.vehicle.speed_kmh < kept.vehicle.speed_kmh - 0.5


def test_braking_takes_the_foot_off_the_accelerator(rolling: Rig) -> None:
    rolling.driver.hold_speed(120)
    rolling.run_for(ms(50))
    assert rolling.driver.accelerator_n > 0.0
    rolling.press_pedal(20)
    rolling.run_for(ms(50))
    assert rolling.driver.accelerator_n == 0.0


@pytest.mark.parametrize("kmh", [-1.0, 301.0, float("nan")])
def test_a_speed_to_hold_is_a_speed(standing: Rig, kmh: float) -> None:
    with pytest.raises(
        UsageError, match=r"^driver\.hold_speed: expected 0\.\.300 km/h, got .* km/h$"
    ):
        standing.driver.hold_speed(kmh)


def test_hands_on_the_driver_keeps_the_lane_on_a_split_road(rolling: Rig) -> None:
    rolling.vehicle.set_friction(left_ratio=0.8, right_ratio=0.5)
    without = rolling.fork()
    without.driver.hands_on = False
    for rig in (rolling, without):
        rig.press_pedal(40)
        rig.run_for(s(1))
    assert abs(rolling.vehicle.lateral_offset_m) <= abs(without.vehicle.lateral_offset_m)
    assert without.plant.steer_rad == 0.0


# -- vehicle -------------------------------------------------------------------------------------


def test_a_speed_is_set_at_once_and_wheels_roll(standing: Rig) -> None:
    standing.vehicle.set_speed(kmh=72)
    assert standing.vehicle.speed_mps == pytest.approx(20.0)
    assert standing.vehicle.speed_kmh == pytest.approx(72.0)
    assert list(standing.plant.vehicle.wheel_speed_radps) == pytest.approx([20.0 / 0.345] * 4)
    assert standing.log.events[-1].text == "rolling at 72 km/h"


@pytest.mark.parametrize("kmh", [-1, 301])
def test_a_speed_is_0_to_300_kmh(standing: Rig, kmh: float) -> None:
    with pytest.raises(UsageError, match=r"^vehicle\.set_speed: expected 0\.\.300 km/h, got "):
        standing.vehicle.set_speed(kmh=kmh)


def test_friction_is_one_or_left_and_right(standing: Rig) -> None:
    standing.vehicle.set_slope(pct=5)
    standing.vehicle.set_friction(0.5)
    assert standing.plant.vehicle.friction_ratio == [0.5] * 4
    standing.vehicle.set_friction(left_ratio=0.8, right_ratio=0.2)
    assert standing.plant.vehicle.friction_ratio == [0.8, 0.2, 0.8, 0.2]
    assert standing.plant.surface.grade_ratio == 0.05
    assert [event.text for event in standing.log.of_kind("vehicle")][1:] == [
        "road mu 0.5, slope 5 %",
        "road mu 0.8 left, 0.2 right, slope 5 %",
    ]


@pytest.mark.parametrize(
    "values",
    [{}, {"left_ratio": 0.5}, {"friction_ratio": 0.5, "right_ratio": 0.2}],
    ids=["none", "left only", "both kinds"],
)
def test_other_combinations_of_friction_are_refused(
    standing: Rig, values: dict[str, float]
) -> None:
    with pytest.raises(
        UsageError,
        match=r"^vehicle\.set_friction: expected one friction, or left_ratio and right_ratio$",
    ):
        standing.vehicle.set_friction(**values)


def test_a_friction_out_of_range_is_refused_by_the_road(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"Segment\.left_ratio: expected friction 0 < ratio <= 2"):
        standing.vehicle.set_friction(0.0)


def test_a_surface_of_segments_says_how_many(standing: Rig) -> None:
    standing.vehicle.set_surface(Surface.jump(1.0, 0.3, at_x_m=50.0))
    assert standing.log.events[-1].text == "road mu 1, 2 segments"


def test_a_loaded_vehicle_weighs_more(standing: Rig) -> None:
    standing.vehicle.set_mass(kg=2700)
    assert standing.plant.vehicle.mass_kg == 2700
    assert standing.log.events[-1].text == "mass 2700 kg"


def test_distance_position_and_forces_are_the_truth(rolling: Rig) -> None:
    before_m = rolling.vehicle.distance_m
    x_m = rolling.vehicle.x_m
    rolling.run_for(s(1))
    assert rolling.vehicle.distance_m - before_m == pytest.approx(27.7, abs=0.3)
    assert rolling.vehicle.x_m - x_m == pytest.approx(27.7, abs=0.3)
    rolling.press_pedal(40)
    rolling.run_for(ms(400))
    assert rolling.vehicle.clamp_force_n == tuple(
        caliper.clamp_force_n for caliper in rolling.plant.calipers
    )
    assert min(rolling.vehicle.clamp_force_n) > 1_000.0


@pytest.mark.parametrize("wrong", ["100", None, True, float("nan")])
def test_a_quantity_that_is_no_number_is_the_scripts_mistake(wrong: Any) -> None:
    rig = Rig()
    for call in (
        lambda: rig.vehicle.set_speed(kmh=wrong),
        lambda: rig.vehicle.set_mass(kg=wrong),
        lambda: rig.vehicle.set_slope(pct=wrong),
        lambda: rig.vehicle.set_friction(wrong, left_ratio=wrong),
    ):
        with pytest.raises(UsageError, match=r"vehicle\.set_\w+"):
            call()


def test_what_cannot_be_called_or_waited_for_is_the_scripts_mistake() -> None:
    rig = Rig()
    wrong: Any = "x"
    with pytest.raises(UsageError, match="wait_for, accept: expected something to call, got 'x'"):
        rig.wait_for("CDC_BrkSt", wrong, timeout=1)
    with pytest.raises(UsageError, match="run_until, predicate: expected something to call"):
        rig.run_until(wrong, timeout=1)
    with pytest.raises(UsageError, match=r"at, time_ns: expected whole ns >= 0.*got '5'"):
        rig.at("5", rig.release_pedal)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="set_auto_hold: expected True or False, got 'x'"):
        rig.set_auto_hold(wrong)
