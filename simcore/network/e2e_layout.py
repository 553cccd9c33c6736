"""Where the fields of every E2E header lie: one literal table, read by configuration and profiles.

A place is given as in AUTOSAR, by its offset in bits from the start of the header: byte
`offset // 8`, and within it bit `offset % 8` from the least significant one. What the fields mean
is in `simcore.protection`. Sources: AUTOSAR PRS_E2EProtocol (layouts of each profile), confirmed
by the published example frames in the tests. The client-server variants P04m, P07m, P08m and P44m
are absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ByteOrder: TypeAlias = Literal["little_endian", "big_endian"]


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a payload: the bit offset of its first byte, its length, its byte order.

    Fields longer than a byte start at a byte's border.
    """

    offset_bits: int
    length_bits: int
    byte_order: ByteOrder = "big_endian"

    def moved(self, offset_bits: int) -> Place:
        """The same field `offset_bits` further on."""
        return Place(self.offset_bits + offset_bits, self.length_bits, self.byte_order)

    @property
    def start_bit(self) -> int:
        """The start bit a DBC gives a signal at this place."""
        if self.byte_order == "big_endian":
            return self.offset_bits + min(self.length_bits, 8) - 1
        return self.offset_bits

    def bits(self) -> list[int]:
        """Position of every bit, the least significant first, as 8 * byte + bit in the byte."""
        return bit_positions(self.start_bit, self.length_bits, self.byte_order)


def bit_positions(start_bit: int, length_bits: int, byte_order: str) -> list[int]:
    """Positions of a signal's bits, the least significant first, from its DBC start bit."""
    if byte_order == "little_endian":
        return list(range(start_bit, start_bit + length_bits))
    # Counted on from the most significant bit, 7 to 0 within a byte and then to the next byte.
    linear = 8 * (start_bit // 8) + 7 - start_bit % 8
    falling = [8 * (n // 8) + 7 - n % 8 for n in range(linear, linear + length_bits)]
    return falling[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLayout:
    """One row of the table: header, counter range, data id and payload lengths of a profile."""

    header_length: int
    crc: Place
    crc_algorithm: str
    """Name in the library `fastcrc`, without the size."""
    counter: Place
    counter_modulo: int
    """The counter runs 0..modulo - 1 and then on from 0."""
    first_counter: int = 0
    """Counter of a sender's first frame."""
    length: Place | None = None
    data_id: Place | None = None
    """Place of the transmitted data id; None where it only enters the checksum."""
    data_id_max: int = 0xFFFF
    has_list: bool = False
    """The counter picks one of 16 data ids of 8 bits."""
    length_min: int
    length_max: int


_NIBBLE = Place(8, 4)


def _profile01() -> ProfileLayout:
    return ProfileLayout(
        header_length=2,
        crc=Place(0, 8),
        crc_algorithm="crc8.sae_j1850",
        counter=_NIBBLE,
        counter_modulo=15,
        length_min=2,
        length_max=32,
    )


def _profile02(length_max: int) -> ProfileLayout:
    return ProfileLayout(
        header_length=2,
        crc=Place(0, 8),
        crc_algorithm="crc8.autosar",
        counter=_NIBBLE,
        counter_modulo=16,
        first_counter=1,
        has_list=True,
        data_id_max=0xFF,
        length_min=2,
        length_max=length_max,
    )


def _profile04() -> ProfileLayout:
    return ProfileLayout(
        header_length=12,
        length=Place(0, 16),
        counter=Place(16, 16),
        data_id=Place(32, 32),
        crc=Place(64, 32),
        crc_algorithm="crc32.autosar",
        counter_modulo=1 << 16,
        data_id_max=0xFFFF_FFFF,
        length_min=12,
        length_max=4096,
    )


PROFILES: dict[str, ProfileLayout] = {
    "P01": _profile01(),
    "P02": _profile02(32),
    "P04": _profile04(),
    "P05": ProfileLayout(
        header_length=3,
        crc=Place(0, 16, "little_endian"),
        crc_algorithm="crc16.ibm_3740",
        counter=Place(16, 8, "little_endian"),
        counter_modulo=1 << 8,
        length_min=3,
        length_max=4096,
    ),
    "P06": ProfileLayout(
        header_length=5,
        crc=Place(0, 16),
        crc_algorithm="crc16.ibm_3740",
        length=Place(16, 16),
        counter=Place(32, 8),
        counter_modulo=1 << 8,
        length_min=5,
        length_max=4096,
    ),
    "P07": ProfileLayout(
        header_length=20,
        crc=Place(0, 64),
        crc_algorithm="crc64.xz",
        length=Place(64, 32),
        counter=Place(96, 32),
        counter_modulo=1 << 32,
        data_id=Place(128, 32),
        data_id_max=0xFFFF_FFFF,
        length_min=20,
        length_max=4 << 20,
    ),
    "P08": ProfileLayout(
        header_length=16,
        crc=Place(0, 32),
        crc_algorithm="crc32.autosar",
        length=Place(32, 32),
        counter=Place(64, 32),
        counter_modulo=1 << 32,
        data_id=Place(96, 32),
        data_id_max=0xFFFF_FFFF,
        length_min=16,
        length_max=4 << 20,
    ),
    "P11": _profile01(),
    "P22": _profile02(4096),
    "P44": _profile04(),
}
"""Profile name -> layout. P11 has the bytes of P01, P22 those of P02, P44 those of P04."""

PLAIN = ("COUNTER", "CHECKSUM")
"""Not E2E: a rolling counter alone, a named checksum with or without one."""
