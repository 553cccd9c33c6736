"""`VirtualClock`: stands where a program expects the module `time`.

A program that sleeps and measures runs in virtual time once its `time` is one of these:
`monkeypatch.setattr(isotp.protocol, "time", bus.clock)`.
"""

from __future__ import annotations

from simcore.attach.drive import Drive, World
from simcore.errors import UsageError
from simcore.units import NS_PER_S


class VirtualClock:
    """Virtual time by the names of the module `time`; everything counts from power on."""

    def __init__(self, world: World, drive: Drive) -> None:
        self._world = world
        self._drive = drive

    def time_ns(self) -> int:
        """The time messages are stamped with, in ns."""
        with self._drive.touch():
            return self._drive.epoch_ns + self._world.scheduler.now_ns

    def monotonic_ns(self) -> int:
        """Virtual time in ns."""
        with self._drive.touch():
            return self._world.scheduler.now_ns

    def perf_counter_ns(self) -> int:
        """Virtual time in ns."""
        return self.monotonic_ns()

    def time(self) -> float:
        """The time messages are stamped with, in s."""
        return self.time_ns() / NS_PER_S

    def monotonic(self) -> float:
        """Virtual time in s."""
        return self.monotonic_ns() / NS_PER_S

    def perf_counter(self) -> float:
        """Virtual time in s."""
        return self.monotonic_ns() / NS_PER_S

    def sleep(self, duration_s: float) -> None:
        """Let virtual time pass."""
        if not 0.0 <= duration_s < float("inf"):
            raise UsageError("sleep", expected="a time >= 0 s", got=repr(duration_s))
        with self._drive.touch():
            self._drive.wait(_never, round(duration_s * NS_PER_S))


def _never() -> bool:
    return False
