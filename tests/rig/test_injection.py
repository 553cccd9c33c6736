"""Faults on the rig: begun, ended by hand, by time or by a reset, and listed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import UsageError
from simcore.faults import BusOff, BusShorted, EcuSilent, NodeUnplugged, TaskHung
from simcore.network import Database
from simcore.rig import FaultRecord, Rig, Verdict, load_scenarios, run_scenario
from simcore.rig.injection import disturbed_buses
from simcore.rig.restbus import Restbus
from simcore.rig.site import RigSite
from simcore.units import ms
from simcore.watchdog.presets import fs65


def spoken(rig: Rig, sender: str, channel: str, since_ns: int) -> int:
    """Frames of a sender on a bus that started after `since_ns`."""
    return sum(
        record.sender == sender and record.channel == channel and record.sof_ns > since_ns
        for record in rig.recorder.frames
    )


def test_a_fault_lasts_until_it_is_cleared(rolling: Rig) -> None:
    injected = rolling.inject(NodeUnplugged(bus="CHASSIS_A", node="IMU"))
    start_ns = rolling.now_ns
    rolling.run_for(ms(50))
    assert spoken(rolling, "IMU", "CHASSIS_A", start_ns) == 0
    assert (injected.start_ns, injected.stop_ns) == (start_ns, None)
    rolling.clear(injected)
    assert injected.stop_ns == rolling.now_ns == start_ns + ms(50)
    rolling.run_for(ms(50))
    assert spoken(rolling, "IMU", "CHASSIS_A", start_ns + ms(50)) >= 9


def test_a_fault_with_a_duration_ends_by_itself(rolling: Rig) -> None:
    start_ns = rolling.now_ns
    injected = rolling.inject(NodeUnplugged(bus="CHASSIS_A", node="IMU"), duration=ms(20))
    rolling.run_for(ms(50))
    assert injected.stop_ns == start_ns + ms(20)
    assert spoken(rolling, "IMU", "CHASSIS_A", start_ns + ms(20)) >= 5


def test_clearing_twice_changes_nothing(rolling: Rig) -> None:
    injected = rolling.inject(NodeUnplugged(bus="CHASSIS_A", node="IMU"), duration=ms(20))
    rolling.run_for(ms(50))
    events, stop_ns = len(rolling.log.events), injected.stop_ns
    injected.clear()
    assert (len(rolling.log.events), injected.stop_ns) == (events, stop_ns)


def test_a_silent_ecu_can_be_cleared_like_any_other_fault(rolling: Rig) -> None:
    injected = rolling.inject(EcuSilent(node="BPS"), duration=ms(30))
    start_ns = rolling.now_ns
    rolling.run_for(ms(100))
    assert injected.stop_ns == start_ns + ms(30)
    assert rolling.silenced == {}
    assert spoken(rolling, "BPS", "CHASSIS_A", start_ns + ms(30)) >= 10


def test_a_reset_or_a_replacement_ends_the_silence_of_its_own_node_only(rolling: Rig) -> None:
    faults = [rolling.inject(EcuSilent(node=name)) for name in ("BPS", "IMU", "PDM")]
    rolling.run_for(ms(10))
    rolling.reset("BPS")
    rolling.replace("PDM", type(rolling.node("PDM"))("PDM", rolling.database))  # type: ignore[call-arg]
    ended = [fault.stop_ns is not None for fault in faults]
    assert ended == [True, False, True]


def test_begin_and_end_are_events_and_part_of_the_digest(rolling: Rig) -> None:
    other = rolling.fork()
    injected = rolling.inject(BusOff(bus="CHASSIS_B", node="EMB_FL"))
    rolling.run_for(ms(20))
    injected.clear()
    events = [(e.source, e.kind, e.text) for e in rolling.log.events if "bus-off" in e.text]
    sentence = "CHASSIS_B: controller of EMB_FL bus-off"
    assert ("CHASSIS_B", "fault", sentence) in events
    assert events[-1] == ("CHASSIS_B", "note", f"fault ended: {sentence}")
    other.run_for(ms(20))
    assert rolling.digest != other.digest


def test_the_result_lists_what_was_broken(tmp_path: Any) -> None:
    path = tmp_path / "broken.py"
    path.write_text(
        "from simcore import EcuSilent, ms, scenario\n"
        "from simcore.faults import NodeUnplugged\n"
        "@scenario\n"
        "def broken(rig):\n"
        "    rig.run_for(ms(300))\n"
        "    rig.inject(NodeUnplugged(bus='CHASSIS_B', node='GW'), duration=ms(10))\n"
        "    rig.run_for(ms(100))\n"
        "    rig.inject(EcuSilent(node='PDM'))\n"
    )
    (item,) = load_scenarios(path)
    result = run_scenario(item)
    assert result.verdict is Verdict.PASSED
    assert result.faults == (
        FaultRecord(
            sentence="CHASSIS_B: GW unplugged",
            where="GW on CHASSIS_B",
            start_ns=ms(300),
            stop_ns=ms(310),
        ),
        FaultRecord(
            sentence="PDM silent: supply of the ECU lost",
            where="PDM",
            start_ns=ms(400),
            stop_ns=None,
        ),
    )


def test_a_bus_that_was_disturbed_is_not_held_to_the_reference_load(rolling: Rig) -> None:
    assert disturbed_buses(rolling) == frozenset()
    rolling.inject(EcuSilent(node="PDM"))
    assert disturbed_buses(rolling) == frozenset()
    rolling.inject(NodeUnplugged(bus="CHASSIS_B", node="GW"))
    assert disturbed_buses(rolling) == {"CHASSIS_B"}


def test_a_rig_with_a_fault_in_place_forks_and_pickles(rolling: Rig) -> None:
    rolling.inject(BusShorted(bus="CHASSIS_A", level="dominant"), duration=ms(40))
    rolling.run_for(ms(20))
    others = [rolling.fork(), pickle.loads(pickle.dumps(rolling))]
    for rig in (rolling, *others):
        rig.run_for(ms(100))
        assert rig.faults[0].stop_ns == ms(440)
    assert {rig.digest for rig in others} == {rolling.digest}


@pytest.mark.parametrize("fault", ["EMB_FL", EcuSilent, NodeUnplugged, None])
def test_what_is_no_fault_is_refused(standing: Rig, fault: Any) -> None:
    with pytest.raises(UsageError, match=r"^inject: expected a fault, as EcuSilent\(node="):
        standing.inject(fault)


def test_a_duration_that_is_no_time_is_refused(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"^inject, duration: expected whole ns >= 0, as ms\(5\)"):
        standing.inject(EcuSilent(node="GW"), duration=0.5)  # type: ignore[call-overload]
    assert standing.faults == []


def test_only_what_inject_returned_can_be_cleared(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"^clear: expected what inject returned, got EcuSilent"):
        standing.clear(EcuSilent(node="GW"))  # type: ignore[arg-type]


def test_a_wire_fault_on_an_unknown_bus_is_refused_and_not_listed(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"expected one of CHASSIS_A, CHASSIS_B, got 'CHASSIS_C'$"):
        standing.inject(BusShorted(bus="CHASSIS_C"))
    assert standing.faults == []


# ---- the rig as a fault sees it ----


def test_a_restbus_has_neither_plant_nor_pins() -> None:
    site = RigSite(Restbus(Database.reference(), play=["VCU"]))
    with pytest.raises(
        UsageError, match=r"^fault of plant: expected a Rig, which has a vehicle, got a Restbus$"
    ):
        _ = site.plant
    for call in (site.disturb_pin, site.undisturb_pin, site.disturb_output, site.undisturb_output):
        with pytest.raises(
            UsageError, match=r"^fault of pins: expected a Rig, which has a vehicle"
        ):
            call("VCU", "p", float)  # type: ignore[arg-type]


def test_a_site_shows_the_rig_and_nothing_of_its_own(standing: Rig) -> None:
    site = RigSite(standing)
    assert site.plant is standing.plant
    assert site.scheduler is standing.scheduler
    assert site.stream("fault.x") is standing.random.stream("fault.x")
    node = site.node("CDC")
    assert (node.name, node.running, node.node) == ("CDC", True, standing.node("CDC"))
    with pytest.raises(UsageError, match=r"^node 'XXX': expected one of "):
        site.node("XXX")
    site.log("CDC", "note", "by the site")
    assert standing.log.events[-1].text == "by the site"


def test_a_node_that_two_faults_keep_off_waits_for_both(standing: Rig) -> None:
    standing.silence("GW")
    standing.silence("GW")
    standing.supply("GW")
    assert not standing.host("GW").running
    standing.supply("GW")
    assert standing.host("GW").running
    standing.supply("GW")  # nobody has taken it
    assert standing.silenced == {}


def test_a_reset_by_the_script_overrides_all_that_keep_a_node_off(standing: Rig) -> None:
    faults = [standing.inject(EcuSilent(node="GW")) for _ in range(2)]
    standing.reset("GW")
    assert standing.host("GW").running
    assert [fault.stop_ns for fault in faults] == [standing.now_ns] * 2


def test_guard_puts_a_watchdog_beside_a_node(standing: Rig) -> None:
    standing.guard("GW", fs65(), cuts="transmit")
    board = standing.host("GW").board
    assert board is not None and board.cuts == "transmit"
    assert standing.log.events[-1].text == "guarded by Fs65Settings"
    with pytest.raises(UsageError, match=r"^guard GW: expected settings of a safety device"):
        standing.guard("GW", "fs65")  # type: ignore[arg-type]


def test_the_reset_that_a_hung_task_leads_to_ends_it_and_the_vehicle_goes_on(rolling: Rig) -> None:
    injected = rolling.inject(TaskHung(node="CDC", task="control"))
    rolling.run_for(ms(150))
    assert injected.stop_ns is not None
    kinds = [(e.kind, e.text) for e in rolling.log.events if e.source == "CDC"]
    order = [
        next(i for i, (kind, text) in enumerate(kinds) if kind == want and part in text)
        for want, part in (("detection", "missing"), ("reaction", "low"), ("note", "fault ended"))
    ]
    assert order == sorted(order)
    rolling.run_for(ms(300))
    assert rolling.node("CDC2").application.state.name == "STANDBY"  # type: ignore[attr-defined]
    assert rolling.log.findings == []


def test_the_result_says_of_what_can_be_counted_that_it_has_done_nothing(tmp_path: Path) -> None:
    path = tmp_path / "idle.py"
    path.write_text(
        "from simcore import EcuSilent, ms, scenario\n"
        "from simcore.faults import SensorStuck, TaskSkipped, WatchdogAnswerWrong\n"
        "@scenario\n"
        "def idle(rig):\n"
        "    rig.run_for(ms(300))\n"
        "    rig.inject(SensorStuck(node='BPS', pin='pedal_force_n', value=0.0))\n"
        "    rig.inject(TaskSkipped(node='CDC', task='control'))\n"
        "    rig.inject(WatchdogAnswerWrong(node='CDC2'))\n"
    )
    (item,) = load_scenarios(path)
    result = run_scenario(item)
    effects = [fault.effect for fault in result.faults]
    assert effects == ["0 samples falsified", "0 activations left out", "0 services wrong"]


def test_a_scenario_whose_fault_cannot_begin_fails_with_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "late.py"
    path.write_text(
        "from simcore import EcuSilent, ms, scenario\n"
        "from simcore.faults import ClockDrift\n"
        "@scenario\n"
        "def late(rig):\n"
        "    rig.inject(EcuSilent(node='PDM'))\n"
        "    rig.inject(ClockDrift(node='PDM', ppm=50.0).at(ms(20)))\n"
        "    rig.run_for(ms(30))\n"
    )
    (item,) = load_scenarios(path)
    result = run_scenario(item)
    assert result.verdict is Verdict.FAILED
    assert result.error is None
    text = "ClockDrift, node PDM: expected a node that runs, got one that is off"
    assert [each.text.endswith(text) for each in result.findings] == [True]
    assert result.faults[1].effect == f"never begun: {text}"
