"""`VirtualDoipClient`: a DoIP tester in the same process, in virtual time, without sockets.

It has the methods of `doipclient.DoIPClient` that its udsoncan connector uses, so

    udsoncan.Client(DoIPClientUDSConnector(VirtualDoipClient(rig, 0x1020)))

is the same script as against a real vehicle. Waiting lets virtual time pass; timeouts are seconds
of it. A refusal raises what it raises there: `ConnectionRefusedError`, `OSError`, `TimeoutError`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from simcore.attach.doip import GATEWAY, DoipPlug
from simcore.diag.doip_codec import (
    HEADER,
    ActivationCode,
    DiagnosticNack,
    HeaderNack,
    PayloadType,
    Received,
    encode,
)
from simcore.diag.doip_output import Action, Close, Send
from simcore.units import NS_PER_S

if TYPE_CHECKING:
    from simcore.rig import Bench

Seconds: TypeAlias = float
"""`timeout` as doipclient spells it."""
_T = PayloadType
_ADDRESSES = struct.Struct(">HH")
TESTER = 0x0E00
CONTROL_S = 2.0
"""A_DoIP_Ctrl, A_DoIP_Diagnostic_Message: how long an answer of the gateway may take."""
WAIT_LIMIT_S = 60.0
"""A wait without a timeout ends after this much virtual time."""


def messages_of(buffer: bytearray) -> list[Received]:
    """Take the whole messages off the front of a stream that an entity sent."""
    found = []
    while len(buffer) >= HEADER.size:
        version, _, kind, length = HEADER.unpack_from(buffer)
        if len(buffer) < HEADER.size + length:
            break
        payload = bytes(buffer[HEADER.size : HEADER.size + length])
        found.append(Received(version, PayloadType(kind), payload))
        del buffer[: HEADER.size + length]
    return found


class VirtualEthernet:
    """The link between a rig's gateway and the testers in this process."""

    def __init__(self, rig: Bench, node: str = GATEWAY) -> None:
        self.rig = rig
        self.plug = DoipPlug(rig, node)
        self.inboxes: dict[int, bytearray] = {}
        """What has come on each connection and was not read."""
        self.ended: set[int] = set()
        """Connections that the gateway has closed."""
        self.announcements: list[Received] = []
        self.answers: list[Received] = []
        """Datagrams to the testers here."""

    def collect(self) -> None:
        """Bring over what the gateway has sent."""
        self.deliver(self.plug.take())

    def deliver(self, actions: list[Action]) -> None:
        """Sort what the gateway wants sent and closed into inboxes."""
        for action in actions:
            if isinstance(action, Send):
                if action.connection in self.inboxes:
                    self.inboxes[action.connection] += action.data
            elif isinstance(action, Close):
                self.ended.add(action.connection)
            else:
                box = self.announcements if action.receiver is None else self.answers
                box += messages_of(bytearray(action.data))

    def connect(self) -> int | None:
        """Open a TCP connection; its number, `None` where the gateway refuses it."""
        number = self.plug.connect()
        if number is not None:
            self.inboxes[number] = bytearray()
        return number

    def ask(self, request: PayloadType, payload: bytes = b"", *, version: int = 0x03) -> Received:
        """Send a datagram and let time pass until it is answered. Raises `TimeoutError`."""
        self.collect()
        self.answers.clear()
        self.plug.datagram(encode(request, payload, version=version), "tester")
        if not self.wait(self._is_answered, CONTROL_S):
            raise TimeoutError(f"DoIP: no answer to {request.name} within {CONTROL_S:g} s")
        return self.answers.pop(0)

    def wait(self, ready: Callable[[], bool], timeout: Seconds | None) -> bool:
        """Let time pass until `ready()`; False once `timeout` seconds have passed."""
        limit_s = WAIT_LIMIT_S if timeout is None else timeout
        return ready() or self.rig.run_until(ready, timeout=max(1, round(limit_s * NS_PER_S)))

    def close(self) -> None:
        """Pull the plug."""
        self.inboxes.clear()
        self.plug.close()

    def _is_answered(self) -> bool:
        if self.plug.has_outgoing:
            self.collect()
        return bool(self.answers)


class VirtualDoipClient:
    """A tester with one TCP connection to the gateway of a rig.

    Connects and activates routing when it is made, unless `activation_type` is `None`. Several on
    one rig share a `VirtualEthernet`.
    """

    def __init__(
        self,
        rig: Bench | VirtualEthernet,
        target: int,
        *,
        source: int = TESTER,
        activation_type: int | None = 0x00,
        secret: bytes = b"",
        version: int = 0x03,
    ) -> None:
        self._owns_network = not isinstance(rig, VirtualEthernet)
        self.network = rig if isinstance(rig, VirtualEthernet) else VirtualEthernet(rig)
        self._target = target
        self._source = source
        self._version = version
        self._responses: deque[tuple[int, bytes]] = deque()
        """Diagnostic responses with their source address."""
        self._others: deque[Received] = deque()
        number = self.network.connect()
        self._number = -1 if number is None else number
        if number is None:
            self._refused("the gateway takes no more connections")
        elif activation_type is not None:
            code = self.request_activation(activation_type, secret)
            if code is not ActivationCode.ACTIVATED:
                self._refused(f"routing activation of {source:#06x}: {code.name} ({code:#04x})")

    def _refused(self, reason: str) -> None:
        self.close()
        raise ConnectionRefusedError(f"DoIP: {reason}")

    # -- what doipclient's connector calls --------------------------------------------------------

    def send_diagnostic(self, payload: bytes, timeout: Seconds | None = CONTROL_S) -> None:
        """Send a request to the target and wait until the gateway has acknowledged it."""
        self.send_diagnostic_to_address(self._target, payload, timeout)

    def send_diagnostic_to_address(
        self, address: int, payload: bytes, timeout: Seconds | None = CONTROL_S
    ) -> None:
        """The same to any address. Raises `OSError` where the gateway refuses it."""
        addresses = _ADDRESSES.pack(self._source, address)
        self.send(encode(_T.DIAGNOSTIC_MESSAGE, addresses + bytes(payload), version=self._version))
        answer = self._expect((_T.DIAGNOSTIC_ACK, _T.DIAGNOSTIC_NACK), timeout)
        if answer.payload_type is _T.DIAGNOSTIC_NACK:
            code = DiagnosticNack(answer.payload[4])
            raise OSError(f"DoIP: request to {address:#06x} refused: {code.name} ({code:#04x})")

    def receive_diagnostic(self, timeout: Seconds | None = CONTROL_S) -> bytes:
        """The next response of the target. Raises `TimeoutError`."""
        self.network.wait(self._has_response, timeout)
        for place, (source, payload) in enumerate(self._responses):
            if source == self._target:
                del self._responses[place]
                return payload
        raise TimeoutError(f"DoIP: no response of {self._target:#06x} in time")

    def empty_rxqueue(self) -> None:
        """Forget responses that nobody asked for."""
        self._read()
        self._responses.clear()

    def empty_txqueue(self) -> None:
        """Nothing waits to be sent."""

    def close(self) -> None:
        """End the connection; pulls the plug of a network of its own."""
        if self.network.inboxes.pop(self._number, None) is not None:
            self.network.plug.disconnected(self._number)
            self.network.ended.add(self._number)
        if self._owns_network:
            self.network.close()

    # -- anything else ----------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether the gateway has left the connection open."""
        self.network.collect()
        return self._number in self.network.inboxes and self._number not in self.network.ended

    @property
    def responses(self) -> tuple[tuple[int, bytes], ...]:
        """Source address and payload of the responses that were not read, whoever they are from."""
        self._read()
        return tuple(self._responses)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises `ConnectionResetError` where the connection has ended."""
        if not self.is_connected:
            raise ConnectionResetError("DoIP: the gateway has closed the connection")
        self.network.plug.receive(self._number, data)

    def request_activation(self, activation_type: int, secret: bytes = b"") -> ActivationCode:
        """Ask for routing activation; the code of the answer."""
        payload = struct.pack(">HBI", self._source, activation_type, 0) + secret
        self.send(encode(_T.ROUTING_ACTIVATION_REQUEST, payload, version=self._version))
        answer = self._expect((_T.ROUTING_ACTIVATION_RESPONSE,), CONTROL_S)
        return ActivationCode(answer.payload[4])

    def receive_message(self, timeout: Seconds | None = CONTROL_S) -> Received:
        """The next message that is no diagnostic response. Raises `TimeoutError`."""
        if not self.network.wait(self._has_other, timeout):
            raise TimeoutError("DoIP: no message in time")
        return self._others.popleft()

    def _expect(self, kinds: tuple[PayloadType, ...], timeout: Seconds | None) -> Received:
        """The next message of one of these types. Raises `TimeoutError`."""
        if not self.network.wait(partial(self._has_kind, kinds), timeout):
            raise TimeoutError(f"DoIP: no {kinds[0].name} in time")
        for place, message in enumerate(self._others):
            if message.payload_type is _T.HEADER_NACK:
                raise OSError(f"DoIP: message refused: {HeaderNack(message.payload[0]).name}")
            if message.payload_type in kinds:
                del self._others[place]
                return message
        raise ConnectionResetError("DoIP: the gateway has closed the connection")

    def _has_kind(self, kinds: tuple[PayloadType, ...]) -> bool:
        is_open = self._read()
        wanted = (*kinds, _T.HEADER_NACK)
        return not is_open or any(each.payload_type in wanted for each in self._others)

    def _has_other(self) -> bool:
        self._read()
        return bool(self._others)

    def _has_response(self) -> bool:
        is_open = self._read()
        return not is_open or any(source == self._target for source, _ in self._responses)

    def _read(self) -> bool:
        """Sort what has come; whether the connection is still open."""
        network = self.network
        if network.plug.has_outgoing:
            network.collect()
        for message in messages_of(network.inboxes.get(self._number, bytearray())):
            if message.payload_type is _T.DIAGNOSTIC_MESSAGE:
                source, _ = _ADDRESSES.unpack_from(message.payload)
                self._responses.append((source, message.payload[_ADDRESSES.size :]))
            else:
                self._others.append(message)
        return self._number not in network.ended
