"""BRK-003: nothing clamps that is not asked to, whatever else the frames of a command say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.testing.conformance.actuator import PRIMARY, SECONDARY, Actuator
from simcore.testing.conformance.actuator_judging import asked, judge_idle, judge_release
from simcore.testing.conformance.case import Case, Group, Need, StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.stimuli import RawSignal
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

NOT_CLAMPING = ("off", "open", "service", "self_test")
"""Modes in which a force in the command means nothing."""
_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})

Make = Callable[..., Case]


def cases(interface: Interface) -> list[Case]:
    """Everything that must not clamp."""
    make = partial(Case, group=Group.CONTROL, needs=_PINS)
    return [*_series(make, interface), *_single(make)]


def _series(make: Make, interface: Interface) -> list[Case]:
    """Modes that do not clamp."""
    modes = interface.binding("modes")
    made = [
        make(
            id=f"control.idle.mode_{mode}",
            title=f"In the mode {modes[mode]} a force in the command does not clamp",
            run=partial(idle_mode, mode=mode),
        )
        for mode in NOT_CLAMPING
        if mode in modes
    ]
    made += [
        make(
            id=f"control.idle.release_by_{mode}",
            title=f"A change from braking to the mode {modes[mode]} opens the brake",
            run=partial(release_by_mode, mode=mode),
        )
        for mode in ("off", "open")
        if mode in modes
    ]
    return made


def _single(make: Make) -> list[Case]:
    """What there is one of."""
    return [
        make(
            id="control.idle.no_request",
            title="Driving without any request leaves the brake open",
            run=no_request,
        ),
        make(
            id="control.idle.zero_force",
            title="A valid request of 0 N leaves the brake open",
            run=zero_force,
        ),
        make(
            id="control.idle.pedal_alone",
            title="A pressed pedal does not clamp as long as a valid command asks for nothing",
            run=pedal_alone,
        ),
        make(
            id="control.idle.invalid_request",
            title="A force in commands that say they are not valid does not clamp",
            run=invalid_request,
        ),
        make(
            id="control.idle.reserved_force",
            title="Reserved values of the force do not clamp",
            run=reserved_force,
        ),
        make(
            id="control.idle.start",
            title="From power on to ready nothing clamps",
            run=start,
            stand=StandKind.COLD,
        ),
        make(
            id="control.idle.start_parked_bus",
            title="Powered on with no command and no pedal on the bus the brake stays open",
            run=start_alone,
            stand=StandKind.COLD,
        ),
        make(
            id="control.idle.power_cycle",
            title="A loss of supply while braking leaves nothing clamped afterwards",
            run=power_cycle,
        ),
    ]


def idle_mode(trial: Trial, mode: str) -> None:
    """A force with a mode that does not brake, from rest."""
    act = Actuator(trial)
    act.pedal("pressed")
    trial.run_for(ms(20))
    begin_ns = trial.now_ns
    for lane in range(len(act.lanes)):
        act.request(act.share_n(0.5), mode=mode, lane=lane)
    trial.run_for(ms(300))
    judge_idle(act, begin_ns, f"in the mode {mode}")
    trial.check_safe()


def release_by_mode(trial: Trial, mode: str) -> None:
    """The same force with another mode."""
    act = Actuator(trial)
    force_n = act.share_n(0.4)
    act.brake(force_n)
    begin_ns = act.request(force_n, mode=mode)
    trial.run_for(ms(300))
    judge_release(act, asked(act, begin_ns), text=f"from the mode {mode}")
    trial.check_safe()


def no_request(trial: Trial) -> None:
    """Nothing but the road."""
    act = Actuator(trial)
    begin_ns = trial.now_ns
    for speed_kmh in (10.0, 100.0, 0.0):
        act.drive(speed_kmh)
        trial.run_for(ms(200))
    judge_idle(act, begin_ns, "without a request")
    trial.check_safe()


def zero_force(trial: Trial) -> None:
    """Braking with nothing."""
    act = Actuator(trial)
    begin_ns = act.request_all(0.0)
    trial.run_for(ms(300))
    judge_idle(act, begin_ns, "at a request of 0 N")
    trial.check_safe()


def pedal_alone(trial: Trial) -> None:
    """The command decides, not the pedal, as long as there is one."""
    act = Actuator(trial)
    act.drive(50.0)
    begin_ns = act.pedal("pressed")
    trial.run_for(ms(500))
    judge_idle(act, begin_ns, "with the pedal pressed and no force in the command")
    trial.check_safe()


def invalid_request(trial: Trial) -> None:
    """Both lanes say that they are not valid, and ask for half of the force; the pedal is free."""
    act = Actuator(trial)
    act.drive(50.0)
    begin_ns = act.request_all(act.share_n(0.5), valid=False)
    trial.run_for(ms(500))
    judge_idle(act, begin_ns, "at a request that is not valid")
    trial.check_safe()


def reserved_force(trial: Trial) -> None:
    """What lies above the range of the signal is no force; the pedal is free."""
    act = Actuator(trial)
    act.drive(50.0)
    act.request(0.0, lane=PRIMARY)
    act.request(0.0, lane=SECONDARY)
    raws = []
    for lane in act.lanes:
        signal = lane.message.signal(lane.force)
        most_raw = signal.raw_limits[1]
        if signal.maximum is None or signal.to_raw(signal.maximum) >= most_raw:
            trial.not_tested(f"{lane.force} has no reserved values")
        raws.append(int(most_raw))
    begin_ns = trial.now_ns
    for lane, raw in zip(act.lanes, raws, strict=True):
        act.inject(RawSignal(message=lane.message.name, signal=lane.force, raw=raw))
    trial.run_for(ms(400))
    judge_idle(act, begin_ns, "at reserved values of the force")


def start(trial: Trial) -> None:
    """Cold start with commands that ask for nothing."""
    act = Actuator(trial)
    begin_ns = trial.now_ns
    trial.power_on()
    trial.run_for(ms(600))
    judge_idle(act, begin_ns, "from power on to ready")
    trial.check_safe(begin_ns)


def start_alone(trial: Trial) -> None:
    """Cold start on a silent network."""
    act = Actuator(trial)
    for lane in act.lanes:
        act.stand.stop(lane.message.name)
    act.stand.stop(act.bound("pedal", "message"))
    begin_ns = trial.now_ns
    trial.power_on()
    trial.run_for(ms(900))
    judge_idle(act, begin_ns, "without command and pedal")
    trial.check_safe(begin_ns)


def power_cycle(trial: Trial) -> None:
    """What was asked for before the supply went is not asked for any more."""
    act = Actuator(trial)
    act.brake(act.share_n(0.4))
    act.release()
    act.pedal("released")
    begin_ns = trial.now_ns
    trial.power_cycle()
    trial.run_for(ms(500))
    judge_release(act, begin_ns, text="from the loss of supply")
    judge_idle(act, begin_ns + ms(200), "after the supply has come back")
    trial.check_safe(begin_ns + ms(200))
