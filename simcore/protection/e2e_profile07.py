"""E2E profile 7: CRC-64, length, 32-bit counter, 32-bit data id. PRS_E2EProtocol.

Header of 20 bytes, everything big-endian: checksum (CRC-64/XZ, over everything but itself), length,
counter, data id. The library `autosar-e2e` computes it.
"""

from __future__ import annotations

from e2e import p07 as _p07

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header

_protect = _p07.e2e_p07_protect
_check = _p07.e2e_p07_check


class Profile07Header(Header):
    """Header of profile 7."""

    __slots__ = ("_at", "_data_id")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        self._at = config.offset_bits // 8
        self._data_id = config.data_id

    def seal(self, buffer: bytearray, counter: int) -> None:
        at = self._at
        buffer[at + 12 : at + 16] = counter.to_bytes(4, "big")
        _protect(buffer, self._data_id, offset=at, increment_counter=False)

    def open(self, data: bytes) -> int:
        at = self._at
        if not _check(data, self._data_id, offset=at):
            return WRONG
        return int.from_bytes(data[at + 12 : at + 16], "big")
