"""`PortWorld`: carries out on a node's `Port` what a module in C asks for.

A module asks in the words of simcore_node.h; here they become frames, pins and calls of the
watchdog, and what cannot be becomes a `UsageError`, as for a module in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from simcore.attach.c_abi import (
    DATA_MAX,
    DEFAULT_CHANNEL,
    FRAME,
    NONE,
    Answer,
    FrameFlag,
    Order,
    Surroundings,
)
from simcore.bus import Frame
from simcore.bus.frame import FrameHeader
from simcore.diag.codes import ResetKind
from simcore.ecu import Port
from simcore.errors import UsageError
from simcore.watchdog.device import WatchdogLine

LOG_KINDS = ("state", "detection", "reaction", "fault", "note", "dtc")
SENDS_MAX = 1000
"""More frames than this in one call are a loop that does not end."""
ORDERS_MAX = 10_000
"""The same for everything a module asks for in one call."""
_ALL_FLAGS = sum(FrameFlag)


def surroundings_of(port: Port) -> Surroundings:
    """What a module finds at a port."""
    outputs: Mapping[str, float] | None = getattr(port, "outputs", None)
    return Surroundings(
        node=port.name,
        channels=tuple(port.channels),
        inputs=tuple(port.inputs),
        outputs=() if outputs is None else tuple(outputs),
        outputs_are_known=outputs is not None,
    )


@lru_cache(maxsize=4096)
def _prefix(header: FrameHeader) -> bytes:
    flags = (
        header.is_extended_id * FrameFlag.EXTENDED_ID
        | header.is_fd * FrameFlag.FD
        | header.bitrate_switch * FrameFlag.BITRATE_SWITCH
        | header.error_state_indicator * FrameFlag.ERROR_STATE_INDICATOR
        | header.is_remote_frame * FrameFlag.REMOTE
    )
    packed = FRAME.pack(header.arbitration_id, flags, header.dlc, header.length, 0, b"")
    return packed[:-DATA_MAX]


def packed_frame(frame: Frame) -> bytes:
    """A frame as `simcore_node_frame`."""
    return _prefix(frame.header) + frame.data.ljust(DATA_MAX, b"\0")


@lru_cache(maxsize=4096)
def _header(prefix: bytes, channel_name: str) -> FrameHeader:
    """The header that a module gave. Raises `UsageError` for one that cannot be on a wire."""
    identifier, flags, dlc, length, _, _ = FRAME.unpack(prefix + bytes(DATA_MAX))
    where = f"send of frame 0x{identifier:03X}{channel_name}"
    if flags & ~_ALL_FLAGS:
        raise UsageError(f"{where}: flags", expected=f"within {_ALL_FLAGS:#x}", got=f"{flags:#x}")
    if length > DATA_MAX:
        raise UsageError(f"{where}: length", expected=f"0..{DATA_MAX} bytes", got=length)
    is_remote = bool(flags & FrameFlag.REMOTE)
    return Frame(
        identifier,
        bytes(length),
        is_extended_id=bool(flags & FrameFlag.EXTENDED_ID),
        is_fd=bool(flags & FrameFlag.FD),
        bitrate_switch=bool(flags & FrameFlag.BITRATE_SWITCH),
        error_state_indicator=bool(flags & FrameFlag.ERROR_STATE_INDICATOR),
        is_remote_frame=is_remote,
        dlc=dlc if dlc or is_remote else None,
    ).header


class PortWorld:
    """One node's port, for the duration of a start."""

    __slots__ = ("_channels", "_now_ns", "_order_count", "_port", "_send_count", "node")

    def __init__(self, port: Port) -> None:
        self._port = port
        self.node = port.name
        self._channels = tuple(port.channels)
        self._now_ns = 0
        self._send_count = 0
        self._order_count = 0

    def begin(self, now_ns: int) -> None:
        """A call of the module begins."""
        self._now_ns = now_ns
        self._send_count = self._order_count = 0

    def read(self, pin: str) -> float:
        """Value of an input pin."""
        return self._port.inputs[pin]

    def take(self, order: int, *arguments: Any) -> Answer:
        """Carry an order out."""
        self._order_count += 1
        if self._order_count > ORDERS_MAX:
            raise UsageError(f"{self.node}: at most {ORDERS_MAX} calls of the host in one call")
        return _CARRIED_OUT[order](self, *arguments)

    def _send(self, packed: bytes, channel: int) -> None:
        self._send_count += 1
        if self._send_count > SENDS_MAX:
            raise UsageError(f"{self.node}: send", expected=f"at most {SENDS_MAX} frames in a call")
        if channel == DEFAULT_CHANNEL:
            name = None
        elif 0 <= channel < len(self._channels):
            name = self._channels[channel]
        else:
            raise UsageError(
                f"{self.node}: send on channel {channel}",
                expected=f"0..{len(self._channels) - 1}, or {DEFAULT_CHANNEL} for the default",
            )
        header = _header(packed[:-DATA_MAX], f" on {name}" if name else "")
        data = packed[8 : 8 + header.length]
        self._port.send(Frame.of(header, data), name)

    def _write(self, pin: str, value_ratio: float) -> None:
        self._port.write(pin, value_ratio)

    def _log(self, kind: str, text: str) -> None:
        if kind not in LOG_KINDS:
            raise UsageError(
                f"{self.node}: log", expected=f"one of {', '.join(LOG_KINDS)}", got=repr(kind)
            )
        self._port.log(kind, text)

    def _memory_read(self, key: str) -> bytes | None:
        stored = self._port.memory.get(key)
        return None if stored is None else bytes(stored)

    def _memory_write(self, key: str, data: bytes) -> None:
        self._port.memory[key] = data

    def _memory_erase(self, key: str) -> None:
        self._port.memory.pop(key, None)

    @property
    def _line(self) -> WatchdogLine | None:
        return getattr(self._port, "watchdog", None)

    def _watchdog_enabled(self) -> int:
        line = self._line
        return NONE if line is None else int(line.enabled)

    def _watchdog_period(self) -> int:
        line = self._line
        return NONE if line is None else line.service.period_ns

    def _watchdog_error_count(self) -> int:
        line = self._line
        return NONE if line is None else line.error_count

    def _watchdog_question(self) -> int:
        line = self._line
        return NONE if line is None else line.question(self._now_ns)

    def _watchdog_serve(self, allowed: bool) -> None:
        line = self._line
        if line is not None:
            line.service.step(line, self._now_ns, allowed=allowed)

    def _watchdog_trigger(self) -> None:
        line = self._line
        if line is not None:
            line.trigger(self._now_ns)

    def _watchdog_answer(self, value: int) -> None:
        line = self._line
        if line is not None:
            line.answer(value, self._now_ns)

    def _watchdog_release(self, code: int) -> None:
        line = self._line
        if line is not None:
            line.release(code, self._now_ns)

    def _watchdog_demand_safe_state(self) -> None:
        line = self._line
        if line is not None:
            line.demand_safe_state(self._now_ns)

    def _accept(self, identifiers: Sequence[int] | None) -> None:
        self._port.accept(None if identifiers is None else tuple(identifiers))

    def _confirm(self, identifiers: Sequence[int]) -> None:
        self._port.confirm(tuple(identifiers))

    def _reset(self, kind: int) -> None:
        if kind not in list(ResetKind):
            kinds = ", ".join(f"{each.value} ({each.name})" for each in ResetKind)
            raise UsageError(f"{self.node}: reset", expected=f"one of {kinds}", got=kind)
        self._port.reset(ResetKind(kind))


_CARRIED_OUT: dict[int, Callable[..., Answer]] = {
    Order.SEND: PortWorld._send,
    Order.WRITE: PortWorld._write,
    Order.LOG: PortWorld._log,
    Order.MEMORY_READ: PortWorld._memory_read,
    Order.MEMORY_WRITE: PortWorld._memory_write,
    Order.MEMORY_ERASE: PortWorld._memory_erase,
    Order.WATCHDOG_ENABLED: PortWorld._watchdog_enabled,
    Order.WATCHDOG_PERIOD: PortWorld._watchdog_period,
    Order.WATCHDOG_ERROR_COUNT: PortWorld._watchdog_error_count,
    Order.WATCHDOG_QUESTION: PortWorld._watchdog_question,
    Order.WATCHDOG_SERVE: PortWorld._watchdog_serve,
    Order.WATCHDOG_TRIGGER: PortWorld._watchdog_trigger,
    Order.WATCHDOG_ANSWER: PortWorld._watchdog_answer,
    Order.WATCHDOG_RELEASE: PortWorld._watchdog_release,
    Order.WATCHDOG_DEMAND_SAFE_STATE: PortWorld._watchdog_demand_safe_state,
    Order.ACCEPT: PortWorld._accept,
    Order.CONFIRM: PortWorld._confirm,
    Order.RESET: PortWorld._reset,
}
"""Total over `Order`; a test holds it to that."""
