"""Running cases: verdicts, evidence, digests, workers, and what a broken case or module is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from simcore.attach.dut import Dut, dut_of, load_dut
from simcore.ecu import RestbusNode
from simcore.errors import UsageError
from simcore.network import Database
from simcore.testing.conformance import judge as judging
from simcore.testing.conformance.case import Case, Group, Need, StandKind
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.judge import judge
from simcore.testing.conformance.result import CaseResult, CaseVerdict, ConformanceResult
from simcore.testing.conformance.trial import Trial
from simcore.units import ms

EPS = Interface.of(Database.reference(), "EPS")
RESTBUS = dut_of(RestbusNode)
QUICK = ("start.own", "cycle.reference.*", "robust.extended")


def run_of(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Trial], None], dut: Dut = RESTBUS, **more: Any
) -> CaseResult:
    """What becomes of one case of the test's own."""
    made = Case(id="own.case", group=Group.CYCLES, title="it is", run=run, **more)
    monkeypatch.setattr(judging, "plan", lambda interface: [made])
    return judge(EPS, dut).cases[0]


def good(trial: Trial) -> None:
    trial.run_for(ms(10))
    trial.expect(True, text="fine", measured=3.0, limit="<= 5 N")


def test_a_case_that_judges_well_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_of(monkeypatch, good)
    assert result.verdict is CaseVerdict.PASSED
    assert result.duration_ns == ms(10)
    assert result.excerpt == ()
    (judgement,) = result.judgements
    assert (judgement.measured, judgement.limit, judgement.passed) == ("3 N", "<= 5 N", True)
    assert result.replay_command.startswith("simcore conformance --as EPS --dut simcore.ecu.")
    assert result.replay_command.endswith(" --only own.case --seed 0")


def bad(trial: Trial) -> None:
    trial.run_for(ms(30))
    trial.expect(False, text="too slow", measured=7.0, limit="<= 5 ms")
    trial.expect(True, text="fine")
    trial.run_for(ms(200))


def test_one_failed_judgement_fails_the_case_and_shows_the_log_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_of(monkeypatch, bad)
    assert result.verdict is CaseVerdict.FAILED
    assert 1 <= len(result.excerpt) <= 30
    at_ms = [float(line.split(" ms")[0]) for line in result.excerpt]
    moment_ms = result.judgements[0].time_ns / 1e6
    assert all(abs(each - moment_ms) <= 20 for each in at_ms)
    assert any("SAS_Angle" in line and "SAS_Qf" in line for line in result.excerpt)
    assert not any("E2E_CRC" in line for line in result.excerpt)


def nothing(trial: Trial) -> None:
    trial.run_for(ms(1))


def raises(trial: Trial) -> None:
    raise ZeroDivisionError("what now")


def no_bool(trial: Trial) -> None:
    trial.expect(1, text="x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (nothing, "the case has judged nothing"),
        (raises, "ZeroDivisionError: what now"),
        (no_bool, "expect: x: expected True or False, got 1"),
    ],
)
def test_a_broken_case_is_an_error_and_never_passes(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Trial], None], reason: str
) -> None:
    result = run_of(monkeypatch, run)
    assert result.verdict is CaseVerdict.ERROR
    assert reason in result.reason


def no_number(trial: Trial) -> None:
    trial.expect(True, text="x", measured=float("nan"), limit="<= 5 ms")


def test_a_measurement_that_is_no_number_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_of(monkeypatch, no_number).verdict is CaseVerdict.FAILED


def gives_up(trial: Trial) -> None:
    trial.expect(False, text="x")
    trial.not_tested("there is no horn")


def test_a_case_can_end_as_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_of(monkeypatch, gives_up)
    assert (result.verdict, result.reason) == (CaseVerdict.NOT_TESTED, "there is no horn")


class Crashing(RestbusNode):
    """Raises after a while."""

    def on_timer(self, now_ns: int) -> None:
        if now_ns > ms(505):
            raise ValueError("out of luck")
        super().on_timer(now_ns)

    run_due = None  # type: ignore[assignment]


def test_a_module_that_raises_fails_the_case_with_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_of(monkeypatch, good, dut_of(Crashing))
    assert result.verdict is CaseVerdict.FAILED
    assert "EPS: on_timer raised ValueError: out of luck" in result.findings[0]
    assert any("finding" in line for line in result.excerpt)


class Hanging:
    """Always has something to do at an instant that has passed."""

    def start(self, port: Any, now_ns: int) -> None:
        """Nothing to prepare."""

    def receive(self, frame: Any, now_ns: int) -> None:
        """Nothing is of interest."""

    def on_timer(self, now_ns: int) -> None:
        """And nothing gets done."""

    def next_deadline_ns(self) -> int | None:
        return 0


def test_a_module_that_hangs_virtual_time_is_a_finding_and_no_hang(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = run_of(monkeypatch, power_on, dut_of(Hanging), stand=StandKind.COLD)
    assert result.verdict is CaseVerdict.FAILED
    assert "EPS: on_timer raised UsageError: next_deadline_ns after on_timer" in result.findings[0]


def power_on(trial: Trial) -> None:
    trial.power_on()
    good(trial)


def test_only_a_cold_stand_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "power_on: expected a cold stand" in run_of(monkeypatch, power_on).reason


def stuck(trial: Trial) -> None:
    trial.expect(True, text="x")
    while True:
        trial.run_for(0)


def test_time_that_stands_still_ends_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_of(monkeypatch, stuck)
    assert result.verdict is CaseVerdict.FAILED
    assert "without letting time pass" in result.findings[0]


def curves(trial: Trial) -> None:
    trial.curve("force", "N", [0, ms(1)], [1.0, 2.0], {"limit": [3.0, 3.0]})
    trial.expect(True, text="x")


def uneven(trial: Trial) -> None:
    trial.curve("force", "N", [0, ms(1)], [1.0])


def test_curves_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    (curve,) = run_of(monkeypatch, curves).curves
    assert (curve.time_s, curve.values) == ((0.0, 0.001), (1.0, 2.0))
    assert curve.limits == (("limit", (3.0, 3.0)),)
    assert r"curve force: expected equal lengths, got [1, 2]" in run_of(monkeypatch, uneven).reason


@pytest.mark.parametrize(
    ("need", "dut"),
    [
        (Need.FLASH, RESTBUS),
        (Need.WATCHDOG, RESTBUS),
        (Need.DIAGNOSTICS, RESTBUS),
        (Need.SECOND_BUS, RESTBUS),
        (Need.PINS, replace(RESTBUS, has_pins=False)),
        (Need.VIRTUAL_TIME, replace(RESTBUS, kind="can")),
    ],
)
def test_what_the_place_lacks_is_said(
    monkeypatch: pytest.MonkeyPatch, need: Need, dut: Dut
) -> None:
    result = run_of(monkeypatch, good, dut, needs=frozenset({need}))
    assert (result.verdict, result.reason) == (CaseVerdict.NOT_TESTED, f"needs {need}")


def test_frames_and_values_are_those_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_of(monkeypatch, looks)
    assert not [each for each in result.judgements if not each.passed]


def looks(trial: Trial) -> None:
    trial.run_for(ms(100))
    frames = trial.frames("SAS_Angle", trial.start_ns)
    trial.expect(9 <= len(frames) <= 11, text="10 ms", measured=len(frames), limit="10")
    everything = trial.frames("SAS_Angle")
    trial.expect(len(everything) > 55, text="since the beginning", measured=len(everything))
    trial.expect(everything[-len(frames) :] == frames, text="the same frames")
    trial.expect({each.sender for each in frames} == {"EPS"}, text="its own")
    said = {value for _, value in trial.decoded("SAS_Angle", "SAS_Angle", trial.start_ns)}
    trial.expect(said == {-3276.8}, text="not available", measured=str(said))
    trial.expect(trial.frames("CDC_EmbCmd") == [], text="not another node's")
    before = trial.now_ns
    on_ns = trial.power_cycle(ms(20))
    trial.expect(on_ns == before + ms(20), text="off and on")


def test_omitted_cases_say_why_and_unknown_ones_are_noted() -> None:
    result = judge(
        EPS, RESTBUS, only=["start.own"], omit={"start.*": "no bench free", "horn.*": "none"}
    )
    (case,) = result.cases
    assert (case.verdict, case.reason) == (CaseVerdict.NOT_TESTED, "no bench free")
    assert result.verdict is CaseVerdict.NOT_TESTED
    assert "omitted horn.* (none): names no case" in result.notes
    assert "only start.own: the other cases were not run" in result.notes


def test_what_a_module_omits_by_itself_is_not_tested() -> None:
    dut = replace(RESTBUS, omits={"start.own": "we know"})
    assert judge(EPS, dut, only=["start.own"]).cases[0].reason == "we know"


def test_a_pattern_of_no_case_is_refused() -> None:
    with pytest.raises(UsageError, match=r"only 'cycel.\*': .*ids begin with bus, cycle, .*start"):
        judge(EPS, RESTBUS, only=["cycel.*"])
    with pytest.raises(UsageError, match="judge, workers: expected at least 1, got 0"):
        judge(EPS, RESTBUS, workers=0)


def test_progress_is_told() -> None:
    seen: list[tuple[int, int, str]] = []
    judge(EPS, RESTBUS, only=QUICK[:1], on_case=partial(note, seen))
    assert seen == [(1, 1, "start.own")]


def note(seen: list[tuple[int, int, str]], done: int, count: int, result: CaseResult) -> None:
    seen.append((done, count, result.id))


def quick(**more: Any) -> ConformanceResult:
    return judge(EPS, load_dut("reference"), only=QUICK, budget=20, **more)


def test_the_result_names_everything() -> None:
    result = quick(twice=True)
    assert result.verdict is CaseVerdict.PASSED
    assert (result.node, result.role, result.dut) == ("EPS", "node", "reference")
    assert result.database == "chassis_fd.dbc"
    assert "COM-001" in result.requirements
    assert all(result.elsewhere.values())
    assert not set(result.requirements) & set(result.elsewhere)
    assert result.cases_of("COM-001")
    assert quick(seed=1).digest != result.digest


def test_the_digest_is_that_of_any_number_of_workers_and_any_hash_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = quick()
    monkeypatch.setenv("PYTHONHASHSEED", "77")  # of the workers
    assert quick(workers=2).digest == here.digest


def test_the_digest_is_that_of_a_module_that_cannot_be_copied() -> None:
    unforkable = replace(load_dut("reference"), forkable=False)
    assert judge(EPS, unforkable, only=QUICK, budget=20).digest == quick().digest


class Fickle(RestbusNode):
    """Another one every time it is copied."""

    copies = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Fickle:
        type(self).copies += 1
        made = Fickle("EPS", self.database)
        made.set("SAS_Angle", SAS_Angle=float(self.copies))
        return made


def test_a_case_that_comes_out_differently_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Case(id="own.case", group=Group.CYCLES, title="it is", run=restarts)
    monkeypatch.setattr(judging, "plan", lambda interface: [made])
    result = judge(EPS, dut_of(Fickle), twice=True).cases[0]
    assert result.verdict is CaseVerdict.ERROR
    assert "not deterministic: digest" in result.reason


def restarts(trial: Trial) -> None:
    trial.power_cycle(ms(5))
    good(trial)
