"""How the figures of the reaction-time table are printed: one place for console, CSV and page.

Not here: any figure (`simcore.rig.ftti`).
"""

from __future__ import annotations

from collections.abc import Sequence

from simcore.rig.ftti_result import CellResult, CellVerdict, FttiResult, RequirementResult, Spread
from simcore.units import NS_PER_MS


def milliseconds(time_ns: int | None) -> str:
    """`17.3`, or `-` where there is none."""
    return "-" if time_ns is None else f"{time_ns / NS_PER_MS:.1f}"


def spread_ms(spread: Spread | None) -> tuple[str, str, str]:
    """Smallest, middle, largest."""
    if spread is None:
        return "-", "-", "-"
    return (
        milliseconds(spread.min_ns),
        milliseconds(spread.median_ns),
        milliseconds(spread.max_ns),
    )


def headline(result: FttiResult) -> str:
    """`212 of 214 cells passed, 1 late, 1 undetected; 8 without a requirement`."""
    counts = verdict_counts(result.judged)
    text = f"{counts[CellVerdict.PASSED]} of {len(result.judged)} cells passed"
    others = [
        f"{count} {verdict.value}"
        for verdict, count in counts.items()
        if count and verdict is not CellVerdict.PASSED
    ]
    text = ", ".join([text, *others])
    open_count = len(result.cells) - len(result.judged)
    return f"{text}; {open_count} without a requirement" if open_count else text


def verdict_counts(cells: Sequence[CellResult]) -> dict[CellVerdict, int]:
    """Cells per verdict, all verdicts."""
    counts = dict.fromkeys(CellVerdict, 0)
    for cell in cells:
        counts[cell.verdict] += 1
    return counts


def requirement_line(requirement: RequirementResult) -> str:
    """`SAF-001 passed: 20 of 20 cells, smallest margin 56.6 ms`."""
    word = "FAILED" if requirement.word == "failed" else requirement.word
    name = requirement.requirement if requirement.is_judged else "no requirement,"
    text = f"{name} {word}: {requirement.passed_count} of "
    text += f"{len(requirement.cells)} cells"
    if requirement.expected_count:
        text += f", {requirement.expected_count} {CellVerdict.EXPECTED.value}"
    if requirement.least_margin_ns is not None:
        text += f", smallest margin {milliseconds(requirement.least_margin_ns)} ms"
    return text
