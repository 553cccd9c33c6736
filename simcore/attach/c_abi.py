"""The interface between the simulator and a module in C, as simcore_node.h declares it.

The header is the only source: what cffi is told is read from it, and so are the numbers below, by
a test. This module and the others that a child process needs (`c_library`, `c_instance`,
`isolation_child`) import nothing of simcore but errors and units.

`python -m simcore.attach.c_abi` prints the folder of the header, for `cc -I`.
"""

from __future__ import annotations

import re
import struct
from enum import IntEnum, IntFlag, unique
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from simcore.units import format_ns

ABI_VERSION = 1
DATA_MAX = 64
KEY_MAX = 64
MEMORY_MAX = 65536
TEXT_MAX = 1024
STATE_MAX = 1 << 24
NEVER_NS = (1 << 63) - 1
OK, NONE, REFUSED = 0, -1, -2
DEFAULT_CHANNEL = -1
PREFIX = "simcore_node_"

FRAME = struct.Struct("=IBBBB64s")
"""`simcore_node_frame`: arbitration_id, flags, dlc, length, reserved, data."""


@unique
class FrameFlag(IntFlag):
    """`simcore_node_frame.flags`."""

    EXTENDED_ID = 1
    FD = 2
    BITRATE_SWITCH = 4
    ERROR_STATE_INDICATOR = 8
    REMOTE = 16


@unique
class ModuleFlag(IntFlag):
    """`simcore_node_description.flags`."""

    RELOCATABLE = 1
    FIXED_SCHEDULE = 2


@unique
class Entry(IntEnum):
    """What a module is called for."""

    START = 0
    RECEIVE = 1
    TIMER = 2
    RECEIVE_ON = 3
    BUS_STATE = 4
    TRANSMITTED = 5


@unique
class Order(IntEnum):
    """What a module asks the world for while it is called; from `MEMORY_READ` on with an answer."""

    SEND = 0
    WRITE = 1
    LOG = 2
    MEMORY_WRITE = 3
    MEMORY_ERASE = 4
    WATCHDOG_SERVE = 5
    WATCHDOG_TRIGGER = 6
    WATCHDOG_ANSWER = 7
    WATCHDOG_RELEASE = 8
    WATCHDOG_DEMAND_SAFE_STATE = 9
    ACCEPT = 10
    CONFIRM = 11
    RESET = 12
    MEMORY_READ = 32
    WATCHDOG_ENABLED = 33
    WATCHDOG_PERIOD = 34
    WATCHDOG_ERROR_COUNT = 35
    WATCHDOG_QUESTION = 36


Answer = int | bytes | None


class Call(NamedTuple):
    """One call of a module."""

    entry: int
    now_ns: int
    number: int = 0
    """The reset cause of a start, the error state of a controller."""
    channel: int = 0
    frame: bytes = b""
    """A `simcore_node_frame`."""

    def __str__(self) -> str:
        """`receive of 0x060 at 12 ms`."""
        entry = Entry(self.entry).name.lower()
        if self.frame:
            identifier, flags = FRAME.unpack(self.frame)[:2]
            digits = 8 if flags & FrameFlag.EXTENDED_ID else 3
            entry += f" of 0x{identifier:0{digits}X}"
        return f"{entry} at {format_ns(self.now_ns)}"


class Surroundings(NamedTuple):
    """What a module finds when it starts; stays as it is until the next start."""

    node: str
    channels: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    outputs_are_known: bool
    """False for a port that does not say which there are: then any name gets an index."""


class World(Protocol):
    """Who carries out what a module asks for."""

    def read(self, pin: str) -> float:
        """Value of an input pin there is."""

    def take(self, order: int, *arguments: Any) -> Answer:
        """Carry an order out; an answer to those from `Order.MEMORY_READ` on."""


def header_path() -> Path:
    """Where simcore_node.h is."""
    return Path(__file__).with_name("simcore_node.h")


def declarations(header: str) -> str:
    """What cffi is to know of the header: without comments, macros and what is for C++."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return "\n".join(lines).replace("SIMCORE_NODE_EXPORT", "")


@cache
def interface() -> Any:
    """The `cffi.FFI` that knows the header; reading it takes a tenth of a second, once."""
    ffi = import_module("cffi").FFI()
    ffi.cdef(declarations(header_path().read_text(encoding="utf-8")))
    return ffi


if __name__ == "__main__":
    print(header_path().parent)
