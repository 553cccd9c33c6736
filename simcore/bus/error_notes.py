"""`ErrorNotes`: what the machines of a wire detect, made into `WireError` and `ErrorFrame`.

A machine reports in the middle of a bit; the note is complete at the end of it, when counters and
error state are those after the error. Terms: `error_record.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simcore.bus.error_record import ErrorFrame, ErrorKind, WireError
from simcore.bus.frame import Frame

if TYPE_CHECKING:
    from simcore.bus.controller import Controller
    from simcore.bus.mac import Mac
    from simcore.bus.wire import Wire


class _Detection(NamedTuple):
    """What a machine found, before its bit is over."""

    mac: Mac
    members: tuple[Controller, ...]
    kind: ErrorKind
    field: str
    bit: int
    level: int
    passive: bool


class ErrorNotes:
    """Errors of the error frame at hand, from the first flag to the end of the delimiter."""

    __slots__ = ("_begin_ns", "_errors", "_failed", "_wire", "detections")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.detections: list[_Detection] = []
        """Found in the bit at hand."""
        self._errors: list[WireError] = []
        self._begin_ns = 0
        self._failed: tuple[Frame | None, str] = (None, "")

    def detected(self, mac: Mac, kind: ErrorKind, level: int, passive: bool) -> None:
        """A node found an error in the bit at hand."""
        self.detections.append(
            _Detection(mac, tuple(mac.members), kind, mac.field, mac.bit, level, passive)
        )

    def destroyed(self, frame: Frame, sender: str) -> None:
        """The frame that the error frame at hand cut; of several senders the first by name."""
        frame_before, name_before = self._failed
        if frame_before is None or sender < name_before:
            self._failed = (frame, sender)

    def bit_over(self) -> None:
        """Note what was found in this bit, and tell the nodes that found it."""
        wire = self._wire
        detections, self.detections = self.detections, []
        for mac, members, kind, field, bit, level, passive in detections:
            time_ns = wire.instant_ns(mac.next_tick)
            if not self._errors:
                self._begin_ns = time_ns
            for controller in members:
                error = WireError(
                    time_ns,
                    wire.bus.name,
                    controller.name,
                    kind,
                    mac.transmitter,
                    field,
                    bit,
                    level,
                    passive,
                    controller.transmit_error_count,
                    controller.receive_error_count,
                )
                self._errors.append(error)
                controller.report_error(error)

    def delimiter_over(self, end_ns: int, sof_ns: int) -> None:
        """An error or overload frame is complete for a node; the first one takes it down."""
        if not self._errors:
            return
        bus = self._wire.bus
        overload = all(error.kind is ErrorKind.OVERLOAD for error in self._errors)
        frame, sender = self._failed
        bus.error_frame_over(
            ErrorFrame(
                self._begin_ns,
                end_ns,
                bus.name,
                overload,
                None if overload else frame,
                "" if overload else sender,
                tuple(self._errors),
                sof_ns,
            )
        )
        self._errors = []
        self._failed = (None, "")
