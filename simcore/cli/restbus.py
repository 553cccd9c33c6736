"""`simcore restbus`: play the nodes of any network, in virtual time or on a real interface."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.cli.bridge import open_foreign, print_bridge, say_late
from simcore.cli.collector import relax_collector
from simcore.cli.exits import Exit, exit_of
from simcore.cli.output import unbroken_output
from simcore.cli.run import LOG_CHOICES, prepare_folder
from simcore.errors import InputError, UsageError
from simcore.units import NS_PER_S, format_ns
from simcore.version import __version__

if TYPE_CHECKING:
    from simcore.bus import BitTiming
    from simcore.network import Database
    from simcore.network.send_types import SendTypes
    from simcore.rig import BusStatistics, Restbus, ScenarioResult

REQUIREMENT = "RESTBUS"
DEFAULT_DURATION_NS = 10 * NS_PER_S
_STEP_NS = NS_PER_S // 2
"""Virtual time between two looks at the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What is written besides standard output."""

    report: Path | None
    log_formats: tuple[str, ...]


def _names(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> list[str] | None:
    """Options that may be repeated and hold several names, with commas between them."""
    names = [word.strip() for each in value for word in each.split(",") if word.strip()]
    if value and not names:
        raise click.BadParameter("expected the names of nodes")
    return names or None


def _duration(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    from simcore.cli.restbus_arguments import seconds_of

    if value is None:
        return None
    duration_ns = seconds_of(value, "--duration")
    if duration_ns == 0:
        raise click.BadParameter(f"{value!r}: expected more than 0 s")
    return duration_ns


@click.command(short_help="Play the nodes of any network file: a restbus.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--all-but",
    multiple=True,
    callback=_names,
    metavar="NODE,...",
    help="Play all nodes but these: they are the modules under test.",
)
@click.option(
    "--play", multiple=True, callback=_names, metavar="NODE,...", help="Play these nodes only."
)
@click.option(
    "--duration",
    "duration_ns",
    callback=_duration,
    metavar="SECONDS",
    help="How long [default: 10 s; on an interface until interrupted].",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="MSG.SIG=VALUE",
    help="Send this value: a number or a text of the value table. Not for what E2E and SecOC fill "
    "in: see --fault.",
)
@click.option(
    "--write",
    "writes",
    multiple=True,
    metavar="MSG.SIG=VALUE@SECONDS",
    help="Write it at a time before the end, with the events it raises.",
)
@click.option(
    "--drive",
    "drives",
    multiple=True,
    metavar="MSG.SIG=FILE[:PART]",
    help="Take the value from a column of a .csv file, or as recorded in a bus log. PART: the "
    "column, or the channel of the log.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME:KEY=VALUE,...@START[+DURATION]",
    help="Break a message, as MessageStopped:message=M,frames=5@2 or "
    "MessageCycle:message=M,cycle_ms=7@1+0.5; it begins before the end. A wrong NAME lists "
    "them all, node=NODE is needed where several send M.",
)
@click.option(
    "--cycle",
    "cycles",
    multiple=True,
    metavar="[MSG=]MS",
    help="Cycle time of a message, or of all for which FILE has neither cycle time nor event.",
)
@click.option(
    "--send-type",
    "send_types",
    multiple=True,
    metavar="TEXT=TYPE",
    help="What a send type of the file means, as Zyk=Cyclic.",
)
@click.option(
    "--send-types",
    "send_types_file",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="The same as a table [send_types].",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["dbc", "kcd", "sym", "arxml"]),
    help="Format of FILE [default: by its suffix].",
)
@click.option("--lenient", is_flag=True, help="Play what can be played of a file with errors.")
@click.option(
    "--protection",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="E2E and SecOC settings [default: <stem>.protection.toml beside FILE].",
)
@click.option("--bus", "network", metavar="NAME", help="Which network of a file of several.")
@click.option("--nominal-bps", type=click.IntRange(min=1), metavar="BPS", help="Nominal bit rate.")
@click.option(
    "--data-bps", type=click.IntRange(min=1), metavar="BPS", help="Data bit rate of CAN FD."
)
@click.option(
    "--spread/--no-spread",
    default=None,
    help="Spread the starts of cyclic messages [default: where most have no start delay].",
)
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
    help="Write a bus log into the report folder (or here without --report).",
)
@click.option("--interface", help="Real time on this interface of python-can, as socketcand.")
@click.option("--channel", help="The interface's channel: can0, an address ...")
@click.option(
    "--option",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another setting of the interface, as port=43113.",
)
@click.option("--fd/--no-fd", default=None, help="CAN FD on the interface [default: as FILE].")
@click.option("--tolerate-late", is_flag=True, help="Overload is reported and does not fail.")
def restbus(
    file: Path,
    duration_ns: int | None,
    sets: Sequence[str],
    writes: Sequence[str],
    drives: Sequence[str],
    faults: Sequence[str],
    file_format: str | None,
    lenient: bool,
    protection: Path | None,
    report: Path | None,
    log_formats: tuple[str, ...],
    interface: str | None,
    channel: str | None,
    settings: tuple[str, ...],
    fd: bool | None,
    tolerate_late: bool,
    seed: int,
    **choices: Any,
) -> None:
    """Play all nodes of FILE (.dbc, .kcd, .sym, .arxml), or all but the modules under test.

    Messages are sent as their send types and cycle times say, with counters and checksums right.
    Without --interface in virtual time, as fast as the machine goes; with it in real time, and the
    nodes left out are expected there; those left out by --play may be missing.

    \b
    Exit codes: 0 passed, 1 a check failed, nothing was sent, a fault concerned no frame, or a
    finding, 2 usage, 3 invalid input or an interface that cannot be opened, 70 internal error,
    130 interrupted.
    """
    from simcore.network import Database

    output = _output(report, log_formats, interface, channel)
    with _hint_for(file, lenient):
        database = Database.load(file, lenient=lenient, format=file_format, protection=protection)
        with unbroken_output():
            _print_file(file, database)
        rig = _restbus(database, seed, choices)
    if interface is None:
        duration_ns = duration_ns or DEFAULT_DURATION_NS
    _apply(rig, duration_ns, sets, writes, drives, faults)
    relax_collector()
    with unbroken_output():
        _print_head(rig, rates_given=choices["nominal_bps"] is not None)
    if interface is not None and channel is not None:
        is_fd = database.is_fd if fd is None else fd
        with open_foreign(interface, channel, is_fd, settings) as foreign:
            tolerated = _tolerated(tolerate_late, choices["play"] is not None)
            code = _join(rig, foreign, f"{interface} {channel}", duration_ns, tolerated)
        _write_logs(rig, file, output)
    else:
        assert duration_ns is not None
        code = _simulate(rig, file, duration_ns, output)
    raise click.exceptions.Exit(int(code))


@contextmanager
def _hint_for(file: Path, lenient: bool) -> Iterator[None]:
    """Name the way out where a network file is refused."""
    try:
        yield
    except InputError as error:
        if not lenient and error.file == str(file) and file.is_file():
            click.echo("--lenient plays what can be played of a file with errors", err=True)
        raise


def _output(
    report: Path | None, log_formats: tuple[str, ...], interface: str | None, channel: str | None
) -> Output:
    """Find out before the run whether its results can be written after it."""
    from simcore.report.logs import require_format

    if (interface is None) != (channel is None):
        missing = "--interface" if interface is None else "--channel"
        raise UsageError(missing, expected="--interface and --channel together")
    if report is not None and interface is not None:
        raise UsageError("--report", expected="virtual time, without --interface")
    for log_format in log_formats:
        require_format(log_format)
    if report is not None:
        prepare_folder(report)
    return Output(report=report, log_formats=tuple(dict.fromkeys(log_formats)))


def _restbus(database: Database, seed: int, choices: dict[str, Any]) -> Restbus:
    from simcore.cli.restbus_arguments import cycle_of
    from simcore.rig import Restbus

    return Restbus(
        database,
        play=choices["play"],
        all_but=choices["all_but"],
        seed=seed,
        timing=_timing(database, choices["network"], choices["nominal_bps"], choices["data_bps"]),
        bus=choices["network"],
        spread_offsets=choices["spread"],
        cycles=dict(map(cycle_of, choices["cycles"])),
        send_types=_send_types(choices["send_types"], choices["send_types_file"]),
    )


def _timing(
    database: Database, bus: str | None, nominal_bps: int | None, data_bps: int | None
) -> BitTiming | None:
    """Rates of the command line, for the rest those of the database."""
    from simcore.bus import BitTiming
    from simcore.rig.timing import timing_of

    if nominal_bps is None and data_bps is None:
        return None
    if data_bps is not None and not database.is_fd:
        where = f"--data-bps {data_bps}"
        raise UsageError(where, expected="a file with CAN FD messages", got=database.name)
    known = timing_of(database, bus)
    return BitTiming(
        nominal_bps=nominal_bps or known.nominal_bps,
        data_bps=(data_bps or known.data_bps) if database.is_fd else None,
    )


def _send_types(words: Sequence[str], file: Path | None) -> SendTypes:
    from simcore.network.send_types import SendTypes

    table = {} if file is None else SendTypes.load(file).extra
    return SendTypes({**table, **SendTypes.parse(words).extra})


def _apply(rig: Restbus, end_ns: int | None, *words: Sequence[str]) -> None:
    from simcore.cli.restbus_orders import apply

    apply(rig, *words, end_ns=end_ns)


def _print_file(file: Path, database: Database) -> None:
    from simcore.cli.restbus_print import print_file

    print_file(file, database)


def _print_head(rig: Restbus, *, rates_given: bool) -> None:
    from simcore.cli.restbus_print import print_head

    print_head(rig, rates_given=rates_given)


# -- virtual time --------------------------------------------------------------------------------


def _simulate(rig: Restbus, file: Path, duration_ns: int, output: Output) -> Exit:
    with unbroken_output():
        click.echo(
            f"seed {rig.seed}, {duration_ns / NS_PER_S:g} s of virtual time, simcore {__version__}"
        )
    interrupted = _run(rig, duration_ns)
    result = _result(rig, file, duration_ns, output)
    files = [] if output.report is None else _written(output.report, result)
    files += _write_logs(rig, file, output, silent=True)
    with unbroken_output():
        _print_result(rig, result, files)
    if interrupted:
        click.echo(f"simcore: the run was stopped at {format_ns(rig.now_ns)}", err=True)
        return Exit.INTERRUPTED
    return exit_of([result])


def _run(rig: Restbus, duration_ns: int) -> bool:
    """Let time pass, with progress on a terminal; whether the user ended it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.completed:.1f} of {task.total:g} s"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=duration_ns / NS_PER_S)
        try:
            while rig.now_ns < duration_ns:
                rig.run_for(min(_STEP_NS, duration_ns - rig.now_ns))
                progress.update(task, completed=rig.now_ns / NS_PER_S)
        except KeyboardInterrupt:
            return True
    return False


def _result(rig: Restbus, file: Path, duration_ns: int, output: Output) -> ScenarioResult:
    from simcore.rig.restbus_result import restbus_result

    return restbus_result(
        rig,
        file.name,
        file=str(file),
        title=f"Restbus for {duration_ns / NS_PER_S:g} s",
        options={"network": file.name},
        replay_command=shlex.join(["simcore", *sys.argv[1:]]),
        with_frames=output.report is not None,
        judge=partial(_judge, rig),
    )


def _judge(rig: Restbus, buses: tuple[BusStatistics, ...]) -> None:
    """A restbus that sends nothing is not what anybody wanted, nor a fault that breaks nothing."""
    count = sum(bus.frame_count for bus in buses)
    rig.check(REQUIREMENT, count > 0, measured=f"{count}", limit=">= 1", text="frames on the bus")
    for fault in rig.faults:
        if fault.did_nothing:
            text = f"frames that the fault concerned ({fault.fault.sentence})"
            rig.check(REQUIREMENT, False, measured="0", limit=">= 1", text=text)


def _written(folder: Path, result: ScenarioResult) -> list[tuple[str, Path]]:
    from simcore.report import write_html, write_junit
    from simcore.rig.requirements import load_requirements

    page = write_html(
        folder / "report.html",
        [result],
        requirement_texts={name: entry.text for name, entry in load_requirements().items()},
        version=__version__,
        log_files={},
    )
    return [("report", page), ("junit", write_junit(folder / "junit.xml", [result]))]


def _write_logs(
    rig: Restbus, file: Path, output: Output, *, silent: bool = False
) -> list[tuple[str, Path]]:
    from simcore.report import LOG_FORMATS, write_log

    folder = Path() if output.report is None else output.report
    written = [
        (
            "log",
            write_log(
                folder / f"{file.stem}{LOG_FORMATS[log_format].suffix}",
                rig.recorder.frames,
                log_format,
                channels=[bus.name for bus in rig.buses],
                errors=[error for bus in rig.buses for error in bus.error_frames],
            ),
        )
        for log_format in output.log_formats
    ]
    if not silent:
        for kind, path in written:
            click.echo(f"{kind:<8} {path}")
    return written


def _print_result(rig: Restbus, result: ScenarioResult, files: list[tuple[str, Path]]) -> None:
    from simcore.cli.restbus_print import print_events, print_messages
    from simcore.report import print_console

    print_messages(rig, result.messages)
    print_events(rig)
    for kind, path in files:
        click.echo(f"{kind:<8} {path}")
    print_console([result])


# -- real time -----------------------------------------------------------------------------------


def _tolerated(is_late: bool, is_part: bool) -> tuple[str, ...]:
    """Findings that do not fail: who plays some nodes only does not say that the others exist."""
    late = ("overload:",) if is_late else ()
    return (*late, "is outside and never sent") if is_part else late


def _join(
    rig: Restbus, foreign: Any, place: str, duration_ns: int | None, tolerated: tuple[str, ...]
) -> Exit:
    from simcore.attach.bridge import Bridge

    joined = Bridge(rig, foreign, outside=rig.absent, on_late=say_late)
    click.echo(f"the restbus is on {place}, seed {rig.seed}; Ctrl-C ends it", err=True)
    report = joined.run(None if duration_ns is None else duration_ns / NS_PER_S)
    with unbroken_output():
        print_bridge(report)
    idle = [fault.fault.sentence for fault in rig.faults if fault.did_nothing]
    for sentence in idle:
        click.echo(f"fault    concerned no frame: {sentence}")
    failed = idle + [
        finding for finding in report.findings if not any(text in finding for text in tolerated)
    ]
    return Exit.CHECK_FAILED if failed else Exit.PASSED
