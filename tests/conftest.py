"""Hypothesis profiles for every test, and the sources of foreign packages for those that use them.

`dev` is what a desk runs, `ci` draws the same examples in every run (chosen by CI=true), `nightly`
looks longer (HYPOTHESIS_PROFILE=nightly). No profile has a deadline and none complains about slow
examples: both read the wall clock, so a loaded machine would fail tests that are right.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

collect_ignore = ["data"]
"""Holds a whole project with tests of its own; `testing/test_example_project.py` runs it."""

_DOWNLOAD_S = 180

_EVERYWHERE = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("dev", max_examples=50, **_EVERYWHERE)
settings.register_profile("ci", max_examples=30, derandomize=True, database=None, **_EVERYWHERE)
settings.register_profile("nightly", max_examples=2000, **_EVERYWHERE)

_IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if _IN_CI else "dev"))


def pytest_sessionstart() -> None:
    """Look for reference cycles less often: simulations make few, and records that last."""
    gc.set_threshold(200_000, 20, 100)


@pytest.fixture(scope="session")
def foreign_sources() -> Callable[[str], Path]:
    """`foreign_sources(package)`: the unpacked source distribution of the installed version.

    Fetched once per version and kept in the user's cache; skips the test where that fails.
    """
    return _sources_of


def _sources_of(package: str) -> Path:
    name = f"{package.replace('-', '_')}-{version(package)}"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(home) / "simcore-tests"
    if not (cache / name).exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            pytest.skip(f"no place to keep the sources of {package}: {error}")
        with TemporaryDirectory(dir=cache) as folder:
            _download(package, Path(folder))
            with tarfile.open(Path(folder) / f"{name}.tar.gz") as archive:
                archive.extractall(folder, filter="data")
            with suppress(OSError):  # another worker was faster
                (Path(folder) / name).rename(cache / name)
    return cache / name


def _download(package: str, folder: Path) -> None:
    requirement = f"{package}=={version(package)}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", package]
    try:
        ran = subprocess.run(
            [*command, "--dest", str(folder), requirement],
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_S,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"the sources of {requirement} did not arrive within {_DOWNLOAD_S} s")
    if ran.returncode:
        reason = (ran.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        pytest.skip(f"the sources of {requirement} cannot be fetched: {reason}")
