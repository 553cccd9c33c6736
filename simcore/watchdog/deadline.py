"""Deadline supervision: is the time between two checkpoints right?

DeadlineMin <= t(stop) - t(start) <= DeadlineMax. A stop without a start is ignored
(SWS_WdgM_00354), a stop ends the measurement, and the main function finds the stop that never comes
(SWS_WdgM_00229, 00294, 00403). A start that comes again begins the measurement anew
(SWS_WdgM_00228); stricter than that clause, an old one that is overdue by then is found.
"""

from __future__ import annotations

from simcore.units import NS_PER_MS
from simcore.watchdog.settings import DeadlineSupervision

NEVER_NS = 1 << 62
"""No measurement runs: later than every simulated time."""


class DeadlineMonitor:
    """One deadline supervision of a mode. The checkpoints write `due_ns`."""

    __slots__ = ("entity", "settings", "due_ns", "max_ns", "span_ns", "_names")

    def __init__(self, entity: str, settings: DeadlineSupervision) -> None:
        self.entity = entity
        self.settings = settings
        self.due_ns = NEVER_NS
        """The latest right time of the stop; `NEVER_NS`: no measurement runs."""
        self.max_ns = settings.max_ns
        self.span_ns = settings.max_ns - settings.min_ns
        self._names = f"deadline {entity}.{settings.start}..{entity}.{settings.stop}"

    def __deepcopy__(self, memo: dict[int, object]) -> DeadlineMonitor:
        """A copy, of nothing but `due_ns`: all else never changes."""
        twin = DeadlineMonitor.__new__(DeadlineMonitor)
        twin.entity, twin.settings, twin._names = self.entity, self.settings, self._names
        twin.due_ns, twin.max_ns, twin.span_ns = self.due_ns, self.max_ns, self.span_ns
        return twin

    def stop_out_of_bounds(self, now_ns: int) -> str:
        """The stop came outside its bounds, or without a start: what is wrong, or nothing."""
        due_ns = self.due_ns
        if due_ns == NEVER_NS:
            return ""
        self.due_ns = NEVER_NS
        return f"{self._names} {in_ms(now_ns - (due_ns - self.max_ns))}{self._allowed()}"

    def overdue(self, now_ns: int) -> str:
        """The stop did not come: what is wrong. Ends the measurement."""
        started_ns = self.due_ns - self.max_ns
        self.due_ns = NEVER_NS
        return f"{self._names} not over after {in_ms(now_ns - started_ns)}{self._allowed()}"

    def _allowed(self) -> str:
        least, most = in_ms(self.settings.min_ns), in_ms(self.settings.max_ns)
        return f", allowed {least.removesuffix(' ms')}..{most}"


def in_ms(time_ns: int) -> str:
    """Milliseconds with at least one decimal: `2.0 ms`."""
    whole, rest = divmod(time_ns, NS_PER_MS)
    return f"{whole}.{f'{rest:06d}'.rstrip('0') or '0'} ms"
