"""Elementary functions that give the same bits on every machine.

The C library's sin, atan, exp and tanh differ in the last bit between platforms, and one bit is
enough to change a run's digest. These use only + - * /, `floor` and `sqrt`, which IEEE 754 rounds
identically everywhere. Absolute error is below 1e-12 over the ranges stated per function
(relative for `exponential`). Not for arrays, not for complex numbers.

Source: Taylor series after argument reduction (Cody and Waite 1980 for splitting the constant).
"""

from __future__ import annotations

from math import floor, pi

from simcore.errors import UsageError

_HALF_PI = pi / 2
_TWO_OVER_PI = 2 / pi
# pi/2 in three parts; the first two have 32 bits each, so multiples up to 2**20 are exact.
_HALF_PI_1 = 1.5707963267341256
_HALF_PI_2 = 6.077100506303966e-11
_HALF_PI_3 = 2.0222662487959506e-21
_ANGLE_LIMIT_RAD = 1.0e6

_LN_2_HIGH = 0.693147180369123816490
_LN_2_LOW = 1.90821492927058770002e-10
_PER_LN_2 = 1.4426950408889634
_EXPONENT_MIN = -708.0
_EXPONENT_MAX = 709.0
_POWERS_OF_TWO = tuple(
    float(1 << k) if k >= 0 else 1.0 / float(1 << -k) for k in range(-1022, 1024)
)

_TAN_15_DEG = 0.2679491924311227
_TAN_30_DEG = 0.5773502691896257
_SIXTH_PI = pi / 6


def sine(angle_rad: float) -> float:
    """sin of an angle up to 1e6 rad in magnitude; `UsageError` beyond or when not finite."""
    quadrant, rest = _reduced(angle_rad, "sine")
    value = _sine_near_zero(rest) if quadrant % 2 == 0 else _cosine_near_zero(rest)
    return value if quadrant < 2 else -value


def cosine(angle_rad: float) -> float:
    """cos of an angle up to 1e6 rad in magnitude; `UsageError` beyond or when not finite."""
    quadrant, rest = _reduced(angle_rad, "cosine")
    value = _cosine_near_zero(rest) if quadrant % 2 == 0 else _sine_near_zero(rest)
    return value if quadrant in (0, 3) else -value


def arctangent(value_ratio: float) -> float:
    """atan of any number, in rad within -pi/2..pi/2."""
    x = value_ratio if value_ratio >= 0.0 else -value_ratio
    inverted = x > 1.0
    if inverted:
        x = 1.0 / x
    shifted = x > _TAN_15_DEG
    if shifted:
        x = (x - _TAN_30_DEG) / (1.0 + x * _TAN_30_DEG)
    y = x * x
    # 1 - y/3 + y^2/5 - ..., |x| <= tan 15 deg: the first term left out is below 5e-14.
    series = 1.0 / 15 + y * (-1.0 / 17 + y * (1.0 / 19 - y / 21))
    series = 1.0 / 7 + y * (-1.0 / 9 + y * (1.0 / 11 + y * (-1.0 / 13 + y * series)))
    angle = x * (1.0 + y * (-1.0 / 3 + y * (1.0 / 5 - y * series)))
    if shifted:
        angle += _SIXTH_PI
    if inverted:
        angle = _HALF_PI - angle
    return angle if value_ratio >= 0.0 else -angle


def exponential(exponent_ratio: float) -> float:
    """e to a power up to 709; 0.0 below -708. `UsageError` above 709 or when not a number."""
    if not exponent_ratio <= _EXPONENT_MAX:
        raise UsageError(
            "exponential()", expected=f"a number <= {_EXPONENT_MAX}", got=exponent_ratio
        )
    if exponent_ratio < _EXPONENT_MIN:
        return 0.0
    k = floor(exponent_ratio * _PER_LN_2 + 0.5)
    r = (exponent_ratio - k * _LN_2_HIGH) - k * _LN_2_LOW
    tail = 1.0 + r / 8 * (1.0 + r / 9 * (1.0 + r / 10 * (1.0 + r / 11 * (1.0 + r / 12))))
    tail = 1.0 + r / 4 * (1.0 + r / 5 * (1.0 + r / 6 * (1.0 + r / 7 * tail)))
    return (1.0 + r * (1.0 + r / 2 * (1.0 + r / 3 * tail))) * _POWERS_OF_TWO[k + 1022]


def hyperbolic_tangent(value_ratio: float) -> float:
    """tanh of any number."""
    x = value_ratio if value_ratio >= 0.0 else -value_ratio
    if x > 20.0:
        result = 1.0
    else:
        squared = exponential(2.0 * x)
        result = (squared - 1.0) / (squared + 1.0)
    return result if value_ratio >= 0.0 else -result


def _reduced(angle_rad: float, function: str) -> tuple[int, float]:
    """Quadrant 0..3 and the rest within -pi/4..pi/4."""
    if not -_ANGLE_LIMIT_RAD <= angle_rad <= _ANGLE_LIMIT_RAD:
        raise UsageError(
            f"{function}()",
            expected=f"-{_ANGLE_LIMIT_RAD:.0f}..{_ANGLE_LIMIT_RAD:.0f} rad",
            got=f"{angle_rad} rad",
        )
    turns = floor(angle_rad * _TWO_OVER_PI + 0.5)
    rest = ((angle_rad - turns * _HALF_PI_1) - turns * _HALF_PI_2) - turns * _HALF_PI_3
    return turns % 4, rest


def _sine_near_zero(x: float) -> float:
    y = x * x
    tail = 1.0 - y / 110 * (1.0 - y / 156 * (1.0 - y / 210))
    return x * (1.0 - y / 6 * (1.0 - y / 20 * (1.0 - y / 42 * (1.0 - y / 72 * tail))))


def _cosine_near_zero(x: float) -> float:
    y = x * x
    tail = 1.0 - y / 90 * (1.0 - y / 132 * (1.0 - y / 182 * (1.0 - y / 240)))
    return 1.0 - y / 2 * (1.0 - y / 12 * (1.0 - y / 30 * (1.0 - y / 56 * tail)))
