"""Rates of a bus: what is accepted, and exact conversion of bits to nanoseconds."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import INTERMISSION_BITS, BitTiming
from simcore.errors import UsageError


def test_the_intermission_has_three_bits() -> None:
    assert INTERMISSION_BITS == 3


def test_whole_bit_times_convert_exactly() -> None:
    timing = BitTiming(nominal_bps=500_000, data_bps=8_000_000)
    assert timing.to_ns(1) == 2000
    assert timing.to_ns(0, 1) == 125
    assert timing.to_ns(26, 41) == 26 * 2000 + 41 * 125


def test_without_a_data_rate_every_bit_is_nominal() -> None:
    assert BitTiming(nominal_bps=250_000).to_ns(3, 4) == 7 * 4000


@pytest.mark.parametrize(
    ("bps", "bit_count", "expected_ns"),
    [
        (300_000, 1, 3333),
        (300_000, 2, 6667),
        (300_000, 3, 10_000),
        (666_666_667, 1, 1),
        (400_000_000, 1, 3),  # 2.5 ns: half up
        (400_000_000, 3, 8),  # 7.5 ns: half up
    ],
)
def test_what_is_no_whole_nanosecond_is_rounded_once_and_half_up(
    bps: int, bit_count: int, expected_ns: int
) -> None:
    assert BitTiming(nominal_bps=bps).to_ns(bit_count) == expected_ns


@given(
    nominal_bps=st.integers(1, 10**9),
    extra_bps=st.integers(0, 10**9),
    nominal=st.integers(0, 1000),
    data=st.integers(0, 1000),
)
def test_conversion_is_the_nearest_nanosecond_at_any_rates(
    nominal_bps: int, extra_bps: int, nominal: int, data: int
) -> None:
    data_bps = min(nominal_bps + extra_bps, 10**9)
    timing = BitTiming(nominal_bps=nominal_bps, data_bps=data_bps)
    exact = Fraction(10**9 * nominal, nominal_bps) + Fraction(10**9 * data, data_bps)
    converted = timing.to_ns(nominal, data)
    assert -Fraction(1, 2) < converted - exact <= Fraction(1, 2)


ATTACKS: list[tuple[dict[str, Any], str]] = [
    (
        {"nominal_bps": 0},
        r"^BitTiming\.nominal_bps: expected an integer in 1\.\.1000000000 bit/s, got 0$",
    ),
    ({"nominal_bps": 1.5e5}, r"^BitTiming\.nominal_bps: expected an integer .*, got 150000\.0$"),
    ({"nominal_bps": True}, r"^BitTiming\.nominal_bps: expected an integer .*, got True$"),
    ({"nominal_bps": None}, r"^BitTiming\.nominal_bps: expected an integer "),
    ({"nominal_bps": 10**9 + 1}, r"^BitTiming\.nominal_bps: .*, got 1000000001$"),
    (
        {"nominal_bps": 500_000, "data_bps": -1},
        r"^BitTiming\.data_bps: expected an integer in 1\.\.1000000000 bit/s, got -1$",
    ),
    (
        {"nominal_bps": 500_000, "data_bps": 499_999},
        r"^BitTiming\.data_bps: expected at least nominal_bps, 500000 bit/s, got 499999 bit/s$",
    ),
    (
        {"nominal_bps": 500_000, "nominal_sample_point_permille": 1000},
        r"^BitTiming\.nominal_sample_point_permille: expected 1\.\.999, got 1000$",
    ),
    (
        {"nominal_bps": 500_000, "data_sample_point_permille": 0},
        r"^BitTiming\.data_sample_point_permille: expected 1\.\.999, got 0$",
    ),
]


@pytest.mark.parametrize(("options", "text"), ATTACKS)
def test_impossible_rates_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        BitTiming(**options)


def test_a_timing_never_changes_so_copies_share_it() -> None:
    timing = BitTiming(nominal_bps=500_000, data_bps=500_000, iso=False)
    assert copy.copy(timing) is timing
    assert copy.deepcopy(timing) is timing
    assert pickle.loads(pickle.dumps(timing)) == timing
