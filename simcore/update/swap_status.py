"""The status area: how far a swap is, and how the trial of its image stands.

One small record says it all. Every change appends a new one, and the last valid record counts. Two
banks of a sector take turns when one is full: the first record of the next bank carries a higher
sequence number, and only then is the old bank erased.

What a cut leaves of a record fails its checksum, or reads now so and now so. Therefore `settle`
comes first in every boot: it erases a bank that should be blank, and repeats the last record unless
it stands there twice, so that what this boot believes the next one will believe too. It may write
back an older state over a doubtful newer one: nothing was done yet that needed the newer one.

MCUboot keeps its status in the trailers and has no answer to an erase or a write that is cut with
any bits left.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import NamedTuple
from zlib import crc32

from simcore.update.flash import Flash, FlashRegion
from simcore.update.layout import FlashLayout
from simcore.update.trailer import SwapType

TRIES_MOST = 15
_RECORD = struct.Struct("<IBBHHBxI")
_COMPLETE, _OPEN, _REVERTING, _CONFIRMED = 1, 2, 4, 8
_TYPES = frozenset({int(SwapType.TEST), int(SwapType.PERM), int(SwapType.REVERT)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapStatus:
    """The last swap that was begun, and what came of it."""

    swap_type: SwapType
    sectors: int
    """How many sectors are swapped."""
    steps: int = 0
    """How many copies are complete; two per sector."""
    complete: bool = False
    """Both slots and both trailers are as they shall be."""
    tries: int = 0
    """How often the image was about to be started, while not confirmed."""
    is_open: bool = False
    """The last of these starts has not reached the application yet."""
    reverting: bool = False
    """The application asks for the image before."""
    confirmed: bool = False

    def after(self, **changes: object) -> SwapStatus:
        """A copy with changes."""
        return replace(self, **changes)  # type: ignore[arg-type]


class _Bank(NamedTuple):
    """What stands in one bank."""

    status: SwapStatus | None
    """Of the last valid record."""
    sequence: int
    end: int
    """Behind the last byte that is not erased, up to a whole record."""
    is_doubled: bool
    """Whether the last two records are valid and alike."""


class StatusLog:
    """Reads and appends the records."""

    __slots__ = ("_banks", "_unit")

    def __init__(self, flash: Flash, layout: FlashLayout) -> None:
        half = layout.status.size // 2
        self._banks = tuple(
            FlashRegion(flash, layout.status.start + index * half, half, f"status bank {index}")
            for index in range(2)
        )
        self._unit = -(-_RECORD.size // layout.program_size) * layout.program_size

    def read(self) -> SwapStatus | None:
        """How things stand; `None` before the first swap."""
        newest = self._newest()
        return None if newest is None else newest[1].status

    def write(self, status: SwapStatus) -> None:
        """Append a record: from the end of this call on it counts."""
        newest = self._newest()
        if newest is None:
            self._fill(0, status, 1)
            return
        index, bank = newest
        if bank.end + self._unit <= self._banks[index].size:
            self._program(index, bank.end, status, bank.sequence)
            return
        self._fill(1 - index, status, bank.sequence + 1)
        self._program(1 - index, self._unit, status, bank.sequence + 1)
        self._erase(index)

    def settle(self) -> bool:
        """Make sure of what stands there; whether that took work. First thing in a boot."""
        newest = self._newest()
        others = range(2) if newest is None else (1 - newest[0],)
        dirty = [index for index in others if self._scan(index).end]
        for index in dirty:
            self._erase(index)
        if newest is None:
            return bool(dirty)
        status = newest[1].status
        assert status is not None
        if status.complete and newest[1].is_doubled:
            return bool(dirty)
        # Twice: the first may meet a place that reads as blank and is not.
        self.write(status)
        self.write(status)
        return True

    # ---- inside ----

    def _newest(self) -> tuple[int, _Bank] | None:
        found = [(index, bank) for index in range(2) if (bank := self._scan(index)).status]
        return max(found, key=_sequence, default=None)

    def _scan(self, index: int) -> _Bank:
        region = self._banks[index]
        data = region.read(0, region.size)
        used = len(data.rstrip(bytes((region.erased,))))
        end = -(-used // self._unit) * self._unit
        last: SwapStatus | None = None
        sequence = 0
        for start in range(end - self._unit, -1, -self._unit):
            found = _unpacked(data[start : start + _RECORD.size])
            if last is None and found is not None:
                last, sequence = found
            elif last is not None:
                return _Bank(last, sequence, end, found == (last, sequence))
        return _Bank(last, sequence, end, False)

    def _fill(self, index: int, status: SwapStatus, sequence: int) -> None:
        # Always: a bank whose erase was cut may look blank and not hold what is written.
        self._erase(index)
        self._program(index, 0, status, sequence)

    def _erase(self, index: int) -> None:
        self._banks[index].erase(0, self._banks[index].size)

    def _program(self, index: int, place: int, status: SwapStatus, sequence: int) -> None:
        region = self._banks[index]
        record = _packed(status, sequence)
        region.program(place, record.ljust(self._unit, bytes((region.erased,))))


def _sequence(found: tuple[int, _Bank]) -> int:
    return found[1].sequence


def _packed(status: SwapStatus, sequence: int) -> bytes:
    flags = (
        _COMPLETE * status.complete
        | _OPEN * status.is_open
        | _REVERTING * status.reverting
        | _CONFIRMED * status.confirmed
    )
    body = _RECORD.pack(
        sequence, status.swap_type, flags, status.sectors, status.steps, status.tries, 0
    )[:-4]
    return body + crc32(body).to_bytes(4, "little")


def _unpacked(raw: bytes) -> tuple[SwapStatus, int] | None:
    sequence, swap_type, flags, sectors, steps, tries, checksum = _RECORD.unpack(raw)
    if checksum != crc32(raw[:-4]) or swap_type not in _TYPES:
        return None
    status = SwapStatus(
        swap_type=SwapType(swap_type),
        sectors=sectors,
        steps=steps,
        complete=bool(flags & _COMPLETE),
        tries=tries,
        is_open=bool(flags & _OPEN),
        reverting=bool(flags & _REVERTING),
        confirmed=bool(flags & _CONFIRMED),
    )
    return status, sequence
