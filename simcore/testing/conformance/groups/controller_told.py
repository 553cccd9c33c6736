"""What a domain controller tells of the vehicle: its speed, standstill, and every wheel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simcore.faults import EcuSilent, SensorOffset, SignalCorrupted
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

TOLD = "told"


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    return [
        _case("speed", "the vehicle's speed is told as it is", _speed),
        _case("standstill", "standstill is told, and only then", _standstill),
        _case("wheels", "every wheel speed is passed on in its own place", _wheels),
        *(
            _case(
                f"wheels.unknown.{corner}",
                f"a wheel speed {corner} that its brake marks as invalid is not passed on as valid",
                partial(_unknown, place=place, silent=False),
            )
            for place, corner in enumerate(interface.binding("actuators")["corners"])
        ),
        *(
            _case(
                f"wheels.silent.{corner}",
                f"nor is one of a silent brake {corner}",
                partial(_unknown, place=place, silent=True),
            )
            for place, corner in enumerate(interface.binding("actuators")["corners"])
        ),
    ]


def _case(name: str, title: str, run: Callable[[Trial], None]) -> Case:
    return vehicle_case(f"control.{name}", Group.CONTROL, title, run)


def _speed(trial: Trial) -> None:
    scene = Scene(trial)
    worst_kmh = 0.0
    for speed_kmh in (20.0, 80.0, 140.0):
        scene.roll(speed_kmh)
        scene.run(ms(50))
        told = scene.sent("dynamics", "speed", scene.rig.now_ns - ms(30))
        if not told:
            worst_kmh = float("nan")
            break
        worst_kmh = max(worst_kmh, abs(float(told[-1][1]) - scene.speed_kmh()))
    scene.at_most(
        worst_kmh, trial.parameter("speed_kmh"), "km/h", "told and true speed apart", TOLD
    )
    scene.brake(60.0, for_ms=500.0)
    told = scene.sent("dynamics", "speed", scene.rig.now_ns - ms(30))
    apart_kmh = abs(float(told[-1][1]) - scene.speed_kmh()) if told else float("nan")
    scene.at_most(apart_kmh, trial.parameter("braked_kmh"), "km/h", "the same while braking", TOLD)
    names = scene.table("dynamics")
    valid = scene.raw(str(names["message"]), str(names["quality"]), scene.said("valid"))
    qualities = {value for _, value in scene.sent("dynamics", "quality", scene.trial.start_ns)}
    trial.expect(
        qualities == {valid},
        text="quality of the speed",
        measured=", ".join(str(each) for each in sorted(qualities)) or "none",
        limit=scene.said("valid"),
        requirement=scene.demand(TOLD),
    )


def _standstill(trial: Trial) -> None:
    scene = Scene(trial)
    names = scene.table("dynamics")
    still = scene.raw(str(names["message"]), str(names["standstill"]), scene.said("standstill"))
    scene.run(ms(300))
    told = scene.sent("dynamics", "standstill", scene.rig.now_ns - ms(50))
    trial.expect(
        bool(told) and all(value == still for _, value in told),
        text="standstill while the vehicle stands",
        measured=f"{sum(value == still for _, value in told)} of {len(told)}",
        limit="all",
        requirement=scene.demand(TOLD),
    )
    scene.roll(10.0)
    since_ns = scene.rig.now_ns
    scene.run(ms(200))
    told = scene.sent("dynamics", "standstill", since_ns)
    trial.expect(
        bool(told) and not any(value == still for _, value in told),
        text="standstill while it rolls at 10 km/h",
        measured=f"{sum(value == still for _, value in told)} of {len(told)}",
        limit="none",
        requirement=scene.demand(TOLD),
    )


def _wheels(trial: Trial) -> None:
    """Every wheel gets a speed of its own, so that places cannot be mixed up."""
    scene = Scene(trial)
    scene.roll(60.0)
    pin = str(scene.actuators["wheel_pin"])
    for place in range(len(scene.corners)):
        scene.inject(SensorOffset(node=scene.node(place), pin=pin, value=0.3 * place))
    scene.run(ms(60))
    speeds = [str(each) for each in scene.table("wheels")["speeds"]]
    message = str(scene.table("wheels")["message"])
    for place, corner in enumerate(scene.corners):
        sent = trial.decoded(message, speeds[place], scene.rig.now_ns - ms(15))
        heard = scene.rig.signal(scene.status_of(place), str(scene.actuators["wheel_speed"][place]))
        apart = abs(float(sent[-1][1]) - float(heard)) if sent and heard is not None else None
        scene.at_most(
            float("nan") if apart is None else apart,
            trial.parameter("wheel_kmh"),
            "km/h",
            f"{corner}: what is passed on and what the actuator says, apart",
            TOLD,
        )


def _unknown(trial: Trial, *, place: int, silent: bool) -> None:
    """At standstill and slow, too: there 0 is a speed that looks right."""
    scene = Scene(trial)
    status, signal = scene.status_of(place), str(scene.actuators["wheel_quality"][place])
    for speed_kmh in (0.0, 5.0, 60.0):
        scene.roll(speed_kmh)
        injected = scene.inject(
            EcuSilent(node=scene.node(place))
            if silent
            else SignalCorrupted(
                message=status,
                signal=signal,
                value=scene.raw(status, signal, scene.said("invalid")),
            )
        )
        scene.run(ms(trial.parameter("unknown_ms")))
        since_ns = scene.rig.now_ns
        scene.run(ms(60))
        _expect_unknown(scene, place, since_ns, speed_kmh)
        injected.clear()
        scene.run(ms(trial.parameter("known_ms")))


def _expect_unknown(scene: Scene, place: int, since_ns: int, speed_kmh: float) -> None:
    names = scene.table("wheels")
    message = str(names["message"])
    for number, corner in enumerate(scene.corners):
        signal = str(names["qualities"][number])
        valid = scene.raw(message, signal, scene.said("valid"))
        told = [value == valid for _, value in scene.trial.decoded(message, signal, since_ns)]
        lost = number == place
        scene.trial.expect(
            bool(told) and (not any(told) if lost else all(told)),
            text=f"wheel speed {corner} at {speed_kmh:g} km/h, told as valid",
            measured=f"{sum(told)} of {len(told)}",
            limit="never" if lost else "always",
            requirement=scene.demand(TOLD),
        )
    speeds = scene.sent("dynamics", "speed", since_ns)
    apart_kmh = max((abs(float(each) - scene.speed_kmh()) for _, each in speeds), default=None)
    scene.at_most(
        float("nan") if apart_kmh is None else apart_kmh,
        scene.trial.parameter("speed_kmh"),
        "km/h",
        f"told and true speed apart at {speed_kmh:g} km/h",
        TOLD,
    )
