"""`DoipServer`: the DoIP entity of a rig's gateway on TCP and UDP of the loopback interface.

One thread serves every tester and keeps virtual time at the clock. Nothing leaves the machine:
other addresses than loopback are refused, and announcements go to the loopback address, never to
a broadcast address. There is no TLS.
"""

from __future__ import annotations

import ipaddress
import selectors
import socket
import time
from collections.abc import Callable, Hashable
from contextlib import suppress

from simcore.attach.doip import GATEWAY, DoipPlug, gateway_of
from simcore.attach.pace import DEFAULT_LATE_NS, DEFAULT_SLICE_NS, Lateness, Pace
from simcore.diag.doip_output import Action, Close, Send
from simcore.errors import InputError, UsageError
from simcore.rig import Bench

DEFAULT_PORT = 13400
"""TCP_DATA and UDP_DISCOVERY."""
READ_BYTES = 65_536
OUTGOING_LIMIT = 1 << 22
"""A tester that leaves this much unread is put out."""
_IDLE_S = 0.05
_TURN_S = 0.005
"""Virtual time that is late catches up in turns of this length."""
_PAIR_ATTEMPTS = 16
"""For port 0: so many TCP ports are tried until the UDP port of the same number is free."""


class _Tester:
    """A TCP connection with what has not yet gone out."""

    __slots__ = ("is_ending", "name", "number", "outgoing", "socket")

    def __init__(self, connected: socket.socket, number: int, name: str) -> None:
        self.socket = connected
        self.number = number
        self.name = name
        self.outgoing = bytearray()
        self.is_ending = False
        """The gateway has closed: only what is still outgoing goes out."""


class DoipServer:
    """Listens on `host` and `port` (0: any free one) from the moment it is made.

    Announcements go to `host` and `announce_port`; `None` for none. `say` is told in words about
    testers that come and go.
    """

    def __init__(
        self,
        rig: Bench,
        *,
        node: str = GATEWAY,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        announce_port: int | None = DEFAULT_PORT,
        speed_ratio: float = 1.0,
        slice_ns: int = DEFAULT_SLICE_NS,
        late_ns: int = DEFAULT_LATE_NS,
        say: Callable[[str], object] | None = None,
        on_late: Callable[[int], object] | None = None,
    ) -> None:
        _require_loopback(host)
        self._rig = rig
        self._node = node
        self._host = host
        self._announce_port = announce_port
        self._say = say
        self._stopping = False
        self._testers: dict[int, _Tester] = {}
        self._plug: DoipPlug | None = None
        gateway_of(rig, node)  # refuses a node without DoIP before a port is taken
        self._listener, self._datagrams = _listening(host, port)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        """Host and port, the same for TCP and UDP."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._datagrams, selectors.EVENT_READ)
        self._pace = Pace(
            rig.scheduler,
            speed_ratio=speed_ratio,
            slice_ns=slice_ns,
            late_ns=late_ns,
            on_late=on_late,
        )

    @property
    def lateness(self) -> Lateness:
        """How late virtual time was."""
        return self._pace.lateness

    def run(self, duration_s: float | None = None) -> None:
        """Serve until `duration_s` of real time have passed, `stop` is called, or interrupted."""
        end_s = None if duration_s is None else time.monotonic() + duration_s
        self._plug = plug = DoipPlug(self._rig, self._node)
        self._pace.start()
        try:
            while not self._stopping and (end_s is None or time.monotonic() < end_s):
                self._turn(plug)
        except KeyboardInterrupt:
            pass
        finally:
            self._close(plug)

    def stop(self) -> None:
        """End `run` soon; may be called by another thread."""
        self._stopping = True

    def _turn(self, plug: DoipPlug) -> None:
        ready = self._selector.select(min(_IDLE_S, self._pace.wait_s()))
        self._let_time_pass()  # what is asked for is asked for now
        for key, _ in ready:
            if key.fileobj is self._listener:
                self._accept(plug)
            elif key.fileobj is self._datagrams:
                self._read_datagram(plug)
            else:
                self._read(plug, key.data)
        self._carry_out(plug.take())
        for tester in tuple(self._testers.values()):
            self._write(plug, tester)

    def _let_time_pass(self) -> None:
        """To where the clock is; where the machine does not keep up, testers get their turn."""
        pace, scheduler = self._pace, self._rig.scheduler
        target_ns, end_s = pace.due_ns(), time.monotonic() + _TURN_S
        while scheduler.now_ns < target_ns and time.monotonic() < end_s:
            pace.step(target_ns)

    # -- from the testers -------------------------------------------------------------------------

    def _accept(self, plug: DoipPlug) -> None:
        try:
            connected, address = self._listener.accept()
        except OSError:
            return  # gone again
        name = f"{address[0]}:{address[1]}"
        number = plug.connect()
        if number is None:
            self._tell(f"{name} was turned away: no socket is free")
            connected.close()
            return
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tester = self._testers[number] = _Tester(connected, number, name)
        self._selector.register(connected, selectors.EVENT_READ, tester)
        self._tell(f"{name} has come")

    def _read(self, plug: DoipPlug, tester: _Tester) -> None:
        try:
            data = tester.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            plug.receive(tester.number, data)
        else:
            plug.disconnected(tester.number)
            self._drop(tester, "has gone")

    def _read_datagram(self, plug: DoipPlug) -> None:
        try:
            data, sender = self._datagrams.recvfrom(READ_BYTES)
        except OSError:
            return  # the answer to somebody who has gone
        plug.datagram(data, sender)

    # -- to the testers ---------------------------------------------------------------------------

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                tester = self._testers.get(action.connection)
                if tester is not None:
                    tester.outgoing += action.data
            elif isinstance(action, Close):
                tester = self._testers.get(action.connection)
                if tester is not None:
                    tester.is_ending = True
            else:
                self._send_datagram(action.data, action.receiver)

    def _send_datagram(self, data: bytes, receiver: Hashable | None) -> None:
        if receiver is None:
            if self._announce_port is None:
                return
            receiver = (self._host, self._announce_port)
        assert isinstance(receiver, tuple)  # what `recvfrom` gave
        try:
            self._datagrams.sendto(data, receiver)
        except OSError as error:
            self._tell(f"a datagram to {receiver} did not go out: {error}")

    def _write(self, plug: DoipPlug, tester: _Tester) -> None:
        try:
            if tester.outgoing:
                del tester.outgoing[: tester.socket.send(tester.outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            plug.disconnected(tester.number)
            self._drop(tester, "has gone")
            return
        if tester.is_ending and not tester.outgoing:
            self._drop(tester, "was put out by the gateway")
        elif len(tester.outgoing) > OUTGOING_LIMIT:
            plug.disconnected(tester.number)
            self._drop(tester, f"does not read: {len(tester.outgoing)} bytes wait")

    def _drop(self, tester: _Tester, reason: str) -> None:
        if self._testers.pop(tester.number, None) is not None:
            self._tell(f"{tester.name} {reason}")
            self._selector.unregister(tester.socket)
            with suppress(OSError):  # unread bytes would turn the end into a reset
                tester.socket.shutdown(socket.SHUT_WR)
                tester.socket.recv(READ_BYTES)
            tester.socket.close()

    def _close(self, plug: DoipPlug) -> None:
        for tester in tuple(self._testers.values()):
            self._drop(tester, "was let go: the server ends")
        plug.close()
        self._selector.close()
        self._listener.close()
        self._datagrams.close()

    def _tell(self, text: str) -> None:
        if self._say is not None:
            self._say(text)


def _require_loopback(host: str) -> None:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise UsageError("DoIP server, host", expected="a loopback address, as 127.0.0.1", got=host)


def _listening(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket with the same port number."""
    reason = ""
    for _ in range(1 if port else _PAIR_ATTEMPTS):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            datagrams.bind(listener.getsockname())
            listener.listen()
            listener.setblocking(False)
            datagrams.setblocking(False)
        except (OSError, OverflowError) as error:
            listener.close()
            datagrams.close()
            reason = str(error)
        else:
            return listener, datagrams
    raise InputError(
        f"DoIP server on {host}:{port}", expected="an address that is free", got=reason
    )
