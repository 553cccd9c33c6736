"""What every fault is: frozen data with a layer and a sentence, and when it happens.

A fault says what is broken; `at`, `during` and `after` say when. `Rig.inject` takes either, and a
`FaultSequence` of several. How a fault is carried out lies with its layer: one with `install` is a
fault of the wire, one with `begin(path)` of a message, every other one has `begin(site)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from simcore.errors import UsageError
from simcore.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simcore.bus import Bus
    from simcore.faults.installed import Installed
    from simcore.faults.site import Site
    from simcore.kernel import Scheduler

EVENT_KINDS = ("state", "detection", "reaction", "fault", "driver", "vehicle", "bus", "note", "dtc")
"""Kinds of events that a fault can wait for, as `Port.log` and the rig record them."""


LAYERS = ("wire", "message", "ecu", "pin", "actuator", "power", "plant")
"""From the cable to the road."""


class Fault:
    """Base of every fault."""

    __slots__ = ()

    layer: ClassVar[str] = ""
    """`wire`, `message`, `ecu`, `pin`, `actuator`, `power` or `plant`: one of `LAYERS`."""
    shifts_messages: ClassVar[bool] = False
    """Whether the cycle times of what its `node` sends mean nothing any more."""

    @property
    def sentence(self) -> str:
        """For the report."""
        raise NotImplementedError

    def at(self, time_ns: int, *, duration_ns: int | None = None) -> TimedFault:
        """From a virtual time on, for good or for `duration_ns`."""
        return TimedFault(fault=self, start_ns=time_ns, duration_ns=duration_ns)

    def during(self, start_ns: int, stop_ns: int) -> TimedFault:
        """From one virtual time to another."""
        if type(start_ns) is int and type(stop_ns) is int and stop_ns <= start_ns:
            raise UsageError(
                f"{type(self).__name__}, during",
                expected=f"a stop after {format_ns(start_ns)}",
                got=format_ns(stop_ns),
            )
        return TimedFault(fault=self, start_ns=start_ns, duration_ns=stop_ns - start_ns)

    def after(
        self,
        kind: str,
        *,
        source: str | None = None,
        text: str = "",
        delay_ns: int = 0,
        duration_ns: int | None = None,
    ) -> TimedFault:
        """Once an event of this kind is recorded; `source` and a part of its text narrow it."""
        event = EventMatch(kind=kind, source=source, text=text)
        return TimedFault(fault=self, event=event, delay_ns=delay_ns, duration_ns=duration_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault(Fault):
    """A fault between the transceivers, carried out on the buses."""

    bus: str
    """Name of the bus: `CHASSIS_A`."""

    layer: ClassVar[str] = "wire"

    def check(self, buses: Mapping[str, Bus]) -> None:
        """Refuse a bus or a node that is not there, before the fault's time comes."""
        bus = buses.get(self.bus)
        if bus is None:
            raise UsageError(
                f"{type(self).__name__}, bus",
                expected=f"one of {', '.join(buses)}",
                got=repr(self.bus),
            )
        for name in (getattr(self, "node", None), getattr(self, "sender", None)):
            if name is not None:
                bus.controller(name)

    def install(self, buses: Mapping[str, Bus], scheduler: Scheduler) -> Installed:
        """Break it, now."""
        raise NotImplementedError


class SiteFault(Fault):
    """A fault that is carried out through the `Site` that the rig offers."""

    __slots__ = ()

    def check(self, site: Site) -> None:
        """Refuse what the rig has not, before the fault's time comes; changes nothing.

        What depends on the moment, as whether a node is on, is left to `begin`.
        """

    def begin(self, site: Site) -> Installed:
        """Break it, now. Raises `UsageError` where the rig has no such thing."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMatch:
    """Which event of a run is meant."""

    kind: str
    source: str | None = None
    text: str = ""
    """Part of the event's text."""

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise UsageError(
                "fault after an event, kind",
                expected=f"one of {', '.join(EVENT_KINDS)}",
                got=repr(self.kind),
            )

    @property
    def sentence(self) -> str:
        """For the report."""
        where = f" of {self.source}" if self.source else ""
        what = f" {self.text!r}" if self.text else ""
        return f"{self.kind}{where}{what}"

    def matches(self, source: str, kind: str, text: str) -> bool:
        """Whether an event is meant."""
        return (
            kind == self.kind
            and (self.source is None or source == self.source)
            and self.text in text
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedFault:
    """A fault and when it happens: at a time, or some time after an event."""

    fault: Fault
    start_ns: int | None = None
    """Virtual time; `None` where it waits for `event`, or for nothing."""
    event: EventMatch | None = None
    delay_ns: int = 0
    """From the event to the fault."""
    duration_ns: int | None = None
    """`None`: for good."""

    def __post_init__(self) -> None:
        if (self.event is None and self.delay_ns) or None not in (self.event, self.start_ns):
            raise UsageError(
                f"{type(self.fault).__name__}, when",
                expected="a time, or an event with a delay",
                got="both" if self.event is not None else "a delay without an event",
            )
        for name in ("start_ns", "delay_ns", "duration_ns"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 0):
                raise UsageError(
                    f"{type(self.fault).__name__}, {name}",
                    expected="whole ns >= 0, as ms(5) or s(2) give",
                    got=repr(value),
                )
        if self.duration_ns == 0:
            raise UsageError(
                f"{type(self.fault).__name__}, duration_ns", expected="> 0 ns", got="0 ns"
            )

    def __add__(self, other: TimedFault | FaultSequence) -> FaultSequence:
        return FaultSequence(faults=(self,)) + other

    @property
    def sentence(self) -> str:
        """For the report."""
        text = self.fault.sentence
        if self.event is not None:
            delay = f"{format_ns(self.delay_ns)} " if self.delay_ns else ""
            text += f", {delay}after the {self.event.sentence}"
        elif self.start_ns is not None:
            text += f", at {format_ns(self.start_ns)}"
        if self.duration_ns is not None:
            text += f", for {format_ns(self.duration_ns)}"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSequence:
    """Several faults with their times: `first.at(s(1)) + second.during(s(2), s(3))`."""

    faults: tuple[TimedFault, ...]

    def __post_init__(self) -> None:
        faults: object = self.faults
        if not isinstance(faults, tuple) or not faults:
            got = "none" if faults == () else repr(faults)
            raise UsageError("FaultSequence.faults", expected="a tuple of faults", got=got)
        for each in faults:
            if not isinstance(each, TimedFault):
                raise UsageError(
                    "FaultSequence.faults",
                    expected="faults with times, as EcuSilent(node=...).at(s(1))",
                    got=repr(each),
                )

    def __add__(self, other: TimedFault | FaultSequence) -> FaultSequence:
        if isinstance(other, TimedFault):
            return FaultSequence(faults=(*self.faults, other))
        if isinstance(other, FaultSequence):
            return FaultSequence(faults=self.faults + other.faults)
        return NotImplemented
