"""Diagnostics of any node: what a tester may do to the module, and when it may not.

A reset, messages switched off, and requests without end: none of it may disturb what drives.
"""

from __future__ import annotations

from itertools import pairwise

from simcore.testing.conformance.case import Case
from simcore.testing.conformance.dialogue import (
    TABLE,
    Dialogue,
    known_identifiers,
    milliseconds,
)
from simcore.testing.conformance.dialogue import diagnostic_case as case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms


def cases(interface: Interface) -> list[Case]:
    """None for a node without diagnostic messages, or without a table of what it offers."""
    if interface.diag_request is None or not interface.binding(TABLE, {}):
        return []
    return _actions(interface.binding(TABLE), interface)


def _actions(table: dict[str, object], interface: Interface) -> list[Case]:
    made = [
        case("reset", "11 01 is answered, then the module starts anew", _reset),
        case("undisturbed", "requests without end disturb no cycle", _undisturbed),
    ]
    if table.get("communication_off"):
        made.append(
            case("communication", "what stops its messages ends with the session", _communication)
        )
    if table.get("refused_moving") and interface.binding("moving", None):
        made.append(case("moving", "while the vehicle moves nothing is switched off", _moving))
    return made


# -- what a request does --------------------------------------------------------------------------


def _reset(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    dialogue.enter()
    since_ns = trial.now_ns
    dialogue.positive("11 01", text="11 01 is answered before the reset")
    trial.run_for(milliseconds(trial.parameter("reset_ms")))
    message = min(trial.interface.cyclic_sent, key=lambda each: each.cycle_time_ns or 0)
    cycle_ns = message.cycle_time_ns or 0
    frames = trial.frames(message.name, since_ns - cycle_ns)
    starts_ns = [record.sof_ns for record in frames]
    pause_ns = max((b - a for a, b in pairwise(starts_ns)), default=0)
    trial.expect(
        pause_ns > 1.5 * cycle_ns,
        text=f"pause in {message.name} while the module starts anew",
        measured=pause_ns / NS_PER_MS,
        limit=f"more than a cycle, {1.5 * cycle_ns / NS_PER_MS:g} ms",
    )
    lasts_ns = trial.now_ns - starts_ns[-1] if starts_ns else trial.now_ns
    trial.expect(
        lasts_ns <= 2 * cycle_ns,
        text=f"{message.name} is back",
        measured=lasts_ns / NS_PER_MS,
        limit=f"last frame <= {2 * cycle_ns / NS_PER_MS:g} ms ago",
    )
    dialogue.expect_session(dialogue.default_session, "session after the reset")


def _undisturbed(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    known = b"".join(known_identifiers(dialogue))
    since_ns = trial.now_ns
    while trial.now_ns < since_ns + ms(400):
        for request in (b"\x22" + known, b"\x3e\x00", b"\x15", b"\x19\x02\xff", b"\x22\x00"):
            dialogue.ask(request)
    tolerance_pct = trial.parameter("cycle_tolerance_pct")
    for message in trial.interface.cyclic_sent:
        cycle_ns = message.cycle_time_ns or 0
        starts_ns = [record.sof_ns for record in trial.frames(message.name, since_ns)]
        worst_ns = max(
            (abs(b - a - cycle_ns) for a, b in pairwise(starts_ns)),
            default=cycle_ns if 4 * cycle_ns < trial.now_ns - since_ns else 0,
        )
        trial.expect(
            worst_ns * 100.0 <= tolerance_pct * cycle_ns,
            text=f"{message.name}: worst deviation from its cycle while requests are answered",
            measured=100.0 * worst_ns / cycle_ns,
            limit=f"<= {tolerance_pct:g} %",
        )
    trial.check_safe(since_ns)


def _communication(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    s3_ns = milliseconds(trial.parameter("s3_ms")) + milliseconds(
        trial.parameter("s3_tolerance_ms")
    )
    message = min(trial.interface.cyclic_sent, key=lambda each: each.cycle_time_ns or 0)
    for ends, wait_ns in (("10 01", ms(100)), ("", s3_ns + ms(100))):
        dialogue.enter()
        for request in dialogue.offer.texts("communication_off"):
            dialogue.positive(request, text="communication switched off at standstill")
        since_ns = trial.now_ns
        trial.run_for(ms(100))
        _expect_frames(trial, message.name, since_ns, some=False)
        if ends:
            dialogue.positive(ends)
        trial.run_for(wait_ns)
        _expect_frames(trial, message.name, trial.now_ns - ms(50), some=True)


def _expect_frames(trial: Trial, message: str, since_ns: int, *, some: bool) -> None:
    count = len(trial.frames(message, since_ns))
    trial.expect(
        bool(count) is some,
        text=f"frames of {message} {'after the session' if some else 'while switched off'}",
        measured=f"{count} frames",
        limit="some" if some else "none",
    )


def _moving(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    stand_set = getattr(trial.bench, "set", None)
    if stand_set is None:
        trial.not_tested("what moves the vehicle is played by the node's stand only")
    assert stand_set is not None
    moving = trial.interface.binding("moving")
    for message, values in moving["values"].items():
        stand_set(message, **values)
    if getattr(trial.bench, "plant", None) is not None:
        trial.bench.set_speed(kmh=float(moving["speed_kmh"]))  # type: ignore[attr-defined]
    trial.run_for(ms(300))
    dialogue.enter()
    since_ns = trial.now_ns
    for request in dialogue.offer.texts("refused_moving"):
        dialogue.refused(request, text=f"{request} while the vehicle moves")
        trial.run_for(ms(100))
    message = min(trial.interface.cyclic_sent, key=lambda each: each.cycle_time_ns or 0)
    cycle_ns = message.cycle_time_ns or 0
    starts_ns = [record.sof_ns for record in trial.frames(message.name, since_ns)]
    pause_ns = max((b - a for a, b in pairwise(starts_ns)), default=0)
    trial.expect(
        0 < pause_ns < 2 * cycle_ns,
        text=f"longest pause of {message.name}",
        measured=pause_ns / NS_PER_MS,
        limit=f"less than two cycles, {2 * cycle_ns / NS_PER_MS:g} ms",
    )
    trial.check_safe(since_ns)
