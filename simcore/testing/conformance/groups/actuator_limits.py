"""SAF-004: commands with a right checksum that cannot be meant, and honest ones that must pass.

What makes a request plausible to the actuator is its own matter: its pedal, an emergency flag,
time. The cases demand that a few nonsense commands do not brake, that a stream of them is limited,
and that what a driver, an emergency braking or an assistance system asks for is not.
"""

from __future__ import annotations

from functools import partial

from simcore.faults.message_content import SignalCorrupted
from simcore.network.messages import Number
from simcore.testing.conformance.actuator import PRIMARY, Actuator
from simcore.testing.conformance.actuator_judging import judge_release, judge_steady, judge_time
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_S, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})


def cases(interface: Interface) -> list[Case]:
    """Attacks, and what must not be taken for one."""
    make = partial(Case, group=Group.FAULTS, needs=_PINS)
    return [
        *(
            make(
                id=f"fault.gradient.{name}",
                title=f"{text} asking for everything do not brake a car that nobody brakes",
                run=partial(burst, frames=frames, emergency=emergency),
            )
            for name, text, frames, emergency in (
                ("one_frame", "One corrupted command", 1, False),
                ("three_frames", "Three corrupted commands", 3, False),
                ("three_emergency", "Three corrupted commands with the emergency flag", 3, True),
            )
        ),
        make(
            id="fault.gradient.while_braking",
            title="Three corrupted commands in a light braking add little to it",
            run=while_braking,
        ),
        make(
            id="fault.gradient.sustained",
            title="A full request that nothing explains rises slowly, and is told as limited",
            run=sustained,
        ),
        make(
            id="fault.gradient.withdrawn",
            title="When a limited request is withdrawn the brake opens in time",
            run=withdrawn,
        ),
        make(
            id="fault.gradient.honest_emergency",
            title="An emergency braking without a pedal is followed",
            run=honest_emergency,
        ),
        make(
            id="fault.gradient.honest_assistance",
            title="A moderate request without a pedal, as of a cruise control, is followed",
            run=honest_assistance,
        ),
    ]


def _corrupt(act: Actuator, frames: int, force_n: float, *, emergency: bool = False) -> None:
    """The next frames of the primary lane ask for another force."""
    lane = act.lanes[PRIMARY]
    wanted: dict[str, Number | str] = {
        lane.force: force_n,
        lane.mode: act.bound("modes", "brake"),
    }
    if emergency:
        wanted[lane.emergency] = act.bound("emergencies", "on")
    for signal, value in wanted.items():
        act.inject(
            SignalCorrupted(message=lane.message.name, frames=frames, signal=signal, value=value)
        )


def burst(trial: Trial, frames: int, emergency: bool) -> None:
    """A few commands of full force among those that ask for nothing."""
    act = Actuator(trial)
    act.drive(100.0)
    act.pedal("released")
    act.request(0.0)
    trial.run_for(ms(50))
    begin_ns = trial.now_ns
    _corrupt(act, frames, act.force_max_n, emergency=emergency)
    trial.run_for(ms(300))
    act.plot(begin_ns - ms(20))
    limit_n = act.number("attack_force_n")
    largest_n = act.force(begin_ns).largest
    trial.expect(
        largest_n <= limit_n,
        text=f"largest clamp force after {frames} corrupted commands",
        measured=largest_n,
        limit=f"<= {limit_n:g} N",
        requirement="SAF-004",
    )
    judge_release(act, begin_ns, text="from the first corrupted command")
    trial.check_safe()


def while_braking(trial: Trial) -> None:
    """The same in a braking that the pedal explains."""
    act = Actuator(trial)
    force_n = act.share_n(0.1)
    act.drive(80.0)
    act.pedal_travel(0.15)
    trial.run_for(ms(30))
    act.request(force_n)
    trial.run_for(ms(300))
    begin_ns = trial.now_ns
    _corrupt(act, 3, act.force_max_n)
    trial.run_for(ms(300))
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n)])
    limit_n = force_n + act.number("attack_added_n")
    largest_n = act.force(begin_ns).largest
    trial.expect(
        largest_n <= limit_n,
        text=f"largest clamp force in a braking with {force_n:.0f} N",
        measured=largest_n,
        limit=f"<= {limit_n:.0f} N",
        requirement="SAF-004",
    )
    judge_steady(act, act.force(trial.now_ns - ms(50)), force_n)
    trial.check_safe()


def _attacked(act: Actuator) -> int:
    """Ask for everything, for good, with nothing that explains it."""
    act.drive(100.0)
    act.pedal("released")
    act.request(0.0)
    act.trial.run_for(ms(50))
    begin_ns = act.request(act.force_max_n)
    act.trial.run_for(ms(200))
    return begin_ns


def sustained(trial: Trial) -> None:
    """How fast the force may rise then, and that the others are told."""
    act = Actuator(trial)
    begin_ns = _attacked(act)
    series = act.force(begin_ns).between(begin_ns, begin_ns + ms(150))
    rate_n_per_s, start_n = act.number("attack_slope_n_per_s"), act.number("attack_force_n")
    allowed_n = start_n + rate_n_per_s * (series.time_ns - begin_ns) / NS_PER_S
    trial.curve("clamp force", "N", series.time_ns, series.values, {"upper limit": allowed_n})
    worst_n = float((series.values - allowed_n).max())
    trial.expect(
        worst_n <= 0.0,
        text=f"clamp force beyond {start_n:g} N and {rate_n_per_s / 1e3:g} kN/s",
        measured=worst_n,
        limit="<= 0 N",
        requirement="SAF-004",
    )
    judge_time(
        act,
        act.first_said_ns("monitor", begin_ns, "limiting"),
        begin_ns,
        act.number("limiting_ms") + act.number("reporting_ms"),
        "from the request until it says that it limits",
        "SAF-004",
    )
    trial.check_safe()


def withdrawn(trial: Trial) -> None:
    """The way back is not limited."""
    act = Actuator(trial)
    _attacked(act)
    begin_ns = act.release()
    trial.run_for(ms(300))
    judge_release(act, act.next_frame_ns(act.lanes[PRIMARY].message.name, begin_ns))
    trial.check_safe()


def honest_emergency(trial: Trial) -> None:
    """Automatic emergency braking: full force, flag set, foot elsewhere."""
    act = Actuator(trial)
    force_n = act.share_n(0.8)
    act.drive(60.0)
    act.pedal("released")
    trial.run_for(ms(30))
    begin_ns = act.request(force_n, emergency=True)
    trial.run_for(ms(500))
    _judge_reached(act, begin_ns, force_n, "emergency_ms")
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), 0.0), (begin_ns, force_n)])
    trial.check_safe()


def honest_assistance(trial: Trial) -> None:
    """Cruise control: a tenth of the force."""
    act = Actuator(trial)
    force_n = act.share_n(0.1)
    act.drive(100.0)
    act.pedal("released")
    trial.run_for(ms(30))
    begin_ns = act.request(force_n)
    trial.run_for(ms(600))
    _judge_reached(act, begin_ns, force_n, "assistance_ms")
    trial.check_safe()


def _judge_reached(act: Actuator, begin_ns: int, force_n: float, limit_name: str) -> None:
    came_ns = act.next_frame_ns(act.lanes[PRIMARY].message.name, begin_ns)
    series = act.force(came_ns)
    judge_time(
        act,
        series.first_ns(series.values >= 0.9 * force_n),
        came_ns,
        act.number(limit_name),
        f"from the request to {0.9 * force_n:.0f} N",
        "SAF-004",
    )
    judge_steady(act, act.force(act.trial.now_ns - ms(30)), force_n)
