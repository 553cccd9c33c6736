"""The scripting API: time, looking, checking, and what it refuses."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simcore.ecu import RestbusNode
from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.kernel import StuckError
from simcore.network import Database
from simcore.rig import Rig
from simcore.rig.bench import IDLE_CALL_LIMIT
from simcore.units import ms, s

DATA = Path(__file__).resolve().parents[1] / "data"


# -- time ----------------------------------------------------------------------------------------


def test_run_for_lets_exactly_that_time_pass(standing: Rig) -> None:
    before = standing.now_ns
    standing.run_for(1_234_567)
    assert standing.now_ns - before == 1_234_567
    standing.run_for(0)
    assert standing.now_ns - before == 1_234_567


@pytest.mark.parametrize("duration", [1.5, 5e6, "5", None, True, np.int64(5)])
def test_run_for_takes_whole_nanoseconds_only(standing: Rig, duration: object) -> None:
    before = standing.digest
    with pytest.raises(
        UsageError, match=r"^run_for: expected whole ns, as ms\(5\) or s\(2\) give, got "
    ):
        standing.run_for(duration)  # type: ignore[arg-type]
    assert standing.digest == before


def test_run_for_refuses_to_go_back(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"^run_for: expected a time >= 0 ns, got -1 ns$"):
        standing.run_for(-1)


@pytest.mark.parametrize("timeout", [-1, 1.5, True, None])
def test_run_until_takes_whole_nanoseconds_only(standing: Rig, timeout: object) -> None:
    with pytest.raises(UsageError, match=r"^run_until, timeout: expected whole ns >= 0, got "):
        standing.run_until(lambda: True, timeout=timeout)  # type: ignore[arg-type]


def test_run_until_stops_at_the_first_instant_at_which_it_holds(standing: Rig) -> None:
    rows = standing.recorder.row_count
    start_ns = standing.now_ns
    assert standing.run_until(lambda: standing.recorder.row_count >= rows + 3, timeout=s(1))
    assert standing.now_ns - start_ns == ms(3)


def test_run_until_gives_up_at_the_timeout(standing: Rig) -> None:
    start_ns = standing.now_ns
    assert not standing.run_until(lambda: False, timeout=1_500_001)
    assert standing.now_ns - start_ns == 1_500_001


def test_run_until_lets_no_time_pass_where_it_holds_already(standing: Rig) -> None:
    start_ns = standing.now_ns
    assert standing.run_until(lambda: True, timeout=s(1))
    assert standing.run_until(lambda: True, timeout=0)
    assert not standing.run_until(lambda: False, timeout=0)
    assert standing.now_ns == start_ns


def test_what_a_predicate_raises_reaches_the_script(standing: Rig) -> None:
    with pytest.raises(ZeroDivisionError, match="division"):
        standing.run_until(lambda: 1 / 0 > 0, timeout=ms(1))


def test_a_script_that_never_lets_time_pass_is_stopped(standing: Rig) -> None:
    with pytest.raises(
        StuckError,
        match=r"called run_for/run_until 10000 times in a row without letting time pass; "
        r"it stands at 300 ms$",
    ):
        while True:
            standing.run_for(0)


def test_a_loop_around_a_predicate_that_holds_is_stopped_too(standing: Rig) -> None:
    with pytest.raises(StuckError, match="without letting time pass"):
        while standing.run_until(lambda: True, timeout=ms(1)):
            pass


def test_a_little_time_in_between_makes_it_no_loop(standing: Rig) -> None:
    for _ in range(2):
        for _ in range(IDLE_CALL_LIMIT):
            standing.run_for(0)
        standing.run_for(1)
    assert standing.now_ns == ms(300) + 2


class Counter:
    def __init__(self) -> None:
        self.times_ns: list[int] = []

    def note(self, rig: Rig) -> None:
        self.times_ns.append(rig.now_ns)


def test_an_action_happens_at_its_time(standing: Rig) -> None:
    counter = Counter()
    standing.at(standing.now_ns + 500, partial(counter.note, standing))
    standing.at(standing.now_ns + 200, partial(counter.note, standing))
    standing.run_for(ms(1))
    assert counter.times_ns == [ms(300) + 200, ms(300) + 500]


def test_an_action_in_the_past_is_refused(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"expected a time not before now, 300 ms, got 299 ms$"):
        standing.at(ms(299), Counter().times_ns.clear)


def test_a_closure_as_action_is_refused(standing: Rig) -> None:
    with pytest.raises(
        UsageError, match=r"expected a bound method or a functools\.partial of one$"
    ):
        standing.at(ms(400), lambda: None)


# -- nodes, pins, signals ------------------------------------------------------------------------


def test_every_node_of_the_database_is_on_the_rig(standing: Rig) -> None:
    assert standing.nodes == standing.database.nodes
    assert set(standing.nodes) >= {"CDC", "CDC2", "EMB_FL", "BPS", "IMU", "EPS", "VCU", "TST"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda rig: rig.node("EMB_XX"),
        lambda rig: rig.reset("EMB_XX"),
        lambda rig: rig.restbus("EMB_XX"),
        lambda rig: rig.pin("EMB_XX", "clamp_force_n"),
        lambda rig: rig.inject(EcuSilent(node="EMB_XX")),
        lambda rig: rig.replace("EMB_XX", rig.node("EMB_FL")),
    ],
    ids=["node", "reset", "restbus", "pin", "inject", "replace"],
)
def test_an_unknown_node_is_refused_with_those_there_are(standing: Rig, ask: object) -> None:
    before = (standing.digest, dict(standing.silenced))
    with pytest.raises(
        UsageError, match=r"^node 'EMB_XX': expected one of .*CDC, .*EMB_FL.*, got EMB_XX$"
    ):
        ask(standing)  # type: ignore[operator]
    assert (standing.digest, standing.silenced) == before


def test_an_unknown_message_or_signal_is_refused_with_the_nearest(standing: Rig) -> None:
    with pytest.raises(
        UsageError, match=r"^unknown message 'CDC_BrkStt': did you mean 'CDC_BrkSt'"
    ):
        standing.signal("CDC_BrkStt", "CDC_DegrLvl")
    with pytest.raises(UsageError, match=r"unknown signal 'CDC_DegrLevel'.*'CDC_DegrLvl'"):
        standing.signal("CDC_BrkSt", "CDC_DegrLevel")
    with pytest.raises(UsageError, match=r"^unknown message 'CDC_BrkStt'"):
        standing.wait_for("CDC_BrkStt", lambda values: True, timeout=ms(1))


def test_an_unknown_pin_is_refused_with_those_there_are(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"clamp_force.*expected one of .*clamp_force_n"):
        standing.pin("EMB_FL", "clamp_force")


def test_a_node_without_pins_says_so(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"no pins on this node|no such pin|expected"):
        standing.pin("GW", "supply_v")


def test_pins_show_what_sensors_see_and_actuators_do(rolling: Rig) -> None:
    assert rolling.pin("EMB_FL", "wheel_speed_radps") == pytest.approx(100 / 3.6 / 0.345, rel=0.01)
    assert rolling.pin("EMB_RR", "supply_v") == 48.0
    assert rolling.pin("EMB_FL", "motor_current_a") == pytest.approx(0.0, abs=1.0)
    rolling.press_pedal(50, ramp_ns=0)
    rolling.run_for(ms(1))
    assert rolling.pin("BPS", "pedal_travel_1_mm") == 30.0
    assert rolling.pin("BPS", "pedal_travel_2_mm") == 30.0
    assert rolling.pin("BPS", "pedal_force_n") == 250.0
    rolling.run_for(ms(20))
    assert rolling.pin("EMB_FL", "motor_current_a") > 10.0


def test_the_restbus_is_given_for_nodes_it_plays_only(standing: Rig) -> None:
    assert isinstance(standing.restbus("VCU"), RestbusNode)
    with pytest.raises(
        UsageError,
        match=r"^restbus CDC: expected a node played by the restbus \(EPS, .*TST\), got a Cdc$",
    ):
        standing.restbus("CDC")


def test_a_signal_is_the_last_one_on_the_bus_and_none_before() -> None:
    rig = Rig()
    assert rig.signal("VCU_Torque", "VCU_AccPed") is None
    rig.run_for(ms(10))
    assert rig.signal("VCU_Torque", "VCU_AccPed") == 0
    rig.restbus("VCU").set("VCU_Torque", VCU_AccPed=40)
    assert rig.signal("VCU_Torque", "VCU_AccPed") == 0
    rig.run_for(ms(10))
    assert rig.signal("VCU_Torque", "VCU_AccPed") == pytest.approx(40)


def test_wait_for_takes_only_frames_from_now_on(standing: Rig) -> None:
    start_ns = standing.now_ns
    assert standing.wait_for("CDC_BrkSt", lambda values: True, timeout=ms(50))
    assert 0 < standing.now_ns - start_ns <= ms(11)
    record = standing.recorder.frames[-1]
    assert record.frame.arbitration_id == 0x0D0


def test_wait_for_gives_up_at_the_timeout(standing: Rig) -> None:
    seen = []
    accept = lambda values: bool(seen.append(values["CDC_DegrLvl"]))  # noqa: E731
    assert not standing.wait_for("CDC_BrkSt", accept, timeout=ms(100))
    assert standing.now_ns == ms(400)
    assert seen == [0] * 20  # every 10 ms, on both buses


def test_elapsed_time_is_in_milliseconds(standing: Rig) -> None:
    start_ns = standing.now_ns
    standing.run_for(1_500_000)
    assert standing.elapsed_ms(start_ns) == 1.5


def test_last_ms_is_when_a_condition_last_held(rolling: Rig) -> None:
    start_ns = rolling.now_ns
    rolling.press_pedal(50, ramp_ns=ms(10))
    rolling.run_for(ms(50))
    assert rolling.last_ms("pedal_pct", lambda pct: pct < 50.0, since_ns=start_ns) == 9.0
    assert rolling.last_ms("pedal_pct", lambda pct: pct > 100.0, since_ns=start_ns) == 0.0
    assert rolling.last_ms("pedal_pct", lambda pct: pct == 50.0, since_ns=start_ns) == 50.0
    with pytest.raises(UsageError, match=r"^recorded column 'pedal': expected one of pedal_pct, "):
        rolling.last_ms("pedal", lambda pct: pct > 0, since_ns=0)


# -- faults --------------------------------------------------------------------------------------


def test_a_silent_ecu_sends_nothing_and_its_outputs_are_off(rolling: Rig) -> None:
    rolling.press_pedal(40)
    rolling.run_for(ms(200))
    assert rolling.pin("EMB_FL", "motor_current_a") > 0.0
    rolling.run_for(300_000)
    fault_ns = rolling.now_ns
    rolling.inject(EcuSilent(node="EMB_FL"))
    assert rolling.silenced == {"EMB_FL": fault_ns}
    assert rolling.pin("EMB_FL", "motor_current_a") == 0.0
    rolling.run_for(ms(100))
    late = [r for r in rolling.recorder.frames if r.sender == "EMB_FL" and r.sof_ns > fault_ns]
    assert late == []
    assert [event.text for event in rolling.log.of_kind("fault")] == [
        "EMB_FL silent: supply of the ECU lost"
    ]


PARK = {
    f"CDC2_{corner}_{name}": value
    for corner in ("FL", "FR", "RL", "RR")
    for name, value in (("Mode", "ParkApply"), ("ReqVld", 1), ("FSlope", 1000))
}


@pytest.fixture
def parked(standing: Rig) -> Rig:
    """All four brakes parked by the secondary lane."""
    standing.inject(EcuSilent(node="CDC"))
    standing.replace("CDC2", RestbusNode("CDC2", standing.database))
    standing.restbus("CDC2").set("CDC2_EmbCmd", **PARK)
    standing.run_for(ms(600))
    assert standing.signal("EMB_FL_St1", "EMB_FL_State") == 5
    assert min(standing.vehicle.clamp_force_n) > 11_000.0
    return standing


def test_a_parked_brake_stays_locked_when_its_ecu_loses_its_supply(parked: Rig) -> None:
    """BRK-008: the lock is mechanical and needs no supply."""
    parked.inject(EcuSilent(node="EMB_RR"))
    parked.run_for(ms(500))
    assert parked.vehicle.clamp_force_n[3] > 11_000.0


def test_a_parked_brake_stays_locked_through_a_reset_of_its_ecu(parked: Rig) -> None:
    parked.reset("EMB_RR")
    lowest_n = parked.vehicle.clamp_force_n[3]
    for _ in range(300):
        parked.run_for(ms(1))
        lowest_n = min(lowest_n, parked.vehicle.clamp_force_n[3])
    assert lowest_n > 11_000.0


def test_a_reset_ends_the_silence_and_starts_the_node_anew(rolling: Rig) -> None:
    rolling.inject(EcuSilent(node="EMB_FL"))
    rolling.run_for(ms(100))
    assert rolling.signal("CDC_BrkSt", "CDC_DegrLvl") == 2
    rolling.reset("EMB_FL")
    assert rolling.silenced == {}
    rolling.run_for(ms(400))
    assert rolling.signal("EMB_FL_St1", "EMB_FL_State") == 2
    assert rolling.signal("CDC_BrkSt", "CDC_DegrLvl") == 0


def test_a_frame_on_the_wire_is_cut_when_its_sender_falls_silent(standing: Rig) -> None:
    standing.run_until(
        lambda: any(bus.armed and bus._current is not None for bus in standing.buses),
        timeout=ms(10),
    )
    current = standing.buses[0]._current
    assert current is not None
    standing.run_for(20_000)
    standing.inject(EcuSilent(node=current.sender))
    standing.run_for(ms(1))
    assert current not in standing.recorder.frames
    # It was sending the same frame on both buses.
    assert {frame.sof_ns for frame in standing.recorder.error_frames} == {current.sof_ns}


# -- checks --------------------------------------------------------------------------------------


def test_a_check_is_kept_with_time_and_text_and_returns_its_outcome(standing: Rig) -> None:
    outcome = standing.check("BRK-001", True, measured=40.25, limit="<= 70 m", text="distance")
    assert outcome is True
    assert standing.check("BRK-001", np.bool_(False), measured="none") is False
    passed, failed = standing.checks
    assert (passed.requirement, passed.passed, passed.time_ns) == ("BRK-001", True, ms(300))
    assert (passed.measured, passed.limit, passed.text) == ("40.25 m", "<= 70 m", "distance")
    assert (passed.source, failed.passed, failed.measured) == ("scenario", False, "none")
    texts = [event.text for event in standing.log.of_kind("check")]
    assert texts == ["BRK-001 passed distance", "BRK-001 FAILED "]


@pytest.mark.parametrize(
    ("measured", "limit", "printed"),
    [
        (40.25, "<= 70 m", "40.25 m"),
        (6.4321, ">= 6.43 m/s2", "6.432 m/s2"),
        (3, "", "3"),
        (0.8, ">= 0.75", "0.8"),
        (1.0, "<= 5", "1"),
        (None, "<= 70 m", ""),
        ("as it is", "<= 70 m", "as it is"),
    ],
)
def test_numbers_are_printed_with_the_unit_of_the_limit(
    standing: Rig, measured: float | str | None, limit: str, printed: str
) -> None:
    standing.check("X-1", True, measured=measured, limit=limit)
    assert standing.checks[-1].measured == printed


def test_a_check_needs_a_requirement(standing: Rig) -> None:
    with pytest.raises(UsageError, match=r"^check: expected a requirement id$"):
        standing.check("", True)


@pytest.mark.parametrize("outcome", [1, 0.0, None, "yes", [True]])
def test_an_outcome_is_true_or_false(standing: Rig, outcome: object) -> None:
    with pytest.raises(UsageError, match=r"^check X-1: expected True or False, got "):
        standing.check("X-1", outcome)  # type: ignore[arg-type]
    assert standing.checks == []


def test_a_measurement_that_is_no_number_fails(standing: Rig) -> None:
    assert standing.check("X-1", True, measured=float("nan"), limit="<= 5 m") is False
    assert not standing.checks[0].passed


def test_recorded_gives_a_column_from_a_time_on(rolling: Rig) -> None:
    since_ns = rolling.now_ns
    rolling.press_pedal(50, ramp_ns=0)
    rolling.run_for(ms(3))
    assert rolling.recorded("pedal_pct", since_ns=since_ns).tolist() == [50.0] * 3
    assert len(rolling.recorded("pedal_pct")) == 403
    with pytest.raises(UsageError, match=r"^recorded column 'pedal': expected one of "):
        rolling.recorded("pedal")


def test_a_report_keeps_the_last_value_of_a_name(standing: Rig) -> None:
    standing.report("stopping distance", "41 m")
    standing.report("stopping distance", "40 m")
    assert standing.measurements == {"stopping distance": "40 m"}


# -- databases -----------------------------------------------------------------------------------


def test_a_database_without_the_reference_nodes_is_refused() -> None:
    foreign = Database.load(DATA / "codec.dbc")
    with pytest.raises(UsageError, match=r"^rig on .*codec\.dbc: expected the nodes EMB_FL, "):
        Rig(database=foreign)


@pytest.mark.parametrize("seed", [1.5, "1", True])
def test_a_seed_is_an_integer(seed: object) -> None:
    with pytest.raises(UsageError, match=r"^seed: expected an integer, got "):
        Rig(seed=seed)  # type: ignore[arg-type]


def test_a_class_in_the_place_of_a_node_is_refused_with_what_was_meant(standing: Rig) -> None:
    wrong: Any = RestbusNode
    with pytest.raises(
        UsageError,
        match=r"^replace EMB_FL: expected a node, as RestbusNode\(\) makes one, got the class$",
    ):
        standing.replace("EMB_FL", wrong)


def test_a_path_is_no_database() -> None:
    with pytest.raises(
        UsageError,
        match=r"^Rig, database: expected a Database, as Database\.load\(path\), got 'x'$",
    ):
        Rig(database="x")  # type: ignore[arg-type]
