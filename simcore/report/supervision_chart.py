"""The lanes of the supervision chart: status, enable line, resets and what was found, per ECU.

One SVG picture written by hand, coloured by the page's style sheet; a status shows in the height of
its bar, too, and every bar and mark says in words what it is. The chart covers the part of the run
in which anything was not in order. Not here: where the lanes come from (`supervision`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simcore.report.summary import format_seconds
from simcore.report.svg import cleaned, round_step_ns, svg_text
from simcore.units import NS_PER_MS, format_ns
from simcore.watchdog.statuses import GlobalStatus, LocalStatus

WIDTH_PX = 880
"""Of the time axis in natural size."""
_RIGHT_PX = 40
_TOP_PX = 52
_LANE_PX = 46
_BAR_PX = 16
_AXIS_PX = 26
_LABELS_MOST = 6
_TEXT_PX = 7
"""Width of a letter, roughly."""
_HEIGHT_PX = {
    GlobalStatus.OK: 4,
    GlobalStatus.FAILED: 8,
    GlobalStatus.EXPIRED: 12,
    GlobalStatus.STOPPED: 16,
    GlobalStatus.DEACTIVATED: 2,
}
"""Height of the bar: the worse, the higher."""
_WORDS = {
    GlobalStatus.OK: "OK",
    GlobalStatus.FAILED: "FAILED",
    GlobalStatus.EXPIRED: "EXPIRED",
    GlobalStatus.STOPPED: "STOPPED",
}
_MARKS: tuple[tuple[LocalStatus | None, str], ...] = (
    (LocalStatus.FAILED, "entity failed"),
    (LocalStatus.EXPIRED, "expired"),
    (None, "service stopped"),
)
_ROUND_NS = NS_PER_MS

Fault = tuple[str, int, int]
"""Sentence, start and end in ns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that supervision found, or that monitoring of function demanded."""

    time_ns: int
    entity: str
    status: LocalStatus | None
    """FAILED or EXPIRED; `None` where monitoring of function stopped the service."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionLane:
    """One supervised ECU over the run."""

    node: str
    statuses: tuple[tuple[int, GlobalStatus | None], ...]
    """From when on which; `None` while it is in reset."""
    enables: tuple[tuple[int, bool], ...]
    """Changes of the enable line; it counts as high before the first."""
    resets: tuple[int, ...]
    marks: tuple[Mark, ...]

    @property
    def is_regular(self) -> bool:
        """Whether nothing was ever wrong."""
        odd = any(
            each not in (GlobalStatus.OK, GlobalStatus.DEACTIVATED) for _, each in self.statuses
        )
        return not (odd or self.enables or self.resets or self.marks)

    @property
    def odd_times_ns(self) -> list[int]:
        """When something was wrong or right again; the start-up is neither."""
        times_ns = [time_ns for time_ns, _ in self.statuses[1:]]
        times_ns += [time_ns for time_ns, _ in self.enables]
        return [*times_ns, *self.resets, *(mark.time_ns for mark in self.marks)]


class SupervisionChart:
    """The lanes of one run, of which at least one is not regular."""

    def __init__(
        self, duration_ns: int, lanes: Sequence[SupervisionLane], faults: Sequence[Fault]
    ) -> None:
        self._lanes = lanes
        self._faults = faults
        times_ns = [time_ns for lane in lanes for time_ns in lane.odd_times_ns]
        times_ns += [start_ns for _, start_ns, _ in faults]
        times_ns += [end_ns for _, _, end_ns in faults if end_ns < duration_ns]
        first_ns, last_ns = min(times_ns), min(max(times_ns), duration_ns)
        margin_ns = max((last_ns - first_ns) // 8, 20 * NS_PER_MS)
        self._begin_ns = max(0, (first_ns - margin_ns) // _ROUND_NS * _ROUND_NS)
        end_ns = -(-(last_ns + margin_ns) // _ROUND_NS) * _ROUND_NS
        self._end_ns = max(min(end_ns, duration_ns), self._begin_ns + _ROUND_NS)
        self._cut = self._begin_ns > 0 or self._end_ns < duration_ns

    @property
    def note(self) -> str:
        """What of the run the chart shows."""
        if not self._cut:
            return "Shown is the whole run."
        return (
            f"Shown is {format_ns(self._begin_ns)} to {format_ns(self._end_ns)}; before and after "
            f"nothing changes."
        )

    def svg(self) -> str:
        """The picture as text."""
        bottom_px = _TOP_PX + _LANE_PX * len(self._lanes)
        left_px = max(70, 16 + _TEXT_PX * max(len(lane.node) for lane in self._lanes))
        lines = [
            f'<svg class="wire supervision" viewBox="{-left_px} 0 '
            f'{left_px + WIDTH_PX + _RIGHT_PX} {bottom_px + _AXIS_PX}" role="img" '
            f'aria-label="Supervision of {len(self._lanes)} ECUs over time">',
            *_legend(8 - left_px),
            *self._axis(bottom_px),
            *self._fault_shades(bottom_px),
        ]
        for index, lane in enumerate(self._lanes):
            lines += self._lane(lane, _TOP_PX + _LANE_PX * index)
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

    def _fault_shades(self, bottom_px: int) -> Iterator[str]:
        for sentence, start_ns, end_ns in self._faults:
            begin = self._at(start_ns)
            yield (
                f'<rect class="shade" x="{begin}" width="{max(self._at(end_ns) - begin, 1)}" '
                f'y="{_TOP_PX}" height="{bottom_px - _TOP_PX}"><title>{cleaned(sentence)}</title>'
                f"</rect>"
            )

    def _lane(self, lane: SupervisionLane, top_px: int) -> Iterator[str]:
        base_px = top_px + 14 + _BAR_PX
        yield svg_text(-10, base_px - 3, lane.node, anchor="end")
        for status, begin_ns, end_ns in self._stretches(lane.statuses):
            yield _bar(status, self._at(begin_ns), self._at(end_ns), base_px, lane.node)
        yield from self._enable_line(lane, base_px + 6)
        for time_ns in lane.resets:
            at = self._at(time_ns)
            title = f"{lane.node}: reset at {format_seconds(time_ns)} s"
            yield _shape("reset", f"M{at} {top_px + 4}V{base_px + 8}", title)
            yield _shape("reset flag", _flag(at, top_px + 4), title)
        for mark in lane.marks:
            yield _mark(mark, self._at(mark.time_ns), base_px - _BAR_PX - 3, lane.node)

    def _stretches(
        self, statuses: Sequence[tuple[int, GlobalStatus | None]]
    ) -> Iterator[tuple[GlobalStatus | None, int, int]]:
        """Status, from and to, as far as the chart shows it."""
        ends_ns = [time_ns for time_ns, _ in statuses[1:]] + [self._end_ns]
        for (begin_ns, status), end_ns in zip(statuses, ends_ns, strict=False):
            if end_ns > self._begin_ns and begin_ns < self._end_ns and end_ns > begin_ns:
                yield status, begin_ns, end_ns

    def _enable_line(self, lane: SupervisionLane, line_px: int) -> Iterator[str]:
        enabled, since_ns = True, self._begin_ns
        if lane.statuses:
            since_ns = max(since_ns, lane.statuses[0][0])
        for time_ns, after in (*lane.enables, (self._end_ns, True)):
            begin, end = self._at(since_ns), self._at(time_ns)
            if end > begin:
                word, name = ("high", "line on") if enabled else ("low", "line off")
                yield _shape(name, f"M{begin} {line_px}H{end}", f"{lane.node}: enable line {word}")
            enabled, since_ns = after, time_ns


def _legend(left: int) -> Iterator[str]:
    """Two rows: bars and lines, then what stands above or across them."""
    right = left + 22
    for status, word in _WORDS.items():
        yield _bar(status, right - 22, right, 20, "")
        yield svg_text(right + 5, 17, word)
        right += 38 + _TEXT_PX * len(word)
    for name, word in (("line on", "enable line high"), ("line off", "low")):
        yield _shape(name, f"M{right - 22} 13h22", "")
        yield svg_text(right + 5, 17, word)
        right += 38 + _TEXT_PX * len(word)
    for kind, name in _MARKS:
        yield _mark(Mark(time_ns=0, entity="", status=kind, text=""), left + 4, 40, "")
        yield svg_text(left + 13, 40, name)
        left += 30 + _TEXT_PX * len(name)
    yield from (_shape("reset flag", _flag(left, 31), ""), svg_text(left + 13, 40, "reset"))
    left += 30 + _TEXT_PX * len("reset")
    yield f'<rect class="span" x="{left}" y="31" width="22" height="10"/>'
    yield svg_text(left + 27, 40, "fault")


def _flag(left: int, top_px: int) -> str:
    return f"M{left} {top_px}h9l-3 4 3 4h-9z"


def _bar(status: GlobalStatus | None, left: int, right: int, base_px: int, node: str) -> str:
    """A stretch of one status; a thin line while the ECU is in reset. At least a pixel wide."""
    height_px = 2 if status is None else _HEIGHT_PX[status]
    name = "none" if status is None else f"g{int(status)}"
    word = "in reset" if status is None else status.name
    return (
        f'<rect class="{name}" x="{left}" y="{base_px - height_px}" width="{max(right - left, 1)}" '
        f'height="{height_px}">{_title(f"{node}: supervision {word}" if node else "")}</rect>'
    )


def _mark(mark: Mark, at: int, base_px: int, node: str) -> str:
    """A triangle for FAILED, a diamond for EXPIRED, a square for the stopped service."""
    if mark.status is LocalStatus.FAILED:
        name, path = "found", f"M{at - 4} {base_px}h8l-4 -8z"
    elif mark.status is LocalStatus.EXPIRED:
        name, path = "lost", f"M{at} {base_px}l-4 -4 4 -4 4 4z"
    else:
        name, path = "lost", f"M{at - 3} {base_px}h6v-7h-6z"
    what = mark.text
    if mark.status is not None:
        what = f"{mark.entity} {mark.status.name} ({mark.text})"
    return _shape(name, path, f"{node}: {what} at {format_seconds(mark.time_ns)} s" if node else "")


def _shape(name: str, path: str, title: str) -> str:
    return f'<path class="{name}" d="{path}">{_title(title)}</path>'


def _title(text: str) -> str:
    return f"<title>{cleaned(text)}</title>" if text else ""
