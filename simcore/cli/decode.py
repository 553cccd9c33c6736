"""`simcore decode`: the signals of a bus log as columns, in an npz archive, CSV tables or MF4."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output
from simcore.errors import InputError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

    from simcore.attach.log_columns import Frames, LogColumns
    from simcore.network import Database, Message
    from simcore.report.columns import Table

_SUFFIXES = (".npz", ".csv", ".mf4")
_UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_TIME = re.compile(r"([0-9.]+) ?(ns|us|ms|s)")
_NAMES_SHOWN = 20


def _time(text: str) -> int:
    """A time with its unit, `1.5 s` or `250us`, in ns."""
    found = _TIME.fullmatch(text.strip())
    try:
        time_ns = Decimal(found[1]) * _UNITS_NS[found[2]] if found else None
    except InvalidOperation:
        time_ns = None
    if time_ns is None:
        raise click.BadParameter(f"{text!r}: expected a number and ns, us, ms or s, as in 1.5s")
    if time_ns != int(time_ns):
        raise click.BadParameter(f"{text!r}: expected a whole number of ns")
    return int(time_ns)


@click.command(short_help="Decode a bus log into columns: npz, CSV or MF4.")
@click.argument("log_file", metavar="LOG", type=click.Path(path_type=Path))
@click.argument("dbc_file", metavar="FILE.dbc", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="What to write: .npz, .csv or .mf4. Default: the log's name with .npz, in this folder.",
)
@click.option(
    "--message",
    "message_names",
    multiple=True,
    metavar="NAME",
    help="Decode this message only; may be repeated.",
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME",
    help="Decode this channel of the log only; may be repeated.",
)
@click.option(
    "--from", "from_ns", type=_time, metavar="TIME", help="Leave out what was before, as 1.5s."
)
@click.option("--to", "until_ns", type=_time, metavar="TIME", help="Leave out this and later.")
@click.option("--bus", "network", metavar="NAME", help="Which network of a database of several.")
@click.option("--raw", is_flag=True, help="Raw values instead of physical ones.")
@click.option("--texts", is_flag=True, help="In CSV, texts of value tables instead of numbers.")
@click.option("--lenient", is_flag=True, help="Load what can be loaded of a bad database.")
@click.option("--force", is_flag=True, help="Replace what an earlier call has written there.")
def decode(
    log_file: Path,
    dbc_file: Path,
    output: Path | None,
    message_names: tuple[str, ...],
    channels: tuple[str, ...],
    from_ns: int | None,
    until_ns: int | None,
    network: str | None,
    raw: bool,
    texts: bool,
    lenient: bool,
    force: bool,
) -> None:
    """Decode LOG (.blf, .asc, .log of candump, .mf4) with FILE.dbc into one column per signal.

    Columns are called Message.Signal, with the times in ns in Message.time_ns; a message that came
    on several channels is Message@CHANNEL. An npz archive and an MF4 file hold all messages. CSV is
    one file where one message came, and a folder of the same name with a file each where several
    did; --force leaves nothing old of either. Times of --from and --to are those of the log. Of a
    damaged log everything before the damage is decoded. --bus is needed where networks of FILE.dbc
    have ids or names in common.

    \b
    Exit codes: 0 decoded, 2 usage, 3 a log or database that cannot be read (to its end) or have
    nothing in common, 70 internal error.
    """
    from simcore.attach.log_columns import Wanted, read_columns
    from simcore.network import Database

    target = Path(f"{log_file.stem}.npz") if output is None else output
    _check_output(target, raw=raw, texts=texts, force=force)
    _keep_inputs(target, log_file, dbc_file)
    database = Database.load(dbc_file, lenient=lenient)
    _print_dropped(database)
    known = _messages_of(database, network)
    wanted = Wanted(
        messages=_chosen(database, network, message_names, known),
        channels=frozenset(channels),
        from_ns=from_ns,
        until_ns=until_ns,
    )
    progress = _progress()
    with progress:
        size = log_file.stat().st_size if log_file.is_file() else 0
        reading = progress.add_task(f"reading {log_file.name}", total=size)
        found = read_columns(
            log_file,
            known,
            wanted,
            on_progress=lambda done: progress.update(reading, completed=done),
        )
        tables = _tables(found.frames)
        files = _write(target, tables, progress, raw=raw, texts=texts) if tables else []
    with unbroken_output():
        _print_result(found, tables, known, files)
    raise click.exceptions.Exit(int(_finish(found, tables, log_file)))


def _check_output(target: Path, *, raw: bool, texts: bool, force: bool) -> None:
    """Find out before the work whether its result can and may be written."""
    from simcore.report.columns import csv_folder, foreign_file

    suffix = target.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UsageError(
            "--output", expected=f"a name ending in {', '.join(_SUFFIXES)}", got=str(target)
        )
    if texts and suffix != ".csv":
        raise UsageError("--texts", expected="a .csv output", got=str(target))
    if texts and raw:
        raise UsageError("--texts", expected="no --raw with it", got="both")
    if suffix == ".mf4":
        from simcore.report.mf4 import require_asammdf

        require_asammdf()
    places = [target, csv_folder(target)] if suffix == ".csv" else [target]
    for place in places:
        if place.exists() and not force:
            raise UsageError("--output", expected="a new name, or --force", got=f"{place}: exists")
    if target.is_dir():
        raise UsageError("--output", expected="a file to replace", got=f"{target}: a folder")
    foreign = foreign_file(target) if suffix == ".csv" else None
    if foreign is not None:
        raise UsageError(
            "--output",
            expected=f"nothing but decoded tables in {csv_folder(target)} to replace",
            got=str(foreign),
        )


def _keep_inputs(target: Path, *inputs: Path) -> None:
    """Refuse to write over what is read, whatever `--force` says."""
    for each in inputs:
        is_same = target.exists() and each.exists() and target.samefile(each)
        if is_same or target.resolve() == each.resolve():
            raise UsageError("--output", expected="another file than those read", got=str(target))


def _print_dropped(database: Database) -> None:
    for problem in database.problems:
        if problem.severity == "dropped":
            click.echo(str(problem), err=True)


def _messages_of(database: Database, network: str | None) -> list[Message]:
    """All messages of the network."""
    if network is not None and network not in database.buses:
        from simcore.network.messages import unknown_name

        raise unknown_name(f"{database.name}: unknown bus", network, database.buses)
    return [each for each in database.messages if network is None or each.bus == network]


def _chosen(
    database: Database, network: str | None, names: tuple[str, ...], known: list[Message]
) -> list[Message]:
    """The messages of these names, all of them where there are no names."""
    present = {each.name for each in known}
    for name in names:
        if name not in present:
            database.message(name, bus=network)  # says so, with the nearest name
    return [each for each in known if not names or each.name in names]


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _tables(frames: list[Frames]) -> list[Table]:
    """A table per message and channel, named after the channel where there are several."""
    from simcore.report.columns import Table

    channels: dict[str, set[str]] = {}
    for each in frames:
        channels.setdefault(each.message.name, set()).add(each.channel)
    counts: Counter[str] = Counter()
    tables = []
    for each in frames:
        name = each.message.name
        if len(channels[name]) > 1:
            name = f"{name}@{each.channel}"
        counts[name] += 1
        if counts[name] > 1:  # two messages of one name
            name = f"{name}#{counts[name]}"
        tables.append(Table(name=name, message=each.message, time_ns=each.time_ns, data=each.data))
    return tables


def _write(
    target: Path, tables: list[Table], progress: Progress, *, raw: bool, texts: bool
) -> list[Path]:
    from simcore.report.columns import remove_csv, write_csv, write_npz

    total = sum(len(table.time_ns) for table in tables)
    writing = progress.add_task(f"writing {target.name}", total=total)
    on_rows = partial(progress.advance, writing)
    suffix = target.suffix.lower()
    if suffix == ".csv":
        remove_csv(target)  # a file and a folder of tables would else stand side by side
        return write_csv(target, tables, raw=raw, texts=texts, on_rows=on_rows)
    if suffix == ".mf4":
        from simcore.report.columns_mf4 import write_columns_mf4

        return [write_columns_mf4(target, tables, raw=raw, on_rows=on_rows)]
    return [write_npz(target, tables, raw=raw, on_rows=on_rows)]


def _print_result(
    found: LogColumns, tables: list[Table], known: list[Message], files: list[Path]
) -> None:
    frames = sum(len(table.time_ns) for table in tables)
    columns = sum(len(table.message.signals) for table in tables)
    click.echo(
        f"decoded  {frames} of {found.entry_count} entries of {found.file}: "
        f"{len(tables)} messages, {columns} signals"
    )
    if found.left_out_count:
        click.echo(f"left out {found.left_out_count}: by the options given")
    _print_counts("id not in the database", found.unknown)
    _print_counts("shorter than the message", found.short)
    _print_counts("remote frames", found.remote)
    _print_counts("cannot be decoded", found.undecodable)
    for message in known:
        if message.label in found.undecodable:
            click.echo(f"         {message.label}: {message.defect}")
    for kind, count in sorted(found.faults.items()):
        click.echo(f"not data {count}: {kind.plural if count > 1 else kind}")
    _print_counts(
        "unknown multiplexer number, nothing it selects", _unknown_pages(tables), "partly"
    )
    if len(files) == 1:
        click.echo(f"wrote    {files[0]}")
    elif files:
        click.echo(f"wrote    {files[0].parent}: {len(files)} files")


def _print_counts(reason: str, counts: Counter[str], word: str = "skipped") -> None:
    """One line: how many, why, and which with their counts, the most frequent first."""
    if not counts:
        return
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{name} ({count})" for name, count in ranked[:_NAMES_SHOWN]]
    if len(ranked) > _NAMES_SHOWN:
        told.append(f"{len(ranked) - _NAMES_SHOWN} more")
    click.echo(f"{word:<8} {counts.total()}: {reason}: {', '.join(told)}")


def _unknown_pages(tables: list[Table]) -> Counter[str]:
    """Frames in which a multiplexer has a number that is not in the database."""
    from simcore.network.batch import BatchDecoder

    counts: Counter[str] = Counter()
    for table in tables:
        count = int(BatchDecoder(table.message, []).refused(table.data).sum())
        if count:
            counts[table.name] = count
    return counts


def _finish(found: LogColumns, tables: list[Table], log_file: Path) -> Exit:
    if found.damage is not None:
        click.echo(f"simcore: {found.damage}", err=True)
        return Exit.INVALID_INPUT
    if not tables:
        raise InputError(
            "bus log",
            expected="frames of the messages asked for",
            got=f"none among {found.entry_count} entries, nothing written",
            file=str(log_file),
        )
    return Exit.PASSED
