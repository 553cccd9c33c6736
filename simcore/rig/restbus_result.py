"""What a restbus run leaves behind, as a `ScenarioResult`, without taking every frame out again.

`scenario.collect` makes an object of every frame for the reports; of an hour of traffic that is
more than a machine has. Here statistics come from the packed columns, and the frames are only added
where somebody wants to see them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from simcore.bus import Bus
from simcore.rig.outcome import (
    LOAD_WINDOW_NS,
    all_checks,
    load_series,
    message_statistics,
    peak_load,
    report_collisions,
)
from simcore.rig.restbus import Restbus
from simcore.rig.result import BusStatistics, MessageStatistics, ScenarioResult
from simcore.rig.wire_statistics import controller_statistics


def restbus_result(
    rig: Restbus,
    name: str,
    *,
    file: str,
    title: str,
    options: Mapping[str, str],
    replay_command: str,
    with_frames: bool = False,
    judge: Callable[[tuple[BusStatistics, ...]], object] | None = None,
) -> ScenarioResult:
    """The result of a run that has ended. `judge` may add checks once the bus load is known."""
    report_collisions(rig)
    buses = tuple(_one_bus(rig, bus) for bus in rig.buses)
    if judge is not None:
        judge(buses)
    return ScenarioResult(
        name=name,
        file=file,
        title=title,
        requirements=(),
        seed=rig.seed,
        options=dict(options),
        duration_ns=rig.now_ns,
        digest=rig.digest,
        checks=all_checks(rig, buses),
        findings=tuple(rig.log.findings),
        events=tuple(rig.log.events),
        messages=_messages(rig),
        buses=buses,
        trace=None,
        replay_command=replay_command,
        faults=tuple(fault.record for fault in rig.faults),
        measurements=dict(rig.measurements),
        records=tuple(rig.recorder.frames) if with_frames else (),
        error_frames=tuple(rig.recorder.error_frames),
        state_changes=tuple(rig.recorder.state_changes),
        controllers=controller_statistics(rig),
    )


def _messages(rig: Restbus) -> tuple[MessageStatistics, ...]:
    """Figures per message, with the names and cycles they have here."""
    known = {
        (message.arbitration_id, message.is_extended_id): message
        for message in rig.database.messages
        if rig.network is None or message.bus == rig.network
    }
    named = []
    for row in message_statistics(rig):
        message = known.get((row.arbitration_id, row.is_extended_id))
        if message is not None:
            row = replace(row, name=message.name, cycle_nominal_ns=rig.cycle_ns(message))
        named.append(row)
    return tuple(named)


def _one_bus(rig: Restbus, bus: Bus) -> BusStatistics:
    frames = rig.recorder.frames
    begins = ends = np.zeros(0, dtype=np.int64)
    if len(frames):  # times alone: the payloads stay where they are
        stretches = list(frames.columns())
        is_here = np.array([channel == bus.name for channel, _, _ in frames.sources])
        begins = np.concatenate([each.sof_ns[is_here[each.source]] for each in stretches])
        ends = np.concatenate([each.eof_ns[is_here[each.source]] for each in stretches])
        ends += bus.timing.to_ns(3)
    series = load_series(begins, ends, rig.now_ns, LOAD_WINDOW_NS)
    return BusStatistics(
        channel=bus.name,
        nominal_bps=bus.timing.nominal_bps,
        data_bps=bus.timing.data_bps,
        frame_count=len(begins),
        load_ratio=bus.load_ratio,
        peak_load_ratio=peak_load(begins, ends, rig.now_ns, LOAD_WINDOW_NS) or bus.load_ratio,
        load_window_ns=LOAD_WINDOW_NS,
        load_series_ratio=tuple(series),
    )
