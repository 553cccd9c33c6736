"""A caliper jams: it neither builds force up nor lets it go."""

import numpy as np

from simcore import Rig, ms, s, scenario
from simcore.faults import CaliperJammed
from simcore.rig import AnyOf, EventSeen, SignalSeen

CORNERS = ("FL", "FR", "RL", "RR")
CASES = [{"corner": "FL"}, {"corner": "RR"}]
REFERENCE_MPS2 = {"FL": 6.84, "FR": 6.84, "RL": 8.15, "RR": 8.15}
"""MFDD of the reference vehicle without this brake."""


@scenario(requirements=["SAF-001", "DEG-001"], cases=CASES)
def jammed_caliper(rig: Rig, corner: str) -> None:
    """Jammed open at the press of the pedal: found by its own motor, made up for by the others."""
    node = f"EMB_{corner}"
    others = [each for each in CORNERS if each != corner]
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    rig.inject(CaliperJammed(corner=corner))
    rig.run_for(ms(200))
    begun_ns = rig.now_ns
    rig.press_pedal(35, ramp_ns=ms(60))
    rig.run_for(ms(600))

    found = AnyOf(
        EventSeen("detection", source=node), EventSeen("detection", source="CDC", text=node)
    ).first(rig, begun_ns, rig.now_ns)
    lamp = SignalSeen("CDC_BrkSt", "CDC_LampRed", "==", 1).first(rig, begun_ns, rig.now_ns)
    for requirement, text, limit_ms, seen in (
        ("SAF-001", "first movement of the pedal to the detection", 100.0, found),
        ("DEG-001", "first movement of the pedal to the red lamp", 100.0, lamp),
    ):
        took_ms = 1e9 if seen is None else (seen.time_ns - begun_ns) / ms(1)
        rig.report(text, "never" if seen is None else f"{took_ms:.1f} ms: {seen.text}")
        rig.check(
            requirement,
            took_ms <= limit_ms,
            measured=took_ms,
            limit=f"<= {limit_ms:.0f} ms",
            text=text,
        )
    steady_mps2 = float(np.mean(rig.recorded("ax_mps2", since_ns=rig.now_ns - ms(100))))
    rig.check(
        "SAF-001",
        steady_mps2 <= -3.0,
        measured=-steady_mps2,
        limit=">= 3 m/s2",
        text=f"deceleration from {', '.join(others)}",
    )
    jammed_n = float(np.max(rig.recorded(f"clamp_force_n.{corner}", since_ns=begun_ns)))
    rig.check("SAF-001", jammed_n < 100.0, measured=jammed_n, limit="< 100 N", text="it is jammed")
    rig.release_pedal()
    rig.run_for(ms(400))
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(300))
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12))
    wanted_mps2 = 0.9 * REFERENCE_MPS2[corner]
    rig.check(
        "DEG-001",
        stop.stopped and stop.mfdd_mps2 >= wanted_mps2,
        measured=stop.mfdd_mps2,
        limit=f">= {wanted_mps2:.2f} m/s2",
        text="90 % of the reference figure without this brake",
    )


@scenario(requirements=["SAF-001"], cases=CASES)
def jammed_shut(rig: Rig, corner: str) -> None:
    """Jammed under force: it stays when the pedal is released, and is known to."""
    node = f"EMB_{corner}"
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    rig.press_pedal(20)
    rig.run_for(ms(600))
    fault = rig.inject(CaliperJammed(corner=corner))
    rig.run_for(ms(100))
    begun_ns = rig.now_ns
    rig.release_pedal()
    rig.run_for(ms(140))
    found = AnyOf(
        EventSeen("detection", source=node), EventSeen("detection", source="CDC", text=node)
    ).first(rig, begun_ns, rig.now_ns)
    took_ms = 1e9 if found is None else (found.time_ns - begun_ns) / ms(1)
    rig.report("detected", "never" if found is None else f"{took_ms:.1f} ms: {found.text}")
    rig.check(
        "SAF-001",
        took_ms <= 140.0,
        measured=took_ms,
        limit="<= 140 ms",
        text="release of the pedal to the detection",
    )
    rig.clear(fault)
    rig.run_for(ms(300))
    stuck_n = rig.vehicle.clamp_force_n[CORNERS.index(corner)]
    rig.check(
        "SAF-001", stuck_n <= 500.0, measured=stuck_n, limit="<= 500 N", text="free again, it opens"
    )
