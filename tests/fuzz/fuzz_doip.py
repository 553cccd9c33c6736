"""A DoIP entity: any bytes in any chunks on any connection, datagrams, times.

Orders one after the other: connect, a chunk, a datagram, a tester that goes, a response, time.
"""

from __future__ import annotations

import struct

from simcore.diag.doip_codec import DiagnosticNack, PayloadType, encode
from simcore.diag.doip_entity import DoipEntity
from simcore.diag.doip_output import Action, Close, Send
from simcore.diag.doip_router import Reply
from simcore.diag.doip_settings import AllowedTester, DoipSettings
from simcore.kernel import RandomStream
from tests.fuzz.draw import Draw

NAME = "doip"
INSTRUMENTED = ("simcore.diag",)
SIZE_MAX = 220
GATEWAY, ECU = 0x1000, 0x1010
TESTERS = (0x0E00, 0x0E01, 0x0E02)
SOCKETS = 2
_SETTINGS = DoipSettings(
    address=GATEWAY,
    vin=bytes(17),
    eid=bytes(6),
    gid=bytes(6),
    testers=tuple(AllowedTester(address=each) for each in TESTERS),
    max_sockets=SOCKETS,
    max_message_size=64,
    memory_size=128,
)
_TIMES_NS = (1, 100_000_000, 500_000_000, 2_000_000_000, 300_000_000_000)


class Echo:
    """What is behind it: one ECU that answers with what it was asked."""

    def refusal(self, tester: int, target: int, size: int, now_ns: int) -> DiagnosticNack | None:
        return None if target == ECU else DiagnosticNack.UNKNOWN_TARGET_ADDRESS

    def deliver(self, tester: int, target: int, payload: bytes, now_ns: int) -> tuple[Reply, ...]:
        return (Reply(target, tester, payload),)

    def tester_gone(self, tester: int, now_ns: int) -> None:
        """Nobody minds."""


_ECHO = Echo()


def _piece(data: bytes) -> bytes:
    return bytes((1, 0, len(data))) + data


def seeds() -> list[bytes]:
    """An activation with a request, an alive check, the datagrams."""
    activation = encode(
        PayloadType.ROUTING_ACTIVATION_REQUEST, struct.pack(">HBI", TESTERS[0], 0, 0), version=3
    )
    request = encode(
        PayloadType.DIAGNOSTIC_MESSAGE, struct.pack(">HHB", TESTERS[0], ECU, 0x3E), version=2
    )
    alive = encode(PayloadType.ALIVE_CHECK_RESPONSE, struct.pack(">H", TESTERS[0]), version=2)
    asked = encode(PayloadType.VEHICLE_IDENTIFICATION_REQUEST, b"", version=2)
    power = encode(PayloadType.POWER_MODE_REQUEST, b"", version=2)
    first = bytes((0,)) + _piece(activation)
    return [
        first + _piece(request) + bytes((4, 0)),
        first + bytes((0, 1, 1, len(activation))) + activation + bytes((5, 2)) + _piece(alive),
        bytes((2, len(asked))) + asked + bytes((5, 1, 2, len(power))) + power,
        first + bytes((3, 0, 5, 4)),
    ]


def check(data: bytes) -> None:
    """One input."""
    draw = Draw(data)
    entity = DoipEntity(_SETTINGS, _ECHO, RandomStream(0, "doip"))
    entity.start(0)
    now_ns, made = 0, 0
    while draw:
        order = draw.below(6)
        actions: tuple[Action, ...] = ()
        if order == 0:
            number, actions = entity.connect(now_ns)
            made = made if number is None else number
        elif order == 1:
            number = 1 + draw.below(4)
            if number <= made:
                actions = entity.receive(number, draw.piece(draw.byte()), now_ns)
        elif order == 2:
            actions = entity.datagram(draw.piece(draw.byte()), "who", now_ns)
        elif order == 3:
            number = 1 + draw.below(4)
            if number <= made:
                actions = entity.disconnected(number, now_ns)
        elif order == 4:
            reply = Reply(ECU, TESTERS[draw.below(len(TESTERS))], b"\x7e\x00")
            actions = entity.respond(reply, now_ns)
        else:
            now_ns += _TIMES_NS[draw.below(len(_TIMES_NS))]
            actions = entity.on_timer(now_ns)
        _holds(entity, actions, now_ns)


def _holds(entity: DoipEntity, actions: tuple[Action, ...], now_ns: int) -> None:
    closed: set[int] = set()
    for action in actions:
        if isinstance(action, Close):
            assert action.connection not in closed
            closed.add(action.connection)
        elif isinstance(action, Send):
            assert action.connection not in closed
            assert int.from_bytes(action.data[4:8], "big") == len(action.data) - 8
    connections = entity.tcp.connections
    registered = [each.tester for each in connections.values() if each.is_registered]
    assert not closed & connections.keys()
    assert len(connections) <= SOCKETS + 1
    assert len(set(registered)) == len(registered) <= SOCKETS
    assert sum(each.reader.reserved for each in connections.values()) <= 128
    deadline_ns = entity.next_deadline_ns()
    assert deadline_ns is None or deadline_ns >= now_ns
