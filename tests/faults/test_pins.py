"""Faults of sensors: what the ECU reads, what it makes of it, and the truth back afterwards."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest

from simcore import Rig, UsageError, ms
from simcore.faults.fault import SiteFault
from simcore.faults.pins import (
    ChannelDisagreement,
    PinFault,
    SensorDrift,
    SensorNoise,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
)
from simcore.plant.parameters import FRONT_CALIPER
from simcore.rig.reference import PINS

TRAVEL, SPEED = "screw_travel_m", "motor_speed_radps"


@pytest.fixture(scope="module")
def warm() -> Rig:
    """Braking at 100 km/h with 40 % pedal. Never run: fork it."""
    rig = Rig(seed=5)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(300))
    rig.press_pedal(40)
    rig.run_for(ms(300))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


def series(rig: Rig, node: str, pin: str, count: int = 20) -> list[float]:
    """A pin in the next milliseconds."""
    found = []
    for _ in range(count):
        rig.run_for(ms(1))
        found.append(rig.pin(node, pin))
    return found


def events(rig: Rig, kind: str, since_ns: int) -> list[str]:
    return [
        f"{event.source}: {event.text}"
        for event in rig.log.events
        if event.kind == kind and event.time_ns > since_ns
    ]


def test_a_stuck_sensor_shows_the_value_of_the_moment_and_then_the_truth_again(rig: Rig) -> None:
    before_radps = rig.pin("EMB_FL", "wheel_speed_radps")
    injected = rig.inject(SensorStuck(node="EMB_FL", pin="wheel_speed_radps"))
    assert set(series(rig, "EMB_FL", "wheel_speed_radps")) == {before_radps}
    truth = rig.plant.vehicle.wheel_speed_radps[0]
    assert truth < before_radps - 0.2
    injected.clear()
    assert rig.pin("EMB_FL", "wheel_speed_radps") == truth


def test_a_pin_that_is_only_written_on_a_change_gets_its_true_value_back(rig: Rig) -> None:
    truth_mm = rig.pin("BPS", "pedal_travel_1_mm")
    injected = rig.inject(SensorStuck(node="BPS", pin="pedal_travel_1_mm", value=3.0))
    assert series(rig, "BPS", "pedal_travel_1_mm") == [3.0] * 20
    injected.clear()
    assert rig.pin("BPS", "pedal_travel_1_mm") == truth_mm == 24.0
    assert series(rig, "BPS", "pedal_travel_1_mm") == [truth_mm] * 20


def test_an_offset_follows_a_truth_that_changes_meanwhile(rig: Rig) -> None:
    rig.inject(SensorOffset(node="BPS", pin="pedal_travel_1_mm", value=-2.5))
    rig.press_pedal(60)
    for _ in range(150):
        rig.run_for(ms(1))
        true_mm = rig.pin("BPS", "pedal_travel_2_mm")
        assert rig.pin("BPS", "pedal_travel_1_mm") == true_mm - 2.5
    assert true_mm == 36.0


@pytest.mark.parametrize("pin", ["disc_temperature_c", "battery_current_a"])
def test_an_offset_of_a_slowly_sampled_pin_does_not_add_up(rig: Rig, pin: str) -> None:
    twin = rig.fork()
    rig.inject(SensorOffset(node="EMB_RR", pin=pin, value=7.0))
    shown, truth = series(rig, "EMB_RR", pin, 40), series(twin, "EMB_RR", pin, 40)
    # the battery's current in a fault-free loop; the ECU does not control with either pin
    assert shown == [value + 7.0 for value in truth]


def test_a_drift_grows_with_time(rig: Rig) -> None:
    rig.inject(SensorDrift(node="IMU", pin="ay_mps2", value_per_s=2.0))
    rig.run_for(ms(500))
    truth = rig.plant.vehicle.specific_force_y_mps2
    assert rig.pin("IMU", "ay_mps2") == pytest.approx(truth + 1.0)


def test_noise_has_its_standard_deviation_no_mean_and_is_seeded(rig: Rig) -> None:
    twin, other = rig.fork(), Rig(seed=6)
    fault = SensorNoise(node="IMU", pin="roll_rate_radps", sigma=0.05)
    found = []
    for each in (rig, twin, other):
        each.inject(fault)
        found.append(series(each, "IMU", "roll_rate_radps", 400))
    first, second, third = found
    assert first == second != third
    assert sum(first) / 400 == pytest.approx(0.0, abs=0.01)
    assert sum(value * value for value in first) / 400 == pytest.approx(0.05**2, rel=0.25)
    assert len(set(first)) == 400


@pytest.mark.parametrize("to", ["supply", "ground", "open"])
@pytest.mark.parametrize("pin", ["pedal_travel_1_mm", "pedal_travel_2_mm", "pedal_force_n"])
def test_a_shorted_pedal_channel_is_invalid_within_three_samples(
    rig: Rig, pin: str, to: str
) -> None:
    quality = {
        "pedal_travel_1_mm": "BPS_Qf1",
        "pedal_travel_2_mm": "BPS_Qf2",
        "pedal_force_n": "BPS_QfF",
    }[pin]
    rig.inject(SensorRangeFault(node="BPS", pin=pin, to=to))
    assert rig.wait_for("BPS_Pedal", lambda values: values[quality] == 1, timeout=ms(17))


@pytest.mark.parametrize("pin", ["yaw_rate_radps", "ax_mps2", "ay_mps2"])
@pytest.mark.parametrize("to", ["supply", "ground"])
def test_a_shorted_inertial_sensor_is_invalid_within_three_samples(
    rig: Rig, pin: str, to: str
) -> None:
    quality = {"yaw_rate_radps": "IMU_YawQf", "ax_mps2": "IMU_AxQf", "ay_mps2": "IMU_AyQf"}[pin]
    rig.inject(SensorRangeFault(node="IMU", pin=pin, to=to))
    assert rig.wait_for("IMU_Data", lambda values: values[quality] == 1, timeout=ms(17))


@pytest.mark.parametrize("to", ["supply", "ground"])
def test_a_shorted_force_sensor_is_noticed_by_the_actuator(rig: Rig, to: str) -> None:
    since_ns = rig.now_ns
    rig.inject(SensorRangeFault(node="EMB_FL", pin="clamp_force_n", to=to))
    rig.run_for(ms(30))
    states = events(rig, "state", since_ns)
    assert any("EMB_FL" in text and "FORCE_SENSOR_LOST" in text for text in states)


@pytest.mark.parametrize("to", ["supply", "ground"])
def test_a_shorted_motor_angle_sensor_is_noticed_by_the_actuator(rig: Rig, to: str) -> None:
    since_ns = rig.now_ns
    rig.inject(SensorRangeFault(node="EMB_FL", pin=TRAVEL, to=to))
    assert series(rig, "EMB_FL", SPEED, 5) == [0.0] * 5
    rig.run_for(ms(30))
    states = events(rig, "state", since_ns)
    assert any("EMB_FL" in text and "MOTION_SENSOR_LOST" in text for text in states)


def test_every_sensor_of_the_reference_vehicle_has_a_value_for_a_short(rig: Rig) -> None:
    sensors = [
        (node, pin)
        for node, (inputs, _) in PINS.items()
        for pin in inputs
        if not pin.endswith("_state")
    ]
    assert len(sensors) > 40
    for node, pin in sensors:
        before = rig.pin(node, pin)
        rig.inject(SensorRangeFault(node=node, pin=pin, to="supply"))
        assert rig.pin(node, pin) > before + 0.01


def test_the_two_travel_channels_disagree(rig: Rig) -> None:
    rig.inject(ChannelDisagreement(value=10.0))
    assert rig.pin("BPS", "pedal_travel_2_mm") == rig.pin("BPS", "pedal_travel_1_mm") + 10.0
    assert rig.wait_for("BPS_Pedal", lambda values: values["BPS_SwState"] == 2, timeout=ms(10))


# -- one sensor for travel and speed of the motor --


def test_a_stuck_motor_angle_has_no_speed(rig: Rig) -> None:
    rig.press_pedal(80)
    rig.run_for(ms(20))
    travel_m = rig.pin("EMB_FL", TRAVEL)
    rig.inject(SensorStuck(node="EMB_FL", pin=TRAVEL))
    rig.run_for(ms(5))
    assert rig.plant.calipers[0].motor_speed_radps != 0.0
    assert (rig.pin("EMB_FL", TRAVEL), rig.pin("EMB_FL", SPEED)) == (travel_m, 0.0)


def test_an_offset_of_the_motor_angle_leaves_the_speed(rig: Rig) -> None:
    rig.inject(SensorOffset(node="EMB_FL", pin=TRAVEL, value=1e-4))
    for _ in range(20):
        rig.run_for(ms(1))
        assert rig.pin("EMB_FL", SPEED) == rig.plant.calipers[0].motor_speed_radps != 0.0


def test_a_drift_of_the_motor_angle_is_a_speed_that_is_not_there(rig: Rig) -> None:
    rig.inject(SensorDrift(node="EMB_FL", pin=TRAVEL, value_per_s=1e-3))
    rig.run_for(ms(1))
    wrong_radps = rig.pin("EMB_FL", SPEED) - rig.plant.calipers[0].motor_speed_radps
    assert wrong_radps == pytest.approx(1e-3 / FRONT_CALIPER.gear_m_per_rad)


def test_noise_of_the_motor_angle_is_noise_of_the_speed(rig: Rig) -> None:
    rig.inject(SensorNoise(node="EMB_FL", pin=TRAVEL, sigma=1e-6))
    errors_m, errors_radps = [], []
    for _ in range(50):
        rig.run_for(ms(1))
        caliper = rig.plant.calipers[0]
        errors_m.append(rig.pin("EMB_FL", TRAVEL) - caliper.screw_travel_m)
        errors_radps.append(rig.pin("EMB_FL", SPEED) - caliper.motor_speed_radps)
    for (before_m, after_m), wrong_radps in zip(pairwise(errors_m), errors_radps[1:], strict=True):
        expected_radps = (after_m - before_m) / 0.001 / FRONT_CALIPER.gear_m_per_rad
        assert wrong_radps == pytest.approx(expected_radps, rel=1e-6, abs=1e-6)


def test_a_fault_of_the_speed_alone_leaves_the_travel(rig: Rig) -> None:
    rig.inject(SensorOffset(node="EMB_FL", pin=SPEED, value=50.0))
    rig.run_for(ms(3))
    caliper = rig.plant.calipers[0]
    assert rig.pin("EMB_FL", TRAVEL) == caliper.screw_travel_m
    assert rig.pin("EMB_FL", SPEED) == caliper.motor_speed_radps + 50.0


# -- several, copies, the end --


def test_faults_of_one_pin_act_one_behind_the_other_and_end_each_by_itself(rig: Rig) -> None:
    pin = "pedal_force_n"
    offset = rig.inject(SensorOffset(node="BPS", pin=pin, value=10.0))
    stuck = rig.inject(SensorStuck(node="BPS", pin=pin, value=50.0))
    more = rig.inject(SensorOffset(node="BPS", pin=pin, value=1.0))
    assert series(rig, "BPS", pin, 3) == [51.0] * 3
    stuck.clear()
    assert series(rig, "BPS", pin, 3) == [211.0] * 3
    offset.clear()
    assert series(rig, "BPS", pin, 3) == [201.0] * 3
    more.clear()
    assert rig.pin("BPS", pin) == 200.0


def test_a_switch_that_is_pressed_while_its_pin_is_stuck_counts_afterwards(rig: Rig) -> None:
    pin = "auto_hold_switch_state"
    injected = rig.inject(SensorStuck(node="CDC", pin=pin))
    rig.set_auto_hold(True)
    rig.run_for(ms(5))
    assert (rig.pin("CDC", pin), rig.pin("CDC2", pin)) == (0.0, 1.0)
    injected.clear()
    assert rig.pin("CDC", pin) == 1.0


FAULTS = [
    SensorStuck(node="EMB_FL", pin=TRAVEL),
    SensorOffset(node="EMB_RR", pin="clamp_force_n", value=900.0),
    SensorDrift(node="EMB_FL", pin=TRAVEL, value_per_s=1e-3),
    SensorNoise(node="EMB_FL", pin=TRAVEL, sigma=2e-6),
    SensorNoise(node="EMB_FL", pin="wheel_speed_radps", sigma=2.0),
    SensorRangeFault(node="IMU", pin="yaw_rate_radps", to="ground"),
    ChannelDisagreement(value=-6.0),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_copies_in_the_middle_of_a_fault_go_on_alike_and_end_alike(
    rig: Rig, fault: PinFault
) -> None:
    rig.inject(fault, duration=ms(60))
    rig.run_for(ms(25))
    copies = [rig.fork(), copy.deepcopy(rig), pickle.loads(pickle.dumps(rig)), rig]
    for each in copies:
        each.run_for(ms(60))
    assert len({each.digest for each in copies}) == 1
    assert len({each.pin(fault.node, fault.pin) for each in copies}) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_a_fault_is_over_when_it_is_over(rig: Rig, fault: PinFault) -> None:
    rig.inject(fault, duration=ms(20))
    rig.run_for(ms(30))
    caliper, vehicle = rig.plant.calipers[0], rig.plant.vehicle
    truth = {
        ("EMB_FL", TRAVEL): caliper.screw_travel_m,
        ("EMB_FL", "wheel_speed_radps"): vehicle.wheel_speed_radps[0],
        ("EMB_RR", "clamp_force_n"): rig.plant.calipers[3].clamp_force_n,
        ("IMU", "yaw_rate_radps"): vehicle.yaw_rate_radps,
        ("BPS", "pedal_travel_2_mm"): 24.0,
    }
    assert rig.pin(fault.node, fault.pin) == truth[fault.node, fault.pin]
    assert rig.pin("EMB_FL", SPEED) == caliper.motor_speed_radps


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (SensorStuck(node="BPS", pin="pedal_force_n"), "BPS: pedal_force_n stuck where it is"),
        (SensorStuck(node="EMB_FL", pin="supply_v", value=9), "EMB_FL: supply_v stuck at 9 V"),
        (
            SensorOffset(node="IMU", pin="ax_mps2", value=-1.5),
            "IMU: ax_mps2 off by -1.5 m/s2",
        ),
        (
            SensorDrift(node="EMB_FL", pin="clamp_force_n", value_per_s=100.0),
            "EMB_FL: clamp_force_n drifts by 100 N per s",
        ),
        (
            SensorNoise(node="IMU", pin="yaw_rate_radps", sigma=0.1),
            "IMU: yaw_rate_radps noisy, standard deviation 0.1 rad/s",
        ),
        (
            SensorRangeFault(node="BPS", pin="pedal_travel_1_mm"),
            "BPS: pedal_travel_1_mm shorted to supply",
        ),
        (
            SensorRangeFault(node="BPS", pin="pedal_travel_1_mm", to="open", value=-4.0),
            "BPS: pedal_travel_1_mm line open, reads -4 mm",
        ),
        (
            ChannelDisagreement(),
            "BPS: pedal_travel_2_mm shifted by 10 mm against pedal_travel_1_mm",
        ),
    ],
)
def test_the_sentence_says_what_is_wrong(fault: PinFault, sentence: str) -> None:
    assert fault.sentence == sentence
    assert fault.layer == "pin"
    with pytest.raises(FrozenInstanceError):
        fault.node = "CDC"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (SensorStuck(node="BPSX", pin="pedal_force_n"), "expected one of .*BPS"),
        (
            SensorStuck(node="GW", pin="pedal_force_n"),
            r"^pins of node 'GW': expected one of CDC, CDC2, .*BPS.*, got 'GW'$",
        ),
        (
            SensorStuck(node="BPS", pin="pedal_travel_3_mm"),
            r"^BPS, input pin: expected one of pedal_force_n, pedal_travel_1_mm, "
            r"pedal_travel_2_mm, got 'pedal_travel_3_mm'$",
        ),
        (
            SensorRangeFault(node="CDC", pin="auto_hold_switch_state"),
            r"^SensorRangeFault, pin 'auto_hold_switch_state': expected a value, or one of "
            r"pedal_travel_1_mm, .*, got no value$",
        ),
    ],
)
def test_a_node_or_pin_that_is_not_there_is_refused(rig: Rig, fault: SiteFault, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        rig.inject(fault)


def test_values_are_checked() -> None:
    with pytest.raises(
        UsageError, match=r"^SensorOffset\.value: expected a finite number, got nan"
    ):
        SensorOffset(node="BPS", pin="pedal_force_n", value=float("nan"))
    with pytest.raises(UsageError, match=r"^SensorStuck\.value: expected a finite number, got '3'"):
        SensorStuck(node="BPS", pin="pedal_force_n", value="3")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^SensorNoise\.sigma: expected > 0, got 0\.0$"):
        SensorNoise(node="BPS", pin="pedal_force_n", sigma=0.0)
    with pytest.raises(
        UsageError, match=r"^SensorRangeFault\.to: expected one of supply, ground, open, got 'air'"
    ):
        SensorRangeFault(node="BPS", pin="pedal_force_n", to="air")
    with pytest.raises(
        UsageError,
        match=r"^ChannelDisagreement\.pin: expected one of pedal_travel_1_mm, pedal_travel_2_mm, "
        r"pedal_force_n, which have a second channel, got 'clamp_force_n'$",
    ):
        ChannelDisagreement(pin="clamp_force_n")


@pytest.mark.parametrize("pin", ["pedal_travel_1_mm", "pedal_travel_2_mm", "pedal_force_n"])
def test_each_channel_of_the_pedal_can_disagree_with_the_others(pin: str, rig: Rig) -> None:
    others = {"pedal_travel_1_mm", "pedal_travel_2_mm", "pedal_force_n"} - {pin}
    before = {name: rig.pin("BPS", name) for name in (pin, *others)}
    injected = rig.inject(ChannelDisagreement(pin=pin, value=12.0))
    assert rig.pin("BPS", pin) == before[pin] + 12.0
    assert all(rig.pin("BPS", name) == before[name] for name in others)
    assert " against pedal_travel_" in injected.record.sentence


def test_samples_that_are_not_the_truth_are_counted_while_the_node_is_on(rig: Rig) -> None:
    agrees = rig.inject(SensorStuck(node="BPS", pin="pedal_force_n"))
    offset = rig.inject(SensorOffset(node="IMU", pin="ay_mps2", value=1.0))
    rig.run_for(ms(9))
    assert (agrees.did_nothing, agrees.record.effect) == (True, "0 samples falsified")
    assert (offset.did_nothing, offset.record.effect) == (False, "10 samples falsified")
    rig.silence("IMU")
    other = pickle.loads(pickle.dumps(rig))
    other.run_for(ms(9))
    assert other.faults[1].record.effect == "10 samples falsified"
