"""The E2E state machine: a total table, published traces, timing of COM-003, and a plain model."""

from __future__ import annotations

import copy
import pickle
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import E2eConfig
from simcore.network.e2e_config import SignalPlace
from simcore.protection import (
    COM_003,
    E2eEvent,
    E2eSmConfig,
    E2eSmStatus,
    E2eState,
    E2eStateMachine,
    E2eStatus,
    Profile05Receiver,
    Profile05Sender,
    StateLimits,
    e2e_state_machine,
    map_status_to_sm,
)
from simcore.protection.e2e_state_machine import IGNORED, TRANSITIONS, next_state

OK = E2eStatus.OK
NO_NEW_DATA = E2eStatus.NO_NEW_DATA
ERROR = E2eStatus.ERROR
REPEATED = E2eStatus.REPEATED
OK_SOME_LOST = E2eStatus.OK_SOME_LOST
WRONG_SEQUENCE = E2eStatus.WRONG_SEQUENCE
INITIAL = E2eStatus.INITIAL
SYNC = E2eStatus.SYNC
WRONG_CRC = E2eStatus.WRONG_CRC

VALID, DEINIT, NO_DATA, INIT, INVALID = E2eState

NOT_OK = [NO_NEW_DATA, ERROR, REPEATED, WRONG_SEQUENCE]


def config(
    windows: tuple[int, int, int],
    min_ok: tuple[int, int, int],
    max_error: tuple[int, int, int],
    *,
    clear: bool = True,
    extended: bool = True,
    profile_behavior: bool = True,
) -> E2eSmConfig:
    """Limits in the order init, valid, invalid, as the standard lists them."""
    limits = [
        StateLimits(window_size=w, min_ok=o, max_error=e)
        for w, o, e in zip(windows, min_ok, max_error, strict=True)
    ]
    return E2eSmConfig(
        init=limits[0],
        valid=limits[1],
        invalid=limits[2],
        clear_to_invalid=clear,
        extended=extended,
        profile_behavior=profile_behavior,
    )


def trace(machine: E2eStateMachine, statuses: list[E2eStatus]) -> list[E2eState]:
    return [machine.step(status) for status in statuses]


def valid_machine(full_window: bool = True) -> E2eStateMachine:
    machine = E2eStateMachine()
    trace(machine, [OK] * (20 if full_window else 4))
    assert machine.is_valid
    return machine


# ---- the table ----


def test_every_pair_of_state_and_event_is_a_transition_or_ignored_and_never_both() -> None:
    assert not set(TRANSITIONS) & IGNORED
    assert set(TRANSITIONS) | IGNORED == set(product(E2eState, E2eEvent))


def test_a_transition_leads_elsewhere_and_an_ignored_pair_stays() -> None:
    for state, event in product(E2eState, E2eEvent):
        assert (next_state(state, event) is state) == ((state, event) in IGNORED)


def test_states_have_the_values_of_the_standard() -> None:
    assert {state.name: state.value for state in E2eState} == {
        "VALID": 0,
        "DEINIT": 1,
        "NO_DATA": 2,
        "INIT": 3,
        "INVALID": 4,
    }


def test_valid_is_reached_from_init_and_invalid_only() -> None:
    assert {pair[0] for pair, after in TRANSITIONS.items() if after is VALID} == {INIT, INVALID}


# ---- published traces ----

SETTINGS = pytest.mark.parametrize(("clear", "extended"), list(product([False, True], repeat=2)))


@SETTINGS
def test_the_published_trace_of_windows_of_three(clear: bool, extended: bool) -> None:
    machine = E2eStateMachine(
        config((3, 3, 3), (1, 1, 2), (1, 1, 0), clear=clear, extended=extended)
    )
    assert machine.state is NO_DATA
    statuses = [NO_NEW_DATA, WRONG_SEQUENCE, OK, ERROR, OK, ERROR, ERROR, OK, OK, OK, OK]
    assert trace(machine, statuses) == [
        *(NO_DATA, INIT, VALID, VALID, VALID, INVALID),
        *(INVALID, INVALID, INVALID, VALID, VALID),
    ]


@SETTINGS
@pytest.mark.parametrize("bad", NOT_OK, ids=str)
def test_with_windows_of_one_every_bad_check_invalidates_and_every_good_one_restores(
    clear: bool, extended: bool, bad: E2eStatus
) -> None:
    machine = E2eStateMachine(
        config((1, 1, 1), (1, 1, 1), (0, 0, 0), clear=clear, extended=extended)
    )
    statuses = [OK, OK, bad, OK, bad, bad, OK_SOME_LOST]
    assert trace(machine, statuses) == [INIT, VALID, INVALID, VALID, INVALID, INVALID, VALID]


@pytest.mark.parametrize("status", [NO_NEW_DATA, ERROR], ids=str)
def test_extended_and_a_window_of_one_go_straight_to_invalid_without_data(
    status: E2eStatus,
) -> None:
    small = ((1, 1, 1), (1, 1, 1), (0, 0, 0))
    assert trace(E2eStateMachine(config(*small)), [status]) == [INVALID]
    plain = E2eStateMachine(config(*small, extended=False))
    assert trace(plain, [status] * 50) == [NO_DATA] * 50


# ---- what a status counts as ----


@pytest.mark.parametrize("profile_behavior", [True, False])
def test_every_status_counts_as_the_standard_maps_it(profile_behavior: bool) -> None:
    mapped = {
        status.name: map_status_to_sm(status, profile_behavior=profile_behavior).name
        for status in E2eStatus
    }
    assert mapped == {
        "OK": "OK",
        "OK_SOME_LOST": "OK",
        "REPEATED": "REPEATED",
        "WRONG_SEQUENCE": "WRONG_SEQUENCE",
        "ERROR": "ERROR",
        "WRONG_CRC": "ERROR",
        "NO_NEW_DATA": "NO_NEW_DATA",
        "SYNC": "OK" if profile_behavior else "WRONG_SEQUENCE",
        "INITIAL": "WRONG_SEQUENCE" if profile_behavior else "OK",
    }


def test_mapped_statuses_have_the_values_of_the_standard() -> None:
    assert {status.name: status.value for status in E2eSmStatus} == {
        "OK": 0,
        "REPEATED": 1,
        "WRONG_SEQUENCE": 2,
        "ERROR": 3,
        "NOT_AVAILABLE": 4,
        "NO_NEW_DATA": 5,
    }


@pytest.mark.parametrize(
    ("profile_behavior", "states"),
    [(True, [INIT, INIT, VALID, INVALID]), (False, [INIT, VALID, VALID, INVALID])],
)
def test_the_first_frames_of_profile_1_reach_valid_by_its_behavior(
    profile_behavior: bool, states: list[E2eState]
) -> None:
    limits = config((3, 3, 3), (1, 1, 2), (1, 1, 0))
    settings = E2eConfig(profile="P01", profile_behavior=profile_behavior)
    machine = e2e_state_machine(settings, limits)
    assert machine.config.profile_behavior == profile_behavior
    # the first status only ends NO_DATA
    found = trace(machine, [INITIAL, INITIAL, OK, *[WRONG_CRC] * 2])
    assert [*found[:3], found[4]] == states


def test_a_machine_for_other_profiles_has_the_limits_it_was_given() -> None:
    assert e2e_state_machine(E2eConfig(profile="P05")).config is COM_003
    behind = config((5, 10, 5), (3, 3, 4), (1, 2, 0), profile_behavior=False)
    place = SignalPlace(start_bit=0, length=4, byte_order="little_endian")
    counter = E2eConfig(profile="COUNTER", counter_place=place)
    assert e2e_state_machine(counter, behind).config is behind


# ---- initialisation ----


@pytest.mark.parametrize("status", list(E2eStatus), ids=lambda s: s.name)
def test_a_check_in_deinit_changes_nothing(status: E2eStatus) -> None:
    machine = valid_machine()
    machine.deinit()
    assert machine.state is DEINIT and not machine.is_valid and not machine.saturated
    assert trace(machine, [status] * 20) == [DEINIT] * 20


@pytest.mark.parametrize("from_deinit", [True, False])
def test_check_init_begins_anew_with_an_empty_window(from_deinit: bool) -> None:
    machine = valid_machine()
    trace(machine, [ERROR, NO_NEW_DATA])
    if from_deinit:
        machine.deinit()
    machine.check_init()
    assert machine.state is NO_DATA and not machine.saturated
    statuses = [NO_NEW_DATA, OK, ERROR, OK, OK, OK, *[ERROR] * 3]
    assert trace(machine, statuses) == trace(E2eStateMachine(), statuses)


# ---- COM-003 ----


def test_com_003_is_what_the_requirement_says() -> None:
    assert config((5, 10, 5), (3, 3, 4), (1, 2, 0)) == COM_003
    assert E2eStateMachine().config is COM_003
    assert Profile05Receiver(1, 8).max_delta_counter == 3


def test_start_up_takes_four_good_frames() -> None:
    machine = E2eStateMachine()
    assert trace(machine, [OK] * 5) == [INIT, INIT, INIT, VALID, VALID]
    assert machine.is_valid


@pytest.mark.parametrize("full_window", [True, False], ids=["long valid", "just valid"])
@pytest.mark.parametrize("bad", [NO_NEW_DATA, REPEATED, WRONG_SEQUENCE], ids=str)
def test_silence_or_a_stuck_frame_invalidates_at_the_8th_bad_cycle(
    full_window: bool, bad: E2eStatus
) -> None:
    machine = valid_machine(full_window)
    assert trace(machine, [bad] * 8) == [VALID] * 7 + [INVALID]
    assert not machine.is_valid


@pytest.mark.parametrize("full_window", [True, False], ids=["long valid", "just valid"])
def test_errors_invalidate_at_the_3rd(full_window: bool) -> None:
    machine = valid_machine(full_window)
    assert trace(machine, [ERROR] * 3) == [VALID, VALID, INVALID]


def test_errors_count_within_the_window_of_ten_only() -> None:
    machine = valid_machine()
    assert trace(machine, [ERROR, ERROR, *[OK] * 7]) == [VALID] * 9
    assert machine.step(ERROR) is INVALID  # the third within ten
    machine = valid_machine()
    trace(machine, [ERROR, ERROR, *[OK] * 8])
    assert machine.step(ERROR) is VALID  # the first has just left the window


def test_an_invalid_stream_needs_four_good_frames_and_no_error_among_five() -> None:
    machine = valid_machine()
    trace(machine, [ERROR] * 3)
    assert trace(machine, [OK] * 4) == [INVALID] * 3 + [VALID]
    machine = valid_machine()
    trace(machine, [ERROR] * 3)
    assert trace(machine, [OK, OK, NO_NEW_DATA, OK, OK]) == [INVALID] * 4 + [VALID]
    machine = valid_machine()
    trace(machine, [ERROR] * 3)
    assert trace(machine, [OK, OK, OK, ERROR, OK, OK, OK, OK]) == [INVALID] * 7 + [INVALID]
    assert machine.step(OK) is VALID  # the error has left the window


@pytest.mark.parametrize("bad", [NO_NEW_DATA, ERROR], ids=str)
def test_a_stream_that_never_comes_is_invalid_after_five_cycles(bad: E2eStatus) -> None:
    assert trace(E2eStateMachine(), [bad] * 6) == [NO_DATA] * 4 + [INVALID] * 2


def test_a_start_that_cannot_succeed_any_more_is_given_up() -> None:
    machine = E2eStateMachine()
    assert trace(machine, [REPEATED] * 4) == [INIT, INIT, INIT, INVALID]
    plain = E2eStateMachine(config((5, 10, 5), (3, 3, 4), (1, 2, 0), extended=False))
    assert trace(plain, [REPEATED] * 40) == [INIT] * 40


def test_two_errors_at_start_invalidate() -> None:
    assert trace(E2eStateMachine(), [OK, ERROR, OK, ERROR]) == [INIT, INIT, INIT, INVALID]


def test_clearing_on_invalid_forgets_the_good_checks_before() -> None:
    limits = ((5, 10, 5), (3, 3, 4), (1, 2, 0))
    history = [*[OK] * 20, ERROR, ERROR, OK, OK, OK, ERROR]
    kept = E2eStateMachine(config(*limits, clear=False))
    cleared = E2eStateMachine(config(*limits, clear=True))
    assert trace(kept, history)[-1] is trace(cleared, history)[-1] is INVALID
    assert trace(cleared, [OK] * 4)[-1] is VALID
    # kept: the last error stands in the window of five until five more have come
    assert trace(kept, [OK] * 5) == [INVALID] * 4 + [VALID]


# ---- frames, checks and the machine together ----


def supervised(receptions: list[bytes | None]) -> tuple[list[E2eStatus], list[E2eState]]:
    """Statuses and states of a receiver that looks once per cycle; `None`: nothing came."""
    receiver = Profile05Receiver(0x1234, 32)
    machine = E2eStateMachine()
    statuses = [NO_NEW_DATA if data is None else receiver.check(data) for data in receptions]
    return statuses, trace(machine, statuses)


def sent_frames(count: int, data_id: int = 0x1234) -> list[bytes]:
    sender = Profile05Sender(data_id, 32)
    return [sender.protect(bytes([number] * 32)) for number in range(count)]


GOOD = sent_frames(60)
FAULTS: list[tuple[str, list[bytes | None], list[E2eStatus], list[E2eState]]] = [
    ("repetition", [GOOD[19]] * 8, [REPEATED] * 8, [VALID] * 7 + [INVALID]),
    ("silence", [None] * 8, [NO_NEW_DATA] * 8, [VALID] * 7 + [INVALID]),
    (
        "loss of two",
        [None, None, GOOD[22]],
        [NO_NEW_DATA, NO_NEW_DATA, OK_SOME_LOST],
        [VALID] * 3,
    ),
    (
        "loss of four",
        [*[None] * 4, GOOD[24], GOOD[25]],
        [*[NO_NEW_DATA] * 4, WRONG_SEQUENCE, OK],
        [VALID] * 6,
    ),
    ("constant delay", [None, *GOOD[20:30]], [NO_NEW_DATA, *[OK] * 10], [VALID] * 11),
    (
        "insertion of an old frame",
        [GOOD[5], GOOD[20], GOOD[21]],
        [WRONG_SEQUENCE, WRONG_SEQUENCE, OK],
        [VALID] * 3,
    ),
    (
        "masquerade",
        list(sent_frames(23, data_id=0x4321)[20:]),
        [ERROR] * 3,
        [VALID, VALID, INVALID],
    ),
    ("truncation", [data[:24] for data in GOOD[20:23]], [ERROR] * 3, [VALID, VALID, INVALID]),
    (
        "corruption",
        [data[:31] + bytes([data[31] ^ 0x10]) for data in GOOD[20:23]],
        [ERROR] * 3,
        [VALID, VALID, INVALID],
    ),
]


@pytest.mark.parametrize(
    ("receptions", "statuses", "states"),
    [fault[1:] for fault in FAULTS],
    ids=[fault[0] for fault in FAULTS],
)
def test_a_communication_fault_has_the_published_statuses_and_states(
    receptions: list[bytes | None], statuses: list[E2eStatus], states: list[E2eState]
) -> None:
    found_statuses, found_states = supervised([*GOOD[:20], *receptions])
    assert found_statuses[20:] == statuses
    assert found_states[20:] == states


# ---- the walk ----


class PlainModel:
    """The machine once more, straight from its description: lists, and counted anew each time."""

    def __init__(self, config: E2eSmConfig) -> None:
        self.config = config
        self.state = NO_DATA
        self.window: list[E2eStatus] = []
        self.since_entry = 0

    def step(self, status: E2eStatus) -> E2eState:
        config = self.config
        status = self.mapped(status)
        init, valid, invalid = config.init, config.valid, config.invalid
        limits = {NO_DATA: init, INIT: init, VALID: valid, INVALID: invalid}[self.state]
        self.window = [*self.window, status][-limits.window_size :]
        self.since_entry += 1
        ok = sum(s in (OK, OK_SOME_LOST) for s in self.window)
        errors = self.window.count(ERROR)
        if self.state is NO_DATA:
            if status not in (ERROR, NO_NEW_DATA):
                self.go(INIT, cleared=True)
            elif config.extended and self.since_entry == init.window_size:
                self.go(INVALID, cleared=True)
        elif self.state is INIT:
            slot = (self.since_entry - 1) % init.window_size + 1
            hopeless = slot - ok > init.window_size - init.min_ok
            if errors > init.max_error:
                self.go(INVALID, cleared=config.clear_to_invalid)
            elif ok >= init.min_ok:
                self.go(VALID, cleared=False)
            elif config.extended and hopeless:
                self.go(INVALID, cleared=config.clear_to_invalid)
        elif self.state is VALID:
            if errors > valid.max_error or ok < valid.min_ok:
                self.go(INVALID, cleared=config.clear_to_invalid)
        elif errors <= invalid.max_error and ok >= invalid.min_ok:
            self.go(VALID, cleared=False)
        return self.state

    def mapped(self, status: E2eStatus) -> E2eStatus:
        """The statuses of profiles 1 and 2 as those of the others."""
        good, bad = (SYNC, INITIAL) if self.config.profile_behavior else (INITIAL, SYNC)
        return {good: OK, bad: WRONG_SEQUENCE, WRONG_CRC: ERROR}.get(status, status)

    def go(self, state: E2eState, *, cleared: bool) -> None:
        self.state = state
        self.since_entry = 0
        if cleared:
            self.window = []
        size = {VALID: self.config.valid, INVALID: self.config.invalid, INIT: self.config.init}
        self.window = self.window[-size[state].window_size :]


@st.composite
def configs(draw: st.DrawFn) -> E2eSmConfig:
    invalid_error, init_error, valid_error = sorted(draw(st.tuples(*[st.integers(0, 3)] * 3)))
    valid_ok, init_ok, invalid_ok = sorted(draw(st.tuples(*[st.integers(1, 4)] * 3)))
    init_window = init_ok + init_error + draw(st.integers(0, 3))
    invalid_window = invalid_ok + invalid_error + draw(st.integers(0, 3))
    least = max(init_window, invalid_window, valid_ok + valid_error)
    return config(
        (init_window, least + draw(st.integers(0, 3)), invalid_window),
        (init_ok, valid_ok, invalid_ok),
        (init_error, valid_error, invalid_error),
        clear=draw(st.booleans()),
        extended=draw(st.booleans()),
        profile_behavior=draw(st.booleans()),
    )


runs_of_statuses = st.lists(
    st.tuples(st.sampled_from([OK, OK, *E2eStatus]), st.integers(1, 12)), max_size=25
).map(lambda runs: [status for status, count in runs for _ in range(count)])


@given(limits=st.one_of(st.just(COM_003), configs()), statuses=runs_of_statuses)
def test_any_walk_goes_as_the_plain_model_goes(
    limits: E2eSmConfig, statuses: list[E2eStatus]
) -> None:
    machine, model = E2eStateMachine(limits), PlainModel(limits)
    for status in statuses:
        before = machine.state
        after = machine.step(status)
        assert after is machine.state is model.step(status)
        assert machine.is_valid == (after is VALID)
        assert after is not DEINIT
        assert before is after or (before, after) in {
            (pair[0], target) for pair, target in TRANSITIONS.items()
        }


@given(limits=configs(), before=runs_of_statuses, after=runs_of_statuses, skipped=st.integers(1, 9))
def test_good_checks_that_a_saturated_machine_is_not_told_of_make_no_difference(
    limits: E2eSmConfig, before: list[E2eStatus], after: list[E2eStatus], skipped: int
) -> None:
    machine = E2eStateMachine(limits)
    trace(machine, [*before, *[OK] * 30])
    if machine.saturated:
        told = copy.deepcopy(machine)
        assert trace(told, [OK] * skipped) == [VALID] * skipped
        assert told.saturated
        assert trace(told, after) == trace(machine, after)
        assert told.saturated == machine.saturated
    else:
        assert machine.state is not VALID


def test_a_machine_is_saturated_exactly_while_its_valid_window_is_full_of_good_checks() -> None:
    machine = E2eStateMachine()
    found = []
    for status in [*[OK] * 12, NO_NEW_DATA, *[OK] * 10]:
        machine.step(status)
        found.append(machine.saturated)
    # the window restarts when the first frame ends NO_DATA: full at the eleventh check
    assert found == [*[False] * 10, True, True, *[False] * 10, True]
    trace(machine, [ERROR] * 3)
    assert machine.state is INVALID
    assert not machine.saturated


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
@given(before=runs_of_statuses, after=runs_of_statuses)
def test_a_copy_continues_as_the_original_does(
    how: str, before: list[E2eStatus], after: list[E2eStatus]
) -> None:
    machine = E2eStateMachine()
    trace(machine, before)
    twin = copy.deepcopy(machine) if how == "deep copy" else pickle.loads(pickle.dumps(machine))
    state = machine.state
    ahead = trace(twin, after)
    assert machine.state is state
    assert trace(machine, after) == ahead
    assert how == "pickle" or twin.config is machine.config


# ---- configurations ----


@pytest.mark.parametrize(
    ("windows", "min_ok", "max_error", "text"),
    [
        ((9, 9, 9), (1, 1, 1), (2, 1, 0), "MaxError valid >= init >= invalid >= 0"),
        ((9, 9, 9), (1, 1, 1), (1, 1, 2), "MaxError valid >= init >= invalid >= 0"),
        ((9, 9, 9), (1, 1, 1), (0, 0, -1), "MaxError valid >= init >= invalid >= 0"),
        ((9, 9, 9), (1, 2, 2), (0, 0, 0), "1 <= MinOk valid <= init <= invalid"),
        ((9, 9, 9), (2, 2, 1), (0, 0, 0), "1 <= MinOk valid <= init <= invalid"),
        ((9, 9, 9), (0, 0, 1), (0, 0, 0), "1 <= MinOk valid <= init <= invalid"),
    ],
)
def test_thresholds_out_of_order_are_refused(
    windows: tuple[int, int, int],
    min_ok: tuple[int, int, int],
    max_error: tuple[int, int, int],
    text: str,
) -> None:
    with pytest.raises(UsageError, match=rf"^E2eSmConfig: expected {text}$"):
        config(windows, min_ok, max_error)


@pytest.mark.parametrize(
    ("windows", "max_error", "state"),
    [
        ((3, 9, 9), (2, 2, 2), "init"),
        ((3, 3, 3), (1, 2, 0), "valid"),
        ((4, 9, 3), (2, 2, 2), "invalid"),
    ],
)
def test_a_window_too_small_for_its_thresholds_is_refused(
    windows: tuple[int, int, int], max_error: tuple[int, int, int], state: str
) -> None:
    with pytest.raises(
        UsageError, match=rf"^E2eSmConfig\.{state}: expected MinOk \+ MaxError <= WindowSize$"
    ):
        config(windows, (2, 2, 2), max_error)


@pytest.mark.parametrize(("windows", "state"), [((6, 5, 5), "init"), ((5, 5, 6), "invalid")])
def test_a_window_larger_than_that_of_valid_is_refused(
    windows: tuple[int, int, int], state: str
) -> None:
    with pytest.raises(
        UsageError, match=rf"^E2eSmConfig\.{state}: expected WindowSize <= that of valid$"
    ):
        config(windows, (2, 2, 2), (1, 1, 1))
