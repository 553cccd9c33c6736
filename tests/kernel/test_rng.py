"""Named random streams: independent of each other, the same on every machine, copyable."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.kernel import RandomStream, RandomStreams

DRAWS = 20_000
PINNED = ("0x1.10f681df6e242p+1", 484086, False, "-0x1.423ab69639600p-1", "56fe06bf5f")


def draws(stream: RandomStream, count: int = 20) -> list[float]:
    return [stream.uniform() for _ in range(count)]


def mixed(stream: RandomStream) -> tuple[object, ...]:
    return (
        stream.uniform(-3.0, 5.0).hex(),
        stream.integer(-10, 1_000_000),
        stream.chance(0.5),
        stream.bell(2.0).hex(),
        stream.octets(5).hex(),
    )


@given(
    st.lists(st.sampled_from(["bus.noise", "plant", "bps"]), max_size=30),
    st.integers(-5, 5),
)
def test_draws_of_a_stream_do_not_depend_on_what_other_streams_draw(
    order: list[str], seed: int
) -> None:
    together = RandomStreams(seed)
    drawn: dict[str, list[float]] = {}
    for name in order:
        drawn.setdefault(name, []).append(together.stream(name).uniform())
    for name, values in drawn.items():
        assert values == draws(RandomStreams(seed).stream(name), len(values))


@given(st.tuples(st.integers(), st.text(max_size=5)), st.tuples(st.integers(), st.text(max_size=5)))
def test_streams_are_equal_exactly_where_seed_and_name_are(
    one: tuple[int, str], other: tuple[int, str]
) -> None:
    assert (draws(RandomStream(*one)) == draws(RandomStream(*other))) == (one == other)


def test_digits_of_the_seed_and_of_the_name_cannot_be_confused() -> None:
    assert draws(RandomStream(1, "23")) != draws(RandomStream(12, "3"))


def test_one_name_is_one_stream() -> None:
    streams = RandomStreams(7)
    assert streams.stream("a") is streams.stream("a")
    assert streams.stream("a") is not streams.stream("b")
    assert streams.stream("a").name == "a"
    assert streams.seed == 7


def test_draws_have_these_values_on_every_machine() -> None:
    assert mixed(RandomStream(2024, "bus.noise")) == PINNED


def test_uniform_stays_within_its_limits_and_fills_them() -> None:
    stream = RandomStream(1, "uniform")
    values = [stream.uniform(-2.0, 3.0) for _ in range(DRAWS)]
    assert -2.0 <= min(values) < -1.99
    assert 2.99 < max(values) < 3.0
    # standard error of the mean of 20 000 draws of width 5: 0.0102; five of them
    assert abs(sum(values) / DRAWS - 0.5) < 0.051


def test_integer_reaches_both_limits_and_nothing_else() -> None:
    stream = RandomStream(1, "integer")
    assert {stream.integer(-2, 3) for _ in range(500)} == set(range(-2, 4))
    assert stream.integer(9, 9) == 9


def test_chance_has_the_given_probability() -> None:
    stream = RandomStream(1, "chance")
    # five standard errors of 20 000 draws at 0.25: 0.0153
    assert abs(sum(stream.chance(0.25) for _ in range(DRAWS)) / DRAWS - 0.25) < 0.0153
    assert not any(stream.chance(0.0) for _ in range(100))
    assert all(stream.chance(1.0) for _ in range(100))


def test_bell_has_mean_zero_the_given_deviation_and_a_bound() -> None:
    stream = RandomStream(1, "bell")
    values = [stream.bell(2.0) for _ in range(DRAWS)]
    mean = sum(values) / DRAWS
    deviation = (sum(value * value for value in values) / DRAWS) ** 0.5
    assert abs(mean) < 0.071  # five standard errors
    assert abs(deviation - 2.0) < 0.05
    assert max(abs(value) for value in values) <= 12.0


def test_octets_have_the_asked_length() -> None:
    stream = RandomStream(1, "octets")
    assert [len(stream.octets(length)) for length in (0, 1, 64)] == [0, 1, 64]


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
def test_a_copy_continues_at_the_same_position_and_leaves_the_original(how: str) -> None:
    streams = RandomStreams(3)
    draws(streams.stream("a"), 7)
    twin = copy.deepcopy(streams) if how == "deep copy" else pickle.loads(pickle.dumps(streams))
    ahead = draws(twin.stream("a")), draws(twin.stream("b"))
    assert (draws(streams.stream("a")), draws(streams.stream("b"))) == ahead
    assert twin.seed == 3


@pytest.mark.parametrize("seed", [1.0, "1", None, True])
def test_a_seed_that_is_no_integer_is_refused(seed: object) -> None:
    with pytest.raises(UsageError, match=rf"^seed: expected an integer, got {seed!r}$"):
        RandomStreams(seed)  # type: ignore[arg-type]
