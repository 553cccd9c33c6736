"""Rolling counters and simple checksums that are no E2E profile, so that they can be played right.

COUNTER is a counter signal alone; CHECKSUM is a checksum over the payload by a named algorithm,
with or without a counter. Statuses and sequence rules are those of the E2E profiles; a message
without a counter is OK or ERROR.

Algorithms: `xor8` and `sum8` over all bytes, or a CRC-8 by its name in the library `fastcrc`. Start
value and final exclusive or may be replaced; they are meant as catalogues of CRCs list them.
"""

from __future__ import annotations

from collections.abc import Callable

from fastcrc import crc8

from simcore.network.e2e_config import E2eConfig, PlainChecksum, SignalPlace
from simcore.protection.e2e_header import WRONG, Header

REFLECTED = frozenset("bluetooth darc maxim_dow rohc tech_3250 wcdma".split())
"""CRC-8 algorithms whose start value is given mirrored."""

_XOROUT = {"sae_j1850": 0xFF, "autosar": 0xFF, "gsm_b": 0xFF, "i_432_1": 0x55}
"""Final exclusive or of the algorithms that have one."""


class PlainHeader(Header):
    """A counter and a checksum wherever the signals lie."""

    __slots__ = ("_checksum", "_checksum_bits", "_checksum_byte", "_counter_bits", "_prefix")

    def __init__(self, config: E2eConfig, length: int) -> None:
        super().__init__(config, length)
        place = config.counter_place
        self._counter_bits = [] if place is None else place.bits()
        greatest = (1 << len(self._counter_bits)) - 1
        self.counter_modulo = 1 + (config.counter_max or greatest)
        self.counter_bits = len(self._counter_bits)
        self._checksum = config.checksum if config.profile == "CHECKSUM" else None
        self._checksum_bits: list[int] = []
        self._checksum_byte: int | None = None
        self._prefix = b""
        if self._checksum is not None and config.checksum_place is not None:
            self._place_checksum(self._checksum, config.checksum_place)
        for bit in (*self._counter_bits, *self._checksum_bits):
            if not 0 <= bit < 8 * length:
                raise self._bad("length", f"more than {bit // 8} bytes", length)

    def _place_checksum(self, checksum: PlainChecksum, place: SignalPlace) -> None:
        bits = self._checksum_bits = place.bits()
        is_byte = bits == list(range(bits[0], bits[0] + 8)) and bits[0] % 8 == 0
        if checksum.skips_itself and is_byte:
            self._checksum_byte = bits[0] // 8
        self._prefix = checksum.prefix

    def seal(self, buffer: bytearray, counter: int) -> None:
        _put(buffer, self._counter_bits, counter)
        if self._checksum is not None:
            _put(buffer, self._checksum_bits, self._compute(buffer, self._checksum))

    def open(self, data: bytes) -> int:
        counter = _taken(data, self._counter_bits)
        if counter >= self.counter_modulo:
            return WRONG
        checksum = self._checksum
        if checksum is not None and _taken(data, self._checksum_bits) != self._compute(
            data, checksum
        ):
            return WRONG
        return counter

    def _compute(self, data: bytes | bytearray, checksum: PlainChecksum) -> int:
        covered = bytearray(data)
        if self._checksum_byte is not None:
            del covered[self._checksum_byte]
        else:
            _put(covered, self._checksum_bits, 0)
        return checksum_of(checksum, self._prefix + covered)


def checksum_of(checksum: PlainChecksum, data: bytes) -> int:
    """The checksum of all of `data`."""
    if checksum.algorithm in ("xor8", "sum8"):
        result = checksum.init or 0
        for octet in data:
            result = result ^ octet if checksum.algorithm == "xor8" else result + octet
        return (result & 0xFF) ^ (checksum.xorout or 0)
    crc: Callable[..., int] = getattr(crc8, checksum.algorithm)
    own = _XOROUT.get(checksum.algorithm, 0)
    if checksum.init is None:
        result = crc(data)
    else:
        init = checksum.init
        if checksum.algorithm in REFLECTED:
            init = int(f"{init:08b}"[::-1], 2)
        result = crc(data, init ^ own)
    return result if checksum.xorout is None else result ^ own ^ checksum.xorout


def _put(buffer: bytearray, bits: list[int], value: int) -> None:
    for number, bit in enumerate(bits):
        mask = 1 << bit % 8
        if value >> number & 1:
            buffer[bit // 8] |= mask
        else:
            buffer[bit // 8] &= ~mask & 0xFF


def _taken(data: bytes, bits: list[int]) -> int:
    return sum((data[bit // 8] >> bit % 8 & 1) << number for number, bit in enumerate(bits))
