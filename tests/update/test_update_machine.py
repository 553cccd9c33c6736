"""A hypothesis walk over whole updates: commands, cuts, attacks, guards, resets, in any order.

The invariants are those of simcore/update/client_invariants.py. A failure shrinks and is written
as a file that `simcore update --replay FILE` walks again. The budget here is small; thousands of
steps are walked by raising EXAMPLES and STEPS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from simcore.errors import InputError, UsageError
from simcore.update.client import UpdateClient
from simcore.update.client_checks import ImageChecks
from simcore.update.client_ecu import ClientType
from simcore.update.client_install import Installation
from simcore.update.client_walk import COMMANDS, LOST, Step, Walk
from simcore.update.guards import Refused, Row
from simcore.update.replay import WalkScript, read_script, replay

EXAMPLES = 12
STEPS = 30
FAILURES = Path("test-failures")
"""Where a failing walk is written."""

ATTACKS = (
    *("drop_request_for_director_targets", "drop_request_metadata_cut_short"),
    *("drop_request_image_cut_short", "endless_data_image", "endless_data_targets"),
    *("freeze_time_forged", "rollback_all_metadata", "fast_forward_targets"),
    *("arbitrary_software_own_keys", "arbitrary_software_garbage"),
    *("arbitrary_software_unknown_image", "arbitrary_software_swapped_image"),
)


class UpdateMachine(RuleBasedStateMachine):
    """Every rule is a step of a walk."""

    world = "single"
    client_type: ClientType = UpdateClient
    folder = FAILURES

    def __init__(self) -> None:
        super().__init__()
        self.walk = Walk(self.world, type(self).client_type)
        self.names = tuple(self.walk.ecus)
        self.steps: list[Step] = []

    def take(self, *step: str | int | float | bool) -> None:
        self.steps.append(step)
        failures = self.walk.apply(step)
        if failures:
            self.folder.mkdir(exist_ok=True)
            file = self.folder / f"update-walk-{self.world}.json"
            file.write_text(WalkScript(self.world, tuple(self.steps)).to_text(), encoding="utf-8")
            raise AssertionError(f"{'; '.join(failures)}: simcore update --replay {file}")

    def ecu(self, data: Any) -> str:
        return data.draw(st.sampled_from(self.names)) if len(self.names) > 1 else self.names[0]

    @rule(data=st.data())
    def the_tester_goes_on(self, data: Any) -> None:
        self.take("proceed", self.ecu(data))

    @initialize(times=st.integers(0, 5))
    def an_update_is_under_way(self, times: int) -> None:
        for _ in range(times):
            for name in self.names:
                self.take("proceed", name)

    @rule(data=st.data(), turns=st.integers(1, 12))
    def an_ecu_works(self, data: Any, turns: int) -> None:
        self.take("work", self.ecu(data), turns)

    @rule(
        data=st.data(),
        operations=st.integers(0, 25),
        kind=st.sampled_from(("BEFORE", "TORN", "AFTER")),
        seed=st.integers(0, 3),
    )
    def power_will_be_cut(self, data: Any, operations: int, kind: str, seed: int) -> None:
        self.take("cut", self.ecu(data), operations, kind, seed)

    @rule(data=st.data(), what=st.sampled_from((*COMMANDS, "approve", "decline", "begin")))
    def a_command_comes(self, data: Any, what: str) -> None:
        self.take("command", self.ecu(data), what)

    @rule(data=st.data(), where=st.sampled_from(("next", "again", "ahead", "endless")))
    def a_block_comes(self, data: Any, where: str) -> None:
        self.take("block", self.ecu(data), where)

    @rule(data=st.data(), row=st.sampled_from(("", *LOST)))
    def a_guard_changes(self, data: Any, row: str) -> None:
        self.take("guard", self.ecu(data), row)

    @rule(data=st.data(), attack=st.sampled_from(("", *ATTACKS)))
    def metadata_come(self, data: Any, attack: str) -> None:
        self.take("metadata", self.ecu(data), attack)

    @rule(data=st.data(), passed=st.booleans())
    def the_self_test_ends(self, data: Any, passed: bool) -> None:
        self.take("self_test", self.ecu(data), passed)

    @rule(data=st.data())
    def the_tasks_go_round(self, data: Any) -> None:
        self.take("alive", self.ecu(data))

    @rule(data=st.data(), cause=st.sampled_from(("POWER_ON", "WATCHDOG", "SOFTWARE", "BROWN_OUT")))
    def an_ecu_resets(self, data: Any, cause: str) -> None:
        self.take("reset", self.ecu(data), cause)

    @rule(duration_s=st.sampled_from((1, 11, 61, 700, 4_000, 700_000)))
    def time_passes(self, duration_s: int) -> None:
        self.take("time", duration_s * 1_000_000_000)


class BundleMachine(UpdateMachine):
    """The same with a coordinator, a controller and an actuator."""

    world = "bundle"

    @rule(times=st.integers(1, 5))
    def the_bundle_goes_on(self, times: int) -> None:
        for _ in range(times):
            self.all_go_on_and_talk(False)

    @rule(reverse=st.booleans())
    def all_go_on_and_talk(self, reverse: bool) -> None:
        for name in self.names:
            self.take("proceed", name)
        self.take("talk", reverse)

    @rule(index=st.integers(0, 19))
    def an_order_comes_late(self, index: int) -> None:
        self.take("old_order", index)

    @rule()
    def the_bundle_is_given_up(self) -> None:
        self.take("abandon")


class StrangerMachine(UpdateMachine):
    """Everything is signed but the image, which is a stranger's."""

    world = "stranger"


def run(machine: type[UpdateMachine], examples: int = EXAMPLES, *, shrinks: bool = True) -> None:
    phases = [Phase.generate, Phase.shrink] if shrinks else [Phase.generate]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


@pytest.mark.parametrize("machine", [UpdateMachine, BundleMachine, StrangerMachine])
def test_every_invariant_holds_on_any_walk(machine: type[UpdateMachine]) -> None:
    run(machine)


# ---- planted bugs ----


class NoSignature(UpdateClient):
    """Takes any image of the right hash."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._checks = Credulous(self.settings)


class Credulous(ImageChecks):
    def failure(self, check: str, *rest: Any) -> None:
        return None

    def staged(self, *rest: Any) -> None:
        return None


class NoGuard(UpdateClient):
    """Activates whatever the vehicle does."""

    def _refusal(self, guard: tuple[Row, ...], now_ns: int) -> Refused | None:
        return None


class EarlyConfirm(UpdateClient):
    """Confirms before the self-test has passed."""

    def alive_cycle(self, now_ns: int) -> None:
        self._self_test = True
        super().alive_cycle(now_ns)


class InPlace(UpdateClient):
    """Installs into the slot that runs."""

    def _installation(self) -> Installation:
        layout = self.layout
        return Installation(
            layout.download.on(self._flash),
            layout.primary.on(self._flash),
            start=0,
            size=self.record.size,
            done=self.record.offset // layout.sector_size,
            tries_max=self.settings.sector_tries,
        )


SABOTAGES: dict[str, tuple[type[UpdateClient], type[UpdateMachine], str]] = {
    "signature check off": (NoSignature, StrangerMachine, r"\(0\)"),
    "guard off": (NoGuard, UpdateMachine, r"\(5\)"),
    "confirm before self-test": (EarlyConfirm, UpdateMachine, r"\(4\)"),
    "in-place write of the running slot": (InPlace, UpdateMachine, r"\(1\)"),
}


def sabotaged(name: str, folder: Path) -> type[UpdateMachine]:
    client_type, machine, _ = SABOTAGES[name]
    return type("Sabotaged", (machine,), {"client_type": client_type, "folder": folder})


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_planted_bug_is_found(name: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=SABOTAGES[name][2]):
        run(sabotaged(name, tmp_path), 100, shrinks=False)


def test_a_planted_bug_is_shrunk_and_its_file_replays_to_the_same_failure(tmp_path: Path) -> None:
    name = "in-place write of the running slot"
    with pytest.raises(
        AssertionError, match=r"\(1\) EMB_FL: the running slot was written"
    ) as found:
        run(sabotaged(name, tmp_path), 40)
    file = tmp_path / "update-walk-single.json"
    assert str(file) in str(found.value)
    script = read_script(file)
    assert len(script.steps) <= 6, "shrunk"
    again = replay(script, SABOTAGES[name][0])
    assert again == replay(script, SABOTAGES[name][0])
    assert again.failures[0] == "(1) EMB_FL: the running slot was written"
    assert again.steps == len(script.steps)
    assert replay(script).passed, "the same walk without the bug"


# ---- the file ----


def test_a_walk_survives_its_file(tmp_path: Path) -> None:
    script = WalkScript(
        "bundle",
        (("proceed", "EMB_FL"), ("cut", "CDC", 3, "TORN", 1), ("talk", True), ("time", 10**9)),
    )
    file = tmp_path / "walk.json"
    file.write_text(script.to_text(), encoding="utf-8")
    assert read_script(file) == script
    result = replay(script)
    assert result.passed and result.steps == 4
    assert "4 steps, every invariant held; EMB_FL PENDING_CONSENT 1.0.0, CDC IDLE" in str(result)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"walk\.json: walk: expected a JSON file"),
        ("[]", r"walk\.json: walk: expected format 1 with steps, got \[\]"),
        ('{"format": 2, "steps": []}', "walk: expected format 1 with steps"),
        (
            '{"format": 1, "world": "moon", "steps": []}',
            "walk, world: expected single or stranger or bundle, got moon",
        ),
        (
            '{"format": 1, "world": "single", "steps": ["x"]}',
            "walk, steps: expected lists that begin with a name",
        ),
    ],
)
def test_a_file_that_is_no_walk_is_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "walk.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_script(file)


def test_steps_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="step of a walk: expected command or metadata or"):
        replay(WalkScript("single", (("fly",),)))
    with pytest.raises(InputError, match="step work: expected its arguments"):
        replay(WalkScript("single", (("work", "EMB_FL"),)))
    with pytest.raises(UsageError, match="walk: expected single or stranger or bundle, got moon"):
        Walk("moon")
