"""Response times against deadlines as one SVG picture: a bar per message, by falling priority.

A bar is the share of the deadline its worst-case response takes, stacked by cause. Written by
hand: the same analysis gives the same bytes, on every machine and with every library version.
Not here: any figure (`simcore.network.response_time`).
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from xml.sax.saxutils import escape

from simcore.network.response_time import Analysis, ResponseTime
from simcore.report.files import write_file
from simcore.units import format_ns

_ROW_PX = 18
_TOP_PX = 64
_BARS_PX = 560
"""Width of the plot; the deadline is a line inside it."""
_NAMES_PX = 260
_TEXTS_PX = 230
_SHOWN_MOST = Fraction(2)
"""A bar beyond twice its deadline is cut, and its figure says how long it is."""
_CAUSES = (
    ("blocked by lower priority", "#9aa6b4"),
    ("jitter, errors, higher priorities", "#0072b2"),
    ("own frame", "#1a7f4b"),
)
_MISSED = "#b3261e"


def write_response_plot(path: str | os.PathLike[str], analysis: Analysis, *, title: str) -> Path:
    """Write the picture. Raises `InputError` where `path` cannot be written."""
    picture = response_svg(analysis, title=title)
    return write_file(
        path, picture.encode("utf-8", "backslashreplace"), what="plot of response times"
    )


def response_svg(analysis: Analysis, *, title: str) -> str:
    """The picture as text."""
    rows = analysis.messages
    longest = max((_share(row) for row in rows), default=Fraction(0))
    scale = min(_SHOWN_MOST, max(Fraction(1), longest)) * Fraction(21, 20)
    width = _NAMES_PX + _BARS_PX + _TEXTS_PX
    height = _TOP_PX + _ROW_PX * len(rows) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(12, 20, title, size=14),
        *_legend(),
        *_grid(scale, height - 16),
    ]
    for index, row in enumerate(rows):
        lines += _bar(row, _TOP_PX + _ROW_PX * index, scale)
    return "\n".join([*lines, "</svg>", ""])


def _share(row: ResponseTime) -> Fraction:
    """Response over deadline; without a bound as much as is shown."""
    if row.response_ns is None:
        return _SHOWN_MOST
    return Fraction(row.response_ns, row.deadline_ns)


def _legend() -> list[str]:
    lines, left_px = [], _NAMES_PX
    for text, colour in (*_CAUSES, ("deadline missed", _MISSED)):
        lines.append(f'<rect x="{left_px}" y="30" width="10" height="10" fill="{colour}"/>')
        lines.append(_text(left_px + 14, 39, text))
        left_px += 32 + 6 * len(text)
    return lines


def _grid(scale: Fraction, bottom_px: int) -> list[str]:
    """A line each quarter of the deadline, half where more is shown; the deadline itself bold."""
    step_pct = 25 if scale < Fraction(3, 2) else 50
    lines = []
    for percent in range(0, int(scale * 100) + 1, step_pct):
        left = _px(_NAMES_PX + Fraction(percent, 100) / scale * _BARS_PX)
        colour, stroke = (_MISSED, 2) if percent == 100 else ("#dde2e8", 1)
        lines.append(
            f'<line x1="{left}" y1="{_TOP_PX - 4}" x2="{left}" y2="{bottom_px}" '
            f'stroke="{colour}" stroke-width="{stroke}"/>'
        )
        label = "deadline" if percent == 100 else f"{percent} %"
        lines.append(
            f'<text x="{left}" y="{_TOP_PX - 8}" text-anchor="middle" fill="#5b6776">{label}</text>'
        )
    return lines


def _bar(row: ResponseTime, top_px: int, scale: Fraction) -> list[str]:
    lines = [_text(_NAMES_PX - 8, top_px + 12, row.message.label, anchor="end")]
    left = Fraction(_NAMES_PX)
    end = _NAMES_PX + min(_share(row), _SHOWN_MOST) / scale * _BARS_PX
    colours = [colour if row.is_schedulable else _MISSED for _, colour in _CAUSES]
    parts_ns = _parts_ns(row)
    opacities = ("0.55", "0.75", "1") if not row.is_schedulable else ("1", "1", "1")
    for part_ns, colour, opacity in zip(parts_ns, colours, opacities, strict=True):
        right = min(end, left + Fraction(part_ns, row.deadline_ns) / scale * _BARS_PX)
        lines.append(
            f'<rect x="{_px(left)}" y="{top_px + 3}" width="{_px(right - left)}" '
            f'height="{_ROW_PX - 6}" fill="{colour}" fill-opacity="{opacity}"/>'
        )
        left = right
    if row.response_ns is None:
        said = f"no bound: {row.reason}"
    else:
        said = f"{format_ns(row.response_ns)} of {format_ns(row.deadline_ns)}"
    # An unbounded row has an empty bar: its reason stands where the bar would begin.
    text_px = int(left) + 6
    lines.append(_text(text_px, top_px + 12, said))
    return lines


def _parts_ns(row: ResponseTime) -> tuple[int, int, int]:
    """Blocking, interference and own frame of the worst instance; zeros without a bound.

    Of a later instance than the first the own share comes first, as far as the response goes.
    """
    if row.response_ns is None:
        return 0, 0, 0
    own_ns = min(row.message.transmission_ns, row.response_ns)
    blocking_ns = min(row.blocking_ns, row.response_ns - own_ns)
    return blocking_ns, row.response_ns - own_ns - blocking_ns, own_ns


def _text(left_px: int, base_px: int, text: str, *, size: int = 11, anchor: str = "start") -> str:
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return (
        f'<text x="{left_px}" y="{base_px}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="#1b2430" stroke="#ffffff" stroke-width="3" paint-order="stroke">'
        f"{escape(clean)}</text>"
    )


def _px(length: Fraction) -> str:
    """Hundredths of a pixel, rounded half up."""
    hundredths = (length.numerator * 200 + length.denominator) // (2 * length.denominator)
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}"
