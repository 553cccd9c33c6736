"""The simulated ECUs, the runtime they share, and the seam every node implements.

Knows no plant: sensors and actuators are pins.
"""

from simcore.ecu.bps import Bps
from simcore.ecu.cdc import Cdc
from simcore.ecu.cdc2 import Cdc2
from simcore.ecu.emb import Emb
from simcore.ecu.gw import Gw
from simcore.ecu.imu import Imu
from simcore.ecu.restbus import RestbusNode
from simcore.ecu.runtime import Ecu
from simcore.ecu.seam import Node, Port
from simcore.ecu.supervised import Supervised, alive_supervision

__all__ = [
    "Bps",
    "Cdc",
    "Cdc2",
    "Ecu",
    "Emb",
    "Gw",
    "Imu",
    "Node",
    "Port",
    "RestbusNode",
    "Supervised",
    "alive_supervision",
]
