"""Watchdogs: supervision of software (AUTOSAR Watchdog Manager) and external safety watchdogs.

A library of its own, without I/O: time comes with every call; no ECU, no rig is known here. The
parts of the machines (windows, dialogues, counters) are in the modules of their names.
"""

from simcore.watchdog.device import (
    DeviceEvent,
    DeviceSettings,
    SafetyDevice,
    WatchdogLine,
    WatchdogService,
)
from simcore.watchdog.manager import WatchdogManager
from simcore.watchdog.presets import fs65, tlf35584, tps65381
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
from simcore.watchdog.statuses import GlobalStatus, LocalStatus, StatusChange

__all__ = [
    "WatchdogManager",
    "SupervisionSettings",
    "SupervisedEntity",
    "LogicalSupervision",
    "SupervisionMode",
    "EntityMode",
    "AliveSupervision",
    "DeadlineSupervision",
    "ExternalGraph",
    "LocalStatus",
    "GlobalStatus",
    "StatusChange",
    "DeviceSettings",
    "SafetyDevice",
    "DeviceEvent",
    "WatchdogLine",
    "WatchdogService",
    "tlf35584",
    "tps65381",
    "fs65",
]
