"""Frames: what may be on a wire, raw data length codes, immutability, copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, LENGTH_TO_DLC, Frame
from simcore.errors import UsageError


def test_the_length_of_an_fd_frame_follows_from_its_code() -> None:
    assert DLC_TO_LENGTH == (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
    for dlc, length in enumerate(DLC_TO_LENGTH):
        assert LENGTH_TO_DLC[length] == dlc
        frame = Frame(1, bytes(length), is_fd=True)
        assert (frame.dlc, len(frame)) == (dlc, length)
        assert Frame(1, bytes(length), is_fd=True, dlc=dlc) == frame
        assert Frame(1, bytes(length), is_fd=True, dlc=length) == frame  # python-can's dlc


@pytest.mark.parametrize("dlc", range(9, 16))
def test_a_classic_frame_of_eight_bytes_may_carry_any_code_from_8_on(dlc: int) -> None:
    frame = Frame(1, bytes(8), dlc=dlc)
    assert (frame.dlc, len(frame)) == (dlc, 8)
    assert frame != Frame(1, bytes(8))
    assert frame.header.bits.endswith(f"{dlc:04b}")


@pytest.mark.parametrize("dlc", range(16))
def test_a_remote_frame_carries_no_data_whatever_its_code(dlc: int) -> None:
    frame = Frame(1, is_remote_frame=True, dlc=dlc)
    assert (frame.dlc, len(frame), frame.data) == (dlc, 0, b"")


def test_data_may_come_as_any_kind_of_bytes() -> None:
    expected = Frame(0x123, b"\x01\x02")
    for data in (bytearray(b"\x01\x02"), memoryview(b"\x01\x02"), [1, 2]):
        frame = Frame(0x123, data)
        assert frame == expected
        assert type(frame.data) is bytes


def test_flags_are_the_ones_given() -> None:
    frame = Frame(
        0x18FF1234,
        bytes(12),
        is_extended_id=True,
        is_fd=True,
        bitrate_switch=True,
        error_state_indicator=True,
    )
    assert frame.is_extended_id
    assert frame.is_fd
    assert frame.bitrate_switch
    assert frame.error_state_indicator
    assert not frame.is_remote_frame
    plain = Frame(0x7FF, is_remote_frame=True)
    assert plain.is_remote_frame
    assert not (plain.is_extended_id or plain.is_fd)
    assert not (plain.bitrate_switch or plain.error_state_indicator)


ATTACKS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((0x800,), {}, r"^frame: base arbitration_id: expected 0\.\.0x7FF, got 0x800$"),
    ((-1,), {}, r"^frame: base arbitration_id: expected 0\.\.0x7FF, got -0x1$"),
    (
        (0x20000000,),
        {"is_extended_id": True},
        r"^frame: extended arbitration_id: expected 0\.\.0x1FFFFFFF, got 0x20000000$",
    ),
    (("7",), {}, r"^frame: arbitration_id: expected an integer, got '7'$"),
    ((True,), {}, r"^frame: arbitration_id: expected an integer, got True$"),
    ((1, bytes(9)), {}, r"^frame 0x1: data: expected 0\.\.8 bytes, got 9$"),
    (
        (0x1A, bytes(9)),
        {"is_fd": True},
        r"^frame 0x1A: data: expected 0\.\.8, 12, 16, 20, 24, 32, 48 or 64 bytes, got 9$",
    ),
    ((1, bytes(65)), {"is_fd": True}, r"^frame 0x1: data: expected .* or 64 bytes, got 65$"),
    ((1, 8), {}, r"^frame 0x1: data: expected bytes, got 8$"),
    ((1, "ab"), {}, r"^frame 0x1: data: expected bytes, got 'ab' \("),
    ((1, [256]), {}, r"^frame 0x1: data: expected bytes, got \[256\] \("),
    ((1, None), {}, r"^frame 0x1: data: expected bytes, got None \("),
    (
        (1,),
        {"is_fd": True, "is_remote_frame": True},
        r"^frame 0x1: expected no remote frames in CAN FD$",
    ),
    (
        (1,),
        {"bitrate_switch": True},
        r"^frame 0x1: expected bitrate_switch and error_state_indicator in FD only$",
    ),
    (
        (1,),
        {"error_state_indicator": True},
        r"^frame 0x1: expected bitrate_switch and error_state_indicator in FD only$",
    ),
    (
        (1, b"a"),
        {"is_remote_frame": True},
        r"^frame 0x1: expected no data in a remote frame, got 1 bytes$",
    ),
    ((1,), {"is_remote_frame": True, "dlc": 16}, r"^frame 0x1: dlc: expected 0\.\.15, got 16$"),
    ((1,), {"is_remote_frame": True, "dlc": -1}, r"^frame 0x1: dlc: expected 0\.\.15, got -1$"),
    ((1, bytes(7)), {"dlc": 8}, r"^frame 0x1: dlc: expected 7 for 7 bytes, got 8$"),
    ((1, bytes(8)), {"dlc": 16}, r"^frame 0x1: dlc: expected 8 for 8 bytes, got 16$"),
    (
        (1, bytes(12)),
        {"dlc": 10, "is_fd": True},
        r"^frame 0x1: dlc: expected 9 for 12 bytes, got 10$",
    ),
    ((1, bytes(8)), {"dlc": -1}, r"^frame 0x1: dlc: expected 8 for 8 bytes, got -1$"),
    ((1, bytes(8)), {"dlc": "8"}, r"^frame 0x1: dlc: expected an integer, got '8'$"),
    ((1, bytes(8)), {"dlc": 8.0}, r"^frame 0x1: dlc: expected an integer, got 8\.0$"),
    ((1, b"a"), {"dlc": True}, r"^frame 0x1: dlc: expected an integer, got True$"),
]


@pytest.mark.parametrize(("positional", "options", "text"), ATTACKS)
def test_what_cannot_be_on_a_wire_is_refused(
    positional: tuple[Any, ...], options: dict[str, Any], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        Frame(*positional, **options)


def test_a_frame_cannot_be_changed() -> None:
    frame = Frame(1, b"a")
    with pytest.raises(AttributeError, match=r"^Frame is immutable: cannot set 'data'$"):
        frame.data = b"b"  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"^Frame is immutable: cannot delete 'data'$"):
        del frame.data
    assert frame == Frame(1, b"a")


def test_with_data_keeps_everything_but_the_payload() -> None:
    frame = Frame(0x321, bytes(12), is_fd=True, bitrate_switch=True)
    other = frame.with_data(bytes(range(12)))
    assert other == Frame(0x321, bytes(range(12)), is_fd=True, bitrate_switch=True)
    assert other.header is frame.header
    assert frame.data == bytes(12)


def test_with_data_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^frame 0x321: with_data: expected 12 bytes, got 8$"):
        Frame(0x321, bytes(12), is_fd=True).with_data(bytes(8))


DIFFERENT = [
    Frame(1, b"a"),
    Frame(1, b"b"),
    Frame(2, b"a"),
    Frame(1, b"a", is_extended_id=True),
    Frame(1 << 18, b"a", is_extended_id=True),
    Frame(1, b"a", is_fd=True),
    Frame(1, b"a", is_fd=True, bitrate_switch=True),
    Frame(1, b"a", is_fd=True, error_state_indicator=True),
    Frame(1, bytes(8)),
    Frame(1, bytes(8), dlc=9),
    Frame(1),
    Frame(1, is_remote_frame=True),
    Frame(1, is_remote_frame=True, dlc=1),
]


def test_frames_are_equal_exactly_where_everything_on_the_wire_is() -> None:
    assert len(set(DIFFERENT)) == len(DIFFERENT)
    for frame in DIFFERENT:
        assert [other for other in DIFFERENT if other == frame] == [frame]
    assert Frame(1, b"a") != b"a"


@pytest.mark.parametrize("frame", DIFFERENT, ids=repr)
def test_copies_and_pickles_are_the_same_frame(frame: Frame) -> None:
    assert copy.copy(frame) is frame
    assert copy.deepcopy(frame) is frame
    twin = pickle.loads(pickle.dumps(frame))
    assert twin == frame
    assert hash(twin) == hash(frame)
    assert twin.header is frame.header  # shared again after travelling


def test_the_representation_names_what_differs_from_a_plain_frame() -> None:
    assert repr(Frame(0x12, b"\x0a")) == "Frame(0x012, '0a', dlc=1)"
    assert (
        repr(Frame(0x12, b"\x0a", is_extended_id=True, is_fd=True, bitrate_switch=True))
        == "Frame(0x00000012, '0a', is_extended_id=True, is_fd=True, bitrate_switch=True, dlc=1)"
    )


@given(st.integers(0, 0x1FFFFFFF), st.booleans())
def test_an_extended_id_is_sent_most_significant_bit_first(identifier: int, is_fd: bool) -> None:
    header = Frame(identifier, is_extended_id=True, is_fd=is_fd).header
    text = f"{identifier:029b}"
    control = "100000000" if is_fd else "000000"
    assert header.bits == f"0{text[:11]}11{text[11:]}0{control}"[: len(header.bits)]
    assert len(header.bits) == (41 if is_fd else 39)
