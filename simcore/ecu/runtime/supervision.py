"""Supervision inside an ECU: tasks between checkpoints, the Watchdog Manager, the service outside.

`Supervision` is what every ECU has, one that supervises nothing; `WatchdogSupervision` is the real
thing, which `Ecu.supervises` makes. The machines themselves live in `simcore.watchdog`. Together
they are level 3 of the E-Gas monitoring concept: as long as the Watchdog Manager allows it, the
supervision task serves the external watchdog; else that one opens the safe path by itself.

A task takes no simulated time here: everything it does happens at the instant it starts. So that
deadline supervision has something to measure, a task has a modelled execution time, and its end
checkpoint is reported with the time at which it would have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy
from functools import partial

from simcore.ecu.runtime.schedule import Action
from simcore.ecu.runtime.status_log import log_change
from simcore.ecu.runtime.trouble_code_rows import SUPERVISION_EXPIRED, SUPERVISION_FAILED
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.errors import UsageError
from simcore.units import format_ns
from simcore.watchdog.logical import INACTIVE
from simcore.watchdog.manager import WatchdogManager
from simcore.watchdog.manager_mode import Passage, Row
from simcore.watchdog.settings import SupervisionSettings
from simcore.watchdog.statuses import GlobalStatus, LocalStatus, StatusChange

ERROR_COUNT_MAX = 15
"""The interface has four bits for an error counter; more are told as this."""
START, END = "start", "end"
"""Checkpoints that `Ecu.runs` puts around a task of an entity."""


def no_checkpoint(now_ns: int) -> None:
    """Stands in for a checkpoint where nothing is supervised."""


class _Checkpoint(partial[None]):
    """A checkpoint to be called with the time; as fast as a partial, and copied faster."""

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, object]) -> _Checkpoint:
        return _Checkpoint(deepcopy(self.func, memo), *self.args)


class _PlainCheckpoint:
    """One that is in one graph at most and in no deadline: `reached` for that, with less to ask."""

    __slots__ = ("_after", "_allowed", "_counts", "_manager", "_number", "_place", "_walker")

    def __init__(self, manager: WatchdogManager, number: int, row: Row) -> None:
        self._manager = manager
        self._number = number
        self._counts, self._place, self._walker, self._allowed, self._after, _ = row

    def reached(self, now_ns: int) -> None:
        """As `WatchdogManager.reached`."""
        walker = self._walker
        if not walker.place & self._allowed:
            self._manager.reached(self._number, now_ns)
            return
        walker.place = self._after
        if self._counts is not None:
            self._counts[self._place] += 1


class SupervisedTask:
    """A task between two checkpoints; stands in a schedule in place of its action.

    Whoever disturbs a schedule calls the parts: a hung task is `start` and nothing more, a slow
    one `start`, `action` and an `end` that comes later than `execution_ns` after the start.
    """

    __slots__ = (
        "_end",
        "_manager",
        "_passage",
        "_single",
        "_start",
        "action",
        "entity",
        "execution_ns",
    )

    _passage: Passage

    def __init__(
        self,
        manager: WatchdogManager,
        entity: str,
        action: Action,
        execution_ns: int,
        single: Collection[str] = (),
    ) -> None:
        """Raises `UsageError` where the entity has no checkpoints `start` and `end`.

        `single` are the checkpoints that tasks report by themselves.
        """
        self._manager = manager
        self._start = manager.checkpoint(f"{entity}.{START}")
        self._end = manager.checkpoint(f"{entity}.{END}")
        self._single = single
        self.action = action
        self.entity = entity
        self.execution_ns = execution_ns
        """Modelled: from start to end."""

    def __call__(self, now_ns: int) -> None:
        """The whole task, undisturbed."""
        reached = self._manager.reached
        reached(self._start, now_ns)
        self.action(now_ns)
        reached(self._end, now_ns + self.execution_ns)

    @property
    def undisturbed(self) -> Action:
        """What a schedule that nobody disturbs calls: the same as the task, with fewer calls."""
        passage = self._manager.passage(
            self.entity, START, END, self.execution_ns, without=self._single
        )
        if passage is None:
            return self.__call__
        self._passage = passage
        return self._pass

    def _pass(self, now_ns: int) -> None:
        """Both checkpoints in one, as long as everything is where it should be."""
        own, walker, allowed, after, counts, place = self._passage
        if own.place == INACTIVE and walker.place & allowed:
            walker.place = after
            counts[place] += 1
            action = self.action
            action(now_ns)
        else:
            self(now_ns)

    def start(self, now_ns: int) -> None:
        """Its first checkpoint."""
        self._manager.reached(self._start, now_ns)

    def end(self, now_ns: int) -> None:
        """Its last checkpoint, at the time at which the task ends."""
        self._manager.reached(self._end, now_ns)


class Supervision:
    """An ECU without supervision: nothing is watched, nothing is served, nothing fails."""

    __slots__ = ("global_status",)

    def __init__(self) -> None:
        self.global_status = GlobalStatus.DEACTIVATED
        """Of the whole ECU; DEACTIVATED where nothing is supervised."""

    def local_status(self, entity: str) -> LocalStatus:
        """Of one supervised entity."""
        return LocalStatus.DEACTIVATED

    @property
    def error_count(self) -> int:
        """Error counter of the external watchdog, at most `ERROR_COUNT_MAX`; 0 without one."""
        return 0

    @property
    def enabled(self) -> bool:
        """Whether the enable line of the external watchdog is high; it is without one."""
        return True

    @property
    def first_expired_code(self) -> int:
        """Place of the entity that expired first in the list of entities, from 1; 0 for none.

        It is kept over a reset.
        """
        return 0

    @property
    def safe_state_demanded(self) -> bool:
        """Whether `demand_safe_state` was called since power on."""
        return False

    def report_to(self, codes: TroubleCodeReports) -> None:
        """Where trouble codes of the supervision go."""

    def set_mode(self, name: str, now_ns: int) -> None:
        """Change to another supervision mode."""

    def demand_safe_state(self, reason: str) -> None:
        """Monitoring of function found a danger: no more service until the next reset."""


NO_SUPERVISION = Supervision()


class WatchdogSupervision(Supervision):
    """The Watchdog Manager of one ECU, its log, and the service of the external watchdog."""

    __slots__ = (
        "_codes",
        "_demanded",
        "_has_watchdog",
        "_may_serve",
        "_port",
        "_single",
        "_steps_ahead",
        "_steps_per_cycle",
        "manager",
        "settings",
    )

    def __init__(self, settings: SupervisionSettings, port: Port, now_ns: int) -> None:
        super().__init__()
        self.settings = settings
        self._port = port
        self._codes: TroubleCodeReports = NO_TROUBLE_CODES
        # A port of somebody else's making may lack the attribute.
        self._has_watchdog = hasattr(port, "watchdog")
        self._demanded = False
        self._single: list[str] = []
        """Checkpoints that tasks report in their bodies."""
        self._steps_per_cycle = self._steps_ahead = 1
        self.manager = WatchdogManager(settings, port.memory)
        self._may_serve = False
        # That the entities of the first mode are supervised now goes without saying.
        self._tell(tuple(each for each in self.manager.start(now_ns) if not each.entity), now_ns)
        first = self.manager.first_expired
        if first is not None:
            port.log("note", f"supervision: {first} had expired first before this start")

    def local_status(self, entity: str) -> LocalStatus:
        """Of one supervised entity."""
        return self.manager.local_status(entity)

    @property
    def error_count(self) -> int:
        """Error counter of the external watchdog, at most `ERROR_COUNT_MAX`; 0 without one."""
        line = getattr(self._port, "watchdog", None)
        return 0 if line is None else min(line.error_count, ERROR_COUNT_MAX)

    @property
    def enabled(self) -> bool:
        """Whether the enable line of the external watchdog is high; it is without one."""
        line = getattr(self._port, "watchdog", None)
        return line is None or line.enabled

    @property
    def first_expired_code(self) -> int:
        """Place of the entity that expired first in the list of entities, from 1; 0 for none."""
        first = self.manager.first_expired
        names = [entity.name for entity in self.settings.entities]
        return 0 if first is None else names.index(first) + 1

    @property
    def safe_state_demanded(self) -> bool:
        """Whether `demand_safe_state` was called since power on."""
        return self._demanded

    def checkpoint(self, name: str) -> Callable[[int], object]:
        """What a task calls with `now_ns` at `entity.checkpoint`; `UsageError` for no such one."""
        number = self.manager.checkpoint(name)
        self._single.append(name)
        row = self.manager.plain_row(number)
        if row is not None:
            return _PlainCheckpoint(self.manager, number, row).reached
        return _Checkpoint(self.manager.reached, number)

    def supervised(self, action: Action, entity: str, execution_ns: int) -> Action:
        """The action between the checkpoints `entity.start` and `entity.end`."""
        return SupervisedTask(self.manager, entity, action, execution_ns, self._single)

    def set_mode(self, name: str, now_ns: int) -> None:
        """Change to another supervision mode. Raises `UsageError` for none of the settings."""
        self._tell(self.manager.set_mode(name, now_ns), now_ns)

    def demand_safe_state(self, reason: str) -> None:
        """Monitoring of function found a danger: no more service until the next reset."""
        if not self._demanded:
            self._demanded = True
            self._may_serve = False
            self._port.log("reaction", f"watchdog no longer served: {reason}")

    def steps_every(self, period_ns: int) -> None:
        """How often `task` is going to be called: as often as the supervision cycle, or more."""
        cycle_ns = self.settings.cycle_ns
        if period_ns <= 0 or cycle_ns % period_ns:
            raise UsageError(
                f"{self._port.name}: period of the supervision task",
                expected=f"a whole part of the supervision cycle of {format_ns(cycle_ns)}",
                got=format_ns(period_ns),
            )
        self._steps_per_cycle = self._steps_ahead = cycle_ns // period_ns

    @property
    def task(self) -> Action:
        """The supervision task."""
        return self.cycle if self._steps_per_cycle == 1 else self._step

    def _step(self, now_ns: int) -> None:
        """Called more often than once per supervision cycle."""
        self._steps_ahead -= 1
        if not self._steps_ahead:
            self._steps_ahead = self._steps_per_cycle
            self.cycle(now_ns)
        else:
            self._serve(now_ns)

    def cycle(self, now_ns: int) -> None:
        """Judge what the others did, then serve the external watchdog."""
        changes = self.manager.main_function(now_ns)
        if changes:
            self._tell(changes, now_ns)
        # Asked anew each time: a fault may stand between the software and its watchdog.
        line = self._port.watchdog if self._has_watchdog else None
        if line is not None:
            line.service.step(line, now_ns, allowed=self._may_serve)

    def _serve(self, now_ns: int) -> None:
        line = self._port.watchdog if self._has_watchdog else None
        if line is not None:
            line.service.step(line, now_ns, allowed=self._may_serve)

    def _tell(self, changes: tuple[StatusChange, ...], now_ns: int) -> None:
        """Of the manager's status only changes are looked at: they are rare."""
        self.global_status = self.manager.global_status
        self._may_serve = self.manager.may_trigger and not self._demanded
        for change in changes:
            log_change(self._port.log, change)
            if change.after is LocalStatus.FAILED:
                self._codes.failed(SUPERVISION_FAILED, now_ns)
            elif change.after is LocalStatus.EXPIRED:
                self._codes.failed(SUPERVISION_EXPIRED, now_ns)
        if self.global_status is GlobalStatus.OK:
            self._codes.passed(SUPERVISION_FAILED, now_ns)

    def report_to(self, codes: TroubleCodeReports) -> None:
        """See `Supervision.report_to`."""
        self._codes = codes
