"""Bus A is lost as a whole: braking goes on over bus B, and the driver is told."""

import numpy as np

from simcore import Rig, ms, s, scenario
from simcore.faults import BusOpen, BusShorted, StuckDominant

CORNERS = ("FL", "FR", "RL", "RR")
BUS_B = 1
"""EMB_xx_BusSel."""
BUS_A_LOST = 10
"""CDC_DegrLvl."""
FAULTS = {
    "recessive": BusShorted(bus="CHASSIS_A", level="recessive"),
    "dominant": BusShorted(bus="CHASSIS_A", level="dominant"),
    "open": BusOpen(bus="CHASSIS_A"),
    "stuck transceiver": StuckDominant(bus="CHASSIS_A", node="ADAS"),
}


class Follow:
    """Predicate: every actuator reports that it obeys a command from bus B."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def __call__(self) -> bool:
        return all(
            self.rig.signal(f"EMB_{corner}_St1", f"EMB_{corner}_BusSel") == BUS_B
            for corner in CORNERS
        )


@scenario(
    requirements=["DEG-003", "COM-001", "BRK-001"], cases=[{"fault": name} for name in FAULTS]
)
def bus_a_shorted(rig: Rig, fault: str) -> None:
    """CHASSIS_A is lost for 300 ms while braking, comes back, and a full stop follows.

    A full stop on bus B alone is in `babbling_node.py`.
    """
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=130)
    rig.run_for(ms(500))
    rig.press_pedal(35)
    rig.run_for(ms(800))
    before_mps2 = -rig.plant.vehicle.ax_mps2
    fault_ns = rig.now_ns
    injected = rig.inject(FAULTS[fault])
    follows = rig.run_until(Follow(rig), timeout=ms(200))
    rig.check(
        "DEG-003",
        follows and rig.elapsed_ms(fault_ns) <= 15.0,
        measured=rig.elapsed_ms(fault_ns),
        limit="<= 15 ms",
        text="loss of bus A until all four report commands from bus B",
    )
    warned = rig.wait_for(
        "CDC_BrkSt",
        lambda values: values["CDC_DegrLvl"] == BUS_A_LOST and values["CDC_LampRed"] == 1,
        timeout=ms(500),
    )
    rig.check(
        "DEG-003",
        warned and rig.elapsed_ms(fault_ns) <= 100.0,
        measured=rig.elapsed_ms(fault_ns),
        limit="<= 100 ms",
        text="loss of bus A to the warning on bus B",
    )
    rig.run_for(fault_ns + ms(300) - rig.now_ns)
    least_mps2 = -float(np.max(rig.recorded("ax_mps2", since_ns=fault_ns)))
    rig.check(
        "DEG-003",
        least_mps2 >= 0.95 * before_mps2,
        measured=least_mps2,
        limit=f">= {0.95 * before_mps2:.2f} m/s2",
        text="least deceleration since the loss: it goes on as before",
    )
    rig.clear(injected)
    cleared_ns = rig.now_ns
    back = rig.wait_for("CDC_BrkSt", lambda values: values["CDC_DegrLvl"] == 0, timeout=ms(500))
    rig.check(
        "DEG-003",
        back and rig.elapsed_ms(cleared_ns) <= 200.0,
        measured=rig.elapsed_ms(cleared_ns),
        limit="<= 200 ms",
        text="end of the fault until bus A is in use again",
    )
    rig.release_pedal()
    rig.run_for(ms(500))
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(500))
    stop = rig.measure_stop(pedal_pct=100, timeout=s(8))
    rig.report("stopping distance", f"{stop.distance_m:.1f} m")
    rig.check(
        "BRK-001",
        stop.stopped and stop.distance_m <= 70.0,
        measured=stop.distance_m,
        limit="<= 70 m",
        text="full stop from 100 km/h afterwards",
    )
