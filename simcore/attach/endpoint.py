"""`Endpoint`: one outside program's connection to a bus.

It collects what the program would receive and sends what it asks for. It knows no clock and no
thread: a copy of the rig gets a copy of it that goes on without a reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from simcore.attach.message import BusOperationError, Received
from simcore.attach.outside import MessageKey
from simcore.bus import Bus, Controller, ErrorState, Frame, StateChange, WireError

TRANSMIT_QUEUE_FRAMES = 1000
"""Frames that wait for the bus before `send` has to wait too, as in a driver's queue."""


class Filter(NamedTuple):
    """Passes a frame whose identifier agrees with `identifier` where `mask` has ones."""

    identifier: int
    mask: int
    is_extended_id: bool | None
    """Only this format; `None` for both."""

    def passes(self, frame: Frame) -> bool:
        if self.is_extended_id not in (None, frame.header.is_extended_id):
            return False
        return (frame.arbitration_id ^ self.identifier) & self.mask == 0


class Endpoint:
    """A program's node on a bus: a controller of its own, and those of nodes it plays.

    `senders` names the controllers of nodes that are played from outside, by the messages they
    send; everything else goes out through the endpoint's own one.
    """

    __slots__ = (
        "_on_their_way",
        "_own_names",
        "_queue",
        "_queue_limit",
        "_senders",
        "bus",
        "controller",
        "filters",
        "listening",
        "overrun_count",
        "receives_errors",
        "receives_fd",
        "receives_own",
    )

    def __init__(
        self,
        bus: Bus,
        name: str,
        *,
        senders: Mapping[MessageKey, Controller] | None = None,
        receives_own: bool = False,
        receives_errors: bool = True,
        receives_fd: bool = True,
        queue_limit: int = 0,
    ) -> None:
        self.bus = bus
        self.filters: tuple[Filter, ...] = ()
        self.receives_own = receives_own
        self.receives_errors = receives_errors
        self.receives_fd = receives_fd
        self.listening = True
        self.overrun_count = 0
        """Received and lost because nobody read them in time, oldest first."""
        self._queue: deque[Received] = deque()
        self._queue_limit = queue_limit
        self._senders = dict(senders or {})
        self._on_their_way: dict[tuple[int, bool, bytes], int] = {}
        """Frames sent as another node and not yet seen on the bus, by message and data."""
        self._own_names = frozenset(each.name for each in self._senders.values())
        self.controller = bus.attach(free_name(bus, name), self._receive)
        self.controller.listen_errors(self._receive_error)
        if receives_own:
            self.controller.listen_transmitted(self._transmitted)

    def __getstate__(self) -> dict[str, Any]:
        """A copy has no reader: it sends and acknowledges, and keeps nothing."""
        state = {name: getattr(self, name) for name in self.__slots__}
        return {**state, "_queue": deque(), "listening": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    # -- sending ---------------------------------------------------------------------------------

    def controller_for(self, frame: Frame) -> Controller:
        """Whose frame it is: the node that is played from outside, or the endpoint's own."""
        return self._senders.get(_key(frame), self.controller)

    def send(self, frame: Frame) -> None:
        """Request transmission. Raises `UsageError` where the bus or the node cannot take it."""
        controller = self.controller_for(frame)
        if controller.error_state is ErrorState.BUS_OFF:
            raise BusOperationError(f"{controller.name}: send {frame!r}", got="the node is bus-off")
        refused_count = controller.refused_count
        controller.send(frame)
        if controller.refused_count != refused_count:
            raise BusOperationError(
                f"{controller.name}: send {frame!r}",
                expected="a node that may send",
                got="listen-only, or a full transmit queue",
            )
        if controller is not self.controller:
            key = (*_key(frame), frame.data)
            self._on_their_way[key] = self._on_their_way.get(key, 0) + 1

    def has_room(self) -> bool:
        """Whether one more frame may wait."""
        return len(self.controller.queue) < TRANSMIT_QUEUE_FRAMES

    def abort(self) -> None:
        """Drop every frame that waits."""
        for controller in (self.controller, *dict.fromkeys(self._senders.values())):
            controller.abort()
        self._on_their_way.clear()

    def close(self) -> None:
        """Leave the bus. What the outside played stays silent."""
        self.abort()
        self.listening = False
        self._queue.clear()
        self.bus.detach(self.controller)

    # -- receiving -------------------------------------------------------------------------------

    def has_received(self) -> bool:
        """Whether something waits to be taken, or nothing can come any more."""
        return bool(self._queue) or not self.listening

    def take(self) -> Received | None:
        """The oldest thing received, `None` where nothing waits."""
        return self._queue.popleft() if self._queue else None

    def _receive(self, frame: Frame) -> None:
        own = bool(self._senders) and self._is_own(frame)
        if not own or self.receives_own:
            self._put_frame(frame, own)

    def _transmitted(self, frame: Frame) -> None:
        self._put_frame(frame, True)

    def _is_own(self, frame: Frame) -> bool:
        """Whether the frame being delivered is one this program sent as a node it plays.

        Others may play the same node, so the name of the sender does not say it; and the frame
        may be another object, with ESI set.
        """
        if self.bus.log[-1].sender not in self._own_names:
            return False
        key = (*_key(frame), frame.data)
        count = self._on_their_way.get(key, 0)
        if count > 1:
            self._on_their_way[key] = count - 1
        elif count:
            del self._on_their_way[key]
        return count > 0

    def _put_frame(self, frame: Frame, own: bool) -> None:
        if frame.header.is_fd and not self.receives_fd:
            return
        filters = self.filters
        if not filters or any(each.passes(frame) for each in filters):
            self._put(frame, own)

    def _receive_error(self, error: WireError | StateChange) -> None:
        if self.receives_errors:
            self._put(error, False)

    def _put(self, content: Frame | WireError | StateChange, own: bool) -> None:
        if not self.listening:
            return
        queue = self._queue
        if self._queue_limit and len(queue) >= self._queue_limit:
            queue.popleft()
            self.overrun_count += 1
        queue.append(Received(self.bus.scheduler.now_ns, content, own))


def _key(frame: Frame) -> MessageKey:
    return frame.arbitration_id, frame.header.is_extended_id


def free_name(bus: Bus, name: str) -> str:
    """`name` with the first number that no controller on the bus has yet."""
    taken = {controller.name for controller in bus.controllers}
    number = 1
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
