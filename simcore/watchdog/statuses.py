"""Local and global supervision status: states, events, the two total tables, and what is reported.

Both tables are literal: `TRANSITIONS` and `IGNORED` are disjoint and together all pairs. Counting
(the failed reference cycles of an entity, the expired supervision cycles of all) sits with the
owner and arrives here as events of their own: tolerated or beyond.

Source: AUTOSAR SWS Watchdog Manager; the raw values are the standard's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique


@unique
class LocalStatus(IntEnum):
    """Local Supervision Status: one supervised entity."""

    OK = 0
    FAILED = 1
    """Alive supervision failed, within the tolerance."""
    EXPIRED = 2
    """Failed for good, until the supervision is started again."""
    DEACTIVATED = 4
    """Not supervised in this mode."""


@unique
class GlobalStatus(IntEnum):
    """Global Supervision Status: the whole ECU."""

    OK = 0
    FAILED = 1
    EXPIRED = 2
    """An entity expired; the watchdog is still served for `expired_tolerance` cycles."""
    STOPPED = 3
    """The watchdog is no longer served."""
    DEACTIVATED = 4
    """Not started."""


@unique
class LocalEvent(IntEnum):
    """What one supervision cycle, or a change of mode, means for an entity."""

    FLOW_INCORRECT = 0
    """Deadline or logical supervision found something."""
    ALIVE_INCORRECT_TOLERATED = 1
    """Alive incorrect at its reference cycle, failed cycles + 1 <= tolerance."""
    ALIVE_INCORRECT_BEYOND = 2
    """Alive incorrect at its reference cycle, failed cycles + 1 > tolerance."""
    ALIVE_CORRECT_RECOVERING = 3
    """Alive correct at its reference cycle, failed cycles > 1."""
    ALIVE_CORRECT_RECOVERED = 4
    """Alive correct at its reference cycle, failed cycles <= 1."""
    ACTIVATED = 5
    """The mode entered supervises the entity, the one left did not."""
    REMOVED = 6
    """The mode entered does not supervise the entity."""


@unique
class GlobalEvent(IntEnum):
    """What all local statuses amount to, once per supervision cycle."""

    STARTED = 0
    ALL_OK = 1
    SOME_FAILED = 2
    """At least one FAILED, none EXPIRED."""
    EXPIRED_TOLERATED = 3
    """At least one EXPIRED, for no more cycles than tolerated."""
    EXPIRED_BEYOND = 4
    """At least one EXPIRED, for more cycles than tolerated."""


LOCAL_TRANSITIONS: dict[tuple[LocalStatus, LocalEvent], LocalStatus] = {
    (LocalStatus.OK, LocalEvent.FLOW_INCORRECT): LocalStatus.EXPIRED,  # 00202
    (LocalStatus.OK, LocalEvent.ALIVE_INCORRECT_TOLERATED): LocalStatus.FAILED,  # 00203
    (LocalStatus.OK, LocalEvent.ALIVE_INCORRECT_BEYOND): LocalStatus.EXPIRED,  # 00202
    (LocalStatus.OK, LocalEvent.REMOVED): LocalStatus.DEACTIVATED,  # 00207, 00315
    (LocalStatus.FAILED, LocalEvent.FLOW_INCORRECT): LocalStatus.EXPIRED,  # 00206
    (LocalStatus.FAILED, LocalEvent.ALIVE_INCORRECT_TOLERATED): LocalStatus.FAILED,  # 00204
    (LocalStatus.FAILED, LocalEvent.ALIVE_INCORRECT_BEYOND): LocalStatus.EXPIRED,  # 00206
    (LocalStatus.FAILED, LocalEvent.ALIVE_CORRECT_RECOVERING): LocalStatus.FAILED,  # 00300
    (LocalStatus.FAILED, LocalEvent.ALIVE_CORRECT_RECOVERED): LocalStatus.OK,  # 00205
    (LocalStatus.FAILED, LocalEvent.REMOVED): LocalStatus.DEACTIVATED,  # 00291, 00315
    (LocalStatus.DEACTIVATED, LocalEvent.ACTIVATED): LocalStatus.OK,  # 00209
}
"""Comments: SWS_WdgM_xxxxx."""

LOCAL_IGNORED: frozenset[tuple[LocalStatus, LocalEvent]] = frozenset(
    {
        # Nothing to recover from.
        (LocalStatus.OK, LocalEvent.ALIVE_CORRECT_RECOVERING),
        (LocalStatus.OK, LocalEvent.ALIVE_CORRECT_RECOVERED),
        # Supervised before and after: status and counters stay (00182).
        (LocalStatus.OK, LocalEvent.ACTIVATED),
        (LocalStatus.FAILED, LocalEvent.ACTIVATED),
        # What is not supervised cannot fail (00208).
        (LocalStatus.DEACTIVATED, LocalEvent.FLOW_INCORRECT),
        (LocalStatus.DEACTIVATED, LocalEvent.ALIVE_INCORRECT_TOLERATED),
        (LocalStatus.DEACTIVATED, LocalEvent.ALIVE_INCORRECT_BEYOND),
        (LocalStatus.DEACTIVATED, LocalEvent.ALIVE_CORRECT_RECOVERING),
        (LocalStatus.DEACTIVATED, LocalEvent.ALIVE_CORRECT_RECOVERED),
        (LocalStatus.DEACTIVATED, LocalEvent.REMOVED),
    }
    # EXPIRED stays, whatever comes and whichever mode, until the supervision is started again.
    | {(LocalStatus.EXPIRED, event) for event in LocalEvent}
)
"""Pairs that change nothing. Together with `LOCAL_TRANSITIONS` they are all pairs."""

GLOBAL_TRANSITIONS: dict[tuple[GlobalStatus, GlobalEvent], GlobalStatus] = {
    (GlobalStatus.DEACTIVATED, GlobalEvent.STARTED): GlobalStatus.OK,
    (GlobalStatus.OK, GlobalEvent.SOME_FAILED): GlobalStatus.FAILED,  # 00076
    (GlobalStatus.OK, GlobalEvent.EXPIRED_TOLERATED): GlobalStatus.EXPIRED,  # 00215
    (GlobalStatus.OK, GlobalEvent.EXPIRED_BEYOND): GlobalStatus.STOPPED,  # 00216
    (GlobalStatus.FAILED, GlobalEvent.STARTED): GlobalStatus.OK,
    (GlobalStatus.FAILED, GlobalEvent.ALL_OK): GlobalStatus.OK,  # 00218
    (GlobalStatus.FAILED, GlobalEvent.EXPIRED_TOLERATED): GlobalStatus.EXPIRED,  # 00077
    (GlobalStatus.FAILED, GlobalEvent.EXPIRED_BEYOND): GlobalStatus.STOPPED,  # 00117
    (GlobalStatus.EXPIRED, GlobalEvent.STARTED): GlobalStatus.OK,
    (GlobalStatus.EXPIRED, GlobalEvent.EXPIRED_BEYOND): GlobalStatus.STOPPED,  # 00220
    (GlobalStatus.STOPPED, GlobalEvent.STARTED): GlobalStatus.OK,
}
"""Comments: SWS_WdgM_xxxxx."""

GLOBAL_IGNORED: frozenset[tuple[GlobalStatus, GlobalEvent]] = frozenset(
    {
        (GlobalStatus.OK, GlobalEvent.STARTED),
        (GlobalStatus.OK, GlobalEvent.ALL_OK),  # 00078
        (GlobalStatus.FAILED, GlobalEvent.SOME_FAILED),  # 00217
        (GlobalStatus.EXPIRED, GlobalEvent.EXPIRED_TOLERATED),  # 00219
        # An expired entity stays expired: these do not come, and would not heal if they did.
        (GlobalStatus.EXPIRED, GlobalEvent.ALL_OK),
        (GlobalStatus.EXPIRED, GlobalEvent.SOME_FAILED),
        # STOPPED until the supervision is started again (00221).
        (GlobalStatus.STOPPED, GlobalEvent.ALL_OK),
        (GlobalStatus.STOPPED, GlobalEvent.SOME_FAILED),
        (GlobalStatus.STOPPED, GlobalEvent.EXPIRED_TOLERATED),
        (GlobalStatus.STOPPED, GlobalEvent.EXPIRED_BEYOND),
        # Not started: no cycle counts.
        (GlobalStatus.DEACTIVATED, GlobalEvent.ALL_OK),
        (GlobalStatus.DEACTIVATED, GlobalEvent.SOME_FAILED),
        (GlobalStatus.DEACTIVATED, GlobalEvent.EXPIRED_TOLERATED),
        (GlobalStatus.DEACTIVATED, GlobalEvent.EXPIRED_BEYOND),
    }
)
"""Pairs that change nothing. Together with `GLOBAL_TRANSITIONS` they are all pairs."""

MAY_TRIGGER: dict[GlobalStatus, bool] = {
    GlobalStatus.OK: True,  # 00119
    GlobalStatus.FAILED: True,  # 00120
    GlobalStatus.EXPIRED: True,  # 00121
    GlobalStatus.STOPPED: False,  # 00122
    GlobalStatus.DEACTIVATED: False,
}
"""Whether the watchdog is served (SetTriggerCondition). Comments: SWS_WdgM_xxxxx."""


def next_local(status: LocalStatus, event: LocalEvent) -> LocalStatus:
    """The local status after `event`."""
    return LOCAL_TRANSITIONS.get((status, event), status)


def next_global(status: GlobalStatus, event: GlobalEvent) -> GlobalStatus:
    """The global status after `event`."""
    return GLOBAL_TRANSITIONS.get((status, event), status)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One change of a local or of the global status."""

    time_ns: int
    entity: str
    """Empty for the global status."""
    before: LocalStatus | GlobalStatus
    after: LocalStatus | GlobalStatus
    reason: str
    """For people: `alive 0 of 1 in 2 cycles at control.start`."""
