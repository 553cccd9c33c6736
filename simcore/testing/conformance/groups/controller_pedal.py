"""The pedal's channels break (SAF-003): the brake force does not step, and the driver is warned.

Each kind of fault on each channel, while braking and while not. What counts is the step of the
command against what it was before the fault: the driver's foot does not move.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from simcore.faults import (
    SensorDrift,
    SensorNoise,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
    SignalCorrupted,
)
from simcore.faults.pins import PinFault
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

PEDAL = "pedal"
SUDDEN = ("stuck_low", "stuck_high", "offset", "range")
SLOW = ("noise", "drift")
TEXTS = {
    "stuck_low": "is stuck at 0",
    "stuck_high": "is stuck at 40 mm",
    "offset": "is 10 mm off",
    "range": "is shorted",
    "noise": "is noisy",
    "drift": "drifts",
}


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    pins = [str(each) for each in interface.binding("pedal")["travel_pins"]]
    made = [
        _case(
            f"pedal.{number}.{kind}",
            f"pedal channel {number} {TEXTS[kind]} while braking: no step, and a warning",
            partial(_braked, pin=pin, kind=kind),
        )
        for number, pin in enumerate(pins, start=1)
        for kind in (*SUDDEN, *SLOW)
    ]
    made += [
        _case(
            f"pedal.{number}.unasked",
            f"pedal channel {number} stuck at 40 mm with the foot off brakes nothing",
            partial(_free, pin=pin),
        )
        for number, pin in enumerate(pins, start=1)
    ]
    made += [
        _case(
            f"pedal.{number}.invalid",
            f"pedal channel {number} not valid: the other one is braked by",
            partial(_invalid, place=number - 1),
        )
        for number in range(1, len(pins) + 1)
    ]
    return [
        *made,
        _case("pedal.force", "a stuck pedal force does not change the braking", _force),
        _case("pedal.healed", "channels that agree again are whole again", _healed),
    ]


def _case(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    return vehicle_case(f"fault.{name}", Group.FAULTS, title, run)


def _fault(node: str, pin: str, kind: str) -> PinFault:
    if kind == "stuck_low":
        return SensorStuck(node=node, pin=pin, value=0.0)
    if kind == "stuck_high":
        return SensorStuck(node=node, pin=pin, value=40.0)
    if kind == "offset":
        return SensorOffset(node=node, pin=pin, value=10.0)
    if kind == "range":
        return SensorRangeFault(node=node, pin=pin)
    if kind == "noise":
        return SensorNoise(node=node, pin=pin, sigma=6.0)
    return SensorDrift(node=node, pin=pin, value_per_s=60.0)


def _expect_no_step(scene: Scene, before_n: list[float], since_ns: int) -> None:
    rows = scene.commanded(since_ns)
    worst_n = float(np.abs(rows - np.array(before_n)).max()) if len(rows) else float("nan")
    scene.at_most(
        worst_n,
        scene.trial.parameter("pedal_step_n"),
        "N",
        "largest change of a command, the foot still",
        PEDAL,
    )


def _braked(trial: Trial, *, pin: str, kind: str) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=35.0)
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    since_ns = scene.rig.now_ns
    scene.inject(_fault(str(scene.pedal["node"]), pin, kind))
    scene.run(ms(250))
    _expect_no_step(scene, before_n, since_ns)
    limit_ms = trial.parameter("pedal_ms" if kind in SUDDEN else "pedal_slow_ms")
    scene.expect_within(
        scene.first_said("level", scene.said("pedal_degraded"), since_ns),
        since_ns,
        limit_ms,
        "level of the degraded pedal",
        PEDAL,
    )
    scene.expect_within(
        scene.first_said("red_lamp", scene.said("on"), since_ns),
        since_ns,
        limit_ms,
        "red lamp",
        PEDAL,
    )
    trial.check_safe(since_ns)


def _free(trial: Trial, *, pin: str) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    since_ns = scene.rig.now_ns
    scene.inject(SensorStuck(node=str(scene.pedal["node"]), pin=pin, value=40.0))
    scene.run(ms(250))
    scene.at_most(
        float(scene.commanded(since_ns).max(initial=0.0)),
        trial.parameter("pedal_step_n"),
        "N",
        "largest command with the foot off the pedal",
        PEDAL,
    )
    settled_n = float(scene.commanded(scene.rig.now_ns - ms(50)).max(initial=0.0))
    idle_n = trial.parameter("idle_force_n")
    scene.at_most(settled_n, idle_n, "N", "command when that is known", PEDAL)
    scene.expect_within(
        scene.first_said("red_lamp", scene.said("on"), since_ns),
        since_ns,
        trial.parameter("pedal_ms"),
        "red lamp",
        PEDAL,
    )


def _invalid(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=35.0)
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    since_ns = scene.rig.now_ns
    message, signal = str(scene.pedal["message"]), str(scene.pedal["qualities"][place])
    travel = str(scene.pedal["travels"][place])
    value = scene.raw(message, signal, scene.said("invalid"))
    scene.inject(SignalCorrupted(message=message, signal=signal, value=value))
    scene.inject(SignalCorrupted(message=message, signal=travel, value=0.0))
    scene.run(ms(200))
    _expect_no_step(scene, before_n, since_ns)
    scene.expect_within(
        scene.first_said("level", scene.said("pedal_degraded"), since_ns),
        since_ns,
        trial.parameter("pedal_ms"),
        "level of the degraded pedal",
        PEDAL,
    )
    asked_n = sum(scene.mean_n(scene.rig.now_ns - ms(50)))
    scene.at_least(
        100.0 * asked_n / sum(before_n) if sum(before_n) else float("nan"),
        trial.parameter("pedal_kept_pct"),
        "%",
        "commanded force, of what it was",
        PEDAL,
    )


def _force(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=35.0)
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    since_ns = scene.rig.now_ns
    pin = str(scene.pedal["force_pin"])
    scene.inject(SensorStuck(node=str(scene.pedal["node"]), pin=pin, value=0.0))
    scene.run(ms(250))
    _expect_no_step(scene, before_n, since_ns)
    scene.expect_within(
        scene.first_said("red_lamp", scene.said("on"), since_ns),
        since_ns,
        trial.parameter("pedal_slow_ms"),
        "red lamp",
        PEDAL,
    )


def _healed(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    pin = str(scene.pedal["travel_pins"][0])
    scene.inject(
        SensorOffset(node=str(scene.pedal["node"]), pin=pin, value=10.0),
        duration=100 * NS_PER_MS,
    )
    scene.run(ms(100.0 + trial.parameter("heal_ms")))
    since_ns = scene.rig.now_ns
    scene.brake(40.0, for_ms=200.0)
    scene.says("level", scene.said("whole"), since_ns, "degradation level", PEDAL)
    asked_n = min(scene.mean_n(scene.rig.now_ns - ms(30)))
    scene.at_least(asked_n, trial.parameter("used_force_n"), "N", "least command", PEDAL)
