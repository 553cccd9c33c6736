"""Calibration of the inertial measurement unit."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.units import NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuParameters:
    """Sensor ranges."""

    init_ns: int = 20 * NS_PER_MS
    rate_max_radps: float = 2.8
    acceleration_max_mps2: float = 32.0

    def __deepcopy__(self, memo: dict[int, object]) -> ImuParameters:
        return self
