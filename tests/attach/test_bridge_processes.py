"""A rig and a program in two processes, joined by `simcore bridge` over multicast on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import can
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
GROUP = "239.74.163.41"
PORT = 43000 + os.getpid() % 2000
"""Runs of this test at the same time must not hear each other."""
SETTINGS = {"port": PORT, "hop_limit": 0}
PATIENCE_S = 30.0

pytestmark = pytest.mark.realtime


@pytest.fixture
def network() -> can.BusABC:
    """The foreign side, or a skip that says why there is none."""
    pytest.importorskip("msgpack", reason="python-can's udp_multicast interface needs msgpack")
    try:
        bus = can.Bus(
            interface="udp_multicast", channel=GROUP, fd=True, ignore_config=True, **SETTINGS
        )
        bus.send(can.Message(arbitration_id=1))
        heard = bus.recv(1.0)
    except (can.CanError, OSError) as error:
        pytest.skip(f"no multicast here: {error}")
    if heard is None:
        bus.shutdown()
        pytest.skip("multicast on loopback does not arrive")
    yield bus
    bus.shutdown()


def start_bridge(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from simcore.cli.main import main; main()", "bridge"]
    settings = [word for key, value in SETTINGS.items() for word in ("--option", f"{key}={value}")]
    return subprocess.Popen(
        [*command, "--interface", "udp_multicast", "--channel", GROUP, *settings, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_a_program_elsewhere_plays_an_actuator_in_real_time(network: can.BusABC) -> None:
    # A machine under load is late: that is reported here and judged in test_bridge.
    bridge = start_bridge("--outside", "EMB_FL", "--duration", "1.2", "--tolerate-late")
    try:
        command = wait_for(network, 0x060)  # CDC_EmbCmd, sent by the simulation
        assert command.is_fd
        assert command.dlc == 24
        tasks = [
            network.send_periodic(frame(0x080, 20), 0.005),
            network.send_periodic(frame(0x280, 20), 0.050),
        ]
        stamps = [wait_for(network, 0x060).timestamp for _ in range(100)]
        out, err = bridge.communicate(timeout=PATIENCE_S)
    finally:
        bridge.kill()
    for task in tasks:
        task.stop()
    assert bridge.returncode == 0, out + err
    mean_s = (stamps[-1] - stamps[0]) / 99
    assert 0.0045 < mean_s < 0.0055  # 5 ms, on the clock of this process
    sent, taken, own = map(
        int, re.search(r"s, (\d+) frames out, (\d+) in, .*, (\d+) own ones heard", out).groups()
    )
    assert sent > 1000
    assert taken > 100
    assert own > 0.9 * sent
    assert re.search(
        r"lateness of \d+ slices: mean \d+\.\d+ ms, worst \d+\.\d+ ms, \d+ beyond", out
    )
    assert re.search(r"^out  CDC_EmbCmd +\d+ +5\.00 ", out, re.MULTILINE)
    assert re.search(r"^in   EMB_FL_St1 +\d+ +5\.00 ", out, re.MULTILINE)


def frame(arbitration_id: int, length: int) -> can.Message:
    return can.Message(
        arbitration_id=arbitration_id,
        is_extended_id=False,
        is_fd=True,
        bitrate_switch=True,
        data=bytes(length),
    )


def wait_for(bus: can.BusABC, arbitration_id: int) -> can.Message:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        received = bus.recv(1.0)
        if received is not None and received.arbitration_id == arbitration_id:
            return received
    raise AssertionError(f"0x{arbitration_id:X} never came")
