"""The tables of states and phases: total, disjoint, and without the ways that must not be."""

from __future__ import annotations

import pytest

from simcore.update import bundle_phases, states
from simcore.update.bundle_phases import BundleEvent, BundlePhase, next_phase
from simcore.update.events import BOOT_EVENTS, COMMANDS, UpdateEvent
from simcore.update.states import TRANSITIONS, VOLATILE, UpdateState, next_state

_S = UpdateState
_E = UpdateEvent


def test_every_pair_of_state_and_event_is_either_a_transition_or_ignored() -> None:
    pairs = {(state, event) for state in UpdateState for event in UpdateEvent}
    assert set(states.TRANSITIONS) | states.IGNORED == pairs
    assert not set(states.TRANSITIONS) & states.IGNORED
    assert len(pairs) == 19 * 40


def test_every_pair_of_phase_and_event_is_either_a_transition_or_ignored() -> None:
    pairs = {(phase, event) for phase in BundlePhase for event in BundleEvent}
    assert set(bundle_phases.TRANSITIONS) | bundle_phases.IGNORED == pairs
    assert not set(bundle_phases.TRANSITIONS) & bundle_phases.IGNORED


def test_a_decided_bundle_goes_only_the_way_that_was_decided() -> None:
    for event in BundleEvent:
        assert next_phase(BundlePhase.COMMITTING, event) in (
            BundlePhase.COMMITTING,
            BundlePhase.COMMITTED,
        )
        assert next_phase(BundlePhase.ROLLING_BACK, event) in (
            BundlePhase.ROLLING_BACK,
            BundlePhase.ROLLED_BACK,
        )


@pytest.mark.parametrize("event", UpdateEvent)
def test_only_a_boot_leads_out_of_boot_swap(event: UpdateEvent) -> None:
    moved = next_state(_S.BOOT_SWAP, event) is not _S.BOOT_SWAP
    assert moved is (event in BOOT_EVENTS)


@pytest.mark.parametrize("event", UpdateEvent)
def test_nothing_leads_out_of_recovery(event: UpdateEvent) -> None:
    assert next_state(_S.RECOVERY, event) is _S.RECOVERY


def test_no_command_takes_back_what_is_confirmed_or_being_confirmed() -> None:
    for state in (_S.COMMITTING, _S.COMMITTED):
        for event in COMMANDS - {_E.REPORT_ACKNOWLEDGED}:
            assert next_state(state, event) is state


def test_a_lost_guard_counts_only_before_the_boot_request() -> None:
    assert next_state(_S.ACTIVATING, _E.GUARD_LOST) is _S.STAGED
    moved = {state for state, event in TRANSITIONS if event is _E.GUARD_LOST}
    assert moved == {_S.ACTIVATING}


def test_committing_is_reached_only_from_a_new_image_that_runs() -> None:
    before = {state for (state, _), after in TRANSITIONS.items() if after is _S.COMMITTING}
    assert before == {_S.TRIAL, _S.ACTIVATING, _S.BOOT_SWAP}
    by = {
        e for (s, e), after in TRANSITIONS.items() if after is _S.COMMITTING and s is not _S.TRIAL
    }
    assert by == {_E.NEW_IMAGE_PERMANENT}


def test_every_state_but_recovery_has_a_way_to_idle() -> None:
    reaching = {_S.IDLE}
    while True:
        more = {state for (state, _), after in TRANSITIONS.items() if after in reaching}
        if more <= reaching:
            break
        reaching |= more
    assert reaching == set(UpdateState) - {_S.RECOVERY}


def test_volatile_states_end_with_the_power() -> None:
    assert next_state(_S.CHECKING, _E.RESTARTED) is _S.IDLE
    assert next_state(_S.BOOT_SWAP, _E.RESTARTED) is _S.STAGED
    assert {_S.CHECKING, _S.BOOT_SWAP, _S.RECOVERY} == VOLATILE
