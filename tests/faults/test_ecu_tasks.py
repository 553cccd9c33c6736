"""Faults of a task: hung, slow, left out, run twice, in the wrong order; what the others suffer."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from simcore import Database, Restbus, Rig, UsageError, ms
from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.schedule import ScheduleTable
from simcore.ecu.runtime.schedule_disturbed import DisturbedSchedule
from simcore.faults import TaskDoubled, TaskHung, TaskOrderSwapped, TaskSkipped, TaskSlow
from simcore.faults.ecu_tasks import ScheduleFault
from simcore.rig.injection import disturbed_messages
from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)
from simcore.watchdog.presets import fs65

NODE = "VCU"
HUNG = TaskHung(node=NODE, task="control")
SLOW = TaskSlow(node=NODE, task="control", factor=3.5)
SKIPPED = TaskSkipped(node=NODE, task="control", every=3)
DOUBLED = TaskDoubled(node=NODE, task="control")
SWAPPED = TaskOrderSwapped(node=NODE, first="control", second="slave")
EVERY_FAULT: list[ScheduleFault] = [HUNG, SLOW, SKIPPED, DOUBLED, SWAPPED]


def order(diary: Any, time_ns: int) -> list[str]:
    """What ran at an instant, in order."""
    return [name for when_ns, name in diary.ecu.lines if when_ns == time_ns]


# ---- hung ----


def test_a_hung_task_and_what_has_a_lower_priority_run_no_more(diary: Any) -> None:
    injected = diary.inject(HUNG.at(ms(12)))
    diary.run_for(ms(40))
    ecu = diary.ecu
    assert ecu.times_ms("control") == [0, 5, 10]
    assert ecu.times_ms("slave") == [0, 5, 10]  # same period, declared later
    assert ecu.times_ms("slow") == [0, 10]
    assert max(ecu.times_ms("send")) < 15
    assert ecu.times_ms("fast") == list(range(41))  # shorter period: it goes on
    assert injected.record.effect == "17 activations lost"


def test_tasks_of_a_longer_period_starve_and_those_declared_before_do_not(diary: Any) -> None:
    diary.inject(TaskHung(node=NODE, task="slave").at(ms(1)))
    diary.run_for(ms(20))
    assert diary.ecu.times_ms("control") == [0, 5, 10, 15, 20]
    assert diary.ecu.times_ms("slave") == diary.ecu.times_ms("slow") == [0]


def test_a_task_of_the_longest_period_hangs_alone(diary: Any) -> None:
    diary.inject(TaskHung(node=NODE, task="slow").at(ms(1)))
    diary.run_for(ms(20))
    assert diary.ecu.times_ms("slow") == [0]
    assert diary.ecu.times_ms("slave") == [0, 5, 10, 15, 20]


def test_a_reset_ends_a_hang(diary: Any) -> None:
    injected = diary.inject(HUNG)
    diary.reset_at(ms(12))
    diary.run_for(ms(30))
    assert diary.ecu.times_ms("control", ms(1)) == [12, 17, 22, 27]
    assert injected.stop_ns == ms(12)
    assert isinstance(diary.ecu._schedule, ScheduleTable)


def test_a_permanent_hang_is_there_again_after_each_reset(diary: Any) -> None:
    injected = diary.inject(TaskHung(node=NODE, task="control", permanent=True))
    diary.reset_at(ms(12))
    diary.reset_at(ms(20))
    diary.run_for(ms(40))
    assert diary.ecu.times_ms("control", ms(1)) == []
    assert diary.ecu.times_ms("fast", ms(21)) == list(range(21, 41))
    assert injected.stop_ns is None
    injected.clear()
    diary.run_for(ms(20))
    assert diary.ecu.times_ms("control", ms(1)) == [45, 50, 55, 60]
    assert isinstance(diary.ecu._schedule, ScheduleTable)


def test_a_permanent_fault_goes_with_the_module_that_had_the_task(diary: Any) -> None:
    injected = diary.inject(TaskHung(node=NODE, task="control", permanent=True))
    diary.run_for(ms(5))
    diary.replace(NODE, Watched(NODE, diary.database))
    assert injected.stop_ns == ms(5)


def test_a_hang_that_is_cleared_lets_the_next_activations_of_all_run(diary: Any) -> None:
    diary.inject(HUNG, duration=ms(13))
    diary.run_for(ms(30))
    assert diary.ecu.times_ms("control", ms(1)) == [15, 20, 25, 30]
    assert diary.ecu.times_ms("slow", ms(1)) == [20, 30]


# ---- slow ----


def test_a_slow_task_comes_late_and_what_has_a_lower_priority_waits(diary: Any) -> None:
    injected = diary.inject(SLOW.at(ms(7)))  # 3.5 times 1 ms: 2.5 ms later
    diary.run_for(ms(23))
    ecu = diary.ecu
    assert ecu.times_ms("control") == [0, 5, 12.5, 17.5, 22.5]
    assert ecu.times_ms("slave") == [0, 5, 12.5, 17.5, 22.5]
    assert ecu.times_ms("slow") == [0, 12.5, 22.5]
    assert order(diary, ms(12) + 500_000) == ["control", "slave", "slow"]
    assert ecu.times_ms("fast") == list(range(24))
    assert injected.record.effect == "3 activations late"


def test_a_task_slower_than_its_period_loses_activations(diary: Any) -> None:
    diary.inject(TaskSlow(node=NODE, task="control", factor=8.0).at(ms(1)))
    diary.run_for(ms(31))
    assert diary.ecu.times_ms("control", ms(1)) == [12, 22]


def test_a_slow_task_that_is_well_again_ends_what_it_has_begun(diary: Any) -> None:
    diary.inject(SLOW.during(ms(9), ms(11)))
    diary.run_for(ms(20))
    assert diary.ecu.times_ms("control") == [0, 5, 12.5, 15, 20]


def test_two_slow_tasks_add_up(diary: Any) -> None:
    diary.inject(SLOW.at(ms(1)))
    diary.inject(TaskSlow(node=NODE, task="control", factor=2.0).at(ms(2)))
    diary.run_for(ms(9))
    assert diary.ecu.times_ms("control") == [0, 8.5]


# ---- left out, twice, swapped ----


def test_a_skipped_task_misses_every_third_activation(diary: Any) -> None:
    injected = diary.inject(SKIPPED.at(ms(1)))
    diary.run_for(ms(40))
    assert diary.ecu.times_ms("control") == [0, 10, 15, 25, 30, 40]
    assert diary.ecu.times_ms("slave") == list(range(0, 41, 5))
    assert injected.record.effect == "3 activations left out"


def test_a_task_that_is_always_skipped_never_runs(diary: Any) -> None:
    diary.inject(TaskSkipped(node=NODE, task="send VCU_Torque").at(ms(1)))
    diary.run_for(ms(40))
    assert diary.ecu.times_ms("send", ms(1)) == []


def test_a_doubled_task_runs_twice_in_a_row(diary: Any) -> None:
    injected = diary.inject(DOUBLED.during(ms(1), ms(11)))
    diary.run_for(ms(15))
    assert diary.ecu.times_ms("control") == [0, 5, 5, 10, 10, 15]
    assert [name for name in order(diary, ms(5)) if name != "fast"][:3] == [
        "control",
        "control",
        "slave",
    ]
    assert injected.record.effect == "2 activations run twice"


def test_swapped_tasks_run_in_the_other_order_where_both_are_due(diary: Any) -> None:
    diary.inject(TaskOrderSwapped(node=NODE, first="slow", second="fast").at(ms(1)))
    diary.run_for(ms(10))
    assert order(diary, 0)[:4] == ["slow", "control", "slave", "fast"]
    assert order(diary, ms(5))[:3] == ["control", "slave", "fast"]
    assert order(diary, ms(10))[:4] == ["fast", "control", "slave", "slow"]


# ---- together ----


def test_faults_of_several_tasks_act_together(diary: Any) -> None:
    diary.inject(DOUBLED.at(ms(1)) + SLOW.at(ms(1)) + TaskHung(node=NODE, task="slow").at(ms(6)))
    diary.run_for(ms(15))
    assert diary.ecu.times_ms("control") == [0, 7.5, 7.5, 12.5, 12.5]
    assert diary.ecu.times_ms("slow") == [0]


def test_one_of_two_faults_ends_and_the_other_goes_on(diary: Any) -> None:
    skipped = diary.inject(TaskSkipped(node=NODE, task="slave"))
    diary.inject(DOUBLED)
    diary.run_for(ms(1))
    skipped.clear()
    diary.run_for(ms(9))
    assert diary.ecu.times_ms("slave", ms(1)) == [5, 10]
    assert diary.ecu.times_ms("control", ms(1)) == [5, 5, 10, 10]
    assert isinstance(diary.ecu._schedule, DisturbedSchedule)


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_every_task_fault_ends_and_leaves_the_ecu_as_if_it_had_never_been(
    fault: ScheduleFault, diary: Any
) -> None:
    healthy = diary.fork()
    injected = diary.inject(fault.during(ms(8), ms(22)))
    for each in (diary, healthy):
        each.run_for(ms(100))
    assert injected.stop_ns == ms(22)
    since_ns = ms(30)
    tail = [[line for line in each.ecu.lines if line[0] > since_ns] for each in (diary, healthy)]
    assert tail[0] == tail[1] != []
    assert diary.ecu.lines != healthy.ecu.lines
    assert "VCU_Torque" in disturbed_messages(diary)
    assert disturbed_messages(healthy) == frozenset()


@pytest.mark.parametrize("stop_ns", [ms(9), ms(11), ms(12), ms(16)])
@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_every_task_fault_forks_and_pickles_in_the_middle(
    fault: ScheduleFault, stop_ns: int, diary: Any
) -> None:
    diary.inject(fault.during(ms(10), ms(24)))
    diary.run_for(stop_ns)
    others = [diary.fork(), pickle.loads(pickle.dumps(diary))]
    for each in (diary, *others):
        each.run_for(ms(50) - stop_ns)
    assert {each.digest for each in others} == {diary.digest}
    assert [each.ecu.lines for each in others] == [diary.ecu.lines] * 2
    assert [each.faults[0].record for each in others] == [diary.faults[0].record] * 2


# ---- what supervision sees ----


class Watched(Ecu):
    """`work` every 5 ms, supervised: alive, at most 2 ms long, start before end."""

    def configure(self, now_ns: int) -> None:
        graph = LogicalSupervision(("start",), ("end",), (("start", "end"),))
        work = SupervisedEntity("work", ("start", "end"), graph)
        mode = EntityMode(
            "work",
            alive=(AliveSupervision("start", 1),),
            deadline=(DeadlineSupervision("start", "end", ms(0), ms(2)),),
        )
        self.supervises(SupervisionSettings(ms(5), (work,), (SupervisionMode("on", (mode,)),)))
        self.runs(
            "work",
            period_ns=ms(5),
            offset_ns=0,
            action=self._work,
            execution_ns=ms(1),
            entity="work",
        )
        self.runs("idle", period_ns=ms(2), offset_ns=0, action=self._work)
        self.runs_supervision()

    def _work(self, now_ns: int) -> None:
        self.worked_ns = now_ns


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (TaskSlow(node=NODE, task="work", factor=3.0), "deadline"),
        (TaskSkipped(node=NODE, task="work", every=2), "alive 0 of 1"),
        (TaskDoubled(node=NODE, task="work"), "alive 2 of 1"),
        (TaskOrderSwapped(node=NODE, first="work", second="supervision"), "alive 0 of 1"),
    ],
)
def test_supervision_finds_a_disturbed_task(fault: ScheduleFault, told: str) -> None:
    rig = Restbus(Database.reference(), play=["BPS"])
    rig.replace(NODE, Watched(NODE, rig.database))
    rig.run_for(ms(52))
    rig.inject(fault)
    rig.run_for(ms(30))
    found = [event.text for event in rig.log.events if event.kind == "detection"]
    assert told in found[0]


def test_supervision_that_starves_with_a_hung_task_does_not_serve_its_watchdog() -> None:
    rig = Restbus(Database.reference(), play=["BPS"])
    rig.replace(NODE, Watched(NODE, rig.database))
    rig.guard(NODE, fs65())
    rig.run_for(ms(300))
    injected = rig.inject(TaskHung(node=NODE, task="work"))
    rig.run_for(ms(60))
    reactions = [event.text for event in rig.log.events if event.kind == "reaction"]
    assert any("enable line low" in text for text in reactions)
    assert any("reset" in text for text in reactions)
    assert injected.stop_ns is not None  # the reset has ended it
    rig.run_for(ms(300))
    board = rig.host(NODE).board
    assert board is not None and board.enabled


def test_a_permanent_hang_keeps_the_watchdog_resetting() -> None:
    rig = Restbus(Database.reference(), play=["BPS"])
    rig.replace(NODE, Watched(NODE, rig.database))
    rig.guard(NODE, fs65())
    rig.run_for(ms(300))
    rig.inject(TaskHung(node=NODE, task="work", permanent=True))
    rig.run_for(ms(900))
    resets = [e for e in rig.log.events if e.kind == "reaction" and "reset" in e.text]
    assert len(resets) >= 2
    board = rig.host(NODE).board
    assert board is not None and not board.enabled


# ---- on the reference chassis ----


def test_a_hung_control_task_of_the_domain_controller_stops_its_commands() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.inject(TaskHung(node="CDC", task="control", permanent=True))
    rig.run_for(ms(40))
    commands = rig.database.message("CDC_EmbCmd").arbitration_id
    sent = [r.request_ns for r in rig.recorder.frames if r.frame.arbitration_id == commands]
    assert ms(295) < max(sent) <= ms(300)


# ---- what is refused ----


def test_an_unknown_task_is_refused_with_all_there_are(diary: Any) -> None:
    with pytest.raises(
        UsageError,
        match=r"^TaskHung, node VCU: task: expected a task of slow, control, slave, fast, "
        r"send VCU_Torque, got 'controll'$",
    ):
        diary.inject(TaskHung(node=NODE, task="controll"))
    assert isinstance(diary.ecu._schedule, ScheduleTable)
    assert diary.faults == []


def test_a_task_without_execution_time_counts_as_taking_a_tenth_of_its_period(diary: Any) -> None:
    diary.inject(TaskSlow(node=NODE, task="fast", factor=4.0))
    diary.run_for(ms(3))
    assert diary.ecu.times_ms("fast") == [0.3, 1.3, 2.3]


@pytest.mark.parametrize(("first", "second"), [("slave", "control"), ("slave", "slave")])
def test_tasks_that_do_not_run_in_that_order_cannot_be_swapped(
    first: str, second: str, diary: Any
) -> None:
    with pytest.raises(
        UsageError,
        match=r"^TaskOrderSwapped, node VCU: expected two tasks that are due at the same instant, "
        rf"in the order they run, got '{first}' and '{second}'$",
    ):
        diary.inject(TaskOrderSwapped(node=NODE, first=first, second=second))


def test_tasks_that_are_never_due_together_cannot_be_swapped(diary: Any) -> None:
    assert diary.database.message("VCU_Torque").start_delay_ns % ms(5) != 0
    with pytest.raises(UsageError, match=r"^TaskOrderSwapped, node VCU: expected two tasks that"):
        diary.inject(TaskOrderSwapped(node=NODE, first="slave", second="send VCU_Torque"))


def test_a_module_without_named_tasks_is_refused() -> None:
    rig = Restbus(Database.reference(), play=["VCU"])
    with pytest.raises(
        UsageError,
        match=r"^TaskHung, node VCU: expected a simulated ECU \(simcore.ecu.runtime.Ecu\), whose "
        r"tasks have names, got a RestbusNode$",
    ):
        rig.inject(TaskHung(node="VCU", task="control"))


def test_an_ecu_that_is_off_has_no_task_to_disturb(diary: Any) -> None:
    diary.silence(NODE)
    with pytest.raises(UsageError, match=r"^TaskHung, node VCU: expected a node that runs, got "):
        diary.inject(HUNG)


@pytest.mark.parametrize("factor", [1.0, 0.5, -2.0, float("nan"), float("inf")])
def test_a_factor_that_makes_nothing_slower_is_refused(factor: float) -> None:
    with pytest.raises(
        UsageError, match=r"^TaskSlow.factor: expected more than 1, at most 1000000"
    ):
        TaskSlow(node=NODE, task="control", factor=factor)


def test_to_skip_every_zeroth_activation_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^TaskSkipped.every: expected an integer >= 1, got 0$"):
        TaskSkipped(node=NODE, task="control", every=0)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (HUNG, "VCU: task control hangs, and what has a lower priority starves"),
        (SLOW, "VCU: task control takes 3.5 times as long"),
        (SKIPPED, "VCU: task control is left out one time in 3"),
        (TaskSkipped(node="A", task="b"), "A: task b is left out"),
        (DOUBLED, "VCU: task control runs twice each time"),
        (SWAPPED, "VCU: task slave runs before control"),
        (
            TaskDoubled(node="A", task="b", permanent=True),
            "A: task b runs twice each time, also after a reset",
        ),
    ],
)
def test_every_task_fault_has_its_sentence(fault: ScheduleFault, sentence: str) -> None:
    assert fault.sentence == sentence


def test_activations_that_nobody_lost_are_counted_as_none(diary: Any) -> None:
    injected = diary.inject(TaskHung(node=NODE, task="slow"))
    assert (injected.did_nothing, injected.record.effect) == (True, "0 activations lost")
    diary.run_for(ms(10))
    assert (injected.did_nothing, injected.record.effect) == (False, "3 activations lost")
