"""Requirements that a sequence is held against, after every step and at its end.

`Watch` is what a machine judges with, a stretch at a time; `check_requirements` judges a whole run
the same way and is what scenario files of failures call. BRK-003, COM-001 and COM-LOAD are the
invariants of the rig itself; what they excuse because of a fault is in `simcore.rig.invariants`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from simcore.bus import BusRecord, Frame
from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.codegen import acceptable
from simcore.protection.e2e_factory import HEADERS
from simcore.protection.e2e_header import Header
from simcore.rig import Bench, Rig
from simcore.rig.injection import disturbed_messages
from simcore.rig.invariants import FREE_FORCE_N, PEDAL_DEAD_PCT, RELEASE_MS, cycle_checks
from simcore.rig.outcome import report_collisions
from simcore.rig.recorder import CORNERS
from simcore.testing.strategies.frames import authentic_length
from simcore.testing.strategies.messages import is_diagnostic
from simcore.units import format_ns

NO_FORCE, CYCLES, LAYOUT, ROBUST = "BRK-003", "COM-001", "COM-007", "ROB-001"
REQUIREMENTS = (NO_FORCE, CYCLES, LAYOUT, ROBUST)
"""What a machine judges unless it is told otherwise; `LAYOUT` for the node under test only."""

Judge: TypeAlias = Callable[[Any], str]
"""Looks at a rig and says what is wrong; empty for nothing."""


class Watch:
    """Looks at a run again and again; each look takes in what is new."""

    def __init__(self, bench: Bench, *, node: str | None = None) -> None:
        self._rows = 0
        self._frames = 0
        self._cycles_ns = -1
        self._layout = None if node is None else Layout(bench.database, node)
        self._cyclic = [each for each in bench.database.messages if each.cycle_time_ns]

    def broken(self, requirement: str, rig: Any) -> str:
        """What breaks a requirement of `REQUIREMENTS`, empty for nothing."""
        match requirement:
            case "BRK-003":
                return self._force(rig)
            case "COM-001":
                return self._cycle(rig)
            case "COM-007":
                return self._look_at_frames(rig)
            case "ROB-001":
                return _findings(rig)
        raise UsageError(
            "requirement of a machine",
            expected=f"one of {', '.join(REQUIREMENTS)}, or a judge of its own",
            got=requirement,
        )

    def _force(self, rig: Rig) -> str:
        """No force above 500 N without a request; the exact judgement only where it may matter."""
        first = max(0, self._rows - RELEASE_MS - 1)
        column = rig.recorder.column
        requested = column("pedal_pct", first_row=first) > PEDAL_DEAD_PCT
        requested |= column("hold_allowed_ratio", first_row=first) > 0.0
        rows = np.arange(len(requested))
        last = np.maximum.accumulate(np.where(requested, rows, -RELEASE_MS - 1))
        free = rows - last > RELEASE_MS
        suspect = any(
            bool((free & (column(f"clamp_force_n.{corner}", first_row=first) > FREE_FORCE_N)).any())
            for corner in CORNERS
        )
        self._rows = rig.recorder.row_count
        return _failed(rig, NO_FORCE) if suspect else ""

    def _cycle(self, rig: Bench) -> str:
        if rig.now_ns == self._cycles_ns:
            return ""
        self._cycles_ns = rig.now_ns
        for check in cycle_checks(rig, self._cyclic):
            if not check.passed:
                return f"{check.text}, {check.measured} (limit {check.limit})"
        return ""

    def _look_at_frames(self, rig: Bench) -> str:
        """Frames of the node under test are as the database says."""
        if self._layout is None:
            return ""
        excused = disturbed_messages(rig)
        frames = rig.recorder.frames
        first, self._frames = self._frames, len(frames)
        for record in frames[first:]:
            if record.sender == self._layout.node:
                wrong = self._layout.wrong(record, excused)
                if wrong:
                    return wrong
        return ""


class Layout:
    """What a node's frames must be like, from the database: length, format, E2E, ranges."""

    def __init__(self, database: Database, node: str) -> None:
        self.node = node
        self._headers: dict[str, Header] = {}
        self._own = {
            (each.arbitration_id, each.is_extended_id): each for each in database.sent_by(node)
        }

    def wrong(self, record: BusRecord, excused: Collection[str] = ()) -> str:
        """What is wrong with a frame of the node; messages in `excused` are let off."""
        frame = record.frame
        message = self._own.get((frame.arbitration_id, frame.is_extended_id))
        if message is None or message.name in excused or message.is_undecodable:
            return ""
        where = f"{message.label} at {format_ns(record.sof_ns)}"
        fits = len(frame.data) == message.length or (
            # A transport frame is as long as what is in it, or padded: both are ISO 15765-2.
            is_diagnostic(message) and len(frame.data) <= message.length
        )
        if not fits or frame.is_fd != message.is_fd:
            wanted, came = ("FD" if each.is_fd else "classic" for each in (message, frame))
            return (
                f"{where}: {len(frame.data)} bytes, {came}, instead of {message.length}, {wanted}"
            )
        if message.e2e is not None and self._header(message).open(_authentic(message, frame)) < 0:
            return f"{where}: E2E header wrong"
        if is_diagnostic(message):
            return ""  # bytes of the transport, no signals
        raws = message.codec.decode(frame.data, scaling=False)
        for name, raw in raws.items():
            signal = message.signal(name)
            if not acceptable(signal, signal.to_physical(raw), raw):
                shown = f"{signal.to_physical(raw)} {signal.unit}".rstrip()
                return f"{where}: {name} is {shown}, outside its range"
        return ""

    def _header(self, message: Message) -> Header:
        header = self._headers.get(message.name)
        if header is None:
            assert message.e2e is not None
            length = authentic_length(message)
            header = HEADERS[message.e2e.profile](message.e2e, length)
            self._headers[message.name] = header
        return header


def _authentic(message: Message, frame: Frame) -> bytes:
    return frame.data[: authentic_length(message)]


def _failed(rig: Bench, requirement: str) -> str:
    for check in rig.invariants(()):
        if check.requirement == requirement and not check.passed:
            return f"{check.text}: {check.measured} (limit {check.limit})"
    return ""


def _findings(rig: Bench) -> str:
    """A module that raised or crashed, and frames nobody expected."""
    report_collisions(rig)
    findings = rig.log.findings
    return "; ".join(f"{each.source}: {each.text}" for each in findings[:3])


def check_requirements(
    rig: Bench,
    *,
    node: str | None = None,
    requirements: Sequence[str] = REQUIREMENTS,
    judges: Mapping[str, Judge] | None = None,
) -> None:
    """Judge a run as a machine does, at the end of a scenario; outcomes are checks of the run.

    `node` is the one under test. The rig judges BRK-003 and COM-001 itself when the scenario is
    over; `judges` are requirements of your own.
    """
    watch = Watch(rig, node=node)
    for requirement in requirements:
        if requirement in (LAYOUT, ROBUST) and not (requirement == LAYOUT and node is None):
            wrong = watch.broken(requirement, rig)
            rig.check(requirement, not wrong, text=wrong or "nothing found", limit="nothing found")
    for requirement, judge in (judges or {}).items():
        wrong = judge(rig)
        rig.check(requirement, not wrong, text=wrong or "nothing found", limit="nothing found")
