"""Longest possible frames: the worst case of stuffing over all identifiers and payloads.

Safe upper bounds. With BRS they are attained or exceed the true maximum by one data bit (Bordoloi
and Samii 2014 with the ISO stuff count, and one bit more for 48 bytes: with ESI recessive its dlc
completes a run of five); Davis 2007 for classic frames. FD without BRS: one stuff bit per four
bits of the dynamically stuffed region.
"""

from __future__ import annotations

from simcore.bus.frame import LENGTH_TO_DLC
from simcore.bus.timing import INTERMISSION_BITS, BitTiming
from simcore.errors import UsageError


def worst_case_ns(
    length: int,
    timing: BitTiming,
    *,
    is_fd: bool,
    is_extended_id: bool = False,
    bitrate_switch: bool = False,
) -> int:
    """Longest time on the wire of a frame with `length` data bytes, intermission included."""
    if length not in LENGTH_TO_DLC or (not is_fd and length > 8):
        raise UsageError("worst_case_ns: length", expected="a legal payload length", got=length)
    if bitrate_switch and not is_fd:
        raise UsageError("worst_case_ns: bitrate_switch", expected="it in FD frames only")
    if not is_fd:
        return timing.to_ns((80 if is_extended_id else 55) + 10 * length)
    long_crc = length > 16
    iso_extra = 5 if timing.iso else 0
    if bitrate_switch:
        nominal = 55 if is_extended_id else 32
        esi_extra = 1 if length == 48 else 0  # BRS, ESI and dlc 0b1110 send 11111 and zeros follow
        return timing.to_ns(nominal, 28 + iso_extra + esi_extra + 5 * long_crc + 10 * length)
    stuffed_region = (41 if is_extended_id else 22) + 8 * length
    tail = 22 + iso_extra + 5 * long_crc
    trailer = 10 + INTERMISSION_BITS
    return timing.to_ns(stuffed_region + (stuffed_region - 1) // 4 + tail + trailer)
