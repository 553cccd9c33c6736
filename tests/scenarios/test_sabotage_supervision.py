"""Scenarios of supervision fail honestly: a mechanism is left out, and its requirements fail.

The sets are exact, as in `test_sabotage`.
"""

from __future__ import annotations

import pytest

from simcore.ecu.cdc.actuators import Actuators
from simcore.ecu.cdc2.application import Application as Standby
from simcore.ecu.runtime.supervision import WatchdogSupervision
from simcore.errors import UsageError
from simcore.resources import scenario_path
from simcore.rig import Scenario, ScenarioResult, Verdict, load_scenarios, run_scenario
from simcore.rig.scenario import RestbusPlan
from simcore.watchdog.error_counter import ErrorCounter
from simcore.watchdog.manager import WatchdogManager

pytestmark = pytest.mark.campaign


def shipped(file: str, name: str) -> Scenario:
    items = load_scenarios(scenario_path(f"{file}.py"))
    return next(item for item in items if item.name == name)


def failed(result: ScenarioResult) -> set[str]:
    """Requirements that failed; the run itself went to its end."""
    assert result.error is None, result.error_detail
    assert result.findings == ()
    names = {check.requirement for check in result.checks if not check.passed}
    assert result.verdict is (Verdict.FAILED if names else Verdict.PASSED)
    return names


def texts(result: ScenarioResult) -> set[str]:
    return {check.text for check in result.checks if not check.passed}


@pytest.mark.parametrize("moment", ["braking", "cruising"])
def test_without_watchdogs_a_hung_controller_stays_hung(moment: str) -> None:
    item = shipped("hung_controller", f"hung_controller[moment={moment}]")
    result = run_scenario(item, without=["watchdog"])
    assert failed(result) == {"WDG-002", "WDG-003"}
    assert result.options["without"] == "watchdog"


@pytest.mark.parametrize("task", ["control", "monitor"])
def test_a_watchdog_manager_that_never_looks_finds_no_skipped_task(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WatchdogManager, "main_function", lambda self, now_ns: ())
    result = run_scenario(shipped("hung_controller", f"skipped_task[task={task}]"))
    assert failed(result) == {"WDG-001", "WDG-002"}


def test_a_first_expired_entity_that_is_forgotten_fails_wdg_001(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WatchdogSupervision, "first_expired_code", 0)
    result = run_scenario(shipped("hung_controller", "skipped_task[task=control]"))
    assert failed(result) == {"WDG-001"}


def test_a_secondary_that_stays_in_standby_is_no_help_when_the_controller_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stay(self: Standby, now_ns: int) -> None:
        self.control = None

    monkeypatch.setattr(Standby, "_take_over", stay)
    item = shipped("hung_controller", "hung_controller[moment=braking]")
    assert "DEG-002" in failed(run_scenario(item))


@pytest.mark.parametrize("node", ["CDC", "EMB_FL"])
def test_a_watchdog_that_forgives_everything_never_opens_the_path(
    node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ErrorCounter, "bad", ErrorCounter.good)
    item = shipped("wrong_answer", f"wrong_answer[node={node},kind=wrong]")
    result = run_scenario(item)
    assert failed(result) == {"WDG-003"}
    assert texts(result) == {"fault to the enable line low", "fault to the safe state"}


def test_a_watchdog_that_forgives_nothing_drops_the_line_at_the_first_wrong_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once = ErrorCounter.bad

    def many(self: ErrorCounter) -> object:
        outcome: object = None
        for _ in range(8):
            outcome = once(self)
        return outcome

    monkeypatch.setattr(ErrorCounter, "bad", many)
    result = run_scenario(shipped("wrong_answer", "few_wrong_answers[node=EMB_FL]"))
    assert "the enable line stays high" in texts(result)
    assert failed(result) == {"WDG-003"}


def test_without_redistribution_the_others_do_not_make_up_for_a_jammed_caliper() -> None:
    item = shipped("jammed_caliper", "jammed_caliper[corner=FL]")
    result = run_scenario(item, without=["redistribution"])
    assert failed(result) == {"SAF-001"}
    assert texts(result) == {"deceleration from FR, RL, RR"}


@pytest.mark.parametrize("name", ["jammed_caliper[corner=RR]", "jammed_shut[corner=RR]"])
def test_a_jammed_caliper_that_nobody_looks_at_is_not_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Actuators, "watch_forces", lambda *arguments, **keywords: None)
    result = run_scenario(shipped("jammed_caliper", name), without=["plausibility", "monitor"])
    assert "SAF-001" in failed(result)
    assert any(text.endswith("to the detection") for text in texts(result))


@pytest.mark.parametrize("kind", ["disagreeing", "stuck", "offset", "noisy"])
def test_without_voting_a_wrong_pedal_channel_is_believed(kind: str) -> None:
    item = shipped("pedal_disagreement", f"pedal_disagreement[kind={kind}]")
    result = run_scenario(item, without=["plausibility"])
    assert failed(result) == {"SAF-003"}
    assert "fault to detection" in texts(result)


@pytest.mark.parametrize("cause", ["software", "power stage"])
def test_without_level_2_an_unintended_clamp_is_not_released(cause: str) -> None:
    item = shipped("unintended_clamp", f"unintended_clamp[corner=FL,cause={cause}]")
    result = run_scenario(item, without=["monitor"])
    assert failed(result) == {"SAF-002", "BRK-003"}
    assert "full current to a clamp force below 500 N for good" in texts(result)


def test_mechanisms_are_left_out_of_the_reference_chassis_only() -> None:
    item = Scenario(
        name="elsewhere", function=print, restbus=RestbusPlan(database="other.dbc"), file=__file__
    )
    with pytest.raises(UsageError, match=r"scenario elsewhere, without: expected a scenario on"):
        run_scenario(item, without=["e2e"])
