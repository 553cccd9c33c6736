"""`IsolatedFmu`: an FMU in a child process, which may crash there or never return.

Every instance has a process of its own, started afresh: half a second each. It ends with the object
that stands for it. The child does nothing but what it is asked, and what it prints goes nowhere.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from simcore.attach.fmu_instance import FmuError, FmuInstance, Value
from simcore.attach.fmu_model import FmuModel, given_folders, the_same
from simcore.attach.isolation_wire import receive, send
from simcore.errors import SimcoreError, UsageError

CALL_LIMIT_S = 2.0
_START_LIMIT_S = 60.0
_BOOT = """\
import sys, types
sys.path[:] = {path!r}
for name, folder in {packages!r}:
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [folder]
from simcore.attach.fmu_child import main
main({link})
"""
"""Imports what the child needs and not the whole of simcore."""


class IsolatedFmu:
    """As `FmuInstance`; what the process of the FMU makes of a call is an `FmuError`."""

    def __init__(
        self,
        model: FmuModel,
        name: str,
        *,
        parameters: Mapping[str, Value],
        inputs: Mapping[str, Value],
        outputs: Sequence[str],
        limit_s: float = CALL_LIMIT_S,
    ) -> None:
        self._shown = model.shown
        self._limit_s = limit_s
        self._process, self._link = _started()
        self._end = weakref.finalize(self, _end, self._process, self._link)
        self.values: list[Value] = self._ask(
            "make",
            (str(model.path), model.shown, model.digest, str(model.folder())),
            name,
            dict(parameters),
            dict(inputs),
            list(outputs),
            limit_s=_START_LIMIT_S,
        )
        """The outputs now."""

    def step(self, inputs: Sequence[Value], time_ns: int, step_ns: int) -> None:
        """See `FmuInstance.step`."""
        self.values = self._ask("step", list(inputs), time_ns, step_ns)

    def state(self) -> bytes:
        """See `FmuInstance.state`."""
        state: bytes = self._ask("state")
        return state

    def restore(self, state: bytes) -> None:
        """See `FmuInstance.restore`."""
        self.values = self._ask("restore", state)

    def close(self) -> None:
        """End the process."""
        self._end()

    def _ask(self, *request: Any, limit_s: float | None = None) -> Any:
        limit_s = self._limit_s if limit_s is None else limit_s
        try:
            self._link.settimeout(limit_s)
            send(self._link, request)
            answer = receive(self._link)
            is_right, content = answer
        except TimeoutError:
            self.close()
            raise FmuError(
                f"{self._shown}: {request[0]}: no answer within {limit_s:g} s, process ended"
            ) from None
        except (EOFError, OSError, ValueError) as error:
            text = _how_it_ended(self._process) or f"nonsense came back ({error})"
            self.close()
            raise FmuError(f"{self._shown}: {request[0]}: {text}") from None
        if is_right:
            return content
        raise FmuError(str(content))


def _started() -> tuple[subprocess.Popen[bytes], socket.socket]:
    if not hasattr(socket, "SOCK_SEQPACKET") or not hasattr(socket, "AF_UNIX"):
        raise UsageError("isolated", expected="a POSIX system", got=sys.platform)
    link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    root = Path(__file__).resolve().parent.parent
    boot = _BOOT.format(
        path=[entry for entry in sys.path if entry],
        packages=[("simcore", str(root)), ("simcore.attach", str(root / "attach"))],
        link=other.fileno(),
    )
    with other:
        process = subprocess.Popen(
            [sys.executable, "-c", boot],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[other.fileno()],
            start_new_session=True,  # a Ctrl-C is for the simulator
        )
    return process, link


def _end(process: subprocess.Popen[bytes], link: socket.socket) -> None:
    link.close()
    try:
        process.wait(0.2)  # it frees the FMU
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(1.0)
    except subprocess.TimeoutExpired:
        return ""
    if code >= 0:
        return f"its process ended with exit code {code}"
    with suppress(ValueError):
        return f"its process died of {signal.Signals(-code).name}"
    return f"its process died of signal {-code}"


# -- in the child ---------------------------------------------------------------------------------


def main(descriptor: int) -> None:
    """Do what comes from the simulator until it is gone."""
    link = socket.socket(fileno=descriptor)
    instance: FmuInstance | None = None
    while True:
        try:
            verb, *arguments = receive(link)
        except (EOFError, OSError):
            break
        answer: tuple[bool, Any]
        try:
            if verb == "make":
                instance = _made(*arguments)
                answer = True, instance.values
            else:
                assert instance is not None
                answer = True, _done(instance, verb, arguments)
        except SimcoreError as error:
            answer = False, str(error)
        send(link, answer)
    if instance is not None:
        instance.close()


def _made(
    model: Sequence[str],
    name: str,
    parameters: Mapping[str, Value],
    inputs: Mapping[str, Value],
    outputs: Sequence[str],
) -> FmuInstance:
    path, shown, digest, folder = model
    given_folders[digest] = Path(folder)
    return FmuInstance(
        the_same(path, shown, digest), name, parameters=parameters, inputs=inputs, outputs=outputs
    )


def _done(instance: FmuInstance, verb: str, arguments: Sequence[Any]) -> Any:
    if verb == "step":
        instance.step(*arguments)
        return instance.values
    if verb == "state":
        return instance.state()
    instance.restore(*arguments)
    return instance.values
