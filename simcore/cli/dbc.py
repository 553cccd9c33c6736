"""`simcore dbc`: what a database holds, what load it puts on a bus, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.exits import Exit
from simcore.errors import InputError, UsageError

if TYPE_CHECKING:
    from simcore.bus import BitTiming
    from simcore.network import Database, Message


@click.command(short_help="List messages, cycles, bus load and problems of a DBC file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--lenient",
    is_flag=True,
    help="Load what can be loaded, list what was left out, and accept every problem.",
)
@click.option(
    "--protection",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="E2E and SecOC settings [default: <stem>.protection.toml beside FILE].",
)
def dbc(file: Path, lenient: bool, protection: Path | None) -> None:
    """List the messages of FILE with cycle times, exact and worst-case wire time, and bus load.

    FILE is a DBC, KCD, SYM or ARXML file. Its problems follow; with an error among them the
    exit code is 3, unless --lenient.
    """
    from simcore.network import Database
    from simcore.rig.timing import timing_of

    database = Database.load(file, lenient=lenient, protection=protection)
    try:
        timing = timing_of(database)
    except UsageError as error:  # bit rates that no controller has
        raise InputError(str(error), file=str(file)) from error
    data = "" if timing.data_bps is None else f", data {timing.data_bps / 1e6:g} Mbit/s"
    signals = sum(len(message.signals) for message in database.messages)
    click.echo(
        f"{file}: {len(database.messages)} messages, {signals} signals, "
        f"{len(database.nodes)} nodes, {timing.nominal_bps / 1e3:g} kbit/s{data}"
    )
    if database.nominal_bps is None or (database.is_fd and database.data_bps is None):
        click.echo("bit rates the file does not name (Baudrate, BaudrateCANFD) are assumed")
    _print_messages(database, timing)
    if _print_problems(database) and not lenient:
        raise click.exceptions.Exit(int(Exit.INVALID_INPUT))


def _print_messages(database: Database, timing: BitTiming) -> None:
    width = max((len(message.name) for message in database.messages), default=4)
    click.echo(
        f"{'id':>10}  {'message':<{width}}  {'sender':<8} {'bytes':>5} {'format':<7}"
        f"{'cycle':>9} {'offset':>8} {'wire us':>9} {'worst us':>9} {'load':>7} {'worst':>7}  E2E"
    )
    total = worst_total = 0.0
    for message in sorted(database.messages, key=lambda m: (m.is_extended_id, m.arbitration_id)):
        times_ns = _wire_times_ns(message, timing)
        cycle_ns = message.cycle_time_ns
        cycle = "event" if cycle_ns is None else f"{cycle_ns / 1e6:g} ms"
        wire_us, worst_us, load, worst = "-", "-", "-", "-"
        if times_ns is not None:
            exact_ns, worst_ns = times_ns
            wire_us, worst_us = f"{exact_ns / 1e3:.1f}", f"{worst_ns / 1e3:.1f}"
            if cycle_ns is not None:
                load, worst = f"{exact_ns / cycle_ns:.2%}", f"{worst_ns / cycle_ns:.2%}"
                total += exact_ns / cycle_ns
                worst_total += worst_ns / cycle_ns
        digits = 8 if message.is_extended_id else 3
        identifier = f"0x{message.arbitration_id:0{digits}X}"
        kind = ("FD BRS" if message.bitrate_switch else "FD") if message.is_fd else "classic"
        sender = message.senders[0] if message.senders else "-"
        click.echo(
            f"{identifier:>10}  {message.name:<{width}}  {sender:<8} {message.length:>5} {kind:<7}"
            f"{cycle:>9} {message.start_delay_ns / 1e6:>5g} ms {wire_us:>9}"
            f" {worst_us:>9} {load:>7} {worst:>7}  {_protection(message)}"
        )
    click.echo(
        f"bus load of all cyclic messages: {total:.1%} with start values, "
        f"{worst_total:.1%} worst case"
    )


def _print_problems(database: Database) -> int:
    """Print one line per problem and a count; the number of errors."""
    if not database.problems:
        return 0
    counts = dict.fromkeys(("error", "warning", "dropped"), 0)
    for problem in database.problems:
        counts[problem.severity] += 1
        place = "" if problem.line is None else f"line {problem.line}: "
        if problem.file != database.name:  # that of the protection settings
            number = "" if problem.line is None else f":{problem.line}"
            place = f"{problem.file}{number}: "
        click.echo(f"{problem.severity}: {place}{problem.where}: {problem.text}")
    click.echo(
        f"{len(database.problems)} problems: {counts['error']} errors, "
        f"{counts['warning']} warnings, {counts['dropped']} left out"
    )
    return counts["error"]


def _protection(message: Message) -> str:
    parts = []
    if message.e2e is not None:
        has_id = message.e2e.identity is not None
        parts.append(message.e2e.profile + (f" 0x{message.e2e.data_id:04X}" if has_id else ""))
    if message.secoc is not None:
        parts.append("SecOC")
    if message.secoc_sync is not None:
        parts.append("freshness sync")
    return " ".join(parts) or "-"


def _wire_times_ns(message: Message, timing: BitTiming) -> tuple[int, int] | None:
    """Wire time with start values and the longest possible one, intermission included.

    None for what is longer than a frame. A message that cannot be encoded is taken as zeros.
    """
    from simcore.bus import INTERMISSION_BITS, LENGTH_TO_DLC, Frame, duration_ns, worst_case_ns

    if message.length > (64 if message.is_fd else 8):
        return None
    data = bytes(message.length) if message.defect else message.codec.writer().write()
    length = min(each for each in LENGTH_TO_DLC if each >= message.length)
    frame = Frame(
        message.arbitration_id,
        data.ljust(length, b"\0"),
        is_extended_id=message.is_extended_id,
        is_fd=message.is_fd,
        bitrate_switch=message.bitrate_switch,
    )
    exact_ns = duration_ns(frame, timing) + timing.to_ns(INTERMISSION_BITS)
    worst_ns = worst_case_ns(
        length,
        timing,
        is_fd=message.is_fd,
        is_extended_id=message.is_extended_id,
        bitrate_switch=message.bitrate_switch,
    )
    return exact_ns, worst_ns
