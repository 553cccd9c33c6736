"""The gateway: DoIP in front of the ECUs (DIA-001, SEC-001). Knows the access list."""

from simcore.ecu.gw.node import Gw

__all__ = ["Gw"]
