"""What a brake actuator must never do, whatever is done to it: the invariant of its role.

No clamp force without a request, outputs that are numbers, and status messages that go on while the
module has its supply. A request is a command with a right checksum that asks for force, or a
pressed pedal: whether the actuator had to follow it is the matter of cases; here it only excuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simcore.faults.fault import WireFault
from simcore.network import Message, SignalReader
from simcore.protection.e2e_factory import HEADERS
from simcore.protection.e2e_header import WRONG, Header
from simcore.rig.stand import NodeStand
from simcore.testing.conformance.actuator import Lane, Series, heard, lanes_of
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, NS_PER_S

SILENT_CYCLES = 4
"""So many cycles without a status are a silence."""
START_UP_NS = NS_PER_S
"""One that was never heard may be starting up."""
_RESTARTING = ("ecu", "power")
"""Layers of faults after which a module may have to start up again."""
_FORCE_MODES = ("brake", "hold")
_PARK_MODES = ("park", "unpark")


def check_safe(trial: Trial, since_ns: int) -> None:
    """Judge the module from `since_ns` until now."""
    bench = trial.bench
    series = _force(trial, since_ns)
    if series is not None:
        _check_force(trial, series)
        if isinstance(bench, NodeStand):
            _check_outputs(trial, bench, since_ns)
    _check_sending(trial, since_ns)


def limit_of(interface: Interface, name: str) -> tuple[float, str]:
    """A number of the requirement list and the requirement that holds it, whatever the case."""
    for each in interface.requirements.values():
        if name in each.parameters:
            return each.parameters[name], each.id
    # the one way to say which file lacks it
    return interface.parameter("", name), ""


def _force(trial: Trial, since_ns: int) -> Series | None:
    """The true clamp force; `None` where there is no caliper."""
    bench = trial.bench
    pin = trial.interface.binding("pins")["force"]
    columns = bench.recorder.columns
    column = pin if pin in columns else f"{pin}.{trial.interface.corner}"
    if column not in columns or getattr(bench, "plant", None) is None:
        return None
    values = bench.recorder.column(column, first_row=max(0, since_ns // NS_PER_MS))
    first_ns = (max(0, since_ns) // NS_PER_MS + 1) * NS_PER_MS
    return Series(first_ns + NS_PER_MS * np.arange(len(values), dtype=np.int64), values)


def _check_force(trial: Trial, series: Series) -> None:
    interface = trial.interface
    idle_n, requirement = limit_of(interface, "idle_force_n")
    excused_ns = int(limit_of(interface, "after_request_ms")[0] * NS_PER_MS)
    too_much = series.values > idle_n
    if too_much.any():
        begin_ns = int(series.time_ns[0]) - excused_ns
        asked_ns = np.array([-(1 << 62), *_requests_ns(trial, begin_ns)], dtype=np.int64)
        newest = asked_ns[np.searchsorted(asked_ns, series.time_ns, side="right") - 1]
        too_much &= series.time_ns - newest > excused_ns
        too_much &= ~_locked(trial, series)
    free_n = series.values[too_much]
    worst_n = float(free_n.max()) if len(free_n) else 0.0
    trial.expect(
        not len(free_n),
        text="largest clamp force that nothing asks for",
        measured=worst_n,
        limit=f"<= {idle_n:g} N",
        requirement=requirement,
    )


def _locked(trial: Trial, series: Series) -> Any:
    """Where the park lock holds the force."""
    bench = trial.bench
    pin = trial.interface.binding("pins").get("lock")
    if not isinstance(bench, NodeStand) or pin not in bench.recorder.columns:
        return np.zeros(len(series.values), dtype=bool)
    values = bench.recorder.column(pin, first_row=int(series.time_ns[0]) // NS_PER_MS - 1)
    excused = np.asarray(values[: len(series.values)] > 0.0)
    # the lock is seen in steps of 10 ms, and opens when the motor has the load
    return np.convolve(excused, np.ones(21), mode="same") > 0.0


@dataclass(frozen=True)
class _Asking:
    """Finds requests in the frames of one message."""

    header: Header | None
    length: int
    reader: SignalReader

    @classmethod
    def of(cls, message: Message, *signals: str) -> _Asking:
        length = message.length if message.secoc is None else message.secoc.authentic_length
        config = message.e2e
        header = None if config is None else HEADERS[config.profile](config, length)
        return cls(header, message.length, message.codec.reader(*signals))

    def values(self, data: bytes) -> tuple[Any, ...] | None:
        """What a frame says; `None` for one that cannot be believed."""
        header = self.header
        if len(data) != self.length:
            return None
        if header is not None and header.open(data[: header.length]) == WRONG:
            return None
        return tuple(self.reader.read(data))


class _Command:
    """Tells whether a command asks for force."""

    def __init__(self, interface: Interface, lane: Lane) -> None:
        modes, message = interface.binding("modes"), lane.message
        self._says = _Asking.of(message, lane.valid, lane.mode, lane.force)
        valid = {interface.binding("validity")["valid"]}
        self._valid = _raws(message, lane.valid, valid)
        self._force = _raws(message, lane.mode, {modes[name] for name in _FORCE_MODES})
        self._park = _raws(message, lane.mode, {modes[name] for name in _PARK_MODES})

    def asks(self, data: bytes) -> bool:
        """Whether a frame can be believed, and asks for force."""
        values = self._says.values(data)
        if values is None or values[0] not in self._valid:
            return False
        return values[1] in self._park or (values[1] in self._force and values[2] > 0)


def _requests_ns(trial: Trial, since_ns: int) -> list[int]:
    """When anything asked for force, in order."""
    interface = trial.interface
    commands = {
        lane.message.arbitration_id: _Command(interface, lane) for lane in lanes_of(interface)
    }
    pedal = interface.binding("pedal")
    pedal_message = interface.database.message(pedal["message"])
    travels = _Asking.of(pedal_message, *pedal["travels"])
    found: list[int] = []
    messages = [*(lane.message for lane in lanes_of(interface)), pedal_message]
    for each in heard(trial.bench.recorder.frames, messages, since_ns):
        command = commands.get(each.arbitration_id)
        if command is not None:
            asks = command.asks(each.data)
        else:
            values = travels.values(each.data)
            asks = values is not None and max(values) > pedal["dead_travel_mm"]
        if asks:
            found.append(each.eof_ns)
    return found


def _raws(message: Message, signal: str, texts: set[str]) -> set[int]:
    choices = message.signal(signal).choices
    return {raw for raw, text in choices.items() if text in texts}


def _check_outputs(trial: Trial, stand: NodeStand, since_ns: int) -> None:
    pins = trial.interface.binding("pins")
    values = stand.recorded(pins["motor_current"], since_ns=since_ns)
    trial.expect(
        bool(np.isfinite(values).all()),
        text="what the module writes to its outputs",
        measured="numbers" if np.isfinite(values).all() else "no number",
        limit="numbers",
    )


def _excused_ns(trial: Trial, since_ns: int) -> int:
    """Until when a module that was not heard since may still be starting up."""
    started_ns = -1 if trial.started_ns is None else trial.started_ns
    for each in trial.bench.faults:  # what takes the supply, or makes the module start anew
        if getattr(each.fault, "layer", "") in _RESTARTING:
            started_ns = max(started_ns, each.record.start_ns, each.stop_ns or 0)
    return since_ns if started_ns < 0 else max(since_ns, started_ns + START_UP_NS)


def _check_sending(trial: Trial, since_ns: int) -> None:
    """Status goes on, unless the case has taken away what it needs."""
    bench = trial.bench
    host = bench.host(trial.node)
    disturbed = any(
        isinstance(each.fault, WireFault) and each.stop_ns is None for each in bench.faults
    )
    if not host.running or disturbed or trial.node in bench.silenced:
        return
    silent = []
    for message in trial.interface.cyclic_sent:
        window_ns = SILENT_CYCLES * (message.cycle_time_ns or 0)
        if bench.now_ns - since_ns < window_ns:
            continue
        heard = trial.frames(message.name, since_ns, channel="*")
        newest_ns = heard[-1].eof_ns if heard else _excused_ns(trial, since_ns)
        if bench.now_ns - newest_ns > window_ns:
            silent.append(message.name)
    trial.expect(
        not silent,
        text="the module goes on sending",
        measured=f"silent: {', '.join(silent)}" if silent else "all there",
        limit="every cyclic message",
    )
