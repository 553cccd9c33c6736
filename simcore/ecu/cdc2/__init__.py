"""Secondary domain controller: hot standby that commands the actuators when the primary is lost."""

from simcore.ecu.cdc2.node import Cdc2
from simcore.ecu.cdc2.parameters import Cdc2Parameters

__all__ = ["Cdc2", "Cdc2Parameters"]
