"""Housekeeping of the domain controller, every 100 ms: operating time and starts, kept over resets.

What a workshop asks first about a controller that reset itself: how often, and after how long. The
entity that expired first is kept by the Watchdog Manager itself.
"""

from __future__ import annotations

from simcore.ecu.seam import Port
from simcore.units import NS_PER_S

STARTS = "operating.starts"
SECONDS = "operating.s"
_BYTES = 4
_WRITE_EVERY_NS = 10 * NS_PER_S
"""Memory cells wear: the operating time is written no more often."""


class Housekeeping:
    """Operating data in non-volatile memory, as unsigned big-endian numbers."""

    __slots__ = ("_memory", "_period_ns", "_since_write_ns", "_up_ns", "starts")

    def __init__(self, port: Port, period_ns: int) -> None:
        self._memory = port.memory
        self._period_ns = period_ns
        self._up_ns = self._read(SECONDS) * NS_PER_S
        self._since_write_ns = 0
        self.starts = self._read(STARTS) + 1
        """Starts of this controller so far, this one included."""
        self._write(STARTS, self.starts)

    @property
    def operating_s(self) -> int:
        """Operating time over all starts."""
        return self._up_ns // NS_PER_S

    def step(self, now_ns: int) -> None:
        """Once per period."""
        self._up_ns += self._period_ns
        self._since_write_ns += self._period_ns
        if self._since_write_ns >= _WRITE_EVERY_NS:
            self._since_write_ns = 0
            self._write(SECONDS, self.operating_s)

    def _read(self, name: str) -> int:
        return int.from_bytes(self._memory.get(name, b""), "big")

    def _write(self, name: str, value: int) -> None:
        self._memory[name] = min(value, 0xFFFF_FFFF).to_bytes(_BYTES, "big")
