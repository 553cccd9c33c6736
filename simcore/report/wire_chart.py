"""The lane chart of one bus: error states and detected errors per node, faults, error frames.

One SVG picture written by hand, coloured by the page's style sheet; a state shows in the height of
its bar, too. It covers the part of the run in which anything happened. What happens is counted per
bin of time, so thousands of error frames stay small. Not here: words and figures (`wire_lanes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simcore.bus import ErrorFrame, ErrorState, StateChange, WireError
from simcore.report.svg import cleaned, round_step_ns, svg_text
from simcore.rig.result import FaultRecord
from simcore.rig.wire_watch import WORDS
from simcore.units import NS_PER_US, format_ns

BINS = 900
"""Bins of time across the chart, a pixel each in natural size."""
FAULT_ROWS = 12
"""Rows for faults; like faults share one, and what is too many the last."""

_RIGHT_PX = 40
_TOP_PX = 44
_FAULT_PX = 20
_LANE_PX = 34
_BAR_PX = 16
_STATE_PX = (3, 7, 11, 16)
"""Height of the bar by `ErrorState`: the worse, the higher."""
_COUNT_PX = 40
_AXIS_PX = 26
_LABELS_MOST = 6
_ROUND_NS = 10 * NS_PER_US
_TEXT_PX = 7
"""Width of a letter, roughly."""

Span = tuple[int, int]


class WireChart:
    """The lanes of one bus."""

    def __init__(
        self,
        duration_ns: int,
        frames: Sequence[ErrorFrame],
        changes: Sequence[StateChange],
        faults: Sequence[FaultRecord],
        nodes: Sequence[str],
    ) -> None:
        """`nodes` get a lane each, in order; there is at least one error frame or change."""
        self._nodes = nodes
        self._changes = {node: [each for each in changes if each.node == node] for node in nodes}
        self._errors: dict[str, list[WireError]] = {node: [] for node in nodes}
        for frame in frames:
            for error in frame.errors:
                self._errors.setdefault(error.node, []).append(error)
        self._faults = _fault_rows(faults, duration_ns)
        times = [
            *(each.begin_ns for each in frames),
            *(each.end_ns for each in frames),
            *(each.time_ns for each in changes),
            *(each.start_ns for each in faults),
            *(each.stop_ns for each in faults if each.stop_ns is not None),
        ]
        first_ns, last_ns = min(times), min(max(times), duration_ns)
        margin_ns = max((last_ns - first_ns) // 20, 50 * NS_PER_US)
        self._begin_ns = max(0, (first_ns - margin_ns) // _ROUND_NS * _ROUND_NS)
        end_ns = -(-(last_ns + margin_ns) // _ROUND_NS) * _ROUND_NS
        self._end_ns = max(min(end_ns, duration_ns), self._begin_ns + BINS)
        self._cut = self._begin_ns > 0 or self._end_ns < duration_ns
        self._overloads = sum(frame.overload for frame in frames)
        self._counts: dict[int, int] = {}
        self._covered: set[int] = set()
        for frame in frames:
            at = self._bin(frame.begin_ns)
            self._counts[at] = self._counts.get(at, 0) + 1
            self._covered.update(range(at, self._bin(frame.end_ns) + 1))

    def svg(self, channel: str) -> str:
        """The picture as text."""
        lanes_px = _TOP_PX + _FAULT_PX * len(self._faults)
        counts_px = lanes_px + _LANE_PX * len(self._nodes)
        bottom_px = counts_px + _COUNT_PX
        longest = max((len(node) for node in self._nodes), default=0)
        left_px = max(130, 16 + _TEXT_PX * longest)
        title = f"Error frames and controller states on {channel}"
        lines = [
            f'<svg class="wire" viewBox="{-left_px} 0 {left_px + BINS + _RIGHT_PX} '
            f'{bottom_px + _AXIS_PX}" role="img" aria-label="{cleaned(title)}">',
            *_legend(),
            *self._axis(bottom_px),
            *self._fault_shades(lanes_px, bottom_px),
        ]
        for index, node in enumerate(self._nodes):
            lines += self._lane(node, lanes_px + _LANE_PX * index)
        lines += self._columns(counts_px)
        lines += self._fault_names()
        return "\n".join([*lines, "</svg>"])

    @property
    def note(self) -> str:
        """What of the run the chart shows, and what it counts together."""
        errors = sum(self._counts.values()) - self._overloads
        counted = [f"{errors} error frame" + ("" if errors == 1 else "s")]
        if self._overloads:
            counted.append(f"{self._overloads} overload frame" + "s" * (self._overloads > 1))
        shown = "Shown is the whole run."
        if self._cut:
            shown = (
                f"Shown is {format_ns(self._begin_ns)} to {format_ns(self._end_ns)}; before and "
                f"after there is no error frame and no change of state."
            )
        frames = " and ".join(counted) if self._counts else "No error frame"
        bins = f"in {len(self._counts)} of {BINS} bins" if self._counts else f"in {BINS} bins"
        return (
            f"{shown} {frames} {bins} of {_microseconds(self._bin_ns)} us; in each bin a lane "
            f"shows its worst state."
        )

    @property
    def _bin_ns(self) -> int:
        return (self._end_ns - self._begin_ns) // BINS

    def _bin(self, time_ns: int) -> int:
        """Bin of an instant; what is outside of the chart is in the first or last one."""
        index = (time_ns - self._begin_ns) * BINS // (self._end_ns - self._begin_ns)
        return min(max(index, 0), BINS - 1)

    def _axis(self, bottom_px: int) -> Iterator[str]:
        step_ns = round_step_ns(-(-(self._end_ns - self._begin_ns) // _LABELS_MOST))
        first_ns = -(-self._begin_ns // step_ns) * step_ns
        for time_ns in range(first_ns, self._end_ns + 1, step_ns):
            at = self._bin(time_ns)
            yield f'<path class="grid" d="M{at} {_TOP_PX}V{bottom_px}"/>'
            yield svg_text(at, bottom_px + 16, format_ns(time_ns), anchor="middle", name="note")

    def _lane(self, node: str, top_px: int) -> Iterator[str]:
        base_px = top_px + 3 + _BAR_PX
        yield svg_text(-10, base_px - 2, node, anchor="end")
        for state, begin, end in self._stretches(self._changes[node]):
            yield (
                f"{_bar(state, begin, end - begin, base_px)}<title>{cleaned(node)}: "
                f"{WORDS[state]}</title></rect>"
            )
            if state is ErrorState.BUS_OFF and end - begin >= _TEXT_PX * 8:
                yield svg_text(begin + 5, base_px - 4, "bus-off", name="inside")
        for name, transmitter, tick_px in (("tx", True, base_px + 1), ("rx", False, base_px + 7)):
            bins = {
                self._bin(error.time_ns)
                for error in self._errors[node]
                if error.transmitter is transmitter
            }
            if bins:
                yield _ticks(name, bins, tick_px)

    def _stretches(self, changes: Sequence[StateChange]) -> Iterator[tuple[ErrorState, int, int]]:
        """State, first bin and bin after it; in each bin the worst state it saw."""
        worst = [ErrorState.ACTIVE] * BINS
        state, since = ErrorState.ACTIVE, 0
        for at, after in [
            *((self._bin(change.time_ns), change.after) for change in changes),
            (BINS - 1, ErrorState.ACTIVE),
        ]:
            worst[since : at + 1] = [max(state, old) for old in worst[since : at + 1]]
            state, since = after, at
        begin = 0
        for index in range(1, BINS + 1):
            if index == BINS or worst[index] is not worst[begin]:
                yield worst[begin], begin, index
                begin = index

    def _columns(self, top_px: int) -> Iterator[str]:
        """Error and overload frames that begin in each bin as a column, and how long they last."""
        base_px = top_px + _COUNT_PX - 6
        yield svg_text(-10, base_px - 14, "error frames", anchor="end")
        if not self._counts:
            yield svg_text(-10, base_px, "none", anchor="end", name="note")
            return
        most, height_px = max(self._counts.values()), _COUNT_PX - 12
        yield svg_text(-10, base_px, f"at most {most} per bin", anchor="end", name="note")
        path = "".join(
            f"M{at} {base_px}v-{max(2, count * height_px // most)}h1V{base_px}z"
            for at, count in sorted(self._counts.items())
        )
        yield f'<path class="count" d="{path}"/>'
        yield _ticks("count", self._covered, base_px, 2)

    def _fault_shades(self, lanes_px: int, bottom_px: int) -> Iterator[str]:
        for index, (_, spans) in enumerate(self._faults):
            top_px = _TOP_PX + _FAULT_PX * index
            for begin_ns, end_ns in spans:
                begin = self._bin(begin_ns)
                across = f'x="{begin}" width="{self._bin(end_ns) - begin + 1}"'
                yield (
                    f'<rect class="shade" {across} y="{lanes_px}" height="{bottom_px - lanes_px}"/>'
                    f'<rect class="span" {across} y="{top_px + 2}" height="{_FAULT_PX - 5}"/>'
                )

    def _fault_names(self) -> Iterator[str]:
        """Each beside the start of its first interval, on the side with more room."""
        for index, (sentence, spans) in enumerate(self._faults):
            begin = self._bin(spans[0][0])
            base_px = _TOP_PX + _FAULT_PX * index + 14
            if begin > BINS // 2:
                yield svg_text(begin - 5, base_px, sentence, anchor="end", name="label")
            else:
                yield svg_text(begin + 5, base_px, sentence, name="label")


def _fault_rows(faults: Sequence[FaultRecord], duration_ns: int) -> list[tuple[str, list[Span]]]:
    """Name and intervals per row: like faults share one, and what is too many the last."""
    rows: dict[str, list[Span]] = {}
    for fault in faults:
        end_ns = duration_ns if fault.stop_ns is None else fault.stop_ns
        rows.setdefault(fault.sentence, []).append((fault.start_ns, end_ns))
    named = [
        (name if len(spans) == 1 else f"{name} ({len(spans)} times)", spans)
        for name, spans in rows.items()
    ]
    if len(named) <= FAULT_ROWS:
        return named
    rest = named[FAULT_ROWS - 1 :]
    spans = sorted(span for _, each in rest for span in each)
    return [*named[: FAULT_ROWS - 1], (f"{len(rest)} more faults, see the table", spans)]


def _legend() -> Iterator[str]:
    left = 0
    for state in ErrorState:
        yield f"{_bar(state, left, 22, 24)}</rect>"
        yield svg_text(left + 27, 21, WORDS[state])
        left += 50 + _TEXT_PX * len(WORDS[state])
    for name, tick_px, words in (
        ("tx", 11, "error detected as transmitter"),
        ("rx", 17, "as receiver"),
    ):
        yield _ticks(name, {left + 2, left + 5}, tick_px)
        yield svg_text(left + 12, 21, words)
        left += 30 + _TEXT_PX * len(words)


def _bar(state: ErrorState, left: int, width: int, base_px: int) -> str:
    """A rectangle, not yet closed."""
    height_px = _STATE_PX[state]
    return (
        f'<rect class="s{int(state)}" x="{left}" y="{base_px - height_px}" width="{width}" '
        f'height="{height_px}">'
    )


def _ticks(name: str, bins: Iterable[int], top_px: int, height_px: int = 5) -> str:
    """A tick per bin; neighbours run together."""
    runs: list[list[int]] = []
    for at in sorted(bins):
        if runs and runs[-1][1] == at:
            runs[-1][1] = at + 1
        else:
            runs.append([at, at + 1])
    path = "".join(f"M{a} {top_px}h{b - a}v{height_px}h-{b - a}z" for a, b in runs)
    return f'<path class="{name}" d="{path}"/>'


def _microseconds(time_ns: int) -> str:
    return f"{time_ns / NS_PER_US:.1f}"
