"""`BitTiming`: the rates of a bus, and exact conversion of bit counts to nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import UsageError
from simcore.units import NS_PER_S

INTERMISSION_BITS = 3
"""Recessive bits between frames, ISO 11898-1:2015 clause 10.4.6. Not part of the frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BitTiming:
    """Rates of one bus. All controllers of a bus share one `BitTiming`.

    `data_bps=None` makes a classic-only network: FD frames are refused. `iso=False` selects the
    CAN FD format before ISO 11898-1:2015 (no stuff bit count, CRC initialised with zeros).
    Sample points are in permille of a bit; they place the edges inside the BRS and CRC delimiter
    bits and cancel out of every duration.
    """

    nominal_bps: int
    data_bps: int | None = None
    iso: bool = True
    nominal_sample_point_permille: int = 800
    data_sample_point_permille: int = 800

    def __post_init__(self) -> None:
        for name in ("nominal_bps", "data_bps"):
            rate = getattr(self, name)
            if rate is None and name == "data_bps":
                continue
            if isinstance(rate, bool) or not isinstance(rate, int) or not 0 < rate <= NS_PER_S:
                raise UsageError(
                    f"BitTiming.{name}", expected=f"an integer in 1..{NS_PER_S} bit/s", got=rate
                )
        if self.data_bps is not None and self.data_bps < self.nominal_bps:
            raise UsageError(
                "BitTiming.data_bps",
                expected=f"at least nominal_bps, {self.nominal_bps} bit/s",
                got=f"{self.data_bps} bit/s",
            )
        for name in ("nominal_sample_point_permille", "data_sample_point_permille"):
            if not 0 < getattr(self, name) < 1000:
                raise UsageError(f"BitTiming.{name}", expected="1..999", got=getattr(self, name))

    def to_ns(self, nominal_bits: int, data_bits: int = 0) -> int:
        """Duration of a number of bits at each rate.

        Exact where the bit times are whole nanoseconds; otherwise the exact rational value rounded
        once, half up.
        """
        nominal_bps = self.nominal_bps
        data_bps = self.data_bps or nominal_bps
        divisor = nominal_bps * data_bps
        dividend = NS_PER_S * (nominal_bits * data_bps + data_bits * nominal_bps)
        return (2 * dividend + divisor) // (2 * divisor)

    def __copy__(self) -> BitTiming:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> BitTiming:
        return self
