"""When a message is sent: one timing test per rule, to the nanosecond, and the rules together."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.interaction import SendMachine
from simcore.network.interaction_rules import SendRules, send_rules_of
from simcore.units import ms

MESSAGE: Message = Database.from_text(
    'VERSION ""\nBU_: E R\nBO_ 256 M: 8 E\n'
    ' SG_ A : 0|8@1+ (1,0) [0|255] "" R\n SG_ B : 8|8@1+ (1,0) [0|255] "" R\n'
).message("M")

Write = tuple[int, str, int]
"""Time, signal, raw value."""

ON_WRITE = frozenset("A")


def rules(**fields: Any) -> SendRules:
    return SendRules(message=MESSAGE, **fields)


def sent(
    chosen: SendRules, end_ns: int, writes: Sequence[Write] = (), *, start_ns: int = 0
) -> list[int]:
    """Times of the frames up to `end_ns`: what a host does that calls at every deadline."""
    machine = SendMachine(chosen)
    machine.start(start_ns)
    times_ns: list[int] = []
    waiting = sorted(writes, key=lambda write: write[0])
    while True:
        deadline_ns = machine.next_deadline_ns()
        if waiting and (deadline_ns is None or waiting[0][0] <= deadline_ns):
            now_ns, signal, raw = waiting.pop(0)
            machine.write(signal, raw, now_ns)
            deadline_ns = machine.next_deadline_ns()
            if deadline_ns is None or deadline_ns > now_ns:
                continue
        if deadline_ns is None or deadline_ns > end_ns:
            return times_ns
        times_ns += [deadline_ns] * machine.on_timer(deadline_ns)
        after_ns = machine.next_deadline_ns()
        assert after_ns is None or after_ns > deadline_ns


# -- cyclic --------------------------------------------------------------------------------------


def test_cyclic_frames_go_out_at_start_delay_plus_whole_cycles() -> None:
    chosen = rules(cycle_ns=ms(20), start_delay_ns=ms(3))
    assert sent(chosen, ms(70), start_ns=7) == [ms(3) + 7, ms(23) + 7, ms(43) + 7, ms(63) + 7]


def test_writes_to_a_purely_cyclic_message_send_nothing() -> None:
    assert sent(rules(cycle_ns=ms(20)), ms(45), [(ms(5), "A", 1)]) == [0, ms(20), ms(40)]


def test_a_message_without_send_type_is_never_sent() -> None:
    assert sent(rules(), ms(1000), [(1, "A", 1)]) == []
    assert SendMachine(rules()).next_deadline_ns() is None


def test_a_late_call_sends_one_frame_and_keeps_the_grid() -> None:
    machine = SendMachine(rules(cycle_ns=ms(10)))
    machine.start(0)
    assert machine.on_timer(ms(35)) == 1
    assert machine.next_deadline_ns() == ms(40)
    assert machine.on_timer(ms(39)) == 0


# -- events --------------------------------------------------------------------------------------


def test_on_write_sends_at_the_instant_of_every_write() -> None:
    writes = [(ms(5), "A", 1), (ms(5) + 1, "A", 1), (ms(9), "A", 1)]
    assert sent(rules(on_write=ON_WRITE), ms(100), writes) == [ms(5), ms(5) + 1, ms(9)]


def test_on_write_sends_for_its_own_signals_only() -> None:
    assert sent(rules(on_write=ON_WRITE), ms(100), [(ms(5), "B", 1)]) == []


def test_on_change_sends_where_the_raw_value_differs_from_the_one_before() -> None:
    writes = [(1, "A", 0), (2, "A", 5), (3, "A", 5), (4, "A", 0), (5, "A", 0)]
    assert sent(rules(on_change=ON_WRITE), ms(1), writes) == [2, 4]


def test_events_are_sent_during_the_start_delay() -> None:
    chosen = rules(on_write=ON_WRITE, cycle_ns=ms(10), start_delay_ns=ms(8))
    assert sent(chosen, ms(18), [(ms(2), "A", 1)]) == [ms(2), ms(8), ms(18)]


def test_event_frames_do_not_shift_the_cyclic_grid() -> None:
    chosen = rules(on_write=ON_WRITE, cycle_ns=ms(10))
    writes = [(ms(3), "A", 1), (ms(14), "A", 1)]
    assert sent(chosen, ms(30), writes) == [0, ms(3), ms(10), ms(14), ms(20), ms(30)]


def test_an_event_at_the_instant_of_a_cyclic_frame_shares_it() -> None:
    chosen = rules(on_write=ON_WRITE, cycle_ns=ms(10))
    assert sent(chosen, ms(20), [(ms(10), "A", 1)]) == [0, ms(10), ms(20)]


# -- repetitions ---------------------------------------------------------------------------------

REPEATED = {
    "on_write": ON_WRITE,
    "repeated": ON_WRITE,
    "repetitions": 3,
    "fast_ns": ms(4),
    "spacing_ns": ms(4),
}


def test_with_repetition_adds_n_frames_at_the_fast_cycle() -> None:
    assert sent(rules(**REPEATED), ms(100), [(5, "A", 1)]) == [
        5,
        ms(4) + 5,
        ms(8) + 5,
        ms(12) + 5,
    ]


def test_a_new_event_drops_the_rest_and_repeats_anew() -> None:
    assert sent(rules(**REPEATED), ms(100), [(0, "A", 1), (ms(6), "A", 2)]) == [
        0,
        ms(4),
        ms(6),
        ms(10),
        ms(14),
        ms(18),
    ]


def test_an_event_without_repetition_leaves_the_running_ones() -> None:
    chosen = rules(**{**REPEATED, "on_write": frozenset("AB")})
    assert sent(chosen, ms(100), [(0, "A", 1), (ms(6), "B", 2)]) == [
        0,
        ms(4),
        ms(6),
        ms(8),
        ms(12),
    ]


def test_repetitions_stand_beside_the_cyclic_grid() -> None:
    chosen = rules(**REPEATED, cycle_ns=ms(10))
    assert sent(chosen, ms(20), [(ms(3), "A", 1)]) == [
        0,
        ms(3),
        ms(7),
        ms(10),
        ms(11),
        ms(15),
        ms(20),
    ]


def test_on_change_with_repetition_repeats_changes_only() -> None:
    chosen = rules(
        on_change=ON_WRITE, repeated=ON_WRITE, repetitions=1, fast_ns=ms(5), spacing_ns=ms(5)
    )
    assert sent(chosen, ms(100), [(0, "A", 0), (ms(1), "A", 2), (ms(2), "A", 2)]) == [ms(1), ms(6)]


# -- if active -----------------------------------------------------------------------------------


def test_if_active_sends_fast_from_the_write_on_and_once_when_inactive() -> None:
    chosen = rules(inactive={"A": 0}, fast_ns=ms(5))
    writes = [(ms(2), "A", 1), (ms(9), "A", 2), (ms(14), "A", 0)]
    assert sent(chosen, ms(100), writes) == [ms(2), ms(7), ms(12), ms(14)]


def test_if_active_lasts_while_any_signal_is_active() -> None:
    chosen = rules(inactive={"A": 0, "B": 255}, fast_ns=ms(5))
    writes = [(0, "B", 255), (ms(2), "A", 1), (ms(3), "B", 7), (ms(4), "A", 0), (ms(8), "B", 255)]
    assert sent(chosen, ms(100), writes) == [0, ms(2), ms(7), ms(8)]


def test_a_signal_that_starts_active_sends_fast_from_the_start_delay_on() -> None:
    chosen = rules(inactive={"A": 1}, fast_ns=ms(5), start_delay_ns=ms(2))
    assert sent(chosen, ms(13), [(ms(13), "A", 1)]) == [ms(2), ms(7), ms(12), ms(13)]


def test_if_active_with_repetition_repeats_the_inactive_frame() -> None:
    chosen = rules(
        inactive={"A": 0}, fast_ns=ms(5), repeated=ON_WRITE, repetitions=2, spacing_ns=ms(5)
    )
    writes = [(ms(2), "A", 1), (ms(9), "A", 0)]
    assert sent(chosen, ms(100), writes) == [ms(2), ms(7), ms(9), ms(14), ms(19)]


def test_activity_again_while_repeating_sends_fast_at_once() -> None:
    chosen = rules(
        inactive={"A": 0}, fast_ns=ms(5), repeated=ON_WRITE, repetitions=2, spacing_ns=ms(5)
    )
    writes = [(0, "A", 1), (ms(3), "A", 0), (ms(4), "A", 1)]
    assert sent(chosen, ms(10), writes) == [0, ms(3), ms(4), ms(8), ms(9)]


def test_the_fast_cycle_stands_in_for_the_normal_one_and_the_grid_goes_on_after_it() -> None:
    chosen = rules(inactive={"A": 0}, fast_ns=ms(3), cycle_ns=ms(10))
    writes = [(ms(12), "A", 1), (ms(22), "A", 0)]
    assert sent(chosen, ms(40), writes) == [
        0,
        ms(10),
        ms(12),
        ms(15),
        ms(18),
        ms(21),
        ms(22),
        ms(30),
        ms(40),
    ]


def test_is_active_tells_the_state() -> None:
    machine = SendMachine(rules(inactive={"A": 0}, fast_ns=ms(3)))
    machine.start(0)
    assert not machine.is_active
    machine.write("A", 1, 0)
    assert machine.is_active


# -- fast on start -------------------------------------------------------------------------------


def test_fast_on_start_lasts_its_time_from_the_first_frame_on() -> None:
    chosen = rules(
        cycle_ns=ms(20),
        fast_ns=ms(5),
        fast_start_ns=ms(15),
        start_delay_ns=ms(2),
        on_write=ON_WRITE,
    )
    assert sent(chosen, ms(62)) == [ms(2), ms(7), ms(12), ms(22), ms(42), ms(62)]


def test_fast_on_start_that_ends_between_grid_points_resumes_on_the_grid() -> None:
    chosen = rules(cycle_ns=ms(10), fast_ns=ms(4), fast_start_ns=ms(13))
    assert sent(chosen, ms(30)) == [0, ms(4), ms(8), ms(12), ms(20), ms(30)]


def test_activity_that_ends_within_the_fast_start_leaves_it_running() -> None:
    chosen = rules(cycle_ns=ms(50), fast_ns=ms(4), fast_start_ns=ms(15), inactive={"A": 0})
    writes = [(ms(1), "A", 1), (ms(6), "A", 0)]
    assert sent(chosen, ms(50), writes) == [0, ms(1), ms(5), ms(6), ms(10), ms(14), ms(50)]


# -- the least gap -------------------------------------------------------------------------------


def test_an_event_within_the_gap_waits_for_its_end() -> None:
    chosen = rules(on_write=ON_WRITE, gap_ns=ms(10))
    assert sent(chosen, ms(100), [(ms(1), "A", 1), (ms(4), "A", 2)]) == [ms(1), ms(11)]


def test_an_event_at_the_very_end_of_the_gap_is_sent_at_once() -> None:
    chosen = rules(on_write=ON_WRITE, gap_ns=ms(10))
    assert sent(chosen, ms(100), [(0, "A", 1), (ms(10), "A", 2)]) == [0, ms(10)]


def test_events_that_wait_for_the_gap_go_out_as_one_frame() -> None:
    chosen = rules(on_write=ON_WRITE, gap_ns=ms(10))
    writes = [(0, "A", 1), (ms(2), "A", 2), (ms(4), "A", 3), (ms(9), "A", 4)]
    assert sent(chosen, ms(100), writes) == [0, ms(10)]


def test_a_cyclic_frame_within_the_gap_is_delayed_and_the_next_one_is_on_the_grid() -> None:
    chosen = rules(on_write=ON_WRITE, cycle_ns=ms(10), gap_ns=ms(4))
    assert sent(chosen, ms(20), [(ms(8), "A", 1)]) == [0, ms(8), ms(12), ms(20)]


def test_repetitions_keep_the_gap_and_their_number() -> None:
    chosen = rules(**{**REPEATED, "gap_ns": ms(6), "spacing_ns": ms(6)}, cycle_ns=ms(10))
    assert sent(chosen, ms(31), [(ms(7), "A", 1)]) == [
        0,
        ms(7),
        ms(13),  # a repetition; the cyclic frame of 10 ms goes with it
        ms(19),
        ms(25),  # the last one; that of 20 ms goes with it
        ms(31),  # the cyclic frame of 30 ms
    ]


def test_the_gap_is_forgotten_by_a_restart() -> None:
    machine = SendMachine(rules(on_write=ON_WRITE, gap_ns=ms(10)))
    machine.start(0)
    machine.write("A", 1, 0)
    assert machine.on_timer(0) == 1
    machine.start(ms(1))
    machine.write("A", 2, ms(1))
    assert machine.next_deadline_ns() == ms(1) and machine.on_timer(ms(1)) == 1


# -- the machine ---------------------------------------------------------------------------------


def test_what_is_written_before_the_start_is_remembered_without_an_event() -> None:
    machine = SendMachine(rules(on_change=ON_WRITE, inactive={"B": 0}, fast_ns=ms(5)))
    machine.write("A", 3, 0)
    machine.preset("B", 1)
    machine.preset("no signal", 1)
    assert machine.next_deadline_ns() is None
    machine.start(ms(1))
    assert machine.is_active and machine.on_timer(ms(1)) == 1
    machine.write("A", 3, ms(2))
    assert machine.next_deadline_ns() == ms(6)


def test_a_stopped_machine_sends_nothing_until_it_starts_again() -> None:
    machine = SendMachine(rules(cycle_ns=ms(10), on_write=ON_WRITE))
    machine.start(0)
    machine.write("A", 1, 0)
    machine.stop()
    machine.write("A", 2, ms(1))
    assert machine.next_deadline_ns() is None and machine.on_timer(ms(50)) == 0
    machine.start(ms(60))
    assert machine.next_deadline_ns() == ms(60)


def test_a_request_sends_whatever_the_send_type_says_but_keeps_the_gap() -> None:
    machine = SendMachine(rules(gap_ns=ms(10)))
    machine.start(0)
    machine.request(ms(1))
    assert machine.on_timer(ms(1)) == 1
    machine.request(ms(2))
    assert machine.on_timer(ms(2)) == 0 and machine.next_deadline_ns() == ms(11)
    assert machine.on_timer(ms(11)) == 1 and machine.next_deadline_ns() is None


def test_a_request_before_the_start_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^message 0x100 M: request: expected a started interaction layer$"
    ):
        SendMachine(rules()).request(0)


def test_a_machine_is_copied_and_pickled_at_any_instant() -> None:
    machine = SendMachine(rules(**REPEATED, cycle_ns=ms(10)))
    machine.start(0)
    machine.write("A", 1, 0)
    machine.on_timer(0)
    others = (copy.deepcopy(machine), pickle.loads(pickle.dumps(machine)))
    seen = []
    for each in (machine, *others):
        times_ns = []
        while (deadline_ns := each.next_deadline_ns()) is not None and deadline_ns <= ms(30):
            times_ns += [deadline_ns] * each.on_timer(deadline_ns)
        seen.append(times_ns)
    assert seen[0] == seen[1] == seen[2] == [ms(4), ms(8), ms(10), ms(12), ms(20), ms(30)]


def test_rules_from_a_database_run() -> None:
    found = Database.reference().message("NM_VCU")
    machine = SendMachine(send_rules_of(found))
    machine.start(0)
    signal = found.signals[0].name
    machine.write(signal, 1, 5)
    assert machine.on_timer(5) == 1
    machine.write(signal, 1, 6)
    assert machine.next_deadline_ns() == 5 + ms(20)


# -- together ------------------------------------------------------------------------------------

TIMES_NS = st.integers(1, 40).map(ms) | st.integers(ms(1), ms(40))
WRITES = st.lists(
    st.tuples(st.integers(0, ms(300)), st.sampled_from("AB"), st.integers(0, 2)), max_size=40
)


@st.composite
def all_rules(draw: st.DrawFn) -> SendRules:
    cycle_ns = draw(st.just(0) | TIMES_NS)
    fast_ns = draw(TIMES_NS)
    gap_ns = draw(st.just(0) | TIMES_NS)
    if cycle_ns:
        gap_ns = min(gap_ns, cycle_ns)
    names = st.frozensets(st.sampled_from("AB"))
    repeated = draw(names)
    return rules(
        cycle_ns=cycle_ns,
        start_delay_ns=draw(st.just(0) | TIMES_NS),
        gap_ns=gap_ns,
        fast_ns=fast_ns,
        fast_start_ns=draw(st.just(0) | TIMES_NS) if cycle_ns else 0,
        on_write=draw(names),
        on_change=draw(names),
        repeated=repeated,
        repetitions=draw(st.integers(0, 4)) if repeated else 0,
        spacing_ns=max(fast_ns, gap_ns),
        inactive={name: draw(st.integers(0, 1)) for name in sorted(draw(names))},
    )


@given(chosen=all_rules(), writes=WRITES)
def test_two_frames_are_never_closer_than_the_gap(chosen: SendRules, writes: list[Write]) -> None:
    times_ns = sent(chosen, ms(400), writes)
    for before_ns, time_ns in pairwise(times_ns):
        assert time_ns - before_ns >= chosen.gap_ns


@given(chosen=all_rules(), writes=WRITES)
def test_no_write_is_lost(chosen: SendRules, writes: list[Write]) -> None:
    times_ns = sent(chosen, ms(400), writes)
    for written_ns, signal, _ in writes:
        if signal in chosen.on_write:
            assert any(written_ns <= time_ns <= written_ns + chosen.gap_ns for time_ns in times_ns)


@given(chosen=all_rules(), writes=WRITES)
def test_every_point_of_the_grid_has_its_frame(chosen: SendRules, writes: list[Write]) -> None:
    if not chosen.cycle_ns or chosen.inactive:
        return
    times_ns = sent(chosen, ms(400), writes)
    first_ns = chosen.start_delay_ns
    while first_ns < chosen.start_delay_ns + chosen.fast_start_ns:
        first_ns += chosen.cycle_ns
    for point_ns in range(first_ns, ms(400) - chosen.gap_ns, chosen.cycle_ns):
        assert any(point_ns <= time_ns <= point_ns + chosen.gap_ns for time_ns in times_ns)


@given(chosen=all_rules(), writes=WRITES)
def test_the_last_event_is_repeated_to_the_end(chosen: SendRules, writes: list[Write]) -> None:
    plain = rules(
        on_write=chosen.on_write,
        repeated=chosen.repeated,
        repetitions=chosen.repetitions,
        spacing_ns=chosen.spacing_ns,
        gap_ns=chosen.gap_ns,
    )
    repeating = [time_ns for time_ns, s, _ in writes if s in plain.on_write & plain.repeated]
    others = [time_ns for time_ns, s, _ in writes if s in plain.on_write]
    if not repeating or max(others) > max(repeating) or others.count(max(others)) > 1:
        return
    times_ns = sent(plain, ms(900), writes)
    first_ns = min(t for t in times_ns if t >= max(repeating))
    wanted = [first_ns + k * plain.spacing_ns for k in range(plain.repetitions + 1)]
    assert sorted({t for t in times_ns if t >= first_ns}) == wanted
