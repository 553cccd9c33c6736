"""Events of the update state machine.

Commands come from the tester, the coordinator of a bundle or the driver; results from the client's
own steps; the boot events from what the bootloader says. The numbers are persisted in the record.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class UpdateEvent(IntEnum):
    """What moves the update state machine."""

    NONE = 0
    """Of the record before anything happened; never handled."""

    # ---- commands ----
    ANNOUNCED = 1
    """The metadata of a campaign lie complete in flash."""
    CONSENT_GIVEN = 2
    CONSENT_DECLINED = 3
    INSTALLATION_COMMANDED = 4
    """The install guard holds."""
    ACTIVATION_COMMANDED = 5
    """The activation guard holds."""
    COMMIT_AUTHORISED = 6
    """The coordinator of the bundle decided to commit."""
    ROLL_FORWARD_AUTHORISED = 7
    """It did, but this member runs the old image again: it promised the new one."""
    ROLLBACK_COMMANDED = 8
    CANCELLED = 9
    PAUSED = 10
    """Suspended on command, or the background guard was lost."""
    DOWNLOAD_RESUMED = 11
    INSTALLATION_RESUMED = 12
    """Back to READY: what is installed next waits there."""
    REPORT_ACKNOWLEDGED = 13

    # ---- results ----
    METADATA_ACCEPTED = 20
    NOTHING_NEW = 21
    METADATA_REFUSED = 22
    DOWNLOAD_COMPLETED = 23
    DOWNLOAD_REFUSED = 24
    """Too long, too slow, or nothing came any more."""
    IMAGE_ACCEPTED = 25
    IMAGE_REFUSED = 26
    INSTALLED = 27
    """Read back and signature good."""
    INSTALLATION_FAILED = 28
    BOOT_REQUESTED = 29
    """The one atomic write is done: no way back except rollback."""
    PROMISED = 30
    """Self-test passed in a bundle: from now on only the coordinator decides."""
    SELF_TEST_PASSED = 31
    SELF_TEST_FAILED = 32
    CONFIRMED = 33
    """Confirm flag, security counter and trusted metadata are all in flash."""
    OLD_IMAGE_VERIFIED = 34
    CLEANED = 35

    # ---- time and guards ----
    CONSENT_EXPIRED = 40
    TRIAL_EXPIRED = 41
    GUARD_LOST = 42
    """The activation guard, before the boot request was written."""
    CANDIDATE_LOST = 43
    """The installed image does not verify any more."""

    # ---- boot ----
    RESTARTED = 50
    """Booted; the image is the one that ran before, and no swap took place."""
    NEW_IMAGE_STARTED = 51
    """On trial."""
    NEW_IMAGE_PERMANENT = 52
    OLD_IMAGE_STARTED = 53
    """The bootloader took the new image back."""
    SWAP_REFUSED = 54
    """The bootloader did not accept the candidate; the old image runs."""
    NO_VALID_SLOT = 55


COMMANDS = frozenset(event for event in UpdateEvent if 1 <= event <= 19)
"""Come from outside: what does not fit is answered with a negative response code."""
BOOT_EVENTS = frozenset(event for event in UpdateEvent if event >= 50)
