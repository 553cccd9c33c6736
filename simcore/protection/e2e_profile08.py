"""E2E profile 8: CRC-32, length, 32-bit counter, 32-bit data id. PRS_E2EProtocol.

Header of 16 bytes, everything big-endian: checksum (CRC-32/AUTOSAR, over everything but itself),
length, counter, data id. The library `autosar-e2e` does not have it; `fastcrc` computes.
"""

from __future__ import annotations

from fastcrc import crc32

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header

_crc32 = crc32.autosar


class Profile08Header(Header):
    """Header of profile 8."""

    __slots__ = ("_at", "_data_id")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        self._at = config.offset_bits // 8
        self._data_id = config.data_id.to_bytes(4, "big")

    def seal(self, buffer: bytearray, counter: int) -> None:
        at = self._at
        buffer[at + 4 : at + 8] = len(buffer).to_bytes(4, "big")
        buffer[at + 8 : at + 12] = counter.to_bytes(4, "big")
        buffer[at + 12 : at + 16] = self._data_id
        buffer[at : at + 4] = self._crc(buffer).to_bytes(4, "big")

    def open(self, data: bytes) -> int:
        at = self._at
        is_right = (
            data[at + 12 : at + 16] == self._data_id
            and int.from_bytes(data[at + 4 : at + 8], "big") == len(data)
            and int.from_bytes(data[at : at + 4], "big") == self._crc(data)
        )
        return int.from_bytes(data[at + 8 : at + 12], "big") if is_right else WRONG

    def _crc(self, data: bytes | bytearray) -> int:
        at = self._at
        behind = data[at + 4 :]
        return _crc32(behind, _crc32(data[:at])) if at else _crc32(behind)
