"""What README shows was run as written: its examples, its digest, its table of rooms."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from simcore import load_scenarios, run_scenario
from simcore.resources import scenario_path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_digest_shown_is_that_of_the_demo() -> None:
    (item,) = load_scenarios(scenario_path("panic_stop.py"))
    assert f"digest {run_scenario(item).digest}" in README


@pytest.mark.parametrize(
    ("index", "failed"),
    [(0, set()), (1, {"BRK-002", "COM-001"}), (3, set()), (4, set())],
    ids=["a scenario", "a module of your own", "a reaction time", "an update"],
)
def test_an_example_does_what_the_text_says(index: int, failed: set[str], tmp_path: Path) -> None:
    file = tmp_path / f"example_{index}.py"
    file.write_text(EXAMPLES[index], encoding="utf-8")
    (item,) = load_scenarios(file)
    result = run_scenario(item)
    assert result.error is None, result.error_detail
    assert {check.requirement for check in result.checks if not check.passed} == failed


def test_the_two_lines_put_a_module_under_supervision(tmp_path: Path) -> None:
    lines = re.findall(r"^rig\.(?:replace|guard)\(.*\)$", README, re.MULTILINE)
    assert len(lines) == 2
    file = tmp_path / "guarded.py"
    text = EXAMPLES[1].replace('rig.replace("EMB_FL", MyActuator())', "\n    ".join(lines))
    imports = (
        "from simcore.ecu import Supervised, alive_supervision\nfrom simcore.watchdog import fs65\n"
    )
    file.write_text(imports + text, encoding="utf-8")
    (item,) = load_scenarios(file)
    result = run_scenario(item)
    assert result.error is None, result.error_detail
    texts = [event.text for event in result.events if event.source == "EMB_FL"]
    assert any(text.startswith("supervision") and "OK" in text for text in texts)
    assert any("enable line high" in text or "INIT -> NORMAL" in text for text in texts)
    assert not any("FAILED" in text or "EXPIRED" in text for text in texts)


# ---- the three stories ----


def story(title: str) -> list[str]:
    """The commands below a title, a line each."""
    block = README.partition(f"**{title}**")[2].partition("```\n")[2].partition("```")[0]
    lines = block.splitlines()
    assert 0 < len(lines) < 10
    return lines


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stories use of this checkout, with the module built."""
    if shutil.which("cc") is None or shutil.which("make") is None:
        pytest.skip("no C compiler, or no make")
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "scenarios", folder / "scenarios", ignore=ignored)
    project = Path("tests", "data", "example_project")
    shutil.copytree(ROOT / project, folder / project, ignore=ignored)
    (make,) = [line for line in story("At the desk") if line.startswith("make ")]
    called(make, folder)
    return folder


def called(line: str, folder: Path, *more: str) -> str:
    """Run a line of README; what it printed."""
    words = [*shlex.split(line), *more]
    door = "import sys; from simcore.cli.main import main; sys.argv[0] = 'simcore'; main()"
    if words[0] == "simcore":
        words = [sys.executable, "-c", door, *words[1:]]
    elif words[0] == "python":
        words = [sys.executable, *words[1:], "-p", "no:cacheprovider"]
        words += ["-p", "simcore.testing.plugin"]
    elif words[0] == "make":
        words.append(f"PYTHON={sys.executable}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def test_the_story_at_the_desk_runs_as_written(checkout: Path) -> None:
    said = [called(line, checkout) for line in story("At the desk")[1:]]
    assert "PASSED: 1 scenario, 1 passed" in said[0]
    assert "in the place of EMB_FL (actuator)" in said[1] and "PASSED: " in said[1]
    assert (checkout / "build" / "icd.html").exists()


def test_the_story_in_ci_runs_as_written(checkout: Path) -> None:
    """But for the choice of cases: all of them take a minute."""
    judge, test = story("In CI")
    assert "PASSED: " in called(judge, checkout, "--only", "start.*", "--workers", "1")
    written = {path.suffix for path in (checkout / "build" / "conformance").iterdir()}
    assert written == {".html", ".xml", ".json", ".csv", ".reqif"}
    assert " passed" in called(test, checkout)
    tree = ElementTree.parse(checkout / "build" / "junit.xml")
    named = {each.get("value") for each in tree.getroot().iter("property")}
    assert {"BRK-001", "BRK-004", "BRK-005", "COM-004", "DIA-001", "ROB-001"} <= named


def test_the_story_of_fuzzing_runs_as_written(checkout: Path) -> None:
    """But for the number of sequences."""
    text = EXAMPLES[2] + "\nfrom hypothesis import settings\n"
    text += "TestFuzz.settings = settings(max_examples=2, stateful_step_count=4, deadline=None)\n"
    (checkout / "test_fuzz.py").write_text(text, encoding="utf-8")
    (command,) = re.findall(r"`(python -m pytest test_fuzz.py)`", README.replace("\n", " "))
    assert " passed" in called(command, checkout)


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in (ROOT / "simcore").iterdir() if (path / "__init__.py").exists()}
    shown = set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))
    assert shown == rooms


def test_every_placeholder_is_filled() -> None:
    assert "@@" not in README
