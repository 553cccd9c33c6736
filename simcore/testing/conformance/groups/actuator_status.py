"""What a brake actuator says of itself while it works: force, current and wheel speed are true.

Where a sensor reads more than its signal can say, the signal stays at the end of its range or is
marked as not valid, and never wraps round to another value. What supply and temperatures do is in
`actuator_conditions`, what is told of faults in `actuator_faults`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from simcore.faults import SensorStuck
from simcore.network import Signal
from simcore.network.messages import Number
from simcore.testing.conformance.actuator import Actuator
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.stimuli import allowed_limits
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
DIRECTIONS = {"forward": 30.0, "standstill": 0.0, "backward": -5.0}
"""Speeds of the wheel in km/h by what the status calls them."""
ENDS = ("above", "below")


def cases(interface: Interface) -> list[Case]:
    """Signs and values."""
    make = partial(Case, group=Group.CONTROL, needs=_PINS)
    return [
        make(
            id="control.sign",
            title="Positive motor current clamps, and the status shows the current's sign",
            run=sign,
        ),
        make(
            id="control.status.force",
            title="The force in the status is the clamp force, up, steady and down",
            run=status_force,
        ),
        make(
            id="control.status.wheel_speed",
            title="The wheel speed in the status is that of the wheel, from standstill to fast",
            run=status_wheel_speed,
        ),
        make(
            id="control.status.wheel_direction",
            title="The status tells a wheel that turns forward, backward and not at all apart",
            run=status_wheel_direction,
        ),
        *_beyond(interface),
    ]


def _beyond(interface: Interface) -> list[Case]:
    """Each sensor beyond each end of its signal's range that it can be beyond."""
    sensors: Mapping[str, Mapping[str, str | float]] = interface.binding("beyond", {})
    return [
        Case(
            id=f"layout.saturation.{name}_{end}",
            group=Group.LAYOUT,
            title=f"A {name.replace('_', ' ')} {end} the range of its signal stays at its end or "
            "is told as not valid",
            run=partial(beyond, name=name, end=end),
            needs=_PINS,
        )
        for name, table in sensors.items()
        for end in ENDS
        if end in table
    ]


def sign(trial: Trial) -> None:
    """Polarity of the output, and of what the status makes of it."""
    act = Actuator(trial)
    act.drive(50.0)
    act.pedal("pressed")
    trial.run_for(ms(20))
    up_ns = act.request(act.share_n(0.5))
    trial.run_for(ms(60))
    current_a = act.recorded("motor_current", up_ns)
    first_a = float(current_a.values[np.flatnonzero(current_a.values)[:1]].sum())
    trial.expect(
        first_a > 0.0,
        text="first motor current when a force is asked for",
        measured=first_a,
        limit="> 0 A",
        requirement="BRK-009",
    )
    rising = act.recorded("phase_current", up_ns)
    at_ns = int(rising.time_ns[int(rising.values.argmax())])
    shown = [
        float(value)
        for time_ns, value in act.said("current", at_ns - ms(10))
        if time_ns <= at_ns + ms(15)
    ]
    peak_a = max(shown, default=float("nan"))
    trial.expect(
        peak_a > 0.25 * rising.largest,
        text=f"motor current in the status while {rising.largest:.1f} A clamp",
        measured=peak_a,
        limit=f"> {0.25 * rising.largest:.1f} A",
        requirement="BRK-009",
    )
    trial.run_for(ms(200))
    down_ns = act.release()
    trial.run_for(ms(60))
    least_a = act.recorded("motor_current", down_ns).least
    trial.expect(
        least_a <= 0.0,
        text="least motor current when the brake is let go",
        measured=least_a,
        limit="<= 0 A",
        requirement="BRK-009",
    )
    trial.check_safe()


def status_force(trial: Trial) -> None:
    """What the others are told of the force, while it moves and while it rests."""
    act = Actuator(trial)
    force_n = act.share_n(0.4)
    begin_ns = act.brake(force_n, settle_ns=ms(350))
    steady_ns = trial.now_ns
    shown_n = float(act.says("force") or 0.0)
    tolerance_n = act.tolerance_n(force_n)
    trial.expect(
        abs(shown_n - act.force_n) <= tolerance_n,
        text="steady force in the status against the clamp force",
        measured=abs(shown_n - act.force_n),
        limit=f"<= {tolerance_n:.0f} N",
        requirement="BRK-005",
    )
    act.release()
    trial.run_for(ms(250))
    late_ms = act.number("status_delay_ms")
    said, true = act.said("force", begin_ns), act.force(begin_ns - ms(50))
    worst_n = 0.0
    for time_ns, value in said:
        near = true.between(time_ns - int(late_ms * NS_PER_MS), time_ns)
        worst_n = max(worst_n, near.least - float(value), float(value) - near.largest)
    trial.expect(
        worst_n <= tolerance_n,
        text=f"force in the status outside what it was in the last {late_ms:g} ms",
        measured=worst_n,
        limit=f"<= {tolerance_n:.0f} N",
        requirement="BRK-005",
    )
    valid = act.raws("force_quality", "valid")
    wrong = [raw for _, raw in act.said("force_quality", begin_ns) if raw not in valid]
    trial.expect(
        not wrong,
        text="quality of the force of a sound actuator",
        measured=act.shown("force_quality", wrong[0]) if wrong else "valid",
        limit="valid all the time",
        requirement="BRK-009",
    )
    trial.curve(
        "force in the status",
        "N",
        [time_ns for time_ns, _ in said],
        [float(value) for _, value in said],
        {"clamp force": np.interp([t for t, _ in said], true.time_ns, true.values)},
    )
    trial.expect(
        steady_ns > begin_ns and len(said) > 0,
        text="status messages while braking",
        measured=str(len(said)),
        limit="> 0",
    )
    trial.check_safe()


def status_wheel_speed(trial: Trial) -> None:
    """What the others are told of the wheel at four speeds."""
    act = Actuator(trial)
    worst_kmh = 0.0
    for speed_kmh in (0.0, 7.0, 50.0, 180.0):
        act.drive(speed_kmh)
        trial.run_for(ms(60))
        shown_kmh = float(act.says("wheel_speed") or 0.0)
        worst_kmh = max(worst_kmh, abs(shown_kmh - speed_kmh))
    limit_kmh = act.number("wheel_speed_kmh")
    trial.expect(
        worst_kmh <= limit_kmh,
        text="largest difference between the wheel and what the status says of it",
        measured=worst_kmh,
        limit=f"<= {limit_kmh:g} km/h",
        requirement="BRK-009",
    )
    valid = act.raws("wheel_quality", "valid")
    wrong = [raw for _, raw in act.said("wheel_quality", trial.start_ns) if raw not in valid]
    trial.expect(
        not wrong,
        text="quality of the wheel speed of a sound actuator",
        measured=act.shown("wheel_quality", wrong[0]) if wrong else "valid",
        limit="valid all the time",
        requirement="BRK-009",
    )
    trial.check_safe()


def status_wheel_direction(trial: Trial) -> None:
    """The wheel rolls forward, stands, and rolls backward; its speed has no sign."""
    act = Actuator(trial)
    if "wheel_direction" not in act.bound("status"):
        trial.not_tested("interface.actuator.status binds no wheel_direction")
    limit_kmh = act.number("wheel_speed_kmh")
    for meaning, speed_kmh in DIRECTIONS.items():
        act.drive(abs(speed_kmh))
        act.stand.set_speed(kmh=speed_kmh)
        trial.run_for(ms(60))
        since_ns = trial.now_ns - ms(30)
        right, said = act.raws("wheel_direction", meaning), act.said("wheel_direction", since_ns)
        wrong = [raw for _, raw in said if raw not in right]
        newest = act.says("wheel_direction")
        trial.expect(
            bool(said) and not wrong,
            text=f"direction of a wheel at {speed_kmh:g} km/h",
            measured=act.shown("wheel_direction", wrong[0] if wrong else newest),
            limit=" or ".join(act.bound("said", meaning)),
            requirement="BRK-009",
        )
        shown_kmh = float(act.says("wheel_speed") or 0.0)
        trial.expect(
            abs(shown_kmh - abs(speed_kmh)) <= limit_kmh,
            text=f"speed in the status of a wheel at {speed_kmh:g} km/h",
            measured=shown_kmh,
            limit=f"{abs(speed_kmh):g} +- {limit_kmh:g} km/h",
            requirement="BRK-009",
        )
    trial.check_safe()


def beyond(trial: Trial, name: str, end: str) -> None:
    """The sensor reads what its signal cannot say."""
    act = Actuator(trial)
    entry = act.bound("beyond", name)
    signal = trial.message(entry["message"]).signal(entry["signal"])
    raws = _raws_beyond(act, entry, signal, entry[end])
    low, high = allowed_limits(signal)
    margin = act.number("range_end_pct") / 100.0 * (high - low)
    wrong = [
        raw
        for raw in raws
        if not (raw >= high - margin if end == "above" else raw <= low + margin)
        and raw not in signal.choices  # a named one among numbers says that it is none
    ]
    shown = wrong[0] if wrong else raws[-1] if raws else None
    trial.expect(
        not wrong,
        text=f"{signal.name} with its valid quality, while the sensor reads {entry[end]:g}",
        measured="nothing" if shown is None else _printed(signal, shown),
        limit=f"{_printed(signal, high if end == 'above' else low)}, or not valid",
        requirement="COM-007",
    )
    trial.check_safe()


def _printed(signal: Signal, raw: Number) -> str:
    return f"{float(signal.to_physical(raw)):g} {signal.unit}".rstrip()


def _raws_beyond(
    act: Actuator, entry: Mapping[str, str], signal: Signal, value: float
) -> list[Number]:
    """What is told as valid in the settled status while a sensor reads a value."""
    trial = act.trial
    name = entry["message"]
    settle_ns = 2 * trial.interface.cycle_ns(trial.message(name)) + ms(20)
    act.inject(SensorStuck(node=trial.node, pin=act.pin_name(entry["pin"]), value=value))
    trial.run_for(settle_ns)
    since_ns = trial.now_ns
    trial.run_for(settle_ns)
    values = trial.decoded(name, signal.name, since_ns)
    trial.expect(
        bool(values), text=f"frames of {name} meanwhile", measured=str(len(values)), limit="> 0"
    )
    if "quality" in entry:
        valid = set(act.bound("said", "valid"))
        choices = trial.message(name).signal(entry["quality"]).choices
        qualities = trial.decoded(name, entry["quality"], since_ns)
        pairs = zip(values, qualities, strict=True)
        values = [each for each, (_, raw) in pairs if choices.get(int(raw)) in valid]
    return [signal.to_raw(value) for _, value in values]
