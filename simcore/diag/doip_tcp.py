"""`TcpSide` of a DoIP entity: connections, their activation, and diagnostic messages.

Who may be registered is decided in the order of the standard: source address, activation type,
socket (with alive checks of whoever holds it), authentication, confirmation. A diagnostic message
is acknowledged before it is answered. ISO 13400-2:2019, clauses 9.4, 10.5, 11.
"""

from __future__ import annotations

import struct

from simcore.diag.doip_codec import (
    ActivationCode,
    DiagnosticNack,
    PayloadType,
    Received,
    Refused,
    answer_version,
    encode,
)
from simcore.diag.doip_connection import NEVER_NS, Activation, Connection
from simcore.diag.doip_output import Action, Close, Send
from simcore.diag.doip_router import DiagnosticRouter, Reply
from simcore.diag.doip_settings import ActivationRule, Confirmation, DoipSettings
from simcore.diag.doip_states import ConnectionEvent, ConnectionState
from simcore.errors import UsageError

_T = PayloadType
_C = ActivationCode
_ADDRESSES = struct.Struct(">HH")
_ACTIVATION_REQUEST = struct.Struct(">HB")
_ACTIVATION_RESPONSE = struct.Struct(">HHBI")
_SECRET_AT = 7
"""Where the bytes of the vehicle manufacturer begin in an activation request."""
ACKNOWLEDGED = 0x00


class TcpSide:
    """The connections of an entity. Calls fill `actions`, which `take` empties."""

    __slots__ = (
        "_actions",
        "_router",
        "_settings",
        "blocked_count",
        "connections",
        "next_number",
        "refused_count",
        "undelivered_count",
    )

    def __init__(
        self, settings: DoipSettings, router: DiagnosticRouter, *, first_connection: int = 1
    ) -> None:
        self._settings = settings
        self._router = router
        self.connections: dict[int, Connection] = {}
        """Open ones, by number."""
        self.next_number = first_connection
        self._actions: list[Action] = []
        self.refused_count = 0
        """Connections for which not even the socket to be turned away on was free."""
        self.blocked_count = 0
        """Activations that were denied, and requests beyond what a tester may reach."""
        self.undelivered_count = 0
        """Responses whose tester was not there any more."""

    def take(self) -> list[Action]:
        """What is to be done, in order."""
        actions, self._actions = self._actions, []
        return actions

    def connect(self, now_ns: int) -> int | None:
        """A tester has connected; the number of its connection, `None` to turn it away."""
        if len(self.connections) > self._settings.max_sockets:
            self.refused_count += 1
            return None
        number = self.next_number
        self.next_number += 1
        self.connections[number] = Connection(self._settings, now_ns)
        return number

    def disconnected(self, number: int, now_ns: int) -> None:
        """The tester has closed."""
        self._end(number, ConnectionEvent.PEER_CLOSED, now_ns)

    def stop(self, now_ns: int) -> None:
        """End every connection."""
        for number in tuple(self.connections):
            self._end(number, ConnectionEvent.STOPPED, now_ns)

    def receive(self, number: int, data: bytes, now_ns: int) -> None:
        """A chunk of a connection's stream; nothing happens on one that has ended."""
        if not 0 < number < self.next_number:
            raise UsageError("DoIP connection", expected="one that was opened", got=number)
        connection = self.connections.get(number)
        if connection is None or not data:
            return
        connection.used(now_ns)
        others = (each for each in self.connections.values() if each is not connection)
        taken = sum(each.reader.reserved for each in others)
        for message in connection.reader.feed(data, self._settings.memory_size - taken):
            connection.version = answer_version(message.version, self._settings.version)
            if isinstance(message, Refused):
                self._send(number, _T.HEADER_NACK, bytes((message.code,)), now_ns)
                if message.closes:
                    self._end(number, ConnectionEvent.PROTOCOL_ERROR, now_ns)
            else:
                self._handle(number, connection, message, now_ns)
            if not connection.is_open:
                return

    def respond(self, reply: Reply, now_ns: int) -> None:
        """A response has come for a tester."""
        number = self._holder(reply.tester)
        if number is None or self.connections[number].state is not ConnectionState.ACTIVE:
            self.undelivered_count += 1
            return
        addresses = _ADDRESSES.pack(reply.source, reply.tester)
        self._send(number, _T.DIAGNOSTIC_MESSAGE, addresses + reply.payload, now_ns)

    def confirm(self, tester: int, accepted: bool, now_ns: int) -> bool:
        """Somebody in the vehicle has decided; False where nothing waits for that."""
        number = self._holder(tester)
        if number is None:
            return False
        connection = self.connections[number]
        if connection.state is not ConnectionState.CONFIRMING:
            return False
        if accepted:
            connection.happens(ConnectionEvent.ACTIVATED, now_ns)
            self._answer_activation(number, tester, _C.ACTIVATED, now_ns)
        else:
            self._deny(number, tester, _C.REJECTED_CONFIRMATION, now_ns)
        return True

    # -- time -------------------------------------------------------------------------------------

    def on_timer(self, now_ns: int) -> None:
        """End what took too long."""
        for number, connection in tuple(self.connections.items()):
            if connection.alive_deadline_ns <= now_ns:
                self._end(number, ConnectionEvent.ALIVE_CHECK_TIMEOUT, now_ns)
            elif connection.inactivity_deadline_ns <= now_ns:
                self._end(number, ConnectionEvent.INACTIVITY_TIMEOUT, now_ns)

    def next_deadline_ns(self) -> int | None:
        """When the next timer is over."""
        deadline_ns = min((c.deadline_ns for c in self.connections.values()), default=NEVER_NS)
        return None if deadline_ns == NEVER_NS else deadline_ns

    # -- messages ---------------------------------------------------------------------------------

    def _handle(self, number: int, connection: Connection, message: Received, now_ns: int) -> None:
        kind, payload = message.payload_type, message.payload
        if kind is _T.DIAGNOSTIC_MESSAGE:
            self._diagnose(number, connection, payload, now_ns)
        elif kind is _T.ROUTING_ACTIVATION_REQUEST:
            tester, activation_type = _ACTIVATION_REQUEST.unpack_from(payload)
            request = Activation(tester, activation_type, payload[_SECRET_AT:])
            self._activate(number, request, now_ns, checked=False)
        elif kind is _T.ALIVE_CHECK_REQUEST:
            address = self._settings.address.to_bytes(2, "big")
            self._send(number, _T.ALIVE_CHECK_RESPONSE, address, now_ns)
        elif int.from_bytes(payload, "big") == connection.tester:
            connection.is_alive()
            self._settle(number, now_ns)
        else:  # an alive check response with another source address
            self._end(number, ConnectionEvent.PROTOCOL_ERROR, now_ns)

    def _diagnose(self, number: int, connection: Connection, payload: bytes, now_ns: int) -> None:
        source, target = _ADDRESSES.unpack_from(payload)
        request = payload[_ADDRESSES.size :]
        nack = self._refusal(connection, source, target, len(request), now_ns)
        addresses = _ADDRESSES.pack(target, source)
        if nack is not None:
            self._send(number, _T.DIAGNOSTIC_NACK, addresses + bytes((nack,)), now_ns)
            if nack is DiagnosticNack.INVALID_SOURCE_ADDRESS:
                self._end(number, ConnectionEvent.PROTOCOL_ERROR, now_ns)
            return
        self._send(number, _T.DIAGNOSTIC_ACK, addresses + bytes((ACKNOWLEDGED,)), now_ns)
        for reply in self._router.deliver(source, target, request, now_ns):
            self.respond(reply, now_ns)

    def _refusal(
        self, connection: Connection, source: int, target: int, size: int, now_ns: int
    ) -> DiagnosticNack | None:
        """The checks of the diagnostic message handler, in its order (figure 30)."""
        access = self._settings.tester(source)
        if connection.tester != source or access is None:
            self.blocked_count += 1
            return DiagnosticNack.INVALID_SOURCE_ADDRESS
        if connection.state is not ConnectionState.ACTIVE:
            return DiagnosticNack.TARGET_UNREACHABLE
        if not access.may_reach(target):
            self.blocked_count += 1
            return DiagnosticNack.UNKNOWN_TARGET_ADDRESS
        return self._router.refusal(source, target, size, now_ns)

    # -- routing activation -----------------------------------------------------------------------

    def _activate(self, number: int, request: Activation, now_ns: int, *, checked: bool) -> None:
        """Decide about an activation; `checked`: whoever is in the way was asked for a sign."""
        connection = self.connections[number]
        if connection.state is ConnectionState.CHECKING and not checked:
            if request.tester != connection.activation_tester:
                self._deny(number, request.tester, _C.OTHER_SOURCE_ADDRESS, now_ns)
            return  # asked twice: the answer to the first is under way
        rule = self._rule(request)
        if isinstance(rule, ActivationCode):
            self._deny(number, request.tester, rule, now_ns)
            return
        denial = self._socket_denial(connection, request)
        if denial is not None:
            in_the_way = self._in_the_way(denial, request)
            if checked or not in_the_way:
                self._deny(number, request.tester, denial, now_ns)
            else:
                self._check(number, request, in_the_way, now_ns)
            return
        self._register(number, request, rule, now_ns)

    def _rule(self, request: Activation) -> ActivationRule | ActivationCode:
        access = self._settings.tester(request.tester)
        if access is None:
            return _C.UNKNOWN_SOURCE_ADDRESS
        rule = self._settings.activations.get(request.activation_type)
        if rule is None or request.activation_type not in access.types:
            return _C.UNSUPPORTED_TYPE
        return rule

    def _socket_denial(self, connection: Connection, request: Activation) -> ActivationCode | None:
        """What stands against this socket for this tester."""
        if connection.is_registered:
            return None if connection.tester == request.tester else _C.OTHER_SOURCE_ADDRESS
        if self._holder(request.tester) is not None:
            return _C.SOURCE_ADDRESS_ACTIVE
        registered = sum(each.is_registered for each in self.connections.values())
        return _C.ALL_SOCKETS_REGISTERED if registered >= self._settings.max_sockets else None

    def _in_the_way(self, denial: ActivationCode, request: Activation) -> list[int]:
        """The connections that an alive check may free."""
        if denial is _C.OTHER_SOURCE_ADDRESS:
            return []
        return [
            number
            for number, each in self.connections.items()
            if each.is_registered
            and (denial is _C.ALL_SOCKETS_REGISTERED or each.tester == request.tester)
        ]

    def _check(self, number: int, request: Activation, in_the_way: list[int], now_ns: int) -> None:
        connection = self.connections[number]
        connection.activation = request
        connection.awaits = set(in_the_way)
        connection.happens(ConnectionEvent.CHECK_STARTED, now_ns)
        for each in in_the_way:
            if self.connections[each].check_alive(now_ns):
                self._send(each, _T.ALIVE_CHECK_REQUEST, b"", now_ns, counts=False)

    def _settle(self, number: int, now_ns: int) -> None:
        """A connection is alive, or gone: decide whatever waited for that."""
        for waiting, connection in tuple(self.connections.items()):
            if number not in connection.awaits:
                continue
            connection.awaits.discard(number)
            request = connection.activation
            if not connection.awaits and request is not None and connection.is_open:
                connection.activation = None
                self._activate(waiting, request, now_ns, checked=True)

    def _register(
        self, number: int, request: Activation, rule: ActivationRule, now_ns: int
    ) -> None:
        connection, tester = self.connections[number], request.tester
        if rule.tls:
            self._deny(number, tester, _C.TLS_REQUIRED, now_ns)
        elif rule.secret is not None and rule.secret != request.secret:
            self._deny(number, tester, _C.MISSING_AUTHENTICATION, now_ns)
        elif (
            rule.confirmation is Confirmation.ASKED
            and connection.state is not ConnectionState.ACTIVE
        ):
            connection.tester = tester
            connection.happens(ConnectionEvent.CONFIRMATION_ASKED, now_ns)
            self._answer_activation(number, tester, _C.CONFIRMATION_REQUIRED, now_ns)
        else:
            connection.tester = tester
            connection.happens(ConnectionEvent.ACTIVATED, now_ns)
            self._answer_activation(number, tester, _C.ACTIVATED, now_ns)

    def _deny(self, number: int, tester: int, code: ActivationCode, now_ns: int) -> None:
        self.blocked_count += 1
        self._answer_activation(number, tester, code, now_ns)
        self._end(number, ConnectionEvent.DENIED, now_ns)

    def _answer_activation(
        self, number: int, tester: int, code: ActivationCode, now_ns: int
    ) -> None:
        payload = _ACTIVATION_RESPONSE.pack(tester, self._settings.address, code, 0)
        self._send(number, _T.ROUTING_ACTIVATION_RESPONSE, payload, now_ns)

    # -- connections ------------------------------------------------------------------------------

    def _holder(self, tester: int) -> int | None:
        """The connection that a tester is registered on."""
        for number, connection in self.connections.items():
            if connection.is_registered and connection.tester == tester:
                return number
        return None

    def _send(
        self, number: int, kind: PayloadType, payload: bytes, now_ns: int, *, counts: bool = True
    ) -> None:
        """`counts`: as a sign of life. An alive check of ours is none of the tester's."""
        connection = self.connections[number]
        self._actions.append(Send(number, encode(kind, payload, version=connection.version)))
        if counts:
            connection.used(now_ns)

    def _end(self, number: int, event: ConnectionEvent, now_ns: int) -> None:
        connection = self.connections.get(number)
        if connection is None:
            return
        was_registered = connection.is_registered
        connection.happens(event, now_ns)
        if connection.is_open:
            return
        if event is not ConnectionEvent.PEER_CLOSED:
            self._actions.append(Close(number))
        del self.connections[number]
        if was_registered and connection.tester is not None:
            self._router.tester_gone(connection.tester, now_ns)
        self._settle(number, now_ns)
