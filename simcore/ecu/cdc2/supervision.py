"""What the Watchdog Manager of the secondary controller supervises: settings as data (WDG-001).

Two modes. Its task, the sending of its command and the monitor, which has nothing to do in standby
but must be known to run when it has; while it commands the body of the control task as well, which
is another entity. Times and tolerances are
those of the primary, see `ecu/cdc/supervision.py`; the command goes out every 10 ms only, so that a
fault of the sending is found within 2 x 10 ms + 10 ms + 50 ms = 80 ms. Every second run of the task
says that a command is due, and the command may come after that only. Device and enable line are not
here.

Source: AUTOSAR SWS Watchdog Manager; execution times are assumptions.
"""

from __future__ import annotations

from simcore.ecu.cdc.supervision import (
    CONTROL_BODY,
    CYCLE_NS,
    EXPIRED_TOLERANCE,
    FAILED_ALIVE_TOLERANCE,
    chain,
    task_entity,
    task_mode,
)
from simcore.ecu.cdc2.parameters import Cdc2Parameters
from simcore.watchdog import (
    AliveSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)

STANDBY, COMMANDING = "standby", "commanding"
"""Supervision modes."""


ENTITIES = (
    SupervisedEntity(
        "control",
        ("start", "due", "end"),
        LogicalSupervision(("start",), ("end",), (*chain("start", "due", "end"), ("start", "end"))),
    ),
    task_entity("command"),
    task_entity("monitor"),
    SupervisedEntity(
        "braking",
        CONTROL_BODY,
        LogicalSupervision(CONTROL_BODY[:1], CONTROL_BODY[-1:], chain(*CONTROL_BODY)),
    ),
)
ORDER = ExternalGraph(
    ("control.start",),
    (),
    (
        ("control.start", "control.start"),
        *chain("control.start", "control.due", "command.start", "command.end", "control.start"),
    ),
)


def supervision_settings(parameters: Cdc2Parameters) -> SupervisionSettings:
    """Entities, graphs, modes and tolerances of the secondary controller."""
    p = parameters.control

    def task(
        name: str, execution_ns: int, expected_count: int, tolerance: int = FAILED_ALIVE_TOLERANCE
    ) -> EntityMode:
        return task_mode(
            name,
            execution_ns=execution_ns,
            expected_count=expected_count,
            reference_cycles=2,
            tolerance=tolerance,
        )

    always = (
        task("control", p.control_execution_ns, 2),
        task("command", p.command_execution_ns, 1),
        task("monitor", p.monitor_execution_ns, 1, 0),
    )
    braking = EntityMode(
        "braking",
        alive=(AliveSupervision(CONTROL_BODY[-1], 2, 2),),
        failed_alive_tolerance=FAILED_ALIVE_TOLERANCE,
    )
    modes = {STANDBY: always, COMMANDING: (*always, braking)}
    return SupervisionSettings(
        CYCLE_NS,
        ENTITIES,
        tuple(
            SupervisionMode(name, entities, external=(ORDER,), expired_tolerance=EXPIRED_TOLERANCE)
            for name, entities in modes.items()
        ),
    )
