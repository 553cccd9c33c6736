"""Notices a script that keeps the processor busy while virtual time stands still.

A loop such as `while rig.vehicle.speed_kmh > 0: pass` never returns to the simulation, so nothing
in virtual time can see it. A thread beside it looks at the clock on the wall.
"""

from __future__ import annotations

import _thread
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from simcore.rig import Rig

_LOOK_EVERY_S = 0.25


class StuckWatch:
    """While entered, interrupts the main thread when `rig`'s time stands still too long.

    The interrupt arrives as `KeyboardInterrupt`; `fired` tells it from the user's.
    """

    def __init__(self, after_s: float) -> None:
        self.fired = False
        self.rig: Rig | None = None
        self._after_s = after_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def watch(self, rig: Rig | None) -> None:
        """Watch this rig from now on; `None` to rest."""
        self.rig = rig

    def _watch(self) -> None:
        seen: tuple[int, int] | None = None
        still_s = 0.0
        while not self._stop.wait(_LOOK_EVERY_S):
            rig = self.rig
            now = None if rig is None else (id(rig), rig.now_ns)
            still_s = still_s + _LOOK_EVERY_S if now is not None and now == seen else 0.0
            seen = now
            if still_s >= self._after_s:
                self.fired = True
                self.rig = None
                still_s = 0.0
                _thread.interrupt_main()
