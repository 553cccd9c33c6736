"""The pytest plugin: a `rig` fixture, and scenario files as tests.

Scenario files named on the command line (`pytest scenarios/panic_stop.py`) are collected like test
modules, one test per scenario case. A failed run prints the command that replays it. simcore is
imported when first needed, so a project that does not use it does not pay for the plugin.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simcore.rig import Rig, Scenario, ScenarioResult


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simcore")
    group.addoption(
        "--simcore-seed",
        type=int,
        default=0,
        metavar="SEED",
        help="seed of the random streams of scenarios and of the rig fixture (default 0)",
    )


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A fresh reference rig.

    Failed checks, broken invariants and findings are an error of the test when it ends.
    """
    from simcore.rig import Rig as NewRig
    from simcore.rig.outcome import all_checks, bus_statistics, report_collisions

    seed = request.config.getoption("--simcore-seed")
    made = NewRig(seed=seed)
    yield made
    report_collisions(made)
    problems = [
        f"{check.requirement}: {check.text} {check.measured}, limit {check.limit}"
        for check in all_checks(made, bus_statistics(made))
        if not check.passed
    ]
    problems += [f"{finding.source}: {finding.text}" for finding in made.log.findings]
    if problems:
        replay = f"replay: pytest '{request.node.nodeid}' --simcore-seed {seed}"
        text = "\n".join(f"  {problem}" for problem in problems)
        pytest.fail(f"rig:\n{text}\ndigest {made.digest}\n{replay}", pytrace=False)


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[ScenarioItem] | None:
    """Turn what `@scenario` left in a module into tests."""
    if type(obj).__module__ != "simcore.rig.scenario" or type(obj).__name__ != "ScenarioSet":
        return None
    scenarios: Any = obj
    here = collector.path.resolve()
    return [
        ScenarioItem.from_parent(collector, name=item.name, scenario=item)
        for item in scenarios
        if Path(item.file).resolve() == here  # imported ones are tests of their own file
    ]


class ScenarioError(Exception):
    """A scenario did not pass; carries its result."""

    def __init__(self, result: ScenarioResult) -> None:
        self.result = result
        super().__init__(result.name)


class ScenarioItem(pytest.Item):
    """One scenario case as a test."""

    def __init__(self, *, scenario: Scenario, **rest: Any) -> None:
        super().__init__(**rest)
        self.scenario = scenario

    def runtest(self) -> None:
        from simcore.rig import Verdict, run_scenario

        seed = self.config.getoption("--simcore-seed")
        result = run_scenario(
            self.scenario,
            seed=seed,
            replay_command=shlex.join(
                [
                    *("simcore", "run", f"{self.scenario.file}::{self.scenario.name}"),
                    *("--seed", str(seed)),
                ]
            ),
        )
        self.user_properties.append(("digest", result.digest))
        self.user_properties.append(("requirements", ", ".join(result.requirements)))
        if result.verdict is not Verdict.PASSED:
            raise ScenarioError(result)

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> object:
        if not isinstance(excinfo.value, ScenarioError):
            return super().repr_failure(excinfo)
        result = excinfo.value.result
        lines = [f"scenario {result.name}: {result.verdict}"]
        if result.error is not None:
            lines += [result.error, result.error_detail]
        for check in result.checks:
            mark = "passed" if check.passed else "FAILED"
            verdict = f"  {mark}  {check.requirement}  {check.text}"
            lines.append(f"{verdict}: {check.measured} (limit {check.limit})")
        lines += [f"  FAILED  {name}  named but never checked" for name in result.unjudged]
        lines += [f"  finding  {item.source}: {item.text}" for item in result.findings]
        lines += [f"digest {result.digest}", f"replay: {result.replay_command}"]
        return "\n".join(lines)

    def reportinfo(self) -> tuple[str, int, str]:
        return self.scenario.file, self.scenario.line - 1, f"scenario {self.scenario.name}"
