"""States of a safety device: enums, table, driver. Common to the chips of presets.py.

The table is total: `TRANSITIONS` and `IGNORED` are disjoint and together all pairs. The names are
those of the TLF35584; the other two families have more states, which say nothing else to the ECU:
TPS65381 RESET, DIAGNOSTIC, ACTIVE, SAFE; FS65 INIT_FS, NORMAL_FS, deep fail-safe.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class DeviceState(IntEnum):
    """State of the chip as a whole."""

    OFF = 0
    INIT = 1
    """The ECU starts: the long first window is open."""
    NORMAL = 2
    """The ECU was served well once; windows and questions follow each other."""
    RESET = 3
    """The reset line is low."""
    FAILSAFE = 4
    """The ECU was reset too often: reset and enable line stay low until the supply is cycled."""


@unique
class DeviceInput(IntEnum):
    """What moves it."""

    POWERED = 0
    SERVED = 1
    """First good service of every watchdog in it."""
    THRESHOLD_REACHED = 2
    """An error counter says that the ECU is to be reset."""
    INIT_EXPIRED = 3
    """The long first window is over without a good service."""
    RESETS_EXHAUSTED = 4
    """Another reset would be one too many."""
    RESET_OVER = 5


_S = DeviceState
_I = DeviceInput

TRANSITIONS: dict[tuple[DeviceState, DeviceInput], DeviceState] = {
    (_S.OFF, _I.POWERED): _S.INIT,
    (_S.INIT, _I.POWERED): _S.INIT,  # supply was gone between two calls
    (_S.INIT, _I.SERVED): _S.NORMAL,
    (_S.INIT, _I.THRESHOLD_REACHED): _S.RESET,
    (_S.INIT, _I.INIT_EXPIRED): _S.RESET,
    (_S.INIT, _I.RESETS_EXHAUSTED): _S.FAILSAFE,
    (_S.NORMAL, _I.POWERED): _S.INIT,
    (_S.NORMAL, _I.THRESHOLD_REACHED): _S.RESET,
    (_S.NORMAL, _I.RESETS_EXHAUSTED): _S.FAILSAFE,
    (_S.RESET, _I.POWERED): _S.INIT,
    (_S.RESET, _I.RESET_OVER): _S.INIT,
    (_S.FAILSAFE, _I.POWERED): _S.INIT,
}

IGNORED: frozenset[tuple[DeviceState, DeviceInput]] = frozenset(
    # Without supply nothing happens.
    {(_S.OFF, each) for each in _I if each is not _I.POWERED}
    | {
        (_S.INIT, _I.RESET_OVER),
        # There is no first window any more.
        (_S.NORMAL, _I.SERVED),
        (_S.NORMAL, _I.INIT_EXPIRED),
        (_S.NORMAL, _I.RESET_OVER),
    }
    # An ECU in reset serves nothing and is not judged.
    | {
        (_S.RESET, each)
        for each in (_I.SERVED, _I.THRESHOLD_REACHED, _I.INIT_EXPIRED, _I.RESETS_EXHAUSTED)
    }
    | {(_S.FAILSAFE, each) for each in _I if each is not _I.POWERED}
)
"""Pairs that change nothing."""


def next_state(state: DeviceState, happened: DeviceInput) -> DeviceState:
    """The state after `happened`."""
    return TRANSITIONS.get((state, happened), state)
