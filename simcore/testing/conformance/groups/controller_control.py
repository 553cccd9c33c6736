"""Control quality of a domain controller: what becomes of the pedal and of other requests.

On the whole vehicle, on a straight road. Limits are those of the requirements; what is compared is
what the controller commands on the bus and what the vehicle truly does.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms, s

STOP, RESPONSE, IDLE, RELEASE = "stop", "response", "idle", "release"
PEDAL_STEPS_PCT = (20.0, 40.0, 60.0)
ASKED_MPS2, MORE_MPS2, CRUISE_MPS2 = 6.0, 7.0, 2.0
"""What the driver assistance asks for."""
_STEADY_NS = 200 * NS_PER_MS


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    return [
        *_pedal(),
        *_requests(),
    ]


def _case(name: str, title: str, run: object) -> Case:
    assert callable(run)
    return vehicle_case(f"control.{name}", Group.CONTROL, title, run)


def _pedal() -> list[Case]:
    return [
        _case("stop.dry", "a full stop from 100 km/h is as short as demanded", _stop),
        _case("stop.partial", "the harder the pedal the harder the braking", _partial),
        _case("step.latency", "a pedal step becomes a command at once", _latency),
        _case("step.response", "a panic stop reaches the prescribed force in time", _response),
        _case("release.pedal", "a released pedal releases all brakes", _release),
        _case("release.partial", "half released, half the force", _half_released),
        _case("distribution.sides", "left and right brake alike on a straight", _sides),
        _case("distribution.axles", "the front axle brakes first, the rear takes part", _axles),
        *(
            _case(
                f"idle.{speed_kmh:g}",
                f"without a request nothing brakes at {speed_kmh:g} km/h",
                partial(_idle, speed_kmh=speed_kmh),
            )
            for speed_kmh in (0.0, 100.0)
        ),
        _case("stop_lamp", "the stop lamp is on while the brake is, and only then", _stop_lamp),
    ]


def _requests() -> list[Case]:
    return [
        _case("request.emergency", "emergency braking is carried out as asked", _emergency),
        _case("request.withdrawn", "with its request emergency braking ends", _withdrawn),
        _case("request.cruise", "a cruise request is carried out gently", _cruise),
        _case("request.driver", "the driver who asks for more gets it", _driver_over),
        _case("request.more", "assistance that asks for more than the driver gets it", _more),
        _case("request.source", "whose request is carried out is told", _source),
    ]


# -- the pedal ------------------------------------------------------------------------------------


def _stop(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(100.0)
    since_ns = scene.rig.now_ns
    stop = scene.rig.measure_stop(pedal_pct=100.0, timeout=s(8))
    scene.at_most(stop.distance_m, trial.parameter("distance_m"), "m", "stopping distance", STOP)
    scene.at_least(
        stop.mfdd_mps2, trial.parameter("mfdd_mps2"), "m/s2", "mean deceleration (MFDD)", STOP
    )
    speed = scene.rig.recorded("speed_mps", since_ns=since_ns)
    times_ns = since_ns + NS_PER_MS * np.arange(1, len(speed) + 1)
    trial.curve("vehicle speed", "m/s", times_ns, speed)
    trial.check_safe(since_ns)


def _partial(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(90.0)
    decels = []
    for pedal_pct in PEDAL_STEPS_PCT:
        scene.brake(pedal_pct, for_ms=300.0)
        since_ns = scene.rig.now_ns
        scene.run(_STEADY_NS)
        decels.append(scene.decel_mps2(since_ns))
    full_mps2 = trial.parameter("full_pedal_mps2")
    share = trial.parameter("pedal_tolerance_pct") / 100.0
    for pedal_pct, decel_mps2 in zip(PEDAL_STEPS_PCT, decels, strict=True):
        wanted_mps2 = full_mps2 * pedal_pct / 100.0
        trial.expect(
            abs(decel_mps2 - wanted_mps2) <= share * full_mps2,
            text=f"deceleration at {pedal_pct:g} % of the pedal",
            measured=decel_mps2,
            limit=f"{wanted_mps2:g} +- {share * full_mps2:g} m/s2",
            requirement=scene.demand(RESPONSE),
        )
    trial.expect(
        all(a < b for a, b in pairwise(decels)),
        text="decelerations one after the other",
        measured=", ".join(f"{each:.1f}" for each in decels),
        limit="rising",
        requirement=scene.demand(RESPONSE),
    )


def _latency(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    since_ns = scene.brake(60.0, ramp_ms=0.0, for_ms=120.0)
    travels = [str(each) for each in scene.pedal["travels"]]
    message = scene.message(str(scene.pedal["message"]))
    read = message.codec.reader(travels[0]).read
    pressed_ns = next(
        record.eof_ns
        for record in trial.records(since_ns)
        if record.frame.arbitration_id == message.arbitration_id
        and read(record.frame.data)[0] > trial.parameter("pedal_dead_mm")
    )
    force_n = trial.parameter("command_force_n")
    scene.expect_within(
        scene.first_ns(since_ns, lambda forces_n: min(forces_n) > force_n),
        pressed_ns,
        trial.parameter("command_ms"),
        f"pedal frame to a command of {force_n:g} N for all four",
        RESPONSE,
    )
    asked = scene.commanded(since_ns).sum(axis=1)
    steps = np.diff(asked)
    trial.expect(
        len(asked) > 4 and bool(np.all(steps >= -trial.parameter("command_force_n"))),
        text="the command on its way up",
        measured=float(steps.min()) if len(steps) else float("nan"),
        limit="no step back, in N",
        requirement=scene.demand(RESPONSE),
    )


def _response(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(100.0)
    since_ns = scene.brake(100.0, ramp_ms=50.0, for_ms=600.0)
    limits_n = (*[trial.parameter("front_force_n")] * 2, *[trial.parameter("rear_force_n")] * 2)
    rows = scene.clamp(since_ns)
    for place, corner in enumerate(scene.corners):
        reached = np.flatnonzero(rows[:, place] >= limits_n[place])
        scene.expect_within(
            since_ns + (int(reached[0]) + 1) * NS_PER_MS if len(reached) else None,
            since_ns,
            trial.parameter("reference_ms"),
            f"{corner}: pedal to {limits_n[place]:g} N",
            RESPONSE,
        )
    trial.check_safe(since_ns)


def _release(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking()
    braked_n = trial.parameter("braked_force_n")
    scene.at_least(min(scene.clamp_now_n()), braked_n, "N", "clamp force before", RELEASE)
    since_ns = scene.release()
    scene.run(ms(trial.parameter("release_ms")) + ms(100))
    idle_n = trial.parameter("open_force_n")
    scene.expect_within(
        scene.first_ns(since_ns, lambda forces_n: max(forces_n) <= idle_n),
        since_ns,
        trial.parameter("opening_ms"),
        "pedal to a command that opens all four",
        RELEASE,
    )
    rows = scene.clamp(since_ns).max(axis=1)
    above = np.flatnonzero(rows > idle_n)
    last_ms = float(above[-1] + 2) if len(above) else 0.0
    scene.at_most(
        last_ms, trial.parameter("release_ms"), "ms", "pedal to the last open brake", RELEASE
    )
    trial.check_safe(since_ns)


def _half_released(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(100.0)
    scene.brake(50.0, for_ms=300.0)
    before_n = sum(scene.mean_n(scene.rig.now_ns - ms(50)))
    scene.brake(25.0, ramp_ms=20.0, for_ms=200.0)
    after_n = sum(scene.mean_n(scene.rig.now_ns - ms(50)))
    share = after_n / before_n if before_n > 0.0 else float("nan")
    least, most = trial.parameter("half_least_ratio"), trial.parameter("half_most_ratio")
    trial.expect(
        least <= share <= most,
        text="commanded force at half the pedal, of that at the whole",
        measured=share,
        limit=f"{least:g}..{most:g}",
        requirement=scene.demand(RELEASE),
    )


def _sides(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=50.0)
    since_ns = scene.rig.now_ns
    scene.run(ms(500))
    fl, fr, rl, rr = scene.mean_n(since_ns)
    limit_pct = trial.parameter("side_difference_pct")
    for name, left_n, right_n in (("front", fl, fr), ("rear", rl, rr)):
        larger_n = max(left_n, right_n)
        apart_pct = 100.0 * abs(left_n - right_n) / larger_n if larger_n > 0.0 else float("nan")
        scene.at_most(apart_pct, limit_pct, "%", f"{name}: left and right apart", STOP)
    limit_m = trial.parameter("straight_offset_m")
    scene.at_most(scene.offset_m(since_ns), limit_m, "m", "lateral offset on a straight", STOP)


def _axles(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=50.0)
    since_ns = scene.rig.now_ns
    scene.run(_STEADY_NS)
    fl, fr, rl, rr = scene.mean_n(since_ns)
    front_n, rear_n = fl + fr, rl + rr
    share = rear_n / front_n if front_n > 0.0 else float("nan")
    least, most = trial.parameter("rear_least_ratio"), trial.parameter("rear_most_ratio")
    trial.expect(
        least <= share <= most,
        text="rear to front at half the pedal, as commanded",
        measured=share,
        limit=f"{least:g}..{most:g}",
        requirement=scene.demand(STOP),
    )


def _idle(trial: Trial, *, speed_kmh: float) -> None:
    scene = Scene(trial)
    scene.roll(speed_kmh)
    since_ns = scene.rig.now_ns
    if speed_kmh:
        scene.rig.driver.hold_speed(speed_kmh + 10.0)
    scene.run(ms(700))
    largest_n = float(scene.commanded(since_ns).max(initial=0.0))
    limit_n = trial.parameter("idle_force_n")
    scene.at_most(largest_n, limit_n, "N", "largest command without a request", IDLE)
    scene.at_most(float(scene.clamp(since_ns).max()), limit_n, "N", "largest clamp force", IDLE)
    scene.healthy(since_ns, IDLE)
    trial.check_safe(since_ns)


def _stop_lamp(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    since_ns = scene.rig.now_ns
    scene.run(ms(100))
    scene.says("stop_lamp", scene.said("off"), since_ns, "stop lamp before", RESPONSE)
    pressed_ns = scene.brake(40.0, for_ms=150.0)
    on, off = scene.said("on"), scene.said("off")
    limit_ms = trial.parameter("lamp_ms")
    scene.expect_within(
        scene.first_said("stop_lamp", on, pressed_ns), pressed_ns, limit_ms, "lamp on", RESPONSE
    )
    released_ns = scene.release()
    scene.run(ms(200))
    scene.expect_within(
        scene.first_said("stop_lamp", off, released_ns), released_ns, limit_ms, "off", RESPONSE
    )


# -- other requests -------------------------------------------------------------------------------


def ask_emergency(scene: Scene, decel_mps2: float, *, full: bool = True) -> int:
    """Let the driver assistance ask for emergency braking; when that was."""
    since_ns = scene.rig.now_ns
    kind = scene.said("emergency_full" if full else "emergency_partial")
    scene.tell("assistance", emergency=kind, emergency_deceleration=-decel_mps2)
    return since_ns


def withdraw_emergency(scene: Scene) -> int:
    """Let it ask no longer; when that was."""
    since_ns = scene.rig.now_ns
    scene.tell("assistance", emergency=scene.said("inactive"))
    return since_ns


def _emergency(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    since_ns = ask_emergency(scene, ASKED_MPS2)
    scene.run(ms(500))
    force_n = trial.parameter("command_force_n")
    scene.expect_within(
        scene.first_ns(since_ns, lambda forces_n: min(forces_n) > force_n),
        since_ns,
        trial.parameter("assistance_ms"),
        "request to a command for all four",
        RESPONSE,
    )
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - _STEADY_NS)
    tolerance_mps2 = trial.parameter("assistance_tolerance_mps2")
    trial.expect(
        abs(decel_mps2 - ASKED_MPS2) <= tolerance_mps2,
        text="deceleration",
        measured=decel_mps2,
        limit=f"{ASKED_MPS2:g} +- {tolerance_mps2:g} m/s2",
        requirement=scene.demand(RESPONSE),
    )
    command = scene.table("command")
    message = str(command["message"])
    sent = trial.decoded(message, str(command["emergency"]), scene.rig.now_ns - ms(100))
    active = scene.raw(message, str(command["emergency"]), scene.said("active"))
    trial.expect(
        bool(sent) and all(value == active for _, value in sent),
        text="the commands say that it is an emergency",
        measured=f"{sum(value == active for _, value in sent)} of {len(sent)}",
        limit="all",
        requirement=scene.demand(RESPONSE),
    )
    trial.check_safe(since_ns)


def _withdrawn(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    ask_emergency(scene, ASKED_MPS2)
    scene.run(ms(300))
    since_ns = withdraw_emergency(scene)
    scene.run(ms(300))
    idle_n = trial.parameter("open_force_n")
    scene.expect_within(
        scene.first_ns(since_ns, lambda forces_n: max(forces_n) <= idle_n),
        since_ns,
        trial.parameter("assistance_ms"),
        "end of the request to a command that opens all four",
        RELEASE,
    )
    trial.check_safe(since_ns)


def _cruise(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(80.0)
    scene.tell("assistance", cruise=scene.said("active"), cruise_acceleration=-CRUISE_MPS2)
    scene.run(ms(500))
    since_ns = scene.rig.now_ns
    scene.run(_STEADY_NS)
    decel_mps2 = scene.decel_mps2(since_ns)
    tolerance_mps2 = trial.parameter("cruise_tolerance_mps2")
    trial.expect(
        abs(decel_mps2 - CRUISE_MPS2) <= tolerance_mps2,
        text="deceleration",
        measured=decel_mps2,
        limit=f"{CRUISE_MPS2:g} +- {tolerance_mps2:g} m/s2",
        requirement=scene.demand(RESPONSE),
    )
    scene.says("source", scene.said("cruise"), since_ns, "source of the request", RESPONSE)


def _driver_over(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(pedal_pct=50.0)
    before_n = sum(scene.mean_n(scene.rig.now_ns - ms(50)))
    since_ns = ask_emergency(scene, 2.0, full=False)
    scene.run(ms(200))
    least_n = float(scene.commanded(since_ns).sum(axis=1).min())
    scene.at_least(
        100.0 * least_n / before_n if before_n else float("nan"),
        trial.parameter("driver_kept_pct"),
        "%",
        "least commanded force, of what the driver had",
        RESPONSE,
    )
    scene.says("source", scene.said("driver"), since_ns, "source of the request", RESPONSE)


def _more(trial: Trial) -> None:
    scene = Scene(trial)
    scene.braking(kmh=110.0, pedal_pct=15.0)
    before_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(100))
    ask_emergency(scene, MORE_MPS2)
    scene.run(ms(350))
    decel_mps2 = scene.decel_mps2(scene.rig.now_ns - ms(100))
    tolerance_mps2 = trial.parameter("assistance_tolerance_mps2")
    light_mps2 = trial.parameter("light_mps2")
    trial.expect(
        before_mps2 < light_mps2 and abs(decel_mps2 - MORE_MPS2) <= tolerance_mps2,
        text="deceleration before and after",
        measured=f"{before_mps2:.1f} and {decel_mps2:.1f} m/s2",
        limit=f"< {light_mps2:g} and {MORE_MPS2:g} +- {tolerance_mps2:g} m/s2",
        requirement=scene.demand(RESPONSE),
    )


def _source(trial: Trial) -> None:
    scene = Scene(trial)
    scene.roll(100.0)
    since_ns = scene.rig.now_ns
    scene.run(ms(100))
    scene.says("source", scene.said("nobody"), since_ns, "source without a request", RESPONSE)
    scene.brake(30.0, for_ms=150.0)
    since_ns = scene.rig.now_ns
    scene.run(ms(100))
    scene.says("source", scene.said("driver"), since_ns, "source while the driver brakes", RESPONSE)
    scene.release()
    ask_emergency(scene, ASKED_MPS2)
    scene.run(ms(150))
    since_ns = scene.rig.now_ns
    scene.run(ms(100))
    scene.says("source", scene.said("emergency"), since_ns, "in an emergency braking", RESPONSE)
