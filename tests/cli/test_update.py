"""`simcore update`: figures, exit codes, files, and the replay of a walk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from simcore.cli.update import _Display, _verdict
from simcore.rig.update_run import EcuResult, UpdatePlan, UpdateResult
from simcore.update.bundle_phases import BundlePhase
from simcore.update.client_walk import Walk
from simcore.update.replay import WalkScript

if TYPE_CHECKING:
    from tests.cli.conftest import Simcore  # type: ignore[import-not-found]

ONE = ("update", "--nodes", "EMB_FL", "--size", "2K")


def test_an_update_says_how_fast_it_was_and_leaves_what_was_asked_for(
    simcore: Simcore, folder: Path
) -> None:
    ended = simcore(*ONE, "--json", "out.json", "--audit", "logs", "--log", "candump")
    assert ended.code == 0, ended.err
    assert "all 1 ECUs run 1.1.0, signed" in ended.lines
    assert ended.lines[0].startswith("seed 0, 1.1.0 for EMB_FL, 2048 bytes, parked, pace workshop")
    assert "\r" not in ended.err, "no progress where nobody watches"
    data = json.loads((folder / "out.json").read_text())
    (ecu,) = data["ecus"]
    assert data["all_new"] and data["digest"] == ended.digest and not data["findings"]
    assert ecu["bytes"] > 2048 and ecu["version"] == "1.1.0" and ecu["report"] == "accepted"
    assert ecu["share"] == pytest.approx(ecu["kB_per_s"] / ecu["limit_kB_per_s"])
    assert ecu["kB_per_s"] == pytest.approx(ecu["bytes"] / ecu["seconds"] / 1000)
    assert 180 < ecu["limit_kB_per_s"] < 190
    assert ecu["flash_s"] == pytest.approx(-(-ecu["bytes"] // 8) * 16e-6)
    assert ecu["erase_s"] == pytest.approx(0.010), "one sector"
    row = next(line for line in ended.lines if line.startswith("EMB_FL")).split()
    assert row[1:3] == ["1.1.0", str(ecu["bytes"])] and row[-1] == "x"
    audited = simcore("audit", "logs/EMB_FL.audit", "--key", "logs/EMB_FL.key")
    assert audited.code == 0 and "intact" in audited.out
    assert "DIAG" not in ended.out and (folder / "update.log").stat().st_size > 100_000


class EndedAtOnce:
    """Stands for a run: one ECU is new, one went back, and named an attack before."""

    def __init__(self, plan: UpdatePlan, *, watch: object) -> None:
        self.plan = plan
        self.rig = SimpleNamespace(now_ns=0)

    def run(self) -> UpdateResult:
        rows = (("CDC", "1.1.0", "", ""), ("EMB_FL", "1.0.0", "freeze", "self-test: failed"))
        return UpdateResult(
            plan=self.plan,
            ended=BundlePhase.ROLLED_BACK,
            ecus=tuple(
                EcuResult(
                    node=node,
                    version=version,
                    report="accepted",
                    attack=attack,
                    why=why,
                    transfer=None,
                )
                for node, version, attack, why in rows
            ),
            bus_load_ratio=0.5,
            findings=("EMB_FL: raised",),
            digest="d1",
        )


def test_an_update_that_is_rolled_back_is_exit_code_1_with_the_reason(
    simcore: Simcore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simcore.rig.update_run.UpdateRun", EndedAtOnce)
    ended = simcore("update", "--nodes", "CDC,EMB_FL", "--json", "out.json")
    assert ended.code == 1 and ended.digest == "d1"
    assert "rolled back: EMB_FL: self-test: failed" in ended.lines
    assert "EMB_FL: attack refused, freeze (self-test: failed)" in ended.lines
    assert "finding  EMB_FL: raised" in ended.lines
    assert next(line for line in ended.lines if line.startswith("EMB_FL")).split()[1:3] == [
        "1.0.0",
        "-",
    ]
    data = json.loads((folder / "out.json").read_text())
    assert (data["ended"], data["all_new"], data["findings"]) == (
        "ROLLED_BACK",
        False,
        ["EMB_FL: raised"],
    )
    unwritable = simcore("update", "--nodes", "CDC,EMB_FL", "--json", "none/out.json")
    assert unwritable.code == 3 and "a file that can be written" in unwritable.err


def test_a_run_in_which_something_broke_is_no_success_whatever_the_versions_say() -> None:
    result = EndedAtOnce(UpdatePlan(nodes=("CDC", "EMB_FL")), watch=None).run()
    good = replace(result, ecus=result.ecus[:1])
    assert not good.all_new
    assert replace(good, findings=()).all_new and not replace(result, findings=()).all_new


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--nodes", "XYZ"), "update, nodes: expected of CDC, EMB_FL"),
        (("--size", "0"), "no size such as 24K or 2M"),
        (("--size", "24Q"), "no size such as 24K or 2M"),
        (("--pace", "fast"), "workshop"),
        (("--drive", "--pace", "workshop"), "beside all that drives"),
        (("--attack", "nothing"), "freeze_for_days"),
        (("--attack", "freeze_for_days", "--version", "1.1.0"), "version 2.0.0"),
        (("--defect", "EMB_FL"), "self-test-fails, hangs, hangs-at-start"),
        (("--defect", "EMB_FL=healthy"), "self-test-fails, hangs, hangs-at-start"),
        (("--log", "asc"), "candump"),
    ],
)
def test_what_makes_no_sense_is_usage(
    simcore: Simcore, arguments: tuple[str, ...], text: str
) -> None:
    ended = simcore("update", *arguments)
    assert ended.code == 2 and text in ended.err


def test_a_folder_that_cannot_be_is_found_before_the_run(simcore: Simcore, folder: Path) -> None:
    (folder / "taken").write_text("a file")
    ended = simcore(*ONE, "--audit", "taken")
    assert ended.code == 3 and "taken" in ended.err and not ended.out


# ---- replay ----


def write_walk(file: Path, *steps: tuple[object, ...]) -> None:
    file.write_text(WalkScript("single", steps).to_text(), encoding="utf-8")  # type: ignore[arg-type]


def test_a_walk_that_breaks_nothing_ends_with_its_states(simcore: Simcore, folder: Path) -> None:
    name = next(iter(Walk("single").ecus))
    write_walk(folder / "walk.json", ("proceed", name), ("proceed", name))
    ended = simcore("update", "--replay", "walk.json")
    assert ended.code == 0, ended.err
    assert ended.lines[0] == "single: 2 steps"
    assert ended.lines[1].split() == ["1", "proceed", name]
    assert "2 steps, every invariant held" in ended.lines[-1]


def test_a_walk_that_fails_again_says_which_step_and_what(
    simcore: Simcore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(iter(Walk("single").ecus))
    write_walk(folder / "walk.json", *[("proceed", name)] * 3)
    monkeypatch.setattr(Walk, "apply", _broken_at_the_second())
    ended = simcore("update", "--replay", "walk.json")
    assert ended.code == 1
    assert "step 2: a brick" in ended.lines[-1]
    assert [line.split()[0] for line in ended.lines[1:-1]] == ["1", "2"], "what was walked"


def _broken_at_the_second():  # type: ignore[no-untyped-def]
    answers = iter([[], ["a brick"]])

    def apply(self: Walk, step: object) -> list[str]:
        return next(answers)

    return apply


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "world": "moon", "steps": []}'])
def test_what_is_no_walk_is_bad_input(simcore: Simcore, folder: Path, text: str) -> None:
    (folder / "walk.json").write_text(text)
    assert simcore("update", "--replay", "walk.json").code == 3
    assert simcore("update", "--replay", "missing.json").code == 3


# ---- time on the wall ----


def test_wall_time_goes_evenly_between_two_samples() -> None:
    display = _Display(UpdatePlan(nodes=("CDC",)))
    display._times_ns, display._wall_s = [0, 100, 200], [5.0, 6.0, 10.0]
    assert display.wall_s(0, 200) == 5.0
    assert display.wall_s(50, 150) == pytest.approx(2.5)
    assert display.whole == (200e-9, 5.0)


def test_the_verdict_without_any_reason_says_so_all_the_same() -> None:
    result = SimpleNamespace(all_new=False, reasons=(), ended=SimpleNamespace(name="IDLE"))
    assert _verdict(result) == "refused: not every ECU reports the new version"  # type: ignore[arg-type]
