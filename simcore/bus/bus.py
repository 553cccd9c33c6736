"""`Bus`: who sends when, bit-exact. ISO 11898-1:2015, clauses 10.4, 10.5 and 10.9.

A frame starts at the end of the intermission, or at the instant of the first request on an idle
bus. Among all controllers with a waiting frame the arbitration field decides: the lowest
arbitration key wins, as wired-AND does bit by bit, and the losers try again after that frame.
Receivers get a frame when it is valid for them, at the last bit but one of EOF; the record holds
both edges, start of frame and end of EOF.

Every request made at an instant takes part in the arbitration that starts at that instant, see
`kernel.Priority`. The sub-bit latency between a request and SOF is not modelled.

Frames that meet nothing out of the ordinary go over the bus as wholes: that is this module. For
everything else (`irregular.py`) `wire.py` takes over, bit by bit, until the bus is idle again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush

from simcore.bus.controller import Controller, Receive
from simcore.bus.disturbance import Disturbance
from simcore.bus.duration import bit_counts
from simcore.bus.frame import Frame, FrameHeader, keep_counts
from simcore.bus.irregular import IrregularTraffic
from simcore.bus.log import BusRecord, FrameLog
from simcore.bus.options import GENEROUS, ControllerOptions
from simcore.bus.timing import INTERMISSION_BITS, BitTiming
from simcore.bus.wire import Wire
from simcore.errors import UsageError
from simcore.kernel import Priority, Scheduler

_new_record = tuple.__new__
# Plain integers: they order the same, and comparing heap entries stays cheap.
_BUS = int(Priority.BUS)
_ARBITRATION = int(Priority.ARBITRATION)


class _Route:
    """Who receives a message, and how often it was handed over."""

    __slots__ = ("controllers", "count", "finishes", "receives", "sender")

    def __init__(
        self, controllers: list[Controller], finishes: bool, frame: Frame, sender: str
    ) -> None:
        self.controllers = controllers
        self.sender = sender
        self.receives = [
            _direct(controller.receive, frame)
            for controller in controllers
            if controller.receive is not None
        ]
        self.finishes = finishes
        """Whether the sender has to be told when its last bit is over."""
        self.count = 0

    def outdated(self) -> None:
        """Settle the count. A delivery that is under way goes on with a closer look."""
        for index, controller in enumerate(self.controllers):
            controller.count_received(self.count)
            self.receives[index] = partial(_if_it_accepts, controller)


def _direct(receive: Receive, frame: Frame) -> Receive:
    """A receiver may have a method `direct`: a shorter way for all frames of one message."""
    direct: Callable[[Frame], Receive] | None = getattr(receive, "direct", None)
    return receive if direct is None else direct(frame)


def _if_it_accepts(controller: Controller, frame: Frame) -> None:
    if controller.accepts(frame):
        controller.deliver(frame)
    else:
        controller.count_received(-1)


class Bus(IrregularTraffic):
    """One CAN or CAN FD bus in virtual time."""

    __slots__ = ("_recent", "_routes", "_valid_ns", "_whole_bit_ns", "carries_fd", "log")

    def __init__(
        self, name: str, timing: BitTiming, scheduler: Scheduler, *, log: FrameLog | None = None
    ) -> None:
        super().__init__(name, timing, scheduler)
        self.carries_fd = timing.data_bps is not None
        self.log = FrameLog() if log is None else log
        self.wire = Wire(self)
        self._valid_ns = 0
        self._routes: dict[tuple[int, str], _Route] = {}
        """By arbitration key and sender."""
        self._recent: dict[FrameHeader, _Route] = {}
        """The route that a message took last: most messages have one sender."""
        self._whole_bit_ns = _whole_bit_times(timing)

    def attach(
        self, name: str, receive: Receive | None = None, options: ControllerOptions = GENEROUS
    ) -> Controller:
        """Connect a node. Raises `UsageError` for a name that is taken."""
        if any(controller.name == name for controller in self.controllers):
            raise UsageError(f"{self.name}: attach", expected="a free name", got=name)
        controller = Controller(self, name, receive, options)
        self.controllers.append(controller)
        self.node_changed(controller)
        return controller

    def detach(self, controller: Controller) -> None:
        """Take a node off the bus for good."""
        controller.set_enabled(False)
        self.controllers.remove(controller)
        self.look_again()

    def controller(self, name: str) -> Controller:
        """The controller of a node. Raises `UsageError` for a node that is not on this bus."""
        for controller in self.controllers:
            if controller.name == name:
                return controller
        names = ", ".join(controller.name for controller in self.controllers) or "no node"
        raise UsageError(f"{self.name}: node {name!r}", expected=f"one of {names}")

    def move(self, controller: Controller, connected: bool) -> None:
        """Plug one of this bus's nodes in, or out: then it is alone on a stub of its own."""
        if connected:
            stub, target = controller.bus, self
        else:
            stub, target = self, Bus(self.name, self.timing, self.scheduler, log=FrameLog())
            target.controllers.append(controller)
            target.error_frames, target.state_changes = self.error_frames, self.state_changes
            target.on_error_frame = self.on_error_frame
            target.on_state_change = self.on_state_change
        self.forget_routes()
        stub.release(controller, target)
        target.node_changed(controller)
        if controller.queue:
            target.contenders.append(controller)
            if not target.armed:
                target.arm()

    def disturb(self, disturbance: Disturbance) -> None:
        """Let a disturbance act from this instant on."""
        self._take_over()
        disturbance.bus = self
        self.disturbances.append(disturbance)
        self._disturbed()

    def arm(self) -> None:
        """Schedule the next start of frame: now, or when the intermission is over."""
        self.armed = True
        if self.wire.active:
            self.wire.wake()
            return
        scheduler = self.scheduler
        time_ns = scheduler.now_ns
        if time_ns < self._ready_ns:
            time_ns = self._ready_ns
        scheduler.sequence = sequence = scheduler.sequence + 1
        heappush(scheduler.queue, (time_ns, _ARBITRATION, sequence, self._start_frame))

    def forget_routes(self) -> None:
        """Filters changed, or counts are wanted: settle the counts, find routes anew."""
        routes = list(self._routes.values())
        self._routes.clear()
        self._recent.clear()
        for route in routes:
            route.outdated()

    def _route_of(self, frame: Frame, sender: str) -> _Route:
        key = (frame.header.arbitration_key, sender)
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._new_route(frame, sender)
        self._recent[frame.header] = route
        return route

    def _new_route(self, frame: Frame, sender: str) -> _Route:
        finishes = any(
            controller.name == sender
            and (controller.on_transmitted is not None or not controller.plain)
            for controller in self.controllers
        )
        return _Route(
            [
                controller
                for controller in self.controllers
                if controller.name != sender
                and controller.bus is self
                and controller.accepts(frame)
            ],
            finishes,
            frame,
            sender,
        )

    @property
    def load_ratio(self) -> float:
        """Share of the time so far that the bus was occupied, intermissions included."""
        now_ns = self.scheduler.now_ns
        if not now_ns:
            return 0.0
        still_to_come_ns = max(0, self._ready_ns - now_ns)
        return (self.busy_ns + self.wire.busy_so_far_ns - still_to_come_ns) / now_ns

    # -- whole frames ---------------------------------------------------------------------------

    def _start_frame(self) -> None:
        """Start of frame is due. Goes on, frame after frame, as long as nothing else happens."""
        scheduler = self.scheduler
        queue = scheduler.queue
        wire = self.wire
        if self.wire.active or self._current is not None or scheduler.now_ns < self._ready_ns:
            return  # overtaken by events
        while contenders := self.contenders:
            if not self._regular or self._twins:
                winner = self._next_sender()
            elif len(contenders) == 1:
                winner = contenders[0]
            else:
                winner = self._arbitrate(contenders)
            if winner is None:
                return
            valid_ns = self._transmit(winner)
            if (queue and queue[0][0] <= valid_ns) or not scheduler.advance_to(valid_ns):
                self._valid_ns = valid_ns
                scheduler.sequence = sequence = scheduler.sequence + 1
                heappush(queue, (valid_ns, _BUS, sequence, self._complete))
                return
            try:
                self._deliver()
            except BaseException:  # a receiver's defect must not silence the bus for good
                if not wire.active:
                    self._idle_or_wait()
                raise
            if wire.active:
                return  # a receiver disturbed the bus
            if not self.contenders or not scheduler.advance_to(self._ready_ns):
                break
        self._idle_or_wait()

    def _complete(self) -> None:
        """The frame on the wire is valid for its receivers."""
        if self._current is None or self.scheduler.now_ns != self._valid_ns:
            return  # the wire took over in the meantime
        try:
            self._deliver()
        finally:
            if not self.wire.active:
                if self.contenders:
                    self.arm()
                else:
                    self.armed = False

    def _idle_or_wait(self) -> None:
        """After a frame: wait for the end of the intermission, or for a request."""
        if self.contenders:
            self.arm()
        else:
            self.armed = False

    def _next_sender(self) -> Controller | None:
        """Who sends the next frame as a whole; `None` where the wire took over, or nobody may."""
        contenders = self.contenders
        if not self._regular:
            ready = self._ready()
            if not ready or not self._may_go_whole(ready):
                return None
            contenders = ready
        if self._twins:
            self._twins = []
        if len(contenders) == 1:
            return contenders[0]
        return self._arbitrate(contenders)

    def _transmit(self, winner: Controller) -> int:
        """Put the winner's frame on the wire; when it is valid for receivers."""
        if winner.plain:
            queue = winner.queue
            request = heappop(queue)
            if not queue:
                self.contenders.remove(winner)
        else:
            request = winner.take()
        _, _, request_ns, frame = request
        self._sent = (winner, request)
        winner.transmitted_count += 1
        sof_ns = self.scheduler.now_ns
        counted = frame.wire_counts
        if counted is not None and counted[0] is self._iso:
            _, nominal_bits, data_bits = counted  # the same frame went out on another bus
        else:
            nominal_bits, data_bits = bit_counts(frame, iso=self._iso)
            if self.keeps_counts:
                keep_counts(frame, (self._iso, nominal_bits, data_bits))
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
        self._current = self._last = _new_record(
            BusRecord, (sof_ns, eof_ns, self.name, frame, winner.name, request_ns)
        )
        if not self._regular and self.recoveries.waiting:
            self.recoveries.frame_starts(sof_ns, eof_ns)
        return valid_ns

    def _deliver(self) -> None:
        """Record the frame and hand it to everyone who listens."""
        record = self._current
        assert record is not None
        self._current = None
        self.log.append(record)
        frame, sender = record.frame, record.sender
        route = self._recent.get(frame.header)
        if route is None or route.sender != sender:
            route = self._route_of(frame, sender)
        if self._twins:
            route = self._without_twins(route, frame)
        finishes = route.finishes
        if self.has_counts:
            finishes = self._count_receptions() or finishes
        if finishes:
            self._unfinished = True
            self.scheduler.post(record.eof_ns, _BUS, self._finish)
        route.count += 1
        for receive in route.receives:
            receive(frame)

    def _without_twins(self, route: _Route, frame: Frame) -> _Route:
        """A route for one frame, past those who sent it themselves; counted at once."""
        twins = [controller for controller, _ in self._twins]
        receivers = [each for each in route.controllers if each not in twins]
        others = _Route(receivers, True, frame, route.sender)
        for controller in others.controllers:
            controller.count_received(1)
        return others

    def _arbitrate(self, contenders: list[Controller]) -> Controller | None:
        """The contender whose frame has the lowest arbitration key; `None` for a collision."""
        winner = contenders[0]
        best_key = winner.queue[0][0]
        tied = False
        for controller in contenders:
            key = controller.queue[0][0]
            if key < best_key:
                winner, best_key, tied = controller, key, False
            elif key == best_key and controller is not winner:
                tied = True
        if tied:
            best = [controller for controller in contenders if controller.queue[0][0] == best_key]
            best.sort(key=self.controllers.index)
            frame = best[0].queue[0][3]
            collide = any(controller.queue[0][3] != frame for controller in best)
            if collide or not self._helped(best, frame):
                self._start_wire(list(contenders))
                return None
        for controller in list(contenders):
            if controller.queue[0][0] != best_key:
                controller.arbitration_lost_count += 1
                if not controller.plain and controller.options.single_shot:
                    controller.take()
                    controller.not_sent(lost=True)
        if tied:
            # Identical frames are one frame on the wire and a success for every sender.
            winner, *others = best
            for twin in others:
                self._twins.append((twin, twin.take()))
                twin.transmitted_count += 1
        return winner


def _whole_bit_times(timing: BitTiming) -> tuple[int, int] | None:
    """Nominal and data bit time in ns where both are whole numbers."""
    nominal_bps, data_bps = timing.nominal_bps, timing.data_bps or timing.nominal_bps
    if 1_000_000_000 % nominal_bps or 1_000_000_000 % data_bps:
        return None
    return 1_000_000_000 // nominal_bps, 1_000_000_000 // data_bps
