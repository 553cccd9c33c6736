"""Debouncing: how many or how long prefailed reports make a failed test.

Counter based and time based as in AUTOSAR's Dem. The settings are immutable and do the stepping;
the little state there is (`DebounceState`) belongs to the event. Between the thresholds the last
qualified result stays. The fault detection counter that UDS shows is signed eight bit: 127 is
failed, -128 passed, 0 at the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from simcore.diag.dtc_status import EventStatus
from simcore.errors import UsageError
from simcore.units import NS_PER_MS

FDC_FAILED = 127
FDC_PASSED = -128

_PASSED = EventStatus.PASSED
_FAILED = EventStatus.FAILED
_PREFAILED = EventStatus.PREFAILED


class DebounceState:
    """What debouncing remembers of one event."""

    __slots__ = ("counter", "direction", "elapsed_ns", "since_ns")

    def __init__(self) -> None:
        self.counter = 0
        self.direction: EventStatus | None = None
        """PREFAILED or PREPASSED while a time runs."""
        self.since_ns: int | None = None
        """When the time that runs began; `None` while it stands still."""
        self.elapsed_ns = 0
        """Time that had run before it was stopped."""

    def reset(self) -> None:
        """Back to 0, neither failed nor passed."""
        self.settle(0)

    def settle(self, counter: int) -> None:
        """Stand at a value with no time running."""
        self.counter = counter
        self.direction = self.since_ns = None
        self.elapsed_ns = 0


class Debounce(Protocol):
    """A way of debouncing."""

    def report(self, state: DebounceState, status: EventStatus, now_ns: int) -> EventStatus | None:
        """Take a report; FAILED or PASSED when it qualifies the test, else `None`."""

    def due_ns(self, state: DebounceState) -> int | None:
        """When the time that runs qualifies the test by itself."""

    def pause(self, state: DebounceState, now_ns: int) -> None:
        """Stop the time that runs."""

    def resume(self, state: DebounceState, now_ns: int) -> None:
        """Let it run again."""

    def fault_detection_counter(self, state: DebounceState, now_ns: int) -> int:
        """-128..127."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterDebounce:
    """Reports are counted up and down between two thresholds."""

    increment: int = 1
    decrement: int = 1
    failed_threshold: int = FDC_FAILED
    passed_threshold: int = FDC_PASSED
    jump_up: int | None = None
    """Value that a lower counter is set to before a prefailed report counts."""
    jump_down: int | None = None
    """Value that a higher counter is set to before a prepassed report counts."""

    def __post_init__(self) -> None:
        _check("increment", self.increment, 1, 0x7FFF)
        _check("decrement", self.decrement, 1, 0x8000)
        _check("failed_threshold", self.failed_threshold, 1, 0x7FFF)
        _check("passed_threshold", self.passed_threshold, -0x8000, -1)
        if self.jump_up is not None:
            _check("jump_up", self.jump_up, self.passed_threshold, self.failed_threshold - 1)
        if self.jump_down is not None:
            _check("jump_down", self.jump_down, self.passed_threshold + 1, self.failed_threshold)

    def __deepcopy__(self, memo: object) -> CounterDebounce:
        return self

    def report(self, state: DebounceState, status: EventStatus, now_ns: int) -> EventStatus | None:
        counter = state.counter
        if status is _PREFAILED:
            if self.jump_up is not None and counter < self.jump_up:
                counter = self.jump_up
            counter += self.increment
        elif status is EventStatus.PREPASSED:
            if self.jump_down is not None and counter > self.jump_down:
                counter = self.jump_down
            counter -= self.decrement
        elif status is _FAILED:
            counter = self.failed_threshold
        else:
            counter = self.passed_threshold
        if counter >= self.failed_threshold:
            state.counter = self.failed_threshold
            return _FAILED
        if counter <= self.passed_threshold:
            state.counter = self.passed_threshold
            return _PASSED
        state.counter = counter
        return None

    def due_ns(self, state: DebounceState) -> int | None:
        return None

    def pause(self, state: DebounceState, now_ns: int) -> None:
        """Nothing runs."""

    def resume(self, state: DebounceState, now_ns: int) -> None:
        """Nothing runs."""

    def fault_detection_counter(self, state: DebounceState, now_ns: int) -> int:
        return _scaled(state.counter, self.failed_threshold, -self.passed_threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeDebounce:
    """A prefailed (prepassed) report must stand for a time; the other direction restarts it."""

    failed_ns: int = 100 * NS_PER_MS
    passed_ns: int = 100 * NS_PER_MS

    def __post_init__(self) -> None:
        _check("failed_ns", self.failed_ns, 1, 1 << 62)
        _check("passed_ns", self.passed_ns, 1, 1 << 62)

    def __deepcopy__(self, memo: object) -> TimeDebounce:
        return self

    def report(self, state: DebounceState, status: EventStatus, now_ns: int) -> EventStatus | None:
        if status is _FAILED or status is _PASSED:
            state.settle(1 if status is _FAILED else -1)
            return status
        if state.direction is None:
            if state.counter == (1 if status is _PREFAILED else -1):
                return _FAILED if status is _PREFAILED else _PASSED  # it stands there already
            self._start(state, status, now_ns)
        elif state.direction is not status:
            self._start(state, status, now_ns)
        due_ns = self.due_ns(state)
        if due_ns is None or now_ns < due_ns:
            return None
        return self._qualify(state)

    def _start(self, state: DebounceState, status: EventStatus, now_ns: int) -> None:
        state.counter = 0
        state.direction = status
        state.since_ns = now_ns
        state.elapsed_ns = 0

    def _qualify(self, state: DebounceState) -> EventStatus:
        failed = state.direction is _PREFAILED
        state.settle(1 if failed else -1)
        return _FAILED if failed else _PASSED

    def due_ns(self, state: DebounceState) -> int | None:
        if state.direction is None or state.since_ns is None:
            return None
        return state.since_ns + self._length_ns(state) - state.elapsed_ns

    def _length_ns(self, state: DebounceState) -> int:
        return self.failed_ns if state.direction is _PREFAILED else self.passed_ns

    def pause(self, state: DebounceState, now_ns: int) -> None:
        if state.since_ns is not None:
            state.elapsed_ns += now_ns - state.since_ns
            state.since_ns = None

    def resume(self, state: DebounceState, now_ns: int) -> None:
        if state.direction is not None and state.since_ns is None:
            state.since_ns = now_ns

    def fault_detection_counter(self, state: DebounceState, now_ns: int) -> int:
        if state.direction is None:
            return _scaled(state.counter, 1, 1)
        elapsed_ns = state.elapsed_ns
        if state.since_ns is not None:
            elapsed_ns += now_ns - state.since_ns
        length_ns = self._length_ns(state)
        elapsed_ns = min(elapsed_ns, length_ns)
        sign = 1 if state.direction is _PREFAILED else -1
        return _scaled(sign * elapsed_ns, length_ns, length_ns)


@dataclass(frozen=True, slots=True)
class NoDebounce:
    """The monitor debounces by itself: the first report qualifies, PRE or not."""

    def __deepcopy__(self, memo: object) -> NoDebounce:
        return self

    def report(self, state: DebounceState, status: EventStatus, now_ns: int) -> EventStatus | None:
        failed = status is _FAILED or status is _PREFAILED
        state.counter = 1 if failed else -1
        return _FAILED if failed else _PASSED

    def due_ns(self, state: DebounceState) -> int | None:
        return None

    def pause(self, state: DebounceState, now_ns: int) -> None:
        """Nothing runs."""

    def resume(self, state: DebounceState, now_ns: int) -> None:
        """Nothing runs."""

    def fault_detection_counter(self, state: DebounceState, now_ns: int) -> int:
        return _scaled(state.counter, 1, 1)


NO_DEBOUNCE = NoDebounce()


def _scaled(value: int, failed: int, passed: int) -> int:
    """`value` on -128..127; what has left 0 shows as at least one step."""
    if value > 0:
        return max(1, value * FDC_FAILED // failed)
    if value < 0:
        return -max(1, value * FDC_PASSED // passed)
    return 0


def _check(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UsageError(f"debounce: {name}", expected=f"{low}..{high}", got=repr(value))
