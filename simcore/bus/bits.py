"""Every bit of a frame as transmitted: the readable reference. ISO 11898-1:2015, clause 10.4.

`bits` builds the level sequence step by step; `duration.py` counts the same bits by table. A
hypothesis test holds the two together. Levels: 0 dominant, 1 recessive.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.bus.frame import Frame

CRC_DELIMITER = "1"
ACK = "01"
"""ACK slot dominant (somebody acknowledges), ACK delimiter."""
EOF = "1111111"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrcParameters:
    """A CAN CRC: MSB first, no reflection, no final XOR; polynomial without its leading term."""

    width: int
    polynomial: int
    iso_initial: int


CRC15 = CrcParameters(width=15, polynomial=0x4599, iso_initial=0)
CRC17 = CrcParameters(width=17, polynomial=0x1685B, iso_initial=1 << 16)
CRC21 = CrcParameters(width=21, polynomial=0x102899, iso_initial=1 << 20)

# Gray code of the count modulo 8 followed by an even parity bit, ISO 11898-1:2015 10.4.2.6.
STUFF_COUNT_CODE = (0x0, 0x3, 0x6, 0x5, 0xC, 0xF, 0xA, 0x9)


def bits(frame: Frame, *, iso: bool = True) -> str:
    """Levels SOF..EOF as transmitted, stuff bits included, ACK slot dominant.

    `iso=False`: CAN FD before ISO 11898-1:2015. Classic frames are the same in both.
    """
    header = frame.header
    content = header.bits + "".join(f"{octet:08b}" for octet in frame.data)
    if not header.is_fd:
        crc = crc_bits(content, CRC15, initial=0)
        body, _ = dynamically_stuffed(content + crc, stuff_at_end=True)
        return body + CRC_DELIMITER + ACK + EOF
    body, stuff_count = dynamically_stuffed(content, stuff_at_end=False)
    polynomial = CRC17 if header.length <= 16 else CRC21
    if iso:
        count = f"{STUFF_COUNT_CODE[stuff_count % 8]:04b}"
        tail = count + crc_bits(body + count, polynomial, initial=polynomial.iso_initial)
    else:
        tail = crc_bits(body, polynomial, initial=0)
    return body + fixed_stuffed(tail, previous=body[-1]) + CRC_DELIMITER + ACK + EOF


def crc_bits(content: str, crc: CrcParameters, *, initial: int) -> str:
    """The CRC over a bit string, as a bit string. The serial form of the standard."""
    register = initial
    top, mask = 1 << (crc.width - 1), (1 << crc.width) - 1
    for bit in content:
        feedback = (register & top != 0) != (bit == "1")
        register = (register << 1) & mask
        if feedback:
            register ^= crc.polynomial
    return f"{register:0{crc.width}b}"


def dynamically_stuffed(content: str, *, stuff_at_end: bool) -> tuple[str, int]:
    """Insert a complement after every five equal bits; return the bits and how many were added.

    A stuff bit is the first bit of the next run. `stuff_at_end`: a run completed by the last bit
    is followed by a stuff bit in classic frames (the CRC delimiter is not stuffed); in FD frames
    the first fixed stuff bit takes its place.
    """
    out: list[str] = []
    run = 0
    last = ""
    count = 0
    for index, bit in enumerate(content):
        run = run + 1 if bit == last else 1
        last = bit
        out.append(bit)
        if run == 5 and (stuff_at_end or index < len(content) - 1):
            last = "1" if bit == "0" else "0"
            out.append(last)
            run = 1
            count += 1
    return "".join(out), count


def fixed_stuffed(tail: str, *, previous: str) -> str:
    """Stuff count and CRC of an FD frame with a fixed stuff bit before every fourth bit.

    Each is the complement of the bit transmitted just before it.
    """
    out: list[str] = []
    for index, bit in enumerate(tail):
        if index % 4 == 0:
            before = out[-1] if out else previous
            out.append("1" if before == "0" else "0")
        out.append(bit)
    return "".join(out)
