"""A measured curve with its limits as a small SVG picture; the same curve gives the same bytes.

Colours are names of the report page's style, so the picture follows its dark mode.
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.report.svg import svg_text
from simcore.testing.conformance.result import Curve

_WIDTH, _HEIGHT = 640, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 24, 26
_POINTS_MAX = 600
"""More points than the picture has columns show nothing more."""
_STEPS = (1.0, 2.0, 5.0)


def curve_svg(curve: Curve) -> str:
    """The picture: the quantity as a line, each limit as a dashed one, both with their names."""
    numbers = [
        value
        for values in (curve.values, *(limit for _, limit in curve.limits))
        for value in values
        if value - value == 0.0
    ]
    if not curve.time_s or not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    if high - low < 1e-9:
        low, high = low - 1.0, high + 1.0
    margin = (high - low) * 0.06
    frame = _Frame(curve.time_s[0], curve.time_s[-1], low - margin, high + margin)
    parts = [
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{_plain(curve.name)} over time">',
        *frame.grid(),
        svg_text(_LEFT, 14, f"{curve.name} ({curve.unit})", name="head"),
    ]
    for index, (name, values) in enumerate(curve.limits):
        parts.append(frame.line(curve.time_s, values, f"limit l{index % 4}"))
        parts.append(
            svg_text(
                _WIDTH - _RIGHT, 14 + 12 * index, name, anchor="end", name=f"note l{index % 4}"
            )
        )
    parts.append(frame.line(curve.time_s, curve.values, "value"))
    return "".join([*parts, "</svg>"])


class _Frame:
    """From seconds and values to pixels."""

    def __init__(self, from_s: float, to_s: float, low_ratio: float, high_ratio: float) -> None:
        self._from_s = from_s
        self._span_s = to_s - from_s if to_s > from_s else 1.0
        self._low = low_ratio
        self._span = high_ratio - low_ratio

    def x_px(self, time_s: float) -> float:
        return _LEFT + (time_s - self._from_s) / self._span_s * (_WIDTH - _LEFT - _RIGHT)

    def y_px(self, value_ratio: float) -> float:
        height = _HEIGHT - _TOP - _BOTTOM
        return _HEIGHT - _BOTTOM - (value_ratio - self._low) / self._span * height

    def grid(self) -> list[str]:
        parts = []
        for value in _ticks(self._low, self._low + self._span, 5):
            y_px = self.y_px(value)
            right = _WIDTH - _RIGHT
            parts.append(f'<path class="grid" d="M{_LEFT} {y_px:.1f}H{right}"/>')
            parts.append(
                svg_text(_LEFT - 6, round(y_px) + 4, f"{value:g}", anchor="end", name="note")
            )
        for time_s in _ticks(self._from_s, self._from_s + self._span_s, 8):
            x_px = self.x_px(time_s)
            bottom = _HEIGHT - _BOTTOM
            parts.append(f'<path class="grid" d="M{x_px:.1f} {_TOP}V{bottom}"/>')
            shown = f"{time_s * 1e3:g} ms"
            parts.append(svg_text(round(x_px), _HEIGHT - 8, shown, anchor="middle", name="note"))
        return parts

    def line(self, time_s: Sequence[float], values: Sequence[float], name: str) -> str:
        """Broken where a value is missing."""
        words, pen_is_up = [], True
        step = max(1, len(time_s) // _POINTS_MAX)
        for index in range(0, len(time_s), step):
            value = values[index]
            if value - value != 0.0:
                pen_is_up = True
                continue
            letter = "M" if pen_is_up else "L"
            words.append(f"{letter}{self.x_px(time_s[index]):.1f} {self.y_px(value):.1f}")
            pen_is_up = False
        return f'<path class="{name}" d="{"".join(words)}"/>'


def _ticks(low_ratio: float, high_ratio: float, count: int) -> list[float]:
    """Round numbers between the two, about so many."""
    least = (high_ratio - low_ratio) / count
    unit = 1.0
    while unit > least:
        unit /= 10.0
    while unit * 10.0 < least:
        unit *= 10.0
    step = next((unit * each for each in _STEPS if unit * each >= least), unit * 10.0)
    first = int(low_ratio / step) - 1
    found = [(first + index) * step for index in range(count + 4)]
    return [round(each, 9) for each in found if low_ratio <= each <= high_ratio]


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isalnum() or each in " .,-")
