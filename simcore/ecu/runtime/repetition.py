"""Messages whose values seldom change: equal values are packed once.

For signals that are whole numbers on the wire; a float signal could tell 0.0 from -0.0.
"""

from __future__ import annotations

from simcore.network import SignalWriter
from simcore.network.messages import Number


class RepeatingWriter:
    """A `SignalWriter` that remembers what it wrote last."""

    __slots__ = ("_data", "_values", "_writer")

    def __init__(self, writer: SignalWriter) -> None:
        self._writer = writer
        self._values: tuple[Number, ...] | None = None
        self._data = b""

    def write(self, *values: Number) -> bytes:
        """The payload, as `SignalWriter.write` gives it."""
        if values != self._values:
            self._data = self._writer.write(*values)
            self._values = values
        return self._data
