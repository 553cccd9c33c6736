"""`CModule`: a module in C, as a shared library, in the place of a node.

    rig.replace("EMB_FL", CModule("brake.so"))
    rig.replace("EMB_FL", CModule("brake.so", isolated=True))

The library follows simcore_node.h (`header_path()` says where that is) and is called in lockstep
with virtual time. In this process a library that crashes or hangs takes the simulation with it:
`isolated` puts it in a process of its own, where both become findings, at some cost per call. What
it does wrong otherwise is a finding either way. The memory of an instance is in `c_instance`, what
it asks for in `c_port`, copies by repetition in `journal`, the process in `isolation`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from simcore.attach.c_abi import Call, Entry, ModuleFlag, Surroundings, World, header_path
from simcore.attach.c_instance import Instance
from simcore.attach.c_library import Facts, LibraryFile
from simcore.attach.c_port import PortWorld, packed_frame, surroundings_of
from simcore.attach.journal import JournalEntry, RecordingWorld, ReplayedWorld
from simcore.bus import ErrorState, Frame
from simcore.ecu import Port
from simcore.errors import UsageError

__all__ = ["CModule", "header_path"]

_CALL_LIMIT_MAX_S = 3600.0
_Shared = TypeVar("_Shared", bound="Snapshot")


class Runner(Protocol):
    """Where an instance runs: in this process or in another one."""

    outputs: list[str]
    """Output pins by index."""

    def call(self, call: Call, world: World) -> int | None:
        """Call the module; returns its next deadline, in ns."""

    def contents(self) -> bytes:
        """Its state; a copy of the instance where the module is relocatable."""

    def close(self) -> None:
        """It is not needed any more."""


class Snapshot:
    """An instance at one instant, from which any number of copies start; never changes."""

    __slots__ = ("contents", "journal", "surroundings")

    def __init__(
        self,
        surroundings: Surroundings,
        contents: bytes,
        journal: tuple[JournalEntry, ...] | None,
    ) -> None:
        self.surroundings = surroundings
        self.contents = contents
        """The state of a relocatable module."""
        self.journal = journal
        """Of any other one: what has happened to it since it started."""

    def __deepcopy__(self: _Shared, memo: dict[int, object]) -> _Shared:
        return self


class CModule:
    """A `Node` behind which is a shared library. Copies and pickles at any instant between calls.

    `isolated` runs it in a process of its own; a call that takes longer than `call_limit_s` on the
    wall's clock is a hang there. Raises `InputError` for a file that is no library or does not
    follow simcore_node.h.
    """

    def __init__(
        self, path: str | Path, *, isolated: bool = False, call_limit_s: float = 2.0
    ) -> None:
        if not 0.0 < call_limit_s <= _CALL_LIMIT_MAX_S:
            expected = f"a time > 0 s and <= {_CALL_LIMIT_MAX_S:g} s"
            raise UsageError("call_limit_s", expected=expected, got=call_limit_s)
        self.file = LibraryFile.at(path)
        self.isolated = isolated
        self.call_limit_s = call_limit_s
        self.facts: Facts = self._looked_at()
        self._port: Port | None = None
        self._world: PortWorld | None = None
        self._surroundings: Surroundings | None = None
        self._runner: Runner | None = None
        self._journal: list[JournalEntry] | None = None
        self._snapshot: Snapshot | None = None
        self._deadline_ns: int | None = None
        self._is_called = False

    @property
    def file_digest(self) -> str:
        """Digest of the library."""
        return self.file.digest

    @property
    def fixed_schedule(self) -> bool:
        """See `Node`; the library's description says so."""
        return bool(self.facts.flags & ModuleFlag.FIXED_SCHEDULE)

    # -- Node -----------------------------------------------------------------------------------

    def start(self, port: Port, now_ns: int) -> None:
        """Power on: a new instance, in zeroed memory."""
        self._forget()
        self._port = port
        self._surroundings = surroundings_of(port)
        self._runner = self._new_runner(self._surroundings, b"")
        self._world = PortWorld(port)
        self._journal = None if self.facts.is_relocatable else []
        self._call(Call(Entry.START, now_ns, int(getattr(port, "reset_cause", 0))))

    def receive(self, frame: Frame, now_ns: int) -> None:
        """A frame passed the acceptance filter."""
        self._call(Call(Entry.RECEIVE, now_ns, 0, 0, packed_frame(frame)))

    def on_timer(self, now_ns: int) -> None:
        """The deadline the module asked for has come."""
        self._call(Call(Entry.TIMER, now_ns))

    def next_deadline_ns(self) -> int | None:
        """What the module said after the last call."""
        return self._deadline_ns

    @property
    def receive_on(self) -> Callable[[str, Frame, int], None] | None:
        """Takes frames of the second bus, where the library wants them."""
        return self._receive_on if Entry.RECEIVE_ON in self.facts.optional else None

    @property
    def bus_state(self) -> Callable[[str, ErrorState, int], None] | None:
        """Is told of the controllers' error state, where the library wants to know."""
        return self._bus_state if Entry.BUS_STATE in self.facts.optional else None

    @property
    def transmitted(self) -> Callable[[str, Frame, int], None] | None:
        """Is told of frames that have left, where the library wants to know."""
        return self._transmitted if Entry.TRANSMITTED in self.facts.optional else None

    def _receive_on(self, channel: str, frame: Frame, now_ns: int) -> None:
        place = self._channel(channel)
        self._call(Call(Entry.RECEIVE_ON, now_ns, 0, place, packed_frame(frame)))

    def _bus_state(self, channel: str, state: ErrorState, now_ns: int) -> None:
        self._call(Call(Entry.BUS_STATE, now_ns, int(state), self._channel(channel)))

    def _transmitted(self, channel: str, frame: Frame, now_ns: int) -> None:
        place = self._channel(channel)
        self._call(Call(Entry.TRANSMITTED, now_ns, 0, place, packed_frame(frame)))

    def _channel(self, name: str) -> int:
        channels = () if self._surroundings is None else self._surroundings.channels
        if name not in channels:
            raise UsageError(f"{self.file.path}: channel {name}", expected=", ".join(channels))
        return channels.index(name)

    # -- calls ----------------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        runner = self._runner
        if runner is None:
            runner = self._awaken(call)
        world, surroundings = self._world, self._surroundings
        assert world is not None and surroundings is not None
        self._snapshot = None
        world.begin(call.now_ns)
        self._is_called = True
        try:
            if self._journal is None:
                self._deadline_ns = runner.call(call, world)
            else:
                recording = RecordingWorld(world, surroundings.inputs)
                self._deadline_ns = runner.call(call, recording)
                self._journal.append(recording.entry(call, self._deadline_ns))
        except BaseException:
            self._forget()  # whatever it is now, nobody may continue it
            raise
        finally:
            self._is_called = False

    def _forget(self) -> None:
        if self._runner is not None:
            self._runner.close()
        self._runner = self._world = self._surroundings = self._journal = self._snapshot = None
        self._deadline_ns = None

    # -- where it runs ----------------------------------------------------------------------------

    def _looked_at(self) -> Facts:
        if self.isolated:
            from simcore.attach.isolation import facts_of

            return facts_of(self.file, self.call_limit_s)
        return self.file.library().facts

    def _new_runner(self, surroundings: Surroundings, contents: bytes) -> Runner:
        if self.isolated:
            from simcore.attach.isolation import IsolatedRunner

            return IsolatedRunner(self.file, surroundings, contents, self.call_limit_s)
        relocatable = self.facts.is_relocatable
        library = self.file.library() if relocatable else self.file.private_library()
        return Instance(library, surroundings, contents)

    def _awaken(self, call: Call) -> Runner:
        """Make the instance of a copy, when it is first called."""
        snapshot, port = self._snapshot, self._port
        if snapshot is None or port is None:
            raise UsageError(
                f"{self.file.path}: {call}",
                expected="a module that has been started",
                got="one that was not, or has failed since",
            )
        surroundings = snapshot.surroundings
        runner = self._new_runner(surroundings, snapshot.contents)
        try:
            for entry in snapshot.journal or ():
                replayed = ReplayedWorld(entry, surroundings.inputs)
                replayed.require_the_same(runner.call(entry.call, replayed))
        except BaseException:
            runner.close()
            self._forget()
            raise
        self._runner = runner
        self._world = PortWorld(port)
        self._surroundings = surroundings
        self._journal = None if snapshot.journal is None else list(snapshot.journal)
        return runner

    # -- copies ---------------------------------------------------------------------------------

    def _taken_snapshot(self) -> Snapshot | None:
        if self._is_called:
            raise UsageError(
                f"{self.file.path}: copy", expected="between two calls", got="within one"
            )
        runner, surroundings = self._runner, self._surroundings
        if self._snapshot is None and runner is not None and surroundings is not None:
            if self._journal is None:
                contents = runner.contents()
                now = surroundings._replace(outputs=tuple(runner.outputs))
                self._snapshot = Snapshot(now, contents, None)
            else:
                self._snapshot = Snapshot(surroundings, b"", tuple(self._journal))
        return self._snapshot

    def __getstate__(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "isolated": self.isolated,
            "call_limit_s": self.call_limit_s,
            "facts": self.facts,
            "_port": self._port,
            "_surroundings": self._surroundings,
            "_snapshot": self._taken_snapshot(),
            "_deadline_ns": self._deadline_ns,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._world = self._runner = self._journal = None
        self._is_called = False

    def __repr__(self) -> str:
        isolated = ", isolated=True" if self.isolated else ""
        return f"CModule({Path(self.file.path).name!r}{isolated})"
