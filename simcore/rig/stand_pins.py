"""`StandPlant` and `StandLoop`: one caliper on a bench, and the pins between it and its ECU.

The wheel turns as fast as the stand says, whatever the brake does: there is no vehicle. Sensor pins
that show no part of the caliper keep the value the stand gives them. Faults reach both as they
reach those of a `Rig`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NoReturn

from simcore.errors import UsageError
from simcore.faults.site import PinTransform
from simcore.kernel import Priority, Scheduler
from simcore.plant.caliper import Caliper
from simcore.plant.held import Held, Holding
from simcore.plant.parameters import FRONT_CALIPER, REAR_CALIPER, REFERENCE_VEHICLE
from simcore.rig.disturbed_pins import DisturbedInput, DisturbedOutputs
from simcore.rig.host import NodeHost
from simcore.rig.recorder import Recorder
from simcore.rig.reference import CORNERS, EMB_INPUTS, EMB_OUTPUTS, SUPPLY_V
from simcore.units import KMH_PER_MPS, NS_PER_MS

Axle = Literal["front", "rear"]
PARAMETERS = {"front": FRONT_CALIPER, "rear": REAR_CALIPER}
PLANT_PERIOD_NS = NS_PER_MS
_STEP_S = 0.001
_PLANT = int(Priority.PLANT)
_SLOW_PINS_NS = 10 * NS_PER_MS
_SLOW_PINS_S = 0.01
SHOWN = (
    "clamp_force_n",
    "screw_travel_m",
    "motor_speed_radps",
    "phase_current_a",
    "battery_current_a",
    "supply_v",
    "wheel_speed_radps",
    "disc_temperature_c",
    "motor_temperature_c",
    "park_lock_state",
)
"""Input pins that the caliper and its surroundings drive."""
WRITTEN = ".written"
"""What an output is called among the recorded columns where an input has the same name."""


class OwnCorner:
    """The calipers of a vehicle of which only one is there."""

    __slots__ = ("_caliper", "_corner")

    def __init__(self, corner: int, caliper: Caliper) -> None:
        self._corner = corner
        self._caliper = caliper

    def __getitem__(self, corner: int) -> Caliper:
        if corner != self._corner:
            raise UsageError(
                "caliper of the stand", expected=CORNERS[self._corner], got=CORNERS[corner]
            )
        return self._caliper

    def __iter__(self) -> Iterator[Caliper]:
        return iter((self._caliper,))

    def __len__(self) -> int:
        return 1


class StandPlant:
    """A caliper with its supply and its wheel; what faults of a plant know by corner."""

    __slots__ = (
        "_held_supply",
        "caliper",
        "calipers",
        "corner",
        "speed_mps",
        "supply_v",
        "wheel_speed_radps",
    )

    def __init__(self, axle: Axle, corner: int, *, supply_v: float = SUPPLY_V) -> None:
        self.corner = corner
        self.caliper = Caliper(PARAMETERS[axle])
        self.calipers = OwnCorner(corner, self.caliper)
        self.supply_v: list[float] = [supply_v] * len(CORNERS)
        self.wheel_speed_radps = 0.0
        self.speed_mps = 0.0
        self._held_supply: tuple[Held[float], ...] = (Held(), Held(), Held(), Held())

    def set_speed(self, speed_kmh: float) -> None:
        """Let the wheel roll, and the wind cool the disc."""
        self.speed_mps = speed_kmh / KMH_PER_MPS
        self.wheel_speed_radps = self.speed_mps / REFERENCE_VEHICLE.wheel_radius_m

    def hold_supply(self, corner: int, supply_v: float) -> Holding[float]:
        """The inverter of a corner has this supply, until it is released; the last one wins."""
        holding = self._held_supply[corner].hold(self.supply_v[corner], supply_v)
        self.supply_v[corner] = supply_v
        return holding

    def release_supply(self, corner: int, holding: Holding[float]) -> None:
        """No longer."""
        self.supply_v[corner] = self._held_supply[corner].release(holding)

    def hold_friction(self, segments: object) -> NoReturn:
        """There is no road. Raises `UsageError`."""
        raise _no_vehicle("friction")

    def hold_grade(self, grade_ratio: float) -> NoReturn:
        """There is no road. Raises `UsageError`."""
        raise _no_vehicle("slope")

    @property
    def vehicle(self) -> NoReturn:
        """There is none. Raises `UsageError`."""
        raise _no_vehicle("vehicle")


def _no_vehicle(what: str) -> UsageError:
    return UsageError(f"fault of the {what}", expected="a Rig, which has one", got="a NodeStand")


class StandLoop:
    """Steps the caliper and keeps pins and recorder up with it; without a caliper just records."""

    __slots__ = (
        "_disturbed",
        "_host",
        "_inputs",
        "_outputs",
        "_plant",
        "_recorder",
        "_scheduler",
    )

    def __init__(
        self,
        host: NodeHost,
        plant: StandPlant | None,
        recorder: Recorder,
        scheduler: Scheduler,
    ) -> None:
        self._host = host
        self._plant = plant
        self._recorder = recorder
        self._scheduler = scheduler
        self._inputs = host.inputs
        self._outputs: dict[str, float] | DisturbedOutputs = host.outputs
        self._disturbed: dict[str, DisturbedInput] = {}
        """Input pins that do not show the truth, in the order the faults came."""

    def start(self) -> None:
        """Set the sensor pins and begin."""
        if self._plant is not None:
            self._show_truth(self._plant)
        self._scheduler.post(self._scheduler.now_ns + PLANT_PERIOD_NS, _PLANT, self._step)

    def _step(self) -> None:
        """Output pins in, one millisecond of physics, sensor pins out, one row recorded."""
        now_ns = self._scheduler.now_ns
        plant = self._plant
        disturbed = self._disturbed
        if disturbed:
            for each in disturbed.values():
                each.uncover()
        if plant is not None:
            outputs = self._outputs
            caliper = plant.caliper
            caliper.park_locked = outputs["park_lock_state"] > 0.0
            caliper.step(
                _STEP_S,
                outputs["motor_current_a"],
                plant.supply_v[plant.corner],
                plant.wheel_speed_radps,
                plant.speed_mps,
            )
            self._show_truth(plant)
        self._recorder.append((*self._inputs.values(), *self._host.outputs.values()))
        for each in disturbed.values():
            each.cover(now_ns)
        self._scheduler.post(now_ns + PLANT_PERIOD_NS, _PLANT, self._step)

    def _show_truth(self, plant: StandPlant) -> None:
        """Sensor pins take the present values."""
        pins = self._inputs
        caliper = plant.caliper
        pins["clamp_force_n"] = caliper.clamp_force_n
        pins["screw_travel_m"] = caliper.screw_travel_m
        pins["motor_speed_radps"] = caliper.motor_speed_radps
        pins["phase_current_a"] = caliper.phase_current_a
        pins["wheel_speed_radps"] = plant.wheel_speed_radps
        pins["supply_v"] = plant.supply_v[plant.corner]
        if self._scheduler.now_ns % _SLOW_PINS_NS == 0:
            caliper.warm_motor(_SLOW_PINS_S)
            pins["battery_current_a"] = caliper.battery_current_a
            pins["disc_temperature_c"] = caliper.disc_temperature_c
            pins["motor_temperature_c"] = caliper.motor_temperature_c
            pins["park_lock_state"] = float(caliper.park_locked)

    # -- what the stand and the script set ------------------------------------------------------

    def set_pin(self, pin: str, value_ratio: float) -> None:
        """Give an input pin a true value. Raises `UsageError` for one that the caliper drives."""
        self.require_input(self._host.name, pin)
        if self._plant is not None and pin in SHOWN:
            raise UsageError(
                f"{self._host.name}: set pin {pin!r}",
                expected="a pin the caliper does not drive; set_speed and set_supply set the wheel "
                "and the supply, and faults as SensorStuck falsify the others",
                got=value_ratio,
            )
        found = self._disturbed.get(pin)
        if found is not None:
            found.uncover()
        self._inputs[pin] = value_ratio
        if found is not None:
            found.cover(self._scheduler.now_ns)

    # -- faults ---------------------------------------------------------------------------------

    def require_input(self, node: str, pin: str) -> None:
        """Refuse another node than the stand's, and an input pin that it does not have."""
        self._require(node, pin, "input", self._inputs)

    def require_output(self, node: str, pin: str) -> None:
        """Refuse another node than the stand's, and an output pin that it does not have."""
        self._require(node, pin, "output", self._host.outputs)
        if self._plant is None:
            raise UsageError(f"{node}, output pin {pin}", expected="a stand with a caliper")

    def disturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        """Show an input's value only through `transform`, from now on."""
        self.require_input(node, pin)
        found = self._disturbed.get(pin)
        if found is None:
            found = self._disturbed[pin] = DisturbedInput(self._inputs, pin)
        else:
            found.uncover()
        found.transforms.append(transform)
        found.cover(self._scheduler.now_ns)

    def undisturb_pin(self, node: str, pin: str, transform: PinTransform) -> None:
        """No longer: with the last transform gone the pin shows the truth, at once."""
        found = self._disturbed[pin]
        found.transforms.remove(transform)
        found.uncover()
        if found.transforms:
            found.cover(self._scheduler.now_ns)
        else:
            del self._disturbed[pin]

    def disturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        """Let what the ECU writes reach the caliper only through `transform`, from now on."""
        self.require_output(node, pin)
        outputs = self._outputs
        if not isinstance(outputs, DisturbedOutputs):
            outputs = self._outputs = DisturbedOutputs(self._host)
        outputs.transforms.setdefault(pin, []).append(transform)

    def undisturb_output(self, node: str, pin: str, transform: PinTransform) -> None:
        """No longer."""
        outputs = self._outputs
        assert isinstance(outputs, DisturbedOutputs)
        outputs.transforms[pin].remove(transform)
        if not any(outputs.transforms.values()):
            self._outputs = self._host.outputs

    def _require(self, node: str, pin: str, kind: str, pins: dict[str, float]) -> None:
        if node != self._host.name:
            raise UsageError(f"pins of node {node!r}", expected=self._host.name, got=repr(node))
        if pin not in pins:
            raise UsageError(
                f"{node}, {kind} pin",
                expected=f"one of {', '.join(sorted(pins)) or '(none)'}",
                got=repr(pin),
            )


def pins_of(
    axle: Axle | None, inputs: dict[str, float], outputs: dict[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Input and output pins of a place, with their values at power on."""
    if axle is None:
        return inputs, outputs
    return {**EMB_INPUTS, **inputs}, {**EMB_OUTPUTS, **outputs}


def columns_of(inputs: Sequence[str], outputs: Sequence[str]) -> tuple[str, ...]:
    """What the recorder keeps of every millisecond, by name."""
    own = [f"{name}{WRITTEN}" if name in inputs else name for name in outputs]
    return (*inputs, *own)
