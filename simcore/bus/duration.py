"""Exact frame durations by table: the fast twin of `bits`.

A frame's length needs only the number of its stuff bits. Dynamic stuffing is a machine with ten
states (last level, length of its run), so one table look-up advances it by eight bits. A table for
sixteen takes half the steps and is slower: it pushes everything else out of the cache. For FD
frames the CRC need not be computed: its field has fixed stuff bits. Classic frames need the CRC-15,
which is stuffed too. What depends on the header only is cached per header.

Fixed sums, ISO 11898-1:2015 clause 10.4.2 (N bits at the nominal, D bits at the data rate): the
BRS bit and the CRC delimiter each switch rates at their sample points, and their sum is one nominal
plus one data bit whatever the sample points. So BRS counts as D and the CRC delimiter as N.
"""

from __future__ import annotations

from simcore.bus.bits import CRC15
from simcore.bus.frame import Frame, FrameHeader
from simcore.bus.timing import BitTiming

_RUN_OF_FIVE = 5
_TRAILER_BITS = 10
"""CRC delimiter, ACK slot, ACK delimiter, EOF."""


def _state(level: int, run: int) -> int:
    return level * 5 + run - 1


def _advance(state: int, level: int) -> tuple[int, int]:
    """One unstuffed bit: the next state and the stuff bits sent before it (0 or 1).

    The stuff bit after a run of five is counted when the next bit comes, so that a run completed
    by the last bit of an FD frame costs nothing, as the standard has it.
    """
    last, run = divmod(state, 5)
    run += 1
    stuffed = 0
    if run == _RUN_OF_FIVE:
        stuffed, last, run = 1, 1 - last, 1
    return (_state(level, run + 1 if level == last else 1), stuffed)


def _byte_table() -> bytes:
    """`table[state << 8 | octet]` = next state | stuff bits << 4."""
    table = bytearray(10 << 8)
    for state in range(10):
        for octet in range(256):
            here, count = state, 0
            for shift in range(7, -1, -1):
                here, stuffed = _advance(here, octet >> shift & 1)
                count += stuffed
            table[state << 8 | octet] = here | count << 4
    return bytes(table)


_OCTET = _byte_table()
_ROWS = tuple(_OCTET[(entry & 15) << 8 : ((entry & 15) + 1) << 8] for entry in range(256))
"""The part of the table that goes on from an entry: by entry, so that nothing is masked."""
_COUNTS = tuple(entry >> 4 for entry in range(256))
_ENDS_RUN_OF_FIVE = tuple(state % 5 == 4 for state in range(10))


def _crc15_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        register = octet << 7
        for _ in range(8):
            register <<= 1
            if register & 0x8000:
                register ^= 0x8000 | CRC15.polynomial
        table.append(register)
    return tuple(table)


_CRC15_TABLE = _crc15_table()


def _prefix(header: FrameHeader, iso: bool) -> tuple[int, int, int, int]:
    """What the header alone decides; worked out once."""
    found = header.wire_prefix[iso] = _counted_prefix(header, iso)
    return found


def _counted_prefix(header: FrameHeader, iso: bool) -> tuple[int, int, int, int]:
    """State after the header; nominal and data bits of the frame but payload stuffing; CRC-15."""
    state = _state(1, 1)  # recessive idle; SOF starts a new run
    before_fdf = after = 0
    for index, bit in enumerate(header.bits):
        state, stuffed = _advance(state, bit == "1")
        if index <= header.fdf_index:
            before_fdf += stuffed
        else:
            after += stuffed
    length = len(header.bits) + 8 * header.length
    crc = 0
    if header.is_fd:
        width = 17 if header.length <= 16 else 21
        tail = width + 4 if iso else width
        length += tail + (tail + 3) // 4
    else:
        for bit in header.bits:
            feedback = (crc >> 14) != (bit == "1")
            crc = (crc << 1 & 0x7FFF) ^ (CRC15.polynomial if feedback else 0)
        length += CRC15.width
    if not header.bitrate_switch:
        return state, length + _TRAILER_BITS + before_fdf + after, 0, crc
    nominal = header.fdf_index + 2  # SOF..IDE (or RRS), FDF, res
    return state, nominal + _TRAILER_BITS + before_fdf, length - nominal + after, crc


def bit_counts(frame: Frame, *, iso: bool = True) -> tuple[int, int]:
    """Bits SOF..EOF sent at the nominal and at the data rate, stuff bits included."""
    header = frame.header
    entry, nominal, data_bits, crc = header.wire_prefix.get(iso) or _prefix(header, iso)
    data = frame.data
    stuffed = 0
    rows, counts = _ROWS, _COUNTS
    for octet in data:
        entry = rows[entry][octet]
        stuffed += counts[entry]
    if header.is_fd:
        if header.bitrate_switch:
            return nominal, data_bits + stuffed
        return nominal + stuffed, 0
    return nominal + stuffed + _classic_crc_stuffing(entry & 15, crc, data), 0


def duration_ns(frame: Frame, timing: BitTiming) -> int:
    """Time from SOF to the end of EOF, without the three intermission bits."""
    return timing.to_ns(*bit_counts(frame, iso=timing.iso))


def _classic_crc_stuffing(state: int, crc: int, data: bytes) -> int:
    """Stuff bits in and just behind the CRC-15 of a classic frame."""
    for octet in data:
        crc = (crc << 8 ^ _CRC15_TABLE[(crc >> 7 ^ octet) & 0xFF]) & 0x7FFF
    entry = _OCTET[state << 8 | crc >> 7]
    stuffed = entry >> 4
    here = entry & 15
    for shift in range(6, -1, -1):
        here, extra = _advance(here, crc >> shift & 1)
        stuffed += extra
    return stuffed + _ENDS_RUN_OF_FIVE[here]
