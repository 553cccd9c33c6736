"""The sending side of every E2E profile: consecutive frames of one message get their headers."""

from __future__ import annotations

from simcore.errors import UsageError
from simcore.network.e2e_config import E2eConfig
from simcore.protection.e2e_header import Header


class E2eSender:
    """Protects consecutive frames of one message."""

    __slots__ = ("_header", "config", "counter", "length")

    def __init__(self, header: Header, *, counter: int) -> None:
        """Raises `UsageError` for a counter the profile does not have."""
        if not 0 <= counter < header.counter_modulo:
            raise UsageError(
                f"{header.label}: counter", expected=f"0..{header.counter_modulo - 1}", got=counter
            )
        self._header = header
        self.config: E2eConfig = header.config
        self.length = header.length
        self.counter = counter
        """Counter of the next frame. May be set, to what the field can carry."""

    def protect(self, data: bytes) -> bytes:
        """`data` with the header filled in; the counter moves on.

        Raises `UsageError` for another length than configured.
        """
        header = self._header
        if not header.length_min <= len(data) <= header.length_max:
            raise _wrong_length(header.label, header.length_min, header.length_max, len(data))
        counter = self.counter
        if not 0 <= counter < 1 << header.counter_bits:
            raise UsageError(
                f"{header.label}: counter",
                expected=f"0..{(1 << header.counter_bits) - 1}",
                got=counter,
            )
        buffer = bytearray(data)
        header.seal(buffer, counter)
        counter += 1
        self.counter = counter if counter < header.counter_modulo else 0
        return bytes(buffer)


def _wrong_length(label: str, least: int, greatest: int, got: int) -> UsageError:
    expected = f"{least} bytes" if least == greatest else f"{least}..{greatest} bytes"
    return UsageError(f"{label}: protect", expected=expected, got=got)
