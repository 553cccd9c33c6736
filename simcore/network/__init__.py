"""The network interface as data: the DBC database and its compiled codecs.

Wire timing and frames are in `simcore.bus`, end-to-end protection in `simcore.protection`.
"""

from simcore.network.codec import MessageCodec, SignalReader, SignalWriter
from simcore.network.database import Database
from simcore.network.messages import E2eConfig, Message, Signal
from simcore.network.payload import Payload

__all__ = [
    "Database",
    "E2eConfig",
    "Message",
    "MessageCodec",
    "Payload",
    "Signal",
    "SignalReader",
    "SignalWriter",
]
