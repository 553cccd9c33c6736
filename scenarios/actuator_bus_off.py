"""One actuator is cut off from bus A: it brakes on over bus B like the other three."""

from simcore import Rig, ms, s, scenario
from simcore.faults import BitError, BusOff, NodeUnplugged, OpenWire

CHASSIS_A = "CHASSIS_A"
CORNERS = ("FL", "FR", "RL", "RR")
FAULTS = {
    "bus-off": lambda node: BusOff(bus=CHASSIS_A, node=node),
    "open": lambda node: OpenWire(bus=CHASSIS_A, node=node),
    "unplugged": lambda node: NodeUnplugged(bus=CHASSIS_A, node=node),
    "defective transmitter": lambda node: BitError(
        bus=CHASSIS_A, bits=(60,), sender=node, limit=None
    ),
}
CASES = [{"corner": "FL", "fault": fault} for fault in FAULTS] + [{"corner": "RR", "fault": "open"}]


class Obeys:
    """Predicate: an actuator reports that it obeys a command from one of the buses."""

    def __init__(self, rig: Rig, corner: str, bus: int) -> None:
        self.rig, self.corner, self.bus = rig, corner, bus

    def __call__(self) -> bool:
        name = f"EMB_{self.corner}"
        return self.rig.signal(f"{name}_St1", f"{name}_BusSel") == self.bus


@scenario(requirements=["DEG-003", "BRK-001", "BRK-002", "COM-001"], cases=CASES)
def actuator_bus_off(rig: Rig, corner: str, fault: str) -> None:
    """An actuator loses CHASSIS_A for 300 ms, in which a full stop begins; no force is missing."""
    rig.vehicle.set_friction(1.05)
    rig.vehicle.set_speed(kmh=100)
    rig.run_for(ms(499))  # right before a command
    fault_ns = rig.now_ns
    rig.inject(FAULTS[fault](f"EMB_{corner}"), duration=ms(300))
    if fault != "defective transmitter":  # that one still hears bus A
        follows = rig.run_until(Obeys(rig, corner, 1), timeout=ms(100))
        rig.check(
            "DEG-003",
            follows and rig.elapsed_ms(fault_ns) <= 15.0,
            measured=rig.elapsed_ms(fault_ns),
            limit="<= 15 ms",
            text="loss until the actuator reports commands from bus B",
        )
    stop = rig.measure_stop(pedal_pct=100, timeout=s(8))
    rig.check(
        "BRK-001",
        stop.stopped and stop.distance_m <= 70.0,
        measured=stop.distance_m,
        limit="<= 70 m",
        text="full stop from 100 km/h",
    )
    rig.check(
        "BRK-002",
        stop.response_ms <= 200.0,
        measured=stop.response_ms,
        limit="<= 200 ms",
        text="pedal to prescribed force at the slowest wheel, as with both buses",
    )
    seen = [event.text for event in rig.log.of_kind("detection") if event.source == "CDC"]
    rig.check(
        "DEG-003",
        not any(text.startswith(f"EMB_{corner} lost") for text in seen),
        measured="; ".join(seen) or "no detection",
        text="the actuator is not reported lost: its status comes over bus B",
    )
    if fault != "bus-off":  # the controller recovers within a cycle or two
        told = [f"EMB_{corner} silent on CHASSIS_A", f"EMB_{corner} back on CHASSIS_A"]
        rig.check(
            "DEG-003",
            [text for text in seen if text in told] == told
            and rig.signal("CDC_BrkSt", "CDC_DegrLvl") == 0,
            measured="; ".join(seen) or "no detection",
            text="silence on bus A is detected, and its end",
        )
