"""`simcore serve`: a rig for programs on the other side of a network connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.bridge import say_late
from simcore.cli.collector import relax_collector
from simcore.cli.exits import Exit
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    from simcore.attach.doip_server import DoipServer
    from simcore.attach.pace import Lateness
    from simcore.attach.socketcand_server import SocketcandServer
    from simcore.rig import Rig

LOOPBACK = "127.0.0.1"
SOCKETCAND_PORT = 29536
DOIP_PORT = 13400


@click.command(short_help="Serve a rig to programs elsewhere: socketcand, DoIP.")
@click.option("--socketcand", is_flag=True, help="Serve the buses by the socketcand protocol.")
@click.option(
    "--doip", is_flag=True, help="Serve diagnostics of all ECUs by DoIP, on loopback only."
)
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port to listen on; 0 for any free one [default: {SOCKETCAND_PORT}, of DoIP "
    f"{DOIP_PORT}; DoIP: TCP and UDP].",
)
@click.option(
    "--announce-port",
    type=click.IntRange(0, 65535),
    default=DOIP_PORT,
    show_default=True,
    help="DoIP: where on the same address announcements go; 0 for nowhere.",
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
    doip: bool,
    host: str,
    port: int | None,
    announce_port: int,
    outside: str,
    virtual: bool,
    speed_ratio: float,
    fd_word: str,
    duration_s: float | None,
    seed: int,
    dbc_file: Path | None,
    tolerate_late: bool,
) -> None:
    """Serve a rig: its buses (--socketcand) or its diagnostics (--doip).

    \b
    socketcand: clients open the buses by name (CHASSIS_A) or number (can0). There is no access
    control: whoever reaches the port can send.
    DoIP: the gateway in front of all ECUs; testers 0x0E00 and 0x0E80 reach all of them.

    \b
    Exit codes: 0 served, 1 virtual time fell behind real time, 2 usage, 3 invalid input or an
    address that is taken.
    """
    if socketcand is doip:
        raise click.UsageError("say what to serve: --socketcand or --doip")
    if virtual and speed_ratio != 1.0:
        raise click.UsageError("--speed is for real time: leave out --virtual")
    if doip and (virtual or outside):
        raise click.UsageError("--virtual and --outside are for --socketcand")
    from simcore.network import Database
    from simcore.rig import Rig

    relax_collector()
    rig = Rig(seed=seed, database=None if dbc_file is None else Database.load(dbc_file))
    server: DoipServer | SocketcandServer
    if doip:
        server = _doip(rig, host, port, announce_port, speed_ratio)
    else:
        server = _socketcand(rig, host, port, outside, virtual, speed_ratio, fd_word)
    server.run(duration_s)
    _report(rig, server.lateness, tolerate_late)


def _socketcand(
    rig: Rig,
    host: str,
    port: int | None,
    outside: str,
    virtual: bool,
    speed_ratio: float,
    fd_word: str,
) -> SocketcandServer:
    from simcore.attach.outside import names_of
    from simcore.attach.socketcand_server import SocketcandServer

    server = SocketcandServer(
        rig,
        host=host,
        port=SOCKETCAND_PORT if port is None else port,
        outside=names_of(outside),
        realtime=not virtual,
        speed_ratio=speed_ratio,
        fd_word=fd_word,
        say=_say,
        on_late=say_late,
    )
    buses = ", ".join(bus.name for bus in rig.buses)
    click.echo(f"socketcand on {server.address[0]}:{server.address[1]}: {buses}")
    return server


def _doip(
    rig: Rig, host: str, port: int | None, announce_port: int, speed_ratio: float
) -> DoipServer:
    from simcore.attach.doip_server import DoipServer
    from simcore.ecu.gw.addresses import LOGICAL_ADDRESSES

    server = DoipServer(
        rig,
        host=host,
        port=DOIP_PORT if port is None else port,
        announce_port=announce_port or None,
        speed_ratio=speed_ratio,
        say=_say,
        on_late=say_late,
    )
    ecus = ", ".join(f"{name} {address:#06x}" for name, address in LOGICAL_ADDRESSES.items())
    click.echo(f"DoIP on {server.address[0]}:{server.address[1]}: {ecus}")
    return server


def _report(rig: Rig, lateness: Lateness, tolerate_late: bool) -> None:
    """How it went, and the exit code."""
    click.echo(
        f"{rig.now_ns / 1e9:.3f} s served, worst lateness {lateness.worst_ns / NS_PER_MS:.2f} ms, "
        f"{lateness.late_count} of {lateness.slice_count} slices beyond "
        f"{lateness.limit_ns / NS_PER_MS:g} ms"
    )
    failed = lateness.late_count and not tolerate_late
    raise click.exceptions.Exit(int(Exit.CHECK_FAILED if failed else Exit.PASSED))


def _say(text: str) -> None:
    click.echo(text, err=True)
