"""Stop on a hill and stay there."""

from simcore import Rig, ms, s, scenario


@scenario(requirements=["BRK-008"])
def stop_and_hold(rig: Rig) -> None:
    """Stop a laden car on a 20 % slope, let go of the pedal, stand for 60 s."""
    rig.vehicle.set_friction(1.0)
    rig.vehicle.set_mass(kg=2700)
    rig.vehicle.set_slope(pct=20)
    rig.vehicle.set_speed(kmh=30)
    rig.set_auto_hold(True)
    rig.run_for(ms(400))
    stop = rig.measure_stop(pedal_pct=50, timeout=s(10))
    rig.check("BRK-008", stop.stopped, measured=str(stop.stopped), text="came to a stop")
    rig.run_for(s(1))

    start_m, start_ns = rig.vehicle.x_m, rig.now_ns
    rig.release_pedal(ramp_ns=ms(200))
    rig.run_for(s(60))
    rolled_cm = 100.0 * (start_m - float(rig.recorded("x_m", since_ns=start_ns).min()))
    rig.report("roll-back in 60 s", f"{rolled_cm:.2f} cm")
    rig.check(
        "BRK-008",
        rolled_cm <= 5.0 and abs(rig.vehicle.speed_kmh) < 0.1,
        measured=f"{rolled_cm:.2f} cm",
        limit="<= 5 cm",
        text="roll-back over 60 s with the pedal released",
    )
