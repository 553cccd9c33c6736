"""Logs as columns: entry by entry what the readers give, damage included, sorted by message."""

from __future__ import annotations

import importlib.util
import re
import struct
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.attach.log_block import EXTENDED, Channels
from simcore.attach.log_columns import LogColumns, Wanted, blocks_of_log, read_columns
from simcore.attach.log_reader import read_log
from simcore.attach.log_record import EntryKind
from simcore.bus import BusRecord, ErrorFrame, Frame
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.report import LOG_FORMATS, write_log

HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")
FORMATS = [
    pytest.param(name, marks=needs_asammdf) if name == "mf4" else name for name in LOG_FORMATS
]
KINDS = list(EntryKind)[1:]
FRAMES = [
    Frame(0x60, bytes(range(8))),
    Frame(0x7FF, b""),
    Frame(0x18DAF110, b"\x02\x10\x03", is_extended_id=True),
    Frame(0x1, b"", is_extended_id=True),
    Frame(0x123, is_remote_frame=True, dlc=4),
    Frame(0x18DAF110, is_remote_frame=True, is_extended_id=True),
    Frame(0x60, b"\x11" * 8, dlc=11),
    Frame(0x60, b"", is_fd=True),
    Frame(0x60, bytes(range(64)), is_fd=True, bitrate_switch=True),
    Frame(0x61, bytes(range(12)), is_fd=True, bitrate_switch=True, error_state_indicator=True),
    Frame(0x62, b"\xff" * 7, is_fd=True, error_state_indicator=True),
    Frame(0x18DA10F1, b"\x3e\x80", is_extended_id=True, is_fd=True),
]
CHANNELS = ("CHASSIS_A", "CHASSIS_B")
SMALL = Database.from_text(
    """VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 256 Small: 2 A
 SG_ Value : 0|16@1+ (1,0) [0|0] "" B
BO_ 512 Other: 8 A
 SG_ Number : 0|8@1+ (1,0) [0|0] "" B
BO_ 2147483904 Long: 4 A
 SG_ Wide : 0|32@1+ (1,0) [0|0] "" B
"""
)


def write(folder: Path, log_format: str) -> Path:
    records = [
        BusRecord(
            1_000_007 * index,
            1_000_007 * index + 120_003,
            CHANNELS[index % 2],
            FRAMES[index % len(FRAMES)],
            "CDC" if index % 3 else "BPS",
            1_000_007 * index,
        )
        for index in range(3 * len(FRAMES))
    ]
    errors = [
        ErrorFrame(9_000_000, 9_040_000, "CHASSIS_A", False, FRAMES[8], "CDC", ()),
        ErrorFrame(13_500_000, 13_534_000, "CHASSIS_B", True, None, "", ()),
    ]
    path = folder / f"run{LOG_FORMATS[log_format].suffix}"
    return write_log(path, records, log_format, channels=CHANNELS, errors=errors, node="CDC")


def by_blocks(path: Path) -> tuple[list[Any], str]:
    """The entries of a log, read as columns, and its damage."""
    channels = Channels()
    entries: list[Any] = []
    try:
        for block, _ in blocks_of_log(path, channels):
            names = [channels.names[number] for number in block.channel.tolist()]
            rows = [bytes(row) for row in block.data]
            columns = (block.time_ns, block.kind, block.identifier, block.length)
            entries += zip(names, rows, *(each.tolist() for each in columns), strict=True)
    except InputError as error:
        return entries, str(error)
    return entries, ""


def by_records(path: Path) -> tuple[list[Any], str]:
    """The same from the reader of entries."""
    log = read_log(path)
    entries: list[Any] = []
    for record in log.records:
        frame = record.frame
        if frame is None:
            kind = 2 + KINDS.index(record.kind)
            entries.append((record.channel, bytes(64), record.time_ns, kind, 0, 0))
            continue
        identifier = frame.arbitration_id | (EXTENDED if frame.is_extended_id else 0)
        data = frame.data.ljust(64, b"\0")
        kind = int(frame.is_remote_frame)
        entries.append((record.channel, data, record.time_ns, kind, identifier, len(frame.data)))
    return entries, "" if log.damage is None else str(log.damage)


def told(damage: str) -> str:
    """The damage without what `read_log` adds to it."""
    begin = damage.find(" (kept ")
    return damage if begin < 0 else damage[:begin] + damage[damage.index(" before it)") + 11 :]


def assert_same(path: Path) -> tuple[list[Any], str]:
    entries, damage = by_blocks(path)
    expected, expected_damage = by_records(path)
    if "292 years" in damage:  # what only columns refuse
        assert entries == expected[: len(entries)]
        return entries, damage
    assert entries == expected
    assert damage == told(expected_damage)
    return entries, damage


@pytest.mark.parametrize("log_format", FORMATS)
def test_columns_hold_the_entries_of_the_reader(tmp_path: Path, log_format: str) -> None:
    entries, damage = assert_same(write(tmp_path, log_format))
    assert len(entries) == 3 * len(FRAMES) + 2
    assert not damage


@pytest.mark.parametrize("log_format", ["candump", "blf"])
def test_a_log_cut_anywhere_keeps_what_the_reader_keeps(tmp_path: Path, log_format: str) -> None:
    path = write(tmp_path, log_format)
    content = path.read_bytes()
    damages = set()
    for length in range(0, len(content), 5):
        path.write_bytes(content[:length])
        damages.add(bool(assert_same(path)[1]))
    assert damages == {False, True} if log_format == "candump" else {True}


@pytest.mark.parametrize("kind", ["candump", "blf", "foreign blf"])
@given(data=st.data())
def test_a_log_with_a_changed_byte_is_read_as_the_reader_reads_it(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    path = write_foreign(folder) if kind == "foreign blf" else write(folder, kind)
    content = bytearray(path.read_bytes())
    if kind != "candump":
        content = uncompressed(content)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255) | st.sampled_from([1, 0x80, 0xFF]))
    path.write_bytes(content)
    assert_same(path)


def write_foreign(folder: Path) -> Path:
    """A BLF file of python-can, which has other objects for the same frames."""
    path = folder / "foreign.blf"
    with can.Logger(path) as logger:
        for index, frame in enumerate(FRAMES):
            logger(
                can.Message(
                    timestamp=0.001 * index,
                    arbitration_id=frame.arbitration_id,
                    is_extended_id=frame.is_extended_id,
                    is_fd=frame.is_fd,
                    is_remote_frame=frame.is_remote_frame,
                    data=frame.data,
                    dlc=frame.dlc if frame.is_remote_frame else len(frame.data),
                )
            )
    return path


def test_a_foreign_blf_file_is_read_without_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_foreign(tmp_path)
    assert len(assert_same(path)[0]) == len(FRAMES)
    monkeypatch.setattr("simcore.attach.log_block_blf.read_blf", None)
    assert len(by_blocks(path)[0]) == len(FRAMES)
    assert len(by_blocks(write(tmp_path, "blf"))[0]) == 3 * len(FRAMES) + 2


def test_every_flag_of_a_blf_object_is_read_as_the_reader_reads_it(tmp_path: Path) -> None:
    for path in (write(tmp_path, "blf"), write_foreign(tmp_path)):
        content = uncompressed(path.read_bytes())
        for at in range(144 + 32, min(len(content), 1300)):  # every frame once
            changed = content.copy()
            changed[at] ^= 0xFF if at % 2 else 0x91
            path.write_bytes(changed)
            assert_same(path)


def test_a_blf_file_shorter_than_it_says_is_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path, "blf")
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 16, len(content) + 100)
    path.write_bytes(content)
    entries, damage = assert_same(path)
    assert len(entries) == 3 * len(FRAMES) + 2
    assert f"expected a file of {len(content) + 100} bytes, got the end of it" in damage


def uncompressed(content: bytes | bytearray) -> bytearray:
    """The BLF file with its containers unpacked, so that a changed byte reaches the objects."""
    (at,) = struct.unpack_from("<L", content, 4)
    made = bytearray(content[:at])
    while at < len(content):
        signature, header, version, size, kind = struct.unpack_from("<4sHHLL", content, at)
        method, _ = struct.unpack_from("<H6xL4x", content, at + header)
        held = bytes(content[at + header + 16 : at + size])
        held = zlib.decompress(held) if method == 2 else held
        made += struct.pack("<4sHHLL", signature, header, version, header + 16 + len(held), kind)
        made += struct.pack("<H6xL4x", 0, len(held)) + held
        at += size + size % 4
    struct.pack_into("<Q", made, 16, len(made))
    return made


HEX = "0123456789abcdefABCDEF"
LINES = st.builds(
    "({}.{}) {} {}#{}{}".format,
    st.integers(0, 9_999_999_999),
    st.sampled_from(["000000", "123456", "123456789", "5", "1234567"]),
    st.sampled_from(["can0", "can1", "vcan10", "c#n", "ü"]),
    st.sampled_from(["123", "7FF", "800", "1fffffff", "00000123", "20000004", "ABCDEFAB"]),
    st.sampled_from(["", "#1", "#3", "R", "R4", "##"])
    | st.integers(0, 13).map(lambda n: "#1" + "5a" * n)
    | st.integers(0, 9).flatmap(lambda n: st.text(HEX, min_size=2 * n, max_size=2 * n)),
    st.sampled_from(["", "", "00", "1122", "_9", " R", " T", " X", "\r", "  "]),
)


@given(lines=st.lists(LINES | st.sampled_from(["", "nonsense", " "]), max_size=40))
def test_every_mix_of_candump_lines_is_read_as_the_reader_reads_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "mixed.log"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    assert_same(path)


@pytest.mark.parametrize(
    "bad",
    [
        "100##1112233445566778899",  # 9 bytes
        "100#112233445566778899",
        "100##1112",
        "800#11",
        "2000000#11",
        "ABCDEF01#11",
        "100#1G",
        "100#11 X",
        "100#1122 ",
    ],
)
def test_a_line_unlike_the_others_is_judged_by_the_reader(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "run.log"
    lines = ["100#11", "100##111", bad, "100##1112233", bad, "1fffffff#11"]
    path.write_text("".join(f"(1.000000) can0 {line}\n" for line in 2 * lines))
    assert_same(path)


def test_candump_lines_of_one_form_are_not_read_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simcore.attach.log_block_candump.read_candump", None)
    path = tmp_path / "plain.log"
    lines = [f"(1436509052.{n:06d}) can0 1{n % 10:02d}#0011{n:04x}\n" for n in range(300)]
    lines += [f"(1436509053.{n:06d}) can0 1{n % 10:02d}##10011{n:04x}ff\n" for n in range(300)]
    path.write_text("".join(lines))
    entries, damage = by_blocks(path)
    assert len(entries) == 600
    assert not damage


def test_a_log_longer_than_a_piece_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for log_format, module in (("candump", "candump"), ("blf", "blf")):
        monkeypatch.setattr(f"simcore.attach.log_block_{module}._PIECE", 256)
        assert_same(write(tmp_path, log_format))


# ---- sorted by message ----


def read(path: Path, **wanted: Any) -> LogColumns:
    messages = wanted.pop("messages", SMALL.messages)
    return read_columns(path, SMALL.messages, Wanted(messages=messages, **wanted))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.log"
    path.write_text(
        "(1.000000) can0 100#0102\n"
        "(1.000001) can1 100#0304\n"
        "(1.500000) can0 100#05\n"
        "(2.000000) can0 100##1060708090a0b0c0d0e0f1011\n"
        "(2.000000) can0 200#R\n"
        "(2.500000) can0 300#11\n"
        "(2.500001) can0 300#12\n"
        "(2.600000) can0 00000100#01020304\n"
        "(3.000000) can0 20000080#0000000000000000\n"
    )
    return path


def test_frames_are_sorted_by_message_and_channel(mixed: Path) -> None:
    found = read(mixed)
    assert [(each.message.name, each.channel) for each in found.frames] == [
        ("Small", "can0"),
        ("Small", "can1"),
        ("Long", "can0"),
    ]
    assert found.frames[0].time_ns.tolist() == [1_000_000_000, 2_000_000_000]
    assert found.frames[0].data.tolist() == [[1, 2], [6, 7]]
    assert found.frames[2].data.tolist() == [[1, 2, 3, 4]]


def test_what_is_not_kept_is_counted(mixed: Path) -> None:
    found = read(mixed)
    assert found.entry_count == 9
    assert found.unknown == Counter({"0x300": 2})
    assert found.remote == Counter({"0x200": 1})
    assert found.short == Counter({"0x100 Small": 1})
    assert found.faults == Counter({EntryKind.ERROR: 1})
    assert found.left_out_count == 0
    assert found.channels == ("can0", "can1")
    kept = sum(len(each.time_ns) for each in found.frames)
    skipped = (found.unknown, found.remote, found.short, found.faults)
    assert kept + sum(each.total() for each in skipped) == found.entry_count


def test_only_what_is_wanted_is_kept(mixed: Path) -> None:
    found = read(mixed, from_ns=1_000_001_000, until_ns=2_600_000_000, channels=frozenset(["can0"]))
    assert [each.time_ns.tolist() for each in found.frames] == [[2_000_000_000]]
    assert found.left_out_count == 4
    found = read(mixed, messages=[SMALL.message("Long")])
    assert [each.message.name for each in found.frames] == ["Long"]
    assert found.left_out_count == 4
    assert found.unknown == Counter({"0x300": 2})


def test_a_channel_that_is_not_in_the_log_is_refused(mixed: Path) -> None:
    with pytest.raises(UsageError, match=r"^channel: expected one of can0, can1, got can7$"):
        read(mixed, channels=frozenset(["can7"]))


def test_progress_ends_with_the_size_of_the_file(mixed: Path) -> None:
    done: list[int] = []
    read_columns(mixed, SMALL.messages, Wanted(messages=()), on_progress=done.append)
    assert done[-1] == mixed.stat().st_size


def test_a_damaged_log_keeps_what_stood_before(mixed: Path) -> None:
    mixed.write_text(mixed.read_text() + "nonsense\n(9.0) can0 100#0102\n")
    found = read(mixed)
    assert found.entry_count == 9
    assert found.damage is not None
    assert str(found.damage).startswith(f"{mixed}:10: candump log: expected (seconds.fraction)")


@pytest.mark.parametrize("name", ["missing.log", "missing.blf", "missing.asc"])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=rf"{name}: bus log: expected a readable file, got No such"
    ):
        read(tmp_path / name)


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a name ending in \.log, .*, got \.txt"):
        read(tmp_path / "log.txt")


def test_a_time_no_column_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "late.log"
    path.write_text("(1.0) can0 100#0102\n(9999999999.000000) can0 100#0102\n")
    found = read(path)
    assert found.entry_count == 1
    text = r"time stamp: expected 292 years at most, got 9999999999000000000 ns"
    with pytest.raises(InputError, match=text):
        raise found.damage or AssertionError


@pytest.mark.parametrize("suffix", [".log", ".blf", ".asc"])
def test_an_empty_file_is_what_the_reader_says_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty{suffix}"
    path.write_bytes(b"")
    assert_same(path)


def test_messages_that_only_their_network_tells_apart_are_refused(mixed: Path) -> None:
    known = [replace(SMALL.messages[0], bus=bus) for bus in ("B1", "B2")]
    name = re.escape(known[0].label)
    told = rf"{name} of B1 and {name} of B2"
    with pytest.raises(
        UsageError,
        match=rf"^bus: expected one of B1, B2 \(--bus\), got none, for {told}$",
    ):
        read_columns(mixed, known, Wanted(messages=known))
    assert read_columns(mixed, known[:1], Wanted(messages=known[:1])).frames
