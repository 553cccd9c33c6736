"""`Actuator`: a brake actuator on its stand in the terms of its cases.

Commands, pedal and speed go out as what the table `interface.actuator` says they are called in this
network; status, pins and caliper are read back under names of roles. Nothing here judges: the
groups `actuator_*` do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simcore.bus import FrameLog
from simcore.bus.log import BusRecord
from simcore.faults.fault import SiteFault
from simcore.faults.installed import Installed
from simcore.faults.site import Site
from simcore.network import Message
from simcore.network.messages import Number
from simcore.rig.injection import AnyFault, InjectedFault
from simcore.rig.stand import NodeStand
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial
from simcore.units import NS_PER_MS, ms

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
PRIMARY, SECONDARY = 0, 1
FULL_SLOPE_KN_PER_S = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStageDrives(SiteFault):
    """The power stage drives the motor by itself, as long as it is enabled."""

    node: str
    pin: str
    current_a: float
    layer: ClassVar[str] = "actuator"

    @property
    def sentence(self) -> str:
        """For the report."""
        return f"{self.node}: the power stage drives {self.current_a:g} A by itself"

    def check(self, site: Site) -> None:
        """Refuse a pin that is not there."""
        site.require_output(self.node, self.pin)

    def begin(self, site: Site) -> Installed:
        """From now on."""
        self.check(site)
        drives = _Drives(site, self.node, self.pin, self.current_a)
        site.disturb_output(self.node, self.pin, drives.value)
        return Installed(drives.end)


class _Drives:
    __slots__ = ("_current_a", "_node", "_pin", "_site")

    def __init__(self, site: Site, node: str, pin: str, current_a: float) -> None:
        self._site = site
        self._node, self._pin, self._current_a = node, pin, current_a

    def value(self, true_ratio: float, now_ns: int) -> float:
        return self._current_a

    def end(self) -> None:
        self._site.undisturb_output(self._node, self._pin, self.value)


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity over time, one value per millisecond."""

    time_ns: Times
    values: Floats = field(repr=False)

    def between(self, begin_ns: int, end_ns: int) -> Series:
        """The part from `begin_ns` to `end_ns`."""
        chosen = (self.time_ns >= begin_ns) & (self.time_ns <= end_ns)
        return Series(self.time_ns[chosen], self.values[chosen])

    def first_ns(self, holds: NDArray[np.bool_]) -> int | None:
        """When a condition first holds; `None` for never."""
        rows = np.flatnonzero(holds)
        return int(self.time_ns[rows[0]]) if len(rows) else None

    def last_ns(self, holds: NDArray[np.bool_]) -> int | None:
        """When a condition last holds; `None` for never."""
        rows = np.flatnonzero(holds)
        return int(self.time_ns[rows[-1]]) if len(rows) else None

    @property
    def largest(self) -> float:
        """The greatest value; NaN for none, which fails every limit."""
        return float(self.values.max()) if len(self.values) else float("nan")

    @property
    def least(self) -> float:
        """The least value; NaN for none."""
        return float(self.values.min()) if len(self.values) else float("nan")

    @property
    def mean(self) -> float:
        """The mean value; NaN for none."""
        return float(self.values.mean()) if len(self.values) else float("nan")


class Heard(NamedTuple):
    """One frame of some messages."""

    sof_ns: int
    eof_ns: int
    arbitration_id: int
    data: bytes


def heard(log: FrameLog, messages: Sequence[Message], since_ns: int) -> Iterator[Heard]:
    """The frames of these messages on any bus that were complete after `since_ns`, in order.

    As records of the whole log they would cost ten times as much.
    """
    wanted = {(each.arbitration_id, each.is_extended_id) for each in messages}
    for columns in log.columns(bisect_left(log, since_ns, key=_eof_ns)):
        headers = [header for _, _, header in log.sources]
        is_wanted = np.array(
            [(each.arbitration_id, each.is_extended_id) in wanted for each in headers]
        )
        lengths = np.array([each.length for each in headers])
        ends = np.cumsum(lengths[columns.source])
        for row in np.flatnonzero(is_wanted[columns.source]).tolist():
            header = headers[int(columns.source[row])]
            end = int(ends[row])
            yield Heard(
                int(columns.sof_ns[row]),
                int(columns.eof_ns[row]),
                header.arbitration_id,
                columns.data[end - header.length : end],
            )


def _eof_ns(record: BusRecord) -> int:
    return record.eof_ns


@dataclass(frozen=True, slots=True)
class Lane:
    """One source of commands."""

    message: Message
    force: str
    mode: str
    slope: str
    valid: str
    emergency: str


def lanes_of(interface: Interface) -> tuple[Lane, ...]:
    """The sources of commands, the preferred one first."""
    return tuple(
        Lane(**{**entry, "message": interface.database.message(entry["message"])})
        for entry in interface.binding("lanes")
    )


class Actuator:
    """What a case does with the actuator of its trial."""

    def __init__(self, trial: Trial) -> None:
        assert isinstance(trial.bench, NodeStand)
        self.trial = trial
        self.stand: NodeStand = trial.bench
        self.interface = trial.interface
        self.lanes = lanes_of(trial.interface)

    # -- numbers and names ------------------------------------------------------------------------

    def bound(self, table: str, name: str = "") -> Any:
        """An entry of the bindings."""
        found = self.interface.binding(table)
        return found[name] if name else found

    def number(self, name: str) -> float:
        """A number of the requirements: of those that the case verifies, else of any other one."""
        own = set(self.trial.case.requirements)
        for each in sorted(
            self.interface.requirements.values(), key=lambda each: each.id not in own
        ):
            if name in each.parameters:
                return each.parameters[name]
        return self.trial.parameter(name)  # says which file lacks it

    @property
    def force_max_n(self) -> float:
        """Clamp force that the place demands of a sound actuator."""
        return float(self.bound("force_max_n", self.interface.corner))

    def share_n(self, share_ratio: float) -> float:
        """A part of the largest force, in whole newtons as signals carry them."""
        return float(round(share_ratio * self.force_max_n))

    def tolerance_n(self, force_n: float) -> float:
        """How far a steady force may be from the one asked for."""
        percent = self.number("force_tolerance_pct")
        return max(percent / 100.0 * force_n, self.number("force_tolerance_n"))

    # -- what it is told --------------------------------------------------------------------------

    def request(
        self,
        force_n: float,
        *,
        mode: str = "brake",
        lane: int = PRIMARY,
        slope_kn_per_s: float = FULL_SLOPE_KN_PER_S,
        valid: bool = True,
        emergency: bool = False,
    ) -> int:
        """Ask for a force on a lane, from its next frame on; returns the time of asking."""
        to = self.lanes[lane]
        values: dict[str, Number | str] = {
            to.force: force_n,
            to.mode: self.bound("modes", mode),
            to.slope: slope_kn_per_s,
            to.valid: self.bound("validity", "valid" if valid else "invalid"),
            to.emergency: self.bound("emergencies", "on" if emergency else "off"),
        }
        self.stand.set(to.message.name, **values)
        return self.stand.now_ns

    def request_all(self, force_n: float, *, mode: str = "brake", valid: bool = True) -> int:
        """Ask for the same force on every lane."""
        for lane in range(len(self.lanes)):
            self.request(force_n, mode=mode, lane=lane, valid=valid)
        return self.stand.now_ns

    def release(self, lane: int = PRIMARY) -> int:
        """Ask for an open brake."""
        return self.request(0.0, mode="open", lane=lane)

    def pedal(self, entry: str) -> int:
        """Let the pedal say what the bindings call `pressed`, `released`, `invalid`, ..."""
        self.stand.set(self.bound("pedal", "message"), **self.bound("pedal", entry))
        return self.stand.now_ns

    def pedal_travel(self, share_ratio: float) -> int:
        """Press the pedal to a part of its travel."""
        pedal = self.bound("pedal")
        travel_mm = share_ratio * pedal["full_travel_mm"]
        self.stand.set(pedal["message"], **dict.fromkeys(pedal["travels"], travel_mm))
        return self.stand.now_ns

    def drive(self, speed_kmh: float) -> None:
        """Let wheel and vehicle have this speed."""
        speed = self.bound("speed")
        self.stand.set_speed(kmh=speed_kmh)
        at_rest = speed["at_rest" if speed_kmh == 0.0 else "moving"]
        self.stand.set(speed["message"], **{speed["signal"]: speed_kmh}, **at_rest)

    def brake(self, force_n: float, *, settle_ns: int = ms(250), speed_kmh: float = 50.0) -> int:
        """Drive, press the pedal, and clamp with a steady force on the primary lane."""
        self.drive(speed_kmh)
        self.pedal("pressed")
        self.trial.run_for(ms(20))
        asked_ns = self.request(force_n)
        self.trial.run_for(settle_ns)
        return asked_ns

    def stop(self, *messages: str) -> int:
        """Let messages stay away; returns when the last of their frames was complete."""
        for name in messages:
            self.stand.stop(name)
        return max((self.last_frame_ns(name) for name in messages), default=self.stand.now_ns)

    def stop_lanes(self) -> int:
        """Let all commands stay away; returns when the last one was complete."""
        return self.stop(*(lane.message.name for lane in self.lanes))

    def inject(self, fault: AnyFault, *, duration_ns: int | None = None) -> InjectedFault:
        """Break something."""
        return self.stand.inject(fault, duration=duration_ns)

    def last_frame_ns(self, message: str) -> int:
        """When the last frame of a message on any bus was complete; now, if there was none."""
        wanted = self.trial.message(message)
        for record in reversed(self.stand.recorder.frames):
            if record.frame.arbitration_id == wanted.arbitration_id:
                return int(record.eof_ns)
        return self.stand.now_ns

    def next_frame_ns(self, message: str, since_ns: int) -> int:
        """When the first frame of a message that began from `since_ns` on was complete."""
        wanted = [self.trial.message(message)]
        for each in heard(self.stand.recorder.frames, wanted, since_ns):
            if each.sof_ns >= since_ns:
                return each.eof_ns
        return since_ns

    # -- what it does -----------------------------------------------------------------------------

    def pin_name(self, role: str) -> str:
        """A pin by what it is for."""
        return str(self.bound("pins", role))

    def recorded(self, role: str, since_ns: int = 0) -> Series:
        """The true value of a pin, every millisecond after `since_ns`."""
        values = self.stand.recorded(self.pin_name(role), since_ns=since_ns)
        first_ns = (since_ns // NS_PER_MS + 1) * NS_PER_MS
        return Series(first_ns + NS_PER_MS * np.arange(len(values), dtype=np.int64), values)

    def force(self, since_ns: int = 0) -> Series:
        """The true clamp force."""
        return self.recorded("force", since_ns)

    @property
    def force_n(self) -> float:
        """The present true clamp force."""
        return self.stand.caliper.clamp_force_n

    def said(self, name: str, since_ns: int = 0) -> list[tuple[int, Number]]:
        """What its status said: (end of frame, physical value)."""
        table = self._status_table(name)
        return self.trial.decoded(table["message"], table[name], since_ns)

    def says(self, name: str) -> Number | None:
        """What its status says now; `None` before the first frame."""
        table = self._status_table(name)
        return self.stand.signal(table["message"], table[name])

    def raws(self, name: str, *meanings: str) -> set[int]:
        """The raw values of a status signal that mean these things."""
        table = self._status_table(name)
        signal = self.trial.message(table["message"]).signal(table[name])
        texts = {text for meaning in meanings for text in self.bound("said", meaning)}
        return {raw for raw, text in signal.choices.items() if text in texts}

    def is_saying(self, name: str, *meanings: str) -> bool:
        """Whether the newest status means one of these."""
        return self.says(name) in self.raws(name, *meanings)

    def first_said_ns(self, name: str, since_ns: int, *meanings: str) -> int | None:
        """When its status first meant one of these; `None` for never."""
        raws = self.raws(name, *meanings)
        return next((time_ns for time_ns, raw in self.said(name, since_ns) if raw in raws), None)

    def shown(self, name: str, raw: Number | None) -> str:
        """A status value as its value table calls it."""
        table = self._status_table(name)
        signal = self.trial.message(table["message"]).signal(table[name])
        return "nothing" if raw is None else signal.choices.get(int(raw), f"{raw}")

    def _status_table(self, name: str) -> dict[str, str]:
        for table in ("status", "condition"):
            found: dict[str, str] = self.bound(table)
            if name in found:
                return found
        raise KeyError(name)

    # -- evidence ---------------------------------------------------------------------------------

    def plot(self, since_ns: int, commanded: Sequence[tuple[int, float]] = ()) -> None:
        """Keep the clamp force as a curve, with the commands (from when, how much)."""
        series = self.force(since_ns)
        line = np.zeros(len(series.values))
        for from_ns, force_n in commanded:
            line[series.time_ns >= from_ns] = force_n
        limits = {"command": line} if commanded else {}
        self.trial.curve("clamp force", "N", series.time_ns, series.values, limits)
