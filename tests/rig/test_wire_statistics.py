"""Figures per controller: from records made up, and from runs with faults on the wire."""

from __future__ import annotations

import pytest

from simcore.bus import ErrorFrame, ErrorKind, ErrorState, Frame, StateChange, WireError
from simcore.faults import AckSuppressed, BabblingNode, BitError, BusOff
from simcore.rig import ControllerStatistics, Rig
from simcore.rig.scenario import Scenario, collect
from simcore.rig.wire_statistics import controller_statistics, time_per_state
from simcore.units import ms, us

A = "CHASSIS_A"


def error(
    time_ns: int, node: str, kind: ErrorKind, transmitter: bool, tec: int = 0, rec: int = 0
) -> WireError:
    return WireError(time_ns, A, node, kind, transmitter, "data", 30, 0, False, tec, rec)


def change(time_ns: int, before: ErrorState, after: ErrorState, tec: int = 0) -> StateChange:
    return StateChange(time_ns, A, "EMB_FL", before, after, tec, 0)


def row_of(rig: Rig, node: str, channel: str = A) -> ControllerStatistics:
    (row,) = [
        row for row in controller_statistics(rig) if (row.channel, row.node) == (channel, node)
    ]
    return row


def test_time_is_shared_out_to_the_states_and_adds_up() -> None:
    changes = [
        change(ms(10), ErrorState.ACTIVE, ErrorState.WARNING),
        change(ms(15), ErrorState.WARNING, ErrorState.PASSIVE),
        change(ms(17), ErrorState.PASSIVE, ErrorState.BUS_OFF),
        change(ms(40), ErrorState.BUS_OFF, ErrorState.ACTIVE),
        change(ms(90), ErrorState.ACTIVE, ErrorState.WARNING),
    ]
    assert time_per_state(changes, ms(100)) == (ms(60), ms(15), ms(2), ms(23))
    assert time_per_state([], ms(100)) == (ms(100), 0, 0, 0)


def test_who_began_who_sent_and_who_found_what_is_counted_apart() -> None:
    rig = Rig()
    frame = Frame(0x60, bytes(8))
    collision = (
        error(ms(1), "CDC", ErrorKind.BIT, True, tec=8),
        error(ms(1), "EPS", ErrorKind.BIT, True, tec=16),
        error(ms(1) + us(2), "BPS", ErrorKind.STUFF, False, rec=1),
        error(ms(1) + us(4), "BPS", ErrorKind.FORM, False, rec=9),
    )
    overload = (error(ms(2), "BPS", ErrorKind.OVERLOAD, False, rec=9),)
    rig.recorder.error_frames += [
        ErrorFrame(ms(1), ms(1) + us(40), A, False, frame, "CDC", collision),
        ErrorFrame(ms(2), ms(2) + us(40), A, True, None, "", overload),
    ]
    cdc, eps, bps = (row_of(rig, node) for node in ("CDC", "EPS", "BPS"))
    assert (cdc.begun_count, cdc.destroyed_count) == (1, 1)
    assert (eps.begun_count, eps.destroyed_count, eps.transmit_error_peak) == (1, 1, 16)
    assert (bps.begun_count, bps.destroyed_count, bps.receive_error_peak) == (1, 0, 9)
    assert bps.errors_as_receiver == (0, 1, 0, 1, 0, 1)
    assert cdc.errors_as_transmitter == eps.errors_as_transmitter == (1, 0, 0, 0, 0, 0)
    assert not any(cdc.errors_as_receiver)
    idle = row_of(rig, "CDC", "CHASSIS_B")
    assert (idle.begun_count, idle.destroyed_count, sum(idle.errors_as_transmitter)) == (0, 0, 0)


def test_a_clean_run_has_a_row_per_controller_and_nothing_in_it(warm_standing: Rig) -> None:
    rows = controller_statistics(warm_standing)
    assert [(row.channel, row.node) for row in rows] == [
        (bus.name, each.name) for bus in warm_standing.buses for each in bus.controllers
    ]
    for row in rows:
        assert row.worst_state is row.state is ErrorState.ACTIVE
        assert row.state_ns == (warm_standing.now_ns, 0, 0, 0)
        assert not any((*row.errors_as_transmitter, *row.errors_as_receiver))
        assert (row.refused_count, row.overrun_count, row.single_shot_lost_count) == (0, 0, 0)


def test_a_forced_bus_off_shows_as_time_and_refused_requests(standing: Rig) -> None:
    start_ns = standing.now_ns
    standing.inject(BusOff(bus=A, node="EMB_FL"))
    standing.run_for(ms(300))
    row = row_of(standing, "EMB_FL")
    off, back = [each.time_ns for each in standing.recorder.state_changes]
    assert off == start_ns
    assert (row.worst_state, row.state) == (ErrorState.BUS_OFF, ErrorState.ACTIVE)
    assert row.state_ns == (standing.now_ns - (back - off), 0, 0, back - off)
    assert (row.bus_off_count, row.transmit_error_peak, row.transmit_error_count) == (1, 256, 0)
    assert row.refused_count == standing.bus(A).controller("EMB_FL").refused_count
    assert row.refused_count is not None
    assert row.refused_count > 0
    assert row.destroyed_count == 0


@pytest.mark.parametrize("node", ["EMB_FL", "BPS"])
def test_a_receiver_with_a_bit_error_begins_every_error_frame(standing: Rig, node: str) -> None:
    standing.inject(BitError(bus=A, bits=(40,), node=node, arbitration_id=0x060, limit=3))
    standing.run_for(ms(50))
    frames = standing.recorder.error_frames
    assert len(frames) == 3
    assert row_of(standing, node).begun_count == 3
    assert row_of(standing, "CDC").destroyed_count == 3
    assert sum(row_of(standing, "CDC").errors_as_transmitter) == 3
    assert row_of(standing, "CDC").begun_count == 0


def test_missing_acknowledgement_is_an_error_of_the_transmitter(standing: Rig) -> None:
    standing.inject(AckSuppressed(bus=A, arbitration_id=0x060, limit=5))
    standing.run_for(ms(50))
    row = row_of(standing, "CDC")
    assert row.errors_as_transmitter[ErrorKind.ACK] == 5
    assert row.transmit_error_peak == 40
    assert row.transmit_error_count is not None
    assert 0 < row.transmit_error_count < 40


def test_a_node_that_left_its_bus_keeps_its_errors_but_has_no_counters(standing: Rig) -> None:
    name = "PDM (babbling)"
    babbler = standing.inject(
        BabblingNode(bus=A, node="PDM", arbitration_id=0x001, period_ns=ms(2))
    )
    standing.run_for(ms(5))
    standing.inject(AckSuppressed(bus=A, sender=name, limit=2))
    standing.run_for(ms(10))
    present = row_of(standing, name)
    assert present.errors_as_transmitter[ErrorKind.ACK] == 2
    assert present.transmit_error_count is not None
    standing.clear(babbler)
    row = controller_statistics(standing)[-1]
    assert (row.channel, row.node) == (A, name)
    assert row.errors_as_transmitter == present.errors_as_transmitter
    assert row.transmit_error_count is None
    assert row.refused_count is None


def test_a_result_carries_error_frames_changes_and_controllers(standing: Rig) -> None:
    standing.inject(BitError(bus="CHASSIS_B", bits=(40,), node="EMB_RR", limit=1))
    standing.inject(BusOff(bus=A, node="EMB_FL"))
    standing.run_for(ms(20))
    item = Scenario(name="wire", function=standing.run_for)
    result = collect(standing, item, None, options={}, replay_command="")
    assert [frame.channel for frame in result.error_frames] == ["CHASSIS_B"]
    assert [(each.channel, each.node) for each in result.state_changes] == [(A, "EMB_FL")]
    assert result.controllers == controller_statistics(standing)
    assert [fault.where for fault in result.faults] == [
        "EMB_RR on CHASSIS_B",
        "EMB_FL on CHASSIS_A",
    ]
