"""`DoipPlug`: whatever is outside, plugged into the Ethernet port of a rig's gateway.

What both doors share, the server on sockets (`doip_server`) and the client in virtual time
(`doip_client`). A gateway without supply, or in reset, answers nothing and loses its connections.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from simcore.diag.doip_output import Action, Close
from simcore.ecu.gw import Gw
from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.rig import Bench

GATEWAY = "GW"


def gateway_of(rig: Bench, node: str) -> Gw:
    """The node with the Ethernet port. Raises `UsageError` for one that has none."""
    gateway = rig.node(node)
    if not isinstance(gateway, Gw):
        raise UsageError(
            f"DoIP at {node}",
            expected="a node with a DoIP entity, as the reference gateway",
            got=type(gateway).__name__,
        )
    return gateway


class DoipPlug:
    """The outside end of the link. One at a time; `close` pulls it."""

    def __init__(self, rig: Bench, node: str = GATEWAY) -> None:
        self._rig = rig
        self._name = node
        self._open: set[int] = set()
        self._gateway = gateway_of(rig, node)
        self._host = rig.host(node)
        self._plugged = False
        self._plug_in()

    @property
    def is_running(self) -> bool:
        """Whether there is a gateway at the other end."""
        return self._host.running and self._host.node is self._gateway

    def connect(self) -> int | None:
        """Open a TCP connection; its number, `None` where that is refused."""
        if not self.is_running:
            return None
        self._plug_in()
        number = self._gateway.ethernet.connect(self._rig.now_ns)
        self._host.ask_again()
        if number is not None:
            self._open.add(number)
        return number

    def receive(self, connection: int, data: bytes) -> None:
        """Bytes on a connection; lost where it has ended."""
        if self.is_running and connection in self._open:
            self._gateway.ethernet.receive(connection, data, self._rig.now_ns)
            self._host.ask_again()

    def disconnected(self, connection: int) -> None:
        """The outside closes a connection."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        if self.is_running:
            self._gateway.ethernet.disconnected(connection, self._rig.now_ns)
            self._host.ask_again()

    def datagram(self, data: bytes, sender: Hashable) -> None:
        """A UDP datagram."""
        if self.is_running:
            self._plug_in()
            self._gateway.ethernet.datagram(data, sender, self._rig.now_ns)
            self._host.ask_again()

    def take(self) -> list[Action]:
        """What the gateway wants sent and closed."""
        actions = self._gateway.ethernet.take()
        if not self.is_running:
            actions += [Close(number) for number in sorted(self._open)]
        self._open -= {each.connection for each in actions if isinstance(each, Close)}
        return actions

    @property
    def has_outgoing(self) -> bool:
        """Whether `take` would give anything."""
        return self._gateway.ethernet.has_outgoing or (bool(self._open) and not self.is_running)

    def close(self) -> None:
        """Pull the plug."""
        self._open.clear()
        if self._plugged:
            self._plugged = False
            self._gateway.ethernet.unplug(self._rig.now_ns)
            self._host.ask_again()

    def _plug_in(self) -> None:
        if not self._plugged and self.is_running:
            if self._gateway.ethernet.is_up:
                raise UsageError(
                    f"DoIP at {self._name}", expected="nothing else plugged in", got="one plug"
                )
            self._plugged = True
            self._gateway.plug_in(self._rig.now_ns)
            self._host.ask_again()
