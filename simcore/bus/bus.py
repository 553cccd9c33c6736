"""`Bus`: who sends when, bit-exact. ISO 11898-1:2015, clauses 10.4 and 10.5.

A frame starts at the end of the intermission, or at the instant of the first request on an idle
bus. Among all controllers with a waiting frame the arbitration field decides: the lowest
arbitration key wins, as wired-AND does bit by bit, and the losers try again after that frame.
Receivers get a frame when it is valid for them, at the last bit but one of EOF; the record holds
both edges, start of frame and end of EOF.

Every request made at an instant takes part in the arbitration that starts at that instant, see
`kernel.Priority`. The sub-bit latency between a request and SOF is not modelled.

Two different frames with the same arbitration field at once are a bit error on a real bus. Error
frames are not modelled here yet: such a collision is reported in `collisions`, and the frames go
out one after the other, in the order the controllers were attached.
"""

from __future__ import annotations

from heapq import heappop
from typing import NamedTuple

from simcore.bus.controller import Controller, Receive
from simcore.bus.duration import bit_counts
from simcore.bus.frame import Frame
from simcore.bus.log import BusRecord, FrameLog
from simcore.bus.timing import INTERMISSION_BITS, BitTiming
from simcore.errors import UsageError
from simcore.kernel import Priority, Scheduler

_new_record = tuple.__new__
# Plain integers: they order the same, and comparing heap entries stays cheap.
_BUS = int(Priority.BUS)
_ARBITRATION = int(Priority.ARBITRATION)


class Collision(NamedTuple):
    """Different frames with one arbitration field at one instant."""

    time_ns: int
    channel: str
    frame: Frame
    senders: tuple[str, ...]


class _Route:
    """Who receives a message, and how often it was handed over."""

    __slots__ = ("controllers", "count", "receives")

    def __init__(self, controllers: list[Controller]) -> None:
        self.controllers = controllers
        self.receives = tuple(
            controller.receive for controller in controllers if controller.receive is not None
        )
        self.count = 0


class Bus:
    """One CAN or CAN FD bus in virtual time."""

    def __init__(
        self, name: str, timing: BitTiming, scheduler: Scheduler, *, log: FrameLog | None = None
    ) -> None:
        self.name = name
        self.timing = timing
        self.scheduler = scheduler
        self._iso = timing.iso
        self.carries_fd = timing.data_bps is not None
        self.log = FrameLog() if log is None else log
        self.controllers: list[Controller] = []
        self.contenders: list[Controller] = []
        """Controllers with a waiting frame."""
        self.armed = False
        """True while a start of frame is scheduled or a frame is on the wire."""
        self.busy_ns = 0
        """Time of all frames started so far, intermissions included."""
        self.collisions: list[Collision] = []
        self._ready_ns = 0
        self._current: BusRecord | None = None
        self._twins: list[Controller] = []
        """Who sends the very frame on the wire too, besides its sender on record."""
        self._routes: dict[tuple[int, str], _Route] = {}
        self._whole_bit_ns = _whole_bit_times(timing)

    def attach(self, name: str, receive: Receive | None = None) -> Controller:
        """Connect a node. Raises `UsageError` for a name that is taken."""
        if any(controller.name == name for controller in self.controllers):
            raise UsageError(f"{self.name}: attach", expected="a free name", got=name)
        controller = Controller(self, name, receive)
        self.controllers.append(controller)
        self.forget_routes()
        return controller

    def arm(self) -> None:
        """Schedule the next start of frame: now, or when the intermission is over."""
        self.armed = True
        scheduler = self.scheduler
        scheduler.post(max(scheduler.now_ns, self._ready_ns), _ARBITRATION, self._start_frame)

    def forget_routes(self) -> None:
        """Filters changed, or counts are wanted: settle the counts, find routes anew."""
        routes = list(self._routes.values())
        self._routes.clear()
        for route in routes:
            for controller in route.controllers:
                controller.count_received(route.count)

    def _new_route(self, frame: Frame, sender: str) -> _Route:
        return _Route(
            [
                controller
                for controller in self.controllers
                if controller.name != sender and controller.accepts(frame)
            ]
        )

    @property
    def load_ratio(self) -> float:
        """Share of the time so far that the bus was occupied, intermissions included."""
        now_ns = self.scheduler.now_ns
        if not now_ns:
            return 0.0
        still_to_come_ns = max(0, self._ready_ns - now_ns)
        return (self.busy_ns - still_to_come_ns) / now_ns

    def _start_frame(self) -> None:
        """Start of frame is due. Goes on, frame after frame, as long as nothing else happens."""
        scheduler = self.scheduler
        while self.contenders:
            valid_ns = self._transmit()
            if not scheduler.advance_to(valid_ns):
                scheduler.post(valid_ns, _BUS, self._complete)
                return
            try:
                self._deliver()
            except BaseException:  # a receiver's defect must not silence the bus for good
                self._idle_or_wait()
                raise
            if not self.contenders or not scheduler.advance_to(self._ready_ns):
                break
        self._idle_or_wait()

    def _complete(self) -> None:
        """The frame on the wire is valid for its receivers."""
        try:
            self._deliver()
        finally:
            self._idle_or_wait()

    def _idle_or_wait(self) -> None:
        """After a frame: wait for the end of the intermission, or for a request."""
        if self.contenders:
            ready_ns = max(self._ready_ns, self.scheduler.now_ns)
            self.scheduler.post(ready_ns, _ARBITRATION, self._start_frame)
        else:
            self.armed = False

    def _transmit(self) -> int:
        """Arbitrate and put the winner's frame on the wire; when it is valid for receivers."""
        contenders = self.contenders
        winner = contenders[0] if len(contenders) == 1 else self._arbitrate()
        queue = winner.queue
        _, _, request_ns, frame = heappop(queue)
        if not queue:
            contenders.remove(winner)
        winner.transmitted_count += 1
        sof_ns = self.scheduler.now_ns
        nominal_bits, data_bits = bit_counts(frame, iso=self._iso)
        whole = self._whole_bit_ns
        if whole is not None:
            nominal_ns, data_ns = whole
            eof_ns = sof_ns + nominal_bits * nominal_ns + data_bits * data_ns
            ready_ns = eof_ns + INTERMISSION_BITS * nominal_ns
            valid_ns = eof_ns - nominal_ns
        else:
            to_ns = self.timing.to_ns
            eof_ns = sof_ns + to_ns(nominal_bits, data_bits)
            ready_ns = sof_ns + to_ns(nominal_bits + INTERMISSION_BITS, data_bits)
            valid_ns = sof_ns + to_ns(nominal_bits - 1, data_bits)
        self._ready_ns = ready_ns
        self.busy_ns += ready_ns - sof_ns
        # The tuple is made directly: the constructor of a NamedTuple is a Python function.
        self._current = _new_record(
            BusRecord, (sof_ns, eof_ns, self.name, frame, winner.name, request_ns)
        )
        return valid_ns

    def _deliver(self) -> None:
        """Record the frame and hand it to everyone who listens."""
        record = self._current
        assert record is not None
        self._current = None
        self.log.append(record)
        frame, sender = record.frame, record.sender
        key = (frame.header.arbitration_key, sender)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._new_route(frame, sender)
        if self._twins:
            route = self._without_twins(route)
        route.count += 1
        for receive in route.receives:
            receive(frame)

    def _without_twins(self, route: _Route) -> _Route:
        """A route for one frame, past those who sent it themselves; counted at once."""
        others = _Route([each for each in route.controllers if each not in self._twins])
        for controller in others.controllers:
            controller.count_received(1)
        self._twins = []
        return others

    def _arbitrate(self) -> Controller:
        """The contender whose frame has the lowest arbitration key."""
        contenders = self.contenders
        winner = contenders[0]
        best_key = winner.queue[0][0]
        tied = False
        for controller in contenders[1:]:
            key = controller.queue[0][0]
            if key < best_key:
                winner, best_key, tied = controller, key, False
            elif key == best_key:
                tied = True
        for controller in contenders:
            if controller.queue[0][0] != best_key:
                controller.arbitration_lost_count += 1
        if not tied:
            return winner
        best = [controller for controller in contenders if controller.queue[0][0] == best_key]
        best.sort(key=self.controllers.index)
        return self._settle_tie(best)

    def _settle_tie(self, best: list[Controller]) -> Controller:
        """Several controllers send the same arbitration field.

        Identical frames are one frame on the wire and a success for every sender.
        """
        winner, *others = best
        frame = winner.queue[0][3]
        self._twins = [other for other in others if other.queue[0][3] == frame]
        for twin in self._twins:
            twin.take()
        if len(self._twins) < len(others):
            names = tuple(controller.name for controller in best)
            self.collisions.append(Collision(self.scheduler.now_ns, self.name, frame, names))
        return winner


def _whole_bit_times(timing: BitTiming) -> tuple[int, int] | None:
    """Nominal and data bit time in ns where both are whole numbers."""
    nominal_bps, data_bps = timing.nominal_bps, timing.data_bps or timing.nominal_bps
    if 1_000_000_000 % nominal_bps or 1_000_000_000 % data_bps:
        return None
    return 1_000_000_000 // nominal_bps, 1_000_000_000 // data_bps
