"""From a rig that has run to a `ScenarioResult`: statistics, traces, invariants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simcore.ecu.runtime.ecu import Ecu
from simcore.network import SignalReader
from simcore.rig.injection import disturbed_buses
from simcore.rig.measure import WHEEL_RADIUS_M
from simcore.rig.recorder import CORNERS
from simcore.rig.result import BusStatistics, Check, MessageStatistics, Trace
from simcore.rig.software import FACTORY_VERSION
from simcore.rig.tester_node import TesterNode
from simcore.rig.update_result import SoftwareRecord, UpdateResult
from simcore.units import NS_PER_MS, NS_PER_S
from simcore.update.audit import AuditLog

if TYPE_CHECKING:
    from simcore.bus import Bus
    from simcore.ecu.runtime.software import Software
    from simcore.rig.bench import Bench

LOAD_WINDOW_NS = 100 * NS_PER_MS
_SLIP_ABOVE_MPS = 0.5
_NOT_SHOWN = ("x_m", "hold_allowed_ratio")
"""Recorded for checks; in a plot they say nothing that another column does not."""


def message_statistics(rig: Bench) -> tuple[MessageStatistics, ...]:
    """Figures per message, sorted by channel, identifier and sender."""
    rig.recorder.fold()
    known = {(m.arbitration_id, m.is_extended_id): m for m in rig.database.messages}
    intermission_ns = {bus.name: bus.timing.to_ns(3) for bus in rig.buses}
    rows = []
    for (channel, identifier, extended, sender), fold in sorted(rig.recorder.folds.items()):
        message = known.get((identifier, extended))
        cycles = fold.cycle_count > 0
        occupied_ns = fold.busy_ns + fold.count * intermission_ns[channel]
        rows.append(
            MessageStatistics(
                channel=channel,
                arbitration_id=identifier,
                is_extended_id=extended,
                name=message.name if message else f"0x{identifier:X}",
                sender=sender,
                count=fold.count,
                cycle_nominal_ns=message.cycle_time_ns if message else None,
                cycle_min_ns=fold.cycle_min_ns if cycles else None,
                cycle_mean_ns=_mean(fold.cycle_sum_ns, fold.cycle_count),
                cycle_max_ns=fold.cycle_max_ns if cycles else None,
                latency_min_ns=fold.latency_min_ns,
                latency_mean_ns=_mean(fold.latency_sum_ns, fold.count),
                latency_max_ns=fold.latency_max_ns,
                load_ratio=occupied_ns / rig.now_ns if rig.now_ns else 0.0,
            )
        )
    return tuple(rows)


def _mean(total: int, count: int) -> float | None:
    return total / count if count else None


def bus_statistics(rig: Bench) -> tuple[BusStatistics, ...]:
    """Figures per bus."""
    return tuple(_one_bus(rig, bus) for bus in rig.buses)


def _one_bus(rig: Bench, bus: Bus) -> BusStatistics:
    frames = [record for record in rig.recorder.frames if record.channel == bus.name]
    begins = np.array([record.sof_ns for record in frames], dtype=np.int64)
    ends = np.array([record.eof_ns for record in frames], dtype=np.int64) + bus.timing.to_ns(3)
    series = load_series(begins, ends, rig.now_ns, LOAD_WINDOW_NS)
    return BusStatistics(
        channel=bus.name,
        nominal_bps=bus.timing.nominal_bps,
        data_bps=bus.timing.data_bps,
        frame_count=len(frames),
        load_ratio=bus.load_ratio,
        # A run shorter than one window has no peak of its own.
        peak_load_ratio=peak_load(begins, ends, rig.now_ns, LOAD_WINDOW_NS) or bus.load_ratio,
        load_window_ns=LOAD_WINDOW_NS,
        load_series_ratio=tuple(series),
    )


def load_series(
    begins: NDArray[np.int64], ends: NDArray[np.int64], duration_ns: int, window_ns: int
) -> list[float]:
    """Share of each complete window that is covered by [begin, end) stretches, in order."""
    count = duration_ns // window_ns
    if count == 0:
        return []
    edges = np.arange(count + 1, dtype=np.int64) * window_ns
    busy = np.diff(_busy_before(edges, begins, ends))
    return [float(value) for value in busy / window_ns]


def peak_load(
    begins: NDArray[np.int64], ends: NDArray[np.int64], duration_ns: int, window_ns: int
) -> float:
    """Largest share of any window of this length, wherever it begins; 0 where none fits.

    The share is extreme where the window begins with a stretch or ends with one.
    """
    last_ns = duration_ns - window_ns
    if last_ns < 0 or len(begins) == 0:
        return 0.0
    starts = np.clip(np.concatenate((begins, ends - window_ns)), 0, last_ns)
    busy = _busy_before(starts + window_ns, begins, ends) - _busy_before(starts, begins, ends)
    return float(np.max(busy)) / window_ns


def _busy_before(
    times: NDArray[np.int64], begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Covered time before each of `times`: whole stretches, plus the part of one that spans it."""
    if len(begins) == 0:
        return np.zeros(len(times), dtype=np.int64)
    over = np.searchsorted(ends, times, "right")
    whole = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(ends - begins)))[over]
    spanning = np.searchsorted(begins, times, "left") > over
    index = np.minimum(over, len(begins) - 1)
    part = np.where(spanning, times - begins[index], 0)
    return np.asarray(whole + part, dtype=np.int64)


def trace_of(rig: Bench) -> Trace | None:
    """The recorded columns with slip and force commands added; `None` for an empty run."""
    recorder = rig.recorder
    if recorder.row_count == 0:
        return None
    table = recorder.table()
    columns = {
        name: table[:, i].copy()
        for i, name in enumerate(recorder.columns)
        if name not in _NOT_SHOWN
    }
    speed = columns["speed_mps"]
    moving = np.abs(speed) > _SLIP_ABOVE_MPS
    safe = np.where(moving, speed, 1.0)
    for corner in CORNERS:
        wheel = columns[f"wheel_speed_radps.{corner}"] * WHEEL_RADIUS_M
        columns[f"slip_ratio.{corner}"] = np.where(moving, (speed - wheel) / safe, 0.0)
    columns.update(_commands(rig, recorder.row_count))
    time_s = np.arange(1, recorder.row_count + 1, dtype=np.float64) * (NS_PER_MS / NS_PER_S)
    return Trace(time_s=np.asarray(time_s, dtype=np.float64), columns=columns)


def _commands(rig: Bench, row_count: int) -> dict[str, NDArray[np.float64]]:
    """Commanded clamp forces as they were on the bus, each held until the next command.

    A command of the secondary controller counts where its requests are valid.
    """
    if "CDC_EmbCmd" not in {message.name for message in rig.database.messages}:
        return {}
    readers = {
        rig.database.message(f"{lane}_EmbCmd").arbitration_id: _command_reader(rig, lane)
        for lane in ("CDC", "CDC2")
        if lane in rig.database.nodes
    }
    commands = np.zeros((row_count, 4))
    row, held = 0, (0.0, 0.0, 0.0, 0.0)
    for record in rig.recorder.frames:
        reader, length = readers.get(record.frame.arbitration_id, (None, 0))
        if reader is None or len(record.frame.data) != length:
            continue
        *forces_n, valid = reader.read(record.frame.data)
        if not valid and record.frame.arbitration_id != min(readers):
            continue
        # Row k is the instant (k + 1) ms; a frame counts from the first instant after its end.
        until = max(row, min(record.eof_ns // NS_PER_MS, row_count))
        commands[row:until] = held
        row, held = until, (forces_n[0], forces_n[1], forces_n[2], forces_n[3])
    commands[row:] = held
    return {f"force_command_n.{corner}": commands[:, i] for i, corner in enumerate(CORNERS)}


def _command_reader(rig: Bench, lane: str) -> tuple[SignalReader, int]:
    """Reads four forces and their validity out of a command; and its length."""
    message = rig.database.message(f"{lane}_EmbCmd")
    names = (*(f"{lane}_{corner}_FReq" for corner in CORNERS), f"{lane}_FL_ReqVld")
    return message.codec.reader(*names), message.length


def all_checks(rig: Bench, buses: tuple[BusStatistics, ...]) -> tuple[Check, ...]:
    """The scenario's checks followed by the invariants'."""
    return (*rig.checks, *rig.invariants(buses))


def report_collisions(rig: Bench) -> None:
    """Turn identifiers that several nodes sent at once into findings."""
    rig.wire_watch.find_collisions(disturbed_buses(rig))


def update_result(rig: Bench) -> UpdateResult | None:
    """Transfers, traffic and what runs in the end; `None` where no update was tried."""
    ecus = [(name, node) for name in rig.nodes if isinstance(node := rig.node(name), Ecu)]
    software = tuple(
        _software(name, each, is_on=rig.host(name).running)
        for name, node in ecus
        if (each := node.software) is not None
    )
    names = {each.node for each in software}
    testers = [node for name in rig.nodes if isinstance(node := rig.node(name), TesterNode)]
    transfers = tuple(each.frozen() for tester in testers for each in tester.record.transfers)
    is_tried = any(each.is_download and each.node in names for each in transfers) or any(
        event.source in names and event.text.startswith("update") for event in rig.log.events
    )
    if not is_tried:
        return None
    traffic = (
        each.frozen(node) for tester in testers for node, each in tester.record.traffic.items()
    )
    return UpdateResult(
        software=software,
        transfers=transfers,
        traffic=tuple(sorted(traffic, key=lambda each: each.node)),
    )


def _software(name: str, software: Software, *, is_on: bool) -> SoftwareRecord:
    log = software.audit
    if log is None:  # it does not run: as whoever reads the flash out finds it
        settings = software.settings
        region = settings.layout.audit.on(software.flash)
        log = AuditLog(region, ecu=settings.client.ecu_id, key=settings.ecu_key)
    outcome = software.outcome
    version = outcome.version if is_on and outcome is not None else None
    return SoftwareRecord(
        node=name,
        version_before=FACTORY_VERSION,
        version_after=None if version is None else str(version),
        audit_entries=len(log.entries()),
        worst_wear=software.flash.worst_wear,
    )
