"""`simcore ftti`: measure the reaction-time table and hold it against its budgets."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output

if TYPE_CHECKING:
    from simcore.rig.coverage import Coverage
    from simcore.rig.ftti import Cell
    from simcore.rig.ftti_result import CellResult, FttiResult


@click.command(short_help="Measure fault reactions and hold them against their budgets.")
@click.option(
    "--only",
    multiple=True,
    metavar="ID",
    help="Requirements (SAF-001), rows or cells, as patterns (silent_*). Default: all.",
)
@click.option("--wheel", "wheels", multiple=True, metavar="WHEEL", help="FL, FR, RL or RR alone.")
@click.option("--node", "nodes", multiple=True, metavar="NODE", help="One node or message alone.")
@click.option(
    "--without",
    multiple=True,
    metavar="MECHANISM",
    help="Leave a safety mechanism out of every ECU: what it is worth shows.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes. Default: one per core."
)
@click.option(
    "--phases",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Measurements per cell, the fault at another phase of the cycles in each.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random streams.")
@click.option(
    "--coverage/--no-coverage",
    default=None,
    help="Diagnostic coverage of the communication. Default: with the whole table.",
)
@click.option("--list", "listed", is_flag=True, help="List the cells and measure nothing.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write ftti.html, ftti.csv, coverage.csv and ftti.junit.xml into DIR.",
)
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the table."
)
@click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write JUnit XML.",
)
def ftti(
    only: tuple[str, ...],
    wheels: tuple[str, ...],
    nodes: tuple[str, ...],
    without: tuple[str, ...],
    workers: int | None,
    phases: int,
    seed: int,
    coverage: bool | None,
    listed: bool,
    report: Path | None,
    csv_file: Path | None,
    junit_file: Path | None,
) -> None:
    """Measure the time from fault to detection and to safe state, and hold it against its budget.

    Each cell of the table is a fault at a place (wheel, node, message) and an operating point.

    \b
    Exit codes: 0 every cell passed or was undetected as expected, 1 one did not or a run of the
    coverage could not be made, 2 usage, 3 invalid input.
    """
    from simcore.cli.run import prepare_folder
    from simcore.ecu.mechanisms import mechanisms_off
    from simcore.rig.ftti_run import measure_table
    from simcore.rig.ftti_table import select

    mechanisms_off(without)
    cells = select(only, (*wheels, *nodes))
    if listed:
        with unbroken_output():
            _print_list(cells)
        return
    if report is not None:
        prepare_folder(report)
    count = workers or os.cpu_count() or 1
    with unbroken_output():
        left_out = ", ".join(without) or "nothing"
        click.echo(f"seed {seed}, phases {phases}, without {left_out}: {len(cells)} cells")
    line = _ProgressLine()
    result = measure_table(
        cells, seed=seed, phases=phases, without=without, workers=count, progress=line.cell_done
    )
    table = None
    if coverage or (coverage is None and not (only or wheels or nodes)):
        from simcore.rig.coverage_run import measure_coverage

        table = measure_coverage(seed=seed, without=without, workers=count, progress=line.runs_done)
    line.end()
    with unbroken_output():
        _print(result, table)
    _write(result, table, report, csv_file, junit_file)
    passed = result.passed and (table is None or not table.errors)
    raise click.exceptions.Exit(int(Exit.PASSED if passed else Exit.CHECK_FAILED))


class _ProgressLine:
    """One line on the terminal that is written over; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._width = 0
        self._failed = 0

    def cell_done(self, done: int, total: int, result: CellResult) -> None:
        """One more cell was measured."""
        from simcore.rig.ftti_result import FULFILLED

        self._failed += result.verdict not in FULFILLED
        self._show(f"{done}/{total} cells, {self._failed} not passed  {result.id}")

    def runs_done(self, done: int, total: int) -> None:
        """More runs of the coverage were made."""
        self._show(f"coverage: {done}/{total} runs")

    def end(self) -> None:
        """Leave the line empty."""
        self._show("")
        if self._shown:
            click.echo("\r", nl=False, err=True)

    def _show(self, text: str) -> None:
        if self._shown:
            click.echo(f"\r{text[:100]:<{self._width}}", nl=False, err=True)
            self._width = min(len(text), 100)


def _print_list(cells: tuple[Cell, ...]) -> None:
    width = max(len(cell.id) for cell in cells)
    for cell in cells:
        budget_ms = cell.row.budget_ns / 1e6
        click.echo(
            f"{cell.row.requirement}  {cell.id:<{width}}  {budget_ms:>6g} ms  {cell.sentence}"
        )
    click.echo(f"{len(cells)} cells")


def _print(result: FttiResult, coverage: Coverage | None) -> None:
    from simcore.report.ftti_figures import (
        headline,
        milliseconds,
        requirement_line,
        spread_ms,
    )
    from simcore.rig.ftti_result import FULFILLED

    width = max(len(cell.id) for cell in result.cells)
    click.echo(
        f"{'req':<7}  {'cell':<{width}}  {'budget':>6}  {'FDTI':>6}  {'FHTI min':>8} {'median':>6} "
        f"{'max':>6}  {'margin':>6}  verdict  (times in ms)"
    )
    for cell in result.cells:
        low, middle, high = spread_ms(cell.fhti)
        fdti = milliseconds(None if cell.fdti is None else cell.fdti.max_ns)
        word = cell.verdict.value
        shown = word if cell.verdict in FULFILLED else word.upper()
        remark = f"  {cell.remark}" if cell.remark else ""
        click.echo(
            f"{cell.requirement:<7}  {cell.id:<{width}}  {milliseconds(cell.budget_ns):>6}  "
            f"{fdti:>6}  {low:>8} {middle:>6} {high:>6}  {milliseconds(cell.margin_ns):>6}  "
            f"{shown}{remark}"
        )
    if coverage is not None:
        click.echo("")
        _print_coverage(coverage)
    click.echo("")
    for requirement in result.requirements:
        click.echo(requirement_line(requirement))
    click.echo(headline(result))


def _print_coverage(coverage: Coverage) -> None:
    from simcore.rig.coverage import Mechanism, percent

    names = [mechanism.value for mechanism in Mechanism]
    width = max(len(row.model.value) for row in coverage.rows)
    heads = "".join(f"{name:>14}" for name in (*names, "any"))
    click.echo(f"{'diagnostic coverage':<{width}} {'runs':>5}{heads}")
    for row in coverage.rows:
        shares = [percent(row.share(mechanism)) for mechanism in (*Mechanism, None)]
        cells = "".join(f"{share:>14}" for share in shares)
        click.echo(f"{row.model.value:<{width}} {row.runs:>5}{cells}")
    for text in coverage.errors:
        click.echo(f"coverage, run not made: {text}")


def _write(
    result: FttiResult,
    coverage: Coverage | None,
    report: Path | None,
    csv_file: Path | None,
    junit_file: Path | None,
) -> None:
    from simcore.report.ftti_html import write_ftti_html
    from simcore.report.ftti_junit import write_ftti_junit
    from simcore.report.ftti_table import write_coverage_table, write_ftti_table
    from simcore.rig.requirements import load_requirements
    from simcore.version import __version__

    texts = {name: each.text for name, each in load_requirements().items()}
    if report is not None:
        write_ftti_html(
            report / "ftti.html",
            result,
            requirement_texts=texts,
            version=__version__,
            coverage=coverage,
        )
        write_ftti_table(report / "ftti.csv", result)
        write_ftti_junit(
            report / "ftti.junit.xml", result, requirement_texts=texts, coverage=coverage
        )
        if coverage is not None:
            write_coverage_table(report / "coverage.csv", coverage)
    if csv_file is not None:
        write_ftti_table(csv_file, result)
    if junit_file is not None:
        write_ftti_junit(junit_file, result, requirement_texts=texts, coverage=coverage)
