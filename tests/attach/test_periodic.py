"""`send_periodic` in virtual time."""

from __future__ import annotations

import can
import pytest

from simcore.errors import UsageError


def message(data: bytes = b"\x00", arbitration_id: int = 0x123) -> can.Message:
    return can.Message(arbitration_id=arbitration_id, is_extended_id=False, data=data)


def drain(bus: can.BusABC) -> list[can.Message]:
    return list(iter(lambda: bus.recv(0), None))


def requested_ms(bus: can.BusABC) -> list[float]:
    """When each frame on the bus was asked for."""
    return [record.request_ns / 1e6 for record in bus.session.world.buses[0].log]


def test_messages_go_out_at_whole_periods_from_now_on(pair) -> None:
    first, second = pair
    first.clock.sleep(0.003)
    first.send_periodic(message(), 0.01)
    first.clock.sleep(0.035)
    assert requested_ms(first) == [3.0, 13.0, 23.0, 33.0]
    assert len(drain(second)) == 4


@pytest.mark.parametrize(
    ("duration", "count"), [(0.05, 5), (0.051, 6), (0.01, 1), (0.001, 1), (0.0, 0)]
)
def test_a_duration_ends_it_by_itself(pair, duration: float, count: int) -> None:
    first, second = pair
    task = first.send_periodic(message(), 0.01, duration)
    first.clock.sleep(1.0)
    assert len(drain(second)) == count
    assert task.stopped


def test_a_task_is_stopped_and_started_again(pair) -> None:
    first, second = pair
    task = first.send_periodic(message(), 0.01, 0.1)
    assert not task.stopped
    first.clock.sleep(0.025)
    task.stop()
    task.stop()
    assert task.stopped
    first.clock.sleep(0.1)
    assert len(drain(second)) == 3
    task.start()
    task.start()
    first.clock.sleep(1.0)
    assert len(drain(second)) == 10


def test_without_autostart_it_waits_to_be_started(pair) -> None:
    first, second = pair
    task = first.send_periodic(message(), 0.01, autostart=False)
    first.clock.sleep(0.1)
    assert second.recv(0) is None
    task.start()
    assert second.recv(0.1) is not None


def test_new_data_is_sent_from_the_next_period_on(pair) -> None:
    first, second = pair
    task = first.send_periodic(message(b"\x01"), 0.01)
    first.clock.sleep(0.015)
    task.modify_data(message(b"\x02\x03"))
    first.clock.sleep(0.02)
    assert [bytes(each.data) for each in drain(second)] == [
        b"\x01",
        b"\x01",
        b"\x02\x03",
        b"\x02\x03",
    ]


def test_several_messages_take_turns(pair) -> None:
    first, second = pair
    first.send_periodic([message(b"\x01"), message(b"\x02"), message(b"\x03")], 0.01)
    first.clock.sleep(0.045)
    assert [each.data[0] for each in drain(second)] == [1, 2, 3, 1, 2]


def test_a_callback_changes_each_message_before_it_is_sent(pair) -> None:
    first, second = pair

    def count(each: can.Message) -> None:
        each.data[0] += 1

    first.send_periodic(message(b"\x00"), 0.01, modifier_callback=count)
    first.clock.sleep(0.035)
    assert [each.data[0] for each in drain(second)] == [1, 2, 3, 4]


def test_what_a_callback_raises_reaches_who_lets_time_pass(pair) -> None:
    first, _ = pair
    calls = []

    def fail(each: can.Message) -> None:
        calls.append(each)
        if len(calls) == 3:
            raise ZeroDivisionError("third")

    task = first.send_periodic(message(), 0.01, modifier_callback=fail)
    with pytest.raises(ZeroDivisionError, match="third"):
        first.clock.sleep(1.0)
    assert task.stopped
    first.clock.sleep(1.0)
    assert len(calls) == 3


def test_a_node_that_is_bus_off_misses_periods_and_counts_them(pair) -> None:
    first, second = pair
    first._endpoint.controller.add_transmit_errors(256)
    task = first.send_periodic(message(), 0.001)
    first.clock.sleep(0.0995)
    # Requests at 0, 1 .. 99 ms; 128 x 11 bits of 2 us are 2.816 ms.
    assert task.missed_count == 3
    assert len(drain(second)) == 97


def test_shutting_down_ends_every_task(pair) -> None:
    first, second = pair
    task = first.send_periodic(message(), 0.01)
    first.send_periodic(message(arbitration_id=0x124), 0.01, store_task=True)
    first.shutdown()
    assert task.stopped
    assert second.recv(1.0) is None


@pytest.mark.parametrize("period", [0, 1e-10, -1])
def test_a_period_of_no_time_is_refused(pair, period: float) -> None:
    with pytest.raises(UsageError, match="send_periodic: period: expected at least 1 ns, got"):
        pair[0].send_periodic(message(), period)


def test_what_cannot_be_sent_is_refused_at_once(pair) -> None:
    task = pair[0].send_periodic(message(), 0.01)
    with pytest.raises(UsageError, match=r"expected 0\.\.8 bytes, got 11"):
        pair[0].send_periodic(message(bytes(11)), 0.01)
    with pytest.raises(UsageError, match=r"expected 0\.\.8 bytes, got 11"):
        task.modify_data(message(bytes(11)))
    with pytest.raises(ValueError, match="The arbitration ID of new cyclic messages cannot be"):
        task.modify_data(message(arbitration_id=0x7))
    pair[0].clock.sleep(0.025)
    assert len(drain(pair[1])) == 3
