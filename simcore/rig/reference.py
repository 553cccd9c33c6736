"""The reference chassis: which ECU stands behind which node name, and its pins.

The only place besides `ecu/` that knows the names of the shipped interface.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from simcore.ecu import Bps, Cdc, Cdc2, Emb, Gw, Imu, Node, RestbusNode
from simcore.network import Database
from simcore.network.messages import Number
from simcore.rig.board import Cuts
from simcore.watchdog.device import DeviceSettings
from simcore.watchdog.presets import fs65, tlf35584

CORNERS = ("FL", "FR", "RL", "RR")
EMB_NODES = tuple(f"EMB_{corner}" for corner in CORNERS)
CHASSIS_A = "CHASSIS_A"
CHASSIS_B = "CHASSIS_B"
"""Carries the redundant messages of `CHASSIS_A` a second time."""
AUTO_HOLD_NODES = ("CDC", "CDC2")
"""Who reads the switches of auto hold and of the parking brake."""
SUPPLY_V = 48.0

EMB_INPUTS = {
    "clamp_force_n": 0.0,
    "screw_travel_m": 0.0,
    "motor_speed_radps": 0.0,
    "phase_current_a": 0.0,
    "battery_current_a": 0.0,
    "wheel_speed_radps": 0.0,
    "supply_v": SUPPLY_V,
    "disc_temperature_c": 20.0,
    "motor_temperature_c": 20.0,
    "park_lock_state": 0.0,
}
EMB_OUTPUTS = {"motor_current_a": 0.0, "park_lock_state": 0.0}
PINS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    **dict.fromkeys(EMB_NODES, (EMB_INPUTS, EMB_OUTPUTS)),
    "BPS": (
        {"pedal_travel_1_mm": 0.0, "pedal_travel_2_mm": 0.0, "pedal_force_n": 0.0},
        {},
    ),
    "IMU": (
        {"yaw_rate_radps": 0.0, "roll_rate_radps": 0.0, "ax_mps2": 0.0, "ay_mps2": 0.0},
        {},
    ),
    **dict.fromkeys(
        AUTO_HOLD_NODES, ({"auto_hold_switch_state": 0.0, "park_switch_state": 0.0}, {})
    ),
}
"""Input and output pins per node, with their values at power on."""

RESTBUS_VALUES: dict[str, dict[str, Number | str]] = {
    "SAS_Angle": {"SAS_Angle": 0.0, "SAS_Rate": 0.0, "SAS_Qf": "Valid", "EPS_State": "Avail"},
    "VCU_Torque": {
        "VCU_AxTqF": 0,
        "VCU_AxTqR": 0,
        "VCU_AccPed": 0,
        "VCU_Gear": "D",
        "VCU_RegenQf": "Valid",
    },
    "ADAS_LongReq": {
        "ADAS_AebActv": "Inactive",
        "ADAS_AccActv": 0,
        "ADAS_HoldReq": "None",
        "ADAS_ParkReq": "None",
    },
    "PDM_Supply": {"PDM_UA": SUPPLY_V, "PDM_UB": SUPPLY_V, "PDM_StA": "OK", "PDM_StB": "OK"},
    "VEH_Mode": {"VEH_PwrMode": "Drive"},
}
"""What the nodes without a simulated ECU send, where it differs from the start values."""

BUILDERS: dict[str, Callable[[str, Database], Node]] = {
    "BPS": Bps,
    "IMU": Imu,
    "CDC": Cdc,
    "CDC2": Cdc2,
    **dict.fromkeys(EMB_NODES, Emb),
    "GW": Gw,
}

WATCHDOGS: dict[str, tuple[DeviceSettings, Cuts]] = {
    "CDC": (tlf35584(window_threshold=7), "transmit"),
    "CDC2": (tlf35584(window_threshold=7), "transmit"),
    **dict.fromkeys(EMB_NODES, (fs65(), "outputs")),
}
"""The safety device beside an ECU, and what its enable line cuts off.

Set for software that serves every 5 ms. After the last service of an ECU that died the line drops
45 ms later at a controller (5 ms closed, four open windows of 10 ms), 24 ms at an EMB (three
periods of 8 ms). WDG-003 wants bad services to count two and good ones one: a device that counts
one and one, as those of the TPS65381 family do, forgives one bad service in two for ever.
"""


def test_key(slot: int) -> bytes:
    """The test key in a SecOC key slot: anybody can compute it, it protects nothing real."""
    return blake2b(f"simcore SecOC test key {slot}".encode(), digest_size=16).digest()


def test_keys(node: str, database: Database) -> dict[int, bytes]:
    """Test keys for the slots that the messages of a node name, sent and received."""
    messages = (*database.sent_by(node), *database.received_by(node))
    slots = {message.secoc.key_id for message in messages if message.secoc is not None}
    slots |= {each.secoc_sync.key_id for each in database.messages if each.secoc_sync is not None}
    return {slot: test_key(slot) for slot in sorted(slots)}


def build_node(name: str, database: Database) -> Node:
    """The reference module behind a node name; a restbus sender where none is simulated."""
    node = BUILDERS.get(name, RestbusNode)(name, database)
    if isinstance(node, RestbusNode):
        for message in node.payloads:
            node.set(message, **RESTBUS_VALUES.get(message, {}))
    return node
