"""How a service says what it is and answers.

A service is an object without state. It declares its identifier, where the ECU's table offers it
and its sub-functions; the server (server.py) checks what is common to all services in the order of
ISO 14229-1:2020, 8.7.2, and then calls `serve` for the rest. A service with `sub_functions` is
called only with one that is offered, in this session, to this tester; what remains to it are
sequence (0x24), total length (0x13), range (0x31) and conditions (0x22), in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from simcore.diag.access import ANYONE, Access
from simcore.diag.codes import SUPPRESS_BIT, Nrc, Session, Sid
from simcore.diag.operation import Answer, Operation
from simcore.diag.session import DiagnosticState
from simcore.diag.table import DiagnosticTable

LENGTH = Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT


@dataclass(frozen=True, slots=True)
class Request:
    """A request as services see it."""

    payload: bytes
    """All of it, service identifier and suppress bit included."""
    functional: bool = False
    source: int = 0
    """Who asked, where the transport can tell."""

    @property
    def sub_function(self) -> int:
        """The sub-function without its suppress bit."""
        return self.payload[1] & ~SUPPRESS_BIT

    @property
    def data(self) -> bytes:
        """What follows the sub-function."""
        return self.payload[2:]

    def __len__(self) -> int:
        return len(self.payload)


@dataclass(frozen=True, slots=True)
class SubFunction:
    """A sub-function that the ECU offers."""

    name: str
    access: Access = ANYONE
    reached_from: tuple[int, ...] | None = None
    """Sessions that it works in beside those of `access`; `None`: no further limit."""

    def in_session(self, session: int) -> bool:
        """Whether it is offered in a session."""
        return self.access.in_session(session) and (
            self.reached_from is None or session in self.reached_from
        )


class Service:
    """One service. The defaults suit one without sub-function that every session offers."""

    __slots__ = ()
    sid: ClassVar[Sid]
    has_sub_function: ClassVar[bool] = False
    """Whether the second byte is one, so that its bit 7 suppresses the positive response."""
    needs_dtcs: ClassVar[bool] = False
    """Offered only by an ECU with a DTC memory."""

    def access(self, table: DiagnosticTable) -> Access | None:
        """Where the ECU offers the service as a whole; `None`: not at all (0x11).

        A `ServiceRule` of the table restricts it further.
        """
        return ANYONE

    def sub_functions(self, table: DiagnosticTable) -> Mapping[int, SubFunction] | None:
        """What the server checks before `serve`; `None`: the service does it all itself."""
        return None

    def serve(self, request: Request, state: DiagnosticState, now_ns: int) -> Answer:
        """The positive response after its service identifier, a refusal, or work that goes on.

        Echoes (sub-function, identifiers) are part of the answer. An operation's answer too: see
        `Continued` for handlers that know nothing of echoes.
        """
        raise NotImplementedError


def beyond_default(table: DiagnosticTable) -> Access | None:
    """Every session but the default one; `None` where there is no other."""
    sessions = tuple(rule.session for rule in table.sessions if rule.session != Session.DEFAULT)
    return Access(sessions=sessions) if sessions else None


class Continued:
    """An operation of a handler whose result the service completes to its answer."""

    __slots__ = ("_finish", "_operation", "_refused")

    def __init__(
        self,
        operation: Operation,
        finish: Callable[[bytes], bytes | Nrc],
        refused: Callable[[Nrc], None] | None = None,
    ) -> None:
        self._operation = operation
        self._finish = finish
        self._refused = refused

    def step(self, now_ns: int) -> bytes | Nrc | None:
        """Go on with the handler's operation."""
        result = self._operation.step(now_ns)
        if isinstance(result, Nrc) and self._refused is not None:
            self._refused(result)
        return self._finish(result) if isinstance(result, bytes) else result

    def next_deadline_ns(self) -> int:
        """That of the handler's operation."""
        return self._operation.next_deadline_ns()


def continued(
    answer: Answer,
    finish: Callable[[bytes], bytes | Nrc],
    refused: Callable[[Nrc], None] | None = None,
) -> Answer:
    """`finish` of the data that a handler answers, now or when its operation is done.

    `refused` is told where it answers a refusal instead. Both stay in the state of the server:
    bound methods, or a `functools.partial` of a function of a module.
    """
    if isinstance(answer, Nrc):
        if refused is not None:
            refused(answer)
        return answer
    if isinstance(answer, bytes):
        return finish(answer)
    return Continued(answer, finish, refused)


def prefixed(echo: bytes, data: bytes) -> bytes:
    """The echo with the data behind it; made for `functools.partial`."""
    return echo + data


def total_size(request: Request, size: int) -> Nrc | None:
    """The refusal of a request that is not exactly so long."""
    return None if len(request) == size else LENGTH
