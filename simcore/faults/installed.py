"""A fault in place, and what every kind of wire fault needs to get there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from simcore.bus import BitFlips, Bus, Disturbance
from simcore.errors import UsageError

LEVELS = {"dominant": 0, "recessive": 1}


class Effect(Protocol):
    """What counts what a fault did."""

    @property
    def count(self) -> int:
        """How often it struck so far; 0: it has done nothing."""

    @property
    def effect(self) -> str:
        """What it did so far, for the report: `3 activations left out`."""


class Installed:
    """A fault in place. `remove` ends it; a second time it does nothing.

    A fault that ends by itself calls `over`; whoever installed it sets `on_end` to hear of it.
    """

    __slots__ = ("_counts", "_remove", "is_over", "on_end")

    def __init__(
        self, remove: Callable[[], object], counts: BitFlips | Effect | None = None
    ) -> None:
        self._remove: Callable[[], object] | None = remove
        self._counts = counts
        self.is_over = False
        self.on_end: Callable[[], object] | None = None

    @property
    def count(self) -> int | None:
        """How often it struck so far; `None` where that cannot be counted."""
        counts = self._counts
        if counts is None:
            return None
        return counts.struck_count if isinstance(counts, BitFlips) else counts.count

    @property
    def effect(self) -> str:
        """What it did so far, where that can be counted; else empty."""
        counts = self._counts
        if counts is None:
            return ""
        if not isinstance(counts, BitFlips):
            return counts.effect
        count = counts.struck_count
        return f"{count} frame{'' if count == 1 else 's'} hit"

    def remove(self) -> None:
        """End the fault."""
        remove, self._remove = self._remove, None
        self.is_over = True
        if remove is not None:
            remove()

    def over(self) -> None:
        """It came to its end by itself: there is nothing left to take away."""
        if self.is_over:
            return
        self._remove = None
        self.is_over = True
        if self.on_end is not None:
            self.on_end()


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
