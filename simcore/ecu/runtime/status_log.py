"""Supervision in the event log: every change of status as an event, and back from its text.

The one place that knows the wording: the runtime and a supervised module write with `log_change`,
whoever draws the course of a run reads with `read_change`.

kind       text
state      `supervision OK -> EXPIRED (reason)`: the global status
detection  `supervision: control FAILED (reason)`: an entity, to FAILED or EXPIRED
note       `supervision: control OK (reason)`: an entity, back or no longer supervised;
           `supervision DEACTIVATED -> OK (started)`: power on
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from simcore.watchdog.statuses import GlobalStatus, LocalStatus, StatusChange

_GLOBAL = re.compile(r"supervision ([A-Z]+) -> ([A-Z]+) \(")
_LOCAL = re.compile(r"supervision: (\S+) ([A-Z]+) \(")
_FOUND = (LocalStatus.FAILED, LocalStatus.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenStatus:
    """One change of status as the log has it."""

    entity: str
    """Empty for the global status."""
    status: LocalStatus | GlobalStatus


def log_change(log: Callable[[str, str], object], change: StatusChange) -> None:
    """Record a change through `Port.log`."""
    if not change.entity:
        kind = "note" if change.before is GlobalStatus.DEACTIVATED else "state"
        text = f"supervision {change.before.name} -> {change.after.name} ({change.reason})"
        log(kind, text)
    else:
        kind = "detection" if change.after in _FOUND else "note"
        log(kind, f"supervision: {change.entity} {change.after.name} ({change.reason})")


def read_change(text: str) -> SeenStatus | None:
    """The change an event's text tells of; `None` for any other text."""
    found = _GLOBAL.match(text)
    if found is not None:
        name = found[2]
        return SeenStatus(entity="", status=GlobalStatus[name]) if name in _GLOBALS else None
    found = _LOCAL.match(text)
    if found is not None and found[2] in _LOCALS:
        return SeenStatus(entity=found[1], status=LocalStatus[found[2]])
    return None


_GLOBALS = GlobalStatus.__members__
_LOCALS = LocalStatus.__members__
