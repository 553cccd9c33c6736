"""The catalogue: every fault there is with its layer, its sentence and its parameters.

Nothing is written down twice: the list is made of the classes of this room, their docstrings and
the docstrings below their fields.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields
from functools import lru_cache
from importlib import import_module
from itertools import pairwise

import simcore.faults as room
from simcore.errors import UsageError
from simcore.faults.fault import LAYERS, Fault
from simcore.network.messages import unknown_name
from simcore.units import UNIT_SUFFIXES

LAYER_TEXTS = {
    "wire": "between the transceivers, and attacks from a foreign node",
    "message": "one message, where its sender hands it to the controller",
    "ecu": "tasks, memory, clock and supply of one ECU, and its external watchdog",
    "pin": "sensors: what an ECU reads is not the truth",
    "actuator": "calipers, motors and their power stages",
    "power": "the supplies of the vehicle",
    "plant": "brakes, road and vehicle",
}
"""What belongs to a layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One field of a fault."""

    name: str
    kind: str
    """Its type: `int | None`."""
    unit: str
    """As its name ends: `ns`; empty for what has none."""
    default: str | None
    """As written in Python; `None` for a parameter that must be given."""
    text: str

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of fault."""

    name: str
    layer: str
    summary: str
    """First line of what it says about itself."""
    text: str
    """The rest of it; may be empty."""
    parameters: tuple[Parameter, ...]
    """Those that must be given first, then by name."""


@lru_cache(maxsize=1)
def catalogue() -> tuple[Entry, ...]:
    """Every fault, by layer from the wire to the road, then by name."""
    classes = {cls.__name__: cls for cls in fault_classes()}
    entries = (_entry(classes[name]) for name in sorted(classes))
    return tuple(sorted(entries, key=lambda entry: LAYERS.index(entry.layer)))


def entry_named(name: str) -> Entry:
    """One kind of fault, in any case. Raises `UsageError` for an unknown name."""
    for entry in catalogue():
        if entry.name.lower() == name.lower():
            return entry
    raise unknown_name("unknown fault", name, [entry.name for entry in catalogue()])


def fault_classes() -> Iterator[type[Fault]]:
    """Every class of this room that is a fault and no base of others."""
    for module in pkgutil.iter_modules(room.__path__):
        import_module(f"{room.__name__}.{module.name}")
    for cls in _derived(Fault):
        here = cls.__module__.startswith(f"{room.__name__}.")
        if here and not any(sub.__module__.startswith(room.__name__) for sub in _derived(cls)):
            yield cls


def _derived(cls: type[Fault]) -> list[type[Fault]]:
    found: dict[type[Fault], None] = {}
    for each in cls.__subclasses__():
        # A dataclass with slots leaves behind the class it was made of: only the one its module
        # knows under that name counts.
        if getattr(inspect.getmodule(each), each.__name__, None) is each:
            found.update(dict.fromkeys([each, *_derived(each)]))
        else:
            found.update(dict.fromkeys(_derived(each)))
    return list(found)


def _entry(cls: type[Fault]) -> Entry:
    if cls.layer not in LAYERS:
        raise UsageError(
            f"{cls.__name__}.layer", expected=f"one of {', '.join(LAYERS)}", got=repr(cls.layer)
        )
    summary, _, text = _plain(inspect.getdoc(cls) or "").partition("\n")
    texts = _field_texts(cls)
    own: tuple[Field[object], ...] = fields(cls)  # type: ignore[arg-type]
    parameters = [_parameter(cls, field, texts.get(field.name, "")) for field in own]
    return Entry(
        name=cls.__name__,
        layer=cls.layer,
        summary=summary,
        text=text.strip(),
        parameters=tuple(sorted(parameters, key=lambda each: not each.required)),
    )


def _parameter(cls: type[Fault], field: Field[object], text: str) -> Parameter:
    default = None
    if field.default is not MISSING:
        default = repr(field.default)
    elif field.default_factory is not MISSING:
        default = repr(field.default_factory())
    return Parameter(
        name=field.name,
        kind=_kind(cls, str(field.type)),
        unit=_unit(field.name),
        default=default,
        text=_plain(text),
    )


def _kind(cls: type[Fault], annotation: str) -> str:
    """The annotation, with `float` for its other names."""
    names = vars(inspect.getmodule(cls))
    words = [
        "float" if names.get(word) is float else word for word in re.split(r"(\w+)", annotation)
    ]
    return "".join(words)


def _unit(name: str) -> str:
    """The longest unit that a name ends in; a pure number has none."""
    words = name.split("_")
    for start in range(1, len(words)):
        unit = "_".join(words[start:])
        if unit in UNIT_SUFFIXES:
            return "" if unit == "ratio" else unit
    return ""


def _field_texts(cls: type[Fault]) -> dict[str, str]:
    """The docstring below each field, of the class itself and of what it is derived from."""
    texts: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if not each.__module__.startswith(room.__name__):
            continue
        body = _class_bodies(each.__module__).get(each.__name__, [])
        for statement, following in pairwise(body):
            match statement, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[name] = inspect.cleandoc(text)
    return texts


@lru_cache(maxsize=64)
def _class_bodies(module: str) -> dict[str, list[ast.stmt]]:
    tree = ast.parse(inspect.getsource(import_module(module)))
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def _plain(text: str) -> str:
    return text.replace("`", "")
