"""`--dut MODULE --as NODE`: a supplier's module in the scenarios of a command."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

Simcore = Callable[..., Any]
Write = Callable[..., Path]

BRAKE = """
    class Brake:
        def start(self, port, now_ns): self.port = port
        def receive(self, frame, now_ns): {receive}
        def on_timer(self, now_ns): ...
        def next_deadline_ns(self): return None
"""
SILENT = BRAKE.format(receive="...")
PLACE = '''
@scenario
def place(rig: Rig) -> None:
    """Who is in the place of an actuator?"""
    rig.run_for(ms(5))
    for name in ("EMB_FL", "EMB_FR"):
        rig.report(name, type(rig.node(name)).__name__)
    rig.check("BRK-001", True)
'''
OTHER = """
@scenario
def other(rig: Rig) -> None:
    rig.replace("EMB_FL", type(rig.node("TST"))("TST", rig.database))
    rig.run_for(ms(5))
    rig.check("BRK-001", True)
"""
NETWORK = """
@scenario(restbus="net.dbc", all_but=["DUT"])
def network(rig) -> None:
    rig.run_for(ms(30))
    rig.check("NET-1", type(rig.node("DUT")).__name__ == "Brake")
"""
DBC = """VERSION ""
BU_: DUT R
BO_ 256 Cyc: 8 R
 SG_ A : 0|8@1+ (1,0) [0|255] "" DUT
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_ "GenMsgSendType" BO_ 256 "Cyclic";
BA_ "GenMsgCycleTime" BO_ 256 10;
"""


@pytest.fixture
def brake(folder: Path) -> str:
    """A module that is silent and well."""
    (folder / "brake.py").write_text(dedent(SILENT))
    return "brake.py"


def test_the_module_is_in_its_place_before_the_scenario_starts(
    simcore: Simcore, write: Write, brake: str
) -> None:
    place = write("place.py", PLACE)
    ended = simcore("run", place, "--dut", brake, "--as", "EMB_FL", "--report", "out")
    assert re.match(
        r"seed 0, realtime no, dbc chassis_fd\.dbc \(shipped\), "
        r"dut brake\.py as EMB_FL \(python, digest [0-9a-f]{12}\), simcore ",
        ended.lines[0],
    )
    assert "  EMB_FL: Brake" in ended.lines
    assert "  EMB_FR: Emb" in ended.lines
    words = "simcore run place.py::place --seed 0 --dut brake.py --as EMB_FL"
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "brake.py as EMB_FL (python, digest " in page
    properties = {e.get("name"): e.get("value") for e in ET.parse("out/junit.xml").iter("property")}
    assert words in properties.values()
    assert simcore(*shlex.split(words)[1:]).digest == ended.digest
    assert simcore("run", place).digest != ended.digest


def test_several_places_get_an_instance_each(simcore: Simcore, write: Write, brake: str) -> None:
    ended = simcore("run", write("place.py", PLACE), "--dut", brake, "--as", "EMB_FL,EMB_FR")
    assert {"  EMB_FL: Brake", "  EMB_FR: Brake"} <= set(ended.lines)


def test_a_free_place_on_a_restbus_takes_it(simcore: Simcore, write: Write, brake: str) -> None:
    Path("net.dbc").write_text(DBC)
    script = write("network.py", NETWORK)
    assert simcore("run", script, "--dut", brake, "--as", "DUT").code == 0
    assert simcore("run", script).code == 1


def test_a_module_that_raises_is_a_finding(simcore: Simcore, write: Write, folder: Path) -> None:
    (folder / "broken.py").write_text(dedent(BRAKE.format(receive="1 / 0")))
    ended = simcore("run", write("place.py", PLACE), "--dut", "broken.py", "--as", "EMB_FL")
    assert ended.code == 1
    assert "receive of Frame(" in ended.out
    assert "raised ZeroDivisionError: division by zero; the node is switched off" in ended.out


def test_a_scenario_that_takes_the_place_itself_is_a_finding(
    simcore: Simcore, write: Write, brake: str
) -> None:
    script = write("other.py", OTHER)
    ended = simcore("run", script, "--dut", brake, "--as", "EMB_FL")
    assert ended.code == 1
    assert "the scenario replaced the module under test by RestbusNode" in ended.out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--dut", "brake.py"), 2, "simcore: --dut: expected --as NODE with it"),
        (("--as", "EMB_FL"), 2, "simcore: --as: expected --dut MODULE with it"),
        (("--isolated",), 2, "simcore: --isolated: expected --dut MODULE with it"),
        (("--dut", "brake.py", "--as", ""), 2, "simcore: --dut: expected --as NODE with it"),
        (
            ("--dut", "brake.py", "--as", "EMB_FL", "--isolated"),
            2,
            "simcore: isolated: expected a C module or an FMU, got brake.py",
        ),
        (
            ("--dut", "brake.py", "--as", "EMB_XX"),
            2,
            "simcore: module under test brake.py as EMB_XX: expected nodes of chassis_fd.dbc: CDC,",
        ),
        (
            ("--dut", "brake.py::Break", "--as", "EMB_FL"),
            3,
            "simcore: brake.py: module under test: class Break: expected a class of the file: "
            "did you mean 'Brake'?",
        ),
        (
            ("--dut", "none.so", "--as", "EMB_FL"),
            3,
            "simcore: none.so: module under test: expected a file, got no such file",
        ),
        (
            ("--dut", "can:nonsense:x", "--as", "EMB_FL"),
            3,
            "simcore: module under test can:nonsense:x: expected a CAN interface that",
        ),
    ],
)
def test_a_mistake_has_its_exit_code(
    simcore: Simcore, write: Write, brake: str, options: tuple[str, ...], code: int, message: str
) -> None:
    ended = simcore("run", write("place.py", PLACE), *options)
    assert ended.code == code
    assert ended.err.startswith(message)


@pytest.mark.realtime
def test_a_process_on_an_interface_implies_real_time(simcore: Simcore, write: Write) -> None:
    dut = "can:virtual:cli:late_ms=20000"
    failing = write("place.py", PLACE.replace("True", "False"))
    ended = simcore("run", failing, "--dut", dut, "--as", "EMB_FL")
    assert ended.lines[0].startswith(
        f"seed 0, realtime yes, dbc chassis_fd.dbc (shipped), dut {dut}"
    )
    assert "  EMB_FL: ProcessNode" in ended.lines
    assert f"  replay: simcore run place.py::place --seed 0 --dut {dut} --as EMB_FL" in ended.lines
