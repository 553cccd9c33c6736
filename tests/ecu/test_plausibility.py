"""Wheel speeds, inertial sensor and supplies judged by the domain controller; a healthy car."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore import EcuSilent, Rig, ms, s
from simcore.ecu.cdc.distribution import distribute
from simcore.ecu.cdc.states import Degradation, degradation
from simcore.faults.message_timing import MessageDelayed
from simcore.faults.pins import SensorOffset, SensorRangeFault, SensorStuck

CORNERS = ("FL", "FR", "RL", "RR")


def rolling(
    kmh: float = 100.0,
    *,
    mu: float = 1.05,
    split: tuple[float, float] | None = None,
    **options: Any,
) -> Rig:
    rig = Rig(seed=3, **options)
    if split is None:
        rig.vehicle.set_friction(mu)
    else:
        rig.vehicle.set_friction(left_ratio=split[0], right_ratio=split[1])
    rig.vehicle.set_speed(kmh=kmh)
    rig.run_for(ms(400))
    return rig


def detections(rig: Rig, since_ns: int = 0) -> list[tuple[float, str]]:
    """What the two controllers found."""
    return [
        ((event.time_ns - since_ns) / 1e6, event.text)
        for event in rig.log.events
        if event.kind == "detection"
        and event.source in ("CDC", "CDC2")
        and event.time_ns >= since_ns
    ]


# -- nothing is wrong ------------------------------------------------------------------------------


def pump(rig: Rig) -> None:
    for pedal_pct in (100, 30, 100, 60):
        rig.press_pedal(pedal_pct, ramp_ns=0)
        rig.run_for(ms(150))
        rig.release_pedal()
        rig.run_for(ms(100))


def stop(rig: Rig) -> None:
    rig.press_pedal(100)
    rig.run_for(s(3))
    rig.release_pedal()
    rig.run_for(ms(300))


def kick(rig: Rig) -> None:
    rig.press_pedal(100, ramp_ns=0)
    rig.run_for(ms(600))


def accelerate_uphill(rig: Rig) -> None:
    rig.driver.accelerator_n = 5_000.0
    rig.run_for(s(1))
    rig.driver.accelerator_n = 0.0
    rig.vehicle.set_slope(pct=20)
    rig.run_for(s(1))


def hold(rig: Rig) -> None:
    rig.set_auto_hold(True)
    rig.vehicle.set_slope(pct=20)
    rig.press_pedal(60)
    rig.run_for(s(2))
    rig.release_pedal()
    rig.run_for(s(1))


def jump(rig: Rig) -> None:
    """A scenario that sets the speed anew."""
    rig.vehicle.set_speed(kmh=60)
    rig.run_for(ms(200))
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(200))


@pytest.mark.parametrize(
    ("drive", "options"),
    [
        (stop, {}),
        (kick, {}),
        (pump, {}),
        (stop, {"mu": 0.3, "kmh": 50.0}),
        (stop, {"mu": 0.1, "kmh": 40.0}),
        (stop, {"split": (0.8, 0.25), "kmh": 50.0}),
        (accelerate_uphill, {}),
        (hold, {"kmh": 20.0, "mu": 1.0}),
        (jump, {}),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_in_a_healthy_car_nothing_is_ever_found(
    drive: Callable[[Rig], None], options: dict[str, Any]
) -> None:
    rig = rolling(**options)
    drive(rig)
    assert detections(rig) == []
    assert rig.signal("CDC_BrkSt", "CDC_MonSt") == 0
    assert rig.signal("CDC_BrkSt", "CDC_DegrLvl") == 0
    assert rig.signal("CDC_BrkSt", "CDC_LampEsc") == 0
    assert rig.signal("CDC_BrkSt", "CDC_LampAbs") == 0


@pytest.mark.parametrize("corner", CORNERS)
def test_with_one_brake_lost_only_that_is_found(corner: str) -> None:
    rig = rolling()
    rig.press_pedal(50)
    rig.run_for(ms(300))
    rig.inject(EcuSilent(node=f"EMB_{corner}"))
    rig.run_for(s(1))
    assert [text for _, text in detections(rig)] == [f"EMB_{corner} lost: silent"]
    assert rig.signal("CDC_BrkSt", "CDC_MonSt") == 0


# -- wheel speeds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("corner", CORNERS)
def test_a_wheel_speed_that_is_off_while_rolling_is_left_out_within_100_ms(corner: str) -> None:
    rig = rolling()
    fault_ns = rig.now_ns
    fault = rig.inject(SensorOffset(node=f"EMB_{corner}", pin="wheel_speed_radps", value=10.0))
    rig.run_for(ms(150))
    found = detections(rig, fault_ns)
    assert len(found) == 1 and found[0][0] <= 100.0
    assert found[0][1].startswith(f"wheel speed {corner} wrong")
    assert rig.signal("CDC_WhlSpd", f"CDC_WhlQf{corner}") == 1
    assert rig.signal("CDC_BrkSt", "CDC_LampAbs") == 1
    rig.clear(fault)
    rig.run_for(s(2.5))
    assert rig.signal("CDC_WhlSpd", f"CDC_WhlQf{corner}") == 3
    assert rig.signal("CDC_BrkSt", "CDC_LampAbs") == 0


@pytest.mark.parametrize("mu", [1.05, 0.3])
def test_a_wheel_speed_that_is_stuck_while_braking_is_left_out_within_200_ms(mu: float) -> None:
    rig = rolling(mu=mu)
    rig.press_pedal(100)
    rig.run_for(ms(400))
    fault_ns = rig.now_ns
    rig.inject(SensorStuck(node="EMB_RL", pin="wheel_speed_radps"))
    rig.run_for(ms(250))
    found = detections(rig, fault_ns)
    assert [text.split(":")[0] for _, text in found] == ["wheel speed RL wrong"]
    assert found[0][0] <= 200.0


def test_a_stop_with_a_wheel_speed_that_is_stuck_stays_a_full_stop() -> None:
    """A reference speed that hung on it would open the other brakes."""
    rig = rolling()
    rig.press_pedal(100)
    rig.run_for(ms(300))
    rig.inject(SensorStuck(node="EMB_FL", pin="wheel_speed_radps"))
    result = rig.measure_stop(pedal_pct=100, timeout=s(8), ramp_ns=0)
    assert result.stopped and result.mfdd_mps2 >= 7.0


# -- inertial sensor -------------------------------------------------------------------------------


def test_an_acceleration_that_is_off_while_rolling_is_replaced_within_200_ms() -> None:
    rig = rolling()
    fault_ns = rig.now_ns
    rig.inject(SensorOffset(node="IMU", pin="ax_mps2", value=5.0))
    rig.run_for(ms(250))
    found = detections(rig, fault_ns)
    assert [text.split(":")[0] for _, text in found] == ["acceleration wrong"]
    assert found[0][0] <= 200.0
    assert rig.signal("CDC_BrkSt", "CDC_LampEsc") == 1
    assert rig.signal("CDC_VehDyn", "CDC_RefAccel") == pytest.approx(0.0)


def test_an_acceleration_that_is_stuck_when_the_driver_brakes_is_found_within_200_ms() -> None:
    rig = rolling()
    rig.inject(SensorStuck(node="IMU", pin="ax_mps2"))
    rig.run_for(ms(100))
    braked_ns = rig.now_ns
    rig.press_pedal(60)
    rig.run_for(ms(300))
    found = detections(rig, braked_ns)
    assert found and found[0][1].startswith("acceleration wrong: stuck")
    assert found[0][0] <= 200.0


@pytest.mark.parametrize("pedal_pct", [0, 50])
def test_a_yaw_rate_that_is_off_is_found_within_300_ms_rolling_or_braking(pedal_pct: int) -> None:
    rig = rolling()
    rig.press_pedal(pedal_pct)
    rig.run_for(ms(300))
    fault_ns = rig.now_ns
    rig.inject(SensorOffset(node="IMU", pin="yaw_rate_radps", value=0.3))
    rig.run_for(ms(350))
    found = detections(rig, fault_ns)
    assert [text.split(":")[0] for _, text in found] == ["yaw rate wrong"]
    assert found[0][0] <= 300.0
    assert rig.signal("CDC_BrkSt", "CDC_LampEsc") == 1
    rig.run_for(ms(200))
    assert rig.signal("CDC_Hmi", "HMI_MsgId") == 8


def test_a_sensor_that_says_itself_that_it_is_broken_is_told_once() -> None:
    rig = rolling()
    rig.inject(SensorRangeFault(node="IMU", pin="yaw_rate_radps"))
    rig.run_for(ms(300))
    assert [text for _, text in detections(rig)] == ["yaw rate not valid"]
    assert rig.signal("CDC_BrkSt", "CDC_LampEsc") == 1


def test_without_plausibility_nothing_is_compared() -> None:
    rig = rolling(without=["plausibility"])
    rig.inject(SensorOffset(node="EMB_FL", pin="wheel_speed_radps", value=10.0))
    rig.inject(SensorOffset(node="IMU", pin="yaw_rate_radps", value=0.3))
    rig.inject(SensorOffset(node="BPS", pin="pedal_travel_1_mm", value=20.0))
    rig.run_for(ms(500))
    assert detections(rig) == []


# -- late, supply, redistribution ------------------------------------------------------------------


def test_a_late_pedal_goes_on_counting_and_warns() -> None:
    rig = rolling()
    fault_ns = rig.now_ns
    rig.inject(MessageDelayed(message="BPS_Pedal", delay_ns=ms(20)))
    rig.run_for(ms(200))
    assert "pedal late" in [text for _, text in detections(rig, fault_ns)]
    assert rig.signal("CDC_BrkSt", "CDC_DegrLvl") == Degradation.PEDAL_DEGRADED
    rig.press_pedal(50)
    rig.run_for(ms(300))
    assert min(rig.vehicle.clamp_force_n) > 2_000.0


@pytest.mark.parametrize(("supply", "level"), [("A", 8), ("B", 9)])
def test_a_lost_supply_warns_by_itself(supply: str, level: int) -> None:
    """DEG-004: before an actuator on it says anything."""
    rig = rolling()
    rig.node("PDM").set("PDM_Supply", **{f"PDM_U{supply}": 0.0, f"PDM_St{supply}": "Fault"})
    rig.run_for(ms(150))
    assert [text for _, text in detections(rig)] == [f"supply {supply} lost"]
    assert rig.signal("CDC_BrkSt", "CDC_DegrLvl") == level
    assert rig.signal("CDC_BrkSt", "CDC_LampRed") == 1
    rig.run_for(ms(100))
    assert rig.signal("CDC_Hmi", "HMI_MsgId") == 4


def test_what_the_loss_of_a_supply_costs_goes_before_the_loss_itself() -> None:
    diagonal = (True, False, False, True)
    assert degradation(diagonal, pedal_degraded=True, supply=1) is Degradation.DIAGONAL
    none = (False, False, False, False)
    assert degradation(none, pedal_degraded=True, supply=1) is Degradation.PWR_A
    assert degradation(none, pedal_degraded=True, supply=0) is Degradation.PEDAL_DEGRADED


def test_without_redistribution_the_others_give_what_they_would_have_given() -> None:
    options: dict[str, Any] = {
        "mass_kg": 2_200.0,
        "force_max_n": [40_000.0] * 2 + [27_000.0] * 2,
        "speed_mps": 27.0,
    }
    whole = distribute(6.0, available=[True] * 4, **options)
    left = distribute(6.0, available=[False, True, True, True], redistribute=False, **options)
    assert left == pytest.approx([0.0, *whole[1:]])
    moved = distribute(6.0, available=[False, True, True, True], **options)
    assert moved[2] > whole[2]


def test_a_rig_without_redistribution_brakes_less_after_a_loss() -> None:
    found = []
    for without in ([], ["redistribution"]):
        rig = rolling(without=without)
        rig.press_pedal(50)
        rig.run_for(ms(400))
        rig.inject(EcuSilent(node="EMB_FL"))
        rig.run_for(s(1.2))
        found.append(-rig.plant.vehicle.ax_mps2)
    assert found[1] < 0.9 * found[0]
