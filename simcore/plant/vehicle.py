"""The vehicle: seven degrees of freedom, load transfer, slope, pose.

Longitudinal, lateral and yaw motion of one rigid body plus four spinning wheels; x forward, y
left, z up. Roll, pitch and suspension travel are not modelled: their effect on the wheel loads is
a first-order lag behind the measured acceleration. Brakes are outside: they come in as torques.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt

from simcore.arith import cosine, exponential, sine
from simcore.errors import UsageError
from simcore.plant.parameters import (
    FRONT_TYRE,
    REAR_TYRE,
    REFERENCE_VEHICLE,
    TyreParameters,
    VehicleParameters,
)
from simcore.plant.tyre import Wheel

SLIP_SPEED_MIN_MPS = 0.5
"""Below this speed over ground `slip_ratio` reports 0: slip has no meaning at standstill."""


class Vehicle:
    """State of the moving vehicle; lists are in the order FL FR RL RR.

    `friction_ratio` may be changed at any time, per wheel. `ax_mps2, ay_mps2` are accelerations
    of the centre of gravity; `specific_force_x_mps2` and `specific_force_y_mps2` are what an
    inertial sensor there reads, including the part of gravity along a slope.
    """

    __slots__ = (
        "_constants",
        "_filter_dt_s",
        "_filter_ratio",
        "_filtered_x_mps2",
        "_filtered_y_mps2",
        "_grade_cosine_ratio",
        "_grade_ratio",
        "_grade_sine_ratio",
        "_heading_cosine_ratio",
        "_heading_sine_ratio",
        "_inverse_mass_per_kg",
        "_inverse_yaw_inertia",
        "_mass_kg",
        "_static_load_n",
        "_steer_cosine_ratio",
        "_steer_rad",
        "_steer_sine_ratio",
        "_transfer",
        "ax_mps2",
        "ay_mps2",
        "distance_m",
        "friction_ratio",
        "parameters",
        "specific_force_x_mps2",
        "specific_force_y_mps2",
        "speed_mps",
        "vy_mps",
        "wheel_load_n",
        "wheel_speed_radps",
        "wheels",
        "x_m",
        "y_m",
        "yaw_rad",
        "yaw_rate_radps",
    )

    def __init__(
        self,
        parameters: VehicleParameters = REFERENCE_VEHICLE,
        *,
        front_tyre: TyreParameters = FRONT_TYRE,
        rear_tyre: TyreParameters = REAR_TYRE,
    ) -> None:
        p = parameters
        self.parameters = parameters
        self.wheels = tuple(
            Wheel(
                tyre,
                radius_m=p.wheel_radius_m,
                inertia_kgm2=p.wheel_inertia_kgm2,
                rolling_ratio=p.rolling_ratio,
            )
            for tyre in (front_tyre, front_tyre, rear_tyre, rear_tyre)
        )
        self.friction_ratio: list[float] = [1.0, 1.0, 1.0, 1.0]
        self.wheel_load_n: list[float] = [0.0, 0.0, 0.0, 0.0]
        self.wheel_speed_radps: list[float] = [0.0, 0.0, 0.0, 0.0]
        self.x_m = 0.0
        self.y_m = 0.0
        self.yaw_rad = 0.0
        self.distance_m = 0.0
        self._heading_cosine_ratio = 1.0
        self._heading_sine_ratio = 0.0
        self._steer_rad = 0.0
        self._steer_cosine_ratio = 1.0
        self._steer_sine_ratio = 0.0
        self._filter_dt_s = 0.0
        self._filter_ratio = 0.0
        self._constants = (
            p.track_m / 2.0,
            p.cg_to_front_m,
            p.cg_to_rear_m,
            0.5 * p.air_density_kgpm3 * p.drag_area_m2,
            p.gravity_mps2,
        )
        self._mass_kg = p.mass_kg
        self._grade_ratio = 0.0
        self._apply_mass_and_grade()
        self.set_speed(0.0)

    @property
    def mass_kg(self) -> float:
        """Mass of the vehicle; changed by `set_mass`."""
        return self._mass_kg

    @property
    def grade_ratio(self) -> float:
        """Slope as rise over run, positive uphill; changed by `set_grade`."""
        return self._grade_ratio

    @property
    def slip_ratio(self) -> list[float]:
        """Longitudinal slip (v - R w) / v per wheel: 1 is locked; 0 below 0.5 m/s."""
        radius_m = self.parameters.wheel_radius_m
        return [
            (w.vx_mps - radius_m * w.speed_radps) / w.vx_mps
            if w.vx_mps > SLIP_SPEED_MIN_MPS or w.vx_mps < -SLIP_SPEED_MIN_MPS
            else 0.0
            for w in self.wheels
        ]

    def set_mass(self, mass_kg: float) -> None:
        """Load the vehicle to `mass_kg`; static wheel loads and yaw inertia follow."""
        if not (isfinite(mass_kg) and mass_kg > 0.0):
            raise UsageError("Vehicle.set_mass", expected="> 0 kg", got=f"{mass_kg} kg")
        self._mass_kg = mass_kg
        self._apply_mass_and_grade()

    def set_grade(self, grade_ratio: float) -> None:
        """Put the vehicle on a slope, positive uphill: 0.2 is 20 %."""
        if not (isfinite(grade_ratio) and -1.0 <= grade_ratio <= 1.0):
            raise UsageError("Vehicle.set_grade", expected="a ratio -1..1", got=grade_ratio)
        self._grade_ratio = grade_ratio
        self._apply_mass_and_grade()

    def set_speed(self, speed_mps: float) -> None:
        """Put the vehicle into steady straight rolling; the pose and the distance stay."""
        if not isfinite(speed_mps):
            raise UsageError("Vehicle.set_speed", expected="a finite speed", got=speed_mps)
        self.speed_mps = speed_mps
        self.vy_mps = 0.0
        self.yaw_rate_radps = 0.0
        self.ax_mps2 = 0.0
        self.ay_mps2 = 0.0
        self.specific_force_x_mps2 = self._constants[4] * self._grade_sine_ratio
        self.specific_force_y_mps2 = 0.0
        self._filtered_x_mps2 = self.specific_force_x_mps2
        self._filtered_y_mps2 = 0.0
        for i, wheel in enumerate(self.wheels):
            wheel.roll(speed_mps)
            self.wheel_speed_radps[i] = wheel.speed_radps
        self._update_loads()

    def step(
        self,
        dt_s: float,
        brake_torque_nm: Sequence[float],
        drive_torque_nm: Sequence[float],
        steer_rad: float,
    ) -> None:
        """Advance by `dt_s`; `steer_rad` is the road wheel angle of the front axle, left > 0."""
        if dt_s != self._filter_dt_s:
            self._filter_dt_s = dt_s
            lag_s = self.parameters.load_transfer_time_constant_s
            self._filter_ratio = 1.0 - exponential(-dt_s / lag_s)
        if steer_rad != self._steer_rad:
            self._steer_rad = steer_rad
            self._steer_cosine_ratio = cosine(steer_rad)
            self._steer_sine_ratio = sine(steer_rad)
        self._update_loads()
        half_track_m, front_m, rear_m, _, _ = self._constants
        cos_s, sin_s = self._steer_cosine_ratio, self._steer_sine_ratio
        rate_radps = self.yaw_rate_radps
        left_mps = self.speed_mps - half_track_m * rate_radps
        right_mps = self.speed_mps + half_track_m * rate_radps
        front_y_mps = self.vy_mps + front_m * rate_radps
        rear_y_mps = self.vy_mps - rear_m * rate_radps
        load, mu, brake, drive = (
            self.wheel_load_n,
            self.friction_ratio,
            brake_torque_nm,
            drive_torque_nm,
        )
        fl, fr, rl, rr = self.wheels
        along_mps = cos_s * left_mps + sin_s * front_y_mps
        across_mps = cos_s * front_y_mps - sin_s * left_mps
        if rate_radps == 0.0 and self._is_symmetric(brake, drive):
            fl.step(dt_s, along_mps, across_mps, load[0], mu[0], brake[0], drive[0])
            fr.follow(fl)
            rl.step(dt_s, left_mps, rear_y_mps, load[2], mu[2], brake[2], drive[2])
            rr.follow(rl)
        else:
            fl.step(dt_s, along_mps, across_mps, load[0], mu[0], brake[0], drive[0])
            along_mps = cos_s * right_mps + sin_s * front_y_mps
            across_mps = cos_s * front_y_mps - sin_s * right_mps
            fr.step(dt_s, along_mps, across_mps, load[1], mu[1], brake[1], drive[1])
            rl.step(dt_s, left_mps, rear_y_mps, load[2], mu[2], brake[2], drive[2])
            rr.step(dt_s, right_mps, rear_y_mps, load[3], mu[3], brake[3], drive[3])
        speeds = self.wheel_speed_radps
        speeds[0] = fl.speed_radps
        speeds[1] = fr.speed_radps
        speeds[2] = rl.speed_radps
        speeds[3] = rr.speed_radps
        self._move_body(dt_s)

    def _is_symmetric(
        self, brake_torque_nm: Sequence[float], drive_torque_nm: Sequence[float]
    ) -> bool:
        """Whether the wheels of each axle are in the same state under the same inputs.

        So they are when the vehicle goes straight: then one step is enough for both.
        """
        fl, fr, rl, rr = self.wheels
        load, mu = self.wheel_load_n, self.friction_ratio
        brake, drive = brake_torque_nm, drive_torque_nm
        return (
            brake[0] == brake[1]
            and brake[2] == brake[3]
            and fl.speed_radps == fr.speed_radps
            and rl.speed_radps == rr.speed_radps
            and fl.slip_x_ratio == fr.slip_x_ratio
            and rl.slip_x_ratio == rr.slip_x_ratio
            and load[0] == load[1]
            and load[2] == load[3]
            and drive[0] == drive[1]
            and drive[2] == drive[3]
            and mu[0] == mu[1]
            and mu[2] == mu[3]
            and fl.slip_y_ratio == fr.slip_y_ratio
            and rl.slip_y_ratio == rr.slip_y_ratio
        )

    def _move_body(self, dt_s: float) -> None:
        """Forces of the four wheels, drag and gravity move the body and its pose."""
        fl, fr, rl, rr = self.wheels
        half_track_m, front_m, rear_m, drag_n, gravity_mps2 = self._constants
        cos_s, sin_s = self._steer_cosine_ratio, self._steer_sine_ratio
        fl_x_n = cos_s * fl.force_x_n - sin_s * fl.force_y_n
        fr_x_n = cos_s * fr.force_x_n - sin_s * fr.force_y_n
        front_y_n = sin_s * (fl.force_x_n + fr.force_x_n) + cos_s * (fl.force_y_n + fr.force_y_n)
        rear_y_n = rl.force_y_n + rr.force_y_n
        vx_mps = self.speed_mps
        vy_mps = self.vy_mps
        rate_radps = self.yaw_rate_radps
        drag_n *= vx_mps if vx_mps >= 0.0 else -vx_mps
        force_x_n = fl_x_n + fr_x_n + rl.force_x_n + rr.force_x_n - drag_n * vx_mps
        per_kg = self._inverse_mass_per_kg
        felt_x_mps2 = force_x_n * per_kg
        felt_y_mps2 = (front_y_n + rear_y_n) * per_kg
        ax_mps2 = felt_x_mps2 - gravity_mps2 * self._grade_sine_ratio
        moment_nm = (
            half_track_m * (fr_x_n - fl_x_n + rr.force_x_n - rl.force_x_n)
            + front_m * front_y_n
            - rear_m * rear_y_n
        )
        filter_ratio = self._filter_ratio
        self._filtered_x_mps2 += filter_ratio * (felt_x_mps2 - self._filtered_x_mps2)
        self._filtered_y_mps2 += filter_ratio * (felt_y_mps2 - self._filtered_y_mps2)
        self.specific_force_x_mps2 = felt_x_mps2
        self.specific_force_y_mps2 = felt_y_mps2
        self.ax_mps2 = ax_mps2
        self.ay_mps2 = felt_y_mps2
        self.speed_mps = vx_mps + dt_s * (ax_mps2 + vy_mps * rate_radps)
        self.vy_mps = vy_mps + dt_s * (felt_y_mps2 - vx_mps * rate_radps)
        self.yaw_rate_radps = rate_radps + dt_s * moment_nm * self._inverse_yaw_inertia
        self._move_pose(dt_s)

    def _move_pose(self, dt_s: float) -> None:
        """Position and heading over ground; the heading turns as a unit vector, by Cayley."""
        vx_mps = self.speed_mps
        vy_mps = self.vy_mps
        cos_h, sin_h = self._heading_cosine_ratio, self._heading_sine_ratio
        self.x_m += dt_s * (cos_h * vx_mps - sin_h * vy_mps)
        self.y_m += dt_s * (sin_h * vx_mps + cos_h * vy_mps)
        self.distance_m += dt_s * (vx_mps if vx_mps >= 0.0 else -vx_mps)
        turn_rad = dt_s * self.yaw_rate_radps
        if turn_rad != 0.0:
            self.yaw_rad += turn_rad
            half_rad = 0.5 * turn_rad
            square = half_rad * half_rad
            scale = 1.0 / (1.0 + square)
            self._heading_cosine_ratio = scale * ((1.0 - square) * cos_h - turn_rad * sin_h)
            self._heading_sine_ratio = scale * ((1.0 - square) * sin_h + turn_rad * cos_h)

    def _update_loads(self) -> None:
        """Wheel loads from weight and the filtered acceleration; a lifted wheel carries 0."""
        front_n, rear_n = self._static_load_n
        pitch_kg, roll_front_kg, roll_rear_kg = self._transfer
        shift_n = pitch_kg * self._filtered_x_mps2
        front_n -= shift_n
        rear_n += shift_n
        roll_front_n = roll_front_kg * self._filtered_y_mps2
        roll_rear_n = roll_rear_kg * self._filtered_y_mps2
        load = self.wheel_load_n
        load[0] = front_n - roll_front_n if front_n > roll_front_n else 0.0
        load[1] = front_n + roll_front_n if front_n > -roll_front_n else 0.0
        load[2] = rear_n - roll_rear_n if rear_n > roll_rear_n else 0.0
        load[3] = rear_n + roll_rear_n if rear_n > -roll_rear_n else 0.0

    def _apply_mass_and_grade(self) -> None:
        p = self.parameters
        mass_kg = self._mass_kg
        self._inverse_mass_per_kg = 1.0 / mass_kg
        self._inverse_yaw_inertia = p.mass_kg / (p.yaw_inertia_kgm2 * mass_kg)
        self._grade_cosine_ratio = 1.0 / sqrt(1.0 + self._grade_ratio * self._grade_ratio)
        self._grade_sine_ratio = self._grade_ratio * self._grade_cosine_ratio
        wheelbase_m = p.cg_to_front_m + p.cg_to_rear_m
        weight_n = mass_kg * p.gravity_mps2 * self._grade_cosine_ratio
        self._static_load_n = (
            0.5 * weight_n * p.cg_to_rear_m / wheelbase_m,
            0.5 * weight_n * p.cg_to_front_m / wheelbase_m,
        )
        moment_kgm = mass_kg * p.cg_height_m
        self._transfer = (
            0.5 * moment_kgm / wheelbase_m,
            moment_kgm * p.front_roll_share_ratio / p.track_m,
            moment_kgm * (1.0 - p.front_roll_share_ratio) / p.track_m,
        )
