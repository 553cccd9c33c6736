"""`simcore dbc`: what a database holds, and what load it puts on a bus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.errors import InputError, UsageError

if TYPE_CHECKING:
    from simcore.bus import BitTiming
    from simcore.network import Database, Message


@click.command(short_help="List the messages, cycle times and bus load of a DBC file.")
@click.argument("file", type=click.Path(path_type=Path))
def dbc(file: Path) -> None:
    """List the messages of FILE with cycle times, exact and worst-case wire time, and bus load."""
    from simcore.network import Database
    from simcore.rig.timing import timing_of

    database = Database.load(file)
    timing = timing_of(database)
    data = "" if timing.data_bps is None else f", data {timing.data_bps / 1e6:g} Mbit/s"
    signals = sum(len(message.signals) for message in database.messages)
    click.echo(
        f"{file}: {len(database.messages)} messages, {signals} signals, "
        f"{len(database.nodes)} nodes, {timing.nominal_bps / 1e3:g} kbit/s{data}"
    )
    if database.nominal_bps is None or (database.is_fd and database.data_bps is None):
        click.echo("bit rates the file does not name (Baudrate, BaudrateCANFD) are assumed")
    try:
        _print_messages(database, timing)
    except UsageError as error:  # a message that no frame can carry
        raise InputError(str(error), file=str(file)) from error


def _print_messages(database: Database, timing: BitTiming) -> None:
    width = max((len(message.name) for message in database.messages), default=4)
    click.echo(
        f"{'id':>10}  {'message':<{width}}  {'sender':<8} {'bytes':>5} {'format':<7}"
        f"{'cycle':>9} {'offset':>8} {'wire us':>9} {'worst us':>9} {'load':>7} {'worst':>7}  E2E"
    )
    total = worst_total = 0.0
    for message in sorted(database.messages, key=lambda m: (m.is_extended_id, m.arbitration_id)):
        exact_ns, worst_ns = _wire_times_ns(message, timing)
        cycle_ns = message.cycle_time_ns
        cycle, load, worst = "event", "-", "-"
        if cycle_ns is not None:
            cycle = f"{cycle_ns / 1e6:g} ms"
            load, worst = f"{exact_ns / cycle_ns:.2%}", f"{worst_ns / cycle_ns:.2%}"
            total += exact_ns / cycle_ns
            worst_total += worst_ns / cycle_ns
        digits = 8 if message.is_extended_id else 3
        identifier = f"0x{message.arbitration_id:0{digits}X}"
        kind = ("FD BRS" if message.bitrate_switch else "FD") if message.is_fd else "classic"
        protection = (
            "-" if message.e2e is None else f"{message.e2e.profile} 0x{message.e2e.data_id:04X}"
        )
        sender = message.senders[0] if message.senders else "-"
        click.echo(
            f"{identifier:>10}  {message.name:<{width}}  {sender:<8} {message.length:>5} {kind:<7}"
            f"{cycle:>9} {message.start_delay_ns / 1e6:>5g} ms {exact_ns / 1e3:>9.1f}"
            f" {worst_ns / 1e3:>9.1f} {load:>7} {worst:>7}  {protection}"
        )
    click.echo(
        f"bus load of all cyclic messages: {total:.1%} with start values, "
        f"{worst_total:.1%} worst case"
    )


def _wire_times_ns(message: Message, timing: BitTiming) -> tuple[int, int]:
    """Wire time with start values and the longest possible one, intermission included."""
    from simcore.bus import INTERMISSION_BITS, Frame, duration_ns, worst_case_ns
    from simcore.network import Payload

    frame = Frame(
        message.arbitration_id,
        Payload(message).pack(0),
        is_extended_id=message.is_extended_id,
        is_fd=message.is_fd,
        bitrate_switch=message.bitrate_switch,
    )
    exact_ns = duration_ns(frame, timing) + timing.to_ns(INTERMISSION_BITS)
    worst_ns = worst_case_ns(
        message.length,
        timing,
        is_fd=message.is_fd,
        is_extended_id=message.is_extended_id,
        bitrate_switch=message.bitrate_switch,
    )
    return exact_ns, worst_ns
