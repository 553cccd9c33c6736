"""Serves a device with a challenge in a half-open window, as presets_fs65.py describes."""

from __future__ import annotations

from simcore.watchdog.challenge import ANSWERS, release_code
from simcore.watchdog.device import WatchdogLine


class ChallengeService:
    """Answers once per window, early in its open part."""

    __slots__ = ("_due_ns", "_pause_ns", "_stopped", "period_ns")

    def __init__(self, *, closed_ns: int, open_ns: int) -> None:
        self._pause_ns = closed_ns + open_ns // 32  # some way from the border of the window
        self.period_ns = closed_ns + 3 * open_ns // 4
        """`step` is to be called at least this often; more often does no harm."""
        self._due_ns = -1

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        """Serve the device if it is time to; while not `allowed`, leave it alone."""
        if allowed and now_ns >= self._due_ns:
            self._due_ns = now_ns + self._pause_ns
            line.answer(ANSWERS[line.question(now_ns)], now_ns)
            if not line.enabled:
                line.release(release_code(line.question(now_ns)), now_ns)
