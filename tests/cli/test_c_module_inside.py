"""A C module inside the process of simcore that hangs or crashes: the end is in words, and soon."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "scenarios" / "modules" / "template" / "my_module.c"
HEADER = REPOSITORY / "simcore" / "attach"
BEGINNING = "void simcore_node_timer("
DOOR = "import sys; from simcore.cli.main import main; sys.argv[0] = 'simcore'; main()"
SCENARIO = """
from simcore import Rig, ms, scenario

@scenario
def short(rig: Rig) -> None:
    rig.run_for(ms(20))
    rig.check("BRK-003", True)
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """The folder with a scenario and the template, for `broken` to change."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    (tmp_path / "short.py").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


def broken(folder: Path, statement: str) -> Path:
    """The template, with a statement at the beginning of its timer."""
    text = TEMPLATE.read_text(encoding="utf-8")
    head, found, tail = text.partition(BEGINNING)
    assert found
    signature, brace, body = tail.partition("{")
    source, library = folder / "broken.c", folder / "broken.so"
    source.write_text(f"{head}{found}{signature}{brace}\n{statement}\n{body}", encoding="utf-8")
    command = ["cc", "-shared", "-fPIC", "-w", f"-I{HEADER}", "-o", str(library), str(source)]
    subprocess.run(command, check=True, timeout=60)
    return library


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DOOR, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.realtime
def test_a_module_that_hangs_ends_simcore_with_the_place_of_the_call(build: Path) -> None:
    broken(build, "for (volatile int i = 0;; i++) { }")
    words = ["run", "short.py", "--dut", "broken.so", "--as", "EMB_FL", "--stuck-after", "1"]
    ran = run(build, *words)
    assert ran.returncode == 1
    assert "note: broken.so runs inside simcore" in ran.stderr
    assert "Timeout (0:00:02)!" in ran.stderr and "c_instance.py" in ran.stderr


def test_a_module_that_crashes_says_where(build: Path) -> None:
    broken(build, "*(volatile int *)0 = 1;")
    ran = run(build, "run", "short.py", "--dut", "broken.so", "--as", "EMB_FL")
    assert ran.returncode < 0
    assert "--isolated makes that a finding" in ran.stderr
    assert "Segmentation fault" in ran.stderr and "c_instance.py" in ran.stderr


def test_cases_that_wait_for_a_worker_that_crashed_are_errors_with_advice(build: Path) -> None:
    broken(build, "*(volatile int *)0 = 1;")
    words = ["conformance", "--dut", "broken.so", "--as", "EMB_FL", "--workers", "2"]
    ran = run(build, *words, "--only", "cycle.*", "--report", "out")
    assert ran.returncode == 3
    assert "a worker process died" in ran.stdout and "--isolated" in ran.stdout
    assert (build / "out" / "conformance.html").exists()
    isolated = run(build, *words, "--only", "cycle.burst", "--isolated")
    assert isolated.returncode == 1 and "SIGSEGV" in isolated.stdout
