"""The trailer at the end of a slot: what the application asks for and what the bootloader did.

    ... | swap_size | swap_info | copy_done | image_ok | magic (16 bytes)

Every field fills one program unit (8 bytes at least), so each is written once per erase. A flag is
0x01 for set and erased for unset; anything else is BAD: a write that was cut. The format is that of
MCUboot (docs/design.md, image trailer), so imgtool reads and writes it too.

A request is written back to front: its type and `image_ok` first, the magic last, which makes the
whole of it valid at once. MCUboot writes the magic first: cut there, a permanent request becomes a
test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique

from simcore.update.flash import FlashRegion

_MAGIC_8 = bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
_MAGIC_WIDE = bytes.fromhex("2de15d29410b8d77679c110f1f8a")
_MAGIC_SIZE = 16
_SET = 0x01


@unique
class SwapType(IntEnum):
    """What a boot does to the slots; the values are MCUboot's."""

    NONE = 1
    TEST = 2
    """Swap, and swap back unless the image is confirmed."""
    PERM = 3
    REVERT = 4
    """Swap back."""
    FAIL = 5
    """The image asked for was refused."""
    PANIC = 0xFF
    """No image may run."""


@unique
class Magic(IntEnum):
    """The last field of a trailer."""

    GOOD = 1
    BAD = 2
    UNSET = 3


@unique
class Flag(IntEnum):
    """`image_ok` and `copy_done`."""

    SET = 1
    BAD = 2
    UNSET = 3


@dataclass(frozen=True, slots=True)
class TrailerState:
    """A trailer as read."""

    magic: Magic
    image_ok: Flag
    copy_done: Flag
    swap_type: SwapType = SwapType.NONE
    """From `swap_info`; `NONE` where it says nothing known."""

    @property
    def is_blank(self) -> bool:
        """Whether no field was written."""
        return (self.magic, self.image_ok, self.copy_done, self.swap_type) == (
            Magic.UNSET,
            Flag.UNSET,
            Flag.UNSET,
            SwapType.NONE,
        )


class Trailer:
    """Reads and writes the trailer in the last sector of a slot."""

    __slots__ = ("_align", "_region")

    def __init__(self, region: FlashRegion) -> None:
        self._region = region
        self._align = max(8, region.program_size)

    def read(self) -> TrailerState:
        """All fields."""
        info = self._field(self._swap_info)
        swap_type = SwapType.NONE
        if info is not None and info[1:] == self._blank(self._align - 1):
            low = info[0] & 0x0F
            if info[0] >> 4 == 0 and low in (SwapType.TEST, SwapType.PERM, SwapType.REVERT):
                swap_type = SwapType(low)
        return TrailerState(
            self._read_magic(),
            self._flag(self._image_ok),
            self._flag(self._copy_done),
            swap_type,
        )

    def erase(self) -> None:
        """Take everything back."""
        self._region.erase(0, self._region.size)

    @property
    def is_erased(self) -> bool:
        """Whether the whole sector reads erased."""
        return self._region.is_erased(0, self._region.size)

    def write_request(self, *, permanent: bool) -> None:
        """Ask the bootloader for a swap. The sector must be erased."""
        swap_type = SwapType.PERM if permanent else SwapType.TEST
        self._write(self._swap_info, swap_type)
        if permanent:
            self.write_image_ok()
        self._write_magic()

    def write_swapped(self, swap_type: SwapType, swap_size: int) -> None:
        """Say that a swap is complete. The sector must be erased."""
        size = swap_size.to_bytes(4, "little")
        self._region.program(self._swap_size, size + self._blank(self._align - 4))
        self._write(self._swap_info, swap_type)
        if swap_type is not SwapType.TEST:
            self.write_image_ok()
        self._write_magic()
        self._write(self._copy_done, _SET)

    def write_image_ok(self) -> None:
        """Confirm the image."""
        self._write(self._image_ok, _SET)

    # ---- inside ----

    @property
    def _image_ok(self) -> int:
        return self._magic_unit - self._align

    @property
    def _copy_done(self) -> int:
        return self._magic_unit - 2 * self._align

    @property
    def _swap_info(self) -> int:
        return self._magic_unit - 3 * self._align

    @property
    def _swap_size(self) -> int:
        return self._magic_unit - 4 * self._align

    @property
    def _magic_unit(self) -> int:
        """Start of the program unit(s) whose end is the magic."""
        return self._region.size - max(_MAGIC_SIZE, self._align)

    @property
    def _good_magic(self) -> bytes:
        if self._align == 8:
            return _MAGIC_8
        return self._align.to_bytes(2, "little") + _MAGIC_WIDE

    def _read_magic(self) -> Magic:
        found = self._region.read(self._region.size - _MAGIC_SIZE, _MAGIC_SIZE)
        if found == self._good_magic:
            return Magic.GOOD
        return Magic.UNSET if found == self._blank(_MAGIC_SIZE) else Magic.BAD

    def _flag(self, offset: int) -> Flag:
        unit = self._field(offset)
        if unit is None:
            return Flag.UNSET
        return Flag.SET if unit == bytes((_SET,)) + self._blank(self._align - 1) else Flag.BAD

    def _field(self, offset: int) -> bytes | None:
        unit = self._region.read(offset, self._align)
        return None if unit == self._blank(self._align) else unit

    def _write(self, offset: int, value: int) -> None:
        self._region.program(offset, bytes((value,)) + self._blank(self._align - 1))

    def _write_magic(self) -> None:
        size = max(_MAGIC_SIZE, self._align)
        self._region.program(self._magic_unit, self._blank(size - _MAGIC_SIZE) + self._good_magic)

    def _blank(self, size: int) -> bytes:
        return bytes((self._region.erased,)) * size
