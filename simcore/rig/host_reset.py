"""A node's own reset: what `Port.reset` leads to.

The node asks for it in the midst of a call, so it is carried out as an event of its own: at that
instant everything is off, as without supply, and after the boot time the node starts anew. Flash
and non-volatile memory stay. The ECU is reset by its safety device, which begins anew with it: a
watchdog whose ECU is in reset by order does not count that as missing services.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simcore.diag.codes import ResetKind
from simcore.errors import UsageError
from simcore.kernel import Priority
from simcore.kernel.scheduler import Timer
from simcore.units import NS_PER_MS
from simcore.update.flash import Flash
from simcore.update.reset_cause import ResetCause

if TYPE_CHECKING:
    from simcore.rig.host import NodeHost

RESET_TEXT = "reset"
"""How the event of a reset that a node asked for begins; the kind follows in brackets."""
SUPPLY_CUT = "supply cut in the midst of a flash operation"
"""How the event of such a cut begins."""
BOOT_NS = {
    ResetKind.HARD: 50 * NS_PER_MS,
    ResetKind.KEY_OFF_ON: 50 * NS_PER_MS,
    ResetKind.SOFT: 20 * NS_PER_MS,
}
"""From a reset to the start of the software: clocks, self-test of the core, copying of data."""
_ECU = int(Priority.ECU)


def tear(flash: Flash, node: object, now_ns: int) -> None:
    """A node stops: what its flash is at in this instant stays half done.

    The node says since when its flash works with an attribute `flash_busy_since_ns`. Which bits are
    torn follows from the instant.
    """
    since_ns = getattr(node, "flash_busy_since_ns", None)
    if since_ns is not None:
        flash.power_lost(now_ns - since_ns, seed=now_ns)


class OwnReset:
    """The reset that one node asked for, from the request to the start."""

    __slots__ = ("_host", "_timer")

    def __init__(self, host: NodeHost) -> None:
        self._host = host
        self._timer: Timer | None = None
        """The next step."""

    def ask(self, kind: ResetKind) -> None:
        """Reset as soon as the present call has ended; once, however often it is asked for."""
        host = self._host
        if kind not in BOOT_NS:
            kinds = ", ".join(each.name for each in BOOT_NS)
            raise UsageError(f"{host.name}: reset", expected=f"one of {kinds}", got=repr(kind))
        if host.running and self._timer is None:
            scheduler = host.scheduler
            down = partial(self._down, ResetKind(kind))
            self._timer = scheduler.timer(scheduler.now_ns, _ECU, down)

    def cancel(self) -> None:
        """Somebody else decides on the supply: nothing is left of it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _down(self, kind: ResetKind) -> None:
        host = self._host
        host.halt()
        host.log("state", f"{RESET_TEXT} ({kind.name})")
        up_ns = host.scheduler.now_ns + BOOT_NS[kind]
        self._timer = host.scheduler.timer(up_ns, _ECU, self._up)

    def _up(self) -> None:
        self._host.start(ResetCause.SOFTWARE)
