"""At the desk: `simcore run scenarios/stop.py --dut brake/actuator.py::Brake --as EMB_FL`."""

from simcore import Rig, ms, s, scenario


@scenario(requirements=["BRK-001"])
def stop(rig: Rig) -> None:
    """Full pedal at 80 km/h."""
    rig.vehicle.set_speed(kmh=80)
    rig.run_for(ms(500))
    measured = rig.measure_stop(pedal_pct=100, timeout=s(8))
    rig.check("BRK-001", measured.distance_m <= 70, measured=measured.distance_m, limit="<= 70 m")
