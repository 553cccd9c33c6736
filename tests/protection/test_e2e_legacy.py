"""Profiles 1 and 2 as they were: INITIAL, SYNC, WRONG_CRC and a tolerance that grows."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.network import E2eConfig
from simcore.protection import E2eStatus, e2e_receiver, e2e_sender
from simcore.protection.e2e_legacy import LegacyReceiver

OK = E2eStatus.OK
NO_NEW_DATA = E2eStatus.NO_NEW_DATA
WRONG_CRC = E2eStatus.WRONG_CRC
SYNC = E2eStatus.SYNC
INITIAL = E2eStatus.INITIAL
ERROR = E2eStatus.ERROR
REPEATED = E2eStatus.REPEATED
OK_SOME_LOST = E2eStatus.OK_SOME_LOST
WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE

P01 = E2eConfig(profile="P01", data_id=0x123, max_delta_counter_init=1)
P02 = E2eConfig(profile="P02", data_id_list=tuple(range(16)), max_delta_counter_init=1)
BOTH = pytest.mark.parametrize("config", [P01, P02], ids=lambda c: c.profile)


def receiver_of(config: E2eConfig, *, strict: bool = False) -> LegacyReceiver:
    receiver = e2e_receiver(config, 8, strict=strict)
    assert isinstance(receiver, LegacyReceiver)
    return receiver


def frame(config: E2eConfig, counter: int) -> bytes:
    return e2e_sender(config, 8, counter=counter).protect(bytes(8))


def seen(receiver: LegacyReceiver, config: E2eConfig, *counters: int | None) -> list[E2eStatus]:
    """Statuses of frames with these counters; None: a cycle without one."""
    return [
        receiver.no_new_data() if counter is None else receiver.check(frame(config, counter))
        for counter in counters
    ]


@BOTH
def test_the_first_frame_is_initial_whatever_its_counter(config: E2eConfig) -> None:
    for counter in (0, 1, 9, 14):
        assert seen(receiver_of(config), config, counter) == [INITIAL]
    assert seen(receiver_of(config), config, None, 3, 4, 5) == [NO_NEW_DATA, INITIAL, OK, OK]


@BOTH
def test_an_initial_tolerance_of_1_accepts_one_lost_frame(config: E2eConfig) -> None:
    """The standard's example: after counter 1, 2 and 3 are accepted and 4 is not."""
    for counter, expected in ((2, OK), (3, OK_SOME_LOST), (4, WRONG_SEQUENCE)):
        receiver = receiver_of(config)
        assert seen(receiver, config, 1, counter) == [INITIAL, expected]


@BOTH
def test_the_tolerance_grows_with_every_check_and_falls_back_after_a_good_frame(
    config: E2eConfig,
) -> None:
    receiver = receiver_of(config)
    assert seen(receiver, config, 1, None, None, 5) == [
        *(INITIAL, NO_NEW_DATA, NO_NEW_DATA),
        OK_SOME_LOST,
    ]
    assert receiver.lost_count == 3
    assert seen(receiver, config, 8) == [WRONG_SEQUENCE]
    receiver = receiver_of(config)
    seen(receiver, config, 1)
    receiver.check(bytes(8))
    receiver.check(bytes(7))
    assert seen(receiver, config, 5) == [OK_SOME_LOST]


@BOTH
def test_the_tolerance_grows_to_the_range_of_the_counter_and_no_further(
    config: E2eConfig,
) -> None:
    receiver = receiver_of(config)
    seen(receiver, config, 1, *[None] * 40)
    assert receiver.max_delta_counter == (14 if config.profile == "P01" else 15)


@BOTH
def test_a_wrong_checksum_and_another_length_change_no_counter(config: E2eConfig) -> None:
    receiver = receiver_of(config)
    seen(receiver, config, 3)
    broken = bytearray(frame(config, 9))
    broken[5] ^= 1
    assert receiver.check(bytes(broken)) is WRONG_CRC
    assert receiver.check(frame(config, 9)[:7]) is ERROR
    assert receiver.check(b"") is ERROR
    assert receiver.counter == 3
    assert seen(receiver, config, 4) == [OK]


@BOTH
def test_without_synchronisation_a_jump_is_not_taken_over_and_the_tolerance_catches_up(
    config: E2eConfig,
) -> None:
    receiver = receiver_of(config)
    # 5 is 4 steps on, allowed 2; 6 is 5, allowed 3; ... the steps grow as the tolerance does
    assert seen(receiver, config, 1, 5, 6, 7) == [INITIAL, *[WRONG_SEQUENCE] * 3]
    assert receiver.counter == 1
    # standing still lets the tolerance catch up: 6 steps, allowed 5 and then 6
    assert seen(receiver, config, 7, 7) == [WRONG_SEQUENCE, OK_SOME_LOST]
    assert receiver.lost_count == 5


@BOTH
def test_with_synchronisation_a_jump_is_taken_over_and_good_frames_are_sync_at_first(
    config: E2eConfig,
) -> None:
    config = replace(config, sync_counter_init=2)
    receiver = receiver_of(config)
    assert seen(receiver, config, 1, 9, 10, 11, 12, 13) == [
        *(INITIAL, WRONG_SEQUENCE, SYNC, SYNC, OK, OK),
    ]
    assert seen(receiver, config, 5, 5, 6, 8, 9) == [WRONG_SEQUENCE, REPEATED, SYNC, SYNC, OK]


@BOTH
def test_too_many_checks_without_new_data_start_synchronisation(config: E2eConfig) -> None:
    config = replace(config, max_no_new_or_repeated_data=2, sync_counter_init=1)
    receiver = receiver_of(config)
    assert seen(receiver, config, 1, 1, 1, 2) == [INITIAL, REPEATED, REPEATED, OK]
    assert seen(receiver, config, 2, None, 2, 3, 4, 5) == [
        *(REPEATED, NO_NEW_DATA, REPEATED),
        *(SYNC, SYNC, OK),
    ]


@BOTH
def test_by_default_no_repetition_starts_synchronisation(config: E2eConfig) -> None:
    receiver = receiver_of(config)
    seen(receiver, config, 1, *[1] * 40)
    assert receiver.no_new_or_repeated_count == (14 if config.profile == "P01" else 15)
    assert seen(receiver, config, 2) == [OK]


@BOTH
def test_the_initial_tolerance_defaults_to_max_delta_counter(config: E2eConfig) -> None:
    config = replace(config, max_delta_counter_init=None, max_delta_counter=5)
    assert receiver_of(config).max_delta_counter == 5


@BOTH
def test_reset_begins_anew(config: E2eConfig) -> None:
    config = replace(config, sync_counter_init=2)
    receiver = receiver_of(config)
    seen(receiver, config, 1, 9, None)
    receiver.reset()
    assert seen(receiver, config, 5, 6) == [INITIAL, OK]


@pytest.mark.parametrize("sync", [0, 1])
@BOTH
def test_strict_a_replayed_burst_stays_rejected_and_the_live_stream_goes_on(
    config: E2eConfig, sync: int
) -> None:
    """What strict accepts: nothing of a burst shorter than the way round to the next counter."""
    config = replace(config, sync_counter_init=sync)
    strict = receiver_of(config, strict=True)
    seen(strict, config, *range(10))
    for burst in ([2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8], [4] * 20):
        assert seen(strict, config, *burst) == [WRONG_SEQUENCE] * len(burst)
        assert strict.counter == 9
    assert seen(strict, config, 9, 10, 11) == [REPEATED, OK, OK]


@BOTH
def test_by_the_standard_a_replayed_burst_is_accepted_in_the_end(config: E2eConfig) -> None:
    """What the standard accepts: the burst from its second frame, or as the tolerance grows."""
    receiver = receiver_of(config)
    seen(receiver, config, *range(10))
    found = seen(receiver, config, *[4] * 20)
    assert found[0] is WRONG_SEQUENCE and OK_SOME_LOST in found
    synchronising = replace(config, sync_counter_init=1)
    receiver = receiver_of(synchronising)
    seen(receiver, synchronising, *range(10))
    assert seen(receiver, synchronising, 2, 3, 4, 5) == [WRONG_SEQUENCE, SYNC, OK, OK]


def test_strict_four_bits_cannot_tell_a_burst_of_a_whole_round_from_the_live_stream() -> None:
    receiver = receiver_of(P01, strict=True)
    seen(receiver, P01, *range(10))
    found = seen(receiver, P01, *range(15))
    assert found == [*[WRONG_SEQUENCE] * 9, REPEATED, *[OK] * 5]


class PlainModel:
    """The flow chart of SWS_E2ELibrary, branch by branch."""

    def __init__(self, config: E2eConfig, modulo: int) -> None:
        self.config, self.modulo = config, modulo
        self.wait_for_first = True
        self.max_delta = self.init = config.max_delta_counter_init or config.max_delta_counter
        self.last = self.no_new = self.sync = 0

    def status(self, counter: int | None, *, is_right: bool = True) -> E2eStatus:
        self.max_delta = min(self.max_delta + 1, self.modulo - 1)
        if counter is None:
            self.no_new = min(self.no_new + 1, self.modulo - 1)
            return NO_NEW_DATA
        if not is_right:
            return WRONG_CRC
        if self.wait_for_first:
            self.wait_for_first = False
            self.max_delta, self.last = self.init, counter
            return INITIAL
        delta = (counter - self.last) % self.modulo
        if delta == 0:
            self.no_new = min(self.no_new + 1, self.modulo - 1)
            return REPEATED
        if delta > self.max_delta:
            self.no_new = 0
            self.sync = self.config.sync_counter_init
            if self.sync > 0:
                self.max_delta, self.last = self.init, counter
            return WRONG_SEQUENCE
        self.max_delta, self.last = self.init, counter
        allowed = self.config.max_no_new_or_repeated_data
        if allowed is not None and self.no_new > allowed:
            self.no_new, self.sync = 0, self.config.sync_counter_init
            return SYNC
        self.no_new = 0
        if self.sync > 0:
            self.sync -= 1
            return SYNC
        return OK if delta == 1 else OK_SOME_LOST


@given(
    config=st.sampled_from([P01, P02]),
    init=st.integers(1, 14),
    sync=st.integers(0, 3),
    allowed=st.one_of(st.none(), st.integers(0, 14)),
    inputs=st.lists(
        st.one_of(st.none(), st.integers(0, 14), st.just("next"), st.just("broken")), max_size=60
    ),
)
def test_any_sequence_has_the_statuses_of_the_flow_chart(
    config: E2eConfig, init: int, sync: int, allowed: int | None, inputs: list[int | str | None]
) -> None:
    config = replace(
        config,
        max_delta_counter_init=init,
        sync_counter_init=sync,
        max_no_new_or_repeated_data=allowed,
    )
    modulo = 15 if config.profile == "P01" else 16
    receiver, model = receiver_of(config), PlainModel(config, modulo)
    counter = 0
    for each in inputs:
        if each is None:
            assert receiver.no_new_data() is model.status(None)
            continue
        counter = (counter + 1) % modulo if isinstance(each, str) else each
        data = bytearray(frame(config, counter))
        data[7] ^= each == "broken"
        status = receiver.check(bytes(data))
        assert status is model.status(counter, is_right=each != "broken")
        assert receiver.max_delta_counter == model.max_delta
        twin = copy.deepcopy(receiver)
        again = pickle.loads(pickle.dumps(receiver))
        assert twin.check(bytes(data)) is again.check(bytes(data))
