"""The driver's request: two travel channels, the pedal force as third witness (SAF-003).

`PedalVote` decides sample by sample which travel counts. Channels that agree are averaged, further
apart the middle of the three measurements counts. Where they disagree the force tells which one is
wrong; where it cannot, the smaller travel counts. A channel once found wrong is left out until it
has agreed for a while. The travel handed on never steps because a channel failed, was found wrong
or came back: what would be a step is blended out, and the driver's own movement passes at once.

`PedalInput` is the message around it: reception, qualities, silence, late arrival.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, unique
from typing import Any

from simcore.ecu.cdc.communication import QUALITY_INVALID, QUALITY_VALID, pedal_reader
from simcore.ecu.cdc.parameters import CdcParameters
from simcore.ecu.cdc.trouble_codes import (
    PEDAL_CHANNEL_INVALID,
    PEDAL_CHANNEL_WRONG,
    PEDAL_DISAGREES,
    PEDAL_FORCE_INVALID,
    PEDAL_FORCE_WRONG,
    PEDAL_LATE,
    PEDAL_SILENT,
)
from simcore.ecu.runtime import Reception
from simcore.ecu.runtime.arrival import ArrivalMonitor
from simcore.ecu.runtime.trouble_codes import NO_TROUBLE_CODES, TroubleCodeReports
from simcore.network import Database

Log = Callable[[str, str], object]


@unique
class Selection(IntEnum):
    """Which travel counts."""

    NONE = 0
    BOTH = 1
    FIRST = 2
    SECOND = 3
    SMALLER = 4
    """One of two is wrong, and nobody knows which."""


@unique
class Verdict(IntEnum):
    """What a comparison of two valid channels says."""

    AGREE = 0
    FIRST_WRONG = 1
    SECOND_WRONG = 2
    UNDECIDED = 3


_BOTH, _SMALLER, _NONE = Selection.BOTH, Selection.SMALLER, Selection.NONE
_AGREE, _UNDECIDED = Verdict.AGREE, Verdict.UNDECIDED

SELECTION: dict[tuple[bool, bool, Verdict], Selection] = {
    # first channel valid, second channel valid, verdict
    (True, True, Verdict.AGREE): Selection.BOTH,
    (True, True, Verdict.FIRST_WRONG): Selection.SECOND,
    (True, True, Verdict.SECOND_WRONG): Selection.FIRST,
    (True, True, Verdict.UNDECIDED): Selection.SMALLER,
    # a channel that is alone counts, whatever was thought of it: there is no better one
    **{(True, False, verdict): Selection.FIRST for verdict in Verdict},
    **{(False, True, verdict): Selection.SECOND for verdict in Verdict},
    **{(False, False, verdict): Selection.NONE for verdict in Verdict},
}
"""Decision table over validity and verdict, total."""

_VOTED = (*PEDAL_CHANNEL_WRONG, *PEDAL_CHANNEL_INVALID, PEDAL_DISAGREES)
"""What the vote finds; healed together."""


def compare(
    first_mm: float, second_mm: float, witness_mm: float | None, parameters: CdcParameters
) -> Verdict:
    """Which of two valid channels is wrong, as far as the witness can tell."""
    p = parameters
    apart_mm = first_mm - second_mm
    if -p.pedal_disagreement_mm <= apart_mm <= p.pedal_disagreement_mm:
        return _AGREE
    if witness_mm is None:
        return _UNDECIDED
    first_off_mm = abs(first_mm - witness_mm)
    second_off_mm = abs(second_mm - witness_mm)
    if min(first_off_mm, second_off_mm) > p.pedal_witness_mm:
        return _UNDECIDED
    if abs(first_off_mm - second_off_mm) < p.pedal_witness_lead_mm:
        return _UNDECIDED
    return Verdict.SECOND_WRONG if first_off_mm < second_off_mm else Verdict.FIRST_WRONG


class PedalVote:
    """Votes over the channels of the pedal, once per sample."""

    __slots__ = (
        "_agreed_count",
        "_blend_mm",
        "_codes",
        "_first_mm",
        "_log",
        "_p",
        "_second_mm",
        "_unknown",
        "_witness_bad_count",
        "_witness_good_count",
        "now_ns",
        "selection",
        "suspicion",
        "travel_mm",
        "well",
        "witness_trusted",
    )

    def __init__(
        self,
        parameters: CdcParameters,
        log: Log,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._p = parameters
        self._log = log
        self._codes = codes
        self.now_ns = 0
        """Of the sample that is judged, written by who calls."""
        self._first_mm: float | None = None
        self._second_mm: float | None = None
        """The sample before, `None` for a channel that was not valid."""
        self._blend_mm = 0.0
        self._unknown = False
        self._agreed_count = 0
        self._witness_bad_count = 0
        self._witness_good_count = 0
        self.selection = _NONE
        self.suspicion = _AGREE
        """What is held against the channels until they have agreed for long enough."""
        self.travel_mm = 0.0
        self.well = False
        """All three agreed: the same sample once more would change nothing."""
        self.witness_trusted = True

    @property
    def degraded(self) -> bool:
        """Whether fewer than three measurements stand behind the travel."""
        return self.selection is not _BOTH or not self.witness_trusted

    def forget(self) -> None:
        """Nothing is received: the next sample begins anew, suspicions stay."""
        self._first_mm = self._second_mm = None
        self._blend_mm = self.travel_mm = 0.0
        self.selection = _NONE
        self.well = False

    def sample(
        self, first_mm: float | None, second_mm: float | None, witness_mm: float | None
    ) -> float:
        """Travel for this sample; `None` stands for a channel that is not valid."""
        if first_mm is not None and second_mm is not None:
            apart_mm = first_mm - second_mm
            if apart_mm < 0.0:
                apart_mm = -apart_mm
            if self.suspicion is _AGREE and self.selection is _BOTH and self._blend_mm == 0.0:
                # All is well, as nearly always.
                p = self._p
                if witness_mm is None:
                    well = apart_mm <= p.pedal_disagreement_mm
                else:
                    off_mm = 0.5 * (first_mm + second_mm) - witness_mm
                    well = (
                        apart_mm <= p.pedal_tolerance_mm
                        and self.witness_trusted
                        and -p.pedal_witness_mm <= off_mm <= p.pedal_witness_mm
                    )
                    if well:
                        self._witness_bad_count = 0
                if well:
                    self._first_mm, self._second_mm = first_mm, second_mm
                    self.travel_mm = travel_mm = 0.5 * (first_mm + second_mm)
                    self.well = True
                    return travel_mm
            self.well = False
            self._watch_witness(first_mm, second_mm, witness_mm)
            trusted_mm = witness_mm if self.witness_trusted else None
            verdict = compare(first_mm, second_mm, trusted_mm, self._p)
            self._suspect(verdict, first_mm, second_mm, witness_mm)
        else:
            self.well = False
            verdict = _AGREE
            trusted_mm = None
            self._look_at_validity(first_mm, second_mm)
        return self._select(verdict, first_mm, second_mm, trusted_mm)

    def _select(
        self,
        verdict: Verdict,
        first_mm: float | None,
        second_mm: float | None,
        witness_mm: float | None,
    ) -> float:
        before = self.selection
        selection = SELECTION[first_mm is not None, second_mm is not None, self.suspicion]
        step_mm = self._p.pedal_blend_mm
        target_mm = self._value_mm(selection, first_mm, second_mm, witness_mm)
        unknown = selection is _SMALLER and verdict is _UNDECIDED
        if (unknown or (self._unknown and selection is _SMALLER)) and before is not _NONE:
            # Nobody knows whose movement this sample or the one before brought.
            change_mm = min(step_mm, max(-step_mm, target_mm - self.travel_mm))
            self.travel_mm += change_mm
            self._blend_mm = self.travel_mm - target_mm
        else:
            if selection is not before and _NONE not in (selection, before):
                known = self._known_mm(selection)
                self._blend_mm = self.travel_mm - (target_mm if known is None else known)
            self._blend_mm -= min(step_mm, max(-step_mm, self._blend_mm))
            self.travel_mm = target_mm + self._blend_mm
            if selection is _NONE:
                self._blend_mm = self.travel_mm = 0.0
        if selection is not before:
            self._report(before, selection)
        self.selection = selection
        self._unknown = unknown
        self._first_mm, self._second_mm = first_mm, second_mm
        return self.travel_mm

    def _known_mm(self, selection: Selection) -> float | None:
        """What a selection would have given a sample ago, `None` where nobody knows."""
        first_mm, second_mm = self._first_mm, self._second_mm
        if selection is not Selection.SECOND and first_mm is None:
            return None
        if selection is not Selection.FIRST and second_mm is None:
            return None
        return self._value_mm(selection, first_mm, second_mm, None)

    def _value_mm(
        self,
        selection: Selection,
        first_mm: float | None,
        second_mm: float | None,
        witness_mm: float | None,
    ) -> float:
        if selection is Selection.FIRST or second_mm is None:
            return first_mm or 0.0
        if selection is Selection.SECOND or first_mm is None:
            return second_mm
        low_mm, high_mm = (first_mm, second_mm) if first_mm < second_mm else (second_mm, first_mm)
        if selection is _SMALLER:
            return low_mm
        if witness_mm is None or high_mm - low_mm <= self._p.pedal_tolerance_mm:
            return 0.5 * (low_mm + high_mm)
        return min(high_mm, max(low_mm, witness_mm))

    def _suspect(
        self, verdict: Verdict, first_mm: float, second_mm: float, witness_mm: float | None
    ) -> None:
        """Hold a disagreement against the channels, or let go after a stretch of agreement."""
        suspicion = self.suspicion
        if verdict is _AGREE:
            if suspicion is not _AGREE:
                self._agreed_count += 1
                if self._agreed_count >= self._p.pedal_heal_samples:
                    self.suspicion = _AGREE
                    for name in _VOTED:
                        self._codes.passed(name, self.now_ns)
            return
        self._agreed_count = 0
        if verdict is suspicion or (verdict is _UNDECIDED and suspicion is not _AGREE):
            return
        self.suspicion = verdict
        force = "no force" if witness_mm is None else f"force as at {witness_mm:.1f} mm"
        what, code = {
            Verdict.FIRST_WRONG: ("channel 1 is wrong", PEDAL_CHANNEL_WRONG[0]),
            Verdict.SECOND_WRONG: ("channel 2 is wrong", PEDAL_CHANNEL_WRONG[1]),
        }.get(verdict, ("channels disagree", PEDAL_DISAGREES))
        self._codes.failed(code, self.now_ns)
        self._log("detection", f"pedal {what}: {first_mm:.1f} mm and {second_mm:.1f} mm, {force}")

    def _look_at_validity(self, first_mm: float | None, second_mm: float | None) -> None:
        """A channel that was valid and is not has something to make good, too."""
        for number, before_mm, now_mm, wrong in (
            (1, self._first_mm, first_mm, Verdict.FIRST_WRONG),
            (2, self._second_mm, second_mm, Verdict.SECOND_WRONG),
        ):
            if now_mm is None:
                self._agreed_count = 0
                if before_mm is not None and self.suspicion is not wrong:
                    self.suspicion = wrong
                    self._log("detection", f"pedal channel {number} is not valid")
                    self._codes.failed(PEDAL_CHANNEL_INVALID[number - 1], self.now_ns)

    def _watch_witness(self, first_mm: float, second_mm: float, witness_mm: float | None) -> None:
        """Channels that agree with each other judge the witness in their turn."""
        p = self._p
        if witness_mm is None or abs(first_mm - second_mm) > p.pedal_disagreement_mm:
            return
        if self.suspicion is not _AGREE:
            return
        off_mm = abs(0.5 * (first_mm + second_mm) - witness_mm)
        if self.witness_trusted:
            self._witness_bad_count = (
                self._witness_bad_count + 1 if off_mm > p.pedal_witness_bad_mm else 0
            )
            if self._witness_bad_count >= p.pedal_witness_bad_samples:
                self.witness_trusted = False
                self._witness_good_count = 0
                self._log("detection", f"pedal force does not fit the travel, {off_mm:.1f} mm off")
                self._codes.failed(PEDAL_FORCE_WRONG, self.now_ns)
        else:
            self._witness_good_count = (
                self._witness_good_count + 1 if off_mm <= p.pedal_witness_mm else 0
            )
            if self._witness_good_count >= p.pedal_heal_samples:
                self.witness_trusted = True
                self._witness_bad_count = 0
                self._log("note", "pedal force fits the travel again")
                self._codes.passed(PEDAL_FORCE_WRONG, self.now_ns)

    def _report(self, before: Selection, after: Selection) -> None:
        if before is _NONE or after is _NONE:
            return
        if after is _BOTH:
            self._log("note", "pedal channels agree again")
        else:
            self._log("reaction", f"pedal travel by {before.name} -> {after.name}")


class PedalInput:
    """The driver's request out of `BPS_Pedal`."""

    __slots__ = (
        "_arrival",
        "_checked",
        "_codes",
        "_data",
        "_force_invalid",
        "_log",
        "_p",
        "_read",
        "_reception",
        "_sample",
        "_travel_max_mm",
        "_travel_mm",
        "available",
        "degraded",
        "late",
        "vote",
    )

    def __init__(
        self,
        database: Database,
        reception: Reception,
        parameters: CdcParameters,
        log: Log,
        *,
        checked: bool = True,
        codes: TroubleCodeReports = NO_TROUBLE_CODES,
    ) -> None:
        self._reception = reception
        self._codes = codes
        self._read = pedal_reader(database)
        self._p = parameters
        self._log = log
        self._checked = checked
        """False: channels are not compared, their mean counts."""
        self._data: bytes | None = None
        self._sample: tuple[Any, ...] = ()
        """What was judged last."""
        self._travel_mm = 0.0
        self._force_invalid = False
        maximum = database.message("BPS_Pedal").signal("BPS_Trvl1").maximum
        self._travel_max_mm = float("inf") if maximum is None else float(maximum)
        self._arrival: ArrivalMonitor | None = None
        self.vote = PedalVote(parameters, log, codes)
        self.late = False
        """Frames come ever later than their counters say; better than none, but a warning."""
        self.available = False
        """Whether at least one channel says what the driver wants."""
        self.degraded = False

    def watch_arrival(self, arrival_of: Callable[[Reception], ArrivalMonitor]) -> None:
        """Warn of a pedal whose frames come ever later."""
        self._arrival = arrival_of(self._reception)

    @property
    def arrival(self) -> ArrivalMonitor | None:
        """What says when its frames come, where that is watched."""
        return self._arrival

    def decel_mps2(self, now_ns: int, *, starting: bool) -> float:
        """Deceleration the driver asks for; 0 without a valid channel."""
        reception = self._reception
        if now_ns > reception.expected_ns:
            reception.monitor(now_ns)
        if now_ns > reception.valid_until_ns:
            return self._fall_silent(now_ns, starting=starting)
        vote = self.vote
        data = reception.data
        if data is not self._data:
            self._data = data
            sample = self._read.read(data)
            if vote.well and sample == self._sample:
                self._travel_mm = vote.travel_mm = 0.5 * (sample[0] + sample[1])
            else:
                self._judge(sample, now_ns)
            arrival = self._arrival
            if arrival is not None and arrival.look() is not self.late:
                self.late = not self.late
                if self.late:
                    self._log("detection", "pedal late")
                self._codes.test(PEDAL_LATE, self.late, now_ns)
        self.degraded = not starting and (
            vote.selection is not _BOTH
            or not vote.witness_trusted
            or self.late
            or self._force_invalid
            or not self.available
        )
        p = self._p
        dead_mm = p.pedal_dead_mm
        if self._travel_mm <= dead_mm:
            return 0.0
        share_ratio = (self._travel_mm - dead_mm) / (p.pedal_full_mm - dead_mm)
        return share_ratio * p.decel_full_mps2 if share_ratio < 1.0 else p.decel_full_mps2

    def _fall_silent(self, now_ns: int, *, starting: bool) -> float:
        if self.available and not starting:
            self._log("detection", "pedal silent")
            self._codes.failed(PEDAL_SILENT, now_ns)
        self.degraded = not starting
        self.available = False
        self._data = None
        self._travel_mm = 0.0
        self.vote.forget()
        return 0.0

    def _judge(self, sample: tuple[Any, ...], now_ns: int) -> None:
        self._sample = sample
        first_mm, second_mm, first_quality, second_quality, force_n, force_quality = sample
        # Beyond the range of the signal a travel is reserved, whatever its quality says.
        first = first_quality == QUALITY_VALID and first_mm <= self._travel_max_mm
        second = second_quality == QUALITY_VALID and second_mm <= self._travel_max_mm
        available = first or second
        if available and not self.available:
            self._codes.passed(PEDAL_SILENT, now_ns)
        self.available = available
        vote = self.vote
        vote.now_ns = now_ns
        if not self._checked:
            vote.selection = SELECTION[first, second, _AGREE]
            self._travel_mm = (
                0.5 * (first_mm + second_mm)
                if first and second
                else (first_mm if first else second_mm if second else 0.0)
            )
            return
        force_invalid = force_quality == QUALITY_INVALID
        if force_invalid is not self._force_invalid:
            self._force_invalid = force_invalid
            self._codes.test(PEDAL_FORCE_INVALID, force_invalid, now_ns)
        witness_mm = None
        if force_quality == QUALITY_VALID:
            p = self._p
            witness_mm = force_n * p.pedal_full_mm / p.pedal_full_force_n
        self._travel_mm = vote.sample(
            first_mm if first else None, second_mm if second else None, witness_mm
        )
