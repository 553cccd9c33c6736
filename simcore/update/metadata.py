"""What update metadata says about images, and the one file in which an ECU downloads all of it.

Targets metadata (TUF 4.5) names an image with length and hashes; what a vehicle needs beyond that
lies in its `custom` field, which both repositories sign: hardware ids, release counter, security
counter, version, requirements. The Director adds which ECU shall have it and the bundle.

A metadata set is one file with every role's file of both repositories, byte for byte as signed:

    "SCMS" | format u8 = 1 | count u8 | count x (name length u8 | name | length u32 | data)

Numbers are big endian, names sorted by their bytes, nothing follows. Names are `time`,
`director/root/2`, `director/timestamp`, `image/targets`, `image/delegated/brakes` and so on. The
set itself is not signed: everything in it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simcore.errors import InputError, UsageError
from simcore.update.compatibility import Requirement
from simcore.update.image_format import ImageVersion

_MAGIC = b"SCMS\x01"
_HEX_SHA256 = 64


@dataclass(frozen=True, slots=True)
class MetadataLimits:
    """The most that is read of each file (the X, Y and Z bytes of Uptane), and more bounds."""

    set_size: int = 65_536
    time_size: int = 1_024
    root_size: int = 8_192
    timestamp_size: int = 2_048
    snapshot_size: int = 8_192
    targets_size: int = 16_384
    roots_per_set: int = 32
    version_step: int = 1_000_000
    """A version that jumps by more is refused: it would shut out all honest ones to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An image as signed metadata describe it."""

    filename: str
    length: int
    sha256: bytes
    version: ImageVersion
    hardware_ids: tuple[str, ...]
    release_counter: int
    security_counter: int = 0
    requires: tuple[Requirement, ...] = ()

    def custom(self) -> dict[str, object]:
        """The `custom` field on which both repositories must agree."""
        return {
            "hardware_ids": list(self.hardware_ids),
            "release_counter": self.release_counter,
            "security_counter": self.security_counter,
            "version": str(self.version),
            "requires": [_requirement_fields(each) for each in self.requires],
        }


@dataclass(frozen=True, slots=True)
class BundleOrder:
    """ECUs that get their new software all together or not at all."""

    identifier: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the Director orders for one ECU."""

    ecu_id: str
    hardware_id: str
    target: Target
    bundle: BundleOrder | None = None


def _requirement_fields(requirement: Requirement) -> dict[str, str]:
    fields = {"hardware_id": requirement.hardware_id, "minimum": str(requirement.minimum)}
    return fields if requirement.below is None else fields | {"below": str(requirement.below)}


# ---- reading targets ----


def target_of(filename: str, length: int, hashes: Mapping[str, str], custom: object) -> Target:
    """A target from the fields of targets metadata. Raises `InputError` where one is bad."""
    where = f"target {filename}"
    fields = _mapping(f"{where}: custom", custom)
    digest = hashes.get("sha256", "")
    if len(digest) != _HEX_SHA256:
        raise InputError(f"{where}: hashes", expected="64 hex digits of sha256", got=repr(digest))
    return Target(
        filename=filename,
        length=length,
        sha256=_octets(f"{where}: sha256", digest),
        version=_version(f"{where}: version", fields.get("version")),
        hardware_ids=_texts(f"{where}: hardware_ids", fields.get("hardware_ids")),
        release_counter=_count(f"{where}: release_counter", fields.get("release_counter")),
        security_counter=_count(f"{where}: security_counter", fields.get("security_counter")),
        requires=tuple(
            _requirement(f"{where}: requires", each)
            for each in _list(f"{where}: requires", fields.get("requires", []))
        ),
    )


def assignments_of(target: Target, custom: object) -> tuple[Assignment, ...]:
    """Which ECUs the Director orders a target for. Raises `InputError` where a field is bad."""
    where = f"target {target.filename}"
    fields = _mapping(f"{where}: custom", custom)
    ecus = _mapping(f"{where}: ecus", fields.get("ecus"))
    bundle = None
    if "bundle" in fields:
        order = _mapping(f"{where}: bundle", fields["bundle"])
        bundle = BundleOrder(
            _text(f"{where}: bundle: id", order.get("id")),
            _texts(f"{where}: bundle: members", order.get("members")),
        )
    return tuple(
        Assignment(ecu_id, _text(f"{where}: hardware of {ecu_id}", hardware), target, bundle)
        for ecu_id, hardware in sorted(ecus.items())
    )


def _requirement(where: str, value: object) -> Requirement:
    fields = _mapping(where, value)
    below = fields.get("below")
    return Requirement(
        _text(where, fields.get("hardware_id")),
        _version(where, fields.get("minimum")),
        None if below is None else _version(where, below),
    )


def _version(where: str, value: object) -> ImageVersion:
    try:
        return ImageVersion.parse(_text(where, value))
    except UsageError as error:
        raise InputError(where, expected=error.expected, got=error.got) from None


def _mapping(where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InputError(where, expected="an object", got=repr(value))
    return value


def _list(where: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise InputError(where, expected="a list", got=repr(value))
    return value


def _text(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputError(where, expected="a text", got=repr(value))
    return value


def _texts(where: str, value: object) -> tuple[str, ...]:
    return tuple(_text(where, each) for each in _list(where, value))


def _count(where: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= 0xFFFF_FFFF:
        raise InputError(where, expected="a whole number in 32 bits", got=repr(value))
    return value


def _octets(where: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InputError(where, expected="hex digits", got=repr(text)) from None


# ---- the container ----


def pack_files(files: Mapping[str, bytes]) -> bytes:
    """A metadata set of these files."""
    if len(files) > 0xFF:
        raise UsageError("metadata set", expected="at most 255 files", got=len(files))
    parts = [_MAGIC, bytes([len(files)])]
    for key, data in sorted((name.encode(), data) for name, data in files.items()):
        if not 0 < len(key) <= 0xFF:
            raise UsageError("metadata set", expected="names of 1..255 bytes", got=repr(key))
        if not key.isascii():
            raise UsageError("metadata set", expected="names in ASCII", got=repr(key))
        parts += [bytes([len(key)]), key, len(data).to_bytes(4, "big"), data]
    return b"".join(parts)


def unpack_files(data: bytes) -> dict[str, bytes]:
    """The files of a metadata set by name. Raises `InputError` where it is none, or cut short."""
    if not data.startswith(_MAGIC) or len(data) == len(_MAGIC):
        raise InputError("metadata set", expected="SCMS, format 1", got=data[:6].hex(" "))
    files: dict[str, bytes] = {}
    place, previous = len(_MAGIC) + 1, b""
    for _ in range(data[len(_MAGIC)]):
        key, place = _piece(data, place, 1)
        content, place = _piece(data, place, 4)
        if key <= previous:
            raise InputError("metadata set", expected="sorted names, each once", got=repr(key))
        if not key.isascii():  # escaped, two names could become one
            raise InputError("metadata set", expected="names in ASCII", got=repr(key))
        previous = key
        files[key.decode("ascii")] = content
    if place != len(data):
        raise InputError("metadata set", expected=f"{place} bytes", got=f"{len(data)} bytes")
    return files


def _piece(data: bytes, place: int, width: int) -> tuple[bytes, int]:
    """What follows a length of `width` bytes at `place`, and the place behind it."""
    start = place + width
    end = start + int.from_bytes(data[place:start], "big")
    if end > len(data):
        raise InputError("metadata set", expected=f"at least {end} bytes", got=f"{len(data)} bytes")
    return data[start:end], end
