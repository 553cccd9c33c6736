"""Faults of a whole ECU: supply, reset, clock, communication stack."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import pytest

from simcore import Database, Restbus, Rig, UsageError, ms, us
from simcore.ecu.runtime import Ecu
from simcore.faults import BrownOut, ClockDrift, EcuReset, EcuSilent, StackRestart
from simcore.faults.ecu import EcuFault
from simcore.rig.injection import disturbed_messages

NODE = "VCU"
EVERY_FAULT: list[EcuFault] = [
    EcuSilent(node=NODE),
    EcuReset(node=NODE),
    BrownOut(node=NODE, off_ns=ms(12)),
    StackRestart(node=NODE),
    ClockDrift(node=NODE, ppm=20_000.0),
]


def counters(bench: Restbus, name: str = "VCU_Torque") -> list[int]:
    identifier = bench.database.message(name).arbitration_id
    return [
        record.frame.data[2]
        for record in bench.recorder.frames
        if record.frame.arbitration_id == identifier
    ]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (EcuSilent(node="EMB_FL"), "EMB_FL silent: supply of the ECU lost"),
        (EcuReset(node="CDC"), "CDC: reset"),
        (BrownOut(node="CDC", off_ns=ms(30)), "CDC: supply dips for 30 ms, then start-up"),
        (StackRestart(node="CDC"), "CDC: communication stack restarts"),
        (ClockDrift(node="CDC", ppm=100.0), "CDC: clock 100 ppm fast"),
        (ClockDrift(node="CDC", ppm=-5000.0), "CDC: clock 5000 ppm slow"),
    ],
)
def test_every_fault_has_a_sentence_that_names_its_node(fault: EcuFault, sentence: str) -> None:
    assert fault.sentence == sentence


def test_a_fault_is_a_value() -> None:
    fault = EcuSilent(node="EMB_FL")
    assert fault == EcuSilent(node="EMB_FL") != EcuSilent(node="EMB_FR")
    assert hash(fault) == hash(EcuSilent(node="EMB_FL"))
    assert pickle.loads(pickle.dumps(fault)) == fault
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault.node = "CDC"  # type: ignore[misc]


def test_a_fault_takes_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        EcuSilent("EMB_FL")  # type: ignore[call-arg]


# ---- supply ----


def test_a_silent_ecu_runs_no_task_until_its_supply_is_back(diary: Any) -> None:
    diary.inject(EcuSilent(node=NODE).during(ms(12), ms(33)))
    diary.run_for(ms(50))
    assert diary.ecu.times_ms("control") == [0, 5, 10, 33, 38, 43, 48]


def test_a_brown_out_ends_in_a_start_up_by_itself(diary: Any) -> None:
    injected = diary.inject(BrownOut(node=NODE, off_ns=ms(12)).at(ms(7)))
    diary.run_for(ms(8))
    assert diary.silenced == {NODE: ms(7)}
    diary.run_for(ms(22))
    assert diary.ecu.times_ms("control") == [0, 5, 19, 24, 29]
    assert (injected.stop_ns, diary.silenced) == (ms(19), {})


def test_a_brown_out_that_is_cleared_is_over_sooner(diary: Any) -> None:
    injected = diary.inject(BrownOut(node=NODE, off_ns=ms(12)), duration=ms(3))
    diary.run_for(ms(30))
    assert injected.stop_ns == ms(3)
    assert diary.ecu.times_ms("control") == [3, 8, 13, 18, 23, 28]


def test_a_reset_by_the_script_ends_an_outage_once_and_for_all(diary: Any) -> None:
    injected = diary.inject(BrownOut(node=NODE, off_ns=ms(12)))
    diary.reset_at(ms(4))
    diary.run_for(ms(22))
    assert injected.stop_ns == ms(4)
    assert diary.ecu.times_ms("control") == [4, 9, 14, 19]


def test_of_two_outages_the_longer_one_counts(diary: Any) -> None:
    silent = diary.inject(EcuSilent(node=NODE).during(ms(2), ms(30)))
    dip = diary.inject(BrownOut(node=NODE, off_ns=ms(10)).at(ms(6)))
    diary.run_for(ms(25))
    assert diary.ecu.times_ms("control") == [0]
    assert dip.stop_ns == ms(16)
    diary.run_for(ms(15))
    assert silent.stop_ns == ms(30)
    assert diary.ecu.times_ms("control") == [0, 30, 35, 40]


def test_an_ecu_resets_at_once_and_begins_anew(diary: Any) -> None:
    injected = diary.inject(EcuReset(node=NODE).at(ms(12)))
    diary.run_for(ms(30))
    assert diary.ecu.times_ms("control") == [0, 5, 10, 12, 17, 22, 27]
    assert (injected.start_ns, injected.stop_ns) == (ms(12), ms(12))
    assert diary.ecu.total == sum(when_ns >= ms(12) for when_ns, _ in diary.ecu.lines) - 1


def test_the_messages_of_an_ecu_that_resets_are_not_held_to_their_cycle(diary: Any) -> None:
    diary.inject(EcuSilent(node=NODE).during(ms(2), ms(4)))
    diary.run_for(ms(5))
    assert disturbed_messages(diary) == frozenset()
    diary.inject(EcuReset(node=NODE))
    assert "VCU_Torque" in disturbed_messages(diary)
    assert "BPS_Pedal" not in disturbed_messages(diary)


# ---- clock ----


@pytest.mark.parametrize("ppm", [10_000.0, -10_000.0])
def test_tasks_of_an_ecu_whose_clock_drifts_come_early_or_late(ppm: float, diary: Any) -> None:
    injected = diary.inject(ClockDrift(node=NODE, ppm=ppm), duration=ms(1000))
    diary.run_for(ms(1000))
    control_ms = diary.ecu.times_ms("control")
    expected = 1000 / 5 * (1 + ppm / 1e6) + 1
    assert abs(len(control_ms) - expected) <= 1
    assert injected.stop_ns == ms(1000)
    true_ms = [event.request_ns / ms(1) for event in diary.recorder.frames if event.sender == NODE]
    assert len(true_ms) == pytest.approx(100 * (1 + ppm / 1e6), abs=1.01)
    diary.run_for(ms(1000))
    assert abs(len(diary.ecu.times_ms("control")) - len(control_ms) - 200) <= 1


def test_a_reset_does_not_heal_a_clock(diary: Any) -> None:
    diary.inject(ClockDrift(node=NODE, ppm=100_000.0))
    diary.reset_at(ms(500))
    diary.run_for(ms(1000))
    assert len(diary.ecu.times_ms("control")) >= 219


# ---- communication stack ----


def test_a_restarted_stack_counts_from_the_start_and_forgets_what_it_received(diary: Any) -> None:
    diary.run_for(ms(108))
    ecu = diary.ecu
    pedal = ecu.reception("BPS_Pedal")
    assert pedal.usable(diary.now_ns)
    total = ecu.total
    diary.inject(StackRestart(node=NODE))
    assert not pedal.usable(diary.now_ns)
    assert pedal.data == b""
    assert ecu.total == total  # the application goes on
    diary.run_for(ms(60))
    assert pedal.usable(diary.now_ns)
    sent = counters(diary)
    assert sent[sent.index(0, 1) :] == list(range(len(sent) - sent.index(0, 1)))
    assert sent.index(0, 1) in (10, 11)
    assert ecu.times_ms("control") == list(range(0, 169, 5))


def test_a_restarted_stack_of_the_controller_is_noticed_by_its_receivers() -> None:
    rig = Rig()
    rig.run_for(ms(400))
    brake = rig.node("EMB_FL")
    assert isinstance(brake, Ecu)
    before = brake.reception("CDC_EmbCmd").rejected_count
    fork = rig.fork()
    rig.inject(StackRestart(node="CDC"))
    for each in (rig, fork):
        each.run_for(ms(50))
    assert brake.reception("CDC_EmbCmd").rejected_count > before
    healthy = fork.node("EMB_FL")
    assert isinstance(healthy, Ecu)
    assert healthy.reception("CDC_EmbCmd").rejected_count == before
    rig.run_for(ms(100))
    assert brake.reception("CDC_EmbCmd").usable(rig.now_ns)
    assert rig.log.findings == []


# ---- copies ----


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("stop_ns", [ms(9), ms(10), ms(13) + us(77)])
def test_every_fault_forks_and_pickles_in_the_middle(
    fault: EcuFault, stop_ns: int, diary: Any
) -> None:
    diary.inject(fault.during(ms(10), ms(31)))
    diary.run_for(stop_ns)
    others = [diary.fork(), pickle.loads(pickle.dumps(diary))]
    for each in (diary, *others):
        each.run_for(ms(80) - stop_ns)
        assert each.faults[0].stop_ns is not None
    assert {each.digest for each in others} == {diary.digest}
    assert [each.ecu.lines for each in others] == [diary.ecu.lines] * 2


# ---- what is refused ----


@pytest.mark.parametrize("ppm", [0.0, 100_001.0, -1e9, float("nan")])
def test_a_drift_that_is_none_or_no_clock_any_more_is_refused(ppm: float) -> None:
    with pytest.raises(UsageError, match=r"^ClockDrift.ppm: expected -100000..100000, not 0, got "):
        ClockDrift(node=NODE, ppm=ppm)


def test_a_dip_of_no_length_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^BrownOut.off_ns: expected an integer >= 1, got 0$"):
        BrownOut(node=NODE, off_ns=0)


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_an_unknown_node_is_refused(fault: EcuFault, diary: Any) -> None:
    with pytest.raises(UsageError, match=r"^node 'XXX': expected one of .*, got XXX$"):
        diary.inject(dataclasses.replace(fault, node="XXX"))


@pytest.mark.parametrize("fault", [EcuReset(node=NODE), StackRestart(node=NODE)])
def test_what_is_off_can_neither_reset_nor_restart(fault: EcuFault, diary: Any) -> None:
    diary.silence(NODE)
    kind = type(fault).__name__
    with pytest.raises(
        UsageError, match=rf"^{kind}, node VCU: expected a node that runs, got one that is off$"
    ):
        diary.inject(fault)


def test_a_module_of_another_make_has_no_stack_to_restart() -> None:
    rig = Restbus(Database.reference(), play=["VCU"])
    with pytest.raises(UsageError, match=r"^StackRestart, node VCU: expected a simulated ECU "):
        rig.inject(StackRestart(node=NODE))
