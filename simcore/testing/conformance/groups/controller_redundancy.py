"""Two lanes: buses, the other controller, and a controller that comes back (DEG-002, DEG-003).

The brakes obey whichever lane is there; what the controller under test owes them is the same frame
on both buses, no force of its own making when it joins, and silence that others can notice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from simcore.faults import BusOpen, EcuSilent, NodeUnplugged
from simcore.rig.measure import longest_lock_ms
from simcore.testing.conformance.case import Case, Group, Need
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import GRAVITY_MPS2, NS_PER_MS, ms

PARTNER, LANES = "partner", "lanes"
ICE_RATIO = 0.3
_JOINING_FRAMES = 2
"""So many of its first commands are held against the last of the other controller."""


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    made = []
    if interface.is_redundant:
        made += [
            _lane("both", "commands and status go out on both buses alike", _both),
            *(
                _lane(
                    f"open.{place + 1}",
                    f"with bus {place + 1} lost the car brakes on, and that is told",
                    partial(_lost_bus, place=place),
                )
                for place in (0, 1)
            ),
            _lane("unplugged", "cut off from its first bus it commands over the second", _cut_off),
            _lane("back", "a bus that is back is told as whole", _bus_back),
        ]
    if interface.binding("partner", ""):
        made += [
            _partner("silent", "when it falls silent the other one commands in time", _silent),
            _partner("rejoin", "it joins a braking without a step of force", _rejoin),
            _partner("rejoin_slip", "it joins a braking on ice without a locked wheel", _on_ice),
            _partner("rejoin_free", "it joins without a request and brakes nothing", _rejoin_free),
            _partner("alone", "without the other controller it brakes as ever", _alone),
        ]
    return made


def _lane(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    case_id = f"redundancy.lanes.{name}"
    return vehicle_case(case_id, Group.REDUNDANCY, title, run, Need.SECOND_BUS)


def _partner(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    return vehicle_case(f"redundancy.partner.{name}", Group.REDUNDANCY, title, run)


# -- buses ----------------------------------------------------------------------------------------


def _both(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    since_ns = scene.rig.now_ns
    scene.brake(30.0, for_ms=250.0)
    first, second = trial.channels[:2]
    for message in trial.interface.cyclic_sent:
        if not message.is_redundant:
            continue
        seen = {
            channel: [
                record.frame.data
                for record in trial.frames(message.name, since_ns, channel=channel)
            ]
            for channel in (first, second)
        }
        missing = [data for data in seen[first][1:-1] if data not in seen[second]]
        trial.expect(
            len(seen[first]) > 1 and not missing,
            text=f"{message.name}: frames of {first} that {second} does not carry",
            measured=f"{len(missing)} of {len(seen[first])}",
            limit="none",
            requirement=scene.demand(LANES),
        )


def _lost_bus(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=30.0)
    before_n = scene.clamp_now_n()
    since_ns = scene.rig.now_ns
    scene.inject(BusOpen(bus=trial.channels[place]))
    scene.run(ms(250))
    scene.kept(before_n, since_ns, trial.parameter("bus_kept_ratio"), LANES)
    other = trial.channels[1 - place]
    message = scene.message(str(scene.status_names["message"]))
    read = message.codec.reader(str(scene.status_names["level"])).read
    wanted = scene.raw(
        message.name, str(scene.status_names["level"]), scene.said("bus_lost", place)
    )
    told = next(
        (
            record.eof_ns
            for record in trial.frames(message.name, since_ns, channel=other)
            if read(record.frame.data)[0] == wanted
        ),
        None,
    )
    scene.expect_within(
        told, since_ns, trial.parameter("warning_ms"), f"level of the lost bus, on {other}", LANES
    )
    commands = scene.forces(since_ns, channel=other)
    share = trial.parameter("commands_ratio")
    cycle_ns = scene.message(str(scene.command["message"])).cycle_time_ns or 0
    trial.expect(
        len(commands) * cycle_ns >= share * (scene.rig.now_ns - since_ns),
        text=f"commands on {other}",
        measured=f"{len(commands)}",
        limit=f"one every {cycle_ns / NS_PER_MS:g} ms",
        requirement=scene.demand(LANES),
    )


def _cut_off(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=30.0)
    before_n = scene.clamp_now_n()
    since_ns = scene.rig.now_ns
    scene.inject(NodeUnplugged(bus=trial.channels[0], node=trial.node))
    scene.run(ms(250))
    scene.kept(before_n, since_ns, trial.parameter("bus_kept_ratio"), LANES)
    scene.expect_within(
        next((at for at, _ in scene.forces(since_ns, channel=trial.channels[1])), None),
        since_ns,
        trial.parameter("next_command_ms"),
        f"the next command on {trial.channels[1]}",
        LANES,
    )


def _bus_back(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    scene.inject(BusOpen(bus=trial.channels[1]), duration=ms(150))
    scene.run(ms(150 + trial.parameter("bus_back_ms")))
    since_ns = scene.rig.now_ns
    scene.run(ms(60))
    scene.healthy(since_ns, LANES)


# -- the other controller -------------------------------------------------------------------------


def _silent(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=30.0)
    before_n = scene.clamp_now_n()
    message = scene.message(str(scene.command["message"]))
    last_ns = trial.frames(message.name, trial.start_ns)[-1].sof_ns
    since_ns = scene.rig.now_ns
    scene.inject(EcuSilent(node=trial.node))
    scene.run(ms(200))
    own = trial.frames(message.name, since_ns + ms(2), channel="*")
    trial.expect(
        not own,
        text="commands of a controller without supply",
        measured=f"{len(own)}",
        limit="none",
        requirement=scene.demand(PARTNER),
    )
    names = scene.table("secondary")
    secondary = scene.message(str(names["message"]))
    valid = scene.raw(secondary.name, str(names["valid"][0]), scene.said("valid"))
    read = secondary.codec.reader(*names["valid"]).read
    taken = next(
        (
            record.eof_ns
            for record in trial.records(since_ns)
            if record.frame.arbitration_id == secondary.arbitration_id
            and all(value == valid for value in read(record.frame.data))
        ),
        None,
    )
    third_ns = last_ns + 3 * (message.cycle_time_ns or 0)
    scene.expect_within(
        taken, third_ns, trial.parameter("take_over_ms"), "third missed frame to the other", PARTNER
    )
    _no_surge(scene, before_n, since_ns)
    scene.kept(before_n, since_ns, trial.parameter("taken_kept_ratio"), PARTNER)


def _no_surge(scene: Scene, before_n: list[float], since_ns: int) -> None:
    rows = scene.clamp(since_ns) - np.array(before_n)
    scene.at_most(
        float(rows.max()) if len(rows) else float("nan"),
        scene.trial.parameter("above_n"),
        "N",
        "clamp force above what was demanded",
        PARTNER,
    )


def _rejoin(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(kmh=120.0, pedal_pct=30.0)
    before_n = scene.clamp_now_n()
    since_ns = scene.rig.now_ns
    trial.power_cycle(ms(120))
    back_ns = scene.rig.now_ns
    scene.run(ms(trial.parameter("join_ms")))
    _no_surge(scene, before_n, since_ns)
    scene.kept(before_n, since_ns, trial.parameter("join_kept_ratio"), PARTNER)
    force_n = trial.parameter("join_force_n")
    scene.expect_within(
        scene.first_ns(back_ns, lambda forces_n: min(forces_n) > force_n),
        back_ns,
        trial.parameter("join_ms"),
        "supply back to valid commands",
        PARTNER,
    )
    weak = [at for at, row in scene.forces(back_ns) if 0.0 < min(row) < force_n]
    trial.expect(
        not weak,
        text="valid commands on its way back that are far below the demand",
        measured=f"{len(weak)}",
        limit="none",
        requirement=scene.demand(PARTNER),
    )
    trial.check_safe(since_ns)


def _on_ice(trial: Trial) -> None:
    scene = Scene(trial)
    scene.rig.vehicle.set_friction(ICE_RATIO)
    scene.roll(90.0)
    scene.brake(100.0, for_ms=700.0)
    since_ns = scene.rig.now_ns
    first_row = scene.rig.recorder.row_count
    back_ns = trial.power_cycle(ms(120))
    scene.run(ms(trial.parameter("join_ms")))
    _no_step(scene, back_ns)
    scene.at_most(
        longest_lock_ms(scene.rig, first_row),
        trial.parameter("lock_ms"),
        "ms",
        "longest locked wheel",
        PARTNER,
    )
    decel_mps2 = scene.decel_mps2(since_ns)
    scene.at_least(
        decel_mps2 / GRAVITY_MPS2 / ICE_RATIO,
        trial.parameter("join_utilisation_ratio"),
        "of the friction",
        "adhesion utilisation meanwhile",
        PARTNER,
    )
    trial.check_safe(since_ns)


def _no_step(scene: Scene, back_ns: int) -> None:
    """Its first commands go on from the last ones of the other controller."""
    joined = [row for row in scene.forces(back_ns) if min(row[1]) > 0.0]
    first_ns = joined[0][0] if joined else back_ns
    names = scene.table("secondary")
    secondary = scene.message(str(names["message"]))
    valid = scene.raw(secondary.name, str(names["valid"][0]), scene.said("valid"))
    count = len(names["forces"])
    read = secondary.codec.reader(*names["forces"], *names["valid"]).read
    others = [
        values[:count]
        for values in (
            read(record.frame.data)
            for record in scene.trial.records(back_ns - ms(50))
            if record.frame.arbitration_id == secondary.arbitration_id and record.eof_ns <= first_ns
        )
        if all(value == valid for value in values[count:])
    ]
    step_n = float("nan")
    if joined and others:
        followed = [row for _, row in joined[:_JOINING_FRAMES]]
        step_n = max(
            abs(a - float(b)) for row in followed for a, b in zip(row, others[-1], strict=True)
        )
    scene.at_most(
        step_n,
        scene.trial.parameter("join_step_n"),
        "N",
        "step of the command from the other controller to this one",
        PARTNER,
    )


def _rejoin_free(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    since_ns = scene.rig.now_ns
    trial.power_cycle(ms(120))
    scene.run(ms(trial.parameter("join_ms")))
    largest_n = float(scene.clamp(since_ns).max())
    scene.at_most(largest_n, trial.parameter("idle_force_n"), "N", "largest clamp force", PARTNER)
    told_ns = scene.rig.now_ns
    scene.run(ms(100))
    scene.healthy(told_ns, PARTNER)
    trial.check_safe(since_ns)


def _alone(trial: Trial) -> None:
    scene = Scene(trial)
    scene.inject(EcuSilent(node=str(trial.interface.binding("partner"))))
    scene.roll(80.0)
    since_ns = scene.rig.now_ns
    scene.brake(40.0, for_ms=400.0)
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(150))
    scene.at_least(decel_mps2, trial.parameter("alone_mps2"), "m/s2", "deceleration", PARTNER)
    trial.check_safe(since_ns)
