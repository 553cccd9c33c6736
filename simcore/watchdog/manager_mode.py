"""What every checkpoint means in one mode, worked out when the mode is entered.

A mode follows another: what supervises the same entity in the same way in both goes on with its
count, its running measurement and its place in the graph; everything else begins anew.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from itertools import zip_longest
from typing import Any

from simcore.watchdog.alive import AliveCounter, AliveGroup, grouped
from simcore.watchdog.deadline import DeadlineMonitor
from simcore.watchdog.logical import INACTIVE, INCORRECT, GraphWalker
from simcore.watchdog.settings import (
    AliveSupervision,
    DeadlineSupervision,
    EntityMode,
    ExternalGraph,
    LogicalSupervision,
    SupervisedEntity,
    SupervisionMode,
    SupervisionSettings,
)

_Step = tuple[GraphWalker, int, int]
"""A graph, the mask of the places a checkpoint may come after, the place it leads to."""

Rest = tuple[DeadlineMonitor | None, DeadlineMonitor | None, _Step | None, int]
"""The deadline a checkpoint stops; the one it starts; a second graph it is in; the number of the
row with the others, 0 for none."""

Row = tuple[list[int] | None, int, GraphWalker, int, int, Rest | None]
"""What a checkpoint is in: where it is counted; a graph, the mask of the places it may come after
and the place it leads to; deadlines and further rows. In place of a graph, where it is in none,
stands one that nobody judges, so that the way through a row is short."""

Passage = tuple[GraphWalker, GraphWalker, int, int, list[int], int]
"""What the two checkpoints of a task come to when one follows the other in time and nothing comes
between: the graph of the entity, which must be, and is again, inactive; another graph, the mask of
the places where it may stand and the place it is led to; where the one is counted that is."""


class ActiveMode:
    """The supervisions that are active in one mode, in the order of the settings.

    Without `mode` nothing is supervised.
    """

    __slots__ = (
        "name",
        "rows",
        "alive",
        "groups",
        "deadlines",
        "_no_step",
        "_points",
        "_alive_of",
        "_deadline_of",
        "_internal_of",
        "_external_of",
    )

    def __init__(
        self,
        settings: SupervisionSettings,
        mode: SupervisionMode | None = None,
        before: ActiveMode | None = None,
    ) -> None:
        self.name = "" if mode is None else mode.name
        self._alive_of: dict[tuple[str, AliveSupervision], AliveCounter] = {}
        self._deadline_of: dict[tuple[str, DeadlineSupervision], DeadlineMonitor] = {}
        self._internal_of: dict[str, GraphWalker] = {}
        self._external_of: dict[ExternalGraph, GraphWalker] = {}
        if mode is not None:
            self._take_on(settings, mode, before)
        self.alive = tuple(self._alive_of.values())
        self.groups: tuple[AliveGroup, ...]
        if before is not None and before.alive == self.alive:
            self.groups = before.groups
        else:
            self.groups = grouped(self.alive, () if before is None else before.groups)
        self.deadlines = tuple(self._deadline_of.values())
        self._no_step = _step(GraphWalker(_STAND_IN_GRAPH), "stand-in")
        self._points = tuple(
            (entity.name, point) for entity in settings.entities for point in entity.checkpoints
        )
        self.rows = self._chained([self._rows_of(entity, point) for entity, point in self._points])
        """By the number of the checkpoint; behind them the rows that those refer to."""

    def alive_of(self, entity: str) -> tuple[AliveCounter, ...]:
        """The alive supervisions of one entity."""
        return tuple(counter for (name, _), counter in self._alive_of.items() if name == entity)

    def __deepcopy__(self, memo: dict[int, object]) -> ActiveMode:
        """A copy that shares names and settings."""
        twin = ActiveMode.__new__(ActiveMode)
        memo[id(self)] = twin
        twin.name, twin._points = self.name, self._points
        twin.groups = deepcopy(self.groups, memo)
        twin._alive_of = {k: deepcopy(v, memo) for k, v in self._alive_of.items()}
        twin._deadline_of = {k: deepcopy(v, memo) for k, v in self._deadline_of.items()}
        twin._internal_of = {k: deepcopy(v, memo) for k, v in self._internal_of.items()}
        twin._external_of = {k: deepcopy(v, memo) for k, v in self._external_of.items()}
        twin.alive = tuple(twin._alive_of.values())
        twin.deadlines = tuple(twin._deadline_of.values())
        twin._no_step = deepcopy(self._no_step, memo)
        twin.rows = tuple(_copied(row, memo) for row in self.rows)
        memo[id(self.alive)], memo[id(self.deadlines)] = twin.alive, twin.deadlines
        memo[id(self.rows)] = twin.rows
        return twin

    def passage(
        self, entity: str, start: str, end: str, lasting_ns: int, without: Collection[str]
    ) -> Passage | None:
        """A task of so long, from its first checkpoint to its last in one; `None` for no such.

        There is none where anything could come between, or go wrong without anything coming.
        """
        own = self._internal_of.get(entity)
        if own is None or own.graph != LogicalSupervision((start,), (end,), ((start, end),)):
            return None
        for deadline in self.deadlines:
            limits = deadline.settings
            if deadline.entity == entity and (
                (limits.start, limits.stop) != (start, end)
                or not limits.min_ns <= lasting_ns <= limits.max_ns
            ):
                return None
        ends = [f"{entity}.{start}", f"{entity}.{end}"]
        graphs = [graph for graph in self._external_of if set(ends) & set(graph.checkpoints)]
        points = {point for graph in graphs for point in graph.checkpoints}
        counters = [c for c in self.alive_of(entity) if c.settings.checkpoint in (start, end)]
        if len(counters) > 1 or len(graphs) > 1 or not points.union(ends).isdisjoint(without):
            return None
        counts, place = (counters[0].counts, counters[0].place) if counters else ([0], 0)
        if not graphs:
            return own, own, INACTIVE, INACTIVE, counts, place
        walker = self._external_of[graphs[0]]
        steps = [walker.step(point) for point in ends if point in points]
        (allowed, after), (allowed_last, last) = steps[0], steps[-1]
        if len(steps) == 2 and not after & allowed_last:
            return None
        return own, walker, allowed, last, counts, place

    def retire(self) -> None:
        """Nothing may come any more for whoever knows a passage of this mode."""
        for walker in (*self._internal_of.values(), *self._external_of.values()):
            walker.place = INCORRECT
        self._no_step[0].place = INCORRECT

    def point(self, number: int) -> tuple[str, str]:
        """Entity and checkpoint that a row of `rows` belongs to."""
        while number >= len(self._points):  # a row that another one refers to
            number = next(
                at for at, (*_, rest) in enumerate(self.rows) if rest and rest[3] == number
            )
        return self._points[number]

    def _take_on(
        self, settings: SupervisionSettings, mode: SupervisionMode, before: ActiveMode | None
    ) -> None:
        by_name = {entity.name: entity for entity in settings.entities}
        for entity in mode.entities:
            self._take_on_entity(entity, by_name[entity.entity], before)
        for graph in mode.external:
            kept = None if before is None else before._external_of.get(graph)
            self._external_of[graph] = kept or GraphWalker(graph)

    def _take_on_entity(
        self, mode: EntityMode, entity: SupervisedEntity, before: ActiveMode | None
    ) -> None:
        name = entity.name
        for alive in mode.alive:
            counter = None if before is None else before._alive_of.get((name, alive))
            self._alive_of[name, alive] = counter or AliveCounter(alive)
        for deadline in mode.deadline:
            monitor = None if before is None else before._deadline_of.get((name, deadline))
            self._deadline_of[name, deadline] = monitor or DeadlineMonitor(name, deadline)
        if entity.logical is not None:
            walker = None if before is None else before._internal_of.get(name)
            self._internal_of[name] = walker or GraphWalker(entity.logical)

    def _rows_of(self, entity: str, point: str) -> list[Row]:
        """What one checkpoint is in, as many rows as it takes, not chained yet."""
        counts: list[int] | None = None
        place = 0
        for (name, alive), counter in self._alive_of.items():
            if name == entity and alive.checkpoint == point:
                counts, place = counter.counts, counter.place
        own = [deadline for deadline in self.deadlines if deadline.entity == entity]
        stops = [deadline for deadline in own if deadline.settings.stop == point]
        starts = [deadline for deadline in own if deadline.settings.start == point]
        steps = self._steps_of(entity, point) or [self._no_step]
        step = steps[0]
        rows: list[Row] = []
        for stop, start, other in zip_longest(stops, starts, steps[1:]):
            rows.append((counts, place, *step, (stop, start, other, 0)))
            counts, step = None, self._no_step
        return rows or [(counts, place, *step, None)]

    def _steps_of(self, entity: str, point: str) -> list[_Step]:
        steps = []
        internal = self._internal_of.get(entity)
        if internal is not None and point in internal.graph.checkpoints:
            steps.append(_step(internal, point))
        for graph, walker in self._external_of.items():
            if f"{entity}.{point}" in graph.checkpoints:
                steps.append(_step(walker, f"{entity}.{point}"))
        return steps

    def _chained(self, rows_of: list[list[Row]]) -> tuple[Row, ...]:
        """The first row of every checkpoint by its number, the others behind."""
        chained = [rows[0] for rows in rows_of]
        for number, rows in enumerate(rows_of):
            at = number
            for row in rows[1:]:
                rest = chained[at][5]
                assert rest is not None
                chained[at] = (*chained[at][:5], (*rest[:3], len(chained)))
                at = len(chained)
                chained.append(row)
        return tuple(chained)


def _copied(row: Row, memo: dict[int, Any]) -> Row:
    """A row over the copies of what it refers to, which are there already."""
    counts, place, walker, allowed, after, rest = row
    if counts is not None:
        counts = memo[id(counts)]
    if rest is not None:
        stops, starts, other, more = rest
        stops = None if stops is None else memo[id(stops)]
        starts = None if starts is None else memo[id(starts)]
        other = None if other is None else (memo[id(other[0])], *other[1:])
        rest = (stops, starts, other, more)
    return counts, place, memo[id(walker)], allowed, after, rest


def _step(walker: GraphWalker, point: str) -> _Step:
    return (walker, *walker.step(point))


_STAND_IN_GRAPH = LogicalSupervision(("stand-in",), ("stand-in",), ())
