"""The receiver: its total table, unexpected frames, timers to the nanosecond."""

from __future__ import annotations

import pytest

from simcore.bus import Frame
from simcore.transport import EMPTY, Address, IsoTpLink, LinkSettings, NResult, Role, Step
from simcore.transport.receiver import (
    IGNORED,
    RESULTS,
    TRANSITIONS,
    ReceiverEvent,
    ReceiverState,
    next_state,
)
from simcore.units import ms, s, us

ADDRESS = Address(0x6A0, 0x6A8)
FIRST = "1014" + "01" * 6  # 20 bytes: two consecutive frames follow
MESSAGE = b"\x01" * 6 + b"\x02" * 7 + b"\x03" * 7


def make(**settings: object) -> IsoTpLink:
    classic = {"tx_dl": 8, "is_fd": False}
    return IsoTpLink(ADDRESS, LinkSettings(**{**classic, **settings}))  # type: ignore[arg-type]


def frame(text: str) -> Frame:
    return Frame(0x6A8, bytes.fromhex(text), is_fd=len(text) > 16)


def sent(step: Step) -> list[str]:
    assert not step.events
    assert not step.messages
    return [each.data.hex()[:6] for each in step.frames]


def result(step: Step) -> NResult:
    ((kind, role, functional),) = step.events
    assert (role, functional) == (Role.RECEIVER, False)
    return kind


def receiving(**settings: object) -> IsoTpLink:
    """A link that waits for the first consecutive frame of `FIRST` since 0."""
    link = make(**settings)
    assert sent(link.receive(frame(FIRST), 0)) == ["300000"]
    assert link.confirmed(0) is EMPTY
    return link


def test_the_table_is_total() -> None:
    pairs = {(state, event) for state in ReceiverState for event in ReceiverEvent}
    assert TRANSITIONS.keys() | IGNORED == pairs
    assert not TRANSITIONS.keys() & IGNORED
    for state, event in pairs:
        expected = state if (state, event) in IGNORED else TRANSITIONS[state, event]
        assert next_state(state, event) is expected


def test_a_message_that_is_not_received_has_a_result() -> None:
    busy = [state for state in ReceiverState if state is not ReceiverState.IDLE]
    begun = {(state, ReceiverEvent.FIRST_FRAME) for state in busy}
    ended = {
        (state, event)
        for (state, event), after in TRANSITIONS.items()
        if state in busy
        and after is ReceiverState.IDLE
        and event is not ReceiverEvent.MESSAGE_RECEIVED
    }
    assert RESULTS.keys() == begun | ended


def test_a_single_frame_is_a_message() -> None:
    step = make().receive(frame("023e00"), 0)
    assert step == ((), ((b"\x3e\x00", False),), ())


def test_a_message_is_put_together_from_its_frames() -> None:
    link = receiving()
    assert link.is_receiving
    assert sent(link.receive(frame("21" + "02" * 7), 10)) == []
    step = link.receive(frame("22" + "03" * 7), 20)
    assert step == ((), ((MESSAGE, False),), ())
    assert not link.is_receiving
    assert link.next_deadline_ns() is None


def test_padding_of_the_last_frame_is_no_part_of_the_message() -> None:
    link = make()
    link.receive(frame("1009" + "01" * 6), 0)
    link.confirmed(0)
    ((payload, _),) = link.receive(frame("21020202cccccccc"), 1).messages
    assert payload == b"\x01" * 6 + b"\x02" * 3
    link.receive(frame("1009" + "01" * 6), 2)
    link.confirmed(2)
    ((payload, _),) = link.receive(frame("21020202"), 3).messages  # as long as it has to be
    assert payload == b"\x01" * 6 + b"\x02" * 3


def test_frames_for_others_change_nothing() -> None:
    link = receiving()
    assert link.receive(Frame(0x6A9, b"\x02\x3e\x00"), 5) is EMPTY
    assert link.is_receiving


# ---- flow control ----


def test_flow_control_asks_for_what_the_settings_say() -> None:
    link = make(block_size=2, separation_time_ns=us(300))
    link.receive(frame("1024" + "01" * 6), 0)  # 36 bytes: five consecutive frames
    assert link.confirmed(0) is EMPTY
    assert sent(link.receive(frame("21" + "02" * 7), 1)) == []
    assert sent(link.receive(frame("22" + "02" * 7), 2)) == ["3002f3"]
    assert sent(link.receive(frame("23" + "02" * 7), 3)) == []  # not before it has left
    assert link.confirmed(4) is EMPTY
    assert sent(link.receive(frame("23" + "02" * 7), 5)) == []
    assert sent(link.receive(frame("24" + "02" * 7), 6)) == ["3002f3"]
    assert link.confirmed(7) is EMPTY
    assert len(link.receive(frame("25" + "02" * 7), 8).messages) == 1


def test_other_parameters_hold_from_the_next_message_on() -> None:
    link = make(block_size=1)
    assert sent(link.receive(frame(FIRST), 0)) == ["300100"]
    link.confirmed(0)
    link.change_parameters(block_size=5, separation_time_ns=ms(3))
    assert sent(link.receive(frame("21" + "02" * 7), 1)) == ["300100"]
    link.confirmed(1)
    assert len(link.receive(frame("22" + "02" * 7), 2).messages) == 1
    assert sent(link.receive(frame(FIRST), 3)) == ["300503"]


def test_the_answer_takes_as_long_as_the_settings_say() -> None:
    link = make(n_br_ns=ms(3), block_size=1)
    assert sent(link.receive(frame(FIRST), 0)) == []
    assert link.next_deadline_ns() == ms(3)
    assert sent(link.on_timer(ms(3) - 1)) == []
    assert sent(link.on_timer(ms(3))) == ["300100"]
    link.confirmed(ms(4))
    assert sent(link.receive(frame("21" + "02" * 7), ms(5))) == []
    assert link.next_deadline_ns() == ms(8)


def test_what_does_not_fit_is_refused_at_the_first_frame() -> None:
    link = make(receive_buffer_size=19)
    assert sent(link.receive(frame(FIRST), 0)) == ["320000"]
    assert not link.is_receiving
    assert link.confirmed(1) is EMPTY
    assert sent(link.receive(frame("1013" + "01" * 6), 2)) == ["300000"]


def test_a_link_told_to_refuse_refuses_any_size() -> None:
    link = make()
    link.refuse(True)
    assert sent(link.receive(frame(FIRST), 0)) == ["320000"]
    link.refuse(False)
    assert sent(link.receive(frame(FIRST), 1)) == ["300000"]


def test_while_held_it_lets_the_peer_wait_and_then_go_on_at_once() -> None:
    link = make(wait_interval_ns=ms(100))
    assert link.hold(True, 0) is EMPTY
    assert sent(link.receive(frame(FIRST), 0)) == ["310000"]
    link.confirmed(ms(1))
    assert link.next_deadline_ns() == ms(101)
    assert sent(link.on_timer(ms(101))) == ["310000"]
    link.confirmed(ms(102))
    assert sent(link.hold(False, ms(150))) == ["300000"]
    link.confirmed(ms(151))
    assert link.next_deadline_ns() == ms(151) + s(1)


def test_released_while_the_wait_is_on_its_way_it_goes_on_once_that_has_left() -> None:
    link = make()
    link.hold(True, 0)
    assert sent(link.receive(frame(FIRST), 0)) == ["310000"]
    assert link.hold(False, 1) is EMPTY
    assert sent(link.confirmed(2)) == ["300000"]


def test_held_for_too_long_it_gives_up() -> None:
    link = make(wait_frames_max=2, wait_interval_ns=ms(100), confirms=False)
    link.hold(True, 0)
    assert sent(link.receive(frame(FIRST), 0)) == ["310000"]
    assert sent(link.on_timer(ms(100))) == ["310000"]
    assert result(link.on_timer(ms(200))) is NResult.N_WFT_OVRN
    assert not link.is_receiving
    link = make(wait_frames_max=0)
    link.hold(True, 0)
    step = link.receive(frame(FIRST), 0)
    assert (step.frames, result(step)) == ((), NResult.N_WFT_OVRN)


def test_the_count_of_waits_starts_anew_with_every_block() -> None:
    link = make(wait_frames_max=1, wait_interval_ns=ms(100), confirms=False, block_size=1)
    link.hold(True, 0)
    assert sent(link.receive(frame(FIRST), 0)) == ["310000"]
    assert sent(link.hold(False, ms(1))) == ["300100"]
    link.hold(True, ms(2))
    assert sent(link.receive(frame("21" + "02" * 7), ms(3))) == ["310000"]


# ---- timers ----


def test_without_consecutive_frame_it_gives_up_after_n_cr() -> None:
    link = receiving(n_cr_ns=ms(150))
    assert link.on_timer(ms(150) - 1) is EMPTY
    assert result(link.on_timer(ms(150))) is NResult.N_TIMEOUT_CR
    assert not link.is_receiving


def test_a_consecutive_frame_in_the_last_nanosecond_is_in_time_and_one_later_is_not() -> None:
    link = receiving()
    assert sent(link.receive(frame("21" + "02" * 7), s(1))) == []
    assert len(link.receive(frame("22" + "03" * 7), s(2)).messages) == 1
    step = receiving().receive(frame("21" + "02" * 7), s(1) + 1)
    assert result(step) is NResult.N_TIMEOUT_CR


def test_a_flow_control_that_does_not_leave_ends_the_message_after_n_ar() -> None:
    link = make(n_ar_ns=ms(9))
    link.receive(frame(FIRST), 0)
    assert link.on_timer(ms(9) - 1) is EMPTY
    assert result(link.on_timer(ms(9))) is NResult.N_TIMEOUT_A
    link.hold(True, ms(9))
    link.receive(frame(FIRST), ms(10))
    assert result(link.on_timer(ms(19))) is NResult.N_TIMEOUT_A


def test_a_flow_control_that_leaves_too_late_starts_nothing() -> None:
    link = make(n_ar_ns=ms(9))
    (late,) = link.receive(frame(FIRST), 0).frames
    link.on_timer(ms(9))
    assert link.confirmed(ms(10), late) is EMPTY
    assert link.next_deadline_ns() is None
    assert link.receive(frame("21" + "02" * 7), ms(11)) is EMPTY


# ---- what nobody expects ----


@pytest.mark.parametrize("number", [0x20, 0x22, 0x2F])
def test_a_wrong_sequence_number_ends_the_message(number: int) -> None:
    link = receiving()
    step = link.receive(frame(f"{number:02x}" + "02" * 7), 1)
    assert result(step) is NResult.N_WRONG_SN
    assert link.receive(frame("21" + "02" * 7), 2) is EMPTY


def test_a_consecutive_frame_twice_ends_the_message() -> None:
    link = receiving()
    link.receive(frame("21" + "02" * 7), 1)
    assert result(link.receive(frame("21" + "02" * 7), 2)) is NResult.N_WRONG_SN


def test_a_single_frame_in_between_replaces_the_message() -> None:
    link = receiving()
    step = link.receive(frame("023e00"), 1)
    assert result(step) is NResult.N_UNEXP_PDU
    assert [message.payload for message in step.messages] == [b"\x3e\x00"]
    assert link.receive(frame("21" + "02" * 7), 2) is EMPTY


@pytest.mark.parametrize("state", ["flow control due", "in the controller", "consecutive frame"])
def test_a_first_frame_in_between_begins_anew(state: str) -> None:
    link = make(n_br_ns=ms(1) if state == "flow control due" else 0)
    link.receive(frame(FIRST), 0)
    if state == "consecutive frame":
        link.confirmed(0)
    step = link.receive(frame("1009" + "04" * 6), 1)
    assert result(step) is NResult.N_UNEXP_PDU
    if state == "flow control due":
        assert step.frames == ()
        step = link.on_timer(1 + ms(1))
    assert [each.data.hex()[:6] for each in step.frames] == ["300000"]
    if state == "in the controller":
        # The first flow control leaves: the one that counts is still on its way.
        assert link.confirmed(2) is EMPTY
        assert link.receive(frame("21050505"), 3) is EMPTY
    link.confirmed(ms(2))
    ((payload, _),) = link.receive(frame("21050505"), ms(3)).messages
    assert payload == b"\x04" * 6 + b"\x05" * 3


def test_a_first_frame_too_long_ends_what_is_being_received() -> None:
    link = receiving(receive_buffer_size=20)
    step = link.receive(frame("1015" + "01" * 6), 1)
    assert result(step) is NResult.N_UNEXP_PDU
    assert [each.data.hex()[:6] for each in step.frames] == ["320000"]
    assert not link.is_receiving


@pytest.mark.parametrize(
    "text", ["21" + "02" * 7, "300000", "310000", "40" * 8, "f0" * 8, "00" * 8, "1007" + "01" * 6]
)
def test_what_makes_no_sense_while_idle_is_ignored(text: str) -> None:
    link = make()
    assert link.receive(frame(text), 0) is EMPTY
    assert link.next_deadline_ns() is None


@pytest.mark.parametrize(
    "text", ["300000", "40" * 8, "00" * 8, "1007" + "01" * 6, "1014" + "01" * 5]
)
def test_what_makes_no_sense_in_between_is_ignored(text: str) -> None:
    link = receiving()
    assert link.receive(frame(text), 1) is EMPTY
    link.receive(frame("21" + "02" * 7), 2)
    assert len(link.receive(frame("22" + "03" * 7), 3).messages) == 1


def test_the_first_frame_fixes_the_length_of_all_but_the_last() -> None:
    link = receiving()
    for short in ("21", "2102", "21" + "02" * 6, "21" + "02" * 11):
        assert link.receive(frame(short), 1) is EMPTY
    link.receive(frame("21" + "02" * 7), 2)
    assert link.receive(frame("22" + "03" * 6), 3) is EMPTY  # one byte is missing
    assert link.receive(frame("22" + "03" * 11), 3) is EMPTY  # longer than the first frame
    ((payload, _),) = link.receive(frame("22" + "03" * 7), 4).messages
    assert payload == MESSAGE
