"""`FmuNode`: an FMU for co-simulation in the place of an ECU, in lockstep virtual time.

The FMU computes, simcore communicates: the messages of the place go out as the database says, with
counters and checksums right, and what the FMU reads of the bus has passed its E2E check; see
`fmu_mapping` for which variable is what. So conformance of the communication is simcore's own.

From power on the FMU steps at a fixed rate: at the beginning of a step it gets its inputs, at the
end its outputs hold. So an input reaches an output pin one step later. Every power on or reset
makes a new instance, with time 0.

A fork takes the state of the FMU along, where it can hand that over (`canGetAndSetFMUstate` and
`canSerializeFMUstate`); else the copy is stepped anew through all inputs so far, and must arrive at
the same outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simcore.attach.fmu_child import CALL_LIMIT_S, IsolatedFmu
from simcore.attach.fmu_instance import FmuError, FmuInstance, Value
from simcore.attach.fmu_mapping import START, FmuMapping
from simcore.attach.fmu_model import FmuModel, load_fmu
from simcore.attach.fmu_plan import FmuInput, FmuOutput, FmuPlan, plan_of
from simcore.bus import Frame
from simcore.ecu import Port, RestbusNode
from simcore.ecu.runtime import Reception
from simcore.errors import UsageError
from simcore.network import Database
from simcore.network.access import SignalReader
from simcore.network.codegen import physical_limits
from simcore.network.messages import Number
from simcore.units import format_ns


class FmuNode:
    """An FMU as a `Node`. Raises `InputError` for a mapping that does not fit FMU or network.

    `isolated` runs it in a child process, where a call may take `call_limit_s`.
    """

    fixed_schedule = True

    def __init__(
        self,
        model: FmuModel,
        mapping: FmuMapping,
        name: str,
        database: Database,
        *,
        isolated: bool = False,
        call_limit_s: float = CALL_LIMIT_S,
    ) -> None:
        self.model = model
        self.name = name
        self._isolated = isolated
        self._call_limit_s = call_limit_s
        self._plan = plan_of(mapping, model.variables, name, database)
        self._parameters = dict(mapping.parameters)
        self._step_ns = model.communication_step_ns(mapping.step_ms)
        self._stack = _Stack(name, database, self._plan)
        self._inputs = [_Intake(each) for each in self._plan.inputs]
        self._outlets = [_Outlet(each) for each in self._plan.outputs]
        for outlet in self._outlets:
            outlet.connect(self._stack)
        self._values: list[Value] = []
        """Outputs at the end of the step under way."""
        self._started_ns = 0
        self._due_ns = 0
        self._first: tuple[Value, ...] = ()
        """Inputs at power on."""
        self._history = _History()
        self._port: Port | None = None
        self._instance: FmuInstance | IsolatedFmu | None = None

    # -- the Node protocol ----------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: a new instance at its time 0."""
        self.close()
        self._port = port
        self._started_ns = self._due_ns = now_ns
        self._stack.start(port, now_ns)
        for intake in self._inputs:
            intake.begin(self._stack)
        for outlet in self._outlets:
            outlet.begin(port)
        if self._plan.unmapped:
            port.log("note", f"FMU inputs left at their start: {', '.join(self._plan.unmapped)}")
        self._first = self._sampled(now_ns)
        self._history = _History()
        self._open()

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame the FMU reads signals of."""
        self._stack.receive(frame, now_ns)

    def receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        """The same from another bus."""
        self._stack.receive_on(channel, frame, now_ns)

    def on_timer(self, now_ns: int) -> None:
        """Step, and send what is due."""
        self.run_due(now_ns)

    def run_due(self, now_ns: int) -> int | None:
        """`on_timer` and `next_deadline_ns` in one call."""
        while self._due_ns <= now_ns:
            self._step(self._due_ns)
        next_ns = self._stack.run_due(now_ns)
        return self._due_ns if next_ns is None or next_ns > self._due_ns else next_ns

    def next_deadline_ns(self) -> int | None:
        """The next step or frame."""
        next_ns = self._stack.next_deadline_ns()
        return self._due_ns if next_ns is None or next_ns > self._due_ns else next_ns

    def close(self) -> None:
        """Free the instance; the next power on makes a new one."""
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()

    # -- a step ---------------------------------------------------------------------------------

    def _step(self, now_ns: int) -> None:
        port, instance = self._port, self._instance
        assert port is not None
        if instance is None:
            raise FmuError(f"{self.model.shown}: it failed before")
        for outlet, value in zip(self._outlets, self._values, strict=True):
            outlet.take(value, now_ns)
        inputs = self._sampled(now_ns)
        if not self.model.has_state:
            self._history.steps.append(inputs)
        try:
            instance.step(inputs, now_ns - self._started_ns, self._step_ns)
            self._values = instance.values
        except FmuError:
            self.close()
            raise
        self._due_ns += self._step_ns

    def _sampled(self, now_ns: int) -> tuple[Value, ...]:
        port = self._port
        assert port is not None
        return tuple([intake.value(port, now_ns) for intake in self._inputs])

    def _open(self) -> None:
        names = [each.variable.name for each in self._plan.inputs]
        inputs = dict(zip(names, self._first, strict=True))
        outputs = [each.variable.name for each in self._plan.outputs]
        model, name, parameters = self.model, self.name, self._parameters
        if self._isolated:
            self._instance = IsolatedFmu(
                model,
                name,
                parameters=parameters,
                inputs=inputs,
                outputs=outputs,
                limit_s=self._call_limit_s,
            )
        else:
            self._instance = FmuInstance(
                model, name, parameters=parameters, inputs=inputs, outputs=outputs
            )
        self._values = self._instance.values

    # -- copies ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        instance = self._instance
        state["_instance"] = None
        state["saved"] = None
        if instance is not None:
            try:
                state["saved"] = instance.state() if self.model.has_state else b""
            except FmuError as error:
                raise self._no_copy("an FMU that hands its state over", str(error)) from error
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved: bytes | None = state.pop("saved")
        self.__dict__.update(state)
        if saved is None:
            return
        expected = self._values
        try:
            self._open()
            self._resume(saved)
        except FmuError as error:
            raise self._no_copy("an FMU that can go on in a second instance", str(error)) from error
        if repr(self._values) != repr(expected):  # nan is like nan
            how = "its state was put back" if saved else "the same inputs"
            raise self._no_copy(f"the outputs {expected} after {how}", str(self._values))

    def _resume(self, saved: bytes) -> None:
        """Bring a new instance to where the copied one is."""
        instance = self._instance
        assert instance is not None
        if saved:
            instance.restore(saved)
        for place, inputs in enumerate(self._history.steps):
            instance.step(inputs, place * self._step_ns, self._step_ns)
        self._values = instance.values

    def _no_copy(self, expected: str, got: str) -> UsageError:
        at_ns = self._due_ns - self._started_ns
        self.close()
        return UsageError(
            f"fork or pickle of {self.name}, {self.model.shown} at {format_ns(at_ns)}",
            expected=expected,
            got=got,
        )


class _Stack(RestbusNode):
    """The communication of the place: sends all its messages, receives what the FMU reads."""

    __slots__ = ("_plan",)

    def __init__(self, name: str, database: Database, plan: FmuPlan) -> None:
        super().__init__(name, database)
        self._plan = plan
        for message, values in plan.values.items():
            self.set(message, **values)

    def configure(self, now_ns: int) -> None:
        super().configure(now_ns)
        for message in self._plan.received:
            self.receives(message.name)


class _Intake:
    """The value of an input variable."""

    __slots__ = ("_held", "_payload", "_reader", "_reception", "_spec")

    def __init__(self, spec: FmuInput) -> None:
        self._spec = spec
        self._reception: Reception | None = None
        self._reader: SignalReader | None = None
        self._payload = b""
        self._held: Number = 0
        """Last valid value of the signal."""
        if spec.message is not None and spec.signal:
            self._reader = spec.message.codec.reader(spec.signal)

    def begin(self, stack: _Stack) -> None:
        """At power on: nothing was received."""
        spec = self._spec
        self._payload = b""
        if spec.message is not None:
            self._reception = stack.reception(spec.message.name)
        if spec.message is not None and spec.signal:
            self._held = self._start_value()

    def value(self, port: Port, now_ns: int) -> Value:
        """What the FMU gets now."""
        spec = self._spec
        reception = self._reception
        raw: Number
        if reception is None:
            raw = port.read(spec.pin)
        else:
            reception.monitor(now_ns)
            raw = self._received(reception, now_ns)
        return _fitting(spec, spec.scale * raw + spec.offset)

    def _received(self, reception: Reception, now_ns: int) -> Number:
        is_valid = reception.usable(now_ns)
        if self._reader is None:
            return int(is_valid)
        if is_valid:
            if reception.data is not self._payload:
                self._payload = reception.data
                found = self._reader.read(self._payload)[0]
                if found is not None:  # not in this frame of a multiplexed message
                    self._held = found
            return self._held
        otherwise = self._spec.on_invalid
        if not isinstance(otherwise, str):
            return otherwise
        if otherwise == START:
            return self._start_value()
        return self._held

    def _start_value(self) -> Number:
        spec = self._spec
        assert spec.message is not None
        return spec.message.signal(spec.signal).start_value


class _Outlet:
    """Takes the value of an output variable to its pin or signal.

    A message that is just cyclic asks for the value when it is sent; in others a changed value is
    a write, which may send them.
    """

    __slots__ = ("_limits", "_port", "_spec", "_stack", "_writes", "value")

    def __init__(self, spec: FmuOutput) -> None:
        self._spec = spec
        self._port: Port | None = None
        self._stack: _Stack | None = None
        self._writes = False
        self._limits: tuple[Number, Number] | None = None
        self.value: Number | None = None
        if spec.message is not None and spec.saturate:
            self._limits = physical_limits(spec.message.signal(spec.signal))

    def connect(self, stack: _Stack) -> None:
        """Once: from now on the signal's value is this one's."""
        message, signal = self._spec.message, self._spec.signal
        if message is None:
            return
        self._stack = stack
        self._writes = not stack.rules[message.name].is_plain
        if not self._writes:
            stack.drive(message.name, signal, self)

    def begin(self, port: Port) -> None:
        """At power on."""
        self._port = port
        self.value = None

    def take(self, value: Value, now_ns: int) -> None:
        """The value from now on."""
        spec = self._spec
        assert not isinstance(value, str)
        number: Number = spec.scale * value + spec.offset
        if spec.message is None:
            assert self._port is not None
            self._port.write(spec.pin, float(number))
            return
        if self._limits is not None:
            low, high = self._limits
            number = low if number < low else high if number > high else number
        if self._writes and number != self.value:
            assert self._stack is not None
            self._stack.write(spec.message.name, now_ns, **{spec.signal: number})
        self.value = number

    def __call__(self, time_s: float) -> Number:
        """The value for a frame that is sent now; the start value before there is one."""
        if self.value is not None:
            return self.value
        message = self._spec.message
        assert message is not None
        return message.signal(self._spec.signal).start_value


class _History:
    """Inputs of all steps so far, for an FMU that cannot hand its state over."""

    __slots__ = ("steps",)

    def __init__(self, steps: Sequence[tuple[Value, ...]] = ()) -> None:
        self.steps = list(steps)

    def __deepcopy__(self, memo: dict[int, Any]) -> _History:
        return _History(self.steps)


def _fitting(spec: FmuInput, number: Number) -> Value:
    """A number as the type of the variable needs it."""
    variable = spec.variable
    if variable.is_real:
        return float(number)
    if variable.kind == "Boolean":
        return bool(number)
    if number != int(number):
        raise FmuError(
            f"input {variable.name}: expected a whole number for its {variable.kind}, got {number}"
        )
    return int(number)


def fmu_node(
    path: Path,
    shown: str,
    mapping: FmuMapping,
    isolated: bool,
    call_limit_s: float,
    node: str,
    database: Database,
) -> FmuNode:
    """A node of an FMU file."""
    return FmuNode(
        load_fmu(path, shown),
        mapping,
        node,
        database,
        isolated=isolated,
        call_limit_s=call_limit_s,
    )
