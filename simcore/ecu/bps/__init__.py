"""Brake pedal sensor: two travel channels and a force channel."""

from simcore.ecu.bps.node import Bps
from simcore.ecu.bps.parameters import BpsParameters

__all__ = ["Bps", "BpsParameters"]
