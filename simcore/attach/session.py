"""`Session`: one rig or bare bus that outside programs are on, and where they find it.

A program names a bus: `CHASSIS_A` (or `chassis`, or its number) of the rig that is published
without a name, `CHASSIS_A@bench` of the one published as `bench`, `empty:anything` of a bare bus
that is made for whoever asks first. Where nothing is published, a program gets a rig of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from simcore.attach.clock import VirtualClock
from simcore.attach.drive import Drive, RealTimeDrive, VirtualDrive, World
from simcore.attach.message import BusOpenError
from simcore.bus import Bus
from simcore.errors import UsageError
from simcore.units import NS_PER_S

FIRST_BUS = "chassis"
"""Stands for the first bus of whatever is attached to."""
EMPTY = "empty:"
_NUMBERED = re.compile(r"(?:v?can)?(\d+)", re.IGNORECASE)
DEFAULT_WAIT_LIMIT_S = 60.0


class Session:
    """A rig or bare bus with the drive that lets its time pass. Made by `publish`.

    As a context manager it is withdrawn and stopped at the end.
    """

    def __init__(self, world: World, drive: Drive, name: str) -> None:
        self.world = world
        self.drive = drive
        self.name = name
        self.clock = VirtualClock(world, drive)
        self.temporary = False
        """Made for the programs that are on it, and gone with the last of them."""
        self._users = 0

    @property
    def realtime(self) -> bool:
        """Whether the clock on the wall drives it."""
        return self.drive.realtime

    @contextmanager
    def hold(self) -> Iterator[World]:
        """Inside, time stands still and this thread may use the rig: in real time the only way."""
        with self.drive.touch():
            yield self.world

    def join(self) -> None:
        """One more program is on it."""
        self._users += 1

    def leave(self) -> None:
        """A program has left; the last one takes along what was made for them."""
        self._users -= 1
        if self._users == 0 and self.temporary:
            self.close()

    def close(self) -> None:
        """Let no more time pass, and be found no more."""
        if _open.get(self.name) is self:
            del _open[self.name]
        self.drive.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def bus_of(buses: Sequence[Bus], place: str) -> Bus:
    """The bus a name means: its own, its number (`0`, `can0`), `chassis` or nothing for the first.

    Raises `BusOpenError`.
    """
    if place.lower() in (FIRST_BUS, ""):
        return buses[0]
    for bus in buses:
        if bus.name.lower() == place.lower():
            return bus
    number = _NUMBERED.fullmatch(place)
    if number is not None and int(number[1]) < len(buses):
        return buses[int(number[1])]
    names = ", ".join(bus.name for bus in buses)
    raise BusOpenError(
        f"channel {place!r}", expected=f"{names}, a number below {len(buses)}, or {FIRST_BUS}"
    )


_open: dict[str, Session] = {}
"""By name: what is published, and what was made for programs that are still on it."""


def publish(
    world: World,
    name: str = "",
    *,
    realtime: bool = False,
    speed_ratio: float = 1.0,
    wait_limit_s: float = DEFAULT_WAIT_LIMIT_S,
) -> Session:
    """Let programs in this process find a rig by `can.Bus(interface="simcore", ...)`.

    Without a name it is the one they find by the name of a bus alone. `realtime` starts a thread
    that keeps its time at the clock, `speed_ratio` times as fast; then use the rig inside
    `Session.hold` only. In virtual time a program that waits without timeout gets an error after
    `wait_limit_s`. Raises `UsageError` for a name or a rig that is published already.
    """
    if name in _open:
        raise UsageError(f"publish {name!r}", expected="a name that is free: close the other first")
    for other in _open.values():
        if other.world is world:
            raise UsageError(
                f"publish {name!r}",
                expected="a rig once",
                got=f"the one published as {other.name!r}",
            )
    drive: Drive
    if realtime:
        drive = RealTimeDrive(world, speed_ratio=speed_ratio)
    else:
        drive = VirtualDrive(world, wait_limit_ns=round(wait_limit_s * NS_PER_S))
    session = _open[name] = Session(world, drive, name)
    return session


def published() -> tuple[Session, ...]:
    """Every session that programs can find now."""
    return tuple(_open.values())


def join(
    channel: str, make: Callable[[], World], *, world: World | None, realtime: bool | None
) -> tuple[Session, Bus]:
    """The session and bus a channel names; `make` is called where a rig has to be made first.

    What is made, or given as `world` and not published, lives as long as programs are on it.
    `realtime` is asked of what exists and used for what is made (default: virtual time). Raises
    `BusOpenError`.
    """
    place, name = _parted(channel)
    if world is not None:
        found = next((each for each in _open.values() if each.world is world), None)
        name = f"rig {id(world):x}" if found is None else found.name
    elif name not in _open and name != "" and not name.startswith(EMPTY):
        known = ", ".join(repr(each) for each in _open if each) or "nothing"
        raise BusOpenError(
            f"channel {channel!r}", expected=f"a rig published as {name!r}", got=f"{known} is"
        )
    session = _open.get(name)
    if session is None:
        session = publish(world or make(), name, realtime=bool(realtime))
        session.temporary = True
    elif realtime is not None and realtime is not session.realtime:
        mode = "real time" if session.realtime else "virtual time"
        raise BusOpenError(
            f"channel {channel!r}: realtime", expected=f"{session.realtime}: it runs in {mode}"
        )
    session.join()
    try:
        return session, bus_of(session.world.buses, place)
    except UsageError:
        session.leave()
        raise


def _parted(channel: str) -> tuple[str, str]:
    """Bus and session name of a channel."""
    if channel.startswith(EMPTY):
        return "", channel
    place, _, name = channel.partition("@")
    return place, name
