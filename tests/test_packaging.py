"""What a wheel holds: the package, its type marker and the data folders; never the tests.

Builds the checkout with the back end itself, without network. Running from an installed wheel is
`make wheel-check`.
"""

from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def make_checkout(folder: Path) -> Path:
    """A checkout in small, with the real build files."""
    files = {
        "README.md": "# simcore\n",
        "LICENSE": "text\n",
        "simcore/__init__.py": '"""Package."""\n',
        "simcore/py.typed": "",
        "dbc/chassis_fd.dbc": 'VERSION ""\n',
        "scenarios/panic_stop.py": '"""Scenario."""\n',
        "tests/test_x.py": "",
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for name in ("pyproject.toml", "hatch_build.py"):
        (folder / name).write_bytes((REPOSITORY / name).read_bytes())
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Callable[[Path, str], list[str]]:
    """Builds a checkout as `standard` or `editable` and returns the names in the wheel."""

    def _build(checkout: Path, version: str) -> list[str]:
        builder = wheel.WheelBuilder(str(checkout))
        (made,) = builder.build(directory=str(tmp_path / "made"), versions=[version])
        with zipfile.ZipFile(made) as archive:
            return archive.namelist()

    return _build


def test_a_wheel_carries_the_interface_files_and_scenarios(
    tmp_path: Path, build: Callable[[Path, str], list[str]]
) -> None:
    names = build(make_checkout(tmp_path / "checkout"), "standard")
    assert {
        "simcore/__init__.py",
        "simcore/py.typed",
        "simcore/_data/dbc/chassis_fd.dbc",
        "simcore/_data/scenarios/panic_stop.py",
    } <= set(names)
    assert not [name for name in names if "test" in name]


def test_an_editable_install_has_no_second_copy_of_the_data(
    tmp_path: Path, build: Callable[[Path, str], list[str]]
) -> None:
    pytest.importorskip("editables", reason="editables is not installed")
    names = build(make_checkout(tmp_path / "checkout"), "editable")
    assert any(name.endswith(".pth") for name in names)
    assert not [name for name in names if "_data" in name]


def test_a_wheel_without_scenarios_is_refused(
    tmp_path: Path, build: Callable[[Path, str], list[str]]
) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    (checkout / "scenarios" / "panic_stop.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"wheel: expected files in .*scenarios, got none"):
        build(checkout, "standard")


def test_every_dependency_is_pinned_and_no_address_is_recorded() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [
        pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", pin)
    ] == []
    pinned = {_normal(pin.partition("==")[0]) for pin in pins}
    required = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    wanted = {_normal(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in required}
    assert wanted <= pinned


def _normal(name: str) -> str:
    """The name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    written = {
        f"simcore/{file.name}": match.group(1)
        for file in sorted((REPOSITORY / "simcore").glob("*.py"))
        if (
            match := re.search(
                r'^(?:__version__|VERSION)\b[^=\n]*= "([^"]*)"', file.read_text(), re.M
            )
        )
    }
    assert {place: text for place, text in written.items() if text != PROJECT["version"]} == {}
