"""Window watchdog: a closed window, in which a trigger is bad, then an open one, where it is due.

After start the first window is open and long. A trigger in the open window is good and begins a
closed one; a trigger in the closed window, or none in the open one, is bad and begins an open
window. At the very end of a window it is over: windows are [start, end).

Source: TLF35584 family, window watchdog (WWD).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique

from simcore.watchdog.device import NEVER_NS, FrozenSettings, Verdict, require_whole


@unique
class WindowState(IntEnum):
    """Which window it is in."""

    STOPPED = 0
    FIRST = 1
    """The long open window after start."""
    CLOSED = 2
    OPEN = 3


@unique
class WindowEvent(IntEnum):
    """What moves it."""

    STARTED = 0
    TRIGGERED = 1
    ELAPSED = 2
    """The window is over."""
    HALTED = 3


_S = WindowState
_E = WindowEvent

TRANSITIONS: dict[tuple[WindowState, WindowEvent], WindowState] = {
    (_S.STOPPED, _E.STARTED): _S.FIRST,
    (_S.FIRST, _E.STARTED): _S.FIRST,
    (_S.FIRST, _E.TRIGGERED): _S.CLOSED,
    (_S.FIRST, _E.ELAPSED): _S.OPEN,
    (_S.FIRST, _E.HALTED): _S.STOPPED,
    (_S.CLOSED, _E.STARTED): _S.FIRST,
    (_S.CLOSED, _E.TRIGGERED): _S.OPEN,
    (_S.CLOSED, _E.ELAPSED): _S.OPEN,
    (_S.CLOSED, _E.HALTED): _S.STOPPED,
    (_S.OPEN, _E.STARTED): _S.FIRST,
    (_S.OPEN, _E.TRIGGERED): _S.CLOSED,
    (_S.OPEN, _E.ELAPSED): _S.OPEN,
    (_S.OPEN, _E.HALTED): _S.STOPPED,
}

IGNORED: frozenset[tuple[WindowState, WindowEvent]] = frozenset(
    # Without supply, or in reset, nothing is watched.
    {(_S.STOPPED, event) for event in (_E.TRIGGERED, _E.ELAPSED, _E.HALTED)}
)
"""Pairs that change nothing."""

VERDICTS: dict[tuple[WindowState, WindowEvent], Verdict] = {
    (_S.FIRST, _E.TRIGGERED): Verdict.GOOD,
    (_S.OPEN, _E.TRIGGERED): Verdict.GOOD,
    (_S.CLOSED, _E.TRIGGERED): Verdict.TRIGGER_EARLY,
    (_S.FIRST, _E.ELAPSED): Verdict.TRIGGER_MISSING,
    (_S.OPEN, _E.ELAPSED): Verdict.TRIGGER_MISSING,
}
"""All others pass without one."""


def next_state(state: WindowState, event: WindowEvent) -> WindowState:
    """The state after `event`."""
    return TRANSITIONS.get((state, event), state)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings(FrozenSettings):
    """Lengths of the windows."""

    closed_ns: int
    """0: a trigger is never too early."""
    open_ns: int
    first_ns: int
    """The long open window after start."""

    def __post_init__(self) -> None:
        require_whole("WindowSettings, closed_ns", self.closed_ns, least=0)
        require_whole("WindowSettings, open_ns", self.open_ns, least=1)
        require_whole("WindowSettings, first_ns", self.first_ns, least=1)


class WindowWatchdog:
    """One window watchdog. Before any other call, `expire` until `deadline_ns` is in the future.

    That the open window has begun shows in `state` only when it makes a difference.
    """

    __slots__ = ("_opens_ns", "deadline_ns", "settings", "state")

    def __init__(self, settings: WindowSettings) -> None:
        self.settings = settings
        self.state = WindowState.STOPPED
        self._opens_ns = 0
        """When the closed window is over."""
        self.deadline_ns = NEVER_NS
        """When a bad event comes by itself: the end of the open window."""

    def start(self, now_ns: int) -> None:
        """Begin with the long first window."""
        self._happens(WindowEvent.STARTED, now_ns)

    def halt(self) -> None:
        """Watch nothing."""
        self._happens(WindowEvent.HALTED, 0)

    def trigger(self, now_ns: int) -> Verdict | None:
        """A trigger; `None` while nothing is watched."""
        if self.state is WindowState.CLOSED and now_ns >= self._opens_ns:
            self._happens(WindowEvent.ELAPSED, self._opens_ns)
        return self._happens(WindowEvent.TRIGGERED, now_ns)

    def expire(self) -> Verdict | None:
        """The deadline has come without a trigger; the next window begins there."""
        due_ns = self.deadline_ns
        if self.state is WindowState.CLOSED:
            self._happens(WindowEvent.ELAPSED, self._opens_ns)
        return self._happens(WindowEvent.ELAPSED, due_ns)

    def _happens(self, event: WindowEvent, now_ns: int) -> Verdict | None:
        state = self.state
        if (state, event) in IGNORED:
            return None
        after = self.state = TRANSITIONS[state, event]
        settings = self.settings
        if after is WindowState.CLOSED:
            self._opens_ns = now_ns + settings.closed_ns
            self.deadline_ns = now_ns + settings.closed_ns + settings.open_ns
        elif after is WindowState.OPEN:
            self.deadline_ns = now_ns + settings.open_ns
        elif after is WindowState.FIRST:
            self.deadline_ns = now_ns + settings.first_ns
        else:
            self.deadline_ns = NEVER_NS
        return VERDICTS.get((state, event))
