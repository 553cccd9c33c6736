"""What README shows was run as written: its examples, its digest, its table of rooms."""

from __future__ import annotations

import re
from pathlib import Path

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
    [(0, set()), (1, {"BRK-002", "COM-001"}), (2, set()), (3, set())],
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


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in (ROOT / "simcore").iterdir() if (path / "__init__.py").exists()}
    shown = set(re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE))
    assert shown == rooms


def test_every_placeholder_is_filled() -> None:
    assert "@@" not in README
