"""`Payload`: named values of one message, encoded when they change.

For senders without an application of their own: a restbus, a script, the parts of an ECU that are
constant. Begins with the start values of the database.
"""

from __future__ import annotations

from simcore.network.messages import Message, Number


class Payload:
    """The values of one message. `pack` gives the encoded bytes, unprotected."""

    __slots__ = ("_data", "_values", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._values: dict[str, Number | str] = {}
        self._data = message.codec.writer().write()

    def set(self, **values: Number | str) -> None:
        """Set signals by name to physical values or to texts of their value tables.

        Raises `UsageError` for unknown names and values out of range; then nothing has changed.
        """
        merged = {**self._values, **values}
        names = tuple(merged)
        self._data = self.message.codec.writer(*names).write(*merged.values())
        self._values = merged

    def pack(self, now_ns: int) -> bytes:
        """The encoded payload; `now_ns` is there because every packer has it."""
        return self._data
