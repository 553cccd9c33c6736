"""Layout and ranges of what a module receives: every signal at each value its bits can make.

Least, greatest, named, reserved: whatever a signal says, the module lives on, keeps its cycles,
stays safe, and is afterwards as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from simcore.network import Message, Signal
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import judge_life, judge_runs
from simcore.testing.conformance.stimuli import (
    SETTLING_NS,
    RawSignals,
    interesting_raws,
    let_come,
    own_signals,
    played,
)
from simcore.testing.conformance.trial import Trial

_FRAMES = 2
"""How often each value comes."""


def cases(interface: Interface) -> list[Case]:
    """One case per message that the node receives a signal of."""
    return [
        Case(
            id=f"layout.received.{message.name}",
            group=Group.LAYOUT,
            title=f"whatever the signals of {message.name} say, it lives on",
            run=partial(any_value, name=message.name),
            needs=frozenset({Need.VIRTUAL_TIME}),
        )
        for message in interface.received
        if own_signals(message, interface.node) and not message.defect
    ]


def any_value(trial: Trial, name: str) -> None:
    """Each interesting raw value of each signal for some frames, then what it was before."""
    message = trial.message(name)
    if message not in played(trial):
        trial.not_tested(f"{name} cannot be played")
    signals = own_signals(message, trial.node)
    # An event message keeps a long distance: all its signals change at once.
    together = not trial.interface.cycle_ns(message)
    for group in [signals] if together else [(each,) for each in signals]:
        if not _walk(trial, message, group):
            return
    trial.run_for(SETTLING_NS)
    judge_life(trial, trial.start_ns)
    trial.check_safe(trial.start_ns)


def _walk(trial: Trial, message: Message, signals: Sequence[Signal]) -> bool:
    """Let signals go through their values side by side; whether the module runs then."""
    begin_ns = trial.now_ns
    values = [list(interesting_raws(signal).values()) for signal in signals]
    for step in range(max(map(len, values))):
        raws = {
            signal.name: said[step % len(said)]
            for signal, said in zip(signals, values, strict=True)
        }
        fault = trial.bench.inject(RawSignals(message=message.name, raws=raws))
        let_come(trial, message, _FRAMES)
        trial.bench.clear(fault)
    names = ", ".join(signal.name for signal in signals)
    said = ", ".join(map(str, values[0])) if len(signals) == 1 else "all their values"
    return judge_runs(trial, begin_ns, f"with raw {names} = {said}")
