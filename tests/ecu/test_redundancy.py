"""Messages on two buses: one check per counter, copies as signs of life, silence told apart."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from simcore.ecu.runtime import NO_LANE, LaneWatch, RedundantReception
from simcore.network import Database
from simcore.protection import E2eState, E2eStatus, Profile05Sender
from simcore.units import ms

A, B = 0, 1


class Log:
    """As much of a port as a watch needs."""

    channels = ("CHASSIS_A", "CHASSIS_B")

    def __init__(self) -> None:
        self.texts: list[str] = []

    def log(self, kind: str, text: str) -> None:
        assert kind == "detection"
        self.texts.append(text)


class Twin:
    """A node that hears `CDC_EmbCmd` and `BPS_Pedal` on both buses, every 5 ms."""

    def __init__(self) -> None:
        self.port = Log()
        self.watch = LaneWatch(self.port)  # type: ignore[arg-type]
        self.receptions: dict[str, RedundantReception] = {}
        self.senders: dict[str, Profile05Sender] = {}
        for name in ("CDC_EmbCmd", "BPS_Pedal"):
            message = Database.reference().message(name)
            assert message.e2e is not None
            self.receptions[message.senders[0]] = self.watch.receives(message)
            sender = Profile05Sender(message.e2e.data_id, message.length)
            self.senders[message.senders[0]] = sender
        self.now_ns = 0

    def next(self, node: str) -> bytes:
        reception = self.receptions[node]
        return self.senders[node].protect(bytes(reception.message.length))

    def cycle(self, count: int = 1, **lanes: tuple[int, ...]) -> None:
        """Cycles in which every sender's frame comes on the lanes named for it, else on both."""
        for _ in range(count):
            self.now_ns += ms(5)
            for node, reception in self.receptions.items():
                data = self.next(node)
                for lane in lanes.get(node, (A, B)):
                    reception.receive(data, self.now_ns, lane)
            if self.watch.changed:
                self.watch.look(self.now_ns)


@pytest.fixture
def twin() -> Twin:
    """Both senders have been heard on both buses for a while."""
    made = Twin()
    made.cycle(20)
    assert made.port.texts == []
    return made


def counted(reception: RedundantReception) -> list[E2eStatus]:
    """Statuses of all checks from now on."""
    statuses: list[E2eStatus] = []
    check = reception._checker.check  # type: ignore[union-attr]

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(reception_checker, name)

        def check(self, data: bytes) -> E2eStatus:
            statuses.append(check(data))
            return statuses[-1]

    reception_checker = reception._checker
    reception._checker = Counting()  # type: ignore[assignment]
    return statuses


def test_each_counter_is_checked_once_whichever_lane_is_first(twin: Twin) -> None:
    reception = twin.receptions["CDC"]
    statuses = counted(reception)
    twin.cycle(5)
    twin.cycle(5, CDC=(B, A))
    assert statuses == [E2eStatus.OK] * 10
    assert reception.lane == B
    assert (reception.rejected_count, reception.late_count) == (0, 0)


def test_a_copy_may_be_another_object_with_the_same_bytes(twin: Twin) -> None:
    reception = twin.receptions["CDC"]
    data = twin.next("CDC")
    statuses = counted(reception)
    reception.receive(data, twin.now_ns + ms(5), A)
    reception.receive(bytes(bytearray(data)), twin.now_ns + ms(5), B)
    assert statuses == [E2eStatus.OK]


def test_on_the_loss_of_a_lane_the_very_next_frame_comes_from_the_other(twin: Twin) -> None:
    reception = twin.receptions["CDC"]
    twin.cycle(1, CDC=(B,))
    assert reception.lane == B
    assert reception.updated_ns == twin.now_ns
    assert reception.state is E2eState.VALID


def test_a_repetition_on_the_same_lane_is_a_repetition(twin: Twin) -> None:
    """COM-002: elimination of copies hides no replay."""
    reception = twin.receptions["CDC"]
    data = twin.next("CDC")
    for lane in (A, B, A):
        reception.receive(data, twin.now_ns + ms(5), lane)
    assert reception.status is E2eStatus.REPEATED
    assert reception.rejected_count == 1


def test_a_second_copy_on_the_other_lane_is_counted_and_not_used(twin: Twin) -> None:
    reception = twin.receptions["CDC"]
    data = twin.next("CDC")
    for lane in (A, B, B):
        reception.receive(data, twin.now_ns + ms(5), lane)
    assert (reception.late_count, reception.rejected_count) == (1, 0)


def test_a_late_copy_is_counted_and_never_reaches_the_state_machine(twin: Twin) -> None:
    reception = twin.receptions["CDC"]
    late = [twin.next("CDC") for _ in range(3)]
    for index, data in enumerate(late):
        reception.receive(data, twin.now_ns + ms(5) * (index + 1), A)
    before = (reception.data, reception.updated_ns, reception.status)
    statuses = counted(reception)
    for data in late:
        reception.receive(data, twin.now_ns + ms(16), B)
    assert statuses == []
    assert (reception.data, reception.updated_ns, reception.status) == before
    assert reception.late_count == 2  # the last one is the awaited copy


def test_a_corrupted_frame_on_one_lane_leaves_the_other_lanes_copy_usable(twin: Twin) -> None:
    reception = twin.receptions["CDC"]
    data = twin.next("CDC")
    broken = bytes([data[0] ^ 1]) + data[1:]
    reception.receive(broken, twin.now_ns + ms(5), A)
    assert reception.status is E2eStatus.ERROR
    reception.receive(data, twin.now_ns + ms(5), B)
    assert (reception.data, reception.lane) == (data, B)
    assert reception.rejected_count == 1


def test_a_sender_that_begins_anew_on_the_slower_lane_is_heard_after_three_cycles(
    twin: Twin,
) -> None:
    reception = twin.receptions["CDC"]
    assert reception.message.e2e is not None
    twin.senders["CDC"] = Profile05Sender(reception.message.e2e.data_id, 24, counter=10)
    twin.cycle(3, CDC=(B,))
    assert reception.late_count == 3  # behind what lane A brought last
    twin.cycle(8, CDC=(B,))
    assert reception.usable(twin.now_ns)
    assert reception.lane == B


def test_a_lane_that_never_carried_the_message_is_not_missed() -> None:
    twin = Twin()
    twin.cycle(50, CDC=(A,), BPS=(A,))
    assert twin.port.texts == []
    assert twin.watch.impaired_lane == NO_LANE


@pytest.mark.parametrize(("lane", "name"), [(A, "CHASSIS_A"), (B, "CHASSIS_B")])
def test_a_lost_bus_is_reported_after_three_cycles_and_its_return(
    twin: Twin, lane: int, name: str
) -> None:
    other = (1 - lane,)
    twin.cycle(3, CDC=other, BPS=other)
    assert twin.port.texts == []
    twin.cycle(1, CDC=other, BPS=other)
    assert twin.port.texts == [f"{name} lost"]
    assert twin.watch.impaired_lane == lane
    twin.cycle(9)
    assert twin.port.texts == [f"{name} lost"]
    twin.cycle(2)
    assert twin.port.texts == [f"{name} lost", f"{name} back"]
    assert twin.watch.impaired_lane == NO_LANE


def test_one_sender_that_is_silent_on_one_bus_is_named(twin: Twin) -> None:
    twin.cycle(10, CDC=(B,))
    assert twin.port.texts == ["CDC silent on CHASSIS_A"]
    assert twin.watch.lost == [False, False]
    assert twin.watch.impaired_lane == A
    twin.cycle(11)
    assert twin.port.texts == ["CDC silent on CHASSIS_A", "CDC back on CHASSIS_A"]
    assert twin.watch.impaired_lane == NO_LANE


def test_a_sender_that_is_silent_on_both_buses_says_nothing_about_them(twin: Twin) -> None:
    twin.cycle(50, CDC=())
    assert twin.port.texts == []


def test_two_missing_copies_in_a_row_are_no_silence(twin: Twin) -> None:
    for _ in range(10):
        twin.cycle(2, CDC=(A,))
        twin.cycle(1)
    assert twin.port.texts == []


def test_first_one_lane_then_the_other(twin: Twin) -> None:
    twin.cycle(10, CDC=(A,), BPS=(A,))
    twin.cycle(30, CDC=(B,), BPS=(B,))
    assert twin.port.texts == ["CHASSIS_B lost", "CHASSIS_B back", "CHASSIS_A lost"]


def test_watch_and_receptions_are_copied_together(twin: Twin) -> None:
    for again in (copy.deepcopy(twin), pickle.loads(pickle.dumps(twin))):
        again.cycle(10, CDC=(B,), BPS=(B,))
        assert again.port.texts == ["CHASSIS_A lost"]
    assert twin.port.texts == []


def test_without_e2e_copies_are_told_apart_all_the_same() -> None:
    """Every counter is taken once, wrong checksums included; a late copy changes nothing."""
    twin = Twin()
    message = Database.reference().message("CDC_EmbCmd")
    reception = twin.watch.receives(message, frozenset({"e2e"}))
    first = bytes([0xAA, 0xBB, 1]) + bytes(message.length - 3)
    second = bytes([0xAA, 0xBB, 2]) + bytes(message.length - 3)
    for now_ns, data, lane in ((ms(5), first, A), (ms(5), first, B), (ms(10), second, A)):
        reception.receive(data, now_ns, lane)
    assert (reception.data, reception.updated_ns) == (second, ms(10))
    reception.receive(first, ms(11), B)
    assert (reception.data, reception.updated_ns) == (second, ms(10))
    assert reception.late_count == 1
    assert reception.state is E2eState.VALID
