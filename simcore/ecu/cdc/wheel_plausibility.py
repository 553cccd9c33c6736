"""Wheel speeds against each other: stuck, offset, drifting, noisy, out of range.

Wheels that roll freely turn alike; a braked one may turn slower, down to locked, but never faster
than the car can be, and no real one keeps its speed to the last digit while the others change
theirs. None jumps by 25 km/h from one status to the next, or up and down again and again; where
all jump, the car was set to another speed. A wheel without clamp force spins up: 17 m/s2 on mu
0.05, so that one which does not gain half of that stays low because its sensor says so. In deep
slip wheels are not compared with each other. A wheel found wrong is left out until it has agreed
with the others for a while. Curves and the slip of driven wheels are within the tolerance. Two
wheels that drift alike are not told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from simcore.ecu.cdc.actuators import Actuator
from simcore.ecu.cdc.communication import CORNERS
from simcore.ecu.cdc.trouble_codes import WHEEL_INVALID, WHEEL_WRONG
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.units import KMH_PER_MPS, NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelPlausibilityParameters:
    """Tolerances, and how many samples of 10 ms something has to last."""

    free_below_n: float = 300.0
    """Clamp force of wheels that count as rolling freely."""
    apart_kmh: float = 2.0
    apart_ratio: float = 0.03
    """Rolling wheels further apart than both together."""
    apart_samples: int = 4
    low_kmh: float = 2.0
    low_ratio: float = 0.08
    """A wheel so much slower than the second fastest, without force, has to gain speed."""
    low_force_n: float = 100.0
    low_gain_kmh: float = 4.3
    """So much in `low_for_ns`: 8 m/s2, half of what a free wheel does on mu 0.05."""
    low_for_ns: int = 150 * NS_PER_MS
    jump_steps: int = 2
    """So many steps later than the first all the others must have jumped, too."""
    stuck_samples: int = 4
    stuck_change_kmh: float = 0.5
    """The others must have changed by so much meanwhile."""
    moving_kmh: float = 4.0
    grip_ratio: float = 0.93
    lively_ns: int = 100 * NS_PER_MS
    """Other wheels whose speed changed by much so lately are an explanation."""
    heal_samples: int = 200

    def __deepcopy__(self, memo: dict[int, object]) -> WheelPlausibilityParameters:
        return self


DEFAULT_WHEELS = WheelPlausibilityParameters()


class WheelPlausibility:
    """Judges four wheel speeds; takes the validity from those that are wrong."""

    __slots__ = (
        "_agreed",
        "_calm",
        "_changed_at_kmh",
        "_codes",
        "_free",
        "_invalid",
        "_jump_steps",
        "_jumped",
        "_last_kmh",
        "_low_from_kmh",
        "_low_since_ns",
        "_now_ns",
        "_odd",
        "_p",
        "_port",
        "_same",
        "_speed_at_kmh",
        "any_suspect",
        "suspect",
    )

    def __init__(
        self,
        port: Port,
        parameters: WheelPlausibilityParameters = DEFAULT_WHEELS,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._now_ns = 0
        self._p = parameters
        self._calm = True
        """The wheels were alike a period ago."""
        self._last_kmh = [0.0] * 4
        self._same = [0] * 4
        self._changed_at_kmh = [0.0] * 4
        self._speed_at_kmh = [0.0] * 4
        """How fast the other wheels and the car were when a wheel last changed its speed."""
        self._free = False
        """No wheel has been braked since they were last alike."""
        self._jumped = [False] * 4
        self._jump_steps = 0
        """Steps since the first of them; 0 while none jumped."""
        self._low_since_ns: list[int | None] = [None] * 4
        self._low_from_kmh = [0.0] * 4
        self._odd = [0] * 4
        self._agreed = [0] * 4
        self._invalid: tuple[int, ...] = ()
        """Wheels whose actuators say themselves that the speed is not valid."""
        self.suspect = [False] * 4
        """Wheels that the others contradict."""
        self.any_suspect = False

    @property
    def impaired(self) -> bool:
        """Whether any wheel speed is not to be used though its actuator is there."""
        return self.any_suspect or bool(self._invalid)

    def is_urgent(self, a: Actuator, b: Actuator, c: Actuator, d: Actuator) -> bool:
        """Whether to call it after this update of the actuators, too."""
        return (
            self.any_suspect
            or self._jump_steps > 0
            or (a.wheel_jump or b.wheel_jump or c.wheel_jump or d.wheel_jump)
        )

    def step(
        self,
        corners: Sequence[Actuator],
        asked_n: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        now_ns: int = 0,
        *,
        speed_mps: float = 0.0,
        ceiling_mps: float = inf,
    ) -> None:
        """Every 10 ms; while it `is_urgent` after each update of the actuators.

        `asked_n` are the clamp forces asked for, `speed_mps` is the estimate of the car's speed
        and `ceiling_mps` what it cannot be beyond.
        """
        a, b, c, d = corners
        self._now_ns = now_ns
        if (
            self._jump_steps
            or (a.wheel_jump or b.wheel_jump or c.wheel_jump or d.wheel_jump)
            or (a.wheel_erratic or b.wheel_erratic or c.wheel_erratic or d.wheel_erratic)
        ):
            self._watch_jumps(corners)
        speeds_kmh = (a.wheel_speed_kmh, b.wheel_speed_kmh, c.wheel_speed_kmh, d.wheel_speed_kmh)
        valid = a.wheel_valid and b.wheel_valid and c.wheel_valid and d.wheel_valid
        if self._invalid or not valid:
            self._look_at_quality(corners)
        p = self._p
        fastest_kmh = max(speeds_kmh)
        if not self.any_suspect and (
            fastest_kmh - min(speeds_kmh) <= p.apart_kmh or fastest_kmh < p.moving_kmh
        ):
            self._calm = True  # all alike, as nearly always
            return
        if self._calm:
            # Wheels that spin up after a release were alike, but not rolling.
            grip = fastest_kmh > p.grip_ratio * ceiling_mps * KMH_PER_MPS - p.apart_kmh
            self._begin(rolling=grip and self._rolls(corners, asked_n))
        elif self._free:
            self._free = self._rolls(corners, asked_n)
        trusted_kmh = sorted(
            [
                speed_kmh
                for speed_kmh, corner, suspect in zip(
                    speeds_kmh, corners, self.suspect, strict=True
                )
                if corner.wheel_valid and not suspect
            ]
        )
        for i, corner in enumerate(corners):
            if corner.wheel_valid:
                self._judge(i, corner, trusted_kmh, speed_mps, ceiling_mps)
            if corner.wheel_valid and not self.suspect[i]:
                self._watch_low(i, corner, asked_n[i], trusted_kmh, now_ns)

    def _look_at_quality(self, corners: Sequence[Actuator]) -> None:
        """Speeds that are said not to be valid though their actuators are there."""
        invalid = tuple(
            i
            for i, corner in enumerate(corners)
            if not (corner.wheel_valid or corner.lost or self.suspect[i] or self._jumped[i])
        )
        for i in invalid:
            if i not in self._invalid:
                self._port.log("detection", f"wheel speed {CORNERS[i]} not valid")
        if invalid != self._invalid:
            for i, name in enumerate(WHEEL_INVALID):
                self._codes.test(name, i in invalid, self._now_ns)
        self._invalid = invalid

    def _watch_jumps(self, corners: Sequence[Actuator]) -> None:
        """Wheels that jumped do not count; unless all did, their sensors are wrong."""
        for i, corner in enumerate(corners):
            if corner.wheel_erratic:
                corner.wheel_erratic = False
                # Where the road changes, several wheels spin up and lock again at once.
                alone = not any(
                    corner.lively_ns - other.lively_ns < self._p.lively_ns
                    for other in corners
                    if other is not corner
                )
                if alone and corner.wheel_valid and not self.suspect[i]:
                    self._suspect(i, corner, "up and down faster than a wheel can turn")
            if corner.wheel_jump:
                corner.wheel_jump = False
                if not self.suspect[i]:
                    self._jumped[i] = True
        jumped = self._jumped
        count = jumped[0] + jumped[1] + jumped[2] + jumped[3]
        if not count:
            return
        steady = 0
        for i, corner in enumerate(corners):
            steady += corner.wheel_valid and not (jumped[i] or self.suspect[i])
        if steady < 2:  # the car was set to another speed, or there is nobody to ask
            self._forget_jumps()
            return
        self._jump_steps += 1
        for i, corner in enumerate(corners):
            if jumped[i]:
                if self._jump_steps > self._p.jump_steps:
                    self._suspect(i, corner, f"jumped to {corner.wheel_speed_kmh:.1f} km/h")
                corner.wheel_valid = False
        if self._jump_steps > self._p.jump_steps:
            self._forget_jumps()

    def _forget_jumps(self) -> None:
        self._jumped = [False] * 4
        self._jump_steps = 0

    def _watch_low(
        self,
        i: int,
        corner: Actuator,
        asked_n: float,
        trusted_kmh: Sequence[float],
        now_ns: int,
    ) -> None:
        """A wheel that is far slower than others though nothing brakes it has to gain speed."""
        p = self._p
        speed_kmh = corner.wheel_speed_kmh
        if (
            len(trusted_kmh) < 3
            or speed_kmh >= trusted_kmh[-2] * (1.0 - p.low_ratio) - p.low_kmh
            or corner.clamp_force_n > p.low_force_n
            or asked_n > p.low_force_n
            or corner.lost
        ):
            self._low_since_ns[i] = None
            return
        since_ns = self._low_since_ns[i]
        if since_ns is not None and now_ns - since_ns < p.low_for_ns:
            return
        if since_ns is not None and speed_kmh - self._low_from_kmh[i] < p.low_gain_kmh:
            self._low_since_ns[i] = None
            self._suspect(
                i, corner, f"not braked, and stays at {speed_kmh:.1f}, others {trusted_kmh[-2]:.1f}"
            )
            return
        self._low_since_ns[i] = now_ns
        self._low_from_kmh[i] = speed_kmh

    def _begin(self, *, rolling: bool) -> None:
        """Wheels are no longer alike; whether they were rolling freely until now."""
        self._calm = False
        for i in range(4):
            self._odd[i] = self._same[i] = 0
            self._last_kmh[i] = -1.0
            self._low_since_ns[i] = None
        self._free = rolling

    def _rolls(self, corners: Sequence[Actuator], asked_n: Sequence[float]) -> bool:
        """Whether no wheel is braked."""
        a, b, c, d = corners
        strongest_n = max(a.clamp_force_n, b.clamp_force_n, c.clamp_force_n, d.clamp_force_n)
        return strongest_n < self._p.free_below_n and max(asked_n) <= 0.0

    def _judge(
        self,
        i: int,
        corner: Actuator,
        trusted_kmh: Sequence[float],
        speed_mps: float,
        ceiling_mps: float,
    ) -> None:
        p = self._p
        speed_kmh = corner.wheel_speed_kmh
        count = len(trusted_kmh)
        suspect = self.suspect[i]
        if count < (2 if suspect else 3):
            return
        if suspect:
            middle_kmh = trusted_kmh[count // 2]
        else:  # the others without itself
            place = (count - 1) // 2
            middle_kmh = trusted_kmh[place + (speed_kmh <= trusted_kmh[place])]
        if corner.fresh:
            self._watch_change(i, speed_kmh, middle_kmh, speed_mps)
        apart_kmh = speed_kmh - middle_kmh
        room_kmh = p.apart_kmh + p.apart_ratio * middle_kmh
        near = -room_kmh <= apart_kmh <= room_kmh
        if suspect:
            self._heal(i, near=near and self._same[i] < p.stuck_samples)
            corner.wheel_valid = not self.suspect[i]
            return
        free = self._free and not near and not corner.lost
        most_kmh = ceiling_mps * KMH_PER_MPS * (1.0 + p.apart_ratio) + p.apart_kmh
        self._odd[i] = self._odd[i] + 1 if free or speed_kmh > most_kmh else 0
        if self._odd[i] >= p.apart_samples:
            self._suspect(i, corner, f"{speed_kmh:.1f} km/h, the others {middle_kmh:.1f} km/h")
        elif self._is_stuck(i, speed_kmh, middle_kmh, speed_mps):
            self._suspect(i, corner, f"stuck at {speed_kmh:.1f} km/h, others {middle_kmh:.1f} km/h")

    def _suspect(self, i: int, corner: Actuator, reason: str) -> None:
        self.suspect[i] = self.any_suspect = True
        self._agreed[i] = 0
        corner.wheel_valid = False
        self._port.log("detection", f"wheel speed {CORNERS[i]} wrong: {reason}")
        self._port.log("reaction", f"wheel speed {CORNERS[i]} left out")
        self._codes.failed(WHEEL_WRONG[i], self._now_ns)

    def _watch_change(self, i: int, speed_kmh: float, middle_kmh: float, speed_mps: float) -> None:
        if speed_kmh != self._last_kmh[i]:
            self._last_kmh[i] = speed_kmh
            self._same[i] = 0
            self._changed_at_kmh[i] = middle_kmh
            self._speed_at_kmh[i] = speed_mps * KMH_PER_MPS
        else:
            self._same[i] += 1

    def _is_stuck(self, i: int, speed_kmh: float, middle_kmh: float, speed_mps: float) -> bool:
        """The others and the car changed their speed alike, this wheel did not at all."""
        p = self._p
        if self._same[i] < p.stuck_samples or speed_kmh < p.moving_kmh:
            return False
        others_kmh = middle_kmh - self._changed_at_kmh[i]
        car_kmh = speed_mps * KMH_PER_MPS - self._speed_at_kmh[i]
        most_kmh = p.stuck_change_kmh
        if others_kmh > 0.0:  # not towards it: those would be spinning up
            return others_kmh > most_kmh and car_kmh > most_kmh and speed_kmh < middle_kmh
        return others_kmh < -most_kmh and car_kmh < -most_kmh

    def _heal(self, i: int, *, near: bool) -> None:
        self._agreed[i] = self._agreed[i] + 1 if near else 0
        if self._agreed[i] >= self._p.heal_samples:
            self.suspect[i] = False
            self._odd[i] = 0
            self.any_suspect = any(self.suspect)
            self._port.log("note", f"wheel speed {CORNERS[i]} counts again")
            self._codes.passed(WHEEL_WRONG[i], self._now_ns)
