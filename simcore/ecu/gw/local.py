"""`LocalTarget`: the gateway's own diagnostic server, for testers on DoIP and on the bus.

One server, so one session for both. An answer that takes time goes to whoever asked for it.
"""

from __future__ import annotations

from simcore.bus import Frame
from simcore.diag import ResetKind, UdsServer
from simcore.diag.doip_router import Reply
from simcore.ecu.gw.targets import Turn
from simcore.transport import IsoTpLink, Role, Step

BUS_TESTER = 0
"""Stands for the tester on the bus among the logical addresses of testers."""


class LocalTarget:
    """A server with a link to the bus. What `step` fills is to be sent there."""

    __slots__ = ("_asker", "_frames", "_reset", "address", "link", "name", "server", "turn")

    def __init__(self, name: str, address: int, server: UdsServer, link: IsoTpLink | None) -> None:
        self.name = name
        self.address = address
        self.server = server
        self.link = link
        """`None` where the database has no diagnostic messages for the gateway."""
        self.turn = Turn()
        self._asker = BUS_TESTER
        """Who waits for the request that the server works on."""
        self._frames: list[Frame] = []
        self._reset: ResetKind | None = None

    is_full = False
    """A request is answered at once, if only with 0x21."""

    @property
    def received_ids(self) -> tuple[int, ...]:
        """Identifiers of requests from the bus."""
        if self.link is None:
            return ()
        address = self.link.address
        found = (address.rx_id, address.functional_rx_id)
        return tuple(each for each in found if each is not None)

    @property
    def sent_ids(self) -> tuple[int, ...]:
        """Identifier of responses on the bus."""
        return () if self.link is None else (self.link.address.tx_id,)

    def take_frames(self) -> list[Frame]:
        """What is to be sent on the bus."""
        frames, self._frames = self._frames, []
        return frames

    def take_reset(self) -> ResetKind | None:
        """The reset that a tester asked for, once its response has left."""
        reset, self._reset = self._reset, None
        return reset

    # -- from DoIP --------------------------------------------------------------------------------

    def request(
        self, payload: bytes, now_ns: int, *, functional: bool = False
    ) -> tuple[Reply, ...]:
        """A request of the tester whose turn it is."""
        tester = self.turn.holder(now_ns)
        assert tester is not None
        return self._ask(payload, tester, now_ns, functional=functional)

    # -- from the bus -----------------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> tuple[Reply, ...]:
        """A frame with one of `received_ids`."""
        return () if self.link is None else self._follow(self.link.receive(frame, now_ns), now_ns)

    def transmitted(self, frame: Frame, now_ns: int) -> tuple[Reply, ...]:
        """A frame of the link has left the controller."""
        if self.link is None:
            return ()
        return self._follow(self.link.confirmed(now_ns, frame), now_ns)

    # -- time -------------------------------------------------------------------------------------

    def on_timer(self, now_ns: int) -> tuple[Reply, ...]:
        """The server goes on, and timers of the link."""
        replies: tuple[Reply, ...] = ()
        if self.link is not None:
            replies = self._follow(self.link.on_timer(now_ns), now_ns)
        deadline_ns = self.server.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            asker = self._asker
            replies += self._answer(self.server.on_timer(now_ns), asker, now_ns)
        return replies

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next."""
        if self._frames or self._reset is not None:
            return 0  # the gateway has to fetch them, now
        own_ns = self.server.next_deadline_ns()
        link_ns = None if self.link is None else self.link.next_deadline_ns()
        return min((each for each in (own_ns, link_ns) if each is not None), default=None)

    # -- inside -----------------------------------------------------------------------------------

    def _follow(self, step: Step, now_ns: int) -> tuple[Reply, ...]:
        self._frames += step.frames
        if any(event.role is Role.SENDER for event in step.events):
            self._has_left(now_ns)
        replies: tuple[Reply, ...] = ()
        for message in step.messages:
            replies += self._ask(message.payload, BUS_TESTER, now_ns, functional=message.functional)
        return replies

    def _ask(
        self, payload: bytes, tester: int, now_ns: int, *, functional: bool
    ) -> tuple[Reply, ...]:
        was_busy = self.server.is_busy
        responses = self.server.request(payload, now_ns, functional=functional, source=tester)
        if self.server.is_busy and not was_busy:
            self._asker = tester
        if not responses:
            self._has_left(now_ns)
        return self._answer(responses, tester, now_ns)

    def _answer(self, responses: tuple[bytes, ...], tester: int, now_ns: int) -> tuple[Reply, ...]:
        if tester == BUS_TESTER:
            for response in responses:
                if self.link is not None:
                    self._follow(self.link.send(response, now_ns), now_ns)
            return ()
        for response in responses:
            self.turn.answered(response, now_ns)
        if responses:
            self._has_left(now_ns)
        return tuple(Reply(self.address, tester, response) for response in responses)

    def _has_left(self, now_ns: int) -> None:
        self.server.sent(now_ns)
        self._reset = self._reset or self.server.take_reset()
