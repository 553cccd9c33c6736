"""One brake clamps at 100 km/h without a request: its software is at fault, or its power stage."""

import numpy as np

from simcore import Rig, ms, s, scenario
from simcore.faults import OutputStuck, UnintendedClamp
from simcore.rig import AnyOf, ColumnHolds, EventSeen

CASES = [
    {"corner": corner, "cause": cause}
    for corner in ("FL", "RR")
    for cause in ("software", "power stage")
]


@scenario(requirements=["SAF-002", "DEG-001"], cases=CASES)
def unintended_clamp(rig: Rig, corner: str, cause: str) -> None:
    """The actuator notices force that nobody asked for and cuts its own power stage off."""
    node = f"EMB_{corner}"
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    begun_ns = rig.now_ns

    reaction = rig.measure_reaction(
        UnintendedClamp(corner=corner)
        if cause == "power stage"
        else OutputStuck(node=node, variable="application.force_ref_n", value=25_000.0),
        detection=AnyOf(
            EventSeen("detection", source=node), EventSeen("detection", source="CDC", text=node)
        ),
        safe_state=ColumnHolds(f"clamp_force_n.{corner}", "<", 500.0),
        timeout=s(1),
    )
    rig.report(node, str(reaction))
    for text, interval_ns in (
        ("full current to the detection", reaction.fdti_ns),
        ("full current to a clamp force below 500 N for good", reaction.fhti_ns),
    ):
        took_ms = (s(10) if interval_ns is None else interval_ns) / ms(1)
        rig.check("SAF-002", took_ms <= 100.0, measured=took_ms, limit="<= 100 ms", text=text)
    rig.run_until(lambda: rig.now_ns >= begun_ns + s(1), timeout=s(1))
    offset_m = abs(rig.vehicle.lateral_offset_m)
    rig.check(
        "SAF-002", offset_m <= 0.5, measured=offset_m, limit="<= 0.5 m", text="offset after 1 s"
    )
    highest_n = float(np.max(rig.recorded(f"clamp_force_n.{corner}", since_ns=begun_ns)))
    rig.report("highest clamp force", f"{highest_n:.0f} N")
    rig.check(
        "DEG-001",
        rig.signal("CDC_BrkSt", "CDC_LampRed") == 1,
        text="the driver is warned: the brake is not counted on any more",
    )
    stop = rig.measure_stop(pedal_pct=100, timeout=s(12))
    rig.check(
        "DEG-001",
        stop.stopped and stop.mfdd_mps2 >= 2.44,
        measured=stop.mfdd_mps2,
        limit=">= 2.44 m/s2",
        text="secondary braking without it",
    )
