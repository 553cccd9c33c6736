"""What broken modules are made of: a port that alters what passes, and ways to change one thing.

A mutant is a simulated ECU with exactly one defect. The classes here stand before `Emb` or `Cdc`
among the bases of a mutant; without an override each of them changes nothing at all, and that is
what the control group (`catalogue.SOUND`) proves.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from simcore.bus import Frame
from simcore.diag.server import UdsServer
from simcore.ecu.runtime import Reception
from simcore.network import Message
from simcore.protection import E2eStatus, Profile05Sender

NEVER_NS = 1 << 62
HEADER = 3
"""Bytes of the E2E header of profile 5: checksum and counter."""


class AlteredPort:
    """A port that asks its mutant about everything that passes."""

    def __init__(self, port: Any, mutant: Any) -> None:
        self._port = port
        self._mutant = mutant

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling look for dunders before there is anything to ask.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._port, name)

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self._mutant.let_out(frame, channel)

    def write(self, pin: str, value: float) -> None:
        self._mutant.drive(pin, value)

    @property
    def inputs(self) -> Mapping[str, float]:
        return self._mutant.sensed

    def read(self, pin: str) -> float:
        return self._mutant.sensed[pin] if pin in self._port.inputs else self._port.read(pin)

    @property
    def memory(self) -> dict[str, bytes]:
        return self._mutant.kept

    @property
    def watchdog(self) -> Any:
        return self._mutant.line


class ThroughPort:
    """An ECU behind an `AlteredPort`."""

    bare: Any
    """The port as it is."""

    def start(self, port: Any, now_ns: int) -> None:
        self.bare = port
        super().start(AlteredPort(port, self), now_ns)

    def let_out(self, frame: Frame, channel: str | None) -> None:
        """A frame is to be sent."""
        self.bare.send(frame, channel)

    def drive(self, pin: str, value: float) -> None:
        """An output pin is to be written."""
        self.bare.write(pin, value)

    @property
    def sensed(self) -> Mapping[str, float]:
        """The input pins."""
        return self.bare.inputs

    @property
    def kept(self) -> dict[str, bytes]:
        """The non-volatile memory."""
        return self.bare.memory

    @property
    def line(self) -> Any:
        """The external watchdog."""
        return getattr(self.bare, "watchdog", None)

    def message_of(self, frame: Frame) -> Message | None:
        """The message of the database that a frame is."""
        for message in self.database.messages:
            if message.arbitration_id == frame.arbitration_id:
                return message
        return None

    def carries(self, frame: Frame, ending: str) -> bool:
        """Whether a frame is one of a message whose name ends so."""
        message = self.message_of(frame)
        return message is not None and message.name.endswith(ending)


def resealed(message: Message, data: bytes) -> bytes:
    """The payload with its own counter and a right checksum."""
    assert message.e2e is not None
    return Profile05Sender(message.e2e.data_id, message.length, counter=data[2]).protect(data)


# -- sending ---------------------------------------------------------------------------------------


class Sending:
    """One sent message is not as it should be: `part` is how its name ends."""

    part: ClassVar[str] = "St1"

    def sends(self, message: str, pack: Any, **options: Any) -> Any:
        concerned = message.endswith(self.part)
        if concerned:
            pack = partial(self._pack, pack)
        transmission = super().sends(message, pack, **options)
        if concerned:
            transmission._sender = self.sealer(transmission._sender, transmission.message)
        return transmission

    def _pack(self, pack: Any, now_ns: int) -> bytes:
        return self.packed(pack(now_ns), now_ns)

    def packed(self, data: bytes, now_ns: int) -> bytes:
        """The payload before it is protected."""
        return data

    def sealer(self, sender: Any, message: Message) -> Any:
        """What protects the message."""
        return sender


class OwnTimes:
    """Sends what a task has packed, at times of its own; a worker of the ECU."""

    def __init__(self, mutant: Any, transmission: Any, first_ns: int, cycle_ns: int) -> None:
        self._mutant, self._transmission = mutant, transmission
        self._due_ns, self._cycle_ns, self._count = first_ns, cycle_ns, 0
        self._data: bytes | None = None

    def pack(self, now_ns: int) -> None:
        """In place of the task that sends."""
        self._data = self._transmission._pack(now_ns)

    def on_timer(self, now_ns: int) -> None:
        transmission = self._transmission
        if self._data is not None:
            data = self._data
            if transmission._sender is not None:
                data = transmission._sender.protect(data)
            transmission._port.send(transmission._template.with_data(data))
        self._count += 1
        self._due_ns += self._mutant.gap_ns(self._count, self._cycle_ns)

    def next_deadline_ns(self) -> int:
        return self._due_ns


class Retimed:
    """One sent message, or several, at other times; the tasks behind it run as ever."""

    parts: ClassVar[tuple[str, ...]] = ("St1",)
    first_ns: ClassVar[int] = 0
    """How much later it begins."""

    def runs(self, name: str, *, period_ns: int, offset_ns: int, action: Any, **more: Any) -> None:
        if name.startswith("send ") and name.endswith(self.parts):
            first_ns = self._start_ns + offset_ns + self.first_ns
            times = OwnTimes(self, action.__self__, first_ns, period_ns)
            self.attends(times)
            action = times.pack
        super().runs(name, period_ns=period_ns, offset_ns=offset_ns, action=action, **more)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        """From one frame to the next, the first being number 1."""
        return cycle_ns


# -- receiving -------------------------------------------------------------------------------------


class Hearing:
    """Receptions of the messages whose names end as one of `heard` are not as they should be."""

    heard: ClassVar[tuple[str, ...]] = ()

    def receives(self, message: str) -> Reception:
        reception = super().receives(message)
        if message.endswith(self.heard):
            self.doctor(reception)
        return reception

    def doctor(self, reception: Any) -> None:
        """Break it."""


class Lenient:
    """An E2E check that takes one status for OK."""

    def __init__(self, checker: Any, taken: E2eStatus) -> None:
        self._checker, self._taken = checker, taken

    @property
    def counter(self) -> int:
        return self._checker.counter

    def check(self, data: bytes) -> E2eStatus:
        status = self._checker.check(data)
        return E2eStatus.OK if status is self._taken else status

    def no_new_data(self) -> E2eStatus:
        return self._checker.no_new_data()


class HalfSeen:
    """An E2E check that looks at one byte of the checksum, of two."""

    def __init__(self, checker: Any, message: Message) -> None:
        assert message.e2e is not None
        self._checker, self._length = checker, message.length
        self._data_id = message.e2e.data_id

    @property
    def counter(self) -> int:
        return self._checker.counter

    def check(self, data: bytes) -> E2eStatus:
        if len(data) == self._length:
            sealed = Profile05Sender(self._data_id, self._length, counter=data[2]).protect(data)
            if sealed[0] == data[0]:
                data = sealed
        return self._checker.check(data)

    def no_new_data(self) -> E2eStatus:
        return self._checker.no_new_data()


class TailUnseen(HalfSeen):
    """An E2E check that does not cover the last byte."""

    def check(self, data: bytes) -> E2eStatus:
        if len(data) == self._length and self._checker.check(data) is E2eStatus.ERROR:
            for last in range(256):
                other = data[:-1] + bytes((last,))
                header = Profile05Sender(self._data_id, self._length, counter=data[2])
                if header.protect(other)[:2] == data[:2]:
                    return E2eStatus.OK
            return E2eStatus.ERROR
        return self._checker.check(data)


# -- inside ----------------------------------------------------------------------------------------


class Operated:
    """Something inside is replaced once the application is built, before its tasks are."""

    def _run_tasks(self) -> None:  # of an actuator
        self.operate()
        super()._run_tasks()

    def _build(self, now_ns: int) -> None:  # of a domain controller
        super()._build(now_ns)
        self.operate()

    def operate(self) -> None:
        """Replace it."""


class Serving:
    """The UDS server is not as it should be: `server` is the class in its place."""

    server: ClassVar[type[UdsServer]] = UdsServer

    def require_diagnostics(self, now_ns: int) -> Any:
        is_new = self.diagnostics is None
        diagnostics = super().require_diagnostics(now_ns)
        if is_new and diagnostics is not None:
            diagnostics.server.__class__ = self.server
        return diagnostics

    def diagnoses(self, build_table: Any, **options: Any) -> None:
        super().diagnoses(partial(self._table, build_table), **options)

    def _table(self, build_table: Any) -> Any:
        return self.table(build_table())

    def table(self, table: Any) -> Any:
        """The diagnostic table."""
        return table


def with_rows(table: Any, **rows: Any) -> Any:
    """A table with other rows."""
    return replace(table, **rows)


class Patched:
    """Functions of the code below are others, while it is this ECU's turn."""

    patches: ClassVar[Mapping[str, Any]] = {}
    """By place: `package.module:function` or `package.module:Class.method`."""

    @contextmanager
    def _patched(self) -> Iterator[None]:
        kept = []
        for place, replacement in self.patches.items():
            module, _, path = place.partition(":")
            owner: Any = importlib.import_module(module)
            *within, name = path.split(".")
            for each in within:
                owner = getattr(owner, each)
            kept.append((owner, name, vars(owner)[name]))
            setattr(owner, name, replacement)
        try:
            yield
        finally:
            for owner, name, before in kept:
                setattr(owner, name, before)

    def start(self, port: Any, now_ns: int) -> None:
        with self._patched():
            super().start(port, now_ns)

    def receive(self, frame: Frame, now_ns: int) -> None:
        with self._patched():
            super().receive(frame, now_ns)

    def transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        with self._patched():
            super().transmitted(channel, frame, now_ns)

    def on_timer(self, now_ns: int) -> None:
        with self._patched():
            super().on_timer(now_ns)
