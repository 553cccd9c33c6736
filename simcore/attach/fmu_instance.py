"""`FmuInstance`: one running FMU, FMI 2.0 and 3.0 alike, called through fmpy.

What the FMU logs does not go to the console: the last of it is in the text of the error when a
call fails. After a fatal error nothing of it is called any more, not even to free it.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ctypes import pythonapi
from typing import Any

from simcore.attach.fmu_model import FmuModel, FmuVariable, require_fmpy
from simcore.errors import SimcoreError
from simcore.units import NS_PER_S, format_ns

Value = bool | int | float | str

_KEPT = 3
"""Log messages in the text of an error."""
_FATAL = 4
_TERMINATED = 3
"""`fmi2Terminated`."""
_clear_exception = pythonapi.PyErr_Clear
"""An FMU that is Python inside logs while its exception is on the way; no callback bears that."""
_clear_exception.restype = None
_said: deque[str] = deque(maxlen=_KEPT)
"""What FMUs logged during the present call: there is one at a time."""
_alive: dict[str, int] = {}
"""Instances by digest, for FMUs that a process can have once only."""


class FmuError(SimcoreError):
    """An FMU refused a call, or ended the simulation."""


class FmuInstance:
    """An instance that is initialised and can step. Not copyable: see `state`.

    `parameters` and `inputs` are set before it is initialised; `inputs` are set anew for every step
    in this order, `outputs` are in `values` after it. Raises `FmuError`.
    """

    def __init__(
        self,
        model: FmuModel,
        name: str,
        *,
        parameters: Mapping[str, Value],
        inputs: Mapping[str, Value],
        outputs: Sequence[str],
    ) -> None:
        self._model = model
        if model.is_single and _alive.get(model.digest):
            raise FmuError(f"{model.shown}: can be instantiated only once in a process")
        slave = self._called("load", _slave, model, name)
        self._called("instantiate", _instantiate, slave, model)
        self._life = _Life(slave, model.digest)
        weakref.finalize(self, self._life.end)
        self._slave = slave
        for values in (parameters, inputs):
            for variable, value in values.items():
                found = model.variables[variable]
                ((setter, references, _),) = _accesses(slave, "set", [found])
                self._called(f"set {variable}", setter, references, [value])
        if model.version == 2:
            self._called("setupExperiment", slave.setupExperiment)
        self._called("enterInitializationMode", slave.enterInitializationMode)
        self._called("exitInitializationMode", slave.exitInitializationMode)
        self._setters = _accesses(slave, "set", [model.variables[each] for each in inputs])
        self._getters = _accesses(slave, "get", [model.variables[each] for each in outputs])
        self.values: list[Value] = [0] * len(outputs)
        """The outputs now."""
        self._read()

    def _read(self) -> None:
        values = self.values
        for getter, references, places in self._getters:
            found = self._called("get", getter, references)
            for place, value in zip(places, found, strict=True):
                values[place] = value

    def step(self, inputs: Sequence[Value], time_ns: int, step_ns: int) -> None:
        """Let it go on from `time_ns` for `step_ns`. Raises `FmuError` where it does not."""
        for setter, references, places in self._setters:
            self._called("set", setter, references, [inputs[place] for place in places])
        time_s, step_s = time_ns / NS_PER_S, step_ns / NS_PER_S
        done = self._called("doStep", self._slave.doStep, time_s, step_s)
        if done is not None:  # FMI 3
            _, terminated, early, last_s = done
            if terminated:
                raise FmuError(f"{self._model.shown}: it ended the simulation{_log()}")
            if early:
                raise FmuError(
                    f"{self._model.shown}: doStep came back early, at {last_s:g} s of "
                    f"{format_ns(time_ns + step_ns)}{_log()}"
                )
        self.values = [0] * len(self.values)
        self._read()

    def state(self) -> bytes:
        """Its state, for another instance of the same FMU."""
        slave = self._slave
        handle = self._called("getFMUState", slave.getFMUState)
        try:
            data: bytes = self._called("serializeFMUState", slave.serializeFMUState, handle)
        finally:
            self._called("freeFMUState", slave.freeFMUState, handle)
        return data

    def restore(self, state: bytes) -> None:
        """Go on from a state."""
        slave = self._slave
        handle = self._called("deserializeFMUState", slave.deserializeFMUState, state)
        try:
            self._called("setFMUState", slave.setFMUState, handle)
        finally:
            self._called("freeFMUState", slave.freeFMUState, handle)
        self._read()

    def close(self) -> None:
        """Terminate and free it."""
        self._life.end()

    def _called(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        _said.clear()
        try:
            return function(*arguments)
        except Exception as error:  # fmpy raises its own, ctypes its own, loaders whatever
            status = getattr(error, "status", None)
            life = getattr(self, "_life", None)
            if status == _FATAL and life is not None:
                life.is_lost = True
            text = str(error) or type(error).__name__
            if what == "doStep" and status == 2 and self._has_terminated():
                text = "it ended the simulation"
            raise FmuError(f"{self._model.shown}: {what}: {text.rstrip('.')}{_log()}") from None

    def _has_terminated(self) -> bool:
        """Whether a discarded step of FMI 2.0 means the end."""
        try:
            return self._model.version == 2 and bool(self._slave.getBooleanStatus(_TERMINATED))
        except Exception:
            return False


class _Life:
    """Ends an instance once, from wherever that is asked for."""

    def __init__(self, slave: Any, digest: str) -> None:
        self._slave: Any = slave
        self._digest = digest
        self._process = os.getpid()
        self.is_lost = False
        """After a fatal error: it must not be called any more."""
        _alive[digest] = _alive.get(digest, 0) + 1

    def end(self) -> None:
        slave, self._slave = self._slave, None
        if slave is None or os.getpid() != self._process:
            return
        _alive[self._digest] -= 1
        if self.is_lost:
            return
        with suppress(Exception):  # one that has failed refuses to be terminated
            slave.terminate()
        slave.freeInstance()


def _slave(model: FmuModel, name: str) -> Any:
    require_fmpy()
    from fmpy.fmi2 import FMU2Slave
    from fmpy.fmi3 import FMU3Slave

    kind = FMU2Slave if model.version == 2 else FMU3Slave
    folder = os.getcwd()
    try:
        return kind(
            guid=model.token,
            unzipDirectory=str(model.folder()),
            modelIdentifier=model.identifier,
            instanceName=name,
        )
    finally:
        os.chdir(folder)  # fmpy leaves it elsewhere when a library cannot be loaded


def _instantiate(slave: Any, model: FmuModel) -> None:
    if model.version == 3:
        slave.instantiate(logMessage=_log_3)
    else:
        slave.instantiate(callbacks=_callbacks_2(), loggingOn=True)


def _callbacks_2() -> Any:
    """Callbacks of FMI 2.0 with our logger behind fmpy's, which fills in the arguments."""
    global _CALLBACKS
    if _CALLBACKS is None:
        from ctypes import byref

        import fmpy
        from fmpy import fmi2
        from fmpy.logging import addLoggerProxy

        made = fmi2.fmi2CallbackFunctions()
        made.logger = fmi2.fmi2CallbackLoggerTYPE(_log_2)
        made.allocateMemory = fmi2.fmi2CallbackAllocateMemoryTYPE(fmpy.calloc)
        made.freeMemory = fmi2.fmi2CallbackFreeMemoryTYPE(fmpy.free)
        addLoggerProxy(byref(made))
        _CALLBACKS = made
    return _CALLBACKS


_CALLBACKS: Any = None


def _log_2(environment: Any, name: bytes, status: int, category: bytes, message: bytes) -> None:
    _clear_exception()
    _log_3(environment, status, category, message)


def _log_3(environment: Any, status: int, category: bytes, message: bytes) -> None:
    _clear_exception()
    if message:
        _said.append(message.decode("utf-8", "replace").strip())


def _log() -> str:
    """What it logged meanwhile."""
    lines = [" ".join(each.split()) for each in _said if each]
    return f"; it logged: {' / '.join(lines)}" if lines else ""


def _accesses(
    slave: Any, verb: str, variables: Sequence[FmuVariable]
) -> list[tuple[Callable[..., Any], list[int], list[int]]]:
    """Functions with value references and places, one for all variables of a type."""
    groups: dict[str, list[tuple[int, FmuVariable]]] = {}
    for place, each in enumerate(variables):
        groups.setdefault(each.kind, []).append((place, each))
    return [
        (
            getattr(slave, f"{verb}{_access(slave, found[0][1])}"),
            [each.reference for _, each in found],
            [place for place, _ in found],
        )
        for found in groups.values()
    ]


def _access(slave: Any, variable: FmuVariable) -> str:
    """The type whose functions reach a variable: an enumeration goes as a whole number."""
    if variable.kind == "Enumeration":
        return "Integer" if hasattr(slave, "getInteger") else "Int64"
    return variable.kind
