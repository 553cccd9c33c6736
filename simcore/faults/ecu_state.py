"""Faults of an ECU's memory and outputs: a bit that flips, a variable or a pin that is stuck.

A variable is named by its path from the node: `application.force_ref_n`, or with a place in a list
`application.force_request_n.2`.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from simcore.errors import UsageError
from simcore.faults.actuator import Driven, driven
from simcore.faults.ecu import EcuFault, let_go, momentary, running_node
from simcore.faults.installed import Installed
from simcore.faults.site import NodeControl, Site
from simcore.units import UNIT_SUFFIXES

FLOAT_BITS = 64
INTEGER_BITS = 32
"""Of an integer variable of the simulated ECU."""


class Variable:
    """A state variable of a node, found by its path.

    Its type does not depend on the moment: it is what the class says; without that, a number whose
    name ends in a unit is a float, unless it is a time in ns; else it is what it is now.
    """

    __slots__ = ("_is_float", "_key", "_owner", "path")

    def __init__(self, where: str, node: object, path: str) -> None:
        self.path = path
        *parents, last = path.split(".")
        owner, seen = node, ""
        holder, attribute = owner, last
        for name in parents:
            if not isinstance(owner, (list, tuple)):
                holder, attribute = owner, name
            owner = _value(where, owner, name, seen)
            seen = f"{seen}{name}."
        if not isinstance(owner, (list, tuple)):
            holder, attribute = owner, last
        value = _value(where, owner, last, seen)
        self._is_float = is_float(holder, attribute)
        if not isinstance(value, (bool, int, float)):
            inside = _names(value, f"{path}.")
            raise UsageError(
                where,
                expected=f"a number, one of {inside}",
                got=f"{path}, a {type(value).__name__}",
            )
        if _is_parameter(owner):
            raise UsageError(
                where,
                expected="a variable",
                got=f"{path}, a parameter of a {type(owner).__name__}, which never changes",
            )
        self._owner: Any = owner
        self._key = last

    @property
    def value(self) -> bool | int | float:
        """As it is now."""
        value: bool | int | float = _get(self._owner, self._key)
        # Python lets `0` stand where a float is meant.
        return float(value) if self._is_float and type(value) is int else value

    @value.setter
    def value(self, value: bool | int | float) -> None:
        if isinstance(self._owner, list):
            self._owner[int(self._key)] = value
        else:
            setattr(self._owner, self._key, value)


def is_float(holder: object, attribute: str) -> bool:
    """Whether an attribute, or what a list under this name holds, is a float by what it is called.

    An annotation of the class counts first, then the unit at the end of the name.
    """
    for cls in type(holder).__mro__:
        annotation = vars(cls).get("__annotations__", {}).get(attribute)
        if annotation is not None:
            return float in _types(_resolved(cls, annotation))
    words = attribute.split("_")
    units = {"_".join(words[start:]) for start in range(1, len(words))} & UNIT_SUFFIXES
    return bool(units) and units != {"ns"}


def _resolved(cls: type, annotation: object) -> object:
    alone = type("_Annotated", (), {"__annotations__": {"it": annotation}})
    try:
        return get_type_hints(alone, vars(sys.modules[cls.__module__]))["it"]
    except NameError:  # known to type checkers only: a class, no number
        return None


def _types(annotation: object) -> set[object]:
    """Every type that an annotation names: of `list[float | None]` all three."""
    found: set[object] = {annotation, get_origin(annotation)} - {None}
    for argument in get_args(annotation):
        found |= _types(argument) if not isinstance(argument, list) else set()
    return found


def _value(where: str, owner: object, name: str, seen: str) -> object:
    try:
        return _get(owner, name)
    except (AttributeError, IndexError, ValueError):
        raise UsageError(
            where, expected=f"a variable of {_names(owner, seen)}", got=seen + name
        ) from None


def _get(owner: Any, name: str) -> Any:
    return owner[int(name)] if isinstance(owner, (list, tuple)) else getattr(owner, name)


def _is_parameter(owner: object) -> bool:
    """Whether it is shared by all copies of a run and must not be written."""
    if isinstance(owner, tuple):
        return True
    parameters: Any = getattr(type(owner), "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


def _names(owner: object, prefix: str) -> str:
    """What is in there: numbers by name, and what holds more with a dot behind it."""
    found = []
    for key in _keys(owner):
        value = owner[int(key)] if isinstance(owner, (list, tuple)) else getattr(owner, key, None)
        if isinstance(value, (bool, int, float)):
            found.append(prefix + key)
        elif isinstance(value, list) or _is_part(value):
            found.append(f"{prefix}{key}.")
    return ", ".join(found) or "nothing"


def _keys(owner: object) -> list[str]:
    if isinstance(owner, (list, tuple)):
        return [str(index) for index in range(len(owner))]
    keys = set(getattr(owner, "__dict__", {}))
    for cls in type(owner).__mro__:
        slots: str | tuple[str, ...] = getattr(cls, "__slots__", ())
        keys.update((slots,) if isinstance(slots, str) else slots)
    return sorted(key for key in keys if not key.startswith("__"))


def _is_part(value: object) -> bool:
    """Whether it is an object of the ECU's own with variables in it."""
    module = type(value).__module__
    return module.startswith("simcore.ecu") and not _is_parameter(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitFlip(EcuFault):
    """One bit of a state variable is inverted, once: the software goes on with what it then reads.

    Of a float it is one of the 64 of IEEE 754 binary64 (52..62 exponent, 63 sign), of an integer or
    an enumeration one of 32; a flag is inverted. What would be no number or no state is refused.
    """

    variable: str
    """Path from the node: `application.force_ref_n`."""
    bit: int
    """Place of the bit, 0 the least significant."""

    def __post_init__(self) -> None:
        if type(self.bit) is not int or not 0 <= self.bit < FLOAT_BITS:
            raise UsageError("BitFlip.bit", expected=f"0..{FLOAT_BITS - 1}", got=repr(self.bit))

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: bit {self.bit} of {self.variable} flips"

    def check(self, site: Site) -> None:
        """Refuse a variable that is not there, and a bit that it has not."""
        where = f"BitFlip, node {self.node}"
        variable = Variable(where, site.node(self.node).node, self.variable)
        require_width(f"{where}, {self.variable}", variable.value, self.bit)

    def begin(self, site: Site) -> Installed:
        """Once, now."""
        control = running_node(self, site)
        where = f"BitFlip, node {self.node}"
        variable = Variable(where, control.node, self.variable)
        before = variable.value
        variable.value = after = flipped(f"{where}, {self.variable}", before, self.bit)
        site.log(self.node, "note", f"{self.variable}: {before!s} -> {after!s}")
        return momentary()


def flipped(where: str, value: bool | int | float, bit: int) -> bool | int | float:
    """The value with one bit inverted. Raises `UsageError` where that is no value of its kind."""
    require_width(where, value, bit)
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        (raw,) = struct.unpack("<Q", struct.pack("<d", value))
        (number,) = struct.unpack("<d", struct.pack("<Q", raw ^ 1 << bit))
        if number - number != 0.0:
            raise UsageError(
                f"{where}: bit {bit}",
                expected="a bit that leaves a number",
                got=f"{number} of {value!r}",
            )
        return float(number)
    raw = int(value) ^ 1 << bit
    if isinstance(value, Enum):
        members = {int(member): member for member in type(value)}
        if raw not in members:
            bits = [n for n in range(INTEGER_BITS) if int(value) ^ 1 << n in members]
            raise UsageError(
                f"{where}: bit {bit}",
                expected=f"a bit that leads from {value.name} to another state ({bits})",
                got=f"the value {raw}",
            )
        return members[raw]
    return raw


def require_width(where: str, value: bool | int | float, bit: int) -> None:
    """Refuse a bit that a value of this type has not."""
    width = 1 if isinstance(value, bool) else INTEGER_BITS if isinstance(value, int) else FLOAT_BITS
    if bit >= width:
        raise UsageError(f"{where}: bit", expected=f"0..{width - 1}", got=str(bit))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStuck(EcuFault):
    """An output variable or output pin keeps one value, whatever the software computes.

    A variable is overwritten after every timer call of the node: the task that computes it has run
    by then, a task of the same instant that reads it has read what was computed. A pin is one of an
    actuator; what its power stage is told does not count, whether it may act does.
    """

    value: float
    """What it is stuck at, in its own unit."""
    variable: str | None = None
    """Path from the node, `application.force_ref_n`; either this or `pin`."""
    pin: str | None = None
    """Name of an output pin: `motor_current_a`."""

    shifts_messages: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if (self.variable is None) == (self.pin is None):
            raise UsageError(
                "OutputStuck",
                expected="either a variable or a pin",
                got="neither" if self.pin is None else "both",
            )
        value: object = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value - value != 0:
            raise UsageError("OutputStuck.value", expected="a finite number", got=repr(value))

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: {self.variable or f'pin {self.pin}'} stuck at {self.value:g}"

    def check(self, site: Site) -> None:
        """Refuse a pin or a variable that is not there, and a value that it cannot have."""
        if self.pin is not None:
            site.require_output(self.node, self.pin)
        else:
            like(self.variable_of(site.node(self.node)), self.value)

    def variable_of(self, control: NodeControl) -> Variable:
        """What is stuck, as it is found now."""
        return Variable(f"OutputStuck, node {self.node}", control.node, str(self.variable))

    def begin(self, site: Site) -> Installed:
        """From now on; also after a restart of the node. Of several the last one is in force."""
        control = running_node(self, site)
        if self.pin is not None:
            return driven(site, self.node, self.pin, Driven(self.value).value)
        stuck = _StuckVariable(self, control)
        stuck.begin()
        return stuck.installed


class _StuckVariable:
    """A variable that is overwritten after every timer call."""

    __slots__ = ("_control", "_fault", "_holders", "_value", "_variable", "count", "installed")

    def __init__(self, fault: OutputStuck, control: NodeControl) -> None:
        self._fault = fault
        self._control = control
        self._variable = fault.variable_of(control)
        self._value = like(self._variable, fault.value)
        self._holders = control.holders(f"variable {fault.variable}")
        self.count = 0
        """How often it had another value."""
        self.installed = Installed(self._end, self)

    @property
    def effect(self) -> str:
        return f"{self.count} value{'' if self.count == 1 else 's'} overwritten"

    def begin(self) -> None:
        self._holders.append(self)
        self._control.listen_ticks(self._impose)
        self._control.listen_starts(self._started)
        self._impose()

    def _started(self) -> None:
        try:
            self._variable = self._fault.variable_of(self._control)
            self._value = like(self._variable, self._fault.value)
            self._impose()
        except UsageError:  # another module stands there now
            self._end()
            self.installed.over()

    def _impose(self) -> None:
        variable = self._variable
        if self._holders[-1] is self and variable.value != self._value:
            self.count += 1
            variable.value = self._value

    def _end(self) -> None:
        self._control.forget_ticks(self._impose)
        self._control.forget_starts(self._started)
        before: _StuckVariable | None = let_go(self._holders, self)
        if before is not None and self._control.running:
            before._impose()


def like(variable: Variable, value: float) -> bool | int | float:
    """The value in the type that a variable has. Raises `UsageError` for what it cannot have."""
    present = variable.value
    where = f"OutputStuck, {variable.path}"
    if isinstance(present, bool):
        if value not in (0, 1):
            raise UsageError(where, expected="0 or 1, for a flag", got=f"{value:g}")
        return bool(value)
    if isinstance(present, Enum):
        states = {int(member): member for member in type(present)}
        if value not in states:
            raise UsageError(
                where,
                expected=f"a value of {type(present).__name__} ({', '.join(map(str, states))})",
                got=f"{value:g}",
            )
        return states[int(value)]
    if not isinstance(present, int):
        return float(value)
    if value != int(value):
        raise UsageError(where, expected="a whole number", got=f"{value:g}")
    return int(value)
