"""`IrregularTraffic`: what a bus does where anything is out of the ordinary. Base of `Bus`.

Whether the next frame may go over the bus as a whole or the wire has to take over, the way back,
disturbances in mid-frame, and nodes that come, go and recover. Whole frames are `bus.py`'s
business, single bits `wire.py`'s. ISO 11898-1:2015, clauses 10.9, 10.11 and 12.1.4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from simcore.bus.controller import Controller
from simcore.bus.disturbance import Disturbance, WireBit
from simcore.bus.duration import bit_counts
from simcore.bus.error_record import BUS_OFF_LIMIT, ErrorFrame, ErrorState, StateChange
from simcore.bus.frame import Frame, frame_header
from simcore.bus.grouping import part_singled_out
from simcore.bus.log import BusRecord
from simcore.bus.options import FdSupport, Recovery
from simcore.bus.recoveries import AFTER_ACK_BITS, RECOVERY_SEQUENCES, SEQUENCE_BITS, Recoveries
from simcore.bus.timing import INTERMISSION_BITS, BitTiming
from simcore.bus.transmit_queue import Request
from simcore.kernel import Priority, Scheduler

if TYPE_CHECKING:
    from simcore.bus.bus import Bus
    from simcore.bus.wire import Wire

_ARBITRATION = int(Priority.ARBITRATION)


class IrregularTraffic:
    """State of a bus, and all of its doing but whole frames."""

    wire: Wire

    def __init__(self, name: str, timing: BitTiming, scheduler: Scheduler) -> None:
        self.name = name
        self.timing = timing
        self.scheduler = scheduler
        self._iso = timing.iso
        self.error_frames: list[ErrorFrame] = []
        """Error and overload frames in order of completion."""
        self.state_changes: list[StateChange] = []
        """Every change of a controller's error state."""
        self.on_error_frame: Callable[[ErrorFrame], object] | None = None
        self.on_state_change: Callable[[StateChange], object] | None = None
        self.controllers: list[Controller] = []
        self.contenders: list[Controller] = []
        """Controllers with a waiting frame."""
        self.armed = False
        """True while a start of frame is scheduled or a frame is on the wire."""
        self.busy_ns = 0
        """Time of all frames started so far, intermissions and error frames included."""
        self.disturbances: list[Disturbance] = []
        self.recoveries = Recoveries(self)
        self.has_counts = False
        """Whether some error counter may be above 0."""
        self._ready_ns = 0
        self._current: BusRecord | None = None
        self.keeps_counts = False
        """Whether frames often go out on another bus, too: their bits are counted once then."""
        self._last: BusRecord | None = None
        """The last frame that went over the bus as a whole; its first and last bit."""
        self._unfinished = False
        """Receivers have the frame, and its sender is yet to be told that it is through."""
        self._sent: tuple[Controller, Request] | None = None
        """Who sends the frame on the wire, or sent the last one."""
        self._twins: list[tuple[Controller, Request]] = []
        """Who sends the very same frame too, besides its sender on record."""
        self._last_attempt: object = None
        """Who tried last to send what with which counters, bit by bit."""
        self._fresh = False
        """The wire has just taken over and no bit is scheduled yet."""
        self._regular = False
        """Whether nothing but a collision can be out of the ordinary."""

    def arm(self) -> None:
        """Schedule the next start of frame."""
        raise NotImplementedError

    def forget_routes(self) -> None:
        """Who receives what has to be found out anew."""
        raise NotImplementedError

    def _start_frame(self) -> None:
        """Start of frame is due."""
        raise NotImplementedError

    # -- whole, or bit by bit -------------------------------------------------------------------

    def look_again(self) -> None:
        """Something changed about nodes or disturbances: is everything ordinary?"""
        self.forget_routes()
        mine = [each for each in self.controllers if each.enabled and each.bus is self]
        on_bus = [controller for controller in mine if controller.on_bus]
        self._regular = (
            not self.disturbances
            and not self.recoveries.waiting
            and sum(not controller.options.listen_only for controller in on_bus) >= 2
            and all(
                controller.error_state < ErrorState.PASSIVE
                and controller.options.fd is FdSupport.FULL
                and controller.on_bus
                for controller in mine
            )
        )

    def _ready(self) -> list[Controller]:
        """Contenders that may start a frame now; where there are none, when there will be."""
        now_ns = self.scheduler.now_ns
        ready = [each for each in self.contenders if self.ready_to_send(each, now_ns)]
        if not ready:
            later = [
                each.suspended_until_ns
                for each in self.contenders
                if each.on_bus and each.suspended_until_ns > now_ns
            ]
            if later:
                self.scheduler.post(min(later), _ARBITRATION, self._start_frame)
            self.armed = False  # another node may start before
        return ready

    def ready_to_send(self, controller: Controller, now_ns: int) -> bool:
        """Whether a controller may start a frame at this instant."""
        return bool(
            controller.queue and controller.on_bus and controller.suspended_until_ns <= now_ns
        )

    def _may_go_whole(self, ready: list[Controller]) -> bool:
        """Whether the next frame is an ordinary one; else the wire takes over."""
        concerned = self.announce(ready)
        lead = min(ready, key=_key_of_next)
        frame = lead.queue[0][3]
        broken = frame.is_fd and any(
            each.bus is self and each.on_bus and each.options.fd is FdSupport.NONE
            for each in self.controllers
        )
        if (
            concerned
            or not self._helped([lead], frame)
            or broken
            or any(each.error_state is ErrorState.PASSIVE for each in ready)
            or any(each.holds_line() for each in self.disturbances)
        ):
            self._start_wire(ready)
            return False
        return True

    def _helped(self, senders: list[Controller], frame: Frame) -> bool:
        """Whether somebody besides the senders will acknowledge."""
        return any(
            each not in senders
            and each.bus is self
            and each.on_bus
            and not each.options.listen_only
            and (each.options.fd is FdSupport.FULL or not frame.is_fd)
            and not any(disturbance.mutes(each.name) for disturbance in self.disturbances)
            for each in self.controllers
        )

    def _start_wire(self, senders: list[Controller]) -> None:
        """Put the wire in charge, unless the same attempt has just failed and will fail again.

        A lone, error-passive sender repeats its frame for ever and nothing changes by it: that is
        not worked out, until somebody does something.
        """
        attempt = None
        if all(each.is_spent for each in self.disturbances) and not self.recoveries.waiting:
            attempt = (
                tuple((each.name, each.queue[0][1]) for each in senders),
                tuple(
                    (
                        each.name,
                        each.on_bus and each.bus is self,
                        each.options,
                        each.transmit_error_count,
                        each.receive_error_count,
                    )
                    for each in self.controllers
                ),
            )
        if attempt is not None and attempt == self._last_attempt:
            self.armed = False
            return
        self._last_attempt = attempt
        self.wire.start(senders)

    def announce(self, senders: list[Controller]) -> bool:
        """Tell the disturbances that a frame starts; whether one of them is concerned.

        They are told of the frame that wins the arbitration if nothing disturbs it.
        """
        if not self.disturbances:
            return False
        requests = [(each.sending or each.queue[0], each) for each in senders]
        request, lead = min(requests, key=_key_of_pair)
        frame = self.as_sent(lead, request)
        count = sum(bit_counts(frame, iso=self._iso))
        now_ns = self.scheduler.now_ns
        concerned = [each.concerns(frame, lead.name, now_ns, count) for each in self.disturbances]
        return any(concerned)  # every one of them is told

    def as_sent(self, controller: Controller, request: Request) -> Frame:
        """The frame as it goes out: an error-passive sender says so in ESI."""
        frame = request[3]
        header = frame.header
        if controller.error_state is ErrorState.PASSIVE and header.is_fd:
            if not header.error_state_indicator:
                passive = frame_header(
                    header.arbitration_id,
                    header.is_extended_id,
                    True,
                    header.bitrate_switch,
                    True,
                    False,
                    header.dlc,
                )
                return Frame.of(passive, frame.data)
        return frame

    # -- disturbances ---------------------------------------------------------------------------

    def undisturb(self, disturbance: Disturbance) -> None:
        """End a disturbance; one that has ended already is left alone."""
        if disturbance in self.disturbances:
            self._take_over()
            self.disturbances.remove(disturbance)
            self._disturbed()

    def redisturb(self) -> None:
        """A disturbance that is in place is about to act on the line, or stops to."""
        self._take_over()
        self._disturbed()

    def _take_over(self) -> None:
        """Put the wire in charge if a frame, or its last bits, are on the bus."""
        if self.wire.active or self._sent is None or self.scheduler.now_ns >= self._ready_ns:
            return
        last = self._last
        assert last is not None
        delivered = self._current is None
        through = not self._on_wire
        self._current = None
        self._unfinished = False
        self.busy_ns -= self._ready_ns - last.sof_ns
        self.armed = True
        senders = [self._sent, *self._twins]
        self.wire.replay(last.sof_ns, senders, delivered=delivered, through=through)
        self._fresh = True

    @property
    def _on_wire(self) -> bool:
        """Whether the last bit of the frame sent as a whole is still to come, or to be counted."""
        last = self._last
        return last is not None and (self._unfinished or self.scheduler.now_ns < last.eof_ns)

    def aborted(self, controller: Controller, arbitration_id: int | None) -> None:
        """A frame that goes over the bus as a whole gets no second try if it is destroyed yet."""
        if self.wire.active or self._sent is None or not self._on_wire:
            return
        for sender, request in (self._sent, *self._twins):
            if sender is controller and arbitration_id in (None, request[3].arbitration_id):
                controller.aborted_number = request[1]

    def _go_on_fresh(self) -> bool:
        """Let the wire work on if it has just taken over; whether it had."""
        fresh, self._fresh = self._fresh, False
        if fresh:
            self.wire.schedule()
        return fresh

    def _disturbed(self) -> None:
        """Go on bit by bit if a frame is under way or something holds the line."""
        wire = self.wire
        self._last_attempt = None
        self.look_again()
        if wire.active:
            part_singled_out(wire)
        if self._go_on_fresh():
            return
        if wire.asleep:
            self.armed = True
            wire.wake()
        elif not wire.active and any(each.holds_line() for each in self.disturbances):
            self.armed = True
            wire.take_idle()
            wire.schedule()
        elif self.contenders and not self.armed:
            self.arm()

    def line_is_recessive(self) -> bool:
        """Whether the disturbances leave the idle bus recessive."""
        at = WireBit(self.scheduler.now_ns, -1, False)
        level = 1
        for each in self.disturbances:
            level = each.on_wire(level, at)
        return level == 1

    # -- handing back, records ------------------------------------------------------------------

    def resume(self) -> None:
        """The wire hands back: everybody is idle at this instant."""
        self._ready_ns = self.scheduler.now_ns
        self._sent = None
        self._twins = []
        self._current = None
        self.look_again()
        if self.contenders:
            self.armed = True
            self.scheduler.post(self._ready_ns, _ARBITRATION, self._start_frame)
        else:
            self.armed = False

    def error_frame_over(self, frame: ErrorFrame) -> None:
        """Take an error frame into the record."""
        self.error_frames.append(frame)
        if self.on_error_frame is not None:
            self.on_error_frame(frame)

    def state_changed(self, change: StateChange) -> None:
        """Take a change of a controller's error state into the record."""
        self.state_changes.append(change)
        if self.on_state_change is not None:
            self.on_state_change(change)

    def _count_receptions(self) -> bool:
        """A frame was received well: counters fall; whether its senders have some, too."""
        assert self._sent is not None
        senders = [controller for controller, _ in (self._sent, *self._twins)]
        for controller in self.controllers:
            if controller not in senders and controller.bus is self and controller.on_bus:
                controller.received_well()
        self.has_counts = any(
            each.transmit_error_count or each.receive_error_count for each in self.controllers
        )
        return any(controller.transmit_error_count for controller in senders)

    def _finish(self) -> None:
        """The last bit of a frame sent as a whole is over: its senders are told."""
        if not self._unfinished:
            return  # the wire took over in the meantime
        self._unfinished = False
        assert self._sent is not None
        for controller, request in (self._sent, *self._twins):
            controller.sent()
            controller.transmitted_well()
            if controller.on_transmitted is not None:
                controller.on_transmitted(request[3])
        if self.contenders and not self.armed:
            self.arm()  # a mailbox has become free

    # -- nodes that come and go -----------------------------------------------------------------

    def leaving(self, controller: Controller) -> None:
        """A node is about to go: look at the bits of a frame that it sends or acknowledges."""
        sent, record = self._sent, self._current
        if sent is None or not self._on_wire:
            return
        senders = [sent[0], *(twin for twin, _ in self._twins)]
        if controller in senders or (
            record is not None and not self._helped([*senders, controller], record.frame)
        ):
            self._take_over()
        elif (
            record is not None
            and controller.on_bus
            and self.scheduler.now_ns
            >= (record.eof_ns - self.timing.to_ns(AFTER_ACK_BITS) - self._ack_sample_ns())
        ):
            controller.received_well()  # it has read the frame up to its acknowledgement

    def _ack_sample_ns(self) -> int:
        """From the sample point of the ACK slot to its end."""
        timing = self.timing
        return timing.to_ns(1) * (1000 - timing.nominal_sample_point_permille) // 1000

    def node_changed(self, controller: Controller) -> None:
        """A node was switched on or off, plugged in or out."""
        self.recoveries.forget(controller)
        self._last_attempt = None
        present = controller.enabled and controller.bus is self
        if present and controller.error_state is ErrorState.BUS_OFF:
            # Plugged in or out while bus-off: its recovery begins anew.
            self.gone_bus_off(controller)
            if self.wire.active and controller.recovering:
                self.wire.begin_recovery(controller)
            self.look_again()
            return
        if self.wire.active:
            self.wire.node_changed(controller)
            self.look_again()
            self._go_on_fresh()
            return
        controller.recovering = False
        if present and self.scheduler.now_ns < self._ready_ns:
            # In the middle of a frame: it takes part after 11 recessive bits.
            self.recoveries.begin(controller, 1, self._recessive_since_ns())
        self.look_again()
        if self.contenders and not self.armed:
            self.arm()

    def _recessive_since_ns(self) -> int:
        """Start of the first recessive bit that somebody reads who joins in mid-frame, now."""
        timing = self.timing
        since_ns = self._ready_ns - timing.to_ns(INTERMISSION_BITS + AFTER_ACK_BITS)
        seen_ns = self.scheduler.now_ns - since_ns
        if seen_ns > 0:
            bit_ns = timing.to_ns(1)
            missed_bits, within_ns = divmod(seen_ns, bit_ns)
            if within_ns * 1000 >= bit_ns * timing.nominal_sample_point_permille:
                missed_bits += 1
            since_ns += missed_bits * bit_ns
        return since_ns

    def release(self, controller: Controller, target: Bus) -> None:
        """Let a node go to another bus; what it was sending is cut and waits again."""
        self.leaving(controller)
        cut = controller.sending
        self.recoveries.forget(controller)
        if controller in self.contenders:
            self.contenders.remove(controller)
        controller.bus = target
        if self.wire.active:
            self.wire.node_changed(controller)
        self.look_again()
        self._go_on_fresh()
        if cut is not None:
            controller.sending = cut
            controller.not_sent(lost=False)
            if controller in target.contenders:
                target.contenders.remove(controller)

    def cut_off(self, controller: Controller) -> None:
        """A controller goes bus-off at once, in the middle of its frame if it is sending one."""
        self.leaving(controller)
        if self.wire.active:
            self.wire.remove(controller)
        controller.add_transmit_errors(BUS_OFF_LIMIT)
        if self.wire.active and controller.recovering:
            self.wire.begin_recovery(controller)
        self._go_on_fresh()

    def gone_bus_off(self, controller: Controller) -> None:
        """A controller left the bus; how it comes back is its configuration."""
        self.recoveries.forget(controller)
        controller.recovering = False
        options = controller.options
        if options.recovery is not Recovery.AUTOMATIC:
            return
        if options.recovery_delay_ns:
            controller.recovers_ns = due_ns = self.scheduler.now_ns + options.recovery_delay_ns
            self.scheduler.post(due_ns, int(Priority.ECU), partial(self._recover, controller))
        elif self.wire.active:
            controller.recovering = True  # the wire sees to it
        else:
            self.start_recovery(controller)

    def _recover(self, controller: Controller) -> None:
        if controller.recovers_ns == self.scheduler.now_ns:  # else an older bus-off's
            controller.recover()

    def start_recovery(self, controller: Controller) -> None:
        """A controller that is bus-off begins to count recessive bits."""
        controller.recovering = True
        if self.wire.active:
            self.wire.begin_recovery(controller)
            return
        now_ns = self.scheduler.now_ns
        recessive_ns = now_ns
        if now_ns < self._ready_ns:
            recessive_ns = max(now_ns, self._ready_ns - self.timing.to_ns(SEQUENCE_BITS))
        self.recoveries.begin(controller, RECOVERY_SEQUENCES, recessive_ns)
        self.look_again()


def _key_of_next(controller: Controller) -> int:
    return controller.queue[0][0]


def _key_of_pair(pair: tuple[Request, Controller]) -> int:
    return pair[0][0]
