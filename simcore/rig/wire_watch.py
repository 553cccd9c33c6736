"""What happens on the wires of a rig, taken down: error frames, and states of the controllers.

Changes of state are events of the run; error frames, of which there can be thousands, go into the
recorder and the digest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from simcore.bus import Bus, ErrorFrame, ErrorKind, ErrorState, StateChange
from simcore.kernel import TraceDigest
from simcore.rig.events import EventLog
from simcore.rig.recorder import Recorder
from simcore.units import format_ns

WORDS = {
    ErrorState.ACTIVE: "error active",
    ErrorState.WARNING: "error warning",
    ErrorState.PASSIVE: "error passive",
    ErrorState.BUS_OFF: "bus-off",
}


class WireWatch:
    """Listens to all buses of a rig."""

    __slots__ = ("_digest", "_judged", "_log", "_recorder")

    def __init__(self, buses: Iterable[Bus], recorder: Recorder, log: EventLog) -> None:
        self._recorder = recorder
        self._log = log
        self._digest = TraceDigest()
        self._judged = 0
        """Error frames that `find_collisions` has looked at."""
        for bus in buses:
            bus.on_error_frame = self._error_frame
            bus.on_state_change = self._state_change

    def _error_frame(self, frame: ErrorFrame) -> None:
        self._recorder.error_frames.append(frame)
        whose = frame.sender, frame.frame
        self._digest.add(f"{frame[:4]!r}{whose!r}{frame.errors!r}\x1e".encode())

    def _state_change(self, change: StateChange) -> None:
        self._recorder.state_changes.append(change)
        self._log.add(
            change.node,
            "state",
            f"{change.channel}: {WORDS[change.before]} -> {WORDS[change.after]} "
            f"(TEC {change.transmit_error_count}, REC {change.receive_error_count})",
        )

    def find_collisions(self, disturbed: Collection[str]) -> None:
        """Findings: nodes that sent different frames with one identifier at the same time.

        On a bus in `disturbed` a transmitter's bit error has other causes, too.
        """
        frames = self._recorder.error_frames[self._judged :]
        self._judged += len(frames)
        met: dict[tuple[str, str, int], list[ErrorFrame]] = {}
        for frame in frames:
            first = frame.errors[0]
            senders = sorted({error.node for error in frame.errors if error.transmitter})
            if (
                first.kind is ErrorKind.BIT
                and len(senders) > 1
                and frame.frame is not None
                and frame.channel not in disturbed
            ):
                key = (frame.channel, " and ".join(senders), frame.frame.arbitration_id)
                met.setdefault(key, []).append(frame)
        for (channel, senders_text, arbitration_id), destroyed in met.items():
            self._log.find(
                channel,
                f"different frames with identifier 0x{arbitration_id:03X} from {senders_text} at "
                f"one instant: {len(destroyed)} error frames, the first at "
                f"{format_ns(destroyed[0].begin_ns)}",
                time_ns=destroyed[0].begin_ns,
            )

    def hexdigest(self) -> str:
        """Digest over all error frames; empty where there was none."""
        return self._digest.hexdigest() if self._recorder.error_frames else ""
