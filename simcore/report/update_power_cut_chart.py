"""The strip of a power-cut sweep: what ran first after a cut, over the operation at which it came.

One strip per flash: the phases of the update along its operations, a row per kind of cut, and one
for what runs in the end. SVG, coloured by the page's style sheet, every stretch in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simcore.report.svg import cleaned, round_step_ns, svg_text
from simcore.update.flash import CutKind
from simcore.update.power_cut import CaseResult, Outcome, SweepResult

WIDTH_PX = 880
_RIGHT_PX = 30
_LEFT_PX = 92
_TOP_PX = 30
_PHASE_PX = 16
_ROW_PX = 12
_BAR_PX = 10
_GAP_PX = 28
_LETTER_PX = 6
_LABELS_MOST = 8

ROWS: tuple[tuple[CutKind | None, str], ...] = (
    (CutKind.BEFORE, "before"),
    (CutKind.TORN, "torn"),
    (CutKind.AFTER, "after"),
    (None, "in the end"),
)
WORDS = {
    "old": "old software",
    "new": "new software",
    "both": "either of them",
    "bad": "brick, or otherwise wrong",
}


def class_of(results: Iterable[CaseResult], *, at_end: bool) -> str:
    """`old`, `new`, `both` or `bad`; empty where nothing was cut."""
    found = set()
    for result in results:
        if result.is_bad:
            return "bad"
        outcome = result.verdict.outcome if at_end else result.verdict.first
        if outcome is not None:
            found.add(outcome)
    if not found:
        return ""
    if len(found) > 1:
        return "both"
    return "new" if Outcome.NEW in found else "old"


def strip_svg(result: SweepResult) -> str:
    """The strips of one story."""
    height_px = _PHASE_PX + _ROW_PX * len(ROWS) + _GAP_PX
    lines = [
        f'<svg class="wire update cuts" viewBox="{-_LEFT_PX} 0 {_LEFT_PX + WIDTH_PX + _RIGHT_PX} '
        f'{_TOP_PX + height_px * len(result.operations)}" role="img" '
        f'aria-label="Outcome over operation: {cleaned(result.story)}">',
        *_legend(),
    ]
    singles = [each for each in result.every if len(each.case) == 1]
    for flash, count in enumerate(result.operations):
        mine = [each for each in singles if each.case[0].flash == flash]
        name = result.flash_names[flash] if result.flash_names else ""
        lines += _strip(mine, count, name, _TOP_PX + height_px * flash)
    return "\n".join([*lines, "</svg>"])


def _strip(results: Sequence[CaseResult], count: int, name: str, top_px: int) -> Iterator[str]:
    """One flash."""
    by_operation: dict[int, list[CaseResult]] = {}
    for each in results:
        by_operation.setdefault(each.case[0].operation, []).append(each)
    tried = sorted(by_operation)
    # A cut before an operation comes while the phase in which it is done goes on.
    phases = {at: next((each.phase for each in by_operation[at]), "") for at in tried}
    yield svg_text(-10, top_px + 12, name or "phase", anchor="end")
    for number, (phase, first, end) in enumerate(_runs(phases, tried, count)):
        yield from _phase_bar(phase, first, end, count, top_px, f"p{number % 2}")
    for number, (kind, word) in enumerate(ROWS):
        row_px = top_px + _PHASE_PX + 2 + _ROW_PX * number
        yield svg_text(-10, row_px + 9, word, anchor="end", name="note")
        classes = {
            at: class_of(
                [each for each in by_operation[at] if kind in (None, each.case[0].kind)],
                at_end=kind is None,
            )
            for at in tried
        }
        for found, first, end in _runs(classes, tried, count):
            if found:
                left, right = _at(first, count), _at(end, count)
                yield (
                    f'<rect class="c-{found}" x="{left}" y="{row_px}" '
                    f'width="{max(right - left, 1)}" height="{_BAR_PX}">'
                    f"<title>{word}: {_span(first, end)}: {WORDS[found]}</title></rect>"
                )
    yield from _axis(count, top_px + _PHASE_PX + 2 + _ROW_PX * len(ROWS))


def _phase_bar(
    phase: str, first: int, end: int, count: int, top_px: int, name: str
) -> Iterator[str]:
    left, width = _at(first, count), max(_at(end, count) - _at(first, count), 1)
    word = phase.replace("_", " ").lower()
    yield (
        f'<rect class="{name}" x="{left}" y="{top_px + 1}" '
        f'width="{width}" height="{_PHASE_PX - 2}"><title>{cleaned(word or "not said")}: '
        f"{_span(first, end)}</title></rect>"
    )
    if width >= _LETTER_PX * len(word) + 6:
        yield svg_text(left + 4, top_px + 12, word, name="phase")


def _runs(
    values: dict[int, str], tried: Sequence[int], count: int
) -> Iterator[tuple[str, int, int]]:
    """Stretches of the same value: value, first operation, and the one behind the last."""
    begin = 0
    for place, at in enumerate(tried):
        last = place + 1 == len(tried)
        if last or values[tried[place + 1]] != values[at]:
            yield values[at], tried[begin], count if last else tried[place + 1]
            begin = place + 1


def _span(first: int, end: int) -> str:
    return f"operation {first}" if end - first == 1 else f"operations {first}-{end - 1}"


def _at(operation: int, count: int) -> int:
    return operation * WIDTH_PX // max(count, 1)


def _axis(count: int, base_px: int) -> Iterator[str]:
    for operation in range(0, count + 1, round_step_ns(-(-max(count, 1) // _LABELS_MOST))):
        at = _at(operation, count)
        yield f'<path class="reset" d="M{at} {base_px}v3"/>'
        yield svg_text(at, base_px + 13, str(operation), anchor="middle", name="note")


def _legend() -> Iterator[str]:
    right = 0
    for name, word in WORDS.items():
        yield f'<rect class="c-{name}" x="{right}" y="4" width="18" height="10"/>'
        yield svg_text(right + 23, 13, word, name="note")
        right += 44 + _LETTER_PX * len(word)
    yield svg_text(
        WIDTH_PX, 13, "over the number of the flash operation", anchor="end", name="note"
    )
