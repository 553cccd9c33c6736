"""The page of a power-cut sweep: counted per kind of cut, drawn over the operations, as CSV."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from simcore.cli.power_cut import power_cut
from simcore.report.update_power_cut import COLUMNS, kind_rows, power_cut_csv, power_cut_page
from simcore.report.update_power_cut_chart import WIDTH_PX, class_of, strip_svg
from simcore.update.flash import CutKind
from simcore.update.power_cut import (
    CaseResult,
    Cut,
    DeviceVerdict,
    Outcome,
    SweepPlan,
    SweepResult,
)
from simcore.update.power_cut_run import as_data, sweep
from simcore.update.power_cut_single import Plot, SingleStory

PLAN = SweepPlan(torn_seeds=2, grid=2)
OLD, NEW, BRICK = Outcome.OLD, Outcome.NEW, Outcome.BRICK


@pytest.fixture(scope="module")
def swept() -> SweepResult:
    return sweep([SingleStory(plot=Plot.TEST, tries=1, image_size=1536, sector_size=512)], PLAN)[0]


def case(
    operation: int,
    kind: CutKind,
    first: Outcome,
    end: Outcome = NEW,
    *,
    flash: int = 0,
    phase: str = "boot",
    detail: str = "",
) -> CaseResult:
    verdict = DeviceVerdict(end, first, detail=detail)
    return CaseResult((Cut(flash, operation, kind),), verdict, 1, 2, 9, phase)


def made(*results: CaseResult, operations: tuple[int, ...] = (4,)) -> SweepResult:
    result = SweepResult(story="made <up>", operations=operations)
    if len(operations) > 1:
        result.flash_names = ("CDC", "EMB_FL")
    for each in results:
        result.add(each)
    return result


PLANTED = made(
    case(0, CutKind.BEFORE, OLD, phase="INSTALLING"),
    case(0, CutKind.TORN, OLD, phase="INSTALLING"),
    case(0, CutKind.TORN, NEW, phase="INSTALLING"),
    case(0, CutKind.AFTER, NEW, phase="INSTALLING"),
    case(1, CutKind.BEFORE, NEW),
    case(1, CutKind.TORN, BRICK, BRICK, detail="no image may run"),
    case(1, CutKind.AFTER, NEW, OLD, detail="the old image runs after 0 tries"),
    case(3, CutKind.BEFORE, NEW),
)


def bars(svg: str) -> list[str]:
    return [
        f"{each.get('class')} {each.findtext('title')}"
        for each in ET.fromstring(svg).iter("rect")
        if each.findtext("title")
    ]


def test_every_run_of_a_real_sweep_is_in_one_row(swept: SweepResult) -> None:
    rows = kind_rows(swept)
    assert [row.word.partition(" ")[0].strip(",") for row in rows] == [
        "before", "torn", "after", "twice",
    ]  # fmt: skip
    operations = swept.operations[0]
    assert [row.runs for row in rows[:3]] == [operations, 2 * operations, operations]
    assert sum(row.runs for row in rows) == swept.cases == len(swept.every)
    assert sum(row.first_old for row in rows) == swept.first["old"]
    assert sum(row.end_new for row in rows) == swept.ends["new"]
    assert all(row.passed for row in rows)


def test_bricks_and_other_breaches_are_counted_where_they_came() -> None:
    before, torn, after = kind_rows(PLANTED)
    assert (before.runs, before.passed) == (3, True)
    assert (torn.runs, torn.bricks, torn.other, torn.passed) == (3, 1, 0, False)
    assert (after.runs, after.bricks, after.other, after.passed) == (2, 0, 1, False)
    wrong = CaseResult((Cut(0, 2, CutKind.AFTER),), DeviceVerdict(NEW, NEW, 1, "try 2"), 1, 2, 9)
    (row,) = kind_rows(made(wrong))
    assert (row.wrong_tries, row.other) == (1, 0)


def test_the_strip_shows_outcome_and_phase_over_the_operations() -> None:
    assert bars(strip_svg(PLANTED)) == [
        "p0 installing: operation 0",
        "p1 boot: operations 1-3",
        "c-old before: operation 0: old software",
        "c-new before: operations 1-3: new software",
        "c-both torn: operation 0: either of them",
        "c-bad torn: operations 1-2: brick, or otherwise wrong",
        "c-new after: operation 0: new software",
        "c-bad after: operations 1-2: brick, or otherwise wrong",
        "c-new in the end: operation 0: new software",
        "c-bad in the end: operations 1-2: brick, or otherwise wrong",
        "c-new in the end: operation 3: new software",
    ]


def test_a_brick_outweighs_all_and_nothing_is_nothing() -> None:
    old, new = case(0, CutKind.TORN, OLD), case(0, CutKind.TORN, NEW, OLD)
    brick = case(0, CutKind.TORN, NEW, BRICK)
    assert class_of([old, old], at_end=False) == "old"
    assert class_of([old, new], at_end=False) == class_of([old, new], at_end=True) == "both"
    assert class_of([old, new, brick], at_end=False) == "bad"
    assert class_of([], at_end=True) == ""


def test_each_flash_has_a_strip_with_its_name() -> None:
    two = made(
        case(0, CutKind.BEFORE, OLD),
        case(1, CutKind.BEFORE, NEW, flash=1),
        operations=(1, 2),
    )
    svg = ET.fromstring(strip_svg(two))
    words = [each.text for each in svg.iter("text")]
    assert words.count("before") == 2 and "CDC" in words and "EMB_FL" in words
    assert [each for each in bars(strip_svg(two)) if " before: " in each] == [
        "c-old before: operation 0: old software",
        "c-new before: operation 1: new software",
    ]
    places = [
        (int(each.get("x", "")), int(each.get("width", "")))
        for each in svg.iter("rect")
        if each.findtext("title") == "before: operation 1: new software"
    ]
    assert places == [(WIDTH_PX // 2, WIDTH_PX // 2)]


def test_a_real_sweep_says_which_phase_was_cut(swept: SweepResult) -> None:
    phases = [each.phase for each in swept.every if len(each.case) == 1]
    assert list(dict.fromkeys(phases)) == [
        "boot", "INSTALLING", "ACTIVATING", "TRIAL", "COMMITTING",
    ]  # fmt: skip
    story = json.loads(json.dumps(as_data([swept], PLAN)))["stories"][0]
    assert [each["phase"] for each in story["phases"]][:3] == ["boot", "INSTALLING", "ACTIVATING"]
    assert sum(each["runs"] for each in story["by_kind"].values()) == swept.cases


def test_the_csv_has_a_line_for_every_run(swept: SweepResult) -> None:
    rows = list(csv.DictReader(io.StringIO(power_cut_csv([swept]))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == swept.cases
    assert sum(row["second_kind"] != "" for row in rows) == swept.doubles
    assert {row["kind"] for row in rows} == {"before", "torn", "after"}
    assert [row["first_after_cut"] for row in rows].count("old") == swept.first["old"]
    assert all((row["torn_seed"] != "") == (row["kind"] == "torn") for row in rows)
    (bad,) = [row for row in csv.DictReader(io.StringIO(power_cut_csv([PLANTED])))
              if row["end"] == "brick"]  # fmt: skip
    assert (bad["bad"], bad["why"], bad["operation"]) == ("1", "no image may run", "1")


def test_the_page_is_the_same_twice_asks_for_nothing_and_has_no_markup_of_others(
    swept: SweepResult,
) -> None:
    page = power_cut_page([swept, PLANTED], PLAN, version="1.2.3")
    assert page == power_cut_page([swept, PLANTED], PLAN, version="1.2.3")
    assert "made <up>" not in page and "made &lt;up&gt;" in page
    assert "FAILED" in page and "no image may run" in page
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert "PASSED" in power_cut_page([swept], PLAN, version="1.2.3")


def test_the_command_writes_page_json_and_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = SingleStory(plot=Plot.REFUSED, image_size=1536, sector_size=512)
    monkeypatch.setattr("simcore.cli.power_cut._stories", lambda _: [story])
    arguments = ["--workers", "1", "--torn", "1", "--grid", "0", "--stride", "3"]
    arguments += ["--report", str(tmp_path / "r")]
    result = CliRunner().invoke(power_cut, arguments)
    assert result.exit_code == 0, result.output
    files = sorted(each.name for each in (tmp_path / "r").iterdir())
    assert files == ["power_cut.csv", "power_cut.html", "power_cut.json"]
    assert "single refused" in (tmp_path / "r" / "power_cut.html").read_text()
