"""Reaction time: a fault is injected, and the run says when it was detected and when all is safe.

Terms of ISO 26262-1: fault detection time interval FDTI (fault to detection, 3.55), fault reaction
time interval FRTI (detection to safe state, 3.59), fault handling time interval FHTI (their sum,
3.56), which has to be shorter than the fault tolerant time interval FTTI (3.61).

A detection is an edge: what held before the fault was not caused by it. The safe state is a level:
it is reached when its condition began to hold for the last time, and counts only where it holds to
the end of the observation. It is never before the detection: a vehicle that is safe by chance until
somebody notices has not been made safe. An undetected fault has neither FDTI nor FRTI; where the
safe state is reached all the same, its FHTI says when. Where a hazardous event is named the
observation lasts as long as that has to stay away, however soon all seemed safe.

Any detection of the run after the fault would do as evidence: it is the caller who has to name one
that belongs to this cause (node and text), or another fault's detection counts for this one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simcore.errors import UsageError
from simcore.faults.fault import FaultSequence, TimedFault
from simcore.rig.arguments import require_time
from simcore.rig.evidence import Evidence, Observation
from simcore.rig.injection import InjectedFault
from simcore.units import NS_PER_MS, NS_PER_S, format_ns

if TYPE_CHECKING:
    from simcore.rig.bench import Bench
    from simcore.rig.injection import AnyFault

STEP_NS = 25 * NS_PER_MS
"""The recorder is asked this often; it decides how long is observed, not what is found."""
SETTLE_NS = 50 * NS_PER_MS
"""The safe state has to last this long before the observation may end, by default."""
TIMEOUT_NS = NS_PER_S
"""An undetected fault is watched this long, by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What became of a fault."""

    fault: str
    """What was broken."""
    fault_ns: int | None
    """When; `None` where the fault never happened within its timeout."""
    detected: Evidence | None
    safe: Evidence | None
    hazard: Evidence | None
    """The hazardous event, where one was named and came to pass."""
    until_ns: int
    """End of the observation."""

    @property
    def fdti_ns(self) -> int | None:
        """Fault to detection; `None` while undetected."""
        return _between(self.fault_ns, self.detected)

    @property
    def frti_ns(self) -> int | None:
        """Detection to safe state."""
        return None if self.detected is None else _between(self.detected.time_ns, self.safe)

    @property
    def fhti_ns(self) -> int | None:
        """Fault to safe state."""
        return _between(self.fault_ns, self.safe)

    @property
    def hazard_after_ns(self) -> int | None:
        """Fault to hazardous event."""
        return _between(self.fault_ns, self.hazard)

    def within(self, *, ftti_ns: int, fdti_ns: int | None = None) -> bool:
        """Whether it was detected and safe in time, and no hazard came first.

        `ftti_ns` bounds the FHTI; `fdti_ns` the detection alone, where that has its own limit.
        """
        fhti, fdti, hazard = self.fhti_ns, self.fdti_ns, self.hazard_after_ns
        if fdti is None or fhti is None or fhti > ftti_ns:
            return False
        if fdti_ns is not None and fdti > fdti_ns:
            return False
        return hazard is None or hazard > ftti_ns

    def margin_ns(self, ftti_ns: int) -> int | None:
        """What is left of the budget, negative where it was overdrawn."""
        return None if self.fhti_ns is None else ftti_ns - self.fhti_ns

    def __str__(self) -> str:
        if self.fault_ns is None:
            return f"{self.fault}: never happened"
        detected = f"undetected for {format_ns(self.until_ns - self.fault_ns)}"
        if self.detected is not None and self.fdti_ns is not None:
            detected = f"detected after {format_ns(self.fdti_ns)} ({self.detected.text})"
        safe = "no safe state"
        if self.safe is not None and self.fhti_ns is not None:
            safe = f"safe after {format_ns(self.fhti_ns)} ({self.safe.text})"
        return f"{self.fault}: {detected}, {safe}"


def _between(start_ns: int | None, end: Evidence | None) -> int | None:
    return None if start_ns is None or end is None else end.time_ns - start_ns


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for, since when."""

    detection: Observation
    safe_state: Observation
    settle_ns: int

    def found(self, rig: Bench, fault_ns: int) -> tuple[Evidence | None, Evidence | None]:
        """Detection and safe state as the run stands now."""
        detected = self.detection.first(rig, fault_ns, rig.now_ns)
        safe = self.safe_state.settled(rig, fault_ns, rig.now_ns)
        if detected is not None and safe is not None and safe.time_ns < detected.time_ns:
            safe = Evidence(time_ns=detected.time_ns, text=safe.text)
        return detected, safe


def measure_reaction(
    rig: Bench,
    fault: AnyFault | TimedFault | FaultSequence,
    *,
    detection: Observation,
    safe_state: Observation,
    timeout_ns: int = TIMEOUT_NS,
    hazard: Observation | None = None,
    hazard_within_ns: int | None = None,
    settle_ns: int = SETTLE_NS,
) -> Reaction:
    """Inject a fault and observe; see `Rig.measure_reaction`."""
    for name, wanted in (("detection", detection), ("safe_state", safe_state)):
        if not isinstance(wanted, Observation):
            raise UsageError(
                f"measure_reaction, {name}",
                expected="what to look for, as EventSeen('detection')",
                got=repr(wanted),
            )
    watched_ns = _hazard_span_ns(hazard, hazard_within_ns, timeout_ns)
    require_time("measure_reaction, timeout", timeout_ns)
    require_time("measure_reaction, settle", settle_ns)
    search = _Search(detection, safe_state, settle_ns)
    for wanted in (detection, safe_state, *([hazard] if hazard is not None else [])):
        wanted.history(rig, rig.now_ns, rig.now_ns)  # a name that is unknown shows before the run
    injected = rig.inject(fault)
    handles = (injected,) if isinstance(injected, InjectedFault) else injected
    fault_ns = _run_to_fault(rig, handles, timeout_ns)
    detected = safe = came = None
    if fault_ns is not None:
        _observe(rig, search, fault_ns, timeout_ns=timeout_ns, watched_ns=watched_ns)
        detected, safe = search.found(rig, fault_ns)
        if hazard is not None:
            came = hazard.first(rig, fault_ns, min(rig.now_ns, fault_ns + watched_ns))
    return Reaction(
        fault=sentence_of(fault),
        fault_ns=fault_ns,
        detected=detected,
        safe=safe,
        hazard=came,
        until_ns=rig.now_ns,
    )


def _hazard_span_ns(
    hazard: Observation | None, hazard_within_ns: int | None, timeout_ns: int
) -> int:
    """How long the hazard has to stay away: 0 where none is named."""
    if hazard_within_ns is not None:
        require_time("measure_reaction, hazard_within", hazard_within_ns)
        if hazard is None:
            raise UsageError(
                "measure_reaction, hazard_within", expected="a hazard as well", got="none"
            )
        return hazard_within_ns
    return 0 if hazard is None else timeout_ns


def sentence_of(fault: AnyFault | TimedFault | FaultSequence) -> str:
    """What is broken, all of a sequence."""
    if isinstance(fault, FaultSequence):
        return "; ".join(each.sentence for each in fault.faults)
    return fault.sentence


def _run_to_fault(rig: Bench, handles: Sequence[InjectedFault], timeout_ns: int) -> int | None:
    """When this fault began, the first of several: at once, at its time, or with its event."""
    end_ns = rig.now_ns + timeout_ns
    while True:
        begun = [each.start_ns for each in handles if each.start_ns is not None]
        if begun:
            return min(begun)
        if rig.now_ns >= end_ns:
            return None
        rig.run_for(min(STEP_NS, end_ns - rig.now_ns))


def _observe(
    rig: Bench, search: _Search, fault_ns: int, *, timeout_ns: int, watched_ns: int
) -> None:
    """Run on until detection and a safe state that lasts are there, or the time is over.

    In any case for as long as the hazard has to stay away.
    """
    hazard_end_ns = fault_ns + watched_ns
    end_ns = max(fault_ns + timeout_ns, hazard_end_ns)
    while rig.now_ns < end_ns:
        rig.run_for(min(STEP_NS, end_ns - rig.now_ns))
        if rig.now_ns < hazard_end_ns:
            continue
        detected, safe = search.found(rig, fault_ns)
        settled = safe is not None and rig.now_ns - safe.time_ns >= search.settle_ns
        if detected is not None and settled:
            break
