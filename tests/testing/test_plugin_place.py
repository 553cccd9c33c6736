"""The pytest plugin with a module under test: fixtures, options, markers, the report."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

MODULE = """
from simcore import ms

class Brake:
    def start(self, port, now_ns):
        self.port, self.due_ns = port, now_ns

    def receive(self, frame, now_ns): ...

    def on_timer(self, now_ns):
        self.port.write("motor_current_a", 0.25)
        self.due_ns = now_ns + ms(5)

    def next_deadline_ns(self):
        return self.due_ns
"""
LOOK = """
from simcore import ms

def test_look(dut):
    dut.rig.run_for(ms(60))
    print(dut.node, type(dut.module).__name__, dut.pin("motor_current_a"))
    assert dut.module is dut.rig.node(dut.node)
"""


def test_without_a_module_the_simulated_ecu_is_looked_at(run: Run) -> None:
    ran = run("-s", test_look=LOOK)
    assert ran.code == 0 and "EMB_FL Emb 0.0" in ran.out, ran.out


def test_a_module_of_the_command_line_is_in_its_place_in_every_rig(run: Run) -> None:
    arguments = ["-sv", "--simcore-dut", "brake.py", "--simcore-as", "EMB_RR", "test_look.py"]
    ran = run(*arguments, test_look=LOOK, brake=MODULE)
    assert "EMB_RR Brake 0.25" in ran.out
    assert "simcore: brake.py in the place of EMB_RR" in ran.lines
    missing = "missing: EMB_RR_St1 on CHASSIS_A"  # this one never reports in
    assert ran.code == 1 and missing in ran.out, ran.out
    replay = "'test_look.py::test_look' --simcore-seed 0 --simcore-dut=brake.py --simcore-as=EMB_RR"
    assert f"replay: pytest {replay}" in ran.lines


def test_a_project_names_its_module_in_one_fixture(run: Run) -> None:
    own = """
    import pytest
    from brake import Brake

    @pytest.fixture
    def simcore_dut():
        return "EMB_RL", Brake
    """
    ran = run("-s", "-p", "brake", conftest=own, brake=MODULE, test_look=LOOK)
    assert "EMB_RL Brake 0.25" in ran.out, ran.out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("'brake.py'", "fixture simcore_dut: expected a node name and a module"),
        ("('EMB_FL', 3)", "expected a class, a function of name and database, a Dut or a path"),
        ("('EMB_XX', 'brake.py')", "module under test brake.py as EMB_XX: expected nodes of"),
        ("('EMB_FL', 'none.py')", "none.py"),
    ],
)
def test_a_module_that_is_none_is_refused_with_what_was_expected(
    run: Run, given: str, message: str
) -> None:
    own = f"""
    import pytest

    @pytest.fixture
    def simcore_dut():
        return {given}
    """
    ran = run(conftest=own, brake=MODULE, test_look=LOOK)
    assert ran.code == 1 and message in ran.out, ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--simcore-dut", "x.py"], "--simcore-dut MODULE and --simcore-as NODE: expected both"),
        (["--simcore-as", "EMB_FL"], "--simcore-dut MODULE and --simcore-as NODE: expected both"),
        (["--simcore-isolated"], "--simcore-isolated: expected --simcore-dut with it"),
    ],
)
def test_options_that_say_half_are_usage(run: Run, arguments: list[str], message: str) -> None:
    ran = run(*arguments, test_look=LOOK)
    assert ran.code == 4 and message in ran.out, ran.out


def test_a_scenario_runs_with_the_module_too(run: Run) -> None:
    drive = """
    from simcore import Rig, ms, scenario

    @scenario
    def looks(rig: Rig) -> None:
        rig.run_for(ms(5))
        rig.check("BRK-003", rig.pin("EMB_FL", "motor_current_a") == 0.0, measured="current")
    """
    assert run("drive.py", drive=drive).code == 0
    arguments = ["drive.py", "--simcore-dut", "brake.py", "--simcore-as", "EMB_FL"]
    ran = run(*arguments, drive=drive, brake=MODULE)
    assert ran.code == 1 and "  FAILED  BRK-003  : current" in ran.out
    assert re.search(r"--seed 0 --dut brake\.py --as EMB_FL$", ran.out, re.MULTILINE), ran.out


# ---- the bus ----


def test_chassis_bus_drives_virtual_time_and_shares_the_rig(run: Run) -> None:
    ran = run(
        test_bus="""
        import can

        def test_bus(chassis_bus, rig):
            message = chassis_bus.recv(timeout=1.0)
            assert message is not None and rig.now_ns > 0
            with can.Bus(interface="simcore", channel="chassis") as other:
                assert other.recv(timeout=0.1).timestamp * 1e9 <= rig.now_ns
            before_ns = rig.now_ns
            assert chassis_bus.recv(timeout=0.1) is not None
            assert rig.now_ns >= before_ns
        """
    )
    assert ran.code == 0, ran.out


# ---- faults ----


def test_every_fault_of_the_marker_is_a_test(run: Run) -> None:
    test = """
    import pytest
    from simcore import EcuSilent, ms, s
    from simcore.faults import CounterFrozen

    @pytest.mark.faults(EcuSilent(node="EMB_FL"), EcuSilent(node="EMB_RR").at(ms(2)))
    @pytest.mark.faults(CounterFrozen(message="CDC_EmbCmd", frames=5))
    def test_broken(rig, fault):
        rig.inject(fault)
        rig.run_for(ms(20))
        assert len(rig.faults) == 1 and rig.faults[0].record.start_ns in (0, ms(2))
    """
    ran = run("-vv", test_faults=test)
    assert ran.code == 0, ran.out
    for name in ("EcuSilent-EMB_FL", "EcuSilent-EMB_RR", "CounterFrozen-CDC_EmbCmd"):
        assert f"test_broken[{name}] PASSED" in ran.out


def test_what_is_no_fault_is_refused_at_collection(run: Run) -> None:
    test = """
    import pytest

    @pytest.mark.faults("EcuSilent")
    def test_broken(rig, fault): ...
    """
    ran = run(test_faults=test)
    assert ran.code == 2
    assert (
        "marker faults: expected faults, as EcuSilent(node=\"EMB_FL\"), got 'EcuSilent'" in ran.out
    )


# ---- how the rig is built ----


def test_a_marker_says_how_the_rig_is_built(run: Run) -> None:
    ran = run(
        test_marked="""
        import pytest

        pytestmark = pytest.mark.rig(seed=7)

        @pytest.mark.rig(without=["e2e"], database="chassis_fd_secoc.dbc")
        def test_built(rig):
            assert rig.seed == 7
            assert rig.without == {"e2e"}
            assert any(message.secoc for message in rig.database.messages)

        @pytest.mark.rig(speed=3)
        def test_unknown(rig): ...
        """
    )
    assert ran.outcomes == {"passed": 1, "error": 1}, ran.out
    expected = "marker rig: expected any of seed, without, database, by name, got speed"
    assert expected in ran.out


# ---- requirements ----

REQUIREMENTS = """
import pytest
from simcore import ms, s

@pytest.mark.requirement("BRK-001")
class TestStop:
    @pytest.mark.requirement("BRK-003", "COM-001")
    def test_stop(self, rig):
        rig.run_for(ms(60))
        rig.check("BRK-001", True, measured=12.0, limit="<= 70 m", text="by hand")

    def test_fails(self):
        assert 1 + 1 == 3

@pytest.mark.requirement("ROB-001")
@pytest.mark.skip(reason="no")
def test_skipped(rig): ...

def test_nothing(): ...
"""


def test_requirement_markers_are_junit_properties(run: Run, tmp_path: Path) -> None:
    run("--junitxml", "out.xml", test_marked=REQUIREMENTS)
    cases = ET.parse(tmp_path / "out.xml").getroot().iter("testcase")
    found = {
        case.get("name"): [
            each.get("value") for each in case.iter("property") if each.get("name") == "requirement"
        ]
        for case in cases
    }
    assert found == {
        "test_stop": ["BRK-001", "BRK-003", "COM-001"],
        "test_fails": ["BRK-001"],
        "test_skipped": ["ROB-001"],
        "test_nothing": [],
    }


@pytest.mark.parametrize("marker", ["requirement()", "requirement(3)", "requirement(id='A')"])
def test_a_requirement_marker_without_an_id_is_usage(run: Run, marker: str) -> None:
    ran = run(test_x=f"import pytest\n@pytest.mark.{marker}\ndef test_x(): ...\n")
    assert ran.code == 4 and "marker requirement: expected" in ran.out, ran.out


def test_the_report_of_several_workers_says_what_tests_say_about_requirements(
    run: Run, tmp_path: Path
) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    folder = tmp_path / "out"
    (folder / ".parts").mkdir(parents=True)
    (folder / ".parts" / "left_over").write_bytes(b"of a run that was killed")
    drive = """
    from simcore import Rig, ms, scenario

    @scenario(requirements=["DEG-001"])
    def drives(rig: Rig) -> None:
        rig.run_for(ms(5))
        rig.check("DEG-001", rig.seed == 0)
    """
    arguments = ["-p", "xdist.plugin", "-n", "2", "--simcore-report", "out", "--simcore-seed", "3"]
    files = ["test_marked.py", "drive.py"]
    ran = run(*arguments, *files, fresh=True, test_marked=REQUIREMENTS, drive=drive)
    assert ran.outcomes == {"failed": 2, "passed": 2, "skipped": 1}, ran.out
    assert "simcore report: out/report.html" in ran.out
    assert any(line.startswith("replay: simcore run ") for line in ran.lines)
    page = (folder / "report.html").read_text(encoding="utf-8")
    for name in ("test_marked.py::TestStop::test_stop", "drives", "TestStop::test_fails"):
        assert name in page
    assert "test_skipped" not in page and "test_nothing" not in page
    assert "assert (1 + 1) == 3" in page
    assert not (folder / ".parts").exists()


def test_a_failed_test_says_where_its_rig_stood(run: Run) -> None:
    ran = run(
        test_rig="""
        from simcore import ms

        def test_stands(rig):
            rig.run_for(ms(3))
            assert rig.now_ns == 0
        """
    )
    assert re.search(r"^at 3000000 ns of virtual time, digest [0-9a-f]{32}$", ran.out, re.MULTILINE)
    assert "replay: pytest 'test_rig.py::test_stands' --simcore-seed 0" in ran.lines
