"""What a broken module leaves behind: a finding that says what it raised, and where."""

from __future__ import annotations

import traceback
from pathlib import PurePath

from simcore.rig.events import EventLog


def record_crash(log: EventLog, node: str, where: str, error: BaseException) -> None:
    """Record that a call into the module of a node raised."""
    kind = type(error).__name__
    try:
        said = str(error)
    except Exception:  # even that can be broken in a module we did not write
        said = "(its text cannot be printed)"
    log.find(
        node,
        f"{where} raised {kind}: {said}; the node is switched off{_place(error)}",
        "".join(traceback.format_exception(error)),
        # What it said may hold a memory address; the digest must not.
        digest_text=f"{where} raised {kind}",
    )


def _place(error: BaseException) -> str:
    """Where a module's exception came from: ` (module.py:9)`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
