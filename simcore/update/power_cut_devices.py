"""Whole updates for the power-cut sweep: one ECU through its update client, and a bundle of five.

The tester stands outside and knows what it wants; everything an ECU knows after a loss of power
comes from its flash. Power of a bundle is cut for all ECUs at once, or for one while the others go
on; every ECU at any of its operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from simcore.update.audit import AuditLog
from simcore.update.bundle_phases import BundlePhase
from simcore.update.bundle_reference import (
    COORDINATOR,
    HARDWARE,
    NEW,
    START_NS,
    Built,
    Example,
    built,
)
from simcore.update.bundle_vehicle import BundleVehicle
from simcore.update.client_campaign import Campaign
from simcore.update.client_ecu import ClientType, UpdateEcu
from simcore.update.flash import Flash
from simcore.update.image_format import Behaviour
from simcore.update.image_reader import read_image
from simcore.update.power_cut import DeviceVerdict, Outcome
from simcore.update.reset_cause import ResetCause
from simcore.update.states import UpdateState

ROUNDS_MOST = 1_000


@unique
class UpdatePlot(StrEnum):
    """How a campaign goes."""

    COMMIT = "commit"
    ROLLBACK = "rollback"
    """The self-test of the new image fails; in a bundle, of one of the new images."""
    HANG = "hang"
    """The new image hangs until its tries are used up; in a bundle, one of them."""
    HANG_AT_START = "hang at start"
    REFUSED = "refused"
    """The new image is signed by a stranger; in a bundle, one of them."""


_BEHAVIOUR = {
    UpdatePlot.ROLLBACK: Behaviour.SELF_TEST_FAILS,
    UpdatePlot.HANG: Behaviour.HANGS,
    UpdatePlot.HANG_AT_START: Behaviour.HANGS_AT_START,
}
_ENDS = {
    UpdatePlot.COMMIT: UpdateState.COMMITTED,
    UpdatePlot.ROLLBACK: UpdateState.ROLLED_BACK,
    UpdatePlot.HANG: UpdateState.ROLLED_BACK,
    UpdatePlot.HANG_AT_START: UpdateState.ROLLED_BACK,
    UpdatePlot.REFUSED: UpdateState.FAILED,
}
_AT_FAULT = "EMB_RL"
"""The member of a bundle that spoils it."""


def _what_runs(ecu: UpdateEcu, built_: Built) -> Outcome:
    """The image in the running slot, to the last byte, and nothing but a good one."""
    if ecu.is_in_recovery:
        return Outcome.BRICK
    name = ecu.plan.client.ecu_id
    running = ecu.plan.layout.running.on(ecu.flash)
    for outcome, image in (
        (Outcome.OLD, built_.old_images[name]),
        (Outcome.NEW, built_.images[name]),
    ):
        if running.read(0, len(image)) == image:
            return outcome
    return Outcome.BRICK


def _complaint(ecu: UpdateEcu, outcome: Outcome) -> str:
    """What is wrong with an ECU that has come to its end."""
    client = ecu.client
    if client is None or client.state is not UpdateState.IDLE:
        return f"ended in {None if client is None else client.state.name}"
    record = client.record
    is_new = outcome is Outcome.NEW
    if ecu.security_counter != (NEW.major if is_new else 1):
        return f"security counter {ecu.security_counter} with the {outcome.value} image"
    if (max(record.metadata_versions) > 0) is not is_new:
        return f"metadata versions {record.metadata_versions} with the {outcome.value} image"
    log = AuditLog(
        ecu.plan.layout.audit.on(ecu.flash), ecu=ecu.plan.client.ecu_id, key=ecu.plan.audit_key
    )
    steps = [e.fields["step"] for e in log.entries() if e.kind == "update" and "VOL" not in e.text]
    numbered = sorted({step for step in steps if isinstance(step, int)} | {0})
    if numbered != list(range(record.steps + 1)):
        return f"audit log has steps {numbered} of {record.steps}"
    return ""


def _phase_of(ecu: UpdateEcu) -> str:
    return "boot" if ecu.client is None else ecu.client.state.name


# ---- one ECU ----


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleUpdateStory:
    """A campaign for one ECU, from the announcement to the last erased sector."""

    plot: UpdatePlot = UpdatePlot.COMMIT
    tries: int = 3
    unstable: bool = False
    seed: int = 1

    @property
    def name(self) -> str:
        """What is told."""
        return f"client {self.plot.value}{', unstable' if self.unstable else ''}"

    def example(self) -> Example:
        """The ECU and its campaign."""
        behaviour = _BEHAVIOUR.get(self.plot)
        return Example(
            behaviours=() if behaviour is None else (("EMB_FL", behaviour),),
            strangers=("EMB_FL",) if self.plot is UpdatePlot.REFUSED else (),
            tries=self.tries,
            unstable=self.unstable,
            seed=self.seed,
        )

    def device(self) -> SingleUpdateDevice:
        """A new ECU that runs the old image."""
        return SingleUpdateDevice(self)


class SingleUpdateDevice:
    """One ECU, its tester, and what was seen of them."""

    def __init__(self, story: SingleUpdateStory, client_type: ClientType | None = None) -> None:
        self.story = story
        self._built = built(story.example())
        plan = self._built.plans["EMB_FL"]
        self.ecu = UpdateEcu(plan) if client_type is None else UpdateEcu(plan, client_type)
        self.campaign = Campaign(self._built.metadata, self._built.images["EMB_FL"])
        self._now_ns = START_NS
        self._cause = ResetCause.POWER_ON
        self._power_ons = 0
        self._first: Outcome | None = None
        self._is_over = False

    @property
    def flashes(self) -> tuple[Flash, ...]:
        """The one there is."""
        return (self.ecu.flash,)

    @property
    def flash_names(self) -> tuple[str, ...]:
        """There is one."""
        return ()

    def phase(self, flash: int) -> str:
        """State of the update client, or that the bootloader is at work."""
        return _phase_of(self.ecu)

    def power_on(self, cause: ResetCause) -> None:
        """Nothing is left but the flash and what the tester wants."""
        self._power_ons += 1
        self._cause = cause
        self.ecu.client = None
        self.ecu.outcome = None

    def run_to_end(self) -> None:
        """Until the campaign has ended and everything is tidied up."""
        self.ecu.boot(self._cause, self._now_ns)
        if self._power_ons > 1:
            self._first = _what_runs(self.ecu, self._built)
        for _ in range(ROUNDS_MOST):
            client = self.ecu.client
            if self.ecu.is_in_recovery:
                return
            if client is not None and client.state is UpdateState.IDLE and self.campaign.ended:
                self._is_over = True
                return
            if client is not None:
                self.campaign.act(client, self.ecu.flash, self._now_ns)
            self._now_ns = self.ecu.work(self._now_ns)

    def verdict(self) -> DeviceVerdict:
        """How it ended."""
        outcome = _what_runs(self.ecu, self._built)
        return DeviceVerdict(outcome, self._first, self.ecu.wrong_tries, self._complaint(outcome))

    def _complaint(self, outcome: Outcome) -> str:
        if not self._is_over:
            return "came to no end"
        wanted = _ENDS[self.story.plot]
        if self.campaign.ended is UpdateState.ROLLED_BACK and self._power_ons > self.story.tries:
            wanted = UpdateState.ROLLED_BACK  # so many losses used the tries of a good image up
        if self.campaign.ended is not wanted:
            return f"ended {self.campaign.ended}: {self.campaign.cause}, not {wanted.name}"
        if wanted is not UpdateState.COMMITTED and not self.campaign.cause:
            return "failed without a cause"
        if (outcome is Outcome.NEW) is not (wanted is UpdateState.COMMITTED):
            return f"the {outcome.value} image runs after {wanted.name}"
        if self.ecu.starts_least > self.story.tries:
            return f"{self.ecu.starts_least} starts of an image with {self.story.tries} tries"
        return _complaint(self.ecu, outcome)


# ---- a bundle ----


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleUpdateStory:
    """A campaign for four actuators and the controller, all or none."""

    plot: UpdatePlot = UpdatePlot.COMMIT
    shared_supply: bool = True
    """Whether a loss of power takes all ECUs or only one."""
    tries: int = 3
    unstable: bool = False
    seed: int = 1

    @property
    def name(self) -> str:
        """What is told."""
        supply = "" if self.shared_supply else ", one ECU loses power"
        return f"bundle {self.plot.value}{supply}{', unstable' if self.unstable else ''}"

    def example(self) -> Example:
        """The vehicle and its campaign."""
        behaviour = _BEHAVIOUR.get(self.plot)
        return Example(
            ecus=tuple(HARDWARE),
            in_bundle=True,
            behaviours=() if behaviour is None else ((_AT_FAULT, behaviour),),
            strangers=(_AT_FAULT,) if self.plot is UpdatePlot.REFUSED else (),
            tries=self.tries,
            unstable=self.unstable,
            seed=self.seed,
        )

    def device(self) -> BundleDevice:
        """A new vehicle that runs the old images."""
        return BundleDevice(self)


class BundleDevice:
    """The vehicle, its tester, and what was seen of them."""

    def __init__(self, story: BundleUpdateStory) -> None:
        self.story = story
        self._built = built(story.example())
        self.vehicle = BundleVehicle(self._built.vehicle_plan(), shared_supply=story.shared_supply)
        self.vehicle.now_ns = START_NS
        self._cause = ResetCause.POWER_ON
        self._power_ons = 0
        self._first: Outcome | None = None

    @property
    def flashes(self) -> tuple[Flash, ...]:
        """One per ECU."""
        return tuple(ecu.flash for ecu in self.vehicle.ecus.values())

    @property
    def flash_names(self) -> tuple[str, ...]:
        """The ECUs."""
        return tuple(self.vehicle.ecus)

    def phase(self, flash: int) -> str:
        """State of the update client of one ECU, or that its bootloader is at work."""
        lost = self.vehicle.first_lost_at
        return lost or _phase_of(tuple(self.vehicle.ecus.values())[flash])

    def power_on(self, cause: ResetCause) -> None:
        """Nothing is left but the flashes and what the tester wants."""
        self._power_ons += 1
        self._cause = cause

    def run_to_end(self) -> None:
        """Until the bundle has ended and everything is tidied up."""
        vehicle = self.vehicle
        vehicle.power_on(self._cause)
        if self._power_ons > 1:
            ran = {_what_runs(ecu, self._built) for ecu in vehicle.ecus.values()}
            self._first = Outcome.BRICK if Outcome.BRICK in ran else max(ran)
        for _ in range(ROUNDS_MOST):
            if vehicle.is_over:
                return
            vehicle.round()

    def verdict(self) -> DeviceVerdict:
        """How it ended: all new, all old, or a mixture, which counts as a brick."""
        ecus = self.vehicle.ecus
        ran = {name: _what_runs(ecu, self._built) for name, ecu in ecus.items()}
        outcome = ran[COORDINATOR] if len(set(ran.values())) == 1 else Outcome.BRICK
        wrong = sum(ecu.wrong_tries for ecu in ecus.values())
        first = self._first or self._started_first()
        return DeviceVerdict(outcome, first, wrong, self._complaint(ran, outcome))

    def _started_first(self) -> Outcome | None:
        """What ran first in the ECU that lost power while the others did not."""
        if self.vehicle.first_started is None:
            return None
        name, version = self.vehicle.first_started
        if not version:
            return Outcome.BRICK
        old = read_image(self._built.old_images[name]).version
        return Outcome.OLD if version == str(old) else Outcome.NEW

    def _complaint(self, ran: dict[str, Outcome], outcome: Outcome) -> str:
        vehicle = self.vehicle
        if not vehicle.is_over:
            return f"came to no end: {ran}"
        if vehicle.mixed_drives:
            return f"released for driving with a mixture, {vehicle.mixed_drives} rounds"
        is_new = self.story.plot is UpdatePlot.COMMIT
        losses = vehicle.losses + self._power_ons - 1
        if vehicle.ended is BundlePhase.ROLLED_BACK and losses >= self.story.tries:
            is_new = False  # so many losses used the tries of a good image up
        wanted = BundlePhase.COMMITTED if is_new else BundlePhase.ROLLED_BACK
        if vehicle.ended is not wanted:
            ended = None if vehicle.ended is None else vehicle.ended.name
            return f"ended {ended}, not {wanted.name}"
        if (outcome is Outcome.NEW) is not is_new:
            return f"{outcome.value} after {wanted.name}: {ran}"
        found = (_complaint(ecu, ran[name]) for name, ecu in vehicle.ecus.items())
        return next((each for each in found if each), "")
