"""Worst-case response times of the messages of one bus, by busy-period analysis.

Davis, Burns, Bril and Lukkien 2007 for fixed priorities without preemption, which holds for
CAN FD as well (Bordoloi and Samii 2014) once the longest frame is counted in two rates. Every
instance inside the busy period of a priority is examined: the first need not be the worst.

What is bounded: release of a message (the event that makes its sender queue it, so jitter is
included) to the end of its EOF. Davis counts up to the end of the intermission, 3 bits later.
Assumed: each node offers its most urgent frame to every arbitration (transmit queues by priority;
FIFO queues and too few mailboxes are outside), equal identifiers go in order of request, senders
are error active, nobody sends overload frames. All arithmetic is on integers of nanoseconds,
rounded up where a bit time is none.

Not here: where the figures of a message come from (`database_timing`), the length of frames
(`simcore.bus.worst_case`), tables and plots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from simcore.bus import INTERMISSION_BITS, BitTiming, Frame
from simcore.errors import UsageError
from simcore.network.messages import message_label
from simcore.units import NS_PER_S, format_ns

BUSY_PERIOD_LIMIT_NS = 10 * NS_PER_S
"""A longer busy period (a load within some millionths of 1) is given up, and said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTiming:
    """What the analysis knows of a message. Raises `UsageError` for figures that cannot be."""

    name: str
    arbitration_id: int
    is_extended_id: bool = False
    transmission_ns: int
    """Longest time on the wire, intermission included: `bus.worst_case_ns`."""
    period_ns: int | None
    """Cycle time, or least distance of two events; `None`: not known, so not analysed."""
    jitter_ns: int = 0
    """Longest delay from the event to the request for transmission, if the shortest is 0."""
    deadline_ns: int | None = None
    """From the event to the end of EOF; `None`: the period."""
    sender: str = ""

    def __post_init__(self) -> None:
        self._require("transmission_ns", self.transmission_ns, least=1)
        if self.period_ns is not None:
            self._require("period_ns", self.period_ns, least=1)
        self._require("jitter_ns", self.jitter_ns, least=0)
        if self.deadline_ns is not None:
            self._require("deadline_ns", self.deadline_ns, least=1)

    def _require(self, field: str, time_ns: object, *, least: int) -> None:
        if isinstance(time_ns, bool) or not isinstance(time_ns, int) or time_ns < least:
            raise UsageError(
                f"response time of {self.name}: {field}",
                expected=f"whole ns, {least} or more",
                got=repr(time_ns),
            )

    @property
    def label(self) -> str:
        """How error texts call the message: `0x060 CDC_EmbCmd`."""
        return message_label(self.arbitration_id, self.is_extended_id, self.name)

    @property
    def arbitration_key(self) -> int:
        """Lower wins; see `FrameHeader`."""
        return Frame(self.arbitration_id, is_extended_id=self.is_extended_id).header.arbitration_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorHypothesis:
    """How many errors the bounds allow for: `burst` in any window, one more per `interval_ns`.

    Each costs the longest frame of this and higher priorities once more, and `overhead_bits`
    nominal bits: 12 error flag, 8 delimiter, 3 intermission, 8 suspend (Davis 2007 counts 31,
    Broster 2002 counts 29 besides a frame without its intermission).
    """

    burst: int = 0
    interval_ns: int | None = None
    overhead_bits: int = 31

    def __post_init__(self) -> None:
        limits = (("burst", self.burst, 0), ("overhead_bits", self.overhead_bits, 1))
        for field, number, least in limits:
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise UsageError(
                    f"ErrorHypothesis.{field}", expected=f"{least} or more", got=repr(number)
                )
        if self.interval_ns is not None and self.interval_ns < 1:
            raise UsageError(
                "ErrorHypothesis.interval_ns", expected="1 ns or more", got=self.interval_ns
            )

    def count(self, window_ns: int) -> int:
        """Most errors in a window."""
        regular = 0 if self.interval_ns is None else -(-window_ns // self.interval_ns)
        return self.burst + regular


NO_ERRORS = ErrorHypothesis()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTime:
    """The bound of one message."""

    message: MessageTiming
    deadline_ns: int
    blocking_ns: int
    """Longest frame of lower priority, which may just have started."""
    level_utilisation_ratio: float
    """Load of this and all higher priorities, errors by rate included."""
    busy_period_ns: int | None
    """Longest stretch in which the bus sends this or higher priorities; `None`: without end."""
    instances_ns: tuple[int, ...]
    """Response of each instance in the busy period, as `response_ns`."""
    response_ns: int | None
    """Release to the end of EOF, the worst instance, jitter included. `None`: no bound."""
    reason: str = ""
    """Why there is no bound."""
    assumes_silent: tuple[str, ...] = ()
    """Higher priorities without a known period: the bound holds while they do not send."""

    @property
    def slack_ns(self) -> int | None:
        """Deadline minus response; negative where the deadline is missed."""
        return None if self.response_ns is None else self.deadline_ns - self.response_ns

    @property
    def is_schedulable(self) -> bool:
        """Whether no instance misses the deadline."""
        return self.response_ns is not None and self.response_ns <= self.deadline_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The bounds of all messages of a bus."""

    timing: BitTiming
    errors: ErrorHypothesis
    messages: tuple[ResponseTime, ...]
    """By falling priority."""
    not_analysed: tuple[MessageTiming, ...]
    """Messages without a known period; they do block higher priorities."""
    utilisation_ratio: float
    """Longest transmission over period of all messages that have one; 1 is a full bus."""

    @property
    def is_schedulable(self) -> bool:
        """Whether every analysed message meets its deadline."""
        return all(row.is_schedulable for row in self.messages)

    def response(self, arbitration_id: int, *, is_extended_id: bool = False) -> ResponseTime | None:
        """The bound of one message, `None` where it was not analysed."""
        for row in self.messages:
            message = row.message
            if (message.arbitration_id, message.is_extended_id) == (arbitration_id, is_extended_id):
                return row
        return None


def analyse(
    messages: Iterable[MessageTiming],
    timing: BitTiming,
    *,
    errors: ErrorHypothesis = NO_ERRORS,
) -> Analysis:
    """Bound the response time of each message.

    Raises `UsageError` for two messages that arbitration cannot tell apart.
    """
    ordered = sorted(messages, key=lambda message: message.arbitration_key)
    _refuse_twins(ordered)
    rows: list[ResponseTime] = []
    higher: list[MessageTiming] = []
    silent: list[str] = []
    load = Fraction(0)
    for index, message in enumerate(ordered):
        if message.period_ns is None:
            silent.append(message.name)
            continue
        load += Fraction(message.transmission_ns, message.period_ns)
        blocking_ns = max((m.transmission_ns for m in ordered[index + 1 :]), default=0)
        level = _Level(message, message.period_ns, higher, blocking_ns, timing, errors)
        rows.append(level.response_time(load, tuple(silent)))
        higher.append(message)
    return Analysis(
        timing=timing,
        errors=errors,
        messages=tuple(rows),
        not_analysed=tuple(message for message in ordered if message.period_ns is None),
        utilisation_ratio=float(load),
    )


def _refuse_twins(ordered: Sequence[MessageTiming]) -> None:
    for one, two in pairwise(ordered):
        if one.arbitration_key == two.arbitration_key:
            raise UsageError(
                "response times", expected="different identifiers", got=f"{one.label}, {two.label}"
            )


class _Level:
    """One message with all that can delay it."""

    __slots__ = (
        "_bit_ns",
        "_blocking_ns",
        "_error_ns",
        "_errors",
        "_higher",
        "_intermission_ns",
        "_message",
        "_period_ns",
    )

    def __init__(
        self,
        message: MessageTiming,
        period_ns: int,
        higher: Sequence[MessageTiming],
        blocking_ns: int,
        timing: BitTiming,
        errors: ErrorHypothesis,
    ) -> None:
        self._message = message
        self._period_ns = period_ns
        # (transmission, period, jitter): the recurrences run over these many times
        self._higher = [(m.transmission_ns, m.period_ns or 0, m.jitter_ns) for m in higher]
        self._blocking_ns = blocking_ns
        self._errors = errors
        longest_ns = max([message.transmission_ns, *(m.transmission_ns for m in higher)])
        bits_ns = -(-errors.overhead_bits * NS_PER_S // timing.nominal_bps)
        self._error_ns = bits_ns + longest_ns
        self._bit_ns = -(-NS_PER_S // timing.nominal_bps)
        self._intermission_ns = INTERMISSION_BITS * NS_PER_S // timing.nominal_bps

    def response_time(self, load: Fraction, silent: tuple[str, ...]) -> ResponseTime:
        message = self._message
        if self._errors.interval_ns is not None:
            load += Fraction(self._error_ns, self._errors.interval_ns)
        busy_ns = self._busy_period_ns() if load < 1 else None
        instances: list[int] = []
        reason = ""
        if busy_ns is not None:
            instances = self._instances_ns(busy_ns)
        elif load >= 1:
            reason = f"the load of this and higher priorities is {float(load):.1%}"
        else:
            reason = f"the busy period is longer than {format_ns(BUSY_PERIOD_LIMIT_NS)}"
        return ResponseTime(
            message=message,
            deadline_ns=message.deadline_ns or self._period_ns,
            blocking_ns=self._blocking_ns,
            level_utilisation_ratio=float(load),
            busy_period_ns=busy_ns,
            instances_ns=tuple(instances),
            response_ns=max(instances, default=None),
            reason=reason,
            assumes_silent=silent,
        )

    def _busy_period_ns(self) -> int | None:
        """First time at which everything released before it is sent; `None` beyond the limit."""
        own_ns, period_ns, jitter_ns = self._own
        busy_ns = self._blocking_ns + own_ns
        while busy_ns <= BUSY_PERIOD_LIMIT_NS:
            sent_ns = self._blocking_ns + self._error_ns * self._errors.count(busy_ns)
            sent_ns += -(-(busy_ns + jitter_ns) // period_ns) * own_ns
            for frame_ns, every_ns, late_ns in self._higher:
                sent_ns += -(-(busy_ns + late_ns) // every_ns) * frame_ns
            if sent_ns == busy_ns:
                return busy_ns
            busy_ns = sent_ns
        return None

    def _instances_ns(self, busy_ns: int) -> list[int]:
        """Response of each instance released within the busy period."""
        own_ns, period_ns, jitter_ns = self._own
        count = -(-(busy_ns + jitter_ns) // period_ns)
        to_eof_ns = jitter_ns + own_ns - self._intermission_ns
        responses, queued_ns = [], self._blocking_ns
        for instance in range(count):
            # An instance starts no earlier than the one before it has ended.
            queued_ns = self._queueing_ns(instance, queued_ns + own_ns if instance else queued_ns)
            responses.append(queued_ns - instance * period_ns + to_eof_ns)
        return responses

    def _queueing_ns(self, instance: int, start_ns: int) -> int:
        """From the start of the busy period to the start of frame of an instance.

        The busy period is finite, and bounds this. A frame released within a bit of the start of
        frame still takes part in the arbitration.
        """
        own_ns = self._message.transmission_ns
        fixed_ns = self._blocking_ns + instance * own_ns
        bit_ns = self._bit_ns
        queued_ns = start_ns
        while True:
            sent_ns = fixed_ns + self._error_ns * self._errors.count(queued_ns + own_ns)
            for frame_ns, every_ns, late_ns in self._higher:
                sent_ns += -(-(queued_ns + late_ns + bit_ns) // every_ns) * frame_ns
            if sent_ns == queued_ns:
                return queued_ns
            queued_ns = sent_ns

    @property
    def _own(self) -> tuple[int, int, int]:
        message = self._message
        return message.transmission_ns, self._period_ns, message.jitter_ns
