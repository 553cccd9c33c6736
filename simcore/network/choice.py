"""`Choice`: the text of a raw value, which knows its raw value.

A string for all purposes; what decoding with `choices=True` returns for a raw value with a text.
"""

from __future__ import annotations

from typing import Any, Self


class Choice(str):
    """A text of a value table: equal to its text, with the raw value beside it."""

    __slots__ = ("value",)

    value: int
    """The raw value."""

    def __new__(cls, text: str, value: int) -> Self:
        choice = super().__new__(cls, text)
        choice.value = value
        return choice

    @property
    def name(self) -> str:
        """The text as a plain `str`."""
        return str(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Choice, (str(self), self.value)
