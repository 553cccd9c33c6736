"""What a command line orders a restbus to do: values, drives, writes and faults, each at its time.

What would be refused in the middle of a run is refused before it. Not here: how the words are
written (`restbus_arguments`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from simcore.cli.restbus_arguments import (
    DriveReader,
    Driving,
    Setting,
    fault_of,
    setting_of,
    write_of,
)
from simcore.errors import InputError, UsageError
from simcore.faults import MessageFault
from simcore.faults.message_path import MessagePath
from simcore.kernel import RandomStreams
from simcore.network.accepting import raw_of
from simcore.rig import Restbus
from simcore.rig.injection import sender_of
from simcore.units import NS_PER_S


def apply(
    rig: Restbus,
    sets: Sequence[str],
    writes: Sequence[str],
    drives: Sequence[str],
    faults: Sequence[str],
    *,
    end_ns: int | None = None,
) -> None:
    """Everything the command line says about values and faults; `end_ns` is when the run ends."""
    for word in sets:
        setting = setting_of(word)
        rig.set(setting.message, **{setting.signal: setting.value})
    reader = DriveReader(rig.database, rig.network)
    for word in drives:
        driving = reader.read(word)
        try:
            rig.drive(driving.message, driving.signal, driving.column)
        except UsageError as error:  # values that the signal cannot have
            line = _line_of_refused(rig, driving)
            raise InputError(str(error), file=driving.file, line=line) from error
    events: dict[tuple[int, str], dict[str, Any]] = {}
    for word in writes:
        setting = write_of(word)
        _require_in_time(f"--write {word}", setting.at_ns, end_ns)
        _require_writable(rig, setting)
        event = events.setdefault((setting.at_ns, setting.message), {})
        event[setting.signal] = setting.value
    for (at_ns, message), values in sorted(events.items()):
        _at(rig, at_ns, partial(rig.write, message, **values))
    for word in faults:
        planned = fault_of(word)
        _require_in_time(f"--fault {word}", planned.start_ns, end_ns)
        _require_breakable(rig, planned.fault)
        inject = partial(rig.inject, planned.fault, duration=planned.duration_ns)
        _at(rig, planned.start_ns, inject)


def _line_of_refused(rig: Restbus, driving: Driving) -> int | None:
    """The line of the first value that the signal cannot have; `None` for another refusal."""
    message = rig.message(driving.message)
    signal = message.signal(driving.signal)
    for value in driving.column.values:
        try:
            raw_of(message, signal, value)
        except UsageError:
            return driving.column.line_of(value)
    return None


def _at(rig: Restbus, time_ns: int, action: partial[Any]) -> None:
    """At 0 before the first frames, later after those of the instant."""
    if time_ns == 0:
        action()
    else:
        rig.at(time_ns, action)


def _require_in_time(order: str, time_ns: int, end_ns: int | None) -> None:
    """Refuse what would never happen."""
    if end_ns is not None and time_ns >= end_ns:
        raise UsageError(
            order,
            expected=f"a time before the end of the run at {end_ns / NS_PER_S:g} s (--duration)",
            got=f"{time_ns / NS_PER_S:g} s",
        )


def _require_writable(rig: Restbus, setting: Setting) -> None:
    """Find out before the run what would be refused in the middle of it."""
    name = rig.sender_of(setting.message)
    message = rig.message(setting.message)
    rig.restbus(name).require_writable(setting.message, (setting.signal,))
    raw_of(message, message.signal(setting.signal), setting.value)


def _require_breakable(rig: Restbus, fault: MessageFault) -> None:
    rig.sender_of(fault.message)  # refuses what is not played
    message = rig.message(fault.message)
    sender = sender_of(rig, fault, message)
    random = RandomStreams(0).stream("check")
    fault.begin(MessagePath(message, sender, rig.scheduler, random))
