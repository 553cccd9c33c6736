"""The functions of `simcore_node_host`: what a module in C calls while it is called itself.

Each takes C's arguments apart and hands on what is wanted as an `Order`. What cannot be a name, a
text or a frame raises `UsageError`, and nothing that raises here reaches C: see `_from_c`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from simcore.attach.c_abi import (
    FRAME,
    KEY_MAX,
    MEMORY_MAX,
    NONE,
    OK,
    REFUSED,
    TEXT_MAX,
    Order,
    interface,
)
from simcore.errors import UsageError

if TYPE_CHECKING:
    from simcore.attach.c_instance import Instance

_IDS_MAX = 4096


def _string(what: str, text: Any, limit: int) -> str:
    """A text of the module's, which must end within `limit` bytes."""
    ffi = interface()
    if text == ffi.NULL:
        raise UsageError(what, expected="a text", got="NULL")
    said: bytes = ffi.string(text, limit + 1)
    if len(said) > limit:
        raise UsageError(what, expected=f"at most {limit} bytes", got="more")
    return said.decode("utf-8", "backslashreplace")


def _bytes(what: str, data: Any, length: int, limit: int) -> bytes:
    ffi = interface()
    if length > limit:
        raise UsageError(what, expected=f"at most {limit} bytes", got=length)
    if length and data == ffi.NULL:
        raise UsageError(what, expected=f"{length} bytes", got="NULL")
    return bytes(ffi.buffer(ffi.cast("const char *", data), length)) if length else b""


def _send(me: Instance, frame: Any, channel: int) -> int:
    ffi = interface()
    if frame == ffi.NULL:
        raise UsageError("send", expected="a frame", got="NULL")
    me.take(Order.SEND, bytes(ffi.buffer(frame, FRAME.size)), channel)
    return OK if me.error is None else REFUSED


def _find_channel(me: Instance, name: Any) -> int:
    wanted = _string("find_channel, name", name, KEY_MAX)
    channels = me.surroundings.channels
    return channels.index(wanted) if wanted in channels else NONE


def _find_input(me: Instance, name: Any) -> int:
    wanted = _string("find_input, name", name, KEY_MAX)
    inputs = me.surroundings.inputs
    return inputs.index(wanted) if wanted in inputs else NONE


def _find_output(me: Instance, name: Any) -> int:
    return me.find_output(_string("find_output, name", name, KEY_MAX))


def _read(me: Instance, index: int) -> float:
    return me.read(me.pin("read", index, me.surroundings.inputs))


def _write(me: Instance, index: int, value_ratio: float) -> None:
    me.take(Order.WRITE, me.pin("write", index, me.outputs), value_ratio)


def _read_named(me: Instance, name: Any) -> float:
    return me.read_named(_string("read_named, name", name, KEY_MAX))


def _write_named(me: Instance, name: Any, value_ratio: float) -> None:
    me.take(Order.WRITE, _string("write_named, name", name, KEY_MAX), value_ratio)


def _key(what: str, key: Any) -> str:
    name = _string(f"{what}, key", key, KEY_MAX)
    if not name:
        raise UsageError(f"{what}, key", expected=f"1..{KEY_MAX} bytes", got="0")
    return name


def _memory_read(me: Instance, key: Any, buffer: Any, capacity: int) -> int:
    ffi = interface()
    if capacity and buffer == ffi.NULL:
        raise UsageError("memory_read, buffer", expected=f"{capacity} bytes", got="NULL")
    stored = me.take(Order.MEMORY_READ, _key("memory_read", key))
    if not isinstance(stored, bytes):
        return NONE if stored is None else REFUSED
    ffi.memmove(buffer, stored, min(len(stored), capacity))
    return len(stored)


def _memory_write(me: Instance, key: Any, data: Any, length: int) -> None:
    name = _key("memory_write", key)
    me.take(Order.MEMORY_WRITE, name, _bytes(f"memory_write {name!r}", data, length, MEMORY_MAX))


def _memory_erase(me: Instance, key: Any) -> None:
    me.take(Order.MEMORY_ERASE, _key("memory_erase", key))


def _log(me: Instance, kind: Any, text: Any) -> None:
    me.take(Order.LOG, _string("log, kind", kind, KEY_MAX), _string("log, text", text, TEXT_MAX))


def _number(me: Instance, order: Order) -> int:
    answer = me.take(order)
    return answer if isinstance(answer, int) else NONE


def _identifiers(what: str, identifiers: Any, count: int) -> tuple[int, ...]:
    packed = _bytes(what, identifiers, 4 * count, 4 * _IDS_MAX)
    return tuple(memoryview(packed).cast("I"))


def _accept(me: Instance, identifiers: Any, count: int) -> None:
    if identifiers == interface().NULL:
        me.take(Order.ACCEPT, None)
    else:
        me.take(Order.ACCEPT, _identifiers("accept", identifiers, count))


def _confirm(me: Instance, identifiers: Any, count: int) -> None:
    me.take(Order.CONFIRM, _identifiers("confirm", identifiers, count))


def _enabled(me: Instance) -> int:
    return _number(me, Order.WATCHDOG_ENABLED)


def _period(me: Instance) -> int:
    return _number(me, Order.WATCHDOG_PERIOD)


def _serve(me: Instance, allowed: int) -> None:
    me.take(Order.WATCHDOG_SERVE, bool(allowed))


def _error_count(me: Instance) -> int:
    return _number(me, Order.WATCHDOG_ERROR_COUNT)


def _trigger(me: Instance) -> None:
    me.take(Order.WATCHDOG_TRIGGER)


def _question(me: Instance) -> int:
    return _number(me, Order.WATCHDOG_QUESTION)


def _answer(me: Instance, value: int) -> None:
    me.take(Order.WATCHDOG_ANSWER, value)


def _release(me: Instance, code: int) -> None:
    me.take(Order.WATCHDOG_RELEASE, code)


def _demand_safe_state(me: Instance) -> None:
    me.take(Order.WATCHDOG_DEMAND_SAFE_STATE)


def _reset(me: Instance, kind: int) -> None:
    me.take(Order.RESET, kind)


_TAKEN: dict[str, tuple[Callable[..., Any], Any]] = {
    "send": (_send, REFUSED),
    "find_channel": (_find_channel, NONE),
    "find_input": (_find_input, NONE),
    "find_output": (_find_output, NONE),
    "read": (_read, 0.0),
    "write": (_write, None),
    "read_named": (_read_named, 0.0),
    "write_named": (_write_named, None),
    "memory_read": (_memory_read, REFUSED),
    "memory_write": (_memory_write, None),
    "memory_erase": (_memory_erase, None),
    "log": (_log, None),
    "watchdog_enabled": (_enabled, REFUSED),
    "watchdog_period": (_period, REFUSED),
    "watchdog_serve": (_serve, None),
    "watchdog_error_count": (_error_count, REFUSED),
    "watchdog_trigger": (_trigger, None),
    "watchdog_question": (_question, REFUSED),
    "watchdog_answer": (_answer, None),
    "watchdog_release": (_release, None),
    "watchdog_demand_safe_state": (_demand_safe_state, None),
    "accept": (_accept, None),
    "confirm": (_confirm, None),
    "reset": (_reset, None),
}
"""Every function of `simcore_node_host`: who takes the call, what C gets if that fails."""


def _from_c(function: Callable[..., Any], failed: Any) -> Callable[..., Any]:
    from_handle = interface().from_handle

    def called(host: Any, *arguments: Any) -> Any:
        me = from_handle(host.context)
        try:
            return function(me, *arguments)
        except BaseException as error:  # no exception passes through C code
            me.failed(error)
            return failed

    return called


@cache
def callbacks() -> dict[str, Any]:
    """What C calls; one set for all instances, kept as long as the process lives."""
    ffi = interface()
    fields = dict(ffi.typeof("simcore_node_host").fields)
    return {
        name: ffi.callback(fields[name].type, _from_c(function, failed))
        for name, (function, failed) in _TAKEN.items()
    }
