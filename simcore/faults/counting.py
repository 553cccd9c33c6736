"""Counts what a fault of a pin does: a lie that agrees with the truth has done nothing."""

from __future__ import annotations

from simcore.faults.site import NodeControl, PinTransform


class CountedSamples:
    """A transform of a pin, and how many samples it has changed while the node was on."""

    __slots__ = ("_control", "_transform", "count")

    def __init__(self, control: NodeControl, transform: PinTransform) -> None:
        self._control = control
        self._transform = transform
        self.count = 0

    def value(self, true_ratio: float, now_ns: int) -> float:
        """What the transform makes of a pin's true value."""
        shown_ratio = self._transform(true_ratio, now_ns)
        if shown_ratio != true_ratio and self._control.running:
            self.count += 1
        return shown_ratio

    @property
    def effect(self) -> str:
        """For the report."""
        return f"{self.count} sample{'' if self.count == 1 else 's'} falsified"
