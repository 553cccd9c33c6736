"""Do sensors and motor of an actuator fit together? Every 5 ms, against the nominal brake.

Four sources say how hard the brake clamps: the force sensor, the travel of the screw (over the
stiffness), the current that holds the load, and motion. No two of them are judged alone:

- travel and force disagree: the force sensor is wrong (stuck, offset, drift), and braking goes on
  with the estimate; unless there is hardly any current either: then the motor turns freely;
- speed and change of travel disagree: the motion sensor is wrong (frozen, jumping): released;
- current without motion: jammed, or, where the force moves, a motion sensor that is frozen;
- full current for 15 ms and less than 40 % of the speed that gives: slow.

Beside them: park lock, motor temperature, supply. Not here: ranges (the force loop's, every
millisecond), what is permitted (`monitor`). What cannot be seen: a sensor frozen while nothing
moves, a jam while the force asked for stays the same, noise that the controller's own window
hides, a jump of the travel below 80 um.
"""

from __future__ import annotations

from simcore.ecu.emb.application import MOTOR_OFF, Application
from simcore.ecu.emb.parameters import EmbParameters
from simcore.ecu.emb.states import EmbEvent, EmbState
from simcore.ecu.emb.trouble_codes import (
    ACTUATOR_FREE,
    ACTUATOR_JAMMED,
    ACTUATOR_SLOW,
    FORCE_WRONG,
    LOCK_FAULT,
    LOCK_OPEN,
    MOTION_WRONG,
    MOTOR_HOT,
    MOTOR_TOO_HOT,
    SUPPLY_LOW,
)
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port
from simcore.units import NS_PER_S

_BAD, _GOOD = 2, 1
"""What a look adds to a count or takes from it."""
_START_UP = frozenset({EmbState.INIT, EmbState.SELF_TEST})
_NO_JUDGEMENT = _START_UP | MOTOR_OFF
_PARKING = frozenset({EmbState.PARK_APPLYING, EmbState.PARK_RELEASING})
_SLOW_LOOKS = 3
_NEVER_C = -100.0


class Plausibility:
    """Judges one actuator; tells its application what happened."""

    __slots__ = (
        "_application",
        "_carried_nm",
        "_codes",
        "_due_nm",
        "_force_count",
        "_force_n",
        "_free_looks",
        "_full_a",
        "_full_looks",
        "_inputs",
        "_lock_losses",
        "_locked_ns",
        "_motion_m",
        "_moved_m",
        "_moved_n",
        "_now_ns",
        "_parameters",
        "_period_s",
        "_port",
        "_sound_v",
        "_speed_radps",
        "_stall_count",
        "_temperature_c",
        "_travel_m",
        "_undervoltage",
        "_warning_c",
        "lock_fault",
    )

    def __init__(
        self,
        port: Port,
        parameters: EmbParameters,
        application: Application,
        *,
        period_ns: int,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._now_ns = 0
        self._inputs = port.inputs
        self._parameters = parameters
        self._application = application
        self._period_s = period_ns / NS_PER_S
        self._travel_m: float | None = None
        """At the look before; `None` where there is none to go by."""
        self._speed_radps = self._force_n = 0.0
        self._motion_m = 0.0
        """Travel that the speed does not explain, of the last while."""
        self._force_count = self._stall_count = self._full_looks = self._free_looks = 0
        self._carried_nm = self._due_nm = 0.0
        """Torque that the motor carries, and that it should carry by its travel: added up."""
        self._moved_m = self._moved_n = 0.0
        """Travel and force when the motor was first found not to turn."""
        self._locked_ns: int | None = None
        self._lock_losses = 0
        self.lock_fault = False
        """The park lock has opened by itself too often to be trusted."""
        self._temperature_c = _NEVER_C
        self._undervoltage = False
        self._sound_v = parameters.supply_sound_v
        self._warning_c = parameters.motor_warning_c
        control = parameters.force_control
        self._full_a = parameters.plausibility.saturated_share_ratio * control.current_max_a

    def look(self, now_ns: int) -> None:
        """Every 5 ms."""
        self._now_ns = now_ns
        pins = self._inputs
        application = self._application
        supply_v = pins["supply_v"]
        temperature_c = pins.get("motor_temperature_c", 20.0)
        if (
            not (supply_v >= self._sound_v and temperature_c <= self._warning_c)
            or self._undervoltage
            or self._temperature_c > self._warning_c
        ):
            self._derate(supply_v, temperature_c)
        state = application.state
        if state in _NO_JUDGEMENT:
            self._travel_m = None
            if state is EmbState.PARK_APPLIED:
                self._watch_lock(now_ns)
            return
        self._locked_ns = None
        travel_m = pins["screw_travel_m"]
        speed_radps = pins["motor_speed_radps"]
        force_n = pins["clamp_force_n"]
        current_a = pins["phase_current_a"]
        if travel_m == self._travel_m and not (speed_radps or current_a or self._speed_radps):
            # At rest: neither motion nor much force to judge, but for what the force sensor says.
            if force_n == self._force_n and not self._force_count:
                return
        self._watch(travel_m, speed_radps, force_n, current_a, supply_v)
        self._travel_m, self._speed_radps, self._force_n = travel_m, speed_radps, force_n

    def _watch(
        self, travel_m: float, speed_radps: float, force_n: float, current_a: float, supply_v: float
    ) -> None:
        before_m = self._travel_m
        if before_m is None:
            self._motion_m = 0.0
            self._force_count = self._stall_count = self._full_looks = self._free_looks = 0
            self._watch_force(travel_m, speed_radps, force_n, current_a)
            return
        p = self._parameters
        gear_m_per_rad = p.force_control.gear_m_per_rad
        turned_m = 0.5 * (speed_radps + self._speed_radps) * self._period_s * gear_m_per_rad
        # The end stop of the screw ends a motion at once: nothing to compare there.
        motion_m = self._motion_m * p.plausibility.motion_decay_ratio + (
            travel_m - before_m - turned_m
        )
        self._motion_m = motion_m
        limit_m = p.plausibility.motion_error_m
        if not -limit_m <= motion_m <= limit_m:
            self._motion_lost(f"travel and motor speed differ by {motion_m * 1e6:.0f} um")
            return
        self._watch_force(travel_m, speed_radps, force_n, current_a)
        self._watch_stall(travel_m, speed_radps, force_n, current_a)
        self._watch_speed(speed_radps, current_a, supply_v)

    def _motion_lost(self, text: str) -> None:
        self._port.log("detection", f"motion sensor: {text}")
        self._codes.failed(MOTION_WRONG, self._now_ns)
        self._application.fails(EmbEvent.MOTION_SENSOR_LOST)

    # -- force against travel -------------------------------------------------------------------

    def _watch_force(
        self, travel_m: float, speed_radps: float, force_n: float, current_a: float
    ) -> None:
        application = self._application
        p = self._parameters.plausibility
        control = self._parameters.force_control
        depth_m = travel_m - application.contact_m
        if depth_m < -p.travel_error_m:
            expected_n, allowed_n = 0.0, p.rest_force_n
        else:
            depth_m = depth_m if depth_m > 0.0 else 0.0
            stiffening = control.stiffening_n_per_m2 * depth_m
            expected_n = (control.stiffness_n_per_m + stiffening) * depth_m
            slope_n_per_m = control.stiffness_n_per_m + 2.0 * stiffening
            allowed_n = (
                p.force_error_n
                + p.force_error_ratio * expected_n
                + p.travel_error_m * slope_n_per_m
            )
        if -allowed_n <= force_n - expected_n <= allowed_n:
            if self._force_count:
                self._force_count -= _GOOD
            self._free_looks = 0
            return
        self._force_count += _BAD
        if self._force_count >= p.limit_count and application.force_valid:
            self._port.log(
                "detection", f"force sensor: {force_n:.0f} N, by the travel {expected_n:.0f} N"
            )
            self._codes.failed(FORCE_WRONG, self._now_ns)
            application.distrust_force()
        if expected_n > p.free_force_n and force_n < p.free_share_ratio * expected_n:
            # No force at all: is there nothing to be measured, or nothing that measures?
            self._weigh(speed_radps, current_a, expected_n)
            if self._free_looks >= p.free_looks:
                if self._carried_nm < p.carried_share_ratio * self._due_nm:
                    self._port.log(
                        "detection",
                        f"motor turns freely: {force_n:.0f} N where {expected_n:.0f} N are due",
                    )
                    self._codes.failed(ACTUATOR_FREE, self._now_ns)
                    application.fails(EmbEvent.ACTUATOR_FREE)
                self._free_looks = 0

    def _weigh(self, speed_radps: float, current_a: float, expected_n: float) -> None:
        """Add up what a motor that hardly moves carries, and what it should."""
        control = self._parameters.force_control
        slow_radps, before_radps = control.friction_speed_radps, self._speed_radps
        if not (
            -slow_radps <= speed_radps <= slow_radps and -slow_radps <= before_radps <= slow_radps
        ):
            return
        if not self._free_looks:
            self._carried_nm = self._due_nm = 0.0
        self._free_looks += 1
        change_nm = control.motor_inertia_kgm2 * (speed_radps - before_radps) / self._period_s
        self._carried_nm += control.motor_constant_nm_per_a * current_a - change_nm
        self._due_nm += control.gear_m_per_rad * expected_n

    # -- current against motion -----------------------------------------------------------------

    def _watch_stall(
        self, travel_m: float, speed_radps: float, force_n: float, current_a: float
    ) -> None:
        p = self._parameters.plausibility
        if not -p.still_radps <= speed_radps <= p.still_radps:
            if self._stall_count:
                self._stall_count -= _GOOD
            return
        control = self._parameters.force_control
        carried_n = self._application.clamp_force_n
        torque_nm = control.motor_constant_nm_per_a * current_a - control.gear_m_per_rad * carried_n
        friction_nm = control.friction_constant_nm + control.friction_load_nm_per_n * carried_n
        if (
            abs(torque_nm) > 2.0 * friction_nm + p.stall_torque_nm
            # A closed park lock is a ratchet: against it a motor must not move.
            and (torque_nm > 0.0 or self._application.state not in _PARKING)
        ):
            if not self._stall_count:
                self._moved_m, self._moved_n = travel_m, force_n
            self._stall_count += _BAD
            if self._stall_count < p.limit_count:
                return
            still = abs(travel_m - self._moved_m) <= p.still_m
            if still and abs(force_n - self._moved_n) > p.rest_force_n:
                self._motion_lost("frozen: the force changes and the travel does not")
            elif still:
                self._port.log("detection", f"actuator jammed: {current_a:.1f} A without motion")
                self._codes.failed(ACTUATOR_JAMMED, self._now_ns)
                self._application.fails(EmbEvent.ACTUATOR_JAMMED)
            else:
                self._stall_count = 0
        elif self._stall_count:
            self._stall_count -= _GOOD

    def _watch_speed(self, speed_radps: float, current_a: float, supply_v: float) -> None:
        """Full current all the time, and the motor hardly runs."""
        full_a = self._full_a
        requested_a = self._application.requested_current_a
        if -full_a <= requested_a <= full_a:
            self._full_looks = 0
            return
        p = self._parameters.plausibility
        control = self._parameters.force_control
        if requested_a > full_a:
            looks = max(1, self._full_looks + 1)
        elif requested_a < -full_a:
            speed_radps, looks = -speed_radps, min(-1, self._full_looks - 1)
        else:
            looks = 0
        if speed_radps < -p.still_radps:
            looks = 0  # still running the other way
        self._full_looks = looks
        if -p.still_radps <= speed_radps <= p.still_radps and not -1 <= looks <= 1:
            # A motor that stands still takes all it is asked for; less means that it runs.
            if -0.5 * full_a < current_a < 0.5 * full_a:
                self._motion_lost(f"frozen: {current_a:.1f} A of {requested_a:.1f} A at standstill")
                return
        if -_SLOW_LOOKS <= looks <= _SLOW_LOOKS:
            return
        no_load_radps = p.usable_voltage_ratio * supply_v / control.motor_constant_nm_per_a
        if speed_radps < p.slow_share_ratio * no_load_radps:
            if self._application.state is not EmbState.DEGRADED:
                self._port.log(
                    "detection",
                    f"motor slow: {speed_radps:.0f} rad/s after 15 ms of full current",
                )
                self._codes.failed(ACTUATOR_SLOW, self._now_ns)
            self._application.happens(EmbEvent.ACTUATOR_SLOW)

    # -- lock, temperature, supply --------------------------------------------------------------

    def _watch_lock(self, now_ns: int) -> None:
        """A parked brake must stay locked and clamped (BRK-008)."""
        if self._locked_ns is None:
            self._locked_ns = now_ns
        p = self._parameters
        if now_ns - self._locked_ns < p.plausibility.lock_settling_ns:
            return
        pins = self._inputs
        least_n = p.plausibility.lock_force_share_ratio * p.park_force_n
        if pins.get("park_lock_state", 1.0) > 0.0 and pins["clamp_force_n"] >= least_n:
            self._codes.passed(LOCK_OPEN, now_ns)
            return
        self._lock_losses += 1
        self._port.log(
            "detection", f"park lock: open, or {pins['clamp_force_n']:.0f} N left of the force"
        )
        self._locked_ns = None
        self._codes.failed(LOCK_OPEN, now_ns)
        if self._lock_losses >= p.plausibility.lock_attempts:
            self.lock_fault = True
            self._codes.failed(LOCK_FAULT, now_ns)
            self._application.lock_trusted = False
            self._application.warning = True
        self._port.log("reaction", "park brake applied again by the motor")
        self._application.happens(EmbEvent.PARK_LOCK_LOST)

    def _derate(self, supply_v: float, temperature_c: float) -> None:
        """Warn, derate and stop by temperature and supply."""
        application = self._application
        p = self._parameters
        under = supply_v < (p.supply_sound_v if self._undervoltage else p.supply_warning_v)
        if under is not self._undervoltage:
            self._undervoltage = under
            word = "low" if under else "well again"
            self._port.log("detection", f"supply {word}: {supply_v:.1f} V")
            self._codes.test(SUPPLY_LOW, under, self._now_ns)
        was_hot = self._temperature_c > p.motor_warning_c
        hot = temperature_c > p.motor_warning_c
        if hot is not was_hot:
            word = "hot" if hot else "cool again"
            self._port.log("detection", f"motor {word}: {temperature_c:.0f} degC")
            self._codes.test(MOTOR_HOT, hot, self._now_ns)
            if not hot:
                self._codes.passed(MOTOR_TOO_HOT, self._now_ns)
        self._temperature_c = temperature_c
        share_ratio = 1.0
        if under:
            share_ratio = max(0.0, supply_v) / p.supply_warning_v
        if hot:
            over_ratio = (temperature_c - p.motor_warning_c) / (p.motor_stop_c - p.motor_warning_c)
            share_ratio = min(share_ratio, max(p.hot_force_ratio, 1.0 - over_ratio))
        application.warning = under or hot or self.lock_fault
        # In steps of the interface, so that a slow change does not come as a thousand small ones.
        step_n = 250.0
        most_n = p.force_control.force_max_n
        available_n = step_n * int(min(1.0, share_ratio) * most_n / step_n)
        if available_n != application.force_available_n:
            self._port.log("reaction", f"clamp force limited to {available_n:.0f} N")
            application.limit_available(available_n)
        if temperature_c >= p.motor_stop_c and application.state not in _NO_JUDGEMENT:
            self._port.log("detection", f"motor too hot: {temperature_c:.0f} degC")
            self._codes.failed(MOTOR_TOO_HOT, self._now_ns)
            application.happens(EmbEvent.OVERHEATED)
            application.switch_off()
