"""House rules that no linter knows, read off the syntax tree of every module.

Numbers carry their unit in their name; what runs in a simulation gives the same bits on every
machine; clocks, global random numbers and the environment stay at the edge. Each rule has planted
violations that it must find. The order of the rooms is in test_architecture.py.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from simcore.units import UNIT_SUFFIXES

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "simcore"

# ---- what is granted to whom ----

UNIT_IS_DATA = {
    "units": {"value"},
    "arith": {"x"},
    "network": {
        *("value", "values", "physical", "scale", "offset", "minimum", "maximum", "start_value"),
    },
    "ecu": {"value"},
    "faults": {"value"},
    "rig": {"value"},
    "testing": {"min_value", "max_value", "value", "values"},
}
"""Per room: names of floats that are pure numbers, or whose unit is known only at run time."""

UNITLESS_TIMES = frozenset({"now", "timeout", "delay", "period", "deadline"})
TIMEOUT_OF_AN_API = frozenset(
    {("rig", "timeout"), ("attach", "timeout"), ("testing", "timeout"), ("watchdog", "deadline")}
)
"""`run_until(..., timeout=s(8))` takes ns and reads as a sentence; `recv(timeout)` is python-can's
signature, in seconds; `EntityMode.deadline` is no time but the deadline supervisions of an entity,
beside its `alive` ones."""

SIMULATED = frozenset(
    "arith kernel bus network protection transport watchdog diag update plant ecu faults "
    "rig".split()
)
"""Rooms whose code runs while a simulation runs."""

EXACT_MATH = frozenset(
    "sqrt floor ceil copysign fabs isnan isfinite isinf pi inf nan gcd lcm isqrt prod fsum".split()
)
"""What IEEE 754 or integer arithmetic defines to the last bit."""

OUTSIDE_MODULES = frozenset("time datetime random uuid secrets threading asyncio".split())
OUTSIDE_OF_OS = frozenset({"urandom", "environ", "environb", "getenv", "getrandom"})
GRANTED_ROOMS = frozenset({"attach", "cli"})
GRANTED_IMPORTS = {"kernel/pacing.py": {"time"}, "kernel/rng.py": {"random"}}

NUMPY_ROOMS = frozenset({"rig", "report", "testing", "attach", "cli"})
NUMPY_FILES = ("network/batch*.py", "bus/log.py")
"""Recorded columns and batches; on single numbers numpy is slower than plain floats."""

Rule = Callable[[ast.Module, PurePosixPath], Iterator[tuple[int, str]]]


def room_of(place: PurePosixPath) -> str:
    return place.parts[0] if len(place.parts) > 1 else place.stem


@cache
def _parsed(text: str, name: str) -> ast.Module:
    """Every rule reads the same trees, and changes none."""
    return ast.parse(text, filename=name)


def violations(rule: Rule, package: Path) -> list[str]:
    """One line per place in `package` where `rule` finds something."""
    found = []
    for file in sorted(package.rglob("*.py")):
        place = PurePosixPath(file.relative_to(package).as_posix())
        if place.parts[0] != "_data":  # scenarios that travel with a wheel
            tree = _parsed(file.read_text(encoding="utf-8"), str(file))
            found += [f"simcore/{place}:{line}: {text}" for line, text in rule(tree, place)]
    return found


# ---- units in names ----

NUMBERS = frozenset({"float", "int", "float32", "float64"})
SEQUENCES = frozenset(
    "list set frozenset deque array Sequence MutableSequence Iterable Iterator Collection NDArray "
    "Optional Final ClassVar Annotated".split()
)


def is_float(annotation: ast.expr | None) -> bool:
    """Whether a name so annotated holds floats of one unit: `float | None`, `list[float]`, ..."""
    match annotation:
        case ast.Constant(value=str(text)):
            return is_float(ast.parse(text, mode="eval").body)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in NUMBERS - {"int"}
        case ast.BinOp(op=ast.BitOr()):
            members = [member for member in _union(annotation) if not _is_none(member)]
            return any(is_float(member) for member in members) and all(
                is_float(member) or _is_int(member) for member in members
            )
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=elements)):
            return all(is_float(e) for e in elements if not _is_ellipsis(e))
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            first = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
            return name in SEQUENCES and is_float(first)
    return False


def _union(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(node.left) + _union(node.right)
    return [node]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_int(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "int"


def carries_unit(name: str) -> bool:
    """`clamp_force_n` does, and so does `kmh`, which is a unit; a single letter says nothing."""
    plain = name.strip("_").lower()
    if plain in UNIT_SUFFIXES:
        return len(plain) > 1
    return any(plain.endswith(f"_{suffix}") for suffix in UNIT_SUFFIXES)


def declared_names(tree: ast.Module) -> Iterator[tuple[int, str, ast.expr | None]]:
    """Line, name and annotation of every parameter, field, attribute and module constant.

    Annotated local variables are left out, and so are the parameters of operators.
    """
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, is_local = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not _is_operator(node.name):
                for argument in _arguments(node):
                    yield argument.lineno, argument.arg, argument.annotation
            is_local = True
        elif isinstance(node, ast.ClassDef):
            is_local = False
        elif isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Attribute):
                yield node.lineno, node.target.attr, node.annotation
            elif isinstance(node.target, ast.Name) and not is_local:
                yield node.lineno, node.target.id, node.annotation
        pending.extend((child, is_local) for child in ast.iter_child_nodes(node))


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return named + [extra for extra in (node.args.vararg, node.args.kwarg) if extra]


def _is_operator(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in ("__init__", "__call__")


def floats_carry_a_unit(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    granted = UNIT_IS_DATA.get(room_of(place), set())
    for line, name, annotation in declared_names(tree):
        if is_float(annotation) and not carries_unit(name) and name.strip("_") not in granted:
            yield line, f"float {name!r} ends in no unit of units.UNIT_SUFFIXES"


def times_carry_a_unit(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    names = [(line, name) for line, name, _ in declared_names(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.append((node.lineno, node.attr))
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list
        ):
            names.append((node.lineno, node.name))
    for line, name in sorted(set(names)):
        bare = name.strip("_")
        if bare in UNITLESS_TIMES and (room_of(place), bare) not in TIMEOUT_OF_AN_API:
            yield line, f"{name!r} does not say its unit: {bare}_ns"


# ---- the same bits on every machine ----


def arithmetic_is_exact(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    """Only functions of `math` that are defined to the last bit; no power of a float.

    A float's `**` is the C library's pow, even for a square: on glibc about one `x ** 2` in a
    thousand is not the rounded product. A whole number written out as base stays within
    integers, as long as the exponent is no fraction.
    """
    if room_of(place) not in SIMULATED:
        return
    for line, module, name in _used_of(tree, {"math", "cmath"}):
        if module == "cmath" or name not in EXACT_MATH:
            yield line, f"{module}.{name} differs between platforms: see simcore/arith.py"
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Pow(), left=base, right=exponent) if not (
                isinstance(base, ast.Constant)
                and type(base.value) is int
                and _may_be_whole(exponent)
            ):
                yield node.lineno, "** of what may be a float: write the product"
            case ast.AugAssign(op=ast.Pow()):
                yield node.lineno, "**= of what may be a float: write the product"
            case ast.Call(func=ast.Name(id="pow"), args=[_, _]):
                yield node.lineno, "pow() of what may be a float: write the product"


def _may_be_whole(exponent: ast.expr) -> bool:
    return not any(
        (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or isinstance(node, ast.Div)
        for node in ast.walk(exponent)
    )


def float_sums_are_spelt_out(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    """`sum` of floats rounds otherwise from Python 3.12 on (it compensates)."""
    if room_of(place) not in {"plant", "ecu"}:
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "sum"
            and not _counts(node.args[0])
        ):
            yield node.lineno, "sum() rounds differently per Python version: add, or math.fsum"


def _counts(summed: ast.expr) -> bool:
    """Whether what is summed is evidently whole numbers: truths, literal ints, lengths."""
    if not isinstance(summed, ast.GeneratorExp | ast.ListComp):
        return False
    match summed.elt:
        case ast.Constant(value=int()) | ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Call(func=ast.Name(id="len" | "int" | "bool")):
            return True
    return False


def order_is_the_same_everywhere(
    tree: ast.Module, place: PurePosixPath
) -> Iterator[tuple[int, str]]:
    """No walk over a set (its order hangs on the hash seed), no `hash()` as a value."""
    in_hash = {
        id(call)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for call in ast.walk(node)
    }
    for node in ast.walk(tree):
        match node:
            case ast.For(iter=walked) | ast.comprehension(iter=walked) if _is_set(walked):
                yield walked.lineno, "order of a set depends on the hash seed: use sorted()"
            case ast.Call(func=ast.Name(id="list" | "tuple" | "enumerate"), args=[walked, *_]) if (
                _is_set(walked)
            ):
                yield walked.lineno, "order of a set depends on the hash seed: use sorted()"
            case ast.Call(func=ast.Name(id="hash")) if id(node) not in in_hash:
                yield node.lineno, "hash() depends on the hash seed: use a digest"


def _is_set(node: ast.expr) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
    return False


# ---- a copy at any instant ----


def attributes_can_be_copied(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    """No lambda and no generator in an attribute: neither pickles."""
    if room_of(place) not in SIMULATED:
        return
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if any(isinstance(target, ast.Attribute) for target in targets) and isinstance(
            node.value, ast.Lambda | ast.GeneratorExp
        ):
            yield node.lineno, "a lambda or generator in an attribute: use a bound method"


# ---- the edge of the simulation ----


def nothing_reads_the_outside(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    """No clock, no global random numbers, no threads, no environment below attach/ and cli/."""
    if room_of(place) in GRANTED_ROOMS:
        return
    granted = GRANTED_IMPORTS.get(str(place), set())
    for line, module in _imported_modules(tree):
        if module in OUTSIDE_MODULES - granted:
            yield line, f"{module} is kept out of this room"
    for line, _, name in _used_of(tree, {"os"}):
        if name in OUTSIDE_OF_OS or name == "*":
            yield line, f"os.{name} is kept out of this room"
    for line, _, name in _used_of(tree, {"random"} & granted):
        if name != "Random":
            yield line, f"random.{name} is global: only random.Random(seed)"


def numpy_is_for_columns(tree: ast.Module, place: PurePosixPath) -> Iterator[tuple[int, str]]:
    if room_of(place) in NUMPY_ROOMS or any(place.match(each) for each in NUMPY_FILES):
        return
    for line, module in _imported_modules(tree):
        if module == "numpy":
            yield line, "numpy is for batches and recorded columns"


def _imported_modules(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and top name of every absolute import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.partition(".")[0]


def _used_of(tree: ast.Module, modules: set[str]) -> Iterator[tuple[int, str, str]]:
    """Line, module and attribute of every use of `modules`, under whatever name imported."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in modules:
                    bound[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            yield from ((node.lineno, node.module, alias.name) for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = bound.get(node.value.id)
            if module is not None:
                yield node.lineno, module, node.attr


# ---- the tests ----

RULES: tuple[Rule, ...] = (
    floats_carry_a_unit,
    times_carry_a_unit,
    arithmetic_is_exact,
    float_sums_are_spelt_out,
    order_is_the_same_everywhere,
    attributes_can_be_copied,
    nothing_reads_the_outside,
    numpy_is_for_columns,
)


def test_the_package_is_where_this_test_looks() -> None:
    assert (PACKAGE / "units.py").is_file()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    assert violations(rule, PACKAGE) == []


def test_ruff_bans_the_same_modules() -> None:
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    banned = set(config["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])
    assert banned >= OUTSIDE_MODULES | {"os.urandom", "os.environ", "os.getenv"}


def test_every_granted_file_exists_and_needs_its_grant() -> None:
    for place, modules in GRANTED_IMPORTS.items():
        tree = ast.parse((PACKAGE / place).read_text(encoding="utf-8"))
        assert modules <= {module for _, module in _imported_modules(tree)}, place


def planted(tmp_path: Path, place: str, text: str) -> Path:
    """A package with one file in it."""
    file = tmp_path / "simcore" / place
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return tmp_path / "simcore"


VIOLATIONS: list[tuple[Rule, str, str]] = [
    (floats_carry_a_unit, "plant/x.py", "def f(speed: float) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(*, speed: float | None = None) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(*speeds: float) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(s: float) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(value: float) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speed: 'float') -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speed: float | int) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speed: Optional[float]) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speeds: list[float]) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speeds: tuple[float, ...]) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speeds: Sequence[float] | None) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(speeds: NDArray[np.float64]) -> None: ..."),
    (floats_carry_a_unit, "plant/x.py", "class A:\n    speed: float"),
    (floats_carry_a_unit, "plant/x.py", "class A:\n    speed_mpss: float = 0.0"),
    (floats_carry_a_unit, "plant/x.py", "def f(self):\n    self._speed: float = 0.0"),
    (floats_carry_a_unit, "plant/x.py", "def f():\n    class A:\n        speed: float"),
    (floats_carry_a_unit, "plant/x.py", "SPEED: Final[float] = 1.0"),
    (times_carry_a_unit, "bus/x.py", "def f(now: int) -> None: ..."),
    (times_carry_a_unit, "bus/x.py", "def f(timeout) -> None: ..."),
    (times_carry_a_unit, "bus/x.py", "class A:\n    period: int"),
    (times_carry_a_unit, "bus/x.py", "def f(self):\n    self._deadline = 3"),
    (times_carry_a_unit, "bus/x.py", "@property\ndef delay(self) -> int: ..."),
    (times_carry_a_unit, "rig/x.py", "def f(deadline: int) -> None: ..."),
    (arithmetic_is_exact, "plant/x.py", "import math\nmath.sin(1)"),
    (arithmetic_is_exact, "plant/x.py", "import math as m\nm.tanh(1)"),
    (arithmetic_is_exact, "rig/x.py", "from math import hypot"),
    (arithmetic_is_exact, "arith.py", "from math import *"),
    (arithmetic_is_exact, "bus/x.py", "from cmath import sqrt"),
    (arithmetic_is_exact, "plant/x.py", "y = x ** 0.5"),
    (arithmetic_is_exact, "plant/x.py", "y = x ** 2"),
    (arithmetic_is_exact, "plant/x.py", "y = 10 ** (x / 20)"),
    (arithmetic_is_exact, "plant/x.py", "y = 2 ** 0.5"),
    (arithmetic_is_exact, "plant/x.py", "x **= 2"),
    (arithmetic_is_exact, "plant/x.py", "y = pow(x, 2)"),
    (float_sums_are_spelt_out, "plant/x.py", "y = sum(forces_n)"),
    (float_sums_are_spelt_out, "ecu/cdc/x.py", "y = sum(f * r for f, r in pairs)"),
    (order_is_the_same_everywhere, "rig/x.py", "for x in set(names): ..."),
    (order_is_the_same_everywhere, "rig/x.py", "y = [x for x in {a, b}]"),
    (order_is_the_same_everywhere, "rig/x.py", "y = list({x for x in names})"),
    (order_is_the_same_everywhere, "rig/x.py", "y = hash(name)"),
    (attributes_can_be_copied, "bus/x.py", "self.on_frame = lambda frame: None"),
    (attributes_can_be_copied, "bus/x.py", "self.frames: Iterator = (f for f in frames)"),
    (nothing_reads_the_outside, "rig/x.py", "import time"),
    (nothing_reads_the_outside, "rig/x.py", "from datetime import datetime"),
    (nothing_reads_the_outside, "rig/x.py", "def f():\n    import asyncio.tasks"),
    (nothing_reads_the_outside, "kernel/pacing.py", "import random"),
    (nothing_reads_the_outside, "kernel/rng.py", "import random\nrandom.seed(1)"),
    (nothing_reads_the_outside, "kernel/rng.py", "from random import randint"),
    (nothing_reads_the_outside, "report/x.py", "import os\nx = os.environ['HOME']"),
    (nothing_reads_the_outside, "report/x.py", "from os import urandom"),
    (numpy_is_for_columns, "plant/x.py", "import numpy as np"),
    (numpy_is_for_columns, "network/codec.py", "from numpy.typing import NDArray"),
]


@pytest.mark.parametrize(("rule", "place", "text"), VIOLATIONS)
def test_a_planted_violation_is_found_once(
    tmp_path: Path, rule: Rule, place: str, text: str
) -> None:
    (found,) = violations(rule, planted(tmp_path, place, text))
    assert found.startswith(f"simcore/{place}:")


ACCEPTED: list[tuple[Rule, str, str]] = [
    (floats_carry_a_unit, "plant/x.py", "def f(speed_mps: float, stiffness_n_per_m: float): ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(_slip_ratio: list[float], kmh: float): ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(count: int, name: str, flag: int | None): ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(pins: dict[str, float], raw: float | str): ..."),
    (floats_carry_a_unit, "plant/x.py", "def f(rows: list[tuple[int, float]]): ..."),
    (floats_carry_a_unit, "plant/x.py", "def f():\n    total: float = 0.0"),
    (floats_carry_a_unit, "plant/x.py", "def __mul__(self, other: float): ..."),
    (floats_carry_a_unit, "network/x.py", "def f(value: float, values: list[float]): ..."),
    (times_carry_a_unit, "bus/x.py", "def f(now_ns: int, next_deadline_ns: int): ..."),
    (times_carry_a_unit, "rig/x.py", "def run_until(self, ready, timeout: int): ..."),
    (times_carry_a_unit, "attach/x.py", "def _recv_internal(self, timeout): ..."),
    (arithmetic_is_exact, "plant/x.py", "import math\ny = math.sqrt(2) * math.pi"),
    (arithmetic_is_exact, "plant/x.py", "y = 2 ** bits + 10 ** 3 + pow(3, 5, 7)"),
    (arithmetic_is_exact, "report/x.py", "import math\ny = math.log10(x) ** 0.5"),
    (float_sums_are_spelt_out, "plant/x.py", "y = sum(x > 1 for x in xs) + sum(1 for x in xs)"),
    (float_sums_are_spelt_out, "report/x.py", "y = sum(forces_n)"),
    (order_is_the_same_everywhere, "rig/x.py", "for x in sorted(set(names)): ..."),
    (order_is_the_same_everywhere, "rig/x.py", "def __hash__(self):\n    return hash(self.x)"),
    (attributes_can_be_copied, "bus/x.py", "self.by_id = sorted(xs, key=lambda x: x.id)"),
    (nothing_reads_the_outside, "kernel/pacing.py", "import time"),
    (nothing_reads_the_outside, "kernel/rng.py", "import random\nx = random.Random(1)"),
    (nothing_reads_the_outside, "cli/run.py", "import time, os\nx = os.environ"),
    (nothing_reads_the_outside, "report/x.py", "import os\nos.replace(a, b)"),
    (numpy_is_for_columns, "rig/deep/recorder.py", "import numpy as np"),
    (numpy_is_for_columns, "network/batch.py", "import numpy as np"),
]


@pytest.mark.parametrize(("rule", "place", "text"), ACCEPTED)
def test_what_the_rules_allow_is_not_reported(
    tmp_path: Path, rule: Rule, place: str, text: str
) -> None:
    assert violations(rule, planted(tmp_path, place, text)) == []
