"""Control quality of a brake actuator: steps, releases, ramps, sines, holding still.

The true clamp force is held against what the commands asked for. Forces are parts of what the place
demands of a sound actuator; every time counts from the frame that brought the request. What supply,
heat and wear change is in `actuator_conditions`, what must not clamp at all in `actuator_idle`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi

import numpy as np

from simcore.testing.conformance.actuator import FULL_SLOPE_KN_PER_S, PRIMARY, Actuator
from simcore.testing.conformance.actuator_judging import (
    asked,
    judge_overshoot,
    judge_release,
    judge_rise,
    judge_steady,
    settled,
)
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_S, ms

UP_PCT = (2, 5, 20, 50, 80, 100)
BETWEEN_PCT = ((20, 60), (60, 20), (90, 5), (30, 32), (32, 30))
RELEASED_FROM_PCT = (5, 30, 100)
SINES_HZ = (1, 3, 6)
SLOPES_KN_PER_S = (40, 200)
_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
_OBSERVED_NS = ms(450)
_COMMAND_NS = ms(5)
_WINDOW = 20
"""Milliseconds over which a gradient is measured."""

Make = Callable[..., Case]


def cases(interface: Interface) -> list[Case]:
    """Everything about following a request."""
    make = partial(Case, group=Group.CONTROL, needs=_PINS)
    return [*_series(make), *_single(make)]


def _series(make: Make) -> list[Case]:
    """Steps, releases, swings and slopes of several sizes."""
    made = [
        make(
            id=f"control.step.up_{pct:03d}",
            title=f"A step from the open brake to {pct} % of the largest force is followed",
            run=partial(step, from_pct=0, to_pct=pct),
        )
        for pct in UP_PCT
    ]
    made += [
        make(
            id=f"control.step.from_{before:03d}_to_{after:03d}",
            title=f"A step from {before} % to {after} % of the largest force is followed",
            run=partial(step, from_pct=before, to_pct=after),
        )
        for before, after in BETWEEN_PCT
    ]
    made += [
        make(
            id=f"control.release.from_{pct:03d}",
            title=f"From {pct} % of the largest force the brake is open in time",
            run=partial(release, pct=pct),
        )
        for pct in RELEASED_FROM_PCT
    ]
    made += [
        make(
            id=f"control.sine.{frequency}_hz",
            title=f"A request that swings {frequency} times a second is followed",
            run=partial(sine, frequency_hz=float(frequency)),
        )
        for frequency in SINES_HZ
    ]
    made += [
        make(
            id=f"control.slope.{slope}",
            title=f"The force moves no faster than the {slope} kN/s that the command allows",
            run=partial(slope_limit, slope_kn_per_s=float(slope)),
        )
        for slope in SLOPES_KN_PER_S
    ]
    return made


def _single(make: Make) -> list[Case]:
    """What there is one of."""
    return [
        make(
            id="control.ramp",
            title="A request that rises steadily is followed without falling behind",
            run=ramp,
        ),
        make(
            id="control.steps.small",
            title="Each of many small steps up and down changes the force",
            run=small_steps,
        ),
        make(
            id="control.steady.still",
            title="A force that is asked for stays as it is, without drift",
            run=no_drift,
        ),
        make(
            id="control.steady.hold_mode",
            title="In the mode that holds at standstill the force asked for is kept",
            run=hold_mode,
        ),
        make(
            id="control.repeat",
            title="The fifth of five equal brakings is like the first",
            run=repeat,
        ),
        make(
            id="control.saturation",
            title="A request beyond the largest force gets the largest force, and no more",
            run=saturation,
        ),
        make(
            id="control.reversal",
            title="A request withdrawn while the force still rises is followed at once",
            run=reversal,
        ),
    ]


def step(trial: Trial, from_pct: int, to_pct: int) -> None:
    """One step of the request."""
    act = Actuator(trial)
    before_n, force_n = act.share_n(from_pct / 100.0), act.share_n(to_pct / 100.0)
    if from_pct:
        act.brake(before_n)
    else:
        act.drive(50.0)
        act.pedal("pressed")
        trial.run_for(ms(20))
    begin_ns = act.request(force_n)
    trial.run_for(_OBSERVED_NS)
    asked_ns = asked(act, begin_ns)
    series = act.force(asked_ns)
    act.plot(trial.start_ns, [(trial.start_ns, before_n), (asked_ns, force_n)])
    judge_rise(act, series, asked_ns, before_n, force_n)
    judge_overshoot(act, series, before_n, force_n)
    judge_steady(act, settled(act, asked_ns), force_n)
    trial.check_safe()


def release(trial: Trial, pct: int) -> None:
    """BRK-004 from a steady force."""
    act = Actuator(trial)
    act.brake(act.share_n(pct / 100.0))
    begin_ns = act.release()
    trial.run_for(ms(300))
    asked_ns = asked(act, begin_ns)
    judge_release(act, asked_ns)
    act.plot(begin_ns - ms(50), [(begin_ns - ms(50), act.share_n(pct / 100.0)), (asked_ns, 0.0)])
    trial.check_safe()


def sine(trial: Trial, frequency_hz: float) -> None:
    """Amplitude and delay of the force under a swinging request."""
    act = Actuator(trial)
    mean_n, swing_n = act.share_n(0.4), act.share_n(0.15)
    act.brake(mean_n)
    begin_ns = trial.now_ns
    period_ns = round(NS_PER_S / frequency_hz)
    commanded: list[tuple[int, float]] = []
    while trial.now_ns < begin_ns + 2 * period_ns:
        at_s = (trial.now_ns - begin_ns) / NS_PER_S
        force_n = float(round(mean_n + swing_n * np.sin(2.0 * pi * frequency_hz * at_s)))
        act.request(force_n)
        commanded.append((trial.now_ns, force_n))
        trial.run_for(_COMMAND_NS)
    series = act.force(begin_ns).between(begin_ns + period_ns, begin_ns + 2 * period_ns)
    act.plot(begin_ns, commanded)
    angle = 2.0 * pi * frequency_hz * (series.time_ns - begin_ns) / NS_PER_S
    columns = np.column_stack([np.ones(len(angle)), np.cos(angle), np.sin(angle)])
    _, cosine_n, sine_n = np.linalg.lstsq(columns, series.values, rcond=None)[0]
    ratio = float(np.hypot(cosine_n, sine_n)) / swing_n
    delay_ms = float(-np.arctan2(cosine_n, sine_n)) / (2.0 * pi * frequency_hz) * 1e3
    low, high = act.number("sine_least_ratio"), act.number("sine_most_ratio")
    trial.expect(
        low <= ratio <= high,
        text="amplitude of the force against that of the request",
        measured=f"{ratio:.3f}",
        limit=f"{low:g} to {high:g}",
        requirement="BRK-009",
    )
    most_ms = act.number("sine_delay_ms")
    trial.expect(
        0.0 <= delay_ms <= most_ms,
        text="the force comes behind the request by",
        measured=delay_ms,
        limit=f"<= {most_ms:g} ms",
        requirement="BRK-009",
    )
    trial.check_safe()


def slope_limit(trial: Trial, slope_kn_per_s: float) -> None:
    """The gradient that the command allows holds in both directions."""
    act = Actuator(trial)
    low_n, high_n = act.share_n(0.1), act.share_n(0.5)
    act.brake(low_n)
    way_ns = round((high_n - low_n) / (slope_kn_per_s * 1e3) * NS_PER_S)
    excess = 1.0 + act.number("slope_excess_pct") / 100.0
    most_kn_per_s = slope_kn_per_s * excess
    begin_ns = trial.now_ns
    for target_n, sign, word in ((high_n, 1.0, "rise"), (low_n, -1.0, "fall")):
        from_ns = act.request(target_n, slope_kn_per_s=slope_kn_per_s)
        trial.run_for(way_ns + ms(150))
        series = act.force(from_ns)
        change_n = sign * (series.values[_WINDOW:] - series.values[:-_WINDOW])
        steepest = float(change_n.max()) / _WINDOW
        trial.expect(
            steepest <= most_kn_per_s,
            text=f"steepest {word} over {_WINDOW} ms",
            measured=steepest,
            limit=f"<= {most_kn_per_s:.0f} kN/s",
            requirement="BRK-009",
        )
        judge_steady(act, act.force(trial.now_ns - ms(30)), target_n, f"error after the {word}")
    act.plot(begin_ns)
    trial.check_safe()


def ramp(trial: Trial) -> None:
    """The distance to a request that rises all the time."""
    act = Actuator(trial)
    low_n, rate_n_per_s = act.share_n(0.1), act.share_n(1.0)
    act.brake(low_n)
    begin_ns = trial.now_ns
    commanded: list[tuple[int, float]] = []
    while trial.now_ns < begin_ns + ms(500):
        at_s = (trial.now_ns - begin_ns) / NS_PER_S
        act.request(float(round(low_n + rate_n_per_s * at_s)))
        commanded.append((trial.now_ns, low_n + rate_n_per_s * at_s))
        trial.run_for(_COMMAND_NS)
    series = act.force(begin_ns).between(begin_ns + ms(100), begin_ns + ms(500))
    wanted_n = low_n + rate_n_per_s * (series.time_ns - begin_ns) / NS_PER_S
    behind_ms = float((wanted_n - series.values).max()) / rate_n_per_s * 1e3
    limit_ms = act.number("ramp_delay_ms")
    trial.expect(
        behind_ms <= limit_ms,
        text="the force is behind a ramp by",
        measured=behind_ms,
        limit=f"<= {limit_ms:g} ms",
        requirement="BRK-009",
    )
    act.plot(begin_ns, commanded)
    trial.check_safe()


def small_steps(trial: Trial) -> None:
    """Steps of 1.5 % each: none may be swallowed by friction or rounding."""
    act = Actuator(trial)
    step_n, force_n = act.share_n(0.015), act.share_n(0.3)
    act.brake(force_n)
    begin_ns = trial.now_ns
    worst_n = 1e9
    for direction in (1, 1, 1, -1, -1, -1):
        before_n = act.force(trial.now_ns - ms(20)).mean
        force_n += direction * step_n
        act.request(force_n)
        trial.run_for(ms(120))
        worst_n = min(worst_n, direction * (act.force(trial.now_ns - ms(20)).mean - before_n))
    least_n = act.number("small_step_ratio") * step_n
    trial.expect(
        worst_n >= least_n,
        text=f"least answer to a step of {step_n:.0f} N",
        measured=worst_n,
        limit=f">= {least_n:.0f} N",
        requirement="BRK-009",
    )
    act.plot(begin_ns)
    trial.check_safe()


def no_drift(trial: Trial) -> None:
    """Two seconds of the same request."""
    act = Actuator(trial)
    force_n = act.share_n(0.35)
    begin_ns = act.brake(force_n, settle_ns=ms(2300))
    series = settled(act, begin_ns)
    judge_steady(act, series, force_n)
    width_n = series.largest - series.least
    most_n = act.number("ripple_n")
    trial.expect(
        width_n <= most_n,
        text="the force wanders by",
        measured=width_n,
        limit=f"<= {most_n:g} N",
        requirement="BRK-009",
    )
    trial.check_safe()


def hold_mode(trial: Trial) -> None:
    """Hold keeps what was asked for, also with a smaller request than the present force."""
    act = Actuator(trial)
    force_n = act.share_n(0.3)
    act.brake(force_n, speed_kmh=0.0)
    begin_ns = act.request(force_n, mode="hold")
    trial.run_for(ms(400))
    act.plot(begin_ns - ms(100), [(begin_ns - ms(100), force_n)])
    series = act.force(begin_ns)
    least_n = force_n - act.tolerance_n(force_n)
    trial.expect(
        series.least >= least_n,
        text="least clamp force while it is to hold",
        measured=series.least,
        limit=f">= {least_n:.0f} N",
        requirement="BRK-005",
    )
    most_n = force_n + act.tolerance_n(force_n) + act.number("overshoot_n")
    trial.expect(
        series.largest <= most_n,
        text="largest clamp force while it is to hold",
        measured=series.largest,
        limit=f"<= {most_n:.0f} N",
        requirement="BRK-005",
    )
    trial.check_safe()


def repeat(trial: Trial) -> None:
    """What an actuator learns from braking to braking must not spoil the next one."""
    act = Actuator(trial)
    force_n = act.share_n(0.4)
    begin_ns = act.brake(force_n, settle_ns=ms(120))
    for _ in range(4):
        act.release()
        trial.run_for(ms(160))
        begin_ns = act.request(force_n)
        trial.run_for(ms(120))
    trial.run_for(ms(250))
    asked_ns = asked(act, begin_ns)
    series = act.force(asked_ns)
    judge_rise(act, series, asked_ns, 0.0, force_n)
    judge_overshoot(act, series, 0.0, force_n)
    judge_steady(act, settled(act, asked_ns), force_n)
    act.plot(trial.start_ns)
    trial.check_safe()


def saturation(trial: Trial) -> None:
    """The greatest request that the database allows."""
    act = Actuator(trial)
    lane = act.lanes[PRIMARY]
    most_n = float(lane.message.signal(lane.force).maximum or 0.0)
    if most_n <= act.force_max_n:
        trial.not_tested(f"{lane.force} cannot ask for more than {act.force_max_n:.0f} N")
    act.brake(most_n, settle_ns=ms(500))
    series = act.force(trial.start_ns)
    limit_n = act.force_max_n + max(
        act.number("overshoot_n"), act.number("overshoot_pct") / 100.0 * act.force_max_n
    )
    trial.expect(
        series.largest <= limit_n,
        text=f"largest clamp force at a request of {most_n:.0f} N",
        measured=series.largest,
        limit=f"<= {limit_n:.0f} N",
        requirement="BRK-009",
    )
    steady = act.force(trial.now_ns - ms(100))
    judge_steady(act, steady, act.force_max_n, "difference from the largest force")
    trial.check_safe()


def reversal(trial: Trial) -> None:
    """Release in the middle of the rise: there must be no finishing of the step first."""
    act = Actuator(trial)
    act.drive(50.0)
    act.pedal("pressed")
    trial.run_for(ms(20))
    force_n = act.share_n(0.9)
    up_ns = act.request(force_n, slope_kn_per_s=FULL_SLOPE_KN_PER_S)
    trial.run_until(partial(_above, act, 0.3 * force_n), timeout=ms(200))
    begin_ns = act.release()
    trial.run_for(ms(300))
    asked_ns = asked(act, begin_ns)
    judge_release(act, asked_ns)
    beyond_n = act.force(asked_ns).largest
    most_n = 0.8 * force_n
    trial.expect(
        beyond_n <= most_n,
        text=f"largest force after a request of {force_n:.0f} N is withdrawn on its way",
        measured=beyond_n,
        limit=f"<= {most_n:.0f} N",
        requirement="BRK-009",
    )
    act.plot(up_ns)
    trial.check_safe()


def _above(act: Actuator, force_n: float) -> bool:
    return act.force_n >= force_n
