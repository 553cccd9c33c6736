"""Reaction times against their budgets as one SVG picture: a strip of dots per row of the table.

Every measurement is a dot on a logarithmic axis of ms from the fault, its detection a small tick
before it; the budget is a line, the FTTI a dotted one. What was never detected or never safe stands
as a cross behind the axis. Written by hand: the same table gives the same bytes on every machine,
for positions come from a table of logarithms and whole numbers. Not here: any figure
(`simcore.rig.ftti`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from simcore.rig.ftti_result import FULFILLED, CellResult, CellVerdict, FttiResult, Sample
from simcore.units import NS_PER_MS

_ROW_PX = 22
_HEAD_PX = 26
"""Of a requirement."""
_TOP_PX = 30
_NAMES_PX = 250
_AXIS_PX = 640
_BEYOND_PX = 70
"""Behind the axis, for what has no time."""
_FIGURES_PX = 150
WIDTH_PX = _NAMES_PX + _AXIS_PX + _BEYOND_PX + _FIGURES_PX
_DECADES = 3
"""1 ms to 1 s."""
_TICKS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
# log10 of 1.0, 1.1 .. 10.0 in ten-thousandths: the axis needs no libm.
_LOG = (
    0, 414, 792, 1139, 1461, 1761, 2041, 2304, 2553, 2788, 3010, 3222, 3424, 3617, 3802, 3979,
    4150, 4314, 4472, 4624, 4771, 4914, 5051, 5185, 5315, 5441, 5563, 5682, 5798, 5911, 6021,
    6128, 6232, 6335, 6435, 6532, 6628, 6721, 6812, 6902, 6990, 7076, 7160, 7243, 7324, 7404,
    7482, 7559, 7634, 7709, 7782, 7853, 7924, 7993, 8062, 8129, 8195, 8261, 8325, 8388, 8451,
    8513, 8573, 8633, 8692, 8751, 8808, 8865, 8921, 8976, 9031, 9085, 9138, 9191, 9243, 9294,
    9345, 9395, 9445, 9494, 9542, 9590, 9638, 9685, 9731, 9777, 9823, 9868, 9912, 9956, 10000,
)  # fmt: skip


def ftti_svg(result: FttiResult) -> str:
    """The picture as text; classes are those of the page's style."""
    lines = list(_strips(result))
    height = _TOP_PX + sum(px for px, _ in lines) + 10
    out = [
        f'<svg class="strips" viewBox="0 0 {WIDTH_PX} {height}" role="img" '
        f'aria-label="Reaction times against their budgets">',
        *_grid(height),
    ]
    top_px = _TOP_PX
    for px, drawn in lines:
        out += [each.replace("@", str(top_px)) for each in drawn]
        top_px += px
    return "\n".join([*out, "</svg>"])


def _x_px(time_ns: int) -> str:
    """Place of a time on the axis, in hundredths of a pixel."""
    return _hundredths(_NAMES_PX * 100 + _AXIS_PX * 100 * _log(time_ns) // (_DECADES * 10_000))


def _log(time_ns: int) -> int:
    """log10 of the time in ms, in ten-thousandths, kept on the axis."""
    if time_ns <= NS_PER_MS:
        return 0
    decade = 0
    scale_ns = NS_PER_MS
    while time_ns >= 10 * scale_ns:
        scale_ns *= 10
        decade += 1
    if decade >= _DECADES:
        return _DECADES * 10_000
    tenth, rest_ns = divmod(time_ns * 10, scale_ns)
    low, high = _LOG[tenth - 10], _LOG[tenth - 9]
    return decade * 10_000 + low + (high - low) * rest_ns // scale_ns


def _hundredths(value: int) -> str:
    whole, rest = divmod(value, 100)
    return f"{whole}.{rest:02d}"


def _grid(height: int) -> Iterator[str]:
    bottom = height - 6
    for tick in _TICKS_MS:
        x = _x_px(tick * NS_PER_MS)
        label = f"{tick} ms" if tick < 1000 else "1 s"
        yield f'<line class="grid" x1="{x}" y1="{_TOP_PX - 6}" x2="{x}" y2="{bottom}"/>'
        yield f'<text class="note" x="{x}" y="{_TOP_PX - 12}" text-anchor="middle">{label}</text>'
    never_px = _NAMES_PX + _AXIS_PX + _BEYOND_PX // 2
    yield f'<text class="note" x="{never_px}" y="{_TOP_PX - 12}" text-anchor="middle">never</text>'


def _strips(result: FttiResult) -> Iterator[tuple[int, list[str]]]:
    """Height and elements of each strip; `@` stands for its top."""
    for requirement in result.requirements:
        name = escape(requirement.requirement) if requirement.is_judged else "no requirement:"
        word = requirement.word
        head = f'<text class="head {word.split()[0]}" x="0" y="@" dy="18">{name} {word}</text>'
        yield _HEAD_PX, [head]
        rows = dict.fromkeys(cell.row for cell in requirement.cells)
        for row in rows:
            cells = [cell for cell in requirement.cells if cell.row == row]
            yield _ROW_PX, list(_strip(row, cells))


def _strip(row: str, cells: Sequence[CellResult]) -> Iterator[str]:
    middle = _ROW_PX // 2
    first = cells[0]
    yield f'<g transform="translate(0 @)"><title>{escape(first.hazard)}</title>'
    yield f'<text class="row" x="{_NAMES_PX - 10}" y="15" text-anchor="end">{escape(row)}</text>'
    end = _NAMES_PX + _AXIS_PX
    yield f'<line class="axis" x1="{_NAMES_PX}" y1="{middle}" x2="{end}" y2="{middle}"/>'
    origins_ns = [sample.counted_from_ns for cell in cells for sample in cell.samples]
    budget_ns = first.budget_ns + min(origins_ns, default=0)
    for name, time_ns in (("ftti", first.ftti_ns), ("budget", budget_ns)):
        if name == "budget" or time_ns != first.budget_ns:
            x = _x_px(time_ns)
            yield f'<line class="{name}" x1="{x}" y1="1" x2="{x}" y2="{_ROW_PX - 1}"/>'
    count = 0
    for index, cell in enumerate(cells):
        y = middle - 5 + 10 * index // max(1, len(cells) - 1) if len(cells) > 1 else middle
        for sample in cell.samples:
            yield from _dot(cell, sample, y, count)
            count += 1
    yield f'<text class="note" x="{end + _BEYOND_PX + 4}" y="15">{_said(cells)}</text></g>'


def _dot(cell: CellResult, sample: Sample, y: int, count: int) -> Iterator[str]:
    verdict = cell.sample_verdict(sample)
    word = "passed" if verdict in FULFILLED else "failed"
    if sample.fdti_ns is not None:
        x = _x_px(sample.fdti_ns)
        yield f'<line class="seen" x1="{x}" y1="{y - 2}" x2="{x}" y2="{y + 2}"/>'
    if sample.fhti_ns is not None and sample.fdti_ns is not None:
        yield f'<circle class="{word}" cx="{_x_px(sample.fhti_ns)}" cy="{y}" r="2.6"/>'
        return
    # Several of these would lie on one another: they stand in a row of their own.
    x_px = _NAMES_PX + _AXIS_PX + 8 + count * 5 % (_BEYOND_PX - 14)
    never = "never expected" if verdict is CellVerdict.EXPECTED else "never"
    yield (f'<path class="{never}" d="M{x_px} {y - 3}l6 6m0 -6l-6 6"/>')


def _said(cells: Sequence[CellResult]) -> str:
    """Budget and largest FHTI, or what else there is to say."""
    errors = sum(cell.verdict is CellVerdict.ERROR for cell in cells)
    if errors:
        return f"{errors} not measured"
    expected = sum(cell.verdict is CellVerdict.EXPECTED for cell in cells)
    if expected == len(cells):
        return "as expected"
    never = sum(cell.fhti is None and cell.verdict is not CellVerdict.EXPECTED for cell in cells)
    if never:
        return f"{never} of {len(cells)} cells never"
    largest_ns = max(
        (sample.judged_ns for cell in cells for sample in cell.samples
         if sample.judged_ns is not None and sample.fdti_ns is not None),
        default=0,
    )  # fmt: skip
    return f"{largest_ns / NS_PER_MS:.1f} of {cells[0].budget_ns / NS_PER_MS:g} ms"
