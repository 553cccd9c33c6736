"""A pytest inside the tests: `run` starts one in a folder of its own.

Inner runs are processes of their own: a user's pytest, started as a user starts it, except that
no other plugin is loaded. Those that simulate are forked from one process that has imported the
simulator already: that is what nearly all of their time would go into.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY), "PATH": "", "COLUMNS": "200"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def outcomes(self) -> dict[str, int]:
        """`{"passed": 1, "failed": 2}` from the last line."""
        return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", self.lines[-1][:60])}


Run = Callable[..., Ran]


ISOLATED = ENVIRONMENT | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PARENT = """
import gc, json, os, sys
import pytest, simcore.cli.run, simcore.attach.dut, simcore.attach.python_can, simcore.report
from simcore import Rig
Rig()
gc.freeze()  # pytest collects garbage at its end: what was there before is none
for line in sys.stdin:
    folder, arguments = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        out = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = int(pytest.main(arguments))
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process that forks a pytest for every line it reads, and prints its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=ISOLATED,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """Writes `files` and runs pytest on `arguments` among them, in a folder of its own.

    With `fresh` in a process in which nothing has been imported.
    """

    def _run(*arguments: str, fresh: bool = not hasattr(os, "fork"), **files: str) -> Ran:
        for stem, text in files.items():
            (tmp_path / f"{stem}.py").write_text(dedent(text), encoding="utf-8")
        whole = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={tmp_path}"]
        whole += ["-p", "simcore.testing.plugin", *arguments]
        if not fresh:
            parent = request.getfixturevalue("parent")
            parent.stdin.write(json.dumps((str(tmp_path), whole)) + "\n")
            parent.stdin.flush()
            code = int(parent.stdout.readline())
            return Ran(code=code, out=(tmp_path / "output").read_text(encoding="utf-8"))
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *whole],
            cwd=tmp_path,
            env=ISOLATED,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return Ran(code=ran.returncode, out=ran.stdout)

    return _run
