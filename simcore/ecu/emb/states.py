"""States of a brake actuator: enums, table, driver.

State values are the DBC's raw values of `EMB_xx_State`. The table is total: `TRANSITIONS` and
`IGNORED` are disjoint and together cover every pair of state and event.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class EmbState(IntEnum):
    """Operating state, as reported in `EMB_xx_St1`."""

    INIT = 0
    SELF_TEST = 1
    READY = 2
    FORCE_CTRL = 3
    PARK_APPLYING = 4
    PARK_APPLIED = 5
    PARK_RELEASING = 6
    DEGRADED = 7
    SAFE_RELEASED = 8
    FAULT_LOCKED = 9
    SERVICE = 10
    SLEEP = 11


@unique
class EmbEvent(IntEnum):
    """What moves the actuator between states. Guards and timeouts are events of their own."""

    INITIALISED = 0
    SELF_TEST_PASSED = 1
    SELF_TEST_FAILED = 2
    FORCE_REQUESTED = 3
    RELEASE_REQUESTED = 4
    PARK_APPLY_REQUESTED = 5
    PARK_LOCKED = 6
    PARK_RELEASE_REQUESTED = 7
    PARK_UNLOCKED = 8
    FORCE_SENSOR_LOST = 9
    MOTION_SENSOR_LOST = 10
    SUPPLY_LOST = 11
    SUPPLY_RESTORED = 12


_S = EmbState
_E = EmbEvent

TRANSITIONS: dict[tuple[EmbState, EmbEvent], EmbState] = {
    (_S.INIT, _E.INITIALISED): _S.SELF_TEST,
    (_S.INIT, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.SELF_TEST, _E.SELF_TEST_PASSED): _S.READY,
    (_S.SELF_TEST, _E.SELF_TEST_FAILED): _S.SAFE_RELEASED,
    (_S.SELF_TEST, _E.PARK_LOCKED): _S.PARK_APPLIED,  # woke up parked: BRK-008
    (_S.SELF_TEST, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.READY, _E.FORCE_REQUESTED): _S.FORCE_CTRL,
    (_S.READY, _E.PARK_APPLY_REQUESTED): _S.PARK_APPLYING,
    (_S.READY, _E.FORCE_SENSOR_LOST): _S.DEGRADED,
    (_S.READY, _E.MOTION_SENSOR_LOST): _S.SAFE_RELEASED,
    (_S.READY, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.FORCE_CTRL, _E.RELEASE_REQUESTED): _S.READY,  # BRK-004
    (_S.FORCE_CTRL, _E.PARK_APPLY_REQUESTED): _S.PARK_APPLYING,
    (_S.FORCE_CTRL, _E.FORCE_SENSOR_LOST): _S.DEGRADED,
    (_S.FORCE_CTRL, _E.MOTION_SENSOR_LOST): _S.SAFE_RELEASED,  # BRK-003
    (_S.FORCE_CTRL, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.PARK_APPLYING, _E.PARK_LOCKED): _S.PARK_APPLIED,
    (_S.PARK_APPLYING, _E.PARK_RELEASE_REQUESTED): _S.PARK_RELEASING,
    (_S.PARK_APPLYING, _E.MOTION_SENSOR_LOST): _S.FAULT_LOCKED,
    (_S.PARK_APPLYING, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.PARK_APPLIED, _E.PARK_RELEASE_REQUESTED): _S.PARK_RELEASING,
    (_S.PARK_APPLIED, _E.MOTION_SENSOR_LOST): _S.FAULT_LOCKED,  # BRK-008: stays locked
    (_S.PARK_RELEASING, _E.PARK_UNLOCKED): _S.READY,
    (_S.PARK_RELEASING, _E.PARK_APPLY_REQUESTED): _S.PARK_APPLYING,
    (_S.PARK_RELEASING, _E.MOTION_SENSOR_LOST): _S.FAULT_LOCKED,
    (_S.PARK_RELEASING, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.DEGRADED, _E.MOTION_SENSOR_LOST): _S.SAFE_RELEASED,
    (_S.DEGRADED, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.SAFE_RELEASED, _E.SUPPLY_RESTORED): _S.INIT,
}

IGNORED: frozenset[tuple[EmbState, EmbEvent]] = frozenset(
    # start-up: nothing is obeyed before the self-test is passed
    {(_S.INIT, event) for event in _E if event not in (_E.INITIALISED, _E.SUPPLY_LOST)}
    | {
        (_S.SELF_TEST, event)
        for event in _E
        if event not in (_E.SELF_TEST_PASSED, _E.SELF_TEST_FAILED, _E.PARK_LOCKED, _E.SUPPLY_LOST)
    }
    # requests that are fulfilled already, or contradict the state
    | {
        (_S.READY, _E.INITIALISED),
        (_S.READY, _E.SELF_TEST_PASSED),
        (_S.READY, _E.SELF_TEST_FAILED),
        (_S.READY, _E.RELEASE_REQUESTED),
        (_S.READY, _E.PARK_LOCKED),
        (_S.READY, _E.PARK_RELEASE_REQUESTED),
        (_S.READY, _E.PARK_UNLOCKED),
        (_S.READY, _E.SUPPLY_RESTORED),
        (_S.FORCE_CTRL, _E.INITIALISED),
        (_S.FORCE_CTRL, _E.SELF_TEST_PASSED),
        (_S.FORCE_CTRL, _E.SELF_TEST_FAILED),
        (_S.FORCE_CTRL, _E.FORCE_REQUESTED),
        (_S.FORCE_CTRL, _E.PARK_LOCKED),
        (_S.FORCE_CTRL, _E.PARK_RELEASE_REQUESTED),
        (_S.FORCE_CTRL, _E.PARK_UNLOCKED),
        (_S.FORCE_CTRL, _E.SUPPLY_RESTORED),
    }
    | {
        (_S.PARK_APPLYING, event)
        for event in _E
        if event
        not in (
            _E.PARK_LOCKED,
            _E.PARK_RELEASE_REQUESTED,
            _E.MOTION_SENSOR_LOST,
            _E.SUPPLY_LOST,
        )
    }
    # a locked brake needs no supply and no force sensor
    | {
        (_S.PARK_APPLIED, event)
        for event in _E
        if event not in (_E.PARK_RELEASE_REQUESTED, _E.MOTION_SENSOR_LOST)
    }
    | {
        (_S.PARK_RELEASING, event)
        for event in _E
        if event
        not in (
            _E.PARK_UNLOCKED,
            _E.PARK_APPLY_REQUESTED,
            _E.MOTION_SENSOR_LOST,
            _E.SUPPLY_LOST,
        )
    }
    # degraded brakes on, with estimated force, until the next power cycle; it does not park
    | {(_S.DEGRADED, event) for event in _E if event not in (_E.MOTION_SENSOR_LOST, _E.SUPPLY_LOST)}
    | {(_S.SAFE_RELEASED, event) for event in _E if event is not _E.SUPPLY_RESTORED}
    # left by a power cycle only; SERVICE and SLEEP are not entered yet
    | {(state, event) for state in (_S.FAULT_LOCKED, _S.SERVICE, _S.SLEEP) for event in _E}
)

BRAKING = frozenset({EmbState.READY, EmbState.FORCE_CTRL, EmbState.DEGRADED})
"""States in which a force request is obeyed."""


def next_state(state: EmbState, event: EmbEvent) -> EmbState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)
