"""The two sensor ECUs bare on the bench: pedal (BPS) and inertial sensor (IMU)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.ecu import Bps, Imu
from simcore.network import Database
from simcore.units import ms

Make = Callable[..., Any]
PEDAL = {"pedal_travel_1_mm": 0.0, "pedal_travel_2_mm": 0.0, "pedal_force_n": 0.0}
INERTIA = {"yaw_rate_radps": 0.0, "roll_rate_radps": 0.0, "ax_mps2": 0.0, "ay_mps2": 0.0}


@pytest.fixture
def bps(make_bench: Make, database: Database) -> Any:
    bench = make_bench(Bps("BPS", database), "BPS", inputs=PEDAL)
    bench.run_to(ms(103))
    return bench


@pytest.fixture
def imu(make_bench: Make, database: Database) -> Any:
    bench = make_bench(Imu("IMU", database), "IMU", inputs=INERTIA)
    bench.run_to(ms(102))
    return bench


def test_the_pedal_sensor_listens_to_nothing(bps: Any) -> None:
    assert bps.port.accepted == frozenset()


def test_the_pedal_is_sent_every_5_ms_from_its_start_delay_on(bps: Any, database: Database) -> None:
    assert database.message("BPS_Pedal").start_delay_ns == ms(4)
    assert len(bps.port.sent) == 20
    assert {frame.arbitration_id for frame in bps.port.sent} == {0x0A0}
    counters = [frame.data[2] for frame in bps.port.sent]
    assert counters == list(range(20))


def test_qualities_leave_init_after_20_ms(make_bench: Make, database: Database) -> None:
    bench = make_bench(Bps("BPS", database), "BPS", inputs=PEDAL)
    bench.run_to(ms(19))
    assert bench.last("BPS_Pedal")["BPS_Qf1"] == "Init"
    bench.run_to(ms(24))
    values = bench.last("BPS_Pedal")
    assert [values[f"BPS_{name}"] for name in ("Qf1", "Qf2", "QfF")] == ["Valid"] * 3


def test_the_frame_carries_the_pins_of_the_very_instant(bps: Any) -> None:
    bps.port.inputs.update(pedal_travel_1_mm=20.0, pedal_travel_2_mm=21.0, pedal_force_n=150.0)
    bps.run_for(ms(1))
    values = bps.last("BPS_Pedal")
    assert values["BPS_Trvl1"] == pytest.approx(20.0)
    assert values["BPS_Trvl2"] == pytest.approx(21.0)
    assert values["BPS_Force"] == pytest.approx(150.0)
    assert values["BPS_SwState"] == "Applied"


def test_the_rate_is_filtered_and_comes_to_rest(bps: Any) -> None:
    bps.port.inputs.update(pedal_travel_1_mm=2.0, pedal_travel_2_mm=2.0)
    rates = []
    for _ in range(3):
        bps.run_for(ms(5))
        rates.append(bps.last("BPS_Pedal")["BPS_TrvlRate"])
    assert rates == [200, 100, 50]  # 400 mm/s for one sample, halved each time


@pytest.mark.parametrize(
    ("first_mm", "second_mm", "switch"),
    [
        (0.0, 0.0, "NotApplied"),
        (2.0, 2.5, "NotApplied"),
        (2.5, 2.0, "NotApplied"),
        (2.05, 2.05, "Applied"),
        (10.0, 15.0, "Applied"),
        (10.0, 15.05, "Implausible"),
        (15.05, 10.0, "Implausible"),
    ],
)
def test_the_switch_needs_both_channels_and_their_agreement(
    bps: Any, first_mm: float, second_mm: float, switch: str
) -> None:
    bps.port.inputs.update(pedal_travel_1_mm=first_mm, pedal_travel_2_mm=second_mm)
    bps.run_for(ms(5))
    assert bps.last("BPS_Pedal")["BPS_SwState"] == switch


def test_a_broken_channel_is_invalid_within_3_samples_and_its_value_frozen(bps: Any) -> None:
    """SAF-003; the other channel is not affected."""
    bps.port.inputs.update(pedal_travel_1_mm=30.0, pedal_travel_2_mm=30.0)
    bps.run_for(ms(20))
    bps.port.inputs.update(pedal_travel_1_mm=200.0, pedal_travel_2_mm=32.0)
    qualities = []
    for _ in range(4):
        bps.run_for(ms(5))
        values = bps.last("BPS_Pedal")
        qualities.append(values["BPS_Qf1"])
        assert values["BPS_Trvl1"] == pytest.approx(30.0)
        assert values["BPS_Trvl2"] == pytest.approx(32.0)
        assert values["BPS_Qf2"] == "Valid"
    assert qualities == ["Degraded", "Degraded", "Invalid", "Invalid"]


def test_a_power_cycle_trusts_the_channel_again(bps: Any) -> None:
    bps.port.inputs["pedal_travel_1_mm"] = 200.0
    bps.run_for(ms(20))
    bps.port.inputs["pedal_travel_1_mm"] = 10.0
    bps.node.start(bps.port, bps.now_ns)
    bps.run_for(ms(40))
    values = bps.last("BPS_Pedal")
    assert (values["BPS_Qf1"], values["BPS_Trvl1"]) == ("Valid", pytest.approx(10.0))


def test_a_slightly_negative_travel_is_sent_as_zero(bps: Any) -> None:
    bps.port.inputs.update(pedal_travel_1_mm=-0.9, pedal_force_n=-19.0)
    bps.run_for(ms(5))
    values = bps.last("BPS_Pedal")
    assert (values["BPS_Trvl1"], values["BPS_Force"]) == (0.0, 0.0)
    assert (values["BPS_Qf1"], values["BPS_QfF"]) == ("Valid", "Valid")


def test_a_pedal_thrown_down_does_not_break_the_rate(bps: Any) -> None:
    bps.port.inputs.update(pedal_travel_1_mm=90.0, pedal_travel_2_mm=90.0)
    bps.run_for(ms(5))
    assert bps.last("BPS_Pedal")["BPS_TrvlRate"] == 1530
    bps.port.inputs.update(pedal_travel_1_mm=0.0, pedal_travel_2_mm=0.0)
    bps.run_for(ms(5))
    assert bps.last("BPS_Pedal")["BPS_TrvlRate"] == -512


# -- IMU -----------------------------------------------------------------------------------------


def test_inertia_is_sent_every_5_ms(imu: Any) -> None:
    assert imu.port.accepted == frozenset()
    assert [frame.arbitration_id for frame in imu.port.sent] == [0x0A8] * 20


def test_inertia_carries_the_pins_in_the_units_of_the_database(imu: Any) -> None:
    imu.port.inputs.update(yaw_rate_radps=0.5, roll_rate_radps=-0.25, ax_mps2=-9.5, ay_mps2=3.25)
    imu.run_for(ms(5))
    values = imu.last("IMU_Data")
    assert values["IMU_YawRate"] == pytest.approx(28.65, abs=0.005)
    assert values["IMU_RollRate"] == pytest.approx(-14.32, abs=0.005)
    assert values["IMU_Ax"] == pytest.approx(-9.5)
    assert values["IMU_Ay"] == pytest.approx(3.25)
    assert [values[f"IMU_{name}Qf"] for name in ("Yaw", "Ax", "Ay")] == ["Valid"] * 3


@pytest.mark.parametrize(
    ("pin", "quality"),
    [("yaw_rate_radps", "IMU_YawQf"), ("ax_mps2", "IMU_AxQf"), ("ay_mps2", "IMU_AyQf")],
)
def test_each_broken_axis_spoils_its_own_quality_only(imu: Any, pin: str, quality: str) -> None:
    imu.port.inputs[pin] = float("nan")
    imu.run_for(ms(15))
    values = imu.last("IMU_Data")
    for name in ("IMU_YawQf", "IMU_AxQf", "IMU_AyQf"):
        assert values[name] == ("Invalid" if name == quality else "Valid")
