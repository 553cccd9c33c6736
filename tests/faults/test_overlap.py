"""Two faults of one thing at a time: whichever ends first, the other one stays in force."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from simcore import Rig, ms
from simcore.faults import (
    BusOff,
    BusOpen,
    CaliperJammed,
    ChannelDisagreement,
    ClockDrift,
    DiscHot,
    EcuReset,
    EcuSilent,
    FrictionChanged,
    GroundOffset,
    MotorFree,
    MotorSlow,
    NodeUnplugged,
    OpenWire,
    OutputStuck,
    OverTemperature,
    ParkLatchUnlocked,
    SensorOffset,
    SensorStuck,
    SlopeChanged,
    StuckRecessive,
    SupplyLost,
    SupplyLow,
    TaskHung,
    TaskOrderSwapped,
    TaskSkipped,
    UnintendedClamp,
)
from simcore.faults.fault import Fault
from simcore.rig.host_time import LocalClock

BUS = "CHASSIS_A"
NODE = "VCU"
Probe = Callable[[Rig], object]


@pytest.fixture(scope="module")
def warm() -> Rig:
    """Braking at 100 km/h with 30 % pedal. Never run: fork it."""
    rig = Rig(seed=5)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(300))
    rig.press_pedal(30)
    rig.run_for(ms(200))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


def controller(name: str) -> Callable[[Rig], Any]:
    def found(rig: Rig) -> Any:
        return rig.bus(BUS).controller(name)

    return found


def caliper(rig: Rig) -> Any:
    return rig.plant.calipers[0]


def pin(rig: Rig) -> object:
    return rig.pin("BPS", "pedal_travel_1_mm")


def ratio(rig: Any, node: str) -> float:
    """Of a node's clock; a node nobody has disturbed has the rig's."""
    clock = rig.host(node).clock
    if not isinstance(clock, LocalClock):
        return 1.0
    return round(clock._numerator / clock._denominator, 6)


def output_faults(rig: Any, pin: str) -> int:
    transforms = getattr(rig._loop._emb_outputs[0], "transforms", {})
    return len(transforms.get(pin, ()))


def stuck(value: float) -> OutputStuck:
    return OutputStuck(node="EMB_FL", variable="application.force_ref_n", value=value)


PAIRS: list[tuple[Fault, Fault, Probe]] = [
    (
        ClockDrift(node="EMB_FL", ppm=5000.0),
        ClockDrift(node="EMB_FL", ppm=-9000.0),
        lambda rig: ratio(rig, "EMB_FL"),
    ),
    (stuck(500.0), stuck(900.0), lambda rig: rig.node("EMB_FL").application.force_ref_n),  # type: ignore[attr-defined]
    (
        OutputStuck(node="EMB_FL", pin="motor_current_a", value=1.0),
        OutputStuck(node="EMB_FL", pin="motor_current_a", value=2.0),
        lambda rig: rig.plant.motor_current_a[0],
    ),
    (
        UnintendedClamp(corner="FL"),
        UnintendedClamp(corner="FL", current_ratio=0.5),
        lambda rig: output_faults(rig, "motor_current_a") > 0,
    ),
    (
        SensorStuck(node="BPS", pin="pedal_travel_1_mm", value=3.0),
        SensorStuck(node="BPS", pin="pedal_travel_1_mm", value=4.0),
        pin,
    ),
    (
        SensorOffset(node="BPS", pin="pedal_travel_1_mm", value=3.0),
        ChannelDisagreement(pin="pedal_travel_1_mm", value=4.0),
        pin,
    ),
    (OpenWire(bus=BUS, node="IMU"), BusOpen(bus=BUS), lambda r: controller("IMU")(r).connected),
    (
        OpenWire(bus=BUS, node="IMU"),
        OpenWire(bus=BUS, node="IMU"),
        lambda r: controller("IMU")(r).connected,
    ),
    (BusOpen(bus=BUS), BusOpen(bus=BUS), lambda r: controller("IMU")(r).connected),
    (
        NodeUnplugged(bus=BUS, node="IMU"),
        NodeUnplugged(bus=BUS, node="IMU"),
        lambda r: controller("IMU")(r).enabled,
    ),
    (
        StuckRecessive(bus=BUS, node="IMU"),
        StuckRecessive(bus=BUS, node="IMU"),
        lambda r: len(r.bus(BUS).disturbances) > 0,
    ),
    (CaliperJammed(corner="FL"), CaliperJammed(corner="FL"), lambda r: caliper(r).jammed),
    (
        MotorFree(corner="FL"),
        MotorFree(corner="FL"),
        lambda r: caliper(r)._drive == caliper(r)._drive_apart,
    ),
    (
        MotorSlow(corner="FL", ratio=0.5),
        MotorSlow(corner="FL", ratio=0.5),
        lambda r: (
            caliper(r).parameters.usable_voltage_ratio
            / r.plant.calipers[1].parameters.usable_voltage_ratio
            < 1.0
        ),
    ),
    (
        OverTemperature(corner="FL", temperature_c=150.0),
        OverTemperature(corner="FL", temperature_c=200.0),
        lambda r: caliper(r).motor_temperature_c,
    ),
    (
        ParkLatchUnlocked(corner="FL"),
        ParkLatchUnlocked(corner="FL"),
        lambda r: output_faults(r, "park_lock_state") > 0,
    ),
    (
        FrictionChanged(ratio=0.3),
        FrictionChanged(ratio=0.2),
        lambda r: [held.value for held in r.plant._held_segments[-1:]],
    ),
    (SlopeChanged(pct=5.0), SlopeChanged(pct=8.0), lambda r: r.plant.vehicle.grade_ratio),
    (
        SupplyLow(supply="A", voltage_v=30.0),
        SupplyLow(supply="A", voltage_v=25.0),
        lambda r: r.plant.supply_v[0],
    ),
    (
        SupplyLost(supply="A"),
        EcuSilent(node="EMB_FL"),
        lambda r: r.host("EMB_FL").running,
    ),
    (
        EcuSilent(node="EMB_FL"),
        EcuSilent(node="EMB_FL"),
        lambda r: r.host("EMB_FL").running,
    ),
]


def ids(value: object) -> str | None:
    return type(value).__name__ if isinstance(value, Fault) else None


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize(("first", "second", "probe"), PAIRS, ids=ids)
def test_the_one_that_is_left_is_in_force_whichever_ends_first(
    first: Fault, second: Fault, probe: Probe, copied: bool, rig: Rig
) -> None:
    healthy = probe(rig)
    alone = []
    for fault in (first, second):
        other = rig.fork()
        other.inject(fault)
        other.run_for(ms(20))
        alone.append(probe(other))
        assert alone[-1] != healthy
    for ends in (0, 1):
        both = rig.fork()
        for fault in (first, second):
            both.inject(fault)
        both.run_for(ms(12))
        if copied:
            both = pickle.loads(pickle.dumps(both))
        both.faults[ends].clear()
        both.run_for(ms(8))
        assert probe(both) == alone[1 - ends]
        both.faults[1 - ends].clear()
        assert both.bus(BUS).controller("IMU").holds == {}
        both.run_for(ms(8))
        assert probe(both) != alone[1 - ends]


def test_a_value_that_is_held_twice_is_back_at_once_when_the_later_hold_ends(rig: Rig) -> None:
    faults = [rig.inject(stuck(value)) for value in (500.0, 900.0)]
    rig.run_for(ms(5))
    faults[1].clear()
    assert rig.node("EMB_FL").application.force_ref_n == 500.0  # type: ignore[attr-defined]


def test_of_three_drifts_the_last_that_is_left_is_in_force(diary: Any) -> None:
    faults = [diary.inject(ClockDrift(node=NODE, ppm=ppm)) for ppm in (1e4, 2e4, 4e4)]
    ratios = []
    for place in (1, 2, 0):
        faults[place].clear()
        ratios.append(ratio(diary, NODE))
    assert ratios == [1.04, 1.01, 1.0]


@pytest.mark.parametrize("ends", [0, 1])
def test_two_hot_discs_keep_the_heat_of_the_one_that_is_left(ends: int, rig: Rig) -> None:
    cold_c = caliper(rig).disc_temperature_c
    faults = [rig.inject(DiscHot(corner="FL", temperature_c=each)) for each in (300.0, 500.0)]
    faults[ends].clear()
    assert caliper(rig).disc_temperature_c == pytest.approx((500.0, 300.0)[ends])
    faults[1 - ends].clear()
    assert caliper(rig).disc_temperature_c == pytest.approx(cold_c)


@pytest.mark.parametrize("ends", [0, 1])
def test_two_hangs_of_one_task_need_two_ends(ends: int, diary: Any) -> None:
    faults = [diary.inject(TaskHung(node=NODE, task="control")) for _ in range(2)]
    diary.run_for(ms(12))
    faults[ends].clear()
    diary.run_for(ms(10))
    assert diary.ecu.times_ms("control") == []
    faults[1 - ends].clear()
    diary.run_for(ms(10))
    assert diary.ecu.times_ms("control") == [25, 30]


@pytest.mark.parametrize("ends", [0, 1])
def test_a_task_that_two_faults_leave_out_is_left_out_by_the_other(ends: int, diary: Any) -> None:
    faults = [diary.inject(TaskSkipped(node=NODE, task="control")) for _ in range(2)]
    diary.run_for(ms(12))
    faults[ends].clear()
    diary.run_for(ms(10))
    assert diary.ecu.times_ms("control") == []


def test_tasks_that_two_faults_swap_stay_swapped(diary: Any) -> None:
    swap = TaskOrderSwapped(node=NODE, first="control", second="slave")
    faults = [diary.inject(swap) for _ in range(2)]
    diary.run_for(ms(5))
    faults[0].clear()
    diary.run_for(ms(5))
    order = [name for _, name in diary.ecu.lines if name in ("control", "slave")]
    assert order == ["slave", "control"] * 3
    faults[1].clear()
    diary.run_for(ms(5))
    assert [n for _, n in diary.ecu.lines if n in ("control", "slave")][-2:] == ["control", "slave"]


def test_a_node_that_is_unplugged_is_not_plugged_in_by_a_reset(rig: Rig) -> None:
    injected = rig.inject(NodeUnplugged(bus=BUS, node="IMU"))
    rig.inject(EcuReset(node="IMU"))
    assert not controller("IMU")(rig).enabled
    silent = rig.inject(EcuSilent(node="IMU"))
    injected.clear()
    assert not controller("IMU")(rig).enabled  # it has no supply
    silent.clear()
    assert controller("IMU")(rig).enabled


def test_a_bus_off_that_two_faults_cause_ends_with_the_second(rig: Rig) -> None:
    rig.bus(BUS).controller("IMU")
    faults = [rig.inject(BusOff(bus=BUS, node="IMU")) for _ in range(2)]
    found = controller("IMU")(rig)
    faults[0].clear()
    assert not found.recovering
    faults[1].clear()
    assert found.recovering


def test_two_shifted_grounds_of_one_node_err_at_different_bits(rig: Rig) -> None:
    fault = GroundOffset(bus=BUS, node="IMU", bit_error_ratio=0.01)
    faults = [rig.inject(fault) for _ in range(2)]
    names = [each.stream_name for each in rig.bus(BUS).disturbances]  # type: ignore[attr-defined]
    assert names == [f"wire.{BUS}.IMU", f"wire.{BUS}.IMU.1"]
    faults[0].clear()
    rig.inject(fault)
    names = [each.stream_name for each in rig.bus(BUS).disturbances]  # type: ignore[attr-defined]
    assert names == [f"wire.{BUS}.IMU.1", f"wire.{BUS}.IMU"]


def test_a_supply_that_comes_back_gives_a_node_only_what_it_took(rig: Rig) -> None:
    lost = rig.inject(SupplyLost(supply="A"))
    rig.run_for(ms(15))
    rig.reset("EMB_FL")  # the script overrides the fault
    rig.inject(EcuSilent(node="EMB_FL"))
    lost.clear()
    rig.run_for(ms(5))
    assert not rig.host("EMB_FL").running
    assert rig.host("EMB_RR").running
