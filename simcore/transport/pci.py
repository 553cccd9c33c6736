"""Protocol control information of the four N_PDU types. ISO 15765-2:2016, clause 9.6.

What a frame's bytes say and how they are made; what follows from them is the business of
`sender.py` and `receiver.py`. `address_size` is the one byte that extended and mixed addressing put
in front, or 0.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple

from simcore.bus.frame import DLC_TO_LENGTH
from simcore.errors import UsageError
from simcore.units import NS_PER_MS, NS_PER_US

SINGLE_FRAME = 0x0
FIRST_FRAME = 0x1
CONSECUTIVE_FRAME = 0x2
FLOW_CONTROL = 0x3
"""Types, in the upper four bits of the first byte of control information."""

FIRST_FRAME_SHORT_MAX = 0xFFF
MESSAGE_SIZE_MAX = 0xFFFF_FFFF
TX_DLS = (8, *(length for length in DLC_TO_LENGTH if length > 8))
"""Valid lengths of the frames of a message that does not fit into one."""


@unique
class FlowStatus(IntEnum):
    """FlowStatus of a flow control."""

    CLEAR_TO_SEND = 0
    WAIT = 1
    OVERFLOW = 2


class FlowControl(NamedTuple):
    """A flow control as received; `status` may be a reserved number."""

    status: int
    block_size: int
    separation_time_ns: int


class FirstFrame(NamedTuple):
    """A first frame as received."""

    size: int
    """Of the whole message."""
    data: bytes
    rx_dl: int


FILLED_LENGTHS = tuple(
    next(length for length in DLC_TO_LENGTH if length >= size) for size in range(65)
)
"""The shortest FD frame that holds so many bytes."""


def single_frame_max(tx_dl: int, address_size: int) -> int:
    """Most bytes a single frame carries."""
    return tx_dl - address_size - (1 if tx_dl == 8 else 2)


def single_frame(payload: bytes, address_size: int) -> bytes:
    """Control information and payload; the long form where eight bytes cannot hold both."""
    size = len(payload)
    if size + address_size <= 7:
        return bytes((size,)) + payload
    return bytes((0, size)) + payload


def first_frame(size: int) -> bytes:
    """Control information of a first frame."""
    if size <= FIRST_FRAME_SHORT_MAX:
        return bytes((FIRST_FRAME << 4 | size >> 8, size & 0xFF))
    return bytes((FIRST_FRAME << 4, 0)) + size.to_bytes(4, "big")


def flow_control(status: FlowStatus, block_size: int, separation_time_ns: int) -> bytes:
    """A whole flow control."""
    return bytes((FLOW_CONTROL << 4 | status, block_size, st_min_of(separation_time_ns)))


def read_single_frame(data: bytes, address_size: int) -> bytes | None:
    """Payload of a single frame; `None` where its length is invalid and it is to be ignored.

    More padding than needed is accepted: some vehicles fill every frame to the full length.
    """
    size = data[address_size] & 0x0F
    if len(data) <= 8:
        start = address_size + 1
        return data[start : start + size] if 0 < size <= len(data) - start else None
    start = address_size + 2
    if size:
        return None
    size = data[address_size + 1]
    return data[start : start + size] if 8 - address_size <= size <= len(data) - start else None


def read_first_frame(data: bytes, address_size: int) -> FirstFrame | None:
    """A first frame; `None` where a length is invalid and it is to be ignored."""
    rx_dl = len(data)
    if rx_dl < 8:
        return None
    size = (data[address_size] & 0x0F) << 8 | data[address_size + 1]
    start = address_size + 2
    if size:
        if size <= single_frame_max(rx_dl, address_size):
            return None
    else:
        start += 4
        size = int.from_bytes(data[start - 4 : start], "big")
        if size <= FIRST_FRAME_SHORT_MAX:
            return None
    return FirstFrame(size, data[start:], rx_dl)


def read_flow_control(data: bytes, address_size: int) -> FlowControl | None:
    """A flow control; `None` where it is too short and to be ignored."""
    if len(data) < address_size + 3:
        return None
    first, block_size, st_min = data[address_size : address_size + 3]
    return FlowControl(first & 0x0F, block_size, separation_time_of(st_min))


# ---- STmin ----

_SHORTEST_CODE = 0xF1
_LONGEST_MS = 0x7F


def separation_time_of(st_min: int) -> int:
    """The separation time that a byte STmin stands for, in ns; reserved values are 127 ms."""
    if st_min <= _LONGEST_MS:
        return st_min * NS_PER_MS
    if 0xF1 <= st_min <= 0xF9:
        return (st_min - _SHORTEST_CODE + 1) * 100 * NS_PER_US
    return _LONGEST_MS * NS_PER_MS


def st_min_of(separation_time_ns: int) -> int:
    """The byte STmin of a separation time. Raises `UsageError` for a time that has none."""
    whole_ms, rest_ns = divmod(separation_time_ns, NS_PER_MS)
    if not rest_ns and 0 <= whole_ms <= _LONGEST_MS:
        return whole_ms
    steps, rest_ns = divmod(separation_time_ns, 100 * NS_PER_US)
    if not rest_ns and 1 <= steps <= 9:
        return _SHORTEST_CODE + steps - 1
    raise UsageError(
        "separation_time_ns",
        expected="100..900 us in steps of 100 us, or 0..127 ms in steps of 1 ms",
        got=f"{separation_time_ns} ns",
    )
