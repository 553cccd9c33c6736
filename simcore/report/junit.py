"""JUnit XML for CI servers: a test suite per scenario file, a test case per scenario.

The dialect is the one Jenkins' xUnit schema (junit-10.xsd) and pytest's `xunit2` share: a test
case carries no properties, so those of its scenario stand on the suite as `<scenario>.seed` and
so on. `time` is virtual seconds, which the property `time` states; there is no wall-clock
timestamp and no host name, so the same run writes the same bytes.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from simcore.report.files import write_file
from simcore.report.summary import format_seconds, scenario_requirement_verdict, total
from simcore.report.update import ecu_rows, in_words
from simcore.report.wire_lanes import irregular_channels, wire_line
from simcore.rig.result import ScenarioResult, Verdict
from simcore.units import format_ns

# XML 1.0 section 2.2 allows tab, newline, return and these ranges, nothing else.
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: str | os.PathLike[str], results: Sequence[ScenarioResult]) -> Path:
    """Write `results` as JUnit XML. Raises `InputError` where `path` cannot be written."""
    return write_file(path, junit_bytes(results), what="JUnit report")


def junit_bytes(results: Sequence[ScenarioResult]) -> bytes:
    """The JUnit document, UTF-8."""
    root = ET.Element("testsuites", {"name": "simcore", **_counts(results)})
    for file in dict.fromkeys(result.file for result in results):
        _add_suite(root, file, [result for result in results if result.file == file])
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _counts(results: Sequence[ScenarioResult]) -> dict[str, str]:
    totals = total(results)
    return {
        "tests": str(totals.scenarios),
        "failures": str(totals.failed),
        "errors": str(totals.errors),
        "time": format_seconds(totals.duration_ns),
    }


def _add_suite(root: ET.Element, file: str, results: Sequence[ScenarioResult]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": legal(file), **_counts(results)})
    suite.set("skipped", "0")
    properties = ET.SubElement(suite, "properties")
    add_property(properties, "time", "virtual seconds")
    for result in results:
        _add_scenario_properties(properties, result)
    for result in results:
        _add_case(suite, result)


def _add_scenario_properties(properties: ET.Element, result: ScenarioResult) -> None:
    add_property(properties, f"{result.name}.seed", str(result.seed))
    add_property(properties, f"{result.name}.digest", result.digest)
    for key, value in result.options.items():
        add_property(properties, f"{result.name}.option.{key}", value)
    add_property(properties, f"{result.name}.replay", result.replay_command)
    for requirement in _requirements(result):
        verdict = scenario_requirement_verdict(result, requirement)
        add_property(properties, f"{result.name}.requirement.{requirement}", str(verdict))
    for key, value in result.measurements.items():
        add_property(properties, f"{result.name}.measurement.{key}", value)
    for row in ecu_rows(result):
        add_property(properties, f"{result.name}.update.{row.software.node}", in_words(row))
    for channel in irregular_channels(result):
        add_property(properties, f"{result.name}.wire.{channel}", wire_line(result, channel))


def _requirements(result: ScenarioResult) -> list[str]:
    checked = (check.requirement for check in result.checks)
    return list(dict.fromkeys([*result.requirements, *checked]))


def _add_case(suite: ET.Element, result: ScenarioResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "name": legal(result.name),
            "classname": legal(_class_name(result.file)),
            "time": format_seconds(result.duration_ns),
        },
    )
    # Readers show the first failure only, so one element lists everything that went wrong.
    problems = _problems(result)
    if result.error is not None:
        kind = "internal error" if result.error_is_internal else "scenario error"
        text = "\n".join([*problems, result.error, result.error_detail]).rstrip()
        _add_outcome(case, "error", kind, result.error, text)
    elif result.verdict is Verdict.FAILED:
        _add_outcome(case, "failure", "verdict", _headline(result), "\n".join(problems))
    output = ET.SubElement(case, "system-out")
    output.text = legal(_system_out(result))


def _add_outcome(case: ET.Element, tag: str, kind: str, message: str, text: str) -> None:
    element = ET.SubElement(case, tag, {"type": kind, "message": legal(message)})
    element.text = legal(text)


def _headline(result: ScenarioResult) -> str:
    failed = list(dict.fromkeys(c.requirement for c in result.checks if not c.passed))
    parts = []
    if failed:
        parts.append(f"failed: {', '.join(failed)}")
    if result.unjudged:
        parts.append(f"never judged: {', '.join(result.unjudged)}")
    if result.findings:
        parts.append(f"findings: {len(result.findings)}")
    return "; ".join(parts)


def _problems(result: ScenarioResult) -> list[str]:
    lines = [
        f"FAILED {check.requirement}: {check.text}: measured {check.measured}, "
        f"limit {check.limit} (at {format_ns(check.time_ns)}, {check.source})"
        for check in result.checks
        if not check.passed
    ]
    lines += [f"NOT JUDGED {requirement}" for requirement in result.unjudged]
    for finding in result.findings:
        lines.append(f"FINDING {finding.source} at {format_ns(finding.time_ns)}: {finding.text}")
        if finding.detail:
            lines.append(finding.detail.rstrip())
    return lines


def _system_out(result: ScenarioResult) -> str:
    lines = [result.title] if result.title else []
    lines += [f"seed {result.seed}", *(f"{k} = {v}" for k, v in result.options.items())]
    lines += [
        f"{'passed' if check.passed else 'FAILED'} {check.requirement}: {check.text}: "
        f"measured {check.measured}, limit {check.limit}"
        for check in result.checks
    ]
    lines += [f"{name}: {value}" for name, value in result.measurements.items()]
    lines += [f"replay: {result.replay_command}", f"digest {result.digest}"]
    return "\n".join(lines)


def _class_name(file: str) -> str:
    path = PurePosixPath(file.replace("\\", "/"))
    parts = [part for part in path.with_suffix("").parts if part not in ("/", "..")]
    return ".".join(parts) or "simcore"


def add_property(properties: ET.Element, name: str, value: str) -> None:
    ET.SubElement(properties, "property", {"name": legal(name), "value": legal(value)})


def legal(text: str) -> str:
    """`text` with what XML cannot carry spelled out: `\\x07`, `\\ud800`."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ILLEGAL.sub(_spelled_out, lines)


def _spelled_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
