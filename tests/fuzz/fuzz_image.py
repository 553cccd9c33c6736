"""What the bootloader and the update client read: images, trailers, records, metadata, audit log.

The first byte picks the reader. Readers of files may refuse with an `InputError`; those of flash
must read whatever a torn write has left.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from simcore.errors import InputError
from simcore.update.audit_record import decode_record, encode_record
from simcore.update.audit_scan import scan_region
from simcore.update.audit_verify import verify_log
from simcore.update.bundle_authority import Authorisation
from simcore.update.image import SigningKey, build_image
from simcore.update.image_reader import read_image
from simcore.update.image_verify import verify_image
from simcore.update.metadata import pack_files, unpack_files
from simcore.update.record import RecordStore
from simcore.update.trailer import Trailer, TrailerState
from simcore.update.trusted import TrustedMetadata
from simcore.update.version_report import verify_report
from tests.fuzz.draw import Draw

NAME = "image"
INSTRUMENTED = ("simcore.update",)
SIZE_MAX = 600


class Bytes:
    """A flash region that holds the input."""

    sector_size, program_size, erased = 512, 8, 0xFF

    def __init__(self, data: bytes) -> None:
        self._data = data.ljust(2 * self.sector_size, b"\xff")
        self.size = len(self._data)

    def is_erased(self, address: int, size: int) -> bool:
        return not self.read(address, size).strip(b"\xff")

    def read(self, address: int, size: int) -> bytes:
        assert 0 <= address <= address + size <= self.size, (address, size)
        return self._data[address : address + size]


@lru_cache(maxsize=1)
def key() -> SigningKey:
    """Signs the images that are known to be good."""
    return SigningKey.of(1, "fuzz")


@lru_cache(maxsize=1)
def good_image() -> bytes:
    """An image that may run."""
    return build_image(b"payload!" * 4, "1.2.3", key(), security_counter=1, hardware_id="HW")


def seeds() -> list[bytes]:
    """One of everything that is right."""
    image = good_image()
    files = pack_files({"time": b"now", "director/root/1": b"{}"})
    return [
        bytes((0,)) + image,
        bytes((1,)) + image,
        bytes((2,)) + files,
        bytes((3,)) + bytes(64),
        bytes((4,)) + bytes(64),
        bytes((5,)) + b'{"simcore-audit": 1, "ecu": "A", "key": "00", "fingerprint": ""}\n',
        bytes((6,)) + bytes(90),
        bytes((7,)) + b'{"signed": {}, "signature": "00"}',
    ]


def check(data: bytes) -> None:
    """One input."""
    draw = Draw(data)
    _READERS[draw.below(len(_READERS))](draw.rest())


def _image(data: bytes) -> None:
    try:
        image = read_image(data)
    except InputError:
        return
    assert 0 < image.size <= len(data)
    assert image.covered == data[: len(image.covered)]
    assert read_image(data[: image.size]) == image


def _verdict(data: bytes) -> None:
    verdict = verify_image(data, (key().public,), hardware_id="HW", least_counter=1)
    if verdict.ok:
        # Nobody else has the key: what is covered by the signature is what was signed.
        good = read_image(good_image())
        assert verdict.image is not None
        assert verdict.image.covered == good.covered


def _files(data: bytes) -> None:
    try:
        files = unpack_files(data)
    except InputError:
        return
    assert unpack_files(pack_files(files)) == files


def _record(data: bytes) -> None:
    region: Any = Bytes(data)
    store = RecordStore(region, 16)
    assert store.body is None or store.body in data
    assert isinstance(Trailer(region).read(), TrailerState)


def _audit_region(data: bytes) -> None:
    region: Any = Bytes(data)
    scan = scan_region(region, "ECU")
    assert 0 <= scan.end <= region.size
    for entry in scan.entries:
        raw = encode_record(entry, 8, 0xFF)
        decoded = decode_record(raw, 0, 8)
        assert decoded is not None
        assert decoded[0] == entry


def _audit_export(data: bytes) -> None:
    try:
        verdict = verify_log(data)
    except InputError:
        return
    assert str(verdict)


def _flash_bits(data: bytes) -> None:
    word = Authorisation.from_bytes(data)
    if word is not None:
        assert Authorisation.from_bytes(word.to_bytes()) == word
    try:
        trusted = TrustedMetadata.from_bytes(data)
    except InputError:
        return
    assert TrustedMetadata.from_bytes(trusted.to_bytes()) == trusted


def _report(data: bytes) -> None:
    verdict = verify_report(data, hashlib.sha256(b"key").digest())
    assert not verdict.accepted


_READERS = (
    _image,
    _verdict,
    _files,
    _record,
    _audit_region,
    _audit_export,
    _flash_bits,
    _report,
)
