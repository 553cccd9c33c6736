"""When a fault happens: at a time, during a time, after an event, several in a row, taken back."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simcore import Database, Restbus, Rig, UsageError, ms, s
from simcore.bus import Frame
from simcore.ecu import RestbusNode
from simcore.ecu.seam import Port
from simcore.faults import (
    BitError,
    BitFlip,
    BrakeFaded,
    BusShorted,
    CaliperJammed,
    ChannelDisagreement,
    ClockDrift,
    DataIdWrong,
    EcuReset,
    EcuSilent,
    Fault,
    FaultSequence,
    FrictionChanged,
    LengthWrong,
    MessageMasqueraded,
    MessageStopped,
    NodeUnplugged,
    OpenWire,
    OutputStuck,
    SensorRangeFault,
    SensorStuck,
    SignalCorrupted,
    StackRestart,
    SupplyLost,
    TaskHung,
    TaskOrderSwapped,
    TimedFault,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
)
from simcore.rig.injection import disturbed_buses, disturbed_messages

BUS = "CAN"
UNPLUGGED = NodeUnplugged(bus=BUS, node="EPS")
SENTENCE = "CAN: EPS unplugged"


class Talker:
    """Logs an event in its own call every 10 ms."""

    def __init__(self) -> None:
        self.in_call = False
        self.due_ns = 0

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port
        self.due_ns = now_ns + ms(10)

    def receive(self, frame: Frame, now_ns: int) -> None:
        pass

    def on_timer(self, now_ns: int) -> None:
        self.port.log("state", f"step {now_ns // ms(10)}")
        self.port.log("note", "after the step")
        self.due_ns = now_ns + ms(10)

    def next_deadline_ns(self) -> int | None:
        return self.due_ns


def bench() -> Restbus:
    return Restbus(Database.reference(), play=["VCU", "EPS"])


def talking() -> Restbus:
    rig = bench()
    rig.replace("CDC", Talker())
    return rig


def texts(rig: Restbus, kind: str) -> list[tuple[int, str]]:
    return [(event.time_ns, event.text) for event in rig.log.events if event.kind == kind]


# ---- at, during ----


def test_a_fault_begins_at_its_time_and_lasts_for_good() -> None:
    rig = bench()
    injected = rig.inject(UNPLUGGED.at(ms(50)))
    assert (injected.pending, injected.start_ns) == (True, None)
    assert texts(rig, "note") == [(0, f"fault armed: {SENTENCE}, at 50 ms")]
    rig.run_for(ms(49))
    assert texts(rig, "fault") == []
    rig.run_for(ms(51))
    assert texts(rig, "fault") == [(ms(50), SENTENCE)]
    assert (injected.pending, injected.start_ns, injected.stop_ns) == (False, ms(50), None)


def test_a_fault_at_a_time_does_what_a_script_does_that_stops_there() -> None:
    armed, stopped = bench(), bench()
    armed.inject(BusShorted(bus=BUS).during(ms(33), ms(47)))
    armed.run_for(ms(100))
    stopped.run_for(ms(33))
    stopped.inject(BusShorted(bus=BUS), duration=ms(14))
    stopped.run_for(ms(67))
    frames = [[(r.sof_ns, r.frame.data) for r in rig.recorder.frames] for rig in (armed, stopped)]
    assert frames[0] == frames[1] != []


def test_a_fault_that_begins_now_needs_no_time_to_pass() -> None:
    rig = bench()
    rig.run_for(ms(5))
    assert rig.inject(UNPLUGGED.at(ms(5))).start_ns == ms(5)
    assert rig.inject(TimedFault(fault=UNPLUGGED, duration_ns=ms(3))).start_ns == ms(5)


def test_during_has_a_beginning_and_an_end() -> None:
    rig = bench()
    injected = rig.inject(UNPLUGGED.during(ms(20), ms(30)))
    rig.run_for(ms(60))
    assert (injected.start_ns, injected.stop_ns) == (ms(20), ms(30))
    assert texts(rig, "note")[-1] == (ms(30), f"fault ended: {SENTENCE}")


def test_faults_of_every_kind_can_wait() -> None:
    rig = bench()
    stopped = rig.inject(MessageStopped(message="VCU_Torque").at(ms(20), duration_ns=ms(30)))
    silent = rig.inject(EcuSilent(node="EPS").during(ms(20), ms(40)))
    rig.run_for(ms(100))
    assert (stopped.start_ns, stopped.stop_ns) == (ms(20), ms(50))
    assert (silent.start_ns, silent.stop_ns) == (ms(20), ms(40))
    assert stopped.record.effect == "3 frames concerned"


# ---- after an event ----


def test_a_fault_begins_in_the_instant_of_its_event_but_not_inside_the_nodes_call() -> None:
    rig = talking()
    injected = rig.inject(UNPLUGGED.after("state", source="CDC", text="step 2"))
    rig.run_for(ms(50))
    assert injected.start_ns == ms(20)
    here = [(e.kind, e.text) for e in rig.log.events if e.time_ns == ms(20)]
    assert here == [("state", "step 2"), ("note", "after the step"), ("fault", SENTENCE)]


def test_a_fault_begins_some_time_after_its_event_and_once_only() -> None:
    rig = talking()
    injected = rig.inject(UNPLUGGED.after("state", delay_ns=ms(3), duration_ns=ms(4)))
    rig.run_for(ms(50))
    assert (injected.start_ns, injected.stop_ns) == (ms(13), ms(17))
    assert len(texts(rig, "fault")) == 1


@pytest.mark.parametrize(
    "narrow", [{"source": "VCU"}, {"text": "step 9"}, {"source": "CDC", "text": "stop"}]
)
def test_an_event_of_somebody_else_or_with_another_text_is_not_meant(narrow: Any) -> None:
    rig = talking()
    injected = rig.inject(UNPLUGGED.after("state", **narrow))
    rig.run_for(ms(80))
    assert injected.pending


def test_a_fault_can_follow_another_fault() -> None:
    rig = bench()
    first, second = rig.inject(
        UNPLUGGED.at(ms(10)) + EcuSilent(node="VCU").after("fault", text="EPS", delay_ns=ms(5))
    )
    rig.run_for(ms(30))
    assert (first.start_ns, second.start_ns) == (ms(10), ms(15))


@pytest.mark.parametrize(
    ("timed", "sentence"),
    [
        (UNPLUGGED.at(ms(5)), f"{SENTENCE}, at 5 ms"),
        (UNPLUGGED.during(ms(5), ms(7)), f"{SENTENCE}, at 5 ms, for 2 ms"),
        (UNPLUGGED.after("state"), f"{SENTENCE}, after the state"),
        (
            UNPLUGGED.after("state", source="CDC", text="READY", delay_ns=ms(1)),
            f"{SENTENCE}, 1 ms after the state of CDC 'READY'",
        ),
        (TimedFault(fault=UNPLUGGED), SENTENCE),
    ],
)
def test_a_fault_with_a_time_says_when(timed: TimedFault, sentence: str) -> None:
    assert timed.sentence == sentence


# ---- sequences ----


def test_a_sequence_gives_a_handle_for_each_fault_and_can_be_made_longer() -> None:
    rig = bench()
    pair = UNPLUGGED.at(ms(10)) + BusShorted(bus=BUS).during(ms(20), ms(30))
    three = pair + (EcuSilent(node="VCU").at(ms(5)) + UNPLUGGED.at(ms(6)))
    assert isinstance(three, FaultSequence)
    assert len(three.faults) == 4
    handles = rig.inject(three)
    rig.run_for(ms(50))
    assert [each.start_ns for each in handles] == [ms(10), ms(20), ms(5), ms(6)]
    assert rig.faults == list(handles)


def test_of_a_sequence_with_one_wrong_fault_nothing_is_armed() -> None:
    rig = bench()
    with pytest.raises(UsageError, match=r"^node 'XXX': expected one of "):
        rig.inject(UNPLUGGED.at(ms(10)) + EcuSilent(node="XXX").at(ms(5)))
    assert rig.faults == []
    rig.run_for(ms(20))
    assert texts(rig, "fault") == []


def test_only_faults_with_a_time_make_a_sequence() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        UNPLUGGED.at(ms(1)) + 5  # type: ignore[operator]


# ---- taken back, never begun ----


def test_a_fault_that_waits_for_its_time_can_be_taken_back() -> None:
    rig = bench()
    injected = rig.inject(UNPLUGGED.at(ms(50)))
    rig.run_for(ms(20))
    rig.clear(injected)
    rig.run_for(ms(50))
    assert texts(rig, "fault") == []
    record = injected.record
    assert (record.start_ns, record.stop_ns) == (ms(20), ms(20))
    assert record.effect == "never begun: taken back while it waited for 50 ms"
    assert texts(rig, "note")[-1] == (ms(20), f"fault taken back: {SENTENCE}")


def test_a_fault_that_waits_for_an_event_can_be_taken_back_too() -> None:
    rig = talking()
    injected = rig.inject(UNPLUGGED.after("state", text="step 3"))
    rig.run_for(ms(20))
    injected.clear()
    injected.clear()
    rig.run_for(ms(50))
    assert texts(rig, "fault") == []
    assert injected.record.effect.endswith("waited for the state 'step 3'")


def test_a_fault_between_its_event_and_its_beginning_can_be_taken_back() -> None:
    rig = talking()
    injected = rig.inject(UNPLUGGED.after("state", delay_ns=ms(100)))
    rig.run_for(ms(20))
    injected.clear()
    rig.run_for(ms(200))
    assert texts(rig, "fault") == []


def test_a_fault_that_never_began_says_so_and_has_disturbed_nothing() -> None:
    rig = bench()
    waits = rig.inject(UNPLUGGED.after("reaction", source="CDC"))
    late = rig.inject(MessageStopped(message="VCU_Torque").at(s(5)))
    rig.run_for(ms(30))
    assert waits.record.effect == "never begun: waited for the reaction of CDC"
    assert late.record.effect == "never begun: waited for 5000 ms"
    assert waits.record.start_ns == waits.record.stop_ns == ms(30)
    assert waits.did_nothing and late.did_nothing
    assert disturbed_buses(rig) == disturbed_messages(rig) == frozenset()


@pytest.mark.parametrize("copied", [False, True])
def test_a_fault_that_cannot_begin_when_its_time_has_come_is_a_finding(copied: bool) -> None:
    rig = bench()
    rig.silence("EPS")
    rig.inject(EcuReset(node="EPS").at(ms(10)))
    if copied:
        rig = pickle.loads(pickle.dumps(rig))
    rig.run_for(ms(20))
    (reset,) = rig.faults
    why = "EcuReset, node EPS: expected a node that runs, got one that is off"
    assert [(each.time_ns, each.source, each.text) for each in rig.log.findings] == [
        (ms(10), "EPS", f"fault not begun: EPS: reset: {why}")
    ]
    assert texts(rig, "fault") == []
    assert (reset.did_nothing, reset.pending, reset.record.effect) == (
        True,
        False,
        f"never begun: {why}",
    )
    assert (reset.record.start_ns, reset.record.stop_ns) == (ms(10), ms(10))
    events = len(rig.log.events)
    reset.clear()
    assert len(rig.log.events) == events


def test_a_module_that_was_replaced_meanwhile_makes_a_finding_too() -> None:
    rig = Rig()
    rig.inject(TaskHung(node="EMB_FL", task="force loop").at(ms(10)))
    rig.replace("EMB_FL", RestbusNode("EMB_FL", rig.database))
    rig.run_for(ms(20))
    (finding,) = rig.log.findings
    assert finding.text.startswith("fault not begun: EMB_FL: task force loop hangs")
    assert finding.text.endswith("got a RestbusNode")


EARLY = [
    (TaskHung(node="CDC", task="nope"), r"^TaskHung, node CDC: task: expected a task of .*'nope'$"),
    (
        TaskOrderSwapped(node="CDC", first="control", second="control"),
        r"^TaskOrderSwapped, node CDC: expected two tasks",
    ),
    (TaskHung(node="IMU2", task="x"), r"^node 'IMU2': expected one of "),
    (TaskHung(node="PDM", task="x"), r"^TaskHung, node PDM: expected a simulated ECU"),
    (StackRestart(node="PDM"), r"^StackRestart, node PDM: expected a simulated ECU"),
    (ClockDrift(node="NO", ppm=5.0), r"^node 'NO': expected one of "),
    (EcuSilent(node="NO"), r"^node 'NO': expected one of "),
    (BitFlip(node="CDC", variable="nope", bit=1), r"^BitFlip, node CDC: expected a variable of "),
    (
        BitFlip(node="EMB_FL", variable="application.state", bit=40),
        r"^BitFlip, node EMB_FL, application.state: bit: expected 0\.\.31, got 40$",
    ),
    (
        OutputStuck(node="CDC", variable="application.nope", value=1.0),
        r"^OutputStuck, node CDC: expected a variable of .*, got application.nope$",
    ),
    (
        OutputStuck(node="EMB_FL", variable="application.state", value=77),
        r"^OutputStuck, application.state: expected a value of Emb",
    ),
    (OutputStuck(node="EMB_FL", pin="nope", value=1.0), r"^EMB_FL, output pin: expected one of "),
    (OutputStuck(node="CDC", pin="x", value=1.0), r"^output of a node: expected one of EMB_FL"),
    (SensorStuck(node="BPS", pin="nope"), r"^BPS, input pin: expected one of .*, got 'nope'$"),
    (SensorStuck(node="VCU", pin="x"), r"^pins of node 'VCU': expected one of "),
    (
        SensorRangeFault(node="EMB_FL", pin="park_lock_state"),
        r"^SensorRangeFault, pin 'park_lock_state': expected a value, or one of ",
    ),
    (ChannelDisagreement(node="IMU"), r"^IMU, input pin: expected one of "),
    (WatchdogAnswerLate(node="PDM"), r"^WatchdogAnswerLate, node PDM: expected a node with an "),
    (MessageStopped(message="Nope"), r"Nope"),
    (
        MessageStopped(message="VCU_Torque", node="EPS"),
        r"^MessageStopped, message 0x0e0 VCU_Torque: node",
    ),
    (SignalCorrupted(message="VCU_Torque", signal="Nope", value=1), r"Nope"),
    (
        LengthWrong(message="VCU_Torque", length=77),
        r"^LengthWrong, message 0x0e0 VCU_Torque of 16 bytes: expected another length of ",
    ),
    (DataIdWrong(message="PDM_Supply", data_id=-5), r"data id|data_id"),
    (MessageMasqueraded(message="VCU_Torque", protected_as="VCU_Torque"), r"another message"),
    (BusShorted(bus="NO"), r"^BusShorted, bus: expected one of CHASSIS_A, CHASSIS_B, got 'NO'$"),
    (OpenWire(bus="CHASSIS_A", node="NO"), r"^CHASSIS_A: node 'NO': expected one of "),
    (BitError(bus="CHASSIS_A", bits=(3,), sender="NO"), r"^CHASSIS_A: node 'NO': expected "),
]


@pytest.mark.parametrize("when", ["now", "at", "after", "in a sequence"])
@pytest.mark.parametrize(("fault", "message"), EARLY)
def test_what_is_not_there_is_refused_when_it_is_injected(
    fault: Any, message: str, when: str, unbroken: Rig
) -> None:
    timed = {
        "now": fault,
        "at": fault.at(s(9)),
        "after": fault.after("state", text="step 99", delay_ns=ms(3)),
        "in a sequence": EcuSilent(node="GW").at(s(8)) + fault.at(s(9)),
    }[when]
    events = len(unbroken.log.events)
    with pytest.raises(UsageError, match=message):
        unbroken.inject(timed)
    assert (unbroken.faults, len(unbroken.log.events)) == ([], events)


@pytest.fixture(scope="module")
def unbroken() -> Rig:
    """Refuses whatever it is asked, and stays as it is."""
    rig = Rig()
    rig.run_for(ms(300))
    return rig


VEHICLE = [
    CaliperJammed(corner="FL"),
    SupplyLost(supply="A"),
    FrictionChanged(ratio=0.3),
    BrakeFaded(ratio=0.5),
]


@pytest.mark.parametrize("fault", VEHICLE, ids=lambda fault: type(fault).__name__)
def test_a_fault_of_a_vehicle_is_refused_at_once_where_there_is_none(fault: Any) -> None:
    with pytest.raises(UsageError, match=r"^fault of plant: expected a Rig, which has a vehicle"):
        bench().inject(fault.at(ms(5)))


OFF = [
    TaskHung(node="CDC", task="control"),
    WatchdogAnswerMissing(node="CDC"),
    ClockDrift(node="CDC", ppm=5.0),
    OutputStuck(node="CDC", variable="application.standstill", value=1.0),
    OutputStuck(node="EMB_FL", pin="motor_current_a", value=1.0),
    BitFlip(node="EMB_FL", variable="application.force_ref_n", bit=3),
    StackRestart(node="CDC"),
    EcuReset(node="CDC"),
]


@pytest.mark.parametrize("fault", OFF, ids=lambda fault: type(fault).__name__)
def test_whatever_runs_in_an_ecu_is_refused_while_it_is_off(fault: Any, unbroken: Rig) -> None:
    rig = unbroken.fork()
    rig.inject(EcuSilent(node=fault.node))
    kind = type(fault).__name__
    with pytest.raises(
        UsageError, match=rf"^{kind}, node {fault.node}: expected a node that runs, got one that is"
    ):
        rig.inject(fault)
    timed = rig.inject(fault.at(rig.now_ns + ms(5)))
    rig.run_for(ms(10))
    assert timed.did_nothing and len(rig.log.findings) == 1


def test_a_fault_for_later_may_name_a_node_that_is_off_now(unbroken: Rig) -> None:
    rig = unbroken.fork()
    rig.inject(EcuSilent(node="CDC"), duration=ms(5))
    drift = rig.inject(ClockDrift(node="CDC", ppm=5.0).at(rig.now_ns + ms(20)))
    rig.run_for(ms(30))
    assert drift.start_ns is not None and rig.log.findings == []


@pytest.mark.parametrize(
    ("faults", "got"),
    [((), "none"), ([UNPLUGGED.at(5)], r"\["), ((UNPLUGGED,), "NodeUnplugged")],
)
def test_a_sequence_of_nothing_or_of_what_has_no_time_is_refused(faults: Any, got: str) -> None:
    with pytest.raises(UsageError, match=rf"^FaultSequence.faults: expected .*, got {got}"):
        FaultSequence(faults=faults)


# ---- copies ----


@pytest.mark.parametrize("stop_ns", [ms(5), ms(12), ms(14), ms(18)])
def test_it_forks_and_pickles_armed_triggered_begun_and_ended(stop_ns: int) -> None:
    rig = talking()
    rig.inject(UNPLUGGED.after("state", delay_ns=ms(3), duration_ns=ms(4)))
    rig.inject(BusShorted(bus=BUS).during(ms(11), ms(16)))
    rig.run_for(stop_ns)
    others = [rig.fork(), pickle.loads(pickle.dumps(rig))]
    for each in (rig, *others):
        each.run_for(ms(60) - stop_ns)
        assert [fault.start_ns for fault in each.faults] == [ms(13), ms(11)]
        assert [fault.stop_ns for fault in each.faults] == [ms(17), ms(16)]
    assert {each.digest for each in others} == {rig.digest}


def test_taking_back_the_fault_of_a_fork_leaves_the_original_armed() -> None:
    rig = talking()
    rig.inject(UNPLUGGED.after("state", text="step 2"))
    fork = rig.fork()
    fork.faults[0].clear()
    for each in (rig, fork):
        each.run_for(ms(40))
    assert len(texts(rig, "fault")) == 1
    assert texts(fork, "fault") == []


ON_A_BUS = """
from simcore import Database, Restbus, ms
from simcore.faults import BusShorted, EcuSilent, GroundOffset, MessageJitter
rig = Restbus(Database.reference(), play=["VCU", "EPS"], seed=3)
rig.inject(
    BusShorted(bus="CAN").during(ms(11), ms(16))
    + GroundOffset(bus="CAN", node="EPS", bit_error_ratio=0.001).at(ms(20))
    + EcuSilent(node="VCU").after("fault", text="reads", delay_ns=ms(30), duration_ns=ms(9))
    + MessageJitter(message="VCU_Torque", jitter_ns=ms(2)).at(ms(5))
)
rig.run_for(ms(300))
print(rig.digest)
"""
ON_THE_CHASSIS = """
from simcore import Rig, ms
from simcore.faults import (
    BitFlip, ClockDrift, OutputStuck, SensorNoise, TaskHung, TaskSlow, WatchdogAnswerWrong,
)
rig = Rig(seed=3)
rig.inject(
    TaskHung(node="CDC", task="control").at(ms(300))
    + TaskSlow(node="EMB_FR", task="force loop", factor=3.0).during(ms(310), ms(330))
    + ClockDrift(node="IMU", ppm=900.0).at(ms(250))
    + WatchdogAnswerWrong(node="EMB_FL", count=2).after("reaction", delay_ns=ms(3))
    + OutputStuck(node="EMB_RL", pin="motor_current_a", value=2.0).during(ms(320), ms(340))
    + BitFlip(node="EMB_RR", variable="application.clamp_force_n", bit=40).at(ms(330))
    + SensorNoise(node="IMU", pin="yaw_rate_radps", sigma=0.01).at(ms(260))
)
rig.run_for(ms(290))
rig.press_pedal(40.0)
rig.run_for(ms(160))
print(rig.digest)
"""


@pytest.mark.parametrize("program", [ON_A_BUS, ON_THE_CHASSIS], ids=["bus", "chassis"])
def test_a_run_with_several_faults_is_the_same_whatever_the_hash_seed(program: str) -> None:
    digests = set()
    for seed in ("0", "4711"):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        digests.add(ran.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 32


# ---- what is refused ----


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNPLUGGED.at(-1), r"^NodeUnplugged, start_ns: expected whole ns >= 0, .* got -1$"),
        (
            lambda: UNPLUGGED.at(0.5),  # type: ignore[arg-type]
            r"start_ns: expected whole ns >= 0, as ms\(5\)",
        ),
        (lambda: UNPLUGGED.at(True), r"start_ns: expected whole ns >= 0"),
        (lambda: UNPLUGGED.at(1, duration_ns=0), r"duration_ns: expected > 0 ns, got 0 ns$"),
        (lambda: UNPLUGGED.during(ms(5), ms(5)), r"during: expected a stop after 5 ms, got 5 ms$"),
        (
            lambda: UNPLUGGED.after("bang"),
            r"^fault after an event, kind: expected one of state, detection, .* got 'bang'$",
        ),
        (
            lambda: TimedFault(fault=UNPLUGGED, delay_ns=5),
            r"when: expected a time, or an event with a delay, got a delay without an event$",
        ),
        (
            lambda: TimedFault(fault=UNPLUGGED, start_ns=5, event=UNPLUGGED.after("state").event),
            r"when: expected a time, or an event with a delay, got both$",
        ),
    ],
)
def test_times_that_are_none_are_refused(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_a_time_that_has_passed_is_refused() -> None:
    rig = bench()
    rig.run_for(ms(20))
    with pytest.raises(
        UsageError,
        match=r"^inject, NodeUnplugged, at: expected a time not before now, 20 ms, got 10 ms$",
    ):
        rig.inject(UNPLUGGED.at(ms(10)))


@pytest.mark.parametrize("fault", [UNPLUGGED.at(ms(5)), UNPLUGGED.at(ms(5)) + UNPLUGGED.at(ms(6))])
def test_a_fault_with_times_takes_no_second_duration(fault: Any) -> None:
    with pytest.raises(UsageError, match=r"^inject, NodeUnplugged, duration: expected none: "):
        bench().inject(fault, duration=ms(5))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (EcuSilent(node="XXX"), r"^node 'XXX': expected one of "),
        (BusShorted(bus="C"), r"^BusShorted, bus: expected one of CAN, got 'C'$"),
        (MessageStopped(message="Nothing"), r"Nothing"),
    ],
)
def test_a_place_that_is_not_there_is_refused_when_it_is_armed(fault: Fault, message: str) -> None:
    rig = bench()
    with pytest.raises(UsageError, match=message):
        rig.inject(fault.at(s(1)))
    assert rig.faults == []
