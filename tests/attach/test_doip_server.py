"""The DoIP server on loopback, with plain sockets on the other side."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from simcore.attach import doip_server as server_module
from simcore.attach.doip_server import DoipServer
from simcore.diag.doip_codec import HEADER, PayloadType, encode
from simcore.ecu import RestbusNode
from simcore.ecu.gw.addresses import LOGICAL_ADDRESSES
from simcore.ecu.runtime.diagnostics_rows import VIN
from simcore.errors import InputError, UsageError
from simcore.rig import Rig
from simcore.units import ms

pytestmark = pytest.mark.realtime
PATIENCE_S = 20.0
T = PayloadType

Serve = Callable[..., DoipServer]


@pytest.fixture(scope="module")
def warm() -> Rig:
    """A vehicle whose ECUs have started."""
    rig = Rig()
    rig.run_for(ms(300))
    return rig


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def serve(warm: Rig, said: list[str]) -> Iterator[Serve]:
    """Serves a vehicle from a thread until the end of the test."""
    running: list[tuple[DoipServer, threading.Thread]] = []

    def served(**settings: object) -> DoipServer:
        chosen = {"port": 0, "announce_port": None, "late_ns": 10**10, **settings}
        server = DoipServer(warm.fork(), say=said.append, **chosen)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return server

    yield served
    for server, thread in running:
        server.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


class DialledIn:
    """A TCP connection that reads whole messages."""

    def __init__(self, server: DoipServer) -> None:
        self.socket = socket.create_connection(server.address, timeout=PATIENCE_S)

    def send(self, kind: PayloadType, payload: bytes = b"") -> None:
        self.socket.sendall(encode(kind, payload, version=3))

    def activate(self) -> None:
        self.send(T.ROUTING_ACTIVATION_REQUEST, struct.pack(">HBI", 0x0E00, 0, 0))
        kind, payload = self.receive()
        assert (kind, payload[4]) == (T.ROUTING_ACTIVATION_RESPONSE, 0x10)

    def receive(self) -> tuple[PayloadType, bytes]:
        header = self.exactly(HEADER.size)
        _, _, kind, length = HEADER.unpack(header)
        return PayloadType(kind), self.exactly(length)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            assert chunk, "the server has closed"
            data += chunk
        return data

    def is_closed(self) -> bool:
        return self.socket.recv(1) == b""


@pytest.fixture
def dial() -> Iterator[Callable[[DoipServer], DialledIn]]:
    """A tester, gone at the end of the test."""
    testers: list[DialledIn] = []

    def dialled(server: DoipServer) -> DialledIn:
        testers.append(DialledIn(server))
        return testers[-1]

    yield dialled
    for tester in testers:
        tester.socket.close()


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(PATIENCE_S)
        yield made


def test_a_request_goes_to_the_ecu_and_back_over_sockets(serve, dial, said) -> None:
    server = serve()
    tester = dial(server)
    tester.activate()
    target = LOGICAL_ADDRESSES["EMB_RR"]
    message = encode(
        T.DIAGNOSTIC_MESSAGE, struct.pack(">HH", 0x0E00, target) + b"\x22\xf1\x90", version=3
    )
    for byte in message:  # whatever the network makes of it
        tester.socket.sendall(bytes((byte,)))
    assert tester.receive()[0] is T.DIAGNOSTIC_ACK
    kind, payload = tester.receive()
    assert kind is T.DIAGNOSTIC_MESSAGE
    assert payload == struct.pack(">HH", target, 0x0E00) + b"\x62\xf1\x90" + VIN
    assert said[0].endswith("has come")
    assert server.lateness.slice_count > 0


def test_tcp_and_udp_have_the_same_port(serve, datagrams: socket.socket) -> None:
    server = serve()
    datagrams.sendto(encode(T.POWER_MODE_REQUEST, version=2), server.address)
    data, sender = datagrams.recvfrom(1000)
    assert data == encode(T.POWER_MODE_RESPONSE, b"\x01", version=2)
    assert sender == server.address


def test_announcements_go_where_they_are_wanted_and_nowhere_else(
    serve, datagrams: socket.socket
) -> None:
    server = serve(announce_port=datagrams.getsockname()[1], speed_ratio=3.0)
    for _ in range(3):
        data, sender = datagrams.recvfrom(1000)
        assert sender == server.address
        assert data[2:4] == b"\x00\x04"
        assert data[8:25] == VIN


def test_a_refusal_is_read_before_the_end(serve, dial, said) -> None:
    tester = dial(serve())
    tester.socket.sendall(b"\x02\x00" + bytes(1000))
    assert tester.receive() == (T.HEADER_NACK, b"\x00")
    assert tester.is_closed()
    assert any(text.endswith("was put out by the gateway") for text in said)


def test_one_connection_too_many_is_closed_at_once(serve, dial, said) -> None:
    server = serve()
    testers = [dial(server) for _ in range(5)]
    testers[0].activate()
    assert dial(server).is_closed()
    assert any(text.endswith("was turned away: no socket is free") for text in said)


def test_a_tester_that_leaves_makes_room(serve, dial) -> None:
    server = serve()
    for _ in range(3):
        tester = dial(server)
        tester.activate()  # with the same address: nobody is asked whether he lives
        tester.socket.close()


def test_a_tester_that_does_not_read_is_put_out(serve, dial, said, monkeypatch) -> None:
    monkeypatch.setattr(server_module, "OUTGOING_LIMIT", 0)
    monkeypatch.setattr(socket.socket, "send", lambda self, data: 0)
    tester = dial(serve())
    tester.send(T.ALIVE_CHECK_REQUEST)
    assert tester.is_closed()
    assert any("does not read: 10 bytes wait" in text for text in said)


def test_nothing_but_loopback_is_served(warm: Rig) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "example.org", ""):
        with pytest.raises(UsageError, match=r"DoIP server, host: expected a loopback address"):
            DoipServer(warm, host=host, port=0)


def test_a_port_that_is_taken_is_said(warm: Rig) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"DoIP server on .*: expected an address that is fr"):
            DoipServer(warm, port=taken.getsockname()[1])


def test_a_rig_without_gateway_is_refused_before_a_port_is_taken(warm: Rig) -> None:
    rig = warm.fork()
    rig.replace("GW", RestbusNode("GW", rig.database))
    with pytest.raises(UsageError, match=r"DoIP at GW: expected a node with a DoIP entity"):
        DoipServer(rig, port=0)
