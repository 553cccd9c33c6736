"""`simcore run`: run scenarios, print verdicts, write reports and logs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.collector import relax_collector
from simcore.cli.dut_option import dut_options, dut_words, places_of, warn_of_crashes
from simcore.cli.exits import Exit, exit_of
from simcore.cli.output import unbroken_output
from simcore.cli.selection import Selection, select
from simcore.cli.stuck import StuckWatch
from simcore.errors import InputError, SimcoreError, UsageError
from simcore.units import format_ns
from simcore.version import __version__

if TYPE_CHECKING:
    from simcore.attach.dut_places import Mounted, Places
    from simcore.bus import ErrorFrame
    from simcore.network import Database
    from simcore.rig import Bench, Scenario, ScenarioResult

LOG_CHOICES = ("candump", "asc", "blf", "mf4")
SHIPPED = "chassis_fd.dbc (shipped)"


class UserInterruptError(SimcoreError):
    """The user ended the run before its time."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One call of `simcore run`."""

    seed: int
    database: Database | None
    realtime: bool
    without: tuple[str, ...]
    stuck_after_s: float
    rta: bool
    report: Path | None
    log_formats: tuple[str, ...]
    log_node: str | None
    options: Mapping[str, str]
    places: Places | None
    """The module under test, and the nodes it replaces."""
    dut_words: Sequence[str]
    results: list[ScenarioResult] = field(default_factory=list)
    log_files: dict[str, list[Path]] = field(default_factory=dict)
    unwritten: list[InputError] = field(default_factory=list)
    """Reports and logs that could not be written; the rest of the run is reported all the same."""
    interrupted: bool = False


@click.command(short_help="Run scenarios, print verdicts, write reports and logs.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random streams.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write report.html, junit.xml and logs into DIR.",
)
@click.option(
    "--log",
    "log_formats",
    type=click.Choice(LOG_CHOICES),
    multiple=True,
    help="Write a bus log per scenario into the report folder (or here without --report).",
)
@click.option(
    "--log-node",
    metavar="NODE",
    help="Write logs as this node sees them: its own frames are Tx, all others Rx.",
)
@click.option("--realtime", is_flag=True, help="Hold virtual time to the clock on the wall.")
@click.option(
    "--dbc",
    "dbc_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another database than the shipped one.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="MECHANISM",
    help="Leave a safety mechanism out: what it is worth shows. Repeatable.",
)
@click.option(
    "--stuck-after",
    "stuck_after_s",
    type=click.FloatRange(min=1.0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up on a script that lets no virtual time pass for this long.",
)
@click.option(
    "--rta", is_flag=True, help="Hold observed latencies against worst-case response times."
)
@dut_options
def run(
    paths: tuple[str, ...],
    seed: int,
    report: Path | None,
    log_formats: tuple[str, ...],
    log_node: str | None,
    realtime: bool,
    dbc_file: Path | None,
    without: tuple[str, ...],
    stuck_after_s: float,
    rta: bool,
    dut: str | None,
    nodes: str | None,
    isolated: bool,
) -> None:
    """Run scenarios: files, folders, FILE.py::NAME or shipped names; all shipped ones by default.

    NAME runs every case of a scenario, 'NAME[mu=0.3]' one of them.

    \b
    Exit codes: 0 passed, 1 a check failed, 2 usage, 3 invalid input or a scenario that raised,
    70 internal error, 130 interrupted.
    """
    places = places_of(dut, nodes, isolated)
    realtime = realtime or (places is not None and places.dut.kind == "can")
    options = _options(realtime, dbc_file, without, places)
    with unbroken_output():
        stated = ", ".join(f"{key} {value}" for key, value in options.items())
        click.echo(f"seed {seed}, {stated}, simcore {__version__}")
    if report is not None:
        prepare_folder(report)
    session = Session(
        seed=seed,
        database=None if dbc_file is None else load_chassis(dbc_file),
        realtime=realtime,
        without=tuple(sorted(set(without))),
        stuck_after_s=stuck_after_s,
        rta=rta,
        report=report,
        log_formats=log_formats,
        log_node=log_node,
        options=options,
        places=places,
        dut_words=dut_words(dut, nodes, isolated),
    )
    _require_logs(session)
    selection = select(paths)
    relax_collector()
    broken: Exception | None = None
    try:
        _run_all(session, selection)
    except Exception as error:  # a defect of simcore: what ran so far is still reported
        broken = error
    code = _finish(session)
    raise click.exceptions.Exit(int(code)) if broken is None else broken


def _options(
    realtime: bool, dbc_file: Path | None, without: tuple[str, ...], places: Places | None
) -> dict[str, str]:
    """What header and reports say of how the scenarios ran."""
    options = {
        "realtime": "yes" if realtime else "no",
        "dbc": SHIPPED if dbc_file is None else str(dbc_file),
    }
    if without:
        from simcore.ecu.mechanisms import mechanisms_off

        options["without"] = ", ".join(sorted(mechanisms_off(without)))
    if places is not None:
        warn_of_crashes(places.dut)
        options["dut"] = str(places)
    return options


def _require_logs(session: Session) -> None:
    """Find out before the run whether the logs can be written after it."""
    from simcore.network import Database
    from simcore.report.logs import require_format

    for log_format in session.log_formats:
        require_format(log_format)
    if session.log_node is not None and not session.log_formats:
        raise UsageError("--log-node", expected="--log with it: there is no log to write")
    if session.log_node is not None:
        nodes = (session.database or Database.reference()).nodes
        if session.log_node not in nodes:
            raise UsageError(
                "--log-node", expected=f"one of {', '.join(nodes)}", got=session.log_node
            )


def prepare_folder(folder: Path) -> None:
    """Find out before the run whether the report can be written after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise InputError(
            "report folder",
            expected="a folder that can be written",
            got=error.strerror,
            file=str(folder),
        ) from error
    if not writable:
        raise InputError(
            "report folder",
            expected="a folder that can be written",
            got="no write permission",
            file=str(folder),
        )


def load_chassis(file: Path) -> Database:
    """The database of `--dbc`, if the reference chassis can be built on it."""
    from simcore.network import Database
    from simcore.rig import Rig

    database = Database.load(file)
    problem = ""
    try:
        rig = Rig(database=database)
    except SimcoreError as error:
        problem = str(error)
    else:
        for finding in rig.log.findings[:1]:
            problem = f"{finding.source}: {finding.text}"
    if problem:
        raise InputError(
            "network database",
            expected="the nodes and messages of the chassis",
            got=problem,
            file=str(file),
        )
    return database


def _run_all(session: Session, selection: Selection) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from simcore.rig.scenario import unreadable_result

    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for path, error in selection.unreadable:
        session.results.append(
            unreadable_result(path, error, seed=session.seed, options=session.options)
        )
    dut = None if session.places is None else session.places.dut
    ends = dut is not None and dut.kind == "c" and not dut.isolated
    with progress, StuckWatch(session.stuck_after_s, ends_process=ends) as watch:
        task = progress.add_task("", total=len(selection.scenarios))
        for item in selection.scenarios:
            progress.update(task, description=item.name)
            _run_one(session, item, watch)
            progress.advance(task)
            if session.interrupted:
                break


class Course:
    """What accompanies the run of one scenario: the module under test and the watch over it."""

    def __init__(self, places: Places | None, watch: StuckWatch) -> None:
        self._places = places
        self._watch = watch
        self._mounted: Mounted | None = None
        self.rigs: list[Bench] = []
        """The rig it runs on, once there is one."""

    def started(self, rig: Bench) -> None:
        """Before the scenario: the module goes in."""
        self.rigs.append(rig)
        self._watch.watch(rig)
        if self._places is not None:
            self._mounted = self._places.mount(rig)

    def ended(self) -> None:
        """After it: the module must still be there."""
        self._watch.watch(None)
        if self._mounted is not None:
            self._mounted.require_still_there()


def _run_one(session: Session, item: Scenario, watch: StuckWatch) -> None:
    from simcore.kernel import RealTime
    from simcore.rig import run_scenario
    from simcore.rig.bounds import with_bounds
    from simcore.rig.scenario import collect, unreadable_result

    replay = _replay_command(session, item)
    course = Course(session.places, watch)
    rigs = course.rigs
    try:
        result = run_scenario(
            item,
            seed=session.seed,
            database=session.database,
            pacing=RealTime() if session.realtime else None,
            without=session.without,
            options=session.options,
            replay_command=replay,
            on_rig=course.started,
            on_end=course.ended,
        )
    except KeyboardInterrupt as interrupt:
        session.interrupted = True
        if not rigs:
            return
        error = UserInterruptError(
            f"the run was stopped at {format_ns(rigs[0].now_ns)}"
        ).with_traceback(interrupt.__traceback__)
        result = collect(rigs[0], item, error, options=session.options, replay_command=replay)
    except InputError as error:  # the network that the scenario names
        if rigs:
            raise
        session.results.append(
            unreadable_result(Path(item.file), error, seed=session.seed, options=session.options)
        )
        return
    except Exception:
        raise
    except BaseException as raised:  # pytest.fail() and its like derive from nothing narrower
        result = collect(rigs[0], item, raised, options=session.options, replay_command=replay)
    finally:
        watch.watch(None)
    if session.rta:
        result = with_bounds(result, rigs[0])
    session.results.append(result)
    errors = [error for bus in rigs[0].buses for error in bus.error_frames]
    for log_format in session.log_formats:
        try:
            _write_log(session, result, log_format, errors)
        except InputError as error:
            session.unwritten.append(error)


def _write_log(
    session: Session, result: ScenarioResult, log_format: str, errors: list[ErrorFrame]
) -> None:
    from simcore.report import LOG_FORMATS, write_log

    folder = Path() if session.report is None else session.report
    stem = "".join(c if c.isalnum() or c in "._-" else "_" for c in result.name).strip("_")
    taken = {path for paths in session.log_files.values() for path in paths}
    suffix = LOG_FORMATS[log_format].suffix
    path = folder / f"{stem}{suffix}"
    number = 2
    while path in taken:
        path = folder / f"{stem}-{number}{suffix}"
        number += 1
    channels = [bus.channel for bus in result.buses]
    written = write_log(
        path,
        result.records,
        log_format,
        channels=channels,
        errors=errors,
        node=session.log_node,
    )
    session.log_files.setdefault(result.name, []).append(written)


def _finish(session: Session) -> Exit:
    """Write the report and print everything, whatever happened before."""
    from simcore.report import print_console
    from simcore.rig.bounds import bounds_of_all

    files = [] if session.report is None else _write_report(session, session.report)
    files += [("log", path) for paths in session.log_files.values() for path in paths]
    with unbroken_output():
        for kind, path in files:
            click.echo(f"{kind:<6} {path}")
        if bounds := bounds_of_all(session.results):
            click.echo(bounds)
        print_console(session.results)
    for requirement in _unknown_requirements(session):
        click.echo(f"note: requirement {requirement} is not in the requirement list", err=True)
    code = Exit.INTERRUPTED if session.interrupted else exit_of(session.results)
    for error in session.unwritten:
        click.echo(f"simcore: {error}", err=True)
        code = max(code, Exit.INVALID_INPUT)
    return code


def _write_report(session: Session, folder: Path) -> list[tuple[str, Path]]:
    """Write page and JUnit file; returns what was written."""
    from simcore.report import write_html, write_junit
    from simcore.rig.requirements import load_requirements

    texts = {name: entry.text for name, entry in load_requirements().items()}
    files = []
    try:
        page = write_html(
            folder / "report.html",
            session.results,
            requirement_texts=texts,
            version=__version__,
            log_files=session.log_files,
        )
        files.append(("report", page))
    except InputError as error:
        session.unwritten.append(error)
    try:
        files.append(("junit", write_junit(folder / "junit.xml", session.results)))
    except InputError as error:
        session.unwritten.append(error)
    return files


def _unknown_requirements(session: Session) -> list[str]:
    """Ids that scenarios name or check and the shipped list does not have: theirs, or misspelt."""
    from simcore.rig.requirements import load_requirements

    used = {name for result in session.results for name in result.requirements}
    used |= {check.requirement for result in session.results for check in result.checks}
    return sorted(used - set(load_requirements()))


def _replay_command(session: Session, item: Scenario) -> str:
    words = ["simcore", "run", f"{_short(item.file)}::{item.name}", "--seed", str(session.seed)]
    if session.options["dbc"] != SHIPPED:
        words += ["--dbc", session.options["dbc"]]
    for name in session.without:
        words += ["--without", name]
    if session.rta:
        words.append("--rta")
    words += session.dut_words
    return shlex.join(words)


def _short(file: str) -> str:
    """The path relative to here where it lies below, so that the report names no home folder."""
    try:
        return str(Path(file).resolve().relative_to(Path.cwd()))
    except ValueError:
        return file
