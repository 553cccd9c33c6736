"""`--simcore-report DIR`: one HTML page over the scenarios and tests of a pytest run.

Every test that had a rig, and every one with a requirement marker, leaves a `ScenarioResult`. It
waits in a file in `DIR` until the run ends: so workers of pytest-xdist contribute like one process.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from simcore.report import write_html
from simcore.report.files import write_file
from simcore.rig import Rig, Scenario, ScenarioResult
from simcore.rig.requirements import load_requirements
from simcore.rig.result import Check
from simcore.rig.scenario import collect
from simcore.testing.plugin import SEED, ScenarioItem, replay_words, requirements_of
from simcore.version import __version__

PARTS = ".parts"


class ReportCollector:
    """Keeps what the tests left and writes the page when the last one has ended."""

    def __init__(self, folder: Path, config: pytest.Config) -> None:
        self.folder = folder
        self._is_worker = hasattr(config, "workerinput")
        self._rigs: dict[str, Rig] = {}
        self._failures: dict[str, tuple[str, str]] = {}
        """By test: in a line, and whole."""
        self._reported: set[str] = set()

    def pytest_sessionstart(self) -> None:
        if not self._is_worker:
            self._clear()

    def keep(self, item: pytest.Item, rig: Rig) -> None:
        """Remember the rig of a test until the test has ended."""
        self._rigs[item.nodeid] = rig

    def add(self, name: str, result: ScenarioResult) -> None:
        """Put a result by; frames are not on the page, so they are left out."""
        self._reported.add(name)
        part = blake2b(name.encode(), digest_size=12).hexdigest()
        content = pickle.dumps((name, replace(result, records=())))
        write_file(self.folder / PARTS / part, content, what="part of the report")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Iterator[None]:
        outcome: Any = yield
        report = outcome.get_result()
        if report.failed:
            self._failures.setdefault(item.nodeid, (_headline(report), report.longreprtext))
        if report.when == "teardown":
            self._conclude(item, skipped=bool(getattr(report, "skipped", False)))
        elif report.skipped:
            self._reported.add(item.nodeid)  # it says nothing about anything

    def _conclude(self, item: pytest.Item, *, skipped: bool) -> None:
        rig = self._rigs.pop(item.nodeid, None)
        failure = self._failures.pop(item.nodeid, ("", ""))
        named = tuple(requirements_of(item))
        if isinstance(item, ScenarioItem) or item.nodeid in self._reported or skipped:
            return
        if rig is None and not named:
            return
        self.add(item.nodeid, _result(item, rig, named, failure))

    def pytest_sessionfinish(self) -> None:
        if self._is_worker:
            return
        parts = sorted((self.folder / PARTS).glob("*"))
        found = sorted(pickle.loads(part.read_bytes()) for part in parts)
        texts = {name: entry.text for name, entry in load_requirements().items()}
        write_html(
            self.folder / "report.html",
            [result for _, result in found],
            requirement_texts=texts,
            version=__version__,
            log_files={},
        )
        self._clear()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self._is_worker:
            terminalreporter.write_line(f"simcore report: {self.folder / 'report.html'}")

    def _clear(self) -> None:
        parts = self.folder / PARTS
        for part in parts.glob("*"):
            part.unlink()
        if parts.is_dir():
            parts.rmdir()


def _headline(report: pytest.TestReport) -> str:
    """What went wrong, in a line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = report.longreprtext if crash is None else str(crash.message)
    lines = text.strip().splitlines() or ["no text"]
    return f"{report.when}: {lines[0]}"


def _result(
    item: pytest.Item, rig: Rig | None, named: tuple[str, ...], failure: tuple[str, str]
) -> ScenarioResult:
    """What a test left, in the form of a scenario's result."""
    file, line, _ = item.location
    function: Any = getattr(item, "function", None)
    scenario = Scenario(
        name=item.nodeid, function=function, requirements=named, file=file, line=line or 0
    )
    seed = int(item.config.getoption(SEED))
    made = rig if rig is not None else Rig(seed=seed)
    result = collect(made, scenario, None, options={}, replay_command=replay_words(item))
    headline, whole = failure
    own = tuple(
        Check(
            requirement=name,
            passed=not headline,
            text="outcome of the test",
            measured=headline or "passed",
            limit="passed",
            time_ns=made.now_ns,
            source="pytest",
        )
        for name in named
    )
    before = result.checks if rig is not None else ()
    return replace(result, checks=(*before, *own), error_detail=whole)
