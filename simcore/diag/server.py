"""The UDS server of one ECU: general checks, suppression, response timing (ISO 14229-1 and -2).

Sans-IO: requests and time come in, responses go out. What the services do is in services/, what
they remember in session.py, what the ECU offers in its table.

Order of the general checks (ISO 14229-1:2020, figures 5 and 6): busy 0x21, service known 0x11,
service in this session 0x7F, role and level for the service 0x34 0x33; with a sub-function length
0x13, sub-function known 0x12, in this session 0x7E, role and level for it 0x34 0x33; the rest is
up to the service.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from simcore.diag.access import Access
from simcore.diag.codes import (
    NEGATIVE_RESPONSE,
    POSITIVE_OFFSET,
    SUPPRESS_BIT,
    Nrc,
    ResetKind,
    Session,
    Sid,
)
from simcore.diag.operation import Answer, Operation
from simcore.diag.services import SERVICES
from simcore.diag.services.service import LENGTH, Request, Service, SubFunction
from simcore.diag.session import CommunicationEnabled, DiagnosticState, DtcService
from simcore.diag.table import BusyRule, DiagnosticTable
from simcore.kernel import RandomStream

NOT_ANSWERED_FUNCTIONALLY = frozenset(
    {
        Nrc.SERVICE_NOT_SUPPORTED,
        Nrc.SUB_FUNCTION_NOT_SUPPORTED,
        Nrc.REQUEST_OUT_OF_RANGE,
        Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION,
        Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION,
    }
)
"""Refusals that a functional request does not get: the ECU was not meant (8.7.2)."""
TESTER_PRESENT_SUPPRESSED = bytes((Sid.TESTER_PRESENT, SUPPRESS_BIT))


@dataclass(frozen=True, slots=True)
class Offer:
    """What the ECU's table makes of a service."""

    service: Service
    access: Access
    rule_access: Access
    """That of the table's `ServiceRule`: needed for the service as a whole."""
    sub_functions: Mapping[int, SubFunction] | None

    def in_session(self, session: int) -> bool:
        """Whether the service is offered in a session."""
        return self.access.in_session(session) and self.rule_access.in_session(session)

    def __copy__(self) -> Offer:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Offer:
        return self


def offers(table: DiagnosticTable, *, has_dtcs: bool) -> dict[int, Offer]:
    """What an ECU with this table offers, by service identifier."""
    offered = {}
    for sid, service in sorted(SERVICES.items()):
        rule = table.service_rule(service.sid)
        access = service.access(table)
        if access is not None and rule.is_offered and (has_dtcs or not service.needs_dtcs):
            offered[sid] = Offer(service, access, rule.access, service.sub_functions(table))
    return offered


class _Pending:
    """The request under way whose handler takes time."""

    __slots__ = ("due_ns", "operation", "pending_sent", "request")

    def __init__(self, request: Request, operation: Operation, due_ns: int) -> None:
        self.request = request
        self.operation = operation
        self.due_ns = due_ns
        """When the next 0x78 is due."""
        self.pending_sent = 0


class UdsServer:
    """Answers requests as the table says. See `request`, `on_timer` and `sent`."""

    __slots__ = ("_offers", "_pending", "_reset_ready", "_s3_ns", "last_reset", "state", "table")

    def __init__(
        self,
        table: DiagnosticTable,
        *,
        memory: MutableMapping[str, bytes],
        dtcs: DtcService | None = None,
        stream: RandomStream,
    ) -> None:
        self.table = table
        self._offers = offers(table, has_dtcs=dtcs is not None)
        access = {sid: (offer.access, offer.rule_access) for sid, offer in self._offers.items()}
        self.state = DiagnosticState(table, memory, dtcs, stream, access)
        self._pending: _Pending | None = None
        self._s3_ns: int | None = None
        """When the session ends for want of requests."""
        self._reset_ready = False
        self.last_reset: ResetKind | None = None
        """The reset by a tester that the last start followed; `None`: it was a power on."""

    # ---- what the rest of the ECU asks ----

    @property
    def session(self) -> int:
        """The active diagnostic session."""
        return self.state.session

    @property
    def unlocked_level(self) -> int:
        """The unlocked level of SecurityAccess; 0: none."""
        return self.state.security.unlocked

    @property
    def authenticated_role(self) -> str:
        """Roles of the authenticated tester, separated by commas; empty: nobody."""
        return ",".join(self.state.authentication.roles)

    @property
    def communication_enabled(self) -> CommunicationEnabled:
        """What CommunicationControl leaves switched on."""
        return self.state.communication

    @property
    def is_busy(self) -> bool:
        """Whether a request is being processed."""
        return self._pending is not None

    @property
    def source(self) -> int | None:
        """Who waits for the answers that `on_timer` gives; `None` while nobody does."""
        return None if self._pending is None else self._pending.request.source

    def request_reset(self, kind: ResetKind) -> None:
        """Let the ECU reset once the answer to the present request has left.

        For handlers whose work ends in a reset, as activating an update does.
        """
        self.state.reset = kind

    def take_reset(self) -> ResetKind | None:
        """The reset that is due now, once."""
        if not self._reset_ready:
            return None
        kind, self.state.reset, self._reset_ready = self.state.reset, None, False
        return kind

    # ---- events ----

    def start(self, now_ns: int, *, after_reset: ResetKind | None = None) -> None:
        """Power on, or the reset a tester asked for: default session, everything locked."""
        self._pending = None
        self._s3_ns = None
        self._reset_ready = False
        self.last_reset = after_reset
        self.state.start(now_ns)

    def request(
        self, payload: bytes, now_ns: int, *, functional: bool = False, source: int = 0
    ) -> tuple[bytes, ...]:
        """A request arrived; its response, where there is one at once."""
        if not payload:
            return ()
        if self._pending is not None or self.state.reset is not None:
            return self._refuse_busy(payload)
        self._expire(now_ns)
        self._s3_ns = None  # it stands still while a request is processed
        request = Request(payload, functional, source)
        answer = self._evaluate(request, now_ns)
        if isinstance(answer, bytes | Nrc):
            return self._finish(request, answer, now_ns, must_answer=False)
        due_ns = now_ns + self._p2_ns() - self.table.timing.margin_ns
        self._pending = _Pending(request, answer, due_ns)
        return self._go_on(now_ns)

    def on_timer(self, now_ns: int) -> tuple[bytes, ...]:
        """Work goes on, 0x78 is due, or a session or a security delay ends."""
        self._expire(now_ns)
        return () if self._pending is None else self._go_on(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        deadlines_ns = [self._s3_ns, self.state.security.next_deadline_ns()]
        if self._pending is not None:
            deadlines_ns += [self._pending.due_ns, self._pending.operation.next_deadline_ns()]
        return min((at_ns for at_ns in deadlines_ns if at_ns is not None), default=None)

    def sent(self, now_ns: int) -> None:
        """The final response has left, or could not be sent: S3 begins, a reset is due."""
        if self._pending is not None:
            return
        if self._s3_ns is not None:
            self._restart_s3(now_ns)
        self._reset_ready = self.state.reset is not None

    # ---- one request ----

    def _evaluate(self, request: Request, now_ns: int) -> Answer:
        """The general checks, then the service."""
        offer = self._offers.get(request.payload[0])
        if offer is None:
            return Nrc.SERVICE_NOT_SUPPORTED
        if not offer.in_session(self.state.session):
            return Nrc.SERVICE_NOT_SUPPORTED_IN_ACTIVE_SESSION
        refusal = self.state.denial(offer.rule_access)
        if refusal is None and offer.service.has_sub_function:
            refusal = self._check_sub_function(request, offer)
        if refusal is not None:
            return refusal
        return offer.service.serve(request, self.state, now_ns)

    def _check_sub_function(self, request: Request, offer: Offer) -> Nrc | None:
        if len(request) < 2:
            return LENGTH
        if offer.sub_functions is None:
            return None
        sub_function = offer.sub_functions.get(request.sub_function)
        if sub_function is None:
            return Nrc.SUB_FUNCTION_NOT_SUPPORTED
        if not sub_function.in_session(self.state.session):
            return Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION
        return self.state.denial(sub_function.access)

    def _refuse_busy(self, payload: bytes) -> tuple[bytes, ...]:
        """A second request: refused, but for a TesterPresent that wants no answer.

        That one is meant for functional addressing (ISO 14229-2); testers on DoIP send it to the
        ECU itself, and nothing depends on which.
        """
        if payload == TESTER_PRESENT_SUPPRESSED:
            return ()
        if self.table.timing.busy is BusyRule.IGNORE:
            return ()
        return (_negative(payload[0], Nrc.BUSY_REPEAT_REQUEST),)

    def _go_on(self, now_ns: int) -> tuple[bytes, ...]:
        """Step the work under way; say 0x78 where it lasts."""
        pending = self._pending
        if pending is None:
            return ()
        if pending.operation.next_deadline_ns() <= now_ns:
            result = pending.operation.step(now_ns)
            if result is not None:
                return self._complete(pending, result, now_ns)
        if now_ns < pending.due_ns:
            return ()
        timing = self.table.timing
        if pending.pending_sent >= timing.pending_max:
            return self._complete(pending, Nrc.GENERAL_REJECT, now_ns)
        pending.pending_sent += 1
        pending.due_ns = now_ns + self._p2_star_ns() - timing.margin_ns
        return (_negative(pending.request.payload[0], Nrc.RESPONSE_PENDING),)

    def _complete(self, pending: _Pending, result: bytes | Nrc, now_ns: int) -> tuple[bytes, ...]:
        self._pending = None
        must_answer = pending.pending_sent > 0
        return self._finish(pending.request, result, now_ns, must_answer=must_answer)

    def _finish(
        self, request: Request, answer: bytes | Nrc, now_ns: int, *, must_answer: bool
    ) -> tuple[bytes, ...]:
        """The final response, unless it is suppressed; once 0x78 was said it never is."""
        self._restart_s3(now_ns)
        if isinstance(answer, bytes) and len(answer) + 1 > self.table.response_size_max:
            answer = Nrc.RESPONSE_TOO_LONG
        if isinstance(answer, Nrc):
            if request.functional and answer in NOT_ANSWERED_FUNCTIONALLY and not must_answer:
                return self._silent()
            return (_negative(request.payload[0], answer),)
        if self._suppresses(request) and not must_answer:
            return self._silent()
        return (bytes((request.payload[0] + POSITIVE_OFFSET,)) + answer,)

    def _suppresses(self, request: Request) -> bool:
        has_sub_function = self._offers[request.payload[0]].service.has_sub_function
        return has_sub_function and bool(request.payload[1] & SUPPRESS_BIT)

    def _silent(self) -> tuple[bytes, ...]:
        """No response, so nothing for a reset to wait for."""
        self._reset_ready = self.state.reset is not None
        return ()

    # ---- time ----

    def _p2_ns(self) -> int:
        rule = self.table.session(self.state.session)
        return 0 if rule is None else rule.p2_ns

    def _p2_star_ns(self) -> int:
        rule = self.table.session(self.state.session)
        return 0 if rule is None else rule.p2_star_ns

    def end_session(self, now_ns: int) -> None:
        """The ECU ends the session by itself: default session, with all that this restores."""
        self._s3_ns = None
        self.state.enter(Session.DEFAULT, now_ns)

    def _restart_s3(self, now_ns: int) -> None:
        runs = self.state.session != Session.DEFAULT or bool(self.state.authentication.roles)
        self._s3_ns = now_ns + self.table.timing.s3_ns if runs else None

    def _expire(self, now_ns: int) -> None:
        """End what time has ended: the session, delays of SecurityAccess."""
        if self._s3_ns is not None and self._s3_ns <= now_ns:
            self._s3_ns = None
            self.state.enter(Session.DEFAULT, now_ns)
        delay_end_ns = self.state.security.next_deadline_ns()
        if delay_end_ns is not None and delay_end_ns <= now_ns:
            self.state.security.on_timer(now_ns)


def _negative(sid: int, nrc: Nrc) -> bytes:
    return bytes((NEGATIVE_RESPONSE, sid, nrc))
