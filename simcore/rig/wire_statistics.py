"""From the error frames and state changes of a run to figures per controller.

Not here: taking them down (`wire_watch`), showing them (`simcore.report.wire_lanes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from simcore.bus import Controller, ErrorFrame, ErrorKind, ErrorState, StateChange
from simcore.rig.result import ControllerStatistics

if TYPE_CHECKING:
    from simcore.rig.bench import Bench

Place = tuple[str, str]
"""Bus and node."""


class _Tally:
    """What one node had to do with error frames."""

    __slots__ = ("begun", "destroyed", "receive_peak", "received", "transmit_peak", "transmitted")

    def __init__(self) -> None:
        self.transmitted = [0] * len(ErrorKind)
        self.received = [0] * len(ErrorKind)
        self.begun = 0
        self.destroyed = 0
        self.transmit_peak = 0
        self.receive_peak = 0

    def peak(self, transmit_error_count: int, receive_error_count: int) -> None:
        """Counters were seen at these values."""
        self.transmit_peak = max(self.transmit_peak, transmit_error_count)
        self.receive_peak = max(self.receive_peak, receive_error_count)


def controller_statistics(rig: Bench) -> tuple[ControllerStatistics, ...]:
    """A row per bus and node in the order they are wired, then nodes that have left their bus."""
    recorder = rig.recorder
    present = {(bus.name, each.name): each for bus in rig.buses for each in bus.controllers}
    tallies = _tallies(recorder.error_frames, recorder.state_changes)
    changes: dict[Place, list[StateChange]] = {}
    for change in recorder.state_changes:
        changes.setdefault((change.channel, change.node), []).append(change)
    left = sorted(place for place in tallies if place not in present)
    return tuple(
        _row(
            place,
            present.get(place),
            tallies.get(place, _Tally()),
            changes.get(place, ()),
            rig.now_ns,
        )
        for place in (*present, *left)
    )


def _tallies(
    error_frames: Iterable[ErrorFrame], changes: Iterable[StateChange]
) -> dict[Place, _Tally]:
    tallies: dict[Place, _Tally] = {}
    for frame in error_frames:
        begun: set[str] = set()
        sent = set() if frame.overload or not frame.sender else {frame.sender}
        for error in frame.errors:
            tally = tallies.setdefault((frame.channel, error.node), _Tally())
            kinds = tally.transmitted if error.transmitter else tally.received
            kinds[error.kind] += 1
            tally.peak(error.transmit_error_count, error.receive_error_count)
            if error.time_ns == frame.errors[0].time_ns:
                begun.add(error.node)
            if error.transmitter and not frame.overload:
                sent.add(error.node)
        for node in sorted(begun):
            tallies[frame.channel, node].begun += 1
        for node in sorted(sent):
            tallies.setdefault((frame.channel, node), _Tally()).destroyed += 1
    for change in changes:
        tally = tallies.setdefault((change.channel, change.node), _Tally())
        tally.peak(change.transmit_error_count, change.receive_error_count)
    return tallies


def _row(
    place: Place,
    controller: Controller | None,
    tally: _Tally,
    changes: Sequence[StateChange],
    end_ns: int,
) -> ControllerStatistics:
    channel, node = place
    passed = [ErrorState.ACTIVE, *(change.after for change in changes)]
    tec, rec, refused, overrun, lost, single_shot = _counters(controller)
    return ControllerStatistics(
        channel=channel,
        node=node,
        state=passed[-1],
        worst_state=max(passed),
        state_ns=time_per_state(changes, end_ns),
        bus_off_count=passed.count(ErrorState.BUS_OFF),
        transmit_error_count=tec,
        receive_error_count=rec,
        transmit_error_peak=tally.transmit_peak,
        receive_error_peak=tally.receive_peak,
        errors_as_transmitter=tuple(tally.transmitted),
        errors_as_receiver=tuple(tally.received),
        begun_count=tally.begun,
        destroyed_count=tally.destroyed,
        refused_count=refused,
        overrun_count=overrun,
        arbitration_lost_count=lost,
        single_shot_lost_count=single_shot,
    )


def _counters(controller: Controller | None) -> tuple[int | None, ...]:
    """What a controller has counted itself, in the order of `_row`."""
    if controller is None:
        return (None,) * 6
    return (
        controller.transmit_error_count,
        controller.receive_error_count,
        controller.refused_count,
        controller.overrun_count,
        controller.arbitration_lost_count,
        controller.single_shot_lost_count,
    )


def time_per_state(changes: Sequence[StateChange], end_ns: int) -> tuple[int, int, int, int]:
    """How long one controller was in each state from 0 to `end_ns`, indexed by `ErrorState`."""
    spent_ns = [0, 0, 0, 0]
    state, since_ns = ErrorState.ACTIVE, 0
    for change in changes:
        spent_ns[state] += change.time_ns - since_ns
        state, since_ns = change.after, change.time_ns
    spent_ns[state] += end_ns - since_ns
    return spent_ns[0], spent_ns[1], spent_ns[2], spent_ns[3]
