"""Periodic tasks as a schedule table (AUTOSAR OS, 7.9): offsets within a hyperperiod, in order.

The plan is worked out once and shared by copies; at run time a step is one look-up. Tasks that are
due at the same instant run in the order they were declared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from math import lcm
from typing import Protocol

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
    execution_ns: int = 0
    """Modelled; only deadline supervision and faults know of it."""

    def __deepcopy__(self, memo: dict[int, object]) -> Task:
        return Task(
            name=self.name,
            period_ns=self.period_ns,
            offset_ns=self.offset_ns,
            action=deepcopy(self.action, memo),
            execution_ns=self.execution_ns,
        )

    def __post_init__(self) -> None:
        if self.period_ns <= 0:
            raise UsageError(f"task {self.name}: period", expected="> 0 ns", got=self.period_ns)
        if self.offset_ns < 0:
            raise UsageError(f"task {self.name}: offset", expected=">= 0 ns", got=self.offset_ns)


class Schedule(Protocol):
    """What an ECU needs of its schedule: a `ScheduleTable`, or a disturbed one."""

    @property
    def deadline_ns(self) -> int | None:
        """When the next task is due."""

    def run_due(self, now_ns: int) -> int | None:
        """Run everything due up to `now_ns`, in order; returns when the next task is due."""


class Steps(tuple[tuple[tuple[int, ...], int, int], ...]):
    """Indices of the tasks due, ns from there to the next step, its number; shared by copies."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, object]) -> Steps:
        return self


class SchedulePlan:
    """Which tasks run at which offset of the hyperperiod; immutable and shared."""

    __slots__ = ("first_ns", "hyperperiod_ns", "steps")

    def __init__(self, timing: tuple[tuple[int, int], ...]) -> None:
        self.hyperperiod_ns = lcm(*(period_ns for period_ns, _ in timing)) if timing else 0
        steps: dict[int, list[int]] = {}
        for index, (period_ns, offset_ns) in enumerate(timing):
            for time_ns in range(offset_ns % period_ns, self.hyperperiod_ns, period_ns):
                steps.setdefault(time_ns, []).append(index)
        times_ns = sorted(steps)
        self.first_ns = times_ns[0] if times_ns else 0
        """Offset of the first step."""
        following_ns = [*times_ns[1:], self.first_ns + self.hyperperiod_ns]
        self.steps = Steps(
            (tuple(steps[time_ns]), next_ns - time_ns, (number + 1) % len(times_ns))
            for number, (time_ns, next_ns) in enumerate(zip(times_ns, following_ns, strict=False))
        )


@lru_cache(maxsize=256)
def _plan(timing: tuple[tuple[int, int], ...]) -> SchedulePlan:
    return SchedulePlan(timing)


class ScheduleTable:
    """Runs tasks at `start_ns + offset + k * period`."""

    __slots__ = (
        "_actions",
        "_all_started_ns",
        "_first_ns",
        "_next",
        "_steps",
        "deadline_ns",
    )

    def __init__(self, tasks: Sequence[Task], start_ns: int) -> None:
        timing = tuple((task.period_ns, task.offset_ns) for task in tasks)
        # A task with an offset beyond its period starts late once, then keeps its phase.
        self._first_ns = tuple(start_ns + task.offset_ns for task in tasks)
        self._all_started_ns = max(self._first_ns, default=start_ns)
        # A supervised task has a short way through, for a schedule that is as planned.
        self._actions = [getattr(task.action, "undisturbed", task.action) for task in tasks]
        plan = _plan(timing)
        self._steps = plan.steps
        self._next = 0
        """Number of the next step."""
        self.deadline_ns: int | None = start_ns + plan.first_ns if plan.steps else None

    def run_due(self, now_ns: int) -> int | None:
        """Run everything due up to `now_ns`, in order; returns when the next task is due."""
        deadline_ns = self.deadline_ns
        if deadline_ns is None:
            return None
        while deadline_ns <= now_ns:
            # The next deadline stands before the tasks run: one that raises is not run twice.
            due, to_next_ns, self._next = self._steps[self._next]
            self.deadline_ns = deadline_ns = deadline_ns + to_next_ns
            if now_ns < self._all_started_ns:
                due = tuple(task for task in due if now_ns >= self._first_ns[task])
            actions = self._actions
            for task in due:
                actions[task](now_ns)
        return deadline_ns

    def take_due(self, now_ns: int) -> tuple[int, ...]:
        """One step, for whoever runs the tasks himself: who is due, by place in the order declared.

        `run_due` does the same without a call; a change there belongs here too.
        """
        assert self.deadline_ns is not None
        due, to_next_ns, self._next = self._steps[self._next]
        self.deadline_ns += to_next_ns
        if now_ns < self._all_started_ns:
            due = tuple(task for task in due if now_ns >= self._first_ns[task])
        return due
