"""Faults of brakes and supplies: noticed, told to the driver, made up for, in time.

What is broken is broken in the vehicle or in the actuator's frames; the controller is judged by its
degradation level and lamp, by its commands, and by what the vehicle still does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults import (
    CaliperJammed,
    EcuSilent,
    MotorFree,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
    SignalCorrupted,
    SupplyLost,
    UnintendedClamp,
)
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms, s

SILENT, CLAMPS, SLIP, TOLD = "silent", "clamps", "slip", "told"
ONE_LOST, SUPPLY = "one_lost", "supply"


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    corners = [str(each) for each in interface.binding("actuators")["corners"]]
    return [*_brakes(corners), *_supplies(interface), *_sensors()]


def _case(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    return vehicle_case(f"fault.{name}", Group.FAULTS, title, run)


def _brakes(corners: list[str]) -> list[Case]:
    made = []
    for place, corner in enumerate(corners):
        made += [
            _case(
                f"silent.{corner}",
                f"a silent brake {corner} is noticed, told, and made up for",
                partial(_silent, place=place),
            ),
            _case(
                f"reported.{corner}",
                f"a brake {corner} that reports itself failed is counted on no longer",
                partial(_reported, place=place),
            ),
        ]
    front, rear = corners[0], corners[-1]
    return [
        *made,
        _case(f"stop.{front}", "a full stop without a front brake",
              partial(_stop_without, place=0, name="front_lost_mps2")),
        _case(f"stop.{rear}", "a full stop without a rear brake",
              partial(_stop_without, place=3, name="rear_lost_mps2")),
        _case("back", "a brake that is back is used again", _back),
        _case("diagonal", "with one diagonal left the car brakes on", _diagonal),
        _case("free", "a brake whose motor turns freely is noticed", _free),
        _case("jammed", "a brake that is jammed open is noticed", _jammed),
        _case("told.weak", "a brake that tells no force and no fault is noticed", _told_weak),
        _case("told.strong", "so is one that tells force that nobody asked for", _told_strong),
        _case("clamp", "a brake that clamps by itself is noticed and told", _clamp),
        _case("lamp", "without a fault no lamp is on", _no_lamp),
    ]  # fmt: skip


def _supplies(interface: Interface) -> list[Case]:
    made = []
    for place, name in enumerate(interface.binding("supply")["names"]):
        made += [
            _case(
                f"supply.{name}",
                f"without supply {name} one diagonal brakes, and the driver is warned",
                partial(_supply, place=place),
            ),
            _case(
                f"supply_reported.{name}",
                f"a loss of supply {name} is told although all brakes work still",
                partial(_supply_reported, place=place),
            ),
        ]
    return made


def _sensors() -> list[Case]:
    return [
        _case("wheel.zero", "a wheel speed stuck at 0 does not open the other brakes",
              partial(_wheel, place=0, speed_radps=0.0)),
        _case("wheel.high", "nor does one that is stuck high",
              partial(_wheel, place=3, speed_radps=150.0)),
        _case("wheel.range", "a shorted wheel speed sensor is told as not valid", _wheel_range),
        _case("inertia.offset", "a wrong acceleration does not open the brakes", _inertia),
    ]  # fmt: skip


# -- brakes ---------------------------------------------------------------------------------------


def _noticed(scene: Scene, place: int, since_ns: int) -> None:
    """As lost within the detection time, the lamp within that of the warning."""
    scene.expect_within(
        scene.first_said("level", scene.said("one_lost", place), since_ns),
        since_ns,
        scene.trial.parameter("detect_ms"),
        f"{scene.node(place)} counts as lost",
        SILENT,
    )
    scene.warned(since_ns, scene.said("one_lost", place), ONE_LOST)


def _made_up(scene: Scene, place: int, before_n: list[float], since_ns: int) -> None:
    """The others are asked for what the lost one gave, and nobody asks it for anything."""
    redistributed_ns = since_ns + ms(scene.trial.parameter("redistribute_ms"))
    asked = [
        (at_ns, sum(row) - row[place])
        for at_ns, row in scene.forces(since_ns)
        if at_ns >= redistributed_ns - 15 * NS_PER_MS
    ]
    least_n = min((total_n for _, total_n in asked), default=float("nan"))
    others_n = sum(before_n) - before_n[place]
    scene.at_least(
        100.0 * (least_n - others_n) / before_n[place] if before_n[place] else float("nan"),
        100.0 * scene.trial.parameter("made_up_ratio"),
        "%",
        "share of the lost force that the others are asked for",
        SILENT,
    )
    largest_n = max((row[place] for at_ns, row in scene.forces(redistributed_ns)), default=0.0)
    scene.at_most(
        largest_n,
        scene.trial.parameter("lost_force_n"),
        "N",
        f"force that {scene.node(place)} is still asked for",
        SILENT,
    )


def _silent(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.braking(kmh=30.0 if place % 2 else 100.0, pedal_pct=30.0)
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    since_ns = scene.rig.now_ns
    scene.inject(EcuSilent(node=scene.node(place)))
    scene.run(ms(150))
    _noticed(scene, place, since_ns)
    if place % 2:  # slow enough for the whole of it at once: at speed the yaw moment has a say
        _made_up(scene, place, before_n, since_ns)
    scene.at_most(
        scene.offset_m(since_ns), trial.parameter("lane_offset_m"), "m", "lateral offset", SILENT
    )
    trial.check_safe(since_ns)


def _reported(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.braking(kmh=30.0, pedal_pct=30.0)
    before_n = scene.mean_n(scene.rig.now_ns - ms(30))
    since_ns = scene.rig.now_ns
    status, signal = scene.status_of(place), str(scene.actuators["fault"][place])
    failed = scene.raw(status, signal, scene.said("actuator_failed"))
    scene.inject(SignalCorrupted(message=status, signal=signal, value=failed))
    scene.run(ms(150))
    _noticed(scene, place, since_ns)
    _made_up(scene, place, before_n, since_ns)


def _stop_without(trial: Trial, *, place: int, name: str) -> None:
    scene = Scene(trial)
    scene.inject(EcuSilent(node=scene.node(place)))
    scene.roll(100.0)
    since_ns = scene.rig.now_ns
    stop = scene.rig.measure_stop(pedal_pct=100.0, timeout=s(8))
    least_mps2 = max(trial.parameter("secondary_mps2"), trial.parameter(name))
    scene.at_least(stop.mfdd_mps2, least_mps2, "m/s2", "mean deceleration (MFDD)", ONE_LOST)
    scene.at_most(
        stop.lateral_offset_m,
        trial.parameter("stop_offset_m"),
        "m",
        "lateral offset",
        ONE_LOST,
    )
    trial.check_safe(since_ns)


def _back(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    silent = scene.inject(EcuSilent(node=scene.node(1)))
    scene.run(ms(150))
    silent.clear()
    scene.run(ms(trial.parameter("back_ms")))
    since_ns = scene.rig.now_ns
    scene.brake(40.0, for_ms=250.0)
    scene.healthy(since_ns, ONE_LOST)
    asked_n = scene.mean_n(scene.rig.now_ns - ms(50))[1]
    scene.at_least(asked_n, trial.parameter("used_force_n"), "N", "force asked of it", ONE_LOST)
    trial.check_safe(since_ns)


def _diagonal(trial: Trial) -> None:
    scene = Scene(trial)
    lost = [str(each) for each in scene.table("supply")["actuators"][0]]
    scene.roll(80.0)
    since_ns = scene.rig.now_ns
    for node in lost:
        scene.inject(EcuSilent(node=node))
    scene.run(ms(150))
    scene.warned(since_ns, scene.said("diagonal_lost"), ONE_LOST)
    scene.brake(100.0, for_ms=1200.0)
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(300))
    scene.at_least(decel_mps2, trial.parameter("secondary_mps2"), "m/s2", "deceleration", ONE_LOST)
    trial.check_safe(since_ns)


def _free(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    scene.inject(MotorFree(corner=scene.corners[0]))
    since_ns = scene.brake(50.0, for_ms=400.0)
    _expect_level(scene, 0, since_ns, "a brake that brings no force")


def _jammed(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    scene.inject(CaliperJammed(corner=scene.corners[2]))
    since_ns = scene.brake(60.0, for_ms=400.0)
    _expect_level(scene, 2, since_ns, "a brake that stays open")


def _told_weak(trial: Trial) -> None:
    """The actuator obeys, reports itself well, and its force is missing: only comparing helps."""
    scene = Scene(trial)
    scene.braking(pedal_pct=50.0)
    since_ns = scene.rig.now_ns
    signal = str(scene.actuators["force"][1])
    scene.inject(SignalCorrupted(message=scene.status_of(1), signal=signal, value=0.0))
    scene.run(ms(300))
    _expect_level(scene, 1, since_ns, "a brake that tells no force")


def _told_strong(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    since_ns = scene.rig.now_ns
    signal = str(scene.actuators["force"][3])
    scene.inject(SignalCorrupted(message=scene.status_of(3), signal=signal, value=15_000.0))
    scene.run(ms(300))
    _expect_level(scene, 3, since_ns, "a brake that tells force nobody asked for")


def _expect_level(scene: Scene, place: int, since_ns: int, text: str) -> None:
    scene.expect_within(
        scene.first_said("level", scene.said("one_lost", place), since_ns),
        since_ns,
        scene.trial.parameter("weak_ms"),
        f"pedal to the level of {text}",
        ONE_LOST,
    )
    scene.expect_within(
        scene.first_said("red_lamp", scene.said("on"), since_ns),
        since_ns,
        scene.trial.parameter("weak_ms"),
        f"pedal to the lamp for {text}",
        ONE_LOST,
    )
    scene.trial.check_safe(since_ns)


def _clamp(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(100.0)
    since_ns = scene.rig.now_ns
    scene.inject(UnintendedClamp(corner=scene.corners[0]))
    scene.run(s(1))
    scene.warned(since_ns, scene.said("one_lost", 0), CLAMPS)
    scene.at_most(
        scene.offset_m(since_ns),
        trial.parameter("lane_offset_m"),
        "m",
        "lateral offset after 1 s",
        CLAMPS,
    )
    others_n = float(scene.commanded(since_ns)[:, 1:].max(initial=0.0))
    idle_n = trial.parameter("idle_force_n")
    scene.at_most(others_n, idle_n, "N", "force asked of the other brakes", CLAMPS)


def _no_lamp(trial: Trial) -> None:
    scene = Scene(trial)
    since_ns = scene.rig.now_ns
    scene.roll(50.0)
    scene.brake(50.0, for_ms=250.0)
    scene.release()
    scene.run(ms(250))
    scene.healthy(since_ns, ONE_LOST)
    scene.says("slip_lamp", scene.said("off"), since_ns, "lamp of slip control", ONE_LOST)
    scene.says("monitor", scene.said("monitor_ok"), since_ns, "monitor of the function", ONE_LOST)


# -- supplies -------------------------------------------------------------------------------------


def _supply(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=40.0)
    since_ns = scene.rig.now_ns
    scene.inject(SupplyLost(supply=str(scene.table("supply")["names"][place])))
    scene.run(ms(600))
    levels = (scene.said("supply_lost", place), scene.said("diagonal_lost"))
    seen = [scene.first_said("level", each, since_ns) for each in levels]
    scene.expect_within(
        min((each for each in seen if each is not None), default=None),
        since_ns,
        trial.parameter("supply_ms"),
        f"level {' or '.join(levels)}",
        SUPPLY,
    )
    scene.expect_within(
        scene.first_said("red_lamp", scene.said("on"), since_ns),
        since_ns,
        trial.parameter("supply_ms"),
        "red lamp",
        SUPPLY,
    )
    scene.at_least(
        scene.decel_mps2(scene.rig.now_ns - ms(200)),
        trial.parameter("diagonal_mps2"),
        "m/s2",
        "deceleration with what is left",
        SUPPLY,
    )
    trial.check_safe(since_ns)


def _supply_reported(trial: Trial, *, place: int) -> None:
    scene = Scene(trial)
    scene.roll(60.0)
    names = scene.table("supply")
    message = scene.message(str(names["message"]))
    since_ns = scene.rig.now_ns
    scene.rig.restbus(str(names["node"])).set(
        message.name, **{str(names["states"][place]): scene.said("supply_gone")}
    )
    scene.run(ms(200))
    limit_ms = (message.cycle_time_ns or 0) / NS_PER_MS + trial.parameter("warning_ms")
    scene.expect_within(
        scene.first_said("level", scene.said("supply_lost", place), since_ns),
        since_ns,
        limit_ms,
        "level of the lost supply",
        SUPPLY,
    )
    scene.expect_within(
        scene.first_said("red_lamp", scene.said("on"), since_ns),
        since_ns,
        limit_ms,
        "red lamp",
        SUPPLY,
    )
    scene.brake(40.0, for_ms=250.0)
    asked_n = scene.mean_n(scene.rig.now_ns - ms(50))
    used_n = trial.parameter("used_force_n")
    scene.at_least(min(asked_n), used_n, "N", "force asked of brakes that work", SUPPLY)


# -- sensors --------------------------------------------------------------------------------------


def _wheel(trial: Trial, *, place: int, speed_radps: float) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=40.0)
    before_n = scene.clamp_now_n()
    since_ns = scene.rig.now_ns
    pin = str(scene.actuators["wheel_pin"])
    scene.inject(SensorStuck(node=scene.node(place), pin=pin, value=speed_radps))
    scene.run(ms(500))
    scene.kept(before_n, since_ns, trial.parameter("sensor_kept_ratio"), SLIP)
    trial.check_safe(since_ns)


def _wheel_range(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    pin = str(scene.actuators["wheel_pin"])
    scene.inject(SensorRangeFault(node=scene.node(2), pin=pin))
    scene.run(ms(150))
    names = scene.table("wheels")
    message, signal = str(names["message"]), str(names["qualities"][2])
    valid = scene.raw(message, signal, scene.said("valid"))
    told = [value for _, value in trial.decoded(message, signal, scene.rig.now_ns - ms(50))]
    trial.expect(
        bool(told) and valid not in told,
        text="quality of the wheel speed that is passed on",
        measured=", ".join(map(str, told)) or "none",
        limit=f"not {scene.said('valid')}",
        requirement=scene.demand(TOLD),
    )
    sent = scene.sent("dynamics", "speed", scene.rig.now_ns - ms(30))
    apart_kmh = abs(float(sent[-1][1]) - scene.speed_kmh()) if sent else float("nan")
    scene.at_most(
        apart_kmh, trial.parameter("speed_kmh"), "km/h", "told and true speed apart", TOLD
    )


def _inertia(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=40.0)
    before_n = scene.clamp_now_n()
    since_ns = scene.rig.now_ns
    names = scene.table("inertia")
    pin = str(names["acceleration_pin"])
    scene.inject(SensorOffset(node=str(names["node"]), pin=pin, value=5.0))
    scene.run(ms(500))
    scene.kept(before_n, since_ns, trial.parameter("sensor_kept_ratio"), SLIP)
    trial.check_safe(since_ns)
