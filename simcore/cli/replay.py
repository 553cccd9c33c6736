"""`simcore replay`: play a bus log onto the chassis, and say how well it came through."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.collector import relax_collector
from simcore.cli.exits import Exit, exit_of
from simcore.cli.output import unbroken_output
from simcore.cli.run import SHIPPED, load_chassis, prepare_folder
from simcore.errors import UsageError
from simcore.units import NS_PER_MS, format_ns
from simcore.version import __version__

if TYPE_CHECKING:
    from simcore.attach.log_reader import Log
    from simcore.attach.replay import Outcome, Replay
    from simcore.rig import Rig, ScenarioResult

_REQUIREMENT = "REPLAY"
_AFTERWARDS_NS = NS_PER_MS
"""The run goes on this long after the last frame, so that late ones are seen."""
_NAMES_SHOWN = 5


def _words(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> set[str]:
    """Options that may be repeated and hold several names, with commas between them."""
    return {word.strip() for each in value for word in each.split(",") if word.strip()}


def _identifiers(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> set[int]:
    found = set()
    for word in _words(context, parameter, value):
        try:
            found.add(int(word, 0))
        except ValueError:
            raise click.BadParameter(f"{word!r}: expected an identifier, as in 0x060") from None
    return found


def _channels(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    pairs = {}
    for word in value:
        channel, equals, bus = word.partition("=")
        if not (channel and equals and bus):
            raise click.BadParameter(f"{word!r}: expected LOG=BUS, as in can0=CHASSIS_A")
        pairs[channel] = bus
    return pairs


@click.command(short_help="Play a bus log onto the chassis at the recorded times.")
@click.argument("log_file", metavar="LOG", type=click.Path(path_type=Path))
@click.option(
    "--dbc",
    "dbc_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another database than the shipped one.",
)
@click.option(
    "--all-but",
    "under_test",
    multiple=True,
    callback=_words,
    metavar="NODE,...",
    help="Simulate these nodes; the log plays all others.",
)
@click.option(
    "--only",
    "only_ids",
    multiple=True,
    callback=_identifiers,
    metavar="ID,...",
    help="Play these identifiers only, as 0x060.",
)
@click.option(
    "--node",
    "only_nodes",
    multiple=True,
    callback=_words,
    metavar="NODE,...",
    help="Play what these nodes sent only.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    callback=_channels,
    metavar="LOG=BUS",
    help="Which bus a channel of the log is, as can0=CHASSIS_A.",
)
@click.option("--from-first", is_flag=True, help="Let time 0 be the start of the first frame.")
@click.option("--exact", is_flag=True, help="Fail where a frame came at another time.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write report.html and junit.xml into DIR.",
)
@click.option(
    "--log",
    "log_out",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write the replay's own log; the suffix says in which format.",
)
def replay(
    log_file: Path,
    dbc_file: Path | None,
    under_test: set[str],
    only_ids: set[int],
    only_nodes: set[str],
    channels: dict[str, str],
    from_first: bool,
    exact: bool,
    report: Path | None,
    log_out: Path | None,
) -> None:
    """Play LOG (.blf, .asc, .log of candump, .mf4) onto the chassis.

    The log sits in the place of every node, or of all but the ones under test, and each frame
    starts when it did. A damaged log is played up to the damage.

    \b
    Exit codes: 0 all frames were sent, 1 one was not, came late with --exact, or a module failed,
    2 usage, 3 a log or database that cannot be read (to its end), 70 internal error.
    """
    from simcore.attach.log_reader import read_log
    from simcore.attach.replay import Choice, Replay
    from simcore.rig import Rig

    log_format = None if log_out is None else _format_of(log_out)
    if report is not None:
        prepare_folder(report)
    log = read_log(log_file)
    with unbroken_output():
        click.echo(f"log {log_file}, {_counted(log)}, simcore {__version__}")
    rig = Rig(database=None if dbc_file is None else load_chassis(dbc_file))
    choice = Choice(
        under_test=under_test,
        only_ids=only_ids or None,
        only_nodes=only_nodes or None,
        channels=channels,
        from_first=from_first,
    )
    played = Replay(rig, log.records, choice=choice, resolution_ns=log.resolution_ns)
    relax_collector()
    rig.run_for(played.end_ns + _AFTERWARDS_NS - rig.now_ns)
    outcome = played.outcome(rig.recorder.frames)
    _judge(rig, played, outcome, exact=exact)
    result = _result(rig, log_file, dbc_file)
    files = [] if report is None else _written(report, result)
    if log_out is not None and log_format is not None:
        files.append(("log", _write_log(rig, log_out, log_format)))
    raise click.exceptions.Exit(int(_finish(log, played, outcome, result, files)))


def _format_of(path: Path) -> str:
    """The log format of a file by its suffix."""
    from simcore.report import LOG_FORMATS
    from simcore.report.logs import require_format

    for name, known in LOG_FORMATS.items():
        if known.suffix == path.suffix.lower():
            require_format(name)
            return name
    suffixes = ", ".join(known.suffix for known in LOG_FORMATS.values())
    raise UsageError("--log", expected=f"a name ending in {suffixes}", got=str(path))


def _counted(log: Log) -> str:
    """What a log holds: `BLF, 2422 frames, 3 error frames`."""
    from simcore.attach.log_record import EntryKind

    counts = log.counts
    told = [f"{counts[kind]} {kind.plural}" for kind in EntryKind if counts[kind]]
    return ", ".join([log.format, *(told or ["no frames"])])


def _judge(rig: Rig, played: Replay, outcome: Outcome, *, exact: bool) -> None:
    """What a replay is held to, as checks."""
    sent = len(played.frames) - outcome.missing_count
    rig.check(
        _REQUIREMENT,
        sent > 0 and outcome.missing_count == 0,
        measured=f"{sent} of {len(played.frames)}",
        limit="all, at least one",
        text="frames of the log that were sent",
    )
    if exact:
        rig.check(
            _REQUIREMENT,
            outcome.exact_count == len(played.frames),
            measured=f"{outcome.exact_count} of {len(played.frames)}",
            limit="all",
            text="frames of the log that were sent at the recorded time",
        )


def _result(rig: Rig, log_file: Path, dbc_file: Path | None) -> ScenarioResult:
    """What the run left; invariants know nothing of a driver who exists in a log only."""
    from simcore.rig import Scenario
    from simcore.rig.scenario import collect

    item = Scenario(name=log_file.name, function=_played_log, file=str(log_file))
    command = shlex.join(["simcore", *sys.argv[1:]])
    options = {"dbc": SHIPPED if dbc_file is None else str(dbc_file)}
    result = collect(rig, item, None, options=options, replay_command=command)
    return replace(result, checks=tuple(rig.checks))


def _played_log(rig: Rig) -> None:
    """A bus log, played at the recorded times."""


def _write_log(rig: Rig, path: Path, log_format: str) -> Path:
    from simcore.report import write_log

    return write_log(
        path,
        rig.recorder.frames,
        log_format,
        channels=[bus.name for bus in rig.buses],
        errors=[error for bus in rig.buses for error in bus.error_frames],
    )


def _written(folder: Path, result: ScenarioResult) -> list[tuple[str, Path]]:
    from simcore.report import write_html, write_junit

    page = write_html(
        folder / "report.html", [result], requirement_texts={}, version=__version__, log_files={}
    )
    return [("report", page), ("junit", write_junit(folder / "junit.xml", [result]))]


def _finish(
    log: Log,
    played: Replay,
    outcome: Outcome,
    result: ScenarioResult,
    files: list[tuple[str, Path]],
) -> Exit:
    from simcore.report import print_console

    with unbroken_output():
        for kind, path in files:
            click.echo(f"{kind:<8} {path}")
        _print_outcome(played, outcome)
        print_console([result])
    code = exit_of([result])
    if log.damage is not None:
        click.echo(f"simcore: {log.damage}", err=True)
        code = max(code, Exit.INVALID_INPUT)
    return code


def _print_outcome(played: Replay, outcome: Outcome) -> None:
    click.echo(f"played   {len(played.frames)} frames, until {format_ns(played.end_ns)}")
    shifted = f", {outcome.shifted_count} at another time" if outcome.shifted_count else ""
    furthest = f" (by up to {format_ns(outcome.worst_ns)})" if outcome.shifted_count else ""
    missing = f", {outcome.missing_count} not sent" if outcome.missing_count else ""
    click.echo(f"on time  {outcome.exact_count}{shifted}{furthest}{missing}")
    for reason, names in sorted(played.skipped.items()):
        click.echo(f"skipped  {names.total()}: {reason} ({_listed(names)})")


def _listed(names: Counter[str]) -> str:
    """The most frequent names with their counts."""
    ranked = sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{name} {count}" for name, count in ranked[:_NAMES_SHOWN]]
    if len(ranked) > _NAMES_SHOWN:
        told.append(f"{len(ranked) - _NAMES_SHOWN} more")
    return ", ".join(told)
