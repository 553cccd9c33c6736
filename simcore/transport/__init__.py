"""ISO-TP: messages of any length over CAN and CAN FD. ISO 15765-2:2016.

A library of its own, without I/O: time comes with every call, frames come and go as `Frame`. What
the messages mean is the business of `diag`.
"""

from simcore.transport.addressing import Address, AddressingMode
from simcore.transport.link import IsoTpLink
from simcore.transport.settings import LinkSettings
from simcore.transport.step import EMPTY, LinkEvent, Message, NResult, Role, Step

__all__ = [
    "EMPTY",
    "Address",
    "AddressingMode",
    "IsoTpLink",
    "LinkEvent",
    "LinkSettings",
    "Message",
    "NResult",
    "Role",
    "Step",
]
