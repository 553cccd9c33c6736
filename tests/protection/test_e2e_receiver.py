"""Sequence rules: replayed bursts in both modes, lossy channels against a plain model."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.network import E2eConfig
from simcore.protection import (
    USABLE,
    E2eReceiver,
    E2eStatus,
    Profile05Receiver,
    Profile05Sender,
    e2e_receiver,
    e2e_sender,
)

OK = E2eStatus.OK
ERROR = E2eStatus.ERROR
REPEATED = E2eStatus.REPEATED
OK_SOME_LOST = E2eStatus.OK_SOME_LOST
WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE

P04 = E2eConfig(profile="P04", data_id=0x0A0B0C0D)
P05 = E2eConfig(profile="P05", data_id=0x1234)
P07 = E2eConfig(profile="P07", data_id=0x0A0B0C0D)
P11 = E2eConfig(profile="P11", data_id=0x123)

LENGTH = 32


def recorded(config: E2eConfig, count: int, *, first: int = 0) -> list[bytes]:
    sender = e2e_sender(config, LENGTH, counter=first)
    return [sender.protect(bytes([number & 0xFF]) * LENGTH) for number in range(count)]


def statuses(receiver: E2eReceiver, frames: list[bytes]) -> list[E2eStatus]:
    return [receiver.check(data) for data in frames]


# ---- a recorded burst is played back ----


@pytest.mark.parametrize("config", [P04, P05, P07], ids=lambda c: c.profile)
def test_by_the_standard_a_replayed_burst_is_rejected_once_and_then_accepted(
    config: E2eConfig,
) -> None:
    """What the rule accepts: every frame of the burst but its first; the live stream loses one."""
    sent = recorded(config, 110)
    receiver = e2e_receiver(config, LENGTH)
    statuses(receiver, sent[:100])
    assert statuses(receiver, sent[10:30]) == [WRONG_SEQUENCE, *[OK] * 19]
    assert statuses(receiver, sent[100:103]) == [WRONG_SEQUENCE, OK, OK]


@pytest.mark.parametrize("config", [P04, P05, P07], ids=lambda c: c.profile)
def test_strict_a_replayed_burst_is_rejected_from_its_first_to_its_last_frame(
    config: E2eConfig,
) -> None:
    """What the rule accepts: nothing of the burst, and the live stream loses no frame."""
    sent = recorded(config, 110)
    receiver = e2e_receiver(config, LENGTH, strict=True)
    statuses(receiver, sent[:100])
    for burst in (sent[10:30], sent[:99], sent[50:98], sent[5:6] * 8):
        assert statuses(receiver, burst) == [WRONG_SEQUENCE] * len(burst)
        assert receiver.counter == 99
    assert statuses(receiver, sent[90:100]) == [*[WRONG_SEQUENCE] * 9, REPEATED]
    assert statuses(receiver, sent[100:103]) == [OK] * 3


@pytest.mark.parametrize("config", [P04, P05, P07], ids=lambda c: c.profile)
def test_strict_a_burst_between_live_frames_is_rejected_and_they_are_not(
    config: E2eConfig,
) -> None:
    sent = recorded(config, 120)
    receiver = e2e_receiver(config, LENGTH, strict=True)
    statuses(receiver, sent[:100])
    for old, live in zip(sent[20:40], sent[100:], strict=True):
        assert receiver.check(old) is WRONG_SEQUENCE
        assert receiver.check(live) is OK


def test_strict_a_burst_as_long_as_the_range_of_the_counter_runs_into_the_next_counter() -> None:
    """8 bits cannot tell the recorded frame 101 from the coming one: that is for SecOC."""
    sent = recorded(P05, 256 + 100)
    receiver = e2e_receiver(P05, LENGTH, strict=True)
    statuses(receiver, sent[: 256 + 50])
    assert receiver.counter == 49
    found = statuses(receiver, sent[:256])
    assert found == [*[WRONG_SEQUENCE] * 49, REPEATED, *[OK] * 206]


def test_strict_needs_the_counter_to_come_round_after_a_long_loss_or_a_reset() -> None:
    sent = recorded(P05, 400)
    receiver = e2e_receiver(P05, LENGTH, strict=True)
    statuses(receiver, sent[:10])
    assert statuses(receiver, sent[12:13]) == [OK_SOME_LOST]
    found = statuses(receiver, sent[16:300])
    assert found.index(OK) == 256 + 13 - 16
    assert set(found[: 256 + 13 - 16]) == {WRONG_SEQUENCE, REPEATED}
    receiver = e2e_receiver(P05, LENGTH, strict=True)
    statuses(receiver, sent[:10])
    assert statuses(receiver, sent[50:52]) == [WRONG_SEQUENCE] * 2
    receiver.reset()
    assert receiver.counter == 255
    assert statuses(receiver, sent[52:54]) == [WRONG_SEQUENCE, OK]


@pytest.mark.parametrize("config", [P04, P05, P11], ids=lambda c: c.profile)
def test_strict_a_late_joiner_takes_over_its_first_counter_and_only_that(
    config: E2eConfig,
) -> None:
    sent = recorded(config, 14)
    receiver = e2e_receiver(config, LENGTH, strict=True)
    assert statuses(receiver, sent[5:8]) == [WRONG_SEQUENCE, OK, OK]
    assert statuses(receiver, sent[1:4]) == [WRONG_SEQUENCE] * 3
    assert statuses(receiver, sent[8:9]) == [OK]


def test_strict_comes_from_the_settings_too() -> None:
    settings = E2eConfig(profile="P05", data_id=1, strict=True)
    assert e2e_receiver(settings, 8).strict
    assert e2e_receiver(E2eConfig(profile="P05", data_id=1), 8, strict=True).strict
    assert not e2e_receiver(E2eConfig(profile="P05", data_id=1), 8).strict
    assert not Profile05Receiver(1, 8).strict


# ---- the short way of profile 5 is the long one ----


def test_profile_5_at_the_start_of_a_payload_has_its_short_way() -> None:
    assert type(e2e_sender(P05, 8)) is Profile05Sender
    assert type(e2e_receiver(P05, 8)) is Profile05Receiver
    assert e2e_sender(P05, 8).config is P05
    assert e2e_receiver(P05, 8).config is P05
    moved = E2eConfig(profile="P05", data_id=1, offset_bits=8)
    assert type(e2e_sender(moved, 8)) is not Profile05Sender
    assert type(e2e_receiver(moved, 8)) is E2eReceiver


# ---- a lossy channel ----


class PlainModel:
    """The rules from their description; sees counters and whether a frame is broken."""

    def __init__(self, modulo: int, max_delta: int, strict: bool) -> None:
        self.modulo, self.max_delta, self.strict = modulo, max_delta, strict
        self.last: int | None = None

    def status(self, counter: int | None) -> E2eStatus:
        if counter is None:
            return ERROR
        last = self.modulo - 1 if self.last is None else self.last
        steps = 0
        while (last + steps) % self.modulo != counter:
            steps += 1
        if steps == 0:
            found = REPEATED
        elif steps == 1:
            found = OK
        else:
            found = OK_SOME_LOST if steps <= self.max_delta else WRONG_SEQUENCE
        if found is not WRONG_SEQUENCE or not self.strict or self.last is None:
            self.last = counter
        return found


MODULO = {"P05": 256, "P06": 256, "P11": 15, "P22": 16}

channels = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, 6)),
        st.tuples(st.just("drop"), st.integers(1, 20)),
        st.tuples(st.just("repeat"), st.integers(1, 4)),
        st.tuples(st.just("swap"), st.just(0)),
        st.tuples(st.just("corrupt"), st.integers(0, 8 * 16 - 1)),
        st.tuples(st.just("replay"), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(
    profile=st.sampled_from(sorted(MODULO)),
    max_delta=st.integers(1, 14),
    strict=st.booleans(),
    first=st.integers(0, 14),
    channel=channels,
)
def test_any_channel_gives_the_statuses_of_the_plain_model(
    profile: str, max_delta: int, strict: bool, first: int, channel: list[tuple[str, int]]
) -> None:
    config = E2eConfig(
        profile=profile,
        data_id=0x123 if profile != "P22" else 0,
        data_id_list=tuple(range(16)) if profile == "P22" else (),
        max_delta_counter=max_delta,
    )
    modulo = MODULO[profile]
    sender = e2e_sender(config, 16, counter=first)
    receiver = e2e_receiver(config, 16, strict=strict)
    model = PlainModel(modulo, max_delta, strict)
    history: list[tuple[int, bytes]] = []

    def fresh() -> tuple[int, bytes]:
        history.append((sender.counter, sender.protect(bytes([len(history) & 0xFF]) * 16)))
        return history[-1]

    def deliver(counter: int | None, data: bytes) -> None:
        before = receiver.counter
        status = receiver.check(data)
        assert status is model.status(counter)
        if status is ERROR:
            assert receiver.counter == before
        if status not in USABLE and status is not REPEATED and strict and model.last is not None:
            assert receiver.counter == model.last

    for what, number in channel:
        if what == "pass":
            for _ in range(number):
                deliver(*fresh())
        elif what == "drop":
            for _ in range(number):
                fresh()
        elif what == "repeat":
            frame = fresh()
            for _ in range(number + 1):
                deliver(*frame)
        elif what == "swap":
            early, late = fresh(), fresh()
            deliver(*late)
            deliver(*early)
        elif what == "corrupt":
            broken = bytearray(fresh()[1])
            broken[number // 8] ^= 1 << number % 8
            deliver(None, bytes(broken))
        else:
            for frame in history[-2 * number : -number]:
                deliver(*frame)


@given(channel=st.lists(st.integers(0, 59), max_size=40), cut=st.integers(0, 40))
def test_a_copy_in_mid_stream_judges_as_the_original(channel: list[int], cut: int) -> None:
    for config in (P05, P11):
        for strict in (False, True):
            sent = recorded(config, 60)
            receiver = e2e_receiver(config, LENGTH, strict=strict)
            statuses(receiver, [sent[number] for number in channel[:cut]])
            twins = [copy.deepcopy(receiver), pickle.loads(pickle.dumps(receiver))]
            rest = [sent[number] for number in channel[cut:]]
            expected = statuses(receiver, rest)
            assert [statuses(twin, rest) for twin in twins] == [expected] * 2
