"""Values as Python source: how the steps of a sequence stand in a scenario file.

What is written names public things only; `Source` collects what the file has to import for it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.network import Message
from simcore.units import NS_PER_MS, NS_PER_S, NS_PER_US

_TIME_NAMES = frozenset({"timeout", "duration"})
_ROOMS = (
    *("simcore", "simcore.faults", "simcore.rig", "simcore.ecu", "simcore.transport"),
    *("simcore.bus", "simcore.update.flash"),
)
"""Where public names are looked for first, the shortest import wins."""


class Kept:
    """A variable of the scenario: what a former step returned."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Source:
    """Writes values, and remembers what has to be imported."""

    def __init__(self) -> None:
        self._imports: dict[str, set[str]] = {}

    def imports(self) -> list[str]:
        """The import lines, sorted; the standard library's do not occur."""
        lines = []
        for module in sorted(self._imports):
            names = ", ".join(sorted(self._imports[module]))
            lines.append(f"from {module} import {names}")
        return lines

    def needs(self, module: str, name: str) -> str:
        """A name that the file imports."""
        self._imports.setdefault(module, set()).add(name)
        return name

    def public(self, value: Any) -> str:
        """A class or function by its name, imported from the most public place that has it."""
        name: str = value.__name__
        for room in _ROOMS:
            module = sys.modules.get(room)
            if module is not None and name in getattr(module, "__all__", ()):
                if getattr(module, name) is value:
                    return self.needs(room, name)
        return self.needs(value.__module__, name)

    def time(self, time_ns: int) -> str:
        """A time as a person writes it: `ms(5)`, `s(2)`, `us(250)`, else in ns."""
        if time_ns and time_ns % NS_PER_S == 0:
            return f"{self.needs('simcore', 's')}({time_ns // NS_PER_S})"
        if time_ns and time_ns % NS_PER_MS == 0:
            return f"{self.needs('simcore', 'ms')}({time_ns // NS_PER_MS})"
        if time_ns and time_ns % NS_PER_US == 0:
            return f"{self.needs('simcore', 'us')}({time_ns // NS_PER_US})"
        return str(time_ns)

    def named(self, name: str, value: object) -> str:
        """`name=value`, times with their unit."""
        is_time = name in _TIME_NAMES or name.endswith("_ns")
        if is_time and type(value) is int:
            return f"{name}={self.time(value)}"
        return f"{name}={self.value(value)}"

    def value(self, value: object) -> str:
        """Any value that a step may have. Raises `UsageError` for one that cannot be written."""
        match value:
            case None | bool() | str():
                return repr(value)
            case Enum():
                return f"{self.public(type(value))}.{value.name}"
            case int() | float():
                return repr(value)
            case bytes():
                return f'bytes.fromhex("{value.hex()}")' if value else 'b""'
            case Kept():
                return value.name
            case Frame():
                return self._frame(value)
            case Message():
                return f"rig.database.message({value.name!r})"
            case Mapping():
                pairs = (f"{self.value(key)}: {self.value(each)}" for key, each in value.items())
                return f"{{{', '.join(pairs)}}}"
            case tuple():
                inner = ", ".join(self.value(each) for each in value)
                return f"({inner},)" if len(value) == 1 else f"({inner})"
            case list():
                return f"[{', '.join(self.value(each) for each in value)}]"
        if is_dataclass(value) and not isinstance(value, type):
            return self._data(value)
        raise UsageError(
            "step of a sequence",
            expected="numbers, texts, bytes, frames, faults and other plain data",
            got=repr(value),
        )

    def _data(self, value: Any) -> str:
        """A call that makes the same object, without what are defaults."""
        parts = []
        for field in fields(value):
            held = getattr(value, field.name)
            default = field.default
            if field.default_factory is not MISSING:
                default = field.default_factory()
            if default is MISSING or held != default:
                parts.append(self.named(field.name, held))
        return f"{self.public(type(value))}({', '.join(parts)})"

    def _frame(self, frame: Frame) -> str:
        flags = [
            f"{name}=True"
            for name in (
                "is_extended_id",
                "is_fd",
                "bitrate_switch",
                "error_state_indicator",
                "is_remote_frame",
            )
            if getattr(frame, name)
        ]
        natural = Frame(
            frame.arbitration_id,
            frame.data,
            is_extended_id=frame.is_extended_id,
            is_fd=frame.is_fd,
            is_remote_frame=frame.is_remote_frame,
        )
        flags += [f"dlc={frame.dlc}"] if natural.dlc != frame.dlc else []
        data = [self.value(frame.data)] if frame.data else []
        identifier = f"0x{frame.arbitration_id:0{8 if frame.is_extended_id else 3}X}"
        return f"{self.needs('simcore', 'Frame')}({', '.join([identifier, *data, *flags])})"
