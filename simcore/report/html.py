"""The report page: one HTML file that needs no network, no server and no other file.

The template, its style and its script are in `templates/`; plotly's JavaScript (4.8 MB, most of
the file) is inlined once, and left out where there is nothing to draw. A content security policy
forbids the page every request. Ids are numbered, so the same results give the same bytes.
Not here: what the plots show (`plots`), totals and verdicts over scenarios (`summary`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from simcore.report import summary
from simcore.report.files import write_file
from simcore.report.plots import POINT_LIMIT, plot_data
from simcore.report.supervision import SupervisionView, supervision_view
from simcore.report.update import UpdateView, update_view
from simcore.report.wire_lanes import WireView, errors_in_words, losses_in_words, wire_views
from simcore.rig.result import Event, MessageStatistics, ScenarioResult, Verdict
from simcore.rig.wire_watch import WORDS
from simcore.units import NS_PER_MS, format_ns

MATRIX_LIMIT = 24
"""With more scenarios than this, the requirement table counts them instead of a column each."""
OPEN_LIMIT = 4
"""With more scenarios than this, only the first that did not pass is open at the start."""
FEW_SCENARIOS = 50
POINT_LIMIT_OF_MANY = 500
"""Points per curve with more scenarios than `FEW_SCENARIOS`, so that the page stays loadable."""


def write_html(
    path: str | os.PathLike[str],
    results: Sequence[ScenarioResult],
    *,
    requirement_texts: Mapping[str, str],
    version: str,
    log_files: Mapping[str, Sequence[str | os.PathLike[str]]] | None = None,
) -> Path:
    """Write the report page.

    `requirement_texts` maps every known requirement to its text, judged or not; `log_files` maps
    scenario names to logs the page links to, relative to itself. Raises `InputError` where
    `path` cannot be written.
    """
    links = {
        name: [_link(Path(path), log) for log in logs] for name, logs in (log_files or {}).items()
    }
    page = html_page(results, requirement_texts=requirement_texts, version=version, links=links)
    # Lone surrogates (undecodable bytes of a file name, say) have no place in UTF-8.
    return write_file(path, page.encode("utf-8", "backslashreplace"), what="HTML report")


def html_page(
    results: Sequence[ScenarioResult],
    *,
    requirement_texts: Mapping[str, str],
    version: str,
    links: Mapping[str, Sequence[tuple[str, str]]],
) -> str:
    """The page as text; `links` maps scenario names to (address, shown name) pairs."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simcore.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "seconds": summary.format_seconds,
        "ms": _milliseconds,
        "mark": _mark,
        "percent": _percent,
        "span": format_ns,
        "errors": errors_in_words,
        "losses": losses_in_words,
    }
    points = POINT_LIMIT if len(results) <= FEW_SCENARIOS else POINT_LIMIT_OF_MANY
    opened = _opened(results)
    views = [
        _view(index, result, links, points, index in opened) for index, result in enumerate(results)
    ]
    judged = summary.judged_requirements(results, requirement_texts)
    return environment.get_template("report.html.j2").render(
        version=version,
        state_words=WORDS,
        requirement_texts=requirement_texts,
        point_limit=points,
        views=views,
        verdict=summary.overall_verdict(results),
        totals=summary.total(results),
        digest=summary.run_digest(results) if results else "",
        seeds=list(dict.fromkeys(result.seed for result in results)),
        options=_shared_options(results),
        rows=[_requirement_row(name, results, requirement_texts) for name in judged],
        unjudged=[(n, text) for n, text in requirement_texts.items() if n not in set(judged)],
        as_matrix=len(results) <= MATRIX_LIMIT,
        plotly=_plotly() if any(view.plot for view in views) else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One scenario with what the template cannot work out itself."""

    index: int
    result: ScenarioResult
    plot: str
    """JSON, safe inside a script element; empty where there is nothing to draw."""
    is_open: bool
    checks_passed: int
    events: list[tuple[Event, int | None]]
    """Each event with the time since the latest fault before it."""
    messages: list[tuple[MessageStatistics, float | None]]
    """Each message with its largest cycle deviation in percent of nominal."""
    has_bounds: bool
    """Whether any message has a worst-case response time."""
    wires: list[WireView]
    """Buses with errors, states other than error active, or losses."""
    supervision: SupervisionView | None
    """Status of the supervised ECUs; `None` where it was in order throughout."""
    update: UpdateView | None
    """Software updates; `None` where none was tried."""
    links: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RequirementRow:
    """One requirement over all scenarios."""

    name: str
    text: str
    verdict: Verdict | None
    cells: list[Verdict | None]
    """One per scenario, in order."""


def _view(
    index: int,
    result: ScenarioResult,
    links: Mapping[str, Sequence[tuple[str, str]]],
    points: int,
    is_open: bool,
) -> _View:
    plot = plot_data(result, points)
    return _View(
        index=index,
        result=result,
        plot="" if plot is None else _script_json(plot),
        is_open=is_open,
        checks_passed=sum(check.passed for check in result.checks),
        events=_since_fault(result.events),
        messages=[(message, _deviation_pct(message)) for message in result.messages],
        has_bounds=any(message.latency_bound_ns is not None for message in result.messages),
        wires=wire_views(result),
        supervision=supervision_view(result),
        update=update_view(result),
        links=links.get(result.name, ()),
    )


def _opened(results: Sequence[ScenarioResult]) -> set[int]:
    if len(results) <= OPEN_LIMIT:
        return set(range(len(results)))
    not_passed = (i for i, result in enumerate(results) if result.verdict is not Verdict.PASSED)
    return {first} if (first := next(not_passed, None)) is not None else set()


def _requirement_row(
    name: str, results: Sequence[ScenarioResult], texts: Mapping[str, str]
) -> _RequirementRow:
    return _RequirementRow(
        name=name,
        text=texts.get(name, ""),
        verdict=summary.requirement_verdict(results, name),
        cells=[summary.scenario_requirement_verdict(result, name) for result in results],
    )


def _shared_options(results: Sequence[ScenarioResult]) -> dict[str, str]:
    """Options with the same value in every scenario; the others stand with their scenario."""
    if not results:
        return {}
    first, *others = (result.options for result in results)
    return {
        key: value
        for key, value in first.items()
        if all(options.get(key) == value for options in others)
    }


def _since_fault(events: Sequence[Event]) -> list[tuple[Event, int | None]]:
    fault_ns: int | None = None
    rows: list[tuple[Event, int | None]] = []
    for event in events:
        rows.append((event, None if fault_ns is None else event.time_ns - fault_ns))
        if event.kind == "fault":
            fault_ns = event.time_ns
    return rows


def _deviation_pct(message: MessageStatistics) -> float | None:
    nominal = message.cycle_nominal_ns
    if not nominal or message.cycle_min_ns is None or message.cycle_max_ns is None:
        return None
    late_pct = (message.cycle_max_ns - nominal) * 100 / nominal
    early_pct = (message.cycle_min_ns - nominal) * 100 / nominal
    return late_pct if late_pct >= -early_pct else early_pct


def _milliseconds(time_ns: float | None) -> str:
    return "-" if time_ns is None else f"{time_ns / NS_PER_MS:.3f}"


def _percent(load_ratio: float) -> str:
    return f"{load_ratio * 100:.2f}"


def _mark(verdict: Verdict | None) -> str:
    marks = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.ERROR: "!"}
    return "" if verdict is None else marks[verdict]


def _script_json(data: object) -> str:
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _link(page: Path, log: str | os.PathLike[str]) -> tuple[str, str]:
    relative = Path(os.path.relpath(log, page.parent)).as_posix()
    return quote(relative), relative


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
