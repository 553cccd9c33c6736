"""NOR flash: sectors, erase, program, wear, and power that is cut in the middle.

What software must not do is refused with a `FlashMisuse` that says what and where: programming
what is not erased, off the program unit, erasing off a sector, beyond the endurance, out of range.
A power cut is ordered by the number of the operation (`flash.cut`) or comes by time
(`power_lost`). Sectors are immutable bytes that copies of a flash share, so a copy costs one list.

Not modelled: read disturb, retention, bit errors and their correction.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from simcore.errors import UsageError
from simcore.update.flash_geometry import (
    CutKind,
    FlashGeometry,
    FlashMisuse,
    PowerCut,
    PowerLost,
)
from simcore.update.flash_tear import torn_at_unit, torn_erase, torn_program, unstable_read

_T = TypeVar("_T")

__all__ = [
    "CutKind",
    "Flash",
    "FlashGeometry",
    "FlashMisuse",
    "FlashRegion",
    "PowerCut",
    "PowerLost",
]

WINDOW_OPERATIONS = 256
"""Operations that a cut by time can reach back to."""


@dataclass(frozen=True, slots=True)
class _Done:
    """One operation of the window: enough to undo or tear it."""

    sector: int
    before: bytes
    after: bytes
    start: int
    """First programmed byte in the sector; -1: an erase."""
    busy_ns: int

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


class Flash:
    """One flash device. Copies, pickles and forks at any instant."""

    __slots__ = (
        "geometry",
        "operations",
        "cut",
        "unstable",
        "_contents",
        "_wear",
        "_doubtful",
        "_window",
        "_window_is_taken",
        "_forgotten_ns",
        "_reads",
    )

    def __init__(self, geometry: FlashGeometry, *, unstable: bool = False) -> None:
        self.geometry = geometry
        self.operations = 0
        """Erases and program calls begun so far; a call that spans sectors is one for each."""
        self.cut: PowerCut | None = None
        """The next power cut; taken away when it happens."""
        self.unstable = unstable
        """Whether torn cells read differently each time, until their sector is erased."""
        blank = bytes((geometry.erased,)) * geometry.sector_size
        self._contents = [blank] * geometry.sectors
        self._wear = [0] * geometry.sectors
        self._doubtful: dict[int, bytes] = {}
        self._window: list[_Done] = []
        self._window_is_taken = False
        self._forgotten_ns = 0
        self._reads = 0

    # ---- what software does ----

    def read(self, address: int, size: int) -> bytes:
        """The bytes as they are now."""
        self._require_range("read", address, size)
        if not size:
            return b""
        sector_size = self.geometry.sector_size
        first, offset = divmod(address, sector_size)
        if offset + size <= sector_size:
            return self._sector(first)[offset : offset + size]
        last = (address + size - 1) // sector_size
        whole = b"".join(self._sector(each) for each in range(first, last + 1))
        return whole[offset : offset + size]

    def is_erased(self, address: int, size: int) -> bool:
        """Blank check: whether every byte reads as erased."""
        return self.read(address, size) == bytes((self.geometry.erased,)) * size

    def erase(self, address: int, size: int) -> None:
        """Erase whole sectors, one operation each."""
        self._require_range("erase", address, size)
        sector_size = self.geometry.sector_size
        if address % sector_size or size % sector_size:
            raise FlashMisuse(
                f"flash, erase of {size} bytes at {address:#x}",
                expected=f"whole sectors of {sector_size} bytes",
            )
        for sector in range(address // sector_size, (address + size) // sector_size):
            self._erase_sector(sector)

    def program(self, address: int, data: bytes) -> None:
        """Program whole units that are erased, one operation per sector."""
        self._require_range("program", address, len(data))
        geometry = self.geometry
        if address % geometry.program_size or len(data) % geometry.program_size:
            raise FlashMisuse(
                f"flash, program of {len(data)} bytes at {address:#x}",
                expected=f"whole units of {geometry.program_size} bytes",
            )
        done = 0
        while done < len(data):
            sector, start = divmod(address + done, geometry.sector_size)
            part = data[done : done + geometry.sector_size - start]
            self._program_sector(sector, start, bytes(part))
            done += len(part)

    # ---- what the model tells ----

    def wear(self, sector: int) -> int:
        """How often a sector was erased."""
        self._require_range("wear", sector * self.geometry.sector_size, 1)
        return self._wear[sector]

    @property
    def worst_wear(self) -> int:
        """The largest number of erases of any sector."""
        return max(self._wear)

    def take_busy_ns(self) -> int:
        """How long the operations since the last call keep the flash busy, in a row."""
        if self._window_is_taken:
            return 0
        self._window_is_taken = True
        return self._forgotten_ns + sum(each.busy_ns for each in self._window)

    def power_lost(self, elapsed_ns: int, seed: int = 0) -> None:
        """Power is lost `elapsed_ns` after the operations of the last `take_busy_ns` began.

        The operation that is under way then is torn, those behind it never happened.
        """
        if elapsed_ns < self._forgotten_ns:
            raise UsageError(
                f"flash, power lost after {elapsed_ns} ns",
                expected=f"take_busy_ns() at least every {WINDOW_OPERATIONS} operations",
            )
        ends_ns = self._forgotten_ns
        started = 0
        for each in self._window:
            if ends_ns >= elapsed_ns and each.busy_ns:
                break
            started += 1
            ends_ns += each.busy_ns
        for each in reversed(self._window[started:]):
            self._undo(each)
        if started and ends_ns > elapsed_ns:
            done = self._window[started - 1]
            self._tear_in_time(done, elapsed_ns - (ends_ns - done.busy_ns), seed)
        self._window = []
        self._window_is_taken = True
        self._forgotten_ns = 0

    # ---- inside ----

    def _sector(self, sector: int) -> bytes:
        content = self._contents[sector]
        if self.unstable and sector in self._doubtful:
            self._reads += 1
            content = unstable_read(
                content, self._doubtful[sector], self.geometry.erased, self._reads
            )
        return content

    def _erase_sector(self, sector: int) -> None:
        geometry = self.geometry
        if self._wear[sector] >= geometry.endurance:
            raise FlashMisuse(
                f"flash, erase of sector {sector} at {sector * geometry.sector_size:#x}",
                expected=f"at most {geometry.endurance} cycles",
                got=self._wear[sector] + 1,
            )
        kind = self._begin()
        self._wear[sector] += 1
        before = self._contents[sector]
        after = bytes((geometry.erased,)) * geometry.sector_size
        if kind is CutKind.TORN:
            assert self.cut is not None
            after, doubtful = torn_erase(before, geometry.erased, self.cut.seed)
            self._doubtful[sector] = doubtful
        else:
            self._doubtful.pop(sector, None)
        self._end(_Done(sector, before, after, -1, geometry.erase_ns), kind)

    def _program_sector(self, sector: int, start: int, data: bytes) -> None:
        geometry = self.geometry
        before = self._contents[sector]
        end = start + len(data)
        self._require_erased(sector, before, start, end)
        kind = self._begin()
        new = data
        if kind is CutKind.TORN:
            assert self.cut is not None
            old = before[start:end]
            size = geometry.program_size
            new, doubtful = torn_program(old, data, size, geometry.erased, self.cut.seed)
            self._doubt(sector, start, doubtful)
        elif sector in self._doubtful:
            self._settle(sector, start, data)
        after = before[:start] + new + before[end:]
        busy_ns = len(data) // geometry.program_size * geometry.program_ns
        self._end(_Done(sector, before, after, start, busy_ns), kind)

    def _require_erased(self, sector: int, before: bytes, start: int, end: int) -> None:
        erased = bytes((self.geometry.erased,)) * (end - start)
        found = before[start:end]
        if found == erased:
            return
        doubtful = self._doubtful.get(sector)
        for index in range(end - start):
            wrong = found[index] ^ self.geometry.erased
            if self.unstable and doubtful is not None:
                wrong &= ~doubtful[start + index]
            if wrong:
                raise FlashMisuse(
                    f"flash, program at {sector * self.geometry.sector_size + start + index:#x}",
                    expected=f"an erased byte ({self.geometry.erased:#04x})",
                    got=f"{found[index]:#04x}",
                )

    def _begin(self) -> CutKind | None:
        """The kind of cut that meets this operation."""
        if self._window_is_taken:
            self._window = []
            self._window_is_taken = False
            self._forgotten_ns = 0
        cut = self.cut
        if cut is None or cut.operation != self.operations:
            self.operations += 1
            return None
        self.operations += 1
        if cut.kind is CutKind.BEFORE:
            self._lose(cut)
        return cut.kind

    def _end(self, done: _Done, kind: CutKind | None) -> None:
        self._contents[done.sector] = done.after
        self._window.append(done)
        if len(self._window) > WINDOW_OPERATIONS:
            self._forgotten_ns += self._window.pop(0).busy_ns
        if kind is not None:
            assert self.cut is not None
            self._lose(self.cut)

    def _lose(self, cut: PowerCut) -> None:
        self.cut = None
        self._window = []
        self._window_is_taken = True
        self._forgotten_ns = 0
        raise PowerLost(cut.operation)

    def _undo(self, done: _Done) -> None:
        self._contents[done.sector] = done.before
        if done.start < 0:
            self._wear[done.sector] -= 1

    def _tear_in_time(self, done: _Done, into_ns: int, seed: int) -> None:
        geometry = self.geometry
        if done.start < 0:
            content, doubtful = torn_erase(done.before, geometry.erased, seed)
            self._doubtful[done.sector] = doubtful
        else:
            unit = into_ns // geometry.program_ns * geometry.program_size
            old, new = done.before[done.start :], done.after[done.start :]
            tail, doubtful = torn_at_unit(
                old, new, unit, geometry.program_size, geometry.erased, seed
            )
            # Behind the programmed bytes old and new are alike, so the rest of `tail` is too.
            content = done.before[: done.start] + tail
            self._doubt(done.sector, done.start, doubtful)
        self._contents[done.sector] = content

    def _doubt(self, sector: int, start: int, doubtful: bytes) -> None:
        size = self.geometry.sector_size
        mask = int.from_bytes(self._doubtful.get(sector, bytes(size)), "big")
        placed = bytes(start) + doubtful + bytes(size - start - len(doubtful))
        self._doubtful[sector] = (mask | int.from_bytes(placed, "big")).to_bytes(size, "big")

    def _settle(self, sector: int, start: int, data: bytes) -> None:
        """Bits that were programmed read as they should, whatever they were before."""
        size = self.geometry.sector_size
        level = bytes((self.geometry.erased,))
        filled = level * start + data + level * (size - start - len(data))
        unchanged = int.from_bytes(filled, "big") ^ int.from_bytes(
            bytes((self.geometry.erased ^ 0xFF,)) * size, "big"
        )
        mask = int.from_bytes(self._doubtful[sector], "big") & unchanged
        self._doubtful[sector] = mask.to_bytes(size, "big")

    def _require_range(self, what: str, address: int, size: int) -> None:
        if address < 0 or size < 0 or address + size > self.geometry.size:
            raise FlashMisuse(
                f"flash, {what} of {size} bytes at {address:#x}",
                expected=f"addresses below {self.geometry.size:#x}",
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Flash:
        twin = Flash.__new__(Flash)
        memo[id(self)] = twin
        twin.geometry = self.geometry
        twin.operations = self.operations
        twin.cut = self.cut
        twin.unstable = self.unstable
        twin._contents = self._contents[:]
        twin._wear = self._wear[:]
        twin._doubtful = dict(self._doubtful)
        twin._window = self._window[:]
        twin._window_is_taken = self._window_is_taken
        twin._forgotten_ns = self._forgotten_ns
        twin._reads = self._reads
        return twin

    def __copy__(self) -> Flash:
        return self.__deepcopy__({})


class FlashRegion:
    """A part of a flash with addresses of its own, from 0. Whole sectors."""

    __slots__ = ("flash", "start", "size", "name")

    def __init__(self, flash: Flash, start: int, size: int, name: str = "region") -> None:
        sector_size = flash.geometry.sector_size
        if start % sector_size or size % sector_size or start < 0 or size < 0:
            raise UsageError(
                f"flash region {name}, {size} bytes at {start:#x}",
                expected=f"whole sectors of {sector_size} bytes",
            )
        if start + size > flash.geometry.size:
            raise UsageError(
                f"flash region {name}, {size} bytes at {start:#x}",
                expected=f"addresses below {flash.geometry.size:#x}",
            )
        self.flash = flash
        self.start = start
        self.size = size
        self.name = name

    @property
    def sector_size(self) -> int:
        """Bytes per sector."""
        return self.flash.geometry.sector_size

    @property
    def program_size(self) -> int:
        """Bytes per program unit."""
        return self.flash.geometry.program_size

    @property
    def erased(self) -> int:
        """The value of an erased byte."""
        return self.flash.geometry.erased

    @property
    def sectors(self) -> int:
        """How many sectors the region has."""
        return self.size // self.flash.geometry.sector_size

    def read(self, address: int, size: int) -> bytes:
        """As `Flash.read`."""
        self._require_inside("read", address, size)
        return self.flash.read(self.start + address, size)

    @property
    def is_blank(self) -> bool:
        """Whether all of it reads as erased."""
        return self.is_erased(0, self.size)

    def is_erased(self, address: int, size: int) -> bool:
        """As `Flash.is_erased`."""
        self._require_inside("blank check", address, size)
        return self.flash.is_erased(self.start + address, size)

    def erase(self, address: int, size: int) -> None:
        """As `Flash.erase`."""
        self._require_inside("erase", address, size)
        self.flash.erase(self.start + address, size)

    def program(self, address: int, data: bytes) -> None:
        """As `Flash.program`."""
        self._require_inside("program", address, len(data))
        self.flash.program(self.start + address, data)

    def __deepcopy__(self, memo: dict[int, Any]) -> FlashRegion:
        twin = FlashRegion.__new__(FlashRegion)
        memo[id(self)] = twin
        flash = memo.get(id(self.flash))
        twin.flash = flash if isinstance(flash, Flash) else deepcopy(self.flash, memo)
        twin.start, twin.size, twin.name = self.start, self.size, self.name
        return twin

    def _require_inside(self, what: str, address: int, size: int) -> None:
        if address < 0 or size < 0 or address + size > self.size:
            raise FlashMisuse(
                f"flash region {self.name}, {what} of {size} bytes at {address:#x}",
                expected=f"addresses below {self.size:#x}",
            )
