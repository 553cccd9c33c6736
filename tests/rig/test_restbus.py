"""`Restbus`: who is played, what is sent, what is judged; and modules in free places."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import can
import pytest

from simcore import Database, Restbus, ms, s, us
from simcore.attach import publish
from simcore.bus import BitTiming, Frame
from simcore.ecu import Port, RestbusNode
from simcore.errors import InputError, UsageError
from simcore.faults import EcuSilent, MessageCycle, MessageStopped
from simcore.network import E2eConfig
from simcore.network.columns import Column, load_columns
from simcore.network.send_types import SendTypes
from simcore.protection import E2eStatus
from simcore.protection.cmac import KeyStore
from simcore.protection.e2e_factory import e2e_receiver
from simcore.protection.secoc import SecOcReceiver, single_counter_receiver
from simcore.protection.secoc_status import SecOcOutcome
from simcore.resources import dbc_path
from simcore.rig import load_scenarios, run_scenario
from simcore.rig.reference import test_key as secoc_test_key
from simcore.rig.restbus_notes import protection_look, unprotected_signals
from simcore.rig.restbus_result import restbus_result
from simcore.rig.result import Verdict

TEXT = """VERSION ""
BU_: ENG BRK DASH
BO_ 256 EngineSpeed: 8 ENG
 SG_ Speed : 0|16@1+ (0.25,0) [0|10000] "rpm" BRK,DASH
 SG_ Gear : 16|4@1+ (1,0) [0|15] "" DASH
 SG_ Speed_Cnt : 24|4@1+ (1,0) [0|15] "" DASH
 SG_ Speed_CRC : 32|8@1+ (1,0) [0|255] "" DASH
BO_ 257 EngineState: 8 ENG
 SG_ State : 0|8@1+ (1,0) [0|255] "" DASH
BO_ 258 BrakeState: 8 BRK
 SG_ Pressure : 0|16@1+ (0.01,0) [0|200] "bar" ENG,DASH
 SG_ Light : 16|1@1+ (1,0) [0|1] "" ENG
BO_ 259 Button: 2 DASH
 SG_ Pressed : 0|8@1+ (1,0) [0|3] "" ENG
BO_ 260 Shared: 4 ENG
 SG_ Word : 0|8@1+ (1,0) [0|255] "" DASH
BO_ 261 Nobodys: 4 Vector__XXX
 SG_ Any : 0|8@1+ (1,0) [0|255] "" DASH
BO_TX_BU_ 260 : ENG,BRK;
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 100000;
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_DEF_ SG_ "GenSigTimeoutTime_DASH" INT 0 100000;
BA_DEF_ SG_ "GenSigTimeoutTime_ENG" INT 0 100000;
BA_DEF_DEF_ "GenMsgSendType" "";
BA_ "GenMsgCycleTime" BO_ 256 10;
BA_ "GenMsgCycleTime" BO_ 257 20;
BA_ "GenMsgCycleTime" BO_ 258 20;
BA_ "GenMsgCycleTime" BO_ 260 100;
BA_ "GenMsgCycleTime" BO_ 261 50;
BA_ "GenMsgSendType" BO_ 257 "CyclicAndOnChange";
BA_ "GenMsgSendType" BO_ 259 "OnChange";
BA_ "GenSigTimeoutTime_DASH" SG_ 258 Pressure 60;
BA_ "GenSigTimeoutTime_ENG" SG_ 258 Pressure 60;
BA_ "GenSigTimeoutTime_ENG" SG_ 258 Light 90;
VAL_ 256 Gear 0 "P" 1 "R" 2 "N" 3 "D" ;
"""
TEXT = TEXT.replace('"CyclicAndOnChange"', '"cyclicAndOnChange"')
DATABASE = Database.from_text(TEXT, name="car.dbc")
REPOSITORY = Path(__file__).resolve().parents[2]
NODES = ("ENG", "BRK", "DASH", "Vector__XXX")


def times(rig: Restbus, message: str, sender: str | None = None) -> list[int]:
    found = rig.database.message(message)
    return [
        record.sof_ns
        for record in rig.recorder.frames
        if record.frame.arbitration_id == found.arbitration_id and sender in (None, record.sender)
    ]


def values(rig: Restbus, message: str, signal: str) -> list[object]:
    found = rig.database.message(message)
    return [
        found.codec.decode(record.frame.data)[signal]
        for record in rig.recorder.frames
        if record.frame.arbitration_id == found.arbitration_id
    ]


def events(rig: Restbus, kind: str, source: str | None = None) -> list[tuple[int, str, str]]:
    return [
        (each.time_ns, each.source, each.text)
        for each in rig.log.of_kind(kind)
        if source in (None, each.source) and each.source != "restbus"
    ]


class Brake:
    """A module under test: sends BrakeState in a cycle of its own, until `until_ns`."""

    def __init__(self, cycle_ns: int = ms(20), until_ns: int = s(1_000)) -> None:
        self.cycle_ns = cycle_ns
        self.until_ns = until_ns
        self.heard: list[int] = []

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port
        self.due_ns = now_ns

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.heard.append(frame.arbitration_id)

    def on_timer(self, now_ns: int) -> None:
        self.port.send(Frame(258, b"\x10\x27" + bytes(6)))
        self.due_ns += self.cycle_ns

    def next_deadline_ns(self) -> int | None:
        return self.due_ns if self.due_ns < self.until_ns else None


# -- who is played ---------------------------------------------------------------------------------


def test_without_a_choice_every_node_is_played_and_nobodys_messages_too() -> None:
    rig = Restbus(DATABASE)
    assert rig.played == NODES and rig.absent == ()
    rig.run_for(s(1))
    assert len(times(rig, "Nobodys", "Vector__XXX")) == 20
    assert len(times(rig, "EngineSpeed", "ENG")) == 100
    assert not rig.log.findings


def test_play_and_all_but_are_two_ways_to_say_the_same() -> None:
    one = Restbus(DATABASE, play=["ENG", "DASH", "Vector__XXX"])
    other = Restbus(DATABASE, all_but=["BRK"])
    assert one.played == other.played and one.absent == other.absent == ("BRK",)
    one.run_for(ms(500))
    other.run_for(ms(500))
    assert one.digest == other.digest
    assert times(one, "BrakeState") == []


def test_a_message_of_several_senders_is_sent_by_the_first_that_is_played() -> None:
    rig = Restbus(DATABASE)
    rig.run_for(s(1))
    assert len(times(rig, "Shared", "ENG")) == len(times(rig, "Shared")) == 10


def test_a_message_that_an_absent_node_sends_too_is_left_to_it() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.run_for(s(1))
    assert times(rig, "Shared") == []
    with pytest.raises(
        UsageError,
        match=r"^restbus: Shared: expected a message of a played node, got one of ENG, BRK, "
        "which is not played$",
    ):
        rig.set("Shared", Word=1)


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"play": ["ENG"], "all_but": ["BRK"]}, "^Restbus: expected either play or all_but, got "),
        ({"play": ["ENGE"]}, r"^Restbus, play: unknown node 'ENGE': did you mean 'ENG'\?$"),
        ({"all_but": ["brk"]}, r"^Restbus, all_but: unknown node 'brk': did you mean 'BRK'\?$"),
        ({"all_but": "BRK"}, "^Restbus, all_but: expected a list of node names, got 'BRK'$"),
        ({"bus": "body"}, "^car.dbc: unknown bus 'body'$"),
    ],
)
def test_a_choice_of_nodes_that_makes_no_sense_is_refused(choice, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Restbus(DATABASE, **choice)


def test_the_starts_of_messages_without_delays_are_spread() -> None:
    rig = Restbus(DATABASE)
    together = Restbus(DATABASE, spread_offsets=False)
    assert set(rig.offsets) == {"EngineSpeed", "EngineState", "BrakeState", "Shared", "Nobodys"}
    assert together.offsets == {}
    for each in (rig, together):
        each.run_for(ms(9))
    assert len({record.request_ns for record in rig.recorder.frames}) > 1
    assert {record.request_ns for record in together.recorder.frames} == {0}


def test_a_file_with_start_delays_keeps_them() -> None:
    rig = Restbus(Database.reference(), play=["VCU"])
    assert rig.offsets == {}
    rig.run_for(ms(100))
    message = rig.database.message("VCU_Torque")
    first_ns = next(
        record.request_ns
        for record in rig.recorder.frames
        if record.frame.arbitration_id == message.arbitration_id
    )
    assert first_ns == message.start_delay_ns > 0


def test_bit_rates_may_be_chosen() -> None:
    slow = Restbus(DATABASE, timing=BitTiming(nominal_bps=125_000))
    fast = Restbus(DATABASE)
    for each in (slow, fast):
        each.run_for(s(1))
    assert slow.buses[0].load_ratio == pytest.approx(4 * fast.buses[0].load_ratio, rel=0.01)


# -- the module under test -------------------------------------------------------------------------


def test_a_module_takes_the_place_of_an_absent_node() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    brake = Brake()
    rig.replace("BRK", brake)
    rig.run_for(s(1))
    assert len(times(rig, "BrakeState", "BRK")) == 50
    assert brake.heard.count(256) == 100
    (check,) = rig.invariants(())
    assert check.requirement == "COM-001" and check.passed


def test_a_module_with_a_wrong_cycle_fails_com_001() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.replace("BRK", Brake(cycle_ns=ms(25)))
    rig.run_for(s(1))
    (check,) = rig.invariants(())
    assert not check.passed
    assert "BrakeState on CAN 25." in check.text and "missing" not in check.text


def test_a_module_that_falls_silent_fails_com_001() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.replace("BRK", Brake(until_ns=ms(300)))
    rig.run_for(s(1))
    (check,) = rig.invariants(())
    assert not check.passed and "missing: BrakeState on CAN" in check.text


def test_an_empty_place_is_not_judged() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.run_for(s(1))
    (check,) = rig.invariants(())
    assert check.passed and "missing" not in check.text


def test_a_python_can_program_is_the_module_under_test() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    with publish(rig), can.Bus(interface="simcore", ignore_config=True) as bus:
        heard = [bus.recv(0.1) for _ in range(5)]
        bus.send(can.Message(arbitration_id=258, data=b"\x10\x27" + bytes(6), is_extended_id=False))
        bus.recv(0.1)
    assert all(message is not None for message in heard)
    assert {message.arbitration_id for message in heard if message} <= {256, 257, 261}
    assert rig.signal("BrakeState", "Pressure") == pytest.approx(100.0)


def test_signals_of_the_module_that_do_not_come_are_detected_and_come_back() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.replace("BRK", Brake(until_ns=ms(101)))
    rig.run_for(ms(300))
    # The last frame is asked for at 100 ms; for receivers it is valid one bit before its end.
    last_ns = max(
        record.eof_ns for record in rig.recorder.frames if record.frame.arbitration_id == 258
    ) - us(2)
    assert sorted(events(rig, "detection")) == [
        (last_ns + ms(60), "DASH", "no BrakeState for 60 ms: Pressure timed out"),
        (last_ns + ms(60), "ENG", "no BrakeState for 60 ms: Pressure timed out"),
        (last_ns + ms(90), "ENG", "no BrakeState for 90 ms: Light timed out"),
    ]
    rig.replace("BRK", Brake(until_ns=ms(301)))
    rig.run_for(ms(200))
    back = [text for _, _, text in events(rig, "note", "ENG")]
    assert back == ["BrakeState is back: Pressure, Light"]
    assert len(events(rig, "detection")) == 6


def test_a_node_that_restarts_gives_the_module_its_whole_time_again() -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.run_for(ms(50))
    rig.reset("ENG")
    rig.run_for(ms(59))
    assert events(rig, "detection", "ENG") == []
    rig.run_for(ms(2))
    assert [time_ns for time_ns, _, _ in events(rig, "detection", "ENG")] == [ms(110)]


def test_played_nodes_do_not_monitor_each_other() -> None:
    rig = Restbus(DATABASE)
    rig.inject(EcuSilent(node="BRK"))
    rig.run_for(s(1))
    assert events(rig, "detection") == []
    assert all(node.timeouts is None for node in rig.restbus_nodes.values())


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chassis_fd.dbc", "chassis_fd_secoc.dbc"])
def test_counters_and_checksums_of_every_frame_are_right(name: str) -> None:
    database = Database.load(dbc_path(name))
    rig = Restbus(database)
    rig.run_for(s(2))
    protected = [m for m in database.messages if m.e2e is not None and m.cycle_time_ns]
    assert len(protected) >= 15
    for message in protected:
        assert isinstance(message.e2e, E2eConfig)
        length = message.length if message.secoc is None else message.secoc.authentic_length
        receiver = e2e_receiver(message.e2e, length)
        statuses = [
            receiver.check(record.frame.data[:length])
            for record in rig.recorder.frames
            if record.frame.arbitration_id == message.arbitration_id
        ]
        assert len(statuses) >= 2 and set(statuses) == {E2eStatus.OK}
    assert not rig.log.findings and rig.notes == ()


def test_messages_under_secoc_verify_with_the_test_keys() -> None:
    rig = Restbus(Database.load(dbc_path("chassis_fd_secoc.dbc")), play=["CDC"])
    rig.run_for(ms(200))
    config = rig.message("CDC_EmbCmd").secoc
    assert config is not None and config.key_id is not None
    keys = KeyStore({config.key_id: secoc_test_key(config.key_id)})
    receiver = SecOcReceiver(config, keys, single_counter_receiver(config))
    outcomes = {
        receiver.verify(record.frame.data).outcome
        for record in rig.recorder.frames
        if record.frame.arbitration_id == 0x060
    }
    assert outcomes == {SecOcOutcome.SUCCESS}


def test_what_secoc_fills_in_is_not_set() -> None:
    rig = Restbus(Database.load(dbc_path("chassis_fd_secoc.dbc")), play=["CDC"])
    config = rig.message("CDC_EmbCmd").secoc
    assert config is not None
    name = config.authenticator_signal
    assert name is not None
    with pytest.raises(UsageError, match=rf"CDC_EmbCmd\.{name}: expected a signal that E2E and S"):
        rig.set("CDC_EmbCmd", **{name: 1})


def test_values_are_set_written_and_sent() -> None:
    rig = Restbus(DATABASE)
    rig.set("EngineSpeed", Speed=1000, Gear="D")
    rig.run_for(ms(45))
    assert set(values(rig, "EngineSpeed", "Speed")) == {1000}
    assert set(values(rig, "EngineSpeed", "Gear")) == {"D"} or set(
        values(rig, "EngineSpeed", "Gear")
    ) == {3}
    assert times(rig, "Button") == []
    rig.write("Button", Pressed=1)
    rig.write("Button", Pressed=1)
    rig.run_for(ms(5))
    assert values(rig, "Button", "Pressed") == [1]
    rig.send("Button")
    rig.run_for(ms(5))
    assert values(rig, "Button", "Pressed") == [1, 1]


def test_a_driven_signal_follows_a_function_of_time_and_a_csv_column(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("time_s,Button.Pressed\n0.1,1\n0.2,2\n0.3,2\n", encoding="utf-8")
    rig = Restbus(DATABASE, spread_offsets=False)
    rig.drive("EngineState", "State", whole_tens, every=ms(5))
    rig.drive("Button", "Pressed", load_columns(path)["Button.Pressed"])
    rig.drive("BrakeState", "Pressure", Column((0, ms(100)), (1.0, 2.0)))
    rig.run_for(ms(400))
    states = values(rig, "EngineState", "State")
    assert states == sorted(states) and states[-1] == 39
    assert values(rig, "Button", "Pressed") == [1, 2]
    assert values(rig, "BrakeState", "Pressure") == pytest.approx([1.0] * 5 + [2.0] * 15)


def whole_tens(time_s: float) -> int:
    return int(time_s * 100.0)


def test_an_unknown_message_is_said_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown message 'Buton': did you mean 'Button'\?"):
        Restbus(DATABASE).write("Buton", Pressed=1)


def test_cycle_times_can_be_given_where_the_file_has_none() -> None:
    text = "\n".join(line for line in TEXT.splitlines() if '"GenMsgCycleTime" BO_' not in line)
    database = Database.from_text(text, name="bare.dbc")
    rig = Restbus(database, all_but=["BRK"], cycles={"EngineSpeed": ms(5), "*": ms(40)})
    rig.run_for(s(1))
    counts = {row.name: (row.count, row.cycle_nominal_ns) for row in result_of(rig).messages}
    assert counts == {"EngineSpeed": (200, ms(5)), "Nobodys": (25, ms(40))}
    (check,) = rig.invariants(())
    assert check.passed and "on CAN" in check.text and "missing" not in check.text


def test_a_cycle_time_of_an_event_message_is_added_to_its_events() -> None:
    rig = Restbus(DATABASE, cycles={"Button": ms(100)})
    rig.run_for(ms(350))
    rig.write("Button", Pressed=1)
    rig.run_for(ms(10))
    assert 4 <= len(times(rig, "Button")) <= 5
    assert values(rig, "Button", "Pressed")[-1] == 1


@pytest.mark.parametrize(
    ("cycles", "complaint"),
    [
        ({"Buton": ms(5)}, "unknown message 'Buton': did you mean 'Button'"),
        ({"BrakeState": ms(5)}, "BrakeState: expected a message of a played node"),
        ({"Button": 0}, r"^Restbus, cycle of Button: expected more than 0 ns, got 0$"),
        ({"*": 0.5}, r"^Restbus, cycle of \*: expected "),
    ],
)
def test_cycle_times_that_make_no_sense_are_refused(cycles, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Restbus(DATABASE, all_but=["BRK"], cycles=cycles)


# -- copies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda rig: pickle.loads(pickle.dumps(rig))])
def test_a_copy_in_mid_run_ends_with_the_same_digest(copied: Callable[[Restbus], Restbus]) -> None:
    rig = Restbus(DATABASE, all_but=["BRK"])
    rig.replace("BRK", Brake(until_ns=ms(700)))
    rig.drive("EngineState", "State", whole_tens, every=ms(5))
    rig.inject(MessageCycle(message="EngineSpeed", cycle_ns=ms(7), frames=200))
    rig.run_for(ms(1234))
    other = copied(rig)
    fork = rig.fork()
    for each in (rig, other, fork):
        each.run_for(ms(1300))
    assert rig.digest == other.digest == fork.digest
    assert events(rig, "detection") == events(other, "detection") != []


def test_how_a_run_is_cut_into_pieces_does_not_show() -> None:
    whole, pieces = Restbus(DATABASE), Restbus(DATABASE)
    whole.run_for(s(3))
    for _ in range(30):
        pieces.run_for(ms(100))
        pieces.recorder.fold()
    assert whole.digest == pieces.digest


def test_a_long_run_keeps_its_frames_packed() -> None:
    rig = Restbus(DATABASE)
    rig.run_for(s(5))
    frames = rig.recorder.frames
    assert len(frames) - frames.sealed_count < 512 < len(frames)


# -- what is judged --------------------------------------------------------------------------------


def test_a_message_sent_on_events_too_is_judged_until_one_is_raised() -> None:
    rig = Restbus(DATABASE)
    rig.run_for(ms(200))
    assert "EngineState" in {message.name for message in rig.cyclic_messages}
    rig.write("EngineState", State=3)
    rig.send("EngineSpeed")
    rig.run_for(ms(200))
    assert {message.name for message in rig.cyclic_messages} == {"BrakeState", "Shared", "Nobodys"}
    assert all(check.passed for check in rig.invariants(()))


def test_the_result_of_a_run_counts_frames_and_load() -> None:
    rig = Restbus(DATABASE)
    rig.run_for(s(1))
    judged: list[int] = []
    result = restbus_result(
        rig,
        "car",
        file="car.dbc",
        title="Restbus",
        options={},
        replay_command="",
        judge=lambda buses: judged.append(buses[0].frame_count),
    )
    (bus,) = result.buses
    assert bus.frame_count == judged[0] == len(rig.recorder.frames) == 100 + 50 + 50 + 10 + 20
    assert 0 < bus.load_ratio <= bus.peak_load_ratio < 0.2
    assert len(bus.load_series_ratio) == 10
    assert result.verdict is Verdict.PASSED
    assert {row.name: row.count for row in result.messages}["EngineState"] == 50
    assert result.records == ()


def test_messages_without_a_sender_are_judged_too() -> None:
    rig = Restbus(DATABASE, play=["Vector__XXX"])
    rig.run_for(s(1))
    (check,) = rig.invariants(())
    assert check.passed and "Nobodys on CAN 50 ms" in check.text
    slow = Restbus(DATABASE, play=["Vector__XXX"])
    slow.run_for(ms(40))
    slow.silence("Vector__XXX")
    slow.silenced.clear()  # nobody switched it off on purpose
    slow.run_for(s(1))
    (check,) = slow.invariants(())
    assert not check.passed and "missing: Nobodys on CAN" in check.text


# -- notes -----------------------------------------------------------------------------------------


def test_counters_and_checksums_without_protection_are_named() -> None:
    rig = Restbus(DATABASE)
    (note,) = rig.notes
    assert note == (
        "1 counter-like and 1 checksum-like signals have no protection configured and are sent "
        "with constant values (configure E2E in the database or in car.protection.toml): "
        "EngineSpeed.Speed_Cnt, EngineSpeed.Speed_CRC"
    )
    assert [each.text for each in rig.log.of_kind("note")] == [note]
    assert unprotected_signals(Database.reference().messages)["checksum"] == []


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("CHECKSUM", "checksum"),
        ("VehVActlEng_No_Cs", "checksum"),
        ("ACC_05_CRC", "checksum"),
        ("Chksum3", "checksum"),
        ("COUNTER", "counter"),
        ("SteWhl_No_Cnt", "counter"),
        ("TSK_08_BZ", "counter"),
        ("AliveCounter", "counter"),
        ("TQI_TCS", ""),
        ("Discount", ""),
        ("CrcFault_State_Text", "checksum"),
        ("Velocity", ""),
        ("CtrStkDsply", ""),
        ("MsgSpeedCntr", "counter"),
    ],
)
def test_protection_is_guessed_by_words_of_the_name(name: str, look: str) -> None:
    text = TEXT.replace("Speed_Cnt", name)
    signal = Database.from_text(text).message("EngineSpeed").signal(name)
    assert protection_look(signal) == look


def test_what_the_send_rules_found_contradictory_is_a_note() -> None:
    text = TEXT.replace('BO_ 259 "OnChange"', 'BO_ 259 "Cyclic"')
    notes = Restbus(Database.from_text(text)).notes
    assert notes[0] == "0x103 Button: cyclic, but has no cycle time"
    helped = Restbus(Database.from_text(text), cycles={"Button": ms(10)}).notes
    assert len(helped) == len(notes) - 1


def test_an_unknown_send_type_is_refused_explained_or_skipped() -> None:
    text = TEXT.replace('BO_ 259 "OnChange"', 'BO_ 259 "Bei Druck"')
    with pytest.raises(InputError, match="message 0x103 Button, GenMsgSendType: expected one of"):
        Restbus(Database.from_text(text))
    own = SendTypes({"Bei Druck": "OnChange"})
    rig = Restbus(Database.from_text(text), send_types=own)
    rig.write("Button", Pressed=1)
    rig.run_for(ms(1))
    assert len(times(rig, "Button")) == 1
    lenient = Restbus(Database.from_text(text, lenient=True))
    assert not lenient.skipped
    assert "0x103 Button: send type 'Bei Druck' is unknown: never sent by itself" in lenient.notes
    lenient.write("Button", Pressed=1)
    lenient.run_for(s(1))
    assert len(times(lenient, "EngineSpeed")) == 100
    assert not times(lenient, "Button")


def test_an_unknown_send_type_is_played_leniently_by_the_cycle_time() -> None:
    text = TEXT.replace('BO_ 259 "OnChange"', 'BO_ 259 "Bei Druck"').replace(
        'BA_ "GenMsgCycleTime" BO_ 256 10;',
        'BA_ "GenMsgCycleTime" BO_ 256 10;\nBA_ "GenMsgCycleTime" BO_ 259 50;',
    )
    rig = Restbus(Database.from_text(text, lenient=True))
    assert "0x103 Button: send type 'Bei Druck' is unknown: sent every 50 ms" in rig.notes
    rig.run_for(s(1))
    assert len(times(rig, "Button")) == 20


def test_several_unknown_send_types_are_refused_in_one_go() -> None:
    text = TEXT.replace('BO_ 259 "OnChange"', 'BO_ 259 "Bei Druck"') + (
        'BA_ "GenMsgSendType" BO_ 256 "Immer";\nBA_ "GenMsgSendType" BO_ 257 "Immer";\n'
    )
    refusal = (
        r"^database\.dbc: 2 unknown send types: expected each one of Cyclic, .*, got "
        r"'Immer' \(GenMsgSendType of EngineSpeed and 1 more\), "
        r"'Bei Druck' \(GenMsgSendType of Button\)$"
    )
    with pytest.raises(InputError, match=refusal):
        Restbus(Database.from_text(text))
    own = SendTypes({"Immer": "Cyclic", "Bei Druck": "OnChange"})
    Restbus(Database.from_text(text), send_types=own).run_for(ms(10))


def test_a_database_with_errors_is_refused_and_lenient_plays_the_rest() -> None:
    text = TEXT.replace("Gear : 16|4", "Gear : 12|4")  # it overlaps Speed
    with pytest.raises(InputError, match="overlapping"):
        Restbus(Database.from_text(text))
    rig = Restbus(Database.from_text(text, lenient=True))
    assert any("Gear" in note or "Speed" in note for note in rig.notes)
    rig.run_for(s(1))
    assert len(times(rig, "BrakeState")) == 50


def test_a_message_that_fits_no_frame_is_skipped_and_said() -> None:
    text = TEXT.replace("BO_ 257 EngineState: 8", "BO_ 257 EngineState: 21")
    rig = Restbus(Database.from_text(text))
    assert rig.skipped == {"EngineState": "21 bytes are no length of a CAN FD frame"}
    assert "EngineState is not played: 21 bytes are no length of a CAN FD frame" in rig.notes


# -- other formats ---------------------------------------------------------------------------------

KCD = """<?xml version="1.0"?>
<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0">
  <Document/>
  <Node id="1" name="GW"/><Node id="2" name="DOOR"/>
  <Bus name="body" baudrate="125000">
    <Message id="0x100" name="Status" length="2" interval="100">
      <Producer><NodeRef id="1"/></Producer>
      <Signal name="X" offset="0" length="8"/>
    </Message>
    <Message id="0x101" name="Door" length="1" interval="50">
      <Producer><NodeRef id="2"/></Producer>
      <Signal name="Y" offset="0" length="8"/>
    </Message>
  </Bus>
  <Bus name="power">
    <Message id="0x100" name="Status" length="4" interval="20">
      <Producer><NodeRef id="1"/></Producer>
      <Signal name="Z" offset="8" length="16"/>
    </Message>
  </Bus>
</NetworkDefinition>
"""


def test_of_a_file_with_several_networks_one_is_played() -> None:
    database = Database.from_text(KCD, name="car.kcd")
    with pytest.raises(
        UsageError,
        match=r"^Restbus, bus: car\.kcd describes several networks: expected one of body, power$",
    ):
        Restbus(database)
    rigs = {name: Restbus(database, bus=name) for name in ("body", "power")}
    for rig in rigs.values():
        rig.run_for(s(1))
    assert {name: rig.timing.nominal_bps for name, rig in rigs.items()} == {
        "body": 125_000,
        "power": 500_000,  # the file names none
    }
    counts = {
        name: {row.name: row.count for row in result_of(rig).messages} for name, rig in rigs.items()
    }
    assert counts == {"body": {"Status": 10, "Door": 20}, "power": {"Status": 50}}
    rigs["power"].set("Status", Z=7)
    rigs["power"].run_for(ms(40))
    assert rigs["power"].recorder.frames[-1].frame.data == b"\x00\x07\x00\x00"
    nominal = {row.name: row.cycle_nominal_ns for row in result_of(rigs["power"]).messages}
    assert nominal == {"Status": ms(20)}


def test_faults_signals_and_waiting_are_of_the_network_that_is_played() -> None:
    rig = Restbus(Database.from_text(KCD, name="car.kcd"), bus="power")
    rig.set("Status", Z=7)
    rig.inject(MessageStopped(message="Status", frames=3))
    rig.run_for(ms(110))
    assert len(rig.recorder.frames) in (2, 3)
    assert rig.faults[0].record.effect == "3 frames concerned"
    assert rig.signal("Status", "Z") == 7
    assert rig.wait_for("Status", lambda values: values["Z"] == 7, timeout=ms(100))


def result_of(rig: Restbus):
    return restbus_result(rig, "x", file="", title="", options={}, replay_command="")


SYM = """FormatVersion=6.0 // Do not edit this line!
Title="small"

{SENDRECEIVE}

[Small]
ID=120h
Len=2
CycleTime=20
Var=Level unsigned 0,8
"""


def test_a_sym_file_is_played_by_the_node_it_implies() -> None:
    rig = Restbus(Database.from_text(SYM, name="small.sym"))
    assert "Peripherals" in rig.played
    rig.set("Small", Level=5)
    rig.run_for(s(1))
    assert len(rig.recorder.frames) == 50
    assert {record.frame.data for record in rig.recorder.frames} == {b"\x05\x00"}


def test_an_arxml_file_is_played() -> None:
    rig = Restbus(REPOSITORY / "tests" / "data" / "small.arxml")
    rig.set("StatusFrame", Level=5)
    rig.run_for(s(1))
    assert len(times(rig, "StatusFrame", "Vector__XXX")) == 20
    assert {record.frame.data for record in rig.recorder.frames} == {b"\x05\x00"}


# -- scenarios -------------------------------------------------------------------------------------

SCENARIO = """
from simcore import Restbus, ms, s, scenario

@scenario(restbus="car.dbc", all_but=["BRK"], requirements=["COM-001"])
def remaining_bus(rig: Restbus) -> None:
    "The bus without the brake."
    rig.write("Button", Pressed=1)
    rig.run_for(s(1))
    rig.check("DET", any(rig.log.of_kind("detection")), text="the missing brake is detected")
"""


def test_a_scenario_gets_the_restbus_it_names(tmp_path: Path) -> None:
    (tmp_path / "car.dbc").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "remaining.py"
    path.write_text(dedent(SCENARIO), encoding="utf-8")
    (item,) = load_scenarios(path)
    result = run_scenario(item, seed=3)
    assert result.verdict is Verdict.PASSED, result
    assert {check.requirement for check in result.checks} == {"DET", "COM-001"}
    assert run_scenario(item, seed=3).digest == result.digest


def test_the_pytest_plugin_runs_it_too(tmp_path: Path) -> None:
    (tmp_path / "car.dbc").write_text(TEXT, encoding="utf-8")
    (tmp_path / "remaining.py").write_text(dedent(SCENARIO), encoding="utf-8")
    options = ("-q", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={tmp_path}")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "simcore.testing.plugin", "remaining.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0 and "1 passed" in ran.stdout, ran.stdout


def test_a_node_of_the_restbus_can_be_reached_by_name() -> None:
    assert isinstance(Restbus(DATABASE).restbus("ENG"), RestbusNode)
