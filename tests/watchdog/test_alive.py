"""Alive supervision: counted as it comes, judged at the reference cycle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.watchdog.alive import AliveCounter
from simcore.watchdog.settings import AliveSupervision


def counter_with(count: int, **settings: int) -> AliveCounter:
    """A counter at the end of its reference cycle, with `count` indications."""
    values = {"expected_count": 1} | settings
    counter = AliveCounter(AliveSupervision("start", **values))
    counter.begin()
    counter.count = count
    counter.end_cycle()
    return counter


@pytest.mark.parametrize(
    ("count", "correct"), [(0, False), (1, False), (2, True), (3, True), (5, True), (6, False)]
)
def test_the_margins_belong_to_what_is_correct(count: int, correct: bool) -> None:
    counter = counter_with(count, expected_count=3, min_margin=1, max_margin=2)
    assert counter.correct is correct


@given(
    expected=st.integers(0, 20),
    min_margin=st.integers(0, 20),
    max_margin=st.integers(0, 20),
    reference_cycles=st.integers(1, 9),
    count=st.integers(0, 60),
)
def test_verdict_is_that_of_the_formula_of_the_standard(
    expected: int, min_margin: int, max_margin: int, reference_cycles: int, count: int
) -> None:
    min_margin = min(min_margin, expected)
    counter = counter_with(
        count,
        expected_count=expected,
        reference_cycles=reference_cycles,
        min_margin=min_margin,
        max_margin=max_margin,
    )
    # n(AI) - n(SC) + (SRC - EAI), where n(SC) = SRC at the end of a reference cycle
    deviation = count - reference_cycles + (reference_cycles - expected)
    assert counter.correct is (-min_margin <= deviation <= max_margin)


def test_the_count_begins_anew_after_the_reference_cycle() -> None:
    counter = counter_with(1)
    counter.end_cycle()
    assert not counter.correct


@pytest.mark.parametrize(
    ("settings", "count", "text"),
    [
        ({}, 0, "alive 0 of 1 in 1 cycle at start"),
        ({"reference_cycles": 2}, 0, "alive 0 of 1 in 2 cycles at start"),
        ({"expected_count": 3, "min_margin": 1, "max_margin": 2}, 9, "alive 9 of 2..5 in 1 cycle"),
    ],
)
def test_a_finding_tells_what_came_and_what_was_expected(
    settings: dict[str, int], count: int, text: str
) -> None:
    assert counter_with(count, **settings).finding.startswith(text)
