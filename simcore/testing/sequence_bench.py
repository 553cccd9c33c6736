"""`NodeBench`: one node alone, with a port and a clock, no bus and no plant. The fast level.

What it sends is taken down as if it had been on a bus at once; frames arrive when they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simcore.bus import BusRecord, Frame
from simcore.diag.codes import ResetKind
from simcore.ecu import Node
from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.network.messages import Number
from simcore.protection.e2e_factory import e2e_sender
from simcore.protection.e2e_sender import E2eSender
from simcore.rig import Rig
from simcore.rig.reference import PINS
from simcore.rig.software import HARDWARE, factory_flash
from simcore.testing.strategies.frames import authentic_length
from simcore.units import format_ns
from simcore.update.reset_cause import ResetCause

BUS = "BENCH"
CALLS_MAX = 1_000
"""So many timer calls at one instant are a node that hangs."""


class BenchPort:
    """A `Port` with nothing behind it."""

    def __init__(self, bench: NodeBench, inputs: Mapping[str, float], outputs: Mapping[str, float]):
        self._bench = bench
        self.name = bench.name
        self.channels = (BUS,)
        self.inputs: dict[str, float] = dict(inputs)
        self.outputs: dict[str, float] = dict(outputs)
        self.memory: dict[str, bytes] = {}
        self.watchdog = None
        self.flash = factory_flash(bench.name) if bench.name in HARDWARE else None
        self.reset_cause = ResetCause.POWER_ON
        self.events: list[tuple[int, str, str]] = []

    def send(self, frame: Frame, channel: str | None = None) -> None:
        """Taken down at once."""
        now_ns = self._bench.now_ns
        self._bench.sent.append(BusRecord(now_ns, now_ns, BUS, frame, self.name, now_ns))

    def accept(self, arbitration_ids: Any) -> None:
        """Everything that is sent to the node arrives."""

    def read(self, pin: str) -> float:
        """An input pin."""
        if pin not in self.inputs:
            known = ", ".join(self.inputs) or "no pin"
            raise UsageError(f"{self.name}: read pin {pin!r}", expected=known, got=pin)
        return self.inputs[pin]

    def write(self, pin: str, value_ratio: float) -> None:
        """An output pin."""
        if pin not in self.outputs:
            known = ", ".join(self.outputs) or "no pin"
            raise UsageError(f"{self.name}: write pin {pin!r}", expected=known, got=pin)
        self.outputs[pin] = value_ratio

    def confirm(self, arbitration_ids: Any) -> None:
        """Nothing is confirmed: there is no controller."""

    def timer_changed(self) -> None:
        """The node is asked anew before time passes, always."""

    def reset(self, kind: ResetKind) -> None:
        """Carried out when the present call has ended."""
        self._bench.reset_wanted = True

    def log(self, kind: str, text: str) -> None:
        """Taken down."""
        self.events.append((self._bench.now_ns, kind, text))


class NodeBench:
    """One node, alone: `bench.send("CDC_SteerReq", CDC_SteTqOffs=1.0)`, `bench.run_for(ms(10))`.

    `inputs` and `outputs` are the pins, by default those of the place in the reference chassis.
    What the node raises ends it, as a crash: see `failure`.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        database: Database,
        *,
        inputs: Mapping[str, float] | None = None,
        outputs: Mapping[str, float] | None = None,
    ) -> None:
        self.node = node
        self.name = name
        self.database = database
        self.now_ns = 0
        self.sent: list[BusRecord] = []
        """What the node sent."""
        self.received: list[BusRecord] = []
        """What it was sent."""
        self.failure = ""
        """How it crashed; empty while it runs."""
        self.reset_wanted = False
        self._senders: dict[str, E2eSender] = {}
        known_inputs, known_outputs = PINS.get(name, ({}, {}))
        self.port = BenchPort(
            self,
            known_inputs if inputs is None else inputs,
            known_outputs if outputs is None else outputs,
        )
        self._call("start", node.start, self.port)

    @property
    def records(self) -> list[BusRecord]:
        """Everything in order, for logs."""
        return sorted((*self.received, *self.sent), key=lambda record: record.sof_ns)

    def send(self, message: str, /, **values: Number | str) -> None:
        """A message arrives: other signals at their start, E2E right, its counter running on."""
        found = self.database.message(message)
        data = found.codec.writer(*values).write(*values.values())
        if found.e2e is not None:
            length = authentic_length(found)
            sender = self._senders.get(message)
            if sender is None:
                sender = self._senders[message] = e2e_sender(found.e2e, length)
            data = sender.protect(data[:length]) + data[length:]
        self.send_frame(_frame(found, data))

    def send_frame(self, frame: Frame) -> None:
        """Any frame arrives."""
        self.received.append(BusRecord(self.now_ns, self.now_ns, BUS, frame, "BENCH", self.now_ns))
        if not self.failure:
            self._call("receive", self.node.receive, frame)

    def set_pin(self, name: str, value_ratio: float) -> None:
        """An input pin has another value."""
        if name not in self.port.inputs:
            known = ", ".join(self.port.inputs) or "a node with pins"
            raise UsageError(f"{self.name}: pin {name!r}", expected=known, got=name)
        self.port.inputs[name] = value_ratio

    def pin(self, name: str) -> float:
        """Present value of an output pin."""
        return self.port.outputs[name]

    def run_for(self, duration_ns: int) -> None:
        """Let time pass: the node is called at each of its deadlines."""
        if isinstance(duration_ns, bool) or not isinstance(duration_ns, int) or duration_ns < 0:
            raise UsageError("run_for", expected="whole ns >= 0", got=repr(duration_ns))
        end_ns = self.now_ns + duration_ns
        calls, node = 0, self.node
        while not self.failure:
            due_ns = self._due_ns()
            if due_ns is None or due_ns > end_ns:
                break
            if due_ns > self.now_ns:
                self.now_ns, calls = due_ns, 0
            calls += 1
            if calls > CALLS_MAX:
                self.failure = f"on_timer called {calls} times at {format_ns(self.now_ns)}: hangs"
                break
            self._call("on_timer", node.on_timer)
        self.now_ns = end_ns

    def reset(self) -> None:
        """The node starts anew, with its non-volatile memory kept."""
        if not self.failure:
            self._call("start", self.node.start, self.port)

    def judge(self, rig: Rig, requirements: Mapping[str, Any]) -> None:
        """Check requirements on a rig, at the end of a scenario: `{"ROB-001": robust, ...}`."""
        for requirement, judge in requirements.items():
            wrong = judge(self)
            rig.check(requirement, not wrong, text=wrong or "nothing found", limit="nothing found")

    def _due_ns(self) -> int | None:
        try:
            return self.node.next_deadline_ns()
        except Exception as error:
            self.failure = f"next_deadline_ns raised {type(error).__name__}: {error}"
            return None

    def _call(self, where: str, method: Any, *args: object) -> None:
        try:
            method(*args, self.now_ns)
            if self.reset_wanted:
                self.reset_wanted = False
                self.node.start(self.port, self.now_ns)
        except (Exception, SystemExit) as error:  # whatever a module raises is a finding
            self.failure = f"{where} raised {type(error).__name__}: {error}"


def _frame(message: Message, data: bytes) -> Frame:
    return Frame(
        message.arbitration_id,
        data,
        is_extended_id=message.is_extended_id,
        is_fd=message.is_fd,
        bitrate_switch=message.bitrate_switch,
    )
