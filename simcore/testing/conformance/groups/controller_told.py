"""What a domain controller tells of the vehicle: its speed, standstill, and every wheel."""

from __future__ import annotations

from simcore.faults import SensorOffset
from simcore.testing.conformance.case import Case, Group
from simcore.testing.conformance.controller_scene import Scene, is_bound, vehicle_case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

TOLD = "BRK-011"


def cases(interface: Interface) -> list[Case]:
    """None without the bindings of a controller."""
    if not is_bound(interface):
        return []
    return [
        _case("speed", "the vehicle's speed is told as it is", _speed),
        _case("standstill", "standstill is told, and only then", _standstill),
        _case("wheels", "every wheel speed is passed on in its own place", _wheels),
    ]


def _case(name: str, title: str, run: object) -> Case:
    assert callable(run)
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
    scene.at_most(
        apart_kmh, 2.0 * trial.parameter("speed_kmh"), "km/h", "the same while braking", TOLD
    )
    names = scene.table("dynamics")
    valid = scene.raw(str(names["message"]), str(names["quality"]), scene.said("valid"))
    qualities = {value for _, value in scene.sent("dynamics", "quality", scene.trial.start_ns)}
    trial.expect(
        qualities == {valid},
        text="quality of the speed",
        measured=", ".join(str(each) for each in sorted(qualities)) or "none",
        limit=scene.said("valid"),
        requirement=TOLD,
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
        requirement=TOLD,
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
        requirement=TOLD,
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
