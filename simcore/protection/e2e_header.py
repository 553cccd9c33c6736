"""What every E2E profile is behind its header: fill it in, read it back.

A header knows bytes, checksum and data id, and no sequence: counters are kept by `e2e_sender` and
judged by `e2e_receiver`. Headers never change and are shared by copies.
"""

from __future__ import annotations

from typing import Any, Final, Self

from simcore.errors import UsageError
from simcore.network.e2e_config import E2eConfig
from simcore.network.e2e_layout import PLAIN, PROFILES

WRONG: Final = -1
"""Instead of a counter: wrong checksum, data id or length field."""


class Header:
    """Header of one message: subclasses fill in and read one family of profiles."""

    __slots__ = ("config", "counter_bits", "counter_modulo", "length", "length_max", "length_min")

    def __init__(self, config: E2eConfig, length: int) -> None:
        """Raises `UsageError` for a length the profile does not have at this offset."""
        self.config = config
        self.length = length
        self.length_min = self.length_max = length
        if config.profile in PLAIN:
            return
        layout = PROFILES[config.profile]
        self.counter_modulo = layout.counter_modulo
        """The counter runs 0..modulo - 1."""
        self.counter_bits = layout.counter.length_bits
        needed = config.least_length
        if config.min_length is not None or config.max_length is not None:
            self.length_min = config.min_length if config.min_length is not None else needed
            self.length_max = config.max_length if config.max_length is not None else length
        for bound in (length, self.length_min, self.length_max):
            if not needed <= bound <= layout.length_max:
                raise self._bad("length", f"{needed}..{layout.length_max} bytes", bound)

    def seal(self, buffer: bytearray, counter: int) -> None:
        """Write the header with `counter` into `buffer`."""
        raise NotImplementedError

    def open(self, data: bytes) -> int:
        """The counter of a right frame, else `WRONG`; the length is one the caller has checked."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """For errors: `E2E profile 5, data id 0x1234`."""
        config = self.config
        if config.profile in PLAIN:
            return f"protection {config.profile}"
        number = int(config.profile[1:])
        if PROFILES[config.profile].has_list:
            return f"E2E profile {number}"
        digits = 4 if PROFILES[config.profile].data_id_max == 0xFFFF else 8
        return f"E2E profile {number}, data id 0x{config.data_id:0{digits}X}"

    def _bad(self, what: str, expected: object, got: object) -> UsageError:
        return UsageError(f"{self.label}: {what}", expected=expected, got=got)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
