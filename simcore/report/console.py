"""The result of a run on a terminal or in a plain log: tables of verdicts, the digest last.

Laid out for 80 columns; long texts fold, nothing is cut. Colour only repeats what words say.
Not here: any figure (`summary`, `simcore.rig.result`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simcore.report.summary import format_seconds, overall_verdict, run_digest, total
from simcore.report.supervision import supervision_lines
from simcore.report.update import update_lines
from simcore.report.wire_lanes import irregular_channels, wire_line
from simcore.rig.result import BusStatistics, ScenarioResult, Verdict
from simcore.units import format_ns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_STYLES = {Verdict.PASSED: "green", Verdict.FAILED: "bold red", Verdict.ERROR: "bold magenta"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
DETAIL_LIMIT = 12
"""With more scenarios than this, those that passed are only one line each."""


def print_console(results: Sequence[ScenarioResult], console: Console | None = None) -> None:
    """Print verdicts, checks, findings, bus load and digests of `results`.

    `console` defaults to a new one on standard output. Passed scenarios are one line each where
    there are more than `DETAIL_LIMIT` of them.
    """
    if console is None:
        from rich.console import Console as RichConsole

        console = RichConsole(highlight=False)
    printer = _Printer(console)
    if not results:
        printer.line("No scenario was run.")
        return
    for result in results:
        if len(results) <= DETAIL_LIMIT or result.verdict is not Verdict.PASSED:
            printer.scenario(result)
    printer.scenario_table(results)
    printer.closing(results)


class _Printer:
    """Prints the parts of a report to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def scenario(self, result: ScenarioResult) -> None:
        """Everything about one scenario."""
        heading = self.text(result.name, "bold")
        if result.title:
            heading.append_text(self.text(f"  {result.title}"))
        self._console.print(heading)
        self.line(f"  seed {result.seed}{self._options(result)}, digest {result.digest}", "dim")
        self._check_table(result)
        for requirement in result.unjudged:
            self.line(f"  FAILED  {requirement}: named by the scenario but never judged", "red")
        for fault in result.faults:
            stop = "the end" if fault.stop_ns is None else format_ns(fault.stop_ns)
            effect = f": {fault.effect}" if fault.effect else ""
            self.line(f"  FAULT  {format_ns(fault.start_ns)} to {stop}  {fault.sentence}{effect}")
        for finding in result.findings:
            at = format_ns(finding.time_ns)
            self.line(f"  FINDING  {at}  {finding.source}: {finding.text}", "red")
        if result.error is not None:
            kind = "INTERNAL ERROR" if result.error_is_internal else "ERROR"
            self.line(f"  {kind}  {result.error}", "bold magenta")
            for row in result.error_detail.rstrip().splitlines():
                self.line(f"    {row}", "dim")
        self._measurements(result)
        self._bus_table(result.buses)
        for sentence in supervision_lines(result):
            self.line(f"  SUPERVISION  {sentence}")
        for sentence in update_lines(result):
            self.line(f"  UPDATE  {sentence}")
        for channel in irregular_channels(result):
            self.line(f"  {channel}: {wire_line(result, channel)}")
        if result.verdict is not Verdict.PASSED and result.replay_command:
            self.line(f"  replay: {result.replay_command}")
        self.line("")

    def scenario_table(self, results: Sequence[ScenarioResult]) -> None:
        """One line per scenario: verdict, counts, virtual time, digest."""
        table = self._table("verdict", "scenario", ">checks", ">findings", ">virtual s", "digest")
        for result in results:
            passed = sum(check.passed for check in result.checks)
            table.add_row(
                self._verdict(result.verdict),
                self.text(result.name),
                self.text(f"{passed}/{len(result.checks)}"),
                self.text(str(len(result.findings))),
                self.text(format_seconds(result.duration_ns)),
                self.text(result.digest[:8]),
            )
        self._console.print(table)
        self.line("")

    def closing(self, results: Sequence[ScenarioResult]) -> None:
        """The run in one line, and its digest as the very last."""
        totals = total(results)
        verdict = overall_verdict(results)
        word = "nothing run" if verdict is None else verdict.value.upper()
        self.line(
            f"{word}: {_counted(totals.scenarios, 'scenario')}, {totals.passed} passed, "
            f"{totals.failed} failed, {_counted(totals.errors, 'error')}, "
            f"{format_seconds(totals.duration_ns)} s of virtual time",
            "bold" if verdict is None else _STYLES[verdict],
        )
        self.line(f"digest {run_digest(results)}")

    def line(self, text: str, style: str = "") -> None:
        """One line, left to the terminal to wrap so that it can be copied whole."""
        self._console.print(self.text(text, style), soft_wrap=True)

    def text(self, text: str, style: str = "") -> Text:
        """`text` without markup, control characters spelled out, encodable on this console."""
        from rich.text import Text as RichText

        clean = _CONTROL.sub(lambda match: repr(match.group())[1:-1], text)
        encoding = self._console.encoding
        clean = clean.encode(encoding, "backslashreplace").decode(encoding)
        return RichText(clean, style=style)

    def _options(self, result: ScenarioResult) -> str:
        return "".join(f", {key}={value}" for key, value in result.options.items())

    def _verdict(self, verdict: Verdict) -> Text:
        return self.text(verdict.value.upper(), _STYLES[verdict])

    def _check_table(self, result: ScenarioResult) -> None:
        if not result.checks:
            return
        table = self._table("  verdict", "requirement", "measured", "limit", "check")
        for check in result.checks:
            verdict = Verdict.PASSED if check.passed else Verdict.FAILED
            cell = self.text("  ")
            cell.append_text(self._verdict(verdict))
            table.add_row(
                cell,
                self.text(check.requirement),
                self.text(check.measured),
                self.text(check.limit),
                self.text(check.text),
            )
        self._console.print(table)

    def _measurements(self, result: ScenarioResult) -> None:
        for name, value in result.measurements.items():
            self.line(f"  {name}: {value}")

    def _bus_table(self, buses: Sequence[BusStatistics]) -> None:
        if not buses:
            return
        table = self._table("  bus", ">frames", ">load", ">peak load", ">window", ">bit rate")
        for bus in buses:
            table.add_row(
                self.text(f"  {bus.channel}"),
                self.text(str(bus.frame_count)),
                self.text(f"{bus.load_ratio * 100:.1f} %"),
                self.text(f"{bus.peak_load_ratio * 100:.1f} %"),
                self.text(format_ns(bus.load_window_ns)),
                self.text(_bitrate(bus)),
            )
        self._console.print(table)

    def _table(self, *headings: str) -> Table:
        """A table without lines; a heading that starts with `>` is right-aligned."""
        from rich.table import Table as RichTable

        table = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold", highlight=False)
        for heading in headings:
            right = heading.startswith(">")
            table.add_column(
                heading.removeprefix(">"), justify="right" if right else "left", overflow="fold"
            )
        return table


def _bitrate(bus: BusStatistics) -> str:
    rates_bps = [bus.nominal_bps] if bus.data_bps is None else [bus.nominal_bps, bus.data_bps]
    return "/".join(f"{rate_bps / 1e6:g}" for rate_bps in rates_bps) + " Mbit/s"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
