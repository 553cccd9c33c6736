"""Bus logs, read back by python-can and, where installed, by vblf."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, BusRecord, Frame
from simcore.errors import InputError, UsageError
from simcore.report import LOG_FORMATS, write_log
from simcore.report.blf import blf_bytes
from simcore.report.logs import candump_bytes

Make = Callable[..., Any]
CHANNELS = ("CHASSIS_A", "CHASSIS_B")

FRAMES = [
    Frame(0x60, bytes(range(8))),
    Frame(0x7FF, b""),
    Frame(0x18DAF110, b"\x02\x10\x03", is_extended_id=True),
    Frame(0x1, b"", is_extended_id=True),
    Frame(0x123, is_remote_frame=True, dlc=4),
    Frame(0x60, b"", is_fd=True),
    Frame(0x60, bytes(range(64)), is_fd=True, bitrate_switch=True),
    Frame(0x61, bytes(range(12)), is_fd=True, bitrate_switch=True, error_state_indicator=True),
    Frame(0x62, b"\xff" * 7, is_fd=True, error_state_indicator=True),
    Frame(0x18DA10F1, b"\x3e\x80", is_extended_id=True, is_fd=True),
]


def records() -> list[BusRecord]:
    made = []
    for index, frame in enumerate(FRAMES):
        sof_ns = 1_000_007 * index
        channel = CHANNELS[index % 2]
        made.append(BusRecord(sof_ns, sof_ns + 120_003, channel, frame, "CDC", sof_ns))
    return made


def read_back(path: Path) -> list[can.Message]:
    with can.LogReader(path) as reader:
        return list(reader)


def assert_same_frame(message: can.Message, frame: Frame) -> None:
    assert message.arbitration_id == frame.arbitration_id
    assert bytes(message.data) == frame.data
    for flag in (
        "is_extended_id",
        "is_fd",
        "bitrate_switch",
        "error_state_indicator",
        "is_remote_frame",
    ):
        assert getattr(message, flag) == getattr(frame, flag), flag
    assert message.dlc == (frame.dlc if not frame.is_fd else len(frame.data))


def test_python_can_reads_a_candump_log_back(tmp_path: Path) -> None:
    path = write_log(tmp_path / "run.log", records(), "candump")
    messages = read_back(path)
    for message, record in zip(messages, records(), strict=True):
        assert_same_frame(message, record.frame)
        assert message.channel == record.channel
        assert round(message.timestamp * 1e6) == record.eof_ns // 1_000


def test_python_can_reads_a_blf_back(tmp_path: Path) -> None:
    path = write_log(tmp_path / "run.blf", records(), "blf")
    messages = read_back(path)
    for message, record in zip(messages, records(), strict=True):
        assert_same_frame(message, record.frame)
        assert message.channel == CHANNELS.index(record.channel)
        assert message.timestamp == float(Decimal(record.eof_ns) * Decimal("1e-9"))


def test_vblf_reads_a_blf_back(tmp_path: Path) -> None:
    vblf_reader = pytest.importorskip("vblf.reader", reason="vblf is not installed")
    path = write_log(tmp_path / "run.blf", records(), "blf")
    with vblf_reader.BlfReader(path) as reader:
        assert reader.file_statistics.file_size == path.stat().st_size
        assert reader.file_statistics.object_count == len(FRAMES) + 1
        comment, *objects = list(reader)
    assert comment.text == "simcore, virtual time\nchannel 1: CHASSIS_A\nchannel 2: CHASSIS_B"
    for found, record in zip(objects, records(), strict=True):
        frame = record.frame
        assert found.header.object_time_stamp == record.eof_ns
        assert found.header.object_flags.name == "TIME_ONE_NANS"
        assert found.channel == CHANNELS.index(record.channel) + 1
        assert found.frame_id == frame.arbitration_id | frame.is_extended_id << 31
        assert found.dlc == frame.dlc
        assert found.frame_length == record.eof_ns - record.sof_ns
        if frame.is_fd:
            assert type(found).__name__ == "CanFdMessage64"
            assert found.data[: found.valid_data_bytes] == frame.data
            flags = frame.bitrate_switch << 13 | frame.error_state_indicator << 14 | 1 << 12
            assert int(found.flags) == flags
        else:
            assert type(found).__name__ == "CanMessage2"
            assert found.data == frame.data.ljust(8, b"\0")
            assert found.flags == frame.is_remote_frame << 7


def test_candump_lines_are_those_of_can_utils() -> None:
    lines = candump_bytes(records(), CHANNELS).decode().splitlines()
    assert lines[0] == "(0000000000.000120) CHASSIS_A 060#0001020304050607"
    assert lines[2] == "(0000000000.002120) CHASSIS_A 18DAF110#021003"
    assert lines[3] == "(0000000000.003120) CHASSIS_B 00000001#"
    assert lines[4].endswith(" 123#R4")
    assert lines[5].endswith(" 060##0")
    assert lines[6].endswith(" 060##1" + bytes(range(64)).hex().upper())
    assert lines[7].endswith(" 061##3" + bytes(range(12)).hex().upper())
    assert lines[8].endswith(" 062##2" + "FF" * 7)


@given(
    length=st.sampled_from(DLC_TO_LENGTH),
    data=st.data(),
    sof_ns=st.integers(0, 10**15),
    log_format=st.sampled_from(sorted(LOG_FORMATS)),
)
def test_any_fd_frame_at_any_time_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    length: int,
    data: st.DataObject,
    sof_ns: int,
    log_format: str,
) -> None:
    payload = data.draw(st.binary(min_size=length, max_size=length))
    frame = Frame(0x60, payload, is_fd=True, bitrate_switch=True)
    chosen = LOG_FORMATS[log_format]
    path = tmp_path_factory.mktemp("log") / f"run{chosen.suffix}"
    write_log(path, [BusRecord(sof_ns, sof_ns + 99, "A", frame, "", 0)], log_format)
    (message,) = read_back(path)
    assert_same_frame(message, frame)
    assert abs(Decimal(message.timestamp) * 10**9 - (sof_ns + 99)) <= chosen.resolution_ns


@pytest.mark.parametrize("log_format", sorted(LOG_FORMATS))
def test_the_same_records_give_the_same_bytes(tmp_path: Path, log_format: str) -> None:
    first = write_log(tmp_path / "one", records(), log_format).read_bytes()
    assert write_log(tmp_path / "two", iter(records()), log_format).read_bytes() == first


@pytest.mark.parametrize("log_format", sorted(LOG_FORMATS))
def test_a_run_without_frames_gives_a_log_without_frames(tmp_path: Path, log_format: str) -> None:
    path = tmp_path / f"run{LOG_FORMATS[log_format].suffix}"
    assert read_back(write_log(path, [], log_format)) == []


def test_frames_of_several_buses_are_merged_by_their_end(tmp_path: Path) -> None:
    long = BusRecord(0, 900, "B", Frame(1), "", 0)
    short = BusRecord(100, 500, "A", Frame(2), "", 0)
    path = write_log(tmp_path / "run.blf", [long, short], "blf")
    assert [message.arbitration_id for message in read_back(path)] == [2, 1]


def test_blf_spans_many_containers_without_loss(tmp_path: Path, make_record: Make) -> None:
    frame = Frame(0x60, bytes(64), is_fd=True)
    many = [make_record(index, frame=frame) for index in range(3_000)]
    path = write_log(tmp_path / "run.blf", many, "blf")
    times_ns = [round(message.timestamp * 1e9) for message in read_back(path)]
    assert times_ns == [record.eof_ns for record in many]
    assert path.read_bytes().count(b"LOBJ") > len(many) + 3


def test_the_raw_length_code_of_a_classic_frame_survives_in_blf() -> None:
    frame = Frame(0x10, bytes(8), dlc=13)
    data = blf_bytes([BusRecord(0, 1, "A", frame, "", 0)], ["A"])
    message = data.rindex(b"LOBJ") + 32
    assert data[message + 3] == 13


def test_given_channels_fix_the_numbering(tmp_path: Path, make_record: Make) -> None:
    record = make_record(channel="CHASSIS_B")
    path = write_log(tmp_path / "run.blf", [record], "blf", channels=CHANNELS)
    assert [message.channel for message in read_back(path)] == [1]


def test_an_unlisted_channel_is_refused(tmp_path: Path, make_record: Make) -> None:
    with pytest.raises(UsageError, match=r"log channels: expected CHASSIS_A among them, got \['B"):
        write_log(tmp_path / "run.blf", [make_record()], "blf", channels=["B"])


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="log format: expected one of candump, blf, got 'asc'"):
        write_log(tmp_path / "run.asc", [], "asc")


def test_a_channel_name_candump_cannot_carry_is_refused(make_record: Make) -> None:
    with pytest.raises(UsageError, match="channel name: expected a name without blanks, got 'a b'"):
        candump_bytes([make_record(channel="a b")], ["a b"])


def test_more_channels_than_blf_can_number_are_refused() -> None:
    names = [f"bus{index}" for index in range(256)]
    with pytest.raises(UsageError, match="BLF log: expected at most 255 channels, got 256"):
        blf_bytes([], names)


@pytest.mark.parametrize("log_format", sorted(LOG_FORMATS))
def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path, log_format: str) -> None:
    name = LOG_FORMATS[log_format].name
    with pytest.raises(InputError, match=f"writing the {name} log: expected"):
        write_log(tmp_path, [], log_format)


def test_formats_cannot_be_changed_by_accident() -> None:
    with pytest.raises(AttributeError):
        LOG_FORMATS["blf"].suffix = ".asc"  # type: ignore[misc]
    assert replace(LOG_FORMATS["blf"], suffix=".x").suffix == ".x"
