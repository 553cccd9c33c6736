"""The supply goes while a flash works: at the n-th operation, before it, in its midst, or after it.

The only fault that hits an ECU inside its software: what erases or programs does not come back. It
is counted in flash operations, because that is what a cut is exhaustive over (OTA-002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from simcore.errors import UsageError
from simcore.faults.ecu import EcuFault
from simcore.faults.installed import Installed, require_count
from simcore.faults.site import NodeControl, Site
from simcore.kernel import Priority
from simcore.kernel.scheduler import Timer
from simcore.units import NS_PER_MS, format_ns
from simcore.update.flash import CutKind, Flash, PowerCut

_LOOK_NS = NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashPowerCut(EcuFault):
    """The ECU loses its supply at a flash operation, and has it back `off_ns` later."""

    operation: int
    """Which one from now on, the next one being 1."""
    kind: CutKind = CutKind.BEFORE
    """Before it, torn in its midst, or right after it."""
    seed: int = 0
    """Which bits a torn operation reaches."""
    off_ns: int = 200 * NS_PER_MS
    """How long the supply is away."""

    shifts_messages: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_count("FlashPowerCut.operation", self.operation)
        require_count("FlashPowerCut.off_ns", self.off_ns)

    @property
    def sentence(self) -> str:
        """For the report."""
        when = {CutKind.BEFORE: "before", CutKind.TORN: "in the midst of", CutKind.AFTER: "after"}
        return (
            f"{self.node}: supply lost {when[self.kind]} flash operation {self.operation}, "
            f"back after {format_ns(self.off_ns)}"
        )

    def begin(self, site: Site) -> Installed:
        """Wait for the operation."""
        control = site.node(self.node)
        flash = control.flash
        if flash is None:
            raise UsageError(
                f"FlashPowerCut, node {self.node}", expected="a node with a flash", got="none"
            )
        return _Cut(site, control, flash, self).installed


class _Cut:
    """Armed, then dark, then over."""

    __slots__ = ("_control", "_cut", "_flash", "_off_ns", "_site", "_taken", "_timer", "installed")

    def __init__(
        self, site: Site, control: NodeControl, flash: Flash, fault: FlashPowerCut
    ) -> None:
        self._site = site
        self._control = control
        self._flash = flash
        self._off_ns = fault.off_ns
        self._taken: object = None
        self._cut = PowerCut(flash.operations + fault.operation - 1, fault.kind, fault.seed)
        flash.cut = self._cut
        self.installed = Installed(self._end)
        self._timer: Timer = self._after(_LOOK_NS)

    def _after(self, pause_ns: int) -> Timer:
        scheduler = self._site.scheduler
        return scheduler.timer(scheduler.now_ns + pause_ns, Priority.ECU, self._look)

    def _look(self) -> None:
        if self._taken is not None:
            self._end()
            self.installed.over()
        elif self._flash.cut == self._cut or self._control.running:
            self._timer = self._after(_LOOK_NS)
        else:
            self._taken = self._control.halt()
            self._timer = self._after(self._off_ns)

    def _end(self) -> None:
        self._timer.cancel()
        if self._flash.cut == self._cut:
            self._flash.cut = None
        if self._taken is not None:
            taken, self._taken = self._taken, None
            self._control.start(taken)
