"""The report page in a real browser, without a network: it draws, asks for nothing, complains not.

Skipped where playwright or a chromium is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simcore.bus import ErrorState, StateChange
from simcore.report import write_html
from simcore.rig import Rig
from simcore.rig.result import Event, ScenarioResult
from simcore.rig.wire_statistics import controller_statistics
from simcore.units import ms

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

Make = Callable[..., Any]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Tab:
    """One page in the browser with every request and complaint it made."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        assert self.requests == [path.as_uri()]

    def draw_all(self) -> None:
        """Scroll every plot into view, since plots are drawn only there."""
        for plot in self.page.query_selector_all(".plot"):
            if plot.is_visible():
                plot.scroll_into_view_if_needed()
                self.page.wait_for_function("plot => plot.dataset.drawn", arg=plot)


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
def tab(browser: Any) -> Iterator[Tab]:
    page = browser.new_page()
    yield Tab(page)
    page.close()


@pytest.fixture
def report(tmp_path: Path, requirement_texts: dict[str, str]) -> Callable[..., Path]:
    def write(results: list[ScenarioResult]) -> Path:
        path = tmp_path / "report.html"
        return write_html(path, results, requirement_texts=requirement_texts, version="1.2.3")

    return write


@pytest.mark.parametrize("width_px", [1400, 800])
def test_a_mixed_run_is_drawn_without_a_request_or_a_complaint(
    tab: Tab, report: Callable[..., Path], mixed_run: list[ScenarioResult], width_px: int
) -> None:
    tab.page.set_viewport_size({"width": width_px, "height": 900})
    path = report(mixed_run)
    tab.open(path)
    tab.draw_all()
    assert tab.page.locator(".plot[data-drawn] .main-svg").count() >= 2
    curves = tab.page.locator("#plot-0 .scatterlayer path.js-line").count()
    assert curves == len(mixed_run[0].trace.columns) + 2  # type: ignore[union-attr]
    assert tab.page.locator("#plot-1 .shapelayer path").count() >= 3
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width_px
    assert tab.requests == [path.as_uri()]
    assert tab.complaints == []


@pytest.mark.parametrize("width_px", [1400, 800])
def test_the_supervision_chart_fits_the_page_and_asks_for_nothing(
    tab: Tab, report: Callable[..., Path], make_result: Make, width_px: int
) -> None:
    tab.page.set_viewport_size({"width": width_px, "height": 900})
    hung = (
        Event(time_ns=0, source="CDC", kind="note", text="supervision DEACTIVATED -> OK (started)"),
        Event(time_ns=ms(50), source="CDC", kind="state", text="supervision OK -> STOPPED (x)"),
        Event(time_ns=ms(70), source="CDC", kind="reaction", text="watchdog: enable line low (x)"),
    )
    path = report([make_result(events=hung)])
    tab.open(path)
    chart = tab.page.locator("svg.supervision")
    chart.scroll_into_view_if_needed()
    box, room = chart.bounding_box(), tab.page.locator(".chart").bounding_box()
    assert room["x"] <= box["x"] and box["x"] + box["width"] <= room["x"] + room["width"]
    stopped = chart.locator(".g3").last
    light = stopped.evaluate("bar => getComputedStyle(bar).fill")
    tab.page.emulate_media(color_scheme="dark")
    assert stopped.evaluate("bar => getComputedStyle(bar).fill") not in ("", "none", light)
    assert tab.requests == [path.as_uri()]
    assert tab.complaints == []


def test_the_readout_follows_the_cursor(
    tab: Tab, report: Callable[..., Path], make_stop: Make
) -> None:
    tab.page.set_viewport_size({"width": 1400, "height": 900})
    tab.open(report([make_stop()]))
    tab.draw_all()
    box = tab.page.locator("#plot-0").bounding_box()
    tab.page.mouse.move(box["x"] + 74 + (box["width"] - 88) / 2, box["y"] + 200)
    readout = tab.page.locator("#readout-0")
    at_s = float(readout.locator("caption b").inner_text().split()[0])
    assert abs(at_s - 2.0) < 0.02
    pedal = readout.locator("tr", has_text="pedal").locator("td").inner_text()
    assert pedal == "100.0"


def test_a_corner_can_be_hidden_in_every_panel(
    tab: Tab, report: Callable[..., Path], make_stop: Make
) -> None:
    stop = make_stop()
    tab.open(report([stop]))
    tab.draw_all()
    lines = tab.page.locator("#plot-0 .scatterlayer path.js-line")
    before = lines.count()
    tab.page.get_by_role("button", name="RL", exact=True).click()
    of_corner = [name for name in stop.trace.columns if name.endswith(".RL")]
    assert len(of_corner) == 4
    assert lines.count() == before - len(of_corner)


def test_a_click_on_a_heading_sorts_the_bus_table(
    tab: Tab, report: Callable[..., Path], make_stop: Make
) -> None:
    tab.open(report([make_stop()]))
    tab.draw_all()  # a plot drawn on the way to the table moves it, and a click may then miss it
    table = tab.page.locator("table.messages")
    ids = table.locator("tbody td:nth-child(2)")
    button = table.get_by_role("button", name="Id")
    button.click()
    table.locator("th[aria-sort=ascending]").wait_for()
    ascending = [int(text, 16) for text in ids.all_inner_texts()]
    assert ascending == sorted(ascending)
    button.click()
    table.locator("th[aria-sort=descending]").wait_for()
    assert [int(text, 16) for text in ids.all_inner_texts()] == ascending[::-1]
    assert table.locator("th[aria-sort]").count() == 1


def test_dark_mode_and_paper_redraw_without_a_complaint(
    tab: Tab, report: Callable[..., Path], make_stop: Make
) -> None:
    tab.page.set_viewport_size({"width": 1400, "height": 900})
    tab.open(report([make_stop()]))
    tab.draw_all()
    curve = tab.page.locator("#plot-0 .js-line").first
    light = curve.evaluate("line => line.style.stroke")
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_function(
        "light => document.querySelector('#plot-0 .js-line')?.style.stroke !== light", arg=light
    )
    assert tab.page.pdf().startswith(b"%PDF")
    assert curve.evaluate("line => line.style.stroke") not in ("", light)
    assert tab.complaints == []


def test_of_many_scenarios_a_plot_is_drawn_when_its_section_is_opened(
    tab: Tab, report: Callable[..., Path], make_stop: Make
) -> None:
    tab.open(report([make_stop() for _ in range(8)]))
    assert tab.page.locator(".plot[data-drawn]").count() == 0
    tab.page.locator("#scenario-table a").nth(5).click()
    tab.page.locator("#plot-5[data-drawn]").wait_for()
    assert tab.page.locator(".plot[data-drawn]").count() == 1


def test_the_filter_leaves_what_did_not_pass(
    tab: Tab, report: Callable[..., Path], mixed_run: list[ScenarioResult]
) -> None:
    tab.open(report(mixed_run))
    tab.page.locator("#only-bad").check()
    assert tab.page.locator(".scenario:visible .name").all_inner_texts() == [
        "silent_emb[corner=FL]",
        "flash_cut[at=17]",
    ]
    tab.page.locator("#filter").fill("ota-002")
    assert tab.page.locator(".scenario:visible").count() == 1


def test_user_text_in_plots_is_text(
    tab: Tab, report: Callable[..., Path], make_stop: Make, make_result: Make
) -> None:
    nasty = "<b>x</b><img src=x onerror=alert(1)>"
    event = Event(time_ns=0, source="</script>", kind="fault", text=nasty)
    path = report([make_result(events=(event,))])
    tab.open(path)
    tab.draw_all()
    assert tab.requests == [path.as_uri()]
    assert tab.complaints == []
    shown = tab.page.locator("#plot-0 .textpoint").first.text_content()
    assert shown.replace("\u00a0", " ").strip() == f"</script>: {nasty}"


@pytest.mark.parametrize("width_px", [1400, 800])
def test_the_lanes_of_a_bus_fit_the_page_and_take_its_colours(
    tab: Tab, report: Callable[..., Path], make_stop: Make, width_px: int
) -> None:
    changes = tuple(
        StateChange(ms(at_ms), "CHASSIS_A", "EMB_FL", before, after, 256, 0)
        for at_ms, before, after in (
            (1000, ErrorState.ACTIVE, ErrorState.BUS_OFF),
            (1105, ErrorState.BUS_OFF, ErrorState.ACTIVE),
        )
    )
    rows = controller_statistics(Rig())
    rows = tuple(
        replace(row, worst_state=ErrorState.BUS_OFF) if row.node == "EMB_FL" else row
        for row in rows
    )
    tab.page.set_viewport_size({"width": width_px, "height": 900})
    tab.open(report([replace(make_stop(), state_changes=changes, controllers=rows)]))
    chart = tab.page.locator("svg.wire").first
    assert chart.get_by_text("bus-off", exact=True).count() == 2  # in the lane and in the legend
    bar = chart.locator("rect.s3").last
    light = bar.evaluate("bar => getComputedStyle(bar).fill")
    tab.page.emulate_media(color_scheme="dark")
    assert bar.evaluate("bar => getComputedStyle(bar).fill") not in ("", light)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width_px
    assert tab.complaints == []
