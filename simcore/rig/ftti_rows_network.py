"""Rows of the reaction-time table: a bus, or one node's way to it, is lost."""

from __future__ import annotations

from simcore.faults import BusOff, BusOpen, BusShorted, NodeUnplugged, OpenWire, StuckDominant
from simcore.rig.ftti import BRAKING, CRUISE, EVERYWHERE, LOW_FRICTION, Row
from simcore.rig.ftti_sought import (
    all_obey_bus,
    brakes_on_slip,
    bus_known,
    bus_left,
    force_kept,
    lost_or_left_lane,
    silent_on,
    slip_lost_or_left_lane,
)
from simcore.rig.reference import CHASSIS_A, CHASSIS_B, EMB_NODES
from simcore.units import ms

_A = CHASSIS_A

BUS_ROWS = tuple(
    Row(
        id=f"bus_{name}",
        requirement="DEG-003",
        broken=f"{{}} {text}",
        hazard="no commands, no status: nobody brakes",
        places=(CHASSIS_A,),
        points=EVERYWHERE,
        fault=fault,
        detection=lambda _bus: all_obey_bus("B"),
        safe_state=lambda _bus: all_obey_bus("B"),
        fhti_max_ns=ms(15),
        ftti_ns=ms(100),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in (
        ("shorted", "shorted", lambda bus: BusShorted(bus=bus)),
        ("dominant", "held dominant by the CDC", lambda bus: StuckDominant(bus=bus, node="CDC")),
        ("open", "open: no node reaches another", lambda bus: BusOpen(bus=bus)),
    )
)

REPORTED_ROWS = tuple(
    Row(
        id=f"bus_{name}_known",
        requirement="DEG-003",
        broken=f"{{}} {text}",
        hazard="the second bus fails as well, and nobody knew of the first",
        places=(CHASSIS_A, CHASSIS_B),
        points=(BRAKING, CRUISE, LOW_FRICTION),
        fault=fault,
        detection=bus_left,
        safe_state=bus_known,
        ftti_ns=ms(100),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in (
        ("shorted", "shorted", lambda bus: BusShorted(bus=bus)),
        ("open", "open: no node reaches another", lambda bus: BusOpen(bus=bus)),
    )
)

NODE_ROWS = tuple(
    Row(
        id=f"node_{name}",
        requirement="DEG-003",
        broken=f"{{}} {text} CHASSIS_A",
        hazard="one node is cut off from the others",
        places=("CDC", "CDC2", *EMB_NODES),
        points=(BRAKING, LOW_FRICTION),
        fault=fault,
        detection=lambda node: silent_on(node, CHASSIS_A),
        safe_state=lambda _node: force_kept(),
        on_slip_safe=brakes_on_slip,
        ftti_ns=ms(100),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in (
        ("bus_off", "goes bus-off on", lambda node: BusOff(bus=_A, node=node)),
        ("unplugged", "is unplugged from", lambda node: NodeUnplugged(bus=_A, node=node)),
        ("open_wire", "has an open wire to", lambda node: OpenWire(bus=_A, node=node)),
    )
)

ROWS = (*BUS_ROWS, *REPORTED_ROWS, *NODE_ROWS)
