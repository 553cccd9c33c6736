"""Chassis domain controller: arbitration, distribution, slip control, hold, actuator monitoring."""

from simcore.ecu.cdc.node import Cdc
from simcore.ecu.cdc.parameters import CdcParameters

__all__ = ["Cdc", "CdcParameters"]
