"""Slip control (ABS): keeps braked wheels near the peak of the friction curve, at 200 Hz.

One small machine per wheel works on clamp forces: a wheel that runs into slip is relieved, held
until it recovers, then loaded again to just below the force at which it went unstable, and from
there slowly on in search of the limit. All ramps scale with that force, so that snow and dry
asphalt behave alike. On top: select-low on the rear axle, and a delayed build-up on the gripping
front side of a split road. Pure control law, sans messages; stability control is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum, unique
from typing import Any, Self

from simcore.ecu.cdc.reference_speed import ReferenceSpeed
from simcore.errors import UsageError


@unique
class SlipPhase(IntEnum):
    """What the slip control does to one wheel."""

    IDLE = 0
    """The demand passes."""
    RELIEVE = 1
    HOLD = 2
    REAPPLY = 3


# Plain members: an attribute of an IntEnum class costs a dictionary look-up on the hot path.
_IDLE, _RELIEVE, _HOLD, _REAPPLY = SlipPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipControlParameters:
    """Thresholds and ramps. Ramps are in parts of the wheel's lock force per second."""

    target_slip_ratio: float = 0.085
    entry_share_ratio: float = 1.05
    """Entry threshold in parts of the target slip."""
    deep_slip_ratio: float = 0.25
    recovered_share_ratio: float = 1.0
    recovering_mps2: float = 2.3
    first_relief_ratio: float = 0.06
    """Part of the force taken off at once when the wheel drops as fast as `full_drop_mps2`."""
    full_drop_mps2: float = 75.0
    mild_relief_ratio: float = 0.3
    """Smallest part of a relief, for a wheel that drifts off gently."""
    relief_min_per_s: float = 3.2
    relief_max_per_s: float = 15.0
    reapply_at_ratio: float = 0.81
    fast_until_ratio: float = 0.97
    fast_ramp_per_s: float = 2.3
    slow_ramp_per_s: float = 0.5
    search_after_s: float = 0.25
    """Slow ramp without instability for this long: the road got better, ramp up faster."""
    search_ramp_per_s: float = 4.0
    lock_force_memory_ratio: float = 0.2
    lock_force_min_n: float = 300.0
    enter_above_mps: float = 2.2
    leave_below_mps: float = 1.4
    split_free_n: float = 4000.0
    split_ramp_nps: float = 15_000.0
    split_share_ratio: float = 1.4
    """Lock forces left and right further apart than this make a split road."""
    dt_s: float = 0.005

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0.0:
                raise UsageError(f"SlipControlParameters.{field.name}", expected="> 0", got=value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


DEFAULT = SlipControlParameters()


class WheelSlipControl:
    """The machine of one wheel. `force_n` is the force it allows while `phase` is not IDLE."""

    __slots__ = (
        "_p",
        "_search_s",
        "_speed_mps",
        "_stable_ratio",
        "acceleration_mps2",
        "force_n",
        "lock_force_n",
        "phase",
        "slip_ratio",
    )

    def __init__(self, parameters: SlipControlParameters) -> None:
        self._p = parameters
        self._stable_ratio = min(
            parameters.deep_slip_ratio, parameters.entry_share_ratio * parameters.target_slip_ratio
        )
        """Up to this slip a wheel is stable however it turns."""
        self.phase = _IDLE
        self.force_n = 0.0
        self.lock_force_n = 0.0
        self.slip_ratio = 0.0
        self.acceleration_mps2 = 0.0
        self._speed_mps = 0.0
        self._search_s = 0.0

    def step(
        self, demand_n: float, wheel_speed_mps: float, reference_mps: float, clamp_force_n: float
    ) -> float:
        """Force for the next period: the demand, or less."""
        p = self._p
        self.roll(wheel_speed_mps)
        phase = self.phase
        if demand_n <= 0.0 or reference_mps < (p.leave_below_mps if phase else p.enter_above_mps):
            self.phase = _IDLE
            self.slip_ratio = 0.0
            return demand_n
        slip = self.slip_ratio = 1.0 - wheel_speed_mps / reference_mps
        if phase is _IDLE and slip <= self._stable_ratio:
            self.force_n = demand_n
            return demand_n
        if self._is_unstable(slip):
            if self.phase in (_IDLE, _REAPPLY):
                self._enter(demand_n, clamp_force_n)
            else:
                self.phase = _RELIEVE
        elif self.phase is _RELIEVE:
            self.phase = _HOLD
        if self.phase is _HOLD and slip < p.recovered_share_ratio * p.target_slip_ratio:
            self.phase = _REAPPLY
            self._search_s = 0.0
            self.force_n = max(self.force_n, p.reapply_at_ratio * self.lock_force_n)
        if self.phase is _RELIEVE:
            self._relieve(slip)
        elif self.phase is _REAPPLY:
            self._reapply()
        if self.phase is _IDLE or self.force_n >= demand_n:
            self.phase = _IDLE
            self.force_n = demand_n
        return self.force_n

    def roll(self, wheel_speed_mps: float) -> None:
        """Follow the wheel's speed and acceleration without controlling it."""
        raw_mps2 = (wheel_speed_mps - self._speed_mps) / self._p.dt_s
        self.acceleration_mps2 += 0.6 * (raw_mps2 - self.acceleration_mps2)
        self._speed_mps = wheel_speed_mps

    def resume(self, force_n: float, wheel_speed_mps: float, *, active: bool) -> None:
        """Go on where another controller has been: at a force, which it held back or not."""
        self._speed_mps = wheel_speed_mps
        self.force_n = force_n
        self.phase = _IDLE
        if active and force_n > 0.0:
            self.lock_force_n = max(force_n, self._p.lock_force_min_n)
            self.phase = _HOLD

    def _is_unstable(self, slip_ratio: float) -> bool:
        p = self._p
        if slip_ratio > p.deep_slip_ratio:
            return self.acceleration_mps2 < 5.0 * p.recovering_mps2
        entry = p.entry_share_ratio * p.target_slip_ratio
        return slip_ratio > entry and self.acceleration_mps2 < p.recovering_mps2

    def _enter(self, demand_n: float, clamp_force_n: float) -> None:
        """The wheel just went unstable: remember at which force, and take some off at once."""
        p = self._p
        at_n = min(clamp_force_n, demand_n)
        if self.phase is _IDLE or self.lock_force_n == 0.0:
            self.lock_force_n = at_n
        else:
            memory = p.lock_force_memory_ratio
            self.lock_force_n = memory * self.lock_force_n + (1.0 - memory) * at_n
        self.lock_force_n = max(self.lock_force_n, p.lock_force_min_n)
        self.force_n = (1.0 - p.first_relief_ratio * self._severity()) * at_n
        self.phase = _RELIEVE

    def _relieve(self, slip_ratio: float) -> None:
        p = self._p
        depth = (slip_ratio - p.target_slip_ratio) / (2.0 * p.deep_slip_ratio)
        depth = min(1.0, max(0.0, depth))
        rate = p.relief_min_per_s + depth * (p.relief_max_per_s - p.relief_min_per_s)
        # A locked wheel drops no further, and yet needs the full relief.
        severity = 1.0 if slip_ratio > p.deep_slip_ratio else self._severity()
        relief_n = rate * severity * self.lock_force_n * p.dt_s
        self.force_n = max(0.0, self.force_n - relief_n)

    def _severity(self) -> float:
        """How fast the wheel drops, from `mild_relief_ratio` to 1."""
        p = self._p
        return min(1.0, max(p.mild_relief_ratio, -self.acceleration_mps2 / p.full_drop_mps2))

    def _reapply(self) -> None:
        p = self._p
        if self.force_n < p.fast_until_ratio * self.lock_force_n:
            rate = p.fast_ramp_per_s
        else:
            rate = p.slow_ramp_per_s
            self._search_s += p.dt_s
            if self._search_s > p.search_after_s:
                rate = p.search_ramp_per_s
        self.force_n += rate * self.lock_force_n * p.dt_s


class SlipController:
    """Slip control of the vehicle; lists are in the order FL FR RL RR.

    `rear_select_low` gives both rear wheels the lower of their two forces; a rear wheel without
    demand (its brake failed) is left out of that. `active` says which wheels are under control.
    """

    __slots__ = (
        "_demand_n",
        "_engaged",
        "_parameters",
        "_reference",
        "_split_s",
        "_wheels",
        "accelerometer_valid",
        "active",
        "rear_select_low",
    )

    def __init__(
        self, parameters: SlipControlParameters = DEFAULT, *, rear_select_low: bool = True
    ) -> None:
        self._parameters = parameters
        self._reference = ReferenceSpeed(dt_s=parameters.dt_s)
        self._wheels = tuple(WheelSlipControl(parameters) for _ in range(4))
        self._split_s = 0.0
        self._engaged = False
        self._demand_n: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
        self.accelerometer_valid = True
        """False: the acceleration handed to `step` is an estimate."""
        self.rear_select_low = rear_select_low
        self.active: list[bool] = [False] * 4

    @property
    def reference_speed_mps(self) -> float:
        """Estimated speed of the vehicle."""
        return self._reference.speed_mps

    @property
    def speed_ceiling_mps(self) -> float:
        """The vehicle is not faster than this."""
        return self._reference.ceiling_mps

    @property
    def acceleration_offset_mps2(self) -> float:
        """What the accelerometer shows beyond the change of speed: its error and the slope."""
        return self._reference.offset_mps2

    @property
    def phases(self) -> list[SlipPhase]:
        """Phase of each wheel's machine."""
        return [wheel.phase for wheel in self._wheels]

    def start_at(self, speed_mps: float) -> None:
        """Take the vehicle's speed as known, for instance when waking in a moving vehicle."""
        self._reference.start_at(speed_mps)

    def resume(
        self,
        speed_mps: float,
        wheel_speed_mps: Sequence[float],
        force_n: Sequence[float],
        active: Sequence[bool],
    ) -> None:
        """Go on where another controller has been, without a step of force."""
        self.start_at(speed_mps)
        self._engaged = max(force_n) > 0.0
        for i, wheel in enumerate(self._wheels):
            wheel.resume(force_n[i], wheel_speed_mps[i], active=active[i])

    def step(
        self,
        force_demand_n: Sequence[float],
        wheel_speed_mps: Sequence[float],
        ax_mps2: float,
        wheel_valid: Sequence[bool],
        clamp_force_n: Sequence[float],
    ) -> list[float]:
        """Allowed clamp force per wheel, never above the demand.

        `wheel_speed_mps` are magnitudes, `ax_mps2` is the accelerometer's reading. A wheel without
        a valid speed follows the other wheel of its axle.
        """
        if not (
            len(force_demand_n) == len(wheel_speed_mps) == len(wheel_valid) == 4
            and len(clamp_force_n) == 4
        ):
            raise _not_four(
                force_demand_n=force_demand_n,
                wheel_speed_mps=wheel_speed_mps,
                wheel_valid=wheel_valid,
                clamp_force_n=clamp_force_n,
            )
        demand_max_n = max(force_demand_n)
        reference_mps = self._reference.step(
            wheel_speed_mps,
            wheel_valid,
            ax_mps2,
            braking=demand_max_n > 50.0,
            measured=self.accelerometer_valid,
        )
        if demand_max_n <= 0.0 and not self._engaged:
            self._roll(wheel_speed_mps, wheel_valid)
            return list(force_demand_n)
        self._engaged = demand_max_n > 0.0
        force_n = [
            wheel.step(demand_n, speed_mps, reference_mps, clamp_n) if valid else demand_n
            for wheel, demand_n, speed_mps, clamp_n, valid in zip(
                self._wheels,
                force_demand_n,
                wheel_speed_mps,
                clamp_force_n,
                wheel_valid,
                strict=True,
            )
        ]
        if not all(wheel_valid):
            self._demand_n = force_demand_n
            self._follow_partner(force_n, wheel_valid)
        self._delay_split_build_up(force_n)
        if self.rear_select_low and force_demand_n[2] > 0.0 and force_demand_n[3] > 0.0:
            force_n[2] = force_n[3] = min(force_n[2], force_n[3])
        for i in range(4):
            self.active[i] = force_n[i] < force_demand_n[i]
        return force_n

    def _roll(self, wheel_speed_mps: Sequence[float], wheel_valid: Sequence[bool]) -> None:
        """Nobody brakes and nobody did a period ago: only the wheels' memories go on."""
        dt_s = self._parameters.dt_s
        for wheel, speed_mps, valid in zip(self._wheels, wheel_speed_mps, wheel_valid, strict=True):
            if valid:  # as `WheelSlipControl.roll`, without a call
                before_mps2 = wheel.acceleration_mps2
                raw_mps2 = (speed_mps - wheel._speed_mps) / dt_s
                wheel.acceleration_mps2 = before_mps2 + 0.6 * (raw_mps2 - before_mps2)
                wheel._speed_mps = speed_mps

    def _follow_partner(self, force_n: list[float], wheel_valid: Sequence[bool]) -> None:
        """An axle without any speed gets the share of the demand that the other one gets."""
        asked_n = tuple(force_n)
        for i in range(4):
            if wheel_valid[i]:
                continue
            force_n[i] = min(asked_n[i], asked_n[i ^ 1])
            if not wheel_valid[i ^ 1]:
                for other in (i ^ 2, i ^ 3):
                    if self._wheels[other].phase is not _IDLE and wheel_valid[other]:
                        share_ratio = asked_n[other] / self._demand_n[other]
                        force_n[i] = min(force_n[i], share_ratio * asked_n[i])

    def _delay_split_build_up(self, force_n: list[float]) -> None:
        """On a split road let the gripping front wheel's force rise over the other's slowly."""
        p = self._parameters
        left, right = self._wheels[0], self._wheels[1]
        if left.phase is _IDLE and right.phase is _IDLE:
            self._split_s = 0.0
            return
        low = left if force_n[0] <= force_n[1] else right
        high = right if low is left else left
        if low.phase is _IDLE:
            self._split_s = 0.0
            return
        if high.phase is not _IDLE and (high.lock_force_n < p.split_share_ratio * low.lock_force_n):
            self._split_s = 0.0
            return
        self._split_s += p.dt_s
        limit_n = low.lock_force_n + p.split_free_n + p.split_ramp_nps * self._split_s
        i = 1 if low is left else 0
        force_n[i] = min(force_n[i], limit_n)


def _not_four(**arguments: Sequence[object]) -> UsageError:
    """The complaint about the first argument that has not one value per wheel."""
    name, values = next(item for item in arguments.items() if len(item[1]) != 4)
    return UsageError(f"SlipController.step, {name}", expected="4 values", got=len(values))
