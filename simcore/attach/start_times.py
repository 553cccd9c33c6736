"""When the frames of a log started, from when they ended.

The bit timing says how long a frame took, so with time stamps in ns its start is known. Where a log
cuts time stamps to whole us, the start lies in a stretch of 1 us, and two things narrow it down.
A frame that can have followed the one before, right after the intermission, did: whoever loses
arbitration or asks during a frame starts there (who asked less than 2 us later may be taken for
one of these). So the stretches of a row of such frames, moved back to its first, must have an
instant in common. And who asks on an idle bus does so by a clock: if a whole us is among what is
left, that is it. Whatever is chosen, every frame ends in its tick.
"""

from __future__ import annotations

from collections.abc import Iterable

from simcore.bus import INTERMISSION_BITS, BitTiming, Frame, bit_counts


class _Row:
    """Frames of which each starts when the intermission after the one before is over."""

    def __init__(self, low_ns: int, high_ns: int) -> None:
        self.low_ns = low_ns
        self.high_ns = high_ns
        self.offsets_ns = [0]
        """From the start of the first."""

    def takes(self, low_ns: int, high_ns: int, offset_ns: int) -> bool:
        """Whether the next frame belongs here; narrows the row down if so."""
        low_ns, high_ns = low_ns - offset_ns, high_ns - offset_ns
        if low_ns > self.high_ns or high_ns < self.low_ns:
            return False
        self.low_ns = max(self.low_ns, low_ns)
        self.high_ns = min(self.high_ns, high_ns)
        self.offsets_ns.append(offset_ns)
        return True

    def starts_ns(self, tick_ns: int) -> list[int]:
        whole_ns = -(-self.low_ns // tick_ns) * tick_ns
        first_ns = whole_ns if whole_ns <= self.high_ns else self.low_ns
        return [first_ns + offset_ns for offset_ns in self.offsets_ns]


def start_times(entries: Iterable[tuple[int, Frame]], timing: BitTiming, tick_ns: int) -> list[int]:
    """Starts of frames of one bus, given with the times of their ends, cut to ticks, in order.

    A start is below 0 only where the log begins in the middle of a frame.
    """
    starts_ns: list[int] = []
    row: _Row | None = None
    next_offset_ns = 0
    for end_ns, frame in entries:
        nominal_bits, data_bits = bit_counts(frame, iso=timing.iso)
        low_ns = end_ns - timing.to_ns(nominal_bits, data_bits)
        high_ns = low_ns + tick_ns - 1
        if row is None or not row.takes(low_ns, high_ns, next_offset_ns):
            if row is not None:
                starts_ns += row.starts_ns(tick_ns)
            row = _Row(max(low_ns, 0) if high_ns >= 0 else low_ns, high_ns)
            next_offset_ns = 0
        next_offset_ns += timing.to_ns(nominal_bits + INTERMISSION_BITS, data_bits)
    return starts_ns if row is None else starts_ns + row.starts_ns(tick_ns)
