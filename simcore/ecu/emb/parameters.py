"""Parameters of a brake actuator ECU: calibration, not interface (that is the DBC's)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from simcore.ecu.emb.force_control import FRONT, REAR, ForceControlParameters
from simcore.units import NS_PER_MS


class _Shared:
    """Never changes, so a copy is the thing itself."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorParameters(_Shared):
    """Level 2: how far measured force and current may be from what is permitted (SAF-002).

    `current_excess_ratio` is a share of the largest motor current. The current loop lags by a time
    constant of 0.8 ms: one millisecond after a full request is withdrawn the current is 0.29 of the
    largest one above it; where the power stage drives by itself, 0.71 of it.
    """

    force_margin_n: float = 1_500.0
    force_margin_ratio: float = 0.15
    fall_after_ns: int = 30 * NS_PER_MS
    """Every request permits its force for so long after it was last asked for, ..."""
    fall_n_per_s: float = 300_000.0
    """... then the permitted force falls like this, slower than a sound caliper opens (BRK-004)."""
    excess_samples: int = 2
    """Looks in a row, 5 ms apart, that make an excess."""
    limiting_samples: int = 6
    """Looks that limiting has to end the excess before the power stage is cut."""
    settled_samples: int = 10
    """Looks without excess that end limiting."""
    approach_speed_radps: float = 150.0
    """Motor speed towards the disc that nothing asks for."""
    current_excess_ratio: float = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class PlausibilityParameters(_Shared):
    """Sensors against each other and against the nominal brake.

    A count goes up by 2 at a bad look and down by 1 at a good one. A look is taken every 5 ms, so
    bad ones in a row confirm within 15 ms.
    """

    limit_count: int = 6
    rest_force_n: float = 300.0
    """With the pads in the clearance the force sensor shows no more (EMB_xx_ForceOffs)."""
    force_error_n: float = 1_500.0
    force_error_ratio: float = 0.10
    travel_error_m: float = 60e-6
    """Contact point not learnt yet, wear and heat of one stop: what the travel may mislead by."""
    motion_error_m: float = 80e-6
    """Travel and speed of the motor may drift apart by this much in 50 ms."""
    motion_decay_ratio: float = 0.9
    free_force_n: float = 3_000.0
    """Force that the travel promises, without any of it: the motor turns freely."""
    free_share_ratio: float = 0.2
    free_looks: int = 6
    """Looks over which the current tells a free motor from a force sensor that shows nothing."""
    carried_share_ratio: float = 0.3
    """Carrying less than this share of the load due, the motor is free."""
    saturated_share_ratio: float = 0.95
    slow_share_ratio: float = 0.4
    """Less than this share of the no-load speed after 15 ms of full current: slow."""
    still_radps: float = 2.0
    still_m: float = 5e-6
    stall_torque_nm: float = 0.4
    """Torque left over beyond friction and load, without motion: jammed."""
    usable_voltage_ratio: float = 0.95
    lock_settling_ns: int = 40 * NS_PER_MS
    lock_force_share_ratio: float = 0.7
    lock_attempts: int = 3
    """A park lock that opens by itself so often is not trusted any more: the motor holds."""


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
    assist_gradient_n_per_s: float = 100_000.0
    """The same for a request that neither the pedal nor an emergency braking explains (SAF-004)."""
    assist_force_ratio: float = 0.5
    """Share of the largest force that such a request gets in the end: ACC and hold, with a brake
    of the same side lost, need no more."""
    assist_explained_ratio: float = 1.0
    """A request up to this multiple of the pedal-direct default is no surprise: 6.43 m/s2, cruise
    control asks for 5 m/s2. Once confirmed it is followed as commanded."""
    confirm_commands: int = 3
    """So many commands in a row may be corrupted: the next one confirms them."""
    pedal_plausible_ratio: float = 4.5
    """What the pedal explains, as a multiple of the pedal-direct default: 12 m/s2 at full travel
    are 2.1 of it, and twice that where the brake carries a lost one's share."""
    implausible_step_n: float = 8_000.0
    """A request this far above what it gets is reported as a detection."""
    monitor: MonitorParameters = MonitorParameters()
    plausibility: PlausibilityParameters = PlausibilityParameters()
    supply_warning_v: float = 36.0
    """Below it the force is derated in proportion, and a warning given."""
    supply_sound_v: float = 38.0
    motor_warning_c: float = 140.0
    """Above it the force is derated, to `hot_force_ratio` at `motor_stop_c`."""
    motor_stop_c: float = 170.0
    motor_cooled_c: float = 130.0
    hot_force_ratio: float = 0.25
    park_force_n: float = 12_000.0
    supply_min_v: float = 9.0
    force_sensor_min_n: float = -1_000.0
    force_sensor_max_n: float = 60_000.0
    travel_min_m: float = -2e-3
    travel_max_m: float = 8e-3
    motor_speed_max_radps: float = 1_000.0
    """Either way; without load and on a full supply it turns at 600 rad/s."""
    pedal_full_travel_mm: float = 60.0
    pedal_dead_travel_mm: float = 2.0
    wheel_radius_m: float = 0.345
    wheel_pulses_per_revolution: int = 96

    def __deepcopy__(self, memo: dict[int, object]) -> EmbParameters:
        return self


FRONT_EMB = EmbParameters(force_control=FRONT, pedal_direct_force_n=13_800.0)
REAR_EMB = EmbParameters(force_control=REAR, pedal_direct_force_n=8_300.0)
