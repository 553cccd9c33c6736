"""From a database to the rows of a response-time analysis: longest frames, periods, deadlines.

A cyclic message repeats with its cycle time. An event message repeats no faster than its
`GenMsgDelayTime`, the least gap between two frames; without one its rate is unknown. A message
that is sent both ways keeps the gap, and its cycle time as deadline.

Not here: the analysis (`response_time`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simcore.bus import LENGTH_TO_DLC, BitTiming
from simcore.errors import InputError
from simcore.network.database import Database
from simcore.network.longest_frame import longest_frame_ns
from simcore.network.messages import Message
from simcore.network.response_time import MessageTiming

_SENT_BETWEEN_CYCLES = ("spontan", "event", "change", "write")
"""Parts of `GenMsgSendType` texts of messages that do not wait for their cycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingOptions:
    """What a database does not say. The mappings go by message name and come first."""

    jitter_ns: int = 0
    jitters_ns: Mapping[str, int] = field(default_factory=dict)
    deadline_ns: int | None = None
    deadlines_ns: Mapping[str, int] = field(default_factory=dict)
    event_gap_ns: int | None = None
    """Least distance of event messages for which the database has none."""


def message_timings(
    database: Database,
    timing: BitTiming,
    options: TimingOptions | None = None,
    *,
    redundant_only: bool = False,
) -> tuple[MessageTiming, ...]:
    """One row per message, in database order; with `redundant_only` those of the second bus.

    Raises `UsageError` for an option that names no message, `InputError` for a message that no
    frame can carry.
    """
    chosen = TimingOptions() if options is None else options
    for name in (*chosen.jitters_ns, *chosen.deadlines_ns):
        database.message(name)
    return tuple(
        _row(message, timing, chosen)
        for message in database.messages
        if message.is_redundant or not redundant_only
    )


def may_send_between_cycles(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Cyclic messages that may be sent at other times too, with no least gap in the database.

    Their bound, and those of lower priorities, hold for the cyclic frames alone.
    """
    return tuple(m for m in messages if _is_mixed(m) and not m.min_gap_ns)


def _is_mixed(message: Message) -> bool:
    kind = message.send_type.lower()
    return message.cycle_time_ns is not None and any(w in kind for w in _SENT_BETWEEN_CYCLES)


def _row(message: Message, timing: BitTiming, options: TimingOptions) -> MessageTiming:
    period_ns = message.cycle_time_ns
    deadline_ns = options.deadlines_ns.get(message.name, options.deadline_ns)
    if period_ns is None:
        period_ns = message.min_gap_ns or options.event_gap_ns
    elif _is_mixed(message) and message.min_gap_ns:
        deadline_ns = period_ns if deadline_ns is None else deadline_ns
        period_ns = min(period_ns, message.min_gap_ns)
    return MessageTiming(
        name=message.name,
        arbitration_id=message.arbitration_id,
        is_extended_id=message.is_extended_id,
        transmission_ns=_longest_ns(message, timing),
        period_ns=period_ns,
        jitter_ns=options.jitters_ns.get(message.name, options.jitter_ns),
        deadline_ns=deadline_ns,
        sender=message.senders[0] if message.senders else "",
    )


def _longest_ns(message: Message, timing: BitTiming) -> int:
    """Longest time on the wire; an FD payload of a length that no dlc has is padded to the next."""
    length = message.length
    if message.is_fd:
        length = min(each for each in LENGTH_TO_DLC if each >= length)
    elif length > 8:
        raise InputError(
            f"message {message.label}: length",
            expected="0..8 bytes in a classic frame",
            got=f"{length} bytes",
            file=message.database.name,
        )
    return longest_frame_ns(
        length,
        timing,
        is_fd=message.is_fd,
        is_extended_id=message.is_extended_id,
        bitrate_switch=message.bitrate_switch,
    )
