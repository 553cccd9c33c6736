"""A supplier's project outside this repository: only the public API, only installed packages.

That its tests pass is shown by `test_readme.py` (the story in CI) and by `make wheel-check`.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = REPOSITORY / "tests" / "data" / "example_project"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    "PYTHONPATH": str(REPOSITORY),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
PYTEST += ("-p", "simcore.testing.plugin")  # by name, so that it need not be installed
PUBLIC = {"simcore", "simcore.faults", "simcore.protection", "simcore.rig", "simcore.testing"}
"""What a project imports from: the package and rooms, never a module inside a room."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("supplier") / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTEST, *arguments],
        cwd=project,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_the_project_uses_the_public_api_only() -> None:
    for file in sorted(PROJECT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simcore"):
                assert node.module in PUBLIC, f"{file.name}: {node.module}"


def test_its_module_fails_where_it_is_worse(project: Path) -> None:
    worse = (project / "brake" / "actuator.py").read_text(encoding="utf-8")
    (project / "worse.py").write_text(
        worse.replace("(force_n if valid else 0.0)", "0.0"),
        encoding="utf-8",
    )
    arguments = ["--simcore-dut", "worse.py::Brake", "--simcore-as", "EMB_FL", "-k", "lets_go"]
    ran = run(project, *arguments)
    assert ran.returncode == 1, ran.stdout
    assert "assert dut.pin" in ran.stdout
