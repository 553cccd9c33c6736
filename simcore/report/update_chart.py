"""The picture of a software update: state lanes, transferred bytes and bus load over one time axis.

One SVG picture written by hand, coloured by the page's style sheet; a state is written into its bar
where it fits, and every bar and mark says in words what it is. Not here: where the lanes come from
(`update_steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simcore.report.summary import format_seconds
from simcore.report.svg import cleaned, round_step_ns, svg_text
from simcore.report.update_steps import MarkKind, UpdateLane, UpdateMark
from simcore.rig.result import BusStatistics
from simcore.rig.update_result import TransferRecord
from simcore.units import NS_PER_MS, format_ns

WIDTH_PX = 880
"""Of the time axis in natural size."""
_RIGHT_PX = 30
_TOP_PX = 66
_LANE_PX = 38
_BAR_PX = 16
_BUNDLE_PX = 28
_GAP_PX = 30
_BYTES_PX = 110
_LOAD_PX = 70
_AXIS_PX = 26
_LABELS_MOST = 7
_LETTER_PX = 7
_LETTER_IN_BAR_PX = 6

GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("load", "load", ("CHECKING", "PENDING_CONSENT", "DOWNLOADING", "VERIFYING", "READY")),
    ("install", "install", ("INSTALLING",)),
    ("staged", "staged", ("STAGED", "GATHERING")),
    ("boot", "activate", ("ACTIVATING", "BOOT_SWAP")),
    ("trial", "trial", ("TRIAL",)),
    ("done", "commit", ("COMMITTING", "COMMITTED")),
    ("back", "roll back", ("ROLLING_BACK", "ROLLED_BACK")),
    ("bad", "failed", ("FAILED", "RECOVERY")),
    ("quiet", "clean up, suspended", ("CLEANING", "SUSPENDED")),
)
"""Style, word in the legend, states of an ECU and phases of a bundle that are drawn alike."""
_GROUP_OF = {state: name for name, _, states in GROUPS for state in states}
_MARK_STYLES = {
    MarkKind.CUT: "cut",
    MarkKind.RESET: "reset flag",
    MarkKind.START: "start",
    MarkKind.SELF_TEST: "good",
    MarkKind.SELF_TEST_FAILED: "ill",
    MarkKind.REFUSED: "refused",
    MarkKind.ATTACK: "ill",
}
_COLOURS = ("fl", "fr", "rl", "rr")
_OTHERS = ("bus-a", "ink", "bus-b")


def colour_of(node: str, nodes: Sequence[str]) -> str:
    """Style of an ECU's curve: that of its corner, or one of the others in turn."""
    corner = node.rpartition("_")[2].lower()
    if corner in _COLOURS:
        return corner
    others = [each for each in nodes if each.rpartition("_")[2].lower() not in _COLOURS]
    return _OTHERS[others.index(node) % len(_OTHERS)]


class UpdateChart:
    """The picture of one run."""

    def __init__(
        self,
        duration_ns: int,
        lanes: Sequence[UpdateLane],
        transfers: Sequence[TransferRecord],
        buses: Sequence[BusStatistics],
    ) -> None:
        self._lanes = lanes
        self._downloads = [each for each in transfers if each.is_download]
        self._buses = [bus for bus in buses if bus.load_series_ratio]
        times_ns = [time_ns for lane in lanes for time_ns, _ in lane.states if time_ns > 0]
        times_ns += [each.begun_ns for each in self._downloads]
        times_ns += [time_ns for each in self._downloads for time_ns, _ in each.samples[-1:]]
        times_ns += [
            mark.time_ns for lane in lanes for mark in lane.marks if mark.kind is MarkKind.ATTACK
        ]
        first_ns, last_ns = min(times_ns, default=0), max(times_ns, default=duration_ns)
        margin_ns = max((last_ns - first_ns) // 30, 20 * NS_PER_MS)
        self._begin_ns = max(0, (first_ns - margin_ns) // NS_PER_MS * NS_PER_MS)
        end_ns = -(-(last_ns + margin_ns) // NS_PER_MS) * NS_PER_MS
        self._end_ns = max(min(end_ns, duration_ns), self._begin_ns + NS_PER_MS)
        self._is_cut = self._begin_ns > 0 or self._end_ns < duration_ns

    @property
    def note(self) -> str:
        """What of the run the chart shows."""
        if not self._is_cut:
            return "Shown is the whole run."
        begin, end = format_seconds(self._begin_ns), format_seconds(self._end_ns)
        return f"Shown is {begin} s to {end} s."

    def svg(self) -> str:
        """The picture as text."""
        names = [_name(lane) for lane in self._lanes]
        left_px = 24 + _LETTER_PX * max([6, *(len(name) for name in names)])
        lanes_px = sum(_BUNDLE_PX if lane.is_bundle else _LANE_PX for lane in self._lanes)
        bytes_px = _TOP_PX + lanes_px + _GAP_PX
        load_px = bytes_px + (_BYTES_PX + _GAP_PX if self._downloads else 0)
        bottom_px = load_px + _LOAD_PX if self._buses else load_px - _GAP_PX
        lines = [
            f'<svg class="wire update" viewBox="{-left_px} 0 {left_px + WIDTH_PX + _RIGHT_PX} '
            f'{bottom_px + _AXIS_PX}" role="img" '
            f'aria-label="Software update of {len(self._lanes)} lanes over time">',
            *_legend(8 - left_px),
            *self._axis(bottom_px),
        ]
        top_px = _TOP_PX
        for lane in self._lanes:
            lines += self._lane(lane, top_px)
            top_px += _BUNDLE_PX if lane.is_bundle else _LANE_PX
        if self._downloads:
            lines += self._bytes_panel(bytes_px)
        if self._buses:
            lines += self._load_panel(load_px)
        return "\n".join([*lines, "</svg>"])

    def _at(self, time_ns: int) -> int:
        """Place of an instant; what is outside of the chart is at its border."""
        place = (time_ns - self._begin_ns) * WIDTH_PX // (self._end_ns - self._begin_ns)
        return min(max(place, 0), WIDTH_PX)

    def _axis(self, bottom_px: int) -> Iterator[str]:
        step_ns = round_step_ns(-(-(self._end_ns - self._begin_ns) // _LABELS_MOST))
        first_ns = -(-self._begin_ns // step_ns) * step_ns
        for time_ns in range(first_ns, self._end_ns + 1, step_ns):
            at = self._at(time_ns)
            yield f'<path class="grid" d="M{at} {_TOP_PX}V{bottom_px}"/>'
            yield svg_text(at, bottom_px + 16, format_ns(time_ns), anchor="middle", name="note")

    # -- lanes -------------------------------------------------------------------------------------

    def _lane(self, lane: UpdateLane, top_px: int) -> Iterator[str]:
        height_px = _BUNDLE_PX if lane.is_bundle else _LANE_PX
        base_px = top_px + height_px - 4
        name = _name(lane)
        yield svg_text(-10, base_px - 4, name, anchor="end")
        ends_ns = [time_ns for time_ns, _ in lane.states[1:]] + [self._end_ns]
        for (begin_ns, state), end_ns in zip(lane.states, ends_ns, strict=True):
            if end_ns > self._begin_ns and begin_ns < self._end_ns and end_ns > begin_ns:
                title = f"{name}: {state} from {format_seconds(begin_ns)} s"
                yield from _bar(state, self._at(begin_ns), self._at(end_ns), base_px, title)
        for mark in lane.marks:
            if self._begin_ns <= mark.time_ns <= self._end_ns:
                title = f"{name}: {mark.text} at {format_seconds(mark.time_ns)} s"
                yield _mark(mark.kind, self._at(mark.time_ns), base_px - _BAR_PX - 2, title)

    # -- bytes -------------------------------------------------------------------------------------

    def _bytes_panel(self, top_px: int) -> Iterator[str]:
        """Bytes that each ECU was sent since the beginning of the run."""
        nodes = list(dict.fromkeys(each.node for each in self._downloads))
        curves = {node: _summed(self._downloads, node) for node in nodes}
        most = max(points[-1][1] for points in curves.values())
        step = round_step_ns(-(-most // 3)) if most else 1
        top = -(-most // step) * step if most else 1
        base_px = top_px + _BYTES_PX
        yield svg_text(0, top_px - 8, "bytes transferred", name="note")
        for value in range(0, top + 1, step):
            at = base_px - value * _BYTES_PX // top
            yield f'<path class="grid" d="M0 {at}H{WIDTH_PX}"/>'
            yield svg_text(-10, at + 4, _size(value), anchor="end", name="note")
        left = 110
        for node in nodes:
            style = colour_of(node, nodes)
            yield f'<path class="curve {style}" d="M{left} {top_px - 12}h18"/>'
            yield svg_text(left + 23, top_px - 8, node, name="note")
            left += 44 + _LETTER_PX * len(node)
            places = [
                (self._at(time_ns), base_px - size * _BYTES_PX // top)
                for time_ns, size in curves[node]
            ]
            title = f"{node}: {curves[node][-1][1]} bytes"
            yield _curve(f"curve {style}", _thinned(places), title)

    # -- load --------------------------------------------------------------------------------------

    def _load_panel(self, top_px: int) -> Iterator[str]:
        base_px = top_px + _LOAD_PX
        yield svg_text(0, top_px - 8, "bus load", name="note")
        most = max(max(bus.load_series_ratio) for bus in self._buses)
        top_pct = next((each for each in (10, 20, 50) if most * 100 <= each), 100)
        for each in self._downloads:
            if each.samples:
                begin, end = self._at(each.begun_ns), self._at(each.samples[-1][0])
                yield (
                    f'<rect class="busy" x="{begin}" y="{top_px}" width="{max(end - begin, 1)}" '
                    f'height="{_LOAD_PX}">{_title(f"transfer to {each.node}")}</rect>'
                )
        for value in (0, top_pct // 2, top_pct):
            at = base_px - value * _LOAD_PX // top_pct
            yield f'<path class="grid" d="M0 {at}H{WIDTH_PX}"/>'
            yield svg_text(-10, at + 4, f"{value} %", anchor="end", name="note")
        left = 110
        for number, bus in enumerate(self._buses):
            style = "bus-a" if number % 2 == 0 else "bus-b"
            yield f'<path class="curve {style}" d="M{left} {top_px - 12}h18"/>'
            yield svg_text(left + 23, top_px - 8, bus.channel, name="note")
            left += 44 + _LETTER_PX * len(bus.channel)
            places = list(self._load_places(bus, base_px, top_pct))
            if places:
                yield _curve(f"curve {style}", _thinned(places), f"{bus.channel}: load")
        yield f'<rect class="busy" x="{left}" y="{top_px - 17}" width="18" height="10"/>'
        yield svg_text(left + 23, top_px - 8, "transfer", name="note")

    def _load_places(
        self, bus: BusStatistics, base_px: int, top_pct: int
    ) -> Iterator[tuple[int, int]]:
        """A step for every window in the chart."""
        for number, ratio in enumerate(bus.load_series_ratio):
            begin_ns = number * bus.load_window_ns
            end_ns = begin_ns + bus.load_window_ns
            if end_ns > self._begin_ns and begin_ns < self._end_ns:
                height = base_px - round(ratio * 100 * _LOAD_PX / top_pct)
                yield self._at(begin_ns), height
                yield self._at(end_ns), height


def _name(lane: UpdateLane) -> str:
    return "bundle" if lane.is_bundle else lane.node


def _summed(downloads: Iterable[TransferRecord], node: str) -> list[tuple[int, int]]:
    """Time and bytes of all transfers to an ECU so far."""
    points: list[tuple[int, int]] = []
    before = 0
    for each in downloads:
        if each.node == node:
            points.append((each.begun_ns, before))
            points += [(time_ns, before + size) for time_ns, size in each.samples]
            before = points[-1][1]
    return points


def _thinned(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """For every place on the axis the first, the lowest, the highest and the last point."""
    thin: list[tuple[int, int]] = []
    column: list[tuple[int, int]] = []
    for place in (*places, (-1, 0)):
        if column and place[0] != column[0][0]:
            extremes = {0, len(column) - 1}
            heights = [height for _, height in column]
            extremes |= {heights.index(min(heights)), heights.index(max(heights))}
            thin += [column[index] for index in sorted(extremes)]
            column = []
        column.append(place)
    return list(dict.fromkeys(thin)) if len(thin) < 3 else thin


def _curve(name: str, places: Sequence[tuple[int, int]], title: str) -> str:
    path = "M" + "L".join(f"{left} {height}" for left, height in places)
    return f'<path class="{name}" d="{path}">{_title(title)}</path>'


def _bar(state: str, left: int, right: int, base_px: int, title: str) -> Iterator[str]:
    """A stretch of one state, at least a pixel wide; a thin line where nothing is under way."""
    width = max(right - left, 1)
    group = _GROUP_OF.get(state, "none")
    height_px = 2 if group == "none" else _BAR_PX
    yield (
        f'<rect class="u-{group}" x="{left}" y="{base_px - height_px}" width="{width}" '
        f'height="{height_px}">{_title(title)}</rect>'
    )
    word = state.replace("_", " ").lower()
    if group != "none" and width >= _LETTER_IN_BAR_PX * len(word) + 6:
        yield svg_text(left + 4, base_px - 4, word, name="inside")


def _mark(kind: MarkKind, at: int, base_px: int, title: str) -> str:
    shapes = {
        MarkKind.CUT: f"M{at - 4} {base_px - 8}l8 8m0 -8l-8 8",
        MarkKind.RESET: f"M{at} {base_px + 2}v-12h9l-3 4 3 4h-7.5v4z",
        MarkKind.START: f"M{at - 3} {base_px}v-8l8 4z",
        MarkKind.SELF_TEST: f"M{at - 4} {base_px - 4}l3 3 6 -7",
        MarkKind.SELF_TEST_FAILED: f"M{at - 4} {base_px}h8v-8h-8z",
        MarkKind.REFUSED: f"M{at} {base_px}v-6",
        MarkKind.ATTACK: f"M{at} {base_px}l-4 -4 4 -4 4 4z",
    }
    return f'<path class="{_MARK_STYLES[kind]}" d="{shapes[kind]}">{_title(title)}</path>'


def _legend(left: int) -> Iterator[str]:
    """Two rows: states, then marks."""
    right = left
    for name, word, _ in GROUPS:
        yield f'<rect class="u-{name}" x="{right}" y="6" width="18" height="12"/>'
        yield svg_text(right + 23, 16, word)
        right += 40 + _LETTER_PX * len(word)
    right = left + 6
    for kind in MarkKind:
        yield _mark(kind, right, 40, "")
        yield svg_text(right + 14, 40, kind.value)
        right += 32 + _LETTER_PX * len(kind.value)


def _size(value: int) -> str:
    if value % 1_000_000 == 0 and value:
        return f"{value // 1_000_000} MB"
    return f"{value / 1000:g} kB" if value else "0"


def _title(text: str) -> str:
    return f"<title>{cleaned(text)}</title>" if text else ""


__all__ = ["UpdateChart", "UpdateMark", "colour_of"]
