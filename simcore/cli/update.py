"""`simcore update`: a full software update of the reference vehicle in virtual time."""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.cli.collector import relax_collector
from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output
from simcore.cli.run import prepare_folder
from simcore.errors import InputError, UsageError
from simcore.units import NS_PER_S
from simcore.version import __version__

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from simcore.rig.campaign import Campaign
    from simcore.rig.rig import Rig
    from simcore.rig.update_run import EcuResult, UpdatePlan, UpdateResult, UpdateRun

LOG_CHOICES = ("candump", "blf")
_FACTORS = {"K": 1024, "M": 1024 * 1024}
HEADS = (
    "ECU",
    "version",
    "bytes",
    "seconds",
    "kB/s",
    "limit",
    "share",
    "flash s",
    "erase s",
    "wall s",
    "faster",
)


def _size(context: click.Context, parameter: click.Parameter, text: str) -> int:
    """A number of bytes: `24K`, `2M`, `4096`."""
    number, factor = text.strip().upper(), 1
    if number[-1:] in _FACTORS:
        number, factor = number[:-1], _FACTORS[number[-1]]
    if not number.isascii() or not number.isdigit() or not int(number):
        raise click.BadParameter(f"{text!r} is no size such as 24K or 2M")
    return int(number) * factor


@click.command(short_help="Update the software of the whole vehicle.")
@click.option("--version", metavar="VERSION", help="The new one. Default: 1.1.0.")
@click.option("--nodes", metavar="NODE,...", help="ECUs to update. Default: all that can be.")
@click.option(
    "--size",
    callback=_size,
    default="24K",
    show_default=True,
    metavar="SIZE",
    help="Bytes of every image, as 24K or 2M.",
)
@click.option(
    "--pace",
    type=click.Choice(["workshop", "driving"]),
    help="As fast as the bus can, or beside all that drives. Default: driving with --drive.",
)
@click.option("--attack", metavar="NAME", help="Let somebody attack on the way to the car.")
@click.option(
    "--defect",
    "defects",
    multiple=True,
    metavar="NODE=BEHAVIOUR",
    help="This ECU's image is no good: self-test-fails, hangs, hangs-at-start. Repeatable.",
)
@click.option("--drive", is_flag=True, help="Load at 100 km/h; park to activate.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random streams.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the result."
)
@click.option(
    "--log", "log_format", type=click.Choice(LOG_CHOICES), help="Write a bus log, update.*."
)
@click.option(
    "--audit",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the audit log and the public key of every ECU into DIR.",
)
@click.option(
    "--replay",
    "replay_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Walk a failing sequence of update steps again, and nothing else.",
)
def update(
    version: str | None,
    nodes: str | None,
    size: int,
    pace: str | None,
    attack: str | None,
    defects: tuple[str, ...],
    drive: bool,
    seed: int,
    json_file: Path | None,
    log_format: str | None,
    audit: Path | None,
    replay_file: Path | None,
) -> None:
    """Update the reference vehicle: park, load, activate all or none, verify, fetch audit logs.

    Everything goes over the bus, UDS on ISO-TP. kB/s (1000 bytes) are those of the image, with
    erasing and programming; the limit is that of consecutive frames without a gap.

    \b
    Exit codes: 0 all ECUs run the new version, 1 refused or rolled back, 2 usage, 3 bad input.
    """
    if replay_file is not None:
        raise click.exceptions.Exit(int(_replay(replay_file)))
    relax_collector()
    plan = _plan(version, nodes, size, pace, attack, defects, drive, seed)
    if audit is not None:
        prepare_folder(audit)
    if log_format is not None:
        from simcore.report.logs import require_format

        require_format(log_format)
    with unbroken_output():
        click.echo(_headline(plan))
    display = _Display(plan)
    run, result = _run(plan, display)
    files = _write_audits(run, audit) if audit is not None else []
    if log_format is not None:
        files.append(("log", _write_log(run.rig, log_format)))
    if json_file is not None:
        _write_text(json_file, json.dumps(_as_data(result, display), indent=2) + "\n")
        files.append(("json", json_file))
    with unbroken_output():
        _print(result, display)
        for kind, path in files:
            click.echo(f"{kind:<8} {path}")
        click.echo(_verdict(result))
        click.echo(f"digest {result.digest}")
    raise click.exceptions.Exit(int(Exit.PASSED if result.all_new else Exit.CHECK_FAILED))


def _plan(
    version: str | None,
    nodes: str | None,
    size: int,
    pace: str | None,
    attack: str | None,
    defects: tuple[str, ...],
    drive: bool,
    seed: int,
) -> UpdatePlan:
    from simcore.rig.campaign import DRIVING, WORKSHOP
    from simcore.rig.software import HARDWARE
    from simcore.rig.update_run import ATTACKED_VERSION, NEW_VERSION, UpdatePlan

    if version is None:
        version = NEW_VERSION if attack is None else ATTACKED_VERSION
    if pace is None:
        pace = "driving" if drive else "workshop"
    names = tuple(HARDWARE) if nodes is None else tuple(n.strip() for n in nodes.split(","))
    return UpdatePlan(
        version=version,
        nodes=names,
        size=size,
        pace=DRIVING if pace == "driving" else WORKSHOP,
        attack=attack or "",
        drives=drive,
        defects=dict(_defect(text) for text in defects),
        seed=seed,
    )


def _defect(text: str) -> tuple[str, Any]:
    from simcore.update.image import Behaviour

    node, _, wanted = text.partition("=")
    known = {each.name.lower().replace("_", "-"): each for each in Behaviour if each}
    if wanted not in known:
        raise UsageError("--defect", expected=f"NODE= and one of {', '.join(known)}", got=text)
    return node, known[wanted]


def _headline(plan: UpdatePlan) -> str:
    from simcore.rig.campaign import WORKSHOP

    pace = "workshop" if plan.pace is WORKSHOP else "driving"
    what = f"attack {plan.attack}, " if plan.attack else ""
    where = "at 100 km/h" if plan.drives else "parked"
    return (
        f"seed {plan.seed}, {plan.version} for {', '.join(plan.nodes)}, {plan.size} bytes, "
        f"{what}{where}, pace {pace}, simcore {__version__}"
    )


def _run(plan: UpdatePlan, display: _Display) -> tuple[UpdateRun, UpdateResult]:
    from simcore.rig.update_run import UpdateRun

    with display.progress:
        run = UpdateRun(plan, watch=display.show)
        display.begin(run.rig)
        result = run.run()
        display.sample()
    return run, result


class _Display:
    """Progress on a terminal, nothing elsewhere; and what time it was on the wall."""

    def __init__(self, plan: UpdatePlan) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        console = Console(stderr=True)
        self.progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {
            node: self.progress.add_task(node, total=plan.size) for node in plan.nodes
        }
        self._rig: Rig | None = None
        self._times_ns: list[int] = []
        self._wall_s: list[float] = []

    def begin(self, rig: Rig) -> None:
        """The rig is built: time counts from here."""
        self._rig = rig
        self.sample()

    def show(self, step: str, campaign: Campaign | None) -> None:
        """See `simcore.rig.update_run.Watch`."""
        self.sample()
        moved = {} if campaign is None else campaign.transferred()
        for node, task in self._tasks.items():
            done = moved.get(node)
            self.progress.update(task, description=f"{node}: {step}", completed=done)

    def sample(self) -> None:
        """Note what time it is, there and here."""
        if self._rig is not None:
            self._times_ns.append(self._rig.now_ns)
            self._wall_s.append(time.perf_counter())

    def wall_s(self, begun_ns: int, ended_ns: int) -> float:
        """How long a stretch of virtual time took here."""
        return self._at(ended_ns) - self._at(begun_ns)

    @property
    def whole(self) -> tuple[float, float]:
        """Seconds of the whole run, virtual and here."""
        spent_ns = self._times_ns[-1] - self._times_ns[0]
        return spent_ns / NS_PER_S, self._wall_s[-1] - self._wall_s[0]

    def _at(self, time_ns: int) -> float:
        """Between two samples time goes evenly."""
        times_ns, wall_s = self._times_ns, self._wall_s
        place = min(max(bisect_left(times_ns, time_ns), 1), len(times_ns) - 1)
        before_ns, after_ns = times_ns[place - 1], times_ns[place]
        if after_ns == before_ns:
            return wall_s[place]
        share_ratio = (time_ns - before_ns) / (after_ns - before_ns)
        return wall_s[place - 1] + share_ratio * (wall_s[place] - wall_s[place - 1])


# ---- output ----


def _figures(ecu: EcuResult, display: _Display) -> dict[str, float]:
    """Of the transfer; empty where no image came."""
    transfer = ecu.transfer
    if transfer is None:
        return {}
    seconds = transfer.duration_ns / NS_PER_S
    wall_s = display.wall_s(transfer.begun_ns, transfer.ended_ns)
    return {
        "bytes": transfer.size,
        "seconds": seconds,
        "kB_per_s": transfer.rate_per_s / 1000,
        "kB_per_s_without_erasing": transfer.unerased_per_s / 1000,
        "limit_kB_per_s": transfer.limit_per_s / 1000,
        "share": transfer.share_ratio,
        "flash_s": transfer.program_ns / NS_PER_S,
        "erase_s": transfer.erase_ns / NS_PER_S,
        "wall_s": wall_s,
        "times_faster": seconds / wall_s if wall_s > 0 else 0.0,
    }


def _row(ecu: EcuResult, display: _Display) -> tuple[str, ...]:
    found = _figures(ecu, display)
    if not found:
        return (ecu.node, ecu.version or "?", *("-" for _ in HEADS[2:]))
    return (
        ecu.node,
        ecu.version or "?",
        f"{found['bytes']:.0f}",
        f"{found['seconds']:.2f}",
        f"{found['kB_per_s']:.1f}",
        f"{found['limit_kB_per_s']:.1f}",
        f"{found['share']:.0%}",
        f"{found['flash_s']:.2f}",
        f"{found['erase_s']:.2f}",
        f"{found['wall_s']:.2f}",
        f"{found['times_faster']:.1f} x",
    )


def _print(result: UpdateResult, display: _Display) -> None:
    rows = [HEADS, *(_row(ecu, display) for ecu in result.ecus)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    for row in rows:
        cells = [f"{row[place]:<{widths[place]}}" for place in range(2)]
        cells += [f"{row[place]:>{widths[place]}}" for place in range(2, len(HEADS))]
        click.echo("  ".join(cells))
    for ecu in result.ecus:
        if ecu.report != "accepted":
            click.echo(f"{ecu.node}: version report {ecu.report}")
        if ecu.attack:
            click.echo(f"{ecu.node}: attack refused, {ecu.attack} ({ecu.why})")
    named = {ecu.node for ecu in result.ecus if ecu.attack}
    for ecu in result.ecus:
        if ecu.why and ecu.node not in named:
            click.echo(f"{ecu.node}: {ecu.why}")
    for finding in result.findings:
        click.echo(f"finding  {finding}")
    spent_s, wall_s = display.whole
    faster = f"{spent_s / wall_s:.1f}" if wall_s > 0 else "?"
    click.echo(
        f"{spent_s:.2f} s simulated in {wall_s:.2f} s, {faster} x faster; "
        f"bus load {result.bus_load_ratio:.0%}"
    )


def _verdict(result: UpdateResult) -> str:
    if result.all_new:
        return f"all {len(result.ecus)} ECUs run {result.plan.version}, signed"
    reasons = "; ".join(result.reasons) or "not every ECU reports the new version"
    what = "rolled back" if result.ended.name == "ROLLED_BACK" else "refused"
    return f"{what}: {reasons}"


def _as_data(result: UpdateResult, display: _Display) -> dict[str, Any]:
    spent_s, wall_s = display.whole
    return {
        "format": 1,
        "version": result.plan.version,
        "seed": result.plan.seed,
        "attack": result.plan.attack,
        "ended": result.ended.name,
        "all_new": result.all_new,
        "simulated_s": spent_s,
        "wall_s": wall_s,
        "bus_load": result.bus_load_ratio,
        "findings": list(result.findings),
        "digest": result.digest,
        "ecus": [
            {
                "node": ecu.node,
                "version": ecu.version,
                "report": ecu.report,
                "attack": ecu.attack,
                "why": ecu.why,
                **_figures(ecu, display),
            }
            for ecu in result.ecus
        ],
    }


def _write_audits(run: UpdateRun, folder: Path) -> list[tuple[str, Path]]:
    """The logs, and beside them the keys that `simcore audit --key` takes."""
    from simcore.rig.software import ecu_key
    from simcore.update.metadata_keys import public_key

    files = []
    for node, data in run.audit_logs().items():
        path = folder / f"{node}.audit"
        try:
            path.write_bytes(data)
        except OSError as error:
            raise _unwritable(path, error) from error
        _write_text(folder / f"{node}.key", public_key(ecu_key(node)).hex() + "\n")
        files.append(("audit", path))
    return files


def _write_log(rig: Rig, log_format: str) -> Path:
    from simcore.report import LOG_FORMATS, write_log

    return write_log(
        Path(f"update{LOG_FORMATS[log_format].suffix}"),
        rig.recorder.frames,
        log_format,
        channels=[bus.name for bus in rig.buses],
        errors=[error for bus in rig.buses for error in bus.error_frames],
    )


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        "result", expected="a file that can be written", got=error.strerror, file=str(path)
    )


# ---- replay ----


def _replay(file: Path) -> Exit:
    """Walk a script again; says the steps, and what broke at the last of them."""
    from simcore.update.replay import read_script, replay

    script = read_script(file)
    result = replay(script)
    with unbroken_output():
        click.echo(f"{script.world}: {len(script.steps)} steps")
        for number, step in enumerate(script.steps[: result.steps], start=1):
            click.echo(f"{number:>4}  {' '.join(str(each) for each in step)}")
        click.echo(str(result))
    return Exit.PASSED if result.passed else Exit.CHECK_FAILED
