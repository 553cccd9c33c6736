"""Every E2E profile: published vectors, foreign oracles, every flipped bit, statuses, wrap."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from typing import Literal

import pytest
from e2e import p01, p02, p04, p05, p06, p07, p11
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import E2eConfig
from simcore.network.e2e_layout import PROFILES
from simcore.protection import E2eReceiver, E2eSender, E2eStatus, e2e_receiver, e2e_sender
from simcore.protection.e2e_factory import LEGACY

OK = E2eStatus.OK
NO_NEW_DATA = E2eStatus.NO_NEW_DATA
WRONG_CRC = E2eStatus.WRONG_CRC
INITIAL = E2eStatus.INITIAL
ERROR = E2eStatus.ERROR
REPEATED = E2eStatus.REPEATED
OK_SOME_LOST = E2eStatus.OK_SOME_LOST
WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE

ONE_TO_SIXTEEN = tuple(range(1, 17))
MODES = {
    "P01": ("BOTH", "ALT", "LOW", "NIBBLE"),
    "P11": ("BOTH", "NIBBLE"),
}


def config_of(profile: str, **settings: object) -> E2eConfig:
    """A usual configuration of `profile`."""
    layout = PROFILES[profile]
    defaults: dict[str, object] = {"data_id": 0x123}
    if layout.has_list:
        defaults = {"data_id_list": ONE_TO_SIXTEEN}
    elif layout.data_id_max > 0xFFFF:
        defaults = {"data_id": 0x0A0B0C0D}
    return E2eConfig(profile=profile, **(defaults | settings))  # type: ignore[arg-type]


def shortest(config: E2eConfig) -> int:
    return PROFILES[config.profile].length_min + config.offset_bits // 8


ALL = [
    config_of(profile, data_id_mode=mode)
    for profile in PROFILES
    for mode in MODES.get(profile, ("BOTH",))
]
EVERY = pytest.mark.parametrize("config", ALL, ids=lambda c: f"{c.profile}-{c.data_id_mode}")
COUNTED = [config for config in ALL if config.profile not in LEGACY]
EVERY_COUNTED = pytest.mark.parametrize(
    "config", COUNTED, ids=lambda c: f"{c.profile}-{c.data_id_mode}"
)


def sealed(config: E2eConfig, data: bytes, counter: int) -> bytes:
    return e2e_sender(config, len(data), counter=counter).protect(data)


# ---- published vectors ----

VECTORS = [
    # profile, settings, length, first byte of the header, counter -> header
    ("P01", {}, 8, 0, {0: "cc00", 1: "9101"}),
    ("P11", {}, 8, 0, {0: "cc00", 1: "9101"}),
    ("P01", {"data_id_mode": "ALT"}, 8, 0, {0: "ce00", 1: "0201"}),
    ("P01", {"data_id_mode": "LOW"}, 8, 0, {0: "ce00", 1: "9301"}),
    ("P01", {"data_id_mode": "NIBBLE"}, 8, 0, {0: "2a10", 1: "7711"}),
    ("P11", {"data_id_mode": "NIBBLE"}, 8, 0, {0: "2a10", 1: "7711"}),
    ("P11", {"data_id_mode": "NIBBLE"}, 16, 8, {0: "7d10", 1: "2011"}),
    ("P22", {}, 16, 8, {1: "1401"}),
    ("P02", {"data_id_list": (0,) * 16}, 8, 0, {1: "4501"}),
    ("P04", {}, 16, 0, {0: "001000000a0b0c0d862b0556", 1: "001000010a0b0c0da58e6807"}),
    ("P44", {}, 16, 0, {0: "001000000a0b0c0d862b0556", 1: "001000010a0b0c0da58e6807"}),
    ("P04", {}, 24, 8, {0: "001800000a0b0c0d69d7502e", 1: "001800010a0b0c0d4a723d7f"}),
    ("P44", {}, 24, 8, {0: "001800000a0b0c0d69d7502e", 1: "001800010a0b0c0d4a723d7f"}),
    ("P05", {"data_id": 0x1234}, 8, 0, {0: "1cca00", 1: "cf8d01"}),
    ("P05", {"data_id": 0x1234}, 16, 8, {0: "289100", 1: "fbd601"}),
    ("P06", {"data_id": 0x1234}, 8, 0, {0: "b155000800", 1: "f4f5000801"}),
    ("P06", {"data_id": 0x1234}, 16, 8, {0: "4eb7001000", 1: "0b17001001"}),
    (
        *("P07", {}, 24, 0),
        {
            0: "1fb2e737fcedbcd900000018000000000a0b0c0d",
            1: "7bde7268b8e9bc2700000018000000010a0b0c0d",
        },
    ),
    (
        *("P07", {}, 32, 8),
        {
            0: "17f7c817323865a800000020000000000a0b0c0d",
            1: "739b5d48763c655600000020000000010a0b0c0d",
        },
    ),
    ("P08", {}, 20, 0, {0: "41494e5200000014000000000a0b0c0d"}),
    ("P08", {}, 28, 8, {0: "e891e5a80000001c000000000a0b0c0d"}),
]


@pytest.mark.parametrize(("profile", "settings", "length", "start", "headers"), VECTORS)
def test_published_vectors_of_zero_bytes(
    profile: str, settings: dict[str, object], length: int, start: int, headers: dict[int, str]
) -> None:
    config = config_of(profile, offset_bits=8 * start, **settings)
    for counter, header in headers.items():
        sent = sealed(config, bytes(length), counter)
        assert sent[start : start + len(header) // 2].hex() == header
        rest = sent[:start] + sent[start + len(header) // 2 :]
        assert rest == bytes(len(rest))


def test_the_published_sixteen_checksums_of_profile_22() -> None:
    sender = e2e_sender(config_of("P22"), 8)
    sent = [sender.protect(bytes(8)) for _ in range(16)]
    assert bytes(data[0] for data in sent).hex() == "1b98310d189b65081d9e370b1e9dcd0e"
    assert [data[1] for data in sent] == [*range(1, 16), 0]


def test_the_published_vector_of_profile_2_with_data() -> None:
    config = config_of("P02", data_id_list=tuple(range(16)))
    sender = e2e_sender(config, 8)
    assert sender.protect(bytes(range(8)))[:2].hex() == "6101"
    assert sender.protect(bytes(range(8))).hex() == "bc02020304050607"


# ---- the oracle has the profile ----

_P01_MODES = {
    "BOTH": p01.E2E_P01_DATAID_BOTH,
    "ALT": p01.E2E_P01_DATAID_ALT,
    "LOW": p01.E2E_P01_DATAID_LOW,
    "NIBBLE": p01.E2E_P01_DATAID_NIBBLE,
}
_P11_MODES = {"BOTH": p11.E2E_P11_DATAID_BOTH, "NIBBLE": p11.E2E_P11_DATAID_NIBBLE}


def by_the_library(config: E2eConfig, data: bytes, counter: int) -> bytes:
    """The frame as `autosar-e2e` makes it, with the counter written by hand."""
    buffer = bytearray(data)
    at = config.offset_bits // 8
    place = PROFILES[config.profile].counter.moved(config.offset_bits)
    if place.length_bits == 4:
        buffer[at + 1] = buffer[at + 1] & 0xF0 | counter
    else:
        first, size = place.offset_bits // 8, place.length_bits // 8
        buffer[first : first + size] = counter.to_bytes(size, "big")
    number = config.data_id
    match config.profile:
        case "P01":
            mode = _P01_MODES[config.data_id_mode]
            p01.e2e_p01_protect(
                buffer, number, data_id_mode=mode, offset=at, increment_counter=False
            )
        case "P11":
            mode = _P11_MODES[config.data_id_mode]
            p11.e2e_p11_protect(
                buffer, number, data_id_mode=mode, offset=at, increment_counter=False
            )
        case "P02":
            p02.e2e_p02_protect(buffer, bytes(config.data_id_list), increment_counter=False)
        case "P04":
            p04.e2e_p04_protect(buffer, number, offset=at, increment_counter=False)
        case "P05":
            p05.e2e_p05_protect(buffer, number, offset=at, increment_counter=False)
        case "P06":
            p06.e2e_p06_protect(buffer, number, offset=at, increment_counter=False)
        case "P07":
            p07.e2e_p07_protect(buffer, number, offset=at, increment_counter=False)
    return bytes(buffer)


# ---- where it has not: from the description, with CRCs bit by bit ----


def crc(data: bytes, width: int, poly: int, init: int, xorout: int, *, mirrored: bool) -> int:
    """Bit by bit, parameters as catalogues of CRCs list them."""
    register = init
    for octet in data:
        for bit in range(8) if mirrored else range(7, -1, -1):
            is_odd = register >> width - 1 ^ octet >> bit & 1
            register = (register << 1) % (1 << width) ^ (poly if is_odd else 0)
    return (int(f"{register:0{width}b}"[::-1], 2) if mirrored else register) ^ xorout


def crc8_bare(data: bytes) -> int:
    return crc(data, 8, 0x1D, 0, 0, mirrored=False)


def crc8_h2f(data: bytes) -> int:
    return crc(data, 8, 0x2F, 0xFF, 0xFF, mirrored=False)


def crc16(data: bytes) -> int:
    return crc(data, 16, 0x1021, 0xFFFF, 0, mirrored=False)


def crc32_p4(data: bytes) -> int:
    return crc(data, 32, 0xF4ACFB13, 0xFFFF_FFFF, 0xFFFF_FFFF, mirrored=True)


def crc64(data: bytes) -> int:
    ones = (1 << 64) - 1
    return crc(data, 64, 0x42F0_E1EB_A9EA_3693, ones, ones, mirrored=True)


def test_the_crcs_of_this_file_have_the_published_check_values() -> None:
    digits = b"123456789"
    assert crc8_h2f(digits) == 0xDF
    assert crc(digits, 8, 0x1D, 0xFF, 0xFF, mirrored=False) == 0x4B
    assert crc16(digits) == 0x29B1
    assert crc32_p4(digits) == 0x1697D06A
    assert crc64(digits) == 0x995D_C9BB_DF19_39FA


def by_the_description(
    config: E2eConfig, data: bytes, counter: int, *, length: int | None = None
) -> bytes:
    """The frame field by field, for every profile and any offset; `length` is a false one."""
    out = bytearray(data)
    layout, at = PROFILES[config.profile], config.offset_bits // 8

    def put(offset_bits: int, bits: int, value: int) -> None:
        first = at + offset_bits // 8
        out[first : first + bits // 8] = value.to_bytes(bits // 8, "big")

    if layout.counter.length_bits == 4:
        out[at + 1] = out[at + 1] & 0xF0 | counter
        if config.data_id_mode == "NIBBLE":
            out[at + 1] = config.data_id >> 8 << 4 | counter
    else:
        put(layout.counter.offset_bits, layout.counter.length_bits, counter)
    if layout.length is not None:
        put(
            layout.length.offset_bits,
            layout.length.length_bits,
            len(data) if length is None else length,
        )
    if layout.data_id is not None:
        put(layout.data_id.offset_bits, 32, config.data_id)
    size = layout.crc.length_bits // 8
    crc_at = at + layout.crc.offset_bits // 8
    rest = bytes(out[:crc_at] + out[crc_at + size :])
    low, high = config.data_id & 0xFF, config.data_id >> 8 & 0xFF
    match config.profile:
        case "P01" | "P11":
            alternating = high if counter % 2 else low
            fed = {"BOTH": [low, high], "ALT": [alternating], "LOW": [low], "NIBBLE": [low, 0]}
            value = crc8_bare(bytes(fed[config.data_id_mode]) + rest)
        case "P02" | "P22":
            value = crc8_h2f(rest + bytes([config.data_id_list[counter]]))
        case "P05":
            value = crc16(rest + bytes([low, high]))
        case "P06":
            value = crc16(rest + bytes([high, low]))
        case "P07":
            value = crc64(rest)
        case _:
            value = crc32_p4(rest)
    order: Literal["little", "big"] = "little" if config.profile == "P05" else "big"
    out[crc_at : crc_at + size] = value.to_bytes(size, order)
    return bytes(out)


@st.composite
def frames(draw: st.DrawFn) -> tuple[E2eConfig, bytes, int]:
    """Any profile and mode, data id, offset, payload and counter."""
    profile = draw(st.sampled_from(sorted(PROFILES)))
    layout = PROFILES[profile]
    mode = draw(st.sampled_from(MODES.get(profile, ("BOTH",))))
    settings: dict[str, object] = {"data_id_mode": mode}
    if layout.has_list:
        ids = st.lists(st.integers(0, 255), min_size=16, max_size=16)
        settings["data_id_list"] = tuple(draw(ids))
    else:
        greatest = 0xFFF if mode == "NIBBLE" else layout.data_id_max
        settings["data_id"] = draw(st.integers(0, greatest))
    if profile != "P02":
        settings["offset_bits"] = 8 * draw(st.integers(0, 10))
    config = config_of(profile, **settings)
    least = shortest(config)
    data = draw(st.binary(min_size=least, max_size=min(64, layout.length_max)))
    return config, data, draw(st.integers(0, layout.counter_modulo - 1))


@given(frame=frames())
def test_frames_are_those_of_the_description_and_of_the_library(
    frame: tuple[E2eConfig, bytes, int],
) -> None:
    config, data, counter = frame
    sent = sealed(config, data, counter)
    assert sent == by_the_description(config, data, counter)
    if config.profile not in ("P08", "P22", "P44"):
        assert sent == by_the_library(config, data, counter)
    if config.profile == "P44":
        twin = config_of("P04", data_id=config.data_id, offset_bits=config.offset_bits)
        assert sent == by_the_library(twin, data, counter)
    receiver = e2e_receiver(config, len(data))
    receiver.counter = (counter - 1) % receiver._modulo
    assert receiver.check(sent) is OK


@given(frame=frames(), data=st.binary(min_size=32, max_size=32))
def test_what_only_looks_like_a_frame_is_an_error_exactly_where_the_description_says(
    frame: tuple[E2eConfig, bytes, int], data: bytes
) -> None:
    config, counter = frame[0], frame[2]
    receiver = e2e_receiver(config, len(data))
    place = PROFILES[config.profile].counter.moved(config.offset_bits)
    first, size = place.offset_bits // 8, -(-place.length_bits // 8)
    got = int.from_bytes(data[first : first + size], "big")
    got = got & 0xF if place.length_bits == 4 else got
    is_right = got < PROFILES[config.profile].counter_modulo and data == by_the_description(
        config, data, got
    )
    assert (receiver.check(data) in (ERROR, WRONG_CRC)) == (not is_right)
    sent = sealed(config, data, counter)
    assert e2e_receiver(config, len(data)).check(sent) not in (ERROR, WRONG_CRC)


# ---- corruption ----


@pytest.mark.parametrize(
    ("config", "offset"),
    [(c, offset) for c in ALL for offset in (0, 3) if c.profile != "P02" or offset == 0],
    ids=lambda value: f"{value.profile}-{value.data_id_mode}" if hasattr(value, "profile") else "",
)
def test_every_single_bit_flip_of_a_protected_frame_is_detected(
    config: E2eConfig, offset: int
) -> None:
    config = config_of(config.profile, data_id_mode=config.data_id_mode, offset_bits=8 * offset)
    length = shortest(config) + 5
    data = bytes(range(17, 17 + length))
    receiver = e2e_receiver(config, length)
    receiver.check(sealed(config, data, 0))
    for counter in (1, receiver._modulo - 1):
        sent = sealed(config, data, counter)
        receiver.counter = before = (counter - 1) % receiver._modulo
        for bit in range(8 * length):
            flipped = bytearray(sent)
            flipped[bit // 8] ^= 1 << bit % 8
            assert receiver.check(bytes(flipped)) in (ERROR, WRONG_CRC), f"bit {bit}"
            assert receiver.counter == before
        assert receiver.check(sent) is OK


@EVERY
def test_another_data_id_is_an_error_and_changes_no_counter(config: E2eConfig) -> None:
    length = shortest(config) + 4
    if PROFILES[config.profile].has_list:
        other = config_of(config.profile, data_id_list=tuple(range(2, 18)))
    else:
        other = config_of(
            config.profile, data_id=config.data_id ^ 0x101, data_id_mode=config.data_id_mode
        )
    receiver = e2e_receiver(config, length)
    receiver.check(sealed(config, bytes(length), 0))
    for counter in (1, 2):
        assert receiver.check(sealed(other, bytes(length), counter)) in (ERROR, WRONG_CRC)
        assert receiver.counter == 0
    assert receiver.check(sealed(config, bytes(length), 1)) is OK


@EVERY
def test_another_length_is_an_error_and_changes_no_counter(config: E2eConfig) -> None:
    length = shortest(config) + 4
    receiver = e2e_receiver(config, length)
    receiver.check(sealed(config, bytes(length), 0))
    for wrong in (0, 1, length - 1, length + 1, 64):
        data = sealed(config, bytes(wrong), 1) if shortest(config) <= wrong <= 32 else bytes(wrong)
        assert receiver.check(data) is ERROR
        assert receiver.counter == 0
    assert receiver.check(sealed(config, bytes(length), 1)) is OK


# ---- counters and statuses ----


@EVERY
def test_counters_run_to_the_end_and_on_from_0_without_a_gap(config: E2eConfig) -> None:
    modulo = PROFILES[config.profile].counter_modulo
    length = shortest(config)
    first = modulo - 5 if modulo > 256 else 0
    sender = e2e_sender(config, length, counter=first)
    receiver = e2e_receiver(config, length)
    counters, found = [], set()
    receiver.check(sealed(config, bytes(length), (first - 1) % modulo))
    for _ in range(min(3 * modulo, 1000)):
        counters.append(sender.counter)
        found.add(receiver.check(sender.protect(bytes(length))))
    assert found == {OK}
    assert counters[0] == first
    assert all(b == (a + 1) % modulo for a, b in pairwise(counters))
    assert modulo - 1 in counters and 0 in counters


@pytest.mark.parametrize(
    ("profile", "modulo", "first"),
    [
        *(("P01", 15, 0), ("P02", 16, 1), ("P04", 1 << 16, 0), ("P05", 1 << 8, 0)),
        *(("P06", 1 << 8, 0), ("P07", 1 << 32, 0), ("P08", 1 << 32, 0), ("P11", 15, 0)),
        *(("P22", 16, 1), ("P44", 1 << 16, 0)),
    ],
)
def test_every_profile_has_the_counter_of_the_standard(
    profile: str, modulo: int, first: int
) -> None:
    config = config_of(profile)
    sender = e2e_sender(config, shortest(config))
    assert sender.counter == first
    sender.counter = modulo - 1
    sender.protect(bytes(sender.length))
    assert sender.counter == 0


@pytest.mark.parametrize("mode", MODES["P01"])
def test_counter_15_of_profile_1_is_invalid(mode: str) -> None:
    """A sender may be made to send it, with a right checksum; no receiver takes it."""
    for profile, wrong in (("P01", WRONG_CRC), ("P11", ERROR)):
        if mode not in MODES[profile]:
            continue
        config = config_of(profile, data_id_mode=mode)
        sender = e2e_sender(config, 8)
        sender.counter = 15
        sent = sender.protect(bytes(8))
        assert sent[1] & 0xF == 15
        assert sender.counter == 0
        assert e2e_receiver(config, 8).check(sent) is wrong


@EVERY_COUNTED
@pytest.mark.parametrize("max_delta_counter", [1, 2, 3, 14])
def test_every_counter_step_has_the_status_of_the_standard(
    config: E2eConfig, max_delta_counter: int
) -> None:
    length = shortest(config)
    modulo = PROFILES[config.profile].counter_modulo
    settings = config_of(
        config.profile, data_id_mode=config.data_id_mode, max_delta_counter=max_delta_counter
    )
    for stored in (0, modulo // 2, modulo - 1):
        for delta in (*range(16), modulo // 2, modulo - 2, modulo - 1):
            if delta >= modulo:
                continue
            receiver = e2e_receiver(settings, length)
            receiver.counter = stored
            received = (stored + delta) % modulo
            status = receiver.check(sealed(config, bytes(length), received))
            if delta == 0:
                expected = REPEATED
            elif delta == 1:
                expected = OK
            elif delta <= max_delta_counter:
                expected = OK_SOME_LOST
            else:
                expected = WRONG_SEQUENCE
            assert status is expected, (stored, delta)
            assert receiver.counter == received
            if expected is OK_SOME_LOST:
                assert receiver.lost_count == delta - 1


@EVERY_COUNTED
def test_the_first_frame_is_compared_with_the_greatest_counter(config: E2eConfig) -> None:
    length = shortest(config)
    modulo = PROFILES[config.profile].counter_modulo
    for counter, expected in ((0, OK), (1, OK_SOME_LOST), (2, OK_SOME_LOST), (7, WRONG_SEQUENCE)):
        receiver = e2e_receiver(config, length)
        assert receiver.counter == modulo - 1
        assert receiver.check(sealed(config, bytes(length), counter)) is expected
        following = sealed(config, bytes(length), counter + 1)
        assert receiver.check(following) is OK


def test_the_first_frame_of_profile_22_counts_as_one_lost() -> None:
    """Its sender counts before it protects: 1 comes first, and 0 would have been in sequence."""
    config = config_of("P22")
    sender, receiver = e2e_sender(config, 8), e2e_receiver(config, 8)
    assert receiver.check(sender.protect(bytes(8))) is OK_SOME_LOST
    assert receiver.lost_count == 1
    assert receiver.check(sender.protect(bytes(8))) is OK


@EVERY
def test_a_cycle_without_a_frame_is_no_new_data(config: E2eConfig) -> None:
    assert e2e_receiver(config, shortest(config)).no_new_data() is NO_NEW_DATA


# ---- free places of profiles 1 and 11 ----


@pytest.mark.parametrize(("profile", "wrong"), [("P01", WRONG_CRC), ("P11", ERROR)])
def test_the_sent_nibble_of_the_data_id_is_compared(profile: str, wrong: E2eStatus) -> None:
    """Data ids that differ in it alone have the same checksum seed: only the nibble tells."""
    one = config_of(profile, data_id=0x123, data_id_mode="NIBBLE")
    other = config_of(profile, data_id=0x223, data_id_mode="NIBBLE")
    assert e2e_receiver(one, 8).check(sealed(other, bytes(8), 0)) is wrong
    assert e2e_receiver(other, 8).check(sealed(other, bytes(8), 0)) is not wrong


@pytest.mark.parametrize("profile", ["P01", "P11"])
def test_the_fields_of_profile_1_lie_where_the_offsets_say(profile: str) -> None:
    config = config_of(
        profile,
        data_id=0xA23,
        data_id_mode="NIBBLE",
        crc_offset_bits=56,
        counter_offset_bits=4,
        data_id_nibble_offset_bits=8,
    )
    sent = sealed(config, bytes([0xFF] * 8), 5)
    assert sent[:7].hex() == "5ffaffffffffff"
    assert sent[7] == crc8_bare(bytes([0x23, 0]) + sent[:7])
    receiver = e2e_receiver(config, 8)
    receiver.check(sealed(config, bytes(8), 4))
    assert receiver.check(sent) is OK


# ---- lengths that vary ----


@pytest.mark.parametrize("profile", ["P04", "P06", "P07", "P08", "P44"])
def test_a_length_within_the_bounds_is_sent_and_checked(profile: str) -> None:
    config = config_of(profile, min_length=24, max_length=48)
    sender, receiver = e2e_sender(config, 48), e2e_receiver(config, 48)
    for length in (24, 30, 48):
        sent = sender.protect(bytes(length))
        assert len(sent) == length
        assert receiver.check(sent) is OK
    before = receiver.counter
    assert receiver.check(sealed(config_of(profile), bytes(23), 3)) is ERROR
    assert receiver.check(sealed(config_of(profile), bytes(49), 3)) is ERROR
    assert receiver.counter == before
    with pytest.raises(UsageError, match=r"protect: expected 24\.\.48 bytes, got 49$"):
        sender.protect(bytes(49))


@pytest.mark.parametrize("profile", ["P04", "P06", "P07", "P08"])
def test_a_padded_frame_is_an_error(profile: str) -> None:
    config = config_of(profile, min_length=24, max_length=48)
    receiver = e2e_receiver(config, 48)
    assert receiver.check(sealed(config_of(profile), bytes(24), 0) + bytes(8)) is ERROR


@pytest.mark.parametrize("profile", ["P04", "P06", "P07", "P08", "P44"])
def test_a_false_length_under_a_right_checksum_is_an_error(profile: str) -> None:
    config = config_of(profile)
    assert e2e_receiver(config, 24).check(by_the_description(config, bytes(24), 0)) is OK
    for length in (0, 23, 25, 0xFFFF):
        forged = by_the_description(config, bytes(24), 0, length=length)
        assert e2e_receiver(config, 24).check(forged) is ERROR


def test_profile_44_takes_no_length_below_its_least_one() -> None:
    config = config_of("P44", min_length=20, max_length=48)
    short = sealed(config_of("P44"), bytes(16), 0)
    assert e2e_receiver(config, 48).check(short + bytes(8)) is ERROR
    enough = sealed(config_of("P44"), bytes(20), 0)
    assert e2e_receiver(config, 48).check(enough + bytes(8)) is OK


def test_profile_44_looks_no_further_than_its_length() -> None:
    config = config_of("P44", min_length=16, max_length=48)
    sent = e2e_sender(config, 48).protect(bytes(20))
    assert e2e_receiver(config, 48).check(sent + b"\xaa" * 4) is OK
    assert e2e_receiver(config, 48).check(sent[:-1]) is ERROR
    for length in (15, 25):
        forged = length.to_bytes(2, "big") + sent[2:] + bytes(4)
        assert e2e_receiver(config, 48).check(forged) is ERROR


# ---- copies ----


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
@EVERY
def test_sender_and_receiver_continue_from_a_copy_as_if_it_were_the_original(
    how: str, config: E2eConfig
) -> None:
    length = shortest(config) + 2
    modulo = PROFILES[config.profile].counter_modulo
    pair = (e2e_sender(config, length, counter=modulo - 3), e2e_receiver(config, length))
    first = pair[1].check(pair[0].protect(bytes(length)))
    assert first in (WRONG_SEQUENCE, INITIAL)
    twin: tuple[E2eSender, E2eReceiver]
    twin = copy.deepcopy(pair) if how == "deep copy" else pickle.loads(pickle.dumps(pair))
    assert how == "pickle" or twin[0].config is config
    assert twin[0].config == config == twin[1].config
    results = []
    for sender, receiver in (twin, pair):
        results.append([receiver.check(sender.protect(bytes(length))) for _ in range(6)])
        assert sender.counter == 4
    assert results == [[OK] * 6] * 2


# ---- bad use ----


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"profile": "P03"}, r"^E2E profile: expected one of P01 .* CHECKSUM, got P03$"),
        (
            {"profile": "P01", "data_id": 0x10000},
            r"^E2E profile P01: data_id: expected 0\.\.0xFFFF, got 0x10000$",
        ),
        (
            {"profile": "P04", "data_id": 1 << 32},
            r"^E2E profile P04: data_id: expected 0\.\.0xFFFFFFFF, got 0x100000000$",
        ),
        (
            {"profile": "P11", "data_id": 0x1000, "data_id_mode": "NIBBLE"},
            r"^E2E profile P11: data_id: expected 0\.\.0xFFF in mode NIBBLE, got 0x1000$",
        ),
        (
            {"profile": "P11", "data_id_mode": "ALT"},
            r"^E2E profile P11: data_id_mode: expected one of BOTH NIBBLE, got ALT$",
        ),
        (
            {"profile": "P22"},
            r"^E2E profile P22: data_id_list: expected 16 numbers of 0\.\.255, got none$",
        ),
        (
            {"profile": "P02", "data_id_list": (256,) * 16},
            r"^E2E profile P02: data_id_list: expected 16 numbers of 0\.\.255, got 256, 256",
        ),
        (
            {"profile": "P01", "max_delta_counter": 15},
            r"^E2E profile P01: max_delta_counter: expected 1\.\.14, got 15$",
        ),
        (
            {"profile": "P05", "max_delta_counter": 0},
            r"^E2E profile P05: max_delta_counter: expected 1\.\.255, got 0$",
        ),
        ({"profile": "P06", "offset_bits": 4}, r"P06: offset_bits: expected whole bytes, got 4$"),
        ({"profile": "P06", "offset_bits": -8}, r"P06: offset_bits: expected whole bytes, got -8$"),
        (
            {"profile": "P02", "data_id_list": ONE_TO_SIXTEEN, "offset_bits": 8},
            r"^E2E profile P02: offset_bits: expected 0: profile 22 has an offset, got 8$",
        ),
        (
            {"profile": "P01", "crc_offset_bits": 4},
            r"P01: crc_offset_bits: expected whole bytes, got 4$",
        ),
        (
            {"profile": "P01", "counter_offset_bits": 9},
            r"P01: counter_offset_bits: expected whole nibbles, got 9$",
        ),
        (
            {"profile": "P01", "counter_offset_bits": 4},
            r"P01: counter_offset_bits: expected a place beside the checksum, got 4$",
        ),
        (
            {"profile": "P11", "data_id_mode": "NIBBLE", "data_id_nibble_offset_bits": 8},
            r"P11: data_id_nibble_offset_bits: expected a free nibble, got 8$",
        ),
        (
            {"profile": "P04", "min_length": 20, "max_length": 16},
            r"^E2E profile P04: min_length: expected at most 16, got 20$",
        ),
        (
            {"profile": "P05", "min_length": 8},
            r"P05: min_length, max_length: expected a profile with a length field, got one wi",
        ),
    ],
)
def test_settings_that_a_profile_does_not_have_are_refused(
    settings: dict[str, object], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        E2eConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "length", "text"),
    [
        (
            config_of("P05", offset_bits=40),
            7,
            r"^E2E profile 5, data id 0x0123: length: expected 8\.\.4096 bytes, got 7$",
        ),
        (config_of("P02"), 33, r"^E2E profile 2: length: expected 2\.\.32 bytes, got 33$"),
        (config_of("P01"), 1, r"profile 1, data id 0x0123: length: expected 2\.\.32 bytes, got 1$"),
        (config_of("P07"), 19, r"0x0A0B0C0D: length: expected 20\.\.4194304 bytes, got 19$"),
        (
            config_of("P11", data_id_mode="NIBBLE", data_id_nibble_offset_bits=64),
            8,
            r"length: expected 9\.\.32 bytes, got 8$",
        ),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(config: E2eConfig, length: int, text: str) -> None:
    for make in (e2e_sender, e2e_receiver):
        with pytest.raises(UsageError, match=text):
            make(config, length)


@EVERY
def test_a_counter_that_the_profile_does_not_have_is_refused(config: E2eConfig) -> None:
    layout = PROFILES[config.profile]
    length = shortest(config)
    for wrong in (-1, layout.counter_modulo):
        with pytest.raises(
            UsageError, match=rf"counter: expected 0\.\.{layout.counter_modulo - 1}, got {wrong}$"
        ):
            e2e_sender(config, length, counter=wrong)
    sender = e2e_sender(config, length)
    for wrong in (-1, 1 << layout.counter.length_bits):
        sender.counter = wrong
        with pytest.raises(UsageError, match=rf"counter: expected 0\.\..*, got {wrong}$"):
            sender.protect(bytes(length))
        assert sender.counter == wrong


@EVERY
def test_a_payload_of_another_length_is_not_protected_and_takes_no_counter(
    config: E2eConfig,
) -> None:
    length = shortest(config) + 1
    sender = e2e_sender(config, length)
    before = sender.counter
    with pytest.raises(UsageError, match=rf"protect: expected {length} bytes, got {length - 1}$"):
        sender.protect(bytes(length - 1))
    assert sender.counter == before
