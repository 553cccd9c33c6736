"""A mapping for one place on one network: every name looked up, every unit compared.

What `fmu_mapping` read becomes an `FmuPlan` here, or an error that names file, line and key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simcore.attach.dut_toml import located
from simcore.attach.fmu_mapping import (
    HOLD,
    PIN,
    VALID,
    FmuMapping,
    InputTable,
    OutputTable,
    quoted,
)
from simcore.attach.fmu_model import FmuVariable
from simcore.errors import InputError, UsageError
from simcore.network import Database, Message
from simcore.network.accepting import raw_of
from simcore.network.interaction_rules import application_signals
from simcore.network.messages import Number
from simcore.network.protection_tables import nearest
from simcore.units import UNIT_SUFFIXES

_OTHERS = {"Boolean": "true or false", "String": "a text"}
_WHOLES = (
    "Integer",
    "Enumeration",
    *(f"{u}Int{bits}" for u in ("", "U") for bits in (8, 16, 32, 64)),
)
NUMERIC = ("Real", "Float64", "Float32", *_WHOLES, "Boolean")
"""FMI types that can be a signal or a pin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FmuInput:
    """Where the value of an input variable comes from."""

    variable: FmuVariable
    pin: str = ""
    message: Message | None = None
    signal: str = ""
    """Empty for whether the message is valid."""
    scale: Number = 1
    offset: Number = 0
    on_invalid: str | Number = HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class FmuOutput:
    """Where the value of an output variable goes."""

    variable: FmuVariable
    pin: str = ""
    message: Message | None = None
    signal: str = ""
    scale: Number = 1
    offset: Number = 0
    saturate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FmuPlan:
    """The mapping for one place on one network."""

    inputs: tuple[FmuInput, ...]
    outputs: tuple[FmuOutput, ...]
    values: Mapping[str, Mapping[str, Number | str]]
    """By message and signal."""
    unmapped: tuple[str, ...]
    """Inputs of the FMU that keep their start values."""

    @property
    def received(self) -> tuple[Message, ...]:
        """The messages that the inputs are about."""
        found = {each.message.name: each.message for each in self.inputs if each.message}
        return tuple(found.values())


def plan_of(
    mapping: FmuMapping, variables: Mapping[str, FmuVariable], node: str, database: Database
) -> FmuPlan:
    """The plan for a place. Raises `InputError` for what the FMU or the network lacks."""
    try:
        return _Planner(mapping, variables, node, database).plan()
    except (InputError, UsageError) as error:
        shown = InputError(error.where, expected=error.expected, got=error.got)
        raise located(shown, mapping.file, mapping.text) from None


class _Planner:
    """One mapping on its way to a plan."""

    def __init__(
        self,
        mapping: FmuMapping,
        variables: Mapping[str, FmuVariable],
        node: str,
        database: Database,
    ) -> None:
        self._mapping = mapping
        self._variables = variables
        self._node = node
        self._database = database
        self._driven: dict[str, str] = {}
        """Pins and signals that an output goes to."""

    def plan(self) -> FmuPlan:
        mapping = self._mapping
        for name, value in mapping.parameters.items():
            self._check_parameter(name, value)
        inputs = [self._input(name, table) for name, table in mapping.inputs.items()]
        outputs = [
            self._output(name, table)
            for name, tables in mapping.outputs.items()
            for table in tables
        ]
        return FmuPlan(
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            values=dict(self._values()),
            unmapped=tuple(
                name
                for name, variable in self._variables.items()
                if variable.causality == "input" and name not in mapping.inputs
            ),
        )

    def _filled(self, text: str) -> str:
        node = self._node
        return text.replace("{node}", node).replace("{corner}", node.rpartition("_")[2])

    def _variable(self, where: str, name: str, *causalities: str) -> FmuVariable:
        found = self._variables.get(name)
        if found is None or found.causality not in causalities:
            known = [
                each.name for each in self._variables.values() if each.causality in causalities
            ]
            wanted = f"one of the FMU's {causalities[0]}s"
            raise InputError(
                where,
                expected=f"{wanted}{nearest(name, known)}" if known else f"{wanted}: it has none",
                got=f"{name}, which it lacks"
                if found is None
                else f"{name}, its {found.causality}",
            )
        return found

    def _number(self, where: str, name: str, *causalities: str) -> FmuVariable:
        found = self._variable(where, name, *causalities)
        if found.kind not in NUMERIC or found.is_array:
            kind = f"an array of {found.kind}" if found.is_array else found.kind
            raise InputError(where, expected="a single number", got=f"{name}, {kind}")
        return found

    def _check_parameter(self, name: str, value: object) -> None:
        where = f"fmu.parameters.{quoted(name)}"
        variable = self._variable(where, name, "parameter", "input")
        wanted = _OTHERS.get(variable.kind, "a number" if variable.is_real else "a whole number")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {
            "true or false": isinstance(value, bool),
            "a text": isinstance(value, str),
            "a number": is_number,
            "a whole number": is_number and isinstance(value, int),
        }[wanted]
        if not fits or variable.is_array:
            raise InputError(where, expected=f"{wanted} for its {variable.kind}", got=repr(value))

    def _input(self, name: str, table: InputTable) -> FmuInput:
        where = f"fmu.inputs.{quoted(name)}"
        variable = self._number(where, name, "input")
        source = self._filled(table.source)
        scale = 1 if table.scale is None else table.scale
        if source.startswith(PIN):
            pin = source.removeprefix(PIN)
            self._check_unit(where, variable, pin, _unit_of_pin(pin), table.scale)
            return FmuInput(variable=variable, pin=pin, scale=scale, offset=table.offset)
        if source.startswith(VALID):
            message = self._received(where, source.removeprefix(VALID))
            return FmuInput(variable=variable, message=message, scale=scale, offset=table.offset)
        message, signal = self._signal(where, source, sent=False)
        self._check_unit(where, variable, source, message.signal(signal).unit, table.scale)
        on_invalid = self._mapping.on_invalid if table.on_invalid is None else table.on_invalid
        return FmuInput(
            variable=variable,
            message=message,
            signal=signal,
            scale=scale,
            offset=table.offset,
            on_invalid=on_invalid,
        )

    def _output(self, name: str, table: OutputTable) -> FmuOutput:
        where = f"fmu.outputs.{quoted(name)}"
        variable = self._number(where, name, "output", "local", "calculatedParameter")
        target = self._filled(table.target)
        if target in self._driven:
            raise InputError(
                where, expected=f"one output for {target}", got=f"{self._driven[target]} as well"
            )
        self._driven[target] = name
        scale = 1 if table.scale is None else table.scale
        if target.startswith(PIN):
            pin = target.removeprefix(PIN)
            self._check_unit(where, variable, pin, _unit_of_pin(pin), table.scale)
            return FmuOutput(variable=variable, pin=pin, scale=scale, offset=table.offset)
        message, signal = self._signal(where, target, sent=True)
        self._check_unit(where, variable, target, message.signal(signal).unit, table.scale)
        return FmuOutput(
            variable=variable,
            message=message,
            signal=signal,
            scale=scale,
            offset=table.offset,
            saturate=table.saturate,
        )

    def _values(self) -> Iterator[tuple[str, dict[str, Number | str]]]:
        for name, signals in self._mapping.values.items():
            where = f"fmu.values.{quoted(name)}"
            values = {self._filled(signal): value for signal, value in signals.items()}
            for signal, value in values.items():
                message, _ = self._signal(where, f"{self._filled(name)}.{signal}", sent=True)
                try:
                    raw_of(message, message.signal(signal), value)
                except UsageError as error:
                    raise InputError(
                        where, expected=f"{signal} of {error.expected}", got=error.got
                    ) from None
            yield self._filled(name), values

    def _received(self, where: str, name: str) -> Message:
        try:
            message = self._database.message(name)
        except UsageError as error:
            raise InputError(f"{where}: {error.where}", expected=error.expected) from None
        if self._node in message.senders:
            raise InputError(
                where, expected="a message of another node", got=f"{name}, which {self._node} sends"
            )
        return message

    def _signal(self, where: str, text: str, *, sent: bool) -> tuple[Message, str]:
        name, dot, signal = text.partition(".")
        if not dot:
            pins = (
                f"{PIN}NAME or MESSAGE.SIGNAL"
                if sent
                else f"{PIN}NAME, {VALID}MESSAGE or MESSAGE.SIGNAL"
            )
            raise InputError(where, expected=pins, got=repr(text))
        if not sent:
            message = self._received(where, name)
        else:
            own = {each.name: each for each in self._database.sent_by(self._node)}
            if name not in own:
                raise InputError(
                    where,
                    expected=f"a message that {self._node} sends{nearest(name, own)}",
                    got=name,
                )
            message = own[name]
        known = [each.name for each in message.signals]
        if signal not in known:
            raise InputError(
                where, expected=f"a signal of {name}{nearest(signal, known)}", got=signal
            )
        if sent and signal not in {each.name for each in application_signals(message)}:
            raise InputError(
                where, expected="a signal that E2E and SecOC do not fill in", got=f"{name}.{signal}"
            )
        return message, signal

    def _check_unit(
        self, where: str, variable: FmuVariable, name: str, unit: str, scale: Number | None
    ) -> None:
        if scale is None and variable.unit and unit and _plain(variable.unit) != _plain(unit):
            raise InputError(
                where,
                expected=f"{variable.unit}, the unit of the FMU's {variable.name}, "
                "or a `scale` to it",
                got=f"{name} in {unit}",
            )


def _unit_of_pin(pin: str) -> str:
    """The unit that a pin's name ends with; empty for a state or anything else."""
    words = pin.split("_")
    return next(
        (
            unit
            for unit in ("_".join(words[start:]) for start in range(1, len(words)))
            if unit in UNIT_SUFFIXES
        ),
        "",
    )


_SPELLINGS = {"kmph": "kmh", "degc": "c", "%": "pct", "1": "ratio", "-": "ratio", "°": "deg"}


def _plain(unit: str) -> str:
    """A unit in the spelling of a pin's name: rad/s is radps."""
    plain = unit.strip().lower().replace("°c", "degc").replace("/", "p").replace("^", "")
    return _SPELLINGS.get(plain, plain)
