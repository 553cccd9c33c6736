"""Error frames and controller states in the reports: sentences, lanes, tables."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from simcore.bus import ErrorFrame, ErrorKind, ErrorState, Frame, StateChange, WireError
from simcore.faults import BusOff, BusShorted
from simcore.report import print_console
from simcore.report.html import html_page
from simcore.report.junit import junit_bytes
from simcore.report.wire_chart import BINS, FAULT_ROWS, WireChart
from simcore.report.wire_lanes import (
    errors_in_words,
    irregular_channels,
    losses_in_words,
    wire_line,
    wire_views,
)
from simcore.rig import ControllerStatistics, FaultRecord, Rig, ScenarioResult
from simcore.rig.scenario import Scenario, collect
from simcore.units import ms, s, us

Make = Callable[..., Any]
A = "CHASSIS_A"
ACTIVE, WARNING, PASSIVE, BUS_OFF = ErrorState


def error_frame(begin_ns: int, *nodes: str, channel: str = A, overload: bool = False) -> ErrorFrame:
    """`nodes` detect an error, the first one as transmitter."""
    kind = ErrorKind.OVERLOAD if overload else ErrorKind.BIT
    errors = tuple(
        WireError(begin_ns, channel, node, kind, not index, "data", 30, 0, False, 8, 1)
        for index, node in enumerate(nodes)
    )
    frame = None if overload else Frame(0x60, bytes(8))
    return ErrorFrame(begin_ns, begin_ns + us(40), channel, overload, frame, "", errors)


def change(time_ns: int, node: str, before: ErrorState, after: ErrorState) -> StateChange:
    return StateChange(time_ns, A, node, before, after, 0, 0)


def off_and_back(node: str, off_ns: int, back_ns: int | None) -> list[StateChange]:
    off = change(off_ns, node, ACTIVE, BUS_OFF)
    return [off] if back_ns is None else [off, change(back_ns, node, BUS_OFF, ACTIVE)]


def row(node: str, channel: str = A, **changes: Any) -> ControllerStatistics:
    values: dict[str, Any] = {
        "channel": channel,
        "node": node,
        "state": ACTIVE,
        "worst_state": ACTIVE,
        "state_ns": (s(4), 0, 0, 0),
        "bus_off_count": 0,
        "transmit_error_count": 0,
        "receive_error_count": 0,
        "transmit_error_peak": 0,
        "receive_error_peak": 0,
        "errors_as_transmitter": (0,) * 6,
        "errors_as_receiver": (0,) * 6,
        "begun_count": 0,
        "destroyed_count": 0,
        "refused_count": 0,
        "overrun_count": 0,
        "arbitration_lost_count": 0,
        "single_shot_lost_count": 0,
    }
    return ControllerStatistics(**values | changes)


def chart(
    frames: list[ErrorFrame],
    changes: list[StateChange],
    faults: list[FaultRecord] | None = None,
    nodes: tuple[str, ...] = ("EMB_FL",),
) -> WireChart:
    return WireChart(s(4), frames, changes, faults or [], nodes)


def bars(svg: str) -> list[tuple[str, int, int]]:
    """Class, left edge and width of the bars that are in lanes."""
    found = re.findall(
        r'<rect class="(s\d)" x="(\d+)" y="\d+" width="(\d+)" height="\d+"><title', svg
    )
    return [(name, int(left), int(width)) for name, left, width in found]


def fault(sentence: str, start_ns: int, stop_ns: int | None = None, where: str = A) -> FaultRecord:
    return FaultRecord(sentence=sentence, where=where, start_ns=start_ns, stop_ns=stop_ns)


def page(result: ScenarioResult) -> str:
    return html_page([result], requirement_texts={}, version="1.2.3", links={})


# -- in words ------------------------------------------------------------------------------------


def test_a_bus_is_told_in_a_sentence(make_result: Make) -> None:
    result = make_result(
        error_frames=tuple(error_frame(ms(k), "EMB_FL") for k in range(412)),
        state_changes=(
            *off_and_back("EMB_FL", ms(1002), ms(1105)),
            change(ms(1200), "IMU", ACTIVE, WARNING),
            change(ms(1300), "IMU", WARNING, PASSIVE),
            change(ms(1400), "GW", ACTIVE, WARNING),
        ),
    )
    assert wire_line(result, A) == (
        "412 error frames; EMB_FL bus-off at 1.002 s, recovered at 1.105 s; "
        "error passive at worst: IMU; error warning at worst: GW"
    )


def test_one_error_frame_is_singular_and_overload_frames_are_named(make_result: Make) -> None:
    result = make_result(
        error_frames=(error_frame(0, "CDC"), error_frame(ms(1), "GW", overload=True))
    )
    assert wire_line(result, A) == "1 error frame; 1 overload frame"
    assert wire_line(result, "CHASSIS_B") == "no error frames"


def test_a_node_that_stays_bus_off_or_goes_again_is_told_as_such(make_result: Make) -> None:
    again = [*off_and_back("EMB_FL", ms(1), ms(4)), *off_and_back("EMB_FL", ms(6), ms(9))]
    stuck = off_and_back("GW", ms(2), None)
    assert wire_line(make_result(state_changes=(*again, *stuck)), A) == (
        "no error frames; EMB_FL bus-off 2 times from 0.001 s to 0.006 s, recovered at 0.009 s; "
        "GW bus-off at 0.002 s, not recovered"
    )


@pytest.mark.parametrize(
    ("back_ns", "said"),
    [
        (ms(900), "5 nodes bus-off from 0.100 s on: N0, N1, N2, N3, N4; all recovered by 0.900 s"),
        (
            None,
            "5 nodes bus-off from 0.100 s on: N0, N1, N2, N3, N4; not recovered: N4; "
            "the others recovered by 0.203 s",
        ),
    ],
)
def test_many_nodes_that_go_bus_off_share_a_part(
    make_result: Make, back_ns: int | None, said: str
) -> None:
    changes = [each for k in range(4) for each in off_and_back(f"N{k}", ms(100), ms(200 + k))]
    changes += off_and_back("N4", ms(150), back_ns)
    assert wire_line(make_result(state_changes=tuple(changes)), A) == f"no error frames; {said}"


def test_errors_and_losses_are_counted_by_name() -> None:
    assert errors_in_words((32, 0, 1, 0, 2, 0)) == "35: 32 bit, 1 CRC, 2 ACK"
    assert errors_in_words((0,) * 6) == "0"
    assert losses_in_words(row("X", refused_count=79, overrun_count=1)) == "79 refused, 1 overrun"
    assert losses_in_words(row("X", single_shot_lost_count=3)) == "3 single shot"
    assert losses_in_words(row("X", refused_count=None, overrun_count=None)) == "0"


# -- which buses and nodes -----------------------------------------------------------------------


def test_a_clean_run_says_so_in_one_line_and_shows_nothing_else(make_stop: Make) -> None:
    source = page(make_stop())
    assert "No error frames; every controller error active throughout." in source
    assert "<svg class" not in source
    assert "Error frames and controller states" not in source


def test_losses_alone_make_a_table_without_a_chart(make_result: Make) -> None:
    result = make_result(controllers=(row("GW", overrun_count=2), row("CDC")))
    (view,) = wire_views(result)
    assert view.line == "no error frames; requests or frames lost: GW"
    assert (view.chart, view.note) == ("", "")
    assert [each.node for each in view.rows] == ["GW"]
    assert view.quiet == "CDC: no error, error active throughout, nothing refused or lost."
    assert ">2 overrun<" in page(result)


def test_only_nodes_concerned_have_a_lane_and_faults_only_the_bus_they_are_on(
    make_result: Make,
) -> None:
    result = make_result(
        error_frames=(error_frame(ms(1), "CDC", channel="CHASSIS_B"), error_frame(ms(2), "EMB_FL")),
        controllers=(
            row("EMB_FL", errors_as_transmitter=(1, 0, 0, 0, 0, 0)),
            row("GW", refused_count=4),
            row("TST"),
            row("CDC", "CHASSIS_B", errors_as_transmitter=(1, 0, 0, 0, 0, 0)),
        ),
        faults=(
            fault("shorted", 0, ms(3), where="EMB_FL on CHASSIS_A"),
            fault("open", 0, ms(3), where="CHASSIS_B"),
            fault("silent", 0, ms(3), where="TST"),
        ),
    )
    assert irregular_channels(result) == ["CHASSIS_A", "CHASSIS_B"]
    first, second = wire_views(result)
    assert ">EMB_FL</text>" in first.chart
    assert ">GW</text>" not in first.chart
    assert [each.node for each in first.rows] == ["EMB_FL", "GW"]
    assert first.quiet.startswith("TST: ")
    names = [re.findall(r'class="label">([^<]*)', view.chart) for view in (first, second)]
    assert names == [["shorted", "silent"], ["open"]]


# -- the chart -----------------------------------------------------------------------------------


def test_a_lane_shows_each_state_for_as_long_as_it_lasted() -> None:
    changes = [
        change(ms(1000), "EMB_FL", ACTIVE, WARNING),
        change(ms(1100), "EMB_FL", WARNING, PASSIVE),
        change(ms(1200), "EMB_FL", PASSIVE, BUS_OFF),
        change(ms(1900), "EMB_FL", BUS_OFF, ACTIVE),
    ]
    svg = chart([], changes).svg(A)
    lanes = bars(svg)
    assert [name for name, _, _ in lanes] == ["s0", "s1", "s2", "s3", "s0"]
    # The chart is 990 ms wide: the 900 ms in which something happened, and 45 ms on each side.
    assert [left for _, left, _ in lanes] == pytest.approx([0, 41, 132, 223, 860], abs=1)
    assert sum(width for _, _, width in lanes) == BINS
    assert ">bus-off</text>" in svg.split('class="inside"')[1]
    assert "Shown is 955 ms to 1945 ms" in chart([], changes).note


def test_a_state_shorter_than_a_bin_is_still_seen() -> None:
    changes = [*off_and_back("EMB_FL", ms(5), ms(5) + us(2)), *off_and_back("GW", s(3), s(3) + 1)]
    lanes = bars(chart([], changes).svg(A))
    assert [(name, width) for name, _, width in lanes if name == "s3"] == [("s3", 1)]


def test_errors_as_transmitter_and_as_receiver_are_ticks_apart() -> None:
    frames = [error_frame(s(1), "CDC", "EMB_FL"), error_frame(s(2), "CDC", "EMB_FL")]
    svg = chart(frames, [], nodes=("CDC", "EMB_FL")).svg(A)
    lanes = svg.split(">CDC</text>")[1].split(">EMB_FL</text>")
    assert [re.findall(r'<path class="(tx|rx)"', lane) for lane in lanes] == [["tx"], ["rx"]]
    ticks = re.findall(r"M(\d+) \d+h1v5h-1z", lanes[0])
    assert [int(at) for at in ticks] == pytest.approx([41, 859], abs=1)


def test_thousands_of_error_frames_stay_small_and_every_one_is_counted() -> None:
    frames = [error_frame(us(60) * k, "CDC", "EMB_FL", "GW") for k in range(20_000)]
    frames.append(error_frame(us(60) * 20_000, "GW", overload=True))
    drawn = chart(frames, [], nodes=("CDC", "EMB_FL", "GW"))
    svg = drawn.svg(A)
    assert len(svg) < 40_000
    match = re.search(r"(\d+) error frames and 1 overload frame in (\d+) of 900 bins", drawn.note)
    assert match is not None
    assert int(match[1]) == 20_000
    columns = re.search(r'<path class="count" d="([^"]*)"', svg)
    assert columns is not None
    assert columns[1].count("M") == int(match[2])


def test_the_note_says_what_is_shown_and_what_is_counted_together() -> None:
    frames = [error_frame(0, "CDC"), error_frame(s(4) - us(40), "CDC")]
    assert chart(frames, []).note == (
        "Shown is the whole run. 2 error frames in 2 of 900 bins of 4444.4 us; "
        "in each bin a lane shows its worst state."
    )
    changes = [change(s(1), "EMB_FL", ACTIVE, BUS_OFF), change(s(2), "EMB_FL", BUS_OFF, ACTIVE)]
    assert chart([], changes).note == (
        "Shown is 950 ms to 2050 ms; before and after there is no error frame and no change of "
        "state. No error frame in 900 bins of 1222.2 us; in each bin a lane shows its worst state."
    )


def test_columns_are_as_high_as_what_they_count() -> None:
    frames = [error_frame(ms(1), "CDC")] * 4 + [error_frame(ms(9), "CDC")]
    svg = chart(frames, [], nodes=("CDC",)).svg(A)
    assert re.findall(r"v-(\d+)h1V", svg) == ["28", "7"]
    assert "at most 4 per bin" in svg


def test_an_error_frame_that_lasts_is_drawn_as_long_as_it_lasts() -> None:
    stuck = error_frame(s(1), "CDC")._replace(end_ns=s(2))
    svg = chart([stuck], [], nodes=("CDC",)).svg(A)
    (width,) = re.findall(r"h(\d+)v2h-", svg)
    assert int(width) == pytest.approx(BINS * 20 / 22, abs=2)


def test_like_faults_share_a_row_and_too_many_the_last_one() -> None:
    pulses = [fault("pulse", ms(k), ms(k + 1)) for k in (1, 5, 9)]
    others = [fault(f"fault {k}", ms(20 + k), ms(30)) for k in range(FAULT_ROWS + 3)]
    svg = chart([error_frame(ms(1), "CDC")], [], pulses).svg(A)
    assert re.findall(r'class="label">([^<]*)', svg) == ["pulse (3 times)"]
    assert svg.count('class="shade"') == 3
    svg = chart([error_frame(ms(1), "CDC")], [], pulses + others).svg(A)
    names = re.findall(r'class="label">([^<]*)', svg)
    assert len(names) == FAULT_ROWS
    assert names[-1] == "5 more faults, see the table"
    assert svg.count('class="span"') == len(pulses + others)


def test_a_fault_that_never_ended_is_shaded_to_the_edge_without_stretching_the_chart() -> None:
    drawn = chart([error_frame(ms(100), "CDC")], [], [fault("open", ms(90))])
    assert "Shown is 89.49 ms to 100.55 ms" in drawn.note
    (shade,) = re.findall(r'<rect class="shade" x="(\d+)" width="(\d+)"', drawn.svg(A))
    assert int(shade[0]) + int(shade[1]) == BINS


def test_names_are_escaped_and_a_long_one_gets_room() -> None:
    nasty = '<img src=x>"&\x07'
    svg = chart([error_frame(ms(1), nasty)], [], [fault(nasty, 0)], nodes=(nasty,)).svg(nasty)
    ET.fromstring(svg)
    assert "<img" not in svg
    wide = chart([error_frame(ms(1), "N" * 60)], [], nodes=("N" * 60,)).svg(A)
    (left,) = re.findall(r'viewBox="-(\d+) ', wide)
    assert int(left) > 60 * 6


@pytest.mark.parametrize("at_ns", [0, s(4)])
def test_a_single_instant_at_either_end_of_the_run_is_drawn(at_ns: int) -> None:
    svg = chart([], [change(at_ns, "EMB_FL", ACTIVE, BUS_OFF)]).svg(A)
    ET.fromstring(svg)
    assert "s3" in [name for name, _, _ in bars(svg)]


# -- a real run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_run() -> ScenarioResult:
    """EMB_FL is forced bus-off, later the whole bus is shorted for 5 ms."""
    rig = Rig(seed=3)
    rig.run_for(ms(200))
    rig.inject(BusOff(bus=A, node="EMB_FL"))
    rig.run_for(ms(300))
    rig.inject(BusShorted(bus=A), duration=ms(5))
    rig.run_for(ms(300))
    item = Scenario(name="wire", function=rig.run_for, file="scenarios/wire.py")
    return collect(rig, item, None, options={}, replay_command="")


def test_a_real_run_is_told_the_same_by_page_console_and_junit(real_run: ScenarioResult) -> None:
    line = wire_line(real_run, A)
    assert line.startswith(f"{len(real_run.error_frames)} error frames; ")
    assert len(real_run.error_frames) > 16
    output = io.StringIO()
    print_console([real_run], Console(file=output, width=80, _environ={}))
    assert f"  CHASSIS_A: {line}\n" in output.getvalue()
    assert "\n  CHASSIS_B: " not in output.getvalue()
    document = ET.fromstring(junit_bytes([real_run]))
    properties = {each.get("name"): each.get("value") for each in document.iter("property")}
    assert properties["wire.wire.CHASSIS_A"] == line
    assert "wire.wire.CHASSIS_B" not in properties
    source = page(real_run)
    assert f"<strong>CHASSIS_A</strong> {line}</p>" in source
    assert source.count('<svg class="wire"') == 1
    faults = source.split("<h3>Faults</h3>")[1].split("</table>")[0]
    assert "CHASSIS_A: controller of EMB_FL bus-off" in faults
    assert "CHASSIS_A shorted: stuck recessive" in faults
    assert source.count("<path") < 100


def test_a_real_run_has_a_lane_and_a_row_for_every_node_concerned(real_run: ScenarioResult) -> None:
    (view,) = wire_views(real_run)
    lanes = re.findall(r'text-anchor="end">([A-Z][A-Z_0-9]+)</text>', view.chart)
    assert lanes == [each.node for each in view.rows]
    ET.fromstring(view.chart)
    emb_fl = view.chart.split(">EMB_FL</text>")[1].split(">EMB_FR</text>")[0]
    offs = [each for each in bars(emb_fl) if each[0] == "s3"]
    went_off = [
        each
        for each in real_run.state_changes
        if (each.node, each.after) == ("EMB_FL", ErrorState.BUS_OFF)
    ]
    assert len(offs) == len(went_off)
    cells = re.findall(r'<td class="id">EMB_FL</td>.*?</tr>', page(real_run), re.DOTALL)
    assert len(cells) == 1
    head = re.search(r"<tr><th>Node</th>.*?</tr>", page(real_run), re.DOTALL)
    assert head is not None
    assert head[0].count("<th") == cells[0].count("<td")
