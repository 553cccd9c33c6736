"""The sender: its total table, every way a message ends, timers to the nanosecond."""

from __future__ import annotations

import pytest

from simcore.bus import Frame
from simcore.transport import Address, IsoTpLink, LinkEvent, LinkSettings, NResult, Role, Step
from simcore.transport.sender import (
    IGNORED,
    RESULTS,
    TRANSITIONS,
    SenderEvent,
    SenderState,
    next_state,
)
from simcore.units import ms, s, us

ADDRESS = Address(0x6A0, 0x6A8, functional_tx_id=0x7DF)
CLASSIC = {"tx_dl": 8, "is_fd": False}
PAYLOAD = bytes(range(100, 127))  # a first frame of 6 bytes, three consecutive ones of 7


def make(**settings: object) -> IsoTpLink:
    return IsoTpLink(ADDRESS, LinkSettings(**{**CLASSIC, **settings}))  # type: ignore[arg-type]


def flow(text: str) -> Frame:
    return Frame(0x6A8, bytes.fromhex(text))


def data(step: Step) -> list[str]:
    assert not step.events
    return [frame.data.hex() for frame in step.frames]


def ended(step: Step) -> NResult:
    assert not step.frames
    ((kind, role, functional),) = step.events
    assert (role, functional) == (Role.SENDER, False)
    return kind


def test_the_table_is_total() -> None:
    pairs = {(state, event) for state in SenderState for event in SenderEvent}
    assert TRANSITIONS.keys() | IGNORED == pairs
    assert not TRANSITIONS.keys() & IGNORED
    for state, event in pairs:
        expected = state if (state, event) in IGNORED else TRANSITIONS[state, event]
        assert next_state(state, event) is expected


def test_every_way_into_idle_has_a_result_and_no_other() -> None:
    into_idle = {pair for pair, after in TRANSITIONS.items() if after is SenderState.IDLE}
    assert RESULTS.keys() == into_idle


def test_a_single_frame_is_sent_once_it_has_left() -> None:
    link = make()
    assert data(link.send(b"\x3e\x00", 5)) == ["023e00cccccccccc"]
    assert link.is_sending
    assert link.next_deadline_ns() == 5 + s(1)
    step = link.confirmed(400)
    assert step.events == (LinkEvent(NResult.N_OK, Role.SENDER),)
    assert not link.is_sending
    assert link.next_deadline_ns() is None


def test_a_message_goes_out_frame_by_frame_as_the_bus_takes_them() -> None:
    link = make()
    first = link.send(PAYLOAD, 0)
    assert data(first) == ["101b" + PAYLOAD[:6].hex()]
    assert data(link.receive(flow("300000"), 50)) == []  # nobody waits for it yet
    assert data(link.confirmed(100)) == []
    assert link.next_deadline_ns() == 100 + s(1)
    assert data(link.receive(flow("300000"), 200)) == ["21" + PAYLOAD[6:13].hex()]
    assert data(link.confirmed(300)) == ["22" + PAYLOAD[13:20].hex()]
    assert data(link.receive(flow("300000"), 350)) == []
    assert data(link.confirmed(400)) == ["23" + PAYLOAD[20:].hex()]
    assert ended(link.confirmed(500)) is NResult.N_OK


def test_the_sequence_number_runs_from_15_to_0() -> None:
    link = make(confirms=False, window_size=100)
    link.send(bytes(6 + 7 * 34), 0)
    step = link.receive(flow("300000"), 0)
    numbers = [frame.data[0] for frame in step.frames]
    assert numbers == [0x20 | number % 16 for number in range(1, 35)]


def test_a_flow_control_is_awaited_after_every_block() -> None:
    link = make()
    link.send(bytes(6 + 7 * 5), 0)
    link.confirmed(0)
    assert len(data(link.receive(flow("300200"), 0))) == 1
    assert len(data(link.confirmed(1))) == 1
    assert data(link.confirmed(2)) == []
    assert data(link.confirmed(3)) == []  # nothing is in the controller
    assert link.next_deadline_ns() == 2 + s(1)
    # The next flow control may ask for something else.
    assert len(data(link.receive(flow("300100"), 3))) == 1
    assert data(link.confirmed(4)) == []
    assert len(data(link.receive(flow("300000"), 5))) == 1
    assert len(data(link.confirmed(6))) == 1
    assert ended(link.confirmed(7)) is NResult.N_OK


@pytest.mark.parametrize(("st_min", "pause_ns"), [("0a", ms(10)), ("f3", us(300)), ("ff", ms(127))])
def test_the_separation_time_runs_from_the_end_of_a_frame_to_the_request_of_the_next(
    st_min: str, pause_ns: int
) -> None:
    link = make()
    link.send(PAYLOAD, 0)
    link.confirmed(0)
    assert len(data(link.receive(flow("3000" + st_min), 10))) == 1
    assert data(link.confirmed(1000)) == []
    assert link.next_deadline_ns() == 1000 + pause_ns
    assert data(link.on_timer(1000 + pause_ns - 1)) == []
    assert len(data(link.on_timer(1000 + pause_ns))) == 1


def test_the_separation_time_holds_across_a_flow_control() -> None:
    link = make()
    link.send(PAYLOAD, 0)
    link.confirmed(0)
    assert len(data(link.receive(flow("300101"), 0))) == 1
    link.confirmed(1000)
    assert data(link.receive(flow("300101"), 2000)) == []
    assert link.next_deadline_ns() == 1000 + ms(1)
    assert len(data(link.on_timer(1000 + ms(1)))) == 1
    link.confirmed(ms(2))
    assert len(data(link.receive(flow("300101"), ms(9)))) == 1  # it is over long ago


def test_the_own_pause_counts_where_it_is_longer() -> None:
    link = make(n_cs_ns=ms(2))
    link.send(PAYLOAD, 0)
    link.confirmed(0)
    assert data(link.receive(flow("300001"), 10)) == []
    assert link.next_deadline_ns() == 10 + ms(2)
    assert len(data(link.on_timer(10 + ms(2)))) == 1
    link.confirmed(ms(3))
    assert link.next_deadline_ns() == ms(5)


# ---- ends ----


def waiting(**settings: object) -> IsoTpLink:
    """A link that waits for the first flow control since 0."""
    link = make(**settings)
    link.send(PAYLOAD, 0)
    link.confirmed(0)
    return link


def test_without_flow_control_it_gives_up_after_n_bs() -> None:
    link = waiting(n_bs_ns=ms(150))
    assert data(link.on_timer(ms(150) - 1)) == []
    assert ended(link.on_timer(ms(150))) is NResult.N_TIMEOUT_BS
    assert link.next_deadline_ns() is None


def test_a_flow_control_in_the_last_nanosecond_is_in_time_and_one_later_is_not() -> None:
    assert len(data(waiting().receive(flow("300000"), s(1)))) == 1
    assert ended(waiting().receive(flow("300000"), s(1) + 1)) is NResult.N_TIMEOUT_BS


def test_a_frame_that_does_not_leave_ends_the_message_after_n_as() -> None:
    link = make(n_as_ns=ms(7))
    link.send(b"\x3e\x00", 0)
    assert data(link.on_timer(ms(7) - 1)) == []
    assert ended(link.on_timer(ms(7))) is NResult.N_TIMEOUT_A
    link = make(n_as_ns=ms(7))
    link.send(PAYLOAD, 0)
    assert ended(link.on_timer(ms(7))) is NResult.N_TIMEOUT_A
    link = waiting(n_as_ns=ms(7))
    link.receive(flow("300000"), ms(10))
    assert link.next_deadline_ns() == ms(17)
    assert data(link.confirmed(ms(17)))  # in the last nanosecond
    assert ended(link.confirmed(ms(24) + 1)) is NResult.N_TIMEOUT_A


def test_a_late_confirmation_of_a_message_given_up_is_not_taken_for_the_next() -> None:
    link = make(n_as_ns=ms(7))
    (old,) = link.send(PAYLOAD, 0).frames
    link.on_timer(ms(7))
    (new,) = link.send(b"\x3e\x00", ms(8)).frames
    assert data(link.confirmed(ms(9), old)) == []
    assert ended(link.confirmed(ms(10), new)) is NResult.N_OK


def test_a_frame_that_the_controller_dropped_does_not_stand_in_the_way() -> None:
    link = make(n_as_ns=ms(7))
    link.send(PAYLOAD, 0)
    link.on_timer(ms(7))
    (new,) = link.send(b"\x3e\x00", ms(8)).frames
    assert ended(link.confirmed(ms(9), new)) is NResult.N_OK
    link.send(b"\x3e\x00", ms(10))
    assert ended(link.confirmed(ms(11))) is NResult.N_OK


def test_a_frame_confirmed_with_the_error_state_indicator_is_the_one_requested() -> None:
    link = IsoTpLink(ADDRESS, LinkSettings())
    (frame,) = link.send(b"\x3e\x00", 0).frames
    sent = Frame(0x6A0, frame.data, is_fd=True, bitrate_switch=True, error_state_indicator=True)
    assert ended(link.confirmed(9, sent)) is NResult.N_OK


def test_the_frame_of_somebody_else_confirms_nothing() -> None:
    link = make()
    link.send(b"\x3e\x00", 0)
    assert data(link.confirmed(9, Frame(0x123, bytes(8)))) == []
    assert link.is_sending


def test_overflow_is_believed_right_after_the_first_frame_only() -> None:
    assert ended(waiting().receive(flow("320000"), 9)) is NResult.N_BUFFER_OVFLW
    link = waiting()
    link.receive(flow("310000"), 9)
    assert ended(link.receive(flow("320000"), 10)) is NResult.N_INVALID_FS
    # After sixteen frames the sequence number is what it was after the first frame.
    link = make(confirms=False, window_size=16)
    link.send(bytes(200), 0)
    assert len(data(link.receive(flow("301000"), 0))) == 16
    assert ended(link.receive(flow("320000"), 0)) is NResult.N_INVALID_FS


def test_overflow_is_believed_after_the_first_frame_of_every_message() -> None:
    link = waiting()
    link.receive(flow("300000"), 1)
    for now_ns in (2, 3, 4):
        link.confirmed(now_ns)
    assert not link.is_sending
    link.send(PAYLOAD, 5)
    link.confirmed(6)
    assert ended(link.receive(flow("320000"), 7)) is NResult.N_BUFFER_OVFLW


@pytest.mark.parametrize("status", range(3, 16))
def test_a_reserved_flow_status_ends_the_message(status: int) -> None:
    assert ended(waiting().receive(flow(f"3{status:x}0000"), 9)) is NResult.N_INVALID_FS


def test_a_flow_control_too_short_to_be_one_is_ignored() -> None:
    link = waiting()
    assert data(link.receive(flow("3000"), 9)) == []
    assert len(data(link.receive(flow("300000"), 10))) == 1


def test_every_wait_starts_the_wait_anew() -> None:
    link = waiting()
    for nth in range(1, 40):
        assert data(link.receive(flow("310000"), nth * ms(900))) == []
        assert link.next_deadline_ns() == nth * ms(900) + s(1)
    assert len(data(link.receive(flow("300000"), ms(900) * 40))) == 1


def test_a_sender_of_limited_patience_gives_up_when_told_to_wait_too_often() -> None:
    link = waiting(wait_frames_accepted=2)
    assert data(link.receive(flow("310000"), 1)) == []
    assert data(link.receive(flow("310000"), 2)) == []
    assert ended(link.receive(flow("310000"), 3)) is NResult.N_WFT_OVRN
    link = waiting(wait_frames_accepted=1)
    link.receive(flow("310000"), 1)
    link.receive(flow("300100"), 2)
    link.confirmed(3)
    assert data(link.receive(flow("310000"), 4)) == []  # in a row is meant
    assert ended(waiting(wait_frames_accepted=0).receive(flow("310000"), 1)) is NResult.N_WFT_OVRN


# ---- without confirmation ----


def test_without_confirmation_frames_come_in_windows() -> None:
    link = make(confirms=False, window_size=8, window_ns=ms(1))
    assert len(data(link.send(bytes(6 + 7 * 20), 0))) == 1
    assert link.next_deadline_ns() == s(1)
    assert len(data(link.receive(flow("300000"), 0))) == 8
    assert link.next_deadline_ns() == ms(1)
    assert len(data(link.on_timer(ms(1)))) == 8
    step = link.on_timer(ms(2))
    assert len(step.frames) == 4
    assert step.events == (LinkEvent(NResult.N_OK, Role.SENDER),)


def test_without_confirmation_a_separation_time_makes_windows_of_one() -> None:
    link = make(confirms=False)
    link.send(PAYLOAD, 0)
    assert len(data(link.receive(flow("300001"), 0))) == 1
    assert link.next_deadline_ns() == ms(1)
    assert len(data(link.on_timer(ms(1)))) == 1
    assert data(link.confirmed(ms(1))) == []


def test_without_confirmation_a_block_ends_a_window() -> None:
    link = make(confirms=False)
    link.send(bytes(100), 0)
    assert len(data(link.receive(flow("300300"), 0))) == 3
    assert link.next_deadline_ns() == s(1)
    assert len(data(link.receive(flow("300000"), 0))) == 8
    assert link.next_deadline_ns() == 0
    assert len(link.on_timer(0).frames) == 3
