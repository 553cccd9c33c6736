"""`EthernetPort`: the gateway's diagnostic Ethernet link, as the outside plugs into it.

The link is down until something is plugged in; then the DoIP entity announces itself. A reset of
the gateway ends every connection, and the entity announces itself anew. What the entity wants done
waits here for whoever has plugged in.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from simcore.diag.doip_entity import DoipEntity
from simcore.diag.doip_output import Action
from simcore.diag.doip_router import Reply


class EthernetPort:
    """A link with a DoIP entity on it; whoever plugs in calls `connect`, `receive` and so on."""

    __slots__ = ("_build", "_entity", "_first_connection", "_outgoing", "is_up")

    _build: Callable[[int], DoipEntity]
    """Makes the entity, given what it numbers its connections from."""

    def __init__(self) -> None:
        self.is_up = False
        self._outgoing: list[Action] = []
        self._entity: DoipEntity | None = None
        self._first_connection = 1
        """No number comes twice."""

    def power_on(self, build: Callable[[int], DoipEntity], now_ns: int) -> None:
        """The gateway has started: what the entity of before had is gone.

        `build`, a bound method, makes the new one as soon as it is needed.
        """
        if self._entity is not None:
            self._first_connection = self._entity.tcp.next_number
            self._outgoing += self._entity.stop(now_ns)
        self._entity = None
        self._build = build
        if self.is_up:
            self.entity.start(now_ns)

    @property
    def entity(self) -> DoipEntity:
        """The DoIP entity since the last start of the gateway."""
        if self._entity is None:
            self._entity = self._build(self._first_connection)
        return self._entity

    # -- what the outside does --------------------------------------------------------------------

    def plug_in(self, now_ns: int) -> None:
        """The link comes up."""
        if not self.is_up:
            self.is_up = True
            self.entity.start(now_ns)

    def unplug(self, now_ns: int) -> None:
        """The link goes down; nobody is left to be told."""
        self.is_up = False
        self.entity.stop(now_ns)
        self._outgoing.clear()

    def connect(self, now_ns: int) -> int | None:
        """A TCP connection is asked for: its number, or `None` where it is refused."""
        number, actions = self.entity.connect(now_ns)
        self._outgoing += actions
        return number

    def receive(self, connection: int, data: bytes, now_ns: int) -> None:
        """Bytes on a connection."""
        self._outgoing += self.entity.receive(connection, data, now_ns)

    def disconnected(self, connection: int, now_ns: int) -> None:
        """The other side has closed a connection."""
        self._outgoing += self.entity.disconnected(connection, now_ns)

    def datagram(self, data: bytes, sender: Hashable, now_ns: int) -> None:
        """A UDP datagram; `sender` comes back with the answer."""
        self._outgoing += self.entity.datagram(data, sender, now_ns)

    def take(self) -> list[Action]:
        """What is to be sent and closed, in order."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    @property
    def has_outgoing(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._outgoing)

    # -- what the gateway does --------------------------------------------------------------------

    def respond(self, replies: tuple[Reply, ...], now_ns: int) -> None:
        """Responses of ECUs."""
        for reply in replies:
            self._outgoing += self.entity.respond(reply, now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Timers of the entity."""
        self._outgoing += self.entity.on_timer(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        return self.entity.next_deadline_ns() if self.is_up else None
