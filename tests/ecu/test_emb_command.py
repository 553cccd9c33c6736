"""Loss of command and rejected commands at one actuator: COM-004 and COM-002."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.ecu.emb.command import force_target_n, gradient_n_per_s
from simcore.ecu.emb.communication import BUS_A, BUS_NONE, Command
from simcore.ecu.emb.parameters import FRONT_EMB
from simcore.network import Database
from simcore.units import ms

Make = Callable[..., Any]
PRIMARY, SECONDARY = "CDC_EmbCmd", "CDC2_EmbCmd"

FORCE_CTRL, HOLD_LAST, PEDAL_DIRECT, RAMP_OUT = 2, 9, 8, 10


def command(force_n: float, mode: str = "ForceCtrl", *, lane: str = "CDC", **rest: Any) -> Any:
    values = {"FReq": force_n, "Mode": mode, "FSlope": 1000, "ReqVld": 1, **rest}
    return {f"{lane}_FL_{name}": value for name, value in values.items()}


def pedal(travel_mm: float, second_mm: float | None = None, **rest: Any) -> Any:
    second_mm = travel_mm if second_mm is None else second_mm
    values = {"Trvl1": travel_mm, "Trvl2": second_mm, "Qf1": "Valid", "Qf2": "Valid", **rest}
    return {f"BPS_{name}": value for name, value in values.items()}


def speed(kmh: float, quality: str = "Valid") -> Any:
    return {"CDC_VehSpd": kmh, "CDC_VehSpdQf": quality}


def driving(
    make_emb: Make,
    *,
    force_n: float = 10_000.0,
    kmh: float | None = 100.0,
    pedal_mm: float | None = None,
    mode: str = "ForceCtrl",
) -> Any:
    """Commanded by the primary lane; the bench stands right at a command, the last one."""
    bench = make_emb()
    bench.repeat("CDC_EmbCmd", **command(force_n, mode))
    if kmh is not None:
        bench.repeat("CDC_VehDyn", **speed(kmh))
    if pedal_mm is not None:
        bench.repeat("BPS_Pedal", **pedal(pedal_mm))
    bench.run_to(ms(300))
    assert bench.node.selection.bus == BUS_A
    bench.stop("CDC_EmbCmd")
    if kmh is not None:
        bench.stop("CDC_VehDyn")
    return bench


def steps(bench: Any, count: int) -> list[tuple[int, str, float]]:
    """(echo, message obeyed, set point) of each of the next milliseconds."""
    found = []
    for _ in bench.each_ms(count):
        echo = bench.node.selection.echo
        found.append((echo, obeyed(bench), bench.node.application.force_ref_n))
    return found


def obeyed(bench: Any) -> str:
    """Name of the command message that is obeyed; "" for none."""
    reception = bench.node.selection.obeyed
    return "" if reception is None else reception.message.name


def echoes(bench: Any, count: int) -> list[tuple[int, int]]:
    """Runs of equal echo: (echo, milliseconds)."""
    runs: list[tuple[int, int]] = []
    for echo, _, _ in steps(bench, count):
        if runs and runs[-1][0] == echo:
            runs[-1] = (echo, runs[-1][1] + 1)
        else:
            runs.append((echo, 1))
    return runs


# -- COM-004: time -------------------------------------------------------------------------------


def test_the_primary_lane_counts_for_15_ms_then_the_secondary_one(make_emb: Make) -> None:
    bench = driving(make_emb)
    # The secondary lane needs four frames, 30 ms, to become trustworthy; give it that before.
    bench.repeat("CDC2_EmbCmd", **command(7_000, lane="CDC2"))
    bench.repeat("CDC_EmbCmd", **command(10_000))
    bench.run_to(ms(400))
    bench.stop("CDC_EmbCmd")
    found = steps(bench, 40)
    assert [name for _, name, _ in found] == [PRIMARY] * 15 + [SECONDARY] * 25
    assert found[14][2] == 10_000
    assert found[15][2] == 9_000
    assert found[-1][2] == 7_000


def test_the_primary_lane_counts_again_as_soon_as_it_is_valid(make_emb: Make) -> None:
    bench = driving(make_emb)
    bench.repeat("CDC2_EmbCmd", **command(7_000, lane="CDC2"))
    bench.run_for(ms(300))
    assert obeyed(bench) == SECONDARY
    bench.repeat("CDC_EmbCmd", **command(9_000))
    found = [name for _, name, _ in steps(bench, 30)]
    # Frames 0, 5, 10 and 15 ms: an invalid stream needs four good checks.
    assert found == [SECONDARY] * 14 + [PRIMARY] * 16


def test_for_100_ms_the_last_command_stays(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None)
    found = steps(bench, 99)
    assert [echo for echo, _, _ in found] == [FORCE_CTRL] * 15 + [HOLD_LAST] * 84
    assert {force_n for _, _, force_n in found} == {10_000.0}
    assert [name for _, name, _ in found] == [PRIMARY] * 15 + [""] * 84


def test_braking_above_5_kmh_the_last_force_is_held_for_200_ms_more(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=5.01)
    assert echoes(bench, 400) == [(FORCE_CTRL, 15), (HOLD_LAST, 284), (RAMP_OUT, 101)]


@pytest.mark.parametrize("kmh", [0.0, 5.0])
def test_at_5_kmh_and_below_nothing_is_held(make_emb: Make, kmh: float) -> None:
    bench = driving(make_emb, kmh=kmh)
    assert echoes(bench, 200) == [(FORCE_CTRL, 15), (HOLD_LAST, 84), (RAMP_OUT, 101)]


def test_without_a_known_speed_nothing_is_held(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None)
    assert echoes(bench, 200) == [(FORCE_CTRL, 15), (HOLD_LAST, 84), (RAMP_OUT, 101)]


def test_a_speed_of_bad_quality_holds_nothing(make_emb: Make) -> None:
    bench = make_emb()
    bench.repeat("CDC_EmbCmd", **command(10_000))
    bench.repeat("CDC_VehDyn", **speed(100, "Invalid"))
    bench.run_to(ms(300))
    bench.stop("CDC_EmbCmd", "CDC_VehDyn")
    assert echoes(bench, 200)[1:] == [(HOLD_LAST, 84), (RAMP_OUT, 101)]


def test_without_braking_nothing_is_held(make_emb: Make) -> None:
    bench = driving(make_emb, force_n=0.0, mode="Clearance", kmh=100.0)
    runs = echoes(bench, 200)
    assert [count for _, count in runs] == [15, 84, 101]
    assert runs[-1][0] == RAMP_OUT


def test_the_brake_opens_by_itself_at_the_end_with_its_own_slope(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=100.0)
    bench.run_for(ms(299))
    points = [force_n for _, _, force_n in steps(bench, 12)]
    assert points == [max(0.0, 9_000.0 - 1_000.0 * i) for i in range(12)]
    bench.run_for(ms(10))
    status = bench.last("EMB_FL_St1")
    assert (status["EMB_FL_ReqEcho"], status["EMB_FL_BusSel"]) == ("RampOut", "None")
    assert status["EMB_FL_State"] == "Ready"


def test_a_lane_that_says_its_request_is_not_valid_is_no_command(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None)
    bench.repeat("CDC_EmbCmd", **command(30_000, ReqVld=0))
    found = steps(bench, 120)
    assert max(force_n for _, _, force_n in found) == 10_000
    assert [echo for echo, _, _ in found] == [HOLD_LAST] * 99 + [RAMP_OUT] * 21


def test_a_lane_that_is_not_valid_gives_way_to_the_other_at_once(make_emb: Make) -> None:
    bench = driving(make_emb)
    bench.repeat("CDC_EmbCmd", **command(10_000))
    bench.repeat("CDC2_EmbCmd", **command(5_000, lane="CDC2"))
    bench.run_to(ms(402))
    bench.repeat("CDC_EmbCmd", **command(30_000, ReqVld=0))
    found = steps(bench, 10)
    assert [name for _, name, _ in found] == [PRIMARY] * 2 + [SECONDARY] * 8
    assert found[-1][2] == 5_000


def test_an_actuator_that_was_never_commanded_stays_released(make_emb: Make) -> None:
    bench = make_emb()
    bench.repeat("CDC_VehDyn", **speed(100))
    bench.run_to(ms(1_000))
    assert bench.node.application.force_ref_n == 0.0
    assert bench.last("EMB_FL_St1")["EMB_FL_BusSel"] == "None"


def test_an_actuator_that_was_never_commanded_obeys_the_pedal_in_the_end(make_emb: Make) -> None:
    bench = make_emb()
    bench.repeat("BPS_Pedal", **pedal(60.0))
    bench.run_to(ms(1_000))
    assert bench.node.application.force_ref_n == 13_800.0
    assert bench.last("EMB_FL_St1")["EMB_FL_ReqEcho"] == "PedalDirect"


# -- COM-004: pedal-direct -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("travel_mm", "force_n"),
    [(31.0, 6_900.0), (60.0, 13_800.0), (80.0, 13_800.0)],
)
def test_then_the_pedal_alone_gives_the_axle_default(
    make_emb: Make, travel_mm: float, force_n: float
) -> None:
    bench = driving(make_emb, kmh=None, pedal_mm=travel_mm)
    bench.run_for(ms(99))
    assert bench.node.selection.echo == HOLD_LAST
    bench.run_for(ms(1))
    assert bench.node.selection.echo == PEDAL_DIRECT
    bench.run_for(ms(50))
    assert bench.node.application.force_ref_n == pytest.approx(force_n)
    assert bench.last("EMB_FL_St1")["EMB_FL_ReqEcho"] == "PedalDirect"


@pytest.mark.parametrize("travel_mm", [0.0, 2.0])
@pytest.mark.parametrize("kmh", [None, 100.0])
def test_nothing_is_held_for_a_driver_who_has_let_go(
    make_emb: Make, travel_mm: float, kmh: float | None
) -> None:
    """BRK-003 goes before COM-004: no force without a request."""
    bench = driving(make_emb, kmh=kmh, pedal_mm=travel_mm)
    assert echoes(bench, 100) == [(FORCE_CTRL, 15), (PEDAL_DIRECT, 85)]
    assert bench.node.application.force_ref_n == 0.0


def test_letting_go_of_the_pedal_ends_the_hold(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=100.0, pedal_mm=60.0)
    bench.run_for(ms(150))
    assert bench.node.application.force_ref_n == 10_000
    bench.repeat("BPS_Pedal", **pedal(1.0))
    bench.run_for(ms(20))
    assert bench.node.selection.echo == PEDAL_DIRECT
    assert bench.node.application.force_ref_n == 0.0


def test_the_hold_comes_before_the_pedal(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=50.0, pedal_mm=60.0)
    assert echoes(bench, 320) == [(FORCE_CTRL, 15), (HOLD_LAST, 284), (PEDAL_DIRECT, 21)]


def test_pedal_direct_follows_the_pedal(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None, pedal_mm=60.0)
    bench.run_for(ms(150))
    bench.repeat("BPS_Pedal", **pedal(0.0))
    bench.run_for(ms(50))
    assert bench.node.application.force_ref_n == 0.0
    bench.repeat("BPS_Pedal", **pedal(60.0))
    bench.run_for(ms(50))
    assert bench.node.application.force_ref_n == 13_800


@pytest.mark.parametrize(
    ("values", "force_n"),
    [
        (pedal(60.0, 31.0), 6_900.0),
        (pedal(60.0, 31.0, Qf2="Invalid"), 13_800.0),
        (pedal(60.0, 31.0, Qf1="Degraded"), 6_900.0),
    ],
)
def test_pedal_direct_takes_the_smaller_of_the_valid_channels(
    make_emb: Make, values: Any, force_n: float
) -> None:
    bench = driving(make_emb, kmh=None, pedal_mm=60.0)
    bench.repeat("BPS_Pedal", **values)
    bench.run_for(ms(200))
    assert bench.node.application.force_ref_n == pytest.approx(force_n)


def test_a_pedal_without_a_valid_channel_opens_the_brake(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None, pedal_mm=60.0)
    bench.repeat("BPS_Pedal", **pedal(60.0, Qf1="Invalid", Qf2="Invalid"))
    bench.run_for(ms(200))
    assert bench.node.selection.echo == RAMP_OUT
    assert bench.node.application.force_ref_n == 0.0


def test_a_pedal_that_falls_silent_in_pedal_direct_opens_the_brake(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None, pedal_mm=60.0)
    bench.run_for(ms(200))
    assert bench.node.application.force_ref_n == 13_800
    bench.stop("BPS_Pedal")
    bench.run_for(ms(60))
    assert bench.node.application.force_ref_n == 0.0
    assert bench.node.selection.echo == RAMP_OUT


def test_a_command_that_returns_ends_pedal_direct(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None, pedal_mm=60.0)
    bench.run_for(ms(200))
    bench.repeat("CDC_EmbCmd", **command(4_000))
    bench.run_for(ms(60))
    assert bench.node.selection.bus == BUS_A
    assert bench.node.application.force_ref_n == 4_000


def test_a_second_loss_is_timed_from_its_own_last_command(make_emb: Make) -> None:
    bench = driving(make_emb, kmh=None)
    bench.run_for(ms(150))  # for less, a stream that goes on with its counters is a delayed one
    bench.repeat("CDC_EmbCmd", **command(10_000))
    bench.run_for(ms(100))
    bench.stop("CDC_EmbCmd")
    assert echoes(bench, 150) == [(FORCE_CTRL, 15), (HOLD_LAST, 84), (RAMP_OUT, 51)]


# -- COM-002: rejected frames change nothing -----------------------------------------------------


def forged(bench: Any, kind: str) -> Any:
    """A bad command of 40 kN as an attacker or a disturbed sender would put it on the bus."""
    database: Database = bench.database
    message = database.message("CDC_EmbCmd")
    values = command(40_000)
    sender = bench.senders["CDC_EmbCmd"]
    counter = sender.counter
    try:
        if kind == "wrong data id":
            other = database.message("CDC2_EmbCmd").e2e
            assert other is not None
            return bench.frame("CDC_EmbCmd", data_id=other.data_id, **values)
        if kind == "repeated":
            sender.counter = (counter - 1) % 256
            return bench.frame("CDC_EmbCmd", **values)
        if kind == "out of sequence":
            sender.counter = (counter + 50) % 256
            return bench.frame("CDC_EmbCmd", **values)
        data = bytearray(bench.frame("CDC_EmbCmd", **values).data)
        data[0] ^= 0xFF
        assert kind == "wrong crc"
        return bench.raw_frame(message.name, bytes(data))
    finally:
        sender.counter = counter


ATTACKS = ("wrong crc", "wrong data id", "repeated", "out of sequence")


def trajectory(make_emb: Make, attacks: list[tuple[int, str]]) -> list[Any]:
    """Everything the actuator does in 60 ms with these frames thrown in (ms, kind)."""
    bench = driving(make_emb, kmh=50.0)
    bench.repeat("CDC_EmbCmd", **command(12_000))
    found = []
    for now_ms in range(60):
        bench.run_for(ms(1))
        for at_ms, kind in attacks:
            if at_ms == now_ms:
                bench.hear(forged(bench, kind))
        application, selection = bench.node.application, bench.node.selection
        found.append(
            (
                application.force_ref_n,
                application.state,
                selection.command,
                selection.bus,
                selection.echo,
                dict(bench.port.outputs),
            )
        )
    return [*found, [frame.data for frame in bench.port.sent]]


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_forged_command_changes_nothing_the_actuator_does(make_emb: Make, kind: str) -> None:
    assert trajectory(make_emb, [(23, kind)]) == trajectory(make_emb, [])


@settings(max_examples=15)
@given(
    attacks=st.lists(
        st.tuples(st.integers(10, 55), st.sampled_from(("wrong crc", "wrong data id"))),
        max_size=2,
    ),
    repeats=st.lists(st.tuples(st.integers(10, 55), st.just("repeated")), max_size=5),
)
def test_two_corrupted_and_any_repeated_commands_change_nothing(
    make_emb: Make, attacks: list[tuple[int, str]], repeats: list[tuple[int, str]]
) -> None:
    """More than two errors in ten checks make the lane invalid, and rightly so (COM-003)."""
    assert trajectory(make_emb, [*attacks, *repeats]) == trajectory(make_emb, [])


def test_a_flood_of_corrupted_commands_never_gets_a_force(make_emb: Make) -> None:
    bench = driving(make_emb, force_n=5_000.0, kmh=None)
    bench.repeat("CDC_EmbCmd", **command(5_000))
    for now_ms in bench.each_ms(200):
        bench.hear(forged(bench, ATTACKS[now_ms % 2]))
        assert bench.node.application.force_ref_n <= 5_000
    assert bench.node.selection.bus == BUS_NONE


def test_frames_of_other_identifiers_are_not_looked_at(make_emb: Make) -> None:
    bench = driving(make_emb)
    before = [reception.received_ns for reception in bench.node._receptions.values()]
    bench.hear(bench.frame("IMU_Data"))
    assert [reception.received_ns for reception in bench.node._receptions.values()] == before


def reserved(bench: Any, start_bit: int, length: int) -> Any:
    """The next command with all bits of one field set, checksum right."""
    message = bench.database.message("CDC_EmbCmd")
    data = bytearray(message.codec.writer(*command(12_000)).write(*command(12_000).values()))
    bits = int.from_bytes(data, "little") | ((1 << length) - 1) << start_bit
    payload = bits.to_bytes(message.length, "little")
    return bench.raw_frame("CDC_EmbCmd", bench.senders["CDC_EmbCmd"].protect(payload))


@pytest.mark.parametrize(("start_bit", "length"), [(32, 16), (51, 8)], ids=["FReq", "FSlope"])
def test_a_command_with_reserved_values_is_no_valid_command(
    make_emb: Make, start_bit: int, length: int
) -> None:
    """65535 N and 1020 kN/s lie beyond the ranges of the database."""
    bench = driving(make_emb, kmh=None)
    for _ in range(10):
        bench.hear(reserved(bench, start_bit, length))
        bench.run_for(ms(5))
        assert bench.node.application.force_ref_n == 10_000
    assert bench.node.selection.echo == HOLD_LAST
    (text,) = bench.happened("detection")
    assert "rejected: beyond 65000 N or 1016 kN/s" in text
    assert bench.node.selection.rejected_count >= 10
    bench.run_for(ms(60))
    assert bench.node.application.force_ref_n == 0.0


# -- the two pure functions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "force_now_n", "expected_n"),
    [(0, 9e3, 0.0), (1, 9e3, 0.0), (2, 9e3, 5e3), (3, 9e3, 9e3), (3, 1e3, 5e3), (4, 9e3, 0.0)],
)
def test_force_target_of_each_mode(mode: int, force_now_n: float, expected_n: float) -> None:
    assert force_target_n(Command(5e3, mode, 1000.0, 1, 0), force_now_n) == expected_n


@pytest.mark.parametrize(("slope", "expected"), [(0.0, 1e6), (400.0, 4e5), (1016.0, 1e6)])
def test_the_gradient_is_the_smaller_of_command_and_own_limit(
    slope: float, expected: float
) -> None:
    """0 stands for no limit in the command."""
    assert gradient_n_per_s(Command(0.0, 2, slope, 1, 0), FRONT_EMB) == expected
