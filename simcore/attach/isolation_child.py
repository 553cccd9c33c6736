"""The processes of isolated modules: what runs on the other side of `isolation`.

One server per simulator process, started afresh so that the C library's checks of its heap are on
from the first byte. It opens no module: it forks, and the child opens one. Children end when their
socket closes, the server ends when the simulator does, and takes with it whoever is left.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from array import array
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from simcore.attach.c_abi import Answer, Call, Order, Surroundings, interface
from simcore.attach.c_callbacks import callbacks
from simcore.attach.c_instance import Instance, ModuleMemoryError
from simcore.attach.c_library import Library, LibraryFile
from simcore.attach.isolation_wire import Say, receive, send
from simcore.errors import InputError, SimcoreError, UsageError

ORDERS_AT_ONCE = 32
"""So many may be under way before the module is stopped for a mistake among them."""
PROCESS = struct.Struct("=ci")
"""What the simulator says to the server: fork 0, wait for pid, dismiss pid."""
_PR_SET_PDEATHSIG = 1
_IOLBF = 1
ERRORS = {each.__name__: each for each in (UsageError, InputError, ModuleMemoryError)}


class RefusedError(Exception):
    """The simulator has found a mistake in an order; it knows which."""


class WireWorld:
    """Hands a module's orders on to the simulator, many at once where none wants an answer."""

    __slots__ = ("_inputs", "_link", "_names", "orders")

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._names: tuple[str, ...] = ()
        self._inputs: dict[str, float] = {}
        self.orders: list[tuple[Any, ...]] = []

    def show(self, names: tuple[str, ...], values: bytes) -> None:
        """Take over the input pins as they are in this call."""
        self._inputs = dict(zip(names, array("d", values), strict=True))
        self.orders = []

    def read(self, pin: str) -> float:
        return self._inputs[pin]

    def take(self, order: int, *arguments: Any) -> Answer:
        self.orders.append((order, *arguments))
        if order < Order.MEMORY_READ and len(self.orders) < ORDERS_AT_ONCE:
            return None
        send(self._link, (Say.ASK, self.orders))
        self.orders = []
        kind, *answer = receive(self._link)
        if kind != Say.ANSWER:
            raise RefusedError
        told: Answer = answer[0]
        return told


class Child:
    """One instance of one module, and the conversation about it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._world = WireWorld(link)
        self._library: Library | None = None
        self._instance: Instance | None = None

    def serve(self) -> None:
        """Until the simulator hangs up."""
        reactions: dict[int, Callable[..., None]] = {
            Say.OPEN: self._open,
            Say.MAKE: self._make,
            Say.CALL: self._call,
            Say.CONTENTS: self._contents,
        }
        while True:
            try:
                kind, *rest = receive(self._link)
            except (EOFError, ConnectionError):
                return
            try:
                reactions[kind](*rest)
            except RefusedError:
                self._say_wrong(UsageError("refused"))
            except SimcoreError as error:
                self._say_wrong(error)

    def _say_wrong(self, error: SimcoreError) -> None:
        assert isinstance(error, UsageError | InputError)
        expected, got = (None if x is None else str(x) for x in (error.expected, error.got))
        file = error.file if isinstance(error, InputError) else None
        told = (type(error).__name__, error.where, expected, got, file)
        send(self._link, (Say.WRONG, self._world.orders, told))

    def _open(self, path: str, digest: str) -> None:
        LibraryFile(path, digest).require_same(Path(path).read_bytes())
        self._library = Library.opened(path)
        send(self._link, (Say.FACTS, self._library.facts))

    def _make(self, surroundings: list[Any], contents: bytes) -> None:
        assert self._library is not None
        node, channels, inputs, outputs, known = surroundings
        place = Surroundings(node, tuple(channels), tuple(inputs), tuple(outputs), known)
        self._instance = Instance(self._library, place, contents)
        self._say_done(None)

    def _call(
        self, entry: int, now_ns: int, number: int, channel: int, frame: bytes, values: bytes
    ) -> None:
        instance = self._instance
        assert instance is not None
        self._world.show(instance.surroundings.inputs, values)
        self._say_done(instance.call(Call(entry, now_ns, number, channel, frame), self._world))

    def _say_done(self, deadline_ns: int | None) -> None:
        orders = self._world.orders
        send(self._link, (Say.DONE, orders, deadline_ns, time.process_time_ns()))

    def _contents(self) -> None:
        assert self._instance is not None
        send(self._link, (Say.STATE, self._instance.contents(), self._instance.outputs))


class Server:
    """Forks children, and tells how they ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()

    def serve(self) -> None:
        """Until the simulator ends."""
        for prepare in (interface, _c_library, callbacks):
            prepare()  # once, for all children
        while True:
            message, links, _, _ = socket.recv_fds(self._control, PROCESS.size, 1)
            if not message:
                break
            wanted, pid = PROCESS.unpack(message)
            if wanted == b"F":
                self._control.send(PROCESS.pack(b"F", self._fork(links[0])))
            elif wanted == b"W":
                self._control.send(PROCESS.pack(b"W", self._end(pid)))
            else:
                self._end(pid)
        for pid in sorted(self._children):
            self._end(pid)

    def _fork(self, link: int) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                self._control.close()
                _settle()
                with socket.socket(fileno=link) as own:
                    Child(own).serve()
            finally:
                os._exit(0)
        os.close(link)
        self._children.add(pid)
        return pid

    def _end(self, pid: int) -> int:
        """End a child, if it still runs; returns its wait status."""
        if pid not in self._children:
            return 0
        self._children.discard(pid)
        os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1]


@cache
def _c_library() -> Any:
    ffi: Any = import_module("cffi").FFI()
    ffi.cdef(
        "int prctl(int option, unsigned long value);"
        "extern void *stdout; int setvbuf(void *stream, char *buffer, int mode, size_t size);"
    )
    return ffi.dlopen(None)


def _settle() -> None:
    """End with the server, leave no core file, print what a module prints, by lines."""
    resource = import_module("resource")  # not on every system
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = _c_library()
    library.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    os.dup2(2, 1)  # the simulator's own output may be for a program
    library.setvbuf(library.stdout, import_module("cffi").FFI.NULL, _IOLBF, 0)


def main(control: int) -> None:
    """Serve on an inherited socket."""
    with socket.socket(fileno=control) as link:
        Server(link).serve()
