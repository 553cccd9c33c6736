"""Serves a device with a window and a functional watchdog, as presets_tlf35584.py describes."""

from __future__ import annotations

from simcore.watchdog.device import WatchdogLine
from simcore.watchdog.service_dialogue import give


class TriggeredService:
    """Triggers early in the open window; answers twice per heartbeat."""

    __slots__ = (
        "_answer_due_ns",
        "_answer_pause_ns",
        "_trigger_due_ns",
        "_trigger_pause_ns",
        "period_ns",
    )

    def __init__(self, *, closed_ns: int, open_ns: int, heartbeat_ns: int) -> None:
        self._trigger_pause_ns = closed_ns + open_ns // 32  # some way from the border
        self._answer_pause_ns = heartbeat_ns // 2
        self.period_ns = min(closed_ns + 3 * open_ns // 4, heartbeat_ns // 2)
        """`step` is to be called at least this often; more often does no harm."""
        self._trigger_due_ns = self._answer_due_ns = -1

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        """Serve the device if it is time to; while not `allowed`, leave it alone."""
        if not allowed:
            return
        if now_ns >= self._trigger_due_ns:
            self._trigger_due_ns = now_ns + self._trigger_pause_ns
            line.trigger(now_ns)
        if now_ns >= self._answer_due_ns:
            self._answer_due_ns = now_ns + self._answer_pause_ns
            give(line, line.question(now_ns), now_ns)
