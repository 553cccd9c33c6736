"""What a flash is made of, how it is cut, and the two ways it says no."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, TypeVar

from simcore.errors import SimcoreError, UsageError

_T = TypeVar("_T")


class FlashMisuse(UsageError):  # noqa: N818 - the word of the trade, not `...Error`
    """Software did what NOR flash punishes."""


class PowerLost(SimcoreError):  # noqa: N818 - an event, not an error
    """The supply is gone: whatever ran on this flash has stopped here.

    The one simulated event that is an exception, because that is what stops a processor.
    """

    def __init__(self, operation: int) -> None:
        self.operation = operation
        super().__init__(f"power lost at flash operation {operation}")

    def __reduce__(self) -> tuple[type[PowerLost], tuple[int]]:
        return PowerLost, (self.operation,)


@unique
class CutKind(IntEnum):
    """How a power cut meets an operation."""

    BEFORE = 0
    """The operation does not happen."""
    TORN = 1
    """Some of its bits are written, or erased, and some are not."""
    AFTER = 2
    """It is complete, and nothing after it happens."""


@dataclass(frozen=True, slots=True)
class PowerCut:
    """Power is cut at the operation of this number (`flash.operations` when it begins)."""

    operation: int
    kind: CutKind = CutKind.BEFORE
    seed: int = 0
    """Which bits a torn operation reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashGeometry:
    """What the flash is made of.

    The default is embedded flash of the class found in brake and chassis controllers: 8 KiB
    sectors, 8 byte program units at 2 us per byte (128 bytes in 0.27 ms), 10 ms per erase, 10 000
    cycles. Figures of that order stand in the data sheets of NXP S32K3 and Infineon AURIX; serial
    NOR (W25Q) has 4 KiB sectors, 45 ms per erase, 1.6 us per byte and 100 000 cycles.
    """

    size: int
    sector_size: int = 8192
    program_size: int = 8
    """The smallest unit that can be programmed; each once per erase."""
    erased: int = 0xFF
    endurance: int = 10_000
    """Erase cycles per sector."""
    erase_ns: int = 10_000_000
    """Per sector."""
    program_ns: int = 16_000
    """Per program unit."""

    def __post_init__(self) -> None:
        for name in ("size", "sector_size", "program_size", "endurance"):
            _require_whole(f"FlashGeometry, {name}", getattr(self, name), 1)
        for name in ("erase_ns", "program_ns"):
            _require_whole(f"FlashGeometry, {name}", getattr(self, name), 0)
        if self.erased not in (0x00, 0xFF):
            raise UsageError("FlashGeometry, erased", expected="0x00 or 0xFF", got=self.erased)
        for part, whole in (("program_size", "sector_size"), ("sector_size", "size")):
            if getattr(self, whole) % getattr(self, part):
                raise UsageError(
                    f"FlashGeometry, {whole}",
                    expected=f"a multiple of {part} {getattr(self, part)}",
                    got=getattr(self, whole),
                )

    @property
    def sectors(self) -> int:
        """How many sectors there are."""
        return self.size // self.sector_size

    def __copy__(self: _T) -> _T:
        return self

    def __deepcopy__(self: _T, memo: dict[int, Any]) -> _T:
        return self


def _require_whole(where: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(where, expected=f"a whole number of at least {least}", got=repr(value))
