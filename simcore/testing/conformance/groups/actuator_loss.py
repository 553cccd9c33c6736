"""COM-004: what a brake actuator does when no lane commands it any more.

The last force is kept for a while, longer where the vehicle drives and brakes; then the pedal alone
gives a default, and without a pedal the brake opens. Times count from the end of the last valid
command.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.testing.conformance.actuator import Actuator
from simcore.testing.conformance.actuator_judging import (
    judge_idle,
    judge_release,
    judge_steady,
    judge_time,
    judge_within,
)
from simcore.testing.conformance.case import Case, Group, Need, StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
SPEEDS_KMH = {"standstill": 0.0, "below_threshold": 4.0}


def cases(interface: Interface) -> list[Case]:
    """Loss of all commands."""
    make = partial(Case, group=Group.TIMEOUTS, needs=_PINS)
    return [
        make(
            id="timeout.command.kept",
            title="For a short while after the last command the force stays as it was",
            run=kept,
        ),
        make(
            id="timeout.command.held",
            title="Braking at speed, without a pedal, the last force is held and then let go",
            run=held,
        ),
        *(
            make(
                id=f"timeout.command.{name}",
                title=f"At {speed_kmh:g} km/h, without a pedal, nothing is held",
                run=partial(not_held, speed_kmh=speed_kmh),
            )
            for name, speed_kmh in SPEEDS_KMH.items()
        ),
        *_with_pedal(make),
        make(
            id="timeout.command.at_rest",
            title="Commands lost with the brake open: it stays open",
            run=at_rest,
        ),
        make(
            id="timeout.command.not_valid",
            title="Commands that are not valid count as none",
            run=not_valid,
        ),
        make(
            id="timeout.command.never",
            title="Without a command since power on a pressed pedal brakes",
            run=never,
            stand=StandKind.COLD,
        ),
        make(
            id="timeout.command.back",
            title="Commands that come back are obeyed again",
            run=back,
        ),
        make(
            id="timeout.command.gap",
            title="A gap in all commands shorter than the deadline of a loss changes nothing",
            run=gap,
        ),
    ]


def _with_pedal(make: Callable[..., Case]) -> list[Case]:
    """What the pedal makes of it."""
    return [
        make(
            id="timeout.command.pedal_direct",
            title="With a pressed pedal braking goes on without any gap",
            run=pedal_direct,
        ),
        make(
            id="timeout.command.pedal_follows",
            title="Without commands more pedal is more force, and a released one none",
            run=pedal_follows,
        ),
        make(
            id="timeout.command.pedal_one_channel",
            title="Without commands one valid channel of the pedal is enough to brake",
            run=one_channel,
        ),
        make(
            id="timeout.command.pedal_invalid",
            title="A pedal that says it is not valid does not brake",
            run=pedal_invalid,
        ),
        make(
            id="timeout.command.pedal_released",
            title="A released pedal ends the braking when the commands are lost",
            run=pedal_released,
        ),
    ]


def _lost(act: Actuator, share_ratio: float, *, speed_kmh: float, pedal: bool) -> tuple[float, int]:
    """Brake, then lose all commands; the force before, and when the last command was complete."""
    force_n = act.share_n(share_ratio)
    act.brake(force_n, speed_kmh=speed_kmh)
    if not pedal:
        act.stand.stop(act.bound("pedal", "message"))
    return force_n, act.stop_lanes()


def _after(last_ns: int, time_ms: float) -> int:
    return last_ns + int(time_ms * NS_PER_MS)


def kept(trial: Trial) -> None:
    """Until the commands count as lost."""
    act = Actuator(trial)
    force_n, last_ns = _lost(act, 0.3, speed_kmh=50.0, pedal=True)
    lost_ms, tolerance_ms = act.number("lost_ms"), act.number("time_tolerance_ms")
    trial.run_for(ms(130))
    series = act.force(last_ns).between(last_ns, _after(last_ns, lost_ms - tolerance_ms))
    judge_steady(act, series, force_n, "change of the force while the commands are not yet lost")
    trial.check_safe()


def held(trial: Trial) -> None:
    """Held for the time that the requirement gives, then open."""
    act = Actuator(trial)
    force_n, last_ns = _lost(act, 0.3, speed_kmh=50.0, pedal=False)
    trial.run_for(ms(650))
    lost_ms, hold_ms = act.number("lost_ms"), act.number("hold_ms")
    tolerance_ms = act.number("time_tolerance_ms")
    end_ns = _after(last_ns, lost_ms + hold_ms - tolerance_ms)
    series = act.force(last_ns).between(last_ns, end_ns)
    judge_steady(act, series, force_n, "change of the force while it is to be held")
    act.plot(last_ns - ms(50), [(last_ns - ms(50), force_n), (end_ns, 0.0)])
    judge_release(
        act, last_ns, extra_ms=lost_ms + hold_ms + tolerance_ms, text="from the last command"
    )
    said_ns = act.first_said_ns("echo", last_ns, "held")
    limit_ms = lost_ms + act.number("reporting_ms") + tolerance_ms
    judge_time(act, said_ns, last_ns, limit_ms, "until it says that it holds", "COM-004")
    trial.check_safe()


def not_held(trial: Trial, speed_kmh: float) -> None:
    """Slower than the threshold: kept until lost, then open."""
    act = Actuator(trial)
    _, last_ns = _lost(act, 0.3, speed_kmh=speed_kmh, pedal=False)
    trial.run_for(ms(500))
    extra_ms = act.number("lost_ms") + act.number("time_tolerance_ms")
    judge_release(act, last_ns, extra_ms=extra_ms, text="from the last command")
    act.plot(last_ns - ms(50))
    trial.check_safe()


def _judge_default(act: Actuator, force_n: float, travel_ratio: float, text: str) -> None:
    """A force against the default of the axle for a part of the pedal's travel."""
    axle, pedal = act.bound("stand", "axle"), act.bound("pedal")
    name = axle if isinstance(axle, str) else axle[act.interface.corner]
    full_mm, dead_mm = pedal["full_travel_mm"], pedal["dead_travel_mm"]
    share_ratio = max(0.0, travel_ratio * full_mm - dead_mm) / (full_mm - dead_mm)
    wanted_n = share_ratio * act.number(f"pedal_direct_{name}_n")
    tolerance_n = max(act.number("pedal_direct_pct") / 100.0 * wanted_n, act.tolerance_n(wanted_n))
    act.trial.expect(
        abs(force_n - wanted_n) <= tolerance_n,
        text=f"clamp force {text}",
        measured=force_n,
        limit=f"{wanted_n:.0f} +- {tolerance_n:.0f} N",
        requirement="COM-004",
    )


def pedal_direct(trial: Trial) -> None:
    """The force never falls below the lesser of what it was and what the pedal gives."""
    act = Actuator(trial)
    force_n, last_ns = _lost(act, 0.3, speed_kmh=50.0, pedal=True)
    trial.run_for(ms(900))
    act.plot(last_ns - ms(50), [(last_ns - ms(50), force_n)])
    series = act.force(last_ns)
    default_n = act.force(trial.now_ns - ms(50)).mean
    _judge_default(act, default_n, 1.0, "by the pressed pedal alone")
    least_n = min(force_n, default_n)
    least_n -= act.tolerance_n(least_n)
    trial.expect(
        series.least >= least_n,
        text="least clamp force on the way there",
        measured=series.least,
        limit=f">= {least_n:.0f} N",
        requirement="COM-004",
    )
    limit_ms = sum(act.number(each) for each in ("lost_ms", "hold_ms", "reporting_ms"))
    said_ns = act.first_said_ns("echo", last_ns, "pedal_direct")
    judge_time(
        act,
        said_ns,
        last_ns,
        limit_ms + act.number("time_tolerance_ms"),
        "until it says that it follows the pedal",
        "COM-004",
    )
    trial.check_safe()


def pedal_follows(trial: Trial) -> None:
    """Three positions of the pedal."""
    act = Actuator(trial)
    act.drive(50.0)
    act.pedal("pressed")
    act.pedal_travel(0.3)
    act.stop_lanes()
    trial.run_for(ms(650))
    _judge_default(act, act.force_n, 0.3, "at 0.3 of the travel")
    for share_ratio in (0.6, 1.0):
        act.pedal_travel(share_ratio)
        trial.run_for(ms(250))
        _judge_default(act, act.force_n, share_ratio, f"at {share_ratio:g} of the travel")
    begin_ns = act.pedal("released")
    trial.run_for(ms(300))
    pedal_ms = (trial.message(act.bound("pedal", "message")).cycle_time_ns or 0) / NS_PER_MS
    judge_release(act, begin_ns, extra_ms=pedal_ms + act.number("time_tolerance_ms"))
    trial.check_safe()


def one_channel(trial: Trial) -> None:
    """The other one says that it is not valid."""
    act = Actuator(trial)
    act.drive(50.0)
    act.pedal("pressed")
    act.pedal("one_invalid")
    act.stop_lanes()
    trial.run_for(ms(650))
    _judge_default(act, act.force_n, 1.0, "by one channel of the pedal")
    trial.check_safe()


def pedal_invalid(trial: Trial) -> None:
    """All channels say that they are not valid: neither held for ever nor braked."""
    act = Actuator(trial)
    force_n, last_ns = _lost(act, 0.3, speed_kmh=50.0, pedal=True)
    act.pedal("invalid")
    trial.run_for(ms(650))
    extra_ms = sum(act.number(each) for each in ("lost_ms", "hold_ms", "time_tolerance_ms"))
    judge_release(act, last_ns, extra_ms=extra_ms, text="from the last command")
    act.plot(last_ns - ms(50), [(last_ns - ms(50), force_n)])
    trial.check_safe()


def pedal_released(trial: Trial) -> None:
    """At the latest when the time to hold is over."""
    act = Actuator(trial)
    _, last_ns = _lost(act, 0.3, speed_kmh=50.0, pedal=True)
    act.pedal("released")
    trial.run_for(ms(650))
    extra_ms = sum(act.number(each) for each in ("lost_ms", "hold_ms", "time_tolerance_ms"))
    judge_release(act, last_ns, extra_ms=extra_ms, text="from the last command")
    trial.check_safe()


def at_rest(trial: Trial) -> None:
    """There is nothing to hold."""
    act = Actuator(trial)
    act.drive(80.0)
    act.stop_lanes()
    begin_ns = trial.now_ns
    trial.run_for(ms(600))
    judge_idle(act, begin_ns, "after the loss of all commands")
    trial.check_safe()


def not_valid(trial: Trial) -> None:
    """Frames go on, and say of themselves that they are not valid."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n, speed_kmh=0.0)
    act.stand.stop(act.bound("pedal", "message"))
    begin_ns = act.request_all(force_n, valid=False)
    trial.run_for(ms(500))
    last_ns = act.next_frame_ns(act.lanes[0].message.name, begin_ns)
    extra_ms = act.number("lost_ms") + act.number("time_tolerance_ms")
    judge_release(act, last_ns, extra_ms=extra_ms, text="from the last valid command")
    trial.check_safe()


def never(trial: Trial) -> None:
    """The domain controllers never came up."""
    act = Actuator(trial)
    for lane in act.lanes:
        act.stand.stop(lane.message.name)
    act.drive(30.0)
    act.pedal("pressed")
    begin_ns = trial.now_ns
    trial.power_on()
    trial.run_for(ms(1000))
    _judge_default(act, act.force_n, 1.0, "by the pedal, a second after power on")
    trial.check_safe(begin_ns)


def back(trial: Trial) -> None:
    """Out of the pedal's default into another force that is commanded."""
    act = Actuator(trial)
    _lost(act, 0.3, speed_kmh=50.0, pedal=True)
    trial.run_for(ms(450))
    force_n = act.share_n(0.15)
    act.request(force_n)
    for lane in act.lanes:
        act.stand.resume(lane.message.name)
    begin_ns = trial.now_ns
    trial.run_for(ms(500))
    first_ns = act.next_frame_ns(act.lanes[0].message.name, begin_ns)
    wanted = act.bound("modes", "brake")
    said = [t for t, raw in act.said("echo", first_ns) if act.shown("echo", raw) == wanted]
    judge_time(
        act,
        said[0] if said else None,
        first_ns,
        act.number("back_ms"),
        "from the first command until it says that it follows",
        "COM-004",
    )
    judge_steady(
        act, act.force(trial.now_ns - ms(100)), force_n, "error once it is commanded again"
    )
    act.plot(begin_ns - ms(100), [(begin_ns - ms(100), force_n)])
    trial.check_safe()


def gap(trial: Trial) -> None:
    """All lanes silent for less than the time of a loss, and back."""
    act = Actuator(trial)
    force_n, last_ns = _lost(act, 0.3, speed_kmh=50.0, pedal=True)
    trial.run_for(_after(0, 0.6 * act.number("lost_ms")))
    for lane in act.lanes:
        act.stand.resume(lane.message.name)
    trial.run_for(ms(250))
    tolerance_n = act.tolerance_n(force_n)
    judge_within(
        act,
        act.force(last_ns),
        force_n - tolerance_n,
        force_n + tolerance_n,
        "in a gap of all commands",
    )
    trial.check_safe()
