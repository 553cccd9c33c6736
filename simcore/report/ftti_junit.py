"""The reaction-time table as JUnit XML: a test suite per requirement, a test case per cell.

The same dialect as `junit`: properties stand on the suite. `time` is the largest FHTI in virtual
seconds; there is no wall clock and no host name, so the same table writes the same bytes.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from simcore.report.files import write_file
from simcore.report.ftti_figures import milliseconds, spread_ms
from simcore.report.junit import add_property, legal
from simcore.report.summary import format_seconds
from simcore.rig.coverage import Coverage
from simcore.rig.ftti import NO_REQUIREMENT
from simcore.rig.ftti_result import CellResult, CellVerdict, FttiResult, RequirementResult

_PLAIN = (CellVerdict.PASSED, CellVerdict.EXPECTED, CellVerdict.ERROR)
_COVERAGE = "diagnostic coverage"


def write_ftti_junit(
    path: str | os.PathLike[str],
    result: FttiResult,
    *,
    requirement_texts: Mapping[str, str],
    coverage: Coverage | None = None,
) -> Path:
    """Write the table as JUnit XML. Raises `InputError` where `path` cannot be written."""
    data = ftti_junit_bytes(result, requirement_texts=requirement_texts, coverage=coverage)
    return write_file(path, data, what="JUnit report")


def ftti_junit_bytes(
    result: FttiResult,
    *,
    requirement_texts: Mapping[str, str],
    coverage: Coverage | None = None,
) -> bytes:
    """The JUnit document, UTF-8; of the coverage, the runs that could not be made."""
    counts = _counts(result.cells)
    broken = () if coverage is None else coverage.errors
    for name in ("tests", "errors"):
        counts[name] = str(int(counts[name]) + len(broken))
    root = ET.Element("testsuites", {"name": "simcore ftti", **counts})
    for requirement in result.requirements:
        _add_suite(root, result, requirement, requirement_texts)
    if broken:
        _add_broken_runs(root, broken)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _is_skipped(cell: CellResult) -> bool:
    """Nothing was to be detected, or no requirement covers it: it can neither pass nor fail."""
    if cell.verdict is CellVerdict.EXPECTED:
        return True
    return cell.requirement == NO_REQUIREMENT and cell.verdict not in _PLAIN


def _add_broken_runs(root: ET.Element, errors: Sequence[str]) -> None:
    count = str(len(errors))
    suite = ET.SubElement(
        root,
        "testsuite",
        {"name": _COVERAGE, "tests": count, "failures": "0", "errors": count, "time": "0"},
    )
    for number, error in enumerate(errors, start=1):
        case = ET.SubElement(
            suite,
            "testcase",
            {"name": f"run not made {number}", "classname": "ftti.coverage", "time": "0"},
        )
        ET.SubElement(case, "error", {"type": "error", "message": legal(error)})


def _counts(cells: tuple[CellResult, ...]) -> dict[str, str]:
    errors = sum(cell.verdict is CellVerdict.ERROR for cell in cells)
    failures = sum(cell.verdict not in _PLAIN and not _is_skipped(cell) for cell in cells)
    total_ns = sum(_longest_ns(cell) for cell in cells)
    return {
        "tests": str(len(cells)),
        "failures": str(failures),
        "errors": str(errors),
        "time": format_seconds(total_ns),
    }


def _longest_ns(cell: CellResult) -> int:
    return 0 if cell.fhti is None else cell.fhti.max_ns


def _add_suite(
    root: ET.Element,
    result: FttiResult,
    requirement: RequirementResult,
    texts: Mapping[str, str],
) -> None:
    name = requirement.requirement
    suite = ET.SubElement(root, "testsuite", {"name": name, **_counts(requirement.cells)})
    suite.set("skipped", str(sum(map(_is_skipped, requirement.cells))))
    properties = ET.SubElement(suite, "properties")
    add_property(properties, "time", "virtual seconds, largest FHTI")
    add_property(properties, "seed", str(result.seed))
    add_property(properties, "phases", str(result.phases))
    add_property(properties, "without", ", ".join(result.without) or "-")
    if requirement.is_judged:
        add_property(properties, f"requirement.{name}", requirement.word)
        add_property(properties, f"requirement.{name}.text", texts.get(name, ""))
    for cell in requirement.cells:
        _add_case(suite, cell)


def _add_case(suite: ET.Element, cell: CellResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "name": legal(cell.id),
            "classname": f"ftti.{cell.requirement}",
            "time": format_seconds(_longest_ns(cell)),
        },
    )
    if _is_skipped(cell):
        expected = cell.verdict is CellVerdict.EXPECTED
        covered = "" if expected else f"no requirement covers this; {cell.verdict.value}: "
        message = covered + cell.remark
        ET.SubElement(case, "skipped", {"message": legal(message)})
    elif cell.verdict is not CellVerdict.PASSED:
        tag = "error" if cell.verdict is CellVerdict.ERROR else "failure"
        message = cell.remark or f"{cell.verdict.value}: {_figures(cell)}"
        element = ET.SubElement(case, tag, {"type": cell.verdict.value, "message": legal(message)})
        element.text = legal("\n".join(_lines(cell)))
    ET.SubElement(case, "system-out").text = legal("\n".join(_lines(cell)))


def _figures(cell: CellResult) -> str:
    low, middle, high = spread_ms(cell.fhti)
    return (
        f"FHTI {low} / {middle} / {high} ms, budget {milliseconds(cell.budget_ns)} ms, "
        f"FTTI {milliseconds(cell.ftti_ns)} ms"
    )


def _lines(cell: CellResult) -> list[str]:
    lines = [f"{cell.broken}; {cell.point_text}", f"hazard: {cell.hazard}", _figures(cell)]
    for sample in cell.samples:
        lines.append(
            f"phase {milliseconds(sample.phase_ns)} ms: "
            f"FDTI {milliseconds(sample.fdti_ns)} ms ({sample.detected or 'undetected'}), "
            f"FHTI {milliseconds(sample.fhti_ns)} ms ({sample.safe or 'no safe state'})"
        )
    if cell.remark:
        lines.append(cell.remark)
    return lines
