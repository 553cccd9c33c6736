"""Pacing: how virtual time relates to the clock on the wall.

`FreeRunning` does not wait. `RealTime` holds virtual time back to a multiple of real time in small
slices and counts how late it ran; it never drops simulated time. This is the only place below the
command line and the doors to the outside that reads a clock, and nothing it reads reaches the
simulation.
"""

from __future__ import annotations

import time
from typing import Protocol

from simcore.errors import UsageError
from simcore.units import NS_PER_MS


class Pacing(Protocol):
    """Decides how far to run before looking again, and waits."""

    def slice_ns(self) -> int | None:
        """Longest stretch of virtual time to run at once; `None` for no limit."""

    def wait_until(self, now_ns: int) -> None:
        """Return when virtual time `now_ns` is due."""


class FreeRunning:
    """As fast as the machine goes."""

    __slots__ = ()

    def slice_ns(self) -> int | None:
        return None

    def wait_until(self, now_ns: int) -> None:
        return None


class RealTime:
    """Virtual time advances `speed_ratio` times as fast as real time.

    `worst_lateness_ns` and `late_slices` tell whether the machine kept up. A copy of a paced run
    anchors itself anew when it continues.
    """

    __slots__ = ("_anchor", "_slice_ns", "_speed_ratio", "late_slices", "worst_lateness_ns")

    def __init__(self, *, speed_ratio: float = 1.0, slice_ns: int = 5 * NS_PER_MS) -> None:
        if not speed_ratio > 0:
            raise UsageError("speed_ratio", expected="more than 0", got=repr(speed_ratio))
        if not slice_ns > 0:
            raise UsageError("slice_ns", expected="more than 0 ns", got=slice_ns)
        self._speed_ratio = speed_ratio
        self._slice_ns = slice_ns
        self._anchor: tuple[int, int] | None = None
        self.late_slices = 0
        self.worst_lateness_ns = 0

    def __getstate__(self) -> dict[str, float | int]:
        return {
            "speed_ratio": self._speed_ratio,
            "slice_ns": self._slice_ns,
            "late_slices": self.late_slices,
            "worst_lateness_ns": self.worst_lateness_ns,
        }

    def __setstate__(self, state: dict[str, float | int]) -> None:
        self._speed_ratio = float(state["speed_ratio"])
        self._slice_ns = int(state["slice_ns"])
        self.late_slices = int(state["late_slices"])
        self.worst_lateness_ns = int(state["worst_lateness_ns"])
        self._anchor = None

    def slice_ns(self) -> int | None:
        return self._slice_ns

    def wait_until(self, now_ns: int) -> None:
        clock_ns = time.monotonic_ns()
        if self._anchor is None or now_ns < self._anchor[1]:
            self._anchor = (clock_ns, now_ns)
            return
        due_ns = self._anchor[0] + int((now_ns - self._anchor[1]) / self._speed_ratio)
        if clock_ns < due_ns:
            time.sleep((due_ns - clock_ns) / 1e9)
        elif clock_ns - due_ns > self._slice_ns:
            self.late_slices += 1
            self.worst_lateness_ns = max(self.worst_lateness_ns, clock_ns - due_ns)
