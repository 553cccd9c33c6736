"""Decides whether an image may run: hash, signature, hardware, counter, dependencies.

The order is fixed and the first failure is the verdict; a verdict is data, never an exception.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from hashlib import sha256

from simcore.errors import InputError
from simcore.update.flash import FlashRegion
from simcore.update.image_format import (
    UNREADABLE_FLAGS,
    Image,
    ImageVersion,
    Tlv,
)
from simcore.update.image_keys import KeyKind, VerifyKey
from simcore.update.image_reader import read_image


@unique
class ImageFault(IntEnum):
    """Why an image is refused."""

    EMPTY = 1
    """Nothing but erased bytes where its header would be."""
    MALFORMED = 2
    UNSUPPORTED = 3
    """Encrypted, compressed, for RAM, or marked as not bootable."""
    HASH_MISSING = 4
    HASH_WRONG = 5
    SIGNATURE_MISSING = 6
    KEY_UNKNOWN = 7
    SIGNATURE_WRONG = 8
    HARDWARE_MISSING = 9
    HARDWARE_WRONG = 10
    COUNTER_MISSING = 11
    COUNTER_TOO_LOW = 12
    DEPENDENCY_MISSING = 13
    DEPENDENCY_TOO_OLD = 14


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """`fault` is `None` for an image that may run."""

    image: Image | None
    fault: ImageFault | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the image may run."""
        return self.fault is None


def verify_image(
    source: Image | bytes | FlashRegion,
    keys: Sequence[VerifyKey],
    *,
    hardware_id: str | None = None,
    least_counter: int | None = None,
    available: Mapping[int, ImageVersion] | None = None,
) -> ImageVerdict:
    """Judge an image.

    `hardware_id` and `least_counter` are not asked for where they are `None`; dependencies are
    checked against `available` (image number: version) where that is given.
    """
    if isinstance(source, Image):
        image = source
    else:
        try:
            image = read_image(source)
        except InputError as error:
            head = _head(source)
            is_empty = len(set(head)) == 1 and head[0] in (0x00, 0xFF)
            return ImageVerdict(
                None, ImageFault.EMPTY if is_empty else ImageFault.MALFORMED, str(error)
            )
    failed = (
        _authentic(image, keys)
        or _for_this_hardware(image, hardware_id)
        or _not_older(image, least_counter)
        or _compatible(image, available)
    )
    return ImageVerdict(image, *failed) if failed else ImageVerdict(image)


_Failed = tuple[ImageFault, str] | None


def _head(source: bytes | FlashRegion) -> bytes:
    if isinstance(source, FlashRegion):
        return source.read(0, min(32, source.size))
    return source[:32]


def _authentic(image: Image, keys: Sequence[VerifyKey]) -> _Failed:
    if image.flags & UNREADABLE_FLAGS:
        return ImageFault.UNSUPPORTED, f"flags {image.flags:#x}"
    if image.digest is None:
        return ImageFault.HASH_MISSING, "no TLV 0x10"
    if not hmac.compare_digest(image.digest, sha256(image.covered).digest()):
        return ImageFault.HASH_WRONG, "the SHA-256 stated is not that of the image"
    known = {key.key_hash: key for key in keys}
    seen = unknown = False
    key: VerifyKey | None = None
    # A signature belongs to the key hash in front of it.
    for entry in image.entries:
        if entry.tag == Tlv.KEYHASH:
            key = known.get(entry.value)
            unknown = unknown or key is None
        elif entry.tag in (KeyKind.ED25519, KeyKind.ECDSA_P256):
            seen = True
            if key is not None and key.kind == entry.tag:
                if key.verifies(entry.value, image.covered):
                    return None
                return ImageFault.SIGNATURE_WRONG, f"signature of key {key.key_hash.hex()[:16]}"
    if not seen:
        return ImageFault.SIGNATURE_MISSING, "no signature of a known kind"
    return ImageFault.KEY_UNKNOWN, "signed by no key of this ECU" if unknown else "names no key"


def _for_this_hardware(image: Image, hardware_id: str | None) -> _Failed:
    if hardware_id is None:
        return None
    if image.hardware_id is None:
        return ImageFault.HARDWARE_MISSING, f"for {hardware_id}, the image names none"
    if image.hardware_id != hardware_id:
        return ImageFault.HARDWARE_WRONG, f"for {image.hardware_id}, this is {hardware_id}"
    return None


def _not_older(image: Image, least_counter: int | None) -> _Failed:
    if least_counter is None:
        return None
    counter = image.security_counter
    if counter is None:
        return ImageFault.COUNTER_MISSING, f"at least {least_counter}, the image states none"
    if counter < least_counter:
        return ImageFault.COUNTER_TOO_LOW, f"at least {least_counter}, the image has {counter}"
    return None


def _compatible(image: Image, available: Mapping[int, ImageVersion] | None) -> _Failed:
    if available is None:
        return None
    for each in image.dependencies:
        version = available.get(each.image)
        if version is None:
            return ImageFault.DEPENDENCY_MISSING, f"image {each.image} of {each.at_least}"
        if version < each.at_least:
            return (
                ImageFault.DEPENDENCY_TOO_OLD,
                f"image {each.image}: at least {each.at_least}, there is {version}",
            )
    return None
