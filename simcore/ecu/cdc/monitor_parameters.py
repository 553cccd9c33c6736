"""Calibration of the monitoring of function: numbers of its own, none of the control task's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorParameters:
    """What level 2 believes about pedal, vehicle and brakes, and how much it tolerates."""

    mass_kg: float = 2_200.0
    pedal_dead_mm: float = 2.0
    decel_per_mm_mps2: float = 12.0 / 58.0
    decel_full_mps2: float = 12.0
    travel_max_mm: float = 200.0
    doubt_mm: float = 5.0
    """Channels further apart: what the control task uses may be on its way between them."""
    doubt_checks: int = 15
    blend_mm: float = 5.5
    """Most the travel then falls from one check to the next."""
    cruise_fall_mps2: float = 0.025
    """Per check; cruise braking that is lost leaves with 3 m/s3."""
    hold_max_mps2: float = 8.0
    """Most a standstill hold needs: 35 % slope, laden."""
    hold_below_kmh: float = 5.0
    hold_fall_mps2: float = 0.12
    """Per check; a hold leaves with 15 m/s3."""
    unparked_ns: int = 2_000_000_000
    """The park locks have this long to open, and a controller that wakes up to find out."""
    front_share_ratio: float = 0.52
    """Front part of the braking force at no deceleration, with margin."""
    front_gain_per_mps2: float = 0.5 / (3.0 * 9.81)
    """It grows by this per m/s2: height of the centre of gravity over wheelbase and g."""
    front_share_max_ratio: float = 0.9
    front_per_clamp_ratio: float = 0.32464
    """Tyre force per clamp force."""
    rear_per_clamp_ratio: float = 0.31304
    front_max_n: float = 40_000.0
    rear_max_n: float = 27_000.0
    share_left_ratio: tuple[float, float, float] = (0.55, 0.8, 1.0)
    """Most of the whole that one wheel carries with one, two, three wheels left out."""
    tolerance_ratio: float = 0.1
    tolerance_n: float = 1_500.0
    cut_checks: int = 3
    """Checks with excess although limited, after which the requests are withdrawn."""
    settle_checks: int = 20
    measured_n: float = 3_000.0
    measured_checks: int = 8
    """Of every second check: a force takes up to 150 ms to leave, BRK-004."""

    def __deepcopy__(self, memo: dict[int, object]) -> MonitorParameters:
        return self

    @property
    def without_request_n(self) -> tuple[float, float, float, float]:
        """Permitted while nobody asks for anything: no more than keeps the pads near, BRK-003."""
        return (500.0, 500.0, 500.0, 500.0)


DEFAULT_MONITOR = MonitorParameters()
