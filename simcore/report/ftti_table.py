"""The reaction-time table and the coverage table as CSV; times in ns, one row per measurement.

A cell is empty where nothing was found. Not here: any figure (`simcore.rig.ftti`).
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from simcore.report.files import write_file
from simcore.rig.coverage import Coverage, Mechanism
from simcore.rig.ftti_result import CellResult, FttiResult, Sample

COLUMNS = (
    "requirement cell place operating_point broken hazard ftti_ns budget_ns fdti_max_ns phase_ns "
    "fdti_ns frti_ns fhti_ns counted_from_ns margin_ns hazard_ns mfdd_mps2 mfdd_min_mps2 verdict "
    "cell_verdict detected safe_state undetected_because error"
).split()


def write_ftti_table(path: str | os.PathLike[str], result: FttiResult) -> Path:
    """Write the table. Raises `InputError` where `path` cannot be written."""
    data = ftti_csv(result).encode("utf-8", "backslashreplace")
    return write_file(path, data, what="table of reaction times")


def ftti_csv(result: FttiResult) -> str:
    """One row per measurement; a cell that could not be measured has one with its error."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for cell in result.cells:
        for sample in cell.samples:
            writer.writerow(_cell(cell) | _sample(cell, sample))
        if not cell.samples:
            writer.writerow(_cell(cell) | {"verdict": str(cell.verdict)})
    return text.getvalue()


def _cell(cell: CellResult) -> dict[str, object]:
    return {
        "requirement": cell.requirement,
        "cell": cell.id,
        "place": cell.place,
        "operating_point": cell.point,
        "broken": cell.broken,
        "hazard": cell.hazard,
        "ftti_ns": cell.ftti_ns,
        "budget_ns": cell.budget_ns,
        "fdti_max_ns": cell.fdti_max_ns,
        "mfdd_min_mps2": _figure(cell.stop_min_mps2),
        "cell_verdict": str(cell.verdict),
        "undetected_because": cell.undetected_because,
        "error": cell.error,
    }


def _sample(cell: CellResult, sample: Sample) -> dict[str, object]:
    return {
        "phase_ns": sample.phase_ns,
        "fdti_ns": sample.fdti_ns,
        "frti_ns": sample.frti_ns,
        "fhti_ns": sample.fhti_ns,
        "counted_from_ns": sample.counted_from_ns,
        "margin_ns": None if sample.judged_ns is None else cell.budget_ns - sample.judged_ns,
        "mfdd_mps2": _figure(sample.mfdd_mps2),
        "hazard_ns": sample.hazard_ns,
        "verdict": str(cell.sample_verdict(sample)),
        "detected": sample.detected,
        "safe_state": sample.safe,
    }


def _figure(mfdd_mps2: float | None) -> str | None:
    return None if mfdd_mps2 is None else f"{mfdd_mps2:.3f}"


def write_coverage_table(path: str | os.PathLike[str], coverage: Coverage) -> Path:
    """Write the coverage table. Raises `InputError` where `path` cannot be written."""
    data = coverage_csv(coverage).encode("utf-8", "backslashreplace")
    return write_file(path, data, what="coverage table")


def coverage_csv(coverage: Coverage) -> str:
    """One row per fault model: runs, runs in which each mechanism fired, runs noticed by any.

    A run that could not be made is a row of its own, with its error and nothing else.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["fault_model", "runs", *(each.value for each in Mechanism), "any", "error"])
    for row in coverage.rows:
        fired = [row.fired.get(each, 0) for each in Mechanism]
        writer.writerow([row.model.value, row.runs, *fired, row.noticed, ""])
    for error in coverage.errors:
        writer.writerow(["", "", *("" for _ in Mechanism), "", error])
    return text.getvalue()
