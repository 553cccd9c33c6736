"""A brake actuator away from its best: supply, heat, wear, pads and friction that differ.

Within the range of its supply and for small deviations of its mechanics it brakes as ever. Beyond
that it may do less, and says so: the force it tells it can reach is the one it does reach.
"""

from __future__ import annotations

from functools import partial

from simcore.testing.conformance.actuator import Actuator
from simcore.testing.conformance.actuator_judging import (
    asked,
    judge_overshoot,
    judge_release,
    judge_rise,
    judge_steady,
    judge_time,
    settled,
)
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

_PINS = frozenset({Need.PINS, Need.VIRTUAL_TIME})
SOUND_SUPPLIES = ("supply_low_v", "supply_high_v")
WEAK_SUPPLIES_V = (18, 28)
MECHANICS = {
    "pads_harder": {"stiffness_n_per_m": 1.03, "stiffening_n_per_m2": 1.03},
    "pads_softer": {"stiffness_n_per_m": 0.93, "stiffening_n_per_m2": 0.93},
    "gear_stiff": {"friction_constant_nm": 2.0, "friction_load_nm_per_n": 2.0},
    "gear_smooth": {"friction_constant_nm": 0.5, "friction_load_nm_per_n": 0.5},
    "motor_weak": {"motor_constant_nm_per_a": 0.85},
    "winding_hot": {"winding_resistance_ohm": 1.5},
}
"""Parameters of the caliper as multiples of the nominal ones."""


def cases(interface: Interface) -> list[Case]:
    """Everything about conditions that are not nominal."""
    make = partial(Case, group=Group.CONTROL, needs=_PINS)
    made = [
        make(
            id=f"control.conditions.{name.removesuffix('_v')}",
            title=f"At the {'lower' if 'low' in name else 'upper'} end of its supply it brakes",
            run=partial(sound_supply, name=name),
        )
        for name in SOUND_SUPPLIES
    ]
    made += [
        make(
            id=f"control.conditions.weak_supply_{supply_v}_v",
            title=f"With {supply_v} V it says what force it can reach, and reaches it",
            run=partial(weak_supply, supply_v=float(supply_v)),
        )
        for supply_v in WEAK_SUPPLIES_V
    ]
    made += [
        make(
            id=f"control.conditions.{name}",
            title=f"{name.replace('_', ' ').capitalize()}: the force is still the one asked for",
            run=partial(mechanics, name=name),
        )
        for name in MECHANICS
    ]
    return [
        *made,
        make(
            id="control.conditions.pads_shifted",
            title="A contact point that has shifted within one stop does not change the force",
            run=pads_shifted,
        ),
        make(
            id="control.conditions.pads_learnt",
            title="A contact point that has shifted for good is learnt within six brakings",
            run=pads_learnt,
        ),
        make(
            id="control.conditions.motor_warm",
            title="A warm motor brakes fully",
            run=motor_warm,
        ),
        make(
            id="control.conditions.motor_hot",
            title="A hot motor may do less, says so, and opens in time",
            run=motor_hot,
        ),
        make(
            id="control.conditions.disc_hot",
            title="A hot disc does not change the clamp force, and is told",
            run=disc_hot,
        ),
        make(
            id="control.conditions.reported",
            title="Supply and motor temperature in the status are the true ones",
            run=reported,
        ),
    ]


def _brakes_as_ever(act: Actuator, share_ratio: float = 0.5) -> None:
    force_n = act.share_n(share_ratio)
    begin_ns = act.brake(force_n, settle_ns=ms(450))
    asked_ns = asked(act, begin_ns)
    series = act.force(asked_ns)
    act.plot(begin_ns, [(asked_ns, force_n)])
    judge_rise(act, series, asked_ns, 0.0, force_n)
    judge_overshoot(act, series, 0.0, force_n)
    judge_steady(act, settled(act, asked_ns), force_n)
    act.trial.check_safe()


def sound_supply(trial: Trial, name: str) -> None:
    """At both ends of the range."""
    act = Actuator(trial)
    act.stand.set_supply(supply_v=act.number(name))
    trial.run_for(ms(30))
    _brakes_as_ever(act, 0.8)


def weak_supply(trial: Trial, supply_v: float) -> None:
    """Below it: honest about what is left."""
    act = Actuator(trial)
    act.stand.set_supply(supply_v=supply_v)
    trial.run_for(ms(60))
    _keeps_its_word(act)
    begin_ns = act.release()
    trial.run_for(ms(400))
    judge_release(act, asked(act, begin_ns))
    trial.check_safe()


def _keeps_its_word(act: Actuator) -> None:
    """Asks for everything: what the status says can be reached is reached, and less is a fault."""
    trial = act.trial
    begin_ns = act.brake(act.force_max_n, settle_ns=ms(700))
    told_n = min(float(act.says("available") or 0.0), act.force_max_n)
    act.plot(begin_ns, [(begin_ns, told_n)])
    series = act.force(trial.now_ns - ms(100))
    least_n = told_n - act.tolerance_n(told_n)
    trial.expect(
        series.least >= least_n,
        text=f"clamp force where the status says that {told_n:.0f} N can be reached",
        measured=series.least,
        limit=f">= {least_n:.0f} N",
        requirement="BRK-010",
    )
    most_n = told_n + act.tolerance_n(told_n) + act.number("resolution_n")
    trial.expect(
        series.largest <= most_n,
        text="the same",
        measured=series.largest,
        limit=f"<= {most_n:.0f} N",
        requirement="BRK-010",
    )
    if told_n < 0.95 * act.force_max_n:
        trial.expect(
            act.is_saying("fault_level", "fault"),
            text=f"fault level with {told_n:.0f} of {act.force_max_n:.0f} N",
            measured=act.shown("fault_level", act.says("fault_level")),
            limit=" or ".join(act.bound("said", "fault")),
            requirement="BRK-010",
        )


def mechanics(trial: Trial, name: str) -> None:
    """A caliper that is not the nominal one."""
    act = Actuator(trial)
    act.stand.caliper.scale(MECHANICS[name])
    _brakes_as_ever(act, 0.4)


def pads_shifted(trial: Trial) -> None:
    """Heat moves the contact point while the brake is on."""
    act = Actuator(trial)
    act.stand.caliper.pad_wear_m += act.number("contact_shift_m")
    _brakes_as_ever(act, 0.3)


def pads_learnt(trial: Trial) -> None:
    """The same, twice as far, over several brakings."""
    act = Actuator(trial)
    act.stand.caliper.pad_wear_m += 2.0 * act.number("contact_shift_m")
    force_n = act.share_n(0.3)
    act.brake(force_n, settle_ns=ms(300))
    for _ in range(6):
        act.release()
        trial.run_for(ms(150))
        begin_ns = act.request(force_n)
        trial.run_for(ms(300))
    trial.run_for(ms(150))
    judge_steady(act, settled(act, asked(act, begin_ns)), force_n)
    trial.check_safe()


def motor_warm(trial: Trial) -> None:
    """Below the warning of its temperature."""
    act = Actuator(trial)
    act.stand.caliper.hold_motor_temperature(act.number("motor_warning_c") - 15.0)
    trial.run_for(ms(50))
    _brakes_as_ever(act, 0.9)


def motor_hot(trial: Trial) -> None:
    """Above it."""
    act = Actuator(trial)
    warning_c, stop_c = act.number("motor_warning_c"), act.number("motor_stop_c")
    act.stand.caliper.hold_motor_temperature(0.5 * (warning_c + stop_c))
    begin_ns = trial.now_ns
    trial.run_for(ms(100))
    warned_ns = act.first_said_ns("fault_level", begin_ns, "fault")
    judge_time(
        act,
        warned_ns,
        begin_ns,
        act.number("warning_ms"),
        "fault level of a hot motor",
        "BRK-010",
    )
    _keeps_its_word(act)
    asked_ns = act.release()
    trial.run_for(ms(300))
    judge_release(act, asked(act, asked_ns))
    trial.check_safe()


def disc_hot(trial: Trial) -> None:
    """Hot discs fade; the clamp force does not."""
    act = Actuator(trial)
    act.stand.caliper.disc_temperature_c = 400.0
    trial.run_for(ms(150))
    shown_c = float(act.says("disc_temperature") or 0.0)
    trial.expect(
        abs(shown_c - act.stand.caliper.disc_temperature_c) <= act.number("temperature_c"),
        text="disc temperature in the status against the true one",
        measured=abs(shown_c - act.stand.caliper.disc_temperature_c),
        limit=f"<= {act.number('temperature_c'):g} degC",
        requirement="BRK-010",
    )
    _brakes_as_ever(act, 0.5)


def reported(trial: Trial) -> None:
    """What the status says of the surroundings."""
    act = Actuator(trial)
    act.stand.set_supply(supply_v=43.0)
    act.stand.caliper.hold_motor_temperature(85.0)
    trial.run_for(ms(200))
    for name, true, limit_name, unit in (
        ("supply", 43.0, "voltage_v", "V"),
        ("motor_temperature", 85.0, "temperature_c", "degC"),
    ):
        limit = act.number(limit_name)
        error = abs(float(act.says(name) or 0.0) - true)
        trial.expect(
            error <= limit,
            text=f"{name.replace('_', ' ')} in the status against the true one",
            measured=error,
            limit=f"<= {limit:g} {unit}",
            requirement="BRK-010",
        )
    trial.check_safe()
