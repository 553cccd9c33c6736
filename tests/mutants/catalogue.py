"""Every mutant, and the modules without a defect that they are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from simcore.ecu.cdc import Cdc
from simcore.ecu.emb import Emb
from tests.mutants import (
    actuators_control,
    actuators_protecting,
    actuators_receiving,
    actuators_sending,
    actuators_services,
    controllers,
    controllers_sending,
    controllers_services,
)

MODULES: tuple[ModuleType, ...] = (
    actuators_sending,
    actuators_protecting,
    actuators_receiving,
    actuators_control,
    actuators_services,
    controllers_sending,
    controllers,
    controllers_services,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one defect, or, among the sound ones, with none."""

    name: str
    defect: str
    violates: tuple[str, ...]
    """Requirements that it violates; a case of any of them must fail it."""
    node: str
    """The place it is judged in."""
    module: type[Any]
    path: str = ""
    """Of its file, for a module that is none of Python."""
    is_isolated: bool = False
    """Judged in a child process."""


def _found(module: ModuleType) -> Iterator[Mutant]:
    for name, each in vars(module).items():
        if isinstance(each, type) and each.__module__ == module.__name__ and name[0] != "_":
            violates = getattr(each, "violates", None)
            if violates is not None:
                yield _mutant(each, violates)


def _mutant(module: type[Any], violates: tuple[str, ...], name: str = "", node: str = "") -> Mutant:
    default = "CDC" if issubclass(module, Cdc) else "EMB_FL"
    return Mutant(
        name=name or module.__name__,
        defect=(module.__doc__ or "").partition("\n")[0],
        violates=violates,
        node=node or getattr(module, "node", default),
        module=module,
    )


_ALL = tuple(mutant for module in MODULES for mutant in _found(module))
MUTANTS = tuple(mutant for mutant in _ALL if mutant.violates)
SOUND = (
    _mutant(Emb, (), "reference", "EMB_FL"),
    _mutant(Emb, (), "reference rear", "EMB_RR"),
    _mutant(Cdc, (), "reference controller", "CDC"),
    *(mutant for mutant in _ALL if not mutant.violates),
)
ACTUATORS = tuple(mutant for mutant in MUTANTS if issubclass(mutant.module, Emb))
CONTROLLERS = tuple(mutant for mutant in MUTANTS if issubclass(mutant.module, Cdc))


def named(name: str) -> Mutant:
    """A mutant or a sound module by its name."""
    return next(each for each in (*MUTANTS, *SOUND) if each.name == name)
