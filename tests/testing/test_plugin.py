"""The pytest plugin, seen from projects that use it and from one that does not."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY), "PATH": "", "COLUMNS": "200"}
SCENARIO = """
from simcore import Rig, ms, scenario

@scenario(requirements=["BRK-003"])
def holds(rig: Rig) -> None:
    rig.run_for(ms(5))
    rig.check("BRK-003", True)

@scenario(requirements=["BRK-006"], cases=[{"mu": 0.3}, {"mu": 0.8}])
def grips(rig: Rig, mu: float) -> None:
    rig.vehicle.set_friction(mu)
    rig.run_for(ms(5))
    rig.log.add("dice", "note", str(rig.random.stream("dice").integer(0, 1 << 60)))
    rig.check("BRK-006", mu > 0.5, measured=mu, limit="> 0.5", text="grip")

@scenario(requirements=["DEG-001"])
def forgets(rig: Rig) -> None:
    rig.run_for(ms(5))

@scenario
def raises(rig: Rig) -> None:
    rig.run_for(ms(5))
    {}["nothing"]

@scenario
def leaves(rig: Rig) -> None:
    rig.run_for(ms(5))
    raise SystemExit(0)
"""


Run = Callable[..., Any]
"""What the fixture `run` gives: `code`, `out`, `lines` and `outcomes` of a pytest of its own."""


# ---- the rig fixture ----


def test_the_fixture_gives_a_fresh_rig_to_every_test(run: Run) -> None:
    ran = run(
        test_rig="""
        from simcore import Rig, ms

        seen = []

        def test_one(rig):
            assert type(rig) is Rig
            rig.run_for(ms(3))
            assert rig.check("BRK-003", True)
            seen.append(rig)

        def test_two(rig):
            assert rig.now_ns == 0
            assert rig is not seen[0]
        """
    )
    assert (ran.code, ran.outcomes) == (0, {"passed": 2}), ran.out


def test_a_failed_check_fails_a_test_that_asserts_nothing(run: Run) -> None:
    ran = run(
        test_rig="""
        def test_quiet(rig):
            rig.check("BRK-001", False, measured=81.7, limit="<= 70 m", text="stopping distance")
            rig.check("BRK-002", True, text="not in the message")
        """
    )
    assert ran.code == 1
    assert "  BRK-001: stopping distance 81.7 m, limit <= 70 m" in ran.lines
    assert "replay: pytest 'test_rig.py::test_quiet' --simcore-seed 0" in ran.lines
    assert "not in the message" not in ran.out.partition("= short test summary info =")[2]


def test_a_finding_fails_a_test_that_asserts_nothing(run: Run) -> None:
    ran = run(
        test_rig="""
        from simcore import ms

        class Broken:
            def start(self, port, now_ns): ...
            def receive(self, frame, now_ns):
                raise ZeroDivisionError("division by zero")
            def on_timer(self, now_ns): ...
            def next_deadline_ns(self): return None

        def test_quiet(rig):
            rig.replace("EMB_FL", Broken())
            rig.run_for(ms(5))
        """
    )
    assert ran.code == 1
    assert re.search(
        r"^  EMB_FL: receive of Frame\(0x060, .* raised ZeroDivisionError: division by zero; "
        r"the node is switched off \(test_rig\.py:\d+\)$",
        ran.out,
        re.MULTILINE,
    )


def test_the_seed_of_the_command_line_reaches_the_fixture(run: Run) -> None:
    test = "def test_seed(rig):\n    assert rig.seed == {}\n"
    files = {"test_none": test.format(0), "test_given": test.format(42)}
    assert run(fresh=True, **files).outcomes == {"failed": 1, "passed": 1}
    assert run("--simcore-seed", "42", "test_given.py").outcomes == {"passed": 1}


def test_a_fixture_of_that_name_in_the_project_wins(run: Run) -> None:
    ran = run(
        test_own="""
        import sys
        import pytest

        @pytest.fixture
        def rig():
            return "an oil rig"

        def test_own(rig):
            assert rig == "an oil rig"
            assert "simcore.rig" not in sys.modules
        """,
        fresh=True,
    )
    assert (ran.code, ran.outcomes) == (0, {"passed": 1}), ran.out


# ---- scenario files ----


def test_a_scenario_file_named_on_the_command_line_is_one_test_per_case(run: Run) -> None:
    ran = run("drive.py", "--collect-only", drive=SCENARIO)
    assert ran.code == 0
    assert ran.lines[:6] == [
        "drive.py::holds",
        "drive.py::grips[mu=0.3]",
        "drive.py::grips[mu=0.8]",
        "drive.py::forgets",
        "drive.py::raises",
        "drive.py::leaves",
    ]


def test_a_scenario_file_that_is_not_named_is_left_alone(run: Run) -> None:
    ran = run(drive=SCENARIO, test_other="def test_other(): ...")
    assert (ran.code, ran.outcomes) == (0, {"passed": 1}), ran.out


@pytest.mark.parametrize(
    ("arguments", "outcomes"),
    [
        (["drive.py::holds", "drive.py::grips[mu=0.8]"], {"passed": 2}),
        (["drive.py::grips"], {"failed": 1, "passed": 1}),
        (["drive.py", "-k", "holds or forgets"], {"failed": 1, "passed": 1, "deselected": 4}),
    ],
)
def test_scenarios_are_selected_as_tests_are(
    run: Run, arguments: list[str], outcomes: dict[str, int]
) -> None:
    assert run(*arguments, drive=SCENARIO).outcomes == outcomes


def test_a_failure_shows_checks_digest_and_the_command_that_replays_it(
    run: Run, tmp_path: Path
) -> None:
    ran = run("drive.py::grips[mu=0.3]", "--simcore-seed", "9", drive=SCENARIO)
    assert ran.code == 1
    lines = ran.lines
    start = lines.index("scenario grips[mu=0.3]: failed")
    assert lines[start + 1] == "  FAILED  BRK-006  grip: 0.3 (limit > 0.5)"
    assert any(re.match("  passed  BRK-003  .*0 N", line) for line in lines[start:])
    (digest,) = [line for line in lines if line.startswith("digest ")]
    (replay,) = [line for line in lines if line.startswith("replay: ")]
    program, *arguments = shlex.split(replay.removeprefix("replay: "))
    assert program == "simcore"
    assert arguments[-2:] == ["--seed", "9"]

    door = "from simcore.cli.main import main; main()"
    replayed = subprocess.run(
        [sys.executable, "-c", door, *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert replayed.returncode == 1
    assert replayed.stdout.splitlines()[-1] == digest


def test_what_a_scenario_raised_is_shown_with_its_line(run: Run, tmp_path: Path) -> None:
    lines = run("drive.py::raises", "drive.py::leaves", drive=SCENARIO).lines
    assert "scenario raises: error" in lines
    assert f"{tmp_path / 'drive.py'}:23: KeyError: 'nothing'" in lines
    assert '    {}["nothing"]' in lines
    assert "scenario leaves: error" in lines
    assert f"{tmp_path / 'drive.py'}:28: SystemExit: 0" in lines


def test_a_requirement_never_checked_fails_and_is_named(run: Run) -> None:
    ran = run("drive.py::forgets", drive=SCENARIO)
    assert ran.code == 1
    assert "  FAILED  DEG-001  named but never checked" in ran.lines


def test_digest_and_requirements_travel_to_the_junit_report(run: Run, tmp_path: Path) -> None:
    run("drive.py::holds", "--junitxml", "out.xml", drive=SCENARIO)
    text = (tmp_path / "out.xml").read_text(encoding="utf-8")
    assert re.search('<property name="digest" value="[0-9a-f]{32}" ?/>', text)
    assert re.search('<property name="requirements" value="BRK-003" ?/>', text)


# ---- what it costs ----


def test_a_project_without_simulation_pays_nothing(run: Run) -> None:
    ran = run(
        test_plain="""
        import sys

        def test_plain():
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert loaded.isdisjoint({"cantools", "numpy", "can", "plotly", "rich"})
            rooms = {name for name in sys.modules if name.startswith("simcore.")}
            assert rooms <= {"simcore.testing", "simcore.testing.plugin", "simcore.version"}
            assert "simcore.testing.plugin" in rooms
        """,
        fresh=True,
    )
    assert (ran.code, ran.outcomes) == (0, {"passed": 1}), ran.out


def test_the_option_is_explained_in_the_help(run: Run) -> None:
    text = run("--help").out
    assert re.search(
        r"simcore:\n +--simcore-seed=SEED +seed of the random streams of scenarios and of the rig "
        r"fixture \(default 0\)",
        text,
    )


def test_a_seed_that_is_no_number_is_usage(run: Run) -> None:
    ran = run("--simcore-seed", "x")
    assert ran.code == 4
    assert "argument --simcore-seed: invalid int value: 'x'" in ran.out


def test_a_broken_invariant_fails_a_test_that_asserts_nothing(run: Run) -> None:
    ran = run(
        test_rig="""
        from simcore import ms, RealTime

        def test_quiet(rig):
            rig.plant.calipers[0].place_at(2000.0)
            rig.plant.calipers[0].park_locked = True
            rig._hosts["EMB_FL"].outputs["park_lock_state"] = 1.0
            rig.run_for(ms(300))
        """
    )
    assert ran.code == 1
    assert "  BRK-003: largest clamp force without a request" in ran.out


def test_an_imported_scenario_is_a_test_of_its_own_file_only(run: Run) -> None:
    ran = run(
        test_rig="""
        import sys, pathlib
        sys.path.insert(0, str(pathlib.Path(__file__).parent))
        from other import imported

        def test_nothing(): ...
        """,
        other="""
        from simcore import scenario

        @scenario
        def imported(rig): ...
        """,
    )
    assert (ran.code, ran.outcomes) == (0, {"passed": 1}), ran.out
