"""Fuzzes parsers and machines with atheris, guided by coverage; stops at the first defect.

    python -m tests.fuzz.run codec --runs 100000
    python -m tests.fuzz.run --replay .simcore/failures/codec-crash-...
    python -m tests.fuzz.run --all --runs 100000

Inputs that reached something new are kept in build/fuzz/<target>; what broke something goes to
.simcore/failures, and the command that replays it is printed. Exit codes: 0, 1 for a defect, 2
where atheris is missing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.targets import TARGETS, as_line, inputs_of, load

FAILURES = Path(".simcore") / "failures"
KEPT = Path("build") / "fuzz"
HANG_S = 10
"""An input that takes longer is a hang."""
MEMORY_MB = 2048
NO_ATHERIS = (
    "fuzzing needs atheris, which this environment lacks: `make fuzz` installs it where there is a "
    "wheel for this Python (CPython 3.11 to 3.13 on Linux); everything else, replays and the tests "
    "of the targets included, works without"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    options = _options(arguments)
    if options.replay is not None:
        return _replay(options.replay)
    if find_spec("atheris") is None:
        print(NO_ATHERIS, file=sys.stderr)
        return 2
    if options.inside:
        _fuzz(options.targets[0], options)
        return 0
    for name in TARGETS if options.all else options.targets:
        if _fuzz_apart(name, options):
            return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--all", action="store_true", help="every target, one after the other")
    parser.add_argument("--runs", type=int, default=100_000, help="inputs per target")
    parser.add_argument("--seconds", type=int, default=0, help="end after so long all the same")
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzer's random numbers")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="run one input, without atheris"
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}: there are {', '.join(TARGETS)}")
    if not (options.targets or options.all or options.replay):
        parser.error("a target, --all or --replay")
    return options


def _replay(file: Path) -> int:
    """Run the input of a file; its name begins with the target's."""
    name = file.name.partition("-")[0]
    if name not in TARGETS or not file.is_file():
        print(
            f"{file}: expected a file named <target>-..., of {', '.join(TARGETS)}", file=sys.stderr
        )
        return 2
    data = file.read_bytes()
    print(f"{name}: {len(data)} bytes: {as_line(data)}")
    load(name).check(data)
    print("nothing is wrong with it")
    return 0


def _fuzz_apart(name: str, options: argparse.Namespace) -> int:
    """Fuzz one target in a process of its own: libFuzzer ends the one that it runs in."""
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--inside"]
    FAILURES.mkdir(parents=True, exist_ok=True)
    before = set(FAILURES.glob(f"{name}-*"))
    for option in ("runs", "seconds", "seed"):
        command += [f"--{option}", str(getattr(options, option))]
    ended = subprocess.run(command, check=False)
    found = sorted(set(FAILURES.glob(f"{name}-*")) - before)
    for file in found:
        print(f"\n{name}: this input breaks it; replay: python -m tests.fuzz.run --replay {file}")
    return ended.returncode or len(found)


def _fuzz(name: str, options: argparse.Namespace) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=list(_instrumented(name))):
        target = load(name)
    kept = KEPT / name
    kept.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs_of(target)):
        (kept / f"seed-{number:03}").write_bytes(data[: target.SIZE_MAX])
    arguments = {
        "runs": options.runs,
        "max_total_time": options.seconds,
        "seed": options.seed,
        "max_len": target.SIZE_MAX,
        "timeout": HANG_S,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{FAILURES}/{name}-",
        "print_final_stats": 1,
    }
    atheris.Setup(
        ["fuzz", *(f"-{key}={value}" for key, value in arguments.items()), str(kept)],
        target.check,
    )
    atheris.Fuzz()


def _instrumented(name: str) -> Sequence[str]:
    """What a target instruments, read off its text: to import it would be too late."""
    text = (Path(__file__).parent / f"fuzz_{name}.py").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("INSTRUMENTED = "))
    return [
        part.strip(" (),\"'") for part in line.partition("=")[2].split(",") if part.strip(" ()")
    ]


if __name__ == "__main__":
    sys.exit(main())
