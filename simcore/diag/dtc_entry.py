"""What the memory holds of one stored trouble code, and of one event: plain mutable state."""

from __future__ import annotations

from simcore.diag.dtc import Dtc, SnapshotTrigger
from simcore.diag.dtc_debounce import Debounce, DebounceState
from simcore.diag.dtc_status import INITIAL_STATUS, EventStatus

COUNTER_MAX = 255


class Event(DebounceState):
    """One monitor's event, and the state of its debouncing."""

    __slots__ = ("debounce", "dtc", "failed_cycles", "healed_cycles", "status", "still")

    def __init__(self, dtc: Dtc) -> None:
        super().__init__()
        self.dtc = dtc
        self.debounce: Debounce = dtc.debounce
        self.status = INITIAL_STATUS
        self.failed_cycles = 0
        """Operation cycles with a failure, in a row (trip counter)."""
        self.healed_cycles = 0
        """Operation cycles tested without failure since, for the lamp."""
        self.still: EventStatus | None = None
        """A report that changes nothing as long as it is repeated."""

    def __deepcopy__(self, memo: object) -> Event:
        # Dozens in every ECU: a fork shall not notice them.
        new = Event.__new__(Event)
        new.dtc, new.debounce, new.status, new.still = (
            self.dtc,
            self.debounce,
            self.status,
            self.still,
        )
        new.failed_cycles, new.healed_cycles = self.failed_cycles, self.healed_cycles
        new.counter, new.direction = self.counter, self.direction
        new.since_ns, new.elapsed_ns = self.since_ns, self.elapsed_ns
        return new


class Entry:
    """Snapshots and extended data of one code."""

    __slots__ = (
        "aging_counter",
        "dtc",
        "failed_cycles",
        "first_ms",
        "latest_ms",
        "occurrence_counter",
        "snapshots",
    )

    def __init__(self, dtc: Dtc, now_ms: int) -> None:
        self.dtc = dtc
        self.occurrence_counter = 0
        """How often testFailed was set; stays at 255."""
        self.aging_counter = 0
        """Operation cycles tested without failure since the last one."""
        self.failed_cycles = 0
        """Operation cycles with a failure; stays at 255."""
        self.first_ms = now_ms
        self.latest_ms = now_ms
        self.snapshots: dict[int, bytes] = {}
        """Record number -> data of the DIDs of the code, one behind the other."""


def takes(trigger: SnapshotTrigger, *, is_taken: bool, confirms: bool) -> bool:
    """Whether a failure is to be kept in a record."""
    if trigger is SnapshotTrigger.LATEST:
        return True
    if trigger is SnapshotTrigger.CONFIRMED:
        return confirms and not is_taken
    return not is_taken
