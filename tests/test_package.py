"""What `import simcore` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import simcore

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("cantools", "numpy", "can", "plotly", "rich", "jinja2", "hypothesis")


def modules_after(statement: str) -> set[str]:
    """Names of all modules a fresh process has loaded after a statement."""
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {statement}"
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize("name", [name for name in simcore.__all__ if name != "__version__"])
def test_every_public_name_is_the_object_of_its_room(name: str) -> None:
    assert getattr(simcore, name) is getattr(import_module(simcore._WHERE[name]), name)


def test_the_public_names_are_those_a_scenario_needs_and_no_others() -> None:
    assert sorted(simcore.__all__) == sorted([*simcore._WHERE, "__version__"])
    scope: dict[str, object] = {}
    exec("from simcore import *", scope)
    assert set(simcore.__all__) <= set(scope)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match=r"^module 'simcore' has no attribute 'Rigg'$"):
        simcore.Rigg  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Rigg' from 'simcore'"):
        from simcore import Rigg  # noqa: F401


def test_importing_the_package_loads_no_room() -> None:
    loaded = modules_after("import simcore")
    rooms = {name for name in loaded if name.startswith("simcore.")}
    assert rooms == {"simcore.version"}
    assert loaded.isdisjoint(HEAVY)


def test_a_name_loads_its_room_when_it_is_first_used() -> None:
    assert "simcore.units" in modules_after("from simcore import ms")
    assert "simcore.rig.rig" not in modules_after("from simcore import ms")
    assert {"simcore.rig.rig", "cantools"} <= modules_after("from simcore import Rig")


@pytest.mark.parametrize("command", ["--version", "--help", "run --help"])
def test_asking_for_help_loads_no_simulation(command: str) -> None:
    loaded = modules_after(
        f"sys.argv = ['simcore', *{command.split()!r}]\n"
        "from contextlib import redirect_stdout, suppress\n"
        "from io import StringIO\n"
        "from simcore.cli.main import main\n"
        "with suppress(SystemExit), redirect_stdout(StringIO()): main()\n"
        "pass"
    )
    assert "simcore.cli.run" in loaded
    assert "simcore.rig" not in loaded
    assert loaded.isdisjoint(HEAVY)
