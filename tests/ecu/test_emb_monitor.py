"""Level 2 of an actuator: what it permits, when it limits, when it cuts (SAF-002)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from simcore.ecu.emb.monitor import (
    IGNORED,
    TRANSITIONS,
    MonitorEvent,
    MonitorState,
    next_state,
)
from simcore.ecu.emb.states import EmbState
from simcore.network import Database

Make = Callable[..., Any]


def test_the_table_says_something_about_every_pair_and_never_twice() -> None:
    assert TRANSITIONS.keys() | IGNORED == set(itertools.product(MonitorState, MonitorEvent))
    assert TRANSITIONS.keys() & IGNORED == set()


def test_nothing_leads_back_from_a_cut() -> None:
    for event in MonitorEvent:
        assert next_state(MonitorState.CUT, event) is MonitorState.CUT


def test_state_values_are_those_of_the_database() -> None:
    choices = Database.reference().message("EMB_FL_St1").signal("EMB_FL_MonSt").choices
    named = {state.value: state.name.lower() for state in MonitorState}
    assert named.items() <= {value: text.lower() for value, text in choices.items()}.items()


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RR"])
def test_a_power_stage_that_drives_by_itself_is_cut_in_2_ms_and_never_clamps(
    make_brake: Make, name: str
) -> None:
    brake = make_brake(name)
    brake.force_current_a = 40.0
    forces_n = brake.run(2)
    assert brake.bench.node.monitor.state is MonitorState.CUT
    assert not brake.watchdog.enabled
    forces_n += brake.run(1_000)
    assert max(forces_n) < 500.0
    assert brake.application.state is EmbState.SAFE_RELEASED
    status = brake.bench.last(f"{name}_St1")
    assert (status[f"{name}_MonSt"], status[f"{name}_FaultLvl"]) == ("Cut", "Failed")
    assert (status[f"{name}_State"], status[f"{name}_EnLine"]) == ("SafeReleased", "Off")


def test_while_braking_a_power_stage_that_drives_by_itself_is_cut_and_the_brake_opens(
    make_brake: Make,
) -> None:
    brake = make_brake()
    brake.command(8_000.0)
    brake.run(300)
    brake.force_current_a = 40.0
    forces_n = brake.run(400)
    assert brake.bench.node.monitor.state is MonitorState.CUT
    assert max(forces_n) < 12_000.0
    assert forces_n[-1] < 1_000.0


def test_an_ecu_that_has_cut_goes_on_serving_its_watchdog(make_brake: Make) -> None:
    """A reset would let the power stage drive again."""
    brake = make_brake()
    brake.force_current_a = 40.0
    brake.run(10)
    served = len(brake.watchdog.served)
    brake.run(100)
    assert len(brake.watchdog.served) - served == 20
    assert not brake.bench.node.supervision.safe_state_demanded


def test_where_the_enable_line_does_not_drop_the_watchdog_is_no_longer_served(
    make_brake: Make,
) -> None:
    brake = make_brake()
    brake.watchdog.obeys = False
    brake.force_current_a = 40.0
    brake.run(20)
    served = len(brake.watchdog.served)
    brake.run(50)
    assert len(brake.watchdog.served) == served
    assert "watchdog no longer served" in brake.events("reaction")[-1]
    assert brake.events("reaction").count("power stage cut") == 1


def test_a_cut_is_not_left_when_the_power_stage_is_quiet_again(make_brake: Make) -> None:
    brake = make_brake()
    brake.force_current_a = 40.0
    brake.run(10)
    brake.force_current_a = None
    brake.watchdog.enabled = True
    brake.command(8_000.0)
    assert max(brake.run(1_000)) < 500.0
    assert brake.application.state is EmbState.SAFE_RELEASED


def test_a_start_begins_without_a_cut(make_brake: Make) -> None:
    brake = make_brake()
    brake.force_current_a = 40.0
    brake.run(10)
    brake.force_current_a = None
    brake.watchdog.enabled = True
    brake.bench.node.start(brake.bench.port, brake.bench.now_ns)
    brake.run(200)
    brake.command(8_000.0)
    assert brake.run(300)[-1] == pytest.approx(8_000.0, rel=0.03)


def test_a_start_with_the_brake_clamped_finds_nothing(make_brake: Make) -> None:
    """After a reset while braking the caliper is on its way open."""
    brake = make_brake()
    brake.command(20_000.0)
    brake.run(300)
    brake.watchdog.enabled = False
    brake.bench.node.start(brake.bench.port, brake.bench.now_ns)
    brake.command(0.0)
    brake.run(30)
    brake.watchdog.enabled = True
    brake.run(400)
    assert brake.events("detection") == []
    assert brake.bench.node.monitor.state is MonitorState.OK
    assert brake.caliper.clamp_force_n < 500.0


def test_a_set_point_that_nobody_asked_for_is_limited_before_it_clamps(make_brake: Make) -> None:
    """A flipped bit in the force loop: level 2 reads the command itself."""
    brake = make_brake()
    brake.command(4_000.0)
    brake.run(200)
    brake.command(0.0)
    brake.run(300)
    brake.application._target_n = 40_000.0
    forces_n = brake.run(200)
    assert max(forces_n) < 1_000.0
    assert brake.events("detection") == ["level 2: motor runs to clamp without a request"]
    assert brake.bench.node.monitor.state is MonitorState.OK
    assert brake.application.state is EmbState.READY


def test_a_set_point_that_stays_wrong_is_cut(make_brake: Make) -> None:
    brake = make_brake()
    brake.command(4_000.0)
    brake.run(300)
    for _ in range(200):
        brake.application._target_n = 30_000.0
        brake.run(1)
        if brake.bench.node.monitor.state is MonitorState.CUT:
            break
    assert brake.bench.node.monitor.state is MonitorState.CUT
    texts = brake.events("detection")
    assert "permitted are 4000 N" in texts[0]
    assert "in spite of limiting" in texts[1]


def test_without_its_monitor_a_power_stage_that_drives_by_itself_clamps(make_brake: Make) -> None:
    brake = make_brake(without=["monitor"])
    brake.force_current_a = 40.0
    assert max(brake.run(200)) > 30_000.0
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_MonSt"] == "SNA"


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RL"])
@pytest.mark.parametrize("force_n", [1_000.0, 12_000.0, 27_000.0])
@pytest.mark.parametrize("pressed_ms", [10, 40, 300])
def test_braking_and_letting_go_finds_nothing(
    make_brake: Make, name: str, force_n: float, pressed_ms: int
) -> None:
    brake = make_brake(name)
    for _ in range(3):
        brake.command(force_n)
        brake.run(pressed_ms)
        brake.command(0.0)
        brake.run(170)
    assert brake.events("detection") == []
    assert brake.bench.node.monitor.state is MonitorState.OK


def test_slip_control_finds_nothing(make_brake: Make) -> None:
    brake = make_brake()
    for force_n in (18_000.0, 3_000.0, 9_000.0, 1_000.0, 14_000.0, 200.0, 20_000.0):
        for share in (0.4, 1.0, 0.7):
            brake.command(share * force_n)
            brake.run(25)
    assert brake.events("detection") == []


@pytest.mark.parametrize("name", ["EMB_FL", "EMB_RR"])
@pytest.mark.parametrize("after_ms", [5, 10, 25, 40, 60])
def test_letting_go_in_slip_control_gives_the_fall_its_full_time(
    make_brake: Make, name: str, after_ms: int
) -> None:
    """What was asked for last counts, although it fell to it a while before."""
    brake = make_brake(name)
    brake.command(9_000.0)
    brake.run(200)
    for force_n in (4_500.0, 5_500.0, 4_000.0, 5_000.0):
        brake.command(force_n)
        brake.run(after_ms)
    brake.command(0.0)
    brake.run(300)
    assert brake.events("detection") == []


def test_what_is_permitted_after_a_fall_is_held_for_30_ms_and_then_falls(make_brake: Make) -> None:
    brake = make_brake()
    brake.command(9_000.0)
    brake.run(200)
    brake.command(5_000.0)
    brake.run(100)
    monitor = brake.bench.node.monitor
    assert monitor.permitted_n == 5_000.0
    brake.command(0.0)
    permitted_n = []
    for _ in range(14):
        brake.run(5)
        permitted_n.append(monitor.permitted_n)
    held = permitted_n.count(5_000.0)
    assert 6 <= held <= 8
    assert permitted_n[held : held + 4] == [3_500.0, 2_000.0, 500.0, 0.0]


def test_hold_and_park_find_nothing(make_brake: Make) -> None:
    brake = make_brake("EMB_RL")
    brake.command(9_000.0)
    brake.run(300)
    brake.command(2_000.0, "Hold")
    brake.run(300)
    brake.command(0.0, "ParkApply")
    brake.run(500)
    assert brake.application.state is EmbState.PARK_APPLIED
    brake.command(0.0, "ParkRelease")
    brake.run(300)
    assert brake.application.state is EmbState.READY
    assert brake.events("detection") == []
