"""Flash work that takes many steps: installing into the second slot, and cleaning up.

One flash operation or one comparison per `step`. First everything behind the image is erased, the
trailer of the slot before all, so that no old request meets a new image; then sector by sector
erase, program, read back. The running slot is not known here.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.update.record import Region


@unique
class Work(IntEnum):
    """What a step came to."""

    GOING_ON = 0
    SECTOR_DONE = 1
    RETRIED = 2
    """Read back wrong: the sector is erased again."""
    DONE = 3
    FAILED = 4


@unique
class _Phase(IntEnum):
    ERASE = 0
    PROGRAM = 1
    READ_BACK = 2


class Installation:
    """Copies the download into the candidate's place of the second slot."""

    __slots__ = ("_source", "_slot", "_start", "_size", "_tries_max", "_phase", "done", "tries")

    def __init__(
        self, source: Region, slot: Region, *, start: int, size: int, done: int, tries_max: int
    ) -> None:
        self._source = source
        self._slot = slot
        self._start = start
        self._size = size
        self._tries_max = tries_max
        self._phase = _Phase.ERASE
        self.done = done
        """Sectors of the slot that are complete, in the order of the work."""
        self.tries = 0

    @property
    def sectors(self) -> int:
        """How many sectors the work has."""
        return self._slot.size // self._slot.sector_size

    def step(self) -> Work:
        """One operation."""
        sector = self._sector()
        if self._phase is _Phase.ERASE:
            sector_size = self._slot.sector_size
            self._slot.erase(sector * sector_size, sector_size)
            if not self._content(sector):
                return self._completed()
            self._phase = _Phase.PROGRAM
        elif self._phase is _Phase.PROGRAM:
            self._slot.program(sector * self._slot.sector_size, self._content(sector))
            self._phase = _Phase.READ_BACK
        else:
            return self._read_back(sector)
        return Work.GOING_ON

    def _read_back(self, sector: int) -> Work:
        content = self._content(sector)
        self._phase = _Phase.ERASE
        if self._slot.read(sector * self._slot.sector_size, len(content)) == content:
            return self._completed()
        self.tries += 1
        return Work.FAILED if self.tries >= self._tries_max else Work.RETRIED

    def _completed(self) -> Work:
        self.done += 1
        self.tries = 0
        return Work.DONE if self.done == self.sectors else Work.SECTOR_DONE

    def _sector(self) -> int:
        """From the last sector down to the image's end, the spare ones before it, the image."""
        first, image = self._start // self._slot.sector_size, self._image_sectors()
        behind = self.sectors - first - image
        if self.done < behind:
            return self.sectors - 1 - self.done
        return self.done - behind

    def _image_sectors(self) -> int:
        return -(-self._size // self._slot.sector_size)

    def _content(self, sector: int) -> bytes:
        """What the sector gets; nothing where it only is erased."""
        sector_size = self._slot.sector_size
        offset = sector * sector_size - self._start
        if not 0 <= offset < self._size:
            return b""
        size = min(sector_size, self._size - offset)
        unit = self._slot.program_size
        return self._source.read(offset, -(-size // unit) * unit)


class Cleaning:
    """Erases what is left of a candidate."""

    __slots__ = ("_places", "_next")

    def __init__(self, places: tuple[tuple[Region, int], ...]) -> None:
        self._places = places
        """Region and bytes from its end (negative) or start."""
        self._next = 0

    def step(self) -> Work:
        """Erase a sector."""
        index = self._next
        for region, size in self._places:
            sectors = -(-size // region.sector_size)
            if index < sectors:
                # From the end: the trailer, and with it any request, goes first.
                address = (sectors - 1 - index) * region.sector_size
                region.erase(address, region.sector_size)
                self._next += 1
                return Work.SECTOR_DONE
            index -= sectors
        return Work.DONE
