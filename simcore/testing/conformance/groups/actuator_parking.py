"""BRK-008: the park lock of the actuators that have one.

Locked it holds without supply, and nothing but a valid command to unlock opens it. An actuator
without a lock must not pretend to have one.
"""

from __future__ import annotations

from functools import partial

from simcore.testing.conformance.actuator import PRIMARY, SECONDARY, Actuator
from simcore.testing.conformance.actuator_judging import judge_release, judge_time
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups.actuator_e2e import attack
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
WRONGLY = {
    "released": "a command to open the brake",
    "crc": "a command to unlock with a wrong checksum",
    "data_id": "a command to unlock with a wrong data id",
    "not_valid": "a command to unlock that says it is not valid",
    "lost": "the loss of all commands",
    "pedal": "a pedal that is pressed and released",
}


def cases(interface: Interface) -> list[Case]:
    """Nothing for a corner without a lock."""
    if interface.corner not in interface.binding("parking"):
        return []
    make = partial(Case, group=Group.CONTROL, needs=_PINS)
    return [
        make(
            id="control.park.apply",
            title="A command to park clamps, locks, and is told",
            run=applied,
        ),
        make(
            id="control.park.without_supply",
            title="Parked it holds without supply, and knows it afterwards",
            run=without_supply,
        ),
        make(
            id="control.park.release",
            title="A command to unlock opens the lock and the brake",
            run=released,
        ),
        make(
            id="control.park.again",
            title="Parked and unlocked, it brakes as ever",
            run=brakes_again,
        ),
        *(
            make(
                id=f"control.park.kept.{name}",
                title=f"The lock is not opened by {text}",
                run=partial(not_unlocked, how=name),
            )
            for name, text in WRONGLY.items()
        ),
    ]


def _park(act: Actuator) -> int:
    """Stand still, park, and wait; returns when it was asked for."""
    act.drive(0.0)
    act.pedal("released")
    act.trial.run_for(ms(20))
    for lane in (PRIMARY, SECONDARY):
        if lane < len(act.lanes):
            act.request(0.0, mode="park", lane=lane, valid=lane == PRIMARY)
    begin_ns = act.stand.now_ns
    act.trial.run_until(partial(is_locked, act), timeout=ms(1500))
    act.trial.run_for(ms(150))
    return begin_ns


def is_locked(act: Actuator) -> bool:
    """Whether the lock is closed."""
    return act.stand.caliper.park_locked


def judge_holds(act: Actuator, since_ns: int, text: str) -> None:
    """Locked, with the force that parking needs."""
    series = act.force(since_ns)
    least_n = act.number("park_force_n")
    act.trial.expect(
        is_locked(act) and series.least >= least_n,
        text=f"least clamp force {text}" + ("" if is_locked(act) else " (the lock is open)"),
        measured=series.least,
        limit=f">= {least_n:g} N",
        requirement="BRK-008",
    )


def applied(trial: Trial) -> None:
    """Clamp first, then lock."""
    act = Actuator(trial)
    begin_ns = _park(act)
    act.plot(begin_ns)
    lock = act.recorded("lock", begin_ns)
    at_ns = lock.first_ns(lock.values > 0.0)
    judge_time(
        act, at_ns, begin_ns, act.number("park_ms"), "from the command to the lock", "BRK-008"
    )
    judge_holds(act, trial.now_ns - ms(80), "once it is locked")
    trial.expect(
        act.is_saying("lock", "locked") and act.is_saying("state", "parked"),
        text="what it says of the lock, and its state",
        measured=f"{act.shown('lock', act.says('lock'))}, {act.shown('state', act.says('state'))}",
        limit=f"{act.bound('said', 'locked')[0]}, {act.bound('said', 'parked')[0]}",
        requirement="BRK-008",
    )
    trial.check_safe()


def without_supply(trial: Trial) -> None:
    """Off for a second, then on again."""
    act = Actuator(trial)
    _park(act)
    begin_ns = trial.now_ns
    sound_v = act.stand.pin(act.pin_name("supply"))
    act.stand.set_supply(supply_v=0.0)
    trial.power_cycle(ms(1000))
    judge_holds(act, begin_ns, "without supply")
    act.stand.set_supply(supply_v=sound_v)
    trial.run_for(int((act.number("supply_back_ms")) * NS_PER_MS))
    judge_holds(act, begin_ns, "after the supply has come back")
    trial.expect(
        act.is_saying("lock", "locked"),
        text="what it says of the lock after the supply has come back",
        measured=act.shown("lock", act.says("lock")),
        limit=act.bound("said", "locked")[0],
        requirement="BRK-008",
    )
    act.plot(begin_ns)
    trial.check_safe()


def released(trial: Trial) -> None:
    """The motor takes the load, the lock opens, the brake opens."""
    act = Actuator(trial)
    _park(act)
    begin_ns = act.request(0.0, mode="unpark")
    trial.run_for(int((act.number("park_ms") + 300.0) * NS_PER_MS))
    act.plot(begin_ns)
    series = act.force(begin_ns)
    open_n = act.number("idle_force_n")
    last_ns = series.last_ns(series.values > open_n)
    judge_time(
        act,
        begin_ns if last_ns is None else last_ns,
        begin_ns,
        act.number("park_ms"),
        f"from the command to a clamp force below {open_n:g} N for good",
        "BRK-008",
    )
    trial.expect(
        not is_locked(act) and act.is_saying("lock", "unlocked"),
        text="the lock, and what it says of it",
        measured=f"{'closed' if is_locked(act) else 'open'}, {act.shown('lock', act.says('lock'))}",
        limit=f"open, {act.bound('said', 'unlocked')[0]}",
        requirement="BRK-008",
    )
    trial.check_safe()


def brakes_again(trial: Trial) -> None:
    """Parking leaves nothing behind."""
    act = Actuator(trial)
    _park(act)
    act.request(0.0, mode="unpark")
    trial.run_for(int((act.number("park_ms")) * NS_PER_MS))
    force_n = act.share_n(0.4)
    act.release()
    trial.run_for(ms(30))
    act.brake(force_n, settle_ns=ms(400))
    error_n = abs(act.force(trial.now_ns - ms(50)).mean - force_n)
    trial.expect(
        error_n <= act.tolerance_n(force_n),
        text="steady error of the clamp force after parking",
        measured=error_n,
        limit=f"<= {act.tolerance_n(force_n):.0f} N",
        requirement="BRK-005",
    )
    down_ns = act.release()
    trial.run_for(ms(250))
    judge_release(act, act.next_frame_ns(act.lanes[PRIMARY].message.name, down_ns))
    trial.check_safe()


def not_unlocked(trial: Trial, how: str) -> None:
    """Anything but the one command."""
    act = Actuator(trial)
    _park(act)
    begin_ns = trial.now_ns
    primary = act.lanes[PRIMARY]
    unlock = {primary.mode: act.bound("modes", "unpark")}
    if how == "released":
        act.release()
    elif how == "crc":
        attack(act, primary.message, "crc", dict(unlock))
    elif how == "data_id":
        attack(act, primary.message, "data_id", dict(unlock))
    elif how == "not_valid":
        act.request(0.0, mode="unpark", valid=False)
    elif how == "lost":
        act.stop_lanes()
    else:
        act.pedal("pressed")
        trial.run_for(ms(200))
        act.pedal("released")
    trial.run_for(ms(700))
    judge_holds(act, begin_ns, f"after {WRONGLY[how]}")
    trial.check_safe()
