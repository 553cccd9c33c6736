"""`PlantLoop`: the physical side of the rig, every millisecond.

Actuator pins in, one millisecond of physics, sensor pins out, one row recorded. The only place
where ECUs and plant meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simcore.errors import UsageError
from simcore.faults.site import PinTransform
from simcore.kernel import Priority, Scheduler
from simcore.plant.chassis import ChassisPlant
from simcore.rig.disturbed_pins import DisturbedInput, DisturbedOutputs
from simcore.rig.driver import PEDAL_FULL_FORCE_N, PEDAL_FULL_TRAVEL_MM, Driver
from simcore.rig.host import NodeHost
from simcore.rig.recorder import CORNERS, Recorder
from simcore.rig.reference import EMB_NODES
from simcore.units import NS_PER_MS, NS_PER_S

PLANT_PERIOD_NS = NS_PER_MS
_PLANT_STEP_S = 0.001
_PLANT = int(Priority.PLANT)
_SLOW_PINS_NS = 10 * NS_PER_MS
"""Temperatures and battery current are sampled this often: slow, or only reported."""
_SLOW_PINS_S = 0.01
_HOLD_BELOW_MPS = 0.5
_UNPARKING_NS = 2 * NS_PER_S
"""For so long park locks may still hold what the driver has let go."""

COLUMNS = (
    "pedal_pct",
    "speed_mps",
    "ax_mps2",
    "yaw_rate_radps",
    "distance_m",
    "x_m",
    "lateral_offset_m",
    "hold_allowed_ratio",
    *(f"clamp_force_n.{corner}" for corner in CORNERS),
    *(f"wheel_speed_radps.{corner}" for corner in CORNERS),
    *(f"motor_current_a.{corner}" for corner in CORNERS),
)
"""What the recorder keeps of every millisecond."""


class PlantLoop:
    """Steps the plant and keeps pins and recorder up with it."""

    __slots__ = (
        "_accelerator_n",
        "_bps_inputs",
        "_cdc_inputs",
        "_disturbed",
        "_driver",
        "_emb_inputs",
        "_emb_outputs",
        "_hosts",
        "_imu_inputs",
        "_pedal_pct",
        "_parked_until_ns",
        "_plant",
        "_recorder",
        "_scheduler",
        "_update_pins",
    )

    def __init__(
        self,
        plant: ChassisPlant,
        driver: Driver,
        recorder: Recorder,
        scheduler: Scheduler,
        hosts: Mapping[str, NodeHost],
    ) -> None:
        self._plant = plant
        self._driver = driver
        self._recorder = recorder
        self._scheduler = scheduler
        self._hosts = hosts
        self._disturbed: dict[tuple[str, str], DisturbedInput] = {}
        """Sensor pins that do not show the truth, in the order the faults came."""
        self._update_pins: Callable[[], None] = self._show_truth
        """Another one while a sensor pin is disturbed."""
        self._emb_inputs = tuple(hosts[name].inputs for name in EMB_NODES)
        self._emb_outputs: tuple[dict[str, float] | DisturbedOutputs, ...] = tuple(
            hosts[name].outputs for name in EMB_NODES
        )
        self._imu_inputs = hosts["IMU"].inputs
        self._cdc_inputs = hosts["CDC"].inputs
        self._bps_inputs = hosts["BPS"].inputs
        self._pedal_pct = 0.0
        self._parked_until_ns = 0
        self._accelerator_n = 0.0

    def start(self) -> None:
        """Set the sensor pins and begin."""
        self._update_pins()
        self._scheduler.post(self._scheduler.now_ns + PLANT_PERIOD_NS, _PLANT, self._step)

    def _step(self) -> None:
        """Actuator pins in, one millisecond of physics, sensor pins out, one row recorded."""
        now_ns = self._scheduler.now_ns
        plant = self._plant
        vehicle = plant.vehicle
        driver = self._driver
        fl, fr, rl, rr = plant.calipers
        fl_pins, fr_pins, rl_pins, rr_pins = self._emb_outputs
        currents = plant.motor_current_a
        currents[0] = fl_pins["motor_current_a"]
        currents[1] = fr_pins["motor_current_a"]
        currents[2] = rl_pins["motor_current_a"]
        currents[3] = rr_pins["motor_current_a"]
        fl.park_locked = fl_pins["park_lock_state"] > 0.0
        fr.park_locked = fr_pins["park_lock_state"] > 0.0
        rl.park_locked = rl_pins["park_lock_state"] > 0.0
        rr.park_locked = rr_pins["park_lock_state"] > 0.0
        plant.steer_rad = driver.step(
            now_ns,
            _PLANT_STEP_S,
            vehicle.y_m,
            vehicle.yaw_rad,
            vehicle.yaw_rate_radps,
            vehicle.speed_mps,
        )
        if driver.accelerator_n != self._accelerator_n:
            self._accelerator_n = driver.accelerator_n
            drive = plant.drive_torque_nm
            drive[2] = drive[3] = driver.accelerator_n * vehicle.parameters.wheel_radius_m * 0.5
        plant.step(_PLANT_STEP_S)
        self._update_pins()
        held = self._cdc_inputs["auto_hold_switch_state"]
        if self._cdc_inputs["park_switch_state"] > 0.0:
            held = 1.0
            self._parked_until_ns = now_ns + _UNPARKING_NS
        elif now_ns < self._parked_until_ns and (rl.park_locked or rr.park_locked):
            held = 1.0
        speed_mps = vehicle.speed_mps
        self._recorder.append(
            (
                driver.pedal_pct,
                speed_mps,
                vehicle.ax_mps2,
                vehicle.yaw_rate_radps,
                vehicle.distance_m,
                vehicle.x_m,
                vehicle.y_m,
                held if -_HOLD_BELOW_MPS < speed_mps < _HOLD_BELOW_MPS else 0.0,
                fl.clamp_force_n,
                fr.clamp_force_n,
                rl.clamp_force_n,
                rr.clamp_force_n,
                *vehicle.wheel_speed_radps,
                *currents,
            )
        )
        self._scheduler.post(now_ns + PLANT_PERIOD_NS, _PLANT, self._step)

    def _show_truth(self) -> None:
        """Sensor pins take the plant's present values."""
        plant = self._plant
        vehicle = plant.vehicle
        for pins, caliper, wheel_speed_radps, supply_v in zip(
            self._emb_inputs,
            plant.calipers,
            vehicle.wheel_speed_radps,
            plant.supply_v,
            strict=True,
        ):
            pins["clamp_force_n"] = caliper.clamp_force_n
            pins["screw_travel_m"] = caliper.screw_travel_m
            pins["motor_speed_radps"] = caliper.motor_speed_radps
            pins["phase_current_a"] = caliper.phase_current_a
            pins["wheel_speed_radps"] = wheel_speed_radps
            pins["supply_v"] = supply_v
        if self._scheduler.now_ns % _SLOW_PINS_NS == 0:
            for pins, caliper in zip(self._emb_inputs, plant.calipers, strict=True):
                caliper.warm_motor(_SLOW_PINS_S)
                pins["battery_current_a"] = caliper.battery_current_a
                pins["disc_temperature_c"] = caliper.disc_temperature_c
                pins["motor_temperature_c"] = caliper.motor_temperature_c
                pins["park_lock_state"] = float(caliper.park_locked)
        pedal_pct = self._driver.pedal_pct
        if pedal_pct != self._pedal_pct:
            self._pedal_pct = pedal_pct
            pins = self._bps_inputs
            travel_mm = pedal_pct / 100.0 * PEDAL_FULL_TRAVEL_MM
            pins["pedal_travel_1_mm"] = pins["pedal_travel_2_mm"] = travel_mm
            pins["pedal_force_n"] = pedal_pct / 100.0 * PEDAL_FULL_FORCE_N
        pins = self._imu_inputs
        pins["yaw_rate_radps"] = vehicle.yaw_rate_radps
        pins["ax_mps2"] = vehicle.specific_force_x_mps2
        pins["ay_mps2"] = vehicle.specific_force_y_mps2

    def _show_disturbed(self) -> None:
        """Sensor pins take the plant's present values, and the faults their part of them."""
        disturbed = self._disturbed.values()
        for each in disturbed:
            each.uncover()
        self._show_truth()
        now_ns = self._scheduler.now_ns
        for each in disturbed:
            each.cover(now_ns)

    # -- faults ---------------------------------------------------------------------------------

    def require_input(self, node: str, pin: str) -> dict[str, float]:
        """The input pins of a node. Raises `UsageError` for a node or a pin that is not there."""
        inputs = self._pins_of(node, "inputs")
        _require_pin(f"{node}, input pin", pin, inputs)
        return inputs

    def require_output(self, node: str, pin: str) -> None:
        """Raises `UsageError` for a node that is no actuator, and for a pin it does not write."""
        if node not in EMB_NODES:
            raise UsageError(
                "output of a node", expected=f"one of {', '.join(EMB_NODES)}", got=repr(node)
            )
        _require_pin(f"{node}, output pin", pin, self._pins_of(node, "outputs"))

    def disturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        """Show a sensor's value only through `transform`, from now on.

        Raises `UsageError` for a node or an input pin that is not there.
        """
        inputs = self.require_input(node, pin)
        now_ns = self._scheduler.now_ns
        found = self._disturbed.get((node, pin))
        if found is None:
            found = self._disturbed[node, pin] = DisturbedInput(inputs, pin)
        else:
            found.uncover()
        found.transforms.append(transform)
        found.cover(now_ns)
        self._update_pins = self._show_disturbed

    def undisturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        """No longer: with the last transform gone the pin shows the truth, at once."""
        found = self._disturbed[node, pin]
        found.transforms.remove(transform)
        found.uncover()
        if found.transforms:
            found.cover(self._scheduler.now_ns)
            return
        del self._disturbed[node, pin]
        if not self._disturbed:
            self._update_pins = self._show_truth

    def disturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        """Let what an actuator writes reach the plant only through `transform`, from now on.

        Raises `UsageError` for a node that is no actuator, and for a pin it does not write.
        """
        self.require_output(node, pin)
        corner = EMB_NODES.index(node)
        outputs = self._emb_outputs[corner]
        if not isinstance(outputs, DisturbedOutputs):
            outputs = DisturbedOutputs(self._hosts[node])
            self._replace_outputs(corner, outputs)
        outputs.transforms.setdefault(pin, []).append(transform)

    def undisturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        """No longer."""
        corner = EMB_NODES.index(node)
        outputs = self._emb_outputs[corner]
        assert isinstance(outputs, DisturbedOutputs)
        outputs.transforms[pin].remove(transform)
        if not any(outputs.transforms.values()):
            self._replace_outputs(corner, self._hosts[node].outputs)

    def _replace_outputs(self, corner: int, outputs: dict[str, float] | DisturbedOutputs) -> None:
        before = self._emb_outputs
        self._emb_outputs = (*before[:corner], outputs, *before[corner + 1 :])

    def _pins_of(self, node: str, kind: str) -> dict[str, float]:
        host = self._hosts.get(node)
        pins: dict[str, float] = getattr(host, kind, {})
        if not pins:
            named = [name for name, each in self._hosts.items() if getattr(each, kind)]
            raise UsageError(
                f"pins of node {node!r}", expected=f"one of {', '.join(named)}", got=repr(node)
            )
        return pins


def _require_pin(where: str, pin: str, pins: Mapping[str, float]) -> None:
    if pin not in pins:
        raise UsageError(where, expected=f"one of {', '.join(sorted(pins))}", got=repr(pin))
