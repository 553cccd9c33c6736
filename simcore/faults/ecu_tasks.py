"""Faults of one task of an ECU: hung, slow, left out, run twice, in the wrong order.

They act on the tasks of a simulated ECU by the names it gave them (`control`, `send CDC_EmbCmd`);
how the others suffer is in `ecu/runtime/schedule_disturbed`. A reset of the ECU ends such a fault,
unless it is `permanent`: then it is there again after each start.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

from simcore.ecu.runtime import Ecu
from simcore.ecu.runtime.schedule import ScheduleTable
from simcore.ecu.runtime.schedule_disturbed import (
    DisturbedSchedule,
    Double,
    Hang,
    Skip,
    Slowdown,
    Swap,
    TaskDisturbance,
    disturbed_schedule,
    restored_schedule,
)
from simcore.errors import UsageError
from simcore.faults.ecu import EcuFault, running_node, simulated_ecu
from simcore.faults.installed import Installed, require_count
from simcore.faults.site import NodeControl, Site

PureNumber: TypeAlias = float
FACTOR_LIMIT_RATIO = 1e6
SHARE_OF_PERIOD = 10
"""A task whose execution time is not modelled counts as taking this part of its period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFault(EcuFault):
    """Base of all: what a reset makes of it."""

    permanent: bool = False
    """Whether it is there again after a reset of the ECU."""

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: {self._what}{', also after a reset' if self.permanent else ''}"

    @property
    def _what(self) -> str:
        raise NotImplementedError

    def check(self, site: Site) -> None:
        """Refuse a module without named tasks, and a task that it has not."""
        ecu = simulated_ecu(self, site.node(self.node))
        self.disturbance(DisturbedSchedule(ScheduleTable((), 0), ecu._tasks))

    def begin(self, site: Site) -> Installed:
        """From the next activation of the task on."""
        control = site.node(self.node)
        simulated_ecu(self, control)
        running_node(self, site)
        in_place = _InPlace(self, control)
        in_place.apply()
        return in_place.installed

    def disturbance(self, schedule: DisturbedSchedule) -> TaskDisturbance:
        """What it does to a schedule. Raises `UsageError` for a task that is not there."""
        raise NotImplementedError

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks it concerns."""
        raise NotImplementedError

    def _find(self, schedule: DisturbedSchedule, name: str) -> int:
        return schedule.task_named(name, f"{type(self).__name__}, node {self.node}: task")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFault(ScheduleFault):
    """Base of those that concern one task."""

    task: str
    """Name of the task: `control`, `force loop`, `send CDC_EmbCmd`."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks it concerns."""
        return (self.task,)


class _InPlace:
    """A disturbance of a schedule, put there again after each start if it is permanent."""

    __slots__ = ("_control", "_count", "_disturbance", "_fault", "installed")

    def __init__(self, fault: ScheduleFault, control: NodeControl) -> None:
        self._fault = fault
        self._control = control
        self._disturbance: TaskDisturbance | None = None
        self._count = 0
        """Of the disturbances before the last reset."""
        self.installed = Installed(self._end, self)

    @property
    def count(self) -> int:
        return self._count + (0 if self._disturbance is None else self._disturbance.count)

    @property
    def effect(self) -> str:
        disturbance, count = self._disturbance, self.count
        if disturbance is None:
            return ""
        return f"{count} activation{'' if count == 1 else 's'} {disturbance.verb}"

    def apply(self) -> None:
        ecu = self._control.node
        assert isinstance(ecu, Ecu)
        schedule = disturbed_schedule(ecu)
        try:
            disturbance = self._fault.disturbance(schedule)
        except UsageError:
            restored_schedule(ecu)
            raise
        if self._disturbance is None:
            self._control.listen_starts(self._started)
        else:
            self._count += self._disturbance.count
        schedule.add(disturbance)
        self._disturbance = disturbance
        self._control.refresh_timer()

    def _started(self) -> None:
        node = self._control.node
        names = [task.name for task in node._tasks] if isinstance(node, Ecu) else []
        if self._fault.permanent and all(task in names for task in self._fault.tasks):
            self.apply()
        else:
            self._control.forget_starts(self._started)
            self.installed.over()

    def _end(self) -> None:
        self._control.forget_starts(self._started)
        node = self._control.node
        if isinstance(node, Ecu) and self._disturbance is not None and self._control.running:
            disturbed_schedule(node).remove(self._disturbance)
            restored_schedule(node)
            self._control.refresh_timer()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHung(TaskFault):
    """A task does not return: tasks of lower priority starve with it, until the ECU is reset.

    Fixed priorities on one core, rate monotonic: tasks of a shorter period go on.
    """

    @property
    def _what(self) -> str:
        return f"task {self.task} hangs, and what has a lower priority starves"

    def disturbance(self, schedule: DisturbedSchedule) -> TaskDisturbance:
        """What it does to a schedule. Raises `UsageError` for a task that is not there."""
        return Hang(self._find(schedule, self.task))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSlow(TaskFault):
    """A task takes longer by a factor: what it does comes that much later.

    Tasks of lower priority wait for it; an activation while it still runs is lost.
    """

    factor: PureNumber
    """Times its modelled execution time; a tenth of its period where it has none."""

    def __post_init__(self) -> None:
        if not 1.0 < self.factor <= FACTOR_LIMIT_RATIO:
            raise UsageError(
                "TaskSlow.factor",
                expected=f"more than 1, at most {FACTOR_LIMIT_RATIO:.0f}",
                got=repr(self.factor),
            )

    @property
    def _what(self) -> str:
        return f"task {self.task} takes {self.factor:g} times as long"

    def disturbance(self, schedule: DisturbedSchedule) -> TaskDisturbance:
        """What it does to a schedule. Raises `UsageError` for a task that is not there."""
        index = self._find(schedule, self.task)
        task = schedule.tasks[index]
        execution_ns = task.execution_ns or task.period_ns // SHARE_OF_PERIOD
        return Slowdown(index, round((self.factor - 1.0) * execution_ns))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSkipped(TaskFault):
    """Activations of a task are left out."""

    every: int = 1
    """Every how many activations one is missing, beginning with the next: 1 for all."""

    def __post_init__(self) -> None:
        require_count("TaskSkipped.every", self.every)

    @property
    def _what(self) -> str:
        which = "is left out" if self.every == 1 else f"is left out one time in {self.every}"
        return f"task {self.task} {which}"

    def disturbance(self, schedule: DisturbedSchedule) -> TaskDisturbance:
        """What it does to a schedule. Raises `UsageError` for a task that is not there."""
        return Skip(self._find(schedule, self.task), self.every)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDoubled(TaskFault):
    """A task runs twice in each activation."""

    @property
    def _what(self) -> str:
        return f"task {self.task} runs twice each time"

    def disturbance(self, schedule: DisturbedSchedule) -> TaskDisturbance:
        """What it does to a schedule. Raises `UsageError` for a task that is not there."""
        return Double(self._find(schedule, self.task))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOrderSwapped(ScheduleFault):
    """Two tasks change places where both are due at the same instant."""

    first: str
    """Name of the one that runs first when all is well."""
    second: str
    """Name of the other one."""

    @property
    def _what(self) -> str:
        return f"task {self.second} runs before {self.first}"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks it concerns."""
        return (self.first, self.second)

    def disturbance(self, schedule: DisturbedSchedule) -> TaskDisturbance:
        """What it does to a schedule. Raises `UsageError` for tasks that are never due together."""
        first, second = (self._find(schedule, name) for name in self.tasks)
        one, other = schedule.tasks[first], schedule.tasks[second]
        apart_ns = one.offset_ns - other.offset_ns
        if first >= second or apart_ns % gcd(one.period_ns, other.period_ns):
            raise UsageError(
                f"TaskOrderSwapped, node {self.node}",
                expected="two tasks that are due at the same instant, in the order they run",
                got=f"{self.first!r} and {self.second!r}",
            )
        return Swap(first, second)
