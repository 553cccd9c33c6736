"""Units: times become whole nanoseconds or are refused, and read well in texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.units import (
    DEG_PER_RAD,
    KMH_PER_MPS,
    NS_PER_MS,
    NS_PER_S,
    NS_PER_US,
    RPM_PER_RADPS,
    UNIT_SUFFIXES,
    format_ns,
    ms,
    ns,
    s,
    us,
)

SCALES = [(ns, 1, "ns"), (us, NS_PER_US, "us"), (ms, NS_PER_MS, "ms"), (s, NS_PER_S, "s")]
scales = pytest.mark.parametrize(("convert", "factor", "name"), SCALES, ids=["ns", "us", "ms", "s"])
Convert = Callable[[float], int]


def test_conversion_constants_are_exact() -> None:
    assert (NS_PER_US, NS_PER_MS, NS_PER_S) == (10**3, 10**6, 10**9)
    assert KMH_PER_MPS == 3.6
    assert math.degrees(1.0) == DEG_PER_RAD
    assert math.isclose(RPM_PER_RADPS, 60.0 / (2.0 * math.pi), rel_tol=1e-15)


@scales
@given(value=st.integers(-(10**15), 10**15))
def test_whole_numbers_convert_exactly(
    convert: Convert, factor: int, name: str, value: int
) -> None:
    converted = convert(value)
    assert type(converted) is int
    assert converted == value * factor


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_decimal_fractions_mean_what_is_written(digits: int, places: int) -> None:
    text = str(Decimal(digits).scaleb(-places))
    assert ms(float(text)) == Fraction(text) * NS_PER_MS


@pytest.mark.parametrize(
    ("converted", "expected_ns"),
    [
        (s(0.1), 100_000_000),
        (s(0.3), 300_000_000),
        (ms(1.1), 1_100_000),
        (us(2.5), 2500),
        (ms(0.000001), 1),
        (ms(-0.5), -500_000),
        (s(1e3), 10**12),
        (ns(7), 7),
    ],
)
def test_times_are_whole_nanoseconds(converted: int, expected_ns: int) -> None:
    assert converted == expected_ns
    assert type(converted) is int


@pytest.mark.parametrize(
    ("convert", "value", "text"),
    [
        (us, 0.0005, r"^us\(0\.0005\): expected a whole number of ns, got 1/2 ns$"),
        (ms, 1e-7, r"^ms\(1e-07\): expected a whole number of ns, got 1/10 ns$"),
        (s, 1 / 3, r"^s\(0\.3333333333333333\): expected a whole number of ns, got "),
        (ns, 0.5, r"^ns\(0\.5\): expected a whole number of ns, got 1/2 ns$"),
    ],
)
def test_a_fraction_of_a_nanosecond_is_refused(convert: Convert, value: float, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        convert(value)


@scales
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_refused(
    convert: Convert, factor: int, name: str, value: float
) -> None:
    with pytest.raises(UsageError, match=rf"^{name}\(\): expected a finite number, got {value!r}$"):
        convert(value)


@scales
@pytest.mark.parametrize("value", ["5", None, True, 1j])
def test_what_is_no_number_is_refused(
    convert: Convert, factor: int, name: str, value: object
) -> None:
    with pytest.raises(UsageError, match=rf"^{name}\(\): expected a number, got "):
        convert(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0 ms"),
        (1, "0.000001 ms"),
        (1_234_567_000, "1234.567 ms"),
        (5_000_000, "5 ms"),
        (-500_000, "-0.5 ms"),
        (-1_000_001, "-1.000001 ms"),
        (10_000_000_000, "10000 ms"),
    ],
)
def test_times_print_as_milliseconds_without_trailing_zeros(time_ns: int, text: str) -> None:
    assert format_ns(time_ns) == text


@given(st.integers(-(10**15), 10**15))
def test_a_printed_time_reads_back_exactly(time_ns: int) -> None:
    text = format_ns(time_ns)
    assert text.endswith(" ms")
    assert Decimal(text.removesuffix(" ms")) * NS_PER_MS == time_ns


def test_unit_suffixes_are_lower_case_words() -> None:
    assert {"ns", "ms", "s", "n", "mps", "mps2", "radps", "ratio", "pct"} <= UNIT_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.isidentifier() for suffix in UNIT_SUFFIXES)
