"""Arbitration, intermission, delivery and statistics of a bus.

The reference for arbitration is a wired-AND written out bit by bit below; it knows nothing of
arbitration keys. Levels: 0 dominant wins, 1 recessive loses.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import (
    INTERMISSION_BITS,
    BitTiming,
    Bus,
    BusRecord,
    Controller,
    Frame,
    FrameLog,
    bit_counts,
    bits,
    duration_ns,
)
from simcore.errors import UsageError
from simcore.kernel import Priority, Scheduler

BIT_NS = 2000
CLASSIC = BitTiming(nominal_bps=500_000)
FD = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
NON_ISO = BitTiming(nominal_bps=500_000, data_bps=2_000_000, iso=False)
ODD = BitTiming(nominal_bps=700_000, data_bps=900_000)

Sent = tuple[str, Frame, int]
"""Sender, frame, time of the request."""


class Listener:
    """A node that notes what it receives and when."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.received: list[tuple[int, Frame]] = []

    def receive(self, frame: Frame) -> None:
        self.received.append((self.scheduler.now_ns, frame))

    @property
    def frames(self) -> list[Frame]:
        return [frame for _, frame in self.received]


class Net:
    """A bus with named listening nodes."""

    def __init__(self, timing: BitTiming = FD, names: Sequence[str] = "ABC") -> None:
        self.scheduler = Scheduler()
        self.bus = Bus("CAN1", timing, self.scheduler)
        self.nodes = {name: Listener(self.scheduler) for name in names}
        self.controllers = {
            name: self.bus.attach(name, node.receive) for name, node in self.nodes.items()
        }

    def __getitem__(self, name: str) -> Controller:
        return self.controllers[name]

    def send_at(self, time_ns: int, name: str, frame: Frame, priority: int = Priority.ECU) -> None:
        self.scheduler.post(time_ns, priority, partial(self.controllers[name].send, frame))

    def run(self, until_ns: int = 10**9) -> list[BusRecord]:
        self.scheduler.run_until_ns(until_ns)
        return self.bus.log

    @property
    def order(self) -> list[tuple[str, Frame]]:
        return [(record.sender, record.frame) for record in self.bus.log]


# ---- the reference: wired-AND, bit by bit ----


def arbitration_bits(frame: Frame) -> str:
    """What a frame sends behind SOF to the end of its arbitration, unstuffed."""
    remote = "1" if frame.is_remote_frame else "0"
    if not frame.is_extended_id:
        return f"{frame.arbitration_id:011b}{remote}0"
    text = f"{frame.arbitration_id:029b}"
    return f"{text[:11]}11{text[11:]}{remote}"


def survivors(contenders: Sequence[Frame]) -> list[int]:
    """Who is left when everybody who sent 1 and read 0 has dropped out."""
    left = list(range(len(contenders)))
    streams = [arbitration_bits(frame) for frame in contenders]
    for position in range(32):
        levels = {index: streams[index][position : position + 1] for index in left}
        if "0" in levels.values():
            left = [index for index in left if levels[index] != "1"]
    return left


def expected_records(requests: list[Sent], names: Sequence[str], timing: BitTiming) -> list[Sent]:
    """Frames in order with sender and SOF, by the reference."""
    waiting: dict[str, list[Sent]] = {name: [] for name in names}
    for request in sorted(requests, key=lambda request: request[2]):
        waiting[request[0]].append(request)
    out: list[Sent] = []
    free_ns = 0
    while any(waiting.values()):
        start_ns = max(free_ns, min(queue[0][2] for queue in waiting.values() if queue))
        heads: list[Sent] = []
        for queue in waiting.values():
            ready = [request for request in queue if request[2] <= start_ns]
            if ready:
                heads.append(ready[survivors([frame for _, frame, _ in ready])[0]])
        left = [heads[index] for index in survivors([frame for _, frame, _ in heads])]
        winner = left[0]
        for head in left:
            if head[1] == winner[1]:
                waiting[head[0]].remove(head)
        out.append((winner[0], winner[1], start_ns))
        nominal, data = bit_counts(winner[1], iso=timing.iso)
        free_ns = start_ns + timing.to_ns(nominal + INTERMISSION_BITS, data)
    return out


BASE_IDS = [0x000, 0x100, 0x101, 0x123, 0x7FF]
EXTENSIONS = [0, 1, 0x155, 0x3FFFF]
some_frames = st.one_of(
    st.builds(
        Frame,
        st.sampled_from(BASE_IDS),
        st.sampled_from([b"", b"\x00", b"\x55\xaa"]),
        is_fd=st.booleans(),
    ),
    st.builds(Frame, st.sampled_from(BASE_IDS), is_remote_frame=st.just(True)),
    st.builds(
        lambda base, extension, data, kind: Frame(
            base << 18 | extension,
            b"" if kind == "remote" else data,
            is_extended_id=True,
            is_fd=kind == "fd",
            is_remote_frame=kind == "remote",
        ),
        st.sampled_from(BASE_IDS),
        st.sampled_from(EXTENSIONS),
        st.sampled_from([b"", b"\xff"]),
        st.sampled_from(["classic", "fd", "remote"]),
    ),
)


def one_frame_per_identifier(frames: Sequence[Frame]) -> list[Frame]:
    """Different frames with one arbitration field would be an error, not arbitration."""
    first: dict[int, Frame] = {}
    return [first.setdefault(frame.header.arbitration_key, frame) for frame in frames]


@pytest.mark.parametrize("timing", [FD, ODD], ids=["500k/2M", "700k/900k"])
@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from("ABCDEF"),
            some_frames,
            st.one_of(st.just(0), st.integers(0, 400).map(lambda bit: bit * BIT_NS)),
        ),
        max_size=14,
    )
)
def test_any_number_of_controllers_share_the_bus_as_wired_and_decides(
    timing: BitTiming, requests: list[Sent]
) -> None:
    requests = [
        (name, frame, time_ns)
        for (name, _, time_ns), frame in zip(
            requests, one_frame_per_identifier([frame for _, frame, _ in requests]), strict=True
        )
    ]
    net = Net(timing, "ABCDEF")
    for name, frame, time_ns in requests:
        net.send_at(time_ns, name, frame)
    log = net.run()
    # The reference serves equal requests in the order of attachment, as the bus does.
    assert [(record.sender, record.frame, record.sof_ns) for record in log] == expected_records(
        requests, "ABCDEF", timing
    )
    for record in log:
        assert record.eof_ns == record.sof_ns + duration_ns(record.frame, timing)
    assert all(not controller.queue for controller in net.controllers.values())


@given(st.lists(some_frames, min_size=2, max_size=8))
def test_a_start_of_many_controllers_is_won_by_the_survivor_of_wired_and(
    frames: list[Frame],
) -> None:
    frames = one_frame_per_identifier(frames)
    names = [f"N{index}" for index in range(len(frames))]
    net = Net(FD, [*names, "LISTENER"])
    for name, frame in zip(names, frames, strict=True):
        net.send_at(0, name, frame)
    net.run(until_ns=0)  # the first frame is on the wire, the counters tell who sends it
    left = survivors(frames)
    winner = left[0]
    sending = [index for index in left if frames[index] == frames[winner]]
    indexes = range(len(frames))
    assert [i for i in indexes if net[names[i]].transmitted_count] == sending
    assert [i for i in indexes if not net[names[i]].arbitration_lost_count] == left
    assert left == sending
    assert net.run()[0].frame == frames[winner]


# ---- published rows of arbitration without errors ----

LOW = Frame(0x100, b"\x01")
HIGH = Frame(0x101, b"\x02")
TOP = 0x123 << 18

PUBLISHED = [
    (LOW, HIGH),
    (Frame(0x123, b"\x01"), Frame(TOP, b"\x01", is_extended_id=True)),
    (Frame(0x123, b"\x01"), Frame(TOP | 0x3FFFF, is_extended_id=True, is_fd=True)),
    (Frame(0x123, is_remote_frame=True), Frame(TOP, b"\x01", is_extended_id=True)),
    (Frame(0x123, b"\x01"), Frame(0x123, is_remote_frame=True)),
    (
        Frame(TOP | 5, b"\x01", is_extended_id=True),
        Frame(TOP | 5, is_extended_id=True, is_remote_frame=True),
    ),
    (Frame(0x123, b"\x01", is_fd=True), Frame(0x123, is_remote_frame=True)),
    (
        Frame(TOP | 4, is_extended_id=True, is_remote_frame=True),
        Frame(TOP | 5, is_extended_id=True),
    ),
    (Frame(0x122 << 18 | 0x3FFFF, is_extended_id=True), Frame(0x123)),
]


@pytest.mark.parametrize(("winner", "loser"), PUBLISHED, ids=repr)
@pytest.mark.parametrize("loser_first", [False, True], ids=["winner first", "loser first"])
def test_the_published_winner_goes_first_and_the_loser_right_behind_it(
    winner: Frame, loser: Frame, loser_first: bool
) -> None:
    net = Net()
    sends = [("A", winner), ("B", loser)]
    for name, frame in reversed(sends) if loser_first else sends:
        net.send_at(0, name, frame)
    first, second = net.run()
    assert (first.sender, first.frame) == ("A", winner)
    assert (second.sender, second.frame) == ("B", loser)
    assert second.sof_ns == first.eof_ns + 3 * BIT_NS
    assert second.request_ns == first.request_ns == 0
    assert net["A"].arbitration_lost_count == 0
    assert net["B"].arbitration_lost_count == 1
    assert net.bus.error_frames == []
    assert net["B"].transmit_error_count == net["B"].receive_error_count == 0
    assert net.nodes["B"].frames == [winner]  # the loser becomes a receiver
    assert net.nodes["C"].frames == [winner, loser]


def test_an_identical_frame_of_two_nodes_is_one_frame_and_a_success_for_both() -> None:
    net = Net()
    for name in "AB":
        net.send_at(0, name, Frame(0x123, b"\x01"))
    (record,) = net.run()
    assert record.sender == "A"
    assert [net[name].transmitted_count for name in "ABC"] == [1, 1, 0]
    assert len(net.nodes["C"].received) == 1
    assert net.nodes["A"].received == []
    assert net.bus.error_frames == []
    assert all(not net[name].queue for name in "ABC")


def test_nobody_receives_the_identical_frame_that_it_sent_itself() -> None:
    net = Net()
    for name in "AB":
        net.send_at(0, name, Frame(0x123, b"\x01"))
    net.send_at(10**6, "A", Frame(0x123, b"\x01"))
    net.run()
    assert [time_ns > 10**6 for time_ns, _ in net.nodes["B"].received] == [True]
    assert [net[name].received_count for name in "ABC"] == [0, 1, 2]


# ---- the queue of one controller ----


@given(st.lists(some_frames, min_size=1, max_size=10))
def test_a_queue_sends_by_priority_and_equal_arbitration_fields_in_order_of_request(
    frames: list[Frame],
) -> None:
    net = Net()
    for frame in frames:
        net.send_at(0, "A", frame)
    net.run()
    ordered = sorted(frames, key=arbitration_bits)  # the sort is stable; 0 before 1
    assert [frame for _, frame in net.order] == ordered
    assert net["A"].transmitted_count == len(frames)
    assert net["A"].arbitration_lost_count == 0
    assert net.nodes["A"].received == []  # nobody receives what it sends


def test_a_more_urgent_frame_overtakes_those_that_wait_but_not_the_one_on_the_wire() -> None:
    net = Net()
    net.send_at(0, "A", Frame(0x300))
    net.send_at(0, "A", Frame(0x200))
    net.send_at(BIT_NS, "A", Frame(0x100))
    net.run()
    assert [frame.arbitration_id for _, frame in net.order] == [0x200, 0x100, 0x300]


def test_equal_identifiers_keep_their_order_although_other_frames_come_between() -> None:
    net = Net()
    frames = [Frame(0x200, bytes([number])) for number in range(20)]
    for frame in frames:
        net.send_at(0, "A", frame)
        net.send_at(0, "A", Frame(0x100))
    net.run()
    sent = [frame for _, frame in net.order if frame.arbitration_id == 0x200]
    assert sent == frames


def test_a_waiting_frame_can_be_aborted_and_one_on_the_wire_cannot() -> None:
    net = Net()
    net.send_at(0, "A", Frame(0x100))
    net.send_at(0, "A", Frame(0x200))
    net.send_at(0, "B", Frame(0x300))
    net.scheduler.post(BIT_NS, Priority.ECU, net["A"].abort)
    net.run()
    assert net.order == [("A", Frame(0x100)), ("B", Frame(0x300))]
    assert net["A"].transmitted_count == 1


def test_a_bus_whose_only_request_was_aborted_goes_idle_and_starts_again() -> None:
    net = Net()
    net.send_at(0, "A", Frame(0x100))
    net.scheduler.post(0, Priority.ECU, net["A"].abort)
    net.send_at(7777, "B", Frame(0x200))
    (record,) = net.run()
    assert (record.sender, record.sof_ns) == ("B", 7777)


def test_an_abort_in_the_intermission_leaves_the_bus_idle() -> None:
    net = Net()
    frame = Frame(0x100)
    end_ns = duration_ns(frame, FD)
    net.send_at(0, "A", frame)
    net.send_at(0, "B", Frame(0x200))
    net.scheduler.post(end_ns + BIT_NS, Priority.ECU, net["B"].abort)
    net.send_at(end_ns + 5 * BIT_NS, "B", Frame(0x300))
    log = net.run()
    assert [record.sof_ns for record in log] == [0, end_ns + 5 * BIT_NS]


# ---- when frames start ----


def test_an_idle_bus_starts_at_the_instant_of_the_request() -> None:
    net = Net()
    net.send_at(12_345, "A", LOW)
    (record,) = net.run()
    assert (record.sof_ns, record.request_ns) == (12_345, 12_345)
    assert record.eof_ns == 12_345 + len(bits(LOW)) * BIT_NS


@pytest.mark.parametrize("after_bits", [0, 1, 2, 3, 4, 50])
def test_the_next_frame_starts_three_bits_behind_the_last_or_when_it_is_requested(
    after_bits: int,
) -> None:
    net = Net()
    net.send_at(0, "A", LOW)
    end_ns = duration_ns(LOW, FD)
    request_ns = end_ns + after_bits * BIT_NS
    net.send_at(request_ns, "B", HIGH)
    first, second = net.run()
    assert first.eof_ns == end_ns
    assert second.sof_ns == end_ns + max(3, after_bits) * BIT_NS
    assert second.request_ns == request_ns


@pytest.mark.parametrize("late_ns", [-1, 0, 1])
def test_a_request_joins_up_to_the_instant_of_the_start_and_not_after(late_ns: int) -> None:
    net = Net()
    net.send_at(0, "A", Frame(0x300))
    net.send_at(1000, "B", Frame(0x200))
    start_ns = duration_ns(Frame(0x300), FD) + 3 * BIT_NS
    net.send_at(start_ns + late_ns, "C", Frame(0x100))
    net.run()
    senders = [sender for sender, _ in net.order]
    assert senders == (["A", "B", "C"] if late_ns > 0 else ["A", "C", "B"])


@pytest.mark.parametrize("first", [Priority.BUS, Priority.PLANT, Priority.ECU])
def test_all_requests_of_an_instant_take_part_on_an_idle_bus_whoever_asks_first(
    first: Priority,
) -> None:
    net = Net()
    net.send_at(1000, "A", Frame(0x300), first)
    net.send_at(1000, "B", Frame(0x100), Priority.ECU)
    net.send_at(1000, "C", Frame(0x200), Priority.PLANT)
    net.run()
    assert [sender for sender, _ in net.order] == ["B", "C", "A"]


def test_requests_made_between_two_runs_at_one_instant_compete_too() -> None:
    net = Net()
    net.scheduler.run_until_ns(5000)
    net["A"].send(Frame(0x300))
    net["B"].send(Frame(0x100))
    first, second = net.run()
    assert (first.sender, first.sof_ns, second.sender) == ("B", 5000, "A")


def test_an_answer_sent_from_receive_competes_for_the_next_start() -> None:
    net = Net()

    class Answering(Listener):
        controller: Controller

        def receive(self, frame: Frame) -> None:
            super().receive(frame)
            if frame.arbitration_id == 0x300:
                self.controller.send(Frame(0x100))

    answering = Answering(net.scheduler)
    answering.controller = net.bus.attach("D", answering.receive)
    net.send_at(0, "A", Frame(0x300))
    net.send_at(0, "B", Frame(0x301))
    net.run()
    assert [sender for sender, _ in net.order] == ["A", "D", "B"]
    first, second, _ = net.bus.log
    assert second.request_ns == first.eof_ns - BIT_NS
    assert second.sof_ns == first.eof_ns + 3 * BIT_NS


# ---- delivery ----


@pytest.mark.parametrize("timing", [CLASSIC, FD, NON_ISO, ODD], ids=["classic", "FD", "old", "odd"])
@pytest.mark.parametrize("length", [0, 5, 8])
def test_receivers_get_a_frame_at_the_last_bit_but_one_of_eof(
    timing: BitTiming, length: int
) -> None:
    net = Net(timing)
    is_fd = timing.data_bps is not None
    frame = Frame(0x123, bytes(length), is_fd=is_fd, bitrate_switch=is_fd)
    net.send_at(1000, "A", frame)
    net.run()
    nominal, data = bit_counts(frame, iso=timing.iso)
    valid_ns = 1000 + timing.to_ns(nominal - 1, data)
    for name in "BC":
        assert net.nodes[name].received == [(valid_ns, frame)]
    assert net.bus.log[0].eof_ns == 1000 + timing.to_ns(nominal, data)


def test_a_received_frame_is_seen_by_the_tasks_of_its_instant() -> None:
    net = Net()
    valid_ns = duration_ns(LOW, FD) - BIT_NS
    counts: list[int] = []
    for priority in Priority:
        net.scheduler.post(valid_ns, priority, partial(net_count, net.nodes["B"], counts))
    net.send_at(0, "A", LOW)
    net.run()
    assert counts[1:] == [1, 1, 1, 1]


def net_count(node: Listener, counts: list[int]) -> None:
    counts.append(len(node.received))


def test_every_receiver_gets_the_very_same_frame_in_order_of_attachment() -> None:
    net = Net()
    order: list[str] = []
    for name in "ABC":
        net[name].listen(partial(note_name, order, name))
    net.send_at(0, "B", LOW)
    net.run()
    assert order == ["A", "C"]


def note_name(order: list[str], name: str, frame: Frame) -> None:
    assert frame is LOW
    order.append(name)


def test_one_identifier_sent_by_two_nodes_in_turn_reaches_the_other_one_each_time() -> None:
    net = Net()
    for index, name in enumerate("ABAB"):
        net.send_at(index * 10**6, name, LOW)
    net.run()
    received = {
        name: [time_ns // 10**6 for time_ns, _ in node.received] for name, node in net.nodes.items()
    }
    assert received == {"A": [1, 3], "B": [0, 2], "C": [0, 1, 2, 3]}
    assert [net[name].received_count for name in "ABC"] == [2, 2, 4]


def test_an_acceptance_filter_tells_base_from_extended_identifiers() -> None:
    net = Net()
    frames = [
        Frame(0x100),
        Frame(0x101),
        Frame(0x100, is_extended_id=True),
        Frame(0x100, b"\x01", is_fd=True),
    ]
    net["B"].accept([(0x100, False)])
    net["C"].accept([(0x100, True), (0x101, False)])
    for index, frame in enumerate(frames):
        net.send_at(index * 10**6, "A", frame)
    net.run()
    assert net.nodes["B"].frames == [frames[0], frames[3]]
    assert net.nodes["C"].frames == [frames[1], frames[2]]
    assert [net[name].received_count for name in "ABC"] == [0, 2, 2]


def test_an_acceptance_filter_can_change_while_the_bus_runs() -> None:
    net = Net()
    for index in range(4):
        net.send_at(index * 10**6, "A", LOW)
    net.run(until_ns=500_000)
    net["B"].accept([])
    net.run(until_ns=1_500_000)
    net["B"].accept(None)
    net.run(until_ns=2_500_000)
    net["B"].listen(None)
    net.run()
    assert [time_ns // 10**6 for time_ns, _ in net.nodes["B"].received] == [0, 2]
    assert net["B"].received_count == 2
    assert net["C"].received_count == 4
    assert not net["B"].accepts(LOW)
    assert net["C"].accepts(LOW)


def test_a_disabled_controller_neither_sends_nor_receives_and_forgets_its_queue() -> None:
    net = Net()
    net.send_at(0, "A", Frame(0x100))
    net.send_at(0, "B", Frame(0x200))
    net.send_at(10**6 - 200 * BIT_NS, "A", Frame(0x300))
    switched_off_ns = 200 * BIT_NS
    net.send_at(switched_off_ns, "B", Frame(0x200))
    net.send_at(switched_off_ns, "A", Frame(0x100))
    net.scheduler.post(switched_off_ns + BIT_NS, Priority.ECU, partial(net["B"].set_enabled, False))
    net.send_at(switched_off_ns + 2 * BIT_NS, "B", Frame(0x201))
    net.send_at(10**6, "A", Frame(0x100))
    net.scheduler.post(2 * 10**6, Priority.PLANT, partial(net["B"].set_enabled, True))
    net.send_at(2 * 10**6, "B", Frame(0x202))
    net.send_at(2 * 10**6, "A", Frame(0x102))
    net.run()
    identifiers = [frame.arbitration_id for _, frame in net.order]
    assert identifiers == [0x100, 0x200, 0x100, 0x300, 0x100, 0x102, 0x202]
    assert net.nodes["B"].frames == [Frame(0x100), Frame(0x102)]
    assert net["B"].enabled


def test_a_frame_is_cut_when_its_sender_is_switched_off() -> None:
    net = Net()
    net.send_at(0, "A", LOW)
    net.scheduler.post(5 * BIT_NS, Priority.ECU, partial(net["A"].set_enabled, False))
    net.run()
    assert net.order == []
    assert net.nodes["B"].frames == []
    (error_frame,) = net.bus.error_frames
    assert {error.node for error in error_frame.errors} == {"B", "C"}
    assert [net[name].receive_error_count for name in "BC"] == [1, 1]


def test_a_controller_without_a_listener_sends_and_receives_nothing() -> None:
    net = Net()
    deaf = net.bus.attach("DEAF")
    net.send_at(0, "A", LOW)
    deaf.send(HIGH)
    net.run()
    assert net.order == [("A", LOW), ("DEAF", HIGH)]
    assert (deaf.received_count, deaf.transmitted_count) == (0, 1)
    late = Listener(net.scheduler)
    deaf.listen(late.receive)
    net.send_at(2 * 10**9, "A", LOW)
    net.run(until_ns=3 * 10**9)
    assert late.frames == [LOW]


# ---- kinds of network ----


def test_a_classic_network_refuses_fd_frames_and_stays_idle() -> None:
    net = Net(CLASSIC)
    with pytest.raises(
        UsageError,
        match=r"^CAN1: Frame\(0x123, '', is_fd=True, dlc=0\) from A: expected no CAN FD frames on "
        r"this bus$",
    ):
        net["A"].send(Frame(0x123, is_fd=True))
    assert net.run() == []
    assert not net["A"].queue
    net["A"].send(LOW)
    assert [record.frame for record in net.run(until_ns=2 * 10**9)] == [LOW]


@pytest.mark.parametrize(
    ("timing", "frame_ns"), [(FD, 107_000), (NON_ISO, 104_500)], ids=["ISO", "non-ISO"]
)
def test_a_frame_on_a_non_iso_network_is_shorter_by_stuff_count_and_its_stuff_bit(
    timing: BitTiming, frame_ns: int
) -> None:
    net = Net(timing)
    net.send_at(0, "A", Frame(0x0A0, bytes(range(8)), is_fd=True, bitrate_switch=True))
    (record,) = net.run()
    assert record.eof_ns == frame_ns


def test_a_name_can_be_attached_once_only() -> None:
    with pytest.raises(UsageError, match=r"^CAN1: attach: expected a free name, got A$"):
        Net().bus.attach("A")


def test_buses_may_share_one_log_that_keeps_the_order_of_completion() -> None:
    scheduler, log = Scheduler(), FrameLog()
    buses = [Bus(name, FD, scheduler, log=log) for name in ("ONE", "TWO")]
    controllers = [bus.attach("A") for bus in buses]
    for bus in buses:
        bus.attach("B")
    controllers[0].send(Frame(0x100, bytes(8)))
    controllers[1].send(Frame(0x700))
    controllers[0].send(Frame(0x200))
    scheduler.run_until_ns(10**6)
    assert [(record.channel, record.frame.arbitration_id) for record in log] == [
        ("TWO", 0x700),
        ("ONE", 0x100),
        ("ONE", 0x200),
    ]
    assert buses[0].log is buses[1].log is log


# ---- load and statistics ----


def test_load_is_the_share_of_frames_and_their_intermissions() -> None:
    net = Net()
    assert net.bus.load_ratio == 0.0
    occupied_ns = 0
    for index in range(7):
        frame = Frame(0x100 + index, bytes(index))
        net.send_at(index * 10**6, "A", frame)
        occupied_ns += duration_ns(frame, FD) + 3 * BIT_NS
    net.run(until_ns=8_000_000)
    assert net.bus.busy_ns == occupied_ns
    assert net.bus.load_ratio == occupied_ns / 8_000_000


def test_a_bus_that_never_rests_is_loaded_by_exactly_one_at_every_instant() -> None:
    net = Net()
    for _ in range(20):
        net.send_at(0, "A", LOW)
    period_ns = duration_ns(LOW, FD) + 3 * BIT_NS
    for now_ns in (1, period_ns - 1, period_ns, period_ns + 1, 10 * period_ns + 17, 20 * period_ns):
        net.run(until_ns=now_ns)
        assert net.bus.load_ratio == 1.0
    net.run(until_ns=40 * period_ns)
    assert net.bus.load_ratio == 0.5


def test_latency_counts_from_the_request_to_the_end_of_eof() -> None:
    net = Net()
    net.send_at(0, "A", LOW)
    net.send_at(1000, "B", HIGH)
    first, second = net.run()
    low_ns, high_ns = duration_ns(LOW, FD), duration_ns(HIGH, FD)
    assert first.eof_ns - first.request_ns == low_ns
    assert second.eof_ns - second.request_ns == low_ns + 3 * BIT_NS + high_ns - 1000


def test_counters_count_what_was_sent_received_and_lost() -> None:
    net = Net()
    for index in range(5):
        net.send_at(0, "A", Frame(0x100 + index))
        net.send_at(0, "B", Frame(0x200 + index))
    net.run()
    assert [net[name].transmitted_count for name in "ABC"] == [5, 5, 0]
    assert [net[name].received_count for name in "ABC"] == [5, 5, 10]
    assert [net[name].arbitration_lost_count for name in "ABC"] == [0, 5, 0]


# ---- copies ----


class Traffic:
    """Cyclic senders with coprime periods and an answering node; runs for ever."""

    def __init__(self) -> None:
        self.net = Net(FD)
        self.count = 0
        for name, identifier, period_ns in [("A", 0x100, 310_000), ("B", 0x0FF, 470_000)]:
            self.net.scheduler.post(
                0, Priority.ECU, partial(self.cycle, name, identifier, period_ns)
            )
        self.net["C"].listen(self.answer)

    def cycle(self, name: str, identifier: int, period_ns: int) -> None:
        self.count += 1
        data = self.count.to_bytes(2, "big") * 8
        self.net[name].send(Frame(identifier, data, is_fd=True, bitrate_switch=True))
        now_ns = self.net.scheduler.now_ns
        self.net.scheduler.post(
            now_ns + period_ns, Priority.ECU, partial(self.cycle, name, identifier, period_ns)
        )

    def answer(self, frame: Frame) -> None:
        if frame.data[1] % 3 == 0:
            self.net["C"].send(Frame(0x700, frame.data[:2]))
            self.net["C"].send(Frame(0x050, frame.data[:2]))

    @property
    def state(self) -> tuple[object, ...]:
        net = self.net
        return (
            [*net.bus.log],
            net.bus.busy_ns,
            [node.received[:] for node in net.nodes.values()],
            [(c.transmitted_count, c.received_count) for c in net.controllers.values()],
            [c.arbitration_lost_count for c in net.controllers.values()],
        )


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
@given(cut_ns=st.integers(0, 2_000_000))
def test_a_bus_copied_in_the_middle_of_anything_continues_identically(
    how: str, cut_ns: int
) -> None:
    untouched, original = Traffic(), Traffic()
    untouched.net.run(until_ns=4_000_000)
    original.net.run(until_ns=cut_ns)
    fork = copy.deepcopy(original) if how == "deep copy" else pickle.loads(pickle.dumps(original))
    frozen = original.state
    fork.net.run(until_ns=4_000_000)
    assert original.state == frozen
    original.net.run(until_ns=4_000_000)
    assert fork.state == original.state == untouched.state
    assert len(fork.net.bus.log) > 20


@given(
    cuts=st.lists(st.integers(0, 3_000_000), max_size=8),
    other_ns=st.sampled_from([None, 500, 1000, 7000, 110_000]),
)
def test_neither_stops_nor_other_events_change_what_the_bus_does(
    cuts: list[int], other_ns: int | None
) -> None:
    plain, disturbed = Traffic(), Traffic()
    plain.net.run(until_ns=3_000_000)
    scheduler = disturbed.net.scheduler
    for time_ns in range(0, 3_000_000, other_ns or 3_000_000):
        for priority in (Priority.BUS, Priority.ARBITRATION, Priority.OBSERVER):
            scheduler.post(time_ns, priority, partial(len, ()))
    for cut in [*sorted(cuts), 3_000_000]:
        disturbed.net.run(until_ns=cut)
    assert disturbed.state == plain.state


def test_run_until_stops_at_the_instant_at_which_a_receiver_gets_its_frame() -> None:
    net = Net()
    for _ in range(5):
        net.send_at(0, "A", LOW)
    period_ns = duration_ns(LOW, FD) + 3 * BIT_NS
    received = net.nodes["B"].received
    for count in range(1, 6):
        assert net.scheduler.run_until(lambda wanted=count: len(received) >= wanted, 10**9)
        assert len(received) == count
        assert net.scheduler.now_ns == count * period_ns - 4 * BIT_NS


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
def test_a_frame_on_the_wire_and_one_that_waits_travel_with_a_copy(how: str) -> None:
    net = Net()
    net.send_at(0, "A", LOW)
    net.send_at(0, "B", HIGH)
    net.run(until_ns=20 * BIT_NS)
    assert list(net.bus.log) == []
    fork = copy.deepcopy(net) if how == "deep copy" else pickle.loads(pickle.dumps(net))
    net["B"].abort()  # in the original only
    assert net.run() != fork.run()
    assert net.order == [("A", LOW)]
    assert fork.order == [("A", LOW), ("B", HIGH)]
    assert fork.nodes["C"].frames == [LOW, HIGH]
    assert net.nodes["C"].frames == [LOW]
    assert fork.bus.timing == FD
    if how == "deep copy":
        assert fork.bus.timing is net.bus.timing  # what never changes is shared
        assert fork.bus.log[0] == net.bus.log[0]


def test_a_receiver_that_raises_does_not_silence_the_bus() -> None:
    class Broken:
        def receive(self, frame: Frame) -> None:
            raise RuntimeError("broken receiver")

    scheduler = Scheduler()
    bus = Bus("A", BitTiming(nominal_bps=500_000), scheduler)
    sender = bus.attach("S")
    bus.attach("R", Broken().receive)
    sender.send(Frame(1))
    sender.send(Frame(2))
    for count in (1, 2):
        with pytest.raises(RuntimeError, match="broken receiver"):
            scheduler.run_until_ns(10**6)
        assert [record.frame.arbitration_id for record in bus.log] == [1, 2][:count]


def test_a_frame_keeps_its_own_copy_of_mutable_data() -> None:
    data = bytearray(b"\x01\x02")
    frame = Frame(1, bytes(2)).with_data(data)
    data[0] = 9
    assert frame.data == b"\x01\x02"
    assert hash(frame) == hash(Frame(1, b"\x01\x02"))
