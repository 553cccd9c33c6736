"""The network interface as data: the DBC database and its compiled codecs.

Wire timing and frames are in `simcore.bus`, end-to-end protection in `simcore.protection`.
"""

from simcore.network.access import SignalReader, SignalWriter
from simcore.network.choice import Choice
from simcore.network.codec import MessageCodec
from simcore.network.database import Database
from simcore.network.e2e_config import E2eConfig
from simcore.network.messages import Message, Signal
from simcore.network.payload import Payload
from simcore.network.problems import Problem

__all__ = [
    "Choice",
    "Database",
    "E2eConfig",
    "Message",
    "MessageCodec",
    "Payload",
    "Problem",
    "Signal",
    "SignalReader",
    "SignalWriter",
]
