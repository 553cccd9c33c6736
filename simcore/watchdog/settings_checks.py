"""Checks of what the settings of the supervision are made of: names, numbers, tuples of them.

Each raises `UsageError` with `where`, what was expected and what came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from simcore.errors import UsageError


def check_whole(value: object, where: str, *, at_least: int) -> None:
    """A whole number."""
    if type(value) is not int or value < at_least:
        raise UsageError(where, expected=f"a whole number >= {at_least}", got=repr(value))


def check_name(value: object, where: str) -> None:
    """A text that is not empty."""
    if type(value) is not str or not value:
        raise UsageError(where, expected="a name", got=repr(value))


def check_names(values: object, where: str) -> None:
    """A tuple of names, each once."""
    if type(values) is not tuple:
        raise UsageError(where, expected="a tuple of names", got=repr(values))
    for value in values:
        check_name(value, where)
    check_once(values, where)


def check_kind(value: object, kind: type, where: str) -> None:
    """An object of `kind`."""
    if not isinstance(value, kind):
        raise UsageError(where, expected=kind.__name__, got=repr(value))


def check_kinds(values: object, kind: type, where: str) -> None:
    """A tuple of objects of `kind`."""
    if type(values) is not tuple:
        raise UsageError(where, expected=f"a tuple of {kind.__name__}", got=repr(values))
    for value in values:
        check_kind(value, kind, where)


def check_once(names: Iterable[str], where: str) -> None:
    """No name twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(where, expected="every name once", got=f"{', '.join(twice)} twice")


def check_known(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Only names that there are."""
    choices = list(known)
    for name in names:
        if name not in choices:
            raise UsageError(where, expected=f"one of {', '.join(choices)}", got=repr(name))
