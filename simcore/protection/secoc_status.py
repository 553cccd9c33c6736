"""Outcomes, reasons and override modes of secure onboard communication.

Numbers as in AUTOSAR SWS SecureOnboardCommunication (SecOC_VerificationResultType,
SecOC_OverrideStatusType). The reasons are this project's own: AUTOSAR reports the outcome only.
"""

from __future__ import annotations

from enum import Enum, IntEnum, unique
from typing import NamedTuple


@unique
class SecOcOutcome(IntEnum):
    """What became of one secured frame."""

    SUCCESS = 0x00
    """The authenticator is right and the freshness value is new."""
    VERIFICATIONFAILURE = 0x01
    """No freshness value that was tried gives the authenticator received."""
    FRESHNESSFAILURE = 0x02
    """There is no freshness value to try."""
    AUTHENTICATIONBUILDFAILURE = 0x03
    """No authenticator can be computed."""
    NO_VERIFICATION = 0x04
    """An override switched verification off."""
    VERIFICATIONFAILURE_OVERWRITTEN = 0x05
    """A failure that an override lets pass."""


@unique
class SecOcReason(Enum):
    """Why a frame was rejected, as far as a receiver can know.

    A wrong key, a wrong data id, a changed bit and a forged authenticator all look the same: an
    authenticator that does not match (`MAC_MISMATCH`). So does a replay older, and a gap longer,
    than the receiver looks back and ahead (`SecOcReceiver`, `depth`); and a sender with a newer
    trip counter whose sync message did not arrive.
    """

    NONE = "none"
    TOO_SHORT = "too short"
    """Fewer bytes than the Secured I-PDU has."""
    TOO_LONG = "too long"
    PADDING = "padding not zero"
    """Bits behind the authenticator, which nothing authenticates."""
    NO_SYNC_YET = "no sync yet"
    """No sync message since power on: trip and reset counter are not known."""
    RESET_FLAG = "reset flag"
    """No reset counter near the one known has this reset flag."""
    REPLAY = "replay"
    """The authenticator is right for a freshness value that has been passed."""
    OUT_OF_WINDOW = "out of window"
    """The authenticator is right for a freshness value further ahead than is accepted."""
    STALE_TRIP = "stale trip"
    """Right for the trip before; or a sync message that is not newer than the last one."""
    EXHAUSTED = "freshness exhausted"
    """The freshness value has reached its end."""
    MAC_MISMATCH = "MAC mismatch"
    KEY_SLOT_EMPTY = "key slot empty"
    OVERRIDDEN = "overridden"
    """Not verified, because an override said so."""


@unique
class SecOcOverride(IntEnum):
    """Override of the verification, for test and diagnostics."""

    DROP_UNTIL_NOTICE = 0x00
    """Verify nothing, drop everything."""
    DROP_UNTIL_LIMIT = 0x01
    CANCEL = 0x02
    """Back to verification."""
    PASS_UNTIL_NOTICE = 0x40
    """Verify, and pass everything on whatever the outcome."""
    SKIP_UNTIL_LIMIT = 0x41
    PASS_UNTIL_LIMIT = 0x42
    SKIP_UNTIL_NOTICE = 0x43
    """Verify nothing, pass everything on."""


class SecOcResult(NamedTuple):
    """What `SecOcReceiver.verify` found. Immutable."""

    outcome: SecOcOutcome
    reason: SecOcReason
    data: bytes | None
    """The Authentic I-PDU if it may be used, else `None`."""
