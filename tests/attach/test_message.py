"""python-can's messages against the bus's frames."""

from __future__ import annotations

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.attach.message import (
    BusOpenError,
    BusOperationError,
    Received,
    error_frame_of,
    frame_of,
    message_of,
)
from simcore.bus import DLC_TO_LENGTH, ErrorKind, ErrorState, Frame, StateChange, WireError
from simcore.errors import UsageError
from simcore.units import s


@st.composite
def messages(draw: st.DrawFn) -> can.Message:
    """Every message that python-can calls valid and a wire can carry."""
    is_extended_id = draw(st.booleans())
    kind = draw(st.sampled_from(["classic", "fd", "remote"]))
    length = draw(st.sampled_from(DLC_TO_LENGTH if kind == "fd" else range(9)))
    return can.Message(
        arbitration_id=draw(st.integers(0, 0x1FFFFFFF if is_extended_id else 0x7FF)),
        is_extended_id=is_extended_id,
        is_remote_frame=kind == "remote",
        is_fd=kind == "fd",
        bitrate_switch=kind == "fd" and draw(st.booleans()),
        error_state_indicator=kind == "fd" and draw(st.booleans()),
        dlc=length,
        data=None if kind == "remote" else draw(st.binary(min_size=length, max_size=length)),
        check=True,
    )


@given(messages())
def test_a_message_comes_back_as_it_was(message: can.Message) -> None:
    received = Received(s(3) + 250, frame_of(message), own=False)
    back = message_of(received, "A")
    assert back.equals(message, timestamp_delta=None, check_channel=False)
    assert back.timestamp == 3.00000025
    assert back.channel == "A"


def test_the_same_frame_makes_messages_that_share_no_data() -> None:
    received = Received(0, Frame(1, b"\x01\x02"), own=True)
    first, second = message_of(received, None), message_of(received, None)
    first.data[0] = 9
    assert second.data == b"\x01\x02"
    assert not first.is_rx


def test_timestamps_count_from_the_epoch_that_is_given() -> None:
    received = Received(s(2), Frame(1), own=False)
    assert message_of(received, None, epoch_ns=s(1_700_000_000)).timestamp == 1_700_000_002.0


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (can.Message(is_error_frame=True), "expected a data or remote frame, got an error frame"),
        (
            can.Message(arbitration_id=0x12, data=b"123", dlc=5),
            "message 0x12: data: expected dlc = 5 bytes, got 3",
        ),
        (
            can.Message(arbitration_id=0x12, data=bytes(9), is_fd=True),
            "frame 0x12: data: expected 0..8, 12, 16, 20, 24, 32, 48 or 64 bytes, got 9",
        ),
        (
            can.Message(arbitration_id=0x800, is_extended_id=False),
            r"base arbitration_id: expected 0\.\.0x7FF, got 0x800",
        ),
    ],
)
def test_what_no_wire_carries_is_refused(message: can.Message, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        frame_of(message)


def test_an_error_reaches_both_kinds_of_program() -> None:
    for kind, theirs in (
        (BusOperationError, can.CanOperationError),
        (BusOpenError, can.CanInitializationError),
    ):
        error = kind("send", expected="this", got="that")
        assert str(error) == "send: expected this, got that"
        assert isinstance(error, UsageError)
        assert isinstance(error, ValueError)
        assert isinstance(error, theirs)
        assert error.error_code is None


def test_an_acknowledgement_error_looks_as_socketcan_encodes_it() -> None:
    error = WireError(s(1), "A", "N", ErrorKind.ACK, True, "ack_slot", 40, 1, False, 8, 0)
    message = message_of(Received(s(1), error, own=False), "can0")
    assert message.is_error_frame
    # CAN_ERR_PROT | CAN_ERR_ACK | CAN_ERR_BUSERROR | CAN_ERR_CNT of linux/can/error.h
    assert message.arbitration_id == 0x008 | 0x020 | 0x080 | 0x200
    # [2] CAN_ERR_PROT_TX, [3] CAN_ERR_PROT_LOC_ACK, [6] the transmit error counter
    assert bytes(message.data) == bytes((0, 0, 0x80, 0x19, 0, 0, 8, 0))


def test_bus_off_looks_as_socketcan_encodes_it() -> None:
    change = StateChange(0, "A", "N", ErrorState.PASSIVE, ErrorState.BUS_OFF, 256, 0)
    identifier, data = error_frame_of(change)
    assert identifier & 0x040  # CAN_ERR_BUSOFF
    assert identifier < 1 << 29
    assert len(data) == 8
