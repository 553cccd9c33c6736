"""A process on a CAN interface in the place of an ECU."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import can
import pytest

from simcore.attach import load_dut
from simcore.attach.bridge import CycleFigures
from simcore.attach.dut_places import Places
from simcore.attach.process import Interface, ProcessNode
from simcore.bus import Frame
from simcore.errors import InputError, UsageError
from simcore.network import Database
from simcore.rig import Restbus, Rig
from simcore.rig.ending import end_nodes
from simcore.units import ms

REPOSITORY = Path(__file__).resolve().parents[2]
PORT = 45000 + os.getpid() % 2000
"""Runs of this test at the same time must not hear each other."""
MULTICAST = f"can:udp_multicast:239.74.163.42:port={PORT}:hop_limit=0:late_ms=20000"
VIRTUAL = "can:virtual:process:late_ms=20000"
NETWORK = Database.from_text('VERSION ""\nBU_: A B\nBO_ 256 M: 1 B\n', name="two.dbc")
OUTSIDE = """
    import sys, time
    import can
    from simcore.network import Database
    from simcore.protection import e2e_sender

    database = Database.reference()
    bus = can.Bus(
        interface="udp_multicast", channel="239.74.163.42", port=int(sys.argv[1]), hop_limit=0,
        fd=True, ignore_config=True,
    )
    messages = [database.message(name) for name in ("EMB_FL_St1", "EMB_FL_St2")]
    senders = [e2e_sender(message.e2e, message.length) for message in messages]
    status = messages[0].codec.writer("EMB_FL_State", "EMB_FL_ReqEcho")
    heard, due_s = 0, [time.monotonic()] * 2
    print("ready", flush=True)
    end_s = time.monotonic() + 60.0
    while time.monotonic() < end_s:
        received = bus.recv(max(0.0, min(due_s) - time.monotonic()))
        if received is not None and received.arbitration_id == 0x060:
            heard += 1
        for place, message in enumerate(messages):
            if time.monotonic() >= due_s[place]:
                due_s[place] += message.cycle_time_ns / 1e9
                data = status.write(3, min(heard, 14)) if place == 0 else bytes(message.length)
                bus.send(can.Message(
                    arbitration_id=message.arbitration_id, is_extended_id=False, is_fd=True,
                    bitrate_switch=True, data=senders[place].protect(data),
                ))
"""


@pytest.fixture
def outside() -> Iterator[can.BusABC]:
    """The other end of the virtual interface."""
    bus = can.Bus(interface="virtual", channel="process", ignore_config=True)
    yield bus
    bus.shutdown()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that plays EMB_FL, once it has said that it does; or a skip."""
    pytest.importorskip("msgpack", reason="python-can's udp_multicast interface needs msgpack")
    try:
        bus = Interface.of(MULTICAST).opened()
        bus.send(can.Message(arbitration_id=1))
        heard = bus.recv(1.0)
        bus.shutdown()
    except (InputError, can.CanError, OSError) as error:
        pytest.skip(f"no multicast here: {error}")
    if heard is None:
        pytest.skip("multicast on loopback does not arrive")
    script = tmp_path / "outside.py"
    script.write_text(dedent(OUTSIDE))
    started = subprocess.Popen(
        [sys.executable, str(script), str(PORT)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    yield started
    started.kill()
    started.communicate()


def findings(rig: Rig | Restbus) -> list[str]:
    """What was found when the run ended."""
    end_nodes(rig)
    return [each.text for each in rig.log.findings]


def frame(arbitration_id: int, length: int = 20) -> can.Message:
    return can.Message(
        arbitration_id=arbitration_id,
        is_extended_id=False,
        is_fd=True,
        bitrate_switch=True,
        data=bytes(length),
    )


@pytest.mark.realtime
def test_a_process_plays_an_actuator_in_real_time(process: subprocess.Popen[str]) -> None:
    rig = Rig()
    Places.of(load_dut(MULTICAST), "EMB_FL").mount(rig)
    rig.run_for(ms(1))
    began_s = time.monotonic()
    rig.run_for(ms(500))
    assert time.monotonic() - began_s > 0.45  # nobody else paces this rig
    assert rig.signal("EMB_FL_St1", "EMB_FL_State") == 3
    assert rig.signal("EMB_FL_St1", "EMB_FL_ReqEcho") == 14  # it has heard as many commands
    frames = [r for r in rig.recorder.frames if r.frame.arbitration_id == 0x080]
    assert {record.sender for record in frames} == {"EMB_FL"}
    assert {record.channel for record in frames} == {"CHASSIS_A", "CHASSIS_B"}
    assert findings(rig) == []
    (check,) = (each for each in rig.invariants(()) if each.requirement == "COM-001")
    assert "; not judged, as it comes in real time: EMB_FL" in check.text
    assert "deviation: EMB_FL" not in check.text
    notes = [event.text for event in rig.log.events if event.text.startswith(MULTICAST)]
    assert len(notes) == 1


@pytest.mark.realtime
def test_places_share_an_interface_and_a_silent_program_is_found(outside: can.BusABC) -> None:
    rig = Rig()
    Places.of(load_dut(VIRTUAL), "EMB_FL,EMB_FR").mount(rig)
    outside.send(frame(0x081))  # EMB_FR_St1
    outside.send(frame(0x281))
    outside.send(frame(0x060, 24))  # CDC_EmbCmd: the simulated controller's own
    outside.send(frame(0x700, 8))  # nobody's
    rig.run_for(ms(40))
    by_sender = {
        r.frame.arbitration_id: r.sender
        for r in rig.recorder.frames
        if r.sender in ("EMB_FL", "EMB_FR")
    }
    assert by_sender == {0x081: "EMB_FR", 0x281: "EMB_FR", 0x060: "EMB_FL", 0x700: "EMB_FL"}
    heard = [each.arbitration_id for each in iter(lambda: outside.recv(0), None)]
    assert 0x060 in heard
    assert not {0x080, 0x081, 0x280, 0x281} & set(heard)  # its own do not come back
    assert 7 <= heard.count(0x060) <= 9  # none comes twice, for two places or two buses
    assert findings(rig) == [
        f"EMB_FL_St1 never came from {VIRTUAL}",
        f"CDC_EmbCmd came from {VIRTUAL}, but CDC is simulated here: name that place as well, or "
        "take it off the other side",
    ]


@pytest.mark.realtime
def test_the_node_itself_holds_virtual_time_to_the_clock() -> None:
    rig = Restbus(NETWORK, all_but=["A"])
    rig.replace("A", load_dut(VIRTUAL))
    began_s = time.monotonic()
    rig.run_for(ms(300))
    assert time.monotonic() - began_s >= 0.29
    end_nodes(rig)


@pytest.mark.parametrize(
    ("mean_ms", "found"),
    [
        (4.4, ["EMB_FL_St1: mean cycle time 4.40 ms over 9 frames, expected 5 ms +- 10 %"]),
        (5.4, []),
        (5.6, ["EMB_FL_St1: mean cycle time 5.60 ms over 9 frames, expected 5 ms +- 10 %"]),
    ],
)
def test_a_wrong_mean_cycle_time_is_found(mean_ms: float, found: list[str]) -> None:
    node = load_dut(VIRTUAL).build("EMB_FL", Database.reference())
    assert isinstance(node, ProcessNode)
    for name, nominal_ms, mean in (("EMB_FL_St1", 5, mean_ms), ("EMB_FL_St2", 50, 50.0)):
        node.link.figures[name] = CycleFigures(
            name=name, incoming=True, nominal_ns=ms(nominal_ms), count=9, sum_ns=round(8e6 * mean)
        )
    assert list(node.link.judge("EMB_FL", 0, ms(1000))) == found
    node.link.close()


def test_a_frame_that_cannot_be_sent_is_told_once() -> None:
    node = load_dut(VIRTUAL).build("EMB_FL", Database.reference())
    assert isinstance(node, ProcessNode)

    class Refusing:
        def send(self, message: can.Message) -> None:
            raise can.CanOperationError("no buffer space")

        def shutdown(self) -> None: ...

    node.link.close()
    node.link._bus = Refusing()  # type: ignore[assignment]
    for _ in range(2):
        node.receive(Frame(0x100, b"\x01"), 0)
    assert list(node.link.judge_itself()) == [f"{VIRTUAL} refused a frame: no buffer space"]


def test_lateness_beyond_the_limit_is_overload() -> None:
    node = load_dut(VIRTUAL).build("EMB_FL", Database.reference())
    assert isinstance(node, ProcessNode)
    node.link.lateness.add(ms(19_000))
    assert list(node.link.judge_itself()) == []
    node.link.lateness.add(ms(21_000))
    assert list(node.link.judge_itself()) == [
        "overload: 1 of 2 slices more than 20000 ms late, the worst 21000.0 ms"
    ]
    node.link.close()


def test_a_process_cannot_be_copied() -> None:
    dut = load_dut(VIRTUAL)
    assert (dut.forkable, dut.has_pins, dut.kind) == (False, False, "can")
    rig = Restbus(Database.reference(), all_but=["EMB_FL"])
    rig.replace("EMB_FL", pickle.loads(pickle.dumps(dut)))
    for duplicate in (rig.fork, lambda: copy.deepcopy(rig), lambda: pickle.dumps(rig)):
        with pytest.raises(
            UsageError, match=r"fork or pickle of EMB_FL: expected modules that run in virtual ti"
        ):
            duplicate()
    end_nodes(rig)


def test_every_run_opens_the_interface_anew() -> None:
    dut = load_dut(VIRTUAL)
    links = []
    for _ in range(2):
        rig = Restbus(Database.reference(), all_but=["EMB_FL"])
        rig.replace("EMB_FL", dut)
        node = rig.node("EMB_FL")
        assert isinstance(node, ProcessNode)
        links.append(node.link)
        end_nodes(rig)
    assert links[0] is not links[1]


def test_the_text_names_interface_channel_and_settings() -> None:
    found = Interface.of("can:udp_multicast:ff15:7079::1:port=43113:fd=false:late_ms=2.5")
    assert (found.interface, found.channel, found.late_ns) == (
        "udp_multicast",
        "ff15:7079::1",
        2_500_000,
    )
    assert dict(found.settings) == {"port": 43113, "fd": False}


def test_an_interface_that_cannot_be_opened_is_told() -> None:
    dut = load_dut("can:nonsense:x")
    with pytest.raises(
        InputError,
        match=r"module under test can:nonsense:x: expected a CAN interface that python-can can "
        r"open, got CanInterfaceNotImplementedError",
    ):
        dut.build("EMB_FL", Database.reference())
