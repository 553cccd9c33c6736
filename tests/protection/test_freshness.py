"""Freshness values: one counter, several counters, sync messages, the end of every range."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network.secoc_config import MultiCounter
from simcore.protection.cmac import KeyStore
from simcore.protection.freshness import (
    SingleCounterReceiver,
    SingleCounterSender,
    load_value,
    store_value,
)
from simcore.protection.freshness_multi import (
    FreshnessMaster,
    FreshnessSlave,
    MultiCounterReceiver,
    MultiCounterSender,
    SyncReceiver,
    SyncSender,
)
from simcore.protection.secoc_status import SecOcOutcome, SecOcReason

KEYS = KeyStore({0: bytes(range(16))})
SMALL = MultiCounter(trip_length=3, reset_length=4, message_length=6, flag_length=2)


def values_of(guesses: Sequence[int] | SecOcReason) -> list[int]:
    assert not isinstance(guesses, SecOcReason), guesses
    return list(guesses)


# -- one counter ---------------------------------------------------------------------------------


def test_a_sender_counts_from_1_to_its_end_and_never_begins_anew() -> None:
    sender = SingleCounterSender(3)
    assert [sender.take() for _ in range(7)] == [1, 2, 3, 4, 5, 6, 7]
    assert sender.take() is SecOcReason.EXHAUSTED
    assert sender.take() is SecOcReason.EXHAUSTED


def test_a_receiver_takes_the_nearest_value_ahead() -> None:
    receiver = SingleCounterReceiver(16, 8, attempts=3, last=0x1234)
    assert values_of(receiver.guesses(0x35)) == [0x1235, 0x1335, 0x1435]
    assert values_of(receiver.guesses(0x34)) == [0x1334, 0x1434, 0x1534]
    assert values_of(receiver.guesses(0x00)) == [0x1300, 0x1400, 0x1500]


def test_nothing_is_stored_before_commit() -> None:
    receiver = SingleCounterReceiver(16, 8, last=10)
    receiver.guesses(200)
    assert receiver.last == 10
    receiver.commit(200)
    assert receiver.last == 200


def test_a_complete_value_sent_must_be_greater_than_the_last() -> None:
    receiver = SingleCounterReceiver(16, 16, last=500)
    assert values_of(receiver.guesses(501)) == [501]
    assert receiver.guesses(500) is SecOcReason.REPLAY
    assert receiver.guesses(1) is SecOcReason.REPLAY


def test_a_window_limits_the_step() -> None:
    receiver = SingleCounterReceiver(16, 16, window=10, last=500)
    assert values_of(receiver.guesses(510)) == [510]
    assert receiver.guesses(511) is SecOcReason.OUT_OF_WINDOW
    narrow = SingleCounterReceiver(16, 8, window=10, attempts=4, last=500)
    assert values_of(narrow.guesses(510 & 0xFF)) == [510]
    assert narrow.guesses(511 & 0xFF) is SecOcReason.OUT_OF_WINDOW


def test_at_the_end_of_the_range_there_is_nothing_left_to_try() -> None:
    receiver = SingleCounterReceiver(8, 4, attempts=4, last=0xF0)
    assert values_of(receiver.guesses(0xF)) == [0xFF]
    receiver.commit(0xFF)
    for low in range(16):
        assert receiver.guesses(low) is SecOcReason.EXHAUSTED


@given(
    last=st.integers(0, (1 << 20) - 1),
    step=st.integers(1, 3 * 256),
    attempts=st.integers(1, 4),
)
def test_a_step_is_rebuilt_exactly_within_attempts_times_two_to_the_bits(
    last: int, step: int, attempts: int
) -> None:
    receiver = SingleCounterReceiver(32, 8, attempts=attempts, last=last)
    value = last + step
    assert (value in values_of(receiver.guesses(value & 0xFF))) is (step <= attempts * 256)


@given(last=st.integers(0, 4095), low=st.integers(0, 255), attempts=st.integers(1, 4))
def test_no_value_up_to_the_last_is_ever_tried_and_none_to_name_a_reason_is_also_tried(
    last: int, low: int, attempts: int
) -> None:
    receiver = SingleCounterReceiver(12, 8, attempts=attempts, last=last)
    guesses = receiver.guesses(low)
    tried = [] if isinstance(guesses, SecOcReason) else list(guesses)
    assert all(value > last and value & 0xFF == low for value in tried)
    for value, reason in receiver.refused(low, 3):
        assert value not in tried
        assert value & 0xFF == low
        assert 0 <= value < 4096
        assert (reason is SecOcReason.REPLAY) is (value <= last)


@pytest.mark.parametrize(("length", "sent"), [(8, 0), (8, 9)])
def test_a_receiver_of_impossible_bits_is_refused(length: int, sent: int) -> None:
    with pytest.raises(UsageError, match=r"freshness value, bits sent: expected 1\.\.8, got"):
        SingleCounterReceiver(length, sent)


def test_a_value_outside_the_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"freshness value, value: expected 0\.\.255, got 256"):
        SingleCounterSender(8, value=256)
    with pytest.raises(UsageError, match=r"freshness value, last: expected 0\.\.255, got -1"):
        SingleCounterReceiver(8, 8, last=-1)


def test_a_value_is_kept_in_non_volatile_memory() -> None:
    memory: dict[str, bytes] = {}
    assert load_value(memory, "Cmd") == 0
    store_value(memory, "Cmd", 0x0123456789ABCDEF)
    assert load_value(memory, "Cmd") == 0x0123456789ABCDEF
    assert load_value(memory, "Cmd2") == 0
    assert memory == {"secoc.freshness.Cmd": bytes.fromhex("0123456789abcdef")}


# -- several counters: layout --------------------------------------------------------------------


def test_the_layout_is_trip_reset_message_flag_from_the_top() -> None:
    value = SMALL.pack(0b101, 0b1001, 0b110011)
    assert value == 0b101_1001_110011_01
    assert SMALL.unpack(value) == (0b101, 0b1001, 0b110011)
    assert SMALL.length == 15


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"trip_length": 25}, r"SecOC trip counter: expected 1\.\.24 bits, got 25"),
        ({"reset_length": 0}, r"SecOC reset counter: expected 1\.\.24 bits, got 0"),
        ({"message_length": 49}, r"SecOC message counter: expected 1\.\.48 bits, got 49"),
        ({"flag_length": 3}, r"SecOC reset flag: expected 0\.\.2 bits, got 3"),
        ({"message_length": 48}, r"several counters: expected at most 64 bits, got 98"),
    ],
)
def test_a_layout_beyond_the_limits_is_refused(fields: dict[str, int], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        MultiCounter(**fields)


# -- several counters: master and slave ----------------------------------------------------------


def test_every_power_on_of_the_master_is_a_new_trip_with_its_reset_counter_at_1() -> None:
    memory: dict[str, bytes] = {}
    assert [FreshnessMaster(SMALL, memory).counts for _ in range(3)] == [(1, 1), (2, 1), (3, 1)]


def test_a_reset_counter_at_its_end_starts_a_new_trip_and_a_trip_counter_goes_on_at_1() -> None:
    memory: dict[str, bytes] = {"secoc.trip": (6).to_bytes(3, "big")}
    master = FreshnessMaster(SMALL, memory)
    assert master.counts == (7, 1)
    for _ in range(14):
        master.next_reset()
    assert master.counts == (7, 15)
    master.next_reset()
    assert master.counts == (1, 1)
    assert FreshnessMaster(SMALL, memory).counts == (2, 1)


def test_a_slave_knows_nothing_before_the_first_sync_and_takes_only_newer_ones() -> None:
    slave = FreshnessSlave(SMALL)
    assert slave.counts is None
    assert slave.take_sync(2, 3) is SecOcReason.NONE
    for trip, reset in ((2, 3), (2, 2), (1, 15)):
        assert slave.take_sync(trip, reset) is SecOcReason.STALE_TRIP
        assert slave.counts == (2, 3)
    assert slave.take_sync(2, 4) is SecOcReason.NONE
    assert slave.take_sync(3, 1) is SecOcReason.NONE


@pytest.mark.parametrize("window", [0, 1, 2])
def test_a_trip_counter_that_begins_anew_is_newer_only_inside_the_clear_acceptance_window(
    window: int,
) -> None:
    for old in range(1, 8):
        for new in range(1, old):
            slave = FreshnessSlave(SMALL, clear_acceptance_window=window)
            slave.take_sync(old, 1)
            accepted = slave.take_sync(new, 1) is SecOcReason.NONE
            assert accepted is (old > 7 - window and new < 1 + window), (old, new)


def test_a_slave_with_memory_refuses_older_syncs_after_a_reset_but_takes_the_running_cycle() -> (
    None
):
    memory: dict[str, bytes] = {}
    FreshnessSlave(SMALL, memory).take_sync(4, 9)
    again = FreshnessSlave(SMALL, memory)
    assert again.counts is None
    assert again.take_sync(4, 8) is SecOcReason.STALE_TRIP
    assert again.take_sync(3, 15) is SecOcReason.STALE_TRIP
    assert again.take_sync(4, 9) is SecOcReason.NONE
    assert again.counts == (4, 9)


def test_a_clear_acceptance_window_of_half_the_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"clear_acceptance_window: expected 0\.\.3, got 4"):
        FreshnessSlave(SMALL, clear_acceptance_window=4)


# -- several counters: sender and receiver -------------------------------------------------------


def test_a_message_counter_begins_anew_with_every_reset_and_stops_at_its_end() -> None:
    master = FreshnessMaster(SMALL, {})
    sender = MultiCounterSender(SMALL, master)
    assert [sender.take() for _ in range(2)] == [SMALL.pack(1, 1, 1), SMALL.pack(1, 1, 2)]
    master.next_reset()
    assert sender.take() == SMALL.pack(1, 2, 1)
    for _ in range(62):
        sender.take()
    assert sender.take() is SecOcReason.EXHAUSTED
    master.next_reset()
    assert sender.take() == SMALL.pack(1, 3, 1)


def test_before_the_first_sync_neither_side_has_a_value() -> None:
    slave = FreshnessSlave(SMALL)
    assert MultiCounterSender(SMALL, slave).take() is SecOcReason.NO_SYNC_YET
    assert MultiCounterReceiver(SMALL, 4, slave).guesses(0b0101) is SecOcReason.NO_SYNC_YET


def accepts(receiver: MultiCounterReceiver, value: int, sent: int) -> bool:
    guesses = receiver.guesses(value & ((1 << sent) - 1))
    if isinstance(guesses, SecOcReason) or value not in guesses:
        return False
    receiver.commit(value)
    return True


@pytest.mark.parametrize("lag", range(-4, 5))
def test_a_reset_counter_up_to_two_from_the_known_one_is_found_by_its_flag(lag: int) -> None:
    slave = FreshnessSlave(SMALL)
    slave.take_sync(3, 8)
    receiver = MultiCounterReceiver(SMALL, 6, slave)
    assert accepts(receiver, SMALL.pack(3, 8 + lag, 1), 6) is (abs(lag) <= 2)


def test_a_receiver_does_not_go_back_to_an_earlier_reset_cycle() -> None:
    slave = FreshnessSlave(SMALL)
    slave.take_sync(3, 8)
    receiver = MultiCounterReceiver(SMALL, 6, slave)
    assert accepts(receiver, SMALL.pack(3, 8, 5), 6)
    assert not accepts(receiver, SMALL.pack(3, 7, 60), 6)
    assert not accepts(receiver, SMALL.pack(3, 8, 5), 6)
    assert not accepts(receiver, SMALL.pack(3, 8, 4), 6)
    assert accepts(receiver, SMALL.pack(3, 8, 6), 6)


@pytest.mark.parametrize("attempts", [1, 2])
def test_lost_frames_in_a_reset_cycle_are_tolerated_up_to_the_window_and_healed_by_the_next(
    attempts: int,
) -> None:
    window = attempts * 4  # two bits of the message counter are sent
    for lost in range(12):
        slave = FreshnessSlave(SMALL)
        slave.take_sync(1, 1)
        receiver = MultiCounterReceiver(SMALL, 4, slave, attempts=attempts)
        assert accepts(receiver, SMALL.pack(1, 1, 3), 4)
        assert accepts(receiver, SMALL.pack(1, 1, 4 + lost), 4) is (lost < window)
        slave.take_sync(1, 2)
        assert accepts(receiver, SMALL.pack(1, 2, 2), 4)  # in step again, whatever was lost


def test_frames_of_a_stale_trip_and_replays_are_named() -> None:
    slave = FreshnessSlave(SMALL)
    slave.take_sync(1, 5)
    receiver = MultiCounterReceiver(SMALL, 4, slave)
    old = SMALL.pack(1, 5, 2)
    assert accepts(receiver, old, 4)
    assert (old, SecOcReason.REPLAY) in list(receiver.refused(old & 0xF, 2))
    slave.take_sync(2, 1)
    new = SMALL.pack(2, 1, 1)
    assert accepts(receiver, new, 4)
    assert (old, SecOcReason.STALE_TRIP) in list(receiver.refused(old & 0xF, 2))
    assert not accepts(receiver, old, 4)


@given(
    message=st.integers(1, 63),
    low=st.integers(0, 15),
    known=st.integers(1, 15),
    last_reset=st.integers(1, 15),
    attempts=st.integers(1, 4),
)
def test_every_value_tried_is_later_than_the_last_and_no_refused_one_is_tried(
    message: int, low: int, known: int, last_reset: int, attempts: int
) -> None:
    slave = FreshnessSlave(SMALL)
    slave.take_sync(2, known)
    receiver = MultiCounterReceiver(SMALL, 4, slave, attempts=attempts)
    receiver.commit(SMALL.pack(2, last_reset, message))
    guesses = receiver.guesses(low)
    tried = [] if isinstance(guesses, SecOcReason) else list(guesses)
    assert all(SMALL.unpack(value) > (2, last_reset, message) for value in tried)
    assert all(value & 0xF == low for value in tried)
    assert not {value for value, _ in receiver.refused(low, 3)} & set(tried)


def test_bits_sent_that_leave_no_counter_are_refused() -> None:
    with pytest.raises(UsageError, match=r"freshness value, bits sent: expected 3\.\.8, got 2"):
        MultiCounterReceiver(SMALL, 2, FreshnessSlave(SMALL))


# -- sync messages -------------------------------------------------------------------------------

TOYOTA = MultiCounter(trip_length=16, reset_length=20, message_length=8, flag_length=2)


def sync(layout: MultiCounter, keys: KeyStore = KEYS) -> tuple[SyncSender, FreshnessSlave]:
    return SyncSender(layout, keys, data_id=0x000F, key_id=0, mac_length=28), FreshnessSlave(layout)


def test_a_sync_message_is_trip_reset_and_mac_bit_by_bit() -> None:
    sender, slave = sync(TOYOTA)
    message = sender.build(0x1234, 0x56789)
    assert message is not None
    assert len(message) == 8
    assert message.hex().startswith("123456789")
    receiver = SyncReceiver(TOYOTA, KEYS, slave, data_id=0x000F, key_id=0, mac_length=28)
    assert receiver.receive(message).outcome is SecOcOutcome.SUCCESS
    assert slave.counts == (0x1234, 0x56789)
    again = receiver.receive(message)
    assert (again.outcome, again.reason) == (SecOcOutcome.FRESHNESSFAILURE, SecOcReason.STALE_TRIP)


def test_no_flipped_bit_of_a_sync_message_is_accepted() -> None:
    for layout in (TOYOTA, SMALL):
        sender, slave = sync(layout)
        receiver = SyncReceiver(layout, KEYS, slave, data_id=0x000F, key_id=0, mac_length=28)
        message = sender.build(2, 2)
        assert message is not None
        for bit in range(8 * len(message)):
            forged = bytearray(message)
            forged[bit // 8] ^= 0x80 >> bit % 8
            result = receiver.receive(bytes(forged))
            assert result.outcome is SecOcOutcome.VERIFICATIONFAILURE
            assert result.reason in (SecOcReason.MAC_MISMATCH, SecOcReason.PADDING)
            assert slave.counts is None


def test_a_sync_message_of_another_length_or_without_a_key_is_rejected() -> None:
    sender, slave = sync(TOYOTA)
    message = sender.build(1, 1)
    assert message is not None
    receiver = SyncReceiver(TOYOTA, KEYS, slave, data_id=0x000F, key_id=0, mac_length=28)
    assert receiver.receive(message[:-1]).reason is SecOcReason.TOO_SHORT
    assert receiver.receive(message + b"\0").reason is SecOcReason.TOO_LONG
    keyless = SyncReceiver(TOYOTA, KeyStore(), slave, data_id=0x000F, key_id=0, mac_length=28)
    result = keyless.receive(message)
    assert result.outcome is SecOcOutcome.AUTHENTICATIONBUILDFAILURE
    assert result.reason is SecOcReason.KEY_SLOT_EMPTY
    assert sync(TOYOTA, KeyStore())[0].build(1, 1) is None
    assert slave.counts is None


def test_copies_and_pickles_in_mid_stream_go_on_alike_and_independently() -> None:
    memory: dict[str, bytes] = {}
    parts = (
        FreshnessMaster(SMALL, memory),
        SingleCounterSender(16, value=7),
        SingleCounterReceiver(16, 8, last=7),
    )
    sender = MultiCounterSender(SMALL, parts[0])
    sender.take()
    receiver = MultiCounterReceiver(SMALL, 4, parts[0])
    receiver.commit(SMALL.pack(1, 1, 1))
    world = (*parts, sender, receiver)
    for other in (copy.deepcopy(world), pickle.loads(pickle.dumps(world))):
        assert other[3].take() == SMALL.pack(1, 1, 2)
        assert values_of(other[4].guesses(0b1001)) == [SMALL.pack(1, 1, 2)]
        other[0].next_reset()
        assert other[3].take() == SMALL.pack(1, 2, 1)
        assert other[1].take() == 8
    assert sender.take() == SMALL.pack(1, 1, 2)
    assert parts[0].counts == (1, 1)


def test_receivers_follow_a_trip_counter_that_begins_anew() -> None:
    memory: dict[str, bytes] = {}
    slave = FreshnessSlave(SMALL, clear_acceptance_window=2)
    receiver = MultiCounterReceiver(SMALL, 4, slave)
    trips = []
    for _ in range(16):
        master = FreshnessMaster(SMALL, memory)
        trips.append(master.counts[0])
        assert slave.take_sync(*master.counts) is SecOcReason.NONE
        sender = MultiCounterSender(SMALL, master)
        for _ in range(5):
            value = sender.take()
            assert isinstance(value, int)
            assert value in values_of(receiver.guesses(value & 0xF))
            receiver.commit(value)
    assert trips == [1, 2, 3, 4, 5, 6, 7] * 2 + [1, 2]
