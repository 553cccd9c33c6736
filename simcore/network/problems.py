"""`Problem`: what is wrong with a network database that loads all the same.

Plain data; `loading`, `salvage` and `reading` find problems, `Database` keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from simcore.errors import InputError

Severity: TypeAlias = Literal["error", "warning", "dropped"]
"""`error`: what it names cannot be used as described, so no simulation starts. `warning`: it is
used in the way the text says. `dropped`: a lenient load left it out."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a database: where it is, what it is, and the place in the file."""

    severity: Severity
    where: str
    """Message and signal, or the part of the file."""
    text: str
    file: str
    line: int | None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.severity}: {self.where}: {self.text}"

    def as_error(self, more: int = 0) -> InputError:
        """The refusal of a database for this problem and `more` others."""
        others = f" (and {more} more error{'s' if more > 1 else ''})" if more else ""
        return InputError(f"{self.where}: {self.text}{others}", file=self.file, line=self.line)
