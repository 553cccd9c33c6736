"""`NodePort`: what a node sees of the rig, its `Port`.

Sending, pins, memory and log. A power stage that is cut off (by the enable line of a watchdog)
keeps the outputs at 0 and remembers what the node writes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Protocol

from simcore.bus import Controller, ControllerOptions, Frame
from simcore.errors import UsageError
from simcore.faults.message_path import MessageFilter
from simcore.rig.events import EventLog
from simcore.update.flash import Flash
from simcore.update.reset_cause import ResetCause
from simcore.watchdog.device import WatchdogLine

LATCHED = "_state"
"""Output pins with this ending drive a latch: it stays as it is when the ECU has no supply."""


class Send(Protocol):
    """`Port.send` as an attribute."""

    def __call__(self, frame: Frame, channel: str | None = None) -> None: ...


class Write(Protocol):
    """`Port.write` as an attribute."""

    def __call__(self, pin: str, value_ratio: float) -> None: ...


class NodePort:
    """Implements `Port` for one node; `NodeHost` puts the node behind it."""

    __slots__ = (
        "_both_ids",
        "_confirmed_ids",
        "_controllers",
        "_default",
        "_filters",
        "_initial_outputs",
        "_log",
        "_memory",
        "_name",
        "_provisioned",
        "_second",
        "_second_name",
        "_wanted_outputs",
        "flash",
        "inputs",
        "outputs",
        "power_stage_on",
        "reset_cause",
        "send",
        "watchdog",
        "write",
    )

    _default: Controller
    """On the first bus."""
    _second: Controller | None
    _second_name: str
    _controllers: dict[str, Controller]
    """By name of the bus."""

    def __init__(
        self,
        name: str,
        log: EventLog,
        *,
        inputs: Mapping[str, float],
        outputs: Mapping[str, float],
        both_ids: frozenset[int],
        provisioned: Mapping[str, bytes] | None,
    ) -> None:
        self._name = name
        self._log = log
        self._provisioned = dict(provisioned or {})
        """What is in the non-volatile memory of any module put into this place: its keys."""
        self._memory: dict[str, bytes] = dict(self._provisioned)
        self._initial_outputs = dict(outputs)
        self._both_ids = both_ids
        """Identifiers of the messages that go out on both buses."""
        self._filters: list[MessageFilter] = []
        """Faults of messages that this node sends."""
        self.inputs: dict[str, float] = dict(inputs)
        self.outputs: dict[str, float] = dict(outputs)
        self._wanted_outputs: dict[str, float] = {}
        """While the power stage is cut off: what the outputs would be."""
        self.power_stage_on = True
        """False while the enable line of a watchdog keeps the outputs at 0."""
        self.write: Write = self._write
        self.watchdog: WatchdogLine | None = None
        """The external watchdog beside the ECU; see `Port.watchdog`."""
        self.flash: Flash | None = None
        """The flash beside the ECU; see `Port.flash`."""
        self.reset_cause = ResetCause.POWER_ON
        """Why the node was started last."""
        self._confirmed_ids: frozenset[int] = frozenset()

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

    def confirm(self, arbitration_ids: Iterable[int]) -> None:
        """Choose the frames whose departure the node is told; see `Port.confirm`."""
        self._confirmed_ids = wanted = frozenset(arbitration_ids)
        for channel, controller in self._controllers.items():
            told = partial(self._has_left, channel) if wanted else None
            if told is not None or controller.on_transmitted is not None:
                controller.listen_transmitted(told)

    def _has_left(self, channel: str, frame: Frame) -> None:
        """A frame of this node went through."""
        if frame.arbitration_id in self._confirmed_ids:
            self.confirmed(channel, frame)

    def confirmed(self, channel: str, frame: Frame) -> None:
        """Tell the node; what stands behind the port does so."""

    def read(self, pin: str) -> float:
        """Value of an input pin; see `Port.read`."""
        try:
            return self.inputs[pin]
        except KeyError:
            raise UsageError(
                f"{self._name}: read pin {pin!r}", expected=_listed(self.inputs)
            ) from None

    def _write(self, pin: str, value_ratio: float) -> None:
        """Set an output pin; see `Port.write`."""
        if pin not in self.outputs:
            raise UsageError(f"{self._name}: write pin {pin!r}", expected=_listed(self.outputs))
        if type(value_ratio) is not float or value_ratio - value_ratio != 0.0:
            value_ratio = _plain_float(f"{self._name}: write pin {pin!r}", value_ratio)
        self.outputs[pin] = value_ratio

    def _write_in_vain(self, pin: str, value_ratio: float) -> None:
        """Set an output pin of a power stage that is cut off."""
        before = self.outputs.get(pin, 0.0)
        self._write(pin, value_ratio)
        self._wanted_outputs[pin] = self.outputs[pin]
        self.outputs[pin] = before

    def set_power_stage(self, on: bool) -> None:
        """Let the outputs act, or not: then they are 0 until they may again; latches stay."""
        if on is self.power_stage_on:
            return
        self.power_stage_on = on
        if on:
            self.write = self._write
            self.outputs.update(self._wanted_outputs)
            self._wanted_outputs.clear()
        else:
            self.write = self._write_in_vain
            self._wanted_outputs.update(self.outputs)
            self._outputs_off(self.outputs)

    def _outputs_off(self, outputs: dict[str, float]) -> None:
        for pin in outputs:
            if not pin.endswith(LATCHED):
                outputs[pin] = 0.0

    def _reset_outputs(self) -> None:
        """At power on."""
        outputs = self.outputs if self.power_stage_on else self._wanted_outputs
        for pin, value in self._initial_outputs.items():
            if not pin.endswith(LATCHED):
                outputs[pin] = value

    def log(self, kind: str, text: str) -> None:
        """Record an event of this node; see `Port.log`."""
        self._log.add(self._name, kind, text)

    # -- its controllers --------------------------------------------------------------------------

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

    def set_receive_only(self, receive_only: bool) -> None:
        """Let the transceivers send, or not: nothing goes out then, not even an acknowledgement."""
        for controller in self._controllers.values():
            controller.set_listen_only(receive_only)


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
