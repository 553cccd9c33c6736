"""The fault vocabulary: what can be broken, as named objects with a sentence for the report.

One file per layer. Today: ECU faults, faults of a message, and faults of the wire.
"""

from simcore.faults.attacks import ReplayAttack, SpoofedMessage
from simcore.faults.ecu import EcuSilent
from simcore.faults.installed import Installed
from simcore.faults.message import (
    ChecksumWrong,
    CounterFrozen,
    CounterOffset,
    CounterRandom,
    DataIdWrong,
    LengthWrong,
    MessageCycle,
    MessageFault,
    MessageJitter,
    MessageStopped,
)
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
    "ChecksumWrong",
    "CounterFrozen",
    "CounterOffset",
    "CounterRandom",
    "DataIdWrong",
    "DominantPulse",
    "EcuSilent",
    "GroundOffset",
    "Installed",
    "LengthWrong",
    "MessageCycle",
    "MessageFault",
    "MessageJitter",
    "MessageStopped",
    "NodeUnplugged",
    "OpenWire",
    "ReplayAttack",
    "SpoofedMessage",
    "StuckDominant",
    "StuckRecessive",
    "WireFault",
]
