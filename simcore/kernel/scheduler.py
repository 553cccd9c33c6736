"""Virtual clock and event queue.

Time is an `int` in nanoseconds. Events are ordered by `(time_ns, priority, sequence)`: a total
order, so a run depends on nothing but its inputs. What is scheduled is a bound method or a
`functools.partial` of one, never a closure, so the queue can be copied and pickled at any instant.

"At the same time" has a defined order, the values of `Priority`: a frame that completes at an
instant is seen by the plant step and the tasks of that instant, and every transmit request made
at an instant takes part in the arbitration that starts at that instant.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, unique
from functools import partial
from heapq import heappop, heappush
from types import BuiltinMethodType, MethodType

from simcore.errors import SimcoreError, UsageError
from simcore.units import format_ns

Callback = Callable[[], object]

SAME_INSTANT_LIMIT = 100_000
"""More events than this at one instant is a loop that does not advance time."""


@unique
class Priority(IntEnum):
    """Order of events at one instant."""

    BUS = 0
    """Frames complete and are delivered."""
    PLANT = 1
    """Physics advances to this instant; sensor pins take their new values."""
    ECU = 2
    """Tasks run and request transmissions."""
    ARBITRATION = 3
    """The bus starts a frame among everything requested up to and at this instant."""
    OBSERVER = 4
    """Recorders and checkers see the instant complete."""


class StuckError(SimcoreError):
    """Simulated time does not advance: events at one instant schedule each other for ever."""


class Timer:
    """One scheduled call that can be cancelled. Made by `Scheduler.timer`."""

    __slots__ = ("_callback", "deadline_ns")

    def __init__(self, deadline_ns: int, callback: Callback) -> None:
        self.deadline_ns = deadline_ns
        self._callback: Callback | None = callback

    @property
    def active(self) -> bool:
        """True until the timer has fired or was cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the call. Cancelling twice, or after it fired, does nothing."""
        self._callback = None

    def _fire(self) -> None:
        callback = self._callback
        if callback is not None:
            self._callback = None
            callback()


class Scheduler:
    """The event queue and the only clock of a run. `now_ns` is read-only to everyone else.

    `queue` and `sequence` are for the bus alone, which schedules thousands of times a second and
    never into the past: it does itself what `post` does.
    """

    __slots__ = ("_end_ns", "event_count", "now_ns", "queue", "sequence")

    def __init__(self) -> None:
        self.now_ns = 0
        self.event_count = 0
        self.queue: list[tuple[int, int, int, Callback]] = []
        """A heap of (time_ns, priority, sequence, callback)."""
        self.sequence = 0
        """Number of the last event scheduled."""
        self._end_ns = -1

    def post(self, time_ns: int, priority: int, callback: Callback) -> None:
        """Call `callback` at `time_ns`; cannot be taken back (see `timer`).

        The hot path: it does not check that the callback can be copied, `timer` does.
        """
        if time_ns < self.now_ns:
            raise UsageError(
                f"schedule {_named(callback)}",
                expected=f"a time not before now, {format_ns(self.now_ns)}",
                got=format_ns(time_ns),
            )
        self.sequence = sequence = self.sequence + 1
        heappush(self.queue, (time_ns, priority, sequence, callback))

    def timer(self, time_ns: int, priority: int, callback: Callback) -> Timer:
        """Call `callback` at `time_ns` unless the returned timer is cancelled before."""
        require_copyable(callback)
        timer = Timer(time_ns, callback)
        self.post(time_ns, priority, timer._fire)
        return timer

    def advance_to(self, time_ns: int) -> bool:
        """Make `time_ns` now, if the run goes that far and nothing else is scheduled until then.

        For a component that would schedule itself next and be called next anyway: the order of
        events is the same, the queue is spared. Returns False, and changes nothing, otherwise.
        """
        heap = self.queue
        if time_ns > self._end_ns or (heap and heap[0][0] <= time_ns):
            return False
        self.now_ns = time_ns
        self.event_count += 1
        return True

    @property
    def in_event(self) -> bool:
        """Whether an event is being run right now."""
        return self._end_ns >= 0

    def next_event_ns(self) -> int | None:
        """Time of the earliest event, `None` where the queue is empty."""
        return self.queue[0][0] if self.queue else None

    def run_until_ns(self, end_ns: int) -> None:
        """Run every event up to and including `end_ns`, then stand at `end_ns`."""
        if end_ns < self.now_ns:
            raise UsageError(
                "run_until_ns",
                expected=f"a time not before now, {format_ns(self.now_ns)}",
                got=format_ns(end_ns),
            )
        heap = self.queue
        now_ns = self.now_ns
        same_instant = 0
        count = 0
        self._end_ns = end_ns
        try:
            while heap and heap[0][0] <= end_ns:
                time_ns, _, _, callback = heappop(heap)
                count += 1
                if time_ns != now_ns:
                    self.now_ns = now_ns = time_ns
                    same_instant = count
                elif count - same_instant > SAME_INSTANT_LIMIT:
                    raise _stuck(time_ns, callback)
                callback()
        finally:
            self.event_count += count
            self._end_ns = -1
        self.now_ns = end_ns

    def run_until(self, predicate: Callable[[], bool], end_ns: int) -> bool:
        """Run until `predicate` holds after all events of some instant, at most to `end_ns`.

        Returns whether it held. The predicate sees complete instants only, never the middle of
        one; where it holds at once no time passes.
        """
        if predicate():
            return True
        while True:
            upcoming = self.next_event_ns()
            if upcoming is None or upcoming > end_ns:
                self.run_until_ns(end_ns)
                return False
            self.run_until_ns(upcoming)
            if predicate():
                return True


def require_copyable(callback: Callback) -> None:
    """Refuse what could not be copied or pickled with the run: closures and lambdas."""
    inner: object = callback
    while isinstance(inner, partial):
        inner = inner.func
    if not isinstance(inner, (MethodType, BuiltinMethodType)):
        raise UsageError(
            f"schedule {_named(callback)}",
            expected="a bound method or a functools.partial of one",
        )


def _stuck(time_ns: int, callback: Callback) -> StuckError:
    return StuckError(
        f"time stands still at {format_ns(time_ns)}: more than {SAME_INSTANT_LIMIT} events at one "
        f"instant, the last one {_named(callback)}"
    )


def _named(callback: Callback) -> str:
    """The method's name, without the memory address that differs from run to run."""
    inner: object = callback
    while isinstance(inner, partial):
        inner = inner.func
    owner = getattr(inner, "__self__", None)
    if isinstance(owner, Timer) and owner._callback is not None:
        return _named(owner._callback)
    return str(getattr(inner, "__qualname__", type(inner).__name__))
