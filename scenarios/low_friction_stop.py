"""Low friction: slip control must use the grip there is, and no wheel may stay locked."""

from simcore import Rig, ms, s, scenario


@scenario(requirements=["BRK-006"], cases=[{"mu": 0.3}, {"mu": 0.8}])
def low_friction_stop(rig: Rig, mu: float) -> None:
    """Full pedal at 50 km/h on a slippery road."""
    rig.vehicle.set_friction(mu)
    rig.vehicle.set_speed(kmh=50)
    rig.run_for(ms(500))
    stop = rig.measure_stop(pedal_pct=100, timeout=s(15))
    used = stop.utilisation / mu
    rig.report("stopping distance", f"{stop.distance_m:.1f} m on mu {mu}")
    rig.report("adhesion utilisation", f"{used:.3f}")
    rig.check(
        "BRK-006",
        stop.stopped and used >= 0.75,
        measured=f"{used:.3f}",
        limit=">= 0.75",
        text=f"adhesion utilisation on mu {mu}",
    )
    rig.check(
        "BRK-006",
        stop.longest_lock_ms <= 150.0,
        measured=stop.longest_lock_ms,
        limit="<= 150 ms",
        text="longest lock of a wheel above 15 km/h",
    )
    rig.check(
        "BRK-006",
        stop.lateral_offset_m <= 1.0,
        measured=stop.lateral_offset_m,
        limit="<= 1 m",
        text="stays in its lane",
    )
