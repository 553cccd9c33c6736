"""The swap of the slots, sector by sector.

The method is MCUboot's swap by offset: the new image lies one sector further up in the secondary
slot, so each sector of the old image moves into the gap before its place is taken:

    forward, i = 0..n-1     secondary[i] := primary[i],  primary[i] := secondary[i + 1]
    back,    i = n-1..0     secondary[i + 1] := primary[i],  primary[i] := secondary[i]

Two copies per sector and no scratch area to wear out. A copy is erase, program, record
(swap_status.py); a cut before the record repeats it, and its source is untouched until then. The
trailers are rewritten at the end, while the swap is still under way, so a cut there repeats that.
"""

from __future__ import annotations

from simcore.update.flash import Flash, FlashRegion
from simcore.update.layout import FlashLayout
from simcore.update.swap_status import StatusLog, SwapStatus
from simcore.update.trailer import SwapType, Trailer

COPY_SIZE = 1024
"""Bytes per program operation while copying."""


class Swap:
    """Carries out the swap under way, one sector per call. All its state is in flash."""

    __slots__ = ("_layout", "_primary", "_secondary", "_trailers", "log")

    def __init__(self, flash: Flash, layout: FlashLayout) -> None:
        self._layout = layout
        self._primary = layout.primary.on(flash)
        self._secondary = layout.secondary.on(flash)
        self._trailers = (
            Trailer(layout.primary_trailer.on(flash)),
            Trailer(layout.secondary_trailer.on(flash)),
        )
        self.log = StatusLog(flash, layout)

    def begin(self, swap_type: SwapType, size: int) -> None:
        """From the end of this call on the swap will be finished."""
        sectors = -(-size // self._layout.sector_size)
        self.log.write(SwapStatus(swap_type=swap_type, sectors=sectors))

    def step(self, status: SwapStatus) -> bool:
        """The next copy, or the end of the swap; whether it is complete."""
        if status.steps < 2 * status.sectors:
            self._copy(status)
            self.log.write(status.after(steps=status.steps + 1))
            return False
        primary, secondary = self._trailers
        primary.erase()
        primary.write_swapped(status.swap_type, status.sectors * self._layout.sector_size)
        secondary.erase()
        confirmed = status.swap_type is not SwapType.TEST
        self.log.write(status.after(complete=True, confirmed=confirmed))
        return True

    def _copy(self, status: SwapStatus) -> None:
        index, is_second = divmod(status.steps, 2)
        shift = 0
        if status.swap_type is SwapType.REVERT:
            index = status.sectors - 1 - index
            shift = 1
        if is_second:
            _copy_sector(self._secondary, index + 1 - shift, self._primary, index)
        else:
            _copy_sector(self._primary, index, self._secondary, index + shift)


def _copy_sector(source: FlashRegion, from_sector: int, target: FlashRegion, sector: int) -> None:
    size = source.sector_size
    data = source.read(from_sector * size, size)
    target.erase(sector * size, size)
    piece = max(COPY_SIZE, source.program_size)
    for offset in range(0, size, piece):
        part = data[offset : offset + piece]
        if part.count(source.erased) != len(part):
            target.program(sector * size + offset, part)
