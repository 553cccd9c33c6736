"""The page of the reaction-time table: one HTML file that needs no network and no other file.

It has the look of the report page (`html`) and shares its style; there is no script at all. Not
here: the plot (`ftti_plot`), any figure (`simcore.rig.ftti`, `simcore.rig.coverage`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from simcore.report.files import write_file
from simcore.report.ftti_figures import headline, milliseconds, spread_ms, verdict_counts
from simcore.report.ftti_plot import ftti_svg
from simcore.rig.coverage import Coverage, CoverageRow, Mechanism, percent
from simcore.rig.ftti_result import CellResult, CellVerdict, FttiResult


def write_ftti_html(
    path: str | os.PathLike[str],
    result: FttiResult,
    *,
    requirement_texts: Mapping[str, str],
    version: str,
    coverage: Coverage | None = None,
) -> Path:
    """Write the page. Raises `InputError` where `path` cannot be written."""
    page = ftti_page(
        result, requirement_texts=requirement_texts, version=version, coverage=coverage
    )
    return write_file(path, page.encode("utf-8", "backslashreplace"), what="HTML report")


def ftti_page(
    result: FttiResult,
    *,
    requirement_texts: Mapping[str, str],
    version: str,
    coverage: Coverage | None = None,
) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simcore.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"ms": milliseconds, "spread": spread_ms, "mark": _mark}
    return environment.get_template("ftti.html.j2").render(
        result=result,
        requirements=result.requirements,
        texts=requirement_texts,
        counts=verdict_counts(result.cells),
        verdicts=CellVerdict,
        headline=headline(result),
        version=version,
        plot=ftti_svg(result),
        coverage=coverage,
        mechanisms=tuple(Mechanism),
        percent=_percent,
        shade=_shade,
        evidence=_evidence,
    )


def _mark(verdict: CellVerdict) -> str:
    if verdict is CellVerdict.PASSED:
        return "passed"
    if verdict is CellVerdict.EXPECTED:
        return "none"
    return "error" if verdict is CellVerdict.ERROR else "failed"


def _percent(row: CoverageRow, mechanism: Mechanism | None) -> str:
    return percent(row.share(mechanism))


def _shade(row: CoverageRow, mechanism: Mechanism | None) -> int:
    """0 nothing, 1 some, 2 most, 3 all."""
    count, runs = row.share(mechanism)
    if not count or not runs:
        return 0
    return 3 if count == runs else 2 if 2 * count >= runs else 1


def _evidence(cell: CellResult) -> tuple[tuple[str, int], tuple[str, int]]:
    """What was seen most often as detection and as safe state, and how many others there were."""
    return (
        _most([sample.detected for sample in cell.samples]),
        _most([sample.safe for sample in cell.samples]),
    )


def _most(texts: list[str]) -> tuple[str, int]:
    """The first text of a sample; figures in it differ from sample to sample."""
    found = [text for text in texts if text]
    return (found[0] if found else "nothing", len(texts) - len(found))
