"""Verification of update metadata: in full on the primary, in part on a secondary (Uptane 2.1).

Full: time; Director root, timestamp, snapshot, targets; unless all that is ordered is installed,
Image root, timestamp, snapshot, targets, delegations; both repositories must agree on every image.
Partial: time and the Director's targets (and, so that its keys can be replaced, its root). What a
partial verifier cannot see is in `simcore.update.attacks`. Nothing here raises for what an
attacker sends: the verdict names the attack and the check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from simcore.update.compatibility import Requirement
from simcore.update.image_format import ImageVersion
from simcore.update.metadata import Assignment, MetadataLimits, Target
from simcore.update.trusted import TrustedMetadata
from simcore.update.verification_verdict import Check, Finding, Verdict, refused

if TYPE_CHECKING:
    from simcore.update.verification_steps import Steps


class Installed(NamedTuple):
    """What runs on an ECU, as its version report says."""

    hardware_id: str
    sha256: bytes
    version: ImageVersion
    release_counter: int = 0
    security_counter: int = 0
    requires: tuple[Requirement, ...] = ()


NOTHING_INSTALLED: Mapping[str, Installed] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FullVerification:
    """What a primary knows of itself and of the ECUs it is responsible for."""

    vin: str
    ecu_id: str
    hardware: Mapping[str, str]
    """Hardware id of every ECU of the vehicle that can be updated, itself included."""
    limits: MetadataLimits = field(default_factory=MetadataLimits)

    def verify(
        self,
        metadata: bytes,
        now_ns: int,
        trusted: TrustedMetadata,
        installed: Mapping[str, Installed] = NOTHING_INSTALLED,
    ) -> Verdict:
        """Check a metadata set at a simulated time (see `metadata_time.EPOCH`).

        `installed` is what the version reports say, by ECU. Without it nothing counts as
        installed already, and requirements on ECUs outside the order cannot be met.
        """
        from simcore.update.verification_steps import FullSteps

        steps = FullSteps(self, metadata, now_ns, trusted, installed)
        return _verdict(steps, self.ecu_id, trusted)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialVerification:
    """What a secondary knows: itself."""

    vin: str
    ecu_id: str
    hardware_id: str
    follows_root: bool = True
    """Whether it accepts new Director roots, without which its keys could never be replaced."""
    limits: MetadataLimits = field(default_factory=MetadataLimits)

    def verify(
        self,
        metadata: bytes,
        now_ns: int,
        trusted: TrustedMetadata,
        installed: Mapping[str, Installed] = NOTHING_INSTALLED,
    ) -> Verdict:
        """Check the Director's part of a metadata set at a simulated time."""
        from simcore.update.verification_steps import PartialSteps

        steps = PartialSteps(self, metadata, now_ns, trusted, installed)
        return _verdict(steps, self.ecu_id, trusted)


def _verdict(steps: Steps, ecu_id: str, trusted: TrustedMetadata) -> Verdict:
    finding = steps.run()
    if finding is not None:
        return Verdict(finding=finding, trusted=trusted)
    return Verdict(
        assignments=steps.assignments,
        mine=next((each for each in steps.assignments if each.ecu_id == ecu_id), None),
        is_new=steps.is_new,
        trusted=steps.trusted(),
    )


# ---- images ----


def check_image(
    assignment: Assignment,
    *,
    length: int,
    sha256: bytes,
    release_counter: int | None = None,
    security_counter: int | None = None,
) -> Verdict:
    """Whether a downloaded image is the one that was ordered.

    The counters, where given, are those that the image itself carries in its header.
    """
    target = assignment.target
    finding = (
        check_length(target, length)
        or _check_hash(target, sha256)
        or _check_counter(target, Check.RELEASE_COUNTER, release_counter, target.release_counter)
        or _check_counter(target, Check.SECURITY_COUNTER, security_counter, target.security_counter)
    )
    if finding:
        return Verdict(finding=finding)
    return Verdict(assignments=(assignment,), mine=assignment, is_new=True)


def check_image_bytes(assignment: Assignment, image: bytes) -> Verdict:
    """`check_image` of an image in memory."""
    return check_image(assignment, length=len(image), sha256=sha256(image).digest())


def check_length(target: Target, length: int, *, complete: bool = True) -> Finding | None:
    """Whether an image has the length that was signed; with `complete=False` while it comes."""
    if length > target.length:
        text = f"{length} bytes, signed are {target.length}"
        return Finding(Check.IMAGE_TOO_LONG, target.filename, text)
    if complete and length < target.length:
        text = f"{length} of {target.length} bytes"
        return Finding(Check.IMAGE_TOO_SHORT, target.filename, text)
    return None


def _check_hash(target: Target, digest: bytes) -> Finding | None:
    if digest == target.sha256:
        return None
    text = f"sha256 {digest.hex()[:16]}..., signed is {target.sha256.hex()[:16]}..."
    return Finding(Check.IMAGE_HASH, target.filename, text)


def _check_counter(
    target: Target, check: Check, carried: int | None, signed: int
) -> Finding | None:
    if carried is None or carried == signed:
        return None
    text = f"the image carries {carried}, signed is {signed}"
    return Finding(check, target.filename, text)


__all__ = [
    "FullVerification",
    "Installed",
    "PartialVerification",
    "Verdict",
    "check_image",
    "check_image_bytes",
    "check_length",
    "refused",
]
