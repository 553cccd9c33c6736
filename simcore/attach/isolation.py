"""A module in C in a process of its own: what it breaks there is a finding, and the run goes on.

Lockstep: the simulator sends a call and waits, with everything that the module asks for meanwhile.
A process that dies (a signal, `exit`), does not answer within the limit, or sends nonsense is
ended, and the call raises. The input pins travel with the call; orders that need no answer are
collected. The other side is in `isolation_child`, the messages in `isolation_wire`.

Processes are ended with the object that stands for them, at the latest with the simulator.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import weakref
from array import array
from contextlib import suppress
from pathlib import Path
from typing import Any

from simcore.attach.c_abi import Call, Surroundings, World
from simcore.attach.c_library import Facts, LibraryFile
from simcore.attach.isolation_child import ERRORS, PROCESS
from simcore.attach.isolation_wire import Say, receive, send
from simcore.errors import SimcoreError, UsageError
from simcore.units import NS_PER_S

_BOOT = """\
import sys, types
sys.path[:] = {path!r}
for name, folder in {packages!r}:
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [folder]
from simcore.attach.isolation_child import main
main({control})
"""
"""Imports what a child needs of simcore and nothing else, which takes a tenth of the time."""
_END_LIMIT_S = 5.0
_STARVED_FACTOR = 10
"""A process that got no processor time on a busy machine may take so much longer."""
_LAST_LOOK_S = 0.001
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class ModuleCrashError(UsageError):
    """The process of an isolated module has ended in the midst of a call."""


class ModuleHangError(UsageError):
    """An isolated module neither returned from a call nor asked for anything within the limit."""


class _Server:
    """The process that forks the others; one for this process."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise UsageError("isolated=True", expected="Linux", got=sys.platform)
        self.owner = os.getpid()
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = Path(__file__).resolve().parent.parent
        boot = _BOOT.format(
            path=[entry for entry in sys.path if entry],
            packages=[("simcore", str(root)), ("simcore.attach", str(root / "attach"))],
            control=other.fileno(),
        )
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", boot],
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                env=_checked_heap(dict(os.environ)),
                start_new_session=True,  # a Ctrl-C is for the simulator
            )
        atexit.register(self.close)

    @property
    def has_ended(self) -> bool:
        """Whether somebody has killed it."""
        return self._process.poll() is not None

    def fork(self) -> tuple[socket.socket, int]:
        """A new child: the socket to it, and its pid."""
        link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            socket.send_fds(self._control, [PROCESS.pack(b"F", 0)], [other.fileno()])
        return link, self._answer()

    def end(self, pid: int) -> int:
        """End a child if it still runs; returns its wait status."""
        with suppress(OSError):  # then there is no answer either
            self._control.send(PROCESS.pack(b"W", pid))
        return self._answer()

    def dismiss(self, pid: int) -> None:
        """End a child, whatever it does."""
        with suppress(OSError):  # the server may have ended, and its children with it
            self._control.send(PROCESS.pack(b"D", pid))

    def _answer(self) -> int:
        try:
            answer = self._control.recv(PROCESS.size)
        except OSError:
            answer = b""
        if not answer:
            raise ModuleCrashError("the process that starts isolated modules has ended")
        number: int = PROCESS.unpack(answer)[1]
        return number

    def close(self) -> None:
        """End it, and all children."""
        if os.getpid() == self.owner:
            self._control.close()
            try:
                self._process.wait(_END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


_servers: list[_Server] = []
"""The last one is in use; before it what this process has inherited in a fork."""


def _server() -> _Server:
    if not _servers or _servers[-1].owner != os.getpid() or _servers[-1].has_ended:
        _servers.append(_Server())
    return _servers[-1]


def _checked_heap(environment: dict[str, str]) -> dict[str, str]:
    """Let the C library check its heap, and fill memory that is taken and given back."""
    environment["MALLOC_PERTURB_"] = "165"
    environment["MALLOC_CHECK_"] = "3"
    architecture = sysconfig.get_config_var("MULTIARCH") or ""
    for folder in (f"/lib/{architecture}", f"/usr/lib/{architecture}", "/lib64", "/usr/lib64"):
        library = Path(folder, "libc_malloc_debug.so.0")  # where the check lives since glibc 2.34
        if library.exists():
            environment["LD_PRELOAD"] = f"{library} {environment.get('LD_PRELOAD', '')}".strip()
            break
    return environment


def _dismiss(server: _Server, link: socket.socket, pid: int) -> None:
    """Not in a process that has merely inherited it."""
    link.close()
    if os.getpid() == server.owner:
        server.dismiss(pid)


class _Child:
    """One process, and how it ends."""

    def __init__(self, file: LibraryFile, limit_s: float) -> None:
        self._server = _server()
        self._limit_s = limit_s
        self._processor_ns = 0
        self.name = Path(file.path).name
        self.link, self.pid = self._server.fork()
        self.link.settimeout(limit_s)
        self._finalizer = weakref.finalize(self, _dismiss, self._server, self.link, self.pid)
        self._finalizer.atexit = False

    def close(self) -> None:
        """End it."""
        self._finalizer()

    def _ended(self) -> int:
        """End it now; returns its wait status."""
        self._finalizer.detach()  # somebody else may get its pid
        self.link.close()
        return self._server.end(self.pid)

    def converse(self, doing: str, message: tuple[Any, ...], world: World | None) -> list[Any]:
        """Say something and hear what comes back, serving orders meanwhile.

        Raises what the world raised at an order, and what was wrong according to the other side.
        """
        if os.getpid() != self._server.owner:
            raise UsageError(
                f"{self.name}: {doing}",
                expected=f"a call from process {self._server.owner}, which started it; "
                "a pickle of the module works in any process",
                got=f"one from process {os.getpid()}",
            )
        failed: BaseException | None = None
        self._say(doing, message)
        while True:
            kind, *rest = self._hear(doing)
            if kind in (Say.ASK, Say.DONE, Say.WRONG) and world is not None and failed is None:
                try:
                    answer = _carry_out(rest[0], world)
                except BaseException as error:  # the module is to know that it ends here
                    failed = error
            if kind == Say.ASK:
                told = (Say.ANSWER, answer) if failed is None else (Say.REFUSED,)
                self._say(doing, told)
                continue
            if failed is not None:
                raise failed
            if kind == Say.WRONG:
                raise _error_of(rest[1])
            if kind == Say.DONE:
                self._processor_ns = rest[2]
            return rest

    def _say(self, doing: str, message: tuple[Any, ...]) -> None:
        try:
            send(self.link, message)
        except TimeoutError:
            raise self._hung(doing) from None
        except OSError:
            raise self._crashed(doing) from None

    def _hear(self, doing: str) -> list[Any]:
        timeouts = 0
        is_last = False
        while True:
            try:
                heard = receive(self.link)
                Say(heard[0])
                if timeouts:
                    self.link.settimeout(self._limit_s)
                return heard
            except TimeoutError:
                if is_last:
                    raise self._hung(doing) from None
                timeouts += 1
                is_last = timeouts == _STARVED_FACTOR or not self._is_starved()
                # What waits has either hung, or answered in this very moment: look once more.
                self.link.settimeout(_LAST_LOOK_S if is_last else self._limit_s)
            except (EOFError, OSError):
                raise self._crashed(doing) from None
            except (ValueError, IndexError):  # what msgspec raises is a ValueError
                self._ended()
                raise ModuleCrashError(
                    f"sent nonsense from its process in {doing}: its memory is corrupted"
                ) from None

    def _is_starved(self) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text("ascii")
        except OSError:
            return False  # no Linux, or no process
        return is_starved(status, self._processor_ns, self._limit_s)

    def _hung(self, doing: str) -> ModuleHangError:
        self._ended()
        return ModuleHangError(
            f"hung in {doing}: no return within {self._limit_s:g} s on the wall's clock"
        )

    def _crashed(self, doing: str) -> ModuleCrashError:
        status = self._ended()
        if os.WIFSIGNALED(status):
            return ModuleCrashError(f"crashed with {_signal_name(os.WTERMSIG(status))} in {doing}")
        return ModuleCrashError(f"called exit({os.WEXITSTATUS(status)}) in {doing}")


def is_starved(status: str, used_before_ns: int, limit_s: float) -> bool:
    """Whether a process wants to run, but has not been let for half of the limit.

    `status` is its line in /proc/PID/stat, see proc(5): state, and processor time in ticks.
    """
    fields = status.rpartition(")")[2].split()
    used_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S - used_before_ns / NS_PER_S
    return fields[0] == "R" and used_s < 0.5 * limit_s


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _carry_out(orders: list[list[Any]], world: World) -> Any:
    """The answer to the last one."""
    answer = None
    for order in orders:
        answer = world.take(*order)
    return answer


def _error_of(told: list[Any]) -> SimcoreError:
    name, where, expected, got, file = told
    error = ERRORS[name]
    extra = {"file": file} if file is not None else {}
    return error(where, expected=expected, got=got, **extra)


def facts_of(file: LibraryFile, limit_s: float) -> Facts:
    """What a library says about itself, asked for in a process of its own."""
    known = _facts.get(file.digest)
    if known is None:
        child = _Child(file, limit_s)
        try:
            known = _facts[file.digest] = _opened(child, file)
        finally:
            child.close()
    return known


_facts: dict[str, Facts] = {}


def _opened(child: _Child, file: LibraryFile) -> Facts:
    heard = child.converse("loading", (Say.OPEN, file.path, file.digest), None)
    size, flags, name, version, optional = heard[0]
    return Facts(size, flags, name, version, tuple(optional))


class IsolatedRunner:
    """One instance of a module in a process of its own."""

    def __init__(
        self, file: LibraryFile, surroundings: Surroundings, contents: bytes, limit_s: float
    ) -> None:
        self._inputs = surroundings.inputs
        self._child = _Child(file, limit_s)
        _opened(self._child, file)
        self._child.converse("loading", (Say.MAKE, surroundings, contents), None)
        self.outputs: list[str] = []

    def call(self, call: Call, world: World) -> int | None:
        """Call the module; returns its next deadline, in ns."""
        values = array("d", [world.read(pin) for pin in self._inputs]).tobytes()
        done = self._child.converse(str(call), (Say.CALL, *call, values), world)
        deadline_ns: int | None = done[1]
        return deadline_ns

    def contents(self) -> bytes:
        """Its state."""
        state = self._child.converse("a copy of its state", (Say.CONTENTS,), None)
        self.outputs = state[1]
        contents: bytes = state[0]
        return contents

    def close(self) -> None:
        """End its process."""
        self._child.close()
