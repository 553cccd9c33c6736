"""Proves that a run repeats: every shipped scenario twice, in processes that share nothing.

The two differ in hash seed, time zone, locale and working folder; the digests they print must be
the same. Where the tests have run before and left their digests (SIMCORE_DIGESTS names the folder),
theirs was the first of the two processes, and one more run is enough: it takes place with another
hash seed than the tests had.
Exit codes: 0 the same, 1 a run broke down, 2 nothing to compare, 4 digests differ.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
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
_CASE_DIGEST = re.compile(r", digest ([0-9a-f]{32})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    exit_code: int
    digests: tuple[str, ...]
    output: str

    @property
    def case_digests(self) -> tuple[str, ...]:
        """One for every case of the file, in order."""
        found = (_CASE_DIGEST.search(line) for line in self.output.splitlines())
        return tuple(match.group(1) for match in found if match)


def recorded(scenario: Path) -> tuple[str, tuple[str, ...]] | None:
    """Hash seed and digests of the cases, as the tests left them; `None` where they did not."""
    folder = os.environ.get("SIMCORE_DIGESTS")
    if not folder:
        return None
    files = sorted(Path(folder).glob(f"{scenario.stem}.*.json"))
    cases = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    seeds = {case["hash_seed"] for case in cases}
    if len(seeds) != 1 or {case["place"] for case in cases} != set(range(cases[0]["count"])):
        return None
    cases.sort(key=lambda case: int(case["place"]))
    return str(seeds.pop()), tuple(str(case["digest"]) for case in cases)


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
    """Runs `scenario` in unlike surroundings, prints one line, returns the exit code."""
    before = recorded(scenario)
    if before is not None:
        return compare_with(scenario, *before)
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


def compare_with(scenario: Path, hash_seed: str, digests: tuple[str, ...]) -> int:
    """Runs `scenario` once more and holds it against the run of the tests."""
    surroundings = next(each for each in SURROUNDINGS if each["PYTHONHASHSEED"] != hash_seed)
    with tempfile.TemporaryDirectory() as folder:
        run = finish(start(scenario, surroundings, folder))
    if run.exit_code not in JUDGED or not run.digests:
        print(f"BROKEN     {scenario.name}: exit code {run.exit_code}, digests {run.digests}")
        print(run.output)
        return 1
    if run.case_digests != digests:
        print(f"DIFFERENT  {scenario.name}: {run.case_digests}, in the tests {digests}")
        return 4
    print(f"same       {scenario.name}: {run.digests[-1]} (the tests, and once more)")
    return 0


def main() -> int:
    scenarios = sorted(
        path for path in (REPOSITORY / "scenarios").glob("*.py") if not path.name.startswith("_")
    )
    if not scenarios:
        print(f"determinism: expected scenarios in {REPOSITORY / 'scenarios'}, found none")
        return 2
    processes_each = 1 if os.environ.get("SIMCORE_DIGESTS") else len(SURROUNDINGS)
    with ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 1) // processes_each)) as pool:
        return max(pool.map(compare, scenarios))


if __name__ == "__main__":
    sys.exit(main())
