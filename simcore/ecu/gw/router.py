"""`GatewayRouter`: brings diagnostic requests from DoIP to the ECUs, and their responses back.

A real gateway sends on the bus with the identifiers that the database gives to the tester, for the
tester is whoever stands behind it. So the router takes the pairs of request and response that the
database marks for diagnostics, and nothing else can be sent through it (SEC-001): a tester on DoIP
reaches diagnostic identifiers only. A tester plugged onto the bus itself uses the same identifiers:
the two must not talk to the same ECU in the same instant, as in a real vehicle.
"""

from __future__ import annotations

from collections.abc import Mapping

from simcore.bus import Frame
from simcore.diag.doip_codec import DiagnosticNack
from simcore.diag.doip_router import Reply
from simcore.ecu.gw.local import LocalTarget
from simcore.ecu.gw.targets import BusTarget, lost
from simcore.ecu.runtime.diagnostic_addresses import DiagnosticMessages
from simcore.ecu.seam import Port
from simcore.transport import IsoTpLink, LinkSettings, Step

REQUEST_SIZE_MAX = 4095
"""The longest request that any ECU of the interface takes; longer ones get NACK 0x04."""
FUNCTIONAL_SIZE_MAX = 62
"""One CAN FD frame."""


class GatewayRouter:
    """Implements `DiagnosticRouter` over the bus of a node, and its own server beside that."""

    __slots__ = ("_by_rx_id", "_by_tx_id", "_functional", "_local", "_port", "targets")

    def __init__(
        self,
        port: Port,
        links: Mapping[str, DiagnosticMessages],
        logical_addresses: Mapping[str, int],
        *,
        functional: int,
        local: LocalTarget,
        confirms: bool = True,
    ) -> None:
        self._port = port
        self._functional = functional
        self._local = local
        self.targets: dict[int, BusTarget] = {}
        """By logical address."""
        settings = LinkSettings(confirms=confirms)
        for name, messages in links.items():
            logical = logical_addresses.get(name)
            if logical is not None:
                own = messages.link_settings(messages.request, settings)
                link = IsoTpLink(messages.tester_address(), own)
                self.targets[logical] = BusTarget(name, logical, link)
        self._by_rx_id = {each.link.address.rx_id: each for each in self.targets.values()}
        self._by_tx_id = {each.link.address.tx_id: each for each in self.targets.values()}

    @property
    def received_ids(self) -> tuple[int, ...]:
        """Identifiers of the responses."""
        return tuple(self._by_rx_id)

    @property
    def sent_ids(self) -> tuple[int, ...]:
        """Identifiers that the router sends with: diagnostic requests and nothing else."""
        physical = tuple(self._by_tx_id)
        first = next(iter(self.targets.values()), None)
        functional = None if first is None else first.link.address.functional_tx_id
        return physical if functional is None else (*physical, functional)

    # -- DiagnosticRouter -------------------------------------------------------------------------

    def refusal(self, tester: int, target: int, size: int, now_ns: int) -> DiagnosticNack | None:
        """Why a request cannot be delivered now."""
        if target == self._functional:
            reached = self._everybody()
            largest = FUNCTIONAL_SIZE_MAX
        else:
            found = self._target(target)
            if found is None:
                return DiagnosticNack.UNKNOWN_TARGET_ADDRESS
            reached, largest = [found], REQUEST_SIZE_MAX
        if size > largest:
            return DiagnosticNack.MESSAGE_TOO_LARGE
        if any(each.turn.holder(now_ns) not in (None, tester) or each.is_full for each in reached):
            return DiagnosticNack.OUT_OF_MEMORY  # the one place for it is taken
        return None

    def deliver(self, tester: int, target: int, payload: bytes, now_ns: int) -> tuple[Reply, ...]:
        """Bring a request to its target."""
        if target != self._functional:
            found = self._target(target)
            assert found is not None  # `refusal` comes first
            found.turn.take(tester, now_ns)
            if isinstance(found, LocalTarget):
                return found.request(payload, now_ns)
            return self._done(found, found.request(payload, now_ns), now_ns)
        for each in self._everybody():
            each.turn.take(tester, now_ns)
        replies: tuple[Reply, ...] = ()
        sender = next(iter(self.targets.values()), None)
        if sender is not None:  # one frame for all of them
            replies = self._done(sender, sender.request(payload, now_ns, functional=True), now_ns)
        return replies + self._local.request(payload, now_ns, functional=True)

    def tester_gone(self, tester: int, now_ns: int) -> None:
        """Nobody waits for the responses to this tester."""
        for each in self._everybody():
            if each.turn.holder(now_ns) == tester:
                each.turn.end()

    # -- the bus ----------------------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> tuple[Reply, ...]:
        """A frame with one of `received_ids`."""
        target = self._by_rx_id.get(frame.arbitration_id)
        return () if target is None else self._done(target, target.receive(frame, now_ns), now_ns)

    def transmitted(self, frame: Frame, now_ns: int) -> tuple[Reply, ...]:
        """A frame with one of `sent_ids` has left the controller."""
        target = self._by_tx_id.get(frame.arbitration_id)
        if target is None:  # the functional request
            target = next(iter(self.targets.values()))
        return self._done(target, target.transmitted(frame, now_ns), now_ns)

    def on_timer(self, now_ns: int) -> tuple[Reply, ...]:
        """Timers of the links, and work of the own server."""
        replies: tuple[Reply, ...] = ()
        for target in self.targets.values():
            deadline_ns = target.link.next_deadline_ns()
            if deadline_ns is not None and deadline_ns <= now_ns:
                replies += self._done(target, target.on_timer(now_ns), now_ns)
        return replies + self._local.on_timer(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        times_ns = [each.link.next_deadline_ns() for each in self.targets.values()]
        times_ns.append(self._local.next_deadline_ns())
        return min((each for each in times_ns if each is not None), default=None)

    # -- inside -----------------------------------------------------------------------------------

    def _target(self, address: int) -> BusTarget | LocalTarget | None:
        if address == self._local.address:
            return self._local
        return self.targets.get(address)

    def _everybody(self) -> list[BusTarget | LocalTarget]:
        return [*self.targets.values(), self._local]

    def _done(self, target: BusTarget, step: Step, now_ns: int) -> tuple[Reply, ...]:
        for frame in step.frames:
            self._port.send(frame)
        for event in step.events:
            text = lost(event)
            if text:
                self._port.log("note", f"DoIP to {target.name}: {text}")
        return target.replies(step, now_ns)
