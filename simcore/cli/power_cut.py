"""`simcore power-cut`: cut power at every flash operation of an update."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output

if TYPE_CHECKING:
    from simcore.update.power_cut import Story, SweepPlan, SweepResult


DENSITY = {"single": (6, 12), "bundle": (1, 3)}
"""Torn runs and grid by default: a run of the bundle takes many times longer."""


@click.command("power-cut", short_help="Cut power at every flash operation of an update.")
@click.option(
    "--device",
    type=click.Choice(["single", "bundle"]),
    default="single",
    show_default=True,
    help="One ECU (bare bootloader, then its update client), or a bundle of five.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes. Default: one per core."
)
@click.option(
    "--torn",
    type=click.IntRange(min=0),
    metavar="N",
    help="Torn runs per operation, other bits in each. Default: 6, bundle 1.",
)
@click.option(
    "--grid",
    type=click.IntRange(min=0),
    metavar="N",
    help="Operations per axis at which power is cut twice; 0: none. Default: 12, bundle 3.",
)
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Every how many operations.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the torn bits.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the result."
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write power_cut.html, .json and .csv into DIR.",
)
def power_cut(
    device: str,
    workers: int | None,
    torn: int | None,
    grid: int | None,
    stride: int,
    seed: int,
    json_file: Path | None,
    report: Path | None,
) -> None:
    """Cut power at every flash operation of an update: clean, torn, after, and twice on a grid.

    \b
    Exit codes: 0 no brick and no try consumed wrongly, 1 at least one, 2 usage.
    """
    from simcore.cli.run import prepare_folder
    from simcore.update.power_cut import SweepPlan
    from simcore.update.power_cut_run import as_data, sweep

    default_torn, default_grid = DENSITY[device]
    plan = SweepPlan(
        torn_seeds=default_torn if torn is None else torn,
        grid=default_grid if grid is None else grid,
        seed=seed,
        stride=stride,
    )
    stories = _stories(device)
    if report is not None:
        prepare_folder(report)
    with unbroken_output():
        click.echo(
            f"seed {seed}, torn {plan.torn_seeds}, grid {plan.grid}, stride {stride}: {device}"
        )
    line = _ProgressLine()
    results = sweep(stories, plan, workers=workers or os.cpu_count() or 1, progress=line.show)
    line.end()
    with unbroken_output():
        _print(results)
    text = json.dumps(as_data(results, plan), indent=2) + "\n"
    if json_file is not None:
        json_file.write_text(text, encoding="utf-8")
    if report is not None:
        _write_report(report, results, plan, text)
    passed = all(result.passed for result in results)
    raise click.exceptions.Exit(int(Exit.PASSED if passed else Exit.CHECK_FAILED))


def _stories(device: str) -> Sequence[Story]:
    from simcore.update.power_cut_devices import (
        BundleUpdateStory,
        SingleUpdateStory,
        UpdatePlot,
    )
    from simcore.update.power_cut_single import single_stories

    if device == "bundle":
        return (
            BundleUpdateStory(),
            BundleUpdateStory(plot=UpdatePlot.ROLLBACK),
            BundleUpdateStory(shared_supply=False),
        )
    return (
        *single_stories(),
        SingleUpdateStory(),
        SingleUpdateStory(plot=UpdatePlot.ROLLBACK),
        SingleUpdateStory(plot=UpdatePlot.HANG),
        SingleUpdateStory(plot=UpdatePlot.HANG_AT_START),
        SingleUpdateStory(plot=UpdatePlot.REFUSED),
        SingleUpdateStory(unstable=True),
        SingleUpdateStory(plot=UpdatePlot.ROLLBACK, unstable=True),
    )


def _write_report(folder: Path, results: Sequence[SweepResult], plan: SweepPlan, text: str) -> None:
    from simcore.report.files import write_file
    from simcore.report.update_power_cut import power_cut_csv, power_cut_page
    from simcore.version import __version__

    page = power_cut_page(results, plan, version=__version__)
    table = power_cut_csv(results)
    write_file(folder / "power_cut.html", page.encode(), what="HTML report")
    write_file(folder / "power_cut.json", text.encode(), what="JSON report")
    write_file(folder / "power_cut.csv", table.encode(), what="CSV report")


class _ProgressLine:
    """One line on the terminal that is written over; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._width = 0

    def show(self, story: str, done: int, total: int) -> None:
        """More runs were made."""
        text = f"{story}: {done}/{total} runs"
        if self._shown:
            click.echo(f"\r{text[:100]:<{self._width}}", nl=False, err=True)
            self._width = min(len(text), 100)

    def end(self) -> None:
        """Leave the line empty."""
        if self._shown:
            click.echo(f"\r{'':<{self._width}}\r", nl=False, err=True)


HEADS = (
    "story",
    "operations",
    "cuts",
    "double",
    "first old",
    "first new",
    "end old",
    "end new",
    "bricks",
    "tries",
    "other",
    "wear",
)


def _row(result: SweepResult) -> tuple[str, ...]:
    return (
        result.story,
        "+".join(str(each) for each in result.operations),
        str(result.singles),
        str(result.doubles),
        str(result.first.get("old", 0)),
        str(result.first.get("new", 0)),
        str(result.ends.get("old", 0)),
        str(result.ends.get("new", 0)),
        str(result.bricks),
        str(result.wrong_tries),
        str(result.other),
        f"{result.uncut_wear}..{result.wear}",
    )


def _summary(results: Sequence[SweepResult]) -> str:
    cases = sum(result.cases for result in results)
    bricks = sum(result.bricks for result in results)
    tries = sum(result.wrong_tries for result in results)
    other = sum(result.other for result in results)
    verdict = "passed" if all(result.passed for result in results) else "FAILED"
    return (
        f"{cases} runs: {bricks} bricks, {tries} tries consumed wrongly, "
        f"{other} ended otherwise than they had to: {verdict}"
    )


def _bad_lines(results: Sequence[SweepResult]) -> list[str]:
    return [
        f"{result.story}: {' then '.join(str(cut) for cut in each.case) or 'no cut'}: "
        f"{each.verdict.detail or each.verdict.outcome.value}"
        for result in results
        for each in result.bad
    ]


def _print(results: Sequence[SweepResult]) -> None:
    rows = [_row(result) for result in results]
    widths = [max(len(row[index]) for row in (HEADS, *rows)) for index in range(len(HEADS))]
    for row in (HEADS, *rows):
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        click.echo("  ".join(cells))
    for line in _bad_lines(results):
        click.echo(line)
    click.echo(_summary(results))
