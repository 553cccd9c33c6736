"""A quantity that faults hold: the last of them wins, and the value of before comes back.

Whoever owns the quantity applies what `hold` and `release` return.
"""

from __future__ import annotations

from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Holding(Generic[_Value]):
    """One fault's hold."""

    __slots__ = ("value",)

    def __init__(self, value: _Value) -> None:
        self.value = value


class Held(Generic[_Value]):
    """Who holds a quantity, in the order they came."""

    __slots__ = ("_before", "_holdings")

    def __init__(self) -> None:
        self._before: _Value | None = None
        self._holdings: list[Holding[_Value]] = []

    @property
    def is_held(self) -> bool:
        """Whether anybody holds it."""
        return bool(self._holdings)

    def hold(self, present: _Value, value: _Value) -> Holding[_Value]:
        """Hold `value` from now on; `present` is what the quantity is now."""
        if not self._holdings:
            self._before = present
        holding = Holding(value)
        self._holdings.append(holding)
        return holding

    def release(self, holding: Holding[_Value]) -> _Value:
        """No longer; returns what is in force then."""
        self._holdings.remove(holding)
        if self._holdings:
            return self._holdings[-1].value
        before = self._before
        self._before = None
        return before  # type: ignore[return-value]  # of the first hold
