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
    ENABLE_LOST = 13
    """The external watchdog has taken the power stage away (WDG-003)."""
    ENABLE_RESTORED = 14
    FUNCTION_CUT = 15
    """Level 2 has shut the power stage off (SAF-002)."""
    ACTUATOR_JAMMED = 16
    """Current without motion."""
    ACTUATOR_FREE = 17
    """Motion without force."""
    ACTUATOR_SLOW = 18
    """Full current, and less speed than that gives."""
    OVERHEATED = 19
    COOLED_DOWN = 20
    PARK_LOCK_LOST = 21
    """The lock of a parked brake has opened by itself, or the force has gone."""


_S = EmbState
_E = EmbEvent

_CUT_OFF = (_E.ENABLE_LOST, _E.FUNCTION_CUT, _E.OVERHEATED, _E.SUPPLY_LOST)
"""The motor gets no current any more, or must not: released."""

TRANSITIONS: dict[tuple[EmbState, EmbEvent], EmbState] = {
    (_S.INIT, _E.INITIALISED): _S.SELF_TEST,
    (_S.INIT, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    (_S.SELF_TEST, _E.SELF_TEST_PASSED): _S.READY,
    (_S.SELF_TEST, _E.SELF_TEST_FAILED): _S.SAFE_RELEASED,
    (_S.SELF_TEST, _E.PARK_LOCKED): _S.PARK_APPLIED,  # woke up parked: BRK-008
    (_S.SELF_TEST, _E.SUPPLY_LOST): _S.SAFE_RELEASED,
    # a power stage that drives by itself does so in start-up, too: SAF-002
    (_S.INIT, _E.FUNCTION_CUT): _S.SAFE_RELEASED,
    (_S.SELF_TEST, _E.FUNCTION_CUT): _S.SAFE_RELEASED,
    (_S.READY, _E.FORCE_REQUESTED): _S.FORCE_CTRL,
    (_S.READY, _E.PARK_APPLY_REQUESTED): _S.PARK_APPLYING,
    (_S.READY, _E.FORCE_SENSOR_LOST): _S.DEGRADED,
    (_S.READY, _E.MOTION_SENSOR_LOST): _S.SAFE_RELEASED,
    (_S.READY, _E.ACTUATOR_SLOW): _S.DEGRADED,  # brakes on, and says that it is weak
    (_S.READY, _E.ACTUATOR_JAMMED): _S.FAULT_LOCKED,  # nothing moves it, so nothing is tried
    (_S.READY, _E.ACTUATOR_FREE): _S.SAFE_RELEASED,
    (_S.FORCE_CTRL, _E.RELEASE_REQUESTED): _S.READY,  # BRK-004
    (_S.FORCE_CTRL, _E.PARK_APPLY_REQUESTED): _S.PARK_APPLYING,
    (_S.FORCE_CTRL, _E.FORCE_SENSOR_LOST): _S.DEGRADED,
    (_S.FORCE_CTRL, _E.MOTION_SENSOR_LOST): _S.SAFE_RELEASED,  # BRK-003
    (_S.FORCE_CTRL, _E.ACTUATOR_SLOW): _S.DEGRADED,
    (_S.FORCE_CTRL, _E.ACTUATOR_JAMMED): _S.FAULT_LOCKED,
    (_S.FORCE_CTRL, _E.ACTUATOR_FREE): _S.SAFE_RELEASED,
    (_S.PARK_APPLYING, _E.PARK_LOCKED): _S.PARK_APPLIED,
    (_S.PARK_APPLYING, _E.PARK_RELEASE_REQUESTED): _S.PARK_RELEASING,
    (_S.PARK_APPLYING, _E.MOTION_SENSOR_LOST): _S.FAULT_LOCKED,
    (_S.PARK_APPLYING, _E.ACTUATOR_JAMMED): _S.FAULT_LOCKED,
    (_S.PARK_APPLYING, _E.ACTUATOR_FREE): _S.FAULT_LOCKED,
    (_S.PARK_APPLIED, _E.PARK_RELEASE_REQUESTED): _S.PARK_RELEASING,
    (_S.PARK_APPLIED, _E.PARK_LOCK_LOST): _S.PARK_APPLYING,  # clamp and lock again: BRK-008
    (_S.PARK_APPLIED, _E.MOTION_SENSOR_LOST): _S.FAULT_LOCKED,  # BRK-008: stays locked
    (_S.PARK_RELEASING, _E.PARK_UNLOCKED): _S.READY,
    (_S.PARK_RELEASING, _E.PARK_APPLY_REQUESTED): _S.PARK_APPLYING,
    (_S.PARK_RELEASING, _E.MOTION_SENSOR_LOST): _S.FAULT_LOCKED,
    (_S.PARK_RELEASING, _E.ACTUATOR_JAMMED): _S.FAULT_LOCKED,
    (_S.PARK_RELEASING, _E.ACTUATOR_FREE): _S.FAULT_LOCKED,
    (_S.DEGRADED, _E.MOTION_SENSOR_LOST): _S.SAFE_RELEASED,
    (_S.DEGRADED, _E.ACTUATOR_JAMMED): _S.FAULT_LOCKED,
    (_S.DEGRADED, _E.ACTUATOR_FREE): _S.SAFE_RELEASED,
    (_S.SAFE_RELEASED, _E.SUPPLY_RESTORED): _S.INIT,
    (_S.SAFE_RELEASED, _E.ENABLE_RESTORED): _S.INIT,  # the watchdog is served again: take part
    (_S.SAFE_RELEASED, _E.COOLED_DOWN): _S.INIT,
    **{
        (state, event): _S.SAFE_RELEASED
        for state in (
            _S.READY,
            _S.FORCE_CTRL,
            _S.PARK_APPLYING,
            _S.PARK_RELEASING,
            _S.DEGRADED,
        )
        for event in _CUT_OFF
    },
}

_LISTENS_TO: dict[EmbState, frozenset[EmbEvent]] = {
    # start-up: nothing is obeyed or judged before the self-test, but what cuts the motor
    _S.INIT: frozenset({_E.INITIALISED, _E.SUPPLY_LOST, _E.FUNCTION_CUT}),
    # the self-test itself judges sensors when it ends
    _S.SELF_TEST: frozenset(
        {
            _E.SELF_TEST_PASSED,
            _E.SELF_TEST_FAILED,
            _E.PARK_LOCKED,
            _E.SUPPLY_LOST,
            _E.FUNCTION_CUT,
        }
    ),
    # the rest are requests that are fulfilled already, or ends of states it is not in
    _S.READY: frozenset(
        {
            _E.FORCE_REQUESTED,
            _E.PARK_APPLY_REQUESTED,
            _E.FORCE_SENSOR_LOST,
            _E.MOTION_SENSOR_LOST,
            _E.ACTUATOR_SLOW,
            _E.ACTUATOR_JAMMED,
            _E.ACTUATOR_FREE,
            *_CUT_OFF,
        }
    ),
    _S.FORCE_CTRL: frozenset(
        {
            _E.RELEASE_REQUESTED,
            _E.PARK_APPLY_REQUESTED,
            _E.FORCE_SENSOR_LOST,
            _E.MOTION_SENSOR_LOST,
            _E.ACTUATOR_SLOW,
            _E.ACTUATOR_JAMMED,
            _E.ACTUATOR_FREE,
            *_CUT_OFF,
        }
    ),
    # parking takes the time it takes, with a force that is nominal
    _S.PARK_APPLYING: frozenset(
        {
            _E.PARK_LOCKED,
            _E.PARK_RELEASE_REQUESTED,
            _E.MOTION_SENSOR_LOST,
            _E.ACTUATOR_JAMMED,
            _E.ACTUATOR_FREE,
            *_CUT_OFF,
        }
    ),
    # a locked brake needs neither supply nor motor nor force sensor: BRK-008
    _S.PARK_APPLIED: frozenset(
        {_E.PARK_RELEASE_REQUESTED, _E.MOTION_SENSOR_LOST, _E.PARK_LOCK_LOST}
    ),
    _S.PARK_RELEASING: frozenset(
        {
            _E.PARK_UNLOCKED,
            _E.PARK_APPLY_REQUESTED,
            _E.MOTION_SENSOR_LOST,
            _E.ACTUATOR_JAMMED,
            _E.ACTUATOR_FREE,
            *_CUT_OFF,
        }
    ),
    # degraded brakes on, with estimated force or slowly, until the next power cycle; does not park
    _S.DEGRADED: frozenset(
        {_E.MOTION_SENSOR_LOST, _E.ACTUATOR_JAMMED, _E.ACTUATOR_FREE, *_CUT_OFF}
    ),
    # motor off: only the end of the cause leads on, through start-up
    _S.SAFE_RELEASED: frozenset({_E.SUPPLY_RESTORED, _E.ENABLE_RESTORED, _E.COOLED_DOWN}),
    # left by a power cycle only; SERVICE and SLEEP are not entered yet
    _S.FAULT_LOCKED: frozenset(),
    _S.SERVICE: frozenset(),
    _S.SLEEP: frozenset(),
}

IGNORED: frozenset[tuple[EmbState, EmbEvent]] = frozenset(
    (state, event) for state, heard in _LISTENS_TO.items() for event in _E if event not in heard
)

BRAKING = frozenset({EmbState.READY, EmbState.FORCE_CTRL, EmbState.DEGRADED})
"""States in which a force request is obeyed."""


def next_state(state: EmbState, event: EmbEvent) -> EmbState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)
