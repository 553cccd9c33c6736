"""`pytest --simcore-conformance`: the cases of the conformance kit as tests.

One item per case, so that pytest's selection (`-k control`), its workers and its JUnit file do for
them what they do for tests. What the place or the module lacks is skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import UsageError
from simcore.network import Database
from simcore.testing.conformance.case import Case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import DEFAULT_BUDGET, CaseRun
from simcore.testing.conformance.plan import plan
from simcore.testing.conformance.result import CaseResult, CaseVerdict
from simcore.testing.plugin import AS, CONFORMANCE, DBC, DUT, ISOLATED, REQUIREMENTS, SEED
from simcore.testing.plugin_place import place_of


class ConformanceError(Exception):
    """A case did not pass; carries its result."""

    def __init__(self, result: CaseResult) -> None:
        self.result = result
        super().__init__(result.id)


class ConformanceItem(pytest.Item):
    """One case as a test."""

    def __init__(self, *, run: CaseRun, case: Case, omits: Mapping[str, str], **rest: Any) -> None:
        super().__init__(**rest)
        self._run = run
        self._case = case
        self._omits = omits
        for name in case.requirements:
            self.user_properties.append(("requirement", name))

    def runtest(self) -> None:
        why = (text for pattern, text in self._omits.items() if fnmatchcase(self.name, pattern))
        result = self._run.run(self._case, next(why, ""))
        self.user_properties.append(("digest", result.digest))
        if result.verdict is CaseVerdict.NOT_TESTED:
            pytest.skip(result.reason)
        if result.verdict is not CaseVerdict.PASSED:
            raise ConformanceError(result)

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> object:
        if not isinstance(excinfo.value, ConformanceError):
            return super().repr_failure(excinfo)
        result = excinfo.value.result
        lines = [f"{result.id}: {result.verdict}: {result.title}"]
        lines += [f"  verifies {', '.join(result.requirements) or 'no requirement'}"]
        for each in result.judgements:
            mark = "passed" if each.passed else "FAILED"
            lines.append(f"  {mark}  {each.text}: {each.measured} (limit {each.limit})")
        lines += [f"  finding  {text}" for text in result.findings]
        lines += [result.reason] if result.reason else []
        lines += [f"    {line}" for line in result.excerpt]
        return "\n".join([*lines, f"replay: {result.replay_command}"])

    def reportinfo(self) -> tuple[str, None, str]:
        return "conformance", None, self.name


def conformance_items(session: pytest.Session) -> list[ConformanceItem]:
    """Every case for the module of the command line, in the order of the report."""
    config = session.config
    path, node = str(config.getoption(DUT)), str(config.getoption(AS))
    place = place_of((node, path), isolated=bool(config.getoption(ISOLATED)))
    assert place is not None
    if len(place.nodes) != 1:
        raise UsageError(f"{CONFORMANCE} with {AS}", expected="one node", got=node)
    file, requirements = config.getoption(DBC), config.getoption(REQUIREMENTS)
    database = Database.reference() if file is None else Database.load(file)
    interface = Interface.of(
        database, node, None if requirements is None else Path(str(requirements))
    )
    run = CaseRun(
        interface=interface,
        dut=place.dut,
        seed=int(config.getoption(SEED)),
        budget=DEFAULT_BUDGET,
    )
    return [
        ConformanceItem.from_parent(
            session,
            name=case.id,
            nodeid=f"conformance/{node}::{case.id}",
            run=run,
            case=case,
            omits=place.dut.omits,
        )
        for case in plan(interface)
    ]
