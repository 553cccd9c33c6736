"""`Instance`: the memory of one instance of a C module, and the calls into it.

Its state and the frames it is shown lie in one block with watched bytes around them. After every
call they are looked at: a module that writes past its memory is found out at the call that did it.
A module that declares itself relocatable has its state moved now and then, and the place where it
lay is watched, so that a pointer it kept shows.

What the module asks for during a call goes to a `World`. An exception there must not pass through C
code: it is kept, everything the module asks for afterwards is refused, and it is raised when the
call has returned.
"""

from __future__ import annotations

from typing import Any

from simcore.attach.c_abi import (
    FRAME,
    NEVER_NS,
    NONE,
    REFUSED,
    Answer,
    Call,
    Entry,
    Surroundings,
    World,
    interface,
)
from simcore.attach.c_callbacks import callbacks
from simcore.attach.c_library import Library
from simcore.errors import UsageError

GUARD_BYTES = 64
_PATTERN = bytes((37 * place + 0xA5) & 0xFF for place in range(256))
_GUARD = _PATTERN[:GUARD_BYTES]
_NO_FRAME = bytes(FRAME.size)
_OUT_OF_TURN = "the host was called while no call of the module was under way"
_WATCHED_STATE_MAX = 1 << 16
"""A left place larger than this is not compared after every call."""


class ModuleMemoryError(UsageError):
    """A module wrote where it must not."""


def _pattern(size: int) -> bytes:
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]


class _Block:
    """Guard, state, guard, frame, guard."""

    __slots__ = (
        "__weakref__",
        "_behind",
        "_front",
        "_owner",
        "frame",
        "intact_tail",
        "size",
        "state",
        "tail",
    )

    def __init__(self, size: int) -> None:
        ffi = interface()
        padding = -size % 16
        self.size = size
        self._behind = _pattern(GUARD_BYTES + padding)
        total = GUARD_BYTES + size + padding + GUARD_BYTES + FRAME.size + GUARD_BYTES
        self._owner = owner = ffi.new("uint8_t[]", total + 16)
        start = owner + (-int(ffi.cast("uintptr_t", owner)) % 16)
        ffi.memmove(start, _PATTERN, GUARD_BYTES)
        self._front = ffi.buffer(start, GUARD_BYTES)
        pointer = start + GUARD_BYTES
        self.state = ffi.cast("void *", pointer)
        self.tail = ffi.buffer(pointer + size, total - GUARD_BYTES - size)
        place = pointer + size + padding + GUARD_BYTES
        self.frame = ffi.cast("simcore_node_frame *", place)
        self.show(_NO_FRAME)

    def show(self, frame: bytes) -> None:
        """Put a frame where the module will find it."""
        self.intact_tail = self._behind + frame + _GUARD
        self.tail[:] = self.intact_tail

    def contents(self) -> bytes:
        """The state."""
        return bytes(interface().buffer(self.state, self.size)) if self.size else b""

    def damage(self) -> str | None:
        """Where a module wrote that it must not; `None` for nowhere."""
        if self._front == _GUARD and self.tail == self.intact_tail:
            return None
        if self._front != _GUARD:
            return f"before its state of {self.size} bytes"
        tail, behind = bytes(self.tail), len(self._behind)
        if tail[:behind] != self._behind:
            return f"behind its state of {self.size} bytes"
        if tail[behind : behind + FRAME.size] != self.intact_tail[behind : behind + FRAME.size]:
            return "into the frame it was given"
        return "behind the frame it was given"


class _LeftHost:
    """Stands behind a `simcore_node_host` that an instance was passed in an earlier call."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def failed(self, error: BaseException) -> None:
        self._instance.failed(error)

    def __getattr__(self, name: str) -> Any:
        raise UsageError(
            "a host that the module was passed in an earlier call",
            expected="that it uses the one of the present call only",
        )


class _Host:
    """A `simcore_node_host` with what it points to."""

    __slots__ = ("_name", "struct")

    def __init__(self, surroundings: Surroundings) -> None:
        ffi = interface()
        self.struct = struct = ffi.new("simcore_node_host *")
        self._name = ffi.new("char[]", surroundings.node.encode())
        struct.size = ffi.sizeof("simcore_node_host")
        struct.channel_count = len(surroundings.channels)
        struct.node_name = self._name
        for name, function in callbacks().items():
            setattr(struct, name, function)


class Instance:
    """One instance of a module in this process."""

    __slots__ = (
        "_block",
        "_call_count",
        "_hosts",
        "_left",
        "_library",
        "_live",
        "_moves_at",
        "_stale",
        "_world",
        "error",
        "outputs",
        "surroundings",
    )

    def __init__(
        self, library: Library, surroundings: Surroundings, state: bytes | None = None
    ) -> None:
        ffi = interface()
        self._library = library
        self.surroundings = surroundings
        self.outputs = list(surroundings.outputs)
        self._block = _Block(library.facts.state_size)
        if state:
            ffi.memmove(self._block.state, state, len(state))
        self._left: _Block | None = None
        """Where the state of a relocatable module lay before it was moved."""
        self._call_count = 0
        self._moves_at = 1
        self._world: World | None = None
        self.error: BaseException | None = None
        """What went wrong in the present call, or in the one that was the last."""
        self._hosts = (_Host(surroundings), _Host(surroundings))
        self._live = ffi.new_handle(self)
        self._stale = ffi.new_handle(_LeftHost(self))

    def call(self, call: Call, world: World) -> int | None:
        """Call the module; returns its next deadline, in ns.

        Raises what the world raised, and `UsageError` for what the module did wrong.
        """
        self._enter(call, world)
        block, host, function = self._block, self._next_host(), self._library.calls[call.entry]
        entry = call.entry
        if call.frame:
            block.show(call.frame)
        if entry == Entry.TIMER:
            function(block.state, host, call.now_ns)
        elif entry == Entry.RECEIVE:
            function(block.state, host, block.frame, call.now_ns)
        elif entry == Entry.START:
            function(block.state, host, call.number, call.now_ns)
        elif entry == Entry.BUS_STATE:
            function(block.state, host, call.channel, call.number, call.now_ns)
        else:
            function(block.state, host, call.channel, block.frame, call.now_ns)
        deadline_ns = self._library.next_deadline(block.state)
        self._leave(call)
        return None if deadline_ns == NEVER_NS else int(deadline_ns)

    def contents(self) -> bytes:
        """The state, for a copy of a relocatable module."""
        return self._block.contents()

    def _enter(self, call: Call, world: World) -> None:
        if self.error is not None:
            raise self.error
        self._world = world

    def _leave(self, call: Call) -> None:
        self._world = None
        damage = self._block.damage()
        left = self._left
        if damage is None and left is not None and left.size <= _WATCHED_STATE_MAX:
            if left.contents() != _pattern(left.size) or left.damage() is not None:
                damage = (
                    "where its state lay before: it keeps a pointer into it, "
                    "although it says that it is relocatable"
                )
        if damage is not None:
            self.error = ModuleMemoryError(f"{call}: the module wrote {damage}")
        if self.error is not None:
            raise self.error
        self._call_count += 1
        if self._call_count == self._moves_at:
            self._moves_at *= 2
            if self._library.facts.is_relocatable:
                self._move()

    def _next_host(self) -> Any:
        """Each call is passed another host than the last one, whose pointer is no good any more."""
        used, unused = self._hosts
        used.struct.context = self._stale
        unused.struct.context = self._live
        self._hosts = (unused, used)
        return unused.struct

    def _move(self) -> None:
        """Put the state elsewhere, as a copy of the simulation does."""
        ffi = interface()
        left, block = self._block, _Block(self._block.size)
        ffi.memmove(block.state, left.state, block.size)
        ffi.memmove(left.state, _pattern(left.size), left.size)
        self._block, self._left = block, left

    def close(self) -> None:
        """Nothing to do: its memory goes with it, and a library of its own too."""

    # -- what the module asks for -----------------------------------------------------------------

    def failed(self, error: BaseException) -> None:
        """Keep what went wrong until the call returns."""
        if self.error is None:
            self.error = error

    def take(self, order: int, *arguments: Any) -> Answer:
        """Let the world carry an order out; nothing any more after something went wrong."""
        if self.error is not None:
            return REFUSED
        if self._world is None:
            raise UsageError(_OUT_OF_TURN)
        return self._world.take(order, *arguments)

    def read(self, pin: str) -> float:
        """Value of an input pin there is."""
        if self.error is not None:
            return 0.0
        if self._world is None:
            raise UsageError(_OUT_OF_TURN)
        return self._world.read(pin)

    def read_named(self, pin: str) -> float:
        """Value of an input pin."""
        if pin not in self.surroundings.inputs:
            raise UsageError(
                f"{self.surroundings.node}: read pin {pin!r}",
                expected=_listed(self.surroundings.inputs),
            )
        return self.read(pin)

    def find_output(self, name: str) -> int:
        if name in self.outputs:
            return self.outputs.index(name)
        if self.surroundings.outputs_are_known:
            return NONE
        self.outputs.append(name)
        return len(self.outputs) - 1

    def pin(self, what: str, index: int, pins: list[str] | tuple[str, ...]) -> str:
        """The name behind an index that the module gave."""
        if not 0 <= index < len(pins):
            raise UsageError(
                f"{self.surroundings.node}: {what} pin with index {index}",
                expected=f"0..{len(pins) - 1}, as find_{'input' if what == 'read' else 'output'} "
                "returned it",
            )
        return pins[index]


def _listed(pins: tuple[str, ...]) -> str:
    return f"one of {', '.join(sorted(pins))}" if pins else "no pins on this node"
