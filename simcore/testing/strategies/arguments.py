"""What the strategies of this package refuse: arguments that make no sense."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.messages import unknown_name


def require_database(where: str, database: object) -> Database:
    """The database. Raises `UsageError` for anything else."""
    if not isinstance(database, Database):
        raise UsageError(
            f"{where}, database", expected="a Database, as Database.load(path)", got=repr(database)
        )
    return database


def require_message(where: str, message: object) -> Message:
    """The message. Raises `UsageError` for anything else, a name for instance."""
    if not isinstance(message, Message):
        raise UsageError(
            f"{where}, message",
            expected="a Message, as database.message(name)",
            got=repr(message),
        )
    return message


def require_encodable(where: str, message: object) -> Message:
    """A message that can be encoded. Raises `UsageError` with its defect for another one."""
    found = require_message(where, message)
    if found.defect:
        raise UsageError(f"{where}, message {found.label}: cannot be encoded: {found.defect}")
    return found


def require_whole(where: str, low: int, **bounds: object) -> None:
    """Refuse bounds that are no whole numbers >= `low`, and a pair that is upside down.

    The bounds come in pairs, `min_ns` and `max_ns`; the maximum may be `None`.
    """
    known: list[int] = []
    for name, value in bounds.items():
        if value is None and name.startswith("max_"):
            continue
        if type(value) is not int or value < low:
            raise UsageError(
                f"{where}, {name}", expected=f"a whole number >= {low}", got=repr(value)
            )
        if known and value < known[-1]:
            least = next(iter(bounds))
            raise UsageError(
                f"{where}, {name}", expected=f">= {least}, {known[-1]}", got=repr(value)
            )
        known.append(value)


def require_number(where: str, value_ratio: object, low_ratio: float, high_ratio: float) -> None:
    """Refuse what is no number within limits."""
    number = value_ratio
    if (
        isinstance(number, bool)
        or not isinstance(number, (int, float))
        or not isfinite(number)
        or not low_ratio <= number <= high_ratio
    ):
        raise UsageError(
            where, expected=f"a number, {low_ratio:g}..{high_ratio:g}", got=repr(value_ratio)
        )


def require_flag(where: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise UsageError(where, expected="True or False", got=repr(value))


def chosen_from(
    where: str, chosen: Iterable[str] | str | None, known: Sequence[str]
) -> tuple[str, ...]:
    """The chosen names in the order of `known`; all for `None`.

    Raises `UsageError` for an unknown name, with the nearest one, and for none at all.
    """
    if chosen is None:
        return tuple(known)
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    for name in names:
        if name not in known:
            raise unknown_name(f"{where}: unknown", name, known)
    if not names:
        raise UsageError(where, expected=f"at least one of {', '.join(known)}", got="none")
    return tuple(name for name in known if name in names)
