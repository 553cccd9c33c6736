"""Parameters of a brake actuator ECU: calibration, not interface (that is the DBC's)."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.ecu.emb.force_control import FRONT, REAR, ForceControlParameters
from simcore.units import NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbParameters:
    """One axle's calibration. Times of command loss are requirement COM-004."""

    force_control: ForceControlParameters
    pedal_direct_force_n: float
    """Clamp force of the pedal-direct default at full pedal travel: 6.43 m/s2 on both axles."""
    init_ns: int = 50 * NS_PER_MS
    self_test_ns: int = 100 * NS_PER_MS
    command_lost_ns: int = 100 * NS_PER_MS
    """No valid command on either lane for this long: the actuator acts alone."""
    hold_last_ns: int = 200 * NS_PER_MS
    """How long the last force is held then, when braking above `hold_above_kmh`."""
    hold_above_kmh: float = 5.0
    force_gradient_max_n_per_s: float = 1_000_000.0
    """No request, however valid, moves the force set point faster (SAF-004)."""
    park_force_n: float = 12_000.0
    supply_min_v: float = 9.0
    force_sensor_min_n: float = -1_000.0
    force_sensor_max_n: float = 60_000.0
    travel_min_m: float = -2e-3
    travel_max_m: float = 8e-3
    pedal_full_travel_mm: float = 60.0
    pedal_dead_travel_mm: float = 2.0
    wheel_radius_m: float = 0.345
    wheel_pulses_per_revolution: int = 96

    def __deepcopy__(self, memo: dict[int, object]) -> EmbParameters:
        return self


FRONT_EMB = EmbParameters(force_control=FRONT, pedal_direct_force_n=13_800.0)
REAR_EMB = EmbParameters(force_control=REAR, pedal_direct_force_n=8_300.0)
