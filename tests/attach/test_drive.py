"""Real time: a thread lets time pass, and any number of threads use the bus."""

from __future__ import annotations

import queue
import threading
import time
from itertools import pairwise

import can
import pytest

from simcore.attach import BareBus, BusOperationError, publish
from simcore.rig import Rig
from simcore.units import s

pytestmark = pytest.mark.realtime
PATIENCE_S = 20.0
"""How long a loaded machine may take for what needs milliseconds."""


def message(data: bytes = b"\x01") -> can.Message:
    return can.Message(arbitration_id=0x123, is_extended_id=False, data=data)


@pytest.fixture
def live_pair(open_bus) -> tuple[can.BusABC, can.BusABC]:
    return open_bus("empty:live", realtime=True), open_bus("empty:live", realtime=True)


def test_a_notifier_reads_while_the_program_sends(live_pair) -> None:
    first, second = live_pair
    arrived: queue.Queue[can.Message] = queue.Queue()
    notifier = can.Notifier(second, [arrived.put], timeout=0.05)
    try:
        for index in range(20):
            first.send(message(bytes([index])))
        data = [arrived.get(timeout=PATIENCE_S).data[0] for _ in range(20)]
    finally:
        notifier.stop()
    assert data == list(range(20))


def test_timestamps_are_calendar_time(live_pair) -> None:
    first, second = live_pair
    before_s = time.time()
    first.send(message())
    received = second.recv(PATIENCE_S)
    # The clock that drives is monotonic: it may part from the calendar's a little.
    assert before_s - 0.05 <= received.timestamp <= time.time() + 0.05


def test_virtual_time_goes_with_the_clock_on_the_wall(open_bus) -> None:
    bus = open_bus("empty:live", realtime=True)
    wall_ns, virtual_ns = time.monotonic_ns(), bus.clock.monotonic_ns()
    assert bus.recv(0.2) is None
    wall_ns, virtual_ns = time.monotonic_ns() - wall_ns, bus.clock.monotonic_ns() - virtual_ns
    assert virtual_ns >= s(0.2)
    assert abs(virtual_ns - wall_ns) < s(0.1)


def test_ten_times_the_speed_is_a_tenth_of_the_wait(open_bus) -> None:
    world = BareBus()
    with publish(world, realtime=True, speed_ratio=10.0):
        bus = open_bus("chassis")
        started_ns = time.monotonic_ns()
        assert bus.recv(1.0) is None
        assert s(0.09) < time.monotonic_ns() - started_ns < s(0.9)
        assert world.now_ns >= s(1.0)
        bus.shutdown()


def test_periodic_messages_keep_their_period_in_virtual_time(live_pair) -> None:
    first, second = live_pair
    first.send_periodic(message(), 0.01, 0.1)
    received = []
    while (each := second.recv(0.2)) is not None:
        received.append(each.timestamp)
    assert len(received) == 10
    periods_s = [late - early for early, late in pairwise(received)]
    assert periods_s == pytest.approx([0.01] * 9, abs=1e-6)  # resolution of the timestamps


def test_the_rig_is_used_while_it_is_held(open_bus) -> None:
    rig = Rig()
    with publish(rig, realtime=True) as session:
        bus = open_bus("chassis")
        with session.hold() as held:
            assert held is rig
            rig.press_pedal(50.0)
            at_ns = rig.now_ns
            assert rig.now_ns == at_ns
        assert bus.recv(PATIENCE_S) is not None
        bus.shutdown()


def test_what_the_simulation_raises_is_told_to_everybody(live_pair) -> None:
    first, second = live_pair

    def fail(_: can.Message) -> None:
        raise ZeroDivisionError("in the simulation")

    first.send_periodic(message(), 0.01, modifier_callback=fail)
    expected = "simulation in real time: got it ended: in the simulation"
    with pytest.raises(BusOperationError, match=expected):
        second.recv(PATIENCE_S)
    with pytest.raises(BusOperationError, match=expected):
        first.send(message())


def test_inside_the_simulation_nobody_waits(live_pair) -> None:
    first, second = live_pair
    first.send_periodic(message(), 0.01, modifier_callback=lambda _: first.recv(1.0))
    expected = "wait on a bus: expected not from inside the simulation"
    with pytest.raises(BusOperationError, match=expected):
        second.recv(PATIENCE_S)


def test_shutting_down_ends_the_wait_of_another_thread(live_pair) -> None:
    first, second = live_pair
    ended: list[can.Message | None] = []
    thread = threading.Thread(target=lambda: ended.append(second.recv()))
    thread.start()
    while not second._drive._changed._waiters:  # it waits
        first.recv(0.001)
    second.shutdown()
    thread.join(PATIENCE_S)
    assert ended == [None]


def test_after_the_session_has_ended_nothing_can_be_sent(open_bus) -> None:
    with publish(BareBus(), realtime=True):
        bus = open_bus("chassis")
    with pytest.raises(BusOperationError, match="simulation in real time: got it was stopped"):
        bus.send(message())


def test_a_machine_that_does_not_keep_up_says_so(open_bus, caplog) -> None:
    world = BareBus()
    with publish(world, realtime=True) as session:
        bus = open_bus("chassis")
        # A callback that takes 60 ms of real time at one instant of virtual time.
        bus.send_periodic(message(), 1.0, 0.5, modifier_callback=lambda _: time.sleep(0.06))
        bus.recv(0.2)
        bus.shutdown()
    assert session.drive.lateness.late_count > 0
    assert session.drive.lateness.worst_ns >= s(0.05)
    assert "the machine does not keep up with real time:" in caplog.text
