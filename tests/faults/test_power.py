"""Faults of the two supplies: diagonal braking, warning, and the way back."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore import Rig, UsageError, ms, s
from simcore.faults import EcuSilent
from simcore.faults.power import SupplyFault, SupplyLost, SupplyLow

FL, FR, RL, RR = range(4)


@pytest.fixture(scope="module")
def warm() -> Rig:
    """Rolling at 100 km/h. Never run: fork it."""
    rig = Rig(seed=5)
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(400))
    return rig


@pytest.fixture
def rig(warm: Rig) -> Rig:
    return warm.fork()


@pytest.mark.parametrize(("supply", "dead"), [("A", (FL, RR)), ("B", (FR, RL))])
def test_with_a_supply_lost_the_other_diagonal_brakes_with_2_44_mps2_and_warns(
    rig: Rig, supply: str, dead: tuple[int, int]
) -> None:
    """DEG-004, supply lost while rolling; the driver is warned within 100 ms."""
    assert rig.signal("CDC_BrkSt", "CDC_LampRed") == 0
    rig.inject(SupplyLost(supply=supply))
    start_ns = rig.now_ns
    lamp_on = rig.wait_for("CDC_BrkSt", lambda values: values["CDC_LampRed"] == 1, timeout=ms(100))
    assert lamp_on
    rig.run_for(start_ns + ms(100) - rig.now_ns)
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12))
    assert stop.stopped and stop.mfdd_mps2 >= 2.44
    forces_n = rig.vehicle.clamp_force_n
    assert all((forces_n[corner] < 1.0) == (corner in dead) for corner in range(4))
    reactions = [event.text for event in rig.log.events if event.kind == "reaction"]
    assert any("DIAGONAL" in text for text in reactions)


def test_a_supply_that_is_lost_while_braking_takes_the_force_at_once(rig: Rig) -> None:
    rig.press_pedal(60)
    rig.run_for(ms(300))
    before_n = rig.vehicle.clamp_force_n
    rig.inject(SupplyLost(supply="A"))
    rig.run_for(ms(100))
    after_n = rig.vehicle.clamp_force_n
    assert min(before_n) > 5_000.0
    assert after_n[FL] < 500.0 and after_n[RR] < 500.0
    assert after_n[FR] > 1.2 * before_n[FR]  # the others take over


def test_the_inverter_is_off_at_once_and_the_ecu_after_its_hold_up_time(rig: Rig) -> None:
    rig.inject(SupplyLost(supply="B", hold_up_ns=ms(20)))
    rig.run_for(ms(15))
    assert rig.plant.supply_v == [48.0, 0.0, 0.0, 48.0]
    assert rig.host("EMB_FR").running and rig.host("EMB_RL").running
    rig.run_for(ms(10))
    assert [rig.host(f"EMB_{corner}").running for corner in ("FL", "FR", "RL", "RR")] == [
        True,
        False,
        False,
        True,
    ]


def test_the_power_distribution_shows_the_supply(rig: Rig) -> None:
    injected = rig.inject(SupplyLost(supply="A"))
    rig.run_for(ms(250))
    assert rig.signal("PDM_Supply", "PDM_UA") == 0.0
    assert rig.signal("PDM_Supply", "PDM_StA") == 5  # Fault
    assert rig.signal("PDM_Supply", "PDM_UB") == 48.0
    assert rig.signal("PDM_Supply", "PDM_StB") == 1  # OK
    injected.clear()
    rig.run_for(ms(250))
    assert rig.signal("PDM_Supply", "PDM_UA") == 48.0
    assert rig.signal("PDM_Supply", "PDM_StA") == 1


@pytest.mark.parametrize(("voltage_v", "state"), [(5.0, 5), (20.0, 3), (30.0, 2), (40.0, 1)])
def test_a_low_supply_is_low_at_the_actuators_and_in_the_message(
    rig: Rig, voltage_v: float, state: int
) -> None:
    injected = rig.inject(SupplyLow(supply="B", voltage_v=voltage_v))
    rig.run_for(ms(250))
    assert rig.plant.supply_v == [48.0, voltage_v, voltage_v, 48.0]
    assert rig.pin("EMB_FR", "supply_v") == voltage_v
    assert rig.signal("PDM_Supply", "PDM_UB") == voltage_v
    assert rig.signal("PDM_Supply", "PDM_StB") == state
    injected.clear()
    rig.run_for(ms(1))
    assert rig.plant.supply_v == [48.0] * 4


def test_the_actuators_start_up_and_brake_again_when_the_supply_is_back(rig: Rig) -> None:
    rig.inject(SupplyLost(supply="A"), duration=ms(300))
    rig.run_for(ms(299))
    since_ns = rig.now_ns
    rig.run_for(ms(600))
    lost = [event for event in rig.log.events if "SUPPLY_LOST" in event.text]
    assert lost and max(event.time_ns for event in lost) < since_ns  # it starts on a good supply
    assert all(rig.host(f"EMB_{corner}").running for corner in ("FL", "FR", "RL", "RR"))
    rig.press_pedal(60)
    rig.run_for(ms(400))
    forces_n = rig.vehicle.clamp_force_n
    assert forces_n[FL] == pytest.approx(forces_n[FR], rel=0.05)
    assert forces_n[RR] == pytest.approx(forces_n[RL], rel=0.05)


def test_a_dip_shorter_than_the_hold_up_time_does_not_switch_the_ecus_off(rig: Rig) -> None:
    rig.inject(SupplyLost(supply="A"), duration=ms(6))
    rig.run_for(ms(30))
    assert rig.host("EMB_FL").running
    assert not [e for e in rig.log.events if e.source == "EMB_FL" and "reset" in e.text]


def test_an_actuator_that_another_fault_has_switched_off_stays_off(rig: Rig) -> None:
    silent = rig.inject(EcuSilent(node="EMB_FL"))
    rig.inject(SupplyLost(supply="A"), duration=ms(100))
    rig.run_for(ms(200))
    assert not rig.host("EMB_FL").running and rig.host("EMB_RR").running
    silent.clear()
    assert rig.host("EMB_FL").running


def test_a_supply_that_is_lost_again_at_once_leaves_its_ecus_off(rig: Rig) -> None:
    rig.inject(SupplyLost(supply="A")).clear()
    first = rig.inject(SupplyLost(supply="A"))
    rig.run_for(ms(50))
    first.clear()
    rig.inject(SupplyLost(supply="A", hold_up_ns=1))
    rig.run_for(ms(50))
    assert not rig.host("EMB_FL").running and not rig.host("EMB_RR").running
    assert rig.plant.supply_v[FL] == rig.plant.supply_v[RR] == 0.0


def test_of_two_faults_of_a_supply_the_later_counts_until_it_is_over(rig: Rig) -> None:
    low = rig.inject(SupplyLow(supply="A", voltage_v=30.0))
    lower = rig.inject(SupplyLow(supply="A", voltage_v=20.0))
    low.clear()
    assert rig.plant.supply_v[FL] == 20.0
    lower.clear()
    assert rig.plant.supply_v[FL] == 48.0


def test_both_supplies_may_be_lost(rig: Rig) -> None:
    for supply in ("A", "B"):
        rig.inject(SupplyLost(supply=supply))
    rig.press_pedal(100)
    rig.run_for(ms(300))
    assert max(rig.vehicle.clamp_force_n) == 0.0


@pytest.mark.parametrize(
    "fault", [SupplyLost(supply="A"), SupplyLost(supply="B"), SupplyLow(supply="A", voltage_v=12.0)]
)
@pytest.mark.parametrize("copied_after_ns", [ms(4), ms(40)])
def test_copies_in_the_middle_of_a_fault_go_on_alike_and_end_alike(
    rig: Rig, fault: SupplyFault, copied_after_ns: int
) -> None:
    rig.press_pedal(40)
    rig.inject(fault, duration=ms(100))
    rig.run_for(copied_after_ns)
    copies = [rig.fork(), copy.deepcopy(rig), pickle.loads(pickle.dumps(rig)), rig]
    for each in copies:
        each.run_for(ms(250))
    assert len({each.digest for each in copies}) == 1
    assert len({each.vehicle.clamp_force_n for each in copies}) == 1


def test_the_sentence_says_what_is_wrong() -> None:
    assert SupplyLost(supply="A").sentence == (
        "supply A lost: EMB_FL and EMB_RR without power, ECUs 10 ms later"
    )
    assert SupplyLow(supply="B", voltage_v=20.0).sentence == ("supply B at 20 V: EMB_FR and EMB_RL")
    assert SupplyLost.layer == SupplyLow.layer == "power"


def test_supplies_and_voltages_are_checked() -> None:
    with pytest.raises(UsageError, match=r"^SupplyLost\.supply: expected A or B, got 'C'$"):
        SupplyLost(supply="C")
    with pytest.raises(UsageError, match=r"^SupplyLost\.hold_up_ns: expected an integer >= 1"):
        SupplyLost(supply="A", hold_up_ns=0)
    with pytest.raises(
        UsageError, match=r"^SupplyLow\.voltage_v: expected above 0, up to 60, got 0\.0$"
    ):
        SupplyLow(supply="A", voltage_v=0.0)
