"""Phases of a bundle as its coordinator sees them: enums, table, driver (two-phase commit).

Before COMMITTING a single member that fails takes all back; from then on every member promised the
new image and rolls forward. The table is total. What the members do is in states.py.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class BundlePhase(IntEnum):
    """How far the bundle is. Persisted."""

    IDLE = 0
    GATHERING = 1
    """Until every member has its image staged and would be allowed to activate it."""
    ACTIVATING = 2
    """Until every member has promised: new image runs, self-test passed."""
    COMMITTING = 3
    """Decided. Until every member has confirmed."""
    ROLLING_BACK = 4
    """Decided. Until every member runs the old image for good."""
    COMMITTED = 5
    """Until every member has cleaned up."""
    ROLLED_BACK = 6


@unique
class BundleEvent(IntEnum):
    """What moves it."""

    BEGUN = 0
    ALL_STAGED = 1
    ALL_PROMISED = 2
    MEMBER_FAILED = 3
    """Or took its promise back, or runs the old image again."""
    EXPIRED = 4
    ABANDONED = 5
    """By the tester or the driver."""
    ALL_NEW = 6
    ALL_OLD = 7
    ALL_CLEAN = 8


_P = BundlePhase
_E = BundleEvent

TRANSITIONS: dict[tuple[BundlePhase, BundleEvent], BundlePhase] = {
    (_P.IDLE, _E.BEGUN): _P.GATHERING,
    (_P.GATHERING, _E.ALL_STAGED): _P.ACTIVATING,
    (_P.GATHERING, _E.MEMBER_FAILED): _P.ROLLING_BACK,
    (_P.GATHERING, _E.EXPIRED): _P.ROLLING_BACK,
    (_P.GATHERING, _E.ABANDONED): _P.ROLLING_BACK,
    (_P.ACTIVATING, _E.ALL_PROMISED): _P.COMMITTING,
    (_P.ACTIVATING, _E.MEMBER_FAILED): _P.ROLLING_BACK,
    (_P.ACTIVATING, _E.EXPIRED): _P.ROLLING_BACK,
    (_P.ACTIVATING, _E.ABANDONED): _P.ROLLING_BACK,
    (_P.COMMITTING, _E.ALL_NEW): _P.COMMITTED,
    (_P.ROLLING_BACK, _E.ALL_OLD): _P.ROLLED_BACK,
    (_P.COMMITTED, _E.ALL_CLEAN): _P.IDLE,
    (_P.ROLLED_BACK, _E.ALL_CLEAN): _P.IDLE,
}

_IGNORED_IN: dict[BundlePhase, tuple[BundleEvent, ...]] = {
    _P.IDLE: (
        *(_E.ALL_STAGED, _E.ALL_PROMISED, _E.MEMBER_FAILED, _E.EXPIRED, _E.ABANDONED),
        *(_E.ALL_NEW, _E.ALL_OLD, _E.ALL_CLEAN),
    ),
    _P.GATHERING: (_E.BEGUN, _E.ALL_PROMISED, _E.ALL_NEW, _E.ALL_OLD, _E.ALL_CLEAN),
    _P.ACTIVATING: (_E.BEGUN, _E.ALL_STAGED, _E.ALL_NEW, _E.ALL_OLD, _E.ALL_CLEAN),
    # Decided: nobody takes it back.
    _P.COMMITTING: (
        *(_E.BEGUN, _E.ALL_STAGED, _E.ALL_PROMISED, _E.MEMBER_FAILED, _E.EXPIRED),
        *(_E.ABANDONED, _E.ALL_OLD, _E.ALL_CLEAN),
    ),
    _P.ROLLING_BACK: (
        *(_E.BEGUN, _E.ALL_STAGED, _E.ALL_PROMISED, _E.MEMBER_FAILED, _E.EXPIRED),
        *(_E.ABANDONED, _E.ALL_NEW, _E.ALL_CLEAN),
    ),
    _P.COMMITTED: (
        *(_E.BEGUN, _E.ALL_STAGED, _E.ALL_PROMISED, _E.MEMBER_FAILED, _E.EXPIRED),
        *(_E.ABANDONED, _E.ALL_NEW, _E.ALL_OLD),
    ),
    _P.ROLLED_BACK: (
        *(_E.BEGUN, _E.ALL_STAGED, _E.ALL_PROMISED, _E.MEMBER_FAILED, _E.EXPIRED),
        *(_E.ABANDONED, _E.ALL_NEW, _E.ALL_OLD),
    ),
}

IGNORED: frozenset[tuple[BundlePhase, BundleEvent]] = frozenset(
    (phase, event) for phase, events in _IGNORED_IN.items() for event in events
)
"""Pairs that change nothing."""


def next_phase(phase: BundlePhase, event: BundleEvent) -> BundlePhase:
    """The phase after `event`."""
    return TRANSITIONS.get((phase, event), phase)
