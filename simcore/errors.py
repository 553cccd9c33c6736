"""The exception tree.

Two branches, because they call for different reactions: `UsageError` says that the caller broke
the contract of a function, `InputError` says that something read from outside (a database, a
scenario, an image, a log) is bad. Simulated faults are neither: they are data (statuses, events,
findings) and never raise.

Every text says where, what was expected and what came; the same facts are attributes.
"""

from __future__ import annotations


class SimcoreError(Exception):
    """Root of everything simcore raises on purpose."""


class UsageError(SimcoreError, ValueError):
    """The caller broke the contract of a function.

    `where`, `expected` and `got` repeat the text as attributes for programs that react to them.
    """

    def __init__(self, where: str, *, expected: object = None, got: object = None) -> None:
        self.where = where
        self.expected = expected
        self.got = got
        super().__init__(_sentence(where, expected, got))


class InputError(SimcoreError):
    """Something read from outside is bad: a file, a scenario, a log.

    `file` and `line` locate it where they are known.
    """

    def __init__(
        self,
        where: str,
        *,
        expected: object = None,
        got: object = None,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        self.where = where
        self.expected = expected
        self.got = got
        self.file = file
        self.line = line
        place = "" if file is None else f"{file}:{line}: " if line is not None else f"{file}: "
        super().__init__(place + _sentence(where, expected, got))


def _sentence(where: str, expected: object, got: object) -> str:
    parts = []
    if expected is not None:
        parts.append(f"expected {expected}")
    if got is not None:
        parts.append(f"got {got}")
    return f"{where}: {', '.join(parts)}" if parts else where
