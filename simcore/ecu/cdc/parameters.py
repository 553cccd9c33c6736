"""Calibration of the chassis domain controller."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.ecu.cdc.monitor_parameters import DEFAULT_MONITOR, MonitorParameters
from simcore.units import NS_PER_MS, NS_PER_S


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
    pedal_full_force_n: float = 500.0
    """Pedal force at `pedal_full_mm`."""
    pedal_tolerance_mm: float = 2.0
    """Channels this close are averaged; further apart the force helps to choose."""
    pedal_disagreement_mm: float = 5.0
    """Channels further apart than this: one of them is wrong."""
    pedal_witness_mm: float = 4.0
    """A channel this close to what the force says is confirmed by it."""
    pedal_witness_lead_mm: float = 2.0
    """So much closer to the force than the other one is the right one of two channels."""
    pedal_witness_bad_mm: float = 8.0
    pedal_witness_bad_samples: int = 5
    """Force this far from two channels that agree, for so long: the force is wrong."""
    pedal_heal_samples: int = 100
    """Samples without a disagreement after which a channel counts again."""
    pedal_blend_mm: float = 2.5
    """Most a change of channels may move the travel from one sample to the next: 1.7 kN at a
    front wheel at full pedal, SAF-003 allows 2 kN."""
    decel_full_mps2: float = 12.0
    """Demand at full pedal travel: beyond any road, so that slip control decides."""
    force_slope_kn_per_s: float = 1_000.0
    contact_force_n: float = 60.0
    """Smaller commands are no brake request; 50 N opens the caliper to its clearance."""
    acc_ramp_out_mps3: float = 3.0
    near_n: float = 1_000.0
    """A force this little below the command is watched no further."""
    far_n: float = 2_000.0
    """So far below the command, and by more than half of it, the screw must move."""
    moving_um: float = 3.0
    moving_n: float = 50.0
    """From one status to the next."""
    still_samples: int = 6
    """Statuses without such a movement: jammed, or the motor free."""
    weak_share_ratio: float = 0.5
    weak_above_n: float = 2_000.0
    weak_for_ns: int = 80 * NS_PER_MS
    """Command above `weak_above_n` and less than this share delivered: the actuator is faulty."""
    excess_n: float = 3_000.0
    excess_for_ns: int = 80 * NS_PER_MS
    supply_min_v: float = 9.0
    """Less than actuators live on."""
    standstill_kmh: float = 0.5
    standstill_for_ns: int = 200 * NS_PER_MS
    hold_margin_ratio: float = 1.5
    hold_blind_mps2: float = 2.0
    """Slope assumed where no accelerometer tells it: 20 %, BRK-008."""
    hold_min_decel_mps2: float = 1.0
    release_accelerator_pct: float = 3.0
    clock_trust_ns: int = 60 * NS_PER_S
    """So long in time with the others until a clock that was wrong is trusted again."""
    control_execution_ns: int = 1_200_000
    """Modelled execution times, for deadline supervision."""
    command_execution_ns: int = 150_000
    monitor_execution_ns: int = 600_000
    housekeeping_execution_ns: int = 1_000_000
    monitor: MonitorParameters = DEFAULT_MONITOR
    """Numbers of level 2, which shares none with the rest."""

    def __deepcopy__(self, memo: dict[int, object]) -> CdcParameters:
        return self
