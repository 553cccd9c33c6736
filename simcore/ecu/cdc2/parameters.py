"""Calibration of the secondary domain controller."""

from __future__ import annotations

from dataclasses import dataclass, field

from simcore.ecu.cdc import CdcParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdc2Parameters:
    """Times of standby and hand-back; braking itself as in the primary."""

    control: CdcParameters = field(default_factory=CdcParameters)
    hand_back_cycles: int = 10
    """Control periods with a valid primary command after which it is trusted again."""

    def __deepcopy__(self, memo: dict[int, object]) -> Cdc2Parameters:
        return self
