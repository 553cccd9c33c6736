"""Trouble codes of running ECUs: reported, healed, snapshot, kept; none in a healthy vehicle."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest

from simcore import Rig, ms, s
from simcore.diag.dtc import ALL_GROUPS, Dtc, DtcSettings, SnapshotDid, code_of
from simcore.diag.dtc_debounce import TimeDebounce
from simcore.ecu import Bps, Emb
from simcore.ecu.cdc import actuators, monitor
from simcore.ecu.cdc import trouble_codes as cdc
from simcore.ecu.cdc2 import trouble_codes as cdc2
from simcore.ecu.emb import trouble_codes as emb
from simcore.ecu.runtime import trouble_code_rows as every
from simcore.ecu.runtime.trouble_codes import (
    NO_TROUBLE_CODES,
    QUALIFY_NS,
    TroubleCodes,
    keep_trouble_codes,
)
from simcore.errors import UsageError
from simcore.faults import (
    ChecksumWrong,
    EcuReset,
    EcuSilent,
    MessageStopped,
    SensorStuck,
    SupplyLost,
    SupplyLow,
)
from simcore.network import Database
from simcore.resources import scenario_path
from simcore.rig import load_scenarios, run_scenario

NODES = ("CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")
TABLES = {"cdc": cdc, "cdc2": cdc2, "emb": emb}
COUNT = SnapshotDid(0x4001, "count", 1)
SMALL = DtcSettings(
    (
        Dtc(code_of("C1001-11"), "one", "first thing", snapshot=(COUNT,)),
        Dtc(code_of("C1001-12"), "seldom", is_continuous=False, confirmation_threshold=2),
        Dtc(code_of("C1001-13"), "timed", debounce=TimeDebounce(failed_ns=ms(150))),
    )
)


class Desk:
    """A port with a memory and a log, and trouble codes on it."""

    name = "DESK"

    def __init__(self) -> None:
        self.memory: dict[str, bytes] = {}
        self.events: list[tuple[str, str]] = []
        self.codes = self.powered(0)

    def powered(self, now_ns: int) -> TroubleCodes:
        port: Any = self
        self.codes = TroubleCodes(SMALL, port, {COUNT.did: self.count}, now_ns)
        return self.codes

    def count(self, now_ns: int) -> bytes:
        return bytes((len(self.events),))

    def log(self, kind: str, text: str) -> None:
        self.events.append((kind, text))

    def status(self, name: str) -> int:
        return self.codes.memory.status(SMALL.by_name[name].code)


@pytest.fixture
def desk() -> Desk:
    return Desk()


# -- reporting -------------------------------------------------------------------------------------


def test_a_failure_is_logged_once_per_operation_cycle(desk: Desk) -> None:
    for now_ns in range(0, ms(10), ms(2)):
        desk.codes.failed("one", now_ns)
        desk.codes.passed("one", now_ns + ms(1))
    logged = ("dtc", "C1001-11 first thing: testFailed, confirmedDTC")
    assert desk.events == [logged]
    desk.powered(ms(20)).failed("one", ms(20))
    assert desk.events == [logged, ("dtc", "C1001-11 first thing: testFailed")]


def test_a_later_confirmation_is_logged_of_its_own(desk: Desk) -> None:
    desk.codes.failed("seldom", 0)
    desk.powered(ms(10)).failed("seldom", ms(10))
    assert [text for _, text in desk.events] == [
        "C1001-12 seldom: testFailed",
        "C1001-12 seldom: testFailed, confirmedDTC",
    ]


def test_who_watches_all_the_time_passes_by_silence_and_nobody_else(desk: Desk) -> None:
    desk.codes.failed("timed", 0)
    desk.codes.look(QUALIFY_NS - 1)
    assert desk.status("one") == 0x50
    desk.codes.look(QUALIFY_NS)
    assert (desk.status("one"), desk.status("seldom"), desk.status("timed")) == (0, 0x50, 0x2F)


def test_what_stands_stands_again_after_a_clear(desk: Desk) -> None:
    desk.codes.failed("one", 0)
    desk.codes.passed("seldom", 0)
    desk.codes.memory.clear(ALL_GROUPS, ms(10))
    desk.codes.failed("one", ms(20))  # it has said so before
    assert desk.status("one") == 0x50
    desk.codes.look(ms(100))
    assert (desk.status("one"), desk.status("seldom")) == (0x2F, 0x00)


def test_what_began_while_the_setting_was_off_is_found_when_it_is_on_again(desk: Desk) -> None:
    desk.codes.memory.set_enabled(False)
    desk.codes.failed("one", 0)
    desk.codes.look(ms(100))
    assert desk.status("one") == 0x50
    desk.codes.memory.set_enabled(True)
    desk.codes.look(ms(200))
    assert desk.status("one") == 0x2F


def test_samples_are_debounced_and_times_run_out_at_a_look(desk: Desk) -> None:
    desk.codes.sample("timed", True, ms(10))
    desk.codes.look(ms(159))
    assert desk.status("timed") == 0x50
    assert desk.codes.due_ns == ms(259)
    desk.codes.look(ms(160))
    assert desk.status("timed") == 0x2F


def test_a_clean_cycle_is_stored_so_that_codes_age_over_power_cycles(desk: Desk) -> None:
    desk.codes.failed("one", 0)
    for number in range(41):
        assert desk.status("one") & 0x08, number
        desk.powered(s(number)).look(s(number) + QUALIFY_NS)
    desk.powered(s(50))
    assert not desk.status("one") & 0x08


def test_a_damaged_memory_is_noted_and_starts_empty(desk: Desk) -> None:
    desk.codes.failed("one", 0)
    desk.memory["dtc"] = desk.memory["dtc"][:-1]
    desk.events.clear()
    desk.powered(0)
    ((kind, text),) = desk.events
    assert kind == "note" and text.startswith("trouble codes start empty: checksum wrong over ")
    assert desk.status("one") == 0x50


def test_an_unknown_event_is_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"DTC event 'two': expected one of one, seldom, timed"):
        desk.codes.failed("two", 0)


def test_without_trouble_codes_reports_go_nowhere() -> None:
    codes: Any = NO_TROUBLE_CODES
    assert codes.failed("x", 0) is codes.passed("x", 0) is codes.test("x", True, 0) is None
    assert codes.sample("x", True, 0) is codes.look(0) is codes.watch(None) is None
    assert codes.attend(None, None) is codes.memory is None
    assert codes.due_ns > s(10**6)
    assert pickle.loads(pickle.dumps(codes)) is codes


# -- tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_every_name_that_is_reported_is_in_the_table(name: str) -> None:
    module = TABLES[name]
    events = {event for dtc in module.SETTINGS.dtcs for event in dtc.events}
    assert set(every.RUNTIME_NAMES) <= events
    for constant, value in vars(module).items():
        if not constant.isupper() or constant.startswith(("MESSAGES", "SNAPSHOT", "_")):
            continue
        if constant in ("SILENT", "LATE", "FAILED", "ENABLE_OFF", "FORCE_LOW", "FORCE_HIGH"):
            continue  # kinds, not events
        values = value if isinstance(value, tuple) else (value,)
        words = {each for each in values if isinstance(each, str) and each}
        if constant not in ("ACTUATOR_KINDS", "CORNERS"):
            assert words <= events, constant


@pytest.mark.parametrize("name", TABLES)
def test_codes_are_chassis_or_network_ones(name: str) -> None:
    for dtc in TABLES[name].SETTINGS.dtcs:
        assert dtc.title[0] in "CU" and dtc.title[6:8] != "00"
        assert dtc.snapshot


def test_every_reason_for_losing_an_actuator_has_its_code() -> None:
    reasons = {
        node.value
        for module in (actuators, monitor)
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, (ast.Call, ast.Return, ast.Assign, ast.IfExp, ast.BoolOp))
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    said = {
        each
        for each in reasons
        if re.match(r"force |clamp force |silent|late$|reports|enabl", each)
    }
    assert said == set(cdc._KIND_OF)


# -- in the vehicle --------------------------------------------------------------------------------


def dtc_events(rig: Rig) -> list[str]:
    return [f"{event.source} {event.text}" for event in rig.log.events if event.kind == "dtc"]


def codes_of(rig: Rig, node: str) -> TroubleCodes:
    found: Any = rig.node(node)
    assert isinstance(found.trouble_codes, TroubleCodes)
    return found.trouble_codes


def status(rig: Rig, node: str, name: str) -> int:
    memory = codes_of(rig, node).memory
    return memory.status(memory.settings.by_name[name].code)


@pytest.fixture(scope="module")
def braking() -> Rig:
    rig = Rig(seed=1)
    rig.run_for(ms(1100))
    rig.vehicle.set_speed(kmh=100)
    rig.press_pedal(35)
    rig.run_for(ms(500))
    return rig


def test_a_shipped_scenario_without_fault_sets_none() -> None:
    scenarios = load_scenarios(scenario_path("low_friction_stop.py"))
    (item,) = (each for each in scenarios if each.name == "low_friction_stop[mu=0.8]")
    assert [event.text for event in run_scenario(item).events if event.kind == "dtc"] == []


def test_a_healthy_vehicle_sets_none_and_passes_all_it_always_watches(braking: Rig) -> None:
    rig = braking.fork()
    rig.vehicle.set_friction(0.3)
    rig.press_pedal(100)
    rig.run_for(ms(800))
    rig.release_pedal()
    rig.vehicle.set_speed(kmh=3)
    rig.set_auto_hold(True)
    rig.press_pedal(30)
    rig.run_for(s(2))
    rig.release_pedal()
    rig.run_for(ms(500))
    for node in NODES:
        memory = codes_of(rig, node).memory
        for dtc in memory.settings.dtcs:
            assert memory.status(dtc.code) == (0x00 if dtc.is_continuous else 0x50), dtc.title
        memory.clear(ALL_GROUPS, rig.now_ns)
    rig.run_for(ms(600))
    for node in NODES:
        memory = codes_of(rig, node).memory
        for dtc in memory.settings.dtcs:
            assert memory.status(dtc.code) == (0x00 if dtc.is_continuous else 0x50), dtc.title
    assert dtc_events(rig) == []


def test_frames_are_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def driven() -> str:
        rig = Rig(seed=3)
        rig.run_for(ms(300))
        rig.vehicle.set_speed(kmh=60)
        rig.press_pedal(50)
        rig.run_for(ms(900))
        assert isinstance(codes_of_any(rig), TroubleCodes) is with_codes
        return rig.digest

    def codes_of_any(rig: Rig) -> object:
        found: Any = rig.node("CDC")
        return found.trouble_codes

    with_codes = True
    first = driven()
    for name in ("cdc", "cdc2", "emb"):
        monkeypatch.setattr(f"simcore.ecu.{name}.node.keep_trouble_codes", lambda *given: None)
    with_codes = False
    assert driven() == first


def test_without_trouble_codes_a_fault_is_detected_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cdc", "cdc2", "emb"):
        monkeypatch.setattr(f"simcore.ecu.{name}.node.keep_trouble_codes", lambda *given: None)
    rig = Rig(seed=1)
    rig.run_for(ms(400))
    rig.inject(EcuSilent(node="EMB_FL"))
    rig.inject(SensorStuck(node="BPS", pin="pedal_travel_1_mm", value=30.0))
    rig.run_for(ms(200))
    assert list(rig.log.findings) == [] and dtc_events(rig) == []
    texts = [event.text for event in rig.log.events if event.kind == "detection"]
    assert "EMB_FL lost: silent" in texts


def test_an_ecu_that_the_database_gives_no_diagnostics_has_no_codes() -> None:
    ecu = Bps("BPS", Database.reference())
    keep_trouble_codes(ecu, emb.SETTINGS, {}, 0)
    assert ecu.trouble_codes is NO_TROUBLE_CODES


def test_a_code_fails_with_the_fault_and_passes_when_it_is_over(braking: Rig) -> None:
    rig = braking.fork()
    silent = rig.inject(EcuSilent(node="EMB_FL"))
    rig.run_for(ms(100))
    assert status(rig, "CDC", "EMB_FL silent") == 0xAF
    rig.clear(silent)
    rig.run_for(ms(800))
    assert status(rig, "CDC", "EMB_FL silent") == 0xAE


def test_a_supply_that_comes_back_heals_the_codes_of_both_ends(braking: Rig) -> None:
    rig = braking.fork()
    lost = rig.inject(SupplyLost(supply="A"))
    rig.run_for(ms(200))
    assert status(rig, "CDC", "supply A lost") & 0x01
    assert not status(rig, "CDC", "supply B lost") & 0x01
    rig.clear(lost)
    rig.run_for(ms(600))
    assert status(rig, "CDC", "supply A lost") & 0x09 == 0x08
    rig = braking.fork()
    low = rig.inject(SupplyLow(supply="A", voltage_v=34.0))
    rig.run_for(ms(100))
    assert status(rig, "EMB_FL", "supply low") & 0x01
    rig.clear(low)
    rig.run_for(ms(100))
    assert status(rig, "EMB_FL", "supply low") & 0x09 == 0x08


def test_a_message_that_is_back_in_order_heals_its_codes(braking: Rig) -> None:
    rig = braking.fork()
    wrong = rig.inject(ChecksumWrong(message="IMU_Data"))
    stopped = rig.inject(MessageStopped(message="VCU_Torque"))
    rig.run_for(ms(350))
    assert status(rig, "CDC", "IMU_Data invalid") == 0x27  # not confirmed before the second cycle
    assert status(rig, "CDC2", "VCU_Torque missing") == 0x27
    assert not status(rig, "CDC", "IMU_Data missing") & 0x01
    rig.clear(wrong)
    rig.clear(stopped)
    rig.run_for(ms(600))
    assert status(rig, "CDC", "IMU_Data invalid") == 0x26
    assert status(rig, "CDC2", "VCU_Torque missing") == 0x26


def test_a_snapshot_shows_what_it_was_like(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(EcuSilent(node="EMB_FL"))
    rig.run_for(ms(100))
    memory = codes_of(rig, "CDC").memory
    dtc = memory.settings.by_name["EMB_FL silent"]
    entry = memory.entry(dtc.code)
    assert entry is not None and entry.snapshots[1] == entry.snapshots[2]
    values = dict(shown(dtc, entry.snapshots[1]))
    speed_kmh = int.from_bytes(values["vehicle speed"], "big") / 100.0
    assert abs(speed_kmh - 3.6 * rig.recorded("speed_mps")[-100]) < 3.0
    assert 4700 <= int.from_bytes(values["supply voltage"], "big") <= 4900
    failed_ms = int.from_bytes(values["time"], "big")
    assert 1600 <= failed_ms <= 1660 and entry.first_ms == failed_ms
    asked = [
        int.from_bytes(values["clamp forces asked for"][i : i + 2], "big") for i in (0, 2, 4, 6)
    ]
    found = [
        int.from_bytes(values["clamp forces measured"][i : i + 2], "big") for i in (0, 2, 4, 6)
    ]
    for n in range(4):
        assert 1000.0 < 2 * asked[n] < 40_000.0
        assert abs(2 * asked[n] - 2 * found[n]) < 500.0


def shown(dtc: Dtc, data: bytes) -> Iterator[tuple[str, bytes]]:
    for item in dtc.snapshot:
        yield item.name, data[: item.size]
        data = data[item.size :]
    assert data == b""


def test_an_actuators_snapshot_shows_its_own_force_and_wheel(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(SensorStuck(node="EMB_RL", pin="screw_travel_m", value=0.1))
    rig.run_for(ms(50))
    memory = codes_of(rig, "EMB_RL").memory
    dtc = memory.settings.by_name[emb.MOTION_RANGE]
    entry = memory.entry(dtc.code)
    assert entry is not None
    values = dict(shown(dtc, entry.snapshots[1]))
    assert 50_00 < int.from_bytes(values["vehicle speed"], "big") < 101_00
    assert 2 * int.from_bytes(values["clamp force asked for"], "big") > 1000
    assert 2 * int.from_bytes(values["clamp force measured"], "big") > 1000


def test_codes_survive_a_reset_and_age_no_cycle_that_was_cut_off(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(SensorStuck(node="EMB_RL", pin="screw_travel_m", value=0.1), duration=ms(100))
    rig.run_for(ms(200))
    assert status(rig, "EMB_RL", emb.MOTION_RANGE) & 0x2E == 0x2E
    rig.inject(EcuReset(node="EMB_RL"))
    rig.run_for(ms(300))
    assert status(rig, "EMB_RL", emb.MOTION_RANGE) == 0xEC  # b0 b1 begin anew, nothing tested yet
    rig.run_for(ms(1100))
    assert status(rig, "EMB_RL", emb.MOTION_RANGE) == 0xAC
    entry = codes_of(rig, "EMB_RL").memory.entry(emb.SETTINGS.by_name[emb.MOTION_RANGE].code)
    assert entry is not None and entry.aging_counter == 0


def test_a_clear_does_not_hide_what_is_still_broken(braking: Rig) -> None:
    rig = braking.fork()
    rig.inject(EcuSilent(node="EMB_FL"))
    rig.run_for(ms(100))
    codes_of(rig, "CDC").memory.clear(ALL_GROUPS, rig.now_ns)
    assert status(rig, "CDC", "EMB_FL silent") == 0x50
    rig.run_for(ms(150))
    assert status(rig, "CDC", "EMB_FL silent") == 0xAF


def test_a_fork_and_a_pickle_keep_codes_of_their_own(braking: Rig) -> None:
    rig = braking.fork()
    other = pickle.loads(pickle.dumps(rig))
    for each in (rig, other):
        each.inject(EcuSilent(node="EMB_FL"))
        each.run_for(ms(100))
        assert status(each, "CDC", "EMB_FL silent") == 0xAF
    assert status(braking, "CDC", "EMB_FL silent") == 0x00
    assert dtc_events(rig) == dtc_events(other)


def test_an_ecu_alone_on_a_fake_port_keeps_its_codes(make_emb: Any) -> None:
    bench = make_emb()
    assert isinstance(bench.node, Emb)
    assert isinstance(bench.node.trouble_codes, TroubleCodes)
    bench.run_for(ms(700))
    # Nobody sends: what is missing is found, by two looks in a row.
    assert ("dtc", "U1A02-87 BPS_Pedal missing: testFailed") in bench.port.events
