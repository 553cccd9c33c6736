"""What is left of a failure: a scenario that replays it, bus logs, a report, one command.

    .simcore/failures/my_machine-5f0c1e9a/
        scenario.py      the shrunk steps, as a scenario that runs as it is
        bus.log bus.blf  what was on the buses
        report.html

Written for the shrunk example only, when hypothesis shows it; its attempts on the way leave
nothing. The folder's name follows from what is in the scenario, so the same failure found twice, or
by several workers at once, is one folder.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from hypothesis.control import current_build_context
from hypothesis.errors import InvalidArgument

from simcore.bus import BusRecord
from simcore.errors import InputError
from simcore.network import Database
from simcore.report.files import write_file
from simcore.report.html import write_html
from simcore.report.logs import LOG_FORMATS, write_log
from simcore.rig import ScenarioResult, Verdict, load_scenarios, run_scenario
from simcore.rig.requirements import load_requirements
from simcore.testing.machine_source import Source
from simcore.testing.machine_steps import Step
from simcore.version import __version__

FOLDER = Path(".simcore") / "failures"
"""Where failures are written, seen from where the tests run."""
SCENARIO = "scenario.py"
FORMATS = ("candump", "blf")
_INDENT = "    "


class BrokenRequirementError(AssertionError):
    """A requirement does not hold; the text of the shrunk example has the scenario in it."""

    def __init__(self, requirement: str, text: str, replay: str = "") -> None:
        self.requirement = requirement
        self.text = text
        self.replay = replay
        super().__init__(f"{requirement}: {text}" + (f"\n{replay}" if replay else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A failing sequence, as it is written down."""

    name: str
    """Of the machine, as a function may be called."""
    requirement: str
    text: str
    """What is wrong."""
    warm_up: tuple[Step, ...] = ()
    steps: tuple[Step, ...] = ()
    node: str | None = None
    """The one under test."""
    judges: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """File and name of the requirements of the user's own."""
    seed: int = 0
    database: Database | None = None
    """Another one than the shipped."""
    folder: Path = FOLDER
    is_bench: bool = False
    """Whether it happened on a `NodeBench`, not on the rig."""

    def source(self) -> str:
        """The scenario file."""
        source = Source()
        source.needs("simcore", "Rig")
        source.needs("simcore", "scenario")
        body = [each.line(source) for each in self.warm_up]
        body += ["# What was found:", *(each.line(source) for each in self.steps)]
        body.append(self._of_bench(source) if self.is_bench else self._of_rig(source))
        title = f"{self.requirement}, as hypothesis found it."
        lines = [
            f'"""{title}"""',
            "",
            *source.imports(),
            "",
            "",
            f"@scenario(requirements=[{self.requirement!r}])",
            f"def {self.name}(rig: Rig) -> None:",
            f'{_INDENT}"""{title}"""',
            *(f"{_INDENT}{line}" for line in body),
            "",
        ]
        return "\n".join(lines)

    def _of_rig(self, source: Source) -> str:
        """The last line: what is judged."""
        source.needs("simcore.testing.machine_requirements", "check_requirements")
        parts = ["rig"]
        if self.node is not None:
            parts.append(f"node={self.node!r}")
        if self.judges:
            parts.append(f"judges={{{self._judges(source)}}}")
        return f"check_requirements({', '.join(parts)})"

    def _of_bench(self, source: Source) -> str:
        built_in = {"ROB-001": "crash_of", "COM-007": "layout_of"}
        if self.requirement in built_in and self.requirement not in self.judges:
            judge = source.needs("simcore.testing.sequence", built_in[self.requirement])
            return f"bench.judge(rig, {{{self.requirement!r}: {judge}}})"
        return f"bench.judge(rig, {{{self._judges(source)}}})"

    def _judges(self, source: Source) -> str:
        source.needs("simcore.testing.failures", "load_function")
        return ", ".join(
            f"{name!r}: load_function({path!r}, {function!r})"
            for name, (path, function) in self.judges.items()
        )


def load_function(path: str, name: str) -> Any:
    """A function at the top of a Python file. Raises `InputError` where there is none."""
    from simcore.attach.dut_python import _imported

    found = getattr(_imported(Path(path).resolve(), path), name, None)
    if not callable(found):
        raise InputError("judge of a machine", expected=f"a function {name}", file=path)
    return found


def is_final_run() -> bool:
    """Whether hypothesis is showing a shrunk example, rather than looking for one.

    False outside of hypothesis, and when it is left to find something by itself.
    """
    try:
        return bool(current_build_context().is_final)
    except InvalidArgument:
        return False


def written(evidence: Evidence, records: Iterable[BusRecord] | None = None) -> str:
    """Write a failure; the text to show: the scenario, where it is, how to run it.

    Logs and report are those of a run of the written scenario, so that what is there is what will
    come again; `records` replace its frames where the bus is not the rig's.
    """
    text = evidence.source()
    digest = blake2b(text.encode(), digest_size=4).hexdigest()
    folder = evidence.folder / f"{evidence.name}-{digest}"
    path = folder / SCENARIO
    place = write_file(folder / f".{SCENARIO}.{os.getpid()}", text.encode(), what="scenario")
    place.replace(path)  # at once: another worker may be reading it
    command = _command(evidence, path)
    result = _run(evidence, path, command)
    if records is not None:
        result = replace(result, records=tuple(records))
    logs = _logs(folder, result)
    write_html(
        folder / "report.html",
        [result],
        requirement_texts={name: each.text for name, each in load_requirements().items()},
        version=__version__,
        log_files={result.name: logs},
    )
    remark = "" if _reproduces(evidence, result) else _doubt(result)
    return f"\n{text}\n{remark}logs and report in {folder}\nreplay: {command}\n"


def _run(evidence: Evidence, path: Path, command: str) -> ScenarioResult:
    (item,) = load_scenarios(path)
    return run_scenario(
        item, seed=evidence.seed, database=evidence.database, replay_command=command
    )


def _command(evidence: Evidence, path: Path) -> str:
    parts = ["simcore", "run", path.as_posix()]
    if evidence.seed:
        parts += ["--seed", str(evidence.seed)]
    if evidence.database is not None:
        parts += ["--dbc", evidence.database.name]
    return shlex.join(parts)


def _logs(folder: Path, result: ScenarioResult) -> list[Path]:
    return [
        write_log(
            folder / f"bus{LOG_FORMATS[name].suffix}",
            result.records,
            name,
            errors=result.error_frames,
        )
        for name in FORMATS
    ]


def _reproduces(evidence: Evidence, result: ScenarioResult) -> bool:
    if result.verdict is Verdict.ERROR:
        return " raised " in evidence.text
    return result.requirement_verdict(evidence.requirement) is Verdict.FAILED


def _doubt(result: ScenarioResult) -> str:
    """Rather said than left to be found out."""
    said = result.error or "it passes"
    return f"the scenario by itself does not show it: {said}\n"
