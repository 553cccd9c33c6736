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
    MODE_PARK_APPLY,
    MODE_PARK_RELEASE,
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


class Application:
    """The 1 kHz task of one actuator."""

    __slots__ = (
        "_controller",
        "_gradient_n",
        "_parameters",
        "_port",
        "_selection",
        "_started_ns",
        "clamp_force_n",
        "force_ref_n",
        "force_valid",
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
        self.force_ref_n = 0.0
        self.clamp_force_n = 0.0
        self.force_valid = True
        self._gradient_n = 0.0

    @property
    def fault_level(self) -> int:
        """As `EMB_xx_FaultLvl`."""
        if self.state in (EmbState.SAFE_RELEASED, EmbState.FAULT_LOCKED):
            return FAULT_FAILED
        return FAULT_DEGRADED if self.state is EmbState.DEGRADED else FAULT_NONE

    def step(self, now_ns: int) -> None:
        """One millisecond."""
        pins = self._port.inputs
        p = self._parameters
        supply_v = pins["supply_v"]
        travel_m = pins["screw_travel_m"]
        force_n = pins["clamp_force_n"]
        if not p.force_sensor_min_n <= force_n <= p.force_sensor_max_n:
            self._happens(EmbEvent.FORCE_SENSOR_LOST, now_ns)
            self.force_valid = False
        if not self.force_valid:
            force_n = self._estimated_force_n(travel_m)
        self.clamp_force_n = force_n
        if not p.travel_min_m <= travel_m <= p.travel_max_m:
            self._happens(EmbEvent.MOTION_SENSOR_LOST, now_ns)
        if supply_v < p.supply_min_v:
            self._happens(EmbEvent.SUPPLY_LOST, now_ns)
        command = self._selection.select(now_ns)
        state = self.state
        target_n = 0.0
        if state in BRAKING:
            target_n = self._requested_n(command, now_ns)
        elif state is not EmbState.INIT:
            target_n = self._outside_braking_n(state, command, supply_v, now_ns)
        else:
            self._start_up(now_ns)
        self.force_ref_n = reference_n = self._limited(target_n, command)
        if self.state in (EmbState.SAFE_RELEASED, EmbState.FAULT_LOCKED, EmbState.PARK_APPLIED):
            self.force_ref_n = 0.0
            current_a = 0.0
        else:
            current_a = self._controller.step(
                reference_n, force_n, travel_m, pins["motor_speed_radps"], supply_v
            )
        self._port.write("motor_current_a", current_a)

    def _requested_n(self, command: Command, now_ns: int) -> float:
        """Force target while braking is allowed, and the state that goes with it."""
        if command.mode == MODE_PARK_APPLY:
            self._happens(EmbEvent.PARK_APPLY_REQUESTED, now_ns)
        target_n = force_target_n(command, self.clamp_force_n)
        if target_n > _RELEASED_BELOW_N:
            if self.state is _READY:
                self._happens(EmbEvent.FORCE_REQUESTED, now_ns)
        elif self.state is _FORCE_CTRL:
            self._happens(EmbEvent.RELEASE_REQUESTED, now_ns)
        limit_n = self._controller.parameters.force_max_n
        return target_n if target_n <= limit_n else limit_n

    def _outside_braking_n(
        self, state: EmbState, command: Command, supply_v: float, now_ns: int
    ) -> float:
        """Force target in the states of start-up, parking and fault."""
        p = self._parameters
        if state is EmbState.SELF_TEST:
            self._start_up(now_ns)
        elif state is EmbState.SAFE_RELEASED:
            if supply_v >= p.supply_min_v and self._sensors_plausible():
                self._started_ns = now_ns
                self._happens(EmbEvent.SUPPLY_RESTORED, now_ns)
        elif state is EmbState.PARK_APPLYING:
            if self.clamp_force_n >= p.park_force_n - _PARK_TOLERANCE_N:
                self._port.write("park_lock_state", 1.0)
                self._happens(EmbEvent.PARK_LOCKED, now_ns)
            return p.park_force_n
        elif state is EmbState.PARK_APPLIED:
            if command.mode == MODE_PARK_RELEASE:
                self._happens(EmbEvent.PARK_RELEASE_REQUESTED, now_ns)
        elif state is EmbState.PARK_RELEASING:
            # The motor takes the load before the lock opens.
            if self.clamp_force_n >= p.park_force_n - _PARK_TOLERANCE_N:
                self._port.write("park_lock_state", 0.0)
                self._happens(EmbEvent.PARK_UNLOCKED, now_ns)
            return p.park_force_n
        return 0.0

    def _start_up(self, now_ns: int) -> None:
        p = self._parameters
        up_for_ns = now_ns - self._started_ns
        if self.state is EmbState.INIT and up_for_ns >= p.init_ns:
            self._happens(EmbEvent.INITIALISED, now_ns)
        elif self.state is EmbState.SELF_TEST and up_for_ns >= p.init_ns + p.self_test_ns:
            passed = self._sensors_plausible()
            event = EmbEvent.SELF_TEST_PASSED if passed else EmbEvent.SELF_TEST_FAILED
            self._happens(event, now_ns)

    def _sensors_plausible(self) -> bool:
        pins = self._port.inputs
        p = self._parameters
        return (
            p.force_sensor_min_n <= pins["clamp_force_n"] <= p.force_sensor_max_n
            and p.travel_min_m <= pins["screw_travel_m"] <= p.travel_max_m
        )

    def _limited(self, target_n: float, command: Command) -> float:
        """The set point moves towards its target no faster than the permitted gradient."""
        step_n = gradient_n_per_s(command, self._parameters) * self._controller.parameters.dt_s
        reference_n = self.force_ref_n
        if target_n > reference_n + step_n:
            return reference_n + step_n
        if target_n < reference_n - step_n:
            return reference_n - step_n
        return target_n

    def _estimated_force_n(self, travel_m: float) -> float:
        p = self._parameters.force_control
        depth_m = max(0.0, travel_m - self._controller.contact_m)
        return (p.stiffness_n_per_m + p.stiffening_n_per_m2 * depth_m) * depth_m

    def _happens(self, event: EmbEvent, now_ns: int) -> None:
        after = next_state(self.state, event)
        if after is not self.state:
            self._port.log("state", f"{self.state.name} -> {after.name} ({event.name})")
            self.state = after
