"""SecOC frames: published examples, forgeries, losses, replays, overrides; and the settings."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import InputError, UsageError
from simcore.network.secoc_attributes import secoc_config_of
from simcore.network.secoc_config import MultiCounter, SecOcConfig, SecOcTable
from simcore.protection.cmac import Cmac, KeyStore
from simcore.protection.freshness import SingleCounterReceiver, SingleCounterSender
from simcore.protection.freshness_multi import (
    FreshnessMaster,
    FreshnessSlave,
    MultiCounterReceiver,
    MultiCounterSender,
)
from simcore.protection.secoc import SecOcReceiver, secoc_receiver, secoc_sender
from simcore.protection.secoc_status import SecOcOutcome, SecOcOverride, SecOcReason

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
KEYS = KeyStore({0: KEY})
PDU = bytes(range(28))
LENGTHS = {1: (64, 8, 24), 2: (0, 0, 24), 3: (64, 4, 28)}


def config(number: int, *, authentic: int = 28, **changes: Any) -> SecOcConfig:
    """Profile `number`, with changes."""
    fresh, sent, mac = LENGTHS[number]
    fields = {
        "profile": number,
        "data_id": 0x0123,
        "authentic_length": authentic,
        "secured_length": authentic + 4,
        "freshness_value_length": fresh,
        "freshness_value_trunc_length": sent,
        "auth_info_trunc_length": mac,
    }
    return SecOcConfig(**{**fields, **changes})


def frames(settings: SecOcConfig, count: int, *, keys: KeyStore = KEYS) -> list[bytes]:
    sender = secoc_sender(settings, keys)
    secured = []
    for n in range(count):
        frame = sender.secure(bytes([n & 0xFF] * settings.authentic_length))
        assert frame is not None
        secured.append(frame)
    return secured


# -- published examples --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "length", "tail"),
    [(1, 32, "01a5e0a0"), (3, 32, "1a5e0a04")],
)
def test_the_published_examples_of_profiles_1_and_3(profile: int, length: int, tail: str) -> None:
    secured = secoc_sender(config(profile), KEYS).secure(PDU)
    assert secured is not None
    assert len(secured) == length
    assert secured.hex() == PDU.hex() + tail


def test_profile_2_is_the_mac_over_data_id_and_data_alone() -> None:
    settings = config(2, secured_length=31)
    secured = secoc_sender(settings, KEYS).secure(PDU)
    assert secured == PDU + Cmac(KEY).mac(b"\x01\x23" + PDU)[:3]
    receiver = secoc_receiver(settings, KEYS)
    assert receiver.verify(secured).data == PDU
    # Without a freshness value there is no protection against replay, and none is pretended.
    assert receiver.verify(secured).outcome is SecOcOutcome.SUCCESS


def test_a_freshness_value_of_odd_bits_is_authenticated_filled_up_with_zeros() -> None:
    """A layout in series production: 46 bits of freshness and 2 of filling, 4 + 28 bits sent."""
    layout = MultiCounter(trip_length=16, reset_length=20, message_length=8, flag_length=2)
    settings = SecOcConfig(
        data_id=0x2E4,
        authentic_length=4,
        secured_length=8,
        freshness_value_length=46,
        freshness_value_trunc_length=4,
        auth_info_trunc_length=28,
        multi_counter=layout,
    )
    master = FreshnessMaster(layout, {})
    master.counts = (0x1234, 0x56789)
    sender = secoc_sender(settings, KEYS, MultiCounterSender(layout, master))
    secured = sender.secure(bytes.fromhex("80001122"))
    # Trip 1234, reset 56789, message 01, reset flag 01 and two zero bits.
    fresh = bytes.fromhex("1234") + bytes.fromhex("56789014")
    mac = Cmac(KEY).mac(bytes.fromhex("02e4") + bytes.fromhex("80001122") + fresh)
    assert secured is not None
    assert secured.hex() == "80001122" + "5" + mac.hex()[:7]


# -- what a receiver accepts ---------------------------------------------------------------------


@pytest.mark.parametrize("profile", [1, 2, 3])
def test_no_flipped_bit_of_a_secured_frame_is_accepted(profile: int) -> None:
    settings = config(profile)
    frame = frames(settings, 1)[0]
    receiver = secoc_receiver(settings, KEYS)
    for bit in range(8 * len(frame)):
        forged = bytearray(frame)
        forged[bit // 8] ^= 1 << bit % 8
        result = receiver.verify(bytes(forged))
        assert result.outcome is SecOcOutcome.VERIFICATIONFAILURE, bit
        assert result.data is None
    assert receiver.verify(frame).data == frame[:28]  # and nothing of it has left a trace
    assert receiver.rejected == 8 * len(frame)


def test_two_flipped_bits_are_not_accepted_either() -> None:
    settings = config(1, authentic=4)
    frame = frames(settings, 1)[0]
    receiver = secoc_receiver(settings, KEYS)
    for first in range(64):
        for second in range(first):
            forged = int.from_bytes(frame, "big") ^ 1 << first ^ 1 << second
            assert receiver.verify(forged.to_bytes(8, "big")).data is None


@pytest.mark.parametrize(
    ("profile", "attempts", "tolerated"),
    [(1, 1, 255), (1, 2, 511), (1, 4, 1023), (3, 1, 15), (3, 2, 31), (3, 4, 63)],
)
def test_lost_frames_are_tolerated_up_to_the_window_and_never_beyond(
    profile: int, attempts: int, tolerated: int
) -> None:
    settings = config(profile, authentic=4, verify_attempts=attempts)
    sent = frames(settings, 2 + tolerated + 1 + 1300)
    begun = secoc_receiver(settings, KEYS)
    assert begun.verify(sent[0]).outcome is SecOcOutcome.SUCCESS
    within = copy.deepcopy(begun)
    assert within.verify(sent[1 + tolerated]).outcome is SecOcOutcome.SUCCESS
    beyond = copy.deepcopy(begun)
    for frame in sent[2 + tolerated :]:
        assert beyond.verify(frame).outcome is SecOcOutcome.VERIFICATIONFAILURE
    assert beyond.rejected >= 1300
    # While the gap is small enough to see, its reason is named.
    assert beyond.reasons[SecOcReason.OUT_OF_WINDOW] == 2 * (tolerated + 1) // attempts


def test_a_receiver_that_lost_too_much_comes_back_when_its_freshness_is_set() -> None:
    settings = config(3, authentic=4)
    sent = frames(settings, 100)
    freshness = SingleCounterReceiver(64, 4)
    receiver = secoc_receiver(settings, KEYS, freshness)
    assert receiver.verify(sent[50]).outcome is SecOcOutcome.VERIFICATIONFAILURE
    freshness.last = 50  # as a sync or diagnosis would do
    assert receiver.verify(sent[50]).outcome is SecOcOutcome.SUCCESS


@pytest.mark.parametrize("profile", [1, 3])
def test_every_replay_is_rejected(profile: int) -> None:
    settings = config(profile, authentic=4)
    sent = frames(settings, 599)
    receiver = secoc_receiver(settings, KEYS)
    for frame in sent:
        assert receiver.verify(frame).outcome is SecOcOutcome.SUCCESS
    for frame in sent:
        assert receiver.verify(frame).outcome is SecOcOutcome.VERIFICATIONFAILURE
    assert (receiver.accepted, receiver.rejected) == (599, 599)
    assert receiver.consecutive_failures == 599


def test_reasons_are_told_apart_as_far_as_a_receiver_can_know() -> None:
    settings = config(1, authentic=4)
    sent = frames(settings, 900)
    receiver = secoc_receiver(settings, KEYS)
    for frame in sent[:300]:
        receiver.verify(frame)
    mismatch = SecOcReason.MAC_MISMATCH
    assert receiver.verify(sent[299]).reason is SecOcReason.REPLAY
    assert receiver.verify(sent[0]).reason is SecOcReason.REPLAY
    assert receiver.verify(sent[299 + 300]).reason is SecOcReason.OUT_OF_WINDOW
    assert receiver.verify(sent[299 + 600]).reason is SecOcReason.OUT_OF_WINDOW
    assert receiver.verify(sent[300][:-1]).reason is SecOcReason.TOO_SHORT
    assert receiver.verify(b"").reason is SecOcReason.TOO_SHORT
    assert receiver.verify(sent[300] + b"\0").reason is SecOcReason.TOO_LONG
    wrong_key = frames(settings, 301, keys=KeyStore({0: bytes(16)}))[300]
    wrong_id = frames(config(1, authentic=4, data_id=0x0124), 301)[300]
    assert receiver.verify(wrong_key).reason is mismatch
    assert receiver.verify(wrong_id).reason is mismatch
    assert receiver.verify(sent[300]).outcome is SecOcOutcome.SUCCESS
    blind = secoc_receiver(settings, KEYS, SingleCounterReceiver(64, 8, last=300), depth=0)
    assert blind.verify(sent[0]).reason is mismatch
    assert blind.verify(sent[300]).outcome is SecOcOutcome.SUCCESS


def test_padding_is_zero_or_the_frame_is_rejected() -> None:
    settings = config(1, authentic=4, secured_length=12)
    frame = frames(settings, 1)[0]
    assert frame[8:] == bytes(4)
    receiver = secoc_receiver(settings, KEYS)
    for byte in range(8, 12):
        forged = bytearray(frame)
        forged[byte] = 1
        assert receiver.verify(bytes(forged)).reason is SecOcReason.PADDING
    assert receiver.verify(frame).data == frame[:4]


def test_an_empty_key_slot_builds_no_authenticator_on_either_side() -> None:
    settings = config(1)
    sender = secoc_sender(settings, KeyStore())
    assert sender.secure(PDU) is None
    assert sender.outcome is SecOcOutcome.AUTHENTICATIONBUILDFAILURE
    assert (sender.reason, sender.failures) == (SecOcReason.KEY_SLOT_EMPTY, 1)
    result = secoc_receiver(settings, KeyStore()).verify(frames(settings, 1)[0])
    assert result.outcome is SecOcOutcome.AUTHENTICATIONBUILDFAILURE
    assert result.reason is SecOcReason.KEY_SLOT_EMPTY


def test_a_spent_freshness_value_ends_the_stream() -> None:
    settings = config(
        1, profile=None, freshness_value_length=8, freshness_value_trunc_length=8, authentic=4
    )
    sender = secoc_sender(settings, KEYS, SingleCounterSender(8, value=254))
    last = sender.secure(bytes(4))
    assert last is not None
    assert sender.secure(bytes(4)) is None
    assert sender.reason is SecOcReason.EXHAUSTED
    receiver = secoc_receiver(settings, KEYS)
    assert receiver.verify(last).outcome is SecOcOutcome.SUCCESS
    replayed = receiver.verify(last)
    assert replayed.outcome is SecOcOutcome.FRESHNESSFAILURE
    assert replayed.reason is SecOcReason.REPLAY


def test_build_attempts_without_freshness_end_in_a_build_failure() -> None:
    layout = MultiCounter()
    settings = config(
        1, build_attempts=3, freshness_value_trunc_length=8, multi_counter=layout, authentic=4
    )
    slave = FreshnessSlave(layout)
    sender = secoc_sender(settings, KEYS, MultiCounterSender(layout, slave))
    seen = []
    for _ in range(4):
        assert sender.secure(bytes(4)) is None
        assert sender.reason is SecOcReason.NO_SYNC_YET
        seen.append(sender.outcome.name)
    assert seen == ["FRESHNESSFAILURE"] * 2 + ["AUTHENTICATIONBUILDFAILURE"] * 2
    slave.take_sync(1, 1)
    assert sender.secure(bytes(4)) is not None
    assert (sender.outcome, sender.attempts) == (SecOcOutcome.SUCCESS, 0)


# -- several counters ----------------------------------------------------------------------------


def test_several_counters_from_power_on_over_losses_to_the_next_trip() -> None:
    layout = MultiCounter(trip_length=16, reset_length=16, message_length=30, flag_length=2)
    settings = config(1, multi_counter=layout, authentic=4)
    memory: dict[str, bytes] = {}
    master = FreshnessMaster(layout, memory)
    sender = secoc_sender(settings, KEYS, MultiCounterSender(layout, master))
    slave = FreshnessSlave(layout)
    receiver = secoc_receiver(settings, KEYS, MultiCounterReceiver(layout, 8, slave))

    def send() -> bytes:
        frame = sender.secure(bytes(4))
        assert frame is not None
        return frame

    result = receiver.verify(send())
    assert (result.outcome, result.reason) == (
        SecOcOutcome.FRESHNESSFAILURE,
        SecOcReason.NO_SYNC_YET,
    )
    slave.take_sync(*master.counts)
    recorded = send()
    assert receiver.verify(recorded).outcome is SecOcOutcome.SUCCESS
    for _ in range(63):
        send()  # lost: six bits of the message counter are sent
    assert receiver.verify(send()).outcome is SecOcOutcome.SUCCESS
    for _ in range(64):
        send()
    assert receiver.verify(send()).reason is SecOcReason.OUT_OF_WINDOW
    master.next_reset()  # the sync message is late: the reset flag helps
    assert receiver.verify(send()).outcome is SecOcOutcome.SUCCESS
    master = FreshnessMaster(layout, memory)
    sender = secoc_sender(settings, KEYS, MultiCounterSender(layout, master))
    assert receiver.verify(send()).data is None  # a newer trip looks like a wrong key
    slave.take_sync(*master.counts)
    assert receiver.verify(send()).outcome is SecOcOutcome.SUCCESS
    assert receiver.verify(recorded).reason is SecOcReason.STALE_TRIP


# -- overrides -----------------------------------------------------------------------------------


def overridden(mode: SecOcOverride, count: int = 0) -> tuple[SecOcReceiver, bytes, bytes]:
    settings = config(1, authentic=4)
    good = frames(settings, 1)[0]
    receiver = secoc_receiver(settings, KEYS)
    receiver.override(mode, count)
    return receiver, good, good[:-1] + b"\xff"


@pytest.mark.parametrize(
    ("mode", "good", "bad"),
    [
        (SecOcOverride.DROP_UNTIL_NOTICE, ("NO_VERIFICATION", False), ("NO_VERIFICATION", False)),
        (SecOcOverride.SKIP_UNTIL_NOTICE, ("NO_VERIFICATION", True), ("NO_VERIFICATION", True)),
        (
            SecOcOverride.PASS_UNTIL_NOTICE,
            ("SUCCESS", True),
            ("VERIFICATIONFAILURE_OVERWRITTEN", True),
        ),
        (SecOcOverride.CANCEL, ("SUCCESS", True), ("VERIFICATIONFAILURE", False)),
    ],
)
def test_an_override_until_notice_lasts(
    mode: SecOcOverride, good: tuple[str, bool], bad: tuple[str, bool]
) -> None:
    receiver, right, wrong = overridden(mode)
    for _ in range(20):
        result = receiver.verify(wrong)
        assert (result.outcome.name, result.data == wrong[:4]) == bad
    result = receiver.verify(right)
    assert (result.outcome.name, result.data == right[:4]) == good
    receiver.override(SecOcOverride.CANCEL)
    assert receiver.verify(wrong).outcome is SecOcOutcome.VERIFICATIONFAILURE


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        (SecOcOverride.DROP_UNTIL_LIMIT, "NO_VERIFICATION"),
        (SecOcOverride.SKIP_UNTIL_LIMIT, "NO_VERIFICATION"),
        (SecOcOverride.PASS_UNTIL_LIMIT, "VERIFICATIONFAILURE_OVERWRITTEN"),
    ],
)
def test_an_override_until_a_limit_counts_frames(mode: SecOcOverride, outcome: str) -> None:
    receiver, right, wrong = overridden(mode, 3)
    assert [receiver.verify(wrong).outcome.name for _ in range(3)] == [outcome] * 3
    assert receiver.verify(wrong).outcome is SecOcOutcome.VERIFICATIONFAILURE
    # Nothing that passed unverified has moved the freshness value.
    assert receiver.verify(right).outcome is SecOcOutcome.SUCCESS


@pytest.mark.parametrize(
    "mode",
    [
        SecOcOverride.SKIP_UNTIL_NOTICE,
        SecOcOverride.PASS_UNTIL_NOTICE,
    ],
)
def test_no_override_passes_on_a_frame_too_short_for_its_data(mode: SecOcOverride) -> None:
    receiver, right, _ = overridden(mode)
    assert receiver.verify(right[:3]).data is None


def test_a_limit_without_a_count_is_refused() -> None:
    with pytest.raises(UsageError, match=r"SecOC override PASS_UNTIL_LIMIT: expected a count >= 1"):
        overridden(SecOcOverride.PASS_UNTIL_LIMIT)


# -- the channel as a model ----------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(0, 40)),
            st.tuples(st.just("replay"), st.integers(0, 400)),
            st.tuples(st.just("forge"), st.integers(0, 63)),
            st.tuples(st.just("fork"), st.just(0)),
        ),
        max_size=60,
    ),
    st.sampled_from([1, 2]),
)
def test_over_a_losing_and_replaying_channel_a_receiver_agrees_with_a_simple_model(
    steps: list[tuple[str, int]], attempts: int
) -> None:
    """The model: accepted is what is authentic, later than the last, and near enough."""
    settings = config(3, authentic=4, verify_attempts=attempts)
    sender, receiver = secoc_sender(settings, KEYS), secoc_receiver(settings, KEYS)
    sent: list[bytes] = []
    last = 0
    for kind, number in steps:
        if kind == "fork":
            sender, receiver = pickle.loads(pickle.dumps(copy.deepcopy((sender, receiver))))
        elif kind == "send":
            for _ in range(number + 1):  # all but the last are lost
                frame = sender.secure(len(sent).to_bytes(4, "big"))
                assert frame is not None
                sent.append(frame)
            accepted = len(sent) - last <= 16 * attempts
            assert (receiver.verify(sent[-1]).data is not None) is accepted
            last = len(sent) if accepted else last
        elif sent and kind == "replay":
            position = number % len(sent)
            accepted = 0 < position + 1 - last <= 16 * attempts
            assert (receiver.verify(sent[position]).data is not None) is accepted
            last = position + 1 if accepted else last
        elif sent:
            forged = int.from_bytes(sent[-1], "big") ^ 1 << number
            assert receiver.verify(forged.to_bytes(8, "big")).data is None


# -- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [1, 2, 3])
def test_both_ends_go_on_alike_after_a_copy_and_a_pickle(profile: int) -> None:
    settings = config(profile, authentic=4)
    ends = secoc_sender(settings, KEYS), secoc_receiver(settings, KEYS)
    first = ends[0].secure(bytes(4))
    assert first is not None
    ends[1].verify(first)
    following = [copy.deepcopy(ends), pickle.loads(pickle.dumps(ends)), ends]
    secured = [sender.secure(b"next") for sender, _ in following]
    assert secured[0] == secured[1] == secured[2]
    for _, receiver in following:
        assert receiver.verify(secured[0] or b"").data == b"next"
    assert following[0][0].config is settings  # what never changes is shared


def test_a_wrong_use_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"SecOC, data id 0x0123: secure: expected 28 bytes, got 3"
    ):
        secoc_sender(config(1), KEYS).secure(bytes(3))
    with pytest.raises(
        UsageError, match=r"freshness: expected one, for its length is 64, got none"
    ):
        SecOcReceiver(config(1), KEYS)
    with pytest.raises(UsageError, match=r"freshness: expected none, for its length is 0, got one"):
        secoc_sender(config(2), KEYS, SingleCounterSender(8))


# -- settings ------------------------------------------------------------------------------------

ATTRIBUTES: dict[str, int | float | str] = {"SecOCProfile": "Profile1", "SecOCDataId": 0x123}


def signal(name: str, start: int, length: int, function: str, **changes: Any) -> Any:
    fields = {
        "name": name,
        "start_bit": start,
        "length": length,
        "byte_order": "big_endian",
        "is_signed": False,
        "is_identity": True,
        "attributes": {"GenSigFuncType": function},
    }
    return SimpleNamespace(**{**fields, **changes})


def read(attributes: dict[str, int | float | str], *signals: Any, length: int = 32) -> Any:
    return secoc_config_of(
        message_name="Cmd", length=length, attributes=attributes, signals=signals
    )


@pytest.mark.parametrize("text", ["Profile1", "1", 1, "P01", "profile_1", "SecOC Profile 1"])
def test_a_profile_fills_in_its_lengths(text: int | str) -> None:
    assert read({**ATTRIBUTES, "SecOCProfile": text}) == config(1)


def test_profiles_2_and_3_and_explicit_lengths() -> None:
    two = read({**ATTRIBUTES, "SecOCProfile": "Profile2"}, length=31)
    assert two == config(2, secured_length=31)
    assert read({**ATTRIBUTES, "SecOCProfile": "Profile3"}) == config(3)
    explicit = read(
        {
            "SECOC_PROFILE": "Explicit",
            "SecOcDataId": "0x123",
            "SecOCFreshnessValueLength": 32,
            "SecOCFreshnessValueTruncLength": 16,
            "SecOCAuthInfoTruncLength": 48,
            "SecOCAuthenticPduLength": 20,
            "SecOCAuthenticationVerifyAttempts": 2,
            "SecOCAuthenticationBuildAttempts": 3,
            "SecOCAcceptanceWindow": 100,
            "SecOCKeyId": 7,
            "SecOCFreshnessValueId": 9,
        }
    )
    assert explicit == SecOcConfig(
        data_id=0x123,
        secured_length=32,
        authentic_length=20,
        freshness_value_length=32,
        freshness_value_trunc_length=16,
        auth_info_trunc_length=48,
        verify_attempts=2,
        build_attempts=3,
        acceptance_window=100,
        key_id=7,
        freshness_value_id=9,
    )


@pytest.mark.parametrize("text", ["None", "", "none"])
def test_without_a_profile_there_is_no_secoc(text: str) -> None:
    assert read({"SecOCProfile": text, "SecOCDataId": 1}) is None
    assert read({}) is None


def test_several_counters_give_the_freshness_value_its_length() -> None:
    several = {
        **ATTRIBUTES,
        "SecOCFreshnessType": "MultiCounter",
        "SecOCTripCounterLength": 16,
        "SecOCResetCounterLength": 20,
        "SecOCMessageCounterLength": 8,
    }
    found = read(several)
    assert found.multi_counter == MultiCounter(trip_length=16, reset_length=20, message_length=8)
    assert found.freshness_value_length == 46


def test_without_a_freshness_value_id_the_data_id_is_it() -> None:
    assert read(ATTRIBUTES).freshness_value_id == 0x123
    assert read({**ATTRIBUTES, "SecOCFreshnessValueId": -1}).freshness_value_id == 0x123
    assert read({**ATTRIBUTES, "SecOCFreshnessValueId": 0}).freshness_value_id == 0


def test_signals_at_the_places_give_the_length_of_the_authentic_part() -> None:
    fresh = signal("Fv", 8 * 20 + 7, 8, "Freshness")
    mac = signal("Mac", 8 * 21 + 7, 24, "Authenticator")
    found = read(ATTRIBUTES, fresh, mac)
    assert (found.authentic_length, found.freshness_signal, found.authenticator_signal) == (
        20,
        "Fv",
        "Mac",
    )
    assert read(ATTRIBUTES, mac).authentic_length == 20
    little = signal("Fv", 8 * 20, 8, "Freshness", byte_order="little_endian")
    assert read(ATTRIBUTES, little, mac).freshness_signal == "Fv"  # one byte has one order


BAD = [
    ({"SecOCProfile": "Profile4"}, r"expected SecOCProfile Profile1, .* or None, got Profile4"),
    ({"SecOCDataId": -1}, r"expected a SecOCDataId of 0\.\.65535, got none"),
    ({"SecOCDataId": 1 << 16}, r"data_id: expected 0\.\.65535, got 65536"),
    ({"SecOCDataId": "x"}, r"expected a whole number in SecOCDataId, got 'x'"),
    ({"SecOCKeyId": 0.5}, r"expected a whole number of 0 or more in SecOCKeyId, got 0\.5"),
    ({"SecOCProfile": "Explicit"}, r"expected a SecOCFreshnessValueTruncLength, for there is no"),
    ({"SecOCFreshnessType": "Clock"}, r"expected SecOCFreshnessType SingleCounter or MultiCounter"),
    ({"SecOCAuthInfoTruncLength": 32}, r" profile 1, bits .* expected 64 8 24, got 64 8 32"),
    ({"SecOCAuthenticPduLength": 29}, r" authentic_length: expected 0\.\.28, got 29"),
    ({"SecOCFreshnessValueLength": 65}, r"freshness_value_length: expected 0\.\.64, got 65"),
    (
        {"SecOCFreshnessType": "MultiCounter", "SecOCFreshnessValueLength": 32},
        r"and reset flag together: expected 32 bits, got 64",
    ),
]


@pytest.mark.parametrize(("changes", "text"), BAD)
def test_bad_settings_are_refused_with_message_and_value(
    changes: dict[str, int | float | str], text: str
) -> None:
    with pytest.raises(InputError, match=r"^message Cmd, SecOC.*" + text):
        read({**ATTRIBUTES, **changes})


def test_signals_in_the_wrong_place_and_twice_are_refused() -> None:
    fresh = signal("Fv", 8 * 20 + 7, 8, "Freshness")
    wrong = signal("Mac", 8 * 22 + 7, 24, "Authenticator")
    with pytest.raises(InputError, match=r"expected signal Mac of 24 bits from bit 168 of the"):
        read(ATTRIBUTES, fresh, wrong)
    little = signal("Mac", 8 * 21, 24, "Authenticator", byte_order="little_endian")
    with pytest.raises(InputError, match=r"got 24 bits from bit 168, little_endian"):
        read(ATTRIBUTES, fresh, little)
    with pytest.raises(
        InputError, match=r"at most one signal with GenSigFuncType 'Freshness', got"
    ):
        read(ATTRIBUTES, fresh, fresh)


@pytest.mark.parametrize(
    ("changed", "length", "text"),
    [
        ({}, 8, r"bit 31 of the frame, .*, got signal Speed in bits 24\.\.39$"),
        ({}, 9, r"bit 39 of the frame, .*, got signal Late in bits 40\.\.41$"),
        ({"SecOCAuthenticPduLength": 3}, 16, r"bit 23 of the frame, .* Speed in bits 24\.\.39$"),
        (
            {"SecOCTrailerSignals": "Speed, Late"},
            8,
            r"bit 31 of the frame, .*, got signal Speed in bits 24\.\.39$",
        ),
        ({"SecOCTrailerSignals": "Speed; Sped"}, 16, r"signals of the message in .*, got Sped$"),
    ],
)
def test_a_trailer_over_a_signal_of_the_application_is_refused(
    changed: dict[str, int | float | str], length: int, text: str
) -> None:
    speed = signal("Speed", 8 * 3 + 7, 16, "")
    late = signal("Late", 8 * 5 + 6, 2, "", byte_order="little_endian")
    with pytest.raises(InputError, match=r"^message Cmd, SecOC: expected .*" + text):
        read({**ATTRIBUTES, **changed}, speed, late, length=length)
    table = SecOcTable(profile=1, data_id=1)
    if not changed:
        with pytest.raises(
            InputError,
            match=r"^x\.toml: message Cmd, SecOC, secoc\.messages\.Cmd\.profile: .*" + text,
        ):
            secoc_config_of(
                message_name="Cmd",
                length=length,
                attributes={},
                signals=(speed, late),
                table=table,
                file="x.toml",
            )


def test_signals_that_are_parts_of_the_trailer_are_named() -> None:
    counter, flag = signal("Cnt", 39, 6, ""), signal("Flag", 33, 2, "")
    mac = signal("Mac", 47, 24, "Authenticator")
    named = read({**ATTRIBUTES, "SecOCTrailerSignals": "Cnt Flag"}, counter, flag, mac, length=8)
    assert named.trailer_signals == ("Cnt", "Flag")
    table = SecOcTable(trailer_signals=["Cnt", "Flag"], freshness_sync=False)
    assert table.attributes() == {"SecOCTrailerSignals": "Cnt Flag", "SecOCFreshnessSync": "No"}


def test_errors_name_the_file_and_key_of_a_table_and_else_the_attribute() -> None:
    def refused(table: SecOcTable, **attributes: int | str) -> str:
        with pytest.raises(InputError, match="message Cmd, SecOC") as caught:
            secoc_config_of(
                message_name="Cmd",
                length=8,
                attributes=attributes,
                signals=(),
                table=table,
                file="x.toml",
            )
        return str(caught.value)

    key = "x.toml: message Cmd, SecOC, secoc.messages.Cmd"
    assert refused(SecOcTable(profile=1, data_id=70_000)) == (
        f"{key}.data_id: expected 0..65535, got 70000"
    )
    assert refused(SecOcTable(profile=1)) == f"{key}: expected a data_id of 0..65535, got none"
    assert refused(SecOcTable(profile="4")).startswith(f"{key}.profile: expected profile Prof")
    assert refused(SecOcTable(profile=1, data_id=1, auth_info_trunc_length=32)) == (
        f"{key}.profile: expected 64 8 24, got 64 8 32"
    )
    assert refused(SecOcTable(key_id=1), SecOCProfile="Profile1", SecOCDataId=70_000) == (
        "message Cmd, SecOC, data_id: expected 0..65535, got 70000"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"profile": 9}, r"SecOC profile: expected 1, 2 or 3, got 9"),
        ({"secured_length": 3, "authentic_length": 0}, r"a shorter freshness value or MAC, got 0"),
        (
            {"multi_counter": MultiCounter(), "profile": None, "freshness_value_trunc_length": 2},
            r"bits sent: expected the reset flag and 1\.\.14 of the message counter, got 2",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        config(1, **changes)


def test_a_table_of_a_toml_file_stands_for_the_attributes() -> None:
    text = b"profile = 1\ndata_id = 0x123\nkey_id = 4\nverify_attempts = 2"
    table = msgspec.toml.decode(text, type=SecOcTable)
    assert table.attributes() == {
        "SecOCProfile": 1,
        "SecOCDataId": 0x123,
        "SecOCKeyId": 4,
        "SecOCAuthenticationVerifyAttempts": 2,
    }
    assert read(table.attributes()) == config(1, key_id=4, verify_attempts=2)
    assert read({**ATTRIBUTES, **SecOcTable(profile="None").attributes()}) is None
    with pytest.raises(msgspec.ValidationError, match=r"unknown field `dataid`"):
        msgspec.toml.decode(b"dataid = 1", type=SecOcTable)


def test_settings_are_shared_by_copies_and_equal_after_a_pickle() -> None:
    for settings in (config(1), config(3), MultiCounter()):
        assert copy.copy(settings) is settings
        assert copy.deepcopy(settings) is settings
        assert pickle.loads(pickle.dumps(settings)) == settings
