"""The update section of the report: read from events and the tester's record, drawn and told."""

from __future__ import annotations

import copy
import pickle
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from simcore.diag.client import Outcome, OutcomeKind
from simcore.ecu.runtime.software_areas import IMAGE_ADDRESS, METADATA_ADDRESS
from simcore.report.console import print_console
from simcore.report.html import html_page
from simcore.report.junit import junit_bytes
from simcore.report.update import ecu_rows, update_lines, update_view
from simcore.report.update_chart import GROUPS, UpdateChart
from simcore.report.update_steps import MarkKind, attack_in, trouble_codes, update_steps
from simcore.rig import WORKSHOP, Backend, Campaign, Rig
from simcore.rig.outcome import update_result
from simcore.rig.result import BusStatistics, Event, ScenarioResult
from simcore.rig.tester_record import DiagnosticRecord
from simcore.rig.update_result import (
    DiagnosticTraffic,
    SoftwareRecord,
    TransferRecord,
    UpdateResult,
    rate_bytes_per_s,
)
from simcore.units import ms, s
from simcore.update.bundle_phases import BundlePhase
from simcore.update.client_core import _text
from simcore.update.states import TRANSITIONS, UpdateState

Make = Callable[..., ScenarioResult]


def event(at_ms: float, text: str, kind: str = "state", source: str = "EMB_FL") -> Event:
    return Event(time_ns=int(at_ms * 1e6), source=source, kind=kind, text=text)


COMMITTED = (
    event(100, "update IDLE -> CHECKING: ANNOUNCED"),
    event(110, "update CHECKING -> PENDING_CONSENT: METADATA_ACCEPTED; version 1.1.0"),
    event(120, "update PENDING_CONSENT -> DOWNLOADING: CONSENT_GIVEN; version 1.1.0"),
    event(400, "update DOWNLOADING -> VERIFYING: DOWNLOAD_COMPLETED; version 1.1.0"),
    event(410, "update VERIFYING -> READY: IMAGE_ACCEPTED; version 1.1.0"),
    event(420, "update READY -> INSTALLING: INSTALLATION_COMMANDED; version 1.1.0"),
    event(900, "update INSTALLING -> STAGED: INSTALLED; version 1.1.0"),
    event(950, "update: activation refused: the vehicle moves", "reaction"),
    event(990, "bundle ACTIVATING", source="CDC"),
    event(1000, "update STAGED -> ACTIVATING: ACTIVATION_COMMANDED; version 1.1.0"),
    event(1001, "reset (HARD)"),
    event(1100, "supply cut in a flash operation: power lost at flash operation 9", "fault"),
    event(1150, "bootloader at work"),
    event(1200, "starts 1.1.0 (not confirmed yet, tries are left)"),
    event(1200, "update ACTIVATING -> TRIAL: NEW_IMAGE_STARTED; version 1.1.0"),
    event(1700, "self-test: passed"),
    event(1700, "update TRIAL -> TRIAL: PROMISED; version 1.1.0"),
    event(1800, "update TRIAL -> COMMITTING: COMMIT_AUTHORISED; version 1.1.0"),
    event(1810, "update COMMITTING -> COMMITTED: CONFIRMED; version 1.1.0"),
    event(1850, "update COMMITTED -> CLEANING: REPORT_ACKNOWLEDGED; version 1.1.0"),
    event(1900, "update CLEANING -> IDLE: CLEANED"),
)
ATTACKED = (
    event(2100, "update IDLE -> CHECKING: ANNOUNCED"),
    event(2110, "update CHECKING -> FAILED: METADATA_REFUSED; rollback: older than before"),
    event(2200, "update FAILED -> CLEANING: REPORT_ACKNOWLEDGED; rollback: older than before"),
    event(2300, "update CLEANING -> IDLE: CLEANED"),
    event(2400, "update: endless data: more than announced", "reaction"),
)
CODE = event(1020, "C1A10-87 EMB_FL silent: testFailed, confirmedDTC", "dtc", "CDC")


def transfer(address: int, size: int, begun_ms: int, samples: dict[int, int]) -> TransferRecord:
    return TransferRecord(
        node="EMB_FL",
        is_download=True,
        address=address,
        size=size,
        begun_ns=ms(begun_ms),
        samples=tuple((ms(at_ms), sent) for at_ms, sent in samples.items()),
        ended_ns=None,
    )


def update(**changes: Any) -> UpdateResult:
    values: dict[str, Any] = {
        "software": (
            SoftwareRecord(
                node="EMB_FL",
                version_before="1.0.0",
                version_after="1.1.0",
                audit_entries=14,
                worst_wear=4,
            ),
            *(
                SoftwareRecord(
                    node=node,
                    version_before="1.0.0",
                    version_after="1.0.0",
                    audit_entries=0,
                    worst_wear=1,
                )
                for node in ("CDC", "EMB_RR")
            ),
        ),
        "transfers": (
            transfer(METADATA_ADDRESS, 4000, 50, {60: 4000}),
            transfer(IMAGE_ADDRESS, 20_000, 130, {200: 4000, 250: 8000}),
            transfer(IMAGE_ADDRESS + 8000, 12_000, 300, {330: 6000, 390: 12_000}),
        ),
        "traffic": (
            DiagnosticTraffic(
                node="EMB_FL",
                requests=31,
                negative_responses=2,
                pending_responses=5,
                timeouts=1,
                bytes_sent=24_400,
                bytes_received=900,
                worst_round_trip_ns=ms(54),
            ),
        ),
    }
    return UpdateResult(**values | changes)


BUS = BusStatistics(
    channel="CHASSIS_A",
    nominal_bps=500_000,
    data_bps=2_000_000,
    frame_count=1,
    load_ratio=0.4,
    peak_load_ratio=0.9,
    load_window_ns=ms(100),
    load_series_ratio=(0.4, 0.8, 0.8, 0.8, 0.4, 0.4),
)


@pytest.fixture
def updated(make_result: Make) -> ScenarioResult:
    return make_result(
        events=(*COMMITTED, *ATTACKED, CODE), update=update(), buses=(BUS,), duration_ns=s(3)
    )


def page(*results: ScenarioResult) -> str:
    return html_page(results, requirement_texts={}, version="1", links={})


def titles(svg: str, name: str) -> list[str]:
    """Tooltips of the shapes of one class; the legend's have none."""
    shapes = [each for each in ET.fromstring(svg).iter() if each.get("class") == name]
    return [title for each in shapes if (title := each.findtext("title"))]


# -- nothing to show ---------------------------------------------------------------------------


def test_a_run_without_an_update_says_and_styles_nothing_of_it(
    make_result: Make, make_stop: Make
) -> None:
    for result in (make_result(), make_stop(), make_result(events=(CODE,))):
        assert update_view(result) is None
        assert update_lines(result) == []
        html = page(result)
        assert "Software update" not in html and "u-load" not in html
        assert b".update." not in junit_bytes([result])


def test_the_rig_keeps_nothing_where_no_update_was_tried() -> None:
    rig = Rig()
    rig.tester.request("EMB_FL", bytes.fromhex("22 F189"))
    assert update_result(rig) is None


# -- out of the events -------------------------------------------------------------------------


def test_every_transition_as_the_client_writes_it_is_read() -> None:
    for (before, name), after in TRANSITIONS.items():
        text = f"update {_text(before, name, after, '1.2.3', 'rollback: old; older')}"
        steps = update_steps([event(5, text)], {"EMB_FL": "1.0.0"})
        (attempt,) = steps.attempts
        assert (attempt.version, attempt.cause) == ("1.2.3", "rollback: old; older")
        wanted = [before.name] if before is after else [before.name, after.name]
        assert [state for _, state in steps.lanes[0].states] == wanted
        bare = f"update {_text(before, name, after, '', '')}"
        (attempt,) = update_steps([event(5, bare)], {"EMB_FL": "1.0.0"}).attempts
        assert (attempt.version, attempt.cause) == ("", "")


def test_every_state_and_phase_but_idle_has_a_place_in_the_legend() -> None:
    shown = [state for _, _, states in GROUPS for state in states]
    assert len(shown) == len(set(shown))
    assert set(shown) == {
        each.name for kind in (UpdateState, BundlePhase) for each in kind if each.name != "IDLE"
    }


def test_the_lane_has_states_and_marks_and_the_bundle_one_of_its_own() -> None:
    steps = update_steps(COMMITTED, {"CDC": "1.0.0", "EMB_FL": "1.0.0", "EMB_RR": "1.0.0"})
    lane, bundle = steps.lanes
    assert (lane.node, lane.is_bundle, bundle.node, bundle.is_bundle) == (
        "EMB_FL", False, "CDC", True,
    )  # fmt: skip
    assert lane.states[:3] == ((0, "IDLE"), (ms(100), "CHECKING"), (ms(110), "PENDING_CONSENT"))
    assert [state for _, state in lane.states].count("TRIAL") == 1
    assert [(mark.time_ns, mark.kind) for mark in lane.marks] == [
        (ms(950), MarkKind.REFUSED),
        (ms(1001), MarkKind.RESET),
        (ms(1100), MarkKind.CUT),
        (ms(1200), MarkKind.START),
        (ms(1700), MarkKind.SELF_TEST),
    ]
    assert bundle.states == ((0, "IDLE"), (ms(990), "ACTIVATING"))


def test_campaigns_end_as_they_end() -> None:
    first, second, third = update_steps((*COMMITTED, *ATTACKED), {"EMB_FL": "1.0.0"}).attempts
    assert (first.end, first.tries, first.running_before, first.ended_ns) == (
        "COMMITTED", 1, "1.0.0", ms(1900),
    )  # fmt: skip
    assert (second.end, second.attack, second.running_before) == ("FAILED", "rollback", "1.1.0")
    assert (third.end, third.attack, third.ended_ns) == ("REFUSED", "endless data", ms(2400))
    (open_one,) = update_steps(COMMITTED[:7], {"EMB_FL": "1.0.0"}).attempts
    assert (open_one.end, open_one.ended_ns) == ("STAGED", None)
    cancelled = [
        *COMMITTED[:7],
        event(950, "update STAGED -> CLEANING: CANCELLED; version 1.1.0"),
        event(960, "update CLEANING -> IDLE: CLEANED"),
    ]
    assert update_steps(cancelled, {"EMB_FL": "1.0.0"}).attempts[0].end == "CANCELLED"


def test_the_return_of_the_old_software_is_no_try() -> None:
    back = [*COMMITTED[:14], event(1300, "starts 1.0.0 (nothing to do)")]
    assert update_steps(back, {"EMB_FL": "1.0.0"}).attempts[0].tries == 1


def test_only_a_cause_that_names_an_attack_is_one() -> None:
    assert attack_in("mix-and-match: snapshot says otherwise") == "mix-and-match"
    assert attack_in("trial: not confirmed in its tries") == ""
    assert attack_in("") == ""


def test_a_trouble_code_is_listed_once_with_its_count() -> None:
    again = event(1500, "C1A10-87 EMB_FL silent: testFailed", "dtc", "CDC")
    (code,) = trouble_codes([CODE, again, event(1, "CDC_x missing: testFailed", "note")])
    assert (code.node, code.code, code.title) == ("CDC", "C1A10-87", "EMB_FL silent")
    assert (code.status, code.first_ns, code.count) == ("testFailed, confirmedDTC", ms(1020), 2)


# -- figures -----------------------------------------------------------------------------------


def test_bytes_and_rate_of_an_image_that_came_in_two_pieces(updated: ScenarioResult) -> None:
    (row,) = ecu_rows(updated)
    assert (row.image.size, row.image.duration_ns) == (20_000, ms(120 + 90))
    assert (row.image.seconds, row.image.rate_kb) == ("0.210", "95.2")
    assert row.metadata.size == 4000
    assert (row.tries, row.attacks, row.end) == (1, "rollback, endless data", "REFUSED")
    assert rate_bytes_per_s(4000, 0) == 0


def test_transfers_belong_to_the_campaign_they_were_made_for(make_result: Make) -> None:
    late = transfer(METADATA_ADDRESS, 700, 2050, {2060: 700})
    changed = update(transfers=(*update().transfers, late))
    result = make_result(events=(*COMMITTED, *ATTACKED), update=changed, duration_ns=s(3))
    view = update_view(result)
    assert view is not None
    sizes = [(row.metadata.size, row.image.size) for row in view.attempts]
    assert sizes == [(4000, 20_000), (700, 0), (0, 0)]
    assert [row.version_after for row in view.attempts] == ["1.1.0", "1.1.0", "1.1.0"]


def test_load_while_transferring_stands_beside_the_load_otherwise(
    updated: ScenarioResult,
) -> None:
    view = update_view(updated)
    assert view is not None
    (load,) = view.loads
    assert load.during_ratio == pytest.approx((0.4 + 0.8 + 0.8 + 0.8) / 4)
    assert load.otherwise_ratio == pytest.approx(0.4)


# -- the picture -------------------------------------------------------------------------------


def test_the_chart_shows_states_marks_bytes_and_load(updated: ScenarioResult) -> None:
    view = update_view(updated)
    assert view is not None
    assert titles(view.chart, "u-trial") == ["EMB_FL: TRIAL from 1.200 s"]
    assert titles(view.chart, "u-boot") == [
        "EMB_FL: ACTIVATING from 1.000 s",
        "bundle: ACTIVATING from 0.990 s",
    ]
    assert len(titles(view.chart, "cut")) == 1 and len(titles(view.chart, "reset flag")) == 1
    assert len(titles(view.chart, "ill")) == 2
    assert titles(view.chart, "curve fl") == ["EMB_FL: 24000 bytes"]
    assert len(titles(view.chart, "busy")) == 3
    curve = next(
        each.get("d", "")
        for each in ET.fromstring(view.chart).iter()
        if each.get("class") == "curve fl" and each.findtext("title")
    )
    heights = [int(point.split()[1]) for point in curve.lstrip("M").split("L")]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) > 3
    assert heights[0] - heights[-1] == 24_000 * 110 // 30_000  # of a panel up to 30 kB


def test_a_long_transfer_is_thinned_to_a_few_points_per_pixel() -> None:
    long = transfer(IMAGE_ADDRESS, 90_000, 0, {at: at * 10 for at in range(1, 9001)})
    lanes = update_steps(COMMITTED, {"EMB_FL": "1.0.0"}).lanes
    svg = UpdateChart(s(10), lanes, [long], ()).svg()
    (curve,) = re.findall(r'class="curve fl" d="(M[^"]*)"><title>', svg)
    assert 800 < curve.count("L") < 4 * 881


def test_an_ecu_that_only_got_bytes_is_in_the_picture_and_the_table(make_result: Make) -> None:
    view = update_view(make_result(update=update(), duration_ns=s(3)))
    assert view is not None
    assert [row.software.node for row in view.rows] == ["EMB_FL"]
    assert titles(view.chart, "curve fl") == ["EMB_FL: 24000 bytes"]


def test_the_page_is_the_same_twice_and_has_all_tables(updated: ScenarioResult) -> None:
    html = page(updated)
    assert html == page(copy.deepcopy(updated))
    for heading in ("Software update", "Campaigns", "Diagnostic traffic", "Trouble codes set"):
        assert f"<h3>{heading}" in html
    assert "C1A10-87" in html and "54.000" in html
    assert "mean load 70.00 % while transferring, 40.00 % otherwise" in html


def test_texts_of_the_run_are_no_markup(make_result: Make) -> None:
    nasty = event(5, "update IDLE -> FAILED: METADATA_REFUSED; <script>alert(1)</script>")
    assert "<script>alert" not in page(make_result(events=(nasty,), update=update()))


# -- console and JUnit -------------------------------------------------------------------------


def test_console_and_junit_tell_each_ecu_in_a_sentence(updated: ScenarioResult) -> None:
    sentence = (
        "1.0.0 -> 1.1.0, REFUSED, the last of 3 campaigns; 20.0 kB in 0.210 s (95.2 kB/s); "
        "1 try; 14 audit entries; cause: endless data: more than announced"
    )
    assert update_lines(updated) == [f"EMB_FL: {sentence}"]
    shown = StringIO()
    print_console([updated], console=Console(file=shown, width=400))
    assert f"UPDATE  EMB_FL: {sentence}" in shown.getvalue()
    found = {
        each.get("name"): each.get("value")
        for each in ET.fromstring(junit_bytes([updated])).iter("property")
    }
    assert found["panic_stop.update.EMB_FL"] == sentence
    assert not any("EMB_RR" in str(name) for name in found)


# -- the tester's record -----------------------------------------------------------------------


def outcome(
    request: str, response: str | None, at_ms: int, kind: OutcomeKind = OutcomeKind.POSITIVE
) -> Outcome:
    return Outcome(
        kind=kind,
        request=bytes.fromhex(request),
        response=None if response is None else bytes.fromhex(response),
        begun_ns=ms(at_ms - 1),
        ended_ns=ms(at_ms),
        pending_count=1,
        text="no response within 50 ms" if response is None else "",
    )


BEGIN = outcome("34 00 44 08000010 00000006", "74 20 0FFF", 10)


def test_a_download_is_recorded_block_by_block_and_a_repeated_block_once() -> None:
    record = DiagnosticRecord()
    lost = outcome("36 02 5555", None, 30, OutcomeKind.TIMEOUT)
    blocks = [outcome("36 01 11223344", "76 01", 20), lost]
    blocks += [outcome("36 02 5555", "76 02", at_ms) for at_ms in (40, 50)]
    for each in (BEGIN, *blocks, outcome("37", "77", 60), outcome("36 03 66", "76 03", 70)):
        record.count("EMB_FL", each)
    (found,) = [each.frozen() for each in record.transfers]
    assert (found.address, found.size, found.begun_ns) == (0x0800_0010, 6, ms(10))
    assert found.samples == ((ms(20), 4), (ms(40), 6))
    assert (found.transferred, found.ended_ns, found.failure) == (6, ms(60), "")
    traffic = record.traffic["EMB_FL"].frozen("EMB_FL")
    assert (traffic.requests, traffic.timeouts, traffic.pending_responses) == (7, 1, 7)
    assert traffic.worst_round_trip_ns == ms(1)


def test_a_transfer_that_is_refused_or_stops_says_why() -> None:
    record = DiagnosticRecord()
    refused = outcome("34 00 44 08000000 00000006", "7F 34 31", 5, OutcomeKind.NEGATIVE)
    broken = outcome("36 01 1122", "7F 36 71", 20, OutcomeKind.NEGATIVE)
    record.count("EMB_FL", refused)
    record.count("EMB_FL", outcome("36 01 1122", "76 01", 6))  # belongs to no transfer
    record.count("CDC", BEGIN)
    record.count("CDC", broken)
    found = [(each.node, each.failure, each.frozen().transferred) for each in record.transfers]
    assert found == [("EMB_FL", "0x31 to 34", 0), ("CDC", "0x71 to 36", 0)]
    record.count("CDC", outcome("34", "7F 34 13", 30, OutcomeKind.NEGATIVE))
    assert len(record.transfers) == 2
    assert record.traffic["CDC"].negative_responses == 2


def test_an_upload_counts_what_came() -> None:
    record = DiagnosticRecord()
    record.count("CDC", outcome("35 00 44 0B000000 00000004", "75 20 0FFF", 1))
    record.count("CDC", outcome("36 01", "76 01 AABBCCDD", 2))
    (found,) = [each.frozen() for each in record.transfers]
    assert (found.is_download, found.transferred) == (False, 4)


def test_a_real_download_is_in_the_result_and_outlives_a_change_of_the_link() -> None:
    rig = Rig(seed=3)
    rig.set_park_brake(True)
    backend = Backend()
    backend.campaign("1.1.0", now_ns=rig.now_ns, nodes=("EMB_FL",), size=1024)
    campaign = Campaign(rig, backend, ("EMB_FL",), pace=WORKSHOP)
    rig.run_for(ms(200))
    campaign.load_one("EMB_FL", through=UpdateState.READY)
    assert campaign.wait(timeout=s(5)), campaign.failures
    rig.tester.use_link(WORKSHOP)
    found = update_result(rig)
    assert found is not None
    metadata, image = found.transfers
    assert metadata.address == METADATA_ADDRESS and image.address == IMAGE_ADDRESS
    assert image.transferred == image.size == len(backend.image("EMB_FL"))
    assert image.ended_ns is not None and image.begun_ns < image.samples[-1][0] < image.ended_ns
    assert [each.node for each in found.traffic] == ["EMB_FL"]
    assert found.traffic[0].requests > 6
    software = {each.node: each for each in found.software}
    assert set(software) == {"CDC", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR"}
    assert (software["EMB_FL"].version_before, software["EMB_FL"].version_after) == (
        "1.0.0", "1.0.0",
    )  # fmt: skip
    assert software["EMB_FL"].audit_entries >= 5 and software["CDC"].audit_entries == 0
    assert pickle.loads(pickle.dumps(found)) == found
    assert update_result(rig.fork()) == found
    steps = update_steps(rig.log.events, {"EMB_FL": "1.0.0"})
    assert [(each.end, each.version) for each in steps.attempts] == [("READY", "1.1.0")]
    rig.silence("EMB_FL")
    after = update_result(rig)
    assert after is not None
    off = next(each for each in after.software if each.node == "EMB_FL")
    assert off.version_after is None and off.audit_entries == software["EMB_FL"].audit_entries


def test_events_of_the_update_alone_show_that_one_was_tried() -> None:
    rig = Rig()
    rig.log.add("EMB_FL", "reaction", "update: endless data: more than announced")
    found = update_result(rig)
    assert found is not None and found.transfers == ()
