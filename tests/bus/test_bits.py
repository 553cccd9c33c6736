"""Levels on the wire: published vectors, CRC check values, and a receiver that reads them back.

The 28 vectors and the bit strings were verified on a CAN FD core in an HDL simulator, level by
level and edge by edge. The receiver below is written from the standard's description and shares
nothing with the package: it removes stuff bits while reading, divides polynomials as integers and
returns the frame.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, BitTiming, Frame, bit_counts, bits, duration_ns
from simcore.bus.bits import CRC15, CRC17, CRC21, CrcParameters, crc_bits

# ---- the vectors ----


class Vector(NamedTuple):
    name: str
    frame: Frame
    iso: bool
    total: int
    nominal: int
    data: int
    stuff: int
    crc: str
    duration_500k_2m_ns: int
    duration_1m_5m_ns: int
    duration_1m_8m_ns: int


TABLE = """
V01 000      base    -   0  -                  50  50   0   6 0000   100000  50000  50000
V02 7FF      base    -   0  -                  47  47   0   3 272F    94000  47000  47000
V03 555      base    -   4  55555555           78  78   0   2 411F   156000  78000  78000
V04 123      base    -   8  0102030405060708  116 116   0   8 64EF   232000 116000 116000
V05 000      base    -   8  0000000000000000  124 124   0  16 145B   248000 124000 124000
V06 7EF      base    -   8  ffffffffffffffff  122 122   0  14 38A0   244000 122000 122000
V07 123      base    RTR 8  -                  45  45   0   1 6F9A    90000  45000  45000
V08 2AA      base    -   15 1122334455667788  109 109   0   1 1757   218000 109000 109000
V09 18DAF110 ext     -   8  023e00aaaaaaaaaa  134 134   0   6 3FBB   268000 134000 134000
V10 00000000 ext     -   8  0000000000000000  147 147   0  19 3DAF   294000 147000 147000
V11 1FFFFFFF ext     -   0  -                  71  71   0   7 1C88   142000  71000  71000
V12 123      base_fd -   1  55                 68  68   0   1 03F7D  136000  68000  68000
V13 123      base_fd BRS 1  55                 67  26  41   0 142D0   72500  34200  31125
V14 000      base_fd BRS 0  -                  61  28  33   2 13917   72500  34600  32125
V15 7AA      base_fd BRS 1  55                 67  26  41   0 06010   72500  34200  31125
V16 7AA      base_fd OLD 1  55                 62  26  36   0 0F38D   70000  33200  30500
V17 0A0      base_fd BRS 8  up                133  27 106  10 0B821  107000  48200  40250
V18 0A1      base_fd BRS 9  up                166  26 140  11 199C5  122000  54000  43500
V19 0A2      base_fd BRS 10 up                200  26 174  13 06DB4  139000  60800  47750
V20 0A3      base_fd BRS 11 up                239  26 213  15 158BE5 158500  68600  52625
V21 0A4      base_fd BRS 15 up                601  26 575  25 045BC8 339500 141000  97875
V22 0A5      base_fd BRS 15 zeros             678  26 652 102 138B00 378000 156400 107500
V23 18FF1234 ext_fd  BRS 13 up                359  47 312  20 1CC769 250000 109400  86000
V24 321      base_fd BRS 1  1f                 67  26  41   0 14235   72500  34200  31125
V25 321      base_fd BRS 1  60                 67  26  41   0 052CB   72500  34200  31125
V26 560      base_fd -   6  a6596cdfb2e5      109 109   0   2 10DE0  218000 109000 109000
V27 1ABCDEF0 ext_fd  -   0  -                  81  81   0   3 0D658  162000  81000  81000
V28 0A4      base_fd OLD 15 up                596  26 570  25 063798 337000 140000  97250
"""
"""`up` is 00 01 02 ... of the dlc's length; `OLD` is BRS in the format before ISO 11898-1:2015."""


def vector(line: str) -> Vector:
    name, identifier, kind, flag, dlc, data, *counts, crc, slow, middle, fast = line.split()
    is_fd = kind.endswith("_fd")
    length = DLC_TO_LENGTH[int(dlc)]
    known = {"-": b"", "up": bytes(range(length)), "zeros": bytes(length)}
    frame = Frame(
        int(identifier, 16),
        known[data] if data in known else bytes.fromhex(data),
        is_extended_id=kind.startswith("ext"),
        is_fd=is_fd,
        bitrate_switch=flag in ("BRS", "OLD"),
        is_remote_frame=flag == "RTR",
        dlc=int(dlc),
    )
    total, nominal, data_bits, stuff = map(int, counts)
    durations = (int(slow), int(middle), int(fast))
    return Vector(name, frame, flag != "OLD", total, nominal, data_bits, stuff, crc, *durations)


VECTORS = [vector(line) for line in TABLE.split("\n") if line]
vectors = pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])

STREAMS = {
    "V01": "00000100000100000100000100000100000100001011111111",
    "V07": "000100100011100100011011111000110101011111111",
    "V13": "0001001000110010100001010101010000011010100010011011000101011111111",
    "V14": "0000010000010000101000001011011001011001100011011011011111111",
    "V15": "0111101010100010100001010101010000010011000001000011000101011111111",
    "V16": "01111010101000101000010101010100111010010110010110111011111111",
    "V24": "0011001000010010100001000111110000011010100010000101010111011111111",
    "V25": "0011001000010010100001011000001000010010110010011010101011011111111",
}


# ---- an independent receiver ----


def remainder(message: str, polynomial: int, width: int, initial: int) -> int:
    """CRC by long division of one big integer; `initial` is added to the leading bits."""
    value = (int(message, 2) << width) ^ (initial << len(message))
    divisor = polynomial | 1 << width
    while value.bit_length() > width:
        value ^= divisor << (value.bit_length() - width - 1)
    return value


class Received(NamedTuple):
    fields: dict[str, Any]
    nominal: int
    data: int
    stuff: int
    crc: int


class Reader:
    """Reads a stream bit by bit, removing the stuff bit after every five equal bits."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.position = 0
        self.run = ""
        self.stuff = 0
        self.plain = ""

    def raw(self, count: int) -> str:
        taken = self.stream[self.position : self.position + count]
        assert len(taken) == count, "the stream ends too early"
        self.position += count
        return taken

    def drop_stuff_bit(self) -> None:
        if len(self.run) == 5:
            stuffed = self.raw(1)
            assert stuffed != self.run[-1], f"stuff error at bit {self.position - 1}"
            self.run = stuffed
            self.stuff += 1

    def take(self, count: int) -> int:
        taken = ""
        for _ in range(count):
            self.drop_stuff_bit()
            bit = self.raw(1)
            self.run = self.run + bit if self.run[-1:] == bit else bit
            taken += bit
        self.plain += taken
        return int(taken or "0", 2)


def receive(stream: str, *, iso: bool) -> Received:
    """The frame in a stream, with everything checked that a receiver checks."""
    reader = Reader(stream)
    assert reader.take(1) == 0, "SOF is dominant"
    base = reader.take(11)
    remote = reader.take(1)
    extended = reader.take(1)
    identifier = base
    if extended:
        assert remote == 1, "SRR is recessive"
        identifier = base << 18 | reader.take(18)
        remote = reader.take(1)
    fields: dict[str, Any] = {"arbitration_id": identifier, "is_extended_id": bool(extended)}
    is_fd = reader.take(1)
    switches = 0
    switched_at = 0
    if is_fd:
        assert remote == 0, "RRS is dominant"
        assert reader.take(1) == 0, "res is dominant"
        switched_at = reader.position
        switches = reader.take(1)
        fields["error_state_indicator"] = bool(reader.take(1))
    elif extended:
        assert reader.take(1) == 0, "r0 is dominant"
    dlc = reader.take(4)
    length = DLC_TO_LENGTH[dlc] if is_fd else 0 if remote else min(dlc, 8)
    fields |= {"is_fd": bool(is_fd), "bitrate_switch": bool(switches), "dlc": dlc}
    fields |= {"is_remote_frame": bool(remote)}
    fields["data"] = bytes(reader.take(8) for _ in range(length))
    crc = fixed_tail(reader, length, iso=iso) if is_fd else classic_crc(reader)
    high_rate_bits = reader.position - switched_at if switches else 0
    assert reader.raw(10) == "1" + "01" + "1111111", "CRC delimiter, ACK, EOF"
    assert reader.position == len(stream), "the stream goes on behind EOF"
    return Received(fields, len(stream) - high_rate_bits, high_rate_bits, reader.stuff, crc)


def classic_crc(reader: Reader) -> int:
    content = reader.plain
    crc = reader.take(15)
    reader.drop_stuff_bit()  # the run may be completed by the last bit of the CRC
    assert crc == remainder(content, 0x4599, 15, 0)
    return crc


def fixed_tail(reader: Reader, length: int, *, iso: bool) -> int:
    body = reader.stream[: reader.position]  # dynamic stuff bits are part of the CRC
    width = 17 if length <= 16 else 21
    tail = ""
    while len(tail) < width + 4 * iso:
        before = reader.stream[reader.position - 1]
        assert reader.raw(1) != before, f"fixed stuff bit {reader.position - 1}"
        tail += reader.raw(min(4, width + 4 * iso - len(tail)))
    initial = 0
    if iso:
        gray = {0: "000", 1: "001", 2: "011", 3: "010", 4: "110", 5: "111", 6: "101", 7: "100"}
        code = gray[reader.stuff % 8]
        assert tail[:4] == code + str(code.count("1") % 2), "stuff count"
        body += tail[:4]
        tail = tail[4:]
        initial = 1 << (width - 1)
    polynomial = 0x1685B if width == 17 else 0x102899
    assert int(tail, 2) == remainder(body, polynomial, width, initial)
    return int(tail, 2)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Every kind of frame; payloads favour long runs of equal bits."""
    kind = draw(st.sampled_from(["data", "remote", "raw dlc", "fd", "fd"]))
    extended = draw(st.booleans())
    is_fd = kind == "fd"
    dlc = draw(st.integers(9, 15) if kind == "raw dlc" else st.integers(0, 15 if is_fd else 8))
    if kind == "remote":
        dlc = draw(st.integers(0, 15))
    length = 0 if kind == "remote" else DLC_TO_LENGTH[dlc] if is_fd else min(dlc, 8)
    octet = st.one_of(
        st.sampled_from([0x00, 0xFF, 0x1F, 0xF0, 0x0F, 0x3C, 0xC3, 0x78, 0x87, 0x60, 0xE0]),
        st.integers(0, 255),
    )
    limit = 0x1FFFFFFF if extended else 0x7FF
    runs = [0, limit, limit >> 1, limit & 0x1F07C1F0, limit & 0x783C1E0F]
    return Frame(
        draw(st.one_of(st.sampled_from(runs), st.integers(0, limit))),
        bytes(draw(st.lists(octet, min_size=length, max_size=length))),
        is_extended_id=extended,
        is_fd=is_fd,
        bitrate_switch=is_fd and draw(st.booleans()),
        error_state_indicator=is_fd and draw(st.booleans()),
        is_remote_frame=kind == "remote",
        dlc=dlc,
    )


# ---- tests ----


def test_there_are_28_vectors() -> None:
    assert [vector.name for vector in VECTORS] == [f"V{number:02}" for number in range(1, 29)]


@vectors
def test_the_published_counts_hold(vector: Vector) -> None:
    stream = bits(vector.frame, iso=vector.iso)
    assert len(stream) == vector.total
    assert bit_counts(vector.frame, iso=vector.iso) == (vector.nominal, vector.data)
    received = receive(stream, iso=vector.iso)
    assert (received.nominal, received.data) == (vector.nominal, vector.data)


@vectors
def test_the_published_crc_and_stuff_bits_stand_in_the_stream(vector: Vector) -> None:
    received = receive(bits(vector.frame, iso=vector.iso), iso=vector.iso)
    assert f"{received.crc:0{len(vector.crc)}X}" == vector.crc
    assert received.stuff == vector.stuff


@vectors
def test_the_published_durations_hold_at_three_pairs_of_rates(vector: Vector) -> None:
    for nominal_bps, data_bps, published_ns in [
        (500_000, 2_000_000, vector.duration_500k_2m_ns),
        (1_000_000, 5_000_000, vector.duration_1m_5m_ns),
        (1_000_000, 8_000_000, vector.duration_1m_8m_ns),
    ]:
        timing = BitTiming(nominal_bps=nominal_bps, data_bps=data_bps, iso=vector.iso)
        assert duration_ns(vector.frame, timing) == published_ns


@pytest.mark.parametrize("name", STREAMS)
def test_the_published_bit_strings_are_sent(name: str) -> None:
    found = next(vector for vector in VECTORS if vector.name == name)
    assert bits(found.frame, iso=found.iso) == STREAMS[name]


@pytest.mark.parametrize(
    ("frame", "crc", "total"),
    [
        (Frame(0), 0x0000, 50),
        (Frame(0, b"\x00"), 0x4426, None),
        (Frame(0x133, bytes.fromhex("ff000000000000ff")), 0x185F, 120),
    ],
)
def test_streams_published_with_another_encoder_have_these_checksums(
    frame: Frame, crc: int, total: int | None
) -> None:
    stream = bits(frame)
    assert receive(stream, iso=True).crc == crc
    assert total is None or len(stream) == total


def test_a_run_of_five_completed_by_the_last_crc_bit_of_a_classic_frame_is_stuffed() -> None:
    stream = bits(Frame(0x133, bytes.fromhex("ff000000000000ff")))
    before_delimiter = stream[:-10]
    assert before_delimiter[-6:] in ("000001", "111110")


@pytest.mark.parametrize(("data", "level"), [("1f", "1"), ("60", "0")])
def test_a_run_of_five_completed_by_the_last_data_bit_of_an_fd_frame_is_not_counted(
    data: str, level: str
) -> None:
    stream = bits(Frame(0x321, bytes.fromhex(data), is_fd=True, bitrate_switch=True))
    body, tail = stream[:30], stream[30:]
    assert body.endswith(level * 5)
    assert tail[0] != level  # the first fixed stuff bit
    assert tail[1:5] == "0000"  # no dynamic stuff bit in the whole frame


@pytest.mark.parametrize(
    ("crc", "check"), [(CRC15, 0x059E), (CRC17, 0x4F03), (CRC21, 0x0ED841)], ids=["15", "17", "21"]
)
def test_crc_check_values_of_123456789(crc: CrcParameters, check: int) -> None:
    content = "".join(f"{octet:08b}" for octet in b"123456789")
    assert crc_bits(content, crc, initial=0) == f"{check:0{crc.width}b}"


@pytest.mark.parametrize("iso", [True, False], ids=["ISO", "non-ISO"])
@given(frame=frames())
def test_a_receiver_reads_back_the_frame_that_was_sent(iso: bool, frame: Frame) -> None:
    received = receive(bits(frame, iso=iso), iso=iso)
    assert Frame(received.fields.pop("arbitration_id"), **received.fields) == frame
    assert received.fields["dlc"] == frame.dlc


@given(frame=frames())
def test_the_fast_count_agrees_with_the_bits_of_every_frame(frame: Frame) -> None:
    for iso in (True, False):
        stream = bits(frame, iso=iso)
        received = receive(stream, iso=iso)
        assert bit_counts(frame, iso=iso) == (received.nominal, received.data)
        assert sum(bit_counts(frame, iso=iso)) == len(stream)


@given(frame=frames())
def test_a_classic_frame_is_the_same_before_and_after_iso_2015(frame: Frame) -> None:
    same = bits(frame, iso=True) == bits(frame, iso=False)
    assert same == (not frame.is_fd)


def test_every_length_of_fd_data_has_its_crc_and_stuff_count() -> None:
    fixed_stuff_bits_and_tail = {True: {17: 27, 21: 32}, False: {17: 22, 21: 27}}
    for dlc, length in enumerate(DLC_TO_LENGTH):
        for iso in (True, False):
            frame = Frame(0x2AA, b"\x55" * length, is_fd=True)
            received = receive(bits(frame, iso=iso), iso=iso)
            assert frame.dlc == dlc
            tail = fixed_stuff_bits_and_tail[iso][17 if length <= 16 else 21]
            total = 22 + 8 * length + received.stuff + tail + 10
            assert received.nominal == total


def test_the_receiver_of_this_file_notices_every_flipped_bit_before_the_acknowledge() -> None:
    for frame, iso in [
        (Frame(0x123, b"\x01\x02"), True),
        (Frame(0x123, b"\x55" * 3, is_fd=True), True),
        (Frame(0x123, b"\x55" * 20, is_fd=True, bitrate_switch=True), False),
    ]:
        stream = bits(frame, iso=iso)
        for index in range(len(stream) - 9):
            flipped = stream[:index] + str(1 - int(stream[index])) + stream[index + 1 :]
            with pytest.raises(AssertionError):
                receive(flipped, iso=iso)
