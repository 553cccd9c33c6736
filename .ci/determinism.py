"""Proves that a run repeats: every shipped scenario twice, in processes that share nothing.

The two differ in hash seed, time zone, locale and working folder; the digests they print must be
the same. Exit codes: 0 the same, 1 a run broke down, 2 nothing to compare, 4 digests differ.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SURROUNDINGS = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
)
JUDGED = (0, 1)
"""Exit codes of a run that reached a verdict: passed, or a check failed."""
SECONDS_PER_RUN = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    exit_code: int
    digests: tuple[str, ...]
    output: str


def start(scenario: Path, surroundings: dict[str, str], folder: str) -> subprocess.Popen[str]:
    """Starts one run of `scenario`; `folder` becomes its working folder."""
    program = Path(sys.executable).with_name("simcore")
    return subprocess.Popen(
        [str(program), "run", str(scenario), "--seed", "1"],
        cwd=folder,
        env=os.environ | surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str]) -> Run:
    """Waits for the run and picks the digest lines out of what it printed."""
    try:
        output, _ = process.communicate(timeout=SECONDS_PER_RUN)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        output += f"\nnot finished after {SECONDS_PER_RUN} s"
    digests = tuple(line for line in output.splitlines() if line.startswith("digest "))
    return Run(exit_code=process.returncode, digests=digests, output=output)


def compare(scenario: Path) -> int:
    """Runs `scenario` in both surroundings at once, prints one line, returns the exit code."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        processes = [
            start(scenario, surroundings, folder)
            for surroundings, folder in zip(SURROUNDINGS, (first, second), strict=True)
        ]
        one, other = (finish(process) for process in processes)
    for run in (one, other):
        if run.exit_code not in JUDGED or not run.digests:
            print(f"BROKEN     {scenario.name}: exit code {run.exit_code}, digests {run.digests}")
            print(run.output)
            return 1
    if (one.exit_code, one.digests) != (other.exit_code, other.digests):
        print(f"DIFFERENT  {scenario.name}: {one.digests} and {other.digests}")
        return 4
    print(f"same       {scenario.name}: {one.digests[-1]}")
    return 0


def main() -> int:
    scenarios = sorted(
        path for path in (REPOSITORY / "scenarios").glob("*.py") if not path.name.startswith("_")
    )
    if not scenarios:
        print(f"determinism: expected scenarios in {REPOSITORY / 'scenarios'}, found none")
        return 2
    return max(compare(scenario) for scenario in scenarios)


if __name__ == "__main__":
    sys.exit(main())
