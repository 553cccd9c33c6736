"""UDS client: one request at a time over one ISO-TP link. ISO 14229-2:2021, clause 7; sans-IO.

Waits P2 for a response, P2* after each 0x78, however many of them come; a response that has begun
is the transport's to time. What comes of a request is data, an `Outcome`: silence and refusals are
results, not errors. In a session other than the default one it keeps the server there (S3), if that
is wanted. Which frames go where is the link's; several servers at once are several clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Any, NamedTuple, Self

from simcore.bus import Frame
from simcore.diag.client_states import ClientEvent, ClientState, next_state
from simcore.diag.codes import NEGATIVE_RESPONSE, POSITIVE_OFFSET, SUPPRESS_BIT, Nrc, Session, Sid
from simcore.errors import UsageError
from simcore.transport import IsoTpLink, NResult, Role, Step
from simcore.units import NS_PER_MS, NS_PER_S, format_ns

_KEEP_ALIVE = bytes((Sid.TESTER_PRESENT, SUPPRESS_BIT))
_WITH_SUB_FUNCTION = frozenset(
    {
        Sid.DIAGNOSTIC_SESSION_CONTROL,
        Sid.ECU_RESET,
        Sid.READ_DTC_INFORMATION,
        Sid.SECURITY_ACCESS,
        Sid.COMMUNICATION_CONTROL,
        Sid.AUTHENTICATION,
        Sid.ROUTINE_CONTROL,
        Sid.TESTER_PRESENT,
        Sid.CONTROL_DTC_SETTING,
    }
)
_P2_STAR_UNIT_NS = 10 * NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How long a client waits; see `ISO 14229-2`, table 5."""

    p2_ns: int = 50 * NS_PER_MS
    """What the server has for the beginning of its response."""
    p2_star_ns: int = 5 * NS_PER_S
    """The same after a 0x78."""
    network_ns: int = 50 * NS_PER_MS
    """What the network may add to either (delta P2)."""
    server_timing: bool = True
    """Take both from the server's response to 0x10."""
    s3_ns: int = 2 * NS_PER_S
    """Between two signs of life that keep a session."""
    keeps_session: bool = False
    """Send these signs of life in every session but the default one."""

    def __post_init__(self) -> None:
        for name in ("p2_ns", "p2_star_ns", "network_ns", "s3_ns"):
            value = getattr(self, name)
            if type(value) is not int or value < 0 or (value == 0 and name != "network_ns"):
                raise UsageError(f"client, {name}", expected="whole ns > 0", got=repr(value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


DEFAULT_SETTINGS = ClientSettings()


@unique
class OutcomeKind(IntEnum):
    """What became of a request."""

    POSITIVE = 0
    NEGATIVE = 1
    SUPPRESSED = 2
    """No response came, and none was wanted."""
    TIMEOUT = 3
    """No response came within P2 or P2*."""
    TRANSPORT = 4
    """Request or response got lost on the way; `text` says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A request and what came of it."""

    kind: OutcomeKind
    request: bytes
    response: bytes | None
    """The final one, positive or negative; `None` without any."""
    begun_ns: int
    """When the request was handed over."""
    ended_ns: int
    pending_count: int = 0
    """How often the server answered 0x78 before."""
    text: str = ""

    @property
    def duration_ns(self) -> int:
        """From request to response: the round trip."""
        return self.ended_ns - self.begun_ns

    @property
    def nrc(self) -> int | None:
        """The negative response code, where it is one."""
        response = self.response
        return response[2] if self.kind is OutcomeKind.NEGATIVE and response else None

    def __str__(self) -> str:
        sent = shown(self.request)
        if self.response is not None:
            answer = shown(self.response)
            if self.nrc is not None:
                answer += f" ({_nrc_name(self.nrc)})"
        else:
            answer = self.text
        pending = f", 0x78 x {self.pending_count}" if self.pending_count else ""
        return f"{sent} -> {answer} ({format_ns(self.duration_ns)}{pending})"


class ClientStep(NamedTuple):
    """What one call brought about: frames to send in this order, requests that ended."""

    frames: tuple[Frame, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    others: tuple[bytes, ...] = ()
    """Messages that answer nothing this client asked: late, or to a functional request."""


NOTHING = ClientStep()


class UdsClient:
    """The client side of one link."""

    __slots__ = (
        "_begun_ns",
        "_deadline_ns",
        "_link",
        "_p2_ns",
        "_p2_star_ns",
        "_pending",
        "_request",
        "_settings",
        "_sign_ns",
        "bytes_received",
        "bytes_sent",
        "session",
        "state",
        "unexpected_count",
    )

    def __init__(self, link: IsoTpLink, settings: ClientSettings = DEFAULT_SETTINGS) -> None:
        self._link = link
        self._settings = settings
        self._p2_ns, self._p2_star_ns = settings.p2_ns, settings.p2_star_ns
        self.state = ClientState.IDLE
        self._request = b""
        self._begun_ns = 0
        self._pending = 0
        self._deadline_ns: int | None = None
        """End of P2 or P2*, while waiting."""
        self._sign_ns = 0
        """When the next sign of life is due, in a session to be kept."""
        self.session: int = Session.DEFAULT
        """As far as this client knows."""
        self.bytes_sent = self.bytes_received = 0
        """Payload of all messages."""
        self.unexpected_count = 0
        """Messages that answer nothing that was asked."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way."""
        return self.state is not ClientState.IDLE

    @property
    def settings(self) -> ClientSettings:
        """As given."""
        return self._settings

    # -- calls ------------------------------------------------------------------------------------

    def request(self, payload: bytes, now_ns: int) -> ClientStep:
        """Send a request. Raises `UsageError` for an empty one, and while another is on its way."""
        if not isinstance(payload, (bytes, bytearray)) or not payload:
            raise UsageError("request", expected="at least one byte", got=repr(payload))
        if self.is_busy:
            raise UsageError(
                f"request {shown(payload)}", expected="no other", got=f"{shown(self._request)} open"
            )
        self._request, self._begun_ns, self._pending = bytes(payload), now_ns, 0
        self._deadline_ns = None
        self._go(ClientEvent.REQUESTED)
        self.bytes_sent += len(payload)
        return self._taken(self._link.send(self._request, now_ns), now_ns)

    def receive(self, frame: Frame, now_ns: int) -> ClientStep:
        """A frame came; one of another link changes nothing."""
        step = self._link.receive(frame, now_ns)
        if self.state is ClientState.WAITING and self._link.is_receiving:
            self._go(ClientEvent.RESPONSE_BEGAN)
            self._deadline_ns = None  # from here on N_Cr watches
        return self._taken(step, now_ns)

    def confirmed(self, frame: Frame, now_ns: int) -> ClientStep:
        """A frame of this link has left the controller."""
        return self._taken(self._link.confirmed(now_ns, frame), now_ns)

    def on_timer(self, now_ns: int) -> ClientStep:
        """A deadline has come."""
        frames: list[Frame] = []
        outcomes: list[Outcome] = []
        link = self._link
        while (deadline_ns := link.next_deadline_ns()) is not None and deadline_ns <= now_ns:
            step = self._taken(link.on_timer(now_ns), now_ns)
            frames += step.frames
            outcomes += step.outcomes
        deadline_ns = self._deadline_ns
        if deadline_ns is not None and deadline_ns <= now_ns:
            outcomes.append(self._silent(now_ns))
        if self._keeps_session and not self.is_busy and self._sign_ns <= now_ns:
            self._sign_ns = now_ns + self._settings.s3_ns
            step = self._taken(self._link.send(_KEEP_ALIVE, now_ns), now_ns)
            frames += step.frames
        return ClientStep(tuple(frames), tuple(outcomes))

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        soonest_ns = self._link.next_deadline_ns()
        own_ns = self._deadline_ns
        if own_ns is not None and (soonest_ns is None or own_ns < soonest_ns):
            soonest_ns = own_ns
        if self._keeps_session and not self.is_busy:
            if soonest_ns is None or self._sign_ns < soonest_ns:
                soonest_ns = self._sign_ns
        return soonest_ns

    def stop(self, now_ns: int) -> ClientStep:
        """Give the request up: the client was reset, or nobody wants to know any more."""
        step = self._taken(self._link.stop(now_ns), now_ns)
        if not self.is_busy:
            return step
        outcome = self._ended(OutcomeKind.TRANSPORT, None, now_ns, "given up")
        return ClientStep(step.frames, (*step.outcomes, outcome), step.others)

    def forget_session(self) -> None:
        """The server is in its default session: it was reset, or told so together with others."""
        self.session = Session.DEFAULT

    # -- inside -----------------------------------------------------------------------------------

    @property
    def _keeps_session(self) -> bool:
        return self._settings.keeps_session and self.session != Session.DEFAULT

    def _go(self, event: ClientEvent) -> None:
        self.state = next_state(self.state, event)

    def _taken(self, step: Step, now_ns: int) -> ClientStep:
        if not step.events and not step.messages:
            return ClientStep(step.frames) if step.frames else NOTHING
        outcomes: list[Outcome] = []
        others: list[bytes] = []
        for event in step.events:
            if event.role is Role.SENDER and event.kind is NResult.N_OK:
                self._sent(now_ns)
            elif self.is_busy and event.kind is not NResult.N_UNEXP_PDU:
                text = f"{event.kind.name} as {event.role.name.lower()}"
                outcomes.append(self._ended(OutcomeKind.TRANSPORT, None, now_ns, text))
        for message in step.messages:
            self.bytes_received += len(message.payload)
            outcome = self._answered(message.payload, now_ns)
            if outcome is not None:
                outcomes.append(outcome)
            elif not self.is_busy or not answers(message.payload, self._request):
                self.unexpected_count += 1
                others.append(message.payload)
        return ClientStep(step.frames, tuple(outcomes), tuple(others))

    def _sent(self, now_ns: int) -> None:
        if self.state is ClientState.SENDING:
            self._go(ClientEvent.SENT)
            self._deadline_ns = now_ns + self._p2_ns + self._settings.network_ns

    def _answered(self, response: bytes, now_ns: int) -> Outcome | None:
        if not self.is_busy or not answers(response, self._request):
            return None
        if response[0] == NEGATIVE_RESPONSE:
            if response[2] == Nrc.RESPONSE_PENDING:
                self._pending += 1
                self._go(ClientEvent.PENDING)
                self._deadline_ns = now_ns + self._p2_star_ns + self._settings.network_ns
                return None
            return self._ended(OutcomeKind.NEGATIVE, response, now_ns)
        self._follow(response, now_ns)
        return self._ended(OutcomeKind.POSITIVE, response, now_ns)

    def _follow(self, response: bytes, now_ns: int) -> None:
        """What a positive response says about session and timing."""
        if response[0] == Sid.ECU_RESET + POSITIVE_OFFSET:
            self.forget_session()
            self._p2_ns, self._p2_star_ns = self._settings.p2_ns, self._settings.p2_star_ns
        elif response[0] == Sid.DIAGNOSTIC_SESSION_CONTROL + POSITIVE_OFFSET and len(response) >= 2:
            self.session = response[1]
            if self._settings.server_timing and len(response) >= 6:
                self._p2_ns = int.from_bytes(response[2:4], "big") * NS_PER_MS
                self._p2_star_ns = int.from_bytes(response[4:6], "big") * _P2_STAR_UNIT_NS

    def _silent(self, now_ns: int) -> Outcome:
        """P2 or P2* is over."""
        request = self._request
        if not self._pending and suppresses(request):
            if request[0] == Sid.DIAGNOSTIC_SESSION_CONTROL:
                self.session = request[1] & ~SUPPRESS_BIT
            elif request[0] == Sid.ECU_RESET:
                self.forget_session()
            return self._ended(OutcomeKind.SUPPRESSED, None, now_ns, "no response, as wanted")
        late = "P2*" if self._pending else "P2"
        return self._ended(OutcomeKind.TIMEOUT, None, now_ns, f"no response within {late}")

    def _ended(
        self, kind: OutcomeKind, response: bytes | None, now_ns: int, text: str = ""
    ) -> Outcome:
        self._go(ClientEvent.ENDED)
        self._deadline_ns = None
        self._sign_ns = now_ns + self._settings.s3_ns
        return Outcome(
            kind=kind,
            request=self._request,
            response=response,
            begun_ns=self._begun_ns,
            ended_ns=now_ns,
            pending_count=self._pending,
            text=text,
        )


def answers(response: bytes, request: bytes) -> bool:
    """Whether a message is a response to a request, by service and echoed sub-function."""
    if response[0] == NEGATIVE_RESPONSE:
        return len(response) >= 3 and response[1] == request[0]
    if response[0] != (request[0] + POSITIVE_OFFSET) & 0xFF:
        return False
    if request[0] in _WITH_SUB_FUNCTION and len(request) >= 2:
        return len(response) >= 2 and response[1] == request[1] & ~SUPPRESS_BIT
    return True


def suppresses(request: bytes) -> bool:
    """Whether a request asks for no positive response."""
    return (
        request[0] in _WITH_SUB_FUNCTION and len(request) >= 2 and bool(request[1] & SUPPRESS_BIT)
    )


def shown(payload: bytes, most: int = 24) -> str:
    """Bytes for people: `22 F1 90`, long ones cut."""
    text = bytes(payload[:most]).hex(" ").upper()
    return text if len(payload) <= most else f"{text} .. ({len(payload)} bytes)"


def _nrc_name(nrc: int) -> str:
    return Nrc(nrc).name if nrc in frozenset(Nrc) else f"NRC 0x{nrc:02X}"
