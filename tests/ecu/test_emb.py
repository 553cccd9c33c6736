"""A brake actuator bare on the bench: start-up, obeying, limits, sensors, supply, parking."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu import Emb, Node
from simcore.ecu.emb.states import EmbState
from simcore.network import Database
from simcore.plant.caliper import Caliper
from simcore.plant.parameters import FRONT_CALIPER
from simcore.units import ms

Make = Callable[..., Any]

READY_NS = ms(150)
"""50 ms of initialisation and 100 ms of self-test."""


def command(force_n: float, mode: str = "ForceCtrl", *, corner: str = "FL", **rest: Any) -> Any:
    values = {"FReq": force_n, "Mode": mode, "FSlope": 1000, "ReqVld": 1, "AbsActv": 0, **rest}
    return {f"CDC_{corner}_{name}": value for name, value in values.items()}


def at_rest(make_emb: Make, name: str = "EMB_FL") -> Any:
    """A ready actuator, commanded open."""
    bench = make_emb(name)
    bench.repeat("CDC_EmbCmd", **command(0, "Clearance", corner=name[-2:]))
    bench.run_to(ms(200))
    assert bench.node.application.state is EmbState.READY
    return bench


def braking(make_emb: Make, force_n: float = 10_000.0) -> Any:
    """An actuator whose set point is steady at `force_n`."""
    bench = at_rest(make_emb)
    bench.repeat("CDC_EmbCmd", **command(force_n))
    bench.run_for(ms(100))
    bench.port.inputs["clamp_force_n"] = force_n
    assert bench.node.application.force_ref_n == force_n
    return bench


# -- start-up ------------------------------------------------------------------------------------


def test_the_reference_actuator_is_a_node(database: Database) -> None:
    assert isinstance(Emb("EMB_FL", database), Node)


def test_it_listens_to_commands_pedal_speed_and_testers_only(
    make_emb: Make, database: Database
) -> None:
    names = ["CDC_EmbCmd", "CDC2_EmbCmd", "BPS_Pedal", "CDC_VehDyn"]
    names += ["DIAG_EMB_FL_Req", "DIAG_Func_Req"]
    wanted = {database.message(name).arbitration_id for name in names}
    assert make_emb().port.accepted == wanted


def test_it_is_ready_150_ms_after_power_on_and_not_earlier(make_emb: Make) -> None:
    bench = make_emb(start_ns=ms(7))
    states = []
    for time_ns in (ms(7), ms(56), ms(57), ms(156), ms(157)):
        bench.run_to(time_ns)
        states.append(bench.node.application.state)
    assert states == [
        EmbState.INIT,
        EmbState.INIT,
        EmbState.SELF_TEST,
        EmbState.SELF_TEST,
        EmbState.READY,
    ]
    assert bench.happened("state") == [
        "INIT -> SELF_TEST (INITIALISED)",
        "SELF_TEST -> READY (SELF_TEST_PASSED)",
    ]


def test_a_command_during_start_up_is_not_obeyed_and_echoed_as_rejected(make_emb: Make) -> None:
    bench = make_emb()
    bench.repeat("CDC_EmbCmd", **command(20_000))
    bench.run_to(READY_NS - 1)
    assert bench.node.application.force_ref_n == 0.0
    status = bench.last("EMB_FL_St1")
    assert (status["EMB_FL_ReqEcho"], status["EMB_FL_FMaxAvl"]) == ("Rejected", 0)
    assert bench.last("EMB_FL_St2")["EMB_FL_SelfTest"] == "Running"


@pytest.mark.parametrize(
    ("pin", "value", "outcome"),
    [
        ("screw_travel_m", 0.02, "FailPosSens"),
        ("clamp_force_n", 70_000.0, "Aborted"),
        ("supply_v", 5.0, "FailSupply"),
    ],
)
def test_what_fails_the_self_test_is_said_on_the_bus(
    make_emb: Make, pin: str, value: float, outcome: str
) -> None:
    bench = make_emb()
    bench.run_to(ms(100))
    bench.port.inputs[pin] = value
    bench.run_to(ms(300))
    assert bench.last("EMB_FL_St2")["EMB_FL_SelfTest"] == outcome
    assert bench.last("EMB_FL_St1")["EMB_FL_State"] == "SafeReleased"


@pytest.mark.parametrize("speed_radps", [-2_000.0, 2_000.0, float("nan")])
@pytest.mark.parametrize("at_ms", [10, 300])
def test_a_motor_speed_beyond_its_range_never_moves_the_motor(
    make_emb: Make, speed_radps: float, at_ms: int
) -> None:
    bench = make_emb()
    bench.run_to(ms(at_ms))
    bench.port.inputs["motor_speed_radps"] = speed_radps
    for _ in range(200):
        bench.run_for(ms(1))
        assert bench.port.outputs["motor_current_a"] == 0.0
    assert bench.node.application.state is EmbState.SAFE_RELEASED


def test_an_implausible_sensor_fails_the_self_test(make_emb: Make) -> None:
    bench = make_emb()
    bench.port.inputs["screw_travel_m"] = 0.02
    bench.run_to(ms(300))
    assert bench.node.application.state is EmbState.SAFE_RELEASED
    status = bench.last("EMB_FL_St1")
    assert (status["EMB_FL_State"], status["EMB_FL_FaultLvl"]) == ("SafeReleased", "Failed")


def test_a_force_sensor_that_was_out_of_range_in_start_up_only_is_trusted_after_it(
    make_emb: Make,
) -> None:
    bench = make_emb()
    bench.port.inputs["clamp_force_n"] = 1e6
    bench.run_to(ms(20))
    bench.port.inputs["clamp_force_n"] = 700.0
    bench.run_to(ms(200))
    assert bench.node.application.state is EmbState.READY
    status = bench.last("EMB_FL_St1")
    assert (status["EMB_FL_FActQf"], status["EMB_FL_FAct"]) == ("Valid", 700)


def test_a_degraded_actuator_is_well_again_after_a_supply_interruption_with_a_good_sensor(
    make_emb: Make,
) -> None:
    bench = braking(make_emb)
    bench.port.inputs["clamp_force_n"] = 1e6
    bench.run_for(ms(5))
    assert bench.node.application.state is EmbState.DEGRADED
    bench.port.inputs.update(clamp_force_n=0.0, supply_v=0.0)
    bench.run_for(ms(5))
    bench.port.inputs["supply_v"] = 48.0
    bench.run_for(ms(200))
    assert bench.node.application.state is EmbState.FORCE_CTRL
    assert bench.last("EMB_FL_St1")["EMB_FL_FActQf"] == "Valid"


def test_it_starts_again_once_the_failed_sensor_is_plausible(make_emb: Make) -> None:
    bench = make_emb()
    bench.port.inputs["screw_travel_m"] = 0.02
    bench.run_to(ms(300))
    bench.port.inputs["screw_travel_m"] = 0.0
    bench.run_to(ms(300) + READY_NS + ms(2))
    assert bench.node.application.state is EmbState.READY


def test_a_restart_forgets_everything_volatile(make_emb: Make) -> None:
    bench = braking(make_emb)
    bench.stop("CDC_EmbCmd")
    bench.node.start(bench.port, bench.now_ns)
    assert bench.node.application.state is EmbState.INIT
    assert bench.node.application.force_ref_n == 0.0
    bench.run_for(ms(200))
    assert bench.node.application.state is EmbState.READY
    assert bench.node.application.force_ref_n == 0.0


# -- what it sends -------------------------------------------------------------------------------


def test_status_1_goes_out_every_5_ms_and_status_2_every_50_ms(
    make_emb: Make, database: Database
) -> None:
    bench = make_emb()
    counts = []
    for message in ("EMB_FL_St1", "EMB_FL_St2"):
        found = database.message(message)
        bench.run_to(max(bench.now_ns, found.start_delay_ns - 1))
        counts.append(len(bench.frames("EMB_FL_St2")))
    assert counts == [0, 0]
    bench.run_to(ms(1_000) - 1)
    assert len(bench.frames("EMB_FL_St1")) == 200
    assert len(bench.frames("EMB_FL_St2")) == 20


def test_status_carries_what_the_pins_say(make_emb: Make) -> None:
    bench = at_rest(make_emb)
    bench.port.inputs.update(
        clamp_force_n=1234.0,
        screw_travel_m=150e-6,
        motor_speed_radps=100.0,
        phase_current_a=-3.5,
        battery_current_a=2.0,
        wheel_speed_radps=40.0,
        supply_v=47.3,
        disc_temperature_c=321.0,
    )
    bench.run_for(ms(60))
    one, two = bench.last("EMB_FL_St1"), bench.last("EMB_FL_St2")
    assert one["EMB_FL_FAct"] == 1234
    assert one["EMB_FL_FActQf"] == "Valid"
    assert one["EMB_FL_Pos"] == 150
    assert one["EMB_FL_MotSpd"] == 955
    assert one["EMB_FL_MotCurr"] == pytest.approx(-3.5)
    assert one["EMB_FL_WhlSpd"] == pytest.approx(40.0 * 0.345 * 3.6)
    assert (one["EMB_FL_WhlDir"], one["EMB_FL_WhlSpdQf"]) == ("Forward", "Valid")
    assert one["EMB_FL_FMaxAvl"] == 40_000
    assert two["EMB_FL_UBat"] == pytest.approx(47.3)
    assert two["EMB_FL_IBat"] == pytest.approx(2.0)
    assert two["EMB_FL_TempDisc"] == 321
    assert (two["EMB_FL_LockSt"], two["EMB_FL_SelfTest"]) == ("Unlocked", "Passed")


@pytest.mark.parametrize(
    ("speed_radps", "direction"),
    [(0.06, "Forward"), (0.04, "Standstill"), (-0.04, "Standstill"), (-0.06, "Backward")],
)
def test_the_direction_of_the_wheel_has_a_standstill_band(
    make_emb: Make, speed_radps: float, direction: str
) -> None:
    bench = make_emb()
    bench.port.inputs["wheel_speed_radps"] = speed_radps
    bench.run_to(ms(20))
    status = bench.last("EMB_FL_St1")
    assert status["EMB_FL_WhlDir"] == direction
    assert status["EMB_FL_WhlSpd"] >= 0.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sensors_beyond_their_signals_are_sent_at_the_end_of_the_range(
    make_emb: Make, sign: float
) -> None:
    bench = at_rest(make_emb)
    for pin in bench.port.inputs:
        bench.port.inputs[pin] = sign * 1e9
    before = len(bench.port.sent)
    bench.run_for(ms(60))
    assert len(bench.port.sent) > before
    assert bench.last("EMB_FL_St1")["EMB_FL_WhlSpd"] == pytest.approx(655.34)


def test_wheel_pulses_count_on_with_the_wheel(make_emb: Make) -> None:
    bench = at_rest(make_emb)
    first = bench.last("EMB_FL_St1")["EMB_FL_WhlPls"]
    bench.port.inputs["wheel_speed_radps"] = 6.283185307179586
    bench.run_for(ms(1000))
    assert bench.last("EMB_FL_St1")["EMB_FL_WhlPls"] - first == pytest.approx(96, abs=1)
    seen = set()
    bench.port.inputs["wheel_speed_radps"] = 60.0
    for _ in bench.each_ms(3000):
        value = bench.last("EMB_FL_St1")["EMB_FL_WhlPls"]
        assert value == "SNA" or 0 <= value <= 254
        seen.add(value)
    assert "SNA" not in seen and max(seen) > 230


# -- obeying -------------------------------------------------------------------------------------


def test_it_follows_the_force_request_of_its_own_corner(make_emb: Make) -> None:
    for name, corner in (("EMB_FL", "FL"), ("EMB_RR", "RR")):
        bench = at_rest(make_emb, name)
        other = command(25_000, corner="FR")
        bench.repeat("CDC_EmbCmd", **command(8_000, corner=corner), **other)
        bench.run_for(ms(30))
        assert bench.node.application.force_ref_n == 8_000
        assert bench.node.application.state is EmbState.FORCE_CTRL
        assert bench.port.outputs["motor_current_a"] > 0.0
        status = bench.last(f"{name}_St1")
        assert (status[f"{name}_ReqEcho"], status[f"{name}_BusSel"]) == ("ForceCtrl", "A")


def test_a_command_is_acted_upon_in_the_millisecond_of_its_arrival(make_emb: Make) -> None:
    bench = at_rest(make_emb)
    bench.repeat("CDC_EmbCmd", **command(8_000))
    bench.run_to(bench.now_ns + ms(5))
    assert bench.node.application.force_ref_n == 1_000.0


def test_a_front_caliper_reaches_the_force_and_lets_go_again(make_emb: Make) -> None:
    """BRK-004 and BRK-005 with the real caliper behind the pins."""
    bench = at_rest(make_emb)
    caliper = Caliper(FRONT_CALIPER)
    bench.repeat("CDC_EmbCmd", **command(20_000))
    forces = closed_loop(bench, caliper, 400)
    assert forces[-1] == pytest.approx(20_000, abs=600)
    assert max(forces) < 20_000 * 1.1
    bench.repeat("CDC_EmbCmd", **command(0, "Clearance"))
    forces = closed_loop(bench, caliper, 160)
    assert forces[-1] < 500.0
    assert bench.node.application.state is EmbState.READY


def closed_loop(bench: Any, caliper: Caliper, count: int) -> list[float]:
    forces = []
    for _ in bench.each_ms(count):
        caliper.step(0.001, bench.port.outputs["motor_current_a"], 48.0, 0.0, 0.0)
        bench.port.inputs.update(
            clamp_force_n=caliper.clamp_force_n,
            screw_travel_m=caliper.screw_travel_m,
            motor_speed_radps=caliper.motor_speed_radps,
        )
        forces.append(caliper.clamp_force_n)
    return forces


def test_more_than_it_can_clamp_is_limited_to_its_maximum(make_emb: Make) -> None:
    for name, maximum_n in (("EMB_FL", 40_000), ("EMB_RL", 27_000)):
        bench = at_rest(make_emb, name)
        bench.repeat("CDC_EmbCmd", **command(65_000, corner=name[-2:]))
        bench.run_for(ms(100))
        assert bench.node.application.force_ref_n == maximum_n


def test_hold_keeps_the_larger_of_request_and_present_force(make_emb: Make) -> None:
    bench = braking(make_emb, 10_000)
    bench.repeat("CDC_EmbCmd", **command(6_000, "Hold"))
    bench.run_for(ms(50))
    assert bench.node.application.force_ref_n == 10_000
    bench.repeat("CDC_EmbCmd", **command(12_000, "Hold"))
    bench.run_for(ms(50))
    assert bench.node.application.force_ref_n == 12_000


@pytest.mark.parametrize("mode", ["Off", "Clearance", "Service", "SelfTest"])
def test_a_mode_without_force_opens_the_brake_whatever_force_it_names(
    make_emb: Make, mode: str
) -> None:
    bench = braking(make_emb)
    bench.repeat("CDC_EmbCmd", **command(20_000, mode))
    bench.run_for(ms(50))
    assert bench.node.application.force_ref_n == 0.0
    assert bench.node.application.state is EmbState.READY


# -- its own gradient limit, SAF-004 -------------------------------------------------------------


def test_the_set_point_rises_with_the_commanded_slope(make_emb: Make) -> None:
    bench = at_rest(make_emb)
    bench.repeat("CDC_EmbCmd", **command(10_000, FSlope=200))
    bench.run_for(ms(4))
    points = []
    for _ in bench.each_ms(60):
        points.append(bench.node.application.force_ref_n)
    assert points[:4] == pytest.approx([200.0, 400.0, 600.0, 800.0])
    assert points[-1] == 10_000.0


@given(
    forces=st.lists(st.integers(0, 65_000), min_size=1, max_size=8),
    slope=st.sampled_from([0, 4, 400, 1000, 1016]),
)
def test_no_valid_command_moves_the_set_point_faster_than_1_kn_per_ms(
    database: Database, forces: list[int], slope: int
) -> None:
    from simcore.ecu.emb.application import Application
    from simcore.ecu.emb.communication import Command
    from simcore.ecu.emb.parameters import FRONT_EMB

    class Selected:
        command = Command(0.0, 1, 1000.0, 1, 0)
        primary = SimpleNamespace(data=b"", valid_until_ns=-1)
        decoded = None

        def select(self, now_ns: int) -> Command:
            return self.command

    class Pins:
        inputs = {  # noqa: RUF012
            "supply_v": 48.0,
            "screw_travel_m": 0.0,
            "clamp_force_n": 0.0,
            "motor_speed_radps": 0.0,
            "phase_current_a": 0.0,
        }

        def write(self, pin: str, value: float) -> None:
            pass

        def log(self, kind: str, text: str) -> None:
            pass

    selected = Selected()
    application = Application(Pins(), FRONT_EMB, selected, 0)  # type: ignore[arg-type]
    for now_ms in range(160):
        application.step(ms(now_ms))
    assert application.state is EmbState.READY
    for index, force_n in enumerate(forces):
        selected.command = Command(float(force_n), 2, float(slope), 1, 0)
        for tick in range(3):
            before_n = application.force_ref_n
            application.step(ms(160 + 3 * index + tick))
            most_n = min(1_000.0, float(slope) or 1_000.0)  # 0: no limit in the command
            assert abs(application.force_ref_n - before_n) <= most_n + 1e-9
            assert 0.0 <= application.force_ref_n <= 40_000.0


def test_a_full_release_is_limited_in_the_same_way(make_emb: Make) -> None:
    bench = braking(make_emb, 30_000)
    bench.repeat("CDC_EmbCmd", **command(0, "Clearance"))
    bench.run_for(ms(4))
    points = [bench.node.application.force_ref_n for _ in bench.each_ms(4)]
    assert points == [29_000.0, 28_000.0, 27_000.0, 26_000.0]


# -- sensors and supply --------------------------------------------------------------------------


@pytest.mark.parametrize("force_n", [-1_001.0, 60_001.0, float("nan"), float("inf")])
def test_without_its_force_sensor_it_brakes_on_with_an_estimate(
    make_emb: Make, force_n: float
) -> None:
    bench = braking(make_emb, 10_000)
    bench.port.inputs["screw_travel_m"] = 6.18e-4  # 10 kN on the nominal curve: (1e7 + 2e10 x) x
    bench.port.inputs["clamp_force_n"] = force_n
    bench.run_for(ms(10))
    application = bench.node.application
    assert application.state is EmbState.DEGRADED
    assert application.force_ref_n == 10_000
    assert application.clamp_force_n == pytest.approx(13_800, rel=0.02)
    status = bench.last("EMB_FL_St1")
    assert status["EMB_FL_FaultLvl"] == "Degraded"
    assert status["EMB_FL_FActQf"] == "Degraded"
    assert status["EMB_FL_FMaxAvl"] == 40_000


def test_a_force_sensor_that_comes_back_is_not_trusted_before_a_power_cycle(make_emb: Make) -> None:
    bench = braking(make_emb, 10_000)
    bench.port.inputs["clamp_force_n"] = 1e6
    bench.run_for(ms(1))
    bench.port.inputs["clamp_force_n"] = 10_000.0
    bench.run_for(ms(50))
    assert bench.node.application.state is EmbState.DEGRADED
    assert bench.node.application.clamp_force_n == 0.0  # estimated from a travel of 0


def test_a_degraded_actuator_does_not_park(make_emb: Make) -> None:
    bench = braking(make_emb)
    bench.port.inputs["clamp_force_n"] = 1e6
    bench.run_for(ms(5))
    bench.repeat("CDC_EmbCmd", **command(0, "ParkApply"))
    bench.run_for(ms(100))
    assert bench.node.application.state is EmbState.DEGRADED
    assert bench.port.outputs["park_lock_state"] == 0.0


def test_without_its_motion_sensor_it_lets_go(make_emb: Make) -> None:
    bench = braking(make_emb)
    bench.port.inputs["screw_travel_m"] = 9e-3
    bench.run_for(ms(1))
    assert bench.node.application.state is EmbState.SAFE_RELEASED
    assert bench.port.outputs["motor_current_a"] == 0.0
    bench.run_for(ms(5))
    status = bench.last("EMB_FL_St1")
    assert (status["EMB_FL_FaultLvl"], status["EMB_FL_ReqEcho"]) == ("Failed", "Rejected")


def test_below_9_v_it_lets_go_and_starts_again_when_the_supply_is_back(make_emb: Make) -> None:
    bench = braking(make_emb)
    bench.port.inputs["supply_v"] = 9.0
    bench.run_for(ms(5))
    assert bench.node.application.state is EmbState.FORCE_CTRL
    bench.port.inputs["supply_v"] = 8.99
    bench.run_for(ms(1))
    assert bench.node.application.state is EmbState.SAFE_RELEASED
    assert bench.port.outputs["motor_current_a"] == 0.0
    assert bench.node.application.force_ref_n == 0.0
    bench.run_for(ms(50))
    bench.port.inputs["supply_v"] = 48.0
    bench.run_for(ms(2))
    assert bench.node.application.state is EmbState.INIT
    bench.run_for(READY_NS + ms(20))
    assert bench.node.application.state is EmbState.FORCE_CTRL


def test_supply_lost_during_start_up_ends_it(make_emb: Make) -> None:
    for after_ms in (20, 100):
        bench = make_emb()
        bench.run_to(ms(after_ms))
        bench.port.inputs["supply_v"] = 0.0
        bench.run_for(ms(200))
        assert bench.node.application.state is EmbState.SAFE_RELEASED


# -- parking -------------------------------------------------------------------------------------


def parked(make_emb: Make) -> Any:
    bench = at_rest(make_emb)
    bench.repeat("CDC_EmbCmd", **command(0, "ParkApply"))
    bench.run_for(ms(100))
    application = bench.node.application
    assert application.state is EmbState.PARK_APPLYING
    assert application.force_ref_n == 12_000
    assert bench.port.outputs["park_lock_state"] == 0.0
    bench.port.inputs["clamp_force_n"] = 11_499.0
    bench.run_for(ms(60))
    assert application.state is EmbState.PARK_APPLYING
    assert bench.last("EMB_FL_St2")["EMB_FL_LockSt"] == "Moving"
    bench.port.inputs["clamp_force_n"] = 11_500.0
    bench.run_for(ms(1))
    return bench


def test_parking_clamps_locks_and_takes_the_current_away(make_emb: Make) -> None:
    bench = parked(make_emb)
    assert bench.node.application.state is EmbState.PARK_APPLIED
    assert bench.port.outputs == {"motor_current_a": 0.0, "park_lock_state": 1.0}
    bench.run_for(ms(60))
    assert bench.last("EMB_FL_St2")["EMB_FL_LockSt"] == "Locked"
    assert bench.last("EMB_FL_St1")["EMB_FL_State"] == "ParkApplied"


def test_a_parked_brake_stays_locked_through_lost_commands_and_supply(make_emb: Make) -> None:
    """BRK-008."""
    bench = parked(make_emb)
    bench.stop("CDC_EmbCmd")
    bench.port.inputs["supply_v"] = 0.0
    bench.run_for(ms(1_000))
    assert bench.node.application.state is EmbState.PARK_APPLIED
    assert bench.port.outputs == {"motor_current_a": 0.0, "park_lock_state": 1.0}


@pytest.mark.parametrize("mode", ["Off", "Clearance", "ForceCtrl", "Hold", "ParkApply"])
def test_only_a_park_release_opens_a_parked_brake(make_emb: Make, mode: str) -> None:
    bench = parked(make_emb)
    bench.repeat("CDC_EmbCmd", **command(20_000, mode))
    bench.run_for(ms(200))
    assert bench.node.application.state is EmbState.PARK_APPLIED
    assert bench.port.outputs["park_lock_state"] == 1.0


def test_the_motor_takes_the_load_before_the_lock_opens(make_emb: Make) -> None:
    bench = parked(make_emb)
    bench.port.inputs["clamp_force_n"] = 10_000.0  # some force lost while parked
    bench.repeat("CDC_EmbCmd", **command(0, "ParkRelease"))
    bench.run_for(ms(50))
    assert bench.node.application.state is EmbState.PARK_RELEASING
    assert bench.port.outputs["park_lock_state"] == 1.0
    assert bench.node.application.force_ref_n == 12_000
    bench.port.inputs["clamp_force_n"] = 11_600.0
    bench.run_for(ms(20))
    assert bench.node.application.state is EmbState.READY
    assert bench.port.outputs["park_lock_state"] == 0.0
    assert bench.node.application.force_ref_n == 0.0


def test_an_actuator_that_wakes_up_locked_knows_that_it_is_parked(make_emb: Make) -> None:
    bench = make_emb()
    bench.port.inputs.update(park_lock_state=1.0, clamp_force_n=12_000.0)
    bench.repeat("CDC_EmbCmd", **command(0, "Clearance"))
    bench.run_to(ms(400))
    assert bench.node.application.state is EmbState.PARK_APPLIED
    assert bench.port.outputs == {"motor_current_a": 0.0, "park_lock_state": 1.0}
    bench.repeat("CDC_EmbCmd", **command(0, "ParkRelease"))
    bench.run_for(ms(50))
    assert bench.node.application.state is EmbState.READY
    assert bench.port.outputs["park_lock_state"] == 0.0


def test_supply_lost_while_the_lock_is_to_open_does_not_leave_it_closed(make_emb: Make) -> None:
    """BRK-003: an actuator that says it is ready must not be clamped by its own lock."""
    bench = parked(make_emb)
    bench.port.inputs["clamp_force_n"] = 10_000.0
    bench.repeat("CDC_EmbCmd", **command(0, "ParkRelease"))
    bench.run_for(ms(20))
    assert bench.node.application.state is EmbState.PARK_RELEASING
    bench.port.inputs["supply_v"] = 0.0
    bench.run_for(ms(20))
    bench.port.inputs["supply_v"] = 48.0
    bench.run_for(ms(400))
    assert bench.node.application.state is EmbState.PARK_RELEASING
    bench.port.inputs["clamp_force_n"] = 12_000.0
    bench.run_for(ms(20))
    assert bench.node.application.state is EmbState.READY
    assert bench.port.outputs["park_lock_state"] == 0.0


def test_a_parking_brake_whose_travel_sensor_fails_is_locked_for_good(make_emb: Make) -> None:
    bench = parked(make_emb)
    bench.port.inputs["screw_travel_m"] = -1.0
    bench.run_for(ms(5))
    assert bench.node.application.state is EmbState.FAULT_LOCKED
    bench.port.inputs["screw_travel_m"] = 0.0
    bench.repeat("CDC_EmbCmd", **command(0, "ParkRelease"))
    bench.run_for(ms(200))
    assert bench.node.application.state is EmbState.FAULT_LOCKED
    assert bench.port.outputs == {"motor_current_a": 0.0, "park_lock_state": 1.0}
    assert bench.last("EMB_FL_St1")["EMB_FL_FaultLvl"] == "Failed"
