"""`rig.tester`: asking ECUs from a script, at once or in the background."""

from __future__ import annotations

import pytest

from simcore.diag.client import OutcomeKind
from simcore.ecu import RestbusNode
from simcore.errors import UsageError
from simcore.network import Database
from simcore.rig import Rig, tester_node
from simcore.units import ms, s

VIN_REQUEST = b"\x22\xf1\x90"
SERVERS = ("CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR", "GW")


class Poll:
    """A dialogue of equal requests with a pause between two of them."""

    def __init__(self, payload: bytes, count: int, pause_ns: int = 0) -> None:
        self.payload, self.left, self.pause_ns = payload, count, pause_ns
        self.answers: list[bytes | None] = []
        self.asked_ns: list[int] = []
        self.heard_ns: list[int] = []
        self.resume_ns = 0
        self.done, self.failure = False, ""
        self.rested = True

    def heard(self, outcome) -> None:
        self.heard_ns.append(outcome.ended_ns)

    def next_request(self, response: bytes | None, now_ns: int) -> bytes | None:
        if self.asked_ns and self.rested:
            self.answers.append(response)
        if not self.left:
            self.done = True
            return None
        if self.pause_ns and self.rested and self.asked_ns:
            self.rested, self.resume_ns = False, now_ns + self.pause_ns
            return b""
        self.rested = True
        self.left -= 1
        self.asked_ns.append(now_ns)
        return self.payload


def test_a_request_takes_the_time_its_frames_take(standing: Rig) -> None:
    before_ns = standing.now_ns
    outcome = standing.tester.ask("EMB_FL", VIN_REQUEST)
    assert outcome.kind is OutcomeKind.POSITIVE
    assert standing.now_ns - before_ns == outcome.duration_ns < ms(2)
    log = [r for r in standing.bus("CHASSIS_A").log if r.frame.arbitration_id >= 0x6A0]
    assert [r.frame.arbitration_id for r in log] == [0x6A2, 0x6AA]
    assert all(r.frame.is_fd and r.frame.bitrate_switch for r in log)
    assert standing.tester.request("EMB_FL", VIN_REQUEST) == outcome.response


def test_a_refusal_comes_back_as_it_is_and_silence_as_nothing(standing: Rig) -> None:
    tester = standing.tester
    assert tester.request("EMB_FL", b"\x22\x12\x34") == b"\x7f\x22\x31"
    standing.host("EMB_FL").halt()
    before_ns = standing.now_ns
    assert tester.request("EMB_FL", VIN_REQUEST) is None
    assert ms(100) < standing.now_ns - before_ns < ms(102)
    assert tester.statistics("EMB_FL").timeouts == 1


def test_a_timeout_of_the_script_ends_waiting_before_p2_does(standing: Rig) -> None:
    standing.host("EMB_FL").halt()
    before_ns = standing.now_ns
    outcome = standing.tester.ask("EMB_FL", VIN_REQUEST, timeout=ms(20))
    assert standing.now_ns - before_ns == ms(20)
    assert outcome.kind is OutcomeKind.TIMEOUT and outcome.text == "no response within 20 ms"
    standing.host("EMB_FL").start()
    standing.run_for(ms(100))
    assert standing.tester.request("EMB_FL", VIN_REQUEST) is not None


def test_all_seven_answer_a_functional_request_without_a_collision(standing: Rig) -> None:
    answers = standing.tester.functional(b"\x3e\x00")
    assert sorted(answers) == sorted(SERVERS) and set(answers.values()) == {b"\x7e\x00"}
    bus = standing.bus("CHASSIS_A")
    assert len(bus.error_frames) == 0
    frames = [r for r in bus.log if r.frame.arbitration_id >= 0x6A0]
    assert frames[0].frame.arbitration_id == 0x7DF and len(frames) == 8
    ends = [r.eof_ns for r in frames]
    assert all(r.sof_ns >= end for r, end in zip(frames[1:], ends, strict=False))
    assert [r.frame.arbitration_id for r in frames[1:]] == sorted(
        r.frame.arbitration_id for r in frames[1:]
    )


def test_a_functional_request_that_suppresses_gets_no_answer_but_is_obeyed(standing: Rig) -> None:
    tester = standing.tester
    assert tester.functional(b"\x10\x83") == {}
    assert tester.request("EMB_RR", b"\x22\xf1\x86") == b"\x62\xf1\x86\x03"
    assert tester.session("EMB_RR") == 3
    assert set(tester.functional(b"\x10\x01")) == set(SERVERS)
    assert tester.session("EMB_RR") == 1


def test_nobody_refuses_a_functional_request_that_was_not_for_him(standing: Rig) -> None:
    assert standing.tester.functional(b"\x22\x12\x34") == {}
    assert set(standing.tester.functional(b"\x22\x01\x01")) == {
        "EMB_FL",
        "EMB_FR",
        "EMB_RL",
        "EMB_RR",
    }


def test_several_ecus_are_asked_at_once(standing: Rig) -> None:
    tester = standing.tester
    polls = [Poll(VIN_REQUEST, 20) for _ in SERVERS[:6]]
    for node, poll in zip(SERVERS, polls, strict=False):
        assert tester.start(node, poll) is poll
    assert tester.dialogue("EMB_FL") is polls[2] and not tester.is_idle("EMB_FL")
    assert tester.wait(*polls, timeout=s(1))
    assert tester.is_idle() and tester.dialogue("EMB_FL") is None
    for poll in polls:
        assert len(poll.answers) == 20 and all(each[:3] == b"\x62\xf1\x90" for each in poll.answers)
    begun = [poll.asked_ns[0] for poll in polls]
    ended = [poll.heard_ns[-1] for poll in polls]
    assert max(begun) < min(ended)  # they overlap


def test_dialogues_with_one_ecu_are_held_one_after_the_other(standing: Rig) -> None:
    tester = standing.tester
    first, second = Poll(VIN_REQUEST, 3), Poll(b"\x3e\x00", 2)
    tester.start("CDC", first)
    tester.start("CDC", second)
    assert tester.request("CDC", b"\x22\xf1\x86") == b"\x62\xf1\x86\x01"  # after both
    assert first.done and second.done
    assert first.heard_ns[-1] == second.asked_ns[0]
    assert second.answers == [b"\x7e\x00"] * 2


def test_a_dialogue_may_pause_while_the_script_goes_on(standing: Rig) -> None:
    poll = Poll(b"\x3e\x00", 4, pause_ns=ms(30))
    standing.tester.start("EMB_RL", poll)
    standing.press_pedal(30)
    standing.run_for(ms(200))
    assert poll.done and poll.answers == [b"\x7e\x00"] * 4
    pauses = [a - h for a, h in zip(poll.asked_ns[1:], poll.heard_ns, strict=False)]
    assert pauses == [ms(30)] * 3
    later = Poll(b"\x3e\x00", 1)
    standing.tester.start("EMB_RL", later)
    standing.run_for(ms(5))
    assert later.done


class Rest:
    """A dialogue that waits and is over."""

    done, failure, resume_ns = False, "", 0

    def next_request(self, response: bytes | None, now_ns: int) -> bytes | None:
        if self.resume_ns:
            self.done = True
            return None
        self.resume_ns = now_ns + ms(10)
        return b""


def test_a_dialogue_that_ends_after_its_pause_makes_way_for_the_next(standing: Rig) -> None:
    rest, poll = Rest(), Poll(b"\x3e\x00", 1)
    standing.tester.start("EMB_RL", rest)
    standing.tester.start("EMB_RL", poll)
    standing.run_for(ms(9))
    assert not rest.done and not poll.asked_ns
    standing.run_for(ms(3))
    assert rest.done and poll.answers == [b"\x7e\x00"]


def test_a_dialogue_that_pauses_without_a_time_is_a_finding(standing: Rig) -> None:
    poll = Poll(b"\x3e\x00", 2, pause_ns=-1)
    standing.tester.start("EMB_RL", poll)
    standing.run_for(ms(10))
    (finding,) = standing.log.findings
    assert "dialogue Poll, resume_ns: expected a time after" in finding.text


def test_a_fork_in_the_midst_of_a_request_goes_on_alike(standing: Rig) -> None:
    poll = Poll(b"\x22\xf1\x90\x01\x01\xf1\x91\xf1\x87\xf1\x88\xf1\x89\x01\x05\x01\x06", 10)
    standing.tester.start("EMB_RL", poll)
    standing.run_for(ms(3) + 777)
    other = standing.fork()
    for rig in (standing, other):
        rig.run_for(ms(50))
    twin = other.tester.statistics("EMB_RL")
    assert twin == standing.tester.statistics("EMB_RL") and twin.responses == 10
    assert standing.digest == other.digest
    standing.tester.request("EMB_RL", b"\x3e\x00")
    assert other.tester.statistics("EMB_RL").responses == 10


def test_statistics_count_what_passed(standing: Rig) -> None:
    tester = standing.tester
    for payload in (VIN_REQUEST, b"\x22\x12\x34", b"\x3e\x80"):
        tester.request("EMB_FL", payload)
    statistics = tester.statistics("EMB_FL")
    assert (statistics.requests, statistics.responses) == (3, 2)
    assert (statistics.negative_responses, statistics.timeouts) == (1, 0)
    assert (statistics.bytes_sent, statistics.bytes_received) == (8, 23)
    assert len(statistics.round_trips_ns) == 2
    assert 0 < statistics.mean_round_trip_ns <= statistics.worst_round_trip_ns < ms(2)
    unused = tester.statistics("CDC")
    assert unused.mean_round_trip_ns == unused.worst_round_trip_ns == unused.requests == 0


def test_the_event_log_tells_the_conversation(standing: Rig) -> None:
    tester = standing.tester
    tester.request("EMB_FL", VIN_REQUEST)
    tester.request("EMB_FL", b"\x22\x12\x34")
    tester.functional(b"\x3e\x80")
    texts = [each.text for each in standing.log.events if each.source == "TST"]
    assert texts[0].startswith("EMB_FL: 22 F1 90 -> 62 F1 90 57 30")
    assert texts[1].startswith("EMB_FL: 22 12 34 -> 7F 22 31 (REQUEST_OUT_OF_RANGE) (")
    assert texts[2] == "all: 3E 80 -> nothing"


def test_what_nobody_asked_is_counted_and_told(standing: Rig) -> None:
    tester = standing.tester
    tester.request("EMB_FL", VIN_REQUEST)
    ecu = standing.node("EMB_FL")
    link = ecu.diagnostics._link
    for frame in link.send(b"\x62\x12\x34", standing.now_ns).frames:
        ecu.port.send(frame)
    standing.run_for(ms(2))
    assert tester.statistics("EMB_FL").unexpected == 1
    assert standing.log.events[-1].text == "EMB_FL: unexpected 62 12 34"


def test_a_tester_that_loses_its_supply_gives_up_what_it_asked(standing: Rig) -> None:
    tester = standing.tester
    standing.host("EMB_FL").halt()
    request = tester.send("EMB_FL", VIN_REQUEST)
    standing.run_for(ms(10))
    standing.reset("TST")
    assert request.done and request.failure == "given up"
    assert request.outcome.kind is OutcomeKind.TRANSPORT
    standing.host("EMB_FL").start()
    standing.run_for(ms(100))
    assert tester.request("EMB_FL", VIN_REQUEST) is not None
    standing.host("TST").halt()
    with pytest.raises(UsageError, match="tester: EMB_FL: expected TST with supply, got off"):
        tester.request("EMB_FL", VIN_REQUEST)


def test_the_tester_is_put_on_the_bus_when_it_is_first_used(standing: Rig) -> None:
    assert isinstance(standing.node("TST"), RestbusNode)
    tester = standing.tester
    assert isinstance(standing.node("TST"), RestbusNode)
    assert tester.nodes == SERVERS and isinstance(standing.node("TST"), tester_node.TesterNode)


def test_a_place_that_the_script_has_taken_is_not_taken_from_it(standing: Rig) -> None:
    class Mine:
        def start(self, port, now_ns: int) -> None: ...

        def receive(self, frame, now_ns: int) -> None: ...

        def on_timer(self, now_ns: int) -> None: ...

        def next_deadline_ns(self) -> int | None: ...

    standing.replace("TST", Mine())
    with pytest.raises(UsageError, match=r"rig.tester at TST: expected the place as the rig was b"):
        standing.tester.request("EMB_FL", VIN_REQUEST)


def test_unusable_arguments_are_refused(standing: Rig) -> None:
    tester = standing.tester
    with pytest.raises(UsageError, match=r"tester: 'BPS': expected one of CDC, CDC2, EMB_FL"):
        tester.request("BPS", VIN_REQUEST)
    with pytest.raises(UsageError, match="tester: request to EMB_FL: expected at least one byte"):
        tester.request("EMB_FL", b"")
    with pytest.raises(UsageError, match="tester: functional request: expected at least one byte"):
        tester.functional("3e00")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"tester: request, timeout: expected whole ns > 0"):
        tester.request("EMB_FL", VIN_REQUEST, timeout=0.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tester: present: expected whole ns > 0, or None"):
        tester.present(0)
    with pytest.raises(UsageError, match="tester: dialogue with EMB_FL: expected an object with"):
        tester.start("EMB_FL", object())  # type: ignore[arg-type]


def _reference_with(*changes: tuple[str, str]) -> Database:
    text = Database.reference().text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Database.from_text(text, name="other.dbc")


def test_a_network_without_diagnostic_messages_has_no_tester() -> None:
    text = "\n".join(
        line
        for line in Database.reference().text.splitlines()
        if not line.startswith(('BA_ "DiagRequest" ', 'BA_ "DiagResponse" '))
    )
    rig = Rig(database=Database.from_text(text, name="silent.dbc"))
    with pytest.raises(UsageError, match=r"rig.tester on silent.dbc: expected one sender of all"):
        _ = rig.tester
    rig.run_for(ms(5))
    assert rig.log.findings == []


def test_two_requests_for_one_node_are_a_mistake_of_the_database() -> None:
    database = _reference_with(('BA_ "DiagState" BO_ 2015 1;', 'BA_ "DiagRequest" BO_ 2015 1;'))
    with pytest.raises(UsageError, match=r"CDC: diagnostic messages of other.dbc: expected one D"):
        Rig(database=database)
