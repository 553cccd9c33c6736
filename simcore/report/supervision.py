"""Supervision in a run: status of every supervised ECU over time, its enable line, its resets.

Read from the events: `ecu.runtime.status_log` knows the texts of a status; those of the external
watchdogs are below. A run in which nothing was ever wrong has nothing to show.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from simcore.ecu.runtime.status_log import SeenStatus, read_change
from simcore.report.summary import format_seconds
from simcore.report.supervision_chart import Mark, SupervisionChart, SupervisionLane
from simcore.rig.result import Event, ScenarioResult
from simcore.watchdog.statuses import GlobalStatus, LocalStatus

_ENABLE = re.compile(r"watchdog: enable line (high|low)\b")
_RESET = re.compile(r"watchdog: reset for ")
_RESET_OVER = re.compile(r"watchdog: RESET -> INIT\b")
_STOPPED = re.compile(r"watchdog no longer served: ")
_REASON = re.compile(r"\((.*)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionView:
    """What the page shows of the supervision in one scenario."""

    chart: str
    """SVG."""
    note: str
    """What of the run the chart shows."""
    lines: tuple[str, ...]
    """Every ECU on which something was wrong, in a sentence."""


def supervision_view(result: ScenarioResult) -> SupervisionView | None:
    """Chart and sentences; `None` where everything was in order, or nothing supervised."""
    lanes = supervision_lanes(result.events)
    if all(lane.is_regular for lane in lanes):
        return None
    faults = [
        (each.sentence, each.start_ns, result.duration_ns if each.stop_ns is None else each.stop_ns)
        for each in result.faults
    ]
    chart = SupervisionChart(result.duration_ns, lanes, faults)
    return SupervisionView(chart=chart.svg(), note=chart.note, lines=tuple(_lines(lanes)))


def supervision_lines(result: ScenarioResult) -> list[str]:
    """Every ECU on which something was wrong, in a sentence; none in an orderly run."""
    return _lines(supervision_lanes(result.events))


def _lines(lanes: Sequence[SupervisionLane]) -> list[str]:
    return [_in_words(lane) for lane in lanes if not lane.is_regular]


# -- out of the events -------------------------------------------------------------------------


@dataclass(slots=True)
class _Collected:
    """A lane while it is being read."""

    statuses: list[tuple[int, GlobalStatus | None]] = field(default_factory=list)
    enables: list[tuple[int, bool]] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


def supervision_lanes(events: Sequence[Event]) -> list[SupervisionLane]:
    """One lane per supervised ECU, in the order in which they first appear."""
    found: dict[str, _Collected] = {}
    for event in events:
        change = read_change(event.text)
        if change is not None:
            _take_change(found.setdefault(event.source, _Collected()), change, event)
        elif event.text.startswith("watchdog"):
            _take_watchdog(found.setdefault(event.source, _Collected()), event)
    return [
        SupervisionLane(
            node=node,
            statuses=tuple(lane.statuses),
            enables=tuple(lane.enables),
            resets=tuple(lane.resets),
            marks=tuple(lane.marks),
        )
        for node, lane in found.items()
    ]


def _take_watchdog(lane: _Collected, event: Event) -> None:
    enable = _ENABLE.match(event.text)
    if enable is not None:
        lane.enables.append((event.time_ns, enable[1] == "high"))
    elif _RESET.match(event.text):
        lane.resets.append(event.time_ns)
        lane.statuses.append((event.time_ns, None))
    elif _RESET_OVER.match(event.text):
        if lane.statuses and lane.statuses[-1][1] is None:
            # Until the ECU says that it supervises; a module may have the watchdog only.
            lane.statuses.append((event.time_ns, GlobalStatus.DEACTIVATED))
    elif _STOPPED.match(event.text):
        lane.marks.append(Mark(time_ns=event.time_ns, entity="", status=None, text=event.text))


def _take_change(lane: _Collected, change: SeenStatus, event: Event) -> None:
    if isinstance(change.status, GlobalStatus):
        lane.statuses.append((event.time_ns, change.status))
    elif change.status in (LocalStatus.FAILED, LocalStatus.EXPIRED):
        reason = _REASON.search(event.text)
        lane.marks.append(
            Mark(
                time_ns=event.time_ns,
                entity=change.entity,
                status=change.status,
                text=reason[1] if reason else "",
            )
        )


# -- in words ----------------------------------------------------------------------------------


def _in_words(lane: SupervisionLane) -> str:
    """`CDC: STOPPED at 1.005 s; control EXPIRED (alive 0 of 1 ...); enable line low at ...`."""
    parts = []
    for worst in (GlobalStatus.STOPPED, GlobalStatus.EXPIRED, GlobalStatus.FAILED):
        since_ns = next((time_ns for time_ns, each in lane.statuses if each is worst), None)
        if since_ns is not None:
            parts.append(f"{worst.name} at {format_seconds(since_ns)} s")
            break
    found = [mark for mark in lane.marks if mark.status is not None]
    if found:
        # The first entity that got worst is the one to look at.
        first = max(found, key=lambda mark: (mark.status or 0, -mark.time_ns))
        assert first.status is not None
        others = len({mark.entity for mark in found}) - 1
        more = f", and {others} more" if others else ""
        parts.append(f"{first.entity} {first.status.name} ({first.text}){more}")
    parts += [f"{mark.text} at {format_seconds(mark.time_ns)} s" for mark in _stops(lane)]
    parts += _enable_in_words(lane)
    if lane.resets:
        count = len(lane.resets)
        what = "1 reset" if count == 1 else f"{count} resets"
        parts.append(f"{what}, at {format_seconds(lane.resets[0])} s" + ", ..." * (count > 1))
    return f"{lane.node}: {'; '.join(parts)}"


def _stops(lane: SupervisionLane) -> list[Mark]:
    return [mark for mark in lane.marks if mark.status is None]


def _enable_in_words(lane: SupervisionLane) -> list[str]:
    low = [time_ns for time_ns, enabled in lane.enables if not enabled]
    if not low:
        return []
    text = f"enable line low at {format_seconds(low[0])} s"
    last_ns, enabled = lane.enables[-1]
    if enabled:
        text += f", high again at {format_seconds(last_ns)} s"
    return [text + (f", low {len(low)} times" if len(low) > 1 else "")]
