"""Calibration of the chassis domain controller."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.units import NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class CdcParameters:
    """Driver interface, monitoring times and hold."""

    start_up_ns: int = 200 * NS_PER_MS
    """Actuators may be silent this long after power on without being reported lost."""
    mass_kg: float = 2_200.0
    mass_max_kg: float = 2_700.0
    wheel_radius_m: float = 0.345
    front_force_max_n: float = 40_000.0
    rear_force_max_n: float = 27_000.0
    pedal_dead_mm: float = 2.0
    pedal_full_mm: float = 60.0
    pedal_disagreement_mm: float = 5.0
    decel_full_mps2: float = 12.0
    """Demand at full pedal travel: beyond any road, so that slip control decides."""
    force_slope_kn_per_s: float = 1_000.0
    contact_force_n: float = 60.0
    """Smaller commands are no brake request; 50 N opens the caliper to its clearance."""
    acc_ramp_out_mps3: float = 3.0
    weak_share_ratio: float = 0.5
    weak_above_n: float = 2_000.0
    weak_for_ns: int = 150 * NS_PER_MS
    """Command above `weak_above_n` and less than this share delivered: the actuator is faulty."""
    excess_n: float = 3_000.0
    excess_for_ns: int = 80 * NS_PER_MS
    standstill_kmh: float = 0.5
    standstill_for_ns: int = 200 * NS_PER_MS
    hold_margin_ratio: float = 1.5
    hold_blind_mps2: float = 2.0
    """Slope assumed where no accelerometer tells it: 20 %, BRK-008."""
    hold_min_decel_mps2: float = 1.0
    release_accelerator_pct: float = 3.0

    def __deepcopy__(self, memo: dict[int, object]) -> CdcParameters:
        return self
