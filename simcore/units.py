"""Units: conversion constants, time in nanoseconds, and the legal unit suffixes of names.

Simulated time is an `int` in nanoseconds. `ms(5)` reads better than `5_000_000` and refuses what
is no whole number of nanoseconds. A number with a unit carries the unit last in its name;
`UNIT_SUFFIXES` is the list the naming test enforces.
"""

from __future__ import annotations

from fractions import Fraction

from simcore.errors import UsageError

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
KMH_PER_MPS = 3.6
GRAVITY_MPS2 = 9.81
DEG_PER_RAD = 57.29577951308232
RPM_PER_RADPS = 9.549296585513721

UNIT_SUFFIXES = frozenset(
    "ns us ms s bps hz n kn nm v a w j ohm m mm um mps kmh mps2 mps3 radps rad deg degps rpm "
    "kg kgm2 m2 pct permille ratio c k nps "
    "n_per_m n_per_m2 n_per_s j_per_k w_per_k kgpm3 "
    "nm_per_a nm_per_n nms m_per_rad m_per_j per_s s_per_m per_m rad_per_mps2 w_per_k_per_mps "
    "per_k2 v_per_radps".split()
)
"""The last word(s) a name of a float may end in. `ratio` stands for every pure number."""


def ns(value: int) -> int:
    """`value` nanoseconds, for symmetry with `us`, `ms` and `s`."""
    return _whole_ns(value, 1, "ns")


def us(value: float) -> int:
    """`value` microseconds in ns. Raises `UsageError` where that is no whole number of ns."""
    return _whole_ns(value, NS_PER_US, "us")


def ms(value: float) -> int:
    """`value` milliseconds in ns. Raises `UsageError` where that is no whole number of ns."""
    return _whole_ns(value, NS_PER_MS, "ms")


def s(value: float) -> int:
    """`value` seconds in ns. Raises `UsageError` where that is no whole number of ns."""
    return _whole_ns(value, NS_PER_S, "s")


def _whole_ns(value: float, factor: int, unit: str) -> int:
    if type(value) is int:
        return value * factor
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{unit}()", expected="a number", got=repr(value))
    if value != value or value in (float("inf"), float("-inf")):
        raise UsageError(f"{unit}()", expected="a finite number", got=repr(value))
    # The decimal text is what the user wrote: 0.1 means one tenth, not its binary neighbour.
    exact = Fraction(repr(float(value))) * factor
    if exact.denominator != 1:
        raise UsageError(f"{unit}({value!r})", expected="a whole number of ns", got=f"{exact} ns")
    return int(exact)


def format_ns(time_ns: int) -> str:
    """`time_ns` as milliseconds for people: `1234.567 ms`, without trailing zeros."""
    sign = "-" if time_ns < 0 else ""
    whole, rest = divmod(abs(time_ns), NS_PER_MS)
    digits = f"{rest:06d}".rstrip("0")
    return f"{sign}{whole}{'.' + digits if digits else ''} ms"
