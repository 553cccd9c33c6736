"""The order of the rooms: a room imports itself and rooms above it in `ROOMS`, nothing below.

Every import counts: inside functions, under TYPE_CHECKING, relative, and by literal name through
`import_module`. Also the sizes beyond which a module or function is split.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "simcore"

ROOMS = (
    "errors",
    "units",
    "arith",
    "resources",
    "version",
    "kernel",
    "bus",
    "network",
    "protection",
    "transport",
    "watchdog",
    "diag",
    "update",
    "plant",
    "ecu",
    "faults",
    "rig",
    "simcore",  # the package itself: what `from simcore import Rig` offers
    "report",
    "attach",
    "testing",  # after attach: a test judges modules that come in through its doors
    "cli",
)
"""From the top down."""

STRANGERS = frozenset({("ecu", "plant"), ("plant", "ecu")})
"""Control code cannot see the physical truth; only the rig connects the two, through pins."""

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60


def sources(package: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every module of `package` with its path relative to the package, in a fixed order."""
    for file in sorted(package.rglob("*.py")):
        relative = file.relative_to(package)
        if relative.parts[0] != "_data":  # scenarios that travel with a wheel
            yield relative, ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def room_of(relative: Path) -> str:
    """The room a file belongs to: its folder, or the module itself at the top of the package."""
    if len(relative.parts) > 1:
        return relative.parts[0]
    return {"__init__": "simcore", "__main__": "cli"}.get(relative.stem, relative.stem)


def imported_rooms(tree: ast.Module, relative: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of a part of simcore."""
    for node in ast.walk(tree):
        for name in _imported_names(node, relative):
            parts = name.split(".")
            if parts[0] == "simcore":
                # `from simcore import Rig` names no room: it imports the package itself.
                named = parts[1] if len(parts) > 1 else "simcore"
                known = named in ROOMS or not isinstance(node, ast.ImportFrom) or len(parts) > 2
                yield node.lineno, named if known else "simcore"


def _imported_names(node: ast.AST, relative: Path) -> list[str]:
    """Absolute dotted names that one node imports."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=0):
            return [f"{module}.{alias.name}" for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            package = ("simcore", *relative.parent.parts)
            start = package[: len(package) - level + 1]
            origin = ".".join((*start, module) if module else start)
            return [f"{origin}.{alias.name}" for alias in names]
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__")
            | ast.Attribute(attr="import_module" | "__import__"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return [name]
    return []


def misplaced_imports(package: Path) -> list[str]:
    """One line per import that goes against the order, and per room the order does not know."""
    found = []
    for relative, tree in sources(package):
        room = room_of(relative)
        if room not in ROOMS:
            found.append(f"simcore/{relative}: room {room!r} is not in the list")
            continue
        for line, target in imported_rooms(tree, relative):
            place = f"simcore/{relative}:{line}: {room}"
            if target not in ROOMS:
                found.append(f"{place} imports {target!r}, which is not in the list")
            elif (room, target) in STRANGERS:
                found.append(f"{place} must not know {target}")
            elif ROOMS.index(target) > ROOMS.index(room):
                found.append(f"{place} imports {target}, a room below it")
    return found


def oversized(package: Path) -> list[str]:
    """One line per module or function beyond the limits."""
    found = []
    for relative, tree in sources(package):
        lines = len((package / relative).read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES_MAX:
            found.append(f"simcore/{relative}: {lines} lines, at most {MODULE_LINES_MAX}")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    found.append(
                        f"simcore/{relative}:{node.lineno}: {node.name} has {length} lines, "
                        f"at most {FUNCTION_LINES_MAX}"
                    )
    return found


def planted(tmp_path: Path, place: str, text: str) -> Path:
    """A package with one file in it."""
    file = tmp_path / "simcore" / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return tmp_path / "simcore"


def test_the_package_is_where_this_test_looks() -> None:
    assert {"errors.py", "units.py"} <= {str(relative) for relative, _ in sources(PACKAGE)}


def test_no_room_imports_a_room_below_it() -> None:
    assert misplaced_imports(PACKAGE) == []


def test_modules_and_functions_stay_readable() -> None:
    assert oversized(PACKAGE) == []


@pytest.mark.parametrize(
    ("place", "text", "complaint"),
    [
        ("bus/x.py", "from simcore.rig.rig import Rig", "bus imports rig, a room below it"),
        ("bus/x.py", "import simcore.rig.rig as r", "bus imports rig, a room below it"),
        ("bus/x.py", "from simcore import rig", "bus imports rig, a room below it"),
        ("bus/x.py", "from simcore import Rig", "bus imports simcore, a room below it"),
        ("bus/x.py", "import simcore", "bus imports simcore, a room below it"),
        ("bus/x.py", "def f():\n    from simcore.cli import main", "bus imports cli"),
        ("bus/x.py", "if TYPE_CHECKING:\n    from simcore.diag import Uds", "bus imports diag"),
        ("bus/x.py", "from ..network import Database", "bus imports network, a room below it"),
        ("bus/deep/x.py", "from ...rig import Rig", "bus imports rig, a room below it"),
        ("bus/x.py", "from .. import rig", "bus imports rig, a room below it"),
        ("bus/x.py", "importlib.import_module('simcore.rig')", "bus imports rig"),
        ("errors.py", "from simcore.units import ms", "errors imports units, a room below it"),
        ("ecu/cdc/x.py", "from simcore.plant import Vehicle", "ecu must not know plant"),
        ("plant/x.py", "from simcore.ecu import Ecu", "plant must not know ecu"),
        ("__init__.py", "from simcore.report import write_html", "simcore imports report"),
        ("attach/x.py", "from simcore.cli.main import main", "attach imports cli"),
        ("cellar/x.py", "", "room 'cellar' is not in the list"),
        ("cellar.py", "", "room 'cellar' is not in the list"),
        ("bus/x.py", "import simcore.cellar", "bus imports 'cellar', which is not in the list"),
    ],
)
def test_a_planted_import_against_the_order_is_found(
    tmp_path: Path, place: str, text: str, complaint: str
) -> None:
    (found,) = misplaced_imports(planted(tmp_path, place, text))
    assert found.startswith(f"simcore/{place}:")
    assert complaint in found


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("bus/x.py", "from simcore.kernel import Scheduler"),
        ("bus/x.py", "from simcore.bus.frame import Frame"),
        ("bus/x.py", "from .frame import Frame"),
        ("bus/x.py", "from . import frame"),
        ("bus/x.py", "from ..kernel import Scheduler"),
        ("bus/x.py", "from simcore import units"),
        ("bus/x.py", "import math, simcorelike.rig"),
        ("rig/result.py", "from simcore.bus import BusRecord"),
        ("rig/x.py", "from simcore.plant import Vehicle\nfrom simcore.ecu import Ecu"),
        ("__init__.py", "from simcore.rig import Rig"),
        ("__main__.py", "from simcore.cli.main import main"),
        ("testing/x.py", "from simcore import Rig"),
        ("_data/scenarios/x.py", "from simcore.cli import main"),
    ],
)
def test_an_import_along_the_order_is_accepted(tmp_path: Path, place: str, text: str) -> None:
    assert misplaced_imports(planted(tmp_path, place, text)) == []


def test_a_planted_long_function_is_found(tmp_path: Path) -> None:
    body = "    pass\n" * FUNCTION_LINES_MAX
    package = planted(tmp_path, "bus/x.py", f"def long() -> None:\n{body}")
    assert oversized(package) == ["simcore/bus/x.py:1: long has 61 lines, at most 60"]


def test_a_planted_long_module_is_found(tmp_path: Path) -> None:
    package = planted(tmp_path, "bus/x.py", "x = 1\n" * (MODULE_LINES_MAX + 1))
    assert oversized(package) == ["simcore/bus/x.py: 501 lines, at most 500"]
