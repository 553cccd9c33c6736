"""The generic header: every check in order, any chunking, and messages that others made."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.diag.doip_codec import (
    HeaderNack,
    MessageReader,
    PayloadType,
    Received,
    Refused,
    encode,
    read_datagram,
)

MAX_PAYLOAD = 64
PLENTY = 1 << 20
PRESENT = encode(PayloadType.DIAGNOSTIC_MESSAGE, bytes.fromhex("0E00 1010 3E00"), version=2)
ALIVE = encode(PayloadType.ALIVE_CHECK_RESPONSE, b"\x0e\x00", version=3)


def header(version: int, inverse: int, payload_type: int, length: int) -> bytes:
    return struct.pack(">BBHI", version, inverse, payload_type, length)


def read(data: bytes, *, memory_left: int = PLENTY) -> list[Received | Refused]:
    return MessageReader(MAX_PAYLOAD).feed(data, memory_left)


def codes(found: list[Received | Refused]) -> list[HeaderNack]:
    return [each.code for each in found if isinstance(each, Refused)]


def test_a_message_is_what_the_standard_lays_out() -> None:
    assert bytes.fromhex("02 FD 8001 00000006 0E00 1010 3E00") == PRESENT


def test_messages_come_out_in_order_with_their_versions() -> None:
    assert read(PRESENT + ALIVE) == [
        Received(2, PayloadType.DIAGNOSTIC_MESSAGE, bytes.fromhex("0E0010103E00")),
        Received(3, PayloadType.ALIVE_CHECK_RESPONSE, b"\x0e\x00"),
    ]


@given(st.data())
def test_any_chunking_gives_the_same_messages(data: st.DataObject) -> None:
    too_large = header(2, 0xFD, 0x8001, MAX_PAYLOAD + 1) + bytes(MAX_PAYLOAD + 1)
    unknown = header(3, 0xFC, 0x1234, 3) + b"abc"
    stream = PRESENT + unknown + ALIVE + too_large + PRESENT
    whole = read(stream)
    assert len(whole) == 5
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    reader = MessageReader(MAX_PAYLOAD)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end], PLENTY)
    assert found == whole


@pytest.mark.parametrize(("version", "inverse"), [(2, 0xFC), (1, 0xFE), (4, 0xFB), (0xFF, 0x00)])
def test_a_wrong_pattern_is_refused_and_ends_the_stream(version: int, inverse: int) -> None:
    reader = MessageReader(MAX_PAYLOAD)
    found = reader.feed(header(version, inverse, 0x0007, 0), PLENTY)
    assert codes(found) == [HeaderNack.INCORRECT_PATTERN]
    assert reader.is_over
    assert reader.feed(PRESENT, PLENTY) == []


def test_a_wrong_pattern_needs_two_bytes_to_be_seen() -> None:
    reader = MessageReader(MAX_PAYLOAD)
    assert reader.feed(b"\x02", PLENTY) == []
    assert codes(reader.feed(b"\xfc", PLENTY)) == [HeaderNack.INCORRECT_PATTERN]


@pytest.mark.parametrize("payload_type", [0x0001, 0x0004, 0x0006, 0x4001, 0x8002, 0x8003, 0xF000])
def test_what_no_tester_sends_on_tcp_is_refused_and_skipped(payload_type: int) -> None:
    found = read(header(2, 0xFD, payload_type, 4) + b"1234" + ALIVE)
    assert codes(found) == [HeaderNack.UNKNOWN_PAYLOAD_TYPE]
    assert isinstance(found[1], Received)


def test_the_longest_message_is_taken_and_one_byte_more_is_skipped() -> None:
    longest = encode(PayloadType.DIAGNOSTIC_MESSAGE, bytes(MAX_PAYLOAD), version=2)
    longer = encode(PayloadType.DIAGNOSTIC_MESSAGE, bytes(MAX_PAYLOAD + 1), version=2)
    found = read(longest + longer + ALIVE)
    assert [type(each) for each in found] == [Received, Refused, Received]
    assert codes(found) == [HeaderNack.MESSAGE_TOO_LARGE]


def test_four_gigabytes_are_skipped_without_being_kept() -> None:
    reader = MessageReader(MAX_PAYLOAD)
    assert codes(reader.feed(header(2, 0xFD, 0x8001, 0xFFFFFFFF), PLENTY)) == [
        HeaderNack.MESSAGE_TOO_LARGE
    ]
    for _ in range(10):
        assert reader.feed(PRESENT * 1000, PLENTY) == []
    assert reader.reserved == 0


def test_a_message_that_does_not_fit_the_memory_left_is_skipped() -> None:
    assert codes(read(PRESENT + ALIVE, memory_left=5)) == [HeaderNack.OUT_OF_MEMORY]
    assert codes(read(PRESENT + ALIVE, memory_left=6)) == []


def test_a_message_under_way_reserves_its_payload_until_it_is_whole() -> None:
    reader = MessageReader(MAX_PAYLOAD)
    reader.feed(PRESENT[:9], PLENTY)
    assert reader.reserved == 6
    reader.feed(PRESENT[9:], PLENTY)
    assert reader.reserved == 0


@pytest.mark.parametrize(
    ("payload_type", "length"),
    [
        *((0x0005, length) for length in (6, 8, 10, 12)),
        *((0x0007, 1), (0x0008, 1), (0x0008, 3), (0x8001, 0), (0x8001, 4)),
    ],
)
def test_a_length_that_the_type_cannot_have_ends_the_stream(payload_type: int, length: int) -> None:
    found = read(header(2, 0xFD, payload_type, length) + bytes(length) + ALIVE)
    assert codes(found) == [HeaderNack.INVALID_PAYLOAD_LENGTH]
    assert len(found) == 1


@pytest.mark.parametrize("length", [0, 1, 300])
def test_a_header_nack_is_never_answered(length: int) -> None:
    found = read(header(2, 0xFD, 0x0000, length) + bytes(length) + ALIVE)
    assert [type(each) for each in found] == [Received]


def test_the_pattern_comes_before_the_type_the_type_before_the_size() -> None:
    assert codes(read(header(2, 0xFC, 0x1234, 999))) == [HeaderNack.INCORRECT_PATTERN]
    assert codes(read(header(2, 0xFD, 0x1234, 999))) == [HeaderNack.UNKNOWN_PAYLOAD_TYPE]
    assert codes(read(header(2, 0xFD, 0x0008, 999))) == [HeaderNack.MESSAGE_TOO_LARGE]
    assert codes(read(header(2, 0xFD, 0x0008, 50), memory_left=10)) == [HeaderNack.OUT_OF_MEMORY]


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_break_the_reader(chunks: list[bytes]) -> None:
    reader = MessageReader(MAX_PAYLOAD)
    for chunk in chunks:
        was_over = reader.is_over
        found = reader.feed(chunk, PLENTY)
        assert not (was_over and found)
        assert any(isinstance(each, Refused) and each.closes for each in found) is (
            reader.is_over and not was_over
        )
        assert reader.reserved <= MAX_PAYLOAD


# -- datagrams -------------------------------------------------------------------------------------


def datagram(data: bytes) -> Received | Refused | None:
    return read_datagram(data, max_payload=MAX_PAYLOAD)


@pytest.mark.parametrize("version", [0x02, 0x03, 0xFF])
def test_an_identification_request_may_come_in_any_version(version: int) -> None:
    found = datagram(encode(PayloadType.VEHICLE_IDENTIFICATION_REQUEST, version=version))
    assert found == Received(version, PayloadType.VEHICLE_IDENTIFICATION_REQUEST, b"")


def test_the_default_version_is_for_identification_only() -> None:
    found = datagram(encode(PayloadType.ENTITY_STATUS_REQUEST, version=0xFF))
    assert found == Refused(HeaderNack.INCORRECT_PATTERN, 0xFF)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", HeaderNack.INCORRECT_PATTERN),
        (b"\x02\xfd\x00\x01\x00\x00\x00", HeaderNack.INCORRECT_PATTERN),
        (header(2, 0xFF, 1, 0), HeaderNack.INCORRECT_PATTERN),
        (header(2, 0xFD, 0x0005, 0), HeaderNack.UNKNOWN_PAYLOAD_TYPE),
        (header(2, 0xFD, 0x8001, 0), HeaderNack.UNKNOWN_PAYLOAD_TYPE),
        (header(2, 0xFD, 2, 99) + bytes(99), HeaderNack.MESSAGE_TOO_LARGE),
        (header(2, 0xFD, 2, 5) + bytes(5), HeaderNack.INVALID_PAYLOAD_LENGTH),
        (header(2, 0xFD, 2, 6) + bytes(5), HeaderNack.INVALID_PAYLOAD_LENGTH),
        (header(2, 0xFD, 3, 16) + bytes(16), HeaderNack.INVALID_PAYLOAD_LENGTH),
        (header(2, 0xFD, 0x4001, 1) + b"x", HeaderNack.INVALID_PAYLOAD_LENGTH),
    ],
)
def test_a_bad_datagram_is_refused_by_the_first_check_it_fails(
    data: bytes, code: HeaderNack
) -> None:
    found = datagram(data)
    assert isinstance(found, Refused)
    assert found.code is code


@pytest.mark.parametrize("payload_type", [0x0000, 0x0004])
def test_what_other_entities_say_is_not_answered(payload_type: int) -> None:
    assert datagram(header(2, 0xFD, payload_type, 1) + b"x") is None


@given(st.binary(max_size=80))
def test_no_datagram_breaks_the_reader(data: bytes) -> None:
    assert isinstance(datagram(data), Received | Refused | None)
