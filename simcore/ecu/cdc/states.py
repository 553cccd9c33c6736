"""State machines of the domain controller: hold and monitor; and the degradation decision table.

Values are the DBC's raw values of `CDC_HoldSt`, `CDC_MonSt`, `CDC_ReqSrc` and `CDC_DegrLvl`. The
tables are total: transitions and ignored pairs are disjoint and together cover every pair of state
and event.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class HoldState(IntEnum):
    """Standstill hold, as `CDC_HoldSt`."""

    UNAVAIL = 0
    STANDBY = 1
    BLEND_IN = 2
    HOLDING = 3
    BLEND_OUT = 4
    PARK_HANDOVER = 5
    FAULT = 6
    INIT = 7


@unique
class HoldEvent(IntEnum):
    """What moves the hold function."""

    AVAILABLE = 0
    SWITCHED_OFF = 1
    STANDSTILL_BRAKED = 2
    """Standstill with a brake request: the driver stopped the car."""
    FORCE_REACHED = 3
    DRIVE_OFF = 4
    """Accelerator pressed, or the driver assistance releases the hold."""
    RELEASED = 5
    MOVING = 6
    """The car rolls faster than standstill."""
    ACTUATORS_LOST = 7


_S = HoldState
_E = HoldEvent

TRANSITIONS: dict[tuple[HoldState, HoldEvent], HoldState] = {
    (_S.INIT, _E.AVAILABLE): _S.STANDBY,
    (_S.INIT, _E.SWITCHED_OFF): _S.UNAVAIL,
    (_S.UNAVAIL, _E.AVAILABLE): _S.STANDBY,
    (_S.STANDBY, _E.SWITCHED_OFF): _S.UNAVAIL,
    (_S.STANDBY, _E.STANDSTILL_BRAKED): _S.BLEND_IN,
    (_S.STANDBY, _E.ACTUATORS_LOST): _S.FAULT,
    (_S.BLEND_IN, _E.FORCE_REACHED): _S.HOLDING,  # BRK-008
    (_S.BLEND_IN, _E.DRIVE_OFF): _S.BLEND_OUT,
    (_S.BLEND_IN, _E.SWITCHED_OFF): _S.BLEND_OUT,
    (_S.BLEND_IN, _E.ACTUATORS_LOST): _S.FAULT,
    (_S.HOLDING, _E.DRIVE_OFF): _S.BLEND_OUT,
    (_S.HOLDING, _E.SWITCHED_OFF): _S.BLEND_OUT,
    (_S.HOLDING, _E.ACTUATORS_LOST): _S.FAULT,
    (_S.BLEND_OUT, _E.RELEASED): _S.STANDBY,
    (_S.FAULT, _E.SWITCHED_OFF): _S.UNAVAIL,
}

IGNORED: frozenset[tuple[HoldState, HoldEvent]] = frozenset(
    {(_S.INIT, event) for event in _E if event not in (_E.AVAILABLE, _E.SWITCHED_OFF)}
    | {(_S.UNAVAIL, event) for event in _E if event is not _E.AVAILABLE}
    | {
        (_S.STANDBY, event)
        for event in _E
        if event not in (_E.SWITCHED_OFF, _E.STANDSTILL_BRAKED, _E.ACTUATORS_LOST)
    }
    # rolling while held is answered with more force, not with letting go
    | {
        (state, event)
        for state in (_S.BLEND_IN, _S.HOLDING)
        for event in (_E.AVAILABLE, _E.STANDSTILL_BRAKED, _E.RELEASED, _E.MOVING)
    }
    | {(_S.HOLDING, _E.FORCE_REACHED)}
    | {(_S.BLEND_OUT, event) for event in _E if event is not _E.RELEASED}
    | {(_S.FAULT, event) for event in _E if event is not _E.SWITCHED_OFF}
    # hand-over to the parking brake is not modelled yet
    | {(_S.PARK_HANDOVER, event) for event in _E}
)


def next_state(state: HoldState, event: HoldEvent) -> HoldState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


@unique
class MonitorState(IntEnum):
    """Monitoring of function, as `CDC_MonSt`."""

    OK = 0
    LIMITING = 1
    """Commands are limited to what this level permits."""
    CUT = 2
    """Requests are invalid and the watchdog is served no more, until the next reset."""


@unique
class MonitorEvent(IntEnum):
    """Outcome of its checks."""

    EXCESS = 0
    """A command beyond what is permitted."""
    PERSISTED = 1
    """Still beyond it, check after check, although limited."""
    SETTLED = 2
    """Within it for long enough."""


MONITOR_TRANSITIONS: dict[tuple[MonitorState, MonitorEvent], MonitorState] = {
    (MonitorState.OK, MonitorEvent.EXCESS): MonitorState.LIMITING,  # SAF-004
    (MonitorState.LIMITING, MonitorEvent.PERSISTED): MonitorState.CUT,  # SAF-002
    (MonitorState.LIMITING, MonitorEvent.SETTLED): MonitorState.OK,
}

MONITOR_IGNORED: frozenset[tuple[MonitorState, MonitorEvent]] = frozenset(
    {
        # what was never limited cannot persist in spite of it
        (MonitorState.OK, MonitorEvent.PERSISTED),
        (MonitorState.OK, MonitorEvent.SETTLED),
        (MonitorState.LIMITING, MonitorEvent.EXCESS),
    }
    # who cut has no way back but a reset
    | {(MonitorState.CUT, event) for event in MonitorEvent}
)


def next_monitor_state(state: MonitorState, event: MonitorEvent) -> MonitorState:
    """The state after `event`."""
    return MONITOR_TRANSITIONS.get((state, event), state)


@unique
class RequestSource(IntEnum):
    """Whose deceleration request is executed, as `CDC_ReqSrc`."""

    NONE = 0
    DRIVER = 1
    ACC = 2
    AEB = 3
    HOLD = 4


@unique
class Degradation(IntEnum):
    """Which part of the brake system is lost, as `CDC_DegrLvl`."""

    FULL = 0
    ONE_REAR = 1
    ONE_FRONT = 2
    AXLE = 3
    DIAGONAL = 4
    SIDE = 5
    THREE_LOST = 6
    ALL_LOST = 7
    PWR_A = 8
    PWR_B = 9
    BUS_A = 10
    BUS_B = 11
    PEDAL_DEGRADED = 12


_DEGRADATION_BY_LOST: dict[tuple[bool, bool, bool, bool], Degradation] = {
    # FL, FR, RL, RR lost
    (False, False, False, False): Degradation.FULL,
    (False, False, True, False): Degradation.ONE_REAR,
    (False, False, False, True): Degradation.ONE_REAR,
    (True, False, False, False): Degradation.ONE_FRONT,
    (False, True, False, False): Degradation.ONE_FRONT,
    (True, True, False, False): Degradation.AXLE,
    (False, False, True, True): Degradation.AXLE,
    (True, False, False, True): Degradation.DIAGONAL,
    (False, True, True, False): Degradation.DIAGONAL,
    (True, False, True, False): Degradation.SIDE,
    (False, True, False, True): Degradation.SIDE,
    (True, True, True, False): Degradation.THREE_LOST,
    (True, True, False, True): Degradation.THREE_LOST,
    (True, False, True, True): Degradation.THREE_LOST,
    (False, True, True, True): Degradation.THREE_LOST,
    (True, True, True, True): Degradation.ALL_LOST,
}


_FULL = Degradation.FULL
_DEGRADATION_BY_LANE = {0: Degradation.BUS_A, 1: Degradation.BUS_B}
_DEGRADATION_BY_SUPPLY = (Degradation.FULL, Degradation.PWR_A, Degradation.PWR_B)


def degradation(
    lost: tuple[bool, bool, bool, bool], *, pedal_degraded: bool, lane: int = -1, supply: int = 0
) -> Degradation:
    """Decision table: lost actuators, a lost supply, a degraded pedal, an impaired bus (`lane`).

    `supply` is 0 for none lost, 1 for A, 2 for B. What its loss costs, the lost actuators say.
    """
    level = _DEGRADATION_BY_LOST[lost]
    if level is not _FULL:
        return level
    if supply:
        return _DEGRADATION_BY_SUPPLY[supply]
    if pedal_degraded:
        return Degradation.PEDAL_DEGRADED
    return _DEGRADATION_BY_LANE.get(lane, _FULL)
