"""Slip control and holding: no wheel locks, the car stays in its lane, and stays where it stopped.

The vehicle's truth decides: UN R13-H, annex 6 (adhesion utilisation, split friction) and annex 3,
2.3 (parking and holding). What the controller says of it must agree.
"""

from __future__ import annotations

from math import inf

from simcore.plant.environment import Segment, Surface
from simcore.rig.measure import longest_lock_ms
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import GRAVITY_MPS2, ms, s

SLIP, SPLIT, HOLD, IDLE, RELEASE = "slip", "split", "hold", "idle", "release"
LOW_RATIO, WET_RATIO = 0.3, 0.8
SPLIT_LOW_RATIO, SPLIT_HIGH_RATIO = 0.25, 0.8


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    made = [
        _case("slip.low", "on slippery road the friction is used and no wheel locks", _low),
        _case("slip.wet", "the same on wet road", _wet),
        _case("slip.split", "with one side on ice the car stops in its lane", _split),
        _case("slip.jump", "from dry road onto ice no wheel locks", _jump),
        _case("slip.told", "slip control is told while it works, and not else", _told),
        _case("slip.released", "a released pedal ends braking on ice, too", _released),
    ]
    if interface.binding("switches", []):
        made += [
            _case("hold.slope", "switched on, the hold keeps the loaded car on a slope", _slope),
            _case("hold.off", "switched off, nothing is held", _off),
            _case("hold.drive_off", "the accelerator ends the hold", _drive_off),
            _case("hold.asked", "the driver assistance can ask for the hold", _asked),
        ]
    return made


def _case(name: str, title: str, run: object) -> Case:
    assert callable(run)
    return vehicle_case(f"control.{name}", Group.CONTROL, title, run)


# -- slip -----------------------------------------------------------------------------------------


def _stop_on(trial: Trial, friction_ratio: float) -> None:
    scene = Scene(trial)
    scene.rig.vehicle.set_friction(friction_ratio)
    scene.roll(50.0)
    since_ns = scene.rig.now_ns
    stop = scene.rig.measure_stop(pedal_pct=100.0, timeout=s(10))
    scene.at_least(
        stop.utilisation / friction_ratio,
        trial.parameter("utilisation_ratio"),
        "of the friction",
        "adhesion utilisation",
        SLIP,
    )
    scene.at_most(
        stop.longest_lock_ms, trial.parameter("lock_ms"), "ms", "longest locked wheel", SLIP
    )
    trial.check_safe(since_ns)


def _low(trial: Trial) -> None:
    _stop_on(trial, LOW_RATIO)


def _wet(trial: Trial) -> None:
    _stop_on(trial, WET_RATIO)


def _split(trial: Trial) -> None:
    scene = Scene(trial)
    scene.rig.vehicle.set_friction(left_ratio=SPLIT_HIGH_RATIO, right_ratio=SPLIT_LOW_RATIO)
    scene.roll(50.0)
    since_ns = scene.rig.now_ns
    stop = scene.rig.measure_stop(pedal_pct=100.0, timeout=s(10))
    least = trial.parameter("split_ratio") * (4.0 * SPLIT_LOW_RATIO + SPLIT_HIGH_RATIO) / 5.0
    scene.at_least(stop.mfdd_mps2 / GRAVITY_MPS2, least, "g", "braking rate z", SPLIT)
    scene.at_most(
        stop.lateral_offset_m, trial.parameter("lane_offset_m"), "m", "lateral offset", SPLIT
    )
    scene.at_most(
        stop.longest_lock_ms, trial.parameter("lock_ms"), "ms", "longest locked wheel", SPLIT
    )
    trial.check_safe(since_ns)


def _jump(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    start_m = scene.rig.vehicle.x_m + 12.0
    scene.rig.vehicle.set_surface(
        Surface(
            segments=(
                Segment(from_x_m=-inf, left_ratio=WET_RATIO, right_ratio=WET_RATIO),
                Segment(from_x_m=start_m, left_ratio=LOW_RATIO, right_ratio=LOW_RATIO),
            )
        )
    )
    first_row = scene.rig.recorder.row_count
    since_ns = scene.brake(100.0, for_ms=1500.0)
    scene.at_most(
        longest_lock_ms(scene.rig, first_row),
        trial.parameter("lock_ms"),
        "ms",
        "longest locked wheel",
        SLIP,
    )
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(400))
    scene.at_least(
        decel_mps2 / GRAVITY_MPS2 / LOW_RATIO,
        trial.parameter("utilisation_ratio"),
        "of the friction",
        "utilisation behind it",
        SLIP,
    )
    trial.check_safe(since_ns)


def _told(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(100.0)
    since_ns = scene.rig.now_ns
    scene.brake(30.0, for_ms=400.0)
    calm = [value for _, value in scene.status("slip", since_ns)]
    trial.expect(
        bool(calm) and not any(calm),
        text="slip control at a light braking on dry road",
        measured=f"{sum(map(bool, calm))} of {len(calm)} statuses",
        limit="in none",
        requirement=scene.demand(SLIP),
    )
    scene.rig.vehicle.set_friction(LOW_RATIO)
    since_ns = scene.brake(100.0, for_ms=400.0)
    told = [value for _, value in scene.status("slip", since_ns)]
    trial.expect(
        any(told),
        text="slip control at full pedal on ice",
        measured=f"{sum(map(bool, told))} of {len(told)} statuses",
        limit="in some",
        requirement=scene.demand(SLIP),
    )
    message = str(scene.command["message"])
    flags = [
        any(value for _, value in trial.decoded(message, str(name), since_ns))
        for name in scene.command["slip"]
    ]
    trial.expect(
        any(flags),
        text="wheels whose commands say that slip control modulates them",
        measured=", ".join(c for c, f in zip(scene.corners, flags, strict=True) if f) or "none",
        limit="some",
        requirement=scene.demand(SLIP),
    )
    scene.says("slip_lamp", scene.said("off"), since_ns, "lamp of slip control", SLIP)


def _released(trial: Trial) -> None:
    scene = Scene(trial)
    scene.rig.vehicle.set_friction(LOW_RATIO)
    scene.roll(60.0)
    scene.brake(100.0, for_ms=700.0)
    since_ns = scene.release()
    scene.run(ms(300))
    idle_n = trial.parameter("idle_force_n")
    last = scene.clamp(since_ns)[int(trial.parameter("release_ms")) :]
    scene.at_most(float(last.max()), idle_n, "N", "clamp forces after the release", RELEASE)
    trial.check_safe(since_ns)


# -- hold -----------------------------------------------------------------------------------------


def _stand_on_slope(scene: Scene, grade_pct: float, *, hold: bool) -> None:
    """Uphill, stopped by the driver."""
    scene.rig.set_auto_hold(hold)
    scene.rig.vehicle.set_slope(pct=grade_pct)
    scene.brake(50.0, ramp_ms=0.0, for_ms=700.0)


def _slope(trial: Trial) -> None:
    scene = Scene(trial)
    scene.rig.vehicle.set_mass(kg=trial.parameter("mass_kg"))
    _stand_on_slope(scene, trial.parameter("grade_pct"), hold=True)
    start_m = scene.rig.vehicle.x_m
    since_ns = scene.release()
    scene.run(ms(1000.0 * trial.parameter("hold_s")))
    scene.at_most(
        abs(scene.rig.vehicle.x_m - start_m),
        trial.parameter("roll_back_m"),
        "m",
        "roll-back with the pedal released",
        HOLD,
    )
    scene.says("hold", scene.said("holding"), since_ns + ms(50), "state of the hold", HOLD)
    scene.says("source", scene.said("hold"), since_ns + ms(50), "source of the request", HOLD)


def _off(trial: Trial) -> None:
    scene = Scene(trial)
    _stand_on_slope(scene, 0.0, hold=False)
    since_ns = scene.release()
    scene.run(ms(500))
    largest_n = float(scene.clamp(since_ns)[-100:].max())
    scene.at_most(
        largest_n, trial.parameter("idle_force_n"), "N", "clamp force after release", IDLE
    )


def _drive_off(trial: Trial) -> None:
    scene = Scene(trial)
    _stand_on_slope(scene, 5.0, hold=True)
    scene.release()
    scene.run(ms(300))
    held_n = trial.parameter("held_force_n")
    scene.at_least(min(scene.clamp_now_n()[:2]), held_n, "N", "front clamp force held", HOLD)
    scene.tell("drive", accelerator=30.0)
    scene.run(ms(trial.parameter("drive_off_ms")))
    scene.at_most(
        max(scene.clamp_now_n()),
        trial.parameter("idle_force_n"),
        "N",
        "clamp force after the accelerator",
        HOLD,
    )


def _asked(trial: Trial) -> None:
    scene = Scene(trial)
    scene.tell("assistance", hold=scene.said("hold_request"))
    scene.brake(50.0, ramp_ms=0.0, for_ms=600.0)
    since_ns = scene.release()
    scene.run(ms(400))
    scene.says("hold", scene.said("holding"), since_ns + ms(50), "state of the hold", HOLD)
    held_n = trial.parameter("held_force_n")
    scene.at_least(min(scene.clamp_now_n()[:2]), held_n, "N", "front clamp force held", HOLD)
    trial.check_safe(since_ns)
