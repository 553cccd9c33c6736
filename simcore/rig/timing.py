"""Bus timing from a database."""

from __future__ import annotations

from simcore.bus import BitTiming
from simcore.network import Database

DEFAULT_NOMINAL_BPS = 500_000
DEFAULT_DATA_BPS = 2_000_000


def timing_of(database: Database) -> BitTiming:
    """Bit timing from the database's rates; 500 kbit/s and 2 Mbit/s where it names none."""
    data_bps = database.data_bps or DEFAULT_DATA_BPS
    return BitTiming(
        nominal_bps=database.nominal_bps or DEFAULT_NOMINAL_BPS,
        data_bps=data_bps if database.is_fd else None,
    )
