"""Invariants: requirements that watch every run, whatever the scenario does.

They are judged when a run ends, over everything recorded: the physical truth of every millisecond
and every frame. Each returns checks; a run in which nothing can be said yields none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from simcore.faults import BitFlip, CaliperJammed, OutputStuck, UnintendedClamp
from simcore.network import Message
from simcore.protection import USABLE, e2e_receiver
from simcore.rig.injection import disturbed_buses, disturbed_messages
from simcore.rig.recorder import CORNERS, MessageFold
from simcore.rig.result import BusStatistics, Check
from simcore.units import NS_PER_MS, format_ns

if TYPE_CHECKING:
    from simcore.rig.bench import Bench

FREE_FORCE_N = 500.0
"""Clamp force permitted without any request, BRK-003."""
RELEASE_MS = 150
"""Time a clamp force may take to go after a release, BRK-004."""
HANDLING_MS = 100
"""Time a force that a fault applies may take to be found and cut off, SAF-002."""
_CLAMPING = (CaliperJammed, UnintendedClamp, OutputStuck, BitFlip)
"""Faults that clamp a brake, or keep it clamped, by themselves."""
CYCLE_TOLERANCE_RATIO = 0.10
LOAD_LIMIT_RATIO = 0.50
PEDAL_DEAD_PCT = 100.0 * 2.0 / 60.0
"""Pedal position up to which nothing is asked for: 2 of 60 mm."""
_ASSISTANCE = (
    "ADAS_AebActv",
    "ADAS_AebPrefill",
    "ADAS_AccActv",
    "ADAS_AccAccel",
    "ADAS_HoldReq",
)


def judge(rig: Bench, buses: tuple[BusStatistics, ...]) -> list[Check]:
    """All invariants of the reference chassis over the run so far."""
    cyclic = [message for message in rig.database.messages if message.cycle_time_ns is not None]
    return [*_unrequested_force(rig), *cycle_checks(rig, cyclic), *_bus_load(rig, buses)]


def _check(
    rig: Bench, requirement: str, passed: bool, *, text: str, measured: str, limit: str, source: str
) -> Check:
    return Check(
        requirement=requirement,
        passed=passed,
        text=text,
        measured=measured,
        limit=limit,
        time_ns=rig.now_ns,
        source=source,
    )


def _unrequested_force(rig: Bench) -> Iterator[Check]:
    """BRK-003: without any request no wheel sees more than 500 N, in any state.

    A request is the driver's pedal beyond its dead travel, a braking or hold request of the driver
    assistance on the bus, or auto hold switched on at standstill: seen from outside the controller
    under test, never from what it reports itself. After a request ends the release time of BRK-004
    is granted. What a broken actuator or controller may do is another requirement's matter, see
    `_excused`.
    """
    if rig.recorder.row_count == 0:
        return
    requested = (rig.recorder.column("pedal_pct") > PEDAL_DEAD_PCT) | (
        rig.recorder.column("hold_allowed_ratio") > 0.0
    )
    for begin_row, end_row in _assistance_rows(rig):
        requested[begin_row:end_row] = True
    rows = np.arange(len(requested))
    last_request = np.maximum.accumulate(np.where(requested, rows, -RELEASE_MS - 1))
    free = rows - last_request > RELEASE_MS
    if not free.any():
        return
    worst_n, where, excuses = 0.0, "", list(_excused(rig))
    for corner in CORNERS:
        judged = free.copy()
        for at, begin_row, end_row in excuses:
            if at in (corner, ""):
                judged[begin_row:end_row] = False
        force = np.where(judged, rig.recorder.column(f"clamp_force_n.{corner}"), 0.0)
        row = int(np.argmax(force))
        if force[row] > worst_n:
            worst_n = float(force[row])
            where = f" at wheel {corner}, {format_ns((row + 1) * NS_PER_MS)}"
    yield _check(
        rig,
        "BRK-003",
        worst_n <= FREE_FORCE_N,
        text=f"largest clamp force without a request{where}{_not_judged_at(excuses)}",
        measured=f"{worst_n:.0f} N",
        limit=f"<= {FREE_FORCE_N:.0f} N",
        source="invariant unrequested force",
    )


def _excused(rig: Bench) -> Iterator[tuple[str, int, int]]:
    """Corner (empty: all) and rows in which a fault of its own may clamp a brake.

    A jammed caliper stays as it is, whatever anybody wants: until it is free, and the release time
    of BRK-004. A fault that makes an actuator or a controller clamp has the fault handling time of
    SAF-002 to be found and cut off, once per corner; after that BRK-003 holds again.
    """
    excused: set[str] = set()
    for each in rig.faults:
        if each.start_ns is None or not isinstance(each.fault, _CLAMPING):
            continue
        node = each.node or ""
        corner = node.removeprefix("EMB_")
        if corner not in CORNERS:
            if node not in ("CDC", "CDC2"):
                continue
            corner = ""
        begin_row = each.start_ns // NS_PER_MS
        if isinstance(each.fault, CaliperJammed):
            stop_ns = rig.now_ns if each.stop_ns is None else each.stop_ns
            yield corner, begin_row, stop_ns // NS_PER_MS + RELEASE_MS
        elif corner not in excused:
            excused.add(corner)
            yield corner, begin_row, begin_row + HANDLING_MS


def _not_judged_at(excuses: list[tuple[str, int, int]]) -> str:
    places = ", ".join(sorted({corner or "all" for corner, _, _ in excuses}))
    return f"; not judged while a fault of their own is handled: {places}" if places else ""


def _assistance_rows(rig: Bench) -> Iterator[tuple[int, int]]:
    """Stretches of rows in which the driver assistance asks for braking or holding.

    Only frames of the message's own sender count, and only such as a receiver would use; a request
    lasts until the next frame, but no longer than the deadline of three cycles.
    """
    name = "ADAS_LongReq"
    if name not in {message.name for message in rig.database.messages}:
        return
    message = rig.database.message(name)
    reader = message.codec.reader(*_ASSISTANCE)
    checker = None
    secoc = message.secoc
    length = message.length if secoc is None else secoc.authentic_length
    if message.e2e is not None:
        checker = e2e_receiver(message.e2e, length)
    lifetime_rows = 3 * (message.cycle_time_ns or NS_PER_MS) // NS_PER_MS
    begin: int | None = None
    for record in rig.recorder.frames:
        frame = record.frame
        if frame.arbitration_id != message.arbitration_id or record.sender not in message.senders:
            continue
        if len(frame.data) != message.length:
            continue
        if checker is not None and checker.check(frame.data[:length]) not in USABLE:
            continue
        row = record.eof_ns // NS_PER_MS
        if begin is not None:
            yield begin, min(row, begin + lifetime_rows)
        begin = row if _asks(reader.read(frame.data)) else None
    if begin is not None:
        yield begin, begin + lifetime_rows


def _asks(value: tuple[float, ...]) -> bool:
    """Whether the values of `_ASSISTANCE` ask for clamp force."""
    emergency, prefill, cruise, acceleration_mps2, hold = value
    return (
        emergency in (1, 2) or prefill == 1 or hold == 1 or (cruise == 1 and acceleration_mps2 < 0)
    )


def cycle_checks(rig: Bench, messages: Iterable[Message]) -> Iterator[Check]:
    """COM-001: each of these messages within 10 % of its cycle time at SOF, and not missing.

    On each bus by itself; a redundant message must be on both. A bus on which the run has injected
    a fault of the wire is not under the reference load, and is left out.
    """
    rig.recorder.fold()
    disturbed = disturbed_buses(rig) | _shifted_buses(rig)
    broken = disturbed_messages(rig)
    real = _in_real_time(rig)
    worst_ratio, worst = -1.0, ""
    missing: list[str] = []
    judged = 0
    for message, channel in _expected(rig, messages):
        cycle_ns = message.cycle_time_ns
        if cycle_ns is None or channel in disturbed or message.name in broken:
            continue
        if any(sender in real for sender in message.senders):
            continue
        folds = [
            fold
            for (where, identifier, extended, sender), fold in rig.recorder.folds.items()
            if where == channel
            and identifier == message.arbitration_id
            and extended == message.is_extended_id
            and sender in message.senders
        ]
        for fold in folds:
            if not fold.cycle_count:
                continue
            judged += 1
            for measured_ns in (fold.cycle_min_ns, fold.cycle_max_ns):
                ratio = abs(measured_ns - cycle_ns) / cycle_ns
                if ratio > worst_ratio:
                    worst_ratio = ratio
                    worst = (
                        f"{message.name} on {channel} {format_ns(measured_ns)}, "
                        f"cycle {format_ns(cycle_ns)}"
                    )
        if _is_missing(rig, message, folds):
            missing.append(f"{message.name} on {channel}")
    if judged or missing:
        yield _check(
            rig,
            "COM-001",
            worst_ratio <= CYCLE_TOLERANCE_RATIO and not missing,
            text=f"largest cycle deviation: {worst or 'nothing measured'}"
            + (f"; missing: {', '.join(missing)}" if missing else "")
            + _not_judged(disturbed)
            + (
                f"; not judged, because of a fault of their own: {', '.join(sorted(broken))}"
                if broken
                else ""
            )
            + (f"; not judged, as it comes in real time: {', '.join(real)}" if real else ""),
            measured=f"{100.0 * max(worst_ratio, 0.0):.1f} %",
            limit=f"<= {100.0 * CYCLE_TOLERANCE_RATIO:.0f} %",
            source="invariant cycle times",
        )


def _in_real_time(rig: Bench) -> list[str]:
    """Nodes whose frames keep the clock on the wall; what brings them in judges their cycles."""
    return [name for name in rig.nodes if getattr(rig.node(name), "in_real_time", False)]


def _shifted_buses(rig: Bench) -> frozenset[str]:
    """Buses of nodes that have reset themselves, for their software or a tester.

    The start delays of the database keep messages apart that start together. A node that starts
    anew by itself has any phase against the others, for which COM-001 has no bound.
    """
    first, *second = (bus.name for bus in rig.buses)
    names = {first} if rig.pauses.restarted else set()
    if rig.pauses.restarted & set(rig.database.redundant_nodes):
        names.update(second)
    return frozenset(names)


def _expected(rig: Bench, messages: Iterable[Message]) -> Iterator[tuple[Message, str]]:
    """Every message with each bus it belongs to: the first, and the second if redundant."""
    first, *second = (bus.name for bus in rig.buses)
    for message in messages:
        yield message, first
        if message.is_redundant:
            for channel in second:
                yield message, channel


def _is_missing(rig: Bench, message: Message, folds: list[MessageFold]) -> bool:
    """Whether a message that should be on the bus has not been for two cycles.

    Messages of nodes that a fault has silenced, or a tester, are expected to be missing.
    """
    senders = message.senders
    off = (*rig.silenced, *rig.pauses.stopped)
    if not senders or any(sender in off for sender in senders):
        return False
    last_ns = max((fold.last_sof_ns for fold in folds), default=message.start_delay_ns)
    return rig.now_ns - last_ns > 2 * (message.cycle_time_ns or 0)


def _not_judged(disturbed: frozenset[str]) -> str:
    if not disturbed:
        return ""
    why = "a fault of the wire, a tester that fills it, or nodes that started anew"
    return f"; not judged, because of {why}: {' and '.join(sorted(disturbed))}"


def _bus_load(rig: Bench, buses: tuple[BusStatistics, ...]) -> Iterator[Check]:
    """COM-LOAD: no bus busier than 50 % in any window, unless it was disturbed on purpose."""
    disturbed = disturbed_buses(rig)
    for bus in buses:
        if not bus.load_series_ratio or bus.channel in disturbed:
            continue  # not one whole window to judge, or not the reference load
        yield _check(
            rig,
            "COM-LOAD",
            bus.peak_load_ratio <= LOAD_LIMIT_RATIO,
            text=f"{bus.channel}: highest load of any {format_ns(bus.load_window_ns)}"
            + _not_judged(disturbed),
            measured=f"{100.0 * bus.peak_load_ratio:.1f} %",
            limit=f"<= {100.0 * LOAD_LIMIT_RATIO:.0f} %",
            source="invariant bus load",
        )
