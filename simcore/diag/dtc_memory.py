"""`DtcMemory`: the trouble codes of a running ECU, from a monitor's report to the stored entry.

ISO 14229-1:2020 annex D with the rules of AUTOSAR's Dem. Status bits move by the table in
`dtc_status`; debouncing is in `dtc_debounce`, the stored record in `dtc_record`, the answers to a
tester in `dtc_report`.

Written to the non-volatile memory at defined moments: the first failure of a code in an operation
cycle, its confirmation, the end of a cycle, clearing, and `store()`. A code that comes and goes in
one cycle is not written each time; what a reset then loses is its counting, never that it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from copy import deepcopy
from typing import Any

from simcore.diag.dtc import Dtc, DtcSettings, OffEffect
from simcore.diag.dtc_entry import COUNTER_MAX, Entry, Event, takes
from simcore.diag.dtc_record import KEY, decode, encode
from simcore.diag.dtc_status import (
    CONFIRMED_DTC,
    INITIAL_STATUS,
    PENDING_DTC,
    TEST_FAILED,
    TEST_FAILED_THIS_OPERATION_CYCLE,
    WARNING_INDICATOR_REQUESTED,
    EventStatus,
    StatusEvent,
    combined_status,
    end_of_cycle,
    next_status,
)
from simcore.errors import UsageError
from simcore.units import NS_PER_MS

_FAILED = EventStatus.FAILED
_PASSED = EventStatus.PASSED
_REBUILT = frozenset({"_events", "_events_of", "_timed"})
_MS_MAX = 0xFFFFFFFF

Reader = Callable[[int], bytes]
"""Reads a data identifier for a snapshot at a time in ns."""
Listener = Callable[[Dtc, int, int, int], object]
"""Told of a change: code, status before, status after, time in ns."""


class DtcMemory:
    """Status, snapshots and counters of every trouble code of one ECU."""

    __slots__ = (
        "_cycle_is_open",
        "_entries",
        "_events",
        "_events_of",
        "_latest_ns",
        "_listener",
        "_memory",
        "_readers",
        "_timed",
        "damage",
        "enabled",
        "generation",
        "has_overflowed",
        "settings",
    )

    def __init__(
        self,
        settings: DtcSettings,
        memory: MutableMapping[str, bytes],
        readers: Mapping[int, Reader] | None = None,
        *,
        listener: Listener | None = None,
    ) -> None:
        self.settings = settings
        self._memory = memory
        self._readers = {} if readers is None else dict(readers)
        self._listener = listener
        self._events: dict[str, Event] = {}
        """Name -> event, in the order of the table."""
        self._events_of: dict[int, tuple[Event, ...]] = {}
        self._entries: dict[int, Entry] = {}
        """Code -> entry, the one that failed longest ago first."""
        self._timed: list[Event] = []
        """Events whose debounce time runs or is stopped."""
        self._latest_ns = 0
        self._cycle_is_open = False
        self.enabled = True
        """Whether ControlDTCSetting lets status bits change."""
        self.has_overflowed = False
        """Whether a code found no room or lost it since the last clear."""
        self.damage: str | None = None
        """Why the stored record could not be used at the start."""
        self.generation = 0
        """Counts up whenever monitors shall say anew what they know: clear, cycle, setting on."""
        self._check_readers()

    def __deepcopy__(self, memo: dict[int, Any]) -> DtcMemory:
        # Dozens of events in every ECU: a fork shall not notice them.
        new = DtcMemory.__new__(DtcMemory)
        memo[id(self)] = new
        for name in self.__slots__:
            if name not in _REBUILT:
                setattr(new, name, deepcopy(getattr(self, name), memo))
        new._events = {name: event.__deepcopy__(memo) for name, event in self._events.items()}
        new._index()
        events = list(new._events.values())
        places = {id(event): place for place, event in enumerate(self._events.values())}
        new._timed = [events[places[id(event)]] for event in self._timed]
        return new

    def _index(self) -> None:
        """The events of each code, out of all events."""
        events = iter(self._events.values())
        self._events_of = {
            dtc.code: tuple(next(events) for _ in dtc.events) for dtc in self.settings.dtcs
        }

    def _check_readers(self) -> None:
        for dtc in self.settings.dtcs:
            for item in dtc.snapshot:
                if item.did not in self._readers:
                    raise UsageError(
                        f"DTC {dtc.name}: snapshot",
                        expected=f"a reader of DID 0x{item.did:04X} {item.name}",
                        got="none",
                    )

    # -- operation cycles -----------------------------------------------------------------------

    def start(self, now_ns: int) -> None:
        """Power on: take over what was stored. Begins no operation cycle."""
        self._latest_ns = now_ns
        self._forget()
        self.enabled = True
        self.damage = None
        data = self._memory.get(KEY)
        if data is None:
            return
        record = decode(self.settings, tuple(self._events.values()), data)
        if isinstance(record, str):
            self.damage = record
            self._forget()
            return
        self._entries = record.entries
        self._cycle_is_open = record.cycle_is_open
        self.has_overflowed = record.has_overflowed

    def _forget(self) -> None:
        self._events = {name: Event(dtc) for dtc in self.settings.dtcs for name in dtc.events}
        self._index()
        self._entries = {}
        self._timed = []
        self._cycle_is_open = False
        self.has_overflowed = False
        self.generation += 1

    @property
    def cycle_is_open(self) -> bool:
        """Whether an operation cycle goes on."""
        return self._cycle_is_open

    def begin_cycle(self, now_ns: int) -> None:
        """Begin an operation cycle; one that still goes on ends first, as after a reset."""
        if self._cycle_is_open:
            self._end_cycle(now_ns)
        event_kind = StatusEvent.CYCLE_STARTED
        if self.settings.keeps_test_failed:
            event_kind = StatusEvent.CYCLE_STARTED_KEEPING_FAILED
        for dtc in self.settings.dtcs:
            before = self.status(dtc.code)
            for event in self._events_of[dtc.code]:
                event.status = next_status(event.status, event_kind)
                event.reset()
                event.still = None
            self._tell(dtc, before, now_ns)
        self._timed = []
        self._cycle_is_open = True
        self.generation += 1
        self.store()

    def end_cycle(self, now_ns: int) -> None:
        """End the operation cycle: pending, aging and healing move on. Ignored without one."""
        if self._cycle_is_open:
            self._end_cycle(now_ns)
            self.store()

    def _end_cycle(self, now_ns: int) -> None:
        self.on_timer(now_ns)
        self._cycle_is_open = False
        for dtc in self.settings.dtcs:
            before = self.status(dtc.code)
            for event in self._events_of[dtc.code]:
                self._end_event(event)
            if not self.status(dtc.code) & (PENDING_DTC | CONFIRMED_DTC):
                self._entries.pop(dtc.code, None)  # it failed too seldom to be confirmed
            elif end_of_cycle(before) is StatusEvent.CYCLE_ENDED_PASSED:
                self._age(dtc)
            self._tell(dtc, before, now_ns)

    def _end_event(self, event: Event) -> None:
        end = end_of_cycle(event.status)
        event.status = next_status(event.status, end)
        if end is not StatusEvent.CYCLE_ENDED_PASSED:
            return
        event.failed_cycles = 0
        if event.status & WARNING_INDICATOR_REQUESTED:
            event.healed_cycles += 1
            if event.healed_cycles >= event.dtc.healing_cycles:
                event.healed_cycles = 0
                event.status = next_status(event.status, StatusEvent.HEALED)

    def _age(self, dtc: Dtc) -> None:
        entry = self._entries.get(dtc.code)
        if entry is None:
            return
        entry.aging_counter = min(COUNTER_MAX, entry.aging_counter + 1)
        if entry.aging_counter < dtc.aging_cycles:
            return
        del self._entries[dtc.code]
        aged = StatusEvent.AGED
        if self.settings.forgets_failure_since_clear:
            aged = StatusEvent.AGED_WHOLLY
        for event in self._events_of[dtc.code]:
            event.status = next_status(event.status, aged)

    # -- reports of monitors --------------------------------------------------------------------

    def report(self, name: str, status: EventStatus, now_ns: int) -> None:
        """What a monitor found. Costs next to nothing while it repeats itself."""
        event = self._events.get(name)
        if event is None:
            raise UsageError(f"DTC event {name!r}", expected=self._names(), got="an unknown one")
        if event.still is status or not self.enabled or not self._cycle_is_open:
            return
        self._latest_ns = now_ns
        event.debounce.resume(event, now_ns)
        qualified = event.debounce.report(event, status, now_ns)
        if event.debounce.due_ns(event) is not None and event not in self._timed:
            self._timed.append(event)
        if qualified is None:
            event.still = None
            return
        self._qualified(event, qualified, now_ns)
        event.still = status

    def _names(self) -> str:
        return f"one of {', '.join(self._events)}" if self._events else "memory.start() first"

    def _qualified(self, event: Event, result: EventStatus, now_ns: int) -> None:
        dtc = event.dtc
        before = self.status(dtc.code)
        if result is _PASSED:
            event.status = next_status(event.status, StatusEvent.PASSED)
            self._tell(dtc, before, now_ns)
            return
        was = event.status
        if was & TEST_FAILED and was & TEST_FAILED_THIS_OPERATION_CYCLE:
            return  # as before; a displaced code gets its place back with its next failure only
        event.status = next_status(was, StatusEvent.FAILED)
        if not was & TEST_FAILED_THIS_OPERATION_CYCLE:
            event.failed_cycles = min(COUNTER_MAX, event.failed_cycles + 1)
        event.healed_cycles = 0
        stored = self._enter(dtc, before, now_ns)
        confirms = stored and event.failed_cycles >= dtc.confirmation_threshold
        if confirms:
            event.status = next_status(event.status, StatusEvent.CONFIRMED)
            if dtc.indicator is not None:
                event.status = next_status(event.status, StatusEvent.WARNED)
        if stored:
            self._take_snapshots(dtc, confirms, now_ns)
        else:
            self._displace(dtc)
        after = self.status(dtc.code)
        if (after ^ before) & (TEST_FAILED_THIS_OPERATION_CYCLE | CONFIRMED_DTC):
            self.store()
        self._tell(dtc, before, now_ns)

    def _enter(self, dtc: Dtc, before: int, now_ns: int) -> bool:
        """Count a failure in the entry; make one where there is none and room for it."""
        now_ms = min(now_ns // NS_PER_MS, _MS_MAX)
        entry = self._entries.pop(dtc.code, None)
        if entry is None:
            if len(self._entries) >= self.settings.size and not self._make_room(dtc, now_ns):
                self.has_overflowed = True
                return False
            entry = Entry(dtc, now_ms)
            before &= ~(TEST_FAILED | TEST_FAILED_THIS_OPERATION_CYCLE)
        self._entries[dtc.code] = entry  # as the latest
        entry.aging_counter = 0
        if not before & TEST_FAILED:
            entry.latest_ms = now_ms
            entry.occurrence_counter = min(COUNTER_MAX, entry.occurrence_counter + 1)
        if not before & TEST_FAILED_THIS_OPERATION_CYCLE:
            entry.failed_cycles = min(COUNTER_MAX, entry.failed_cycles + 1)
        return True

    def _make_room(self, newcomer: Dtc, now_ns: int) -> bool:
        """Displace an entry that counts no more than the newcomer; whether there was one.

        The lowest priority goes first, among those what has passed since, among those the oldest.
        """
        victim: Dtc | None = None
        worst = (0, 0)
        for entry in self._entries.values():
            passed = not self.status(entry.dtc.code) & TEST_FAILED
            rank = (entry.dtc.priority, int(passed))
            if rank > worst:
                worst, victim = rank, entry.dtc
        if victim is None or victim.priority < newcomer.priority:
            return False
        self.has_overflowed = True
        del self._entries[victim.code]
        before = self.status(victim.code)
        self._displace(victim)
        self._tell(victim, before, now_ns)
        return True

    def _displace(self, dtc: Dtc) -> None:
        displaced = StatusEvent.DISPLACED
        if self.settings.forgets_failure_since_clear:
            displaced = StatusEvent.DISPLACED_WHOLLY
        for event in self._events_of[dtc.code]:
            event.status = next_status(event.status, displaced)

    def _take_snapshots(self, dtc: Dtc, confirms: bool, now_ns: int) -> None:
        if not dtc.snapshot:
            return
        snapshots = self._entries[dtc.code].snapshots
        data = None
        for record in self.settings.snapshot_records:
            is_taken = record.number in snapshots
            if takes(record.trigger, is_taken=is_taken, confirms=confirms):
                if data is None:
                    data = self._read(dtc, now_ns)
                snapshots[record.number] = data

    def _read(self, dtc: Dtc, now_ns: int) -> bytes:
        parts = []
        for item in dtc.snapshot:
            data = self._readers[item.did](now_ns)
            if len(data) != item.size:
                raise UsageError(
                    f"DTC {dtc.name}: snapshot DID 0x{item.did:04X} {item.name}",
                    expected=f"{item.size} bytes",
                    got=f"{len(data)}",
                )
            parts.append(data)
        return b"".join(parts)

    # -- time -----------------------------------------------------------------------------------

    def next_deadline_ns(self) -> int | None:
        """When a debounce time that runs comes to its end."""
        deadline_ns = None
        if self.enabled:
            for event in self._timed:
                due_ns = event.debounce.due_ns(event)
                if due_ns is not None and (deadline_ns is None or due_ns < deadline_ns):
                    deadline_ns = due_ns
        return deadline_ns

    def on_timer(self, now_ns: int) -> None:
        """Qualify what has stood long enough."""
        self._latest_ns = now_ns
        if not self._timed or not self.enabled:
            return
        running = []
        for event in self._timed:
            event.debounce.resume(event, now_ns)
            due_ns = event.debounce.due_ns(event)
            if due_ns is None:
                continue
            status = event.direction
            if due_ns > now_ns or status is None:
                running.append(event)
                continue
            qualified = event.debounce.report(event, status, now_ns)
            assert qualified is not None
            self._qualified(event, qualified, now_ns)
            event.still = status
        self._timed = running

    # -- a tester's orders ----------------------------------------------------------------------

    def clear(self, group: int, now_ns: int) -> bool:
        """Clear a group of codes or a single one; `False` for one that is not known."""
        dtcs = self.settings.group(group)
        for dtc in dtcs:
            before = self.status(dtc.code)
            self._entries.pop(dtc.code, None)
            for event in self._events_of[dtc.code]:
                event.status = next_status(event.status, StatusEvent.CLEARED)
                event.failed_cycles = event.healed_cycles = 0
                event.reset()
                event.still = None
            self._tell(dtc, before, now_ns)
        if dtcs:
            self.generation += 1
            self.has_overflowed = self.has_overflowed and bool(self._entries)
            self.store()
        return bool(dtcs)

    def set_enabled(self, enabled: bool, now_ns: int | None = None) -> None:
        """ControlDTCSetting: let status bits change, or freeze them.

        Times that were stopped go on with the next report or `on_timer`. Without `now_ns` the
        time of the last call counts.
        """
        if enabled is self.enabled:
            return
        if enabled:
            self.enabled = True
            self.generation += 1
            return
        stopped_ns = self._latest_ns if now_ns is None else now_ns
        self.on_timer(stopped_ns)
        self.enabled = False
        resets = self.settings.when_off is OffEffect.RESET
        for event in self._events.values():
            event.still = None
            if resets:
                event.reset()
            else:
                event.debounce.pause(event, stopped_ns)
        if resets:
            self._timed = []

    def store(self) -> None:
        """Write everything that lasts to the non-volatile memory."""
        data = encode(
            self.settings,
            self._events.values(),
            self._entries.values(),
            cycle_is_open=self._cycle_is_open,
            has_overflowed=self.has_overflowed,
        )
        if self._memory.get(KEY) != data:
            self._memory[KEY] = data

    # -- what there is --------------------------------------------------------------------------

    def status(self, code: int) -> int:
        """Status byte of a code. Raises `UsageError` for an unknown one."""
        events = self._events_of.get(code)
        if events is None:
            raise UsageError(f"DTC 0x{code:06X}", expected="a code of the table", got="no such")
        if len(events) == 1:
            return events[0].status
        return combined_status(event.status for event in events)

    def entry(self, code: int) -> Entry | None:
        """The stored entry of a code; `None` where there is none."""
        return self._entries.get(code)

    def entries(self) -> tuple[Entry, ...]:
        """All stored entries, the one that failed longest ago first."""
        return tuple(self._entries.values())

    def fault_detection_counter(self, code: int, now_ns: int) -> int:
        """Highest fault detection counter of the code's events, -128..127."""
        self.status(code)
        return max(
            event.debounce.fault_detection_counter(event, now_ns) for event in self._events_of[code]
        )

    def is_clear(self, code: int) -> bool:
        """Whether nothing is known of a code but that it may be untested."""
        return self.status(code) & ~INITIAL_STATUS == 0 and code not in self._entries

    def _tell(self, dtc: Dtc, before: int, now_ns: int) -> None:
        if self._listener is not None:
            after = self.status(dtc.code)
            if after != before:
                self._listener(dtc, before, after, now_ns)


def memory_of(dtcs: object) -> DtcMemory:
    """The memory behind a server's DTC service. Raises `UsageError` for anything else."""
    if not isinstance(dtcs, DtcMemory):
        raise UsageError("UdsServer: dtcs", expected="a DtcMemory", got=type(dtcs).__name__)
    return dtcs
