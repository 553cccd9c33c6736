"""`IsoTpLink`: messages of any length between two nodes over CAN. ISO 15765-2:2016.

Joins a sender, a receiver and, where the address has one, a sender of functional requests. Sans-IO:
the owner requests the frames of each `Step`, passes in the frames it receives, says when one has
left the controller, and calls `on_timer` at `next_deadline_ns`.

Of several things at one instant, pass in first that a frame has left, then what came in, then the
timer: what comes in the very ns a timer ends is in time, and a flow control is heard once the frame
it answers counts as sent. A timer that the owner is late with is caught up with by the next call.
"""

from __future__ import annotations

from collections import deque

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.transport.addressing import Address
from simcore.transport.framing import Framing
from simcore.transport.pci import (
    CONSECUTIVE_FRAME,
    FIRST_FRAME,
    FLOW_CONTROL,
    MESSAGE_SIZE_MAX,
    SINGLE_FRAME,
    read_flow_control,
    read_single_frame,
    st_min_of,
)
from simcore.transport.receiver import Receiver, ReceiverState
from simcore.transport.sender import Sender, SenderState
from simcore.transport.settings import LinkSettings
from simcore.transport.step import (
    EMPTY,
    NEVER_NS,
    LinkEvent,
    Message,
    NResult,
    Outbox,
    Role,
    Step,
)


class IsoTpLink:
    """One end of a link. Messages may be sent and received at the same time."""

    __slots__ = (
        "_address_size",
        "_functional_sender",
        "_outbox",
        "_queue",
        "_receiver",
        "_sender",
        "address",
        "settings",
    )

    def __init__(self, address: Address, settings: LinkSettings | None = None) -> None:
        self.address = address
        self.settings = settings = LinkSettings() if settings is None else settings
        self._outbox = outbox = Outbox(confirms=settings.confirms)
        extended = address.is_extended_id
        framing = Framing(address.tx_id, address.prefix, settings, is_extended_id=extended)
        self._address_size = 1 if address.has_extension else 0
        self._sender = Sender(framing, settings, outbox)
        self._receiver = Receiver(framing, self._address_size, settings, outbox)
        self._functional_sender: Sender | None = None
        if address.functional_tx_id is not None:
            self._functional_sender = Sender(
                Framing(
                    address.functional_tx_id,
                    address.functional_prefix,
                    settings,
                    is_extended_id=extended,
                ),
                settings,
                outbox,
                functional=True,
            )
        self._queue: deque[tuple[Sender, bytes]] = deque()
        """Messages whose sender is busy."""

    # -- sending ---------------------------------------------------------------------------------

    def send(self, payload: bytes, now_ns: int, *, functional: bool = False) -> Step:
        """Send a message, after those not yet sent.

        Raises `UsageError` for an empty one, for a functional one that does not fit into one frame,
        and where the address has no functional identifier.
        """
        sender = self._sender_of(payload, functional)
        self._catch_up(now_ns, until_ns=now_ns)
        self._queue.append((sender, bytes(payload)))
        self._send_queued(now_ns)
        return self._outbox.take()

    def _sender_of(self, payload: bytes, functional: bool) -> Sender:
        where = f"IsoTpLink 0x{self.address.tx_id:X}, send"
        if not 0 < len(payload) <= MESSAGE_SIZE_MAX:
            raise UsageError(
                where, expected=f"1..{MESSAGE_SIZE_MAX} bytes", got=f"{len(payload)} bytes"
            )
        if not functional:
            return self._sender
        sender = self._functional_sender
        if sender is None:
            raise UsageError(
                where, expected="an address with functional_tx_id", got="functional=True"
            )
        if len(payload) > sender.single_frame_max:
            raise UsageError(
                where,
                expected=f"at most {sender.single_frame_max} bytes in a functional request",
                got=f"{len(payload)} bytes",
            )
        return sender

    def _send_queued(self, now_ns: int) -> None:
        """Begin what can be begun; a functional request does not wait for a physical message."""
        queue = self._queue
        half_duplex = not self.settings.full_duplex
        place = 0
        while place < len(queue):
            sender, payload = queue[place]
            held_up = half_duplex and sender is self._sender and self.is_receiving
            if held_up or sender.state is not SenderState.IDLE:
                place += 1
            else:
                del queue[place]
                sender.send(payload, now_ns)

    def confirmed(self, now_ns: int, frame: Frame | None = None) -> Step:
        """A frame of this link has left the controller; the oldest one, or this `frame`.

        A confirmation too many, and without `settings.confirms`, is ignored.
        """
        self._catch_up(now_ns, until_ns=now_ns)
        ticket = self._outbox.left(frame)
        if ticket:
            sender = self._sender
            if not sender.confirmed(ticket, now_ns):
                functional_sender = self._functional_sender
                if functional_sender is None or not functional_sender.confirmed(ticket, now_ns):
                    self._receiver.confirmed(ticket, now_ns)
            if self._queue:
                self._send_queued(now_ns)
        return self._outbox.take()

    # -- receiving -------------------------------------------------------------------------------

    def receive(self, frame: Frame, now_ns: int) -> Step:
        """A frame came in; one that is not of this link changes nothing."""
        functional = self.address.accepts(frame)
        if functional is None:
            return EMPTY
        self._catch_up(now_ns, until_ns=now_ns)
        data = frame.data
        kind = data[self._address_size] >> 4
        if functional:
            if kind == SINGLE_FRAME:
                payload = read_single_frame(data, self._address_size)
                if payload is not None:
                    self._outbox.deliver(Message(payload, functional=True))
        elif kind == CONSECUTIVE_FRAME:
            self._receiver.consecutive_frame(data, now_ns)
        elif kind == FLOW_CONTROL:
            flow = read_flow_control(data, self._address_size)
            if flow is not None:
                self._sender.flow_control(flow, now_ns)
        elif self.settings.full_duplex or not self._is_segmenting:
            if kind == SINGLE_FRAME:
                self._receiver.single_frame(data)
            elif kind == FIRST_FRAME:
                self._receiver.first_frame(data, now_ns)
        if self._queue:
            self._send_queued(now_ns)
        return self._outbox.take()

    @property
    def _is_segmenting(self) -> bool:
        return self._sender.state not in (SenderState.IDLE, SenderState.SINGLE_FRAME)

    def hold(self, held: bool, now_ns: int) -> Step:
        """Answer with FC.WAIT instead of letting the peer go on; `False` lets it go on at once."""
        self._catch_up(now_ns, until_ns=now_ns)
        self._receiver.hold(held, now_ns)
        return self._outbox.take()

    def refuse(self, refused: bool) -> None:
        """Answer every first frame with FC.OVFLW, whatever the size of its message."""
        self._receiver.refuses = refused

    def change_parameters(
        self, *, block_size: int | None = None, separation_time_ns: int | None = None
    ) -> None:
        """Ask the peer for something else, from the next message on."""
        if separation_time_ns is not None:
            st_min_of(separation_time_ns)
            self._receiver.separation_time_ns = separation_time_ns
        if block_size is not None:
            if type(block_size) is not int or not 0 <= block_size <= 0xFF:
                raise UsageError("block_size", expected="0..255", got=repr(block_size))
            self._receiver.block_size = block_size

    # -- time and state --------------------------------------------------------------------------

    def on_timer(self, now_ns: int) -> Step:
        """The deadline has come."""
        self._catch_up(now_ns, until_ns=now_ns + 1)
        return self._outbox.take()

    def next_deadline_ns(self) -> int | None:
        """When to call `on_timer` next; `None` for never. May be now: there is more to send."""
        deadline_ns = self._sender.deadline_ns
        if self._receiver.deadline_ns < deadline_ns:
            deadline_ns = self._receiver.deadline_ns
        functional_sender = self._functional_sender
        if functional_sender is not None and functional_sender.deadline_ns < deadline_ns:
            deadline_ns = functional_sender.deadline_ns
        return None if deadline_ns == NEVER_NS else deadline_ns

    def _catch_up(self, now_ns: int, *, until_ns: int) -> None:
        """Let every timer that ended before `until_ns` take effect now."""
        if self._sender.deadline_ns < until_ns:
            self._sender.on_timer(now_ns)
        if self._receiver.deadline_ns < until_ns:
            self._receiver.on_timer(now_ns)
        functional_sender = self._functional_sender
        if functional_sender is not None and functional_sender.deadline_ns < until_ns:
            functional_sender.on_timer(now_ns)
        if self._queue:
            self._send_queued(now_ns)

    @property
    def is_sending(self) -> bool:
        """Whether a message is being sent or waits to be."""
        functional_sender = self._functional_sender
        return (
            bool(self._queue)
            or self._sender.state is not SenderState.IDLE
            or (functional_sender is not None and functional_sender.state is not SenderState.IDLE)
        )

    @property
    def is_receiving(self) -> bool:
        """Whether a message of several frames is being received (N_USData_FF.indication)."""
        return self._receiver.state is not ReceiverState.IDLE

    def stop(self, now_ns: int) -> Step:
        """Give up whatever is being sent or received, and expect no confirmation any more."""
        self._catch_up(now_ns, until_ns=now_ns)
        for sender, _ in self._queue:
            functional = sender is self._functional_sender
            self._outbox.tell(LinkEvent(NResult.N_ERROR, Role.SENDER, functional))
        self._queue.clear()
        self._sender.stop()
        self._receiver.stop()
        if self._functional_sender is not None:
            self._functional_sender.stop()
        self._outbox.forget()
        return self._outbox.take()
