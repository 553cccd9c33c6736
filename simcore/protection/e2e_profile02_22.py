"""E2E profiles 2 and 22: CRC-8 H2F, 4-bit counter 0..15, list of 16 data ids. PRS_E2EProtocol.

Both put the same bytes on the wire: checksum, counter in the low nibble behind it; profile 22 may
put them at an offset. The checksum is CRC-8 with polynomial 0x2F over the payload without the
checksum itself and then over the one data id that the counter picks from the list. A sender counts
before it protects, so its first frame has counter 1. From 16 bytes on the checksum no longer
detects every error of two bits.

The library `autosar-e2e` has no profile 22: it is the oracle of the tests, `fastcrc` computes.
"""

from __future__ import annotations

from fastcrc import crc8

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header

_crc8 = crc8.autosar


class Profile02Header(Header):
    """Header of profiles 2 and 22."""

    __slots__ = ("_at", "_ids")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        self._at = config.offset_bits // 8
        self._ids = tuple(bytes((each,)) for each in config.data_id_list)

    def seal(self, buffer: bytearray, counter: int) -> None:
        at = self._at
        buffer[at + 1] = buffer[at + 1] & 0xF0 | counter
        buffer[at] = self._crc(buffer, counter)

    def open(self, data: bytes) -> int:
        at = self._at
        counter = data[at + 1] & 0x0F
        return counter if data[at] == self._crc(data, counter) else WRONG

    def _crc(self, data: bytes | bytearray, counter: int) -> int:
        at = self._at
        if at:
            crc = _crc8(data[at + 1 :], _crc8(data[:at]))
        else:
            crc = _crc8(data[1:])
        return _crc8(self._ids[counter], crc)
