"""The longest frames: the bound against the true maximum over all identifiers and payloads.

The true maximum of the stuffed region comes from dynamic programming over the level and the length
of the last run; every identifier and payload bit is free. It is exact for FD frames. In classic
frames the CRC is stuffed too and depends on the rest; there the bound is held against search.
"""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, INTERMISSION_BITS, BitTiming, Frame, bits, worst_case_ns
from simcore.errors import UsageError

BIT_NS = 1000
ISO = BitTiming(nominal_bps=1_000_000, data_bps=1_000_000)
NON_ISO = BitTiming(nominal_bps=1_000_000, data_bps=1_000_000, iso=False)
FREE = "?"


def most_stuff_bits(content: str) -> int:
    """Most dynamic stuff bits over all ways to fill in the free bits; none behind the last bit."""
    best = {("", 0): 0}
    for allowed in content:
        after: dict[tuple[str, int], int] = {}
        for ((last, run), count), bit in product(best.items(), "01"):
            if allowed not in (bit, FREE):
                continue
            if run == 5:
                last, run, count = "10"[int(last)], 1, count + 1
            state = (bit, run + 1 if bit == last else 1)
            after[state] = max(after.get(state, 0), count)
        best = after
    return max(best.values())


def longest_fd_frame(dlc: int, *, extended: bool, switch: bool, passive: bool, iso: bool) -> int:
    """Bits of the longest FD frame with its intermission."""
    length = DLC_TO_LENGTH[dlc]
    arbitration = FREE * 11 + "11" + FREE * 18 + "0" if extended else FREE * 11 + "00"
    content = f"0{arbitration}10{switch:d}{passive:d}{dlc:04b}" + FREE * (8 * length)
    width = 17 if length <= 16 else 21
    tail = width + 4 * iso
    fixed = -(-tail // 4)
    return len(content) + most_stuff_bits(content) + tail + fixed + 10 + INTERMISSION_BITS


@pytest.mark.parametrize("dlc", range(16))
@pytest.mark.parametrize("extended", [False, True], ids=["base", "extended"])
@pytest.mark.parametrize("timing", [ISO, NON_ISO], ids=["ISO", "non-ISO"])
def test_no_fd_frame_exceeds_the_bound_and_with_brs_it_is_at_most_one_bit_too_long(
    dlc: int, extended: bool, timing: BitTiming
) -> None:
    for switch in (False, True):
        longest = max(
            longest_fd_frame(dlc, extended=extended, switch=switch, passive=passive, iso=timing.iso)
            for passive in (False, True)
        )
        bound_ns = worst_case_ns(
            DLC_TO_LENGTH[dlc],
            timing,
            is_fd=True,
            is_extended_id=extended,
            bitrate_switch=switch,
        )
        slack = 1 if switch else 4
        assert longest * BIT_NS <= bound_ns <= (longest + slack) * BIT_NS


@pytest.mark.parametrize(
    ("length", "longest"), [(0, 65), (8, 145), (16, 224), (32, 389), (64, 710)]
)
def test_the_true_maximum_is_the_published_one(length: int, longest: int) -> None:
    dlc = DLC_TO_LENGTH.index(length)
    assert longest == longest_fd_frame(dlc, extended=False, switch=True, passive=False, iso=True)


@pytest.mark.parametrize(
    ("frame", "length"),
    [
        (Frame(0x078, bytes.fromhex("3c3c3c3c3c3c3c3d"), is_fd=True, bitrate_switch=True), 145),
        (
            Frame(
                0x078,
                b"\x1e" * 48,  # runs of four behind the run of five that the dlc completes
                is_fd=True,
                bitrate_switch=True,
                error_state_indicator=True,
            ),
            551,
        ),
    ],
    ids=["8 bytes", "48 bytes from an error passive sender"],
)
def test_these_frames_attain_the_bound(frame: Frame, length: int) -> None:
    assert len(bits(frame)) + INTERMISSION_BITS == length
    assert length * BIT_NS == worst_case_ns(len(frame.data), ISO, is_fd=True, bitrate_switch=True)


def test_the_bound_at_automotive_rates_is_the_published_one() -> None:
    slow = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
    fast = BitTiming(nominal_bps=1_000_000, data_bps=8_000_000)
    for length, slow_ns, fast_ns, above in [
        (8, 120_500, 46_125, 0),
        (16, 160_000, 56_000, 1),
        (32, 242_500, 76_625, 1),
        (64, 403_000, 116_750, 0),
    ]:
        bound = [
            worst_case_ns(length, timing, is_fd=True, bitrate_switch=True)
            for timing in (slow, fast)
        ]
        assert bound == [slow_ns + above * 500, fast_ns + above * 125]


def test_the_bound_of_classic_frames_is_that_of_davis() -> None:
    for length in range(9):
        assert worst_case_ns(length, ISO, is_fd=False) == (55 + 10 * length) * BIT_NS
        assert (
            worst_case_ns(length, NON_ISO, is_fd=False, is_extended_id=True)
            == (80 + 10 * length) * BIT_NS
        )


@pytest.mark.parametrize("extended", [False, True], ids=["base", "extended"])
def test_a_search_for_long_classic_frames_finds_none_beyond_the_bound(extended: bool) -> None:
    draw = random.Random(5)
    runs = [0x78, 0x3C, 0x87, 0xC3, 0x1E, 0xE1, 0x0F, 0xF0]
    limit = 0x1FFFFFFF if extended else 0x7FF
    longest = 0
    for _ in range(3000):
        # stuff bits every four bits need alternating runs of four
        pattern = bytes([draw.choice(runs)] * 8)
        frame = Frame(
            draw.choice([0x078, draw.randint(0, limit)]),
            pattern[:7] + draw.randbytes(1),
            is_extended_id=extended,
        )
        longest = max(longest, len(bits(frame)) + INTERMISSION_BITS)
    bound = worst_case_ns(8, ISO, is_fd=False, is_extended_id=extended) // BIT_NS
    assert bound - 8 <= longest <= bound  # the CRC and the ids beyond 0x078 come as they are


@given(
    data=st.data(),
    dlc=st.integers(0, 15),
    extended=st.booleans(),
    is_fd=st.booleans(),
    switch=st.booleans(),
    passive=st.booleans(),
    timing=st.sampled_from([ISO, NON_ISO]),
)
def test_no_frame_takes_longer_than_the_bound(
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
    taken = len(bits(frame, iso=timing.iso)) + INTERMISSION_BITS
    assert taken * BIT_NS <= worst_case_ns(
        length, timing, is_fd=is_fd, is_extended_id=extended, bitrate_switch=is_fd and switch
    )


@pytest.mark.parametrize(("length", "is_fd"), [(9, True), (65, True), (-1, True), (12, False)])
def test_an_illegal_length_is_refused(length: int, is_fd: bool) -> None:
    with pytest.raises(
        UsageError,
        match=rf"^worst_case_ns: length: expected a legal payload length, got {length}$",
    ):
        worst_case_ns(length, ISO, is_fd=is_fd)


def test_a_classic_frame_has_no_bit_rate_switch() -> None:
    timing = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
    with pytest.raises(UsageError, match="bitrate_switch: expected it in FD frames only"):
        worst_case_ns(8, timing, is_fd=False, bitrate_switch=True)
