"""Judges every mutant on all cores and prints kill rate and survivors.

    python -m tests.mutants.run
    python -m tests.mutants.run --only 'Counter*' --all
    python -m tests.mutants.run --only CycleTooLong --cases 'cycle.*' --verbose

Exit codes: 0 where every mutant is failed by a case of a requirement that it violates and every
sound module passes, else 1; 2 for arguments that name nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants import c_actuators
from tests.mutants.catalogue import MUTANTS, SOUND, Mutant
from tests.mutants.judging import Outcome, examine


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    options = _options(arguments)
    with TemporaryDirectory(prefix="simcore-mutants-") as folder:
        return _judge_all(options, Path(folder))


def _judge_all(options: argparse.Namespace, folder: Path) -> int:
    wanted = partial(_matches, patterns=options.only)
    chosen = [each for each in (*MUTANTS, *SOUND) if wanted(each.name)]
    if c_actuators.compiler() is None:
        print("no C compiler: the mutants in C are left out", file=sys.stderr)
    else:
        chosen += c_actuators.built(folder, wanted)
    if not chosen:
        print(f"no mutant is called {' or '.join(options.only)}", file=sys.stderr)
        return 2
    began_s = time.monotonic()
    outcomes = []
    for number, outcome in enumerate(_examined(chosen, options), start=1):
        outcomes.append(outcome)
        print(f"{number:3}/{len(chosen)} {_line(outcome)}", flush=True)
        if options.verbose:
            for kill in outcome.kills:
                print(f"        {kill.case} [{' '.join(kill.requirements)}] {kill.reason}")
        for error in outcome.errors:
            print(f"        ERROR {error}")
    return _summary(outcomes, time.monotonic() - began_s)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", action="append", metavar="NAME", help="pattern of mutants' names")
    parser.add_argument("--cases", default="*", metavar="PATTERN", help="pattern of case ids")
    parser.add_argument("--all", action="store_true", help="run all cases, also after a kill")
    parser.add_argument(
        "--quick", action="store_true", help="cases of the violated requirements only"
    )
    parser.add_argument("--verbose", action="store_true", help="what the cases say")
    parser.add_argument("--budget", type=int, default=200, help="inputs of a fuzz case")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    options.only = options.only or ["*"]
    return options


def _examined(chosen: Sequence[Mutant], options: argparse.Namespace):  # type: ignore[no-untyped-def]
    work = partial(examine, cases=options.cases, budget=options.budget, quick=options.quick)
    with ProcessPoolExecutor(max_workers=options.workers) as pool:
        futures = [
            pool.submit(work, each, complete=options.all or not each.violates) for each in chosen
        ]
        for future in as_completed(futures):
            yield future.result()


def _line(outcome: Outcome) -> str:
    mutant = outcome.mutant
    head = f"{mutant.name:30} {mutant.node:7}"
    if not mutant.violates:
        verdict = "passes" if outcome.is_sound else "FAILED, and has no defect: "
        return f"{head} {verdict}{_by(outcome.kills)} ({outcome.ran} cases)"
    if outcome.is_killed:
        return f"{head} killed by {_by(outcome.right)}"
    violated = " ".join(mutant.violates)
    if outcome.kills:
        return f"{head} SURVIVES {violated}, failed only by {_by(outcome.kills)}"
    return f"{head} SURVIVES {violated} ({outcome.ran} cases)"


def _by(kills: Sequence[object]) -> str:
    shown = [f"{kill.case} [{' '.join(kill.requirements)}]" for kill in kills[:3]]  # type: ignore[attr-defined]
    more = len(kills) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _summary(outcomes: Sequence[Outcome], took_s: float) -> int:
    mutants = [each for each in outcomes if each.mutant.violates]
    sound = [each for each in outcomes if not each.mutant.violates]
    survivors = sorted(each.mutant.name for each in mutants if not each.is_killed)
    blamed = sorted(each.mutant.name for each in sound if not each.is_sound)
    killed = len(mutants) - len(survivors)
    rate = f" ({100 * killed / len(mutants):.1f} %)" if mutants else ""
    print(f"\nkilled {killed} of {len(mutants)} mutants{rate}, in {took_s:.0f} s")
    print(f"sound modules that pass: {len(sound) - len(blamed)} of {len(sound)}")
    for name in survivors:
        defect = next(each.mutant for each in mutants if each.mutant.name == name)
        print(f"  survivor {name} [{' '.join(defect.violates)}]: {defect.defect}")
    for name in blamed:
        print(f"  wrongly failed: {name}")
    return 1 if survivors or blamed else 0


if __name__ == "__main__":
    sys.exit(main())
