"""A judged module on the console: groups, requirements, what failed and how to run it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.testing.conformance.result import CaseVerdict, ConformanceResult
from simcore.testing.conformance.writers.summary import (
    NOT_CHOSEN,
    groups_of,
    headline,
    requirement_rows,
    untested,
    what_happened,
)

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {
    CaseVerdict.PASSED: "green",
    CaseVerdict.FAILED: "bold red",
    CaseVerdict.NOT_TESTED: "dim",
    CaseVerdict.ERROR: "bold magenta",
    CaseVerdict.PARTLY: "yellow",
}
_IDS_SHOWN = 6
_TEXT_LENGTH = 90


def print_conformance(result: ConformanceResult, console: Console | None = None) -> None:
    """Print what a reader wants first: the failures last, right above the verdict."""
    from rich.console import Console as NewConsole

    out = console if console is not None else NewConsole(highlight=False, soft_wrap=True)
    _print_groups(result, out)
    _print_requirements(result, out)
    _print_untested(result, out)
    for note in result.notes:
        out.print(f"note: {note}", markup=False)
    for case in result.cases:
        if case.verdict in (CaseVerdict.FAILED, CaseVerdict.ERROR):
            out.print(f"\n{str(case.verdict).upper()} {case.id}: {case.title}", markup=False)
            out.print(f"  {what_happened(case)}", markup=False)
            out.print(f"  verifies {', '.join(case.requirements) or 'nothing'}", markup=False)
            out.print(f"  replay: {case.replay_command}", markup=False)
    out.print(f"\n{headline(result)}", style=_STYLES[result.verdict], markup=False)
    out.print(f"digest {result.digest}", markup=False)


def _print_groups(result: ConformanceResult, out: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("group")
    verdicts = [verdict for verdict in CaseVerdict if verdict is not CaseVerdict.PARTLY]
    for word in ("cases", *verdicts):
        table.add_column(str(word), justify="right")
    for group, cases in groups_of(result):
        counts = [sum(case.verdict is verdict for case in cases) for verdict in verdicts]
        shown = [str(count) if count else "" for count in counts]
        table.add_row(str(group), str(len(cases)), *shown)
    out.print(table)


def _print_requirements(result: ConformanceResult, out: Console) -> None:
    from rich.text import Text

    every = requirement_rows(result)
    rows = [row for row in every if row.cases or row.why_not_tested != NOT_CHOSEN]
    width = max((len(row.requirement.id) for row in rows), default=0)
    out.print()
    for row in rows:
        requirement, verdict = row.requirement, row.verdict
        count = f"{row.counts[CaseVerdict.PASSED]}/{len(row.cases)}" if row.cases else "-"
        text = row.why_not_tested or requirement.text
        shown = text if len(text) <= _TEXT_LENGTH else f"{text[: _TEXT_LENGTH - 3]}..."
        line = Text(f"{requirement.id:<{width}}  {requirement.asil:<2}  ")
        line.append(f"{verdict:<10}", style=_STYLES[verdict])
        line.append(f"  {count:>7}  {shown}")
        out.print(line)
    if len(rows) < len(every):
        out.print(f"{len(every) - len(rows)} more requirements: {NOT_CHOSEN}")


def _print_untested(result: ConformanceResult, out: Console) -> None:
    for reason, ids in untested(result):
        more = f" and {len(ids) - _IDS_SHOWN} more" if len(ids) > _IDS_SHOWN else ""
        shown = ", ".join(ids[:_IDS_SHOWN])
        out.print(f"not tested: {shown}{more}: {reason.splitlines()[-1]}", markup=False)
