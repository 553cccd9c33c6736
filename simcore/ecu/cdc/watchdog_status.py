"""Status of the supervision as the domain controllers send it: four signals, in the DBC's order."""

from __future__ import annotations

from simcore.ecu.runtime.supervision import Supervision
from simcore.watchdog import GlobalStatus

_OK = GlobalStatus.OK


class WatchdogStatus:
    """Remembers the entity that expired first: it changes only where something expires."""

    __slots__ = ("_first_expired",)

    def __init__(self) -> None:
        self._first_expired = -1

    def values(self, supervision: Supervision) -> tuple[int, int, bool, int]:
        """Global status, error counter of the external watchdog, enable line, first expired."""
        status = supervision.global_status
        if status is not _OK or self._first_expired < 0:
            self._first_expired = supervision.first_expired_code
        return (status, supervision.error_count, supervision.enabled, self._first_expired)
