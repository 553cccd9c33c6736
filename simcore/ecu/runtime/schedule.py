"""Periodic tasks as a schedule table (AUTOSAR OS, 7.9): offsets within a hyperperiod, in order.

The plan is worked out once and shared by copies; at run time a step is one look-up. Tasks that are
due at the same instant run in the order they were declared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import lcm

from simcore.errors import UsageError

Action = Callable[[int], object]
"""Called with `now_ns`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One periodic activity."""

    name: str
    period_ns: int
    offset_ns: int
    action: Action

    def __post_init__(self) -> None:
        if self.period_ns <= 0:
            raise UsageError(f"task {self.name}: period", expected="> 0 ns", got=self.period_ns)
        if self.offset_ns < 0:
            raise UsageError(f"task {self.name}: offset", expected=">= 0 ns", got=self.offset_ns)


class Steps(tuple[tuple[int, tuple[int, ...]], ...]):
    """(offset in the hyperperiod, indices of the tasks due then), ascending; shared by copies."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, object]) -> Steps:
        return self


class SchedulePlan:
    """Which tasks run at which offset of the hyperperiod; immutable and shared."""

    __slots__ = ("hyperperiod_ns", "steps")

    def __init__(self, timing: tuple[tuple[int, int], ...]) -> None:
        self.hyperperiod_ns = lcm(*(period_ns for period_ns, _ in timing)) if timing else 0
        steps: dict[int, list[int]] = {}
        for index, (period_ns, offset_ns) in enumerate(timing):
            for time_ns in range(offset_ns % period_ns, self.hyperperiod_ns, period_ns):
                steps.setdefault(time_ns, []).append(index)
        self.steps = Steps((time_ns, tuple(steps[time_ns])) for time_ns in sorted(steps))


@lru_cache(maxsize=256)
def _plan(timing: tuple[tuple[int, int], ...]) -> SchedulePlan:
    return SchedulePlan(timing)


class ScheduleTable:
    """Runs tasks at `start_ns + offset + k * period`."""

    __slots__ = (
        "_actions",
        "_all_started_ns",
        "_count",
        "_cycle_start_ns",
        "_due",
        "_first_ns",
        "_hyperperiod_ns",
        "_index",
        "_steps",
        "deadline_ns",
    )

    def __init__(self, tasks: Sequence[Task], start_ns: int) -> None:
        timing = tuple((task.period_ns, task.offset_ns) for task in tasks)
        # A task with an offset beyond its period starts late once, then keeps its phase.
        self._first_ns = tuple(start_ns + task.offset_ns for task in tasks)
        self._all_started_ns = max(self._first_ns, default=start_ns)
        self._actions = [task.action for task in tasks]
        plan = _plan(timing)
        self._steps = plan.steps
        self._hyperperiod_ns = plan.hyperperiod_ns
        self._count = len(plan.steps)
        self._index = 0
        self._cycle_start_ns = start_ns
        self._due: tuple[int, ...] = ()
        self.deadline_ns: int | None = None
        if plan.steps:
            offset_ns, self._due = plan.steps[0]
            self.deadline_ns = start_ns + offset_ns

    def run_due(self, now_ns: int) -> int | None:
        """Run everything due up to `now_ns`, in order; returns when the next task is due."""
        while self.deadline_ns is not None and self.deadline_ns <= now_ns:
            due = self._due
            # The next deadline stands before the tasks run: one that raises is not run twice.
            index = self._index + 1
            if index == self._count:
                index = 0
                self._cycle_start_ns += self._hyperperiod_ns
            self._index = index
            offset_ns, self._due = self._steps[index]
            self.deadline_ns = self._cycle_start_ns + offset_ns
            if now_ns < self._all_started_ns:
                due = tuple(task for task in due if now_ns >= self._first_ns[task])
            actions = self._actions
            for task in due:
                actions[task](now_ns)
        return self.deadline_ns
