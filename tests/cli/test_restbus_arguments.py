"""The words of `simcore restbus`: what they mean, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.cli.restbus_arguments import (
    FAULTS,
    DriveReader,
    Fault,
    Setting,
    cycle_of,
    fault_of,
    seconds_of,
    setting_of,
    write_of,
)
from simcore.errors import InputError, UsageError
from simcore.faults import (
    CounterOffset,
    DataIdWrong,
    MessageCycle,
    MessageJitter,
    MessageStopped,
)
from simcore.network import Database
from simcore.network.columns import Column
from simcore.units import ms, s, us

DATABASE = Database.reference()


@pytest.mark.parametrize(
    ("word", "setting"),
    [
        ("M.S=3", Setting(message="M", signal="S", value=3)),
        ("M.S = -0.5", Setting(message="M", signal="S", value=-0.5)),
        ("M.S=0x1F", Setting(message="M", signal="S", value=31)),
        ("M.S=Park brake", Setting(message="M", signal="S", value="Park brake")),
        ("M.S='3'", Setting(message="M", signal="S", value="3")),
        ("M.S=a=b", Setting(message="M", signal="S", value="a=b")),
        ("M.S.T=1", Setting(message="M", signal="S.T", value=1)),
    ],
)
def test_a_value_is_a_number_or_a_text(word: str, setting: Setting) -> None:
    assert setting_of(word) == setting


def test_a_write_has_a_time() -> None:
    assert write_of("M.S=On@0.25") == Setting(message="M", signal="S", value="On", at_ns=ms(250))
    assert write_of("M.S=a@b@2").value == "a@b"


@pytest.mark.parametrize("word", ["M", "M.S", "M=1", ".S=1", "M.=1", "M.S=", ""])
def test_a_value_without_its_parts_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"^--set: expected MSG\.SIG=VALUE, got "):
        setting_of(word)


@pytest.mark.parametrize("word", ["M.S=1", "M@1", "M.S@1"])
def test_a_write_without_its_parts_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"^--write: expected MSG\.SIG=VALUE@SECONDS, got "):
        write_of(word)


@pytest.mark.parametrize(
    ("text", "time_ns"), [("2", s(2)), ("0.25", ms(250)), ("10s", s(10)), (" 1e-3 ", ms(1))]
)
def test_times_are_seconds(text: str, time_ns: int) -> None:
    assert seconds_of(text, "--x") == time_ns


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e-12", "2ms"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--x: expected a time in seconds, as 2\.5, got "):
        seconds_of(text, "--x")


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^--x: expected a time of 0 s or more, got '-1'$"):
        seconds_of("-1", "--x")


@pytest.mark.parametrize(
    ("word", "cycle"),
    [("100", ("*", ms(100))), ("M=2.5", ("M", us(2500))), ("M = 20ms", ("M", ms(20)))],
)
def test_a_cycle_is_of_one_message_or_of_all_silent_ones(word: str, cycle: object) -> None:
    assert cycle_of(word) == cycle


@pytest.mark.parametrize("word", ["", "M=", "=5", "0", "M=-1", "M=x", "5s"])
def test_what_is_no_cycle_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"^--cycle: expected \[MSG=\]MS, "):
        cycle_of(word)


# -- faults ----------------------------------------------------------------------------------------


def test_every_fault_of_a_message_can_be_named() -> None:
    assert sorted(FAULTS) == [
        "ChecksumWrong",
        "CounterFrozen",
        "CounterOffset",
        "CounterRandom",
        "DataIdWrong",
        "LengthWrong",
        "MessageCycle",
        "MessageJitter",
        "MessageStopped",
    ]


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        (
            "MessageStopped:message=M,frames=5@2.0",
            Fault(fault=MessageStopped(message="M", frames=5), start_ns=s(2), duration_ns=None),
        ),
        (
            "MessageCycle:message=M,cycle_ms=7.5,resume=jump-back@1+0.5",
            Fault(
                fault=MessageCycle(message="M", cycle_ns=us(7500), resume="jump back"),
                start_ns=s(1),
                duration_ns=ms(500),
            ),
        ),
        (
            "MessageJitter:jitter_us=250, message=M,node=N",
            Fault(
                fault=MessageJitter(message="M", node="N", jitter_ns=us(250)),
                start_ns=0,
                duration_ns=None,
            ),
        ),
        (
            "DataIdWrong:message=M,data_id=0x1F@0",
            Fault(fault=DataIdWrong(message="M", data_id=31), start_ns=0, duration_ns=None),
        ),
        (
            "CounterOffset:message=M,offset=-2,resume=continue",
            Fault(
                fault=CounterOffset(message="M", offset=-2, resume="continue"),
                start_ns=0,
                duration_ns=None,
            ),
        ),
    ],
)
def test_a_fault_is_read_with_its_times(word: str, fault: Fault) -> None:
    assert fault_of(word) == fault


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        (
            "MessageStoped:message=M",
            r"^--fault: unknown fault 'MessageStoped': did you mean 'MessageStopped'\?: "
            "expected one of MessageStopped, MessageCycle, ",
        ),
        (
            "MessageCycle:message=M",
            r"^--fault MessageCycle: cycle_ns missing: expected MessageCycle:message=\.\.\.,"
            r"cycle_ms=\.\.\.\[,node=\.\.\.,frames=\.\.\.,resume=\.\.\.\]\[@START\[\+DURATION\]\]$",
        ),
        ("MessageStopped", "^--fault MessageStopped: message missing: expected "),
        (
            "MessageStopped:message=M,frame=1",
            r"unknown parameter 'frame': did you mean 'frames'\?: expected MessageStopped:",
        ),
        ("MessageStopped:message=M,5", "^--fault MessageStopped: expected .*, got '5'$"),
        ("MessageStopped:message=M,frames=x", "frames: expected a whole number, got 'x'$"),
        ("MessageStopped:message=M,frames=0", "^MessageStopped.frames: expected "),
        (
            "MessageStopped:message=M,message=N",
            "^--fault MessageStopped: expected message once, got message twice$",
        ),
        (
            "MessageStopped:message=M,resume=now",
            "resume: expected one of jump back, continue, restart, got 'now'$",
        ),
        ("MessageCycle:message=M,cycle_ms=x", "cycle_ms: expected a time, got 'x'$"),
        ("MessageStopped:message=M@x", r"^--fault MessageStopped, start: expected a time in s"),
        ("MessageStopped:message=M@1+", "^--fault MessageStopped, duration: expected a time in s"),
        ("MessageStopped:message=M@1+0", "duration: expected more than 0 s, got '0'$"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(word: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        fault_of(word)


# -- drives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "word", "value"),
    [
        ("time_s,VCU_AccPed,VCU_Torque.VCU_AccPed", "drive.csv", 2),
        ("time_s,VCU_AccPed,Other", "drive.csv", 1),
        ("time_s,VCU_AccPed,Other", "drive.csv:Other", 2),
    ],
)
def test_a_csv_column_is_found_by_its_name(
    tmp_path: Path, header: str, word: str, value: int
) -> None:
    (tmp_path / "drive.csv").write_text(f"{header}\n0,1,2\n", encoding="utf-8")
    driving = DriveReader(DATABASE).read(f"VCU_Torque.VCU_AccPed={tmp_path}/{word}")
    assert (driving.message, driving.signal) == ("VCU_Torque", "VCU_AccPed")
    assert driving.column == Column((0,), (value,))


def test_a_csv_file_of_one_column_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "drive.csv").write_text("time_ms,pedal\n5,30\n", encoding="utf-8")
    driving = DriveReader(DATABASE).read(f"VCU_Torque.VCU_AccPed={tmp_path}/drive.csv")
    assert driving.column == Column((ms(5),), (30,))


def test_a_log_drives_by_what_it_recorded(tmp_path: Path) -> None:
    message = DATABASE.message("VCU_Torque")
    data = message.codec.writer("VCU_AccPed").write(40.0)
    line = f"(0.000000) can0 {message.arbitration_id:03X}##1{data.hex()}\n"
    (tmp_path / "drive.log").write_text(line, encoding="utf-8")
    for place in ("drive.log", "drive.log:can0"):
        driving = DriveReader(DATABASE).read(f"VCU_Torque.VCU_AccPed={tmp_path}/{place}")
        assert driving.column.values == pytest.approx((40.0,))


def test_drives_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "drive.csv"
    path.write_text("time_s,A,B\n0,1,2\n", encoding="utf-8")
    reader = DriveReader(DATABASE)
    with pytest.raises(UsageError, match=r"^--drive: expected MSG\.SIG=FILE\.csv\[:COLUMN\] or "):
        reader.read("VCU_Torque=x.csv")
    with pytest.raises(
        UsageError, match=r"^--drive: expected a file \.csv, or a bus log .*, got 'x\.txt'$"
    ):
        reader.read("VCU_Torque.VCU_AccPed=x.txt")
    with pytest.raises(
        InputError,
        match=r"expected a column VCU_Torque\.VCU_AccPed or VCU_AccPed, got the columns A, B$",
    ):
        reader.read(f"VCU_Torque.VCU_AccPed={path}")
    with pytest.raises(InputError, match=r"expected a column C, got the columns A, B$"):
        reader.read(f"VCU_Torque.VCU_AccPed={path}:C")
    with pytest.raises(UsageError, match="unknown message 'VCU_Torqe': did you mean"):
        reader.read(f"VCU_Torqe.VCU_AccPed={path}")
    with pytest.raises(UsageError, match="unknown signal 'VCU_AccPd': did you mean"):
        reader.read(f"VCU_Torque.VCU_AccPd={path}")
