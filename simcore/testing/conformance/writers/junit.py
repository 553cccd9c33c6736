"""A judged module as JUnit XML: a suite per group, a test case per case.

The dialect is that of the scenario reports (`simcore.report.junit`): a test case carries no
properties, so its requirements stand on the suite as `<case>.requirements`. `time` is virtual
seconds.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from simcore.report.files import write_file
from simcore.report.junit import add_property, legal
from simcore.report.summary import format_seconds
from simcore.testing.conformance.result import CaseResult, CaseVerdict, ConformanceResult
from simcore.testing.conformance.writers.summary import (
    groups_of,
    requirement_rows,
    what_happened,
)


def write_junit(path: str | os.PathLike[str], result: ConformanceResult) -> Path:
    """Write `result` as JUnit XML. Raises `InputError` where `path` cannot be written."""
    return write_file(path, junit_bytes(result), what="JUnit report")


def junit_bytes(result: ConformanceResult) -> bytes:
    """The JUnit document, UTF-8."""
    root = ET.Element("testsuites", {"name": f"simcore conformance of {legal(result.node)}"})
    root.attrib.update(_counts(result.cases))
    for group, cases in groups_of(result):
        suite = ET.SubElement(
            root, "testsuite", {"name": f"{legal(result.node)} {group}", **_counts(cases)}
        )
        suite.set("skipped", str(sum(case.verdict is CaseVerdict.NOT_TESTED for case in cases)))
        properties = ET.SubElement(suite, "properties")
        for name, value in _facts(result):
            add_property(properties, name, value)
        for case in cases:
            add_property(properties, f"{case.id}.requirements", ", ".join(case.requirements))
            add_property(properties, f"{case.id}.replay", case.replay_command)
        for case in cases:
            _add_case(suite, result, case)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _facts(result: ConformanceResult) -> list[tuple[str, str]]:
    return [
        ("time", "virtual seconds"),
        ("dut", result.dut),
        ("dut.digest", result.dut_digest),
        ("database", result.database),
        ("seed", str(result.seed)),
        ("digest", result.digest),
        *(
            (f"requirement.{row.requirement.id}", str(row.verdict))
            for row in requirement_rows(result)
        ),
    ]


def _counts(cases: Sequence[CaseResult]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.verdict is CaseVerdict.FAILED for case in cases)),
        "errors": str(sum(case.verdict is CaseVerdict.ERROR for case in cases)),
        "time": format_seconds(sum(case.duration_ns for case in cases)),
    }


def _add_case(suite: ET.Element, result: ConformanceResult, case: CaseResult) -> None:
    element = ET.SubElement(
        suite,
        "testcase",
        {
            "name": legal(case.id),
            "classname": legal(f"conformance.{result.node}"),
            "time": format_seconds(case.duration_ns),
        },
    )
    text = "\n".join([*_lines(case), f"replay: {case.replay_command}", *case.excerpt])
    if case.verdict is CaseVerdict.NOT_TESTED:
        ET.SubElement(element, "skipped", {"message": legal(what_happened(case))})
    elif case.verdict is not CaseVerdict.PASSED:
        tag = "failure" if case.verdict is CaseVerdict.FAILED else "error"
        wrong = ET.SubElement(
            element, tag, {"type": str(case.verdict), "message": legal(what_happened(case))}
        )
        wrong.text = legal(text)
    output = ET.SubElement(element, "system-out")
    output.text = legal("\n".join([case.title, *_lines(case)]))


def _lines(case: CaseResult) -> list[str]:
    lines = [
        f"{'passed' if each.passed else 'FAILED'} {each.text}: {each.measured}, limit {each.limit}"
        for each in case.judgements
    ]
    return [*lines, *(f"FINDING {text}" for text in case.findings), *filter(None, [case.reason])]
