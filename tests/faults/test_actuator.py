"""Faults of a brake actuator: what the caliper does, who may take it away, and how it ends."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore import Rig, UsageError, ms, s
from simcore.bus import Frame
from simcore.ecu.seam import Port
from simcore.faults import EcuSilent
from simcore.faults.actuator import (
    ActuatorFault,
    CaliperJammed,
    MotorFree,
    MotorSlow,
    OverTemperature,
    ParkLatchUnlocked,
    UnintendedClamp,
)

FL, FR, RL, RR = range(4)


@pytest.fixture(scope="module")
def warm() -> Rig:
    """Braking at 100 km/h with 40 % pedal. Never run: fork it."""
    rig = Rig(seed=5)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(300))
    rig.press_pedal(40)
    rig.run_for(ms(400))
    return rig


@pytest.fixture(scope="module")
def warm_cruise() -> Rig:
    """Rolling at 100 km/h, no pedal. Never run: fork it."""
    rig = Rig(seed=5)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(300))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


@pytest.fixture
def cruise(warm_cruise: Rig) -> Rig:
    return warm_cruise.fork()


class Idle:
    """A module that leaves its motor alone and monitors nothing."""

    def start(self, port: Port, now_ns: int) -> None:
        port.write("motor_current_a", 0.0)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Nothing is of interest."""

    def on_timer(self, now_ns: int) -> None:
        """Never called."""

    def next_deadline_ns(self) -> int | None:
        return None


@pytest.fixture
def idle(cruise: Rig) -> Rig:
    """At 100 km/h; the left actuators do nothing, so that a fault shows as it is."""
    for name in ("EMB_FL", "EMB_RL"):
        cruise.replace(name, Idle())
    return cruise


def forces_n(rig: Rig) -> tuple[float, float, float, float]:
    return rig.vehicle.clamp_force_n


def test_a_jammed_caliper_keeps_its_force_on_release_and_gives_it_back_afterwards(
    rig: Rig,
) -> None:
    injected = rig.inject(CaliperJammed(corner="FL"))
    held_n = forces_n(rig)[FL]
    rig.release_pedal()
    rig.run_for(ms(300))
    # the screw stands; the pads wear by micrometres
    assert forces_n(rig)[FL] == pytest.approx(held_n, rel=0.01)
    assert max(forces_n(rig)[FR:]) < 500.0
    injected.clear()
    rig.run_for(ms(400))
    assert forces_n(rig)[FL] < 500.0


def test_a_caliper_that_is_jammed_twice_is_free_after_both(rig: Rig) -> None:
    first, second = (rig.inject(CaliperJammed(corner="RR")) for _ in range(2))
    first.clear()
    assert rig.plant.calipers[RR].jammed
    second.clear()
    assert not rig.plant.calipers[RR].jammed


def test_a_motor_without_its_screw_spins_and_the_force_is_below_500_n_within_20_ms(
    rig: Rig,
) -> None:
    before_n = forces_n(rig)[FL]
    rig.inject(MotorFree(corner="FL"))
    rig.run_for(ms(20))
    assert before_n > 8_000.0 and forces_n(rig)[FL] < 500.0
    rig.run_for(ms(100))
    assert forces_n(rig)[FL] == 0.0


def test_the_angle_sensor_of_a_free_motor_follows_the_motor_not_the_screw(rig: Rig) -> None:
    rig.inject(MotorFree(corner="FL"))
    rig.run_for(ms(30))
    caliper = rig.plant.calipers[FL]
    shown_m = rig.pin("EMB_FL", "screw_travel_m")
    assert shown_m == caliper.motor_travel_m
    assert shown_m - caliper.screw_travel_m > 1e-4  # the motor has run on


def test_a_free_motor_brakes_again_when_it_is_mended(rig: Rig) -> None:
    injected = rig.inject(MotorFree(corner="FL"))
    rig.run_for(ms(25))
    assert forces_n(rig)[FL] < 500.0
    injected.clear()
    rig.run_for(ms(1))
    assert rig.pin("EMB_FL", "screw_travel_m") == rig.plant.calipers[FL].screw_travel_m
    rig.reset("EMB_FL")  # its position sensor has jumped: it may have made something of that
    rig.run_for(ms(600))
    assert forces_n(rig)[FL] == pytest.approx(forces_n(rig)[FR], rel=0.05)


def test_a_locked_latch_holds_a_screw_without_its_motor(cruise: Rig) -> None:
    caliper = cruise.plant.calipers[RL]
    caliper.place_at(9_000.0)
    cruise.node("EMB_RL")
    cruise.inject(EcuSilent(node="EMB_RL"))
    cruise.host("EMB_RL").outputs["park_lock_state"] = 1.0
    cruise.inject(MotorFree(corner="RL"))
    cruise.run_for(ms(100))
    assert caliper.clamp_force_n == pytest.approx(9_000.0, rel=0.01)


def time_to_force_ms(rig: Rig, corner: int, force_n: float) -> float:
    start_ns = rig.now_ns
    rig.press_pedal(100)
    for _ in range(1000):
        if forces_n(rig)[corner] >= force_n:
            return (rig.now_ns - start_ns) / 1e6
        rig.run_for(ms(1))
    return float("inf")


def test_a_slow_motor_takes_longer_and_is_as_fast_as_ever_afterwards(cruise: Rig) -> None:
    healthy, slow, mended = cruise.fork(), cruise.fork(), cruise.fork()
    slow.inject(MotorSlow(corner="FL", ratio=0.2))
    mended.inject(MotorSlow(corner="FL", ratio=0.2)).clear()
    healthy_ms = time_to_force_ms(healthy, FL, 15_000.0)
    assert time_to_force_ms(slow, FL, 15_000.0) > healthy_ms + 40.0
    assert time_to_force_ms(mended, FL, 15_000.0) == healthy_ms
    assert mended.plant.calipers[FL].parameters is mended.plant.calipers[FR].parameters


def test_a_hot_winding_shows_at_its_pin_and_cools_when_the_fault_is_over(rig: Rig) -> None:
    before_c = rig.pin("EMB_RR", "motor_temperature_c")
    injected = rig.inject(OverTemperature(corner="RR", temperature_c=175.0))
    rig.run_for(ms(200))
    assert rig.pin("EMB_RR", "motor_temperature_c") == 175.0
    assert 20.0 < rig.pin("EMB_RL", "motor_temperature_c") < 25.0
    injected.clear()
    rig.run_for(ms(10))
    assert rig.pin("EMB_RR", "motor_temperature_c") == pytest.approx(before_c, abs=0.5)


def test_the_later_of_two_temperatures_counts_until_it_is_over(rig: Rig) -> None:
    first = rig.inject(OverTemperature(corner="FL", temperature_c=150.0))
    second = rig.inject(OverTemperature(corner="FL", temperature_c=180.0))
    first.clear()
    assert rig.plant.calipers[FL].motor_temperature_c == 180.0
    second.clear()
    assert rig.plant.calipers[FL].motor_temperature_c < 25.0


def test_an_open_latch_lets_a_parked_brake_go_without_its_supply(cruise: Rig) -> None:
    caliper = cruise.plant.calipers[RL]
    host = cruise.host("EMB_RL")
    cruise.inject(EcuSilent(node="EMB_RL"))
    caliper.place_at(12_000.0)
    host.outputs["park_lock_state"] = 1.0
    held = cruise.fork()
    held.run_for(ms(300))
    assert forces_n(held)[RL] == pytest.approx(12_000.0, rel=0.01)
    injected = cruise.inject(ParkLatchUnlocked(corner="RL"))
    cruise.run_for(ms(300))
    assert forces_n(cruise)[RL] < 500.0
    assert cruise.pin("EMB_RL", "park_lock_state") == 1.0  # the output; the sensor sees the latch
    assert host.inputs["park_lock_state"] == 0.0
    injected.clear()
    cruise.run_for(ms(20))
    assert host.inputs["park_lock_state"] == 1.0


def test_a_power_stage_clamps_by_itself_whatever_is_written(idle: Rig) -> None:
    injected = idle.inject(UnintendedClamp(corner="FL"))
    idle.run_for(ms(60))
    assert idle.recorded("motor_current_a.FL")[-1] == 40.0
    assert idle.pin("EMB_FL", "motor_current_a") == 0.0
    assert forces_n(idle)[FL] > 20_000.0
    injected.clear()
    idle.run_for(ms(1))
    assert idle.recorded("motor_current_a.FL")[-1] == 0.0
    idle.run_for(ms(600))
    assert forces_n(idle)[FL] < 500.0


def test_part_of_the_current_is_part_of_the_clamp(idle: Rig) -> None:
    full, half = idle.fork(), idle.fork()
    full.inject(UnintendedClamp(corner="RL"))
    half.inject(UnintendedClamp(corner="RL", current_ratio=0.5))
    for each in (full, half):
        each.run_for(ms(60))
    assert half.recorded("motor_current_a.RL")[-1] == 16.0
    assert 500.0 < forces_n(half)[RL] < forces_n(full)[RL]


def test_a_power_stage_without_its_enable_line_drives_nothing(idle: Rig) -> None:
    idle.inject(UnintendedClamp(corner="FL"))
    idle.run_for(ms(20))
    assert idle.recorded("motor_current_a.FL")[-1] == 40.0
    idle.host("EMB_FL").set_power_stage(False)
    idle.run_for(ms(1))
    assert idle.recorded("motor_current_a.FL")[-1] == 0.0
    idle.host("EMB_FL").set_power_stage(True)
    idle.run_for(ms(1))
    assert idle.recorded("motor_current_a.FL")[-1] == 40.0


def test_a_power_stage_of_an_ecu_that_is_off_drives_nothing(idle: Rig) -> None:
    idle.inject(UnintendedClamp(corner="FL"))
    idle.run_for(ms(20))
    idle.inject(EcuSilent(node="EMB_FL"))
    idle.run_for(ms(1))
    assert idle.recorded("motor_current_a.FL")[-1] == 0.0


def test_the_reference_actuator_cuts_its_power_stage_by_the_enable_line(cruise: Rig) -> None:
    cruise.inject(UnintendedClamp(corner="FL"))
    cruise.run_for(ms(50))
    assert cruise.recorded("motor_current_a.FL").max() == 40.0
    lines = [event.text for event in cruise.log.events if event.source == "EMB_FL"]
    assert any(text.startswith("watchdog: enable line low") for text in lines)
    assert forces_n(cruise)[FL] < 5_000.0


FAULTS = [
    CaliperJammed(corner="FL"),
    MotorFree(corner="RL"),
    MotorSlow(corner="FR", ratio=0.3),
    OverTemperature(corner="RR", temperature_c=180.0),
    ParkLatchUnlocked(corner="RL"),
    UnintendedClamp(corner="FL", current_ratio=0.7),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_copies_in_the_middle_of_a_fault_go_on_alike_and_end_alike(
    rig: Rig, fault: ActuatorFault
) -> None:
    rig.press_pedal(60)
    rig.inject(fault, duration=ms(60))
    rig.run_for(ms(25))
    copies = [rig.fork(), copy.deepcopy(rig), pickle.loads(pickle.dumps(rig)), rig]
    for each in copies:
        each.run_for(ms(100))
    assert len({each.digest for each in copies}) == 1
    assert len({forces_n(each) for each in copies}) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_a_healthy_caliper_is_left_when_the_fault_is_over(rig: Rig, fault: ActuatorFault) -> None:
    rig.inject(fault, duration=ms(10))
    rig.run_for(ms(30))
    for caliper, neighbour in ((FL, FR), (RL, RR)):
        one, other = rig.plant.calipers[caliper], rig.plant.calipers[neighbour]
        assert one.parameters is other.parameters
        assert not one.jammed and not other.jammed
    rig.reset(fault.node)  # what its ECU made of it is the ECU's matter
    rig.run_for(s(1))
    corner = ("FL", "FR", "RL", "RR").index(fault.corner)
    neighbour = corner ^ 1
    assert forces_n(rig)[corner] == pytest.approx(forces_n(rig)[neighbour], rel=0.05)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    list(
        zip(
            FAULTS,
            [
                "EMB_FL: caliper jammed",
                "EMB_RL: motor spins without its screw",
                "EMB_FR: motor reaches 30 % of its speed",
                "EMB_RR: motor winding at 180 degC",
                "EMB_RL: park latch open",
                "EMB_FL: power stage drives 70 % current by itself",
            ],
            strict=True,
        )
    ),
)
def test_the_sentence_says_what_is_wrong(rig: Rig, fault: ActuatorFault, sentence: str) -> None:
    assert (fault.sentence, fault.layer) == (sentence, "actuator")
    assert rig.inject(fault).record.where == fault.node


def test_corners_and_values_are_checked() -> None:
    with pytest.raises(
        UsageError, match=r"^CaliperJammed\.corner: expected one of FL, FR, RL, RR, got 'LF'$"
    ):
        CaliperJammed(corner="LF")
    with pytest.raises(UsageError, match=r"^MotorSlow\.ratio: expected above 0, up to 1, got 0$"):
        MotorSlow(corner="FL", ratio=0)
    with pytest.raises(UsageError, match=r"^UnintendedClamp\.current_ratio: .* got 1\.5$"):
        UnintendedClamp(corner="FL", current_ratio=1.5)
    with pytest.raises(
        UsageError, match=r"^OverTemperature\.temperature_c: expected -40\.\.400, got 500$"
    ):
        OverTemperature(corner="FL", temperature_c=500)
    with pytest.raises(UsageError, match=r"^MotorSlow\.ratio: .* got True$"):
        MotorSlow(corner="FL", ratio=True)


def test_an_output_that_is_not_an_actuators_is_refused(rig: Rig) -> None:
    loop = rig._loop
    with pytest.raises(
        UsageError,
        match=r"^output of a node: expected one of EMB_FL, EMB_FR, EMB_RL, EMB_RR, got 'CDC'$",
    ):
        loop.disturb_output("CDC", "motor_current_a", lambda true_ratio, now_ns: 0.0)
    with pytest.raises(
        UsageError,
        match=r"^EMB_FL, output pin: expected one of motor_current_a, park_lock_state, got 'x'$",
    ):
        loop.disturb_output("EMB_FL", "x", lambda true_ratio, now_ns: 0.0)
