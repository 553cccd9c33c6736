"""The plant's loop: what a fault costs while there is none, and that it leaves nothing behind."""

from __future__ import annotations

import pytest

from simcore.rig import Rig
from simcore.rig.disturbed_pins import DisturbedOutputs
from simcore.rig.pins import COLUMNS, PlantLoop
from simcore.units import ms


def doubled(true_ratio: float, now_ns: int) -> float:
    return 2.0 * true_ratio


def unchanged(true_ratio: float, now_ns: int) -> float:
    return true_ratio


def test_without_faults_pins_are_written_directly(standing: Rig) -> None:
    loop = standing._loop
    plain = loop._update_pins
    assert plain == loop._show_truth
    loop.disturb_pin("BPS", "pedal_force_n", doubled)
    loop.disturb_pin("IMU", "ax_mps2", doubled)
    loop.undisturb_pin("BPS", "pedal_force_n", doubled)
    assert loop._update_pins != plain
    loop.undisturb_pin("IMU", "ax_mps2", doubled)
    assert loop._update_pins == plain
    loop.disturb_output("EMB_RL", "motor_current_a", doubled)
    loop.disturb_output("EMB_RL", "park_lock_state", doubled)
    loop.undisturb_output("EMB_RL", "motor_current_a", doubled)
    assert isinstance(loop._emb_outputs[2], DisturbedOutputs)
    loop.undisturb_output("EMB_RL", "park_lock_state", doubled)
    outputs: object = standing.host("EMB_RL").outputs
    assert any(each is outputs for each in loop._emb_outputs)


@pytest.mark.parametrize("forked", [False, True])
def test_a_transform_that_changes_nothing_changes_no_bit(rolling: Rig, forked: bool) -> None:
    healthy = rolling.fork()
    loop = rolling._loop
    for pin in ("clamp_force_n", "screw_travel_m", "motor_temperature_c"):
        loop.disturb_pin("EMB_FL", pin, unchanged)
    loop.disturb_pin("BPS", "pedal_travel_1_mm", unchanged)
    loop.disturb_output("EMB_FL", "motor_current_a", unchanged)
    rig = rolling.fork() if forked else rolling
    for each in (healthy, rig):
        each.press_pedal(70)
        each.run_for(ms(300))
    assert rig.digest == healthy.digest
    for column in COLUMNS:
        assert (rig.recorded(column) == healthy.recorded(column)).all()


def test_a_pin_is_disturbed_from_the_moment_on(rolling: Rig) -> None:
    rolling.run_for(ms(1) // 2)
    loop: PlantLoop = rolling._loop
    truth_radps = rolling.pin("EMB_FL", "wheel_speed_radps")
    loop.disturb_pin("EMB_FL", "wheel_speed_radps", doubled)
    assert rolling.pin("EMB_FL", "wheel_speed_radps") == 2.0 * truth_radps
    loop.undisturb_pin("EMB_FL", "wheel_speed_radps", doubled)
    assert rolling.pin("EMB_FL", "wheel_speed_radps") == truth_radps
