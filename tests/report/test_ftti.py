"""The reaction-time table as CSV, JUnit and page: planted figures, nothing is measured."""

from __future__ import annotations

import csv
import io
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import InputError
from simcore.report.ftti_figures import headline, requirement_line
from simcore.report.ftti_html import ftti_page, write_ftti_html
from simcore.report.ftti_junit import ftti_junit_bytes, write_ftti_junit
from simcore.report.ftti_plot import _log, ftti_svg
from simcore.report.ftti_table import COLUMNS, coverage_csv, ftti_csv, write_ftti_table
from simcore.rig.coverage import Coverage, CoverageRow, FaultModel, Mechanism
from simcore.rig.ftti import NO_REQUIREMENT
from simcore.rig.ftti_result import CellResult, FttiResult, Sample
from simcore.units import ms, us

TEXTS = {"SAF-001": "Silent EMB: detected <= 50 ms, redistributed <= 100 ms & FTTI 200 ms"}


def sample(fdti: int | None = 15, fhti: int | None = 40, **changes: Any) -> Sample:
    """Times in ms."""
    values: dict[str, Any] = {
        "phase_ns": ms(3),
        "fdti_ns": None if fdti is None else ms(fdti),
        "frti_ns": None if fdti is None or fhti is None else ms(fhti - fdti),
        "fhti_ns": None if fhti is None else ms(fhti),
        "hazard_ns": None,
        "detected": "" if fdti is None else "CDC detection: EMB_FL lost: silent",
        "safe": "" if fhti is None else "clamp_force_n.FR = 1.9e+04, >= 1.8e+04",
    }
    return Sample(**values | changes)


def cell(place: str = "FL", *samples: Sample, **changes: Any) -> CellResult:
    values: dict[str, Any] = {
        "id": f"silent_actuator.{place}.braking",
        "row": "silent_actuator",
        "requirement": "SAF-001",
        "place": place,
        "point": "braking",
        "broken": f"EMB_{place} silent <b>",
        "hazard": "yaw moment",
        "ftti_ns": ms(200),
        "fdti_max_ns": ms(50),
        "budget_ns": ms(100),
        "samples": samples or (sample(),),
    }
    return CellResult(**values | changes)


PASSED = cell("FL", sample(15, 40), sample(17, 44), sample(16, 42))
LATE = cell("FR", sample(15, 120))
UNDETECTED = cell("RL", sample(None, None))
ERROR = cell("RR", samples=(), error="KeyError: 'x'")
OPEN = cell(
    "FL",
    sample(None, 10),
    id="wheel_speed.FL.braking",
    row="wheel_speed",
    requirement=NO_REQUIREMENT,
)


def table(*cells: CellResult, **changes: Any) -> FttiResult:
    values: dict[str, Any] = {"seed": 7, "phases": 3, "without": (), "cells": cells}
    return FttiResult(**values | changes)


EVERYTHING = table(PASSED, LATE, UNDETECTED, ERROR, OPEN)
COVERAGE = Coverage(
    seed=7,
    messages=("CDC_EmbCmd at EMB_FL",),
    rows=(
        CoverageRow(
            model=FaultModel.REPETITION, runs=10, noticed=10, fired={Mechanism.COUNTER: 10}
        ),
        CoverageRow(
            model=FaultModel.LOSS,
            runs=10,
            noticed=6,
            fired={Mechanism.TIMEOUT: 6, Mechanism.COUNTER: 2},
            unnoticed=("CDC_EmbCmd: not sent, for 1 frames",),
        ),
    ),
)


# ---- CSV ----


def test_the_csv_has_a_row_per_measurement_and_one_for_a_cell_without_any() -> None:
    rows = list(csv.DictReader(io.StringIO(ftti_csv(EVERYTHING))))
    assert list(rows[0]) == COLUMNS
    assert [row["verdict"] for row in rows] == [
        *("passed", "passed", "passed"),
        *("late", "undetected", "error", "undetected"),
    ]
    first, late, error = rows[0], rows[3], rows[5]
    times = [first[name] for name in ("fdti_ns", "frti_ns", "fhti_ns")]
    assert times == ["15000000", "25000000", "40000000"]
    assert (first["margin_ns"], late["margin_ns"]) == ("60000000", "-20000000")
    assert (error["error"], error["fhti_ns"]) == ("KeyError: 'x'", "")


def test_the_coverage_csv_counts_runs() -> None:
    rows = list(csv.DictReader(io.StringIO(coverage_csv(COVERAGE))))
    assert rows[1]["fault_model"] == "loss of information"
    assert (rows[1]["runs"], rows[1]["timeout"], rows[1]["counter"], rows[1]["any"]) == (
        "10",
        "6",
        "2",
        "6",
    )


# ---- JUnit ----


def test_junit_has_a_suite_per_requirement_and_a_case_per_cell() -> None:
    root = ET.fromstring(ftti_junit_bytes(EVERYTHING, requirement_texts=TEXTS))
    judged, unjudged = root.findall("testsuite")
    assert {name: judged.get(name) for name in ("name", "tests", "failures", "errors")} == {
        "name": "SAF-001",
        "tests": "4",
        "failures": "2",
        "errors": "1",
    }
    properties = {each.get("name"): each.get("value") for each in judged.iter("property")}
    assert properties["requirement.SAF-001"] == "failed"
    assert properties["requirement.SAF-001.text"] == TEXTS["SAF-001"]
    assert (unjudged.get("skipped"), unjudged.get("failures")) == ("1", "0")
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert cases[PASSED.id].find("failure") is None
    late = cases[LATE.id].find("failure")
    assert late is not None
    figures = "FHTI 120.0 / 120.0 / 120.0 ms, budget 100.0 ms, FTTI 200.0 ms"
    assert late.get("message") == f"late: {figures}"
    assert "CDC detection: EMB_FL lost: silent" in (late.text or "")
    error = cases[ERROR.id].find("error")
    assert error is not None
    assert error.get("message") == "KeyError: 'x'"
    skipped = cases[OPEN.id].find("skipped")
    assert skipped is not None
    assert "no requirement covers this" in (skipped.get("message") or "")


EXPECTED = cell(
    "FL",
    sample(None, None),
    id="latch.FL.standstill",
    row="latch",
    undetected_because="the latch is not used",
)


def test_what_is_undetected_as_expected_is_shown_and_counted_apart() -> None:
    result = table(PASSED, EXPECTED)
    assert headline(result) == "1 of 2 cells passed, 1 undetected as expected"
    (requirement,) = result.requirements
    assert requirement_line(requirement) == (
        "SAF-001 passed: 1 of 2 cells, 1 undetected as expected, smallest margin 56.0 ms"
    )
    row = list(csv.DictReader(io.StringIO(ftti_csv(result))))[-1]
    assert (row["cell_verdict"], row["undetected_because"]) == (
        *("undetected as expected", "the latch is not used"),
    )
    root = ET.fromstring(ftti_junit_bytes(result, requirement_texts=TEXTS))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "0", "0")
    (suite,) = root.findall("testsuite")
    assert suite.get("skipped") == "1"
    (skipped,) = root.iter("skipped")
    assert "the latch is not used" in (skipped.get("message") or "")
    text = page(result)
    assert "the latch is not used" in text
    assert 'class="badge none ">UNDETECTED AS EXPECTED<' in text
    assert '"never expected"' in ftti_svg(result)
    assert "as expected" in ftti_svg(result)


def test_budgets_from_a_missed_frame_and_stops_stand_in_the_csv() -> None:
    measured = cell("FL", sample(20, 110, counted_from_ns=ms(12), mfdd_mps2=6.5))
    measured = replace(measured, counted_from="CDC_EmbCmd", stop_min_mps2=6.156)
    (row,) = csv.DictReader(io.StringIO(ftti_csv(table(measured))))
    assert (row["counted_from_ns"], row["margin_ns"]) == ("12000000", "2000000")
    assert (row["mfdd_mps2"], row["mfdd_min_mps2"]) == ("6.500", "6.156")


def test_a_coverage_run_that_could_not_be_made_stands_in_every_report() -> None:
    broken = replace(COVERAGE, errors=("loss of information: nothing drawn: KeyError: 'x'",))
    rows = list(csv.DictReader(io.StringIO(coverage_csv(broken))))
    assert [row["error"] for row in rows] == ["", "", broken.errors[0]]
    data = ftti_junit_bytes(table(PASSED), requirement_texts=TEXTS, coverage=broken)
    root = ET.fromstring(data)
    assert (root.get("tests"), root.get("errors")) == ("2", "1")
    (error,) = root.iter("error")
    assert error.get("message") == broken.errors[0]
    assert "nothing drawn: KeyError: &#39;x&#39;" in page(table(PASSED), broken)
    assert 'class="badge failed big">FAILED<' in page(table(PASSED), broken)
    assert 'class="badge passed big">PASSED<' in page(table(PASSED))


# ---- words ----


def test_the_headline_counts_what_is_judged() -> None:
    assert headline(EVERYTHING) == (
        "1 of 4 cells passed, 1 late, 1 undetected, 1 error; 1 without a requirement"
    )
    assert headline(table(PASSED)) == "1 of 1 cells passed"


def test_a_requirement_has_a_line_with_its_margin() -> None:
    lines = [requirement_line(each) for each in table(PASSED, OPEN).requirements]
    assert lines == [
        "SAF-001 passed: 1 of 1 cells, smallest margin 56.0 ms",
        "no requirement, not judged: 0 of 1 cells",
    ]
    (failed,) = table(PASSED, UNDETECTED).requirements
    assert requirement_line(failed) == "SAF-001 FAILED: 1 of 2 cells"


# ---- plot ----


@pytest.mark.parametrize(
    ("time_ns", "logarithm"),
    [
        (0, 0),
        (ms(1), 0),
        (ms(2), 3010),
        (ms(10), 10_000),
        (us(10_050), 10_020),
        (ms(50), 16_990),
        (ms(100), 20_000),
        (ms(999), 29_995),
        (ms(1000), 30_000),
        (ms(5000), 30_000),
    ],
)
def test_the_axis_is_logarithmic_without_a_logarithm(time_ns: int, logarithm: int) -> None:
    assert abs(_log(time_ns) - logarithm) <= 3


def test_the_plot_has_a_dot_per_measurement_and_a_cross_for_what_never_came() -> None:
    svg = ftti_svg(EVERYTHING)
    ET.fromstring(svg)
    assert svg.count('<circle class="passed"') == 3
    assert svg.count('<circle class="failed"') == 1
    assert svg.count('class="never"') == 2  # one undetected, one without a requirement
    assert svg.count('class="budget"') == svg.count('class="ftti"') == 2
    assert "1 not measured" in svg
    assert "SAF-001 failed" in svg
    assert "@" not in svg


# ---- page ----


def page(result: FttiResult, coverage: Coverage | None = COVERAGE) -> str:
    return ftti_page(result, requirement_texts=TEXTS, version="1.2.3", coverage=coverage)


def test_the_page_shows_verdicts_figures_evidence_and_coverage() -> None:
    text = page(EVERYTHING)
    assert "<title>simcore reaction times: 1 of 4 cells passed, 1 late" in text
    assert "redistributed &lt;= 100 ms &amp; FTTI 200 ms" in text
    assert "EMB_FL silent &lt;b&gt;" in text
    assert "detected: CDC detection: EMB_FL lost: silent" in text
    assert "undetected, no hazard within the FTTI" in text
    assert "KeyError: &#39;x&#39;" in text
    assert "not noticed: CDC_EmbCmd: not sent, for 1 frames" in text
    assert re.search(r'class="share s3">100 %</td>', text)
    assert re.search(r'class="share edge open">60 %</td>', text)


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    text = page(EVERYTHING)
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#|data:,)', text)
    assert "default-src 'none'" in text


def test_a_page_without_coverage_has_no_section_for_it() -> None:
    assert 'id="coverage"' not in page(table(PASSED), None)
    assert "PASSED" in page(table(PASSED), None)


def test_what_was_left_out_stands_on_the_page() -> None:
    assert "<code>watchdog</code>" in page(table(PASSED, without=("watchdog",)))


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_ftti_html(
            tmp_path / name / "x.html", EVERYTHING, requirement_texts=TEXTS, version="1"
        )
        write_ftti_table(tmp_path / name / "x.csv", EVERYTHING)
        write_ftti_junit(tmp_path / name / "x.xml", EVERYTHING, requirement_texts=TEXTS)
    for file in ("x.html", "x.csv", "x.xml"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"writing the table of reaction times: expected"):
        write_ftti_table(tmp_path, EVERYTHING)


@pytest.mark.browser
def test_the_page_fits_its_window_and_complains_not(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium is installed")
    file = write_ftti_html(
        tmp_path / "ftti.html",
        EVERYTHING,
        requirement_texts=TEXTS,
        version="1",
        coverage=COVERAGE,
    )
    complaints: list[str] = []
    requests: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, headless=True, args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(file.as_uri())
        for width in (1400, 800):
            tab.set_viewport_size({"width": width, "height": 900})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("svg.strips circle").count() == 4
        browser.close()
    assert complaints == []
    assert requests == [file.as_uri()]
