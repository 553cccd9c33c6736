"""Judging a downloaded or installed image: one named check after the other, first failure decides.

Order: hash as ordered (the length was held while it came), structure, signature, hardware and
dependencies, version, release counter, security counter. Each failure is named as the attack it
would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from simcore.update.client_settings import ClientSettings
from simcore.update.image_reader import read_image
from simcore.update.image_verify import ImageFault, ImageVerdict, verify_image
from simcore.update.metadata import Target
from simcore.update.record import Region
from simcore.update.verification_verdict import ATTACK_OF, Attack, Check

_T = TypeVar("_T")

CHECKS = ("hash", "signature", "version", "release counter", "security counter")
"""What `ImageChecks.failure` looks at, in this order. `signature` includes structure, hardware id
and dependencies (image_verify.py)."""

_ATTACK_OF_FAULT: Mapping[ImageFault, Attack] = {
    ImageFault.EMPTY: Attack.ARBITRARY_SOFTWARE,
    ImageFault.MALFORMED: Attack.ARBITRARY_SOFTWARE,
    ImageFault.UNSUPPORTED: Attack.ARBITRARY_SOFTWARE,
    ImageFault.HASH_MISSING: Attack.ARBITRARY_SOFTWARE,
    ImageFault.HASH_WRONG: Attack.ARBITRARY_SOFTWARE,
    ImageFault.SIGNATURE_MISSING: Attack.ARBITRARY_SOFTWARE,
    ImageFault.KEY_UNKNOWN: Attack.ARBITRARY_SOFTWARE,
    ImageFault.SIGNATURE_WRONG: Attack.ARBITRARY_SOFTWARE,
    ImageFault.HARDWARE_MISSING: Attack.ARBITRARY_SOFTWARE,
    ImageFault.HARDWARE_WRONG: Attack.ARBITRARY_SOFTWARE,
    ImageFault.COUNTER_MISSING: Attack.ROLLBACK,
    ImageFault.COUNTER_TOO_LOW: Attack.ROLLBACK,
    ImageFault.DEPENDENCY_MISSING: Attack.MIX_AND_MATCH,
    ImageFault.DEPENDENCY_TOO_OLD: Attack.MIX_AND_MATCH,
}


class Failure(NamedTuple):
    """Why metadata or an image were refused."""

    cause: str
    """`attack: check`, or what failed where nobody attacked. Persisted."""
    detail: str = ""


def attack_of(cause: str) -> Attack | None:
    """The attack that a persisted cause names."""
    title = cause.partition(":")[0]
    return next((attack for attack in Attack if attack.title == title), None)


def failure_of(check: Check, detail: str = "") -> Failure:
    """A failed check with the name of its attack."""
    return Failure(f"{ATTACK_OF[check].title}: {check.title}", detail)


class ImageChecks:
    """The checks of one ECU. Never changes."""

    __slots__ = ("_settings",)

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self

    def failure(
        self, check: str, area: Region, target: Target, stored_counter: int, release_counter: int
    ) -> Failure | None:
        """Run one of `CHECKS` on the image in `area`; None where it passes.

        `release_counter` is that of the image that runs.
        """
        if target.length > area.size:
            return failure_of(Check.TOO_LONG, f"{target.length} bytes into {area.size}")
        image = area.read(0, target.length)
        match check:
            case "hash":
                wrong = sha256(image).digest() != target.sha256
                return failure_of(Check.IMAGE_HASH, target.filename) if wrong else None
            case "signature":
                return self._signature(image)
            case "release counter":
                if target.release_counter < release_counter:
                    text = f"{target.release_counter} after {release_counter}"
                    return failure_of(Check.RELEASE_COUNTER, text)
                return None
            case "security counter":
                return self._counter(image, target, stored_counter)
        return _version(image, target)

    def staged(self, area: Region, target: Target) -> Failure | None:
        """Whether an installed image is the one that was verified."""
        image = area.read(0, target.length)
        if sha256(image).digest() != target.sha256:
            return Failure("installed image is not the verified one")
        return self._signature(image)

    def _signature(self, image: bytes) -> Failure | None:
        settings = self._settings
        return _named(
            verify_image(
                image,
                settings.keys,
                hardware_id=settings.hardware_id,
                available=settings.available or None,
            )
        )

    def _counter(self, image: bytes, target: Target, stored: int) -> Failure | None:
        settings = self._settings
        carried = read_image(image).security_counter
        if carried is not None and carried != target.security_counter:
            text = f"the image carries {carried}, signed is {target.security_counter}"
            return failure_of(Check.SECURITY_COUNTER, text)
        return _named(verify_image(image, settings.keys, least_counter=stored))


def _version(image: bytes, target: Target) -> Failure | None:
    carried = str(read_image(image).version)
    if carried == str(target.version):
        return None
    text = f"the image is {carried}, ordered was {target.version}"
    return failure_of(Check.REPOSITORIES_DIFFER, text)


def _named(verdict: ImageVerdict) -> Failure | None:
    if verdict.fault is None:
        return None
    fault = verdict.fault
    title = fault.name.lower().replace("_", " ")
    return Failure(f"{_ATTACK_OF_FAULT[fault].title}: {title}", verdict.detail)
