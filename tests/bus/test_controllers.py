"""Controllers of different makes: what they send next, what they keep, what they take part in."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import (
    BitFlips,
    BitTiming,
    Bus,
    Controller,
    ControllerOptions,
    ErrorKind,
    ErrorState,
    FdSupport,
    Frame,
    FrameMatch,
    HeldLine,
    TransmitPolicy,
)
from simcore.errors import UsageError
from simcore.kernel import Priority, Scheduler

BIT_NS = 2000
LOW, MIDDLE, URGENT = Frame(0x300), Frame(0x200), Frame(0x100)
FD = Frame(0x123, bytes(12), is_fd=True, bitrate_switch=True)


class Net:
    def __init__(self, options: ControllerOptions | None = None, names: str = "ABC") -> None:
        self.scheduler = Scheduler()
        timing = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
        self.bus = Bus("X", timing, self.scheduler)
        self.got: dict[str, list[Frame]] = {name: [] for name in names}
        self.nodes: dict[str, Controller] = {
            name: self.bus.attach(name, self.got[name].append) for name in names
        }
        if options is not None:
            self.nodes["A"].configure(options)

    def __getitem__(self, name: str) -> Controller:
        return self.nodes[name]

    def send_at(self, bit: int, name: str, frame: Frame) -> None:
        self.scheduler.post(bit * BIT_NS, int(Priority.ECU), partial(self[name].send, frame))

    def run(self, bits: int = 5000) -> None:
        self.scheduler.run_until_ns(self.scheduler.now_ns + bits * BIT_NS)

    @property
    def order(self) -> list[tuple[str, int]]:
        return [(record.sender, record.frame.arbitration_id) for record in self.bus.log]


def burst(net: Net, *frames: Frame) -> None:
    """B occupies the bus, A asks for several frames in this order meanwhile."""
    net.send_at(0, "B", Frame(0x001))
    for frame in frames:
        net.send_at(5, "A", frame)


# ---- what is sent next ----


def test_by_default_the_lowest_identifier_goes_first() -> None:
    net = Net()
    burst(net, LOW, MIDDLE, URGENT)
    net.run()
    assert net.order[1:] == [("A", 0x100), ("A", 0x200), ("A", 0x300)]


def test_a_fifo_lets_an_urgent_frame_wait_behind_a_slow_one() -> None:
    net = Net(ControllerOptions(transmit=TransmitPolicy.FIFO))
    burst(net, LOW, URGENT)
    net.send_at(5, "C", MIDDLE)
    net.run()
    # Priority inversion: 0x100 would win against 0x200, but 0x300 stands before it.
    assert net.order[1:] == [("C", 0x200), ("A", 0x300), ("A", 0x100)]


def test_mailboxes_send_the_most_urgent_of_those_that_fit() -> None:
    net = Net(ControllerOptions(transmit=TransmitPolicy.MAILBOXES, mailbox_count=2))
    burst(net, LOW, MIDDLE, URGENT)
    net.run()
    # The third waits in the driver until a mailbox is free: inner priority inversion.
    assert net.order[1:] == [("A", 0x200), ("A", 0x100), ("A", 0x300)]


def test_mailboxes_may_go_by_order_of_request() -> None:
    net = Net(
        ControllerOptions(
            transmit=TransmitPolicy.MAILBOXES, mailbox_count=2, mailboxes_by_request=True
        )
    )
    burst(net, LOW, URGENT, MIDDLE)
    net.run()
    assert net.order[1:] == [("A", 0x300), ("A", 0x100), ("A", 0x200)]


@given(
    st.sampled_from(
        [
            ControllerOptions(),
            ControllerOptions(transmit=TransmitPolicy.FIFO),
            ControllerOptions(transmit=TransmitPolicy.MAILBOXES, mailbox_count=1),
            ControllerOptions(transmit=TransmitPolicy.MAILBOXES, mailbox_count=3),
            ControllerOptions(
                transmit=TransmitPolicy.MAILBOXES, mailbox_count=3, mailboxes_by_request=True
            ),
            ControllerOptions(transmit_depth=100),
        ]
    ),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 5)), max_size=12),
    st.lists(st.integers(0, 120), max_size=2),
)
def test_no_policy_loses_or_doubles_a_frame_even_when_bits_are_disturbed(
    options: ControllerOptions, requests: list[tuple[int, int]], flipped: list[int]
) -> None:
    net = Net(options)
    if flipped:
        net.bus.disturb(BitFlips(tuple(flipped), match=FrameMatch(), limit=4))
    for number, (bit, identifier) in enumerate(sorted(requests)):
        net.send_at(bit, "A", Frame(identifier, bytes([number])))
    net.run(20_000)
    sent = [record.frame.data[0] for record in net.bus.log if record.sender == "A"]
    assert net["A"].transmitted_count == len(requests)
    assert set(sent) == set(range(len(requests)))
    assert net["A"].pending_count == 0
    if options.transmit is TransmitPolicy.FIFO:
        assert list(dict.fromkeys(sent)) == list(range(len(requests)))


# ---- attempts ----


def test_single_shot_gives_up_after_an_error() -> None:
    net = Net(ControllerOptions(single_shot=True))
    net.bus.disturb(BitFlips((20,), match=FrameMatch(), limit=1))
    net["A"].send(MIDDLE)
    net["A"].send(LOW)
    net.run()
    assert net.order == [("A", 0x300)]
    assert net["A"].single_shot_lost_count == 1


@pytest.mark.parametrize(("counts", "order"), [(True, [0x100]), (False, [0x100, 0x200])])
def test_whether_lost_arbitration_is_an_attempt_depends_on_the_part(
    counts: bool, order: list[int]
) -> None:
    net = Net(ControllerOptions(single_shot=True, single_shot_counts_arbitration=counts))
    net["A"].send(MIDDLE)
    net["B"].send(URGENT)
    net.run()
    assert [identifier for _, identifier in net.order] == order
    assert net["A"].arbitration_lost_count == 1
    assert net["A"].single_shot_lost_count == (1 if counts else 0)


def test_abort_drops_what_waits_but_not_what_is_on_the_wire() -> None:
    net = Net()
    for frame in (URGENT, MIDDLE, LOW):
        net["A"].send(frame)
    net.run(10)
    net["A"].abort(0x200)
    net.run()
    assert net.order == [("A", 0x100), ("A", 0x300)]


def test_an_aborted_frame_on_the_wire_gets_no_second_attempt() -> None:
    net = Net()
    net.bus.disturb(BitFlips((30,), match=FrameMatch(), limit=1))
    net["A"].send(MIDDLE)
    net.run(10)
    net["A"].abort()
    net.run()
    assert net.order == []
    assert net["A"].pending_count == 0


def test_a_request_too_many_is_refused_and_counted() -> None:
    net = Net(ControllerOptions(transmit_depth=2))
    burst(net, LOW, MIDDLE, URGENT)
    net.run()
    assert net.order[1:] == [("A", 0x200), ("A", 0x300)]
    assert net["A"].refused_count == 1


def test_a_newer_frame_replaces_the_one_that_waits() -> None:
    net = Net(ControllerOptions(replace_pending=frozenset({0x200})))
    burst(net, Frame(0x200, b"\x01"), LOW, Frame(0x200, b"\x02"))
    net.run()
    assert [record.frame.data for record in net.bus.log if record.sender == "A"] == [b"\x02", b""]


def test_the_configuration_cannot_change_while_frames_wait() -> None:
    net = Net()
    net["A"].send(LOW)
    with pytest.raises(UsageError, match=r"^A: configure: expected no frames waiting$"):
        net["A"].configure(ControllerOptions(single_shot=True))


@pytest.mark.parametrize(
    ("field", "value"),
    [("mailbox_count", 0), ("transmit_depth", 0), ("receive_depth", -1), ("recovery_delay_ns", -1)],
)
def test_impossible_options_are_refused(field: str, value: int) -> None:
    with pytest.raises(UsageError, match=rf"^ControllerOptions\.{field}: expected an integer >= "):
        ControllerOptions(**{field: value})  # type: ignore[arg-type]


# ---- receiving ----


def test_a_full_receive_fifo_loses_the_new_frame_and_counts_it() -> None:
    net = Net(ControllerOptions(receive_depth=2))
    for frame in (URGENT, MIDDLE, LOW):
        net["B"].send(frame)
    net.run()
    assert [net["A"].read(), net["A"].read(), net["A"].read()] == [URGENT, MIDDLE, None]
    assert net["A"].overrun_count == 1


def test_or_it_loses_the_oldest_one() -> None:
    net = Net(ControllerOptions(receive_depth=2, overwrite_oldest=True))
    for frame in (URGENT, MIDDLE, LOW):
        net["B"].send(frame)
    net.run()
    assert [net["A"].read(), net["A"].read()] == [MIDDLE, LOW]
    assert net["A"].overrun_count == 1


def test_filtered_frames_do_not_fill_the_fifo() -> None:
    net = Net(ControllerOptions(receive_depth=1))
    net["A"].accept([(0x300, False)])
    for frame in (URGENT, MIDDLE, LOW):
        net["B"].send(frame)
    net.run()
    assert net["A"].fifo == [LOW]
    assert net["A"].overrun_count == 0


def test_a_listener_hears_everything_and_acknowledges_nothing() -> None:
    net = Net(ControllerOptions(listen_only=True), names="AB")
    net["B"].send(MIDDLE)
    net.run()
    assert net["B"].transmitted_count == 0  # nobody acknowledges
    assert net["B"].transmit_error_count == 128
    # As long as B was active its error flag spoiled the frame for the listener, too; a passive
    # flag spoils nothing.
    assert set(net.got["A"]) == {MIDDLE}
    assert {sender for sender, _ in net.order} == {"B"}
    net.bus.attach("C")
    net.run()
    assert net["B"].transmitted_count == 1
    assert net["A"].receive_error_count == 0


def test_a_listener_sends_nothing() -> None:
    net = Net(ControllerOptions(listen_only=True))
    net["A"].send(MIDDLE)
    net.run()
    assert net.order == []
    assert net["A"].refused_count == 1


def test_listening_can_be_switched() -> None:
    net = Net()
    net["A"].set_listen_only(True)
    net["A"].send(MIDDLE)
    net["A"].set_listen_only(False)
    net["A"].send(LOW)
    net.run()
    assert net.order == [("A", 0x300)]


# ---- classic controllers on an FD bus ----


def test_a_classic_controller_destroys_fd_traffic() -> None:
    net = Net(ControllerOptions(fd=FdSupport.NONE))
    net["B"].send(FD)
    net.run(60)
    error = net.bus.error_frames[0].errors[0]
    assert (error.node, error.kind, error.field) == ("A", ErrorKind.FORM, "control")
    net.run(20_000)
    # The sender ends bus-off again and again, or the classic node falls silent: it is passive
    # after enough of its own errors and the FD frame gets through then.
    assert net["A"].error_state is not ErrorState.ACTIVE
    assert [record.frame for record in net.bus.log] == [FD]


def test_a_tolerant_classic_controller_lets_fd_frames_pass() -> None:
    net = Net(ControllerOptions(fd=FdSupport.TOLERANT))
    net["B"].send(FD)
    net["B"].send(LOW)
    net.run()
    assert net.got["A"] == [LOW]
    assert net.got["C"] == [FD, LOW]
    assert net.bus.error_frames == []


def test_a_tolerant_classic_controller_does_not_acknowledge_fd_frames() -> None:
    net = Net(ControllerOptions(fd=FdSupport.TOLERANT), names="AB")
    net["B"].send(FD)
    net.run()
    assert net.order == []
    assert net["B"].transmit_error_count == 128
    assert net["A"].receive_error_count == 0


def test_a_classic_controller_refuses_to_send_fd_frames() -> None:
    net = Net(ControllerOptions(fd=FdSupport.TOLERANT))
    net["A"].send(FD)
    net.run()
    assert net["A"].refused_count == 1


# ---- nodes that come and go ----


def test_a_node_switched_on_in_mid_frame_takes_part_after_11_recessive_bits() -> None:
    net = Net()
    net["C"].set_enabled(False)
    net["A"].send(URGENT)
    net["A"].send(MIDDLE)
    net.run(20)
    net["C"].set_enabled(True)
    net.run()
    assert net.got["C"] == [MIDDLE]


def test_a_node_cut_off_is_alone_until_it_is_plugged_in_again() -> None:
    net = Net()
    net["A"].set_connected(False)
    net["A"].send(URGENT)
    net["B"].send(MIDDLE)
    net.run()
    assert net.order == [("B", 0x200)]
    assert net.got["A"] == []
    assert net["A"].transmit_error_count == 128
    net["A"].set_connected(True)
    net.run()
    assert net.order == [("B", 0x200), ("A", 0x100)]
    assert net["A"].transmit_error_count == 127


def test_unplugging_a_sender_cuts_its_frame_and_it_is_sent_again_later() -> None:
    net = Net()
    net["A"].send(URGENT)
    net.run(20)
    net["A"].set_connected(False)
    net.run(100)
    assert {error.node for error in net.bus.error_frames[0].errors} == {"B", "C"}
    net["A"].set_connected(True)
    net.run()
    assert net.order == [("A", 0x100)]
    assert net.got["B"] == [URGENT]


@pytest.mark.parametrize("busy", [False, True], ids=["idle bus", "held line"])
def test_a_node_that_is_plugged_in_again_while_bus_off_recovers(busy: bool) -> None:
    net = Net()
    net["A"].force_bus_off()
    net.run(100)
    net["A"].set_connected(False)
    net.run(100)
    held = HeldLine(1)
    if busy:
        net.bus.disturb(held)
    net["A"].set_connected(True)
    net.run(100)
    net.bus.undisturb(held)
    net.run(128 * 11)
    assert net["A"].error_state is ErrorState.ACTIVE
    net["A"].send(URGENT)
    net.run()
    assert net.got["B"] == [URGENT]
