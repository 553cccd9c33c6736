"""Checks of what scripts hand to the scripting API: a wrong type is the script's mistake."""

from __future__ import annotations

from collections.abc import Callable

from simcore.errors import UsageError


def require_number(where: str, value: object) -> None:
    """Refuse what is no finite number; ranges are the caller's."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or value - value != 0:  # type: ignore[operator]
        raise UsageError(where, expected="a finite number", got=repr(value))


def require_callable(where: str, value: Callable[..., object]) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise UsageError(where, expected="something to call", got=repr(value))


def require_time(where: str, value: object) -> None:
    """Refuse what is no whole number of ns >= 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(where, expected="whole ns >= 0, as ms(5) or s(2) give", got=repr(value))
