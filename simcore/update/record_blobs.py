"""Two places for the larger data that a record refers to: trusted metadata and the candidate's.

A blob has a number; its place is the number's parity. A new one is written to the place that the
record does not refer to, and counts from the one record write that names it: so replacing the
trusted metadata is atomic.
"""

from __future__ import annotations

import struct
import zlib

from simcore.errors import UsageError
from simcore.update.record import Region

_HEAD = struct.Struct("<4sIII")
_MAGIC = b"UBLB"


class BlobStore:
    """Blobs by number in two halves of `sectors` sectors of a region, from `first_sector` on."""

    __slots__ = ("_region", "_first", "_half")

    def __init__(self, region: Region, first_sector: int, sectors: int) -> None:
        sector_size = region.sector_size
        self._region = region
        self._first = first_sector * sector_size
        self._half = sectors // 2 * sector_size
        if sectors < 2 or self._first + 2 * self._half > region.size:
            raise UsageError(
                "blob store",
                expected=f"at least 2 sectors within a region of {region.size} bytes",
                got=f"{sectors} sectors from number {first_sector}",
            )

    @property
    def capacity(self) -> int:
        """The largest blob."""
        return self._half - _HEAD.size

    def write(self, number: int, blob: bytes) -> None:
        """Write `blob` to the place of `number`."""
        if len(blob) > self.capacity:
            raise UsageError(
                "blob store", expected=f"at most {self.capacity} bytes", got=f"{len(blob)} bytes"
            )
        start = self._first + number % 2 * self._half
        sector_size = self._region.sector_size
        whole = _HEAD.pack(_MAGIC, number, len(blob), zlib.crc32(blob)) + blob
        unit = self._region.program_size
        whole += bytes(-len(whole) % unit)
        for address in range(start, start + len(whole), sector_size):
            self._region.erase(address, sector_size)
        self._region.program(start, whole)

    def read(self, number: int) -> bytes | None:
        """The blob of this number; None where it is not there, or torn."""
        start = self._first + number % 2 * self._half
        magic, found, size, crc = _HEAD.unpack(self._region.read(start, _HEAD.size))
        if magic != _MAGIC or found != number or size > self.capacity:
            return None
        blob = self._region.read(start + _HEAD.size, size)
        return blob if zlib.crc32(blob) == crc else None
