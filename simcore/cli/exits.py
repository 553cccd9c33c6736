"""Exit codes of every subcommand."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.rig import ScenarioResult


@unique
class Exit(IntEnum):
    """What a command's exit code says."""

    PASSED = 0
    CHECK_FAILED = 1
    USAGE = 2
    INVALID_INPUT = 3
    DETERMINISM_BROKEN = 4
    INTERNAL = 70
    INTERRUPTED = 130


def exit_of(results: Sequence[ScenarioResult]) -> Exit:
    """The gravest of all results."""
    from simcore.rig import Verdict

    if any(result.error_is_internal for result in results):
        return Exit.INTERNAL
    verdicts = {result.verdict for result in results}
    if Verdict.ERROR in verdicts:
        return Exit.INVALID_INPUT
    return Exit.CHECK_FAILED if Verdict.FAILED in verdicts else Exit.PASSED
