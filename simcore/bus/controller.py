"""One CAN controller: transmit requests, acceptance, error counters, error state.

What waits for transmission is kept by the policy of `ControllerOptions`; `queue[0]` is always what
it would send next. Counters and states follow ISO 11898-1:2015 clause 12.1.4; who counts what and
when is decided bit by bit in `mac.py`. A controller that is bus-off forgets what waited and takes
nothing until it has recovered, as AUTOSAR's driver in state STOPPED does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from heapq import heapify, heappush
from typing import TYPE_CHECKING

from simcore.bus.error_record import ErrorState, StateChange, WireError, state_of
from simcore.bus.frame import Frame
from simcore.bus.options import (
    GENEROUS,
    ControllerOptions,
    FdSupport,
    Recovery,
    TransmitPolicy,
)
from simcore.bus.transmit_queue import (
    Request,
    insert,
    is_among,
    is_by_priority,
    replace_in,
    take_first,
)
from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.bus.bus import Bus

Receive = Callable[[Frame], object]
"""Called with a frame at the instant it is valid for receivers."""

RECEIVE_COUNT_MAX = 255
_RECEIVE_COUNT_AFTER_PASSIVE = 120
"""A passive receiver that receives well gets a count of 119..127; which is the maker's choice."""


class Controller:
    """A node's connection to one bus. Made by `Bus.attach`."""

    __slots__ = (
        "_accepted",
        "_on_error",
        "_on_transmitted",
        "_receive",
        "_replaceable",
        "_received_count",
        "_sequence",
        "_waiting",
        "abort_sending",
        "aborted_number",
        "arbitration_lost_count",
        "bus",
        "enabled",
        "error_state",
        "fifo",
        "holds",
        "home",
        "name",
        "options",
        "overrun_count",
        "plain",
        "powered",
        "queue",
        "receive_error_count",
        "recovering",
        "recovers_ns",
        "refused_count",
        "sending",
        "single_shot_lost_count",
        "suspended_until_ns",
        "transmit_error_count",
        "transmitted_count",
    )

    def __init__(
        self, bus: Bus, name: str, receive: Receive | None, options: ControllerOptions = GENEROUS
    ) -> None:
        self.bus = bus
        self.name = name
        self.enabled = True
        self.holds: dict[str, int] = {}  # of faults, see `holding`
        self.powered = True
        self.home = bus
        """The bus the node belongs to; `bus` is another one while the node is cut off from it."""
        self._receive = receive
        self._on_error: Callable[[WireError | StateChange], object] | None = None
        self._on_transmitted: Receive | None = None
        self._accepted: frozenset[tuple[int, bool]] | None = None
        self._sequence = 0
        self.queue: list[Request] = []
        """What contends: by priority a heap, else in order of request."""
        self._waiting: list[Request] = []
        """Behind full mailboxes, in order of request."""
        self.sending: Request | None = None
        """On the wire now and not yet through."""
        self.abort_sending = False
        self.aborted_number = 0
        """The request that was aborted while its frame went over the bus as a whole."""
        self.fifo: list[Frame] = []
        self.transmitted_count = 0
        self._received_count = 0
        self.arbitration_lost_count = 0
        self.single_shot_lost_count = 0
        self.refused_count = 0
        """Requests not taken: too many waiting, or bus-off."""
        self.overrun_count = 0
        """Received frames lost because the receive FIFO was full."""
        self.transmit_error_count = self.receive_error_count = 0
        self.error_state = ErrorState.ACTIVE
        self.recovering = False
        self.recovers_ns = -1
        """When software lets it recover from bus-off."""
        self.suspended_until_ns = 0
        self.configure(options)

    def configure(self, options: ControllerOptions) -> None:
        """Change the configuration. Raises `UsageError` while frames wait."""
        if self.queue or self.sending is not None:
            raise UsageError(f"{self.name}: configure", expected="no frames waiting")
        self.options = options
        self._set_plain()
        self._replaceable = options.replace_pending
        self.bus.look_again()

    def _set_plain(self) -> None:
        """Whether requests go straight to the heap, and from there on the wire."""
        options = self.options
        self.plain = (
            self.error_state is not ErrorState.BUS_OFF
            and options.transmit is TransmitPolicy.PRIORITY
            and options.transmit_depth is None
            and not options.single_shot
            and not options.listen_only
            and options.fd is FdSupport.FULL
        )

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Request transmission. A disabled controller (node off) takes nothing and sends nothing.

        `channel`, where given, must be this bus: a controller can stand where a port is expected.
        A request that cannot be taken (bus-off, too many waiting) counts in `refused_count`.
        Raises `UsageError` for a frame the bus cannot carry.
        """
        if channel is not None and channel != self.bus.name:
            raise UsageError(f"{self.name}: send on {channel}", expected=self.bus.name)
        if not self.enabled:
            return
        bus = self.bus
        header = frame.header
        if header.is_fd and not bus.carries_fd:
            raise UsageError(
                f"{bus.name}: {frame!r} from {self.name}", expected="no CAN FD frames on this bus"
            )
        self._sequence = sequence = self._sequence + 1
        request = (header.arbitration_key, sequence, bus.scheduler.now_ns, frame)
        queue = self.queue
        if self.plain:
            if not queue:
                bus.contenders.append(self)
            elif header.arbitration_id in self._replaceable and replace_in(
                (queue, self._waiting), request
            ):
                return
            heappush(queue, request)
        elif not self._take_request(request):
            self.refused_count += 1
            return
        if not bus.armed:
            bus.arm()

    def _take_request(self, request: Request) -> bool:
        """Put a request where the configuration wants it; whether it was taken."""
        options = self.options
        header = request[3].header
        if (
            self.error_state is ErrorState.BUS_OFF
            or options.listen_only
            or (header.is_fd and options.fd is not FdSupport.FULL)
        ):
            return False
        queue, waiting = self.queue, self._waiting
        if header.arbitration_id in self._replaceable and replace_in((queue, waiting), request):
            return True
        depth = options.transmit_depth
        if depth is not None and self.pending_count >= depth:
            return False
        if options.transmit is TransmitPolicy.MAILBOXES and self._mailboxes_full():
            waiting.append(request)
            return True
        if not queue:
            self.bus.contenders.append(self)
        insert(queue, request, options)
        return True

    def _mailboxes_full(self) -> bool:
        return len(self.queue) + (self.sending is not None) >= self.options.mailbox_count

    # -- what the bus does ----------------------------------------------------------------------

    def take(self) -> Request:
        """Remove what is sent next; it goes on the wire and stays in `sending`."""
        queue = self.queue
        request = self.sending = take_first(queue, self.options)
        self.abort_sending = False
        if not queue:
            self.bus.contenders.remove(self)
        return request

    def sent_again(self, request: Request) -> None:
        """A request that counted as sent is still on the wire."""
        was_aborted = self.sending is not None and self.abort_sending
        self.abort_sending = was_aborted or self.aborted_number == request[1]
        self.sending = request
        self.transmitted_count -= 1

    def sent(self) -> None:
        """What was in `sending` is through, or given up."""
        self.sending = None
        self.abort_sending = False
        if self._waiting:
            self._refill()

    def _refill(self) -> None:
        """Free mailboxes take what waits in the driver."""
        while self._waiting and not self._mailboxes_full():
            if not self.queue:
                self.bus.contenders.append(self)
            insert(self.queue, self._waiting.pop(0), self.options)

    def not_sent(self, *, lost: bool) -> None:
        """The attempt failed: again later, unless it was the only one (single shot, aborted)."""
        request = self.sending
        options = self.options
        if request is None:
            return
        if options.single_shot and (not lost or options.single_shot_counts_arbitration):
            self.single_shot_lost_count += 1
            self.sent()
        elif self.abort_sending or self._is_outdated(request):
            self.sent()
        else:
            self.sending = None
            if not self.queue:
                self.bus.contenders.append(self)
            insert(self.queue, request, options)

    def _is_outdated(self, request: Request) -> bool:
        """Whether a newer frame waits in the transmit buffer of the same message."""
        return request[3].arbitration_id in self._replaceable and is_among(
            request, (self.queue, self._waiting)
        )

    def transmitted_well(self) -> None:
        """A frame of this node went through: the transmit error counter."""
        if self.transmit_error_count:
            self.transmit_error_count -= 1
            self._look_at_counts()

    def received_well(self) -> None:
        """A frame was received without error: the receive error counter."""
        count = self.receive_error_count
        if count and not self.options.listen_only:
            if count >= 128:
                self.receive_error_count = _RECEIVE_COUNT_AFTER_PASSIVE
            else:
                self.receive_error_count = count - 1
            self._look_at_counts()

    def add_transmit_errors(self, count: int) -> None:
        """Raise the transmit error counter; at 256 the controller is bus-off."""
        self.transmit_error_count += count
        self._look_at_counts()

    def add_receive_errors(self, count: int) -> None:
        """Raise the receive error counter, which stops at 255."""
        if self.options.listen_only:
            return
        self.receive_error_count = min(RECEIVE_COUNT_MAX, self.receive_error_count + count)
        self._look_at_counts()

    def _look_at_counts(self) -> None:
        before = self.error_state
        self.bus.has_counts = True
        if before is ErrorState.BUS_OFF:
            return
        after = state_of(self.transmit_error_count, self.receive_error_count)
        if after is not before:
            self._change_state(after)

    def _change_state(self, after: ErrorState) -> None:
        change = StateChange(
            self.bus.scheduler.now_ns,
            self.bus.name,
            self.name,
            self.error_state,
            after,
            self.transmit_error_count,
            self.receive_error_count,
        )
        self.error_state = after
        self._set_plain()
        if after is ErrorState.BUS_OFF:
            self.drop_requests()
            self.bus.gone_bus_off(self)
        self.bus.look_again()
        self.bus.state_changed(change)
        if self._on_error is not None:
            self._on_error(change)

    def drop_requests(self) -> None:
        """Forget everything that waits; each frame counts as refused."""
        self.refused_count += len(self.queue) + len(self._waiting)
        if self.sending is not None:
            self.refused_count += 1
            self.sending = None
        self._waiting.clear()
        if self.queue:
            self.queue.clear()
            self.bus.contenders.remove(self)

    def recovered(self) -> None:
        """The recessive bits it waited for are over; after bus-off the counters are 0."""
        self.recovering = False
        if self.error_state is ErrorState.BUS_OFF:
            self.transmit_error_count = self.receive_error_count = 0
            self._change_state(ErrorState.ACTIVE)
        self.bus.look_again()

    def report_error(self, error: WireError) -> None:
        """Tell the node about an error it detected."""
        if self._on_error is not None:
            self._on_error(error)

    def deliver(self, frame: Frame) -> None:
        """Hand a received frame to the node, or put it into the receive FIFO."""
        depth = self.options.receive_depth
        if depth is not None:
            if len(self.fifo) >= depth:
                self.overrun_count += 1
                if not self.options.overwrite_oldest:
                    return
                del self.fifo[0]
            self.fifo.append(frame)
        if self._receive is not None:
            self._receive(frame)

    # -- what the node's software does ----------------------------------------------------------

    def accept(self, identifiers: Iterable[tuple[int, bool]] | None) -> None:
        """Set the acceptance filter: (arbitration_id, is_extended_id) pairs, `None` for all."""
        self._accepted = None if identifiers is None else frozenset(identifiers)
        self.bus.forget_routes()

    def accepts(self, frame: Frame) -> bool:
        """Whether a frame passes the acceptance filter and somebody listens."""
        options = self.options
        if (
            (self._receive is None and options.receive_depth is None)
            or not self.on_bus
            or (frame.header.is_fd and options.fd is not FdSupport.FULL)
        ):
            return False
        accepted = self._accepted
        return accepted is None or (frame.arbitration_id, frame.header.is_extended_id) in accepted

    @property
    def on_bus(self) -> bool:
        """Whether the node takes part: on, plugged in, neither bus-off nor still integrating."""
        return self.enabled and not self.recovering and self.error_state is not ErrorState.BUS_OFF

    def read(self) -> Frame | None:
        """Oldest frame of the receive FIFO, `None` where it is empty."""
        return self.fifo.pop(0) if self.fifo else None

    def set_enabled(self, enabled: bool) -> None:
        """Switch the node on or off; off empties the transmit queue, on resets the counters."""
        self.powered = enabled
        if enabled and "unplugged" in self.holds:
            return  # until it is plugged in
        was = self.enabled
        if was and enabled and self.error_state is ErrorState.ACTIVE:
            return
        if was and not enabled:
            self.bus.leaving(self)
        self.enabled = enabled
        if not enabled:
            self.abort()
        elif not was or self.error_state is not ErrorState.ACTIVE:
            self.transmit_error_count = self.receive_error_count = 0
            self.fifo.clear()
            if self.error_state is not ErrorState.ACTIVE:
                self.recovering = False
                self._change_state(ErrorState.ACTIVE)
        self.bus.node_changed(self)

    @property
    def connected(self) -> bool:
        """False while the node is unplugged or behind an open wire: it is alone on its stub."""
        return self.bus is self.home

    def set_connected(self, connected: bool) -> None:
        """Plug the node in or out. Unplugged it hears and reaches only itself; requests stay."""
        if connected != self.connected:
            self.home.move(self, connected)

    def force_bus_off(self) -> None:
        """Put the controller into bus-off, as 32 transmit errors in a row would."""
        if self.enabled and self.error_state is not ErrorState.BUS_OFF:
            self.bus.cut_off(self)

    def set_listen_only(self, listen_only: bool) -> None:
        """Bus monitoring mode: nothing is sent, not even an acknowledgement.

        To change it the controller leaves the bus and joins anew; a frame of its own is cut off.
        """
        if listen_only != self.options.listen_only:
            self.bus.leaving(self)
            self.abort()
            self.sending = None
            self.configure(replace(self.options, listen_only=listen_only))
            self.bus.node_changed(self)

    def recover(self) -> None:
        """Leave bus-off: begin to wait for 128 x 11 recessive bits. Else it does nothing."""
        if (
            self.error_state is ErrorState.BUS_OFF
            and self.enabled
            and not self.recovering
            and self.options.recovery is not Recovery.NEVER
        ):
            self.bus.start_recovery(self)

    def listen(self, receive: Receive | None) -> None:
        """Set who is called with received frames."""
        self._receive = receive
        self.bus.forget_routes()

    def listen_transmitted(self, transmitted: Receive | None) -> None:
        """Set who is called with frames of this node that went through."""
        self._on_transmitted = transmitted
        self.bus.forget_routes()

    def listen_errors(self, on_error: Callable[[WireError | StateChange], object] | None) -> None:
        """Set who is called with every error this node detects and every change of its state."""
        self._on_error = on_error

    def abort(self, arbitration_id: int | None = None) -> None:
        """Drop what waits, all of it or one identifier; a frame on the wire gets no second try."""
        if self.sending is not None and arbitration_id in (
            None,
            self.sending[3].arbitration_id,
        ):
            self.abort_sending = True
        self.bus.aborted(self, arbitration_id)
        if arbitration_id is not None:
            self._waiting = [r for r in self._waiting if r[3].arbitration_id != arbitration_id]
            kept = [r for r in self.queue if r[3].arbitration_id != arbitration_id]
        else:
            self._waiting = []
            kept = []
        if self.queue and not kept:
            self.bus.contenders.remove(self)
        self.queue[:] = kept
        if is_by_priority(self.options):
            heapify(self.queue)
        self._refill()

    @property
    def receive(self) -> Receive | None:
        """Who is called with received frames."""
        return self._receive if self.options.receive_depth is None else self.deliver

    @property
    def on_transmitted(self) -> Receive | None:
        """Who is called with frames of this node that went through."""
        return self._on_transmitted

    @property
    def pending_count(self) -> int:
        """Frames that wait, the one on the wire included."""
        return len(self.queue) + len(self._waiting) + (self.sending is not None)

    @property
    def received_count(self) -> int:
        """Frames handed to the node so far."""
        self.bus.forget_routes()
        return self._received_count

    def count_received(self, count: int) -> None:
        """The bus's account of frames handed over, settled when it is asked for."""
        self._received_count += count
