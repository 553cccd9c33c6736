"""Tasks of an actuator under supervision: WDG-001, WDG-002, and what it tells on the bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.ecu.emb.states import EmbState
from simcore.ecu.emb.supervision import (
    CYCLE_NS,
    EXECUTION_NS,
    FORCE_LOOP,
    SETTINGS,
)
from simcore.ecu.runtime.schedule_disturbed import (
    Double,
    Hang,
    Skip,
    Slowdown,
    Swap,
    TaskDisturbance,
    disturbed_schedule,
)
from simcore.units import ms
from simcore.watchdog.statuses import GlobalStatus

Make = Callable[..., Any]
TASKS = ("force loop", "communication", "monitor", "send EMB_FL_St1")
ENTITIES = dict(zip(TASKS, ("force_loop", "communication", "monitor", "status_1"), strict=True))
SERVICE_TO_ENABLE_LOW_NS = ms(50)
"""The external watchdog drops the enable line so long after the last service, at the latest."""


def place(brake: Any, name: str) -> int:
    """Of a task, in the order declared."""
    return [task.name for task in brake.bench.node._tasks].index(name)


def disturb(brake: Any, disturbance: TaskDisturbance) -> None:
    disturbed_schedule(brake.bench.node).add(disturbance)


def ends_of_service_ns(brake: Any, disturbance: TaskDisturbance) -> int:
    """From a fault to the last service after it; the rig would see the enable line drop then."""
    begun_ns = brake.bench.now_ns
    disturb(brake, disturbance)
    brake.run(200)
    served = brake.watchdog.served
    assert not served or served[-1] < brake.bench.now_ns - ms(100), "it goes on serving"
    return max(0, served[-1] - begun_ns)


def status(brake: Any) -> GlobalStatus:
    return brake.bench.node.supervision.global_status


# -- without a fault -----------------------------------------------------------------------------


def test_a_sound_actuator_serves_its_watchdog_every_5_ms(make_brake: Make) -> None:
    brake = make_brake()
    brake.watchdog.served.clear()
    brake.command(12_000.0)
    begun_ns = brake.bench.now_ns
    brake.run(1_000)
    assert brake.watchdog.served == list(range(begun_ns + ms(5), begun_ns + ms(1_001), ms(5)))
    assert status(brake) is GlobalStatus.OK


def test_status_and_enable_line_are_on_the_bus(make_brake: Make) -> None:
    brake = make_brake()
    one, two = brake.bench.last("EMB_FL_St1"), brake.bench.last("EMB_FL_St2")
    assert (one["EMB_FL_WdgSt"], one["EMB_FL_EnLine"], one["EMB_FL_MonSt"]) == ("Ok", "On", "Ok")
    assert (two["EMB_FL_WdgErrCnt"], two["EMB_FL_WdgFirstExp"]) == (0, 0)
    brake.watchdog.error_count = 4
    disturb(brake, Hang(place(brake, "communication")))
    brake.watchdog.enabled = True
    brake.run(4)
    assert brake.bench.node.supervision.error_count == 4


def test_without_a_watchdog_nothing_is_supervised(make_brake: Make) -> None:
    brake = make_brake(without=["watchdog"])
    assert brake.watchdog.served == []
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_WdgSt"] == "Deactivated"
    names = [task.name for task in brake.bench.node._tasks]
    assert "supervision" not in names


# -- disturbed tasks -----------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("braking", [False, True], ids=["open", "braking"])
def test_a_hung_task_ends_the_service_in_15_ms(make_brake: Make, task: str, braking: bool) -> None:
    brake = make_brake()
    brake.command(12_000.0 if braking else 0.0)
    brake.run(303)
    ended_ns = ends_of_service_ns(brake, Hang(place(brake, task)))
    assert ended_ns <= ms(15)
    assert ended_ns + SERVICE_TO_ENABLE_LOW_NS <= ms(100)  # WDG-002


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("factor", [3, 10])
def test_a_task_three_times_as_slow_ends_the_service_in_15_ms(
    make_brake: Make, task: str, factor: int
) -> None:
    brake = make_brake()
    extra_ns = (factor - 1) * EXECUTION_NS[ENTITIES[task]]
    assert ends_of_service_ns(brake, Slowdown(place(brake, task), extra_ns)) <= ms(15)
    assert status(brake) is GlobalStatus.STOPPED


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("every", [1, 2])
def test_a_skipped_task_ends_the_service_in_20_ms(make_brake: Make, task: str, every: int) -> None:
    brake = make_brake()
    assert ends_of_service_ns(brake, Skip(place(brake, task), every)) <= ms(20)
    assert status(brake) is GlobalStatus.STOPPED


@pytest.mark.parametrize("task", TASKS)
def test_a_doubled_task_ends_the_service_in_15_ms(make_brake: Make, task: str) -> None:
    brake = make_brake()
    assert ends_of_service_ns(brake, Double(place(brake, task))) <= ms(15)
    assert status(brake) is GlobalStatus.STOPPED


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("force loop", "communication"),
        ("force loop", "monitor"),
        ("communication", "monitor"),
    ],
)
def test_tasks_in_the_wrong_order_end_the_service_in_15_ms(
    make_brake: Make, first: str, second: str
) -> None:
    brake = make_brake()
    swap = Swap(place(brake, first), place(brake, second))
    assert ends_of_service_ns(brake, swap) <= ms(15)
    assert status(brake) is GlobalStatus.STOPPED


def test_one_activation_lost_is_noticed_and_forgiven(make_brake: Make) -> None:
    brake = make_brake()
    skip = Skip(place(brake, "force loop"), 1_000)
    disturb(brake, skip)
    brake.run(100)
    assert skip.count == 1
    assert status(brake) is GlobalStatus.OK
    (text,) = brake.events("detection")
    assert text.startswith("supervision: force_loop FAILED")


def test_the_entity_that_expired_first_is_told(make_brake: Make) -> None:
    brake = make_brake()
    disturb(brake, Double(place(brake, "monitor")))
    brake.run(60)
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_WdgSt"] == "Stopped"
    assert brake.bench.last("EMB_FL_St2")["EMB_FL_WdgFirstExp"] == 3


def test_the_deadline_of_every_task_is_below_three_times_its_execution_time() -> None:
    mode = SETTINGS.modes[0]
    assert {each.entity for each in mode.entities} == {each.name for each in SETTINGS.entities}
    for entity in mode.entities:
        (deadline,) = entity.deadline
        assert EXECUTION_NS[entity.entity] < deadline.max_ns < 3 * EXECUTION_NS[entity.entity]
        assert entity.alive
    assert SETTINGS.cycle_ns == CYCLE_NS == ms(5)
    assert SETTINGS.entities[0].name == FORCE_LOOP


# -- the enable line -----------------------------------------------------------------------------


def test_a_lost_enable_line_releases_and_is_told_within_10_ms(make_brake: Make) -> None:
    brake = make_brake()
    brake.command(12_000.0)
    brake.run(400)
    brake.watchdog.enabled = False
    brake.run(10)
    assert brake.application.state is EmbState.SAFE_RELEASED
    told = brake.bench.last("EMB_FL_St1")
    assert (told["EMB_FL_State"], told["EMB_FL_EnLine"]) == ("SafeReleased", "Off")
    assert (told["EMB_FL_FaultLvl"], told["EMB_FL_FMaxAvl"]) == ("Failed", 0)
    assert "enable line lost" in brake.events("detection")[-1]


def test_it_takes_part_again_150_ms_after_the_enable_line_is_back(make_brake: Make) -> None:
    brake = make_brake()
    brake.command(12_000.0)
    brake.run(400)
    brake.watchdog.enabled = False
    brake.run(200)
    brake.watchdog.enabled = True
    brake.run(145)
    assert brake.application.state is EmbState.SELF_TEST
    brake.run(200)
    assert brake.application.state is EmbState.FORCE_CTRL
    assert brake.caliper.clamp_force_n == pytest.approx(12_000.0, rel=0.05)


def test_a_parked_brake_needs_no_enable_line(make_brake: Make) -> None:
    brake = make_brake("EMB_RL")
    brake.command(0.0, "ParkApply")
    brake.run(500)
    brake.watchdog.enabled = False
    brake.run(100)
    assert brake.application.state is EmbState.PARK_APPLIED
    assert brake.caliper.clamp_force_n > 11_000.0


# -- arrival -------------------------------------------------------------------------------------


def test_commands_that_come_16_ms_late_for_good_are_not_obeyed(make_brake: Make) -> None:
    """A constant delay: in sequence, one per cycle, and too old."""
    brake = make_brake()
    brake.command(12_000.0)
    brake.run(300)
    values, due_ns = brake.bench._cyclic["CDC_EmbCmd"]
    brake.bench._cyclic["CDC_EmbCmd"] = (values, due_ns + ms(20))
    brake.run(60)
    assert brake.bench.node.selection.primary_late
    assert any("CDC_EmbCmd late by" in text for text in brake.events("detection"))
    assert "primary lane not obeyed" in brake.events("reaction")
    brake.run(600)
    assert brake.caliper.clamp_force_n < 500.0  # COM-004: no lane, no pedal


def test_without_arrival_monitoring_they_are_obeyed(make_brake: Make) -> None:
    brake = make_brake(without=["arrival"])
    brake.command(12_000.0)
    brake.run(300)
    values, due_ns = brake.bench._cyclic["CDC_EmbCmd"]
    brake.bench._cyclic["CDC_EmbCmd"] = (values, due_ns + ms(20))
    brake.run(660)
    assert brake.caliper.clamp_force_n == pytest.approx(12_000.0, rel=0.03)


def test_a_controller_that_begins_anew_is_not_late(make_brake: Make) -> None:
    brake = make_brake()
    brake.command(12_000.0)
    brake.run(300)
    values, due_ns = brake.bench._cyclic["CDC_EmbCmd"]
    starting = {**values, "CDC_FL_ReqVld": 0}
    brake.bench._cyclic["CDC_EmbCmd"] = (starting, due_ns + ms(500))
    brake.run(560)
    brake.command(12_000.0)
    brake.run(200)
    assert not brake.bench.node.selection.primary_late
    assert brake.caliper.clamp_force_n == pytest.approx(12_000.0, rel=0.03)


# -- wheel speed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("speed_radps", [501.0, -501.0, float("nan"), float("inf")])
def test_a_wheel_speed_no_wheel_has_is_invalid_and_counts_no_pulses(
    make_brake: Make, speed_radps: float
) -> None:
    brake = make_brake()
    before = brake.bench.last("EMB_FL_St1")["EMB_FL_WhlPls"]
    brake.bench.port.inputs["wheel_speed_radps"] = speed_radps
    brake.run(50)
    told = brake.bench.last("EMB_FL_St1")
    assert (told["EMB_FL_WhlSpdQf"], told["EMB_FL_WhlPls"]) == ("Invalid", before)
    brake.bench.port.inputs["wheel_speed_radps"] = 500.0
    brake.run(10)
    assert brake.bench.last("EMB_FL_St1")["EMB_FL_WhlSpdQf"] == "Valid"
