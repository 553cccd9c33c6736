"""What the rows of the reaction-time table look for, by the reference chassis' own names.

Only shorthand: each function makes one observation of `evidence`. A detection names the cause, so
that no other fault's takes its place. A safe state is a level that can cease: the physical truth, a
signal that is fresh, or an event together with its opposite; an event without one stands only
beside such a level. Not here: rows.
"""

from __future__ import annotations

from simcore.rig.evidence import AllOf, AnyOf, ColumnHolds, EventSeen, Observation, SignalSeen
from simcore.rig.reference import CORNERS, EMB_NODES

WHEELS = CORNERS
CLAMP = tuple(f"clamp_force_n.{corner}" for corner in CORNERS)
CONTROLLERS = ("CDC", "CDC2")
FOLLOWED_SHARE_RATIO = 0.95
"""Clamp forces that are back at this share of what they were have been made up for."""
HANDED_BACK_RATIO = 0.75
"""While an actuator that was reset takes its part of the force back."""
SPURIOUS_STEP_N = 2_000.0
"""SAF-003."""
ABOVE_DEMAND_N = 300.0
"""BRK-005: more than this above a steady demand is above demand."""
SLIP_SHARE_RATIO = 0.85
"""Of the deceleration, where slip control is at work and no force stands still."""
SLIP_THREE_RATIO = 0.6
"""With three of four brakes: one at the front carries three tenths."""
LANE_M = 0.5
"""SAF-002."""
RELEASED_N = 500.0
"""BRK-003."""
DIAGONAL_MPS2 = 2.44
"""DEG-004."""


def wheel_of(node: str) -> str:
    """`FL` of `EMB_FL`."""
    return node.rpartition("_")[2]


# ---- who noticed ----


def lost(wheel: str) -> Observation:
    """The domain controller no longer counts on an actuator."""
    return EventSeen("detection", "CDC", f"EMB_{wheel} lost")


def supervised(node: str, kind: str = "") -> Observation:
    """The supervision of a node found an entity: by its `alive`, `deadline` or `order`, or any."""
    if kind:
        return EventSeen("detection", node, f"({kind}")
    message, signal = _STATUS_OF[node]
    return AnyOf(
        EventSeen("detection", node, "supervision: "),
        EventSeen("state", node, "supervision OK -> "),
        SignalSeen(message, signal, "!=", "Ok"),
    )


def out_of_step(node: str) -> Observation:
    """The supervision of a node found an entity, or its watchdog misses the software."""
    return AnyOf(supervised(node), EventSeen("detection", node, "watchdog: "))


def ill_served(node: str) -> Observation:
    """The external watchdog of a node got a wrong, early or late service, or none."""
    return EventSeen("detection", node, "watchdog: ")


def brake_noticed(wheel: str, *texts: str) -> Observation:
    """The actuator itself found it, as one of these texts says, or the controller lost it."""
    return AnyOf(*(EventSeen("detection", f"EMB_{wheel}", text) for text in texts), lost(wheel))


def clamps_by_itself(wheel: str) -> Observation:
    """Level 2, the controller's monitor or the supervision found an actuator out of control."""
    return brake_noticed(wheel, "level 2: ", "supervision: ")


def implausible_command(wheel: str) -> Observation:
    """The actuator limits what is asked of it, or somebody found that it is too much."""
    return AnyOf(
        EventSeen("reaction", f"EMB_{wheel}", "limited to"),
        brake_noticed(wheel, "level 2: "),
    )


def bus_left(bus: str) -> Observation:
    """Some node noticed that a bus, or a sender on it, is silent."""
    return AnyOf(*(EventSeen("detection", node, bus) for node in (*CONTROLLERS, *EMB_NODES)))


def silent_on(node: str, bus: str) -> Observation:
    """Somebody noticed that a node is silent on a bus, or the node that the bus is."""
    return AnyOf(
        *(
            EventSeen("detection", each, f"{node} silent on {bus}")
            for each in (*CONTROLLERS, *EMB_NODES)
            if each != node
        ),
        EventSeen("detection", node, bus),
    )


def taken_over(_place: str = "") -> Observation:
    """The secondary controller noticed that the primary is gone."""
    return EventSeen("detection", "CDC2", "no valid CDC_EmbCmd")


def command_late(_place: str = "") -> Observation:
    """An actuator or the secondary controller noticed that commands come too late."""
    return AnyOf(
        *(EventSeen("detection", node, "CDC_EmbCmd late") for node in ("CDC2", *EMB_NODES)),
        taken_over(),
    )


def out_of_time(node: str) -> Observation:
    """Somebody noticed that a node keeps no time."""
    words = ("late", "early", "clock", "drift", "fast", "slow")
    return AnyOf(
        *(EventSeen("detection", None, word) for word in words), supervised_or_served(node)
    )


def supervised_or_served(node: str) -> Observation:
    """What a node finds of itself, where it is supervised at all, and its loss."""
    if node not in _STATUS_OF:
        return EventSeen("detection", "CDC", "silent")
    if node.startswith("EMB"):
        return AnyOf(out_of_step(node), lost(wheel_of(node)))
    return AnyOf(out_of_step(node), taken_over())


def pedal_noticed(_place: str = "") -> Observation:
    """A pedal channel is known to be wrong: its quality on the bus, or the controller's word."""
    return AnyOf(
        SignalSeen("BPS_Pedal", "BPS_Qf1", "<", 3),
        SignalSeen("BPS_Pedal", "BPS_Qf2", "<", 3),
        SignalSeen("BPS_Pedal", "BPS_QfF", "<", 3),
        EventSeen("detection", "CDC", "pedal"),
        EventSeen("reaction", "CDC", "pedal"),
    )


def supply_noticed(supply: str) -> Observation:
    """The controller found the supply, or the actuators on it, lost."""
    wheels = {"A": ("FL", "RR"), "B": ("FR", "RL")}[supply]
    return AnyOf(EventSeen("detection", "CDC", f"supply {supply}"), *map(lost, wheels))


def pedal_silent(_place: str = "") -> Observation:
    """The controller misses the pedal."""
    return EventSeen("detection", "CDC", "pedal silent")


def wheel_speed_noticed(wheel: str) -> Observation:
    """The controller found a wheel speed not valid or wrong, or the actuator its sensor."""
    return AnyOf(
        EventSeen("detection", "CDC", f"wheel speed {wheel} "),
        EventSeen("detection", f"EMB_{wheel}", "wheel speed"),
    )


def inertia_noticed(pin: str) -> Observation:
    """The controller found the yaw rate, or the acceleration, not valid or wrong."""
    word = "yaw rate" if pin.startswith("yaw") else "acceleration"
    return AnyOf(EventSeen("detection", "CDC", word), EventSeen("detection", "IMU"))


_STATUS_OF = {
    "CDC": ("CDC_BrkSt", "CDC_WdgSt"),
    "CDC2": ("CDC2_EmbCmd", "CDC2_WdgSt"),
    **{node: (f"{node}_St1", f"{node}_WdgSt") for node in EMB_NODES},
}
"""Where a node tells the status of its supervision."""


# ---- what is safe ----


def degraded(_place: str = "") -> Observation:
    """The domain controller drives with something lost."""
    return EventSeen("reaction", "CDC", "degradation", until="-> FULL")


def warned(_place: str = "") -> Observation:
    """The warning lamp is asked for on the bus."""
    return SignalSeen("CDC_BrkSt", "CDC_LampRed", "==", "On")


def others_brake(wheel: str) -> Observation:
    """The other three give what all four gave."""
    others = tuple(f"clamp_force_n.{corner}" for corner in CORNERS if corner != wheel)
    return AllOf(degraded(), ColumnHolds(others, ">=", FOLLOWED_SHARE_RATIO, of_before=CLAMP))


def three_brake_on_slip(_wheel: str = "") -> Observation:
    """Known as lost, and the vehicle decelerates as with three brakes on this road."""
    return AllOf(degraded(), decelerates(SLIP_THREE_RATIO))


def decelerates(share_ratio: float) -> Observation:
    """The vehicle keeps a share of its deceleration."""
    return ColumnHolds("ax_mps2", "<=", share_ratio, of_before="ax_mps2")


def brakes_on_slip(_place: str = "") -> Observation:
    """The vehicle decelerates as before, slip control at work."""
    return decelerates(SLIP_SHARE_RATIO)


def all_brake(_place: str = "") -> Observation:
    """All four together give what they gave."""
    return ColumnHolds(CLAMP, ">=", FOLLOWED_SHARE_RATIO, of_before=CLAMP)


def force_kept(low_ratio: float = 0.9, high_ratio: float = 1.1) -> Observation:
    """The clamp forces together are what they were."""
    return AllOf(
        ColumnHolds(CLAMP, ">=", low_ratio, of_before=CLAMP),
        ColumnHolds(CLAMP, "<=", high_ratio, of_before=CLAMP),
    )


def released(wheel: str) -> Observation:
    """A wheel's brake is open."""
    return ColumnHolds(f"clamp_force_n.{wheel}", "<=", RELEASED_N)


def not_above(wheel: str) -> Observation:
    """A wheel's clamp force is no more than a tenth above what was asked for before."""
    column = f"clamp_force_n.{wheel}"
    return ColumnHolds(column, "<=", 1.1, of_before=column)


def not_beyond(wheel: str) -> Observation:
    """Either open, or no more than was asked for."""
    return AnyOf(released(wheel), not_above(wheel))


def not_beyond_on_slip(wheel: str) -> Observation:
    """Either open, or no more than slip control gave: its swing is half of the force."""
    column = f"clamp_force_n.{wheel}"
    return AnyOf(released(wheel), ColumnHolds(column, "<=", 1.5, of_before=column))


def secondary_commands(_place: str = "") -> Observation:
    """The secondary controller's command is on a bus and valid for all four wheels."""
    return AllOf(
        EventSeen("state", "CDC2", "-> COMMANDING", until="COMMANDING ->"),
        *(SignalSeen("CDC2_EmbCmd", f"CDC2_{corner}_ReqVld", "==", "Valid") for corner in CORNERS),
    )


def commanded_again(_place: str = "") -> Observation:
    """The secondary controller has taken over, and commands or has handed back to the primary."""
    handed_back = EventSeen("state", "CDC2", "-> STANDBY (PRIMARY_BACK)", until="STANDBY ->")
    return AllOf(
        EventSeen("state", "CDC2", "-> COMMANDING"),
        *(
            AnyOf(SignalSeen("CDC2_EmbCmd", f"CDC2_{corner}_ReqVld", "==", "Valid"), handed_back)
            for corner in CORNERS
        ),
    )


def path_opened(node: str) -> Observation:
    """The watchdog has pulled a node's enable line, and lets go of it only after a reset."""
    return AnyOf(
        EventSeen("reaction", node, "enable line low", until="enable line high"),
        AllOf(
            EventSeen("reaction", node, "enable line low"),
            EventSeen("reaction", node, "watchdog: reset for"),
        ),
    )


def status_told(node: str) -> Observation:
    """The status of a node's supervision is on the bus, or the node is cut off."""
    message, signal = _STATUS_OF[node]
    return AnyOf(SignalSeen(message, signal, "!=", "Ok"), path_opened(node))


def controller_replaced(node: str) -> Observation:
    """A controller is cut off; where it was in charge, the other one commands."""
    if node != "CDC":
        return path_opened(node)
    return AllOf(path_opened(node), commanded_again())


def actuator_replaced(wheel: str) -> Observation:
    """An actuator is cut off and the others brake for it; back in order it counts again.

    Back in order it builds its force up while the others already give up what they did for it.
    """
    back = EventSeen("detection", "CDC", f"EMB_{wheel} back", until=f"EMB_{wheel} lost")
    together = AllOf(back, ColumnHolds(CLAMP, ">=", HANDED_BACK_RATIO, of_before=CLAMP))
    return AllOf(path_opened(f"EMB_{wheel}"), AnyOf(others_brake(wheel), together))


def actuator_replaced_on_slip(wheel: str) -> Observation:
    """As `actuator_replaced`, by the deceleration."""
    return AllOf(
        path_opened(f"EMB_{wheel}"),
        EventSeen("reaction", "CDC", "degradation"),
        decelerates(SLIP_THREE_RATIO),
    )


def acts_alone(wheel: str) -> Observation:
    """An actuator without a command goes by the pedal; all together keep half the force."""
    return AllOf(
        SignalSeen(f"EMB_{wheel}_St1", f"EMB_{wheel}_ReqEcho", "==", "PedalDirect"),
        ColumnHolds(CLAMP, ">=", 0.5, of_before=CLAMP),
    )


def late_command_refused(_place: str = "") -> Observation:
    """The secondary controller commands, or all four refuse the late command and brake on."""
    refused = (EventSeen("reaction", node, "not obeyed") for node in EMB_NODES)
    return AnyOf(
        secondary_commands(), AllOf(*refused, ColumnHolds(CLAMP, ">=", 0.5, of_before=CLAMP))
    )


def obeys_bus(wheel: str, bus: str) -> Observation:
    """An actuator says that its command comes over this bus, `A` or `B`."""
    return SignalSeen(f"EMB_{wheel}_St1", f"EMB_{wheel}_BusSel", "==", bus)


def all_obey_bus(bus: str) -> Observation:
    """All four actuators say so."""
    return AllOf(*(obeys_bus(corner, bus) for corner in CORNERS))


def bus_known(bus: str) -> Observation:
    """The domain controller drives with this bus as lost."""
    level = f"BUS_{bus[-1]}"
    return EventSeen("reaction", "CDC", f"-> {level}", until=f"{level} ->")


def diagonal_brakes(_supply: str = "") -> Observation:
    """The vehicle decelerates as with one diagonal."""
    return AllOf(degraded(), ColumnHolds("ax_mps2", "<=", -DIAGONAL_MPS2))


# ---- what must not happen ----


def left_lane(_place: str = "") -> Observation:
    """The vehicle is half a metre off where it was."""
    return ColumnHolds("lateral_offset_m", ">", LANE_M, magnitude=True, as_change=True)


def brake_lost(_place: str = "") -> Observation:
    """Less than half of the clamp force is left."""
    return ColumnHolds(CLAMP, "<", 0.5, of_before=CLAMP)


def lost_or_left_lane(_place: str = "") -> Observation:
    """Less than half the braking, or half a metre off the line."""
    return AnyOf(brake_lost(), left_lane())


def slip_lost_or_left_lane(_place: str = "") -> Observation:
    """Less than half the deceleration, or half a metre off the line: no force stands still."""
    return AnyOf(ColumnHolds("ax_mps2", ">", 0.5, of_before="ax_mps2"), left_lane())


def lost_or_surges(_place: str = "") -> Observation:
    """Braking is lost, or a wheel gets more than is asked for."""
    return AnyOf(
        lost_or_left_lane(),
        *(ColumnHolds(column, ">", ABOVE_DEMAND_N, as_change=True) for column in CLAMP),
    )


def slip_lost_or_surges(_place: str = "") -> Observation:
    """Braking is lost, or the forces double: nobody controls slip."""
    return AnyOf(slip_lost_or_left_lane(), ColumnHolds(CLAMP, ">", 2.0, of_before=CLAMP))


def force_steps(_place: str = "") -> Observation:
    """The clamp force of a wheel is 2 kN off what it was."""
    return AnyOf(
        *(
            ColumnHolds(column, ">", SPURIOUS_STEP_N, as_change=True, magnitude=True)
            for column in CLAMP
        )
    )
