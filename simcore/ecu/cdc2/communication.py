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
)
from simcore.network import Database, SignalReader, SignalWriter

__all__ = [
    "CORNERS",
    "QUALITY_VALID",
    "SOURCE_SECONDARY",
    "command_writer",
    "forces_reader",
    "speed_reader",
    "standby_payload",
    "validity_reader",
]


def validity_reader(database: Database) -> SignalReader:
    """Whether the primary's requests are valid, per corner."""
    return database.message("CDC_EmbCmd").codec.reader(*(f"CDC_{c}_ReqVld" for c in CORNERS))


def forces_reader(database: Database) -> SignalReader:
    """The primary's four forces (N), then for each whether slip control held it back."""
    return database.message("CDC_EmbCmd").codec.reader(
        *(f"CDC_{c}_FReq" for c in CORNERS), *(f"CDC_{c}_AbsActv" for c in CORNERS)
    )


def speed_reader(database: Database) -> SignalReader:
    """The primary's vehicle speed (km/h) and its quality."""
    return database.message("CDC_VehDyn").codec.reader("CDC_VehSpd", "CDC_VehSpdQf")


def standby_payload(writer: SignalWriter, slope_kn_per_s: float) -> bytes:
    """`CDC2_EmbCmd` of a controller that asks for nothing: no request is valid."""
    corner = (0.0, MODE_CLEARANCE, slope_kn_per_s, 0, 0)
    return writer.write(SOURCE_SECONDARY, 0, 0, POWER_MODE_DRIVE, *(corner * len(CORNERS)))
