"""Observed latencies against bounds: who is held, what becomes a finding, what is said."""

from __future__ import annotations

from dataclasses import replace

from simcore.bus import Controller, ErrorFrame, Frame
from simcore.faults import NodeUnplugged
from simcore.network import Database, Message
from simcore.resources import dbc_path
from simcore.rig import Rig, Scenario, ScenarioResult
from simcore.rig.bounds import MEASUREMENT, bounds_of_all, with_bounds
from simcore.rig.result import MessageStatistics
from simcore.rig.scenario import collect
from simcore.units import ms

LONG = Frame(0x001, b"\x3c" * 64, is_fd=True, bitrate_switch=True)


def nothing(rig: Rig) -> None:
    """A scenario that is not called."""


def result_of(rig: Rig) -> ScenarioResult:
    item = Scenario(function=nothing, name="nothing", file="x.py")
    return collect(rig, item, None, options={}, replay_command="")


def intruder(rig: Rig) -> Controller:
    """A node nobody expects on the first bus."""
    return rig.buses[0].attach("intruder")


def send(controller: Controller, message: Message) -> None:
    frame = Frame(message.arbitration_id, bytes(message.length), is_fd=True, bitrate_switch=True)
    controller.send(frame)


def statistics(result: ScenarioResult, name: str) -> MessageStatistics:
    (found,) = [m for m in result.messages if m.name == name and m.channel == "CHASSIS_A"]
    return found


def late_frames(rig: Rig) -> ScenarioResult:
    """A run in which a stranger delays everything for some milliseconds."""
    controller = intruder(rig)
    rig.run_for(ms(19))
    for _ in range(20):
        controller.send(LONG)
    rig.run_for(ms(21))
    return with_bounds(result_of(rig), rig)


def test_every_message_of_an_undisturbed_run_stays_within_its_bound() -> None:
    rig = Rig()
    rig.run_for(ms(200))
    plain = result_of(rig)
    held = with_bounds(plain, rig)
    assert held.findings == plain.findings == ()
    first = [message for message in held.messages if message.channel == "CHASSIS_A"]
    assert len(first) > 20
    for message in held.messages:
        assert message.latency_bound_ns is not None
        assert message.latency_max_ns is not None
        assert message.latency_max_ns <= message.latency_bound_ns
    assert statistics(held, "CDC_EmbCmd").latency_bound_ns == 600_000
    count = len(held.messages)
    assert held.measurements[MEASUREMENT].startswith(f"{count} of {count}, closest ")


def test_the_bounds_change_nothing_else() -> None:
    rig = Rig()
    rig.run_for(ms(20))
    plain = result_of(rig)
    held = with_bounds(plain, rig)
    stripped = tuple(replace(message, latency_bound_ns=None) for message in held.messages)
    assert stripped == plain.messages
    assert replace(held, messages=(), measurements={}, trace=None) == replace(
        plain, messages=(), measurements={}, trace=None
    )


def test_a_latency_beyond_its_bound_is_a_finding_that_names_the_stranger() -> None:
    held = late_frames(Rig())
    late = statistics(held, "CDC_EmbCmd")
    assert late.latency_max_ns is not None
    assert late.latency_max_ns > 600_000
    (finding,) = [each for each in held.findings if "CDC_EmbCmd" in each.text]
    assert finding.source == "CDC"
    assert finding.text.startswith("0x060 CDC_EmbCmd on CHASSIS_A: request to end of frame ")
    assert finding.text.endswith(" ms, worst case 0.6 ms: 0x1 is not in the database")
    record = next(r for r in held.records if r.eof_ns - r.request_ns == late.latency_max_ns)
    assert finding.time_ns == record.eof_ns
    assert "; 1 without a bound" in held.measurements[MEASUREMENT]
    assert statistics(held, "0x1").latency_bound_ns is None


def test_a_message_sent_faster_than_its_period_is_named() -> None:
    rig = Rig()
    controller = intruder(rig)
    rig.run_for(ms(19))
    for _ in range(80):
        send(controller, rig.database.message("NM_CDC"))
    rig.run_for(ms(21))
    held = with_bounds(result_of(rig), rig)
    texts = [each.text for each in held.findings if "worst case" in each.text]
    assert texts[0].startswith("0x501 NM_CDC on CHASSIS_A: ")
    assert all(text.endswith(": NM_CDC is sent faster than its period") for text in texts)


def assert_counted_but_no_finding(held: ScenarioResult) -> None:
    assert [each for each in held.findings if "worst case" in each.text] == []
    text = held.measurements[MEASUREMENT]
    assert text.endswith("; CHASSIS_A disturbed, for which bounds do not allow")
    within, total = text.partition(",")[0].split(" of ")
    assert int(within) < int(total)


def test_on_a_bus_with_errors_a_late_frame_is_no_finding() -> None:
    rig = Rig()
    rig.buses[0].error_frames.append(ErrorFrame(0, 46_000, "CHASSIS_A", False, None, "", ()))
    assert_counted_but_no_finding(late_frames(rig))


def test_on_a_bus_that_was_broken_on_purpose_a_late_frame_is_no_finding() -> None:
    rig = Rig()
    rig.inject(NodeUnplugged(bus="CHASSIS_A", node="EPS"))
    assert_counted_but_no_finding(late_frames(rig))


def test_what_was_assumed_silent_and_was_sent_takes_the_bound_away() -> None:
    """Below the diagnostic messages, whose rate nobody knows, put one that has a period."""
    path = dbc_path("chassis_fd.dbc")
    text = path.read_text(encoding="utf-8") + '\nBA_ "GenMsgDelayTime" BO_ 2015 100;\n'
    rig = Rig(database=Database.from_text(text, name="with_gap.dbc"))
    diag, low = (rig.database.message(name) for name in ("DIAG_CDC_Req", "DIAG_Func_Req"))
    controller = intruder(rig)
    send(controller, low)
    rig.run_for(ms(20))
    bound_ns = statistics(with_bounds(result_of(rig), rig), "DIAG_Func_Req").latency_bound_ns
    assert bound_ns is not None
    send(controller, diag)
    rig.run_for(ms(20))
    held = with_bounds(result_of(rig), rig)
    assert statistics(held, "DIAG_Func_Req").latency_bound_ns is None
    assert statistics(held, "DIAG_CDC_Req").latency_bound_ns is None
    assert "; 2 without a bound" in held.measurements[MEASUREMENT]


def test_the_summary_over_several_results_adds_them_up() -> None:
    rig = Rig()
    rig.run_for(ms(20))
    plain = result_of(rig)
    held = with_bounds(plain, rig)
    count = len(held.messages)
    assert bounds_of_all([plain]) == ""
    assert bounds_of_all([held]) == f"{MEASUREMENT}: {held.measurements[MEASUREMENT]}"
    assert bounds_of_all([held, plain, held]).startswith(f"{MEASUREMENT}: {2 * count} of ")


def test_a_run_without_frames_has_nothing_to_hold() -> None:
    rig = Rig()
    held = with_bounds(replace(result_of(rig), messages=()), rig)
    assert held.measurements[MEASUREMENT] == "0 of 0"
