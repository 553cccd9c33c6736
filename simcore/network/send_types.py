"""Send types: what the texts of `GenMsgSendType` and `GenSigSendType` mean.

A text, not its place in the ENUM, says how a message is sent: the order of the texts differs from
file to file. `KNOWN` lists the spellings met in real files; a house with others passes a
`SendTypes` of its own. What message and signals make of it together is in `interaction_rules`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simcore.errors import InputError, UsageError

if TYPE_CHECKING:
    import os


class SendMode(IntFlag):
    """When a message is sent; several may hold together."""

    NONE = 0
    CYCLIC = 1
    ON_WRITE = 2
    """On each write of a signal."""
    ON_CHANGE = 4
    """On each write that changes the raw value."""
    IF_ACTIVE = 8
    """Fast while a signal is not inactive."""
    EVENT = 16
    """On the writes that the signals' own send types name, on any write where they name none."""
    REPETITION = 32
    """Event frames are repeated `GenMsgNrOfRepetition` times."""


_C, _W, _X, _A, _E, _R = (
    SendMode.CYCLIC,
    SendMode.ON_WRITE,
    SendMode.ON_CHANGE,
    SendMode.IF_ACTIVE,
    SendMode.EVENT,
    SendMode.REPETITION,
)

KNOWN: Mapping[str, SendMode] = {
    "Cyclic": _C,
    "Cycle": _C,
    "cyclicX": _C,
    "Periodic": _C,
    "FixedPeriodic": _C,
    "Event": _E,
    "OnEvent": _E,
    "triggered": _E,
    "spontan": _E,
    "spontanX": _E,
    "spontaneous": _E,
    "spontanWithDelay": _E,
    "spontaneousWithDelay": _E,
    "spontanWithRepetition": _E | _R,
    "spontanWithRepitition": _E | _R,
    "spontaneousWithRepetition": _E | _R,
    "OnWrite": _W,
    "OnWriteWithRepetition": _W | _R,
    "OnChange": _X,
    "OnChangeWithRepetition": _X | _R,
    "IfActive": _A,
    "IfActiveWithRepetition": _A | _R,
    "EnabledPeriodic": _A,
    "cyclicIfActive": _A,
    "cyclicIfActiveX": _A,
    "cyclicIfActiveFast": _A,
    "OnWriteAndIfActive": _W | _A,
    "OnWriteAndIfActiveWithRepetition": _W | _A | _R,
    "OnChangeAndIfActive": _X | _A,
    "OnChangeAndIfActiveWithRepetition": _X | _A | _R,
    "CA": _C | _A,
    "CE": _C | _E | _R,
    "CycleEvent": _C | _E | _R,
    "EventPeriodic": _C | _E,
    "cyclicAndEvent": _C | _E,
    "cyclicAndTriggered": _C | _E,
    "cyclicAndSpontan": _C | _E,
    "cyclicAndSpontanX": _C | _E,
    "cyclicAndSpontaneous": _C | _E,
    "cyclicAndSpontanWithDelay": _C | _E,
    "cyclicAndSpontaneousWithDelay": _C | _E,
    "cyclicAndOnWrite": _C | _W,
    "cyclicAndOnChange": _C | _X,
    "cyclicWithRepeatOnDemand": _C | _E | _R,
    "cyclicIfActiveAndEvent": _A | _E,
    "cyclicIfActiveAndTriggered": _A | _E,
    "cyclicIfActiveAndSpontanWD": _A | _E,
    "cyclicIfActiveAndSpontanWithDelay": _A | _E,
    "cyclicIfActiveAndSpontaneousWD": _A | _E,
    "none": SendMode.NONE,
    "NoMsgSendType": SendMode.NONE,
    "NoSigSendType": SendMode.NONE,
    "NoSendType": SendMode.NONE,
    "NotUsed": SendMode.NONE,
    "reserved": SendMode.NONE,
    "vector_leerstring": SendMode.NONE,
    "": SendMode.NONE,
}
"""The texts of both attributes; case, blanks, `_` and `-` make no difference.

Met in the databases of opendbc and cantools, in those that canmatrix writes, and in public OEM
templates. Interpretation: CE and CA (cyclic with events, cyclic if active, of Chinese houses);
EnabledPeriodic and EventPeriodic (Ford), after the place they hold in the ENUM of other houses.
`WithDelay` adds nothing: `GenMsgDelayTime` holds for every send type.
"""


def _normal(text: str) -> str:
    return re.sub(r"[\s_\-]", "", text.casefold())


_BY_NORMAL = {_normal(text): mode for text, mode in KNOWN.items()}


class SendTypes:
    """Texts to send modes: `KNOWN`, and above it a house's own words, each by one of those.

    `SendTypes({"Zyklisch": "Cyclic"})`. Also redefines: `{"Event": "OnChange"}`.
    """

    __slots__ = ("_modes", "extra")

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        self.extra = dict(extra or {})
        self._modes = dict(_BY_NORMAL)
        for text, known in self.extra.items():
            mode = _BY_NORMAL.get(_normal(known)) if isinstance(known, str) else None
            if mode is None:
                raise UsageError(
                    f"send type {text!r}", expected=f"one of {known_texts()}", got=repr(known)
                )
            self._modes[_normal(text)] = mode

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SendTypes:
        """Read the table `[send_types]` of a TOML file: `"OEM text" = "Cyclic"`."""
        name = str(path)
        try:
            with Path(path).open("rb") as file:
                tables = tomllib.load(file)
        except OSError as error:
            raise InputError(
                "send types", expected="a readable TOML file", got=error.strerror, file=name
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"send types: not valid TOML: {error}", file=name) from None
        table = tables.get("send_types")
        if not isinstance(table, dict):
            raise InputError("send types", expected="a table [send_types]", file=name)
        try:
            return cls(table)
        except UsageError as error:
            raise InputError(
                error.where, expected=error.expected, got=error.got, file=name
            ) from None

    @classmethod
    def parse(cls, entries: Iterable[str]) -> SendTypes:
        """From command-line words `OEM text=Cyclic`."""
        table = {}
        for entry in entries:
            text, equals, known = entry.partition("=")
            if not equals:
                raise UsageError("send type", expected="TEXT=SEND_TYPE", got=repr(entry))
            table[text] = known
        return cls(table)

    def mode(self, text: str) -> SendMode | None:
        """What `text` means; `None` for one that nobody knows."""
        return self._modes.get(_normal(text))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return SendTypes, (self.extra,)


STANDARD = SendTypes()
"""`KNOWN` and nothing else."""


def known_texts() -> str:
    return ", ".join(text for text in KNOWN if text)
