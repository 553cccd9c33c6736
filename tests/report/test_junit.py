"""JUnit XML: structure per junit-10.xsd (with `error`, as every reader takes it), and content."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import InputError
from simcore.report import write_junit
from simcore.report.junit import junit_bytes
from simcore.rig.result import Finding, ScenarioResult

Make = Callable[..., Any]

ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped"},
        {"name", "tests", "failures", "errors"},
    ),
    "testcase": ({"name", "time", "classname"}, {"name"}),
    "properties": (set(), set()),
    "property": ({"name", "value"}, {"name", "value"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
"""Per element: attributes the schema allows (as far as used here), and those it requires."""
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "testcase": {"failure", "error", "system-out"},
    "properties": {"property"},
}
SECONDS = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")


def assert_valid(root: ET.Element) -> None:
    for element in root.iter():
        allowed, required = ATTRIBUTES[element.tag]
        assert required <= set(element.keys()) <= allowed, element.tag
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        if element.tag.startswith("testsuite"):
            assert SECONDS.fullmatch(element.get("time", ""))
    for suite in [root, *root.iter("testsuite")]:
        cases = list(suite.iter("testcase"))
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == len(list(suite.iter("failure")))
        assert int(suite.get("errors", "")) == len(list(suite.iter("error")))


def properties(root: ET.Element) -> dict[str, str]:
    return {item.get("name", ""): item.get("value", "") for item in root.iter("property")}


def test_a_mixed_run_is_valid_and_has_a_suite_per_file(mixed_run: list[ScenarioResult]) -> None:
    root = ET.fromstring(junit_bytes(mixed_run))
    assert_valid(root)
    names = [suite.get("name") for suite in root]
    assert names == ["scenarios/panic_stop.py", "scenarios/ota.py"]
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert ("scenarios.ota", "flash_cut[at=17]") in cases


def test_no_scenario_is_a_valid_empty_document() -> None:
    root = ET.fromstring(junit_bytes([]))
    assert_valid(root)
    assert root.get("tests") == "0"


def test_one_failure_element_lists_every_failed_check_finding_and_unjudged_requirement(
    make_result: Make, make_check: Make
) -> None:
    result = make_result(
        requirements=("BRK-001", "DEG-001"),
        checks=(make_check(passed=False), make_check("BRK-002", False, measured="700 ms")),
        findings=(Finding(time_ns=1, source="EMB_FL", text="raised", detail="Traceback"),),
    )
    (failure,) = ET.fromstring(junit_bytes([result])).iter("failure")
    message = "failed: BRK-001, BRK-002; never judged: DEG-001; findings: 1"
    assert failure.get("message") == message
    lines = (failure.text or "").splitlines()
    assert lines[0] == (
        "FAILED BRK-001: stopping distance: measured 81.7 m, limit <= 70 m (at 4000 ms, scenario)"
    )
    assert "measured 700 ms" in lines[1]
    assert lines[2:] == ["NOT JUDGED DEG-001", "FINDING EMB_FL at 0.000001 ms: raised", "Traceback"]


@pytest.mark.parametrize(
    ("is_internal", "kind"), [(True, "internal error"), (False, "scenario error")]
)
def test_an_error_says_whose_it_is(make_result: Make, is_internal: bool, kind: str) -> None:
    result = make_result(
        error="a.py:3: KeyError", error_detail="Traceback", error_is_internal=is_internal
    )
    root = ET.fromstring(junit_bytes([result]))
    (error,) = root.iter("error")
    assert (error.get("type"), error.get("message")) == (kind, "a.py:3: KeyError")
    assert error.text == "a.py:3: KeyError\nTraceback"
    assert list(root.iter("failure")) == []


def test_seed_digest_options_verdicts_and_the_meaning_of_time_are_properties(
    mixed_run: list[ScenarioResult],
) -> None:
    root = ET.fromstring(junit_bytes(mixed_run))
    found = properties(root)
    assert found["time"] == "virtual seconds"
    assert found["panic_stop.seed"] == "20"
    assert found["panic_stop.digest"] == mixed_run[0].digest
    assert found["panic_stop.option.pacing"] == "free"
    assert found["silent_emb[corner=FL].requirement.SAF-001"] == "failed"
    assert found["silent_emb[corner=FL].requirement.DEG-001"] == "failed"
    assert found["panic_stop.requirement.BRK-003"] == "passed"
    assert found["flash_cut[at=17].requirement.OTA-002"] == "error"
    assert found["panic_stop.measurement.stopping distance"] == "40.2 m"
    assert root.find("testsuite/testcase").get("time") == "4.000"  # type: ignore[union-attr]


def test_the_same_results_give_the_same_bytes(mixed_run: list[ScenarioResult]) -> None:
    assert junit_bytes(mixed_run) == junit_bytes(mixed_run)


def test_what_xml_cannot_carry_is_spelled_out(make_result: Make, make_check: Make) -> None:
    nasty = "a\x00\x1b[31m<b>&\"'\r\n\ud800\ufffe]]>"
    result = make_result(
        nasty, title=nasty, checks=(make_check(nasty, False, text=nasty, measured=nasty),)
    )
    root = ET.fromstring(junit_bytes([result]))
    (case,) = root.iter("testcase")
    assert case.get("name") == "a\\x00\\x1b[31m<b>&\"'\n\\ud800\\ufffe]]>"
    assert "\\x1b[31m<b>" in (case.find("failure").text or "")  # type: ignore[union-attr]


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="writing the JUnit report"):
        write_junit(tmp_path, [])
