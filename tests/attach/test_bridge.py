"""The bridge against an interface and a clock that the test owns: no real time passes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import can
import pytest

from simcore.attach import bridge as bridge_module
from simcore.attach import pace as pace_module
from simcore.attach.bridge import Bridge, CycleFigures
from simcore.errors import UsageError
from simcore.rig import Rig
from simcore.units import ms, s


class Wall:
    """A clock that goes on by what is waited for."""

    def __init__(self) -> None:
        self.now_ns = s(50)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def time_ns(self) -> int:
        return self.now_ns


class Foreign(can.BusABC):
    """The interface on the other side: a list of what comes when, and what went out."""

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.started_ns = wall.now_ns
        self.coming: list[tuple[int, can.Message]] = []
        self.sent: list[can.Message] = []
        self.on_send: Callable[[can.Message], object] = self.sent.append
        super().__init__("test")

    def at(self, time_ns: int, message: can.Message) -> None:
        self.coming.append((self.started_ns + time_ns, message))
        self.coming.sort(key=lambda each: each[0])

    def recv(self, timeout: float | None = None) -> can.Message | None:
        until_ns = self.wall.now_ns + round((timeout or 0) * 1e9) + 1
        if self.coming and self.coming[0][0] <= until_ns:
            at_ns, message = self.coming.pop(0)
            self.wall.now_ns = max(self.wall.now_ns, at_ns)
            return message
        self.wall.now_ns = until_ns
        return None

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        self.on_send(msg)


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch):
    wall = Wall()
    fake = SimpleNamespace(monotonic_ns=wall.monotonic_ns, time_ns=wall.time_ns)
    for module in (bridge_module, pace_module):
        monkeypatch.setattr(module, "time", fake)
    bus = Foreign(wall)
    yield bus
    bus.shutdown()


def fd_message(arbitration_id: int, length: int) -> can.Message:
    return can.Message(
        arbitration_id=arbitration_id,
        is_extended_id=False,
        is_fd=True,
        bitrate_switch=True,
        data=bytes(length),
    )


def test_simulated_nodes_are_heard_outside_and_the_cycles_are_measured(foreign) -> None:
    rig = Rig()
    report = Bridge(rig, foreign).run(0.5)
    assert rig.now_ns == pytest.approx(s(0.5), abs=ms(1))
    assert report.sent_count == len(foreign.sent) > 1000
    assert report.received_count == report.error_frame_count == report.refused_count == 0
    assert report.findings == []
    assert not report.overloaded
    figures = {each.name: each for each in report.cycles.values()}
    command = figures["CDC_EmbCmd"]
    assert not command.incoming
    assert command.nominal_ns == ms(5)
    assert command.mean_ns == pytest.approx(ms(5), rel=0.01)
    assert command.jitter_ns <= ms(2)  # slices of 1 ms
    assert {each.arbitration_id for each in foreign.sent} >= {0x60, 0x80, 0xA0}
    assert all(each.is_fd and each.bitrate_switch for each in foreign.sent)


def test_a_foreign_frame_goes_out_as_the_node_outside(foreign) -> None:
    rig = Rig()
    for index in range(40):
        foreign.at(ms(5) * index, fd_message(0x80, 20))
    for index in range(4):
        foreign.at(ms(50) * index, fd_message(0x280, 20))
    report = Bridge(rig, foreign, outside=["EMB_FL"]).run(0.2)
    frames = [record for record in rig.buses[0].log if record.sender == "EMB_FL"]
    assert len(frames) == 44
    assert report.received_count == 44
    assert report.findings == []
    assert 0x80 not in {each.arbitration_id for each in foreign.sent}
    (status,) = [each for each in report.cycles.values() if each.name == "EMB_FL_St1"]
    assert status.incoming
    assert (status.min_ns, status.max_ns) == pytest.approx((ms(5), ms(5)), abs=ms(0.001))


def test_a_foreign_frame_contends_from_the_instant_it_came(foreign) -> None:
    rig = Rig()
    foreign.at(ms(20) + 300_000, fd_message(0x6A0, 8))
    Bridge(rig, foreign).run(0.05)
    (record,) = [each for each in rig.buses[0].log if each.sender == "BRIDGE_1"]
    assert record.request_ns == pytest.approx(ms(20) + 300_000, abs=1000)


def test_two_who_send_the_same_message_are_found(foreign) -> None:
    for index in range(3):
        foreign.at(ms(10) + index, fd_message(0x80, 20))
    report = Bridge(Rig(), foreign).run(0.05)
    assert report.findings == [
        "EMB_FL_St1 comes from outside, but EMB_FL is simulated here: name it as outside, or take "
        "it off the other side"
    ]


def test_a_node_outside_that_says_nothing_is_found(foreign) -> None:
    report = Bridge(Rig(), foreign, outside=["EMB_FL", "BPS"]).run(0.2)
    assert report.findings == [
        "EMB_FL is outside and never sent EMB_FL_St1, EMB_FL_St2",
        "BPS is outside and never sent BPS_Pedal",
    ]


def test_own_frames_that_the_interface_hands_back_are_not_taken_for_foreign(foreign) -> None:
    rig = Rig()

    def echo(message: can.Message) -> None:
        foreign.sent.append(message)
        foreign.at(foreign.wall.now_ns - foreign.started_ns + ms(1), message)

    foreign.on_send = echo
    report = Bridge(rig, foreign).run(0.1)
    assert report.echo_count > 200
    assert report.received_count == 0
    assert report.findings == []
    assert "BRIDGE_1" not in {record.sender for record in rig.buses[0].log}


def test_error_frames_and_what_no_bus_carries_stay_outside(foreign) -> None:
    foreign.at(ms(5), can.Message(is_error_frame=True))
    foreign.at(ms(6), can.Message(arbitration_id=0x7F1, is_extended_id=False, data=bytes(9)))
    report = Bridge(Rig(), foreign).run(0.05)
    assert report.error_frame_count == 1
    assert report.received_count == 2
    (finding,) = report.findings
    assert finding == (
        "foreign message 0x7F1 was not taken: frame 0x7F1: data: expected 0..8 bytes, got 9"
    )


def test_an_interface_that_refuses_is_found_once_and_counted(foreign) -> None:
    def refuse(message: can.Message) -> None:
        raise can.CanOperationError("buffer full")

    foreign.on_send = refuse
    report = Bridge(Rig(), foreign).run(0.05)
    assert report.sent_count == 0
    assert report.refused_count > 100
    assert report.findings == ["the foreign interface refused a frame: buffer full"]


def test_overload_is_said_at_once_and_found_in_the_end(foreign) -> None:
    told: list[int] = []

    def stall(message: can.Message) -> None:
        if message.arbitration_id == 0x3C0:  # once per 100 ms
            foreign.wall.now_ns += ms(50)

    foreign.on_send = stall
    rig = Rig()
    report = Bridge(rig, foreign, on_late=told.append).run(1.0)
    assert report.overloaded
    assert told[0] >= ms(20)
    assert report.lateness.worst_ns == pytest.approx(ms(50), abs=ms(2))
    (finding,) = report.findings
    assert finding.startswith("overload: ")
    assert "slices more than 20 ms late, the worst" in finding
    assert rig.now_ns == pytest.approx(s(1), abs=ms(60))  # behind, and nothing left out


def test_an_interrupt_ends_it_in_good_order(foreign) -> None:
    def interrupt(message: can.Message) -> None:
        raise KeyboardInterrupt

    foreign.on_send = interrupt
    rig = Rig()
    report = Bridge(rig, foreign).run(None)
    assert report.duration_ns == rig.now_ns > 0
    assert "BRIDGE_1" not in {each.name for each in rig.buses[0].controllers}


def test_an_interface_that_breaks_ends_it_with_a_finding(foreign, monkeypatch) -> None:
    def broken(timeout: float | None = None) -> None:
        raise can.CanOperationError("the adapter has gone")

    monkeypatch.setattr(foreign, "recv", broken)
    report = Bridge(Rig(), foreign).run(None)
    assert report.findings == ["the foreign interface broke: the adapter has gone"]


def test_what_the_rig_finds_is_found(foreign) -> None:
    rig = Rig()
    rig.log.find("EMB_FL", "something is wrong")
    assert Bridge(rig, foreign).run(0.01).findings == ["EMB_FL: something is wrong"]


def test_an_unknown_node_is_refused(foreign) -> None:
    with pytest.raises(UsageError, match="outside node EMB_XX: expected one of"):
        Bridge(Rig(), foreign, outside=["EMB_XX"])


def test_jitter_is_the_largest_deviation_from_the_cycle() -> None:
    figures = CycleFigures(name="M", incoming=True, nominal_ns=ms(10))
    figures.add(0)
    assert (figures.jitter_ns, figures.mean_ns) == (0, 0.0)
    for clock_ns in (ms(10), ms(23), ms(30)):
        figures.add(clock_ns)
    assert (figures.min_ns, figures.max_ns, figures.mean_ns) == (ms(7), ms(13), ms(10))
    assert figures.jitter_ns == ms(3)
