"""A node talks without end on bus A: the others starve there, and brake over bus B."""

from simcore import Rig, ms, s, scenario
from simcore.faults import BabblingNode

CORNERS = ("FL", "FR", "RL", "RR")


class Follow:
    """Predicate: every actuator reports that it obeys a command from bus B."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def __call__(self) -> bool:
        return all(
            self.rig.signal(f"EMB_{corner}_St1", f"EMB_{corner}_BusSel") == 1 for corner in CORNERS
        )


@scenario(requirements=["DEG-003", "COM-001", "BRK-001"])
def babbling_node(rig: Rig) -> None:
    """PDM sends the highest priority on CHASSIS_A without a pause, right before a full stop."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    fault_ns = rig.now_ns
    rig.inject(BabblingNode(bus="CHASSIS_A", node="PDM"))
    follows = rig.run_until(Follow(rig), timeout=ms(200))
    rig.check(
        "DEG-003",
        follows and rig.elapsed_ms(fault_ns) <= 15.0,
        measured=rig.elapsed_ms(fault_ns),
        limit="<= 15 ms",
        text="begin of the babbling until all four report commands from bus B",
    )
    warned = rig.wait_for(
        "CDC_BrkSt",
        lambda values: values["CDC_DegrLvl"] == 10 and values["CDC_LampRed"] == 1,
        timeout=ms(500),
    )
    rig.check(
        "DEG-003",
        warned and rig.elapsed_ms(fault_ns) <= 100.0,
        measured=rig.elapsed_ms(fault_ns),
        limit="<= 100 ms",
        text="begin of the babbling to the warning on bus B",
    )
    stop = rig.measure_stop(pedal_pct=100, timeout=s(8))
    rig.report("stopping distance beside the babbling node", f"{stop.distance_m:.1f} m")
    rig.check(
        "BRK-001",
        stop.stopped and stop.distance_m <= 70.0,
        measured=stop.distance_m,
        limit="<= 70 m",
        text="full stop from 100 km/h",
    )
