"""Power: cycles, dips and cuts of the supply, at any instant; modes that the network announces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults import BrownOut
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups.startup import judge_own, judge_start
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.measuring import judge_checksums, judge_life
from simcore.testing.conformance.stimuli import let_come, played, stand_of
from simcore.testing.conformance.trial import OFF_NS, Trial
from simcore.units import NS_PER_MS, NS_PER_US, ms

_CUTS = 6
_DIPS_NS = (100 * NS_PER_US, NS_PER_MS, 10 * NS_PER_MS)
_MODE_NS = 100 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """Power cases of a node; one per bound power mode message."""
    made = [
        _case("cycle", "switched off and on it starts as ever", cycle),
        _case("sending", "cut in the midst of a frame it starts as ever", cut_while_sending),
        _case("dip", "short dips of the supply: it starts as ever", dips),
        _case("cuts", "many short cuts: it starts as ever", cuts),
        _case("memory", "what it keeps survives a power cycle", memory),
        _case("off", "without supply it says nothing and does nothing", off),
    ]
    if interface.binding("power_modes", None):
        made.append(_case("modes", "in every announced power mode it lives on", modes))
        for name in interface.binding("power_modes"):
            message = interface.database.message(name)
            for text in message.signal(interface.binding("power_modes")[name]).choices.values():
                made.append(
                    _case(
                        f"mode.{name}.{text}",
                        f"in power mode {text} of {name} it lives on",
                        mode,
                        name=name,
                        text=str(text),
                    )
                )
    return made


def _case(id: str, title: str, run: Callable[..., None], **more: str) -> Case:
    return Case(
        id=f"power.{id}",
        group=Group.POWER,
        title=title,
        run=partial(run, **more) if more else run,
        needs=frozenset({Need.VIRTUAL_TIME}),
    )


def _judge_restart(trial: Trial, on_ns: int, what: str = "") -> None:
    """Everything as after the first start, and nothing else."""
    latest_ns = max((each.start_delay_ns for each in trial.interface.cyclic_sent), default=0)
    trial.run_for(latest_ns + ms(trial.parameter("start_budget_ms")))
    for message in trial.interface.cyclic_sent:
        judge_start(trial, on_ns, message, what=what)
        if message.e2e is not None:
            judge_checksums(trial, message, trial.frames(message.name, on_ns))
    judge_own(trial, on_ns)
    trial.check_safe(trial.start_ns)


def cycle(trial: Trial) -> None:
    """Off for a while, and on."""
    on_ns = trial.power_cycle()
    _judge_restart(trial, on_ns)
    judge_life(trial, trial.now_ns)


def cut_while_sending(trial: Trial) -> None:
    """The supply goes while a frame of the module is on the bus."""
    for _ in range(3):
        if not trial.interface.cyclic_sent:
            trial.not_tested("it sends nothing in a cycle")
        message = trial.interface.cyclic_sent[0]
        cycle_ns = trial.interface.cycle_ns(message)
        trial.run_for(cycle_ns)
        last = trial.frames(message.name, trial.start_ns)[-1:]
        if not last:
            trial.expect(False, text=f"{message.name} comes", measured="no frame", limit="a frame")
            return
        length_ns = last[0].eof_ns - last[0].sof_ns
        due_ns = last[0].sof_ns + cycle_ns + length_ns // 2
        while due_ns <= trial.now_ns:
            due_ns += cycle_ns
        trial.run_for(due_ns - trial.now_ns)
        on_ns = trial.power_cycle(20 * NS_PER_MS)
        _judge_restart(trial, on_ns)


def dips(trial: Trial) -> None:
    """Shorter and longer than a bit, a frame, a cycle."""
    for off_ns in _DIPS_NS:
        trial.bench.inject(BrownOut(node=trial.node, off_ns=off_ns))
        trial.run_for(off_ns)
        _judge_restart(trial, trial.now_ns, f" after {off_ns / NS_PER_MS:g} ms without supply")


def cuts(trial: Trial) -> None:
    """On and off at instants drawn at random, before it has started up, too."""
    stand = stand_of(trial)
    for _ in range(_CUTS):
        stand.power_off()
        trial.run_for(trial.rng.integer(NS_PER_US, 20 * NS_PER_MS))
        stand.power_on()
        trial.run_for(trial.rng.integer(NS_PER_US, 60 * NS_PER_MS))
    stand.power_off()
    trial.run_for(OFF_NS)
    stand.power_on()
    _judge_restart(trial, trial.now_ns, f" after {_CUTS} cuts")


def memory(trial: Trial) -> None:
    """No entry of the non-volatile memory is lost."""
    host = trial.bench.host(trial.node)
    before = dict(host.memory)
    if not before:
        trial.not_tested("it keeps nothing in the non-volatile memory")
    on_ns = trial.power_cycle()
    trial.run_for(ms(trial.parameter("start_budget_ms")))
    lost = sorted(set(before) - set(host.memory))
    trial.expect(
        not lost,
        text=f"entries of the non-volatile memory that are gone, of {len(before)}",
        measured=", ".join(lost) or "none",
        limit="none",
    )
    _judge_restart(trial, on_ns)


def off(trial: Trial) -> None:
    """Not one frame, and every output at rest."""
    stand = stand_of(trial)
    stand.power_off()
    off_ns = trial.now_ns
    trial.run_for(OFF_NS)
    begun = [each for each in trial.own_records(off_ns) if each.request_ns > off_ns]
    trial.expect(not begun, text="frames sent without supply", measured=len(begun), limit="0")
    stand.power_on()
    _judge_restart(trial, trial.now_ns)


def _announce(trial: Trial, name: str, text: str) -> None:
    message = trial.message(name)
    if message not in played(trial):
        trial.not_tested(f"{name} cannot be played")
    signal = trial.interface.binding("power_modes")[name]
    stand_of(trial).set(name, **{signal: text})
    let_come(trial, message, 3)


def mode(trial: Trial, name: str, text: str) -> None:
    """Announced long enough for a reaction."""
    _announce(trial, name, text)
    begin_ns = trial.now_ns
    trial.run_for(_MODE_NS)
    judge_life(trial, begin_ns, what=f" in {text}")
    trial.check_safe(trial.start_ns)


def modes(trial: Trial) -> None:
    """All of them one after the other."""
    for name, signal in trial.interface.binding("power_modes").items():
        for text in trial.message(name).signal(signal).choices.values():
            _announce(trial, name, str(text))
    judge_life(trial, trial.start_ns)
    trial.check_safe(trial.start_ns)
