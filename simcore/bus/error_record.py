"""What goes wrong on the wire, as data: detected errors, error frames, changes of error state.

Source: ISO 11898-1:2015, clauses 10.9 and 10.11 (error types, error and overload frames) and
12.1.4 (fault confinement); the warning level is not ISO's but every controller's.
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import NamedTuple

from simcore.bus.frame import Frame

WARNING_LIMIT = 96
PASSIVE_LIMIT = 128
BUS_OFF_LIMIT = 256


@unique
class ErrorState(IntEnum):
    """Fault confinement state of a controller, by rising severity."""

    ACTIVE = 0
    WARNING = 1
    """Still error active, a counter has reached 96."""
    PASSIVE = 2
    BUS_OFF = 3


@unique
class ErrorKind(IntEnum):
    """The five error types, and what is no error: a reason for an overload frame."""

    BIT = 0
    """The transmitter read another level than it sent."""
    STUFF = 1
    """Six equal bits where five are the most."""
    CRC = 2
    FORM = 3
    """A bit of fixed form has the wrong level."""
    ACK = 4
    """Nobody acknowledged."""
    OVERLOAD = 5


class WireError(NamedTuple):
    """One node detects an error (or a reason for an overload frame)."""

    time_ns: int
    """End of the bit in which it was detected; the flag starts here (after a CRC error later)."""
    channel: str
    node: str
    kind: ErrorKind
    transmitter: bool
    """Whether the node was sending the frame."""
    field: str
    """Where in the frame: `identifier`, `data`, `ack_slot`, ... (`FIELDS`)."""
    bit: int
    """Index of the bit on the wire, stuff bits counted, SOF = 0; -1 outside a frame."""
    level: int
    """Level read: 0 dominant, 1 recessive."""
    passive: bool
    """Whether the node answers with a passive error flag."""
    transmit_error_count: int
    """Counters after the error."""
    receive_error_count: int


class ErrorFrame(NamedTuple):
    """One error or overload frame as the bus saw it."""

    begin_ns: int
    """Start of the first error flag."""
    end_ns: int
    """End of the delimiter; the intermission follows."""
    channel: str
    overload: bool
    frame: Frame | None
    """The frame that was destroyed, where a node was sending one."""
    sender: str
    """Its sender, of several the first by name; empty where there was none."""
    errors: tuple[WireError, ...]
    """Who detected what, in order."""
    sof_ns: int = -1
    """Start of the frame it followed."""


class StateChange(NamedTuple):
    """A controller's error state changed."""

    time_ns: int
    channel: str
    node: str
    before: ErrorState
    after: ErrorState
    transmit_error_count: int
    receive_error_count: int


FIELDS = (
    "sof",
    "identifier",
    "srr",
    "ide",
    "identifier_extension",
    "rtr",
    "control",
    "dlc",
    "data",
    "stuff_count",
    "crc",
    "crc_delimiter",
    "ack_slot",
    "ack_delimiter",
    "eof",
    "intermission",
    "error_flag",
    "error_delimiter",
    "overload_flag",
    "idle",
)
"""Values of `WireError.field`. `control` is FDF, r0/res, BRS and ESI; `rtr` includes RRS."""


def state_of(transmit_error_count: int, receive_error_count: int) -> ErrorState:
    """Error state of a controller with these counters. Bus-off is left only by recovery."""
    worst = max(transmit_error_count, receive_error_count)
    if transmit_error_count >= BUS_OFF_LIMIT:
        return ErrorState.BUS_OFF
    if worst >= PASSIVE_LIMIT:
        return ErrorState.PASSIVE
    return ErrorState.WARNING if worst >= WARNING_LIMIT else ErrorState.ACTIVE
