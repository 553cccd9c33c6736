"""`Target`: one ECU that testers reach through the gateway, and whose turn it is there.

An ECU knows one tester on its link, so one tester at a time has it: from a request until its
response, or until nothing came for a while. Others are told to come again (NACK 0x05).
"""

from __future__ import annotations

from simcore.bus import Frame
from simcore.diag.codes import NEGATIVE_RESPONSE, Nrc
from simcore.diag.doip_router import Reply
from simcore.transport import IsoTpLink, LinkEvent, NResult, Role, Step
from simcore.units import NS_PER_MS, NS_PER_S

QUIET_NS = 200 * NS_PER_MS
"""A request that is not answered so long (P2 and the way there and back) will not be."""
PENDING_NS = 5 * NS_PER_S + QUIET_NS
"""The same after a 0x78: P2*."""
QUEUE_LIMIT = 4
"""Requests of one tester that wait for the bus; ISO-TP sends one at a time."""


class Turn:
    """Which tester an ECU's responses belong to."""

    __slots__ = ("_open", "_tester", "_until_ns", "sending")

    def __init__(self) -> None:
        self._tester: int | None = None
        self._open = 0
        """Requests that are not answered yet."""
        self._until_ns = 0
        self.sending = 0
        """Requests that have not left the gateway: its time does not run meanwhile."""

    def holder(self, now_ns: int) -> int | None:
        """Whose turn it is."""
        return self._tester if self.sending or now_ns < self._until_ns else None

    def take(self, tester: int, now_ns: int) -> None:
        """A request of this tester is on its way."""
        if self.holder(now_ns) is None:
            self._open = 0
        self._tester = tester
        self._open += 1
        self.extend(now_ns)

    def extend(self, now_ns: int, *, pending: bool = False) -> None:
        """The ECU is at it."""
        wait_ns = PENDING_NS if pending else QUIET_NS
        self._until_ns = max(self._until_ns, now_ns + wait_ns)

    def answered(self, response: bytes, now_ns: int) -> None:
        """A response has come; the last one ends the turn."""
        if response[:1] == _NEGATIVE and response[2:3] == _PENDING:
            self.extend(now_ns, pending=True)
            return
        self._open -= 1
        if self._open <= 0:
            self.end()

    def end(self) -> None:
        """It is nobody's turn: what comes is for nobody."""
        self._tester = None
        self._until_ns = 0


_NEGATIVE = bytes((NEGATIVE_RESPONSE,))
_PENDING = bytes((Nrc.RESPONSE_PENDING,))


class BusTarget:
    """An ECU on the bus, reached through an ISO-TP link as a tester would."""

    __slots__ = ("address", "failed_count", "link", "name", "turn")

    def __init__(self, name: str, address: int, link: IsoTpLink) -> None:
        self.name = name
        self.address = address
        self.link = link
        self.turn = Turn()
        self.failed_count = 0
        """Requests and responses that got lost on the bus."""

    @property
    def is_full(self) -> bool:
        """Whether another request would have to wait too long."""
        return self.turn.sending >= QUEUE_LIMIT

    def request(self, payload: bytes, now_ns: int, *, functional: bool = False) -> Step:
        """Send a request to the ECU; a functional one from this link to all."""
        self.turn.sending += 1
        return self._follow(self.link.send(payload, now_ns, functional=functional), now_ns)

    def receive(self, frame: Frame, now_ns: int) -> Step:
        """A frame of the ECU; none of the gateway's business while it asked for nothing.

        A flow control for the response to another tester would be one too many on the bus.
        """
        if self.turn.holder(now_ns) is None and not self.link.is_sending:
            return _NOTHING
        self.turn.extend(now_ns)
        return self._follow(self.link.receive(frame, now_ns), now_ns)

    def transmitted(self, frame: Frame, now_ns: int) -> Step:
        """A frame of the link has left the gateway."""
        return self._follow(self.link.confirmed(now_ns, frame), now_ns)

    def on_timer(self, now_ns: int) -> Step:
        """A timer of the link is over."""
        return self._follow(self.link.on_timer(now_ns), now_ns)

    def replies(self, step: Step, now_ns: int) -> tuple[Reply, ...]:
        """The responses in a step, for the tester whose turn it is."""
        found = []
        for message in step.messages:
            tester = self.turn.holder(now_ns)
            if tester is not None:
                found.append(Reply(self.address, tester, message.payload))
                self.turn.answered(message.payload, now_ns)
        return tuple(found)

    def _follow(self, step: Step, now_ns: int) -> Step:
        for event in step.events:
            if event.role is Role.SENDER:
                self.turn.sending -= 1
                self.turn.extend(now_ns)
            if event.kind is not NResult.N_OK:
                self.failed_count += 1
        return step


_NOTHING = Step()


def lost(event: LinkEvent) -> str:
    """How an event of a link that is a loss reads; empty for any other."""
    if event.kind is NResult.N_OK:
        return ""
    what = "request" if event.role is Role.SENDER else "response"
    return f"{what} lost, {event.kind.name}"
