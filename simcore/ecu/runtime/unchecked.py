"""Reception without its E2E check: what stands in for checker and state machine when it is off.

Only the length of a payload is looked at; see `simcore.ecu.mechanisms`, `e2e`.
"""

from __future__ import annotations

from simcore.protection import E2eState, E2eStatus

_COUNTER_BYTE = 2
"""Where profile 5 has its counter; without one the copies of two buses still need telling apart."""


class LengthOnly:
    """A `Checker` that takes whatever has the right length."""

    __slots__ = ("_length", "counter")

    def __init__(self, length: int) -> None:
        self._length = length
        self.counter = 0
        """What stands in the counter's place of the last frame."""

    def check(self, data: bytes) -> E2eStatus:
        """OK, or ERROR for a wrong length."""
        if len(data) != self._length:
            return E2eStatus.ERROR
        if len(data) > _COUNTER_BYTE:
            self.counter = data[_COUNTER_BYTE]
        return E2eStatus.OK

    def no_new_data(self) -> E2eStatus:
        """NO_NEW_DATA, which the machine beside it ignores."""
        return E2eStatus.NO_NEW_DATA


class AlwaysValid:
    """A `Machine` that never leaves VALID."""

    __slots__ = ()

    saturated = True
    state = E2eState.VALID

    def step(self, status: E2eStatus) -> E2eState:
        """VALID."""
        return E2eState.VALID
