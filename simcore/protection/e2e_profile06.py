"""E2E profile 6: CRC-16, length, 8-bit counter, implicit 16-bit data id. PRS_E2EProtocol.

Header of 5 bytes, everything big-endian: checksum, length, counter. The checksum covers everything
but itself and then the data id, high byte first. The library `autosar-e2e` computes it.
"""

from __future__ import annotations

from e2e import p06 as _p06

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header

_protect = _p06.e2e_p06_protect
_check = _p06.e2e_p06_check


class Profile06Header(Header):
    """Header of profile 6."""

    __slots__ = ("_at", "_data_id")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        self._at = config.offset_bits // 8
        self._data_id = config.data_id

    def seal(self, buffer: bytearray, counter: int) -> None:
        at = self._at
        buffer[at + 4] = counter
        _protect(buffer, self._data_id, offset=at, increment_counter=False)

    def open(self, data: bytes) -> int:
        at = self._at
        return data[at + 4] if _check(data, self._data_id, length=0, offset=at) else WRONG
