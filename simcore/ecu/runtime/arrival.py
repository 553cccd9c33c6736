"""Arrival monitoring: frames that come ever later than their counters say.

A constant delay is invisible to the E2E check (the counters are in sequence) and, once it has
begun, to the deadline (one frame comes per cycle). A receiver without a common time base can still
compare: frame k after a reference frame is due k cycles after it. The reference is the best arrival
seen so far; it may drift by what the clocks of two ECUs differ at most, so a delay that grows more
slowly than that is not seen, nor is one that was there from the first frame on. ISO 26262-5 table
D.6 counts on time monitoring against the delay of a message.

A sender that began anew begins with another counter, which says nothing of delay: the reference
begins anew with it. It shows as a wrong sequence, or by a silence of `FORGET_CYCLES`: so a delay of
more than that which begins at once is seen by its deadline, when it begins, and not here. Where the
new counter happens to fit behind the old one (one restart in a hundred) it looks like a delay.
"""

from __future__ import annotations

from simcore.ecu.runtime.communication import Reception
from simcore.errors import UsageError
from simcore.network.e2e_config import E2eConfig
from simcore.network.e2e_layout import PROFILES

LATE_CYCLES = 3
"""How late a frame may come, in cycles of its message: as much as the deadline allows."""
LATE_FRAMES = 3
"""Frames in a row beyond it that make a stream late."""
FORGET_CYCLES = 24
"""Cycles without a usable frame after which the stream that follows is a new one."""
_DRIFT_DIVISOR = 2000
"""500 ppm: difference of two ECUs' clocks that is no delay, 250 ppm each."""
_NEVER_NS = 1 << 62


class ArrivalMonitor:
    """Watches when the frames of one reception come; `look` at it from a periodic task.

    `enabled=False` is a monitor that never finds anything.
    """

    __slots__ = (
        "_clean_count",
        "_counter_byte",
        "_cycle_ns",
        "_forget_ns",
        "_half_ns",
        "_limit_ns",
        "_near_ns",
        "_phase_ns",
        "_reception",
        "_seen_ns",
        "_sequence_count",
        "_strikes",
        "_wrap_ns",
        "late",
        "lateness_ns",
    )

    def __init__(
        self, reception: Reception, *, limit_cycles: int = LATE_CYCLES, enabled: bool = True
    ) -> None:
        """Raises `UsageError` for a message without cycle time or without E2E counter."""
        message = reception.message
        modulo = 1 if message.e2e is None else _modulo_of(message.e2e)
        if message.cycle_time_ns is None or message.e2e is None or modulo < 2:
            raise UsageError(
                f"arrival monitoring of {message.name}",
                expected="a cyclic message with a sequence counter",
                got="one without",
            )
        if limit_cycles < 1:
            raise UsageError(
                f"arrival monitoring of {message.name}: limit",
                expected=">= 1 cycle",
                got=limit_cycles,
            )
        self._reception = reception
        self._cycle_ns = message.cycle_time_ns
        self._near_ns = message.cycle_time_ns // 2
        self._wrap_ns = modulo * message.cycle_time_ns
        self._half_ns = self._wrap_ns // 2
        self._forget_ns = min(self._half_ns, FORGET_CYCLES * message.cycle_time_ns)
        self._limit_ns = limit_cycles * message.cycle_time_ns if enabled else _NEVER_NS
        self._sequence_count = 0
        """Frames that were out of sequence when this last looked."""
        self._clean_count = -1
        """Frames rejected when the stream was last found in time; -1 while it is not."""
        self._counter_byte = _byte_of(message.e2e)
        """Where a payload has its counter; `None` where that is no whole byte."""
        self._phase_ns = 0
        """When counter 0 was due, by the best arrival so far; whole wraps aside."""
        self._seen_ns: int | None = None
        self._strikes = 0
        self.late = False
        """Whether the stream comes too late to be used for control."""
        self.lateness_ns = 0
        """Of the newest frame, against the best so far; not negative."""

    def look(self) -> bool:
        """Judge the newest usable frame of the reception, if there is a new one; is it `late`?"""
        reception = self._reception
        received_ns = reception.updated_ns
        seen_ns = self._seen_ns
        if received_ns is None or received_ns == seen_ns:
            return self.late
        place = self._counter_byte
        counter = reception.counter if place is None else reception.data[place]
        phase_ns = received_ns - counter * self._cycle_ns
        lateness_ns = (phase_ns - self._phase_ns) % self._wrap_ns
        if (
            self._near_ns < lateness_ns <= self._half_ns
            or seen_ns is None
            or reception.rejected_count != self._clean_count
        ):
            return self._judge(counter, received_ns)
        # What `arrived` does for a frame that is about in time, with fewer calls.
        if lateness_ns > self._near_ns:  # earlier than ever
            self._phase_ns = phase_ns
            lateness_ns = 0
        elif lateness_ns:
            self._phase_ns += (received_ns - seen_ns) // _DRIFT_DIVISOR
        self._seen_ns = received_ns
        self.lateness_ns = lateness_ns
        return self.late

    def _judge(self, counter: int, received_ns: int) -> bool:
        """A frame that may be late, or of another stream."""
        sequence_count = self._reception.counts["sequence"]
        if sequence_count != self._sequence_count:
            self._sequence_count = sequence_count
            self._seen_ns = None  # a sender that began anew
        self.arrived(counter, received_ns)
        self._clean_count = -1 if self._strikes else self._reception.rejected_count
        return self.late

    def arrived(self, counter: int, received_ns: int) -> None:
        """A usable frame with this counter came at this time."""
        phase_ns = received_ns - counter * self._cycle_ns
        lateness_ns = (phase_ns - self._phase_ns) % self._wrap_ns
        seen_ns = self._seen_ns
        self._seen_ns = received_ns
        if lateness_ns > self._half_ns or seen_ns is None:  # earlier than ever
            self._phase_ns = phase_ns
            lateness_ns = 0
        elif lateness_ns > self._near_ns:
            silent_ns = received_ns - seen_ns
            lateness_ns = self._not_near(lateness_ns, phase_ns, silent_ns)
        elif lateness_ns:
            self._phase_ns += (received_ns - seen_ns) // _DRIFT_DIVISOR
        self.lateness_ns = lateness_ns
        if lateness_ns <= self._limit_ns and self._strikes:
            self._strikes = 0
            self.late = False

    def _not_near(self, lateness_ns: int, phase_ns: int, silent_ns: int) -> int:
        """More than half a cycle behind: late, or a sender that began anew. Returns how late."""
        if silent_ns > self._forget_ns:
            self._phase_ns = phase_ns
            return 0
        # The reference stays: a late stream must not become the measure.
        if lateness_ns > self._limit_ns:
            self._strikes += 1
            self._clean_count = -1
            self._reception.counts["arrival"] += 1
            self.late = self._strikes >= LATE_FRAMES
        return lateness_ns


def _byte_of(config: E2eConfig) -> int | None:
    """Byte of a counter that fills one."""
    if config.profile not in PROFILES:
        return None
    place = config.header_counter_place
    return None if place.offset_bits % 8 or place.length_bits != 8 else place.offset_bits // 8


def _modulo_of(config: E2eConfig) -> int:
    """How many values the counter has; 1 without one."""
    layout = PROFILES.get(config.profile)
    if layout is not None:
        return layout.counter_modulo
    if config.counter_place is None:
        return 1
    return 1 + (config.counter_max or (1 << len(config.counter_place.bits())) - 1)
