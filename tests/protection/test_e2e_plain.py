"""Counters and checksums that are no E2E profile: places, algorithms, statuses, bad settings."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import E2eConfig
from simcore.network.e2e_config import CHECKSUM_ALGORITHMS, PlainChecksum, SignalPlace
from simcore.protection import E2eStatus, e2e_receiver, e2e_sender
from simcore.protection.e2e_plain import checksum_of

OK = E2eStatus.OK
ERROR = E2eStatus.ERROR
REPEATED = E2eStatus.REPEATED
OK_SOME_LOST = E2eStatus.OK_SOME_LOST
WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE

COUNTER = E2eConfig(
    profile="COUNTER",
    counter_place=SignalPlace(start_bit=12, length=4, byte_order="little_endian"),
)
SUM = E2eConfig(
    profile="CHECKSUM",
    counter_place=SignalPlace(start_bit=12, length=4, byte_order="little_endian"),
    checksum_place=SignalPlace(start_bit=56, length=8, byte_order="little_endian"),
    checksum=PlainChecksum(algorithm="sum8"),
)
ALONE = replace(SUM, counter_place=None)

CATALOGUE = {
    # name: polynomial, start value, final exclusive or, mirrored, check value of "123456789"
    "autosar": (0x2F, 0xFF, 0xFF, False, 0xDF),
    "bluetooth": (0xA7, 0x00, 0x00, True, 0x26),
    "cdma2000": (0x9B, 0xFF, 0x00, False, 0xDA),
    "darc": (0x39, 0x00, 0x00, True, 0x15),
    "dvb_s2": (0xD5, 0x00, 0x00, False, 0xBC),
    "gsm_a": (0x1D, 0x00, 0x00, False, 0x37),
    "gsm_b": (0x49, 0x00, 0xFF, False, 0x94),
    "i_432_1": (0x07, 0x00, 0x55, False, 0xA1),
    "i_code": (0x1D, 0xFD, 0x00, False, 0x7E),
    "lte": (0x9B, 0x00, 0x00, False, 0xEA),
    "maxim_dow": (0x31, 0x00, 0x00, True, 0xA1),
    "mifare_mad": (0x1D, 0xC7, 0x00, False, 0x99),
    "nrsc_5": (0x31, 0xFF, 0x00, False, 0xF7),
    "opensafety": (0x2F, 0x00, 0x00, False, 0x3E),
    "rohc": (0x07, 0xFF, 0x00, True, 0xD0),
    "sae_j1850": (0x1D, 0xFF, 0xFF, False, 0x4B),
    "smbus": (0x07, 0x00, 0x00, False, 0xF4),
    "tech_3250": (0x1D, 0xFF, 0x00, True, 0x97),
    "wcdma": (0x9B, 0x00, 0x00, True, 0x25),
}


def crc8(data: bytes, poly: int, init: int, xorout: int, mirrored: bool) -> int:
    """Bit by bit."""
    register = init
    for octet in data:
        for bit in range(8) if mirrored else range(7, -1, -1):
            is_odd = register >> 7 ^ octet >> bit & 1
            register = (register << 1 & 0xFF) ^ (poly if is_odd else 0)
    return (int(f"{register:08b}"[::-1], 2) if mirrored else register) ^ xorout


# ---- algorithms ----


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_crc_has_its_published_check_value(name: str) -> None:
    poly, init, xorout, mirrored, check = CATALOGUE[name]
    assert crc8(b"123456789", poly, init, xorout, mirrored) == check
    assert checksum_of(PlainChecksum(algorithm=name), b"123456789") == check


@given(
    name=st.sampled_from(sorted(CATALOGUE)),
    init=st.integers(0, 255),
    xorout=st.integers(0, 255),
    data=st.binary(max_size=20),
)
def test_start_value_and_final_exclusive_or_are_those_of_catalogues(
    name: str, init: int, xorout: int, data: bytes
) -> None:
    poly, own_init, own_xorout, mirrored, _ = CATALOGUE[name]
    both = PlainChecksum(algorithm=name, init=init, xorout=xorout)
    assert checksum_of(both, data) == crc8(data, poly, init, xorout, mirrored)
    only_init = PlainChecksum(algorithm=name, init=init)
    assert checksum_of(only_init, data) == crc8(data, poly, init, own_xorout, mirrored)
    only_xorout = PlainChecksum(algorithm=name, xorout=xorout)
    assert checksum_of(only_xorout, data) == crc8(data, poly, own_init, xorout, mirrored)


def test_the_catalogue_of_this_file_is_what_the_settings_may_say() -> None:
    assert ("xor8", "sum8", *sorted(CATALOGUE)) == CHECKSUM_ALGORITHMS


def test_sums_and_exclusive_ors() -> None:
    data = bytes([0x80, 0x90, 0x03])
    assert checksum_of(PlainChecksum(algorithm="sum8"), data) == 0x13
    assert checksum_of(PlainChecksum(algorithm="sum8", init=1, xorout=0xFF), data) == 0xEB
    assert checksum_of(PlainChecksum(algorithm="xor8"), data) == 0x13
    assert checksum_of(PlainChecksum(algorithm="xor8", init=0xFF), data) == 0xEC


# ---- frames ----


def test_a_counter_alone_leaves_the_rest_of_the_payload() -> None:
    sender, receiver = e2e_sender(COUNTER, 8), e2e_receiver(COUNTER, 8)
    sent = [sender.protect(b"\xff" * 8) for _ in range(18)]
    assert [data.hex() for data in sent[:2]] == ["ff0fffffffffffff", "ff1fffffffffffff"]
    assert [data[1] >> 4 for data in sent] == [*range(16), 0, 1]
    assert {receiver.check(data) for data in sent} == {OK}
    assert receiver.check(sent[1]) is REPEATED
    assert receiver.check(sent[4]) is OK_SOME_LOST
    assert receiver.check(sent[9]) is WRONG_SEQUENCE
    assert receiver.check(sent[9][:7]) is ERROR


def test_a_counter_has_the_greatest_value_it_was_given() -> None:
    config = replace(COUNTER, counter_max=14)
    sender, receiver = e2e_sender(config, 8), e2e_receiver(config, 8)
    sent = [sender.protect(bytes(8)) for _ in range(31)]
    assert [data[1] >> 4 for data in sent] == [*range(15), *range(15), 0]
    assert {receiver.check(data) for data in sent} == {OK}
    assert receiver.check(bytes([0, 0xF0, 0, 0, 0, 0, 0, 0])) is ERROR
    assert receiver.counter == 0


def test_a_counter_across_bytes_in_motorola_order() -> None:
    place = SignalPlace(start_bit=3, length=12, byte_order="big_endian")
    config = E2eConfig(profile="COUNTER", counter_place=place)
    sent = e2e_sender(config, 2, counter=0xABC).protect(b"\xff\xff")
    assert sent.hex() == "fabc"
    receiver = e2e_receiver(config, 2)
    receiver.counter = 0xABB
    assert receiver.check(sent) is OK


def test_a_checksum_of_all_other_bytes() -> None:
    sent = e2e_sender(SUM, 8, counter=3).protect(bytes([1, 2, 3, 4, 5, 6, 7, 0xAA]))
    assert sent.hex() == "010203040506074c".replace("0102", "0132")
    receiver = e2e_receiver(SUM, 8)
    receiver.counter = 2
    assert receiver.check(sent) is OK


@pytest.mark.parametrize("config", [SUM, ALONE], ids=["with counter", "alone"])
@pytest.mark.parametrize("algorithm", ["sum8", "xor8", "sae_j1850", "autosar"])
@pytest.mark.parametrize("skips_itself", [True, False])
def test_every_single_bit_flip_is_detected(
    config: E2eConfig, algorithm: str, skips_itself: bool
) -> None:
    checksum = PlainChecksum(algorithm=algorithm, skips_itself=skips_itself, prefix=b"\x01\x23")
    config = replace(config, checksum=checksum)
    sent = e2e_sender(config, 8).protect(bytes(range(8)))
    receiver = e2e_receiver(config, 8)
    assert receiver.check(sent) is OK
    before = receiver.counter
    for bit in range(64):
        flipped = bytearray(sent)
        flipped[bit // 8] ^= 1 << bit % 8
        assert receiver.check(bytes(flipped)) is ERROR
    assert receiver.check(sent[:7]) is ERROR
    assert receiver.counter == before


def test_a_crc_counts_itself_as_0_or_leaves_itself_out() -> None:
    for skips_itself, covered in ((True, b"\x01\x02\x03"), (False, b"\x01\x00\x02\x03")):
        config = E2eConfig(
            profile="CHECKSUM",
            checksum_place=SignalPlace(start_bit=15, length=8, byte_order="big_endian"),
            checksum=PlainChecksum(algorithm="sae_j1850", skips_itself=skips_itself),
        )
        sent = e2e_sender(config, 4).protect(b"\x01\xee\x02\x03")
        assert sent == bytes([1, crc8(covered, 0x1D, 0xFF, 0xFF, False), 2, 3])


def test_a_checksum_across_two_bytes_counts_itself_as_0() -> None:
    place = SignalPlace(start_bit=4, length=8, byte_order="little_endian")
    config = replace(ALONE, checksum_place=place, checksum=PlainChecksum(algorithm="xor8"))
    sent = e2e_sender(config, 3).protect(b"\xff\xff\x35")
    value = 0x0F ^ 0xF0 ^ 0x35
    assert sent == bytes([0x0F | (value & 0xF) << 4, 0xF0 | value >> 4, 0x35])
    assert e2e_receiver(config, 3).check(sent) is OK


def test_a_message_without_a_counter_is_right_or_wrong() -> None:
    sent = e2e_sender(ALONE, 8)
    receiver = e2e_receiver(ALONE, 8)
    same = sent.protect(bytes(8))
    assert [receiver.check(same) for _ in range(3)] == [OK] * 3
    assert sent.counter == 0
    assert receiver.check(bytes([1, *bytes(7)])) is ERROR


@pytest.mark.parametrize("config", [COUNTER, SUM, ALONE], ids=["counter", "sum", "alone"])
def test_a_copy_continues_as_the_original(config: E2eConfig) -> None:
    pair = e2e_sender(config, 8), e2e_receiver(config, 8)
    pair[1].check(pair[0].protect(bytes(8)))
    for twin in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert [twin[1].check(twin[0].protect(bytes(8))) for _ in range(20)] == [OK] * 20
    assert pair[1].check(pair[0].protect(bytes(8))) is OK


# ---- bad settings ----

MIDDLE = SignalPlace(start_bit=8, length=8, byte_order="little_endian")
BIT = SignalPlace(start_bit=0, length=1, byte_order="little_endian")


@pytest.mark.parametrize(
    ("config", "changes", "text"),
    [
        (COUNTER, {"counter_place": None}, r"^protection COUNTER: counter_place: expected the pl"),
        (
            COUNTER,
            {"counter_max": 16},
            r"^protection COUNTER: counter_max: expected 1\.\.15, got 16",
        ),
        (COUNTER, {"counter_max": 0}, r"counter_max: expected 1\.\.15, got 0$"),
        (COUNTER, {"counter_place": BIT}, r"max_delta_counter: expected 1\.\.1, got 3$"),
        (SUM, {"checksum": None}, r"^protection CHECKSUM: checksum, checksum_place: expected both"),
        (SUM, {"checksum_place": SUM.counter_place}, r"checksum_place: expected 8 bits, got 4$"),
        (
            SUM,
            {"checksum_place": MIDDLE},
            r"checksum_place: expected a place beside the counter, got the same bits$",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    config: E2eConfig, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        replace(config, **changes)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"algorithm": "crc9"}, r"^checksum algorithm: expected xor8, sum8, autosar, .*'crc9'$"),
        ({"algorithm": "sum8", "init": 256}, r"^checksum init: expected 0\.\.0xFF, got 256$"),
        ({"algorithm": "sum8", "xorout": -1}, r"^checksum xorout: expected 0\.\.0xFF, got -1$"),
    ],
)
def test_an_algorithm_that_does_not_exist_is_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        PlainChecksum(**settings)


def test_a_payload_too_short_for_its_counter_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^protection COUNTER: length: expected more than 1 bytes, got 1$"
    ):
        e2e_sender(COUNTER, 1)


def test_a_counter_of_one_bit_toggles() -> None:
    toggling = replace(COUNTER, counter_place=BIT, max_delta_counter=1)
    sender, receiver = e2e_sender(toggling, 1), e2e_receiver(toggling, 1)
    assert [receiver.check(sender.protect(b"\0")) for _ in range(4)] == [OK] * 4


def test_a_counter_that_does_not_fit_its_bits_is_refused() -> None:
    sender = e2e_sender(COUNTER, 8)
    sender.counter = 16
    with pytest.raises(UsageError, match=r"^protection COUNTER: counter: expected 0\.\.15, got 16"):
        sender.protect(bytes(8))
