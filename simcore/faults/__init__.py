"""The fault vocabulary: what can be broken, as named objects with a sentence for the report.

One file per layer, from the wire to the road; `catalogue` lists them all. When a fault happens say
`Fault.at`, `during` and `after`; `Rig.inject` carries it out.
"""

from simcore.faults.actuator import (
    CaliperJammed,
    MotorFree,
    MotorSlow,
    OverTemperature,
    ParkLatchUnlocked,
    UnintendedClamp,
)
from simcore.faults.attacks import ReplayAttack, SpoofedMessage
from simcore.faults.ecu import BrownOut, ClockDrift, EcuFault, EcuReset, EcuSilent, StackRestart
from simcore.faults.ecu_state import BitFlip, OutputStuck
from simcore.faults.ecu_tasks import TaskDoubled, TaskHung, TaskOrderSwapped, TaskSkipped, TaskSlow
from simcore.faults.fault import (
    EVENT_KINDS,
    LAYERS,
    EventMatch,
    Fault,
    FaultSequence,
    SiteFault,
    TimedFault,
    WireFault,
)
from simcore.faults.flash import FlashPowerCut
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
from simcore.faults.message_content import (
    MessageInserted,
    MessageMasqueraded,
    PayloadCorrupted,
    SignalCorrupted,
)
from simcore.faults.message_timing import (
    MessageBlocked,
    MessageDelayed,
    MessageDropped,
    MessageReordered,
    MessageRepeated,
)
from simcore.faults.pins import (
    ChannelDisagreement,
    SensorDrift,
    SensorNoise,
    SensorOffset,
    SensorRangeFault,
    SensorStuck,
)
from simcore.faults.plant import BrakeFaded, DiscHot, FrictionChanged, SlopeChanged
from simcore.faults.power import SupplyLost, SupplyLow
from simcore.faults.watchdog import (
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
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

__all__ = [
    "AckSuppressed",
    "BabblingNode",
    "BitError",
    "BitFlip",
    "BrakeFaded",
    "BrownOut",
    "BusOff",
    "BusOpen",
    "BusShorted",
    "CaliperJammed",
    "ChannelDisagreement",
    "ChecksumWrong",
    "ClockDrift",
    "CounterFrozen",
    "CounterOffset",
    "CounterRandom",
    "DataIdWrong",
    "DiscHot",
    "DominantPulse",
    "EVENT_KINDS",
    "EcuFault",
    "EcuReset",
    "EcuSilent",
    "EventMatch",
    "Fault",
    "FaultSequence",
    "FlashPowerCut",
    "FrictionChanged",
    "GroundOffset",
    "Installed",
    "LAYERS",
    "LengthWrong",
    "MessageBlocked",
    "MessageCycle",
    "MessageDelayed",
    "MessageDropped",
    "MessageFault",
    "MessageInserted",
    "MessageJitter",
    "MessageMasqueraded",
    "MessageReordered",
    "MessageRepeated",
    "MessageStopped",
    "MotorFree",
    "MotorSlow",
    "NodeUnplugged",
    "OpenWire",
    "OutputStuck",
    "OverTemperature",
    "ParkLatchUnlocked",
    "PayloadCorrupted",
    "ReplayAttack",
    "SensorDrift",
    "SensorNoise",
    "SensorOffset",
    "SensorRangeFault",
    "SensorStuck",
    "SignalCorrupted",
    "SiteFault",
    "SlopeChanged",
    "SpoofedMessage",
    "StackRestart",
    "StuckDominant",
    "StuckRecessive",
    "SupplyLost",
    "SupplyLow",
    "TaskDoubled",
    "TaskHung",
    "TaskOrderSwapped",
    "TaskSkipped",
    "TaskSlow",
    "TimedFault",
    "UnintendedClamp",
    "WatchdogAnswerEarly",
    "WatchdogAnswerLate",
    "WatchdogAnswerMissing",
    "WatchdogAnswerWrong",
    "WireFault",
]
