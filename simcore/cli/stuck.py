"""Notices a script or a module that keeps the processor busy while virtual time stands still.

A loop such as `while rig.vehicle.speed_kmh > 0: pass` never returns to the simulation, so nothing
in virtual time can see it. An alarm of the operating system looks at it from outside, and raises
`StuckError` right where it loops: in a script that ends the scenario, in a node's `receive` it
becomes a finding like anything else a node raises. No alarm reaches code that is not Python: a C
module that hangs inside this process ends it, with the place of the call, after twice that time.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from simcore.rig import Bench

_PACKAGE = Path(__file__).resolve().parents[1]
_LOOKS = 4
"""How often virtual time must be seen at the same place, over the whole permitted stretch."""


class StuckWatch:
    """While entered, raises `StuckError` where a watched rig's time stands still too long.

    Time that passes in a fork counts, and so does forking. Outside the main thread, where no alarm
    can be caught, it does nothing.
    """

    def __init__(self, after_s: float, *, ends_process: bool = False) -> None:
        self._after_s = after_s
        self._ends_process = ends_process
        """Whether code that no alarm reaches is to end the process."""
        self._rig: Bench | None = None
        self._seen: tuple[int, int] | None = None
        self._looks = 0
        self._active = False

    def __enter__(self) -> Self:
        self._active = threading.current_thread() is threading.main_thread()
        if self._active:
            self._before = signal.signal(signal.SIGALRM, self._look)
            every_s = self._after_s / _LOOKS
            signal.setitimer(signal.ITIMER_REAL, every_s, every_s)
            self._arm()
        return self

    def _arm(self) -> None:
        """Put the end of the process off, for it lives."""
        if self._ends_process:
            faulthandler.dump_traceback_later(
                2.0 * self._after_s, exit=True, file=sys.__stderr__ or sys.stderr
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._active:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before)
            if self._ends_process:
                faulthandler.cancel_dump_traceback_later()

    def watch(self, rig: Bench | None) -> None:
        """Watch this rig from now on; `None` to rest."""
        self._rig = rig
        self._seen = None

    def _look(self, number: int, frame: FrameType | None) -> None:
        self._arm()
        rig = self._rig
        if rig is None:
            return
        now = _virtual_now(rig, frame)
        self._looks = self._looks + 1 if now is not None and now == self._seen else 0
        self._seen = now
        if self._looks >= _LOOKS:
            self._looks = 0
            raise self._stuck(rig, frame)

    def _stuck(self, rig: Bench, frame: FrameType | None) -> Exception:
        from simcore.kernel import StuckError
        from simcore.units import format_ns

        place = ""
        while frame is not None and _is_ours(frame.f_code.co_filename):
            frame = frame.f_back  # rather the loop than the property it asks
        if frame is not None:
            code = frame.f_code
            place = f" in {code.co_name} ({code.co_filename}:{frame.f_lineno})"
        return StuckError(
            f"virtual time has stood at {format_ns(rig.now_ns)} for {self._after_s:g} s of real "
            f"time{place}; a loop lets time pass by run_for or run_until"
        )


def _is_ours(file: str) -> bool:
    """Whether a file is part of simcore, shipped scenarios aside."""
    inside = _PACKAGE in Path(file).parents
    return inside and _PACKAGE / "_data" not in Path(file).parents


def _virtual_now(rig: Bench, frame: FrameType | None) -> tuple[int, int] | None:
    """Which clock is running and where it stands; `None` while a rig is being forked."""
    from simcore.kernel import Scheduler
    from simcore.rig import Bench as AnyRig

    while frame is not None:
        if frame.f_code is AnyRig.fork.__code__:
            return None
        if frame.f_code is Scheduler.run_until_ns.__code__:
            return id(frame), frame.f_locals["self"].now_ns
        frame = frame.f_back
    return id(rig), rig.now_ns
