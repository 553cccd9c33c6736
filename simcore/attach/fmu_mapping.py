"""Which variable of an FMU is which pin or signal: the table `[fmu]` beside it.

    [fmu]
    step_ms = 1.0                      # communication step; else the FMU's own, else 1 ms
    on_invalid = "hold"                # a signal while its message is not valid: "hold" its last
                                       # valid value, or "start" for its start value in the database

    [fmu.parameters]                   # set once, before it is initialised
    gain_a_per_n = 0.005

    [fmu.inputs]                       # input variable = where its value comes from
    clamp_force_n = "pin:clamp_force_n"
    requested_n = "CDC_EmbCmd.CDC_{corner}_FReq"        # MESSAGE.SIGNAL, the physical value
    commanded = "valid:CDC_EmbCmd"                      # 1 while it is received and valid, else 0
    speed_mps = { from = "CDC_EmbCmd.CDC_VehSpd", scale = 0.2777777777777778, on_invalid = 0 }

    [fmu.outputs]                      # output variable = where its value goes; a list for several
    motor_current_a = "pin:motor_current_a"
    force_n = { to = "EMB_{corner}_St1.EMB_{corner}_FAct", saturate = true }

    [fmu.values]                       # what else is in the messages it sends, in place of start
    "EMB_{corner}_St1" = { "EMB_{corner}_State" = "ForceCtrl" } # numbers or texts of choices

`{node}` is the name of the place, `{corner}` what follows its last underscore. A signal goes in as
the message's layout says after its E2E check, in the unit of the database; a pin in the unit that
its name ends with. An input is scale * value + offset, a signal or output pin is scale * output +
offset. Where the FMU says another unit than the signal or pin has, `scale` must be given. A value
that does not fit its signal is an error of the module, unless `saturate` allows for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from simcore.attach.dut_toml import converted, known_keys
from simcore.errors import InputError
from simcore.network.messages import Number

PIN = "pin:"
VALID = "valid:"
HOLD = "hold"
START = "start"
_SECTIONS = ("step_ms", "on_invalid", "parameters", "inputs", "outputs", "values")


class InputTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An input with more than its source."""

    source: str = msgspec.field(name="from")
    scale: Number | None = None
    offset: Number = 0
    on_invalid: str | Number | None = None


class OutputTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An output with more than its target."""

    target: str = msgspec.field(name="to")
    scale: Number | None = None
    offset: Number = 0
    saturate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FmuMapping:
    """The table `[fmu]` of one file, as it stands there."""

    file: str
    text: str
    step_ms: float | None
    on_invalid: str
    parameters: Mapping[str, bool | Number | str]
    inputs: Mapping[str, InputTable]
    outputs: Mapping[str, tuple[OutputTable, ...]]
    values: Mapping[str, Mapping[str, Number | str]]

    @classmethod
    def of(cls, raw: Any, file: str, text: str) -> FmuMapping:
        """Raises `InputError` with the key for what is not understood."""
        tables = converted(raw, dict[str, Any], "fmu")
        known_keys(tables, _SECTIONS, "fmu")
        step_ms = converted(tables.get("step_ms"), float | None, "fmu.step_ms")  # type: ignore[arg-type]
        if step_ms is not None and not 0 < step_ms < 1e6:
            raise InputError("fmu.step_ms", expected="more than 0 ms", got=f"{step_ms:g} ms")
        sections = {
            name: converted(tables.get(name, {}), dict[str, Any], f"fmu.{name}")
            for name in ("parameters", "inputs", "outputs", "values")
        }
        return cls(
            file=file,
            text=text,
            step_ms=step_ms,
            on_invalid=_word("fmu.on_invalid", tables.get("on_invalid", HOLD)),
            parameters={
                name: converted(value, bool | int | float | str, f"fmu.parameters.{name}")  # type: ignore[arg-type]
                for name, value in sections["parameters"].items()
            },
            inputs={
                name: _input_of(value, f"fmu.inputs.{quoted(name)}")
                for name, value in sections["inputs"].items()
            },
            outputs={
                name: tuple(_outputs_of(value, f"fmu.outputs.{quoted(name)}"))
                for name, value in sections["outputs"].items()
            },
            values={
                name: converted(value, dict[str, int | float | str], f"fmu.values.{quoted(name)}")
                for name, value in sections["values"].items()
            },
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> FmuMapping:
        return self


def _word(where: str, value: object) -> str:
    if value not in (HOLD, START):
        raise InputError(where, expected=f'"{HOLD}" or "{START}"', got=repr(value))
    return str(value)


def _input_of(raw: Any, where: str) -> InputTable:
    if isinstance(raw, str):
        return InputTable(source=raw)
    table = converted(raw, InputTable, where)
    if isinstance(table.on_invalid, str):
        _word(f"{where}.on_invalid", table.on_invalid)
    return table


def _outputs_of(raw: Any, where: str) -> Iterator[OutputTable]:
    for each in raw if isinstance(raw, list) else [raw]:
        yield (
            OutputTable(target=each)
            if isinstance(each, str)
            else converted(each, OutputTable, where)
        )


def quoted(name: str) -> str:
    """A key as TOML needs it; that with dots in quotes."""
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
