"""The software side of the devices: what an ECU's supervision task calls to keep them quiet.

`settings.service()` makes the right one. None of them knows a clock but the time it is called with,
so it serves late when it is called late, and not at all when it is not called.
"""

from __future__ import annotations

from simcore.watchdog.service_challenge import ChallengeService
from simcore.watchdog.service_dialogue import DialogueService
from simcore.watchdog.service_triggered import TriggeredService

__all__ = ["ChallengeService", "DialogueService", "TriggeredService"]
