"""The wire: frames, exact bits and durations, arbitration, controllers.

Levels, durations and arbitration follow ISO 11898-1:2015. Payload meaning is `network/`'s business.
"""

from simcore.bus.bits import bits
from simcore.bus.bus import Bus
from simcore.bus.controller import Controller
from simcore.bus.disturbance import (
    BitFlips,
    Disturbance,
    FrameMatch,
    HeldLine,
    MuteTransmitter,
    NoAcknowledgement,
    ReceiveNoise,
    WireBit,
)
from simcore.bus.duration import bit_counts, duration_ns
from simcore.bus.error_record import (
    ErrorFrame,
    ErrorKind,
    ErrorState,
    StateChange,
    WireError,
)
from simcore.bus.frame import DLC_TO_LENGTH, LENGTH_TO_DLC, Frame, FrameHeader
from simcore.bus.log import BLOCK_FRAMES, BusRecord, FrameColumns, FrameLog, Source
from simcore.bus.options import ControllerOptions, FdSupport, Recovery, TransmitPolicy
from simcore.bus.timing import INTERMISSION_BITS, BitTiming
from simcore.bus.worst_case import worst_case_ns

__all__ = [
    "BitFlips",
    "FrameMatch",
    "HeldLine",
    "MuteTransmitter",
    "NoAcknowledgement",
    "ReceiveNoise",
    "ControllerOptions",
    "Disturbance",
    "FdSupport",
    "Recovery",
    "TransmitPolicy",
    "WireBit",
    "BLOCK_FRAMES",
    "DLC_TO_LENGTH",
    "INTERMISSION_BITS",
    "LENGTH_TO_DLC",
    "BitTiming",
    "Bus",
    "BusRecord",
    "Controller",
    "ErrorFrame",
    "ErrorKind",
    "ErrorState",
    "StateChange",
    "WireError",
    "Frame",
    "FrameHeader",
    "FrameColumns",
    "FrameLog",
    "Source",
    "bit_counts",
    "bits",
    "duration_ns",
    "worst_case_ns",
]
