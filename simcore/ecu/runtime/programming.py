"""What an ECU does before its application runs: the bootloader's time.

`Booting` takes the place of the schedule until the stage is done; then the application starts in
that very call. What a stage is made of (flash, slots, images) is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simcore.errors import UsageError


class BootStage(Protocol):
    """Work before the application, in bounded steps."""

    def step(self, now_ns: int) -> int | None:
        """Do one piece; how long it takes until the next, in ns > 0. `None`: done, start.

        Whatever it raises because its supply is gone ends the call and the ECU's day.
        """


class Booting:
    """The schedule of an ECU whose application has not started; see `Schedule`."""

    __slots__ = ("_stage", "_start_application", "deadline_ns")

    def __init__(
        self, stage: BootStage, start_application: Callable[[int], object], now_ns: int
    ) -> None:
        self._stage = stage
        self._start_application = start_application
        self.deadline_ns: int | None = now_ns

    def run_due(self, now_ns: int) -> int | None:
        """The next step, if it is due."""
        deadline_ns = self.deadline_ns
        if deadline_ns is None or deadline_ns > now_ns:
            return deadline_ns
        pause_ns = self._stage.step(now_ns)
        if pause_ns is None:
            self.deadline_ns = None
            self._start_application(now_ns)
            return None
        if type(pause_ns) is not int or pause_ns <= 0:
            raise UsageError(
                f"{type(self._stage).__name__}.step", expected="ns > 0, or None", got=repr(pause_ns)
            )
        self.deadline_ns = now_ns + pause_ns
        return self.deadline_ns
