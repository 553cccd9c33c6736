"""One electro-mechanical brake: motor, screw, clamp force, disc and pad.

The motor turns a screw against the caliper's stiffness; friction in the gear gives hysteresis and
lets a small current hold a large force. Without current the clamp force drives the screw back
open, unless the parking lock holds it. The force controller is an ECU's and no part of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import sqrt

from simcore.arith import exponential
from simcore.plant.held import Held, Holding
from simcore.plant.parameters import CaliperParameters

_CURRENT_FLOOR_A = 1e-9
_FREE = {"retracted_stop_m": 1e6}
"""A motor without its screw turns without end."""
_CONTACT_N = 1.0
"""Below this force a screw that nothing drives has come open."""


class Caliper:
    """Caliper, disc and pad of one wheel; advanced by `step`.

    `screw_travel_m` is 0 where new pads touch the disc and negative in the clearance. The parking
    lock is a ratchet: it blocks the release direction only. `jammed` stops the screw altogether.
    Faults `jam`, `uncouple`, `scale` and `hold_motor_temperature`; several may act at a time.
    """

    __slots__ = (
        "_constants",
        "_contact",
        "_current_decay_ratio",
        "_decay_dt_s",
        "_drive",
        "_free_count",
        "_held_temperature",
        "_jam_count",
        "_nominal",
        "_scalings",
        "_thermal",
        "battery_current_a",
        "brake_torque_nm",
        "clamp_force_n",
        "disc_temperature_c",
        "jammed",
        "motor_speed_radps",
        "motor_temperature_c",
        "motor_travel_m",
        "pad_wear_m",
        "parameters",
        "park_locked",
        "phase_current_a",
        "screw_travel_m",
    )

    def __init__(self, parameters: CaliperParameters) -> None:
        self._nominal = parameters
        self._scalings: list[Mapping[str, float]] = []
        self.motor_speed_radps = 0.0
        self.screw_travel_m = -parameters.clearance_m
        self.phase_current_a = 0.0
        self.clamp_force_n = 0.0
        self.brake_torque_nm = 0.0
        self.disc_temperature_c = parameters.ambient_temperature_c
        self.pad_wear_m = 0.0
        self.battery_current_a = 0.0
        self.park_locked = False
        self.jammed = False
        self._jam_count = 0
        self._free_count = 0
        self.motor_travel_m = 0.0
        """Of a motor without its screw: how far it would have driven it."""
        self.motor_temperature_c = parameters.ambient_temperature_c
        """Of the winding; kept up by `warm_motor`."""
        self._held_temperature: Held[float] = Held()
        self._drive: Callable[[float, float, float], None] = self._drive_screw
        """Another one while motor and screw are apart."""
        self._take(parameters)

    def _take(self, parameters: CaliperParameters) -> None:
        """Work with these parameters from now on."""
        self.parameters = parameters
        self._decay_dt_s = 0.0
        self._current_decay_ratio = 1.0
        p = parameters
        self._constants = (
            p.motor_constant_nm_per_a,
            p.winding_resistance_ohm,
            p.current_max_a,
            p.usable_voltage_ratio,
            p.motor_inertia_kgm2,
            p.gear_m_per_rad,
            p.friction_constant_nm,
            p.friction_load_nm_per_n,
            p.damping_nms,
        )
        self._contact = (
            p.stiffness_n_per_m,
            p.stiffening_n_per_m2,
            2.0 * p.pad_friction_ratio * p.effective_radius_m,
            p.fade_onset_c,
        )
        self._thermal = (
            p.cooling_w_per_k,
            p.cooling_speed_w_per_k_per_mps,
            p.ambient_temperature_c,
            p.heat_share_ratio,
            p.disc_heat_capacity_j_per_k,
            p.wear_m_per_j,
        )

    def step(
        self,
        dt_s: float,
        motor_current_a: float,
        supply_v: float,
        wheel_speed_radps: float,
        speed_mps: float,
    ) -> None:
        """Advance by `dt_s` with a request to the current loop and the supply of the inverter."""
        motor_speed_radps = self.motor_speed_radps
        if motor_current_a == 0.0 and self.phase_current_a == 0.0 and motor_speed_radps == 0.0:
            self.battery_current_a = 0.0
            if self.clamp_force_n == 0.0:
                if self.disc_temperature_c != self.parameters.ambient_temperature_c:
                    self._heat(dt_s, wheel_speed_radps, speed_mps)
                return
        self._drive(dt_s, motor_current_a, supply_v)
        compression_m = self.screw_travel_m - self.pad_wear_m
        if compression_m > 0.0:
            stiffness_n_per_m, stiffening_n_per_m2, lever_m, fade_onset_c = self._contact
            force_n = (stiffness_n_per_m + stiffening_n_per_m2 * compression_m) * compression_m
            self.clamp_force_n = force_n
            torque_nm = lever_m * force_n
            if self.disc_temperature_c > fade_onset_c:
                torque_nm *= self._fade_ratio()
            self.brake_torque_nm = torque_nm
        else:
            self.clamp_force_n = self.brake_torque_nm = 0.0
        self._heat(dt_s, wheel_speed_radps, speed_mps)

    def works_like(self, other: Caliper) -> bool:
        """Whether a caliper with the same parameters is in the very same state."""
        return (
            self.screw_travel_m == other.screw_travel_m
            and self.motor_speed_radps == other.motor_speed_radps
            and self.phase_current_a == other.phase_current_a
            and self.clamp_force_n == other.clamp_force_n
            and self.disc_temperature_c == other.disc_temperature_c
            and self.pad_wear_m == other.pad_wear_m
            and self.park_locked == other.park_locked
            and self.jammed == other.jammed
            and self.parameters is other.parameters
        )

    def follow(self, other: Caliper) -> None:
        """Take over what a step has made of a caliper in the same state under the same inputs."""
        self.motor_speed_radps = other.motor_speed_radps
        self.screw_travel_m = other.screw_travel_m
        self.phase_current_a = other.phase_current_a
        self.clamp_force_n = other.clamp_force_n
        self.brake_torque_nm = other.brake_torque_nm
        self.disc_temperature_c = other.disc_temperature_c
        self.pad_wear_m = other.pad_wear_m
        self.battery_current_a = other.battery_current_a

    def _drive_screw(self, dt_s: float, motor_current_a: float, supply_v: float) -> None:
        """Current loop, motor and screw."""
        (
            kt_nm_per_a,
            resistance_ohm,
            current_max_a,
            usable_ratio,
            inertia_kgm2,
            gear_m_per_rad,
            friction_nm,
            friction_nm_per_n,
            damping_nms,
        ) = self._constants
        speed_radps = self.motor_speed_radps
        limit_a = current_max_a if supply_v > 0.0 else 0.0
        if motor_current_a * speed_radps >= 0.0:
            # Motoring: the back-EMF leaves only part of the supply to drive the current.
            back_emf_v = kt_nm_per_a * (speed_radps if speed_radps >= 0.0 else -speed_radps)
            headroom_a = (usable_ratio * supply_v - back_emf_v) / resistance_ohm
            if headroom_a < limit_a:
                limit_a = headroom_a if headroom_a > 0.0 else 0.0
        if motor_current_a > limit_a:
            motor_current_a = limit_a
        elif motor_current_a < -limit_a:
            motor_current_a = -limit_a
        if dt_s != self._decay_dt_s:
            self._decay_dt_s = dt_s
            self._current_decay_ratio = exponential(-dt_s / self.parameters.current_time_constant_s)
        current_a = motor_current_a + (self.phase_current_a - motor_current_a) * (
            self._current_decay_ratio
        )
        if motor_current_a == 0.0 and -_CURRENT_FLOOR_A < current_a < _CURRENT_FLOOR_A:
            current_a = 0.0
        self.phase_current_a = current_a

        force_n = self.clamp_force_n
        torque_nm = kt_nm_per_a * current_a - gear_m_per_rad * force_n - damping_nms * speed_radps
        speed_radps += dt_s / inertia_kgm2 * torque_nm
        # Coulomb friction takes speed off and stops there: exact stiction, no chatter.
        loss_radps = dt_s / inertia_kgm2 * (friction_nm + friction_nm_per_n * force_n)
        if speed_radps > loss_radps:
            speed_radps -= loss_radps
        elif speed_radps < -loss_radps:
            speed_radps += loss_radps
        else:
            speed_radps = 0.0
        if self.jammed or (self.park_locked and speed_radps < 0.0):
            speed_radps = 0.0
        travel_m = self.screw_travel_m + dt_s * gear_m_per_rad * speed_radps
        stop_m = -self.parameters.retracted_stop_m
        if travel_m < stop_m and speed_radps < 0.0:
            travel_m = stop_m
            speed_radps = 0.0
        self.screw_travel_m = travel_m
        self.motor_speed_radps = speed_radps
        if supply_v > 0.0:
            power_w = (kt_nm_per_a * speed_radps + resistance_ohm * current_a) * current_a
            self.battery_current_a = power_w / supply_v
        else:
            self.battery_current_a = 0.0

    def _force_at(self, compression_m: float) -> float:
        if compression_m <= 0.0:
            return 0.0
        p = self.parameters
        return (p.stiffness_n_per_m + p.stiffening_n_per_m2 * compression_m) * compression_m

    def _fade_ratio(self) -> float:
        p = self.parameters
        excess_k = self.disc_temperature_c - p.fade_onset_c
        if excess_k > p.fade_span_k:
            excess_k = p.fade_span_k
        return 1.0 - p.fade_per_k2 * excess_k * excess_k

    def _heat(self, dt_s: float, wheel_speed_radps: float, speed_mps: float) -> None:
        cooling_w_per_k, speed_w_per_k_per_mps, ambient_c, share, capacity, wear = self._thermal
        if wheel_speed_radps < 0.0:
            wheel_speed_radps = -wheel_speed_radps
        if speed_mps < 0.0:
            speed_mps = -speed_mps
        power_w = self.brake_torque_nm * wheel_speed_radps
        temperature_c = self.disc_temperature_c
        lost_w = (cooling_w_per_k + speed_w_per_k_per_mps * speed_mps) * (temperature_c - ambient_c)
        self.disc_temperature_c = temperature_c + dt_s * (share * power_w - lost_w) / capacity
        self.pad_wear_m += wear * power_w * dt_s

    def travel_at(self, clamp_force_n: float) -> float:
        """Screw travel in m at which the caliper clamps with `clamp_force_n`, at present wear."""
        p = self.parameters
        k1, k2 = p.stiffness_n_per_m, p.stiffening_n_per_m2
        if k2 == 0.0:
            return self.pad_wear_m + clamp_force_n / k1
        return self.pad_wear_m + (sqrt(k1 * k1 + 4.0 * k2 * clamp_force_n) - k1) / (2.0 * k2)

    def place_at(self, clamp_force_n: float) -> None:
        """Put the screw at rest where it clamps with `clamp_force_n`, as a scenario's start."""
        p = self.parameters
        if clamp_force_n > 0.0:
            self.screw_travel_m = self.travel_at(clamp_force_n)
        else:
            self.screw_travel_m = self.pad_wear_m - p.clearance_m
        self.motor_speed_radps = 0.0
        self.phase_current_a = 0.0
        self.battery_current_a = 0.0
        self.clamp_force_n = self._force_at(self.screw_travel_m - self.pad_wear_m)
        torque_nm = 2.0 * p.pad_friction_ratio * p.effective_radius_m * self.clamp_force_n
        self.brake_torque_nm = torque_nm

    def warm_motor(self, dt_s: float) -> None:
        """Let `dt_s` of the present current warm the winding; slow enough to be asked seldom."""
        if self._held_temperature.is_held:
            return
        p = self.parameters
        temperature_c = self.motor_temperature_c
        power_w = p.winding_resistance_ohm * self.phase_current_a * self.phase_current_a
        power_w -= p.motor_cooling_w_per_k * (temperature_c - p.ambient_temperature_c)
        self.motor_temperature_c = temperature_c + dt_s * power_w / p.motor_heat_capacity_j_per_k

    # -- faults ---------------------------------------------------------------------------------

    def jam(self) -> None:
        """The screw does not move, until `unjam`."""
        self._jam_count += 1
        self.jammed = True

    def unjam(self) -> None:
        """One jam is over."""
        self._jam_count -= 1
        self.jammed = self._jam_count > 0

    def scale(self, factors: Mapping[str, float]) -> None:
        """Multiply parameters by these factors, until `unscale`."""
        self._scalings.append(factors)
        self._rescale()

    def unscale(self, factors: Mapping[str, float]) -> None:
        """No longer."""
        self._scalings.remove(factors)
        self._rescale()

    def _rescale(self) -> None:
        # Others than its neighbour's, so that no caliper is taken to work like this one.
        parameters = self._nominal
        for factors in self._scalings:
            changed = {name: getattr(parameters, name) * by for name, by in factors.items()}
            parameters = replace(parameters, **changed)
        self._take(parameters)

    def uncouple(self) -> None:
        """The motor turns without the screw, until `recouple`."""
        if not self._free_count:
            self.motor_travel_m = self.screw_travel_m
            self._drive = self._drive_apart
        self._free_count += 1
        self.scale(_FREE)

    def recouple(self) -> None:
        """One break is mended: the motor takes the screw up from rest, where it is."""
        self._free_count -= 1
        self.unscale(_FREE)
        if not self._free_count:
            self.motor_speed_radps = 0.0
            self._drive = self._drive_screw

    def _drive_apart(self, dt_s: float, motor_current_a: float, supply_v: float) -> None:
        """The motor runs without load. The clamp force drives the screw back open by itself.

        Inertia and constant friction are the motor's; the screw has the friction under load and
        the damping, is lighter than a step is short, and gives way to lock and jam alone.
        """
        screw_m, force_n = self.screw_travel_m, self.clamp_force_n
        jammed, locked = self.jammed, self.park_locked
        self.screw_travel_m, self.clamp_force_n = self.motor_travel_m, 0.0
        self.jammed = self.park_locked = False
        self._drive_screw(dt_s, motor_current_a, supply_v)
        self.motor_travel_m = self.screw_travel_m
        self.jammed, self.park_locked = jammed, locked
        if force_n > 0.0 and not jammed and not locked:
            p = self.parameters
            torque_nm = (p.gear_m_per_rad - p.friction_load_nm_per_n) * force_n
            screw_m -= dt_s * p.gear_m_per_rad * torque_nm / p.damping_nms
            if force_n < _CONTACT_N or screw_m < self.pad_wear_m:
                screw_m = self.pad_wear_m
        self.screw_travel_m = screw_m
        self.clamp_force_n = force_n

    def hold_motor_temperature(self, temperature_c: float) -> Holding[float]:
        """The winding has this temperature, until it is released."""
        holding = self._held_temperature.hold(self.motor_temperature_c, temperature_c)
        self.motor_temperature_c = temperature_c
        return holding

    def release_motor_temperature(self, holding: Holding[float]) -> None:
        """No longer: the foreign heat is gone at once."""
        self.motor_temperature_c = self._held_temperature.release(holding)
