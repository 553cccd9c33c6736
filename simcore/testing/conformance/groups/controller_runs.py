"""Long runs and attacks on a domain controller: several stops in a row, replayed and forged frames.

What an attacker on the bus can do is in `faults.attacks`. E2E keeps single old frames out; whole
runs of them only SecOC does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults import BabblingNode, ReplayAttack, SpoofedMessage
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import ms, s

ATTACK, STOP, IDLE = "attack", "stop", "idle"


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    made = [
        _case("robust.replay", Group.ROBUSTNESS, "single frames of an old braking brake nothing",
              _replayed),
        _case("robust.own", Group.ROBUSTNESS, "frames under its own name do not disturb it", _own),
        _case("long.stops", Group.LONG_RUN, "stop after stop is as short as the first", _stops),
        _case("long.drive", Group.LONG_RUN, "a drive with all kinds of braking ends as it began",
              _drive),
    ]  # fmt: skip
    for place in range(2 if interface.is_redundant else 1):
        made.append(
            _case(
                f"robust.flood.{place + 1}",
                Group.ROBUSTNESS,
                f"with bus {place + 1} flooded the car brakes",
                partial(_flooded, place=place),
            )
        )
    return made


def _case(name: str, group: Group, title: str, run: Callable[[Trial], None]) -> Case:
    head, _, tail = name.partition(".")
    return vehicle_case(f"{head}.controller.{tail}", group, title, run)


def _replayed(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    since_ns = scene.brake(60.0, ramp_ms=0.0, for_ms=100.0)
    identifier = scene.message(str(scene.pedal["message"])).arbitration_id
    recorded = tuple(
        record.frame
        for record in trial.records(since_ns + ms(40))
        if record.frame.arbitration_id == identifier and record.channel == trial.channels[0]
    )[:8]
    scene.release()
    scene.run(ms(500))
    since_ns = scene.rig.now_ns
    scene.inject(ReplayAttack(bus=trial.channels[0], frames=recorded, burst=1))
    scene.run(ms(200))
    scene.at_most(
        float(scene.commanded(since_ns).max(initial=0.0)),
        trial.parameter("replay_force_n"),
        "N",
        "largest command while frames of an old braking are replayed",
        ATTACK,
    )


def _own(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=30.0)
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    message = scene.message(str(scene.status_names["message"]))
    level = str(scene.status_names["level"])
    since_ns = scene.rig.now_ns
    scene.inject(
        SpoofedMessage(
            bus=trial.channels[0],
            message=message,
            values={level: scene.raw(message.name, level, scene.said("diagonal_lost"))},
        ),
        duration=ms(150),
    )
    scene.run(ms(200))
    after_n = scene.mean_n(scene.rig.now_ns - ms(40))
    worst_n = max(abs(a - b) for a, b in zip(before_n, after_n, strict=True))
    scene.at_most(worst_n, trial.parameter("disturbed_force_n"), "N", "change of a command", ATTACK)
    said = scene.raw(message.name, level, scene.said("whole"))
    own = [value for _, value in scene.status("level", since_ns)]
    trial.expect(
        bool(own) and all(value == said for value in own),
        text="what it says itself meanwhile",
        measured=f"{sum(value == said for value in own)} of {len(own)} whole",
        limit="all",
        requirement=scene.demand(ATTACK),
    )


def _flooded(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    bus = trial.channels[place]
    partner = str(trial.interface.binding("partner", "")) or scene.node(0)
    scene.inject(BabblingNode(bus=bus, node=partner, arbitration_id=0, data=bytes(8)))
    since_ns = scene.brake(40.0, for_ms=350.0)
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(100))
    scene.at_least(
        decel_mps2, trial.parameter("flooded_mps2"), "m/s2", "deceleration meanwhile", ATTACK
    )
    trial.check_safe(since_ns)


def _stops(trial: Trial) -> None:
    scene = Scene(trial)
    begun_ns = scene.rig.now_ns
    distances_m = []
    for _ in range(3):
        scene.roll(50.0)
        stop = scene.rig.measure_stop(pedal_pct=100.0, timeout=s(4))
        distances_m.append(stop.distance_m)
        scene.release()
        scene.run(ms(300))
    spread_pct = trial.parameter("distance_spread_pct")
    trial.expect(
        max(distances_m) - min(distances_m) <= spread_pct / 100.0 * min(distances_m),
        text="stopping distances from 50 km/h",
        measured=", ".join(f"{each:.2f}" for each in distances_m) + " m",
        limit=f"within {spread_pct:g} %",
        requirement=scene.demand(STOP),
    )
    scene.healthy(begun_ns, STOP)
    trial.check_safe(begun_ns)


def _drive(trial: Trial) -> None:
    scene = Scene(trial)
    begun_ns = scene.rig.now_ns
    for speed_kmh, pedal_pct, friction in (
        (60.0, 20.0, 1.05),
        (90.0, 60.0, 0.5),
        (40.0, 35.0, 0.8),
    ):
        scene.rig.vehicle.set_friction(friction)
        scene.roll(speed_kmh)
        scene.brake(pedal_pct, for_ms=500.0)
        scene.release()
        scene.run(ms(500))
    scene.healthy(begun_ns, IDLE)
    last_n = float(scene.clamp(scene.rig.now_ns - ms(100)).max())
    scene.at_most(last_n, trial.parameter("idle_force_n"), "N", "clamp force at the end", IDLE)
    trial.check_safe(begun_ns)
