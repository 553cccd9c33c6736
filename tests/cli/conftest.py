"""Calling the command line as a shell does, and scenario files to call it with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from simcore.cli.main import main

IMPORTS = "from simcore import Rig, ms, s, scenario\n"

QUICK = '''
@scenario(requirements=["BRK-003"])
def quick(rig: Rig) -> None:
    """Ten milliseconds of nothing."""
    rig.run_for(ms(10))
    rig.check("BRK-003", True, measured=1.0, limit="<= 500 N", text="clamp force")
'''
CASES = '''
@scenario(requirements=["BRK-006"], cases=[{"mu": 0.3}, {"mu": 0.8}])
def slippery(rig: Rig, mu: float) -> None:
    """A road in two states."""
    rig.vehicle.set_friction(mu)
    rig.run_for(ms(10))
    rig.check("BRK-006", True)
'''
FAILS = '''
@scenario
def fails(rig: Rig) -> None:
    """A check that does not hold."""
    rig.run_for(ms(5))
    rig.check("BRK-001", False, measured=81.7, limit="<= 70 m", text="stopping distance")
'''
RAISES = """
@scenario
def raises(rig: Rig) -> None:
    rig.run_for(ms(5))
    rig.check("BRK-001", True, text="before it raised")
    {}["nothing"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def digest(self) -> str:
        """The digest of the whole run, from the last line."""
        word, digest = self.lines[-1].split()
        assert word == "digest"
        return digest


Simcore = Callable[..., Ended]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and a console too wide to fold anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


@pytest.fixture
def simcore(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Simcore:
    """Calls `simcore ARGUMENTS...` in this process, through the same door as a shell."""

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["simcore", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(code=ended.value.code, out=printed.out, err=printed.err)

    return call


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes a scenario file: the usual imports in line 1, then `texts` dedented."""

    def _write(name: str, *texts: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(IMPORTS + "".join(dedent(text) for text in texts), encoding="utf-8")
        return Path(name)

    return _write


@pytest.fixture
def quick(write: Write) -> Path:
    return write("quick.py", QUICK)


@pytest.fixture
def slippery(write: Write) -> Path:
    return write("slippery.py", CASES)


@pytest.fixture
def fails(write: Write) -> Path:
    return write("fails.py", FAILS)


@pytest.fixture
def raises(write: Write) -> Path:
    return write("raises.py", RAISES)
