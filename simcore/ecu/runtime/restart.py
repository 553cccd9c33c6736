"""The communication stack of an ECU begins anew while its application goes on.

Every reception is as after power on and every E2E counter at its first value; tasks keep the
objects they read from and send with, and do not notice but by what they find there.
"""

from __future__ import annotations

from simcore.ecu.runtime.communication import Reception, Transmission
from simcore.ecu.runtime.ecu import Ecu
from simcore.ecu.runtime.redundancy import LaneWatch
from simcore.ecu.runtime.secured import reception_of, transmission_of

_KEPT = frozenset({"_pack", "_watch", "channel"})
"""Whom a message belongs to, not what has become of it."""


def restart_communication(ecu: Ecu) -> None:
    """Forget what was received, count from the start; queues of controllers are the host's."""
    # Those that are made here are looked at and thrown away: their watch of lanes is not the ECU's.
    lanes = None if ecu.lanes is None else LaneWatch(ecu.port)
    for reception in ecu._receptions.values():
        message = reception.message
        fresh = reception_of(message, ecu.port, lanes, ecu.freshness, ecu.without)
        _take_over(reception, fresh)
    for transmission in ecu._transmissions:
        message = transmission.message
        _take_over(
            transmission, transmission_of(message, ecu.port, transmission._pack, ecu.freshness)
        )


def _take_over(present: Reception | Transmission, fresh: Reception | Transmission) -> None:
    for cls in type(present).__mro__:
        for slot in getattr(cls, "__slots__", ()):
            if slot not in _KEPT and hasattr(fresh, slot):
                setattr(present, slot, getattr(fresh, slot))
