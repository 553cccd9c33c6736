"""Alive supervision: does a checkpoint come as often as it should?

Indications are counted as they come and judged at the end of the reference cycle only; then the
count begins anew (SWS_WdgM_00098). The standard's n(AI) - n(SC) + (SRC - EAI) within the margins
is, at that moment, min_count <= count <= max_count.

The first reference cycle begins with the first supervision cycle after the counter came to be: the
fraction of a cycle before that, at the start or after a change of mode, is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

from simcore.watchdog.settings import AliveSupervision


class AliveCounter:
    """One alive supervision of a mode. Its count is written by the checkpoint, nothing else."""

    __slots__ = (
        "settings",
        "counts",
        "place",
        "begun",
        "ended",
        "correct",
        "finding",
    )

    def __init__(self, settings: AliveSupervision) -> None:
        self.settings = settings
        self.counts = [0]
        """Where the count stands, at `place`: among those of its `AliveGroup`, once it has one."""
        self.place = 0
        self.begun = False
        """The first reference cycle runs."""
        self.ended = False
        """A reference cycle ended and the entity has not judged it yet."""
        self.correct = True
        """What the last reference cycle was."""
        self.finding = ""
        """What was wrong with the last incorrect one."""

    def __deepcopy__(self, memo: dict[int, object]) -> AliveCounter:
        twin = AliveCounter.__new__(AliveCounter)
        twin.settings, twin.place, twin.finding = self.settings, self.place, self.finding
        twin.begun, twin.ended, twin.correct = self.begun, self.ended, self.correct
        twin.counts = deepcopy(self.counts, memo)
        return twin

    @property
    def count(self) -> int:
        """Indications since the reference cycle began."""
        return self.counts[self.place]

    @count.setter
    def count(self, count: int) -> None:
        self.counts[self.place] = count

    def begin(self) -> None:
        """The first reference cycle starts now."""
        self.count = 0
        self.begun = True

    def end_cycle(self) -> None:
        """The reference cycle is over: judge, count anew."""
        count = self.count
        self.count = 0
        self.ended = True
        self.correct = self.settings.min_count <= count <= self.settings.max_count
        if not self.correct:
            self.finding = self._describe(count)

    def _describe(self, count: int) -> str:
        settings = self.settings
        low, high = settings.min_count, settings.max_count
        allowed = f"{low}" if low == high else f"{low}..{high}"
        cycles = settings.reference_cycles
        span = "1 cycle" if cycles == 1 else f"{cycles} cycles"
        return f"alive {count} of {allowed} in {span} at {settings.checkpoint}"


class _Counts(list[int]):
    """Never written, so a copy is the thing itself; a list, to be compared with one."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, object]) -> _Counts:
        return self


class AliveGroup:
    """Counters whose reference cycles end together: compared with what is expected at once."""

    __slots__ = ("counters", "counts", "cycles_left", "expected", "reference_cycles", "zeros")

    def __init__(self, counters: tuple[AliveCounter, ...], cycles_left: int) -> None:
        self.counters = counters
        self.reference_cycles = counters[0].settings.reference_cycles
        self.cycles_left = cycles_left
        """Supervision cycles to the end of the reference cycle."""
        self.counts = [counter.count for counter in counters]
        self.expected = _Counts(counter.settings.expected_count for counter in counters)
        self.zeros = _Counts(0 for _ in counters)
        for place, counter in enumerate(counters):
            counter.counts, counter.place = self.counts, place

    def end_cycle(self, *, calm: bool) -> bool:
        """The reference cycle is over; whether all was calm before and every count is correct.

        While it was not calm, every counter is judged.
        """
        self.cycles_left = self.reference_cycles
        for counter in self.counters:
            settings = counter.settings
            if calm and settings.min_count <= counter.count <= settings.max_count:
                counter.count = 0
            else:
                counter.end_cycle()
        return calm and not any(counter.ended for counter in self.counters)


def grouped(
    counters: Iterable[AliveCounter], before: tuple[AliveGroup, ...]
) -> tuple[AliveGroup, ...]:
    """Groups of counters; those that were in groups of `before` keep their phase."""
    known = {id(counter): group for group in before for counter in group.counters}
    phases: dict[tuple[int, int], list[AliveCounter]] = {}
    for counter in counters:
        group = known.get(id(counter))
        cycles = counter.settings.reference_cycles
        left = cycles + 1 if group is None else group.cycles_left
        phases.setdefault((cycles, left), []).append(counter)
    return tuple(AliveGroup(tuple(each), left) for (_, left), each in phases.items())
