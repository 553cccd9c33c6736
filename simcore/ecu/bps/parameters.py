"""Calibration of the brake pedal sensor."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.units import NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class BpsParameters:
    """Sensor ranges and switch thresholds."""

    init_ns: int = 20 * NS_PER_MS
    travel_min_mm: float = -1.0
    travel_max_mm: float = 90.0
    force_min_n: float = -20.0
    force_max_n: float = 1_500.0
    applied_above_mm: float = 2.0
    disagreement_mm: float = 5.0
    rate_filter_ratio: float = 0.5

    def __deepcopy__(self, memo: dict[int, object]) -> BpsParameters:
        return self
