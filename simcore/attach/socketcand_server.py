"""`SocketcandServer`: the buses of a rig for programs on the other side of a TCP connection.

One thread serves every client and lets time pass: in real time, or in virtual time as fast as the
slowest client reads. In virtual time nothing happens until a client is in raw mode.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence

from simcore.attach.endpoint import Endpoint
from simcore.attach.outside import take_over
from simcore.attach.pace import DEFAULT_LATE_NS, DEFAULT_SLICE_NS, Lateness, Pace
from simcore.attach.session import bus_of
from simcore.attach.socketcand import GREETING, Connection, Mode
from simcore.errors import InputError
from simcore.rig import Bench

DEFAULT_PORT = 29536
NODE_NAME = "SOCKETCAND"
READ_BYTES = 4096
OUTGOING_PAUSE = 1 << 16
"""Virtual time waits for a client that has not yet read this much."""
OUTGOING_LIMIT = 1 << 22
"""A client that leaves this much unread in real time is put out."""
SETTLE_S = 0.05
"""Frames for a new raw client wait so long: clients take the answer to `rawmode` for a whole."""
_IDLE_S = 0.05


class _Client:
    """A connection with its socket and what has not yet gone out."""

    __slots__ = ("connection", "outgoing", "raw_since_s", "socket")

    def __init__(self, connected: socket.socket, connection: Connection) -> None:
        self.socket = connected
        self.connection = connection
        self.outgoing = bytearray(GREETING)
        self.raw_since_s: float | None = None

    @property
    def settled(self) -> bool:
        """Whether frames may be sent to it."""
        if self.connection.mode is not Mode.RAW:
            self.raw_since_s = None
        elif self.raw_since_s is None:
            self.raw_since_s = time.monotonic()
        return self.raw_since_s is not None and time.monotonic() - self.raw_since_s > SETTLE_S


class SocketcandServer:
    """Listens on `host` and `port` (0: any free one) from the moment it is made.

    `say` is told in words about clients that come, go and are put out.
    """

    def __init__(
        self,
        rig: Bench,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        outside: Sequence[str] = (),
        realtime: bool = True,
        speed_ratio: float = 1.0,
        slice_ns: int = DEFAULT_SLICE_NS,
        late_ns: int = DEFAULT_LATE_NS,
        fd_word: str = "frame",
        say: Callable[[str], object] | None = None,
        on_late: Callable[[int], object] | None = None,
    ) -> None:
        self._rig = rig
        self._senders = {bus.name: take_over(rig, bus, outside) for bus in rig.buses}
        self._messages = {
            (message.arbitration_id, message.is_extended_id): message
            for message in rig.database.messages
        }
        self._realtime = realtime
        self._slice_ns = slice_ns
        self._fd_word = fd_word
        self._say = say
        self._clients: list[_Client] = []
        self._stopping = False
        self._listener = _listening(host, port)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        """Host and port."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._pace = Pace(
            rig.scheduler,
            speed_ratio=speed_ratio,
            slice_ns=slice_ns,
            late_ns=late_ns,
            on_late=on_late,
        )

    @property
    def lateness(self) -> Lateness:
        """How late virtual time was; nothing where it is not held to the clock."""
        return self._pace.lateness

    def run(self, duration_s: float | None = None) -> None:
        """Serve until `duration_s` of real time have passed, `stop` is called, or interrupted."""
        end_s = None if duration_s is None else time.monotonic() + duration_s
        self._pace.start()
        try:
            while not self._stopping and (end_s is None or time.monotonic() < end_s):
                self._turn()
        except KeyboardInterrupt:
            pass
        finally:
            self._close()

    def stop(self) -> None:
        """End `run` soon; may be called by another thread."""
        self._stopping = True

    def _turn(self) -> None:
        for key, events in self._selector.select(self._wait_s()):
            if key.data is None:
                self._accept()
                continue
            client: _Client = key.data
            if events & selectors.EVENT_READ:
                self._read(client)
        self._let_time_pass()
        for client in tuple(self._clients):
            self._write(client)

    # -- time ------------------------------------------------------------------------------------

    def _wait_s(self) -> float:
        if self._realtime:
            return min(_IDLE_S, self._pace.wait_s())
        return 0.0 if self._may_run() else SETTLE_S / 5

    def _may_run(self) -> bool:
        """In virtual time: everybody who wants frames is there and reads them."""
        raw = [each for each in self._clients if each.connection.mode is Mode.RAW]
        return bool(raw) and all(
            client.settled and len(client.outgoing) < OUTGOING_PAUSE for client in raw
        )

    def _let_time_pass(self) -> None:
        if self._realtime:
            self._pace.advance()
        elif self._may_run():
            scheduler = self._rig.scheduler
            scheduler.run_until_ns(scheduler.now_ns + self._slice_ns)

    # -- clients ---------------------------------------------------------------------------------

    def _accept(self) -> None:
        connected, address = self._listener.accept()
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(
            self._open_bus,
            self._messages,
            epoch_ns=self._pace.epoch_ns if self._realtime else 0,
            fd_word=self._fd_word,
        )
        client = _Client(connected, connection)
        self._clients.append(client)
        self._selector.register(connected, selectors.EVENT_READ, client)
        self._tell(f"client {address[0]}:{address[1]} has come")

    def _open_bus(self, name: str) -> Endpoint:
        bus = bus_of(self._rig.buses, name)
        return Endpoint(bus, NODE_NAME, senders=self._senders[bus.name])

    def _read(self, client: _Client) -> None:
        try:
            data = client.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._put_out(client, f"the connection broke: {error}")
            return
        if not data:
            self._put_out(client, "it has gone")
            return
        if self._realtime:
            self._pace.advance()  # what it asks for is asked for now
        client.outgoing += client.connection.receive(data)

    def _write(self, client: _Client) -> None:
        if client.settled:
            client.outgoing += client.connection.frames()
        try:
            if client.outgoing:
                del client.outgoing[: client.socket.send(client.outgoing)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._put_out(client, f"the connection broke: {error}")
            return
        if client.connection.mode is Mode.CLOSED and not client.outgoing:
            self._put_out(client, "it asked for a bus that is not there")
        elif len(client.outgoing) > OUTGOING_LIMIT:
            self._put_out(client, f"it does not read: {len(client.outgoing)} bytes wait")

    def _put_out(self, client: _Client, reason: str) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._selector.unregister(client.socket)
            client.connection.close()
            self._tell(f"a client was let go: {reason}")
            client.socket.close()

    def _close(self) -> None:
        for client in tuple(self._clients):
            self._put_out(client, "the server ends")
        self._selector.close()
        self._listener.close()

    def _tell(self, text: str) -> None:
        if self._say is not None:
            self._say(text)


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"socketcand server on {host}:{port}",
            expected="an address that is free",
            got=str(error),
        ) from error
    return listener
