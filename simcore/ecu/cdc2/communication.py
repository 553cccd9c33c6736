"""What the secondary domain controller reads of the primary, and what it sends.

Everything else it receives and sends is as in `ecu/cdc/communication.py`.
"""

from __future__ import annotations

from simcore.ecu.cdc.communication import (
    CORNERS,
    MODE_CLEARANCE,
    POWER_MODE_DRIVE,
    QUALITY_VALID,
    SOURCE_SECONDARY,
    command_writer,
    forces_reader,
    validity_reader,
)
from simcore.network import Database, SignalReader

__all__ = [
    "CORNERS",
    "QUALITY_VALID",
    "SOURCE_SECONDARY",
    "command_writer",
    "forces_reader",
    "speed_reader",
    "standby_values",
    "validity_byte",
    "validity_reader",
]


def speed_reader(database: Database) -> SignalReader:
    """The primary's vehicle speed (km/h) and its quality."""
    return database.message("CDC_VehDyn").codec.reader("CDC_VehSpd", "CDC_VehSpdQf")


def validity_byte(database: Database) -> int:
    """The first byte of the primary's command that has to do with the validity of its requests."""
    message = database.message("CDC_EmbCmd")
    return min(message.signal(f"CDC_{corner}_ReqVld").start_bit // 8 for corner in CORNERS)


def standby_values(slope_kn_per_s: float) -> list[float]:
    """`CDC2_EmbCmd` of a controller that asks for nothing: no request is valid.

    Without the values of the watchdog.
    """
    corner = (0.0, MODE_CLEARANCE, slope_kn_per_s, 0, 0)
    return [SOURCE_SECONDARY, 0, 0, POWER_MODE_DRIVE, *(corner * len(CORNERS))]
