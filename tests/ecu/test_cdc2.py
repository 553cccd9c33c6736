"""The secondary domain controller bare on the bench: watches, takes over, hands back. DEG-002."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from simcore.ecu import Cdc2, Node
from simcore.ecu.cdc.states import HoldState
from simcore.ecu.cdc2 import Cdc2Parameters
from simcore.ecu.cdc2.states import (
    IGNORED,
    TRANSITIONS,
    StandbyEvent,
    StandbyState,
    next_state,
)
from simcore.network import Database
from simcore.units import ms

Make = Callable[..., Any]
CORNERS = ("FL", "FR", "RL", "RR")
ALL_PAIRS = set(itertools.product(StandbyState, StandbyEvent))


# -- states ----------------------------------------------------------------------------------------


def test_the_table_says_something_about_every_pair_and_never_twice() -> None:
    assert TRANSITIONS.keys() | IGNORED == ALL_PAIRS
    assert TRANSITIONS.keys() & IGNORED == set()


def test_next_state_follows_the_table_and_stays_for_what_is_ignored() -> None:
    for state, event in ALL_PAIRS:
        assert next_state(state, event) is TRANSITIONS.get((state, event), state)


def test_it_commands_after_a_loss_only() -> None:
    entered = {event for (_, event), state in TRANSITIONS.items() if state.name == "COMMANDING"}
    assert entered == {StandbyEvent.PRIMARY_LOST}


# -- bench -----------------------------------------------------------------------------------------


def status(corner: str, force_n: float, kmh: float) -> dict[str, Any]:
    values = {
        "FAct": force_n,
        "FActQf": "Valid",
        "State": "Ready",
        "FaultLvl": "None",
        "WhlSpd": kmh,
        "WhlSpdQf": "Valid",
        "WhlDir": "Forward" if kmh else "Standstill",
        "ReqEcho": "Clearance",
    }
    return {f"EMB_{corner}_{name}": value for name, value in values.items()}


def pedal(travel_mm: float) -> dict[str, Any]:
    return {
        "BPS_Trvl1": travel_mm,
        "BPS_Trvl2": travel_mm,
        "BPS_Qf1": "Valid",
        "BPS_Qf2": "Valid",
    }


def primary(force_n: float = 0.0, *, valid: int = 1, abs_active: int = 0) -> dict[str, Any]:
    values: dict[str, Any] = {"CDC_Src": "Primary", "CDC_PwrMode": "Drive"}
    for corner in CORNERS:
        values |= {
            f"CDC_{corner}_FReq": force_n,
            f"CDC_{corner}_Mode": "ForceCtrl" if force_n else "Clearance",
            f"CDC_{corner}_FSlope": 1000,
            f"CDC_{corner}_ReqVld": valid,
            f"CDC_{corner}_AbsActv": abs_active,
        }
    return values


def drive(bench: Any, *, force_n: float = 0.0, kmh: float = 100.0) -> None:
    for corner in CORNERS:
        bench.repeat(f"EMB_{corner}_St1", **status(corner, force_n, kmh))


@pytest.fixture
def make_cdc2(make_bench: Make, database: Database) -> Make:
    """`make_cdc2(...)`: behind a primary that commands, pedal released, 100 km/h, 300 ms old."""

    def make(
        *,
        with_primary: bool = True,
        kmh: float = 100.0,
        travel_mm: float = 0.0,
        until_ns: int = ms(300),
    ) -> Any:
        inputs = {"auto_hold_switch_state": 0.0}
        bench = make_bench(Cdc2("CDC2", database), "CDC2", inputs=inputs)
        drive(bench, kmh=kmh)
        bench.repeat("BPS_Pedal", **pedal(travel_mm))
        bench.repeat("IMU_Data", IMU_Ax=0.0, IMU_AxQf="Valid")
        bench.repeat("VCU_Torque", VCU_AccPed=0)
        bench.repeat("ADAS_LongReq", ADAS_AebActv="Inactive")
        bench.repeat("CDC_VehDyn", CDC_VehSpd=kmh, CDC_VehSpdQf="Valid")
        if with_primary:
            bench.repeat("CDC_EmbCmd", **primary())
        bench.run_to(until_ns)
        return bench

    return make


def asked(bench: Any) -> list[tuple[float, int]]:
    """(force, validity) of each wheel in the last command."""
    message = bench.database.message("CDC2_EmbCmd")
    values = message.codec.decode(bench.frames("CDC2_EmbCmd")[-1].data)
    return [(values[f"CDC2_{c}_FReq"], values[f"CDC2_{c}_ReqVld"]) for c in CORNERS]


STANDING_BY = [(0.0, 0)] * 4


def lose_primary(bench: Any) -> None:
    bench.stop("CDC_EmbCmd", "CDC_VehDyn")


# -- standby ---------------------------------------------------------------------------------------


def test_it_is_a_node_and_says_that_it_is_the_secondary(make_cdc2: Make) -> None:
    bench = make_cdc2()
    assert isinstance(bench.node, Node)
    assert bench.last("CDC2_EmbCmd")["CDC2_Src"] == "Secondary"


def test_behind_a_primary_that_commands_it_asks_for_nothing(make_cdc2: Make) -> None:
    bench = make_cdc2()
    bench.repeat("BPS_Pedal", **pedal(40.0))
    bench.repeat("CDC_EmbCmd", **primary(8_000))
    for _ in bench.each_ms(200):
        assert asked(bench) == STANDING_BY
    assert bench.happened("detection") == []


def test_it_sends_every_10_ms_in_both_states(make_cdc2: Make) -> None:
    bench = make_cdc2()
    before = len(bench.frames("CDC2_EmbCmd"))
    bench.run_for(ms(100))
    lose_primary(bench)
    bench.run_for(ms(100))
    assert len(bench.frames("CDC2_EmbCmd")) == before + 20


def test_during_start_up_a_primary_that_is_not_there_yet_is_not_lost(
    make_bench: Make, database: Database
) -> None:
    bench = make_bench(Cdc2("CDC2", database), "CDC2", inputs={"auto_hold_switch_state": 0.0})
    bench.run_to(ms(199))
    assert bench.happened("detection") == []
    assert bench.node.application.state is StandbyState.START_UP


def test_a_primary_that_never_comes_is_lost_after_start_up(make_cdc2: Make) -> None:
    bench = make_cdc2(with_primary=False, travel_mm=30.0, until_ns=ms(220))
    assert bench.node.application.state is StandbyState.COMMANDING
    assert all(valid and force_n > 1_000 for force_n, valid in asked(bench))


# -- take over -------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase_ms", range(10))
def test_it_commands_within_15_ms_of_the_third_missed_frame(make_cdc2: Make, phase_ms: int) -> None:
    bench = make_cdc2(travel_mm=30.0)
    bench.stop("CDC_EmbCmd")
    bench.run_for(ms(10 + phase_ms))  # another phase between the two controllers
    for _ in range(10):
        last_ns = bench.now_ns
        bench.say("CDC_EmbCmd", **primary(3_000))
        bench.run_for(ms(5))
    last_ns = bench.now_ns
    bench.say("CDC_EmbCmd", **primary(3_000))
    third_missed_ns = last_ns + ms(15)
    bench.run_to(third_missed_ns)
    assert asked(bench) == STANDING_BY
    for _ in bench.each_ms(15):
        if asked(bench) != STANDING_BY:
            break
    assert all(valid for _, valid in asked(bench))
    assert bench.now_ns - third_missed_ns <= ms(15)


def test_it_asks_for_what_the_pedal_asks(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    lose_primary(bench)
    bench.run_for(ms(40))
    forces_n = [force_n for force_n, _ in asked(bench)]
    assert forces_n[0] == forces_n[1] > forces_n[2] == forces_n[3] > 2_000
    bench.repeat("BPS_Pedal", **pedal(0.0))
    bench.run_for(ms(20))
    assert asked(bench) == [(0.0, 1)] * 4


def test_requests_that_are_not_valid_are_no_command_of_the_primary(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    bench.repeat("CDC_EmbCmd", **primary(valid=0))
    bench.run_for(ms(40))
    assert bench.happened("detection") == ["no valid CDC_EmbCmd for three cycles"]
    assert all(valid for _, valid in asked(bench))


@pytest.mark.parametrize("corner", CORNERS)
def test_one_request_that_is_not_valid_is_no_command_of_the_primary(
    make_cdc2: Make, corner: str
) -> None:
    bench = make_cdc2()
    bench.repeat("CDC_EmbCmd", **(primary() | {f"CDC_{corner}_ReqVld": 0}))
    bench.run_for(ms(40))
    assert bench.node.application.state.name == "COMMANDING"
    bench.repeat("CDC_EmbCmd", **primary())
    bench.run_for(ms(100))
    assert bench.node.application.state.name == "STANDBY"


def test_without_a_pedal_it_asks_for_nothing_either(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    bench.stop("BPS_Pedal")
    bench.run_for(ms(100))
    lose_primary(bench)
    bench.run_for(ms(40))
    assert {valid for _, valid in asked(bench)} == {0}


def test_slip_control_goes_on_from_the_force_the_primary_held(make_cdc2: Make) -> None:
    """The primary holds 6 kN on a slippery road; the pedal asks for far more."""
    bench = make_cdc2(travel_mm=60.0)
    drive(bench, force_n=6_000, kmh=91.0)  # 9 % slip
    bench.repeat("CDC_EmbCmd", **primary(6_000, abs_active=1))
    bench.run_for(ms(100))
    lose_primary(bench)
    bench.run_for(ms(30))
    # From there it searches for the limit of the road, slowly.
    assert all(4_800 < force_n < 6_600 and valid for force_n, valid in asked(bench))


def test_a_hold_at_standstill_goes_on(make_cdc2: Make) -> None:
    """BRK-008: nobody presses the pedal, the car is held on a slope."""
    bench = make_cdc2(kmh=0.0)
    bench.port.inputs["auto_hold_switch_state"] = 1.0
    bench.repeat("IMU_Data", IMU_Ax=1.9, IMU_AxQf="Valid")
    drive(bench, force_n=7_000, kmh=0.0)
    bench.repeat("CDC_EmbCmd", **primary(7_000))
    bench.run_for(ms(300))
    lose_primary(bench)
    bench.run_for(ms(40))
    assert bench.node.application.control.hold.state is HoldState.HOLDING
    assert min(force_n for force_n, _ in asked(bench)) > 2_000


def test_forces_while_rolling_without_the_pedal_are_no_hold(make_cdc2: Make) -> None:
    """BRK-003: emergency braking of the primary ends with it, unless it is asked for here, too."""
    bench = make_cdc2()
    bench.port.inputs["auto_hold_switch_state"] = 1.0
    bench.repeat("CDC_EmbCmd", **primary(7_000))
    bench.run_for(ms(300))
    lose_primary(bench)
    bench.run_for(ms(40))
    assert asked(bench) == [(0.0, 1)] * 4


# -- hand back -------------------------------------------------------------------------------------


def test_it_hands_back_after_ten_valid_commands_and_not_before(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    lose_primary(bench)
    bench.run_for(ms(300))
    bench.repeat("CDC_EmbCmd", **primary(3_000))
    # Four frames until the stream is valid again, then ten.
    bench.run_for(ms(60))
    assert asked(bench) != STANDING_BY
    bench.run_for(ms(20))
    assert asked(bench) == STANDING_BY
    assert bench.node.application.control is None


def test_a_primary_that_stutters_is_not_trusted(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    lose_primary(bench)
    bench.run_for(ms(100))
    for _ in range(10):
        bench.repeat("CDC_EmbCmd", **primary(3_000))
        bench.run_for(ms(40))
        bench.repeat("CDC_EmbCmd", **primary(valid=0))
        bench.run_for(ms(10))
    assert bench.node.application.state is StandbyState.COMMANDING
    assert asked(bench) != STANDING_BY


def test_it_takes_over_again_when_the_primary_is_lost_again(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    for _ in range(2):
        bench.stop("CDC_EmbCmd")
        bench.run_for(ms(300))
        assert asked(bench) != STANDING_BY
        bench.repeat("CDC_EmbCmd", **primary(3_000))
        bench.run_for(ms(150))
        assert asked(bench) == STANDING_BY


def test_a_controller_in_command_can_be_copied(make_cdc2: Make) -> None:
    bench = make_cdc2(travel_mm=30.0)
    lose_primary(bench)
    bench.run_for(ms(100))
    for again in (copy.deepcopy(bench), pickle.loads(pickle.dumps(bench))):
        again.run_for(ms(50))
        assert asked(again) != STANDING_BY


def test_parameters_are_shared_by_copies() -> None:
    parameters = Cdc2Parameters(hand_back_cycles=3)
    assert copy.deepcopy(parameters) is parameters
