"""What a run leaves behind: verdicts, findings, events, statistics and recorded columns.

Plain data, made by the rig and read by the reports, the pytest plugin and programs. Nothing here
computes a verdict except the three lines that fold checks into one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simcore.bus import BusRecord, ErrorFrame, ErrorState, StateChange
    from simcore.rig.update_result import UpdateResult


@unique
class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    """A check or invariant failed, a named requirement was never judged, or nothing was."""
    ERROR = "error"
    """The scenario itself raised, or could not be loaded: nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One judgement of one requirement, by the scenario or by an invariant that watches the run."""

    requirement: str
    passed: bool
    text: str
    measured: str
    """As printed, with unit: `40.2 m`."""
    limit: str
    """As printed: `<= 70 m`."""
    time_ns: int
    source: str
    """`scenario` or the invariant's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at an instant: a state change, a fault, a warning."""

    time_ns: int
    source: str
    """The node, bus, driver or fault it comes from: `EMB_FL`, `CHASSIS_A`, `driver`."""
    kind: str
    """`state`, `fault`, `detection`, `reaction`, `driver`, `vehicle`, `bus`, `check` or `note`."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """A fault that was injected."""

    sentence: str
    """What was broken: `EMB_FL silent: supply of the ECU lost`."""
    where: str
    """Node, bus, or `EMB_FL on CHASSIS_A`."""
    start_ns: int
    stop_ns: int | None
    """`None` where it lasted to the end of the run."""
    effect: str = ""
    """What it did, where that can be counted: `3 frames hit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong that is not a failed check: a node that raised, a frame nobody expected."""

    time_ns: int
    source: str
    text: str
    detail: str = ""
    """A traceback or other long text, possibly empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStatistics:
    """What one message did on one bus over the whole run. `None` where fewer than 1 or 2 frames."""

    channel: str
    arbitration_id: int
    is_extended_id: bool
    name: str
    """Name in the database, or the id in hex where the database has none."""
    sender: str
    count: int
    cycle_nominal_ns: int | None
    """GenMsgCycleTime, `None` for event messages."""
    cycle_min_ns: int | None
    cycle_mean_ns: float | None
    cycle_max_ns: int | None
    """Distances between starts of frame."""
    latency_min_ns: int | None
    latency_mean_ns: float | None
    latency_max_ns: int | None
    """Transmit request to end of frame."""
    load_ratio: float
    """Share of the run this message occupied the bus, intermission included."""
    latency_bound_ns: int | None = None
    """Worst case by response-time analysis; `None` where there is none or none was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusStatistics:
    """One bus over the whole run."""

    channel: str
    nominal_bps: int
    data_bps: int | None
    frame_count: int
    load_ratio: float
    peak_load_ratio: float
    """Highest load of any `load_window_ns` window."""
    load_window_ns: int
    load_series_ratio: tuple[float, ...]
    """Load per consecutive window, for the plot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerStatistics:
    """One node's controller on one bus over the whole run: error state, counters, losses.

    `None` stands for a counter of a controller that was taken off its bus before the end.
    """

    channel: str
    node: str
    state: ErrorState
    """At the end of the run."""
    worst_state: ErrorState
    state_ns: tuple[int, int, int, int]
    """Time spent per `ErrorState`; a node without supply keeps the state it had."""
    bus_off_count: int
    """How often it went bus-off."""
    transmit_error_count: int | None
    """TEC and REC at the end of the run."""
    receive_error_count: int | None
    transmit_error_peak: int
    """Highest TEC and REC seen at an error or a change of state."""
    receive_error_peak: int
    errors_as_transmitter: tuple[int, ...]
    """Errors detected while it was sending, per `ErrorKind`."""
    errors_as_receiver: tuple[int, ...]
    begun_count: int
    """Error and overload frames whose first flag was its own, alone or with others."""
    destroyed_count: int
    """Own frames, each attempt, that ended in an error frame."""
    refused_count: int | None
    """Requests not taken: too many waiting, or bus-off."""
    overrun_count: int | None
    arbitration_lost_count: int | None
    single_shot_lost_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Recorded columns on one time axis: float64 arrays of equal length.

    Column names are `pedal_pct`, `speed_mps`, `clamp_force_n.FL`, `force_command_n.FL`,
    `slip_ratio.FL`, ...: quantity with its unit, then the corner where there are four.
    """

    time_s: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """Everything one scenario run left behind."""

    name: str
    """`panic_stop` or `low_friction_stop[mu=0.3]`."""
    file: str
    title: str
    """First line of the scenario's docstring."""
    requirements: tuple[str, ...]
    seed: int
    options: dict[str, str]
    duration_ns: int
    """Virtual time the run covered."""
    digest: str
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    events: tuple[Event, ...]
    messages: tuple[MessageStatistics, ...]
    buses: tuple[BusStatistics, ...]
    trace: Trace | None
    replay_command: str
    faults: tuple[FaultRecord, ...] = ()
    """What was broken in this run, in order."""
    measurements: dict[str, str] = field(default_factory=dict)
    """Named figures for the report, as printed: `stopping distance` -> `40.2 m`."""
    error: str | None = None
    """What the scenario raised, with place; `None` where it ran to its end."""
    error_detail: str = ""
    error_is_internal: bool = False
    """True for a defect of simcore itself, False for bad input or a broken scenario."""
    records: tuple[BusRecord, ...] = ()
    """Every frame in order of its start, for the log writers."""
    error_frames: tuple[ErrorFrame, ...] = ()
    """Error and overload frames of all buses, in order of completion."""
    state_changes: tuple[StateChange, ...] = ()
    """Of the controllers' error states, on all buses."""
    controllers: tuple[ControllerStatistics, ...] = ()
    """One per bus and node."""
    update: UpdateResult | None = None
    """Software updates; `None` where none was tried."""

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Requirements the scenario names but never checked: each counts as a failure."""
        judged = {check.requirement for check in self.checks}
        return tuple(name for name in self.requirements if name not in judged)

    @property
    def verdict(self) -> Verdict:
        if self.error is not None:
            return Verdict.ERROR
        if not self.checks:  # nothing was judged, so nothing was shown
            return Verdict.FAILED
        if self.unjudged or self.findings or not all(check.passed for check in self.checks):
            return Verdict.FAILED
        return Verdict.PASSED

    def requirement_verdict(self, requirement: str) -> Verdict | None:
        """Verdict of one requirement, `None` where this run says nothing about it."""
        checks = [check for check in self.checks if check.requirement == requirement]
        if not checks:
            return Verdict.FAILED if requirement in self.requirements else None
        return Verdict.PASSED if all(check.passed for check in checks) else Verdict.FAILED
