"""The kit kills mutants: a sample, on the cases that should do it; all of them: `make mutants`."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from simcore.errors import UsageError
from simcore.network import Database
from simcore.rig.requirements import load_requirements
from tests.mutants import c_actuators, run
from tests.mutants.catalogue import ACTUATORS, CONTROLLERS, MUTANTS, SOUND, named
from tests.mutants.judging import Kill, Outcome, examine

SAMPLE = {
    "CycleTooLong": "cycle.reference.*",
    "UnknownFrame": "start.own",
    "CounterStuck": "e2e.transmit.counter.EMB_FL_St1",
    "RepeatedAccepted": "e2e.receive.CDC_EmbCmd.repeated",
    "TimeoutLate": "redundancy.lane.*",
    "ForceTooSmall": "control.step.*",
}
"""Cases that shall kill each."""


def test_there_are_enough_mutants_of_both_kinds_each_with_a_name_and_a_defect_of_its_own() -> None:
    assert len(ACTUATORS) >= 44
    assert len(CONTROLLERS) >= 24
    everything = (*MUTANTS, *c_actuators.PATCHES)
    assert len({each.name for each in everything}) == len(everything)
    assert len({(each.defect, each.violates) for each in MUTANTS}) > 0.8 * len(MUTANTS)


def test_every_mutant_travels_to_workers_and_violates_requirements_of_the_list() -> None:
    known = set(load_requirements())
    for mutant in MUTANTS:
        assert pickle.loads(pickle.dumps(mutant)) == mutant
        node: Any = mutant.module(mutant.node, Database.reference())
        assert type(pickle.loads(pickle.dumps(node))) is mutant.module
        assert mutant.defect.endswith("."), mutant.name
        assert set(mutant.violates) <= known, mutant.name


def test_every_change_of_the_c_actuator_fits_its_source() -> None:
    sound = c_actuators.patched(None)
    for patch in c_actuators.PATCHES:
        assert c_actuators.patched(patch) != sound


def test_change_that_fits_nowhere_is_refused() -> None:
    patch = c_actuators.Patch(
        name="CNone", defect="", violates=(), old="no such line", new="another one"
    )
    with pytest.raises(UsageError, match="mutant CNone: expected once 'no such line', got 0 times"):
        c_actuators.patched(patch)


@pytest.mark.parametrize("name", SAMPLE)
def test_mutant_is_failed_by_a_case_of_the_right_requirement(name: str) -> None:
    outcome = examine(named(name), cases=SAMPLE[name], quick=True)
    assert outcome.is_killed, outcome
    assert not outcome.errors


def test_module_behind_an_altering_port_that_alters_nothing_passes() -> None:
    for pattern in ("e2e.transmit.counter.EMB_FL_St1", "redundancy.lane.primary_back"):
        outcome = examine(named("UnalteredEmb"), cases=pattern)
        assert outcome.ran
        assert outcome.is_sound, outcome


# -- what the runner says --


def outcome(name: str, *kills: Kill, errors: tuple[str, ...] = ()) -> Outcome:
    return Outcome(mutant=named(name), ran=3, kills=kills, errors=errors)


RIGHT = Kill(case="cycle.x", requirements=("COM-001",), reason="6 ms")
WRONG = Kill(case="layout.x", requirements=("COM-007",), reason="?")


def test_run_fails_for_a_survivor_and_for_one_that_only_other_requirements_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    killed = outcome("CycleTooLong", RIGHT)
    assert run._summary([killed, outcome("UnalteredEmb")], 1.0) == 0
    assert run._summary([killed, outcome("CycleDrifts")], 1.0) == 1
    assert run._summary([killed, outcome("CycleDrifts", WRONG)], 1.0) == 1
    said = capsys.readouterr().out
    assert "killed 1 of 1 mutants (100.0 %), in 1 s" in said
    assert "survivor CycleDrifts [COM-011 COM-001 COM-005]: Sends its status ever more" in said
    assert "failed only by layout.x" in run._line(outcome("CycleDrifts", WRONG))


def test_run_fails_for_a_sound_module_that_is_failed_or_whose_case_raises(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run._summary([outcome("UnalteredEmb", WRONG)], 1.0) == 1
    assert run._summary([outcome("UnalteredEmb", errors=("x: boom",))], 1.0) == 1
    assert "wrongly failed: UnalteredEmb" in capsys.readouterr().out
    assert all(not each.violates for each in SOUND)


def test_run_says_where_no_mutant_has_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--only", "Nobody"]) == 2
    assert "no mutant is called Nobody" in capsys.readouterr().err
