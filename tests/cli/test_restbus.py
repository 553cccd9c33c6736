"""`simcore restbus` as a shell calls it."""

from __future__ import annotations

from pathlib import Path

import can
import pytest

from simcore.attach.log_reader import read_log
from simcore.network import Database
from simcore.rig import Restbus

TEXT = """VERSION ""
BU_: ENG BRK
BO_ 256 EngineSpeed: 8 ENG
 SG_ Speed : 0|16@1+ (0.25,0) [0|10000] "rpm" BRK
 SG_ Gear : 16|4@1+ (1,0) [0|15] "" BRK
BO_ 258 BrakeState: 8 BRK
 SG_ Pressure : 0|16@1+ (0.01,0) [0|200] "bar" ENG
BO_ 259 Button: 2 ENG
 SG_ Pressed : 0|8@1+ (1,0) [0|3] "" BRK
BO_ 260 Never: 2 ENG
 SG_ Idle : 0|8@1+ (1,0) [0|3] "" BRK
 SG_ Idle_Cnt : 8|4@1+ (1,0) [0|15] "" BRK
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 100000;
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_DEF_ SG_ "GenSigTimeoutTime_ENG" INT 0 100000;
BA_DEF_DEF_ "GenMsgSendType" "";
BA_ "GenMsgCycleTime" BO_ 256 10;
BA_ "GenMsgCycleTime" BO_ 258 20;
BA_ "GenMsgSendType" BO_ 259 "OnChange";
BA_ "GenSigTimeoutTime_ENG" SG_ 258 Pressure 60;
VAL_ 256 Gear 0 "P" 1 "R" 2 "N" 3 "D" ;
"""


@pytest.fixture
def car(folder: Path) -> str:
    (folder / "car.dbc").write_text(TEXT, encoding="utf-8")
    return "car.dbc"


def payloads(file: str, identifier: int) -> list[bytes]:
    return [
        record.frame.data
        for record in read_log(file).records
        if record.frame is not None and record.frame.arbitration_id == identifier
    ]


def test_a_run_says_who_is_played_what_was_sent_and_ends_with_the_digest(simcore, car) -> None:
    ended = simcore("restbus", car, "--all-but", "BRK", "--duration", "1s")
    assert ended.code == 0, ended.err
    for line in (
        "car.dbc: 4 messages, 2 senders",
        "bus      500 kbit/s (assumed: the file does not name it)",
        "played   ENG",
        "absent   BRK, 1 message left to it: BrakeState",
        "cyclic   1 message; starts are spread, most have no start delay in the file",
        "events   1 message sent on writes alone: Button",
        "silent   1 message without cycle time or event, never sent by themselves: Never",
        "note     1 counter-like signal has no protection configured and is sent with constant "
        "values (configure E2E in the database or in car.protection.toml): Never.Idle_Cnt",
        "not sent in this run: 2 messages of the played nodes",
        "detection 60 ms  ENG: no BrakeState for 60 ms: Pressure timed out",
    ):
        assert line in ended.lines
    (row,) = [line.split() for line in ended.lines if "0x100" in line]
    assert row == ["0x100", "EngineSpeed", "ENG", "100", "10", "10", "10", "10"]
    assert "0x102" not in ended.out
    assert any("COM-001" in line and "PASSED" in line for line in ended.lines)
    assert ended.digest == simcore("restbus", car, "--all-but", "BRK", "--duration", "1").digest


def test_the_default_is_ten_seconds_of_all_nodes(simcore, car) -> None:
    ended = simcore("restbus", car)
    assert ended.code == 0, ended.err
    assert any(line.startswith("seed 0, 10 s of virtual time, simcore ") for line in ended.lines)
    assert "played   ENG, BRK" in ended.lines
    assert [line.split()[3] for line in ended.lines if "  0x10" in line] == ["1000", "500"]


def test_values_are_set_written_and_driven(simcore, car, folder: Path) -> None:
    (folder / "speed.csv").write_text("time_s,Speed\n0,100\n0.05,200\n", encoding="utf-8")
    ended = simcore(
        *("restbus", car, "--duration", "0.1", "--log", "candump"),
        *("--set", "EngineSpeed.Gear=D", "--drive", "EngineSpeed.Speed=speed.csv"),
        *("--write", "Button.Pressed=1@0", "--write", "Button.Pressed=2@0.025"),
    )
    assert ended.code == 0, ended.err
    assert "log      car.log" in ended.lines
    codec = Database.from_text(TEXT).message("EngineSpeed").codec
    sent = [codec.decode(data) for data in payloads("car.log", 256)]
    assert [each["Speed"] for each in sent] == [100] * 5 + [200] * 5
    assert {each["Gear"] for each in sent} == {3}
    assert payloads("car.log", 259) == [b"\x01\x00", b"\x02\x00"]
    again = simcore(
        *("restbus", car, "--duration", "0.1", "--log", "asc", "--play", "ENG"),
        *("--drive", "EngineSpeed.Speed=car.log"),
    )
    assert again.code == 0, again.err
    speeds = [codec.decode(data)["Speed"] for data in payloads("car.asc", 256)]
    assert set(speeds) == {100, 200} and speeds == sorted(speeds)


def test_a_fault_is_injected_and_reported(simcore, car) -> None:
    ended = simcore(
        *("restbus", car, "--duration", "0.5"),
        *("--fault", "MessageStopped:message=EngineSpeed,frames=5@0.1"),
        *("--fault", "MessageCycle:message=BrakeState,cycle_ms=5@0+0.1"),
    )
    assert ended.code == 0, ended.err
    rows = {line.split()[1]: line.split()[3] for line in ended.lines if "  0x10" in line}
    assert rows["EngineSpeed"] == "45" and int(rows["BrakeState"]) in range(38, 42)
    assert "fault     100 ms  ENG: EngineSpeed: not sent, for 5 frames" in ended.lines
    assert any("FAULT" in line and "5 frames concerned" in line for line in ended.lines)
    assert "COM-001" not in ended.out.replace("not judged by COM-001", "")


def test_a_fault_that_concerns_no_frame_fails_the_run(simcore, car) -> None:
    ended = simcore(
        *("restbus", car, "--duration", "0.5", "--fault", "MessageStopped:message=Button@0.1")
    )
    assert ended.code == 1
    assert any("FAULT" in line and "no frame concerned" in line for line in ended.lines)
    assert any(
        "FAILED" in line and "frames that the fault concerned (Button: not sent)" in line
        for line in ended.lines
    )


def test_a_cycle_makes_a_silent_message_be_sent(simcore, car) -> None:
    ended = simcore(
        *("restbus", car, "--duration", "0.5", "--set", "Never.Idle=2"),
        *("--fault", "MessageCycle:message=Never,cycle_ms=10@0.1"),
    )
    assert ended.code == 0, ended.err
    assert any("Never" in line and line.split()[3:4] == ["40"] for line in ended.lines)


PROTECTED = """[e2e.messages.Never]
profile = "COUNTER"
counter_signal = "Idle_Cnt"
"""


def test_what_protection_fills_in_is_neither_set_nor_written(simcore, car, folder: Path) -> None:
    (folder / "car.protection.toml").write_text(PROTECTED, encoding="utf-8")
    for arguments in (("--set", "Never.Idle_Cnt=3"), ("--write", "Never.Idle_Cnt=3@1")):
        ended = simcore("restbus", car, *arguments)
        assert ended.code == 2
        assert (
            "Never.Idle_Cnt: expected a signal that E2E and SecOC do not fill in; faults of the "
            "message break those, as CounterFrozen and ChecksumWrong, got Idle_Cnt"
        ) in ended.err


NETWORKS = """<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0"><Document name="x"/>
<Node id="1" name="A"/><Node id="2" name="B"/>
<Bus name="B1"><Message id="0x1" name="M" length="8" interval="10">
<Producer><NodeRef id="1"/></Producer><Signal name="S" offset="0" length="8"/></Message></Bus>
<Bus name="B2"><Message id="0x1" name="M" length="4" interval="20">
<Producer><NodeRef id="1"/></Producer><Signal name="S" offset="0" length="8"/></Message></Bus>
</NetworkDefinition>"""


def test_a_message_of_one_network_of_several_is_broken(simcore, folder: Path) -> None:
    (folder / "multi.kcd").write_text(NETWORKS, encoding="utf-8")
    ended = simcore(
        *("restbus", "multi.kcd", "--bus", "B2", "--duration", "1"),
        *("--fault", "MessageStopped:message=M,frames=5@0.5"),
    )
    assert ended.code == 0, ended.err
    assert any("FAULT" in line and "5 frames concerned" in line for line in ended.lines)


def test_a_broken_cycle_fails_the_run(simcore, car) -> None:
    # At 10 kbit/s a frame of EngineSpeed is longer than its cycle.
    ended = simcore("restbus", car, "--duration", "1", "--nominal-bps", "10000")
    assert ended.code == 1
    assert any("FAILED" in line and "COM-001" in line for line in ended.lines)
    assert "bus      10 kbit/s" in ended.lines


def test_nothing_sent_is_no_pass(simcore, car, folder: Path) -> None:
    (folder / "plain.dbc").write_text(
        TEXT.replace('BA_ "GenMsgCycleTime"', 'CM_ "";//').split('CM_ "";//')[0], encoding="utf-8"
    )
    ended = simcore("restbus", "plain.dbc", "--duration", "0.1")
    assert ended.code == 1
    assert "nothing has a cycle time here, so nothing is sent by itself" in ended.out
    assert any("FAILED" in line and "RESTBUS" in line for line in ended.lines)
    cycle = ("--cycle", "50", "--cycle", "EngineSpeed=20")
    helped = simcore("restbus", "plain.dbc", "--duration", "1", *cycle)
    assert helped.code == 0, helped.err
    rows = {line.split()[1]: line.split()[3:5] for line in helped.lines if "  0x10" in line}
    assert rows["EngineSpeed"] == ["50", "20"] and rows["BrakeState"] == ["20", "50"]


def test_reports_and_logs_go_into_the_folder(simcore, car, folder: Path) -> None:
    ended = simcore(
        *("restbus", car, "--duration", "0.2", "--report", "out", "--log", "candump"),
        *("--log", "blf", "--seed", "7"),
    )
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "car.blf",
        "car.log",
        "junit.xml",
        "report.html",
    ]
    assert "EngineSpeed" in (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert any(line.startswith("seed 7, 0.2 s") for line in ended.lines)


def test_own_send_types_come_from_words_and_from_a_file(simcore, car, folder: Path) -> None:
    (folder / "own.dbc").write_text(TEXT.replace('"OnChange"', '"Bei Druck"'), encoding="utf-8")
    (folder / "own.toml").write_text('[send_types]\n"Bei Druck" = "OnChange"\n', encoding="utf-8")
    plain = simcore("restbus", "own.dbc", "--duration", "0.1")
    assert plain.code == 3 and "GenMsgSendType: expected one of Cyclic" in plain.err
    for choice in (("--send-type", "Bei Druck=OnChange"), ("--send-types", "own.toml")):
        ended = simcore("restbus", "own.dbc", "--duration", "0.1", *choice)
        assert ended.code == 0, ended.err
    lenient = simcore("restbus", "own.dbc", "--duration", "0.1", "--lenient")
    assert lenient.code == 0 and "send type 'Bei Druck' is unknown: never" in lenient.out


def test_problems_of_the_file_are_printed_and_lenient_plays_the_rest(simcore, folder: Path) -> None:
    text = TEXT.replace("Gear : 16|4", "Gear : 12|4")  # it overlaps Speed
    (folder / "bad.dbc").write_text(text, encoding="utf-8")
    refused = simcore("restbus", "bad.dbc", "--duration", "0.1")
    assert refused.code == 3 and "bad.dbc" in refused.err and "overlap" in refused.err
    assert "--lenient plays what can be played of a file with errors" in refused.err
    lenient = simcore("restbus", "bad.dbc", "--duration", "0.1", "--lenient")
    assert lenient.code == 0, lenient.err
    assert any(line.startswith("problem  bad.dbc") for line in lenient.lines)
    assert any("BrakeState" in line and " 5 " in line for line in lenient.lines)


def test_protection_comes_from_a_file_of_its_own(simcore, car, folder: Path) -> None:
    (folder / "other.toml").write_text("nonsense = 1\n", encoding="utf-8")
    ended = simcore("restbus", car, "--duration", "0.1", "--protection", "other.toml")
    assert ended.code == 3 and "other.toml" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--all-but", "BRKE"), 2, "Restbus, all_but: unknown node 'BRKE': did you mean 'BRK'?"),
        (("--all-but", "BRK", "--play", "ENG"), 2, "expected either play or all_but, got both"),
        (("--all-but", ","), 2, "expected the names of nodes"),
        (("--duration", "0"), 2, "'0': expected more than 0 s"),
        (("--duration", "soon"), 2, "--duration: expected a time in seconds, as 2.5, got 'soon'"),
        (("--set", "EngineSpeed.Speed=99999"), 2, "signal Speed: expected 0"),
        (("--set", "EngineSpeed.Speed"), 2, "--set: expected MSG.SIG=VALUE"),
        (("--write", "Button.Pressed=9@1"), 2, "signal Pressed: expected 0..3, got 9"),
        (("--write", "Button.Presed=1@1"), 2, "unknown signal 'Presed'"),
        (
            ("--all-but", "BRK", "--write", "BrakeState.Pressure=1@1"),
            2,
            "restbus: BrakeState: expected a message of a played node, got one of BRK",
        ),
        (("--fault", "Nothing:message=Button"), 2, "--fault: unknown fault 'Nothing'"),
        (
            ("--fault", "CounterFrozen:message=Button@1"),
            2,
            "CounterFrozen, message 0x103 Button: expected a message with E2E protection",
        ),
        (
            ("--duration", "2", "--write", "Button.Pressed=1@2"),
            2,
            "--write Button.Pressed=1@2: expected a time before the end of the run at 2 s "
            "(--duration), got 2 s",
        ),
        (
            ("--fault", "MessageStopped:message=Button@10.5"),
            2,
            "--fault MessageStopped:message=Button@10.5: expected a time before the end of the run "
            "at 10 s (--duration), got 10.5 s",
        ),
        (
            ("--fault", "MessageStopped:message=Button,node=BRK@1"),
            2,
            "MessageStopped, message 0x103 Button: node: expected one of its senders, ENG, got "
            "'BRK'",
        ),
        (("--drive", "EngineSpeed.Speed=no.log"), 3, "no.log: bus log: expected a readable file"),
        (("--bus", "body"), 2, "car.dbc: unknown bus 'body'"),
        (("--data-bps", "2000000"), 2, "--data-bps 2000000: expected a file with CAN FD messages"),
        (("--nominal-bps", "0"), 2, "0 is not in the range x>=1"),
        (("--cycle", "soon"), 2, "--cycle: expected [MSG=]MS, as 100 or M=20, got 'soon'"),
        (("--interface", "virtual"), 2, "--channel: expected --interface and --channel together"),
        (("--channel", "x"), 2, "--interface: expected --interface and --channel together"),
        (
            ("--interface", "virtual", "--channel", "x", "--report", "out"),
            2,
            "--report: expected virtual time, without --interface",
        ),
        (("--interface", "nothing", "--channel", "x"), 3, "interface nothing, channel x: expected"),
        (("--send-type", "X"), 2, "send type: expected TEXT=SEND_TYPE, got 'X'"),
    ],
)
def test_what_cannot_be_played_is_said(simcore, car, arguments, code: int, complaint: str) -> None:
    ended = simcore("restbus", car, *arguments)
    assert ended.code == code, ended.err
    assert complaint in ended.err


def test_recorded_values_that_the_signal_cannot_have_are_bad_input(
    simcore, car, folder: Path
) -> None:
    (folder / "high.csv").write_text("time_s,Speed\n0,100\n1,99999\n", encoding="utf-8")
    ended = simcore("restbus", car, "--drive", "EngineSpeed.Speed=high.csv")
    assert ended.code == 3
    assert "high.csv:3: message 0x100 EngineSpeed, signal Speed: expected 0" in ended.err


def test_an_interrupted_run_still_reports(simcore, car, monkeypatch: pytest.MonkeyPatch) -> None:
    run_for = Restbus.run_for

    def interrupted(rig: Restbus, duration_ns: int) -> None:
        if rig.now_ns >= 2_000_000_000:
            raise KeyboardInterrupt
        run_for(rig, duration_ns)

    monkeypatch.setattr(Restbus, "run_for", interrupted)
    ended = simcore("restbus", car, "--log", "candump")
    assert ended.code == 130
    assert "the run was stopped at 2000 ms" in ended.err
    assert len(payloads("car.log", 256)) == 200 and len(ended.digest) == 32


# -- real time -------------------------------------------------------------------------------------


@pytest.mark.realtime
def test_on_an_interface_the_nodes_left_out_are_expected_there(simcore, car) -> None:
    place = ("--interface", "virtual", "--channel", "cli-restbus", "--duration", "0.3")
    with can.Bus(interface="virtual", channel="cli-restbus", ignore_config=True) as other:
        for _ in range(3):
            other.send(can.Message(arbitration_id=258, data=bytes(8), is_extended_id=False))
        ended = simcore("restbus", car, "--all-but", "BRK", *place, "--tolerate-late")
        heard = []
        while (message := other.recv(0)) is not None:
            heard.append(message.arbitration_id)
    assert "the restbus is on virtual cli-restbus, seed 0; Ctrl-C ends it" in ended.err
    assert heard.count(256) >= 10 and 258 not in heard
    assert "out  EngineSpeed" in ended.out
    silent = simcore("restbus", car, "--all-but", "BRK", *place, "--tolerate-late")
    assert silent.code == 1
    assert "finding  BRK is outside and never sent BrakeState" in silent.out


@pytest.mark.realtime
def test_who_plays_some_nodes_does_not_say_that_the_others_are_there(simcore, car) -> None:
    ended = simcore(
        *("restbus", car, "--play", "ENG", "--interface", "virtual", "--channel", "cli-restbus"),
        *("--duration", "0.2", "--tolerate-late"),
    )
    assert ended.code == 0, ended.err
    assert "finding  BRK is outside and never sent BrakeState" in ended.out


@pytest.mark.realtime
def test_in_real_time_a_fault_that_concerns_no_frame_fails_too(simcore, car) -> None:
    ended = simcore(
        *("restbus", car, "--interface", "virtual", "--channel", "cli-restbus"),
        *("--duration", "0.2", "--tolerate-late", "--fault", "MessageStopped:message=Button"),
    )
    assert ended.code == 1
    assert "fault    concerned no frame: Button: not sent" in ended.lines


@pytest.mark.realtime
def test_a_run_in_real_time_leaves_a_log(simcore, car) -> None:
    ended = simcore(
        *("restbus", car, "--interface", "virtual", "--channel", "cli-restbus"),
        *("--duration", "0.2", "--log", "candump", "--tolerate-late"),
    )
    assert ended.code == 0, ended.err
    assert "log      car.log" in ended.lines
    assert len(payloads("car.log", 256)) >= 5
