"""Error frames and controller states of a run: a line and a chart per bus, a row per node.

Not here: the chart itself (`wire_chart`), where the figures come from
(`simcore.rig.wire_statistics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simcore.bus import ErrorKind, ErrorState, StateChange
from simcore.report.summary import format_seconds
from simcore.report.wire_chart import WireChart
from simcore.rig.result import ControllerStatistics, FaultRecord, ScenarioResult
from simcore.rig.wire_watch import WORDS

NAMED_MOST = 4
"""With more nodes than this bus-off, they share one part of the sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireView:
    """One bus with what the page shows of it."""

    channel: str
    line: str
    """The bus in one sentence."""
    chart: str
    """SVG; empty where there were no error frames and no changes of state."""
    note: str
    """What the chart shows, and what it counts together."""
    rows: tuple[ControllerStatistics, ...]
    """Nodes that had an error, left error active, or lost something."""
    quiet: str
    """The other nodes in a sentence, possibly empty."""


def wire_views(result: ScenarioResult) -> list[WireView]:
    """Every irregular bus with its chart and table; none in a clean run."""
    return [_view(result, channel) for channel in irregular_channels(result)]


def irregular_channels(result: ScenarioResult) -> list[str]:
    """Buses with error frames, states other than error active, or losses."""
    irregular = {
        *(frame.channel for frame in result.error_frames),
        *(change.channel for change in result.state_changes),
        *(row.channel for row in result.controllers if _lost(row)),
    }
    return [channel for channel in _channels(result) if channel in irregular]


def _channels(result: ScenarioResult) -> list[str]:
    """All buses, in the order of the result's statistics."""
    named = [
        *(bus.channel for bus in result.buses),
        *(row.channel for row in result.controllers),
        *(frame.channel for frame in result.error_frames),
        *(change.channel for change in result.state_changes),
    ]
    return list(dict.fromkeys(named))


def _view(result: ScenarioResult, channel: str) -> WireView:
    frames = [frame for frame in result.error_frames if frame.channel == channel]
    changes = [change for change in result.state_changes if change.channel == channel]
    nodes = [row for row in result.controllers if row.channel == channel]
    rows = tuple(row for row in nodes if _concerned(row))
    quiet = [row.node for row in nodes if row not in rows]
    faults = [fault for fault in result.faults if _concerns(fault, channel, result)]
    shown = [row for row in rows if row.worst_state or has_errors(row)]
    chart = None
    if frames or changes:
        chart = WireChart(result.duration_ns, frames, changes, faults, [r.node for r in shown])
    without = "no error, error active throughout, nothing refused or lost"
    return WireView(
        channel=channel,
        line=wire_line(result, channel),
        chart="" if chart is None else chart.svg(channel),
        note="" if chart is None else chart.note,
        rows=rows,
        quiet=f"{', '.join(quiet)}: {without}." if quiet else "",
    )


def _lost(row: ControllerStatistics) -> bool:
    return bool(row.refused_count or row.overrun_count or row.single_shot_lost_count)


def has_errors(row: ControllerStatistics) -> bool:
    """Whether a node detected any error."""
    return any(row.errors_as_transmitter) or any(row.errors_as_receiver)


def _concerned(row: ControllerStatistics) -> bool:
    return bool(
        has_errors(row) or row.destroyed_count or row.worst_state > ErrorState.ACTIVE or _lost(row)
    )


def _concerns(fault: FaultRecord, channel: str, result: ScenarioResult) -> bool:
    """Whether a fault is one of this bus, or of a whole node on it."""
    place = fault.where.rpartition(" on ")[2]
    return place == channel or any(
        row.channel == channel and row.node == fault.where for row in result.controllers
    )


# -- in words ------------------------------------------------------------------------------------


def wire_line(result: ScenarioResult, channel: str) -> str:
    """One bus in a sentence: `412 error frames; EMB_FL bus-off at 1.002 s, recovered at ...`."""
    frames = [frame for frame in result.error_frames if frame.channel == channel]
    changes = [change for change in result.state_changes if change.channel == channel]
    errors = sum(not frame.overload for frame in frames)
    overloads = len(frames) - errors
    parts = [_counted(errors, "error frame") if errors else "no error frames"]
    if overloads:
        parts.append(_counted(overloads, "overload frame"))
    nodes = dict.fromkeys(change.node for change in changes)
    histories = {node: [each for each in changes if each.node == node] for node in nodes}
    bus_off = {node: each for node, each in histories.items() if _offs_ns(each)}
    parts += _bus_offs(bus_off)
    for state in (ErrorState.PASSIVE, ErrorState.WARNING):
        reached = [
            node
            for node, each in histories.items()
            if node not in bus_off and max(change.after for change in each) is state
        ]
        if reached:
            parts.append(f"{WORDS[state]} at worst: {', '.join(reached)}")
    losses = [row.node for row in result.controllers if row.channel == channel and _lost(row)]
    if losses:
        parts.append(f"requests or frames lost: {', '.join(losses)}")
    return "; ".join(parts)


def _bus_offs(histories: Mapping[str, Sequence[StateChange]]) -> list[str]:
    """When nodes went bus-off and came back: each one, or many of them in one part."""
    if len(histories) <= NAMED_MOST:
        return [_bus_off(node, changes) for node, changes in histories.items()]
    stuck = [node for node, each in histories.items() if each[-1].after is ErrorState.BUS_OFF]
    first_ns = min(_offs_ns(each)[0] for each in histories.values())
    parts = [
        f"{len(histories)} nodes bus-off from {format_seconds(first_ns)} s on: "
        f"{', '.join(histories)}"
    ]
    if len(stuck) < len(histories):
        last_ns = max(_recovered_ns(each) for node, each in histories.items() if node not in stuck)
        who = "the others" if stuck else "all"
        parts.append(f"{who} recovered by {format_seconds(last_ns)} s")
    if stuck:
        parts.insert(1, f"not recovered: {', '.join(stuck)}")
    return parts


def _bus_off(node: str, changes: Sequence[StateChange]) -> str:
    offs_ns = _offs_ns(changes)
    back = (
        "not recovered"
        if changes[-1].after is ErrorState.BUS_OFF
        else f"recovered at {format_seconds(_recovered_ns(changes))} s"
    )
    first, last = format_seconds(offs_ns[0]), format_seconds(offs_ns[-1])
    if len(offs_ns) == 1:
        return f"{node} bus-off at {first} s, {back}"
    return f"{node} bus-off {len(offs_ns)} times from {first} s to {last} s, {back}"


def _offs_ns(changes: Sequence[StateChange]) -> list[int]:
    return [change.time_ns for change in changes if change.after is ErrorState.BUS_OFF]


def _recovered_ns(changes: Sequence[StateChange]) -> int:
    """When one node came back last."""
    return max(change.time_ns for change in changes if change.before is ErrorState.BUS_OFF)


def errors_in_words(counts: Sequence[int]) -> str:
    """Counts per `ErrorKind` as `34: 32 bit, 2 form`; `0` where there is none."""
    named = [f"{counts[kind]} {_kind_word(kind)}" for kind in ErrorKind if counts[kind]]
    return f"{sum(counts)}: {', '.join(named)}" if named else "0"


def losses_in_words(row: ControllerStatistics) -> str:
    """Requests and frames one controller lost: `79 refused, 1 overrun`; `0` where there is none."""
    named = (
        (row.refused_count, "refused"),
        (row.overrun_count, "overrun"),
        (row.single_shot_lost_count, "single shot"),
    )
    return ", ".join(f"{count} {word}" for count, word in named if count) or "0"


def _kind_word(kind: ErrorKind) -> str:
    return kind.name if kind in (ErrorKind.CRC, ErrorKind.ACK) else kind.name.lower()


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
