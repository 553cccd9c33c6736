"""The Watchdog Manager: supervision of entities by their checkpoints, and the status of them all.

Without I/O: time comes with every call, whether the watchdog may be served is read from
`may_trigger`. `reached` and `main_function` run thousands of times per simulated second: what a
checkpoint means in the current mode is worked out when the mode is entered, and a cycle in which
everything is as expected touches no table.

The order of a cycle: alive counters and overdue deadlines, the local statuses (deadline and logical
supervision before alive), the global status. What a checkpoint breaks shows in the next cycle.

Not here: the watchdog itself (device.py and its kind), tasks and their checkpoints (the ECU).

Source: AUTOSAR SWS Watchdog Manager; see the tables in statuses.py and logical.py.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping

from simcore.errors import UsageError
from simcore.watchdog.deadline import NEVER_NS
from simcore.watchdog.logical import GraphWalker
from simcore.watchdog.manager_entity import EntityMonitor
from simcore.watchdog.manager_memory import store_code, stored_code
from simcore.watchdog.manager_mode import ActiveMode, Passage, Row
from simcore.watchdog.settings import ExternalGraph, SupervisionMode, SupervisionSettings
from simcore.watchdog.statuses import (
    MAY_TRIGGER,
    GlobalEvent,
    GlobalStatus,
    LocalEvent,
    LocalStatus,
    StatusChange,
    next_global,
)


class WatchdogManager:
    """Supervises from `start` on. `memory` outlives resets; without one nothing is kept."""

    __slots__ = (
        "settings",
        "global_status",
        "first_expired",
        "memory_refused",
        "_memory",
        "_numbers",
        "_entities",
        "_mode",
        "_rows",
        "_groups",
        "_deadlines",
        "_measuring",
        "_calm",
        "_any_expired",
        "_expired_cycles",
    )

    def __init__(
        self, settings: SupervisionSettings, memory: MutableMapping[str, bytes] | None = None
    ) -> None:
        self.settings = settings
        self.global_status = GlobalStatus.DEACTIVATED
        self.first_expired: str | None = None
        """The entity that expired first, in this run or, until one does, in the one before."""
        self.memory_refused = False
        """What `memory` held at the start did not match its inverse, or no entity."""
        self._memory: MutableMapping[str, bytes] = {} if memory is None else memory
        self._numbers = {name: number for number, name in enumerate(settings.checkpoints)}
        self._mode = ActiveMode(settings)
        self._clear()

    def _clear(self) -> None:
        self._mode.retire()
        self._entities = {
            entity.name: EntityMonitor(entity, index)
            for index, entity in enumerate(self.settings.entities)
        }
        self._install(ActiveMode(self.settings))
        self._any_expired = False
        self._expired_cycles = 0
        self._calm = True

    def _install(self, mode: ActiveMode) -> None:
        self._mode = mode
        self._rows = mode.rows
        self._groups = mode.groups
        self._deadlines = mode.deadlines
        self._measuring = True

    # ---- from outside ----

    @property
    def mode(self) -> str:
        """The current mode; empty before the start."""
        return self._mode.name

    @property
    def may_trigger(self) -> bool:
        """Whether the watchdog is to be served: SWS_WdgM_00119 to 00122."""
        return MAY_TRIGGER[self.global_status]

    def local_status(self, entity: str) -> LocalStatus:
        """Of one entity. Raises `UsageError` where there is none of this name."""
        monitor = self._entities.get(entity)
        if monitor is None:
            known = ", ".join(self._entities)
            raise UsageError("supervised entity", expected=f"one of {known}", got=repr(entity))
        return monitor.status

    def checkpoint(self, name: str) -> int:
        """The number of `entity.checkpoint`, for `reached`. Raises `UsageError` for an unknown."""
        number = self._numbers.get(name)
        if number is None:
            known = ", ".join(self._numbers)
            raise UsageError("checkpoint", expected=f"one of {known}", got=repr(name))
        return number

    def passage(
        self,
        entity: str,
        start: str,
        end: str,
        lasting_ns: int,
        *,
        without: Collection[str] = (),
    ) -> Passage | None:
        """What a task may do in place of reporting its two checkpoints, see `Passage`.

        `None` where it must report them: only for settings with a single mode, once started, is
        the way through both known beforehand. `without` are the `entity.checkpoint` that may be
        reached between: none of them may be in a graph with those two.
        """
        if len(self.settings.modes) > 1:
            return None
        return self._mode.passage(entity, start, end, lasting_ns, without)

    def plain_row(self, checkpoint: int) -> Row | None:
        """What a checkpoint is in, for whoever reports it without `reached`.

        Good for one start. `None` where there is more to it than a count and a graph, and, as it
        changes with the mode, for settings with several.
        """
        row = self._rows[checkpoint]
        return row if len(self.settings.modes) == 1 and row[-1] is None else None

    def start(self, now_ns: int) -> tuple[StatusChange, ...]:
        """Begin, or begin again after a reset, in the first mode: forget all but `memory`."""
        self._clear()
        self._recall()
        before = self.global_status
        self.global_status = next_global(before, GlobalEvent.STARTED)
        changes = self._enter(self.settings.modes[0], now_ns)
        if self.global_status is not before:
            changes.append(_global_change(before, self.global_status, "started", now_ns))
        return tuple(changes)

    def _recall(self) -> None:
        code = stored_code(self._memory, code_max=len(self.settings.entities))
        self.memory_refused = code is None
        self.first_expired = self.settings.entities[code - 1].name if code else None

    def set_mode(self, name: str, now_ns: int) -> tuple[StatusChange, ...]:
        """Supervise as `name` says from now on. The global status follows in the next cycle.

        What supervised the entity in the same way before goes on, counts and all. What deadline or
        logical supervision found in the old mode still counts. EXPIRED or STOPPED, the mode stays
        what it was (SWS_WdgM_00145, 00316) and nothing changes.
        """
        mode = self.settings.mode(name)
        if self.global_status is GlobalStatus.DEACTIVATED:
            raise UsageError(f"supervision mode {name}", expected="start() first")
        if self.global_status not in (GlobalStatus.OK, GlobalStatus.FAILED):
            return ()
        changes = self._judge_flow(now_ns)
        changes += self._enter(mode, now_ns)
        return tuple(changes)

    def _enter(self, mode: SupervisionMode, now_ns: int) -> list[StatusChange]:
        self._install(ActiveMode(self.settings, mode, before=self._mode))
        reason = f"mode {mode.name}"
        supervised = {each.entity: each for each in mode.entities}
        changes = []
        for entity in self._entities.values():
            entity.alive = self._mode.alive_of(entity.name)
            if entity.name in supervised:
                entity.tolerance = supervised[entity.name].failed_alive_tolerance
                event = LocalEvent.ACTIVATED
            else:
                event = LocalEvent.REMOVED
            change = entity.take(event, reason, now_ns)
            if change is not None:
                entity.failed_cycles = 0
                changes.append(change)
        self._calm = False
        return changes

    # ---- while it runs ----

    def reached(self, checkpoint: int, now_ns: int) -> None:
        """A checkpoint was reached; ignored where its entity is not supervised in this mode.

        `checkpoint` is a number that `checkpoint()` gave.
        """
        counts, place, walker, allowed, after, rest = self._rows[checkpoint]
        if counts is not None:
            counts[place] += 1
        if walker.place & allowed:
            walker.place = after
        else:
            self._out_of_order(walker, checkpoint)
        if rest is None:
            return
        stops, starts, other, more = rest
        if stops is not None:
            due_ns = stops.due_ns
            if due_ns - stops.span_ns <= now_ns <= due_ns:
                stops.due_ns = NEVER_NS
            else:
                self._found(stops.entity, stops.stop_out_of_bounds(now_ns))
        if starts is not None:
            if starts.due_ns < now_ns:
                self._found(starts.entity, starts.overdue(now_ns))
            starts.due_ns = now_ns + starts.max_ns
            self._measuring = True
        if other is not None:
            walker, allowed, after = other
            if walker.place & allowed:
                walker.place = after
            else:
                self._out_of_order(walker, checkpoint)
        if more:
            self.reached(more, now_ns)

    def main_function(self, now_ns: int) -> tuple[StatusChange, ...]:
        """One supervision cycle: WdgM_MainFunction. What changed, locals before the global."""
        calm = self._calm
        for group in self._groups:
            left = group.cycles_left - 1
            if left:
                group.cycles_left = left
            elif calm and group.counts == group.expected:
                group.counts[:] = group.zeros
                group.cycles_left = group.reference_cycles
            elif not group.end_cycle(calm=calm):
                self._calm = False
        if self._measuring:
            self._look_at_deadlines(now_ns)
        if self._calm:
            return ()
        return self._judge(now_ns)

    def _look_at_deadlines(self, now_ns: int) -> None:
        self._measuring = False
        for deadline in self._deadlines:
            if deadline.due_ns < now_ns:
                self._found(deadline.entity, deadline.overdue(now_ns))
            elif deadline.due_ns != NEVER_NS:
                self._measuring = True

    def _found(self, entity: str, finding: str) -> None:
        """Deadline or logical supervision found something, unless `finding` is empty."""
        if finding:
            monitor = self._entities[entity]
            monitor.finding = monitor.finding or finding
            self._calm = False

    def _out_of_order(self, walker: GraphWalker, checkpoint: int) -> None:
        """The entity whose checkpoint came out of order is to blame, in external graphs, too."""
        entity, point = self._mode.point(checkpoint)
        if isinstance(walker.graph, ExternalGraph):
            self._found(entity, walker.out_of_order(f"{entity}.{point}"))
        else:
            self._found(entity, walker.out_of_order(point, entity=entity))

    def _judge(self, now_ns: int) -> tuple[StatusChange, ...]:
        for alive in self._mode.alive:
            if not alive.begun:
                alive.begin()
        changes = self._judge_flow(now_ns)
        for entity in self._entities.values():
            change = entity.judge_alive(now_ns)
            if change is not None:
                changes.append(change)
        self._remember(changes)
        changes += self._judge_all(now_ns)
        self._calm = self.global_status is GlobalStatus.OK
        return tuple(changes)

    def _judge_flow(self, now_ns: int) -> list[StatusChange]:
        changes = [entity.judge_flow(now_ns) for entity in self._entities.values()]
        found = [change for change in changes if change is not None]
        self._remember(found)
        return found

    def _remember(self, changes: list[StatusChange]) -> None:
        """The first entity that expires in this run goes to the memory."""
        if self._any_expired:
            return
        for change in changes:
            if change.after is LocalStatus.EXPIRED:
                self._any_expired = True
                self.first_expired = change.entity
                store_code(self._memory, self._entities[change.entity].index + 1)
                return

    def _judge_all(self, now_ns: int) -> list[StatusChange]:
        """The global status of this cycle: see the table for the clauses."""
        event, reason = self._sum_up()
        before = self.global_status
        after = next_global(before, event)
        self.global_status = after
        return [] if after is before else [_global_change(before, after, reason, now_ns)]

    def _sum_up(self) -> tuple[GlobalEvent, str]:
        expired = self._named(LocalStatus.EXPIRED)
        if not expired:
            failed = self._named(LocalStatus.FAILED)
            if failed:
                return GlobalEvent.SOME_FAILED, f"{failed} FAILED"
            return GlobalEvent.ALL_OK, "no entity FAILED"
        self._expired_cycles += 1
        tolerance = self.settings.mode(self._mode.name).expired_tolerance
        if self._expired_cycles <= tolerance:
            return GlobalEvent.EXPIRED_TOLERATED, f"{expired} EXPIRED"
        count = self._expired_cycles
        cycles = "1 cycle" if count == 1 else f"{count} cycles"
        return (
            GlobalEvent.EXPIRED_BEYOND,
            f"{expired} EXPIRED in {cycles}, tolerated {tolerance}",
        )

    def _named(self, status: LocalStatus) -> str:
        return ", ".join(e.name for e in self._entities.values() if e.status is status)


def _global_change(
    before: GlobalStatus, after: GlobalStatus, reason: str, now_ns: int
) -> StatusChange:
    return StatusChange(time_ns=now_ns, entity="", before=before, after=after, reason=reason)
