"""The download area: blocks in order, progress that survives a loss of power.

Progress counts in whole sectors: what lies behind the last persisted boundary is erased and sent
again. The context of the hash is a chained digest per boundary, so it can be stored and checked.
Guards and states are the client's (client.py).
"""

from __future__ import annotations

from enum import IntEnum, unique
from hashlib import blake2b

from simcore.update.record import Region

CONTEXT_SIZE = 8


@unique
class Taken(IntEnum):
    """What became of a block."""

    WRITTEN = 0
    REPEATED = 1
    """Was there already, byte for byte."""
    GAP = 2
    """Not the next one."""
    TOO_LONG = 3


class Download:
    """One transfer into a region."""

    __slots__ = ("_region", "size", "received", "persisted", "context", "_stride", "_rest")

    def __init__(self, region: Region, stride_sectors: int) -> None:
        self._region = region
        self._stride = stride_sectors * region.sector_size
        self.size = 0
        self.received = 0
        self.persisted = 0
        """The last boundary that the record may name, with `context` up to it."""
        self.context = bytes(CONTEXT_SIZE)
        self._rest = b""
        """Bytes that do not fill a program unit yet."""

    def begin(self, size: int, offset: int, context: bytes) -> None:
        """Start, or go on at a persisted boundary if the bytes before it are still as they were."""
        if offset and self._context_up_to(offset) != context:
            offset, context = 0, bytes(CONTEXT_SIZE)
        self.size = size
        self.received = self.persisted = offset
        self.context = context
        self._rest = b""

    def take(self, offset: int, data: bytes) -> Taken:
        """Write a block."""
        if offset + len(data) > self.size:
            return Taken.TOO_LONG
        if offset != self.received or not data:
            same = offset + len(data) <= self.received and self._written(offset, data)
            return Taken.REPEATED if same else Taken.GAP
        unit = self._region.program_size
        whole = self._rest + data
        start = self.received - len(self._rest)
        ready = len(whole) // unit * unit
        self._program(start, whole[:ready])
        self._rest = whole[ready:]
        self.received += len(data)
        self._advance(start + ready)
        return Taken.WRITTEN

    def finish(self) -> bool:
        """Write the rest of the last unit; false while bytes are missing."""
        if self.received != self.size:
            return False
        if self._rest:
            unit = self._region.program_size
            start = self.received - len(self._rest)
            self._program(start, self._rest + bytes(unit - len(self._rest)))
            self._rest = b""
        return True

    def _program(self, start: int, data: bytes) -> None:
        """A sector is erased when its first byte comes."""
        sector_size = self._region.sector_size
        done = 0
        while done < len(data):
            address = start + done
            part = data[done : done + sector_size - address % sector_size]
            if address % sector_size == 0:
                self._region.erase(address, sector_size)
            self._region.program(address, part)
            done += len(part)

    def _advance(self, programmed: int) -> None:
        while self.persisted + self._stride <= programmed:
            chunk = self._region.read(self.persisted, self._stride)
            self.context = _chained(self.context, chunk)
            self.persisted += self._stride

    def _written(self, offset: int, data: bytes) -> bool:
        programmed = self.received - len(self._rest)
        end = offset + len(data)
        found = self._region.read(offset, max(0, min(end, programmed) - offset))
        if end > programmed:
            found += self._rest[max(0, offset - programmed) : end - programmed]
        return found == data

    def _context_up_to(self, offset: int) -> bytes:
        context = bytes(CONTEXT_SIZE)
        for start in range(0, offset, self._stride):
            context = _chained(context, self._region.read(start, self._stride))
        return context


def _chained(context: bytes, chunk: bytes) -> bytes:
    return blake2b(context + chunk, digest_size=CONTEXT_SIZE).digest()
