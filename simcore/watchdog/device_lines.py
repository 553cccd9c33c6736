"""`DeviceLines`: what every safety device does alike, whatever it makes of a service.

Its state, its two lines, the events that say why they moved, and catching up with time. What is a
good service, and what a bad one costs, lies with the chips in presets.py.
"""

from __future__ import annotations

from simcore.units import format_ns
from simcore.watchdog.device import NEVER_NS, DeviceEvent
from simcore.watchdog.device_states import DeviceInput, DeviceState, next_state


class DeviceLines:
    """Base of the chips."""

    __slots__ = (
        "_demanded",
        "_events",
        "_pulse_ns",
        "_reset_asked_ns",
        "_was_enabled",
        "changed",
        "deadline_ns",
        "enabled",
        "reset_count",
        "state",
    )

    def __init__(self, *, reset_ns: int) -> None:
        self._pulse_ns = reset_ns
        self._events: list[DeviceEvent] = []
        self._reset_asked_ns: int | None = None
        self._was_enabled = False
        self._demanded = False
        """Software wants the enable line low."""
        self.state = DeviceState.OFF
        self.enabled = False
        self.changed = False
        self.deadline_ns = NEVER_NS
        """When something happens by itself next."""
        self.reset_count = 0
        """Resets since power on."""

    # -- what a chip does -----------------------------------------------------------------------

    def _begin(self, now_ns: int) -> None:
        """The long first window begins, at power on or after a reset."""
        raise NotImplementedError

    def _expired(self, now_ns: int) -> None:
        """The deadline has come, in INIT or NORMAL; sets the next one."""
        raise NotImplementedError

    def _stop(self) -> None:
        """Nothing is watched while the ECU is in reset."""
        raise NotImplementedError

    # -- the protocol -----------------------------------------------------------------------------

    def power_on(self, now_ns: int) -> None:
        """Supply comes: everything anew."""
        self._events.clear()
        self._reset_asked_ns = None
        self._was_enabled = self.enabled = False
        self._demanded = False
        self.reset_count = 0
        self._happens(DeviceInput.POWERED, now_ns)
        self._begin(now_ns)
        self._events.clear()  # where it all began is no change
        self.changed = False

    def trigger(self, now_ns: int) -> None:
        """This chip has no window watchdog: nothing happens."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)

    def takes(self, values: tuple[int, ...], now_ns: int) -> bool:
        """Whether it takes several answers in one; here they come one by one."""
        return False

    def release(self, code: int, now_ns: int) -> None:
        """This chip's enable line rises by itself: nothing happens."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)

    def demand_safe_state(self, now_ns: int) -> None:
        """Software asks for a low enable line; it stays low until the next reset or power on."""
        if now_ns >= self.deadline_ns:
            self.on_timer(now_ns)
        self._demanded = True
        self._set_enabled(False, "demanded by software", now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Time has passed; what was due happens, in order and at its own time."""
        while self.deadline_ns <= now_ns:
            due_ns = self.deadline_ns
            if self.state is DeviceState.RESET:
                self._demanded = False
                self._happens(DeviceInput.RESET_OVER, due_ns)
                self._begin(due_ns)
            else:
                self._expired(due_ns)

    def next_deadline_ns(self) -> int | None:
        """When something happens by itself next; `None` for never."""
        deadline_ns = self.deadline_ns
        return None if deadline_ns == NEVER_NS else deadline_ns

    def take_reset(self) -> int | None:
        """Length in ns of a reset asked for since the last call; `NEVER_NS` keeps it."""
        asked_ns = self._reset_asked_ns
        self._reset_asked_ns = None
        return asked_ns

    def take_events(self) -> tuple[DeviceEvent, ...]:
        """What happened since the last call, in order."""
        events = tuple(self._events)
        self._events.clear()
        self.changed = False
        return events

    # -- for the chips ----------------------------------------------------------------------------

    def _note(self, kind: str, text: str, now_ns: int) -> None:
        self._events.append(DeviceEvent(time_ns=now_ns, kind=kind, text=f"watchdog: {text}"))
        self.changed = True

    def _happens(self, happened: DeviceInput, now_ns: int) -> None:
        before = self.state
        after = self.state = next_state(before, happened)
        if after is not before:
            self._note("state", f"{before.name} -> {after.name} ({happened.name})", now_ns)

    def _set_enabled(self, enabled: bool, why: str, now_ns: int) -> None:
        if enabled is self.enabled or (enabled and self._demanded):
            return
        self.enabled = enabled
        self.changed = True
        if self._was_enabled:  # that it rises after power on is no reaction to anything
            level = "high" if enabled else "low"
            self._note("reaction", f"enable line {level} ({why})", now_ns)
        self._was_enabled = True

    def _reset(
        self, happened: DeviceInput, why: str, now_ns: int, *, for_good: bool = False
    ) -> None:
        """Restart the ECU, or keep it off where it has been restarted often enough."""
        self._set_enabled(False, why, now_ns)
        self._stop()
        if for_good:
            self._happens(DeviceInput.RESETS_EXHAUSTED, now_ns)
            self._reset_asked_ns = self.deadline_ns = NEVER_NS
            self._note("reaction", f"reset for good, after {self.reset_count} resets", now_ns)
            return
        self.reset_count += 1
        self._happens(happened, now_ns)
        self._reset_asked_ns = self._pulse_ns
        self.deadline_ns = now_ns + self._pulse_ns
        self._note("reaction", f"reset for {format_ns(self._pulse_ns)} ({why})", now_ns)
