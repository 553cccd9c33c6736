"""Faults of a brake actuator's own sensors, mechanics and supply: reaction and time to it.

Each fault begins while the brake holds a force; a little later the request rises, so that what
cannot show at rest shows. Told is a fault by the fault level or by the quality of what it concerns.
Which reaction is right, braking on with an estimate or opening, is left to the actuator: what must
not happen is force beyond the request for longer than the time a fault may last, and a brake that
cannot be opened any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from simcore.faults import (
    SensorDrift,
    SensorNoise,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
)
from simcore.faults.fault import Fault
from simcore.testing.conformance.actuator import Actuator, PowerStageDrives
from simcore.testing.conformance.actuator_judging import (
    asked,
    judge_idle,
    judge_release,
    judge_steady,
    judge_time,
)
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
_BEFORE_RISE_NS = ms(50)
_AFTER_RISE_NS = ms(250)
RANGE, IMPLAUSIBLE, UNSEEN = "range_ms", "implausible_ms", ""
"""Which time a fault may take to be told: at once, once it shows, or no demand."""


@dataclass(frozen=True)
class SensorCase:
    """One fault of one sensor."""

    pin: str
    """What the pin is for."""
    title: str
    make: Callable[..., Fault]
    told: str


SENSORS = {
    "force.open": SensorCase("force", "open", partial(SensorRangeFault, to="open"), RANGE),
    "force.to_ground": SensorCase(
        "force", "shorted to ground", partial(SensorRangeFault, to="ground"), RANGE
    ),
    "force.to_supply": SensorCase(
        "force", "shorted to its supply", partial(SensorRangeFault, to="supply"), RANGE
    ),
    "force.at_zero": SensorCase(
        "force", "stuck at zero", partial(SensorStuck, value=0.0), IMPLAUSIBLE
    ),
    "force.stuck": SensorCase("force", "stuck where it is", SensorStuck, IMPLAUSIBLE),
    "force.offset_up": SensorCase(
        "force", "too high", partial(SensorOffset, value=6000.0), IMPLAUSIBLE
    ),
    "force.offset_down": SensorCase(
        "force", "too low", partial(SensorOffset, value=-6000.0), IMPLAUSIBLE
    ),
    "force.drift": SensorCase(
        "force", "drifting down", partial(SensorDrift, value_per_s=-15000.0), UNSEEN
    ),
    "force.noise": SensorCase("force", "noisy", partial(SensorNoise, sigma=400.0), UNSEEN),
    "travel.to_ground": SensorCase(
        "travel", "shorted to ground", partial(SensorRangeFault, to="ground"), RANGE
    ),
    "travel.to_supply": SensorCase(
        "travel", "shorted to its supply", partial(SensorRangeFault, to="supply"), RANGE
    ),
    "travel.stuck": SensorCase("travel", "stuck where it is", SensorStuck, IMPLAUSIBLE),
    "speed.at_zero": SensorCase(
        "motor_speed", "stuck at zero", partial(SensorStuck, value=0.0), IMPLAUSIBLE
    ),
    "speed.to_ground": SensorCase(
        "motor_speed", "shorted to ground", partial(SensorRangeFault, to="ground"), RANGE
    ),
    "speed.to_supply": SensorCase(
        "motor_speed", "shorted to its supply", partial(SensorRangeFault, to="supply"), RANGE
    ),
    "current.to_ground": SensorCase(
        "phase_current", "shorted to ground", partial(SensorRangeFault, to="ground"), IMPLAUSIBLE
    ),
    "current.to_supply": SensorCase(
        "phase_current", "shorted to its supply", partial(SensorRangeFault, to="supply"), RANGE
    ),
    "current.at_zero": SensorCase(
        "phase_current", "stuck at zero", partial(SensorStuck, value=0.0), UNSEEN
    ),
}
"""Faults of sensors by the middle of their case's id."""
NAMES = {
    "force": "force sensor",
    "travel": "sensor of the travel",
    "motor_speed": "sensor of the motor's speed",
    "phase_current": "sensor of the motor's current",
}
AT_REST = (
    "force.at_zero",
    "force.offset_up",
    "force.to_supply",
    "travel.to_supply",
    "speed.to_ground",
    "speed.to_supply",
)
DIPS_MS = (5, 40, 250)

Make = Callable[..., Case]


def cases(interface: Interface) -> list[Case]:
    """Everything that breaks in the actuator itself."""
    make = partial(Case, group=Group.FAULTS, needs=_PINS)
    return [*_series(make), *_single(make)]


def _series(make: Make) -> list[Case]:
    """Sensors and gaps of the supply."""
    made = [
        make(
            id=f"fault.sensor.{name}",
            title=f"The {NAMES[each.pin]} {each.title}: no force beyond the request, and told",
            run=partial(sensor, name=name),
        )
        for name, each in SENSORS.items()
    ]
    made += [
        make(
            id=f"fault.sensor.at_rest.{name}",
            title=f"With the brake open, the {NAMES[SENSORS[name].pin]} {SENSORS[name].title}: "
            "nothing clamps",
            run=partial(sensor_at_rest, name=name),
        )
        for name in AT_REST
    ]
    made += [
        make(
            id=f"fault.supply.dip_{dip_ms}_ms",
            title=f"After {dip_ms} ms without supply it brakes again",
            run=partial(supply_dip, dip_ms=dip_ms),
        )
        for dip_ms in DIPS_MS
    ]
    return made


def _single(make: Make) -> list[Case]:
    """What there is one of."""
    return [
        make(
            id="fault.supply.lost",
            title="Without supply for long it says so and claims no force",
            run=supply_lost,
        ),
        make(
            id="fault.jammed.braking",
            title="A screw that jams under force is told, and the motor is not driven on",
            run=partial(jammed, at_rest=False),
        ),
        make(
            id="fault.jammed.at_rest",
            title="A screw that is jammed in the clearance is told, and no force is claimed",
            run=partial(jammed, at_rest=True),
        ),
        make(
            id="fault.motor_free.braking",
            title="A shaft that breaks under force is told",
            run=partial(motor_free, at_rest=False),
        ),
        make(
            id="fault.motor_free.at_rest",
            title="A shaft that is broken before braking is told, and no force is claimed",
            run=partial(motor_free, at_rest=True),
        ),
        make(
            id="fault.power_stage.at_rest",
            title="A power stage that drives by itself does not clamp an open brake",
            run=partial(power_stage, share_ratio=0.0),
        ),
        make(
            id="fault.power_stage.braking",
            title="A power stage that drives by itself does not clamp beyond the request",
            run=partial(power_stage, share_ratio=0.2),
        ),
        *(
            make(
                id=f"fault.wheel_speed.{name}",
                title=f"A wheel speed {text} is told as not valid, and valid again afterwards",
                run=partial(wheel_speed, value_radps=value_radps),
            )
            for name, text, value_radps in (
                ("too_fast", "no wheel can have", 900.0),
                ("too_fast_backward", "no wheel can have, backward,", -900.0),
            )
        ),
        make(
            id="fault.recovers",
            title="A sensor that is well again after a power cycle brakes as ever",
            run=recovers,
        ),
    ]


def told_ns(act: Actuator, since_ns: int, quality: str = "force_quality") -> int | None:
    """When the status first told of a fault."""
    times = [
        act.first_said_ns("fault_level", since_ns, "fault"),
        act.first_said_ns(quality, since_ns, "not_valid"),
    ]
    found = [each for each in times if each is not None]
    return min(found) if found else None


def judge_told(act: Actuator, since_ns: int, limit_ms: float, text: str) -> None:
    """Whether a fault is told in time."""
    judge_time(
        act,
        told_ns(act, since_ns),
        since_ns,
        limit_ms + act.number("reporting_ms"),
        text,
        "SAF-005",
    )


def judge_excess(act: Actuator, since_ns: int, request_n: float) -> None:
    """SAF-002 at the wheel itself: for how long there is more force than was asked for."""
    margin_n = max(act.number("excess_n"), act.number("excess_pct") / 100.0 * request_n)
    series = act.force(since_ns)
    over = series.values > request_n + margin_n
    longest = _longest(over)
    limit_ms = act.number("excess_ms")
    act.trial.expect(
        longest <= limit_ms,
        text=f"clamp force above {request_n + margin_n:.0f} N at a request of {request_n:.0f} N",
        measured=float(longest),
        limit=f"<= {limit_ms:g} ms",
        requirement="SAF-002",
    )


def _longest(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """The most flags in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def sensor(trial: Trial, name: str) -> None:
    """A fault under force, then a rise, then the release."""
    act = Actuator(trial)
    each = SENSORS[name]
    force_n, more_n = act.share_n(0.3), act.share_n(0.45)
    act.brake(force_n)
    begin_ns = trial.now_ns
    act.inject(each.make(node=trial.node, pin=act.pin_name(each.pin)))
    trial.run_for(_BEFORE_RISE_NS)
    rise_ns = act.request(more_n)
    trial.run_for(_AFTER_RISE_NS)
    if each.told == RANGE:
        judge_told(act, begin_ns, act.number(RANGE), "from the fault until it is told")
    elif each.told == IMPLAUSIBLE:
        # what agrees as long as nothing moves shows with the rise
        limit_ms = act.number(IMPLAUSIBLE) + _BEFORE_RISE_NS / NS_PER_MS
        judge_told(act, begin_ns, limit_ms, "from the fault, with a rise 50 ms later, until told")
    judge_excess(act, begin_ns, more_n)
    down_ns = act.release()
    trial.run_for(ms(350))
    act.plot(begin_ns - ms(50), [(begin_ns - ms(50), force_n), (rise_ns, more_n), (down_ns, 0.0)])
    judge_release(act, asked(act, down_ns))
    trial.check_safe()


def sensor_at_rest(trial: Trial, name: str) -> None:
    """A fault with nothing to do."""
    act = Actuator(trial)
    each = SENSORS[name]
    act.drive(80.0)
    begin_ns = trial.now_ns
    act.inject(each.make(node=trial.node, pin=act.pin_name(each.pin)))
    trial.run_for(ms(400))
    judge_idle(act, begin_ns, "with a sensor that is wrong")
    if each.told == RANGE:
        judge_told(act, begin_ns, act.number(RANGE), "from the fault until it is told")
    trial.check_safe()


def supply_dip(trial: Trial, dip_ms: int) -> None:
    """The inverter's supply goes and comes back; the request stays."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    begin_ns = trial.now_ns
    sound_v = act.stand.pin(act.pin_name("supply"))
    act.stand.set_supply(supply_v=0.0)
    trial.run_for(ms(dip_ms))
    back_ns = trial.now_ns
    act.stand.set_supply(supply_v=sound_v)
    limit_ms = act.number("supply_back_ms")
    trial.run_for(int((limit_ms + 100.0) * NS_PER_MS))
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n)])
    series = act.force(back_ns)
    low = series.values < force_n - act.tolerance_n(force_n)
    last_ns = series.last_ns(low)
    judge_time(
        act,
        back_ns if last_ns is None else last_ns,
        back_ns,
        limit_ms,
        "from the return of the supply until the force is there for good",
        "SAF-005",
    )
    judge_excess(act, begin_ns, force_n)
    judge_steady(act, act.force(trial.now_ns - ms(50)), force_n)
    trial.check_safe()


def supply_lost(trial: Trial) -> None:
    """Nothing to brake with: the others must know."""
    act = Actuator(trial)
    act.brake(act.share_n(0.3))
    begin_ns = trial.now_ns
    act.stand.set_supply(supply_v=0.0)
    trial.run_for(ms(300))
    judge_told(act, begin_ns, act.number(RANGE), "from the loss of supply until it is told")
    judge_claims_nothing(act)
    trial.check_safe()


def judge_claims_nothing(act: Actuator) -> None:
    """The status must not promise force that nobody can give."""
    told_n, most_n = float(act.says("available") or 0.0), act.number("resolution_n")
    act.trial.expect(
        told_n <= most_n,
        text="force that it says it can reach",
        measured=told_n,
        limit=f"<= {most_n:g} N",
        requirement="SAF-005",
    )


def jammed(trial: Trial, at_rest: bool) -> None:
    """The screw does not move any more, whatever the motor does."""
    act = Actuator(trial)
    if at_rest:
        act.drive(50.0)
        act.pedal("pressed")
        trial.run_for(ms(20))
    else:
        act.brake(act.share_n(0.3))
    act.stand.caliper.jam()
    begin_ns = act.request(act.share_n(0.6))
    trial.run_for(ms(400))
    judge_told(act, begin_ns, act.number("implausible_ms"), "from the request until it is told")
    judge_claims_nothing(act)
    current_a = act.recorded("motor_current", trial.now_ns - ms(100))
    most_a = act.number("idle_current_a")
    worst_a = float(np.abs(current_a.values).max())
    trial.expect(
        worst_a <= most_a,
        text="motor current that goes on against the jam",
        measured=worst_a,
        limit=f"<= {most_a:g} A",
        requirement="SAF-005",
    )
    trial.check_safe()


def motor_free(trial: Trial, at_rest: bool) -> None:
    """The motor turns, and nothing clamps."""
    act = Actuator(trial)
    if at_rest:
        act.drive(50.0)
        act.pedal("pressed")
        trial.run_for(ms(20))
    else:
        act.brake(act.share_n(0.3))
    act.stand.caliper.uncouple()
    begin_ns = act.request(act.share_n(0.5))
    trial.run_for(ms(350))
    judge_told(act, begin_ns, act.number("implausible_ms"), "from the request until it is told")
    judge_claims_nothing(act)
    trial.check_safe()


def power_stage(trial: Trial, share_ratio: float) -> None:
    """Full current that no software asks for."""
    act = Actuator(trial)
    force_n = act.share_n(share_ratio)
    if share_ratio:
        act.brake(force_n)
    else:
        act.drive(100.0)
        trial.run_for(ms(20))
    begin_ns = trial.now_ns
    current_a = act.stand.caliper.parameters.current_max_a
    pin = act.pin_name("motor_current")
    act.inject(PowerStageDrives(node=trial.node, pin=pin, current_a=current_a))
    trial.run_for(ms(400))
    act.plot(begin_ns - ms(20), [(begin_ns - ms(20), force_n)])
    series = act.force(begin_ns)
    above_n = max(act.number("idle_force_n"), force_n + act.number("excess_n"))
    last_ns = series.last_ns(series.values > above_n)
    judge_time(
        act,
        begin_ns if last_ns is None else last_ns,
        begin_ns,
        act.number("excess_ms"),
        f"from the fault until the force is below {above_n:.0f} N for good",
        "SAF-002",
    )
    judge_told(act, begin_ns, act.number("excess_ms"), "from the fault until it is told")
    current = act.recorded("phase_current", trial.now_ns - ms(50))
    trial.expect(
        float(np.abs(current.values).max()) <= act.number("idle_current_a"),
        text="motor current that goes on",
        measured=float(np.abs(current.values).max()),
        limit=f"<= {act.number('idle_current_a'):g} A",
        requirement="SAF-002",
    )


def wheel_speed(trial: Trial, value_radps: float) -> None:
    """A value that is no speed of a wheel."""
    act = Actuator(trial)
    act.drive(50.0)
    trial.run_for(ms(50))
    begin_ns = trial.now_ns
    fault = act.inject(
        SensorStuck(node=trial.node, pin=act.pin_name("wheel_speed"), value=value_radps)
    )
    trial.run_for(ms(150))
    judge_time(
        act,
        act.first_said_ns("wheel_quality", begin_ns, "not_valid"),
        begin_ns,
        act.number(RANGE) + act.number("reporting_ms"),
        "from the fault until the quality of the wheel speed tells it",
        "SAF-005",
    )
    fault.clear()
    back_ns = trial.now_ns
    trial.run_for(ms(300))
    valid = act.is_saying("wheel_quality", "valid")
    trial.expect(
        valid,
        text="quality of the wheel speed 300 ms after the fault",
        measured=act.shown("wheel_quality", act.says("wheel_quality")),
        limit=" or ".join(act.bound("said", "valid")),
        requirement="SAF-005",
    )
    judge_idle(act, back_ns, "while the wheel speed is wrong")
    trial.check_safe()


def recovers(trial: Trial) -> None:
    """A fault that has gone must not outlive the next start."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n)
    fault = act.inject(SensorRangeFault(node=trial.node, pin=act.pin_name("force"), to="ground"))
    trial.run_for(ms(100))
    fault.clear()
    act.release()
    trial.power_cycle()
    trial.run_for(int(act.number("supply_back_ms") * NS_PER_MS))
    begin_ns = act.request(force_n)
    trial.run_for(ms(450))
    judge_steady(act, act.force(trial.now_ns - ms(100)), force_n)
    valid = act.is_saying("force_quality", "valid")
    trial.expect(
        valid,
        text="quality of the force after a power cycle",
        measured=act.shown("force_quality", act.says("force_quality")),
        limit=" or ".join(act.bound("said", "valid")),
        requirement="SAF-005",
    )
    act.plot(begin_ns - ms(20))
    trial.check_safe()
