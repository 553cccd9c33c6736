"""What every simulated ECU runs on: periodic tasks, a communication stack, and the node around it.

Operating system and communication follow AUTOSAR Classic in behaviour (schedule tables, last-is-
best reception with E2E check and deadline monitoring, cyclic transmission), not in interface.
"""

from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.ecu import Ecu
from simcore.ecu.runtime.redundancy import NO_LANE, LaneWatch, RedundantReception
from simcore.ecu.runtime.schedule import SchedulePlan, ScheduleTable, Task

__all__ = [
    "NO_LANE",
    "Ecu",
    "LaneWatch",
    "Reception",
    "RedundantReception",
    "SchedulePlan",
    "ScheduleTable",
    "Task",
    "Transmission",
]
