"""What several faults hold at a time."""

from __future__ import annotations

import copy
import pickle
from itertools import permutations

import pytest

from simcore.plant.held import Held


def test_the_last_to_come_wins_and_the_value_of_before_comes_back() -> None:
    held: Held[float] = Held()
    first = held.hold(48.0, 30.0)
    second = held.hold(30.0, 20.0)
    assert held.is_held
    assert held.release(second) == 30.0
    assert held.release(first) == 48.0
    assert not held.is_held


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_in_whatever_order_they_go_the_value_of_before_comes_back(order: tuple[int, ...]) -> None:
    held: Held[float] = Held()
    holdings = [held.hold(48.0, value) for value in (1.0, 1.0, 3.0)]
    for place in order[:-1]:
        assert held.release(holdings[place]) in (1.0, 3.0)
    assert held.release(holdings[order[-1]]) == 48.0


def test_a_value_that_changed_between_two_faults_is_the_one_that_comes_back() -> None:
    held: Held[float] = Held()
    held.release(held.hold(48.0, 30.0))
    assert held.release(held.hold(42.0, 30.0)) == 42.0


def test_a_copy_is_released_by_the_copied_holding() -> None:
    held: Held[float] = Held()
    holding = held.hold(48.0, 30.0)
    for twin, twin_holding in (
        copy.deepcopy((held, holding)),
        pickle.loads(pickle.dumps((held, holding))),
    ):
        assert twin.release(twin_holding) == 48.0
    assert held.is_held
