"""Programs and test suites that others wrote, unchanged, against the interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import can
import cantools.tester
import pytest

from simcore.attach import publish
from simcore.resources import dbc_path
from simcore.rig import Rig
from simcore.units import ms

REPOSITORY = Path(__file__).resolve().parents[2]
SUITE_S = 120

# ---- python-can's own suite ----

SUITE = """
import json, sys, unittest
sources, mode = sys.argv[1:]
sys.path.insert(0, sources)
import test.back2back_test as suite
from simcore.attach import BareBus, publish

session = publish(BareBus(), "suite", realtime=mode == "realtime")
place = {"INTERFACE_1": "simcore", "INTERFACE_2": "simcore",
         "CHANNEL_1": "chassis@suite", "CHANNEL_2": "chassis@suite"}
base = suite.Back2BackTestCase
if mode == "realtime":
    base = suite.TestThreadSafeBus  # the same tests again, and those with threads
else:
    suite.sleep, suite.time = session.clock.sleep, session.clock.time
case = type("Case", (base,), place)
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
session.close()
json.dump({
    "ran": result.testsRun,
    "skipped": sorted(test.id().rpartition(".")[2] for test, _ in result.skipped),
    "broken": [f"{test.id()}: {text}" for test, text in result.failures + result.errors],
}, sys.stdout)
"""
NEVER_RUN = ["test_message_is_rx", "test_message_is_rx_receive_own_messages"]
"""python-can skips these two for every interface."""


@pytest.fixture
def python_can_sources(foreign_sources: Callable[[str], Path]) -> Path:
    """The unpacked source distribution of the installed python-can."""
    return foreign_sources("python-can")


def environment() -> dict[str, str]:
    """For another process: the package of this checkout, and no CI that would skip timing tests."""
    servers = ("CI", "CONTINUOUS_INTEGRATION", "GITHUB_ACTIONS", "TRAVIS")
    kept = {key: value for key, value in os.environ.items() if key not in servers}
    return {**kept, "PYTHONPATH": str(REPOSITORY)}


def run_suite(sources: Path, mode: str) -> dict[str, object]:
    ran = subprocess.run(
        [sys.executable, "-c", SUITE, str(sources), mode],
        capture_output=True,
        text=True,
        timeout=SUITE_S,
        env=environment(),
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_python_cans_own_suite_passes_in_virtual_time(python_can_sources: Path) -> None:
    outcome = run_suite(python_can_sources, "virtual")
    assert outcome == {"ran": outcome["ran"], "skipped": NEVER_RUN, "broken": []}
    assert outcome["ran"] >= 16


@pytest.mark.realtime
def test_python_cans_own_suite_passes_in_real_time_with_threads(python_can_sources: Path) -> None:
    for _ in range(3):  # it measures to 0.1 s, which a machine under load may miss once
        outcome = run_suite(python_can_sources, "realtime")
        if not outcome["broken"]:
            break
    assert outcome == {"ran": outcome["ran"], "skipped": NEVER_RUN, "broken": []}
    assert outcome["ran"] >= 18


# ---- a plain script ----

SCRIPT = '''
import can

def wheel_speeds(count):
    """Knows python-can and nothing else."""
    found = []
    with can.Bus(interface="simcore", channel="chassis") as bus:
        bus.set_filters([{"can_id": 0x0C0, "can_mask": 0x7FF, "extended": False}])
        while len(found) < count:
            message = bus.recv(timeout=1.0)
            if message is None:
                raise SystemExit("nobody sends wheel speeds")
            found.append((message.timestamp, message.data.hex()))
    return found

print(wheel_speeds(50))
'''


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which simcore's entry points are found, as after an installation."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = tmp_path / f"simcore-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: simcore\nVersion: {project['version']}\n", encoding="utf-8"
    )
    (known,) = project["entry-points"]["can.interface"].items()
    (folder / "entry_points.txt").write_text(
        "[can.interface]\n{} = {}\n".format(*known), encoding="utf-8"
    )
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(REPOSITORY)))}


def test_a_blocking_script_runs_unmodified_and_the_same_every_time(
    installed: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT, encoding="utf-8")
    outputs = []
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-W", "error", str(file)],
            capture_output=True,
            text=True,
            timeout=SUITE_S,
            env={**installed, "PYTHONHASHSEED": seed},
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        outputs.append(ran.stdout)
    assert outputs[0] == outputs[1]
    assert outputs[0].count("(0.") == 50


# ---- cantools' Tester ----


@pytest.mark.realtime
def test_cantools_tester_plays_a_node_and_expects_of_another() -> None:
    """The tester plays the pedal, in real time because it reads from a thread of its own."""
    database = cantools.database.load_file(str(dbc_path("chassis_fd.dbc")))
    with publish(Rig(), realtime=True) as session:
        bus = can.Bus(interface="simcore", channel="chassis", ignore_config=True, outside="BPS")
        tester = cantools.tester.Tester("CDC", database, bus, database.buses[0].name)
        try:
            assert tester.expect("BPS_Pedal", timeout=0.2) is None  # its ECU is off
            tester.messages["BPS_Pedal"].send_periodic_start()
            for _ in range(10):
                wheels = tester.expect("CDC_WhlSpd", timeout=20.0)
                assert "CDC_WhlSpdFL" in wheels
        finally:
            tester.messages["BPS_Pedal"].send_periodic_stop()
            tester._notifier.stop()
            bus.shutdown()
        records = session.world.buses[0].log
        requests_ns = [each.request_ns for each in records if each.sender == "BPS"]
        assert len(requests_ns) > 10
        assert {late - early for early, late in pairwise(requests_ns)} == {ms(5)}


# ---- can-isotp ----

PAYLOAD = bytes(index * 7 & 0xFF for index in range(1500))


def addresses():
    """Two stacks that talk to each other, for all who have can-isotp."""
    isotp = pytest.importorskip("isotp", reason="can-isotp is not installed")
    mode = isotp.AddressingMode.Normal_11bits
    return (
        isotp,
        isotp.Address(mode, txid=0x6A0, rxid=0x6A8),
        isotp.Address(mode, txid=0x6A8, rxid=0x6A0),
    )


PARAMETERS = {"stmin": 1, "blocksize": 8, "can_fd": True, "tx_data_length": 64}


def test_can_isotp_stacks_talk_in_virtual_time(open_bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and `time` of can-isotp is virtual: every run is the same."""
    isotp, tester, ecu = addresses()

    def run() -> tuple[bytes, int]:
        buses = open_bus("empty:isotp"), open_bus("empty:isotp")
        clock = buses[0].clock
        for name in ("isotp.protocol", "isotp.tools"):
            monkeypatch.setattr(import_module(name), "time", clock)
        stacks = [
            isotp.CanStack(bus, address=address, params=PARAMETERS)
            for bus, address in zip(buses, (tester, ecu), strict=True)
        ]
        stacks[0].send(PAYLOAD)
        received = None
        while received is None:
            for stack in stacks:
                stack.process(rx_timeout=0)
            clock.sleep(0.0001)
            received = stacks[1].recv()
        finished_ns = clock.monotonic_ns()
        for bus in buses:
            bus.shutdown()
        return bytes(received), finished_ns

    payload, finished_ns = run()
    assert payload == PAYLOAD
    # 24 consecutive frames at least 1 ms apart
    assert 20_000_000 < finished_ns < 60_000_000
    assert run() == (payload, finished_ns)


@pytest.mark.realtime
def test_can_isotp_stacks_with_threads_talk_in_real_time(open_bus) -> None:
    isotp, tester, ecu = addresses()
    stacks = [
        isotp.CanStack(open_bus("empty:isotp", realtime=True), address=address, params=PARAMETERS)
        for address in (tester, ecu)
    ]
    for stack in stacks:
        stack.start()
    try:
        stacks[0].send(PAYLOAD)
        assert stacks[1].recv(block=True, timeout=20.0) == PAYLOAD
        stacks[1].send(b"\x50\x03")
        assert stacks[0].recv(block=True, timeout=20.0) == b"\x50\x03"
    finally:
        for stack in stacks:
            stack.stop()
