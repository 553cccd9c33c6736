"""A schedule table whose tasks hang, are slow, are left out, run twice or change places.

It takes the place of an ECU's `ScheduleTable` while a fault lasts, so that the healthy one stays as
fast as it is. Without a fault a task takes no time; what a fault makes it take is time of the one
core, under fixed priorities, rate monotonic: a shorter period is a higher priority, of equal
periods the task declared first (Liu and Layland 1973; AUTOSAR OS: a basic task that is still
running is not activated again). While a task hangs or lasts longer, those of lower priority wait;
those of higher priority do not notice.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from enum import IntEnum, unique
from typing import TypeVar

from simcore.ecu.runtime.ecu import Ecu
from simcore.ecu.runtime.schedule import ScheduleTable, Task
from simcore.ecu.runtime.supervision import SupervisedTask
from simcore.errors import UsageError

_NEVER_NS = 1 << 62


@unique
class _Part(IntEnum):
    """What of an activation is still to be done."""

    WHOLE = 0
    REST = 1
    """Body and end of a task that has started."""


class TaskDisturbance:
    """What is wrong with one task of a running schedule."""

    __slots__ = ("count", "task")

    verb = ""

    def __init__(self, task: int) -> None:
        self.task = task
        """By its place in the order declared."""
        self.count = 0
        """Activations concerned."""


class Hang(TaskDisturbance):
    """From its next activation on the task does not return. Counts what it and others lose."""

    __slots__ = ()

    verb = "lost"


class Slowdown(TaskDisturbance):
    """Body and end come later by `extra_ns`."""

    __slots__ = ("extra_ns",)

    verb = "late"

    def __init__(self, task: int, extra_ns: int) -> None:
        super().__init__(task)
        self.extra_ns = extra_ns


class Skip(TaskDisturbance):
    """Every `every`-th activation is left out, the next one first."""

    __slots__ = ("_seen", "every")

    verb = "left out"

    def __init__(self, task: int, every: int) -> None:
        super().__init__(task)
        self.every = every
        self._seen = 0

    def hits(self) -> bool:
        hit = self._seen % self.every == 0
        self._seen += 1
        self.count += hit
        return hit


class Double(TaskDisturbance):
    """The task runs once more in each activation."""

    __slots__ = ()

    verb = "run twice"


class Swap(TaskDisturbance):
    """Where both are due, the task and `other` change places."""

    __slots__ = ("other",)

    verb = "in the wrong order"

    def __init__(self, task: int, other: int) -> None:
        super().__init__(task)
        self.other = other


_D = TypeVar("_D", bound=TaskDisturbance)


class DisturbedSchedule:
    """Does what the `ScheduleTable` it is made of would do, but for its disturbances."""

    __slots__ = ("_busy_ns", "_disturbances", "_late", "_ranks", "_sequence", "_table", "tasks")

    def __init__(self, table: ScheduleTable, tasks: Sequence[Task]) -> None:
        self._table = table
        self.tasks = tuple(tasks)
        self._ranks = tuple((task.period_ns, index) for index, task in enumerate(tasks))
        """The lower, the higher the priority."""
        self._disturbances: tuple[TaskDisturbance, ...] = ()
        self._busy_ns: dict[int, int] = {}
        """Tasks that have started and not ended, and until when they take the core."""
        self._late: list[tuple[int, int, int, _Part]] = []
        """Time, sequence, task, part: what is to be done outside the table, in order."""
        self._sequence = 0

    # -- disturbances ---------------------------------------------------------------------------

    def task_named(self, name: str, where: str) -> int:
        """Place of a task. Raises `UsageError` for an unknown name."""
        for index, task in enumerate(self.tasks):
            if task.name == name:
                return index
        names = ", ".join(task.name for task in self.tasks)
        raise UsageError(where, expected=f"a task of {names}", got=repr(name))

    def add(self, disturbance: TaskDisturbance) -> None:
        """From now on; several act together."""
        self._disturbances = (*self._disturbances, disturbance)

    def remove(self, disturbance: TaskDisturbance) -> None:
        """No longer. A task that hung is ready for its next activation, and so are the others."""
        self._disturbances = tuple(d for d in self._disturbances if d is not disturbance)
        hung = {d.task for d in self._of(Hang)}
        going_on = hung | {task for _, _, task, part in self._late if part is _Part.REST}
        self._busy_ns = {t: until for t, until in self._busy_ns.items() if t in going_on}

    @property
    def healthy_table(self) -> ScheduleTable | None:
        """The table that can take its place again; `None` while there is anything to do here."""
        return None if self._disturbances or self._late else self._table

    def _of(self, kind: type[_D], task: int | None = None) -> list[_D]:
        every = [each for each in self._disturbances if isinstance(each, kind)]
        return every if task is None else [each for each in every if each.task == task]

    # -- as ScheduleTable -----------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int | None:
        """When anything is due next."""
        table_ns = self._table.deadline_ns
        if not self._late:
            return table_ns
        late_ns = self._late[0][0]
        return late_ns if table_ns is None or late_ns < table_ns else table_ns

    def run_due(self, now_ns: int) -> int | None:
        """Run everything due up to `now_ns`, in order; returns when the next task is due."""
        while (deadline_ns := self.deadline_ns) is not None and deadline_ns <= now_ns:
            jobs: list[tuple[int, _Part]] = []
            if self._table.deadline_ns == deadline_ns:
                jobs = self._jobs(self._swapped(self._table.take_due(now_ns)))
            while self._late and self._late[0][0] == deadline_ns:
                _, _, task, part = self._late.pop(0)
                jobs.insert(self._place(task, jobs), (task, part))
            for task, part in jobs:
                if part is _Part.WHOLE:
                    self._activate(task, now_ns)
                else:
                    self._go_on(task, now_ns)
        return deadline_ns

    def _jobs(self, due: tuple[int, ...]) -> list[tuple[int, _Part]]:
        """What is due, in order; what is going to take time comes before all that wait for it."""
        takes_time = {each.task for each in self._disturbances if isinstance(each, Hang | Slowdown)}
        jobs = [(task, _Part.WHOLE) for task in due if task not in takes_time]
        for task in due:
            if task in takes_time:
                jobs.insert(self._place(task, jobs), (task, _Part.WHOLE))
        return jobs

    def _swapped(self, due: tuple[int, ...]) -> tuple[int, ...]:
        done: set[tuple[int, int]] = set()  # twice swapped is in order again
        for swap in self._of(Swap):
            if swap.task in due and swap.other in due:
                swap.count += 1
                if (swap.task, swap.other) in done:
                    continue
                done.add((swap.task, swap.other))
                exchange = {swap.task: swap.other, swap.other: swap.task}
                due = tuple(exchange.get(task, task) for task in due)
        return due

    def _place(self, task: int, jobs: list[tuple[int, _Part]]) -> int:
        """Before the first job of lower priority."""
        for place, (other, _) in enumerate(jobs):
            if self._ranks[other] > self._ranks[task]:
                return place
        return len(jobs)

    # -- one activation -------------------------------------------------------------------------

    def _activate(self, task: int, now_ns: int) -> None:
        if task in self._busy_ns or self._is_waiting(task):
            self._lose()
            return
        hits = 0
        for skip in self._of(Skip, task):
            hits += skip.hits()
        if hits:
            return
        blocked_ns = self._blocked_until_ns(task)
        if blocked_ns >= _NEVER_NS:
            self._lose()
        elif blocked_ns > now_ns:
            self._do_at(blocked_ns, task, _Part.WHOLE)
        else:
            self._begin(task, now_ns)

    def _begin(self, task: int, now_ns: int) -> None:
        hangs, slows = self._of(Hang, task), self._of(Slowdown, task)
        if not hangs and not slows:
            self._run(task, now_ns)
            return
        action = self.tasks[task].action
        if isinstance(action, SupervisedTask):
            action.start(now_ns)
        if hangs:
            hangs[0].count += 1
            self._busy_ns[task] = _NEVER_NS
            return
        until_ns = now_ns
        for slow in slows:
            slow.count += 1
            until_ns += slow.extra_ns
        self._busy_ns[task] = until_ns
        self._do_at(until_ns, task, _Part.REST)

    def _go_on(self, task: int, now_ns: int) -> None:
        """The rest of a task that has started, unless a higher one has the core."""
        blocked_ns = self._blocked_until_ns(task)
        if blocked_ns >= _NEVER_NS:
            self._busy_ns[task] = _NEVER_NS  # starved in the middle
            return
        if blocked_ns > now_ns:
            self._busy_ns[task] = blocked_ns
            self._do_at(blocked_ns, task, _Part.REST)
            return
        del self._busy_ns[task]
        action = self.tasks[task].action
        if isinstance(action, SupervisedTask):
            action.action(now_ns)
            action.end(now_ns + action.execution_ns)
        else:
            action(now_ns)
        self._repeat(task, now_ns)

    def _run(self, task: int, now_ns: int) -> None:
        self.tasks[task].action(now_ns)
        self._repeat(task, now_ns)

    def _repeat(self, task: int, now_ns: int) -> None:
        for double in self._of(Double, task):
            double.count += 1
            self.tasks[task].action(now_ns)

    def _blocked_until_ns(self, task: int) -> int:
        """Until when tasks of higher priority take the core; 0 if they do not."""
        rank = self._ranks[task]
        return max(
            (ns for other, ns in self._busy_ns.items() if self._ranks[other] < rank), default=0
        )

    def _is_waiting(self, task: int) -> bool:
        return any(waiting == task for _, _, waiting, _ in self._late)

    def _lose(self) -> None:
        for hang in self._of(Hang)[:1]:
            hang.count += 1

    def _do_at(self, time_ns: int, task: int, part: _Part) -> None:
        self._sequence += 1
        insort(self._late, (time_ns, self._sequence, task, part))


def disturbed_schedule(ecu: Ecu) -> DisturbedSchedule:
    """The ECU's schedule as one that can be disturbed, in place; its host must ask anew."""
    schedule = ecu._schedule
    if isinstance(schedule, DisturbedSchedule):
        return schedule
    assert isinstance(schedule, ScheduleTable)
    ecu._schedule = disturbed = DisturbedSchedule(schedule, ecu._tasks)
    return disturbed


def restored_schedule(ecu: Ecu) -> None:
    """Put the healthy schedule back, if nothing disturbs it any more."""
    schedule = ecu._schedule
    if isinstance(schedule, DisturbedSchedule):
        ecu._schedule = schedule.healthy_table or schedule
