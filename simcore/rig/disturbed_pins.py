"""Pins that lie: what a fault makes of a sensor's value, and of what a power stage is told.

One object per disturbed pin, made by `PlantLoop` for as long as a fault lasts. What the fault is
lies in `faults/pins.py` and `faults/actuator.py`.
"""

from __future__ import annotations

from simcore.faults.site import PinTransform
from simcore.rig.host import LATCHED, NodeHost


class DisturbedInput:
    """A sensor pin: the true value kept beside the one that is shown to the ECU.

    The plant writes some pins on a change only, so the true value must be back before each of its
    updates. A value that somebody else has put there meanwhile is a new true one.
    """

    __slots__ = ("_pin", "_pins", "_shown_ratio", "_true_ratio", "transforms")

    def __init__(self, pins: dict[str, float], pin: str) -> None:
        self._pins = pins
        self._pin = pin
        self._true_ratio = self._shown_ratio = pins[pin]
        self.transforms: list[PinTransform] = []

    def uncover(self) -> None:
        """Show the true value."""
        if self._pins[self._pin] == self._shown_ratio:
            self._pins[self._pin] = self._true_ratio

    def cover(self, now_ns: int) -> None:
        """Show what the faults make of it."""
        value_ratio = self._true_ratio = self._pins[self._pin]
        for transform in self.transforms:
            value_ratio = transform(value_ratio, now_ns)
        self._pins[self._pin] = self._shown_ratio = value_ratio


class DisturbedOutputs:
    """The outputs of an actuator as they reach the plant; stands where the node's own did.

    A current flows only while the power stage has its supply and its enable line; a latch is
    mechanics and needs neither.
    """

    __slots__ = ("_host", "transforms")

    def __init__(self, host: NodeHost) -> None:
        self._host = host
        self.transforms: dict[str, list[PinTransform]] = {}

    def __getitem__(self, pin: str) -> float:
        host = self._host
        value_ratio = host.outputs[pin]
        if pin.endswith(LATCHED) or (host.running and host.power_stage_on):
            now_ns = host.scheduler.now_ns
            for transform in self.transforms.get(pin, ()):
                value_ratio = transform(value_ratio, now_ns)
        return value_ratio
