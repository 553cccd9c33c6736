"""Diagnostics of an ECU: its ISO-TP link to the tester, its UDS server, and what it asks of them.

`Diagnostics` joins what the database says (who sends requests, in which frames), the server and the
ECU: a request becomes a response on the bus; CommunicationControl stops what the ECU sends and
hears; a reset follows once the response has left. It is built at the first diagnostic frame after
a start, as if it had been there since: until then it costs nothing. What is volatile is built anew
with it; attempt counters and trouble codes lie in the ECU's non-volatile memory.

Network management is not simulated by the ECUs, so 0x28 has only application messages to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from simcore.bus import Frame
from simcore.diag import DiagnosticTable, ResetKind, UdsServer
from simcore.diag.session import CommunicationEnabled
from simcore.ecu.runtime.diagnostic_addresses import DiagnosticMessages
from simcore.kernel import RandomStream
from simcore.transport import IsoTpLink, LinkSettings, Role, Step
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from simcore.ecu.runtime.ecu import Ecu

TableBuilder = Callable[[], DiagnosticTable]
"""A bound method of the ECU's software that makes its table."""
_ALL_ON = CommunicationEnabled()
WATCH_NS = 10 * NS_PER_MS
"""Between two looks whether the vehicle moves."""
_STARTS = "diagnostic starts"
"""Key in the non-volatile memory: how often the server was started, so that no seed comes twice."""


class Worker(Protocol):
    """Something an ECU does beside its tasks, at times of its own."""

    def on_timer(self, now_ns: int) -> object:
        """The deadline has come."""

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next; `None` for not now. Asked again after every call."""


class Diagnostics:
    """The diagnostic stack of one ECU; a `Worker`."""

    __slots__ = ("_applied", "_ecu", "_link", "_messages", "_watch_ns", "server")

    def __init__(
        self,
        ecu: Ecu,
        messages: DiagnosticMessages,
        table: DiagnosticTable,
        settings: LinkSettings | None,
        start_ns: int,
    ) -> None:
        self._ecu = ecu
        self._messages = messages
        own = messages.link_settings(messages.response, settings)
        # A port of somebody else's making may not tell when a frame has left.
        own = replace(own, confirms=hasattr(ecu.port, "confirm"))
        self._link = IsoTpLink(messages.server_address(), own)
        memory = ecu.port.memory
        starts = int.from_bytes(memory.get(_STARTS, b""), "big") + 1
        memory[_STARTS] = starts.to_bytes(4, "big")
        self.server = UdsServer(
            table,
            memory=memory,
            dtcs=ecu.trouble_codes.memory,
            stream=RandomStream(starts, f"{ecu.name} diagnostics"),
        )
        self.server.start(start_ns)
        self._applied = self.server.communication_enabled
        self._watch_ns: int | None = None
        """When to look next whether the vehicle moves, while anything is switched off."""

    # -- frames and time --------------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame of the tester."""
        self._take(self._link.receive(frame, now_ns), now_ns)

    def transmitted(self, frame: Frame, now_ns: int) -> None:
        """A frame of the link has left the controller."""
        if frame.arbitration_id == self._messages.response.arbitration_id:
            self._take(self._link.confirmed(now_ns, frame), now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Whatever of link and server is due."""
        link, server = self._link, self.server
        while (deadline_ns := link.next_deadline_ns()) is not None and deadline_ns <= now_ns:
            self._take(link.on_timer(now_ns), now_ns)
        deadline_ns = server.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self._respond(server.on_timer(now_ns), now_ns)
            self._look(now_ns)
        if self._watch_ns is not None and self._watch_ns <= now_ns:
            self._watch_motion(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When link or server want to be called next."""
        soonest_ns = sooner(self._link.next_deadline_ns(), self.server.next_deadline_ns())
        return sooner(soonest_ns, self._watch_ns)

    @property
    def is_answering(self) -> bool:
        """Whether a request is being processed, or its response has not left yet."""
        return self.server.is_busy or self._link.is_sending

    # -- requests from elsewhere ------------------------------------------------------------------

    def request(self, payload: bytes, now_ns: int, *, source: int) -> tuple[bytes, ...]:
        """A request that came another way than over the link (`source` is not 0)."""
        responses = self.server.request(payload, now_ns, source=source)
        self._look(now_ns)
        return responses

    # -- inside -----------------------------------------------------------------------------------

    def _take(self, step: Step, now_ns: int) -> None:
        for frame in step.frames:
            self._ecu.port.send(frame)
        for message in step.messages:
            responses = self.server.request(message.payload, now_ns, functional=message.functional)
            self._respond(responses, now_ns)
        if not self._link.is_sending and any(event.role is Role.SENDER for event in step.events):
            self.server.sent(now_ns)
        if step.messages or step.events:
            self._look(now_ns)

    def _respond(self, responses: Iterable[bytes], now_ns: int) -> None:
        for response in responses:
            for frame in self._link.send(response, now_ns).frames:
                self._ecu.port.send(frame)

    def _look(self, now_ns: int) -> None:
        """What the server wants of the ECU."""
        wanted = self.server.communication_enabled
        if wanted != self._applied:
            self._control_communication(wanted)
        if self._is_restricted and self._watch_ns is None:
            self._watch_ns = now_ns + WATCH_NS
        kind = self.server.take_reset()
        if kind is not None:
            self._ecu.reset(kind)

    @property
    def _is_restricted(self) -> bool:
        """Whether messages or trouble codes are switched off."""
        codes = self._ecu.trouble_codes.memory
        return self._applied != _ALL_ON or (codes is not None and not codes.enabled)

    def _watch_motion(self, now_ns: int) -> None:
        """A vehicle that moves needs its brakes: what a tester has switched off comes back."""
        self._watch_ns = now_ns + WATCH_NS if self._is_restricted else None
        if self._watch_ns is not None and self._ecu.moves(now_ns):
            self._watch_ns = None
            self._ecu.port.log("reaction", "the vehicle moves: default session")
            self.server.end_session(now_ns)
            self._look(now_ns)

    def _control_communication(self, wanted: CommunicationEnabled) -> None:
        applied, self._applied = self._applied, wanted
        ecu = self._ecu
        if wanted.normal_tx is not applied.normal_tx:
            ecu.set_sending(wanted.normal_tx)
        if wanted.normal_rx is not applied.normal_rx:
            ecu.set_hearing(wanted.normal_rx)
        switched = {True: "on", False: "off"}
        ecu.port.log(
            "state",
            f"{COMMUNICATION_TEXT}: reception {switched[wanted.normal_rx]}, "
            f"transmission {switched[wanted.normal_tx]}",
        )


COMMUNICATION_TEXT = "communication"
"""How the event of CommunicationControl begins."""


def reset_of(ecu: Ecu, kind: ResetKind) -> None:
    """Ask the port for a reset, where it can do that."""
    reset = getattr(ecu.port, "reset", None)
    if reset is None:
        ecu.port.log("note", f"reset ({kind.name}) asked for, but nothing here can do that")
    else:
        reset(kind)


def sooner(one_ns: int | None, other_ns: int | None) -> int | None:
    """The earlier of two deadlines."""
    if one_ns is None:
        return other_ns
    return one_ns if other_ns is None or one_ns < other_ns else other_ns
