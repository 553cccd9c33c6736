"""What a brake actuator does every millisecond: check its sensors, obey its command, control force.

Reads and writes pins only; frames are the node's. In DEGRADED the force sensor is replaced by the
nominal stiffness curve over the measured screw travel.
"""

from __future__ import annotations

from simcore.ecu.emb.command import CommandSelection, force_target_n, gradient_n_per_s
from simcore.ecu.emb.communication import (
    FAULT_DEGRADED,
    FAULT_FAILED,
    FAULT_NONE,
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
from simcore.ecu.emb.force_control import ForceController
from simcore.ecu.emb.parameters import EmbParameters
from simcore.ecu.emb.states import BRAKING, EmbEvent, EmbState, next_state
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
_MOTOR_OFF = frozenset({EmbState.SAFE_RELEASED, EmbState.FAULT_LOCKED, EmbState.PARK_APPLIED})


class Application:
    """The 1 kHz task of one actuator."""

    __slots__ = (
        "_command",
        "_controller",
        "_current_a",
        "_gradient_step_n",
        "_inputs",
        "_parameters",
        "_plausible",
        "_port",
        "_primary",
        "_rest_travel_m",
        "_seen",
        "_selection",
        "_settled_state",
        "_started_ns",
        "_target_n",
        "clamp_force_n",
        "force_ref_n",
        "force_valid",
        "self_test",
        "state",
    )

    def __init__(
        self, port: Port, parameters: EmbParameters, selection: CommandSelection, now_ns: int
    ) -> None:
        self._port = port
        self._parameters = parameters
        self._selection = selection
        self._controller = ForceController(parameters.force_control)
        self._started_ns = now_ns
        self.state = EmbState.INIT
        self.self_test = SELF_TEST_NOT_RUN
        """Outcome of the self-test, as `EMB_xx_SelfTest`."""
        self.force_ref_n = 0.0
        self.clamp_force_n = 0.0
        self.force_valid = True
        self._inputs = port.inputs
        p = parameters
        self._plausible = (
            p.force_sensor_min_n,
            p.force_sensor_max_n,
            p.travel_min_m,
            p.travel_max_m,
            p.supply_min_v,
        )
        self._command = selection.command
        self._primary = selection.primary
        self._seen: bytes | None = None
        """The payload `_command` came from: as long as it stands there is nothing to select."""
        self._target_n = 0.0
        self._current_a: float | None = None
        """Last output; a pin stays as it is until it is written again."""
        self._rest_travel_m: float | None = None
        """Where the screw is while the motor is off and there is nothing to control."""
        self._settled_state: EmbState | None = None
        """A braking state in which target and state stay as they are until another command."""
        self._gradient_step_n = 0.0

    @property
    def fault_level(self) -> int:
        """As `EMB_xx_FaultLvl`."""
        return _FAULT_LEVEL.get(self.state, FAULT_NONE)

    def step(self, now_ns: int) -> None:
        """One millisecond."""
        pins = self._inputs
        supply_v = pins["supply_v"]
        travel_m = pins["screw_travel_m"]
        force_n = pins["clamp_force_n"]
        force_min_n, force_max_n, travel_min_m, travel_max_m, supply_min_v = self._plausible
        if not (
            force_min_n <= force_n <= force_max_n
            and travel_min_m <= travel_m <= travel_max_m
            and supply_v >= supply_min_v
            and self.force_valid
        ):
            force_n = self._judge_sensors(force_n, travel_m, supply_v, now_ns)
        self.clamp_force_n = force_n
        primary = self._primary
        if primary.data is not self._seen or now_ns > primary.valid_until_ns:
            command = self._selection.select(now_ns)
            self._seen = self._selection.decoded
            if command is not self._command:
                self._take(command)
        command = self._command
        state = self.state
        if state is self._settled_state:
            target_n = self._target_n
        elif state in BRAKING:
            target_n = self._requested_n(state)
        else:
            target_n = self._outside_braking_n(state, command, supply_v, now_ns)
        reference_n = self.force_ref_n
        if target_n != reference_n:
            # The set point moves towards its target no faster than the permitted gradient.
            step_n = self._gradient_step_n
            if target_n > reference_n + step_n:
                target_n = reference_n + step_n
            elif target_n < reference_n - step_n:
                target_n = reference_n - step_n
            self.force_ref_n = target_n
        motor_speed_radps = pins["motor_speed_radps"]
        if target_n == 0.0 and travel_m == self._rest_travel_m and motor_speed_radps == 0.0:
            return  # open, at rest, motor off: nothing has changed, nothing to control
        if self.state in _MOTOR_OFF:
            self.force_ref_n = current_a = 0.0
        else:
            current_a = self._controller.step(
                target_n, force_n, travel_m, motor_speed_radps, supply_v
            )
        at_rest = current_a == 0.0 and target_n == 0.0 and motor_speed_radps == 0.0
        self._rest_travel_m = travel_m if at_rest else None
        if current_a != self._current_a:
            self._current_a = current_a
            self._port.write("motor_current_a", current_a)

    def _judge_sensors(
        self, force_n: float, travel_m: float, supply_v: float, now_ns: int
    ) -> float:
        """Something is out of its range: events, and the force to go on with."""
        force_min_n, force_max_n, travel_min_m, travel_max_m, supply_min_v = self._plausible
        if not force_min_n <= force_n <= force_max_n:
            self._happens(EmbEvent.FORCE_SENSOR_LOST)
            self.force_valid = False
        if not travel_min_m <= travel_m <= travel_max_m:
            self._happens(EmbEvent.MOTION_SENSOR_LOST)
        if supply_v < supply_min_v:
            if self.state is EmbState.SELF_TEST:
                self.self_test = SELF_TEST_FAIL_SUPPLY
            self._happens(EmbEvent.SUPPLY_LOST)
        return force_n if self.force_valid else self._estimated_force_n(travel_m)

    def _take(self, command: Command) -> None:
        """A new command: what it asks for, and how fast the set point may move."""
        self._command = command
        self._settled_state = None
        limit_n = self._controller.parameters.force_max_n
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
                self._controller.parameters.force_max_n,
            )
        elif mode == MODE_PARK_APPLY:
            self._happens(EmbEvent.PARK_APPLY_REQUESTED)
        if target_n > _RELEASED_BELOW_N:
            if state is _READY:
                self._happens(EmbEvent.FORCE_REQUESTED)
        elif state is _FORCE_CTRL:
            self._happens(EmbEvent.RELEASE_REQUESTED)
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
            if supply_v >= p.supply_min_v and self._sensors_plausible():
                self._started_ns = now_ns
                self._happens(EmbEvent.SUPPLY_RESTORED)
        elif state is EmbState.PARK_APPLYING:
            if self.clamp_force_n >= p.park_force_n - _PARK_TOLERANCE_N:
                self._port.write("park_lock_state", 1.0)
                self._happens(EmbEvent.PARK_LOCKED)
            return p.park_force_n
        elif state is EmbState.PARK_APPLIED:
            if command.mode == MODE_PARK_RELEASE:
                self._happens(EmbEvent.PARK_RELEASE_REQUESTED)
        elif state is EmbState.PARK_RELEASING:
            # The motor takes the load before the lock opens.
            if self.clamp_force_n >= p.park_force_n - _PARK_TOLERANCE_N:
                self._port.write("park_lock_state", 0.0)
                self._happens(EmbEvent.PARK_UNLOCKED)
            return p.park_force_n
        return 0.0

    def _start_up(self, now_ns: int) -> None:
        p = self._parameters
        up_for_ns = now_ns - self._started_ns
        if self.state is EmbState.INIT and up_for_ns >= p.init_ns:
            self._happens(EmbEvent.INITIALISED)
            self.self_test = SELF_TEST_RUNNING
        elif self.state is EmbState.SELF_TEST and up_for_ns >= p.init_ns + p.self_test_ns:
            passed = self._sensors_plausible()
            self.self_test = SELF_TEST_PASSED if passed else self._self_test_fault()
            if not passed:
                self._happens(EmbEvent.SELF_TEST_FAILED)
            elif self._inputs.get("park_lock_state", 0.0) > 0.0:
                # The lock is a latch: it stayed closed while the ECU was off.
                self._port.write("park_lock_state", 1.0)
                self._happens(EmbEvent.PARK_LOCKED)
            else:
                self._happens(EmbEvent.SELF_TEST_PASSED)
            # A force sensor that was lost before and passed is trusted again.
            self.force_valid = self.force_valid or passed

    def _self_test_fault(self) -> int:
        """What the self-test found, as far as `EMB_xx_SelfTest` has a word for it."""
        p = self._parameters
        if not p.travel_min_m <= self._inputs["screw_travel_m"] <= p.travel_max_m:
            return SELF_TEST_FAIL_POSITION
        return SELF_TEST_ABORTED

    def _sensors_plausible(self) -> bool:
        pins = self._port.inputs
        p = self._parameters
        return (
            p.force_sensor_min_n <= pins["clamp_force_n"] <= p.force_sensor_max_n
            and p.travel_min_m <= pins["screw_travel_m"] <= p.travel_max_m
        )

    def _estimated_force_n(self, travel_m: float) -> float:
        p = self._parameters.force_control
        depth_m = max(0.0, travel_m - self._controller.contact_m)
        return (p.stiffness_n_per_m + p.stiffening_n_per_m2 * depth_m) * depth_m

    def _happens(self, event: EmbEvent) -> None:
        after = next_state(self.state, event)
        if after is not self.state:
            self._port.log("state", f"{self.state.name} -> {after.name} ({event.name})")
            self.state = after
