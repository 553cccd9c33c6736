"""What the Watchdog Manager of the domain controller supervises: settings as data (WDG-001).

Every task is an entity with alive and deadline supervision; the control task has checkpoints in its
body and a graph over them; across the tasks control comes before the command, and both before the
monitor. How it adds up for a fault of the control task or of the sending (WDG-002), with a
supervision cycle of 5 ms:

    wrong order, doubled, deadline    next supervision cycle            5 ms
    too few or too many               (tolerance 1 + 1) x 2 cycles     20 ms, if it goes on
    EXPIRED to STOPPED                expired tolerance 1, 1 + 1       10 ms
    enable line after the last service                                 50 ms at most
    fault to open safe path           20 + 10 + 50                     80 ms <= 100 ms

Every second activation skipped is one of two indications missing in each reference cycle, and is
found like a hung task; the graph across the tasks finds any one that is left out sooner. That graph
cannot tell that the monitor is, which comes with every second command only; so one of its runs that
is missing is enough, whose reference cycle has no other: 10 ms + 10 ms + 50 ms. Housekeeping, every
100 ms, is no safety task: that it hangs shows after two periods at most. Device and enable line are
not here.

Source: AUTOSAR SWS Watchdog Manager; execution times are assumptions.
"""

from __future__ import annotations

from itertools import pairwise

from simcore.ecu.cdc.parameters import CdcParameters
from simcore.units import NS_PER_MS
from simcore.watchdog import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)

CYCLE_NS = 5 * NS_PER_MS
"""Supervision cycle."""
CONTROL_BODY = ("inputs", "arbitrated", "distributed")
"""Checkpoints in the body of the control task, in their order."""
EXPIRED_TOLERANCE = 1
FAILED_ALIVE_TOLERANCE = 1
DEADLINE_MIN_RATIO = 0.5
DEADLINE_MAX_RATIO = 2.5
"""Of the modelled execution time: a task three times as slow is found."""


def chain(*checkpoints: str) -> tuple[tuple[str, str], ...]:
    """Transitions from each checkpoint to the next."""
    return tuple(pairwise(checkpoints))


def task_entity(name: str, body: tuple[str, ...] = ()) -> SupervisedEntity:
    """A task with its checkpoints, which come in this order and no other."""
    checkpoints = ("start", *body, "end")
    return SupervisedEntity(
        name,
        checkpoints,
        LogicalSupervision(("start",), ("end",), chain(*checkpoints)),
    )


def task_mode(
    name: str, *, execution_ns: int, expected_count: int, reference_cycles: int, tolerance: int = 0
) -> EntityMode:
    """Alive and deadline supervision of a task."""
    shortest_ns = int(execution_ns * DEADLINE_MIN_RATIO)
    longest_ns = int(execution_ns * DEADLINE_MAX_RATIO)
    return EntityMode(
        name,
        alive=(AliveSupervision("start", expected_count, reference_cycles),),
        deadline=(DeadlineSupervision("start", "end", shortest_ns, longest_ns),),
        failed_alive_tolerance=tolerance,
    )


def supervision_settings(parameters: CdcParameters) -> SupervisionSettings:
    """Entities, graphs and tolerances of the domain controller."""
    p = parameters
    order = ExternalGraph(
        ("control.start",),
        (),
        (
            *chain("control.start", "control.end", "command.start", "command.end", "control.start"),
            *chain("command.end", "monitor.start", "monitor.end", "control.start"),
        ),
    )
    normal = SupervisionMode(
        "normal",
        (
            task_mode(
                "control",
                execution_ns=p.control_execution_ns,
                expected_count=2,
                reference_cycles=2,
                tolerance=FAILED_ALIVE_TOLERANCE,
            ),
            task_mode(
                "command",
                execution_ns=p.command_execution_ns,
                expected_count=2,
                reference_cycles=2,
                tolerance=FAILED_ALIVE_TOLERANCE,
            ),
            task_mode(
                "monitor",
                execution_ns=p.monitor_execution_ns,
                expected_count=1,
                reference_cycles=2,
            ),
            task_mode(
                "housekeeping",
                execution_ns=p.housekeeping_execution_ns,
                expected_count=1,
                reference_cycles=20,
            ),
        ),
        external=(order,),
        expired_tolerance=EXPIRED_TOLERANCE,
    )
    return SupervisionSettings(
        CYCLE_NS,
        (
            task_entity("control", CONTROL_BODY),
            task_entity("command"),
            task_entity("monitor"),
            task_entity("housekeeping"),
        ),
        (normal,),
    )
