"""The image format of MCUboot: header, payload, protected TLVs, TLVs. Numbers and parts only.

    header (32 bytes, padded to `header_size`) | payload | [protected TLVs] | TLVs

The hash covers header, payload and protected TLVs; the signature covers the hash (Ed25519) or the
same bytes (ECDSA). Source: MCUboot, docs/design.md and bootutil/image.h. The tags of `VendorTlv`
are ours, from the range left to vendors (0xXXA0-0xXXFE).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, unique
from functools import total_ordering

from simcore.errors import InputError, UsageError

IMAGE_MAGIC = 0x96F3B83D
HEADER_SIZE = 32
TLV_INFO_MAGIC = 0x6907
TLV_PROTECTED_MAGIC = 0x6908
TLV_INFO_SIZE = 4
TLV_HEADER_SIZE = 4


@unique
class Tlv(IntEnum):
    """Tags of the TLV entries that are understood here."""

    KEYHASH = 0x01
    SHA256 = 0x10
    ECDSA_SIG = 0x22
    ED25519 = 0x24
    DEPENDENCY = 0x40
    SEC_CNT = 0x50


@unique
class VendorTlv(IntEnum):
    """Tags of our own."""

    HARDWARE_ID = 0x00A0
    """Text: the hardware the image is for."""
    BEHAVIOUR = 0x00A1
    """One byte, a `Behaviour`: how the simulated software does after its start."""


@unique
class ImageFlag(IntEnum):
    """Bits of the header's flags that change how an image is read."""

    ENCRYPTED_AES128 = 0x04
    ENCRYPTED_AES256 = 0x08
    NON_BOOTABLE = 0x10
    RAM_LOAD = 0x20
    COMPRESSED_LZMA1 = 0x200
    COMPRESSED_LZMA2 = 0x400


UNREADABLE_FLAGS = (
    ImageFlag.ENCRYPTED_AES128
    | ImageFlag.ENCRYPTED_AES256
    | ImageFlag.NON_BOOTABLE
    | ImageFlag.RAM_LOAD
    | ImageFlag.COMPRESSED_LZMA1
    | ImageFlag.COMPRESSED_LZMA2
)
"""An image with one of these is refused: nothing here could run it."""


@unique
class Behaviour(IntEnum):
    """What simulated software does once it was started."""

    HEALTHY = 0
    SELF_TEST_FAILS = 1
    HANGS = 2
    """After its first act, until the watchdog resets the ECU."""
    HANGS_AT_START = 3
    """Before its first act."""


@total_ordering
@dataclass(frozen=True, slots=True)
class ImageVersion:
    """`major.minor.revision+build`. The build number takes part in comparisons."""

    major: int
    minor: int = 0
    revision: int = 0
    build: int = 0

    def __post_init__(self) -> None:
        limits = (("major", 0xFF), ("minor", 0xFF), ("revision", 0xFFFF), ("build", 0xFFFFFFFF))
        for name, most in limits:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
                raise UsageError(
                    f"ImageVersion, {name}", expected=f"a whole number 0..{most}", got=repr(value)
                )

    @classmethod
    def parse(cls, text: str) -> ImageVersion:
        """From text: `1.2.3+4`; parts may be left out from the right."""
        found = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\+(\d+))?", text)
        if found is None:
            raise UsageError("ImageVersion", expected="major.minor.revision+build", got=repr(text))
        return cls(*(int(part or 0) for part in found.groups()))

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ImageVersion):
            return NotImplemented
        return self._key() < other._key()

    def _key(self) -> tuple[int, int, int, int]:
        return self.major, self.minor, self.revision, self.build

    def __str__(self) -> str:
        tail = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.revision}{tail}"


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another image must be there in at least this version."""

    image: int
    at_least: ImageVersion


@dataclass(frozen=True, slots=True)
class TlvEntry:
    """One entry of a TLV area."""

    tag: int
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as read: its parts, none of them verified."""

    version: ImageVersion
    flags: int
    load_address: int
    header_size: int
    payload_size: int
    size: int
    """From the header to the end of the last TLV."""
    covered: bytes
    """What hash and signature are made over: header, payload, protected TLVs."""
    protected: tuple[TlvEntry, ...]
    entries: tuple[TlvEntry, ...]

    @property
    def payload(self) -> bytes:
        """The software itself."""
        return self.covered[self.header_size : self.header_size + self.payload_size]

    def values(self, tag: int, *, protected: bool) -> tuple[bytes, ...]:
        """Values of all entries with a tag."""
        area = self.protected if protected else self.entries
        return tuple(each.value for each in area if each.tag == tag)

    @property
    def security_counter(self) -> int | None:
        """The counter against going back; `None` where the image has none."""
        found = self.values(Tlv.SEC_CNT, protected=True)
        return int.from_bytes(found[0], "little") if found else None

    @property
    def hardware_id(self) -> str | None:
        """The hardware the image is for; `None` where it names none."""
        found = self.values(VendorTlv.HARDWARE_ID, protected=True)
        return found[0].decode("utf-8", "replace") if found else None

    @property
    def behaviour(self) -> Behaviour:
        """How the simulated software does; healthy unless it says otherwise."""
        found = self.values(VendorTlv.BEHAVIOUR, protected=True)
        known = found and len(found[0]) == 1 and found[0][0] in {int(each) for each in Behaviour}
        return Behaviour(found[0][0]) if known else Behaviour.HEALTHY

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """What must be there beside it."""
        found = self.values(Tlv.DEPENDENCY, protected=True)
        return tuple(Dependency(each[0], read_version(each[4:12])) for each in found)

    @property
    def digest(self) -> bytes | None:
        """SHA-256 that the image states of itself; `None` where it states none."""
        found = self.values(Tlv.SHA256, protected=False)
        return found[0] if found else None

    def __copy__(self) -> Image:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Image:
        return self


EXACT_SIZES = {int(Tlv.SHA256): 32, int(Tlv.KEYHASH): 32, int(Tlv.SEC_CNT): 4, Tlv.DEPENDENCY: 12}
"""Sizes of the values that have a fixed one."""


def read_version(data: bytes) -> ImageVersion:
    """A version as it lies in headers and dependencies: 8 bytes, little endian."""
    if len(data) != 8:
        raise InputError("image version", expected="8 bytes", got=len(data))
    return ImageVersion(
        data[0],
        data[1],
        int.from_bytes(data[2:4], "little"),
        int.from_bytes(data[4:8], "little"),
    )


def version_bytes(version: ImageVersion) -> bytes:
    """The 8 bytes of a version."""
    return (
        bytes((version.major, version.minor))
        + version.revision.to_bytes(2, "little")
        + version.build.to_bytes(4, "little")
    )
