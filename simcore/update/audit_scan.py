"""Reading an audit log back from flash after any loss of power, and past damage.

Entries are followed as long as each continues the chain. Where several continue it at the same
place, the last one counts: torn cells may read as a whole entry now and as rubbish later, so every
start writes down behind the doubtful end what it goes on from. Where none does, the log goes on
behind an altered entry, at the next two entries that are chained to each other. What is left over
at the end is damage that no entry names yet: whoever opens the log writes it down next.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from simcore.update.audit_record import (
    MAGIC,
    AuditEntry,
    decode_record,
    first_chain,
    next_chain,
)
from simcore.update.flash import FlashRegion


class Gap(NamedTuple):
    """A stretch of flash in which no entry can be read."""

    start: int
    end: int


class Scan(NamedTuple):
    """What a region holds."""

    entries: tuple[AuditEntry, ...]
    end: int
    """Behind everything that is written."""
    chain: bytes
    pending: Gap | None
    """Damage at the end that no entry names yet."""
    broken: tuple[tuple[int, Gap], ...]
    """Damage in the middle that no entry names, with the number of entries before it."""
    copies: int
    """How often the last entry stands there."""


class _Record(NamedTuple):
    """Something in flash that reads like an entry."""

    place: int
    end: int
    entry: AuditEntry

    def follows(self, chain: bytes) -> bool:
        """Whether it continues the chain."""
        return next_chain(chain, self.entry.payload()) == self.entry.chain


def scan_region(region: FlashRegion, ecu: str) -> Scan:
    """All entries of a log, and where it goes on."""
    data = region.read(0, region.size)
    unit = region.program_size
    written = _written_size(data, region.erased, unit)
    records = _records(data, written, unit)
    entries: list[AuditEntry] = []
    broken: list[tuple[int, Gap]] = []
    chain = first_chain(ecu)
    copies: list[_Record] = []
    number = place = 0
    while True:
        found = [
            each for each in records.get(number, ()) if each.place >= place and each.follows(chain)
        ]
        if not found:
            resumed = _resumed(records, place)
            if resumed is None:
                break
            broken.append((len(entries), Gap(place, resumed.place)))
            found = [resumed]
        _, place, entry = found[-1]
        entries.append(entry)
        chain, number, copies = entry.chain, entry.sequence + 1, found
    start = _torn_from(data, copies, region.erased, place)
    pending = Gap(start, written) if start < written else None
    end = max(place, written)
    return Scan(tuple(entries), end, chain, pending, tuple(broken), len(copies))


def _torn_from(data: bytes, copies: list[_Record], erased: int, end: int) -> int:
    """Where the first rubbish behind the first copy of the last entry begins; `end`: beyond all."""
    for first, second in pairwise(copies):
        between = data[first.end : second.place]
        if between.strip(bytes((erased,))):
            return first.end
    return end


def _written_size(data: bytes, erased: int, unit: int) -> int:
    """Bytes up to the last one that is not erased, in whole program units."""
    used = len(data.rstrip(bytes((erased,))))
    return used + -used % unit


def _records(data: bytes, written: int, unit: int) -> dict[int, list[_Record]]:
    """Everything that reads like an entry, by its number, in the order of places."""
    found: dict[int, list[_Record]] = {}
    place = data.find(MAGIC, 0, written)
    while place >= 0:
        decoded = None if place % unit else decode_record(data, place, unit)
        if decoded is not None:
            entry, end = decoded
            found.setdefault(entry.sequence, []).append(_Record(place, end, entry))
        place = data.find(MAGIC, place + 1, written)
    return found


def _resumed(records: dict[int, list[_Record]], start: int) -> _Record | None:
    """The first of the next two entries that are chained to each other."""
    later = [each for same in records.values() for each in same if each.place >= start]
    for first in sorted(later):
        for second in records.get(first.entry.sequence + 1, ()):
            if second.place >= first.end and second.follows(first.entry.chain):
                return first
    return None
