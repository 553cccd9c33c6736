"""A Python module under test: a class in a file that implements `Node` of `simcore.ecu.seam`.

Without a name it is the only class of the file that has the four methods; names that begin with an
underscore and bases of others do not count. It is made with no argument, with the name of its
place, or with that and the `Database`: the number of arguments it requires decides; optional ones
called `name` and `database` are filled in. A function that returns a node does as well, if named.

What the file imports at its top may lie beside it. It is executed once per process, however many
nodes are made of it: what it keeps in globals they share. A rig with such a node can be pickled;
the process that unpickles it must have loaded the file, too.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from simcore.ecu import Node
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.network.protection_tables import nearest

METHODS = ("start", "receive", "on_timer", "next_deadline_ns")


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonModule:
    """A class in a file: makes nodes of it, in any process."""

    path: Path
    name: str
    shown: str
    """The file as it was named."""
    loaded: str
    """Under which name Python knows it: the content is part of that."""

    @classmethod
    def load(cls, path: Path, name: str, *, shown: str) -> PythonModule:
        """Read the file and find the class. Raises `InputError` with file and line."""
        loaded = _imported(path, shown)
        found = _named(loaded, name, shown) if name else _only_one(loaded, shown)
        try:
            required_names(found.__name__, found)
        except UsageError as error:
            raise InputError(
                error.where,
                expected=error.expected,
                got=error.got,
                file=shown,
                line=_line_of(found),
            ) from None
        return cls(path=path, name=name or found.__name__, shown=shown, loaded=loaded.__name__)

    def __call__(self, node: str, database: Database) -> Node:
        """A new node. Raises `InputError` where the class raises or makes no node."""
        loaded = sys.modules.get(self.loaded)
        if loaded is None:
            loaded = _imported(self.path, self.shown)
            if loaded.__name__ != self.loaded:
                raise InputError(
                    "module under test",
                    expected="it unchanged since it was loaded",
                    file=self.shown,
                )
        made = getattr(loaded, self.name)
        try:
            return build_node(made, node, database)
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{self.name} for {node}",
                expected="a node",
                got=f"{type(error).__name__}: {error}",
                file=self.shown,
                line=_line_in(self.path, error.__traceback__) or _line_of(made),
            ) from error


def build_node(factory: Callable[..., Node], node: str, database: Database) -> Node:
    """Call a class or factory as its parameters ask for; `UsageError` where it makes no node."""
    given = {"name": node, "database": database}
    required = required_names("module under test", factory)
    positional = tuple(given.values())[: len(required)]
    optional = {} if required else _optional(factory, given)
    made = factory(*positional, **optional)
    missing = [each for each in METHODS if not callable(getattr(made, each, None))]
    if isinstance(made, type) or missing:
        raise UsageError(
            f"module under test for {node}",
            expected=f"a node with {', '.join(METHODS)}",
            got=repr(made) if len(missing) == len(METHODS) else f"one without {', '.join(missing)}",
        )
    return made


def required_names(where: str, factory: Callable[..., object]) -> tuple[str, ...]:
    """Parameters that must be given. Raises `UsageError` for more than name and database."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # what is written in C may not say
        return ()
    required = [each for each in parameters if each.default is each.empty]
    required = [
        each for each in required if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    by_name = [each.name for each in required if each.kind is each.KEYWORD_ONLY]
    if len(required) > 2 or by_name:
        raise UsageError(
            f"{where}: parameters",
            expected="none, (name) or (name, database)",
            got=", ".join(each.name for each in required),
        )
    return tuple(each.name for each in required)


def _optional(factory: Callable[..., object], given: dict[str, Any]) -> dict[str, Any]:
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return {}
    return {
        name: value
        for name, value in given.items()
        if name in parameters and parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    }


def _only_one(loaded: ModuleType, shown: str) -> Any:
    """The one class that is a node."""
    own = [
        each
        for name, each in vars(loaded).items()
        if isinstance(each, type)
        and each.__module__ == loaded.__name__
        and not name.startswith("_")
    ]
    nodes = [each for each in own if not _missing(each)]
    nodes = [
        each for each in nodes if not any(e is not each and issubclass(e, each) for e in nodes)
    ]
    if len(nodes) == 1:
        return nodes[0]
    if nodes:
        raise InputError(
            "module under test",
            expected=f"one class, as {shown}::{nodes[0].__name__}",
            got=f"{len(nodes)}: {', '.join(each.__name__ for each in nodes)}",
            file=shown,
            line=_line_of(nodes[1]),
        )
    partly = [each for each in own if len(_missing(each)) < len(METHODS)]
    if partly:
        raise _lacking(partly[0], shown)
    raise InputError(
        "module under test",
        expected=f"a class with the methods {', '.join(METHODS)}",
        got=f"classes {', '.join(e.__name__ for e in own)}" if own else "no class",
        file=shown,
    )


def _named(loaded: ModuleType, name: str, shown: str) -> Any:
    found = vars(loaded).get(name)
    if found is None or not callable(found):
        known = [each for each, value in vars(loaded).items() if isinstance(value, type)]
        raise InputError(
            f"module under test: class {name}",
            expected=f"a class of the file{nearest(name, known)}",
            got="none of this name" if found is None else repr(found),
            file=shown,
        )
    if isinstance(found, type) and _missing(found):
        raise _lacking(found, shown)
    return found


def _missing(kind: type) -> list[str]:
    return [each for each in METHODS if not callable(getattr(kind, each, None))]


def _lacking(kind: type, shown: str) -> InputError:
    missing = _missing(kind)
    return InputError(
        f"class {kind.__name__}",
        expected=f"the methods {', '.join(METHODS)}",
        got=f"a class without {', '.join(missing)}",
        file=shown,
        line=_line_of(kind),
    )


def _imported(path: Path, shown: str) -> ModuleType:
    """The file as a module, executed once: the same classes for the same content."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            "module under test", expected="a readable file", got=error.strerror, file=shown
        ) from error
    key = blake2b(str(path).encode() + b"\0" + content, digest_size=6).hexdigest()
    name = f"simcore_dut_{path.stem}_{key}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its classes can be pickled
    sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, (Exception, SystemExit)):
            raise
        is_syntax = isinstance(error, SyntaxError) and error.filename == str(path)
        raise InputError(
            "module under test",
            expected="valid Python" if is_syntax else "to be read without error",
            got=error.msg if isinstance(error, SyntaxError) and is_syntax else _said(error),
            file=shown,
            line=error.lineno
            if isinstance(error, SyntaxError) and is_syntax
            else _line_in(path, error.__traceback__),
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _line_of(made: Any) -> int | None:
    try:
        return inspect.getsourcelines(made)[1]
    except (OSError, TypeError):
        return None


def _line_in(path: Path, trace: TracebackType | None) -> int | None:
    lines = (
        frame.lineno
        for frame in reversed(traceback.extract_tb(trace))
        if Path(frame.filename) == path
    )
    return next(lines, None)
