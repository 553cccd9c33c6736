"""Check statuses of AUTOSAR E2E, with the standard's values (PRS_E2EProtocol, E2E_PCheckStatus)."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class E2eStatus(IntEnum):
    """Outcome of checking one reception, or of looking for one in vain."""

    OK = 0x00
    """Right checksum, counter one ahead of the last."""
    NO_NEW_DATA = 0x01
    """Nothing arrived in this cycle."""
    WRONG_CRC = 0x02
    """Profiles 1 and 2 only: wrong checksum or data id, the content is worthless."""
    SYNC = 0x03
    """Profiles 1 and 2 only: in sequence, but too soon after a jump of the counter."""
    INITIAL = 0x04
    """Profiles 1 and 2 only: right checksum, and the first frame: no counter precedes it."""
    ERROR = 0x07
    """Wrong length, checksum or data id: the content is worthless, its counter included."""
    REPEATED = 0x08
    """Right checksum, counter not moved."""
    OK_SOME_LOST = 0x20
    """Right checksum, up to MaxDeltaCounter - 1 frames in between are missing."""
    WRONG_SEQUENCE = 0x40
    """Right checksum, counter jumped further than MaxDeltaCounter."""


@unique
class E2eSmStatus(IntEnum):
    """What the state machine makes of a status: E2E_PCheckStatusType, with its values."""

    OK = 0
    REPEATED = 1
    WRONG_SEQUENCE = 2
    ERROR = 3
    NOT_AVAILABLE = 4
    """No check yet: what the window is filled with at first."""
    NO_NEW_DATA = 5


_MAPPED = {
    E2eStatus.OK: E2eSmStatus.OK,
    E2eStatus.NO_NEW_DATA: E2eSmStatus.NO_NEW_DATA,
    E2eStatus.WRONG_CRC: E2eSmStatus.ERROR,
    E2eStatus.SYNC: E2eSmStatus.OK,
    E2eStatus.INITIAL: E2eSmStatus.WRONG_SEQUENCE,
    E2eStatus.ERROR: E2eSmStatus.ERROR,
    E2eStatus.REPEATED: E2eSmStatus.REPEATED,
    E2eStatus.OK_SOME_LOST: E2eSmStatus.OK,
    E2eStatus.WRONG_SEQUENCE: E2eSmStatus.WRONG_SEQUENCE,
}
_MAPPED_BEFORE_R4_2 = _MAPPED | {
    E2eStatus.SYNC: E2eSmStatus.WRONG_SEQUENCE,
    E2eStatus.INITIAL: E2eSmStatus.OK,
}


def map_status_to_sm(status: E2eStatus, *, profile_behavior: bool = True) -> E2eSmStatus:
    """The state machine's view of `status` (E2E_PXXMapStatusToSM).

    `profile_behavior` concerns profiles 1 and 2: True as since R4.2, False as before.
    """
    return (_MAPPED if profile_behavior else _MAPPED_BEFORE_R4_2)[status]


USABLE = frozenset({E2eStatus.OK, E2eStatus.OK_SOME_LOST})
"""Statuses whose data may be used."""
