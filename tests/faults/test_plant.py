"""Faults of road and pads: what the vehicle does, and that they leave nothing behind."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore import Rig, UsageError, ms, s
from simcore.faults.plant import BrakeFaded, DiscHot, FrictionChanged, PlantFault, SlopeChanged
from simcore.plant.environment import Surface

FL, FR, RL, RR = range(4)


@pytest.fixture(scope="module")
def warm() -> Rig:
    """Braking at 100 km/h with 40 % pedal. Never run: fork it."""
    rig = Rig(seed=5)
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(300))
    rig.press_pedal(40)
    rig.run_for(ms(400))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


def ax_mps2(rig: Rig) -> float:
    return rig.plant.vehicle.ax_mps2


def test_ice_lengthens_the_stop_and_the_road_of_before_comes_back(rig: Rig) -> None:
    injected = rig.inject(FrictionChanged(ratio=0.2))
    rig.run_for(ms(300))
    assert ax_mps2(rig) > -2.1
    injected.clear()
    assert rig.plant.vehicle.friction_ratio == [1.05] * 4
    rig.run_for(ms(300))
    assert ax_mps2(rig) < -4.0


def test_split_friction_is_left_and_right(rig: Rig) -> None:
    rig.inject(FrictionChanged(left_ratio=0.8, right_ratio=0.25))
    assert rig.plant.vehicle.friction_ratio == [0.8, 0.25, 0.8, 0.25]


def test_the_road_that_the_script_sets_meanwhile_counts_afterwards(rig: Rig) -> None:
    injected = rig.inject(FrictionChanged(ratio=0.2))
    rig.vehicle.set_friction(0.8)
    rig.vehicle.set_slope(pct=5)
    assert rig.plant.vehicle.friction_ratio == [0.2] * 4
    assert rig.plant.vehicle.grade_ratio == 0.05
    injected.clear()
    assert rig.plant.vehicle.friction_ratio == [0.8] * 4
    assert rig.plant.vehicle.grade_ratio == 0.05


def test_friction_that_changes_along_the_way_comes_back_where_the_vehicle_is(rig: Rig) -> None:
    rig.vehicle.set_surface(Surface.jump(1.0, 0.5, at_x_m=rig.vehicle.x_m + 10.0))
    injected = rig.inject(FrictionChanged(ratio=0.9))
    rig.run_for(s(1))
    assert rig.plant.vehicle.friction_ratio == [0.9] * 4
    injected.clear()
    assert rig.plant.vehicle.friction_ratio == [0.5] * 4


def test_of_two_roads_the_later_counts_until_it_is_over(rig: Rig) -> None:
    first = rig.inject(FrictionChanged(ratio=0.3))
    second = rig.inject(FrictionChanged(ratio=0.5))
    first.clear()
    assert rig.plant.vehicle.friction_ratio == [0.5] * 4
    second.clear()
    assert rig.plant.vehicle.friction_ratio == [1.05] * 4


def test_faded_brakes_brake_in_proportion_and_recover(rig: Rig) -> None:
    healthy = rig.fork()
    injected = rig.inject(BrakeFaded(ratio=0.5))
    for each in (healthy, rig):
        each.run_for(ms(100))
    force_n = rig.vehicle.clamp_force_n
    assert force_n == pytest.approx(healthy.vehicle.clamp_force_n, rel=0.02)
    assert ax_mps2(rig) == pytest.approx(0.5 * ax_mps2(healthy), rel=0.1)
    injected.clear()
    rig.run_for(ms(100))
    assert ax_mps2(rig) == pytest.approx(ax_mps2(healthy), rel=0.03)
    assert rig.plant.calipers[FL].parameters is rig.plant.calipers[FR].parameters


def test_one_faded_brake_alone_pulls_the_vehicle_to_the_other_side(rig: Rig) -> None:
    rig.driver.hands_on = False
    rig.inject(BrakeFaded(corner="FL", ratio=0.2))
    rig.run_for(ms(400))
    left, right = rig.plant.calipers[FL], rig.plant.calipers[FR]
    share = (left.brake_torque_nm / left.clamp_force_n) / (
        right.brake_torque_nm / right.clamp_force_n
    )
    assert share == pytest.approx(0.2)
    assert rig.plant.vehicle.yaw_rate_radps < -0.01


def test_two_fades_of_a_brake_multiply_and_end_each_by_itself(rig: Rig) -> None:
    nominal_ratio = rig.plant.calipers[RL].parameters.pad_friction_ratio
    everywhere = rig.inject(BrakeFaded(ratio=0.5))
    rig.inject(BrakeFaded(corner="RL", ratio=0.4))
    assert rig.plant.calipers[RL].parameters.pad_friction_ratio == nominal_ratio * 0.5 * 0.4
    everywhere.clear()
    assert rig.plant.calipers[RL].parameters.pad_friction_ratio == nominal_ratio * 0.4
    assert rig.plant.calipers[RR].parameters.pad_friction_ratio == nominal_ratio


def test_a_hot_disc_fades_and_is_as_cold_as_it_would_be_afterwards(rig: Rig) -> None:
    healthy = rig.fork()
    injected = rig.inject(DiscHot(corner="FL", temperature_c=600.0))
    rig.run_for(ms(50))
    left, right = rig.plant.calipers[FL], rig.plant.calipers[FR]
    assert left.disc_temperature_c == pytest.approx(600.0, abs=3.0)
    assert left.brake_torque_nm < 0.6 * right.brake_torque_nm
    injected.clear()
    healthy.run_for(ms(50))
    expected_c = healthy.plant.calipers[FL].disc_temperature_c
    assert left.disc_temperature_c == pytest.approx(expected_c, abs=1.0)


def test_a_disc_that_the_wind_has_cooled_is_not_colder_than_the_air(rig: Rig) -> None:
    injected = rig.inject(DiscHot(corner="FL", temperature_c=300.0))
    rig.plant.calipers[FL].disc_temperature_c = 50.0
    injected.clear()
    assert rig.plant.calipers[FL].disc_temperature_c == 20.0


def test_a_disc_that_is_hotter_already_is_refused(rig: Rig) -> None:
    with pytest.raises(
        UsageError,
        match=r"^DiscHot, FL, temperature_c: expected above 2\d degC, which the disc has, "
        r"got 10 degC$",
    ):
        rig.inject(DiscHot(corner="FL", temperature_c=10.0))


def test_a_slope_begins_and_ends(rig: Rig) -> None:
    before_mps2 = ax_mps2(rig)
    injected = rig.inject(SlopeChanged(pct=-10.0))
    rig.run_for(ms(20))
    assert ax_mps2(rig) == pytest.approx(before_mps2 + 0.98, abs=0.15)
    injected.clear()
    assert rig.plant.vehicle.grade_ratio == 0.0
    rig.run_for(ms(20))
    assert ax_mps2(rig) == pytest.approx(before_mps2, abs=0.15)


FAULTS = [
    FrictionChanged(ratio=0.25),
    FrictionChanged(left_ratio=0.8, right_ratio=0.3),
    BrakeFaded(ratio=0.5),
    BrakeFaded(corner="RR", ratio=0.5),
    DiscHot(corner="FL", temperature_c=500.0),
    SlopeChanged(pct=8.0),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_copies_in_the_middle_of_a_fault_go_on_alike_and_end_alike(
    rig: Rig, fault: PlantFault
) -> None:
    rig.inject(fault, duration=ms(60))
    rig.run_for(ms(25))
    copies = [rig.fork(), copy.deepcopy(rig), pickle.loads(pickle.dumps(rig)), rig]
    for each in copies:
        each.run_for(ms(100))
    assert len({each.digest for each in copies}) == 1
    assert len({each.vehicle.x_m for each in copies}) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    list(
        zip(
            FAULTS,
            [
                "road: mu 0.25",
                "road: mu 0.8 left, 0.3 right",
                "all brakes faded: 50 % of the pads' friction left",
                "brake RR faded: 50 % of the pads' friction left",
                "brake disc FL at 500 degC",
                "road: slope 8 %",
            ],
            strict=True,
        )
    ),
)
def test_the_sentence_says_what_is_wrong(fault: PlantFault, sentence: str) -> None:
    assert (fault.sentence, fault.layer) == (sentence, "plant")


def test_values_are_checked() -> None:
    with pytest.raises(
        UsageError,
        match=r"^FrictionChanged: expected ratio, or left_ratio and right_ratio, got left_ratio$",
    ):
        FrictionChanged(left_ratio=0.3)
    with pytest.raises(UsageError, match=r"^FrictionChanged: expected ratio"):
        FrictionChanged()
    with pytest.raises(
        UsageError, match=r"^FrictionChanged\.ratio: expected above 0, up to 2, got 0\.0$"
    ):
        FrictionChanged(ratio=0.0)
    with pytest.raises(UsageError, match=r"^BrakeFaded\.ratio: expected above 0, up to 1, got 2$"):
        BrakeFaded(ratio=2)
    with pytest.raises(UsageError, match=r"^BrakeFaded\.corner: expected one of FL, FR, RL, RR"):
        BrakeFaded(ratio=0.5, corner="XX")
    with pytest.raises(UsageError, match=r"^DiscHot\.temperature_c: expected -40\.\.900"):
        DiscHot(corner="FL", temperature_c=2000.0)
    with pytest.raises(UsageError, match=r"^SlopeChanged\.pct: expected -100\.\.100, got 120"):
        SlopeChanged(pct=120.0)
