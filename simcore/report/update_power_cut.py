"""The page of a power-cut sweep, and the same as CSV: outcome per story, kind of cut and operation.

One HTML file that needs no network and no other file, in the look of the report page (`html`);
there is no script at all. JSON is `simcore.update.power_cut_run.as_data`. Not here: the strips
(`update_power_cut_chart`).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simcore.report.update_power_cut_chart import strip_svg
from simcore.update.flash import CutKind
from simcore.update.power_cut import CaseResult, Outcome, SweepPlan, SweepResult

KINDS = (
    (CutKind.BEFORE, "before the operation"),
    (CutKind.TORN, "torn, inside it"),
    (CutKind.AFTER, "after it"),
    (None, "twice, in the recovery too"),
)
COLUMNS = (
    "story",
    "flash",
    "operation",
    "kind",
    "torn_seed",
    "second_operation",
    "second_kind",
    "cuts_reached",
    "phase",
    "first_after_cut",
    "end",
    "wrong_tries",
    "bad",
    "why",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """All runs of a story with one kind of cut."""

    word: str
    runs: int
    first_old: int
    first_new: int
    end_old: int
    end_new: int
    bricks: int
    wrong_tries: int
    other: int

    @property
    def passed(self) -> bool:
        """Whether every run kept the promise."""
        return not (self.bricks or self.wrong_tries or self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryView:
    """What the page shows of a story."""

    result: SweepResult
    rows: tuple[KindRow, ...]
    strips: str
    """SVG."""
    bad: tuple[str, ...]

    @property
    def counted(self) -> str:
        """Operations of the run without a cut, per flash."""
        return " + ".join(str(each) for each in self.result.operations)


def kind_rows(result: SweepResult) -> tuple[KindRow, ...]:
    """One row per kind of cut that was tried."""
    rows = (_row(word, _of_kind(result.every, kind)) for kind, word in KINDS)
    return tuple(row for row in rows if row.runs)


def power_cut_page(results: Sequence[SweepResult], plan: SweepPlan, *, version: str) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simcore.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    views = [_view(result) for result in results]
    rows = [row for view in views for row in view.rows]
    return environment.get_template("power_cut.html.j2").render(
        version=version,
        plan=plan,
        views=views,
        passed=all(result.passed for result in results),
        runs=sum(result.cases for result in results),
        operations=sum(sum(result.operations) for result in results),
        bricks=sum(result.bricks for result in results),
        wrong_tries=sum(result.wrong_tries for result in results),
        other=sum(result.other for result in results),
        first_old=sum(row.first_old for row in rows),
        first_new=sum(row.first_new for row in rows),
    )


def power_cut_csv(results: Sequence[SweepResult]) -> str:
    """One line per run, in the order of the plan."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in results:
        writer.writerows(_csv_row(result, each) for each in result.every)
    return text.getvalue()


def _view(result: SweepResult) -> StoryView:
    bad = (
        f"{' then '.join(str(cut) for cut in each.case) or 'no cut'}: "
        f"{each.verdict.detail or each.verdict.outcome.value}"
        for each in result.bad
    )
    return StoryView(
        result=result, rows=kind_rows(result), strips=strip_svg(result), bad=tuple(bad)
    )


def _of_kind(results: Sequence[CaseResult], kind: CutKind | None) -> Iterator[CaseResult]:
    """Runs with one cut of a kind, or with two; without any is neither."""
    for each in results:
        if len(each.case) > 1:
            if kind is None:
                yield each
        elif each.case and each.case[0].kind is kind:
            yield each


def _row(word: str, results: Iterator[CaseResult]) -> KindRow:
    found = list(results)
    first = Counter(each.verdict.first for each in found)
    end = Counter(each.verdict.outcome for each in found)
    bricks = [each for each in found if Outcome.BRICK in (each.verdict.outcome, each.verdict.first)]
    others = [each for each in found if each.is_bad and each not in bricks]
    wrong = sum(each.verdict.wrong_tries > 0 for each in others)
    return KindRow(
        word=word,
        runs=len(found),
        first_old=first[Outcome.OLD],
        first_new=first[Outcome.NEW],
        end_old=end[Outcome.OLD],
        end_new=end[Outcome.NEW],
        bricks=len(bricks),
        wrong_tries=wrong,
        other=len(others) - wrong,
    )


def _csv_row(result: SweepResult, each: CaseResult) -> list[object]:
    verdict = each.verdict
    cut = each.case[0] if each.case else None
    second = each.case[1] if len(each.case) > 1 else None
    flash: object = "" if cut is None else cut.flash
    if cut is not None and result.flash_names:
        flash = result.flash_names[cut.flash]
    return [
        result.story,
        flash,
        "" if cut is None else cut.operation,
        "none" if cut is None else cut.kind.name.lower(),
        cut.seed if cut is not None and cut.kind is CutKind.TORN else "",
        "" if second is None else second.operation,
        "" if second is None else second.kind.name.lower(),
        each.reached,
        each.phase,
        "" if verdict.first is None else verdict.first.value,
        verdict.outcome.value,
        verdict.wrong_tries,
        int(each.is_bad),
        verdict.detail,
    ]
