"""What every simulated ECU runs on: periodic tasks, communication, supervision, and their node.

Operating system and communication follow AUTOSAR Classic in behaviour (schedule tables, last-is-
best reception with E2E check and deadline monitoring, cyclic transmission), not in interface.
"""

from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.ecu import Ecu
from simcore.ecu.runtime.freshness_source import (
    FreshnessSource,
    SyncReception,
    SyncTransmission,
    sync_message_of,
)
from simcore.ecu.runtime.redundancy import NO_LANE, LaneWatch, RedundantReception
from simcore.ecu.runtime.schedule import SchedulePlan, ScheduleTable, Task
from simcore.ecu.runtime.secured import (
    FrameGuard,
    SecuredReception,
    SecuredRedundantReception,
    SecuredTransmission,
    reception_of,
    transmission_of,
)
from simcore.ecu.runtime.status_log import SeenStatus, log_change, read_change
from simcore.ecu.runtime.supervision import (
    NO_SUPERVISION,
    SupervisedTask,
    Supervision,
    WatchdogSupervision,
    no_checkpoint,
)

__all__ = [
    "NO_LANE",
    "NO_SUPERVISION",
    "ArrivalMonitor",
    "Ecu",
    "FrameGuard",
    "FreshnessSource",
    "LaneWatch",
    "Reception",
    "RedundantReception",
    "SchedulePlan",
    "ScheduleTable",
    "SecuredReception",
    "SecuredRedundantReception",
    "SecuredTransmission",
    "SeenStatus",
    "SupervisedTask",
    "Supervision",
    "SyncReception",
    "SyncTransmission",
    "Task",
    "Transmission",
    "WatchdogSupervision",
    "log_change",
    "no_checkpoint",
    "read_change",
    "reception_of",
    "sync_message_of",
    "transmission_of",
]
