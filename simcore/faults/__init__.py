"""The fault vocabulary: what can be broken, as named objects with a sentence for the report.

One file per layer. Today: ECU faults and faults of the wire.
"""

from simcore.faults.ecu import EcuSilent
from simcore.faults.installed import Installed
from simcore.faults.wire import (
    AckSuppressed,
    BitError,
    BusShorted,
    DominantPulse,
    GroundOffset,
    StuckDominant,
    StuckRecessive,
)
from simcore.faults.wire_nodes import BabblingNode, BusOff, BusOpen, NodeUnplugged, OpenWire

WireFault = (
    BitError
    | AckSuppressed
    | BusShorted
    | StuckDominant
    | StuckRecessive
    | DominantPulse
    | OpenWire
    | NodeUnplugged
    | BusOpen
    | BusOff
    | GroundOffset
    | BabblingNode
)

__all__ = [
    "AckSuppressed",
    "BabblingNode",
    "BitError",
    "BusOff",
    "BusOpen",
    "BusShorted",
    "DominantPulse",
    "EcuSilent",
    "GroundOffset",
    "Installed",
    "NodeUnplugged",
    "OpenWire",
    "StuckDominant",
    "StuckRecessive",
    "WireFault",
]
