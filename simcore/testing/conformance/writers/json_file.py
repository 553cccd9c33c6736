"""A judged module as JSON, for programs. The layout has a version: `format` names it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simcore.report.files import write_file
from simcore.testing.conformance.result import CaseResult, ConformanceResult
from simcore.testing.conformance.writers.summary import requirement_rows
from simcore.version import __version__

FORMAT = "simcore-conformance/1"


def write_json(path: str | os.PathLike[str], result: ConformanceResult) -> Path:
    """Write `result` as JSON. Raises `InputError` where `path` cannot be written."""
    text = json.dumps(content_of(result), indent=1, ensure_ascii=True, allow_nan=False)
    return write_file(path, text.encode() + b"\n", what="JSON report")


def content_of(result: ConformanceResult) -> dict[str, Any]:
    """What is in the file, as plain dictionaries and lists."""
    return {
        "format": FORMAT,
        "simcore": __version__,
        "node": result.node,
        "role": result.role,
        "dut": result.dut,
        "dut_digest": result.dut_digest,
        "database": result.database,
        "requirement_file": result.requirement_file,
        "seed": result.seed,
        "verdict": str(result.verdict),
        "counts": {str(verdict): count for verdict, count in sorted(result.counts.items())},
        "digest": result.digest,
        "notes": list(result.notes),
        "requirements": [
            {
                "id": row.requirement.id,
                "text": row.requirement.text,
                "source": row.requirement.source,
                "asil": row.requirement.asil,
                "parameters": dict(row.requirement.parameters),
                "verdict": str(row.verdict),
                "why_not_tested": row.why_not_tested,
                "cases": {
                    case.id: str(result.verdict_in(case, row.requirement.id)) for case in row.cases
                },
            }
            for row in requirement_rows(result)
        ],
        "elsewhere": dict(result.elsewhere),
        "cases": [_case(case) for case in result.cases],
    }


def _case(case: CaseResult) -> dict[str, Any]:
    content = asdict(case)
    content["group"], content["verdict"] = str(case.group), str(case.verdict)
    for curve in content["curves"]:
        curve["values"] = [_plain(value) for value in curve["values"]]
        curve["limits"] = {
            name: [_plain(value) for value in values] for name, values in curve["limits"]
        }
    return content


def _plain(value: float) -> float | None:
    """JSON knows neither infinity nor NaN."""
    return value if value - value == 0.0 else None
