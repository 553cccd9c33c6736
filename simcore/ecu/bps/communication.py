"""What the pedal sensor sends."""

from __future__ import annotations

from simcore.network import Database, SignalWriter

SWITCH_NOT_APPLIED, SWITCH_APPLIED, SWITCH_IMPLAUSIBLE = range(3)


def pedal_writer(database: Database) -> SignalWriter:
    """Positional writer of `BPS_Pedal`, in the order of the DBC."""
    return database.message("BPS_Pedal").codec.writer(
        "BPS_Trvl1",
        "BPS_Trvl2",
        "BPS_Force",
        "BPS_TrvlRate",
        "BPS_Qf1",
        "BPS_Qf2",
        "BPS_QfF",
        "BPS_SwState",
    )
