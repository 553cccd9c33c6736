"""Counting by table against building every bit, over every kind of header and odd rates."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import DLC_TO_LENGTH, BitTiming, Frame, bit_counts, bits, duration_ns

PAYLOADS = (b"\x00", b"\xff", b"\x55", b"\x1f", b"\xf0\x0f", b"\x3c", b"\x83\x0f", b"\x7c\x1f")


def headers() -> Iterator[dict[str, object]]:
    """Every combination of flags and code there is."""
    for extended in (False, True):
        for dlc in range(16):
            plain = {"is_extended_id": extended, "dlc": dlc}
            yield plain
            yield plain | {"is_remote_frame": True}
            for switch in (False, True):
                for passive in (False, True):
                    yield plain | {
                        "is_fd": True,
                        "bitrate_switch": switch,
                        "error_state_indicator": passive,
                    }


def payload_length(header: dict[str, object]) -> int:
    dlc = header["dlc"]
    assert isinstance(dlc, int)
    if header.get("is_remote_frame"):
        return 0
    return DLC_TO_LENGTH[dlc] if header.get("is_fd") else min(dlc, 8)


def high_rate_bits(frame: Frame, iso: bool) -> int:
    """Bits BRS..CRC of the stream, found by walking it to the bit behind FDF and res."""
    if not frame.bitrate_switch:
        return 0
    stream = bits(frame, iso=iso)
    plain_bits = 35 if frame.is_extended_id else 16  # SOF..res
    run, last, taken, position = 0, "", 0, 0
    while taken < plain_bits:
        if run == 5:  # this one is a stuff bit
            run, last = 1, stream[position]
        else:
            run = run + 1 if stream[position] == last else 1
            last = stream[position]
            taken += 1
        position += 1
    return len(stream) - position - 10


HEADERS = list(headers())


def test_there_are_192_kinds_of_header() -> None:
    assert len({tuple(sorted(header.items())) for header in HEADERS}) == len(HEADERS) == 192


@pytest.mark.parametrize("iso", [True, False], ids=["ISO", "non-ISO"])
def test_table_and_bits_agree_for_every_kind_of_header(iso: bool) -> None:
    draw = random.Random(11)
    for header in HEADERS:
        length = payload_length(header)
        limit = 0x1FFFFFFF if header["is_extended_id"] else 0x7FF
        payloads = [(pattern * 64)[:length] for pattern in PAYLOADS]
        payloads += [draw.randbytes(length) for _ in range(2)]
        for payload in payloads:
            identifier = draw.choice([0, limit, limit >> 3, draw.randint(0, limit)])
            frame = Frame(identifier, payload, **header)  # type: ignore[arg-type]
            nominal, data = bit_counts(frame, iso=iso)
            assert nominal + data == len(bits(frame, iso=iso)), frame
            assert data == high_rate_bits(frame, iso), frame


# Rates whose bit times are no whole number of nanoseconds, alone and together.
ODD_TIMINGS = [
    BitTiming(nominal_bps=300_000, data_bps=700_000),
    BitTiming(nominal_bps=83_333),
    BitTiming(nominal_bps=500_000, data_bps=3_000_000),
    BitTiming(nominal_bps=666_667, data_bps=6_666_667, iso=False),
    BitTiming(nominal_bps=999_999_937, data_bps=1_000_000_000),
]


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    header = draw(st.sampled_from(HEADERS))
    length = payload_length(header)
    identifier = draw(st.integers(0, 0x1FFFFFFF if header["is_extended_id"] else 0x7FF))
    data = draw(st.binary(min_size=length, max_size=length))
    return Frame(identifier, data, **header)  # type: ignore[arg-type]


@given(frame=frames(), timing=st.sampled_from(ODD_TIMINGS))
def test_a_duration_is_the_exact_rational_rounded_once(frame: Frame, timing: BitTiming) -> None:
    nominal, data = bit_counts(frame, iso=timing.iso)
    assert nominal + data == len(bits(frame, iso=timing.iso))
    data_bps = timing.data_bps or timing.nominal_bps
    exact = Fraction(10**9 * nominal, timing.nominal_bps) + Fraction(10**9 * data, data_bps)
    assert abs(duration_ns(frame, timing) - exact) <= Fraction(1, 2)


@given(
    frame=frames(),
    nominal_ns=st.sampled_from([1000, 2000, 4000, 8000]),
    data_ns=st.sampled_from([125, 200, 500, 1000]),
)
def test_a_duration_at_whole_bit_times_is_a_sum_of_them(
    frame: Frame, nominal_ns: int, data_ns: int
) -> None:
    timing = BitTiming(nominal_bps=10**9 // nominal_ns, data_bps=10**9 // data_ns)
    nominal, data = bit_counts(frame)
    assert duration_ns(frame, timing) == nominal * nominal_ns + data * data_ns


@given(frame=frames())
def test_sample_points_do_not_change_a_duration(frame: Frame) -> None:
    early = BitTiming(nominal_bps=500_000, data_bps=2_000_000)
    late = BitTiming(
        nominal_bps=500_000,
        data_bps=2_000_000,
        nominal_sample_point_permille=500,
        data_sample_point_permille=900,
    )
    assert duration_ns(frame, early) == duration_ns(frame, late)


def test_counting_iso_does_not_disturb_counting_non_iso_of_the_same_header() -> None:
    frame = Frame(0x5A5, bytes(64), is_fd=True, bitrate_switch=True)
    for iso in (True, False, True):
        assert sum(bit_counts(frame, iso=iso)) == len(bits(frame, iso=iso))
    assert sum(bit_counts(frame)) - sum(bit_counts(frame, iso=False)) == 5
