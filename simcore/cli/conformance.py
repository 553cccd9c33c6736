"""`simcore conformance`: judge a module in the place of a node, and write down the evidence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.dut_option import dut_options, warn_of_crashes
from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output
from simcore.errors import UsageError
from simcore.version import __version__

if TYPE_CHECKING:
    from simcore.attach.dut import Dut
    from simcore.testing.conformance.interface import Interface
    from simcore.testing.conformance.result import CaseResult, ConformanceResult

FORMATS = {
    "html": "conformance.html",
    "junit": "conformance.junit.xml",
    "json": "conformance.json",
    "csv": "conformance.csv",
    "reqif": "conformance.reqif",
}
"""What `--report` writes, by kind."""


@click.command(short_help="Judge a module in the place of a node against its interface.")
@dut_options
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Cases (control.*) or requirements (BRK-005) alone. Repeatable.",
)
@click.option(
    "--omit",
    "omits",
    multiple=True,
    metavar="PATTERN=REASON",
    help="Cases not to be run, with the reason, as 'update.*=comes with sample C'. Repeatable.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random streams.")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    help="Inputs that each fuzz case draws.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes. Default: one per core."
)
@click.option(
    "--dbc",
    "dbc_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another database than the shipped one.",
)
@click.option(
    "--requirements",
    "requirement_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another requirement list than the shipped one.",
)
@click.option("--strict", is_flag=True, help="A requirement that was not tested, or partly, fails.")
@click.option("--list", "listed", is_flag=True, help="List the cases and run none.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=f"Write {', '.join(FORMATS.values())} into DIR.",
)
def conformance(
    dut: str | None,
    nodes: str | None,
    isolated: bool,
    only: tuple[str, ...],
    omits: tuple[str, ...],
    seed: int,
    budget: int,
    workers: int | None,
    dbc_file: Path | None,
    requirement_file: Path | None,
    strict: bool,
    listed: bool,
    report: Path | None,
) -> None:
    """Judge a module (--dut) in the place of a node (--as) by cases from database and requirements.

    Without --dut it is the simulated ECU of that place.

    \b
    Exit codes: 0 every case that ran passed, 1 one failed, nothing was tested, or with --strict a
    requirement was not or partly, 2 usage, 3 invalid input or a case that could not judge.
    """
    from simcore.attach.dut import load_dut
    from simcore.cli.run import prepare_folder

    if not nodes or "," in nodes:
        raise UsageError("--as", expected="one node: the place of the module", got=nodes or "none")
    if dut is None and isolated:
        raise UsageError("--isolated", expected="--dut MODULE with it")
    omitted = dict(_omit_of(word) for word in omits)
    module = load_dut(dut or "reference", isolated=isolated)
    interface = _interface(nodes, dbc_file, requirement_file)
    patterns = _patterns(interface, only)
    if not listed and module.kind != "can":
        module.build(nodes, interface.database)  # what cannot even be made is said once, not often
    if listed:
        with unbroken_output():
            _print_list(interface, patterns)
        return
    if report is not None:
        prepare_folder(report)
    warn_of_crashes(module)
    words = _file_words(dbc_file, requirement_file, omits)
    result = _judged(interface, module, seed, budget, patterns, omitted, workers, words)
    code = _exit_of(result, strict=strict)
    files = [] if report is None else _written(result, report)
    with unbroken_output():
        from simcore.testing.conformance.writers import print_conformance

        for kind, path in files:
            click.echo(f"{kind:<6} {path}")
        print_conformance(result)
    raise click.exceptions.Exit(int(code))


def _interface(node: str, dbc_file: Path | None, requirement_file: Path | None) -> Interface:
    from simcore.network import Database
    from simcore.testing.conformance.interface import Interface

    database = Database.reference() if dbc_file is None else Database.load(dbc_file)
    database.refuse_errors()
    return Interface.of(database, node, requirement_file)


def _file_words(
    dbc_file: Path | None, requirement_file: Path | None, omits: tuple[str, ...]
) -> tuple[str, ...]:
    """What a replay command has to say besides module, node, case and seed."""
    words: list[str] = []
    for option, file in (("--dbc", dbc_file), ("--requirements", requirement_file)):
        words += [] if file is None else [option, str(file)]
    for word in omits:
        words += ["--omit", word]
    return tuple(words)


def _omit_of(word: str) -> tuple[str, str]:
    pattern, equals, reason = word.partition("=")
    if not (pattern.strip() and equals and reason.strip()):
        raise UsageError(
            f"--omit {word!r}",
            expected="PATTERN=REASON, as 'update.*=comes with sample C'",
            got=word,
        )
    return pattern.strip(), reason.strip()


def _patterns(interface: Interface, only: tuple[str, ...]) -> tuple[str, ...]:
    """Requirement ids become their cases. Raises `UsageError` for one without any here."""
    from simcore.testing.conformance.plan import plan

    patterns: list[str] = []
    for word in only:
        if word not in interface.source.requirements:
            patterns.append(word)
            continue
        cases = [case.id for case in plan(interface) if word in case.requirements]
        if not cases:
            expected = f"a requirement that cases of {interface.node} verify"
            raise UsageError(f"--only {word}", expected=expected, got="one without")
        patterns += cases
    return tuple(patterns)


def _judged(
    interface: Interface,
    module: Dut,
    seed: int,
    budget: int,
    patterns: tuple[str, ...],
    omitted: dict[str, str],
    workers: int | None,
    words: tuple[str, ...],
) -> ConformanceResult:
    from simcore.testing.conformance.judge import judge

    with unbroken_output():
        click.echo(
            f"seed {seed}, {module.spec}{', isolated' if module.isolated else ''} "
            f"in the place of {interface.node} ({interface.role}), digest {module.digest[:12]}, "
            f"dbc {interface.database.name}, requirements {Path(interface.file).name}, "
            f"simcore {__version__}"
        )
    count = workers or os.cpu_count() or 1
    progress = _Progress()
    try:
        return judge(
            interface,
            module,
            seed=seed,
            budget=budget,
            only=patterns,
            omit=omitted,
            workers=1 if module.kind == "can" else count,
            on_case=progress.case_done,
            replay=words,
        )
    finally:
        progress.end()


class _Progress:
    """One line on the terminal that is written over; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._width = 0
        self._failed = 0

    def case_done(self, done: int, total: int, result: CaseResult) -> None:
        """One more case has been judged."""
        self._failed += result.verdict in ("failed", "error")
        self._show(f"{done}/{total} cases, {self._failed} not passed  {result.id}")

    def end(self) -> None:
        """Leave the line empty."""
        self._show("")
        if self._shown:
            click.echo("\r", nl=False, err=True)

    def _show(self, text: str) -> None:
        if self._shown:
            click.echo(f"\r{text[:100]:<{self._width}}", nl=False, err=True)
            self._width = min(len(text), 100)


def _print_list(interface: Interface, patterns: tuple[str, ...]) -> None:
    from fnmatch import fnmatchcase

    from simcore.testing.conformance.plan import plan

    cases = [
        case
        for case in plan(interface)
        if not patterns or any(fnmatchcase(case.id, pattern) for pattern in patterns)
    ]
    width = max((len(case.id) for case in cases), default=0)
    for case in cases:
        click.echo(f"{case.id:<{width}}  {', '.join(case.requirements):<24}  {case.title}")
    click.echo(f"{len(cases)} cases")


def _exit_of(result: ConformanceResult, *, strict: bool) -> Exit:
    from simcore.testing.conformance.result import CaseVerdict

    verdict = result.verdict
    if verdict is CaseVerdict.ERROR:
        return Exit.INVALID_INPUT
    if verdict is not CaseVerdict.PASSED:
        return Exit.CHECK_FAILED
    gaps = (CaseVerdict.NOT_TESTED, CaseVerdict.PARTLY)
    untested = any(result.requirement_verdict(name) in gaps for name in result.requirements)
    return Exit.CHECK_FAILED if strict and untested else Exit.PASSED


def _written(result: ConformanceResult, folder: Path) -> list[tuple[str, Path]]:
    from simcore.testing.conformance import writers

    write = {
        "html": writers.write_html,
        "junit": writers.write_junit,
        "json": writers.write_json,
        "csv": writers.write_csv,
        "reqif": writers.write_reqif,
    }
    return [(kind, write[kind](folder / name, result)) for kind, name in FORMATS.items()]
