"""The actuator's state table: total, and safe on any walk."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.emb.states import (
    BRAKING,
    IGNORED,
    TRANSITIONS,
    EmbEvent,
    EmbState,
    next_state,
)
from simcore.network import Database

ALL_PAIRS = set(itertools.product(EmbState, EmbEvent))
PARKING = {EmbState.PARK_APPLYING, EmbState.PARK_APPLIED, EmbState.PARK_RELEASING}


def test_the_table_says_something_about_every_pair_and_never_twice() -> None:
    assert TRANSITIONS.keys() | IGNORED == ALL_PAIRS
    assert TRANSITIONS.keys() & IGNORED == set()


def test_every_transition_leads_to_another_state() -> None:
    assert [pair for pair, after in TRANSITIONS.items() if after is pair[0]] == []


def test_next_state_follows_the_table_and_stays_for_what_is_ignored() -> None:
    for state, event in ALL_PAIRS:
        expected = TRANSITIONS.get((state, event), state)
        assert next_state(state, event) is expected


def test_state_values_are_those_of_the_database() -> None:
    choices = Database.reference().message("EMB_FL_St1").signal("EMB_FL_State").choices
    named = {state.value: state.name.replace("_", "").lower() for state in EmbState}
    assert named == {value: text.lower() for value, text in choices.items()}


def test_every_state_but_service_and_sleep_can_be_reached() -> None:
    reached = {EmbState.INIT}
    for _ in EmbState:
        reached |= {after for (state, _), after in TRANSITIONS.items() if state in reached}
    assert set(EmbState) - reached == {EmbState.SERVICE, EmbState.SLEEP}


def test_nothing_but_a_passed_self_test_leads_from_start_up_to_braking() -> None:
    entries = {
        pair
        for pair, after in TRANSITIONS.items()
        if after in BRAKING and pair[0] in (EmbState.INIT, EmbState.SELF_TEST)
    }
    assert entries == {(EmbState.SELF_TEST, EmbEvent.SELF_TEST_PASSED)}


def test_a_parked_brake_stays_locked_without_supply() -> None:
    """BRK-008."""
    assert next_state(EmbState.PARK_APPLIED, EmbEvent.SUPPLY_LOST) is EmbState.PARK_APPLIED


def test_supply_loss_opens_every_brake_that_is_not_locked() -> None:
    for state in {EmbState.READY, EmbState.FORCE_CTRL, EmbState.DEGRADED, EmbState.PARK_APPLYING}:
        assert next_state(state, EmbEvent.SUPPLY_LOST) is EmbState.SAFE_RELEASED


CUT_OFF = (
    EmbEvent.ENABLE_LOST,
    EmbEvent.FUNCTION_CUT,
    EmbEvent.OVERHEATED,
    EmbEvent.SUPPLY_LOST,
)


def test_whatever_cuts_the_motor_releases_every_brake_that_it_moves() -> None:
    moving = BRAKING | {EmbState.PARK_APPLYING, EmbState.PARK_RELEASING}
    for state, event in itertools.product(moving, CUT_OFF):
        assert next_state(state, event) is EmbState.SAFE_RELEASED
    for event in CUT_OFF:
        assert next_state(EmbState.PARK_APPLIED, event) is EmbState.PARK_APPLIED


def test_a_jammed_actuator_is_left_alone_until_power_on() -> None:
    for state in BRAKING:
        assert next_state(state, EmbEvent.ACTUATOR_JAMMED) is EmbState.FAULT_LOCKED
    for event in EmbEvent:
        assert next_state(EmbState.FAULT_LOCKED, event) is EmbState.FAULT_LOCKED


def test_a_released_actuator_takes_part_again_through_start_up_only() -> None:
    ways_out = {
        pair[1]: after for pair, after in TRANSITIONS.items() if pair[0].name == "SAFE_RELEASED"
    }
    assert ways_out == {
        EmbEvent.SUPPLY_RESTORED: EmbState.INIT,
        EmbEvent.ENABLE_RESTORED: EmbState.INIT,
        EmbEvent.COOLED_DOWN: EmbState.INIT,
    }


@given(events=st.lists(st.sampled_from(EmbEvent), max_size=60))
def test_any_walk_brakes_only_after_a_self_test_and_parks_only_on_request(
    events: list[EmbEvent],
) -> None:
    state = EmbState.INIT
    tested = park_asked = False
    for event in events:
        before, state = state, next_state(state, event)
        if state is EmbState.INIT:
            tested = False
        if event is EmbEvent.SELF_TEST_PASSED and before is EmbState.SELF_TEST:
            tested = True
        if event is EmbEvent.PARK_LOCKED and before is EmbState.SELF_TEST:
            tested = park_asked = True  # woke up parked
        if event is EmbEvent.PARK_APPLY_REQUESTED:
            park_asked = True
        if state in BRAKING:
            assert tested
        if state in PARKING:
            assert tested and park_asked
        if state is EmbState.FAULT_LOCKED:
            assert park_asked or EmbEvent.ACTUATOR_JAMMED in events
        if before is EmbState.DEGRADED:
            assert state in (EmbState.DEGRADED, EmbState.SAFE_RELEASED, EmbState.FAULT_LOCKED)
