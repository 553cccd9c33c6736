"""What a link gives back: frames to send, messages received, results. ISO 15765-2, clause 8.

`Step` is the answer to every call; `Outbox` collects one and knows which frames the controller has
not sent yet.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum, unique
from typing import NamedTuple

from simcore.bus import Frame


@unique
class NResult(IntEnum):
    """N_Result of the service primitives (ISO 15765-2:2016, 8.3.7)."""

    N_OK = 0
    N_TIMEOUT_A = 1
    """N_As or N_Ar: a frame did not get onto the bus."""
    N_TIMEOUT_BS = 2
    """No flow control came."""
    N_TIMEOUT_CR = 3
    """No consecutive frame came."""
    N_WRONG_SN = 4
    N_INVALID_FS = 5
    N_UNEXP_PDU = 6
    """A new message began while one was being received."""
    N_WFT_OVRN = 7
    """Too many FC.WAIT in a row."""
    N_BUFFER_OVFLW = 8
    """The message does not fit into the receiver's buffer."""
    N_ERROR = 9
    """Given up on request: `IsoTpLink.stop`."""


@unique
class Role(IntEnum):
    """Which side of a message a result is about."""

    SENDER = 0
    RECEIVER = 1


class LinkEvent(NamedTuple):
    """How a message ended. A message received in order is a `Message` and no event."""

    kind: NResult
    role: Role
    functional: bool = False


class Message(NamedTuple):
    """A message received."""

    payload: bytes
    functional: bool = False


class Step(NamedTuple):
    """What one call brought about: request the frames in this order, then read the rest."""

    frames: tuple[Frame, ...] = ()
    messages: tuple[Message, ...] = ()
    events: tuple[LinkEvent, ...] = ()


EMPTY = Step()
"""Nothing to do."""

NEVER_NS = 1 << 62
"""A deadline that does not come: later than any run."""


class Outbox:
    """Collects one step, and keeps the frames that were requested but have not left."""

    __slots__ = ("_events", "_frames", "_messages", "_tickets", "_waiting", "confirms")

    def __init__(self, *, confirms: bool) -> None:
        self.confirms = confirms
        self._frames: list[Frame] = []
        self._messages: list[Message] = []
        self._events: list[LinkEvent] = []
        self._waiting: deque[tuple[int, Frame]] = deque()
        self._tickets = 0

    def request(self, frame: Frame) -> int:
        """Have `frame` sent; the ticket is what `left` gives back once it is."""
        self._frames.append(frame)
        self._tickets = ticket = self._tickets + 1
        if self.confirms:
            self._waiting.append((ticket, frame))
        return ticket

    def deliver(self, message: Message) -> None:
        """Hand up a message."""
        self._messages.append(message)

    def tell(self, event: LinkEvent) -> None:
        """Hand up how a message ended."""
        self._events.append(event)

    def left(self, frame: Frame | None) -> int:
        """The ticket of the frame that left the controller, 0 where none waits.

        Without a `frame` it is the oldest: a controller keeps the order of frames of one
        identifier, but not that of a physical and a functional one. What was requested before
        `frame` with the same identifier never leaves any more: the controller has dropped it.
        """
        waiting = self._waiting
        if not waiting:
            return 0
        if frame is None or _same(waiting[0][1], frame):
            return waiting.popleft()[0]
        for place, (ticket, requested) in enumerate(waiting):
            if _same(requested, frame):
                self._waiting = deque(
                    each
                    for nth, each in enumerate(waiting)
                    if nth > place or each[1].arbitration_id != frame.arbitration_id
                )
                return ticket
        return 0

    def take(self) -> Step:
        """What has been collected, which is then gone from here."""
        frames, messages, events = self._frames, self._messages, self._events
        if not messages and not events:
            if not frames:
                return EMPTY
            self._frames = []
            return Step(tuple(frames))
        self._frames, self._messages, self._events = [], [], []
        return Step(tuple(frames), tuple(messages), tuple(events))

    def forget(self) -> None:
        """Expect no confirmation any more: the controller was reset."""
        self._waiting.clear()


def _same(requested: Frame, sent: Frame) -> bool:
    """Whether `sent` is what was requested; on the wire it may carry the error state indicator."""
    return requested is sent or (
        requested.arbitration_id == sent.arbitration_id
        and requested.data == sent.data
        and requested.header.is_extended_id is sent.header.is_extended_id
    )
