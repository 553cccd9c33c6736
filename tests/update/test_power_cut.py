"""The power-cut sweep: our update passes it, and it finds the bugs that updates have."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from simcore.cli.power_cut import power_cut
from simcore.errors import UsageError
from simcore.update import bootloader as bootloader_module
from simcore.update.boot_trial import begin_try
from simcore.update.bootloader import Bootloader
from simcore.update.flash import CutKind, Flash, PowerLost
from simcore.update.image import Image
from simcore.update.layout import FlashLayout
from simcore.update.power_cut import (
    CaseResult,
    Cut,
    DeviceVerdict,
    Outcome,
    SweepPlan,
    SweepResult,
    count_operations,
    double_cuts,
    run_case,
    run_device,
    single_cuts,
)
from simcore.update.power_cut_run import as_data, sweep
from simcore.update.power_cut_single import Plot, SingleDevice, SingleStory, single_stories
from simcore.update.reset_cause import ResetCause
from simcore.update.security_counter import SecurityCounter
from simcore.update.swap import Swap
from simcore.update.swap_status import StatusLog, SwapStatus
from simcore.update.trailer import SwapType, Trailer

SMALL = {"image_size": 1536, "sector_size": 512}
LEAN = SweepPlan(torn_seeds=1, grid=0)


def swept(story: SingleStory, plan: SweepPlan = LEAN) -> SweepResult:
    return sweep([story], plan)[0]


# ---- our update ----


@pytest.mark.parametrize(
    ("plot", "tries", "unstable"),
    [
        (Plot.TEST, 1, False),
        (Plot.TEST, 3, True),
        (Plot.PERMANENT, 3, False),
        (Plot.REVERT, 3, False),
        (Plot.HANG, 2, False),
        (Plot.REFUSED, 3, False),
    ],
)
def test_power_cut_at_every_flash_operation_leaves_old_or_new_and_every_try(
    plot: Plot, tries: int, unstable: bool
) -> None:
    story = SingleStory(plot=plot, tries=tries, unstable=unstable, **SMALL)
    result = swept(story)
    assert result.passed, result.bad
    assert result.singles == 3 * result.operations[0]
    assert set(result.ends) <= {"old", "new"}
    expected = {"old"} if plot in (Plot.REVERT, Plot.HANG, Plot.REFUSED) else {"new"}
    assert expected <= set(result.ends)
    assert result.wear <= result.uncut_wear + 2


def test_power_cut_twice_leaves_old_or_new() -> None:
    result = swept(SingleStory(plot=Plot.TEST, **SMALL), SweepPlan(torn_seeds=0, grid=5, stride=9))
    assert result.passed, result.bad
    assert result.doubles == 5 * 5 * 4


def test_the_result_does_not_depend_on_the_number_of_processes() -> None:
    stories = [SingleStory(plot=Plot.TEST, **SMALL), SingleStory(plot=Plot.REFUSED, **SMALL)]
    plan = SweepPlan(torn_seeds=1, grid=2, stride=3)
    shown = []
    one = sweep(stories, plan, workers=1, progress=lambda *each: shown.append(each))
    two = sweep(stories, plan, workers=2)
    assert one == two
    assert as_data(one, plan) == as_data(two, plan)
    totals = {name: total for name, _, total in shown}
    assert totals == {result.story: result.cases for result in one}
    assert shown[-1] == (one[-1].story, one[-1].cases, one[-1].cases)


# ---- it finds bugs ----


class StatusBeforeData(Swap):
    def step(self, status: SwapStatus) -> bool:
        if status.steps < 2 * status.sectors:
            self.log.write(status.after(steps=status.steps + 1))
            self._copy(status)
            return False
        return super().step(status)


class CompleteBeforeTrailers(Swap):
    def step(self, status: SwapStatus) -> bool:
        if status.steps == 2 * status.sectors:
            self.log.write(status.after(complete=True))
        return super().step(status)


class OneBank(StatusLog):
    def write(self, status: SwapStatus) -> None:
        for index in range(2):
            self._erase(index)
        self._program(0, 0, status, 1)


class OldBankErasedFirst(StatusLog):
    def write(self, status: SwapStatus) -> None:
        newest = self._newest()
        if newest is not None and newest[1].end + self._unit > self._banks[newest[0]].size:
            self._erase(newest[0])
            self._program(1 - newest[0], 0, status, newest[1].sequence + 1)
        else:
            super().write(status)


class CounterInOneCopy(SecurityCounter):
    def raise_to(self, value: int) -> None:
        copy_ = self._copies[0]
        if self._value(copy_) < value:
            copy_.erase(0, copy_.size)
            self._append(copy_, value)


class MagicFirst(Trailer):
    def write_request(self, *, permanent: bool) -> None:
        self._write_magic()
        if permanent:
            self.write_image_ok()
        self._write(self._swap_info, SwapType.PERM if permanent else SwapType.TEST)


class InPlace(SingleDevice):
    def install(self) -> None:
        running = self.layout.running.on(self.flash)
        running.erase(0, running.size)
        running.program(0, self.new)
        super().install()


class ConfirmFirst(SingleDevice):
    def _on_trial(self, image: Image) -> ResetCause | None:
        self.confirm()
        return super()._on_trial(image)


class CounterFirst(SingleDevice):
    def install(self) -> None:
        super().install()
        self.boot._counter.raise_to(2)


class NeverStarted(SingleDevice):
    def bootloader(self) -> Bootloader:
        boot = super().bootloader()
        return _without_start(boot)


class _WithoutStart(Bootloader):
    __slots__ = ()

    def mark_started(self) -> None:
        pass


def _without_start(boot: Bootloader) -> Bootloader:
    return _WithoutStart(boot.flash, boot.layout, boot.settings)


@dataclass(frozen=True, kw_only=True)
class Planted(SingleStory):
    """A story whose ECU has a bug."""

    swap: type[Swap] = Swap
    log: type[StatusLog] = StatusLog
    counter: type[SecurityCounter] = SecurityCounter
    trailer: type[Trailer] = Trailer
    ecu: type[SingleDevice] = SingleDevice

    def device(self) -> SingleDevice:
        class Buggy(self.ecu):  # type: ignore[name-defined, misc]
            def bootloader(self) -> Bootloader:
                boot: Bootloader = super().bootloader()
                story: Planted = self.story
                boot._swap = story.swap(boot.flash, boot.layout)
                boot._swap.log = story.log(boot.flash, boot.layout)
                boot._counter = story.counter(boot.flash, boot.layout)
                boot._secondary = story.trailer(boot.layout.secondary_trailer.on(boot.flash))
                return boot

        return Buggy(self)


TINY = {"image_size": 2304, "sector_size": 256}


def first_bad(story: SingleStory, torn_seeds: int = 1) -> CaseResult | None:
    """The first run of a sweep that breaks the promise."""
    uncut = count_operations(story)
    if uncut.result.is_bad:
        return uncut.result
    fresh = story.device()
    plan = SweepPlan(torn_seeds=torn_seeds, grid=0)
    runs = (run_device(copy.deepcopy(fresh), case) for case in single_cuts(uncut.operations, plan))
    return next((run for run in runs if run.is_bad), None)


@pytest.mark.parametrize(
    ("story", "complaint"),
    [
        (Planted(plot=Plot.TEST, swap=StatusBeforeData, **SMALL), "runs after 0 tries"),
        (Planted(plot=Plot.TEST, swap=CompleteBeforeTrailers, **SMALL), "without a confirm"),
        (Planted(plot=Plot.TEST, log=OneBank, **SMALL), "no image may run"),
        (Planted(plot=Plot.PERMANENT, log=OldBankErasedFirst, **TINY), "no image may run"),
        (Planted(plot=Plot.PERMANENT, counter=CounterInOneCopy, **SMALL), "no end of the boot"),
        (Planted(plot=Plot.PERMANENT, trailer=MagicFirst, **SMALL), "came on trial"),
        (Planted(plot=Plot.TEST, ecu=InPlace, **SMALL), "no image may run"),
        (Planted(plot=Plot.REVERT, ecu=ConfirmFirst, **SMALL), "the new image stayed"),
        (Planted(plot=Plot.REVERT, ecu=CounterFirst, **SMALL), "no image may run"),
        (Planted(plot=Plot.TEST, tries=2, ecu=NeverStarted, **SMALL), "try 1 after 1 starts"),
    ],
)
def test_a_planted_bug_is_found(story: Planted, complaint: str) -> None:
    found = first_bad(story)
    assert found is not None
    assert complaint in found.verdict.detail


def test_a_try_consumed_before_the_first_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(log: StatusLog, trial: SwapStatus, _: ResetCause) -> int | None:
        return begin_try(log, trial, ResetCause.WATCHDOG)

    monkeypatch.setattr(bootloader_module, "begin_try", greedy)
    one = swept(SingleStory(plot=Plot.TEST, tries=1, **SMALL))
    assert one.other > 0
    assert "the old image runs after 0 tries" in {each.verdict.detail for each in one.bad}
    three = swept(SingleStory(plot=Plot.TEST, tries=3, **SMALL))
    assert three.wrong_tries > 0


# ---- its parts ----


class Toy:
    """Three flash operations on two flashes; anything else about it is told."""

    def __init__(self) -> None:
        layout = FlashLayout.plan(256, sector_size=256, audit_size=256, metadata_size=256)
        self.flashes = (Flash(layout.geometry()), Flash(layout.geometry()))
        self.power_ons: list[ResetCause] = []

    def power_on(self, cause: ResetCause) -> None:
        self.power_ons.append(cause)

    def run_to_end(self) -> None:
        one, other = self.flashes
        for flash, address in ((one, 0), (other, 0), (one, 256)):
            if flash.is_erased(address, 8):
                flash.program(address, bytes(8))

    def verdict(self) -> DeviceVerdict:
        return DeviceVerdict(Outcome.NEW, Outcome.OLD if len(self.power_ons) > 1 else None)


class ToyStory:
    name = "toy"

    def __init__(self) -> None:
        self.made: list[Toy] = []

    def device(self) -> Toy:
        self.made.append(Toy())
        return self.made[-1]


def test_operations_are_counted_per_flash() -> None:
    counted = count_operations(ToyStory())
    assert counted.operations == (2, 1)
    assert counted.result.verdict == DeviceVerdict(Outcome.NEW)


def test_every_cut_is_made_and_counts_from_the_power_on_before_it() -> None:
    story = ToyStory()
    case = (Cut(0, 1, CutKind.BEFORE), Cut(0, 0, CutKind.AFTER))
    result = run_case(story, case)
    toy = story.made[0]
    assert result.reached == 2
    assert toy.power_ons == [ResetCause.POWER_ON] * 3
    assert not toy.flashes[0].is_erased(256, 8)
    late = run_case(story, (Cut(1, 7, CutKind.BEFORE),))
    assert late.reached == 0


def test_all_operations_and_kinds_are_cut() -> None:
    plan = SweepPlan(torn_seeds=2)
    cases = list(single_cuts((2, 1), plan))
    assert len(cases) == len(set(cases)) == 3 * 4
    assert {(cut.flash, cut.operation) for (cut,) in cases} == {(0, 0), (0, 1), (1, 0)}
    assert {cut.kind for (cut,) in cases} == set(CutKind)
    assert len(list(single_cuts((10,), SweepPlan(torn_seeds=0, stride=4)))) == 3 * 2


def test_double_cuts_spread_over_the_first_and_crowd_at_the_begin_of_the_second() -> None:
    cases = list(double_cuts((100,), SweepPlan(grid=6)))
    assert len(cases) == 6 * 6 * 4
    assert sorted({one.operation for one, _ in cases}) == [0, 19, 39, 59, 79, 99]
    assert sorted({two.operation for _, two in cases}) == [0, 1, 2, 3, 51, 99]
    assert list(double_cuts((100,), SweepPlan(grid=0))) == []
    assert len(list(double_cuts((2,), SweepPlan(grid=6)))) == 2 * 2 * 4


def test_results_are_counted_by_what_they_broke() -> None:
    result = SweepResult(story="s", operations=(1,))
    case = (Cut(0, 0, CutKind.BEFORE),)
    verdicts = [
        DeviceVerdict(Outcome.NEW, Outcome.OLD),
        DeviceVerdict(Outcome.BRICK, Outcome.BRICK),
        DeviceVerdict(Outcome.NEW, Outcome.BRICK),
        DeviceVerdict(Outcome.NEW, Outcome.NEW, wrong_tries=2, detail="x"),
        DeviceVerdict(Outcome.OLD, Outcome.OLD, detail="x"),
    ]
    for verdict in verdicts:
        result.add(CaseResult(case, verdict, 1, 3, 5))
    assert (result.bricks, result.wrong_tries, result.other) == (2, 1, 1)
    assert (result.singles, len(result.bad), result.wear) == (5, 4, 3)
    assert result.ends == {"new": 3, "brick": 1, "old": 1}
    assert not result.passed


def test_a_device_that_loses_power_by_itself_is_a_mistake() -> None:
    class Leaking(Toy):
        def run_to_end(self) -> None:
            raise PowerLost(0)

    class Story(ToyStory):
        def device(self) -> Toy:
            return Leaking()

    with pytest.raises(UsageError, match="power cut: expected one per order, got more"):
        run_case(Story(), ())


@pytest.mark.parametrize("name", ["torn_seeds", "grid", "stride"])
def test_an_impossible_plan_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"SweepPlan, {name}: expected at least \d, got -1"):
        SweepPlan(**{name: -1})


def test_other_mistakes_are_refused() -> None:
    with pytest.raises(UsageError, match="sweep, workers: expected an integer >= 1, got 0"):
        sweep([], SweepPlan(), workers=0)
    with pytest.raises(UsageError, match="SingleStory, image_size: expected at least 1024 bytes"):
        SingleStory(plot=Plot.TEST, image_size=100)


def test_stories_have_names_of_their_own_and_devices_copy() -> None:
    stories = single_stories()
    assert len({story.name for story in stories}) == len(stories)
    assert pickle.loads(pickle.dumps(stories)) == stories
    device = copy.deepcopy(stories[0].device())
    device.power_on(ResetCause.POWER_ON)
    device.run_to_end()
    assert device.verdict() == DeviceVerdict(Outcome.NEW)


# ---- the command ----


def stub_stories(monkeypatch: pytest.MonkeyPatch, story: SingleStory) -> None:
    monkeypatch.setattr("simcore.cli.power_cut._stories", lambda _: [story])


def test_the_command_prints_a_table_and_writes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_stories(monkeypatch, SingleStory(plot=Plot.REFUSED, **SMALL))
    arguments = ["--workers", "1", "--torn", "1", "--grid", "0", "--stride", "2"]
    arguments += ["--json", str(tmp_path / "a.json"), "--report", str(tmp_path / "r")]
    result = CliRunner().invoke(power_cut, arguments)
    assert result.exit_code == 0, result.output
    assert "0 bricks, 0 tries consumed wrongly, 0 ended otherwise" in result.output
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["passed"] is True
    assert data["stories"][0]["bricks"] == 0
    assert json.loads((tmp_path / "r" / "power_cut.json").read_text()) == data
    page = (tmp_path / "r" / "power_cut.html").read_text()
    assert "single refused" in page and "passed" in page


def test_the_command_fails_on_a_brick(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_stories(monkeypatch, Planted(plot=Plot.TEST, ecu=InPlace, **SMALL))
    result = CliRunner().invoke(power_cut, ["--workers", "1", "--torn", "0", "--grid", "0"])
    assert result.exit_code == 1, result.output
    assert "no image may run" in result.output
    assert "FAILED" in result.output
