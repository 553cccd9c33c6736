"""The bootloader and what an application asks of it."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.errors import UsageError
from simcore.update.bootloader import (
    Bootloader,
    BootOutcome,
    BootSettings,
    Slot,
    UpgradeRequest,
)
from simcore.update.flash import Flash
from simcore.update.image import (
    Dependency,
    ImageFault,
    ImageVersion,
    SigningKey,
    build_image,
)
from simcore.update.layout import FlashLayout
from simcore.update.reset_cause import ResetCause
from simcore.update.trailer import SwapType, Trailer

KEY = SigningKey.of(0, "maker")
STRANGER = SigningKey.of(0, "stranger")
LAYOUT = FlashLayout.plan(4096, sector_size=512, audit_size=512, metadata_size=512)
POWER_ON, WATCHDOG, SOFTWARE = ResetCause.POWER_ON, ResetCause.WATCHDOG, ResetCause.SOFTWARE


def an_image(version: str, size: int = 2000, **fields: object) -> bytes:
    arguments = {"security_counter": 1, "hardware_id": "EMB", "key": KEY, **fields}
    data = build_image(bytes((size % 256,)) * size, version, **arguments)  # type: ignore[arg-type]
    return data.ljust(-(-len(data) // 8) * 8, b"\xff")


OLD = an_image("1.0.0", 1500)
NEW = an_image("2.0.0", 3500, security_counter=3)


class Ecu:
    """Flash and a bootloader that is new after every reset."""

    def __init__(self, running: bytes | None = OLD, **fields: object) -> None:
        self.flash = Flash(LAYOUT.geometry())
        settings = {"keys": (KEY.public,), "hardware_id": "EMB", **fields}
        self.settings = BootSettings(**settings)  # type: ignore[arg-type]
        if running is not None:
            LAYOUT.running.on(self.flash).program(0, running)

    def reset(self, cause: ResetCause = POWER_ON) -> BootOutcome:
        self.boot = Bootloader(self.flash, LAYOUT, self.settings)
        for _ in range(200):
            step = self.boot.step(cause)
            if step.outcome is not None:
                return step.outcome
        raise AssertionError("the boot comes to no end")

    def stage(self, image: bytes = NEW, *, permanent: bool = False) -> UpgradeRequest:
        boot = Bootloader(self.flash, LAYOUT, self.settings)
        candidate = LAYOUT.candidate.on(self.flash)
        candidate.erase(0, candidate.size)
        candidate.program(0, image)
        return boot.request_upgrade(permanent=permanent)

    def on_trial(self, **fields: object) -> BootOutcome:
        self.reset()
        assert self.stage() is UpgradeRequest.ACCEPTED
        return self.reset(SOFTWARE)

    def holds(self, image: bytes) -> bool:
        return LAYOUT.running.on(self.flash).read(0, len(image)) == image


# ---- without an update ----


def test_a_good_image_is_started() -> None:
    ecu = Ecu()
    outcome = ecu.reset()
    assert outcome.slot is Slot.PRIMARY
    assert outcome.version == ImageVersion(1)
    assert outcome.swap_type is SwapType.NONE
    assert not (outcome.trial or outcome.was_refused or outcome.was_reverted or outcome.is_recovery)
    assert ecu.boot.security_counter == 1
    operations = ecu.flash.operations
    ecu.reset()
    assert ecu.flash.operations == operations  # the second boot writes nothing


@pytest.mark.parametrize(
    "running",
    [None, an_image("1", key=STRANGER), an_image("1", hardware_id="CDC"), OLD[:600]],
    ids=["none", "stranger", "other hardware", "cut off"],
)
def test_no_valid_image_ends_in_recovery_and_stays_there(running: bytes | None) -> None:
    ecu = Ecu(running)
    for _ in range(2):
        outcome = ecu.reset()
        assert outcome.is_recovery
        assert outcome.version is None
        assert outcome.swap_type is SwapType.PANIC


def test_a_boot_takes_the_time_of_its_checks() -> None:
    ecu = Ecu(start_ns=1_000, hash_ns_per_kib=10, signature_ns=500)
    ecu.reset()
    step = Bootloader(ecu.flash, LAYOUT, ecu.settings).step(POWER_ON)
    kib = len(OLD) // 1024 + 1
    assert step.done
    assert step.busy_ns == step.compute_ns == 1_000 + kib * 10 + 500


# ---- an update for good ----


def test_a_permanent_upgrade_runs_and_raises_the_counter() -> None:
    ecu = Ecu()
    ecu.reset()
    assert ecu.stage(permanent=True) is UpgradeRequest.ACCEPTED
    assert ecu.boot.pending is SwapType.PERM
    outcome = ecu.reset()
    assert (outcome.version, outcome.swap_type) == (ImageVersion(2), SwapType.PERM)
    assert not outcome.trial
    assert ecu.holds(NEW)
    assert ecu.boot.security_counter == 3
    assert ecu.boot.pending is SwapType.NONE
    # The image before has a lower counter: no way back.
    ecu.stage(OLD, permanent=True)
    outcome = ecu.reset()
    assert outcome.was_refused
    assert outcome.refused is not None
    assert outcome.refused.fault is ImageFault.COUNTER_TOO_LOW
    assert ecu.holds(NEW)


def test_one_step_is_one_sector_at_most() -> None:
    ecu = Ecu()
    ecu.reset()
    ecu.stage()
    boot = Bootloader(ecu.flash, LAYOUT, ecu.settings)
    steps = 0
    while True:
        before = ecu.flash.operations
        step = boot.step(SOFTWARE)
        steps += 1
        assert ecu.flash.operations - before <= 8
        if step.done:
            break
        assert step.busy_ns > 0
    sectors = -(-len(NEW) // 512)
    assert steps > 2 * sectors


# ---- a trial ----


def test_a_confirmed_trial_stays() -> None:
    ecu = Ecu()
    outcome = ecu.on_trial()
    assert (outcome.trial, outcome.try_number, outcome.tries_left) == (True, 1, 2)
    assert outcome.swap_type is SwapType.TEST
    ecu.boot.mark_started()
    assert ecu.boot.in_trial
    assert ecu.boot.security_counter == 1
    assert not ecu.boot.raise_security_counter()  # not before the confirmation
    assert ecu.boot.confirm()
    assert ecu.boot.confirm()
    assert not ecu.boot.in_trial
    assert ecu.boot.raise_security_counter()
    assert not ecu.boot.raise_security_counter()
    assert ecu.boot.security_counter == 3
    outcome = ecu.reset()
    assert (outcome.version, outcome.trial) == (ImageVersion(2), False)


def test_the_counter_is_raised_at_the_next_boot_where_the_application_did_not() -> None:
    ecu = Ecu()
    ecu.on_trial()
    ecu.boot.mark_started()
    ecu.boot.confirm()
    assert ecu.boot.security_counter == 1
    ecu.reset()
    assert ecu.boot.security_counter == 3


@pytest.mark.parametrize("tries", [1, 2, 3, 15])
def test_an_unconfirmed_image_starts_as_often_as_its_tries_and_never_more(tries: int) -> None:
    ecu = Ecu(tries=tries)
    outcome = ecu.on_trial()
    for number in range(1, tries + 1):
        assert (outcome.try_number, outcome.tries_left) == (number, tries - number)
        assert outcome.version == ImageVersion(2)
        ecu.boot.mark_started()
        outcome = ecu.reset()
    assert outcome.version == ImageVersion(1)
    assert outcome.swap_type is SwapType.REVERT
    assert outcome.was_reverted
    assert ecu.holds(OLD)
    assert ecu.boot.security_counter == 1
    assert ecu.reset().was_reverted  # as long as nothing else was swapped


@pytest.mark.parametrize("cause", [ResetCause.POWER_ON, ResetCause.BROWN_OUT])
def test_a_loss_of_supply_before_the_first_start_costs_no_try(cause: ResetCause) -> None:
    ecu = Ecu(tries=1)
    ecu.on_trial()
    for _ in range(40):
        outcome = ecu.reset(cause)
        assert (outcome.version, outcome.try_number) == (ImageVersion(2), 1)
    ecu.boot.mark_started()
    assert ecu.reset(cause).version == ImageVersion(1)


@pytest.mark.parametrize("cause", [ResetCause.WATCHDOG, ResetCause.SOFTWARE])
def test_a_reset_by_software_or_watchdog_before_the_first_start_does(cause: ResetCause) -> None:
    ecu = Ecu(tries=2)
    ecu.on_trial()
    outcome = ecu.reset(cause)
    assert (outcome.version, outcome.try_number) == (ImageVersion(2), 2)
    assert ecu.reset(cause).version == ImageVersion(1)


def test_the_application_can_ask_for_the_image_before() -> None:
    ecu = Ecu()
    ecu.on_trial()
    ecu.boot.mark_started()
    assert ecu.boot.request_revert()
    assert ecu.boot.request_revert()
    assert ecu.boot.reverting
    assert not ecu.boot.confirm()
    assert ecu.reset(SOFTWARE).version == ImageVersion(1)
    assert not ecu.boot.request_revert()


def test_a_confirmed_image_can_not_be_reverted() -> None:
    ecu = Ecu()
    ecu.on_trial()
    ecu.boot.mark_started()
    ecu.boot.confirm()
    assert not ecu.boot.request_revert()
    assert ecu.reset().version == ImageVersion(2)


def test_after_a_revert_the_same_image_can_be_tried_again() -> None:
    ecu = Ecu()
    for _ in range(3):
        ecu.on_trial()
        ecu.boot.mark_started()
        assert ecu.boot.request_revert()
        assert ecu.reset(SOFTWARE).version == ImageVersion(1)
        assert ecu.holds(OLD)
    assert ecu.flash.worst_wear <= 4 * 3 + 2


def test_a_trial_image_that_is_damaged_is_swapped_back() -> None:
    ecu = Ecu()
    ecu.on_trial()
    ecu.flash.erase(LAYOUT.primary.start, 512)
    assert ecu.reset().version == ImageVersion(1)
    assert ecu.holds(OLD)


def test_a_failed_trial_without_the_old_image_ends_in_recovery() -> None:
    ecu = Ecu(tries=1)
    ecu.on_trial()
    ecu.boot.mark_started()
    ecu.flash.erase(LAYOUT.secondary.start, 512)
    outcome = ecu.reset()
    assert outcome.is_recovery
    assert outcome.why == "the trial failed and the old image is gone"


def test_a_damaged_image_is_replaced_by_the_one_before_while_its_counter_allows() -> None:
    same = an_image("2.0.0", 3500)
    ecu = Ecu()
    ecu.reset()
    ecu.stage(same, permanent=True)
    assert ecu.reset().version == ImageVersion(2)
    ecu.flash.erase(LAYOUT.primary.start + 512, 512)
    outcome = ecu.reset()
    assert (outcome.version, outcome.swap_type) == (ImageVersion(1), SwapType.REVERT)


# ---- what is refused ----


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize(
    ("candidate", "fault"),
    [
        (an_image("2", key=STRANGER), ImageFault.KEY_UNKNOWN),
        (an_image("2", hardware_id="CDC"), ImageFault.HARDWARE_WRONG),
        (an_image("2", security_counter=None), ImageFault.COUNTER_MISSING),
        (an_image("9", security_counter=0), ImageFault.COUNTER_TOO_LOW),
        (
            an_image("2", dependencies=(Dependency(4, ImageVersion(1)),)),
            ImageFault.DEPENDENCY_TOO_OLD,
        ),
        (an_image("2")[:100] + b"\x00" + an_image("2")[101:], ImageFault.HASH_WRONG),
    ],
    ids=lambda value: value.name if isinstance(value, ImageFault) else "",
)
def test_a_bad_candidate_is_erased_and_the_old_image_boots(
    permanent: bool, candidate: bytes, fault: ImageFault
) -> None:
    ecu = Ecu(available=((4, ImageVersion(0, 5)),))
    ecu.reset()
    assert ecu.stage(candidate, permanent=permanent) is UpgradeRequest.ACCEPTED
    outcome = ecu.reset()
    assert (outcome.version, outcome.swap_type) == (ImageVersion(1), SwapType.FAIL)
    assert outcome.was_refused
    assert outcome.refused is not None
    assert outcome.refused.fault is fault
    assert ecu.holds(OLD)
    assert ecu.flash.is_erased(LAYOUT.candidate.start, LAYOUT.candidate.size + 512)
    assert not ecu.reset().was_refused


def test_a_request_needs_a_candidate_and_no_trial() -> None:
    ecu = Ecu()
    ecu.reset()
    assert ecu.boot.request_upgrade() is UpgradeRequest.NO_CANDIDATE
    assert not UpgradeRequest.NO_CANDIDATE.stands
    assert ecu.stage() is UpgradeRequest.ACCEPTED
    assert ecu.boot.request_upgrade() is UpgradeRequest.REPEATED
    assert UpgradeRequest.REPEATED.stands
    assert ecu.boot.pending is SwapType.TEST
    assert ecu.boot.request_upgrade(permanent=True) is UpgradeRequest.ACCEPTED
    assert ecu.boot.pending is SwapType.PERM
    assert ecu.boot.request_upgrade() is UpgradeRequest.ACCEPTED
    ecu.reset(SOFTWARE)
    assert ecu.boot.in_trial
    assert ecu.boot.request_upgrade() is UpgradeRequest.IN_TRIAL


def test_a_request_can_be_withdrawn() -> None:
    ecu = Ecu()
    ecu.reset()
    ecu.stage()
    ecu.boot.withdraw_request()
    operations = ecu.flash.operations
    ecu.boot.withdraw_request()
    assert ecu.flash.operations == operations
    assert ecu.reset(SOFTWARE).version == ImageVersion(1)


def test_a_half_written_request_is_cleaned_away() -> None:
    ecu = Ecu()
    ecu.reset()
    trailer = LAYOUT.secondary_trailer.on(ecu.flash)
    trailer.program(trailer.size - 16, bytes(16))
    assert ecu.reset().version == ImageVersion(1)
    assert Trailer(trailer).is_erased


def test_the_application_hears_what_the_next_boot_would_say() -> None:
    ecu = Ecu()
    ecu.reset()
    ecu.stage(an_image("2", key=STRANGER))
    assert ecu.boot.verify_candidate().fault is ImageFault.KEY_UNKNOWN
    ecu.stage()
    assert ecu.boot.verify_candidate().ok


@pytest.mark.parametrize("tries", [0, 16])
def test_settings_out_of_range_are_refused(tries: int) -> None:
    with pytest.raises(UsageError, match=r"BootSettings, tries: expected 1\.\.15"):
        BootSettings(keys=(KEY.public,), tries=tries)
    with pytest.raises(UsageError, match="BootSettings, keys: expected at least one, got none"):
        BootSettings(keys=())


# ---- state ----


def test_a_boot_goes_on_from_a_copy_at_any_step() -> None:
    ecu = Ecu()
    ecu.reset()
    ecu.stage()
    boot = Bootloader(ecu.flash, LAYOUT, ecu.settings)
    while not (step := boot.step(SOFTWARE)).done:
        boot = copy.deepcopy(boot)
        boot = pickle.loads(pickle.dumps(boot))
    assert step.outcome is not None
    assert step.outcome.version == ImageVersion(2)
    assert boot.layout is not None
    assert ecu.holds(OLD)  # the original did not move
    assert copy.deepcopy(ecu.settings) is ecu.settings is copy.copy(ecu.settings)


def test_a_boot_that_was_cut_is_forgotten() -> None:
    ecu = Ecu()
    ecu.reset()
    ecu.stage(an_image("2", key=STRANGER))
    boot = Bootloader(ecu.flash, LAYOUT, ecu.settings)
    boot.step(SOFTWARE)
    boot.restart()
    while not (step := boot.step(POWER_ON)).done:
        pass
    assert step.outcome is not None
    assert step.outcome.was_refused
