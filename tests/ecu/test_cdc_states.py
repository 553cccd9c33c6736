"""Hold machine and degradation table of the domain controller."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.cdc.states import (
    IGNORED,
    TRANSITIONS,
    Degradation,
    HoldEvent,
    HoldState,
    RequestSource,
    degradation,
    next_state,
)
from simcore.network import Database

ALL_PAIRS = set(itertools.product(HoldState, HoldEvent))
CORNERS = ("FL", "FR", "RL", "RR")


def test_the_hold_table_says_something_about_every_pair_and_never_twice() -> None:
    assert TRANSITIONS.keys() | IGNORED == ALL_PAIRS
    assert TRANSITIONS.keys() & IGNORED == set()


def test_next_state_follows_the_table_and_stays_for_what_is_ignored() -> None:
    for state, event in ALL_PAIRS:
        assert next_state(state, event) is TRANSITIONS.get((state, event), state)


def test_an_impaired_bus_is_reported_after_everything_else() -> None:
    none, one = (False,) * 4, (True, False, False, False)
    assert degradation(none, pedal_degraded=False, lane=0) is Degradation.BUS_A
    assert degradation(none, pedal_degraded=False, lane=1) is Degradation.BUS_B
    assert degradation(none, pedal_degraded=True, lane=0) is Degradation.PEDAL_DEGRADED
    assert degradation(one, pedal_degraded=True, lane=0) is Degradation.ONE_FRONT


def test_rolling_never_opens_a_brake_that_holds() -> None:
    for state in (HoldState.BLEND_IN, HoldState.HOLDING):
        assert next_state(state, HoldEvent.MOVING) is state


@given(events=st.lists(st.sampled_from(HoldEvent), max_size=60))
def test_any_walk_holds_only_after_a_braked_standstill_while_available(
    events: list[HoldEvent],
) -> None:
    state = HoldState.INIT
    for event in events:
        before, state = state, next_state(state, event)
        if state is HoldState.BLEND_IN and before is not state:
            assert (before, event) == (HoldState.STANDBY, HoldEvent.STANDSTILL_BRAKED)
        if state is HoldState.HOLDING and before is not state:
            assert before is HoldState.BLEND_IN
        if before is HoldState.HOLDING and state is not before:
            assert state in (HoldState.BLEND_OUT, HoldState.FAULT)
        assert state is not HoldState.PARK_HANDOVER


@pytest.mark.parametrize(
    ("enum", "signal"),
    [
        (HoldState, "CDC_HoldSt"),
        (RequestSource, "CDC_ReqSrc"),
        (Degradation, "CDC_DegrLvl"),
    ],
)
def test_values_are_those_of_the_database(enum: type, signal: str) -> None:
    choices = Database.reference().message("CDC_BrkSt").signal(signal).choices
    for member in enum:  # type: ignore[attr-defined]
        expected = choices[member.value].lower()
        assert member.name.replace("_", "").lower().startswith(expected), member


def expected_level(lost: tuple[bool, ...]) -> Degradation:
    """The same decision in words."""
    gone = {corner for corner, is_lost in zip(CORNERS, lost, strict=True) if is_lost}
    if len(gone) == 0:
        return Degradation.FULL
    if len(gone) == 1:
        return Degradation.ONE_FRONT if gone & {"FL", "FR"} else Degradation.ONE_REAR
    if len(gone) == 2:
        if gone in ({"FL", "FR"}, {"RL", "RR"}):
            return Degradation.AXLE
        if gone in ({"FL", "RL"}, {"FR", "RR"}):
            return Degradation.SIDE
        return Degradation.DIAGONAL
    return Degradation.THREE_LOST if len(gone) == 3 else Degradation.ALL_LOST


@pytest.mark.parametrize("lost", list(itertools.product((False, True), repeat=4)))
def test_every_combination_of_lost_actuators_has_its_level(
    lost: tuple[bool, bool, bool, bool],
) -> None:
    assert degradation(lost, pedal_degraded=False) is expected_level(lost)
    if any(lost):
        assert degradation(lost, pedal_degraded=True) is expected_level(lost)


def test_a_degraded_pedal_is_reported_while_all_brakes_are_there() -> None:
    all_there = (False, False, False, False)
    assert degradation(all_there, pedal_degraded=True) is Degradation.PEDAL_DEGRADED
