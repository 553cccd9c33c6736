"""A fault of the wire in place, and what every kind of it needs to get there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from simcore.bus import BitFlips, Bus, Disturbance
from simcore.errors import UsageError

LEVELS = {"dominant": 0, "recessive": 1}


class Installed:
    """A fault in place. `remove` ends it; a second time it does nothing."""

    __slots__ = ("_counts", "_remove")

    def __init__(self, remove: Callable[[], object], counts: BitFlips | None = None) -> None:
        self._remove: Callable[[], object] | None = remove
        self._counts = counts

    @property
    def effect(self) -> str:
        """What it did so far, where that can be counted; else empty."""
        if self._counts is None:
            return ""
        count = self._counts.struck_count
        return f"{count} frame{'' if count == 1 else 's'} hit"

    def remove(self) -> None:
        """End the fault."""
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()


def bus_named(buses: Mapping[str, Bus], name: str, fault: object) -> Bus:
    bus = buses.get(name)
    if bus is None:
        raise UsageError(
            f"{type(fault).__name__}, bus", expected=f"one of {', '.join(buses)}", got=repr(name)
        )
    return bus


def disturbed(bus: Bus, disturbance: Disturbance) -> Installed:
    bus.disturb(disturbance)
    counts = disturbance if isinstance(disturbance, BitFlips) else None
    return Installed(partial(bus.undisturb, disturbance), counts)


def require_level(where: str, level: str | None, *, optional: bool = False) -> None:
    if not (optional and level is None) and level not in LEVELS:
        raise UsageError(where, expected="'dominant' or 'recessive'", got=repr(level))


def require_count(where: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UsageError(where, expected="an integer >= 1", got=repr(count))
