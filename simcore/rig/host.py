"""`NodeHost`: runs one node on the rig; the port it sees is in `host_port`.

The host calls the node when a frame arrives or its deadline comes, and keeps a broken module from
breaking the run: what the node raises becomes a finding, and the node is switched off, as a
crashed ECU would be: it sends nothing and its outputs are 0.

On two buses the host is the node's door to both: a redundant message that the node sends goes out
on both as one frame. What comes back on the second one goes to `receive_on`, or, for a module that
knows nothing of a second bus, is handed on unless it is the copy of what the other bus brought.

An external watchdog beside the node (`guard`) shares its supply: `start` and `halt` switch both on
and off. A flash beside it (`fit_flash`) keeps what is in it through both. A reset that the node
asks for is in `host_reset`. What a fault wants of a node (`NodeControl` in faults/site.py) is at
the end; it costs nothing until it is asked for.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from simcore.bus import Bus, ControllerOptions, Frame, StateChange, WireError
from simcore.diag.codes import ResetKind
from simcore.ecu import Node
from simcore.errors import UsageError
from simcore.faults.site import WatchdogWrapper
from simcore.kernel import Priority, Scheduler
from simcore.rig.board import Board, Cuts
from simcore.rig.clock import NodeClock
from simcore.rig.events import EventLog
from simcore.rig.host_crash import record_crash
from simcore.rig.host_entrance import Door, Inlet, TakePayload
from simcore.rig.host_port import LATCHED, NodePort
from simcore.rig.host_reset import SUPPLY_CUT, OwnReset, tear
from simcore.rig.host_time import (
    Clock,
    HeardTimer,
    LocalClock,
    LocalTimer,
    RunDue,
    require_ratio,
    require_whole,
)
from simcore.units import format_ns
from simcore.update.flash import Flash, PowerLost
from simcore.update.reset_cause import ResetCause
from simcore.watchdog.device import DeviceSettings, WatchdogLine

__all__ = ["LATCHED", "NodeHost"]

_ECU = int(Priority.ECU)


class NodeHost(NodePort):
    """One node: its port, its supply, its calls."""

    __slots__ = (
        "_armed_ns",
        "_asks_after_frames",
        "_board",
        "_brought",
        "_fixed_schedule",
        "_hands_on",
        "_next_deadline_ns",
        "_node_clock",
        "_on_start",
        "_on_tick",
        "_on_timer",
        "_own_reset",
        "_receive_on",
        "_run_due",
        "_start_untold",
        "_wrappers",
        "clock",
        "node",
        "running",
        "scheduler",
    )

    def __init__(
        self,
        name: str,
        node: Node,
        buses: Sequence[Bus],
        scheduler: Scheduler,
        clock: NodeClock,
        log: EventLog,
        *,
        inputs: Mapping[str, float],
        outputs: Mapping[str, float],
        both_ids: frozenset[int] = frozenset(),
        provisioned: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(
            name,
            log,
            inputs=inputs,
            outputs=outputs,
            both_ids=both_ids,
            provisioned=provisioned,
        )
        self.scheduler = scheduler
        self.clock: Clock = scheduler
        """The node's own: true time, unless a fault disturbs it."""
        self._node_clock = clock
        self._armed_ns: int | None = None
        """When the node is called next, in true time."""
        self._fixed_schedule = False
        self._asks_after_frames = True
        """Whether frames that come through `receive` may change the node's deadline."""
        self._own_reset = OwnReset(self)
        self._on_timer: Callable[[int], object] = node.on_timer
        self._next_deadline_ns: Callable[[], int | None] = node.next_deadline_ns
        self._run_due: RunDue | None = None
        self._on_start: list[Callable[[], object]] = []
        self._start_untold = False
        self._on_tick: list[Callable[[], object]] = []
        self.node = node
        self.running = False
        self._board: Board | None = None
        self._wrappers: list[WatchdogWrapper] = []
        """Faults between the node and its watchdog, the innermost first."""
        self._brought: dict[int, tuple[int, bytes]] = {}
        """For a module without `receive_on`: lane and payload of what was handed on last."""
        self._receive_on: Callable[[str, Frame, int], object] | None = None
        self._hands_on = False
        first, *second = buses
        self._default = first.attach(name, Door(self, 0))
        self._second = second[0].attach(name, Door(self, 1)) if second else None
        self._second_name = second[0].name if second else ""
        self._controllers = {first.name: self._default}
        if self._second is not None:
            self._controllers[self._second_name] = self._second
        for controller in self._controllers.values():
            controller.listen_errors(self._wire_event)
        self.send = self._undisturbed_send

    # -- supply -----------------------------------------------------------------------------------

    def start(self, cause: ResetCause = ResetCause.POWER_ON) -> None:
        """Power on, or reset: the node begins anew with its non-volatile memory kept."""
        self._own_reset.cancel()
        self.reset_cause = cause
        if self._board is not None:
            self._board.power_on()
        self._begin()

    def halt(self) -> None:
        """Power off: nothing is sent, nothing is called, outputs are 0."""
        self._own_reset.cancel()
        self._stop()
        if self._board is not None:
            self._board.power_off()

    def hold_in_reset(self) -> None:
        """The reset line is low: as without supply, but what stands beside the ECU goes on."""
        self._own_reset.cancel()
        self._stop()

    def leave_reset(self) -> None:
        """The reset line is high again."""
        self.reset_cause = ResetCause.WATCHDOG
        self._begin()

    def reset(self, kind: ResetKind) -> None:
        """The node asks for its own reset; see `Port.reset`."""
        self._own_reset.ask(kind)

    def fit_flash(self, flash: Flash | None) -> None:
        """Put a flash beside the ECU, with what is in it. A node that runs is restarted for it."""
        was_running = self.running
        if was_running:
            self.halt()
        self.flash = flash
        if was_running:
            self.start()

    def _begin(self) -> None:
        self.running = True
        for controller in self._controllers.values():
            controller.set_enabled(True)
        self._reset_outputs()
        self._armed_ns = None
        self._fixed_schedule = bool(getattr(self.node, "fixed_schedule", False))
        # What has a short way for its periodic frames takes the others for the sake of a reaction.
        self._asks_after_frames = not self._fixed_schedule or hasattr(self.node, "direct_reception")
        self.confirm(())
        self._receive_on = None
        self._brought.clear()
        for each in self._filters:
            each.node_started()
        try:
            self.node.start(self, self.clock.now_ns)
            self._connect_timer()
            if self._second is not None:
                self._receive_on = getattr(self.node, "receive_on", None)
            self._hands_on = self._second is not None and self._receive_on is None
            for controller in self._controllers.values():
                controller.bus.forget_routes()  # they may end at receptions of before
            self._arm()
        except (
            Exception,
            SystemExit,
        ) as error:  # whatever a module raises is a finding, not our crash
            self.crashed("start", error)
        self._tell_start()

    def _tell_start(self) -> None:
        """Who waits for starts waits for the application; before it a bootloader may run."""
        self._start_untold = self.running and bool(getattr(self.node, "is_booting", False))
        if self.running and not self._start_untold:
            for listener in tuple(self._on_start):
                listener()

    def _stop(self) -> None:
        self.running = False
        self._armed_ns = None
        for controller in self._controllers.values():
            controller.set_enabled(False)
        self._outputs_off(self.outputs)
        self._outputs_off(self._wanted_outputs)
        if self.flash is not None:
            tear(self.flash, self.node, self.clock.now_ns)

    def replace(self, node: Node, flash: Flash | None = None) -> None:
        """Put another module in this place and power it on; its flash is blank, or this one.

        The reference watchdog goes with the reference module: nobody else serves it. One that
        `guard` put there stays.
        """
        self.halt()
        if self._board is not None and self._board.built_in:
            self._take_board_off()
        self.node = node
        self._memory = dict(self._provisioned)
        if self.flash is not None:
            self.flash = Flash(self.flash.geometry) if flash is None else flash
        self.accept(None)
        for controller in self._controllers.values():
            # What another module's transmit buffers are like, nobody knows: none is assumed.
            pause_ns = controller.options.recovery_delay_ns
            controller.configure(ControllerOptions(recovery_delay_ns=pause_ns))
        self.start()

    def ask_again(self) -> None:
        """The script has told the node something: its next deadline may be another one."""
        if self.running and self._next_deadline_ns() != self._armed_ns:
            self._arm()

    def timer_changed(self) -> None:
        """See `Port.timer_changed`; not before the node's present call has ended."""
        self.scheduler.post(self.scheduler.now_ns, _ECU, self._timer_has_changed)

    def _timer_has_changed(self) -> None:
        self.refresh_timer()
        if self._start_untold:
            self._tell_start()

    # -- the watchdog beside it -------------------------------------------------------------------

    def guard(
        self, settings: DeviceSettings, *, cuts: Cuts = "outputs", built_in: bool = False
    ) -> None:
        """Put an external watchdog beside the node, in place of any that is there.

        A node that runs is powered off for it and on again. `cuts` says what a low enable line
        takes from the ECU: its outputs, its transmitters, or nothing. A `built_in` one goes away
        with the present module. Raises `UsageError` for anything but settings of a device.
        """
        board = Board(self, settings, cuts=cuts, clock=self._node_clock, built_in=built_in)
        was_running = self.running
        if was_running:
            self.halt()
        self._take_board_off()
        self._board = board
        self._connect_watchdog()
        if was_running:
            self.start()

    def _take_board_off(self) -> None:
        if self._board is not None:
            self._board.remove()
        self._board = self.watchdog = None

    def _connect_watchdog(self) -> None:
        line: WatchdogLine | None = self._board
        for wrapper in self._wrappers:
            line = None if line is None else wrapper(line)
        self.watchdog = line

    @property
    def board(self) -> Board | None:
        """The watchdog beside the node, with its device; `None` where there is none."""
        return self._board

    def interpose_watchdog(self, wrapper: WatchdogWrapper) -> None:
        """Let a fault stand between the node and its watchdog, before those that do already.

        `wrapper` is a bound method: it is called with the line there is and returns another one.
        Raises `UsageError` for a node without a watchdog.
        """
        if self._board is None:
            raise UsageError(f"{self._name}: watchdog", expected="a node with one", got="none")
        self._wrappers.append(wrapper)
        self._connect_watchdog()

    def expose_watchdog(self, wrapper: WatchdogWrapper) -> None:
        """No longer."""
        self._wrappers.remove(wrapper)
        self._connect_watchdog()

    # -- frames and deadlines ---------------------------------------------------------------------

    def receiver(self, lane: int) -> Callable[[Frame], None]:
        """Who takes the frames of one of the node's buses."""
        return self._receive_second if lane else self._receive

    def direct_receiver(self, frame: Frame, lane: int) -> Callable[[Frame], object]:
        """Who takes the frames of a message: its reception, where the node has such a thing."""
        node = self.node
        # Of its class, not through a wrapper's delegation: that one wants to see the frames.
        if not hasattr(type(node), "direct_reception") or not self._fixed_schedule:
            return self.receiver(lane)
        receive: TakePayload | None = node.direct_reception(frame)  # type: ignore[attr-defined]
        return self.receiver(lane) if receive is None else Inlet(self, receive, lane).take

    def _receive(self, frame: Frame) -> None:
        if self._hands_on and self._is_copy(frame, 0):
            return
        try:
            self.node.receive(frame, self.clock.now_ns)
            if self._asks_after_frames and self._next_deadline_ns() != self._armed_ns:
                self._arm()
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed(f"receive of {frame!r}", error)

    def _receive_second(self, frame: Frame) -> None:
        receive_on = self._receive_on
        if receive_on is None and self._is_copy(frame, 1):
            return
        try:
            if receive_on is None:
                self.node.receive(frame, self.clock.now_ns)
            else:
                receive_on(self._second_name, frame, self.clock.now_ns)
            if self._asks_after_frames and self._next_deadline_ns() != self._armed_ns:
                self._arm()
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed(f"receive of {frame!r}", error)

    def _is_copy(self, frame: Frame, lane: int) -> bool:
        """Whether the other bus has brought this very frame; once, so that a repetition is seen."""
        identifier = frame.arbitration_id
        if identifier not in self._both_ids:
            return False
        before = self._brought.get(identifier)
        if before is not None and before[0] == 1 - lane and before[1] == frame.data:
            self._brought[identifier] = (-1, frame.data)
            return True
        self._brought[identifier] = (lane, frame.data)
        return False

    def _wire_event(self, event: WireError | StateChange) -> None:
        """A controller of this node changed its error state: tell a module that wants to know."""
        bus_state = getattr(self.node, "bus_state", None)
        if not self.running or bus_state is None or not isinstance(event, StateChange):
            return
        try:
            bus_state(event.channel, event.after, self.clock.now_ns)
            if not self._fixed_schedule and self._next_deadline_ns() != self._armed_ns:
                self._arm()
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed("bus_state", error)

    def confirmed(self, channel: str, frame: Frame) -> None:
        """A frame the node asked about has left its controller."""
        transmitted = getattr(self.node, "transmitted", None)
        if not self.running or transmitted is None:
            return
        try:
            transmitted(channel, frame, self.clock.now_ns)
            if self._asks_after_frames and self._next_deadline_ns() != self._armed_ns:
                self._arm()
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed(f"transmitted of {frame!r}", error)

    def tick(self, now_ns: int) -> int | None:
        """The clock's call at a deadline the node asked for; returns the next one."""
        if now_ns != self._armed_ns:
            return None  # the node asked for another time meanwhile, or was switched off
        try:
            run_due = self._run_due
            if run_due is not None:
                deadline_ns = run_due(now_ns)
            else:
                self._on_timer(now_ns)
                deadline_ns = self._next_deadline_ns()
            if deadline_ns is not None and (type(deadline_ns) is not int or deadline_ns <= now_ns):
                require_whole(deadline_ns)
                raise UsageError(
                    "next_deadline_ns after on_timer",
                    expected=f"a time after {format_ns(now_ns)}, or None",
                    got=format_ns(deadline_ns),
                )
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed("on_timer", error)
            return None
        self._armed_ns = deadline_ns = deadline_ns if self.running else None
        return deadline_ns

    def _arm(self) -> None:
        """Schedule the node's next deadline; one in the past is due now."""
        deadline_ns = self._next_deadline_ns() if self.running else None
        if deadline_ns is None:
            self._armed_ns = None
            return
        require_whole(deadline_ns)
        deadline_ns = max(deadline_ns, self.scheduler.now_ns)
        self._armed_ns = deadline_ns
        self._node_clock.call_at(deadline_ns, self)

    def _connect_timer(self) -> None:
        """Find the node's timer calls, with whatever is to stand before them."""
        node = self.node
        on_timer: Callable[[int], object] = node.on_timer
        run_due: RunDue | None = None
        if self._fixed_schedule:
            run_due = getattr(node, "run_due", None)
        self._next_deadline_ns = node.next_deadline_ns
        if isinstance(self.clock, LocalClock):
            timer = LocalTimer(self.clock, on_timer, node.next_deadline_ns, run_due)
            on_timer, self._next_deadline_ns = timer.on_timer, timer.next_deadline_ns
            run_due = None if run_due is None else timer.run_due
        if self._on_tick:
            heard = HeardTimer(on_timer, run_due, self._on_tick)
            on_timer = heard.on_timer
            run_due = None if run_due is None else heard.run_due
        self._on_timer, self._run_due = on_timer, run_due

    def crashed(self, where: str, error: BaseException) -> None:
        """A call into the node raised: that is the end of it, or of its supply."""
        self.halt()
        if isinstance(error, PowerLost):
            self.log("fault", f"{SUPPLY_CUT}: {error}")
            return
        record_crash(self._log, self._name, where, error)

    # -- what a fault wants ---------------------------------------------------------------------

    def refresh_timer(self) -> None:
        """Ask the node anew for its deadline and its timer call; they may be others now."""
        if self.running:
            self._connect_timer()
            self._arm()

    def restart_controllers(self) -> None:
        """Switch the controllers off and on: queues empty, error counters 0."""
        if self.running:
            for controller in self._controllers.values():
                controller.set_enabled(False)
                controller.set_enabled(True)

    def listen_starts(self, listener: Callable[[], object]) -> None:
        """Call a bound method after every start of the node, until `forget_starts`."""
        self._on_start.append(listener)

    def forget_starts(self, listener: Callable[[], object]) -> None:
        """No longer."""
        self._on_start.remove(listener)

    def listen_ticks(self, listener: Callable[[], object]) -> None:
        """Call a bound method after every timer call of the node, until `forget_ticks`."""
        self._on_tick.append(listener)
        self._connect_timer()

    def forget_ticks(self, listener: Callable[[], object]) -> None:
        """No longer."""
        self._on_tick.remove(listener)
        self._connect_timer()

    def set_clock_ratio(self, ratio: float) -> None:
        """Let the node's clock run at this ratio to true time from now on; 1 is right.

        It goes on from where it stands. With the right speed again it stays ahead or behind.
        """
        ratio = require_ratio(f"{self._name}: set_clock_ratio", ratio)
        clock = self.clock
        if not isinstance(clock, LocalClock):
            clock = self.clock = LocalClock(self.scheduler)
        clock.set_ratio(ratio)
        for controller in self._controllers.values():
            controller.bus.forget_routes()  # the short way to its receptions has the time in it
        self.refresh_timer()


def _place(error: BaseException) -> str:
    """Where a module's exception came from: ` (module.py:9)`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
