"""Protocol control information: bytes by hand from the standard, borders of every length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.transport.pci import (
    FILLED_LENGTHS,
    FirstFrame,
    FlowControl,
    FlowStatus,
    first_frame,
    flow_control,
    read_first_frame,
    read_flow_control,
    read_single_frame,
    separation_time_of,
    single_frame,
    single_frame_max,
    st_min_of,
)
from simcore.units import ms, us


@pytest.mark.parametrize(
    ("size", "address_size", "head"),
    [(1, 0, "01"), (7, 0, "07"), (8, 0, "0008"), (62, 0, "003e"), (6, 1, "06"), (7, 1, "0007")],
)
def test_a_single_frame_takes_the_long_form_where_eight_bytes_are_too_few(
    size: int, address_size: int, head: str
) -> None:
    payload = bytes(range(size))
    data = single_frame(payload, address_size)
    assert data == bytes.fromhex(head) + payload
    address = b"\xaa" * address_size
    length = FILLED_LENGTHS[len(address + data)]
    assert read_single_frame((address + data).ljust(length, b"\xcc"), address_size) == payload


@pytest.mark.parametrize(
    ("data", "address_size", "reason"),
    [
        ("00" + "11" * 7, 0, "length 0"),
        ("08" + "11" * 7, 0, "8 bytes in a frame of 8"),
        ("0f" + "11" * 7, 0, "15 bytes in a frame of 8"),
        ("0211", 0, "more than the frame holds"),
        ("aa07" + "11" * 6, 1, "7 bytes in a frame of 8 with an address"),
        ("0008" + "11" * 6, 0, "the long form in a frame of 8"),
        ("07" + "11" * 11, 0, "the short form in a longer frame"),
        ("0007" + "11" * 10, 0, "the long form of what fits into 8"),
        ("000b" + "11" * 10, 0, "11 bytes in a frame of 12"),
        ("aa0006" + "11" * 9, 1, "the long form of what fits into 8 with an address"),
        ("aa000a" + "11" * 9, 1, "10 bytes in a frame of 12 with an address"),
        ("00", 0, "nothing behind"),
    ],
)
def test_a_single_frame_of_invalid_length_is_ignored(
    data: str, address_size: int, reason: str
) -> None:
    assert read_single_frame(bytes.fromhex(data), address_size) is None, reason


def test_a_single_frame_that_is_filled_further_than_needed_is_taken() -> None:
    assert read_single_frame(b"\x00\x08" + bytes(62), 0) == bytes(8)
    assert read_single_frame(b"\x01\x3e" + bytes(6), 0) == b"\x3e"


@pytest.mark.parametrize(
    ("size", "data"),
    [
        (8, "1008"),
        (4095, "1fff"),
        (4096, "100000001000"),
        (2 * 1024 * 1024, "100000200000"),
        (0xFFFFFFFF, "1000ffffffff"),
    ],
)
def test_a_first_frame_escapes_beyond_4095_bytes(size: int, data: str) -> None:
    assert first_frame(size).hex() == data
    frame = first_frame(size).ljust(64, b"\x5a")
    if size > 62:
        assert read_first_frame(frame, 0) == FirstFrame(size, frame[len(data) // 2 :], 64)
    framed = b"\xaa" + first_frame(size).ljust(7, b"\x5a")
    assert read_first_frame(framed, 1) == FirstFrame(size, framed[1 + len(data) // 2 :], 8)


@pytest.mark.parametrize(
    ("rx_dl", "address_size", "least"),
    [(8, 0, 8), (8, 1, 7), (12, 0, 11), (12, 1, 10), (64, 0, 63), (64, 1, 62)],
)
def test_a_first_frame_of_what_fits_into_a_single_one_is_ignored(
    rx_dl: int, address_size: int, least: int
) -> None:
    assert single_frame_max(rx_dl, address_size) == least - 1
    for size, is_taken in ((least, True), (least - 1, False), (1, False)):
        data = bytes(address_size) + first_frame(size)
        assert (read_first_frame(data.ljust(rx_dl), address_size) is not None) is is_taken


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("100a" + "11" * 5, "a frame of 7 bytes"),
        ("100000000fff1111", "the long form of 4095 bytes"),
        ("1000000000000000", "length 0"),
    ],
)
def test_a_first_frame_of_invalid_length_is_ignored(data: str, reason: str) -> None:
    assert read_first_frame(bytes.fromhex(data), 0) is None, reason


def test_a_flow_control_says_how_to_go_on() -> None:
    assert flow_control(FlowStatus.CLEAR_TO_SEND, 8, ms(20)).hex() == "300814"
    assert flow_control(FlowStatus.WAIT, 0, 0).hex() == "310000"
    assert flow_control(FlowStatus.OVERFLOW, 0, us(100)).hex() == "3200f1"
    assert read_flow_control(b"\x30\x08\x14\xcc", 0) == FlowControl(0, 8, ms(20))
    assert read_flow_control(b"\xaa\x3f\xff\xf9", 1) == FlowControl(15, 255, us(900))
    assert read_flow_control(b"\x30\x08", 0) is None
    assert read_flow_control(b"\xaa\x30\x08", 1) is None


def test_every_separation_time_has_its_byte_and_reserved_ones_are_the_longest() -> None:
    for byte in range(256):
        if byte <= 0x7F:
            expected_ns = byte * 1_000_000
        elif 0xF1 <= byte <= 0xF9:
            expected_ns = (byte & 0x0F) * 100_000
        else:
            assert separation_time_of(byte) == 127_000_000
            continue
        assert separation_time_of(byte) == expected_ns
        assert st_min_of(expected_ns) == byte


@pytest.mark.parametrize("separation_time_ns", [-1, 1, us(50), us(150), us(1100), ms(128), ms(-1)])
def test_a_separation_time_without_a_byte_is_refused(separation_time_ns: int) -> None:
    with pytest.raises(
        UsageError, match=f"separation_time_ns: expected 100..900 us .* got {separation_time_ns} ns"
    ):
        st_min_of(separation_time_ns)


@given(data=st.binary(min_size=2, max_size=64), address_size=st.integers(0, 1))
def test_no_bytes_are_read_as_more_than_there_is(data: bytes, address_size: int) -> None:
    payload = read_single_frame(data, address_size)
    assert payload is None or (payload in data and len(payload) < len(data) - address_size)
    first = read_first_frame(data, address_size)
    assert first is None or (data.endswith(first.data) and len(first.data) < first.size)
    flow = read_flow_control(data, address_size)
    assert flow is None or 0 <= flow.separation_time_ns <= ms(127)
