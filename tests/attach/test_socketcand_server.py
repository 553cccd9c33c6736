"""The socketcand server with python-can's own client on the other side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import can
import pytest

from simcore.attach import socketcand_server as server_module
from simcore.attach.socketcand_server import SocketcandServer
from simcore.errors import InputError
from simcore.rig import Rig

pytestmark = pytest.mark.realtime
PATIENCE_S = 20.0

Serve = Callable[..., SocketcandServer]
Dial = Callable[[SocketcandServer], can.BusABC]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def serve(said: list[str]) -> Iterator[Serve]:
    """Serves a rig from a thread until the end of the test."""
    running: list[tuple[SocketcandServer, threading.Thread]] = []

    def served(**settings: object) -> SocketcandServer:
        server = SocketcandServer(Rig(), port=0, say=said.append, late_ns=10**10, **settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return server

    yield served
    for server, thread in running:
        server.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.fixture
def dial() -> Iterator[Dial]:
    """python-can's client, shut down at the end of the test."""
    clients: list[can.BusABC] = []

    def dialled(server: SocketcandServer) -> can.BusABC:
        host, port = server.address
        client = can.Bus(
            interface="socketcand", channel="can0", host=host, port=port, ignore_config=True
        )
        clients.append(client)
        return client

    yield dialled
    for client in clients:
        client.shutdown()


def wait_for(client: can.BusABC, arbitration_id: int) -> can.Message:
    """The next message with an identifier."""
    for _ in range(100_000):
        received = client.recv(PATIENCE_S)
        assert received is not None
        if received.arbitration_id == arbitration_id:
            return received
    raise AssertionError("it never came")


def test_python_cans_client_hears_the_rig_from_the_first_frame_on(serve: Serve, dial: Dial) -> None:
    client = dial(serve(realtime=False))
    first = client.recv(PATIENCE_S)
    # In virtual time nothing has happened before: 0x060 CDC_EmbCmd wins the first arbitration.
    assert (first.arbitration_id, first.dlc) == (0x060, 24)
    assert first.timestamp == 0.000182
    assert wait_for(client, 0x080).timestamp > first.timestamp


@pytest.mark.parametrize("realtime", [True, False])
def test_clients_hear_each_other(serve: Serve, dial: Dial, realtime: bool) -> None:
    server = serve(realtime=realtime)
    first, second = dial(server), dial(server)
    for message in (
        can.Message(arbitration_id=0x7F0, is_extended_id=False, data=b"\x01\x02"),
        can.Message(arbitration_id=0x7F1, is_extended_id=False, data=bytes(range(48)), is_fd=True),
        can.Message(arbitration_id=0x18DAF110, data=b""),
    ):
        first.send(message)
        heard = wait_for(second, message.arbitration_id)
        assert heard.data == message.data
        assert heard.is_extended_id == message.is_extended_id


def test_in_real_time_stamps_are_calendar_time(serve: Serve, dial: Dial) -> None:
    received = dial(serve()).recv(PATIENCE_S)
    assert received.timestamp > 1_700_000_000


def test_what_a_client_sends_for_a_node_it_plays_goes_out_as_that_node(
    serve: Serve, dial: Dial
) -> None:
    server = serve(realtime=False, outside=["EMB_FL"])
    first, second = dial(server), dial(server)
    first.send(can.Message(arbitration_id=0x80, is_extended_id=False, data=bytes(20), is_fd=True))
    assert wait_for(second, 0x80).data == bytes(20)
    record = next(each for each in server._rig.buses[0].log if each.frame.arbitration_id == 0x80)
    assert record.sender == "EMB_FL"
    assert record.frame.bitrate_switch  # as the database says, though the client cannot


def test_garbage_is_answered_and_the_connection_lives_on(serve: Serve) -> None:
    with socket.create_connection(serve(realtime=False).address, PATIENCE_S) as raw:
        assert receive(raw, b"< hi >") == b"< hi >"
        raw.sendall(b"\x00\xff GET / HTTP/1.1\r\n\r\n")
        assert receive(raw, b" >").startswith(b"< error command: expected ( words ), got ")
        raw.sendall(b"< open can0 >")
        assert receive(raw, b"< ok >") == b"< ok >"
        raw.sendall(b"< echo >< nonsense >")
        assert receive(raw, b" >").startswith(b"< echo >")


def receive(connection: socket.socket, end: bytes) -> bytes:
    """What arrives, up to `end`."""
    text = b""
    while not text.endswith(end):
        octets = connection.recv(4096)
        assert octets, text
        text += octets
    return text


def test_a_client_that_names_no_bus_of_ours_is_told_and_let_go(
    serve: Serve, said: list[str]
) -> None:
    with socket.create_connection(serve().address, PATIENCE_S) as raw:
        receive(raw, b"< hi >")
        raw.sendall(b"< open can9 >")
        answer = receive(raw, b" >")
        assert answer.startswith(b"< error channel 'can9': expected CHASSIS_A")
        assert raw.recv(1) == b""
    assert said[-1] == "a client was let go: it asked for a bus that is not there"


def test_a_client_that_does_not_read_holds_virtual_time_and_loses_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "OUTGOING_PAUSE", 1000)
    server = serve(realtime=False)
    with socket.create_connection(server.address, PATIENCE_S) as raw:
        receive(raw, b"< hi >")
        raw.sendall(b"< open can0 >")
        receive(raw, b"< ok >")
        raw.sendall(b"< rawmode >")
        text = b""
        while text.count(b"< frame 060 ") < 200:  # one second of virtual time
            text += raw.recv(512)
        stamps = [float(line.split()[3]) for line in text.split(b">") if b"< frame 060" in line]
    assert len(stamps) >= 200
    # 5 ms apart, but for the frames that had to wait for another one.
    assert all(0.004 < late - early < 0.006 for early, late in pairwise(stamps))


def test_a_client_that_does_not_read_is_put_out_in_real_time(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "OUTGOING_LIMIT", 1000)
    server = SocketcandServer(Rig(), port=0, say=said.append)
    with socket.create_connection(server.address, PATIENCE_S):
        while not server._clients:
            server._turn()
        server._clients[0].outgoing += b"x" * (1 << 24)  # more than the system buffers
        server._turn()
        assert server._clients == []
    server._close()
    assert "a client was let go: it does not read:" in said[-1]


def test_the_server_listens_on_loopback_only_unless_told(serve: Serve) -> None:
    assert serve().address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        expected = f"socketcand server on 127.0.0.1:{port}: expected an address that is free"
        with pytest.raises(InputError, match=expected):
            SocketcandServer(Rig(), port=port)
