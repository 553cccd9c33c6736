"""`Pace`: virtual time held to the clock on the wall, and how well that went.

Virtual time advances in slices on a fixed grid. After each slice the clock is read: how much later
it is than the slice was due is its lateness. Simulated time is never dropped: a machine that cannot
keep up falls behind, and the lateness says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.kernel import Scheduler
from simcore.units import NS_PER_MS, NS_PER_S

DEFAULT_SLICE_NS = NS_PER_MS
DEFAULT_LATE_NS = 20 * NS_PER_MS


@dataclass(slots=True, kw_only=True)
class Lateness:
    """Figures over all slices so far."""

    limit_ns: int
    """A slice that is later than this is late."""
    slice_count: int = 0
    late_count: int = 0
    worst_ns: int = 0
    sum_ns: int = 0

    def add(self, lateness_ns: int) -> None:
        """Count one slice."""
        self.slice_count += 1
        self.sum_ns += lateness_ns
        self.worst_ns = max(self.worst_ns, lateness_ns)
        self.late_count += lateness_ns > self.limit_ns

    @property
    def mean_ns(self) -> float:
        """Mean over all slices, 0 before the first one."""
        return self.sum_ns / self.slice_count if self.slice_count else 0.0


class Pace:
    """Runs a scheduler along the clock; `advance` whenever there is time for it.

    `on_late` is called with the lateness of a late slice, at most once per second.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        speed_ratio: float = 1.0,
        slice_ns: int = DEFAULT_SLICE_NS,
        late_ns: int = DEFAULT_LATE_NS,
        on_late: Callable[[int], object] | None = None,
    ) -> None:
        if not 0.0 < speed_ratio < float("inf"):
            raise UsageError("speed_ratio", expected="more than 0", got=repr(speed_ratio))
        if not slice_ns > 0:
            raise UsageError("slice_ns", expected="more than 0 ns", got=slice_ns)
        self._scheduler = scheduler
        self._speed_ratio = speed_ratio
        self._slice_ns = slice_ns
        self._on_late = on_late
        self._said_ns = 0
        self.lateness = Lateness(limit_ns=late_ns)
        self.epoch_ns = 0
        """What virtual time 0 is on the calendar clock."""
        self.start()

    def start(self) -> None:
        """Virtual time is where it should be now; called again, the time between is no lateness."""
        self._anchor_ns = time.monotonic_ns()
        self._origin_ns = self._scheduler.now_ns
        self.epoch_ns = time.time_ns() - self._origin_ns

    def due_ns(self) -> int:
        """Where virtual time should stand now."""
        return self._origin_ns + int((time.monotonic_ns() - self._anchor_ns) * self._speed_ratio)

    def advance(self) -> None:
        """Run to where virtual time should stand."""
        target_ns = self.due_ns()
        while self._scheduler.now_ns < target_ns:
            self.step(target_ns)

    def step(self, target_ns: int) -> None:
        """Run one slice, at most to `target_ns`."""
        scheduler, slice_ns = self._scheduler, self._slice_ns
        grid_ns = (scheduler.now_ns // slice_ns + 1) * slice_ns
        end_ns = min(grid_ns, target_ns)
        scheduler.run_until_ns(end_ns)
        self._measure(end_ns)

    def wait_s(self) -> float:
        """Real seconds until the next slice is due, 0 where it is already."""
        slice_ns = self._slice_ns
        grid_ns = (self._scheduler.now_ns // slice_ns + 1) * slice_ns
        return max(0, grid_ns - self.due_ns()) / self._speed_ratio / NS_PER_S

    def _measure(self, end_ns: int) -> None:
        clock_ns = time.monotonic_ns()
        due_ns = self._anchor_ns + int((end_ns - self._origin_ns) / self._speed_ratio)
        lateness_ns = max(0, clock_ns - due_ns)
        self.lateness.add(lateness_ns)
        if (
            self._on_late is not None
            and lateness_ns > self.lateness.limit_ns
            and clock_ns - self._said_ns >= NS_PER_S
        ):
            self._said_ns = clock_ns
            self._on_late(lateness_ns)
