"""E2E profiles 1 and 11: CRC-8, 4-bit counter 0..14, data id of 16 bits. AUTOSAR.

Both put the same bytes on the wire: checksum, counter in the low nibble behind it (or wherever the
offsets say). They differ in the receiver's sequence rules and in that profile 11 has the modes BOTH
and NIBBLE only. Counter 15 is invalid. The checksum is CRC-8 SAE J1850 with start value and final
exclusive or of 0, over data id and payload without the checksum itself. Sources: PRS_E2EProtocol
and, for profile 1, SWS_E2ELibrary. What of the data id enters, by mode:

    BOTH    low byte, high byte
    ALT     low byte for even counters, high byte for odd ones
    LOW     low byte
    NIBBLE  low byte, 0; the low nibble of the high byte is sent, in front of the counter

The library `autosar-e2e` knows no free offsets: it is the oracle of the tests, `fastcrc` computes.
"""

from __future__ import annotations

from fastcrc import crc8

from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import WRONG, Header

_crc8 = crc8.sae_j1850
_ZERO = 0xFF
"""`fastcrc` takes and gives values after the final exclusive or with 0xFF; this stands for 0."""


class Profile01Header(Header):
    """Header of profiles 1 and 11."""

    __slots__ = ("_counter_byte", "_counter_shift", "_crc_byte", "_nibble", "_seeds")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        counter, nibble = config.header_counter_place.offset_bits, config.nibble_offset_bits
        self._crc_byte = config.crc_place.offset_bits // 8
        self._counter_byte, self._counter_shift = counter // 8, counter % 8
        self._nibble = None if nibble is None else (nibble // 8, nibble % 8, config.data_id >> 8)
        """Byte, shift and value of the sent part of the data id."""
        low, high = config.data_id & 0xFF, config.data_id >> 8
        fed = {
            "BOTH": (bytes((low, high)),) * 2,
            "ALT": (bytes((low,)), bytes((high,))),
            "LOW": (bytes((low,)),) * 2,
            "NIBBLE": (bytes((low, 0)),) * 2,
        }[config.data_id_mode]
        self._seeds = tuple(_crc8(each, _ZERO) for each in fed)
        """Checksum of what is fed of the data id, for even and for odd counters."""

    def seal(self, buffer: bytearray, counter: int) -> None:
        shift = self._counter_shift
        at = self._counter_byte
        buffer[at] = buffer[at] & (0xF0 >> shift) | counter << shift
        nibble = self._nibble
        if nibble is not None:
            at, shift, value = nibble
            buffer[at] = buffer[at] & (0xF0 >> shift) | value << shift
        buffer[self._crc_byte] = self._crc(buffer, counter)

    def open(self, data: bytes) -> int:
        counter = data[self._counter_byte] >> self._counter_shift & 0xF
        if counter == 15 or data[self._crc_byte] != self._crc(data, counter):
            return WRONG
        nibble = self._nibble
        if nibble is not None and data[nibble[0]] >> nibble[1] & 0xF != nibble[2]:
            return WRONG
        return counter

    def _crc(self, data: bytes | bytearray, counter: int) -> int:
        at = self._crc_byte
        crc = self._seeds[counter & 1]
        if at:
            crc = _crc8(data[:at], crc)
        return _crc8(data[at + 1 :], crc) ^ 0xFF
