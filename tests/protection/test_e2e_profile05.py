"""E2E profile 5: published vectors, every flipped bit, an independent CRC, faults."""

from __future__ import annotations

import copy
import pickle
from itertools import combinations

import pytest
from e2e import p05
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.protection import USABLE, E2eStatus, Profile05Receiver, Profile05Sender

DATA_ID = 0x1234
LENGTHS = [8, 24, 64]

OK = E2eStatus.OK
NO_NEW_DATA = E2eStatus.NO_NEW_DATA
ERROR = E2eStatus.ERROR
REPEATED = E2eStatus.REPEATED
OK_SOME_LOST = E2eStatus.OK_SOME_LOST
WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE


def crc16_ccitt_false(content: bytes) -> int:
    """Polynomial 0x1021, initial value 0xFFFF, bit by bit."""
    register = 0xFFFF
    for octet in content:
        register ^= octet << 8
        for _ in range(8):
            register = register << 1 ^ (0x1021 if register & 0x8000 else 0)
            register &= 0xFFFF
    return register


def protected(data: bytes, data_id: int, counter: int, *, offset: int = 0) -> bytes:
    """Profile 5 from its description: CRC little-endian, then the counter, data id behind."""
    out = bytearray(data)
    out[offset + 2] = counter
    rest = bytes(out[:offset] + out[offset + 2 :])
    crc = crc16_ccitt_false(rest + bytes([data_id & 0xFF, data_id >> 8]))
    out[offset : offset + 2] = crc.to_bytes(2, "little")
    return bytes(out)


def frames(count: int, *, length: int = 32, data_id: int = DATA_ID) -> list[bytes]:
    """Consecutive protected frames, counters from 0."""
    sender = Profile05Sender(data_id, length)
    return [sender.protect(bytes([number & 0xFF] * length)) for number in range(count)]


def statuses(receptions: list[bytes]) -> list[E2eStatus]:
    receiver = Profile05Receiver(DATA_ID, 32)
    return [receiver.check(data) for data in receptions]


# ---- values of the standard ----


def test_statuses_have_the_values_of_the_standard() -> None:
    assert {status.name: status.value for status in E2eStatus} == {
        "OK": 0x00,
        "NO_NEW_DATA": 0x01,
        "WRONG_CRC": 0x02,
        "SYNC": 0x03,
        "INITIAL": 0x04,
        "ERROR": 0x07,
        "REPEATED": 0x08,
        "OK_SOME_LOST": 0x20,
        "WRONG_SEQUENCE": 0x40,
    }
    assert {OK, OK_SOME_LOST} == USABLE


def test_the_crc_of_this_file_has_the_published_check_value() -> None:
    assert crc16_ccitt_false(b"123456789") == 0x29B1


def test_published_vectors_of_eight_zero_bytes() -> None:
    sender = Profile05Sender(0x1234, 8)
    assert sender.protect(bytes(8)).hex() == "1cca000000000000"
    assert sender.protect(bytes(8)).hex() == "cf8d010000000000"


def test_published_vectors_with_the_header_in_the_middle_confirm_the_reference() -> None:
    assert protected(bytes(8), 0x1234, 0)[:3].hex() == "1cca00"
    assert protected(bytes(16), 0x1234, 0, offset=8)[8:11].hex() == "289100"
    assert protected(bytes(16), 0x1234, 1, offset=8)[8:11].hex() == "fbd601"


@given(
    data=st.binary(min_size=3, max_size=64),
    data_id=st.integers(0, 0xFFFF),
    counter=st.integers(0, 255),
)
def test_protection_is_that_of_the_description_and_of_the_library(
    data: bytes, data_id: int, counter: int
) -> None:
    sender = Profile05Sender(data_id, len(data), counter=counter)
    sent = sender.protect(data)
    assert sent == protected(data, data_id, counter)
    assert sent[3:] == data[3:]
    assert p05.e2e_p05_check(sent, data_id)
    theirs = bytearray(data)
    theirs[2] = counter
    p05.e2e_p05_protect(theirs, data_id, increment_counter=False)
    assert sent == bytes(theirs)
    receiver = Profile05Receiver(data_id, len(data))
    receiver.counter = (counter - 1) % 256
    assert receiver.check(sent) is OK


@given(data=st.binary(min_size=3, max_size=70), data_id=st.integers(0, 0xFFFF))
def test_any_bytes_are_legal_input_and_are_an_error_exactly_where_the_library_says(
    data: bytes, data_id: int
) -> None:
    receiver = Profile05Receiver(data_id, len(data))
    assert (receiver.check(data) is ERROR) == (not p05.e2e_p05_check(data, data_id))


@pytest.mark.parametrize("length", [0, 1, 2, 31, 33, 64])
def test_another_length_is_an_error_and_changes_no_counter(length: int) -> None:
    receiver = Profile05Receiver(DATA_ID, 32)
    first, second = frames(2)
    assert receiver.check(first) is OK
    wrong = protected(bytes(length), DATA_ID, 1) if length >= 3 else bytes(length)
    assert receiver.check(wrong) is ERROR
    assert receiver.counter == 0
    assert receiver.check(second) is OK


# ---- corruption ----


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("counter", [0, 1, 255])
def test_every_single_bit_flip_of_a_protected_frame_is_detected(length: int, counter: int) -> None:
    sent = Profile05Sender(DATA_ID, length, counter=counter).protect(bytes(range(length)))
    receiver = Profile05Receiver(DATA_ID, length)
    receiver.counter = before = (counter - 1) % 256
    for bit in range(8 * length):
        flipped = bytearray(sent)
        flipped[bit // 8] ^= 1 << bit % 8
        assert receiver.check(bytes(flipped)) is ERROR, f"bit {bit}"
        assert receiver.counter == before
    assert receiver.check(sent) is OK


def test_every_flip_of_two_bits_of_a_protected_frame_is_detected() -> None:
    length = 12
    sent = int.from_bytes(Profile05Sender(DATA_ID, length).protect(bytes(length)), "big")
    receiver = Profile05Receiver(DATA_ID, length)
    for one, other in combinations(range(8 * length), 2):
        flipped = sent ^ (1 << one) ^ (1 << other)
        assert receiver.check(flipped.to_bytes(length, "big")) is ERROR


def test_every_flipped_bit_of_the_data_id_is_detected() -> None:
    sent = Profile05Sender(DATA_ID, 32).protect(bytes(32))
    for bit in range(16):
        assert Profile05Receiver(DATA_ID ^ 1 << bit, 32).check(sent) is ERROR


# ---- counters ----


def test_counters_run_to_255_and_on_from_0_without_a_gap() -> None:
    sent = frames(600)
    assert [data[2] for data in sent] == [number % 256 for number in range(600)]
    assert set(statuses(sent)) == {OK}


@pytest.mark.parametrize("max_delta_counter", [1, 2, 3, 255])
@pytest.mark.parametrize("stored", [0, 100, 254, 255])
def test_every_counter_step_has_the_status_of_the_standard(
    max_delta_counter: int, stored: int
) -> None:
    for delta in range(256):
        receiver = Profile05Receiver(DATA_ID, 8, max_delta_counter=max_delta_counter)
        receiver.counter = stored
        received = (stored + delta) % 256
        status = receiver.check(protected(bytes(8), DATA_ID, received))
        if delta == 0:
            expected = REPEATED
        elif delta == 1:
            expected = OK
        elif delta <= max_delta_counter:
            expected = OK_SOME_LOST
        else:
            expected = WRONG_SEQUENCE
        assert status is expected, delta
        assert receiver.counter == received  # adopted whatever the status
        if status in USABLE:
            assert receiver.lost_count == delta - 1


def test_a_first_counter_of_0_is_in_sequence_and_a_late_joiner_needs_one_frame() -> None:
    sent = frames(60)
    assert statuses(sent[:2]) == [OK, OK]
    assert statuses(sent[50:53]) == [WRONG_SEQUENCE, OK, OK]


# ---- communication faults ----


def test_repetition_is_repeated_however_often() -> None:
    sent = frames(4)
    assert statuses([*sent[:2], *[sent[1]] * 5, *sent[2:]]) == [OK, OK, *[REPEATED] * 5, OK, OK]


def test_two_lost_frames_are_tolerated_and_counted() -> None:
    receiver = Profile05Receiver(DATA_ID, 32)
    sent = frames(8)
    assert [receiver.check(sent[n]) for n in (0, 1)] == [OK, OK]
    assert receiver.check(sent[4]) is OK_SOME_LOST
    assert receiver.lost_count == 2
    assert receiver.check(sent[5]) is OK
    assert receiver.lost_count == 0


@pytest.mark.parametrize("lost", [3, 4, 100])
def test_three_or_more_lost_frames_cost_one_more(lost: int) -> None:
    sent = frames(200)
    received = [*sent[:10], *sent[10 + lost : 13 + lost]]
    assert statuses(received)[10:] == [WRONG_SEQUENCE, OK, OK]


@pytest.mark.parametrize("age", [4, 20, 100])
def test_one_replayed_old_frame_costs_two(age: int) -> None:
    sent = frames(210)
    received = [*sent[:201], sent[201 - age], *sent[201:204]]
    assert statuses(received)[201:] == [WRONG_SEQUENCE, WRONG_SEQUENCE, OK, OK]


def test_two_swapped_frames_are_lost_wrong_and_lost() -> None:
    sent = frames(10)
    received = [*sent[:4], sent[5], sent[4], *sent[6:]]
    assert statuses(received)[4:8] == [OK_SOME_LOST, WRONG_SEQUENCE, OK_SOME_LOST, OK]


def test_masquerade_is_an_error_and_the_true_sender_goes_on_undisturbed() -> None:
    sent, masked = frames(6), frames(6, data_id=0x1235)
    received = [sent[0], masked[1], sent[1], masked[5], sent[2]]
    assert statuses(received) == [OK, ERROR, OK, ERROR, OK]


def test_after_errors_the_frames_they_stood_for_count_as_lost() -> None:
    sent = frames(6)
    broken = bytes(32)
    assert statuses([sent[0], broken, broken, sent[3]]) == [OK, ERROR, ERROR, OK_SOME_LOST]


# ---- bad use ----


@pytest.mark.parametrize(("data_id", "text"), [(-1, "-0x1"), (0x10000, "0x10000")])
@pytest.mark.parametrize("kind", [Profile05Sender, Profile05Receiver])
def test_a_data_id_beyond_16_bits_is_refused(kind: type, data_id: int, text: str) -> None:
    with pytest.raises(
        UsageError, match=rf"^E2E profile 5: data_id: expected 0\.\.0xFFFF, got {text}$"
    ):
        kind(data_id, 8)


@pytest.mark.parametrize("length", [2, 4097])
@pytest.mark.parametrize("kind", [Profile05Sender, Profile05Receiver])
def test_a_length_that_the_profile_does_not_have_is_refused(kind: type, length: int) -> None:
    with pytest.raises(
        UsageError,
        match=rf"^E2E profile 5, data id 0x00AB: length: expected 3\.\.4096 bytes, got {length}$",
    ):
        kind(0xAB, length)


@pytest.mark.parametrize("length", [3, 4096])
def test_the_shortest_and_the_longest_payload_are_protected(length: int) -> None:
    sent = Profile05Sender(DATA_ID, length).protect(bytes(length))
    assert Profile05Receiver(DATA_ID, length).check(sent) is OK


@pytest.mark.parametrize("max_delta_counter", [0, 256])
def test_an_impossible_counter_tolerance_is_refused(max_delta_counter: int) -> None:
    with pytest.raises(
        UsageError,
        match=rf"^E2E profile 5, data id 0x1234: max_delta_counter: expected 1\.\.255, "
        rf"got {max_delta_counter}$",
    ):
        Profile05Receiver(DATA_ID, 8, max_delta_counter=max_delta_counter)


@pytest.mark.parametrize("counter", [-1, 256])
def test_a_first_counter_beyond_8_bits_is_refused(counter: int) -> None:
    with pytest.raises(
        UsageError,
        match=rf"^E2E profile 5, data id 0x1234: counter: expected 0\.\.255, got {counter}$",
    ):
        Profile05Sender(DATA_ID, 8, counter=counter)


def test_a_payload_of_another_length_is_not_protected_and_takes_no_counter() -> None:
    sender = Profile05Sender(DATA_ID, 8)
    with pytest.raises(
        UsageError, match=r"^E2E profile 5, data id 0x1234: protect: expected 8 bytes, got 7$"
    ):
        sender.protect(bytes(7))
    assert sender.counter == 0


def test_protecting_leaves_the_given_bytes_alone() -> None:
    data = bytearray(b"\xff" * 8)
    assert Profile05Sender(DATA_ID, 8).protect(bytes(data))[3:] == data[3:]
    assert data == b"\xff" * 8


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
def test_sender_and_receiver_continue_from_a_copy_as_if_it_were_the_original(how: str) -> None:
    pair = (Profile05Sender(DATA_ID, 8, counter=250), Profile05Receiver(DATA_ID, 8))
    pair[1].check(pair[0].protect(bytes(8)))
    twin = copy.deepcopy(pair) if how == "deep copy" else pickle.loads(pickle.dumps(pair))
    results = []
    for sender, receiver in (twin, pair):
        results.append([receiver.check(sender.protect(bytes(8))) for _ in range(10)])
        assert sender.counter == (251 + 10) % 256
    assert results == [[OK] * 10] * 2
