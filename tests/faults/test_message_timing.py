"""Frames lost, late, repeated, swapped, blocked: what goes out and what a receiver makes of it."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import pytest

from simcore import Database, Restbus, Rig, UsageError, ms, s, us
from simcore.bus import Frame
from simcore.ecu.seam import Port
from simcore.faults.message import MessageFault, MessageJitter, MessageStopped
from simcore.faults.message_timing import (
    GAP_NS,
    MessageBlocked,
    MessageDelayed,
    MessageDropped,
    MessageReordered,
    MessageRepeated,
)
from simcore.protection import E2eStatus
from simcore.protection.e2e_factory import e2e_receiver

NAME = "VCU_Torque"
"""10 ms, profile 5, sent by VCU."""
CYCLE_NS = ms(10)
OK, REPEATED, LOST = E2eStatus.OK, E2eStatus.REPEATED, E2eStatus.OK_SOME_LOST


def bus(seed: int = 0) -> Restbus:
    return Restbus(Database.reference(), play=["VCU", "EPS"], seed=seed)


def frames(bench: Restbus | Rig, name: str = NAME) -> list[tuple[int, bytes]]:
    identifier = bench.database.message(name).arbitration_id
    return [
        (record.request_ns, record.frame.data)
        for record in bench.recorder.frames
        if record.frame.arbitration_id == identifier and record.channel != "CHASSIS_B"
    ]


def counters(bench: Restbus | Rig, name: str = NAME) -> list[int]:
    return [data[2] for _, data in frames(bench, name)]


def late_ns(bench: Restbus | Rig) -> list[int]:
    """How much later than it should each frame was asked for, by its counter."""
    first_ns = bench.database.message(NAME).start_delay_ns
    return [time_ns - first_ns - CYCLE_NS * data[2] for time_ns, data in frames(bench)]


def statuses(bench: Restbus | Rig, name: str = NAME) -> list[E2eStatus]:
    message = bench.database.message(name)
    assert message.e2e is not None
    receiver = e2e_receiver(message.e2e, message.length)
    return [receiver.check(data) for _, data in frames(bench, name)]


def run(fault: MessageFault, *, before: int = 3, after: int = 6) -> Restbus:
    """`before` whole cycles, the fault, `after` more cycles."""
    bench = bus()
    bench.run_for(before * CYCLE_NS)
    bench.inject(fault)
    bench.run_for(after * CYCLE_NS)
    return bench


# -- dropped --


def test_every_third_frame_is_lost_and_the_receiver_counts_it() -> None:
    bench = run(MessageDropped(message=NAME, every=3), after=9)
    assert counters(bench) == [0, 1, 2, 4, 5, 7, 8, 10, 11]
    assert statuses(bench)[3:] == [LOST, OK] * 3


def test_a_share_of_the_frames_is_lost_at_random_and_seeded() -> None:
    fault = MessageDropped(message=NAME, share_ratio=0.3)
    found = []
    for seed in (1, 1, 2):
        bench = bus(seed)
        bench.inject(fault)
        bench.run_for(s(2))
        found.append(counters(bench))
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == pytest.approx(140, abs=20)
    assert bench.faults[0].record.effect == f"{200 - len(found[2])} frames concerned"


def test_a_number_of_frames_counts_the_lost_ones() -> None:
    bench = run(MessageDropped(message=NAME, every=2, frames=2), before=0, after=8)
    assert counters(bench) == [1, 3, 4, 5, 6, 7]


# -- delayed --


def test_a_constant_delay_begins_with_a_gap_and_is_right_for_e2e_ever_after() -> None:
    bench = run(MessageDelayed(message=NAME, delay_ns=ms(25)), after=20)
    assert late_ns(bench) == [0] * 3 + [ms(25)] * (len(late_ns(bench)) - 3)
    assert set(statuses(bench)[1:]) == {OK}


def test_a_creeping_delay_has_no_gap() -> None:
    fault = MessageDelayed(message=NAME, delay_ns=ms(30), ramp_ns_per_s=ms(50))
    bench = run(fault, after=100)
    times_ns = [time_ns for time_ns, _ in frames(bench)]
    longest_ns = max(after_ns - before_ns for before_ns, after_ns in pairwise(times_ns))
    assert longest_ns <= CYCLE_NS + ms(1) // 2
    assert late_ns(bench)[-1] == ms(30)
    assert set(statuses(bench)[1:]) == {OK}


def test_what_is_under_way_comes_out_at_once_when_the_delay_is_over() -> None:
    bench = bus()
    bench.run_for(3 * CYCLE_NS)
    bench.inject(MessageDelayed(message=NAME, delay_ns=ms(35)), duration=ms(100))
    bench.run_for(ms(150))
    found = counters(bench)
    assert found == sorted(set(found))  # in order, none twice
    assert found[-6:] == list(range(found[-1] - 5, found[-1] + 1))
    assert late_ns(bench)[-4:] == [0] * 4
    # one transmit buffer per message: the last of those under way has taken the others' place
    assert LOST in statuses(bench) and REPEATED not in statuses(bench)


def test_a_delay_of_the_pedal_is_not_an_e2e_error_for_the_controller() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.inject(MessageDelayed(message="BPS_Pedal", delay_ns=ms(30), ramp_ns_per_s=ms(100)))
    rig.run_for(ms(600))
    assert set(statuses(rig, "BPS_Pedal")[1:]) == {OK}
    # on both buses alike
    both = {
        channel: sum(
            record.channel == channel
            for record in rig.recorder.frames
            if record.frame.arbitration_id == rig.message_named("BPS_Pedal").arbitration_id
        )
        for channel in ("CHASSIS_A", "CHASSIS_B")
    }
    assert abs(both["CHASSIS_A"] - both["CHASSIS_B"]) <= 1 and both["CHASSIS_A"] > 100


# -- repeated, reordered --


def test_each_frame_comes_again_and_is_a_repetition_for_the_receiver() -> None:
    bench = run(MessageRepeated(message=NAME, copies=2, frames=2))
    assert counters(bench) == [0, 1, 2, 3, 3, 3, 4, 4, 4, 5, 6, 7, 8]
    assert statuses(bench)[3:10] == [OK, REPEATED, REPEATED, OK, REPEATED, REPEATED, OK]
    times_ns = [time_ns for time_ns, _ in frames(bench)]
    assert times_ns[4] - times_ns[3] == times_ns[5] - times_ns[4] == GAP_NS


def test_pairs_are_swapped_and_out_of_sequence_for_the_receiver() -> None:
    bench = run(MessageReordered(message=NAME, frames=4))
    assert counters(bench) == [0, 1, 2, 4, 3, 6, 5, 7, 8]
    wrong = E2eStatus.WRONG_SEQUENCE
    assert statuses(bench)[3:8] == [LOST, wrong, LOST, wrong, LOST]


def test_a_frame_that_waits_for_its_partner_goes_out_when_the_fault_ends() -> None:
    bench = run(MessageReordered(message=NAME, frames=3))
    assert counters(bench) == [0, 1, 2, 4, 3, 5, 6, 7, 8]
    bench = bus()
    injected = bench.inject(MessageReordered(message=NAME))
    bench.run_for(ms(5))
    assert counters(bench) == []
    injected.clear()
    bench.run_for(ms(1))
    assert counters(bench) == [0]


# -- blocked --


def test_a_blocked_message_is_lost_and_in_time_afterwards() -> None:
    bench = bus()
    bench.run_for(3 * CYCLE_NS)
    bench.inject(MessageBlocked(message=NAME), duration=4 * CYCLE_NS)
    bench.run_for(8 * CYCLE_NS)
    assert counters(bench) == [0, 1, 2, 7, 8, 9, 10]
    assert statuses(bench)[3] is E2eStatus.WRONG_SEQUENCE  # more than three are missing
    assert set(late_ns(bench)) == {0}


def test_a_blocked_message_may_come_late_in_a_burst_and_none_is_lost() -> None:
    bench = bus()
    bench.run_for(3 * CYCLE_NS)
    bench.inject(MessageBlocked(message=NAME, then="late"), duration=4 * CYCLE_NS)
    bench.run_for(8 * CYCLE_NS)
    assert counters(bench) == list(range(11))
    assert set(statuses(bench)[1:]) == {OK}
    times_ns = [time_ns for time_ns, _ in frames(bench)]
    assert times_ns[3:7] == [7 * CYCLE_NS + place * GAP_NS for place in range(4)]


def test_the_senders_queue_keeps_the_last_frames() -> None:
    bench = bus()
    fault = MessageBlocked(message=NAME, then="late", queue_frames=2)
    bench.inject(fault, duration=5 * CYCLE_NS)
    bench.run_for(8 * CYCLE_NS)
    assert counters(bench) == [3, 4, 5, 6, 7]


def test_what_is_sent_during_the_burst_goes_behind_it() -> None:
    bench = bus()
    fault = MessageBlocked(message=NAME, then="late", gap_ns=ms(4))
    bench.inject(fault, duration=5 * CYCLE_NS)
    bench.run_for(20 * CYCLE_NS)
    assert counters(bench) == list(range(20))
    assert late_ns(bench)[-1] == 0  # it has caught up


# -- for every kind --

FAULTS: list[MessageFault] = [
    MessageDropped(message=NAME, share_ratio=0.4),
    MessageDropped(message=NAME, every=4),
    MessageDelayed(message=NAME, delay_ns=ms(33)),
    MessageDelayed(message=NAME, delay_ns=ms(33), ramp_ns_per_s=ms(200)),
    MessageRepeated(message=NAME, copies=3, gap_ns=ms(4)),
    MessageReordered(message=NAME),
    MessageBlocked(message=NAME, then="late"),
    MessageJitter(message=NAME, jitter_ns=ms(25)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_copies_in_the_middle_of_a_fault_go_on_alike(fault: MessageFault) -> None:
    bench = bus()
    bench.run_for(ms(31))
    bench.inject(fault, duration=ms(70))
    bench.run_for(ms(36))
    copies = [copy.deepcopy(bench), pickle.loads(pickle.dumps(bench)), bench]
    for each in copies:
        each.run_for(ms(200))
    assert len({each.digest for each in copies}) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_a_fault_is_over_when_it_is_over(fault: MessageFault) -> None:
    bench, healthy = bus(), bus()
    bench.inject(fault, duration=ms(70))
    for each in (bench, healthy):
        each.run_for(ms(400))
    assert frames(bench)[-20:] == frames(healthy)[-20:]
    (record,) = (injected.record for injected in bench.faults)
    assert record.stop_ns == ms(70)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
@pytest.mark.parametrize("restarted", [False, True], ids=["off", "off and on"])
def test_nothing_comes_out_of_a_node_that_went_off_meanwhile(
    fault: MessageFault, restarted: bool
) -> None:
    bench = bus()
    bench.inject(fault)
    bench.run_for(ms(45))
    host = bench.host("VCU")
    host.halt()
    bench.run_for(ms(1))
    off_ns = bench.now_ns
    if restarted:
        host.start()
        bench.inject(
            MessageStopped(message=NAME)
        )  # what it sends itself from now on is not looked at
    bench.run_for(ms(200))
    assert [time_ns for time_ns, _ in frames(bench) if time_ns > off_ns] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_two_faults_of_one_message_act_together(fault: MessageFault) -> None:
    bench = bus()
    bench.inject(fault)
    bench.inject(MessageRepeated(message=NAME, gap_ns=ms(3)))
    bench.run_for(ms(400))
    blocks = isinstance(fault, MessageBlocked)
    repeated = bench.faults[1].record.effect
    assert (repeated == "no frame concerned") == blocks
    data = [each for _, each in frames(bench)]
    assert (len(set(data)) < len(data)) != blocks
    bench.faults[0].clear()
    bench.run_for(ms(200))
    assert statuses(bench)[-8:] == [OK, REPEATED] * 4


class Sender:
    """A module that sends a message of its own every 10 ms."""

    def start(self, port: Port, now_ns: int) -> None:
        self.port, self.next_ns, self.count = port, now_ns + ms(10), 0

    def receive(self, frame: Frame, now_ns: int) -> None:
        """Nothing is of interest."""

    def on_timer(self, now_ns: int) -> None:
        self.port.send(Frame(0x100, bytes([self.count] * 8)))
        self.count += 1
        self.next_ns += ms(10)

    def next_deadline_ns(self) -> int | None:
        return self.next_ns


PLAIN = """VERSION ""
BU_: A B
BO_ 256 Plain: 8 A
 SG_ Value : 0|8@1+ (1,0) [0|0] "" B
"""


def test_a_suppliers_module_is_disturbed_as_well_and_without_protection() -> None:
    bench = Restbus(Database.from_text(PLAIN), play=[])
    bench.replace("A", Sender())
    bench.inject(MessageReordered(message="Plain", frames=2))
    bench.run_for(ms(45))
    assert [data[0] for _, data in frames(bench, "Plain")] == [1, 0, 2, 3]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (FAULTS[0], f"{NAME}: 40 % of the frames lost, at random"),
        (FAULTS[1], f"{NAME}: one frame in 4 lost"),
        (FAULTS[2], f"{NAME}: late by 33 ms"),
        (FAULTS[3], f"{NAME}: late by 33 ms, growing by 200 ms per s"),
        (FAULTS[4], f"{NAME}: each frame sent 3 times more"),
        (FAULTS[5], f"{NAME}: frames swapped in pairs"),
        (FAULTS[6], f"{NAME}: kept off the channel, frames late"),
        (
            MessageRepeated(message=NAME, frames=2),
            f"{NAME}: each frame sent once more, for 2 frames",
        ),
    ],
)
def test_the_sentence_says_what_is_wrong(fault: MessageFault, sentence: str) -> None:
    assert (fault.sentence, fault.layer) == (sentence, "message")


def test_values_are_checked() -> None:
    with pytest.raises(
        UsageError, match=r"^MessageDropped: expected share_ratio or every, got neither$"
    ):
        MessageDropped(message=NAME)
    with pytest.raises(UsageError, match=r"^MessageDropped: .* got both$"):
        MessageDropped(message=NAME, share_ratio=0.5, every=2)
    with pytest.raises(UsageError, match=r"^MessageDropped\.share_ratio: expected below 1, else"):
        MessageDropped(message=NAME, share_ratio=1.0)
    with pytest.raises(UsageError, match=r"^MessageDropped\.share_ratio: expected above 0, up to"):
        MessageDropped(message=NAME, share_ratio=0.0)
    with pytest.raises(UsageError, match=r"^MessageDropped\.every: expected >= 2, else"):
        MessageDropped(message=NAME, every=1)
    with pytest.raises(UsageError, match=r"^MessageDropped\.every: expected an integer >= 1"):
        MessageDropped(message=NAME, every=-3)
    with pytest.raises(UsageError, match=r"^MessageDelayed\.delay_ns: expected an integer >= 1"):
        MessageDelayed(message=NAME, delay_ns=0)
    with pytest.raises(UsageError, match=r"^MessageDelayed\.ramp_ns_per_s: expected an integer"):
        MessageDelayed(message=NAME, delay_ns=us(10), ramp_ns_per_s=0)
    with pytest.raises(UsageError, match=r"^MessageRepeated\.copies: expected an integer >= 1"):
        MessageRepeated(message=NAME, copies=0)
    with pytest.raises(UsageError, match=r"^MessageReordered\.gap_ns: expected an integer >= 1"):
        MessageReordered(message=NAME, gap_ns=0)
    with pytest.raises(UsageError, match=r"^MessageBlocked\.then: expected lost or late, got 'x'"):
        MessageBlocked(message=NAME, then="x")
    with pytest.raises(UsageError, match=r"^MessageBlocked\.queue_frames: expected an integer"):
        MessageBlocked(message=NAME, queue_frames=0)
