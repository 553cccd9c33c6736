"""One faulty wheel speed sensor costs neither the other brakes nor its own."""

from __future__ import annotations

import numpy as np
import pytest

from simcore import Rig, ms
from simcore.faults.fault import Fault
from simcore.faults.pins import SensorDrift, SensorNoise, SensorOffset, SensorStuck

CORNERS = ("FL", "FR", "RL", "RR")
FL = {"node": "EMB_FL", "pin": "wheel_speed_radps"}
RL = {"node": "EMB_RL", "pin": "wheel_speed_radps"}


@pytest.fixture(scope="module")
def braking() -> Rig:
    """A car at 100 km/h that brakes with a third of the pedal, dry road."""
    rig = Rig(seed=0)
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(400))
    rig.press_pedal(35)
    rig.run_for(ms(500))
    return rig


def found_ms(rig: Rig, since_ns: int, corner: str) -> float | None:
    for event in rig.log.events:
        if event.time_ns >= since_ns and event.text.startswith(f"wheel speed {corner} wrong"):
            return (event.time_ns - since_ns) / 1e6
    return None


def lowest_share(rig: Rig, since_ns: int, corner: str) -> float:
    force_n = rig.recorded(f"clamp_force_n.{corner}", since_ns=since_ns)
    return float(np.min(force_n) / force_n[0])


@pytest.mark.parametrize(
    ("fault", "within_ms"),
    [
        (SensorOffset(**FL, value=40.0), 20.0),
        (SensorStuck(**FL, value=120.0), 20.0),
        (SensorNoise(**FL, sigma=5.0), 60.0),
        (SensorNoise(**FL, sigma=20.0), 20.0),
        (SensorOffset(**RL, value=15.0), 60.0),
        (SensorDrift(**FL, value_per_s=100.0), 150.0),
        (SensorStuck(**FL, value=0.0), 20.0),
        (SensorOffset(**FL, value=-40.0), 20.0),
    ],
    ids=str,
)
def test_it_is_left_out_before_any_brake_loses_force(
    braking: Rig, fault: Fault, within_ms: float
) -> None:
    rig = braking.fork()
    start_ns = rig.now_ns
    rig.inject(fault)
    rig.run_for(ms(500))
    corner = "RL" if "EMB_RL" in repr(fault) else "FL"
    after_ms = found_ms(rig, start_ns, corner)
    assert after_ms is not None and after_ms <= within_ms
    assert min(lowest_share(rig, start_ns, each) for each in CORNERS) > 0.9


@pytest.mark.parametrize(
    "fault", [SensorDrift(**FL, value_per_s=-100.0), SensorOffset(**FL, value=-12.0)], ids=str
)
def test_one_that_sinks_costs_its_own_brake_for_less_than_a_second(
    braking: Rig, fault: Fault
) -> None:
    rig = braking.fork()
    start_ns = rig.now_ns
    before_n = rig.vehicle.clamp_force_n[0]
    rig.inject(fault)
    rig.run_for(ms(1000))
    after_ms = found_ms(rig, start_ns, "FL")
    assert after_ms is not None and after_ms <= 800.0
    assert rig.vehicle.clamp_force_n[0] > 0.9 * before_n
    assert min(lowest_share(rig, start_ns, each) for each in CORNERS[1:]) > 0.9


def test_on_a_slippery_road_a_front_axle_without_speeds_brakes_by_the_rear_one() -> None:
    rig = Rig(seed=0)
    rig.vehicle.set_friction(0.3)
    rig.vehicle.set_speed(kmh=80)
    rig.run_for(ms(400))
    rig.press_pedal(100)
    rig.run_for(ms(500))
    for corner in ("FL", "FR"):
        rig.inject(SensorStuck(node=f"EMB_{corner}", pin="wheel_speed_radps", value=0.0))
    rig.run_for(ms(300))
    front_n = rig.vehicle.clamp_force_n[0]
    assert 500.0 < front_n < 12_000.0


def test_a_scenario_that_sets_the_speed_is_no_fault(braking: Rig) -> None:
    rig = braking.fork()
    start_ns = rig.now_ns
    for kmh in (40.0, 120.0):
        rig.vehicle.set_speed(kmh=kmh)
        rig.run_for(ms(200))
    assert [found_ms(rig, start_ns, corner) for corner in CORNERS] == [None] * 4


def test_one_that_is_well_again_counts_after_it_agreed_for_a_while(braking: Rig) -> None:
    rig = braking.fork()
    handle = rig.inject(SensorOffset(**FL, value=40.0))
    rig.run_for(ms(100))
    rig.clear(handle)
    rig.run_for(ms(300))
    assert rig.signal("CDC_WhlSpd", "CDC_WhlQfFL") == 1
    rig.run_for(ms(2000))
    assert rig.signal("CDC_WhlSpd", "CDC_WhlQfFL") == 3
