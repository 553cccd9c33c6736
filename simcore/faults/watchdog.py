"""Faults on the line between an ECU's software and its external watchdog.

The software serves its watchdog as ever; what arrives there is wrong, too early, too late, or
nothing. A service is a trigger of a window watchdog or an answer to a question; one that is early
or late is all that software does in one go. A register that is only read passes untouched. What the
device makes of it is in `simcore.watchdog`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from simcore.errors import UsageError
from simcore.faults.ecu import EcuFault, running_node
from simcore.faults.installed import Installed, require_count
from simcore.faults.site import NodeControl, Site
from simcore.kernel import Priority, Scheduler
from simcore.units import NS_PER_MS, format_ns
from simcore.watchdog.device import WatchdogLine, WatchdogService

_ECU = int(Priority.ECU)
ANSWER_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogFault(EcuFault):
    """Base of all: how many services."""

    count: int | None = None
    """Services concerned, the next ones; `None` for all until it is cleared."""

    verb: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.count is not None:
            require_count(f"{type(self).__name__}.count", self.count)

    @property
    def sentence(self) -> str:
        """For the report."""
        which = "every service" if self.count is None else f"the next {self.count} services"
        return f"{self.node}: {which} of the watchdog {self.verb}{self._how}"

    @property
    def _how(self) -> str:
        return ""

    def check(self, site: Site) -> None:
        """Refuse a node without a watchdog."""
        if not site.node(self.node).has_watchdog:
            where = f"{type(self).__name__}, node {self.node}"
            raise UsageError(where, expected="a node with an external watchdog", got="none")

    def begin(self, site: Site) -> Installed:
        """From the next service on. Raises `UsageError` for a node without a watchdog."""
        self.check(site)
        control = running_node(self, site)
        tampering = Tampering(self, control, site.scheduler)
        control.interpose_watchdog(tampering.between)
        return tampering.installed

    def disturbed(self, line: WatchdogLine, tampering: Tampering) -> DisturbedLine:
        """What software sees in place of the line."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogAnswerWrong(WatchdogFault):
    """Answers to the watchdog's questions are wrong: one bit of each is inverted.

    A trigger has no value and passes as it is: a window watchdog alone notices nothing.
    """

    bit: int = 0
    """Which bit of an answer, 0 the least significant."""

    verb: ClassVar[str] = "wrong"

    def __post_init__(self) -> None:
        WatchdogFault.__post_init__(self)
        if type(self.bit) is not int or not 0 <= self.bit < ANSWER_BITS:
            where = "WatchdogAnswerWrong.bit"
            raise UsageError(where, expected=f"0..{ANSWER_BITS - 1}", got=repr(self.bit))

    def disturbed(self, line: WatchdogLine, tampering: Tampering) -> DisturbedLine:
        """A line that inverts a bit."""
        return _WrongLine(line, tampering, 1 << self.bit)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogAnswerMissing(WatchdogFault):
    """Services do not reach the watchdog."""

    verb: ClassVar[str] = "missing"

    def disturbed(self, line: WatchdogLine, tampering: Tampering) -> DisturbedLine:
        """A line that is cut."""
        return _CutLine(line, tampering)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogAnswerEarly(WatchdogFault):
    """Behind each service the software serves again, rightly, but before that is due."""

    after_ns: int = NS_PER_MS
    """From a service to the one that is early."""

    verb: ClassVar[str] = "early"

    def __post_init__(self) -> None:
        WatchdogFault.__post_init__(self)
        require_count("WatchdogAnswerEarly.after_ns", self.after_ns)

    @property
    def _how(self) -> str:
        return f": the next one {format_ns(self.after_ns)} behind it"

    def disturbed(self, line: WatchdogLine, tampering: Tampering) -> DisturbedLine:
        """A line whose service is in a hurry."""
        return _EarlyLine(line, tampering, self.after_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogAnswerLate(WatchdogFault):
    """The software takes longer by the same each time it serves the watchdog.

    It does not get round to the next service before it has done the one that is late.
    """

    delay_ns: int = 20 * NS_PER_MS
    """How late."""

    verb: ClassVar[str] = "late"

    def __post_init__(self) -> None:
        WatchdogFault.__post_init__(self)
        require_count("WatchdogAnswerLate.delay_ns", self.delay_ns)

    @property
    def _how(self) -> str:
        return f" by {format_ns(self.delay_ns)}"

    def disturbed(self, line: WatchdogLine, tampering: Tampering) -> DisturbedLine:
        """A line whose service takes its time."""
        return _LateLine(line, tampering, self.delay_ns)


class Tampering:
    """Stands between software and watchdog, and counts."""

    __slots__ = ("_control", "_fault", "_left", "count", "installed", "scheduler")

    def __init__(self, fault: WatchdogFault, control: NodeControl, scheduler: Scheduler) -> None:
        self._fault = fault
        self._control = control
        self._left = fault.count
        self.scheduler = scheduler
        self.count = 0
        self.installed = Installed(self._end, self)

    def between(self, line: WatchdogLine) -> WatchdogLine:
        """What software sees in place of its watchdog."""
        return self._fault.disturbed(line, self)

    def touches(self) -> bool:
        """Whether one more service is concerned; counts it."""
        if self.installed.is_over:
            return False
        self.count += 1
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._end()
                self.installed.over()
        return True

    @property
    def effect(self) -> str:
        return f"{self.count} service{'' if self.count == 1 else 's'} {self._fault.verb}"

    def _end(self) -> None:
        self._control.expose_watchdog(self.between)


class DisturbedLine:
    """A `WatchdogLine` that passes on what it is given; subclasses do not."""

    __slots__ = ("_line", "_tampering")

    def __init__(self, line: WatchdogLine, tampering: Tampering) -> None:
        self._line = line
        self._tampering = tampering

    @property
    def enabled(self) -> bool:
        """Read-back of the enable line."""
        return self._line.enabled

    @property
    def error_count(self) -> int:
        """The device's error counter."""
        return self._line.error_count

    @property
    def service(self) -> WatchdogService:
        """Software that knows how to serve the device."""
        return self._line.service

    def trigger(self, now_ns: int) -> None:
        """Trigger the window watchdog."""
        self._line.trigger(now_ns)

    def question(self, now_ns: int) -> int:
        """Read the question register."""
        return self._line.question(now_ns)

    def answer(self, value: int, now_ns: int) -> None:
        """Write an answer byte."""
        self._line.answer(value, now_ns)

    def release(self, code: int, now_ns: int) -> None:
        """Write the release register."""
        self._line.release(code, now_ns)

    def demand_safe_state(self, now_ns: int) -> None:
        """Ask for a low enable line."""
        self._line.demand_safe_state(now_ns)


class _WrongLine(DisturbedLine):
    __slots__ = ("_mask",)

    def __init__(self, line: WatchdogLine, tampering: Tampering, mask: int) -> None:
        super().__init__(line, tampering)
        self._mask = mask

    def answer(self, value: int, now_ns: int) -> None:
        # The same bit inverted twice would be right: then the other one does it.
        mask = 0 if self._is_inverted_behind() else self._mask
        self._line.answer(value ^ mask if self._tampering.touches() else value, now_ns)

    def _is_inverted_behind(self) -> bool:
        line: WatchdogLine = self._line
        while isinstance(line, DisturbedLine):
            same = isinstance(line, _WrongLine) and line._mask == self._mask
            if same and not line._tampering.installed.is_over:
                return True
            line = line._line
        return False


class _CutLine(DisturbedLine):
    __slots__ = ()

    def trigger(self, now_ns: int) -> None:
        if not self._tampering.touches():
            self._line.trigger(now_ns)

    def answer(self, value: int, now_ns: int) -> None:
        if not self._tampering.touches():
            self._line.answer(value, now_ns)


class _TimedLine(DisturbedLine):
    """Its service takes steps at other times than the software asks for."""

    __slots__ = ("_shift_ns", "_wrote")

    def __init__(self, line: WatchdogLine, tampering: Tampering, shift_ns: int) -> None:
        super().__init__(line, tampering)
        self._shift_ns = shift_ns
        self._wrote = False
        """Whether the step that is being taken has served."""

    @property
    def service(self) -> WatchdogService:
        return self

    @property
    def period_ns(self) -> int:
        """How often `step` wants to be called."""
        return self._line.service.period_ns

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        """What the software asks for."""
        raise NotImplementedError

    def _take(self, service: WatchdogService, now_ns: int, allowed: bool) -> bool:
        """Take a step; returns whether it served."""
        self._wrote = False
        service.step(self, now_ns, allowed=allowed)
        return self._wrote

    def _take_later(self, step: Callable[[], object]) -> None:
        scheduler = self._tampering.scheduler
        scheduler.post(scheduler.now_ns + self._shift_ns, _ECU, step)

    def trigger(self, now_ns: int) -> None:
        self._wrote = True
        self._line.trigger(now_ns)

    def answer(self, value: int, now_ns: int) -> None:
        self._wrote = True
        self._line.answer(value, now_ns)


class _EarlyLine(_TimedLine):
    """Behind each step that served, a twin of the service as it was before takes the next one."""

    __slots__ = ()

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        service = self._line.service
        twin = copy(service)
        if self._take(service, now_ns, allowed) and self._tampering.touches():
            self._take_later(partial(self._again, service, twin, now_ns + self._shift_ns, allowed))

    def _again(
        self, service: WatchdogService, twin: WatchdogService, now_ns: int, allowed: bool
    ) -> None:
        if service is self._line.service:  # else a reset was faster
            self._take(twin, now_ns, allowed)


class _LateLine(_TimedLine):
    """A step is taken later, and the software hears nothing meanwhile. A reset drops it."""

    __slots__ = ("_waits_for",)

    def __init__(self, line: WatchdogLine, tampering: Tampering, shift_ns: int) -> None:
        super().__init__(line, tampering, shift_ns)
        self._waits_for: WatchdogService | None = None

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        service = self._line.service
        if self._waits_for is not service:
            self._waits_for = service
            self._take_later(partial(self._at_last, service, now_ns + self._shift_ns, allowed))

    def _at_last(self, service: WatchdogService, now_ns: int, allowed: bool) -> None:
        if service is self._line.service:
            self._waits_for = None
            if self._take(service, now_ns, allowed):
                self._tampering.touches()
