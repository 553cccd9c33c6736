"""Tries of an image that is not confirmed: how many are left, and which of them counts.

A try is recorded before the jump (`tries`, open) and closed by the first act of the application. An
open try counts unless the supply was to blame: after a power-on or brown-out reset it is simply
used again, so a loss between the end of the swap and the first start costs no try (OTA-004),
however often. A watchdog or software reset there closes it.

MCUboot knows one try, and loses it to a power cut between copy_done and the first start.
"""

from __future__ import annotations

from simcore.update.boot_table import Trial
from simcore.update.reset_cause import ResetCause
from simcore.update.swap_status import StatusLog, SwapStatus
from simcore.update.trailer import SwapType


def trial_of(status: SwapStatus | None) -> SwapStatus | None:
    """The status where it is that of a trial: a complete test swap, not confirmed."""
    if status is None or not status.complete or status.confirmed:
        return None
    return status if status.swap_type is SwapType.TEST else None


def trial_state(status: SwapStatus | None, most: int) -> Trial:
    """Whether the image may be started once more. Without a trial it may not."""
    trial = trial_of(status)
    if trial is None or trial.reverting:
        return Trial.OVER
    return Trial.OPEN if trial.tries < most or trial.is_open else Trial.OVER


def begin_try(log: StatusLog, trial: SwapStatus, cause: ResetCause) -> int | None:
    """Use a try: its number from 1, or `None` where the last one had to be closed first."""
    if trial.is_open:
        if cause.lost_power:
            return trial.tries
        log.write(trial.after(is_open=False))
        return None
    log.write(trial.after(tries=trial.tries + 1, is_open=True))
    return trial.tries + 1
