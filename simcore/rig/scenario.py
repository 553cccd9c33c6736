"""Scenarios: test instructions as Python functions, and how they are found and run.

A scenario file holds functions marked with `@scenario`; each gets a fresh `Rig`, or a fresh
`Restbus` of the network it names. Whatever a
scenario raises ends it with a verdict and an error that names the line; it never ends the program.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, overload

from simcore.errors import InputError, SimcoreError, UsageError
from simcore.kernel import Pacing
from simcore.network import Database
from simcore.resources import dbc_path
from simcore.rig.bench import Bench
from simcore.rig.ending import end_nodes
from simcore.rig.outcome import (
    all_checks,
    bus_statistics,
    message_statistics,
    report_collisions,
    trace_of,
    update_result,
)
from simcore.rig.restbus import Restbus
from simcore.rig.result import ScenarioResult
from simcore.rig.rig import Rig
from simcore.rig.wire_statistics import controller_statistics

Case = Mapping[str, Any]
_PACKAGE = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class RestbusPlan:
    """Which network a scenario plays, and which of its nodes; see `Restbus`."""

    database: str
    """Path of the network file, relative to the scenario file."""
    play: tuple[str, ...] | None = None
    all_but: tuple[str, ...] | None = None

    def built(self, file: str, *, seed: int, pacing: Pacing | None) -> Restbus:
        """A fresh restbus for a scenario in `file`."""
        return Restbus(
            Path(file).parent / self.database,
            play=self.play,
            all_but=self.all_but,
            seed=seed,
            pacing=pacing,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario function with what it verifies; calling it runs the function on a rig."""

    name: str
    function: Callable[..., None]
    requirements: tuple[str, ...] = ()
    case: Case = field(default_factory=dict)
    database: str = ""
    """Name of the shipped network file it runs on; empty for the reference interface."""
    restbus: RestbusPlan | None = None
    """The network it runs on in place of the reference chassis."""
    file: str = ""
    line: int = 0

    @property
    def title(self) -> str:
        """First line of the docstring."""
        lines = (inspect.getdoc(self.function) or "").splitlines()
        return lines[0] if lines else ""

    def __call__(self, rig: Bench) -> None:
        self.function(rig, **self.case)


class ScenarioSet(tuple[Scenario, ...]):
    """What `@scenario` leaves in the module: one scenario per case."""

    __slots__ = ()


@overload
def scenario(function: Callable[..., None], /) -> ScenarioSet: ...


@overload
def scenario(
    *,
    requirements: Sequence[str] = (),
    cases: Sequence[Case] = (),
    database: str = "",
    restbus: str = "",
    play: Sequence[str] | None = None,
    all_but: Sequence[str] | None = None,
) -> Callable[[Callable[..., None]], ScenarioSet]: ...


def scenario(
    function: Callable[..., None] | None = None,
    /,
    *,
    requirements: Sequence[str] = (),
    cases: Sequence[Case] = (),
    database: str = "",
    restbus: str = "",
    play: Sequence[str] | None = None,
    all_but: Sequence[str] | None = None,
) -> ScenarioSet | Callable[[Callable[..., None]], ScenarioSet]:
    """Mark a function as a scenario that verifies `requirements`.

    With `cases`, a list of keyword arguments, it runs once per case: `name[mu=0.3]`. Every named
    requirement must be checked by the run, or it fails. `database` names another shipped network
    file than the reference interface; one that is given to `run_scenario` goes before it.

    `restbus` names a network file, relative to the scenario file: the function gets a `Restbus` of
    it, with the nodes `play` or `all_but` played.
    """
    if isinstance(requirements, str):
        raise UsageError("@scenario", expected="a list of requirement ids", got=requirements)
    plan = _plan_of(restbus, play, all_but, database)

    def mark(marked: Callable[..., None]) -> ScenarioSet:
        if not inspect.isfunction(marked):
            raise UsageError("@scenario", expected="a function", got=repr(marked))
        code = marked.__code__
        for case in cases or ({},):
            _require_fit(marked, case)
        names = [_case_name(marked.__name__, case) for case in cases]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(
                    f"@scenario {marked.__name__}", expected="unlike cases", got=f"{name} twice"
                )
        return ScenarioSet(
            Scenario(
                name=_case_name(marked.__name__, case),
                function=marked,
                requirements=tuple(requirements),
                case=dict(case),
                database=database,
                restbus=plan,
                file=code.co_filename,
                line=code.co_firstlineno,
            )
            for case in (cases or ({},))
        )

    return mark(function) if function is not None else mark


def _plan_of(
    restbus: str, play: Sequence[str] | None, all_but: Sequence[str] | None, database: str
) -> RestbusPlan | None:
    if restbus and database:
        raise UsageError("@scenario", expected="either database or restbus", got="both")
    if not restbus:
        if play is not None or all_but is not None:
            raise UsageError("@scenario, play and all_but", expected="restbus with them")
        return None
    for name, nodes in (("play", play), ("all_but", all_but)):
        if isinstance(nodes, str):
            raise UsageError(f"@scenario, {name}", expected="a list of nodes", got=repr(nodes))
    return RestbusPlan(
        database=restbus,
        play=None if play is None else tuple(play),
        all_but=None if all_but is None else tuple(all_but),
    )


def _require_fit(function: Callable[..., None], case: Case) -> None:
    """Refuse a function that cannot be called with a rig and the values of its case."""
    try:
        inspect.signature(function).bind(None, **case)
    except TypeError as error:
        raise UsageError(
            f"@scenario {_case_name(function.__name__, case)}",
            expected="a function of a rig and the values of its case",
            got=str(error),
        ) from None


def _case_name(name: str, case: Case) -> str:
    if not case:
        return name
    return f"{name}[{','.join(f'{key}={value}' for key, value in case.items())}]"


def load_scenarios(path: Path) -> list[Scenario]:
    """All scenarios of a file, in the order they stand there.

    Raises `InputError` with file and line where the file is missing, is no Python, raises while it
    is read, or holds no scenario.
    """
    module = _import(path)
    found = [
        item
        for value in vars(module).values()
        if isinstance(value, ScenarioSet)
        for item in value
        if Path(item.file).resolve() == path.resolve()
    ]
    if not found:
        raise InputError(
            "scenario file", expected="a function marked with @scenario", file=str(path)
        )
    return sorted(found, key=lambda item: item.line)


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(
            "scenario file", expected="a Python file", got="no such file", file=str(path)
        )
    key = blake2b(str(path.resolve()).encode(), digest_size=6).hexdigest()
    name = f"simcore_scenario_{path.stem}_{key}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError("scenario file", expected="a name ending in .py", file=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what the file defines can be pickled
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise InputError(
            "scenario file",
            expected="valid Python",
            got=error.msg,
            file=str(path),
            line=error.lineno,
        ) from error
    except (Exception, SystemExit) as error:
        raise InputError(
            "scenario file",
            expected="to be read without error",
            got=f"{type(error).__name__}: {error}",
            file=str(path),
            line=_line_in(path, error.__traceback__),
        ) from error
    return module


def run_scenario(
    item: Scenario,
    *,
    seed: int = 0,
    database: Database | None = None,
    pacing: Pacing | None = None,
    without: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
    replay_command: str = "",
    on_rig: Callable[[Bench], object] | None = None,
    on_end: Callable[[], object] | None = None,
) -> ScenarioResult:
    """Run one scenario on a fresh rig and collect everything it left.

    `without` names safety mechanisms of the reference chassis to leave out, see `Rig`. `on_rig` is
    called with the rig before the scenario starts, `on_end` after it ended. What the
    scenario raises ends up in the result; only `KeyboardInterrupt` and the like pass through.
    """
    if database is None and item.database:
        database = Database.load(dbc_path(item.database))
        options = {**(options or {}), "dbc": f"{item.database} (of the scenario)"}
    rig: Bench
    if without:
        options = {**(options or {}), "without": ", ".join(without)}
    if item.restbus is not None:
        if without:
            raise UsageError(
                f"scenario {item.name}, without",
                expected="a scenario on the reference chassis",
                got=f"one on {item.restbus.database}",
            )
        options = {**(options or {}), "dbc": f"{item.restbus.database} (of the scenario)"}
        rig = item.restbus.built(item.file, seed=seed, pacing=pacing)
    else:
        rig = Rig(seed=seed, database=database, pacing=pacing, without=without)
    if on_rig is not None:
        on_rig(rig)
    error: BaseException | None = None
    try:
        item(rig)
    except (Exception, SystemExit) as caught:  # sys.exit(0) is no verdict
        error = caught
    if on_end is not None:
        on_end()
    end_nodes(rig)
    return collect(rig, item, error, options=options or {}, replay_command=replay_command)


def collect(
    rig: Bench,
    item: Scenario,
    error: BaseException | None,
    *,
    options: Mapping[str, str],
    replay_command: str,
) -> ScenarioResult:
    """The result of a run that has ended, well or badly."""
    report_collisions(rig)
    buses = bus_statistics(rig)
    return ScenarioResult(
        name=item.name,
        file=item.file,
        title=item.title,
        requirements=item.requirements,
        seed=rig.seed,
        options=dict(options),
        duration_ns=rig.now_ns,
        digest=rig.digest,
        checks=all_checks(rig, buses),
        findings=tuple(rig.log.findings),
        events=tuple(rig.log.events),
        messages=message_statistics(rig),
        buses=buses,
        trace=trace_of(rig),
        replay_command=replay_command,
        faults=tuple(fault.record for fault in rig.faults),
        measurements=dict(rig.measurements),
        error=None if error is None else describe(error, item),
        error_detail="" if error is None else "".join(traceback.format_exception(error)),
        error_is_internal=error is not None and is_internal(error),
        records=tuple(rig.recorder.frames),
        error_frames=tuple(rig.recorder.error_frames),
        state_changes=tuple(rig.recorder.state_changes),
        controllers=controller_statistics(rig),
        update=update_result(rig),
    )


def unreadable_result(
    path: Path, error: InputError, *, seed: int, options: Mapping[str, str]
) -> ScenarioResult:
    """The result of a scenario file that could not be read: an error, nothing ran."""
    cause = error.__cause__
    return ScenarioResult(
        name=path.stem,
        file=str(path),
        title="",
        requirements=(),
        seed=seed,
        options=dict(options),
        duration_ns=0,
        digest="",
        checks=(),
        findings=(),
        events=(),
        messages=(),
        buses=(),
        trace=None,
        replay_command="",
        error=str(error),
        error_detail="".join(traceback.format_exception(cause)) if cause else "",
    )


def describe(error: BaseException, item: Scenario) -> str:
    """What a scenario raised, with the line of the scenario file it came from."""
    line = _line_in(Path(item.file), error.__traceback__)
    place = f"{item.file}:{line}: " if line is not None else f"{item.file}: "
    return f"{place}{type(error).__name__}: {error}"


def is_internal(error: BaseException) -> bool:
    """Whether an exception is a defect of simcore: raised inside it, and not on purpose."""
    if isinstance(error, SimcoreError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and str(Path(frames[-1].filename).resolve()).startswith(_PACKAGE)


def _line_in(path: Path, trace: TracebackType | None) -> int | None:
    lines: Iterable[int | None] = (
        frame.lineno
        for frame in reversed(traceback.extract_tb(trace))
        if Path(frame.filename).resolve() == path.resolve()
    )
    return next(iter(lines), None)
