"""The time of a node: its own clock, which may be wrong, and who wants to know of its timer calls.

Nothing of this stands in the way of a node that nobody disturbs: what is here is put in front of
the node's timer calls when it is first wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Protocol

from simcore.errors import UsageError
from simcore.kernel import Scheduler

RunDue = Callable[[int], int | None]


class Clock(Protocol):
    """Whoever knows what time it is."""

    @property
    def now_ns(self) -> int:
        """Now."""


class LocalClock:
    """A clock that runs at a ratio to true time; continuous where the ratio changes."""

    __slots__ = ("_denominator", "_local_ns", "_numerator", "_scheduler", "_true_ns")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._true_ns = self._local_ns = scheduler.now_ns
        """When the ratio last changed, in both times."""
        self._numerator = self._denominator = 1

    @property
    def is_right(self) -> bool:
        """Whether it runs at the right speed; it may still be ahead or behind."""
        return self._numerator == self._denominator

    @property
    def now_ns(self) -> int:
        """Now, by this clock."""
        return self.local_ns(self._scheduler.now_ns)

    def set_ratio(self, ratio: float) -> None:
        """From now on."""
        now_ns = self._scheduler.now_ns
        self._local_ns = self.local_ns(now_ns)
        self._true_ns = now_ns
        # A float is a fraction: with whole numbers there is nothing to round on the way.
        self._numerator, self._denominator = ratio.as_integer_ratio()

    def local_ns(self, true_ns: int) -> int:
        """What it shows at a true time, since the last change of the ratio."""
        passed_ns = (true_ns - self._true_ns) * self._numerator // self._denominator
        return self._local_ns + passed_ns

    def true_ns(self, local_ns: int) -> int:
        """When it shows a time, or the first one after it that it does show."""
        ahead_ns = local_ns - self._local_ns
        return self._true_ns - (-ahead_ns * self._denominator) // self._numerator


class LocalTimer:
    """The timer calls of a node by its own clock: time in, deadlines out, in true time."""

    __slots__ = ("_asked_ns", "_clock", "_next_deadline_ns", "_on_timer", "_run_due")

    def __init__(
        self,
        clock: LocalClock,
        on_timer: Callable[[int], object],
        next_deadline_ns: Callable[[], int | None],
        run_due: RunDue | None,
    ) -> None:
        self._clock = clock
        self._on_timer = on_timer
        self._next_deadline_ns = next_deadline_ns
        self._run_due = run_due
        self._asked_ns: int | None = None
        """The deadline the node asked for, by its clock."""

    def on_timer(self, now_ns: int) -> None:
        self._on_timer(self._local_now_ns(now_ns))

    def next_deadline_ns(self) -> int | None:
        return self._true_ns(self._next_deadline_ns())

    def run_due(self, now_ns: int) -> int | None:
        assert self._run_due is not None
        local_ns = self._local_now_ns(now_ns)
        deadline_ns = self._run_due(local_ns)
        true_ns = self._true_ns(deadline_ns)
        if deadline_ns is not None and true_ns is not None and deadline_ns > local_ns:
            return max(true_ns, now_ns + 1)
        return true_ns

    def _local_now_ns(self, now_ns: int) -> int:
        """At its deadline the node sees just that time, even where its clock skips it."""
        asked_ns = self._asked_ns
        if asked_ns is not None and self._clock.true_ns(asked_ns) == now_ns:
            return asked_ns
        return self._clock.local_ns(now_ns)

    def _true_ns(self, deadline_ns: int | None) -> int | None:
        if deadline_ns is None:
            self._asked_ns = None
            return None
        require_whole(deadline_ns)
        self._asked_ns = deadline_ns
        return self._clock.true_ns(deadline_ns)


class HeardTimer:
    """The timer calls of a node, with listeners that are told after each."""

    __slots__ = ("_listeners", "_on_timer", "_run_due")

    def __init__(
        self,
        on_timer: Callable[[int], object],
        run_due: RunDue | None,
        listeners: list[Callable[[], object]],
    ) -> None:
        self._on_timer = on_timer
        self._run_due = run_due
        self._listeners = listeners

    def on_timer(self, now_ns: int) -> None:
        self._on_timer(now_ns)
        self._tell()

    def run_due(self, now_ns: int) -> int | None:
        assert self._run_due is not None
        deadline_ns = self._run_due(now_ns)
        self._tell()
        return deadline_ns

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


def require_whole(deadline_ns: object) -> None:
    """Refuse a float: it would become the time of the simulation."""
    if type(deadline_ns) is not int:
        raise UsageError(
            "next_deadline_ns", expected="whole ns as an int, or None", got=repr(deadline_ns)
        )


def require_ratio(where: str, ratio: object) -> float:
    """A clock's speed: a finite number above 0."""
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not isfinite(ratio):
        raise UsageError(where, expected="a finite number > 0", got=repr(ratio))
    if ratio <= 0:
        raise UsageError(where, expected="a finite number > 0", got=repr(ratio))
    return float(ratio)
