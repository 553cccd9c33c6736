"""Exit codes are the contract with whatever calls the command line."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace
from typing import Any, cast

import pytest

from simcore.cli.exits import Exit, exit_of
from simcore.rig import ScenarioResult, Verdict


def ended(verdict: Verdict, *, internal: bool = False) -> ScenarioResult:
    return cast(ScenarioResult, SimpleNamespace(verdict=verdict, error_is_internal=internal))


PASSED = ended(Verdict.PASSED)
FAILED = ended(Verdict.FAILED)
ERROR = ended(Verdict.ERROR)
DEFECT = ended(Verdict.ERROR, internal=True)


def test_the_codes_are_those_callers_rely_on() -> None:
    assert {code.name: code.value for code in Exit} == {
        "PASSED": 0,
        "CHECK_FAILED": 1,
        "USAGE": 2,
        "INVALID_INPUT": 3,
        "DETERMINISM_BROKEN": 4,
        "INTERNAL": 70,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], Exit.PASSED),
        ([PASSED], Exit.PASSED),
        ([PASSED, FAILED], Exit.CHECK_FAILED),
        ([PASSED, FAILED, ERROR], Exit.INVALID_INPUT),
        ([PASSED, FAILED, ERROR, DEFECT], Exit.INTERNAL),
        ([PASSED, DEFECT], Exit.INTERNAL),
    ],
)
def test_the_gravest_result_decides_in_any_order(results: list[Any], code: Exit) -> None:
    assert {exit_of(order) for order in permutations(results)} == {code}
