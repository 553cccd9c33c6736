"""Why a processor starts: what its reset status register says. Lost with the supply."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class ResetCause(IntEnum):
    """The last reset."""

    POWER_ON = 0
    WATCHDOG = 1
    SOFTWARE = 2
    BROWN_OUT = 3

    @property
    def lost_power(self) -> bool:
        """Whether the supply was to blame, and not the software."""
        return self in (ResetCause.POWER_ON, ResetCause.BROWN_OUT)
