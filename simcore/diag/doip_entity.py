"""`DoipEntity`: a DoIP gateway or node without sockets.

Datagrams and chunks of TCP streams go in with the time; what is to be sent or closed comes out.
UDP (`doip_udp`): vehicle identification, announcements, entity status, power mode. TCP
(`doip_tcp`): routing activation, alive check, diagnostic messages. What is behind it is a
`DiagnosticRouter`. No TLS; authentication is four bytes in the activation.

ISO 13400-2:2019. An alive check request from a tester is answered, which the standard leaves open.
"""

from __future__ import annotations

from collections.abc import Hashable

from simcore.diag.doip_codec import PowerMode
from simcore.diag.doip_output import Action
from simcore.diag.doip_router import DiagnosticRouter, Reply
from simcore.diag.doip_settings import DoipSettings
from simcore.diag.doip_tcp import TcpSide
from simcore.diag.doip_udp import UdpSide
from simcore.kernel import RandomStream


class DoipEntity:
    """Up between `start` and `stop`; every call returns what is to be done, in order.

    Timers that are over by the time of a call act before it. Connections are numbered from
    `first_connection` on: an entity that follows another one goes on from `tcp.next_number`.
    """

    __slots__ = ("is_up", "settings", "tcp", "udp")

    def __init__(
        self,
        settings: DoipSettings,
        router: DiagnosticRouter,
        stream: RandomStream,
        *,
        first_connection: int = 1,
    ) -> None:
        self.settings = settings
        self.tcp = TcpSide(settings, router, first_connection=first_connection)
        self.udp = UdpSide(settings, stream)
        self.is_up = False

    def start(self, now_ns: int) -> None:
        """The link has come up: announcements follow."""
        self.is_up = True
        self.udp.start(now_ns)

    def stop(self, now_ns: int) -> tuple[Action, ...]:
        """The link goes down, or the entity does: every connection ends."""
        self.is_up = False
        self.udp.stop()
        self.tcp.stop(now_ns)
        return tuple(self.tcp.take())

    # -- UDP --------------------------------------------------------------------------------------

    def datagram(self, data: bytes, sender: Hashable, now_ns: int) -> tuple[Action, ...]:
        """A datagram came; `sender` is handed back with the answer."""
        if not self.is_up:
            return ()
        due = self.on_timer(now_ns)
        answers = self.udp.receive(data, sender, len(self.tcp.connections), now_ns)
        return (*due, *answers)

    @property
    def power_mode(self) -> PowerMode:
        """What a tester is told about the vehicle."""
        return self.udp.power_mode

    @power_mode.setter
    def power_mode(self, mode: PowerMode) -> None:
        self.udp.power_mode = mode

    # -- TCP --------------------------------------------------------------------------------------

    def connect(self, now_ns: int) -> tuple[int | None, tuple[Action, ...]]:
        """A tester has connected; the number of the connection, `None` to turn it away."""
        due = self.on_timer(now_ns)
        return (self.tcp.connect(now_ns) if self.is_up else None), due

    def disconnected(self, connection: int, now_ns: int) -> tuple[Action, ...]:
        """The tester has closed a connection."""
        due = self.on_timer(now_ns)
        self.tcp.disconnected(connection, now_ns)
        return (*due, *self.tcp.take())

    def receive(self, connection: int, data: bytes, now_ns: int) -> tuple[Action, ...]:
        """A chunk of a connection's stream. Raises `UsageError` for one that never was."""
        due = self.on_timer(now_ns)
        self.tcp.receive(connection, data, now_ns)
        return (*due, *self.tcp.take())

    def respond(self, reply: Reply, now_ns: int) -> tuple[Action, ...]:
        """The router has a response for a tester; one that has gone is counted."""
        due = self.on_timer(now_ns)
        self.tcp.respond(reply, now_ns)
        return (*due, *self.tcp.take())

    def confirm(self, tester: int, accepted: bool, now_ns: int) -> tuple[Action, ...]:
        """Agree to an activation that was answered with 0x11, or do not."""
        due = self.on_timer(now_ns)
        self.tcp.confirm(tester, accepted, now_ns)
        return (*due, *self.tcp.take())

    # -- time -------------------------------------------------------------------------------------

    def on_timer(self, now_ns: int) -> tuple[Action, ...]:
        """Do what is due."""
        self.tcp.on_timer(now_ns)
        return (*self.udp.on_timer(now_ns), *self.tcp.take())

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        times_ns = (self.udp.next_deadline_ns(), self.tcp.next_deadline_ns())
        return min((each for each in times_ns if each is not None), default=None)
