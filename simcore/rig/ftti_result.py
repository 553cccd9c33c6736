"""Results of the reaction-time table: samples, cells, requirements, and their verdicts.

Plain data that travels between processes. Not here: what is measured (`ftti`), who measures it
(`ftti_run`), how it is printed (`simcore.report.ftti_*`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from simcore.rig.ftti import NO_REQUIREMENT, POINT_OF, Cell
from simcore.rig.reaction import Reaction
from simcore.units import NS_PER_MS


@unique
class CellVerdict(StrEnum):
    """What a cell's measurements say; the gravest of them counts."""

    PASSED = "passed"
    EXPECTED = "undetected as expected"
    """Nothing was to be detected, and no hazard came."""
    LATE = "late"
    """Detected and safe, but not within the budget."""
    WEAK = "too weak"
    """Detected and safe, but the vehicle cannot be stopped as it should."""
    UNSAFE = "not safe"
    """Detected, but no safe state that lasted."""
    UNDETECTED = "undetected"
    HAZARD = "hazard"
    """The hazardous event came, detected or not."""
    ERROR = "error"
    """It could not be measured."""


_GRAVITY = tuple(CellVerdict)
FULFILLED = (CellVerdict.PASSED, CellVerdict.EXPECTED)
"""What fails nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of a cell."""

    phase_ns: int
    """Where in the controllers' cycles the fault struck."""
    fdti_ns: int | None
    frti_ns: int | None
    fhti_ns: int | None
    hazard_ns: int | None
    """Fault to hazardous event, `None` where that did not come while it counts."""
    detected: str
    safe: str
    """What was observed, empty where nothing was."""
    counted_from_ns: int = 0
    """When the budget begins, after the fault."""
    mfdd_mps2: float | None = None
    """Of a full stop after the fault, where one was made; 0 where the vehicle did not stop."""

    @classmethod
    def of(
        cls,
        reaction: Reaction,
        phase_ns: int,
        hazard_within_ns: int,
        *,
        counted_from_ns: int = 0,
        mfdd_mps2: float | None = None,
    ) -> Sample:
        """The figures of a reaction."""
        hazard_ns = reaction.hazard_after_ns
        counts = hazard_ns is not None and hazard_ns <= hazard_within_ns
        return cls(
            phase_ns=phase_ns,
            fdti_ns=reaction.fdti_ns,
            frti_ns=reaction.frti_ns,
            fhti_ns=reaction.fhti_ns,
            hazard_ns=hazard_ns if counts else None,
            detected="" if reaction.detected is None else reaction.detected.text,
            safe="" if reaction.safe is None else reaction.safe.text,
            counted_from_ns=counted_from_ns,
            mfdd_mps2=mfdd_mps2,
        )

    @property
    def judged_ns(self) -> int | None:
        """Safe state after the instant that begins the budget."""
        return None if self.fhti_ns is None else max(0, self.fhti_ns - self.counted_from_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Smallest, middle and largest of several times."""

    min_ns: int
    median_ns: int
    max_ns: int

    @classmethod
    def of(cls, times_ns: Iterable[int | None]) -> Spread | None:
        """`None` where one of them is missing, or all: a fault missed once has no largest."""
        ordered: list[int] = []
        for time_ns in times_ns:
            if time_ns is None:
                return None
            ordered.append(time_ns)
        if not ordered:
            return None
        ordered.sort()
        half = len(ordered) // 2
        middle_ns = ordered[half]
        if len(ordered) % 2 == 0:
            middle_ns = (ordered[half - 1] + ordered[half]) // 2
        return cls(min_ns=ordered[0], median_ns=middle_ns, max_ns=ordered[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A measured cell. Plain data: it travels between processes."""

    id: str
    row: str
    requirement: str
    place: str
    point: str
    broken: str
    hazard: str
    ftti_ns: int
    fdti_max_ns: int | None
    budget_ns: int
    samples: tuple[Sample, ...] = ()
    counted_from: str = ""
    """Message whose third missed frame begins the budget; empty: the fault does."""
    stop_min_mps2: float | None = None
    """MFDD that a full stop after the fault has to reach."""
    undetected_because: str = ""
    """Why nothing was to be detected; empty where it must be."""
    error: str = ""
    """What went wrong, empty where it was measured."""

    @classmethod
    def of(cls, cell: Cell, samples: Sequence[Sample] = (), error: str = "") -> CellResult:
        """The result of a cell."""
        row = cell.row
        return cls(
            id=cell.id,
            row=row.id,
            requirement=row.requirement,
            place=cell.place,
            point=cell.point.id,
            broken=cell.sentence,
            hazard=row.hazard,
            ftti_ns=row.ftti_ns,
            fdti_max_ns=row.fdti_max_ns,
            budget_ns=row.budget_ns,
            samples=tuple(samples),
            counted_from=row.counted_from,
            stop_min_mps2=None if row.stop_min_mps2 is None else row.stop_min_mps2(cell.place),
            undetected_because=row.undetected_because,
            error=error,
        )

    @property
    def point_text(self) -> str:
        """The operating point in words."""
        return POINT_OF[self.point].text if self.point in POINT_OF else self.point

    @property
    def fdti(self) -> Spread | None:
        """Fault to detection over all samples; `None` where one was undetected."""
        return Spread.of(sample.fdti_ns for sample in self.samples)

    @property
    def fhti(self) -> Spread | None:
        """Fault to safe state over all samples; `None` where one never was detected and safe."""
        return Spread.of(
            None if sample.fdti_ns is None else sample.fhti_ns for sample in self.samples
        )

    @property
    def margin_ns(self) -> int | None:
        """Budget less the largest time that counts; negative where it was overdrawn."""
        spread = Spread.of(
            None if sample.fdti_ns is None else sample.judged_ns for sample in self.samples
        )
        return None if spread is None else self.budget_ns - spread.max_ns

    @property
    def least_mfdd_mps2(self) -> float | None:
        """The weakest stop after the fault; `None` where none was made."""
        made = [each.mfdd_mps2 for each in self.samples if each.mfdd_mps2 is not None]
        return min(made, default=None)

    @property
    def undetected_count(self) -> int:
        """Samples in which nothing was detected."""
        return sum(sample.fdti_ns is None for sample in self.samples)

    @property
    def hazard_count(self) -> int:
        """Samples in which the hazardous event came."""
        return sum(sample.hazard_ns is not None for sample in self.samples)

    @property
    def verdict(self) -> CellVerdict:
        """The gravest over all samples."""
        if self.error or not self.samples:
            return CellVerdict.ERROR
        return max(map(self.sample_verdict, self.samples), key=_GRAVITY.index)

    def sample_verdict(self, sample: Sample) -> CellVerdict:
        """What one measurement says."""
        if sample.hazard_ns is not None:
            return CellVerdict.HAZARD
        if sample.fdti_ns is None:
            return CellVerdict.EXPECTED if self.undetected_because else CellVerdict.UNDETECTED
        judged_ns = sample.judged_ns
        if judged_ns is None:
            return CellVerdict.UNSAFE
        if self._is_weak(sample):
            return CellVerdict.WEAK
        late = self.fdti_max_ns is not None and sample.fdti_ns > self.fdti_max_ns
        return CellVerdict.LATE if late or judged_ns > self.budget_ns else CellVerdict.PASSED

    def _is_weak(self, sample: Sample) -> bool:
        reached = sample.mfdd_mps2
        return self.stop_min_mps2 is not None and (reached is None or reached < self.stop_min_mps2)

    @property
    def remark(self) -> str:
        """What the figures do not say, for people."""
        if self.error:
            return self.error
        parts = [*self._detection_words, *self._origin_words]
        spread = self.fdti
        if self.fdti_max_ns is not None and spread is not None and spread.max_ns > self.fdti_max_ns:
            parts.append("detected too late")
        if self.stop_min_mps2 is not None and self.least_mfdd_mps2 is not None:
            parts.append(
                f"MFDD afterwards {self.least_mfdd_mps2:.2f} m/s2, "
                f"at least {self.stop_min_mps2:.2f} wanted"
            )
        return "; ".join(parts)

    @property
    def _detection_words(self) -> list[str]:
        count, total = self.undetected_count, len(self.samples)
        words = []
        if count:
            expected = " as expected" if self.undetected_because else ""
            which = "" if count == total else f" in {count} of {total}"
            words.append(f"undetected{expected}{which}, {self._hazard_word}")
        elif self.hazard_count:
            words.append(self._hazard_word)
        if self.undetected_because and count < total:
            words.append(f"detected in {total - count} of {total}, though not expected")
        if self.undetected_because:
            words.append(self.undetected_because)
        return words

    @property
    def _origin_words(self) -> list[str]:
        if not self.counted_from or not self.samples:
            return []
        first_ms = min(each.counted_from_ns for each in self.samples) / NS_PER_MS
        return [
            f"budget from the third missed {self.counted_from}, {first_ms:.1f} ms behind the fault"
        ]

    @property
    def _hazard_word(self) -> str:
        times_ns = [sample.hazard_ns for sample in self.samples if sample.hazard_ns is not None]
        if not times_ns:
            return "no hazard within the FTTI"
        return f"hazard after {min(times_ns) / NS_PER_MS:.1f} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementResult:
    """A requirement over all its cells."""

    requirement: str
    cells: tuple[CellResult, ...]

    @property
    def is_judged(self) -> bool:
        """False for the rows that no requirement covers."""
        return self.requirement != NO_REQUIREMENT

    @property
    def word(self) -> str:
        """`passed`, `failed`, or `not judged`."""
        if not self.is_judged:
            return "not judged"
        return "passed" if self.passed else "failed"

    @property
    def passed(self) -> bool:
        """Whether every cell passed, or was undetected as expected."""
        return all(cell.verdict in FULFILLED for cell in self.cells)

    @property
    def expected_count(self) -> int:
        """Cells that were undetected as expected."""
        return sum(cell.verdict is CellVerdict.EXPECTED for cell in self.cells)

    @property
    def passed_count(self) -> int:
        """Cells that passed."""
        return sum(cell.verdict is CellVerdict.PASSED for cell in self.cells)

    @property
    def least_margin_ns(self) -> int | None:
        """The smallest margin of its cells; `None` where one has none."""
        margins = [
            cell.margin_ns for cell in self.cells if cell.verdict is not CellVerdict.EXPECTED
        ]
        known = [margin for margin in margins if margin is not None]
        return min(known) if known and len(known) == len(margins) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FttiResult:
    """The measured table."""

    seed: int
    phases: int
    without: tuple[str, ...]
    cells: tuple[CellResult, ...]

    @property
    def requirements(self) -> tuple[RequirementResult, ...]:
        """By requirement, in the order of the table."""
        names = dict.fromkeys(cell.requirement for cell in self.cells)
        return tuple(
            RequirementResult(
                requirement=name,
                cells=tuple(cell for cell in self.cells if cell.requirement == name),
            )
            for name in names
        )

    @property
    def judged(self) -> tuple[CellResult, ...]:
        """The cells that a requirement covers."""
        return tuple(cell for cell in self.cells if cell.requirement != NO_REQUIREMENT)

    @property
    def passed(self) -> bool:
        """Whether something was judged and all of it passed, and nothing else broke down."""
        return (
            bool(self.judged)
            and all(cell.verdict in FULFILLED for cell in self.judged)
            and all(cell.verdict is not CellVerdict.ERROR for cell in self.cells)
        )
