"""`LogRecord`: one line of a bus log, whatever its format; and errors that say where.

Not here: the formats (`log_candump`, `log_asc`, `log_blf`, `log_mf4`), opening files
(`log_reader`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum, unique
from typing import NamedTuple, TypeAlias

from simcore.bus import Frame
from simcore.errors import InputError, UsageError


@unique
class EntryKind(StrEnum):
    """What a log says was on the bus."""

    FRAME = "frame"
    ERROR = "error frame"
    OVERLOAD = "overload frame"
    OTHER = "other entry"
    """Something that is no frame: a statistic, a marker, a status."""

    @property
    def plural(self) -> str:
        """For counts: `3 error frames`."""
        return "other entries" if self is EntryKind.OTHER else f"{self}s"


class LogRecord(NamedTuple):
    """One entry of a log."""

    time_ns: int
    """Time stamp as written: in logs of simcore and of receivers, the end of the frame."""
    channel: str
    """Its name; where the log has numbers only, the number."""
    frame: Frame | None
    """`None` for whatever is no frame."""
    kind: EntryKind = EntryKind.FRAME
    transmitted: bool = False
    """Direction Tx."""


Read: TypeAlias = Callable[[bytes, str], Iterator[LogRecord]]
"""From the content of a file and its name to its records; raises `InputError` at the first bad one,
after it has given all before it."""


def frame_of(build: Callable[[], Frame], where: str, file: str, line: int | None = None) -> Frame:
    """The frame `build` makes; what cannot be on a wire is an `InputError` at that place."""
    try:
        return build()
    except UsageError as error:
        raise InputError(where, expected="a CAN frame", got=str(error), file=file, line=line) from (
            error
        )


def time_of(seconds: str, fraction: str) -> int:
    """Decimal digits of seconds to ns, without a detour through floats; beyond ns they are cut."""
    return int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
