"""The bootloader of a two-slot ECU, and what the application asks of it.

`step` does one bounded piece of work per call and keeps all its state in flash, so power may go at
any of its operations: the next boot goes on. What to do is decided by boot_table.py. The calls of
the application are in the second half; each is safe to repeat.

Deliberate differences from MCUboot: several tries, and none lost to a power cut before the first
start (boot_trial.py); the status area (swap.py); RECOVERY where only a failed image is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from simcore.errors import InputError
from simcore.update.boot_outcome import (
    BootOutcome,
    BootSettings,
    BootStep,
    Slot,
    UpgradeRequest,
)
from simcore.update.boot_table import (
    BootAction,
    Journal,
    Situation,
    Trial,
    Validity,
    next_action,
    swap_asked_for,
)
from simcore.update.boot_trial import begin_try, trial_of, trial_state
from simcore.update.flash import Flash
from simcore.update.image_format import Image, ImageVersion
from simcore.update.image_reader import read_image
from simcore.update.image_verify import ImageVerdict, verify_image
from simcore.update.layout import Extent, FlashLayout
from simcore.update.reset_cause import ResetCause
from simcore.update.security_counter import SecurityCounter
from simcore.update.swap import Swap
from simcore.update.swap_status import SwapStatus
from simcore.update.trailer import Flag, Magic, SwapType, Trailer, TrailerState

__all__ = ["BootOutcome", "BootSettings", "BootStep", "Bootloader", "Slot", "UpgradeRequest"]


@dataclass(slots=True)
class _Boot:
    """What one boot remembers until it is over. Losing it loses no more than a remark."""

    begun: bool = False
    swap_type: SwapType = SwapType.NONE
    refused: ImageVerdict | None = None
    verdicts: dict[str, ImageVerdict] = field(default_factory=dict)
    compute_ns: int = 0


class Bootloader:
    """Boots an ECU, one step per call."""

    __slots__ = (
        "_boot",
        "_counter",
        "_primary",
        "_secondary",
        "_swap",
        "flash",
        "layout",
        "settings",
    )

    def __init__(self, flash: Flash, layout: FlashLayout, settings: BootSettings) -> None:
        self.flash = flash
        self.layout = layout
        self.settings = settings
        self._swap = Swap(flash, layout)
        self._counter = SecurityCounter(flash, layout)
        self._primary = Trailer(layout.primary_trailer.on(flash))
        self._secondary = Trailer(layout.secondary_trailer.on(flash))
        self._boot = _Boot()

    # ---- the boot ----

    def restart(self) -> None:
        """A reset or a power cut came: forget the boot under way."""
        self._boot = _Boot()

    def step(self, cause: ResetCause) -> BootStep:
        """The next piece of work of a boot, until one says done. `cause` is that of this boot."""
        boot = self._boot
        boot.compute_ns = 0 if boot.begun else self.settings.start_ns
        boot.verdicts = {}
        outcome: BootOutcome | None = None
        if boot.begun or not self._settle():
            outcome = self._work(cause)
        boot.begun = True
        compute_ns = boot.compute_ns
        busy_ns = compute_ns + self.flash.take_busy_ns()
        if outcome is not None:
            self._boot = _Boot()
        return BootStep(outcome is not None, busy_ns, outcome, compute_ns)

    def _settle(self) -> bool:
        """Make sure of what a power cut may have left doubtful; whether that took work."""
        if self._swap.log.settle():
            return True
        status = self._swap.log.read()
        if status is None or not status.complete:
            return False
        state = self._primary.read()
        if state.magic is not Magic.GOOD or (state.image_ok is Flag.UNSET) is not status.confirmed:
            return False
        if status.confirmed:
            self._primary.write_image_ok()
        else:
            self._swap.log.write(status.after(confirmed=True))
        return True

    def _work(self, cause: ResetCause) -> BootOutcome | None:
        status = self._swap.log.read()
        under_way = status is not None and not status.complete
        situation = Situation(
            Journal.UNDER_WAY if under_way else Journal.AT_REST,
            swap_asked_for(self._primary_state(status), self._secondary.read()),
            trial_state(status, self.settings.tries),
            self._judge,
        )
        row = next_action(situation)
        outcome = self._act(row.action, situation, status, cause)
        if outcome is None:
            return None
        last = SwapType.NONE if status is None or under_way else status.swap_type
        return replace(outcome, last_swap=last, why=row.why)

    def _primary_state(self, status: SwapStatus | None) -> TrailerState:
        """The primary trailer; a confirmation stands in the status area first."""
        state = self._primary.read()
        if status is not None and status.complete and status.confirmed:
            if state.image_ok is Flag.UNSET:
                return replace(state, image_ok=Flag.SET)
        return state

    def _act(
        self,
        action: BootAction,
        situation: Situation,
        status: SwapStatus | None,
        cause: ResetCause,
    ) -> BootOutcome | None:
        match action:
            case BootAction.RESUME:
                assert status is not None
                if self._swap.step(status):
                    self._boot.swap_type = status.swap_type
            case BootAction.SWAP:
                self._begin_swap(situation.swap, "candidate")
            case BootAction.SWAP_BACK:
                self._begin_swap(SwapType.REVERT, "backup")
            case BootAction.REFUSE:
                self._refuse()
            case BootAction.TRY:
                return self._try(status, cause)
            case BootAction.START:
                return self._start()
            case BootAction.RECOVER:
                return BootOutcome(slot=None, image=None, swap_type=SwapType.PANIC)
        return None

    def _judge(self, place: str) -> Validity:
        settings = self.settings
        extent: Extent = getattr(self.layout, place)
        available: Mapping[int, ImageVersion] | None = None
        if settings.available is not None and place == "candidate":
            available = MappingProxyType(dict(settings.available))
        verdict = verify_image(
            extent.on(self.flash),
            settings.keys,
            hardware_id=settings.hardware_id,
            least_counter=self._counter.value if settings.checks_counter else None,
            available=available,
        )
        self._boot.verdicts[place] = verdict
        if verdict.image is not None:
            kib = len(verdict.image.covered) // 1024 + 1
            self._boot.compute_ns += kib * settings.hash_ns_per_kib + settings.signature_ns
        return Validity.VALID if verdict.ok else Validity.INVALID

    def _begin_swap(self, swap_type: SwapType, place: str) -> None:
        moved = self._boot.verdicts[place].image
        running = self.running_image()
        assert moved is not None
        size = max(moved.size, 0 if running is None else running.size)
        self._swap.begin(swap_type, size)

    def _refuse(self) -> None:
        """Erase the candidate sector by sector, the request last: cut, it begins anew."""
        boot = self._boot
        if boot.refused is None:
            boot.refused = boot.verdicts["candidate"]
            boot.swap_type = SwapType.FAIL
        candidate = self.layout.candidate.on(self.flash)
        size = candidate.sector_size
        for start in range(0, candidate.size, size):
            if not candidate.is_erased(start, size):
                candidate.erase(start, size)
                return
        self._secondary.erase()

    def _try(self, status: SwapStatus | None, cause: ResetCause) -> BootOutcome | None:
        trial = trial_of(status)
        assert trial is not None
        number = begin_try(self._swap.log, trial, cause)
        if number is None:
            return None
        return BootOutcome(
            slot=Slot.PRIMARY,
            image=self._boot.verdicts["running"].image,
            swap_type=self._boot.swap_type,
            trial=True,
            try_number=number,
            tries_left=self.settings.tries - number,
            refused=self._boot.refused,
        )

    def _start(self) -> BootOutcome | None:
        image = self._boot.verdicts["running"].image
        assert image is not None
        if self._raise_counter(image):
            return None
        if not self._secondary.read().is_blank:
            self._secondary.erase()  # a request that a cut left half written
            return None
        return BootOutcome(
            slot=Slot.PRIMARY,
            image=image,
            swap_type=self._boot.swap_type,
            refused=self._boot.refused,
        )

    def _raise_counter(self, image: Image) -> bool:
        counter = image.security_counter
        if not self.settings.checks_counter or counter is None or not self._counter.lags(counter):
            return False
        self._counter.raise_to(counter)
        return True

    # ---- what the application asks ----

    @property
    def security_counter(self) -> int:
        """The least counter an image must carry."""
        return self._counter.value

    @property
    def in_trial(self) -> bool:
        """Whether the running image is not confirmed yet."""
        state = self._primary_state(self._swap.log.read())
        return (
            state.magic is Magic.GOOD
            and state.copy_done is not Flag.UNSET
            and state.image_ok is Flag.UNSET
        )

    @property
    def reverting(self) -> bool:
        """Whether the next boot goes back to the image before."""
        return self.in_trial and (
            trial_state(self._swap.log.read(), self.settings.tries) is Trial.OVER
        )

    @property
    def pending(self) -> SwapType:
        """The upgrade that stands asked for: NONE, TEST or PERM."""
        asked = swap_asked_for(self._primary.read(), self._secondary.read())
        return asked if asked in (SwapType.TEST, SwapType.PERM) else SwapType.NONE

    def running_image(self) -> Image | None:
        """The image in the primary slot, as far as it can be read. Not verified."""
        try:
            return read_image(self.layout.running.on(self.flash))
        except InputError:
            return None

    def verify_candidate(self) -> ImageVerdict:
        """What the next boot would say about the candidate."""
        self._judge("candidate")
        self._boot.compute_ns = 0
        return self._boot.verdicts.pop("candidate")

    def mark_started(self) -> None:
        """The first act of the application: this try counts from here on."""
        trial = trial_of(self._swap.log.read())
        if trial is not None and trial.is_open:
            self._swap.log.write(trial.after(is_open=False))

    def request_upgrade(self, permanent: bool = False) -> UpgradeRequest:
        """Ask for the candidate at the next boot, on trial or for good."""
        if self.in_trial:
            return UpgradeRequest.IN_TRIAL
        if self.pending is (SwapType.PERM if permanent else SwapType.TEST):
            return UpgradeRequest.REPEATED
        try:
            read_image(self.layout.candidate.on(self.flash))
        except InputError:
            return UpgradeRequest.NO_CANDIDATE
        # Always: what reads as blank may be an erase that was cut.
        self._secondary.erase()
        self._secondary.write_request(permanent=permanent)
        return UpgradeRequest.ACCEPTED

    def withdraw_request(self) -> None:
        """Take a request back, before the boot that would follow it."""
        if not self._secondary.is_erased:
            self._secondary.erase()

    def confirm(self) -> bool:
        """Keep the running image; whether it is confirmed now. Not once a revert was asked for.

        The security counter follows: `raise_security_counter`, or the next boot.
        """
        trial = trial_of(self._swap.log.read())
        if trial is not None:
            if trial.reverting:
                return False
            self._swap.log.write(trial.after(confirmed=True, is_open=False))
        state = self._primary.read()
        if state.magic is Magic.GOOD and state.image_ok is Flag.UNSET:
            self._primary.write_image_ok()
        return not self.in_trial

    def raise_security_counter(self) -> bool:
        """Raise the security counter to that of the running image, once that is confirmed."""
        image = self.running_image()
        if self.in_trial or image is None:
            return False
        return self._raise_counter(image)

    def request_revert(self) -> bool:
        """Go back to the image before at the next boot; whether it will. Only during a trial."""
        trial = trial_of(self._swap.log.read())
        if trial is None:
            return False
        if not trial.reverting:
            self._swap.log.write(trial.after(reverting=True))
        return True
