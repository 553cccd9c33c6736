"""Observed latencies of a run against the worst-case response times of its database.

The bounds assume what the database says: no message more often than its cycle time or least gap,
no other messages, requests without jitter (a run measures from the request), transmit queues by
priority, no errors on the wire. A latency beyond its bound is a finding, unless the bus had errors
or was broken on purpose. Not here: the analysis (`simcore.network.response_time`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from simcore.network.database_timing import message_timings
from simcore.network.messages import message_label
from simcore.network.response_time import Analysis, analyse
from simcore.rig.injection import disturbed_buses
from simcore.rig.result import Finding, MessageStatistics, ScenarioResult
from simcore.units import format_ns

if TYPE_CHECKING:
    from simcore.bus import BusRecord
    from simcore.rig.bench import Bench

MEASUREMENT = "observed maxima within bounds"


def with_bounds(result: ScenarioResult, rig: Bench) -> ScenarioResult:
    """`result` of a run of `rig` with the bound of each message, a summary, and findings."""
    messages: list[MessageStatistics] = []
    findings: list[Finding] = []
    for index, bus in enumerate(rig.buses):
        # The first bus carries everything, a redundant one what is marked so.
        timings = message_timings(rig.database, bus.timing, redundant_only=index > 0)
        analysis = analyse(timings, bus.timing)
        rows = _bounded([m for m in result.messages if m.channel == bus.name], analysis)
        messages += rows
        late = [row for row in rows if _exceeds(row)]
        if late and bus.name not in _disturbed(rig):
            records = [each for each in result.records if each.channel == bus.name]
            findings += [_finding(row, rows, records, analysis) for row in late]
    text = _summary(messages)
    if _disturbed(rig):
        text += f"; {' and '.join(_disturbed(rig))} disturbed, for which bounds do not allow"
    return replace(
        result,
        messages=tuple(messages),
        findings=(*result.findings, *findings),
        measurements=result.measurements | {MEASUREMENT: text},
    )


def bounds_of_all(results: Sequence[ScenarioResult]) -> str:
    """The summary over all results that were held against bounds; empty where none was."""
    held = [result for result in results if MEASUREMENT in result.measurements]
    if not held:
        return ""
    every = [message for result in held for message in result.messages]
    return f"{MEASUREMENT}: {_summary(every)}"


def _disturbed(rig: Bench) -> tuple[str, ...]:
    """Buses that had an error or overload frame, or a fault of the wire that shows none."""
    faulty = disturbed_buses(rig)
    return tuple(bus.name for bus in rig.buses if bus.error_frames or bus.name in faulty)


def _bounded(rows: Sequence[MessageStatistics], analysis: Analysis) -> list[MessageStatistics]:
    """Each row with its bound; without one where what the bound assumes silent was sent."""
    seen = {row.name for row in rows}
    bounded = []
    for row in rows:
        response = analysis.response(row.arbitration_id, is_extended_id=row.is_extended_id)
        holds = response is not None and seen.isdisjoint(response.assumes_silent)
        bounded.append(
            replace(row, latency_bound_ns=response.response_ns if response and holds else None)
        )
    return bounded


def _exceeds(row: MessageStatistics) -> bool:
    bound_ns, observed_ns = row.latency_bound_ns, row.latency_max_ns
    return bound_ns is not None and observed_ns is not None and observed_ns > bound_ns


def _finding(
    row: MessageStatistics,
    rows: Sequence[MessageStatistics],
    records: Sequence[BusRecord],
    analysis: Analysis,
) -> Finding:
    label = message_label(row.arbitration_id, row.is_extended_id, row.name)
    ends_ns = [
        record.eof_ns
        for record in records
        if _key(record) == (row.arbitration_id, row.is_extended_id)
        and record.eof_ns - record.request_ns == row.latency_max_ns
    ]
    why = [
        *(f"{name} is not in the database" for name in _foreign(rows, analysis)),
        *(f"{name} is sent faster than its period" for name in _hasty(records, analysis)),
    ]
    return Finding(
        time_ns=min(ends_ns, default=0),
        source=row.sender,
        text=f"{label} on {row.channel}: request to end of frame "
        f"{format_ns(row.latency_max_ns or 0)}, worst case {format_ns(row.latency_bound_ns or 0)}"
        + (f": {'; '.join(why)}" if why else ""),
    )


def _key(record: BusRecord) -> tuple[int, bool]:
    return record.frame.arbitration_id, record.frame.is_extended_id


def _foreign(rows: Sequence[MessageStatistics], analysis: Analysis) -> list[str]:
    """Messages on the bus that the analysis does not know."""
    known = {
        (message.arbitration_id, message.is_extended_id)
        for message in (*(row.message for row in analysis.messages), *analysis.not_analysed)
    }
    return [row.name for row in rows if (row.arbitration_id, row.is_extended_id) not in known]


def _hasty(records: Sequence[BusRecord], analysis: Analysis) -> list[str]:
    """Messages requested again before their period was over."""
    names: dict[str, None] = {}
    requested_ns: dict[tuple[int, bool], int] = {}
    for record in sorted(records, key=lambda each: each.request_ns):
        key = _key(record)
        response = analysis.response(key[0], is_extended_id=key[1])
        before_ns = requested_ns.get(key)
        requested_ns[key] = record.request_ns
        period_ns = None if response is None else response.message.period_ns
        if before_ns is not None and period_ns is not None and response is not None:
            if record.request_ns - before_ns < period_ns:
                names[response.message.name] = None
    return list(names)


def _summary(rows: Sequence[MessageStatistics]) -> str:
    """`42 of 42, closest NM_GW at 87.0 %`."""
    shares = [
        (Fraction(row.latency_max_ns, row.latency_bound_ns), row.name)
        for row in rows
        if row.latency_bound_ns is not None and row.latency_max_ns is not None
    ]
    text = f"{sum(share <= 1 for share, _ in shares)} of {len(shares)}"
    if shares:
        share, name = max(shares)
        text += f", closest {name} at {float(share):.1%}"
    if len(shares) < len(rows):
        text += f"; {len(rows) - len(shares)} without a bound"
    return text
