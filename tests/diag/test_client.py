"""The UDS client against an ISO-TP link that the test itself answers on: time to the nanosecond."""

from __future__ import annotations

import copy
import pickle
from itertools import product

import pytest

from simcore.bus import Frame
from simcore.diag.client import (
    ClientSettings,
    ClientStep,
    OutcomeKind,
    UdsClient,
    answers,
    suppresses,
)
from simcore.diag.client_states import (
    IGNORED,
    TRANSITIONS,
    ClientEvent,
    ClientState,
    next_state,
)
from simcore.errors import UsageError
from simcore.transport import Address, IsoTpLink, LinkSettings
from simcore.units import ms, s, us

ADDRESS = Address(0x6A2, 0x6AA)
P2_NS = ms(100)
"""50 ms of the server and 50 ms of the network."""


class Ends:
    """A client and the other end of its link; frames take no time."""

    def __init__(self, settings: ClientSettings | None = None) -> None:
        link = LinkSettings()
        self.client = UdsClient(IsoTpLink(ADDRESS, link), settings or ClientSettings())
        self.server = IsoTpLink(ADDRESS.mirrored(), link)
        self.received: list[bytes] = []
        self.steps: list[ClientStep] = []

    def carry(self, step: ClientStep, now_ns: int) -> None:
        """Let the client's frames arrive, confirm them, and take the flow controls back."""
        self.steps.append(step)
        frames = list(step.frames)
        while frames:
            frame = frames.pop(0)
            confirmed = self.client.confirmed(frame, now_ns)
            answer = self.server.receive(frame, now_ns)
            self.received += [message.payload for message in answer.messages]
            frames += confirmed.frames
            self.steps.append(confirmed)
            for each in answer.frames:
                self.server.confirmed(now_ns, each)
                back = self.client.receive(each, now_ns)
                self.steps.append(back)
                frames += back.frames

    def request(self, payload: bytes, now_ns: int) -> None:
        self.carry(self.client.request(payload, now_ns), now_ns)

    def respond(self, payload: bytes, now_ns: int) -> None:
        frames = list(self.server.send(payload, now_ns).frames)
        while frames:
            frame = frames.pop(0)
            frames += self.server.confirmed(now_ns, frame).frames
            step = self.client.receive(frame, now_ns)
            self.steps.append(step)
            for each in step.frames:
                self.client.confirmed(each, now_ns)
                frames += self.server.receive(each, now_ns).frames

    def timer(self, now_ns: int) -> None:
        self.carry(self.client.on_timer(now_ns), now_ns)

    @property
    def outcomes(self) -> list:
        return [outcome for step in self.steps for outcome in step.outcomes]


def test_a_response_ends_the_request_with_its_round_trip() -> None:
    ends = Ends()
    ends.request(b"\x22\xf1\x90", ms(1))
    assert ends.received == [b"\x22\xf1\x90"] and ends.client.is_busy
    ends.respond(b"\x62\xf1\x90" + bytes(17), ms(3))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.POSITIVE and outcome.response == b"\x62\xf1\x90" + bytes(17)
    assert outcome.duration_ns == ms(2) and not ends.client.is_busy
    assert ends.client.next_deadline_ns() is None


def test_p2_ends_to_the_nanosecond_after_the_request_has_left() -> None:
    ends = Ends()
    ends.request(b"\x3e\x00", us(7))
    assert ends.client.next_deadline_ns() == us(7) + P2_NS
    ends.timer(us(7) + P2_NS - 1)
    assert ends.outcomes == []
    ends.timer(us(7) + P2_NS)
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.TIMEOUT and outcome.response is None
    assert str(outcome) == "3E 00 -> no response within P2 (100 ms)"


def test_every_0x78_begins_p2_star_anew_however_many_come() -> None:
    ends = Ends()
    ends.request(b"\x31\x01\xff\x00", 0)
    now_ns = 0
    for _ in range(40):
        now_ns += s(5)
        ends.respond(b"\x7f\x31\x78", now_ns)
        assert ends.client.next_deadline_ns() == now_ns + s(5) + ms(50)
    ends.respond(b"\x71\x01\xff\x00", now_ns + s(5))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.POSITIVE and outcome.pending_count == 40


def test_p2_star_ends_a_request_whose_0x78_was_the_last_word() -> None:
    ends = Ends()
    ends.request(b"\x31\x01\xff\x00", 0)
    ends.respond(b"\x7f\x31\x78", ms(10))
    ends.timer(ms(10) + s(5) + ms(50))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.TIMEOUT and outcome.text == "no response within P2*"


def test_a_refusal_is_an_outcome_with_its_code_by_name() -> None:
    ends = Ends()
    ends.request(b"\x2e\xf1\x5a\x00", 0)
    ends.respond(b"\x7f\x2e\x33", ms(1))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.NEGATIVE and outcome.nrc == 0x33
    assert "SECURITY_ACCESS_DENIED" in str(outcome)


def test_an_unknown_refusal_is_printed_as_a_number() -> None:
    ends = Ends()
    ends.request(b"\x3e\x00", 0)
    ends.respond(b"\x7f\x3e\xa5", ms(1))
    assert "NRC 0xA5" in str(ends.outcomes[0])


def test_a_response_that_has_begun_in_time_may_end_after_p2() -> None:
    ends = Ends()
    ends.request(b"\x22\xf1\x90", 0)
    begin_ns, end_ns = P2_NS - 1, P2_NS + ms(20)
    (first,) = ends.server.send(b"\x62\xf1\x90" + bytes(100), begin_ns).frames
    ends.server.confirmed(begin_ns, first)
    step = ends.client.receive(first, begin_ns)
    assert ends.client.state is ClientState.RECEIVING
    ends.timer(P2_NS)
    assert ends.outcomes == []
    for flow_control in step.frames:
        ends.client.confirmed(flow_control, begin_ns)
        for frame in ends.server.receive(flow_control, end_ns).frames:
            ends.steps.append(ends.client.receive(frame, end_ns))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.POSITIVE and outcome.ended_ns == end_ns


def test_a_response_that_breaks_off_is_a_failure_of_the_transport() -> None:
    ends = Ends()
    ends.request(b"\x22\xf1\x90", 0)
    (first,) = ends.server.send(b"\x62\xf1\x90" + bytes(100), ms(1)).frames
    for frame in ends.client.receive(first, ms(1)).frames:
        ends.client.confirmed(frame, ms(1))
    ends.timer(ms(1) + s(1))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.TRANSPORT and outcome.text == "N_TIMEOUT_CR as receiver"


def test_a_request_that_nobody_acknowledges_is_a_failure_of_the_transport() -> None:
    ends = Ends()
    ends.steps.append(ends.client.request(b"\x3e\x00", 0))
    assert ends.client.state is ClientState.SENDING
    ends.timer(s(1))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.TRANSPORT and outcome.text == "N_TIMEOUT_A as sender"


def test_a_suppressed_response_is_waited_for_and_its_absence_is_as_wanted() -> None:
    ends = Ends()
    ends.request(b"\x3e\x80", 0)
    ends.timer(P2_NS)
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.SUPPRESSED
    ends.request(b"\x10\x83", s(1))
    ends.timer(s(1) + P2_NS)
    assert ends.client.session == 3


def test_a_suppressed_response_that_was_pending_has_to_come() -> None:
    ends = Ends()
    ends.request(b"\x31\x81\x02\x02", 0)
    ends.respond(b"\x7f\x31\x78", ms(1))
    ends.timer(ms(1) + s(5) + ms(50))
    assert ends.outcomes[0].kind is OutcomeKind.TIMEOUT


def test_what_answers_another_request_is_counted_and_handed_on() -> None:
    ends = Ends()
    ends.respond(b"\x7e\x00", 0)
    ends.request(b"\x31\x01\x03\x01", ms(1))
    ends.respond(b"\x71\x03\x03\x01", ms(2))
    ends.respond(b"\x7f\x22\x31", ms(3))
    assert ends.outcomes == [] and ends.client.unexpected_count == 3
    assert [each for step in ends.steps for each in step.others] == [
        b"\x7e\x00",
        b"\x71\x03\x03\x01",
        b"\x7f\x22\x31",
    ]
    ends.respond(b"\x71\x01\x03\x01", ms(4))
    assert ends.outcomes[0].kind is OutcomeKind.POSITIVE


def test_the_servers_own_timing_counts_after_a_session_change() -> None:
    ends = Ends()
    ends.request(b"\x10\x03", 0)
    ends.respond(b"\x50\x03\x00\x0a\x00\x64", ms(1))
    ends.request(b"\x3e\x00", ms(2))
    assert ends.client.next_deadline_ns() == ms(2) + ms(10) + ms(50)
    ends.respond(b"\x7f\x3e\x78", ms(3))
    assert ends.client.next_deadline_ns() == ms(3) + s(1) + ms(50)
    ends.respond(b"\x7e\x00", ms(4))
    ends.request(b"\x11\x01", ms(5))
    ends.respond(b"\x51\x01", ms(6))
    assert ends.client.session == 1
    ends.request(b"\x3e\x00", ms(7))
    assert ends.client.next_deadline_ns() == ms(7) + P2_NS


def test_the_servers_own_timing_can_be_left_alone() -> None:
    ends = Ends(ClientSettings(server_timing=False))
    ends.request(b"\x10\x03", 0)
    ends.respond(b"\x50\x03\x00\x0a\x00\x64", ms(1))
    ends.request(b"\x3e\x00", ms(2))
    assert ends.client.next_deadline_ns() == ms(2) + P2_NS


def test_a_session_is_kept_by_signs_of_life_until_it_is_the_default_one() -> None:
    ends = Ends(ClientSettings(keeps_session=True))
    assert ends.client.next_deadline_ns() is None
    ends.request(b"\x10\x03", 0)
    ends.respond(b"\x50\x03\x00\x32\x01\xf4", ms(1))
    for number in (1, 2, 3):
        assert ends.client.next_deadline_ns() == ms(1) + number * s(2)
        ends.timer(ms(1) + number * s(2))
        assert ends.received[-1] == b"\x3e\x80" and len(ends.received) == 1 + number
    ends.request(b"\x10\x01", s(7))
    assert ends.client.next_deadline_ns() == s(7) + P2_NS  # no sign of life meanwhile
    ends.respond(b"\x50\x01\x00\x32\x01\xf4", s(7))
    assert ends.client.next_deadline_ns() is None


def test_a_refused_sign_of_life_is_no_answer_to_the_next_request() -> None:
    ends = Ends(ClientSettings(keeps_session=True))
    ends.request(b"\x10\x03", 0)
    ends.respond(b"\x50\x03\x00\x32\x01\xf4", ms(1))
    ends.timer(ms(1) + s(2))
    ends.respond(b"\x7f\x3e\x12", ms(2) + s(2))
    assert ends.client.unexpected_count == 1 and len(ends.outcomes) == 1


def test_long_requests_and_responses_are_counted_in_bytes() -> None:
    ends = Ends()
    ends.request(b"\x36\x01" + bytes(1000), 0)
    assert ends.received == [b"\x36\x01" + bytes(1000)]
    ends.respond(b"\x76\x01", ms(1))
    assert (ends.client.bytes_sent, ends.client.bytes_received) == (1002, 2)
    assert str(ends.outcomes[0]).startswith("36 01 00") and "(1002 bytes)" in str(ends.outcomes[0])


def test_a_stopped_client_is_free_at_once() -> None:
    ends = Ends()
    ends.request(b"\x3e\x00", 0)
    ends.steps.append(ends.client.stop(ms(1)))
    (outcome,) = ends.outcomes
    assert outcome.kind is OutcomeKind.TRANSPORT and outcome.text == "given up"
    assert ends.client.stop(ms(2)).outcomes == ()
    ends.request(b"\x3e\x00", ms(3))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_in_the_midst_of_a_request_goes_on_alike(duplicate) -> None:
    ends = Ends()
    ends.request(b"\x22\xf1\x90", 0)
    other = duplicate(ends)
    for each in (ends, other):
        each.respond(b"\x62\xf1\x90" + bytes(200), ms(1))
    assert ends.outcomes == other.outcomes and ends.outcomes[0].kind is OutcomeKind.POSITIVE


def test_frames_of_another_link_change_nothing() -> None:
    ends = Ends()
    ends.request(b"\x3e\x00", 0)
    assert ends.client.receive(Frame(0x6AB, b"\x02\x7e\x00"), ms(1)) == ClientStep()
    assert ends.client.is_busy


def test_one_request_at_a_time() -> None:
    ends = Ends()
    ends.request(b"\x3e\x00", 0)
    with pytest.raises(UsageError, match=r"request 22 F1 90: expected no other, got 3E 00 open"):
        ends.client.request(b"\x22\xf1\x90", 0)


@pytest.mark.parametrize("payload", [b"", "3e00", None])
def test_an_empty_request_is_refused(payload) -> None:
    with pytest.raises(UsageError, match="request: expected at least one byte"):
        Ends().client.request(payload, 0)


@pytest.mark.parametrize("name", ["p2_ns", "p2_star_ns", "s3_ns"])
@pytest.mark.parametrize("value", [0, -1, 1.0, None])
def test_settings_refuse_what_is_no_time(name, value) -> None:
    with pytest.raises(UsageError, match=rf"client, {name}: expected whole ns > 0"):
        ClientSettings(**{name: value})


def test_which_message_answers_which_request() -> None:
    assert answers(b"\x62\xf1\x90\x00", b"\x22\xf1\x90")
    assert answers(b"\x50\x03", b"\x10\x83") and not answers(b"\x50\x02", b"\x10\x03")
    assert not answers(b"\x50", b"\x10\x03") and not answers(b"\x7f\x10", b"\x10\x03")
    assert answers(b"\x7f\x10\x12", b"\x10\x03") and not answers(b"\x7f\x11\x12", b"\x10\x03")
    assert suppresses(b"\x3e\x80") and not suppresses(b"\x3e\x00") and not suppresses(b"\x22\xf1")


def test_the_table_of_states_is_total() -> None:
    pairs = set(product(ClientState, ClientEvent))
    assert set(TRANSITIONS) | IGNORED == pairs and not set(TRANSITIONS) & IGNORED
    assert all(next_state(*pair) is pair[0] for pair in IGNORED)
