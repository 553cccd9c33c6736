"""`simcore rta`: worst-case response time of each message of a database against its deadline."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output
from simcore.errors import InputError, UsageError
from simcore.units import format_ns, ms, s, us

if TYPE_CHECKING:
    from simcore.bus import BitTiming
    from simcore.network import Database
    from simcore.network.response_time import Analysis, ResponseTime

_UNITS: tuple[tuple[str, Callable[[float], int]], ...] = (("us", us), ("ms", ms), ("s", s))


def _time(text: str) -> int:
    """A time with its unit, `250us` or `1.5 ms`, in ns."""
    for unit, convert in _UNITS:
        number = text.removesuffix(unit).strip()
        if not text.endswith(unit) or not number.replace(".", "", 1).isdecimal():
            continue
        try:
            return int(number) * convert(1) if number.isdecimal() else convert(float(number))
        except UsageError as error:
            raise click.BadParameter(str(error)) from None
    raise click.BadParameter(f"{text!r}: expected a number and us, ms or s, as in 250us")


def _span(text: str) -> int:
    """A time that is not 0."""
    time_ns = _time(text)
    if time_ns == 0:
        raise click.BadParameter(f"{text!r}: expected more than 0")
    return time_ns


def _named_time(text: str) -> tuple[str, int]:
    """`250us` as ("", 250000), `NAME=250us` as ("NAME", 250000)."""
    name, _, time = text.rpartition("=")
    return name, _time(time)


def _named_span(text: str) -> tuple[str, int]:
    name, _, time = text.rpartition("=")
    return name, _span(time)


@click.command(short_help="Bound the response time of each message of a DBC file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--nominal", "nominal_bps", type=int, metavar="BPS", help="Nominal bit rate.")
@click.option("--data", "data_bps", type=int, metavar="BPS", help="Data bit rate of CAN FD.")
@click.option(
    "--jitter",
    "jitters",
    type=_named_time,
    multiple=True,
    metavar="[NAME=]TIME",
    help="Queuing jitter of all messages (250us) or of one (NAME=250us). Default: none.",
)
@click.option(
    "--deadline",
    "deadlines",
    type=_named_span,
    multiple=True,
    metavar="[NAME=]TIME",
    help="Deadline of all messages (5ms) or of one (NAME=5ms). Default: the cycle time.",
)
@click.option(
    "--event-gap",
    "event_gap_ns",
    type=_span,
    metavar="TIME",
    help="Least gap of event messages for which FILE has no GenMsgDelayTime.",
)
@click.option(
    "--errors",
    "error_count",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Errors on the wire that may hit a busy period.",
)
@click.option(
    "--error-interval",
    "error_interval_ns",
    type=_span,
    metavar="TIME",
    help="One more error in each such interval.",
)
@click.option(
    "--redundant", is_flag=True, help="Analyse the second bus: messages with RedundantBus alone."
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write the table, times in ns.",
)
@click.option(
    "--plot",
    "plot_file",
    type=click.Path(path_type=Path),
    metavar="FILE.svg",
    help="Draw each response time against its deadline.",
)
def rta(
    file: Path,
    nominal_bps: int | None,
    data_bps: int | None,
    jitters: tuple[tuple[str, int], ...],
    deadlines: tuple[tuple[str, int], ...],
    event_gap_ns: int | None,
    error_count: int,
    error_interval_ns: int | None,
    redundant: bool,
    csv_file: Path | None,
    plot_file: Path | None,
) -> None:
    """Bound the time from release to the end of frame of each message of FILE, by priority.

    Bit rates are those of FILE (Baudrate, BaudrateCANFD) where none are given.

    \b
    Exit codes: 0 all deadlines met, 1 one missed or without a bound or nothing analysed, 2 usage,
    3 invalid input.
    """
    from simcore.network import Database
    from simcore.network.database_timing import TimingOptions, message_timings
    from simcore.network.response_time import ErrorHypothesis, analyse

    options = TimingOptions(
        jitter_ns=dict(jitters).get("", 0),
        jitters_ns={name: time_ns for name, time_ns in jitters if name},
        deadline_ns=dict(deadlines).get(""),
        deadlines_ns={name: time_ns for name, time_ns in deadlines if name},
        event_gap_ns=event_gap_ns,
    )
    database = Database.load(file)
    database.refuse_errors()
    for problem in database.problems:
        click.echo(str(problem), err=True)
    for name, _ in (*jitters, *deadlines):
        if name:
            database.message(name)
    timing = _timing(database, nominal_bps, data_bps)
    try:
        analysis = analyse(
            message_timings(database, timing, options, redundant_only=redundant),
            timing,
            errors=ErrorHypothesis(burst=error_count, interval_ns=error_interval_ns),
        )
    except UsageError as error:  # a message that no frame can carry
        raise InputError(str(error), file=str(file)) from error
    with unbroken_output():
        _print_head(file, database, timing, nominal_bps, data_bps)
        _print_table(analysis)
        _print_remarks(database, analysis)
        _print_verdict(analysis)
    _write_files(analysis, file, csv_file, plot_file)
    # Where nothing was analysed nothing was shown.
    passed = analysis.is_schedulable and len(analysis.messages) > 0
    raise click.exceptions.Exit(int(Exit.PASSED if passed else Exit.CHECK_FAILED))


def _timing(database: Database, nominal_bps: int | None, data_bps: int | None) -> BitTiming:
    """Rates of the command line, else of the database, else assumed."""
    from simcore.bus import BitTiming
    from simcore.rig.timing import DEFAULT_DATA_BPS, DEFAULT_NOMINAL_BPS

    if data_bps is not None and not database.is_fd:
        raise UsageError("--data", expected="a database with CAN FD messages", got=database.name)
    known_bps = _first(nominal_bps, database.nominal_bps, DEFAULT_NOMINAL_BPS)
    fast_bps = _first(data_bps, database.data_bps, max(DEFAULT_DATA_BPS, known_bps))
    try:
        return BitTiming(nominal_bps=known_bps, data_bps=fast_bps if database.is_fd else None)
    except UsageError as error:
        if nominal_bps is None and data_bps is None:  # the rates are those of the file
            raise InputError(str(error), file=database.name) from error
        raise


def _first(*rates_bps: int | None) -> int:
    """The first rate that is known; the last always is."""
    return next(rate_bps for rate_bps in rates_bps if rate_bps is not None)


def _print_head(
    file: Path,
    database: Database,
    timing: BitTiming,
    nominal_bps: int | None,
    data_bps: int | None,
) -> None:
    data = "" if timing.data_bps is None else f", data {timing.data_bps / 1e6:g} Mbit/s"
    click.echo(
        f"{file}: {len(database.messages)} messages, {timing.nominal_bps / 1e3:g} kbit/s{data}"
    )
    known = (nominal_bps or database.nominal_bps, data_bps or database.data_bps)
    if known[0] is None or (database.is_fd and known[1] is None):
        click.echo("bit rates the file does not name (Baudrate, BaudrateCANFD) are assumed")


def _print_table(analysis: Analysis) -> None:
    names = [row.message.name for row in analysis.messages]
    width = max((len(name) for name in (*names, "message")), default=0)
    click.echo(
        f"{'id':>10}  {'message':<{width}}  {'sender':<8} {'frame us':>9} {'period ms':>10} "
        f"{'jitter us':>9} {'blocked us':>10} {'instances':>9} {'response us':>11} "
        f"{'deadline us':>12} {'used':>7}  verdict"
    )
    for row in analysis.messages:
        message = row.message
        digits = 8 if message.is_extended_id else 3
        identifier = f"0x{message.arbitration_id:0{digits}X}"
        bounded = row.response_ns is not None
        click.echo(
            f"{identifier:>10}  {message.name:<{width}}  {message.sender or '-':<8} "
            f"{_us(message.transmission_ns):>9} {(message.period_ns or 0) / 1e6:>10g} "
            f"{_us(message.jitter_ns):>9} {_us(row.blocking_ns):>10} "
            f"{len(row.instances_ns) if bounded else '-':>9} {_us(row.response_ns):>11} "
            f"{_us(row.deadline_ns):>12} {_used(row):>7}  {_word(row)}"
        )


def _us(time_ns: int | None) -> str:
    return "-" if time_ns is None else f"{time_ns / 1e3:.1f}"


def _used(row: ResponseTime) -> str:
    """Share of the deadline the response takes."""
    return "-" if row.response_ns is None else f"{row.response_ns / row.deadline_ns:.1%}"


def _word(row: ResponseTime) -> str:
    if row.response_ns is None:
        return "NO BOUND"
    condition = " (if)" if row.assumes_silent else ""
    return ("ok" if row.is_schedulable else "MISSED") + condition


def _print_remarks(database: Database, analysis: Analysis) -> None:
    """What the table cannot say: nothing is left out in silence."""
    from simcore.network.database_timing import may_send_between_cycles

    for row in analysis.messages:
        if row.reason:
            click.echo(f"no bound for {row.message.label}: {row.reason}")
    if analysis.not_analysed:
        longest_ns = max(message.transmission_ns for message in analysis.not_analysed)
        click.echo(
            f"not analysed, for neither cycle time nor least gap is known (see --event-gap); they "
            f"do block, for up to {_us(longest_ns)} us: "
            + ", ".join(message.label for message in analysis.not_analysed)
        )
    silent = dict.fromkeys(name for row in analysis.messages for name in row.assumes_silent)
    if silent:
        click.echo(f"(if): holds while these higher priorities do not send: {', '.join(silent)}")
    analysed = {row.message.name for row in analysis.messages}
    for each in may_send_between_cycles(m for m in database.messages if m.name in analysed):
        click.echo(
            f"note: {each.label} is sent {each.send_type} and has no GenMsgDelayTime: its bound "
            "and those of lower priorities hold for its cyclic frames alone"
        )


def _print_verdict(analysis: Analysis) -> None:
    rows = analysis.messages
    met = sum(row.is_schedulable for row in rows)
    tightest = max(
        (row for row in rows if row.response_ns is not None),
        key=lambda row: Fraction(row.response_ns or 0, row.deadline_ns),
        default=None,
    )
    near = "" if tightest is None else f", tightest {tightest.message.name} at {_used(tightest)}"
    errors = analysis.errors
    allowed = f", {errors.burst} errors" if errors.burst else ""
    if errors.interval_ns is not None:
        allowed += f", an error each {format_ns(errors.interval_ns)}"
    click.echo(
        f"worst-case bus load {analysis.utilisation_ratio:.1%}{allowed}; "
        f"deadlines met: {met} of {len(rows)}{near}"
    )


def _write_files(
    analysis: Analysis, file: Path, csv_file: Path | None, plot_file: Path | None
) -> None:
    from simcore.report.response_plot import write_response_plot
    from simcore.report.response_table import write_response_table

    for option, path, ending in (("--csv", csv_file, ".csv"), ("--plot", plot_file, ".svg")):
        if path is not None and path.suffix != ending:
            raise UsageError(option, expected=f"a file name that ends in {ending}", got=str(path))
    if csv_file is not None:
        write_response_table(csv_file, analysis)
    if plot_file is not None:
        title = f"Worst-case response times, {file.name}"
        write_response_plot(plot_file, analysis, title=title)
