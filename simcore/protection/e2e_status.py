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
    ERROR = 0x07
    """Wrong length, checksum or data id: the content is worthless, its counter included."""
    REPEATED = 0x08
    """Right checksum, counter not moved."""
    OK_SOME_LOST = 0x20
    """Right checksum, up to MaxDeltaCounter - 1 frames in between are missing."""
    WRONG_SEQUENCE = 0x40
    """Right checksum, counter jumped further than MaxDeltaCounter."""


USABLE = frozenset({E2eStatus.OK, E2eStatus.OK_SOME_LOST})
"""Statuses whose data may be used."""
