"""`BareBus`: a bus in virtual time with nothing on it but what attaches from outside."""

from __future__ import annotations

from collections.abc import Callable

from simcore.bus import BitTiming, Bus
from simcore.errors import UsageError
from simcore.kernel import Scheduler

DEFAULT_NOMINAL_BPS = 500_000
DEFAULT_DATA_BPS = 2_000_000


class BareBus:
    """One CAN FD bus without any ECU: 500 kbit/s and 2 Mbit/s unless `timing` says otherwise.

    Has of a `Rig` what an outside program needs: the clock, the buses, and time that passes.
    """

    def __init__(self, name: str = "EMPTY", *, timing: BitTiming | None = None) -> None:
        if timing is None:
            timing = BitTiming(nominal_bps=DEFAULT_NOMINAL_BPS, data_bps=DEFAULT_DATA_BPS)
        self.scheduler = Scheduler()
        self.buses = (Bus(name, timing, self.scheduler),)

    @property
    def now_ns(self) -> int:
        """Virtual time since the bus was made."""
        return self.scheduler.now_ns

    def run_for(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        if isinstance(duration_ns, bool) or not isinstance(duration_ns, int) or duration_ns < 0:
            raise UsageError("run_for", expected="whole ns >= 0", got=repr(duration_ns))
        self.scheduler.run_until_ns(self.now_ns + duration_ns)

    def run_until(self, predicate: Callable[[], bool], *, timeout: int) -> bool:
        """Run until `predicate()` holds after some instant, at most `timeout` ns."""
        return self.scheduler.run_until(predicate, self.now_ns + timeout)
