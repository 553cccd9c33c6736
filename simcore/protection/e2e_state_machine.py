"""The E2E state machine: is a stream of checked frames trustworthy? AUTOSAR PRS_E2EProtocol, 6.10.

Three parts: states and events, the table, the driver. The driver keeps a window of the last checks
of the current state, counts OK and ERROR in it (REPEATED, WRONG_SEQUENCE and NO_NEW_DATA only use
up slots) and turns the counts into one event; the table says where that event leads. A machine
begins as after E2E_SMCheckInit: NO_DATA with an empty window. In DEINIT a check changes nothing
(the standard returns WRONGSTATE, here the state itself says so).

The statuses of profiles 1 and 2 count as `map_status_to_sm` says: WRONG_CRC is an ERROR; SYNC is OK
and INITIAL is WRONG_SEQUENCE, or the reverse without `profile_behavior`.

Extended, NO_DATA goes to INVALID when a window of WindowSizeInit checks has passed without data
(PRS_E2E_00675); at its first step where that window is 1. A stream that never came is then INVALID
instead of NO_DATA for ever, which PRS_E2E leaves to the configuration: `extended` is the choice.

Window rule where sizes differ between states, which implementations disagree on: the window is
"the last `window_size` checks since it was cleared"; entering a state with a larger window leaves
the additional slots empty (PRS_E2E_00607), entering one with a smaller window forgets the oldest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum, unique

from simcore.errors import UsageError
from simcore.protection.e2e_status import E2eSmStatus, E2eStatus, map_status_to_sm


@unique
class E2eState(IntEnum):
    """States with the standard's values."""

    VALID = 0
    DEINIT = 1
    NO_DATA = 2
    INIT = 3
    INVALID = 4


@unique
class E2eEvent(IntEnum):
    """What one check amounts to, judged in the window of the current state."""

    FIRST_DATA = 0
    """A status other than ERROR and NO_NEW_DATA."""
    WINDOW_EXHAUSTED = 1
    """Extended: a whole window passed, and nothing came or MinOkState is out of reach."""
    ENOUGH_OK = 2
    """ERROR count <= MaxErrorState and OK count >= MinOkState."""
    TOO_MANY_ERRORS = 3
    """ERROR count > MaxErrorState."""
    TOO_FEW_OK = 4
    """ERROR count <= MaxErrorState but OK count < MinOkState."""


TRANSITIONS: dict[tuple[E2eState, E2eEvent], E2eState] = {
    (E2eState.NO_DATA, E2eEvent.FIRST_DATA): E2eState.INIT,  # PRS_E2E_00375
    (E2eState.NO_DATA, E2eEvent.WINDOW_EXHAUSTED): E2eState.INVALID,  # PRS_E2E_00675
    (E2eState.INIT, E2eEvent.ENOUGH_OK): E2eState.VALID,
    (E2eState.INIT, E2eEvent.TOO_MANY_ERRORS): E2eState.INVALID,
    (E2eState.INIT, E2eEvent.WINDOW_EXHAUSTED): E2eState.INVALID,  # PRS_E2E_00676
    (E2eState.VALID, E2eEvent.TOO_MANY_ERRORS): E2eState.INVALID,
    (E2eState.VALID, E2eEvent.TOO_FEW_OK): E2eState.INVALID,
    (E2eState.INVALID, E2eEvent.ENOUGH_OK): E2eState.VALID,
}

IGNORED: frozenset[tuple[E2eState, E2eEvent]] = frozenset(
    {
        (E2eState.NO_DATA, E2eEvent.ENOUGH_OK),
        (E2eState.NO_DATA, E2eEvent.TOO_MANY_ERRORS),
        (E2eState.NO_DATA, E2eEvent.TOO_FEW_OK),
        (E2eState.INIT, E2eEvent.FIRST_DATA),
        (E2eState.INIT, E2eEvent.TOO_FEW_OK),
        (E2eState.VALID, E2eEvent.FIRST_DATA),
        (E2eState.VALID, E2eEvent.WINDOW_EXHAUSTED),
        (E2eState.VALID, E2eEvent.ENOUGH_OK),
        (E2eState.INVALID, E2eEvent.FIRST_DATA),
        (E2eState.INVALID, E2eEvent.WINDOW_EXHAUSTED),
        (E2eState.INVALID, E2eEvent.TOO_MANY_ERRORS),
        (E2eState.INVALID, E2eEvent.TOO_FEW_OK),
    }
    | {(E2eState.DEINIT, event) for event in E2eEvent}
)
"""Pairs that change nothing. Together with `TRANSITIONS` they are all pairs."""


def next_state(state: E2eState, event: E2eEvent) -> E2eState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLimits:
    """Window size and thresholds of one state."""

    window_size: int
    min_ok: int
    max_error: int


@dataclass(frozen=True, slots=True, kw_only=True)
class E2eSmConfig:
    """Configuration of the state machine; the defaults are requirement COM-003."""

    init: StateLimits = StateLimits(window_size=5, min_ok=3, max_error=1)
    valid: StateLimits = StateLimits(window_size=10, min_ok=3, max_error=2)
    invalid: StateLimits = StateLimits(window_size=5, min_ok=4, max_error=0)
    clear_to_invalid: bool = True
    extended: bool = True
    """Transit to INVALID from NO_DATA and INIT when it cannot become VALID (R20-11)."""
    profile_behavior: bool = True
    """For profiles 1 and 2: SYNC counts as OK and INITIAL does not (R4.2), or the reverse."""

    def __post_init__(self) -> None:
        init, valid, invalid = self.init, self.valid, self.invalid
        if not valid.max_error >= init.max_error >= invalid.max_error >= 0:
            raise UsageError("E2eSmConfig", expected="MaxError valid >= init >= invalid >= 0")
        if not 1 <= valid.min_ok <= init.min_ok <= invalid.min_ok:
            raise UsageError("E2eSmConfig", expected="1 <= MinOk valid <= init <= invalid")
        for name in ("init", "valid", "invalid"):
            limits: StateLimits = getattr(self, name)
            if limits.min_ok + limits.max_error > limits.window_size:
                raise UsageError(f"E2eSmConfig.{name}", expected="MinOk + MaxError <= WindowSize")
            if limits.window_size > valid.window_size:
                raise UsageError(f"E2eSmConfig.{name}", expected="WindowSize <= that of valid")

    def __deepcopy__(self, memo: dict[int, object]) -> E2eSmConfig:
        return self


COM_003 = E2eSmConfig()

_OTHER, _OK, _ERROR = 0, 1, 2
_KIND_OF = {E2eSmStatus.OK: _OK, E2eSmStatus.ERROR: _ERROR}
_STARTLESS = (E2eSmStatus.ERROR, E2eSmStatus.NO_NEW_DATA)
_KINDS = tuple(
    {
        status: _KIND_OF.get(map_status_to_sm(status, profile_behavior=behavior), _OTHER)
        for status in E2eStatus
    }
    for behavior in (False, True)
)
_STARTS = tuple(
    {
        status: map_status_to_sm(status, profile_behavior=behavior) not in _STARTLESS
        for status in E2eStatus
    }
    for behavior in (False, True)
)
"""Both by `profile_behavior`."""


class E2eStateMachine:
    """The driver. One object per received message; `step` is called once per check."""

    __slots__ = ("_calls", "_errors", "_limits", "_oks", "_window", "config", "saturated", "state")

    def __init__(self, config: E2eSmConfig = COM_003) -> None:
        self.config = config
        self.state = E2eState.NO_DATA
        self._window: deque[int] = deque()
        self._oks = 0
        self._errors = 0
        self._calls = 0
        self._limits = config.init
        self.saturated = False
        """VALID with a window full of OK: one more OK changes nothing and need not be told."""

    def check_init(self) -> None:
        """E2E_SMCheckInit: NO_DATA, nothing in the window."""
        self.state = E2eState.NO_DATA
        self._window.clear()
        self._oks = self._errors = self._calls = 0
        self._limits = self.config.init
        self.saturated = False

    def deinit(self) -> None:
        """DEINIT: checks change nothing until `check_init`."""
        self.state = E2eState.DEINIT
        self.saturated = False

    @property
    def is_valid(self) -> bool:
        """Whether data may be used."""
        return self.state is E2eState.VALID

    def step(self, status: E2eStatus) -> E2eState:
        """Take one check status and return the new state."""
        state = self.state
        kind = _KINDS[self.config.profile_behavior][status]
        self._append(kind)
        event = self._judge(status)
        if event is not None:
            after = next_state(state, event)
            if after is not state:
                self._enter(after)
        self.saturated = self.state is E2eState.VALID and self._oks == self.config.valid.window_size
        return self.state

    def _append(self, kind: int) -> None:
        window = self._window
        window.append(kind)
        self._calls += 1
        if kind == _OK:
            self._oks += 1
        elif kind == _ERROR:
            self._errors += 1
        if len(window) > self._limits.window_size:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        kind = self._window.popleft()
        if kind == _OK:
            self._oks -= 1
        elif kind == _ERROR:
            self._errors -= 1

    def _judge(self, status: E2eStatus) -> E2eEvent | None:
        limits = self._limits
        extended = self.config.extended
        if self.state is E2eState.NO_DATA:
            if _STARTS[self.config.profile_behavior][status]:
                return E2eEvent.FIRST_DATA
            if extended and self._calls >= limits.window_size:
                return E2eEvent.WINDOW_EXHAUSTED
            return None
        if self._errors > limits.max_error:
            return E2eEvent.TOO_MANY_ERRORS
        if self._oks >= limits.min_ok:
            return E2eEvent.ENOUGH_OK
        if self.state is E2eState.INIT and extended:
            used = (self._calls - 1) % limits.window_size + 1
            if used - self._oks > limits.window_size - limits.min_ok:
                return E2eEvent.WINDOW_EXHAUSTED
        return E2eEvent.TOO_FEW_OK

    def _enter(self, state: E2eState) -> None:
        came_from = self.state
        self.state = state
        config = self.config
        self._limits = {
            E2eState.INIT: config.init,
            E2eState.VALID: config.valid,
            E2eState.INVALID: config.invalid,
        }[state]
        self._calls = 0
        if came_from is E2eState.NO_DATA or (state is E2eState.INVALID and config.clear_to_invalid):
            self._window.clear()
            self._oks = self._errors = 0
        while len(self._window) > self._limits.window_size:
            self._forget_oldest()
