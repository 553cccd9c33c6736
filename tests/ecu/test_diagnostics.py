"""Diagnostics of the simulated ECUs, asked over the bus as a workshop tester would."""

from __future__ import annotations

import pickle
from collections import Counter
from itertools import pairwise

import pytest

from simcore.diag.client import Outcome, OutcomeKind
from simcore.diag.codes import Nrc, ResetKind
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.diagnostics_rows import VIN, security_key
from simcore.ecu.runtime.diagnostics_rows import test_authority as root_authority
from simcore.rig import Rig
from simcore.units import ms, s

SERVERS = ("CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR", "GW")


class Workshop:
    """A rig at standstill and short words for what a tester does."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.tester = rig.tester

    def ask(self, node: str, payload: str) -> Outcome:
        return self.tester.ask(node, bytes.fromhex(payload))

    def answer(self, node: str, payload: str) -> str:
        response = self.ask(node, payload).response
        return "" if response is None else response.hex()

    def nrc(self, node: str, payload: str) -> int | None:
        return self.ask(node, payload).nrc

    def unlock(self, node: str, level: int = 1) -> None:
        seed = self.ask(node, f"27{level:02x}").response
        assert seed is not None
        key = security_key(node, level, seed[2:]).hex()
        assert self.answer(node, f"27{level + 1:02x}{key}") == f"67{level + 1:02x}"

    def enter(self, node: str, session: int = 3) -> None:
        assert self.answer(node, f"10{session:02x}").startswith(f"50{session:02x}")

    def sent(self, node: str, duration_ns: int) -> Counter[int]:
        """How often a node sends what in the next time, diagnostics apart."""
        log = self.rig.bus("CHASSIS_A").log
        begin = len(log)
        self.rig.run_for(duration_ns)
        sent = (r for r in log[begin:] if r.sender == node and r.channel == "CHASSIS_A")
        ids = (each.frame.arbitration_id for each in sent)
        return Counter(each for each in ids if each < 0x600)

    def alone(self, *nodes: str) -> None:
        """Take everybody else's supply: time passes faster."""
        for name in self.rig.nodes:
            if name not in (*nodes, "TST"):
                self.rig.host(name).halt()

    def texts(self, node: str, kind: str) -> list[str]:
        return [e.text for e in self.rig.log.events if e.source == node and e.kind == kind]


@pytest.fixture(scope="module")
def warm() -> Rig:
    rig = Rig()
    rig.run_for(ms(400))
    return rig


@pytest.fixture
def shop(warm: Rig) -> Workshop:
    return Workshop(warm.fork())


# -- reading --------------------------------------------------------------------------------------


def test_every_server_of_the_database_says_who_it_is(shop: Workshop) -> None:
    assert shop.tester.nodes == SERVERS
    for node in SERVERS:
        assert shop.ask(node, "22f190").response[-17:] == VIN  # type: ignore[index]
    for node in SERVERS[:-1]:
        assert bytes.fromhex(shop.answer(node, "22f197"))[3:] == node.encode()


def test_identification_is_complete_and_constant(shop: Workshop) -> None:
    for did in ("f187", "f188", "f189", "f18a", "f18c", "f191", "f193", "f195"):
        response = shop.answer("EMB_FL", f"22{did}")
        assert response.startswith(f"62{did}") and len(response) > 10
    assert shop.answer("EMB_FL", "22f18c") != shop.answer("EMB_FR", "22f18c")
    shop.enter("EMB_FL")
    shop.unlock("EMB_FL")
    for did in ("f187", "f188", "f189", "f18c", "f190", "f195"):
        assert shop.nrc("EMB_FL", f"2e{did}00000000") == Nrc.REQUEST_OUT_OF_RANGE


def test_live_data_is_what_the_application_works_with(shop: Workshop) -> None:
    rig = shop.rig
    rig.press_pedal(40)
    rig.run_for(ms(500))
    data = bytes.fromhex(shop.answer("EMB_FL", "22010101030106"))
    force_n = int.from_bytes(data[3:7], "big", signed=True) / 10
    assert force_n == pytest.approx(rig.pin("EMB_FL", "clamp_force_n"), rel=0.05) and force_n > 1000
    assert int.from_bytes(data[9:13], "big") == 48_000
    assert data[15] == rig.node("EMB_FL").application.state  # type: ignore[attr-defined]
    requests = bytes.fromhex(shop.answer("CDC", "220202"))[3:]
    assert int.from_bytes(requests[:4], "big") / 10 == pytest.approx(force_n, rel=0.05)
    assert shop.answer("CDC2", "220202") == "620202" + "7fffffff" * 4  # in standby
    assert shop.answer("CDC2", "220203") == "620203ffffff"


def test_every_did_of_every_table_can_be_read_as_long_as_it_says(shop: Workshop) -> None:
    for node in SERVERS[:-1]:
        shop.answer(node, "3e00")
        ecu = shop.rig.node(node)
        assert isinstance(ecu, Ecu) and ecu.diagnostics is not None
        for row in ecu.diagnostics.server.table.dids:
            if row.read is None or row.access.level or row.access.role:
                continue
            response = shop.ask(node, f"22{row.did:04x}")
            assert response.kind is OutcomeKind.POSITIVE, (node, row.did, response)
            if row.size is not None:
                assert len(response.response or b"") == 3 + row.size, (node, row.did)


def test_trouble_codes_are_read_and_cleared(shop: Workshop) -> None:
    shop.rig.reset("EMB_FL")
    shop.rig.run_for(ms(400))
    failed = shop.answer("CDC", "1902ff")
    assert "5a1087" in failed or len(failed) > 6
    assert shop.answer("CDC", "14ffffff") == "54"
    assert "2f" not in shop.answer("CDC", "190208")[6:] and shop.nrc("CDC", "14123456") == 0x31


def test_what_snapshots_hold_can_be_read_at_any_time(shop: Workshop) -> None:
    assert shop.answer("EMB_FL", "224002") == "624002" + f"{4800:04x}"
    assert shop.answer("CDC", "224001") == "6240010000"


# -- sessions, security, authentication -----------------------------------------------------------


def test_programming_is_reached_from_extended_only_and_at_standstill(shop: Workshop) -> None:
    assert shop.nrc("EMB_FL", "1002") == Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION
    shop.enter("EMB_FL")
    assert shop.answer("EMB_FL", "22f186") == "62f18603"
    shop.enter("EMB_FL", 2)
    assert shop.answer("EMB_FL", "22f186") == "62f18602"
    assert shop.nrc("EMB_FL", "1003") == Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION
    assert shop.nrc("EMB_FL", "1004") == Nrc.SUB_FUNCTION_NOT_SUPPORTED


@pytest.mark.parametrize("node", SERVERS[:-1])
def test_a_moving_vehicle_is_not_programmed_reset_or_silenced(warm: Rig, node: str) -> None:
    rig = warm.fork()
    rig.vehicle.set_speed(kmh=30)
    rig.run_for(ms(500))
    shop = Workshop(rig)
    shop.enter(node)
    for request in ("1002", "1101", "1103", "280101", "280301"):
        assert shop.nrc(node, request) == Nrc.VEHICLE_SPEED_TOO_HIGH, request


def test_a_session_ends_five_seconds_after_the_last_response_to_the_nanosecond(
    shop: Workshop,
) -> None:
    shop.alone("EMB_FR")
    shop.enter("EMB_FR")
    shop.answer("EMB_FR", "280101")
    answered = [r for r in shop.rig.bus("CHASSIS_A").log if r.frame.arbitration_id == 0x6AB]
    end_ns = answered[-1].eof_ns + s(5)
    shop.rig.run_for(s(6))
    on = [e for e in shop.rig.log.events if e.source == "EMB_FR" and "transmission on" in e.text]
    assert [each.time_ns for each in on] == [end_ns]
    assert shop.answer("EMB_FR", "22f186") == "62f18601"


def test_tester_present_keeps_every_session(shop: Workshop) -> None:
    shop.alone("EMB_FR", "CDC")
    shop.enter("EMB_FR")
    shop.enter("CDC")
    shop.tester.present()
    shop.rig.run_for(s(7))
    assert shop.answer("EMB_FR", "22f186") == "62f18603"
    shop.tester.present(None)
    shop.rig.run_for(s(5) + ms(1))
    assert shop.answer("EMB_FR", "22f186") == "62f18601"
    assert shop.answer("CDC", "22f186") == "62f18601"


def test_failed_keys_are_remembered_over_a_reset(shop: Workshop) -> None:
    shop.alone("EMB_FL")
    shop.enter("EMB_FL")
    for _ in range(3):
        shop.answer("EMB_FL", "2701")
        nrc = shop.nrc("EMB_FL", "2702" + "00" * 8)
    assert nrc == Nrc.EXCEEDED_NUMBER_OF_ATTEMPTS
    shop.answer("EMB_FL", "1101")
    shop.rig.run_for(ms(300))
    shop.enter("EMB_FL")
    assert shop.nrc("EMB_FL", "2701") == Nrc.REQUIRED_TIME_DELAY_NOT_EXPIRED
    shop.tester.present()
    shop.rig.run_for(s(10))
    shop.unlock("EMB_FL")


def test_no_seed_comes_twice_over_resets(shop: Workshop) -> None:
    seeds = set()
    for _ in range(3):
        shop.enter("EMB_FL")
        seeds |= {shop.answer("EMB_FL", "2701") for _ in range(2)}
        shop.answer("EMB_FL", "1103")
        shop.rig.run_for(ms(200))
    assert len(seeds) >= 3


def test_a_certificate_does_instead_of_a_key(shop: Workshop) -> None:
    from simcore.diag.authentication import EPOCH_S
    from simcore.diag.certificate_issuing import SigningKey

    key = SigningKey(b"tester of the test")
    certificate = root_authority().issue(
        "tester",
        key.public_key,
        roles=("workshop",),
        serial_number=7,
        not_before_s=EPOCH_S,
        not_after_s=EPOCH_S + 1000,
    )
    shop.enter("EMB_FL")
    assert shop.nrc("EMB_FL", "31010301") == Nrc.SECURITY_ACCESS_DENIED
    size = len(certificate).to_bytes(2, "big")
    request = b"\x29\x01\x00" + size + certificate + b"\x00\x00"
    response = shop.tester.request("EMB_FL", request)
    assert response is not None and response[:3] == b"\x69\x01\x11"
    length = int.from_bytes(response[3:5], "big")
    proof = key.sign(response[5 : 5 + length])
    request = b"\x29\x03" + len(proof).to_bytes(2, "big") + proof + b"\x00\x00"
    response = shop.tester.request("EMB_FL", request)
    assert response is not None and response[:3] == b"\x69\x03\x12"
    assert shop.answer("EMB_FL", "31010301") == "7101030101"


# -- communication control, DTC setting, reset ----------------------------------------------------


def test_communication_control_stops_what_the_ecu_sends_and_the_session_brings_it_back(
    shop: Workshop,
) -> None:
    shop.enter("EMB_FR")
    assert shop.answer("EMB_FR", "280101") == "6801"
    assert not shop.sent("EMB_FR", ms(500))
    assert [each.requirement for each in shop.rig.invariants(()) if not each.passed] == []
    assert shop.rig.node("EMB_FR").supervision.error_count == 0  # type: ignore[attr-defined]
    shop.enter("EMB_FR", 1)
    assert shop.sent("EMB_FR", ms(100))[0x81] == 20
    assert [each.requirement for each in shop.rig.invariants(()) if not each.passed] == []
    assert shop.texts("EMB_FR", "state")[-2:] == [
        "communication: reception on, transmission off",
        "communication: reception on, transmission on",
    ]


def test_a_stopped_message_goes_on_with_the_counter_it_had(shop: Workshop) -> None:
    database = shop.rig.database
    assert database.message("EMB_FR_St1").e2e is not None
    shop.enter("EMB_FR")
    shop.answer("EMB_FR", "280101")
    shop.rig.run_for(ms(200))
    shop.answer("EMB_FR", "280001")
    shop.rig.run_for(ms(50))
    frames = [r for r in shop.rig.bus("CHASSIS_A").log if r.frame.arbitration_id == 0x81]
    counters = [each.frame.data[2] for each in frames if each.channel == "CHASSIS_A"]
    steps = {(b - a) % 256 for a, b in pairwise(counters)}
    assert steps == {1}


def test_communication_control_stops_what_the_ecu_hears(shop: Workshop) -> None:
    shop.enter("EMB_FL")
    assert shop.answer("EMB_FL", "280301") == "6803"
    emb = shop.rig.node("EMB_FL")
    before = emb.reception("CDC_EmbCmd").received_ns  # type: ignore[attr-defined]
    assert not shop.sent("EMB_FL", ms(100))
    assert emb.reception("CDC_EmbCmd").received_ns == before  # type: ignore[attr-defined]
    assert shop.answer("EMB_FL", "280001") == "6800"
    shop.rig.run_for(ms(50))
    assert emb.reception("CDC_EmbCmd").usable(shop.rig.now_ns)  # type: ignore[attr-defined]


def test_a_reset_restarts_the_ecu_once_the_response_has_left(shop: Workshop) -> None:
    before_ms = int(shop.answer("EMB_RL", "22010a")[6:], 16)
    assert before_ms >= 350
    assert shop.answer("EMB_RL", "1101") == "5101"
    response = [r for r in shop.rig.bus("CHASSIS_A").log if r.frame.arbitration_id == 0x6AC][-1]
    shop.rig.run_for(ms(300))
    down = [e for e in shop.rig.log.events if e.text == "reset (HARD)"]
    assert [(e.source, e.time_ns) for e in down] == [("EMB_RL", response.eof_ns)]
    after_ms = int(shop.answer("EMB_RL", "22010a")[6:], 16)
    assert 200 <= after_ms <= 250  # 50 ms of reset, then the bootloader
    assert shop.answer("EMB_RL", "22f186") == "62f18601"


def test_a_reset_is_a_new_operation_cycle_of_the_trouble_codes(shop: Workshop) -> None:
    emb = shop.rig.node("EMB_FL")
    memory = emb.trouble_codes.memory  # type: ignore[attr-defined]
    code = memory.settings.dtcs[0].code
    emb.trouble_codes.failed(memory.settings.dtcs[0].events[0], shop.rig.now_ns)  # type: ignore[attr-defined]
    assert memory.status(code) & 0x03 == 0x03
    shop.answer("EMB_FL", "1101")
    shop.rig.run_for(ms(200))
    memory = emb.trouble_codes.memory  # type: ignore[attr-defined]
    assert memory.status(code) & 0x42 == 0x40  # not failed and not completed this cycle
    assert memory.status(code) & 0x04  # pending: it failed in the last one


@pytest.mark.parametrize(("request_", "kind"), [("1102", "KEY_OFF_ON"), ("1103", "SOFT")])
def test_other_kinds_of_reset(shop: Workshop, request_: str, kind: str) -> None:
    assert shop.answer("CDC", request_) == "51" + request_[2:]
    shop.rig.run_for(ms(100))
    assert f"reset ({kind})" in shop.texts("CDC", "state")
    assert shop.answer("CDC", "22f186") == "62f18601"


def test_a_suppressed_reset_happens_all_the_same(shop: Workshop) -> None:
    outcome = shop.ask("EMB_FL", "1181")
    assert outcome.kind is OutcomeKind.SUPPRESSED
    assert "reset (HARD)" in shop.texts("EMB_FL", "state")


def test_nothing_is_answered_without_supply(shop: Workshop) -> None:
    shop.enter("EMB_FL")
    shop.rig.host("EMB_FL").halt()
    assert shop.ask("EMB_FL", "3e00").kind is OutcomeKind.TIMEOUT
    shop.rig.host("EMB_FL").start()
    shop.rig.run_for(ms(50))
    assert shop.answer("EMB_FL", "22f186") == "62f18601"


def test_dtc_setting_off_freezes_until_the_session_ends(shop: Workshop) -> None:
    shop.enter("CDC")
    assert shop.answer("CDC", "8502") == "c502"
    shop.rig.host("EMB_FL").halt()
    shop.rig.run_for(ms(300))
    memory = shop.rig.node("CDC").trouble_codes.memory  # type: ignore[attr-defined]
    assert not [dtc for dtc in memory.settings.dtcs if memory.status(dtc.code) & 1]
    shop.enter("CDC", 1)
    shop.rig.run_for(ms(300))
    assert [dtc for dtc in memory.settings.dtcs if memory.status(dtc.code) & 1]


# -- writing, control, routines -------------------------------------------------------------------


def test_the_fingerprint_is_written_in_programming_with_its_key_only(shop: Workshop) -> None:
    fingerprint = "2ef15a" + "26112101" + "0102030405"
    assert shop.nrc("EMB_FL", fingerprint) == Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION
    shop.enter("EMB_FL")
    assert shop.nrc("EMB_FL", fingerprint) == Nrc.REQUEST_OUT_OF_RANGE
    shop.enter("EMB_FL", 2)
    assert shop.nrc("EMB_FL", fingerprint) == Nrc.SECURITY_ACCESS_DENIED
    shop.unlock("EMB_FL", 0x11)
    assert shop.answer("EMB_FL", fingerprint) == "6ef15a"
    shop.answer("EMB_FL", "1101")
    shop.rig.run_for(ms(200))
    assert shop.answer("EMB_FL", "22f15a") == "62f15a261121010102030405"


def test_calibration_needs_a_key_and_acts_after_the_next_start(shop: Workshop) -> None:
    assert shop.nrc("CDC", "2e030107d0") == Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION
    shop.enter("CDC")
    assert shop.nrc("CDC", "2e030107d0") == Nrc.SECURITY_ACCESS_DENIED
    shop.unlock("CDC")
    assert shop.nrc("CDC", "2e0301ffff") == Nrc.REQUEST_OUT_OF_RANGE
    assert shop.answer("CDC", "2e030107d0") == "6e0301"
    assert shop.answer("CDC", "220301") == "6203010898"  # 2200 kg, as built
    shop.answer("CDC", "1101")
    shop.rig.run_for(ms(200))
    assert shop.answer("CDC", "220301") == "62030107d0"
    assert shop.rig.node("CDC").parameters.mass_kg == 2000.0  # type: ignore[attr-defined]
    for node, response in (("CDC2", "6203010898"), ("EMB_FL", "6203010159")):
        assert shop.answer(node, "220301") == response


def test_a_workshop_puts_the_pads_on_and_takes_them_off(shop: Workshop) -> None:
    rig = shop.rig
    assert shop.nrc("EMB_FL", "2f04010300000fa0") == Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION
    shop.enter("EMB_FL")
    assert shop.nrc("EMB_FL", "2f04010300000fa0") == Nrc.SECURITY_ACCESS_DENIED
    shop.unlock("EMB_FL")
    assert shop.nrc("EMB_FL", "2f04010300001fa0") == Nrc.REQUEST_OUT_OF_RANGE
    assert shop.answer("EMB_FL", "2f04010300000fa0") == "6f04010300000000"
    rig.run_for(ms(400))
    assert rig.pin("EMB_FL", "clamp_force_n") == pytest.approx(400, rel=0.05)
    shop.enter("EMB_FL", 1)  # ends the control
    rig.run_for(ms(300))
    assert rig.pin("EMB_FL", "clamp_force_n") == 0.0
    assert shop.texts("EMB_FL", "detection") == [] and shop.texts("CDC", "detection") == []


def test_a_braking_driver_comes_before_the_workshop(shop: Workshop) -> None:
    rig = shop.rig
    shop.enter("EMB_FL")
    shop.unlock("EMB_FL")
    shop.answer("EMB_FL", "2f04010300000fa0")
    rig.press_pedal(50)
    rig.run_for(ms(300))
    assert rig.pin("EMB_FL", "clamp_force_n") > 5_000
    rig.release_pedal()
    rig.run_for(ms(400))
    assert rig.pin("EMB_FL", "clamp_force_n") == pytest.approx(400, rel=0.05)
    rig.vehicle.set_speed(kmh=20)
    rig.run_for(ms(300))
    assert rig.pin("EMB_FL", "clamp_force_n") == 0.0  # a wheel that turns is left alone
    assert shop.nrc("EMB_FL", "2f04010300000fa0") == Nrc.VEHICLE_SPEED_TOO_HIGH


def test_the_self_test_lasts_and_says_pending_meanwhile(shop: Workshop) -> None:
    shop.enter("EMB_FL")
    assert shop.nrc("EMB_FL", "31010301") == Nrc.SECURITY_ACCESS_DENIED
    shop.unlock("EMB_FL")
    assert shop.nrc("EMB_FL", "31030301") == Nrc.REQUEST_SEQUENCE_ERROR
    outcome = shop.ask("EMB_FL", "31010301")
    assert outcome.response == bytes.fromhex("7101030101") and outcome.pending_count == 1
    assert ms(190) <= outcome.duration_ns < ms(192)
    assert shop.answer("EMB_FL", "31030301") == "7103030101"


def test_the_park_lock_moves_at_the_rear_only(shop: Workshop) -> None:
    shop.enter("EMB_FL")
    shop.unlock("EMB_FL")
    assert shop.nrc("EMB_FL", "3101030201") == Nrc.REQUEST_OUT_OF_RANGE
    shop.enter("EMB_RL")
    shop.unlock("EMB_RL")
    assert shop.nrc("EMB_RL", "3101030202") == Nrc.REQUEST_OUT_OF_RANGE
    assert shop.answer("EMB_RL", "3101030201") == "7101030201"
    assert shop.rig.pin("EMB_RL", "park_lock_state") == 1.0
    assert shop.answer("EMB_RL", "31030302") == "7103030201"
    assert shop.answer("EMB_RL", "3101030201") == "7101030201"  # it is
    assert shop.answer("EMB_RL", "3101030200") == "7101030200"
    assert shop.rig.pin("EMB_RL", "park_lock_state") == 0.0


# -- the ECU beside diagnostics -------------------------------------------------------------------


def test_nothing_is_built_or_confirmed_before_the_first_diagnostic_frame(warm: Rig) -> None:
    for node in SERVERS[:-1]:
        ecu = warm.node(node)
        assert isinstance(ecu, Ecu) and ecu.diagnostics is None
        assert warm.host(node).controller().on_transmitted is None


def test_an_ecu_that_is_pickled_in_the_midst_of_a_routine_goes_on_alike(shop: Workshop) -> None:
    shop.enter("EMB_FL")
    shop.unlock("EMB_FL")
    shop.tester.send("EMB_FL", bytes.fromhex("31010301"))
    shop.rig.run_for(ms(50))
    others = [shop.rig.fork(), pickle.loads(pickle.dumps(shop.rig))]
    for rig in (shop.rig, *others):
        rig.run_for(ms(300))
        assert rig.tester.statistics("EMB_FL").pending_responses == 1
        assert rig.digest == shop.rig.digest


def test_requests_while_braking_hard_change_no_bit_of_any_other_frame(warm: Rig) -> None:
    plain = warm.fork()
    plain.vehicle.set_speed(kmh=100)
    assert plain.tester.nodes == SERVERS
    asked = plain.fork()
    for rig in (plain, asked):
        rig.press_pedal(100)
    for _ in range(12):
        plain.run_for(ms(25))
        end_ns = plain.now_ns
        for node in ("EMB_FL", "EMB_RR", "CDC"):
            asked.tester.send(node, bytes.fromhex("220107010af190"))
        asked.run_for(end_ns - asked.now_ns)
    assert asked.tester.statistics("EMB_FL").responses == 12

    def payloads(rig: Rig) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        for each in rig.bus("CHASSIS_A").log:
            if each.frame.arbitration_id < 0x600:
                found.setdefault(each.frame.arbitration_id, []).append(each.frame.data)
        return found

    assert payloads(asked) == payloads(plain)
    assert asked.recorder.column("clamp_force_n.FL").tolist() == (
        plain.recorder.column("clamp_force_n.FL").tolist()
    )


def test_a_port_that_cannot_reset_says_so(shop: Workshop) -> None:
    class Bare:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def log(self, kind: str, text: str) -> None:
            self.texts.append(text)

    ecu = shop.rig.node("EMB_FL")
    assert isinstance(ecu, Ecu)
    ecu.port = bare = Bare()  # type: ignore[assignment]
    ecu.reset(ResetKind.SOFT)
    assert bare.texts == ["reset (SOFT) asked for, but nothing here can do that"]
