"""`TesterNode`: the diagnostic tester as a node on the bus, one UDS client for each ECU.

What it is asked to do it does one after the other per ECU and at the same time for several: single
requests and `Dialogue`s. Everything is state of this object, so a fork goes on in the midst of a
request. What scripts call is in `tester`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from simcore.bus import Frame
from simcore.diag.client import ClientSettings, ClientStep, Outcome, OutcomeKind, UdsClient, shown
from simcore.diag.codes import NEGATIVE_RESPONSE, POSITIVE_OFFSET, Nrc, Sid
from simcore.ecu import Port
from simcore.ecu.runtime.diagnostic_addresses import DiagnosticMessages
from simcore.errors import UsageError
from simcore.rig.tester_record import DiagnosticRecord
from simcore.transport import IsoTpLink, LinkSettings
from simcore.units import format_ns


@runtime_checkable
class Dialogue(Protocol):
    """A conversation with one ECU that goes on while the script does other things."""

    done: bool
    """Nothing more is to be asked."""
    failure: str
    """Why it did not come to a good end; empty where it did, or is not over."""

    def next_request(self, response: bytes | None, now_ns: int) -> bytes | None:
        """The next request, given the response to the last; `None` when there is nothing more.

        `response` is `None` at the beginning and where none came. `b""`: nothing to ask now; asked
        again at the attribute `resume_ns`. A dialogue may have a method `heard(outcome)`, called
        before with all that is known about the last request (`simcore.diag.client.Outcome`).
        """


class SingleRequest:
    """The dialogue of a single request; keeps its outcome."""

    __slots__ = ("_payload", "begun_ns", "done", "failure", "outcome", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._payload: bytes | None = payload
        """Still to be sent."""
        self.begun_ns = 0
        self.done = False
        self.failure = ""
        self.outcome: Outcome | None = None

    def heard(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if outcome.kind in (OutcomeKind.TIMEOUT, OutcomeKind.TRANSPORT):
            self.failure = outcome.text

    def next_request(self, response: bytes | None, now_ns: int) -> bytes | None:
        payload, self._payload = self._payload, None
        self.done = payload is None
        if payload is not None:
            self.begun_ns = now_ns
        return payload

    def given_up(self, now_ns: int, limit_ns: int) -> Outcome:
        """What is known of it when the script waits no longer."""
        self.done = True
        self.failure = f"no response within {format_ns(limit_ns)}"
        self.outcome = Outcome(
            kind=OutcomeKind.TIMEOUT,
            request=self.payload,
            response=None,
            begun_ns=self.begun_ns,
            ended_ns=now_ns,
            text=self.failure,
        )
        return self.outcome


@dataclass(slots=True)
class Statistics:
    """What passed between the tester and one ECU."""

    requests: int = 0
    responses: int = 0
    negative_responses: int = 0
    timeouts: int = 0
    """Requests without a response, and those lost on the way."""
    pending_responses: int = 0
    """0x78."""
    unexpected: int = 0
    """Messages that answer nothing that was asked."""
    bytes_sent: int = 0
    bytes_received: int = 0
    round_trips_ns: list[int] = field(default_factory=list)
    """From request to final response, of every request that had one."""

    @property
    def worst_round_trip_ns(self) -> int:
        """The longest; 0 without any."""
        return max(self.round_trips_ns, default=0)

    @property
    def mean_round_trip_ns(self) -> int:
        """The mean, whole ns; 0 without any."""
        count = len(self.round_trips_ns)
        return sum(self.round_trips_ns) // count if count else 0


class Conversation:
    """The tester's side of one ECU: its client and what is still to be asked."""

    __slots__ = (
        "client",
        "current",
        "is_at_rest",
        "messages",
        "resume_ns",
        "statistics",
        "waiting",
    )

    def __init__(self, messages: DiagnosticMessages, client: UdsClient) -> None:
        self.messages = messages
        self.client = client
        self.is_at_rest = True
        """Whether nothing is due, and nothing has happened since that was found."""
        self.current: Dialogue | None = None
        self.waiting: deque[Dialogue] = deque()
        self.resume_ns: int | None = None
        """When a dialogue that pauses is asked again."""
        self.statistics = Statistics()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked and nothing waits to be."""
        return self.current is None and not self.waiting

    def next_deadline_ns(self) -> int | None:
        """When anything is to be done next."""
        return _sooner(self.client.next_deadline_ns(), self.resume_ns)


class FunctionalRequest:
    """A request to all, and who answered what within the time for it."""

    __slots__ = ("_extra_ns", "_pending", "answers", "deadline_ns", "payload")

    def __init__(self, payload: bytes, deadline_ns: int, extra_ns: int) -> None:
        self.payload = payload
        self.deadline_ns = deadline_ns
        self.answers: dict[str, bytes] = {}
        """Final responses by node, in the order in which they came."""
        self._pending: set[str] = set()
        self._extra_ns = extra_ns

    def take(self, node: str, response: bytes, now_ns: int) -> bool:
        """Whether it is a response to this."""
        sid = self.payload[0]
        negative = len(response) >= 3 and response[:2] == bytes((NEGATIVE_RESPONSE, sid))
        if node in self.answers or not (negative or response[0] == (sid + POSITIVE_OFFSET) & 0xFF):
            return False
        if negative and response[2] == Nrc.RESPONSE_PENDING:
            self._pending.add(node)
            self.deadline_ns = max(self.deadline_ns, now_ns + self._extra_ns)
            return True
        self._pending.discard(node)
        self.answers[node] = response
        return True


class TesterNode:
    """The tester; implements `Node`."""

    fixed_schedule = False

    def __init__(
        self,
        messages: Iterable[DiagnosticMessages],
        *,
        settings: ClientSettings | None = None,
        link: LinkSettings | None = None,
    ) -> None:
        self.settings = settings if settings is not None else ClientSettings()
        self.conversations: dict[str, Conversation] = {}
        self._by_request: dict[int, Conversation] = {}
        self._by_response: dict[int, Conversation] = {}
        self._functional_link: IsoTpLink | None = None
        self._functional_id = -1
        for each in messages:
            own = each.link_settings(each.request, link)
            client = UdsClient(IsoTpLink(each.tester_address(), own), self.settings)
            conversation = self.conversations[each.node] = Conversation(each, client)
            self._by_request[each.request.arbitration_id] = conversation
            self._by_response[each.response.arbitration_id] = conversation
            if each.functional is not None and self._functional_link is None:
                self._functional_link = IsoTpLink(
                    each.tester_address(), each.link_settings(each.functional, link)
                )
                self._functional_id = each.functional.arbitration_id
        self.functional_request: FunctionalRequest | None = None
        """The one that waits for responses."""
        self.functional_count = 0
        self._present_payload = bytes((Sid.TESTER_PRESENT, 0x80))
        self._present_ns: int | None = None
        """When the next cyclic TesterPresent is due."""
        self._present_period_ns = 0
        self._port: Port | None = None
        self.record = DiagnosticRecord()
        """For the report."""

    # -- what it is asked to do -------------------------------------------------------------------

    def add(self, node: str, dialogue: Dialogue, now_ns: int) -> None:
        """Have a dialogue held, after those that wait for the same ECU."""
        conversation = self.conversations[node]
        conversation.is_at_rest = False
        conversation.waiting.append(dialogue)
        self._go_on(conversation, None, now_ns)

    def give_up(self, node: str, dialogue: Dialogue, now_ns: int) -> None:
        """Stop a dialogue that is held or waits."""
        conversation = self.conversations[node]
        conversation.is_at_rest = False
        if dialogue in conversation.waiting:
            conversation.waiting.remove(dialogue)
        elif conversation.current is dialogue:
            conversation.current = None
            conversation.resume_ns = None
            self._send(conversation.client.stop(now_ns).frames)
            self._go_on(conversation, None, now_ns)

    def ask_all(self, payload: bytes, now_ns: int) -> FunctionalRequest:
        """Send a functional request; what is answered is collected until its deadline."""
        link = self._functional_link
        if link is None:
            raise UsageError("tester: functional request", expected="a message with DiagState")
        wait_ns = self.settings.p2_ns + self.settings.network_ns
        more_ns = self.settings.p2_star_ns + self.settings.network_ns
        request = FunctionalRequest(payload, now_ns + wait_ns, more_ns)
        self.functional_request = request
        self.functional_count += 1
        self._send(link.send(payload, now_ns, functional=True).frames)
        if payload[0] == Sid.DIAGNOSTIC_SESSION_CONTROL and len(payload) > 1 and payload[1] & 0x80:
            for conversation in self.conversations.values():
                conversation.client.session = payload[1] & 0x7F
                conversation.is_at_rest = False
        return request

    def be_present(self, period_ns: int | None, now_ns: int) -> None:
        """Send a functional TesterPresent without response now and every `period_ns`."""
        self._present_period_ns = period_ns or 0
        self._present_ns = None if period_ns is None else now_ns

    # -- the Node protocol ------------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: what was being asked is given up."""
        self._port = port
        port.accept(self._by_response)
        port.confirm((*self._by_request, self._functional_id))
        for conversation in self.conversations.values():
            if conversation.client.is_busy:
                self._take(conversation, conversation.client.stop(now_ns), now_ns)
        if self._functional_link is not None:
            self._functional_link.stop(now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame of one of the ECUs."""
        conversation = self._by_response.get(frame.arbitration_id)
        if conversation is not None:
            self._take(conversation, conversation.client.receive(frame, now_ns), now_ns)

    def transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        """A frame of the tester has left its controller."""
        conversation = self._by_request.get(frame.arbitration_id)
        if conversation is not None:
            self._take(conversation, conversation.client.confirmed(frame, now_ns), now_ns)
        elif self._functional_link is not None:
            self._functional_link.confirmed(now_ns, frame)

    def on_timer(self, now_ns: int) -> None:
        """Whatever is due."""
        for conversation in self.conversations.values():
            if conversation.is_at_rest:
                continue
            deadline_ns = conversation.client.next_deadline_ns()
            if deadline_ns is not None and deadline_ns <= now_ns:
                self._take(conversation, conversation.client.on_timer(now_ns), now_ns)
            resume_ns = conversation.resume_ns
            if resume_ns is not None and resume_ns <= now_ns:
                conversation.resume_ns = None
                self._ask_next(conversation, None, now_ns)
                self._go_on(conversation, None, now_ns)
        link = self._functional_link
        if link is not None:
            while (deadline_ns := link.next_deadline_ns()) is not None and deadline_ns <= now_ns:
                self._send(link.on_timer(now_ns).frames)
            if self._present_ns is not None and self._present_ns <= now_ns:
                self._present_ns = now_ns + self._present_period_ns
                self._send(link.send(self._present_payload, now_ns, functional=True).frames)
        request = self.functional_request
        if request is not None and request.deadline_ns <= now_ns:
            self.functional_request = None

    def next_deadline_ns(self) -> int | None:
        """The soonest of all."""
        soonest_ns = self._present_ns
        for conversation in self.conversations.values():
            if conversation.is_at_rest:
                continue
            deadline_ns = conversation.next_deadline_ns()
            if deadline_ns is None:
                conversation.is_at_rest = True
            else:
                soonest_ns = _sooner(soonest_ns, deadline_ns)
        if self._functional_link is not None:
            soonest_ns = _sooner(soonest_ns, self._functional_link.next_deadline_ns())
        if self.functional_request is not None:
            soonest_ns = _sooner(soonest_ns, self.functional_request.deadline_ns)
        return soonest_ns

    # -- inside -----------------------------------------------------------------------------------

    def _send(self, frames: Iterable[Frame]) -> None:
        assert self._port is not None
        for frame in frames:
            self._port.send(frame)

    def _take(self, conversation: Conversation, step: ClientStep, now_ns: int) -> None:
        """Send what a client wants sent; go on with the dialogue whose request has ended."""
        conversation.is_at_rest = False
        self._send(step.frames)
        statistics = conversation.statistics
        for message in step.others:
            statistics.bytes_received += len(message)
            request = self.functional_request
            node = conversation.messages.node
            if request is None or not request.take(node, message, now_ns):
                statistics.unexpected += 1
                self._log(f"{node}: unexpected {shown(message)}")
                continue
            if message[0] == Sid.DIAGNOSTIC_SESSION_CONTROL + POSITIVE_OFFSET and len(message) > 1:
                conversation.client.session = message[1]
        for outcome in step.outcomes:
            self._count(conversation, outcome)
            self._go_on(conversation, outcome, now_ns)

    def _count(self, conversation: Conversation, outcome: Outcome) -> None:
        self.record.count(conversation.messages.node, outcome)
        statistics = conversation.statistics
        statistics.requests += 1
        statistics.pending_responses += outcome.pending_count
        statistics.bytes_sent += len(outcome.request)
        if outcome.response is not None:
            statistics.responses += 1
            statistics.bytes_received += len(outcome.response)
            statistics.negative_responses += outcome.kind is OutcomeKind.NEGATIVE
            statistics.round_trips_ns.append(outcome.duration_ns)
        elif outcome.kind is not OutcomeKind.SUPPRESSED:
            statistics.timeouts += 1
        if outcome.request[0] != Sid.TRANSFER_DATA or outcome.kind is not OutcomeKind.POSITIVE:
            self._log(f"{conversation.messages.node}: {outcome}")

    def _go_on(self, conversation: Conversation, outcome: Outcome | None, now_ns: int) -> None:
        """The next request of the dialogue, or the next dialogue."""
        if conversation.current is not None:
            if outcome is None:
                return  # the one that is held comes first
            heard: Callable[[Outcome], object] | None
            heard = getattr(conversation.current, "heard", None)
            if heard is not None:
                heard(outcome)
            self._ask_next(conversation, outcome.response, now_ns)
        while conversation.current is None and conversation.waiting:
            conversation.current = conversation.waiting.popleft()
            self._ask_next(conversation, None, now_ns)

    def _ask_next(self, conversation: Conversation, response: bytes | None, now_ns: int) -> None:
        dialogue = conversation.current
        assert dialogue is not None
        payload = dialogue.next_request(response, now_ns)
        if payload is None:
            conversation.current = None
        elif payload:
            self._send(conversation.client.request(payload, now_ns).frames)
        else:
            resume_ns = getattr(dialogue, "resume_ns", None)
            if type(resume_ns) is not int or resume_ns <= now_ns:
                raise UsageError(
                    f"dialogue {type(dialogue).__name__}, resume_ns",
                    expected=f"a time after {format_ns(now_ns)} beside an empty request",
                    got=repr(resume_ns),
                )
            conversation.resume_ns = resume_ns

    def _log(self, text: str) -> None:
        if self._port is not None:
            self._port.log("note", text)


def _sooner(one_ns: int | None, other_ns: int | None) -> int | None:
    if one_ns is None:
        return other_ns
    return one_ns if other_ns is None or one_ns < other_ns else other_ns
