"""python-can's messages and the bus's frames, one made from the other.

python-can counts `dlc` in bytes, also above 8; the wire has a 4-bit code. Errors become the frames
that SocketCAN's drivers make of them.
"""

from __future__ import annotations

from typing import NamedTuple

import can

from simcore.bus import Frame, StateChange, WireError
from simcore.bus.socketcan import CAN_ERR_FLAG, encode_state_change, encode_wire_error
from simcore.errors import UsageError
from simcore.units import NS_PER_S

CLASSIC_LENGTH_MAX = 8


class BusOperationError(UsageError, can.CanOperationError):
    """What cannot be done on a bus now.

    A `UsageError` to users of simcore, a `CanOperationError` to programs written for python-can.
    """

    error_code = None


class BusOpenError(UsageError, can.CanInitializationError):
    """A bus that cannot be opened; python-can's programs know it as `CanInitializationError`."""

    error_code = None


class Received(NamedTuple):
    """What a bus hands to the outside: a frame, or an error that concerns the node."""

    time_ns: int
    content: Frame | WireError | StateChange
    own: bool
    """Whether the outside program sent it itself."""


def frame_of(message: can.Message) -> Frame:
    """The frame a message asks for. Raises `UsageError` for what cannot be sent."""
    where = f"message 0x{message.arbitration_id:X}"
    if message.is_error_frame:
        raise UsageError(where, expected="a data or remote frame", got="an error frame")
    data = b"" if message.is_remote_frame else bytes(message.data)
    if not message.is_remote_frame and len(data) != message.dlc:
        raise UsageError(f"{where}: data", expected=f"dlc = {message.dlc} bytes", got=len(data))
    return Frame(
        message.arbitration_id,
        data,
        is_extended_id=message.is_extended_id,
        is_fd=message.is_fd,
        bitrate_switch=message.bitrate_switch,
        error_state_indicator=message.error_state_indicator,
        is_remote_frame=message.is_remote_frame,
        dlc=message.dlc if message.is_remote_frame else None,
    )


def message_of(received: Received, channel: str | int | None, *, epoch_ns: int = 0) -> can.Message:
    """The message for what was received; every call makes a new one.

    `epoch_ns` is what virtual time 0 is on the clock that timestamps count on.
    """
    timestamp_s = (epoch_ns + received.time_ns) / NS_PER_S
    content = received.content
    if not isinstance(content, Frame):
        identifier, data = error_frame_of(content)
        return can.Message(
            timestamp=timestamp_s,
            arbitration_id=identifier,
            is_extended_id=False,
            is_error_frame=True,
            channel=channel,
            dlc=len(data),
            data=data,
        )
    header = content.header
    return can.Message(
        timestamp=timestamp_s,
        arbitration_id=content.arbitration_id,
        is_extended_id=header.is_extended_id,
        is_remote_frame=header.is_remote_frame,
        channel=channel,
        dlc=min(header.dlc, CLASSIC_LENGTH_MAX) if header.is_remote_frame else header.length,
        data=content.data,
        is_fd=header.is_fd,
        is_rx=not received.own,
        bitrate_switch=header.bitrate_switch,
        error_state_indicator=header.error_state_indicator,
    )


def error_frame_of(error: WireError | StateChange) -> tuple[int, bytes]:
    """Identifier (class bits, without the flag) and data bytes of SocketCAN's error frame."""
    if isinstance(error, WireError):
        identifier, data = encode_wire_error(error)
    else:
        identifier, data = encode_state_change(error)
    return identifier & ~CAN_ERR_FLAG, data
