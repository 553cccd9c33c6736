"""Cuts power at every flash operation of an update, and says what became of it.

A story is run once without a cut and its flash operations are counted. Then it is run anew for
every one of them: power cut before it, inside it (torn, several seeds) and after it, and a second
time during the recovery on a grid; each time to the end. What runs behind a `Device` is not known
here: a bare bootloader, a whole update client, a vehicle.

A device with several flashes has one supply: a cut at an operation of one stops all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Protocol, runtime_checkable

from simcore.errors import UsageError
from simcore.update.flash import CutKind, Flash, FlashMisuse, PowerCut, PowerLost
from simcore.update.reset_cause import ResetCause

RESTARTS_MOST = 4
"""Power cuts beyond those ordered: a run that has more of them is broken."""


@unique
class Outcome(StrEnum):
    """What runs."""

    OLD = "old"
    NEW = "new"
    BRICK = "brick"
    """Nothing, or something that is neither, or a mixture in a vehicle."""


@dataclass(frozen=True, slots=True)
class DeviceVerdict:
    """How a device stands at the end of a run."""

    outcome: Outcome
    first: Outcome | None = None
    """What ran first after the (last) power cut; `None` without one."""
    wrong_tries: int = 0
    """Tries that were consumed without a start, or given back after one."""
    detail: str = ""
    """What is wrong, for people; empty for a run that is as it should be."""


class Device(Protocol):
    """One ECU, or a vehicle, in the middle of the world's update. Deep-copyable."""

    @property
    def flashes(self) -> Sequence[Flash]:
        """All flash devices, always in the same order."""

    def power_on(self, cause: ResetCause) -> None:
        """Supply is there (again): nothing is left but what is in flash."""

    def run_to_end(self) -> None:
        """Go on until there is nothing more to do. Raises `PowerLost` where power is cut."""

    def verdict(self) -> DeviceVerdict:
        """How it ended."""


@runtime_checkable
class PhasedDevice(Protocol):
    """A `Device` that can say what it is at."""

    @property
    def flash_names(self) -> Sequence[str]:
        """Whose flashes they are, in their order; empty for one."""

    def phase(self, flash: int) -> str:
        """What whoever writes to this flash is at: a state of the update, `boot`."""


class Story(Protocol):
    """An update to cut into: picklable, so that it travels to another process."""

    @property
    def name(self) -> str:
        """What is told."""

    def device(self) -> Device:
        """A new device before it is switched on."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A power cut: at the operation `operation` of flash `flash`, counted from the power-on."""

    flash: int
    operation: int
    kind: CutKind
    seed: int = 0

    def __str__(self) -> str:
        seed = f" seed {self.seed}" if self.kind is CutKind.TORN else ""
        where = f"flash {self.flash} " if self.flash else ""
        return f"{where}operation {self.operation} {self.kind.name.lower()}{seed}"


Case = tuple[Cut, ...]
"""The cuts of one run; each counts from the power-on after the one before."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one run came to."""

    case: Case
    verdict: DeviceVerdict
    reached: int
    """How many of the cuts happened: a recovery may be over before the second one."""
    wear: int
    """The largest number of erases of a sector."""
    operations: int
    """Flash operations from the last power-on to the end, all flashes."""
    phase: str = ""
    """What the device that was cut first was at; empty without a cut, or where it does not say."""

    @property
    def is_bad(self) -> bool:
        """Whether it breaks the promise."""
        verdict = self.verdict
        return (
            verdict.outcome is Outcome.BRICK
            or verdict.first is Outcome.BRICK
            or verdict.wrong_tries > 0
            or verdict.detail != ""
        )


def run_case(story: Story, case: Case) -> CaseResult:
    """Run a story with these cuts."""
    return run_device(story.device(), case)


def run_device(device: Device, case: Case) -> CaseResult:
    """The same with a device that was not switched on yet. The device is used up."""
    reached = 0
    phase = ""
    verdict: DeviceVerdict | None = None
    base = _arm(device, case, reached)
    device.power_on(ResetCause.POWER_ON)
    while verdict is None:
        try:
            device.run_to_end()
            verdict = device.verdict()
        except PowerLost:
            if not reached and case and isinstance(device, PhasedDevice):
                phase = device.phase(case[0].flash)
            reached += 1
            if reached > len(case) + RESTARTS_MOST:
                raise UsageError("power cut", expected="one per order", got="more") from None
            base = _arm(device, case, reached)
            device.power_on(ResetCause.POWER_ON)
        except FlashMisuse as misuse:
            verdict = DeviceVerdict(Outcome.BRICK, detail=str(misuse))
    if not phase and case and isinstance(device, PhasedDevice):
        phase = device.phase(case[0].flash)  # one of several ECUs lost power, and went on
    wear = max(flash.worst_wear for flash in device.flashes)
    spent = sum(flash.operations for flash in device.flashes) - sum(base)
    return CaseResult(case, verdict, reached, wear, spent, phase)


def _arm(device: Device, case: Case, number: int) -> list[int]:
    """Order the next cut; the operations so far."""
    for flash in device.flashes:
        flash.cut = None
    base = [flash.operations for flash in device.flashes]
    if number < len(case):
        cut = case[number]
        flash = device.flashes[cut.flash]
        flash.cut = PowerCut(base[cut.flash] + cut.operation, cut.kind, cut.seed)
    return base


# ---- which cases ----


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """How dense a sweep is."""

    torn_seeds: int = 8
    """Torn runs per operation."""
    grid: int = 16
    """Operations per axis at which power is cut twice; 0: no double faults."""
    seed: int = 0
    """Added to every torn run's seed."""
    stride: int = 1
    """Every how many operations; 1: all of them."""

    def __post_init__(self) -> None:
        least = {"torn_seeds": 0, "grid": 0, "stride": 1}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise UsageError(
                    f"SweepPlan, {name}", expected=f"at least {lowest}", got=getattr(self, name)
                )


@dataclass(frozen=True, slots=True)
class Counted:
    """The run without a cut."""

    operations: tuple[int, ...]
    """Per flash."""
    result: CaseResult
    flash_names: tuple[str, ...] = ()


def count_operations(story: Story) -> Counted:
    """Run a story once without a cut."""
    device = story.device()
    result = run_device(device, ())
    names = tuple(device.flash_names) if isinstance(device, PhasedDevice) else ()
    return Counted(tuple(flash.operations for flash in device.flashes), result, names)


def single_cuts(operations: Sequence[int], plan: SweepPlan) -> Iterator[Case]:
    """One cut per run: every operation, before, torn and after."""
    for flash, count in enumerate(operations):
        for operation in range(0, count, plan.stride):
            yield from ((cut,) for cut in _cuts(flash, operation, plan))


def _cuts(flash: int, operation: int, plan: SweepPlan) -> Iterator[Cut]:
    yield Cut(flash, operation, CutKind.BEFORE)
    for number in range(plan.torn_seeds):
        yield Cut(flash, operation, CutKind.TORN, plan.seed + number)
    yield Cut(flash, operation, CutKind.AFTER)


_PAIRS = (
    (CutKind.BEFORE, CutKind.BEFORE),
    (CutKind.TORN, CutKind.TORN),
    (CutKind.TORN, CutKind.AFTER),
    (CutKind.AFTER, CutKind.TORN),
)


def double_cuts(operations: Sequence[int], plan: SweepPlan) -> Iterator[Case]:
    """Two cuts per run, on a grid over the first and, dense at its start, the second."""
    if not plan.grid:
        return
    for flash, count in enumerate(operations):
        for row, first in enumerate(_spread(count, plan.grid)):
            for column, second in enumerate(_growing(count, plan.grid)):
                for pair, (one, two) in enumerate(_PAIRS):
                    seed = plan.seed + 1009 * row + 31 * column + pair
                    yield Cut(flash, first, one, seed), Cut(flash, second, two, seed + 1)


def _spread(count: int, points: int) -> list[int]:
    """`points` numbers evenly over 0..count-1."""
    if count <= points:
        return list(range(count))
    return sorted({(count - 1) * index // max(1, points - 1) for index in range(points)})


def _growing(count: int, points: int) -> list[int]:
    """0, 1, 2, ... then wider and wider: a recovery is most fragile at its beginning."""
    found = list(range(min(count, points // 2)))
    if len(found) < count and points > len(found):
        rest = _spread(count - len(found), points - len(found))
        found += [len(found) + each for each in rest]
    return found


# ---- what came out ----


@dataclass(slots=True, kw_only=True)
class SweepResult:
    """The sum over all runs of a story."""

    story: str
    operations: tuple[int, ...]
    singles: int = 0
    doubles: int = 0
    first: dict[str, int] = field(default_factory=dict)
    """What ran first after the cut, how often."""
    ends: dict[str, int] = field(default_factory=dict)
    """What ran at the end."""
    bricks: int = 0
    wrong_tries: int = 0
    other: int = 0
    """Runs that ended otherwise than they had to, neither bricks nor wrong tries."""
    wear: int = 0
    """The largest number of erases of a sector in any run."""
    uncut_wear: int = 0
    bad: list[CaseResult] = field(default_factory=list)
    """The first of the runs that broke the promise."""
    flash_names: tuple[str, ...] = ()
    every: list[CaseResult] = field(default_factory=list)
    """All runs, in the order of the plan: what the report draws."""

    BAD_KEPT = 20

    @property
    def passed(self) -> bool:
        """Whether every run kept the promise."""
        return not (self.bricks or self.wrong_tries or self.other)

    @property
    def cases(self) -> int:
        """How many runs."""
        return self.singles + self.doubles

    def add(self, result: CaseResult) -> None:
        """Count one run."""
        verdict = result.verdict
        self.every.append(result)
        if len(result.case) > 1:
            self.doubles += 1
        else:
            self.singles += 1
        if verdict.first is not None:
            self.first[verdict.first.value] = self.first.get(verdict.first.value, 0) + 1
        self.ends[verdict.outcome.value] = self.ends.get(verdict.outcome.value, 0) + 1
        self.wear = max(self.wear, result.wear)
        if Outcome.BRICK in (verdict.outcome, verdict.first):
            self.bricks += 1
        elif verdict.wrong_tries:
            self.wrong_tries += 1
        elif verdict.detail:
            self.other += 1
        if result.is_bad and len(self.bad) < self.BAD_KEPT:
            self.bad.append(result)
