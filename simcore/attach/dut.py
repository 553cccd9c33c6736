"""`Dut`: a module under test, whatever it is made of; `load_dut` finds it by one line of text.

    reference                          the simulated ECU of the place itself
    brake.py, brake.py::Brake          a Python class, see `dut_python`
    brake.so, .dll, .dylib             a C library with `simcore_node.h`, see `c_module`
    brake.fmu                          an FMU for co-simulation, see `fmu`
    can:socketcan:vcan0                a process on a CAN interface, in real time, see `process`

A `Dut` is a recipe: it travels to other processes and makes as many nodes as are asked for, for any
place and network. What stands in the sidecar file of the module is in `dut_sidecar`.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any, Literal, Protocol, Self

from simcore.attach.dut_python import PythonModule, build_node, required_names
from simcore.attach.dut_sidecar import Sidecar, load_sidecar, sidecar_path
from simcore.ecu import Node
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.version import __version__

Kind = Literal["reference", "python", "c", "fmu", "can"]

REFERENCE = "reference"
CALL_LIMIT_S = 2.0
"""How long a call into an isolated module may take."""
PREFIX = "can:"
"""Of a process on a CAN interface."""
C_SUFFIXES = (".so", ".dll", ".dylib")
SPECS = (
    "MODULE.py, MODULE.py::CLASS, MODULE.so (.dll, .dylib), MODULE.fmu, "
    "can:INTERFACE:CHANNEL or reference"
)


class Maker(Protocol):
    """Makes the nodes of a module."""

    def __call__(self, node: str, database: Database) -> Node: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dut:
    """A module under test. Never changes; picklable."""

    spec: str
    """As it was named."""
    kind: Kind
    digest: str
    """Of the module's file and of its sidecar."""
    forkable: bool = True
    """Whether a rig with it can be copied while it runs."""
    has_pins: bool = True
    """Whether it sees sensors and drives actuators of the simulation."""
    isolated: bool = False
    """Whether it runs in a child process."""
    omits: Mapping[str, str] = field(default_factory=dict)
    """Patterns of conformance cases that are not to be run, with the reason."""
    maker: Maker = field(repr=False)

    def build(self, node: str, database: Database) -> Node:
        """A new node for the place `node`. Raises `InputError` where the module cannot be made."""
        return self.maker(node, database)

    @property
    def label(self) -> str:
        """Short: the file's name without its folder, and the class if one was named."""
        if self.kind in ("can", "reference"):
            return self.spec
        path, colons, name = self.spec.partition("::")
        return f"{Path(path).name}{colons}{name}"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in self.__slots__}
        return state | {"omits": dict(self.omits)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def load_dut(spec: str | os.PathLike[str], *, isolated: bool = False) -> Dut:
    """The module that `spec` names; see the top of this file.

    `isolated` runs a C module or an FMU in a child process: what it does to memory stays there.
    Raises `InputError` with file and line for a module that is missing, broken or no module.
    """
    if isinstance(spec, os.PathLike):
        spec = os.fspath(spec)
    if not isinstance(spec, str) or not spec:
        raise UsageError("module under test", expected=SPECS, got=repr(spec))
    if spec == REFERENCE:
        _refuse_isolation(spec, isolated)
        return Dut(spec=spec, kind="reference", digest=_digest_of(__version__), maker=_reference)
    if spec.startswith(PREFIX):
        _refuse_isolation(spec, isolated)
        return _process(spec)
    place, colons, name = spec.partition("::")
    path = Path(place)
    suffix = path.suffix.lower()
    load = {".py": _python, ".fmu": _fmu, **dict.fromkeys(C_SUFFIXES, _c)}.get(suffix)
    if load is None:
        raise InputError("module under test", expected=SPECS, got=spec)
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise InputError("module under test", expected="a file", got=got, file=place)
    if colons and suffix != ".py":
        raise InputError(
            "module under test", expected=f"no '::' after a {suffix} file", got=spec, file=place
        )
    if colons and not name:
        raise InputError("module under test", expected=f"{place}::CLASS", got=spec, file=place)
    return load(spec, path.resolve(), name, isolated, load_sidecar(path))


def module(spec: str, *, isolated: bool = False) -> Dut:
    """The module that a scenario names: `rig.replace("EMB_FL", module("brake.so"))`.

    As `load_dut`, but a relative path counts from the folder of the file that calls this.
    """
    file = sys._getframe(1).f_globals.get("__file__")
    if isinstance(spec, str) and file is not None and _is_file(spec):
        spec = str(Path(file).parent / spec)
    return load_dut(spec, isolated=isolated)


def dut_of(factory: Callable[..., Node]) -> Dut:
    """A class or a factory as a module under test; called like a class in a Python module.

    For several worker processes it must be picklable: of a module, or a `partial` of such a one.
    """
    if not callable(factory):
        raise UsageError(
            "dut_of", expected="a class or a function that makes a node", got=repr(factory)
        )
    required_names("dut_of", factory)
    inner: Any = factory
    while isinstance(inner, partial):
        inner = inner.func
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    module = getattr(inner, "__module__", type(inner).__module__)
    return Dut(
        spec=f"{module}.{name}",
        kind="python",
        digest=_digest_of(f"{module}.{name}", _source(inner)),
        maker=partial(_made_by, factory),
    )


def _is_file(spec: str) -> bool:
    return bool(spec) and spec != REFERENCE and not spec.startswith(PREFIX)


def _made_by(factory: Callable[..., Node], node: str, database: Database) -> Node:
    return build_node(factory, node, database)


def _reference(node: str, database: Database) -> Node:
    from simcore.rig.reference import build_node as build_reference

    return build_reference(node, database)


def _python(spec: str, path: Path, name: str, isolated: bool, sidecar: Sidecar) -> Dut:
    _refuse_isolation(spec, isolated or bool(sidecar.module.isolated))
    _refuse_mapping(spec.partition("::")[0], sidecar)
    module = PythonModule.load(path, name, shown=spec.partition("::")[0])
    return Dut(
        spec=spec,
        kind="python",
        digest=_digest_of_file(path),
        forkable=sidecar.module.forkable,
        omits=MappingProxyType(dict(sidecar.omits)),
        maker=module,
    )


def _c(spec: str, path: Path, name: str, isolated: bool, sidecar: Sidecar) -> Dut:
    _refuse_mapping(spec, sidecar)
    isolated = isolated or bool(sidecar.module.isolated)
    return Dut(
        spec=spec,
        kind="c",
        digest=_digest_of_file(path),
        isolated=isolated,
        forkable=sidecar.module.forkable,
        omits=MappingProxyType(dict(sidecar.omits)),
        maker=partial(
            _c_module,
            str(path),
            isolated,
            _limit_s(sidecar),
        ),
    )


def _c_module(
    path: str, isolated: bool, call_limit_s: float, node: str, database: Database
) -> Node:
    from simcore.attach.c_module import CModule

    return CModule(path, isolated=isolated, call_limit_s=call_limit_s)


def _fmu(spec: str, path: Path, name: str, isolated: bool, sidecar: Sidecar) -> Dut:
    from simcore.attach.fmu import fmu_node
    from simcore.attach.fmu_model import load_fmu

    isolated = isolated or bool(sidecar.module.isolated)
    model = load_fmu(path, spec)
    if sidecar.fmu is None:
        raise InputError(
            "FMU",
            expected="a table [fmu] beside it, with inputs and outputs for "
            + ", ".join(
                f"{each.name} ({each.causality})"
                for each in model.variables.values()
                if each.causality in ("input", "output")
            ),
            got="none",
            file=str(sidecar_path(Path(spec))),
        )
    return Dut(
        spec=spec,
        kind="fmu",
        digest=_digest_of_file(path),
        isolated=isolated,
        forkable=sidecar.module.forkable and (isolated or not model.is_single),
        omits=MappingProxyType(dict(sidecar.omits)),
        maker=partial(fmu_node, path, spec, sidecar.fmu, isolated, _limit_s(sidecar)),
    )


def _process(spec: str) -> Dut:
    from simcore.attach.process import Interface, Processes

    return Dut(
        spec=spec,
        kind="can",
        digest=_digest_of(spec),
        forkable=False,
        has_pins=False,
        maker=Processes(Interface.of(spec)),
    )


def _limit_s(sidecar: Sidecar) -> float:
    limit_s = sidecar.module.call_limit_s
    return CALL_LIMIT_S if limit_s is None else limit_s


def _refuse_isolation(spec: str, isolated: bool) -> None:
    if isolated:
        raise UsageError("isolated", expected="a C module or an FMU", got=spec)


def _refuse_mapping(file: str, sidecar: Sidecar) -> None:
    if sidecar.fmu is not None:
        raise InputError(
            "table [fmu]", expected="an FMU beside it", got=file, file=str(sidecar_path(Path(file)))
        )


def _source(made: object) -> str:
    try:
        return inspect.getsource(made if isinstance(made, (type, FunctionType)) else type(made))
    except (OSError, TypeError):
        return ""


def _digest_of(*texts: str) -> str:
    digest = blake2b(digest_size=16)
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def _digest_of_file(path: Path) -> str:
    digest = blake2b(digest_size=16)
    for file in (path, sidecar_path(path)):
        if file.is_file():
            digest.update(blake2b(file.read_bytes()).digest())
    return digest.hexdigest()
