"""What of the log goes with a verdict: the lines around the first thing that was wrong.

Events, and the frames that the module sent, decoded. Frames of one message that say the same as the
one before are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.network import Database
from simcore.testing.conformance.result import CaseVerdict
from simcore.units import NS_PER_MS, format_ns

if TYPE_CHECKING:
    from simcore.testing.conformance.trial import Trial

MOST_LINES = 30
AROUND_NS = 20 * NS_PER_MS
"""How much before and after is looked at."""
_BEFORE = 20
"""Lines before the moment, at most."""


def excerpt_of(trial: Trial, verdict: CaseVerdict, findings: Sequence[str] = ()) -> tuple[str, ...]:
    """At most `MOST_LINES` lines around the first failed judgement; none for a pass."""
    if verdict is not CaseVerdict.FAILED:
        return ()
    wrong = [each.time_ns for each in trial.judgements if not each.passed]
    bench = trial.bench
    raised = [each.time_ns for each in bench.log.findings if each.source == trial.node]
    moment_ns = min([*wrong[:1], *(raised[-1:] if findings else ()), bench.now_ns])
    lines = [
        *_events(trial, moment_ns - AROUND_NS, moment_ns + AROUND_NS),
        *_frames(trial, moment_ns - AROUND_NS, moment_ns + AROUND_NS),
    ]
    lines.sort(key=lambda line: line[0])
    at = sum(time_ns <= moment_ns for time_ns, _ in lines)
    first = max(0, at - _BEFORE)
    return tuple(text for _, text in lines[first : first + MOST_LINES])


def _events(trial: Trial, begin_ns: int, end_ns: int) -> list[tuple[int, str]]:
    return [
        (event.time_ns, f"{format_ns(event.time_ns)}  {event.source}: {event.kind}: {event.text}")
        for event in trial.bench.log.events
        if begin_ns <= event.time_ns <= end_ns
    ]


def _frames(trial: Trial, begin_ns: int, end_ns: int) -> list[tuple[int, str]]:
    said: dict[tuple[str, int, bool], str] = {}
    lines = []
    for record in trial.own_records(begin_ns):
        if record.sof_ns > end_ns:
            break
        text = shown(trial.interface.database, record.frame)
        key = record.channel, record.frame.arbitration_id, record.frame.is_extended_id
        if said.get(key) != text:
            said[key] = text
            lines.append((record.eof_ns, f"{format_ns(record.eof_ns)}  {record.channel}: {text}"))
    return lines


def shown(database: Database, frame: Frame) -> str:
    """A frame for people: its name and what it says, or its bytes where that is not known."""
    known = [
        each
        for each in database.messages
        if each.arbitration_id == frame.arbitration_id
        and each.is_extended_id == frame.is_extended_id
    ]
    payload = f"0x{frame.arbitration_id:03X} [{len(frame.data)}] {frame.data.hex(' ')}"
    if len(known) != 1 or len(frame.data) != known[0].length or known[0].is_undecodable:
        return payload
    protection = known[0].e2e
    hidden = (
        set() if protection is None else {protection.checksum_signal, protection.counter_signal}
    )
    try:
        values = known[0].codec.decode(frame.data, choices=True)
    except UsageError:  # a page that the database does not have
        return payload
    said = " ".join(f"{name}={value}" for name, value in values.items() if name not in hidden)
    return f"{known[0].name} {said}" if said else payload
