"""How the tasks of an actuator are supervised: the Watchdog Manager's settings, as data (WDG-001).

Modelled execution times and deadlines (a task that takes three times as long is too slow):

| entity        | period | execution | deadline | alive, per reference cycle | tolerated |
|---------------|--------|-----------|----------|----------------------------|-----------|
| force_loop    |   1 ms |    0.2 ms |   0.5 ms | 5 in 5 ms, as one count    | 1 cycle   |
| communication |   5 ms |    0.3 ms |   0.7 ms | 1 in 5 ms                  | 1 cycle   |
| monitor       |   5 ms |    0.3 ms |   0.7 ms | 1 in 5 ms                  | 1 cycle   |
| status_1      |   5 ms |    0.1 ms |   0.25 ms| 1 in 5 ms                  | 1 cycle   |
| status_2      |  50 ms |    0.1 ms |   0.25 ms| 1 in 50 ms                 | 0 cycles  |

The supervision cycle is 5 ms. Deadline, order and external order: EXPIRED at once, STOPPED in the
same cycle. Alive: two wrong reference cycles in a row. So the service of the external watchdog ends

- slow, out of order, twice in one graph: at most 5 ms after the fault;
- force loop, communication, monitor, status 1 hung, skipped or doubled: 5 ms for the cycle that is
  cut by the fault, 5 ms for each of two wrong ones, 15 ms at most;
- status 2: at most one reference cycle and a rest, 100 ms: it carries nothing that brakes;
- supervision itself, or a task that keeps the core for itself: at once, nobody serves.

The enable line drops at most 50 ms after the last service, and that came at most 5 ms before the
fault was found: 15 + 50 = 65 ms for everything that brakes, of the 100 ms of WDG-002.

The force loop runs 4 x 1000 times a second, so it counts its activations itself. `counted` is the
checkpoint that it has run five times since the communication task was here last, and at this very
instant: a loop skipped, doubled, or overtaken by that task does not reach it. Once in 20
ms the loop reports every checkpoint on its way. Start and end of an activation are reported where
there is something to measure, while the schedule is disturbed: undisturbed, it takes no time.
"""

from __future__ import annotations

from itertools import pairwise

from simcore.ecu.runtime.schedule import Action
from simcore.ecu.runtime.supervision import END, START, SupervisedTask
from simcore.units import NS_PER_MS, NS_PER_US
from simcore.watchdog.manager import WatchdogManager
from simcore.watchdog.settings import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)

FORCE_LOOP, COMMUNICATION, MONITOR = "force_loop", "communication", "monitor"
STATUS_1, STATUS_2 = "status_1", "status_2"
COUNTED = "counted"
ACTIVATIONS = 5
"""Of the force loop, in a supervision cycle."""
LOOP_MARKS = ("entered", "sensors_judged", "command_taken")
"""On the way through the force loop."""
TRACED_CYCLES = 4
"""The way through the force loop is reported in one activation of so many supervision cycles."""
CYCLE_NS = 5 * NS_PER_MS
EXECUTION_NS = {
    FORCE_LOOP: 200 * NS_PER_US,
    COMMUNICATION: 300 * NS_PER_US,
    MONITOR: 300 * NS_PER_US,
    STATUS_1: 100 * NS_PER_US,
    STATUS_2: 100 * NS_PER_US,
}
_DEADLINE_NS = {
    FORCE_LOOP: 500 * NS_PER_US,
    COMMUNICATION: 700 * NS_PER_US,
    MONITOR: 700 * NS_PER_US,
    STATUS_1: 250 * NS_PER_US,
    STATUS_2: 250 * NS_PER_US,
}


def _chain(*points: str) -> LogicalSupervision:
    return LogicalSupervision(
        initial=points[:1],
        final=points[-1:],
        transitions=tuple(pairwise(points)),
    )


def _deadline(entity: str) -> tuple[DeadlineSupervision, ...]:
    return (DeadlineSupervision(START, END, 0, _DEADLINE_NS[entity]),)


def _mode(entity: str, *, reference_cycles: int = 1, tolerance: int = 1) -> EntityMode:
    return EntityMode(
        entity,
        alive=(AliveSupervision(END, 1, reference_cycles),),
        deadline=_deadline(entity),
        failed_alive_tolerance=tolerance,
    )


SETTINGS = SupervisionSettings(
    cycle_ns=CYCLE_NS,
    entities=(
        SupervisedEntity(FORCE_LOOP, (COUNTED, START, END, *LOOP_MARKS), _chain(*LOOP_MARKS)),
        SupervisedEntity(COMMUNICATION, (START, END), _chain(START, END)),
        SupervisedEntity(MONITOR, (START, END), _chain(START, END)),
        SupervisedEntity(STATUS_1, (START, END), _chain(START, END)),
        SupervisedEntity(STATUS_2, (START, END), _chain(START, END)),
    ),
    modes=(
        SupervisionMode(
            "operation",
            (
                EntityMode(
                    FORCE_LOOP,
                    alive=(
                        AliveSupervision(COUNTED, 1),
                        AliveSupervision(LOOP_MARKS[-1], 1, TRACED_CYCLES),
                    ),
                    deadline=_deadline(FORCE_LOOP),
                    failed_alive_tolerance=1,
                ),
                _mode(COMMUNICATION),
                _mode(MONITOR),
                _mode(STATUS_1),
                _mode(STATUS_2, reference_cycles=10, tolerance=0),
            ),
            external=(
                # What is received, then judged, then told: once each, in this order.
                ExternalGraph(
                    initial=(f"{COMMUNICATION}.{END}",),
                    final=(f"{STATUS_1}.{START}",),
                    transitions=(
                        (f"{COMMUNICATION}.{END}", f"{MONITOR}.{START}"),
                        (f"{MONITOR}.{START}", f"{STATUS_1}.{START}"),
                    ),
                ),
            ),
        ),
    ),
)
"""Of one actuator; `EMB_xx_WdgFirstExp` counts the entities in this order."""


class ForceLoopTask(SupervisedTask):
    """The force loop in the schedule: `start` and `end` are for whoever disturbs it.

    Undisturbed the two coincide, and what the loop counts itself is enough.
    """

    __slots__ = ()

    def __init__(self, manager: WatchdogManager, step: Action) -> None:
        super().__init__(manager, FORCE_LOOP, step, EXECUTION_NS[FORCE_LOOP])

    def __call__(self, now_ns: int) -> None:
        """One activation."""
        self.action(now_ns)

    @property
    def undisturbed(self) -> Action:
        """The force loop itself."""
        return self.action
