"""A judged module as CSV for requirement tools: a row per requirement and case.

A requirement without cases has one row, and so has a case that verifies no requirement. RFC 4180,
UTF-8, lines end with CR LF.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from simcore.report.files import write_file
from simcore.testing.conformance.result import CaseResult, ConformanceResult
from simcore.testing.conformance.writers.summary import (
    first_wrong,
    requirement_rows,
    what_happened,
)

COLUMNS = (
    "requirement",
    "asil",
    "source",
    "requirement_text",
    "requirement_verdict",
    "case",
    "group",
    "title",
    "case_verdict",
    "what",
    "measured",
    "limit",
    "reason",
    "replay",
)


def write_csv(path: str | os.PathLike[str], result: ConformanceResult) -> Path:
    """Write the table. Raises `InputError` where `path` cannot be written."""
    return write_file(path, csv_text(result).encode(), what="CSV report")


def csv_text(result: ConformanceResult) -> str:
    """The table as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in requirement_rows(result):
        requirement = row.requirement
        left = (
            requirement.id,
            requirement.asil,
            requirement.source,
            requirement.text,
            str(row.verdict),
        )
        for case in row.cases:
            writer.writerow((*left, *_right(case, str(result.verdict_in(case, requirement.id)))))
        if not row.cases:
            writer.writerow((*left, *[""] * 7, row.why_not_tested, ""))
    for case in result.cases:
        if not case.requirements:
            writer.writerow((*[""] * 5, *_right(case, str(case.verdict))))
    return out.getvalue()


def _right(case: CaseResult, verdict: str) -> tuple[str, ...]:
    judgement = first_wrong(case)
    shown = ("", "", "")
    if judgement is not None:
        shown = (judgement.text, judgement.measured, judgement.limit)
    reason = what_happened(case) if case.reason or case.findings else ""
    return (
        case.id,
        str(case.group),
        case.title,
        verdict,
        *shown,
        reason,
        case.replay_command,
    )
