"""`NodeHost`: runs one node on the rig and is the port it sees.

The host calls the node when a frame arrives or its deadline comes, and keeps a broken module from
breaking the run: what the node raises becomes a finding, and the node is switched off, as a
crashed ECU would be: it sends nothing and its outputs are 0.

On two buses the host is the node's door to both: a redundant message that the node sends goes out
on both as one frame. What comes back on the second one goes to `receive_on`, or, for a module that
knows nothing of a second bus, is handed on unless it is the copy of what the other bus brought.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Protocol

from simcore.bus import Bus, Controller, ControllerOptions, Frame, StateChange, WireError
from simcore.ecu import Node
from simcore.errors import UsageError
from simcore.faults.message_path import MessageFilter
from simcore.kernel import Scheduler
from simcore.rig.clock import NodeClock
from simcore.rig.events import EventLog
from simcore.units import format_ns

LATCHED = "_state"
"""Output pins with this ending drive a latch: it stays as it is when the ECU has no supply."""


TakePayload = Callable[[bytes, int, int], object]
"""Called with a payload, the time, and which of the node's buses brought it."""


class Send(Protocol):
    """`Port.send` as an attribute."""

    def __call__(self, frame: Frame, channel: str | None = None) -> None: ...


class _Door:
    """Where a bus hands over a node's frames."""

    __slots__ = ("_host", "_lane")

    def __init__(self, host: NodeHost, lane: int) -> None:
        self._host = host
        self._lane = lane

    def __call__(self, frame: Frame) -> None:
        self._host.receiver(self._lane)(frame)

    def direct(self, frame: Frame) -> Callable[[Frame], object]:
        """A shorter way for all frames of this message, for as long as the bus's routes last."""
        return self._host.direct_receiver(frame, self._lane)


class _Inlet:
    """The short way: frames of one message from one bus straight into the node's reception."""

    __slots__ = ("_host", "_lane", "_receive", "_scheduler")

    def __init__(self, host: NodeHost, receive: TakePayload, lane: int) -> None:
        self._host = host
        self._receive = receive
        self._lane = lane
        self._scheduler = host.scheduler

    def take(self, frame: Frame) -> None:
        try:
            self._receive(frame.data, self._scheduler.now_ns, self._lane)
        except (Exception, SystemExit, GeneratorExit) as error:
            self._host.crashed(f"receive of {frame!r}", error)


class NodeHost:
    """Implements `Port` for one node."""

    __slots__ = (
        "_armed_ns",
        "_both_ids",
        "_brought",
        "_clock",
        "_controllers",
        "_default",
        "_filters",
        "_fixed_schedule",
        "_hands_on",
        "_initial_outputs",
        "_log",
        "_memory",
        "_name",
        "_next_deadline_ns",
        "_on_timer",
        "_provisioned",
        "_receive_on",
        "_run_due",
        "_second",
        "_second_name",
        "inputs",
        "node",
        "outputs",
        "running",
        "scheduler",
        "send",
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
        self._name = name
        self.scheduler = scheduler
        self._clock = clock
        self._log = log
        self._armed_ns: int | None = None
        self._fixed_schedule = False
        self._on_timer = node.on_timer
        self._next_deadline_ns = node.next_deadline_ns
        self._run_due: Callable[[int], int | None] | None = None
        self._provisioned = dict(provisioned or {})
        """What is in the non-volatile memory of any module put into this place: its keys."""
        self._memory: dict[str, bytes] = dict(self._provisioned)
        self._initial_outputs = dict(outputs)
        self.node = node
        self.running = False
        self.inputs: dict[str, float] = dict(inputs)
        self.outputs: dict[str, float] = dict(outputs)
        self._both_ids = both_ids
        """Identifiers of the messages that go out on both buses."""
        self._brought: dict[int, tuple[int, bytes]] = {}
        """For a module without `receive_on`: lane and payload of what was handed on last."""
        self._receive_on: Callable[[str, Frame, int], object] | None = None
        self._hands_on = False
        first, *second = buses
        self._default = first.attach(name, _Door(self, 0))
        self._second = second[0].attach(name, _Door(self, 1)) if second else None
        self._second_name = second[0].name if second else ""
        self._controllers: dict[str, Controller] = {first.name: self._default}
        if self._second is not None:
            self._controllers[self._second_name] = self._second
        for controller in self._controllers.values():
            controller.listen_errors(self._wire_event)
        self._filters: list[MessageFilter] = []
        """Faults of messages that this node sends."""
        self.send: Send = self._undisturbed_send

    # -- the Port the node sees ---------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self._controllers)

    @property
    def memory(self) -> dict[str, bytes]:
        return self._memory

    def _send_on(self, frame: Frame, channel: str | None = None) -> None:
        """Request transmission, of a redundant message on both buses; see `Port.send`."""
        if channel is None:
            self._default.send(frame)
            second = self._second
            if second is not None and frame.arbitration_id in self._both_ids:
                second.send(frame)
            return
        controller = self._controllers.get(channel)
        if controller is None:
            channels = ", ".join(self._controllers)
            raise UsageError(f"{self._name}: send on {channel}", expected=channels)
        controller.send(frame)

    @property
    def _undisturbed_send(self) -> Send:
        # On a single bus the controller itself sends: one call less per frame.
        return self._default.send if self._second is None else self._send_on

    def _send_filtered(self, frame: Frame, channel: str | None = None) -> None:
        """Request transmission while messages of this node are disturbed."""
        self._pass_on(0, frame, channel)

    def _pass_on(self, place: int, frame: Frame, channel: str | None) -> None:
        """Let a frame go on through the filters from this place on."""
        for each in self._filters[place:]:
            message = each.path.message
            if (
                frame.arbitration_id == message.arbitration_id
                and frame.is_extended_id == message.is_extended_id
            ):
                each.take(frame, channel)
                return
        self._undisturbed_send(frame, channel)

    def _pass_behind(self, passed: MessageFilter, frame: Frame, channel: str | None) -> None:
        self._pass_on(self._filters.index(passed) + 1, frame, channel)

    def disturb_message(self, added: MessageFilter) -> None:
        """Let a fault take the frames of a message that this node sends."""
        self._filters = [each for each in self._filters if not each.is_spent]
        self._filters.append(added)
        added.path.emit = partial(self._pass_behind, added)
        self.send = self._send_filtered

    def accept(self, arbitration_ids: Iterable[int] | None) -> None:
        """Set the acceptance filter of every controller; see `Port.accept`.

        The second bus carries redundant messages only: nothing else is accepted from there.
        """
        wanted = None if arbitration_ids is None else list(arbitration_ids)
        self._default.accept(None if wanted is None else [(i, i > 0x7FF) for i in wanted])
        if self._second is not None:
            both = self._both_ids if wanted is None else self._both_ids.intersection(wanted)
            self._second.accept([(i, False) for i in sorted(both)])

    def read(self, pin: str) -> float:
        """Value of an input pin; see `Port.read`."""
        try:
            return self.inputs[pin]
        except KeyError:
            raise UsageError(
                f"{self._name}: read pin {pin!r}", expected=_listed(self.inputs)
            ) from None

    def write(self, pin: str, value_ratio: float) -> None:
        """Set an output pin; see `Port.write`."""
        if pin not in self.outputs:
            raise UsageError(f"{self._name}: write pin {pin!r}", expected=_listed(self.outputs))
        if type(value_ratio) is not float or value_ratio - value_ratio != 0.0:
            value_ratio = _plain_float(f"{self._name}: write pin {pin!r}", value_ratio)
        self.outputs[pin] = value_ratio

    def log(self, kind: str, text: str) -> None:
        """Record an event of this node; see `Port.log`."""
        self._log.add(self._name, kind, text)

    # -- what the rig calls ---------------------------------------------------------------------

    def start(self) -> None:
        """Power on, or reset: the node begins anew with its non-volatile memory kept."""
        self.running = True
        for controller in self._controllers.values():
            controller.set_enabled(True)
        for pin, value in self._initial_outputs.items():
            if not pin.endswith(LATCHED):
                self.outputs[pin] = value
        self._armed_ns = None
        self._run_due = None
        self._fixed_schedule = bool(getattr(self.node, "fixed_schedule", False))
        self._receive_on = None
        self._brought.clear()
        for each in self._filters:
            each.node_started()
        try:
            self.node.start(self, self.scheduler.now_ns)
            self._on_timer = self.node.on_timer
            self._next_deadline_ns = self.node.next_deadline_ns
            if self._fixed_schedule:
                self._run_due = getattr(self.node, "run_due", None)
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

    def halt(self) -> None:
        """Power off: nothing is sent, nothing is called, outputs are 0."""
        self.running = False
        self._armed_ns = None
        for controller in self._controllers.values():
            controller.set_enabled(False)
        for pin in self.outputs:
            if not pin.endswith(LATCHED):
                self.outputs[pin] = 0.0

    def replace(self, node: Node) -> None:
        """Put another module in this place and power it on."""
        self.halt()
        self.node = node
        self._memory = dict(self._provisioned)
        self.accept(None)
        for controller in self._controllers.values():
            # What another module's transmit buffers are like, nobody knows: none is assumed.
            pause_ns = controller.options.recovery_delay_ns
            controller.configure(ControllerOptions(recovery_delay_ns=pause_ns))
        self.start()

    def ask_again(self) -> None:
        """The script has told the node something: its next deadline may be another one."""
        if self.running and self.node.next_deadline_ns() != self._armed_ns:
            self._arm()

    def configure_controllers(self, options: ControllerOptions) -> None:
        """What kind of controllers the node has."""
        for controller in self._controllers.values():
            controller.configure(options)

    def controller(self, channel: str | None = None) -> Controller:
        """The node's controller on a bus, its first one by default."""
        controller = self._default if channel is None else self._controllers.get(channel)
        if controller is None:
            raise UsageError(
                f"{self._name}: controller on {channel}", expected=", ".join(self._controllers)
            )
        return controller

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
        return self.receiver(lane) if receive is None else _Inlet(self, receive, lane).take

    def _receive(self, frame: Frame) -> None:
        if self._hands_on and self._is_copy(frame, 0):
            return
        try:
            self.node.receive(frame, self.scheduler.now_ns)
            if not self._fixed_schedule and self.node.next_deadline_ns() != self._armed_ns:
                self._arm()
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed(f"receive of {frame!r}", error)

    def _receive_second(self, frame: Frame) -> None:
        receive_on = self._receive_on
        if receive_on is None and self._is_copy(frame, 1):
            return
        try:
            if receive_on is None:
                self.node.receive(frame, self.scheduler.now_ns)
            else:
                receive_on(self._second_name, frame, self.scheduler.now_ns)
            if not self._fixed_schedule and self.node.next_deadline_ns() != self._armed_ns:
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
            bus_state(event.channel, event.after, self.scheduler.now_ns)
            if not self._fixed_schedule and self.node.next_deadline_ns() != self._armed_ns:
                self._arm()
        except (Exception, SystemExit, GeneratorExit) as error:
            self.crashed("bus_state", error)

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
                _require_whole(deadline_ns)
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
        deadline_ns = self.node.next_deadline_ns()
        if deadline_ns is None or not self.running:
            self._armed_ns = None
            return
        _require_whole(deadline_ns)
        deadline_ns = max(deadline_ns, self.scheduler.now_ns)
        self._armed_ns = deadline_ns
        self._clock.call_at(deadline_ns, self)

    def crashed(self, where: str, error: BaseException) -> None:
        self.halt()
        kind = type(error).__name__
        try:
            said = str(error)
        except Exception:  # even that can be broken in a module we did not write
            said = "(its text cannot be printed)"
        self._log.find(
            self._name,
            f"{where} raised {kind}: {said}; the node is switched off{_place(error)}",
            "".join(traceback.format_exception(error)),
            # What it said may hold a memory address; the digest must not.
            digest_text=f"{where} raised {kind}",
        )


def _require_whole(deadline_ns: object) -> None:
    """Refuse a float: it would become the time of the simulation."""
    if type(deadline_ns) is not int:
        raise UsageError(
            "next_deadline_ns", expected="whole ns as an int, or None", got=repr(deadline_ns)
        )


def _place(error: BaseException) -> str:
    """Where a module's exception came from: ` (module.py:9)`."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _plain_float(where: str, value: object) -> float:
    """A finite Python float from an int or a float; anything else would reach the physics."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            plain = float(value)
        except OverflowError:
            plain = float("inf")
        if plain - plain == 0.0:
            return plain
    raise UsageError(where, expected="a finite number", got=repr(value))


def _listed(pins: Mapping[str, float]) -> str:
    return f"one of {', '.join(sorted(pins))}" if pins else "no pins on this node"
