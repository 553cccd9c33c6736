"""One actuator falls silent while braking: detect, redistribute, warn, still stop."""

from simcore import EcuSilent, Rig, ms, s, scenario

REFERENCE_MPS2 = {"FL": 6.84, "FR": 6.84, "RL": 8.15, "RR": 8.15}
"""MFDD the reference vehicle reaches on dry asphalt with this one brake lost."""


@scenario(
    requirements=["SAF-001", "DEG-001"],
    cases=[{"corner": corner} for corner in ("FL", "FR", "RL", "RR")],
)
def silent_actuator(rig: Rig, corner: str) -> None:
    """One EMB goes silent during moderate braking; then a full stop from 100 km/h without it."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(500))
    rig.press_pedal(35)
    rig.run_for(ms(800))
    before_mps2 = -rig.plant.vehicle.ax_mps2
    fault_ns = rig.now_ns
    rig.inject(EcuSilent(node=f"EMB_{corner}"))

    warned = rig.wait_for("CDC_BrkSt", lambda values: values["CDC_DegrLvl"] != 0, timeout=ms(500))
    detection_ms = rig.elapsed_ms(fault_ns)
    lamp = rig.signal("CDC_BrkSt", "CDC_LampRed")
    rig.check(
        "SAF-001",
        warned and detection_ms <= 50.0,
        measured=detection_ms,
        limit="<= 50 ms",
        text="fault to degradation level on the bus",
    )
    rig.check(
        "DEG-001",
        warned and detection_ms <= 100.0 and lamp == 1,
        measured=detection_ms,
        limit="<= 100 ms",
        text="fault to red warning lamp on the bus",
    )
    # The truth decides, not what an ECU says: the last instant with less than 90 % of the
    # deceleration before the fault, seen over half a second.
    rig.run_for(ms(500))
    weak_ms = rig.last_ms("ax_mps2", lambda ax: -ax < 0.9 * before_mps2, since_ns=fault_ns)
    rig.report("deceleration below 90 % until", f"{weak_ms:.0f} ms after the fault")
    rig.check(
        "SAF-001",
        weak_ms <= 100.0,
        measured=weak_ms,
        limit="<= 100 ms",
        text="fault to redistributed deceleration (90 % of before)",
    )

    rig.release_pedal()
    rig.run_for(ms(500))
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12))
    wanted_mps2 = 0.9 * REFERENCE_MPS2[corner]
    rig.report("MFDD with one brake lost", f"{stop.mfdd_mps2:.2f} m/s2")
    rig.report("stopping distance with one brake lost", f"{stop.distance_m:.1f} m")
    rig.report("largest lateral offset", f"{stop.lateral_offset_m:.2f} m")
    rig.check(
        "DEG-001",
        stop.stopped and stop.mfdd_mps2 >= 2.44,
        measured=stop.mfdd_mps2,
        limit=">= 2.44 m/s2",
        text="secondary braking",
    )
    rig.check(
        "DEG-001",
        stop.mfdd_mps2 >= wanted_mps2,
        measured=stop.mfdd_mps2,
        limit=f">= {wanted_mps2:.2f} m/s2",
        text="90 % of the reference figure for this loss",
    )
