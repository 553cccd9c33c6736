"""The catalogue: complete, and made of nothing but the classes."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

import simcore.faults as room
from simcore.errors import UsageError
from simcore.faults.catalogue import LAYER_TEXTS, catalogue, entry_named, fault_classes
from simcore.faults.fault import LAYERS, Fault, SiteFault

NAMED = {
    "ecu": "BitFlip BrownOut ClockDrift EcuReset EcuSilent FlashPowerCut OutputStuck "
    "StackRestart TaskDoubled TaskHung TaskOrderSwapped TaskSkipped TaskSlow "
    "WatchdogAnswerEarly WatchdogAnswerLate WatchdogAnswerMissing WatchdogAnswerWrong",
    "message": "MessageBlocked MessageDelayed MessageDropped MessageInserted MessageMasqueraded "
    "MessageReordered MessageRepeated PayloadCorrupted SignalCorrupted",
    "pin": "ChannelDisagreement SensorDrift SensorNoise SensorOffset SensorRangeFault SensorStuck",
    "actuator": "CaliperJammed MotorFree MotorSlow OverTemperature ParkLatchUnlocked "
    "UnintendedClamp",
    "power": "SupplyLost SupplyLow",
    "plant": "BrakeFaded DiscHot FrictionChanged SlopeChanged",
    "wire": "AckSuppressed BabblingNode BitError BusOff BusOpen BusShorted",
}
"""What must be there at least."""


def written_classes() -> set[str]:
    """Every public class with `sentence` in or above it, by reading the files, not by importing."""
    bases: dict[str, set[str]] = {}
    folder = Path(room.__file__).parent
    for file in sorted(folder.glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}

    def is_fault(name: str) -> bool:
        return name == "Fault" or any(is_fault(base) for base in bases.get(name, ()))

    derived_from = set().union(*bases.values())
    return {
        name
        for name in bases
        if is_fault(name) and name not in derived_from and not name.startswith("_")
    }


def test_no_fault_class_is_missing_from_the_catalogue_nor_from_the_room() -> None:
    listed = {entry.name for entry in catalogue()}
    assert listed == written_classes()
    assert listed <= set(room.__all__)
    for name in room.__all__:
        assert hasattr(room, name)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_its_faults(layer: str) -> None:
    names = {entry.name for entry in catalogue() if entry.layer == layer}
    assert set(NAMED[layer].split()) <= names
    assert layer in LAYER_TEXTS


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_every_fault_and_every_parameter_says_what_it_is(entry: object) -> None:
    found = entry_named(entry.name)  # type: ignore[attr-defined]
    assert found.summary.endswith(".")
    assert "\n" not in found.summary
    for parameter in found.parameters:
        assert parameter.text, f"{found.name}.{parameter.name} has no docstring below it"


@pytest.mark.parametrize("cls", list(fault_classes()), ids=lambda cls: cls.__name__)
def test_every_fault_is_a_frozen_value_with_keywords_and_can_wait(cls: type[Fault]) -> None:
    assert getattr(cls, "__dataclass_params__").frozen is True  # noqa: B009 (typeshed has it not)
    assert all(field.kw_only for field in dataclasses.fields(cls))  # type: ignore[arg-type]
    assert not hasattr(cls, "__dict__") or "__slots__" in vars(cls)
    assert cls.sentence is not Fault.sentence
    assert callable(cls.at) and callable(cls.during) and callable(cls.after)
    assert issubclass(cls, SiteFault) == (cls.layer not in ("wire", "message"))


def test_the_order_is_from_the_wire_to_the_road_then_by_name() -> None:
    keys = [(LAYERS.index(entry.layer), entry.name) for entry in catalogue()]
    assert keys == sorted(keys)


def test_a_parameter_has_kind_unit_default_and_text() -> None:
    brown_out = entry_named("brownout")
    node, off = brown_out.parameters
    assert (node.name, node.kind, node.unit, node.default) == ("node", "str", "", None)
    assert (off.name, off.kind, off.unit, off.default) == ("off_ns", "int", "ns", None)
    assert off.text == "How long the supply is too low."
    assert off.required
    skipped = {each.name: each for each in entry_named("TaskSkipped").parameters}
    assert (skipped["every"].default, skipped["every"].required) == ("1", False)
    assert skipped["permanent"].default == "False"
    slow = {each.name: each for each in entry_named("TaskSlow").parameters}
    assert slow["factor"].kind == "float"  # whatever it is called in the code
    drift = {each.name: each for each in entry_named("ClockDrift").parameters}
    assert drift["ppm"].unit == ""  # the whole name is the unit: nothing in front of it


def test_parameters_that_must_be_given_come_first() -> None:
    for entry in catalogue():
        required = [parameter.required for parameter in entry.parameters]
        assert required == sorted(required, reverse=True)


def test_an_unknown_fault_is_named_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"^unknown fault 'TaskHing': did you mean 'TaskHung'\?$"):
        entry_named("TaskHing")
