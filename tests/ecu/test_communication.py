"""Reception and transmission: E2E check, deadline to the nanosecond, missing cycles, protection."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.bus import Frame
from simcore.ecu.runtime import Reception, Transmission
from simcore.ecu.runtime.communication import CAUSES
from simcore.network import Database
from simcore.protection import E2eState, E2eStatus, Profile05Receiver, Profile05Sender
from simcore.units import NS_PER_MS, ms

CYCLE_NS = ms(5)


class Talk:
    """A reception of `BPS_Pedal` (5 ms) and a sender of it."""

    def __init__(self) -> None:
        self.message = Database.reference().message("BPS_Pedal")
        assert self.message.e2e is not None
        self.sender = Profile05Sender(self.message.e2e.data_id, self.message.length)
        self.reception = Reception(self.message)
        self.now_ns = 0

    def payload(self, travel_mm: float = 0.0) -> bytes:
        return self.message.codec.writer("BPS_Trvl1").write(travel_mm)

    def good(self, travel_mm: float = 0.0) -> bytes:
        return self.sender.protect(self.payload(travel_mm))

    def send(self, count: int = 1, travel_mm: float = 0.0) -> None:
        """`count` good frames, one per cycle; stands at the last one."""
        for _ in range(count):
            self.now_ns += CYCLE_NS
            self.reception.receive(self.good(travel_mm), self.now_ns)


def valid() -> Talk:
    talk = Talk()
    talk.send(10, 1.0)
    assert talk.reception.state is E2eState.VALID
    return talk


def seen(reception: Reception) -> tuple[Any, ...]:
    """Everything a control function may look at."""
    return reception.data, reception.updated_ns, reception.valid_until_ns


def test_nothing_is_usable_before_the_first_frame() -> None:
    reception = Talk().reception
    assert not reception.data
    assert not reception.usable(0)
    reception.monitor(ms(1000))
    assert reception.state is E2eState.NO_DATA
    assert not reception.usable(ms(1000))


def test_data_is_usable_from_the_fourth_good_frame_on() -> None:
    """INIT, INIT, INIT, VALID: the frame that leaves NO_DATA does not count in INIT's window."""
    talk = Talk()
    usable = []
    for _ in range(4):
        talk.send()
        usable.append(talk.reception.usable(talk.now_ns))
    assert usable == [False, False, False, True]
    assert talk.reception.state is E2eState.VALID


def test_the_deadline_is_three_cycles_to_the_nanosecond() -> None:
    talk = valid()
    last_ns = talk.now_ns
    assert talk.reception.timeout_ns == 3 * CYCLE_NS
    assert talk.reception.usable(last_ns + 3 * CYCLE_NS)
    assert not talk.reception.usable(last_ns + 3 * CYCLE_NS + 1)


def test_missing_cycles_are_counted_one_by_one_from_one_and_a_half_cycles_on() -> None:
    talk = valid()
    last_ns = talk.now_ns
    machine = talk.reception._machine
    assert machine is not None
    counting = Counting(machine)
    talk.reception._machine = counting  # type: ignore[assignment]
    for time_ns, expected in (
        (last_ns + CYCLE_NS + CYCLE_NS // 2, 0),
        (last_ns + CYCLE_NS + CYCLE_NS // 2 + 1, 1),
        (last_ns + 2 * CYCLE_NS + CYCLE_NS // 2, 1),
        (last_ns + 2 * CYCLE_NS + CYCLE_NS // 2 + 1, 2),
        (last_ns + 6 * CYCLE_NS, 5),
    ):
        talk.reception.monitor(time_ns)
        talk.reception.monitor(time_ns)
        assert counting.statuses == [E2eStatus.NO_NEW_DATA] * expected, time_ns
    assert talk.reception.status is E2eStatus.NO_NEW_DATA


class Counting:
    """An E2E state machine that notes what it is given."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.statuses: list[E2eStatus] = []

    @property
    def state(self) -> E2eState:
        state: E2eState = self.machine.state
        return state

    def step(self, status: E2eStatus) -> E2eState:
        self.statuses.append(status)
        state: E2eState = self.machine.step(status)
        return state


def test_silence_makes_the_stream_invalid_at_the_eighth_missing_cycle() -> None:
    """COM-003: window 10, MinOk 3, so 10 - 3 + 1 cycles without an OK."""
    talk = valid()
    last_ns = talk.now_ns
    for missed in range(1, 9):
        talk.reception.monitor(last_ns + (missed + 1) * CYCLE_NS)
        expected = E2eState.VALID if missed < 8 else E2eState.INVALID
        assert talk.reception.state is expected, missed
    assert talk.reception.valid_until_ns == -1


def test_a_stream_that_was_invalid_needs_four_good_frames() -> None:
    talk = valid()
    talk.reception.monitor(talk.now_ns + 20 * CYCLE_NS)
    talk.now_ns += 20 * CYCLE_NS
    usable = []
    for _ in range(5):
        talk.send()
        usable.append(talk.reception.usable(talk.now_ns))
    assert usable == [False, False, False, True, True]


def wrong_crc(talk: Talk) -> bytes:
    data = bytearray(talk.good(99.0))
    talk.sender.counter -= 1
    data[0] ^= 0x01
    return bytes(data)


def flipped_payload(talk: Talk) -> bytes:
    data = bytearray(talk.good(99.0))
    talk.sender.counter -= 1
    data[-1] ^= 0x80
    return bytes(data)


def wrong_data_id(talk: Talk) -> bytes:
    sender = Profile05Sender(0x4060, talk.message.length, counter=talk.sender.counter)
    return sender.protect(talk.payload(99.0))


def wrong_length(talk: Talk) -> bytes:
    return talk.good(99.0)[:-1]


def repeated(talk: Talk) -> bytes:
    assert talk.message.e2e is not None
    # What the receiver saw last, not what was sent: a cut frame was never received.
    checker = talk.reception._checker
    assert checker is not None
    last = checker.counter
    again = Profile05Sender(talk.message.e2e.data_id, talk.message.length, counter=last)
    return again.protect(talk.payload(99.0))


def out_of_sequence(talk: Talk) -> bytes:
    assert talk.message.e2e is not None
    # Relative to what the receiver saw last: two in a row must not look like a sequence.
    checker = talk.reception._checker
    assert checker is not None
    ahead = (max(checker.counter, talk.sender.counter) + 4) % 256
    if (ahead - checker.counter) % 256 <= 3:
        ahead = (checker.counter + 4) % 256
    jump = Profile05Sender(talk.message.e2e.data_id, talk.message.length, counter=ahead)
    return jump.protect(talk.payload(99.0))


@pytest.mark.parametrize(
    ("forge", "status"),
    [
        (wrong_crc, E2eStatus.ERROR),
        (flipped_payload, E2eStatus.ERROR),
        (wrong_data_id, E2eStatus.ERROR),
        (wrong_length, E2eStatus.ERROR),
        (repeated, E2eStatus.REPEATED),
        (out_of_sequence, E2eStatus.WRONG_SEQUENCE),
    ],
)
def test_a_rejected_frame_changes_nothing_a_task_reads(forge: Any, status: E2eStatus) -> None:
    """COM-002."""
    talk = valid()
    before = seen(talk.reception)
    talk.reception.receive(forge(talk), talk.now_ns + ms(1))
    assert talk.reception.status is status
    assert seen(talk.reception) == before
    assert talk.reception.rejected_count == 1
    assert talk.reception.received_ns == talk.now_ns + ms(1)


def test_two_corrupted_frames_are_borne_and_the_third_makes_the_stream_invalid() -> None:
    """COM-003: MaxErrorStateValid 2."""
    talk = valid()
    for count in (1, 2, 3):
        talk.reception.receive(wrong_crc(talk), talk.now_ns)
        assert talk.reception.usable(talk.now_ns) is (count < 3)
    assert talk.reception.state is E2eState.INVALID


def test_up_to_two_lost_frames_in_a_row_are_borne_and_the_data_is_used() -> None:
    for lost, usable in ((0, True), (1, True), (2, True), (3, False)):
        talk = valid()
        for _ in range(lost):
            talk.good()
        talk.now_ns += (lost + 1) * CYCLE_NS
        talk.reception.receive(talk.good(42.0), talk.now_ns)
        updated = talk.reception.updated_ns == talk.now_ns
        assert updated is usable, lost


def test_a_jump_of_the_counter_costs_the_frames_until_it_is_in_sequence_again() -> None:
    talk = valid()
    talk.reception.receive(out_of_sequence(talk), talk.now_ns + 1)
    before = seen(talk.reception)
    talk.send(1, 7.0)
    assert talk.reception.status is E2eStatus.WRONG_SEQUENCE
    assert seen(talk.reception) == before
    talk.send(1, 8.0)
    assert talk.reception.status is E2eStatus.OK
    assert talk.reception.updated_ns == talk.now_ns


def unprotected_reception() -> Reception:
    text = (
        Database.reference()
        .text.replace('BA_ "E2EProfile" BO_ 160 1;\n', "")
        .replace('BA_ "E2EDataId" BO_ 160 16544;\n', "")
    )
    message = Database.from_text(text, name="unprotected.dbc").message("BPS_Pedal")
    assert message.e2e is None
    return Reception(message)


def test_an_unprotected_message_is_usable_at_once_and_times_out_after_three_cycles() -> None:
    reception = unprotected_reception()
    reception.receive(bytes(16), 1000)
    assert reception.state is None
    assert reception.data == bytes(16)
    assert reception.usable(1000 + 3 * CYCLE_NS)
    assert not reception.usable(1000 + 3 * CYCLE_NS + 1)
    reception.monitor(1000 + 10 * CYCLE_NS)


def test_an_unprotected_message_of_wrong_length_is_rejected() -> None:
    reception = unprotected_reception()
    reception.receive(bytes(15), 0)
    assert not reception.data
    assert not reception.usable(0)
    assert reception.rejected_count == 1


def test_a_message_without_cycle_never_times_out_and_misses_nothing() -> None:
    text = Database.reference().text.replace('BA_ "GenMsgCycleTime" BO_ 160 5;\n', "")
    message = Database.from_text(text, name="event.dbc").message("BPS_Pedal")
    assert message.cycle_time_ns is None and message.e2e is not None
    reception = Reception(message)
    sender = Profile05Sender(message.e2e.data_id, message.length)
    for time_ns in range(5):
        reception.receive(sender.protect(bytes(message.length)), time_ns)
    reception.monitor(10**15)
    assert reception.timeout_ns is None
    assert reception.usable(10**15)
    assert reception.state is E2eState.VALID


KINDS = {
    "good": lambda talk: talk.good(3.0),
    "wrong crc": wrong_crc,
    "wrong data id": wrong_data_id,
    "wrong length": wrong_length,
    "repeated": repeated,
    "out of sequence": out_of_sequence,
}


@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 3 * CYCLE_NS)), max_size=40
    )
)
def test_whatever_arrives_the_data_is_always_that_of_a_good_frame(
    kinds: list[tuple[str, int]],
) -> None:
    """COM-002 over any order of frames and pauses: a forged travel of 99 mm is never read."""
    talk = Talk()
    (read,) = ("BPS_Trvl1",)
    reader = talk.message.codec.reader(read)
    for kind, pause_ns in kinds:
        talk.now_ns += pause_ns
        talk.reception.monitor(talk.now_ns)
        talk.reception.receive(KINDS[kind](talk), talk.now_ns)
        if talk.reception.usable(talk.now_ns):
            assert talk.reception.data is not None
            assert reader.read(talk.reception.data)[0] == pytest.approx(3.0)
            assert talk.reception.state is E2eState.VALID
            assert talk.reception.updated_ns is not None
            assert talk.now_ns - talk.reception.updated_ns <= 3 * CYCLE_NS


# -- transmission --------------------------------------------------------------------------------


class Line:
    """A port of which only `send` is used."""

    def __init__(self) -> None:
        self.sent: list[tuple[Frame, str | None]] = []

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append((frame, channel))


class Packer:
    def __init__(self, length: int) -> None:
        self.length = length
        self.called_ns: list[int] = []

    def pack(self, now_ns: int) -> bytes:
        self.called_ns.append(now_ns)
        return bytes(self.length)


def test_a_transmission_packs_protects_and_counts() -> None:
    message = Database.reference().message("CDC_EmbCmd")
    assert message.e2e is not None
    line, packer = Line(), Packer(message.length)
    transmission = Transmission(message, line, packer.pack)  # type: ignore[arg-type]
    receiver = Profile05Receiver(message.e2e.data_id, message.length)
    for now_ns in range(300):
        transmission.transmit(now_ns * NS_PER_MS)
    assert packer.called_ns == [now_ns * NS_PER_MS for now_ns in range(300)]
    assert [receiver.check(frame.data) for frame, _ in line.sent] == [E2eStatus.OK] * 300
    frame, channel = line.sent[0]
    assert channel is None
    assert (frame.arbitration_id, frame.is_fd, frame.bitrate_switch) == (0x060, True, True)
    assert not frame.is_extended_id


def test_a_transmission_goes_to_the_channel_it_is_set_to() -> None:
    message = Database.reference().message("CDC_EmbCmd")
    line = Line()
    transmission = Transmission(
        message,
        line,  # type: ignore[arg-type]
        Packer(message.length).pack,
    )
    transmission.channel = "CHASSIS_B"
    transmission.transmit(0)
    assert line.sent[0][1] == "CHASSIS_B"


def test_an_unprotected_transmission_sends_what_was_packed() -> None:
    message = unprotected_reception().message
    line = Line()
    Transmission(message, line, Packer(16).pack).transmit(0)  # type: ignore[arg-type]
    assert line.sent[0][0].data == bytes(16)


# -- what was wrong, counted -------------------------------------------------------------------


def found(reception: Reception) -> dict[str, int]:
    """Causes that occurred."""
    return {cause: count for cause, count in reception.counts.items() if count}


def test_a_good_stream_finds_nothing_wrong() -> None:
    assert found(valid().reception) == {}
    assert tuple(valid().reception.counts) == CAUSES


@pytest.mark.parametrize(
    ("forge", "cause"),
    [
        (wrong_crc, "crc"),
        (flipped_payload, "crc"),
        (wrong_data_id, "crc"),
        (wrong_length, "length"),
        (repeated, "repeated"),
        (out_of_sequence, "sequence"),
    ],
)
def test_a_rejected_frame_is_counted_by_its_cause(forge: Any, cause: str) -> None:
    talk = valid()
    talk.reception.receive(forge(talk), talk.now_ns + ms(1))
    assert found(talk.reception) == {cause: 1}


def test_a_silence_counts_its_cycles_and_one_timeout() -> None:
    talk = valid()
    for missed in range(1, 7):
        talk.reception.monitor(talk.now_ns + (missed + 1) * CYCLE_NS)
    assert found(talk.reception) == {"no_new_data": 6, "timeout": 1}
    talk.now_ns += 6 * CYCLE_NS
    talk.send(10)
    talk.reception.monitor(talk.now_ns + 5 * CYCLE_NS)
    assert found(talk.reception) == {"no_new_data": 10, "timeout": 2}


def test_an_unprotected_message_counts_lengths_and_timeouts() -> None:
    reception = unprotected_reception()
    reception.receive(bytes(16), 0)
    reception.receive(bytes(15), 1)
    reception.monitor(4 * CYCLE_NS)
    assert found(reception) == {"length": 1, "no_new_data": 3, "timeout": 1}


# -- mechanisms left out -----------------------------------------------------------------------


class Careless(Talk):
    """Receives without the mechanisms named."""

    def __init__(self, *without: str) -> None:
        super().__init__()
        self.reception = Reception(self.message, frozenset(without))
        self.send(10, 1.0)


@pytest.mark.parametrize(
    "forge", [wrong_crc, flipped_payload, wrong_data_id, repeated, out_of_sequence]
)
def test_without_e2e_any_frame_of_the_right_length_is_taken(forge: Any) -> None:
    talk = Careless("e2e")
    data = forge(talk)
    talk.reception.receive(data, talk.now_ns + ms(1))
    assert talk.reception.data == data
    assert talk.reception.updated_ns == talk.now_ns + ms(1)
    assert found(talk.reception) == {}


def test_without_e2e_a_frame_of_another_length_is_still_refused() -> None:
    talk = Careless("e2e")
    before = seen(talk.reception)
    talk.reception.receive(wrong_length(talk), talk.now_ns + ms(1))
    assert seen(talk.reception) == before
    assert found(talk.reception) == {"length": 1}


def test_without_e2e_silence_is_still_found_by_the_deadline() -> None:
    talk = Careless("e2e")
    assert talk.reception.usable(talk.now_ns + 3 * CYCLE_NS)
    assert not talk.reception.usable(talk.now_ns + 3 * CYCLE_NS + 1)
    talk.reception.monitor(talk.now_ns + 20 * CYCLE_NS)
    talk.now_ns += 20 * CYCLE_NS
    talk.send()
    assert talk.reception.usable(talk.now_ns)


def test_without_the_deadline_nobody_notices_silence() -> None:
    talk = Careless("deadline")
    talk.reception.monitor(talk.now_ns + 1000 * CYCLE_NS)
    assert talk.reception.usable(talk.now_ns + 10**15)
    assert talk.reception.state is E2eState.VALID
    assert talk.reception.expected_ns > talk.now_ns + 10**15
    assert found(talk.reception) == {}


def test_without_the_deadline_the_e2e_check_goes_on() -> None:
    talk = Careless("deadline")
    for _ in range(3):
        talk.reception.receive(wrong_crc(talk), talk.now_ns)
    assert talk.reception.state is E2eState.INVALID
    assert not talk.reception.usable(talk.now_ns)
