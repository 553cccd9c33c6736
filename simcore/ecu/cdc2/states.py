"""States of the secondary domain controller: enums, table, driver.

The table is total: `TRANSITIONS` and `IGNORED` are disjoint and together cover every pair of state
and event.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class StandbyState(IntEnum):
    """What the secondary does."""

    START_UP = 0
    """The primary may not be there yet."""
    STANDBY = 1
    """The primary commands; this one watches."""
    COMMANDING = 2


@unique
class StandbyEvent(IntEnum):
    """What moves it."""

    PRIMARY_SEEN = 0
    """A first valid command of the primary."""
    STARTED = 1
    """Start-up time is over."""
    PRIMARY_LOST = 2
    """No valid command for three cycles."""
    PRIMARY_BACK = 3
    """Valid commands for long enough."""


_S = StandbyState
_E = StandbyEvent

TRANSITIONS: dict[tuple[StandbyState, StandbyEvent], StandbyState] = {
    (_S.START_UP, _E.PRIMARY_SEEN): _S.STANDBY,
    (_S.START_UP, _E.STARTED): _S.STANDBY,
    (_S.STANDBY, _E.PRIMARY_LOST): _S.COMMANDING,  # DEG-002
    (_S.COMMANDING, _E.PRIMARY_BACK): _S.STANDBY,
}

IGNORED: frozenset[tuple[StandbyState, StandbyEvent]] = frozenset(
    {
        # who has not seen the primary yet has not lost it
        (_S.START_UP, _E.PRIMARY_LOST),
        (_S.START_UP, _E.PRIMARY_BACK),
        (_S.STANDBY, _E.PRIMARY_SEEN),
        (_S.STANDBY, _E.STARTED),
        (_S.STANDBY, _E.PRIMARY_BACK),
        # one valid command is no reason to let go
        (_S.COMMANDING, _E.PRIMARY_SEEN),
        (_S.COMMANDING, _E.STARTED),
        (_S.COMMANDING, _E.PRIMARY_LOST),
    }
)


def next_state(state: StandbyState, event: StandbyEvent) -> StandbyState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)
