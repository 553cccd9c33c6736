"""Who lets virtual time pass for programs outside: the program itself, or the clock on the wall.

`VirtualDrive`: waiting for a frame runs the simulation until the frame is there. One thread does
that; the run is as deterministic as the program. `RealTimeDrive`: a thread of its own keeps virtual
time at the clock, and any number of threads may wait, send and receive.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from simcore.attach.message import BusOperationError
from simcore.attach.pace import DEFAULT_LATE_NS, DEFAULT_SLICE_NS, Lateness, Pace
from simcore.bus import Bus
from simcore.kernel import Scheduler
from simcore.units import NS_PER_MS, NS_PER_S, format_ns

log = logging.getLogger("simcore.attach")

DEFAULT_WAIT_LIMIT_NS = 60 * NS_PER_S
EMPTY_POLL_LIMIT = 10_000
"""More polls in a row that found nothing, at one instant, are a loop that waits for ever."""
_YIELD_S = 0.0001
"""A drive that runs late lets other threads in this long after each slice."""


class World(Protocol):
    """What is driven: a `Rig` or a `BareBus`."""

    @property
    def scheduler(self) -> Scheduler: ...

    @property
    def buses(self) -> tuple[Bus, ...]: ...

    def run_until(self, predicate: Callable[[], bool], *, timeout: int) -> bool: ...


class Drive(Protocol):
    """Lets virtual time pass."""

    realtime: bool

    @property
    def epoch_ns(self) -> int:
        """What virtual time 0 is on the clock that timestamps count on."""

    def touch(self, *, claims: bool = True) -> AbstractContextManager[None]:
        """Inside, the rig stands still and may be read and changed by this thread.

        Without `claims` it is for opening and closing: that does not make a thread the one that
        drives, and works also when another one does or time has ended.
        """

    def wait(self, ready: Callable[[], bool], timeout_ns: int | None) -> bool:
        """Inside `touch`: return when `ready()` holds, or False once the time has passed."""

    def found_nothing(self) -> None:
        """Somebody polled, and there was nothing."""

    def stop(self) -> None:
        """Let no more time pass."""


class VirtualDrive:
    """Time passes while the one thread that drives it waits.

    A wait without end is an error once nothing is scheduled any more, or after `wait_limit_ns`.
    """

    realtime = False
    epoch_ns = 0

    def __init__(self, world: World, *, wait_limit_ns: int = DEFAULT_WAIT_LIMIT_NS) -> None:
        self._world = world
        self._wait_limit_ns = wait_limit_ns
        self._driver: threading.Thread | None = None
        self._empty_polls = (0, 0)
        self._stopped = False

    @contextmanager
    def touch(self, *, claims: bool = True) -> Iterator[None]:
        """Checks that this is the thread that drives the time, or becomes it."""
        if claims:
            self._require_driver(threading.current_thread())
        yield

    def _require_driver(self, me: threading.Thread) -> None:
        if self._stopped:
            raise BusOperationError("simulation in virtual time", got="it was stopped")
        driver = self._driver
        if driver is None or not driver.is_alive():
            self._driver = me
        elif driver is not me:
            raise BusOperationError(
                f"thread {me.name}: this bus runs in virtual time, which thread {driver.name} "
                "drives",
                expected="one thread; open the bus with realtime=True to use Notifier or several",
            )

    def wait(self, ready: Callable[[], bool], timeout_ns: int | None) -> bool:
        scheduler = self._world.scheduler
        _require_outside(scheduler)
        self._empty_polls = (0, 0)
        if timeout_ns is not None:
            return self._world.run_until(ready, timeout=timeout_ns)
        started_ns = scheduler.now_ns
        while not ready():
            next_ns = scheduler.next_event_ns()
            waited_ns = scheduler.now_ns - started_ns
            if next_ns is None:
                raise BusOperationError(
                    f"wait without timeout at {format_ns(scheduler.now_ns)}",
                    expected="something to happen",
                    got="nothing is scheduled any more, so no frame can come",
                )
            if waited_ns > self._wait_limit_ns:
                raise BusOperationError(
                    f"wait without timeout at {format_ns(scheduler.now_ns)}",
                    expected=f"what was waited for within {format_ns(self._wait_limit_ns)}",
                    got="nothing; wait_limit_s sets this limit",
                )
            self._world.run_until(ready, timeout=max(1, next_ns - scheduler.now_ns))
        return True

    def found_nothing(self) -> None:
        now_ns = self._world.scheduler.now_ns
        at_ns, count = self._empty_polls
        count = count + 1 if at_ns == now_ns else 1
        self._empty_polls = (now_ns, count)
        if count > EMPTY_POLL_LIMIT:
            raise BusOperationError(
                f"recv(0) found nothing {EMPTY_POLL_LIMIT} times at {format_ns(now_ns)}",
                expected="recv(timeout) or sleep, which let virtual time pass",
            )

    def stop(self) -> None:
        self._stopped = True


class RealTimeDrive:
    """A thread keeps virtual time at the clock on the wall.

    `lateness` tells how well; a late slice is logged as a warning, at most once per second.
    """

    realtime = True

    def __init__(
        self,
        world: World,
        *,
        speed_ratio: float = 1.0,
        slice_ns: int = DEFAULT_SLICE_NS,
        late_ns: int = DEFAULT_LATE_NS,
    ) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._pace = Pace(
            world.scheduler,
            speed_ratio=speed_ratio,
            slice_ns=slice_ns,
            late_ns=late_ns,
            on_late=_say_late,
        )
        self._scheduler = world.scheduler
        self._speed_ratio = speed_ratio
        self._told_events = 0
        self._stopped = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="simcore time", daemon=True)
        self._thread.start()

    @property
    def epoch_ns(self) -> int:
        return self._pace.epoch_ns

    @property
    def lateness(self) -> Lateness:
        """How late the slices were."""
        return self._pace.lateness

    @contextmanager
    def touch(self, *, claims: bool = True) -> Iterator[None]:
        """Holds virtual time still, after bringing it up to the clock."""
        with self._changed:
            if claims:
                self._require_running()
                if not self._scheduler.in_event:
                    self._advance()
            yield
            if not claims:
                self._changed.notify_all()

    def wait(self, ready: Callable[[], bool], timeout_ns: int | None) -> bool:
        _require_outside(self._scheduler)
        left_s = None
        started_ns = self._scheduler.now_ns
        while not ready():
            self._require_running()
            if timeout_ns is not None:
                # Virtual time counts: a machine that is late must not lose what is still to come.
                left_ns = started_ns + timeout_ns - self._scheduler.now_ns
                if left_ns <= 0:
                    return False
                left_s = left_ns / NS_PER_S / self._speed_ratio
            self._changed.wait(left_s)
        return True

    def found_nothing(self) -> None:
        """A poll costs real time, so virtual time passes."""

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _require_running(self) -> None:
        if self._failure is not None:
            raise BusOperationError(
                "simulation in real time", got=f"it ended: {self._failure}"
            ) from self._failure
        if self._stopped:
            raise BusOperationError("simulation in real time", got="it was stopped")

    def _advance(self) -> None:
        """To where the clock is; what the simulation raises ends it."""
        try:
            self._pace.advance()
        except Exception as error:
            self._failure = error
            self._changed.notify_all()
            self._require_running()
        self._tell_changes()

    def _tell_changes(self) -> None:
        """Wake who waits, unless nothing has happened."""
        event_count = self._scheduler.event_count
        if event_count != self._told_events:
            self._told_events = event_count
            self._changed.notify_all()

    def _run(self) -> None:
        """The thread: one slice at a time, so that others get their turn."""
        with self._changed:
            while not self._stopped and self._failure is None:
                try:
                    if self._pace.wait_s() == 0.0:
                        self._pace.step(self._pace.due_ns())
                        self._tell_changes()
                    self._changed.wait(max(_YIELD_S, self._pace.wait_s()))
                except Exception as error:  # told to everybody who touches or waits
                    self._failure = error
                    self._changed.notify_all()


def _require_outside(scheduler: Scheduler) -> None:
    """Inside the simulation nobody waits: time passes only once it has returned."""
    if scheduler.in_event:
        raise BusOperationError("wait on a bus", expected="not from inside the simulation")


def _say_late(lateness_ns: int) -> None:
    log.warning("the machine does not keep up with real time: %d ms late", lateness_ns // NS_PER_MS)
