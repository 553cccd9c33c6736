"""Two lanes and two buses: which command a brake actuator obeys, and how fast it changes over.

Lanes are told apart by what they ask for: the primary one in the mode that brakes, the secondary
one in the mode that holds, with another force. So the status shows which is followed, and the clamp
force that it really is.
"""

from __future__ import annotations

from functools import partial

from simcore.faults import BusOff, BusShorted, ChecksumWrong, OpenWire
from simcore.testing.conformance.actuator import PRIMARY, SECONDARY, Actuator, lanes_of
from simcore.testing.conformance.actuator_judging import (
    judge_overshoot,
    judge_release,
    judge_rise,
    judge_steady,
    judge_time,
    judge_within,
)
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.groups.actuator_e2e import judge_obeyed
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
_BUSES = _PINS | {Need.SECOND_BUS}
BUS_FAULTS = ("open", "shorted", "dominant", "bus_off")
_SHORT_NS = ms(40)
"""How long a shorted bus is run: every node tries and tries again, bit by bit."""


def cases(interface: Interface) -> list[Case]:
    """Lanes where there are two, buses where there are two."""
    lanes = _lanes() if len(lanes_of(interface)) > 1 else []
    return [*lanes, *_buses(interface)]


def _lanes() -> list[Case]:
    """Two sources of commands."""
    make = partial(Case, group=Group.REDUNDANCY, needs=_PINS)
    made = [
        make(
            id=f"redundancy.lane.primary_{kind}",
            title=f"Primary commands {text}: the secondary lane is obeyed in time",
            run=partial(change_over, kind=kind),
        )
        for kind, text in (
            ("silent", "that stay away"),
            ("not_valid", "that say they are not valid"),
            ("corrupted", "with wrong checksums"),
        )
    ]
    made += [
        make(
            id="redundancy.lane.primary_back",
            title="A primary lane that has come back is obeyed again",
            run=primary_back,
        ),
        make(
            id="redundancy.lane.preferred",
            title="Of two valid lanes that disagree the primary one is obeyed",
            run=preferred,
        ),
        make(
            id="redundancy.lane.secondary_silent",
            title="A secondary lane that falls silent changes nothing",
            run=secondary_silent,
        ),
        make(
            id="redundancy.lane.secondary_not_valid",
            title="Without a primary lane a secondary one that is not valid is not obeyed",
            run=secondary_not_valid,
        ),
        make(
            id="redundancy.lane.flapping",
            title="While the primary lane comes and goes the force stays between both requests",
            run=flapping,
        ),
        make(
            id="redundancy.lane.release_by_secondary",
            title="The secondary lane can open the brake when the primary one is lost",
            run=release_by_secondary,
        ),
    ]
    return made


def _buses(interface: Interface) -> list[Case]:
    """Two ways for each of them."""
    make = partial(Case, group=Group.REDUNDANCY, needs=_BUSES)
    made: list[Case] = []
    for place, bus in enumerate(interface.binding("said")["buses"][:2]):
        made += [
            make(
                id=f"redundancy.bus.{bus}_{kind}",
                title=f"Bus {bus} {kind.replace('_', '-')}: commands of the other one are followed",
                run=partial(bus_lost, lost=place, kind=kind),
            )
            for kind in BUS_FAULTS
        ]
    return [
        *made,
        make(
            id="redundancy.bus.back",
            title="A bus that comes back disturbs nothing",
            run=bus_back,
        ),
        make(
            id="redundancy.bus.both_lost",
            title="With both buses lost the commands count as lost, and the brake opens",
            run=both_lost,
        ),
    ]


def _two_lanes(act: Actuator) -> tuple[float, float]:
    """Brake with the primary lane, with another force on the secondary one, valid as well."""
    force_n, other_n = act.share_n(0.25), act.share_n(0.4)
    act.request(other_n, mode="hold", lane=SECONDARY)
    act.brake(force_n)
    return force_n, other_n


def followed_ns(act: Actuator, since_ns: int, mode: str) -> int | None:
    """When it first said to follow a mode."""
    wanted = act.bound("modes", mode)
    for time_ns, raw in act.said("echo", since_ns):
        if act.shown("echo", raw) == wanted:
            return time_ns
    return None


def judge_between(act: Actuator, since_ns: int, force_n: float, other_n: float) -> None:
    """The force leaves the band of both requests by no more than tolerance and overshoot."""
    low_n, high_n = sorted((force_n, other_n))
    low_n -= act.tolerance_n(low_n)
    high_n += act.tolerance_n(high_n) + act.number("overshoot_n")
    judge_within(act, act.force(since_ns), low_n, high_n, "between the requests of both lanes")


def change_over(trial: Trial, kind: str) -> None:
    """The primary lane is lost in one of three ways."""
    act = Actuator(trial)
    force_n, other_n = _two_lanes(act)
    primary = act.lanes[PRIMARY].message.name
    if kind == "silent":
        last_ns = act.stop(primary)
    elif kind == "corrupted":
        last_ns = act.last_frame_ns(primary)
        act.inject(ChecksumWrong(message=primary))
    else:
        asked_ns = act.request(force_n, valid=False)
        last_ns = act.last_frame_ns(primary)
        trial.run_for(ms(10))
        last_ns = max(last_ns, act.next_frame_ns(primary, asked_ns))
    trial.run_for(ms(400))
    limit_ms = act.number("other_lane_ms") + act.number("reporting_ms")
    judge_time(
        act,
        followed_ns(act, last_ns, "hold"),
        last_ns,
        limit_ms,
        "from the last valid primary command until it says that it follows the other lane",
        "COM-004",
    )
    judge_between(act, last_ns, force_n, other_n)
    # the force itself proves it, where the status might not be true
    series = act.force(last_ns)
    judge_rise(act, series, last_ns + _as_ns(act, "other_lane_ms"), force_n, other_n)
    judge_overshoot(act, series, force_n, other_n)
    judge_steady(act, act.force(trial.now_ns - ms(80)), other_n, "error on the secondary lane")
    act.plot(last_ns - ms(50), [(last_ns - ms(50), force_n), (last_ns, other_n)])
    trial.check_safe()


def _as_ns(act: Actuator, name: str) -> int:
    return int(act.number(name) * NS_PER_MS)


def primary_back(trial: Trial) -> None:
    """Silent for a while, then there again."""
    act = Actuator(trial)
    force_n, other_n = _two_lanes(act)
    primary = act.lanes[PRIMARY].message.name
    act.stop(primary)
    trial.run_for(ms(200))
    begin_ns = trial.now_ns
    act.stand.resume(primary)
    trial.run_for(ms(400))
    first_ns = act.next_frame_ns(primary, begin_ns)
    judge_time(
        act,
        followed_ns(act, first_ns, "brake"),
        first_ns,
        act.number("back_ms"),
        "from the first primary command until it says that it follows it",
        "COM-004",
    )
    judge_between(act, begin_ns, force_n, other_n)
    judge_steady(act, act.force(trial.now_ns - ms(80)), force_n, "error on the primary lane")
    act.plot(begin_ns - ms(50), [(begin_ns - ms(50), other_n), (first_ns, force_n)])
    trial.check_safe()


def preferred(trial: Trial) -> None:
    """Both there, both valid, all the time."""
    act = Actuator(trial)
    force_n, _ = _two_lanes(act)
    begin_ns = trial.now_ns
    trial.run_for(ms(150))
    act.request(act.share_n(0.6), mode="hold", lane=SECONDARY)
    trial.run_for(ms(150))
    judge_steady(act, act.force(begin_ns), force_n)
    judge_obeyed(act, begin_ns, "brake", "while both lanes are valid")
    trial.check_safe()


def secondary_silent(trial: Trial) -> None:
    """The lane that is not obeyed is lost."""
    act = Actuator(trial)
    force_n, _ = _two_lanes(act)
    begin_ns = act.stop(act.lanes[SECONDARY].message.name)
    trial.run_for(ms(350))
    judge_steady(act, act.force(begin_ns), force_n)
    judge_obeyed(act, begin_ns, "brake", "without the secondary lane")
    trial.check_safe()


def secondary_not_valid(trial: Trial) -> None:
    """A secondary lane that asks for force and says that it is not valid."""
    act = Actuator(trial)
    force_n = act.share_n(0.25)
    act.request(act.share_n(0.7), mode="hold", lane=SECONDARY, valid=False)
    act.brake(force_n)
    last_ns = act.stop(act.lanes[PRIMARY].message.name)
    trial.run_for(ms(90))
    judge_steady(act, act.force(last_ns), force_n, "change of the force before the loss counts")
    followed = followed_ns(act, last_ns, "hold")
    trial.expect(
        followed is None,
        text="what it says it follows",
        measured="the secondary lane" if followed is not None else "not the secondary lane",
        limit="not the secondary lane",
        requirement="COM-004",
    )
    trial.check_safe()


def flapping(trial: Trial) -> None:
    """The primary lane: there for 30 ms, away for 40 ms, five times."""
    act = Actuator(trial)
    force_n, other_n = _two_lanes(act)
    begin_ns = trial.now_ns
    primary = act.lanes[PRIMARY].message.name
    for _ in range(5):
        act.stand.stop(primary)
        trial.run_for(ms(40))
        act.stand.resume(primary)
        trial.run_for(ms(30))
    trial.run_for(ms(100))
    judge_between(act, begin_ns, force_n, other_n)
    act.plot(begin_ns)
    trial.check_safe()


def release_by_secondary(trial: Trial) -> None:
    """After a change of lanes the new one is obeyed in everything."""
    act = Actuator(trial)
    _two_lanes(act)
    act.stop(act.lanes[PRIMARY].message.name)
    trial.run_for(ms(100))
    begin_ns = act.release(SECONDARY)
    trial.run_for(ms(250))
    came_ns = act.next_frame_ns(act.lanes[SECONDARY].message.name, begin_ns)
    judge_release(act, came_ns)
    trial.check_safe()


# -- buses ----------------------------------------------------------------------------------------


def break_bus(act: Actuator, place: int, kind: str) -> None:
    """Break one of the module's buses for it."""
    name, bus = act.trial.node, act.trial.channels[place]
    if kind == "open":
        act.inject(OpenWire(bus=bus, node=name))
    elif kind == "bus_off":
        act.inject(BusOff(bus=bus, node=name))
    else:
        level = "dominant" if kind == "dominant" else "recessive"
        act.inject(BusShorted(bus=bus, level=level), duration_ns=_SHORT_NS)


def bus_lost(trial: Trial, lost: int, kind: str) -> None:
    """A bus breaks while the request rises: the rise must not notice."""
    act = Actuator(trial)
    force_n, other_n = act.share_n(0.25), act.share_n(0.5)
    act.brake(force_n)
    begin_ns = trial.now_ns
    break_bus(act, lost, kind)
    asked_ns = act.request(other_n)
    trial.run_for(ms(350))
    kept = trial.channels[1 - lost]
    followed_ms = act.number("other_bus_ms")
    series = act.force(begin_ns)
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n), (asked_ns, other_n)])
    judge_rise(act, series, begin_ns + _as_ns(act, "other_bus_ms"), force_n, other_n)
    judge_overshoot(act, series, force_n, other_n)
    judge_steady(act, act.force(trial.now_ns - ms(50)), other_n)
    _judge_follows(act, kept, begin_ns, "while a bus is lost")
    right = act.raws("bus", "buses")
    wanted = act.bound("said", "buses")[1 - lost]
    table = act.bound("status")
    said = trial.decoded(table["message"], table["bus"], begin_ns, channel=kept)
    other = next((time_ns for time_ns, raw in said if act.shown("bus", raw) == wanted), None)
    judge_time(
        act,
        other,
        begin_ns,
        followed_ms + act.number("reporting_ms"),
        f"until it says that it follows bus {wanted}",
        "DEG-003",
    )
    unknown = [raw for _, raw in said if raw not in right]
    trial.expect(
        not unknown,
        text="the bus that it says it follows",
        measured=act.shown("bus", unknown[0]) if unknown else "one of them",
        limit="one of them all the time",
        requirement="DEG-003",
    )
    trial.check_safe()


def _judge_follows(act: Actuator, channel: str, since_ns: int, text: str) -> None:
    """Whether, as the status on one bus says, the primary command was followed all the time."""
    table, wanted = act.bound("status"), act.bound("modes", "brake")
    said = act.trial.decoded(table["message"], table["echo"], since_ns, channel=channel)
    others = [raw for _, raw in said if act.shown("echo", raw) != wanted]
    act.trial.expect(
        bool(said) and not others,
        text=f"what it says it follows {text}",
        measured=act.shown("echo", others[0]) if others else wanted if said else "nothing",
        limit=f"{wanted} all the time",
        requirement="DEG-003",
    )


def bus_back(trial: Trial) -> None:
    """The first bus opens and closes again."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    begin_ns = trial.now_ns
    fault = act.inject(OpenWire(bus=trial.channels[0], node=trial.node))
    trial.run_for(ms(150))
    fault.clear()
    trial.run_for(ms(250))
    judge_steady(act, act.force(begin_ns), force_n)
    _judge_follows(act, trial.channels[1], begin_ns, "while a bus comes and goes")
    table = act.bound("status")
    again = trial.decoded(table["message"], table["echo"], trial.now_ns - ms(60))
    trial.expect(
        bool(again),
        text=f"status on {trial.channels[0]} when it is back",
        measured=str(len(again)),
        limit="> 0 in 60 ms",
        requirement="DEG-003",
    )
    trial.check_safe()


def both_lost(trial: Trial) -> None:
    """Neither command nor pedal comes through."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    last_ns = act.last_frame_ns(act.lanes[PRIMARY].message.name)
    for channel in trial.channels[:2]:
        act.inject(OpenWire(bus=channel, node=trial.node))
    trial.run_for(ms(650))
    extra_ms = sum(act.number(each) for each in ("lost_ms", "hold_ms", "time_tolerance_ms"))
    judge_release(act, last_ns, extra_ms=extra_ms, text="from the last command")
    kept_ns = last_ns + _as_ns(act, "lost_ms") - _as_ns(act, "time_tolerance_ms")
    judge_steady(act, act.force(last_ns).between(last_ns, kept_ns), force_n)
    act.plot(last_ns - ms(50), [(last_ns - ms(50), force_n)])
    trial.check_safe()
