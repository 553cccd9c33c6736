"""The page about a judged module: one HTML file that needs no network and no other file.

Verdict, requirement by case matrix, what was not tested, and the evidence of every case. It has the
look of the report page and shares its style; there is no script at all.
"""

from __future__ import annotations

import os
from pathlib import Path

from simcore.report.files import write_file
from simcore.testing.conformance.result import CaseResult, CaseVerdict, ConformanceResult
from simcore.testing.conformance.writers.curves import curve_svg
from simcore.testing.conformance.writers.summary import (
    MARKS,
    groups_of,
    headline,
    requirement_rows,
    untested,
    what_happened,
)
from simcore.units import format_ns
from simcore.version import __version__

_SIGNS = {
    CaseVerdict.PASSED: "✓",
    CaseVerdict.FAILED: "✗",
    CaseVerdict.NOT_TESTED: "–",
    CaseVerdict.ERROR: "!",
    CaseVerdict.PARTLY: "~",
}


def write_html(path: str | os.PathLike[str], result: ConformanceResult) -> Path:
    """Write the page. Raises `InputError` where `path` cannot be written."""
    page = html_page(result)
    return write_file(path, page.encode("utf-8", "backslashreplace"), what="HTML report")


def html_page(result: ConformanceResult) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.PackageLoader("simcore.testing.conformance.writers", "templates"),
                jinja2.PackageLoader("simcore.report", "templates"),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"span": format_ns, "mark": MARKS.__getitem__, "happened": what_happened}
    rows = requirement_rows(result)
    return environment.get_template("conformance.html.j2").render(
        result=result,
        version=__version__,
        headline=headline(result),
        verdicts=CaseVerdict,
        rows=rows,
        columns=[row.requirement.id for row in rows if row.cases],
        groups=groups_of(result),
        untested=untested(result),
        curve=curve_svg,
        cell=_cell(result),
    )


class _cell:  # noqa: N801 - called like a function by the template
    """What the matrix shows of a case and a requirement: style and sign; empty for nothing."""

    def __init__(self, result: ConformanceResult) -> None:
        self._result = result

    def __call__(self, case: CaseResult, requirement: str) -> tuple[str, str]:
        if requirement not in case.requirements:
            return "", ""
        verdict = self._result.verdict_in(case, requirement)
        return MARKS[verdict], _SIGNS[verdict]
