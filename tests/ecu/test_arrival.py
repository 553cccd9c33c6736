"""Arrival monitoring: what comes ever later than its counter says is found, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.ecu.runtime import ArrivalMonitor, Ecu, Reception
from simcore.errors import UsageError
from simcore.network import Database
from simcore.protection import Profile05Sender
from simcore.units import ms, us

CYCLE_NS = ms(5)
PEDAL = Database.reference().message("BPS_Pedal")


class Stream:
    """A monitor and the frames of a sender with a clock of its own, each delayed as told."""

    def __init__(self, *, limit_cycles: int = 3, first_counter: int = 0) -> None:
        self.reception = Reception(PEDAL)
        self.monitor = ArrivalMonitor(self.reception, limit_cycles=limit_cycles)
        self.counter = first_counter
        self.sent_ns = ms(100)

    def send(self, count: int = 1, *, delay_ns: int = 0, period_ns: int = CYCLE_NS) -> list[bool]:
        """So many frames; what the monitor says after each."""
        said = []
        for _ in range(count):
            self.monitor.arrived(self.counter, self.sent_ns + delay_ns)
            said.append(self.monitor.late)
            self.lose(1, period_ns=period_ns)
        return said

    def lose(self, count: int, *, period_ns: int = CYCLE_NS) -> None:
        """So many frames never come."""
        self.counter = (self.counter + count) % 256
        self.sent_ns += count * period_ns


def test_a_constant_delay_beyond_three_cycles_is_found_with_the_third_frame() -> None:
    stream = Stream()
    assert not any(stream.send(1000))
    assert stream.send(5, delay_ns=3 * CYCLE_NS + us(20)) == [False, False, True, True, True]
    assert stream.monitor.lateness_ns >= 3 * CYCLE_NS
    assert stream.reception.counts["arrival"] == 5


def test_a_delay_as_long_as_the_limit_is_in_time() -> None:
    stream = Stream()
    stream.send(1)
    assert not any(stream.send(100, delay_ns=3 * CYCLE_NS))
    assert stream.monitor.lateness_ns > 0
    assert stream.reception.counts["arrival"] == 0


@pytest.mark.parametrize("limit_cycles", [1, 2, 5])
def test_the_limit_is_the_one_asked_for(limit_cycles: int) -> None:
    limit_ns = limit_cycles * CYCLE_NS
    within, beyond = Stream(limit_cycles=limit_cycles), Stream(limit_cycles=limit_cycles)
    for stream in (within, beyond):
        stream.send(1)
    assert not any(within.send(20, delay_ns=limit_ns))
    assert any(beyond.send(20, delay_ns=limit_ns + us(100)))


def test_a_delay_that_lasts_stays_found_however_long_it_lasts() -> None:
    stream = Stream()
    stream.send(100)
    assert all(stream.send(20_000, delay_ns=4 * CYCLE_NS)[2:])


def test_a_single_late_frame_is_no_late_stream() -> None:
    stream = Stream()
    stream.send(10)
    stream.send(2, delay_ns=4 * CYCLE_NS)
    assert stream.send(10) == [False] * 10


def test_a_delay_that_ends_is_forgiven_with_the_first_frame_in_time() -> None:
    stream = Stream()
    stream.send(10)
    assert stream.send(10, delay_ns=4 * CYCLE_NS)[-1]
    stream.lose(1)  # the queue empties: two frames in one cycle
    assert stream.send(3) == [False] * 3
    assert stream.monitor.lateness_ns <= us(100)


def test_lost_frames_are_no_delay() -> None:
    stream = Stream()
    stream.send(10)
    for count in (1, 2, 10, 100):
        stream.lose(count)
        assert not any(stream.send(5)), count


def test_a_delay_that_begins_with_lost_frames_is_found() -> None:
    stream = Stream()
    stream.send(10)
    stream.lose(2)
    assert stream.send(4, delay_ns=4 * CYCLE_NS)[-1]


def test_the_clock_of_the_sender_may_be_slow_by_500_ppm_for_ever() -> None:
    stream = Stream(limit_cycles=1)
    assert not any(stream.send(40_000, period_ns=CYCLE_NS + CYCLE_NS // 2000))
    assert Stream(limit_cycles=1).send(40_000, period_ns=CYCLE_NS + CYCLE_NS // 1000)[-1]


def test_a_fast_clock_of_the_sender_is_no_delay() -> None:
    assert not any(Stream(limit_cycles=1).send(40_000, period_ns=CYCLE_NS - CYCLE_NS // 1000))


@pytest.mark.parametrize("counter", [0, 17, 200])
def test_a_stream_after_a_long_silence_is_a_new_one(counter: int) -> None:
    stream = Stream(first_counter=100)
    stream.send(10)
    stream.sent_ns += 25 * CYCLE_NS
    stream.counter = counter
    assert not any(stream.send(20))
    assert stream.send(4, delay_ns=4 * CYCLE_NS)[-1]


@pytest.mark.parametrize("delay_ms", [20, 30, 40, 60, 80])
def test_a_delay_of_any_length_that_begins_at_once_is_late_behind_its_gap(delay_ms: int) -> None:
    reception = Reception(PEDAL)
    monitor = ArrivalMonitor(reception)
    sender = Profile05Sender(PEDAL.e2e.data_id, PEDAL.length)  # type: ignore[union-attr]
    arrivals = [(100 + k, (k + 1) * CYCLE_NS + (ms(delay_ms) if k >= 30 else 0)) for k in range(90)]
    late = []
    now_ns = 0
    for counter, arrival_ns in arrivals:
        while now_ns + CYCLE_NS < arrival_ns:
            now_ns += CYCLE_NS
            reception.monitor(now_ns)
        now_ns = arrival_ns
        sender.counter = counter % 256
        reception.receive(sender.protect(bytes(PEDAL.length)), now_ns)
        late.append(monitor.look())
    assert not any(late[:30])
    assert all(late[-20:])


def test_a_wrong_sequence_shows_that_a_sender_began_anew_before_its_first_usable_frame() -> None:
    reception = Reception(PEDAL)
    monitor = ArrivalMonitor(reception)
    sender = Profile05Sender(PEDAL.e2e.data_id, PEDAL.length)  # type: ignore[union-attr]
    now_ns, before = 0, 0
    for counters, pause_ns in ((range(100, 120), 0), (range(118, 160), 5 * CYCLE_NS)):
        before = reception.counts["sequence"]
        now_ns += pause_ns
        for counter in counters:
            now_ns += CYCLE_NS
            sender.counter = counter
            reception.receive(sender.protect(bytes(PEDAL.length)), now_ns)
            assert not monitor.look()
    assert reception.counts["sequence"] == before + 1


def test_jitter_below_the_limit_is_never_a_finding() -> None:
    stream = Stream()
    for index in range(500):
        assert stream.send(1, delay_ns=(index * 7919) % (3 * CYCLE_NS)) == [False]


@given(st.lists(st.integers(0, 2 * CYCLE_NS), min_size=10, max_size=60), st.integers(0, 255))
def test_the_counter_may_start_and_wrap_anywhere(jitter_ns: list[int], counter: int) -> None:
    stream = Stream(first_counter=counter)
    for each_ns in jitter_ns * 8:
        assert stream.send(1, delay_ns=each_ns) == [False]
    stream.send(1)
    assert stream.send(4, delay_ns=4 * CYCLE_NS)[-1]


# -- beside a reception ------------------------------------------------------------------------


def feed(reception: Reception, times_ns: Iterable[int], monitor: ArrivalMonitor) -> list[bool]:
    """Right frames in sequence at these times; what a look after each of them says."""
    assert PEDAL.e2e is not None
    sender = Profile05Sender(PEDAL.e2e.data_id, PEDAL.length)
    said = []
    for now_ns in times_ns:
        reception.receive(sender.protect(bytes(PEDAL.length)), now_ns)
        said.append(monitor.look())
    return said


TIMES_NS = [*range(0, ms(100), CYCLE_NS), *range(ms(120), ms(220), CYCLE_NS)]
"""Twenty frames in time, then all of them 20 ms late: the E2E check sees a perfect sequence."""


def test_a_look_judges_what_the_reception_took_and_each_frame_once() -> None:
    reception = Reception(PEDAL)
    monitor = ArrivalMonitor(reception)
    assert not monitor.look()
    assert feed(reception, TIMES_NS, monitor) == [False] * 22 + [True] * 18
    assert reception.usable(TIMES_NS[-1])
    assert reception.counts["arrival"] == 20
    assert monitor.look()
    assert reception.counts["arrival"] == 20


def test_a_monitor_that_is_off_finds_nothing() -> None:
    reception = Reception(PEDAL)
    monitor = ArrivalMonitor(reception, enabled=False)
    assert not any(feed(reception, TIMES_NS, monitor))
    assert reception.counts["arrival"] == 0


class Listening(Ecu):
    """Receives the pedal and monitors its arrival."""

    def configure(self, now_ns: int) -> None:
        self.monitor = self.monitors_arrival(self.receives("BPS_Pedal"), limit_cycles=2)


class Port:
    name = "ECU"
    channels = ("CHASSIS_A",)

    def __init__(self) -> None:
        self.memory: dict[str, bytes] = {}

    def accept(self, identifiers: object) -> None:
        pass


@pytest.mark.parametrize("without", [frozenset[str](), frozenset({"arrival"})])
def test_an_ecu_without_arrival_monitoring_gets_a_monitor_that_finds_nothing(
    without: frozenset[str],
) -> None:
    ecu = Listening("ECU", Database.reference())
    ecu.without = without
    ecu.start(Port(), 0)  # type: ignore[arg-type]
    assert any(feed(ecu.reception("BPS_Pedal"), TIMES_NS, ecu.monitor)) is not bool(without)


def test_a_copy_of_a_monitor_goes_its_own_way() -> None:
    stream = Stream()
    stream.send(10)
    copied = copy.deepcopy(stream)
    assert copied.send(4, delay_ns=4 * CYCLE_NS)[-1]
    assert not any(stream.send(4))


@pytest.mark.parametrize("name", ["DIAG_CDC_Req", "NM_CDC"])
def test_only_cyclic_messages_with_a_counter_can_be_monitored(name: str) -> None:
    reception = Reception(Database.reference().message(name))
    text = f"arrival monitoring of {name}: expected a cyclic message with a sequence counter"
    with pytest.raises(UsageError, match=text):
        ArrivalMonitor(reception)


def test_a_limit_of_no_cycles_is_refused() -> None:
    with pytest.raises(UsageError, match="BPS_Pedal: limit: expected >= 1 cycle, got 0"):
        ArrivalMonitor(Reception(PEDAL), limit_cycles=0)
