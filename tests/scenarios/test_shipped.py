"""Every shipped scenario passes, and leaves the same digest twice in one process."""

from __future__ import annotations

import pytest

from simcore.resources import scenario_path
from simcore.rig import Scenario, Verdict, load_scenarios, run_scenario

FOLDER = scenario_path("panic_stop.py").parent
SHIPPED = [item for path in sorted(FOLDER.glob("*.py")) for item in load_scenarios(path)]


def test_the_shipped_scenarios_are_these() -> None:
    assert [item.name for item in SHIPPED] == [
        "actuator_bus_off[corner=FL,fault=bus-off]",
        "actuator_bus_off[corner=FL,fault=open]",
        "actuator_bus_off[corner=FL,fault=unplugged]",
        "actuator_bus_off[corner=FL,fault=defective transmitter]",
        "actuator_bus_off[corner=RR,fault=open]",
        "babbling_node",
        "bus_a_shorted[fault=recessive]",
        "bus_a_shorted[fault=dominant]",
        "bus_a_shorted[fault=open]",
        "bus_a_shorted[fault=stuck transceiver]",
        "cdc_lost[moment=braking]",
        "cdc_lost[moment=cruising]",
        "cdc_lost[moment=slip control]",
        "cdc_back[mu=1.05]",
        "cdc_back[mu=0.3]",
        "cruise",
        "low_friction_stop[mu=0.3]",
        "low_friction_stop[mu=0.8]",
        "panic_stop",
        "replay_attack[attack=braking while cruising]",
        "replay_attack[attack=cruising while braking]",
        "silent_actuator[corner=FL]",
        "silent_actuator[corner=FR]",
        "silent_actuator[corner=RL]",
        "silent_actuator[corner=RR]",
        "silent_in_full_stop[corner=FL]",
        "silent_in_full_stop[corner=FR]",
        "silent_in_full_stop[corner=RL]",
        "silent_in_full_stop[corner=RR]",
        "spoofed_command[attack=brake while cruising]",
        "spoofed_command[attack=release while braking]",
        "stop_and_hold",
    ]


def test_each_has_a_title_and_names_what_it_verifies() -> None:
    wanted = {
        "actuator_bus_off": {"DEG-003", "BRK-001", "BRK-002", "COM-001"},
        "babbling_node": {"DEG-003", "COM-001", "BRK-001"},
        "bus_a_shorted": {"DEG-003", "COM-001", "BRK-001"},
        "cdc_lost": {"DEG-002", "BRK-001"},
        "cdc_back": {"DEG-002", "BRK-006"},
        "cruise": {"BRK-003", "COM-001", "SAF-001"},
        "low_friction_stop": {"BRK-006"},
        "panic_stop": {"BRK-001", "BRK-002", "BRK-004", "BRK-005"},
        "replay_attack": {"SEC-001", "COM-002", "BRK-003"},
        "silent_actuator": {"SAF-001", "DEG-001"},
        "silent_in_full_stop": {"DEG-001"},
        "spoofed_command": {"SEC-001", "COM-002", "BRK-003"},
        "stop_and_hold": {"BRK-008"},
    }
    for item in SHIPPED:
        assert item.title.endswith(".")
        assert wanted[item.name.partition("[")[0]] <= set(item.requirements)


@pytest.mark.parametrize("item", SHIPPED, ids=[item.name for item in SHIPPED])
def test_it_passes_and_a_second_run_in_this_process_has_the_same_digest(item: Scenario) -> None:
    first = run_scenario(item, seed=1)
    failed = [check for check in first.checks if not check.passed]
    assert (first.error, failed, first.findings, first.unjudged) == (None, [], (), ())
    assert first.verdict is Verdict.PASSED
    judged = {check.requirement for check in first.checks}
    assert {"COM-001", "COM-LOAD", "BRK-003"} <= judged
    second = run_scenario(item, seed=1)
    assert second.digest == first.digest
    assert (second.duration_ns, second.checks) == (first.duration_ns, first.checks)
