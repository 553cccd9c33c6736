"""The safety mechanisms of the reference ECUs, by name, so that each can be left out.

What a mechanism is worth shows when it is off: `Rig(without=["watchdog"])` builds the same vehicle
without it. The names are stable; tests, the command line and reports use them.
"""

from __future__ import annotations

from collections.abc import Iterable

from simcore.errors import UsageError

MECHANISMS: dict[str, str] = {
    "e2e": "E2E check of received messages: profile and state machine (COM-002, COM-003)",
    "deadline": "deadline monitoring of received messages (COM-003)",
    "arrival": "arrival monitoring: frames that come ever later than their counters say",
    "watchdog": "supervision of tasks and the external watchdogs (WDG-001, WDG-002, WDG-003)",
    "redistribution": "brake forces moved to the remaining wheels after a loss (DEG-001, SAF-001)",
    "monitor": "independent monitoring of function, level 2, in CDC and EMB (SAF-002, SAF-004)",
    "plausibility": "sensors checked against each other and against a model (SAF-003)",
}
"""Name and what it does."""


def mechanisms_off(names: Iterable[str]) -> frozenset[str]:
    """The names as a set. Raises `UsageError` for one that is not in `MECHANISMS`."""
    off = frozenset((names,) if isinstance(names, str) else names)
    unknown = sorted(off - MECHANISMS.keys())
    if unknown:
        raise UsageError(
            "without", expected=f"mechanisms of {', '.join(MECHANISMS)}", got=", ".join(unknown)
        )
    return off
