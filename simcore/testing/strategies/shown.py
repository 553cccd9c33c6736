"""Short names for large strategies: hypothesis prints what an example was drawn from."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

T = TypeVar("T")


class Named:
    """A strategy that is printed as a text."""

    __slots__ = ("_text", "strategy")

    def __init__(self, text: str, strategy: SearchStrategy[object]) -> None:
        self._text = text
        self.strategy = strategy

    def __repr__(self) -> str:
        return self._text


def shown_as(text: str, strategy: SearchStrategy[T]) -> SearchStrategy[T]:
    """The same strategy, printed as `text`."""
    found: SearchStrategy[T] = _drawn(Named(text, strategy))  # type: ignore[assignment]
    return found


@st.composite
def _drawn(draw: DrawFn, named: Named) -> object:
    return draw(named.strategy)
