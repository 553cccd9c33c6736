"""The dialogue with the external watchdog, and what an actuator does when it loses its enable line.

The device beside the place is the judge: its error counter and its line are read every millisecond.
What it makes of wrong services is its own matter; the module has to serve it rightly in whatever it
does, and to live with a power stage that is switched off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from simcore.faults import (
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
)
from simcore.faults.fault import Fault
from simcore.testing.conformance.actuator import Actuator
from simcore.testing.conformance.actuator_judging import (
    judge_idle,
    judge_release,
    judge_steady,
    judge_time,
)
from simcore.testing.conformance.case import Case, Group, Need, StandKind
from simcore.testing.conformance.groups.actuator_faults import judge_claims_nothing
from simcore.testing.conformance.groups.actuator_redundancy import break_bus
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_NEEDS = frozenset({Need.PINS, Need.WATCHDOG, Need.VIRTUAL_TIME})
DISTURBED: dict[str, tuple[str, Callable[..., Fault]]] = {
    "wrong": ("Wrong answers", WatchdogAnswerWrong),
    "missing": ("Missing answers", WatchdogAnswerMissing),
    "early": ("Answers that come too early", WatchdogAnswerEarly),
    "late": ("Answers that come too late", WatchdogAnswerLate),
}


def cases(interface: Interface) -> list[Case]:
    """Serving, being disturbed, being switched off."""
    make = partial(Case, group=Group.WATCHDOG, needs=_NEEDS)
    made = [
        make(
            id=f"watchdog.served.{name}",
            title=f"The watchdog is served without an error {text}",
            run=partial(served, doing=name),
        )
        for name, text in (
            ("at_rest", "while nothing happens"),
            ("braking", "while braking and releasing"),
            ("command_loss", "while the commands are lost and come back"),
            ("bus_loss", "while a bus is lost"),
        )
    ]
    made += [
        make(
            id=f"watchdog.one_{kind}",
            title=f"{text[0]}, a single one: braking goes on, and the errors are forgotten",
            run=partial(one_disturbed, kind=kind),
        )
        for kind, text in DISTURBED.items()
        if kind != "late"  # what comes late may have been missed before, and be several errors
    ]
    made += [
        make(
            id=f"watchdog.all_{kind}",
            title=f"{text[0]} again and again: nothing clamps any more, in time",
            run=partial(all_disturbed, kind=kind),
        )
        for kind, text in DISTURBED.items()
    ]
    return [
        *made,
        make(
            id="watchdog.start",
            title="After power on the watchdog is satisfied in time, and stays so",
            run=start,
            stand=StandKind.COLD,
        ),
        make(
            id="watchdog.never_enabled",
            title="Without an enable line since power on nothing clamps, and no force is claimed",
            run=never_enabled,
            stand=StandKind.COLD,
        ),
        make(
            id="watchdog.recovery",
            title="After a loss of the enable line and a power cycle it brakes as ever",
            run=recovery,
        ),
    ]


@dataclass(frozen=True)
class Look:
    """The watchdog at one instant."""

    time_ns: int
    enabled: bool
    errors: int


def watched(trial: Trial, duration_ns: int) -> list[Look]:
    """Let time pass, and look at the watchdog every millisecond."""
    board = trial.bench.host(trial.node).board
    assert board is not None
    looks = []
    for _ in range(duration_ns // NS_PER_MS):
        trial.run_for(NS_PER_MS)
        looks.append(Look(trial.now_ns, board.enabled, board.error_count))
    return looks


def judge_served(trial: Trial, looks: list[Look], text: str) -> None:
    """No error counted, line up all the time."""
    errors = max((look.errors for look in looks), default=-1)
    trial.expect(
        errors == 0,
        text=f"error counter of the watchdog {text}",
        measured=str(errors),
        limit="0",
        requirement="WDG-003",
    )
    low = [look for look in looks if not look.enabled]
    trial.expect(
        not low,
        text=f"enable line {text}",
        measured="low" if low else "high",
        limit="high",
        requirement="WDG-003",
    )


def served(trial: Trial, doing: str) -> None:
    """Whatever else it does."""
    act = Actuator(trial)
    looks: list[Look] = []
    if doing == "at_rest":
        looks += watched(trial, ms(500))
    elif doing == "braking":
        act.drive(50.0)
        act.pedal("pressed")
        for share_ratio in (0.9, 0.2, 0.6):
            act.request(act.share_n(share_ratio))
            looks += watched(trial, ms(120))
        act.release()
        looks += watched(trial, ms(200))
    elif doing == "command_loss":
        act.brake(act.share_n(0.3))
        act.stop_lanes()
        looks += watched(trial, ms(350))
        for lane in act.lanes:
            act.stand.resume(lane.message.name)
        looks += watched(trial, ms(200))
    else:
        if not trial.interface.is_redundant:
            trial.not_tested("needs a second bus")
        act.brake(act.share_n(0.3))
        break_bus(act, 0, "open")
        looks += watched(trial, ms(300))
    judge_served(trial, looks, f"in {len(looks)} ms")
    trial.check_safe()


def one_disturbed(trial: Trial, kind: str) -> None:
    """What a single bad service may cost: nothing."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    begin_ns = trial.now_ns
    act.inject(DISTURBED[kind][1](node=trial.node, count=1))
    looks = watched(trial, ms(300))
    low = [look for look in looks if not look.enabled]
    trial.expect(
        not low,
        text="enable line after one bad service",
        measured="low" if low else "high",
        limit="high",
        requirement="WDG-003",
    )
    trial.expect(
        looks[-1].errors == 0,
        text="error counter of the watchdog 300 ms later",
        measured=str(looks[-1].errors),
        limit="0",
        requirement="WDG-003",
    )
    judge_steady(act, act.force(begin_ns), force_n)
    trial.check_safe()


def all_disturbed(trial: Trial, kind: str) -> None:
    """Services stay bad: the power stage goes, and the others are told."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    begin_ns = trial.now_ns
    act.inject(DISTURBED[kind][1](node=trial.node))
    looks = watched(trial, ms(400))
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n)])
    low_ns = next((look.time_ns for look in looks if not look.enabled), None)
    judge_time(
        act,
        low_ns,
        begin_ns,
        act.number("cut_ms"),
        "from the first bad service until the enable line is low",
        "WDG-002",
    )
    if low_ns is None:
        return
    judge_release(act, low_ns, text="from the enable line's fall")
    judge_not_promised(act, low_ns)
    trial.check_safe()


def judge_not_promised(act: Actuator, low_ns: int) -> None:
    """What the status says while the power stage is off: nothing that is not so.

    A module in reset says nothing, and may take its start-up time to say something again.
    """
    late_ns = low_ns + int(act.number("reporting_ms") * NS_PER_MS)
    board = act.trial.bench.host(act.trial.node).board
    on = act.raws("enabled", "on")
    wrong = [raw for time_ns, raw in act.said("enabled", late_ns) if raw in on]
    enabled = board is not None and board.enabled
    act.trial.expect(
        enabled or not wrong,
        text="enable line in the status while it is low",
        measured=act.shown("enabled", wrong[0]) if wrong else "not on",
        limit="not on",
        requirement="WDG-003",
    )
    claimed_n = max((float(value) for _, value in act.said("available", late_ns)), default=0.0)
    most_n = act.number("resolution_n")
    act.trial.expect(
        enabled or claimed_n <= most_n,
        text="force that it says it can reach without its power stage",
        measured=claimed_n,
        limit=f"<= {most_n:g} N",
        requirement="WDG-003",
    )


def start(trial: Trial) -> None:
    """From power on."""
    begin_ns = trial.now_ns
    trial.power_on()
    act = Actuator(trial)
    looks = watched(trial, ms(600))
    up_ns = next((look.time_ns for look in looks if look.enabled), None)
    judge_time(
        act,
        up_ns,
        begin_ns,
        act.number("enable_ms"),
        "from power on until the enable line is high",
        "WDG-003",
    )
    if up_ns is not None:
        after = [look for look in looks if look.time_ns >= up_ns]
        judge_served(trial, after, "since then")
    trial.check_safe(begin_ns)


def never_enabled(trial: Trial) -> None:
    """The services never reach the device."""
    act = Actuator(trial)
    act.drive(30.0)
    act.pedal("pressed")
    begin_ns = trial.now_ns
    trial.power_on()
    act.inject(WatchdogAnswerMissing(node=trial.node))
    # what has been served at the very start cannot be taken back: from the reset on it is not
    trial.run_for(ms(100))
    served_at_start = act.stand.host(trial.node).board
    assert served_at_start is not None
    act.request(act.share_n(0.5))
    dead_ns = trial.now_ns
    looks = watched(trial, ms(600))
    up = [look for look in looks if look.enabled]
    if up:
        trial.not_tested("the device raises the line without a service")
    judge_idle(act, dead_ns, "without an enable line")
    judge_claims_nothing(act)
    trial.check_safe(begin_ns)


def recovery(trial: Trial) -> None:
    """The cause is gone, and the supply has been switched off and on."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    fault = act.inject(WatchdogAnswerMissing(node=trial.node))
    trial.run_for(ms(150))
    fault.clear()
    act.release()
    trial.power_cycle()
    trial.run_for(int(act.number("supply_back_ms") * NS_PER_MS))
    begin_ns = act.request(force_n)
    trial.run_for(ms(450))
    act.plot(begin_ns - ms(20))
    judge_steady(act, act.force(trial.now_ns - ms(100)), force_n)
    trial.check_safe()
