"""Random sequences of reports, cycles and orders against a small model written independently.

The model follows the wording of the standard with named booleans and no tables; it knows nothing
of the memory's code. After every step status, fault detection counter, entry and counters of every
code must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.diag.dtc import ALL_GROUPS, NETWORK_GROUP, Dtc, DtcSettings, OffEffect
from simcore.diag.dtc_debounce import CounterDebounce
from simcore.diag.dtc_memory import DtcMemory
from simcore.diag.dtc_status import EventStatus

A, B, C, D = 0x410001, 0x410002, 0x410003, 0xC10004
ROOM = 2
PRIORITY = {A: 2, B: 3, C: 2, D: 1}
AGING = {A: 2, B: 1, C: 1, D: 2}
HEALING = 2


@dataclass
class ModelEvent:
    code: int
    threshold: int
    lamp: bool
    up: int = 0
    """Counter step; 0 without debouncing. Thresholds are 3 and -2."""
    counter: int = 0
    failed: bool = False
    failed_in_cycle: bool = False
    pending: bool = False
    confirmed: bool = False
    untested_since_clear: bool = True
    failed_since_clear: bool = False
    untested_in_cycle: bool = True
    warning: bool = False
    bad_cycles: int = 0
    good_cycles: int = 0


@dataclass
class ModelEntry:
    occurrences: int = 0
    aging: int = 0
    bad_cycles: int = 0


@dataclass
class Model:
    """Three codes; D has two events."""

    reset_when_off: bool
    events: dict[str, ModelEvent] = field(
        default_factory=lambda: {
            "a": ModelEvent(A, threshold=1, lamp=True),
            "b": ModelEvent(B, threshold=2, lamp=False),
            "c": ModelEvent(C, threshold=1, lamp=False, up=2),
            "d1": ModelEvent(D, threshold=1, lamp=False),
            "d2": ModelEvent(D, threshold=1, lamp=False),
        }
    )
    order: list[int] = field(default_factory=list)
    """Stored codes, the one that failed longest ago first."""
    entries: dict[int, ModelEntry] = field(default_factory=dict)
    on: bool = True
    cycle: bool = False

    def of(self, code: int) -> list[ModelEvent]:
        return [event for event in self.events.values() if event.code == code]

    def bits(self, code: int) -> int:
        events = self.of(code)
        failed_since_clear = any(e.failed_since_clear for e in events)
        failed_in_cycle = any(e.failed_in_cycle for e in events)
        bits = [
            any(e.failed for e in events),
            failed_in_cycle,
            any(e.pending for e in events),
            any(e.confirmed for e in events),
            any(e.untested_since_clear for e in events) and not failed_since_clear,
            failed_since_clear,
            any(e.untested_in_cycle for e in events) and not failed_in_cycle,
            any(e.warning for e in events),
        ]
        return sum(1 << place for place, bit in enumerate(bits) if bit)

    def forget(self, code: int) -> None:
        if code in self.entries:
            del self.entries[code]
            self.order.remove(code)

    # -- what happens --------------------------------------------------------------------------

    def report(self, name: str, what: EventStatus) -> None:
        if not self.on or not self.cycle:
            return
        event = self.events[name]
        if event.up:
            step = {
                EventStatus.PREFAILED: event.counter + event.up,
                EventStatus.PREPASSED: event.counter - 1,
                EventStatus.FAILED: 3,
                EventStatus.PASSED: -2,
            }
            event.counter = min(3, max(-2, step[what]))
            if -2 < event.counter < 3:
                return
            is_bad = event.counter == 3
        else:
            is_bad = what in (EventStatus.FAILED, EventStatus.PREFAILED)
            event.counter = 3 if is_bad else -2
        if is_bad:
            self.fails(event)
        else:
            event.failed = event.untested_since_clear = event.untested_in_cycle = False

    def fails(self, event: ModelEvent) -> None:
        code = event.code
        if event.failed and event.failed_in_cycle:
            return  # nothing new, even where it has lost its place meanwhile
        code_failed = any(e.failed for e in self.of(code))
        code_failed_in_cycle = any(e.failed_in_cycle for e in self.of(code))
        if not event.failed_in_cycle:
            event.bad_cycles += 1
        event.good_cycles = 0
        event.failed = event.failed_in_cycle = event.failed_since_clear = True
        event.untested_since_clear = event.untested_in_cycle = False
        if not self.find_room(code):
            for each in self.of(code):
                each.pending = each.confirmed = False
            return
        is_new = code not in self.entries
        entry = self.entries.setdefault(code, ModelEntry())
        if code in self.order:
            self.order.remove(code)
        self.order.append(code)
        entry.aging = 0
        if is_new or not code_failed:
            entry.occurrences += 1
        if is_new or not code_failed_in_cycle:
            entry.bad_cycles += 1
        event.pending = True
        if event.bad_cycles >= event.threshold:
            event.confirmed = True
            event.warning = event.warning or event.lamp

    def find_room(self, code: int) -> bool:
        if code in self.entries or len(self.entries) < ROOM:
            return True
        lowest = max(PRIORITY[stored] for stored in self.order)
        if lowest < PRIORITY[code]:
            return False
        candidates = [stored for stored in self.order if PRIORITY[stored] == lowest]
        passive = [stored for stored in candidates if not any(e.failed for e in self.of(stored))]
        victim = (passive or candidates)[0]
        self.forget(victim)
        for each in self.of(victim):
            each.pending = each.confirmed = False
        return True

    def begin(self) -> None:
        self.end()
        self.cycle = True
        for event in self.events.values():
            event.failed = event.failed_in_cycle = False
            event.untested_in_cycle = True
            event.counter = 0

    def end(self) -> None:
        if not self.cycle:
            return
        self.cycle = False
        for code in (A, B, C, D):
            bits = self.bits(code)
            for event in self.of(code):
                if event.failed_in_cycle or event.untested_in_cycle:
                    continue
                event.pending = False
                event.bad_cycles = 0
                if event.warning:
                    event.good_cycles += 1
                    if event.good_cycles >= HEALING:
                        event.warning, event.good_cycles = False, 0
            if not any(e.pending or e.confirmed for e in self.of(code)):
                self.forget(code)
            elif not bits & 0x42 and code in self.entries:
                entry = self.entries[code]
                entry.aging += 1
                if entry.aging >= AGING[code]:
                    self.forget(code)
                    for event in self.of(code):
                        event.confirmed = False

    def clear(self, codes: tuple[int, ...]) -> None:
        for code in codes:
            self.forget(code)
        for name, event in self.events.items():
            if event.code in codes:
                self.events[name] = ModelEvent(event.code, event.threshold, event.lamp, event.up)

    def switch(self, on: bool) -> None:
        if self.on and not on and self.reset_when_off:
            for event in self.events.values():
                event.counter = 0
        self.on = on

    def power_cycle(self) -> None:
        self.on = True
        for event in self.events.values():
            event.counter = 0


def table(when_off: OffEffect) -> DtcSettings:
    c = CounterDebounce(increment=2, decrement=1, failed_threshold=3, passed_threshold=-2)
    return DtcSettings(
        (
            Dtc(A, "a", indicator="red", healing_cycles=2, aging_cycles=2, priority=2),
            Dtc(B, "b", confirmation_threshold=2, aging_cycles=1, priority=3),
            Dtc(C, "c", debounce=c, aging_cycles=1, priority=2),
            Dtc(D, "d", events=("d1", "d2"), aging_cycles=2, priority=1),
        ),
        size=ROOM,
        when_off=when_off,
    )


CLEARS = {ALL_GROUPS: (A, B, C, D), NETWORK_GROUP: (D,), 0x400000: (A, B, C), B: (B,)}
REPORTS = st.tuples(
    st.sampled_from(["a", "b", "c", "c", "d1", "d2"]),
    st.sampled_from(
        [EventStatus.FAILED, EventStatus.PASSED, EventStatus.PREFAILED, EventStatus.PREPASSED]
    ),
)
ORDERS = st.sampled_from(["begin", "begin", "end", "off", "on", "reset", *CLEARS])
STEPS = st.lists(REPORTS | REPORTS | REPORTS | ORDERS, max_size=60)


def fdc_of(model: Model, code: int) -> int:
    """Of thresholds 3 and -2, scaled to 127 and -128."""
    return max(
        event.counter * 127 // 3 if event.counter >= 0 else event.counter * 64
        for event in model.of(code)
    )


@settings(max_examples=30)
@given(STEPS, st.sampled_from(OffEffect))
def test_memory_and_model_agree_after_every_step(
    steps: list[tuple[str, EventStatus] | str | int], when_off: OffEffect
) -> None:
    storage: dict[str, bytes] = {}
    memory = DtcMemory(table(when_off), storage)
    memory.start(0)
    memory.begin_cycle(0)
    model = Model(reset_when_off=when_off is OffEffect.RESET)
    model.begin()
    for now_ns, step in enumerate(steps):
        if isinstance(step, tuple):
            memory.report(*step, now_ns)
            model.report(*step)
        elif step == "begin":
            memory.begin_cycle(now_ns)
            model.begin()
        elif step == "end":
            memory.end_cycle(now_ns)
            model.end()
        elif isinstance(step, int):
            memory.clear(step, now_ns)
            model.clear(CLEARS[step])
        elif step == "reset":
            memory.store()
            memory = DtcMemory(table(when_off), storage)
            memory.start(now_ns)
            assert memory.damage is None
            model.power_cycle()
        else:
            memory.set_enabled(step == "on", now_ns)
            model.switch(step == "on")
        agree(memory, model, now_ns)


def agree(memory: DtcMemory, model: Model, now_ns: int) -> None:
    for code in (A, B, C, D):
        assert memory.status(code) == model.bits(code), f"{code:06X}"
        assert memory.fault_detection_counter(code, now_ns) == fdc_of(model, code)
    stored = [entry.dtc.code for entry in memory.entries()]
    assert stored == model.order
    for entry in memory.entries():
        expected = model.entries[entry.dtc.code]
        assert entry.occurrence_counter == expected.occurrences
        assert entry.aging_counter == expected.aging
        assert entry.failed_cycles == expected.bad_cycles
