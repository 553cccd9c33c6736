"""E2E profiles 4 and 44: length, 16-bit counter, 32-bit data id, CRC-32. PRS_E2EProtocol.

Header of 12 bytes, everything big-endian: length, counter, data id, checksum (CRC-32/AUTOSAR, over
everything but itself). The library `autosar-e2e` computes profile 4; profile 44 has the same bytes.

Profile 44 here also accepts padding: where `min_length` allows other lengths, the transmitted
length may be less than what was received, and what lies beyond it is not checked. How the standard
means it was not verified against its text.
"""

from __future__ import annotations

from e2e import p04 as _p04

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header

_protect = _p04.e2e_p04_protect
_check = _p04.e2e_p04_check


class Profile04Header(Header):
    """Header of profiles 4 and 44."""

    __slots__ = ("_at", "_data_id", "_is_padded")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        self._at = config.offset_bits // 8
        self._data_id = config.data_id
        self._is_padded = config.profile == "P44" and self.length_min < self.length_max

    def seal(self, buffer: bytearray, counter: int) -> None:
        at = self._at
        buffer[at + 2] = counter >> 8
        buffer[at + 3] = counter & 0xFF
        _protect(buffer, self._data_id, offset=at, increment_counter=False)

    def open(self, data: bytes) -> int:
        at = self._at
        if self._is_padded:
            sent = data[at] << 8 | data[at + 1]
            if not self.length_min <= sent <= len(data):
                return WRONG
            data = data[:sent]
        if not _check(data, self._data_id, offset=at):
            return WRONG
        return data[at + 2] << 8 | data[at + 3]
