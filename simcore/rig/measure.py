"""Manoeuvres with a measurement: a stop, a release, force accuracy.

Figures come from the recorded truth, not from what an ECU reports. Stops follow UN R13-H: MFDD
between 80 % and 10 % of the initial speed, distance from the first movement of the pedal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simcore.errors import UsageError
from simcore.rig.recorder import CORNERS
from simcore.units import KMH_PER_MPS, NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from simcore.rig.rig import Rig

PRESCRIBED_FORCE_N = (13_800.0, 13_800.0, 8_300.0, 8_300.0)
"""Clamp forces of the prescribed 6.43 m/s2 on the reference vehicle, FL FR RL RR."""
STOPPED_MPS = 0.05
LOCK_SHARE_RATIO = 0.1
"""A wheel below this share of the vehicle's speed counts as locked."""
LOCK_ABOVE_MPS = 15.0 / KMH_PER_MPS
RELEASED_BELOW_N = 500.0
WHEEL_RADIUS_M = 0.345
GRAVITY_MPS2 = 9.81


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One braking to standstill."""

    stopped: bool
    """False where the timeout came first; the other figures then cover what there was."""
    initial_speed_kmh: float
    distance_m: float
    """Way to standstill; inf where the vehicle did not stop."""
    duration_s: float
    mfdd_mps2: float
    """Mean fully developed deceleration; 0 where the speed never fell to 10 %."""
    response_ms: float
    """First pedal movement to the prescribed force at the slowest wheel; inf if never reached."""
    longest_lock_ms: float
    """Longest time any wheel was locked above 15 km/h."""
    lateral_offset_m: float
    """Largest offset from the line at the start, absolute."""
    peak_yaw_rate_degps: float

    @property
    def utilisation(self) -> float:
        """MFDD in g; divided by the friction it is the adhesion utilisation."""
        return self.mfdd_mps2 / GRAVITY_MPS2


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Releasing the brake."""

    released: bool
    duration_ms: float
    """Release of the pedal until the last clamp force is below 500 N."""
    force_before_n: float
    """Smallest clamp force at the moment of release: without any there is nothing to measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceAccuracy:
    """Largest deviation of true from commanded clamp force, per wheel the worst instant."""

    worst_deviation_n: float
    worst_excess_n: float
    """Largest deviation beyond max(3 %, 300 N) of the command; <= 0 is within."""
    smallest_command_n: float
    command_spread_ratio: float
    """How far the largest command of a wheel exceeded its smallest: 0 is steady. The other figures
    mean something for a steady command only."""


def measure_stop(rig: Rig, *, pedal_pct: float, timeout_ns: int, ramp_ns: int) -> Stop:
    """Press the pedal and run to standstill; see `Rig.measure_stop`."""
    vehicle = rig.vehicle
    initial_mps = vehicle.speed_mps
    if initial_mps <= STOPPED_MPS:
        raise UsageError("measure_stop", expected="a moving vehicle", got=f"{initial_mps:.3f} m/s")
    first_row = rig.recorder.row_count
    distance_m, offset_m = vehicle.distance_m, vehicle.lateral_offset_m
    rig.press_pedal(pedal_pct, ramp_ns=ramp_ns)
    stopped = rig.run_until(_Stopped(rig), timeout=timeout_ns)
    recorder = rig.recorder
    speed = recorder.column("speed_mps", first_row=first_row)
    if len(speed) == 0:
        raise UsageError("measure_stop, timeout", expected=">= 1 ms", got=f"{timeout_ns} ns")
    way = recorder.column("distance_m", first_row=first_row) - distance_m
    return Stop(
        stopped=stopped,
        initial_speed_kmh=initial_mps * KMH_PER_MPS,
        distance_m=float(way[-1]) if stopped else float("inf"),
        duration_s=len(speed) * NS_PER_MS / NS_PER_S,
        mfdd_mps2=mfdd_mps2(speed, way, initial_mps),
        response_ms=_response_ms(rig, first_row),
        longest_lock_ms=longest_lock_ms(rig, first_row),
        lateral_offset_m=float(
            np.max(np.abs(recorder.column("lateral_offset_m", first_row=first_row) - offset_m))
        ),
        peak_yaw_rate_degps=float(
            np.degrees(np.max(np.abs(recorder.column("yaw_rate_radps", first_row=first_row))))
        ),
    )


class _Stopped:
    """Predicate: the vehicle stands."""

    __slots__ = ("_rig",)

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def __call__(self) -> bool:
        return self._rig.vehicle.speed_mps <= STOPPED_MPS


def mfdd_mps2(
    speeds_mps: NDArray[np.float64], ways_m: NDArray[np.float64], initial_speed_mps: float
) -> float:
    """(vb^2 - ve^2) / (2 (se - sb)), vb = 0.8 v0, ve = 0.1 v0 (UN R13-H annex 3, 1.1.1).

    `speeds_mps` in m/s and `ways_m` in m are columns of equal length.
    """
    begin_mps, end_mps = 0.8 * initial_speed_mps, 0.1 * initial_speed_mps
    begin_m = _way_at(speeds_mps, ways_m, begin_mps)
    end_m = _way_at(speeds_mps, ways_m, end_mps)
    if begin_m is None or end_m is None or end_m <= begin_m:
        return 0.0
    return (begin_mps * begin_mps - end_mps * end_mps) / (2.0 * (end_m - begin_m))


def _way_at(
    speeds_mps: NDArray[np.float64], ways_m: NDArray[np.float64], speed_mps: float
) -> float | None:
    """Way at which the speed first falls to `speed_mps`, interpolated within a millisecond."""
    below = np.flatnonzero(speeds_mps <= speed_mps)
    if len(below) == 0:
        return None
    index = int(below[0])
    if index == 0:
        return float(ways_m[0])
    before, after = float(speeds_mps[index - 1]), float(speeds_mps[index])
    share = (before - speed_mps) / (before - after)
    return float(ways_m[index - 1] + share * (ways_m[index] - ways_m[index - 1]))


def _response_ms(rig: Rig, first_row: int) -> float:
    slowest_ms = 0.0
    for corner, force_n in zip(CORNERS, PRESCRIBED_FORCE_N, strict=True):
        force = rig.recorder.column(f"clamp_force_n.{corner}", first_row=first_row)
        reached = np.flatnonzero(force >= force_n)
        if len(reached) == 0:
            return float("inf")
        slowest_ms = max(slowest_ms, float(reached[0] + 1))
    return slowest_ms


def longest_lock_ms(rig: Rig, first_row: int) -> float:
    """Longest stretch any wheel was locked while the vehicle was faster than 15 km/h."""
    speed = rig.recorder.column("speed_mps", first_row=first_row)
    longest = 0
    for corner in CORNERS:
        wheel = rig.recorder.column(f"wheel_speed_radps.{corner}", first_row=first_row)
        locked = (speed > LOCK_ABOVE_MPS) & (wheel * WHEEL_RADIUS_M < LOCK_SHARE_RATIO * speed)
        longest = max(longest, _longest_run(locked))
    return float(longest)


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int(np.max(edges[1::2] - edges[::2])) if len(edges) else 0


def measure_release(rig: Rig, *, timeout_ns: int) -> Release:
    """Release the pedal; see `Rig.measure_release`."""
    started_ns = rig.now_ns
    force_before_n = min(rig.vehicle.clamp_force_n)
    rig.release_pedal()
    released = rig.run_until(_Released(rig), timeout=timeout_ns)
    return Release(
        released=released,
        duration_ms=(rig.now_ns - started_ns) / NS_PER_MS,
        force_before_n=force_before_n,
    )


class _Released:
    """Predicate: every clamp force is below 500 N."""

    __slots__ = ("_rig",)

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def __call__(self) -> bool:
        return max(self._rig.vehicle.clamp_force_n) < RELEASED_BELOW_N


def measure_force_accuracy(rig: Rig, *, duration_ns: int) -> ForceAccuracy:
    """Watch for `duration_ns`; the command must be steady. See `Rig.measure_force_accuracy`.

    The command is what `CDC_EmbCmd` carried on the bus.
    """
    first_frame = len(rig.recorder.frames)
    first_row = rig.recorder.row_count
    rig.run_for(duration_ns)
    message = rig.database.message("CDC_EmbCmd")
    reader = message.codec.reader(*(f"CDC_{corner}_FReq" for corner in CORNERS))
    commands = [
        reader.read(record.frame.data)
        for record in rig.recorder.frames[first_frame:]
        if record.frame.arbitration_id == message.arbitration_id
    ]
    if not commands:
        raise UsageError(
            "measure_force_accuracy", expected="CDC_EmbCmd on the bus", got="no such frame"
        )
    worst_n, excess_n, spread = 0.0, float("-inf"), 0.0
    for index, corner in enumerate(CORNERS):
        lowest_n = min(command[index] for command in commands)
        highest_n = max(command[index] for command in commands)
        force = rig.recorder.column(f"clamp_force_n.{corner}", first_row=first_row)
        below = lowest_n - float(np.min(force))
        above = float(np.max(force)) - highest_n
        deviation_n = max(below, above, 0.0)
        worst_n = max(worst_n, deviation_n)
        excess_n = max(excess_n, deviation_n - max(0.03 * highest_n, 300.0))
        spread = max(spread, (highest_n - lowest_n) / max(lowest_n, 1.0))
    return ForceAccuracy(
        worst_deviation_n=worst_n,
        worst_excess_n=excess_n,
        smallest_command_n=float(min(min(command) for command in commands)),
        command_spread_ratio=spread,
    )
