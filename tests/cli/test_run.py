"""`simcore run`: what it prints, what it leaves behind, and what it makes of bad input."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import can
import pytest

from simcore.cli.selection import shipped_folder
from simcore.resources import dbc_path
from simcore.version import __version__

REFERENCE = dbc_path("chassis_fd.dbc")
CODEC = Path(__file__).resolve().parents[1] / "data" / "codec.dbc"

Simcore = Callable[..., Any]
Write = Callable[..., Path]

RAISING_NODE = """
class Broken:
    def start(self, port, now_ns): ...
    def receive(self, frame, now_ns):
        raise ZeroDivisionError("division by zero")
    def on_timer(self, now_ns): ...
    def next_deadline_ns(self): return None

@scenario
def broken_node(rig: Rig) -> None:
    rig.replace("EMB_FL", Broken())
    rig.run_for(ms(5))
    rig.check("BRK-001", True, text="went on without it")
"""
INTERRUPTED = """
@scenario
def first(rig: Rig) -> None:
    rig.run_for(ms(5))

@scenario
def interrupted(rig: Rig) -> None:
    rig.run_for(ms(7))
    raise KeyboardInterrupt

@scenario
def never(rig: Rig) -> None:
    rig.run_for(ms(5))
"""


def replay_commands(folder: str | Path) -> dict[str, str]:
    """Per scenario, the replay command that the JUnit report states."""
    return {
        element.get("name", "").removesuffix(".replay"): element.get("value", "")
        for element in ET.parse(Path(folder) / "junit.xml").iter("property")
        if element.get("name", "").endswith(".replay")
    }


def verdicts(folder: str | Path) -> dict[str, str]:
    """Per scenario in the JUnit report: `passed`, `failure` or `error`."""
    cases = ET.parse(Path(folder) / "junit.xml").iter("testcase")
    return {
        case.get("name", ""): next(
            (child.tag for child in case if child.tag != "system-out"), "passed"
        )
        for case in cases
    }


def assert_reported(folder: str | Path, *names: str) -> None:
    """The report is there, and knows these scenarios and no others."""
    assert list(verdicts(folder)) == list(names)
    page = (Path(folder) / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)


# ---- a run that passes ----


def test_seed_and_options_come_first_and_the_digest_last(simcore: Simcore, quick: Path) -> None:
    ended = simcore("run", quick, "--seed", 7)
    assert ended.code == 0
    assert (
        ended.lines[0]
        == f"seed 7, realtime no, dbc chassis_fd.dbc (shipped), simcore {__version__}"
    )
    assert re.fullmatch("digest [0-9a-f]{32}", ended.lines[-1])
    assert ended.lines[-2] == (
        "PASSED: 1 scenario, 1 passed, 0 failed, 0 errors, 0.010 s of virtual time"
    )
    assert ended.err == ""


def test_the_options_given_are_the_options_printed(simcore: Simcore, quick: Path) -> None:
    ended = simcore("run", quick, "--seed", -1, "--dbc", REFERENCE)
    assert ended.lines[0] == f"seed -1, realtime no, dbc {REFERENCE}, simcore {__version__}"


def test_a_repeated_run_has_the_same_digest(simcore: Simcore, quick: Path, slippery: Path) -> None:
    first = simcore("run", quick, slippery)
    second = simcore("run", quick, slippery)
    assert first.out == second.out
    assert simcore("run", slippery, quick).digest != first.digest


def test_what_happened_changes_the_digest(simcore: Simcore, quick: Path, slippery: Path) -> None:
    digests = {
        simcore("run", argument).digest
        for argument in (quick, f"{slippery}::slippery[mu=0.3]", f"{slippery}::slippery[mu=0.8]")
    }
    assert len(digests) == 3


def test_a_seed_that_a_random_stream_reads_changes_the_digest(
    simcore: Simcore, write: Write
) -> None:
    path = write(
        "dice.py",
        """
        @scenario
        def dice(rig: Rig) -> None:
            rig.run_for(ms(1))
            rig.log.add("dice", "note", str(rig.random.stream("dice").integer(0, 1 << 60)))
        """,
    )
    assert simcore("run", path, "--seed", 1).digest == simcore("run", path, "--seed", 1).digest
    assert simcore("run", path, "--seed", 1).digest != simcore("run", path, "--seed", 2).digest


def test_without_arguments_every_shipped_scenario_is_run(
    simcore: Simcore, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sorted(path.name for path in shipped_folder().glob("*.py")) == [
        "actuator_bus_off.py",
        "babbling_node.py",
        "bus_a_shorted.py",
        "cdc_lost.py",
        "cruise.py",
        "hung_controller.py",
        "jammed_caliper.py",
        "low_friction_stop.py",
        "panic_stop.py",
        "pedal_disagreement.py",
        "replay_attack.py",
        "silent_actuator.py",
        "spoofed_command.py",
        "stop_and_hold.py",
        "unintended_clamp.py",
        "update_attack_suite.py",
        "update_parked.py",
        "update_power_cut.py",
        "update_rollback.py",
        "update_while_driving.py",
        "wrong_answer.py",
    ]
    stand_in = write("shipped/b.py", QUICK_B).parent.resolve()
    write("shipped/a.py", QUICK_A)
    write("shipped/_not_one.py", "raise AssertionError")
    monkeypatch.setattr("simcore.cli.selection.shipped_folder", lambda: stand_in)
    ended = simcore("run", "--report", "out")
    assert ended.code == 0
    assert_reported("out", "a", "b")


def test_a_mechanism_that_is_left_out_is_stated_and_part_of_the_replay_command(
    simcore: Simcore,
) -> None:
    ended = simcore(
        "run", "pedal_disagreement::pedal_disagreement[kind=stuck]", "--without", "plausibility"
    )
    assert ended.code == 1
    assert "without plausibility" in ended.out
    assert "--seed 0 --without plausibility" in " ".join(ended.out.split())
    assert "SAF-003" in ended.out


def test_a_mechanism_that_does_not_exist_is_a_usage_error(simcore: Simcore) -> None:
    ended = simcore("run", "cruise", "--without", "luck")
    assert ended.code == 2
    assert "expected mechanisms of e2e, deadline, arrival" in ended.err


QUICK_A = """
@scenario
def a(rig: Rig) -> None:
    rig.run_for(ms(2))
"""
QUICK_B = QUICK_A.replace("def a", "def b")


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_narrow_console_folds_and_cuts_nothing(
    simcore: Simcore, fails: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ended = simcore("run", fails)
    assert "…" not in ended.out
    assert "  replay: simcore run fails.py::fails --seed 0" in ended.lines
    assert re.fullmatch("digest [0-9a-f]{32}", ended.lines[-1])


# ---- report and logs ----


def test_the_report_folder_is_made_with_its_parents_and_its_files_are_named(
    simcore: Simcore, quick: Path
) -> None:
    ended = simcore("run", quick, "--report", "deep/out")
    assert ended.lines[1:3] == ["report deep/out/report.html", "junit  deep/out/junit.xml"]
    assert_reported("deep/out", "quick")
    assert verdicts("deep/out") == {"quick": "passed"}


def test_the_replay_command_of_the_report_reproduces_the_digest(
    simcore: Simcore, slippery: Path
) -> None:
    simcore("run", slippery, "--seed", 3, "--dbc", REFERENCE, "--report", "out")
    single = {}
    for name, command in replay_commands("out").items():
        program, *arguments = shlex.split(command)
        assert program == "simcore"
        single[name] = simcore(*arguments)
    assert set(single) == {"slippery[mu=0.3]", "slippery[mu=0.8]"}
    page = Path("out/report.html").read_text(encoding="utf-8")
    for ended in single.values():
        assert ended.lines[0] == f"seed 3, realtime no, dbc {REFERENCE}, simcore {__version__}"
        assert ended.digest in page
    assert len({ended.digest for ended in single.values()}) == 2


def test_the_replay_command_is_on_the_console_where_a_scenario_did_not_pass(
    simcore: Simcore, quick: Path, fails: Path
) -> None:
    lines = simcore("run", quick, fails, "--seed", 5).lines
    assert [line for line in lines if "replay:" in line] == [
        "  replay: simcore run fails.py::fails --seed 5"
    ]


def test_a_replay_command_survives_a_shell(simcore: Simcore, write: Write) -> None:
    path = write(
        "my scenarios/it's.py",
        """
        @scenario(cases=[{"text": "a b; c"}])
        def odd(rig: Rig, text: str) -> None:
            rig.run_for(ms(1))
            rig.check("BRK-001", False)
        """,
    )
    ended = simcore("run", path)
    (line,) = [line for line in ended.lines if "replay:" in line]
    program, *arguments = shlex.split(line.partition("replay: ")[2])
    assert (program, arguments[1]) == ("simcore", "my scenarios/it's.py::odd[text=a b; c]")
    assert simcore(*arguments).digest == ended.digest


@pytest.mark.parametrize(
    ("log_format", "suffix"), [("candump", ".log"), ("asc", ".asc"), ("blf", ".blf")]
)
def test_a_bus_log_is_read_by_python_can(
    simcore: Simcore, quick: Path, log_format: str, suffix: str
) -> None:
    ended = simcore("run", quick, "--log", log_format, "--report", "out")
    assert f"log    out/quick{suffix}" in ended.lines
    with can.LogReader(f"out/quick{suffix}") as reader:
        messages = list(reader)
    counts = [int(line.split()[1]) for line in ended.lines if line.startswith("  CHASSIS_")]
    assert len(messages) == sum(counts) > 10
    assert messages[0].arbitration_id == 0x060
    assert all(message.is_fd and message.bitrate_switch for message in messages)


def test_both_logs_of_one_run_hold_the_same_frames(simcore: Simcore, quick: Path) -> None:
    simcore("run", quick, "--log", "candump", "--log", "blf")
    frames = []
    for name in ("quick.log", "quick.blf"):  # without --report, here
        with can.LogReader(name) as reader:
            frames.append([(message.arbitration_id, bytes(message.data)) for message in reader])
    assert frames[0] == frames[1]
    assert frames[0]


def test_no_log_overwrites_another_of_the_same_run(simcore: Simcore, slippery: Path) -> None:
    ended = simcore("run", slippery, slippery, "--log", "candump", "--report", "out")
    logs = sorted(path.name for path in Path("out").glob("*.log"))
    assert logs == [
        *("slippery_mu_0.3-2.log", "slippery_mu_0.3.log"),
        *("slippery_mu_0.8-2.log", "slippery_mu_0.8.log"),
    ]
    assert all(f"log    out/{name}" in ended.lines for name in logs)


def test_real_time_waits_for_the_clock_and_changes_nothing_else(
    simcore: Simcore, quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = simcore("run", quick)

    class Clock:
        now_ns = 5_000_000_000
        slept_ns = 0

        def monotonic_ns(self) -> int:
            return self.now_ns

        def sleep(self, seconds: float) -> None:
            self.slept_ns += round(seconds * 1e9)
            self.now_ns += round(seconds * 1e9)

    clock = Clock()
    monkeypatch.setattr(import_module("simcore.kernel.pacing"), "time", clock)
    paced = simcore("run", quick, "--realtime")
    assert (
        paced.lines[0]
        == f"seed 0, realtime yes, dbc chassis_fd.dbc (shipped), simcore {__version__}"
    )
    assert paced.digest == free.digest
    # 10 ms in slices of 5 ms; the first slice only sets the mark from which time is counted.
    assert clock.slept_ns == 5_000_000


# ---- exit codes ----


def test_a_failed_check_is_exit_1_and_shows_measured_and_limit(
    simcore: Simcore, fails: Path
) -> None:
    ended = simcore("run", fails, "--report", "out")
    assert ended.code == 1
    assert re.search(r"FAILED +BRK-001 +81\.7 m +<= 70 m +stopping distance", ended.out)
    assert ended.lines[-2].startswith("FAILED: 1 scenario, 0 passed, 1 failed, 0 errors")
    assert verdicts("out") == {"fails": "failure"}


def test_a_requirement_named_but_never_judged_is_exit_1(simcore: Simcore, write: Write) -> None:
    path = write(
        "forgets.py",
        """
        @scenario(requirements=["DEG-001"])
        def forgets(rig: Rig) -> None:
            rig.run_for(ms(1))
        """,
    )
    ended = simcore("run", path)
    assert ended.code == 1
    assert "FAILED  DEG-001: named by the scenario but never judged" in ended.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--seed", "x"], "Invalid value for '--seed': 'x' is not a valid integer."),
        (["--nothing"], "No such option '--nothing'."),
        (
            ["--log", "trc"],
            "Invalid value for '--log': 'trc' is not one of 'candump', 'asc', 'blf', 'm",
        ),
        (["--stuck-after", "0.5"], "Invalid value for '--stuck-after': 0.5 is not in the range"),
        (["--report"], "Option '--report' requires an argument."),
    ],
)
def test_bad_usage_is_exit_2_and_runs_nothing(
    simcore: Simcore, quick: Path, arguments: list[str], text: str
) -> None:
    ended = simcore("run", quick, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err


def test_a_mixed_run_takes_the_gravest_code_and_reports_everything(
    simcore: Simcore, quick: Path, fails: Path, raises: Path
) -> None:
    assert simcore("run", quick, fails).code == 1
    ended = simcore("run", fails, raises, quick, "missing.py", "--report", "out")
    assert ended.code == 3
    assert verdicts("out") == {
        "missing": "error",
        "fails": "failure",
        "raises": "error",
        "quick": "passed",
    }
    assert ended.lines[-2].startswith("ERROR: 4 scenarios, 1 passed, 1 failed, 2 errors")


# ---- bad databases ----


def broken_reference() -> str:
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    line = next(i for i, text in enumerate(lines) if text.startswith("BO_ 96 "))
    lines[line + 1] = " SG_ nonsense"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (None, r"bad\.dbc: network database: expected a readable DBC file, got No such file"),
        ("folder", r"bad\.dbc: network database: expected a readable DBC file, got Is a direct"),
        (b"\x7fELF\x00\x01", r"bad\.dbc: network database: expected text, got NUL bytes"),
        (b"\x81\x8d", r"bad\.dbc:1: not a valid DBC: Invalid syntax at line 1, column 1"),
        (broken_reference().encode(), r"bad\.dbc:\d+: not a valid DBC: Invalid syntax at line \d+"),
        (
            CODEC.read_bytes(),
            r"bad\.dbc: network database: expected the nodes and messages of the chassis, "
            r"got .*: expected the nodes EMB_FL, EMB_FR, EMB_RL, EMB_RR, BPS, IMU, CDC\n",
        ),
        (
            REFERENCE.read_bytes().replace(b"CDC_EmbCmd", b"CDX_EmbCmd"),
            r"bad\.dbc: network database: expected the nodes and messages of the chassis, got "
            r"\w+: start raised UsageError: unknown message 'CDC_EmbCmd': did you mean",
        ),
    ],
    ids=["missing", "directory", "binary", "no-encoding", "syntax", "other-nodes", "other-names"],
)
def test_a_bad_database_is_exit_3_and_names_file_and_fault(
    simcore: Simcore, quick: Path, make: bytes | str | None, text: str
) -> None:
    bad = Path("bad.dbc")
    if isinstance(make, bytes):
        bad.write_bytes(make)
    elif make == "folder":
        bad.mkdir()
    ended = simcore("run", quick, "--dbc", bad)
    assert ended.code == 3
    assert re.match(f"simcore: {text}", ended.err)
    assert "Traceback" not in ended.out + ended.err
    assert ended.lines == [f"seed 0, realtime no, dbc bad.dbc, simcore {__version__}"]


def test_a_syntax_error_in_a_database_names_its_line(simcore: Simcore, quick: Path) -> None:
    text = broken_reference()
    Path("bad.dbc").write_text(text, encoding="utf-8")
    line = text[: text.index("nonsense")].count("\n") + 1
    error = simcore("run", quick, "--dbc", "bad.dbc").err
    match = re.match(r"simcore: bad\.dbc:(\d+): not a valid DBC", error)
    assert match is not None
    # The parser stumbles over the first word that cannot follow.
    assert int(match[1]) in (line, line + 1)


# ---- bad scenario files ----


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def f(:\n", "bad.py:2: scenario file: expected valid Python, got invalid syntax"),
        (
            "\nx = 1 / 0\n",
            "bad.py:3: scenario file: expected to be read without error, "
            "got ZeroDivisionError: division by zero",
        ),
        (
            "import nothing_of_this_name\n",
            "bad.py:2: scenario file: expected to be read without error, "
            "got ModuleNotFoundError: No module named 'nothing_of_this_name'",
        ),
        (
            "import sys\nsys.exit(0)\n",
            "bad.py:3: scenario file: expected to be read without error, got SystemExit: 0",
        ),
        (
            '@scenario(requirements="BRK-001")\ndef f(rig): ...\n',
            "bad.py:2: scenario file: expected to be read without error, got UsageError: "
            "@scenario: expected a list of requirement ids, got BRK-001",
        ),
        ("x = 1\n", "bad.py: scenario file: expected a function marked with @scenario"),
    ],
)
def test_an_unreadable_scenario_file_is_exit_3_and_the_others_run(
    simcore: Simcore, write: Write, quick: Path, text: str, error: str
) -> None:
    ended = simcore("run", write("bad.py", text), quick, "--report", "out")
    assert ended.code == 3
    assert f"  ERROR  {error}" in ended.lines
    assert verdicts("out") == {"bad": "error", "quick": "passed"}


@pytest.mark.parametrize("name", ["none/missing.py", "./missing", "missing.py"])
def test_a_file_that_does_not_exist_is_named_without_a_traceback(
    simcore: Simcore, name: str
) -> None:
    ended = simcore("run", name)
    assert ended.code == 3
    error = (
        f"  ERROR  {name.removeprefix('./')}: scenario file: expected a Python file, got no such"
    )
    assert f"{error} file" in ended.lines
    assert "Traceback" not in ended.out + ended.err
    assert re.fullmatch("digest [0-9a-f]{32}", ended.lines[-1])


def test_a_file_of_another_kind_is_no_scenario_file(simcore: Simcore) -> None:
    Path("notes.txt").write_text("x", encoding="utf-8")
    ended = simcore("run", "notes.txt")
    assert ended.code == 3
    assert "  ERROR  notes.txt: scenario file: expected a name ending in .py" in ended.lines


# ---- scenarios that go wrong ----


def test_a_scenario_that_raises_is_exit_3_with_its_line_and_what_ran_is_reported(
    simcore: Simcore, raises: Path, quick: Path
) -> None:
    ended = simcore("run", quick, raises, "--report", "out")
    assert ended.code == 3
    assert f"  ERROR  {raises.resolve()}:7: KeyError: 'nothing'" in ended.lines
    assert '        {}["nothing"]' in ended.lines  # from the traceback
    assert re.search("PASSED +BRK-001 +before it raised", ended.out)
    assert verdicts("out") == {"quick": "passed", "raises": "error"}
    assert "KeyError" in Path("out/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("rig.run_for(-1)", "UsageError: run_for: expected a time >= 0 ns, got -1 ns"),
        ("rig.run_for(0.5)", "UsageError: run_for: expected whole ns, as ms(5) or s(2) give, "),
        (
            "rig.run_until(lambda: True, timeout=-1)",
            "UsageError: run_until, timeout: expected whole ns >= 0, got -1",
        ),
        (
            "while True: rig.run_for(0)",
            "StuckError: the script called run_for/run_until 10000 times in a row without "
            "letting time pass; it stands at 5 ms",
        ),
        (
            "while True: rig.run_until(lambda: True, timeout=s(1))",
            "StuckError: the script called run_for/run_until 10000 times in a row without ",
        ),
        ("rig.node('EMB_XX')", "UsageError: node 'EMB_XX': expected one of CDC, CDC2, EMB_FL, "),
        (
            "rig.signal('CDC_EmbCmdd', 'x')",
            "UsageError: unknown message 'CDC_EmbCmdd': did you mean 'CDC_EmbCmd'?",
        ),
        (
            "rig.signal('CDC_EmbCmd', 'CDC_FLFReq')",
            "UsageError: message 0x060 CDC_EmbCmd: unknown signal 'CDC_FLFReq': did you mean "
            "'CDC_FL_FReq'?",
        ),
        (
            "rig.restbus('EPS').set('SAS_Angle', SAS_Angle=1e9)",
            "UsageError: message 0x0b0 SAS_Angle, signal SAS_Angle: expected ",
        ),
        ("rig.vehicle.set_speed(kmh=-1)", "UsageError: vehicle.set_speed: expected 0..300 km/h, "),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import pytest; pytest.fail('no')", "Failed: no"),
        ("rig.check('', True)", "UsageError: check: expected a requirement id"),
    ],
)
def test_a_scenario_that_asks_for_the_impossible_is_exit_3_with_its_line(
    simcore: Simcore, write: Write, statement: str, error: str
) -> None:
    path = write(
        "bad.py",
        f"@scenario\ndef bad(rig: Rig) -> None:\n    rig.run_for(ms(5))\n    {statement}\n",
    )
    ended = simcore("run", path, "--report", "out")
    assert ended.code == 3
    prefix = f"  ERROR  {path.resolve()}:5: {error}".lower()
    assert [line for line in ended.lines if line.lower().startswith(prefix)], ended.out
    assert_reported("out", "bad")
    assert verdicts("out") == {"bad": "error"}


def test_a_node_that_raises_in_receive_is_a_finding_and_the_run_goes_on(
    simcore: Simcore, write: Write
) -> None:
    ended = simcore("run", write("node.py", RAISING_NODE), "--report", "out")
    assert ended.code == 1
    assert re.search(
        r"FINDING  [\d.]+ ms  EMB_FL: receive of Frame\(0x060, .* raised ZeroDivisionError: "
        r"division by zero; the node is switched off",
        ended.out,
    )
    assert re.search("PASSED +BRK-001 +went on without it", ended.out)
    assert verdicts("out") == {"broken_node": "failure"}
    junit = Path("out/junit.xml").read_text(encoding="utf-8")
    assert 'raise ZeroDivisionError("division by zero")' in junit


def test_an_interrupt_reports_what_ran_so_far_and_is_exit_130(
    simcore: Simcore, write: Write
) -> None:
    ended = simcore("run", write("ctrl_c.py", INTERRUPTED), "--report", "out", "--log", "candump")
    assert ended.code == 130
    assert verdicts("out") == {"first": "passed", "interrupted": "error"}
    assert "UserInterruptError: the run was stopped at 7 ms" in ended.out
    assert "never" not in ended.out
    assert re.fullmatch("digest [0-9a-f]{32}", ended.lines[-1])
    assert Path("out/interrupted.log").stat().st_size > 0


def test_an_interrupt_before_the_first_rig_is_exit_130(
    simcore: Simcore, quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("simcore.rig.scenario"), "Rig", interrupted)
    ended = simcore("run", quick)
    assert ended.code == 130
    assert ended.lines[-1] == "No scenario was run."


def test_an_interrupt_while_a_file_is_read_is_exit_130(simcore: Simcore, write: Write) -> None:
    ended = simcore("run", write("bad.py", "raise KeyboardInterrupt\n"))
    assert (ended.code, ended.err) == (130, "\ninterrupted\n")


# ---- defects of simcore ----


def test_a_defect_below_a_scenario_is_exit_70_and_reported(
    simcore: Simcore, quick: Path, fails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("simcore.rig.pins"), "_PLANT_STEP_S", None)
    ended = simcore("run", quick, fails, "--report", "out")
    assert ended.code == 70
    assert "INTERNAL ERROR" in ended.out
    assert "TypeError: " in ended.out


def test_a_defect_in_a_scenario_is_not_a_defect_of_simcore(simcore: Simcore, raises: Path) -> None:
    ended = simcore("run", raises)
    assert "INTERNAL" not in ended.out
    assert ended.code == 3


def test_a_defect_after_a_run_is_exit_70_and_the_runs_before_it_are_reported(
    simcore: Simcore, quick: Path, fails: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig_module = import_module("simcore.rig.rig")
    judge = rig_module.judge

    def breaks(rig: Any, buses: Any) -> Any:
        if rig.checks[0].requirement == "BRK-001":
            raise RuntimeError("planted")
        return judge(rig, buses)

    monkeypatch.setattr(rig_module, "judge", breaks)
    ended = simcore("run", quick, fails, "--report", "out")
    assert ended.code == 70
    assert verdicts("out") == {"quick": "passed"}
    assert ended.err.endswith("simcore: internal error, RuntimeError: planted\n")
    assert "Traceback (most recent call last)" in ended.err


# ---- folders that cannot be written ----


@pytest.mark.parametrize(
    ("place", "reason"), [("quick.py", "File exists"), ("quick.py/out", "Not a directory")]
)
def test_an_unwritable_report_folder_is_found_before_the_run(
    simcore: Simcore, quick: Path, place: str, reason: str
) -> None:
    ended = simcore("run", quick, "--report", place)
    assert ended.code == 3
    assert ended.err == (
        f"simcore: {place}: report folder: expected a folder that can be written, got {reason}\n"
    )
    assert len(ended.lines) == 1  # nothing was run


def test_a_report_folder_without_write_permission_is_found_before_the_run(
    simcore: Simcore, quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    ended = simcore("run", quick, "--report", "out")
    assert ended.code == 3
    assert ended.err == (
        "simcore: out: report folder: expected a folder that can be written, "
        "got no write permission\n"
    )


@pytest.mark.parametrize(
    ("in_the_way", "what", "written"),
    [
        ("report.html", "HTML report", ["junit.xml", "quick.log"]),
        ("junit.xml", "JUnit report", ["quick.log", "report.html"]),
        ("quick.log", "candump log", ["junit.xml", "report.html"]),
    ],
)
def test_a_file_that_cannot_be_written_costs_no_other_and_no_verdict(
    simcore: Simcore, quick: Path, in_the_way: str, what: str, written: list[str]
) -> None:
    Path("out", in_the_way).mkdir(parents=True)
    ended = simcore("run", quick, "--report", "out", "--log", "candump")
    assert ended.code == 3
    assert ended.err == (
        f"simcore: out/{in_the_way}: writing the {what}: expected a path that can be written, "
        "got Is a directory\n"
    )
    assert sorted(path.name for path in Path("out").iterdir() if path.is_file()) == written
    assert ended.lines[-2].startswith("PASSED: 1 scenario")
    assert re.fullmatch("digest [0-9a-f]{32}", ended.lines[-1])


def test_a_scenario_that_judges_nothing_fails(simcore: Simcore, write: Write) -> None:
    nothing = write("nothing.py", "from simcore import scenario\n\n@scenario\ndef idle(rig): ...\n")
    assert simcore("run", nothing).code == 1


def test_an_unknown_requirement_is_said_out_loud(simcore: Simcore, write: Write) -> None:
    text = """
    from simcore import ms, scenario

    @scenario(requirements=["OWN-001"])
    def own(rig):
        rig.run_for(ms(5))
        rig.check("OWN-001", True)
    """
    ended = simcore("run", write("own.py", dedent(text)))
    assert ended.code == 0
    assert "note: requirement OWN-001 is not in the requirement list" in ended.err


def test_every_listed_name_can_be_run(simcore: Simcore) -> None:
    listed = [line.split("  ")[0] for line in simcore("list").lines]
    for name in listed:
        assert simcore("list", name).lines[0].startswith(name)


def test_a_log_node_without_a_log_is_usage(simcore: Simcore, write: Write) -> None:
    ended = simcore("run", str(write("a.py", QUICK_A)), "--log-node", "CDC", "--report", "out")
    assert ended.code == 2
    assert "--log-node: expected --log with it: there is no log to write" in ended.err
