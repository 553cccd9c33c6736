"""Error frames as Linux has them. Bit values from linux/can/error.h, written out here."""

from __future__ import annotations

import pytest

from simcore.bus import ErrorKind, ErrorState, Frame, StateChange, WireError
from simcore.bus.bits import bits
from simcore.bus.error_record import FIELDS
from simcore.bus.socketcan import (
    encode_state_change,
    encode_wire_error,
    error_code_capture,
    location_of,
)

FLAG = 0x2000_0000
PROT_BUSERROR_CNT = FLAG | 0x08 | 0x80 | 0x200


def wire_error(
    kind: ErrorKind = ErrorKind.BIT,
    field: str = "data",
    *,
    bit: int = 23,
    level: int = 0,
    transmitter: bool = True,
    passive: bool = False,
    counts: tuple[int, int] = (8, 0),
) -> WireError:
    return WireError(1_000, "A", "CDC", kind, transmitter, field, bit, level, passive, *counts)


def change(before: ErrorState, after: ErrorState, counts: tuple[int, int]) -> StateChange:
    return StateChange(1_000, "A", "CDC", before, after, *counts)


@pytest.mark.parametrize(
    ("error", "can_id", "data"),
    [
        (wire_error(level=0), PROT_BUSERROR_CNT, "0000900a00000800"),
        (wire_error(level=1), PROT_BUSERROR_CNT, "0000880a00000800"),
        (
            wire_error(ErrorKind.STUFF, transmitter=False, counts=(0, 1)),
            PROT_BUSERROR_CNT,
            "0000040a00000001",
        ),
        (
            wire_error(ErrorKind.FORM, "ack_delimiter", transmitter=False, counts=(7, 9)),
            PROT_BUSERROR_CNT,
            "0000021b00000709",
        ),
        (
            wire_error(ErrorKind.CRC, "eof", transmitter=False, counts=(0, 1)),
            PROT_BUSERROR_CNT,
            "0000000800000001",
        ),
        (
            wire_error(ErrorKind.ACK, "ack_slot", level=1, counts=(128, 0)),
            PROT_BUSERROR_CNT | 0x20,
            "0000801900008000",
        ),
        (
            wire_error(ErrorKind.OVERLOAD, "intermission", transmitter=False, counts=(0, 0)),
            PROT_BUSERROR_CNT,
            "0000201200000000",
        ),
    ],
)
def test_a_detected_error_is_the_error_frame_a_driver_reports(
    error: WireError, can_id: int, data: str
) -> None:
    assert encode_wire_error(error) == (can_id, bytes.fromhex(data))


def test_counters_that_do_not_fit_are_left_out_and_said_to_be() -> None:
    can_id, data = encode_wire_error(wire_error(counts=(256, 3)))
    assert can_id == FLAG | 0x08 | 0x80
    assert data[6:] == b"\0\0"


ACTIVE, WARNING = ErrorState.ACTIVE, ErrorState.WARNING
PASSIVE, BUS_OFF = ErrorState.PASSIVE, ErrorState.BUS_OFF


@pytest.mark.parametrize(
    ("state", "can_id", "data"),
    [
        (change(ACTIVE, WARNING, (96, 0)), 0x204, "0008000000006000"),
        (change(ACTIVE, WARNING, (3, 96)), 0x204, "0004000000000360"),
        (change(WARNING, PASSIVE, (128, 0)), 0x204, "0020000000008000"),
        (change(WARNING, PASSIVE, (128, 128)), 0x204, "0030000000008080"),
        (change(PASSIVE, WARNING, (127, 0)), 0x204, "0008000000007f00"),
        (change(WARNING, ACTIVE, (95, 0)), 0x204, "0040000000005f00"),
        (change(WARNING, ACTIVE, (0, 95)), 0x204, "004000000000005f"),
        (change(PASSIVE, BUS_OFF, (256, 0)), 0x040, "0000000000000000"),
        (change(BUS_OFF, ACTIVE, (0, 0)), 0x304, "0040000000000000"),
    ],
)
def test_each_change_of_state_is_reported_upwards_and_downwards(
    state: StateChange, can_id: int, data: str
) -> None:
    assert encode_state_change(state) == (FLAG | can_id, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("sof", 0x03),
        ("srr", 0x04),
        ("ide", 0x05),
        ("control", 0x09),
        ("dlc", 0x0B),
        ("data", 0x0A),
        ("stuff_count", 0x08),
        ("crc", 0x08),
        ("crc_delimiter", 0x18),
        ("ack_slot", 0x19),
        ("ack_delimiter", 0x1B),
        ("eof", 0x1A),
        ("intermission", 0x12),
        ("error_flag", 0x11),
        ("error_delimiter", 0x17),
        ("overload_flag", 0x1C),
        ("idle", 0x00),
    ],
)
def test_a_field_has_the_segment_code_of_error_h(field: str, code: int) -> None:
    assert location_of(wire_error(field=field)) == code


def test_a_passive_flag_has_a_code_of_its_own() -> None:
    assert location_of(wire_error(field="error_flag", passive=True)) == 0x16


def test_every_field_there_is_has_a_code() -> None:
    for field in FIELDS:
        assert 0 <= location_of(wire_error(field=field)) <= 0x1F


@pytest.mark.parametrize("arbitration_id", [0x000, 0x123, 0x400, 0x7FF, 0x555])
def test_places_in_a_base_identifier_are_exact_whatever_is_stuffed(arbitration_id: int) -> None:
    """Every wire bit of the identifier, its place found by counting in the stuffed sequence."""
    frame = Frame(arbitration_id, b"\x55")
    codes = []
    run, last, real = 0, "", -1
    for index, level in enumerate(bits(frame)):
        if run == 5:
            run, last = 1, level  # a stuff bit belongs to the bit before it
        else:
            run = run + 1 if level == last else 1
            last = level
            real += 1
        if real > 11:
            break
        if real > 0:
            found = location_of(wire_error(field="identifier", bit=index), frame)
            codes.append(found == (0x02 if real <= 8 else 0x06))
    assert len(codes) >= 11
    assert all(codes)


def test_places_in_an_extended_identifier_are_told_apart() -> None:
    frame = Frame(0x0AAAAAAA | 0x1000_0000, b"", is_extended_id=True)
    assert "00000" not in frame.header.bits[:32]
    assert "11111" not in frame.header.bits[:32]
    found = [
        location_of(wire_error(field="identifier_extension", bit=index), frame)
        for index in range(14, 32)
    ]
    assert found == [0x07] * 5 + [0x0F] * 8 + [0x0E] * 5
    assert location_of(wire_error(field="rtr", bit=32), frame) == 0x0C
    assert location_of(wire_error(field="control", bit=33), frame) == 0x0D
    assert location_of(wire_error(field="control", bit=34), frame) == 0x09


def test_the_remote_bit_of_a_base_frame_shares_the_code_of_srr() -> None:
    assert location_of(wire_error(field="rtr", bit=12), Frame(0x123, b"")) == 0x04
    assert location_of(wire_error(field="rtr", bit=14)) == 0x04


@pytest.mark.parametrize(
    ("error", "register"),
    [
        (wire_error(), 0b00_0_01010),
        (wire_error(ErrorKind.FORM, "eof", transmitter=False), 0b01_1_11010),
        (wire_error(ErrorKind.STUFF, transmitter=False), 0b10_1_01010),
        (wire_error(ErrorKind.ACK, "ack_slot", level=1), 0b11_0_11001),
        (wire_error(ErrorKind.CRC, "eof", transmitter=False), 0b11_1_01000),
    ],
)
def test_the_error_code_capture_register_is_the_sja1000_one(
    error: WireError, register: int
) -> None:
    assert error_code_capture(error) == register
