"""Bus timing from a database."""

from __future__ import annotations

from simcore.bus import BitTiming
from simcore.network import Database

DEFAULT_NOMINAL_BPS = 500_000
DEFAULT_DATA_BPS = 2_000_000


def timing_of(database: Database, bus: str | None = None) -> BitTiming:
    """Bit timing from the database's rates; 500 kbit/s and 2 Mbit/s where it names none.

    `bus` selects one of several networks.
    """
    nominal_bps, data_bps = given_rates_bps(database, bus)
    data_bps = data_bps or DEFAULT_DATA_BPS
    return BitTiming(
        nominal_bps=nominal_bps or DEFAULT_NOMINAL_BPS,
        data_bps=data_bps if database.is_fd else None,
    )


def given_rates_bps(database: Database, bus: str | None = None) -> tuple[int | None, int | None]:
    """Nominal and data rate that the file gives for a network."""
    if bus is not None and bus in database.rates_bps:
        return database.rates_bps[bus]
    return database.nominal_bps, database.data_bps
