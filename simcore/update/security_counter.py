"""The security counter: the least counter an image must carry. It only ever goes up.

It stands for one-time-programmable cells. Two copies, each an append-only row of records with a
checksum in a sector of its own; the value is the largest of all valid ones. A copy is erased when
it is full, and only while the other holds the value.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from zlib import crc32

from simcore.errors import UsageError
from simcore.update.flash import Flash, FlashRegion
from simcore.update.layout import FlashLayout

_RECORD = struct.Struct("<III")


class SecurityCounter:
    """Reads and raises the counter."""

    __slots__ = ("_copies", "_unit")

    def __init__(self, flash: Flash, layout: FlashLayout) -> None:
        half = layout.counter.size // 2
        self._copies = tuple(
            FlashRegion(flash, layout.counter.start + index * half, half, f"counter copy {index}")
            for index in range(2)
        )
        size = max(_RECORD.size, layout.program_size)
        self._unit = -(-size // layout.program_size) * layout.program_size

    @property
    def value(self) -> int:
        """The least counter an image must carry; 0 before it was first raised."""
        return max(self._value(copy) for copy in self._copies)

    def lags(self, value: int) -> bool:
        """Whether a copy holds less than `value`."""
        return any(self._value(copy) < value for copy in self._copies)

    def raise_to(self, value: int) -> None:
        """Raise both copies to `value`. A smaller one changes nothing but heals a lagging copy."""
        if not 0 <= value <= 0xFFFFFFFF:
            raise UsageError("security counter", expected="0..4294967295", got=value)
        value = max(value, self.value)
        # The lower one first: where it is full, the other holds the value while it is erased.
        for copy in sorted(self._copies, key=self._value):
            if self._value(copy) < value:
                self._append(copy, value)

    def _append(self, copy: FlashRegion, value: int) -> None:
        end = self._end(copy)
        if end + self._unit > copy.size:
            copy.erase(0, copy.size)
            end = 0
        body = struct.pack("<II", value, value ^ 0xFFFFFFFF)
        record = body + crc32(body).to_bytes(4, "little")
        copy.program(end, record.ljust(self._unit, bytes((copy.erased,))))

    def _end(self, copy: FlashRegion) -> int:
        """Behind the last record that is not erased: what a cut left of one is passed over."""
        return _read(copy.read(0, copy.size), self._unit, copy.erased)[0]

    def _value(self, copy: FlashRegion) -> int:
        return _read(copy.read(0, copy.size), self._unit, copy.erased)[1]


@lru_cache(maxsize=16)
def _read(data: bytes, unit: int, erased: int) -> tuple[int, int]:
    """End of the records of a copy, and the largest value; every ECU asks at every start."""
    written = len(data[: len(data) // unit * unit].rstrip(bytes((erased,))))
    end = -(-written // unit) * unit
    highest = 0
    for start in range(0, end, unit):
        value, inverse, checksum = _RECORD.unpack_from(data, start)
        body = data[start : start + 8]
        if value ^ inverse == 0xFFFFFFFF and checksum == crc32(body):
            highest = max(highest, value)
    return end, highest
