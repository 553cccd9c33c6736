"""Reading logs: our own back, foreign ones, and logs that are damaged at every place."""

from __future__ import annotations

import importlib.util
import itertools
import struct
import zlib
from pathlib import Path

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.attach.log_reader import Log, read_log
from simcore.attach.log_record import EntryKind
from simcore.bus import BusRecord, ErrorFrame, Frame
from simcore.errors import InputError, UsageError
from simcore.report import LOG_FORMATS, write_log

CHANNELS = ("CHASSIS_A", "CHASSIS_B")
HAS_ASAMMDF = importlib.util.find_spec("asammdf") is not None
needs_asammdf = pytest.mark.skipif(not HAS_ASAMMDF, reason="asammdf is not installed")
FORMATS = [
    pytest.param(name, marks=needs_asammdf) if name == "mf4" else name for name in LOG_FORMATS
]
SUFFIXES = {".log": "candump", ".asc": "asc", ".blf": "blf"}

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
        sender = "CDC" if index % 3 else "BPS"
        made.append(BusRecord(sof_ns, sof_ns + 120_003, CHANNELS[index % 2], frame, sender, sof_ns))
    return made


def error_frames() -> list[ErrorFrame]:
    return [
        ErrorFrame(9_000_000, 9_040_000, "CHASSIS_A", False, FRAMES[6], "CDC", ()),
        ErrorFrame(13_500_000, 13_534_000, "CHASSIS_B", True, None, "", ()),
    ]


def write(folder: Path, log_format: str, node: str | None = "CDC") -> Path:
    path = folder / f"run{LOG_FORMATS[log_format].suffix}"
    return write_log(
        path, records(), log_format, channels=CHANNELS, errors=error_frames(), node=node
    )


def frames_of(log: Log) -> list[Frame]:
    return [record.frame for record in log.records if record.frame is not None]


def log_of(folder: Path, name: str, content: str | bytes) -> Log:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_log(path)


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_log_of_ours_comes_back_entry_by_entry(tmp_path: Path, log_format: str) -> None:
    log = read_log(write(tmp_path, log_format)).require_whole()
    tick_ns = LOG_FORMATS[log_format].resolution_ns
    assert log.resolution_ns == tick_ns
    assert log.format == LOG_FORMATS[log_format].name
    kept = [record for record in log.records if record.kind is EntryKind.FRAME]
    for found, record in zip(kept, records(), strict=True):
        assert found.frame == record.frame
        assert found.frame is not None
        assert found.frame.header is record.frame.header
        assert found.time_ns == record.eof_ns // tick_ns * tick_ns
        assert found.channel == record.channel
        assert found.transmitted == (record.sender == "CDC")
    rest = [record for record in log.records if record.kind is not EntryKind.FRAME]
    # An error nobody explains is an error in candump, of whatever kind.
    overload = EntryKind.ERROR if log_format == "candump" else EntryKind.OVERLOAD
    assert [(r.time_ns, r.channel, r.kind, r.frame) for r in rest] == [
        (9_040_000, "CHASSIS_A", EntryKind.ERROR, None),
        (13_534_000, "CHASSIS_B", overload, None),
    ]
    assert log.frame_count == len(FRAMES)


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_log_without_entries_is_whole(tmp_path: Path, log_format: str) -> None:
    path = tmp_path / f"run{LOG_FORMATS[log_format].suffix}"
    log = read_log(write_log(path, [], log_format)).require_whole()
    assert log.records == ()


@pytest.mark.parametrize(
    "suffix", [".log", ".asc", ".blf", pytest.param(".mf4", marks=needs_asammdf)]
)
def test_logs_python_can_writes_are_read(tmp_path: Path, suffix: str) -> None:
    wanted = [frame for frame in FRAMES if not (frame.is_fd and not frame.data)]
    if suffix == ".log":  # python-can drops the length of remote frames there
        wanted = [frame for frame in wanted if not frame.is_remote_frame]
    path = tmp_path / f"foreign{suffix}"
    with can.Logger(path) as logger:
        for index, frame in enumerate(wanted):
            logger(
                can.Message(
                    timestamp=0.001 * (index + 1),
                    arbitration_id=frame.arbitration_id,
                    is_extended_id=frame.is_extended_id,
                    is_fd=frame.is_fd,
                    bitrate_switch=frame.bitrate_switch,
                    error_state_indicator=frame.error_state_indicator,
                    is_remote_frame=frame.is_remote_frame,
                    dlc=frame.dlc if frame.is_remote_frame else len(frame.data),
                    data=frame.data,
                    is_rx=index % 2 == 0,
                    channel=0 if suffix != ".log" else "can0",
                )
            )
        logger(can.Message(timestamp=0.05, is_error_frame=True, channel=0))
    log = read_log(path).require_whole()
    assert frames_of(log) == wanted
    assert log.counts[EntryKind.ERROR] == 1
    kept = [record for record in log.records if record.frame is not None]
    assert [record.transmitted for record in kept] == [bool(i % 2) for i in range(len(wanted))]
    steps_ns = [b.time_ns - a.time_ns for a, b in itertools.pairwise(kept)]
    assert all(abs(step_ns - 1_000_000) <= 1_000 for step_ns in steps_ns)


# ---- times are exact ----


@given(st.integers(0, 2_000_000_000), st.integers(0, 999_999), st.sampled_from(["candump", "asc"]))
def test_a_time_in_text_is_read_to_the_digit(
    tmp_path_factory: pytest.TempPathFactory, seconds: int, micros: int, log_format: str
) -> None:
    folder = tmp_path_factory.mktemp("log")
    stamp = f"{seconds}.{micros:06d}"
    if log_format == "candump":
        log = log_of(folder, "t.log", f"({stamp}) can0 123#00\n")
    else:
        log = log_of(folder, "t.asc", f"{stamp} 1 123 Rx d 1 00\n")
    assert [record.time_ns for record in log.records] == [(seconds * 10**6 + micros) * 1_000]


def test_nanoseconds_in_a_candump_log_are_kept(tmp_path: Path) -> None:
    log = log_of(tmp_path, "t.log", "(1.000000007) can0 123#00\n")
    assert log.records[0].time_ns == 1_000_000_007


# ---- what foreign logs hold ----


def test_raw_length_codes_of_can_utils_are_kept(tmp_path: Path) -> None:
    text = "(0.1) can0 123#0011223344556677_B\n(0.2) can0 123#R8_C\n(0.3) can0 123#R\n"
    first, second, third = frames_of(log_of(tmp_path, "t.log", text).require_whole())
    assert (first.dlc, len(first.data)) == (0xB, 8)
    assert (second.dlc, second.is_remote_frame) == (0xC, True)
    assert (third.dlc, third.is_remote_frame) == (0, True)


def test_an_asc_log_in_decimal_with_relative_times_is_understood(tmp_path: Path) -> None:
    text = (
        "base dec  timestamps relative\n"
        "no internal events logged\n"
        "0.5 1 256 Rx d 2 16 255\n"
        "0.25 2 300x Tx d 0\n"
        "0.25 1 Statistic: D 1 R 0\n"
    )
    log = log_of(tmp_path, "t.asc", text).require_whole()
    assert frames_of(log) == [Frame(256, b"\x10\xff"), Frame(300, b"", is_extended_id=True)]
    assert [record.time_ns for record in log.records] == [500_000_000, 750_000_000, 10**9]
    assert [record.kind for record in log.records][2] is EntryKind.OTHER


def test_asc_frames_with_names_durations_and_bit_counts_are_understood(tmp_path: Path) -> None:
    text = (
        "date Mon Jan 1 12:00:00 pm 2024\n"
        "base hex  timestamps absolute\n"
        "// version 9.0.0\n"
        "   0.010000 1  7B              Rx   d 2 01 02  Length = 244000 BitCount = 63\n"
        "   0.020000 CANFD   1 Rx        7C  Some_Name 1 0 9 12 "
        "00 01 02 03 04 05 06 07 08 09 0A 0B  130000  130   303000 b4f4 46500250 4b140250\n"
        "   0.030000 CANFD   1 Tx        7C  1 0 0  0  130000  130   303000 0 0 0 0 0\n"
        "   0.040000 1  7B              TxRq d 2 01 02\n"
        "   0.050000 CAN 1 Status:chip status error active\n"
    )
    log = log_of(tmp_path, "t.asc", text).require_whole()
    assert frames_of(log) == [
        Frame(0x7B, b"\1\2"),
        Frame(0x7C, bytes(range(12)), is_fd=True, bitrate_switch=True),
        Frame(0x7C, b"", is_fd=True, bitrate_switch=True),
    ]
    assert log.counts[EntryKind.OTHER] == 2


def blf(*objects: bytes, compressed: bool = True) -> bytes:
    content = b"".join(objects)
    packed = zlib.compress(content) if compressed else content
    container = struct.pack(
        "<4sHHLLH6xL4x", b"LOBJ", 16, 1, 32 + len(packed), 10, 2 * compressed, len(content)
    )
    body = container + packed
    body += bytes(-len(body) % 4)
    size = 144 + len(body)
    head = struct.pack("<4sL8xQQLL", b"LOGG", 144, size, 144 + 32 + len(content), len(objects), 0)
    return head.ljust(144, b"\0") + body


def blf_object(kind: int, body: bytes, *, stamp: int, flags: int = 2, version: int = 1) -> bytes:
    if version == 1:
        head = struct.pack("<LHHQ", flags, 0, 0, stamp)
    else:
        head = struct.pack("<LBxHQQ", flags, 0, 0, stamp, 0)
    size = 16 + len(head)
    base = struct.pack("<4sHHLL", b"LOBJ", size, version, size + len(body), kind)
    return base + head + body


CLASSIC = struct.pack("<HBBL8s", 2, 0x01, 3, 0x8000_0123, b"\1\2\3".ljust(8, b"\0"))


def test_blf_objects_of_other_writers_are_understood(tmp_path: Path) -> None:
    old_fd = struct.pack("<HBBLLBBB5x", 1, 0, 9, 0x61, 0, 0, 0x7, 12) + bytes(range(12))
    short_64 = struct.pack("<BBBBLLLLLLLHBBL", 1, 15, 64, 0, 0x62, 0, 0x3000, *[0] * 8) + b"\1\2"
    data = blf(
        blf_object(1, CLASSIC, stamp=100, flags=1),
        blf_object(86, CLASSIC, stamp=2_000_000, version=2),
        blf_object(100, old_fd, stamp=3_000_000),
        blf_object(101, short_64, stamp=4_000_000),
        blf_object(2, struct.pack("<HH", 1, 0), stamp=5_000_000),
        blf_object(104, bytes([2]) + bytes(60), stamp=6_000_000),
        blf_object(4, bytes(16), stamp=7_000_000),
    )
    log = log_of(tmp_path, "t.blf", data).require_whole()
    classic = Frame(0x123, b"\1\2\3", is_extended_id=True)
    assert frames_of(log) == [
        classic,
        classic,
        Frame(0x61, bytes(range(12)), is_fd=True, bitrate_switch=True, error_state_indicator=True),
        Frame(0x62, b"\1\2" + bytes(62), is_fd=True, bitrate_switch=True),
    ]
    assert [record.time_ns for record in log.records] == [
        *(1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 6_000_000, 7_000_000)
    ]
    assert [record.kind.value for record in log.records[4:]] == [
        *("error frame", "error frame", "other entry")
    ]
    assert [record.channel for record in log.records] == ["2", "2", "1", "1", "1", "2", ""]
    assert log.records[0].transmitted


def test_a_blf_object_may_span_two_containers(tmp_path: Path) -> None:
    whole = blf(blf_object(1, CLASSIC, stamp=1), blf_object(1, CLASSIC, stamp=2))[144:]
    content = zlib.decompress(whole[32:].rstrip(b"\0"))
    parts = []
    for piece in (content[:40], content[40:]):
        packed = zlib.compress(piece)
        head = struct.pack("<4sHHLLH6xL4x", b"LOBJ", 16, 1, 32 + len(packed), 10, 2, len(piece))
        parts.append((head + packed).ljust(len(packed) + 32 + (-len(packed) % 4), b"\0"))
    data = blf()[:16] + bytes(128) + b"".join(parts)
    log = log_of(tmp_path, "t.blf", data).require_whole()
    assert [record.time_ns for record in log.records] == [1, 2]


# ---- damage ----


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_log_cut_anywhere_keeps_what_came_before_and_says_where(
    tmp_path: Path, suffix: str
) -> None:
    whole = write(tmp_path, SUFFIXES[suffix])
    content = whole.read_bytes()
    wanted = read_log(whole).records
    seen = set()
    for length in range(len(content)):
        log = log_of(tmp_path, f"cut{suffix}", content[:length])
        assert log.records == wanted[: len(log.records)]
        seen.add(len(log.records))
        if suffix == ".log" and (length == 0 or content[length - 1 : length] == b"\n"):
            assert log.damage is None  # the format cannot tell
        elif suffix == ".asc" and content[length:].strip() in (b"", b"End TriggerBlock"):
            pass
        elif suffix == ".asc" and b"Begin" not in content[:length]:
            pass  # the header has no end of its own
        else:
            assert log.damage is not None, length
            assert f"kept {log.frame_count} frame" in str(log.damage)
            with pytest.raises(InputError, match=r"byte offset \d+.* expected .*got "):
                log.require_whole()
    assert seen >= set(range(len(wanted)))


@needs_asammdf
def test_a_cut_mf4_is_refused_with_its_length(tmp_path: Path) -> None:
    content = write(tmp_path, "mf4").read_bytes()
    for length in range(3, len(content), 101):
        log = log_of(tmp_path, "cut.mf4", content[:length])
        assert log.damage is not None
        with pytest.raises(
            InputError, match=r"MF4 block, byte offset \d+ .kept 0 frames"
        ) as caught:
            log.require_whole()
        assert "the end of the file a" in str(caught.value)


@needs_asammdf
def test_an_mf4_whose_links_lead_nowhere_is_refused(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path, "mf4").read_bytes())
    struct.pack_into("<Q", content, 64 + 24, 65)  # the first data group of the header
    log = log_of(tmp_path, "t.mf4", bytes(content))
    with pytest.raises(InputError, match=r"MF4 block, byte offset 65 .*: expected a block .##."):
        log.require_whole()


@needs_asammdf
def test_an_mf4_that_only_asammdf_can_refuse_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(data: bytes) -> object:
        raise KeyError("CAN_DataFrame.ID")

    monkeypatch.setattr("simcore.attach.log_mf4._rows", broken)
    path = write(tmp_path, "mf4")
    with pytest.raises(
        InputError, match=r"MF4 file of \d+ bytes .*: expected a complete MDF 4 bus"
    ):
        read_log(path).require_whole()


def test_an_mf4_that_is_none_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("asammdf", reason="asammdf is not installed")
    log = log_of(tmp_path, "t.mf4", b"no such thing")
    with pytest.raises(InputError, match=r"MF4 file, byte offset 0 .*: expected MDF, got b'no '"):
        log.require_whole()


def test_an_mf4_without_its_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="MF4 log: expected asammdf"):
        log_of(tmp_path, "t.mf4", b"MDF")


GOOD = {
    ".log": "(0.001000) can0 123#00\n",
    ".asc": "base hex  timestamps absolute\n0.001000 1 123 Rx d 1 00\n",
}


@pytest.mark.parametrize(
    ("suffix", "line", "text"),
    [
        (".log", "nonsense\n", r"expected \(seconds.fraction\) channel ID#DATA, got 'nonsense'"),
        (".log", "(0.1) can0 123#0\n", "expected a frame's data, got"),
        (
            ".log",
            "(0.1) can0 123##1\n(0.1) can0 123##1000102030405060708\n",
            "expected a CAN frame",
        ),
        (".log", "(0.1) can0 FFF#00\n", r"expected a CAN frame, got .*0\.\.0x7FF"),
        (".log", "(0.1) can0 1FFFFFFF1#00\n", "got"),
        (".log", "(0.1) can0 20000004#GG\n", "expected an error frame's data"),
        (".asc", "garbage\n", "expected a time stamp or a line of the header, got 'garbage'"),
        (".asc", "0.1 1 123 Rx d 4 00\n", "expected a CAN frame, got '1 123 Rx d 4 00'"),
        (".asc", "0.1 1 XYZ Rx d 1 00\n", "expected a CAN frame"),
        (".asc", "0.1 1 FFF Rx d 1 00\n", r"got .*0\.\.0x7FF"),
        (".asc", "0.1 1 123 Rx d 1 1FF\n", "expected a CAN frame"),
        (".asc", "0.1 CANFD 1 Rx 123 1 0 9 11 " + "00 " * 12 + "\n", "expected a CAN frame"),
        (".asc", "0.1 CANFD 1 Rx 123 1 0 9 12 00\n", "expected a CAN frame"),
        (".asc", "0.1 CANFD broken\n", "expected a CAN frame"),
    ],
)
def test_a_bad_line_is_named_and_what_came_before_is_kept(
    tmp_path: Path, suffix: str, line: str, text: str
) -> None:
    log = log_of(tmp_path, f"t{suffix}", GOOD[suffix] + line + GOOD[suffix])
    with pytest.raises(InputError, match=text) as caught:
        log.require_whole()
    bad = GOOD[suffix].count("\n") + line.count("\n")
    assert caught.value.line == bad
    assert "kept" in caught.value.where
    assert Frame(0x123, b"\0") in frames_of(log)


def test_a_long_bad_line_is_shown_in_part(tmp_path: Path) -> None:
    for name in ("t.log", "t.asc"):
        log = log_of(tmp_path, name, "x" * 1_000 + "\n")
        assert log.damage is not None
        assert "x..." in str(log.damage)
        assert len(str(log.damage)) < 300


@pytest.mark.parametrize(
    ("damaged", "text"),
    [
        (b"LAGG" + bytes(200), r"BLF file, byte offset 0 .*: expected LOGG, got b'LAGG'"),
        (b"LOGG", "expected LOGG"),
        (
            blf(blf_object(1, CLASSIC, stamp=1)) + b"rubbish!",
            "byte offset 220 .*: expected an object",
        ),
        (
            blf(blf_object(1, CLASSIC, stamp=1), b"rubbish!", compressed=False),
            "48 bytes into what began at byte offset 176 .*: expected an object .LOBJ., got 72 75",
        ),
        (
            blf(blf_object(1, CLASSIC, stamp=1), blf_object(1, b"\1", stamp=2)),
            "48 bytes into .* byte offset 144, unpacked .*: expected an object of type 1",
        ),
        (
            blf(
                blf_object(1, CLASSIC, stamp=1),
                blf_object(1, struct.pack("<HBBL8s", 1, 0, 8, 0x1000, bytes(8)), stamp=2),
            ),
            r"expected a CAN frame, got .*0\.\.0x7FF",
        ),
        (
            blf(blf_object(1, CLASSIC, stamp=1), struct.pack("<4sHHLL", b"LOBJ", 32, 1, 8, 1)),
            "expected an object of at least 32 bytes, got 8",
        ),
    ],
)
def test_a_bad_blf_object_is_named_by_its_offset(tmp_path: Path, damaged: bytes, text: str) -> None:
    log = log_of(tmp_path, "t.blf", damaged)
    with pytest.raises(InputError, match=text):
        log.require_whole()
    if len(damaged) > 210:
        assert [record.time_ns for record in log.records] == [1]


ONE = blf(blf_object(1, CLASSIC, stamp=1))
HALF = blf(blf_object(1, CLASSIC, stamp=1), blf_object(1, CLASSIC, stamp=2)[:40])


@pytest.mark.parametrize(
    ("damaged", "text"),
    [
        (ONE[:4] + struct.pack("<L", 9_999) + ONE[8:], "expected a header of 9999 bytes, got a f"),
        (
            ONE + struct.pack("<4sHHLL", b"LOBJ", 16, 1, 8, 10),
            rf"byte offset {len(ONE)} .*: expected an object of at least 16 bytes, got 8",
        ),
        (
            ONE[:16] + struct.pack("<Q", 5_000) + ONE[24:],
            rf"byte offset {len(ONE)} .*: expected a file of 5000 bytes, got the end of it",
        ),
        (HALF, "BLF object that began at byte offset 144, unpacked, 48 bytes in .*: expected the"),
        (ONE[:-20], r"byte offset 144 .*: expected \d+ bytes, got the end of the file after"),
    ],
)
def test_a_blf_whose_sizes_do_not_fit_is_named_by_its_offset(
    tmp_path: Path, damaged: bytes, text: str
) -> None:
    log = log_of(tmp_path, "t.blf", damaged)
    with pytest.raises(InputError, match=text):
        log.require_whole()


def test_a_blf_container_in_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    data = bytearray(blf(blf_object(1, CLASSIC, stamp=1)))
    data[144 + 16] = 7
    log = log_of(tmp_path, "t.blf", bytes(data))
    with pytest.raises(InputError, match=r"byte offset 144 .*: expected compression 0 or 2, got 7"):
        log.require_whole()


def test_a_blf_container_with_a_flipped_bit_keeps_what_can_be_unpacked(tmp_path: Path) -> None:
    objects = []
    for index in range(200):
        noise = zlib.crc32(bytes([index])).to_bytes(8, "big")
        body = struct.pack("<HBBL8s", 1, 0, 8, index, noise)
        objects.append(blf_object(1, body, stamp=index))
    data = bytearray(blf(*objects))
    data[-1_000] ^= 0x10
    log = log_of(tmp_path, "t.blf", bytes(data))
    assert log.damage is not None
    assert 0 < log.frame_count < 200


@given(st.data())
def test_whatever_bytes_are_changed_a_log_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    suffix = data.draw(st.sampled_from(sorted(SUFFIXES)))
    content = bytearray(write(folder, SUFFIXES[suffix]).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    log = log_of(folder, f"changed{suffix}", bytes(content))
    assert log.damage is None or str(folder) in str(log.damage)
    assert log.frame_count <= 2 * len(FRAMES)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bus log: expected a name ending in .*, got .txt"):
        read_log(tmp_path / "run.txt")
    with pytest.raises(InputError, match="got no suffix"):
        read_log(tmp_path / "run")
    with pytest.raises(InputError, match="bus log: expected a readable file, got No such file"):
        read_log(tmp_path / "run.blf")
