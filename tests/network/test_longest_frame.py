"""The longest frames: published maxima, frames that attain them, none that goes beyond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import (
    DLC_TO_LENGTH,
    INTERMISSION_BITS,
    BitTiming,
    Frame,
    duration_ns,
    worst_case_ns,
)
from simcore.errors import UsageError
from simcore.network.longest_frame import longest_frame_ns

SLOW = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
FAST = BitTiming(nominal_bps=1_000_000, data_bps=8_000_000)
NON_ISO = BitTiming(nominal_bps=500_000, data_bps=2_000_000, iso=False)
ONE_RATE = BitTiming(nominal_bps=1_000_000, data_bps=1_000_000)


def with_intermission_ns(frame: Frame, timing: BitTiming) -> int:
    return duration_ns(frame, timing) + timing.to_ns(INTERMISSION_BITS)


@pytest.mark.parametrize(
    ("length", "slow_ns", "fast_ns"),
    [
        (8, 120_500, 46_125),
        (16, 160_000, 56_000),
        (32, 242_500, 76_625),
        (64, 403_000, 116_750),
    ],
)
def test_with_brs_it_is_the_published_one(length: int, slow_ns: int, fast_ns: int) -> None:
    for timing, expected_ns in ((SLOW, slow_ns), (FAST, fast_ns)):
        found_ns = longest_frame_ns(length, timing, is_fd=True, bitrate_switch=True)
        assert found_ns == expected_ns


@pytest.mark.parametrize(
    ("length", "bits"), [(0, 65), (8, 145), (16, 224), (32, 389), (48, 551), (64, 710)]
)
def test_in_bits_it_is_the_published_one(length: int, bits: int) -> None:
    found_ns = longest_frame_ns(length, ONE_RATE, is_fd=True, bitrate_switch=True)
    assert found_ns == bits * 1000


def test_extended_it_is_the_published_one() -> None:
    found_ns = longest_frame_ns(64, ONE_RATE, is_fd=True, is_extended_id=True, bitrate_switch=True)
    assert found_ns == 733_000


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x078, bytes.fromhex("3c3c3c3c3c3c3c3d"), is_fd=True, bitrate_switch=True),
        Frame(
            0x078,
            b"\x1e" * 48,
            is_fd=True,
            bitrate_switch=True,
            error_state_indicator=True,
        ),
    ],
    ids=["8 bytes", "48 bytes from an error passive sender"],
)
@pytest.mark.parametrize("timing", [SLOW, FAST, NON_ISO], ids=["slow", "fast", "non-ISO"])
def test_there_are_frames_that_attain_it_at_both_rates(frame: Frame, timing: BitTiming) -> None:
    found_ns = longest_frame_ns(len(frame.data), timing, is_fd=True, bitrate_switch=True)
    assert with_intermission_ns(frame, timing) == found_ns


@pytest.mark.parametrize("length", DLC_TO_LENGTH)
@pytest.mark.parametrize("extended", [False, True], ids=["base", "extended"])
@pytest.mark.parametrize("iso", [True, False], ids=["ISO", "non-ISO"])
def test_the_quick_formula_is_at_most_a_data_bit_longer_with_brs_and_four_bits_without(
    length: int, extended: bool, iso: bool
) -> None:
    timing = BitTiming(nominal_bps=1_000_000, data_bps=8_000_000, iso=iso)
    for switch, slack_ns in ((True, 125), (False, 4000)):
        exact_ns, quick_ns = (
            bound(length, timing, is_fd=True, is_extended_id=extended, bitrate_switch=switch)
            for bound in (longest_frame_ns, worst_case_ns)
        )
        assert exact_ns <= quick_ns <= exact_ns + slack_ns


def test_classic_frames_have_the_bound_of_davis() -> None:
    for length in range(9):
        base_ns = longest_frame_ns(length, ONE_RATE, is_fd=False)
        extended_ns = longest_frame_ns(length, ONE_RATE, is_fd=False, is_extended_id=True)
        assert (base_ns, extended_ns) == ((55 + 10 * length) * 1000, (80 + 10 * length) * 1000)


@given(
    data=st.data(),
    dlc=st.integers(0, 15),
    extended=st.booleans(),
    is_fd=st.booleans(),
    switch=st.booleans(),
    passive=st.booleans(),
    timing=st.sampled_from([SLOW, FAST, NON_ISO]),
)
def test_no_frame_is_longer(
    data: st.DataObject,
    dlc: int,
    extended: bool,
    is_fd: bool,
    switch: bool,
    passive: bool,
    timing: BitTiming,
) -> None:
    length = DLC_TO_LENGTH[dlc] if is_fd else min(dlc, 8)
    octets = st.sampled_from([0x00, 0xFF, 0x3C, 0x78, 0xF0, 0x87, 0xE1])
    frame = Frame(
        data.draw(st.integers(0, 0x1FFFFFFF if extended else 0x7FF)),
        bytes(data.draw(st.lists(octets, min_size=length, max_size=length))),
        is_extended_id=extended,
        is_fd=is_fd,
        bitrate_switch=is_fd and switch,
        error_state_indicator=is_fd and passive,
        dlc=dlc,
    )
    found_ns = longest_frame_ns(
        length, timing, is_fd=is_fd, is_extended_id=extended, bitrate_switch=is_fd and switch
    )
    assert with_intermission_ns(frame, timing) <= found_ns


def test_what_no_frame_can_be_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^worst_case_ns: length: expected a legal payload length, got 9$"
    ):
        longest_frame_ns(9, SLOW, is_fd=True)
