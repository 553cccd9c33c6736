"""One supervised entity at run time: its status, its failed cycles, what was found out about it.

The counting that the local table leaves to its owner: SWS_WdgM_00202 to 00206, 00300.
"""

from __future__ import annotations

from copy import deepcopy

from simcore.watchdog.alive import AliveCounter
from simcore.watchdog.settings import SupervisedEntity
from simcore.watchdog.statuses import LocalEvent, LocalStatus, StatusChange, next_local


class EntityMonitor:
    """Status of one entity. `finding` is written as checkpoints come, judged once per cycle."""

    __slots__ = (
        "settings",
        "index",
        "status",
        "failed_cycles",
        "tolerance",
        "alive",
        "finding",
    )

    def __init__(self, settings: SupervisedEntity, index: int) -> None:
        self.settings = settings
        self.index = index
        self.status = LocalStatus.DEACTIVATED
        self.failed_cycles = 0
        """Failed reference cycles, less the good ones since."""
        self.tolerance = 0
        self.alive: tuple[AliveCounter, ...] = ()
        self.finding = ""
        """The first thing deadline or logical supervision found; empty: nothing."""

    def __deepcopy__(self, memo: dict[int, object]) -> EntityMonitor:
        twin = EntityMonitor(self.settings, self.index)
        twin.status, twin.finding = self.status, self.finding
        twin.failed_cycles, twin.tolerance = self.failed_cycles, self.tolerance
        twin.alive = tuple(deepcopy(counter, memo) for counter in self.alive)
        return twin

    @property
    def name(self) -> str:
        """Of the entity."""
        return self.settings.name

    def take(self, event: LocalEvent, reason: str, now_ns: int) -> StatusChange | None:
        """Let the table decide; the change, where there is one."""
        before = self.status
        after = next_local(before, event)
        if after is before:
            return None
        self.status = after
        return StatusChange(
            time_ns=now_ns, entity=self.name, before=before, after=after, reason=reason
        )

    def judge_flow(self, now_ns: int) -> StatusChange | None:
        """Deadline and logical supervision, of what was found since the last time."""
        if not self.finding:
            return None
        reason, self.finding = self.finding, ""
        return self.take(LocalEvent.FLOW_INCORRECT, reason, now_ns)

    def judge_alive(self, now_ns: int) -> StatusChange | None:
        """Alive supervision, where a reference cycle just ended.

        Incorrect where one that ended is. Correct where all of the entity's are: one that was
        wrong at the end of its longer reference cycle is not healed by the others meanwhile.
        """
        ended = [alive for alive in self.alive if alive.ended]
        if not ended:
            return None
        for alive in ended:
            alive.ended = False
        findings = [alive.finding for alive in ended if not alive.correct]
        if findings:
            return self._alive_incorrect("; ".join(findings), now_ns)
        wrong = not all(alive.correct for alive in self.alive)
        if wrong or self.status is not LocalStatus.FAILED:
            return None
        return self._alive_correct(now_ns)

    def _alive_incorrect(self, reason: str, now_ns: int) -> StatusChange | None:
        if self.status not in (LocalStatus.OK, LocalStatus.FAILED):
            return None
        self.failed_cycles += 1
        if self.failed_cycles > self.tolerance:
            return self.take(LocalEvent.ALIVE_INCORRECT_BEYOND, reason, now_ns)
        return self.take(LocalEvent.ALIVE_INCORRECT_TOLERATED, reason, now_ns)

    def _alive_correct(self, now_ns: int) -> StatusChange | None:
        recovered = self.failed_cycles <= 1
        self.failed_cycles = 0 if recovered else self.failed_cycles - 1
        if recovered:
            return self.take(LocalEvent.ALIVE_CORRECT_RECOVERED, "alive as expected", now_ns)
        return self.take(LocalEvent.ALIVE_CORRECT_RECOVERING, "alive as expected", now_ns)
