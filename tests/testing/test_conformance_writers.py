"""What is written about a judged module: every writer on one result, made by hand."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from simcore.errors import InputError, UsageError
from simcore.rig.requirements import Requirement
from simcore.testing.conformance.case import Group
from simcore.testing.conformance.result import (
    CaseResult,
    CaseVerdict,
    ConformanceResult,
    Curve,
    Judgement,
)
from simcore.testing.conformance.writers import (
    print_conformance,
    write_csv,
    write_html,
    write_json,
    write_junit,
    write_reqif,
)
from simcore.testing.conformance.writers.curves import curve_svg
from simcore.testing.conformance.writers.html import html_page
from simcore.testing.conformance.writers.json_file import content_of
from simcore.testing.conformance.writers.reqif import reqif_bytes
from simcore.testing.conformance.writers.summary import headline, requirement_rows

NAMESPACE = "{http://www.omg.org/spec/ReqIF/20110401/reqif.xsd}"


def judgement(passed: bool, text: str = "force <b>", requirement: str = "") -> Judgement:
    return Judgement(
        passed=passed,
        text=text,
        measured="31 N",
        limit="<= 30 N",
        time_ns=1_500_000,
        requirement=requirement,
    )


def case(name: str, group: Group, verdict: CaseVerdict, *requirements: str) -> CaseResult:
    return CaseResult(
        id=name,
        group=group,
        title=f"title of {name} & more",
        requirements=requirements,
        verdict=verdict,
        judgements=(judgement(verdict is CaseVerdict.PASSED),),
        excerpt=("1 ms  A frame\x07",),
        duration_ns=2_000_000,
        digest="d1",
        replay_command=f"simcore conformance --as EMB_FL --only {name} --seed 0",
    )


@pytest.fixture
def result() -> ConformanceResult:
    curve = Curve(
        name="clamp force",
        unit="N",
        time_s=(0.0, 0.001, 0.002),
        values=(0.0, float("nan"), 10.0),
        limits=(("command", (5.0, 5.0, 5.0)),),
    )
    failed = case("control.step", Group.CONTROL, CaseVerdict.FAILED, "BRK-1", "BRK-2")
    parts = (judgement(True, requirement="BRK-2"), judgement(False, requirement="BRK-1"))
    untested = case("update.all", Group.UPDATE, CaseVerdict.NOT_TESTED, "OTA-1")
    error = case("robust.raw", Group.ROBUSTNESS, CaseVerdict.ERROR)
    crash = case("robust.crash", Group.ROBUSTNESS, CaseVerdict.FAILED, "BRK-2")
    return ConformanceResult(
        node="EMB_FL",
        role="actuator",
        dut="<brake>.so",
        dut_digest="ab12",
        database="net.dbc",
        requirement_file="list.toml",
        seed=3,
        requirements={
            name: Requirement(id=name, text=f"text of {name} <i>", source="design", **more)
            for name, more in {
                "BRK-1": {"asil": "D", "parameters": {"force_n": 30.0}, "cases": ("control.*",)},
                "BRK-2": {},
                "OTA-1": {"cases": ("update.*",)},
                "NIL-1": {},
            }.items()
        },
        elsewhere={"CDC-1": "concerns CDC"},
        cases=(
            case("start.first", Group.START_UP, CaseVerdict.PASSED, "BRK-2"),
            replace(failed, judgements=parts, curves=(curve,)),
            replace(untested, judgements=(), reason="no flash, says <the module>"),
            replace(error, judgements=(), reason="Traceback\nZeroDivisionError: division by zero"),
            replace(crash, judgements=(), findings=("EMB_FL: crashed with SIGSEGV",)),
        ),
        digest="feed",
        notes=("only some",),
    )


# ---- what is said ----


def test_a_case_fails_only_the_requirements_that_its_judgements_name(
    result: ConformanceResult,
) -> None:
    step = result.cases[1]
    assert result.verdict_in(step, "BRK-1") is CaseVerdict.FAILED
    assert result.verdict_in(step, "BRK-2") is CaseVerdict.PASSED
    crash = result.cases[4]
    assert result.verdict_in(crash, "BRK-2") is CaseVerdict.FAILED
    verdicts = {row.requirement.id: row.verdict for row in requirement_rows(result)}
    assert verdicts == {
        "BRK-1": CaseVerdict.FAILED,
        "BRK-2": CaseVerdict.FAILED,
        "OTA-1": CaseVerdict.NOT_TESTED,
        "NIL-1": CaseVerdict.NOT_TESTED,
    }


def test_the_headline_counts_everything(result: ConformanceResult) -> None:
    assert headline(result) == (
        "ERROR: 5 cases, 1 passed, 2 failed, 1 not tested, 1 error; 0 of 4 requirements passed"
    )


def test_the_verdict_is_the_gravest(result: ConformanceResult) -> None:
    one = {each.verdict: each for each in result.cases}
    for verdicts, folded in (
        ((CaseVerdict.PASSED, CaseVerdict.NOT_TESTED), CaseVerdict.PASSED),
        ((CaseVerdict.PASSED, CaseVerdict.FAILED), CaseVerdict.FAILED),
        ((CaseVerdict.ERROR, CaseVerdict.FAILED), CaseVerdict.ERROR),
        ((CaseVerdict.NOT_TESTED,), CaseVerdict.NOT_TESTED),
        ((), CaseVerdict.NOT_TESTED),
    ):
        assert replace(result, cases=tuple(one[each] for each in verdicts)).verdict is folded


def test_the_console_says_what_failed_and_how_to_run_it_again(result: ConformanceResult) -> None:
    out = io.StringIO()
    print_conformance(result, Console(file=out, width=200, highlight=False))
    lines = out.getvalue().splitlines()
    assert "FAILED control.step: title of control.step & more" in lines
    assert "  force <b>: 31 N, limit <= 30 N" in lines
    assert "  replay: simcore conformance --as EMB_FL --only control.step --seed 0" in lines
    assert "ERROR robust.raw: title of robust.raw & more" in lines
    assert "  ZeroDivisionError: division by zero" in lines
    assert "  EMB_FL: crashed with SIGSEGV" in lines
    assert "not tested: update.all: no flash, says <the module>" in lines
    assert lines[-1] == "digest feed"
    assert [line.split() for line in lines if line.startswith("BRK-1")] == [
        ["BRK-1", "D", "failed", "0/1", "text", "of", "BRK-1", "<i>"]
    ]
    assert any(line.startswith("NIL-1") and "no case verifies it" in line for line in lines)


# ---- files ----


def test_junit_has_a_suite_per_group_and_says_what_was_skipped(
    result: ConformanceResult, tmp_path: Path
) -> None:
    root = ET.parse(write_junit(tmp_path / "a" / "out.xml", result)).getroot()
    assert {key: root.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "5",
        "failures": "2",
        "errors": "1",
    }
    suites = [suite.get("name") for suite in root]
    assert suites == [
        "EMB_FL start-up",
        "EMB_FL control quality",
        "EMB_FL update",
        "EMB_FL robustness",
    ]
    skipped = root.find(".//testcase[@name='update.all']/skipped")
    assert skipped is not None and skipped.get("message") == "no flash, says <the module>"
    failure = root.find(".//testcase[@name='control.step']/failure")
    assert failure is not None and failure.get("message") == "force <b>: 31 N, limit <= 30 N"
    assert "A frame\\x07" in (failure.text or "")
    named = {
        each.get("name"): each.get("value") for each in root[1].iter("property") if each.get("name")
    }
    assert named["control.step.requirements"] == "BRK-1, BRK-2"
    assert named["requirement.BRK-1"] == "failed"


def test_json_holds_everything_and_no_nan(result: ConformanceResult, tmp_path: Path) -> None:
    text = write_json(tmp_path / "out.json", result).read_text(encoding="utf-8")

    def refuse(word: str) -> None:
        raise AssertionError(word)

    content = json.loads(text, parse_constant=refuse)
    assert content == json.loads(json.dumps(content_of(result)))
    assert content["format"] == "simcore-conformance/1"
    assert [each["verdict"] for each in content["cases"]] == [
        "passed",
        "failed",
        "not tested",
        "error",
        "failed",
    ]
    assert content["cases"][1]["curves"][0]["values"] == [0.0, None, 10.0]
    assert content["requirements"][0]["cases"] == {"control.step": "failed"}
    assert content["elsewhere"] == {"CDC-1": "concerns CDC"}


def test_csv_has_a_row_per_requirement_and_case(result: ConformanceResult, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "out.csv", result).read_bytes().decode()
    assert data.count("\r\n") == len(list(csv.reader(io.StringIO(data))))
    rows = list(csv.DictReader(io.StringIO(data)))
    assert [(row["requirement"], row["case"], row["case_verdict"]) for row in rows] == [
        ("BRK-1", "control.step", "failed"),
        ("BRK-2", "start.first", "passed"),
        ("BRK-2", "control.step", "passed"),
        ("BRK-2", "robust.crash", "failed"),
        ("OTA-1", "update.all", "not tested"),
        ("NIL-1", "", ""),
        ("", "robust.raw", "error"),
    ]
    assert rows[0]["measured"] == "31 N" and rows[0]["limit"] == "<= 30 N"
    assert rows[5]["reason"] == "no case verifies it"


def test_every_reference_in_the_reqif_file_points_at_something(
    result: ConformanceResult, tmp_path: Path
) -> None:
    root = ET.parse(write_reqif(tmp_path / "out.reqif", result)).getroot()
    identifiers = [each.get("IDENTIFIER") for each in root.iter() if each.get("IDENTIFIER")]
    assert len(identifiers) == len(set(identifiers))
    references = {each.text for each in root.iter() if each.tag.endswith("-REF")}
    assert references <= set(identifiers)
    objects = {each.get("LONG-NAME"): each for each in root.iter(f"{NAMESPACE}SPEC-OBJECT")}
    assert set(objects) == {*result.requirements, *(each.id for each in result.cases)}
    relations = list(root.iter(f"{NAMESPACE}SPEC-RELATION"))
    assert len(relations) == sum(len(each.requirements) for each in result.cases)
    values = [each.get("THE-VALUE") for each in objects["BRK-1"].iter() if each.get("THE-VALUE")]
    assert values == ["BRK-1", "text of BRK-1 <i>", "design", "D", "failed"]


def test_a_time_of_another_form_is_refused(result: ConformanceResult) -> None:
    given = reqif_bytes(result, time="2026-01-31T12:00:00+01:00")
    assert b"<CREATION-TIME>2026-01-31T12:00:00+01:00</CREATION-TIME>" in given
    with pytest.raises(UsageError, match=r"write_reqif, time: expected as 2026-.*, got yesterday"):
        reqif_bytes(result, time="yesterday")


def test_the_page_escapes_what_modules_say(result: ConformanceResult) -> None:
    page = html_page(result)
    assert "&lt;brake&gt;.so" in page and "<brake>" not in page
    assert "text of BRK-1 &lt;i&gt;" in page
    assert "crashed with SIGSEGV" in page
    for anchor in ("start.first", "control.step", "update.all", "robust.raw", "robust.crash"):
        assert f'id="case-{anchor}"' in page and f'href="#case-{anchor}"' in page
    assert page.count('<svg class="curve"') == 1
    assert "concerns CDC" in page


@pytest.mark.parametrize("write", [write_csv, write_html, write_json, write_junit, write_reqif])
def test_the_same_result_is_the_same_file_and_a_bad_place_is_named(
    write: Callable[..., Path], result: ConformanceResult, tmp_path: Path
) -> None:
    first = write(tmp_path / "one", result).read_bytes()
    assert write(tmp_path / "two", result).read_bytes() == first
    with pytest.raises(InputError, match="expected a path that can be written"):
        write(tmp_path / "one" / "below", result)


# ---- curves ----


def test_a_curve_is_broken_where_a_value_is_missing(result: ConformanceResult) -> None:
    picture = curve_svg(result.cases[1].curves[0])
    value = ET.fromstring(picture).findall("./path[@class='value']")
    assert [each.get("d", "").count("M") for each in value] == [2]
    assert "clamp force (N)" in picture and ">command</text>" in picture


@pytest.mark.parametrize("values", [(), (float("nan"),) * 3, (float("inf"),) * 3])
def test_a_curve_of_nothing_is_no_picture(values: tuple[float, ...]) -> None:
    times = (0.0, 1.0, 2.0)[: len(values)]
    assert curve_svg(Curve(name="x", unit="N", time_s=times, values=values)) == ""


@pytest.mark.parametrize("values", [(5.0, 5.0), (1e9, -1e9), (1e-7, 3e-7)])
def test_any_range_has_a_few_round_marks(values: tuple[float, ...]) -> None:
    picture = curve_svg(Curve(name="x", unit="N", time_s=(0.0, 0.5), values=values))
    marks = ET.fromstring(picture).findall("./text[@class='note']")
    assert 5 <= len(marks) <= 24
