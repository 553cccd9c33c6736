"""The longest frame of a format and length, over all identifiers, payloads and error states.

FD frames: exact, the most stuff bits found by dynamic programming over the level and length of
the last run. What follows the data of an FD frame has a fixed number of bits. Classic frames: the
bound of Davis et al. 2007, for there the CRC is stuffed too.

Not here: the quick formulas (`simcore.bus.worst_case`), which are at most a data bit above this
with BRS and four bits without; the exact length of a given frame (`simcore.bus.duration`).
"""

from __future__ import annotations

from functools import lru_cache

from simcore.bus import INTERMISSION_BITS, LENGTH_TO_DLC, BitTiming, worst_case_ns

_EITHER = "01"
_RUN_LIMIT = 5


def longest_frame_ns(
    length: int,
    timing: BitTiming,
    *,
    is_fd: bool,
    is_extended_id: bool = False,
    bitrate_switch: bool = False,
) -> int:
    """Longest time on the wire of a frame with `length` data bytes, intermission included.

    Raises `UsageError` for what no frame can be.
    """
    # The formula checks the arguments, and is all there is for classic frames.
    bound_ns = worst_case_ns(
        length,
        timing,
        is_fd=is_fd,
        is_extended_id=is_extended_id,
        bitrate_switch=bitrate_switch,
    )
    if not is_fd:
        return bound_ns
    tail_bits = (17 if length <= 16 else 21) + (4 if timing.iso else 0)
    tail_bits += -(-tail_bits // 4)  # one fixed stuff bit before each four bits of the tail
    trailer_bits = 10 + INTERMISSION_BITS
    dlc = LENGTH_TO_DLC[length]
    if not bitrate_switch:
        stuffed_bits = _stuffed_bits_at_one_rate(dlc, is_extended_id)
        return timing.to_ns(stuffed_bits + tail_bits + trailer_bits)
    nominal_bits, data_bits = _stuffed_bits(dlc, is_extended_id)
    return timing.to_ns(nominal_bits + trailer_bits, data_bits + tail_bits)


@lru_cache(maxsize=64)
def _stuffed_bits(dlc: int, is_extended_id: bool) -> tuple[int, int]:
    """Most bits with stuff bits at nominal rate (SOF to res) and at data rate (BRS to data).

    Both are attained by one frame: FDF, res and BRS alternate, so the stretches do not touch.
    """
    return (
        _longest([*_arbitration(is_extended_id), "1", "0"]),
        _longest(["1", _EITHER, *_dlc_and_data(dlc)]),
    )


@lru_cache(maxsize=64)
def _stuffed_bits_at_one_rate(dlc: int, is_extended_id: bool) -> int:
    """Most bits from SOF to the end of the data, without BRS."""
    head = [*_arbitration(is_extended_id), "1", "0", "0", _EITHER]
    return _longest(head + _dlc_and_data(dlc))


def _arbitration(is_extended_id: bool) -> list[str]:
    """Levels each bit from SOF to IDE (base) or RRS (extended) may have."""
    base = [_EITHER] * 11
    if is_extended_id:
        return ["0", *base, "1", "1", *[_EITHER] * 18, "0"]
    return ["0", *base, "0", "0"]


def _dlc_and_data(dlc: int) -> list[str]:
    lengths = {code: length for length, code in LENGTH_TO_DLC.items()}
    return [*f"{dlc:04b}", *[_EITHER] * (8 * lengths[dlc])]


def _longest(levels: list[str]) -> int:
    """Most bits of a stretch with its stuff bits; none follows its last bit."""
    # (level, length of the run) of the last bit -> most stuff bits so far
    best = {("", 0): 0}
    for allowed in levels:
        after: dict[tuple[str, int], int] = {}
        for (last, run), count in best.items():
            if run == _RUN_LIMIT:
                last, run, count = ("1" if last == "0" else "0"), 1, count + 1
            for level in allowed:
                state = (level, run + 1 if level == last else 1)
                after[state] = max(after.get(state, 0), count)
        best = after
    return len(levels) + max(best.values())
