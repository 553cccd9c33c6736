"""`Gw`: the gateway between the chassis network and the diagnostic Ethernet link.

On the chassis it sends what a restbus sender in its place sends. Its DoIP entity stands in front of
the ECUs: `router` has the way to each, `addresses` who may take it. It has a diagnostic server of
its own (`diagnosis`), on the bus and behind DoIP. While nobody is plugged into `ethernet` nothing
of all this costs anything.
"""

from __future__ import annotations

from simcore.bus import Frame
from simcore.diag import UdsServer
from simcore.diag.doip_entity import DoipEntity
from simcore.diag.doip_settings import DoipSettings
from simcore.ecu.gw.addresses import FUNCTIONAL_ADDRESS, LOGICAL_ADDRESSES, doip_settings
from simcore.ecu.gw.diagnosis import GatewayData, gateway_table
from simcore.ecu.gw.ethernet import EthernetPort
from simcore.ecu.gw.local import LocalTarget
from simcore.ecu.gw.router import GatewayRouter
from simcore.ecu.restbus import RestbusNode
from simcore.ecu.runtime.diagnostic_addresses import diagnosed_nodes
from simcore.ecu.seam import Port
from simcore.kernel import RandomStream
from simcore.network import Database
from simcore.transport import IsoTpLink, LinkSettings


class Gw(RestbusNode):
    """The gateway; implements `Node`. `settings` is who it is and whom it lets in."""

    fixed_schedule = False
    """A frame may bring a response that has to go on at once."""

    def __init__(
        self, name: str, database: Database, *, settings: DoipSettings | None = None
    ) -> None:
        super().__init__(name, database)
        self.settings = settings if settings is not None else doip_settings()
        self.ethernet = EthernetPort()
        self._diagnosed = diagnosed_nodes(database)
        own = self._diagnosed.get(name)
        self._request_ids = () if own is None else own.request_ids
        """Of requests to the gateway itself, from the bus."""
        responses = (
            each.response.arbitration_id
            for node, each in self._diagnosed.items()
            if node != name and node in LOGICAL_ADDRESSES
        )
        self._diagnostic_ids = (*responses, *self._request_ids)
        self._streams: dict[str, RandomStream] = {}
        """By purpose, from their first use on."""

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: connections of before are gone."""
        super().start(port, now_ns)
        self._confirms = hasattr(port, "confirm")
        """A port of somebody else's making may not tell when a frame has left."""
        self._is_listening = False
        self._started_ns = now_ns
        self._local: LocalTarget | None = None
        self._router: GatewayRouter | None = None
        self.ethernet.power_on(self._build_entity, now_ns)
        others = () if self.timeouts is None else self.timeouts.identifiers
        port.accept((*self._receptions, *others, *self._diagnostic_ids))
        if self.ethernet.is_up:
            self._listen()

    # -- what the outside does --------------------------------------------------------------------

    def plug_in(self, now_ns: int) -> None:
        """Something is on the Ethernet link from now on."""
        self._listen()
        self.ethernet.plug_in(now_ns)

    # -- the Node protocol ------------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A response of an ECU, a request to the gateway, or what a restbus sender receives."""
        super().receive(frame, now_ns)
        if self._router is not None:
            self.ethernet.respond(self._router.receive(frame, now_ns), now_ns)
        if frame.arbitration_id in self._request_ids:
            self._listen()
            self.ethernet.respond(self.local.receive(frame, now_ns), now_ns)
            self._send_own()

    def transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        """A diagnostic frame has left the controller."""
        if frame.arbitration_id in self.local.sent_ids:
            self.ethernet.respond(self.local.transmitted(frame, now_ns), now_ns)
            self._send_own()
        elif frame.arbitration_id in self.router.sent_ids:
            self.ethernet.respond(self.router.transmitted(frame, now_ns), now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Send what is due, and go on with diagnostics."""
        agenda_ns = super().next_deadline_ns()
        if agenda_ns is not None and agenda_ns <= now_ns:
            super().on_timer(now_ns)
        if self._router is not None:
            self.ethernet.respond(self._router.on_timer(now_ns), now_ns)
            self.ethernet.on_timer(now_ns)
            self._send_own()

    def next_deadline_ns(self) -> int | None:
        """The soonest of all."""
        agenda_ns = super().next_deadline_ns()
        if self._router is None:
            return agenda_ns
        times_ns = (
            agenda_ns,
            self._router.next_deadline_ns(),
            self.ethernet.next_deadline_ns(),
        )
        return min((each for each in times_ns if each is not None), default=None)

    # -- inside -----------------------------------------------------------------------------------

    @property
    def local(self) -> LocalTarget:
        """The gateway's own server, built when it is first needed."""
        if self._local is None:
            self._local = self._local_target()
            self._local.server.start(self._started_ns)
        return self._local

    @property
    def router(self) -> GatewayRouter:
        """The ways to the other ECUs, built when they are first needed."""
        if self._router is None:
            self._router = GatewayRouter(
                self.port,
                {node: each for node, each in self._diagnosed.items() if node != self.name},
                LOGICAL_ADDRESSES,
                functional=FUNCTIONAL_ADDRESS,
                local=self.local,
                confirms=self._confirms,
            )
        return self._router

    def _build_entity(self, first_connection: int) -> DoipEntity:
        stream = self._stream("announcements")
        return DoipEntity(self.settings, self.router, stream, first_connection=first_connection)

    def _stream(self, purpose: str) -> RandomStream:
        if purpose not in self._streams:
            seed = int.from_bytes(self.settings.eid, "big")
            self._streams[purpose] = RandomStream(seed, f"{self.name}.{purpose}")
        return self._streams[purpose]

    def _local_target(self) -> LocalTarget:
        table = gateway_table(self.name, self.settings.vin, GatewayData(self.ethernet))
        stream = self._stream("diagnostics")
        server = UdsServer(table, memory=self.port.memory, dtcs=None, stream=stream)
        messages = self._diagnosed.get(self.name)
        link = None
        if messages is not None:
            settings = LinkSettings(confirms=self._confirms)
            link = IsoTpLink(
                messages.server_address(), messages.link_settings(messages.response, settings)
            )
        return LocalTarget(self.name, self.settings.address, server, link)

    def _listen(self) -> None:
        """Ask to be told when diagnostic frames have left, once there is any need of it."""
        sent_ids = (*self.router.sent_ids, *self.local.sent_ids)
        if self._confirms and not self._is_listening:
            self._is_listening = True
            self.port.confirm(sent_ids)

    def _send_own(self) -> None:
        for frame in self.local.take_frames():
            self.port.send(frame)
        reset = self.local.take_reset()
        if reset is not None and hasattr(self.port, "reset"):
            self.port.reset(reset)
