"""`Receiver`: the receiving half of a link. ISO 15765-2:2016, clauses 9.3, 9.6.4, 9.8.

Timers: N_Br before a flow control, N_Ar until it has left the controller, N_Cr until the next
consecutive frame. While held, it answers with FC.WAIT, up to N_WFTmax in a row.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.transport.framing import Framing
from simcore.transport.pci import (
    FlowStatus,
    flow_control,
    read_first_frame,
    read_single_frame,
)
from simcore.transport.settings import LinkSettings
from simcore.transport.step import NEVER_NS, LinkEvent, Message, NResult, Outbox, Role


@unique
class ReceiverState(IntEnum):
    """What the receiver waits for."""

    IDLE = 0
    FLOW_CONTROL = 1
    """A flow control is to be sent."""
    CLEAR_TO_SEND = 2
    """FC.CTS is in the controller."""
    WAIT = 3
    """FC.WAIT is in the controller."""
    CONSECUTIVE_FRAME = 4
    """The peer is to send a consecutive frame."""


@unique
class ReceiverEvent(IntEnum):
    """What moves it."""

    SINGLE_FRAME = 0
    FIRST_FRAME = 1
    FIRST_FRAME_TOO_LONG = 2
    """One whose message does not fit into the buffer."""
    FRAME_RECEIVED = 3
    """The consecutive frame expected, and the block goes on."""
    BLOCK_RECEIVED = 4
    """The same, the last one before a flow control."""
    MESSAGE_RECEIVED = 5
    """The same, the last one of the message."""
    WRONG_SEQUENCE = 6
    CLEARED = 7
    """Time for a flow control, which lets the peer go on."""
    HELD = 8
    """Time for a flow control, which lets it wait."""
    WAIT_OVERRUN = 9
    """The same, but N_WFTmax were sent."""
    FRAME_LEFT = 10
    """The flow control has left the controller."""
    TIMED_OUT = 11
    STOPPED = 12


_S = ReceiverState
_E = ReceiverEvent
_BUSY = tuple(state for state in _S if state is not _S.IDLE)

TRANSITIONS: dict[tuple[ReceiverState, ReceiverEvent], ReceiverState] = {
    # Whatever is going on, a new message is taken (9.8.3).
    **{(state, _E.SINGLE_FRAME): _S.IDLE for state in _S},
    **{(state, _E.FIRST_FRAME): _S.FLOW_CONTROL for state in _S},
    **{(state, _E.FIRST_FRAME_TOO_LONG): _S.IDLE for state in _S},
    (_S.FLOW_CONTROL, _E.CLEARED): _S.CLEAR_TO_SEND,
    (_S.FLOW_CONTROL, _E.HELD): _S.WAIT,
    (_S.FLOW_CONTROL, _E.WAIT_OVERRUN): _S.IDLE,
    (_S.CLEAR_TO_SEND, _E.FRAME_LEFT): _S.CONSECUTIVE_FRAME,
    (_S.CLEAR_TO_SEND, _E.TIMED_OUT): _S.IDLE,
    (_S.WAIT, _E.FRAME_LEFT): _S.FLOW_CONTROL,
    (_S.WAIT, _E.TIMED_OUT): _S.IDLE,
    (_S.CONSECUTIVE_FRAME, _E.FRAME_RECEIVED): _S.CONSECUTIVE_FRAME,
    (_S.CONSECUTIVE_FRAME, _E.BLOCK_RECEIVED): _S.FLOW_CONTROL,
    (_S.CONSECUTIVE_FRAME, _E.MESSAGE_RECEIVED): _S.IDLE,
    (_S.CONSECUTIVE_FRAME, _E.WRONG_SEQUENCE): _S.IDLE,
    (_S.CONSECUTIVE_FRAME, _E.TIMED_OUT): _S.IDLE,
    **{(state, _E.STOPPED): _S.IDLE for state in _BUSY},
}

_CONSECUTIVE = (_E.FRAME_RECEIVED, _E.BLOCK_RECEIVED, _E.MESSAGE_RECEIVED, _E.WRONG_SEQUENCE)
_DUE = (_E.CLEARED, _E.HELD, _E.WAIT_OVERRUN)
_IN_CONTROLLER = (_S.CLEAR_TO_SEND, _S.WAIT)

IGNORED: frozenset[tuple[ReceiverState, ReceiverEvent]] = frozenset(
    [
        # A consecutive frame that nobody waits for is ignored (9.8.3).
        *(
            (state, event)
            for state in _S
            if state is not _S.CONSECUTIVE_FRAME
            for event in _CONSECUTIVE
        ),
        *((state, event) for state in _S if state is not _S.FLOW_CONTROL for event in _DUE),
        # The flow control of a message that was given up.
        *((state, _E.FRAME_LEFT) for state in _S if state not in _IN_CONTROLLER),
        # Nothing runs that could time out.
        (_S.IDLE, _E.TIMED_OUT),
        (_S.FLOW_CONTROL, _E.TIMED_OUT),
        (_S.IDLE, _E.STOPPED),
    ]
)
"""Pairs that change nothing."""

RESULTS: dict[tuple[ReceiverState, ReceiverEvent], NResult] = {
    **{
        (state, event): NResult.N_UNEXP_PDU
        for state in _BUSY
        for event in (_E.SINGLE_FRAME, _E.FIRST_FRAME, _E.FIRST_FRAME_TOO_LONG)
    },
    (_S.FLOW_CONTROL, _E.WAIT_OVERRUN): NResult.N_WFT_OVRN,
    (_S.CLEAR_TO_SEND, _E.TIMED_OUT): NResult.N_TIMEOUT_A,
    (_S.WAIT, _E.TIMED_OUT): NResult.N_TIMEOUT_A,
    (_S.CONSECUTIVE_FRAME, _E.WRONG_SEQUENCE): NResult.N_WRONG_SN,
    (_S.CONSECUTIVE_FRAME, _E.TIMED_OUT): NResult.N_TIMEOUT_CR,
    **{(state, _E.STOPPED): NResult.N_ERROR for state in _BUSY},
}
"""How a message that is not received ends."""


def next_state(state: ReceiverState, event: ReceiverEvent) -> ReceiverState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


class Receiver:
    """Receives one message at a time. Frames, messages and results go to the outbox."""

    __slots__ = (
        "_address_size",
        "_block_left",
        "_block_size",
        "_chunks",
        "_framing",
        "_left",
        "_outbox",
        "_rx_dl",
        "_sequence",
        "_settings",
        "_separation_time_ns",
        "_ticket",
        "_wait_count",
        "block_size",
        "deadline_ns",
        "held",
        "refuses",
        "separation_time_ns",
        "size",
        "state",
    )

    def __init__(
        self, framing: Framing, address_size: int, settings: LinkSettings, outbox: Outbox
    ) -> None:
        self.state = ReceiverState.IDLE
        self.deadline_ns = NEVER_NS
        self.block_size = settings.block_size
        self.separation_time_ns = settings.separation_time_ns
        """What the next message's flow controls ask for."""
        self.held = False
        """Answer with FC.WAIT."""
        self.refuses = False
        """Answer with FC.OVFLW, whatever the size."""
        self.size = 0
        """Of the message being received."""
        self._framing = framing
        self._address_size = address_size
        self._settings = settings
        self._outbox = outbox
        self._chunks: list[bytes] = []
        self._left = 0
        """Bytes of the message still to come."""
        self._rx_dl = 8
        self._sequence = 0
        self._block_size = 0
        self._separation_time_ns = 0
        self._block_left = 0
        """Consecutive frames until the next flow control; below 0: none."""
        self._wait_count = 0
        self._ticket = 0
        """Of the flow control in the controller."""

    def single_frame(self, data: bytes) -> None:
        """A single frame came in."""
        payload = read_single_frame(data, self._address_size)
        if payload is not None:
            self._move(ReceiverEvent.SINGLE_FRAME)
            self._outbox.deliver(Message(payload))

    def first_frame(self, data: bytes, now_ns: int) -> None:
        """A first frame came in."""
        first = read_first_frame(data, self._address_size)
        if first is None:
            return
        if self.refuses or first.size > self._settings.receive_buffer_size:
            self._move(ReceiverEvent.FIRST_FRAME_TOO_LONG)
            self._request(FlowStatus.OVERFLOW)
            return
        self._move(ReceiverEvent.FIRST_FRAME)
        self.size = first.size
        self._chunks = [first.data]
        self._left = first.size - len(first.data)
        self._rx_dl = first.rx_dl
        self._sequence = 1
        self._block_size = self.block_size
        self._separation_time_ns = self.separation_time_ns
        self._answer_due(now_ns)

    def consecutive_frame(self, data: bytes, now_ns: int) -> None:
        """A consecutive frame came in."""
        if self.state is not ReceiverState.CONSECUTIVE_FRAME:
            return
        start = self._address_size + 1
        left = self._left
        chunk = data[start:]
        rest = left - len(chunk)
        if len(data) != self._rx_dl and (rest > 0 or len(data) > self._rx_dl):
            return  # The first frame fixed the length; only the last one may be shorter.
        if data[start - 1] & 0x0F != self._sequence:
            self._move(ReceiverEvent.WRONG_SEQUENCE)
            return
        self._sequence = (self._sequence + 1) & 0x0F
        self._left = rest
        if rest > 0:
            self._chunks.append(chunk)
            self._block_left -= 1
            if self._block_left:
                self._move(ReceiverEvent.FRAME_RECEIVED)
                self.deadline_ns = now_ns + self._settings.n_cr_ns
            else:
                self._move(ReceiverEvent.BLOCK_RECEIVED)
                self._answer_due(now_ns)
            return
        self._chunks.append(chunk[:left])
        payload = b"".join(self._chunks)
        self._move(ReceiverEvent.MESSAGE_RECEIVED)
        self._outbox.deliver(Message(payload))

    def confirmed(self, ticket: int, now_ns: int) -> None:
        """The frame with this ticket has left the controller."""
        if ticket == self._ticket:
            self._frame_left(now_ns)

    def on_timer(self, now_ns: int) -> None:
        """The deadline has come."""
        if self.state is ReceiverState.FLOW_CONTROL:
            self._answer(now_ns)
        else:
            self._move(ReceiverEvent.TIMED_OUT)

    def hold(self, held: bool, now_ns: int) -> None:
        """Answer with FC.WAIT from now on, or no longer; a peer that waits is cleared at once."""
        self.held = held
        if not held and self.state is ReceiverState.FLOW_CONTROL and self._wait_count:
            self._answer(now_ns)

    def stop(self) -> None:
        """Give the message up."""
        self._move(ReceiverEvent.STOPPED)

    def _answer_due(self, now_ns: int) -> None:
        self._wait_count = 0
        self.deadline_ns = now_ns + self._settings.n_br_ns
        if self.deadline_ns == now_ns:
            self._answer(now_ns)

    def _answer(self, now_ns: int) -> None:
        """Send the flow control that is due."""
        settings = self._settings
        if not self.held:
            self._move(ReceiverEvent.CLEARED)
            self._block_left = self._block_size or -1
            self._ticket = self._request(FlowStatus.CLEAR_TO_SEND)
        elif self._wait_count < settings.wait_frames_max:
            self._move(ReceiverEvent.HELD)
            self._wait_count += 1
            self._ticket = self._request(FlowStatus.WAIT)
        else:
            self._move(ReceiverEvent.WAIT_OVERRUN)
            return
        if self._outbox.confirms:
            self.deadline_ns = now_ns + settings.n_ar_ns
        else:
            self._frame_left(now_ns)

    def _request(self, status: FlowStatus) -> int:
        if status is FlowStatus.CLEAR_TO_SEND:
            data = flow_control(status, self._block_size, self._separation_time_ns)
        else:
            data = flow_control(status, 0, 0)  # without meaning then
        return self._outbox.request(self._framing.frame(self._framing.prefix + data))

    def _frame_left(self, now_ns: int) -> None:
        self._ticket = 0
        self._move(ReceiverEvent.FRAME_LEFT)
        waited = self.state is ReceiverState.FLOW_CONTROL
        settings = self._settings
        self.deadline_ns = now_ns + (settings.wait_interval_ns if waited else settings.n_cr_ns)
        if waited and not self.held:
            self._answer(now_ns)

    def _move(self, event: ReceiverEvent) -> None:
        row = _ROWS[self.state][event]
        if row is None:
            return
        self.state, result = row
        if result is not None:
            self._outbox.tell(LinkEvent(result, Role.RECEIVER))
        if self.state is ReceiverState.IDLE:
            self.deadline_ns = NEVER_NS
            self._ticket = 0
            self._chunks = []
            self.size = 0


_ROWS = tuple(
    tuple(
        (TRANSITIONS[state, event], RESULTS.get((state, event)))
        if (state, event) in TRANSITIONS
        else None
        for event in _E
    )
    for state in _S
)
"""Both tables by number: they are asked for every frame."""
