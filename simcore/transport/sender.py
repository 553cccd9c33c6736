"""`Sender`: the sending half of a link, one message at a time. ISO 15765-2:2016, clauses 9.3, 9.8.

A frame counts as sent when the controller confirms it, or at once where nothing confirms; only then
is the next one requested. Timers: N_As until a frame has left, N_Bs until a flow control has come,
and between consecutive frames the longer of the peer's STmin and the own N_Cs.
"""

from __future__ import annotations

from enum import IntEnum, unique

from simcore.transport.framing import Framing
from simcore.transport.pci import (
    CONSECUTIVE_FRAME,
    FlowControl,
    FlowStatus,
    first_frame,
    single_frame,
    single_frame_max,
)
from simcore.transport.settings import LinkSettings
from simcore.transport.step import NEVER_NS, LinkEvent, NResult, Outbox, Role


@unique
class SenderState(IntEnum):
    """What the sender waits for."""

    IDLE = 0
    SINGLE_FRAME = 1
    """A single frame is in the controller."""
    FIRST_FRAME = 2
    """The first frame is in the controller."""
    FLOW_CONTROL = 3
    """The peer is to send a flow control."""
    SEPARATION = 4
    """The next consecutive frame has to wait."""
    CONSECUTIVE_FRAME = 5
    """A consecutive frame is in the controller."""


@unique
class SenderEvent(IntEnum):
    """What moves it."""

    REQUESTED = 0
    """A message that fits into one frame is to be sent."""
    REQUESTED_SEGMENTED = 1
    """One that does not."""
    FRAME_LEFT = 2
    """The frame in the controller has left it, and the block goes on."""
    BLOCK_LEFT = 3
    """The same of the last one before a flow control."""
    MESSAGE_LEFT = 4
    """The same of the last one of the message."""
    CLEAR_TO_SEND = 5
    WAIT = 6
    """FC.WAIT, and one that is borne."""
    WAIT_OVERRUN = 7
    """FC.WAIT once too often."""
    OVERFLOW = 8
    """FC.OVFLW after the first frame."""
    INVALID_STATUS = 9
    """Any other flow status, or FC.OVFLW later on."""
    SEPARATED = 10
    """The next consecutive frame is due."""
    TIMED_OUT = 11
    STOPPED = 12


_S = SenderState
_E = SenderEvent

TRANSITIONS: dict[tuple[SenderState, SenderEvent], SenderState] = {
    (_S.IDLE, _E.REQUESTED): _S.SINGLE_FRAME,
    (_S.IDLE, _E.REQUESTED_SEGMENTED): _S.FIRST_FRAME,
    (_S.SINGLE_FRAME, _E.MESSAGE_LEFT): _S.IDLE,
    (_S.SINGLE_FRAME, _E.TIMED_OUT): _S.IDLE,
    (_S.FIRST_FRAME, _E.BLOCK_LEFT): _S.FLOW_CONTROL,
    (_S.FIRST_FRAME, _E.TIMED_OUT): _S.IDLE,
    (_S.FLOW_CONTROL, _E.CLEAR_TO_SEND): _S.SEPARATION,
    (_S.FLOW_CONTROL, _E.WAIT): _S.FLOW_CONTROL,
    (_S.FLOW_CONTROL, _E.WAIT_OVERRUN): _S.IDLE,
    (_S.FLOW_CONTROL, _E.OVERFLOW): _S.IDLE,
    (_S.FLOW_CONTROL, _E.INVALID_STATUS): _S.IDLE,
    (_S.FLOW_CONTROL, _E.TIMED_OUT): _S.IDLE,
    (_S.SEPARATION, _E.SEPARATED): _S.CONSECUTIVE_FRAME,
    (_S.CONSECUTIVE_FRAME, _E.FRAME_LEFT): _S.SEPARATION,
    (_S.CONSECUTIVE_FRAME, _E.BLOCK_LEFT): _S.FLOW_CONTROL,
    (_S.CONSECUTIVE_FRAME, _E.MESSAGE_LEFT): _S.IDLE,
    (_S.CONSECUTIVE_FRAME, _E.TIMED_OUT): _S.IDLE,
    **{(state, _E.STOPPED): _S.IDLE for state in _S if state is not _S.IDLE},
}

_REQUESTS = (_E.REQUESTED, _E.REQUESTED_SEGMENTED)
_CONFIRMATIONS = (_E.FRAME_LEFT, _E.BLOCK_LEFT, _E.MESSAGE_LEFT)
_FLOW = (_E.CLEAR_TO_SEND, _E.WAIT, _E.WAIT_OVERRUN, _E.OVERFLOW, _E.INVALID_STATUS)
_IN_CONTROLLER = (_S.SINGLE_FRAME, _S.FIRST_FRAME, _S.CONSECUTIVE_FRAME)

IGNORED: frozenset[tuple[SenderState, SenderEvent]] = frozenset(
    [
        # A message waits until the one before it is over.
        *((state, event) for state in _S if state is not _S.IDLE for event in _REQUESTS),
        # A flow control that nobody waits for is ignored (9.8.3).
        *((state, event) for state in _S if state is not _S.FLOW_CONTROL for event in _FLOW),
        # A confirmation of a frame of a message given up meanwhile.
        *(
            (state, event)
            for state in _S
            if state not in _IN_CONTROLLER
            for event in _CONFIRMATIONS
        ),
        # What the frame in the controller is decides which confirmation there can be.
        (_S.SINGLE_FRAME, _E.FRAME_LEFT),
        (_S.SINGLE_FRAME, _E.BLOCK_LEFT),
        (_S.FIRST_FRAME, _E.FRAME_LEFT),
        (_S.FIRST_FRAME, _E.MESSAGE_LEFT),
        *((state, _E.SEPARATED) for state in _S if state is not _S.SEPARATION),
        # Nothing runs that could time out.
        (_S.IDLE, _E.TIMED_OUT),
        (_S.SEPARATION, _E.TIMED_OUT),
        (_S.IDLE, _E.STOPPED),
    ]
)
"""Pairs that change nothing."""

RESULTS: dict[tuple[SenderState, SenderEvent], NResult] = {
    (_S.SINGLE_FRAME, _E.MESSAGE_LEFT): NResult.N_OK,
    (_S.CONSECUTIVE_FRAME, _E.MESSAGE_LEFT): NResult.N_OK,
    (_S.SINGLE_FRAME, _E.TIMED_OUT): NResult.N_TIMEOUT_A,
    (_S.FIRST_FRAME, _E.TIMED_OUT): NResult.N_TIMEOUT_A,
    (_S.CONSECUTIVE_FRAME, _E.TIMED_OUT): NResult.N_TIMEOUT_A,
    (_S.FLOW_CONTROL, _E.TIMED_OUT): NResult.N_TIMEOUT_BS,
    (_S.FLOW_CONTROL, _E.WAIT_OVERRUN): NResult.N_WFT_OVRN,
    (_S.FLOW_CONTROL, _E.OVERFLOW): NResult.N_BUFFER_OVFLW,
    (_S.FLOW_CONTROL, _E.INVALID_STATUS): NResult.N_INVALID_FS,
    **{(state, _E.STOPPED): NResult.N_ERROR for state in _S if state is not _S.IDLE},
}
"""How a message ends; every way into IDLE has one."""


def next_state(state: SenderState, event: SenderEvent) -> SenderState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


class Sender:
    """Sends one message at a time. Frames and results go to the outbox."""

    __slots__ = (
        "_block_left",
        "_functional",
        "_heads",
        "_is_begun",
        "_left_ns",
        "_outbox",
        "_payload",
        "_position",
        "_room",
        "_sequence",
        "_settings",
        "_ticket",
        "_wait_count",
        "deadline_ns",
        "framing",
        "separation_time_ns",
        "state",
    )

    def __init__(
        self, framing: Framing, settings: LinkSettings, outbox: Outbox, *, functional: bool = False
    ) -> None:
        self.framing = framing
        self.state = SenderState.IDLE
        self.deadline_ns = NEVER_NS
        self.separation_time_ns = 0
        """As the last flow control asked for."""
        self._settings = settings
        self._outbox = outbox
        self._functional = functional
        self._heads = tuple(
            framing.prefix + bytes((CONSECUTIVE_FRAME << 4 | sequence,)) for sequence in range(16)
        )
        self._room = settings.tx_dl - len(self._heads[0])
        """Bytes of the message in a consecutive frame."""
        self._payload = b""
        self._position = 0
        """How much of it was requested."""
        self._sequence = 0
        self._left_ns = 0
        """When the last frame of the last block left."""
        self._block_left = 0
        """Consecutive frames until the next flow control; below 0: none."""
        self._is_begun = False
        """Whether a flow control has ever cleared the message to be sent."""
        self._wait_count = 0
        self._ticket = 0
        """Of the frame in the controller."""

    @property
    def single_frame_max(self) -> int:
        """Most bytes that fit into one frame."""
        return single_frame_max(self.framing.tx_dl, len(self.framing.prefix))

    def send(self, payload: bytes, now_ns: int) -> None:
        """Begin a message; the sender is idle."""
        framing = self.framing
        size = len(payload)
        self._payload = payload
        prefix = framing.prefix
        if size <= self.single_frame_max:
            self._move(SenderEvent.REQUESTED)
            self._position = size
            data = prefix + single_frame(payload, len(prefix))
        else:
            self._move(SenderEvent.REQUESTED_SEGMENTED)
            head = prefix + first_frame(size)
            self._position = framing.tx_dl - len(head)
            self._sequence = 1
            self._is_begun = False
            self._wait_count = 0
            data = head + payload[: self._position]
        self._request(data, now_ns)

    def confirmed(self, ticket: int, now_ns: int) -> bool:
        """The frame with this ticket has left the controller; whether it was of this sender."""
        if ticket != self._ticket:
            return False
        self._frame_left(now_ns)
        if self.state is SenderState.SEPARATION and self.deadline_ns == now_ns:
            self._consecutive_frames(now_ns)
        return True

    def flow_control(self, flow: FlowControl, now_ns: int) -> None:
        """A flow control came in."""
        if self.state is not SenderState.FLOW_CONTROL:
            return
        event = self._flow_event(flow.status)
        self._move(event)
        if event is SenderEvent.CLEAR_TO_SEND:
            self._wait_count = 0
            self.separation_time_ns = separation_ns = flow.separation_time_ns
            self._block_left = flow.block_size or -1
            self.deadline_ns = now_ns + self._settings.n_cs_ns
            if self._is_begun:
                # The separation time is one between consecutive frames, also of two blocks.
                self.deadline_ns = max(self.deadline_ns, self._left_ns + separation_ns)
            self._is_begun = True
            if self.deadline_ns == now_ns:
                self._consecutive_frames(now_ns)
        elif event is SenderEvent.WAIT:
            self._wait_count += 1
            self.deadline_ns = now_ns + self._settings.n_bs_ns

    def _flow_event(self, status: int) -> SenderEvent:
        if status == FlowStatus.CLEAR_TO_SEND:
            return SenderEvent.CLEAR_TO_SEND
        if status == FlowStatus.WAIT:
            limit = self._settings.wait_frames_accepted
            overrun = limit is not None and self._wait_count >= limit
            return SenderEvent.WAIT_OVERRUN if overrun else SenderEvent.WAIT
        if status == FlowStatus.OVERFLOW and not self._is_begun and not self._wait_count:
            return SenderEvent.OVERFLOW
        return SenderEvent.INVALID_STATUS

    def on_timer(self, now_ns: int) -> None:
        """The deadline has come."""
        if self.state is SenderState.SEPARATION:
            self._consecutive_frames(now_ns)
        else:
            self._move(SenderEvent.TIMED_OUT)

    def stop(self) -> None:
        """Give the message up."""
        self._move(SenderEvent.STOPPED)

    def _request(self, data: bytes, now_ns: int) -> None:
        """Have a frame sent; without confirmation it is sent thereby."""
        outbox = self._outbox
        self._ticket = outbox.request(self.framing.frame(data))
        if outbox.confirms:
            self.deadline_ns = now_ns + self._settings.n_as_ns
        else:
            self._frame_left(now_ns)

    def _consecutive_frames(self, now_ns: int) -> None:
        """Request the next one; without confirmation as many as may go at once."""
        heads, payload, room = self._heads, self._payload, self._room
        for _ in range(self._settings.window_size):
            self._move(SenderEvent.SEPARATED)
            position, sequence = self._position, self._sequence
            self._position = position + room
            self._sequence = (sequence + 1) & 0x0F
            self._block_left -= 1
            self._request(heads[sequence] + payload[position : position + room], now_ns)
            if self.state is not SenderState.SEPARATION or self.deadline_ns > now_ns:
                return
        self.deadline_ns = now_ns + self._settings.window_ns

    def _frame_left(self, now_ns: int) -> None:
        """The frame in the controller is on the bus: what is next, and when?"""
        self._ticket = 0
        if self._position >= len(self._payload):
            self._move(SenderEvent.MESSAGE_LEFT)
        elif self._block_left and self.state is SenderState.CONSECUTIVE_FRAME:
            self._move(SenderEvent.FRAME_LEFT)
            self.deadline_ns = now_ns + max(self.separation_time_ns, self._settings.n_cs_ns)
        else:
            self._move(SenderEvent.BLOCK_LEFT)
            self._left_ns = now_ns
            self.deadline_ns = now_ns + self._settings.n_bs_ns

    def _move(self, event: SenderEvent) -> None:
        row = _ROWS[self.state][event]
        if row is None:
            return
        self.state, result = row
        if result is not None:
            self.deadline_ns = NEVER_NS
            self._payload = b""
            self._outbox.tell(LinkEvent(result, Role.SENDER, self._functional))


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
