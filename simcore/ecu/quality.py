"""Signal quality of a sensor ECU: enums, table, driver.

Values are the DBC's raw values of every `*_Qf` signal. The table is total: `TRANSITIONS` and
`IGNORED` are disjoint and together cover every pair of state and event.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Quality(IntEnum):
    """Quality qualifier, as sent."""

    INIT = 0
    INVALID = 1
    DEGRADED = 2
    VALID = 3


@unique
class QualityEvent(IntEnum):
    """Outcome of one look at a sensor."""

    STARTING = 0
    PLAUSIBLE = 1
    IMPLAUSIBLE = 2
    FAULT_CONFIRMED = 3
    """Implausible for longer than the debounce time."""


_Q = Quality
_E = QualityEvent

TRANSITIONS: dict[tuple[Quality, QualityEvent], Quality] = {
    (_Q.INIT, _E.PLAUSIBLE): _Q.VALID,
    (_Q.INIT, _E.IMPLAUSIBLE): _Q.INVALID,
    (_Q.INIT, _E.FAULT_CONFIRMED): _Q.INVALID,
    (_Q.VALID, _E.IMPLAUSIBLE): _Q.DEGRADED,  # last plausible value is sent on
    (_Q.VALID, _E.FAULT_CONFIRMED): _Q.INVALID,
    (_Q.DEGRADED, _E.PLAUSIBLE): _Q.VALID,
    (_Q.DEGRADED, _E.FAULT_CONFIRMED): _Q.INVALID,
}

IGNORED: frozenset[tuple[Quality, QualityEvent]] = frozenset(
    {
        (_Q.INIT, _E.STARTING),
        (_Q.VALID, _E.STARTING),
        (_Q.VALID, _E.PLAUSIBLE),
        (_Q.DEGRADED, _E.STARTING),
        (_Q.DEGRADED, _E.IMPLAUSIBLE),
    }
    # a confirmed fault stays until the next power cycle
    | {(_Q.INVALID, event) for event in _E}
)


def next_quality(quality: Quality, event: QualityEvent) -> Quality:
    """The quality after `event`."""
    return TRANSITIONS.get((quality, event), quality)


_VALID = Quality.VALID


class MonitoredSensor:
    """One sensor channel: range check with debounce; sends the last plausible value meanwhile."""

    __slots__ = ("_high_ratio", "_implausible_count", "_low_ratio", "quality", "value_ratio")

    DEBOUNCE_SAMPLES = 3
    """Implausible samples in a row that confirm a fault, SAF-003."""

    def __init__(self, low_ratio: float, high_ratio: float) -> None:
        self._low_ratio = low_ratio
        self._high_ratio = high_ratio
        self._implausible_count = 0
        self.quality = Quality.INIT
        self.value_ratio = 0.0

    def sample(self, measured_ratio: float, *, starting: bool) -> None:
        """Look at the sensor once."""
        if self._low_ratio <= measured_ratio <= self._high_ratio:
            self._implausible_count = 0
            if self.quality is _VALID:
                self.value_ratio = measured_ratio
                return
            event = QualityEvent.STARTING if starting else QualityEvent.PLAUSIBLE
            if self.quality is not Quality.INVALID:
                self.value_ratio = measured_ratio
        else:
            self._implausible_count += 1
            confirmed = self._implausible_count >= self.DEBOUNCE_SAMPLES
            event = QualityEvent.FAULT_CONFIRMED if confirmed else QualityEvent.IMPLAUSIBLE
            if starting:
                event = QualityEvent.STARTING
        self.quality = next_quality(self.quality, event)
