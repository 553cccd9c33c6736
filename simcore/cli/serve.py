"""`simcore serve`: a rig for programs on the other side of a network connection."""

from __future__ import annotations

from pathlib import Path

import click

from simcore.cli.bridge import say_late
from simcore.cli.collector import relax_collector
from simcore.cli.exits import Exit
from simcore.units import NS_PER_MS

LOOPBACK = "127.0.0.1"
SOCKETCAND_PORT = 29536


@click.command(short_help="Serve a rig's buses to programs elsewhere, as socketcand does.")
@click.option("--socketcand", is_flag=True, help="Serve the socketcand protocol.")
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=SOCKETCAND_PORT,
    show_default=True,
    help="Port to listen on; 0 for any free one.",
)
@click.option(
    "--outside",
    default="",
    metavar="NODE,...",
    help="Nodes that clients play: their simulated ECUs are switched off.",
)
@click.option(
    "--virtual",
    is_flag=True,
    help="As fast as the slowest client reads, from the first one in raw mode on.",
)
@click.option(
    "--speed",
    "speed_ratio",
    type=click.FloatRange(min=0.0, min_open=True),
    default=1.0,
    show_default=True,
    help="Times as fast as real time.",
)
@click.option(
    "--fd-word",
    type=click.Choice(["frame", "fdframe"]),
    default="frame",
    show_default=True,
    help="How FD frames are told: as python-can's client reads them, or as socketcand writes them.",
)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="SECONDS",
    help="How long [default: until interrupted].",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random streams.")
@click.option(
    "--dbc",
    "dbc_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another database than the shipped one.",
)
@click.option("--tolerate-late", is_flag=True, help="Overload is reported and does not fail.")
def serve(
    socketcand: bool,
    host: str,
    port: int,
    outside: str,
    virtual: bool,
    speed_ratio: float,
    fd_word: str,
    duration_s: float | None,
    seed: int,
    dbc_file: Path | None,
    tolerate_late: bool,
) -> None:
    """Serve the buses of a rig. Clients open them by name (CHASSIS_A) or number (can0).

    There is no access control: whoever reaches the port can send.

    \b
    Exit codes: 0 served, 1 virtual time fell behind real time, 2 usage, 3 invalid input or an
    address that is taken.
    """
    if not socketcand:
        raise click.UsageError("say what to serve: --socketcand")
    if virtual and speed_ratio != 1.0:
        raise click.UsageError("--speed is for real time: leave out --virtual")
    from simcore.attach.outside import names_of
    from simcore.attach.socketcand_server import SocketcandServer
    from simcore.network import Database
    from simcore.rig import Rig

    relax_collector()
    rig = Rig(seed=seed, database=None if dbc_file is None else Database.load(dbc_file))
    server = SocketcandServer(
        rig,
        host=host,
        port=port,
        outside=names_of(outside),
        realtime=not virtual,
        speed_ratio=speed_ratio,
        fd_word=fd_word,
        say=_say,
        on_late=say_late,
    )
    buses = ", ".join(bus.name for bus in rig.buses)
    click.echo(f"socketcand on {server.address[0]}:{server.address[1]}: {buses}")
    server.run(duration_s)
    lateness = server.lateness
    click.echo(
        f"{rig.now_ns / 1e9:.3f} s served, worst lateness {lateness.worst_ns / NS_PER_MS:.2f} ms, "
        f"{lateness.late_count} of {lateness.slice_count} slices beyond "
        f"{lateness.limit_ns / NS_PER_MS:g} ms"
    )
    failed = lateness.late_count and not tolerate_late
    raise click.exceptions.Exit(int(Exit.CHECK_FAILED if failed else Exit.PASSED))


def _say(text: str) -> None:
    click.echo(text, err=True)
