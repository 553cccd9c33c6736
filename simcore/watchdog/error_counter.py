"""Error counters of external watchdogs: up with a bad service, down with a good one.

+2/-1 in the TLF35584 and, here, in the FS65; +1/-1 in the TI families. What happens at a threshold
is the device's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.watchdog.device import FrozenSettings, require_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCounterSettings(FrozenSettings):
    """How a counter counts."""

    threshold: int
    """A bad service that gets it here, or beyond, trips it."""
    bad: int = 2
    """Added per bad service."""
    good: int = 1
    """Taken off per good one, down to 0."""
    maximum: int | None = None
    """Where the register ends; `None`: at the threshold."""

    def __post_init__(self) -> None:
        require_whole("ErrorCounterSettings, threshold", self.threshold, least=1)
        require_whole("ErrorCounterSettings, bad", self.bad, least=1)
        require_whole("ErrorCounterSettings, good", self.good, least=0)
        if self.maximum is not None:
            require_whole("ErrorCounterSettings, maximum", self.maximum, least=1)
            if self.maximum + self.bad < self.threshold:
                raise UsageError(
                    "ErrorCounterSettings, maximum",
                    expected=f"at least threshold - bad, {self.threshold - self.bad}",
                    got=self.maximum,
                )

    @property
    def top(self) -> int:
        """The highest count."""
        return self.threshold if self.maximum is None else self.maximum


class ErrorCounter:
    """A count between 0 and the end of its register."""

    __slots__ = ("count", "settings")

    def __init__(self, settings: ErrorCounterSettings) -> None:
        self.settings = settings
        self.count = 0

    def good(self) -> None:
        """A good service."""
        count = self.count
        if count:
            self.count = max(0, count - self.settings.good)

    def bad(self) -> bool:
        """A bad service; whether it trips the counter."""
        settings = self.settings
        count = self.count + settings.bad
        self.count = min(count, settings.top)
        return count >= settings.threshold

    def clear(self) -> None:
        """Begin at 0."""
        self.count = 0
