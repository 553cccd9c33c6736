"""Bytes of a fuzzer as numbers and pieces, taken from the front; 0 and nothing when they end."""

from __future__ import annotations


class Draw:
    """Takes an input apart."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte."""
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def below(self, limit: int) -> int:
        """A number below `limit`, at most 256."""
        return self.byte() % limit

    def piece(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        at = self._at
        self._at = at + size
        return self._data[at : at + size]

    def rest(self) -> bytes:
        """All that is left."""
        return self.piece(len(self._data))
