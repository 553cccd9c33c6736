"""What is supervised and how: entities, checkpoints, graphs, modes. Refused here when it is wrong.

A checkpoint is called `entity.checkpoint` where more than one entity is meant and by its own name
inside its entity. Frozen: copies of a machine share their settings.

Source: AUTOSAR SWS Watchdog Manager, chapter 10 (WdgMSupervisedEntity, WdgMMode).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from simcore.errors import UsageError
from simcore.units import format_ns
from simcore.watchdog.settings_checks import (
    check_kind,
    check_kinds,
    check_known,
    check_name,
    check_names,
    check_once,
    check_whole,
)

Transitions = tuple[tuple[str, str], ...]

_Shared = TypeVar("_Shared", bound="_Settings")


class _Settings:
    """Never changes, so a copy is the thing itself."""

    __slots__ = ()

    def __copy__(self: _Shared) -> _Shared:
        return self

    def __deepcopy__(self: _Shared, memo: dict[int, object]) -> _Shared:
        return self


@dataclass(frozen=True, slots=True)
class AliveSupervision(_Settings):
    """How often a checkpoint is reached: SWS_WdgM_00098."""

    checkpoint: str
    expected_count: int
    """ExpectedAliveIndications, per reference cycle."""
    reference_cycles: int = 1
    """SupervisionReferenceCycle: judged, and counted anew, every so many supervision cycles."""
    min_margin: int = 0
    """So many fewer are correct, too."""
    max_margin: int = 0
    """So many more are correct, too."""

    def __post_init__(self) -> None:
        where = f"AliveSupervision of {self.checkpoint}"
        check_name(self.checkpoint, "AliveSupervision, checkpoint")
        check_whole(self.expected_count, f"{where}, expected_count", at_least=0)
        check_whole(self.reference_cycles, f"{where}, reference_cycles", at_least=1)
        check_whole(self.min_margin, f"{where}, min_margin", at_least=0)
        check_whole(self.max_margin, f"{where}, max_margin", at_least=0)
        if self.min_margin > self.expected_count:
            raise UsageError(
                f"{where}, min_margin",
                expected=f"at most expected_count, {self.expected_count}",
                got=self.min_margin,
            )

    @property
    def min_count(self) -> int:
        """The fewest indications that are correct."""
        return self.expected_count - self.min_margin

    @property
    def max_count(self) -> int:
        """The most indications that are correct."""
        return self.expected_count + self.max_margin


@dataclass(frozen=True, slots=True)
class DeadlineSupervision(_Settings):
    """The time between two checkpoints of an entity: SWS_WdgM_00229, 00294, 00354, 00403."""

    start: str
    stop: str
    min_ns: int
    max_ns: int

    def __post_init__(self) -> None:
        check_name(self.start, "DeadlineSupervision, start")
        check_name(self.stop, "DeadlineSupervision, stop")
        where = f"DeadlineSupervision {self.start}..{self.stop}"
        if self.start == self.stop:
            raise UsageError(where, expected="two checkpoints", got="the same one twice")
        check_whole(self.min_ns, f"{where}, min_ns", at_least=0)
        check_whole(self.max_ns, f"{where}, max_ns", at_least=1)
        if self.min_ns > self.max_ns:
            raise UsageError(
                f"{where}, min_ns",
                expected=f"at most max_ns, {format_ns(self.max_ns)}",
                got=format_ns(self.min_ns),
            )


@dataclass(frozen=True, slots=True)
class LogicalSupervision(_Settings):
    """The order of checkpoints as a graph: SWS_WdgM_00273, 00274, 00297, 00331, 00332.

    Without a final checkpoint the graph stays active for ever once it was entered.
    """

    initial: tuple[str, ...]
    final: tuple[str, ...]
    transitions: Transitions
    """From and to."""

    def __post_init__(self) -> None:
        _check_graph(self, type(self).__name__)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """All that occur, in the order of their first mention."""
        return _mentioned(self)


@dataclass(frozen=True, slots=True)
class ExternalGraph(_Settings):
    """An order across entities: as `LogicalSupervision`, over `entity.checkpoint`, per mode."""

    initial: tuple[str, ...]
    final: tuple[str, ...]
    transitions: Transitions
    """From and to."""

    def __post_init__(self) -> None:
        _check_graph(self, type(self).__name__)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """All that occur, in the order of their first mention."""
        return _mentioned(self)


@dataclass(frozen=True, slots=True)
class SupervisedEntity(_Settings):
    """A piece of software, mostly a task, with the checkpoints in it."""

    name: str
    checkpoints: tuple[str, ...]
    logical: LogicalSupervision | None = None
    """The internal graph; holds in every mode that supervises the entity."""

    def __post_init__(self) -> None:
        check_name(self.name, "SupervisedEntity, name")
        where = f"SupervisedEntity {self.name}"
        check_names(self.checkpoints, f"{where}, checkpoints")
        for name in (self.name, *self.checkpoints):
            if "." in name:  # it parts the two in entity.checkpoint
                raise UsageError(where, expected="names without a dot", got=repr(name))
        if not self.checkpoints:
            raise UsageError(f"{where}, checkpoints", expected="at least one", got="none")
        if self.logical is not None:
            check_kind(self.logical, LogicalSupervision, f"{where}, logical")
            check_known(self.logical.checkpoints, self.checkpoints, f"{where}, logical")


@dataclass(frozen=True, slots=True)
class EntityMode(_Settings):
    """How one entity is supervised in one mode."""

    entity: str
    alive: tuple[AliveSupervision, ...] = ()
    """At most one per checkpoint."""
    deadline: tuple[DeadlineSupervision, ...] = ()
    failed_alive_tolerance: int = 0
    """FailedAliveSupervisionRefCycleTol: failed reference cycles until the entity expires."""

    def __post_init__(self) -> None:
        check_name(self.entity, "EntityMode, entity")
        where = f"EntityMode of {self.entity}"
        check_kinds(self.alive, AliveSupervision, f"{where}, alive")
        check_kinds(self.deadline, DeadlineSupervision, f"{where}, deadline")
        check_whole(self.failed_alive_tolerance, f"{where}, failed_alive_tolerance", at_least=0)
        check_once((alive.checkpoint for alive in self.alive), f"{where}, alive")
        check_once((f"{each.start}..{each.stop}" for each in self.deadline), f"{where}, deadline")


@dataclass(frozen=True, slots=True)
class SupervisionMode(_Settings):
    """Which entities are supervised, and how: WdgMMode."""

    name: str
    entities: tuple[EntityMode, ...]
    """Those left out are DEACTIVATED."""
    external: tuple[ExternalGraph, ...] = ()
    expired_tolerance: int = 0
    """ExpiredSupervisionCycleTol: supervision cycles from EXPIRED until STOPPED."""

    def __post_init__(self) -> None:
        check_name(self.name, "SupervisionMode, name")
        where = f"SupervisionMode {self.name}"
        check_kinds(self.entities, EntityMode, f"{where}, entities")
        check_kinds(self.external, ExternalGraph, f"{where}, external")
        check_whole(self.expired_tolerance, f"{where}, expired_tolerance", at_least=0)
        check_once((each.entity for each in self.entities), f"{where}, entities")
        if len(set(self.external)) != len(self.external):
            raise UsageError(f"{where}, external", expected="every graph once", got="one twice")


@dataclass(frozen=True, slots=True)
class SupervisionSettings(_Settings):
    """Everything a `WatchdogManager` is built from."""

    cycle_ns: int
    """Supervision cycle: how often `main_function` is called."""
    entities: tuple[SupervisedEntity, ...]
    modes: tuple[SupervisionMode, ...]
    """The first one is the initial mode."""

    def __post_init__(self) -> None:
        where = "SupervisionSettings"
        check_whole(self.cycle_ns, f"{where}, cycle_ns", at_least=1)
        check_kinds(self.entities, SupervisedEntity, f"{where}, entities")
        check_kinds(self.modes, SupervisionMode, f"{where}, modes")
        for what, things in (("entities", self.entities), ("modes", self.modes)):
            if not things:
                raise UsageError(f"{where}, {what}", expected="at least one", got="none")
        check_once((entity.name for entity in self.entities), f"{where}, entities")
        check_once((mode.name for mode in self.modes), f"{where}, modes")
        checkpoints = {entity.name: entity.checkpoints for entity in self.entities}
        for mode in self.modes:
            _check_mode(mode, checkpoints)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """`entity.checkpoint` of all entities; the place in it is the checkpoint's number."""
        return tuple(f"{each.name}.{point}" for each in self.entities for point in each.checkpoints)

    def mode(self, name: str) -> SupervisionMode:
        """The mode of this name. Raises `UsageError` where there is none."""
        for mode in self.modes:
            if mode.name == name:
                return mode
        known = ", ".join(mode.name for mode in self.modes)
        raise UsageError("supervision mode", expected=f"one of {known}", got=repr(name))


def _check_mode(mode: SupervisionMode, checkpoints: dict[str, tuple[str, ...]]) -> None:
    where = f"SupervisionMode {mode.name}"
    check_known((each.entity for each in mode.entities), checkpoints, f"{where}, entities")
    for each in mode.entities:
        own = checkpoints[each.entity]
        check_known((a.checkpoint for a in each.alive), own, f"{where}, {each.entity}, alive")
        for deadline in each.deadline:
            ends = (deadline.start, deadline.stop)
            check_known(ends, own, f"{where}, {each.entity}, deadline")
    supervised = [f"{e.entity}.{point}" for e in mode.entities for point in checkpoints[e.entity]]
    for graph in mode.external:
        check_known(graph.checkpoints, supervised, f"{where}, external")


def _check_graph(graph: LogicalSupervision | ExternalGraph, where: str) -> None:
    check_names(graph.initial, f"{where}, initial")
    check_names(graph.final, f"{where}, final")
    if not graph.initial:
        raise UsageError(f"{where}, initial", expected="at least one checkpoint", got="none")
    if type(graph.transitions) is not tuple or any(
        type(pair) is not tuple or len(pair) != 2 for pair in graph.transitions
    ):
        raise UsageError(
            f"{where}, transitions", expected="a tuple of (from, to)", got=repr(graph.transitions)
        )
    for before, after in graph.transitions:
        check_name(before, f"{where}, transitions")
        check_name(after, f"{where}, transitions")
    check_once(
        (f"{before} -> {after}" for before, after in graph.transitions), f"{where}, transitions"
    )
    _check_reach(graph, where)


def _check_reach(graph: LogicalSupervision | ExternalGraph, where: str) -> None:
    """Every checkpoint can come, and the graph can be left where it has final ones."""
    reached = list(graph.initial)
    for point in reached:
        if point in graph.final:
            continue
        reached += [b for a, b in graph.transitions if a == point and b not in reached]
    lost = [point for point in _mentioned(graph) if point not in reached]
    if lost:
        raise UsageError(
            f"{where}, transitions",
            expected="a way from an initial checkpoint to every other one",
            got=f"none to {', '.join(lost)}",
        )
    for before, after in graph.transitions:
        if before in graph.final:
            raise UsageError(
                f"{where}, transitions",
                expected=f"none from {before}, which is final",
                got=f"{before} -> {after}",
            )


def _mentioned(graph: LogicalSupervision | ExternalGraph) -> tuple[str, ...]:
    ends = [point for pair in graph.transitions for point in pair]
    return tuple(dict.fromkeys([*graph.initial, *ends, *graph.final]))
