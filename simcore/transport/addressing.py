"""Addressing information N_AI: which frames belong to a link. ISO 15765-2:2016, clause 10.3.

`Address` maps the addressing formats onto identifiers and the extra byte that extended (N_TA) and
mixed (N_AE) addressing put in front of the control information.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from simcore.bus import Frame
from simcore.bus.frame import MAX_BASE_ID, MAX_EXTENDED_ID
from simcore.errors import UsageError

NORMAL_FIXED_PHYSICAL = 0x18DA0000
NORMAL_FIXED_FUNCTIONAL = 0x18DB0000
MIXED_PHYSICAL = 0x18CE0000
MIXED_FUNCTIONAL = 0x18CD0000
"""Identifiers of 29 bits without target address (bits 8..15) and source address (bits 0..7)."""
FUNCTIONAL_TARGET = 0x33
"""Target address of functional requests to all (ISO 15765-4)."""


@unique
class AddressingMode(IntEnum):
    """Addressing formats."""

    NORMAL = 0
    """Identifiers alone."""
    NORMAL_FIXED = 1
    """29 bits: the identifier holds target and source address."""
    EXTENDED = 2
    """The target address stands in the first byte."""
    MIXED = 3
    """An address extension stands in the first byte: remote diagnostics."""


@dataclass(frozen=True, slots=True)
class Address:
    """The two ends of a link, seen from one of them.

    `target_extension` is the first byte of frames sent, `source_extension` that of frames received
    (extended and mixed addressing; in mixed addressing the same, unless given). Functional requests
    carry the same bytes, unless `functional_extension` is given. Raises `UsageError`.
    """

    tx_id: int
    rx_id: int
    mode: AddressingMode = AddressingMode.NORMAL
    is_extended_id: bool = False
    target_extension: int | None = None
    source_extension: int | None = None
    functional_rx_id: int | None = None
    functional_tx_id: int | None = None
    functional_extension: int | None = None

    def __post_init__(self) -> None:
        if self.mode is AddressingMode.MIXED and self.source_extension is None:
            object.__setattr__(self, "source_extension", self.target_extension)
        self._check_identifiers()
        self._check_extensions()
        if self.is_extended_id and self.mode in _PAGES:
            self._check_pages(*_PAGES[self.mode])
        elif self.mode is AddressingMode.NORMAL_FIXED:
            raise UsageError("Address, is_extended_id", expected="True in mode NORMAL_FIXED")
        if self.functional_rx_id == self.rx_id and self._functional_rx_extension in (
            self.source_extension,
            None,
        ):
            raise UsageError("Address, functional_rx_id", expected="other than rx_id")

    @classmethod
    def normal_fixed(
        cls, target: int, source: int, *, functional_target: int = FUNCTIONAL_TARGET
    ) -> Self:
        """Normal fixed addressing from node `source` to node `target`."""
        return cls._of_pages(
            AddressingMode.NORMAL_FIXED, target, source, None, functional_target=functional_target
        )

    @classmethod
    def mixed(
        cls,
        target: int,
        source: int,
        extension: int,
        *,
        functional_target: int = FUNCTIONAL_TARGET,
    ) -> Self:
        """Mixed addressing with 29 bits from node `source` to node `target`."""
        return cls._of_pages(
            AddressingMode.MIXED, target, source, extension, functional_target=functional_target
        )

    @classmethod
    def _of_pages(
        cls,
        mode: AddressingMode,
        target: int,
        source: int,
        extension: int | None,
        *,
        functional_target: int,
    ) -> Self:
        for name, address in (
            ("target", target),
            ("source", source),
            ("functional_target", functional_target),
        ):
            _require_byte(f"Address, {name}", address)
        physical, functional = _PAGES[mode]
        return cls(
            physical | target << 8 | source,
            physical | source << 8 | target,
            mode=mode,
            is_extended_id=True,
            target_extension=extension,
            functional_tx_id=functional | functional_target << 8 | source,
            functional_rx_id=functional | functional_target << 8 | target,
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def mirrored(self) -> Self:
        """The same link seen from its other end."""
        return type(self)(
            self.rx_id,
            self.tx_id,
            mode=self.mode,
            is_extended_id=self.is_extended_id,
            target_extension=self.source_extension,
            source_extension=self.target_extension,
            functional_rx_id=self.functional_tx_id,
            functional_tx_id=self.functional_rx_id,
            functional_extension=self.functional_extension,
        )

    @property
    def has_extension(self) -> bool:
        """Whether frames carry a byte of addressing information."""
        return self.mode in (AddressingMode.EXTENDED, AddressingMode.MIXED)

    @property
    def prefix(self) -> bytes:
        """What stands in front of the control information of frames sent."""
        return _prefix(self.target_extension)

    @property
    def functional_prefix(self) -> bytes:
        """The same of functional requests."""
        extension = self.functional_extension
        return self.prefix if extension is None else _prefix(extension)

    @property
    def _functional_rx_extension(self) -> int | None:
        extension = self.functional_extension
        return self.source_extension if extension is None else extension

    def accepts(self, frame: Frame) -> bool | None:
        """Whether `frame` is for this end: `True` a functional one, `False` any other, `None` no.

        No remote frame is, and none without at least one byte of control information.
        """
        header = frame.header
        identifier = header.arbitration_id
        if header.is_extended_id is not self.is_extended_id:
            return None
        data = frame.data  # none in a remote frame
        if identifier == self.rx_id:
            if self.source_extension is None:
                return False if data else None
            if len(data) > 1 and data[0] == self.source_extension:
                return False
        if identifier == self.functional_rx_id:
            extension = self._functional_rx_extension
            if extension is None:
                return True if data else None
            if len(data) > 1 and data[0] == extension:
                return True
        return None

    def _check_identifiers(self) -> None:
        limit = MAX_EXTENDED_ID if self.is_extended_id else MAX_BASE_ID
        for name in ("tx_id", "rx_id", "functional_rx_id", "functional_tx_id"):
            identifier = getattr(self, name)
            if identifier is None and name.startswith("functional"):
                continue
            if type(identifier) is not int or not 0 <= identifier <= limit:
                got = f"0x{identifier:X}" if type(identifier) is int else repr(identifier)
                raise UsageError(f"Address, {name}", expected=f"0..0x{limit:X}", got=got)
        if self.tx_id == self.rx_id and self.target_extension == self.source_extension:
            raise UsageError("Address, rx_id", expected="other than tx_id", got=f"0x{self.rx_id:X}")

    def _check_extensions(self) -> None:
        for name in ("target_extension", "source_extension", "functional_extension"):
            extension = getattr(self, name)
            where = f"Address, {name}"
            if not self.has_extension:
                if extension is not None:
                    raise UsageError(
                        where, expected=f"None in mode {self.mode.name}", got=repr(extension)
                    )
            elif extension is not None or name != "functional_extension":
                _require_byte(where, extension)

    def _check_pages(self, physical: int, functional: int) -> None:
        """Identifiers that hold addresses: the right page, and each other's source and target."""
        for name, page in (
            ("tx_id", physical),
            ("rx_id", physical),
            ("functional_tx_id", functional),
            ("functional_rx_id", functional),
        ):
            identifier = getattr(self, name)
            if identifier is not None and identifier & _PAGE_MASK != page & _PAGE_MASK:
                raise UsageError(
                    f"Address, {name}",
                    expected=f"0x{page >> 16:X}.... in mode {self.mode.name}",
                    got=f"0x{identifier:X}",
                )
        swapped = self.tx_id & 0xFF00 == (self.rx_id & 0xFF) << 8
        if not swapped or self.rx_id & 0xFF00 != (self.tx_id & 0xFF) << 8:
            raise UsageError(
                "Address, rx_id",
                expected=f"target and source of tx_id 0x{self.tx_id:X} exchanged",
                got=f"0x{self.rx_id:X}",
            )


_PAGE_MASK = 0x03FF0000
"""Everything above the addresses but the priority, which is free to choose."""
_PAGES = {
    AddressingMode.NORMAL_FIXED: (NORMAL_FIXED_PHYSICAL, NORMAL_FIXED_FUNCTIONAL),
    AddressingMode.MIXED: (MIXED_PHYSICAL, MIXED_FUNCTIONAL),
}


def _prefix(extension: int | None) -> bytes:
    return b"" if extension is None else bytes((extension,))


def _require_byte(where: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= 0xFF:
        raise UsageError(where, expected="0..255", got=repr(value))
