"""One ECU for the power-cut sweep: flash, bootloader, and the least application that can update.

The application installs the new image sector by sector, asks for it, resets, and once it runs
decides about its trial as its simulated behaviour says. Everything it knows after a reset comes
from flash; the wish to update stands outside (the tester asks again). The whole update client goes
behind the same `Device` elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache

from simcore.errors import UsageError
from simcore.update.bootloader import Bootloader, BootOutcome, BootSettings
from simcore.update.flash import Flash
from simcore.update.image_build import build_image
from simcore.update.image_format import Behaviour, Image
from simcore.update.image_keys import SigningKey
from simcore.update.layout import FlashLayout
from simcore.update.power_cut import DeviceVerdict, Outcome
from simcore.update.reset_cause import ResetCause
from simcore.update.trailer import SwapType

BOOTS_MOST = 40
"""Starts after which an ECU that comes to no end counts as dead."""
STEPS_MOST = 2_000
"""Steps of one boot, for the same reason."""


@unique
class Plot(StrEnum):
    """How the update goes."""

    TEST = "test"
    """A trial that is confirmed."""
    PERMANENT = "perm"
    REVERT = "revert"
    """The new image's self-test fails: it asks for the old one."""
    HANG = "hang"
    """The new image hangs: the watchdog uses its tries up."""
    REFUSED = "refused"
    """The new image is not signed by a key of this ECU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleStory:
    """An update of one ECU."""

    plot: Plot
    tries: int = 3
    image_size: int = 12_288
    sector_size: int = 2048
    program_size: int = 8
    unstable: bool = False
    """Whether torn cells read differently each time."""

    def __post_init__(self) -> None:
        if self.image_size < 1024:
            raise UsageError(
                "SingleStory, image_size", expected="at least 1024 bytes", got=self.image_size
            )

    @property
    def name(self) -> str:
        """What is told."""
        tries = "" if self.plot is Plot.PERMANENT else f", tries {self.tries}"
        unstable = ", unstable" if self.unstable else ""
        return f"single {self.plot.value}{tries}{unstable}, {self.sector_size} B sectors"

    def device(self) -> SingleDevice:
        """A new ECU that runs the old image and is about to be updated."""
        return SingleDevice(self)


_KEY = SigningKey.of(0, "power-cut")
_STRANGER = SigningKey.of(0, "power-cut stranger")
_BEHAVIOUR = {Plot.REVERT: Behaviour.SELF_TEST_FAILS, Plot.HANG: Behaviour.HANGS}


_TAIL = 320
"""More than header, hash and signature need."""


@lru_cache(maxsize=32)
def _images(story: SingleStory) -> tuple[bytes, bytes]:
    """The old and the new image, padded to program units; of unlike length."""
    behaviour = _BEHAVIOUR.get(story.plot, Behaviour.HEALTHY)
    old = build_image(
        _filler(7, story.image_size * 3 // 4 - _TAIL), "1.0.0", _KEY, security_counter=1
    )
    new = build_image(
        _filler(11, story.image_size - _TAIL),
        "2.0.0",
        _STRANGER if story.plot is Plot.REFUSED else _KEY,
        security_counter=2,
        behaviour=behaviour,
    )
    return _padded(old, story.program_size), _padded(new, story.program_size)


def _filler(step: int, size: int) -> bytes:
    return bytes(number * step % 251 for number in range(size))


def _padded(image: bytes, unit: int) -> bytes:
    return image.ljust(-(-len(image) // unit) * unit, b"\xff")


class SingleDevice:
    """The ECU. Subclasses plant faults."""

    def __init__(self, story: SingleStory) -> None:
        self.story = story
        self.layout = FlashLayout.plan(
            story.image_size,
            sector_size=story.sector_size,
            program_size=story.program_size,
            audit_size=story.sector_size,
            metadata_size=story.sector_size,
        )
        self.flash = Flash(self.layout.geometry(), unstable=story.unstable)
        self.settings = BootSettings(keys=(_KEY.public,), tries=story.tries)
        self.boot = Bootloader(self.flash, self.layout, self.settings)
        self.old, self.new = _images(story)
        self.layout.running.on(self.flash).program(0, self.old)
        self.flash.operations = 0
        self._cause = ResetCause.POWER_ON
        self._cuts = -1
        self._first: Outcome | None = None
        self._booted = False
        self._starts_least = 0
        self._starts_most = 0
        self._wrong_tries = 0
        self._detail = ""
        self._bricked = False
        self._confirms = 0
        self._running: Outcome | None = None
        self._phase = "boot"

    @property
    def flashes(self) -> tuple[Flash, ...]:
        """The one there is."""
        return (self.flash,)

    @property
    def flash_names(self) -> tuple[str, ...]:
        """There is one."""
        return ()

    def phase(self, flash: int) -> str:
        """The bootloader is at work, or what the application does."""
        return self._phase

    def power_on(self, cause: ResetCause) -> None:
        """Nothing is left but the flash."""
        self.boot = self.bootloader()
        self._cause = cause
        self._cuts += 1
        self._booted = False
        self._running = None

    def bootloader(self) -> Bootloader:
        """As it comes out of a reset."""
        return Bootloader(self.flash, self.layout, self.settings)

    def run_to_end(self) -> None:
        """Boot and let the application work until it wants nothing more."""
        for _ in range(BOOTS_MOST):
            outcome = self._start()
            if outcome is None:
                return
            cause = self._application(outcome)
            if cause is None:
                return
            self.boot = self.bootloader()
            self._cause = cause
        self._fails(f"no end after {BOOTS_MOST} starts")

    def verdict(self) -> DeviceVerdict:
        """How it ended."""
        outcome = Outcome.BRICK if self._bricked or self._running is None else self._running
        first = self._first if self._cuts else None
        detail = self._detail or self._wrong_end(outcome)
        return DeviceVerdict(outcome, first, self._wrong_tries, detail)

    # ---- the boot ----

    def _start(self) -> BootOutcome | None:
        """Boot; the outcome, or `None` if that bricked the ECU."""
        self._phase = "boot"
        for _ in range(STEPS_MOST):
            step = self.boot.step(self._cause)
            if step.outcome is not None:
                return self._seen(step.outcome)
        self._fails(f"no end of the boot after {STEPS_MOST} steps")
        return None

    def _seen(self, outcome: BootOutcome) -> BootOutcome | None:
        """What started must be one of both images to the last byte."""
        running = self.layout.running.on(self.flash)
        found: Outcome | None = None
        if outcome.slot is not None:
            if running.read(0, len(self.old)) == self.old:
                found = Outcome.OLD
            elif running.read(0, len(self.new)) == self.new:
                found = Outcome.NEW
        if not self._booted:
            self._booted = True
            self._first = found or Outcome.BRICK
        self._running = found
        if found is None:
            self._fails("no image may run" if outcome.slot is None else "neither image runs")
            return None
        if found is Outcome.NEW and self.story.plot is Plot.REFUSED:
            self._fails("an image of a stranger runs")
            return None
        return outcome

    def _fails(self, why: str) -> None:
        self._bricked = True
        self._detail = self._detail or why

    # ---- the application ----

    def _application(self, outcome: BootOutcome) -> ResetCause | None:
        """What the software does; the reset it ends with, or `None` if all is done."""
        if outcome.trial:
            self._check_try(outcome)
            if self.story.plot is Plot.PERMANENT:
                self._detail = self._detail or "an upgrade for good came on trial"
            self._starts_most += 1
            self._phase = "TRIAL"
            self.boot.mark_started()
            self._starts_least += 1
            assert outcome.image is not None
            return self._on_trial(outcome.image)
        if self._running is Outcome.NEW and not self._may_stay:
            self._detail = self._detail or "the new image runs for good without a confirmation"
        self._phase = "COMMITTING"
        self.boot.raise_security_counter()
        if self._running is Outcome.NEW or outcome.was_reverted or outcome.was_refused:
            return None
        if self.boot.pending is SwapType.NONE:
            self._phase = "INSTALLING"
            self.install()
            self._phase = "ACTIVATING"
            self.boot.request_upgrade(permanent=self.story.plot is Plot.PERMANENT)
        return ResetCause.SOFTWARE

    @property
    def _may_stay(self) -> bool:
        return self._confirms > 0 or self.story.plot is Plot.PERMANENT

    def _check_try(self, outcome: BootOutcome) -> None:
        """A try counts when the application starts, whatever the bootloader went through."""
        least, most = self._starts_least + 1, self._starts_most + 1
        if not least <= outcome.try_number <= most:
            self._wrong_tries += 1
            self._detail = self._detail or (
                f"try {outcome.try_number} after {self._starts_least} starts"
            )

    def _on_trial(self, image: Image) -> ResetCause | None:
        match image.behaviour:
            case Behaviour.SELF_TEST_FAILS:
                self.boot.request_revert()
                return ResetCause.SOFTWARE
            case Behaviour.HANGS | Behaviour.HANGS_AT_START:
                return ResetCause.WATCHDOG
        self.confirm()
        return None

    def confirm(self) -> None:
        """The self-test passed."""
        self._confirms += 1
        self._phase = "COMMITTING"
        self.boot.confirm()
        self.boot.raise_security_counter()

    def install(self) -> None:
        """Put the new image where the bootloader looks for it."""
        candidate = self.layout.candidate.on(self.flash)
        size = candidate.sector_size
        for start in range(0, len(self.new), size):
            candidate.erase(start, size)
            candidate.program(start, self.new[start : start + size])

    # ---- the end ----

    def _wrong_end(self, outcome: Outcome) -> str:
        if outcome is Outcome.BRICK:
            return "nothing runs"
        plot = self.story.plot
        if plot in (Plot.REVERT, Plot.HANG, Plot.REFUSED):
            if outcome is not Outcome.OLD:
                return "the new image stayed"
            if self.boot.security_counter != 1:
                return f"security counter {self.boot.security_counter}, not confirmed"
            return ""
        if self._starts_least > self.story.tries:
            return f"{self._starts_least} starts of an image with {self.story.tries} tries"
        if outcome is Outcome.OLD and self._starts_most < self.story.tries:
            return f"the old image runs after {self._starts_most} tries"
        if outcome is Outcome.NEW and self.boot.security_counter != 2:
            return f"security counter {self.boot.security_counter} of a confirmed image"
        return ""


def single_stories() -> tuple[SingleStory, ...]:
    """All plots; with one try as well, where a lost one shows; unstable; with tiny sectors."""
    return (
        SingleStory(plot=Plot.TEST),
        SingleStory(plot=Plot.TEST, tries=1),
        SingleStory(plot=Plot.PERMANENT),
        SingleStory(plot=Plot.REVERT),
        SingleStory(plot=Plot.HANG, tries=2),
        SingleStory(plot=Plot.REFUSED),
        SingleStory(plot=Plot.TEST, unstable=True),
        SingleStory(plot=Plot.REVERT, unstable=True),
        SingleStory(plot=Plot.TEST, image_size=2560, sector_size=256, program_size=32),
    )
