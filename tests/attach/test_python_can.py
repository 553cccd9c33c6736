"""`can.Bus(interface="simcore")` in virtual time."""

from __future__ import annotations

import copy
import pickle
import threading

import can
import pytest

from simcore.attach import BareBus, BusOperationError, publish
from simcore.attach.drive import EMPTY_POLL_LIMIT
from simcore.attach.endpoint import TRANSMIT_QUEUE_FRAMES
from simcore.bus import BitTiming, ErrorState, duration_ns
from simcore.bus.frame import Frame
from simcore.errors import UsageError
from simcore.kernel import FreeRunning
from simcore.rig import Rig
from simcore.units import NS_PER_S, ms, s


def message(arbitration_id: int = 0x123, data: bytes = b"\x01", **fields: object) -> can.Message:
    return can.Message(
        arbitration_id=arbitration_id, is_extended_id=False, data=data, is_rx=False, **fields
    )


# ---- receiving and time ----


def test_a_frame_arrives_when_the_wire_has_carried_it(pair) -> None:
    first, second = pair
    first.send(message())
    received = second.recv(1.0)
    timing = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
    # Valid for receivers one bit (2000 ns) before the end of EOF.
    wire_ns = duration_ns(Frame(0x123, b"\x01"), timing) - 2000
    assert received.timestamp == wire_ns / NS_PER_S
    assert first.clock.monotonic_ns() == wire_ns
    assert received.channel == "empty:pair"


def test_a_timeout_is_virtual_time_to_the_nanosecond(pair) -> None:
    assert pair[0].recv(0.25) is None
    assert pair[0].clock.monotonic_ns() == ms(250)
    assert pair[0].recv(1e-12) is None
    assert pair[0].clock.monotonic_ns() == ms(250) + 1


def test_looking_lets_no_time_pass(pair) -> None:
    first, second = pair
    first.send(message())
    assert second.recv(0) is None
    assert second.recv(-1) is None
    assert second.clock.monotonic_ns() == 0


def test_a_run_through_the_door_is_the_same_every_time(open_bus) -> None:
    def run() -> tuple[str, list[str]]:
        bus = open_bus("chassis", seed=5)
        seen = []
        for index in range(200):
            if index % 10 == 0:
                bus.send(message(0x7F0, bytes([index])))
            seen.append(str(bus.recv(0.01)))
        digest = bus.session.world.digest
        bus.shutdown()
        return digest, seen

    assert run() == run()


def test_what_was_received_meanwhile_waits(pair) -> None:
    first, second = pair
    for index in range(5):
        first.send(message(data=bytes([index])))
    second.clock.sleep(0.1)
    assert [second.recv(0).data[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert second.recv(0) is None


def test_waiting_for_ever_on_a_silent_bus_is_an_error(pair) -> None:
    with pytest.raises(can.CanOperationError, match="nothing is scheduled any more, so no frame"):
        pair[0].recv()


def test_waiting_for_ever_for_a_frame_that_never_comes_is_an_error(open_bus) -> None:
    with publish(Rig(), wait_limit_s=0.5) as session:
        bus = open_bus("chassis", can_filters=[{"can_id": 0x7F5, "can_mask": 0x7FF}])
        with pytest.raises(
            BusOperationError,
            match=r"wait without timeout at .* ms: expected what was waited for within 500 ms",
        ):
            bus.recv()
        assert s(0.5) <= session.world.now_ns <= s(0.5) + ms(2)


def test_polling_for_ever_is_an_error(pair) -> None:
    for _ in range(EMPTY_POLL_LIMIT):
        assert pair[0].recv(0) is None
    with pytest.raises(BusOperationError, match=r"recv\(0\) found nothing 10000 times at 0 ms"):
        pair[0].recv(0)


@pytest.mark.parametrize("timeout", [float("inf"), float("nan")])
def test_a_timeout_that_is_no_time_is_refused(pair, timeout: float) -> None:
    with pytest.raises(UsageError, match="recv: timeout: expected seconds or None, got"):
        pair[0].recv(timeout)


def test_iterating_gives_messages_until_the_bus_is_shut_down(pair) -> None:
    first, second = pair
    for index in range(3):
        first.send(message(data=bytes([index])))
    seen = []
    for received in second:
        seen.append(received.data[0])
        if len(seen) == 3:
            second.shutdown()
    assert seen == [0, 1, 2]


def test_a_queue_of_limited_length_loses_the_oldest_and_counts(open_bus) -> None:
    first, second = open_bus("empty:pair"), open_bus("empty:pair", rx_queue_size=2)
    for index in range(5):
        first.send(message(data=bytes([index])))
    first.clock.sleep(0.1)
    assert [second.recv(0).data[0] for _ in range(2)] == [3, 4]
    assert second.overrun_count == 3


def test_inside_the_simulation_nobody_waits(pair) -> None:
    bus, _ = pair
    task = bus.send_periodic(message(0x7F0), 0.01, modifier_callback=lambda _: bus.recv(1.0))
    with pytest.raises(BusOperationError, match="expected not from inside the simulation"):
        bus.clock.sleep(0.1)
    assert task.stopped


def test_who_only_listens_changes_nothing(open_bus) -> None:
    alone, heard = Rig(seed=2), Rig(seed=2)
    alone.run_for(ms(200))
    with publish(heard):
        bus = open_bus("chassis")
        while bus.recv(0.001) is not None and heard.now_ns < ms(190):
            pass
        bus.clock.sleep((ms(200) - heard.now_ns) / NS_PER_S)
        bus.shutdown()
    assert heard.digest == alone.digest


def test_a_rig_with_a_pace_of_its_own_keeps_it(open_bus) -> None:
    waits_ns: list[int] = []

    class Counted(FreeRunning):
        def wait_until(self, now_ns: int) -> None:
            waits_ns.append(now_ns)

    with publish(Rig(pacing=Counted())):
        bus = open_bus("chassis")
        bus.set_filters([{"can_id": 0x7FF, "can_mask": 0x7FF}])
        assert bus.recv(0.05) is None
        assert waits_ns[-1] == ms(50)
        bus.shutdown()


# ---- filters, own messages, formats ----


def test_filters_pass_what_agrees_under_the_mask(pair) -> None:
    first, second = pair
    second.set_filters(
        [
            {"can_id": 0x100, "can_mask": 0x7F0, "extended": False},
            {"can_id": 0x18DAF110, "can_mask": 0x1FFFFFFF, "extended": True},
        ]
    )
    for identifier, is_extended_id in (
        (0x105, False),
        (0x105, True),
        (0x115, False),
        (0x18DAF110, True),
        (0x18DAF111, True),
    ):
        first.send(can.Message(arbitration_id=identifier, is_extended_id=is_extended_id))
    first.clock.sleep(0.1)
    passed = [(each.arbitration_id, each.is_extended_id) for each in (second.recv(0),) * 1]
    passed += [(each.arbitration_id, each.is_extended_id) for each in iter(_poll(second), None)]
    assert sorted(passed) == [(0x105, False), (0x18DAF110, True)]
    second.set_filters(None)
    first.send(message(0x7FF))
    assert second.recv(1).arbitration_id == 0x7FF


def _poll(bus: can.BusABC):
    return lambda: bus.recv(0)


def test_own_messages_come_back_where_asked_for(open_bus) -> None:
    first = open_bus("empty:pair")
    second = open_bus("empty:pair", receive_own_messages=True)
    second.send(message())
    first.send(message(0x124))
    own, foreign = second.recv(1), second.recv(1)
    assert (own.arbitration_id, own.is_rx) == (0x123, False)
    assert (foreign.arbitration_id, foreign.is_rx) == (0x124, True)
    assert first.recv(1).is_rx
    assert first.recv(0) is None


def test_every_flag_of_fd_goes_both_ways(pair) -> None:
    first, second = pair
    sent = message(
        data=bytes(range(48)), is_fd=True, bitrate_switch=True, error_state_indicator=True
    )
    first.send(sent)
    received = second.recv(1)
    assert received.equals(sent, timestamp_delta=None, check_channel=False, check_direction=False)
    assert received.dlc == 48


def test_a_program_without_fd_sees_classic_frames_only(open_bus) -> None:
    first, classic = open_bus("empty:pair"), open_bus("empty:pair", fd=False)
    assert first.protocol is can.CanProtocol.CAN_FD
    assert classic.protocol is can.CanProtocol.CAN_20
    first.send(message(0x100, is_fd=True))
    first.send(message(0x200))
    assert classic.recv(1).arbitration_id == 0x200
    with pytest.raises(can.CanOperationError, match="expected no CAN FD frames on this bus"):
        classic.send(message(is_fd=True))


def test_a_classic_bus_carries_no_fd(open_bus) -> None:
    world = BareBus(timing=BitTiming(nominal_bps=500_000))
    bus = open_bus("chassis", rig=world)
    assert bus.protocol is can.CanProtocol.CAN_20
    with pytest.raises(can.CanOperationError, match="expected no CAN FD frames on this bus"):
        bus.send(message(is_fd=True))
    with pytest.raises(can.CanInitializationError, match="fd: expected False: the bus has no data"):
        open_bus("chassis", rig=world, fd=True)


# ---- sending ----


def test_frames_of_one_instant_go_out_by_priority(open_bus) -> None:
    first, second, third = (open_bus("empty:x") for _ in range(3))
    first.send(message(0x300))
    second.send(message(0x100))
    first.send(message(0x200))
    third.clock.sleep(0.01)
    assert [third.recv(0).arbitration_id for _ in range(3)] == [0x100, 0x200, 0x300]


def test_a_full_transmit_queue_lets_time_pass(pair) -> None:
    first, _ = pair
    for _ in range(TRANSMIT_QUEUE_FRAMES):
        first.send(message())
    assert first.clock.monotonic_ns() == 0
    with pytest.raises(can.CanOperationError, match="got the transmit queue is full"):
        first.send(message(), timeout=0)
    first.send(message(), timeout=1)  # the first one is on the wire then
    first.send(message(), timeout=1)
    assert 0 < first.clock.monotonic_ns() < ms(1)


def test_what_waits_to_be_sent_can_be_dropped(pair) -> None:
    first, second = pair
    for index in range(10):
        first.send(message(data=bytes([index])))
    assert second.recv(1).data == b"\x00"
    first.flush_tx_buffer()
    second.clock.sleep(0.1)
    assert second.recv(0) is None


def test_a_bus_that_was_shut_down_says_so(pair) -> None:
    first, _ = pair
    first.shutdown()
    first.shutdown()
    for use in (lambda: first.recv(1), lambda: first.send(message())):
        with pytest.raises(BusOperationError, match="virtual time: got the bus was shut down"):
            use()
    with pytest.raises(BusOperationError, match="the bus was shut down"):
        first.send_periodic(message(), 0.1)


def test_a_program_that_has_left_takes_part_no_more(pair) -> None:
    first, second = pair
    names = [controller.name for controller in second.session.world.buses[0].controllers]
    assert names == ["PYTHON_CAN_1", "PYTHON_CAN_2"]
    first.send(message())
    first.shutdown()
    assert second.recv(0.1) is None
    assert [each.name for each in second.session.world.buses[0].controllers] == ["PYTHON_CAN_2"]


def test_there_is_no_file_to_wait_for(pair) -> None:
    with pytest.raises(NotImplementedError, match="fileno is not implemented"):
        pair[0].fileno()


# ---- errors and states ----


def test_alone_on_the_bus_a_node_becomes_passive_for_want_of_an_acknowledgement(open_bus) -> None:
    bus = open_bus("empty:alone")
    assert bus.state is can.BusState.ACTIVE
    bus.send(message())
    errors = []
    while bus.state is can.BusState.ACTIVE:
        errors.append(bus.recv(0.1))
    assert all(error.is_error_frame for error in errors)
    # ISO 11898-1, 12.1.4.2: +8 for each missing acknowledgement, passive from 128 on
    assert sum(bool(error.arbitration_id & 0x020) for error in errors) in (15, 16)
    assert bus.state is can.BusState.PASSIVE


def test_error_frames_can_be_left_out(open_bus) -> None:
    bus = open_bus("empty:alone", ignore_rx_error_frames=True)
    bus.send(message())
    assert bus.recv(0.05) is None
    assert bus.state is can.BusState.PASSIVE


def test_error_frames_pass_every_filter(open_bus) -> None:
    bus = open_bus("empty:alone", can_filters=[{"can_id": 0x7FF, "can_mask": 0x7FF}])
    bus.send(message())
    assert bus.recv(0.05).is_error_frame


def test_a_node_that_is_bus_off_says_so_and_comes_back(pair) -> None:
    first, second = pair
    controller = first._endpoint.controller
    controller.add_transmit_errors(256)
    assert controller.error_state is ErrorState.BUS_OFF
    assert first.state is can.BusState.ERROR
    assert first.recv(0).arbitration_id & 0x040  # CAN_ERR_BUSOFF
    with pytest.raises(can.CanOperationError, match="got the node is bus-off"):
        first.send(message())
    first.state = can.BusState.ACTIVE
    first.clock.sleep(0.1)  # 128 x 11 bits of 2 us are 2.8 ms
    assert first.state is can.BusState.ACTIVE
    first.send(message())
    assert second.recv(0.1) is not None


def test_a_passive_bus_listens_and_says_nothing(open_bus) -> None:
    first, second = open_bus("empty:x"), open_bus("empty:x")
    listener = open_bus("empty:x", state=can.BusState.PASSIVE)
    assert listener.state is can.BusState.PASSIVE
    first.send(message())
    assert listener.recv(0.1) is not None
    with pytest.raises(can.CanOperationError, match="got listen-only, or a full transmit queue"):
        listener.send(message())
    listener.state = can.BusState.ACTIVE
    listener.send(message())
    assert second.recv(0.1) is not None


def test_error_is_a_state_nobody_sets(pair) -> None:
    with pytest.raises(BusOperationError, match="state: expected ACTIVE or PASSIVE, got"):
        pair[0].state = can.BusState.ERROR


# ---- threads ----


def test_a_second_thread_is_told_what_to_do(pair) -> None:
    first, _ = pair
    first.recv(0.01)
    told: list[Exception] = []

    def read() -> None:
        try:
            first.recv(1.0)
        except can.CanError as error:
            told.append(error)

    thread = threading.Thread(target=read, name="reader")
    thread.start()
    thread.join()
    assert str(told[0]) == (
        "thread reader: this bus runs in virtual time, which thread MainThread drives: expected "
        "one thread; open the bus with realtime=True to use Notifier or several"
    )


def test_one_thread_at_a_time_is_one_thread(pair) -> None:
    first, second = pair
    seen: list[can.Message | None] = []

    def work() -> None:
        first.send(message())
        seen.append(second.recv(1.0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] is not None
    assert first.recv(0.1) is None  # the other one has ended


# ---- copies ----


def test_a_rig_with_a_program_on_it_forks_and_the_copy_has_no_reader(open_bus) -> None:
    rig = Rig()
    bus = open_bus("chassis", rig=rig)
    bus.send_periodic(message(0x7F0), 0.01)
    bus.recv(0.1)
    fork = rig.fork()
    thawed = pickle.loads(pickle.dumps(rig))
    for each in (rig, fork, thawed):
        each.run_for(ms(55))
    assert fork.digest == thawed.digest == rig.digest
    sent = [record for record in fork.buses[0].log if record.sender == "PYTHON_CAN_1"]
    assert len(sent) == 6  # the periodic task went on in the copy
    before = bus._endpoint.has_received()
    assert before
    (copied,) = [
        each.receive.__self__ for each in fork.buses[0].controllers if each.name == "PYTHON_CAN_1"
    ]
    assert copied.take() is None
    assert copy.copy(bus._endpoint.filters) == ()
