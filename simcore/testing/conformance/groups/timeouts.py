"""Timeouts: messages that stay away, come back, flicker, or come at the wrong time.

What a role does meanwhile (another lane, a default, a warning) is judged with the role; here any
module must live on, keep its cycles, stay safe, and say afterwards what it said before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from simcore.faults.message import MessageCycle
from simcore.network.messages import Number
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import judge_life, raws_of
from simcore.testing.conformance.stimuli import is_enumeration, played, stand_of
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS

_LOST_CYCLES = 8
_LEAST_NS = 50 * NS_PER_MS
_MOST_NS = 500 * NS_PER_MS
_SLOW_NS = 100 * NS_PER_MS
"""A message with this cycle or a longer one is not worth more than one case."""
_LOOK_NS = 20 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """Up to three cases per cyclic message the node receives, and some of all together."""
    made = []
    for message in interface.cyclic_received:
        name = message.name
        made.append(_case(f"lost.{name}", f"{name} stays away and comes back", lost, name))
        if interface.cycle_ns(message) < _SLOW_NS:
            made += [
                _case(f"flicker.{name}", f"{name} comes and goes", flicker, name),
                _case(f"cycle.{name}", f"{name} comes too slowly and too fast", other_cycle, name),
            ]
    if interface.cyclic_received:
        made.append(_case("all", "everything stays away and comes back", everything))
        made.append(_case("silent", "every other node is off for a while", silent))
    return made


def _case(id: str, title: str, run: Callable[..., None], name: str = "") -> Case:
    return Case(
        id=f"timeout.{id}",
        group=Group.TIMEOUTS,
        title=title,
        run=partial(run, name=name) if name else run,
        needs=frozenset({Need.VIRTUAL_TIME}),
    )


def _lost_ns(trial: Trial, names: Sequence[str]) -> int:
    cycles = [trial.interface.cycle_ns(trial.message(name)) for name in names]
    return min(_MOST_NS, max(_LEAST_NS, _LOST_CYCLES * max(cycles)))


def _require_played(trial: Trial, name: str) -> None:
    if trial.message(name) not in played(trial):
        trial.not_tested(f"{name} cannot be played")


def said(trial: Trial) -> dict[str, Number]:
    """What the module says about itself: the last of each enumeration it sends."""
    found: dict[str, Number] = {}
    latching = set(trial.interface.binding("latching", ()))
    for message in trial.interface.cyclic_sent:
        records = trial.frames(message.name, trial.now_ns - 2 * trial.interface.cycle_ns(message))
        raws = raws_of(message, records[-1]) if records else None
        if raws is None:
            continue
        for signal in message.signals:
            if signal.name in raws and is_enumeration(signal) and signal.name not in latching:
                found[signal.name] = raws[signal.name]
    return found


def _judge_recovery(trial: Trial, before: dict[str, Number], what: str) -> None:
    """Judge that what the module says is again what it said, with `recovery_ms`."""
    budget_ms = trial.parameter("recovery_ms")
    slowest_ns = max(map(trial.interface.cycle_ns, trial.interface.cyclic_sent), default=0)
    end_ns = trial.now_ns + int(budget_ms * NS_PER_MS) + min(2 * slowest_ns, _MOST_NS)
    trial.run_for(max(_LOOK_NS, min(2 * slowest_ns, _MOST_NS)))
    while (other := _changed(before, said(trial))) and trial.now_ns < end_ns:
        trial.run_for(_LOOK_NS)
    trial.expect(
        not other,
        text=f"{len(before)} states sent that are not as before {what}",
        measured=", ".join(other) or "none",
        limit=f"none {budget_ms:g} ms after",
    )


def _changed(before: dict[str, Number], after: dict[str, Number]) -> list[str]:
    return [
        f"{name}: {raw} -> {after.get(name)}"
        for name, raw in before.items()
        if after.get(name) != raw
    ]


def lost(trial: Trial, name: str) -> None:
    """Away for ten cycles, and back."""
    _require_played(trial, name)
    stand = stand_of(trial)
    before = said(trial)
    begin_ns = trial.now_ns
    stand.stop(name)
    trial.run_for(_lost_ns(trial, [name]))
    stand.resume(name)
    _judge_recovery(trial, before, f"{name} was lost")
    judge_life(trial, begin_ns)
    trial.check_safe(begin_ns)


def flicker(trial: Trial, name: str) -> None:
    """Away for one to five cycles, again and again."""
    _require_played(trial, name)
    stand = stand_of(trial)
    before = said(trial)
    cycle_ns = trial.interface.cycle_ns(trial.message(name))
    begin_ns = trial.now_ns
    for turn in range(8):
        if trial.now_ns - begin_ns > _MOST_NS:
            break
        stand.stop(name)
        trial.run_for((turn % 5 + 1) * cycle_ns)
        stand.resume(name)
        trial.run_for((turn % 3 + 1) * cycle_ns)
    _judge_recovery(trial, before, f"{name} flickered")
    judge_life(trial, begin_ns)
    trial.check_safe(begin_ns)


def other_cycle(trial: Trial, name: str) -> None:
    """In half its cycle, then in twice its cycle."""
    _require_played(trial, name)
    before = said(trial)
    cycle_ns = trial.interface.cycle_ns(trial.message(name))
    begin_ns = trial.now_ns
    for wrong_ns in (cycle_ns // 2, 2 * cycle_ns):
        fault = trial.bench.inject(MessageCycle(message=name, cycle_ns=wrong_ns))
        trial.run_for(min(_MOST_NS, max(_LEAST_NS, 5 * wrong_ns)))
        trial.bench.clear(fault)
    _judge_recovery(trial, before, f"{name} came in other cycles")
    judge_life(trial, begin_ns)
    trial.check_safe(begin_ns)


def everything(trial: Trial) -> None:
    """All cyclic messages away at once."""
    stand = stand_of(trial)
    names = [each.name for each in played(trial) if trial.interface.cycle_ns(each)]
    if not names:
        trial.not_tested("nothing it receives can be played")
    before = said(trial)
    begin_ns = trial.now_ns
    for name in names:
        stand.stop(name)
    trial.run_for(_lost_ns(trial, names))
    for name in names:
        stand.resume(name)
    _judge_recovery(trial, before, "everything was lost")
    judge_life(trial, begin_ns)
    trial.check_safe(begin_ns)


def silent(trial: Trial) -> None:
    """The others have no supply for a while: their counters begin anew afterwards."""
    others = [name for name in trial.bench.nodes if name != trial.node]
    before = said(trial)
    begin_ns = trial.now_ns
    for name in others:
        trial.bench.silence(name)
    trial.run_for(_LOST_CYCLES * 20 * NS_PER_MS)
    for name in others:
        trial.bench.supply(name)
    _judge_recovery(trial, before, "all others were off")
    judge_life(trial, begin_ns)
    trial.check_safe(begin_ns)
