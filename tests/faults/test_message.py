"""Faults of one message: what goes out, what the receiver's E2E makes of it, how it goes on."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from pathlib import Path

import pytest

from simcore import Database, Restbus, Rig, UsageError, ms, us
from simcore.bus import Frame
from simcore.ecu.seam import Port
from simcore.faults import (
    ChecksumWrong,
    CounterFrozen,
    CounterOffset,
    CounterRandom,
    DataIdWrong,
    LengthWrong,
    MessageCycle,
    MessageFault,
    MessageJitter,
    MessageStopped,
)
from simcore.protection import E2eStatus
from simcore.protection.e2e_factory import e2e_receiver

NAME = "VCU_Torque"
"""10 ms, profile 5, sent by VCU."""
CYCLE_NS = ms(10)


def bus() -> Restbus:
    return Restbus(Database.reference(), play=["VCU", "EPS"])


def frames(bench: Restbus | Rig, name: str = NAME) -> list[tuple[int, bytes]]:
    identifier = bench.database.message(name).arbitration_id
    return [
        (record.request_ns, record.frame.data)
        for record in bench.recorder.frames
        if record.frame.arbitration_id == identifier and record.channel != "CHASSIS_B"
    ]


def distances_ns(bench: Restbus) -> set[int]:
    times_ns = [time_ns for time_ns, _ in frames(bench)]
    return {after_ns - before_ns for before_ns, after_ns in pairwise(times_ns)}


def counters(bench: Restbus) -> list[int]:
    return [data[2] for _, data in frames(bench)]


def statuses(bench: Restbus) -> list[E2eStatus]:
    message = bench.database.message(NAME)
    assert message.e2e is not None
    receiver = e2e_receiver(message.e2e, message.length)
    return [receiver.check(data) for _, data in frames(bench)]


def run(fault: MessageFault, *, before: int = 3, after: int = 6) -> Restbus:
    """`before` whole cycles, the fault, `after` more cycles."""
    bench = bus()
    bench.run_for(before * CYCLE_NS)
    bench.inject(fault)
    bench.run_for(after * CYCLE_NS)
    return bench


def test_a_stopped_message_is_missing_for_so_many_frames_and_its_counter_jumps() -> None:
    assert counters(run(MessageStopped(message=NAME, frames=2))) == [0, 1, 2, 5, 6, 7, 8]


def test_after_a_stop_the_counter_may_go_on_behind_the_last_frame_sent() -> None:
    bench = run(MessageStopped(message=NAME, frames=2, resume="continue"))
    assert counters(bench) == [0, 1, 2, 3, 4, 5, 6]
    assert set(statuses(bench)) == {E2eStatus.OK}


def test_after_a_stop_the_counter_may_begin_anew() -> None:
    bench = run(MessageStopped(message=NAME, frames=2, resume="restart"))
    assert counters(bench) == [0, 1, 2, 0, 1, 2, 3]


def test_a_message_can_be_stopped_for_a_time() -> None:
    bench = bus()
    bench.run_for(CYCLE_NS)
    bench.inject(MessageStopped(message=NAME), duration=ms(25))
    bench.run_for(ms(60))
    first_ns = frames(bench)[0][0]
    times_ms = [(time_ns - first_ns) // ms(1) for time_ns, _ in frames(bench)]
    assert times_ms == [0, 40, 50, 60]


def test_another_cycle_is_kept_to_the_nanosecond_with_a_counter_in_sequence() -> None:
    bench = run(MessageCycle(message=NAME, cycle_ns=us(2500), frames=9, resume="continue"))
    times_ns = [time_ns for time_ns, _ in frames(bench)]
    begin_ns = times_ns[3]
    assert times_ns[3:12] == [begin_ns + us(2500) * k for k in range(9)]
    assert counters(bench) == list(range(len(times_ns)))
    assert set(statuses(bench)) == {E2eStatus.OK}


def test_a_slower_cycle_sends_the_values_given_last() -> None:
    bench = bus()
    bench.inject(MessageCycle(message=NAME, cycle_ns=ms(25)))
    bench.run_for(ms(20))
    bench.set(NAME, VCU_AccPed=50)
    bench.run_for(ms(40))
    assert distances_ns(bench) == {ms(25)}
    assert bench.signal(NAME, "VCU_AccPed") == 50


def test_jitter_delays_frames_within_its_limit_and_keeps_their_order() -> None:
    bench = run(MessageJitter(message=NAME, jitter_ns=ms(9)), before=0, after=100)
    first_ns = bench.database.message(NAME).start_delay_ns
    sent = frames(bench)
    assert [data[2] for _, data in sent] == list(range(len(sent)))
    late_ns = [time_ns - first_ns - k * CYCLE_NS for k, (time_ns, _) in enumerate(sent)]
    assert all(0 <= each <= ms(9) for each in late_ns)
    assert max(late_ns) > ms(6)
    again = run(MessageJitter(message=NAME, jitter_ns=ms(9)), before=0, after=100)
    assert again.digest == bench.digest


def test_a_frame_that_catches_up_takes_the_place_of_the_late_one_and_none_overtakes() -> None:
    bench = run(MessageJitter(message=NAME, jitter_ns=ms(50), frames=3), before=0, after=20)
    found = counters(bench)
    assert found == sorted(set(found))
    assert found[-8:] == list(range(found[-1] - 7, found[-1] + 1))


def test_a_frozen_counter_is_repeated_with_a_right_checksum() -> None:
    bench = run(CounterFrozen(message=NAME, frames=3))
    assert counters(bench) == [0, 1, 2, 3, 3, 3, 6, 7, 8]
    assert statuses(bench)[4:7] == [
        E2eStatus.REPEATED,
        E2eStatus.REPEATED,
        E2eStatus.OK_SOME_LOST,
    ]


def test_a_frozen_counter_may_go_on_without_a_jump() -> None:
    bench = run(CounterFrozen(message=NAME, frames=3, resume="continue"))
    assert counters(bench) == [0, 1, 2, 3, 3, 3, 4, 5, 6]


def test_a_counter_offset_is_out_of_sequence_going_and_coming() -> None:
    bench = run(CounterOffset(message=NAME, offset=10, frames=2))
    assert counters(bench) == [0, 1, 2, 13, 14, 5, 6, 7, 8]
    found = statuses(bench)
    assert found[3] is found[5] is E2eStatus.WRONG_SEQUENCE
    assert found[4] is E2eStatus.OK


def test_a_random_counter_is_never_the_right_one() -> None:
    bench = run(CounterRandom(message=NAME, frames=50), before=1, after=60)
    found = counters(bench)
    assert all(counter != k for k, counter in enumerate(found[1:51], 1))
    assert E2eStatus.ERROR not in statuses(bench)


def test_a_wrong_checksum_is_an_error_and_changes_nothing_else() -> None:
    bench = run(ChecksumWrong(message=NAME, frames=2))
    clean = run(ChecksumWrong(message="SAS_Angle", frames=2))
    assert statuses(bench)[3:5] == [E2eStatus.ERROR] * 2
    for (_, wrong), (_, right) in zip(frames(bench)[3:5], frames(clean)[3:5], strict=True):
        assert bytes(byte ^ 0xFF for byte in wrong[:2]) + wrong[2:] == right


def test_a_wrong_data_id_is_an_error() -> None:
    bench = run(DataIdWrong(message=NAME, data_id=0x1234, frames=2))
    assert statuses(bench)[3:6] == [E2eStatus.ERROR, E2eStatus.ERROR, E2eStatus.OK_SOME_LOST]


@pytest.mark.parametrize("length", [4, 48])
def test_a_wrong_length_is_an_error(length: int) -> None:
    bench = run(LengthWrong(message=NAME, length=length, frames=1))
    assert len(frames(bench)[3][1]) == length
    assert statuses(bench)[3] is E2eStatus.ERROR


def test_two_faults_of_one_message_act_together() -> None:
    bench = bus()
    bench.inject(CounterFrozen(message=NAME))
    bench.inject(MessageCycle(message=NAME, cycle_ns=ms(5)))
    bench.run_for(ms(60))
    assert distances_ns(bench) == {ms(5)}


def test_faults_are_listed_with_their_effect_and_end() -> None:
    bench = bus()
    injected = bench.inject(ChecksumWrong(message=NAME, frames=2))
    bench.run_for(ms(50))
    record = injected.record
    assert record.sentence == f"{NAME}: checksum inverted, for 2 frames"
    assert record.where == "VCU"
    assert record.effect == "2 frames concerned"
    assert record.stop_ns is not None
    assert [event.kind for event in bench.log.events if event.source == "VCU"] == ["fault", "note"]


def test_a_disturbed_message_is_not_judged_for_its_cycle_and_the_others_are() -> None:
    bench = run(MessageCycle(message=NAME, cycle_ns=ms(3)), after=20)
    (check,) = bench.invariants(())
    assert check.passed
    assert check.text.endswith(f"not judged, because of a fault of their own: {NAME}")


def test_a_simulated_ecu_is_disturbed_as_well_and_the_others_react_to_it() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.inject(ChecksumWrong(message="BPS_Pedal"))
    rig.run_for(ms(200))
    data = frames(rig, "BPS_Pedal")[-1][1]
    message = rig.database.message("BPS_Pedal")
    assert message.e2e is not None
    assert e2e_receiver(message.e2e, message.length).check(data) is E2eStatus.ERROR
    reactions = [event.text for event in rig.log.events if event.kind == "reaction"]
    assert "degradation FULL -> PEDAL_DEGRADED" in reactions


def test_a_reset_of_the_sender_ends_a_shift_of_its_counter() -> None:
    bench = run(MessageStopped(message=NAME, frames=2, resume="continue"))
    bench.reset("VCU")
    bench.run_for(ms(30))
    assert counters(bench)[-3:] == [0, 1, 2]


@pytest.mark.parametrize(
    "fault",
    [
        MessageCycle(message=NAME, cycle_ns=us(1700), resume="continue", frames=20),
        MessageJitter(message=NAME, jitter_ns=ms(25)),
        CounterRandom(message=NAME),
    ],
)
def test_copies_in_the_middle_of_a_fault_go_on_alike(fault: MessageFault) -> None:
    bench = run(fault, after=2)
    copies = [copy.deepcopy(bench), pickle.loads(pickle.dumps(bench)), bench]
    for each in copies:
        each.run_for(ms(200))
    assert len({each.digest for each in copies}) == 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (MessageStopped(message="VCU_Tork"), "unknown message 'VCU_Tork': did you mean"),
        (DataIdWrong(message=NAME, data_id=-1), "data_id"),
        (LengthWrong(message=NAME, length=33), "expected another length of 0, 1, 2"),
    ],
)
def test_a_fault_that_does_not_fit_is_refused(fault: MessageFault, text: str) -> None:
    bench = bus()
    with pytest.raises(UsageError, match=text):
        bench.inject(fault)


def test_resume_and_frames_are_checked() -> None:
    with pytest.raises(UsageError, match="resume: expected one of jump back, continue, restart"):
        MessageStopped(message=NAME, resume="later")
    with pytest.raises(UsageError, match=r"MessageStopped\.frames: expected an integer >= 1"):
        MessageStopped(message=NAME, frames=0)
    with pytest.raises(UsageError, match=r"CounterOffset\.offset: expected an integer other"):
        CounterOffset(message=NAME, offset=0)
    with pytest.raises(UsageError, match=r"MessageCycle\.cycle_ns: expected an integer >= 1"):
        MessageCycle(message=NAME, cycle_ns=0)


UNPROTECTED = """VERSION ""
BU_: A B
BO_ 256 Plain: 8 A
 SG_ Value : 0|8@1+ (1,0) [0|0] "" B
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 256 10;
"""


@pytest.mark.parametrize(
    "fault",
    [
        ChecksumWrong(message="Plain"),
        CounterFrozen(message="Plain"),
        MessageStopped(message="Plain", resume="continue"),
    ],
)
def test_a_message_without_protection_has_no_counter_to_break(fault: MessageFault) -> None:
    bench = Restbus(Database.from_text(UNPROTECTED))
    with pytest.raises(UsageError, match=r"with (E2E protection|a counter), got one without"):
        bench.inject(fault)


def test_a_message_without_protection_can_stop() -> None:
    bench = Restbus(Database.from_text(UNPROTECTED))
    bench.inject(MessageStopped(message="Plain", frames=3))
    bench.run_for(ms(59))
    assert len(frames(bench, "Plain")) == 3


CHECKSUM_ONLY = """[e2e.messages.Plain]
profile = "CHECKSUM"
checksum_signal = "Value"
checksum = { algorithm = "xor8" }
"""


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        (CounterFrozen(message="Plain"), "CounterFrozen, message 0x100 Plain"),
        (CounterOffset(message="Plain", offset=2), "CounterOffset, message 0x100 Plain"),
        (CounterRandom(message="Plain"), "CounterRandom, message 0x100 Plain"),
        (
            MessageStopped(message="Plain", resume="restart"),
            "MessageStopped, message 0x100 Plain: resume 'restart'",
        ),
    ],
)
def test_a_checksum_without_a_counter_has_no_counter_to_break(
    fault: MessageFault, where: str, tmp_path: Path
) -> None:
    (tmp_path / "net.dbc").write_text(UNPROTECTED, encoding="utf-8")
    (tmp_path / "net.protection.toml").write_text(CHECKSUM_ONLY, encoding="utf-8")
    bench = Restbus(tmp_path / "net.dbc")
    with pytest.raises(
        UsageError,
        match=f"^{where}: expected a message with a counter, got one with a checksum only$",
    ):
        bench.inject(fault)
    bench.inject(ChecksumWrong(message="Plain"))


@pytest.mark.parametrize("offset", [256, -512])
def test_an_offset_after_which_the_counter_is_back_is_refused(offset: int) -> None:
    with pytest.raises(
        UsageError,
        match=r"^CounterOffset, message 0x\w+ VCU_Torque: offset: expected no multiple of 256, "
        rf"after which its counter is back, got {offset}$",
    ):
        bus().inject(CounterOffset(message=NAME, offset=offset))


def test_a_place_that_does_not_send_the_message_is_refused_with_those_that_do() -> None:
    text = UNPROTECTED.replace("BA_DEF_ ", "BO_TX_BU_ 256 : A,B;\nBA_DEF_ ", 1)
    with pytest.raises(
        UsageError,
        match=r"^MessageStopped, message 0x\w+ VCU_Torque: node: expected one of its senders, "
        r"VCU, got 'EPS'$",
    ):
        bus().inject(MessageStopped(message=NAME, node="EPS"))
    shared = Restbus(Database.from_text(text))
    assert shared.inject(MessageStopped(message="Plain")).sender == "A"
    with pytest.raises(UsageError, match=r"one of its senders, A, got 'B'$"):
        shared.inject(MessageStopped(message="Plain", node="B"))  # the other one sends it
    absent = Restbus(Database.from_text(text), play=[])
    with pytest.raises(UsageError, match=r"one of its senders, A, B, got None$"):
        absent.inject(MessageStopped(message="Plain"))


class Sender:
    """A module that sends what its place does not."""

    def start(self, port: Port, now_ns: int) -> None:
        port.send(Frame(256, bytes(8)))
        self.port = port

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Nothing is of interest."""

    def on_timer(self, now_ns: int) -> None:
        """Never called."""

    def next_deadline_ns(self) -> int | None:
        return None


def test_a_module_in_another_place_may_send_the_message_and_be_disturbed() -> None:
    own = 'BO_ 512 Own: 1 B\n SG_ X : 0|8@1+ (1,0) [0|0] "" A\n'
    bench = Restbus(Database.from_text(UNPROTECTED + own), play=[])
    module = Sender()
    bench.replace("B", module)
    bench.run_for(ms(1))
    injected = bench.inject(MessageStopped(message="Plain", node="B"))
    assert (injected.did_nothing, injected.record.effect) == (True, "no frame concerned")
    module.port.send(Frame(256, bytes(8)))
    bench.run_for(ms(1))
    assert len(frames(bench, "Plain")) == 1
    assert (injected.did_nothing, injected.record.effect) == (False, "1 frame concerned")


def test_a_cycle_for_a_message_that_is_never_sent_begins_with_the_values_of_the_restbus() -> None:
    bench = Restbus(Database.from_text(UNPROTECTED.replace("BO_ 256 10", "BO_ 256 0")))
    bench.set("Plain", Value=7)
    bench.run_for(ms(5))
    bench.inject(MessageCycle(message="Plain", cycle_ns=ms(10)))
    bench.run_for(ms(45))
    assert frames(bench, "Plain") == [(ms(5 + 10 * n), b"\x07" + bytes(7)) for n in range(5)]


def test_a_node_without_supply_begins_no_cycle() -> None:
    bench = Restbus(Database.from_text(UNPROTECTED.replace("BO_ 256 10", "BO_ 256 0")))
    bench.silence("A")
    injected = bench.inject(MessageCycle(message="Plain", cycle_ns=ms(10)))
    bench.run_for(ms(45))
    assert injected.did_nothing and not frames(bench, "Plain")
