"""The deterministic functions against the C library, over dense grids."""

import math
from collections.abc import Callable

import pytest

from simcore.arith import arctangent, cosine, exponential, hyperbolic_tangent, sine
from simcore.errors import UsageError

POINTS = 20_001


def grid(low: float, high: float) -> list[float]:
    return [low + (high - low) * k / (POINTS - 1) for k in range(POINTS)]


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (sine, math.sin, -50.0, 50.0),
        (sine, math.sin, -1e6, 1e6),
        (cosine, math.cos, -50.0, 50.0),
        (cosine, math.cos, -1e6, 1e6),
        (arctangent, math.atan, -2.0, 2.0),
        (arctangent, math.atan, -1e4, 1e4),
        (hyperbolic_tangent, math.tanh, -1.0, 1.0),
        (hyperbolic_tangent, math.tanh, -40.0, 40.0),
    ],
)
def test_absolute_error_stays_below_1e_12(
    ours: Callable[[float], float], theirs: Callable[[float], float], low: float, high: float
) -> None:
    assert max(abs(ours(x) - theirs(x)) for x in grid(low, high)) < 1e-12


@pytest.mark.parametrize(("low", "high"), [(-700.0, 700.0), (-1.0, 1.0)])
def test_relative_error_of_the_exponential_stays_below_1e_12(low: float, high: float) -> None:
    assert max(abs(exponential(x) / math.exp(x) - 1.0) for x in grid(low, high)) < 1e-12


def test_exact_values_are_exact() -> None:
    assert sine(0.0) == 0.0
    assert cosine(0.0) == 1.0
    assert arctangent(0.0) == 0.0
    assert exponential(0.0) == 1.0
    assert hyperbolic_tangent(0.0) == 0.0
    assert hyperbolic_tangent(1e9) == 1.0
    assert exponential(-1e9) == 0.0


def test_odd_functions_are_odd_to_the_last_bit() -> None:
    for x in grid(0.0, 30.0):
        assert sine(-x) == -sine(x)
        assert arctangent(-x) == -arctangent(x)
        assert hyperbolic_tangent(-x) == -hyperbolic_tangent(x)


def test_results_have_these_bits_on_every_machine() -> None:
    assert [f(0.7).hex() for f in (sine, cosine, arctangent, exponential, hyperbolic_tangent)] == [
        "0x1.49d6e694619b8p-1",
        "0x1.87996529f9d93p-1",
        "0x1.38b112d7bd4adp-1",
        "0x1.01c2a61268987p+1",
        "0x1.356fb17af2e91p-1",
    ]


@pytest.mark.parametrize("angle_rad", [1.1e6, -1.1e6, math.inf, math.nan])
@pytest.mark.parametrize("function", [sine, cosine])
def test_an_angle_out_of_range_is_refused(
    function: Callable[[float], float], angle_rad: float
) -> None:
    with pytest.raises(UsageError, match=r"sine\(\): expected -1000000\.\.1000000 rad, got"):
        function(angle_rad)


@pytest.mark.parametrize("exponent", [709.5, math.inf, math.nan])
def test_an_exponent_that_overflows_is_refused(exponent: float) -> None:
    with pytest.raises(UsageError, match=r"exponential\(\): expected a number <= 709\.0, got"):
        exponential(exponent)
