"""Where everything lies in an ECU's flash.

`FlashLayout.plan` lays the regions one behind the other. The secondary slot is one sector longer
than the primary: the swap shifts sectors through it (see swap.py), so a new image is put at its
sector 1 (`candidate`), and the image that ran before is found at its sector 0 (`backup`). The last
sector of either slot holds its trailer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from simcore.errors import UsageError
from simcore.update.flash import Flash, FlashGeometry, FlashRegion

_T = TypeVar("_T")

SECTORS_MOST = 0x7FFF
"""Of an image: what the status area of a swap can count."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A named part of the flash."""

    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.start + self.size

    def on(self, flash: Flash) -> FlashRegion:
        """This part of `flash`."""
        return FlashRegion(flash, self.start, self.size, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashLayout:
    """The regions of one ECU. Build one with `plan`."""

    sector_size: int
    program_size: int
    status: Extent
    """Progress of swaps and of trials: two sectors that take turns."""
    counter: Extent
    """The security counter: two sectors that take turns. Stands for one-time-programmable cells."""
    primary: Extent
    """The slot that runs."""
    secondary: Extent
    download: Extent
    """Where a transfer lands before it is verified."""
    records: Extent
    """The update client's record."""
    audit: Extent
    metadata: Extent

    def __post_init__(self) -> None:
        end = 0
        for extent in self.extents:
            if (
                extent.start % self.sector_size
                or extent.size % self.sector_size
                or (extent.size <= 0)
            ):
                raise UsageError(
                    f"FlashLayout, {extent.name}",
                    expected=f"whole sectors of {self.sector_size} bytes",
                    got=f"{extent.size} bytes at {extent.start:#x}",
                )
            if extent.start < end:
                raise UsageError(
                    f"FlashLayout, {extent.name}",
                    expected=f"a start from {end:#x} on",
                    got=f"{extent.start:#x}",
                )
            end = extent.end
        if self.secondary.size != self.primary.size + self.sector_size:
            raise UsageError(
                "FlashLayout, secondary",
                expected=f"one sector more than the primary: {self.primary.size} + "
                f"{self.sector_size} bytes",
                got=f"{self.secondary.size} bytes",
            )

    @classmethod
    def plan(
        cls,
        image_size: int,
        *,
        sector_size: int = 8192,
        program_size: int = 8,
        record_sectors: int = 2,
        audit_size: int = 65_536,
        metadata_size: int = 65_536,
    ) -> FlashLayout:
        """A layout for images of up to `image_size` bytes, header and signature included."""
        if image_size < 1 or sector_size < 256 or program_size < 1 or sector_size % program_size:
            raise UsageError(
                "FlashLayout.plan",
                expected="an image of at least 1 byte, sectors of at least 256 bytes in whole "
                "program units",
                got=f"{image_size}, {sector_size} and {program_size} bytes",
            )
        sectors = -(-image_size // sector_size)
        if sectors > SECTORS_MOST:
            raise UsageError(
                "FlashLayout.plan", expected=f"at most {SECTORS_MOST} sectors", got=sectors
            )
        wanted = {
            "status": 2,
            "counter": 2,
            "primary": sectors + 1,
            "secondary": sectors + 2,
            "download": sectors,
            "records": record_sectors,
            "audit": -(-audit_size // sector_size),
            "metadata": -(-metadata_size // sector_size),
        }
        extents: dict[str, Extent] = {}
        start = 0
        for name, count in wanted.items():
            extents[name] = Extent(name, start, count * sector_size)
            start += count * sector_size
        return cls(sector_size=sector_size, program_size=program_size, **extents)

    @property
    def extents(self) -> tuple[Extent, ...]:
        """All regions, in the order of their addresses as planned."""
        return tuple(
            value for each in fields(self) if isinstance(value := getattr(self, each.name), Extent)
        )

    @property
    def size(self) -> int:
        """Bytes from address 0 to the end of the last region."""
        return max(each.end for each in self.extents)

    @property
    def image_size(self) -> int:
        """The largest image that fits into a slot."""
        return self.primary.size - self.sector_size

    @property
    def running(self) -> Extent:
        """The image part of the primary slot."""
        return Extent("running", self.primary.start, self.image_size)

    @property
    def candidate(self) -> Extent:
        """Where a new image is installed: the secondary slot from its sector 1 on."""
        return Extent("candidate", self.secondary.start + self.sector_size, self.image_size)

    @property
    def backup(self) -> Extent:
        """Where the image that ran before is after a swap: the secondary slot's start."""
        return Extent("backup", self.secondary.start, self.image_size)

    @property
    def primary_trailer(self) -> Extent:
        """The last sector of the primary slot."""
        return self._trailer("primary trailer", self.primary)

    @property
    def secondary_trailer(self) -> Extent:
        """The last sector of the secondary slot."""
        return self._trailer("secondary trailer", self.secondary)

    def _trailer(self, name: str, slot: Extent) -> Extent:
        return Extent(name, slot.end - self.sector_size, self.sector_size)

    def geometry(self, **others: int) -> FlashGeometry:
        """A flash that just holds this layout; `others` are further fields of `FlashGeometry`."""
        return FlashGeometry(
            size=self.size,
            sector_size=self.sector_size,
            program_size=self.program_size,
            **others,
        )

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self
