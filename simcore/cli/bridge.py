"""`simcore bridge`: a rig in real time on any python-can interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.cli.collector import relax_collector
from simcore.cli.exits import Exit
from simcore.errors import InputError
from simcore.units import NS_PER_MS

if TYPE_CHECKING:
    import can

    from simcore.attach.bridge import BridgeReport
    from simcore.rig import Rig


@click.command(short_help="Join a rig in real time to any python-can interface.")
@click.option("--interface", required=True, help="python-can's name: socketcan, udp_multicast ...")
@click.option("--channel", required=True, help="The interface's channel: can0, an address ...")
@click.option(
    "--option",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another setting of the interface, as port=43113. May be given several times.",
)
@click.option("--fd/--no-fd", default=True, show_default=True, help="CAN FD on the interface.")
@click.option(
    "--outside",
    default="",
    metavar="NODE,...",
    help="Nodes that are real: their simulated ECUs are switched off.",
)
@click.option("--bus", "bus_name", metavar="NAME", help="Bus of the rig [default: its first one].")
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
@click.option(
    "--slice-ms",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="Virtual time advances in steps of this length.",
)
@click.option(
    "--late-ms",
    type=click.FloatRange(min=0.0, min_open=True),
    default=20.0,
    show_default=True,
    help="Overload: virtual time is behind real time by more than this.",
)
@click.option("--tolerate-late", is_flag=True, help="Overload is reported and does not fail.")
def bridge(
    interface: str,
    channel: str,
    settings: tuple[str, ...],
    fd: bool,
    outside: str,
    bus_name: str | None,
    duration_s: float | None,
    seed: int,
    dbc_file: Path | None,
    slice_ms: float,
    late_ms: float,
    tolerate_late: bool,
) -> None:
    """Join a bus of the rig to a python-can interface, in real time.

    Frames of simulated nodes go out, foreign frames come in as those of the nodes outside. Only
    frames cross: an actuator outside moves nothing in the simulated vehicle.

    \b
    Exit codes: 0 nothing to complain about, 1 a finding (overload among them), 2 usage, 3 invalid
    input or an interface that cannot be opened.
    """
    from simcore.attach.bridge import Bridge
    from simcore.attach.outside import names_of
    from simcore.attach.session import bus_of

    relax_collector()
    rig = _rig(seed, dbc_file)
    bus = bus_of(rig.buses, bus_name or "")
    with open_foreign(interface, channel, fd, settings) as foreign:
        joined = Bridge(
            rig,
            foreign,
            bus=bus,
            outside=names_of(outside),
            slice_ns=round(slice_ms * NS_PER_MS),
            late_ns=round(late_ms * NS_PER_MS),
            on_late=say_late,
        )
        click.echo(f"{bus.name} is on {interface} {channel}, seed {seed}; Ctrl-C ends it", err=True)
        report = joined.run(duration_s)
    print_bridge(report)
    failed = [each for each in report.findings if not (tolerate_late and "overload:" in each)]
    raise click.exceptions.Exit(int(Exit.CHECK_FAILED if failed else Exit.PASSED))


def say_late(lateness_ns: int) -> None:
    """Tell at once that the machine does not keep up."""
    click.echo(f"LATE: virtual time is {lateness_ns / NS_PER_MS:.0f} ms behind", err=True)


def _rig(seed: int, dbc_file: Path | None) -> Rig:
    from simcore.network import Database
    from simcore.rig import Rig

    return Rig(seed=seed, database=None if dbc_file is None else Database.load(dbc_file))


def open_foreign(interface: str, channel: str, fd: bool, settings: tuple[str, ...]) -> can.BusABC:
    """The python-can bus that the options describe. Raises `InputError` where it cannot be had."""
    import can
    from can.util import cast_from_string

    options: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--option")
        options[key] = cast_from_string(text)
    try:
        return can.Bus(interface=interface, channel=channel, fd=fd, **options)
    except (can.CanError, OSError, ValueError, TypeError, ImportError) as error:
        raise InputError(
            f"interface {interface}, channel {channel}",
            expected="one that python-can can open",
            got=f"{type(error).__name__}: {error}",
        ) from error


def print_bridge(report: BridgeReport) -> None:
    """Figures and findings of a run in real time."""
    lateness = report.lateness
    click.echo(
        f"{report.duration_ns / 1e9:.3f} s, {report.sent_count} frames out, "
        f"{report.received_count} in, {report.error_frame_count} error frames, "
        f"{report.echo_count} own ones heard back, {report.refused_count} refused"
    )
    click.echo(
        f"lateness of {lateness.slice_count} slices: mean {lateness.mean_ns / NS_PER_MS:.2f} ms, "
        f"worst {lateness.worst_ns / NS_PER_MS:.2f} ms, {lateness.late_count} beyond "
        f"{lateness.limit_ns / NS_PER_MS:g} ms"
    )
    figures = sorted(report.cycles.values(), key=lambda each: (each.incoming, each.name))
    if figures:
        width = max(len(each.name) for each in figures)
        click.echo(
            f"     {'message':<{width}} {'frames':>7} {'cycle':>9} {'min':>9} {'mean':>9} "
            f"{'max':>9} {'jitter':>9}  ms"
        )
    for each in figures:
        times_ns = (each.nominal_ns, each.min_ns, each.mean_ns, each.max_ns, each.jitter_ns)
        columns = " ".join(f"{time_ns / NS_PER_MS:>9.2f}" for time_ns in times_ns)
        direction = "in " if each.incoming else "out"
        click.echo(f"{direction}  {each.name:<{width}} {each.count:>7} {columns}")
    for finding in report.findings:
        click.echo(f"finding  {finding}")
