"""`Board`: the safety device beside one ECU, and the lines between them.

The device has a timer of its own on the simulation's clock; the ECU's clock, drifting or not, is
none of its business. Its enable line lets the ECU act on the world, its reset line stops the ECU
and starts it again. What the ECU's software sees of it is `Port.watchdog`, which is this object.

What the enable line cuts off says `cuts`. A power stage (`outputs`) works only while the line is
high: it is off from power on until the first good service. Transceivers (`transmit`) are
receive-only while the line is low; but in the long first window after power on, when the line is
still low, they are not cut: software must be able to start and to talk before it can prove itself,
and a window that passes unused resets it. After a reset by the device there is no such grace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from simcore.errors import UsageError
from simcore.kernel import Priority, Scheduler, Timer
from simcore.rig.clock import NodeClock
from simcore.watchdog.device import (
    NEVER_NS,
    DeviceSettings,
    SafetyDevice,
    WatchdogService,
)
from simcore.watchdog.device_lines import DeviceLines

if TYPE_CHECKING:
    from simcore.rig.host import NodeHost

Cuts = Literal["outputs", "transmit", "nothing"]
CUTS: tuple[Cuts, ...] = ("outputs", "transmit", "nothing")
"""What a low enable line takes from the ECU."""

_ECU = int(Priority.ECU)


class Board:
    """The safety device of one node; implements `WatchdogLine`.

    The time that software gives is its own; the device goes by true time.
    """

    __slots__ = (
        "_armed_ns",
        "_clock",
        "_fresh",
        "_host",
        "_lines",
        "_powered",
        "_restart",
        "_scheduler",
        "_takes",
        "built_in",
        "cuts",
        "device",
        "enabled",
        "service",
        "settings",
    )

    def __init__(
        self,
        host: NodeHost,
        settings: DeviceSettings,
        *,
        cuts: Cuts,
        clock: NodeClock,
        built_in: bool,
    ) -> None:
        where = f"guard {host.name}"
        if cuts not in CUTS:
            raise UsageError(f"{where}, cuts", expected=f"one of {', '.join(CUTS)}", got=repr(cuts))
        if isinstance(settings, type) or not callable(getattr(settings, "build", None)):
            raise UsageError(
                where, expected="settings of a safety device, as fs65() gives", got=repr(settings)
            )
        self._host = host
        self._scheduler: Scheduler = host.scheduler
        self._clock = clock
        self.settings = settings
        self.cuts = cuts
        self.built_in = built_in
        """It belongs to the module that is there now, and goes with it."""
        self.device: SafetyDevice = settings.build()
        self._lines = self.device if isinstance(self.device, DeviceLines) else None
        """The same, where it is one of ours: its deadline can be read without a call."""
        # A device of somebody else's making may have no such thing.
        self._takes: Callable[[tuple[int, ...], int], bool] | None = getattr(
            self.device, "takes", None
        )
        self.service: WatchdogService = settings.service()
        self.enabled = False
        """Read-back of the enable line."""
        self._powered = False
        self._fresh = False
        """Since power on the ECU has been neither enabled nor reset."""
        self._armed_ns: int | None = None
        self._restart: Timer | None = None
        """The end of the reset pulse."""

    # -- what software sees -----------------------------------------------------------------------

    @property
    def error_count(self) -> int:
        """The device's error counter; the highest one where there are several."""
        return self.device.error_count

    def trigger(self, now_ns: int) -> None:
        """Trigger the window watchdog."""
        device = self.device
        if self._powered:
            device.trigger(self._scheduler.now_ns)
            if device.changed:
                self._look()

    def question(self, now_ns: int) -> int:
        """Read the question register."""
        device = self.device
        if not self._powered:
            return 0
        question = device.question(self._scheduler.now_ns)
        if device.changed:
            self._look()
        return question

    def answer(self, value: int, now_ns: int) -> None:
        """Write an answer byte."""
        device = self.device
        if self._powered:
            device.answer(value, self._scheduler.now_ns)
            if device.changed:
                self._look()

    def answers(self, values: tuple[int, ...], now_ns: int) -> None:
        """Write several answer bytes, one after the other."""
        if self._powered and self._takes is not None:
            if self._takes(values, self._scheduler.now_ns):
                return
        for value in values:
            self.answer(value, now_ns)

    def release(self, code: int, now_ns: int) -> None:
        """Write the release register."""
        if self._powered:
            self.device.release(code, self._scheduler.now_ns)
            self._look()

    def demand_safe_state(self, now_ns: int) -> None:
        """Ask for a low enable line; it stays low until the next reset or power on."""
        if self._powered:
            self.device.demand_safe_state(self._scheduler.now_ns)
            self._look()

    # -- supply and clock -------------------------------------------------------------------------

    def power_on(self) -> None:
        """Supply comes, for the ECU and for the device."""
        self._cancel_restart()
        self._powered = self._fresh = True
        self.service = self.settings.service()
        self._armed_ns = None
        self.device.power_on(self._scheduler.now_ns)
        self._look()

    def power_off(self) -> None:
        """Supply goes; the ECU's has gone already."""
        self._cancel_restart()
        self._powered = self.enabled = False
        self._armed_ns = None

    def remove(self) -> None:
        """Take the device off the board: nothing is cut any more."""
        self.power_off()
        self._host.set_power_stage(True)
        self._host.set_receive_only(False)

    def tick(self, now_ns: int) -> int | None:
        """The clock's call at a deadline of the device, as it stood some time ago."""
        if now_ns != self._armed_ns:
            return None
        lines = self._lines
        if lines is not None and now_ns < lines.deadline_ns < NEVER_NS:
            # Served meanwhile: that moved the deadline, and spared the queue an event.
            self._armed_ns = lines.deadline_ns
            return self._armed_ns
        device = self.device
        deadline_ns = device.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self._armed_ns = None
            device.on_timer(now_ns)
            self._look()
            return None
        self._armed_ns = deadline_ns
        return deadline_ns

    # -- inside --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Something may have changed: events, lines, the deadline."""
        device, host = self.device, self._host
        for event in device.take_events():
            host.log(event.kind, event.text)
        pulse_ns = device.take_reset()
        enabled = self.enabled = device.enabled
        if enabled or pulse_ns is not None:
            self._fresh = False
        if self.cuts == "outputs":
            host.set_power_stage(enabled)
        elif self.cuts == "transmit":
            host.set_receive_only(not enabled and not self._fresh)
        if pulse_ns is not None:
            self._reset(pulse_ns)
        deadline_ns = device.next_deadline_ns()
        armed_ns = self._armed_ns
        if deadline_ns is not None and (armed_ns is None or deadline_ns < armed_ns):
            self._armed_ns = deadline_ns
            # It keeps the nodes' clock: deadlines of several devices share an event of the queue.
            self._clock.call_at(deadline_ns, cast("NodeHost", self))

    def _reset(self, pulse_ns: int) -> None:
        self._cancel_restart()
        self._host.hold_in_reset()
        if pulse_ns < NEVER_NS:
            end_ns = self._scheduler.now_ns + pulse_ns
            self._restart = self._scheduler.timer(end_ns, _ECU, self._leave_reset)

    def _leave_reset(self) -> None:
        self._restart = None
        self.device.on_timer(self._scheduler.now_ns)
        self._look()
        self.service = self.settings.service()
        self._host.leave_reset()

    def _cancel_restart(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
