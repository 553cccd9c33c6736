"""The update section and the page of power cuts in a real browser: they fit and ask for nothing.

Skipped where playwright or a chromium is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simcore.ecu.runtime.software_areas import IMAGE_ADDRESS
from simcore.report import write_html
from simcore.report.update_power_cut import power_cut_page
from simcore.rig.result import BusStatistics, Event, ScenarioResult
from simcore.rig.update_result import (
    DiagnosticTraffic,
    SoftwareRecord,
    TransferRecord,
    UpdateResult,
)
from simcore.units import ms
from simcore.update.power_cut import SweepPlan
from simcore.update.power_cut_run import sweep
from simcore.update.power_cut_single import Plot, SingleStory

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LONG = "partial bundle installation: " + "the_snapshot_says_otherwise" * 6


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    profile = tmp_path_factory.mktemp("profile")
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=FLAGS, offline=True
        )
        yield context
        context.close()


@pytest.fixture
def updated(make_result: Callable[..., ScenarioResult]) -> ScenarioResult:
    nodes = ("CDC", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR")
    texts = {
        100: "update IDLE -> CHECKING: ANNOUNCED",
        200: f"update CHECKING -> FAILED: METADATA_REFUSED; {LONG}",
        400: f"update FAILED -> CLEANING: REPORT_ACKNOWLEDGED; {LONG}",
        500: "update CLEANING -> IDLE: CLEANED",
        600: "update IDLE -> CHECKING: ANNOUNCED",
    }
    events = [
        Event(time_ns=ms(at_ms), source=node, kind="state", text=text)
        for at_ms, text in texts.items()
        for node in nodes
    ]
    software = [
        SoftwareRecord(
            node=node, version_before="1.0.0", version_after=None, audit_entries=9, worst_wear=2
        )
        for node in nodes
    ]
    transfers = [
        TransferRecord(
            node=node,
            is_download=True,
            address=IMAGE_ADDRESS,
            size=4000,
            begun_ns=ms(50),
            samples=((ms(60), 2000), (ms(90), 4000)),
            ended_ns=ms(91),
        )
        for node in nodes
    ]
    traffic = DiagnosticTraffic(
        node="CDC",
        requests=1,
        negative_responses=0,
        pending_responses=0,
        timeouts=0,
        bytes_sent=1,
        bytes_received=2,
        worst_round_trip_ns=ms(3),
    )
    bus = BusStatistics(
        channel="CHASSIS_A",
        nominal_bps=500_000,
        data_bps=2_000_000,
        frame_count=1,
        load_ratio=0.4,
        peak_load_ratio=0.9,
        load_window_ns=ms(100),
        load_series_ratio=(0.4, 0.8, 0.8),
    )
    result = UpdateResult(software=tuple(software), transfers=tuple(transfers), traffic=(traffic,))
    return make_result(
        events=tuple(events),
        update=result,
        buses=(bus,),
        duration_ns=ms(700),
        measurements={LONG.replace(" ", "_"): "nothing"},
    )


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    tab = browser.new_page()
    tab.heard = []
    tab.on("request", lambda request: tab.heard.append(request.url))
    tab.on("console", lambda message: tab.heard.append(message.text))
    tab.on("pageerror", lambda error: tab.heard.append(str(error)))
    yield tab
    tab.close()


def shown_in_both_schemes(tab: Any, shape: Any) -> None:
    light = shape.evaluate("shape => getComputedStyle(shape).fill")
    tab.emulate_media(color_scheme="dark")
    assert shape.evaluate("shape => getComputedStyle(shape).fill") not in ("", "none", light)


def test_the_update_section_fits_the_page_and_asks_for_nothing(
    page: Any, tmp_path: Path, updated: ScenarioResult
) -> None:
    path = write_html(tmp_path / "r.html", [updated], requirement_texts={}, version="1")
    page.goto(path.as_uri())
    chart = page.locator("svg.update")
    for width_px in (1400, 800):
        page.set_viewport_size({"width": width_px, "height": 900})
        chart.scroll_into_view_if_needed()
        box, room = chart.bounding_box(), page.locator(".chart").first.bounding_box()
        assert room["x"] <= box["x"] and box["x"] + box["width"] <= room["x"] + room["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width_px
        # A cause without a space is wrapped and makes no row as high as the page.
        assert page.locator("table.updates tbody tr").first.bounding_box()["height"] < 400
    # No text runs out of the picture.
    assert chart.evaluate(
        "svg => [...svg.querySelectorAll('text')].every(text => {"
        " const box = text.getBBox(), view = svg.viewBox.baseVal;"
        " return box.x >= view.x && box.x + box.width <= view.x + view.width; })"
    )
    shown_in_both_schemes(page, chart.locator(".u-bad").last)
    assert page.heard == [path.as_uri()]


def test_the_page_of_power_cuts_fits_and_asks_for_nothing(page: Any, tmp_path: Path) -> None:
    plan = SweepPlan(torn_seeds=1, grid=0, stride=8)
    story = SingleStory(plot=Plot.TEST, image_size=1536, sector_size=512)
    path = tmp_path / "power_cut.html"
    path.write_text(power_cut_page(sweep([story], plan), plan, version="1"), encoding="utf-8")
    page.goto(path.as_uri())
    for width_px in (1400, 800):
        page.set_viewport_size({"width": width_px, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    shown_in_both_schemes(page, page.locator("rect.c-new").last)
    assert page.heard == [path.as_uri()]
