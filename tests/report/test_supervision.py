"""The supervision chart: read from a run's events, drawn and told where something was wrong."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from simcore.ecu.runtime import log_change
from simcore.report.console import print_console
from simcore.report.html import html_page
from simcore.report.supervision import supervision_lanes, supervision_lines, supervision_view
from simcore.report.supervision_chart import WIDTH_PX
from simcore.rig.result import Event, FaultRecord, ScenarioResult
from simcore.units import ms, s
from simcore.watchdog.presets import fs65, tlf35584, tps65381
from simcore.watchdog.statuses import GlobalStatus, LocalStatus, StatusChange

Make = Callable[..., ScenarioResult]
STARTED = "supervision DEACTIVATED -> OK (started)"


def event(at_ms: float, source: str, kind: str, text: str) -> Event:
    return Event(time_ns=int(at_ms * 1e6), source=source, kind=kind, text=text)


def starts(*nodes: str) -> list[Event]:
    return [event(0, node, "note", STARTED) for node in nodes]


HUNG = [
    event(1010, "CDC", "detection", "supervision: control FAILED (alive 0 of 1)"),
    event(1010, "CDC", "state", "supervision OK -> FAILED (alive of control)"),
    event(1015, "CDC", "detection", "supervision: control EXPIRED (alive 0 of 1)"),
    event(1015, "CDC", "state", "supervision FAILED -> STOPPED (control)"),
    event(1040, "CDC", "reaction", "watchdog: enable line low (trigger missing)"),
    event(1040, "CDC", "reaction", "watchdog: reset for 10 ms (trigger missing)"),
    event(1050, "CDC", "state", "watchdog: RESET -> INIT (RESET_OVER)"),
    event(1050, "CDC", "note", STARTED),
    event(1060, "CDC", "reaction", "watchdog: enable line high (served)"),
]
"""A task hangs, its ECU is reset and comes back."""


def run(make_result: Make, *events: Event, **changes: Any) -> ScenarioResult:
    return make_result(events=tuple(events), **changes)


def svg(result: ScenarioResult) -> ET.Element:
    view = supervision_view(result)
    assert view is not None
    return ET.fromstring(view.chart)


def titles(picture: ET.Element, name: str) -> list[str]:
    """Tooltips of the shapes of one class, the legend's (without any) left out."""
    shapes = [each for each in picture.iter() if each.get("class") == name]
    found = [each.findtext("title") for each in shapes]
    return [title for title in found if title]


# -- nothing to show ---------------------------------------------------------------------------


def test_an_orderly_run_shows_nothing(make_result: Make, make_stop: Make) -> None:
    for result in (run(make_result, *starts("CDC", "EMB_FL")), make_result(), make_stop()):
        assert supervision_view(result) is None
        assert supervision_lines(result) == []
        page = html_page([result], requirement_texts={}, version="1", links={})
        assert "<h3>Supervision</h3>" not in page


def test_power_off_and_on_again_is_in_order(make_result: Make) -> None:
    again = event(2000, "EMB_FL", "note", STARTED)
    assert supervision_view(run(make_result, *starts("EMB_FL"), again)) is None


# -- out of the events -------------------------------------------------------------------------


def test_a_lane_has_statuses_enable_line_resets_and_marks() -> None:
    cdc, emb = supervision_lanes([*starts("CDC", "EMB_FL"), *HUNG])
    assert (cdc.node, emb.node) == ("CDC", "EMB_FL")
    assert cdc.statuses == (
        (0, GlobalStatus.OK),
        (ms(1010), GlobalStatus.FAILED),
        (ms(1015), GlobalStatus.STOPPED),
        (ms(1040), None),
        (ms(1050), GlobalStatus.DEACTIVATED),
        (ms(1050), GlobalStatus.OK),
    )
    assert cdc.enables == ((ms(1040), False), (ms(1060), True))
    assert cdc.resets == (ms(1040),)
    assert [(mark.entity, mark.status, mark.text) for mark in cdc.marks] == [
        ("control", LocalStatus.FAILED, "alive 0 of 1"),
        ("control", LocalStatus.EXPIRED, "alive 0 of 1"),
    ]
    assert emb.is_regular and not cdc.is_regular


def test_what_the_runtime_logs_is_what_the_chart_reads() -> None:
    events: list[Event] = []

    def log(kind: str, text: str) -> None:
        events.append(event(5, "CDC", kind, text))

    for entity, before, after in (
        ("control", LocalStatus.OK, LocalStatus.EXPIRED),
        ("", GlobalStatus.OK, GlobalStatus.EXPIRED),
    ):
        change = StatusChange(time_ns=ms(5), entity=entity, before=before, after=after, reason="r")
        log_change(log, change)
    (lane,) = supervision_lanes(events)
    assert lane.statuses == ((ms(5), GlobalStatus.EXPIRED),)
    assert [(m.entity, m.status, m.text) for m in lane.marks] == [
        ("control", LocalStatus.EXPIRED, "r")
    ]


@pytest.mark.parametrize("preset", [tlf35584, tps65381, fs65])
def test_what_a_watchdog_tells_is_what_the_chart_reads(preset: Any) -> None:
    """Served once, then never again: the enable line falls and the ECU is reset."""
    settings = preset()
    device, service = settings.build(), settings.service()
    line = Line(device, service)
    device.power_on(0)
    events: list[Event] = []
    for now_ns in range(ms(1), s(4), ms(1)):
        device.on_timer(now_ns)
        if now_ns <= s(1):
            service.step(line, now_ns, allowed=True)
        for each in device.take_events():
            events.append(Event(time_ns=each.time_ns, source="CDC", kind=each.kind, text=each.text))
    (lane,) = supervision_lanes(events)
    assert (False in [enabled for _, enabled in lane.enables]) is True
    assert lane.resets[0] > s(1)


class Line:
    """What software sees of a device."""

    def __init__(self, device: Any, service: Any) -> None:
        self._device = device
        self.service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


# -- in words ----------------------------------------------------------------------------------


def test_an_ecu_on_which_something_was_wrong_is_told_in_a_sentence(make_result: Make) -> None:
    result = run(make_result, *starts("CDC", "EMB_FL"), *HUNG)
    assert supervision_lines(result) == [
        "CDC: STOPPED at 1.015 s; control EXPIRED (alive 0 of 1); enable line low at 1.040 s, "
        "high again at 1.060 s; 1 reset, at 1.040 s"
    ]


def test_a_failure_that_healed_is_told_as_failed(make_result: Make) -> None:
    result = run(
        make_result,
        *HUNG[:2],
        event(1020, "CDC", "note", "supervision: control OK (alive)"),
        event(1020, "CDC", "state", "supervision FAILED -> OK (alive)"),
    )
    assert supervision_lines(result) == ["CDC: FAILED at 1.010 s; control FAILED (alive 0 of 1)"]


def test_monitoring_that_stopped_the_service_is_told(make_result: Make) -> None:
    text = "watchdog no longer served: 12000 N beyond what is permitted"
    result = run(make_result, *starts("CDC"), event(500, "CDC", "reaction", text))
    assert supervision_lines(result) == [f"CDC: {text} at 0.500 s"]


def test_several_resets_and_entities_are_counted(make_result: Make) -> None:
    other = event(1016, "CDC", "detection", "supervision: monitor EXPIRED (order)")
    later = [replace(each, time_ns=each.time_ns + s(1)) for each in HUNG[4:]]
    (line,) = supervision_lines(run(make_result, *starts("CDC"), *HUNG, other, *later))
    assert "control EXPIRED (alive 0 of 1), and 1 more; " in line
    assert line.endswith("2 resets, at 1.040 s, ...")
    assert "low 2 times" in line


def test_the_console_has_a_line_for_each_such_ecu_and_none_else(make_result: Make) -> None:
    out = StringIO()
    results = [run(make_result, *starts("CDC", "EMB_FL"), *HUNG), run(make_result)]
    print_console(results, Console(file=out, width=80))
    assert re.findall(r"SUPERVISION  (\w+): STOPPED", out.getvalue()) == ["CDC"]


# -- drawn -------------------------------------------------------------------------------------


def test_every_supervised_ecu_has_a_lane_and_every_status_a_bar(make_result: Make) -> None:
    picture = svg(run(make_result, *starts("CDC", "EMB_FL"), *HUNG))
    names = [each.text for each in picture.iter() if each.get("text-anchor") == "end"]
    assert names == ["CDC", "EMB_FL"]
    assert titles(picture, "g0") == ["CDC: supervision OK"] * 2 + ["EMB_FL: supervision OK"]
    assert titles(picture, "g1") == ["CDC: supervision FAILED"]
    assert titles(picture, "g3") == ["CDC: supervision STOPPED"]
    assert titles(picture, "none") == ["CDC: supervision in reset"]


def test_a_worse_status_is_higher(make_result: Make) -> None:
    picture = svg(run(make_result, *starts("CDC"), *HUNG))
    heights = [
        int(next(e for e in picture.iter() if e.get("class") == name).attrib["height"])
        for name in ("g0", "g1", "g2", "g3")
    ]
    assert heights == sorted(set(heights))


def test_the_enable_line_changes_where_it_changed(make_result: Make) -> None:
    picture = svg(run(make_result, *starts("CDC"), *HUNG))
    assert titles(picture, "line on") == ["CDC: enable line high"] * 2
    assert titles(picture, "line off") == ["CDC: enable line low"]
    ((begin, end),) = [
        [int(x) for x in re.findall(r"M(\d+) \d+H(\d+)", each.attrib["d"])[0]]
        for each in picture.iter()
        if each.get("class") == "line off" and "H" in each.attrib["d"]
    ]
    # Shown is 990 ms to 1080 ms.
    assert (begin, end) == (WIDTH_PX * 50 // 90, WIDTH_PX * 70 // 90)


def test_marks_and_resets_say_what_they_are(make_result: Make) -> None:
    stop = event(1030, "EMB_FL", "reaction", "watchdog no longer served: too much force")
    picture = svg(run(make_result, *starts("CDC", "EMB_FL"), *HUNG, stop))
    assert titles(picture, "found") == ["CDC: control FAILED (alive 0 of 1) at 1.010 s"]
    assert titles(picture, "lost") == [
        "CDC: control EXPIRED (alive 0 of 1) at 1.015 s",
        "EMB_FL: watchdog no longer served: too much force at 1.030 s",
    ]
    assert titles(picture, "reset flag") == ["CDC: reset at 1.040 s"]


def test_a_fault_is_shaded_for_as_long_as_it_lasted(make_result: Make) -> None:
    faults = (
        FaultRecord(sentence="task control hung", where="CDC", start_ns=ms(1005), stop_ns=ms(1045)),
        FaultRecord(sentence="for good", where="CDC", start_ns=ms(1050), stop_ns=None),
    )
    picture = svg(run(make_result, *starts("CDC"), *HUNG, faults=faults))
    shades = [each for each in picture.iter() if each.get("class") == "shade"]
    assert [each.findtext("title") for each in shades] == ["task control hung", "for good"]
    assert int(shades[1].attrib["x"]) + int(shades[1].attrib["width"]) == WIDTH_PX


def test_the_chart_shows_where_something_changed_and_says_so(make_result: Make) -> None:
    view = supervision_view(run(make_result, *starts("CDC"), *HUNG, duration_ns=s(60)))
    assert view is not None
    assert view.note == "Shown is 990 ms to 1080 ms; before and after nothing changes."
    short = [replace(each, time_ns=each.time_ns - ms(1005)) for each in HUNG]
    view = supervision_view(run(make_result, *starts("CDC"), *short, duration_ns=ms(60)))
    assert view is not None
    assert view.note == "Shown is the whole run."


@pytest.mark.parametrize("at_ms", [0, 4250])
def test_a_single_instant_at_either_end_of_the_run_is_drawn(make_result: Make, at_ms: int) -> None:
    low = event(at_ms, "CDC", "reaction", "watchdog: enable line low (x)")
    picture = svg(run(make_result, low))
    assert len(titles(picture, "line off")) == (at_ms == 0)


def test_a_module_with_a_watchdog_and_no_supervision_has_a_lane_of_its_own(
    make_result: Make,
) -> None:
    texts = ("enable line low (x)", "reset for 10 ms (x)", "RESET -> INIT (RESET_OVER)")
    events = [event(10 * i, "EMB_FL", "reaction", f"watchdog: {t}") for i, t in enumerate(texts)]
    picture = svg(run(make_result, *events))
    assert titles(picture, "none") == ["EMB_FL: supervision in reset"]
    assert titles(picture, "g4") == ["EMB_FL: supervision DEACTIVATED"]


def test_names_and_reasons_are_escaped(make_result: Make) -> None:
    nasty = event(10, "<b>&", "detection", "supervision: x<y EXPIRED (</svg>\x00)")
    picture = svg(run(make_result, nasty))
    assert titles(picture, "lost") == ["<b>&: x<y EXPIRED (</svg>?) at 0.010 s"]


def test_the_page_has_the_chart_and_the_sentences(make_result: Make) -> None:
    result = run(make_result, *starts("CDC", "EMB_FL"), *HUNG)
    page = html_page([result], requirement_texts={}, version="1", links={})
    assert page.count("<h3>Supervision</h3>") == 1
    assert "CDC: STOPPED at 1.015 s; control EXPIRED (alive 0 of 1)" in page
    assert page.count('<svg class="wire supervision"') == 1
