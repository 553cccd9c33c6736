"""States of an update: enums, table, driver (one ECU; a bundle couples several in bundle.py).

The table is total: `TRANSITIONS` and `IGNORED` are disjoint and together all pairs. What a pair
that is ignored means to whom commanded it (already done, or out of sequence) is said in client.py.
Sources: union of AUTOSAR UCM, MCUboot, PSA firmware update and the installation of Uptane 2.1.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.update.events import UpdateEvent


@unique
class UpdateState(IntEnum):
    """State of the update of one ECU. The numbers are persisted."""

    IDLE = 0
    CHECKING = 1
    """Metadata are verified. Volatile: a loss of power leads back to IDLE."""
    PENDING_CONSENT = 2
    DOWNLOADING = 3
    VERIFYING = 4
    READY = 5
    """Verified in the download area; the second slot is untouched."""
    INSTALLING = 6
    STAGED = 7
    """In the second slot, read back and verified; nothing of it is known to the bootloader."""
    ACTIVATING = 8
    BOOT_SWAP = 9
    """The bootloader's. Never persisted: in flash it is the boot request itself."""
    TRIAL = 10
    COMMITTING = 11
    COMMITTED = 12
    ROLLING_BACK = 13
    ROLLED_BACK = 14
    CLEANING = 15
    FAILED = 16
    SUSPENDED = 17
    RECOVERY = 18
    """No valid slot: only the programming session of the bootloader helps."""


_S = UpdateState
_E = UpdateEvent

TRANSITIONS: dict[tuple[UpdateState, UpdateEvent], UpdateState] = {
    (_S.IDLE, _E.ANNOUNCED): _S.CHECKING,
    (_S.IDLE, _E.NO_VALID_SLOT): _S.RECOVERY,
    # CHECKING
    (_S.CHECKING, _E.METADATA_ACCEPTED): _S.PENDING_CONSENT,
    (_S.CHECKING, _E.NOTHING_NEW): _S.IDLE,
    (_S.CHECKING, _E.METADATA_REFUSED): _S.FAILED,
    (_S.CHECKING, _E.CANCELLED): _S.IDLE,
    (_S.CHECKING, _E.RESTARTED): _S.IDLE,
    (_S.CHECKING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # PENDING_CONSENT: nothing but metadata is on board yet
    (_S.PENDING_CONSENT, _E.CONSENT_GIVEN): _S.DOWNLOADING,
    (_S.PENDING_CONSENT, _E.CONSENT_DECLINED): _S.IDLE,
    (_S.PENDING_CONSENT, _E.CONSENT_EXPIRED): _S.IDLE,
    (_S.PENDING_CONSENT, _E.CANCELLED): _S.IDLE,
    (_S.PENDING_CONSENT, _E.NO_VALID_SLOT): _S.RECOVERY,
    # DOWNLOADING
    (_S.DOWNLOADING, _E.DOWNLOAD_COMPLETED): _S.VERIFYING,
    (_S.DOWNLOADING, _E.DOWNLOAD_REFUSED): _S.FAILED,
    (_S.DOWNLOADING, _E.PAUSED): _S.SUSPENDED,
    (_S.DOWNLOADING, _E.CANCELLED): _S.CLEANING,
    (_S.DOWNLOADING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # VERIFYING
    (_S.VERIFYING, _E.IMAGE_ACCEPTED): _S.READY,
    (_S.VERIFYING, _E.IMAGE_REFUSED): _S.FAILED,
    (_S.VERIFYING, _E.CANCELLED): _S.CLEANING,
    (_S.VERIFYING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # READY
    (_S.READY, _E.INSTALLATION_COMMANDED): _S.INSTALLING,
    (_S.READY, _E.PAUSED): _S.SUSPENDED,
    (_S.READY, _E.CANCELLED): _S.CLEANING,
    (_S.READY, _E.NO_VALID_SLOT): _S.RECOVERY,
    # INSTALLING
    (_S.INSTALLING, _E.INSTALLED): _S.STAGED,
    (_S.INSTALLING, _E.INSTALLATION_FAILED): _S.FAILED,
    (_S.INSTALLING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # STAGED
    (_S.STAGED, _E.ACTIVATION_COMMANDED): _S.ACTIVATING,
    (_S.STAGED, _E.ROLL_FORWARD_AUTHORISED): _S.ACTIVATING,  # a roll forward was cut before
    (_S.STAGED, _E.CANCELLED): _S.CLEANING,
    (_S.STAGED, _E.CANDIDATE_LOST): _S.FAILED,
    (_S.STAGED, _E.NO_VALID_SLOT): _S.RECOVERY,
    # ACTIVATING: what a boot finds tells whether the request had been written
    (_S.ACTIVATING, _E.GUARD_LOST): _S.STAGED,
    (_S.ACTIVATING, _E.BOOT_REQUESTED): _S.BOOT_SWAP,
    (_S.ACTIVATING, _E.RESTARTED): _S.STAGED,
    (_S.ACTIVATING, _E.NEW_IMAGE_STARTED): _S.TRIAL,
    (_S.ACTIVATING, _E.NEW_IMAGE_PERMANENT): _S.COMMITTING,
    (_S.ACTIVATING, _E.OLD_IMAGE_STARTED): _S.ROLLING_BACK,
    (_S.ACTIVATING, _E.SWAP_REFUSED): _S.FAILED,
    (_S.ACTIVATING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # BOOT_SWAP
    (_S.BOOT_SWAP, _E.RESTARTED): _S.STAGED,
    (_S.BOOT_SWAP, _E.NEW_IMAGE_STARTED): _S.TRIAL,
    (_S.BOOT_SWAP, _E.NEW_IMAGE_PERMANENT): _S.COMMITTING,
    (_S.BOOT_SWAP, _E.OLD_IMAGE_STARTED): _S.ROLLING_BACK,
    (_S.BOOT_SWAP, _E.SWAP_REFUSED): _S.FAILED,
    (_S.BOOT_SWAP, _E.NO_VALID_SLOT): _S.RECOVERY,
    # TRIAL
    (_S.TRIAL, _E.PROMISED): _S.TRIAL,
    (_S.TRIAL, _E.SELF_TEST_PASSED): _S.COMMITTING,
    (_S.TRIAL, _E.COMMIT_AUTHORISED): _S.COMMITTING,
    (_S.TRIAL, _E.SELF_TEST_FAILED): _S.ROLLING_BACK,
    (_S.TRIAL, _E.TRIAL_EXPIRED): _S.ROLLING_BACK,
    (_S.TRIAL, _E.ROLLBACK_COMMANDED): _S.ROLLING_BACK,
    (_S.TRIAL, _E.NEW_IMAGE_STARTED): _S.TRIAL,  # the next try
    (_S.TRIAL, _E.NEW_IMAGE_PERMANENT): _S.COMMITTING,
    (_S.TRIAL, _E.OLD_IMAGE_STARTED): _S.ROLLING_BACK,  # tries exhausted
    (_S.TRIAL, _E.NO_VALID_SLOT): _S.RECOVERY,
    # COMMITTING: every part is repeated after a loss of power
    (_S.COMMITTING, _E.CONFIRMED): _S.COMMITTED,
    (_S.COMMITTING, _E.OLD_IMAGE_STARTED): _S.ROLLING_BACK,  # the confirm flag never reached flash
    (_S.COMMITTING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # COMMITTED
    (_S.COMMITTED, _E.REPORT_ACKNOWLEDGED): _S.CLEANING,
    (_S.COMMITTED, _E.NO_VALID_SLOT): _S.RECOVERY,
    # ROLLING_BACK
    (_S.ROLLING_BACK, _E.OLD_IMAGE_VERIFIED): _S.ROLLED_BACK,
    (_S.ROLLING_BACK, _E.NO_VALID_SLOT): _S.RECOVERY,
    # ROLLED_BACK
    (_S.ROLLED_BACK, _E.REPORT_ACKNOWLEDGED): _S.CLEANING,
    (_S.ROLLED_BACK, _E.ROLL_FORWARD_AUTHORISED): _S.ACTIVATING,
    (_S.ROLLED_BACK, _E.ROLLBACK_COMMANDED): _S.ROLLED_BACK,  # releases the promise
    (_S.ROLLED_BACK, _E.NO_VALID_SLOT): _S.RECOVERY,
    # CLEANING
    (_S.CLEANING, _E.CLEANED): _S.IDLE,
    (_S.CLEANING, _E.NO_VALID_SLOT): _S.RECOVERY,
    # FAILED
    (_S.FAILED, _E.REPORT_ACKNOWLEDGED): _S.CLEANING,
    (_S.FAILED, _E.NO_VALID_SLOT): _S.RECOVERY,
    # SUSPENDED
    (_S.SUSPENDED, _E.DOWNLOAD_RESUMED): _S.DOWNLOADING,
    (_S.SUSPENDED, _E.INSTALLATION_RESUMED): _S.READY,
    (_S.SUSPENDED, _E.CANCELLED): _S.CLEANING,
    (_S.SUSPENDED, _E.NO_VALID_SLOT): _S.RECOVERY,
}

_CHECKED = (_E.METADATA_ACCEPTED, _E.NOTHING_NEW, _E.METADATA_REFUSED)
_CONSENT = (_E.CONSENT_GIVEN, _E.CONSENT_DECLINED, _E.CONSENT_EXPIRED)
_RECEIVED = (_E.DOWNLOAD_COMPLETED, _E.DOWNLOAD_REFUSED)
_VERIFIED = (_E.IMAGE_ACCEPTED, _E.IMAGE_REFUSED)
_PAUSE = (_E.PAUSED, _E.DOWNLOAD_RESUMED, _E.INSTALLATION_RESUMED)
_INSTALL = (_E.INSTALLATION_COMMANDED, _E.INSTALLED, _E.INSTALLATION_FAILED)
_ACTIVATE = (_E.ACTIVATION_COMMANDED, _E.BOOT_REQUESTED, _E.GUARD_LOST)
_TRIED = (_E.PROMISED, _E.SELF_TEST_PASSED, _E.SELF_TEST_FAILED, _E.TRIAL_EXPIRED)
_DECIDED = (_E.COMMIT_AUTHORISED, _E.ROLL_FORWARD_AUTHORISED, _E.ROLLBACK_COMMANDED)
_FINISHED = (_E.CONFIRMED, _E.OLD_IMAGE_VERIFIED, _E.CLEANED)
_SWAPPED = (*(_E.NEW_IMAGE_STARTED, _E.NEW_IMAGE_PERMANENT, _E.OLD_IMAGE_STARTED, _E.SWAP_REFUSED),)
"""No swap is under way in this state: what the bootloader says of one is old news."""

_IGNORED_IN: dict[UpdateState, tuple[UpdateEvent, ...]] = {
    _S.IDLE: (
        *(_E.NONE, _E.CANCELLED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.CHECKING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST),
        *(*_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.PENDING_CONSENT: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(*_CHECKED, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.DOWNLOADING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(_E.DOWNLOAD_RESUMED, _E.INSTALLATION_RESUMED),
        *(*_CHECKED, *_CONSENT, *_VERIFIED, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.VERIFYING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.READY: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(_E.DOWNLOAD_RESUMED, _E.INSTALLATION_RESUMED, _E.INSTALLED, _E.INSTALLATION_FAILED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    # Never stopped inside a sector: it goes on until it is staged or has failed.
    _S.INSTALLING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(_E.CANCELLED, _E.INSTALLATION_COMMANDED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.STAGED: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.RESTARTED),
        *(_E.BOOT_REQUESTED, _E.GUARD_LOST, _E.COMMIT_AUTHORISED, _E.ROLLBACK_COMMANDED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL),
        *(*_TRIED, *_FINISHED, *_SWAPPED),
    ),
    # The request may be in flash already: only a boot tells.
    _S.ACTIVATING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(_E.ACTIVATION_COMMANDED,),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL),
        *(*_TRIED, *_DECIDED, *_FINISHED),
    ),
    # No way back: not even a lost guard counts any more.
    _S.BOOT_SWAP: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED),
    ),
    _S.TRIAL: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(_E.RESTARTED, _E.SWAP_REFUSED, _E.ROLL_FORWARD_AUTHORISED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *_FINISHED,
    ),
    # Decided: neither a failing self-test nor a command stops it.
    _S.COMMITTING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(_E.RESTARTED, _E.SWAP_REFUSED, _E.NEW_IMAGE_STARTED, _E.NEW_IMAGE_PERMANENT),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, _E.OLD_IMAGE_VERIFIED, _E.CLEANED),
    ),
    _S.COMMITTED: (
        *(_E.NONE, _E.ANNOUNCED, _E.CANDIDATE_LOST, _E.CANCELLED, _E.RESTARTED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    # Where the new image starts once more, the request is written again.
    _S.ROLLING_BACK: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, _E.CONFIRMED, _E.CLEANED, *_SWAPPED, _E.RESTARTED),
    ),
    _S.ROLLED_BACK: (
        *(_E.NONE, _E.ANNOUNCED, _E.CANDIDATE_LOST, _E.CANCELLED, _E.RESTARTED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, _E.COMMIT_AUTHORISED, *_FINISHED, *_SWAPPED),
    ),
    _S.CLEANING: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, _E.CONFIRMED, _E.OLD_IMAGE_VERIFIED, *_SWAPPED, _E.RESTARTED),
    ),
    _S.FAILED: (
        *(_E.NONE, _E.ANNOUNCED, _E.CANDIDATE_LOST, _E.CANCELLED, _E.RESTARTED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.SUSPENDED: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.RESTARTED),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, _E.PAUSED, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
    _S.RECOVERY: (
        *(_E.NONE, _E.ANNOUNCED, _E.REPORT_ACKNOWLEDGED, _E.CANDIDATE_LOST, _E.CANCELLED),
        *(_E.RESTARTED, _E.NO_VALID_SLOT),
        *(*_CHECKED, *_CONSENT, *_RECEIVED, *_VERIFIED, *_PAUSE, *_INSTALL, *_ACTIVATE),
        *(*_TRIED, *_DECIDED, *_FINISHED, *_SWAPPED),
    ),
}

IGNORED: frozenset[tuple[UpdateState, UpdateEvent]] = frozenset(
    (state, event) for state, events in _IGNORED_IN.items() for event in events
)
"""Pairs that change nothing."""

VOLATILE = frozenset({_S.CHECKING, _S.BOOT_SWAP, _S.RECOVERY})
"""States that are never written to the record."""

OLD_IMAGE_RUNS = frozenset(_S) - {
    *(_S.TRIAL, _S.COMMITTING, _S.COMMITTED, _S.ROLLING_BACK, _S.RECOVERY, _S.CLEANING, _S.IDLE)
}
"""States in which the image that runs is certainly the one from before the campaign."""


def next_state(state: UpdateState, event: UpdateEvent) -> UpdateState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)
