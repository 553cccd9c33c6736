"""Bus logs, read back by python-can and by foreign readers: vblf, asammdf, tshark."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, BusRecord, ErrorFrame, ErrorKind, Frame, WireError
from simcore.errors import InputError, UsageError
from simcore.report import LOG_FORMATS, write_log
from simcore.report.asc import asc_bytes
from simcore.report.blf import blf_bytes
from simcore.report.candump import candump_bytes
from simcore.report.log_entry import Observer

Make = Callable[..., Any]
CHANNELS = ("CHASSIS_A", "CHASSIS_B")
LISTENER = Observer(channels=CHANNELS)
HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")
FORMATS = [
    pytest.param(name, marks=needs_asammdf) if name == "mf4" else name for name in LOG_FORMATS
]

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


def error_frames() -> list[ErrorFrame]:
    """A destroyed FD frame, an error nobody's, and an overload frame."""
    error = WireError(
        *(9_000_000, "CHASSIS_A", "CDC", ErrorKind.BIT, True, "data", 40, 1, False, 8, 0),
    )
    other = WireError(
        *(12_500_000, "CHASSIS_B", "BPS", ErrorKind.STUFF, False, "crc", 60, 0, False, 0, 1),
    )
    reason = other._replace(kind=ErrorKind.OVERLOAD, field="intermission", bit=1)
    return [
        ErrorFrame(9_000_000, 9_040_000, "CHASSIS_A", False, FRAMES[6], "CDC", (error,)),
        ErrorFrame(12_500_000, 12_534_000, "CHASSIS_B", False, None, "", (other,)),
        ErrorFrame(13_500_000, 13_534_000, "CHASSIS_B", True, None, "", (reason,)),
    ]


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
    lines = candump_bytes(records(), LISTENER).decode().splitlines()
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
    log_format=st.sampled_from(["asc", "blf", "candump"]),
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
    if length or log_format != "asc":  # which python-can takes for a remote frame
        assert_same_frame(message, frame)
    assert abs(Decimal(message.timestamp) * 10**9 - (sof_ns + 99)) <= chosen.resolution_ns


@pytest.mark.parametrize("log_format", FORMATS)
def test_the_same_records_give_the_same_bytes_whatever_the_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    first = write_log(tmp_path / "one", records(), log_format, errors=error_frames())
    monkeypatch.setattr("time.time", lambda: 2e9)
    again = write_log(tmp_path / "two", iter(records()), log_format, errors=iter(error_frames()))
    assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("log_format", FORMATS)
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
    data = blf_bytes([BusRecord(0, 1, "A", frame, "", 0)], Observer(channels=("A",)))
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
    with pytest.raises(UsageError, match=r"log format: expected one of .*asc.*, got 'trc'"):
        write_log(tmp_path / "run.trc", [], "trc")


def test_a_channel_name_candump_cannot_carry_is_refused(make_record: Make) -> None:
    with pytest.raises(UsageError, match="channel name: expected a name without blanks, got 'a b'"):
        candump_bytes([make_record(channel="a b")], Observer(channels=("a b",)))


def test_more_channels_than_blf_can_number_are_refused() -> None:
    many = Observer(channels=tuple(f"bus{index}" for index in range(256)))
    with pytest.raises(UsageError, match="BLF log: expected at most 255 channels, got 256"):
        blf_bytes([], many)


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path, log_format: str) -> None:
    name = LOG_FORMATS[log_format].name
    with pytest.raises(InputError, match=f"writing the {name} log: expected"):
        write_log(tmp_path, [], log_format)


def test_formats_cannot_be_changed_by_accident() -> None:
    with pytest.raises(AttributeError):
        LOG_FORMATS["blf"].suffix = ".asc"  # type: ignore[misc]
    assert replace(LOG_FORMATS["blf"], suffix=".x").suffix == ".x"


# ---- every format, every kind of entry ----


def written(folder: Path, log_format: str, node: str | None = None) -> Path:
    """All kinds of frames on two channels, with errors."""
    path = folder / f"run{LOG_FORMATS[log_format].suffix}"
    return write_log(
        path, records(), log_format, channels=CHANNELS, errors=error_frames(), node=node
    )


def test_an_asc_log_is_what_canoe_writes() -> None:
    lines = asc_bytes(records(), LISTENER).decode().splitlines()
    assert lines[:6] == [
        "date Thu Jan 01 00:00:00.000 1970",
        "base hex  timestamps absolute",
        "internal events logged",
        "// simcore, virtual time",
        "// channel 1: CHASSIS_A",
        "// channel 2: CHASSIS_B",
    ]
    assert lines[8].split() == "0.000120 1 60 Rx d 8 00 01 02 03 04 05 06 07".split()
    assert lines[10].split() == "0.002120 1 18DAF110x Rx d 3 02 10 03".split()
    assert lines[12].split() == "0.004120 1 123 Rx r 4".split()
    brs, esi, dlc, length = lines[15].split()[5:9]
    assert (brs, esi, dlc, length) == ("1", "1", "9", "12")
    assert lines[-1] == "End TriggerBlock"


def test_python_can_reads_an_asc_log_back(tmp_path: Path) -> None:
    messages = read_back(write_log(tmp_path / "run.asc", records(), "asc"))
    for message, record in zip(messages, records(), strict=True):
        if record.frame.is_fd and not record.frame.data:
            assert message.is_remote_frame  # how python-can tells the two apart
        else:
            assert_same_frame(message, record.frame)
        assert message.channel == CHANNELS.index(record.channel)
        assert round(message.timestamp * 1e6) == record.eof_ns // 1_000


@needs_asammdf
def test_python_can_reads_an_mf4_back(tmp_path: Path) -> None:
    messages = read_back(write_log(tmp_path / "run.mf4", records(), "mf4"))
    for message, record in zip(messages, records(), strict=True):
        assert_same_frame(message, record.frame)
        assert message.channel == CHANNELS.index(record.channel) + 1
        assert round(message.timestamp * 1e9) == record.eof_ns


@pytest.mark.parametrize("log_format", FORMATS)
def test_python_can_sees_error_frames_where_they_were(tmp_path: Path, log_format: str) -> None:
    messages = read_back(written(tmp_path, log_format))
    found = [round(message.timestamp * 1e6) for message in messages if message.is_error_frame]
    # candump has overload frames, which are error frames there; python-can skips the others.
    assert found == [9_040, 12_534, *([13_534] if log_format == "candump" else [])]
    frames = [message for message in messages if not message.is_error_frame]
    assert [message.arbitration_id for message in frames] == [
        frame.arbitration_id for frame in FRAMES
    ]


@pytest.mark.parametrize("log_format", FORMATS)
def test_frames_of_the_observer_are_transmitted_all_others_received(
    tmp_path: Path, make_record: Make, log_format: str
) -> None:
    frame = Frame(0x61, bytes(12), is_fd=True)
    sent = [
        make_record(0, sender="CDC"),
        make_record(1, sender="BPS"),
        make_record(2, frame=frame, sender="CDC"),
        make_record(3, frame=frame, sender="BPS"),
    ]
    path = tmp_path / f"run{LOG_FORMATS[log_format].suffix}"
    write_log(path, sent, log_format, node="CDC")
    assert [message.is_rx for message in read_back(path)] == [False, True, False, True]
    write_log(path, sent, log_format)
    assert all(message.is_rx for message in read_back(path))


def test_error_frames_in_candump_are_those_of_linux(tmp_path: Path) -> None:
    lines = written(tmp_path, "candump").read_text().splitlines()
    assert lines[9] == "(0000000000.009040) CHASSIS_A 20000288#0000880A00000800"
    assert lines[11] == "(0000000000.012534) CHASSIS_B 20000288#0000040800000001"
    assert lines[12] == "(0000000000.013534) CHASSIS_B 20000288#0000201200000001"


def test_error_frames_in_asc_say_what_an_sja1000_would(tmp_path: Path) -> None:
    lines = written(tmp_path, "asc").read_text().splitlines()
    assert lines[17].split() == ["0.009040", "1", "ErrorFrame", "ECC:", "00001010"]
    assert lines[19].split() == ["0.012534", "2", "ErrorFrame", "ECC:", "10101000"]
    assert lines[20].split() == ["0.013534", "2", "OverloadFrame"]


@pytest.mark.parametrize("log_format", FORMATS)
def test_an_error_frame_nobody_explains_is_still_an_error_frame(
    tmp_path: Path, log_format: str
) -> None:
    bare = ErrorFrame(1_000, 2_000, "CHASSIS_A", False, None, "", ())
    path = tmp_path / f"run{LOG_FORMATS[log_format].suffix}"
    write_log(path, [], log_format, errors=[bare])
    assert [message.is_error_frame for message in read_back(path)] == [True]


def test_vblf_reads_error_and_overload_frames_back(tmp_path: Path) -> None:
    vblf_reader = pytest.importorskip("vblf.reader", reason="vblf is not installed")
    with vblf_reader.BlfReader(written(tmp_path, "blf", node="CDC")) as reader:
        objects = list(reader)
    kinds = [type(found).__name__ for found in objects]
    assert kinds[10:] == [
        "CanErrorFrameExt",
        "CanFdMessage64",
        "CanErrorFrameExt",
        "CanOverloadFrame",
    ]
    destroyed = objects[10]
    assert destroyed.header.object_time_stamp == 9_040_000
    assert (destroyed.channel, destroyed.ecc, destroyed.position) == (1, 0b00001010, 40)
    assert (destroyed.frame_id, destroyed.frame_length_in_ns) == (0x60, 40_000)
    assert objects[13].channel == 2
    # All frames are the CDC's.
    assert [objects[index].flags & 1 for index in (1, 2, 3, 4, 5)] == [1] * 5
    assert [objects[index].dir for index in (6, 7, 8, 9, 11)] == [1] * 5


@needs_asammdf
def test_asammdf_lists_an_mf4_as_a_bus_trace(tmp_path: Path) -> None:
    import asammdf

    with asammdf.MDF(written(tmp_path, "mf4", node="CDC")) as mdf:
        assert mdf.header.start_time.timestamp() == 0
        assert "channel 1: CHASSIS_A" in mdf.header.comment
        trace = {
            name: mdf.get(name, group, raw=True)
            for name in ("CAN_DataFrame", "CAN_RemoteFrame", "CAN_ErrorFrame", "CAN_OverloadFrame")
            for group, _ in mdf.channels_db[name]
        }
    data = trace["CAN_DataFrame"]
    wanted = [record for record in records() if not record.frame.is_remote_frame]
    assert (data.timestamps * 1e9).round().astype(int).tolist() == [r.eof_ns for r in wanted]
    for column, value in {
        "ID": [r.frame.arbitration_id for r in wanted],
        "IDE": [r.frame.is_extended_id for r in wanted],
        "DLC": [r.frame.dlc for r in wanted],
        "DataLength": [len(r.frame.data) for r in wanted],
        "EDL": [r.frame.is_fd for r in wanted],
        "BRS": [r.frame.bitrate_switch for r in wanted],
        "ESI": [r.frame.error_state_indicator for r in wanted],
        "BusChannel": [CHANNELS.index(r.channel) + 1 for r in wanted],
        "Dir": [True] * len(wanted),
        "FrameDuration": [120_003] * len(wanted),
    }.items():
        assert data[f"CAN_DataFrame.{column}"].tolist() == value, column
    assert trace["CAN_RemoteFrame"]["CAN_RemoteFrame.DLC"].tolist() == [4]
    assert trace["CAN_ErrorFrame"]["CAN_ErrorFrame.ErrorType"].tolist() == [1, 3]
    assert trace["CAN_OverloadFrame"]["CAN_OverloadFrame.BusChannel"].tolist() == [2]


def test_mf4_without_its_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"MF4 log: expected asammdf, as `pip install simcore\["):
        write_log(tmp_path / "run.mf4", [], "mf4")


@needs_asammdf
def test_more_channels_than_mf4_can_number_are_refused(tmp_path: Path) -> None:
    names = [f"bus{index}" for index in range(256)]
    with pytest.raises(UsageError, match="MF4 log: expected at most 255 channels, got 256"):
        write_log(tmp_path / "run.mf4", [], "mf4", channels=names)


def tshark(path: Path, *fields: str) -> list[list[str]]:
    """One row of fields per packet, as wireshark's own readers and dissectors have it."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    command = [program, "-r", str(path), "-T", "json", "-o", "frame.generate_epoch_time:TRUE"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    layers = [packet["_source"]["layers"] for packet in json.loads(done.stdout)]
    return [[layer.get(field, [""])[0] for field in fields] for layer in layers]


def test_tshark_reads_a_candump_log_back(tmp_path: Path) -> None:
    rows = tshark(
        written(tmp_path, "candump"),
        "frame.time_epoch",
        *("can.id", "can.flags.xtd", "can.flags.rtr", "canfd.flags.brs", "canfd.flags.esi"),
        *("can.len", "can.flags.err", "can.err.prot.location"),
    )
    faults = [row for row in rows if row[7] == "1"]
    assert [row[8] for row in faults] == ["10", "8", "18"]
    frames = [row for row in rows if row[7] != "1"]
    for row, record in zip(frames, records(), strict=True):
        frame = record.frame
        assert Decimal(row[0]) * 10**6 == record.eof_ns // 1_000
        assert int(row[1]) == frame.arbitration_id
        assert int(row[2]) == frame.is_extended_id
        if frame.is_fd:
            assert (int(row[4]), int(row[5])) == (frame.bitrate_switch, frame.error_state_indicator)
        else:
            assert int(row[3]) == frame.is_remote_frame
            assert row[4] == ""
        assert int(row[6]) == (frame.dlc if frame.is_remote_frame else len(frame.data))


def test_tshark_reads_the_frames_of_a_blf_back(tmp_path: Path) -> None:
    rows = tshark(
        write_log(tmp_path / "run.blf", records(), "blf"),
        *("frame.time_epoch", "can.id", "can.flags.xtd", "can.len", "frame.interface_name"),
    )
    for row, record in zip(rows, records(), strict=True):
        frame = record.frame
        assert Decimal(row[0]) * 10**9 == record.eof_ns
        assert (int(row[1]), int(row[2])) == (frame.arbitration_id, frame.is_extended_id)
        assert int(row[3]) == (frame.dlc if frame.is_remote_frame else len(frame.data))
        assert row[4] == f"CAN-{CHANNELS.index(record.channel) + 1}"
