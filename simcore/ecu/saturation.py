"""Saturation of measured values to what a signal can carry.

A sensor beyond the range of its signal is reported at the end of the range, as a real ECU does;
requests are never saturated in silence, they are refused.
"""

from __future__ import annotations


def saturated(value_ratio: float, low_ratio: float, high_ratio: float) -> float:
    """`value` limited to [low, high]; a NaN becomes `low`."""
    if value_ratio > high_ratio:
        return high_ratio
    return value_ratio if value_ratio >= low_ratio else low_ratio
