"""The fault vocabulary: what can be broken, as named objects with a sentence for the report.

One file per layer. Today: ECU faults and faults of the wire.
"""

from simcore.faults.ecu import EcuSilent
from simcore.faults.wire import (
    AckSuppressed,
    BabblingNode,
    BitError,
    BusOff,
    BusOpen,
    BusShorted,
    DominantPulse,
    GroundOffset,
    Installed,
    NodeUnplugged,
    OpenWire,
    StuckDominant,
    StuckRecessive,
    WireFault,
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
