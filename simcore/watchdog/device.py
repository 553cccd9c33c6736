"""External safety watchdogs: what they have in common, seen from the board and from software.

A device is a chip of its own, with its own clock, supply and counters. It knows no ECU: it sees
what is written to it and the time, and it drives two lines. The enable line is high as long as the
ECU may act on the world; the reset line restarts the ECU. Sans-IO: time comes with every call, and
every call first catches up with what the device's clock did until then, so that at a border of a
window it does not matter whether the timer or the software comes first.

The chips are in presets.py, the software that serves them in service.py, the board that connects
both in the rig.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import Protocol, TypeVar

from simcore.errors import UsageError

NEVER_NS = 1 << 62
"""Later than any run; as a reset pulse: the ECU stays in reset until the supply is cycled."""

_Shared = TypeVar("_Shared", bound="FrozenSettings")


@unique
class Verdict(Enum):
    """What a watchdog makes of a service, or of its absence; the text is for people."""

    GOOD = "good"
    TRIGGER_EARLY = "trigger in the closed window"
    TRIGGER_MISSING = "trigger missing"
    ANSWER_WRONG = "answer wrong"
    ANSWER_EARLY = "answer too early"
    ANSWER_LATE = "answer too late"
    ANSWER_MISSING = "answer missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvent:
    """Something a device did. Kinds are those of `Port.log`."""

    time_ns: int
    kind: str
    """`detection` for a bad service, `reaction` for a line, `state` for the device's own state."""
    text: str


class SafetyDevice(Protocol):
    """A watchdog chip."""

    enabled: bool
    """The enable line. Low until the ECU has been served well for the first time after power on."""
    changed: bool
    """Events or a reset can be taken, or the deadline came nearer. Cleared by `take_events`."""

    @property
    def error_count(self) -> int:
        """The error counter; the highest one where there are several."""

    def power_on(self, now_ns: int) -> None:
        """Supply comes: everything anew."""

    def trigger(self, now_ns: int) -> None:
        """A trigger of the window watchdog; a device without one takes no notice."""

    def question(self, now_ns: int) -> int:
        """Read the question register; 0 for a device that asks none."""

    def answer(self, value: int, now_ns: int) -> None:
        """Write an answer byte; a device that asks nothing takes no notice."""

    def release(self, code: int, now_ns: int) -> None:
        """Write the release register, for a device whose enable line does not rise by itself."""

    def demand_safe_state(self, now_ns: int) -> None:
        """Software asks for a low enable line; it stays low until the next reset or power on."""

    def on_timer(self, now_ns: int) -> None:
        """Time has passed; what was due happens, in order and at its own time."""

    def next_deadline_ns(self) -> int | None:
        """When something happens by itself next; `None` for never."""

    def take_reset(self) -> int | None:
        """Length in ns of a reset asked for since the last call; `NEVER_NS` keeps it."""

    def take_events(self) -> tuple[DeviceEvent, ...]:
        """What happened since the last call, in order."""


class WatchdogLine(Protocol):
    """What software sees of its watchdog: `Port.watchdog`."""

    @property
    def enabled(self) -> bool:
        """Read-back of the enable line."""

    @property
    def error_count(self) -> int:
        """The device's error counter; the highest one where there are several."""

    @property
    def service(self) -> WatchdogService:
        """Software that knows how to serve this device; begins anew with the ECU."""

    def trigger(self, now_ns: int) -> None:
        """Trigger the window watchdog."""

    def question(self, now_ns: int) -> int:
        """Read the question register."""

    def answer(self, value: int, now_ns: int) -> None:
        """Write an answer byte."""

    def release(self, code: int, now_ns: int) -> None:
        """Write the release register."""

    def demand_safe_state(self, now_ns: int) -> None:
        """Ask for a low enable line; it stays low until the next reset or power on."""


class WatchdogService(Protocol):
    """The software side of a device, called from the task that supervises all others."""

    @property
    def period_ns(self) -> int:
        """`step` is to be called at least this often; more often does no harm."""

    def step(self, line: WatchdogLine, now_ns: int, *, allowed: bool) -> None:
        """Serve the device if it is time to; without `allowed` never again serve it."""


class DeviceSettings(Protocol):
    """A kind of chip with its configuration; frozen."""

    def build(self) -> SafetyDevice:
        """The chip, without supply."""

    def service(self) -> WatchdogService:
        """The software that serves it."""


class FrozenSettings:
    """Never changes, so a copy is the thing itself."""

    __slots__ = ()

    def __copy__(self: _Shared) -> _Shared:
        return self

    def __deepcopy__(self: _Shared, memo: dict[int, object]) -> _Shared:
        return self


def require_whole(where: str, value: object, *, least: int, most: int = NEVER_NS) -> None:
    """Refuse what is no whole number in its range."""
    if type(value) is not int or not least <= value <= most:
        limit = f">= {least}" if most == NEVER_NS else f"{least}..{most}"
        raise UsageError(where, expected=f"a whole number {limit}", got=repr(value))


def require_byte(where: str, value: object) -> int:
    """A byte that software wrote into a register."""
    require_whole(where, value, least=0, most=0xFF)
    assert isinstance(value, int)
    return value
