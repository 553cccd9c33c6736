"""What a brake actuator does every millisecond: check its sensors, obey its command, control force.

Reads and writes pins only; frames are the node's. In DEGRADED the force sensor is replaced by the
nominal stiffness curve over the measured screw travel. Ranges are checked here, every millisecond;
whether sensors and motor fit together is `plausibility`'s, and whether the force is permitted is
`monitor`'s: both tell this class through `happens`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

from simcore.ecu.emb.command import CommandSelection, force_target_n, gradient_n_per_s
from simcore.ecu.emb.communication import (
    FAULT_DEGRADED,
    FAULT_FAILED,
    FAULT_NONE,
    FAULT_WARNING,
    MODE_CLEARANCE,
    MODE_FORCE,
    MODE_HOLD,
    MODE_OFF,
    MODE_PARK_APPLY,
    MODE_PARK_RELEASE,
    SELF_TEST_ABORTED,
    SELF_TEST_FAIL_POSITION,
    SELF_TEST_FAIL_SUPPLY,
    SELF_TEST_NOT_RUN,
    SELF_TEST_PASSED,
    SELF_TEST_RUNNING,
    Command,
)
from simcore.ecu.emb.force_control import ForceController, LimitedForceController
from simcore.ecu.emb.parameters import EmbParameters
from simcore.ecu.emb.states import BRAKING, TRANSITIONS, EmbEvent, EmbState, next_state
from simcore.ecu.emb.trouble_codes import (
    FORCE_RANGE,
    MOTION_RANGE,
    SELF_TEST_FAILED,
    SUPPLY_LOST,
)
from simcore.ecu.runtime.trouble_code_rows import ENABLE_LOST
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.ecu.seam import Port

_RELEASED_BELOW_N = 50.0
_PARK_TOLERANCE_N = 500.0
_FORCE_CTRL = EmbState.FORCE_CTRL
_READY = EmbState.READY
_FAULT_LEVEL = {
    EmbState.SAFE_RELEASED: FAULT_FAILED,
    EmbState.FAULT_LOCKED: FAULT_FAILED,
    EmbState.DEGRADED: FAULT_DEGRADED,
}
MOTOR_OFF = frozenset({EmbState.SAFE_RELEASED, EmbState.FAULT_LOCKED, EmbState.PARK_APPLIED})
"""States in which the motor gets no current."""
_PASSING = {
    EmbEvent.ENABLE_LOST: EmbEvent.ENABLE_RESTORED,
    EmbEvent.OVERHEATED: EmbEvent.COOLED_DOWN,
}
"""Causes of a release with an end of their own; that of the others is SUPPLY_RESTORED."""
_WELL_AGAIN = (SUPPLY_LOST, MOTION_RANGE)
"""What is certainly over when the actuator starts again by itself."""
Marks = tuple[Callable[[int], object], ...]
"""Checkpoints on the way through the force loop: entered, sensors judged, command taken."""


def _ranges(p: EmbParameters) -> tuple[float, float, float, float, float]:
    """Bounds of force and motion sensor."""
    return (
        p.force_sensor_min_n,
        p.force_sensor_max_n,
        p.travel_min_m,
        p.travel_max_m,
        p.motor_speed_max_radps,
    )


class Application:
    """The 1 kHz task of one actuator."""

    __slots__ = (
        "_cause",
        "_codes",
        "_command",
        "_controller",
        "_current_a",
        "_gradient_step_n",
        "_inputs",
        "_latched",
        "_parameters",
        "_plausible",
        "_port",
        "_primary",
        "_rest_travel_m",
        "_seen",
        "_selection",
        "_settled_state",
        "_supply_min_v",
        "_started_ns",
        "_target_n",
        "activations",
        "clamp_force_n",
        "current_excess",
        "current_excess_a",
        "force_available_n",
        "force_ref_n",
        "force_valid",
        "lock_trusted",
        "marks",
        "self_test",
        "state",
        "stepped_ns",
        "warning",
        "workshop_n",
    )

    def __init__(
        self,
        port: Port,
        parameters: EmbParameters,
        selection: CommandSelection,
        now_ns: int,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._port = port
        self._codes = codes
        self._parameters = parameters
        self._selection = selection
        self._controller: ForceController | LimitedForceController = ForceController(
            parameters.force_control
        )
        self._started_ns = now_ns
        self.state = EmbState.INIT
        self.self_test = SELF_TEST_NOT_RUN
        """Outcome of the self-test, as `EMB_xx_SelfTest`."""
        self.force_ref_n = self.clamp_force_n = 0.0
        self.force_valid = True
        self.force_available_n = parameters.force_control.force_max_n
        """Most it clamps with, with its present supply and temperature."""
        self.warning = False
        """Something is near its limit, or a park lock is not trusted."""
        self.current_excess_a = inf
        """Motor current this far above request and 0 is the power stage's own (SAF-002).

        Against its motion a motor takes less than it is asked for, never more.
        """
        self.current_excess: Callable[[int], object] = self._unwatched
        """Called with `now_ns` when it is so."""
        self.workshop_n = 0.0
        """Force that a workshop asks for, beside the commands."""
        self.lock_trusted = True
        """While false a parked brake is held by its motor."""
        self.marks: Marks | None = None
        """Checkpoints to report in the next activation, once."""
        self.stepped_ns = -1
        """When the force loop last ran."""
        self.activations = 0
        """How often it has run."""
        self._latched = False
        """Released until the next start, whatever gets well again."""
        self._cause = EmbEvent.SUPPLY_LOST
        """Of the last release."""
        self._inputs = port.inputs
        self._plausible = _ranges(parameters)
        self._supply_min_v = parameters.supply_min_v
        self._command, self._primary = selection.command, selection.primary
        self._seen: bytes | None = None
        """The payload `_command` came from: as long as it stands there is nothing to select."""
        self._target_n = 0.0
        self._current_a = nan
        """Last output; a pin stays as it is until it is written again."""
        self._rest_travel_m: float | None = None
        """Where the screw is while the motor is off and there is nothing to control."""
        self._settled_state: EmbState | None = None
        """A braking state in which target and state stay as they are until another command."""
        self._gradient_step_n = 0.0

    @property
    def fault_level(self) -> int:
        """As `EMB_xx_FaultLvl`."""
        level = _FAULT_LEVEL.get(self.state, FAULT_NONE)
        return FAULT_WARNING if self.warning and level == FAULT_NONE else level

    @property
    def contact_m(self) -> float:
        """Screw travel at which the pads touch, as learnt."""
        return self._controller.contact_m

    @property
    def requested_current_a(self) -> float:
        """What the force loop asks of the power stage."""
        return self._current_a

    def step(self, now_ns: int) -> None:
        """One millisecond."""
        self.stepped_ns = now_ns
        self.activations += 1
        pins = self._inputs
        travel_m = pins["screw_travel_m"]
        primary = self._primary
        if (
            travel_m == self._rest_travel_m
            and not (pins["motor_speed_radps"] or self._target_n or self.force_ref_n)
            and pins["clamp_force_n"] == self.clamp_force_n
            and primary.data is self._seen
            and now_ns <= primary.valid_until_ns
            and self.state is self._settled_state
            and self.force_valid
            and pins["supply_v"] >= self._supply_min_v
            and self.marks is None
        ):
            return  # open, at rest, motor off, and nothing else than a millisecond ago
        supply_v, force_n = pins["supply_v"], pins["clamp_force_n"]
        marks = self.marks
        if marks is not None:
            self.marks = None
            marks[0](now_ns)
        low_n, high_n, low_m, high_m, most_radps = self._plausible
        speed_radps = pins["motor_speed_radps"]
        moves_well = low_m <= travel_m <= high_m and -most_radps <= speed_radps <= most_radps
        plausible = moves_well and low_n <= force_n <= high_n
        if not (plausible and supply_v >= self._supply_min_v and self.force_valid):
            force_n = self._judge_sensors(force_n, travel_m, supply_v, now_ns)
        self.clamp_force_n = force_n
        if marks is not None:
            marks[1](now_ns)
        if primary.data is not self._seen or now_ns > primary.valid_until_ns:
            self._look_for_command(now_ns)
        if marks is not None:
            marks[2](now_ns)
        state = self.state
        if state is self._settled_state:
            target_n = self._target_n
        elif state in BRAKING:
            target_n = self._requested_n(state)
        else:
            target_n = self._outside_braking_n(state, self._command, supply_v, now_ns)
        if target_n != self.force_ref_n:
            target_n = self._moved_set_point_n(target_n)
        if target_n == 0.0 and travel_m == self._rest_travel_m and speed_radps == 0.0:
            return  # nothing to control
        phase_a = pins["phase_current_a"]
        if phase_a > self.current_excess_a and phase_a > self._current_a + self.current_excess_a:
            self.current_excess(now_ns)
        if self.state in MOTOR_OFF or not moves_well:
            self.force_ref_n = current_a = 0.0
        else:
            current_a = self._controller.step(target_n, force_n, travel_m, speed_radps, supply_v)
        at_rest = current_a == target_n == speed_radps == 0.0
        self._rest_travel_m = travel_m if at_rest else None
        if current_a != self._current_a:
            self._current_a = current_a
            self._port.write("motor_current_a", current_a)

    def _look_for_command(self, now_ns: int) -> None:
        """There is another frame, or none in time: which command is to be obeyed now."""
        command = self._selection.select(now_ns)
        self._seen = self._selection.decoded
        if command is not self._command:
            self._take(command)

    def _moved_set_point_n(self, target_n: float) -> float:
        """The set point a millisecond later: no faster to its target than the gradient permits."""
        reference_n, step_n = self.force_ref_n, self._gradient_step_n
        if target_n > reference_n + step_n:
            target_n = reference_n + step_n
        elif target_n < reference_n - step_n:
            target_n = reference_n - step_n
        self.force_ref_n = target_n
        return target_n

    def _unwatched(self, now_ns: int) -> None:
        """Without a monitor nobody wants to know of too much current."""

    def _judge_sensors(
        self, force_n: float, travel_m: float, supply_v: float, now_ns: int
    ) -> float:
        """Something is out of its range: events, and the force to go on with."""
        low_n, high_n, low_m, high_m, most_radps = self._plausible
        speed_radps = self._inputs["motor_speed_radps"]
        if not low_n <= force_n <= high_n:
            if self.force_valid:
                self._port.log("detection", f"force sensor out of range: {force_n:.0f} N")
            self._codes.failed(FORCE_RANGE, now_ns)
            self.distrust_force()
        if not (low_m <= travel_m <= high_m and -most_radps <= speed_radps <= most_radps):
            if self.state not in MOTOR_OFF:
                where = f"{travel_m * 1e3:.2f} mm, {speed_radps:.0f} rad/s"
                self._port.log("detection", f"motion sensor out of range: {where}")
            self._codes.failed(MOTION_RANGE, now_ns)
            self.happens(EmbEvent.MOTION_SENSOR_LOST)
        if supply_v < self._supply_min_v:
            if self.state not in MOTOR_OFF:
                self._port.log("detection", f"supply lost: {supply_v:.1f} V")
            self._codes.failed(SUPPLY_LOST, now_ns)
            if self.state is EmbState.SELF_TEST:
                self.self_test = SELF_TEST_FAIL_SUPPLY
            self.happens(EmbEvent.SUPPLY_LOST)
        return force_n if self.force_valid else self._estimated_force_n(travel_m)

    def _take(self, command: Command) -> None:
        """A new command: what it asks for, and how fast the set point may move."""
        self._command = command
        self._settled_state = None
        limit_n = self.force_available_n
        target_n = force_target_n(command, 0.0)
        if target_n > limit_n and self._target_n < limit_n:
            self._port.log("note", f"{target_n:.0f} N asked for, {limit_n:.0f} N is the most")
        self._target_n = min(target_n, limit_n)
        self._gradient_step_n = (
            gradient_n_per_s(command, self._parameters) * self._controller.parameters.dt_s
        )

    def _requested_n(self, state: EmbState) -> float:
        """Force target while braking is allowed, and the state that goes with it.

        Where nothing but another command can change either, the state is settled.
        """
        target_n = self._target_n
        mode = self._command.mode
        if mode == MODE_HOLD:
            target_n = min(
                force_target_n(self._command, self.clamp_force_n),
                self.force_available_n,
            )
        elif mode == MODE_PARK_APPLY:
            self.happens(EmbEvent.PARK_APPLY_REQUESTED)
        if target_n > _RELEASED_BELOW_N:
            if state is _READY:
                self.happens(EmbEvent.FORCE_REQUESTED)
        elif state is _FORCE_CTRL:
            self.happens(EmbEvent.RELEASE_REQUESTED)
        if mode in (MODE_OFF, MODE_CLEARANCE, MODE_FORCE):
            self._settled_state = self.state
        return target_n

    def _outside_braking_n(
        self, state: EmbState, command: Command, supply_v: float, now_ns: int
    ) -> float:
        """Force target in the states of start-up, parking and fault."""
        p = self._parameters
        if state is EmbState.INIT or state is EmbState.SELF_TEST:
            self._start_up(now_ns)
        elif state is EmbState.SAFE_RELEASED:
            self._recover(supply_v, now_ns)
        elif state is EmbState.PARK_APPLYING:
            if command.mode == MODE_PARK_RELEASE:
                self.happens(EmbEvent.PARK_RELEASE_REQUESTED)
            elif self.clamp_force_n >= p.park_force_n - _PARK_TOLERANCE_N and self.lock_trusted:
                self._port.write("park_lock_state", 1.0)
                self.happens(EmbEvent.PARK_LOCKED)
            return p.park_force_n
        elif state is EmbState.PARK_APPLIED:
            if command.mode == MODE_PARK_RELEASE:
                self.happens(EmbEvent.PARK_RELEASE_REQUESTED)
        elif state is EmbState.PARK_RELEASING:
            # The motor takes the load before the lock opens.
            if self.clamp_force_n >= p.park_force_n - _PARK_TOLERANCE_N:
                self._port.write("park_lock_state", 0.0)
                self.happens(EmbEvent.PARK_UNLOCKED)
            return p.park_force_n
        return 0.0

    def _recover(self, supply_v: float, now_ns: int) -> None:
        """Start again once the cause of the release is gone, unless it is latched."""
        p = self._parameters
        if self._latched or supply_v < p.supply_min_v or not self._sensors_plausible():
            return
        if self._cause is EmbEvent.ENABLE_LOST and not enabled(self._port):
            return
        if self._cause is EmbEvent.OVERHEATED:
            if self._inputs.get("motor_temperature_c", 0.0) > p.motor_cooled_c:
                return
        self._started_ns = now_ns
        for name in _WELL_AGAIN:
            self._codes.passed(name, now_ns)
        self.happens(_PASSING.get(self._cause, EmbEvent.SUPPLY_RESTORED))

    def _start_up(self, now_ns: int) -> None:
        p = self._parameters
        up_for_ns = now_ns - self._started_ns
        if self.state is EmbState.INIT and up_for_ns >= p.init_ns:
            self.happens(EmbEvent.INITIALISED)
            self.self_test = SELF_TEST_RUNNING
        elif self.state is EmbState.SELF_TEST and up_for_ns >= p.init_ns + p.self_test_ns:
            passed = self._sensors_plausible()
            self.self_test = SELF_TEST_PASSED if passed else self._self_test_fault()
            self._codes.test(SELF_TEST_FAILED, not passed, now_ns)
            if passed:
                self._codes.passed(FORCE_RANGE, now_ns)
            if not passed:
                self.happens(EmbEvent.SELF_TEST_FAILED)
            elif self._inputs.get("park_lock_state", 0.0) > 0.0:
                # The lock is a latch: it stayed closed while the ECU was off.
                self._port.write("park_lock_state", 1.0)
                self.happens(EmbEvent.PARK_LOCKED)
            else:
                self.happens(EmbEvent.SELF_TEST_PASSED)
            # A force sensor that was lost before and passed is trusted again.
            self.force_valid = self.force_valid or passed

    def _self_test_fault(self) -> int:
        """What the self-test found, as far as `EMB_xx_SelfTest` has a word for it."""
        p = self._parameters
        if not p.travel_min_m <= self._inputs["screw_travel_m"] <= p.travel_max_m:
            return SELF_TEST_FAIL_POSITION
        return SELF_TEST_ABORTED

    def _sensors_plausible(self) -> bool:
        pins = self._inputs
        low_n, high_n, low_m, high_m, most_radps = self._plausible
        return (
            low_n <= pins["clamp_force_n"] <= high_n
            and low_m <= pins["screw_travel_m"] <= high_m
            and -most_radps <= pins["motor_speed_radps"] <= most_radps
        )

    def _estimated_force_n(self, travel_m: float) -> float:
        p = self._parameters.force_control
        depth_m = max(0.0, travel_m - self._controller.contact_m)
        return (p.stiffness_n_per_m + p.stiffening_n_per_m2 * depth_m) * depth_m

    def obey(self, selection: CommandSelection, *, workshop_n: float = 0.0) -> None:
        """Take commands from here from now on, at the next millisecond at the latest."""
        self._selection = selection
        self.workshop_n = workshop_n
        self._seen = None
        self._rest_travel_m = None

    def watch_current(self, excess_a: float, found: Callable[[int], object]) -> None:
        """Call `found` where the motor current is so far above the request."""
        self.current_excess_a = excess_a
        self.current_excess = found

    def happens(self, event: EmbEvent) -> None:
        """Something happened: the state that follows, logged where it is another one."""
        after = next_state(self.state, event)
        if after is not self.state:
            self._port.log("state", f"{self.state.name} -> {after.name} ({event.name})")
            self.state = after
            if after is EmbState.SAFE_RELEASED:
                self._cause = event

    def fails(self, event: EmbEvent) -> None:
        """As `happens`, and nothing leads back to braking before the next start."""
        self._latched = True
        self.happens(event)
        self.switch_off()

    def lose_enable(self, now_ns: int) -> None:
        """The external watchdog has taken the power stage away (WDG-003)."""
        before = self.state
        if (before, EmbEvent.ENABLE_LOST) in TRANSITIONS:
            self._port.log("detection", "enable line lost: the power stage is off")
            self._codes.failed(ENABLE_LOST, now_ns)
            self.happens(EmbEvent.ENABLE_LOST)
            self.switch_off()

    def switch_off(self) -> None:
        """No current at once where the state has none: the force loop would only do it next."""
        if self.state in MOTOR_OFF and self._current_a != 0.0:
            self._current_a = self.force_ref_n = 0.0
            self._port.write("motor_current_a", 0.0)

    def distrust_force(self) -> None:
        """The force sensor is not to be used any more, up to the next start."""
        self.happens(EmbEvent.FORCE_SENSOR_LOST)
        self.force_valid = False

    def limit_available(self, force_n: float) -> None:
        """Clamp with no more than this from now on."""
        if force_n != self.force_available_n:
            self.force_available_n = force_n
            self._target_n = 0.0
            self._take(self._command)

    def limit_set_point(self, permitted_n: float) -> None:
        """Control to no more than this, whatever the set point; and take the command anew."""
        self.force_ref_n = min(self.force_ref_n, permitted_n)
        controller = self._controller
        if isinstance(controller, LimitedForceController):
            controller.permitted_n = permitted_n
        else:
            self._controller = LimitedForceController(controller, permitted_n)
        self._rest_travel_m = None
        self._seen = None
        self._take(self._selection.command)

    def end_limit(self) -> None:
        """Control to the set point again."""
        if isinstance(self._controller, LimitedForceController):
            self._controller = self._controller.inner


def enabled(port: Port) -> bool:
    """Whether the external watchdog lets the power stage work; it does without one."""
    line = getattr(port, "watchdog", None)
    return line is None or line.enabled
