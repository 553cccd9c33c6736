"""`Agenda`: what a restbus node sends next, as a heap; and the senders it holds.

Costs per frame, not per period: cycle times need no common multiple. What is due at the same
instant goes in the order of the database.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Protocol

from simcore.network.interaction import SendMachine

NEVER_NS = 1 << 62

Transmit = Callable[[int], object]


class Sender(Protocol):
    """One line of the agenda, due at `armed_ns`."""

    armed_ns: int

    def advance(self, now_ns: int) -> bool:
        """Work out the next `armed_ns`; whether to transmit now."""

    def arm(self) -> None:
        """Something else changed what comes next: follow it."""

    @property
    def transmit(self) -> Transmit:
        """Hand the frame of now to the port."""


class CyclicSender:
    """A message that is sent in its cycle and at no other time."""

    __slots__ = ("armed_ns", "period_ns", "transmit")

    def __init__(self, first_ns: int, period_ns: int, transmit: Transmit) -> None:
        self.armed_ns = first_ns
        self.period_ns = period_ns
        self.transmit = transmit

    def advance(self, now_ns: int) -> bool:
        """The next point of the grid."""
        self.armed_ns += self.period_ns
        return True

    def arm(self) -> None:
        """Nothing else changes a cycle."""


class EventSender:
    """A message whose `SendMachine` says when it is sent."""

    __slots__ = ("armed_ns", "machine", "transmit")

    def __init__(self, machine: SendMachine, transmit: Transmit) -> None:
        self.machine = machine
        self.transmit = transmit
        self.armed_ns = NEVER_NS
        self.arm()

    def arm(self) -> None:
        """Follow the machine, after a write."""
        deadline_ns = self.machine.next_deadline_ns()
        self.armed_ns = NEVER_NS if deadline_ns is None else deadline_ns

    def advance(self, now_ns: int) -> bool:
        """Ask the machine."""
        sends = self.machine.on_timer(now_ns) > 0
        self.arm()
        return sends


class Agenda:
    """Senders by the time they are due. `deadline_ns` is when `run_due` has work next."""

    __slots__ = ("_heap", "deadline_ns", "senders")

    def __init__(self) -> None:
        self.senders: dict[int, Sender] = {}
        """By their place; at one instant the lower place goes first."""
        self.deadline_ns: int | None = None
        self._heap: list[tuple[int, int]] = []

    def begin(self, senders: list[Sender]) -> None:
        """Forget everything and begin with these senders, in places 0, 1, ..."""
        self.senders = dict(enumerate(senders))
        self._heap = [(s.armed_ns, i) for i, s in enumerate(senders) if s.armed_ns != NEVER_NS]
        heapify(self._heap)
        self.deadline_ns = self._heap[0][0] if self._heap else None

    def add_first(self, sender: Sender) -> None:
        """One more sender, which goes before all others of its instant."""
        place = min(self.senders, default=0) - 1
        self.senders[place] = sender
        self.moved(place)

    def follow(self, index: int) -> None:
        """What drives the sender has changed."""
        self.senders[index].arm()
        self.moved(index)

    def moved(self, index: int) -> None:
        """The sender's `armed_ns` was changed from outside."""
        armed_ns = self.senders[index].armed_ns
        if armed_ns != NEVER_NS:
            heappush(self._heap, (armed_ns, index))
        self._look()

    def run_due(self, now_ns: int) -> int | None:
        """Send everything due up to `now_ns`, in order; returns when the next is due."""
        heap, senders = self._heap, self.senders
        while heap:
            due_ns, index = heap[0]
            sender = senders[index]
            if due_ns != sender.armed_ns:  # it was moved meanwhile and stands elsewhere, too
                heappop(heap)
                continue
            if due_ns > now_ns:
                self.deadline_ns = due_ns
                return due_ns
            sends = sender.advance(now_ns)
            armed_ns = sender.armed_ns
            if armed_ns != NEVER_NS:
                heapreplace(heap, (armed_ns, index))
            else:
                heappop(heap)
            if sends:
                sender.transmit(now_ns)
        self.deadline_ns = None
        return None

    def run_one(self, index: int, now_ns: int) -> bool:
        """Let one sender send, if it is due; whether it did."""
        sender = self.senders[index]
        sends = sender.armed_ns <= now_ns and sender.advance(now_ns)
        self.moved(index)
        if sends:
            sender.transmit(now_ns)
        return sends

    def _look(self) -> None:
        heap = self._heap
        while heap and heap[0][0] != self.senders[heap[0][1]].armed_ns:
            heappop(heap)
        self.deadline_ns = heap[0][0] if heap else None
