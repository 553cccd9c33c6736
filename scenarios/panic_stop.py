"""Panic stop: the main job, end to end."""

from simcore import Rig, ms, s, scenario


@scenario(requirements=["BRK-001", "BRK-002", "BRK-004", "BRK-005"])
def panic_stop(rig: Rig) -> None:
    """Full pedal at 100 km/h on dry asphalt, then release."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))

    stop = rig.measure_stop(pedal_pct=100, timeout=s(8))
    rig.report(
        "stopping distance", f"{stop.distance_m:.1f} m from {stop.initial_speed_kmh:.1f} km/h"
    )
    rig.report("MFDD", f"{stop.mfdd_mps2:.2f} m/s2")
    rig.check("BRK-001", stop.stopped, measured=str(stop.stopped), text="came to a stop")
    rig.check(
        "BRK-001",
        stop.distance_m <= 70.0,
        measured=stop.distance_m,
        limit="<= 70 m",
        text="stopping distance",
    )
    rig.check(
        "BRK-001",
        stop.mfdd_mps2 >= 6.43,
        measured=stop.mfdd_mps2,
        limit=">= 6.43 m/s2",
        text="MFDD",
    )
    rig.check(
        "BRK-002",
        stop.response_ms <= 600.0,
        measured=stop.response_ms,
        limit="<= 600 ms",
        text="pedal to prescribed force at the slowest wheel",
    )

    # At standstill the command is steady: slip control is off, the pedal is still down.
    rig.run_for(ms(200))
    accuracy = rig.measure_force_accuracy(duration=ms(300))
    rig.check(
        "BRK-005",
        accuracy.smallest_command_n > 1000.0
        and accuracy.command_spread_ratio <= 0.01
        and accuracy.worst_excess_n <= 0.0,
        measured=f"{accuracy.worst_deviation_n:.0f} N of {accuracy.smallest_command_n:.0f} N",
        limit="max(3 %, 300 N)",
        text="steady force against command",
    )

    release = rig.measure_release(timeout=ms(500))
    rig.report("release below 500 N", f"{release.duration_ms:.0f} ms")
    rig.check(
        "BRK-004",
        release.force_before_n > 5000.0 and release.released and release.duration_ms <= 150.0,
        measured=release.duration_ms,
        limit="<= 150 ms",
        text="pedal release to the last clamp force below 500 N",
    )
    rig.run_for(ms(500))
