"""Two buses: who is on which, what goes where, and modules that know nothing of the second one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu import Cdc2, Emb, Port
from simcore.errors import UsageError
from simcore.faults import EcuSilent
from simcore.network import Database
from simcore.protection import E2eState
from simcore.rig import Rig
from simcore.units import ms

A, B = "CHASSIS_A", "CHASSIS_B"


def lose(rig: Rig, channel: str) -> None:
    """Every controller on a bus is switched off."""
    for controller in rig.bus(channel).controllers:
        controller.set_enabled(False)


def test_a_bus_is_found_by_its_name(standing: Rig) -> None:
    assert [standing.bus(name).name for name in (A, B)] == [A, B]
    with pytest.raises(UsageError, match=r"^bus 'C': expected one of CHASSIS_A, CHASSIS_B"):
        standing.bus("C")


def test_the_nodes_that_the_database_names_are_on_both(standing: Rig) -> None:
    nodes = [[each.name for each in standing.bus(name).controllers] for name in (A, B)]
    assert nodes[0] == list(standing.database.nodes)
    assert set(nodes[1]) == standing.database.redundant_nodes


def test_a_database_without_redundant_nodes_makes_a_single_bus() -> None:
    text = Database.reference().text.replace('"RedundantNode" BU_', '"NmNode" BU_')
    rig = Rig(database=Database.from_text(text, name="single.dbc"))
    rig.run_for(ms(100))
    assert [bus.name for bus in rig.buses] == [A]
    assert {record.channel for record in rig.recorder.frames} == {A}


def test_exactly_the_redundant_messages_are_on_both_as_the_same_frames(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    sent: dict[str, dict[int, list[Frame]]] = {A: {}, B: {}}
    for record in rig.recorder.frames:
        sent[record.channel].setdefault(record.frame.arbitration_id, []).append(record.frame)
    assert set(sent[B]) == {m.arbitration_id for m in rig.database.messages if m.is_redundant}
    for identifier, copies in sent[B].items():
        originals = sent[A][identifier]
        assert abs(len(originals) - len(copies)) <= 1  # one may be on the wire
        for original, again in zip(originals, copies, strict=False):
            assert again == original
    # The very same objects, as long as the log keeps objects: frames put away come back anew.
    first = len(rig.recorder.frames)
    rig.run_for(ms(8))
    recent = [record.frame for record in rig.recorder.frames[first:]]
    redundant = [frame for frame in recent if frame.arbitration_id in sent[B]]
    originals = []
    for frame in redundant:
        if frame in originals:
            assert originals[originals.index(frame)] is frame
        originals.append(frame)
    assert len(set(originals)) < len(originals)  # there are copies among them


def test_healthy_actuators_obey_bus_a_and_nobody_complains(warm_rolling: Rig) -> None:
    rig = warm_rolling.fork()
    rig.press_pedal(30)
    rig.run_for(ms(500))
    assert [rig.signal(f"EMB_{c}_St1", f"EMB_{c}_BusSel") for c in ("FL", "FR", "RL", "RR")] == [
        0
    ] * 4
    assert list(rig.log.of_kind("detection")) == []
    for name in ("CDC", "CDC2", "EMB_FL"):
        for reception in rig.node(name)._receptions.values():  # type: ignore[attr-defined]
            assert reception.rejected_count == 0
            assert getattr(reception, "late_count", 0) == 0


@pytest.mark.parametrize(("lost", "other", "selected"), [(A, B, 1), (B, A, 0)])
def test_on_either_bus_alone_the_car_brakes_as_before(
    rolling: Rig, lost: str, other: str, selected: int
) -> None:
    rolling.press_pedal(40)
    rolling.run_for(ms(500))
    before_mps2 = rolling.plant.vehicle.ax_mps2
    lose(rolling, lost)
    start_ns = rolling.now_ns
    rolling.run_for(ms(300))
    assert rolling.recorded("ax_mps2", since_ns=start_ns).max() < 0.97 * before_mps2
    assert rolling.signal("EMB_RL_St1", "EMB_RL_BusSel") == selected
    texts = {(event.source, event.text) for event in rolling.log.of_kind("detection")}
    listeners = {"CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR"}
    assert texts == {(name, f"{lost} lost") for name in listeners}
    assert rolling.signal("CDC_BrkSt", "CDC_DegrLvl") == (10 if lost == A else 11)
    assert rolling.signal("CDC_BrkSt", "CDC_LampRed") == 1
    # BrakeNetworkFault with a warning chime.
    assert rolling.signal("CDC_Hmi", "HMI_MsgId") == 6
    assert rolling.signal("CDC_Hmi", "HMI_Chime") == 2


@pytest.mark.parametrize("channel", [A, B])
def test_the_secondary_takes_over_on_either_bus_alone(rolling: Rig, channel: str) -> None:
    rolling.press_pedal(40)
    lose(rolling, channel)
    rolling.run_for(ms(300))
    rolling.inject(EcuSilent(node="CDC"))
    assert rolling.wait_for("CDC2_EmbCmd", lambda v: v["CDC2_RL_ReqVld"] == 1, timeout=ms(40))
    start_ns = rolling.now_ns
    rolling.run_for(ms(300))
    assert rolling.recorded("ax_mps2", since_ns=start_ns).max() < -4.0
    assert isinstance(rolling.node("CDC2"), Cdc2)


def test_what_is_not_redundant_is_not_accepted_from_the_second_bus(rolling: Rig) -> None:
    node = rolling.node("CDC")
    imu = node._receptions[rolling.database.message("IMU_Data").arbitration_id]  # type: ignore[attr-defined]
    frame = Frame(imu.message.arbitration_id, bytes(16), is_fd=True, bitrate_switch=True)
    rolling._host("GW").send(frame, B)
    rolling.run_for(ms(5))
    assert imu.rejected_count == 0
    assert imu.state is E2eState.VALID


# -- modules with the two-argument receive ---------------------------------------------------------


class Listener:
    """A module that knows nothing of a second bus."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []

    def start(self, port: Port, now_ns: int) -> None:
        self.port = port

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.heard.append(frame)

    def on_timer(self, now_ns: int) -> None:
        raise AssertionError("asked for no deadline")

    def next_deadline_ns(self) -> int | None:
        return None


def heard(rig: Rig, node: Listener, name: str) -> list[Frame]:
    identifier = rig.database.message(name).arbitration_id
    return [frame for frame in node.heard if frame.arbitration_id == identifier]


@pytest.fixture
def listener(rolling: Rig) -> Listener:
    node = Listener()
    rolling.replace("EMB_FL", node)
    return node


def test_it_hears_every_frame_once(rolling: Rig, listener: Listener) -> None:
    rolling.run_for(ms(99))
    counters = [frame.data[2] for frame in heard(rolling, listener, "CDC_EmbCmd")]
    assert len(counters) == 19
    assert all((after - before) % 256 == 1 for before, after in pairwise(counters))


@pytest.mark.parametrize("channel", [A, B])
def test_it_goes_on_hearing_them_when_either_bus_is_lost(
    rolling: Rig, listener: Listener, channel: str
) -> None:
    rolling.run_for(ms(50))
    lose(rolling, channel)
    rolling.run_for(ms(49))
    counters = [frame.data[2] for frame in heard(rolling, listener, "CDC_EmbCmd")]
    assert len(counters) == 19
    assert all((after - before) % 256 == 1 for before, after in pairwise(counters))


def test_a_frame_that_is_repeated_on_the_wire_is_handed_on(
    rolling: Rig, listener: Listener
) -> None:
    """COM-002: elimination hides no replay."""
    rolling.run_for(ms(11))
    last = heard(rolling, listener, "CDC_EmbCmd")[-1]
    rolling._host("GW").send(last, A)
    rolling.run_for(ms(1))
    assert heard(rolling, listener, "CDC_EmbCmd")[-2:] == [last, last]


def test_what_it_sends_goes_out_on_both_if_it_is_redundant(
    rolling: Rig, listener: Listener
) -> None:
    status = rolling.database.message("EMB_FL_St1")
    other = rolling.database.message("EMB_FL_St2")
    assert listener.port.channels == (A, B)
    for message in (status, other):
        data = bytes(message.length)
        listener.port.send(Frame(message.arbitration_id, data, is_fd=True, bitrate_switch=True))
    start = len(rolling.recorder.frames)
    rolling.run_for(ms(2))
    sent = [
        (record.channel, record.frame.arbitration_id)
        for record in rolling.recorder.frames[start:]
        if record.sender == "EMB_FL"
    ]
    assert sorted(sent) == [
        (A, status.arbitration_id),
        (A, other.arbitration_id),
        (B, status.arbitration_id),
    ]


def test_a_module_with_receive_on_gets_both_copies_with_their_bus(rolling: Rig) -> None:
    class Both(Listener):
        def __init__(self) -> None:
            super().__init__()
            self.copies: list[tuple[str, Frame]] = []

        def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
            self.copies.append((channel, frame))

    node = Both()
    rolling.replace("EMB_FL", node)
    rolling.run_for(ms(49))
    assert heard(rolling, node, "CDC_EmbCmd")
    identifier = rolling.database.message("CDC_EmbCmd").arbitration_id
    copies = [(c, frame) for c, frame in node.copies if frame.arbitration_id == identifier]
    assert copies == [(B, frame) for frame in heard(rolling, node, "CDC_EmbCmd")]


def test_a_module_that_raises_on_the_second_bus_is_switched_off(rolling: Rig) -> None:
    class Breaking(Emb):
        def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
            raise RuntimeError("no second bus")

    rolling.replace("EMB_FL", Breaking("EMB_FL", rolling.database))
    rolling.run_for(ms(20))
    (finding,) = rolling.log.findings
    assert finding.source == "EMB_FL"
    assert "RuntimeError: no second bus" in finding.text


# -- transmit buffers ------------------------------------------------------------------------------


def test_a_cyclic_message_that_still_waits_is_overwritten_by_the_next(rolling: Rig) -> None:
    """What waited out a disturbance is not sent late: a message has one transmit buffer."""
    port: Any = rolling._host("TST")
    for _ in range(60):
        port.send(Frame(0x000, bytes(8)))  # blocks the bus for more than ten milliseconds
    rolling.run_for(ms(30))
    latency_ns = [
        record.eof_ns - record.request_ns
        for record in rolling.recorder.frames
        if record.frame.arbitration_id == rolling.database.message("CDC_EmbCmd").arbitration_id
        and record.channel == A
    ]
    assert max(latency_ns) < ms(5.3)


def test_other_frames_wait_for_each_other(rolling: Rig) -> None:
    """Frames of a transport protocol share an identifier: none may be lost."""
    port: Any = rolling._host("TST")
    frames = [Frame(0x6A0, bytes([index])) for index in range(20)]
    for frame in frames:
        port.send(frame)
    rolling.run_for(ms(20))
    assert [r.frame for r in rolling.recorder.frames if r.sender == "TST"] == frames
